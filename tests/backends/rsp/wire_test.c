/* wire_test.c - packets over a link that refuses, splits, corrupts; acknowledgements; what is no packet. */
#include "backends/rsp/wire.h"

#include "backends/link/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct wire w;
static struct link *far;
static struct buf rx;
static char text[1 << 18];
static uint64_t now;

static void plug(enum fault kind, unsigned long every)
{
	struct link *near = link_pair_new(&far, 4096), *top = near ? link_fault_new(near, kind, every) : NULL;

	now = 1000;
	assert_non_null(top);
	assert_int_equal(wire_init(&w), 0);
	w.link = top;
	assert_int_equal(buf_init(&rx, 65536), 0);
}

static int unplug(void **state)
{
	(void)state;
	wire_fini(&w);
	link_destroy_stack(far);
	buf_fini(&rx);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	plug(FAULT_NONE, 0);
	return 0;
}

/* The stub says these bytes. */
static void told(const char *bytes)
{
	struct buf b = { .base = (uint8_t[4096]){ 0 }, .cap = 4096 };

	assert_int_equal(buf_put_text(&b, bytes), 0);
	assert_int_equal(link_send(far, &b, 0), 0);
}

static int push(void)
{
	int rc = 0;

	for (int i = 0; i < 10 && !wire_idle(&w) && rc >= 0; i++)
		rc = wire_push(&w, now);
	return rc;
}

/* Until a packet has come, with what is owed sent meanwhile. 0: none. */
static int pull(struct buf **body)
{
	int rc = 0, idle = 0;

	while (idle < 3) {
		rc = wire_pull(&w, body, now);
		if (push() < 0 || rc < 0 || *body)
			return rc;
		idle = rc ? 0 : idle + 1;
	}
	return 0;
}

static void gets(const char *want)
{
	struct buf *body;

	assert_int_equal(pull(&body), want ? 1 : 0);
	if (want)
		assert_true(span_is(buf_span(body), want));
}

static void breaks(const char *why)
{
	struct buf *body;

	assert_int_equal(pull(&body), -EPROTO);
	assert_string_equal(w.why, why);
}

/* What has arrived at the stub since the last call. */
static const char *arrived(void)
{
	size_t n = 0;

	while (link_recv(far, &rx, 0) == 1) {
		memcpy(text + n, buf_data(&rx), rx.len);
		n += rx.len;
	}
	text[n] = 0;
	return text;
}

static void asks(const char *body)
{
	assert_true(wire_idle(&w));
	assert_int_equal(buf_put_text(wire_open(&w), body), 0);
	assert_int_equal(wire_close(&w), 0);
	assert_false(wire_idle(&w));
	assert_true(push() >= 0);
	assert_true(wire_idle(&w));
}

static void asks_and_answers(void **state)
{
	(void)state;
	assert_int_equal(wire_push(&w, 0), 0);
	asks("g");
	assert_string_equal(arrived(), "$g#67");
	told("+$00#60");
	gets("00");
	assert_string_equal(arrived(), "+");
	gets(NULL);
}

/* What is owed when the next request is made goes with it, once. */
static void owed_with_the_next(void **state)
{
	struct buf *body;

	(void)state;
	asks("g");
	assert_string_equal(arrived(), "$g#67");
	told("+$00#60");
	assert_int_equal(wire_pull(&w, &body, 0), 1);
	assert_int_equal(buf_put_text(wire_open(&w), "g"), 0);
	assert_int_equal(wire_close(&w), 0);
	assert_true(push() >= 0);
	assert_string_equal(arrived(), "+$g#67");
	assert_true(wire_idle(&w));
}

static void two_packets_in_one_breath(void **state)
{
	(void)state;
	told("$O41#b4$OK#9a$");
	gets("O41");
	gets("OK");
	gets(NULL);
	told("T05#b9");
	gets("T05");
	assert_string_equal(arrived(), "+++");
}

