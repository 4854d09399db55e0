/* decode_words.c - see decode_words.h. */
#include "proxy/decode_words.h"

#include "base/text.h"
#include "rsp/reply.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RAW = 4 * DECODE_SHOWN + 40, QUOTED = 4 * DECODE_SHOWN + 8 };

static void append(char out[DECODE_WORDS], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void append(char out[DECODE_WORDS], const char *fmt, ...)
{
	size_t at = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + at, DECODE_WORDS - at, fmt, ap);
	va_end(ap);
}

static const char *quoted(char text[QUOTED], struct span s)
{
	return text_ascii(text, QUOTED, (struct span){ s.p, s.len < DECODE_SHOWN ? s.len : DECODE_SHOWN });
}

const char *decode_raw(char out[DECODE_WORDS], struct span s)
{
	char text[QUOTED];

	snprintf(out, DECODE_WORDS, "%s", quoted(text, s));
	if (s.len > DECODE_SHOWN)
		append(out, "... %zu bytes", s.len);
	return out;
}

static void append_effects(char out[DECODE_WORDS], unsigned effects)
{
	const char *before = "  (";

	for (unsigned effect = 1; effect < 1u << RSP_EFFECTS; effect <<= 1) {
		if (!(effects & effect))
			continue;
		append(out, "%s%s", before, rsp_effect_name(effect));
		before = " ";
	}
	append(out, ")");
}

static void drop_oldest(struct decode_asked *asked)
{
	asked->n -= asked->n > 0;
	for (size_t i = 0; i < asked->n; i++)
		asked->specs[i] = asked->specs[i + 1];
}

static void note_asked(struct decode_asked *asked, const struct rsp_spec *spec)
{
	if (asked->n == DECODE_ASKED)
		drop_oldest(asked);
	asked->specs[asked->n++] = spec;
}

void decode_again(struct decode_asked *asked)
{
	asked->n -= asked->n > 0;
}

void decode_command(char out[DECODE_WORDS], uint8_t *body, size_t len, struct decode_asked *asked)
{
	static struct rsp_cmd cmd; /* large */
	char shown[256];
	int rc;

	decode_raw(out, (struct span){ body, len });
	rc = rsp_cmd_parse(body, len, &cmd);
	if (!cmd.spec || cmd.spec->form != RSP_FORM_NONE)
		note_asked(asked, cmd.spec);
	if (rc < 0) {
		append(out, "  (malformed arguments of %s)", cmd.spec->name);
	} else if (cmd.op == RSP_OP_UNKNOWN) {
		append(out, "  (unknown packet)");
	} else {
		snprintf(out, DECODE_WORDS, "%s", rsp_cmd_show(&cmd, shown, sizeof shown));
		append_effects(out, cmd.effects);
	}
}

