/* monitor_test.c - which monitor commands are kdgate's own, and its words: whole lines that fit, cut where they must be, with
 * nothing in them that a terminal would obey. What they look like in a session is told in tests/golden/monitor.talk. */
#include "proxy/monitor.h"

#include "base/hex.h"
#include "proxy/options.h"
#include "proxy/target_parts.h"
#include "tests/guard.h"
#include "tests/stage.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG = 65536 };

static const struct vector {
	const char *text;
	enum monitor_verb verb;
} vectors[] = {
	{ "help", MONITOR_HELP }, { " help  ", MONITOR_HELP }, { "kdgate", MONITOR_LIST }, { "kdgate help", MONITOR_LIST },
	{ "kdgate status", MONITOR_STATUS }, { "kdgate policy", MONITOR_POLICY }, { "kdgate who", MONITOR_WHO },
	{ "kdgate secure", MONITOR_SECURE }, { "secure", MONITOR_SECURE }, { "kdgate version", MONITOR_VERSION },
	{ "  kdgate    who ", MONITOR_WHO }, { "kdgate ", MONITOR_LIST },
	{ "kdgate x", MONITOR_UNKNOWN }, { "kdgate statu", MONITOR_UNKNOWN }, { "kdgate status x", MONITOR_UNKNOWN },
	{ "kdgate statusx", MONITOR_UNKNOWN }, { "kdgate help help", MONITOR_UNKNOWN }, { "kdgate kdgate", MONITOR_UNKNOWN },
	{ "kdgate secure off", MONITOR_UNKNOWN }, { "kdgate ; reboot", MONITOR_UNKNOWN }, { "kdgate Status", MONITOR_UNKNOWN },
	{ "kdgate sta tus", MONITOR_UNKNOWN }, { "  kdgate unsecure", MONITOR_UNKNOWN },
	{ "", MONITOR_NOT_OWN }, { " ", MONITOR_NOT_OWN }, { "h", MONITOR_NOT_OWN }, { "hel", MONITOR_NOT_OWN },
	{ "helpx", MONITOR_NOT_OWN }, { "help x", MONITOR_NOT_OWN }, { "help help", MONITOR_NOT_OWN }, { "Help", MONITOR_NOT_OWN },
	{ "kdgat", MONITOR_NOT_OWN }, { "kdgates", MONITOR_NOT_OWN }, { "kdgate;status", MONITOR_NOT_OWN },
	{ "kdgate-status", MONITOR_NOT_OWN }, { "xkdgate status", MONITOR_NOT_OWN }, { "x kdgate status", MONITOR_NOT_OWN },
	{ "KDGATE status", MONITOR_NOT_OWN }, { "\"kdgate\" status", MONITOR_NOT_OWN }, { "secure on", MONITOR_NOT_OWN },
	{ "secure off", MONITOR_NOT_OWN }, { "unsecure", MONITOR_NOT_OWN }, { "status", MONITOR_NOT_OWN },
	{ "version", MONITOR_NOT_OWN }, { "who", MONITOR_NOT_OWN }, { "reboot", MONITOR_NOT_OWN },
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

static void which_texts_are_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		size_t n = strlen(vectors[i].text);

		if (monitor_verb_of((struct span){ guard_copy(vectors[i].text, n), n }) != vectors[i].verb)
			fail_msg("'%s' is taken for %d", vectors[i].text, monitor_verb_of(span_of(vectors[i].text)));
	}
	assert_int_equal(monitor_verb_of((struct span){ 0 }), MONITOR_NOT_OWN);
}

/* A text that is cut is what it then says; from the seventh byte on all of kdgate's stay its own. */
static void cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++)
		for (size_t n = 0; n < strlen(vectors[i].text); n++) {
			enum monitor_verb verb = monitor_verb_of((struct span){ guard_copy(vectors[i].text, n), n });
			bool named = strncmp(vectors[i].text, "kdgate ", 7) == 0 && n >= 6;

			assert_true(!named || verb != MONITOR_NOT_OWN);
			for (size_t k = 0; k < VECTORS; k++)
				if (strlen(vectors[k].text) == n && !memcmp(vectors[k].text, vectors[i].text, n))
					assert_int_equal(verb, vectors[k].verb);
		}
}

