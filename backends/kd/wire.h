/* wire.h - the lowest half of a conversation with a KD target: packets once each and in order, in both dialects, over a link that loses,
 * repeats and damages (KD 1.3 to 1.6; KDNET 5). A value: bytes in, bytes out, time is an argument (ms).
 *
 * Dialects. COM: ids 0x80800000 and 0x80800001 in turn, each way; a peer that begins anew sets bit 0x800 in its first id. NET: the
 * target's ids are 0, 2, 4..., the host's 0x80000000 and on by 2; no bit means anything, and a RESET carries its sender's next id.
 *
 * Turn: fill in; call take until it answers KD_WIRE_NONE; call tick; call next until it answers 0, sending what it puts. An ACK that is
 * late costs the target from 50 ms to half a second, and after a second it may give the host up: call next before any work on the packet.
 * What the layer above may not take now it leaves unread: it does not call take.
 *
 * Once each has limits that no host can mend: after a RESET a target sends again what it sent last, be it a stale answer or the same
 * state change; and an ACK means that a packet came whole, not that it was looked at: to one with a stale id nothing will ever be said. So
 * the layer above drops an answer to nothing, has its own patience for answers, and ends it with kd_wire_reset. */
#ifndef BACKENDS_KD_WIRE_H
#define BACKENDS_KD_WIRE_H

#include "backends/kd/frame.h"

enum kd_dialect { KD_WIRE_COM, KD_WIRE_NET, KD_WIRE_DIALECTS };

enum kd_wire_event {
	KD_WIRE_NONE,       /* in is empty, and nothing is kept */
	KD_WIRE_MOVED,      /* something was taken that is nobody's business; call again */
	KD_WIRE_DATA,       /* a fresh data packet; its ACK is due */
	KD_WIRE_ACKED,      /* the packet we sent was taken */
	KD_WIRE_RESTARTED,  /* the peer began its stream anew, unasked: it booted, or had given us up. What was ours is dropped, not taken */
	KD_WIRE_RESET_DONE, /* our RESET was answered; what was ours is dropped. May come twice for one, and after RESTARTED */
};

enum { KD_WIRE_ACKS = 8, KD_WIRE_TRIES = 5, KD_WIRE_NET_TRIES = 7, KD_WIRE_LEAST_MS = 50,
       KD_WIRE_BADS = 24 /* damaged packets, nothing taken or answered between */,
       KD_WIRE_RESETS = 24 /* of the peer's, with nothing taken between, either way */,
       KD_WIRE_FRAME_MS = 1000, KD_WIRE_BYTE_MS = 2, /* a packet may take that long to come, and so much more for each of its bytes */
       KD_WIRE_RESET_MS = 2000 /* a RESET that comes so soon after one of ours is its answer */,
       KD_WIRE_AT_ONCE = 4 /* so often a packet goes again on a stream as soon as it is asked for, then after a rest */,
       KD_WIRE_REST_MS = 1500 /* longer than a target waits for a byte */,
       KD_WIRE_ASKS = 12 /* RESENDs, in KD_WIRE_REST_MS, for damaged packets */ };

struct kd_wire {
	enum kd_dialect dialect;
	/* The caller may set these after init. */
	uint64_t retry_ms;   /* our packet goes again when no ACK came in time (a slow line has KD_WIRE_BYTE_MS more for each byte). NET: at most;
	                      * sooner, from KD_WIRE_LEAST_MS on, where a round trip is known to be short */
	unsigned tries;      /* how often it goes at most, for that reason */
	unsigned rounds;     /* how often the peer may ask for it again */
	/* For diagnostics; never cleared. Noise is in framer.noise. */
	uint64_t bad;        /* damaged packets, or what did not end in time */
	uint64_t duplicates;
	uint64_t resent;     /* our data packets, for whatever reason */
	uint64_t asked;      /* RESENDs the peer sent */
	uint64_t strays;     /* ACKs of nothing, control packets of no known type, datagrams that are no packet */
	uint64_t restarts;   /* of the peer, unasked */
	const char *why;     /* words, after a call answered an error */

