/* kdnet_conform_test.c - our host beside WinDbg, on what a real target said to it: with WinDbg's random bytes, our datagrams are WinDbg's,
 * byte by byte; our ACKs, refusals and requests are what it sent, but for what it left unsaid or leaked of its stack.
 *
 * The recording is not in the project; without it the tests are skipped. */
#include "backends/kd/api.h"
#include "backends/kd/io.h"
#include "backends/kd/le.h"
#include "backends/kd/look.h"
#include "backends/kd/wire.h"
#include "backends/link/kdnet.h"
#include "backends/link/kdnet_read.h"
#include "proxy/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPTURE "../shared/captures/windbg-bootdbg.pcapng.gz"

enum { DATAGRAMS = 955, RANDOM = 32 };

/* What was said, opened. */
static struct said {
	struct kdnet_seen seen; /* its body is in .body */
	uint8_t raw[1536], body[1536];
	size_t raw_n;
} said[DATAGRAMS];
static size_t said_n;

static uint8_t pinned[RANDOM]; /* WinDbg's */
static unsigned pins;

int __wrap_kdnet_random(void *to, size_t n);
int __wrap_kdnet_random(void *to, size_t n)
{
	assert_int_equal(n, sizeof pinned);
	memcpy(to, pinned, n);
	pins++;
	return 0;
}

static void take_key(struct kdnet_key *key)
{
	const char *why;

	assert_int_equal(kdnet_key_parse(key, span_of("8.8.8.8"), &why), 0);
}

static void keep(const struct kdnet_seen *seen, struct span raw)
{
	struct said *s = &said[said_n++];
	struct kdnet_offer offer;

	assert_true(said_n <= DATAGRAMS && raw.len <= sizeof s->raw && seen->found == KDNET_READ_OPENED);
	s->seen = *seen;
	memcpy(s->body, seen->body.p, seen->body.len);
	s->seen.body.p = s->body;
	memcpy(s->raw, raw.p, s->raw_n = raw.len);
	if (seen->makes_key && kdnet_offer_parse(seen->body, &offer) == 0)
		memcpy(pinned, offer.random.p, sizeof pinned);
}

static int read_recording(void **state)
{
	static struct kdnet_read read;
	struct capture *c = NULL;
	struct capture_piece piece;
	struct kdnet_seen seen;
	struct kdnet_key key;
	char why[512];

	(void)state;
	if (access(CAPTURE, R_OK) < 0)
		return 0;
	take_key(&key);
	assert_int_equal(kdnet_read_init(&read, &key), 0);
	assert_int_equal(capture_open(&c, CAPTURE, why, sizeof why), 0);
	capture_with_datagrams(c);
	while (capture_next(c, &piece) == 1) {
		kdnet_read_look(&read, piece.bytes, &seen);
		keep(&seen, piece.bytes);
	}
	capture_close(c);
	kdnet_read_fini(&read);
	assert_int_equal(said_n, DATAGRAMS);
	return 0;
}

static void need_recording(void)
{
	if (said_n)
		return;
	print_message("[  SKIPPED ] there is no %s\n", CAPTURE);
	skip();
}

static bool packet_of(const struct said *s, struct kd_packet *p)
{
	return !s->seen.control && kd_packet_parse(s->seen.body, p) == KD_FRAME_PACKET;
}

/* --- datagrams */

