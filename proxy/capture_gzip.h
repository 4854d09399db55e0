/* capture_gzip.h - a gzip file read as what is in it. The only door to zlib. For proxy/capture.c alone. */
#ifndef PROXY_CAPTURE_GZIP_H
#define PROXY_CAPTURE_GZIP_H

#include <stdio.h>

/* What is read from *out is unpacked from f as it is needed; bytes that are damaged end it with an error (EBADMSG). Takes f if it
 * answers 0, and closes it with *out. 0, -ENOMEM. */
int capture_gzip_open(FILE **out, FILE *f);

enum { CAPTURE_GZIP_FIRST = 0x1f }; /* the first byte of every gzip file, and of no capture */

#endif
