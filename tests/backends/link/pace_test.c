/* pace_test.c - bytes in are bytes out, never faster than the wire, and never slower where somebody looks in time. */
#include "backends/link/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct link *near_end, *far_end; /* the pace is on the near one */
static struct buf out, in;
static uint64_t now;

enum { PIECE = 4096 };

static int setup(void **state)
{
	(void)state;
	return buf_init(&out, 65536) || buf_init(&in, PIECE);
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

static void with(unsigned baud, enum fault kind, unsigned long every)
{
	struct link *pair = link_pair_new(&far_end, PIECE), *fault;

	assert_non_null(pair);
	fault = link_fault_new(pair, kind, every);
	assert_non_null(fault);
	near_end = link_pace_new(fault, baud);
	assert_non_null(near_end);
	now = 5000;
	buf_reset(&out, 0);
}

static void part(void)
{
	link_destroy_stack(near_end);
	link_destroy_stack(far_end);
}

static struct wait waits(void)
{
	struct wait w = wait_none();

	w.read = true;
	link_wait(near_end, &w);
	return w;
}

static void fill(size_t n)
{
	buf_reset(&out, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_put_u8(&out, (uint8_t)i), 0);
}

static size_t takes(struct link *lk)
{
	return link_recv(lk, &in, now) == 1 ? in.len : 0;
}

/* 9600 baud: a byte takes 1.0416 ms. */
static void one_byte(void **state)
{
	(void)state;
	with(9600, FAULT_NONE, 0);
	fill(1);
	assert_int_equal(link_send(near_end, &out, now), 0);
	assert_int_equal(takes(far_end), 0);
	assert_int_equal(waits().until, now + 2);
	now += 1;
	assert_int_equal(takes(near_end), 0);
	assert_int_equal(takes(far_end), 0);
	now += 1;
	assert_int_equal(takes(near_end), 0);
	assert_int_equal(takes(far_end), 1);
	assert_int_equal(waits().until, NEVER);

	fill(1);
	assert_int_equal(link_send(far_end, &out, now), 0);
	assert_int_equal(takes(near_end), 0);
	assert_int_equal(waits().until, now + 2);
	assert_false(waits().read);
	now += 2;
	assert_int_equal(takes(near_end), 1);
	assert_int_equal(waits().until, NEVER);
	assert_true(waits().read);
	part();
}

static void no_more_than_a_fifo(void **state)
{
	(void)state;
	with(9600, FAULT_NONE, 0);
	fill(100);
	assert_int_equal(link_send(near_end, &out, now), -EAGAIN);
	assert_int_equal(out.len, 100 - 65); /* and the milliseconds' worth */
	assert_int_equal(link_send(near_end, &out, now), -EAGAIN);
	assert_int_equal(out.len, 35);
	now = waits().until;
	assert_int_equal(link_send(near_end, &out, now), -EAGAIN);
	assert_int_equal(out.len, 34);
	assert_int_equal(takes(far_end), 1);
	part();
}

/* Ten seconds each way at once, looked at when it says and at no other time: not one byte more or less than the wire carries. */
static void no_drift(void **state)
{
	static const unsigned bauds[] = { 300, 9600, 57600, 115200, 921600, 3000000 };

	(void)state;
	for (size_t i = 0; i < sizeof bauds / sizeof *bauds; i++) {
		uint64_t sent = 0, received = 0, wire, begin;

		with(bauds[i], FAULT_NONE, 0);
		begin = now;
		while (now < begin + 10000) {
			struct buf more;

			fill(PIECE);
			more = out;
			(void)!link_send(far_end, &more, now); /* as much as it takes: there is always more */
			for (size_t n; (n = takes(near_end));)
				received += n;
			if (link_send(near_end, &out, now) < 0 && out.len == PIECE)
				assert_true(waits().until > now);
			for (size_t n; (n = takes(far_end));)
				sent += n;
			assert_true(waits().until > now && waits().until <= now + 34);
			now = waits().until;
		}
		(void)takes(near_end);
		for (size_t n = in.len; n; n = takes(near_end))
			received += n;
		for (size_t n; (n = takes(far_end));)
			sent += n;
		wire = (now - begin) * bauds[i] / 10000;
		assert_int_equal(sent, wire);
		assert_int_equal(received, wire);
		part();
	}
}

struct tally {
	uint64_t at, bytes;
};

/* Between two looks no more than the wire carries in that time, and the byte that was on its way. */
static void count(struct tally *t, size_t n, unsigned baud)
{
	assert_true(n <= (now - t->at) * baud / 10000 + 1);
	t->at = now;
	t->bytes += n;
}

/* Anything sent at any time over a line that refuses and splits. */
static void any_order(unsigned seed)
{
	static const enum fault kinds[] = { FAULT_NONE, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL };
	unsigned baud = 50 + (unsigned)rand() % (seed % 2 ? 2000000 : 20000);
	uint64_t near_in = 0, far_in = 0, quiet = 0;
	struct tally near_out = { 5000, 0 }, far_out = { 5000, 0 };
	uint8_t next_near = 0, next_far = 0;

	with(baud, kinds[seed % 4], 1 + (unsigned)rand() % 5);
	while (quiet < 400) {
		size_t n = now < 7000 ? (size_t)rand() % 200 : 0, got = 0;

		fill(0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf_put_u8(&out, (uint8_t)(far_in + i)), 0);
		if (rand() % 2 && link_send(near_end, &out, now) < 0)
			assert_true(waits().until != NEVER || waits().write);
		far_in += n - out.len;
		fill(0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf_put_u8(&out, (uint8_t)(near_in + i)), 0);
		if (rand() % 2)
			(void)!link_send(far_end, &out, now);
		near_in += n - out.len;
		while (takes(near_end)) {
			for (size_t i = 0; i < in.len; i++)
				assert_int_equal(buf_data(&in)[i], next_near++);
			got += in.len;
		}
		count(&near_out, got, baud);
		for (got = 0; takes(far_end); got += in.len)
			for (size_t i = 0; i < in.len; i++)
				assert_int_equal(buf_data(&in)[i], next_far++);
		count(&far_out, got, baud);
		quiet = n || waits().until != NEVER ? 0 : quiet + 1;
		now += (uint64_t)rand() % 4;
		if (n == 0 && waits().until != NEVER && waits().until > now)
			now = waits().until;
	}
	assert_int_equal(near_out.bytes, near_in);
	assert_int_equal(far_out.bytes, far_in);
	part();
}

static void bytes_in_are_bytes_out(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 60; seed++) {
		srand(seed);
		any_order(seed);
	}
}

