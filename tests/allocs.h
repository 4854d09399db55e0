/* allocs.h - the n-th allocation fails, and they are counted: for a program that is linked with --wrap=malloc,--wrap=calloc
 * (tests/tests.mk), which includes this once. */
#ifndef TESTS_ALLOCS_H
#define TESTS_ALLOCS_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);

static struct {
	unsigned long left; /* until one fails; 0: none does */
	unsigned long made;
	size_t bytes;
} allocs;

static bool alloc_fails(size_t n)
{
	allocs.made++;
	allocs.bytes += n;
	return allocs.left && --allocs.left == 0;
}

void *__wrap_malloc(size_t n)
{
	return alloc_fails(n) ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
	return alloc_fails(n * each) ? NULL : __real_calloc(n, each);
}

#endif
