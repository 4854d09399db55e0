/* guard_doc_test.c - documents from a target: good ones written anew, wrong ones refused or cut down, each cut at every byte. */
#include "filters/guard_doc.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define HEAD "<?xml version=\"1.0\"?>\n"
#define NOWHERE GUARD_NOWHERE

static struct buf out;
static struct guard_doc_news news;
static struct guard_doc_how how = { .word_bytes = 8 };

static int rewrite_bytes(enum guard_object obj, const void *doc, size_t n)
{
	buf_reset(&out, 0);
	return guard_doc_rewrite(obj, (struct span){ n > GUARD_ROOM ? doc : guard_copy(doc, n), n }, &how, &out, &news);
}

static int rewrite(enum guard_object obj, const char *doc)
{
	return rewrite_bytes(obj, doc, strlen(doc));
}

static void refused(int rc, int want)
{
	assert_int_equal(rc, want);
	assert_int_equal(out.len, 0);
	assert_true(news.why && *news.why);
}

/* What was written is taken as it is. */
static void settled(enum guard_object obj)
{
	static char once[GUARD_DOC_MAX];
	size_t n = out.len;

	memcpy(once, buf_data(&out), n);
	assert_int_equal(rewrite_bytes(obj, once, n), 0);
	assert_int_equal(news.changed, 0);
	assert_true(out.len == n && !memcmp(buf_data(&out), once, n));
}

static const struct vector {
	const char *in, *out; /* out: without HEAD; NULL: refused */
	unsigned changed;
} libraries[] = {
	{ "<library-list/>", "<library-list version=\"1.0\">\n</library-list>\n", 0 },
	{ "<?xml version='1.0'?><!DOCTYPE library-list SYSTEM 'x.dtd'><!-- c --><?pi?><library-list version='1.0'>"
	  "<library name='libc.so.6'><segment address='0x10000000'/><segment address='4096'/></library>\n"
	  "<library name='b'><section address='0X00fF'/></library></library-list>",
	  "<library-list version=\"1.0\">\n"
	  "  <library name=\"" NOWHERE "libc.so.6\">\n    <segment address=\"0x10000000\"/>\n    <segment address=\"0x1000\"/>\n  </library>\n"
	  "  <library name=\"" NOWHERE "b\">\n    <section address=\"0xff\"/>\n  </library>\n"
	  "</library-list>\n", 2 },
	{ "<library-list><library name='" NOWHERE "libc.so.6'><segment address='1'/></library></library-list>",
	  "<library-list version=\"1.0\">\n  <library name=\"" NOWHERE "libc.so.6\">\n    <segment address=\"0x1\"/>\n  </library>\n</library-list>\n", 0 },
	/* a name, attributes and elements that nobody knows, text, one kind of place and then another */
	{ "<library-list x='1'>t<library name='/lib/a&amp;b' build-id='f'><segment address='1' size='9'><deep><segment address='5'/></deep></segment>"
	  "<section address='2'/><segment address='3'>t</segment></library><segment address='7'/></library-list>",
	  "<library-list version=\"1.0\">\n  <library name=\"" NOWHERE "a_b\">\n    <segment address=\"0x1\"/>\n    <segment address=\"0x3\"/>\n  </library>\n"
	  "</library-list>\n", 9 },
	/* libraries that no debugger could use */
	{ "<library-list><library name='a'/><library><segment address='1'/></library><library name=''><segment address='1'/></library>"
	  "<library name='b'><segment address='-1'/><segment/><section address='0x10000000000000000'/></library>"
	  "<library name='c'><segment address=''/><section address='1'/></library></library-list>",
	  "<library-list version=\"1.0\">\n  <library name=\"" NOWHERE "c\">\n    <section address=\"0x1\"/>\n  </library>\n</library-list>\n", 11 },
	{ "<library-list xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='file:///etc/passwd'/></library-list>",
	  "<library-list version=\"1.0\">\n</library-list>\n", 2 },
	{ "", NULL, 0 },
	{ "<library-list>", NULL, 0 },
	{ "<library-list version='1.1'/>", NULL, 0 },
	{ "<library-list-svr4 version='1.0'/>", NULL, 0 },
	{ "<x><library-list/></x>", NULL, 0 },
	{ "<library-list/><library-list/>", NULL, 0 },
	{ "<library-list><library name='a' name='b'/></library-list>", NULL, 0 },
	{ "<library-list><library name='&x;'/></library-list>", NULL, 0 },
	{ "<!DOCTYPE library-list [<!ENTITY x 'y'>]><library-list/>", NULL, 0 },
	{ "<!DOCTYPE library-list SYSTEM 'x'><library-list><library name='a'>&x;</library></library-list>", NULL, 0 },
	{ "<!DOCTYPE library-list [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><library-list>&x;</library-list>", NULL, 0 },
	{ "<library-list><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></library-list>",
	  NULL, 0 },
};

