/* capture_test.c - captures read as conversations: every link type, every disorder, every damage. */
#include "proxy/capture.h"

#include "backends/link/recording.h"
#include "base/text.h"
#include "proxy/capture_flow.h"
#include "tests/proxy/capture_build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static struct build b;
static struct capture *c;
static char why[512];
static struct capture_piece piece;

static int open_build(size_t n)
{
	FILE *f = fmemopen(b.bytes, n, "rb");

	assert_non_null(f);
	return capture_open_stream(&c, f, "some.pcap", why, sizeof why);
}

/* Everything as one line: "1+ 1>abc 1<def 1- " for begins, bytes and ends; ! before what has a gap in front, ~ midway. */
static char told[8192];
static size_t told_n;

static void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	told_n += (size_t)vsnprintf(told + told_n, sizeof told - told_n, fmt, ap);
	va_end(ap);
	assert_true(told_n < sizeof told);
}

static int read_all(void)
{
	char text[1000];
	int rc;

	told_n = 0;
	told[0] = 0;
	while ((rc = capture_next(c, &piece)) == 1) {
		tell("%s%llu", told_n ? " " : "", (unsigned long long)piece.number);
		if (piece.begins || piece.ends)
			tell("%s%s", piece.begins ? "+" : "-", piece.midway ? "~" : "");
		else
			tell("%s%c%s", piece.gap ? "!" : "", piece.from_client ? '>' : '<', text_ascii(text, sizeof text, piece.bytes));
		assert_true(piece.flow < CAPTURE_FLOWS);
	}
	return rc;
}

static void assert_told(const char *want)
{
	assert_int_equal(open_build(b.n), 0);
	assert_int_equal(read_all(), 0);
	assert_string_equal(told, want);
	capture_close(c);
}

/* One conversation, 10.0.0.1:40000 and 10.0.0.2:1234; sequence numbers are counted from those of SYN. */
static uint32_t seq0[2] = { 1000, 5000 };

static struct tcp of(bool client, unsigned flags, uint32_t at, const char *text)
{
	struct tcp t = { .from = 0x0a000002, .to = 0x0a000001, .from_port = 1234, .to_port = 40000, .flags = flags, .seq = seq0[1] + at,
		         .data = text, .len = strlen(text) };

	if (client)
		t = (struct tcp){ .from = t.to, .to = t.from, .from_port = t.to_port, .to_port = t.from_port, .flags = flags, .seq = seq0[0] + at,
			          .data = text, .len = strlen(text) };
	return t;
}

static void client(unsigned flags, uint32_t at, const char *text)
{
	build_tcp(&b, of(true, flags, at, text));
}

static void stub(unsigned flags, uint32_t at, const char *text)
{
	build_tcp(&b, of(false, flags, at, text));
}

static void acked(bool from_client, uint32_t at, const char *text, uint32_t ack)
{
	struct tcp t = of(from_client, PSH | ACK, at, text);

	t.ack = seq0[from_client ? 1 : 0] + ack;
	build_tcp(&b, t);
}

static void begin(unsigned link)
{
	struct tcp answer = of(false, SYN | ACK, 0, "");

	build_begin(&b, link);
	client(SYN, 0, "");
	answer.ack = seq0[0] + 1;
	build_tcp(&b, answer);
}

static void a_whole_conversation(void **state)
{
	(void)state;
	begin(BUILD_RAW);
	client(PSH, 1, "abc");
	stub(PSH, 1, "de");
	client(FIN | ACK, 4, "");
	stub(PSH, 3, "f");
	stub(FIN | ACK, 4, "");
	client(ACK, 5, "");
	assert_told("1+ 1>abc 1<de 1<f 1-");
}

static void sequence_numbers_go_around(void **state)
{
	(void)state;
	seq0[0] = 0xfffffffd;
	seq0[1] = 0x7ffffffe;
	begin(BUILD_RAW);
	client(PSH, 1, "abc");
	client(PSH, 4, "def");
	client(PSH, 1, "abc");
	stub(PSH, 1, "xy");
	stub(PSH, 3, "z");
	seq0[0] = 1000;
	seq0[1] = 5000;
	assert_told("1+ 1>abc 1>def 1<xy 1<z");
}

