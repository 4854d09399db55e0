/* config_text_test.c - what a configuration's text may hold before the library sees it, and which files are read at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/config_text.h"
#include "tests/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct found {
	int rc;
	unsigned line;
	size_t words;
	char why[256];
};

/* text ends where nothing more may be read. */
static struct found clean(char *text, size_t len)
{
	struct found f = { .line = 99 };

	f.rc = config_text_clean(text, len, &f.words, &f.line, f.why, sizeof f.why);
	return f;
}

static const struct {
	const char *text, *clean;
	size_t words;
} good[] = {
	{ "", "", 0 },
	{ "a = b", "a = b", 2 },
	{ "\xef\xbb\xbf""a = b\r\n", "   a = b\r\n", 2 },
	{ "a = b # c\n#\n#d", "a = b    \n \n  ", 2 },
	{ "a = b#c\n//d '\n / = //e", "a = b  \n     \n / =    ", 3 },
	{ "a = /b//c /**/", "a = /b//c     ", 2 },
	{ "/* a\n\"*\n{ **/b = c", "    \n  \n     b = c", 2 },
	{ "a = \"b # c\" // \"", "a = \"b # c\"     ", 2 },
	{ "a = '/* // b'", "a = '/* // b'", 2 },
	{ "a = \"b\\\"#\\\\\"#", "a = \"b\\\"#\\\\\" ", 2 },
	{ "a = 'b\\'#\\\\'#", "a = 'b\\'#\\\\' ", 2 },
	{ "a = '${b} \\c'", "a = '${b} \\c'", 2 },
	{ "a = $b", "a = $b", 2 },
	{ "a = \"+*;[]|{}()\"", "a = \"+*;[]|{}()\"", 2 },
	{ "a \"b\" { c = { d, 'e', } }", "a \"b\" { c = { d, 'e', } }", 5 },
	{ "include(\n'a' )", "include(\n'a' )", 2 },
	{ "a = \xc3\xa4", "a = \xc3\xa4", 2 },
};

static const struct {
	const char *text, *why;
	unsigned line;
} bad[] = {
	{ "\na = \"b\n\"", "quoted text is not closed on its line, or holds a control character; expected \"", 2 },
	{ "a = 'b", "quoted text is not closed on its line, or holds a control character; expected '", 1 },
	{ "a = 'b\\'", "quoted text is not closed on its line, or holds a control character; expected '", 1 },
	{ "a = 'b\tc'", "quoted text is not closed on its line, or holds a control character; expected '", 1 },
	{ "a = 'b\x7f'", "quoted text is not closed on its line, or holds a control character; expected '", 1 },
	{ "a = \"b\\", "unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it", 1 },
	{ "a = \"\\400\"", "unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it", 1 },
	{ "a = \"\\x00\"", "unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it", 1 },
	{ "a = \"b\\\nc\"", "unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it", 1 },
	{ "\na = \"b${c}\"", "${ is out of place, nothing is taken from the environment; expected single quotes around it", 2 },
	{ "a = ${b}", "${ is out of place, nothing is taken from the environment; expected single quotes around it", 1 },
	{ "a = b${", "${ is out of place, nothing is taken from the environment; expected single quotes around it", 1 },
	{ "\n/* a\n*", "a comment begins here and never ends; expected */", 2 },
	{ "/*\n*/;", "';' is out of place; expected a blank or a new line after a value, and quotes around text that holds it", 2 },
	{ "/*/", "a comment begins here and never ends; expected */", 1 },
	{ "a {\nb {\n}\n", "{ begins here and never ends; expected }", 1 },
	{ "a {\nb {\n", "{ begins here and never ends; expected }", 2 },
	{ "a { }\n}", "} closes nothing; expected a name, or the end of the file", 2 },
	{ "{{{{{{{{\n{", "{ is nested too deeply; expected at most 8", 2 },
	{ "include\n(\n)", "( is not followed by a text in quotes; expected include(\"FILE\")", 2 },
	{ "include(a)", "( is not followed by a text in quotes; expected include(\"FILE\")", 1 },
	{ "include('a'", "( is not closed after one text in quotes; expected include(\"FILE\")", 1 },
	{ "include('a', 'b')", "( is not closed after one text in quotes; expected include(\"FILE\")", 1 },
	{ "a = [ b ]", "'[' is out of place; expected { } around a list, and quotes around text that holds it", 1 },
	{ "a = b;", "';' is out of place; expected a blank or a new line after a value, and quotes around text that holds it", 1 },
	{ "a += b", "'+' is out of place; expected quotes around text that holds it", 1 },
	{ "a = b/*c*/", "'*' is out of place; expected quotes around text that holds it", 1 },
	{ "a|b = c", "'|' is out of place; expected quotes around text that holds it", 1 },
	{ "a\\", "'\\' is out of place; expected quotes around text that holds it", 1 },
	{ "a\n\x1b", "a control character (0x1b) is out of place; expected text", 2 },
	{ "a\x7f", "a control character (0x7f) is out of place; expected text", 1 },
};

