/* look_test.c - packets field by field: each kind, each direction, cut anywhere. */
#include "backends/kd/look.h"

#include "backends/kd/api.h"
#include "backends/kd/le.h"
#include "tests/guard.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint8_t p[KD_PAYLOAD_MAX];
static char told[8192];

static void put(size_t at, size_t bytes, uint64_t value)
{
	le_put(p + at, bytes, value);
}

static size_t tell_bytes(size_t n, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		n += (size_t)snprintf(told + n, sizeof told - n, "%02x", s.p[i]);
	return n;
}

static const char *tell(const struct kd_facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct kd_fact *x = &f->facts[i];

		n += (size_t)snprintf(told + n, sizeof told - n, "%s%s=", i ? " " : "", x->name);
		if (x->form == KD_FACT_WORD)
			n += (size_t)snprintf(told + n, sizeof told - n, "%s", x->word);
		else if (x->form == KD_FACT_NUMBER)
			n += (size_t)snprintf(told + n, sizeof told - n, "%" PRIu64, x->number);
		else if (x->form == KD_FACT_HEX)
			n += (size_t)snprintf(told + n, sizeof told - n, "%" PRIx64, x->number);
		else if (x->form == KD_FACT_YES)
			n += (size_t)snprintf(told + n, sizeof told - n, "%s", x->number ? "yes" : "no");
		else if (x->form == KD_FACT_TEXT)
			n += (size_t)snprintf(told + n, sizeof told - n, "%.*s", (int)x->bytes.len, (const char *)x->bytes.p);
		else
			n = tell_bytes(n, x->bytes);
	}
	told[n] = 0;
	return told;
}

static const char *looked(uint16_t type, size_t len, bool from_host, enum kd_machine m)
{
	struct kd_facts f = { .n = 0 };
	struct kd_packet packet = { .type = type, .id = 0x80800800, .payload = { guard_copy(p, len), len } };

	kd_look(&f, &packet, from_host, m);
	return tell(&f);
}

static int fresh(void **state)
{
	(void)state;
	memset(p, 0, sizeof p);
	return 0;
}

static void a_request(unsigned api)
{
	memset(p, 0, sizeof p);
	put(0, 4, api);
	put(4, 2, 15);
	put(6, 2, 1);
	put(8, 4, 0xc0000001);
}

static void control_packets(void **state)
{
	static const char *const words[KD_TYPES + 1] = {
		[KD_TYPE_ACKNOWLEDGE] = "packet=ACKNOWLEDGE id=80800800", [KD_TYPE_RESEND] = "packet=RESEND id=80800800",
		[KD_TYPE_RESET] = "packet=RESET id=80800800", [KD_TYPE_UNUSED] = "packet=UNKNOWN packet_type=0 id=80800800",
		[KD_TYPES] = "packet=UNKNOWN packet_type=12 id=80800800",
	};

	(void)state;
	for (uint16_t type = 0; type < COUNT(words); type++) {
		struct kd_facts f = { .n = 0 };

		kd_look(&f, &(struct kd_packet){ .control = true, .type = type, .id = 0x80800800 }, true, KD_AMD64);
		if (words[type])
			assert_string_equal(tell(&f), words[type]);
	}
}

#define HEAD "packet=MANIPULATE id=80800800 api="
#define WHO " level=15 processor=1"

static void reads(void **state)
{
	(void)state;
	a_request(KD_READ_VIRTUAL);
	put(16, 8, 0xfffff80012345678);
	put(24, 4, 16);
	put(28, 4, 3);
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, true, KD_AMD64), HEAD "ReadVirtualMemory" WHO " address=fffff80012345678 count=16");
	memcpy(p + KD_HEADER, "\x0a\x0b\x0c", 3);
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER + 3, false, KD_AMD64),
	                    HEAD "ReadVirtualMemory" WHO " status=c0000001 address=fffff80012345678 count=16 actual=3 data=0a0b0c");
	a_request(KD_READ_MSR);
	put(16, 4, 0xc0000082);
	put(20, 8, 0xfffff80000001000);
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, true, KD_AMD64), HEAD "ReadMachineSpecificRegister" WHO " msr=c0000082");
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, false, KD_AMD64),
	                    HEAD "ReadMachineSpecificRegister" WHO " status=c0000001 msr=c0000082 value=fffff80000001000");
}

/* A header that is too short has fewer fields, not zeros. */
static void short_answers(void **state)
{
	(void)state;
	a_request(KD_READ_VIRTUAL);
	assert_string_equal(looked(KD_TYPE_MANIPULATE, 12, false, KD_AMD64), HEAD "ReadVirtualMemory" WHO " status=c0000001");
	assert_string_equal(looked(KD_TYPE_MANIPULATE, 24, false, KD_AMD64), HEAD "ReadVirtualMemory" WHO " status=c0000001 address=0");
	assert_string_equal(looked(KD_TYPE_MANIPULATE, 0, false, KD_AMD64), "packet=MANIPULATE id=80800800");
}

