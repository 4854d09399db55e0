/* backend_rsp_meet.c - a stub is met, question by question, and left to run on without us. */
#include "backends/backend_rsp_parts.h"

#include "backends/link/link.h"

enum {
	HELLO_MS = 5000,      /* for one answer */
	HELLO_ALL_MS = 20000, /* for all of them */
	LEAVE_MS = 1000,
	HALT_MS = 200,        /* one that stands says nothing to it */
	NUDGE_MS = 5,
	NUDGES = 800,         /* twice what was asked until then, all told: others may have asked before */
	QUIET_MS = 500,       /* what does not come in that time comes no more */
};

static int met(struct backend_rsp *b, struct backend_news *news)
{
	static const unsigned passed_on = RSP_CAN_SWBREAK | RSP_CAN_HWBREAK | RSP_CAN_REVERSE_STEP | RSP_CAN_REVERSE_CONTINUE | RSP_CAN_LIBRARIES |
	                                  RSP_CAN_LIBRARIES_SVR4 | RSP_CAN_THREADS | RSP_CAN_EXEC_FILE | RSP_CAN_AUXV | RSP_CAN_SIGINFO;

	b->info.can = RSP_CAN_VCONT | (b->stub.features.can & passed_on);
	if (b->stub.described) {
		b->info.can |= RSP_CAN_TDESC;
		b->info.tdesc = &b->stub.tdesc;
	}
	if (b->stub.map.len) {
		b->info.can |= RSP_CAN_MEMORY_MAP;
		b->info.memory_map = buf_span(&b->stub.map);
	}
	b->info.was_running = b->hello.ran;
	b->info.read_max = stub_read_max(&b->stub);
	b->info.one_memory = b->stub.kgdb;
	b->stop = b->hello.stop;
	news->stop = b->stop;
	return backend_rsp_enter(b, BACKEND_RSP_IDLE, BACKEND_STOPPED);
}

int backend_rsp_say_halt(struct backend_rsp *b, uint64_t now)
{
	enum { BREAK_IN = 3 };

	wire_byte(&b->wire, BREAK_IN);
	b->tries = 0;
	b->deadline = now + HALT_MS;
	if (b->deaf)
		b->hello_by = now + HELLO_ALL_MS;
	return backend_rsp_enter(b, BACKEND_RSP_HALTING, BACKEND_NONE);
}

/* gdbserver takes one byte off its line each time that something comes while its program runs. The questions that it did not hear are
 * in front of the break-in there: a byte that means nothing, by itself, moves them on by one. */
static int nudge(struct backend_rsp *b, uint64_t now)
{
	if (now >= b->hello_by || b->tries == NUDGES)
		return backend_rsp_late(b, now);
	if (wire_idle(&b->wire)) {
		wire_nudge(&b->wire);
		b->tries++;
	}
	b->deadline = now + NUDGE_MS < b->hello_by ? now + NUDGE_MS : b->hello_by;
	return 0;
}

int backend_rsp_say_halting(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	return b->deaf ? nudge(b, now) : backend_rsp_enter(b, BACKEND_RSP_HELLO_ASK, BACKEND_MOVED);
}

static int settle(struct backend_rsp *b, uint64_t now)
{
	b->hello_by = now + HELLO_ALL_MS;
	return backend_rsp_enter(b, BACKEND_RSP_SETTLING, BACKEND_MOVED);
}

/* It is asked from the start, and nothing that was said before may pass for an answer. */
int backend_rsp_say_settling(struct backend_rsp *b, uint64_t now)
{
	if (b->received != b->wire.link->received)
		b->deadline = now + QUIET_MS < b->hello_by ? now + QUIET_MS : b->hello_by;
	b->received = b->wire.link->received;
	if (now < b->deadline)
		return 0;
	b->strays = b->hello.strays = b->hello.chatter = 0;
	return backend_rsp_enter(b, BACKEND_RSP_HELLO_ASK, BACKEND_MOVED);
}

int backend_rsp_say_hello(struct backend_rsp *b, uint64_t now)
{
	int rc = hello_request(&b->hello, &b->stub, wire_open(&b->wire));

	if (rc < 0 || (rc && wire_close(&b->wire) < 0))
		return backend_rsp_fails(b, "a request did not fit");
	if (!b->hello_by)
		b->hello_by = now + HELLO_ALL_MS;
	b->deadline = now + HELLO_MS < b->hello_by ? now + HELLO_MS : b->hello_by;
	return backend_rsp_enter(b, BACKEND_RSP_HELLO_WAIT, BACKEND_NONE);
}

