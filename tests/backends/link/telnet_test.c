/* telnet_test.c - options without loops, bytes escaped and cut anywhere, a port that takes its mode, or does not. */
#include "backends/link/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define IAC "\377"
#define WILL IAC "\373"
#define WONT IAC "\374"
#define DO IAC "\375"
#define DONT IAC "\376"
#define SB IAC "\372"
#define SE IAC "\360"
#define BIN "\0"
#define ECHO "\001"
#define SGA "\003"
#define PORT "\054"
#define BRK IAC "\363"
#define OPENING WILL BIN WILL SGA DO BIN DO SGA
#define BINARY DO BIN WILL BIN

/* A string literal with its zeros. */
#define B(text) text, sizeof(text) - 1

static const struct serial_mode mode = { .baud = 115200, .bits = 8, .parity = 'n', .stops = 1 };
#define ASKED SB PORT "\001\0\001\302\0" SE SB PORT "\002\010" SE SB PORT "\003\001" SE SB PORT "\004\001" SE SB PORT "\005\001" SE SB PORT "\014\003" SE
#define GRANTED SB PORT "\145\0\001\302\0" SE SB PORT "\146\010" SE SB PORT "\147\001" SE SB PORT "\150\001" SE
#define BREAK_ON SB PORT "\005\005" SE
#define BREAK_OFF SB PORT "\005\006" SE

enum { AGREE_MS = 3000, BREAK_MS = 250, SB_MAX = 4096 };

static struct link *lk, *far_end;
static struct buf out, in, heard;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	return buf_init(&out, 65536) || buf_init(&in, 65536) || buf_init(&heard, 65536);
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	buf_fini(&in);
	buf_fini(&heard);
	return 0;
}

static void plug(const struct serial_mode *m, enum fault kind, unsigned long every)
{
	struct link *pair = link_pair_new(&far_end, 65536), *fault;

	assert_non_null(pair);
	fault = link_fault_new(pair, kind, every);
	assert_non_null(fault);
	lk = link_telnet_new(fault, m);
	assert_non_null(lk);
	now = 1000;
}

static int unplug(void **state)
{
	(void)state;
	link_destroy_stack(lk);
	link_destroy_stack(far_end);
	lk = far_end = NULL;
	return 0;
}

static int plain(void **state)
{
	(void)state;
	plug(NULL, FAULT_NONE, 0);
	return 0;
}

static int port(void **state)
{
	(void)state;
	plug(&mode, FAULT_NONE, 0);
	return 0;
}

/* The far end says these bytes. */
static void told(const char *bytes, size_t n)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, bytes, n), 0);
	assert_int_equal(link_send(far_end, &out, now), 0);
}

/* All that comes up now; the last result. */
static int receive(void)
{
	int rc, idle = 0;

	buf_reset(&heard, 0);
	for (;;) {
		rc = link_recv(lk, &in, now);
		if (rc == 1)
			assert_int_equal(buf_put_span(&heard, buf_span(&in)), 0);
		idle = rc == 1 ? 0 : idle + 1;
		if (rc < 0 || idle == 3)
			return rc;
	}
}

static void same(struct span got, const char *bytes, size_t n)
{
	assert_int_equal(got.len, n);
	assert_memory_equal(got.p, bytes, n);
}

static void gets(const char *bytes, size_t n)
{
	assert_int_equal(receive(), 0);
	same(buf_span(&heard), bytes, n);
}

/* What has arrived at the far end. */
static void arrived(const char *bytes, size_t n)
{
	buf_reset(&heard, 0);
	while (link_recv(far_end, &in, now) == 1)
		assert_int_equal(buf_put_span(&heard, buf_span(&in)), 0);
	same(buf_span(&heard), bytes, n);
}

static void offered(const char *bytes, size_t n)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, bytes, n), 0);
}

static int says(const char *bytes, size_t n)
{
	offered(bytes, n);
	for (int i = 0; i < 100; i++) {
		int rc = link_send(lk, &out, now);

		if (rc != -EAGAIN)
			return rc;
		(void)!link_recv(lk, &in, now);
	}
	return -EAGAIN;
}