/* What the line below held up does not come all at once. */
static void after_a_stall(void **state)
{
	(void)state;
	with(9600, FAULT_REFUSE, 1);
	fill(60);
	assert_int_equal(link_send(near_end, &out, now), 0);
	now += 50; /* 48 bytes' time: refused once */
	assert_int_equal(takes(near_end), 0);
	assert_int_equal(takes(far_end), 0);
	assert_int_equal(waits().until, now + 2);
	now += 2;
	assert_int_equal(takes(near_end), 0);
	assert_int_equal(takes(far_end), 1);
	part();
}

/* The end comes after all that was sent before it; what is on its way at our own end still goes. */
static void the_end(void **state)
{
	(void)state;
	with(9600, FAULT_NONE, 0);
	fill(5);
	assert_int_equal(link_send(far_end, &out, now), 0);
	link_destroy_stack(far_end);
	assert_int_equal(takes(near_end), 0);
	now += 5;
	assert_int_equal(takes(near_end), 4);
	now += 5;
	assert_int_equal(takes(near_end), 1);
	assert_int_equal(link_recv(near_end, &in, now), -EPIPE);
	assert_int_equal(link_recv(near_end, &in, now), -EPIPE);
	fill(1);
	assert_int_equal(link_send(near_end, &out, now), 0);
	now += 2;
	assert_int_equal(link_send(near_end, &out, now), -EPIPE);
	link_destroy_stack(near_end);

	with(9600, FAULT_NONE, 0);
	fill(5);
	assert_int_equal(link_send(near_end, &out, now), 0);
	link_destroy_stack(near_end);
	assert_int_equal(takes(far_end), 5);
	link_destroy_stack(far_end);
}

static unsigned breaks;

static int on_attention(struct link *lk, uint64_t at)
{
	(void)lk, (void)at;
	breaks++;
	return 0;
}

/* A break comes behind the bytes before it. */
static void attention(void **state)
{
	struct link_ops ops;
	struct link *pair;

	(void)state;
	with(9600, FAULT_NONE, 0);
	assert_int_equal(link_attention(near_end, now), -EOPNOTSUPP);
	pair = near_end->below;
	ops = *pair->ops;
	ops.attention = on_attention;
	pair->ops = &ops;
	fill(1);
	assert_int_equal(link_send(near_end, &out, now), 0);
	assert_int_equal(link_attention(near_end, now), -EAGAIN);
	assert_int_equal(breaks, 0);
	now = waits().until;
	assert_int_equal(link_attention(near_end, now), 0);
	assert_int_equal(breaks, 1);
	assert_int_equal(takes(far_end), 1);
	part();
}

static void no_speed_at_all(void **state)
{
	(void)state;
	with(0, FAULT_NONE, 0); /* one baud */
	fill(1);
	assert_int_equal(link_send(near_end, &out, now), 0);
	assert_int_equal(waits().until, now + 10000);
	part();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_byte),      cmocka_unit_test(no_more_than_a_fifo), cmocka_unit_test(no_drift), cmocka_unit_test(bytes_in_are_bytes_out),
		cmocka_unit_test(after_a_stall), cmocka_unit_test(the_end),             cmocka_unit_test(attention), cmocka_unit_test(no_speed_at_all),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
