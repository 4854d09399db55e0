/* io_test.c - prints, prompts, files and traces of a target, whole, cut at every byte, against a guard page; what they are answered. */
#include "backends/kd/io.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* "Assert (boipt)? ", answers of at most 2 bytes. */
#define PROMPT "31320000 0500 0200 10000000 02000000 41737365727420 28626f697074293f20"

static void io_kinds(void **state)
{
	static const struct { const char *in; int rc; bool prompt; uint32_t most; const char *text; } cases[] = {
		{ "30320000 0500 0200 03000000 ff070000 414243", 0, false, 0, "ABC" },
		{ "30320000 0500 0200 03000000 ff070000 4142430a0d", 0, false, 0, "ABC" },
		{ "30320000 0500 0200 00000000 00000000", 0, false, 0, "" },
		{ "30320000 0500 0200 05000000 4142434445", 0, false, 0, "ABCDE" },         /* the header of 12 bytes */
		{ "30320000 0500 0200 01000000 41", 0, false, 0, "A" },
		{ "30320000 0500 0200 00000000", 0, false, 0, "" },
		{ "30320000 0500 0200 ffffffff 00000000 4142", 0, false, 0, "AB" },         /* a length that lies */
		{ "30320000 0500 0200 ffffff7f 41", 0, false, 0, "" },
		{ PROMPT, 0, true, 2, "Assert (boipt)? " },
		{ "31320000 0500 0200 00000000 00020000", 0, true, 512, "" },
		{ "31320000 0500 0200 04000000 4142433f", 0, true, 1, "ABC?" },             /* the header of 12 bytes */
		{ "31320000 0500 0200 ffffffff 02000000 4142", 0, true, 2, "AB" },
		{ "32320000 0500 0200 00000000 00000000", -EBADMSG, false, 0, "" },
		{ "30330000 0500 0200 00000000 00000000", -EBADMSG, false, 0, "" },
		{ "30320000 0500 0200 000000", -EBADMSG, false, 0, "" },
	};
	struct kd_io io;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(kd_io_parse(layout_span(cases[i].in), &io), cases[i].rc);
		if (io.prompt != cases[i].prompt || io.most != cases[i].most || !span_is(io.text, cases[i].text))
			fail_msg("%s: %d %u \"%.*s\"", cases[i].in, io.prompt, io.most, (int)io.text.len, (const char *)io.text.p);
		assert_true(cases[i].rc || (io.level == 5 && io.processor == 2));
	}
}

static void io_cut_anywhere(void **state)
{
	struct kd_io io;

	(void)state;
	for (size_t n = 0; n < 32; n++) {
		struct span in = layout_cut(PROMPT, n);

		assert_int_equal(kd_io_parse(in, &io), n < 12 ? -EBADMSG : 0);
		assert_true(layout_within(io.text, in));
	}
}

static void answered(const char *answer, size_t room, int rc, const char *want)
{
	uint8_t bytes[64] = { 0 }, wanted[LAYOUT_MAX];
	struct buf out = { .base = bytes, .cap = room };
	struct kd_io io;

	assert_int_equal(kd_io_parse(layout_span(PROMPT), &io), 0);
	assert_int_equal(kd_io_answer(&out, &io, span_of(answer)), rc);
	assert_int_equal(out.len, layout_take(want, wanted));
	assert_memory_equal(bytes, wanted, out.len);
}

static void answers(void **state)
{
	(void)state;
	answered("o", 64, 0, "31320000 0500 0200 00000000 01000000 6f");
	answered("", 16, 0, "31320000 0500 0200 00000000 00000000");
	answered("long", 18, 0, "31320000 0500 0200 00000000 02000000 6c6f");
	answered("o", 16, -ENOBUFS, "");
}

