/* backend_fuzz.c - a whole backend on a line in memory, with a clock of its own: the input is a script of what its client, its stub
 * and the time do. Whatever that is, the backend comes to rest, says only packets that parse, tells what the table of the target's
 * states knows, answers each command in its form, and either has an answer in the end or is lost, with a reason. */
#include "backends/backend.h"
#include "backends/link/console.h"
#include "backends/link/link.h"
#include "base/hex.h"
#include "filters/guard.h"
#include "filters/guard_doc.h"
#include "rsp/framer.h"
#include "rsp/tdesc.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void __wrap_free(void *p);

enum { BODY = 65536, SHOWN = 512, STEPS = 64, ROUNDS = 200, RESTLESS = 100, PIECE = 4096, MEMORY = 2048, FLOOD = 40 };
enum state { OPENING, STOPPED, ASKED, RUNNING, LEAVING, LOST };

/* The far end, and what is known of the near one. */
static struct world {
	struct backend *be;
	struct link *far;      /* NULL: it has hung up */
	const struct kind *kind;
	enum state state;
	uint64_t now, seen;    /* seen: incidents, ever */
	size_t fed;            /* bytes, since it last rested */
	bool honest;           /* while it is met */
	bool acks;             /* what it hears */
	bool goes;             /* the resume may not have been heard yet */
	bool asks;             /* it has asked for a file, or said that it stopped */
	bool hung_up;
	size_t read;           /* bytes of the read in flight */
	uint64_t wanted;
	enum rsp_op op;        /* of the command in flight */
	enum rsp_form form;
	bool pending;          /* request is one that was not answered yet */
	char request[SHOWN];   /* its beginning */
} w;

static struct rsp_framer framer;
static struct buf rx, tx;
static struct rsp_cmd cmd;
static struct backend_news news;

static void failed(const char *what, int line)
{
	fprintf(stderr, "backend_fuzz: line %d: not so: %s (state %d, %s was asked, then %.*s)\n", line, what, (int)w.state, w.request,
		(int)framer.body.len, (const char *)framer.body.base);
	abort();
}

#define must(ok) ((ok) ? (void)0 : failed(#ok, __LINE__))

/* ---- the stub ---- */

