/* alloc_test.c - a whole session with the n-th allocation failing, for every n: no crash, no leak, nobody stuck. And none
 * at all while it runs. Linked with --wrap=malloc,--wrap=calloc: see tests/tests.mk. */
#include "tests/allocs.h"
#include "tests/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct stage g;
static const struct stage_fault good = { .kind = FAULT_NONE };

static const char *ask(int who, const char *packet)
{
	const char *said;

	stage_say(&g, who, packet);
	said = stage_hear(&g, who);
	return said ? said : "nothing";
}

/* A redial that fails is tried again, so the session is whole once everybody has sat down. false: not everybody could. */
static bool session(void)
{
	bool seated;

	if (stage_init(&g, good) < 0)
		return false;
	seated = stage_join(&g, 0, policy_builtin("full")) == 0 && stage_join(&g, 1, policy_builtin("observe")) == 0;
	if (seated) {
		assert_true(stage_wait(&g, 2000));
		assert_string_equal(ask(0, "?"), "T05thread:1;");
		assert_string_equal(ask(0, "Z0,4000,1"), "OK");
		assert_int_equal(strlen(ask(1, "m0,48")), 144);
	}
	stage_fini(&g);
	return seated;
}

static void each_allocation_fails_once(void **state)
{
	unsigned long n = 0, unseated = 0;

	(void)state;
	do {
		allocs.left = ++n;
		unseated += !session();
	} while (allocs.left == 0); /* some allocation did fail */
	allocs.left = 0;
	assert_true(unseated > 5 && n > 30);
	print_message("allocations failed one by one: %lu\n", n - 1);
}

/* Everything a client can ask of a target that it has met; between two stops. */
static void none_while_running(void **state)
{
	static const char *const packets[] = {
		"qSupported:swbreak+;error-message+", "qXfer:features:read:target.xml:0,ffb", "?", "qfThreadInfo", "qsThreadInfo", "g", "p0",
		"P0=0100000000000000", "G0100000000000000000000000000000000000000", "m0,1000", "x0,1000", "M1000,4:00010203",
		"X1000,4:abcd", "Z0,4000,1", "Z1,4100,1", "z1,4100,1", "Hg2", "g", "qRcmd,68656c70", "qCRC:0,10", "qC", "T1", "vCont;s:1",
		"m", "vSecret", "k",
	};
	unsigned long before;

	(void)state;
	assert_int_equal(stage_init(&g, good), 0);
	assert_int_equal(stage_join(&g, 0, policy_builtin("debug")), 0);
	assert_int_equal(stage_join(&g, 1, policy_builtin("observe")), 0);
	assert_string_equal(ask(1, "?"), "T05thread:1;");
	assert_string_equal(ask(1, "c"), "nothing");
	before = allocs.made;
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
		stage_say(&g, 0, packets[i]);
		while (stage_hear(&g, 0))
			;
	}
	stage_leave(&g, 1);
	assert_true(stage_settle(&g));
	assert_int_equal(allocs.made, before);
	stage_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(none_while_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