static void without_acknowledgements(void **state)
{
	(void)state;
	w.no_ack = true;
	told("$OK#9a+-+");
	gets("OK");
	gets(NULL);
	assert_string_equal(arrived(), "");
	told("$OK#9b");
	breaks("its packets have wrong checksums");
}

static void asked_for_again(void **state)
{
	(void)state;
	asks("g");
	for (int i = 0; i < WIRE_RETRIES; i++) {
		told("-");
		gets(NULL);
	}
	assert_string_equal(arrived(), "$g#67$g#67$g#67$g#67");
	told("-");
	breaks("it asks for the same packet again and again");
}

/* A good packet ends the count. */
static void noise_on_the_line(void **state)
{
	(void)state;
	for (int i = 0; i < WIRE_RETRIES; i++) {
		told("$OK#00");
		gets(NULL);
	}
	assert_string_equal(arrived(), "---");
	told("$OK#9a");
	gets("OK");
	told("$OK#00");
	gets(NULL);
	assert_string_equal(arrived(), "+-");
	for (int i = 1; i < WIRE_RETRIES; i++) {
		told("$OK#00");
		gets(NULL);
	}
	told("$OK#00");
	breaks("its packets have wrong checksums");
}

static void what_is_no_packet(void **state)
{
	(void)state;
	told("booting...\r\n%Stop:T05#00\003");
	gets(NULL);
	told("$OK#9a");
	gets("OK");
	for (int i = 0; i < 4096 / 16 && !w.why; i++)
		told("0123456789abcdef");
	gets(NULL);
	for (int n = 0; n < 16; n++) {
		struct buf *body;

		for (int i = 0; i < 4096 / 16; i++)
			told("0123456789abcdef");
		if (pull(&body) < 0)
			break;
	}
	assert_string_equal(w.why, "it sends what is no packet");
}

static void a_packet_without_an_end(void **state)
{
	static char much[4001];
	struct buf *body;
	int rc = 0;

	(void)state;
	memset(much, 'a', sizeof much - 1);
	told("$");
	for (int i = 0; i < WIRE_BODY_MAX / 4000 + 2 && !rc; i++) {
		told(much);
		rc = pull(&body);
	}
	assert_int_equal(rc, -EPROTO); /* its end is not waited for */
	assert_string_equal(w.why, "its packet has no end");
}

/* One that is as long as it may be, and then one byte more, with their ends. */
static void the_longest_packet(void **state)
{
	static char much[4097];
	struct buf *body = NULL;

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		unplug(NULL);
		plug(FAULT_NONE, 0);
		memset(much, 'a', sizeof much - 1);
		told("$");
		for (int i = 0; i < WIRE_BODY_MAX / 4096; i++) {
			gets(NULL);
			told(much);
		}
		gets(NULL);
		told(extra ? "a#61" : "#00");
		assert_int_equal(pull(&body), extra ? -EPROTO : 1);
		if (!extra)
			assert_int_equal(body->len, WIRE_BODY_MAX);
	}
}

/* What was heard beside answers is told once. */
static void oddities(void **state)
{
	static const struct {
		const char *bytes;
		unsigned odd;
	} v[] = {
		{ "+", 0 }, { "$OK#9a", 0 }, { "$O41#b4+$OK#9a", 0 }, { "$a$OK#9a", 0 }, { "a", WIRE_ODD_NOISE }, { "\r\n", WIRE_ODD_NOISE },
		{ "\003", WIRE_ODD_NOISE }, { "%Stop:T05#00", WIRE_ODD_BADSUM }, { "%OK#9a", WIRE_ODD_NOTIFY }, { "-", WIRE_ODD_NAK },
		{ "$OK#9b", WIRE_ODD_BADSUM }, { "$OK#9z", WIRE_ODD_BADSUM },
		{ "a%OK#9a-$OK#00$OK#9a", WIRE_ODD_NOISE | WIRE_ODD_NOTIFY | WIRE_ODD_NAK | WIRE_ODD_BADSUM },
	};
	struct buf *body;

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		w.heard.any = false; /* the same answers again are not what is looked at here */
		told(v[i].bytes);
		while (pull(&body) == 1)
			;
		if (w.odd != v[i].odd)
			fail_msg("%s: %u", v[i].bytes, w.odd);
		w.odd = 0;
		told("$T05#b9");
		gets("T05");
		assert_int_equal(w.odd, 0);
	}
}

