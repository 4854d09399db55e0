/* target_docs_test.c - documents of the target: what is offered to whom, what each client is told, and when the target is asked. */
#include "tests/stage.h"

#include "proxy/target_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "<?xml version=\"1.0\"?>\\n"
#define SVR4 "qXfer:libraries-svr4:read::"
#define SVR4_OF(name)                                                                                                     \
	HEAD "<library-list-svr4 version=\"1.0\" main-lm=\"0x1\">\\n  <library name=\"" name "\""   \
	" lm=\"0x2\" l_addr=\"0x3\" l_ld=\"0x4\"/>\\n</library-list-svr4>\\n"
#define NOWHERE SVR4_OF("/nonexistent/libc.so.6")
#define SOMEWHERE SVR4_OF("/lib/x86_64/libc.so.6")
#define FETCH "qXfer:libraries-svr4:read::0,7c qXfer:libraries-svr4:read::7c,7c"

static struct stage g;

static int begin(void **state)
{
	(void)state;
	assert_int_equal(stage_init(&g, (struct stage_fault){ .kind = FAULT_NONE }), 0);
	assert_true(peer_be(&g.peer, "lister"));
	return 0;
}

static int end(void **state)
{
	(void)state;
	stage_fini(&g);
	return 0;
}

static const char *hear(int who)
{
	const char *said;

	do
		said = stage_hear(&g, who);
	while (said && *said == '%');
	return said ? said : "nothing";
}

static const char *ask(int who, const char *packet)
{
	stage_say(&g, who, packet);
	return hear(who);
}

/* What the target was asked since the last call, beside which thread is meant. */
static const char *got(void)
{
	static char all[65536], text[65536];
	char *rest;

	assert_true(stage_settle(&g));
	snprintf(all, sizeof all, "%.*s", (int)g.peer.got.len, (const char *)buf_data(&g.peer.got));
	buf_reset(&g.peer.got, 0);
	*text = 0;
	for (char *packet = strtok_r(all, " ", &rest); packet; packet = strtok_r(NULL, " ", &rest))
		if (*packet != 'H')
			strcat(strcat(text, *text ? " " : ""), packet);
	return *text ? text : "nothing";
}

static const struct policy *policy(const char *name, bool paths, const char *rules)
{
	struct policy *p = (struct policy *)(uintptr_t)stage_policy(&g, name);
	char why[128], *rest, *all = strdup(rules);

	assert_non_null(p);
	for (char *rule = strtok_r(all, ";", &rest); rule; rule = strtok_r(NULL, ";", &rest))
		assert_int_equal(policy_add(p, rule, why, sizeof why), 0);
	free(all);
	p->paths = paths;
	return p;
}

/* What it is told of what kdgate and its target can. */
static const char *joins(int who, const struct policy *p)
{
	static char features[512];

	assert_int_equal(stage_join(&g, who, p), 0);
	snprintf(features, sizeof features, "%s", ask(who, "qSupported:error-message+"));
	assert_string_equal(ask(who, "QStartNoAckMode"), "OK");
	(void)ask(who, "?");
	(void)got();
	return features;
}

static void what_is_offered(void **state)
{
	enum { LIBRARIES = 1, SVR4_LIST = 2, THREADS = 4, EXEC_FILE = 8, SIGINFO = 16, AUXV = 32, ALL = 63 };
	static const char *const names[] = { "qXfer:libraries:read+", "qXfer:libraries-svr4:read+", "qXfer:threads:read+", "qXfer:exec-file:read+",
		                             "qXfer:siginfo:read+", "qXfer:auxv:read+" };
	static const struct {
		const char *rules;
		bool paths;
		unsigned offered;
	} v[] = {
		{ "allow all", true, ALL }, { "allow all", false, ALL & ~EXEC_FILE }, { "deny process;allow all", true, ALL & ~EXEC_FILE },
		{ "allow query", true, LIBRARIES | SVR4_LIST | THREADS }, { "allow query process", true, LIBRARIES | SVR4_LIST | THREADS | EXEC_FILE },
		{ "allow query mem.read", false, LIBRARIES | SVR4_LIST | THREADS | SIGINFO | AUXV },
		{ "deny mem.read;allow all", false, LIBRARIES | SVR4_LIST | THREADS },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *features = joins(0, policy("p", v[i].paths, v[i].rules));

		for (size_t k = 0; k < sizeof names / sizeof *names; k++)
			if (!strstr(features, names[k]) == !!(v[i].offered & 1u << k))
				fail_msg("%s, paths %d: %s in %s", v[i].rules, v[i].paths, names[k], features);
		end(state);
		begin(state);
	}
}

