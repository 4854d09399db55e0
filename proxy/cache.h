/* cache.h - what was read of a stopped target's memory: it is not asked for again until the target has run. Pure.
 *
 * Byte by byte known or not, so that what was refused, or never asked for, is not there. Nothing here knows policy: whoever asks
 * says how far it may read. space: whose view of memory it is; one address may be different bytes in two of them. */
#ifndef PROXY_CACHE_H
#define PROXY_CACHE_H

#include "base/buf.h"

enum { CACHE_PAGE = 4096, CACHE_PAGES = 256 };

struct cache;

struct cache *cache_new(void); /* NULL: out of memory. All it will ever need is allocated here */
void cache_destroy(struct cache *c);

void cache_drop(struct cache *c);                                   /* all of it */
void cache_forget(struct cache *c, uint64_t addr, uint64_t len);    /* of every space; what wraps: all */
void cache_put(struct cache *c, uint64_t space, uint64_t addr, struct span bytes); /* not beyond the last address; the page used least recently makes room */

/* The bytes from addr on that are known, at most len, as they lie in the cache: at most to the end of a page. Borrowed until the
 * next put. Empty: the first is not known. */
struct span cache_get(struct cache *c, uint64_t space, uint64_t addr, uint64_t len);

/* How many bytes right before addr are known, within its page. */
size_t cache_before(struct cache *c, uint64_t space, uint64_t addr);

/* What to ask for so that addr..addr+len are known, len at least 1: one read of n bytes at from. need of them reach from the
 * first to the last that is not known. The rest is ahead: up to what is known or a page ends, below addr + may (what may be
 * read), and of a size that grows with what is known right before from, so that n is at most most where need is not. It
 * does not look beyond the last address. false: all is known. */
struct cache_gap {
	uint64_t from;
	size_t need, n;
};
bool cache_want(struct cache *c, uint64_t space, uint64_t addr, size_t len, uint64_t may, size_t most, struct cache_gap *gap) MUST_USE;

#endif
