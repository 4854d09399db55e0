/* break_in.c - see break_in.h. */
#include "backends/kd/break_in.h"

bool kd_break_in_want(struct kd_break_in *k)
{
	if (k->wanted && !k->unheard)
		return false;
	k->wanted = true;
	k->sent = k->unheard = false;
	k->tries = 0;
	return true;
}

unsigned kd_break_in_try(struct kd_break_in *k, uint64_t now)
{
	if (!k->tries++)
		k->since = now;
	return k->tries;
}

bool kd_break_in_hopeless(struct kd_break_in *k, uint64_t now)
{
	if (k->unheard || now - k->since < KD_BREAK_IN_WORDS_MS)
		return false;
	k->unheard = true;
	return true;
}

void kd_break_in_over(struct kd_break_in *k, bool booted)
{
	k->stale = (booted && k->stale) || (k->wanted && k->sent);
	k->wanted = false;
}

bool kd_break_in_knows(const struct kd_break_in *k, uint64_t pc)
{
	for (size_t i = 0; i < KD_BREAK_IN_PCS; i++)
		if (k->pc[i] == pc)
			return true;
	return false;
}

void kd_break_in_seen(struct kd_break_in *k, uint64_t pc)
{
	if (kd_break_in_knows(k, pc))
		return;
	k->pc[1] = k->pc[0];
	k->pc[0] = pc;
}

void kd_break_in_moved(struct kd_break_in *k, uint64_t by)
{
	for (size_t i = 0; i < KD_BREAK_IN_PCS; i++)
		k->pc[i] += k->pc[i] ? by : 0;
}
