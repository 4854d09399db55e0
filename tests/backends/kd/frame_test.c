/* frame_test.c - KD packets among whatever else is on a line: every vector whole, cut at every byte, and against a guard page. */
#include "backends/kd/frame.h"
#include "base/hex.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Bytes in hex, blanks between; what they are: D type id payload, C type id, ! damaged; how many bytes are noise. */
static const struct vector {
	const char *name, *in, *events;
	uint64_t noise;
} vectors[] = {
	{ "data", "30303030 0300 0200 00088080 83000000 4142 aa", "D3 80800800 AB;", 0 },
	{ "data without a payload", "30303030 0200 0000 01008080 00000000 aa", "D2 80800001 ;", 0 },
	{ "control", "69696969 0400 0000 00008080 00000000", "C4 80800000;", 0 },
	{ "control of no known type is passed on", "69696969 4d00 0000 00000000 00000000", "C77 00000000;", 0 },
	{ "one behind the other",
	  "69696969 0400 0000 00008080 00000000 30303030 0300 0200 01008080 83000000 4142 aa", "C4 80800000;D3 80800001 AB;", 0 },
	{ "more of the leader's byte before it", "303030 30303030 0300 0200 00008080 83000000 4142 aa", "D3 80800000 AB;", 3 },
	{ "another leader byte begins anew", "303069 69696969 0600 0000 00000000 00000000", "C6 00000000;", 3 },
	{ "bytes between", "00ff62 69696969 0500 0000 00000000 00000000 62", "C5 00000000;", 4 },
	{ "a boot loader's zeros are no leader",
	  "307830303030303030303030303031303030 0d0a 30303030 0300 0200 00008080 83000000 4142 aa", "D3 80800000 AB;", 20 },
	{ "a leader in what looked like a header", "30303030 ffff 30303030 0300 0200 00008080 83000000 4142 aa", "D3 80800000 AB;", 6 },
	{ "a type that carries no data", "30303030 0400 0200 00008080 83000000 4142 aa", "", 19 },
	{ "a type there is not", "30303030 0c00 0200 00008080 83000000 4142 aa", "", 19 },
	{ "longer than a packet may be", "30303030 0300 a10f 00008080 83000000 4142 aa", "", 19 },
	{ "control with a length", "69696969 0400 0100 00008080 00000000", "", 16 },
	{ "wrong checksum", "30303030 0300 0200 00008080 84000000 4142 aa", "!;", 0 },
	{ "a checksum is not only its low byte", "30303030 0300 0200 00008080 83010000 4142 aa", "!;", 0 },
	{ "wrong trailer", "30303030 0300 0200 00008080 83000000 4142 ab", "!;", 1 },
	{ "the trailer was lost", "30303030 0300 0200 00008080 83000000 4142 69696969 0500 0000 00000000 00000000", "!;C5 00000000;", 0 },
	{ "a byte of the payload was lost",
	  "30303030 0300 0200 00008080 83000000 41 aa 69696969 0500 0000 00000000 00000000", "!;C5 00000000;", 0 },
	{ "a byte of the id was lost", "30303030 0300 0200 000080 83000000 4142 aa 69696969 0500 0000 00000000 00000000", "!;C5 00000000;", 0 },
	{ "a byte of the leader was lost", "303030 0300 0200 00008080 83000000 4142 aa 69696969 0500 0000 00000000 00000000", "C5 00000000;", 18 },
	{ "a leader in the payload", "30303030 0300 0600 00008080 43010000 303030304142 aa", "D3 80800000 0000AB;", 0 },
};

static size_t unhex(const char *text, uint8_t *to)
{
	size_t n = 0;

	for (; *text; text++)
		if (*text != ' ') {
			to[n++] = (uint8_t)(hex_value((uint8_t)text[0]) << 4 | hex_value((uint8_t)text[1]));
			text++;
		}
	return n;
}

static void say(char *log, size_t room, enum kd_frame_event ev, const struct kd_packet *p)
{
	size_t n = strlen(log);

	if (ev == KD_FRAME_BAD)
		(void)snprintf(log + n, room - n, "!;");
	else if (p->control)
		(void)snprintf(log + n, room - n, "C%u %08x;", (unsigned)p->type, (unsigned)p->id);
	else
		(void)snprintf(log + n, room - n, "D%u %08x %.*s;", (unsigned)p->type, (unsigned)p->id, (int)p->payload.len, (const char *)p->payload.p);
}

