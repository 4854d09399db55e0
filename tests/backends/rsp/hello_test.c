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
	static uint8_t room[16384];
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
		"QStartNoAckMode", "OK", "vCont?", "vCont;c;C;s;S;t;r", "?", "T05thread:p01.02;",
		"qXfer:features:read:target.xml:0,3c", "m<target><xi:include href=\"a.xml\"/>",
		"qXfer:features:read:target.xml:22,3c", "l</target>",
		"qXfer:features:read:a.xml:0,3c", "m<feature name=\"a\"><reg name=\"r0\"",
		"qXfer:features:read:a.xml:20,3c", "l bitsize=\"32\"/></feature>",
		"qXfer:memory-map:read::0,3c", "m<memory-map><memory type=\"ram\" start=\"0x0\" length=\"0x1000",
		"qXfer:memory-map:read::39,3c", "l\"/></memory-map>", NULL,
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
	assert_true(h.strays == 1 && h.ran);
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
	const char *lines[] = { FIRST, "qXfer:features:read+;PacketSize=1000", "vCont?", "", "?", "T05thread:1;",
		                "qXfer:features:read:target.xml:0,7fc", NULL, NULL };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		lines[7] = bad[i];
		assert_int_equal(converse(lines), 1);
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

static const char *said(const char *features, const char *vcont)
{
	const char *lines[] = { FIRST, features, "vCont?", vcont, NULL };

	if (!vcont)
		lines[2] = NULL;
	end(NULL);
	begin(NULL);
	assert_int_equal(converse(lines), 1);
	return h.note ? h.note : "nothing";
}

