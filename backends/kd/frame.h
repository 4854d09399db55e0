/* frame.h - KD packets and the bytes they travel as (KD 1.1, 1.2). No I/O; allocates only in init.
 *
 * On a byte stream a data packet is followed by one byte 0xAA; a carrier of datagrams (KDNET) has one packet in each, and no such byte.
 * The checksum is a sum of the payload's bytes: it finds glitches, and guards neither the header nor the order of bytes. */
#ifndef BACKENDS_KD_FRAME_H
#define BACKENDS_KD_FRAME_H

#include "base/buf.h"

enum kd_type {
	KD_TYPE_UNUSED,
	KD_TYPE_STATE_CHANGE32, /* before NT 5; nobody sends it now */
	KD_TYPE_MANIPULATE,
	KD_TYPE_DEBUG_IO,
	KD_TYPE_ACKNOWLEDGE,
	KD_TYPE_RESEND,
	KD_TYPE_RESET,
	KD_TYPE_STATE_CHANGE64,
	KD_TYPE_POLL_BREAKIN, /* a selector inside the target, never on the wire */
	KD_TYPE_TRACE_IO,
	KD_TYPE_CONTROL_REQUEST,
	KD_TYPE_FILE_IO,
	KD_TYPES,
};

enum { KD_FRAME_HEADER = 16, KD_PAYLOAD_MAX = 4000, KD_FRAME_MAX = KD_FRAME_HEADER + KD_PAYLOAD_MAX + 1 };
enum { KD_BREAK_IN = 0x62, KD_TRAILER = 0xaa };

struct kd_packet {
	bool control;        /* a header alone; its payload is empty */
	uint16_t type;       /* of a data packet: one that carries data. Of a control packet: any, ignore what is not known */
	uint32_t id;
	struct span payload; /* at most KD_PAYLOAD_MAX */
};

enum kd_frame_event {
	KD_FRAME_NONE,   /* of a stream: needs more bytes. Of a datagram: it is no KD packet */
	KD_FRAME_PACKET,
	KD_FRAME_BAD,    /* a data packet with a wrong checksum, trailer or length of datagram: a RESEND is due */
	KD_FRAME_EVENTS,
};

enum kd_framer_state { KD_FRAMER_HEADER, KD_FRAMER_PAYLOAD, KD_FRAMER_TRAILER, KD_FRAMER_STATES };

/* Finds packets between whatever else is on the line. Sixteen bytes are a header only if type and length can be: the zeros of a boot
 * loader's text ("0x00000000") are no leader. A byte that belongs to no packet is noise. */
struct kd_framer {
	enum kd_framer_state state;
	uint8_t head[KD_FRAME_HEADER];
	size_t have;     /* bytes of head */
	struct buf body; /* the payload, as far as it came */
	uint64_t noise;  /* bytes, ever */
};

int kd_framer_init(struct kd_framer *f) MUST_USE; /* 0, -ENOMEM */
void kd_framer_fini(struct kd_framer *f);
void kd_framer_reset(struct kd_framer *f);              /* forget what has begun: it is noise */
bool kd_framer_midway(const struct kd_framer *f);       /* a packet has begun, and not ended */

/* Eats up to and including the byte that ends an event; but what stands where the trailer should be, and is none, may begin the next
 * packet and is left. The payload is borrowed from the framer, until the next call. */
enum kd_frame_event kd_framer_next(struct kd_framer *f, struct cursor *in, struct kd_packet *p) MUST_USE;

/* All of one datagram, which the payload is borrowed from. */
enum kd_frame_event kd_packet_parse(struct span datagram, struct kd_packet *p) MUST_USE;

/* 0; -ENOBUFS and nothing changed; -EMSGSIZE more than KD_PAYLOAD_MAX. trailer: for a byte stream; a control packet never has one. */
int kd_packet_put(struct buf *out, const struct kd_packet *p, bool trailer) MUST_USE;

#endif