static uint64_t due(void)
{
	struct wait wt = wait_none();

	wire_wait(&w, &wt);
	assert_true(wt.read);
	return wt.until;
}

static void asks_once(const char *body)
{
	assert_int_equal(buf_put_text(wire_open(&w), body), 0);
	assert_int_equal(wire_close(&w), 0);
	wire_once(&w);
	assert_true(push() >= 0);
	assert_int_equal(due(), NEVER);
}

/* A question that may never be heard goes once. What it is answered is not a copy of the packet before. */
static void asked_once(void **state)
{
	(void)state;
	asks("?");
	told("+$S05#b8");
	gets("S05");
	asks_once("?");
	assert_string_equal(arrived(), "$?#3f+$?#3f");
	now += 2 * WIRE_RESENDS * WIRE_RESEND_MS;
	gets(NULL);
	assert_string_equal(arrived(), "");
	told("+$S05#b8");
	gets("S05");
	asks("g");
	assert_int_not_equal(due(), NEVER);
}

/* Refused alone it is asked again; refused behind a stop, it has been answered. */
static void asked_once_and_refused(void **state)
{
	(void)state;
	asks_once("?");
	arrived();
	told("-");
	gets(NULL);
	assert_string_equal(arrived(), "$?#3f");
	told("$T05thread:01;#07");
	gets("T05thread:01;");
	told("-");
	gets(NULL);
	assert_string_equal(arrived(), "+");
	asks("g");
	arrived();
	told("-");
	gets(NULL);
	assert_string_equal(arrived(), "$g#67");
}

/* Half a packet is given up in the end; what is left of it is noise, and the next one is heard. */
static void a_packet_that_does_not_end_in_time(void **state)
{
	(void)state;
	assert_int_equal(due(), NEVER);
	for (int i = 0; i < 2 * WIRE_RETRIES; i++) {
		told("$O414");
		gets(NULL);
		assert_int_equal(due(), now + WIRE_FRAME_MS + 4 * WIRE_BYTE_MS);
		now = due() - 1;
		gets(NULL);
		assert_int_equal(w.odd, 0);
		now++;
		gets(NULL);
		assert_int_equal(w.odd, WIRE_ODD_SLOW);
		assert_int_equal(due(), NEVER);
		w.odd = 0;
		told(i % 2 ? "1#f9$OK#9a" : "1#f9$T05#b9");
		gets(i % 2 ? "OK" : "T05"); /* and it begins to count again */
		assert_int_equal(w.odd, WIRE_ODD_NOISE);
		w.odd = 0;
		assert_int_equal(due(), NEVER);
	}
	for (int i = 0; i < WIRE_RETRIES; i++) {
		told("$O4");
		gets(NULL);
		now = due();
		gets(NULL);
	}
	told("$O4");
	gets(NULL);
	now = due();
	breaks("its packets do not end");
}

/* A packet that begins again and again has no more time than one. */
static void a_packet_that_begins_again(void **state)
{
	struct buf *body;
	uint64_t end = now + (WIRE_RETRIES + 1) * (uint64_t)(WIRE_FRAME_MS + 200);
	int rc = 0;

	(void)state;
	while (!rc && now < end) {
		told("$O4");
		rc = pull(&body);
		now += 50;
	}
	assert_int_equal(rc, -EPROTO);
	assert_string_equal(w.why, "its packets do not end");
}

