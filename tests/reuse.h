/* reuse.h - big blocks of memory are used again, in a test that makes and ends the same thing thousands of times: for most of
 * that time the sanitizer would have the kernel make pages and take them away. Linked with --wrap=malloc,--wrap=calloc,--wrap=free.
 *
 * Nothing is overlooked for it: a block keeps its size, so that its ends are guarded, and is poisoned from its free to its next
 * use, which is not before reuse_begin. One that is lost is not known here either, so that it is found at the end. */
#ifndef TESTS_REUSE_H
#define TESTS_REUSE_H

void reuse_begin(void); /* nothing points to what was freed until now */

#endif
