/* say_test.c - replies to gdb and to lldb, byte for byte, and into buffers of every size. */
#include "rsp/framer.h"
#include "rsp/reply.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(s) { (const uint8_t *)(s), sizeof(s) - 1 }

enum { ROOM = 65536 };
static struct buf out;

static const struct rsp_dialect gdb = { .swbreak = true, .hwbreak = true, .error_text = true };
static const struct rsp_dialect old_gdb = { .lldb = false };
static const struct rsp_dialect lldb = { .lldb = true, .error_strings = true, .list_threads = true };
static const struct rsp_dialect old_lldb = { .lldb = true };

static int set_up(void **state)
{
	(void)state;
	return buf_init(&out, ROOM);
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

/* The body of the one packet in out, whose checksum must hold. */
static struct span body(void)
{
	static struct rsp_framer f;
	enum rsp_event ev;

	rsp_framer_fini(&f);
	assert_int_equal(rsp_framer_init(&f, RSP_STRICT, ROOM), 0);
	assert_int_equal(rsp_framer_feed(&f, buf_span(&out), &ev), out.len);
	assert_int_equal(ev, RSP_PACKET);
	buf_reset(&out, 0);
	return buf_span(&f.body);
}

static void says(const char *want)
{
	struct span got = body();

	if (!span_is(got, want))
		fail_msg("said %.*s, not %s", (int)got.len, (const char *)got.p, want);
}

static void plain(void **state)
{
	(void)state;
	assert_int_equal(rsp_say_ok(&out), 0);
	assert_true(span_is(buf_span(&out), "$OK#9a"));
	says("OK");
	assert_int_equal(rsp_say_empty(&out), 0);
	says("");
	assert_int_equal(rsp_say_text(&out, "a#b"), 0);
	says("a}\x03" "b");
	assert_int_equal(rsp_say_output(&out, span_of("hi\n")), 0);
	says("O68690a");
}

static void errors(void **state)
{
	struct span words = span_of("denied: $1 }*# \x1b\xff"), none = { NULL, 0 };

	(void)state;
	assert_int_equal(rsp_say_error(&out, &old_gdb, 0, words), 0);
	says("E01");
	assert_int_equal(rsp_say_error(&out, &old_gdb, 0x16, words), 0);
	says("E16");
	assert_int_equal(rsp_say_error(&out, &old_gdb, 0x100, none), 0);
	says("E01");
	assert_int_equal(rsp_say_error(&out, &gdb, 5, none), 0);
	says("E05");
	assert_int_equal(rsp_say_error(&out, &gdb, 5, words), 0);
	says("E.denied: _1 ___ \\x1b\\xff");
	assert_int_equal(rsp_say_error(&out, &old_lldb, 5, words), 0);
	says("E05");
	assert_int_equal(rsp_say_error(&out, &lldb, 5, span_of("no*")), 0);
	says("E05;6e6f5f");
}

static void long_words(void **state)
{
	char words[1000];

	(void)state;
	memset(words, 'w', sizeof words);
	assert_int_equal(rsp_say_error(&out, &gdb, 1, (struct span){ (const uint8_t *)words, sizeof words }), 0);
	assert_in_range(body().len, 100, 2 + RSP_ERROR_TEXT);
}

static const struct rsp_stop watch = {
	.code = 5, .has_thread = true, .thread = { 1, 2 }, .has_core = true, .core = 10, .why = RSP_WHY_AWATCH, .addr = 0xffff0,
	.regs_n = 2, .regs = { { .num = 6, .len = 2, .value = { 0xab, 1 } }, { .num = 0x105, .len = 1, .value = { 0 } } },
};

static void stops(void **state)
{
	static const struct rsp_thread ids[] = { { 1, 2 }, { 1, -2 } };
	struct rsp_stop s = watch;

	(void)state;
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, ids, 2), 0);
	says("T05thread:p1.2;core:a;awatch:ffff0;06:ab01;105:00;");
	assert_int_equal(rsp_say_stop(&out, &lldb, &s, ids, 2), 0);
	says("T05thread:p1.2;threads:p1.2,p1.fffffffe;core:a;awatch:ffff0;reason:watchpoint;06:ab01;105:00;");
	s = (struct rsp_stop){ .code = 5, .has_thread = true, .thread = { 0, 1 }, .why = RSP_WHY_SWBREAK };
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("T05thread:1;swbreak:;");
	assert_int_equal(rsp_say_stop(&out, &old_gdb, &s, NULL, 0), 0);
	says("T05thread:1;");
	assert_int_equal(rsp_say_stop(&out, &lldb, &s, NULL, 0), 0);
	says("T05thread:1;reason:breakpoint;");
	s.why = RSP_WHY_HWBREAK;
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("T05thread:1;hwbreak:;");
	assert_int_equal(rsp_say_stop(&out, &(struct rsp_dialect){ .swbreak = true }, &s, NULL, 0), 0);
	says("T05thread:1;");
}