/* Each has its own time, also where the line is never idle between two of them. */
static void packets_without_a_pause(void **state)
{
	(void)state;
	told("$O4");
	gets(NULL);
	for (int i = 0; i < 600; i++) {
		now += 50;
		told("1#b4$O4");
		gets("O41");
		gets(NULL);
	}
	assert_int_equal(w.odd, 0);
	assert_int_equal(due(), now + WIRE_FRAME_MS + 2 * WIRE_BYTE_MS);
}

/* The longest packet kdgate asks for, on a line of so many bytes each 100 ms. */
static void slow_lines(void **state)
{
	static const size_t lines[] = { 48, 96, 1152 }; /* 4800, 9600, 115200 baud */
	static char packet[16384 + 8];

	(void)state;
	memset(packet, '0', sizeof packet);
	packet[0] = '$';
	memcpy(packet + 16384, "#d0", 4); /* 16383 zeros */
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		size_t n = strlen(packet);
		struct buf *body = NULL;

		w.heard.any = false;
		for (size_t at = 0; at < n; at += lines[i], now += 100) {
			char piece[2048] = "";

			assert_null(body);
			memcpy(piece, packet + at, n - at < lines[i] ? n - at : lines[i]);
			told(piece);
			assert_true(pull(&body) >= 0);
		}
		assert_non_null(body);
		assert_int_equal(body->len, 16383);
		assert_int_equal(w.odd, 0);
	}
}

static bool noise(size_t n)
{
	static char much[4097];
	struct buf *body;

	memset(much, 'x', sizeof much - 1);
	for (; n; n -= n < 4096 ? n : 4096) {
		told(much + 4096 - (n < 4096 ? n : 4096));
		if (pull(&body) < 0)
			return false;
	}
	return true;
}

/* So much at once; and with the time it is forgotten, so that a console beside the packets is none of our business. */
static void noise_and_time(void **state)
{
	(void)state;
	assert_true(noise(WIRE_NOISE_MAX));
	now += 250;
	assert_true(noise(250 * WIRE_NOISE_MS));
	for (int i = 0; i < 200; i++) {
		now += 1000;
		assert_true(noise(1000 * WIRE_NOISE_MS));
	}
	now += WIRE_NOISE_MAX; /* longer than it takes */
	assert_true(noise(WIRE_NOISE_MAX));
	told("$OK#9a"); /* a packet in between does not help */
	gets("OK");
	assert_false(noise(1));
	assert_string_equal(w.why, "it sends what is no packet");
}

static void notifications_are_noise(void **state)
{
	struct buf *body;
	int rc = 0;

	(void)state;
	for (int i = 0; !rc && i <= WIRE_NOISE_MAX; i++) {
		told("%OK#9a");
		rc = pull(&body);
		assert_int_equal(rc < 0, i == WIRE_NOISE_MAX);
	}
	assert_string_equal(w.why, "it sends what is no packet");
}

/* The break goes alone, and not into a packet; who wants a packet again does not mean it. */
static void a_break(void **state)
{
	(void)state;
	wire_byte(&w, 0x03);
	assert_int_equal(push(), 1);
	assert_string_equal(arrived(), "\003");
	told("-");
	gets(NULL);
	assert_string_equal(arrived(), "");
}

/* It is no answer to anything, and takes the place of none that is owed. */
static void a_nudge(void **state)
{
	struct buf *body;

	(void)state;
	wire_nudge(&w);
	assert_false(wire_idle(&w));
	assert_int_equal(push(), 1);
	assert_string_equal(arrived(), "+");
	assert_true(wire_idle(&w));
	told("$OK#00");
	assert_int_equal(wire_pull(&w, &body, now), 1);
	wire_nudge(&w);
	assert_int_equal(push(), 1);
	assert_string_equal(arrived(), "-");
}

static void a_request_that_does_not_fit(void **state)
{
	struct buf *out;

	(void)state;
	out = wire_open(&w);
	while (buf_put_u8(out, 'a') == 0)
		;
	assert_int_equal(wire_close(&w), -ENOBUFS);
}

