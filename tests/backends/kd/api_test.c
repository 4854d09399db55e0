/* api_test.c - each request byte for byte; replies good, wrong, stale, short, cut at every byte, against a guard page. */
#include "backends/kd/api.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct kd_cpu amd64 = { KD_AMD64, 3 }, i386 = { KD_I386, 0 }, arm64 = { KD_ARM64, 1 }, nothing = { KD_MACHINE_NONE, 0 };

static void becomes(struct kd_request r, const char *want)
{
	static uint8_t room[LAYOUT_MAX], bytes[LAYOUT_MAX];
	struct buf out = { .base = bytes, .cap = sizeof bytes };
	size_t n = layout_take(want, room);

	assert_int_equal(kd_request_put(&out, &r), 0);
	assert_int_equal(out.len, n < KD_HEADER ? KD_HEADER : n);
	assert_memory_equal(bytes, room, out.len);
}

static void requests(void **state)
{
	struct span data = span_of("\x11\x22\x33");

	(void)state;
	becomes(kd_get_version(amd64), "46310000 0000 0300");
	becomes(kd_read_virtual(amd64, 0xfffff80012345678, 0x800), "30310000 0000 0300 @16 7856341200f8ffff 00080000");
	becomes(kd_read_virtual(i386, 0x80123456, 16), "30310000 @16 56341280ffffffff 10000000");
	becomes(kd_read_virtual(i386, 0x7ffe0000, 16), "30310000 @16 0000fe7f00000000 10000000");
	becomes(kd_write_virtual(i386, 0xf0000000, data), "31310000 @16 000000f0ffffffff 03000000 @56 112233");
	becomes(kd_read_physical(i386, 0x80000000, 4, KD_UNCACHED), "3d310000 @16 0000008000000000 04000000 02000000");
	becomes(kd_write_physical(amd64, 0x1000, data, KD_WRITE_COMBINED), "3e310000 0000 0300 @16 0010000000000000 03000000 03000000 @56 112233");
	becomes(kd_get_context(amd64, 0x10001f), "32310000 0000 0300 @16 1f001000");
	becomes(kd_set_context(amd64, 0x10001f, data), "33310000 0000 0300 @16 1f001000 @56 112233");
	becomes(kd_get_context_ex(amd64, 0x200, 0x100), "5f310000 0000 0300 @16 00020000 00010000");
	becomes(kd_set_context_ex(amd64, 0x200, 0x4d0, data), "60310000 0000 0300 @16 00020000 03000000 d0040000 @56 112233");
	becomes(kd_write_breakpoint(i386, 0x80400000), "34310000 @16 00004080ffffffff");
	becomes(kd_restore_breakpoint(amd64, 32), "35310000 0000 0300 @16 20000000");
	becomes(kd_read_control(amd64, KD_CONTROL_SPECIAL, 0xe0), "37310000 0000 0300 @16 0200000000000000 e0000000");
	becomes(kd_write_control(i386, KD_I386_SPECIAL, data), "38310000 @16 cc02000000000000 03000000 @56 112233");
	becomes(kd_read_io(amd64, 0x3f8, 1), "39310000 0000 0300 @16 f803000000000000 01000000");
	becomes(kd_write_io(amd64, 0xcf8, 4, 0x80000001), "3a310000 0000 0300 @16 f80c000000000000 04000000 01000080");
	becomes(kd_read_msr(amd64, 0xc0000080), "52310000 0000 0300 @16 800000c0");
	becomes(kd_write_msr(amd64, 0xc0000100, 0x1122334455667788), "53310000 0000 0300 @16 000100c0 88776655 44332211");
	becomes(kd_reboot(amd64), "3b310000 0000 0300");
	becomes(kd_cause_bugcheck(amd64), "49310000 0000 0300");
	becomes(kd_switch_processor(amd64), "50310000 0000 0300");
	becomes(kd_query_memory(amd64, 0xfffff80000000000), "5c310000 0000 0300 @16 0000000000f8ffff");
	becomes(kd_search_memory(i386, 0x80000000, 0x10000, data), "56310000 @16 00000080ffffffff 0000010000000000 03000000 @56 112233");
}

