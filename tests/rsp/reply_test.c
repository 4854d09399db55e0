/* reply_test.c - answers of a stub, whole and cut at every byte, against a guard page. */
#include "rsp/reply.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define BAD -EBADMSG

static const struct vector {
	const char *name;
	enum rsp_form form;
	size_t most;
	bool exact;
	struct span in;
	int rc;
	enum rsp_reply_kind kind;
	struct span bytes;
} vectors[] = {
	{ "ok", RSP_FORM_OK, 0, false, BYTES("OK"), 0, RSP_REPLY_OK, BYTES("") },
	{ "ok and more", RSP_FORM_OK, 0, false, BYTES("OKAY"), BAD, 0, BYTES("") },
	{ "hex where OK is due", RSP_FORM_OK, 4, false, BYTES("00"), BAD, 0, BYTES("") },
	{ "nothing is due", RSP_FORM_NONE, 9, false, BYTES("OK"), BAD, 0, BYTES("") },
	{ "unsupported", RSP_FORM_HEX, 4, true, BYTES(""), 0, RSP_REPLY_UNSUPPORTED, BYTES("") },
	{ "unsupported is no stop", RSP_FORM_STOP, 0, false, BYTES(""), BAD, 0, BYTES("") },

	{ "error", RSP_FORM_HEX, 4, true, BYTES("E0e"), 0, RSP_REPLY_ERROR, BYTES("") },
	{ "error for OK", RSP_FORM_OK, 0, false, BYTES("E22"), 0, RSP_REPLY_ERROR, BYTES("") },
	{ "error for a stop", RSP_FORM_STOP, 0, false, BYTES("E01"), 0, RSP_REPLY_ERROR, BYTES("") },
	{ "error in words", RSP_FORM_BINARY, 4, true, BYTES("E.no such memory"), 0, RSP_REPLY_ERROR, BYTES("no such memory") },
	{ "words with escapes", RSP_FORM_HEX, 4, true, BYTES("E.a}\x03" "b*!\x1b[2J"), 0, RSP_REPLY_ERROR, BYTES("a__b_!_[2J") },
	{ "error with a string", RSP_FORM_HEX, 4, true, BYTES("E08;6e6f0a"), 0, RSP_REPLY_ERROR, BYTES("no_") },
	{ "error with a bad string", RSP_FORM_HEX, 4, true, BYTES("E08;6e6"), BAD, 0, BYTES("") },
	{ "error of three digits", RSP_FORM_TEXT, 9, false, BYTES("E012"), 0, RSP_REPLY_TEXT, BYTES("E012") },

	{ "memory", RSP_FORM_HEX, 4, false, BYTES("00ff7fA0"), 0, RSP_REPLY_BYTES, BYTES("\x00\xff\x7f\xa0") },
	{ "memory, short", RSP_FORM_HEX, 4, false, BYTES("00ff"), 0, RSP_REPLY_BYTES, BYTES("\x00\xff") },
	{ "memory, too short", RSP_FORM_HEX, 4, true, BYTES("00ff"), BAD, 0, BYTES("") },
	{ "memory, too long", RSP_FORM_HEX, 4, false, BYTES("0011223344"), BAD, 0, BYTES("") },
	{ "memory, odd", RSP_FORM_HEX, 4, false, BYTES("001"), BAD, 0, BYTES("") },
	{ "memory, not hex", RSP_FORM_HEX, 4, false, BYTES("00xx"), BAD, 0, BYTES("") },
	{ "memory that looks like an error", RSP_FORM_HEX, 2, true, BYTES("E012"), 0, RSP_REPLY_BYTES, BYTES("\xe0\x12") },

	{ "registers", RSP_FORM_REGS, 4, true, BYTES("00AbxxfF"), 0, RSP_REPLY_REGS, BYTES("00abxxff") },
	{ "registers, one byte off", RSP_FORM_REGS, 4, true, BYTES("0011223344"), BAD, 0, BYTES("") },
	{ "registers, one byte short", RSP_FORM_REGS, 4, true, BYTES("001122"), BAD, 0, BYTES("") },
	{ "registers, half", RSP_FORM_REGS, 4, false, BYTES("001"), BAD, 0, BYTES("") },
	{ "registers, half a byte unavailable", RSP_FORM_REGS, 1, true, BYTES("x0"), BAD, 0, BYTES("") },
	{ "registers, the other half", RSP_FORM_REGS, 1, true, BYTES("0x"), BAD, 0, BYTES("") },
	{ "registers, capital X", RSP_FORM_REGS, 1, true, BYTES("XX"), BAD, 0, BYTES("") },

	{ "binary", RSP_FORM_BINARY, 4, false, BYTES("b\x00}\x03}]z"), 0, RSP_REPLY_BYTES, BYTES("\0#}z") },
	{ "binary, nothing", RSP_FORM_BINARY, 4, false, BYTES("b"), 0, RSP_REPLY_BYTES, BYTES("") },
	{ "binary, too long", RSP_FORM_BINARY, 2, false, BYTES("babc"), BAD, 0, BYTES("") },
	{ "binary, open escape", RSP_FORM_BINARY, 4, false, BYTES("ba}"), BAD, 0, BYTES("") },
	{ "binary, without b", RSP_FORM_BINARY, 4, false, BYTES("abc"), BAD, 0, BYTES("") },

	{ "text", RSP_FORM_TEXT, 9, false, BYTES("C12ab"), 0, RSP_REPLY_TEXT, BYTES("C12ab") },
	{ "text, too long", RSP_FORM_TEXT, 3, false, BYTES("abcd"), BAD, 0, BYTES("") },
	{ "text, brace", RSP_FORM_TEXT, 9, false, BYTES("a}b"), BAD, 0, BYTES("") },
	{ "text, star", RSP_FORM_TEXT, 9, false, BYTES("a*b"), BAD, 0, BYTES("") },
	{ "text, hash", RSP_FORM_TEXT, 9, false, BYTES("a#b"), BAD, 0, BYTES("") },
	{ "text, control", RSP_FORM_TEXT, 9, false, BYTES("a\x1b"), BAD, 0, BYTES("") },
	{ "text, 8 bit", RSP_FORM_TEXT, 9, false, BYTES("a\x9b"), BAD, 0, BYTES("") },

	{ "chunk", RSP_FORM_CHUNK, 9, false, BYTES("m<a>}\x0a"), 0, RSP_REPLY_CHUNK, BYTES("<a>*") },
	{ "last chunk", RSP_FORM_CHUNK, 9, false, BYTES("l"), 0, RSP_REPLY_CHUNK, BYTES("") },
	{ "chunk of nothing", RSP_FORM_CHUNK, 9, false, BYTES("m"), BAD, 0, BYTES("") },
	{ "chunk, too long", RSP_FORM_CHUNK, 2, false, BYTES("mabc"), BAD, 0, BYTES("") },
	{ "chunk, other letter", RSP_FORM_CHUNK, 9, false, BYTES("nabc"), BAD, 0, BYTES("") },

	{ "console text", RSP_FORM_MONITOR, 0, false, BYTES("O1b5d30"), 0, RSP_REPLY_OUTPUT, BYTES("\x1b]0") },
	{ "console text while running", RSP_FORM_STOP, 0, false, BYTES("O41"), 0, RSP_REPLY_OUTPUT, BYTES("A") },
	{ "console text, odd", RSP_FORM_MONITOR, 0, false, BYTES("O4"), BAD, 0, BYTES("") },
	{ "console text to a read", RSP_FORM_HEX, 4, false, BYTES("O41"), BAD, 0, BYTES("") },
	{ "monitor's end", RSP_FORM_MONITOR, 0, false, BYTES("OK"), 0, RSP_REPLY_OK, BYTES("") },
	{ "monitor's answer", RSP_FORM_MONITOR, 0, false, BYTES("6869"), 0, RSP_REPLY_BYTES, BYTES("hi") },
	{ "monitor, no hex", RSP_FORM_MONITOR, 0, false, BYTES("hi"), BAD, 0, BYTES("") },

	{ "file", RSP_FORM_FILE, 9, false, BYTES("F3;a}\x03z"), 0, RSP_REPLY_FILE, BYTES("a#z") },
	{ "file, wrong length", RSP_FORM_FILE, 9, false, BYTES("F4;abc"), BAD, 0, BYTES("") },
	{ "file, too long", RSP_FORM_FILE, 2, false, BYTES("F3;abc"), BAD, 0, BYTES("") },
	{ "file, error", RSP_FORM_FILE, 9, false, BYTES("F-1,2"), 0, RSP_REPLY_FILE, BYTES("") },
	{ "file, error without number", RSP_FORM_FILE, 9, false, BYTES("F-1,"), BAD, 0, BYTES("") },
	{ "file, no result", RSP_FORM_FILE, 9, false, BYTES("F"), BAD, 0, BYTES("") },
	{ "file, 64 bits", RSP_FORM_FILE, 9, false, BYTES("Fffffffffffffffff"), BAD, 0, BYTES("") },
	{ "the stub wants a file", RSP_FORM_STOP, 9, false, BYTES("Fopen,100/5,0,0"), BAD, 0, BYTES("") },
	{ "the stub wants a shell", RSP_FORM_HEX, 9, false, BYTES("Fsystem,100/5"), BAD, 0, BYTES("") },
	{ "the stub wants a symbol", RSP_FORM_OK, 9, false, BYTES("qSymbol:6d61696e"), BAD, 0, BYTES("") },

	{ "stop", RSP_FORM_STOP, 0, false, BYTES("T05thread:1;"), 0, RSP_REPLY_STOP, BYTES("") },
	{ "stop to a read", RSP_FORM_HEX, 4, false, BYTES("S05"), BAD, 0, BYTES("") },
	{ "OK for a stop", RSP_FORM_STOP, 0, false, BYTES("OK"), BAD, 0, BYTES("") },
};

