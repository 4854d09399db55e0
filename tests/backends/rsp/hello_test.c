/* hello_test.c - the questions a stub is asked, and what is made of its answers, honest or not. */
#include "backends/rsp/hello.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS = 32 };

static struct hello h;
static struct stub s;
static struct buf out;

static int begin(void **state)
{
	(void)state;
	assert_int_equal(hello_init(&h), 0);
	assert_int_equal(stub_init(&s), 0);
	return buf_init(&out, 4096);
}

static int end(void **state)
{
	(void)state;
	hello_fini(&h);
	stub_fini(&s);
	buf_fini(&out);
	return 0;
}

static int answer(const char *text)
{
	uint8_t room[4096];
	struct buf body = { .base = room, .cap = sizeof room };

	assert_int_equal(buf_put_text(&body, text), 0);
	return hello_answer(&h, &s, &body);
}

/* Asked, answered, asked, answered ... in pairs, to the NULL. Every question must be the one that is written. */
static int converse(const char *const *lines)
{
	int rc = 1;

	for (; rc >= 0 && lines[0]; lines += 2) {
		buf_reset(&out, 0);
		rc = hello_request(&h, &s, &out);
		if (rc != 1 || !span_is(buf_span(&out), lines[0]))
			print_error("want %s\n got %.*s\n", lines[0], (int)out.len, (const char *)buf_data(&out));
		assert_int_equal(rc, 1);
		assert_true(span_is(buf_span(&out), lines[0]));
		rc = answer(lines[1]);
	}
	return rc;
}

#define FIRST "qSupported:swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386,arm,mips"
#define XML "<target><architecture>i386:x86-64</architecture><feature name=\"a\">" \
	    "<reg name=\"rax\" bitsize=\"64\"/><reg name=\"rip\" bitsize=\"64\"/></feature></target>"

static void known(void)
{
	buf_reset(&out, 0);
	assert_int_equal(hello_request(&h, &s, &out), 0);
	assert_int_equal(h.step, HELLO_DONE);
}

static void a_stub_that_knows_little(void **state)
{
	static const char *const lines[] = { FIRST, "", "vCont?", "", "?", "S05", "qC", "", NULL };

	(void)state;
	assert_int_equal(converse(lines), 1);
	known();
	assert_false(s.vcont_c || s.described || h.stop.has_thread || h.strays);
	assert_int_equal(s.packet_max, 400);
}

static void a_stub_that_knows_much(void **state)
{
	static const char *const lines[] = {
		FIRST, "PacketSize=80;QStartNoAckMode+;vContSupported+;qXfer:features:read+;swbreak+;what=ever;qXfer:memory-map:read+",
		"QStartNoAckMode", "OK", "vCont?", "vCont;c;C;s;S;t;r",
		"qXfer:features:read:target.xml:0,3c", "m<target><xi:include href=\"a.xml\"/>",
		"qXfer:features:read:target.xml:22,3c", "l</target>",
		"qXfer:features:read:a.xml:0,3c", "m<feature name=\"a\"><reg name=\"r0\"",
		"qXfer:features:read:a.xml:20,3c", "l bitsize=\"32\"/></feature>",
		"qXfer:memory-map:read::0,3c", "m<memory-map><memory type=\"ram\" start=\"0x0\" length=\"0x1000",
		"qXfer:memory-map:read::39,3c", "l\"/></memory-map>",
		"?", "T05thread:p01.02;", NULL,
	};

	(void)state;
	assert_int_equal(converse(lines), 1);
	known();
	assert_true(s.described && s.vcont_c && s.vcont_s && s.vcont_r && s.map.len);
	assert_int_equal(s.packet_max, 0x80);
	assert_int_equal(s.tdesc.regs_n, 1);
	assert_int_equal(h.stop.thread.tid, 2);
}

/* QEMU reports the stop that a connection causes, before it is asked. */
static void stray_stops(void **state)
{
	static const char *const lines[] = { FIRST, "T02thread:01;", NULL };

	(void)state;
	assert_int_equal(converse(lines), 0);
	assert_int_equal(h.strays, 1);
	assert_int_equal(answer(""), 1);
	for (int i = 1; i < 4; i++)
		assert_int_equal(answer("S05"), 0);
	assert_true(answer("S05") < 0);
	assert_string_equal(h.why, "it reports stops that nobody asked for");
}

