/* config_doc_test.c - the text of configuration files: what is read, where, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/config.h"
#include "proxy/config_doc.h"
#include "tests/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The tree as one line: name=value name[a,b] name'title'{...}, each with @line. */
static void show(const struct config_node *n, char *out, size_t size)
{
	for (const struct config_node *c = n->first; c; c = c->next) {
		size_t at = strlen(out);

		snprintf(out + at, size - at, "%s", at && !strchr("{[", out[at - 1]) ? " " : "");
		at = strlen(out);
		if (c->kind == CONFIG_VALUE)
			snprintf(out + at, size - at, "%s%s%s@%u", c->name ? c->name : "", c->name ? "=" : "", c->value, c->line);
		else
			snprintf(out + at, size - at, "%s%s%s%s@%u%s", c->name, c->title ? "'" : "", c->title ? c->title : "", c->title ? "'" : "",
				 c->line, c->kind == CONFIG_LIST ? "[" : "{");
		if (c->kind == CONFIG_VALUE)
			continue;
		show(c, out, size);
		at = strlen(out);
		snprintf(out + at, size - at, "%s", c->kind == CONFIG_LIST ? "]" : "}");
	}
}

static const struct vector {
	const char *text, *tree;
} good[] = {
	{ "", "" },
	{ "  \n# all quiet\n/* and\nhere */", "" },
	{ "a = b", "a=b@1" },
	{ "a=b;c=d", "a=b@1 c=d@1" },
	{ "a = b\nc = d\n", "a=b@1 c=d@2" },
	{ "a: b, c: 'd'", "a=b@1 c=d@1" },
	{ "a b\nc \"d e\";", "a=b@1 c=d e@2" },
	{ "a =\n\n b", "a=b@1" },
	{ "a = \"x \\\" \\\\ 'y' # z\"", "a=x \" \\ 'y' # z@1" },
	{ "a = 'x \\ \"y\"'", "a=x \\ \"y\"@1" },
	{ "a = \"\"", "a=@1" },
	{ "a = rsp+tcp:[::1]:1", NULL }, /* brackets only in quotes */
	{ "a = rsp+tcp:127.0.0.1:1234; b=/x/y*.z", "a=rsp+tcp:127.0.0.1:1234@1 b=/x/y*.z@1" },
	{ "a = [ ]", "a@1[]" },
	{ "a = [b,\n\"c d\" ,# no\n e,]", "a@1[b@1 c d@2 e@3]" },
	{ "a [b]", "a@1[b@1]" },
	{ "a { }", "a@1{}" },
	{ "a = { b = c }", "a@1{b=c@1}" },
	{ "a \"t\" {\n b = c\n d e { f = g; } }; h = i", "a't'@1{b=c@2 d'e'@3{f=g@3}} h=i@3" },
	{ "a 't'\n{ b=c }\na u{}", "a't'@1{b=c@2} a'u'@3{}" },
	{ "\xef\xbb\xbf" "a = b\r\n", "a=b@1" },
	{ "a = \xc3\xa9", "a=\xc3\xa9@1" },
	{ "a b /* c */ ; d e /* f\n */ g h", "a=b@1 d=e@1 g=h@2" },
};

