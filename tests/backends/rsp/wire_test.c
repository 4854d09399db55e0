/* wire_test.c - packets over a link that refuses, splits, corrupts; acknowledgements; what is no packet. */
#include "backends/rsp/wire.h"

#include "backends/link/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct wire w;
static struct link *far;
static struct buf rx;
static char text[1 << 18];

static void plug(enum fault kind, unsigned long every)
{
	struct link *near = link_pair_new(&far, 4096), *top = near ? link_fault_new(near, kind, every) : NULL;

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
		rc = wire_push(&w, 0);
	return rc;
}

/* Until a packet has come, with what is owed sent meanwhile. 0: none. */
static int pull(struct buf **body)
{
	int rc = 0, idle = 0;

	while (idle < 3) {
		rc = wire_pull(&w, body, 0);
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
	if (!rc)
		told("#40");
	breaks("its packet has no end");
}

/* The break goes alone, and not into a packet. */
static void a_break(void **state)
{
	(void)state;
	wire_byte(&w, 0x03);
	assert_int_equal(push(), 1);
	assert_string_equal(arrived(), "\003");
	told("-");
	gets(NULL);
	assert_string_equal(arrived(), "\003");
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
		CASE(noise_on_the_line), CASE(what_is_no_packet), CASE(a_packet_without_an_end), CASE(a_break),
		CASE(a_request_that_does_not_fit), CASE(the_end_of_the_line), CASE(every_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
