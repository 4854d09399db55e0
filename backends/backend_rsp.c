/* backend_rsp.c - a target that speaks RSP itself: QEMU, gdbserver, a probe. See backend.h and rsp/ beside this file. */
#include "backends/backend.h"

#include "backends/link/console.h"
#include "backends/link/link.h"
#include "backends/rsp/fileio.h"
#include "backends/rsp/hello.h"
#include "backends/rsp/job.h"
#include "backends/rsp/kgdb.h"
#include "backends/rsp/wire.h"
#include "base/text.h"
#include "filters/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HELLO_MS = 5000,      /* for one answer */
	HELLO_ALL_MS = 20000, /* for all of them */
	BREAK_AGAIN_MS = 2000, /* a break-in may be lost in a stub that is just stopping */
	BREAK_TRIES = 5,
	KNOCK_MS = 1000, /* a kernel that stands for the first time says nothing */
	LEAVE_MS = 1000,
	FILE_MS = 5000,
	DOUBT_MS = 250, /* after an answer that was none, for the right one */
	STRAYS_MAX = 16, /* packets nobody asked for, in a row */
	LIES_MAX = 8,    /* answers that are none, in a row */
	OUTPUT_MAX = 4 << 20, OUTPUT_COST = 64, /* bytes of text of one monitor command; and what each piece counts beside its own */
	SIGTRAP_ = 5,
};

enum state {
	S_KNOCK, /* KGDB: whether it runs or stands is not known; it is made to stand */
	S_KNOCKING,
	S_HELLO_ASK,
	S_HELLO_WAIT,
	S_IDLE,
	S_ASK,  /* the job's next request has not been made yet */
	S_WAIT, /* it has; the answer has not come */
	S_GOING, /* a resume is on its way out */
	S_RUN,
	S_BREAK,    /* runs, and must be told to stop */
	S_STOPPING, /* was told; is told again at the deadline */
	S_FILE_ASK, /* runs, and writes to what it thinks is its host's console: the bytes must be read */
	S_FILE_WAIT,
	S_FILE_SAY, /* is told what came of its request for a file */
	S_FILE_GOING,
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
	bool break_wanted;    /* while the resume, or a file request, was on its way */
	bool doubted;         /* an answer has come that was none: the right one may be behind it */
	struct fileio file;
	struct guard guard;
	unsigned tries, strays, lies;
	size_t output;        /* of the monitor command in flight */
	struct link *console;  /* a layer of the wire's link; NULL: the wire is the stub's alone */
	const char *to_break;  /* typed there, where the line cannot carry a BREAK */
	const char *words;     /* to be printed for whoever is there */
	size_t boots;          /* of what a booting kernel says first */
	bool warned;           /* of hardware breakpoints */
	bool unheard;          /* the break-in has had no answer, and that was said */
	bool probed;           /* since the last break-in: whether it stands, without a word */
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
static const char no_break[] = "kdgate: this line cannot carry a BREAK, and nothing else is set that would stop the kernel (break = ...)\n";
static const char booted[] = "kdgate: the kernel seems to have booted again: breakpoints in it are gone\n";
static const char doubtful[] = "kdgate: KGDB takes hardware breakpoints, but on some machines, virtual ones above all, it never reports them\n";

/* What each state says. 0, or an event, or -errno. */
static int say_nothing(struct backend_rsp *b, uint64_t now)
{
	(void)b, (void)now;
	return 0;
}

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
	b->info.was_running = b->hello.strays > 0;
	b->info.read_max = stub_read_max(&b->stub);
	b->info.one_memory = b->stub.kgdb;
	b->stop = b->hello.stop;
	news->stop = b->stop;
	return enter(b, S_IDLE, BACKEND_STOPPED);
}

static int type_break(struct backend_rsp *b, const char *text)
{
	return b->console && link_console_type(b->console, span_of(text)) == strlen(text) ? 1 : 0;
}

/* 1: said; 0: not now; -EOPNOTSUPP: there is no way. */
static int break_in(struct backend_rsp *b, uint64_t now)
{
	int rc;

	if (!b->stub.kgdb) {
		wire_byte(&b->wire, 0x03);
		return 1;
	}
	rc = link_attention(b->wire.link, now);
	if (rc == 0)
		return type_break(b, "g");
	if (rc == -EOPNOTSUPP && b->to_break)
		return type_break(b, b->to_break);
	return rc == -EAGAIN ? 0 : rc;
}

