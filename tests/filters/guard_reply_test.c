/* guard_reply_test.c - what a command may be answered with: sizes, register boundaries, the text of each packet. */
#include "filters/guard.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct rsp_cmd cmd;
static struct tdesc t;

static int describe(void **state)
{
	static const struct tdesc_reg regs[] = { { .name = "a", .num = 0, .bits = 64, .at = 0 }, { .name = "f", .num = 1, .bits = 32, .at = 8 } };

	(void)state;
	if (tdesc_init(&t) < 0)
		return -1;
	memcpy(t.regs, regs, sizeof regs);
	t.regs_n = 2;
	t.g_bytes = 12;
	return 0;
}

static int forget(void **state)
{
	(void)state;
	tdesc_fini(&t);
	return 0;
}

/* Does a stub's answer to cmd pass? */
static bool answer_passes(size_t asked, const char *body, size_t g_len, const struct tdesc *desc)
{
	struct rsp_expect want = guard_expect(&cmd, desc, asked);
	struct rsp_reply reply;
	size_t n = strlen(body);

	if (rsp_reply_parse(guard_copy(body, n), n, &want, &reply, NULL) < 0)
		return false;
	return guard_reply_fits(&cmd, &reply, desc, g_len);
}

static bool passes(const char *name, unsigned num, size_t asked, const char *body, size_t g_len, const struct tdesc *desc)
{
	rsp_cmd_make(&cmd, name);
	cmd.num[0] = num;
	return answer_passes(asked, body, g_len, desc);
}

static void test_registers(void **state)
{
	(void)state;
	assert_true(passes("p", 0, 0, "0011223344556677", 0, &t));
	assert_true(passes("p", 0, 0, "xxxxxxxxxxxxxxxx", 0, &t));
	assert_true(passes("p", 0, 0, "E01", 0, &t));
	assert_true(passes("p", 1, 0, "00112233", 0, &t));
	assert_false(passes("p", 1, 0, "0011223344", 0, &t));
	assert_false(passes("p", 1, 0, "001122", 0, &t));
	assert_false(passes("p", 1, 0, "0011223", 0, &t));
	assert_false(passes("p", 1, 0, "0011223g", 0, &t));
	assert_true(passes("p", 7, 0, "00", 0, NULL));

	assert_true(passes("g", 0, 0, "001122334455667700112233", 0, &t));
	assert_true(passes("g", 0, 0, "0011223344556677", 0, &t)); /* the rest is unavailable */
	assert_false(passes("g", 0, 0, "00112233445566", 0, &t));
	assert_false(passes("g", 0, 0, "00112233445566770011", 0, &t));
	assert_false(passes("g", 0, 0, "00112233445566770011223344", 0, &t));
	assert_true(passes("g", 0, 0, "0011223344556677", 8, &t));
	assert_false(passes("g", 0, 0, "001122334455667700112233", 8, &t)); /* it was shorter before */
	assert_true(passes("g", 0, 0, "0011", 0, NULL));
	assert_false(passes("g", 0, 0, "0011", 4, NULL));
}

static void test_memory(void **state)
{
	(void)state;
	assert_true(passes("m", 0, 4, "00112233", 0, &t));
	assert_true(passes("m", 0, 4, "001122", 0, &t));
	assert_false(passes("m", 0, 4, "0011223344", 0, &t));
	assert_false(passes("m", 0, 4, "0011223", 0, &t));
	assert_false(passes("m", 0, 4, "OK", 0, &t));
	assert_false(passes("m", 0, 4, "zz", 0, &t));
}

