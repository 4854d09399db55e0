/* pe_test.c - headers of images, whole, cut at every byte, and none, against a guard page. */
#include "backends/kd/pe.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The PE header is at 0x80, the table of sections behind an optional header of 0xf0 or 0xe0 bytes. */
#define WIDE                                                                                                                        \
	"4d5a @0x3c 80000000 @0x80 50450000 6486 0200 aabbccdd @0x94 f000 @0x98 0b02 @0xa8 10200000 @0xb0 0000004001000000 @0xd0 00500000 " \
	"@0xd8 3f9e1400 @0x188 2e74657874 @0x194 00200000 @0x1b0"
#define NARROW                                                                                                                      \
	"4d5a @0x3c 80000000 @0x80 50450000 4c01 0100 aabbccdd @0x94 e000 @0x98 0b01 @0xa8 10200000 @0xb4 00004000 @0xd0 00500000 "      \
	"@0xd8 3f9e1400 @0x178 2e74657874 @0x184 00100000 @0x1a0"

static void images(void **state)
{
	struct kd_pe pe;

	(void)state;
	assert_int_equal(kd_pe_parse(layout_span(WIDE), &pe), 0);
	assert_int_equal(pe.machine, KD_AMD64);
	assert_int_equal(pe.sections, 2);
	assert_false(pe.dll);
	assert_int_equal(pe.timestamp, 0xddccbbaa);
	assert_int_equal(pe.checksum, 0x149e3f);
	assert_int_equal(pe.size, 0x5000);
	assert_int_equal(pe.entry, 0x2010);
	assert_int_equal(pe.text, 0x2000);
	assert_int_equal(pe.image_base, 0x140000000);
	assert_int_equal(kd_pe_parse(layout_span(NARROW), &pe), 0);
	assert_int_equal(pe.machine, KD_I386);
	assert_int_equal(pe.size, 0x5000);
	assert_int_equal(pe.text, 0x1000);
	assert_int_equal(pe.image_base, 0x400000);
	assert_int_equal(kd_pe_parse(layout_span(NARROW "@0x96 2620"), &pe), 0);
	assert_true(pe.dll);
	assert_int_equal(kd_pe_parse(layout_span(WIDE "@0x86 0000"), &pe), 0);
	assert_int_equal(pe.text, 0x1000);
}

/* Whoever reads what is asked for comes to the end. */
static void cut(const char *text, size_t least)
{
	struct kd_pe pe;

	for (size_t n = 0; n < least; n++) {
		assert_int_equal(kd_pe_parse(layout_cut(text, n), &pe), -EAGAIN);
		assert_true(pe.need > n && pe.need <= least);
	}
	assert_int_equal(kd_pe_parse(layout_cut(text, least), &pe), 0);
}

static void cut_anywhere(void **state)
{
	(void)state;
	cut(WIDE, 0x188 + 40);
	cut(NARROW, 0x178 + 40);
}

static void no_images(void **state)
{
	static const char *const cases[] = {
		WIDE "@0 5a4d",      WIDE "@0x80 4e45",      WIDE "@0x82 01",         WIDE "@0x98 0703",        WIDE "@0x3c ffffffff",
		WIDE "@0x3c 000f0000 @0x1000", WIDE "@0x3c ffffff7f", WIDE "@0x94 ffff",
		WIDE "@0x194 00500000", WIDE "@0x194 00000000", WIDE "@0xd0 00000000",
	};
	struct kd_pe pe;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (kd_pe_parse(layout_span(cases[i]), &pe) != -EBADMSG)
			fail_msg("%s", cases[i]);
	assert_int_equal(kd_pe_parse(layout_span(WIDE "@0x3c a40f0000"), &pe), -EAGAIN);
	assert_int_equal(pe.need, KD_PE_MOST);
	assert_int_equal(kd_pe_parse(layout_span(WIDE "@0x3c a50f0000"), &pe), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(no_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
