/* backend_walk.h - a whole backend on a line in memory, with a clock of its own, walked along a script of what its client, its target and
 * the time do: what holds for every backend, whatever that is. Included once, by a fuzz target that has the far end. */
#ifndef TESTS_FUZZ_BACKEND_WALK_H
#define TESTS_FUZZ_BACKEND_WALK_H

#include "backends/backend.h"
#include "backends/link/link.h"
#include "filters/guard.h"
#include "filters/guard_doc.h"
#include "rsp/tdesc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

enum { ROOM = 65536, SHOWN = 512, STEPS = 64, ROUNDS = 1200, RESTLESS = 100, PIECE = 4096 };
enum state { OPENING, STOPPED, ASKED, RUNNING, LEAVING, LOST };

/* What is known of it. */
static struct walk {
	struct backend *be;
	enum state state;
	uint64_t now, seen;  /* seen: incidents, ever */
	size_t fed;          /* bytes, since it last rested */
	bool hung_up;        /* its line is */
	int unable;          /* what it says of what it cannot do, when it is not stopped: -EBUSY, as of all else, or -EOPNOTSUPP */
	size_t read;         /* bytes of the read in flight */
	uint64_t wanted;
	enum rsp_op op;      /* of the command in flight */
	enum rsp_form form;
	char command[SHOWN]; /* its beginning */
	char request[SHOWN]; /* the beginning of what it last asked a stub */
} w;

static struct buf tx;
static struct rsp_cmd cmd;
static struct backend_news news;

static void failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not so: %s (state %d, %s was asked for, then %s)\n", file, line, what, (int)w.state, w.command, w.request);
	abort();
}

#define must(ok) ((ok) ? (void)0 : failed(#ok, __FILE__, __LINE__))

static void show(char room[static SHOWN], struct span body)
{
	snprintf(room, SHOWN, "%.*s", (int)(body.len < SHOWN ? body.len : SHOWN), (const char *)body.p);
}

/* What the line does not hold is lost. far: NULL, it has hung up. */
static void put_on(struct link *far, struct span s)
{
	buf_reset(&tx, 0);
	if (!far || buf_put_span(&tx, s) < 0)
		return;
	w.fed += s.len;
	(void)!link_send(far, &tx, w.now);
}

/* ---- what it tells ---- */

/* Every byte of it can be read. */
static void touch(struct span s)
{
	static uint8_t room[4 * ROOM];

	must(s.len <= GUARD_DOC_MAX);
	if (s.len)
		memcpy(room, s.p, s.len < sizeof room ? s.len : sizeof room);
}

static bool has_register(const struct tdesc *t, const struct rsp_stop_reg *r)
{
	return t && tdesc_reg(t, r->num) && r->len == (tdesc_reg(t, r->num)->bits + 7) / 8;
}

static bool is_read(void)
{
	return w.op == RSP_OP_MEM_READ || w.op == RSP_OP_MEM_READ_BIN;
}

static bool is_resume(void)
{
	return w.op == RSP_OP_RESUME || w.op == RSP_OP_REVERSE;
}

/* A resume's answer is that it runs; else it was refused. */
static bool of_form(enum rsp_reply_kind kind)
{
	static const unsigned told[] = {
		[RSP_FORM_NONE] = 1 << RSP_REPLY_OK,       [RSP_FORM_OK] = 1 << RSP_REPLY_OK,       [RSP_FORM_HEX] = 1 << RSP_REPLY_BYTES,
		[RSP_FORM_REGS] = 1 << RSP_REPLY_REGS,     [RSP_FORM_BINARY] = 1 << RSP_REPLY_BYTES, [RSP_FORM_TEXT] = 1 << RSP_REPLY_TEXT,
		[RSP_FORM_CHUNK] = 1 << RSP_REPLY_CHUNK,   [RSP_FORM_THREADS] = 1 << RSP_REPLY_THREADS, [RSP_FORM_STOP] = 0,
		[RSP_FORM_MONITOR] = 1 << RSP_REPLY_OK | 1 << RSP_REPLY_BYTES, [RSP_FORM_FILE] = 0,
	};

	return kind == RSP_REPLY_ERROR || kind == RSP_REPLY_UNSUPPORTED || told[w.form] >> kind & 1;
}

static bool is_shown(enum rsp_reply_kind kind)
{
	return kind == RSP_REPLY_REGS || kind == RSP_REPLY_TEXT || kind == RSP_REPLY_ERROR;
}

/* Of its form or not: that is the target's. */
static void reply_holds(const struct rsp_reply *r)
{
	must(!is_resume() || r->kind == RSP_REPLY_ERROR || r->kind == RSP_REPLY_UNSUPPORTED);
	touch(r->bytes);
	if (is_read() && r->kind == RSP_REPLY_BYTES)
		must((w.read += r->bytes.len) <= w.wanted);
	must(r->kind != RSP_REPLY_ERROR || r->bytes.len <= RSP_ERROR_TEXT);
	must(r->kind != RSP_REPLY_CHUNK || r->last);
	for (size_t i = 0; i < r->bytes.len && is_shown(r->kind); i++)
		must(r->bytes.p[i] >= 0x20 && r->bytes.p[i] <= 0x7e);
}

static void told_text(void)
{
	must(news.reply.kind == RSP_REPLY_OUTPUT);
	touch(news.reply.bytes);
}

static void told_nothing(void)
{
}

