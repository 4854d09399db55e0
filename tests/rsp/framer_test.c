/* framer_test.c - every vector is fed whole, then cut at every byte, against a guard page. */
#include "rsp/framer.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BYTES(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static const struct vector {
	const char *name;
	enum rsp_framer_mode mode;
	struct span in;
	enum rsp_event last;
	struct span body;
} vectors[] = {
	{ "empty", RSP_STRICT, BYTES("$#00"), RSP_PACKET, BYTES("") },
	{ "plain", RSP_STRICT, BYTES("$m10,4#2e"), RSP_PACKET, BYTES("m10,4") },
	{ "upper-case sum", RSP_STRICT, BYTES("$m10,4#2E"), RSP_PACKET, BYTES("m10,4") },
	{ "ack", RSP_STRICT, BYTES("+"), RSP_ACK, BYTES("") },
	{ "nak", RSP_STRICT, BYTES("-"), RSP_NAK, BYTES("") },
	{ "break", RSP_STRICT, BYTES("\x03"), RSP_BREAK, BYTES("") },
	{ "break inside is data", RSP_STRICT, BYTES("$X1,1:\x03#23"), RSP_PACKET, BYTES("X1,1:\x03") },
	{ "escape stays", RSP_STRICT, BYTES("$}\x03#80"), RSP_PACKET, BYTES("}\x03") },
	{ "percent inside", RSP_STRICT, BYTES("$a%b#e8"), RSP_PACKET, BYTES("a%b") },
	{ "notification from a client", RSP_STRICT, BYTES("%"), RSP_NOISE, BYTES("") },
	{ "noise", RSP_STRICT, BYTES("!"), RSP_NOISE, BYTES("") },
	{ "EOT between packets", RSP_STRICT, BYTES("\x04"), RSP_NOISE, BYTES("") },
	{ "run-length from a client", RSP_STRICT, BYTES("$m10* ,4#78"), RSP_MALFORMED, BYTES("m10,4") },
	{ "run-length then hash", RSP_STRICT, BYTES("$a*#"), RSP_BROKEN, BYTES("a") },
	{ "dollar inside", RSP_STRICT, BYTES("$m10$"), RSP_BROKEN, BYTES("m10") },
	{ "escaped hash", RSP_STRICT, BYTES("$a}#"), RSP_BROKEN, BYTES("a}") },
	{ "escaped dollar", RSP_STRICT, BYTES("$a}$"), RSP_BROKEN, BYTES("a}") },
	{ "escaped brace", RSP_STRICT, BYTES("$a}}#5b"), RSP_MALFORMED, BYTES("a}}") },
	{ "bad sum", RSP_STRICT, BYTES("$g#68"), RSP_BADSUM, BYTES("g") },
	{ "sum not hex", RSP_STRICT, BYTES("$g#z"), RSP_BROKEN, BYTES("g") },
	{ "second digit not hex", RSP_STRICT, BYTES("$g#6z"), RSP_BROKEN, BYTES("g") },
	{ "just fits", RSP_STRICT, BYTES("$0123456789abcdef#62"), RSP_PACKET, BYTES("0123456789abcdef") },
	{ "too big", RSP_STRICT, BYTES("$0123456789abcdef0#92"), RSP_TOOBIG, BYTES("") },
	{ "NUL is a byte", RSP_STRICT, BYTES("$a\0b#c3"), RSP_PACKET, BYTES("a\0b") },

	{ "run length", RSP_TOLERANT, BYTES("$0* #7a"), RSP_PACKET, BYTES("0000") },
	{ "longest run that fits", RSP_TOLERANT, BYTES("$0*,#86"), RSP_PACKET, BYTES("0000000000000000") },
	{ "run too long for us", RSP_TOLERANT, BYTES("$0*~#d8"), RSP_TOOBIG, BYTES("") },
	{ "run of an escaped byte", RSP_TOLERANT, BYTES("$}\x03* #ca"), RSP_PACKET, BYTES("}\x03\x03\x03\x03") },
	{ "repeat of nothing", RSP_TOLERANT, BYTES("$* #4a"), RSP_MALFORMED, BYTES("") },
	{ "run count too small", RSP_TOLERANT, BYTES("$0*\x1f#79"), RSP_MALFORMED, BYTES("0") },
	{ "run count hash", RSP_TOLERANT, BYTES("$0*##7d"), RSP_MALFORMED, BYTES("0") },
	{ "restart", RSP_TOLERANT, BYTES("$m10$g#67"), RSP_PACKET, BYTES("g") },
	{ "notify", RSP_TOLERANT, BYTES("%Stop:S05#98"), RSP_NOTIFY, BYTES("Stop:S05") },
	{ "sum not hex", RSP_TOLERANT, BYTES("$g#z"), RSP_BADSUM, BYTES("g") },
	{ "bad sum", RSP_TOLERANT, BYTES("$OK#00"), RSP_BADSUM, BYTES("OK") },
};

