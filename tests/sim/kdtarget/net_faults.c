/* net_faults.c - see net_faults.h. */
#include "tests/sim/kdtarget/net_faults.h"

/* xorshift64*: the same seed, the same network. */
static bool happens(struct faults *f, unsigned percent)
{
	f->seed ^= f->seed >> 12;
	f->seed ^= f->seed << 25;
	f->seed ^= f->seed >> 27;
	return (f->seed * UINT64_C(0x2545f4914f6cdd1d) >> 33) % 100 < percent;
}

static bool loses(struct faults *f)
{
	bool lost = happens(f, f->loss) && f->lost_on_end < FAULTS_LOST_ON_END;

	f->lost_on_end = lost ? f->lost_on_end + 1 : 0;
	f->lost += lost;
	return lost;
}

static bool holds(struct faults *f, const struct datagram *d, uint64_t now)
{
	if (!happens(f, f->reorder) || f->held.n)
		return false;
	f->held = *d;
	f->held_until = now + FAULTS_LATE_MS;
	f->late++;
	return true;
}

static void release(struct faults *f, const struct passage *on)
{
	if (f->held.n)
		on->pass(on->to, &f->held);
	f->held.n = 0;
}

void faults_pass(struct faults *f, const struct datagram *d, uint64_t now, const struct passage *on)
{
	if (loses(f) || holds(f, d, now))
		return;
	on->pass(on->to, d);
	if (happens(f, f->dup)) {
		f->doubled++;
		on->pass(on->to, d);
	}
	release(f, on);
}

void faults_tick(struct faults *f, uint64_t now, const struct passage *on)
{
	if (f->held.n && now >= f->held_until)
		release(f, on);
}
