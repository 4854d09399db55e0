/* fault_test.c - every kind does what it says, at the n-th frame and at no other. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static struct link *near_end, *far_end; /* the fault is on the near one */
static struct buf out, in;

static int setup(void **state)
{
	(void)state;
	return buf_init(&out, 1000) || buf_init(&in, 1000);
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

static void with(enum fault kind, unsigned long every)
{
	struct link *pair = link_pair_new(&far_end, 0);

	assert_non_null(pair);
	near_end = link_fault_new(pair, kind, every);
	assert_non_null(near_end);
}

static void part(void)
{
	link_destroy_stack(near_end);
	link_destroy_stack(far_end);
}

static int say(struct link *lk, const char *text)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(lk, &out, 0);
}

static void heard(struct link *lk, const char *text)
{
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), text));
}

static void nothing_more(struct link *lk)
{
	assert_int_equal(link_recv(lk, &in, 0), 0);
}

static struct wait waits(void)
{
	struct wait w = wait_none();

	link_wait(near_end, &w);
	return w;
}

static void none(void **state)
{
	(void)state;
	for (unsigned long every = 0; every < 2; every++) {
		with(every ? FAULT_NONE : FAULT_DROP, every);
		assert_int_equal(say(near_end, "a"), 0);
		assert_int_equal(say(far_end, "b"), 0);
		heard(far_end, "a");
		heard(near_end, "b");
		part();
	}
}

static void drop(void **state)
{
	(void)state;
	with(FAULT_DROP, 2);
	for (const char *t = "abcd"; *t; t++)
		assert_int_equal(say(near_end, (char[]){ *t, 0 }), 0);
	heard(far_end, "a");
	heard(far_end, "c");
	nothing_more(far_end);
	part();
}

static void twice(void **state)
{
	(void)state;
	with(FAULT_TWICE, 2);
	for (const char *t = "abc"; *t; t++)
		assert_int_equal(say(near_end, (char[]){ *t, 0 }), 0);
	heard(far_end, "a");
	heard(far_end, "b");
	heard(far_end, "b");
	heard(far_end, "c");
	nothing_more(far_end);
	part();
}

static void flip(void **state)
{
	(void)state;
	with(FAULT_FLIP, 2);
	assert_int_equal(say(near_end, "abc"), 0);
	assert_int_equal(say(near_end, "abc"), 0);
	heard(far_end, "abc");
	heard(far_end, "abs");
	assert_non_null(buf_push(&out, 3));
	assert_true(span_is(buf_span(&out), "abc")); /* the sender's bytes are as they were */
	assert_int_equal(say(near_end, ""), 0);
	assert_int_equal(say(near_end, ""), 0);
	part();
}

static void refuse_once(void **state)
{
	(void)state;
	for (unsigned long n = 1; n <= 3; n++) {
		with(FAULT_REFUSE, n);
		for (unsigned long i = 1; i < n; i++)
			assert_int_equal(say(near_end, "x"), 0);
		assert_false(waits().write);
		assert_int_equal(say(near_end, "abc"), -EAGAIN);
		assert_int_equal(out.len, 3);
		assert_true(waits().write);
		nothing_more(near_end);
		assert_false(waits().write);
		assert_int_equal(link_send(near_end, &out, 0), 0);
		assert_false(waits().write);
		for (unsigned long i = 1; i < n; i++)
			heard(far_end, "x");
		heard(far_end, "abc");
		part();
	}
}

static void split(void **state)
{
	(void)state;
	with(FAULT_SPLIT, 2);
	assert_int_equal(say(far_end, "abc"), 0);
	assert_int_equal(say(far_end, "de"), 0);
	assert_int_equal(say(far_end, "fgh"), 0);
	heard(near_end, "abc");
	heard(near_end, "d");
	heard(near_end, "e");
	heard(near_end, "fgh");
	nothing_more(near_end);
	link_destroy_stack(far_end);
	assert_int_equal(link_recv(near_end, &in, 0), -EPIPE);
	link_destroy_stack(near_end);
}

static void stall(void **state)
{
	(void)state;
	with(FAULT_STALL, 1);
	assert_int_equal(say(far_end, "abc"), 0);
	link_destroy_stack(far_end);
	assert_int_equal(link_recv(near_end, &in, 77), 0);
	assert_int_equal(waits().until, 77);
	heard(near_end, "abc");
	assert_true(waits().until == NEVER);
	assert_int_equal(link_recv(near_end, &in, 0), -EPIPE);
	link_destroy_stack(near_end);
}

/* Received or sent, the third step is the last. */
static void close_at_the_third(void **state)
{
	(void)state;
	with(FAULT_CLOSE, 3);
	assert_int_equal(say(near_end, "a"), 0);
	assert_int_equal(say(far_end, "b"), 0);
	heard(near_end, "b");
	nothing_more(near_end);
	assert_int_equal(say(near_end, "c"), -EPIPE);
	assert_int_equal(say(near_end, "d"), -EPIPE);
	assert_int_equal(link_recv(near_end, &in, 0), -ECONNRESET);
	heard(far_end, "a");
	nothing_more(far_end);
	part();

	with(FAULT_CLOSE, 1);
	assert_int_equal(say(far_end, "b"), 0);
	assert_int_equal(link_recv(near_end, &in, 0), -ECONNRESET);
	assert_int_equal(say(near_end, "d"), -EPIPE);
	part();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),  cmocka_unit_test(drop),  cmocka_unit_test(twice), cmocka_unit_test(flip), cmocka_unit_test(refuse_once),
		cmocka_unit_test(split), cmocka_unit_test(stall), cmocka_unit_test(close_at_the_third),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
