/* backend_rsp.c - a target that speaks RSP itself: QEMU, gdbserver, a probe. See backend.h and rsp/ beside this file. */
#include "backends/backend.h"

#include "backends/link/link.h"
#include "backends/rsp/hello.h"
#include "backends/rsp/job.h"
#include "backends/rsp/wire.h"

#include <errno.h>
#include <stdlib.h>

enum {
	HELLO_MS = 5000,      /* for one answer */
	HELLO_ALL_MS = 20000, /* for all of them */
	BREAK_AGAIN_MS = 2000, /* a break-in may be lost in a stub that is just stopping */
	BREAK_TRIES = 5,
	LEAVE_MS = 1000,
	STRAYS_MAX = 16, /* packets nobody asked for, in a row */
	LIES_MAX = 8,    /* answers that are none, in a row */
	SIGTRAP_ = 5,
};

enum state {
	S_HELLO_ASK,
	S_HELLO_WAIT,
	S_IDLE,
	S_ASK,  /* the job's next request has not been made yet */
	S_WAIT, /* it has; the answer has not come */
	S_GOING, /* a resume is on its way out */
	S_RUN,
	S_BREAK,    /* runs, and must be told to stop */
	S_STOPPING, /* was told; is told again at the deadline */
	S_LEAVE_ASK,
	S_LEAVE_WAIT,
	S_GONE,
	S_STATES,
};

/* Whose job it is. */
enum purpose { P_CLIENT, P_READ_PC, P_WRITE_PC };

struct backend_rsp {
	struct backend base;
	enum state state;
	enum purpose purpose;
	uint64_t deadline; /* of the answer, or of the next break-in */
	uint64_t hello_by; /* it must be known by then; 0: not asked anything yet */
	struct wire wire;
	struct stub stub;
	struct hello hello;
	struct job job;
	struct backend_info info;
	struct rsp_stop stop; /* the last one */
	bool continued;       /* it runs by c, not by s */
	bool break_wanted;    /* while the resume was on its way */
	unsigned tries, strays, lies;
	const char *why;
};

static int fails(struct backend_rsp *b, const char *why)
{
	b->why = why;
	return -EPROTO;
}

static int enter(struct backend_rsp *b, enum state next, enum backend_event ev)
{
	b->state = next;
	return (int)ev;
}

static const char unheard[] = "kdgate: the target does not answer the break-in; it is still waited for\n";

/* What each state says. 0, or an event, or -errno. */
static int say_nothing(struct backend_rsp *b, uint64_t now)
{
	(void)b, (void)now;
	return 0;
}

static int met(struct backend_rsp *b, struct backend_news *news)
{
	static const unsigned passed_on = RSP_CAN_SWBREAK | RSP_CAN_HWBREAK | RSP_CAN_REVERSE_STEP | RSP_CAN_REVERSE_CONTINUE;

	b->info.can = RSP_CAN_VCONT | (b->stub.features.can & passed_on);
	if (b->stub.described) {
		b->info.can |= RSP_CAN_TDESC;
		b->info.tdesc = &b->stub.tdesc;
	}
	if (b->stub.map.len) {
		b->info.can |= RSP_CAN_MEMORY_MAP;
		b->info.memory_map = buf_span(&b->stub.map);
	}
	b->info.was_running = b->hello.strays > 0;
	b->stop = b->hello.stop;
	news->stop = b->stop;
	return enter(b, S_IDLE, BACKEND_STOPPED);
}

static int say_hello(struct backend_rsp *b, uint64_t now)
{
	int rc = hello_request(&b->hello, &b->stub, wire_open(&b->wire));

	if (rc < 0 || (rc && wire_close(&b->wire) < 0))
		return fails(b, "a request did not fit");
	if (!b->hello_by)
		b->hello_by = now + HELLO_ALL_MS;
	b->deadline = now + HELLO_MS < b->hello_by ? now + HELLO_MS : b->hello_by;
	return enter(b, S_HELLO_WAIT, BACKEND_NONE);
}

static int say_request(struct backend_rsp *b, uint64_t now)
{
	if (job_request(&b->job, &b->stub, wire_open(&b->wire)) < 0 || wire_close(&b->wire) < 0)
		return fails(b, "a request did not fit");
	b->deadline = now + job_patience(&b->job);
	return enter(b, job_resumes(&b->job) ? S_GOING : S_WAIT, BACKEND_NONE);
}

static int late(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	b->why = "it does not answer";
	return -ETIMEDOUT;
}

