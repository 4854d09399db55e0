/* kd_line.c - packets with ids, acknowledgements and resends, as a target's side has them (KD 1): what is common, and a serial line's way. */
#include "tests/sim/kdtarget/line.h"

#include <string.h>

enum { INITIAL = 0x80800000u, SYNC = 0x800, TRAILER = 0xaa };

static uint32_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}

static size_t put_head(uint8_t *to, int leader, unsigned type, size_t n, uint32_t id, uint32_t sum)
{
	memset(to, leader, 4);
	put(to + 4, 2, type);
	put(to + 6, 2, n);
	put(to + 8, 4, id);
	put(to + 12, 4, sum);
	return LINE_HEAD;
}

void line_control(struct target *k, unsigned type, uint32_t id)
{
	uint8_t head[LINE_HEAD];

	if (type == KD_ACK && is(k, QUIRK_LOSES_ACKS) && ++k->acks % 5 == 0) {
		note(k, "an ACK is lost");
		return;
	}
	put_head(head, LINE_CONTROL, type, 0, id, 0);
	k->way->write(k, head, sizeof head);
	note_packet(k, 'T', type, id, NULL, 0);
}

static void transmit(struct target *k, unsigned type, const uint8_t *body, size_t n)
{
	uint8_t all[LINE_HEAD + KD_PACKET + 1];
	size_t len = put_head(all, LINE_DATA, type, n, k->send_id, sum_of(body, n));

	memcpy(all + len, body, n);
	k->sent++;
	note_packet(k, 'T', type, k->send_id, body, n);
	if (is(k, QUIRK_LOSES_PACKETS) && k->sent % 7 == 0) {
		note(k, "a packet is lost");
		return;
	}
	if (is(k, QUIRK_CORRUPTS) && k->sent % 9 == 0)
		all[len + n / 2] ^= 0x40;
	for (int i = 0; i < (is(k, QUIRK_TWICE) ? 2 : 1); i++)
		k->way->write(k, all, len + n);
}

/* Only these are given up: the rest is sent for ever (KD 1.4). */
static bool gives_up(unsigned type, const uint8_t *body)
{
	uint32_t api = get32(body);

	return (type == KD_DEBUG_IO && api == 0x3230) || (type == KD_STATE_CHANGE && (api & 0xffff) == KD_LOAD_SYMBOLS) || (type == KD_FILE_IO && api == 0x3430);
}

enum line line_send(struct target *k, unsigned type, const uint8_t *body, size_t n)
{
	unsigned left = k->retries;
	enum line got;

	do {
		transmit(k, type, body, n);
		got = line_receive(k, KD_ACK);
		if (got == LINE_TIMEOUT && gives_up(type, body) && --left == 0) {
			note(k, "given up");
			k->way->give_up(k);
			return LINE_GONE;
		}
	} while (got == LINE_TIMEOUT || got == LINE_AGAIN);
	return got;
}

static size_t least_of(unsigned type)
{
	return type == KD_MANIPULATE ? KD_HEADER : type == KD_FILE_IO ? 64 : 16;
}

bool line_sound(const struct packet *p, uint32_t sum)
{
	return p->n >= least_of(p->type) && sum_of(p->body, p->n) == sum;
}

bool line_refuses(struct target *k)
{
	return is(k, QUIRK_UNPROVOKED_RESEND) && ++k->received % 16 == 0;
}

void line_restart(struct target *k)
{
	k->way->restart(k);
}

enum line line_receive(struct target *k, unsigned type)
{
	return k->way->receive(k, type);
}

bool line_broken(struct target *k)
{
	bool broke = k->pending || k->way->broken(k);

	if (broke && !k->pending && is(k, QUIRK_LOSSY_BREAKIN) && ++k->breakins % 2 == 1) {
		note(k, "a break-in is lost");
		return false;
	}
	k->pending = false;
	return broke;
}

/* --- a serial line */

static void restart(struct target *k)
{
	k->send_id = INITIAL | SYNC;
	k->expect_id = INITIAL;
	k->present = false;
}

static void write_packet(struct target *k, uint8_t *packet, size_t n)
{
	if (packet[0] == LINE_DATA)
		packet[n++] = TRAILER;
	transport_write(&k->link, packet, n);
}

