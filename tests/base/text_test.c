/* text_test.c - what a hostile peer writes, on somebody's terminal. */
#include "base/text.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
	const char *in, *out;
	bool lines;
} vectors[] = {
	{ "plain", "plain", false },
	{ "\x1b[2J", "\\x1b[2J", false },
	{ "a\nb\tc", "a\\x0ab\\x09c", false },
	{ "a\nb\tc\r", "a\nb\tc\\x0d", true },
	{ "\x7f\x80", "\\x7f\\x80", true },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", false },
	{ "\xc2\x9b", "\\xc2\\x9b", false },                     /* C1, as UTF-8: an escape too */
	{ "\xc0\xaf", "\\xc0\\xaf", false },                     /* overlong */
	{ "\xe0\x80\x80", "\\xe0\\x80\\x80", false },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", false },            /* a surrogate */
	{ "\xe2\x80\xae" "abc", "\\xe2\\x80\\xaeabc", false },   /* turns the direction of what follows */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", false },   /* beyond Unicode */
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", false },
	{ "\xe2\x82", "\\xe2\\x82", false },                     /* cut short */
};

static void visible(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		uint8_t room[128];
		struct buf out = { .base = room, .cap = sizeof room };
		size_t n = strlen(vectors[i].in);

		text_visible(&out, (struct span){ guard_copy(vectors[i].in, n), n }, sizeof room, vectors[i].lines);
		room[out.len] = 0;
		assert_string_equal((char *)room, vectors[i].out);
	}
}

/* Cut anywhere, it is still whole characters. */
static void bounded(void **state)
{
	(void)state;
	for (size_t most = 0; most < 12; most++) {
		uint8_t room[12];
		struct buf out = { .base = room, .cap = sizeof room };

		text_visible(&out, span_of("a\xc3\xbc\x1b\xf0\x9f\x98\x80"), most, false);
		assert_true(out.len <= most);
		assert_true(out.len == 0 || out.len == 1 || out.len == 3 || out.len == 7 || out.len == 11);
	}
}

static void ascii(void **state)
{
	char out[9];

	(void)state;
	assert_string_equal(text_ascii(out, sizeof out, span_of("ab\xc3\xbc")), "ab\\xc3");
	assert_string_equal(text_ascii(out, sizeof out, span_of("")), "");
	assert_string_equal(text_ascii(out, 1, span_of("abc")), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(visible), cmocka_unit_test(bounded), cmocka_unit_test(ascii) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
