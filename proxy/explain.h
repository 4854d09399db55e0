/* explain.h - kdgate explain: which rule decides on a packet, effect by effect, and why. */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

#include "filters/latch.h"

#include <stdio.h>

enum { EXPLAIN_PACKET = 65536 };

/* Each as on the wire, with or without its frame; "monitor TEXT"; "ctrl-c". 0: all allowed; 1: one is denied, or is none;
 * -ENOMEM. latch NULL: not secure. */
int explain_packets(const struct policy *p, const struct latch *latch, char *const *packets, size_t n, FILE *to) MUST_USE;

#endif