/* Each byte that is not printable, before, in and after each text: then it is nobody's, and no policy lets it pass. */
static void control_characters(void **state)
{
	static struct rsp_cmd cmd;
	char text[64];

	(void)state;
	for (size_t i = 0; i < VECTORS; i++)
		for (size_t at = 0; at <= strlen(vectors[i].text); at++)
			for (int c = 0; c < 256; c = c == 0x1f ? 0x7f : c + 1) {
				size_t n = strlen(vectors[i].text);

				memcpy(text, vectors[i].text, at);
				text[at] = (char)c;
				memcpy(text + at + 1, vectors[i].text + at, n - at);
				rsp_cmd_make(&cmd, "qRcmd,");
				cmd.data = (struct span){ guard_copy(text, n + 1), n + 1 };
				monitor_take(&cmd);
				assert_int_equal(cmd.op, RSP_OP_MONITOR);
				assert_int_equal(cmd.effects, RSP_EFF_MONITOR);
				assert_int_equal(policy_judge(policy_builtin("full"), &cmd).verdict, VERDICT_DENY);
			}
}

static void taken_and_given_back(void **state)
{
	static struct rsp_cmd cmd, before;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		bool own = vectors[i].verb != MONITOR_NOT_OWN;

		rsp_cmd_make(&cmd, "qRcmd,");
		cmd.data = span_of(vectors[i].text);
		before = cmd;
		monitor_take(&cmd);
		assert_int_equal(cmd.op, own ? RSP_OP_OWN : RSP_OP_MONITOR);
		assert_int_equal(cmd.effects, own ? RSP_EFF_QUERY : RSP_EFF_MONITOR);
		monitor_give(&cmd);
		assert_memory_equal(&cmd, &before, sizeof cmd);
	}
}

/* What is no monitor command is not taken for one, whatever it carries. */
static void other_packets_are_left_alone(void **state)
{
	static struct rsp_cmd cmd, before;
	size_t n = 0;

	(void)state;
	for (const struct rsp_spec *spec; (spec = rsp_spec_at(n)); n++) {
		if (spec->op == RSP_OP_MONITOR)
			continue;
		rsp_cmd_make(&cmd, spec->name);
		cmd.data = cmd.text = span_of("kdgate status");
		before = cmd;
		monitor_take(&cmd);
		monitor_give(&cmd);
		assert_memory_equal(&cmd, &before, sizeof cmd);
	}
	assert_true(n > 50);
	cmd = (struct rsp_cmd){ .data = span_of("kdgate status") };
	monitor_take(&cmd);
	assert_int_equal(cmd.op, RSP_OP_UNKNOWN);
}

static char text[BIG];

static struct buf fresh(size_t cap)
{
	memset(text, 0, sizeof text);
	return (struct buf){ .base = (uint8_t *)text, .cap = cap };
}

static void lines_are_visible(void **state)
{
	struct buf out = fresh(200);

	(void)state;
	monitor_put(&out, "why: %s", "a\nsecure mode: on\r\x1b[2J\x7f\xc2\x9b");
	assert_string_equal(text, "why: a\\x0asecure mode: on\\x0d\\x1b[2J\\x7f\\xc2\\x9b\n");
	out = fresh(4);
	monitor_put(&out, "abc");
	monitor_put(&out, "%s", "");
	assert_string_equal(text, "abc\n");
	out = fresh(3);
	monitor_put(&out, "abc");
	assert_string_equal(text, "");
}