/* Each piece ends at the guard page. A piece is offered again until it is eaten. */
static void feed(struct kd_framer *f, const uint8_t *bytes, size_t n, char *log, size_t room)
{
	struct cursor c = cursor_of((struct span){ guard_copy(bytes, n), n });

	while (!cursor_done(&c)) {
		struct kd_packet p;
		enum kd_frame_event ev = kd_framer_next(f, &c, &p);

		if (ev != KD_FRAME_NONE)
			say(log, room, ev, &p);
	}
}

static void check(const struct vector *v, size_t cut, size_t step)
{
	uint8_t bytes[256];
	char log[256] = "";
	size_t n = unhex(v->in, bytes);
	struct kd_framer f;

	assert_int_equal(kd_framer_init(&f), 0);
	feed(&f, bytes, cut, log, sizeof log);
	for (size_t at = cut; at < n; at += step)
		feed(&f, bytes + at, n - at < step ? n - at : step, log, sizeof log);
	kd_framer_reset(&f);
	if (strcmp(log, v->events) || f.noise != v->noise)
		print_message("%s, cut at %zu\n", v->name, cut);
	assert_string_equal(log, v->events);
	assert_int_equal(f.noise, v->noise);
	kd_framer_fini(&f);
}

static void whole_and_cut(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		size_t n = unhex(vectors[i].in, bytes);

		for (size_t cut = 0; cut <= n; cut++)
			check(&vectors[i], cut, n);
		check(&vectors[i], 0, 1);
	}
}

static void midway_until_it_ends(void **state)
{
	uint8_t bytes[64];
	size_t n = unhex(vectors[0].in, bytes);
	char log[64] = "";
	struct kd_framer f;

	(void)state;
	assert_int_equal(kd_framer_init(&f), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(kd_framer_midway(&f), i > 0);
		feed(&f, bytes + i, 1, log, sizeof log);
	}
	assert_false(kd_framer_midway(&f));
	kd_framer_fini(&f);
}

static void given_up_is_noise(void **state)
{
	uint8_t bytes[64];
	size_t n = unhex(vectors[0].in, bytes);
	char log[64] = "";
	struct kd_framer f;

	(void)state;
	assert_int_equal(kd_framer_init(&f), 0);
	feed(&f, bytes, n - 1, log, sizeof log);
	kd_framer_reset(&f);
	assert_int_equal(f.noise, n - 1);
	feed(&f, bytes, n, log, sizeof log);
	assert_string_equal(log, vectors[0].events);
	kd_framer_fini(&f);
}

/* Every size there is comes back as it went, from a stream and from a datagram. */
static void put_then_read(void **state)
{
	static uint8_t bytes[KD_PAYLOAD_MAX];
	struct buf wire;
	struct kd_framer f;
	struct kd_packet got;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	assert_int_equal(kd_framer_init(&f) | buf_init(&wire, KD_FRAME_MAX), 0);
	for (size_t n = 0; n <= sizeof bytes; n += n < 40 || n >= sizeof bytes - 3 ? 1 : 37) {
		struct kd_packet p = { .type = KD_TYPE_FILE_IO, .id = 0x80000926, .payload = { bytes, n } };

		for (int stream = 0; stream < 2; stream++) {
			struct cursor c;

			buf_reset(&wire, 0);
			assert_int_equal(kd_packet_put(&wire, &p, stream), 0);
			assert_int_equal(wire.len, KD_FRAME_HEADER + n + (stream ? 1 : 0));
			c = cursor_of((struct span){ guard_copy(buf_data(&wire), wire.len), wire.len });
			assert_int_equal(stream ? kd_framer_next(&f, &c, &got) : kd_packet_parse(cursor_rest(&c), &got), KD_FRAME_PACKET);
			assert_true(cursor_done(&c) && !got.control && got.type == p.type && got.id == p.id && got.payload.len == n);
			assert_memory_equal(got.payload.p, bytes, n);
		}
	}
	assert_int_equal(f.noise, 0);
	buf_fini(&wire);
	kd_framer_fini(&f);
}