static void stops_without_reason(void **state)
{
	struct rsp_stop s = { .code = 5 };

	(void)state;
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("T05");
	assert_int_equal(rsp_say_stop(&out, &old_lldb, &s, NULL, 0), 0);
	says("T05reason:trap;");
	s.code = 2;
	assert_int_equal(rsp_say_stop(&out, &old_lldb, &s, NULL, 0), 0);
	says("T02reason:signal;");
	s = (struct rsp_stop){ .code = 5, .why = RSP_WHY_LIBRARY };
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("T05library:;");
	assert_int_equal(rsp_say_stop(&out, &old_lldb, &s, NULL, 0), 0);
	says("T05library:;reason:trap;");
	s.libraries = true;
	assert_int_equal(rsp_say_stop(&out, &old_lldb, &s, NULL, 0), 0);
	says("T05library:;reason:trap;");
	s = (struct rsp_stop){ .code = 2, .libraries = true };
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("T02");
	assert_int_equal(rsp_say_stop(&out, &old_lldb, &s, NULL, 0), 0);
	says("T02library:;reason:signal;");
	s = (struct rsp_stop){ .code = 0, .why = RSP_WHY_REPLAY_END };
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("T00replaylog:end;");
}

static void ends(void **state)
{
	struct rsp_stop s = { .kind = RSP_STOP_EXITED, .code = 0x2a };

	(void)state;
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("W2a");
	s.kind = RSP_STOP_KILLED;
	assert_int_equal(rsp_say_stop(&out, &lldb, &s, NULL, 0), 0);
	says("X2a");
	s.kind = RSP_STOP_NONE_LEFT;
	assert_int_equal(rsp_say_stop(&out, &gdb, &s, NULL, 0), 0);
	says("N");
	assert_int_equal(rsp_say_stop(&out, &lldb, &s, NULL, 0), 0);
	says("W00");
}

static const struct rsp_thread two[] = { { 0, 1 }, { 0, 0x1f } };

static const struct said {
	enum rsp_op op;
	struct rsp_reply reply;
	const char *body; /* as it stands in the packet, escaped */
} replies[] = {
	{ RSP_OP_MEM_READ, { .kind = RSP_REPLY_BYTES, .bytes = BYTES("a#\xff") }, "6123ff" },
	{ RSP_OP_MEM_READ_BIN, { .kind = RSP_REPLY_BYTES, .bytes = BYTES("a#}$*z") }, "ba}\x03}]}\x04}\nz" },
	{ RSP_OP_MEM_READ_BIN, { .kind = RSP_REPLY_BYTES, .bytes = BYTES("") }, "b" },
	{ RSP_OP_MONITOR, { .kind = RSP_REPLY_BYTES, .bytes = BYTES("hi") }, "6869" },
	{ RSP_OP_MONITOR, { .kind = RSP_REPLY_OUTPUT, .bytes = BYTES("hi") }, "O6869" },
	{ RSP_OP_REGS_READ, { .kind = RSP_REPLY_REGS, .bytes = BYTES("00xxff") }, "00xxff" },
	{ RSP_OP_PLAIN, { .kind = RSP_REPLY_TEXT, .bytes = BYTES("C1234") }, "C1234" },
	{ RSP_OP_XFER_READ, { .kind = RSP_REPLY_CHUNK, .bytes = BYTES("<a>*") }, "m<a>}\n" },
	{ RSP_OP_XFER_READ, { .kind = RSP_REPLY_CHUNK, .last = true, .bytes = BYTES("") }, "l" },
	{ RSP_OP_THREADS_FIRST, { .kind = RSP_REPLY_THREADS, .threads = two, .threads_n = 2 }, "m1,1f" },
	{ RSP_OP_THREADS_NEXT, { .kind = RSP_REPLY_THREADS, .last = true }, "l" },
	{ RSP_OP_THREAD_CURRENT, { .kind = RSP_REPLY_THREADS, .threads = two, .threads_n = 2 }, "QC1" },
	{ RSP_OP_THREAD_CURRENT, { .kind = RSP_REPLY_THREADS }, "" },
	{ RSP_OP_FILE, { .kind = RSP_REPLY_FILE, .result = 2, .bytes = BYTES("a#") }, "F2;a}\x03" },
	{ RSP_OP_FILE, { .kind = RSP_REPLY_FILE, .result = 0, .bytes = BYTES("") }, "F0;" },
	{ RSP_OP_FILE, { .kind = RSP_REPLY_FILE, .result = -1, .code = 0x10 }, "F-1,10" },
	{ RSP_OP_FILE, { .kind = RSP_REPLY_FILE, .result = INT64_MIN }, "F-8000000000000000" },
	{ RSP_OP_PLAIN, { .kind = RSP_REPLY_OK }, "OK" },
	{ RSP_OP_PLAIN, { .kind = RSP_REPLY_UNSUPPORTED }, "" },
	{ RSP_OP_PLAIN, { .kind = RSP_REPLY_ERROR, .code = 0x22, .bytes = BYTES("no") }, "E.no" },
};

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct rsp_cmd cmd = { .op = replies[i].op };

		assert_int_equal(rsp_say_reply(&out, &gdb, &cmd, &replies[i].reply), 0);
		says(replies[i].body);
	}
}