static unsigned count_of(const char *in, const char *what)
{
	unsigned n = 0;

	for (const char *p = in; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* Rules as long as they may be, as many as there may be: in every room whole lines, and the count is right. */
static void a_long_policy_is_cut(void **state)
{
	struct policy p;
	char rule[POLICY_TEXT] = "allow mem.read range", why[256];

	(void)state;
	while (strlen(rule) + 14 < sizeof rule)
		strcat(rule, " 0x1000-0x1fff");
	assert_int_equal(policy_init(&p, "long"), 0);
	for (size_t i = 0; i < POLICY_RULES; i++)
		assert_int_equal(policy_add(&p, rule, why, sizeof why), 0);
	for (size_t cap = 0; cap <= MONITOR_TEXT; cap++) {
		struct buf out = fresh(cap);
		const char *more;
		unsigned left = 0;

		monitor_put_policy(&out, &p);
		assert_true(!out.len || text[out.len - 1] == '\n');
		if (cap < 300)
			continue;
		more = strstr(text, "... and ");
		assert_non_null(more);
		assert_int_equal(sscanf(more, "... and %u more rules\n", &left), 1);
		assert_int_equal(left + count_of(text, "\n  rule "), POLICY_RULES);
	}
	policy_fini(&p);
}

/* What is told is the beginning, not what happens to be short. */
static void after_a_cut_nothing_follows(void **state)
{
	struct buf out = fresh(100);
	struct monitor_list list = { .out = &out };

	(void)state;
	monitor_list_put(&list, "one");
	monitor_list_put(&list, "%090d", 2);
	monitor_list_put(&list, "three");
	monitor_list_end(&list, "words");
	assert_string_equal(text, "one\n... and 2 more words\n");
	out = fresh(100);
	list = (struct monitor_list){ .out = &out };
	monitor_list_put(&list, "one");
	monitor_list_end(&list, "words");
	assert_string_equal(text, "one\n");
}

static void all_fits_where_there_is_room(void **state)
{
	(void)state;
	for (const char *const *name = (const char *const[]){ "full", "debug", "observe", "none", NULL }; *name; name++) {
		struct buf out = fresh(MONITOR_TEXT);

		monitor_put_policy(&out, policy_builtin(*name));
		monitor_put_list(&out);
		monitor_put_secure(&out, NULL, NULL);
		monitor_put_version(&out);
		assert_null(strstr(text, "more rules"));
		assert_non_null(strstr(text, "\nkdgate " OPTIONS_VERSION "\n"));
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(strlen(line) < 132);
	}
}

static void what_is_listed_is_there(void **state)
{
	struct buf out = fresh(MONITOR_TEXT);
	unsigned n = 0;

	(void)state;
	monitor_put_unknown(&out, span_of("kdgate \x1b[2J"));
	assert_non_null(strstr(text, "'kdgate \\x1b[2J'"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *gap = strncmp(line, "  ", 2) ? NULL : strstr(line + 2, "  ");

		if (!gap && strncmp(line, "  kdgate version", 16))
			continue;
		line[gap ? gap - line : 16] = 0;
		assert_true(monitor_verb_of(span_of(line)) != MONITOR_NOT_OWN && monitor_verb_of(span_of(line)) != MONITOR_UNKNOWN);
		n++;
	}
	assert_int_equal(n, 7);
}

static void what_a_policy_grants(void **state)
{
	static const struct {
		const char *rules[4], *grants;
	} v[] = {
		{ { NULL }, "it grants nothing\n" },
		{ { "allow query" }, "it grants query\n" },
		{ { "deny all", "allow query" }, "it grants nothing\n" },
		{ { "allow mem.read range 0x0-0xf" }, "it grants mem.read (some ranges)\n" },
		{ { "deny mem.read range 0x0-0xf" }, "it grants nothing\n" },
		{ { "deny mem.read range 0x0-0xf", "allow mem.read" }, "it grants mem.read (some ranges)\n" },
		{ { "allow mem.read range 0x0-0xf", "allow mem.read" }, "it grants mem.read\n" },
		{ { "allow mem.read range 0x0-0xf", "deny mem.read" }, "it grants mem.read (some ranges)\n" },
		{ { "deny mem.read range 0x0-0xf", "allow mem.read range 0x0-0xff", "allow mem.read" }, "it grants mem.read (some ranges)\n" },
		{ { "allow mem.read", "deny mem.read range 0x0-0xf" }, "it grants mem.read\n" },
		{ { "allow monitor match 'help'" }, "it grants monitor (some texts)\n" },
		{ { "allow monitor match 'help'", "allow monitor" }, "it grants monitor\n" },
		{ { "deny monitor match 'quit'", "allow monitor" }, "it grants monitor (some texts)\n" },
		{ { "allow run query", "allow mem.write range 0x0-0xf", "deny mem.write" }, "it grants query, mem.write (some ranges), run\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct buf out = fresh(MONITOR_TEXT);
		struct policy p;
		char why[256];

		assert_int_equal(policy_init(&p, "mine"), 0);
		for (size_t k = 0; k < 4 && v[i].rules[k]; k++)
			assert_int_equal(policy_add(&p, v[i].rules[k], why, sizeof why), 0);
		monitor_put_policy(&out, &p);
		policy_fini(&p);
		if (!strstr(text, v[i].grants))
			fail_msg("%zu: want %s in\n%s", i, v[i].grants, text);
		assert_null(strstr(text, "directories"));
	}
}

static void paths_are_told(void **state)
{
	struct policy p = { .name = "paths", .paths = true };
	struct buf out = fresh(MONITOR_TEXT);

	(void)state;
	monitor_put_policy(&out, &p);
	assert_non_null(strstr(text, "directories"));
}

static void secure_mode_is_told(void **state)
{
	static const struct latch off = { false }, on = { true };
	struct buf out = fresh(MONITOR_TEXT);

	(void)state;
	monitor_put_secure(&out, NULL, NULL);
	assert_non_null(strstr(text, "secure mode: off"));
	assert_non_null(strstr(text, "sandbox of kdgate itself: none\n"));
	out = fresh(MONITOR_TEXT);
	monitor_put_secure(&out, &off, "");
	assert_non_null(strstr(text, "secure mode: off"));
	assert_non_null(strstr(text, "sandbox of kdgate itself: none\n"));
	out = fresh(MONITOR_TEXT);
	monitor_put_secure(&out, &on, "seccomp");
	assert_non_null(strstr(text, "secure mode: on"));
	assert_null(strstr(text, "secure mode: off"));
	assert_non_null(strstr(text, "sandbox of kdgate itself: seccomp\n"));
}

static void ages(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} v[] = {
		{ 0, "0 s" }, { 999, "0 s" }, { 1000, "1 s" }, { 59999, "59 s" }, { 60000, "1 min 0 s" }, { 3599999, "59 min 59 s" },
		{ 3600000, "1 h 0 min" }, { 86399999, "23 h 59 min" }, { 86400000, "1 d 0 h" }, { 90000000, "1 d 1 h" },
		{ UINT64_MAX, "213503982334 d 14 h" },
	};
	char out[MONITOR_AGE];

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		assert_string_equal(monitor_age(out, v[i].ms), v[i].text);
}

/* In a session. */
static struct stage g;

static int end(void **state)
{
	(void)state;
	audit_log_close(&g.audit);
	stage_fini(&g);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(&g, 0, offsetof(struct stage, clients));
	assert_int_equal(stage_init(&g, (struct stage_fault){ .kind = FAULT_NONE }), 0);
	assert_true(stage_settle(&g));
	buf_reset(&g.peer.got, 0);
	return 0;
}

/* All that is said to a monitor command; its last packet stands at the end of text, after a |. */
static const char *monitor(int who, const char *words)
{
	char packet[600] = "qRcmd,";
	struct buf b = { .base = (uint8_t *)packet, .cap = sizeof packet - 1, .len = strlen(packet) };
	const char *said;

	assert_int_equal(hex_put(&b, span_of(words)), 0);
	packet[b.len] = 0;
	stage_say(&g, who, packet);
	*text = 0;
	while ((said = stage_hear(&g, who)) && !strncmp(said, "O:", 2))
		strcat(text, said + 2);
	strcat(text, "|");
	return strcat(text, said ? said : "nothing");
}

static bool reached(const char *packet)
{
	const struct buf *b = &g.peer.got;

	return memmem(buf_data(b), b->len, packet, strlen(packet));
}

/* The target chose why it is away; it cannot make lines of it. */
static void hostile_reasons_are_shown(void **state)
{
	(void)state;
	assert_int_equal(stage_join(&g, 0, policy_builtin("observe")), 0);
	g.away = true;
	peer_drop(&g.peer);
	assert_true(stage_settle(&g));
	strcpy(g.t.why, "gone\nsecure mode: on\x1b[2J");
	monitor(0, "kdgate status");
	assert_non_null(strstr(text, "state: lost (gone\\x5cx0asecure mode: on\\x5cx1b[2J)"));
	assert_non_null(strstr(text, "\\nsecure mode: off"));
}

/* Words of a client that wait to be served. */
static struct session *queued(const char *words)
{
	struct session *s = &g.clients[0].s;

	rsp_cmd_make(&s->cmd, "qRcmd,");
	s->cmd.data = span_of(words);
	monitor_take(&s->cmd);
	s->state = SESSION_QUEUED;
	return s;
}

static void answered(const char *words, bool passes)
{
	struct session *s = queued(words);

	assert_int_equal(target_monitor(&g.t, s, g.now), !passes);
	assert_int_equal(s->state, passes ? SESSION_QUEUED : SESSION_IDLE);
	assert_int_equal(s->cmd.op, passes ? RSP_OP_MONITOR : RSP_OP_OWN);
	assert_int_equal(s->cmd.effects, passes ? RSP_EFF_MONITOR : RSP_EFF_QUERY);
	assert_true(s->out.len > 5);
	buf_reset(&s->out, 0);
	s->state = SESSION_IDLE;
}

static void every_state_of_the_target(void **state)
{
	enum target_state was = g.t.state;

	(void)state;
	assert_int_equal(stage_join(&g, 0, policy_builtin("full")), 0);
	for (enum target_state st = 0; st < TARGET_STATES; st++)
		for (enum rsp_stop_kind kind = RSP_STOP_SIGNAL; kind <= RSP_STOP_NONE_LEFT; kind++)
			for (size_t i = 0; i < VECTORS; i++) {
				g.t.state = st;
				g.t.stop.kind = kind;
				if (vectors[i].verb != MONITOR_NOT_OWN)
					answered(vectors[i].text, vectors[i].verb == MONITOR_HELP && (st == TARGET_STOPPED || st == TARGET_ASKED));
			}
	g.t.state = was;
}

/* As many clients as there may be, with names as long as they may be. */
static void many_clients_are_cut(void **state)
{
	static struct session others[TARGET_SLOTS];
	unsigned left = 0;

	(void)state;
	assert_int_equal(stage_join(&g, 0, policy_builtin("observe")), 0);
	for (unsigned i = 1; i < TARGET_SLOTS; i++) {
		struct session *s = &others[i];

		*s = (struct session){ .state = i % 7 ? SESSION_IDLE : SESSION_DRAINING, .who = { .id = UINT64_MAX - i, .policy = policy_builtin("debug") } };
		memset(s->who.peer, i % 2 ? '\x1b' : 'u', SESSION_PEER - 1);
		s->packets = s->denied = (unsigned long)-1;
	}
	g.clients[0].s.who.id = 7;
	for (unsigned i = 1; i < TARGET_SLOTS; i++)
		g.t.slots[i] = &others[i];
	g.t.slots_n = TARGET_SLOTS;
	assert_true(target_monitor(&g.t, queued("kdgate who"), g.now));
	for (unsigned i = 1; i < TARGET_SLOTS; i++)
		g.t.slots[i] = NULL;
	g.t.slots_n = 1;
	*text = 0;
	for (const char *said; (said = stage_hear(&g, 0)) && !strncmp(said, "O:", 2);)
		strcat(text, said + 2);
	assert_true(strlen(text) < MONITOR_TEXT * 3);
	assert_non_null(strstr(text, "* is you\\n* 7: "));
	assert_non_null(strstr(text, "... and "));
	assert_int_equal(sscanf(strstr(text, "... and "), "... and %u more clients", &left), 1);
	assert_int_equal(left + count_of(text, ", policy "), TARGET_SLOTS - TARGET_SLOTS / 7);
	assert_int_equal(g.clients[0].s.text_lost, 0);
}

/* In secure mode the target's help passes only by a rule that names it; kdgate's own always. */
static void secure_mode_and_help(void **state)
{
	static const struct latch on = { true };
	struct policy p;
	char why[256];

	(void)state;
	assert_int_equal(policy_init(&p, "named"), 0);
	assert_int_equal(policy_add(&p, "allow query monitor", why, sizeof why), 0);
	assert_int_equal(stage_join(&g, 0, &p), 0);
	g.t.setup.sandbox = "seccomp, no capabilities";
	assert_non_null(strstr(monitor(0, "help"), "it hears: help\\n|OK"));
	g.clients[0].s.who.latch = &on;
	buf_reset(&g.peer.got, 0);
	assert_non_null(strstr(monitor(0, "help"), "kdgate: secure mode: no rule names this monitor command\\n|OK"));
	assert_non_null(strstr(monitor(0, "secure"), "secure mode: on"));
	assert_non_null(strstr(text, "sandbox of kdgate itself: seccomp, no capabilities\\n|OK"));
	assert_non_null(strstr(monitor(0, "kdgate status"), "secure mode: on; sandbox: seccomp, no capabilities\\n|OK"));
	assert_false(reached("qRcmd"));
	policy_fini(&p);
	assert_int_equal(policy_init(&p, "named"), 0);
	assert_int_equal(policy_add(&p, "allow query", why, sizeof why), 0);
	assert_int_equal(policy_add(&p, "allow monitor match 'help'", why, sizeof why), 0);
	assert_non_null(strstr(monitor(0, "help"), "it hears: help\\n|OK"));
	assert_true(reached("qRcmd,68656c70"));
	stage_leave(&g, 0);
	assert_true(stage_settle(&g) && stage_gone(&g, 0));
	policy_fini(&p);
}

static const char *read_all(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	assert_true(n >= 0);
	text[n] = 0;
	close(fd);
	return text;
}

/* kdgate's own changes nothing, and is not told to the audit; what is refused is, and what reaches the target. */
static void what_the_audit_hears(void **state)
{
	static const char *const own[] = { "kdgate", "kdgate status", "kdgate who", "kdgate policy", "kdgate x", "secure", "kdgate version" };
	char path[] = "/tmp/kdgate-monitor-XXXXXX", why[256];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(audit_log_open(&g.audit, path, why, sizeof why), 0);
	assert_int_equal(stage_join(&g, 0, policy_builtin("observe")), 0);
	assert_int_equal(stage_join(&g, 1, policy_builtin("none")), 0);
	assert_int_equal(stage_join(&g, 2, policy_builtin("full")), 0);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		assert_non_null(strstr(monitor(0, own[i]), "|OK"));
	assert_non_null(strstr(monitor(0, "help"), "policy observe does not allow it\\n|OK"));
	assert_string_equal(read_all(path), "");
	assert_non_null(strstr(monitor(0, "kdgate status"), "audit: on\\n"));
	assert_string_equal(monitor(1, "kdgate status"), "kdgate: policy none does not allow query\\n|OK");
	assert_int_equal(count_of(read_all(path), "\n"), 1);
	assert_non_null(strstr(text, "\"deny\""));
	assert_non_null(strstr(text, "kdgate status"));
	assert_int_equal(g.clients[1].s.denied, 1);
	assert_non_null(strstr(monitor(2, "help"), "it hears: help\\n|OK"));
	assert_int_equal(count_of(read_all(path), "\n"), 2);
	assert_int_equal(count_of(text, "\"monitor\""), 2); /* what it is, and its effect */
	assert_non_null(strstr(text, "qRcmd,help"));
	unlink(path);
}

/* A client that does not read loses words, is told how many, and never its reply. */
static void who_does_not_read_loses_text(void **state)
{
	struct session *s = &g.clients[0].s;
	size_t room;

	(void)state;
	assert_int_equal(stage_join(&g, 0, policy_builtin("observe")), 0);
	room = buf_room(&s->out);
	while (buf_room(&s->out) > 200)
		assert_int_equal(buf_put_u8(&s->out, '+'), 0);
	assert_true(target_monitor(&g.t, queued("kdgate status"), g.now));
	assert_int_equal(s->state, SESSION_IDLE);
	assert_true(s->text_lost > 200);
	assert_true(span_is(span_from(buf_span(&s->out), s->out.len - 6), "$OK#9a"));
	assert_true(room > s->out.len);
	buf_reset(&s->out, 0);
	assert_null(strstr(monitor(0, "kdgate status"), "console: 0 bytes"));
}

/* Nobody reads at all, and there is no room for an OK: the session ends. */
static void no_room_at_all(void **state)
{
	struct session *s = &g.clients[0].s;

	(void)state;
	assert_int_equal(stage_join(&g, 0, policy_builtin("full")), 0);
	while (buf_room(&s->out))
		assert_int_equal(buf_put_u8(&s->out, '+'), 0);
	assert_true(target_monitor(&g.t, queued("secure"), g.now));
	assert_int_equal(s->state, SESSION_DEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_texts_are_own),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(control_characters),
		cmocka_unit_test(taken_and_given_back),
		cmocka_unit_test(other_packets_are_left_alone),
		cmocka_unit_test(lines_are_visible),
		cmocka_unit_test(a_long_policy_is_cut),
		cmocka_unit_test(after_a_cut_nothing_follows),
		cmocka_unit_test(all_fits_where_there_is_room),
		cmocka_unit_test(what_is_listed_is_there),
		cmocka_unit_test(what_a_policy_grants),
		cmocka_unit_test(paths_are_told),
		cmocka_unit_test(secure_mode_is_told),
		cmocka_unit_test(ages),
		cmocka_unit_test_setup_teardown(hostile_reasons_are_shown, begin, end),
		cmocka_unit_test_setup_teardown(every_state_of_the_target, begin, end),
		cmocka_unit_test_setup_teardown(many_clients_are_cut, begin, end),
		cmocka_unit_test_setup_teardown(secure_mode_and_help, begin, end),
		cmocka_unit_test_setup_teardown(what_the_audit_hears, begin, end),
		cmocka_unit_test_setup_teardown(who_does_not_read_loses_text, begin, end),
		cmocka_unit_test_setup_teardown(no_room_at_all, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