static const struct vector svr4[] = {
	{ "<library-list-svr4 version='1.0' main-lm='0x7ffff7ffe2c0'>"
	  "<library name='libc.so.6' lm='0x7ffff7fbb160' l_addr='0x7ffff7d8a000' l_ld='0x7ffff7f5fbc0' lmid='0x7ffff7ffd020'/>"
	  "<library name='ld.so' lm='1' l_addr='0' l_ld='0xffffffffffffffff'></library></library-list-svr4>",
	  "<library-list-svr4 version=\"1.0\" main-lm=\"0x7ffff7ffe2c0\">\n"
	  "  <library name=\"" NOWHERE "libc.so.6\" lm=\"0x7ffff7fbb160\" l_addr=\"0x7ffff7d8a000\" l_ld=\"0x7ffff7f5fbc0\" lmid=\"0x7ffff7ffd020\"/>\n"
	  "  <library name=\"" NOWHERE "ld.so\" lm=\"0x1\" l_addr=\"0x0\" l_ld=\"0xffffffffffffffff\"/>\n</library-list-svr4>\n", 2 },
	{ "<library-list-svr4><library name='" NOWHERE "_' lm='1' l_addr='2' l_ld='3'/></library-list-svr4>",
	  "<library-list-svr4 version=\"1.0\">\n  <library name=\"" NOWHERE "_\" lm=\"0x1\" l_addr=\"0x2\" l_ld=\"0x3\"/>\n</library-list-svr4>\n", 0 },
	{ "<library-list-svr4 main-lm='here'><library lmid='x' l_ld='3' l_addr='2' lm='1' name='/tmp/x y'><segment address='1'/></library>"
	  "<library name='b' lm='1' l_addr='2'/><library name='b' lm='1' l_ld='2'/><library name='b' l_addr='1' l_ld='2'/>"
	  "<library lm='1' l_addr='1' l_ld='2'/><library name='' lm='1' l_addr='1' l_ld='2'/>"
	  "<library name='b' lm='1' l_addr='z' l_ld='2'/></library-list-svr4>",
	  "<library-list-svr4 version=\"1.0\">\n  <library name=\"" NOWHERE "x_y\" lm=\"0x1\" l_addr=\"0x2\" l_ld=\"0x3\"/>\n</library-list-svr4>\n", 14 },
	{ "<library-list version='1.0'/>", NULL, 0 },
	{ "<library-list-svr4 version='2'/>", NULL, 0 },
};