static void every_link_type(void **state)
{
	static const unsigned links[] = { BUILD_RAW, BUILD_ETHERNET, BUILD_SLL, BUILD_SLL2, BUILD_NULL, BUILD_LOOP };

	(void)state;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		begin(links[i]);
		client(PSH, 1, "abc");
		stub(PSH, 1, "de");
		assert_told("1+ 1>abc 1<de");
	}
}

static void vlan_tags_ipv6_and_padding(void **state)
{
	struct tcp t = of(true, PSH, 1, "abc");

	(void)state;
	build_begin(&b, BUILD_ETHERNET);
	t.padding = 9;
	build_tcp(&b, t);
	t = of(true, PSH, 4, "def");
	t.vlan = 2;
	build_tcp(&b, t);
	t = of(true, PSH, 1, "v6");
	t.v6 = true;
	t.padding = 3;
	build_tcp(&b, t);
	assert_told("1+~ 1>abc 1>def 2+~ 2>v6");
	assert_int_equal(open_build(b.n), 0);
	while (capture_next(c, &piece) == 1)
		;
	assert_string_equal(piece.from, "[2001:db8::a00:1]:40000");
	assert_string_equal(piece.to, "[2001:db8::a00:2]:1234");
	capture_close(c);
}

static void names_and_times(void **state)
{
	(void)state;
	begin(BUILD_RAW);
	stub(PSH, 1, "x");
	assert_int_equal(open_build(b.n), 0);
	assert_int_equal(capture_next(c, &piece), 1);
	assert_true(piece.begins && !piece.midway && !piece.of_client && !piece.of_target && !piece.bytes.len);
	assert_string_equal(piece.from, "10.0.0.1:40000");
	assert_string_equal(piece.to, "10.0.0.2:1234");
	assert_true(piece.time > 999.9 && piece.time < 1000.1);
	assert_int_equal(capture_next(c, &piece), 1);
	assert_string_equal(piece.from, "10.0.0.2:1234");
	assert_string_equal(piece.to, "10.0.0.1:40000");
	assert_false(piece.from_client);
	assert_int_equal(capture_next(c, &piece), 0);
	assert_int_equal(capture_next(c, &piece), 0);
	capture_close(c);
}

static void what_was_captured_twice_is_told_once(void **state)
{
	(void)state;
	begin(BUILD_RAW);
	client(SYN, 0, "");
	client(PSH, 1, "abc");
	client(PSH, 1, "abc");
	client(PSH, 1, "abcdef");
	client(PSH, 3, "cd");
	client(PSH, 6, "fgh");
	stub(SYN | ACK, 0, "");
	client(PSH, 8, "h"); /* a keep-alive */
	client(FIN, 9, "");
	client(FIN, 9, "");
	stub(FIN, 1, "");
	stub(FIN, 1, "");
	client(PSH, 1, "abc");
	assert_told("1+ 1>abc 1>def 1>gh 1-");

	begin(BUILD_RAW); /* nothing comes behind a FIN */
	client(FIN, 1, "abc");
	client(PSH, 5, "def");
	client(PSH, 4, "def");
	stub(FIN, 1, "x");
	assert_told("1+ 1>abc 1<x 1-");
	begin(BUILD_RAW);
	client(PSH, 5, "def");
	client(FIN, 1, "abc");
	stub(PSH, 1, "x");
	assert_told("1+ 1>abc 1<x");
}

static void a_little_disorder(void **state)
{
	(void)state;
	begin(BUILD_RAW);
	client(PSH, 7, "ghi");
	client(FIN, 10, "");
	client(PSH, 4, "def");
	client(PSH, 5, "efg");
	client(PSH, 4, "d");
	client(PSH, 1, "abc");
	assert_told("1+ 1>abc 1>def 1>g 1>hi");
}