static void going_on(void **state)
{
	struct buf out = { .base = (uint8_t[64]){ 0 }, .cap = 64 };
	struct kd_request unknown = kd_continue2(nothing, KD_DBG_CONTINUE, false, 0);

	(void)state;
	becomes(kd_continue(nothing, KD_DBG_CONTINUE), "36310000 @16 02000100");
	becomes(kd_continue(amd64, KD_DBG_NOT_HANDLED), "36310000 0000 0300 @16 01000180");
	becomes(kd_continue2(amd64, KD_DBG_CONTINUE, true, 0x400), "3c310000 0000 0300 @16 02000100 01000000 0004000000000000 0100000000000000");
	becomes(kd_continue2(i386, KD_DBG_HANDLED, false, 0xffff0401), "3c310000 @16 01000100 00000000 0104ffff 01000000 00000000");
	becomes(kd_continue2(arm64, KD_DBG_CONTINUE, true, 0x400), "3c310000 0000 0100 @16 02000100 01000000");
	assert_int_equal(kd_request_put(&out, &unknown), -EINVAL); /* DR7 would have no place */
}

static void no_request(void **state)
{
	static uint8_t long_data[KD_DATA_MAX + 1];
	struct buf out = { .base = (uint8_t[64]){ 0 }, .cap = 58 };
	struct kd_request bus = { .api = KD_GET_BUS_DATA }, none = { .api = (enum kd_api)0x3155 }, r;

	(void)state;
	assert_int_equal(kd_request_put(&out, &bus), -EINVAL);
	assert_int_equal(kd_request_put(&out, &none), -EINVAL);
	r = kd_write_virtual(amd64, 0x1000, (struct span){ long_data, sizeof long_data });
	assert_int_equal(kd_request_put(&out, &r), -EINVAL);
	r = kd_write_virtual(amd64, 0x1000, span_of("123"));
	assert_int_equal(kd_request_put(&out, &r), -ENOBUFS);
	assert_int_equal(out.len, 0);
}

/* No API is told of twice, and what has no reply is what KD 3.1 lists. */
static void every_api(void **state)
{
	static const unsigned silent[] = { KD_CONTINUE, KD_CONTINUE2, KD_REBOOT, KD_CAUSE_BUGCHECK, KD_SWITCH_PROCESSOR,
					   KD_CLEAR_ALL_INTERNAL_BREAKPOINTS };
	unsigned found = 0, mute = 0;

	(void)state;
	for (unsigned api = 0x3100; api < 0x3200; api++) {
		const struct kd_api_info *info = kd_api_info(api);

		found += info != NULL;
		mute += info && !info->has_reply;
	}
	assert_int_equal(found, 41);
	assert_int_equal(mute, sizeof silent / sizeof *silent);
	for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
		assert_false(kd_api_info(silent[i])->has_reply);
	assert_string_equal(kd_api_info(0x315a)->name, "ClearAllInternalBreakpoints");
	assert_string_equal(kd_api_info(0x3160)->name, "SetContextEx");
	assert_false(kd_api_info(KD_WRITE_BREAKPOINT)->idempotent);
	assert_true(kd_api_info(KD_READ_VIRTUAL)->idempotent);
}

enum { ASK_READ, ASK_READ32, ASK_PHYSICAL, ASK_WRITE, ASK_CONTROL, ASK_CONTEXT, ASK_CONTEXT_EX, ASK_SET_EX, ASK_PLANT, ASK_LIFT,
       ASK_MSR, ASK_IO, ASK_VERSION, ASK_SEARCH, ASK_QUERY, ASK_CONTROL_WRITE, ASK_PHYSICAL_WRITE, ASK_MSR_WRITE, ASK_IO_WRITE,
       ASK_GO, ASK_BUS, ASKS };

