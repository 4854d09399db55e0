/* cache_test.c - the cache against a model, by random operations; and its edges. */
#include "proxy/cache.h"

#include "tests/proxy/cache_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEPS = 60000, LONGEST = 2 * CACHE_PAGE };

static struct cache *c;
static uint8_t bytes[LONGEST];

static int begin(void **state)
{
	(void)state;
	c = cache_new();
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	return c ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	cache_destroy(c);
	return 0;
}

static void put(uint64_t space, uint64_t addr, size_t n)
{
	cache_put(c, space, addr, (struct span){ bytes, n });
}

static size_t known(uint64_t space, uint64_t addr, uint64_t len)
{
	return cache_get(c, space, addr, len).len;
}

static struct cache_gap want(uint64_t addr, size_t len, uint64_t may, size_t most)
{
	struct cache_gap gap = { 0 };

	assert_true(cache_want(c, 0, addr, len, may, most, &gap));
	return gap;
}

static void test_random(void **state)
{
	static struct cache_model m;
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		size_t space = (size_t)rand_r(&seed) % MODEL_SPACES, spread = rand_r(&seed) % 8 ? 300 : LONGEST;
		size_t at = (size_t)rand_r(&seed) % MODEL_BYTES, n = model_clip(at, (size_t)rand_r(&seed) % spread);
		uint64_t addr = model_addr(at);
		int what = rand_r(&seed) % 100;

		if (what < 30) {
			bytes[(size_t)rand_r(&seed) % LONGEST]++;
			put(space, addr, n);
			model_put(&m, space, addr, bytes, n);
		} else if (what < 45) {
			cache_forget(c, addr, n);
			model_forget(&m, addr, n);
		} else if (what < 70) {
			assert_true(model_get_agrees(&m, c, space, addr, n));
		} else if (n) {
			assert_true(model_want_agrees(&m, c, space, addr, n, (uint64_t)n + (unsigned)rand_r(&seed) % 600, (size_t)rand_r(&seed) % 1200));
		}
	}
	cache_drop(c);
	for (size_t at = 0; at < MODEL_BYTES; at++)
		assert_int_equal(known(0, model_addr(at), 1), 0);
}

static void test_pages(void **state)
{
	(void)state;
	put(0, CACHE_PAGE - 4, 8);
	assert_int_equal(known(0, CACHE_PAGE - 4, 8), 4);
	assert_int_equal(known(0, CACHE_PAGE, 8), 4);
	assert_int_equal(known(1, CACHE_PAGE, 8), 0);
	assert_memory_equal(cache_get(c, 0, CACHE_PAGE, 4).p, bytes + 4, 4);
	assert_int_equal(known(0, CACHE_PAGE, 0), 0);
	cache_put(c, 0, 8, (struct span){ NULL, 0 });
	assert_int_equal(known(0, 8, 1), 0);
}

/* Nothing is written beyond the last address, and nothing of what begins there comes to lie at the first. */
static void test_last_address(void **state)
{
	(void)state;
	put(0, UINT64_MAX - 1, 8);
	assert_int_equal(known(0, UINT64_MAX - 1, 8), 2);
	assert_int_equal(known(0, UINT64_MAX, UINT64_MAX), 1);
	assert_int_equal(known(0, 0, 8), 0);
	assert_int_equal(want(UINT64_MAX - 3, 8, 100, 512).n, 2);
	put(0, UINT64_MAX - 3, 2);
	assert_false(cache_want(c, 0, UINT64_MAX - 3, 8, 100, 512, &(struct cache_gap){ 0 }));
	cache_forget(c, UINT64_MAX, 1);
	assert_int_equal(known(0, UINT64_MAX - 3, 8), 3);
	cache_forget(c, UINT64_MAX, 2);
	assert_int_equal(known(0, UINT64_MAX - 3, 8), 0);
}

static void test_forget(void **state)
{
	(void)state;
	put(0, 0, LONGEST);
	put(5, 0, LONGEST);
	cache_forget(c, 100, 0);
	assert_int_equal(known(0, 0, LONGEST), CACHE_PAGE);
	cache_forget(c, CACHE_PAGE - 1, 2);
	assert_int_equal(known(0, 0, LONGEST), CACHE_PAGE - 1);
	assert_int_equal(known(5, 0, LONGEST), CACHE_PAGE - 1);
	assert_int_equal(known(5, CACHE_PAGE + 1, LONGEST), CACHE_PAGE - 1);
	cache_forget(c, 0, UINT64_MAX);
	assert_int_equal(known(0, 0, LONGEST) + known(5, CACHE_PAGE + 1, LONGEST), 0);
}