/* Missing bytes are given up when the other side has acknowledged them, when much waits, or at the end. */
static void gaps(void **state)
{
	(void)state;
	begin(BUILD_RAW);
	client(PSH, 4, "def");
	acked(false, 1, "x", 7);
	client(PSH, 9, "ijk");
	assert_told("1+ 1!>def 1<x 1!>ijk");

	begin(BUILD_RAW);
	client(PSH, 4, "def");
	acked(false, 1, "x", 3); /* not that far */
	client(PSH, 1, "abc");
	assert_told("1+ 1<x 1>abc 1>def");

	begin(BUILD_RAW);
	client(PSH, 4, "def");
	acked(false, 1, "x", 4); /* just that far */
	assert_told("1+ 1!>def 1<x");

	begin(BUILD_RAW);
	client(PSH, 4, "def");
	stub(RST, 1, "");
	assert_told("1+ 1!>def 1-");

	begin(BUILD_RAW);
	for (uint32_t i = 0; i < 65; i++)
		client(PSH, 10 + 2 * i, "q");
	client(PSH, 1, "late");
	assert_int_equal(open_build(b.n), 0);
	assert_int_equal(read_all(), 0);
	assert_null(strstr(told, "late"));
	assert_memory_equal(told, "1+ 1!>q 1!>q", 12);
	capture_close(c);
}

/* Segments that wait for others may fill CAPTURE_HELD_BYTES, all together. */
static void held_bytes_are_bounded(void **state)
{
	enum { EACH = 60000, FITTING = CAPTURE_HELD_BYTES / EACH };
	static uint8_t bytes[EACH];
	struct capture_flows *t = capture_flows_new();
	struct capture_packet p = { .from = { .port = 40000 }, .to = { .port = 1234 }, .bytes = { bytes, 1 } };

	(void)state;
	assert_non_null(t);
	for (size_t i = 0; i <= FITTING; i++) {
		if (i % (CAPTURE_HELD - 2) == 0) { /* the next conversation, and its first byte */
			p.from.port++;
			p.seq = 1;
			p.bytes.len = 1;
			assert_int_equal(capture_flows_put(t, &p, 1), 0);
			assert_true(capture_flows_take(t, &piece) && piece.begins);
			assert_true(capture_flows_take(t, &piece) && !piece.gap);
			p.seq = 10;
		}
		p.seq += EACH;
		p.bytes.len = EACH;
		assert_int_equal(capture_flows_put(t, &p, 1), 0);
		assert_int_equal(capture_flows_take(t, &piece), i == FITTING);
	}
	assert_true(piece.gap && piece.bytes.len == EACH);
	capture_flows_destroy(t);
}

/* The snapshot length cut a packet short. */
static void a_cut_packet(void **state)
{
	struct tcp t = of(true, PSH, 1, "abcdef");

	(void)state;
	begin(BUILD_RAW);
	t.cut = 3;
	build_tcp(&b, t);
	client(PSH, 7, "g");
	acked(false, 1, "x", 8);
	assert_told("1+ 1>abc 1!>g 1<x");
}

static void who_the_client_is(void **state)
{
	struct tcp answer = of(false, SYN | ACK, 0, "");

	(void)state;
	build_begin(&b, BUILD_RAW);
	stub(PSH, 1, "S05");
	client(PSH, 1, "g");
	assert_told("1+~ 1<S05 1>g");

	build_begin(&b, BUILD_RAW); /* no known port: the lower one */
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 5000, .to_port = 60000, .seq = 1, .data = "low", .len = 3 });
	build_tcp(&b, (struct tcp){ .from = 3, .to = 4, .from_port = 60000, .to_port = 3333, .seq = 1, .data = "up", .len = 2 });
	build_tcp(&b, (struct tcp){ .from = 5, .to = 6, .from_port = 2345, .to_port = 80, .seq = 1, .data = "stub", .len = 4 });
	build_tcp(&b, (struct tcp){ .from = 7, .to = 8, .from_port = 1234, .to_port = 2159, .seq = 1, .data = "odd", .len = 3 });
	assert_told("1+~ 1<low 2+~ 2>up 3+~ 3<stub 4+~ 4>odd");

	build_begin(&b, BUILD_RAW); /* who calls is the client, whatever its port */
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 1234, .to_port = 60000, .flags = SYN });
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 1234, .to_port = 60000, .seq = 1, .data = "x", .len = 1 });
	assert_told("1+ 1>x");

	build_begin(&b, BUILD_RAW); /* the first packet is the answer */
	answer.ack = seq0[0] + 1;
	build_tcp(&b, answer);
	stub(PSH, 1, "x");
	client(PSH, 4, "def");
	client(PSH, 1, "abc");
	assert_told("1+ 1<x 1>abc 1>def");
}

