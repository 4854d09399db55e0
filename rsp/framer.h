/* framer.h - GDB remote protocol framing: bytes in, one event out. No I/O; allocates only in init.
 *
 * Source: gdb manual, "Overview" of the remote protocol, and what stubs and clients really send.
 * STRICT is for clients: no run-length, no notification, nothing between packets but + - and 0x03.
 * TOLERANT is for stubs: run-length is expanded, a $ inside a packet begins a new one, as gdb reads it.
 * The body is delivered still escaped: whether } means anything there is for the parser of the packet to say. */
#ifndef RSP_FRAMER_H
#define RSP_FRAMER_H

#include "base/buf.h"

enum rsp_event {
	RSP_NONE,      /* needs more bytes */
	RSP_PACKET,    /* f->body */
	RSP_NOTIFY,    /* f->body, of a %...#xx; TOLERANT only */
	RSP_ACK,
	RSP_NAK,
	RSP_BREAK,     /* 0x03 outside a packet */
	RSP_BADSUM,    /* a whole packet whose checksum is wrong; TOLERANT: or no hex */
	RSP_TOOBIG,    /* a whole packet that did not fit */
	RSP_MALFORMED, /* a whole packet with run-length where there may be none, or an escape that no sender makes */
	RSP_BROKEN,    /* STRICT: $ inside a packet, or a checksum that is no hex: where packets end is not known any more */
	RSP_NOISE,     /* a byte that is nothing, outside a packet */
	RSP_EVENTS,
};

enum rsp_framer_mode { RSP_STRICT, RSP_TOLERANT };
enum rsp_framer_state { RSP_F_IDLE, RSP_F_BODY, RSP_F_ESCAPE, RSP_F_REPEAT, RSP_F_SUM1, RSP_F_SUM2, RSP_F_STATES };

struct rsp_framer {
	enum rsp_framer_mode mode;
	enum rsp_framer_state state;
	bool notify, overflow, spoiled;
	bool check; /* verify checksums; true at the start */
	uint8_t sum, want;
	struct buf body;
};

int rsp_framer_init(struct rsp_framer *f, enum rsp_framer_mode mode, size_t max_body) MUST_USE;
void rsp_framer_fini(struct rsp_framer *f);
void rsp_framer_reset(struct rsp_framer *f); /* a new connection: idle, and checking again */

/* Eats bytes up to and including the one that ends an event; returns how many. */
size_t rsp_framer_feed(struct rsp_framer *f, struct span in, enum rsp_event *ev) MUST_USE;
bool rsp_framer_midway(const struct rsp_framer *f); /* a packet has begun and not ended */

/* Undoes escapes within one array; the length left, or -EBADMSG for a } at the end. */
long rsp_unescape_in_place(uint8_t *body, size_t len) MUST_USE;

/* Writing a packet: open, put the body with the calls of base/ and rsp_put_escaped, close. close adds the
 * checksum. Where any put failed, undo takes back what open began, and the buffer is as before.
 *
 *	struct rsp_mark at = rsp_open(out);
 *	rc = buf_put_text(out, "OK");
 *	return rc ? rsp_undo(out, at, rc) : rsp_close(out, at);   */
struct rsp_mark {
	size_t len;
	bool bad; /* there was no room even for the $ */
};

struct rsp_mark rsp_open(struct buf *out);
int rsp_put_escaped(struct buf *out, struct span bytes) MUST_USE; /* 0, -ENOBUFS */
int rsp_close(struct buf *out, struct rsp_mark at) MUST_USE;      /* 0; -ENOBUFS and undone */
int rsp_undo(struct buf *out, struct rsp_mark at, int rc) MUST_USE; /* answers rc */

uint8_t rsp_sum(struct span wire); /* of a body as it is sent */

/* The whole of it for a body that is text already. Escapes what must be. */
int rsp_frame(struct buf *out, struct span body) MUST_USE; /* 0; -ENOBUFS and nothing changed */

#endif
