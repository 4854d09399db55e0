/* backend_rsp.c - a target that speaks RSP itself: QEMU, gdbserver, a probe. See backend.h and rsp/ beside this file. What
 * each state says and hears: backend_rsp_parts.h names the files. */
#include "backends/backend_rsp_parts.h"

#include "backends/link/link.h"
#include "base/text.h"

#include <stdlib.h>

static int say_nothing(struct backend_rsp *b, uint64_t now)
{
	(void)b, (void)now;
	return 0;
}

static const char no_rsp[] = "what comes is no RSP (another speed or parity, or another port than the stub's?)";

static const char absent[] = "it does not answer, nor stop (is it on, this its line, the speed right? or has it another debugger?)";

static const char *no_answer(const struct backend_rsp *b)
{
	bool hello = b->state == BACKEND_RSP_HELLO_WAIT;

	if (b->stub.kgdb && hello)
		return backend_kgdb_absent(b);
	if (b->garbled)
		return no_rsp;
	if (b->state == BACKEND_RSP_HALTING)
		return absent;
	return hello ? "it does not answer (does it run, and hear nothing then?)" : "it does not answer";
}

int backend_rsp_late(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	b->why = no_answer(b);
	return -ETIMEDOUT;
}

int backend_rsp_put(struct backend_rsp *b, int rc)
{
	return rc < 0 || wire_close(&b->wire) < 0 ? backend_rsp_fails(b, "a request did not fit") : 0;
}

struct backend_rsp_shown backend_rsp_show(struct span packet)
{
	struct backend_rsp_shown s = { "" };

	text_ascii(s.text, sizeof s.text, packet);
	return s;
}

void backend_rsp_note(struct backend_rsp *b, enum guard_what what, const char *words, struct span packet)
{
	guard_note(&b->guard, what, "%s: %s", words, backend_rsp_show(packet).text);
}

int backend_rsp_pass_over(struct backend_rsp *b)
{
	return ++b->strays > BACKEND_RSP_STRAYS_MAX ? backend_rsp_fails(b, "it sends packets that nobody asked for") : BACKEND_MOVED;
}

int backend_rsp_shown_stray(struct backend_rsp *b, struct backend_rsp_shown s)
{
	bool stop = s.text[0] == 'T' || s.text[0] == 'S';

	guard_note(&b->guard, stop ? GUARD_STOP : GUARD_UNASKED, "%s: %s", stop ? "a stop that is none now" : "a packet that nobody asked for", s.text);
	return backend_rsp_pass_over(b);
}

int backend_rsp_stray(struct backend_rsp *b, struct span packet)
{
	return backend_rsp_shown_stray(b, backend_rsp_show(packet));
}

static int hear_stray(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	(void)news, (void)now;
	return backend_rsp_stray(b, buf_span(body));
}

static const struct {
	int (*say)(struct backend_rsp *b, uint64_t now);
	int (*hear)(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now);
	bool timed; /* .deadline counts */
} states[BACKEND_RSP_STATES] = {
	[BACKEND_RSP_LOOK] = { backend_kgdb_say_look, backend_kgdb_hear_knocking, false },
	[BACKEND_RSP_LOOKING] = { backend_kgdb_say_looking, backend_kgdb_hear_knocking, true },
	[BACKEND_RSP_KNOCK] = { backend_kgdb_say_knock, backend_kgdb_hear_knocking, true },
	[BACKEND_RSP_KNOCKING] = { backend_kgdb_say_knocking, backend_kgdb_hear_knocking, true },
	[BACKEND_RSP_HALT] = { backend_rsp_say_halt, backend_rsp_hear_halting, false },
	[BACKEND_RSP_HALTING] = { backend_rsp_say_halting, backend_rsp_hear_halting, true },
	[BACKEND_RSP_SETTLING] = { backend_rsp_say_settling, backend_rsp_hear_settling, true },
	[BACKEND_RSP_HELLO_ASK] = { backend_rsp_say_hello, backend_rsp_hear_early, false },
	[BACKEND_RSP_HELLO_WAIT] = { backend_rsp_say_hello_wait, backend_rsp_hear_hello, true },
	[BACKEND_RSP_IDLE] = { say_nothing, hear_stray, false },
	[BACKEND_RSP_ASK] = { backend_rsp_say_request, hear_stray, false },
	[BACKEND_RSP_WAIT] = { backend_rsp_say_wait, backend_rsp_hear_answer, true },
	[BACKEND_RSP_GOING] = { backend_rsp_say_going, hear_stray, true },
	[BACKEND_RSP_RUN] = { say_nothing, backend_rsp_hear_run, false },
	[BACKEND_RSP_BREAK] = { backend_rsp_say_break, backend_rsp_hear_run, true },
	[BACKEND_RSP_STOPPING] = { backend_rsp_say_stopping, backend_rsp_hear_run, true },
	[BACKEND_RSP_FILE_ASK] = { backend_rsp_say_file_ask, backend_rsp_hear_run, false },
	[BACKEND_RSP_FILE_WAIT] = { backend_rsp_late, backend_rsp_hear_file, true },
	[BACKEND_RSP_FILE_SAY] = { backend_rsp_say_file, backend_rsp_hear_run, false },
	[BACKEND_RSP_FILE_GOING] = { backend_rsp_say_file_going, backend_rsp_hear_run, true },
	[BACKEND_RSP_LEAVE_ASK] = { backend_rsp_say_leave, hear_stray, false },
	[BACKEND_RSP_LEAVE_WAIT] = { backend_rsp_say_leave_wait, backend_rsp_hear_leave, true },
	[BACKEND_RSP_GONE] = { backend_rsp_say_gone, hear_stray, true },
};

