/* decode.h - kdgate decode FILE: a capture, packet by packet, in words. */
#ifndef PROXY_DECODE_H
#define PROXY_DECODE_H

#include <stddef.h>
#include <stdio.h>

int decode_file(const char *file, FILE *to, char *why, size_t why_size); /* 0; -errno with why */

#endif