/* A target's word is needed, too. */
static void what_the_target_has_not(void **state)
{
	(void)state;
	assert_true(peer_be(&g.peer, "gdbserver"));
	assert_null(strstr(joins(0, policy("p", true, "allow all")), "qXfer:libraries"));
	assert_string_equal(ask(0, SVR4 "0,ffb"), "");
	assert_string_equal(ask(0, "qXfer:exec-file:read:1:0,ffb"), "");
	assert_string_equal(got(), "nothing");
}

static void no_built_in_keeps_directories(void **state)
{
	static const char *const names[] = { "full", "debug", "observe", "none" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_false(policy_builtin(names[i])->paths);
}

/* Its program is named only to whom its policy lets have both: it, and where files are. */
static void the_program(void **state)
{
	static const struct {
		const char *rules;
		bool paths;
		const char *told, *got;
	} v[] = {
		{ "allow all", true, "l/home/user/.profile", "qXfer:exec-file:read:1:0,7c" },
		{ "allow all", false, "", "nothing" },
		{ "deny process;allow all", true, "", "nothing" },
		{ "deny process;allow all", false, "", "nothing" },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		(void)joins(0, policy("p", v[i].paths, v[i].rules));
		assert_string_equal(ask(0, "qXfer:exec-file:read:1:0,ffb"), v[i].told);
		assert_string_equal(got(), v[i].got);
		end(state);
		begin(state);
	}
}

/* Each is told what its own policy lets it have, whoever asked before. */
static void clients_of_different_policies(void **state)
{
	(void)state;
	(void)joins(0, policy("somewhere", true, "allow all"));
	(void)joins(1, policy_builtin("full"));
	(void)joins(2, policy_builtin("observe"));
	for (int i = 0; i < 3; i++) {
		assert_string_equal(ask(0, SVR4 "0,ffb"), "l" SOMEWHERE);
		assert_string_equal(got(), FETCH);
		assert_string_equal(ask(0, SVR4 "0,ffb"), "l" SOMEWHERE);
		assert_string_equal(got(), "nothing");
		assert_string_equal(ask(1, SVR4 "0,ffb"), "l" NOWHERE);
		assert_string_equal(got(), FETCH);
		assert_string_equal(ask(2, SVR4 "0,ffb"), "l" NOWHERE); /* what is the same for both is fetched once */
		assert_string_equal(ask(1, SVR4 "0,ffb"), "l" NOWHERE);
		assert_string_equal(got(), "nothing");
	}
}

static void in_secure_mode(void **state)
{
	static const struct latch latch = { .secure = true };

	(void)state;
	(void)joins(0, policy("p", true, "allow all"));
	g.clients[0].s.who.latch = &latch;
	assert_string_equal(ask(0, SVR4 "0,ffb"), "l" NOWHERE);
	(void)got();
	assert_true(*ask(0, "qXfer:exec-file:read:1:0,ffb") == 0 || *g.clients[0].said == 'E');
	assert_string_equal(got(), "nothing");
	assert_null(strstr(ask(0, "qSupported:error-message+"), "exec-file"));
}

/* In pieces of any size it is the same; the target is asked once. */
static void pieces(void **state)
{
	static char whole[2048], sum[2048];
	size_t n;

	(void)state;
	(void)joins(0, policy_builtin("full"));
	snprintf(whole, sizeof whole, "%s", ask(0, "qXfer:threads:read::0,ffb"));
	assert_int_equal(whole[0], 'l');
	(void)got();
	for (size_t size = 1; size < 40; size++) {
		char packet[64];
		bool last = false;

		*sum = 0;
		for (size_t at = 0; !last; at += size) {
			const char *piece;

			snprintf(packet, sizeof packet, "qXfer:threads:read::%zx,%zx", at, size);
			piece = ask(0, packet);
			last = *piece == 'l';
			assert_true(last || *piece == 'm');
			strcat(sum, piece + 1);
			assert_true(at < sizeof sum);
		}
		assert_string_equal(sum, whole + 1);
	}
	n = strlen(whole + 1);
	assert_true(n > 40);
	assert_string_equal(got(), "nothing");
}

static void offsets_beyond_the_end(void **state)
{
	static const char *const beyond[] = { "400", "fffff", "7fffffff", "ffffffff", "7fffffffffffffff", "ffffffffffffffff" };
	char packet[64];

	(void)state;
	(void)joins(0, policy_builtin("full"));
	for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
		snprintf(packet, sizeof packet, "qXfer:threads:read::%s,ffb", beyond[i]);
		assert_string_equal(ask(0, packet), "l");
		snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%s,ffb", beyond[i]);
		assert_string_equal(ask(0, packet), "l");
	}
	assert_string_equal(ask(0, "qXfer:threads:read::0,ffffffffffffffff"), ask(0, "qXfer:threads:read::0,ffb"));
	assert_string_equal(got(), "qXfer:threads:read::0,7c");
}

