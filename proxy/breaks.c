/* breaks.c - see breaks.h. */
#include "proxy/breaks.h"

#include <errno.h>

enum { WORDS = BREAKS_SLOTS / 64 };

static bool is_same(struct breakpoint a, struct breakpoint b)
{
	bool watches = a.type > 1;

	return a.type == b.type && a.addr == b.addr && (!watches || a.kind == b.kind);
}

/* Its place; .count: it is not there. */
static size_t place_of(const struct breaks *b, struct breakpoint bp)
{
	size_t i = 0;

	while (i < b->count && !is_same(b->at[i].bp, bp))
		i++;
	return i;
}

static struct owned_break *find(struct breaks *b, struct breakpoint bp)
{
	size_t i = place_of(b, bp);

	return i < b->count ? &b->at[i] : NULL;
}

static uint64_t bit_of(unsigned slot)
{
	return (uint64_t)1 << slot % 64;
}

static bool has_owner(const struct owned_break *o, unsigned slot)
{
	return slot < BREAKS_SLOTS && (o->owners[slot / 64] & bit_of(slot));
}

static bool is_orphan(const struct owned_break *o)
{
	uint64_t all = 0;

	for (size_t i = 0; i < WORDS; i++)
		all |= o->owners[i];
	return !all;
}

/* Takes an owner away, and counts the orphan it may leave: true if it does. */
static bool drop_owner(struct breaks *b, struct owned_break *o, unsigned slot)
{
	bool alone;

	o->owners[slot / 64] &= ~bit_of(slot);
	alone = is_orphan(o);
	b->orphans += alone;
	return alone;
}

int breaks_own(struct breaks *b, struct breakpoint bp, unsigned slot)
{
	struct owned_break *o;
	int fresh;

	if (bp.type >= BREAKS_TYPES || slot >= BREAKS_SLOTS)
		return -EINVAL;
	o = find(b, bp);
	fresh = !o;
	if (fresh && b->count == BREAKS_MAX)
		return -ENOSPC;
	if (fresh) {
		o = &b->at[b->count++];
		*o = (struct owned_break){ .bp = bp };
	} else {
		b->orphans -= is_orphan(o);
	}
	o->owners[slot / 64] |= bit_of(slot);
	return fresh;
}

int breaks_disown(struct breaks *b, struct breakpoint bp, unsigned slot)
{
	struct owned_break *o = find(b, bp);

	if (!o || !has_owner(o, slot))
		return -ENOENT;
	return drop_owner(b, o, slot);
}

void breaks_leave(struct breaks *b, unsigned slot)
{
	for (struct owned_break *o = b->at; o < b->at + b->count; o++)
		if (has_owner(o, slot))
			drop_owner(b, o, slot);
}

/* What goes is replaced by the last, so a row of orphans is found from the front at once, however many there are. */
bool breaks_orphan(const struct breaks *b, struct breakpoint *bp)
{
	const struct owned_break *o = b->at;

	if (!b->orphans)
		return false;
	while (!is_orphan(o))
		o++;
	*bp = o->bp;
	return true;
}

void breaks_gone(struct breaks *b, struct breakpoint bp)
{
	struct owned_break *o = find(b, bp);

	if (!o)
		return;
	b->orphans -= is_orphan(o);
	*o = b->at[--b->count];
}

void breaks_forget_all(struct breaks *b)
{
	b->count = b->orphans = 0;
}

size_t breaks_count(const struct breaks *b)
{
	return b->count;
}

size_t breaks_of(const struct breaks *b, unsigned slot)
{
	size_t n = 0;

	for (const struct owned_break *o = b->at; o < b->at + b->count; o++)
		n += has_owner(o, slot);
	return n;
}

bool breaks_owns(const struct breaks *b, struct breakpoint bp, unsigned slot)
{
	size_t i = place_of(b, bp);

	return i < b->count && has_owner(&b->at[i], slot);
}

struct breakpoint breaks_as_set(const struct breaks *b, struct breakpoint bp)
{
	size_t i = place_of(b, bp);

	return i < b->count ? b->at[i].bp : bp;
}
