/* decode_test.c - captures in words: what each packet means, and what is left out. */
#include "proxy/decode.h"

#include "rsp/framer.h"
#include "tests/proxy/capture_build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct build b;
static uint32_t seq[2];
static char *out;
static size_t out_n;
static char why[512];
static struct decode_how how;

static void bytes(bool client, const void *p, size_t n)
{
	struct tcp t = { .from = 2, .to = 1, .from_port = 1234, .to_port = 40000, .flags = PSH, .seq = seq[client], .data = p, .len = n };

	if (client)
		t = (struct tcp){ .from = 1, .to = 2, .from_port = 40000, .to_port = 1234, .flags = PSH, .seq = seq[client], .data = p, .len = n };
	seq[client] += (uint32_t)n;
	build_tcp(&b, t);
}

static void text(bool client, const char *s)
{
	bytes(client, s, strlen(s));
}

/* A frame around it. */
static void packet(bool client, const char *body)
{
	uint8_t room[4096];
	struct buf f = { .base = room, .cap = sizeof room };

	assert_int_equal(buf_put_u8(&f, '$') || buf_put_text(&f, body) || buf_printf(&f, "#%02x", rsp_sum(span_of(body))), 0);
	bytes(client, room, f.len);
}

static void begin(void)
{
	build_begin(&b, BUILD_RAW);
	seq[0] = seq[1] = 1;
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 40000, .to_port = 1234, .flags = SYN });
	build_tcp(&b, (struct tcp){ .from = 2, .to = 1, .from_port = 1234, .to_port = 40000, .flags = SYN | ACK, .ack = 1 });
}

static int decoded_of(size_t n)
{
	FILE *in = fmemopen(b.bytes, n, "rb"), *to;
	int rc;

	free(out);
	out = NULL;
	to = open_memstream(&out, &out_n);
	assert_true(in && to);
	why[0] = 0;
	how.to = to;
	rc = decode_stream(in, "some.pcap", &how, why, sizeof why);
	assert_int_equal(fclose(to), 0);
	return rc;
}

static const char opening[] = "   0.000000 #1 = begins: 0.0.0.1:40000 -> 0.0.0.2:1234\n";

/* The lines behind the opening, without their times. */
static const char *lines(void)
{
	static char rest[65536];
	const char *s = out;
	size_t n = 0;

	assert_int_equal(decoded_of(b.n), 0);
	assert_string_equal(why, "");
	s = out;
	assert_memory_equal(s, opening, sizeof opening - 1);
	for (s = strchr(s, '\n') + 1; *s; s = strchr(s, '\n') + 1) {
		const char *what = strstr(s, "#1 ");

		assert_non_null(what);
		n += (size_t)snprintf(rest + n, sizeof rest - n, "%.*s", (int)(strchr(what, '\n') + 1 - what - 3), what + 3);
	}
	rest[n] = 0;
	return rest;
}

static void an_exchange(void **state)
{
	(void)state;
	begin();
	text(true, "+");
	packet(true, "qSupported:swbreak+");
	text(false, "+");
	packet(false, "PacketSize=4000");
	packet(true, "m1000,4");
	packet(false, "01020304");
	packet(true, "vCont;c");
	text(true, "\x03");
	packet(false, "O68690a");
	packet(false, "T05thread:2;swbreak:;");
	assert_string_equal(lines(), "> +  (acknowledged)\n> qSupported:swbreak+  (query)\n< +  (acknowledged)\n< PacketSize=4000\n"
	                             "> m1000,4  (mem.read)\n< 01020304  (4 bytes)\n> vCont;c  (run)\n> \\x03  (break-in)\n"
	                             "< O68690a  (console: \"hi\\x0a\")\n< T05thread:2;swbreak:;  (stopped: SIGTRAP, software breakpoint, thread 2)\n");
	assert_non_null(strstr(out, "   6.000000 #1 > m1000,4"));
}

static const struct { const char *cmd, *reply, *words; } meanings[] = {
	{ "?", "S05", "S05  (stopped: SIGTRAP)" },
	{ "?", "T0bwatch:ff00;thread:p1.3;core:2;08:0102;", "T0bwatch:ff00;thread:p1.3;core:2;08:0102;  (stopped: SIGSEGV, write watchpoint at 0xff00, thread p1.3, processor 2, 1 registers)" },
	{ "c", "W00", "W00  (exited with 0)" },
	{ "c", "X09", "X09  (killed by SIGKILL)" },
	{ "c", "S90", "S90  (stopped: signal 144)" },
	{ "c", "OK", "OK  (not an answer to c)" },
	{ "m0,4", "E14", "E14  (error 20)" },
	{ "m0,4", "E.not there", "E.not there  (error 0: not there)" },
	{ "m0,4", "zz", "zz  (not an answer to m)" },
	{ "m0,4", "", "  (empty: not supported)" },
	{ "g", "0011xxxx", "0011xxxx  (4 bytes of registers)" },
	{ "x0,4", "babc", "babc  (3 bytes)" },
	{ "qfThreadInfo", "m1,2,3", "m1,2,3  (3 threads)" },
	{ "qsThreadInfo", "l", "l  (the end of the list)" },
	{ "qXfer:features:read:target.xml:0,fff", "m<x/>", "m<x/>  (4 bytes, more follow)" },
	{ "qXfer:features:read:target.xml:0,fff", "l<x/>", "l<x/>  (4 bytes, the last)" },
	{ "vFile:open:2f,0,0", "F-1,2", "F-1,2  (result -1, errno 2)" },
	{ "vFile:pread:3,10,0", "F2;ab", "F2;ab  (result 2, 2 bytes)" },
	{ "vSecret", "anything", "anything" },
	{ "c", "Fsystem,0,0", "Fsystem,0,0  (asks the debugger's machine)" },
	{ "qRcmd,68656c70", "6869", "6869  (2 bytes)" },
};

