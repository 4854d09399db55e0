/* kd_net.c - packets over KDNET: one a datagram, without a trailer, ids that count by two (KDNET 5). */
#include "tests/sim/kdtarget/line.h"

#include <string.h>

enum { HOST_FIRST = 0x80000000u, ID_STEP = 2 };

static void restart(struct target *k)
{
	net_boot(&k->net, now_ms());
	k->send_id = 0;
	k->expect_id = HOST_FIRST;
	k->present = false;
}

/* Ids never go back while it runs. */
static void give_up(struct target *k)
{
	k->present = false;
}

static void write_packet(struct target *k, uint8_t *packet, size_t n)
{
	net_send(&k->net, packet, n, now_ms());
}

static void acknowledged(struct target *k)
{
	k->send_id += ID_STEP;
}

static enum line on_control(struct target *k, unsigned wanted, unsigned type, uint32_t id)
{
	note_packet(k, 'H', type, id, NULL, 0);
	if (type == KD_ACK && wanted == KD_ACK && id == k->send_id) {
		acknowledged(k);
		return LINE_OK;
	}
	if (type == KD_RESET) {
		k->expect_id = id;
		line_control(k, KD_RESET, k->send_id);
	}
	return type == KD_RESET || type == KD_RESEND ? LINE_AGAIN : LINE_TIMEOUT;
}

/* A new packet where an ACK is due is taken for the ACK, and wanted once more; an old one says nothing. */
static enum line judge(struct target *k, unsigned wanted, const struct packet *p)
{
	bool old = (int32_t)(p->id - k->expect_id) < 0;

	if ((!old || is(k, QUIRK_OLD_DATA_ACKS)) && wanted == KD_ACK) {
		note(k, "data where an ACK was due");
		line_control(k, KD_RESEND, 0);
		acknowledged(k);
		return LINE_OK;
	}
	line_control(k, KD_ACK, p->id);
	if (old || p->type != wanted) {
		note(k, "acknowledged and dropped");
		return LINE_TIMEOUT;
	}
	k->expect_id = p->id + ID_STEP;
	return LINE_OK;
}

static enum line on_data(struct target *k, unsigned wanted, const struct net_body *b)
{
	struct packet p = { .type = get16(b->bytes + 4), .id = get32(b->bytes + 8), .n = get16(b->bytes + 6) };
	enum line got;

	if (p.n <= KD_PACKET && b->n == LINE_HEAD + p.n)
		memcpy(p.body, b->bytes + LINE_HEAD, p.n);
	else
		p.n = 0;
	if (!line_sound(&p, get32(b->bytes + 12)) || line_refuses(k)) {
		note(k, "not taken");
		line_control(k, KD_RESEND, 0);
		return LINE_TIMEOUT;
	}
	note_packet(k, 'H', p.type, p.id, p.body, p.n);
	got = judge(k, wanted, &p);
	if (got == LINE_OK && wanted != KD_ACK)
		k->in = p;
	return got;
}

static bool led_by(const struct net_body *b, int leader)
{
	return b->n >= LINE_HEAD && b->bytes[0] == leader && b->bytes[1] == leader && b->bytes[2] == leader && b->bytes[3] == leader;
}

static bool is_breakin(const struct net_body *b)
{
	return b->n == 1 && b->bytes[0] == LINE_BREAKIN;
}

/* TIMEOUT: not what was wanted; the caller goes on listening. */
static enum line on_body(struct target *k, unsigned wanted, const struct net_body *b)
{
	k->present = true;
	if (led_by(b, LINE_CONTROL))
		return on_control(k, wanted, get16(b->bytes + 4), get32(b->bytes + 8));
	if (led_by(b, LINE_DATA))
		return on_data(k, wanted, b);
	k->pending |= is_breakin(b);
	note(k, is_breakin(b) ? "a break-in is kept" : "a datagram of %zu bytes that says nothing", b->n);
	return LINE_TIMEOUT;
}

static const struct net_body *wait_body(struct target *k, bool until_renewed)
{
	uint64_t end = now_ms() + k->timeout_ms, now;
	const struct net_body *b;

	while (!(b = net_take(&k->net)) && !(until_renewed && k->net.renewed) && !over(k) && (now = now_ms()) < end)
		wait_for(k, (int)(end - now));
	return b;
}

/* Who waits to be heard says it again at once when there is a new session. */
static enum line receive(struct target *k, unsigned type)
{
	enum line got;

	k->net.renewed = false;
	do {
		const struct net_body *b = wait_body(k, type == KD_ACK);

		if (over(k))
			return LINE_OVER;
		if (!b)
			return type == KD_ACK && k->net.renewed ? LINE_AGAIN : LINE_TIMEOUT;
		got = on_body(k, type, b);
	} while (got == LINE_TIMEOUT);
	return got;
}

/* A machine that runs has no ear for anything else. */
static bool broken(struct target *k)
{
	const struct net_body *b;
	bool broke = false;

	while (!broke && (b = net_take(&k->net)))
		broke = is_breakin(b);
	return broke;
}

const struct line_way line_kdnet = { restart, give_up, write_packet, receive, broken };