static void the_end_of_the_line(void **state)
{
	struct buf *body;

	(void)state;
	told("$OK#9a$O");
	link_destroy_stack(far);
	far = NULL;
	gets("OK");
	assert_int_equal(wire_pull(&w, &body, 0), 1); /* the half packet */
	assert_null(body);
	assert_int_equal(wire_pull(&w, &body, 0), -EPIPE);
}

static void later(uint64_t ms)
{
	now += ms;
	gets(NULL);
	assert_true(wire_push(&w, now) >= 0);
}

/* With the time: what was asked is given to the link now. */
static void asks_now(const char *body)
{
	assert_int_equal(buf_put_text(wire_open(&w), body), 0);
	assert_int_equal(wire_close(&w), 0);
	assert_int_equal(wire_push(&w, now), 1);
}

enum { ONE = WIRE_RESEND_MS + 5 * WIRE_BYTE_MS }; /* for a request of one letter */

static void sent_again_without_an_acknowledgement(void **state)
{
	(void)state;
	asks_now("g");
	assert_string_equal(arrived(), "$g#67");
	assert_int_equal(due(), now + ONE);
	for (int i = 0; i < WIRE_RESENDS; i++) {
		later(ONE - 1);
		assert_string_equal(arrived(), "");
		later(1);
		assert_string_equal(arrived(), "$g#67");
		assert_int_equal(due(), now + ONE);
	}
	now += ONE;
	breaks("it does not acknowledge what it is sent");
}

/* A + ends it, or the answer itself where the + was lost; nothing is sent again where nothing is acknowledged. */
static void acknowledged_in_time(void **state)
{
	static const char *const answers[] = { "+", "$00#60" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		asks_now("g");
		told(answers[i]);
		gets(i ? "00" : NULL);
		assert_int_equal(due(), NEVER);
		later(10 * ONE);
		assert_string_equal(arrived(), i ? "$g#67+" : "$g#67");
	}
	w.no_ack = true;
	asks_now("g");
	assert_int_equal(due(), NEVER);
	w.no_ack = false;
	wire_byte(&w, 0x03);
	assert_int_equal(wire_push(&w, now), 1);
	assert_int_equal(due(), NEVER);
}

/* A long packet has time to get through a slow line; and while its answer is coming nothing is sent. */
static void not_too_soon(void **state)
{
	static char body[1001];

	(void)state;
	memset(body, 'm', sizeof body - 1);
	asks_now(body);
	assert_int_equal(due(), now + WIRE_RESEND_MS + 1004 * WIRE_BYTE_MS);
	assert_int_equal(strlen(arrived()), 1004);
	told("$0");
	later(WIRE_RESEND_MS + 1004 * WIRE_BYTE_MS);
	assert_string_equal(arrived(), "");
	told("0#60");
	gets("00");
	assert_string_equal(arrived(), "+");
}

static void the_same_again(void **state)
{
	(void)state;
	asks_now("g");
	told("+$00#60$00#60$00#60");
	gets("00");
	gets(NULL);
	assert_string_equal(arrived(), "$g#67++"); /* one is enough for those that came together */
	asks_now("g");
	told("$00#60"); /* on its way before the stub heard this request: it has no + before it */
	gets(NULL);
	told("+$00#60");
	gets("00");
	told("$O0a#e0$O0a#e0"); /* two empty lines */
	gets("O0a");
	gets("O0a");
	told("$00#60");
	gets(NULL);
	assert_int_equal(w.odd, 0);
}

/* A stop like the last one is news after a resume, and after a break. */
static void the_same_stop(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		asks_now("c");
		told("+$T05#b9");
		gets("T05");
		told("$T05#b9");
		gets(NULL);
		wire_byte(&w, 0x03);
		assert_int_equal(wire_push(&w, now), 1);
		told("$T05#b9");
		gets("T05");
		told("$T05#b9");
		gets(NULL);
	}
}

