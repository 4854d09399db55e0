/* fetch.h - a stretch of a target's memory that is read in pieces, and kept: what is asked for again is there. A value: no I/O.
 *
 * A piece is a packet's worth where all of it is there; once one fails it goes page by page, so that a hole is what fails and nothing
 * before it. */
#ifndef BACKENDS_KD_FETCH_H
#define BACKENDS_KD_FETCH_H

#include "base/buf.h"

struct kd_fetch {
	uint64_t addr;
	size_t want;
	bool physical, ended; /* ended: no more is to be had */
	bool narrow;          /* page by page */
	struct buf bytes;     /* what has been read, from addr on; made, and ended, by whoever has the fetch: its room is the most */
};

bool kd_fetch_begin(struct kd_fetch *f, uint64_t addr, size_t n, bool physical); /* false: that is what is read already, or was */
bool kd_fetch_over(const struct kd_fetch *f); /* .bytes is all that is there of it */
void kd_fetch_forget(struct kd_fetch *f);     /* what is begun next is read anew */
uint64_t kd_fetch_at(const struct kd_fetch *f);              /* where the next piece is */
size_t kd_fetch_size(const struct kd_fetch *f, size_t most); /* of the next piece; most: what a packet holds */

/* What came of the next piece, of which so many bytes were asked for. good: no error. *most falls to what the target's packets hold. */
void kd_fetch_take(struct kd_fetch *f, struct span got, bool good, size_t asked, size_t *most);

#endif
