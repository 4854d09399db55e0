/* module_test.c - module entries of both widths, walks over lists that never end, names of any bytes. */
#include "backends/kd/module.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ENTRY64                                                                                                               \
	"d0224000 00f8ffff @0x30 00004000 00f8ffff 10104000 00f8ffff 00e07900 @0x48 2a00 2c00 @0x50 00010000 80f8ffff 1800 1a00 @0x60 " \
	"00020000 80f8ffff 00400009 @0x78 3f9e1400 @0x9c aabbccdd"
#define ENTRY32                                                                                                               \
	"d0224080 @0x18 00004080 10104080 00e03900 2a00 2c00 00010080 1900 1a00 00020080 00400009 @0x40 3f9e1400"

static void of_64_bits(void **state)
{
	struct kd_module m;

	(void)state;
	assert_int_equal(kd_module_bytes(KD_AMD64), 0xa0);
	assert_int_equal(kd_module_parse(layout_span(ENTRY64), KD_AMD64, &m), 0);
	assert_int_equal(m.next, 0xfffff800004022d0);
	assert_int_equal(m.base, 0xfffff80000400000);
	assert_int_equal(m.entry, 0xfffff80000401010);
	assert_int_equal(m.size, 0x79e000);
	assert_int_equal(m.flags, 0x09004000);
	assert_int_equal(m.checksum, 0x149e3f);
	assert_int_equal(m.timestamp, 0xddccbbaa);
	assert_int_equal(m.path.addr, 0xfffff88000000100);
	assert_int_equal(m.path.bytes, 0x2a);
	assert_int_equal(m.name.addr, 0xfffff88000000200);
	assert_int_equal(m.name.bytes, 0x18);
}

static void of_32_bits(void **state)
{
	struct kd_module m;

	(void)state;
	assert_int_equal(kd_module_bytes(KD_I386), 0x44);
	assert_int_equal(kd_module_parse(layout_span(ENTRY32), KD_I386, &m), 0);
	assert_int_equal(m.next, 0x804022d0);
	assert_int_equal(m.base, 0x80400000);
	assert_int_equal(m.entry, 0x80401010);
	assert_int_equal(m.size, 0x39e000);
	assert_int_equal(m.flags, 0x09004000);
	assert_int_equal(m.checksum, 0x149e3f);
	assert_int_equal(m.timestamp, 0);
	assert_int_equal(m.path.addr, 0x80000100);
	assert_int_equal(m.name.addr, 0x80000200);
	assert_int_equal(m.name.bytes, 0x18);
}

static void cut_anywhere(void **state)
{
	struct kd_module m;

	(void)state;
	for (size_t n = 0; n < 0xa0; n++) {
		assert_int_equal(kd_module_parse(layout_cut(ENTRY64, n), KD_AMD64, &m), n < 0x68 ? -EBADMSG : 0);
		assert_int_equal(m.next, n < 0x68 ? 0 : 0xfffff800004022d0);
		assert_int_equal(kd_module_parse(layout_cut(ENTRY32, n), KD_I386, &m), n < 0x34 ? -EBADMSG : 0);
	}
}

static void images_that_cannot_be(void **state)
{
	struct kd_module m;

	(void)state;
	assert_int_equal(kd_module_parse(layout_span(ENTRY64 "@0x30 0000000000000000"), KD_AMD64, &m), -EBADMSG);
	assert_int_equal(m.next, 0xfffff800004022d0);
	assert_int_equal(kd_module_parse(layout_span(ENTRY64 "@0x40 00000000"), KD_AMD64, &m), -EBADMSG);
	assert_int_equal(kd_module_parse(layout_span(ENTRY64 "@0x30 00f0ffffffffffff @0x40 01100000"), KD_AMD64, &m), -EBADMSG);
	assert_int_equal(kd_module_parse(layout_span(ENTRY64 "@0x30 00f0ffffffffffff @0x40 00100000"), KD_AMD64, &m), 0);
	assert_int_equal(kd_module_parse(layout_span(ENTRY32 "@0x18 00f0ffff @0x20 01100000"), KD_I386, &m), -EBADMSG);
	assert_int_equal(kd_module_parse(layout_span(ENTRY64 "@0x48 ffff @0x58 ffff"), KD_AMD64, &m), 0);
	assert_int_equal(m.path.bytes, KD_NAME_BYTES);
	assert_int_equal(m.name.bytes, KD_NAME_BYTES);
}

static void a_walk(void **state)
{
	struct kd_module_walk w;

	(void)state;
	assert_int_equal(kd_modules_begin(&w, 0x1000, 0x1000), 0);
	assert_int_equal(kd_modules_begin(&w, 0x1000, 0), 0);
	assert_int_equal(kd_modules_begin(&w, 0x1000, 0x2000), 1);
	assert_int_equal(w.at, 0x2000);
	for (uint64_t i = 3; i < 200; i++) {
		assert_int_equal(kd_modules_step(&w, i * 0x1000), 1);
		assert_int_equal(w.at, i * 0x1000);
	}
	assert_int_equal(kd_modules_step(&w, 0x1000), 0);
}

