/* guard_test.c - what is told and how often, console text as it may be shown, stops, thread lists. */
#include "filters/guard.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct guard g;
static uint8_t room[GUARD_PIECE];
static struct buf out = { .base = room, .cap = sizeof room };

/* All of a text, piece by piece. */
static const char *console(const char *text, size_t n, uint64_t now)
{
	static char all[1 << 20];
	struct span s = { guard_copy(text, n), n };
	size_t at = 0;

	while (s.len) {
		size_t before = s.len;

		guard_console(&g, &s, &out, now);
		assert_true(s.len < before);
		assert_true(at + out.len < sizeof all);
		memcpy(all + at, buf_data(&out), out.len);
		at += out.len;
	}
	all[at] = 0;
	return all;
}

static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
		unsigned incidents;
	} vectors[] = {
		{ "[    1.5] ok\n", "[    1.5] ok\n", 0 },
		{ "a\tb\r\nc\n", "a\tb\nc\n", 0 },
		{ "caf\xc3\xa9\n", "caf\xc3\xa9\n", 0 },
		{ "\x1b]0;title\x07", "\\x1b]0;title\\x07", 1 },
		{ "\x1b[2J", "\\x1b[2J", 1 },
		{ "over\rwritten", "over\\x0dwritten", 1 },
		{ "\x9b" "31m", "\\x9b31m", 1 },
		{ "\xc2\x9b" "31m", "\\xc2\\x9b31m", 1 },
		{ "del\x7f", "del\\x7f", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		guard_init(&g);
		assert_string_equal(console(vectors[i].in, strlen(vectors[i].in), 1), vectors[i].out);
		assert_int_equal(g.kinds[GUARD_TEXT].seen, vectors[i].incidents);
		for (size_t cut = 0; cut < strlen(vectors[i].in); cut++) /* no byte of it is ever a control character */
			for (const char *p = console(vectors[i].in, cut, 1); *p; p++)
				assert_true((uint8_t)*p >= 0x20 || *p == '\n' || *p == '\t');
	}
}

static void test_pieces(void **state)
{
	char text[6000];

	(void)state;
	guard_init(&g);
	for (size_t i = 0; i < sizeof text; i += 3)
		memcpy(text + i, i % 2 ? "\xc3\xa9x" : "a\r\n", 3);
	for (size_t n = 480; n < sizeof text; n += 127)
		assert_null(strstr(console(text, n - n % 3, 1), "\\x")); /* no character, no line end was torn */
	memset(text, 'x', 507);
	memcpy(text + 507, "\xf0\x9f\x98\x80\x80\x80\x80\x80", 8); /* nor for bytes behind it that belong to none */
	assert_string_equal(console(text, 515, 1) + 507, "\xf0\x9f\x98\x80\\x80\\x80\\x80\\x80");
}

static void test_flood(void **state)
{
	static char text[GUARD_TEXT_BURST * 2];
	const char *all;

	(void)state;
	guard_init(&g);
	memset(text, 'x', sizeof text);
	assert_true(strlen(console(text, sizeof text, 1000)) < GUARD_TEXT_BURST);
	assert_true(g.text_lost > 0);
	assert_true(g.kinds[GUARD_FLOOD].seen > 0);
	assert_string_equal(console("lost\n", 5, 1000), "");
	all = console("again\n", 6, 2000);
	assert_non_null(strstr(all, "bytes of the target's text were left out]\n"));
	assert_non_null(strstr(all, "\nagain\n"));
	assert_int_equal(g.text_lost, 0);
	assert_string_equal(console("plain\n", 6, 2000), "plain\n");
}

/* A piece without bytes costs too: a flood of nothing is a flood. */
static void test_small_pieces(void **state)
{
	size_t shown = 0;

	(void)state;
	guard_init(&g);
	for (int i = 0; i < 10000; i++)
		shown += strlen(console("y", 1, 5)) != 0;
	assert_true(shown < GUARD_TEXT_BURST / GUARD_TEXT_COST);
}

static size_t tell(uint64_t now, uint64_t *more)
{
	struct guard_incident in;
	size_t n = 0;

	for (; guard_next(&g, &in, now); n++)
		*more += in.more;
	return n;
}

