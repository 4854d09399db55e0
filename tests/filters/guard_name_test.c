/* guard_name_test.c - files' names from a target: what may be told to a debugger, and what is left of the rest. */
#include "filters/guard_doc.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static char out[GUARD_NAME];

static bool name_of(const void *name, size_t n, size_t size, bool paths)
{
	memset(out, '!', sizeof out);
	return guard_name(out, size, (struct span){ guard_copy(name, n), n }, paths);
}

#define NAME(text) text, sizeof text - 1

static const struct vector {
	const char *in;
	size_t n;
	const char *base, *path; /* base: behind GUARD_NOWHERE; path NULL: the same */
} vectors[] = {
	{ NAME(GUARD_NOWHERE "x"), "x", GUARD_NOWHERE "x" },
	{ NAME(GUARD_NOWHERE "_"), "_", GUARD_NOWHERE "_" },
	{ NAME(GUARD_NOWHERE), "_", "/nonexistent" },
	{ NAME(GUARD_NOWHERE "../x"), "x", NULL },
	{ NAME(GUARD_NOWHERE "a/x"), "x", GUARD_NOWHERE "a/x" },
	{ NAME(GUARD_NOWHERE "-x"), "_x", GUARD_NOWHERE "-x" },
	{ NAME("nonexistent/x"), "x", NULL },
	{ NAME("libc.so.6"), "libc.so.6", NULL },
	{ NAME("A-Z_a.z+0@9=x"), "A-Z_a.z+0@9=x", NULL },
	{ NAME("/lib/libc.so.6"), "libc.so.6", "/lib/libc.so.6" },
	{ NAME("/x"), "x", "/x" },
	{ NAME("/a/with blank"), "with_blank", "/a/with blank" },
	{ NAME("/a/b;c$(d)"), "b_c__d_", "/a/b;c$(d)" },
	{ NAME("C:\\Windows\\x.sys"), "x.sys", "C:\\Windows\\x.sys" },
	{ NAME("c:/Windows\\x.sys"), "x.sys", "c:/Windows/x.sys" },
	{ NAME("/a/...x"), "_..x", "/a/...x" },
	{ NAME("/a/.x"), "_x", "/a/.x" },
	{ NAME("/a/-x"), "_x", "/a/-x" },
	/* the same file in other words */
	{ NAME("/a//b"), "b", "/a/b" },
	{ NAME("/./x"), "x", "/x" },
	{ NAME("/a/b/."), "_", "/a/b" },
	{ NAME("/a/b/"), "_", "/a/b" },
	{ NAME("//server/share/y"), "y", "/server/share/y" },
	{ NAME("C:\\\\.\\x"), "x", "C:\\x" },
	/* none at all */
	{ NAME(""), "_", NULL },
	{ NAME("/"), "_", NULL },
	{ NAME("//"), "_", NULL },
	{ NAME("\\"), "_", NULL },
	{ NAME("."), "_", NULL },
	{ NAME(".."), "_.", NULL },
	{ NAME("..."), "_..", NULL },
	{ NAME("/."), "_", NULL },
	{ NAME("C:\\"), "_", NULL },
	{ NAME("C:"), "C_", NULL },
	{ NAME("a/"), "_", NULL },
	/* upwards */
	{ NAME("../../x"), "x", NULL },
	{ NAME("a/../b"), "b", NULL },
	{ NAME("/a/../b"), "b", NULL },
	{ NAME("/.."), "_.", NULL },
	{ NAME("/../x"), "x", NULL },
	{ NAME("/a/.. /b"), "b", NULL },
	{ NAME("/a/.../b"), "b", NULL },
	{ NAME("/a/ /b"), "b", NULL },
	{ NAME("C:\\..\\x"), "x", NULL },
	{ NAME("C:\\a/..\\x"), "x", NULL },
	{ NAME("/a\\..\\b"), "b", NULL },
	/* not absolute, or something else than a file */
	{ NAME("|cmd"), "_cmd", NULL },
	{ NAME("|/bin/sh"), "sh", NULL },
	{ NAME("-x"), "_x", NULL },
	{ NAME("--x"), "_-x", NULL },
	{ NAME(" /x"), "x", NULL },
	{ NAME("~/x"), "x", NULL },
	{ NAME("target:/x"), "x", NULL },
	{ NAME("C:x.sys"), "C_x.sys", NULL },
	{ NAME("1:\\x"), "x", NULL },
	{ NAME("CC:\\x"), "x", NULL },
	{ NAME("C:\\x:y"), "x_y", NULL },
	{ NAME("\\\\server\\share\\y"), "y", NULL },
	{ NAME("\\\\.\\pipe\\y"), "y", NULL },
	{ NAME("\\SystemRoot\\system32\\ntoskrnl.exe"), "ntoskrnl.exe", NULL },
	{ NAME("/a\\b"), "b", NULL },
	/* not printable ASCII */
	{ NAME("/a/x\ny"), "x_y", NULL },
	{ NAME("/a\n/x"), "x", NULL },
	{ NAME("/a/x\0y"), "x_y", NULL },
	{ NAME("x\0/y"), "y", NULL },
	{ NAME("\0"), "_", NULL },
	{ NAME("/a/x\x7f"), "x_", NULL },
	{ NAME("/a/x\x1b[2J"), "x__2J", NULL },
	{ NAME("/tmp/\xc3\xa9t\xc3\xa9"), "__t__", NULL },
	{ NAME("\xff"), "_", NULL },
};

