/* target_test.c - every .talk file, on good links and on all kinds of bad ones: the same words. And what no honest stub
 * says, who is served when, a client that does not read, real debuggers' own traffic. */
#include "tests/stage.h"

#include "base/hex.h"
#include "tests/reuse.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { EVERY_MAX = 60, TALKS_MAX = 64, CASE_NAME = 96 };

static struct stage g;
static const struct stage_fault good = { .kind = FAULT_NONE };

static void begin(struct stage_fault fault)
{
	assert_int_equal(stage_init(&g, fault), 0);
}

/* A stage that a failed test left behind is none of the next one's business. */
static int end(void **state)
{
	(void)state;
	stage_fini(&g);
	memset(&g, 0, offsetof(struct stage, clients));
	reuse_begin();
	return 0;
}

static const char *ask(int who, const char *packet)
{
	const char *said;

	stage_say(&g, who, packet);
	do
		said = stage_hear(&g, who);
	while (said && *said == '%');
	return said ? said : "nothing";
}

/* One .talk file and one kind of line. */
static struct talk_case {
	char name[CASE_NAME];
	const char *path;
	struct stage_fault fault;
} cases[TALKS_MAX * 6];
static size_t cases_n;

static void same_words(void **state)
{
	const struct talk_case *c = *state;
	struct stage_fault fault = c->fault;

	for (fault.every = 1; fault.every <= (fault.kind ? EVERY_MAX : 1); fault.every++) {
		begin(fault);
		stage_play(&g, c->path, false);
		end(NULL);
	}
}

/* A newcomer's g is answered with registers, at the second or third time if the line breaks under the first. */
static bool gets_registers(int who)
{
	stage_say(&g, who, "vMustReplyEmpty");
	stage_say(&g, who, "g");
	for (int i = 0; i < 40; i++) {
		for (const char *said = stage_hear(&g, who); said; said = stage_hear(&g, who)) {
			if (strlen(said) == 2 * PEER_REGS)
				return true;
			if (*said == 'E')
				stage_say(&g, who, "g");
		}
		assert_true(stage_wait(&g, 500));
	}
	return false;
}

/* Lines broke at any time; nobody hangs, and a newcomer finds a target that works and has nothing of the dead in it. */
static void aftermath(void)
{
	g.peer.silent = g.peer.slow = g.away = false;
	g.tame = true;
	if (g.t.closing) {
		assert_true(stage_wait(&g, TARGET_CLOSE_MS));
		assert_int_equal(g.t.state, TARGET_CLOSED);
		return;
	}
	for (int who = 0; who < STAGE_CLIENTS - 1; who++)
		stage_leave(&g, who);
	assert_true(stage_wait(&g, 30000));
	for (int who = 0; who < STAGE_CLIENTS - 1; who++)
		assert_true(stage_gone(&g, who));
	stage_leave(&g, STAGE_CLIENTS - 1);
	assert_true(stage_settle(&g));
	assert_int_equal(stage_join(&g, STAGE_CLIENTS - 1, policy_builtin("full")), 0);
	assert_true(gets_registers(STAGE_CLIENTS - 1));
	for (int i = 0; i < PEER_BREAKS; i++)
		assert_false(g.peer.breaks[i].set);
	assert_null(g.peer.rude);
}

static void nobody_is_stuck(void **state)
{
	const struct talk_case *c = *state;
	struct stage_fault fault = c->fault;

	for (fault.every = 1; fault.every <= EVERY_MAX; fault.every++) {
		begin(fault);
		stage_play(&g, c->path, true);
		aftermath();
		end(NULL);
	}
}

static void add_cases(struct CMUnitTest *tests, const char *path)
{
	static const struct {
		const char *name;
		struct stage_fault fault;
	} lines[] = {
		{ "good lines", { .kind = FAULT_NONE } },
		{ "refused sends", { .kind = FAULT_REFUSE } },
		{ "single bytes", { .kind = FAULT_SPLIT } },
		{ "late receives", { .kind = FAULT_STALL } },
		{ "target's line breaks", { .kind = FAULT_CLOSE, .where = STAGE_TARGET } },
		{ "clients' lines break", { .kind = FAULT_CLOSE, .where = STAGE_CLIENT } },
	};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct talk_case *c = &cases[cases_n];

		*c = (struct talk_case){ .path = path, .fault = lines[i].fault };
		snprintf(c->name, sizeof c->name, "%.50s, %s", strrchr(path, '/') + 1, lines[i].name);
		tests[cases_n++] = (struct CMUnitTest){
			.name = c->name, .test_func = lines[i].fault.kind == FAULT_CLOSE ? nobody_is_stuck : same_words,
			.teardown_func = end, .initial_state = c,
		};
	}
}

