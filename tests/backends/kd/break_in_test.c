/* break_in_test.c - who wants a target to stop, how long it may take, and which later stop is one too many. */
#include "backends/kd/break_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void wanted_once(void **state)
{
	struct kd_break_in k = { 0 };

	(void)state;
	assert_true(kd_break_in_want(&k));
	assert_false(kd_break_in_want(&k));
	assert_int_equal(kd_break_in_try(&k, 500), 1);
	assert_int_equal(kd_break_in_try(&k, 1500), 2);
	assert_false(kd_break_in_want(&k));
	kd_break_in_over(&k, false);
	assert_true(kd_break_in_want(&k));
	assert_int_equal(kd_break_in_try(&k, 9000), 1);
}

static void hopeless(void **state)
{
	struct kd_break_in k = { 0 };
	const uint64_t begun = 500;

	(void)state;
	assert_true(kd_break_in_want(&k));
	for (uint64_t now = begun; now < begun + KD_BREAK_IN_WORDS_MS; now += 999) {
		kd_break_in_try(&k, now);
		assert_false(kd_break_in_hopeless(&k, now));
	}
	assert_false(kd_break_in_hopeless(&k, begun + KD_BREAK_IN_WORDS_MS - 1));
	assert_true(kd_break_in_hopeless(&k, begun + KD_BREAK_IN_WORDS_MS));
	assert_false(kd_break_in_hopeless(&k, begun + 2 * KD_BREAK_IN_WORDS_MS));
	assert_true(kd_break_in_want(&k)); /* somebody asks again, who hears of it again */
	kd_break_in_try(&k, begun + 3 * KD_BREAK_IN_WORDS_MS);
	assert_false(kd_break_in_hopeless(&k, begun + 4 * KD_BREAK_IN_WORDS_MS - 1));
	assert_true(kd_break_in_hopeless(&k, begun + 4 * KD_BREAK_IN_WORDS_MS));
}

static const struct {
	bool wanted, sent, stale, booted, then;
} stops[] = {
	{ false, false, false, false, false },
	{ true, false, false, false, false }, /* it stopped by itself, before one was sent */
	{ true, true, false, false, true },   /* or although one was: that one is on its way */
	{ false, true, false, false, false }, /* one that was sent for an earlier stop */
	{ false, false, true, false, false },
	{ false, false, true, true, true },   /* it stopped because it booted */
};

static void one_too_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
		struct kd_break_in k = { .wanted = stops[i].wanted, .sent = stops[i].sent, .stale = stops[i].stale };

		kd_break_in_over(&k, stops[i].booted);
		assert_int_equal(k.stale, stops[i].then);
		assert_false(k.wanted);
	}
}

static void places(void **state)
{
	struct kd_break_in k = { 0 };

	(void)state;
	assert_false(kd_break_in_knows(&k, 0x1000));
	kd_break_in_seen(&k, 0x1000);
	kd_break_in_moved(&k, 0x500);
	assert_true(kd_break_in_knows(&k, 0x1500) && !kd_break_in_knows(&k, 0x500));
	kd_break_in_seen(&k, 0x2000);
	kd_break_in_seen(&k, 0x1500);
	kd_break_in_seen(&k, 0x2000);
	assert_true(kd_break_in_knows(&k, 0x1500) && kd_break_in_knows(&k, 0x2000));
	kd_break_in_seen(&k, 0x3000);
	assert_true(kd_break_in_knows(&k, 0x3000) && kd_break_in_knows(&k, 0x2000) && !kd_break_in_knows(&k, 0x1500));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wanted_once),
		cmocka_unit_test(hopeless),
		cmocka_unit_test(one_too_many),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
