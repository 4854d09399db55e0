/* sites.h - the software breakpoints of a KD target: what a debugger wants, what the target has, what lies under them (KD 2.5, 7.2).
 * A value: no I/O.
 *
 * The target keeps a table of KD_BREAKPOINTS, and knows each by a handle. Debuggers take theirs out at each stop and put them in again, so
 * one that is not wanted stays there until somebody takes it out. What is dropped is remembered for a while: a processor may have trapped
 * there before. */
#ifndef BACKENDS_KD_SITES_H
#define BACKENDS_KD_SITES_H

#include "backends/kd/machine.h"
#include "base/buf.h"

enum { KD_SITES = 64, KD_TRAP_MAX = 4, KD_SITES_DROPPED = 8 };

enum kd_site_out { KD_OUT_NOT, KD_OUT_ASKED, KD_OUT_LOOK, KD_OUT_WRITTEN }; /* how far it is taken out: for whoever does so */

struct kd_site {
	bool used, wanted;
	uint64_t addr;
	uint32_t handle;            /* in the target's table; 0: not in its memory */
	uint8_t saved[KD_TRAP_MAX]; /* what is under it */
	enum kd_site_out out;
};

/* All zero: none, and the target's table may hold those of a dead debugger. */
struct kd_sites {
	struct kd_site site[KD_SITES];
	uint64_t dropped[KD_SITES_DROPPED]; /* the last ones */
	unsigned dropped_n;
	unsigned swept;                     /* so many handles of the table are known to be free, or ours */
};

unsigned kd_trap_size(enum kd_machine machine); /* of a breakpoint instruction, in bytes */
bool kd_is_trap(enum kd_machine machine, const uint8_t *bytes);

/* NULL: there is none there; there is no room for it. It is neither wanted nor in the target yet. */
struct kd_site *kd_sites_at(struct kd_sites *s, uint64_t addr);
struct kd_site *kd_sites_add(struct kd_sites *s, uint64_t addr, struct span saved);
void kd_sites_drop(struct kd_sites *s, struct kd_site *site);
bool kd_sites_dropped(const struct kd_sites *s, uint64_t addr); /* there was one, lately */

bool kd_sites_all_wanted(const struct kd_sites *s); /* the target's table has room for no other that is wanted */
/* One that nobody wants and that must go before another comes; NULL: there is room, or no such one. */
struct kd_site *kd_sites_idle(struct kd_sites *s);

/* Memory of n bytes at addr, as the target has it: what was read, without the breakpoints that are in it; one that is in it, NULL: none;
 * what was written there is what lies under those that come there again. */
void kd_sites_mask(const struct kd_sites *s, enum kd_machine machine, uint64_t addr, uint8_t *bytes, size_t n);
struct kd_site *kd_sites_within(struct kd_sites *s, enum kd_machine machine, uint64_t addr, size_t n);
void kd_sites_written(struct kd_sites *s, enum kd_machine machine, uint64_t addr, struct span bytes);

void kd_sites_unwant(struct kd_sites *s);
void kd_sites_reported(struct kd_sites *s, uint64_t pc, size_t n); /* a report has deleted those in the n bytes from pc (KD 2.5) */
void kd_sites_void(struct kd_sites *s);  /* the target booted: it has none, and its table is clean */
void kd_sites_doubt(struct kd_sites *s); /* what it has is not known: its table is to be swept, what is wanted goes in again */
uint32_t kd_sites_sweep(struct kd_sites *s); /* the next handle to be freed, for what is not ours; 0: that was all */

#endif