static void the_same_port_again(void **state)
{
	(void)state;
	begin(BUILD_RAW);
	client(PSH, 1, "abc");
	client(RST, 4, "");
	seq0[0] = 77;
	client(SYN, 0, "");
	client(PSH, 1, "xyz");
	seq0[0] = 99;
	client(SYN, 0, ""); /* without an end of the one before */
	client(PSH, 1, "uvw");
	seq0[0] = 1000;
	assert_told("1+ 1>abc 1- 2+ 2>xyz 2- 3+ 3>uvw");
}

/* More than there is room for: the one that was silent for longest is ended. */
static void too_many(void **state)
{
	bool open[CAPTURE_FLOWS] = { false };
	uint64_t begins = 0, ends = 0;

	(void)state;
	build_begin(&b, BUILD_RAW);
	for (uint32_t i = 0; i < 2 * CAPTURE_FLOWS + 10; i++) {
		build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 10000 + i, .to_port = 1234, .seq = 1, .data = "x", .len = 1 });
		build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 10000, .to_port = 1234, .seq = 2 + i, .data = "y", .len = 1 });
	}
	assert_int_equal(open_build(b.n), 0);
	while (capture_next(c, &piece) == 1) {
		assert_int_equal(open[piece.flow], !piece.begins);
		open[piece.flow] = !piece.ends;
		begins += piece.begins;
		ends += piece.ends;
		assert_false(piece.ends && piece.number == 1); /* it spoke all the time */
	}
	assert_int_equal(begins, 2 * CAPTURE_FLOWS + 10);
	assert_true(begins - ends < CAPTURE_FLOWS && begins - ends > CAPTURE_FLOWS - 3);
	assert_int_equal(capture_counts(c).conversations, begins);
	capture_close(c);
}

static void what_is_not_tcp(void **state)
{
	struct capture_counts n;

	(void)state;
	build_begin(&b, BUILD_RAW);
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 9] = 17;          /* UDP */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 9] = 1;           /* ICMP */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 6] = 0x20;        /* a fragment */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 7] = 0x10;        /* another */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16] = 0x44;            /* too short a header */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 3] = 19;          /* shorter than its header */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 20 + 12] = 0x40;  /* TCP's header, too */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16 + 20 + 12] = 0xf0;  /* beyond the packet */
	client(PSH, 1, "abc");
	b.bytes[b.last + 16] = 0x55;            /* no IP of this world */
	assert_int_equal(open_build(b.n), 0);
	assert_int_equal(read_all(), 0);
	assert_string_equal(told, "");
	n = capture_counts(c);
	assert_true(n.packets == 9 && n.tcp == 0 && n.udp == 1 && n.other == 8 && n.conversations == 0);
	capture_close(c);
}

