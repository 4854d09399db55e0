/* cache_model.h - what the cache of proxy/cache.h is to know, byte by byte, for few addresses: round the first page's end, and
 * round the last address. It never throws anything out, so the cache may know less where it had no room. */
#ifndef TESTS_CACHE_MODEL_H
#define TESTS_CACHE_MODEL_H

#include "proxy/cache.h"

#include <string.h>

enum { MODEL_BYTES = 3 * CACHE_PAGE, MODEL_SPACES = 2 };

struct cache_model {
	struct {
		uint8_t bytes[MODEL_BYTES];
		bool known[MODEL_BYTES];
	} of[MODEL_SPACES];
};

/* Half of the places are at the beginning, half at the end of all addresses. */
static inline uint64_t model_addr(size_t at)
{
	return at < MODEL_BYTES / 2 ? at : UINT64_MAX - (MODEL_BYTES - 1 - at);
}

/* Of n bytes from there on, those that the model can hold; past the last address there are none. */
static inline size_t model_clip(size_t at, size_t n)
{
	return at < MODEL_BYTES / 2 && n > MODEL_BYTES / 2 - at ? MODEL_BYTES / 2 - at : n;
}

static inline bool model_has(uint64_t addr, size_t *at)
{
	*at = addr < MODEL_BYTES / 2 ? (size_t)addr : (size_t)(MODEL_BYTES - 1 - (UINT64_MAX - addr));
	return addr < MODEL_BYTES / 2 || UINT64_MAX - addr < MODEL_BYTES / 2;
}

static inline void model_put(struct cache_model *m, size_t space, uint64_t addr, const uint8_t *bytes, size_t n)
{
	size_t at;

	for (size_t i = 0; i < n && addr + i >= addr; i++)
		if (model_has(addr + i, &at)) {
			m->of[space].bytes[at] = bytes[i];
			m->of[space].known[at] = true;
		}
}

static inline void model_forget(struct cache_model *m, uint64_t addr, uint64_t len)
{
	bool wraps = len && addr + (len - 1) < addr;

	for (size_t space = 0; space < MODEL_SPACES; space++)
		for (size_t at = 0; at < MODEL_BYTES; at++)
			if (wraps || model_addr(at) - addr < len)
				m->of[space].known[at] = false;
}

static inline bool model_knows(const struct cache_model *m, size_t space, uint64_t addr)
{
	size_t at;

	return model_has(addr, &at) && m->of[space].known[at];
}

static inline uint8_t model_byte(const struct cache_model *m, size_t space, uint64_t addr)
{
	size_t at;

	return model_has(addr, &at) ? m->of[space].bytes[at] : 0;
}

/* What get says is what the model says, and ends where that ends or a page does. */
static inline bool model_get_agrees(const struct cache_model *m, struct cache *c, size_t space, uint64_t addr, uint64_t len)
{
	uint64_t most = CACHE_PAGE - addr % CACHE_PAGE < len ? CACHE_PAGE - addr % CACHE_PAGE : len;
	struct span got = cache_get(c, space, addr, len);

	for (size_t i = 0; i < got.len; i++)
		if (!model_knows(m, space, addr + i) || got.p[i] != model_byte(m, space, addr + i))
			return false;
	return got.len <= most && (got.len == most || !model_knows(m, space, addr + got.len));
}

/* The first and the last that are not known of len bytes at addr. false: there is none. */
static inline bool model_unknown(const struct cache_model *m, size_t space, uint64_t addr, size_t len, uint64_t *first, uint64_t *last)
{
	bool any = false;

	for (size_t i = 0; i < len && addr + i >= addr; i++)
		if (!model_knows(m, space, addr + i)) {
			*first = any ? *first : addr + i;
			*last = addr + i;
			any = true;
		}
	return any;
}

/* What want says: all that is not known of the read, and ahead of it no more than may be. */
static inline bool model_want_agrees(const struct cache_model *m, struct cache *c, size_t space, uint64_t addr, size_t len, uint64_t may, size_t most)
{
	uint64_t first = 0, last = 0, page_end;
	struct cache_gap gap;
	size_t ahead;

	if (cache_want(c, space, addr, len, may, most, &gap) != model_unknown(m, space, addr, len, &first, &last))
		return false;
	if (!model_unknown(m, space, addr, len, &first, &last))
		return true;
	if (gap.from != first || gap.need != last - first + 1 || gap.n < gap.need)
		return false;
	ahead = gap.n - gap.need;
	page_end = first | (CACHE_PAGE - 1);
	for (size_t i = 0; i < ahead; i++)
		if (model_knows(m, space, last + 1 + i))
			return false;
	return !ahead || (gap.n <= most && last + ahead <= page_end && last + ahead >= last && last - addr + ahead < may && last - addr == len - 1);
}

#endif
