/* console_test.c - text and packets on one wire, cut anywhere: both come out as they went in. */
#include "backends/link/console.h"

#include "backends/link/link.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDE = 1 << 18, NOT_CUT = 1 << 20, HEAD = 3, STREAMS = 1 << 16 };

/* The line: what the far end says waits in to_near, what it heard is in from_near. Cut: at most so much at once, or at random. */
struct line {
	struct link base;
	struct buf to_near, from_near;
	size_t cut_in, cut_out;
	bool dice;      /* cuts are thrown, and sends refused */
	bool has_break;
	unsigned breaks, headless;
	size_t stop_after; /* of from_near: nothing more is taken */
	int dead;       /* once to_near is empty */
};

static uint64_t seed, now;
static struct line line;
static struct link *console;
static struct buf up, text, in, out;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

static size_t cut(size_t most, size_t n)
{
	size_t m = line.dice ? 1 + dice((unsigned)most) : most;

	return n < m ? n : m;
}

static int line_send(struct link *lk, struct buf *frame, uint64_t t)
{
	struct buf copy = *frame;
	size_t room = line.stop_after > line.from_near.len ? line.stop_after - line.from_near.len : 0, n = cut(line.cut_out, frame->len);
	int rc;

	(void)lk, (void)t;
	line.headless += !buf_push(&copy, HEAD);
	n = line.dice && !dice(4) ? 0 : n < room ? n : room;
	rc = buf_put(&line.from_near, buf_data(frame), n);
	if (!rc)
		rc = buf_pull(frame, n);
	return rc ? rc : frame->len ? -EAGAIN : 0;
}

static int line_recv(struct link *lk, struct buf *to, uint64_t t)
{
	size_t n = cut(line.cut_in, line.to_near.len);

	(void)lk, (void)t;
	n = n < to->cap ? n : to->cap;
	buf_reset(to, 0);
	if (!n)
		return line.dead;
	if (buf_put(to, buf_data(&line.to_near), n) < 0 || buf_pull(&line.to_near, n) < 0)
		return -ENOBUFS;
	if (!line.to_near.len)
		buf_reset(&line.to_near, 0);
	return 1;
}

static int line_attention(struct link *lk, uint64_t t)
{
	(void)lk, (void)t;
	line.breaks += line.has_break;
	return line.has_break ? 0 : -EOPNOTSUPP;
}

static void line_destroy(struct link *lk)
{
	(void)lk;
}

static const struct link_ops line_ops = {
	.name = "line", .headroom = HEAD, .send = line_send, .recv = line_recv, .attention = line_attention, .destroy = line_destroy,
};

static int setup(void **state)
{
	(void)state;
	return buf_init(&line.to_near, WIDE) || buf_init(&line.from_near, WIDE) || buf_init(&up, WIDE) || buf_init(&text, WIDE) ||
	       buf_init(&in, WIDE) || buf_init(&out, WIDE);
}

static int teardown(void **state)
{
	struct buf *all[] = { &line.to_near, &line.from_near, &up, &text, &in, &out };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_fini(all[i]);
	return 0;
}

static void begin(size_t cuts)
{
	line.base = (struct link){ .ops = &line_ops };
	line.cut_in = line.cut_out = cuts;
	line.stop_after = SIZE_MAX;
	line.breaks = line.headless = 0;
	line.dice = false;
	line.has_break = true;
	line.dead = 0;
	now = 1000;
	for (size_t i = 0; i < 4; i++)
		buf_reset((struct buf *[]){ &line.to_near, &line.from_near, &up, &text }[i], 0);
	console = link_console_new(&line.base);
	assert_non_null(console);
}

static void end(void)
{
	assert_int_equal(line.headless, 0);
	link_destroy_stack(console);
}

static void fetch(void)
{
	struct span s = link_console_text(console);

	assert_int_equal(buf_put_span(&text, s), 0);
}

/* All that is there to hear. */
static void hear(void)
{
	int rc;

	do {
		rc = link_recv(console, &in, now);
		if (rc == 1)
			assert_int_equal(buf_put_span(&up, buf_span(&in)), 0);
		fetch();
	} while (rc == 1 || (rc == 0 && line.to_near.len));
}

static void far_bytes(const void *p, size_t n)
{
	assert_int_equal(buf_put(&line.to_near, p, n), 0);
}

static void far_says(const char *s)
{
	far_bytes(s, strlen(s));
}

static void heard(const char *s)
{
	far_says(s);
	hear();
}

static int try_send(const char *s)
{
	buf_reset(&out, link_headroom(console));
	assert_int_equal(buf_put_text(&out, s), 0);
	return link_send(console, &out, now);
}

static void send(const char *s)
{
	int rc = try_send(s);

	for (size_t i = 0; rc == -EAGAIN && i < 10000; i++)
		rc = link_send(console, &out, now);
	assert_int_equal(rc, 0);
}

static void is(struct buf *b, const char *what, const char *want)
{
	if (!span_is(buf_span(b), want))
		fail_msg("%s: \"%.*s\", not \"%s\"", what, (int)b->len, (const char *)buf_data(b), want);
	buf_reset(b, 0);
}

static void came(const char *packets, const char *words)
{
	is(&up, "up", packets);
	is(&text, "text", words);
}

static uint64_t wakes(void)
{
	struct wait w = wait_none();

	link_wait(console, &w);
	return w.until;
}

