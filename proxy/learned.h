/* learned.h - the smallest policy for a recorded session: kdgate explain --recording FILE; and where --learn writes. */
#ifndef PROXY_LEARNED_H
#define PROXY_LEARNED_H

#include "filters/learn.h"

#include <stdio.h>

/* All client conversations of a recording (of another capture: all conversations). 0; -errno with why. */
int learned_from_file(const char *file, FILE *to, char *why, size_t why_size);

/* Opened at the start, written at the end: before the program is confined. "-": standard output. 0; -errno with why. */
int learned_open(FILE **to, const char *file, char *why, size_t why_size);
int learned_write(const struct learn *l, FILE *to); /* 0; -errno: not all was written */

#endif
