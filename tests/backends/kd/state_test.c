/* state_test.c - state changes of every kind and machine, whole, cut at every byte, and with lies in them, against a guard page. */
#include "backends/kd/state.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TOP "ffffffff"
#define AMD64_STOP                                                                                       \
	"30300000 0600 0300 04000000 adde adde 80c6f3550c80ffff 50a3b7ec26f8ffff"                        \
	"@32 050000c0 01000000 1111111111111111 51a3b7ec26f8ffff 02000000 @64 0100000000000000 3412000000000000 5555555555555555 @184 01000000" \
	"@192 f14fffff00000000 0104000000000000 02030000 0400 0300 cc4889e5909090909090909090909090 1000 2b00 5300 5300"
#define I386_STOP                                                                                        \
	"30300100 0600 0000 01000000 @16 30415480" TOP "785634f0" TOP                                     \
	"@32 03000080 @48 785634f0" TOP "01000000 @64 44332211" TOP "@184 00000000"                                       \
	"@192 00000100 00040000 0300 0300 cc9090 @220 0800 2300 2300 3000 46020000 @240"
#define ARM64_STOP                                                                                       \
	"30300000 0000 0100 02000000 @16 0010203040f8ffff 0000000001f8ffff @32 04000080 @184 01000000"     \
	"@192 1111111111111111 2222222222222222 04000000 00003ed4 @240"
#define LOADED                                                                                           \
	"31300000 0000 0000 01000000 @24 8596a70000000000 @32 0c000000 @40 00f0960000000000 " TOP TOP      \
	"3f9e1400 00d01700 00 @240 5c57494e5c6b642e737900 00"
#define UNLOADED "31300000 0000 0000 01000000 @40 " TOP TOP " @64 01 @240"

static void of_amd64(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(AMD64_STOP), KD_AMD64, &s), 0);
	assert_int_equal(s.kind, KD_EXCEPTION);
	assert_int_equal(s.level, 6);
	assert_int_equal(s.processor, 3);
	assert_int_equal(s.processors, 4);
	assert_int_equal(s.thread, 0xffff800c55f3c680);
	assert_int_equal(s.pc, 0xfffff826ecb7a350);
	assert_int_equal(s.exception.code, 0xc0000005);
	assert_int_equal(s.exception.flags, 1);
	assert_int_equal(s.exception.address, 0xfffff826ecb7a351);
	assert_int_equal(s.exception.params, 2);
	assert_int_equal(s.exception.info[0], 1);
	assert_int_equal(s.exception.info[1], 0x1234);
	assert_int_equal(s.exception.info[2], 0);
	assert_true(s.exception.first_chance);
	assert_true(s.report.have);
	assert_int_equal(s.report.dr6, 0xffff4ff1);
	assert_int_equal(s.report.dr7, 0x401);
	assert_int_equal(s.report.eflags, 0x302);
	assert_int_equal(s.report.stream_n, 4);
	assert_memory_equal(s.report.stream, "\xcc\x48\x89\xe5\0", 5);
	assert_int_equal(s.report.cs, 0x10);
	assert_int_equal(s.report.ds, 0x2b);
	assert_int_equal(s.report.es, 0x53);
	assert_int_equal(s.report.fs, 0x53);
}

static void of_i386(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(I386_STOP), KD_I386, &s), 0);
	assert_int_equal(s.kind, KD_EXCEPTION);
	assert_int_equal(s.code, 0x13030);
	assert_int_equal(s.thread, 0x80544130);
	assert_int_equal(s.pc, 0xf0345678);
	assert_int_equal(s.exception.address, 0xf0345678);
	assert_int_equal(s.exception.info[0], 0x11223344);
	assert_false(s.exception.first_chance);
	assert_int_equal(s.report.dr6, 0x10000);
	assert_int_equal(s.report.dr7, 0x400);
	assert_int_equal(s.report.eflags, 0x246);
	assert_int_equal(s.report.stream_n, 3);
	assert_memory_equal(s.report.stream, "\xcc\x90\x90", 3);
	assert_int_equal(s.report.ds, 0x23);
	assert_int_equal(s.report.cs, 8);
	assert_int_equal(s.report.fs, 0x30);
}

static void of_arm64(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(ARM64_STOP), KD_ARM64, &s), 0);
	assert_int_equal(s.processor, 1);
	assert_int_equal(s.pc, 0xfffff80100000000);
	assert_true(s.report.have);
	assert_int_equal(s.report.dr7, 0);
	assert_int_equal(s.report.eflags, 0);
	assert_int_equal(s.report.stream_n, 4);
	assert_memory_equal(s.report.stream, "\x00\x00\x3e\xd4", 4);
}