	/* Its own. */
	struct kd_framer framer;
	uint64_t framed;     /* what is coming began then; NEVER: nothing */
	unsigned bads, resets, asks;
	uint64_t asks_from;  /* asks: since then */
	bool met;            /* a data packet was taken in this stream */
	uint32_t rx;         /* COM: the id that comes next; NET: the last id taken */
	struct { uint64_t hash; size_t len; uint16_t type; bool sync; } last; /* data packet that was taken */
	bool kept;           /* p, which RESTARTED or RESET_DONE came before */
	struct kd_packet p;
	uint32_t acks[KD_WIRE_ACKS];
	size_t acks_n;
	bool ask, reset, brk; /* due: RESEND, RESET, break-in */
	bool resetting;      /* our RESET has no answer yet */
	bool owed;           /* a RESET has not come since ours */
	uint64_t reset_at;   /* the last RESET we sent; NEVER: none */
	uint32_t tx;         /* the id of our packet that is out, or else of the next */
	struct buf out;      /* payload of our packet */
	enum kd_type type;   /* of our packet */
	bool busy;           /* there is one */
	bool due;            /* it has to go, first or again */
	bool rests;          /* it goes again at .retry_at, and not before */
	unsigned sent, waited, asked_now;
	uint64_t sent_at, retry_at; /* retry_at: NEVER: it has not gone */
	bool timed;          /* a round trip was measured: .trip8, in eighths of a ms, of the last few */
	uint64_t trip8;
};

int kd_wire_init(struct kd_wire *w, enum kd_dialect d) MUST_USE; /* 0, -ENOMEM */
void kd_wire_fini(struct kd_wire *w);
void kd_wire_restart(struct kd_wire *w); /* a new connection (stream) or session (KDNET): both ways begin anew, nothing is out or due */

/* Pulls from in. COM: in is a piece of the stream; p is borrowed until the next take. NET: in is the body of one datagram, and p lies in
 * it: until in is written to. p is set with KD_WIRE_DATA only. -EPROTO: the peer does what leads nowhere, and why says what; what was
 * ours is dropped, and the wire can go on if the caller wants to, best with kd_wire_reset. */
int kd_wire_take(struct kd_wire *w, struct buf *in, struct kd_packet *p, uint64_t now) MUST_USE;

/* The next take gives a packet though in be empty: the one by which the peer began anew. Its ACK is due: nobody sends it again. */
bool kd_wire_keeps(const struct kd_wire *w);

/* Puts behind what is in frame the next whole frame that is due: ACKs, RESEND, RESET, break-in, our packet. 1 one frame; 0 nothing is due;
 * -ENOBUFS no room (KD_FRAME_MAX is enough for any), it stays due. It counts as sent: what the link does not take the caller keeps. On a
 * stream several frames may be gathered; on NET each is a datagram of its own. */
int kd_wire_next(struct kd_wire *w, struct buf *frame, uint64_t now) MUST_USE;

/* One data packet at a time, head and data one after the other, copied. 0; -EBUSY not kd_wire_idle; -EMSGSIZE. */
int kd_wire_send(struct kd_wire *w, enum kd_type type, struct span head, struct span data) MUST_USE;
bool kd_wire_idle(const struct kd_wire *w); /* no data packet is out or waits to go */
bool kd_wire_rests(const struct kd_wire *w); /* our packet goes again, but not yet; no answer is due */
void kd_wire_answered(struct kd_wire *w);   /* the answer to our packet has come: it was taken, though its ACK was lost */

void kd_wire_break_in(struct kd_wire *w); /* the byte is due; once, however often called before it goes */
void kd_wire_ask(struct kd_wire *w);      /* a RESEND is due: the peer sends again what it sent last. WinDbg begins a KDNET session so */
void kd_wire_reset(struct kd_wire *w);    /* our packet is dropped, a RESET is due. A target that runs does not answer one */

/* 1 something came due; 0; -ETIMEDOUT no ACK after all tries, -EPROTO: both as take's. */
int kd_wire_tick(struct kd_wire *w, uint64_t now) MUST_USE;
uint64_t kd_wire_until(const struct kd_wire *w); /* when to call tick; NEVER */

#endif