/* As it is while the target stands; what it was before is forgotten when it has run, or was lost. */
static void for_one_stop(void **state)
{
	(void)state;
	(void)joins(0, policy_builtin("full"));
	(void)ask(0, SVR4 "0,ffb");
	assert_string_equal(got(), FETCH);
	assert_string_equal(ask(0, "M1000,1:00"), "OK");
	assert_string_equal(ask(0, "P0=0000000000000000"), "OK");
	(void)got();
	(void)ask(0, SVR4 "0,ffb");
	assert_string_equal(got(), "nothing");
	assert_string_equal(ask(0, "vCont;s:1"), "T05thread:1;");
	(void)got();
	assert_string_equal(ask(0, SVR4 "0,ffb"), "l" NOWHERE);
	assert_string_equal(got(), FETCH);
	peer_drop(&g.peer);
	assert_true(stage_wait(&g, 10000));
	(void)hear(0);
	(void)got();
	assert_string_equal(ask(0, SVR4 "0,ffb"), "l" NOWHERE);
	assert_string_equal(got(), FETCH);
}

/* Nothing is asked of what runs. */
static void while_it_runs(void **state)
{
	(void)state;
	(void)joins(0, policy_builtin("full"));
	(void)joins(1, policy_builtin("observe"));
	stage_say(&g, 0, "vCont;c");
	assert_string_equal(got(), "vCont;c");
	assert_string_equal(ask(1, SVR4 "0,ffb"), "");
	assert_string_equal(ask(1, "qXfer:siginfo:read::0,ffb"), "");
	assert_string_equal(got(), "nothing");
	assert_null(g.peer.rude);
}

/* One document at a time is kept; another one, or the same of another name, is not taken for it. */
static void one_after_the_other(void **state)
{
	(void)state;
	(void)joins(0, policy("p", true, "allow all"));
	assert_string_equal(ask(0, "qXfer:exec-file:read:1:0,ffb"), "l/home/user/.profile");
	assert_string_equal(ask(0, "qXfer:exec-file:read::0,ffb"), "");
	assert_string_equal(ask(0, "qXfer:exec-file:read:12:0,ffb"), "");
	assert_string_equal(ask(0, "qXfer:threads:read::0,9"), "m<?xml ver");
	assert_string_equal(ask(0, "qXfer:exec-file:read:1:0,ffb"), "l/home/user/.profile");
	assert_string_equal(ask(0, "qXfer:libraries:read:x:0,ffb"), "");
	(void)got();
	stage_say(&g, 0, "qXfer:exec-file:read:11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
			 "111111111111111111111111111111111111111111:0,1");
	assert_string_equal(hear(0), "");
	assert_string_equal(got(), "nothing");
}

/* What differs from thread to thread. */
static void of_each_thread(void **state)
{
	(void)state;
	(void)joins(0, policy_builtin("full"));
	assert_string_equal(ask(0, "Hg1"), "OK");
	assert_string_equal(ask(0, "qXfer:siginfo:read::0,ffb"), "lof thread 1");
	assert_string_equal(ask(0, "Hg2"), "OK");
	assert_string_equal(ask(0, "qXfer:siginfo:read::0,ffb"), "lof thread 2");
	assert_string_equal(ask(0, "Hg1"), "OK");
	assert_string_equal(ask(0, "qXfer:siginfo:read::0,ffb"), "lof thread 1");
	(void)got();
	assert_string_equal(ask(0, "qXfer:siginfo:read::3,ffb"), "lthread 1");
	assert_string_equal(got(), "nothing");
	assert_string_equal(ask(0, "qXfer:threads:read::0,9"), "m<?xml ver"); /* and what does not */
	assert_string_equal(ask(0, "Hg2"), "OK");
	(void)got();
	assert_string_equal(ask(0, "qXfer:threads:read::0,9"), "m<?xml ver");
	assert_string_equal(got(), "nothing");
}