/* One page more than there are: the one that was used least recently is gone, be it put or read. */
static void test_room(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < CACHE_PAGES; i++)
		put(0, i * CACHE_PAGE, 16);
	assert_int_equal(known(0, 0, 16), 16);
	put(0, CACHE_PAGES * (uint64_t)CACHE_PAGE, 16);
	assert_int_equal(known(0, 0, 16), 16);
	assert_int_equal(known(0, CACHE_PAGE, 16), 0);
	assert_int_equal(known(0, CACHE_PAGES * (uint64_t)CACHE_PAGE, 32), 16);
	put(1, 3 * CACHE_PAGE + 40, 1);
	assert_int_equal(known(0, 2 * CACHE_PAGE, 1), 0);
	assert_int_equal(known(1, 3 * CACHE_PAGE + 40, 16), 1);
	assert_int_equal(known(1, 3 * CACHE_PAGE, 1), 0); /* of who had the place before */
}

/* Line after line: as much ahead as is known before, to the most, to the end of the page, to what is denied. */
static void test_ahead(void **state)
{
	uint64_t at = 0x10000;
	size_t asked = 0;

	(void)state;
	for (struct cache_gap gap = want(at, 64, 4096, 512); at < 0x10000 + 2048; at += 64) {
		if (!cache_want(c, 0, at, 64, 4096, 512, &gap))
			continue;
		assert_true(gap.n <= 512);
		put(0, gap.from, gap.n);
		asked++;
	}
	assert_true(asked >= 5 && asked <= 7);
	assert_int_equal(want(0x20fc0, 64, 4096, 512).n, 64);
	assert_int_equal(want(0x20f80, 64, 4096, 512).n, 128);
	assert_int_equal(want(0x20f80, 64, 70, 512).n, 70);
	assert_int_equal(want(0x20f80, 64, 64, 512).n, 64);
	assert_int_equal(want(0x20f80, 64, 0, 512).n, 64);
	assert_int_equal(want(0x20f80, 64, 4096, 64).n, 64);
	assert_int_equal(want(0x20f80, 64, 4096, 0).n, 64);
	assert_int_equal(want(0x20fc0, 0x80, 4096, 512).n, 0x80);
	put(0, 0x20fc8, 1);
	assert_int_equal(want(0x20f80, 64, 4096, 512).n, 72);
}

static void test_before(void **state)
{
	(void)state;
	assert_int_equal(cache_before(c, 0, 0x30010), 0);
	put(0, 0x2fff0, 0x40);
	assert_int_equal(cache_before(c, 0, 0x30010), 0x10); /* not over the start of a page */
	assert_int_equal(cache_before(c, 0, 0x30030), 0x30);
	assert_int_equal(cache_before(c, 0, 0x30031), 0);
	assert_int_equal(cache_before(c, 0, 0x30000), 0);
	assert_int_equal(cache_before(c, 1, 0x30010), 0);
	cache_forget(c, 0x30008, 1);
	assert_int_equal(cache_before(c, 0, 0x30010), 7);
}

static void test_gap(void **state)
{
	struct cache_gap gap;

	(void)state;
	put(0, 0x1010, 16);
	gap = want(0x1018, 16, 16, 512);
	assert_int_equal(gap.from, 0x1020);
	assert_int_equal(gap.need, 8);
	gap = want(0x1000, 0x20, 4096, 512);
	assert_int_equal(gap.from, 0x1000);
	assert_int_equal(gap.need, 0x10);
	assert_int_equal(gap.n, 0x10); /* its end is known: nobody reads on from there */
	gap = want(0x1000, 0x30, 0x30, 512);
	assert_int_equal(gap.need, 0x30);
	assert_false(cache_want(c, 0, 0x1010, 16, 4096, 512, &gap));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, begin, end),
		cmocka_unit_test_setup_teardown(test_pages, begin, end),
		cmocka_unit_test_setup_teardown(test_last_address, begin, end),
		cmocka_unit_test_setup_teardown(test_forget, begin, end),
		cmocka_unit_test_setup_teardown(test_room, begin, end),
		cmocka_unit_test_setup_teardown(test_ahead, begin, end),
		cmocka_unit_test_setup_teardown(test_before, begin, end),
		cmocka_unit_test_setup_teardown(test_gap, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