static void test_text(void **state)
{
	static const struct {
		const char *name, *body;
		bool passes;
	} vectors[] = {
		{ "qCRC:", "C1234abcd", true }, { "qCRC:", "C", false }, { "qCRC:", "1234", false }, { "qCRC:", "C11223344556677889", false },
		{ "qCRC:", "C12 ", false }, { "qSearch:memory:", "0", true }, { "qSearch:memory:", "1,ffff", true }, { "qSearch:memory:", "1", false },
		{ "qSearch:memory:", "2,1", false }, { "qSearch:memory:", "1,ffff,1", false }, { "qGetTLSAddr:", "7f00", true }, { "qGetTLSAddr:", "-1", false },
		{ "qOffsets", "Text=0;Data=0", true }, { "qOffsets", "Text=1;Data=2;Bss=2", true }, { "qOffsets", "TextSeg=1", true },
		{ "qOffsets", "Text=1", false }, { "qOffsets", "Text=1;Data=2;Bss=2;x", false }, { "qOffsets", "TextSeg=", false },
		{ "QSaveRegisterState", "12", true }, { "QSaveRegisterState", "1f", false }, { "qMemTags:", "m0102", true }, { "qMemTags:", "m012", false },
		{ "qUserName:", "726f6f74", true }, { "qUserName:", "1b5b324a", false }, { "qUserName:", "726f6", false },
		{ "qMemoryRegionInfo", "start:0;size:2000;permissions:rx;", true }, { "qMemoryRegionInfo", "start:1000;name:2f62;", true },
		{ "qMemoryRegionInfo", "name:1b5d;", false }, { "qMemoryRegionInfo", "error:0a;", false }, { "qMemoryRegionInfo", "start:1", false },
		{ "qMemoryRegionInfo", "start:0;size:0;", false }, { "qMemoryRegionInfo", "start:x;size:1000;", false },
		{ "qMemoryRegionInfo", "start", false }, { "qMemoryRegionInfo", "error:6e6f;", true }, { "qMemoryRegionInfo", "name:6;", false },
		{ "qGDBServerVersion", "name:x;version:1;", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		if (passes(vectors[i].name, 0, 0, vectors[i].body, 0, NULL) != vectors[i].passes)
			fail_msg("%s answered by %s", vectors[i].name, vectors[i].body);
	assert_true(passes("qCRC:", 0, 0, "", 0, NULL)); /* "unsupported" */
}

/* lldb asks on where a region ends. */
static void test_region_ends_behind_what_was_asked(void **state)
{
	static const struct {
		uint64_t addr;
		const char *body;
		bool passes;
	} vectors[] = {
		{ 0x1000, "start:1000;size:2000;", true }, { 0x2fff, "start:1000;size:2000;", true }, { 0x3000, "start:1000;size:2000;", false },
		{ 0xfff, "start:1000;size:2000;", false }, { 0x1000, "size:2000;start:1000;", true }, { 0x10, "size:11;", true }, { 0x11, "size:11;", false },
		{ 0x1000, "start:1000;size:2000;size:0;", false }, { 0x1000, "start:0;start:1000;size:2000;", false },
		{ 0x1000, "x:size:1;start:1000;size:0;", false }, { 0x1000, "start:1000;size:10zz;", false }, { 0x1000, "start:1000;size:;", false },
		{ 0x1000, "start:1000;size:11112222333344445;", false }, { UINT64_MAX - 0xfff, "start:fffffffffffff000;size:fff;", true },
		{ UINT64_MAX - 0xfff, "start:fffffffffffff000;size:1000;", false }, { UINT64_MAX - 0xfff, "start:fffffffffffff000;size:1001;", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		rsp_cmd_make(&cmd, "qMemoryRegionInfo");
		cmd.addr = vectors[i].addr;
		if (answer_passes(0, vectors[i].body, 0, NULL) != vectors[i].passes)
			fail_msg("%llx answered by %s", (unsigned long long)vectors[i].addr, vectors[i].body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_registers), cmocka_unit_test(test_memory), cmocka_unit_test(test_text),
	                                    cmocka_unit_test(test_region_ends_behind_what_was_asked) };

	return cmocka_run_group_tests(tests, describe, forget);
}