/* Two ask at once. */
static void both_at_once(void **state)
{
	(void)state;
	(void)joins(0, policy("somewhere", true, "allow all"));
	(void)joins(1, policy_builtin("full"));
	stage_say(&g, 0, SVR4 "0,ffb");
	stage_say(&g, 1, SVR4 "0,ffb");
	assert_string_equal(hear(0), "l" SOMEWHERE);
	assert_string_equal(hear(1), "l" NOWHERE);
	stage_say(&g, 0, "qXfer:siginfo:read::0,ffb");
	stage_say(&g, 1, "qXfer:threads:read::0,3");
	assert_string_equal(hear(0), "lof thread 1");
	assert_string_equal(hear(1), "m<?x");
}

/* Its client has gone while it was fetched: the next one has it. */
static void nobody_waits_for_it(void **state)
{
	(void)state;
	(void)joins(0, policy_builtin("full"));
	(void)joins(1, policy_builtin("full"));
	g.peer.slow = true;
	stage_say(&g, 0, SVR4 "0,ffb");
	assert_true(stage_settle(&g));
	stage_leave(&g, 0);
	assert_true(stage_settle(&g));
	assert_true(stage_gone(&g, 0));
	g.peer.slow = false;
	assert_true(stage_settle(&g));
	assert_string_equal(got(), FETCH);
	assert_string_equal(ask(1, SVR4 "0,ffb"), "l" NOWHERE);
	assert_string_equal(got(), "nothing");
	assert_int_equal(g.t.state, TARGET_STOPPED);
}

static void its_policy_was_another(void **state)
{
	(void)state;
	(void)joins(0, policy("somewhere", true, "allow all"));
	(void)joins(1, policy_builtin("full"));
	g.peer.slow = true;
	stage_say(&g, 0, SVR4 "0,ffb");
	assert_true(stage_settle(&g));
	stage_leave(&g, 0);
	assert_true(stage_settle(&g));
	stage_say(&g, 1, SVR4 "0,ffb");
	g.peer.slow = false;
	assert_string_equal(hear(1), "l" NOWHERE);
	assert_string_equal(got(), FETCH " " FETCH);
}

/* What the test says, in place of the target's own. */
static const char *told(const char *piece)
{
	g.peer.silent = true;
	stage_say(&g, 0, SVR4 "0,ffb");
	assert_true(stage_settle(&g));
	peer_say(&g.peer, piece);
	(void)got();
	g.peer.silent = false;
	return hear(0);
}

/* A document that is refused is not kept, nor is one that cannot be had; nothing of it goes on. */
static void documents_that_are_refused(void **state)
{
	static const char *const bad[] = {
		"l", "l<library-list-svr4>", "lnonsense", "l<library-list/>", "l<!DOCTYPE a [<!ENTITY x 'y'>]><library-list-svr4/>", "l<library-list-svr4/>\033",
	};

	(void)state;
	(void)joins(0, policy_builtin("full"));
	(void)ask(0, "m0,1"); /* its thread is selected */
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_string_equal(told(bad[i]), "E.kdgate: the target's document is not as it should be");
		assert_false(g.t.doc.known);
		assert_int_equal(g.t.doc.bytes.len, 0);
	}
	assert_string_equal(told(""), "");
	assert_string_equal(told("E05"), "E05");
	assert_string_equal(told("E.no"), "E.no");
	assert_string_equal(told("l<library-list-svr4/>"), "l" HEAD "<library-list-svr4 version=\"1.0\">\\n</library-list-svr4>\\n");
	assert_string_equal(ask(0, SVR4 "0,7"), "m<?xml v");
	assert_string_equal(got(), "nothing");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_offered), CASE(what_the_target_has_not), CASE(no_built_in_keeps_directories), CASE(the_program),
		CASE(clients_of_different_policies), CASE(in_secure_mode), CASE(pieces), CASE(offsets_beyond_the_end), CASE(for_one_stop),
		CASE(while_it_runs), CASE(one_after_the_other), CASE(of_each_thread), CASE(both_at_once), CASE(nobody_waits_for_it),
		CASE(its_policy_was_another), CASE(documents_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