static void passes(uint64_t ms)
{
	now += ms;
	hear();
}

/* A kernel that stands, has answered, and is owed nothing; then what happened is forgotten. */
static void stand(void)
{
	send("$?#3f");
	heard("+$S05#b8");
	send("+");
	buf_reset(&up, 0);
	buf_reset(&text, 0);
	buf_reset(&line.from_near, 0);
}

/* --- vectors, whole and cut at every byte --- */

enum before { RUNS, ASKED, ASKED_SIGNED, STANDS, REQUESTED, RESUMED };

static const struct vector {
	enum before before;
	const char *heard, *up, *text;
} vectors[] = {
	/* a running kernel prints */
	{ RUNS, "[    0.5] hello + world - $x\r\n/ # ", "", "[    0.5] hello + world - $x\r\n/ # " },
	{ RUNS, "+-+-", "", "+-+-" },
	{ RUNS, "$ ls $HOME ${T}\n$T0\n$Thread\n", "", "$ ls $HOME ${T}\n$T0\n$Thread\n" },
	{ RUNS, "\0x", "", "" },
	{ RUNS, "$T05th\nread:01;#07", "", "$T05th\nread:01;#07" },
	{ RUNS, "cost: $5#35 and $00#60 and $#00\n", "", "cost: $5#35 and $00#60 and $#00\n" },
	{ RUNS, "$$$##$$#00\n", "", "$$$##$$#00\n" },
	/* it stops by itself */
	{ RUNS, "$T05thread:01;#07", "$T05thread:01;#07", "" },
	{ RUNS, "hel$T05thread:01;#07lo", "$T05thread:01;#07", "hello" },
	{ RUNS, "$T05$T05thread:01;#07$T05thr", "$T05thread:01;#07", "$T05$T05thr" },
	{ RUNS, "a+$T05thread:01;#07-b", "$T05thread:01;#07", "a+-b" },
	{ RUNS, "$T05thread:01;#07$T05thread:01;#07", "$T05thread:01;#07$T05thread:01;#07", "" },
	{ RUNS, "$T05thread:01;#08\n", "", "$T05thread:01;#08\n" },
	{ RUNS, "$S05#B8", "$S05#B8", "" },
	/* console output as packets, while it runs */
	{ RUNS, "x$O6869#2cy$O6869#2cz", "$O6869#2c$O6869#2c", "xyz" },
	/* asked: text is still on its way, then it answers */
	{ ASKED, "+$S05#b8", "+$S05#b8", "" },
	{ ASKED, "sysrq: DEBUG\r\nKGDB: Enter-ing + KGDB\r\n+$S05#b8", "+$S05#b8", "sysrq: DEBUG\r\nKGDB: Enter-ing + KGDB\r\n" },
	{ ASKED, "/ # +$S05#b8", "+$S05#b8", "/ # " },
	{ ASKED, "-v ++$S05#b8", "+$S05#b8", "-v +" },
	{ ASKED, "a$Tfoo+$S05#b8", "+$S05#b8", "a$Tfoo" },
	{ ASKED, "$?#3f\r\n+$S05#b8", "+$S05#b8", "\r\n" },
	{ ASKED, "+$?#3f+$?#3f", "", "++" },
	{ ASKED_SIGNED, "+$?#3f+$?#3f", "", "" },
	{ ASKED_SIGNED, "++$?#3f$?#3f+$S05#b8", "+$S05#b8", "+" },
	{ ASKED, "$?#3g$?#3", "", "$?#3g$?#3" },
	{ ASKED, "Entering please attach debugger or use $D#44+ or $3#33\n+$S05#b8", "+$S05#b8",
	  "Entering please attach debugger or use $D#44+ or $3#33\n" },
	{ ASKED, "x$T05thread:01;#07-", "$T05thread:01;#07-", "x" },
	{ ASKED, "+$PacketSize=3ff#2f", "+$PacketSize=3ff#2f", "" },
	/* a request is answered */
	{ REQUESTED, "+$0011aaff#0e", "+$0011aaff#0e", "" },
	{ REQUESTED, "+$#00", "+$#00", "" },
	{ REQUESTED, "+[  1.2] Call + Trace - $x #y\n$E22#a9", "+$E22#a9", "[  1.2] Call + Trace - $x #y\n" },
	{ REQUESTED, "+--$OK#9a", "+$OK#9a", "--" },
	{ REQUESTED, "-", "-", "" },
	{ REQUESTED, "+$OK#9b", "+$OK#9b", "" },
	{ REQUESTED, "+$OK#9b$OK#9a", "+$OK#9b$OK#9a", "" },
	{ REQUESTED, "+$OK#9a$OK#9a$OK#9b\n", "+$OK#9a$OK#9a", "$OK#9b\n" },
	{ REQUESTED, "+$O6869#2c$O6869#2c$OK#9a", "+$O6869#2c$O6869#2c$OK#9a", "" },
	{ REQUESTED, "+$OK#zz$OK#9a", "+$OK#9a", "$OK#zz" },
	{ REQUESTED, "+$a}]b*!c#c1", "+$a}]b*!c#c1", "" },
	/* between requests */
	{ STANDS, "a+b-c$d\n", "", "a+b-c$d\n" },
	{ STANDS, "$S05#b8", "$S05#b8", "" },
	{ STANDS, "$S05#b9\n", "", "$S05#b9\n" },
	/* let go: acknowledged first, then whatever it prints */
	{ RESUMED, "++ a - b\n", "+", "+ a - b\n" },
	{ RESUMED, "[ 1.0] a + b\n", "", "[ 1.0] a + b\n" },
	{ RESUMED, "+$T05thread:01;#07", "+$T05thread:01;#07", "" },
	{ RESUMED, "+x$OK#9a$T05thread:01;#07", "+$OK#9a$T05thread:01;#07", "x" },
	{ RESUMED, "+x$00#60$m01#fe\n", "+", "x$00#60$m01#fe\n" },
};

