/* names_test.c - words and signals: of what is known, and of what is not. */
#include "backends/kd/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void signals(void **state)
{
	static const struct { uint32_t code; unsigned sig; } cases[] = {
		{ KD_BREAKPOINT, 5 }, { KD_SINGLE_STEP, 5 }, { KD_WAKE_DEBUGGER, 5 }, { 0xc0000005, 11 }, { 0xc0000006, 11 }, { 0xc000001d, 4 },
		{ 0xc0000096, 4 },
		{ 0xc0000094, 8 },    { 0xc0000095, 8 },     { 0xc000008e, 8 },       { 0xc0000093, 8 },  { 0xc00000fd, 11 }, { 0x80000001, 11 },
		{ 0x80000002, 10 },   { 0xc0000420, 6 },     { 0xc000001e, 4 },       { 0xc0000026, 4 },  { 0, 5 },           { 0xdeadbeef, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (kd_exception_signal(cases[i].code) != cases[i].sig)
			fail_msg("%#x: %u", cases[i].code, kd_exception_signal(cases[i].code));
}

static void words(void **state)
{
	(void)state;
	assert_string_equal(kd_exception_name(0xc0000005), "access violation");
	assert_string_equal(kd_exception_name(KD_BREAKPOINT), "breakpoint");
	assert_null(kd_exception_name(0));
	assert_string_equal(kd_bugcheck_name(0xd1), "DRIVER_IRQL_NOT_LESS_OR_EQUAL");
	assert_string_equal(kd_bugcheck_name(0xc000021a), "WINLOGON_FATAL_ERROR");
	assert_null(kd_bugcheck_name(0xffffffff));
}

/* What is named twice, by different codes, is a slip in the table. */
static void names_differ(void **state)
{
	const char *seen[0x200];
	size_t n = 0;

	(void)state;
	for (uint32_t code = 0; code < 0x200; code++) {
		const char *name = kd_bugcheck_name(code);

		for (size_t i = 0; name && i < n; i++)
			assert_string_not_equal(name, seen[i]);
		if (name)
			seen[n++] = name;
	}
	assert_true(n > 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals),
		cmocka_unit_test(words),
		cmocka_unit_test(names_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
