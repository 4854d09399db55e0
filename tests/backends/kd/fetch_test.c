/* fetch_test.c - memory read in pieces: packets that hold less than they should, holes, what is asked for again. */
#include "backends/kd/fetch.h"

#include "backends/kd/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 65536, PACKET = 3944 };

static struct kd_fetch fetch;
static uint8_t memory[ROOM]; /* at BASE, the beginning of a page */
static const uint64_t base = 0xfffff80000400000;

/* The target: the pages that are not there, a bit each; what its packets hold; how often it was asked. */
static struct {
	unsigned holes;
	size_t packet;
	unsigned asked;
} target;

static int fresh(void **state)
{
	(void)state;
	fetch = (struct kd_fetch){ 0 };
	target.holes = target.asked = 0;
	target.packet = PACKET;
	for (size_t i = 0; i < sizeof memory; i++)
		memory[i] = (uint8_t)(i * 7 + i / KD_PAGE);
	return buf_init(&fetch.bytes, ROOM);
}

static int over(void **state)
{
	(void)state;
	buf_fini(&fetch.bytes);
	return 0;
}

/* A target refuses the whole of what is not there wholly. */
static struct span answer(uint64_t addr, size_t n)
{
	size_t at = (size_t)(addr - base);

	target.asked++;
	assert_true(n && at + n <= sizeof memory);
	for (size_t page = at / KD_PAGE; page <= (at + n - 1) / KD_PAGE; page++)
		if (target.holes >> page & 1)
			return (struct span){ 0 };
	return (struct span){ memory + at, n < target.packet ? n : target.packet };
}

static void read_all(size_t *most)
{
	while (!kd_fetch_over(&fetch)) {
		size_t n = kd_fetch_size(&fetch, *most);
		struct span got = answer(kd_fetch_at(&fetch), n);

		kd_fetch_take(&fetch, got, got.len > 0, n, most);
	}
}

static void expect(size_t at, size_t n)
{
	assert_int_equal(fetch.bytes.len, n);
	assert_memory_equal(buf_data(&fetch.bytes), memory + at, n);
}

static void in_packets(void **state)
{
	size_t most = PACKET;

	(void)state;
	assert_true(kd_fetch_begin(&fetch, base + 5, 3 * PACKET + 1, false));
	read_all(&most);
	expect(5, 3 * PACKET + 1);
	assert_int_equal(target.asked, 4);
	assert_int_equal(most, PACKET);
}

static void again(void **state)
{
	size_t most = PACKET;

	(void)state;
	assert_true(kd_fetch_begin(&fetch, base, 16, false));
	read_all(&most);
	assert_false(kd_fetch_begin(&fetch, base, 16, false));
	assert_true(kd_fetch_over(&fetch));
	expect(0, 16);
	assert_true(kd_fetch_begin(&fetch, base, 16, true));
	assert_true(kd_fetch_begin(&fetch, base, 17, true));
	assert_true(kd_fetch_begin(&fetch, base + 1, 17, true));
	assert_false(kd_fetch_begin(&fetch, base + 1, 17, true));
	kd_fetch_forget(&fetch);
	assert_true(kd_fetch_begin(&fetch, base + 1, 17, true));
	assert_true(kd_fetch_begin(&fetch, base + 1, 0, true));
	assert_true(kd_fetch_over(&fetch));
}

/* From every place near the end of a page, to every place behind it, with a hole in the next page, or in that page itself. */
static void up_to_a_hole(void **state)
{
	(void)state;
	for (size_t from = KD_PAGE - 3; from <= KD_PAGE; from++)
		for (size_t n = 1; n < 3 * KD_PAGE; n += 511) {
			size_t most = PACKET, end = from == KD_PAGE ? from : 2 * KD_PAGE, there = end - from < n ? end - from : n;

			target.holes = from == KD_PAGE ? 1 << 1 : 1 << 2;
			assert_true(kd_fetch_begin(&fetch, base + from, n, false));
			read_all(&most);
			expect(from, there);
			assert_int_equal(most, PACKET);
		}
}

/* What is in one page is asked for once: there is nothing narrower. */
static void a_hole(void **state)
{
	size_t most = PACKET;

	(void)state;
	target.holes = 1 << 1;
	assert_true(kd_fetch_begin(&fetch, base + KD_PAGE, 16, false));
	read_all(&most);
	expect(KD_PAGE, 0);
	assert_int_equal(target.asked, 1);
	assert_true(kd_fetch_begin(&fetch, base + KD_PAGE - 16, 32, false));
	read_all(&most);
	expect(KD_PAGE - 16, 16);
	assert_int_equal(target.asked, 1 + 3);
}

/* What a target's packets hold is learned once, and not from a few bytes. */
static void small_packets(void **state)
{
	size_t most = PACKET;

	(void)state;
	target.packet = 1000;
	assert_true(kd_fetch_begin(&fetch, base, 4000, false));
	read_all(&most);
	expect(0, 4000);
	assert_int_equal(most, 1000);
	assert_int_equal(target.asked, 4);
	target.packet = 100;
	assert_true(kd_fetch_begin(&fetch, base, 400, false));
	read_all(&most);
	expect(0, 400);
	assert_int_equal(most, 1000);
}

/* More than was asked for, and an error with some bytes. */
static void answers_that_cannot_be(void **state)
{
	size_t most = PACKET;

	(void)state;
	assert_true(kd_fetch_begin(&fetch, base + KD_PAGE - 8, 32, false));
	kd_fetch_take(&fetch, (struct span){ memory + KD_PAGE - 8, 8 }, false, 32, &most);
	assert_false(kd_fetch_over(&fetch));
	assert_int_equal(kd_fetch_size(&fetch, most), 24);
	kd_fetch_take(&fetch, (struct span){ memory + KD_PAGE, 500 }, true, 24, &most);
	assert_true(kd_fetch_over(&fetch));
	expect(KD_PAGE - 8, 32);
}

static void no_room(void **state)
{
	size_t most = PACKET;

	(void)state;
	buf_fini(&fetch.bytes);
	assert_int_equal(buf_init(&fetch.bytes, 8), 0);
	assert_true(kd_fetch_begin(&fetch, base, 16, false));
	read_all(&most);
	expect(0, 0);
	assert_int_equal(target.asked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_packets, fresh, over),
		cmocka_unit_test_setup_teardown(again, fresh, over),
		cmocka_unit_test_setup_teardown(up_to_a_hole, fresh, over),
		cmocka_unit_test_setup_teardown(a_hole, fresh, over),
		cmocka_unit_test_setup_teardown(small_packets, fresh, over),
		cmocka_unit_test_setup_teardown(answers_that_cannot_be, fresh, over),
		cmocka_unit_test_setup_teardown(no_room, fresh, over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