static struct kd_request ask(unsigned n)
{
	static const uint8_t zeros[16];
	struct kd_request asks[ASKS] = {
		[ASK_READ] = kd_read_virtual(amd64, 0x12345678, 8),
		[ASK_READ32] = kd_read_virtual(i386, 0x80000010, 4),
		[ASK_PHYSICAL] = kd_read_physical(amd64, 0x1000, 4, KD_UNCACHED),
		[ASK_WRITE] = kd_write_virtual(amd64, 0x12345678, (struct span){ zeros, 8 }),
		[ASK_CONTROL] = kd_read_control(amd64, 2, 4),
		[ASK_CONTEXT] = kd_get_context(amd64, 0),
		[ASK_CONTEXT_EX] = kd_get_context_ex(amd64, 16, 4),
		[ASK_SET_EX] = kd_set_context_ex(amd64, 0, 32, (struct span){ zeros, 16 }),
		[ASK_PLANT] = kd_write_breakpoint(amd64, 0x12345678),
		[ASK_LIFT] = kd_restore_breakpoint(amd64, 6),
		[ASK_MSR] = kd_read_msr(amd64, 0xc0000080),
		[ASK_IO] = kd_read_io(amd64, 0x70, 1),
		[ASK_VERSION] = kd_get_version(amd64),
		[ASK_SEARCH] = kd_search_memory(i386, 0x1000, 0x1000, span_of("x")),
		[ASK_QUERY] = kd_query_memory(amd64, 0x1000),
		[ASK_CONTROL_WRITE] = kd_write_control(amd64, 2, (struct span){ zeros, 8 }),
		[ASK_PHYSICAL_WRITE] = kd_write_physical(amd64, 0x1000, (struct span){ zeros, 8 }, KD_CACHED),
		[ASK_MSR_WRITE] = kd_write_msr(amd64, 0xc0000080, 1),
		[ASK_IO_WRITE] = kd_write_io(amd64, 0x70, 1, 2),
		[ASK_GO] = kd_continue(amd64, KD_DBG_CONTINUE),
		[ASK_BUS] = { .api = KD_GET_BUS_DATA },
	};

	return asks[n];
}