static void resumes(void **state)
{
	(void)state;
	a_request(KD_CONTINUE2);
	put(16, 4, 0x10001);
	put(20, 4, 1);
	put(24, 8, 0x1122334455667788);
	put(32, 8, 1);
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, true, KD_AMD64),
	                    HEAD "Continue2" WHO " continue=10001 trace=1 dr7=1122334455667788 range_start=1 range_end=0");
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, true, KD_I386),
	                    HEAD "Continue2" WHO " continue=10001 trace=1 dr7=55667788 range_start=11223344 range_end=1");
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, true, KD_ARM64), HEAD "Continue2" WHO " continue=10001 trace=1");
}

static void a_version(void **state)
{
	(void)state;
	a_request(KD_GET_VERSION);
	put(8, 4, 0);
	put(16, 2, 0x040f);
	put(18, 2, 10586);
	p[20] = 6;
	p[21] = 2;
	put(22, 2, 2);
	put(24, 2, 0x8664);
	p[26] = 12;
	put(32, 8, 0x96f000);
	assert_string_equal(looked(KD_TYPE_MANIPULATE, KD_HEADER, false, KD_MACHINE_NONE),
	                    HEAD "GetVersion" WHO " status=0 kind=boot debugger major=40f build=10586 kd_protocol=6 secondary=2 flags=2 machine_type=8664 "
	                    "machine=amd64 max_packet_type=12 max_state_change=0 max_manipulate=0 kernel_base=96f000 module_list=0 data_list=0");
	assert_int_equal(kd_look_machine(&(struct kd_packet){ .type = KD_TYPE_MANIPULATE, .payload = { p, KD_HEADER } }, false), KD_AMD64);
	assert_int_equal(kd_look_machine(&(struct kd_packet){ .type = KD_TYPE_MANIPULATE, .payload = { p, KD_HEADER } }, true), KD_MACHINE_NONE);
	assert_int_equal(kd_look_machine(&(struct kd_packet){ .type = KD_TYPE_MANIPULATE, .payload = { p, KD_HEADER - 1 } }, false), KD_MACHINE_NONE);
	put(8, 4, 0xc0000001);
	assert_int_equal(kd_look_machine(&(struct kd_packet){ .type = KD_TYPE_MANIPULATE, .payload = { p, KD_HEADER } }, false), KD_MACHINE_NONE);
}

static void an_exception(uint32_t code)
{
	put(0, 4, 0x3030);
	put(4, 2, 6);
	put(8, 4, 2);
	put(16, 8, 0xfffff8026bf65a00);
	put(24, 8, 0xfffff8026bd72b90);
	put(32, 4, code);
	put(48, 8, 0xfffff8026bd72b90);
	put(56, 4, 2);
	put(64, 8, 1);
	put(72, 8, 0xdead);
	put(184, 4, 1);
	put(192, 8, 0xffff0ff0);
	put(200, 8, 0x400);
	put(208, 4, 0x202);
	put(212, 2, 2);
	put(216, 2, 0xc3cc);
	put(232, 2, 0x10);
	put(234, 2, 0x2b);
	put(236, 2, 0x2b);
	put(238, 2, 0x53);
}

#define STATE "packet=STATE_CHANGE64 id=80800800 state=exception new_state=3030 level=6 processor=0 processors=2 thread=fffff8026bf65a00 " \
	"pc=fffff8026bd72b90 code=c0000005 meaning=access violation flags=0 address=fffff8026bd72b90 first_chance=yes parameter0=1 parameter1=dead"

static void exceptions(void **state)
{
	(void)state;
	an_exception(0xc0000005);
	assert_string_equal(looked(KD_TYPE_STATE_CHANGE64, 240, false, KD_AMD64),
	                    STATE " dr6=ffff0ff0 dr7=400 eflags=202 cs=10 ds=2b es=2b fs=53 instructions=ccc3");
	assert_string_equal(looked(KD_TYPE_STATE_CHANGE64, 240, false, KD_MACHINE_NONE), STATE);
	assert_string_equal(looked(KD_TYPE_STATE_CHANGE64, 239, false, KD_AMD64), STATE);
	assert_string_equal(looked(KD_TYPE_STATE_CHANGE64, 3, false, KD_AMD64), "packet=STATE_CHANGE64 id=80800800 state=malformed payload=303000");
}

static void images(void **state)
{
	(void)state;
	put(0, 4, 0x3031);
	put(8, 4, 1);
	put(24, 8, 0xa79685);
	put(32, 4, 8);
	put(40, 8, 0x96f000);
	put(48, 8, UINT64_MAX);
	put(60, 4, 0x17d000);
	memcpy(p + 240, "a\\b.sys", 8);
	assert_string_equal(looked(KD_TYPE_STATE_CHANGE64, 248, false, KD_AMD64),
	                    "packet=STATE_CHANGE64 id=80800800 state=load symbols new_state=3031 level=0 processor=0 processors=1 thread=0 pc=a79685 unload=no "
	                    "everything=no base=96f000 size=1560576 checksum=0 process=ffffffffffffffff path=a\\b.sys dr6=0 dr7=0 eflags=0 cs=0 ds=0 es=0 fs=0");
}