static int ask_hello(struct backend_rsp *b)
{
	if (b->console)
		link_console_runs(b->console, false);
	return enter(b, S_HELLO_ASK, BACKEND_MOVED);
}

static int say_knock(struct backend_rsp *b, uint64_t now)
{
	int rc = break_in(b, now);

	b->deadline = now + KNOCK_MS;
	if (rc == -EOPNOTSUPP)
		return ask_hello(b); /* it may stand */
	if (rc <= 0)
		return rc;
	return enter(b, S_KNOCKING, BACKEND_NONE);
}

static int say_knocking(struct backend_rsp *b, uint64_t now)
{
	enum console_mode mode = b->console ? link_console_mode(b->console) : CONSOLE_MODE_RUNS;

	return now >= b->deadline || mode == CONSOLE_MODE_KDB ? ask_hello(b) : 0;
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
	b->doubted = false;
	b->deadline = now + job_patience(&b->job);
	return enter(b, job_resumes(&b->job) ? S_GOING : S_WAIT, BACKEND_NONE);
}

static int late(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	b->why = b->stub.kgdb && b->state == S_HELLO_WAIT ? "no KGDB answers (is the kernel up, this its console, the speed right, sysrq allowed?)" : "it does not answer";
	return -ETIMEDOUT;
}

static int say_wait(struct backend_rsp *b, uint64_t now)
{
	return b->doubted ? 0 : late(b, now);
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
	int rc;

	if (b->console && (b->probed || !b->tries)) /* what was said before this break-in says nothing of it */
		link_console_runs(b->console, true);
	b->probed = false;
	rc = break_in(b, now);

	if (rc == 0 || (rc < 0 && rc != -EOPNOTSUPP))
		return rc;
	if (rc < 0)
		b->words = no_break;
	b->tries = rc < 0 ? BREAK_TRIES : b->tries + 1;
	b->deadline = rc < 0 ? NEVER : now + (b->console && b->tries == 1 ? KNOCK_MS : BREAK_AGAIN_MS);
	return enter(b, S_STOPPING, BACKEND_NONE);
}

static const char *unheard_words(const struct backend_rsp *b)
{
	return b->console ? kgdb_unheard((int)link_console_mode(b->console)) : unheard;
}

static int ask(struct backend_rsp *b, int rc)
{
	return rc < 0 || wire_close(&b->wire) < 0 ? fails(b, "a request did not fit") : 0;
}

/* A kernel that nobody has debugged since it booted stands without a word. Asked while it runs, the question is typed on its
 * console: so it is asked once. */
static bool may_stand_silent(const struct backend_rsp *b)
{
	if (!b->console || b->probed)
		return false;
	return link_console_mode(b->console) == CONSOLE_MODE_KGDB || link_console_mode(b->console) == CONSOLE_MODE_KDB;
}

static int ask_silent(struct backend_rsp *b, uint64_t now)
{
	b->probed = true;
	b->deadline = now + BREAK_AGAIN_MS;
	link_console_runs(b->console, false);
	return ask(b, buf_put_text(wire_open(&b->wire), "?"));
}

/* The last try may still be heard, so it goes on waiting; but not without a word. */
static int say_stopping(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	if (may_stand_silent(b))
		return ask_silent(b, now);
	if (b->tries < BREAK_TRIES)
		return say_break(b, now);
	b->deadline = b->console ? now + BREAK_AGAIN_MS : NEVER;
	if (b->unheard)
		return 0;
	b->unheard = true;
	b->words = unheard_words(b);
	if (b->console)
		link_console_runs(b->console, true);
	return BACKEND_MOVED;
}

static int say_file_ask(struct backend_rsp *b, uint64_t now)
{
	int rc = ask(b, fileio_request(&b->file, wire_open(&b->wire)));

	b->deadline = now + FILE_MS;
	return rc ? rc : enter(b, S_FILE_WAIT, BACKEND_NONE);
}

static int say_file(struct backend_rsp *b, uint64_t now)
{
	int rc = ask(b, fileio_answer(&b->file, wire_open(&b->wire)));

	b->deadline = now + FILE_MS;
	return rc ? rc : enter(b, S_FILE_GOING, BACKEND_NONE);
}