static void of_a_machine_not_known_yet(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(I386_STOP), KD_MACHINE_NONE, &s), 0);
	assert_int_equal(s.pc, 0xfffffffff0345678);
	assert_false(s.report.have);
	assert_int_equal(s.report.stream_n, 0);
}

static void an_image_came(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(LOADED), KD_AMD64, &s), 0);
	assert_int_equal(s.kind, KD_LOAD_SYMBOLS);
	assert_int_equal(s.load.base, 0x96f000);
	assert_int_equal(s.load.process, UINT64_MAX);
	assert_int_equal(s.load.checksum, 0x149e3f);
	assert_int_equal(s.load.size, 0x17d000);
	assert_false(s.load.unload);
	assert_false(s.load.everything);
	assert_true(span_is(s.load.path, "\\WIN\\kd.sy"));
	assert_int_equal(s.exception.code, 0);
}

static void all_images_go(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(UNLOADED), KD_AMD64, &s), 0);
	assert_true(s.load.unload && s.load.everything);
	assert_int_equal(s.load.path.len, 0);
	assert_int_equal(kd_state_parse(layout_span(UNLOADED), KD_I386, &s), 0);
	assert_int_equal(s.load.base, 0xffffffff);
	assert_true(s.load.everything);
	assert_int_equal(kd_state_parse(layout_span(UNLOADED " @40 00"), KD_AMD64, &s), 0);
	assert_true(s.load.unload && !s.load.everything);
}

static void path_is_last(void **state)
{
	static const struct { const char *in, *path; } cases[] = {
		{ "31300000 @8 01 @32 04000000 @228 41424300", "ABC" },          /* a short report */
		{ "31300000 @8 01 @32 04000000 @240 41424344", "ABCD" },         /* no NUL */
		{ "31300000 @8 01 @32 05000000 @240 41004300 00", "A" },
		{ "31300000 @8 01 @32 00000000 @240 41424344", "" },
		{ "31300000 @8 01 @32 34000000 @240 41424344", "" },             /* begins where the report does, with zeros */
		{ "31300000 @8 01 @32 35000000 @192 41 @240 41424344", "" },     /* would begin before it */
		{ "31300000 @8 01 @32 ffffffff @240 41424344", "" },
		{ "31300000 @8 01 @32 00000080 @240 41424344", "" },
	};
	struct kd_state s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(kd_state_parse(layout_span(cases[i].in), KD_AMD64, &s), 0);
		if (!span_is(s.load.path, cases[i].path))
			fail_msg("%s: \"%.*s\"", cases[i].in, (int)s.load.path.len, (const char *)s.load.path.p);
	}
}

static void kinds(void **state)
{
	static const struct { const char *in; enum kd_kind kind; } cases[] = {
		{ "30300000 @8 01 @32", KD_EXCEPTION },    { "31300100 @8 01 @32", KD_LOAD_SYMBOLS },   { "32300000 @8 01 @32", KD_COMMAND_STRING },
		{ "33300000 @8 01 @32", KD_STATE_UNKNOWN }, { "2f300000 @8 01 @32", KD_STATE_UNKNOWN }, { "30300200 @8 01 @32", KD_STATE_UNKNOWN },
	};
	struct kd_state s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(kd_state_parse(layout_span(cases[i].in), KD_AMD64, &s), 0);
		assert_int_equal(s.kind, cases[i].kind);
	}
}

static void processors(void **state)
{
	static const struct { const char *in; int rc; unsigned processor, processors; } cases[] = {
		{ "30300000 0000 0000 00000000 @32", 0, 0, 1 },       { "30300000 0000 0500 00000000 @32", 0, 5, 6 },
		{ "30300000 0000 0100 01000000 @32", -EBADMSG, 1, 1 }, { "30300000 0000 ff07 00080000 @32", 0, 2047, 2048 },
		{ "30300000 0000 ff07 ffffffff @32", 0, 2047, 2048 },  { "30300000 0000 0008 ffffffff @32", -EBADMSG, 2048, 2048 },
		{ "30300000 0000 ff07 00000000 @32", 0, 2047, 2048 },  { "30300000 0000 ffff 00000000 @32", -EBADMSG, 65535, 65536 },
	};
	struct kd_state s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(kd_state_parse(layout_span(cases[i].in), KD_AMD64, &s), cases[i].rc);
		assert_int_equal(s.processor, cases[i].processor);
		assert_int_equal(s.processors, cases[i].processors);
	}
}

static void counts_are_clamped(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(AMD64_STOP "@56 ffffffff @212 ffff @176 0807060504030201"), KD_AMD64, &s), 0);
	assert_int_equal(s.exception.params, 15);
	assert_int_equal(s.exception.info[14], 0x0102030405060708);
	assert_int_equal(s.report.stream_n, 16);
}

