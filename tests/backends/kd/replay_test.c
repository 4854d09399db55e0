/* replay_test.c - what a recording knew: which piece answers for a byte, which stop is shown, what is refused. */
#include "backends/kd/replay.h"

#include "backends/kd/api.h"
#include "backends/kd/le.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CONTEXT = 1232, BASE = 0x1000 };

static struct kd_replay r;
static uint8_t p[KD_PAYLOAD_MAX], got[KD_PAYLOAD_MAX];

static void put_packet(uint16_t type, size_t len, bool from_host)
{
	assert_int_equal(kd_replay_put(&r, &(struct kd_packet){ .type = type, .payload = { guard_copy(p, len), len } }, from_host), 0);
}

static void header(unsigned api, uint16_t processor, uint32_t status)
{
	memset(p, 0, sizeof p);
	le_put(p, 4, api);
	le_put(p + 6, 2, processor);
	le_put(p + 8, 4, status);
}

static void exchange(unsigned api, uint16_t processor, uint64_t addr, const char *bytes)
{
	size_t n = strlen(bytes);

	header(api, processor, 0);
	le_put(p + 16, 8, addr);
	le_put(p + 24, 4, n);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, true);
	le_put(p + 28, 4, n);
	memcpy(p + KD_HEADER, bytes, n);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER + n, false);
}

static void reads(uint64_t addr, const char *bytes)
{
	exchange(KD_READ_VIRTUAL, 0, addr, bytes);
}

static void version(uint16_t machine)
{
	header(KD_GET_VERSION, 0, 0);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, true);
	le_put(p + 24, 2, machine);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, false);
}

static void context(uint16_t processor, uint8_t fill)
{
	header(KD_GET_CONTEXT, processor, 0);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, true);
	memset(p + KD_HEADER, fill, CONTEXT);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER + CONTEXT, false);
}

static void stops(uint32_t state, uint64_t pc)
{
	memset(p, 0, sizeof p);
	le_put(p, 4, state);
	le_put(p + 8, 4, 2);
	le_put(p + 24, 8, pc);
	le_put(p + 32, 4, 0x80000003);
	le_put(p + 212, 2, 2);
	le_put(p + 216, 2, 0xc3cc);
	put_packet(KD_TYPE_STATE_CHANGE64, 240, false);
}

static void goes(void)
{
	header(KD_CONTINUE2, 0, 0);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, true);
}

static void prints(const char *text)
{
	size_t n = strlen(text);

	memset(p, 0, sizeof p);
	le_put(p, 4, 0x3230);
	le_put(p + 8, 4, n);
	memcpy(p + 16, text, n);
	put_packet(KD_TYPE_DEBUG_IO, 16 + n, false);
}

static int begin(void **state)
{
	(void)state;
	kd_replay_init(&r);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kd_replay_fini(&r);
	return 0;
}

static const char *memory(size_t stop, uint64_t addr, size_t n)
{
	memset(got, 0, sizeof got);
	(void)kd_replay_read(&r, (struct kd_replay_place){ stop, KD_REPLAY_VIRTUAL, 0, addr }, n, got);
	return (const char *)got;
}

/* In the same stop what was read first; else the last before it; else the first behind it. */
static void which_piece(void **state)
{
	(void)state;
	stops(0x3030, 1);
	version(0x8664);
	reads(BASE, "aaaa");
	reads(BASE, "bbbb");
	goes();
	stops(0x3030, 2);
	reads(BASE + 2, "cc");
	reads(BASE + 8, "dddd");
	goes();
	stops(0x3030, 3);
	reads(BASE + 8, "eeee");
	reads(BASE + 4, "ff");
	assert_int_equal(kd_replay_end(&r), 0);
	assert_int_equal(r.stops_n, 3);
	assert_string_equal(memory(1, BASE, 16), "aaaaff");
	assert_string_equal(memory(2, BASE, 16), "bbccff");
	assert_string_equal(memory(3, BASE, 16), "bbccff");
	assert_string_equal(memory(1, BASE + 8, 16), "dddd");
	assert_string_equal(memory(3, BASE + 8, 2), "ee");
	assert_string_equal(memory(1, BASE + 6, 16), "");
	assert_string_equal(memory(1, BASE - 1, 16), "");
	assert_string_equal(memory(2, BASE + 11, 16), "d");
}

static void what_was_written(void **state)
{
	(void)state;
	stops(0x3030, 1);
	version(0x8664);
	reads(BASE, "aaaa");
	header(KD_WRITE_VIRTUAL, 0, 0);
	le_put(p + 16, 8, BASE + 1);
	le_put(p + 24, 4, 2);
	memcpy(p + KD_HEADER, "ww", 2);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER + 2, true);
	le_put(p + 28, 4, 2);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, false);
	goes();
	stops(0x3030, 2);
	assert_int_equal(kd_replay_end(&r), 0);
	assert_string_equal(memory(1, BASE, 4), "aaaa");
	assert_string_equal(memory(2, BASE, 4), "awwa");
}

