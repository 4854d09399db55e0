/* kd_wire_fuzz.c - any bytes from a KD target, in one gulp or one by one: the same events and the same answers; and in whatever order
 * things are asked of the wire, what it sends is whole, and bounded. */
#include "backends/kd/wire.h"
#include "base/wait.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the wire sends is a byte, or one packet that can be read; no more is due at once than there is to be said. */
static uint64_t drain(struct kd_wire *w, uint64_t now, uint64_t hash)
{
	static uint8_t room[KD_FRAME_MAX];
	struct buf frame = { .base = room, .cap = sizeof room };
	struct kd_packet p;
	size_t n = 0;

	for (; kd_wire_next(w, &frame, now) == 1; buf_reset(&frame, 0)) {
		size_t trailer = w->dialect == KD_WIRE_COM && room[0] == '0';

		if (++n > KD_WIRE_ACKS + 4)
			abort();
		if (frame.len > 1 && kd_packet_parse((struct span){ room, frame.len - trailer }, &p) != KD_FRAME_PACKET)
			abort();
		hash = mix(hash, room, frame.len);
	}
	return hash;
}

static uint64_t take(struct kd_wire *w, const uint8_t *bytes, size_t n, uint64_t now, uint64_t hash)
{
	static uint8_t copy[8192];
	struct buf in = { .base = copy, .cap = sizeof copy, .len = n };
	struct kd_packet p;
	int rc;

	memcpy(copy, bytes, n);
	do {
		bool kept = kd_wire_keeps(w);
		size_t before = in.len;

		rc = kd_wire_take(w, &in, &p, now);
		if (rc != KD_WIRE_NONE && !kept && in.len > before)
			abort();
		if (rc != KD_WIRE_NONE)
			hash = mix(hash, &rc, sizeof rc);
		if (rc == KD_WIRE_DATA)
			hash = mix(mix(hash, &p.id, sizeof p.id), p.payload.p, p.payload.len);
		hash = drain(w, now, hash);
	} while (rc != KD_WIRE_NONE);
	if (in.len)
		abort();
	return hash;
}

static uint64_t pieces(const uint8_t *bytes, size_t size, size_t step)
{
	uint64_t hash = 14695981039346656037ULL;
	struct kd_wire w;

	if (kd_wire_init(&w, KD_WIRE_COM) < 0 || kd_wire_send(&w, KD_TYPE_MANIPULATE, span_of("hello"), span_of("")) < 0)
		abort();
	hash = drain(&w, 0, hash);
	for (size_t at = 0; at < size; at += step)
		hash = take(&w, bytes + at, size - at < step ? size - at : step, 0, hash);
	hash = mix(hash, &w.framer.noise, sizeof w.framer.noise);
	kd_wire_fini(&w);
	return hash;
}

/* A packet that is whole, of the next few bytes: a random one hardly ever is. */
static void hear_packet(struct kd_wire *w, struct cursor *c, uint64_t now)
{
	static uint8_t room[KD_FRAME_MAX];
	struct buf out = { .base = room, .cap = sizeof room };
	static const uint32_t ids[] = { 0x80800000, 0x80800001, 0x80800800, 0x80800801, 0x80000000, 0x80000002,
					0,          2,          4,          0xfffffffe, 0x7ffffffe, 0x800 };
	uint8_t kind = cursor_u8(c);
	struct kd_packet p = { .control = kind & 0x80, .type = (kind & 0x7f) % KD_TYPES, .id = ids[cursor_u8(c) % (sizeof ids / sizeof *ids)] };

	if (!p.control)
		p.payload = cursor_take(c, cursor_u8(c) % 8);
	if (kd_packet_put(&out, &p, w->dialect == KD_WIRE_COM) < 0)
		abort();
	(void)take(w, room, out.len, now, 0);
}

static void hear_bytes(struct kd_wire *w, struct cursor *c, uint64_t now)
{
	struct span s = cursor_take(c, cursor_u8(c) % 64);

	(void)take(w, s.p, s.len, now, 0);
}

static void ask(struct kd_wire *w, struct cursor *c)
{
	bool idle = kd_wire_idle(w);
	int rc = kd_wire_send(w, KD_TYPE_MANIPULATE, span_of("req"), cursor_take(c, cursor_u8(c) % 8));

	if (rc != (idle ? 0 : -EBUSY) || kd_wire_idle(w))
		abort();
}

static void act(struct kd_wire *w, struct cursor *c, uint64_t *now)
{
	static void (*const plain[])(struct kd_wire *) = { kd_wire_restart, kd_wire_break_in, kd_wire_ask, kd_wire_reset, kd_wire_answered };
	uint8_t what = cursor_u8(c) % 16;

	if (what < sizeof plain / sizeof *plain)
		plain[what](w);
	else if (what < 8)
		ask(w, c);
	else if (what < 11)
		hear_packet(w, c, *now);
	else if (what < 13)
		hear_bytes(w, c, *now);
	else
		*now += cursor_u8(c) * 16U;
}

/* After a tick nothing is due before now: a loop that sleeps until then sleeps. */
static void tick(struct kd_wire *w, uint64_t now)
{
	for (int i = 0; i < 3; i++)
		if (kd_wire_tick(w, now) == 0) {
			if (kd_wire_until(w) <= now)
				abort();
			return;
		}
	abort();
}

static void in_any_order(enum kd_dialect d, struct span bytes)
{
	struct cursor c = cursor_of(bytes);
	struct kd_wire w;
	uint64_t now = 1000;

	if (kd_wire_init(&w, d) < 0)
		abort();
	while (c.p < c.end && !c.bad) {
		act(&w, &c, &now);
		tick(&w, now);
		(void)drain(&w, now, 0);
	}
	kd_wire_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole;

	if (size > 8000)
		return 0;
	whole = pieces(data, size, size + 1);
	if (pieces(data, size, 1) != whole || pieces(data, size, 7) != whole)
		abort();
	in_any_order(KD_WIRE_COM, (struct span){ data, size });
	in_any_order(KD_WIRE_NET, (struct span){ data, size });
	return 0;
}