static int feed(const struct vector *v, size_t n, struct rsp_reply *r)
{
	static struct rsp_thread ids[4];
	static struct rsp_stop stop;
	struct rsp_expect want = { .form = v->form, .most = v->most, .exact = v->exact, .threads = ids, .threads_max = 4 };

	return rsp_reply_parse(guard_copy(v->in.p, n), n, &want, r, &stop);
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static void vectors_whole(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v < vectors + sizeof vectors / sizeof *vectors; v++) {
		struct rsp_reply r;
		int rc = feed(v, v->in.len, &r);

		if (rc != v->rc || (!rc && (r.kind != v->kind || !same(r.bytes, v->bytes))))
			fail_msg("%s: %d, kind %d, %zu bytes", v->name, rc, (int)r.kind, r.bytes.len);
	}
}

/* A shorter answer is never the same answer. (An error's or a number's last digit may be missing unseen.) */
static void vectors_cut(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v < vectors + sizeof vectors / sizeof *vectors; v++)
		for (size_t cut = 0; cut < v->in.len; cut++) {
			struct rsp_reply r;
			int rc = feed(v, cut, &r);

			if (!rc && v->exact && r.kind == RSP_REPLY_BYTES)
				fail_msg("%s, cut at %zu: taken for %zu bytes", v->name, cut, r.bytes.len);
			if (!rc && !v->rc && r.kind == v->kind && v->bytes.len && same(r.bytes, v->bytes))
				fail_msg("%s, cut at %zu: taken for the whole", v->name, cut);
		}
}