static void come_to(enum before before)
{
	static const char *const sends[] = { [ASKED] = "$?#3f", [ASKED_SIGNED] = "+$?#3f", [REQUESTED] = "$g#67", [RESUMED] = "$c#63" };

	if (before >= STANDS)
		stand();
	if (sends[before])
		send(sends[before]);
}

static void check_vector(const struct vector *v, size_t cuts)
{
	begin(cuts);
	come_to(v->before);
	heard(v->heard);
	passes(CONSOLE_PATIENCE_MS);
	passes(CONSOLE_PATIENCE_MS);
	came(v->up, v->text);
	assert_int_equal(wakes(), NEVER);
	end();
}

static void vectors_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		check_vector(&vectors[i], NOT_CUT);
		for (size_t cuts = 1; cuts < strlen(vectors[i].heard); cuts++)
			check_vector(&vectors[i], cuts);
	}
}

/* In two pieces, with a receive between: any point may be the one. */
static void vectors_in_two(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const struct vector *v = &vectors[i];

		for (size_t at = 0; at <= strlen(v->heard); at++) {
			begin(NOT_CUT);
			come_to(v->before);
			far_bytes(v->heard, at);
			hear();
			heard(v->heard + at);
			passes(CONSOLE_PATIENCE_MS);
			passes(CONSOLE_PATIENCE_MS);
			came(v->up, v->text);
			end();
		}
	}
}

static void any_byte_is_text(void **state)
{
	char all[256], *got;

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	begin(NOT_CUT);
	far_bytes(all, sizeof all);
	hear();
	got = (char *)buf_data(&text);
	assert_int_equal(text.len, sizeof all);
	assert_memory_equal(got, all, sizeof all);
	assert_int_equal(up.len, 0);
	end();
}

/* Whole packets come up in one receive, whatever they were cut to, and with the acknowledgement in front. */
static void in_one_piece(void **state)
{
	(void)state;
	begin(1);
	come_to(REQUESTED);
	far_says("+$0011aaff#0e");
	assert_int_equal(link_recv(console, &in, now), 1);
	is(&in, "first", "+");
	assert_int_equal(link_recv(console, &in, now), 1);
	is(&in, "second", "$0011aaff#0e");
	assert_int_equal(link_recv(console, &in, now), 0);
	end();
}

/* A receive buffer smaller than the packet: the rest is asked for at once. */
static void in_small_pieces(void **state)
{
	uint8_t room[3];
	struct buf small = { .base = room, .cap = sizeof room };

	(void)state;
	begin(NOT_CUT);
	far_says("x$T05thread:01;#07y");
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(link_recv(console, &small, now), 1);
		assert_int_equal(buf_put_span(&up, buf_span(&small)), 0);
		assert_int_equal(wakes(), i < 5 ? 0 : NEVER);
	}
	assert_int_equal(link_recv(console, &small, now), 0);
	fetch();
	came("$T05thread:01;#07", "xy");
	end();
}

/* --- silence --- */

static void stall(void **state)
{
	(void)state;
	begin(NOT_CUT);
	heard("user@host$");
	came("", "user@host");
	assert_int_equal(wakes(), now + CONSOLE_STALL_MS);
	passes(CONSOLE_STALL_MS - 1);
	came("", "");
	passes(1);
	came("", "$");
	assert_int_equal(wakes(), NEVER);
	heard("T05thread:01;#07"); /* too late */
	came("", "T05thread:01;#07");
	end();
}

static void stall_begins_again_with_each_byte(void **state)
{
	static const char packet[] = "$T05thread:01;#07";

	(void)state;
	begin(NOT_CUT);
	for (size_t i = 0; packet[i]; i++) {
		now += i < 4 ? CONSOLE_STALL_MS - 1 : CONSOLE_PATIENCE_MS - 1;
		far_bytes(packet + i, 1);
		hear();
	}
	came(packet, "");
	end();
}

static void patience(void **state)
{
	(void)state;
	begin(NOT_CUT);
	heard("$T05");
	assert_int_equal(wakes(), now + CONSOLE_PATIENCE_MS);
	passes(CONSOLE_PATIENCE_MS);
	came("", "$T05");
	come_to(REQUESTED);
	heard("+$");
	assert_int_equal(wakes(), now + CONSOLE_PATIENCE_MS);
	passes(CONSOLE_PATIENCE_MS);
	came("+", "$");
	end();
}

/* What was missed is heard before the clock is looked at. */
static void late_is_not_stalled(void **state)
{
	(void)state;
	begin(NOT_CUT);
	heard("$T05th");
	now += 10 * CONSOLE_PATIENCE_MS;
	heard("read:01;#07");
	came("$T05thread:01;#07", "");
	end();
}