/* A target sends whatever was in its memory where it has nothing to say. */
static void stale_bytes_are_not_read(void **state)
{
	layout_fill = 0xee;
	of_amd64(state);
	of_i386(state);
	of_arm64(state);
	an_image_came(state);
	layout_fill = 0;
}

/* ReactOS lets four bytes follow. */
static void more_may_follow(void **state)
{
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state_parse(layout_span(AMD64_STOP "@240 01020304"), KD_AMD64, &s), 0);
	assert_int_equal(s.report.fs, 0x53);
}

static void cut(const char *text, enum kd_machine m, size_t report)
{
	static uint8_t room[LAYOUT_MAX];
	size_t whole = layout_take(text, room);
	struct kd_state s;

	for (size_t n = 0; n < whole; n++) {
		struct span in = layout_cut(text, n);

		assert_int_equal(kd_state_parse(in, m, &s), n < KD_STATE_LEAST ? -EBADMSG : 0);
		assert_int_equal(s.report.have, report && n >= report);
		assert_true(!s.load.path.len || layout_within(s.load.path, in));
	}
}

static void cut_anywhere(void **state)
{
	(void)state;
	cut(AMD64_STOP, KD_AMD64, 240);
	cut(I386_STOP, KD_I386, 232);
	cut(ARM64_STOP, KD_ARM64, 228);
	cut(AMD64_STOP, KD_MACHINE_NONE, 0);
	cut(LOADED, KD_AMD64, 240);
	cut(UNLOADED, KD_ARM64, 228);
}

static void of_nt4(void **state)
{
	static const char stop[] = "30300000 0600 0000 01000000 00112280 44332280 @20 03000080 01000000 "
				   "@32 44332280 02000000 05000000 77665544 @100 01000000";
	static const char load[] = "31300000 0600 0000 01000000 @20 04000000 00004080 aa000000 11000000 00200000 01 @104 612e6200";
	struct kd_state s;

	(void)state;
	assert_int_equal(kd_state32_parse(layout_span(stop), &s), 0);
	assert_int_equal(s.thread, 0x80221100);
	assert_int_equal(s.pc, 0x80223344);
	assert_int_equal(s.exception.code, KD_BREAKPOINT);
	assert_int_equal(s.exception.flags, 1);
	assert_int_equal(s.exception.address, 0x80223344);
	assert_int_equal(s.exception.params, 2);
	assert_int_equal(s.exception.info[1], 0x44556677);
	assert_true(s.exception.first_chance);
	assert_int_equal(kd_state32_parse(layout_span(load), &s), 0);
	assert_int_equal(s.load.base, 0x80400000);
	assert_int_equal(s.load.process, 0xaa);
	assert_int_equal(s.load.checksum, 0x11);
	assert_int_equal(s.load.size, 0x2000);
	assert_true(s.load.unload && !s.load.everything);
	assert_true(span_is(s.load.path, "a.b"));
	for (size_t n = 0; n < 104; n++)
		assert_int_equal(kd_state32_parse(layout_cut(load, n), &s), n < 20 ? -EBADMSG : 0);
}

static void whose_exception_it_is(void **state)
{
	static const uint32_t debuggers[] = { KD_BREAKPOINT, KD_SINGLE_STEP, KD_WAKE_DEBUGGER };
	struct kd_state s = { .kind = KD_EXCEPTION, .exception.code = 0xc0000005 };

	(void)state;
	assert_true(kd_state_is(&s, 0xc0000005) && !kd_state_is_debuggers(&s));
	for (size_t i = 0; i < sizeof debuggers / sizeof *debuggers; i++) {
		s = (struct kd_state){ .kind = KD_EXCEPTION, .exception.code = debuggers[i] };
		assert_true(kd_state_is_debuggers(&s));
		s.kind = KD_LOAD_SYMBOLS;
		assert_false(kd_state_is(&s, debuggers[i]) || kd_state_is_debuggers(&s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_amd64),
		cmocka_unit_test(of_i386),
		cmocka_unit_test(of_arm64),
		cmocka_unit_test(of_a_machine_not_known_yet),
		cmocka_unit_test(an_image_came),
		cmocka_unit_test(all_images_go),
		cmocka_unit_test(path_is_last),
		cmocka_unit_test(kinds),
		cmocka_unit_test(processors),
		cmocka_unit_test(counts_are_clamped),
		cmocka_unit_test(stale_bytes_are_not_read),
		cmocka_unit_test(more_may_follow),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(of_nt4),
		cmocka_unit_test(whose_exception_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