/* The resume has gone: from here on only a break-in may be sent. */
static int say_going(struct backend_rsp *b, uint64_t now)
{
	if (!wire_idle(&b->wire))
		return late(b, now);
	b->stub.general = b->stub.resume = (struct rsp_thread){ 0 };
	b->tries = 0;
	return enter(b, b->break_wanted ? S_BREAK : S_RUN, BACKEND_RUNS);
}

static int say_break(struct backend_rsp *b, uint64_t now)
{
	wire_byte(&b->wire, 0x03);
	b->tries++;
	b->deadline = now + BREAK_AGAIN_MS;
	return enter(b, S_STOPPING, BACKEND_NONE);
}

/* The last try may still be heard, so it goes on waiting; but not without a word. */
static int say_stopping(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	if (b->tries < BREAK_TRIES)
		return say_break(b, now);
	b->deadline = NEVER;
	return BACKEND_PRINT;
}

static int say_leave(struct backend_rsp *b, uint64_t now)
{
	if (buf_put_text(wire_open(&b->wire), "D") < 0 || wire_close(&b->wire) < 0)
		return fails(b, "a request did not fit");
	b->deadline = now + LEAVE_MS;
	return enter(b, S_LEAVE_WAIT, BACKEND_NONE);
}

/* A stub that cannot detach, or does not answer that, is told to go on. */
static int let_run(struct backend_rsp *b)
{
	if (buf_put_text(wire_open(&b->wire), b->stub.vcont_c ? "vCont;c" : "c") < 0 || wire_close(&b->wire) < 0)
		return -ESHUTDOWN;
	return enter(b, S_GONE, BACKEND_MOVED);
}

static int say_leave_wait(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	b->deadline = now + LEAVE_MS;
	return let_run(b);
}

/* Some stubs go on only when our + has come. */
static int say_gone(struct backend_rsp *b, uint64_t now)
{
	return wire_idle(&b->wire) || now >= b->deadline ? -ESHUTDOWN : 0;
}

/* What each state makes of a packet. An event, or -errno. */
static int stray(struct backend_rsp *b)
{
	return ++b->strays > STRAYS_MAX ? fails(b, "it sends packets that nobody asked for") : BACKEND_MOVED;
}

static int hear_stray(struct backend_rsp *b, struct buf *body, struct backend_news *news)
{
	(void)body, (void)news;
	return stray(b);
}

/* Before the first question: QEMU reports that it stopped a running machine. */
static int hear_early(struct backend_rsp *b, struct buf *body, struct backend_news *news)
{
	struct rsp_stop stop;

	(void)news;
	b->hello.strays += rsp_stop_parse(buf_span(body), &stop) == 0;
	return stray(b);
}

static int hear_hello(struct backend_rsp *b, struct buf *body, struct backend_news *news)
{
	enum hello_step step = b->hello.step;
	int rc = hello_answer(&b->hello, &b->stub, body);

	if (rc < 0) {
		b->why = b->hello.why;
		return rc;
	}
	if (rc == 0)
		return BACKEND_MOVED;
	/* The answer itself was still acknowledged; nothing after it is. */
	if (step == HELLO_NO_ACK && (b->stub.features.can & RSP_CAN_NO_ACK))
		b->wire.no_ack = true;
	if (b->hello.step == HELLO_DONE || (b->hello.step == HELLO_THREAD && b->hello.stop.has_thread))
		return met(b, news);
	return enter(b, S_HELLO_ASK, BACKEND_MOVED);
}

/* A register that is not in the description, or not of its size, would make gdb throw away the whole stop. */
static void trim_registers(const struct backend_rsp *b, struct rsp_stop *stop)
{
	size_t kept = 0;

	for (size_t i = 0; i < stop->regs_n; i++) {
		const struct tdesc_reg *reg = b->stub.described ? tdesc_reg(&b->stub.tdesc, stop->regs[i].num) : NULL;

		if (reg && stop->regs[i].len == (reg->bits + 7) / 8)
			stop->regs[kept++] = stop->regs[i];
	}
	stop->regs_n = kept;
}

static void start_pc_job(struct backend_rsp *b, enum purpose purpose, struct rsp_cmd *cmd)
{
	b->purpose = purpose;
	cmd->num[0] = tdesc_pc(&b->stub.tdesc)->num;
	cmd->thread = b->stop.has_thread ? b->stop.thread : (struct rsp_thread){ 0 };
	b->state = job_start(&b->job, &b->stub, cmd) == 0 ? S_ASK : S_IDLE;
}

static bool may_overshoot(const struct backend_rsp *b)
{
	return b->continued && b->stub.traps_n && b->stop.code == SIGTRAP_ && b->stop.why == RSP_WHY_NONE &&
	       stub_pc_overshoots(&b->stub);
}