static int threads(const char *text, struct rsp_thread *ids, size_t max, struct rsp_reply *r)
{
	struct rsp_expect want = { .form = RSP_FORM_THREADS, .threads = ids, .threads_max = max };

	return rsp_reply_parse(guard_copy(text, strlen(text)), strlen(text), &want, r, NULL);
}

static void thread_lists(void **state)
{
	struct rsp_thread ids[3];
	struct rsp_reply r;

	(void)state;
	assert_int_equal(threads("m1,p01.0a,fffffffe", ids, 3, &r), 0);
	assert_int_equal(r.threads_n, 3);
	assert_false(r.last);
	assert_ptr_equal(r.threads, ids);
	assert_int_equal(ids[0].tid, 1);
	assert_int_equal(ids[1].pid, 1);
	assert_int_equal(ids[1].tid, 10);
	assert_int_equal(ids[2].tid, -2);
	assert_int_equal(threads("l", ids, 3, &r), 0);
	assert_true(r.last && !r.threads_n);
	assert_int_equal(threads("QCp1.7", ids, 3, &r), 0);
	assert_true(r.last && r.threads_n == 1 && ids[0].tid == 7);
}

static void thread_lists_bad(void **state)
{
	static const char *const bad[] = { "m", "m1,", "m,1", "m1 ", "m-1", "mp1.-1", "mzz", "l1", "1", "QC", "QC1,2", "Q1", "m1,2x" };
	struct rsp_thread ids[3];
	struct rsp_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (threads(bad[i], ids, 3, &r) != -EBADMSG)
			fail_msg("%s", bad[i]);
}