static void what_answers_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		const char *told;

		begin();
		packet(true, meanings[i].cmd);
		packet(false, meanings[i].reply);
		told = strchr(lines(), '\n') + 1;
		if (strlen(told) != strlen(meanings[i].words) + 3 || strncmp(told + 2, meanings[i].words, strlen(meanings[i].words)))
			fail_msg("%s %s: %s", meanings[i].cmd, meanings[i].reply, told);
	}
}

static void what_commands_mean(void **state)
{
	(void)state;
	begin();
	packet(true, "mzz");
	packet(true, "vSecret;1");
	packet(true, "qRcmd,68656c70");
	packet(true, "M1000,2:0102");
	packet(true, "c1000");
	assert_string_equal(lines(), "> mzz  (malformed arguments of m)\n> vSecret;1  (unknown packet)\n> qRcmd,help  (monitor)\n"
	                             "> M1000,2:<2 bytes>  (mem.write)\n> c1000  (reg.write run)\n");
}

/* Answers find their commands also where several wait, after a repeat, and after something that was no answer. */
static void which_command_an_answer_is_for(void **state)
{
	(void)state;
	begin();
	packet(true, "m0,2");
	packet(true, "g");
	packet(false, "0102");
	packet(false, "00");
	packet(true, "m0,2");
	text(false, "-");
	packet(true, "m0,2");
	packet(false, "0304");
	packet(false, "S05");
	assert_string_equal(lines(), "> m0,2  (mem.read)\n> g  (reg.read)\n< 0102  (2 bytes)\n< 00  (1 bytes of registers)\n> m0,2  (mem.read)\n"
	                             "< -  (to be sent again)\n> m0,2  (mem.read)\n< 0304  (2 bytes)\n< S05  (stopped: SIGTRAP)  (nobody asked)\n");
}

static void what_was_asked_is_forgotten(void **state)
{
	(void)state;
	begin();
	packet(true, "g");
	packet(true, "m0,2");
	packet(false, "S05"); /* if that is wrong, what follows may be as well */
	packet(false, "0102");
	assert_string_equal(lines(), "> g  (reg.read)\n> m0,2  (mem.read)\n< S05  (not an answer to g)\n< 0102  (nobody asked)\n");
	begin();
	packet(true, "g");
	seq[0] += 4;
	packet(false, "S05");
	assert_string_equal(lines(), "> g  (reg.read)\n< (bytes are missing here)\n< S05  (stopped: SIGTRAP)  (nobody asked)\n");
}

static void what_is_wrong_on_the_line(void **state)
{
	(void)state;
	begin();
	packet(true, "g");
	text(true, "$g#00");
	text(true, "$a$g#67");
	text(true, "abc");
	text(true, "$m0,*!#14");
	text(false, "boot\n$OK#9a%Stop:T05#99");
	text(false, "$0* #7a");
	assert_string_equal(lines(), "> g  (reg.read)\n> g  (bad checksum)\n> a  (broken off: a $ within it, or no checksum behind its #)\n"
	                             "> g#67  (no packet)\n> abc  (no packet)\n> m0,  (malformed: run-length or an escape where there may be none)\n"
	                             "< boot\\x0a  (no packet)\n< OK  (not an answer to g)\n< Stop:T05  (notification)\n< 0000  (nobody asked)\n");
}

static void a_gap_and_the_ends(void **state)
{
	(void)state;
	begin();
	packet(true, "g");
	text(true, "$m10");
	seq[1] += 5;
	packet(true, "g");
	text(false, "$half");
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 40000, .to_port = 1234, .flags = RST, .seq = seq[1] });
	assert_string_equal(lines(), "> g  (reg.read)\n> (bytes are missing here)\n> g  (reg.read)\n= ends, within a packet\n");
	begin();
	packet(true, "g");
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 40000, .to_port = 1234, .flags = RST, .seq = seq[1] });
	assert_string_equal(lines(), "> g  (reg.read)\n= ends\n");
}

