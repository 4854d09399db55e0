/* decode.h - kdgate decode FILE: a capture, packet by packet, in words.
 *
 *	   0.001500 #1 > m1000,40  (mem.read)               seconds since the first conversation of the file; which one it is;
 *	   0.002250 #1 < 0011223344556677...  (64 bytes)    > the debugger says, < the stub, = about the conversation */
#ifndef PROXY_DECODE_H
#define PROXY_DECODE_H

#include <stddef.h>
#include <stdio.h>

/* 0; -errno with why: what was read until then is printed. -ENODATA: nothing in it is RSP over TCP. */
int decode_file(const char *file, FILE *to, char *why, size_t why_size);
int decode_stream(FILE *f, const char *name, FILE *to, char *why, size_t why_size); /* the same; takes f in any case */

#endif
