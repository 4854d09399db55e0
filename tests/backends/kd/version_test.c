/* version_test.c - version blocks of real kernels, whole and cut at every byte, against a guard page. */
#include "backends/kd/version.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct version {
	const char *in, *kind;
	unsigned major, minor;
	enum kd_machine machine;
	bool checked, boot;
	uint64_t base, modules, data;
} versions[] = {
	{ "0f00 8025 06 02 0700 6486 0c 03 31 00 0000 0080c16b02f8ffff d022ee6b02f8ffff f091ef6b02f8ffff", "Windows", 0x0f, 9600, KD_AMD64, false, false,
	  0xfffff8026bc18000, 0xfffff8026bee22d0, 0xfffff8026bef91f0 },
	{ "0f04 5a29 06 02 0200 6486 0c 32 59 00 0000 00f0960000000000 605ead0000000000 0000000000000000", "boot debugger", 0x40f, 10586, KD_AMD64, false, true,
	  0x96f000, 0xad5e60, 0 },
	{ "0c00 ce0e 06 02 0200 4c01 0c 03 31 00 0000 00004080ffffffff 40305580ffffffff 60205780ffffffff", "Windows", 0x0c, 3790, KD_I386, true, false,
	  0x80400000, 0x80553040, 0x80572060 },
	{ "0f08 6142 06 02 0500 64aa 0c 03 31 00 0000 0000000002f8ffff 0010000002f8ffff 0020000002f8ffff", "hypervisor", 0x80f, 16993, KD_ARM64, false, false,
	  0xfffff80200000000, 0xfffff80200001000, 0 },
	{ "0fff 6142 06 02 0200 0002 0c 03 31 00 0000 0000000002f8ffff 0010000002f8ffff 0020000002f8ffff", "unknown", 0xff0f, 16993, KD_MACHINE_NONE, false,
	  false, 0xfffff80200000000, 0xfffff80200001000, 0xfffff80200002000 },
};

static void whole(void **state)
{
	struct kd_version v;

	(void)state;
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		const struct version *want = &versions[i];

		assert_int_equal(kd_version_parse(layout_span(want->in), &v), 0);
		assert_string_equal(kd_version_kind(&v), want->kind);
		assert_int_equal(v.major, want->major);
		assert_int_equal(v.minor, want->minor);
		assert_int_equal(v.protocol, 6);
		assert_int_equal(v.machine, want->machine);
		assert_int_equal(v.checked, want->checked);
		assert_int_equal(v.boot, want->boot);
		assert_int_equal(v.kern_base, want->base);
		assert_int_equal(v.module_list, want->modules);
		assert_int_equal(v.data_list, want->data);
	}
}

static void cut_anywhere(void **state)
{
	struct kd_version v;

	(void)state;
	for (size_t n = 0; n < 40; n++)
		assert_int_equal(kd_version_parse(layout_cut(versions[0].in, n), &v), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