/* n: how many bytes of data or of a version. */
static const struct answer {
	const char *what;
	unsigned ask;
	const char *in;
	int rc;
	uint32_t status;
	size_t actual, n;
	uint64_t value;
	uint32_t handle;
} answers[] = {
	{ "read", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 08000000 08000000 @56 0102030405060708", 0, 0, 8, 8, 0, 0 },
	{ "read, not all", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 08000000 03000000 @56 010203", 0, 0, 3, 3, 0, 0 },
	{ "read, more data than said", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 08000000 03000000 @56 0102030405", 0, 0, 3, 3, 0, 0 },
	{ "read, less data than said", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 08000000 08000000 @56 0102", -EPROTO, 0, 0, 0, 0, 0 },
	{ "read, more than asked", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 09000000 09000000 @56 010203040506070809", -EPROTO, 0, 0, 0, 0, 0 },
	{ "read, nothing", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 08000000 00000000 @56", -EPROTO, 0, 0, 0, 0, 0 },
	{ "read, a prefix and an error", ASK_READ, "30310000 0000 0300 010000c0 @16 7856341200000000 08000000 02000000 @56 0102", 0, KD_UNSUCCESSFUL, 2, 2, 0, 0 },
	{ "read, an error that lies", ASK_READ, "30310000 0000 0300 010000c0 @16 7856341200000000 08000000 ffffffff @56 0102", 0, KD_UNSUCCESSFUL, 2, 2, 0, 0 },
	{ "read, another address", ASK_READ, "30310000 0000 0300 00000000 @16 7956341200000000 08000000 08000000 @56 0102030405060708", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "read, a stub that does not say where", ASK_READ, "30310000 0000 0300 00000000 @16 0000000000000000 08000000 08000000 @56 0102030405060708", 0, 0, 8, 8, 0, 0 },
	{ "read, any processor", ASK_READ, "30310000 0000 0000 00000000 @16 7856341200000000 08000000 08000000 @56 0102030405060708", 0, 0, 8, 8, 0, 0 },
	{ "read, another API", ASK_READ, "31310000 0000 0300 00000000 @16 7856341200000000 08000000 08000000", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "read, a short error", ASK_READ, "30310000 0000 0300 010000c0", 0, KD_UNSUCCESSFUL, 0, 0, 0, 0 },
	{ "read, a short success", ASK_READ, "30310000 0000 0300 00000000 @16 7856341200000000 @55", -EPROTO, 0, 0, 0, 0, 0 },
	{ "read, too short", ASK_READ, "30310000 0000 0300 010000", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "read of 32 bits", ASK_READ32, "30310000 0000 0000 00000000 @16 10000080ffffffff 04000000 04000000 @56 01020304", 0, 0, 4, 4, 0, 0 },
	{ "read of 32 bits, not extended", ASK_READ32, "30310000 0000 0000 00000000 @16 1000008000000000 04000000 04000000 @56 01020304", 0, 0, 4, 4, 0, 0 },
	{ "read of memory by another view", ASK_PHYSICAL, "3d310000 0000 0300 00000000 @16 0010000000000000 04000000 04000000 @56 01020304", 0, 0, 4, 4, 0, 0 },
	{ "write", ASK_WRITE, "31310000 0000 0300 00000000 @16 7856341200000000 08000000 08000000 @56", 0, 0, 8, 0, 0, 0 },
	{ "write, a part", ASK_WRITE, "31310000 0000 0300 010000c0 @16 7856341200000000 08000000 05000000 @56", 0, KD_UNSUCCESSFUL, 5, 0, 0, 0 },
	{ "write, more than there was", ASK_WRITE, "31310000 0000 0300 00000000 @16 7856341200000000 08000000 09000000 @56", -EPROTO, 0, 0, 0, 0, 0 },
	{ "control space", ASK_CONTROL, "37310000 0000 0300 00000000 @16 0200000000000000 04000000 04000000 @56 01020304", 0, 0, 4, 4, 0, 0 },
	{ "control space, more than asked", ASK_CONTROL, "37310000 0000 0300 00000000 @16 0200000000000000 04000000 06000000 @56 010203040506", 0, 0, 4, 4, 0, 0 },
	{ "control space of another processor", ASK_CONTROL, "37310000 0000 0200 00000000 @16 0200000000000000 04000000 04000000 @56 01020304", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "control space is written", ASK_CONTROL_WRITE, "38310000 0000 0300 00000000 @16 0200000000000000 08000000 08000000 @56", 0, 0, 8, 0, 0, 0 },
	{ "memory is written by another view", ASK_PHYSICAL_WRITE, "3e310000 0000 0300 00000000 @16 0010000000000000 08000000 08000000 @56", 0, 0, 8, 0, 0, 0 },
	{ "msr is written", ASK_MSR_WRITE, "53310000 0000 0300 00000000 @16 800000c0 @56", 0, 0, 0, 0, 0, 0 },
	{ "port is written", ASK_IO_WRITE, "3a310000 0000 0300 00000000 @16 7000000000000000 @56", 0, 0, 0, 0, 0, 0 },
	{ "context", ASK_CONTEXT, "32310000 0000 0300 00000000 @56 0102030405", 0, 0, 0, 5, 0, 0 },
	{ "context, an error", ASK_CONTEXT, "32310000 0000 0300 010000c0 @56 0102030405", 0, KD_UNSUCCESSFUL, 0, 0, 0, 0 },
	{ "context, none", ASK_CONTEXT, "32310000 0000 0300 00000000 @56", -EPROTO, 0, 0, 0, 0, 0 },
	{ "a piece of context", ASK_CONTEXT_EX, "5f310000 0000 0300 00000000 @16 10000000 04000000 04000000 @56 01020304", 0, 0, 4, 4, 0, 0 },
	{ "another piece of context", ASK_CONTEXT_EX, "5f310000 0000 0300 00000000 @16 20000000 04000000 04000000 @56 01020304", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "a piece of context is taken", ASK_SET_EX, "60310000 0000 0300 00000000 @16 00000000 10000000 10000000 @56", 0, 0, 16, 0, 0, 0 },
	{ "breakpoint", ASK_PLANT, "34310000 0000 0300 00000000 @16 7856341200000000 05000000 @56", 0, 0, 0, 0, 0, 5 },
	{ "breakpoint, none", ASK_PLANT, "34310000 0000 0300 00000000 @16 7856341200000000 00000000 @56", -EPROTO, 0, 0, 0, 0, 0 },
	{ "breakpoint, refused", ASK_PLANT, "34310000 0000 0300 010000c0 @16 7856341200000000 05000000 @56", 0, KD_UNSUCCESSFUL, 0, 0, 0, 0 },
	{ "breakpoint, another", ASK_PLANT, "34310000 0000 0300 00000000 @16 7856341300000000 05000000 @56", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "breakpoint lifted", ASK_LIFT, "35310000 0000 0300 00000000 @16 06000000 @56", 0, 0, 0, 0, 0, 0 },
	{ "another breakpoint lifted", ASK_LIFT, "35310000 0000 0300 00000000 @16 05000000 @56", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "msr", ASK_MSR, "52310000 0000 0300 00000000 @16 800000c0 01050000 aa000000 @56", 0, 0, 0, 0, 0xaa00000501, 0 },
	{ "port", ASK_IO, "39310000 0000 0300 00000000 @16 7000000000000000 01000000 55000000 @56", 0, 0, 0, 0, 0x55, 0 },
	{ "version", ASK_VERSION, "46310000 0000 ffff 00000000 @16 0f04 5a29 @56", 0, 0, 0, KD_VERSION_BYTES, 0, 0 },
	{ "version, an error", ASK_VERSION, "46310000 0000 ffff 010000c0 @16 0f04 5a29 @56", 0, KD_UNSUCCESSFUL, 0, 0, 0, 0 },
	{ "found", ASK_SEARCH, "56310000 0000 0000 00000000 @16 00102080ffffffff @56", 0, 0, 0, 0, 0x80201000, 0 },
	{ "rights of memory", ASK_QUERY, "5c310000 0000 0300 00000000 @16 0010000000000000 @32 02000000 07000000 @56", 0, 0, 0, 0, 0x700000002, 0 },
	{ "what is never answered", ASK_GO, "36310000 0000 0300 00000000 @16 02000100 @56", -EBADMSG, 0, 0, 0, 0, 0 },
	{ "what nobody asked", ASK_BUS, "57310000 0000 0000 00000000 @56", -EBADMSG, 0, 0, 0, 0, 0 },
};

static void who_replied(void **state)
{
	struct kd_request r = kd_read_virtual(amd64, 0x1000, 1);
	struct kd_reply reply;

	(void)state;
	assert_int_equal(kd_reply_parse(layout_span("30310000 0000 0102 020000c0 ff"), &r, &reply), 0);
	assert_int_equal(reply.processor, 0x201);
	assert_int_equal(reply.status, 0xc0000002);
}

static void replies(void **state)
{
	struct kd_request r;
	struct kd_reply reply;
	bool same;

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct answer *a = &answers[i];
		int rc;

		r = ask(a->ask);
		rc = kd_reply_parse(layout_span(a->in), &r, &reply);
		same = rc == a->rc && (rc || (reply.status == a->status && reply.actual == a->actual && reply.data.len + reply.version.len == a->n &&
					      reply.value == a->value && reply.handle == a->handle));
		if (!same)
			fail_msg("%s: %d, %#x, %zu, %zu, %#llx, %u", a->what, rc, reply.status, reply.actual, reply.data.len, (unsigned long long)reply.value,
				 reply.handle);
		if (!rc && reply.data.len)
			assert_int_equal(reply.data.p[0], 1);
		if (!rc && reply.version.len)
			assert_int_equal(reply.version.p[0], 0x0f);
	}
}

/* And with stale memory where a reply has nothing to say. */
static void replies_among_stale_bytes(void **state)
{
	layout_fill = 0xee;
	replies(state);
	layout_fill = 0;
}

static void replies_cut_anywhere(void **state)
{
	static uint8_t room[LAYOUT_MAX];
	struct kd_request r;
	struct kd_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		size_t whole = layout_take(answers[i].in, room);

		r = ask(answers[i].ask);
		for (size_t n = 0; n < whole; n++) {
			struct span in = layout_cut(answers[i].in, n);
			int rc = kd_reply_parse(in, &r, &reply);

			assert_true(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
			assert_true(n >= KD_REPLY_LEAST || rc == -EBADMSG);
			assert_true(rc || n >= KD_HEADER || !kd_status_ok(reply.status));
			assert_true(layout_within(reply.data, in) && layout_within(reply.version, in));
			assert_true(reply.data.len <= (n > KD_HEADER ? n - KD_HEADER : 0));
		}
	}
}

static void statuses(void **state)
{
	(void)state;
	assert_true(kd_status_ok(KD_SUCCESS) && kd_status_ok(0x103) && kd_status_ok(0x40000000));
	assert_false(kd_status_ok(0x80000000) || kd_status_ok(KD_UNSUCCESSFUL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(going_on),
		cmocka_unit_test(no_request),
		cmocka_unit_test(every_api),
		cmocka_unit_test(who_replied),
		cmocka_unit_test(replies),
		cmocka_unit_test(replies_among_stale_bytes),
		cmocka_unit_test(replies_cut_anywhere),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