static void letters(void **state)
{
	static const struct { const char *text; char stop, go; } cases[] = {
		{ "Break repeatedly, break Once, Ignore, terminate Process, or terminate Thread (boipt)? ", 'o', 'i' },
		{ "Break, or Ignore (bi)? ", 'b', 'i' },
		{ "Break, Ignore, Continue (bic)?", 'b', 'i' },
		{ "(BOIPT)?", 'o', 'i' },
		{ "(i)?", 'i', 'i' },
		{ "(b)?", 'b', 'b' },
		{ "(c)", 'c', 'c' },
		{ "in file (x.c:30) break or ignore (bi)?", 'b', 'i' },
		{ "break or ignore (bi)? [y] (pt)", 'b', 'i' },
		{ "terminate Process, or terminate Thread (pt)? ", 0, 0 },
		{ "your name: ", 0, 0 },
		{ "", 0, 0 },
		{ "(bi", 0, 0 },
		{ "bi)", 0, 0 },
		{ "((((", 0, 0 },
		{ "()", 0, 0 },
		{ "(blah blah)", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = strlen(cases[i].text);
		struct span text = { guard_copy(cases[i].text, n), n };

		if (kd_prompt_letter(text, true) != cases[i].stop || kd_prompt_letter(text, false) != cases[i].go)
			fail_msg("%s: %d %d", cases[i].text, kd_prompt_letter(text, true), kd_prompt_letter(text, false));
	}
}

#define CREATE "30340000 00000000 89001200 80000000 01000000 01000000 @32 0100000000000080 @64 5c004100 0000"

static void files(void **state)
{
	struct kd_file f;

	(void)state;
	assert_int_equal(kd_file_parse(layout_span(CREATE), &f), 0);
	assert_int_equal(f.api, KD_FILE_CREATE);
	assert_int_equal(f.path.len, 4);
	assert_memory_equal(f.path.p, "\\\0A\0", 4);
	assert_int_equal(kd_file_parse(layout_span("31340000 00000000 7856341200000000 0001000000000000 600f0000 @64"), &f), 0);
	assert_int_equal(f.handle, 0x12345678);
	assert_int_equal(f.offset, 0x100);
	assert_int_equal(f.length, 3936);
	assert_int_equal(f.path.len, 0);
	assert_int_equal(kd_file_parse(layout_span("30340000 @64 5c00410042"), &f), 0);
	assert_int_equal(f.path.len, 4);
}

static void refused(const char *in, const char *want)
{
	uint8_t bytes[KD_FILE_HEADER], wanted[LAYOUT_MAX];
	struct buf out = { .base = bytes, .cap = sizeof bytes };
	struct kd_file f;

	assert_int_equal(kd_file_parse(layout_span(in), &f), 0);
	assert_int_equal(kd_file_refuse(&out, &f), 0);
	(void)layout_take(want, wanted);
	assert_int_equal(out.len, sizeof bytes);
	assert_memory_equal(bytes, wanted, sizeof bytes);
	assert_int_equal(kd_file_refuse(&out, &f), -ENOBUFS);
}

static void refusals(void **state)
{
	(void)state;
	refused(CREATE, "30340000 0f0000c0 89001200 80000000 01000000 01000000 @32 0100000000000080");
	refused("31340000 00000000 11 @63 22 33", "31340000 080000c0 11 @63 22");
	refused("32340000 00000000 11", "32340000 220000c0 11");
	refused("33340000 00000000", "33340000 080000c0");
	refused("34340000 00000000 11", "34340000 010000c0 11");
	refused("2f340000 00000000 11", "2f340000 010000c0 11");
}

static void files_cut_anywhere(void **state)
{
	struct kd_file f;

	(void)state;
	for (size_t n = 0; n < 70; n++) {
		struct span in = layout_cut(CREATE, n);

		assert_int_equal(kd_file_parse(in, &f), n < 8 ? -EBADMSG : 0);
		assert_true(layout_within(f.header, in) && layout_within(f.path, in));
		assert_int_equal(f.path.len, n < 66 ? 0 : n < 68 ? 2 : 4);
	}
}

static void traces(void **state)
{
	static const char trace[] = "30330000 0100 0200 03000000 @64 01020304";
	struct kd_trace t;

	(void)state;
	assert_int_equal(kd_trace_parse(layout_span(trace), &t), 0);
	assert_int_equal(t.level, 1);
	assert_int_equal(t.processor, 2);
	assert_int_equal(t.data.len, 3);
	assert_int_equal(kd_trace_parse(layout_span("31330000 @64"), &t), -EBADMSG);
	for (size_t n = 0; n < 68; n++) {
		struct span in = layout_cut(trace, n);

		assert_int_equal(kd_trace_parse(in, &t), n < 64 ? -EBADMSG : 0);
		assert_true(layout_within(t.data, in));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(io_kinds),
		cmocka_unit_test(io_cut_anywhere),
		cmocka_unit_test(answers),
		cmocka_unit_test(letters),
		cmocka_unit_test(files),
		cmocka_unit_test(refusals),
		cmocka_unit_test(files_cut_anywhere),
		cmocka_unit_test(traces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