static int play_all(void)
{
	static struct CMUnitTest tests[sizeof cases / sizeof *cases];
	glob_t found;
	int rc;

	if (glob("tests/golden/*.talk", 0, NULL, &found) != 0 || found.gl_pathc > TALKS_MAX) {
		print_error("no tests/golden/*.talk here\n");
		return 1;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (!getenv("ONLY") || strstr(found.gl_pathv[i], getenv("ONLY")))
			add_cases(tests, found.gl_pathv[i]);
	rc = _cmocka_run_group_tests("talks", tests, cases_n, NULL, NULL);
	globfree(&found);
	return rc;
}

/* What no honest stub says: after what the client asked, this packet. Told: what the client hears of it; NULL: nothing.
 * Then the client asks again, and gets the answer to that. */
static const struct forgery {
	const char *asked, *forged, *told;
	bool ran, lost; /* the target did run; it is believed no more */
} forgeries[] = {
	{ NULL, "OK", NULL, false, false },
	{ NULL, "T05thread:1;", NULL, false, false },
	{ NULL, "W00", NULL, false, false },
	{ NULL, "Fopen,1/2,0,0", NULL, false, false },
	{ "m0,4", "0102", "0102", false, false }, /* a short read is an answer */
	{ "m0,4", "0102030405", "E01", false, false },
	{ "m0,4", "01020", "E01", false, false },
	{ "m0,4", "xxxxxxxx", "E01", false, false },
	{ "m0,4", "zz", "E01", false, false },
	{ "m0,4", "OK", "E01", false, false },
	{ "m0,4", "O6869", "E01", false, false },
	{ "m0,4", "E0e", "E0e", false, false },
	{ "m0,4", "", "", false, false },
	{ "m0,4", "T05thread:1;", NULL, false, false },
	{ "m0,40", "T05thread:1;", NULL, false, false },
	{ "m0,4", "Fwrite,1,0/0,4", "E01", false, false },
	{ "g", "01", "E.the target's answer makes no sense", false, false }, /* it ends within a register */
	{ "g", "0100000000000000", "0100000000000000", false, false },
	{ "g", "0", "E.the target's answer makes no sense", false, false },
	{ "g", "010000000000000000000000000000000000000000", "E.the target's answer makes no sense", false, false },
	{ "p0", "0102", "E.the target's answer makes no sense", false, false },
	{ "p0", "010203040506070809", "E.the target's answer makes no sense", false, false },
	{ "Z0,1000,1", "1", "E.the target's answer makes no sense", false, false },
	{ "qfThreadInfo", "mx", "E01", false, false },
	{ "qfThreadInfo", "m-1", "E01", false, false },
	{ "qfThreadInfo", "QC1", "m1", false, false }, /* a list of one */
	{ "qRcmd,68", "W00", NULL, false, false },
	{ "qRcmd,68", "Fsystem,1/2", "E01", false, false },
	{ "qOffsets", "Text=0;$", "E01", false, false },
	{ "qOffsets", "\033[2J", "E01", false, false },
	{ "qCRC:0,4", "C1}", "E01", false, false },
	{ "c", "OK", NULL, true, false },
	{ "c", "T05thread:-1;", "T05", true, false }, /* of a stop that makes no sense the signal is left */
	{ "c", "T05thread:zz;", "T05", true, false },
	{ "c", "T0bfee:1;", "T0b", true, false },
	{ "c", "S05thread:1;", "T05", true, false },
	{ "c", "T5", NULL, true, false },
	{ "c", "Tzzthread:1;", NULL, true, false },
	{ "c", "S5;", NULL, true, false },
	{ "c", "Oxx", NULL, true, false },
	{ "c", "m0,4", NULL, true, false },
	{ "c", "F1", NULL, true, false },
	{ "c", "Fsystem,1/2", NULL, true, false },
	{ "c", "W00", "O:kdgate: target dut is lost: its program has ended\\n", true, true },
	{ "c", "X09", "O:kdgate: target dut is lost: its program has ended\\n", true, true },
	{ "c", "N", "O:kdgate: target dut is lost: its program has ended\\n", true, true },
	{ "c", "E01", "T05thread:1;", true, false },
};

static void meets(const char *policy)
{
	begin(good);
	assert_int_equal(stage_join(&g, 0, policy_builtin(policy)), 0);
	assert_string_equal(ask(0, "?"), "T05thread:1;");
	assert_string_equal(ask(0, "QStartNoAckMode"), "OK");
	assert_string_equal(ask(0, "m2000,1"), "00"); /* the thread is selected */
}

static void forge(const struct forgery *f)
{
	const char *said;

	meets("full");
	if (f->asked && f->ran) {
		stage_say(&g, 0, f->asked);
		assert_true(stage_settle(&g));
		assert_true(g.peer.running);
	} else if (f->asked) {
		g.peer.silent = true;
		stage_say(&g, 0, f->asked);
		assert_true(stage_settle(&g));
	}
	peer_say(&g.peer, f->forged);
	assert_true(f->told && !f->ran ? stage_wait(&g, 250) : stage_settle(&g)); /* the right one may be behind it */
	g.peer.silent = false;
	said = stage_hear(&g, 0);
	if (strcmp(said ? said : "nothing", f->told ? f->told : "nothing"))
		print_error("after %s, %s: %s\n", f->asked ? f->asked : "nothing", f->forged, said ? said : "nothing");
	assert_string_equal(said ? said : "nothing", f->told ? f->told : "nothing");
	assert_int_equal(g.t.state == TARGET_LOST, f->lost);
}

/* No answer of the next command is one of the last. */
static void goes_on(const struct forgery *f)
{
	if (f->lost)
		return;
	if (!f->told && f->asked)
		peer_say(&g.peer, f->ran ? "T05thread:2;" : "OK");
	assert_true(stage_wait(&g, 250));
	g.peer.running = false;
	for (int i = 0; i < 3 && stage_hear(&g, 0); i++)
		;
	assert_string_equal(ask(0, "m1020,2"), "2021");
}

static void forged_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
		forge(&forgeries[i]);
		goes_on(&forgeries[i]);
		end(NULL);
	}
}

