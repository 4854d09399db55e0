/* frame.c - see frame.h. One small function per state of the framer. */
#include "backends/kd/frame.h"

#include <errno.h>
#include <string.h>

enum { LEADER = 4, DATA = 0x30, CONTROL = 0x69, UNTIL_TYPE = 6, UNTIL_LENGTH = 8 };

static const bool carries_data[KD_TYPES] = {
	[KD_TYPE_STATE_CHANGE32] = true, [KD_TYPE_MANIPULATE] = true, [KD_TYPE_DEBUG_IO] = true,        [KD_TYPE_STATE_CHANGE64] = true,
	[KD_TYPE_TRACE_IO] = true,       [KD_TYPE_FILE_IO] = true,    [KD_TYPE_CONTROL_REQUEST] = true,
};

struct header {
	bool control;
	uint16_t type, length;
	uint32_t id, sum;
};

static struct header header_of(const uint8_t *bytes)
{
	struct cursor c = cursor_of((struct span){ bytes + LEADER, KD_FRAME_HEADER - LEADER });
	struct header h = { .control = bytes[0] == CONTROL };

	h.type = (uint16_t)cursor_le(&c, 2);
	h.length = (uint16_t)cursor_le(&c, 2);
	h.id = (uint32_t)cursor_le(&c, 4);
	h.sum = (uint32_t)cursor_le(&c, 4);
	return h;
}

static uint32_t sum_of(struct span s)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum += s.p[i];
	return sum;
}

/* A type like the leader's own byte is none: the leader began later. */
static bool may_have(bool data, uint16_t type)
{
	return data ? type < KD_TYPES && carries_data[type] : type < CONTROL;
}

/* May these be the first n bytes of a header? */
static bool may_begin(const uint8_t *head, size_t n)
{
	bool data = head[0] == DATA;

	for (size_t i = 0; i < n && i < LEADER; i++)
		if (head[i] != (data ? DATA : CONTROL))
			return false;
	if (n >= UNTIL_TYPE && !may_have(data, (uint16_t)(head[4] | head[5] << 8)))
		return false;
	return n < UNTIL_LENGTH || (head[6] | head[7] << 8) <= (data ? KD_PAYLOAD_MAX : 0);
}

int kd_framer_init(struct kd_framer *f)
{
	*f = (struct kd_framer){ .state = KD_FRAMER_HEADER };
	return buf_init(&f->body, KD_PAYLOAD_MAX);
}

void kd_framer_fini(struct kd_framer *f)
{
	buf_fini(&f->body);
}

static void begin(struct kd_framer *f)
{
	f->state = KD_FRAMER_HEADER;
	f->have = 0;
	buf_reset(&f->body, 0);
}

void kd_framer_reset(struct kd_framer *f)
{
	f->noise += f->have + f->body.len;
	begin(f);
}

bool kd_framer_midway(const struct kd_framer *f)
{
	return f->have > 0;
}

/* What cannot begin a header loses its first byte: a leader may begin anywhere behind it. */
static void take_byte(struct kd_framer *f, struct cursor *in)
{
	f->head[f->have++] = cursor_u8(in);
	while (f->have && !may_begin(f->head, f->have)) {
		memmove(f->head, f->head + 1, --f->have);
		f->noise++;
	}
}

/* Without noise it is there at once. */
static void take_head(struct kd_framer *f, struct cursor *in)
{
	if (f->have || in->end - in->p < KD_FRAME_HEADER || !may_begin(in->p, KD_FRAME_HEADER)) {
		take_byte(f, in);
		return;
	}
	memcpy(f->head, in->p, KD_FRAME_HEADER);
	in->p += KD_FRAME_HEADER;
	f->have = KD_FRAME_HEADER;
}

static enum kd_frame_event on_header(struct kd_framer *f, struct cursor *in, struct kd_packet *p)
{
	struct header h;

