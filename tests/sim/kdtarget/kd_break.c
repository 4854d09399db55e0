/* kd_break.c - memory as the host sees it, and the table of breakpoints in it (KD 7.2). */
#include "tests/sim/kdtarget/target.h"

static struct kd_break *find(struct target *k, uint64_t addr)
{
	for (size_t i = 0; i < KD_BREAKPOINTS; i++)
		if (k->breaks[i].used && k->breaks[i].addr == addr)
			return &k->breaks[i];
	return NULL;
}

unsigned break_add(struct target *k, uint64_t addr)
{
	static const uint8_t int3 = 0xcc;
	unsigned i = 0;

	while (i < KD_BREAKPOINTS && k->breaks[i].used)
		i++;
	if (i == KD_BREAKPOINTS || find(k, addr))
		return 0;
	if (guest_read(k->guest, addr, &k->breaks[i].saved, 1) != 1 || guest_write(k->guest, addr, &int3, 1) != 1)
		return 0;
	k->breaks[i].addr = addr;
	k->breaks[i].used = true;
	return i + 1;
}

/* The saved byte goes back only where the int3 still is. */
static void take_out(struct target *k, struct kd_break *b)
{
	uint8_t now;

	if (guest_read(k->guest, b->addr, &now, 1) == 1 && now == 0xcc && guest_write(k->guest, b->addr, &b->saved, 1) != 1)
		note(k, "a breakpoint stays in memory");
	b->used = is(k, QUIRK_RESTORE_KEEPS);
}

bool break_remove(struct target *k, unsigned handle)
{
	if (handle < 1 || handle > KD_BREAKPOINTS || !k->breaks[handle - 1].used)
		return false;
	take_out(k, &k->breaks[handle - 1]);
	return true;
}

void break_remove_near(struct target *k, uint64_t pc, size_t n)
{
	for (size_t i = 0; i < KD_BREAKPOINTS; i++) {
		if (!k->breaks[i].used || k->breaks[i].addr < pc || k->breaks[i].addr >= pc + n)
			continue;
		take_out(k, &k->breaks[i]);
		k->breaks[i].used = false;
		note(k, "breakpoint %zu is deleted: it is near PC", i + 1);
	}
}

static bool covers(const struct kd_break *b, uint64_t addr, size_t n)
{
	return b->used && b->addr >= addr && b->addr - addr < n;
}

size_t memory_read(struct target *k, uint64_t addr, uint8_t *to, size_t n)
{
	size_t got = guest_read(k->guest, addr, to, n);

	for (size_t i = 0; is(k, QUIRK_HIDE_INT3) && i < KD_BREAKPOINTS; i++)
		if (covers(&k->breaks[i], addr, got) && to[k->breaks[i].addr - addr] == 0xcc)
			to[k->breaks[i].addr - addr] = k->breaks[i].saved;
	return got;
}

/* A target that hides its int3 keeps it under what is written over it. */
static void keep_hidden(struct target *k, uint64_t addr, const uint8_t *from, size_t n)
{
	static const uint8_t int3 = 0xcc;

	for (size_t i = 0; i < KD_BREAKPOINTS; i++) {
		struct kd_break *b = &k->breaks[i];

		if (!covers(b, addr, n))
			continue;
		b->saved = from[b->addr - addr];
		if (guest_write(k->guest, b->addr, &int3, 1) != 1)
			b->used = false;
	}
}

size_t memory_write(struct target *k, uint64_t addr, const uint8_t *from, size_t n)
{
	size_t done = guest_write(k->guest, addr, from, n);

	if (is(k, QUIRK_HIDE_INT3))
		keep_hidden(k, addr, from, done);
	return done;
}

uint64_t memory_pointer(struct target *k, uint64_t addr)
{
	uint8_t p[8] = { 0 };
	size_t n = wide(k) ? 8 : 4;

	return guest_read(k->guest, addr, p, n) == n ? get64(p) : 0;
}