/* before entries, then a ring of so many. */
static unsigned until_the_loop_is_seen(unsigned before, unsigned ring)
{
	struct kd_module_walk w;
	unsigned n = 1;
	int rc = kd_modules_begin(&w, 1, 0x1000);

	while (rc == 1) {
		unsigned i = n++;

		rc = kd_modules_step(&w, 0x1000 + (i < before ? i : before + (i - before) % ring));
	}
	assert_int_equal(rc, -ELOOP);
	return n;
}

static void walks_without_end(void **state)
{
	(void)state;
	for (unsigned before = 1; before < 40; before += 3)
		for (unsigned ring = 1; ring < 40; ring += 2)
			assert_true(until_the_loop_is_seen(before, ring) <= 4 * (before + ring));
	assert_int_equal(until_the_loop_is_seen(100000, 1), KD_MODULES_MAX + 1);
}

static void names(void **state)
{
	static const struct { const char *in, *text, *base; } cases[] = {
		{ "", "", "" },
		{ "6e00 7400", "nt", "nt" },
		{ "5c00 5300 5c00 6100 2e00 7300", "\\S\\a.s", "a.s" },
		{ "6300 3a00 2f00 6100", "c:/a", "a" },
		{ "6100 5c00", "a\\", "" },
		{ "e900 ac20 3dd8 00de", "\u00e9\u20ac\U0001f600", "\u00e9\u20ac\U0001f600" },
		{ "3dd8 6100", "\ufffda", "\ufffda" },
		{ "3dd8", "\ufffd", "\ufffd" },
		{ "00de 6100", "\ufffda", "\ufffda" },
		{ "1b00 5b00", "\\x1b[", "\\x1b[" },
		{ "6100 0000 6200", "a\\x00b", "a\\x00b" },
		{ "9b00 2e20", "\\xc2\\x9b\\xe2\\x80\\xae", "\\xc2\\x9b\\xe2\\x80\\xae" },
		{ "7f00 8000 a000", "\\x7f\\xc2\\x80\u00a0", "\\x7f\\xc2\\x80\u00a0" },
		{ "ff07 0008 ffd7 00e0", "\u07ff\u0800\ud7ff\ue000", "\u07ff\u0800\ud7ff\ue000" },
		{ "00d8 00dc ffdb ffdf", "\U00010000\U0010ffff", "\U00010000\U0010ffff" },
		{ "ffdb ffdb ffdf", "\ufffd\U0010ffff", "\ufffd\U0010ffff" },
		{ "ffdf ffdb 00e0", "\ufffd\ufffd\ue000", "\ufffd\ufffd\ue000" },
		{ "6100 62", "a", "a" },
		{ "5c5c 6100", "\u5c5ca", "\u5c5ca" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(kd_utf16_text(text, sizeof text, layout_span(cases[i].in)), cases[i].text);
		assert_string_equal(kd_utf16_base(text, sizeof text, layout_span(cases[i].in)), cases[i].base);
	}
}

/* Into any room, and from any number of bytes: what is there is the beginning of the whole. */
static void names_fit(void **state)
{
	static const char name[] = "5c00 6100 e900 ac20 3dd8 00de 1b00 ffff 7a00";
	char whole[64], text[64];

	(void)state;
	kd_utf16_text(whole, sizeof whole, layout_span(name));
	for (size_t room = 1; room < sizeof text; room++) {
		memset(text, '!', sizeof text);
		kd_utf16_text(text, room, layout_span(name));
		assert_true(strlen(text) < room);
		assert_memory_equal(text, whole, strlen(text));
		assert_true(text[room] == '!');
	}
	for (size_t n = 0; n < 18; n++)
		assert_true(strlen(kd_utf16_text(text, sizeof text, layout_cut(name, n))) <= strlen(whole));
}

static void base_names(void **state)
{
	(void)state;
	assert_true(span_is(kd_base_name(span_of("multi(0)disk(0)\\reactos\\ntoskrnl.exe")), "ntoskrnl.exe"));
	assert_true(span_is(kd_base_name(span_of("hal.dll")), "hal.dll"));
	assert_true(span_is(kd_base_name(span_of("/a/b")), "b"));
	assert_true(span_is(kd_base_name(span_of("")), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_64_bits),
		cmocka_unit_test(of_32_bits),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(images_that_cannot_be),
		cmocka_unit_test(a_walk),
		cmocka_unit_test(walks_without_end),
		cmocka_unit_test(names),
		cmocka_unit_test(names_fit),
		cmocka_unit_test(base_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
