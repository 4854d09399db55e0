/* config_vet_test.c - which files and which texts come before the library at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/config_vet.h"
#include "tests/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Its NUL is the last that may be read. */
static int vet(const char *text, size_t len, char why[256])
{
	uint8_t *copy = guard_copy(text, len + 1);

	copy[len] = 0;
	*why = 0;
	return config_vet("f", NULL, (struct span){ copy, len }, why, 256);
}

#define COMMENT "a comment begins here and never ends; expected */"
#define LINE "a comment begins here and never ends; expected a new line"
#define QUOTES "a text in quotes begins here and never ends; expected \""
#define INCLUDE "@include is not possible here; expected everything in one text"

static const struct {
	const char *text, *why;
} texts[] = {
	{ "", NULL },
	{ "a = 1 / 2 * 3 /", NULL },
	{ "# /*\n// /*\n\"/*\" \"\\\"/*\" \"\\\\\"", NULL },
	{ "\"\\\\\" # \"\n", NULL },
	{ "/**/ /* \" */ /***/", NULL },
	{ "# @include \"x\"\n/* @include \"x\" */ \"@include \\\"x\\\"\" // @include \"x\"\n", NULL },
	{ "@include\n\"x\"", NULL },
	{ "\n# a", "f:2: " LINE },
	{ "#", "f:1: " LINE },
	{ "// */ \"", "f:1: " LINE },
	{ "/*", "f:1: " COMMENT },
	{ "\n/*/\n", "f:2: " COMMENT },
	{ "\n\"\\\"\" /* *", "f:2: " COMMENT },
	{ "\"\n\\\"\n", "f:1: " QUOTES },
	{ "\n\"\\", "f:2: " QUOTES },
	{ "\n\n@include \"x", "f:3: " QUOTES },
	{ "/*\n*/@include\"x\"", "f:2: " INCLUDE },
	{ "\n \t@include \t \"x\"", "f:2: " INCLUDE },
};

static void test_texts(void **state)
{
	static const char quoted[] = "\"b\\\\c \\\" */\"";
	char why[256];

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(vet(texts[i].text, strlen(texts[i].text), why), texts[i].why ? -EINVAL : 0);
		assert_string_equal(why, texts[i].why ? texts[i].why : "");
		for (size_t n = 0; n < strlen(texts[i].text); n++)
			(void)!vet(texts[i].text, n, why);
	}
	for (size_t n = 1; n < sizeof quoted; n++)
		assert_int_equal(vet(quoted, n, why), n < sizeof quoted - 1 ? -EINVAL : 0);
}

static void test_nul(void **state)
{
	char why[256];

	(void)state;
	assert_int_equal(vet("a\n\0", 3, why), -EINVAL);
	assert_string_equal(why, "f:2: a NUL byte is out of place; expected text");
	assert_int_equal(vet("# \0", 3, why), -EINVAL);
}

static void test_load(void **state)
{
	char dir[] = "/tmp/kdgate-vet-XXXXXX", path[64], *text;
	const char *cause;
	size_t len = 9;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/f", dir);
	assert_int_equal(config_vet_load(&text, &len, path, &cause), -ENOENT);
	assert_string_equal(cause, "No such file or directory");
	assert_int_equal(config_vet_load(&text, &len, dir, &cause), -EINVAL);
	assert_string_equal(cause, "a directory; expected a file");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(config_vet_load(&text, &len, path, &cause), -EINVAL);
	assert_string_equal(cause, "not a regular file; expected one");
	remove(path);

	f = fopen(path, "w");
	assert_int_equal(fclose(f), 0);
	assert_int_equal(config_vet_load(&text, &len, path, &cause), 0);
	assert_int_equal(len, 0);
	free(text);
	assert_int_equal(truncate(path, CONFIG_VET_BYTES), 0);
	assert_int_equal(config_vet_load(&text, &len, path, &cause), 0);
	assert_int_equal(len, CONFIG_VET_BYTES);
	assert_int_equal(text[len], 0);
	free(text);
	assert_int_equal(truncate(path, CONFIG_VET_BYTES + 1), 0);
	assert_int_equal(config_vet_load(&text, &len, path, &cause), -EINVAL);
	assert_null(text);
	assert_string_equal(cause, "larger than a configuration can be; expected at most 1 MiB");
	if (geteuid()) {
		assert_int_equal(chmod(path, 0), 0);
		assert_int_equal(config_vet_load(&text, &len, path, &cause), -EACCES);
		assert_string_equal(cause, "Permission denied");
	}
	remove(path);
	remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