static void code_of_a_report(void **state)
{
	(void)state;
	stops(0x3030, 0x5000); /* before its version is known */
	version(0x8664);
	assert_int_equal(kd_replay_end(&r), 0);
	assert_memory_equal(memory(1, 0x5000, 2), "\xcc\xc3", 2);
}

/* What is said again without a resume between is the same stop. */
static void repeated_reports(void **state)
{
	(void)state;
	stops(0x3030, 1);
	stops(0x3030, 1);
	version(0x8664);
	stops(0x3030, 2);
	goes();
	goes();
	stops(0x3030, 2);
	assert_int_equal(kd_replay_end(&r), 0);
	assert_int_equal(r.stops_n, 2);
}

static void which_stop(void **state)
{
	(void)state;
	stops(0x3031, 1);
	version(0x8664);
	context(0, 1);
	goes();
	stops(0x3030, 2);
	goes();
	stops(0x3030, 3);
	context(1, 3);
	goes();
	stops(0x3030, 4);
	assert_int_equal(kd_replay_end(&r), 0);
	assert_int_equal(kd_replay_first(&r), 3);
	assert_int_equal(kd_replay_last(&r), 3);
	assert_true(kd_replay_shows(&r, 1) && !kd_replay_shows(&r, 2) && kd_replay_shows(&r, 3) && !kd_replay_shows(&r, 4));
}

static void no_registers_at_all(void **state)
{
	(void)state;
	stops(0x3031, 1);
	version(0x8664);
	goes();
	stops(0x3030, 2);
	assert_int_equal(kd_replay_end(&r), 0);
	assert_int_equal(kd_replay_first(&r), 2);
	assert_int_equal(kd_replay_last(&r), 0);
}

static void nothing_to_show(void **state)
{
	(void)state;
	assert_int_equal(kd_replay_end(&r), -ENODATA);
	version(0x8664);
	assert_int_equal(kd_replay_end(&r), -ENODATA);
	kd_replay_fini(&r);
	kd_replay_init(&r);
	stops(0x3030, 1);
	assert_int_equal(kd_replay_end(&r), -ENODATA);
	version(0x1234); /* no machine we know */
	assert_int_equal(kd_replay_end(&r), -ENODATA);
}

static uint8_t reply_at(size_t at)
{
	return got[at];
}

/* The reply's length; 0: none. */
static size_t asks(size_t stop, const struct kd_request *q)
{
	struct buf out = { .base = got, .cap = sizeof got }, in = { .base = p, .cap = sizeof p };
	int rc;

	memset(got, 0xee, sizeof got);
	assert_int_equal(kd_request_put(&in, q), 0);
	rc = kd_replay_answer(&r, stop, buf_span(&in), &out);
	assert_true(rc == 0 || rc == 1);
	return out.len;
}

static struct kd_reply answers(size_t stop, struct kd_request q)
{
	size_t n = asks(stop, &q);
	struct kd_reply reply;

	assert_int_equal(kd_reply_parse((struct span){ got, n }, &q, &reply), 0);
	return reply;
}

static const struct kd_cpu cpu0 = { KD_AMD64, 0 }, cpu1 = { KD_AMD64, 1 };

static void answered(void **state)
{
	struct kd_reply a;

	(void)state;
	stops(0x3030, 1);
	version(0x8664);
	reads(BASE, "abcdefgh");
	context(0, 7);
	exchange(KD_READ_CONTROL_SPACE, 0, 2, "special");
	header(KD_READ_MSR, 1, 0);
	le_put(p + 16, 4, 0xc0000082);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, true);
	le_put(p + 20, 8, 0x1122334455667788);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, false);
	assert_int_equal(kd_replay_end(&r), 0);

	a = answers(1, kd_read_virtual(cpu1, BASE + 2, 4));
	assert_true(a.status == KD_SUCCESS && a.data.len == 4 && !memcmp(a.data.p, "cdef", 4));
	a = answers(1, kd_read_virtual(cpu0, BASE + 6, 4));
	assert_true(a.status == KD_UNSUCCESSFUL && a.actual == 2 && !memcmp(a.data.p, "gh", 2));
	a = answers(1, kd_read_virtual(cpu0, BASE + 8, 4));
	assert_true(a.status == KD_UNSUCCESSFUL && !a.actual);
	a = answers(1, kd_read_physical(cpu0, BASE, 4, KD_CACHING_DEFAULT));
	assert_true(a.status == KD_UNSUCCESSFUL && !a.actual);
	a = answers(1, kd_get_context(cpu0, 0x10001f));
	assert_true(a.status == KD_SUCCESS && a.data.len == CONTEXT && a.data.p[0] == 7);
	assert_int_equal(answers(1, kd_get_context(cpu1, 0x10001f)).status, KD_UNSUCCESSFUL);
	a = answers(1, kd_get_context_ex(cpu0, 1230, 2));
	assert_true(a.status == KD_SUCCESS && a.actual == 2);
	a = answers(1, kd_read_control(cpu0, 2, 7));
	assert_true(a.status == KD_SUCCESS && !memcmp(a.data.p, "special", 7));
	assert_int_equal(answers(1, kd_read_control(cpu0, 1, 7)).status, KD_UNSUCCESSFUL);
	assert_true(answers(1, kd_read_msr(cpu1, 0xc0000082)).value == 0x1122334455667788);
	assert_int_equal(answers(1, kd_read_msr(cpu0, 0xc0000082)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_get_version(cpu0)).version.len, KD_VERSION_BYTES);
	assert_int_equal(reply_at(24), 0x64);
}

