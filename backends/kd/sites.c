/* sites.c - see sites.h. */
#include "backends/kd/sites.h"

#include "backends/kd/api.h"

#include <string.h>

unsigned kd_trap_size(enum kd_machine machine)
{
	return machine == KD_ARM64 ? 4 : 1;
}

bool kd_is_trap(enum kd_machine machine, const uint8_t *bytes)
{
	static const uint8_t brk[] = { 0x00, 0x00, 0x3e, 0xd4 };

	return machine == KD_ARM64 ? memcmp(bytes, brk, sizeof brk) == 0 : *bytes == 0xcc;
}

/* ---- one ---- */

struct kd_site *kd_sites_at(struct kd_sites *s, uint64_t addr)
{
	for (size_t i = 0; i < KD_SITES; i++)
		if (s->site[i].used && s->site[i].addr == addr)
			return &s->site[i];
	return NULL;
}

static struct kd_site *unused(struct kd_sites *s)
{
	for (size_t i = 0; i < KD_SITES; i++)
		if (!s->site[i].used)
			return &s->site[i];
	return NULL;
}

struct kd_site *kd_sites_add(struct kd_sites *s, uint64_t addr, struct span saved)
{
	struct kd_site *site = unused(s);

	if (!site)
		return NULL;
	*site = (struct kd_site){ .used = true, .addr = addr };
	memcpy(site->saved, saved.p, saved.len < KD_TRAP_MAX ? saved.len : KD_TRAP_MAX);
	return site;
}

void kd_sites_drop(struct kd_sites *s, struct kd_site *site)
{
	s->dropped[s->dropped_n++ % KD_SITES_DROPPED] = site->addr;
	*site = (struct kd_site){ 0 };
}

bool kd_sites_dropped(const struct kd_sites *s, uint64_t addr)
{
	for (unsigned i = 0; i < s->dropped_n && i < KD_SITES_DROPPED; i++)
		if (s->dropped[i] == addr)
			return true;
	return false;
}

/* ---- room ---- */

bool kd_sites_all_wanted(const struct kd_sites *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < KD_SITES; i++)
		n += s->site[i].used && s->site[i].wanted;
	return n == KD_BREAKPOINTS;
}

struct kd_site *kd_sites_idle(struct kd_sites *s)
{
	struct kd_site *idle = NULL;
	unsigned planted = 0;

	for (size_t i = 0; i < KD_SITES; i++) {
		planted += s->site[i].used && s->site[i].handle;
		if (s->site[i].used && !s->site[i].wanted)
			idle = &s->site[i];
	}
	return planted < KD_BREAKPOINTS && unused(s) ? NULL : idle;
}

/* ---- memory ---- */

static bool is_in(const struct kd_site *site)
{
	return site->used && site->handle;
}

void kd_sites_mask(const struct kd_sites *s, enum kd_machine machine, uint64_t addr, uint8_t *bytes, size_t n)
{
	for (const struct kd_site *site = s->site; site < s->site + KD_SITES; site++)
		for (unsigned k = 0; is_in(site) && k < kd_trap_size(machine); k++)
			if (site->addr + k - addr < n)
				bytes[site->addr + k - addr] = site->saved[k];
}

struct kd_site *kd_sites_within(struct kd_sites *s, enum kd_machine machine, uint64_t addr, size_t n)
{
	for (struct kd_site *site = s->site; n && site < s->site + KD_SITES; site++)
		if (is_in(site) && (site->addr - addr < n || addr - site->addr < kd_trap_size(machine)))
			return site;
	return NULL;
}

void kd_sites_written(struct kd_sites *s, enum kd_machine machine, uint64_t addr, struct span bytes)
{
	for (struct kd_site *site = s->site; site < s->site + KD_SITES; site++)
		for (unsigned k = 0; site->used && k < kd_trap_size(machine); k++)
			if (site->addr + k - addr < bytes.len)
				site->saved[k] = bytes.p[site->addr + k - addr];
}

/* ---- all ---- */

void kd_sites_unwant(struct kd_sites *s)
{
	for (size_t i = 0; i < KD_SITES; i++)
		s->site[i].wanted = false;
}

void kd_sites_reported(struct kd_sites *s, uint64_t pc, size_t n)
{
	for (size_t i = 0; i < KD_SITES; i++)
		if (s->site[i].used && s->site[i].addr - pc < n)
			s->site[i].handle = 0;
}

void kd_sites_void(struct kd_sites *s)
{
	memset(s, 0, sizeof *s);
	s->swept = KD_BREAKPOINTS;
}

void kd_sites_doubt(struct kd_sites *s)
{
	for (size_t i = 0; i < KD_SITES; i++)
		s->site[i].handle = 0;
	s->swept = 0;
}

uint32_t kd_sites_sweep(struct kd_sites *s)
{
	return s->swept < KD_BREAKPOINTS ? ++s->swept : 0;
}