static void alone_a_minus_asks_again(void **state)
{
	(void)state;
	begin(NOT_CUT);
	send("$?#3f");
	heard("-");
	assert_int_equal(wakes(), now + CONSOLE_STALL_MS);
	came("", "");
	passes(CONSOLE_STALL_MS);
	came("-", "");
	heard("-"); /* owed no more */
	came("", "-");
	send("$?#3f");
	heard("x-");
	passes(CONSOLE_STALL_MS);
	came("", "x-");
	end();
}

static void alone_a_plus_is_text(void **state)
{
	(void)state;
	begin(NOT_CUT);
	send("$?#3f");
	heard("+");
	passes(CONSOLE_STALL_MS);
	came("", "+");
	end();
}

/* A - that was held is not forgotten when what held it back fails. */
static void stalls_one_after_the_other(void **state)
{
	(void)state;
	begin(NOT_CUT);
	send("$?#3f");
	heard("$T05+");
	passes(CONSOLE_PATIENCE_MS);
	came("", "$T05+");
	assert_int_equal(wakes(), NEVER);
	end();
}

static void the_end_is_heard_out(void **state)
{
	(void)state;
	begin(NOT_CUT);
	far_says("abc$T05thr");
	line.dead = -EPIPE;
	hear();
	came("", "abc$T05thr");
	assert_int_equal(link_recv(console, &in, now), -EPIPE);
	assert_int_equal(link_recv(console, &in, now), -EPIPE);
	end();
}

/* --- lengths --- */

static size_t put_packet(uint8_t *to, size_t body, uint8_t wrong)
{
	uint8_t sum = wrong;

	to[0] = '$';
	for (size_t i = 0; i < body; i++)
		sum = (uint8_t)(sum + (to[1 + i] = (uint8_t)"0123456789abcdef"[i % 16]));
	return 1 + body + (size_t)sprintf((char *)to + 1 + body, "#%02x", sum);
}

static void longest(void **state)
{
	static uint8_t packet[CONSOLE_PACKET + 8];
	size_t n;

	(void)state;
	for (size_t cuts = 1; cuts <= NOT_CUT; cuts *= 32) {
		begin(cuts);
		come_to(REQUESTED);
		far_says("+");
		n = put_packet(packet, CONSOLE_PACKET, 0);
		far_bytes(packet, n);
		hear();
		assert_int_equal(up.len, n + 1);
		assert_memory_equal(buf_data(&up) + 1, packet, n);
		assert_int_equal(text.len, 0);
		buf_reset(&up, 0);
		n = put_packet(packet, CONSOLE_PACKET + 1, 0);
		far_bytes(packet, n);
		hear();
		assert_int_equal(up.len, 0);
		assert_int_equal(text.len, n);
		assert_memory_equal(buf_data(&text), packet, n);
		end();
	}
}

/* Of text that nobody fetches the newest is kept. */
static void text_has_a_ceiling(void **state)
{
	enum { ALL = 3 * CONSOLE_TEXT + 7, PART = 1000 };
	struct span s;

	(void)state;
	begin(NOT_CUT);
	for (size_t i = 0; i < ALL; i += PART) {
		size_t n = ALL - i < PART ? ALL - i : PART;

		for (size_t k = i; k < i + n; k++)
			assert_int_equal(buf_put_u8(&line.to_near, (uint8_t)('a' + k % 23)), 0);
		assert_int_equal(link_recv(console, &in, now), 0);
	}
	assert_int_equal(link_console_lost(console), ALL - CONSOLE_TEXT);
	s = link_console_text(console);
	assert_int_equal(s.len, CONSOLE_TEXT);
	for (size_t k = 0; k < s.len; k++)
		assert_int_equal(s.p[k], 'a' + (ALL - CONSOLE_TEXT + k) % 23);
	assert_int_equal(link_console_text(console).len, 0);
	end();
}

/* 115200 baud for ten seconds, heard every 5 ms and fetched five times a second, a packet now and then: nothing is lost. */
static void full_line_rate(void **state)
{
	enum { BYTES = 115200, STEP = 57 };
	static uint8_t all[BYTES];
	size_t packets = 0;

	(void)state;
	begin(NOT_CUT);
	seed = 7;
	for (size_t i = 0; i < BYTES; i++)
		all[i] = (uint8_t)"abc +-$#T05\n"[dice(12)];
	for (size_t i = 0; i < BYTES; i += STEP) {
		far_bytes(all + i, BYTES - i < STEP ? BYTES - i : STEP);
		if (!dice(50)) {
			far_says("$O6869#2c");
			packets++;
		}
		now += 5;
		while (link_recv(console, &in, now) == 1)
			assert_int_equal(buf_put_span(&up, buf_span(&in)), 0);
		if (i / STEP % 40 == 0)
			fetch();
	}
	passes(CONSOLE_PATIENCE_MS);
	assert_int_equal(link_console_lost(console), 0);
	assert_int_equal(text.len, BYTES);
	assert_memory_equal(buf_data(&text), all, BYTES);
	assert_int_equal(up.len, packets * strlen("$O6869#2c"));
	end();
}

/* A line that is faster than anybody reads gives the loop back in between. */
static void a_flood_is_bounded(void **state)
{
	(void)state;
	begin(1);
	for (size_t i = 0; i < 1000; i++)
		far_says("flood");
	assert_int_equal(link_recv(console, &in, now), 0);
	assert_true(line.to_near.len > 4000);
	assert_int_equal(wakes(), 0);
	hear();
	assert_int_equal(text.len, 5000);
	assert_int_equal(wakes(), NEVER);
	end();
}