static uint64_t due(void)
{
	struct wait w = wait_none();

	link_wait(lk, &w);
	return w.until;
}

static void breaks(int error, const char *why)
{
	assert_int_equal(receive(), error);
	assert_non_null(link_why(lk));
	assert_string_equal(link_why(lk), why);
	offered(B("x"));
	assert_int_equal(link_send(lk, &out, now), error);
	assert_int_equal(link_attention(lk, now), error);
	assert_int_equal(receive(), error);
}

static void opens_with_what_it_wants(void **state)
{
	(void)state;
	gets(B(""));
	arrived(B(OPENING));
	told(B(DO BIN DO SGA WILL BIN WILL SGA)); /* agreed: nothing more to say, whatever is repeated */
	told(B(DO BIN DO SGA WILL BIN WILL SGA));
	gets(B(""));
	arrived(B(""));
	assert_int_equal(due(), NEVER);
}

static void refuses_what_it_does_not_know(void **state)
{
	(void)state;
	told(B(WILL ECHO DO ECHO DO "\030" WILL PORT DO PORT "a" DO "\377"));
	gets(B("a"));
	arrived(B(OPENING DONT ECHO WONT ECHO WONT "\030" DONT PORT WONT PORT WONT "\377"));
	told(B(WILL ECHO DO ECHO)); /* once */
	gets(B(""));
	arrived(B(""));
	told(B(WONT ECHO WILL ECHO)); /* again, when it has changed its mind */
	gets(B(""));
	arrived(B(DONT ECHO));
}

static void what_ends_and_begins_again(void **state)
{
	(void)state;
	told(B(DONT BIN WONT BIN));
	gets(B(""));
	arrived(B(OPENING));
	told(B(DO BIN WILL BIN));
	gets(B(""));
	arrived(B(WILL BIN DO BIN));
	told(B(DONT BIN WONT BIN));
	gets(B(""));
	arrived(B(WONT BIN DONT BIN));
	told(B(DONT BIN WONT BIN WONT ECHO DONT ECHO));
	gets(B(""));
	arrived(B(""));
}

static void without_end(void **state)
{
	int rc = 0;

	(void)state;
	for (int i = 0; !rc && i < 2000; i++) {
		told(B(WILL ECHO WONT ECHO));
		rc = receive();
		while (link_recv(far_end, &in, now) == 1)
			;
	}
	assert_int_equal(rc, -EPROTO);
	breaks(-EPROTO, "it negotiates options without end");
}

/* One that fills our mouth and never listens. */
static void never_reads(void **state)
{
	(void)state;
	buf_reset(&out, 0);
	for (int i = 0; i < 65536; i++)
		assert_int_equal(buf_put_u8(&out, 'x'), 0);
	assert_int_equal(link_send(lk, &out, now), -EAGAIN);
	for (int i = 0; i < 500; i++)
		told(B(WILL ECHO WONT ECHO));
	breaks(-EPROTO, "it asks for options, and does not read the answers");
}

static void bytes_out(void **state)
{
	(void)state;
	assert_int_equal(says(B("a\377b\377\377\r\n\r\0c")), 0);
	arrived(B(OPENING "a\377\377b\377\377\377\377\r\0\n\r\0\0c"));
	told(B(DO BIN));
	gets(B(""));
	assert_int_equal(says(B("a\377b\r\n\r\0c")), 0);
	arrived(B("a\377\377b\r\n\r\0c"));
}

