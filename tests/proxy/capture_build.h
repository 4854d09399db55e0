/* capture_build.h - captures made in memory, frame by frame. */
#ifndef TESTS_CAPTURE_BUILD_H
#define TESTS_CAPTURE_BUILD_H

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { BUILD_MAX = 1 << 20, BUILD_RAW = 101, BUILD_ETHERNET = 1, BUILD_SLL = 113, BUILD_SLL2 = 276, BUILD_NULL = 0, BUILD_LOOP = 108 };
enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

struct build {
	uint8_t bytes[BUILD_MAX];
	size_t n;
	unsigned link;
	uint32_t seconds;  /* of the next packet */
	size_t last;       /* where the last record begins */
};

struct tcp {
	uint32_t from, to;
	unsigned from_port, to_port, flags;
	uint32_t seq, ack;
	const void *data;
	size_t len;
	bool v6;
	unsigned vlan;     /* tags */
	size_t cut;        /* bytes that the capture left out at the end */
	size_t padding;    /* behind the packet */
};

static inline void build_be(struct build *b, uint32_t v, size_t n)
{
	while (n--)
		b->bytes[b->n++] = (uint8_t)(v >> 8 * n);
}

static inline void build_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline void build_zeros(struct build *b, size_t n)
{
	memset(b->bytes + b->n, 0, n);
	b->n += n;
}

static inline void build_begin(struct build *b, unsigned link)
{
	static const uint8_t head[] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0 };

	b->n = sizeof head + 4;
	b->link = link;
	b->seconds = 1000;
	memcpy(b->bytes, head, sizeof head);
	build_le32(b->bytes + sizeof head, link);
}

static inline void build_record(struct build *b)
{
	b->last = b->n;
	build_zeros(b, 16);
	build_le32(b->bytes + b->last, b->seconds++);
}

static inline void build_record_end(struct build *b, size_t cut)
{
	size_t len = b->n - b->last - 16;

	build_le32(b->bytes + b->last + 12, (uint32_t)len);
	b->n -= cut < len ? cut : len;
	build_le32(b->bytes + b->last + 8, (uint32_t)(b->n - b->last - 16));
}

static inline void build_tags(struct build *b, unsigned vlan, bool v6)
{
	for (; vlan; vlan--)
		build_be(b, 0x81000001, 4);
	build_be(b, v6 ? 0x86dd : 0x0800, 2);
}

static inline void build_link(struct build *b, unsigned vlan, bool v6)
{
	switch (b->link) {
	case BUILD_ETHERNET:
		build_zeros(b, 12);
		build_tags(b, vlan, v6);
		break;
	case BUILD_SLL:
		build_zeros(b, 14);
		build_tags(b, vlan, v6);
		break;
	case BUILD_SLL2:
		build_be(b, v6 ? 0x86dd : 0x0800, 2);
		build_zeros(b, 18);
		break;
	case BUILD_NULL:
	case BUILD_LOOP:
		build_be(b, 2, 4);
		break;
	}
}

static inline void build_addr(struct build *b, uint32_t addr, bool v6)
{
	if (v6) {
		build_be(b, 0x20010db8, 4);
		build_zeros(b, 8);
	}
	build_be(b, addr, 4);
}

static inline void build_ip(struct build *b, const struct tcp *t, unsigned protocol)
{
	size_t len = 20 + t->len;

	build_be(b, t->v6 ? 0x60000000 : 0x45000000 | (uint32_t)(len + 20), 4);
	if (t->v6)
		build_be(b, (uint32_t)len << 16 | protocol << 8 | 64, 4);
	else
		build_be(b, 0, 4), build_be(b, 64 << 24 | protocol << 16, 4);
	build_addr(b, t->from, t->v6);
	build_addr(b, t->to, t->v6);
}

static inline void build_tcp(struct build *b, struct tcp t)
{
	if (b->n + t.len + 256 > sizeof b->bytes)
		abort();
	build_record(b);
	build_link(b, t.vlan, t.v6);
	build_ip(b, &t, 6);
	build_be(b, t.from_port << 16 | t.to_port, 4);
	build_be(b, t.seq, 4);
	build_be(b, t.ack, 4);
	build_be(b, 0x50000000 | t.flags << 16 | 0xffff, 4);
	build_be(b, 0, 4);
	if (t.len)
		memcpy(b->bytes + b->n, t.data, t.len);
	b->n += t.len;
	build_zeros(b, t.padding);
	build_record_end(b, t.cut);
}

/* A datagram from port from_port to to_port, as t's segment would be. */
static inline void build_udp(struct build *b, struct tcp t)
{
	struct tcp shorter = t;

	if (b->n + t.len + 256 > sizeof b->bytes)
		abort();
	shorter.len = t.len - 12; /* its header is so much shorter than TCP's */
	build_record(b);
	build_link(b, t.vlan, t.v6);
	build_ip(b, &shorter, 17);
	build_be(b, t.from_port << 16 | t.to_port, 4);
	build_be(b, (uint32_t)(8 + t.len) << 16, 4);
	memcpy(b->bytes + b->n, t.data, t.len);
	b->n += t.len;
	build_record_end(b, t.cut);
}

#endif