static int say_file_going(struct backend_rsp *b, uint64_t now)
{
	if (!wire_idle(&b->wire))
		return late(b, now);
	b->tries = 0;
	b->deadline = now;
	return enter(b, b->break_wanted ? S_BREAK : S_RUN, BACKEND_MOVED);
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

/* A packet as it may be shown: parsing uses it up. */
struct shown {
	char text[GUARD_WORDS];
};

static struct shown show(struct span packet)
{
	struct shown s;

	text_ascii(s.text, sizeof s.text, packet);
	return s;
}

static void note(struct backend_rsp *b, enum guard_what what, const char *words, struct span packet)
{
	guard_note(&b->guard, what, "%s: %s", words, show(packet).text);
}

/* What each state makes of a packet. An event, or -errno. */
static int pass_over(struct backend_rsp *b)
{
	return ++b->strays > STRAYS_MAX ? fails(b, "it sends packets that nobody asked for") : BACKEND_MOVED;
}

static int shown_stray(struct backend_rsp *b, struct shown s)
{
	bool stop = s.text[0] == 'T' || s.text[0] == 'S';

	guard_note(&b->guard, stop ? GUARD_STOP : GUARD_UNASKED, "%s: %s", stop ? "a stop that is none now" : "a packet that nobody asked for", s.text);
	return pass_over(b);
}

static int stray(struct backend_rsp *b, struct span packet)
{
	return shown_stray(b, show(packet));
}

static int hear_stray(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	(void)news, (void)now;
	return stray(b, buf_span(body));
}

/* Stopped by us, or resending the stop that it reported last. */
static int hear_knocking(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;

	(void)news, (void)now;
	if (rsp_stop_parse(buf_span(body), &stop) < 0)
		return stray(b, buf_span(body));
	return ask_hello(b);
}

/* Before the first question: QEMU reports that it stopped a running machine. */
static int hear_early(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;

	(void)news, (void)now;
	if (rsp_stop_parse(buf_span(body), &stop) < 0)
		return stray(b, buf_span(body));
	b->hello.strays++;
	return ++b->strays > STRAYS_MAX ? fails(b, "it reports stops that nobody asked for") : BACKEND_MOVED;
}

static int hear_hello(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	enum hello_step step = b->hello.step;
	unsigned chatter = b->hello.chatter;
	int rc = hello_answer(&b->hello, &b->stub, body);

	if (b->hello.chatter != chatter)
		note(b, GUARD_UNASKED, "a packet that nobody asked for", buf_span(body));
	if (b->hello.note)
		guard_note(&b->guard, GUARD_DOCUMENT, "%s", b->hello.note);
	b->hello.note = NULL;
	(void)now;
	if (rc < 0) {
		b->why = b->hello.why;
		return rc;
	}
	if (rc == 0)
		return BACKEND_MOVED;
	/* The answer itself was still acknowledged; nothing after it is. */
	if (step == HELLO_NO_ACK && (b->stub.features.can & RSP_CAN_NO_ACK))
		b->wire.no_ack = true;
	if (hello_over(&b->hello, &b->stub))
		return met(b, news);
	return enter(b, S_HELLO_ASK, BACKEND_MOVED);
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
	b->break_wanted = b->probed = b->unheard = false;
	b->stub.general = stop->has_thread ? stop->thread : (struct rsp_thread){ 0 };
	if (guard_stop(&b->stop, b->stub.described ? &b->stub.tdesc : NULL))
		guard_note(&b->guard, GUARD_STOP, "a stop with registers that the target's description does not have");
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

static bool is_file(enum state state)
{
	return state >= S_FILE_ASK && state <= S_FILE_GOING;
}

static int on_file(struct backend_rsp *b, struct span body, uint64_t now)
{
	int rc = fileio_take(&b->file, body, now);

	if (rc == -EBADMSG)
		return stray(b, body);
	if (rc < 0)
		return fails(b, "it asks its host for files without end");
	if (!b->file.text)
		note(b, GUARD_FILE, "the target asked the host for a file or a program", body);
	b->break_wanted |= b->state == S_BREAK || b->state == S_STOPPING;
	return enter(b, b->file.text ? S_FILE_ASK : S_FILE_SAY, BACKEND_MOVED);
}

/* It stands, whatever else it says: were that passed over, its clients would wait for ever. */
static bool stop_in(struct backend_rsp *b, struct span body, struct rsp_stop *stop)
{
	enum { SIGNAL_LEN = 3 };
	struct span signal = { body.p, SIGNAL_LEN };

	if (rsp_stop_parse(body, stop) == 0) {
		if (stop->odd)
			note(b, GUARD_STOP, "a stop with what was not agreed on", body);
		return true;
	}
	if (body.len <= SIGNAL_LEN || (body.p[0] != 'T' && body.p[0] != 'S') || rsp_stop_parse(signal, stop) < 0)
		return false;
	note(b, GUARD_STOP, "a stop that makes no sense but for its signal", body);
	return true;
}

static int hear_file(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct shown shown = show(buf_span(body));
	struct rsp_stop stop;
	struct span text;

	(void)now;
	if (stop_in(b, buf_span(body), &stop))
		return stopped(b, &stop, news);
	if (fileio_text(&b->file, body, &text) < 0)
		return shown_stray(b, shown);
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = text };
	return enter(b, S_FILE_SAY, text.len ? BACKEND_PRINT : BACKEND_MOVED);
}

static int hear_run(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_expect want = { .form = RSP_FORM_MONITOR, .most = WIRE_BODY_MAX };
	struct shown shown = show(buf_span(body));
	struct rsp_stop stop;

	if (stop_in(b, buf_span(body), &stop))
		return stopped(b, &stop, news);
	if (span_starts(buf_span(body), "F"))
		return on_file(b, buf_span(body), now);
	if (!span_starts(buf_span(body), "O") && !span_starts(buf_span(body), "E") && body->len)
		return shown_stray(b, shown);
	if (rsp_reply_parse(buf_data(body), body->len, &want, &news->reply, NULL) < 0)
		return shown_stray(b, shown);
	if (news->reply.kind == RSP_REPLY_OUTPUT)
		return BACKEND_PRINT;
	if (is_file(b->state) || (news->reply.kind != RSP_REPLY_ERROR && news->reply.kind != RSP_REPLY_UNSUPPORTED))
		return shown_stray(b, shown);
	return refused(b, news);
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

/* A client looks for the thread that stopped in the list, and does odd things when it is not there. */
static void mend_threads(struct backend_rsp *b, struct rsp_reply *reply)
{
	size_t n = reply->threads_n, i = 0;

	if (reply->kind != RSP_REPLY_THREADS || reply->threads != b->job.threads)
		return;
	if (n == RSP_THREADS_MAX)
		guard_note(&b->guard, GUARD_THREADS, "a thread list without end: %d are kept", RSP_THREADS_MAX);
	if (guard_threads(b->job.threads, &n))
		guard_note(&b->guard, GUARD_THREADS, "a thread list with the same thread twice, or with none");
	while (b->stop.has_thread && i < n && b->job.threads[i].tid != b->stop.thread.tid)
		i++;
	if (b->stop.has_thread && i == n && n < RSP_THREADS_MAX) {
		guard_note(&b->guard, GUARD_THREADS, "a thread list without the thread that stopped");
		b->job.threads[n++] = b->stop.thread;
	}
	reply->threads_n = n;
}

static void warn_of_hardware(struct backend_rsp *b, const struct rsp_reply *reply)
{
	if (b->warned || !b->stub.kgdb || b->job.cmd.op != RSP_OP_BREAK_SET || !b->job.cmd.num[0] || reply->kind != RSP_REPLY_OK)
		return;
	b->warned = true;
	b->words = doubtful;
}

static void note_document(struct backend_rsp *b, const struct rsp_reply *reply)
{
	if (b->job.cmd.op == RSP_OP_XFER_READ && reply->kind == RSP_REPLY_ERROR && reply->code == EFBIG)
		guard_note(&b->guard, GUARD_DOCUMENT, "a document that is too long, or has no end");
}

static int done(struct backend_rsp *b, struct backend_news *news)
{
	if (b->purpose == P_READ_PC)
		return after_read_pc(b, news);
	if (b->purpose == P_WRITE_PC)
		return tell_stop(b, news);
	mend_threads(b, &news->reply);
	warn_of_hardware(b, &news->reply);
	note_document(b, &news->reply);
	return enter(b, S_IDLE, BACKEND_REPLY);
}

/* There is no answer to be had. */
static int give_up(struct backend_rsp *b, struct backend_news *news)
{
	static const char words[] = "the target's answer makes no sense";

	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = 1, .bytes = span_of(words) };
	return done(b, news);
}

/* What is no answer at all: an earlier one that came twice, or late. Were it taken for the answer, each that follows would
 * be taken for the next one's. */
static int nonsense(struct backend_rsp *b, uint64_t now)
{
	char shown[GUARD_WORDS];

	guard_note(&b->guard, GUARD_REPLY, "an answer that makes no sense to %s", rsp_cmd_show(&b->job.cmd, shown, sizeof shown));
	if (++b->lies > LIES_MAX)
		return fails(b, "its answers make no sense");
	if (!b->doubted)
		b->deadline = now + DOUBT_MS;
	b->doubted = true;
	return BACKEND_MOVED;
}

static int hear_answer(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;
	bool stops = rsp_stop_parse(buf_span(body), &stop) == 0; /* asked now: the answer is used up */
	int rc = job_answer(&b->job, &b->stub, body, &news->reply);

	if (rc == -EBADMSG && stops) { /* a stop that nobody asked for is passed over */
		guard_note(&b->guard, GUARD_UNASKED, "a stop in the place of an answer, with signal %u", stop.code);
		return pass_over(b);
	}
	if (rc == -EBADMSG)
		return nonsense(b, now);
	b->lies = b->strays = 0;
	if (rc == 0 || rc == JOB_PART)
		return enter(b, S_ASK, rc ? BACKEND_PART : BACKEND_MOVED);
	if (news->reply.cleaned)
		guard_note(&b->guard, GUARD_TEXT, "control characters in the words of an error, or too many words");
	if (news->reply.kind != RSP_REPLY_OUTPUT)
		return done(b, news);
	b->output += news->reply.bytes.len + OUTPUT_COST;
	return b->output > OUTPUT_MAX ? fails(b, "its monitor command prints without end") : BACKEND_PRINT;
}

static int hear_leave(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	(void)news, (void)now;
	return span_is(buf_span(body), "OK") ? enter(b, S_GONE, BACKEND_MOVED) : let_run(b);
}

static const struct {
	int (*say)(struct backend_rsp *b, uint64_t now);
	int (*hear)(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now);
	bool timed; /* .deadline counts */
} states[S_STATES] = {
	[S_KNOCK] = { say_knock, hear_knocking, false },
	[S_KNOCKING] = { say_knocking, hear_knocking, true },
	[S_HELLO_ASK] = { say_hello, hear_early, false },
	[S_HELLO_WAIT] = { late, hear_hello, true },
	[S_IDLE] = { say_nothing, hear_stray, false },
	[S_ASK] = { say_request, hear_stray, false },
	[S_WAIT] = { say_wait, hear_answer, true },
	[S_GOING] = { say_going, hear_stray, true },
	[S_RUN] = { say_nothing, hear_run, false },
	[S_BREAK] = { say_break, hear_run, true },
	[S_STOPPING] = { say_stopping, hear_run, true },
	[S_FILE_ASK] = { say_file_ask, hear_run, false },
	[S_FILE_WAIT] = { late, hear_file, true },
	[S_FILE_SAY] = { say_file, hear_run, false },
	[S_FILE_GOING] = { say_file_going, hear_run, true },
	[S_LEAVE_ASK] = { say_leave, hear_stray, false },
	[S_LEAVE_WAIT] = { say_leave_wait, hear_leave, true },
	[S_GONE] = { say_gone, hear_stray, true },
};

/* A request without an answer is done when it has gone. */
static int unanswered(struct backend_rsp *b, struct backend_news *news)
{
	if (b->state != S_WAIT || !job_unanswered(&b->job) || !wire_idle(&b->wire))
		return BACKEND_NONE;
	if (b->stub.kgdb && b->job.cmd.op == RSP_OP_RESTART)
		return fails(b, "it was told to restart");
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OK };
	return done(b, news);
}

