/* backend_fuzz.c - a whole backend on a line in memory, with a clock of its own: the input is a script of what its client, its stub
 * and the time do. Whatever that is, the backend comes to rest, says only packets that parse, tells what the table of the target's
 * states knows, answers each command in its form, and either has an answer in the end or is lost, with a reason. */
#include "backends/link/console.h"
#include "base/hex.h"
#include "rsp/framer.h"
#include "tests/fuzz/backend_walk.h"
#include "tests/reuse.h"

enum { MEMORY = 2048, FLOOD = 40 };

/* The far end. */
static struct stub {
	struct link *far; /* NULL: it has hung up */
	struct link *console; /* its kernel's, if that has a line of its own; or NULL */
	const struct kind *kind;
	bool honest;      /* while it is met */
	bool acks;        /* what it hears */
	bool goes;        /* the resume may not have been heard yet */
	bool asks;        /* it has asked for a file, or said that it stopped */
	bool pending;     /* w.request is one that was not answered yet */
	unsigned halts;   /* that it was told to stop before it was met */
} stub;

static struct rsp_framer framer;
static struct buf rx;

/* ---- the stub ---- */

static const struct kind {
	const char *supported, *description, *stop;
	bool vcont;
	enum { ALONE, KGDB, KGDB_CONSOLE, KGDB_APART } line; /* is the line the stub's alone, or a kernel's console too, or beside it? */
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
	{ "", NULL, "S05", false, KGDB_APART, NULL },
	{ "", NULL, "T05thread:1;", false, KGDB_APART, "\017g" },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void put(struct span s)
{
	put_on(stub.far, s);
}

static void say(struct span body)
{
	static uint8_t room[2 * ROOM];
	struct buf out = { .base = room, .cap = sizeof room };
	uint8_t sum = rsp_sum(body);

	stub.asks |= body.len && memchr("FTS", body.p[0], 3);
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
	size_t n = stub.kind->line == ALONE ? 16 : 2 * AMD64;

	(void)args;
	memset(hex, '1', n);
	hex[n] = 0;
	say_text(hex);
}

static void say_description(const char *args)
{
	char text[SHOWN];

	(void)args;
	snprintf(text, sizeof text, "l%s", stub.kind->description ? stub.kind->description : "");
	say_text(text);
}

static void say_supported(const char *args)
{
	(void)args;
	say_text(stub.kind->supported);
}

static void say_vcont(const char *args)
{
	(void)args;
	say_text(stub.kind->vcont ? "vCont;c;C;s;S" : "");
}

static void say_stop(const char *args)
{
	(void)args;
	say_text(stub.kind->stop);
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

	if (!stub.pending)
		return;
	stub.pending = false;
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
	bool quiet = w.state == RUNNING && !stub.goes && stub.kind->line == ALONE; /* a kernel may be asked whether it stands after all */
	bool again = !strncmp(w.request, (const char *)body.p, body.len < SHOWN - 1 ? body.len : SHOWN - 1);

	stub.goes = false;
	must(!quiet || again || (stub.asks && body.len && memchr("mFHpP", body.p[0], 5)));
	show(w.request, body);
	stub.pending = true;
	must(rsp_cmd_parse(buf_data(&framer.body), body.len, &cmd) == 0 && cmd.spec);
	if (stub.acks)
		put(span_of("+"));
}

static void hear_event(enum rsp_event ev)
{
	must(ev == RSP_NONE || ev == RSP_PACKET || ev == RSP_ACK || ev == RSP_NAK || ev == RSP_BREAK ||
	     (ev == RSP_NOISE && stub.kind->line == KGDB_CONSOLE)); /* what is typed there */
	must(ev != RSP_BREAK || w.state != ASKED); /* it may have stopped since that went out */
	must(ev != RSP_BREAK || w.state != OPENING || ++stub.halts <= 2); /* once, and a line may say it twice */
	if (ev == RSP_PACKET)
		hear_packet(buf_span(&framer.body));
}

static void listen(void)
{
	enum rsp_event ev;

	while (stub.far && link_recv(stub.far, &rx, w.now) == 1)
		while (rx.len) {
			must(buf_pull(&rx, rsp_framer_feed(&framer, buf_span(&rx), &ev)) == 0);
			hear_event(ev);
		}
}

/* ---- what the backend tells ---- */

static void stop_holds(const struct rsp_stop *s)
{
	const struct tdesc *t = w.be->ops->info(w.be)->tdesc;

	must(s->kind == RSP_STOP_SIGNAL && s->regs_n <= RSP_STOP_REGS && !s->words);
	must(!s->has_thread || (rsp_thread_names_one(s->thread) && s->thread.pid != RSP_THREAD_ALL));
	for (size_t i = 0; i < s->regs_n && w.state == RUNNING; i++)
		must(has_register(t, &s->regs[i]));
}

static void threads_hold(const struct rsp_reply *r)
{
	must(r->threads_n <= RSP_THREADS_MAX);
	for (size_t i = 0; i < r->threads_n; i++)
		must(rsp_thread_names_one(r->threads[i]) && r->threads[i].pid != RSP_THREAD_ALL);
}

static void told_reply(void)
{
	must(of_form(news.reply.kind));
	reply_holds(&news.reply);
	if (news.reply.kind == RSP_REPLY_THREADS)
		threads_hold(&news.reply);
}

static void told_part(void)
{
	must(is_read() && news.reply.kind == RSP_REPLY_BYTES && news.reply.bytes.len);
	reply_holds(&news.reply);
}

static void told_runs(void)
{
	must(w.state == OPENING || is_resume());
	stub.goes = true;
}

static void told_stop(void)
{
	stop_holds(&news.stop);
}

static const struct row rows[] = {
	{ OPENING, BACKEND_STOPPED, told_stop, STOPPED }, { OPENING, BACKEND_RUNS, told_runs, RUNNING },  { ASKED, BACKEND_REPLY, told_reply, STOPPED },
	{ ASKED, BACKEND_PART, told_part, ASKED },        { ASKED, BACKEND_RUNS, told_runs, RUNNING },    { RUNNING, BACKEND_STOPPED, told_stop, STOPPED },
};

/* When it is given up, the guard says so. */
static bool is_told(int rc)
{
	return (rc != -EPROTO && rc != -ETIMEDOUT) || w.be->ops->guard(w.be)->kinds[GUARD_LOST].seen;
}

/* As a turn of the loop does: until nothing moves, nothing is due and nothing was refused. Each thing that moves has eaten a byte, or
 * has gone one step. */
static void settle(void)
{
	size_t most = 4 * w.fed + 1000, restless = 0;
	bool again = true;

	while (again) {
		int rc = look((struct rows){ rows, sizeof rows / sizeof *rows });

		must(most-- > 0 && is_told(rc));
		must(rc != BACKEND_NONE || ++restless < RESTLESS);
		listen();
		again = w.state != LOST && (rc != BACKEND_NONE || !rests());
	}
	w.fed = 0;
	tell_guard();
}

/* The honest beginning, unless the script wants it otherwise. */
static void meet(void)
{
	settle();
	for (int i = 0; stub.honest && w.state == OPENING && stub.pending && i < STEPS; i++) {
		answer_honestly();
		settle();
	}
}

/* ---- the script ---- */

static void do_answer(struct cursor *c)
{
	(void)c;
	answer_honestly();
}

static void do_packet(struct cursor *c)
{
	stub.pending = false;
	say(cursor_take(c, cursor_u8(c)));
}

static void do_bytes(struct cursor *c)
{
	stub.asks = true; /* whatever it is */
	put(cursor_take(c, cursor_u8(c)));
}

static void do_console(struct cursor *c)
{
	static const char *const says[] = { "sysrq: DEBUG\r\n", "[0]kdb> ", "KGDB: Entering KGDB\r\n", "[    0.000000] Linux version 6", "$T05thread:1;#d8+", "login: " };

	put_on(stub.console, span_of(says[cursor_u8(c) % (sizeof says / sizeof *says)]));
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

	stub.pending = false;
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

static void do_type(struct cursor *c)
{
	static const uint8_t text[PIECE] = { [0 ... PIECE - 1] = 'a' };
	size_t n = cursor_u8(c) * 16u;

	if (w.be->ops->type)
		must(w.be->ops->type(w.be, (struct span){ text, n }) <= n);
}

static void do_hang_up(struct cursor *c)
{
	uint8_t which = cursor_u8(c);
	struct link **far = which & 4 && stub.console ? &stub.console : &stub.far;

	if (which % 4)
		return;
	link_destroy_stack(*far);
	*far = NULL;
	w.hung_up = true;
}

static void (*const steps[])(struct cursor *c) = {
	do_answer, do_answer,  do_answer,  do_packet,      do_bytes, do_lie,  do_lie,      do_flood,
	do_signal, do_command, do_command, do_any_command, do_row,   do_time, do_deadline, do_interrupt,
	do_leave,  do_hang_up, do_type,    do_console,
};

static void prepare(void)
{
	must(rsp_framer_init(&framer, RSP_STRICT, ROOM) == 0 && buf_init(&rx, ROOM) == 0 && buf_init(&tx, 2 * ROOM) == 0);
}

static struct link *apart_new(struct link *near)
{
	struct link *beside = link_pair_new(&stub.console, PIECE);

	must(beside != NULL);
	return link_console_apart_new(near, beside);
}

static struct backend *kgdb_new(struct link *near)
{
	struct link *console = stub.kind->line == KGDB_CONSOLE ? link_console_new(near) : stub.kind->line == KGDB_APART ? apart_new(near) : NULL;

	return backend_kgdb_new(console ? console : near, console, stub.kind->to_break);
}

static void begin(uint8_t kind, uint8_t line)
{
	static const enum fault faults[] = { FAULT_NONE, FAULT_NONE, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL, FAULT_DROP, FAULT_TWICE };
	enum fault fault = faults[line % (sizeof faults / sizeof *faults)];
	struct link *far = NULL, *near = link_pair_new(&far, PIECE);

	must(near != NULL);
	near = fault == FAULT_NONE ? near : link_fault_new(near, fault, 1 + line / 64);
	w = (struct walk){ .now = 1000, .unable = -EBUSY };
	stub = (struct stub){ .far = far, .kind = &kinds[kind % KINDS], .honest = kind / KINDS % 4 != 0, .acks = line & 32 };
	must(near != NULL);
	w.be = stub.kind->line == ALONE ? backend_rsp_new(near) : kgdb_new(near);
	must(w.be != NULL);
	rsp_framer_reset(&framer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = { .p = data, .end = data + size };
	uint8_t kind = cursor_u8(&c), line = cursor_u8(&c);

	if (!rx.base)
		prepare();
	reuse_begin();
	begin(kind, line);
	meet();
	play(&c, (struct steps){ steps, sizeof steps / sizeof *steps }, meet);
	stub.honest = false;
	do_interrupt(NULL);
	finish(settle);
	w.be->ops->destroy(w.be);
	link_destroy_stack(stub.far);
	link_destroy_stack(stub.console);
	return 0;
}