/* Bytes that are no packets at all, in each state: the target is lost, or they are passed over. Never a crash. */
static const char *const garbage[] = {
	"$", "$$$$", "#", "$#", "$m#", "$OK#00$OK#00$OK#00$OK#00", "------", "++++++", "\003\003\003", "%Stop:T05#00", "$O41*~#00", "\377\377\377",
	"$}", "$}#00", "$OK#zz",
};

static void say_garbage(const char *bytes, size_t times)
{
	for (size_t i = 0; i < times && g.peer.link; i++) {
		assert_int_equal(buf_put_text(&g.peer.out, bytes), 0);
		assert_true(stage_settle(&g));
	}
	assert_true(stage_wait(&g, 61000)); /* a monitor command may take a minute */
}

/* What comes next is the answer, or the target is lost for a moment. */
static bool answers_again(void)
{
	for (int i = 0; i < 3; i++) {
		while (stage_hear(&g, 0))
			;
		if (!strcmp(ask(0, "m1020,2"), "2021"))
			return true;
		if (*g.clients[0].said != 'E')
			return false;
		assert_true(stage_wait(&g, 10000));
	}
	return false;
}

static void garbled(const char *asked, const char *bytes, size_t times)
{
	meets("full");
	g.peer.silent = asked && *asked != 'c';
	if (asked)
		stage_say(&g, 0, asked);
	assert_true(stage_settle(&g));
	say_garbage(bytes, times);
	if (g.t.state == TARGET_RUNNING)
		stage_say(&g, 0, "^C");
	g.peer.silent = false;
	assert_true(stage_wait(&g, 10000));
	if (!answers_again())
		print_error("after %s, %zu times %s: it heard %s last\n", asked ? asked : "nothing", times, bytes, g.clients[0].said), fail();
	end(NULL);
}

static void garbage_in_every_state(void **state)
{
	static const char *const states[] = { NULL, "m0,4", "g", "c", "M0,1:00", "qRcmd,68" };

	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		for (size_t k = 0; k < sizeof garbage / sizeof *garbage; k++) {
			garbled(states[i], garbage[k], 1);
			garbled(states[i], garbage[k], 40);
		}
}

/* Packets nobody asked for, without an end. */
static void flood_of_strays(void **state)
{
	(void)state;
	meets("full");
	for (int i = 0; i < 40 && g.peer.link; i++) {
		peer_say(&g.peer, "T05thread:1;");
		assert_true(stage_settle(&g));
	}
	assert_int_equal(g.dials, 1);
	assert_int_equal(g.t.state, TARGET_LOST);
	assert_true(stage_wait(&g, 1000));
	assert_string_equal(ask(0, "m1020,2"), "2021");
}

