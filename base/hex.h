/* hex.h - bytes as hexadecimal text and back. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

int hex_value(uint8_t c);                                 /* 0 to 15; -1: not a hex digit */
int hex_put(struct buf *out, struct span bytes) MUST_USE; /* two lower-case digits a byte; 0, -ENOBUFS */
int hex_take(struct buf *out, struct span text) MUST_USE; /* 0, -EBADMSG odd or not hex, -ENOBUFS */

/* The same within one array: the bytes come to stand at its start. How many, or -EBADMSG. */
long hex_decode_in_place(uint8_t *text, size_t len) MUST_USE;

/* A number of 1 to max_digits hex digits, leading zeros included. Sets .bad when there is none or too many. */
uint64_t hex_number(struct cursor *c, unsigned max_digits);

#endif