/* A stub that has said nothing, and has taken what there is to take. */
int backend_rsp_say_hello_wait(struct backend_rsp *b, uint64_t now)
{
	bool first = b->hello.step == HELLO_SUPPORTED && !b->stub.kgdb && !b->deaf;

	if (now < b->deadline || !first || wire_midway(&b->wire))
		return backend_rsp_late(b, now);
	b->deaf = true;
	return backend_rsp_enter(b, BACKEND_RSP_HALT, BACKEND_MOVED);
}

/* What was said beside a packet that is no answer: of those there may be no end, and nothing else is said then. */
static int meanwhile(int said)
{
	return said < 0 ? said : BACKEND_MOVED;
}

/* Before the first question. */
int backend_rsp_hear_early(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;

	(void)news, (void)now;
	if (rsp_stop_parse(buf_span(body), &stop) < 0)
		return backend_rsp_stray(b, buf_span(body));
	hello_stray(&b->hello, &stop);
	return ++b->strays > BACKEND_RSP_STRAYS_MAX ? backend_rsp_fails(b, "it reports stops that nobody asked for") : BACKEND_MOVED;
}

/* A stop at once is the break-in's, whatever it says; later it may be a stub's that has just been switched on. */
static int hear_deaf(struct backend_rsp *b, struct buf *body, uint64_t now)
{
	bool first = !b->hello.strays && !b->tries;
	struct rsp_stop stop;

	if (hello_is_chatter(buf_span(body))) {
		backend_rsp_note(b, GUARD_UNASKED, "a packet that nobody asked for", buf_span(body));
		return meanwhile(b->state == BACKEND_RSP_HALT ? backend_rsp_say_halt(b, now) : backend_rsp_say_halting(b, now));
	}
	if (backend_rsp_is_stop(b, buf_span(body), &stop)) {
		hello_stray(&b->hello, &stop);
		b->hello.ran |= first;
	}
	return settle(b, now);
}

int backend_rsp_hear_settling(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;

	(void)news, (void)now;
	if (rsp_stop_parse(buf_span(body), &stop) == 0)
		hello_stray(&b->hello, &stop);
	return backend_rsp_pass_over(b);
}

int backend_rsp_hear_halting(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	int rc;

	if (b->deaf)
		return hear_deaf(b, body, now);
	rc = backend_rsp_hear_early(b, body, news, now);
	return rc < 0 ? rc : backend_rsp_enter(b, BACKEND_RSP_HELLO_ASK, (enum backend_event)rc);
}

int backend_rsp_hear_hello(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	enum hello_step step = b->hello.step;
	bool chatter = hello_is_chatter(buf_span(body));
	int rc = hello_answer(&b->hello, &b->stub, body);

	if (chatter)
		backend_rsp_note(b, GUARD_UNASKED, "a packet that nobody asked for", buf_span(body));
	if (b->hello.note)
		guard_note(&b->guard, GUARD_DOCUMENT, "%s", b->hello.note);
	b->hello.note = NULL;
	if (rc < 0) {
		b->why = b->hello.why;
		return rc;
	}
	if (rc == 0) {
		wire_still_due(&b->wire, now);
		return meanwhile(backend_rsp_say_hello_wait(b, now));
	}
	/* The answer itself was still acknowledged; nothing after it is. */
	if (step == HELLO_NO_ACK && (b->stub.features.can & RSP_CAN_NO_ACK))
		b->wire.no_ack = true;
	if (hello_over(&b->hello, &b->stub))
		return met(b, news);
	return backend_rsp_enter(b, BACKEND_RSP_HELLO_ASK, BACKEND_MOVED);
}

int backend_rsp_say_leave(struct backend_rsp *b, uint64_t now)
{
	int rc = backend_rsp_put(b, buf_put_text(wire_open(&b->wire), "D"));

	b->deadline = now + LEAVE_MS;
	return rc ? rc : backend_rsp_enter(b, BACKEND_RSP_LEAVE_WAIT, BACKEND_NONE);
}

/* A stub that cannot detach, or does not answer that, is told to go on. */
static int let_run(struct backend_rsp *b)
{
	if (buf_put_text(wire_open(&b->wire), b->stub.vcont_c ? "vCont;c" : "c") < 0 || wire_close(&b->wire) < 0)
		return -ESHUTDOWN;
	return backend_rsp_enter(b, BACKEND_RSP_GONE, BACKEND_MOVED);
}

int backend_rsp_say_leave_wait(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	b->deadline = now + LEAVE_MS;
	return let_run(b);
}

/* Some stubs go on only when our + has come; and QEMU forgets what a line that was closed still had for its guest. */
int backend_rsp_say_gone(struct backend_rsp *b, uint64_t now)
{
	return wire_heard(&b->wire) || now >= b->deadline ? -ESHUTDOWN : 0;
}

int backend_rsp_hear_leave(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	(void)news, (void)now;
	return span_is(buf_span(body), "OK") ? backend_rsp_enter(b, BACKEND_RSP_GONE, BACKEND_MOVED) : let_run(b);
}
