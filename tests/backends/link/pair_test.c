/* pair_test.c - two ends in memory: packets whole, streams in pieces, an end that goes. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static struct link *a, *b;
static struct buf out, in;

static void join(size_t step)
{
	a = link_pair_new(&b, step);
	assert_non_null(a);
}

static int setup(void **state)
{
	(void)state;
	return buf_init(&out, 200000) || buf_init(&in, 100000);
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

static int say(struct link *lk, const void *p, size_t n)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, p, n), 0);
	return link_send(lk, &out, 0);
}

static void heard(struct link *lk, const char *text)
{
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), text));
}

static void packets_stay_whole(void **state)
{
	(void)state;
	join(0);
	assert_int_equal(say(a, "one", 3), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(say(a, "", 0), 0);
	assert_int_equal(say(a, "three", 5), 0);
	assert_int_equal(say(b, "back", 4), 0);
	heard(b, "one");
	heard(b, "");
	heard(b, "three");
	assert_int_equal(link_recv(b, &in, 0), 0);
	heard(a, "back");
	assert_int_equal(b->received, 3);
	assert_int_equal(a->sent, 3);
	link_destroy_stack(a);
	link_destroy_stack(b);
}

static void a_stream_comes_in_pieces(void **state)
{
	(void)state;
	join(3);
	assert_int_equal(say(a, "ab", 2), 0);
	assert_int_equal(say(a, "cdefg", 5), 0);
	heard(b, "abc");
	heard(b, "def");
	heard(b, "g");
	assert_int_equal(link_recv(b, &in, 0), 0);
	link_destroy_stack(a);
	link_destroy_stack(b);
}

/* What one end sent stays to be read; then the other hears that it has gone, again and again. */
static void an_end_that_goes(void **state)
{
	(void)state;
	join(2);
	assert_int_equal(say(a, "xyz", 3), 0);
	link_destroy_stack(a);
	assert_int_equal(say(b, "late", 4), -EPIPE);
	heard(b, "xy");
	heard(b, "z");
	assert_int_equal(link_recv(b, &in, 0), -EPIPE);
	assert_int_equal(link_recv(b, &in, 0), -EPIPE);
	link_destroy_stack(b);
}

static void full_is_not_now(void **state)
{
	static uint8_t big[150000];
	struct wait w = wait_none();
	size_t taken;

	(void)state;
	memset(big, 'q', sizeof big);
	join(50000);
	assert_int_equal(say(a, big, sizeof big), -EAGAIN);
	taken = sizeof big - out.len;
	assert_in_range(taken, 1, sizeof big - 1);
	link_wait(a, &w);
	assert_true(w.write && w.fd == -1);
	assert_int_equal(link_recv(b, &in, 0), 1);
	assert_int_equal(in.len, 50000);
	assert_int_equal(link_send(a, &out, 0), -EAGAIN);
	assert_int_equal(sizeof big - out.len, taken + 50000);
	assert_int_equal(link_recv(a, &in, 0), 0);
	w = wait_none();
	link_wait(a, &w);
	assert_false(w.write);
	link_destroy_stack(b);
	link_destroy_stack(a);
}

/* Around the ring's end more than once, both kinds. */
static void nothing_is_lost_or_moved(void **state)
{
	uint8_t next = 0, want = 0, piece[997];

	(void)state;
	for (size_t step = 0; step <= 1000; step += 500) {
		join(step);
		for (int i = 0; i < 300; i++) {
			for (size_t k = 0; k < sizeof piece; k++)
				piece[k] = next++;
			assert_int_equal(say(a, piece, sizeof piece), 0);
			while (link_recv(b, &in, 0) == 1)
				for (size_t k = 0; k < in.len; k++)
					assert_int_equal(buf_data(&in)[k], want++);
		}
		assert_int_equal(next, want);
		link_destroy_stack(a);
		link_destroy_stack(b);
	}
}

static void packets_too_big(void **state)
{
	static uint8_t big[70000];
	struct buf small = { .base = (uint8_t[4]){ 0 }, .cap = 4 };

	(void)state;
	join(0);
	assert_int_equal(say(a, big, sizeof big), -EMSGSIZE);
	assert_int_equal(say(a, big, 40000), 0);
	assert_int_equal(say(a, big, 40000), -EAGAIN);
	assert_int_equal(out.len, 40000);
	assert_int_equal(link_recv(b, &small, 0), -EMSGSIZE);
	link_destroy_stack(a);
	link_destroy_stack(b);
}

static void no_layer_breaks_in(void **state)
{
	(void)state;
	join(0);
	assert_int_equal(link_attention(a, 0), -EOPNOTSUPP);
	assert_int_equal(link_headroom(a), 0);
	link_ready(a);
	link_destroy_stack(a);
	link_destroy_stack(b);
	link_destroy_stack(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_stay_whole), cmocka_unit_test(a_stream_comes_in_pieces),
		cmocka_unit_test(an_end_that_goes),   cmocka_unit_test(full_is_not_now),
		cmocka_unit_test(nothing_is_lost_or_moved), cmocka_unit_test(packets_too_big),
		cmocka_unit_test(no_layer_breaks_in),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