static void test_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct config_doc d;
		char why[CONFIG_WHY] = "", tree[512] = "";
		size_t n = strlen(good[i].text);
		struct span text = { guard_copy(good[i].text, n), n };
		int rc = config_doc_parse(&d, "f", text, why, sizeof why);

		if (good[i].tree) {
			assert_string_equal(why, "");
			assert_int_equal(rc, 0);
			show(&d.root, tree, sizeof tree);
			assert_string_equal(tree, good[i].tree);
		} else {
			assert_int_equal(rc, -EINVAL);
		}
		config_doc_fini(&d);
	}
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "a = b c", "f:1: 'c' is out of place; expected ; or a new line after a value" },
	{ "\n\na = \"b\" \"c\"", "f:3: '\"' is out of place; expected ; or a new line after a value" },
	{ "a = \"b", "f:1: quoted text is not closed on its line, or holds a control character; expected \"" },
	{ "a = 'b\n'", "f:1: quoted text is not closed on its line, or holds a control character; expected '" },
	{ "a = \"\\n\"", "f:1: unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it" },
	{ "a = \"\\", "f:1: unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it" },
	{ "a = ;", "f:1: ';' is out of place; expected a value: a word, or text in quotes" },
	{ "a", "f:1: the end of the file is out of place; expected a value: a word, or text in quotes" },
	{ "= b", "f:1: '=' is out of place; expected a name" },
	{ "a {\n b = c\n", "f:1: section a begins here and never ends; expected }" },
	{ "a = [ b c ]", "f:1: 'c' is out of place; expected , or ] in a list" },
	{ "a = [ [b] ]", "f:1: '[' is out of place; expected a value: a word, or text in quotes" },
	{ "a = [ b,\nc", "f:2: the end of the file is out of place; expected , or ] in a list" },
	{ "a {}\n}", "f:2: } closes nothing; expected a name, or the end of the file" },
	{ "\n/* a", "f:2: a comment begins here and never ends; expected */" },
	{ "a b c { }", "f:1: 'c' is out of place; expected ; or a new line after a value" },
	{ "a{a{a{a{a{a{a{a{a{}}}}}}}}}", "f:1: sections or includes are nested too deeply; expected at most 8" },
	{ ".load \"x\"", "f:1: unknown directive; expected .include \"FILE\"" },
	{ ".include(try=true) \"x\"", "f:1: '(' is out of place; expected .include \"FILE\"" },
	{ "a = 1\n.include \"x\"", "f:2: .include is not possible here; expected everything in one text" },
	{ "a = ${HOME}", "f:1: '{' is out of place; expected ; or a new line after a value" },
	{ "\x01", "f:1: '\\x01' is out of place; expected a name" },
};

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config_doc d;
		char why[CONFIG_WHY] = "";

		assert_int_equal(config_doc_parse(&d, "f", span_of(bad[i].text), why, sizeof why), -EINVAL);
		assert_string_equal(why, bad[i].why);
		config_doc_fini(&d);
	}
}

/* Cut anywhere, a text is an error or a beginning of what it was. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		size_t n = strlen(good[i].text), nodes;
		struct config_doc d;
		char why[CONFIG_WHY];

		nodes = config_doc_parse(&d, "f", span_of(good[i].text), why, sizeof why) ? SIZE_MAX : d.nodes;
		config_doc_fini(&d);
		for (size_t cut = 0; cut < n; cut++) {
			struct span text = { guard_copy(good[i].text, cut), cut };

			if (!config_doc_parse(&d, "f", text, why, sizeof why))
				assert_true(d.nodes <= nodes);
			config_doc_fini(&d);
		}
	}
}

static void test_nul_and_ceiling(void **state)
{
	static char many[4 * CONFIG_DOC_NODES + 64];
	struct config_doc d;
	char why[CONFIG_WHY];
	size_t at = 0;

	(void)state;
	assert_int_equal(config_doc_parse(&d, "f", (struct span){ (const uint8_t *)"a = b\0c", 7 }, why, sizeof why), -EINVAL);
	config_doc_fini(&d);
	for (size_t i = 0; i < CONFIG_DOC_NODES; i++, at += 4)
		memcpy(many + at, "a=b;", 4);
	assert_int_equal(config_doc_parse(&d, "f", span_of(many), why, sizeof why), 0);
	config_doc_fini(&d);
	memcpy(many + at, "a=b;", 5);
	assert_int_equal(config_doc_parse(&d, "f", span_of(many), why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "too much"));
	config_doc_fini(&d);
}

/* why may be short; nothing is written beyond. */
static void test_short_why(void **state)
{
	struct config_doc d;
	char why[64];

	(void)state;
	for (size_t size = 1; size < sizeof why; size++) {
		memset(why, 'x', sizeof why);
		assert_int_equal(config_doc_parse(&d, "name", span_of("= b"), why, size), -EINVAL);
		assert_int_equal(why[size], 'x');
		assert_true(strlen(why) < size);
		config_doc_fini(&d);
	}
}

