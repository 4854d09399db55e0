/* trace_test.c - what is shown is what went, in readable form. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct link *traced, *far_end;
static struct buf out, in;
static char *shown;
static size_t shown_len;
static FILE *to;

static void begin(size_t step, enum fault kind)
{
	struct link *lk = link_pair_new(&far_end, step);

	to = open_memstream(&shown, &shown_len);
	assert_true(to && lk);
	lk = link_fault_new(lk, kind, 1);
	assert_non_null(lk);
	traced = link_trace_new(lk, to);
	assert_true(traced && buf_init(&out, 200000) == 0 && buf_init(&in, 1000) == 0);
}

static void finish(void)
{
	link_destroy_stack(traced);
	fclose(to);
	free(shown);
	buf_fini(&out);
	buf_fini(&in);
}

static int say(struct link *lk, const char *text, uint64_t now)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(lk, &out, now);
}

static void both_ways_and_the_end(void **state)
{
	(void)state;
	begin(0, FAULT_NONE);
	assert_int_equal(say(traced, "$m10,4#2e", 12345), 0);
	assert_int_equal(say(far_end, "+\x03\x7f\xff\n\\", 0), 0);
	assert_int_equal(link_recv(traced, &in, 13000), 1);
	assert_int_equal(link_recv(traced, &in, 13001), 0);
	link_destroy_stack(far_end);
	assert_int_equal(link_recv(traced, &in, 14002), -EPIPE);
	assert_int_equal(link_recv(traced, &in, 14003), -EPIPE);
	assert_string_equal(shown, "12.345 #-1 > $m10,4#2e\n13.000 #-1 < +\\x03\\x7f\\xff\\x0a\\\n14.002 #-1 x Broken pipe\n");
	finish();
}

/* A refused frame is not shown until it goes; of a stream's, the part that went. */
static void a_refused_frame(void **state)
{
	(void)state;
	begin(0, FAULT_REFUSE);
	assert_int_equal(say(traced, "abc", 0), -EAGAIN);
	fflush(to);
	assert_int_equal(shown_len, 0);
	assert_int_equal(link_send(traced, &out, 0), 0);
	assert_string_equal(shown, "0.000 #-1 > abc\n");
	link_destroy_stack(far_end);
	finish();
}

static void a_part_and_the_rest(void **state)
{
	static char big[100001];
	size_t first;

	(void)state;
	memset(big, 'q', sizeof big - 1);
	begin(1000, FAULT_NONE);
	assert_int_equal(say(traced, big, 0), -EAGAIN);
	first = sizeof big - 1 - out.len;
	assert_int_equal(shown_len, first + strlen("0.000 #-1 > \n"));
	while (link_recv(far_end, &in, 0) == 1)
		;
	assert_int_equal(link_send(traced, &out, 0), 0);
	assert_int_equal(shown_len, sizeof big - 1 + 2 * strlen("0.000 #-1 > \n"));
	link_destroy_stack(far_end);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_and_the_end), cmocka_unit_test(a_refused_frame), cmocka_unit_test(a_part_and_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
