/* cache.h - what was read of a stopped target's memory: it is not asked for again until the target has run. Pure.
 *
 * Byte by byte known or not, so that what was refused, or never asked for, is not there. Nothing here knows policy: whoever asks
 * says how far it may read. */
#ifndef PROXY_CACHE_H
#define PROXY_CACHE_H

#include "base/buf.h"

enum { CACHE_PAGE = 4096, CACHE_PAGES = 256 };

struct cache;

struct cache *cache_new(void); /* NULL: out of memory. All it will ever need is allocated here */
void cache_destroy(struct cache *c);

void cache_drop(struct cache *c);                                      /* it ran, or registers that decide on address spaces changed */
void cache_forget(struct cache *c, uint64_t addr, uint64_t len);       /* written to; wrap-around: all */
void cache_put(struct cache *c, uint64_t addr, struct span bytes);     /* the page that was used least recently makes room */

/* The bytes from addr on that are known, at most len, as they lie in the cache: at most to the end of a page. Borrowed until the
 * next put. Empty: the first is not known. */
struct span cache_get(struct cache *c, uint64_t addr, uint64_t len);

/* What to ask for so that addr..addr+len are known: from *from (the first that is not) *n bytes, at least one, never beyond the
 * page of *from unless len does, never beyond most bytes, and ahead of what was asked only as far as may (a count from addr: what
 * the client may read) and no byte that is known already. false: all is known. */
bool cache_want(const struct cache *c, uint64_t addr, uint64_t len, uint64_t may, size_t most, uint64_t *from, size_t *n);

struct cache_counts {
	uint64_t hits, misses; /* bytes served from it; bytes put into it */
};
struct cache_counts cache_counts(const struct cache *c);

#endif
