/* guard.h - input that ends where the page ends: reading one byte too far crashes. */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARD_ROOM = 1 << 20 };

/* A copy of n bytes (at most GUARD_ROOM) that ends at a page nobody may touch; n is writable.. */
static inline uint8_t *guard_copy(const void *bytes, size_t n)
{
	static uint8_t *room;

	if (!room) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		void *p = mmap(NULL, GUARD_ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || mprotect((uint8_t *)p + GUARD_ROOM, page, PROT_NONE) < 0)
			_exit(99);
		room = p;
	}
	if (n)
		memcpy(room + GUARD_ROOM - n, bytes, n);
	return room + GUARD_ROOM - n;
}

#endif