/* Driven by the target's own, our session answers its first poke as WinDbg did; then it says what WinDbg said, in the same bytes. */
static void the_same_datagrams(void **state)
{
	static struct kdnet k;
	static uint8_t room[2][KDNET_DATAGRAM_MAX];
	static const struct kdnet_end home = { .port = 51111 };
	struct buf body = { .base = room[0], .cap = sizeof room[0] }, out = { .base = room[1], .cap = sizeof room[1] };
	unsigned responses = 0, sealed = 0;
	struct kdnet_end to;
	struct kdnet_key key;
	struct span reply;

	(void)state;
	need_recording();
	take_key(&key);
	pins = 0;
	assert_int_equal(kdnet_init(&k, &key, 0), 0);
	for (size_t i = 0; i < said_n; i++) {
		const struct said *s = &said[i];

		if (!s->seen.from_host) {
			(void)!kdnet_take(&k, &home, (struct span){ s->raw, s->raw_n }, &body, i);
			continue;
		}
		if (s->seen.control) {
			assert_true(kdnet_reply(&k, &reply, &to));
			assert_int_equal(reply.len, s->raw_n);
			assert_memory_equal(reply.p, s->raw, s->raw_n);
			responses++;
			continue;
		}
		k.sequence = s->seen.sequence - 1;
		assert_int_equal(kdnet_seal(&k, s->seen.body, &out, &to), 0);
		assert_int_equal(out.len, s->raw_n);
		assert_memory_equal(buf_data(&out), s->raw, s->raw_n);
		sealed++;
	}
	assert_true(responses == 1 && pins == 1 && sealed == 262);
	assert_true(k.counts[KDNET_N_ANSWERED] == 1 && k.counts[KDNET_N_KEEPALIVES] == 426 && k.counts[KDNET_N_BODIES] == 264);
	kdnet_fini(&k);
}

/* --- ACKs */

static size_t next_ack(size_t i, uint32_t *id)
{
	struct kd_packet p;

	for (; i < said_n; i++)
		if (said[i].seen.from_host && packet_of(&said[i], &p) && p.control && p.type == KD_TYPE_ACKNOWLEDGE) {
			*id = p.id;
			return i + 1;
		}
	return 0;
}

/* All that WinDbg acknowledged, in its order; and one that it forgot, and two that came twice, of which it heard one each. */
static void the_same_acks(void **state)
{
	static uint8_t room[2][KDNET_DATAGRAM_MAX];
	struct buf in = { .base = room[0], .cap = sizeof room[0] }, out = { .base = room[1], .cap = sizeof room[1] };
	unsigned same = 0, more = 0;
	struct kd_wire w;
	struct kd_packet p;
	uint32_t theirs = 0;
	size_t at;

	(void)state;
	need_recording();
	assert_int_equal(kd_wire_init(&w, KD_WIRE_NET), 0);
	at = next_ack(0, &theirs);
	for (size_t i = 0; i < said_n; i++) {
		if (said[i].seen.from_host || !packet_of(&said[i], &p))
			continue;
		buf_reset(&in, 0);
		assert_int_equal(buf_put_span(&in, said[i].seen.body), 0);
		while (kd_wire_take(&w, &in, &p, i) > KD_WIRE_NONE)
			continue;
		for (buf_reset(&out, 0); kd_wire_next(&w, &out, i) == 1; buf_reset(&out, 0)) {
			assert_int_equal(kd_packet_parse(buf_span(&out), &p), KD_FRAME_PACKET);
			if (!p.control || p.type != KD_TYPE_ACKNOWLEDGE)
				continue;
			if (at && p.id == theirs) {
				at = next_ack(at, &theirs);
				same++;
			} else {
				more++;
			}
		}
	}
	assert_int_equal(at, 0);
	assert_int_equal(same, 132);
	assert_int_equal(more, 3);
	kd_wire_fini(&w);
}

/* --- files */

static void the_same_refusals(void **state)
{
	uint8_t room[KD_PAYLOAD_MAX];
	struct buf ours = { .base = room, .cap = sizeof room };
	unsigned n = 0;
	struct kd_packet p;
	struct kd_file file;

	(void)state;
	need_recording();
	for (size_t i = 0; i < said_n; i++) {
		if (!packet_of(&said[i], &p) || p.control || p.type != KD_TYPE_FILE_IO)
			continue;
		if (said[i].seen.from_host) {
			assert_int_equal(ours.len, KD_FILE_HEADER);
			assert_true(p.payload.len >= ours.len);
			assert_memory_equal(p.payload.p, room, KD_FILE_HEADER);
			n++;
			continue;
		}
		buf_reset(&ours, 0);
		assert_int_equal(kd_file_parse(p.payload, &file), 0);
		assert_int_equal(kd_file_refuse(&ours, &file), 0);
	}
	assert_int_equal(n, 33);
}

