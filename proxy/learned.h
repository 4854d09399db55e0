/* learned.h - the smallest policy for a recorded session: kdgate explain --recording FILE; and where --learn writes. */
#ifndef PROXY_LEARNED_H
#define PROXY_LEARNED_H

#include "filters/learn.h"

#include <stdio.h>

#define LEARNED_NAME "learned" /* of the policy */

/* All client conversations of a recording (of another capture: all conversations). Who controlled and what was denied is not
 * in a file: a resume counts as run, and what was asked as allowed. 0; -errno with why, -ENODATA: there is no packet in it. */
int learned_from_file(const char *file, FILE *to, char *why, size_t why_size) MUST_USE;

/* Opened (and emptied) at the start, written at the end: before the program is confined. "-": standard output. 0; -errno
 * with why. */
int learned_open(FILE **to, const char *file, char *why, size_t why_size) MUST_USE;
int learned_write(const struct learn *l, FILE *to) MUST_USE; /* 0; -errno: not all was written */
void learned_close(FILE *to);                                /* not standard output; NULL is fine */

#endif