static int hear(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	int ev = states[b->state].hear(b, body, news, now), rc = 0;

	if (ev != BACKEND_PART)
		return ev;
	rc = say_request(b, now); /* the stub works while the client is given what there is */
	if (!rc)
		rc = wire_push(&b->wire, now);
	return rc < 0 ? rc : ev;
}

static bool text_has(struct span text, const char *word)
{
	while (text.len && !span_starts(text, word))
		text = span_from(text, 1);
	return text.len > 0;
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

/* Text that is no packet, and words of our own. */
static int overheard(struct backend_rsp *b, struct backend_news *news)
{
	struct span text = b->console ? link_console_text(b->console) : (struct span){ 0 };

	if (kgdb_boots(&b->boots, text))
		b->words = booted;
	if (b->state == S_KNOCKING && text_has(text, "sysrq"))
		b->hello.strays++; /* it ran */
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

/* Listen first, then speak: what has just come in may be what the sending waited for. */
static int converse(struct backend_rsp *b, struct backend_news *news, uint64_t now)
{
	struct buf *body;
	int told = overheard(b, news), got, rc;

	if (told)
		return told;
	got = wire_pull(&b->wire, &body, now);

	if (got < 0)
		b->why = b->wire.why;
	if (got < 0 || body)
		return got < 0 ? got : hear(b, body, news, now);
	rc = states[b->state].say(b, now);
	if (rc)
		return rc;
	rc = wire_push(&b->wire, now);
	if (rc < 0)
		return rc;
	if (rc && b->state == S_GOING)
		return say_going(b, now);
	rc = unanswered(b, news);
	if (b->state == S_WAIT && b->doubted && now >= b->deadline)
		return give_up(b, news);
	return rc == BACKEND_NONE && got ? BACKEND_MOVED : rc;
}

static int rsp_poll(struct backend *be, struct backend_news *news, uint64_t now)
{
	struct backend_rsp *b = (struct backend_rsp *)be;
	int rc = converse(b, news, now);

	note_odd(b);
	if (rc == -EPROTO || rc == -ETIMEDOUT)
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
	int rc = b->state == S_IDLE ? job_start(&b->job, &b->stub, cmd) : -EBUSY;

	if (rc)
		return rc;
	b->purpose = P_CLIENT;
	b->continued = only_continues(cmd);
	b->output = 0;
	b->break_wanted = false;
	b->state = S_ASK;
	return 0;
}

static void rsp_interrupt(struct backend *be)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (b->state == S_RUN || (b->state == S_STOPPING && b->unheard)) {
		b->state = S_BREAK;
		b->tries = 0;
		b->unheard = false;
		b->deadline = 0; /* whoever asked for it may be the last of this turn */
	} else if ((b->state == S_ASK && job_resumes(&b->job)) || b->state == S_GOING || is_file(b->state)) {
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

static struct guard *rsp_guard(struct backend *be)
{
	return &((struct backend_rsp *)be)->guard;
}

static size_t rsp_type(struct backend *be, struct span bytes)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	return b->console ? link_console_type(b->console, bytes) : bytes.len; /* nobody reads it */
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
	.name = "rsp", .type = rsp_type, .submit = rsp_submit, .poll = rsp_poll, .interrupt = rsp_interrupt, .leave = rsp_leave,
	.info = rsp_info, .guard = rsp_guard, .why = rsp_why, .ready = rsp_ready, .wait = rsp_wait, .destroy = rsp_destroy,
};

struct backend *backend_rsp_new(struct link *stack)
{
	struct backend_rsp *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->base.ops = &rsp_ops;
	b->state = S_HELLO_ASK;
	if (wire_init(&b->wire) < 0 || stub_init(&b->stub) < 0 || hello_init(&b->hello) < 0 || job_init(&b->job) < 0) {
		rsp_destroy(&b->base);
		return NULL;
	}
	b->wire.link = stack;
	return &b->base;
}

struct backend *backend_kgdb_new(struct link *stack, struct link *console, const char *to_break)
{
	struct backend *be = backend_rsp_new(stack);
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (!be)
		return NULL;
	b->stub.kgdb = true;
	b->stub.packet_max = KGDB_PACKET;
	b->console = console;
	b->to_break = to_break;
	b->state = S_KNOCK;
	return be;
}