static const struct vector threads[] = {
	{ "<threads/>", "<threads>\n</threads>\n", 0 },
	{ "<threads version='1.0'>\n<thread id='p2D4.2d4' core='3' name='sleep' handle='40F7d0f7ff7f0000'></thread>\n"
	  "<thread id='00a1' core='0x10'>\n Name: main,\n State: Running \n</thread><thread id='fffffffe'/></threads>",
	  "<threads>\n  <thread id=\"p2d4.2d4\" core=\"3\" name=\"sleep\" handle=\"40f7d0f7ff7f0000\"/>\n"
	  "  <thread id=\"a1\" core=\"16\">Name: main,  State: Running</thread>\n  <thread id=\"fffffffe\"/>\n</threads>\n", 0 },
	/* ids that are none, or more than one */
	{ "<threads><thread id='0'/><thread id='-1'/><thread id='p1.0'/><thread id='p1'/><thread id='p1.-1'/><thread id='p-1.1'/><thread/>"
	  "<thread id=''/><thread id='1 '/><thread id='p1.2.3'/><thread id='g'/><thread id='10000000000000000'/><thread id='-80000001'/></threads>",
	  "<threads>\n</threads>\n", 13 },
	/* twice, also in other words */
	{ "<threads><thread id='1'>a</thread><thread id='01'>b</thread><thread id='p1.1'/><thread id='p0.1'/><thread id='-2'/>"
	  "<thread id='fffffffe'/></threads>",
	  "<threads>\n  <thread id=\"1\">a</thread>\n  <thread id=\"p1.1\"/>\n  <thread id=\"fffffffe\"/>\n</threads>\n", 3 },
	/* what is shown to people */
	{ "<threads><thread id='1' name='a&#10;b\xc3\xa9&lt;&quot;&apos;' id_str='x&#x9b;2J'>\x7f &amp;&#x9b;<b>no</b> c</thread></threads>",
	  "<threads>\n  <thread id=\"1\" name=\"a\\x0ab\\xc3\\xa9&lt;&quot;&apos;\" id_str=\"x\\xc2\\x9b2J\">\\x7f &amp;\\xc2\\x9b c</thread>\n</threads>\n", 4 },
	/* the rest of a thread is dropped alone */
	{ "<threads><thread id='1' core='-1' handle='123' state='x'/><thread id='2' core='2147483648' handle='0g'/>"
	  "<thread id='3' core='' handle=''/></threads>t",
	  NULL, 0 },
	{ "<threads><thread id='1' core='-1' handle='123' state='x'/><thread id='2' core='2147483648' handle='0g'/>"
	  "<thread id='3' core='' handle=''/></threads>",
	  "<threads>\n  <thread id=\"1\"/>\n  <thread id=\"2\"/>\n  <thread id=\"3\"/>\n</threads>\n", 7 },
	{ "<threads version='1'/>", NULL, 0 },
	{ "<thread id='1'/>", NULL, 0 },
};

static void vector(enum guard_object obj, const struct vector *v)
{
	int rc = rewrite(obj, v->in);

	if (!v->out) {
		refused(rc, -EBADMSG);
		return;
	}
	if (rc || !span_starts(buf_span(&out), HEAD) || !span_is(span_from(buf_span(&out), strlen(HEAD)), v->out))
		fail_msg("%s: %d %.*s", v->in, rc, (int)out.len, (const char *)buf_data(&out));
	if (news.changed != v->changed)
		fail_msg("%s: changed %u", v->in, news.changed);
	settled(obj);
	for (size_t n = 0; n < strlen(v->in); n++)
		refused(rewrite_bytes(obj, v->in, n), -EBADMSG);
}

static void lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(libraries); i++)
		vector(GUARD_LIBRARIES, &libraries[i]);
	for (size_t i = 0; i < COUNT(svr4); i++)
		vector(GUARD_LIBRARIES_SVR4, &svr4[i]);
	for (size_t i = 0; i < COUNT(threads); i++)
		vector(GUARD_THREAD_LIST, &threads[i]);
}

static void directories_stay_where_they_may(void **state)
{
	(void)state;
	how.paths = true;
	assert_int_equal(rewrite(GUARD_LIBRARIES, "<library-list><library name='/lib//a&amp;b'><segment address='1'/></library></library-list>"), 0);
	assert_non_null(strstr((const char *)buf_data(&out), "name=\"/lib/a&amp;b\""));
	assert_int_equal(news.changed, 1);
	settled(GUARD_LIBRARIES);
	assert_int_equal(rewrite(GUARD_EXEC_FILE, "/usr/bin/sleep"), 0);
	assert_true(span_is(buf_span(&out), "/usr/bin/sleep") && !news.changed);
	how.paths = false;
}

/* So many of one entry, with its number in it. */
static char *many(const char *head, const char *entry, const char *tail, unsigned n)
{
	size_t size = strlen(head) + (strlen(entry) + 16) * n + strlen(tail) + 1;
	char *doc = malloc(size), *to = doc + sprintf(doc, "%s", head);

	for (unsigned i = 0; i < n; i++) {
		const char *mark = strchr(entry, '@');

		to += sprintf(to, "%.*s%x%s", (int)(mark - entry), entry, i + 1, mark + 1);
	}
	strcpy(to, tail);
	return doc;
}