	take_head(f, in);
	if (f->have < KD_FRAME_HEADER)
		return KD_FRAME_NONE;
	h = header_of(f->head);
	*p = (struct kd_packet){ .control = h.control, .type = h.type, .id = h.id };
	if (!h.control) {
		f->state = h.length ? KD_FRAMER_PAYLOAD : KD_FRAMER_TRAILER;
		return KD_FRAME_NONE;
	}
	begin(f);
	return KD_FRAME_PACKET;
}

static enum kd_frame_event on_payload(struct kd_framer *f, struct cursor *in, struct kd_packet *p)
{
	size_t left = header_of(f->head).length - f->body.len, here = (size_t)(in->end - in->p);

	(void)p;
	if (buf_put_span(&f->body, cursor_take(in, here < left ? here : left)) < 0)
		return KD_FRAME_BAD;
	if (here >= left)
		f->state = KD_FRAMER_TRAILER;
	return KD_FRAME_NONE;
}

static enum kd_frame_event on_trailer(struct kd_framer *f, struct cursor *in, struct kd_packet *p)
{
	struct header h = header_of(f->head);

	*p = (struct kd_packet){ .type = h.type, .id = h.id, .payload = buf_span(&f->body) };
	begin(f);
	if (!cursor_skip(in, KD_TRAILER) || sum_of(p->payload) != h.sum)
		return KD_FRAME_BAD;
	return KD_FRAME_PACKET;
}

static enum kd_frame_event (*const on_state[KD_FRAMER_STATES])(struct kd_framer *, struct cursor *, struct kd_packet *) = {
	[KD_FRAMER_HEADER] = on_header,
	[KD_FRAMER_PAYLOAD] = on_payload,
	[KD_FRAMER_TRAILER] = on_trailer,
};

enum kd_frame_event kd_framer_next(struct kd_framer *f, struct cursor *in, struct kd_packet *p)
{
	enum kd_frame_event ev = KD_FRAME_NONE;

	while (ev == KD_FRAME_NONE && in->p < in->end)
		ev = on_state[f->state](f, in, p);
	return ev;
}

enum kd_frame_event kd_packet_parse(struct span datagram, struct kd_packet *p)
{
	struct span payload = span_from(datagram, KD_FRAME_HEADER);
	struct header h;

	if (datagram.len < KD_FRAME_HEADER || !may_begin(datagram.p, KD_FRAME_HEADER))
		return KD_FRAME_NONE;
	h = header_of(datagram.p);
	if (h.control && payload.len)
		return KD_FRAME_NONE;
	if (payload.len != h.length || (!h.control && sum_of(payload) != h.sum))
		return KD_FRAME_BAD;
	*p = (struct kd_packet){ .control = h.control, .type = h.type, .id = h.id, .payload = payload };
	return KD_FRAME_PACKET;
}

static uint8_t *put_le(uint8_t *to, uint32_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		*to++ = (uint8_t)(v >> (8 * i));
	return to;
}

static void put_header(uint8_t *to, const struct kd_packet *p)
{
	memset(to, p->control ? CONTROL : DATA, LEADER);
	to = put_le(to + LEADER, p->type, 2);
	to = put_le(to, (uint32_t)p->payload.len, 2);
	to = put_le(to, p->id, 4);
	put_le(to, sum_of(p->payload), 4);
}

int kd_packet_put(struct buf *out, const struct kd_packet *p, bool trailer)
{
	uint8_t head[KD_FRAME_HEADER];
	size_t before = out->len;
	int rc;

	if (p->payload.len > KD_PAYLOAD_MAX)
		return -EMSGSIZE;
	put_header(head, p);
	rc = buf_put(out, head, sizeof head);
	if (!rc)
		rc = buf_put_span(out, p->payload);
	if (!rc && trailer && !p->control)
		rc = buf_put_u8(out, KD_TRAILER);
	if (rc)
		buf_cut(out, before);
	return rc;
}
