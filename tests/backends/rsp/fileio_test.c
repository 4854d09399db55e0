/* fileio_test.c - what a stub asks of its host's files, whole and cut at every byte, and what it is told. */
#include "backends/rsp/fileio.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct fileio f;

static int take(const char *text, size_t n, uint64_t now)
{
	return fileio_take(&f, (struct span){ guard_copy(text, n), n }, now);
}

static const char *answered(void)
{
	static uint8_t room[64];
	struct buf out = { .base = room, .cap = sizeof room - 1 };

	assert_int_equal(fileio_answer(&f, &out), 0);
	room[out.len] = 0;
	return (const char *)room;
}

static void test_denied(void **state)
{
	static const char *const calls[] = {
		"Fopen,1000/5,601,1b6", "Fopen,1000/c,0,0", "Fclose,3", "Fread,0,1000,10", "Fwrite,5,1000,10", "Fwrite,0,1000,4", "Flseek,3,0,0",
		"Frename,1000/5,2000/5", "Funlink,1000/5", "Fstat,1000/5,2000", "Ffstat,3,2000", "Fgettimeofday,1000,0", "Fisatty,1", "Fsystem,1000/5",
		"Fsystem,0/0", "Fnosuchcall,1,2,3", "Fwrite,1,zz,4", "Fwrite,1,1000", "Fwrite,1,1000,4,5", "Fwrite,1,1000,4;x", "Fwrite,-1,1000,4",
		"Fwrite,1,1000,11111111111111111", "Fwrite,1,1000,0", "Fwrite,100000001,1000,4",
	};

	(void)state;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		f = (struct fileio){ 0 };
		assert_int_equal(take(calls[i], strlen(calls[i]), 1), 0);
		assert_false(f.text);
		if (strcmp(calls[i], "Fwrite,1,1000,0"))
			assert_string_equal(answered(), "F-1,1");
		for (size_t n = 0; n < strlen(calls[i]); n++) /* a part of it may be another call, but never one that is done */
			if (take(calls[i], n, 1) == 0)
				assert_true(!f.text || !strncmp(calls[i], "Fwrite,1,", 9));
	}
}

static void test_none(void **state)
{
	static const char *const others[] = { "", "F", "F,", "F1,2", "Fopen", "FOPEN,1", "F-1,1", "fwrite,1,2,3", "F\x1b[2J,1", "Fa b,1" };

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(take(others[i], strlen(others[i]), 1), -EBADMSG);
}

static void test_console(void **state)
{
	uint8_t room[64];
	struct buf out = { .base = room, .cap = sizeof room }, body = { 0 };
	struct span text;

	(void)state;
	assert_int_equal(take("Fwrite,2,ffffffff81000000,ffffffff", 34, 1), 0);
	assert_true(f.text);
	assert_int_equal(fileio_request(&f, &out), 0);
	assert_true(span_is(buf_span(&out), "mffffffff81000000,200")); /* no more than it may have */
	buf_reset(&out, 0);
	assert_int_equal(take("Fwrite,1,fffffffffffffff0,20", 28, 1), 0);
	assert_int_equal(fileio_request(&f, &out), 0);
	assert_true(span_is(buf_span(&out), "mfffffffffffffff0,f")); /* nor than there is */

	assert_int_equal(buf_init(&body, 64), 0);
	assert_int_equal(buf_put_text(&body, "68690a"), 0);
	assert_int_equal(fileio_text(&f, &body, &text), 0);
	assert_true(span_is(text, "hi\n"));
	assert_string_equal(answered(), "F3");

	assert_int_equal(take("Fwrite,1,1000,2", 15, 1), 0);
	buf_reset(&body, 0);
	assert_int_equal(buf_put_text(&body, "686921"), 0); /* more than was asked for */
	assert_int_equal(fileio_text(&f, &body, &text), -EBADMSG);
	buf_reset(&body, 0);
	assert_int_equal(buf_put_text(&body, "E0e"), 0);
	assert_int_equal(fileio_text(&f, &body, &text), 0);
	assert_int_equal(text.len, 0);
	assert_string_equal(answered(), "F-1,e");
	buf_fini(&body);
}

static void test_flood(void **state)
{
	int n = 0;

	(void)state;
	f = (struct fileio){ 0 };
	while (n < 1000 && take("Fisatty,1", 9, 10) == 0)
		n++;
	assert_int_equal(n, FILEIO_BURST);
	assert_int_equal(take("Fisatty,1", 9, 10), -EPROTO);
	assert_int_equal(take("Fisatty,1", 9, 10 + FILEIO_EACH_MS), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(take("Fwrite,1,1000,4", 15, 10 + FILEIO_EACH_MS), 0); /* its text is bounded elsewhere */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_denied), cmocka_unit_test(test_none), cmocka_unit_test(test_console), cmocka_unit_test(test_flood) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