static void refused(void **state)
{
	static const uint8_t byte[1232];
	struct span one = { byte, 1 }, whole = { byte, sizeof byte };
	struct kd_request none = kd_continue(cpu0, KD_DBG_CONTINUE);

	(void)state;
	stops(0x3030, 1);
	version(0x8664);
	reads(BASE, "abcd");
	assert_int_equal(kd_replay_end(&r), 0);
	assert_int_equal(answers(1, kd_write_virtual(cpu0, BASE, one)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_write_physical(cpu0, BASE, one, KD_CACHING_DEFAULT)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_write_breakpoint(cpu0, BASE)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_restore_breakpoint(cpu0, 1)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_write_msr(cpu0, 1, 1)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_write_io(cpu0, 0x80, 1, 1)).status, KD_UNSUCCESSFUL);
	assert_int_equal(answers(1, kd_set_context(cpu0, 0, whole)).status, KD_SUCCESS); /* part of a resume */
	assert_int_equal(answers(1, kd_write_control(cpu0, 2, one)).status, KD_SUCCESS);
	assert_int_equal(asks(1, &none), 0);
	assert_string_equal(memory(1, BASE, 4), "abcd");
}

static void printed(void **state)
{
	size_t next = 0;
	struct span s;

	(void)state;
	prints("early");
	stops(0x3030, 1);
	version(0x8664);
	goes();
	prints("one");
	prints("two");
	stops(0x3030, 2);
	assert_int_equal(kd_replay_end(&r), 0);
	s = kd_replay_print(&r, 1, &next);
	assert_true(s.len == 19 && !memcmp(s.p + 16, "one", 3));
	s = kd_replay_print(&r, 1, &next);
	assert_true(s.len == 19 && !memcmp(s.p + 16, "two", 3));
	assert_int_equal(kd_replay_print(&r, 1, &next).len, 0);
}

/* Answers whose lengths lie, or that answer nothing, bring nothing. */
static void lies(void **state)
{
	(void)state;
	for (size_t n = 0; n < 32; n++) /* no state changes */
		put_packet(n % 2 ? KD_TYPE_STATE_CHANGE64 : KD_TYPE_STATE_CHANGE32, n % 2 ? n : n / 2, false);
	stops(0x3030, 1);
	assert_int_equal(r.stops_n, 1);
	version(0x8664);
	header(KD_READ_VIRTUAL, 0, 0);
	le_put(p + 16, 8, BASE);
	le_put(p + 24, 4, 4);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER, true);
	le_put(p + 28, 4, UINT32_MAX);
	memcpy(p + KD_HEADER, "abcd", 4);
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER + 4, false);
	le_put(p, 4, KD_READ_PHYSICAL); /* to another request */
	put_packet(KD_TYPE_MANIPULATE, KD_HEADER + 4, false);
	for (size_t n = 0; n < KD_HEADER; n++)
		put_packet(KD_TYPE_MANIPULATE, n, n % 2);
	assert_int_equal(kd_replay_end(&r), 0);
	assert_string_equal(memory(1, BASE, 100), "abcd");
	assert_int_equal(kd_replay_read(&r, (struct kd_replay_place){ 1, KD_REPLAY_PHYSICAL, 0, BASE }, 4, got), 0);
	assert_int_equal(kd_replay_read(&r, (struct kd_replay_place){ 1, KD_REPLAY_VIRTUAL, 0, UINT64_MAX }, 100, got), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(which_piece, begin, end),      cmocka_unit_test_setup_teardown(what_was_written, begin, end),
		cmocka_unit_test_setup_teardown(code_of_a_report, begin, end), cmocka_unit_test_setup_teardown(repeated_reports, begin, end),
		cmocka_unit_test_setup_teardown(which_stop, begin, end),       cmocka_unit_test_setup_teardown(no_registers_at_all, begin, end),
		cmocka_unit_test_setup_teardown(nothing_to_show, begin, end),  cmocka_unit_test_setup_teardown(answered, begin, end),
		cmocka_unit_test_setup_teardown(refused, begin, end),          cmocka_unit_test_setup_teardown(printed, begin, end),
		cmocka_unit_test_setup_teardown(lies, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