static void append_signal(char out[DECODE_WORDS], unsigned code)
{
	static const char *const names[] = {
		[1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT", [7] = "SIGEMT", [8] = "SIGFPE",
		[9] = "SIGKILL", [10] = "SIGBUS", [11] = "SIGSEGV", [12] = "SIGSYS", [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM",
	};

	if (code < sizeof names / sizeof *names && names[code])
		append(out, "%s", names[code]);
	else
		append(out, "signal %u", code);
}

static void append_thread(char out[DECODE_WORDS], struct rsp_thread t)
{
	char text[48];
	struct buf b = { .base = (uint8_t *)text, .cap = sizeof text };

	if (rsp_thread_put(&b, t) == 0)
		append(out, ", thread %.*s", (int)b.len, text);
}

static void append_reason(char out[DECODE_WORDS], const struct rsp_stop *s)
{
	static const char *const reasons[] = {
		[RSP_WHY_NONE] = "",
		[RSP_WHY_WATCH] = ", write watchpoint",
		[RSP_WHY_RWATCH] = ", read watchpoint",
		[RSP_WHY_AWATCH] = ", access watchpoint",
		[RSP_WHY_SWBREAK] = ", software breakpoint",
		[RSP_WHY_HWBREAK] = ", hardware breakpoint",
		[RSP_WHY_REPLAY_BEGIN] = ", begin of the replay log",
		[RSP_WHY_REPLAY_END] = ", end of the replay log",
		[RSP_WHY_LIBRARY] = ", libraries changed",
	};

	append(out, "%s", reasons[s->why]);
	if (s->why == RSP_WHY_WATCH || s->why == RSP_WHY_RWATCH || s->why == RSP_WHY_AWATCH)
		append(out, " at 0x%" PRIx64, s->addr);
}

static void say_stop(char out[DECODE_WORDS], const struct rsp_stop *s)
{
	static const char *const kinds[] = {
		[RSP_STOP_SIGNAL] = "stopped: ", [RSP_STOP_EXITED] = "exited with ", [RSP_STOP_KILLED] = "killed by ", [RSP_STOP_NONE_LEFT] = "no thread is left",
	};

	append(out, "  (%s", kinds[s->kind]);
	if (s->kind == RSP_STOP_EXITED)
		append(out, "%u", s->code);
	else if (s->kind != RSP_STOP_NONE_LEFT)
		append_signal(out, s->code);
	append_reason(out, s);
	if (s->has_thread)
		append_thread(out, s->thread);
	if (s->has_core)
		append(out, ", processor %" PRIu64, s->core);
	if (s->regs_n)
		append(out, ", %zu registers", s->regs_n);
	append(out, ")");
}

static void say_ok(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	(void)out, (void)r;
}

static void say_unsupported(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	(void)r;
	append(out, "  (empty: not supported)");
}

static void say_error(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	char text[QUOTED];

	append(out, r->bytes.len ? "  (error %u: %s)" : "  (error %u)", r->code, quoted(text, r->bytes));
}

static void say_bytes(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	append(out, "  (%zu bytes)", r->bytes.len);
}

static void say_regs(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	append(out, "  (%zu bytes of registers)", r->bytes.len / 2);
}

static void say_chunk(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	append(out, "  (%zu bytes, %s)", r->bytes.len, r->last ? "the last" : "more follow");
}

static void say_threads(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	if (r->last)
		append(out, "  (the end of the list)");
	else
		append(out, "  (%zu thread%s)", r->threads_n, r->threads_n == 1 ? "" : "s");
}

static void say_output(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	char text[QUOTED];

	append(out, "  (console: \"%s\"%s)", quoted(text, r->bytes), r->bytes.len > DECODE_SHOWN ? "..." : "");
}

static void say_file(char out[DECODE_WORDS], const struct rsp_reply *r)
{
	append(out, "  (result %" PRId64, r->result);
	if (r->code)
		append(out, ", errno %u", r->code);
	if (r->bytes.p)
		append(out, ", %zu bytes", r->bytes.len);
	append(out, ")");
}

static bool printable(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	return true;
}

/* A target that asks the debugger's machine to open, write, run: Fopen,... */
static bool asks_host(const uint8_t *body, size_t len)
{
	return len > 1 && body[0] == 'F' && body[1] >= 'a' && body[1] <= 'z' && memchr(body, ',', len) && printable(body, len);
}

static bool is_stop(const uint8_t *body, size_t len)
{
	return len && strchr("TSWXN", body[0]);
}

/* O may come where something runs, or runs on. */
static enum rsp_form form_of(const uint8_t *body, size_t len, const struct decode_asked *asked)
{
	if (asked->n)
		return asked->specs[0] ? asked->specs[0]->form : RSP_FORM_TEXT;
	if (len > 2 && body[0] == 'O')
		return RSP_FORM_MONITOR;
	return is_stop(body, len) ? RSP_FORM_STOP : RSP_FORM_TEXT;
}

void decode_reply(char out[DECODE_WORDS], uint8_t *body, size_t len, struct decode_asked *asked)
{
	static void (*const say[])(char *, const struct rsp_reply *) = {
		[RSP_REPLY_OK] = say_ok,       [RSP_REPLY_UNSUPPORTED] = say_unsupported, [RSP_REPLY_ERROR] = say_error,
		[RSP_REPLY_BYTES] = say_bytes, [RSP_REPLY_REGS] = say_regs,               [RSP_REPLY_TEXT] = say_ok,
		[RSP_REPLY_CHUNK] = say_chunk, [RSP_REPLY_THREADS] = say_threads,         [RSP_REPLY_OUTPUT] = say_output,
		[RSP_REPLY_FILE] = say_file,
	};
	static struct rsp_thread threads[RSP_THREADS_MAX];
	static struct rsp_stop stop;
	struct rsp_expect want = { .form = form_of(body, len, asked), .most = DECODE_BODY, .threads = threads, .threads_max = RSP_THREADS_MAX };
	struct rsp_reply r;

	decode_raw(out, (struct span){ body, len });
	if (want.form != RSP_FORM_FILE && asks_host(body, len)) {
		append(out, "  (asks the debugger's machine)");
		return;
	}
	if (rsp_reply_parse(body, len, &want, &r, &stop) < 0) {
		if (asked->n && asked->specs[0])
			append(out, "  (not an answer to %s)", asked->specs[0]->name);
		asked->n = asked->n ? 1 : 0; /* whatever that was: the next command begins anew */
	} else if (r.kind == RSP_REPLY_STOP) {
		say_stop(out, &stop);
	} else {
		say[r.kind](out, &r);
	}
	if (r.kind == RSP_REPLY_OUTPUT)
		return; /* and the answer is still to come */
	if (!asked->n)
		append(out, "  (nobody asked)");
	drop_oldest(asked);
}

void decode_notification(char out[DECODE_WORDS], uint8_t *body, size_t len)
{
	decode_raw(out, (struct span){ body, len });
	append(out, "  (notification)");
}