/* What is out of bounds is told, and read as far as it makes sense. */
static void answers_that_are_noted(void **state)
{
	static const char features[] = "its answer to qSupported is out of bounds", vcont[] = "its answer to vCont? is none";
	static const struct {
		const char *features, *vcont, *note;
		bool c;
	} v[] = {
		{ "", NULL, "nothing", false }, { "PacketSize=0", NULL, "nothing", false }, { "PacketSize=1", NULL, features, false },
		{ "PacketSize=3f", NULL, features, false }, { "PacketSize=40", NULL, "nothing", false }, { "PacketSize=1000000", NULL, "nothing", false },
		{ "PacketSize=1000001", NULL, features, false }, { "PacketSize=ffffffffffffffff", NULL, features, false },
		{ "", "", "nothing", false }, { "", "E01", "nothing", false }, { "", "E.no", "nothing", false }, { "", "vCont;c;s", "nothing", true },
		{ "", "vCont;", "nothing", false }, { "", "vCont", vcont, false }, { "", "vCont?", vcont, false }, { "", "vContinue;c;s", vcont, false },
		{ "", "OK", vcont, false }, { "", "c;s", vcont, false }, { "", "\033[2J", vcont, false }, { "", "l", vcont, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *note = said(v[i].features, v[i].vcont);

		if (strcmp(note, v[i].note))
			fail_msg("%s, %s: %s", v[i].features, v[i].vcont, note);
		assert_int_equal(s.vcont_c, v[i].c);
	}
}

static void a_long_list_of_features(void **state)
{
	static char list[4098];

	(void)state;
	memset(list, 'a', sizeof list - 1);
	memcpy(list, "swbreak+;", 9);
	list[4096] = 0;
	assert_string_equal(said(list, NULL), "nothing");
	assert_true(s.features.can & RSP_CAN_SWBREAK);
	list[4096] = 'a';
	assert_string_equal(said(list, NULL), "its answer to qSupported is out of bounds");
	assert_true(s.features.can & RSP_CAN_SWBREAK);
}

/* Of a description that is refused, or odd, it is told what is wrong with it; that there is none is nothing to tell. */
static void descriptions_that_are_noted(void **state)
{
	static const struct {
		const char *doc, *included, *note;
		bool described;
	} v[] = {
		{ "", NULL, NULL, false }, { "E01", NULL, NULL, false }, { "OK", NULL, "a piece of a document makes no sense", false },
		{ "m", NULL, "a piece of a document makes no sense", false }, { "l" XML, NULL, NULL, true },
		{ "l<target><xi:include href=\"a.xml\"/></target>", "", "an included document is not there", false },
		{ "l<target><xi:include href=\"a.xml\"/></target>", "E01", "an included document is not there", false },
		{ "l<target><xi:include href=\"a.xml\"/></target>", "E.\033[2J", "an included document is not there", false },
		{ "l<target><xi:include href=\"a.xml\"/></target>", "m", "a piece of a document makes no sense", false },
		{ "l<target><xi:include href=\"a.xml\"/></target>", "l<feature name=\"a\"/>", NULL, true },
		{ "l<target><xi:include href=\"../etc/passwd;\"/></target>", NULL, "target.xml, line 1: the name of an included document", false },
		{ "l<target><architecture>a b</architecture></target>", NULL, "target.xml, line 1: an architecture that is none", false },
		{ "l<target><feature name=\"a\"><reg name=\"r\" bitsize=\"8\"/><reg name=\"r\" bitsize=\"8\"/></feature></target>", NULL,
		  "two registers of one name in the description", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *lines[] = { FIRST, "qXfer:features:read+;PacketSize=1000", "vCont?", "", "?", "T05thread:1;",
			                "qXfer:features:read:target.xml:0,7fc", v[i].doc, v[i].included ? "qXfer:features:read:a.xml:0,7fc" : NULL, v[i].included, NULL };

		assert_int_equal(converse(lines), 1);
		if (strcmp(h.note ? h.note : "", v[i].note ? v[i].note : ""))
			fail_msg("%s, %s: %s", v[i].doc, v[i].included, h.note);
		assert_int_equal(s.described, v[i].described);
		assert_int_equal(!(s.features.can & RSP_CAN_TDESC), !v[i].described);
		known();
		end(NULL);
		begin(NULL);
	}
}

static void memory_maps_that_are_noted(void **state)
{
	static const char overlap[] =
		"l<memory-map><memory type=\"ram\" start=\"0\" length=\"2\"/><memory type=\"rom\" start=\"1\" length=\"1\"/></memory-map>";
	static const char *const v[][2] = {
		{ "", NULL }, { "E01", NULL }, { "m", "a piece of a document makes no sense" }, { "l<memory-map/>", NULL },
		{ "l", "the memory map is not as it should be" }, { overlap, "the memory map is not as it should be" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *lines[] = { FIRST, "qXfer:memory-map:read+;PacketSize=1000", "vCont?", "", "?", "T05thread:1;", "qXfer:memory-map:read::0,7fc",
			                v[i][0], NULL };
		bool good = !strcmp(v[i][0], "l<memory-map/>");

		assert_int_equal(converse(lines), 1);
		assert_string_equal(h.note ? h.note : "nothing", v[i][1] ? v[i][1] : "nothing");
		assert_int_equal(s.map.len > 0, good);
		assert_int_equal((s.features.can & RSP_CAN_MEMORY_MAP) != 0, good);
		end(NULL);
		begin(NULL);
	}
}

static void a_document_without_an_end(void **state)
{
	static const char *const lines[] = { FIRST, "qXfer:features:read+;PacketSize=1000", "vCont?", "", "?", "T05thread:1;", NULL };
	static char piece[1001] = "m";
	size_t n = 0;

	(void)state;
	memset(piece + 1, ' ', 999);
	assert_int_equal(converse(lines), 1);
	for (; h.step <= HELLO_TDESC && n < TDESC_DOC_MAX; n += 999) {
		buf_reset(&out, 0);
		assert_int_equal(hello_request(&h, &s, &out), 1);
		assert_int_equal(answer(piece), 1);
	}
	assert_string_equal(h.note, "a document is too long");
	assert_in_range(n, TDESC_DOC_MAX - 1000, TDESC_DOC_MAX + 1000);
	assert_false(s.described);
}

/* Console text and requests for files are no answers, and no sign that it ran. What only looks like them is an answer. */
static void text_between_answers(void **state)
{
	static const char *const chatter[] = { "O", "O4142", "Fopen,1000/5,0,0", "Fisatty,1", "Fsystem,0/0", "F,", "O414" };
	static const char *const lines[] = {
		FIRST, "", "vCont?", "O4142", "vCont?", "Fwrite,1,1000,4", "vCont?", "vCont;c;s", "?", "O41", "?", "S05", "qC", "O", "qC", "QC2", NULL,
	};
	static const char *const rest[] = { FIRST, "FastTracepoints+;xmlRegisters=i386,arm", "vCont?", "OK", NULL };

	(void)state;
	for (size_t i = 0; i < sizeof chatter / sizeof *chatter; i++) {
		int rc;

		buf_reset(&out, 0);
		assert_int_equal(hello_request(&h, &s, &out), 1);
		assert_int_equal(answer(""), 1);
		rc = answer(chatter[i]);
		if (rc != (i < 5 ? 0 : 1))
			fail_msg("%s: %d", chatter[i], rc);
		assert_int_equal(h.chatter, i < 5);
		end(NULL);
		begin(NULL);
	}
	assert_int_equal(converse(rest), 1);
	assert_int_equal(h.chatter + h.strays, 0);
	end(NULL);
	begin(NULL);
	assert_int_equal(converse(lines), 1);
	known();
	assert_true(h.chatter == 4 && !h.strays && h.stop.thread.tid == 2 && s.vcont_c);
}

/* GRUB says again and again what it has stood for since before we came. */
static void what_it_stood_for(void **state)
{
	(void)state;
	buf_reset(&out, 0);
	assert_int_equal(hello_request(&h, &s, &out), 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(answer("T054:70fe0700;"), 0);
	assert_true(h.strays == 4 && !h.ran);
}

/* Before the first answer it may run. */
static void text_of_one_that_runs(void **state)
{
	(void)state;
	buf_reset(&out, 0);
	assert_int_equal(hello_request(&h, &s, &out), 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer(i % 2 ? "O41" : "Fopen,1/2,0,0"), 0);
	assert_int_equal(answer("S02"), 0);
	assert_true(h.ran && !h.chatter);
}

/* So many of both, and no more. */
static void text_without_an_end(void **state)
{
	static const char *const says[] = { "O41", "T02thread:01;", "Fopen,1/2,0,0", "S05" };

	(void)state;
	for (size_t last = 0; last < 4; last++) {
		buf_reset(&out, 0);
		assert_int_equal(hello_request(&h, &s, &out), 1);
		assert_int_equal(answer(""), 1);
		assert_int_equal(hello_request(&h, &s, &out), 1);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(answer(says[i]), 0);
		assert_int_equal(h.strays, 2); /* only these say that it ran */
		assert_true(answer(says[last]) < 0);
		assert_string_equal(h.why, last % 2 ? "it reports stops that nobody asked for" : "it sends packets that nobody asked for");
		end(NULL);
		begin(NULL);
	}
}

/* The answer to qC names a thread, or there is none. */
static void current_threads(void **state)
{
	static const struct {
		const char *says;
		int64_t tid;
	} v[] = {
		{ "QC1", 1 }, { "QC0f", 15 }, { "QCp1.2", 2 }, { "QCfffffffe", -2 }, { "QC0", 0 }, { "QC-1", 0 }, { "QCp1.-1", 0 }, { "QCp1.0", 0 }, { "QC", 0 },
		{ "QCzz", 0 }, { "QC1x", 0 }, { "QC1,2", 0 }, { "QC8000000000000000", 0 }, { "", 0 }, { "E01", 0 }, { "OK", 0 }, { "1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *lines[] = { FIRST, "", "vCont?", "", "?", "S05", "qC", v[i].says, NULL };

		assert_int_equal(converse(lines), 1);
		known();
		if (h.stop.has_thread != (v[i].tid != 0) || h.stop.thread.tid != v[i].tid)
			fail_msg("%s: %lld", v[i].says, (long long)h.stop.thread.tid);
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
		CASE(no_description), CASE(packet_sizes), CASE(always_ends), CASE(answers_that_are_noted), CASE(a_long_list_of_features),
		CASE(descriptions_that_are_noted), CASE(memory_maps_that_are_noted), CASE(a_document_without_an_end), CASE(text_between_answers),
		CASE(what_it_stood_for), CASE(text_of_one_that_runs), CASE(text_without_an_end), CASE(current_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