static void so_many_and_no_more(void **state)
{
	static const struct {
		enum guard_object obj;
		const char *head, *entry, *tail;
	} v[] = {
		{ GUARD_THREAD_LIST, "<threads>", "<thread id='@'/>", "</threads>" },
		{ GUARD_LIBRARIES, "<library-list>", "<library name='@'><segment address='1'/></library>", "</library-list>" },
		{ GUARD_LIBRARIES, "<library-list>", "<library name='@'/>", "</library-list>" },
		{ GUARD_LIBRARIES_SVR4, "<library-list-svr4>", "<library name='@' lm='1' l_addr='2' l_ld='3'/>", "</library-list-svr4>" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++)
		for (unsigned extra = 0; extra < 2; extra++) {
			char *doc = many(v[i].head, v[i].entry, v[i].tail, GUARD_ITEMS + extra);
			int rc = rewrite(v[i].obj, doc);

			free(doc);
			if (extra)
				refused(rc, -E2BIG);
			else
				assert_int_equal(rc, 0);
		}
}

static void threads_of_many_processes(void **state)
{
	char *doc = many("<threads>", "<thread id='p@.1'/>", "</threads>", GUARD_ITEMS);

	(void)state;
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 0);
	settled(GUARD_THREAD_LIST);
	free(doc);
}

static void long_documents(void **state)
{
	static char doc[GUARD_DOC_MAX + 1];

	(void)state;
	memset(doc, ' ', sizeof doc);
	memcpy(doc, "<threads/>", 10);
	assert_int_equal(rewrite_bytes(GUARD_THREAD_LIST, doc, GUARD_DOC_MAX), 0);
	refused(rewrite_bytes(GUARD_THREAD_LIST, doc, GUARD_DOC_MAX + 1), -E2BIG);
}

/* Text grows when it is escaped; and any room may be too small. */
static void no_room(void **state)
{
	static const char text[] = "<thread id='@'>'''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''"
				   "'''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''''</thread>";
	char *doc = many("<threads>", text, "</threads>", GUARD_ITEMS);
	size_t whole, cap = out.cap;

	(void)state;
	refused(rewrite(GUARD_THREAD_LIST, doc), -ENOBUFS);
	free(doc);
	assert_int_equal(rewrite(GUARD_LIBRARIES_SVR4, svr4[0].in), 0);
	whole = out.len;
	for (out.cap = 0; out.cap < whole; out.cap++)
		refused(rewrite(GUARD_LIBRARIES_SVR4, svr4[0].in), -ENOBUFS);
	assert_int_equal(rewrite(GUARD_LIBRARIES_SVR4, svr4[0].in), 0);
	out.cap = cap;
}

/* Names and text of any length and any bytes come out bounded, and come out the same the next time. */
static void text_of_every_length(void **state)
{
	static const char *const units[] = { "a", " ", "a ", "\xc3\xa9", "&#10;", "\\", "&amp;" };

	(void)state;
	for (size_t u = 0; u < COUNT(units); u++)
		for (size_t n = 0; n < 300; n++) {
			char run[2048] = "", doc[5000];

			for (size_t i = 0; i < n; i++)
				strcat(run, units[u]);
			snprintf(doc, sizeof doc, "<threads><thread id='1' name='%s'>x%s</thread></threads>", run, run);
			assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
			assert_in_range(out.len, 1, 12 * GUARD_NAME);
			settled(GUARD_THREAD_LIST);
		}
}

/* In both lists, with directories and without: what does not fit is cut behind the directory that is nowhere. */
static void names_of_every_length(void **state)
{
	static const struct {
		enum guard_object obj;
		const char *head, *tail;
	} v[] = {
		{ GUARD_LIBRARIES, "<library-list><library name='", "'><segment address='1'/></library></library-list>" },
		{ GUARD_LIBRARIES_SVR4, "<library-list-svr4><library name='", "' lm='1' l_addr='2' l_ld='3'/></library-list-svr4>" },
	};
	static const char *const heads[] = { "", "/", NOWHERE, "/lib/", "../" };

	(void)state;
	for (size_t i = 0; i < COUNT(v) * 2; i++)
		for (size_t h = 0; h < COUNT(heads); h++)
			for (int n = 1; n < 300; n++) {
				bool kept = h && h < 4 && (h == 2 || i % 2) && strlen(heads[h]) + (size_t)n < GUARD_NAME;
				char doc[500], name[400];

				snprintf(name, sizeof name, "name=\"%s%0*d", kept ? heads[h] : NOWHERE, n, 0);
				name[6 + GUARD_NAME - 1] = 0;
				snprintf(doc, sizeof doc, "%s%s%0*d%s", v[i / 2].head, heads[h], n, 0, v[i / 2].tail);
				how.paths = i % 2;
				assert_int_equal(rewrite(v[i / 2].obj, doc), 0);
				assert_int_equal(buf_put_u8(&out, 0), 0);
				assert_non_null(strstr((const char *)buf_data(&out), name));
				buf_cut(&out, out.len - 1);
				assert_int_equal(news.changed, !kept);
				settled(v[i / 2].obj);
			}
	how.paths = false;
}