/* A packet cut at every byte into two segments reads the same. */
static void every_cut(void **state)
{
	static const char whole[] = "+$qSupported:swbreak+#86$m1000,4#8e\x03";
	char want[4096];

	(void)state;
	begin();
	text(true, whole);
	snprintf(want, sizeof want, "%s", lines());
	for (size_t at = 1; at < sizeof whole - 1; at++) {
		begin();
		bytes(true, whole, at);
		bytes(true, whole + at, sizeof whole - 1 - at);
		assert_string_equal(lines(), want);
	}
}

static void long_packets_are_cut(void **state)
{
	char body[1001];

	(void)state;
	memset(body, 'a', 1000);
	body[1000] = 0;
	begin();
	packet(true, "m0,500");
	packet(false, body);
	assert_non_null(strstr(lines(), "aaa... 1000 bytes  (500 bytes)\n"));
	assert_true(strlen(out) < 600);
}

/* Terminal escapes of a hostile target stay in the file. */
static void nothing_is_printed_raw(void **state)
{
	(void)state;
	begin();
	packet(true, "qRcmd,68");
	packet(false, "O1b5b324a07");
	text(false, "\x1b[2J\x07\n");
	packet(false, "\x1b]0;x\x07");
	assert_string_equal(lines(), "> qRcmd,h  (monitor)\n< O1b5b324a07  (console: \"\\x1b[2J\\x07\")\n< \\x1b[2J\\x07\\x0a  (no packet)\n"
	                             "< \\x1b]0;x\\x07  (not an answer to qRcmd,)\n");
}

static void http(unsigned port)
{
	static const char ask[] = "GET / HTTP/1.1\r\nHost: $x#1\r\n\r\n";

	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 50000, .to_port = port, .flags = SYN });
	build_tcp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 50000, .to_port = port, .seq = 1, .data = ask, .len = sizeof ask - 1 });
}

static void other_conversations_are_left_out(void **state)
{
	(void)state;
	begin();
	http(80);
	http(1234);
	packet(true, "g");
	assert_string_equal(lines(), "> g  (reg.read)\n");
	begin();
	bytes(true, "$\x80\x81#01", 6); /* by chance */
	assert_int_equal(decoded_of(b.n), -ENODATA);
	build_begin(&b, BUILD_RAW);
	http(80);
	assert_int_equal(decoded_of(b.n), -ENODATA);
	assert_string_equal(out, "");
	assert_string_equal(why, "some.pcap: no RSP, KD or KDNET: 2 packets, 2 of them TCP (1 conversations), 0 UDP, 0 other");
}

/* What a console says before anybody debugs is much; the packets behind it are found. */
static void packets_behind_much_else(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 100; i++)
		text(false, "[    0.000000] Linux version 6.1.0 (gcc) #1 SMP $HOME #ff and so on, a line of what a kernel says\n");
	packet(true, "g");
	assert_int_equal(decoded_of(b.n), 0);
	assert_non_null(strstr(out, "-> 0.0.0.2:1234; much that is no packet is left out\n"));
	assert_non_null(strstr(out, "> g  (reg.read)\n"));
}

static void a_damaged_file_is_printed_up_to_there(void **state)
{
	(void)state;
	begin();
	packet(true, "g");
	packet(true, "m0,4");
	assert_int_equal(decoded_of(b.n - 3), -EBADMSG);
	assert_non_null(strstr(out, "> g  (reg.read)\n"));
	assert_null(strstr(out, "m0,4"));
	assert_non_null(strstr(why, "some.pcap: packet 4, near byte "));
	assert_true(decode_file("/nonexistent/x", &how, why, sizeof why) == -ENOENT && strstr(why, "/nonexistent/x"));
}

static void an_output_that_is_full(void **state)
{
	FILE *in, *full = fopen("/dev/full", "w");

	(void)state;
	begin();
	packet(true, "g");
	in = fmemopen(b.bytes, b.n, "rb");
	assert_true(in && full);
	how.to = full;
	assert_int_equal(decode_stream(in, "some.pcap", &how, why, sizeof why), -EIO);
	assert_non_null(strstr(why, "No space left"));
	fclose(full);
}

static int tidy(void **state)
{
	(void)state;
	free(out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange),
		cmocka_unit_test(what_answers_mean),
		cmocka_unit_test(what_commands_mean),
		cmocka_unit_test(which_command_an_answer_is_for),
		cmocka_unit_test(what_was_asked_is_forgotten),
		cmocka_unit_test(what_is_wrong_on_the_line),
		cmocka_unit_test(a_gap_and_the_ends),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(long_packets_are_cut),
		cmocka_unit_test(nothing_is_printed_raw),
		cmocka_unit_test(other_conversations_are_left_out),
		cmocka_unit_test(packets_behind_much_else),
		cmocka_unit_test(a_damaged_file_is_printed_up_to_there),
		cmocka_unit_test(an_output_that_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, tidy);
}
