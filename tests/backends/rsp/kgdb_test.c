/* kgdb_test.c - what KGDB is asked, and what is made of what its console says, whole and cut at every byte. */
#include "backends/rsp/kgdb.h"

#include "backends/link/console.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char boot[] = "\r\n[    0.000000] Linux version 6.1.0 (gcc) #1 SMP\r\n";
static const char heeds[] = "\r\n[   12.345678] sysrq: DEBUG\r\n[   12.345679] KGDB: Entering KGDB\r\n";

static bool hears(bool (*says)(size_t *at, struct span text), size_t *at, const char *text, size_t n)
{
	return says(at, (struct span){ guard_copy(text, n), n });
}

/* At one place only, wherever the pieces end. */
static void test_pieces(void **state)
{
	static const struct {
		bool (*says)(size_t *at, struct span text);
		const char *text;
	} rows[] = { { kgdb_boots, boot }, { kgdb_heeds_sysrq, heeds } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].text), at = 0, times = 0;

		assert_true(hears(rows[i].says, &at, rows[i].text, len));
		for (size_t cut = 0; cut <= len; cut++) {
			at = 0;
			times = hears(rows[i].says, &at, rows[i].text, cut);
			times += hears(rows[i].says, &at, rows[i].text + cut, len - cut);
			assert_int_equal(times, 1);
		}
		at = times = 0;
		for (size_t k = 0; k < len; k++)
			times += hears(rows[i].says, &at, rows[i].text + k, 1);
		assert_int_equal(times, 1);
	}
}

static void test_other_text(void **state)
{
	size_t at = 0;

	(void)state;
	assert_false(hears(kgdb_heeds_sysrq, &at, boot, strlen(boot)));
	assert_false(hears(kgdb_boots, &at, heeds, strlen(heeds)));
	at = 0;
	assert_false(hears(kgdb_boots, &at, "[    0.000000] Linux", 20));
	assert_true(hears(kgdb_boots, &at, "[    0.000000] Linux version ", 29));
	assert_false(hears(kgdb_heeds_sysrq, &at, "sys", 3));
	assert_true(hears(kgdb_heeds_sysrq, &at, "ssysrq", 6));
}

static void test_unheard(void **state)
{
	(void)state;
	assert_non_null(strstr(kgdb_unheard(CONSOLE_MODE_MASKED, false), "/proc/sys/kernel/sysrq"));
	assert_non_null(strstr(kgdb_unheard(CONSOLE_MODE_NO_KEY, true), "CONFIG_KGDB"));
	assert_non_null(strstr(kgdb_unheard(CONSOLE_MODE_RUNS, false), "kgdboc= the same port?"));
	assert_non_null(strstr(kgdb_unheard(CONSOLE_MODE_RUNS, true), "Is the console line its console"));
}

/* What begins like a packet that it knows is taken for that one; k leaves it mute. */
static void test_understands(void **state)
{
	static const struct {
		const char *packet;
		bool known;
	} rows[] = {
		{ "?", true }, { "g", true }, { "p10", true }, { "m1000,4", true }, { "Z0,1000,1", true }, { "qC", true }, { "D", true },
		{ "qRcmd,7073", true }, { "qCRC:0,1", false }, { "k", false }, { "vRun;", false }, { "QStartNoAckMode", false }, { "3", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].packet);
		struct rsp_cmd cmd;

		(void)!rsp_cmd_parse(guard_copy(rows[i].packet, len), len, &cmd);
		if (kgdb_understands(&cmd) != rows[i].known)
			fail_msg("%s", rows[i].packet);
	}
}

static void test_describe(void **state)
{
	struct tdesc t;

	(void)state;
	assert_int_equal(tdesc_init(&t), 0);
	assert_int_equal(kgdb_describe(&t, 155), -ENOENT);
	assert_int_equal(kgdb_describe(&t, 156), 0);
	assert_string_equal(tdesc_pc(&t)->name, "rip");
	assert_int_equal(tdesc_pc(&t)->at, 128);
	tdesc_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),     cmocka_unit_test(test_other_text), cmocka_unit_test(test_unheard),
		cmocka_unit_test(test_understands), cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