static void cut_text_counts(void **state)
{
	char doc[600];

	(void)state;
	snprintf(doc, sizeof doc, "<threads><thread id='1' name='%0251d'>%0251d</thread></threads>", 0, 0);
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 0);
	snprintf(doc, sizeof doc, "<threads><thread id='1' name='%0252d'>%0252d</thread></threads>", 0, 0);
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 2);
	snprintf(doc, sizeof doc, "<threads><thread id='1'>%0251d%9s</thread></threads>", 0, "");
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 0);
	snprintf(doc, sizeof doc, "<threads><thread id='1'>%0251d%9s</thread></threads>", 0, "x");
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 1);
}

static void handles(void **state)
{
	char doc[400];

	(void)state;
	snprintf(doc, sizeof doc, "<threads><thread id='1' handle='%0128d'/></threads>", 0);
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 0);
	snprintf(doc, sizeof doc, "<threads><thread id='1' handle='%0130d'/></threads>", 0);
	assert_int_equal(rewrite(GUARD_THREAD_LIST, doc), 0);
	assert_int_equal(news.changed, 1);
}

static void every_byte_as_text(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		char doc[] = "<threads><thread id='1' name='a?b'>c?d</thread></threads>";

		*strchr(doc, '?') = (char)c;
		*strchr(doc, '?') = (char)c;
		if (rewrite(GUARD_THREAD_LIST, doc) < 0)
			continue;
		for (size_t i = 0; i < out.len; i++)
			assert_true((buf_data(&out)[i] >= 0x20 && buf_data(&out)[i] <= 0x7e) || buf_data(&out)[i] == '\n');
		settled(GUARD_THREAD_LIST);
	}
}

static void exec_files(void **state)
{
	(void)state;
	assert_int_equal(rewrite(GUARD_EXEC_FILE, ""), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(rewrite(GUARD_EXEC_FILE, "/usr/bin/sleep"), 0);
	assert_true(span_is(buf_span(&out), NOWHERE "sleep") && news.changed == 1);
	settled(GUARD_EXEC_FILE);
	assert_int_equal(rewrite(GUARD_EXEC_FILE, "/tmp/\xc3\xa9"), 0);
	assert_true(span_is(buf_span(&out), NOWHERE "__"));
	for (unsigned c = 0; c < 256; c++) {
		char name[] = { '/', 'a', (char)c };
		int rc = rewrite_bytes(GUARD_EXEC_FILE, name, sizeof name);

		if (c < 0x20 || c == 0x7f)
			refused(rc, -EBADMSG);
		else
			assert_int_equal(rc, 0);
	}
}

static void exec_files_have_a_length(void **state)
{
	static char name[4097];

	(void)state;
	memset(name, 'a', sizeof name);
	assert_int_equal(rewrite_bytes(GUARD_EXEC_FILE, name, 4096), 0);
	assert_int_equal(out.len, GUARD_NAME - 1);
	assert_true(span_starts(buf_span(&out), NOWHERE "aaa"));
	settled(GUARD_EXEC_FILE);
	refused(rewrite_bytes(GUARD_EXEC_FILE, name, 4097), -E2BIG);
}

/* A vector of n pairs, of them the last nulls are AT_NULL with this value. */
static size_t make_auxv(uint8_t *doc, size_t n, size_t nulls, uint8_t value)
{
	size_t word = how.word_bytes;

	for (size_t i = 0; i < n; i++) {
		memset(doc + 2 * word * i, i + nulls < n ? 0x7f : 0, word);
		memset(doc + 2 * word * i + word, i + nulls < n ? 0x45 : value, word);
	}
	return 2 * word * n;
}

static void auxv(void **state)
{
	static const struct {
		size_t n, nulls;
		uint8_t value;
		size_t out_n; /* 0: refused */
		unsigned changed;
	} v[] = {
		{ 3, 1, 0, 3, 0 }, { 1, 1, 0, 1, 0 }, { 3, 1, 9, 3, 1 }, { 3, 2, 0, 2, 1 }, { 2, 0, 0, 3, 1 }, { 64, 1, 0, 64, 0 },
		{ 63, 0, 0, 64, 1 }, { 64, 0, 0, 0, 0 }, { 65, 1, 0, 0, 0 }, { 200, 137, 0, 64, 1 }, { 200, 136, 0, 0, 0 },
	};
	uint8_t doc[8192];

	(void)state;
	for (how.word_bytes = 4; how.word_bytes <= 8; how.word_bytes += 4)
		for (size_t i = 0; i < COUNT(v); i++) {
			size_t n = make_auxv(doc, v[i].n, v[i].nulls, v[i].value), want = 2 * how.word_bytes * v[i].out_n;
			int rc = rewrite_bytes(GUARD_AUXV, doc, n);

			if (!v[i].out_n) {
				refused(rc, -E2BIG);
				continue;
			}
			assert_int_equal(rc, 0);
			assert_int_equal(out.len, want);
			assert_int_equal(news.changed, v[i].changed);
			assert_memory_equal(buf_data(&out), doc, want - 2 * how.word_bytes);
			for (size_t k = want - 2 * how.word_bytes; k < want; k++)
				assert_int_equal(buf_data(&out)[k], 0);
			settled(GUARD_AUXV);
		}
	how.word_bytes = 8;
}

static void auxv_of_whole_pairs(void **state)
{
	uint8_t doc[8193];
	size_t n = make_auxv(doc, 4, 1, 0);

	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		int rc = rewrite_bytes(GUARD_AUXV, doc, cut);

		if (cut % 16)
			refused(rc, -EBADMSG);
		else
			assert_int_equal(rc, 0);
		assert_int_equal(out.len, cut % 16 || !cut ? 0 : cut == n ? cut : cut + 16);
	}
	memset(doc, 0, sizeof doc);
	assert_int_equal(rewrite_bytes(GUARD_AUXV, doc, 8192), 0);
	refused(rewrite_bytes(GUARD_AUXV, doc, 8193), -E2BIG);
	for (how.word_bytes = 0; how.word_bytes < 20; how.word_bytes++)
		if (how.word_bytes != 4 && how.word_bytes != 8)
			refused(rewrite_bytes(GUARD_AUXV, doc, 160), -EBADMSG);
	how.word_bytes = 8;
}