/* --- typing --- */

static void type(const char *s)
{
	assert_int_equal(link_console_type(console, span_of(s)), strlen(s));
}

static void far_heard(const char *s)
{
	is(&line.from_near, "far", s);
}

static void typed_while_it_runs(void **state)
{
	(void)state;
	begin(NOT_CUT);
	type("ls\n");
	assert_int_equal(wakes(), 0);
	hear();
	far_heard("ls\n");
	assert_int_equal(wakes(), NEVER);
	type("a");
	send("$?#3f");
	far_heard("a$?#3f");
	end();
}

static void typed_waits_while_it_stands(void **state)
{
	(void)state;
	begin(NOT_CUT);
	send("$?#3f");
	type("$k#6b");
	hear();
	far_heard("$?#3f");
	heard("+$S05#b8");
	send("+");
	far_heard("+");
	assert_int_equal(wakes(), NEVER);
	send("$c#63");
	far_heard("$c#63");
	hear();
	far_heard("$k#6b");
	heard("+x$T05thread:01;#07");
	type("b");
	hear();
	send("+$D#44");
	heard("+$OK#9a");
	far_heard("+$D#44");
	send("+");
	link_console_runs(console, true);
	hear();
	far_heard("+b");
	end();
}

/* Half a packet has gone: nothing comes between, whatever it is. */
static void never_within_a_packet(void **state)
{
	(void)state;
	for (size_t at = 1; at < strlen("$c#63"); at++) {
		begin(NOT_CUT);
		stand();
		line.stop_after = at;
		assert_int_equal(try_send("$c#63"), -EAGAIN);
		type("x");
		hear();
		assert_int_equal(link_attention(console, now), 0);
		type("g");
		heard("text");
		assert_int_equal(wakes(), now + CONSOLE_ASKED_MS);
		line.stop_after = SIZE_MAX;
		assert_int_equal(link_send(console, &out, now), 0);
		hear();
		far_heard("$c#63g");
		link_console_runs(console, true);
		hear();
		far_heard("x");
		end();
	}
}

/* A BREAK makes the next byte a command to the kernel: it must be the one that belongs to it. */
static void the_key_goes_first(void **state)
{
	(void)state;
	begin(NOT_CUT);
	line.stop_after = 0;
	type("b");
	hear();
	assert_int_equal(link_attention(console, now), 0);
	line.stop_after = SIZE_MAX;
	hear();
	far_heard("");
	type("g");
	type("after");
	send("$?#3f");
	far_heard("g$?#3f");
	heard("+$S05#b8");
	send("+$c#63");
	hear();
	far_heard("+$c#63bafter");
	end();
}

static void a_key_that_is_not_heard(void **state)
{
	(void)state;
	begin(NOT_CUT);
	assert_int_equal(link_attention(console, now), 0);
	type("g");
	send("$?#3f");
	type("x");
	heard("$?#3f");
	far_heard("g$?#3f");
	assert_int_equal(link_attention(console, now), 0); /* once more */
	type("g");
	hear();
	far_heard("g");
	link_console_runs(console, true);
	hear();
	far_heard("x");
	came("", "");
	end();
}

static void nobody_tells_what_became_of_it(void **state)
{
	(void)state;
	begin(NOT_CUT);
	assert_int_equal(link_attention(console, now), 0);
	type("g");
	type("x");
	hear();
	far_heard("g");
	assert_int_equal(wakes(), now + CONSOLE_ASKED_MS);
	passes(CONSOLE_ASKED_MS - 1);
	far_heard("");
	passes(1);
	far_heard("x");
	end();
}

/* Detached from, or reset, it goes on when its OK is acknowledged, and then it prints again. */
static void it_goes_on_after_a_detach(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(NOT_CUT);
		stand();
		send(i ? "$R0#82" : "$D#44");
		type("x");
		heard("+$OK#9a");
		far_heard(i ? "$R0#82" : "$D#44");
		send("+");
		hear();
		far_heard("+x");
		heard("+-$00#60\n$OK#9a");
		came("+$OK#9a$OK#9a", "+-$00#60\n");
		type("y");
		hear();
		far_heard("y");
		end();
	}
}

static void no_break(void **state)
{
	(void)state;
	begin(NOT_CUT);
	line.has_break = false;
	assert_int_equal(link_attention(console, now), -EOPNOTSUPP);
	type("x");
	hear();
	far_heard("x");
	end();
}

static void typed_has_a_ceiling(void **state)
{
	static uint8_t much[CONSOLE_TYPED + 100];
	size_t n;

	(void)state;
	begin(NOT_CUT);
	line.stop_after = 100;
	memset(much, 'a', sizeof much);
	assert_int_equal(link_console_type(console, (struct span){ much, sizeof much }), CONSOLE_TYPED);
	assert_int_equal(link_console_type(console, (struct span){ much, 1 }), 0);
	assert_int_equal(try_send("$?#3f"), -EAGAIN);
	assert_int_equal(line.from_near.len, 100);
	assert_int_equal(out.len, 5);
	assert_int_equal(wakes(), NEVER); /* it is for the line to say when */
	n = link_console_type(console, (struct span){ much, sizeof much });
	assert_int_equal(n, 100);
	line.stop_after = SIZE_MAX;
	send("$?#3f");
	assert_int_equal(line.from_near.len, CONSOLE_TYPED + 100 + 5);
	end();
}