static int tell_stop(struct backend_rsp *b, struct backend_news *news)
{
	b->purpose = P_CLIENT;
	news->stop = b->stop;
	return enter(b, S_IDLE, BACKEND_STOPPED);
}

static int stopped(struct backend_rsp *b, const struct rsp_stop *stop, struct backend_news *news)
{
	struct rsp_cmd read;

	if (stop->kind != RSP_STOP_SIGNAL)
		return fails(b, "its program has ended");
	b->stop = *stop;
	b->strays = 0;
	b->break_wanted = false;
	b->stub.general = stop->has_thread ? stop->thread : (struct rsp_thread){ 0 };
	trim_registers(b, &b->stop);
	if (!may_overshoot(b))
		return tell_stop(b, news);
	rsp_cmd_make(&read, "p");
	start_pc_job(b, P_READ_PC, &read);
	return b->state == S_ASK ? BACKEND_MOVED : tell_stop(b, news);
}

/* A resume that the stub refused: it stands where it stood. */
static int refused(struct backend_rsp *b, struct backend_news *news)
{
	b->stop.code = SIGTRAP_;
	return tell_stop(b, news);
}

/* The stub asks the debugger's host to open, read, write files: answered here, "not permitted". */
static int refuse_file(struct backend_rsp *b)
{
	if (buf_put_text(wire_open(&b->wire), "F-1,1") < 0 || wire_close(&b->wire) < 0)
		return fails(b, "a request did not fit");
	return stray(b);
}

static int hear_run(struct backend_rsp *b, struct buf *body, struct backend_news *news)
{
	struct rsp_expect want = { .form = RSP_FORM_MONITOR, .most = WIRE_BODY_MAX };
	struct rsp_stop stop;

	if (rsp_stop_parse(buf_span(body), &stop) == 0)
		return stopped(b, &stop, news);
	if (span_starts(buf_span(body), "F"))
		return refuse_file(b);
	if (rsp_reply_parse(buf_data(body), body->len, &want, &news->reply, NULL) < 0)
		return stray(b);
	if (news->reply.kind == RSP_REPLY_OUTPUT)
		return BACKEND_PRINT;
	return news->reply.kind == RSP_REPLY_ERROR || news->reply.kind == RSP_REPLY_UNSUPPORTED ? refused(b, news) : stray(b);
}

static int after_read_pc(struct backend_rsp *b, struct backend_news *news)
{
	struct rsp_cmd write;
	uint64_t pc;
	uint8_t raw[8];
	size_t n = (tdesc_pc(&b->stub.tdesc)->bits + 7) / 8;

	if (news->reply.kind != RSP_REPLY_REGS || n > sizeof raw || !rsp_reg_value(news->reply.bytes, &pc) ||
	    stub_has_trap(&b->stub, pc) || !stub_has_trap(&b->stub, pc - 1))
		return tell_stop(b, news);
	for (size_t i = 0; i < n; i++)
		raw[i] = (uint8_t)((pc - 1) >> (8 * i));
	rsp_cmd_make(&write, "P");
	write.data = (struct span){ raw, n };
	b->stop.regs_n = 0; /* they were read before */
	start_pc_job(b, P_WRITE_PC, &write);
	return b->state == S_ASK ? BACKEND_MOVED : tell_stop(b, news);
}

static int done(struct backend_rsp *b, struct backend_news *news)
{
	if (b->purpose == P_READ_PC)
		return after_read_pc(b, news);
	if (b->purpose == P_WRITE_PC)
		return tell_stop(b, news);
	return enter(b, S_IDLE, BACKEND_REPLY);
}

/* What is no answer at all. */
static int nonsense(struct backend_rsp *b, struct backend_news *news)
{
	static const char words[] = "the target's answer makes no sense";

	if (++b->lies > LIES_MAX)
		return fails(b, "its answers make no sense");
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = 1, .bytes = span_of(words) };
	return done(b, news);
}

static int hear_answer(struct backend_rsp *b, struct buf *body, struct backend_news *news)
{
	struct rsp_stop stop;
	bool stops = rsp_stop_parse(buf_span(body), &stop) == 0; /* asked now: the answer is used up */
	int rc = job_answer(&b->job, &b->stub, body, &news->reply);

	if (rc == -EBADMSG) /* a stop that nobody asked for is passed over */
		return stops ? stray(b) : nonsense(b, news);
	b->lies = b->strays = 0;
	if (rc == 0 || rc == JOB_PART)
		return enter(b, S_ASK, rc ? BACKEND_PART : BACKEND_MOVED);
	return news->reply.kind == RSP_REPLY_OUTPUT ? BACKEND_PRINT : done(b, news);
}