/* Every way to cut what comes, in two and in single bytes. */
static void cut_everywhere(const char *wire, size_t wire_n, const char *data, size_t n)
{
	for (size_t at = 0; at <= wire_n + 1; at++) {
		unplug(NULL);
		plug(NULL, FAULT_NONE, 0);
		if (at > wire_n) {
			for (size_t i = 0; i < wire_n; i++)
				told(wire + i, 1);
		} else {
			static struct buf first;

			assert_int_equal(buf_init(&first, 4096), 0);
			told(wire, at);
			assert_int_equal(receive(), 0);
			assert_int_equal(buf_put_span(&first, buf_span(&heard)), 0);
			told(wire + at, wire_n - at);
			assert_int_equal(receive(), 0);
			assert_int_equal(buf_put_span(&first, buf_span(&heard)), 0);
			same(buf_span(&first), data, n);
			buf_fini(&first);
			continue;
		}
		gets(data, n);
	}
}

static void bytes_in(void **state)
{
	(void)state;
	cut_everywhere(B("a\377\377b\r\0c\r\nd\0e\r\r\0"), B("a\377b\rc\r\nd\0e\r\r"));
	cut_everywhere(B(WILL BIN "a\r\0b\r\nc\377\377"), B("a\r\0b\r\nc\377"));
	cut_everywhere(B("a" IAC "\361" "b" IAC "\371" IAC "\362" "c" SE "d" IAC "\001" "e"), B("abcde"));
	cut_everywhere(B("a" SB "\030abc\377\377\377\360" "b" SB SE "c"), B("abc"));
	cut_everywhere(B("a" SB "\030abc" WILL ECHO "b"), B("ab")); /* a lost end */
	cut_everywhere(B("a" SB "\030abc" SB "\030" SE "b"), B("ab"));
	cut_everywhere(B("\r" IAC "\361" "a"), B("\ra"));
}

static void subnegotiations_are_bounded(void **state)
{
	static char much[SB_MAX + 1];

	(void)state;
	memset(much, 'x', sizeof much);
	told(B(SB));
	told(much, SB_MAX);
	told(B(SE "a"));
	gets(B("a"));
	assert_int_equal(lk->dropped, 1);
	told(B(SB));
	told(much, SB_MAX + 1);
	breaks(-EPROTO, "a telnet subnegotiation without end");
}

/* Options alone are not the end of what can be heard: and however many there are, the program is not kept for ever. */
static void options_before_data(void **state)
{
	(void)state;
	unplug(NULL);
	plug(NULL, FAULT_SPLIT, 1);
	told(B(WILL ECHO WILL ECHO "a"));
	assert_int_equal(link_recv(lk, &in, now), 1);
	for (int i = 0; i < 40; i++)
		told(B(WILL ECHO));
	told(B("b"));
	assert_int_equal(link_recv(lk, &in, now), 0);
	assert_int_equal(due(), now);
	assert_int_equal(link_recv(lk, &in, now), 1);
	assert_int_equal(due(), NEVER);
}

static void a_break_by_command(void **state)
{
	(void)state;
	assert_int_equal(link_attention(lk, now), 0);
	assert_int_equal(says(B("g")), 0);
	arrived(B(OPENING BRK "g"));
	assert_int_equal(due(), NEVER);
}

/* The line is full in the middle of anything: what arrives is the same. */
static void refused_anywhere(void **state)
{
	(void)state;
	for (size_t room = 0; room < 40; room++) {
		size_t before;

		unplug(NULL);
		plug(NULL, FAULT_NONE, 0);
		gets(B(""));
		arrived(B(OPENING));
		buf_reset(&out, 0);
		for (size_t i = 0; i < 65536 - room; i++)
			assert_int_equal(buf_put_u8(&out, 'x'), 0);
		assert_int_equal(link_send(lk, &out, now), 0);
		offered(B("a\377\377b\377\r\rc\377d"));
		before = out.len;
		assert_int_equal(link_send(lk, &out, now), room < 16 ? -EAGAIN : 0);
		assert_true(room || out.len == before);
		buf_reset(&heard, 0);
		while (link_recv(far_end, &in, now) == 1)
			assert_int_equal(buf_put_span(&heard, buf_span(&in)), 0);
		heard.off += 65536 - room;
		heard.len -= 65536 - room;
		assert_int_equal(link_attention(lk, now), 0);
		if (out.len)
			assert_int_equal(link_send(lk, &out, now), 0);
		while (link_recv(far_end, &in, now) == 1) {
			buf_pack(&heard);
			assert_int_equal(buf_put_span(&heard, buf_span(&in)), 0);
		}
		for (size_t i = 0; i + 1 < heard.len; i++) /* the break, wherever it came to be: between two characters */
			if (!memcmp(buf_data(&heard) + i, BRK, 2)) {
				memmove(buf_data(&heard) + i, buf_data(&heard) + i + 2, heard.len - i - 2);
				heard.len -= 2;
				break;
			}
		same(buf_span(&heard), B("a\377\377\377\377b\377\377\r\0\r\0c\377\377d"));
	}
}