static void text(void **state)
{
	(void)state;
	put(0, 4, 0x3230);
	put(8, 4, 5);
	memcpy(p + 16, "hello", 5);
	assert_string_equal(looked(KD_TYPE_DEBUG_IO, 21, false, KD_AMD64), "packet=DEBUG_IO id=80800800 api=PrintString level=0 processor=0 text=hello");
	put(0, 4, 0x3231);
	put(12, 4, 2);
	assert_string_equal(looked(KD_TYPE_DEBUG_IO, 21, false, KD_AMD64), "packet=DEBUG_IO id=80800800 api=GetString level=0 processor=0 most=2 text=hello");
	put(8, 4, 0);
	memcpy(p + 16, "b\n", 2);
	assert_string_equal(looked(KD_TYPE_DEBUG_IO, 18, true, KD_AMD64), "packet=DEBUG_IO id=80800800 api=GetString level=0 processor=0 answer=b\n");
	assert_string_equal(looked(KD_TYPE_DEBUG_IO, 2, true, KD_AMD64), "packet=DEBUG_IO id=80800800 payload=3132");
}

static void files(void **state)
{
	(void)state;
	put(0, 4, 0x3430);
	put(8, 4, 0x100001);
	put(20, 4, 1);
	memcpy(p + 64, "\\\0x\0\0", 6);
	assert_string_equal(looked(KD_TYPE_FILE_IO, 70, false, KD_AMD64),
	                    "packet=FILE_IO id=80800800 api=CreateFile access=100001 attributes=0 share=0 disposition=1 options=0 handle=0 length=0 path=5c007800");
	put(4, 4, 0xc000000f);
	assert_non_null(strstr(looked(KD_TYPE_FILE_IO, 64, true, KD_AMD64), "api=CreateFile status=c000000f access=100001"));
	memset(p, 0, sizeof p);
	put(0, 4, 0x3431);
	put(8, 8, 7);
	put(16, 8, 512);
	put(24, 4, 100);
	assert_string_equal(looked(KD_TYPE_FILE_IO, 64, false, KD_AMD64), "packet=FILE_IO id=80800800 api=ReadFile handle=7 offset=200 length=100");
}

static void an_unknown_request(void **state)
{
	(void)state;
	a_request(0x3199);
	put(16, 4, 0x01020304);
	assert_non_null(strstr(looked(KD_TYPE_MANIPULATE, 58, true, KD_AMD64), "api_number=3199 level=15 processor=1 body=0403020100"));
	assert_non_null(strstr(told, " data=0000"));
}

/* Every API, every type, any machine, whole and cut: nothing is read behind the end, nothing is without a name. */
static void cut_anywhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof p; i++)
		p[i] = (uint8_t)(i * 37);
	for (unsigned api = 0x3100; api < 0x3170; api++) {
		put(0, 4, api);
		for (size_t len = 0; len < 70; len++)
			(void)looked(KD_TYPE_MANIPULATE, len, api % 2, (enum kd_machine)(len % KD_MACHINES));
	}
	for (unsigned first = 0x3030; first < 0x3034; first++) {
		put(0, 4, first);
		put(6, 2, 0);
		for (size_t len = 0; len < 300; len++)
			(void)looked(KD_TYPE_STATE_CHANGE64, len, false, (enum kd_machine)(len % KD_MACHINES));
	}
	for (uint16_t type = 0; type < KD_TYPES; type++)
		for (size_t len = 0; len < 120; len++)
			assert_memory_equal(looked(type, len, len % 2, KD_AMD64), "packet=", 7);
}

/* There are never more facts than there is room for. */
static void too_many_facts(void **state)
{
	struct kd_facts f = { .n = 0 };

	(void)state;
	for (unsigned i = 0; i < KD_FACTS + 5; i++)
		kd_facts_number(&f, "n", i);
	assert_int_equal(f.n, KD_FACTS);
	assert_int_equal(f.facts[KD_FACTS - 1].number, KD_FACTS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(control_packets, fresh), cmocka_unit_test_setup(reads, fresh),      cmocka_unit_test_setup(short_answers, fresh),
		cmocka_unit_test_setup(resumes, fresh),         cmocka_unit_test_setup(a_version, fresh),  cmocka_unit_test_setup(exceptions, fresh),
		cmocka_unit_test_setup(images, fresh),          cmocka_unit_test_setup(text, fresh),       cmocka_unit_test_setup(files, fresh),
		cmocka_unit_test_setup(an_unknown_request, fresh), cmocka_unit_test_setup(cut_anywhere, fresh), cmocka_unit_test_setup(too_many_facts, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
