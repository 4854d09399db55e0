/* hex_test.c - every byte both ways, every wrong digit at every place, against a guard page. */
#include "base/hex.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void all_bytes(void **state)
{
	uint8_t bytes[256], room[512], back[256];
	struct buf text = { .base = room, .cap = sizeof room }, out = { .base = back, .cap = sizeof back };
	char want[3];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(hex_put(&text, (struct span){ bytes, sizeof bytes }), 0);
	for (size_t i = 0; i < sizeof bytes; i++) {
		snprintf(want, sizeof want, "%02x", (unsigned)i);
		assert_memory_equal(room + 2 * i, want, 2);
	}
	assert_int_equal(hex_take(&out, buf_span(&text)), 0);
	assert_memory_equal(back, bytes, sizeof bytes);
	assert_int_equal(hex_put(&text, (struct span){ bytes, 1 }), -ENOBUFS);
	assert_int_equal(hex_take(&out, span_of("00")), -ENOBUFS);
}

/* Of every length around the blocks that are decoded at once; in place, at the edge of a page. */
static void every_length(void **state)
{
	(void)state;
	for (size_t n = 0; n < 300; n++) {
		char text[301];
		uint8_t *at;

		for (size_t i = 0; i < n; i++)
			text[i] = "0123456789abcdefABCDEF"[(i * 7 + n) % 22];
		at = guard_copy(text, n);
		assert_int_equal(hex_decode_in_place(at, n), n % 2 ? -EBADMSG : (long)(n / 2));
		for (size_t i = 0; n % 2 == 0 && i < n / 2; i++)
			assert_int_equal(at[i], hex_value((uint8_t)text[2 * i]) << 4 | hex_value((uint8_t)text[2 * i + 1]));
	}
}

static void every_wrong_digit(void **state)
{
	uint8_t text[140];

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof text; at += c % 3 + 1) {
			memset(text, 'f', sizeof text);
			text[at] = (uint8_t)c;
			assert_int_equal(hex_decode_in_place(text, sizeof text), hex_value((uint8_t)c) < 0 ? -EBADMSG : (long)sizeof text / 2);
		}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		unsigned digits;
		uint64_t value;
		bool bad;
		size_t left;
	} cases[] = {
		{ "0", 16, 0, false, 0 },         { "ffffffffffffffff", 16, UINT64_MAX, false, 0 },
		{ "00000001", 8, 1, false, 0 },   { "000000001", 8, 0, true, 1 },
		{ "", 8, 0, true, 0 },            { "x", 8, 0, true, 1 },
		{ "1f,2", 8, 0x1f, false, 2 },    { "-1", 8, 0, true, 2 },
		{ " 1", 8, 0, true, 2 },          { "0x1", 8, 0, false, 2 },
		{ "10000000000000000", 16, 0, true, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = strlen(cases[i].text);
		struct cursor c = cursor_of((struct span){ guard_copy(cases[i].text, n), n });

		assert_int_equal(hex_number(&c, cases[i].digits), cases[i].value);
		assert_int_equal(c.bad, cases[i].bad);
		assert_int_equal(c.end - c.p, cases[i].left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_bytes), cmocka_unit_test(every_length), cmocka_unit_test(every_wrong_digit), cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