static void put_is_what_is_on_the_wire(void **state)
{
	const struct kd_packet data = { .type = KD_TYPE_DEBUG_IO, .id = 0x80800800, .payload = span_of("AB") };
	const struct kd_packet control = { .control = true, .type = KD_TYPE_ACKNOWLEDGE, .id = 0x80800000 };
	uint8_t want[64], room[64];
	struct buf out = { .base = room, .cap = sizeof room };

	(void)state;
	assert_int_equal(kd_packet_put(&out, &data, true), 0);
	assert_int_equal(out.len, unhex(vectors[0].in, want));
	assert_memory_equal(room, want, out.len);
	buf_reset(&out, 0);
	assert_int_equal(kd_packet_put(&out, &control, true), 0);
	assert_int_equal(out.len, unhex("69696969 0400 0000 00008080 00000000", want));
	assert_memory_equal(room, want, out.len);
}

static void no_room_changes_nothing(void **state)
{
	static uint8_t room[KD_FRAME_MAX + 1], bytes[KD_PAYLOAD_MAX + 1];
	struct kd_packet p = { .type = KD_TYPE_DEBUG_IO, .payload = { bytes, 10 } };

	(void)state;
	for (size_t cap = 0; cap < KD_FRAME_HEADER + 11; cap++) {
		struct buf out = { .base = room, .cap = cap };

		assert_int_equal(kd_packet_put(&out, &p, true), -ENOBUFS);
		assert_int_equal(out.len, 0);
	}
	p.payload.len = sizeof bytes;
	assert_int_equal(kd_packet_put(&(struct buf){ .base = room, .cap = sizeof room }, &p, false), -EMSGSIZE);
}

static const struct {
	const char *name, *in;
	enum kd_frame_event want;
} datagrams[] = {
	{ "data", "30303030 0300 0200 00000000 83000000 4142", KD_FRAME_PACKET },
	{ "control", "69696969 0500 0000 00000000 00000000", KD_FRAME_PACKET },
	{ "nothing", "", KD_FRAME_NONE },
	{ "a check of the connection", "00000000 0000 0000 00000000", KD_FRAME_NONE },
	{ "a break-in", "62", KD_FRAME_NONE },
	{ "no leader", "30303069 0300 0200 00000000 83000000 4142", KD_FRAME_NONE },
	{ "no type for data", "30303030 0600 0200 00000000 83000000 4142", KD_FRAME_NONE },
	{ "control with more behind it", "69696969 0500 0000 00000000 00000000 00", KD_FRAME_NONE },
	{ "wrong checksum", "30303030 0300 0200 00000000 82000000 4142", KD_FRAME_BAD },
	{ "shorter than it says", "30303030 0300 0300 00000000 83000000 4142", KD_FRAME_BAD },
	{ "longer than it says", "30303030 0300 0200 00000000 83000000 4142 00", KD_FRAME_BAD },
	{ "longer than may be", "30303030 0300 a10f 00000000 83000000 4142", KD_FRAME_NONE },
};

/* Cut short it is another thing, but never a packet: where the whole is one. */
static void datagrams_whole_and_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
		uint8_t bytes[64];
		size_t n = unhex(datagrams[i].in, bytes);
		struct kd_packet p;

		for (size_t len = 0; len <= n; len++) {
			enum kd_frame_event ev = kd_packet_parse((struct span){ guard_copy(bytes, len), len }, &p);

			if (len == n && ev != datagrams[i].want)
				print_message("%s\n", datagrams[i].name);
			if (len == n)
				assert_int_equal(ev, datagrams[i].want);
			else if (datagrams[i].want == KD_FRAME_PACKET)
				assert_int_not_equal(ev, KD_FRAME_PACKET);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_cut),
		cmocka_unit_test(midway_until_it_ends),
		cmocka_unit_test(given_up_is_noise),
		cmocka_unit_test(put_then_read),
		cmocka_unit_test(put_is_what_is_on_the_wire),
		cmocka_unit_test(no_room_changes_nothing),
		cmocka_unit_test(datagrams_whole_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