static int hear(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	int ev = states[b->state].hear(b, body, news, now), rc = 0;

	if (ev != BACKEND_PART)
		return ev;
	rc = backend_rsp_say_request(b, now); /* the stub works while the client is given what there is */
	if (!rc)
		rc = wire_push(&b->wire, now);
	return rc < 0 ? rc : ev;
}

static void note_odd(struct backend_rsp *b)
{
	static const struct {
		enum wire_odd odd;
		enum guard_what what;
		const char *words;
	} rows[] = {
		{ WIRE_ODD_NOISE, GUARD_NOISE, "bytes that are no packet" },
		{ WIRE_ODD_NOTIFY, GUARD_UNASKED, "a notification that nobody asked for" },
		{ WIRE_ODD_BADSUM, GUARD_NOISE, "a packet with a wrong checksum" },
		{ WIRE_ODD_SLOW, GUARD_NOISE, "a packet that did not end in time" },
	};

	for (size_t i = 0; b->wire.odd && i < sizeof rows / sizeof *rows; i++)
		if (b->wire.odd & rows[i].odd)
			guard_note(&b->guard, rows[i].what, "%s", rows[i].words);
	b->wire.odd = 0;
}

/* What was heard beside the protocol, and words of our own. */
static int beside(struct backend_rsp *b, struct backend_news *news)
{
	struct span text = backend_kgdb_overhear(b);

	if (text.len) {
		news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = text };
		return BACKEND_CONSOLE;
	}
	if (!b->words)
		return 0;
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = span_of(b->words) };
	b->words = NULL;
	return BACKEND_PRINT;
}

/* What a stub that has been met does wrong is told more exactly. */
static int pull(struct backend_rsp *b, struct buf **body, uint64_t now)
{
	int got = wire_pull(&b->wire, body, now);

	b->garbled |= (b->wire.odd & (WIRE_ODD_NOISE | WIRE_ODD_BADSUM | WIRE_ODD_SLOW)) != 0;
	b->garbled &= !*body;
	if (got < 0)
		b->why = got == -EPROTO && b->garbled && b->hello.step == HELLO_SUPPORTED ? no_rsp : b->wire.why;
	return got;
}

/* Listen first, then speak: what has just come in may be what the sending waited for. */
static int converse(struct backend_rsp *b, struct backend_news *news, uint64_t now)
{
	struct buf *body;
	int told = beside(b, news), got, rc;

	if (told)
		return told;
	got = pull(b, &body, now);
	if (got < 0 || body)
		return got < 0 ? got : hear(b, body, news, now);
	rc = states[b->state].say(b, now);
	if (rc)
		return rc;
	rc = wire_push(&b->wire, now);
	if (rc < 0)
		return rc;
	if (rc && b->state == BACKEND_RSP_GOING)
		return backend_rsp_say_going(b, now);
	rc = backend_rsp_unanswered(b, news);
	if (b->state == BACKEND_RSP_WAIT && b->doubted && now >= b->deadline)
		return backend_rsp_give_up(b, news);
	return rc == BACKEND_NONE && got ? BACKEND_MOVED : rc;
}