/* --- requests */

static struct kd_request again(struct span p)
{
	struct kd_cpu cpu = { KD_AMD64, (uint16_t)le_get(p, 6, 2) };
	struct span data = span_from(p, KD_HEADER);
	uint64_t at16 = le_get(p, 16, 8);
	uint32_t low = (uint32_t)at16;

	switch (le_get(p, 0, 4)) {
	case KD_READ_VIRTUAL:
		return kd_read_virtual(cpu, at16, (size_t)le_get(p, 24, 4));
	case KD_GET_CONTEXT:
		return kd_get_context(cpu, low);
	case KD_SET_CONTEXT:
		return kd_set_context(cpu, low, data);
	case KD_RESTORE_BREAKPOINT:
		return kd_restore_breakpoint(cpu, low);
	case KD_CONTINUE:
		return kd_continue(cpu, low);
	case KD_CONTINUE2:
		return kd_continue2(cpu, low, le_get(p, 20, 4) != 0, le_get(p, 24, 8));
	case KD_READ_CONTROL_SPACE:
		return kd_read_control(cpu, at16, (size_t)le_get(p, 24, 4));
	case KD_WRITE_CONTROL_SPACE:
		return kd_write_control(cpu, at16, data);
	case KD_GET_VERSION:
		return kd_get_version(cpu);
	case KD_GET_CONTEXT_EX:
		return kd_get_context_ex(cpu, low, (size_t)le_get(p, 20, 4));
	default:
		fail_msg("a request 0x%x", (unsigned)le_get(p, 0, 4));
		return kd_get_version(cpu);
	}
}

static const struct kd_fact *fact_of(const struct kd_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->facts[i].name, name))
			return &f->facts[i];
	return NULL;
}

/* Every field that means something; the level does not, and WinDbg fills it with what lies on its stack. */
static void same_facts(const struct kd_facts *a, const struct kd_facts *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++) {
		const struct kd_fact *x = &a->facts[i], *y = fact_of(b, x->name);

		assert_non_null(y);
		if (!strcmp(x->name, "level"))
			continue;
		assert_true(x->form == y->form && x->number == y->number && x->word == y->word && x->bytes.len == y->bytes.len);
		if (x->bytes.len)
			assert_memory_equal(x->bytes.p, y->bytes.p, x->bytes.len);
	}
}

static void the_same_requests(void **state)
{
	static uint8_t room[KD_PAYLOAD_MAX];
	unsigned n = 0;
	struct kd_packet p, ours;

	(void)state;
	need_recording();
	for (size_t i = 0; i < said_n; i++) {
		struct buf b = { .base = room, .cap = sizeof room };
		struct kd_facts f[2] = { { .n = 0 }, { .n = 0 } };
		struct kd_request r;

		if (!said[i].seen.from_host || !packet_of(&said[i], &p) || p.control || p.type != KD_TYPE_MANIPULATE)
			continue;
		r = again(p.payload);
		assert_int_equal(kd_request_put(&b, &r), 0);
		ours = p;
		ours.payload = buf_span(&b);
		assert_int_equal(ours.payload.len, p.payload.len);
		kd_look(&f[0], &p, true, KD_AMD64);
		kd_look(&f[1], &ours, true, KD_AMD64);
		same_facts(&f[0], &f[1]);
		n++;
	}
	assert_int_equal(n, 95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_datagrams), cmocka_unit_test(the_same_acks), cmocka_unit_test(the_same_refusals), cmocka_unit_test(the_same_requests),
	};

	return cmocka_run_group_tests(tests, read_recording, NULL);
}