static const char *wanted(const struct vector *v, bool paths)
{
	static char name[GUARD_NAME];

	snprintf(name, sizeof name, "%s%s", paths && v->path ? "" : GUARD_NOWHERE, paths && v->path ? v->path : v->base);
	return name;
}

static void one(const struct vector *v, bool paths)
{
	const char *want = wanted(v, paths);
	bool same = v->n == strlen(want) && !memcmp(v->in, want, v->n), changed = name_of(v->in, v->n, sizeof out, paths);

	if (strcmp(out, want) || changed == same)
		fail_msg("%s, paths %d: %s (wanted %s), changed %d", v->in, paths, out, want, changed);
}

static void hard_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		one(&vectors[i], false);
		one(&vectors[i], true);
	}
}

/* A name alone, in the directory that is nowhere. */
static bool is_reduced(const char *name)
{
	static const char stay[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-@=";
	const char *last = name + strlen(GUARD_NOWHERE);

	return span_starts(span_of(name), GUARD_NOWHERE) && *last && *last != '-' && *last != '.' && !last[strspn(last, stay)];
}

/* Absolute, and no part of it is empty or leads elsewhere. */
static bool is_path(const char *name)
{
	const char *part = name[0] == '/' ? name : name + 2;

	if (name[0] != '/' && (name[1] != ':' || !strchr("/\\", *part)))
		return false;
	while (*part) {
		size_t n = strcspn(++part, "/\\");

		if (!n || (n <= 2 && !strncmp(part, "..", n)))
			return false;
		part += n;
	}
	return true;
}

static void settled(size_t size, bool paths)
{
	char once[GUARD_NAME];

	strcpy(once, out);
	if (name_of(once, strlen(once), size, paths) || strcmp(once, out))
		fail_msg("%s became %s", once, out);
}

static void cut_at_every_byte_and_told_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++)
		for (size_t n = 0; n <= vectors[i].n; n++)
			for (int paths = 0; paths < 2; paths++) {
				name_of(vectors[i].in, n, sizeof out, paths);
				assert_true(is_reduced(out) || (paths && is_path(out)));
				settled(sizeof out, paths);
			}
}

static void every_byte_alone_and_within(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char alone[] = { (char)c }, within[] = { '/', 'a', (char)c, 'b' };
		bool kept = c >= 0x20 && c <= 0x7e && c != '\\';

		name_of(alone, 1, sizeof out, true);
		assert_true(is_reduced(out));
		name_of(within, 4, sizeof out, false);
		assert_true(is_reduced(out));
		name_of(within, 4, sizeof out, true);
		assert_int_equal(is_reduced(out), !kept);
		assert_int_equal(!memcmp(out, "/a", 2), kept);
		settled(sizeof out, true);
	}
}

/* The end of a name is cut, never the directory in front of it. */
static void long_ones(void **state)
{
	static char name[10000];

	(void)state;
	memset(name, 'a', sizeof name);
	assert_true(name_of(name, sizeof name, sizeof out, false));
	assert_true(is_reduced(out) && strlen(out) == GUARD_NAME - 1);
	settled(sizeof out, false);
	memcpy(name, "/b/", 3);
	assert_true(name_of(name, sizeof name, sizeof out, true));
	assert_true(is_reduced(out) && strlen(out) == GUARD_NAME - 1);
	settled(sizeof out, true);
	assert_false(name_of(name, GUARD_NAME - 1, sizeof out, true));
	assert_int_equal(strlen(out), GUARD_NAME - 1);
	assert_true(name_of(name, GUARD_NAME, sizeof out, true)); /* a path that does not fit is reduced, not cut */
	assert_true(is_reduced(out) && strlen(out) == GUARD_NAME - 1);
}

/* With the end of what fits, and one more. */
static void so_long_and_no_longer(void **state)
{
	static const size_t head = sizeof GUARD_NOWHERE - 1;
	char name[GUARD_NAME + 2];

	(void)state;
	memset(name, 'a', sizeof name);
	memcpy(name, GUARD_NOWHERE, head);
	for (size_t size = 16; size <= GUARD_NAME; size++)
		for (int paths = 0; paths < 2; paths++) {
			assert_false(name_of(name, size - 1, size, paths));
			assert_int_equal(strlen(out), size - 1);
			assert_true(name_of(name, size, size, paths));
			assert_int_equal(strlen(out), size - 1);
			assert_true(is_reduced(out));
			assert_true(name_of(name + head, size - 1 - head, size, paths));
			assert_memory_equal(out, name, size - 1);
		}
}

static void nothing_is_written_behind(void **state)
{
	(void)state;
	for (size_t size = 16; size < 40; size++)
		for (size_t i = 0; i < COUNT(vectors); i++)
			for (int paths = 0; paths < 2; paths++) {
				name_of(vectors[i].in, vectors[i].n, size, paths);
				assert_in_range(strlen(out), 1, size - 1);
				assert_true(is_reduced(out) || (paths && is_path(out)));
				for (size_t at = size; at < sizeof out; at++)
					assert_int_equal(out[at], '!');
				settled(size, paths);
			}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hard_names),
		cmocka_unit_test(cut_at_every_byte_and_told_again),
		cmocka_unit_test(every_byte_alone_and_within),
		cmocka_unit_test(long_ones),
		cmocka_unit_test(so_long_and_no_longer),
		cmocka_unit_test(nothing_is_written_behind),
	};

	return cmocka_run_group_tests_name("guard_name", tests, NULL, NULL);
}