/* A slow stub answers each copy. The next request waits for that, but not for ever. */
static void answered_twice(void **state)
{
	struct buf *body;

	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		asks_now("g");
		later(ONE);
		assert_string_equal(arrived(), "$g#67$g#67");
		told("+$00#60");
		assert_int_equal(wire_pull(&w, &body, now), 1);
		assert_int_equal(buf_put_text(wire_open(&w), "p0"), 0);
		assert_int_equal(wire_close(&w), 0);
		later(0);
		assert_string_equal(arrived(), "+");
		assert_int_equal(due(), now + WIRE_SETTLE_MS);
		later(WIRE_SETTLE_MS - 1);
		if (!lost)
			told("+$00#60");
		later(lost);
		assert_string_equal(arrived(), lost ? "$p0#a0" : "+$p0#a0");
		told("+$11#62");
		gets("11");
		assert_string_equal(arrived(), "+");
	}
}

static void the_same_without_end(void **state)
{
	struct buf *body;
	int rc = 0;

	(void)state;
	told("$00#60");
	gets("00");
	for (int i = 0; !rc && i <= WIRE_NOISE_MAX; i++) {
		told("$00#60");
		rc = pull(&body);
	}
	assert_int_equal(rc, -EPROTO);
	assert_string_equal(w.why, "it sends the same packet again and again");
}

/* A line that loses what is sent, and a stub that acknowledges and answers each request it hears: each gets its own answer. */
static void lost_requests(void **state)
{
	(void)state;
	for (unsigned long every = 2; every <= 7; every++) {
		unplug(NULL);
		plug(FAULT_DROP, every);
		for (unsigned i = 0; i < 100; i++) {
			char ask[16], answer[24];
			struct buf *body = NULL;
			unsigned tries = 0;

			snprintf(ask, sizeof ask, "p%02u", i);
			assert_int_equal(buf_put_text(wire_open(&w), ask), 0);
			assert_int_equal(wire_close(&w), 0);
			snprintf(answer, sizeof answer, "+$%02u#%02x", i, (unsigned)('0' + i / 10 + '0' + i % 10));
			while (!body && tries++ < 2 * WIRE_RESENDS) {
				assert_true(pull(&body) >= 0);
				if (strstr(arrived(), ask))
					told(answer);
				if (!body && pull(&body) == 0)
					now = due() == NEVER ? now : due();
			}
			assert_non_null(body);
			assert_true(span_is(buf_span(body), (char[]){ (char)('0' + i / 10), (char)('0' + i % 10), 0 }));
		}
	}
}

/* The same on every line that loses nothing; and nothing is said twice. */
static void every_fault(void **state)
{
	static const enum fault kinds[] = { FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL };

	(void)state;
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
		for (unsigned long n = 1; n <= 20; n++) {
			unplug(NULL);
			plug(kinds[k], n);
			for (int i = 0; i < 20; i++) {
				asks("m1000,4");
				told("+$00010203#86");
				gets("00010203");
				assert_string_equal(arrived(), "$m1000,4#8e+");
			}
		}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, unplug)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(asks_and_answers), CASE(owed_with_the_next), CASE(two_packets_in_one_breath), CASE(without_acknowledgements), CASE(asked_for_again),
		CASE(noise_on_the_line), CASE(what_is_no_packet), CASE(a_packet_without_an_end), CASE(a_break), CASE(a_nudge),
		CASE(the_longest_packet), CASE(oddities), CASE(a_packet_that_does_not_end_in_time), CASE(a_packet_that_begins_again),
		CASE(packets_without_a_pause), CASE(slow_lines), CASE(noise_and_time), CASE(notifications_are_noise),
		CASE(a_request_that_does_not_fit), CASE(the_end_of_the_line), CASE(every_fault),
		CASE(sent_again_without_an_acknowledgement), CASE(acknowledged_in_time), CASE(not_too_soon), CASE(the_same_again), CASE(the_same_stop),
		CASE(answered_twice), CASE(the_same_without_end), CASE(lost_requests), CASE(asked_once), CASE(asked_once_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
