/* break_in.h - a target that runs is told to stop: by break-ins, which it may lose (KD 1.5). A value: no I/O.
 *
 * What it does not see it must be sent again, so that one too many may come; that one stops it once more when it runs, where break-ins
 * stop: such a stop is stale. */
#ifndef BACKENDS_KD_BREAK_IN_H
#define BACKENDS_KD_BREAK_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KD_BREAK_IN_WORDS_MS = 10000, KD_BREAK_IN_PCS = 2 };

struct kd_break_in { /* all zero: nobody wants it to stop */
	bool wanted, sent;
	bool stale;                   /* one may still be pending */
	bool unheard;                 /* it was said that none is answered */
	uint64_t since;
	unsigned tries;               /* for the one that wants it */
	uint64_t pc[KD_BREAK_IN_PCS]; /* where they were seen to stop, the last first; 0: not yet */
};

bool kd_break_in_want(struct kd_break_in *k);                  /* false: it is wanted already, and there is hope */
unsigned kd_break_in_try(struct kd_break_in *k, uint64_t now); /* whoever wants it is served once more: so often by now */
bool kd_break_in_hopeless(struct kd_break_in *k, uint64_t now); /* it has been wanted for long: true once */
void kd_break_in_over(struct kd_break_in *k, bool booted);     /* it stands, and that is told */

bool kd_break_in_knows(const struct kd_break_in *k, uint64_t pc); /* break-ins stop there */
void kd_break_in_seen(struct kd_break_in *k, uint64_t pc);        /* one has stopped it there */
void kd_break_in_moved(struct kd_break_in *k, uint64_t by);       /* it booted, and its kernel is elsewhere */

#endif