/* --- who listens --- */

static void modes(void **state)
{
	static const struct { const char *text; enum console_mode mode; } says[] = {
		{ "sysrq: DEBUG\r\nKGDB: Entering KGDB\r\n", CONSOLE_MODE_KGDB },
		{ "\r\nEntering kdb (current=0xffff888003a88000, pid 68) on processor 0 due to Keyboard Entry\r\n", CONSOLE_MODE_KDB },
		{ "\r\n[0]kdb> ", CONSOLE_MODE_KDB },
		{ "[11]]kdb> ", CONSOLE_MODE_KDB },
		{ "Entering Entering please attach debugger or use $D#44+ or $3#33\r\n", CONSOLE_MODE_KGDB },
		{ "sysrq: This sysrq operation is disabled.\r\n", CONSOLE_MODE_MASKED },
		{ "sysrq: HELP : loglevel(0-9) reboot(b)", CONSOLE_MODE_NO_KEY },
		{ "[0]kdb>", CONSOLE_MODE_RUNS },
		{ "nothing of this", CONSOLE_MODE_RUNS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
		for (size_t cuts = 1; cuts <= NOT_CUT; cuts *= NOT_CUT) {
			begin(cuts);
			heard(says[i].text);
			assert_int_equal(link_console_mode(console), says[i].mode);
			link_console_runs(console, true);
			assert_int_equal(link_console_mode(console), CONSOLE_MODE_RUNS);
			came("", says[i].text);
			end();
		}
	}
}

/* At kdb's prompt the question is echoed, and makes it the stub; $3#33 goes back. */
static void through_kdb(void **state)
{
	(void)state;
	begin(NOT_CUT);
	assert_int_equal(link_attention(console, now), 0);
	type("g");
	heard("sysrq: DEBUG\r\n\r\nEntering kdb (current=0x0, pid 0) on processor 0 due to Keyboard Entry\r\n[0]kdb> ");
	assert_int_equal(link_console_mode(console), CONSOLE_MODE_KDB);
	send("$?#3f");
	buf_reset(&text, 0);
	heard("$?#3f\r\nEntering please attach debugger or use $D#44+ or $3#33\r\n+$S05#b8");
	came("+$S05#b8", "\r\nEntering please attach debugger or use $D#44+ or $3#33\r\n");
	assert_int_equal(link_console_mode(console), CONSOLE_MODE_KGDB);
	assert_int_equal(console->dropped, 1);
	send("+$3#33");
	heard("+\r\n[0]kdb> ");
	came("+", "\r\n[0]kdb> ");
	assert_int_equal(link_console_mode(console), CONSOLE_MODE_KDB);
	heard("-$00#60\n");
	came("", "-$00#60\n");
	end();
}

static void echo_of_one_that_is_gone(void **state)
{
	(void)state;
	begin(NOT_CUT);
	send("$m1000,4#8e");
	heard("$m1000,4#8e$m1000,4#8e$m1000,4#8f\n");
	came("", "$m1000,4#8f\n");
	assert_int_equal(console->dropped, 2);
	end();
}

/* A list of threads may look like the request before it. */
static void an_answer_is_no_echo(void **state)
{
	(void)state;
	begin(NOT_CUT);
	stand();
	send("$m1000,4#8e");
	heard("+$m1000,4#8e");
	came("+$m1000,4#8e", "");
	end();
}

/* --- both streams, from any interleaving --- */

static struct {
	struct buf up, text, sent, typed;
	unsigned keys;
	uint8_t sum, last[2];
	size_t parsed;
	int frame;              /* of what the far end hears: in it, or digits left */
	unsigned keys_heard;
	struct buf sent_heard, typed_heard;
	bool stopped;           /* and it is known */
} want;

static struct buf *const streams[] = { &want.up, &want.text, &want.sent, &want.typed, &want.sent_heard, &want.typed_heard };

static void put(struct buf *b, const void *p, size_t n)
{
	assert_int_equal(buf_put(b, p, n), 0);
}

/* Text may hold anything but a whole packet; where a wrong sum would be asked for again, not that either. */
static uint8_t text_byte(bool exchange)
{
	static const char kinds[] = "abcxyz  \r\n$$$##++--TTSOEm0001235f:;kgdb\x1b\xff";
	uint8_t b = (uint8_t)kinds[dice(sizeof kinds - 1)];
	bool digits = want.last[0] == '#' && isxdigit(want.last[1]) && isxdigit(b);

	if (digits && (exchange || strtoul((char[]){ (char)want.last[1], (char)b, 0 }, NULL, 16) == want.sum))
		b = '~';
	if (b == '$')
		want.sum = 0;
	else if (b != '#' && want.last[0] != '#' && want.last[1] != '#')
		want.sum = (uint8_t)(want.sum + b);
	want.last[0] = want.last[1];
	want.last[1] = b;
	return b;
}

static void far_text(unsigned most, bool exchange)
{
	for (unsigned n = dice(most); n; n--) {
		uint8_t b = text_byte(exchange);

		far_bytes(&b, 1);
		put(&want.text, &b, 1);
	}
}

static void far_rsp(const char *s)
{
	far_says(s);
	put(&want.up, s, strlen(s));
	want.last[0] = want.last[1] = 0;
}

static const char *framed(const char *body, unsigned wrong)
{
	static char packet[400];
	unsigned sum = wrong;

	for (const char *p = body; *p; p++)
		sum += (uint8_t)*p;
	snprintf(packet, sizeof packet, "$%s#%02x", body, sum & 0xff);
	return packet;
}

/* Hears some, or all. */
static void pump(bool all)
{
	for (unsigned n = all ? 1000000 : dice(4); n && (line.to_near.len || !all || n == 1000000); n--) {
		if (link_recv(console, &in, now) == 1)
			put(&up, buf_data(&in), in.len);
		if (!dice(3))
			fetch();
	}
}

/* All of it, and what is held back too if it waits for that. */
static void near_hears(void)
{
	pump(true);
	for (size_t i = 0; i < 3 && up.len < want.up.len; i++) {
		now += CONSOLE_PATIENCE_MS;
		pump(true);
	}
}

/* What the far end hears: packets and signs to one side, what was typed to the other. */
static void far_listens(void)
{
	for (; want.parsed < line.from_near.len; want.parsed++) {
		uint8_t b = buf_data(&line.from_near)[want.parsed];

		if (want.frame || strchr("+-$", b)) {
			put(&want.sent_heard, &b, 1);
			want.frame = b == '$' ? 3 : b == '#' ? 2 : want.frame == 3 || !want.frame ? want.frame : want.frame - 1;
		} else if (b == 'g') {
			want.keys_heard++;
		} else {
			assert_false(want.stopped);
			put(&want.typed_heard, &b, 1);
		}
	}
}

static void near_types(void)
{
	char some[8];
	size_t n = dice(sizeof some);

	memset(some, 'A' + (int)dice(26), sizeof some);
	n = link_console_type(console, (struct span){ (uint8_t *)some, n });
	put(&want.typed, some, n);
}

/* Refused, cut, with text heard and things typed in between. */
static void near_sends(const char *s, bool text_between)
{
	int rc = -EAGAIN;

	buf_reset(&out, link_headroom(console));
	put(&out, s, strlen(s));
	put(&want.sent, s, strlen(s));
	for (size_t i = 0; rc == -EAGAIN && i < 100000; i++) {
		if (!dice(6))
			near_types();
		if (text_between && out.len > 1 && !dice(3)) {
			far_text(6, true);
			pump(true);
		}
		line.stop_after = text_between && out.len > 1 && dice(2) ? line.from_near.len + out.len - 1 : SIZE_MAX;
		rc = link_send(console, &out, now);
		far_listens();
	}
	line.stop_after = SIZE_MAX;
	assert_int_equal(rc, 0);
}

static const char *stop_body(void)
{
	static const char *const stops[] = { "T05thread:01;", "T05thread:fffffffe;", "S05", "T0b", "X09", "W00" };

	return stops[dice(sizeof stops / sizeof *stops)];
}

static const char *reply_body(bool settled)
{
	static const char *const replies[] = { "", "OK", "E22", "m01,02,0a,fffffffe", "l", "QC01", "00", "S05", "0123456789abcdefxxxx", "Cffff", "F-1,1" };
	static char any[200];
	size_t n = dice(sizeof any - 1);

	if (!settled || dice(2))
		return replies[dice(sizeof replies / sizeof *replies)];
	for (size_t i = 0; i < n; i++) {
		any[i] = (char)(' ' + dice(95));
		if (any[i] == '$' || any[i] == '#')
			any[i] = '0';
	}
	any[n] = 0;
	return any;
}

static const char *request(void)
{
	static const char *const requests[] = { "$g#67", "$mffffffff81000000,40#ef", "$qfThreadInfo#bb", "$Hg0#df", "$Z0,1000,1#e1", "$p10#d1" };

	return requests[dice(sizeof requests / sizeof *requests)];
}

/* After its first byte a kernel that answers prints what it likes. */
static void one_request(void)
{
	char again[400];
	const char *r = request();

	near_sends(r, true);
	while (!dice(6)) {
		far_rsp("-");
		near_hears();
		near_sends(r, false);
	}
	far_rsp("+");
	pump(false);
	far_text(20, true);
	pump(false);
	snprintf(again, sizeof again, "%s", reply_body(true));
	if (!dice(6)) {
		far_rsp(framed(again, 1 + dice(255)));
		near_hears();
		near_sends("-", false);
	}
	while (!dice(4) && again[0] != 'O')
		far_rsp("$O6869#2c");
	far_rsp(framed(again, 0));
	near_hears();
	if (!dice(5)) {
		far_rsp(framed(again, 0)); /* it did not hear the + yet */
		near_hears();
	}
	near_sends("+", false);
	far_text(dice(4) ? 1 : 9, true);
	near_hears();
}

static void it_stops(void)
{
	far_text(40, false);
	pump(false);
	far_rsp(framed(stop_body(), 0));
	while (!dice(4))
		far_rsp(framed(stop_body(), 0));
	near_hears();
	far_listens();
	want.stopped = true;
	near_sends("+", false);
}

static void it_echoes(const char *question)
{
	far_says(question);
	want.last[0] = want.last[1] = 0;
	far_text(10, false);
}

/* Text may be on its way until it answers; it may stop in that moment, and take the question for a mistake. */
static void break_in(void)
{
	const char *question = dice(2) ? "$?#3f" : "+$?#3f";

	assert_int_equal(link_attention(console, now), 0);
	assert_int_equal(link_console_type(console, span_of("g")), 1);
	want.keys++;
	far_text(20, false);
	pump(dice(2));
	near_sends(question, true);
	far_listens();
	assert_int_equal(want.keys_heard, want.keys);
	far_text(20, false);
	pump(dice(2));
	if (!dice(3))
		it_echoes(question);
	far_rsp("+");
	far_rsp(framed(dice(2) ? "S05" : reply_body(false), 0));
	near_hears();
	far_listens();
	want.stopped = true;
	near_sends("+", false);
}

static void let_go(void)
{
	want.stopped = false;
	near_sends(dice(2) ? "$c#63" : "$s#73", true);
	far_rsp("+");
	far_text(30, false);
	pump(false);
}

static void episode(void)
{
	while (!dice(3)) {
		far_text(30, false);
		near_types();
		pump(dice(2));
	}
	if (dice(2))
		it_stops();
	else
		break_in();
	for (unsigned n = dice(4); n; n--)
		one_request();
	let_go();
}

/* What is around the first difference. */
static void compare(const char *what, const struct buf *got, const struct buf *wanted, uint64_t from)
{
	enum { BEFORE = 60, SHOWN = 90 };
	const char *g = (const char *)buf_data(got), *w = (const char *)buf_data(wanted);
	size_t at = 0, start;

	while (at < got->len && at < wanted->len && g[at] == w[at])
		at++;
	if (at == got->len && at == wanted->len)
		return;
	start = at < BEFORE ? 0 : at - BEFORE;
	fail_msg("seed %llu: %s, byte %zu: \"%.*s\", not \"%.*s\"", (unsigned long long)from, what, at,
		 (int)(got->len - start < SHOWN ? got->len - start : SHOWN), g + start,
		 (int)(wanted->len - start < SHOWN ? wanted->len - start : SHOWN), w + start);
}

static void interleave(uint64_t from)
{
	seed = from * 0x9e3779b97f4a7c15ull + 1;
	line.cut_in = 1 + dice(dice(2) ? 4 : 40);
	line.cut_out = 1 + dice(dice(2) ? 3 : 40);
	line.dice = true;
	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		buf_reset(streams[i], 0);
	buf_reset(&up, 0);
	buf_reset(&text, 0);
	buf_reset(&line.from_near, 0);
	want.parsed = want.keys = want.keys_heard = 0;
	for (unsigned n = 1 + dice(3); n; n--)
		episode();
	pump(true);
	line.dice = false;
	for (size_t i = 0; i < 3; i++)
		passes(CONSOLE_PATIENCE_MS);
	line.cut_out = NOT_CUT;
	passes(0);
	far_listens();
	compare("up", &up, &want.up, from);
	compare("text", &text, &want.text, from);
	compare("sent", &want.sent_heard, &want.sent, from);
	compare("typed", &want.typed_heard, &want.typed, from);
}

/* CONSOLE_INTERLEAVINGS=1000000 for a long run; CONSOLE_SEED=n for one, from a new link. */
static void interleavings(void **state)
{
	enum { USUAL = 50000, LINKS = 100 };
	const char *many = getenv("CONSOLE_INTERLEAVINGS"), *one = getenv("CONSOLE_SEED");
	uint64_t from = one ? strtoull(one, NULL, 10) / LINKS * LINKS : 0, to = one ? from + LINKS : many ? strtoull(many, NULL, 10) : USUAL;

	(void)state;
	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		assert_int_equal(buf_init(streams[i], STREAMS), 0);
	for (uint64_t i = from; i < to; i++) {
		if (i % LINKS == 0)
			begin(1);
		interleave(i);
		if (i % LINKS == LINKS - 1 || i == to - 1)
			end();
	}
	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		buf_fini(streams[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_cut),
		cmocka_unit_test(vectors_in_two),
		cmocka_unit_test(any_byte_is_text),
		cmocka_unit_test(in_one_piece),
		cmocka_unit_test(in_small_pieces),
		cmocka_unit_test(stall),
		cmocka_unit_test(stall_begins_again_with_each_byte),
		cmocka_unit_test(patience),
		cmocka_unit_test(late_is_not_stalled),
		cmocka_unit_test(alone_a_minus_asks_again),
		cmocka_unit_test(alone_a_plus_is_text),
		cmocka_unit_test(stalls_one_after_the_other),
		cmocka_unit_test(the_end_is_heard_out),
		cmocka_unit_test(longest),
		cmocka_unit_test(text_has_a_ceiling),
		cmocka_unit_test(full_line_rate),
		cmocka_unit_test(a_flood_is_bounded),
		cmocka_unit_test(typed_while_it_runs),
		cmocka_unit_test(typed_waits_while_it_stands),
		cmocka_unit_test(never_within_a_packet),
		cmocka_unit_test(the_key_goes_first),
		cmocka_unit_test(a_key_that_is_not_heard),
		cmocka_unit_test(nobody_tells_what_became_of_it),
		cmocka_unit_test(it_goes_on_after_a_detach),
		cmocka_unit_test(no_break),
		cmocka_unit_test(typed_has_a_ceiling),
		cmocka_unit_test(modes),
		cmocka_unit_test(through_kdb),
		cmocka_unit_test(echo_of_one_that_is_gone),
		cmocka_unit_test(an_answer_is_no_echo),
		cmocka_unit_test(interleavings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
