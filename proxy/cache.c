/* cache.c - see cache.h. Pages in no order, each with a bit for every byte that is known. */
#include "proxy/cache.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 64, WORDS = CACHE_PAGE / WORD };

struct page {
	uint64_t space, addr; /* addr: of its first byte */
	uint64_t used;        /* when; by cache.uses */
	uint64_t known[WORDS];
	uint8_t bytes[CACHE_PAGE];
};

struct cache {
	uint64_t uses;
	size_t pages_n;
	struct page pages[CACHE_PAGES];
};

struct cache *cache_new(void)
{
	return calloc(1, sizeof(struct cache));
}

void cache_destroy(struct cache *c)
{
	free(c);
}

void cache_drop(struct cache *c)
{
	c->pages_n = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static size_t offset(uint64_t addr)
{
	return (size_t)(addr % CACHE_PAGE);
}

static uint64_t to_page_end(uint64_t addr)
{
	return CACHE_PAGE - offset(addr);
}

/* How many addresses there are from addr on; the last of all is never followed by one. */
static uint64_t to_last(uint64_t addr, uint64_t len)
{
	return len && addr + (len - 1) < addr ? UINT64_MAX - addr + 1 : len;
}

static struct page *page_of(struct cache *c, uint64_t space, uint64_t addr)
{
	for (struct page *p = c->pages; p < c->pages + c->pages_n; p++)
		if (p->addr == addr - offset(addr) && p->space == space)
			return p;
	return NULL;
}

static struct page *oldest(struct cache *c)
{
	struct page *best = c->pages;

	for (struct page *p = c->pages; p < c->pages + c->pages_n; p++)
		best = p->used < best->used ? p : best;
	return best;
}

static struct page *make_page(struct cache *c, uint64_t space, uint64_t addr)
{
	struct page *p = page_of(c, space, addr);

	if (p)
		return p;
	p = c->pages_n < CACHE_PAGES ? &c->pages[c->pages_n++] : oldest(c);
	p->space = space;
	p->addr = addr - offset(addr);
	memset(p->known, 0, sizeof p->known);
	return p;
}

static void mark(struct page *p, size_t at, size_t n, bool known)
{
	while (n) {
		size_t bit = at % WORD, k = n < WORD - bit ? n : WORD - bit;
		uint64_t mask = (k == WORD ? UINT64_MAX : (UINT64_C(1) << k) - 1) << bit;

		p->known[at / WORD] = known ? p->known[at / WORD] | mask : p->known[at / WORD] & ~mask;
		at += k;
		n -= k;
	}
}

/* How many bytes from at on are all known, or all not, at most n; at + n is within the page. */
static size_t run(const struct page *p, size_t at, size_t n, bool known)
{
	size_t end = at + n, i = at;

	while (i < end) {
		uint64_t same = (known ? p->known[i / WORD] : ~p->known[i / WORD]) >> i % WORD;
		size_t k = same == UINT64_MAX ? WORD : (size_t)__builtin_ctzll(~same);

		i += k;
		if (k < WORD - (i - k) % WORD)
			break;
	}
	return i < end ? i - at : n;
}

static bool is_known(const struct page *p, size_t at)
{
	return p->known[at / WORD] >> at % WORD & 1;
}

void cache_forget(struct cache *c, uint64_t addr, uint64_t len)
{
	if (to_last(addr, len) < len) {
		cache_drop(c);
		return;
	}
	for (struct page *p = c->pages; len && p < c->pages + c->pages_n; p++) {
		uint64_t first = addr > p->addr ? addr : p->addr, last = least(addr + (len - 1), p->addr + (CACHE_PAGE - 1));

		if (first <= last)
			mark(p, offset(first), (size_t)(last - first) + 1, false);
	}
}

void cache_put(struct cache *c, uint64_t space, uint64_t addr, struct span bytes)
{
	size_t left = (size_t)to_last(addr, bytes.len);

	while (left) {
		size_t n = (size_t)least(left, to_page_end(addr));
		struct page *p = make_page(c, space, addr);

		memcpy(p->bytes + offset(addr), bytes.p, n);
		mark(p, offset(addr), n, true);
		p->used = ++c->uses;
		bytes = span_from(bytes, n);
		addr += n;
		left -= n;
	}
}

struct span cache_get(struct cache *c, uint64_t space, uint64_t addr, uint64_t len)
{
	struct page *p = page_of(c, space, addr);
	size_t at = offset(addr);

	if (!p)
		return (struct span){ 0 };
	p->used = ++c->uses;
	return (struct span){ p->bytes + at, run(p, at, (size_t)least(len, to_page_end(addr)), true) };
}

/* The first that is not known of len bytes from addr on; len: there is none. */
static size_t first_unknown(struct cache *c, uint64_t space, uint64_t addr, size_t len)
{
	size_t at = 0, n;

	do {
		n = cache_get(c, space, addr + at, len - at).len;
		at += n;
	} while (n && at < len);
	return at;
}

/* One behind the last that is not known. */
static size_t end_of_unknown(struct cache *c, uint64_t space, uint64_t addr, size_t len)
{
	for (struct page *p = NULL; len; len--) {
		if (!p || p->addr != addr + (len - 1) - offset(addr + (len - 1)))
			p = page_of(c, space, addr + (len - 1));
		if (!p || !is_known(p, offset(addr + (len - 1))))
			break;
	}
	return len;
}

size_t cache_before(struct cache *c, uint64_t space, uint64_t addr)
{
	const struct page *p = page_of(c, space, addr);
	size_t at = offset(addr), n = 0;

	while (p && n < at && is_known(p, at - n - 1))
		n++;
	return n;
}

/* What of room bytes from addr on, in one page, is not known. */
static uint64_t unknown_ahead(struct cache *c, uint64_t space, uint64_t addr, uint64_t room)
{
	const struct page *p = page_of(c, space, addr);

	return p && room ? run(p, offset(addr), (size_t)room, false) : room;
}

/* Who reads on and on is given more and more: as much again as it has got so far. */
static size_t ahead(struct cache *c, uint64_t space, const struct cache_gap *gap, uint64_t allowed, size_t most)
{
	size_t before = cache_before(c, space, gap->from);
	uint64_t room = to_page_end(gap->from);

	if (gap->need >= most || gap->need >= room)
		return 0;
	room = least(least(room - gap->need, allowed), most - gap->need);
	room = least(room, before > gap->need ? before : gap->need);
	return (size_t)unknown_ahead(c, space, gap->from + gap->need, room);
}

bool cache_want(struct cache *c, uint64_t space, uint64_t addr, size_t len, uint64_t may, size_t most, struct cache_gap *gap)
{
	size_t first, end;

	len = (size_t)to_last(addr, len);
	first = first_unknown(c, space, addr, len);
	if (first == len)
		return false;
	end = end_of_unknown(c, space, addr, len);
	*gap = (struct cache_gap){ .from = addr + first, .need = end - first };
	gap->n = gap->need + (end == len && may > len ? ahead(c, space, gap, may - len, most) : 0);
	return true;
}