static int hear_leave(struct backend_rsp *b, struct buf *body, struct backend_news *news)
{
	(void)news;
	return span_is(buf_span(body), "OK") ? enter(b, S_GONE, BACKEND_MOVED) : let_run(b);
}

static const struct {
	int (*say)(struct backend_rsp *b, uint64_t now);
	int (*hear)(struct backend_rsp *b, struct buf *body, struct backend_news *news);
	bool timed; /* .deadline counts */
} states[S_STATES] = {
	[S_HELLO_ASK] = { say_hello, hear_early, false },
	[S_HELLO_WAIT] = { late, hear_hello, true },
	[S_IDLE] = { say_nothing, hear_stray, false },
	[S_ASK] = { say_request, hear_stray, false },
	[S_WAIT] = { late, hear_answer, true },
	[S_GOING] = { say_going, hear_stray, true },
	[S_RUN] = { say_nothing, hear_run, false },
	[S_BREAK] = { say_break, hear_run, true },
	[S_STOPPING] = { say_stopping, hear_run, true },
	[S_LEAVE_ASK] = { say_leave, hear_stray, false },
	[S_LEAVE_WAIT] = { say_leave_wait, hear_leave, true },
	[S_GONE] = { say_gone, hear_stray, true },
};

/* A request without an answer is done when it has gone. */
static int unanswered(struct backend_rsp *b, struct backend_news *news)
{
	if (b->state != S_WAIT || !job_unanswered(&b->job) || !wire_idle(&b->wire))
		return BACKEND_NONE;
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OK };
	return done(b, news);
}

static int hear(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	int ev = states[b->state].hear(b, body, news), rc = 0;

	if (ev != BACKEND_PART)
		return ev;
	rc = say_request(b, now); /* the stub works while the client is given what there is */
	if (!rc)
		rc = wire_push(&b->wire, now);
	return rc < 0 ? rc : ev;
}

/* Listen first, then speak: what has just come in may be what the sending waited for. */
static int rsp_poll(struct backend *be, struct backend_news *news, uint64_t now)
{
	struct backend_rsp *b = (struct backend_rsp *)be;
	struct buf *body;
	int got = wire_pull(&b->wire, &body, now), rc;

	if (got < 0)
		b->why = b->wire.why;
	if (got < 0 || body)
		return got < 0 ? got : hear(b, body, news, now);
	rc = states[b->state].say(b, now);
	if (rc == BACKEND_PRINT)
		news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = span_of(unheard) };
	if (rc)
		return rc;
	rc = wire_push(&b->wire, now);
	if (rc < 0)
		return rc;
	if (rc && b->state == S_GOING)
		return say_going(b, now);
	rc = unanswered(b, news);
	return rc == BACKEND_NONE && got ? BACKEND_MOVED : rc;
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
	int rc = b->state == S_IDLE ? job_start(&b->job, &b->stub, cmd) : -EBUSY;

	if (rc)
		return rc;
	b->purpose = P_CLIENT;
	b->continued = only_continues(cmd);
	b->break_wanted = false;
	b->state = S_ASK;
	return 0;
}

static void rsp_interrupt(struct backend *be)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (b->state == S_RUN) {
		b->state = S_BREAK;
		b->deadline = 0; /* whoever asked for it may be the last of this turn */
	} else if ((b->state == S_ASK && job_resumes(&b->job)) || b->state == S_GOING) {
		b->break_wanted = true;
	} else if (b->state == S_ASK || b->state == S_WAIT) {
		job_cut(&b->job);
	}
}

static void rsp_leave(struct backend *be)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (b->state == S_IDLE)
		b->state = S_LEAVE_ASK;
}

static const struct backend_info *rsp_info(const struct backend *be)
{
	return &((const struct backend_rsp *)be)->info;
}

static const char *rsp_why(const struct backend *be)
{
	return ((const struct backend_rsp *)be)->why;
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
	.name = "rsp", .submit = rsp_submit, .poll = rsp_poll, .interrupt = rsp_interrupt, .leave = rsp_leave,
	.info = rsp_info, .why = rsp_why, .ready = rsp_ready, .wait = rsp_wait, .destroy = rsp_destroy,
};

struct backend *backend_rsp_new(struct link *stack)
{
	struct backend_rsp *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->base.ops = &rsp_ops;
	if (wire_init(&b->wire) < 0 || stub_init(&b->stub) < 0 || hello_init(&b->hello) < 0 || job_init(&b->job) < 0) {
		rsp_destroy(&b->base);
		return NULL;
	}
	b->wire.link = stack;
	return &b->base;
}