static int rsp_poll(struct backend *be, struct backend_news *news, uint64_t now)
{
	struct backend_rsp *b = (struct backend_rsp *)be;
	int rc = converse(b, news, now);

	if (rc == BACKEND_NONE)
		rc = beside(b, news); /* nothing would wake for what has just come in */
	note_odd(b);
	if ((rc == -EPROTO || rc == -ETIMEDOUT) && b->why) /* else its line has ended, by itself */
		guard_note(&b->guard, GUARD_LOST, "given up: %s", b->why);
	return rc;
}

static bool only_continues(const struct rsp_cmd *cmd)
{
	for (size_t i = 0; i < cmd->actions_n; i++)
		if (cmd->actions[i].verb != 'c' && cmd->actions[i].verb != 'C')
			return false;
	return true;
}

static int rsp_submit(struct backend *be, const struct rsp_cmd *cmd)
{
	struct backend_rsp *b = (struct backend_rsp *)be;
	int rc = b->state == BACKEND_RSP_IDLE ? job_start(&b->job, &b->stub, cmd) : -EBUSY;

	if (rc == -EINVAL)
		backend_kgdb_refused(b, cmd);
	if (rc)
		return rc;
	b->purpose = BACKEND_RSP_CLIENTS;
	b->continued = only_continues(cmd);
	b->output = 0;
	b->break_wanted = false;
	b->state = BACKEND_RSP_ASK;
	return 0;
}

static void rsp_interrupt(struct backend *be)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (b->state == BACKEND_RSP_HELLO_ASK && !b->hello_by) {
		b->state = BACKEND_RSP_HALT;
	} else if (b->state == BACKEND_RSP_RUN || (b->state == BACKEND_RSP_STOPPING && b->unheard)) {
		b->state = BACKEND_RSP_BREAK;
		b->tries = 0;
		b->unheard = false;
		b->deadline = 0; /* whoever asked for it may be the last of this turn */
	} else if ((b->state == BACKEND_RSP_ASK && job_resumes(&b->job)) || b->state == BACKEND_RSP_GOING || backend_rsp_is_file(b->state)) {
		b->break_wanted = true;
	} else if (b->state == BACKEND_RSP_ASK || b->state == BACKEND_RSP_WAIT) {
		job_cut(&b->job);
	}
}

static void rsp_leave(struct backend *be)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (b->state == BACKEND_RSP_IDLE)
		b->state = BACKEND_RSP_LEAVE_ASK;
}

static const struct backend_info *rsp_info(const struct backend *be)
{
	return &((const struct backend_rsp *)be)->info;
}

static const char *rsp_why(const struct backend *be)
{
	const struct backend_rsp *b = (const struct backend_rsp *)be;

	return b->why ? b->why : link_why(b->wire.link);
}

static struct guard *rsp_guard(struct backend *be)
{
	return &((struct backend_rsp *)be)->guard;
}

static void rsp_ready(struct backend *be)
{
	link_ready(((struct backend_rsp *)be)->wire.link);
}

static void rsp_wait(const struct backend *be, struct wait *w)
{
	const struct backend_rsp *b = (const struct backend_rsp *)be;

	wire_wait(&b->wire, w);
	if (states[b->state].timed)
		wait_until(w, b->deadline);
}

static void rsp_destroy(struct backend *be)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	wire_fini(&b->wire);
	stub_fini(&b->stub);
	hello_fini(&b->hello);
	job_fini(&b->job);
	free(b);
}

static const struct backend_ops rsp_ops = {
	.name = "rsp", .type = backend_kgdb_type, .submit = rsp_submit, .poll = rsp_poll, .interrupt = rsp_interrupt, .leave = rsp_leave,
	.info = rsp_info, .guard = rsp_guard, .why = rsp_why, .ready = rsp_ready, .wait = rsp_wait, .destroy = rsp_destroy,
};

struct backend *backend_rsp_new(struct link *stack)
{
	struct backend_rsp *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->base.ops = &rsp_ops;
	b->state = BACKEND_RSP_HELLO_ASK;
	if (wire_init(&b->wire) < 0 || stub_init(&b->stub) < 0 || hello_init(&b->hello) < 0 || job_init(&b->job) < 0) {
		rsp_destroy(&b->base);
		return NULL;
	}
	b->wire.link = stack;
	return &b->base;
}