/* Console text without an end, and a client that does not wait for it: what is held is bounded. */
static void flood_of_text(void **state)
{
	static char line[65] = "";

	(void)state;
	memset(line, 'x', sizeof line - 1);
	meets("full");
	assert_int_equal(stage_join(&g, 1, policy_builtin("observe")), 0);
	stage_say(&g, 0, "c");
	assert_true(stage_settle(&g));
	for (int i = 0; i < 2000; i++) {
		peer_print(&g.peer, line);
		assert_true(stage_settle(&g));
		assert_string_equal(stage_hear(&g, 0), "O:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	}
	assert_int_equal(g.t.state, TARGET_RUNNING);
	assert_true(g.clients[1].joined);
	assert_string_equal(ask(0, "^C"), "T02thread:1;");
}

/* Three clients ask at once, again and again: each is served once in every three. */
static void fair(void **state)
{
	unsigned served[3] = { 0 }, all = 0;

	(void)state;
	begin(good);
	for (int who = 0; who < 3; who++) {
		assert_int_equal(stage_join(&g, who, policy_builtin("full")), 0);
		assert_string_equal(ask(who, "?"), "T05thread:1;");
		assert_string_equal(ask(who, "QStartNoAckMode"), "OK");
	}
	while (all < 60) {
		for (int who = 0; who < 3; who++) {
			if (g.clients[who].s.state == SESSION_IDLE)
				stage_say(&g, who, "m0,40");
			assert_true(served[who] * 3 <= all + 3 && served[who] * 3 + 6 >= all);
		}
		stage_turn(&g);
		for (int who = 0; who < 3; who++) {
			bool answered = g.clients[who].unread.len > 64;

			buf_reset(&g.clients[who].unread, 0);
			served[who] += answered;
			all += answered;
		}
	}
}

/* A client that sends and never reads is made to wait, and costs only itself. */
static void deaf_client(void **state)
{
	uint8_t ask_for_much[] = "$m0,1000#8a";
	struct session *deaf;
	int rc = 0;

	(void)state;
	meets("full");
	assert_int_equal(stage_join(&g, 1, policy_builtin("full")), 0);
	assert_string_equal(ask(1, "?"), "T05thread:1;");
	deaf = &g.clients[1].s;
	for (int i = 0; i < 8000 && !rc; i++) {
		struct buf b = { .base = ask_for_much, .cap = sizeof ask_for_much, .len = sizeof ask_for_much - 1 };

		rc = link_send(g.clients[1].far, &b, g.now);
		(void)(target_run(&g.t, g.now) | peer_step(&g.peer, g.now));
	}
	for (int i = 0; i < 2000; i++)
		if (!target_run(&g.t, g.now) && !peer_step(&g.peer, g.now))
			break;
	assert_int_equal(rc, -EAGAIN);
	assert_true(deaf->out.len >= SESSION_OUT / 4 && deaf->state == SESSION_IDLE);
	stage_say(&g, 0, "m1020,2");
	for (int i = 0; i < 10; i++)
		(void)(target_run(&g.t, g.now) | peer_step(&g.peer, g.now));
	assert_int_equal(link_recv(g.clients[0].far, &g.clients[0].rx, g.now), 1);
	assert_memory_equal(buf_data(&g.clients[0].rx), "$2021#c5", 8);
	session_leave(deaf, "it does not read", g.now);
	assert_false(target_run(&g.t, g.now));
	assert_int_equal(deaf->state, SESSION_DRAINING);
	g.now += SESSION_DRAIN_MS;
	assert_false(target_run(&g.t, g.now));
	assert_int_equal(deaf->state, SESSION_DEAD);
}

/* What a real debugger sent, byte by byte as its log has it: \xNN for what is not printable, <^C 0x03> for a break. */
struct replay {
	unsigned packets, breaks, connections;
};

static size_t log_bytes(const char *text, uint8_t *to)
{
	size_t n = 0;

	while (*text) {
		bool coded = text[0] == '\\' && text[1] == 'x';

		to[n++] = coded ? (uint8_t)(hex_value((uint8_t)text[2]) << 4 | hex_value((uint8_t)text[3])) : (uint8_t)*text;
		text += coded ? 4 : 1;
	}
	return n;
}

static void understood(const uint8_t *packet, size_t n)
{
	uint8_t copy[SESSION_PACKET];
	static struct rsp_cmd cmd;

	assert_true(n > 4 - 1 && n - 4 <= sizeof copy);
	memcpy(copy, packet + 1, n - 4);
	if (rsp_cmd_parse(copy, n - 4, &cmd) < 0 || (cmd.op == RSP_OP_UNKNOWN && n > 4)) {
		print_error("not understood: %.*s\n", (int)n, (const char *)packet);
		fail();
	}
}

/* A resume is answered when the target stops; so it is made to, unless a Ctrl-C is what comes next. */
static void answered(const uint8_t *packet, size_t n, bool break_next)
{
	const char *said = stage_hear(&g, 0);

	if (!said && !break_next) {
		peer_stop(&g.peer, 5, 1);
		said = stage_hear(&g, 0);
	}
	while (said && (said[0] == 'O' && said[1] == ':'))
		said = stage_hear(&g, 0);
	if (!said && !break_next && packet[1] != 'k' && !stage_gone(&g, 0)) {
		print_error("no answer: %.*s\n", (int)n, (const char *)packet);
		fail();
	}
	assert_true(!said || (*said != '-' && *said != '%'));
}

static void connect_again(struct replay *r)
{
	stage_leave(&g, 0);
	assert_true(stage_settle(&g));
	assert_int_equal(stage_join(&g, 0, policy_builtin("full")), 0);
	g.clients[0].no_ack = true; /* the log has the acknowledgements too */
	r->connections++;
}

static void client_line(struct replay *r, const char *text, const char *next)
{
	uint8_t raw[SESSION_PACKET];
	size_t n = 1;

	if (!strcmp(text, "<^C 0x03>")) {
		stage_say(&g, 0, "^C");
		answered((const uint8_t *)"^C", 2, false);
		r->breaks++;
		return;
	}
	n = log_bytes(text, raw);
	stage_send(&g, 0, (struct span){ raw, n });
	if (*raw != '$')
		return;
	understood(raw, n);
	answered(raw, n, strstr(next, "<^C"));
	r->packets++;
}

/* Only what the debugger said; the next of its lines is known, to see a break coming. */
static bool next_of(FILE *f, char *line, size_t size)
{
	while (fgets(line, (int)size, f)) {
		line[strcspn(line, "\n")] = 0;
		if (strstr(line, " C> ") || strstr(line, "<new connection>"))
			return true;
	}
	*line = 0;
	return false;
}

static void replay(FILE *f, struct replay *r)
{
	static char lines[2][65536];
	int at = 0;

	for (bool more = next_of(f, lines[0], sizeof lines[0]); more; at = !at) {
		char *said = strstr(lines[at], " C> ");

		do
			more = next_of(f, lines[!at], sizeof lines[0]);
		while (more && strstr(lines[!at], " C> +") && strlen(strstr(lines[!at], " C> +")) == 5);
		if (said)
			client_line(r, said + 4, lines[!at]);
		else
			connect_again(r);
	}
}

static void real_traffic(void **state)
{
	char path[256], command[300];
	struct replay r = { 0 };
	FILE *f;

	snprintf(path, sizeof path, "../shared/captures/rsp-logs/%s.log.gz", (const char *)*state);
	if (access(path, R_OK) < 0) {
		print_message("skipped: there is no %s\n", path);
		skip();
	}
	snprintf(command, sizeof command, "gzip -dc %s", path);
	begin(good);
	f = popen(command, "r");
	assert_non_null(f);
	replay(f, &r);
	assert_int_equal(pclose(f), 0);
	assert_true(r.packets > 100 && r.breaks > 0 && r.connections > 1);
	assert_null(g.peer.rude);
}

static char gdb13[] = "gdb13-qemu7.2", gdb16[] = "gdb16-qemu10.0", lldb19[] = "lldb19-qemu10.0";

int main(void)
{
	const struct CMUnitTest rest[] = {
		cmocka_unit_test_teardown(forged_answers, end),
		cmocka_unit_test_teardown(garbage_in_every_state, end),
		cmocka_unit_test_teardown(flood_of_strays, end),
		cmocka_unit_test_teardown(flood_of_text, end),
		cmocka_unit_test_teardown(fair, end),
		cmocka_unit_test_teardown(deaf_client, end),
		{ "real traffic of gdb 13", real_traffic, NULL, end, gdb13 },
		{ "real traffic of gdb 16", real_traffic, NULL, end, gdb16 },
		{ "real traffic of lldb 19", real_traffic, NULL, end, lldb19 },
	};

	return (getenv("REST") ? 0 : play_all()) + cmocka_run_group_tests(rest, NULL, NULL);
}