static void threads_beyond_the_room(void **state)
{
	struct rsp_thread ids[3] = { { 0, 0 } };
	struct rsp_reply r;

	(void)state;
	assert_int_equal(threads("m1,2,3", ids, 2, &r), 0);
	assert_int_equal(r.threads_n, 2);
	assert_int_equal(ids[2].tid, 0);
	assert_int_equal(threads("m1,2,zz", ids, 2, &r), -EBADMSG);
}

static void numbers(void **state)
{
	static const struct vector file = { .form = RSP_FORM_FILE, .most = 4, .in = BYTES("F-1,16") };
	static const struct vector empty = { .form = RSP_FORM_FILE, .most = 4, .in = BYTES("F0;") };
	static const struct vector err = { .form = RSP_FORM_OK, .in = BYTES("Ef2") };
	struct rsp_reply r;

	(void)state;
	assert_int_equal(feed(&file, file.in.len, &r), 0);
	assert_int_equal(r.result, -1);
	assert_int_equal(r.code, 0x16);
	assert_null(r.bytes.p);
	assert_int_equal(feed(&empty, empty.in.len, &r), 0);
	assert_non_null(r.bytes.p);
	assert_int_equal(feed(&err, err.in.len, &r), 0);
	assert_int_equal(r.code, 0xf2);
}

static void long_words_are_cut(void **state)
{
	char body[500] = "E.";
	struct rsp_expect want = { .form = RSP_FORM_OK };
	struct rsp_reply r;

	(void)state;
	memset(body + 2, 'w', sizeof body - 2);
	assert_int_equal(rsp_reply_parse(guard_copy(body, sizeof body), sizeof body, &want, &r, NULL), 0);
	assert_int_equal(r.bytes.len, RSP_ERROR_TEXT);
	assert_true(r.cleaned);
	for (size_t n = RSP_ERROR_TEXT - 1; n <= RSP_ERROR_TEXT + 1; n++) {
		assert_int_equal(rsp_reply_parse(guard_copy(body, n + 2), n + 2, &want, &r, NULL), 0);
		assert_int_equal(r.cleaned, n > RSP_ERROR_TEXT);
	}
}

/* Of the words of an error something was left out, or stands for something else. */
static void cleaned_words(void **state)
{
	static const struct {
		struct span in;
		bool cleaned;
	} v[] = {
		{ BYTES("E01"), false }, { BYTES("E."), false }, { BYTES("E.no such memory ~!(%&"), false }, { BYTES("E01;6e6f"), false }, { BYTES("E01;"), false },
		{ BYTES("E.a\x1b[2J"), true }, { BYTES("E.a\n"), true }, { BYTES("E.\x7f"), true }, { BYTES("E.\x9b" "1m"), true }, { BYTES("E.\0"), true },
		{ BYTES("E.a}b"), true }, { BYTES("E.a*b"), true }, { BYTES("E.a#b"), true }, { BYTES("E.a$b"), true },
		{ BYTES("E01;6e1b6f"), true }, { BYTES("E01;00"), true },
		{ BYTES(""), false }, { BYTES("00"), false },
	};
	struct rsp_reply r = { .cleaned = true };

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct vector in = { .form = RSP_FORM_HEX, .most = 4, .in = v[i].in };

		assert_int_equal(feed(&in, v[i].in.len, &r), 0);
		if (r.cleaned != v[i].cleaned)
			fail_msg("%.*s", (int)v[i].in.len, (const char *)v[i].in.p);
		for (size_t k = 0; k < r.bytes.len && r.kind == RSP_REPLY_ERROR; k++)
			assert_true(r.bytes.p[k] >= 0x20 && r.bytes.p[k] < 0x7f);
	}
}

/* A register's answer far beyond the register. */
static void overlong_register(void **state)
{
	static uint8_t body[8192];
	struct rsp_expect want = { .form = RSP_FORM_REGS, .most = 8, .exact = true };
	struct rsp_reply r;

	(void)state;
	memset(body, '0', sizeof body);
	assert_int_equal(rsp_reply_parse(guard_copy(body, sizeof body), sizeof body, &want, &r, NULL), -EBADMSG);
	assert_int_equal(rsp_reply_parse(guard_copy(body, 16), 16, &want, &r, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_whole),
		cmocka_unit_test(vectors_cut),
		cmocka_unit_test(thread_lists),
		cmocka_unit_test(thread_lists_bad),
		cmocka_unit_test(threads_beyond_the_room),
		cmocka_unit_test(numbers),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(cleaned_words),
		cmocka_unit_test(overlong_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