/* An empty answer to this one makes gdb open the same path on its own host; with setfs or fstat unsupported, it goes on. */
static void no_files_at_the_stub(void **state)
{
	static const struct rsp_dialect *const dialects[] = { &gdb, &old_gdb, &lldb, &old_lldb };
	static const char *const names[] = { "vFile:setfs:", "vFile:fstat:", "vFile:pread:", "vFile:close:", "vFile:exists:", "vFile:stat:" };
	struct rsp_reply unsupported = { .kind = RSP_REPLY_UNSUPPORTED };
	struct rsp_cmd cmd;

	(void)state;
	for (size_t d = 0; d < sizeof dialects / sizeof *dialects; d++) {
		rsp_cmd_make(&cmd, "vFile:open:");
		assert_int_equal(rsp_say_reply(&out, dialects[d], &cmd, &unsupported), 0);
		says("F-1,1");
		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			rsp_cmd_make(&cmd, names[i]);
			assert_int_equal(rsp_say_reply(&out, dialects[d], &cmd, &unsupported), 0);
			says("");
		}
	}
}

/* gdb shows whatever comes as what the thread is: an error, too. */
static void no_error_as_a_description(void **state)
{
	static const struct rsp_dialect *const dialects[] = { &gdb, &old_gdb, &lldb, &old_lldb };
	struct rsp_reply error = { .kind = RSP_REPLY_ERROR, .code = 1, .bytes = BYTES("no") }, none = { .kind = RSP_REPLY_UNSUPPORTED };
	struct rsp_reply bytes = { .kind = RSP_REPLY_BYTES, .bytes = BYTES("idle") };
	struct rsp_cmd cmd;

	(void)state;
	for (size_t d = 0; d < sizeof dialects / sizeof *dialects; d++) {
		rsp_cmd_make(&cmd, "qThreadExtraInfo,");
		assert_int_equal(rsp_say_reply(&out, dialects[d], &cmd, &error), 0);
		says("");
		assert_int_equal(rsp_say_reply(&out, dialects[d], &cmd, &none), 0);
		says("");
		assert_int_equal(rsp_say_reply(&out, dialects[d], &cmd, &bytes), 0);
		says("69646c65");
		rsp_cmd_make(&cmd, "T"); /* of another, it is one */
		assert_int_equal(rsp_say_reply(&out, dialects[d], &cmd, &error), 0);
		assert_true(span_starts(body(), "E"));
	}
}

/* lldb would show x as a number. */
static void a_register_that_is_unavailable(void **state)
{
	struct rsp_reply reply = { .kind = RSP_REPLY_REGS, .bytes = BYTES("xxxx") };
	struct rsp_cmd cmd;

	(void)state;
	rsp_cmd_make(&cmd, "p");
	assert_int_equal(rsp_say_reply(&out, &gdb, &cmd, &reply), 0);
	says("xxxx");
	assert_int_equal(rsp_say_reply(&out, &old_lldb, &cmd, &reply), 0);
	says("E01");
	reply.bytes = (struct span)BYTES("12ab");
	assert_int_equal(rsp_say_reply(&out, &old_lldb, &cmd, &reply), 0);
	says("12ab");
}

static void a_stop_is_no_answer(void **state)
{
	struct rsp_cmd cmd = { .op = RSP_OP_STATUS };
	struct rsp_reply r = { .kind = RSP_REPLY_STOP };

	(void)state;
	assert_int_equal(rsp_say_reply(&out, &gdb, &cmd, &r), -EINVAL);
	assert_int_equal(out.len, 0);
}

static void too_little_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
		for (size_t cap = 1; cap < strlen(replies[i].body) + 4 + 1; cap++) {
			struct rsp_cmd cmd = { .op = replies[i].op };
			struct buf small;
			int rc;

			assert_int_equal(buf_init(&small, cap), 0);
			assert_int_equal(buf_put_u8(&small, '+'), 0);
			rc = rsp_say_reply(&small, &gdb, &cmd, &replies[i].reply);
			if (replies[i].reply.threads_n < 2 || cmd.op == RSP_OP_THREAD_CURRENT)
				assert_int_equal(rc, -ENOBUFS);
			assert_int_equal(rc ? small.len : 1, 1);
			buf_fini(&small);
		}
}