static void a_port_that_takes_its_mode(void **state)
{
	(void)state;
	offered(B("$?#3f"));
	gets(B(""));
	assert_int_equal(due(), now + AGREE_MS);
	assert_int_equal(link_send(lk, &out, now), -EAGAIN);
	assert_int_equal(link_attention(lk, now), -EAGAIN);
	arrived(B(OPENING WILL PORT));
	told(B(BINARY DO PORT));
	gets(B(""));
	arrived(B(ASKED));
	told(B(GRANTED));
	gets(B(""));
	assert_int_equal(due(), NEVER);
	assert_int_equal(says(B("\r\377")), 0);
	arrived(B("\r\377\377"));
	told(B(DO PORT SB PORT "\152\001" SE "a" SB PORT "\153\020" SE SB PORT SE SB PORT "\145" SE SB PORT "\145\0\0\0\001" SE "b"));
	gets(B("ab")); /* what it tells of itself; nothing is asked again */
	arrived(B(""));
}

/* Every answer cut anywhere. */
static void a_port_in_pieces(void **state)
{
	(void)state;
	for (size_t at = 0; at < sizeof(BINARY DO PORT GRANTED) - 1; at++) {
		static const char all[] = BINARY DO PORT GRANTED;

		unplug(NULL);
		plug(&mode, FAULT_NONE, 0);
		told(all, at);
		gets(B(""));
		told(all + at, sizeof all - 1 - at);
		gets(B(""));
		arrived(B(OPENING WILL PORT ASKED));
		assert_int_equal(says(B("g")), 0);
		arrived(B("g"));
	}
}