/* A lone break-in byte asks for the last packet again, and is kept; one with something behind it is lost. */
static enum line take_leader(struct target *k, int *leader)
{
	int c, last = 0, run = 0;
	bool broke = false;

	while (run < 4) {
		c = wait_byte(k, k->timeout_ms);
		if (c < 0 && broke)
			k->pending = true;
		if (c < 0)
			return over(k) ? LINE_OVER : broke ? LINE_AGAIN : LINE_TIMEOUT;
		broke = c == LINE_BREAKIN && run == 0;
		run = c != LINE_DATA && c != LINE_CONTROL ? 0 : c == last ? run + 1 : 1;
		last = c;
	}
	*leader = last;
	return LINE_OK;
}

static enum line take_bytes(struct target *k, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int c = wait_byte(k, k->timeout_ms);

		if (c < 0)
			return over(k) ? LINE_OVER : LINE_TIMEOUT;
		to[i] = (uint8_t)c;
	}
	return LINE_OK;
}

static void acknowledged(struct target *k)
{
	k->send_id = (k->send_id ^ 1) & ~(uint32_t)SYNC;
}

static enum line on_control(struct target *k, unsigned wanted, unsigned type, uint32_t id)
{
	if (type == KD_ACK && wanted == KD_ACK && id == (k->send_id & ~(uint32_t)SYNC)) {
		acknowledged(k);
		return LINE_OK;
	}
	if (type == KD_RESET) {
		k->send_id = k->expect_id = INITIAL;
		line_control(k, KD_RESET, 0);
	}
	return type == KD_RESET || type == KD_RESEND ? LINE_AGAIN : LINE_TIMEOUT;
}

/* TIMEOUT: not what was wanted; the caller goes on listening. */
static enum line take_data(struct target *k, unsigned wanted, const uint8_t *head)
{
	struct packet *p = &k->in;
	uint8_t trailer = 0;
	enum line got;

	*p = (struct packet){ .type = get16(head + 4), .id = get32(head + 8), .n = get16(head + 6) };
	got = p->n <= KD_PACKET ? take_bytes(k, p->body, p->n) : LINE_TIMEOUT;
	if (got == LINE_OK)
		got = take_bytes(k, &trailer, 1);
	if (got == LINE_OVER)
		return got;
	if (got != LINE_OK || trailer != TRAILER || !line_sound(p, get32(head + 12)) || line_refuses(k)) {
		note(k, "not taken");
		line_control(k, KD_RESEND, 0);
		return LINE_TIMEOUT;
	}
	note_packet(k, 'H', p->type, p->id, p->body, p->n);
	line_control(k, KD_ACK, p->id);
	if (p->id != k->expect_id || p->type != wanted) {
		note(k, "acknowledged and dropped");
		return LINE_TIMEOUT;
	}
	k->expect_id ^= 1;
	return LINE_OK;
}

static enum line on_packet(struct target *k, unsigned wanted, int leader)
{
	uint8_t head[LINE_HEAD] = { 0 };
	enum line got = take_bytes(k, head + 4, LINE_HEAD - 4);

	if (got != LINE_OK)
		return got;
	k->present = true;
	if (leader == LINE_CONTROL) {
		note_packet(k, 'H', get16(head + 4), get32(head + 8), NULL, 0);
		return on_control(k, wanted, get16(head + 4), get32(head + 8));
	}
	if (wanted != KD_ACK)
		return take_data(k, wanted, head);
	note(k, "data where an ACK was due");
	line_control(k, KD_RESEND, 0); /* it takes the packet's being there for the ACK, and wants to have it once more (KD 1.3) */
	acknowledged(k);
	return LINE_OK;
}

static enum line receive(struct target *k, unsigned type)
{
	enum line got;
	int leader;

	do {
		got = take_leader(k, &leader);
		if (got != LINE_OK)
			return got;
		got = on_packet(k, type, leader);
	} while (got == LINE_TIMEOUT);
	return got;
}

static bool broken(struct target *k)
{
	return transport_take(&k->link) == LINE_BREAKIN;
}

const struct line_way line_serial = { restart, restart, write_packet, receive, broken };