/* What an answer must be, step by step. */
static void wrong_answers(void **state)
{
	static const struct {
		const char *lines[10];
		const char *why;
	} wrong[] = {
		{ { FIRST, "PacketSize=zz" }, "its answer to qSupported makes no sense" },
		{ { FIRST, "swbreak+;\001" }, "its answer to qSupported makes no sense" },
		{ { FIRST, "", "vCont?", "", "?", "OK" }, "its answer to ? is no stop reply" },
		{ { FIRST, "", "vCont?", "", "?", "" }, "its answer to ? is no stop reply" },
		{ { FIRST, "", "vCont?", "", "?", "E01" }, "its answer to ? is no stop reply" },
		{ { FIRST, "", "vCont?", "", "?", "T05thread:-1;" }, "its answer to ? is no stop reply" },
		{ { FIRST, "", "vCont?", "", "?", "W00" }, "its program has ended" },
		{ { FIRST, "", "vCont?", "", "?", "X09" }, "its program has ended" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_true(converse(wrong[i].lines) < 0);
		assert_string_equal(h.why, wrong[i].why);
		end(NULL);
		begin(NULL);
	}
}

/* A description that cannot be had, or is no good, is none; the stub can still be debugged. */
static void no_description(void **state)
{
	static const char *const bad[] = {
		"", "E01", "m", "x", "l", "lnonsense", "l<target><bad", "l<!DOCTYPE t [<!ENTITY a \"b\">]><target/>", "OK", "T0",
	};
	const char *lines[] = { FIRST, "qXfer:features:read+;PacketSize=1000", "vCont?", "", "qXfer:features:read:target.xml:0,7fc", NULL,
		                NULL };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		static const char *const rest[] = { "?", "T05thread:1;", NULL };

		lines[5] = bad[i];
		assert_int_equal(converse(lines), 1);
		assert_int_equal(converse(rest), 1);
		known();
		assert_false(s.described);
		end(NULL);
		begin(NULL);
	}
}

/* A stub may say what it likes of its packets' size. */
static void packet_sizes(void **state)
{
	static const struct {
		const char *said;
		size_t taken, read;
	} sizes[] = {
		{ "PacketSize=0", 400, 198 },     { "PacketSize=1", 400, 198 },    { "PacketSize=3f", 400, 198 },
		{ "PacketSize=40", 64, 30 },      { "PacketSize=1000", 4096, 2046 }, { "PacketSize=ffffffff", 2 * STUB_READ_MAX, STUB_READ_MAX - 2 },
		{ "PacketSize=ffffffffffffffff", 2 * STUB_READ_MAX, STUB_READ_MAX - 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const char *lines[] = { FIRST, sizes[i].said, NULL };

		assert_int_equal(converse(lines), 1);
		assert_int_equal(s.packet_max, sizes[i].taken);
		assert_int_equal(stub_read_max(&s), sizes[i].read);
		assert_true(stub_write_max(&s) >= 1 && 2 * stub_write_max(&s) + 32 <= s.packet_max);
		end(NULL);
		begin(NULL);
	}
}

/* Any bytes for any question: it comes to an end, by an error or by being known. */
static void always_ends(void **state)
{
	static const char *const says[] = { "", "OK", "E01", "l", "m", "lx", "mx", "S05", "T05thread:1;", "QC1", "vCont;c", "x" };
	int rc = 1;

	(void)state;
	for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
		const char *lines[] = { FIRST, "qXfer:features:read+;qXfer:memory-map:read+;QStartNoAckMode+", NULL };

		rc = converse(lines);
		for (int n = 0; rc >= 0 && h.step < HELLO_DONE && n < 1000000; n++) {
			buf_reset(&out, 0);
			if (hello_request(&h, &s, &out) == 0)
				break;
			rc = answer(says[i]);
		}
		assert_true(rc < 0 || h.step == HELLO_DONE);
		assert_true(rc >= 0 || h.why);
		end(NULL);
		begin(NULL);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_stub_that_knows_little), CASE(a_stub_that_knows_much), CASE(stray_stops), CASE(wrong_answers),
		CASE(no_description), CASE(packet_sizes), CASE(always_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