static void test_incidents(void **state)
{
	struct guard_incident in;
	uint64_t more = 0;
	size_t told = 0;

	(void)state;
	guard_init(&g);
	assert_false(guard_next(&g, &in, 5));
	guard_note(&g, GUARD_STOP, "one %d", 1);
	guard_note(&g, GUARD_FILE, "two");
	assert_true(guard_next(&g, &in, 5));
	assert_int_equal(in.what, GUARD_STOP);
	assert_string_equal(in.words, "one 1");
	assert_true(guard_next(&g, &in, 5));
	assert_string_equal(in.words, "two");
	for (int i = 0; i < 1000; i++) {
		guard_note(&g, GUARD_NOISE, "n");
		told += tell(10, &more);
	}
	assert_int_equal(told, GUARD_BURST);
	guard_note(&g, GUARD_STOP, "another kind is not held up");
	assert_int_equal(tell(10, &more), 1);
	assert_int_equal(more, 0);
	guard_note(&g, GUARD_NOISE, "n");
	assert_int_equal(tell(10 + GUARD_EVERY_MS, &more), 1);
	assert_int_equal(more, 1000 - GUARD_BURST);
	assert_int_equal(g.kinds[GUARD_NOISE].seen, 1001);
	for (int i = 0; i < 20; i++)
		guard_note(&g, GUARD_LOST, "%0300d", i); /* longer than there is room, more than there is room */
	assert_int_equal(g.kept_n, GUARD_KEPT);
	assert_int_equal(tell(10, &more), GUARD_KEPT);
}

static void test_bucket(void **state)
{
	struct guard_bucket b = { 0 };

	(void)state;
	assert_true(guard_spend(&b, 10, 10, 1, 100));
	assert_false(guard_spend(&b, 1, 10, 1, 100));
	assert_true(guard_spend(&b, 1, 10, 1, 101));
	assert_false(guard_spend(&b, 2, 10, 1, 102));
	assert_true(guard_spend(&b, 2, 10, 1, 103));
	assert_false(guard_spend(&b, 1, 10, 1, 50)); /* a clock that went back gives nothing */
	assert_true(guard_spend(&b, 10, 10, 1, UINT64_MAX - 1));
	assert_false(guard_spend(&b, 11, 10, 1, UINT64_MAX));
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < GUARD_WHATS; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(guard_what_name((enum guard_what)i), guard_what_name((enum guard_what)k));
	assert_string_equal(guard_what_name(GUARD_WHATS), "other");
}

static const struct tdesc_reg regs[] = { { .name = "a", .num = 0, .bits = 64, .at = 0 }, { .name = "f", .num = 1, .bits = 32, .at = 8 }, { .name = "w", .num = 9, .bits = 128, .at = 12 } };

static void describe(struct tdesc *t)
{
	assert_int_equal(tdesc_init(t), 0);
	memcpy(t->regs, regs, sizeof regs);
	t->regs_n = 3;
	t->g_bytes = 28;
}

static void test_stop(void **state)
{
	static struct rsp_stop stop;
	struct tdesc t;

	(void)state;
	describe(&t);
	stop = (struct rsp_stop){ .regs_n = 5, .regs = { { .num = 0, .len = 8 }, { .num = 1, .len = 8 }, { .num = 4, .len = 8 }, { .num = 9, .len = 16 }, { .num = 1, .len = 4 } } };
	assert_int_equal(guard_stop(&stop, &t), 2);
	assert_int_equal(stop.regs_n, 3);
	assert_int_equal(stop.regs[1].num, 9);
	assert_int_equal(stop.regs[2].len, 4);
	assert_int_equal(guard_stop(&stop, &t), 0);
	assert_int_equal(guard_stop(&stop, NULL), 0); /* none can be told from another, so none goes on */
	assert_int_equal(stop.regs_n, 0);
	tdesc_fini(&t);
}

static void test_threads(void **state)
{
	static struct rsp_thread ids[RSP_THREADS_MAX];
	size_t n = 6;

	(void)state;
	for (size_t i = 0; i < n; i++)
		ids[i] = (struct rsp_thread){ 0, (int64_t)(i % 3) + 1 };
	assert_int_equal(guard_threads(ids, &n), 3);
	assert_int_equal(n, 3);
	assert_int_equal(ids[2].tid, 3);
	ids[1] = (struct rsp_thread){ 1, 1 };
	assert_int_equal(guard_threads(ids, &n), 0); /* 1 of process 1 is another */
	ids[0] = ids[2] = (struct rsp_thread){ 1, 0 };
	assert_int_equal(guard_threads(ids, &n), 2);
	assert_true(n == 1 && ids[0].tid == 1);
	n = 0;
	assert_int_equal(guard_threads(ids, &n), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),      cmocka_unit_test(test_pieces), cmocka_unit_test(test_flood),
		cmocka_unit_test(test_small_pieces), cmocka_unit_test(test_incidents), cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_names),     cmocka_unit_test(test_stop),   cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
