/* prints_test.c - what a kernel prints about itself, whole, and split between any two bytes; what only looks like it. */
#include "backends/kd/prints.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define WINDOWS                                                                                             \
	"KDTARGET: Refreshing KD connection\n\n*** Fatal System Error: 0x000000d1\n"                        \
	"                       (0xFFFFF80212345678,0x0000000000000002,0x0000000000000001,0xFFFFF8021ABCDEF0)\n\n" \
	"Driver at fault: my driver.sys.\n"
#define LOADER "\n*** Fatal Error 0x00000001 :\n                (0x0000000000000001, 0xFFFFF8017BC91A70, 0xFFFFF8017BC94540, 0xFFFFFFFFC0430007)\n\n"
enum { ALL = KD_NOTICE_REFRESH | KD_NOTICE_BUGCHECK | KD_NOTICE_PARAMETERS | KD_NOTICE_DRIVER };

static unsigned feed(struct kd_prints *p, const char *text, size_t n)
{
	return kd_prints_feed(p, (struct span){ guard_copy(text, n), n });
}

static void windows_bugcheck(void **state)
{
	size_t n = strlen(WINDOWS);

	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		struct kd_prints p = { .len = 0 };
		unsigned noticed = feed(&p, WINDOWS, cut);

		noticed |= feed(&p, WINDOWS + cut, n - cut);
		assert_int_equal(noticed, ALL);
		assert_int_equal(p.code, 0xd1);
		assert_int_equal(p.params_n, 4);
		assert_int_equal(p.params[0], 0xfffff80212345678);
		assert_int_equal(p.params[1], 2);
		assert_int_equal(p.params[3], 0xfffff8021abcdef0);
		assert_string_equal(p.driver, "my driver.sys");
	}
}

static void byte_by_byte(void **state)
{
	struct kd_prints p = { .len = 0 };
	unsigned noticed = 0;

	(void)state;
	for (size_t i = 0; i < strlen(LOADER); i++)
		noticed |= feed(&p, &LOADER[i], 1);
	assert_int_equal(noticed, KD_NOTICE_BUGCHECK | KD_NOTICE_PARAMETERS);
	assert_int_equal(p.code, 1);
	assert_int_equal(p.params[2], 0xfffff8017bc94540);
	assert_int_equal(p.params[3], 0xffffffffc0430007);
	assert_string_equal(p.driver, "");
}

static void another_forgets_the_first(void **state)
{
	struct kd_prints p = { .len = 0 };

	(void)state;
	(void)feed(&p, WINDOWS, strlen(WINDOWS));
	assert_int_equal(feed(&p, "*** Fatal System Error: 0xc000021a\n", 35), KD_NOTICE_BUGCHECK);
	assert_int_equal(p.code, 0xc000021a);
	assert_int_equal(p.params_n, 0);
	assert_string_equal(p.driver, "");
}

static void a_line_that_does_not_end(void **state)
{
	struct kd_prints p = { .len = 0 };

	(void)state;
	assert_int_equal(feed(&p, "*** Fatal System Error: 0x00000050", 34), 0);
	assert_int_equal(kd_prints_end(&p), KD_NOTICE_BUGCHECK);
	assert_int_equal(p.code, 0x50);
	assert_int_equal(kd_prints_end(&p), 0);
}

static void what_only_looks_like_it(void **state)
{
	static const char *const lines[] = {
		"a *** Fatal System Error: 0x00000050\n",
		"*** Fatal System Error: none\n",
		"*** Fatal System Error: 0x00000000000000050\n",
		"*** Fatal System Error: 0x100000000\n",
		"*** Fatal System Err\nor: 0x00000050\n",
		"(0x1,0x2,0x3,0x4)\n",
		"Driver at fault: .\n",
		"Driver at fault\n",
		"KDTARGET: refreshing KD connection\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct kd_prints p = { .len = 0 };

		if (feed(&p, lines[i], strlen(lines[i])))
			fail_msg("%s", lines[i]);
	}
}

static void parameters_that_are_none(void **state)
{
	static const char *const lines[] = { "(0x1,0x2,0x3)\n", "(0x1,0x2,0x3,0x4\n", "(0x1;0x2;0x3;0x4)\n",
					     "(0x1,,0x3,0x4)\n", "(0x11112222333344445,0,0,0)\n", "()\n", "(\n" };

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct kd_prints p = { .fatal = true };

		if (feed(&p, lines[i], strlen(lines[i])) || p.params_n)
			fail_msg("%s", lines[i]);
	}
}

static void any_length(void **state)
{
	static char text[8192];
	struct kd_prints p = { .len = 0 };

	(void)state;
	memset(text, 'x', sizeof text);
	for (int i = 0; i < 4; i++)
		assert_int_equal(feed(&p, text, sizeof text), 0);
	assert_int_equal(p.len, KD_LINE_MAX);
	assert_int_equal(feed(&p, "\nKDTARGET: Refreshing KD connection\n", 36), KD_NOTICE_REFRESH);
	memcpy(text, "Driver at fault: ", 17);
	assert_int_equal(feed(&p, text, sizeof text), 0);
	assert_int_equal(kd_prints_end(&p), KD_NOTICE_DRIVER);
	assert_true(strlen(p.driver) < sizeof p.driver && strlen(p.driver) > 50);
	assert_int_equal(feed(&p, "Driver at fault: \x1b[2J.sys.\n", 28), KD_NOTICE_DRIVER);
	assert_string_equal(p.driver, "\\x1b[2J.sys");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_bugcheck),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(another_forgets_the_first),
		cmocka_unit_test(a_line_that_does_not_end),
		cmocka_unit_test(what_only_looks_like_it),
		cmocka_unit_test(parameters_that_are_none),
		cmocka_unit_test(any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