/* As proxy/target_states.c has it. */
struct row {
	enum state state;
	enum backend_event ev;
	void (*told)(void);
	enum state next;
};

struct rows {
	const struct row *p;
	size_t n;
};

static const struct row *row_of(struct rows rows, enum backend_event ev)
{
	for (size_t i = 0; i < rows.n; i++)
		if (rows.p[i].state == w.state && rows.p[i].ev == ev)
			return &rows.p[i];
	return NULL;
}

static bool told_anyway(enum backend_event ev)
{
	static void (*const anyway[BACKEND_EVENTS])(void) = {
		[BACKEND_PRINT] = told_text, [BACKEND_CONSOLE] = told_text, [BACKEND_MOVED] = told_nothing,
	};

	if (anyway[ev])
		anyway[ev]();
	return anyway[ev] != NULL;
}

static void told(struct rows rows, enum backend_event ev)
{
	const struct row *r = row_of(rows, ev);

	must(ev < BACKEND_EVENTS);
	if (told_anyway(ev))
		return;
	must(r);
	r->told();
	w.state = r->next;
}

static void lost(int rc)
{
	must(rc == -EPROTO || rc == -ETIMEDOUT || rc == -ESHUTDOWN || rc == -EPIPE);
	must(rc != -EPIPE || w.hung_up);
	must(rc != -ESHUTDOWN || w.state == LEAVING);
	if (rc == -EPROTO || rc == -ETIMEDOUT)
		must(w.be->ops->why(w.be) && *w.be->ops->why(w.be));
	w.state = LOST;
}

/* What it tells is one of the rows, or is told in any state. The event, or -errno. */
static int look(struct rows rows)
{
	int rc = w.be->ops->poll(w.be, &news, w.now);

	if (rc < 0)
		lost(rc);
	else if (rc != BACKEND_NONE)
		told(rows, (enum backend_event)rc);
	return rc;
}

static uint64_t due(bool *write)
{
	struct wait wt = wait_none();

	w.be->ops->wait(w.be, &wt);
	must(wt.read);
	*write = wt.write;
	return wt.until;
}

/* Nothing is due, and nothing was refused. */
static bool rests(void)
{
	bool write;

	return due(&write) > w.now && !write;
}

static uint64_t incidents(const struct guard *g)
{
	uint64_t n = 0;

	for (int i = 0; i < GUARD_WHATS; i++)
		n += g->kinds[i].seen;
	return n;
}

static void tell_guard(void)
{
	struct guard *g = w.be->ops->guard(w.be);
	struct guard_incident in;
	uint64_t n = incidents(g);

	must(n >= w.seen && g->kept_n <= GUARD_KEPT);
	w.seen = n;
	while (guard_next(g, &in, w.now))
		must(in.what < GUARD_WHATS && strnlen(in.words, sizeof in.words) < sizeof in.words);
}

/* ---- the client ---- */

static void submit(void)
{
	int rc = w.be->ops->submit(w.be, &cmd);

	if (w.state != STOPPED) {
		must(rc == -EBUSY || rc == w.unable);
		return;
	}
	must(rc == 0 || rc == -EOPNOTSUPP || rc == -EINVAL);
	if (rc)
		return;
	w.state = ASKED;
	w.op = cmd.op;
	w.form = cmd.spec ? cmd.spec->form : RSP_FORM_NONE;
	w.wanted = cmd.len;
	w.read = 0;
}

static void submit_packet(struct span body)
{
	static uint8_t room[SHOWN];

	if (w.state == LOST || body.len > sizeof room)
		return;
	show(w.command, body);
	if (body.len)
		memcpy(room, body.p, body.len);
	if (rsp_cmd_parse(room, body.len, &cmd) == 0)
		submit();
	memset(room, 0xee, sizeof room); /* the client may be gone before the answer */
}

static void do_any_command(struct cursor *c)
{
	submit_packet(cursor_take(c, cursor_u8(c)));
}

static void do_interrupt(struct cursor *c)
{
	(void)c;
	w.be->ops->interrupt(w.be);
}

static void do_leave(struct cursor *c)
{
	(void)c;
	if (w.state != STOPPED)
		return;
	w.be->ops->leave(w.be);
	w.state = LEAVING;
}

/* ---- the script, and its end ---- */

static void do_deadline(struct cursor *c)
{
	bool write;
	uint64_t until = due(&write);

	(void)c;
	w.now = until != NEVER && until > w.now ? until : w.now;
}

struct steps {
	void (*const *p)(struct cursor *c);
	size_t n;
};

static void play(struct cursor *c, struct steps steps, void (*settle)(void))
{
	for (int i = 0; i < STEPS && w.state != LOST && cursor_peek(c) >= 0; i++) {
		steps.p[cursor_u8(c) % steps.n](c);
		settle();
	}
}

/* With a far end that says nothing any more: whoever waits for it is told so in the end. A target that runs may run for ever. */
static void finish(void (*settle)(void))
{
	bool write;

	for (int i = 0; i < ROUNDS && w.state != LOST; i++) {
		uint64_t until;

		do_leave(NULL);
		settle();
		until = w.state == LOST ? w.now : due(&write);
		if (w.state == RUNNING && until == NEVER)
			return;
		must(until != NEVER || w.state == STOPPED);
		w.now = until > w.now && until != NEVER ? until : w.now;
	}
	must(w.state == LOST || w.state == RUNNING);
}

/* Freed memory is not kept: what an input needs is much, and used once. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:clear_shadow_mmap_threshold=16777216";
}

#endif
