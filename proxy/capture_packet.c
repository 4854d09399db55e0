/* capture_packet.c - see capture_packet.h. */
#include "proxy/capture_packet.h"

#include <netinet/in.h>
#include <string.h>

enum { ETHERTYPE_V4 = 0x0800, ETHERTYPE_V6 = 0x86dd, ETHERTYPE_VLAN = 0x8100, ETHERTYPE_QINQ = 0x88a8, VLANS = 2 };
enum { IPV4_MORE = 0x2000, IPV4_OFFSET = 0x1fff, IPV6_EXTENSIONS = 8 };

static unsigned take_be16(struct cursor *c)
{
	unsigned high = cursor_u8(c);

	return high << 8 | cursor_u8(c);
}

static uint32_t take_be32(struct cursor *c)
{
	uint32_t high = take_be16(c);

	return high << 16 | take_be16(c);
}

static void take_addr(struct cursor *c, struct capture_end *e, size_t len)
{
	struct span s = cursor_take(c, len);

	if (s.len == len)
		memcpy(e->addr, s.p, len);
	e->v6 = len == sizeof e->addr;
}

/* What is left of c, but no more than len bytes. */
static void bound(struct cursor *c, size_t len)
{
	if ((size_t)(c->end - c->p) > len)
		c->end = c->p + len;
}

static enum capture_found take_tcp(struct capture_packet *p, struct cursor *c)
{
	unsigned head;

	p->from.port = (uint16_t)take_be16(c);
	p->to.port = (uint16_t)take_be16(c);
	p->seq = take_be32(c);
	p->ack = take_be32(c);
	head = cursor_u8(c) >> 4;
	p->flags = cursor_u8(c);
	cursor_take(c, 6); /* window, checksum, urgent pointer */
	if (head < 5)
		return CAPTURE_OTHER;
	cursor_take(c, (head - 5) * 4);
	if (c->bad)
		return CAPTURE_OTHER;
	p->bytes = cursor_rest(c);
	return CAPTURE_TCP;
}

/* The checksum is not looked at: a KDNET target sends none. */
static enum capture_found take_udp(struct capture_packet *p, struct cursor *c)
{
	enum { HEAD = 8 };
	size_t len;

	p->from.port = (uint16_t)take_be16(c);
	p->to.port = (uint16_t)take_be16(c);
	len = take_be16(c);
	cursor_take(c, 2);
	if (!c->bad && len >= HEAD)
		p->bytes = cursor_take(c, len - HEAD);
	return CAPTURE_UDP;
}

static enum capture_found take_inner(struct capture_packet *p, struct cursor *c, unsigned protocol)
{
	if (c->bad)
		return CAPTURE_OTHER;
	return protocol == IPPROTO_TCP ? take_tcp(p, c) : protocol == IPPROTO_UDP ? take_udp(p, c) : CAPTURE_OTHER;
}

/* A length of 0 is what a network card is given that cuts large packets itself. */
static enum capture_found take_v4(struct capture_packet *p, struct cursor *c)
{
	size_t all = (size_t)(c->end - c->p), head = (size_t)(cursor_u8(c) & 15) * 4, len, fragment;
	unsigned protocol;

	cursor_u8(c);
	len = take_be16(c);
	cursor_take(c, 2);
	fragment = take_be16(c);
	cursor_u8(c);
	protocol = cursor_u8(c);
	cursor_take(c, 2);
	take_addr(c, &p->from, 4);
	take_addr(c, &p->to, 4);
	len = len ? len : all;
	if (c->bad || head < 20 || len < head || fragment & (IPV4_MORE | IPV4_OFFSET))
		return CAPTURE_OTHER;
	bound(c, len - 20);
	cursor_take(c, head - 20);
	return take_inner(p, c, protocol);
}

static bool is_extension(unsigned header)
{
	return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING || header == IPPROTO_DSTOPTS;
}

static enum capture_found take_v6(struct capture_packet *p, struct cursor *c)
{
	unsigned next;
	size_t len;

	cursor_take(c, 4);
	len = take_be16(c);
	next = cursor_u8(c);
	cursor_u8(c);
	take_addr(c, &p->from, 16);
	take_addr(c, &p->to, 16);
	if (len)
		bound(c, len);
	for (int i = 0; is_extension(next); i++) {
		if (i == IPV6_EXTENSIONS)
			return CAPTURE_OTHER;
		next = cursor_u8(c);
		cursor_take(c, (size_t)cursor_u8(c) * 8 + 6);
	}
	return take_inner(p, c, next);
}

static enum capture_found take_ip(struct capture_packet *p, struct cursor *c)
{
	int first = cursor_peek(c);

	if (first < 0)
		return CAPTURE_OTHER;
	return first >> 4 == 4 ? take_v4(p, c) : first >> 4 == 6 ? take_v6(p, c) : CAPTURE_OTHER;
}

/* What follows an Ethernet type. */
static bool skip_to_ip(struct cursor *c, unsigned type)
{
	for (int i = 0; i < VLANS && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ); i++) {
		cursor_take(c, 2);
		type = take_be16(c);
	}
	return type == ETHERTYPE_V4 || type == ETHERTYPE_V6;
}

static bool skip_nothing(struct cursor *c)
{
	return !c->bad;
}

static bool skip_ethernet(struct cursor *c)
{
	cursor_take(c, 12);
	return skip_to_ip(c, take_be16(c));
}

static bool skip_sll(struct cursor *c)
{
	cursor_take(c, 14);
	return skip_to_ip(c, take_be16(c));
}

static bool skip_sll2(struct cursor *c)
{
	unsigned type = take_be16(c);

	cursor_take(c, 18);
	return skip_to_ip(c, type);
}

/* An address family, whose numbers and byte order are those of the machine that captured; IP's own version says as much. */
static bool skip_loopback(struct cursor *c)
{
	cursor_take(c, 4);
	return true;
}

enum capture_found capture_packet_parse(struct capture_packet *p, enum capture_layer layer, struct span frame)
{
	static bool (*const skip[CAPTURE_LAYERS])(struct cursor *) = {
		[CAPTURE_IP] = skip_nothing, [CAPTURE_ETHERNET] = skip_ethernet, [CAPTURE_SLL] = skip_sll,
		[CAPTURE_SLL2] = skip_sll2,  [CAPTURE_LOOPBACK] = skip_loopback,
	};
	struct cursor c = cursor_of(frame);

	*p = (struct capture_packet){ 0 };
	return skip[layer](&c) && !c.bad ? take_ip(p, &c) : CAPTURE_OTHER;
}
