/* target_guard_test.c - what a target does wrong, as the audit has it: each thing, in words, and never more of it than anybody reads. */
#include "tests/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct stage g;
static char dir[] = "/tmp/kdgate-guard-XXXXXX", path[64], content[1 << 20];

static int begin(void **state)
{
	char why[256];

	(void)state;
	assert_int_equal(stage_init(&g, (struct stage_fault){ .kind = FAULT_NONE }), 0);
	return audit_log_open(&g.audit, path, why, sizeof why);
}

static int end(void **state)
{
	(void)state;
	stage_fini(&g);
	audit_log_close(&g.audit);
	return unlink(path);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/audit", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void read_audit(void)
{
	FILE *f = fopen(path, "r");

	assert_true(stage_settle(&g));
	assert_non_null(f);
	content[fread(content, 1, sizeof content - 1, f)] = 0;
	fclose(f);
	for (const char *p = content; *p; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');
}

/* Lines of the audit with both in them. */
static size_t lines(const char *event, const char *text)
{
	char key[64], *rest;
	size_t n = 0;

	read_audit();
	snprintf(key, sizeof key, "\"event\":\"%s\",\"target\":\"dut\"", event);
	for (char *line = strtok_r(content, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		n += strstr(line, key) && strstr(line, text);
	return n;
}

static void meets(void)
{
	assert_int_equal(stage_join(&g, 0, policy_builtin("full")), 0);
	for (const char *const *says = (const char *const[]){ "qSupported:error-message+", "QStartNoAckMode", "?", "m2000,1", NULL }; *says; says++) {
		stage_say(&g, 0, *says);
		assert_non_null(stage_hear(&g, 0));
	}
}

static void runs(void)
{
	meets();
	stage_say(&g, 0, "vCont;c");
	assert_true(stage_settle(&g));
	assert_true(g.peer.running);
}

static void says(const char *body)
{
	peer_say(&g.peer, body);
	assert_true(stage_settle(&g));
}

static void each_thing(void **state)
{
	static const struct {
		const char *body, *told;
	} v[] = {
		{ "Fopen,1000/5,0,0", "file: the target asked the host for a file or a program: Fopen,1000/5,0,0" },
		{ "O1b5b324a", "text: control characters in console text" },
		{ "OK", "unasked: a packet that nobody asked for: OK" },
		{ "X\033[2J\"\\", "unasked: a packet that nobody asked for: X" },
		{ "T5", "stop: a stop that is none now: T5" },
		{ "T05thread:zz;", "stop: a stop that makes no sense but for its signal: T05thread:zz;" },
		{ "m1", "unasked: a packet that nobody asked for: m1" },
	};

	(void)state;
	runs();
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		says(v[i].body);
		if (lines("guard", v[i].told) != 1)
			fail_msg("%s: %zu of %s", v[i].body, lines("guard", v[i].told), v[i].told);
	}
	assert_int_equal(lines("guard", ""), sizeof v / sizeof *v);
	assert_int_equal(lines("target-lost", ""), 0);
}

/* A thread's description, and a document. */
static void what_is_shown(void **state)
{
	(void)state;
	assert_true(peer_be(&g.peer, "lister"));
	meets();
	stage_say(&g, 0, "qXfer:libraries:read::0,ffb");
	assert_non_null(stage_hear(&g, 0));
	assert_int_equal(lines("guard", "document: libraries: 3 things in it were left out or changed"), 1);
	g.peer.silent = true;
	stage_say(&g, 0, "qThreadExtraInfo,1");
	assert_true(stage_settle(&g));
	says("1b5b324a");
	assert_string_equal(stage_hear(&g, 0), "5c7831625b324a"); /* in words: \x1b[2J */
	assert_int_equal(lines("guard", "text: control characters in a thread's description"), 1);
	stage_say(&g, 0, "qXfer:libraries-svr4:read::0,ffb");
	assert_true(stage_settle(&g));
	says("l<library-list-svr4");
	assert_non_null(stage_hear(&g, 0));
	assert_int_equal(lines("guard", "document: libraries-svr4 is refused: "), 1);
	assert_int_equal(lines("guard", ""), 3);
}

/* A burst, one each second, and how many there were between. */
static void too_many_of_a_kind(void **state)
{
	(void)state;
	runs();
	for (int i = 0; i < GUARD_BURST + 14; i++)
		says("Fopen,1000/5,0,0");
	assert_int_equal(lines("guard", "file: "), GUARD_BURST);
	assert_int_equal(lines("guard", "more like it"), 0);
	says("OK"); /* another kind is not held up */
	assert_int_equal(lines("guard", "unasked: "), 1);
	g.now += GUARD_EVERY_MS;
	says("Fopen,1000/5,0,0");
	assert_int_equal(lines("guard", "file: the target asked the host for a file or a program: Fopen,1000/5,0,0 (and 14 more like it before)"), 1);
	g.now += GUARD_EVERY_MS;
	says("Fopen,2000/5,0,0");
	assert_int_equal(lines("guard", "Fopen,2000/5,0,0\""), 1);
	assert_int_equal(lines("guard", "file: "), GUARD_BURST + 2);
}

static void a_flood_of_text(void **state)
{
	static char body[4002] = "O";

	(void)state;
	runs();
	memset(body + 1, '6', 4000);
	for (int i = 0; i < 400; i++)
		says(body);
	assert_in_range(lines("guard", "flood: more console text than is passed on"), 1, GUARD_BURST);
}

/* A stub that cannot be used is tried again and again; the audit has it once, for each reason. */
static void never_met(void **state)
{
	(void)state;
	g.peer.silent = true;
	assert_int_equal(stage_join(&g, 0, policy_builtin("full")), 0);
	assert_true(stage_wait(&g, 120000));
	assert_true(g.dials > 5);
	assert_int_equal(lines("target-lost", "it does not answer"), 1);
	assert_int_equal(lines("guard", "lost: given up: it does not answer"), 1);
	for (int i = 0; i < 20; i++) { /* another reason */
		peer_drop(&g.peer);
		assert_true(stage_wait(&g, 5000));
	}
	assert_int_equal(lines("target-lost", "it closed the connection"), 1);
	assert_int_equal(lines("target-lost", ""), 2);
	assert_true(stage_wait(&g, 20000)); /* and the first again */
	assert_int_equal(lines("target-lost", ""), 3);
	assert_int_equal(lines("target-found", ""), 0);
}

static const char *long_reason(const void *arg, int rc)
{
	static char words[TARGET_WHY];

	(void)arg, (void)rc;
	memset(words, 'w', sizeof words - 1);
	return words;
}

/* What is to be done stands at its end. */
static void a_long_reason_is_whole(void **state)
{
	(void)state;
	g.away = true;
	g.t.setup.words = long_reason;
	peer_drop(&g.peer);
	assert_true(stage_wait(&g, 5000));
	assert_string_equal(g.t.why, long_reason(NULL, 0));
}

static void met_in_between(void **state)
{
	(void)state;
	for (size_t i = 1; i < 4; i++) {
		g.peer.silent = true;
		peer_drop(&g.peer);
		assert_true(stage_wait(&g, 60000));
		assert_int_equal(lines("target-found", ""), i - 1);
		assert_int_equal(lines("target-lost", "it does not answer"), i);
		g.peer.silent = false;
		assert_true(stage_wait(&g, 30000));
		assert_int_equal(lines("target-found", ""), i);
		assert_int_equal(g.t.state, TARGET_STOPPED);
	}
}

/* One that is reached again and again is not heard more often for it. */
static void a_target_that_comes_back(void **state)
{
	(void)state;
	meets();
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 4; k++)
			says("OK");
		peer_drop(&g.peer);
		assert_true(stage_wait(&g, 300));
	}
	assert_in_range(lines("target-found", ""), 50, 101);
	assert_in_range(lines("guard", "unasked: "), GUARD_BURST, GUARD_BURST + 100 * 300 / GUARD_EVERY_MS + 1);
	assert_true(lines("guard", "more like it before") > 10);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_thing), CASE(what_is_shown), CASE(too_many_of_a_kind), CASE(a_flood_of_text), CASE(never_met), CASE(a_long_reason_is_whole), CASE(met_in_between),
		CASE(a_target_that_comes_back),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
