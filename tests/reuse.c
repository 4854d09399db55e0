/* reuse.c - see reuse.h. */
#include "tests/reuse.h"

#include <malloc.h>
#include <sanitizer/asan_interface.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BIG = 4096, BLOCKS = 512, UNSET = 0xbe }; /* that much of a new block, and with this, is what the sanitizer fills */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void __wrap_free(void *p);

/* Free ones, and no others: what is lost in use must not be found here. */
static struct block {
	void *p;
	size_t size;
} blocks[BLOCKS];
static size_t blocks_n, ready; /* ready: the first of them may be used */

void reuse_begin(void)
{
	ready = blocks_n;
}

static void *take(size_t size)
{
	for (size_t i = 0; size >= BIG && i < ready; i++) {
		struct block b = blocks[i];

		if (b.size != size)
			continue;
		blocks[i] = blocks[--ready];
		blocks[ready] = blocks[--blocks_n];
		blocks[blocks_n] = (struct block){ 0 };
		ASAN_UNPOISON_MEMORY_REGION(b.p, size);
		return b.p;
	}
	return NULL;
}

void *__wrap_malloc(size_t n)
{
	void *p = take(n);

	return p ? memset(p, UNSET, BIG) : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
	void *p = each && n <= SIZE_MAX / each ? take(n * each) : NULL;

	return p ? memset(p, 0, n * each) : __real_calloc(n, each);
}

void __wrap_free(void *p)
{
	size_t size = malloc_usable_size(p);

	if (size >= BIG)
		(void)*(volatile char *)p; /* freed twice: it is poisoned */
	if (size < BIG || blocks_n == BLOCKS) {
		__real_free(p);
		return;
	}
	ASAN_POISON_MEMORY_REGION(p, size);
	blocks[blocks_n++] = (struct block){ p, size };
}