/* Cut at every byte: what is whole is told, and the place of the damage. */
static void a_file_that_ends_early(void **state)
{
	size_t whole;

	(void)state;
	begin(BUILD_RAW);
	client(PSH, 1, "abc");
	whole = b.n;
	stub(PSH, 1, "de");
	for (size_t n = 1; n < 24; n++)
		assert_int_equal(open_build(n), -EBADMSG);
	assert_non_null(strstr(why, "some.pcap: not a capture"));
	for (size_t n = whole; n < b.n; n++) {
		assert_int_equal(open_build(n), 0);
		assert_int_equal(read_all(), n == whole ? 0 : -EBADMSG);
		assert_string_equal(told, "1+ 1>abc");
		if (n > whole)
			assert_non_null(strstr(capture_why(c), "some.pcap: packet 4, near byte "));
		assert_int_equal(capture_next(c, &piece), n == whole ? 0 : -EBADMSG);
		capture_close(c);
	}
}

/* The length fields of a record are the file's word only. */
static void lengths_that_lie(void **state)
{
	static const uint32_t lengths[] = { 0xffffffff, 0x7fffffff, 262145, 0x10000 };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		begin(BUILD_RAW);
		client(PSH, 1, "abc");
		build_le32(b.bytes + b.last + 8, lengths[i]);
		assert_int_equal(open_build(b.n), 0);
		assert_int_equal(read_all(), -EBADMSG);
		assert_string_equal(told, "1+");
		capture_close(c);
	}
}

static void other_link_types(void **state)
{
	(void)state;
	build_begin(&b, 147);
	assert_int_equal(open_build(b.n), -EPROTONOSUPPORT);
	assert_non_null(strstr(why, "link type"));
	assert_int_equal(capture_open(&c, "/nonexistent/x", why, sizeof why), -ENOENT);
	assert_string_equal(why, "/nonexistent/x: No such file or directory");
	assert_true(capture_open(&c, "/", why, sizeof why) < 0);
	capture_close(NULL);
}

/* What recording.c writes. */
static void a_recording(void **state)
{
	char dir[] = "/tmp/kdgate-capture-XXXXXX", file[64];
	struct recording_segment s = { .side = RECORDING_CLIENT, .number = 0x20003, .flags = SYN, .seq = 7 };
	struct recording *r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/r", dir);
	assert_int_equal(recording_open(&r, file, 0, why, sizeof why), 0);
	recording_put(r, &s, 1500);
	s.flags = PSH | ACK;
	s.seq = 8;
	s.bytes = span_of("abc");
	recording_put(r, &s, 2500);
	s.side = RECORDING_TARGET;
	s.from_far = true;
	recording_put(r, &s, 2500);
	recording_close(r);
	assert_int_equal(capture_open(&c, file, why, sizeof why), 0);
	assert_int_equal(capture_next(c, &piece), 1);
	assert_true(piece.begins && piece.of_client && !piece.of_target && piece.id == 0x20003);
	assert_true(piece.time > 1.49 && piece.time < 1.51);
	assert_string_equal(piece.from, "127.1.0.3:49154");
	assert_int_equal(capture_next(c, &piece), 1);
	assert_true(piece.from_client && piece.of_client && span_is(piece.bytes, "abc"));
	assert_int_equal(capture_next(c, &piece), 1);
	assert_true(piece.begins && piece.of_target && !piece.of_client && piece.id == 0x20003);
	assert_int_equal(capture_next(c, &piece), 1);
	assert_false(piece.from_client);
	assert_int_equal(capture_next(c, &piece), 0);
	capture_close(c);
	unlink(file);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_conversation),
		cmocka_unit_test(sequence_numbers_go_around),
		cmocka_unit_test(every_link_type),
		cmocka_unit_test(vlan_tags_ipv6_and_padding),
		cmocka_unit_test(names_and_times),
		cmocka_unit_test(what_was_captured_twice_is_told_once),
		cmocka_unit_test(a_little_disorder),
		cmocka_unit_test(gaps),
		cmocka_unit_test(held_bytes_are_bounded),
		cmocka_unit_test(a_cut_packet),
		cmocka_unit_test(who_the_client_is),
		cmocka_unit_test(the_same_port_again),
		cmocka_unit_test(too_many),
		cmocka_unit_test(what_is_not_tcp),
		cmocka_unit_test(a_file_that_ends_early),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(other_link_types),
		cmocka_unit_test(a_recording),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