static void test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		size_t n = strlen(good[i].text);
		char *text = (char *)guard_copy(good[i].text, n);
		struct found f = clean(text, n);

		if (f.rc || memcmp(text, good[i].clean, n))
			fail_msg("%s: %s", good[i].text, f.rc ? f.why : "cleaned wrongly");
		assert_int_equal(n, strlen(good[i].clean));
		assert_int_equal(f.words, good[i].words);
		assert_false(clean(text, n).rc);
		assert_memory_equal(text, good[i].clean, n);
	}
}

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		size_t n = strlen(bad[i].text);
		struct found f = clean((char *)guard_copy(bad[i].text, n), n);

		assert_int_equal(f.rc, -EINVAL);
		assert_string_equal(f.why, bad[i].why);
		assert_int_equal(f.line, bad[i].line);
	}
}

/* Nothing beyond the end is read, and what stays open is refused. */
static void test_cut(void **state)
{
	static const char whole[] = "a \"b\" { c = '\\'' /* d */ include(\"e\") // f\n }";

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		for (size_t n = 0; n < strlen(bad[i].text); n++)
			(void)clean((char *)guard_copy(bad[i].text, n), n);
	for (size_t n = 7; n < sizeof whole - 1; n++)
		assert_int_equal(clean((char *)guard_copy(whole, n), n).rc, -EINVAL);
	assert_int_equal(clean((char *)guard_copy(whole, sizeof whole - 1), sizeof whole - 1).rc, 0);
}

static void test_nul(void **state)
{
	struct found f;

	(void)state;
	f = clean((char *)guard_copy("a = b\0c", 7), 7);
	assert_int_equal(f.rc, -EINVAL);
	assert_string_equal(f.why, "a control character (0x00) is out of place; expected text");
	assert_int_equal(clean((char *)guard_copy("a = 'b\0c'", 9), 9).rc, -EINVAL);
	assert_int_equal(clean((char *)guard_copy("#\0", 2), 2).rc, 0);
}

static void test_ceilings(void **state)
{
	static char text[4 * CONFIG_TEXT_WORDS];
	struct found f;

	(void)state;
	memset(text, 'a', sizeof text);
	assert_int_equal(clean(text, CONFIG_TEXT_WORD).rc, 0);
	f = clean(text, CONFIG_TEXT_WORD + 1);
	assert_string_equal(f.why, "a name or value is too long; expected at most 4096 bytes");
	text[0] = text[CONFIG_TEXT_WORD] = '"';
	assert_int_equal(clean(text, CONFIG_TEXT_WORD + 1).rc, -EINVAL);
	for (size_t i = 0; i < CONFIG_TEXT_WORDS; i++)
		memcpy(text + 4 * i, "a=\n ", 4);
	assert_int_equal(clean(text, sizeof text).rc, 0);
	text[sizeof text - 2] = 'b';
	f = clean(text, sizeof text);
	assert_string_equal(f.why, "too much in here; expected at most 20000 names and values");
	assert_int_equal(f.line, CONFIG_TEXT_WORDS);
}

/* why may be short; nothing is written beyond. */
static void test_short_why(void **state)
{
	char why[64];

	(void)state;
	for (size_t size = 1; size < sizeof why; size++) {
		size_t words = 0;
		unsigned line;

		memset(why, 'x', sizeof why);
		assert_int_equal(config_text_clean((char *)guard_copy("}", 1), 1, &words, &line, why, size), -EINVAL);
		assert_int_equal(why[size], 'x');
		assert_true(strlen(why) < size);
	}
}

static void test_load(void **state)
{
	char dir[] = "/tmp/kdgate-text-XXXXXX", path[64], *text;
	const char *cause;
	size_t len = 9;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/f", dir);
	assert_int_equal(config_text_load(&text, &len, path, &cause), -ENOENT);
	assert_string_equal(cause, "No such file or directory");
	assert_int_equal(config_text_load(&text, &len, dir, &cause), -EINVAL);
	assert_string_equal(cause, "a directory; expected a file");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(config_text_load(&text, &len, path, &cause), -EINVAL);
	assert_string_equal(cause, "not a regular file; expected one");
	remove(path);

	f = fopen(path, "w");
	assert_int_equal(fclose(f), 0);
	assert_int_equal(config_text_load(&text, &len, path, &cause), 0);
	assert_int_equal(len, 0);
	free(text);
	assert_int_equal(truncate(path, CONFIG_TEXT_BYTES), 0);
	assert_int_equal(config_text_load(&text, &len, path, &cause), 0);
	assert_int_equal(len, CONFIG_TEXT_BYTES);
	free(text);
	assert_int_equal(truncate(path, CONFIG_TEXT_BYTES + 1), 0);
	assert_int_equal(config_text_load(&text, &len, path, &cause), -EINVAL);
	assert_string_equal(cause, "larger than a configuration can be; expected at most 1 MiB");
	if (geteuid()) {
		assert_int_equal(chmod(path, 0), 0);
		assert_int_equal(config_text_load(&text, &len, path, &cause), -EACCES);
		assert_string_equal(cause, "Permission denied");
	}
	remove(path);
	remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),    cmocka_unit_test(test_refuses),   cmocka_unit_test(test_cut),  cmocka_unit_test(test_nul),
		cmocka_unit_test(test_ceilings), cmocka_unit_test(test_short_why), cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