static const struct kind {
	const char *supported, *description, *stop;
	bool vcont;
	enum { ALONE, KGDB, KGDB_CONSOLE } line; /* is the line the stub's alone, or a kernel's console too? */
	const char *to_break;
} kinds[] = {
	{ "", NULL, "S05", false, ALONE, NULL },
	{ "PacketSize=100;vContSupported+", NULL, "T05thread:1;", true, ALONE, NULL },
	{ "PacketSize=1000;QStartNoAckMode+;vContSupported+;swbreak+;qXfer:libraries:read+;qXfer:threads:read+;qXfer:exec-file:read+", NULL, "T05thread:p1.1;", true, ALONE, NULL },
	{ "PacketSize=400;QStartNoAckMode+;qXfer:features:read+;qXfer:libraries-svr4:read+;qXfer:auxv:read+;qXfer:siginfo:read+",
	  "<target><architecture>i386</architecture><feature name=\"a\"><reg name=\"eax\" bitsize=\"32\"/><reg name=\"eip\" bitsize=\"32\"/></feature></target>",
	  "T05thread:1;", true, ALONE, NULL },
	{ "PacketSize=3fff;qXfer:memory-map:read+;qXfer:features:read+", "<target/>", "S02", false, ALONE, NULL },
	{ "", NULL, "S05", false, KGDB, NULL },
	{ "", NULL, "S05", false, KGDB_CONSOLE, NULL },
	{ "", NULL, "T05thread:fffffffe;", false, KGDB_CONSOLE, "\017g" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void put(struct span s)
{
	buf_reset(&tx, 0);
	if (!w.far || buf_put_span(&tx, s) < 0)
		return;
	w.fed += s.len;
	(void)!link_send(w.far, &tx, w.now); /* what the line does not hold is lost */
}

static void say(struct span body)
{
	static uint8_t room[2 * BODY];
	struct buf out = { .base = room, .cap = sizeof room };
	uint8_t sum = rsp_sum(body);

	w.asks |= body.len && memchr("FTS", body.p[0], 3);
	if (buf_put_u8(&out, '$') == 0 && buf_put_span(&out, body) == 0 && buf_printf(&out, "#%02x", sum) == 0)
		put(buf_span(&out));
}

static void say_text(const char *text)
{
	say(span_of(text));
}

static void say_memory(const char *args)
{
	static char hex[2 * MEMORY + 1];
	const char *comma = strchr(args, ',');
	size_t n = comma ? strtoul(comma + 1, NULL, 16) : 0;

	n = n < MEMORY ? n : MEMORY;
	memset(hex, '4', 2 * n);
	hex[2 * n] = 0;
	say_text(hex);
}

/* As many as the description has, or as KGDB on amd64. */
static void say_registers(const char *args)
{
	enum { AMD64 = 17 * 8 + 5 * 4 };
	static char hex[2 * AMD64 + 1];
	size_t n = w.kind->line == ALONE ? 16 : 2 * AMD64;

	(void)args;
	memset(hex, '1', n);
	hex[n] = 0;
	say_text(hex);
}

static void say_description(const char *args)
{
	char text[SHOWN];

	(void)args;
	snprintf(text, sizeof text, "l%s", w.kind->description ? w.kind->description : "");
	say_text(text);
}

static void say_supported(const char *args)
{
	(void)args;
	say_text(w.kind->supported);
}

static void say_vcont(const char *args)
{
	(void)args;
	say_text(w.kind->vcont ? "vCont;c;C;s;S" : "");
}

static void say_stop(const char *args)
{
	(void)args;
	say_text(w.kind->stop);
}

/* What an honest stub says; the longer names first. */
static const struct answer {
	const char *request, *text;
	void (*says)(const char *args);
} answers[] = {
	{ "qSupported", NULL, say_supported }, { "QStartNoAckMode", "OK", NULL }, { "vCont?", NULL, say_vcont }, { "vCont", NULL, say_stop },
	{ "qXfer:features:read:", NULL, say_description }, { "qXfer:memory-map", "l<memory-map/>", NULL }, { "qXfer:exec-file", "l/bin/sh", NULL },
	{ "qXfer:threads", "l<threads/>", NULL }, { "qXfer:", "l<library-list/>", NULL }, { "qC", "QC1", NULL }, { "qfThreadInfo", "m1,2", NULL },
	{ "qsThreadInfo", "l", NULL }, { "qThreadExtraInfo", "4142", NULL }, { "qRcmd", "OK", NULL }, { "?", NULL, say_stop },
	{ "m", NULL, say_memory }, { "g", NULL, say_registers }, { "p", "01000000", NULL }, { "c", NULL, say_stop }, { "C", NULL, say_stop },
	{ "s", NULL, say_stop }, { "S", NULL, say_stop }, { "b", NULL, say_stop }, { "H", "OK", NULL }, { "Z", "OK", NULL }, { "z", "OK", NULL },
	{ "M", "OK", NULL }, { "P", "OK", NULL }, { "G", "OK", NULL }, { "D", "OK", NULL }, { "T", "OK", NULL }, { "", "", NULL },
};

static void answer_honestly(void)
{
	const struct answer *a = answers;

	if (!w.pending)
		return;
	w.pending = false;
	while (strncmp(w.request, a->request, strlen(a->request)))
		a++;
	if (a->says)
		a->says(w.request + strlen(a->request));
	else
		say_text(a->text);
}

/* ---- what the backend says ---- */

/* Whatever has happened, it is a packet as a debugger may send one. While its target runs it only reads what that wants to print, and
 * answers; sets the pc back to a trap, of which its client is told when that is done; or says the last packet again, because it was
 * not acknowledged. */
static void hear_packet(struct span body)
{
	bool quiet = w.state == RUNNING && !w.goes && w.kind->line == ALONE; /* a kernel may be asked whether it stands after all */
	bool again = !strncmp(w.request, (const char *)body.p, body.len < SHOWN - 1 ? body.len : SHOWN - 1);

	w.goes = false;
	must(!quiet || again || (w.asks && body.len && memchr("mFHpP", body.p[0], 5)));
	snprintf(w.request, sizeof w.request, "%.*s", (int)(body.len < SHOWN ? body.len : SHOWN), (const char *)body.p);
	w.pending = true;
	must(rsp_cmd_parse(buf_data(&framer.body), body.len, &cmd) == 0 && cmd.spec);
	if (w.acks)
		put(span_of("+"));
}

static void hear_event(enum rsp_event ev)
{
	must(ev == RSP_NONE || ev == RSP_PACKET || ev == RSP_ACK || ev == RSP_NAK || ev == RSP_BREAK ||
	     (ev == RSP_NOISE && w.kind->line == KGDB_CONSOLE)); /* what is typed there */
	must(ev != RSP_BREAK || w.state >= RUNNING || w.state == STOPPED); /* it may have stopped since that went out */
	if (ev == RSP_PACKET)
		hear_packet(buf_span(&framer.body));
}

static void listen(void)
{
	enum rsp_event ev;

	while (w.far && link_recv(w.far, &rx, w.now) == 1)
		while (rx.len) {
			must(buf_pull(&rx, rsp_framer_feed(&framer, buf_span(&rx), &ev)) == 0);
			hear_event(ev);
		}
}

/* ---- what the backend tells ---- */

/* Every byte of it can be read. */
static void touch(struct span s)
{
	static uint8_t room[2 * BODY];

	must(s.len <= GUARD_DOC_MAX);
	if (s.len)
		memcpy(room, s.p, s.len < sizeof room ? s.len : sizeof room);
}

static void stop_holds(const struct rsp_stop *s)
{
	const struct tdesc *t = w.be->ops->info(w.be)->tdesc;

	must(s->kind == RSP_STOP_SIGNAL && s->regs_n <= RSP_STOP_REGS && !s->words);
	must(!s->has_thread || (rsp_thread_names_one(s->thread) && s->thread.pid != RSP_THREAD_ALL));
	for (size_t i = 0; i < s->regs_n && w.state == RUNNING; i++)
		must(t && tdesc_reg(t, s->regs[i].num) && s->regs[i].len == (tdesc_reg(t, s->regs[i].num)->bits + 7) / 8);
}

static void threads_hold(const struct rsp_reply *r)
{
	must(r->threads_n <= RSP_THREADS_MAX);
	for (size_t i = 0; i < r->threads_n; i++)
		must(rsp_thread_names_one(r->threads[i]) && r->threads[i].pid != RSP_THREAD_ALL);
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

static void reply_holds(const struct rsp_reply *r)
{
	must(of_form(r->kind) && (!is_resume() || r->kind == RSP_REPLY_ERROR || r->kind == RSP_REPLY_UNSUPPORTED));
	touch(r->bytes);
	if (is_read() && r->kind == RSP_REPLY_BYTES)
		must((w.read += r->bytes.len) <= w.wanted);
	if (r->kind == RSP_REPLY_THREADS)
		threads_hold(r);
	must(r->kind != RSP_REPLY_ERROR || r->bytes.len <= RSP_ERROR_TEXT);
	must(r->kind != RSP_REPLY_CHUNK || r->last);
	for (size_t i = 0; i < r->bytes.len && (r->kind == RSP_REPLY_REGS || r->kind == RSP_REPLY_TEXT || r->kind == RSP_REPLY_ERROR); i++)
		must(r->bytes.p[i] >= 0x20 && r->bytes.p[i] <= 0x7e);
}

static void told_reply(void)
{
	reply_holds(&news.reply);
}

static void told_part(void)
{
	must(is_read() && news.reply.kind == RSP_REPLY_BYTES && news.reply.bytes.len);
	reply_holds(&news.reply);
}

static void told_runs(void)
{
	must(w.state == OPENING || is_resume());
	w.goes = true;
}

static void told_stop(void)
{
	stop_holds(&news.stop);
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
static const struct row {
	enum state state;
	enum backend_event ev;
	void (*told)(void);
	enum state next;
} rows[] = {
	{ OPENING, BACKEND_STOPPED, told_stop, STOPPED }, { OPENING, BACKEND_RUNS, told_runs, RUNNING },  { ASKED, BACKEND_REPLY, told_reply, STOPPED },
	{ ASKED, BACKEND_PART, told_part, ASKED },        { ASKED, BACKEND_RUNS, told_runs, RUNNING },    { RUNNING, BACKEND_STOPPED, told_stop, STOPPED },
	/* in any: */
	{ LOST, BACKEND_PRINT, told_text, LOST },         { LOST, BACKEND_CONSOLE, told_text, LOST },     { LOST, BACKEND_MOVED, told_nothing, LOST },
};

static void told(enum backend_event ev)
{
	const struct row *r = rows, *end = rows + sizeof rows / sizeof *rows;

	while (r < end && (r->ev != ev || (r->state != w.state && r->state != LOST)))
		r++;
	must(r < end);
	r->told();
	w.state = r->state == LOST ? w.state : r->next;
}

static uint64_t incidents(void)
{
	const struct guard *g = w.be->ops->guard(w.be);
	uint64_t n = 0;

	for (int i = 0; i < GUARD_WHATS; i++)
		n += g->kinds[i].seen;
	return n;
}

static void lost(int rc)
{
	const struct guard *g = w.be->ops->guard(w.be);

	must(rc == -EPROTO || rc == -ETIMEDOUT || rc == -ESHUTDOWN || rc == -EPIPE);
	must(rc != -EPIPE || w.hung_up);
	must(rc != -ESHUTDOWN || w.state == LEAVING);
	if (rc == -EPROTO || rc == -ETIMEDOUT)
		must(w.be->ops->why(w.be) && *w.be->ops->why(w.be) && g->kinds[GUARD_LOST].seen);
	w.state = LOST;
}

static void tell_guard(void)
{
	struct guard *g = w.be->ops->guard(w.be);
	struct guard_incident in;
	uint64_t n = incidents();

	must(n >= w.seen && g->kept_n <= GUARD_KEPT);
	w.seen = n;
	while (guard_next(g, &in, w.now))
		must(in.what < GUARD_WHATS && strnlen(in.words, sizeof in.words) < sizeof in.words);
}

static uint64_t due(bool *write)
{
	struct wait wt = wait_none();

	w.be->ops->wait(w.be, &wt);
	must(wt.read);
	*write = wt.write;
	return wt.until;
}

/* As a turn of the loop does: until nothing moves, nothing is due and nothing was refused. Each thing that moves has eaten a byte, or
 * has gone one step. */
static void settle(void)
{
	size_t most = 4 * w.fed + 1000, restless = 0;
	bool again = true, write;

	while (again) {
		int rc = w.be->ops->poll(w.be, &news, w.now);

		must(most-- > 0);
		must(rc != BACKEND_NONE || ++restless < RESTLESS);
		if (rc < 0)
			lost(rc);
		else if (rc != BACKEND_NONE)
			told((enum backend_event)rc);
		listen();
		again = w.state != LOST && (rc != BACKEND_NONE || due(&write) <= w.now || write);
	}
	w.fed = 0;
	tell_guard();
}

/* The honest beginning, unless the script wants it otherwise. */
static void meet(void)
{
	settle();
	for (int i = 0; w.honest && w.state == OPENING && w.pending && i < STEPS; i++) {
		answer_honestly();
		settle();
	}
}

/* ---- the client ---- */

static void submit(void)
{
	int rc;

	if (w.state == LOST || cmd.op == RSP_OP_UNKNOWN)
		return;
	rc = w.be->ops->submit(w.be, &cmd);
	if (w.state != STOPPED) {
		must(rc == -EBUSY);
		return;
	}
	must(rc == 0 || rc == -EOPNOTSUPP || rc == -EINVAL);
	if (rc)
		return;
	w.state = ASKED;
	w.op = cmd.op;
	w.form = cmd.spec->form;
	w.wanted = cmd.len;
	w.read = 0;
}

static void submit_packet(struct span packet)
{
	static uint8_t room[SHOWN];

	if (packet.len > sizeof room)
		return;
	if (packet.len)
		memcpy(room, packet.p, packet.len);
	if (rsp_cmd_parse(room, packet.len, &cmd) == 0)
		submit();
	memset(room, 0xee, packet.len); /* the client may be gone before the answer */
}

/* ---- the script ---- */

static void do_answer(struct cursor *c)
{
	(void)c;
	answer_honestly();
}

static void do_packet(struct cursor *c)
{
	w.pending = false;
	say(cursor_take(c, cursor_u8(c)));
}

static void do_bytes(struct cursor *c)
{
	w.asks = true; /* whatever it is */
	put(cursor_take(c, cursor_u8(c)));
}

static const char *one_of(const char *const *of, size_t n, struct cursor *c)
{
	return of[cursor_u8(c) % n];
}

static void do_lie(struct cursor *c)
{
	static const char *const lies[] = {
		"OK", "", "E01", "E.no", "l", "m", "m1,2", "m1,1,0", "mfffffffe,fffffffd", "QC0", "QC-1", "41", "4141414141414141", "xxxxxxxx", "O41", "O1b5d0a", "O",
		"T05", "S05", "T05thread:2;", "T05swbreak:;thread:1;", "T05watch:1000;", "T05zz", "Tzz", "W00", "X09", "N", "T0508:10000000;thread:1;",
		"Fwrite,1,1000,8", "Fwrite,2,1000,ffff", "Fwrite,1,fffffffffffffff0,ffff", "Fopen,1000/5,0,0", "Fsystem,1000/5", "F", "Fisatty,0", "PacketSize=1", "PacketSize=ffffffff;QStartNoAckMode+",
		"l<target/>", "m<target>", "l<library-list/>", "vCont;c;s;r", "1,ffff", "C1234", "bABCD", "start:0;size:0;", "F-1,2", "S", "T05thread:0;",
	};

	w.pending = false;
	say_text(one_of(lies, sizeof lies / sizeof *lies, c));
}

static void do_flood(struct cursor *c)
{
	static const char *const floods[] = { "OK", "O41", "T05", "Fopen,1000/5,0,0", "m1", "E01", "Fwrite,1,1000,8", "" };
	const char *text = one_of(floods, sizeof floods / sizeof *floods, c);

	for (int n = cursor_u8(c) % FLOOD; n > 0; n--)
		say_text(text);
}

static void do_signal(struct cursor *c)
{
	static const char *const signals[] = { "+", "-", "\003", "+++", "--", "$", "%Stop:T05#00", "$OK#00", "$m", "$4*~#a2" };

	put(span_of(one_of(signals, sizeof signals / sizeof *signals, c)));
}

static void do_command(struct cursor *c)
{
	static const char *const commands[] = {
		"m1000,40", "m0,ffff", "m1000,0", "x1000,20", "g", "p1", "p0", "p8", "P1=01000000", "G0000000001000000", "M1000,4:01020304", "X1000,2:ab", "Z0,1000,1",
		"z0,1000,1", "Z1,1000,1", "Z2,1000,8", "vCont;c", "vCont;s:1", "vCont;C05:1;c", "vCont;r1000,1010:1", "c", "s", "C05", "c1000", "bs", "qfThreadInfo",
		"qXfer:libraries:read::0,fff", "qXfer:exec-file:read::0,fff", "qXfer:auxv:read::0,fff", "qXfer:threads:read::0,fff", "qRcmd,68656c70", "qCRC:1000,40",
		"qSearch:memory:1000;40;a", "qThreadExtraInfo,2", "T2", "Hg2", "Hc-1", "qOffsets", "qMemoryRegionInfo:1000", "k", "D", "vFlashErase:1000,1000",
		"g;thread:2;", "p1;thread:2;", "QSaveRegisterState", "vCtrlC", "m1000,40", "qGetTLSAddr:1,0,0",
	};

	submit_packet(span_of(one_of(commands, sizeof commands / sizeof *commands, c)));
}

static void do_any_command(struct cursor *c)
{
	submit_packet(cursor_take(c, cursor_u8(c)));
}

/* A row of the table, as far as it makes sense without more. */
static void do_row(struct cursor *c)
{
	uint8_t room[SHOWN];
	struct buf out = { .base = room, .cap = sizeof room };
	const struct rsp_spec *spec = rsp_spec_at(cursor_u8(c));

	if (!spec)
		return;
	rsp_cmd_make(&cmd, spec->name);
	cmd.addr = cursor_u8(c) * 8u;
	cmd.has_addr = false;
	cmd.thread.tid = 1;
	if (rsp_cmd_encode(&out, &cmd) == 0)
		submit_packet(buf_span(&out));
}

static void do_time(struct cursor *c)
{
	static const unsigned ms[] = { 1, 10, 100, 249, 250, 1000, 2000, 5000, 20000, 60000, 600000 };

	w.now += ms[cursor_u8(c) % (sizeof ms / sizeof *ms)];
}

static void do_deadline(struct cursor *c)
{
	bool write;
	uint64_t until = due(&write);

	(void)c;
	w.now = until != NEVER && until > w.now ? until : w.now;
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

static void do_type(struct cursor *c)
{
	static const uint8_t text[PIECE] = { [0 ... PIECE - 1] = 'a' };
	size_t n = cursor_u8(c) * 16u;

	if (w.be->ops->type)
		must(w.be->ops->type(w.be, (struct span){ text, n }) <= n);
}

static void do_hang_up(struct cursor *c)
{
	if (cursor_u8(c) % 4)
		return;
	link_destroy_stack(w.far);
	w.far = NULL;
	w.hung_up = true;
}

static void play(struct cursor *c)
{
	static void (*const steps[])(struct cursor *c) = {
		do_answer, do_answer,   do_answer, do_packet,   do_bytes, do_lie,   do_lie,   do_flood,
		do_signal, do_command, do_command, do_any_command, do_row, do_time, do_deadline, do_interrupt,
		do_leave,  do_hang_up,  do_type,
	};

	for (int i = 0; i < STEPS && w.state != LOST && cursor_peek(c) >= 0; i++) {
		steps[cursor_u8(c) % (sizeof steps / sizeof *steps)](c);
		meet();
	}
}

/* ---- its end ---- */

/* A stub that says nothing any more: whoever waits for it is told so in the end. A target that runs may run for ever. */
static void finish(void)
{
	bool write;

	w.honest = false;
	do_interrupt(NULL);
	for (int i = 0; i < ROUNDS && w.state != LOST; i++) {
		uint64_t until;

		if (w.state == STOPPED)
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

static void prepare(void)
{
	must(rsp_framer_init(&framer, RSP_STRICT, BODY) == 0 && buf_init(&rx, BODY) == 0 && buf_init(&tx, 2 * BODY) == 0);
}

static struct backend *kgdb_new(struct link *near)
{
	struct link *console = w.kind->line == KGDB_CONSOLE ? link_console_new(near) : NULL;

	return backend_kgdb_new(console ? console : near, console, w.kind->to_break);
}

static void begin(uint8_t kind, uint8_t line)
{
	static const enum fault faults[] = { FAULT_NONE, FAULT_NONE, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL, FAULT_DROP, FAULT_TWICE };
	enum fault fault = faults[line % (sizeof faults / sizeof *faults)];
	struct link *far = NULL, *near = link_pair_new(&far, PIECE);

	must(near != NULL);
	near = fault == FAULT_NONE ? near : link_fault_new(near, fault, 1 + line / 64);
	w = (struct world){ .far = far, .kind = &kinds[kind % KINDS], .honest = kind / KINDS % 4 != 0, .acks = line & 32, .now = 1000 };
	must(near != NULL);
	w.be = w.kind->line == ALONE ? backend_rsp_new(near) : kgdb_new(near);
	must(w.be != NULL);
	rsp_framer_reset(&framer);
}

/* Freed memory is not kept: what an input needs is much, and used once. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:clear_shadow_mmap_threshold=16777216";
}

/* ---- memory: a backend's large buffers would be mapped and unmapped for every input ---- */

enum { POOL = 32, LARGE = 4096 };

static struct block {
	void *p;
	size_t n;
	bool used;
} pool[POOL];

static void *take_large(size_t n)
{
	struct block *b = pool, *end = pool + POOL;

	while (b < end && b->p && (b->used || b->n != n))
		b++;
	if (b == end)
		return __real_malloc(n);
	if (!b->p)
		*b = (struct block){ .p = __real_malloc(n), .n = n };
	b->used = b->p != NULL;
	__asan_unpoison_memory_region(b->p, n);
	return b->p;
}

void *__wrap_malloc(size_t n)
{
	return n < LARGE ? __real_malloc(n) : take_large(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
	void *p = n * each < LARGE ? __real_calloc(n, each) : take_large(n * each);

	return p && n * each >= LARGE ? memset(p, 0, n * each) : p;
}

void __wrap_free(void *p)
{
	struct block *b = pool, *end = pool + POOL;

	while (b < end && b->p && b->p != p)
		b++;
	if (!p || b == end || !b->p) {
		__real_free(p);
		return;
	}
	must(b->used);
	b->used = false;
	__asan_poison_memory_region(p, b->n);
}

static size_t blocks_used(void)
{
	size_t n = 0;

	for (size_t i = 0; i < POOL; i++)
		n += pool[i].used;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = { .p = data, .end = data + size };
	uint8_t kind = cursor_u8(&c), line = cursor_u8(&c);
	size_t before;

	if (!rx.base)
		prepare();
	before = blocks_used();
	begin(kind, line);
	meet();
	play(&c);
	finish();
	w.be->ops->destroy(w.be);
	link_destroy_stack(w.far);
	must(blocks_used() == before);
	return 0;
}