static void siginfo(void **state)
{
	uint8_t doc[129];

	(void)state;
	for (size_t i = 0; i < sizeof doc; i++)
		doc[i] = (uint8_t)(2 * i);
	for (size_t n = 0; n <= 128; n++) {
		assert_int_equal(rewrite_bytes(GUARD_SIGINFO, doc, n), 0);
		assert_true(out.len == n && !memcmp(buf_data(&out), doc, n) && !news.changed);
	}
	refused(rewrite_bytes(GUARD_SIGINFO, doc, 129), -E2BIG);
}

static void objects(void **state)
{
	static const char *const not_ours[] = { "", "thread", "threads:", "Threads", "features", "memory-map", "osdata", "libraries-svr", "auxv\n" };

	(void)state;
	for (int obj = 0; obj < GUARD_OBJECTS; obj++)
		assert_int_equal(guard_object_of(span_of(guard_object_name((enum guard_object)obj))), obj);
	assert_int_equal(guard_object_of(span_of("libraries-svr4")), GUARD_LIBRARIES_SVR4);
	for (size_t i = 0; i < COUNT(not_ours); i++)
		assert_int_equal(guard_object_of(span_of(not_ours[i])), -1);
}

static int set_up(void **state)
{
	(void)state;
	return buf_init(&out, GUARD_DOC_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects),
		cmocka_unit_test(lists),
		cmocka_unit_test(directories_stay_where_they_may),
		cmocka_unit_test(so_many_and_no_more),
		cmocka_unit_test(threads_of_many_processes),
		cmocka_unit_test(long_documents),
		cmocka_unit_test(no_room),
		cmocka_unit_test(text_of_every_length),
		cmocka_unit_test(names_of_every_length),
		cmocka_unit_test(cut_text_counts),
		cmocka_unit_test(handles),
		cmocka_unit_test(every_byte_as_text),
		cmocka_unit_test(exec_files),
		cmocka_unit_test(exec_files_have_a_length),
		cmocka_unit_test(auxv),
		cmocka_unit_test(auxv_of_whole_pairs),
		cmocka_unit_test(siginfo),
	};

	return cmocka_run_group_tests_name("guard_doc", tests, set_up, tear_down);
}