static void run(const struct vector *v, size_t cut)
{
	struct rsp_framer f;
	enum rsp_event ev = RSP_NONE;
	size_t at = 0;

	assert_int_equal(rsp_framer_init(&f, v->mode, 16), 0);
	while (at < v->in.len && ev == RSP_NONE) {
		size_t end = at < cut ? cut : v->in.len;
		const uint8_t *in = guard_copy(v->in.p + at, end - at);

		at += rsp_framer_feed(&f, (struct span){ in, end - at }, &ev);
	}
	if (ev != v->last)
		print_message("%s, cut at %zu: event %d\n", v->name, cut, (int)ev);
	assert_int_equal(ev, v->last);
	assert_int_equal(at, v->in.len);
	assert_false(rsp_framer_midway(&f));
	if (ev == RSP_PACKET || ev == RSP_NOTIFY) {
		assert_int_equal(f.body.len, v->body.len);
		if (v->body.len)
			assert_memory_equal(buf_data(&f.body), v->body.p, v->body.len);
	}
	rsp_framer_fini(&f);
}

static void whole_and_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		for (size_t cut = 0; cut <= vectors[i].in.len; cut++)
			run(&vectors[i], cut);
}

/* No beginning of a packet is taken for a packet. */
static void nothing_before_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const struct vector *v = &vectors[i];
		struct rsp_framer f;
		enum rsp_event ev = RSP_NONE;

		assert_int_equal(rsp_framer_init(&f, v->mode, 16), 0);
		assert_int_equal(rsp_framer_feed(&f, (struct span){ v->in.p, v->in.len - 1 }, &ev), v->in.len - 1);
		assert_int_equal(ev, RSP_NONE);
		rsp_framer_fini(&f);
	}
}

static void frame_then_feed(void **state)
{
	struct rsp_framer f;
	struct buf wire;
	enum rsp_event ev;
	uint8_t all[256];
	long n;

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	assert_int_equal(rsp_framer_init(&f, RSP_STRICT, 600), 0);
	assert_int_equal(buf_init(&wire, 600), 0);
	assert_int_equal(rsp_frame(&wire, (struct span){ all, sizeof all }), 0);
	assert_int_equal(rsp_framer_feed(&f, buf_span(&wire), &ev), wire.len);
	assert_int_equal(ev, RSP_PACKET);
	n = rsp_unescape_in_place(buf_data(&f.body), f.body.len);
	assert_int_equal(n, sizeof all);
	assert_memory_equal(buf_data(&f.body), all, sizeof all);
	rsp_framer_fini(&f);
	buf_fini(&wire);
}

/* A packet that does not fit leaves nothing behind, whatever the room. */
static void all_or_nothing(void **state)
{
	struct span body = BYTES("a#b$c}d*e");

	(void)state;
	for (size_t room = 1; room < 24; room++) {
		struct buf out;
		int rc;

		assert_int_equal(buf_init(&out, room), 0);
		assert_int_equal(buf_put_text(&out, "x"), 0);
		rc = rsp_frame(&out, body);
		assert_true(rc == 0 ? out.len == 1 + 1 + 13 + 3 : rc == -ENOBUFS && out.len == 1);
		assert_int_equal(rc == 0, room >= 18);
		buf_fini(&out);
	}
}

static void unescape_end(void **state)
{
	uint8_t a[] = { 'a', '}' }, b[] = { '}', 0x5d, 'x' };

	(void)state;
	assert_int_equal(rsp_unescape_in_place(a, 2), -EBADMSG);
	assert_int_equal(rsp_unescape_in_place(b, 3), 2);
	assert_int_equal(b[0], '}');
	assert_int_equal(rsp_unescape_in_place(a, 0), 0);
}

static void reset_forgets(void **state)
{
	struct rsp_framer f;
	enum rsp_event ev;

	(void)state;
	assert_int_equal(rsp_framer_init(&f, RSP_TOLERANT, 16), 0);
	f.check = false;
	assert_int_equal(rsp_framer_feed(&f, span_of("$abc"), &ev), 4);
	assert_true(rsp_framer_midway(&f));
	rsp_framer_reset(&f);
	assert_false(rsp_framer_midway(&f));
	assert_int_equal(rsp_framer_feed(&f, span_of("$OK#00"), &ev), 6);
	assert_int_equal(ev, RSP_BADSUM);
	rsp_framer_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_cut),  cmocka_unit_test(nothing_before_the_end), cmocka_unit_test(frame_then_feed),
		cmocka_unit_test(all_or_nothing), cmocka_unit_test(unescape_end),           cmocka_unit_test(reset_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