static void stop_too_little_room(void **state)
{
	(void)state;
	for (size_t cap = 1; cap < 54; cap++) {
		struct buf small;

		assert_int_equal(buf_init(&small, cap), 0);
		assert_int_equal(rsp_say_stop(&small, &gdb, &watch, NULL, 0), -ENOBUFS);
		assert_int_equal(small.len, 0);
		buf_fini(&small);
	}
}

static struct rsp_thread many[RSP_THREADS_MAX];

static size_t listed(size_t cap)
{
	struct rsp_cmd cmd = { .op = RSP_OP_THREADS_FIRST };
	struct rsp_reply r = { .kind = RSP_REPLY_THREADS, .threads = many, .threads_n = RSP_THREADS_MAX };
	struct span got;
	size_t n = 1;

	for (size_t i = 0; i < RSP_THREADS_MAX; i++)
		many[i] = (struct rsp_thread){ 0, (int64_t)i + 0x1000 };
	buf_fini(&out);
	assert_int_equal(buf_init(&out, cap), 0);
	assert_int_equal(rsp_say_reply(&out, &gdb, &cmd, &r), 0);
	assert_true(out.len <= cap);
	got = body();
	assert_true(span_starts(got, "m1000,1001,"));
	for (size_t i = 0; i < got.len; i++)
		n += got.p[i] == ',';
	assert_int_equal(got.len, 1 + 5 * n - 1);
	return n;
}

static void long_lists(void **state)
{
	(void)state;
	assert_int_equal(listed(ROOM), RSP_THREADS_MAX);
	assert_int_equal(listed(1 + 1 + 5 * RSP_THREADS_MAX - 1 + 3), RSP_THREADS_MAX);
	assert_in_range(listed(1 + 1 + 5 * RSP_THREADS_MAX - 1 + 2), 800, 4096 / 5);
	for (size_t cap = 100; cap < 120; cap++)
		assert_int_equal(listed(cap), (cap - 5 + 1) / 5);
}

/* In pieces of any size it is the same packet as in one. */
static void pieces_and_whole(void **state)
{
	static const char *const names[] = { "m", "x" };
	uint8_t bytes[256], room[2][1024];
	struct rsp_dialect d = { 0 };
	struct rsp_cmd cmd;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	for (size_t step = 1; step <= 300; step++) {
		struct rsp_reply whole = { .kind = RSP_REPLY_BYTES, .bytes = { bytes, sizeof bytes } };
		struct buf a = { .base = room[0], .cap = sizeof room[0] }, b = { .base = room[1], .cap = sizeof room[1] };
		struct rsp_part part = { 0 };

		rsp_cmd_make(&cmd, names[step % 2]);
		assert_int_equal(rsp_say_reply(&a, &d, &cmd, &whole), 0);
		for (size_t at = 0; at < sizeof bytes; at += step) {
			size_t n = sizeof bytes - at < step ? sizeof bytes - at : step;

			assert_int_equal(rsp_part_put(&b, &cmd, (struct span){ bytes + at, n }, &part), 0);
			assert_true(part.open);
		}
		assert_int_equal(rsp_part_end(&b, &part), 0);
		assert_false(part.open);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(buf_data(&a), buf_data(&b), a.len);
	}
}

/* A piece that does not fit leaves the packet as it was. */
static void a_piece_too_many(void **state)
{
	uint8_t room[8];
	struct buf small = { .base = room, .cap = sizeof room };
	struct rsp_part part = { 0 };
	struct rsp_cmd cmd;

	(void)state;
	rsp_cmd_make(&cmd, "m");
	assert_int_equal(rsp_part_put(&small, &cmd, span_of("abcd"), &part), -ENOBUFS);
	assert_int_equal(small.len, 0);
	assert_false(part.open);
	assert_int_equal(rsp_part_put(&small, &cmd, span_of("ab"), &part), 0);
	assert_int_equal(rsp_part_put(&small, &cmd, span_of("cd"), &part), -ENOBUFS);
	assert_int_equal(rsp_part_end(&small, &part), 0);
	assert_memory_equal(room, "$6162#cf", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_and_whole), cmocka_unit_test(a_piece_too_many),
		cmocka_unit_test(plain),
		cmocka_unit_test(errors),
		cmocka_unit_test(long_words),
		cmocka_unit_test(stops),
		cmocka_unit_test(stops_without_reason),
		cmocka_unit_test(ends),
		cmocka_unit_test(answers),
		cmocka_unit_test(no_files_at_the_stub),
		cmocka_unit_test(no_error_as_a_description), cmocka_unit_test(a_register_that_is_unavailable),
		cmocka_unit_test(a_stop_is_no_answer),
		cmocka_unit_test(too_little_room),
		cmocka_unit_test(stop_too_little_room),
		cmocka_unit_test(long_lists),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