static char dir[64];

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
	char path[128];

	(void)state;
	strcpy(dir, "/tmp/kdgate-doc-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/conf.d", dir);
	return mkdir(path, 0700);
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "main", "other", "loop", "big", "bad", "miss", "conf.d/10.conf", "conf.d/20.conf", "conf.d", "" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)!remove(path);
	}
	return 0;
}

static int read_main(struct config_doc *d, const char *name, char *why)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return config_doc_read(d, path, why, CONFIG_WHY);
}

static void test_includes(void **state)
{
	struct config_doc d;
	char why[CONFIG_WHY] = "", tree[512] = "";
	const struct config_node *n;

	(void)state;
	put("main", "a = 1\n.include \"other\"\nb = 2\ns {\n.include conf.d/*.conf\n}\n.include \"none*.conf\"; z = 9");
	put("other", "\nc = 3");
	put("conf.d/10.conf", "d = 4");
	put("conf.d/20.conf", "e = 5\nf = [\n6]");
	assert_int_equal(read_main(&d, "main", why), 0);
	show(&d.root, tree, sizeof tree);
	assert_string_equal(tree, "a=1@1 c=3@2 b=2@3 s@4{d=4@1 e=5@1 f@2[6@3]} z=9@7");
	n = d.root.first->next;
	assert_non_null(strstr(n->file, "/other"));
	assert_non_null(strstr(n->next->file, "/main"));
	config_doc_fini(&d);
}

static void test_include_errors(void **state)
{
	struct config_doc d;
	char why[CONFIG_WHY] = "", want[CONFIG_WHY];

	(void)state;
	put("bad", "\n\n= 1");
	put("main", "\n.include \"bad\"");
	assert_int_equal(read_main(&d, "main", why), -EINVAL);
	snprintf(want, sizeof want, "%s/bad:3: '=' is out of place; expected a name", dir);
	assert_string_equal(why, want);
	config_doc_fini(&d);

	put("miss", "\n\n.include \"nowhere.conf\"");
	assert_int_equal(read_main(&d, "miss", why), -ENOENT);
	snprintf(want, sizeof want, "%s/miss:3: cannot include %s/nowhere.conf: No such file or directory", dir, dir);
	assert_string_equal(why, want);
	config_doc_fini(&d);

	put("loop", "a = 1\n.include \"loop\"\n.include \"loop\"");
	assert_int_equal(read_main(&d, "loop", why), -EINVAL);
	assert_non_null(strstr(why, "include itself"));
	config_doc_fini(&d);
}

static void test_files(void **state)
{
	struct config_doc d;
	char why[CONFIG_WHY] = "", want[CONFIG_WHY], path[128];
	FILE *f;

	(void)state;
	assert_int_equal(read_main(&d, "nowhere", why), -ENOENT);
	snprintf(want, sizeof want, "%s/nowhere: No such file or directory", dir);
	assert_string_equal(why, want);
	config_doc_fini(&d);
	assert_int_equal(read_main(&d, "conf.d", why), -EINVAL);
	assert_non_null(strstr(why, "not a regular file"));
	config_doc_fini(&d);
	snprintf(path, sizeof path, "%s/big", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), CONFIG_DOC_BYTES + 1), 0);
	fclose(f);
	assert_int_equal(read_main(&d, "big", why), -EINVAL);
	assert_non_null(strstr(why, "larger"));
	config_doc_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_nul_and_ceiling),
		cmocka_unit_test(test_short_why),
		cmocka_unit_test_setup_teardown(test_includes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_include_errors, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_files, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
