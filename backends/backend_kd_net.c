/* backend_kd_net.c - what KDNET has that a serial line has not: sessions that begin, and packets that are datagrams. */
#include "backends/backend_kd_parts.h"

enum { AWAIT_MS = 20000 /* six pokes */, LISTEN_MS = 50, LISTEN_MOST_MS = 300 /* a target that has something to say, says it again */,
       MUTE_MS = 2000 /* one that boots says so */, LOOKS_MAX = 8 };

/* It dials us; until then there is nothing to say, and nobody to say it to. */
int backend_kd_await(struct backend_kd *b, uint64_t now)
{
	if (b->deadline) {
		b->why = link_why(b->line.link);
		return backend_kd_fails(b, b->why ? b->why : "the target has not asked for a debugger");
	}
	b->deadline = now + AWAIT_MS;
	return 1;
}

/* A target that stands answers a RESEND at once. What came too soon would stop it once more when it runs. */
static uint64_t listens(const struct backend_kd *b)
{
	uint64_t ms = LISTEN_MS + 4 * link_trip(b->line.link);

	return ms < LISTEN_MOST_MS ? ms : LISTEN_MOST_MS;
}

/* As WinDbg: a RESEND for one that has something to say; after a while a break-in for one that runs. */
int backend_kd_join(struct backend_kd *b, uint64_t now)
{
	kd_wire_restart(&b->line.wire);
	kd_wire_ask(&b->line.wire);
	buf_reset(&b->line.out, 0);
	b->meet.unsynced = b->meet.joined = true;
	b->meet.heard = b->restarted = true;
	backend_kd_void_request(b);
	if (b->state == BACKEND_KD_KNOCK) {
		b->meet.knocks = 1;
		b->deadline = now + listens(b);
	}
	if (b->state == BACKEND_KD_RUN && !b->break_in.wanted) {
		b->meet.knocks = 0;
		b->deadline = now + MUTE_MS;
	}
	return BACKEND_MOVED;
}

/* Nobody would know that its breakpoints are gone; or it stands, and what it said of that was lost. As a knock, but that the stop is passed
 * if it has not booted. */
int backend_kd_looks_in(struct backend_kd *b, uint64_t now)
{
	if (b->meet.knocks >= LOOKS_MAX) {
		b->deadline = NEVER;
		return 0;
	}
	b->deadline = now + BACKEND_KD_KNOCK_MS;
	if (b->meet.knocks++ % 2 == 0) {
		kd_wire_reset(&b->line.wire);
		return 1;
	}
	b->break_in.stale = true;
	kd_wire_break_in(&b->line.wire);
	return 1;
}

/* Its client hears of it, who waits for a stop; and the log, where there is no client. */
bool backend_kd_remark(struct backend_kd *b)
{
	const char *words = b->meet.joined ? link_why(b->line.link) : NULL;

	if (words == b->meet.remark)
		return false;
	b->meet.remark = words;
	if (words)
		guard_note(&b->guard, GUARD_SILENT, "%s", words);
	backend_kd_print(b, "kdgate: %s\n", words ? words : "the target is heard again");
	return true;
}

/* A target that was not restarted goes on counting our packets from the session before: a RESET tells it where they begin. It says once
 * more then how it stands. */
bool backend_kd_syncs(struct backend_kd *b)
{
	bool was = b->meet.unsynced;

	if (was)
		kd_wire_reset(&b->line.wire);
	b->meet.unsynced = false;
	return was;
}

bool backend_kd_is_net(const struct backend_kd *b)
{
	return b->line.wire.dialect == KD_WIRE_NET;
}