static void modes(void **state)
{
	static const struct { struct serial_mode mode; const char *asked; size_t asked_n; const char *granted; size_t granted_n; } v[] = {
		{ { 9600, 7, 'e', 2, true }, B(SB PORT "\001\0\0\045\200" SE SB PORT "\002\007" SE SB PORT "\003\003" SE SB PORT "\004\002" SE SB PORT "\005\003" SE),
		  B(SB PORT "\145\0\0\045\200" SE SB PORT "\146\007" SE SB PORT "\147\003" SE SB PORT "\150\002" SE SB PORT "\151\003" SE) },
		{ { 65535, 8, 'o', 1, false },
		  B(SB PORT "\001\0\0\377\377\377\377" SE SB PORT "\002\010" SE SB PORT "\003\002" SE SB PORT "\004\001" SE SB PORT "\005\001" SE),
		  B(SB PORT "\145\0\0\377\377\377\377" SE SB PORT "\146\010" SE SB PORT "\147\002" SE SB PORT "\150\001" SE) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		unplug(NULL);
		plug(&v[i].mode, FAULT_NONE, 0);
		gets(B(""));
		arrived(B(OPENING WILL PORT));
		told(B(DO PORT));
		gets(B(""));
		buf_reset(&heard, 0);
		assert_int_equal(link_recv(far_end, &in, now), 1);
		in.len -= sizeof(SB PORT "\014\003" SE) - 1;
		same(buf_span(&in), v[i].asked, v[i].asked_n);
		told(v[i].granted, v[i].granted_n - 1);
		gets(B(""));
		offered(B("g"));
		assert_int_equal(link_send(lk, &out, now), -EAGAIN);
		told(v[i].granted + v[i].granted_n - 1, 1);
		gets(B(""));
		assert_int_equal(says(B("g")), 0);
		arrived(B("g"));
	}
}

static void ports_that_are_none(void **state)
{
	static const struct { const char *told; size_t n; const char *why; } v[] = {
		{ B(DONT PORT), "it refuses the COM-PORT option: this is no RFC 2217 port" },
		{ B("hello" DONT PORT), "it refuses the COM-PORT option: this is no RFC 2217 port" },
		{ B(DO PORT GRANTED DONT PORT), "it refuses the COM-PORT option: this is no RFC 2217 port" },
		{ B(DO PORT SB PORT "\145\0\0\045\200" SE), "the port does not take that speed" },
		{ B(DO PORT SB PORT "\145\0\0\0\0" SE), "the port does not take that speed" },
		{ B(DO PORT SB PORT "\146\007" SE), "the port does not take that number of data bits" },
		{ B(DO PORT SB PORT "\147\003" SE), "the port does not take that parity" },
		{ B(DO PORT SB PORT "\150\002" SE), "the port does not take that number of stop bits" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		unplug(NULL);
		plug(&mode, FAULT_NONE, 0);
		told(v[i].told, v[i].n);
		while (receive() == 0)
			;
		breaks(-EPROTONOSUPPORT, v[i].why);
	}
}

/* Answers that are none change nothing; then the time is up. */
static void ports_that_do_not_answer(void **state)
{
	(void)state;
	told(B("login: " SB PORT SE SB PORT "\145\0\0" SE SB PORT "\145\0\001\302\0\0" SE SB PORT "\001\0\001\302\0" SE SB "\001" PORT "\145" SE));
	gets(B("login: "));
	now += AGREE_MS - 1;
	gets(B(""));
	now++;
	breaks(-EPROTONOSUPPORT, "it does not answer the COM-PORT option: this is no RFC 2217 port");

	unplug(NULL);
	plug(&mode, FAULT_NONE, 0);
	told(B(DO PORT SB PORT "\145\0\001\302\0" SE SB PORT "\146\010" SE SB PORT "\147\001" SE));
	gets(B(""));
	now = due();
	breaks(-EPROTONOSUPPORT, "the port does not tell whether it took its mode");
}

/* An answer that is there is heard, however late we look. */
static void looked_at_late(void **state)
{
	(void)state;
	gets(B(""));
	told(B(DO PORT GRANTED));
	now += 10 * AGREE_MS;
	gets(B(""));
	assert_int_equal(says(B("g")), 0);
}

static void granted(void)
{
	told(B(BINARY DO PORT GRANTED));
	gets(B(""));
	arrived(B(OPENING WILL PORT ASKED));
}

static void a_break_with_a_length(void **state)
{
	(void)state;
	granted();
	assert_int_equal(link_attention(lk, now), 0);
	arrived(B(BREAK_ON));
	assert_int_equal(due(), now + BREAK_MS);
	assert_int_equal(link_attention(lk, now), 0); /* it is on */
	offered(B("g"));
	assert_int_equal(link_send(lk, &out, now), -EAGAIN);
	now += BREAK_MS - 1;
	gets(B(""));
	assert_int_equal(link_send(lk, &out, now), -EAGAIN);
	arrived(B(""));
	now++;
	gets(B(""));
	assert_int_equal(link_send(lk, &out, now), 0);
	arrived(B(BREAK_OFF "g"));
	assert_int_equal(due(), NEVER);
	assert_int_equal(link_attention(lk, now), 0); /* and once more, ended by what follows it */
	now += BREAK_MS;
	assert_int_equal(link_send(lk, &out, now), 0);
	arrived(B(BREAK_ON BREAK_OFF));
	assert_int_equal(link_attention(lk, now), 0);
	link_destroy_stack(lk);
	lk = NULL;
	arrived(B(BREAK_ON BREAK_OFF)); /* a line is not left so */
}

static void flow(void **state)
{
	(void)state;
	granted();
	told(B(SB PORT "\154" SE));
	gets(B(""));
	offered(B("g"));
	assert_int_equal(link_send(lk, &out, now), -EAGAIN);
	assert_int_equal(link_attention(lk, now), 0); /* a break is no byte */
	now += BREAK_MS;
	gets(B(""));
	assert_int_equal(link_send(lk, &out, now), -EAGAIN);
	told(B(SB PORT "\155" SE));
	gets(B(""));
	offered(B("g"));
	assert_int_equal(link_send(lk, &out, now), 0);
	arrived(B(BREAK_ON BREAK_OFF "g"));
}

/* A port that was not asked for is not spoken to. */
static void plain_is_no_port(void **state)
{
	(void)state;
	told(B(SB PORT "\154" SE DONT PORT));
	gets(B(""));
	assert_int_equal(says(B("g")), 0);
	arrived(B(OPENING "g"));
}

static void the_end_of_the_line(void **state)
{
	(void)state;
	granted();
	told(B("bye" WILL ECHO));
	link_destroy_stack(far_end);
	far_end = NULL;
	assert_int_equal(receive(), -EPIPE);
	same(buf_span(&heard), B("bye"));
	assert_int_equal(receive(), -EPIPE);
	assert_null(link_why(lk));
	offered(B("x"));
	assert_int_equal(link_send(lk, &out, now), -EPIPE);
	assert_int_equal(link_attention(lk, now), -EPIPE);
}

/* Any bytes go through two of us that face each other, over lines that refuse, split and stall. */
static void any_bytes(void **state)
{
	static const enum fault kinds[] = { FAULT_NONE, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL };

	(void)state;
	srand(1);
	for (int round = 0; round < 200; round++) {
		struct link *pair, *other;
		size_t sent = 0, got = 0;
		uint8_t bytes[3000];

		unplug(NULL);
		pair = link_pair_new(&far_end, 1 + (size_t)rand() % 40);
		lk = link_telnet_new(link_fault_new(pair, kinds[round % 4], 1 + (unsigned)rand() % 4), NULL);
		other = link_telnet_new(far_end, NULL);
		for (int i = 0; i < 60; i++) { /* until both have agreed: what a CR is like may not change under way */
			(void)!link_recv(lk, &in, now);
			(void)!link_recv(other, &in, now);
		}
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (uint8_t)(rand() % 3 ? "\377\r\0\n\360\372\373"[rand() % 7] : rand());
		for (int idle = 0; got < sizeof bytes && idle < 1000; idle++) {
			size_t n = (size_t)rand() % 100;

			n = n < sizeof bytes - sent ? n : sizeof bytes - sent;
			offered((const char *)bytes + sent, n);
			(void)!link_send(lk, &out, now);
			sent += n - out.len;
			(void)!link_recv(lk, &in, now);
			while (link_recv(other, &in, now) == 1) {
				assert_memory_equal(buf_data(&in), bytes + got, in.len);
				got += in.len;
			}
		}
		assert_int_equal(got, sizeof bytes);
		far_end = other;
	}
}

#define PLAIN(f) cmocka_unit_test_setup_teardown(f, plain, unplug)
#define A_PORT(f) cmocka_unit_test_setup_teardown(f, port, unplug)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(opens_with_what_it_wants), PLAIN(refuses_what_it_does_not_know), PLAIN(what_ends_and_begins_again), PLAIN(without_end),
		PLAIN(never_reads), PLAIN(bytes_out), PLAIN(bytes_in), PLAIN(subnegotiations_are_bounded), PLAIN(options_before_data),
		PLAIN(a_break_by_command), PLAIN(refused_anywhere), A_PORT(a_port_that_takes_its_mode), A_PORT(a_port_in_pieces), A_PORT(modes),
		A_PORT(ports_that_are_none), A_PORT(ports_that_do_not_answer), A_PORT(looked_at_late), A_PORT(a_break_with_a_length), A_PORT(flow),
		PLAIN(plain_is_no_port), A_PORT(the_end_of_the_line), PLAIN(any_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
