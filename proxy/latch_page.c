/* latch_page.c - see latch_page.h. */
#include "proxy/latch_page.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mseal
#define SYS_mseal 462 /* the same on every architecture */
#endif

static struct latch *page;

static int page_new(void)
{
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	page = p; /* of zeros: not secure */
	return 0;
}

/* Older kernels do not have it (ENOSYS), nor have those of 32 bits (EPERM): the page is as much as can be had there. */
static int seal(size_t size)
{
	if (syscall(SYS_mseal, page, size, 0UL) == 0 || errno == ENOSYS || errno == EPERM)
		return 0;
	return -errno;
}

static int tighten(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (mprotect(page, size, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	page->secure = true;
	return mprotect(page, size, PROT_READ) < 0 ? -errno : seal(size);
}

const struct latch *latch_page(bool secure)
{
	if (!page && page_new() < 0)
		return NULL;
	if (secure && !page->secure && tighten() < 0)
		return NULL;
	return page;
}
