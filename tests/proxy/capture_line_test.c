/* capture_line_test.c - lines of a serial line's recording: good ones, and what is none. */
#include "proxy/capture_line.h"

#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint8_t room[8];

static int parse(const char *text, struct capture_line *line, struct buf *bytes)
{
	size_t n = strlen(text);

	*bytes = (struct buf){ .base = room, .cap = sizeof room };
	return capture_line_parse((struct span){ guard_copy(text, n), n }, line, bytes);
}

static void lines(void **state)
{
	static const struct { const char *text; double time; bool from_host; size_t n; uint8_t first; } good[] = {
		{ "0.601082 H 62", 0.601082, true, 1, 0x62 }, { "12 T 30303030", 12, false, 4, 0x30 }, { "1.5 T ", 1.5, false, 0, 0 },
		{ "999999999999.000001 T ABcd", 999999999999.000001, false, 2, 0xab }, { "0.5 H 0011223344556677", 0.5, true, 8, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct capture_line line;
		struct buf bytes;

		assert_int_equal(parse(good[i].text, &line, &bytes), 0);
		assert_true(line.time == good[i].time && line.from_host == good[i].from_host && bytes.len == good[i].n);
		assert_true(!bytes.len || room[0] == good[i].first);
	}
}

static void others(void **state)
{
	static const char *const bad[] = {
		"", "0", "0.5", "0.5 ", "0.5 T", "0.5 TH 00", "0.5 X 00", "0.5 t 00", " 0.5 T 00", "0.5  T 00", "0.5 T 0", "0.5 T 0g", "0.5 T 00 ", "-1 T 00", ".5 T 00",
		"1e3 T 00", "1234567890123 T 00", "0.1234567890123 T 00", "nan T 00", "0.5 T 00 00", "0.5\tT\t00",
	};
	struct capture_line line;
	struct buf bytes;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i], &line, &bytes) != -EBADMSG)
			fail_msg("\"%s\" is a line", bad[i]);
	assert_int_equal(parse("0.5 T 001122334455667788", &line, &bytes), -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(others) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
