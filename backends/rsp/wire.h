/* wire.h - packets to and from a stub over a link: acknowledgements, one packet out at a time, line noise.
 *
 * While packets are acknowledged, one that is not is sent again after a time, as gdb does: over datagrams it was lost. A stub may
 * then answer it twice, and some resend each answer until their + has come: a packet like the last one, when nothing was sent since
 * or what was sent has no + yet, is that. Text ("O...") may be said twice, and is never taken for it. */
#ifndef BACKENDS_RSP_WIRE_H
#define BACKENDS_RSP_WIRE_H

#include "base/wait.h"
#include "rsp/framer.h"

struct link;

enum { WIRE_IN_MAX = 65536, WIRE_BODY_MAX = 131072, WIRE_OUT_MAX = 40960, WIRE_NOISE_MAX = 65536, WIRE_NOISE_MS = 4 /* forgotten each ms */, WIRE_RETRIES = 3,
       WIRE_FRAME_MS = 5000, WIRE_BYTE_MS = 2, /* a packet may take that long, and so much more for each of its bytes */
       WIRE_RESEND_MS = 1000, WIRE_RESENDS = WIRE_RETRIES + 2, WIRE_SETTLE_MS = 250 };

/* What was heard that is no answer, since it was last looked at. */
enum wire_odd { WIRE_ODD_NOISE = 1, WIRE_ODD_NOTIFY = 2, WIRE_ODD_BADSUM = 4, WIRE_ODD_NAK = 8, WIRE_ODD_SLOW = 16 };

struct wire {
	struct link *link; /* owned */
	struct rsp_framer framer;
	struct buf in, tx;
	struct buf left;   /* of tx, what the link has not taken; a view */
	struct rsp_mark mark;
	bool no_ack;
	char owed;         /* + or - for the last packet; 0: nothing */
	unsigned naks;     /* since the last good packet, either way */
	bool packet;       /* tx is one: a + is due */
	bool acks;         /* it has acknowledged something */
	bool acked;        /* and what is in tx */
	bool once;         /* it is not sent again, answered or not */
	bool expects;      /* it was acknowledged, or a break was sent: what comes next is its answer */
	uint64_t resend_at; /* NEVER: it has not gone, or was acknowledged */
	unsigned resends;  /* of what is in tx, because no + came */
	unsigned copies;   /* answers that may come once more: until settle_by nothing is sent */
	uint64_t settle_by;
	struct { uint64_t hash; size_t len; bool any; } heard; /* the last packet that was acknowledged */
	unsigned odd;      /* of enum wire_odd; cleared by who looks */
	unsigned slow;     /* packets that did not end in time, since the last good one */
	uint64_t noise, noise_at; /* what is not forgotten yet; when that was */
	uint64_t framed;   /* the packet that is coming began then; NEVER: none */
	const char *why;   /* after -EPROTO */
};

int wire_init(struct wire *w) MUST_USE;
void wire_fini(struct wire *w);

/* A packet: open, put its body, close. It goes with the next wire_push, and again if the stub asks for it.
 * Only when wire_idle: one packet is out at a time. */
struct buf *wire_open(struct wire *w);
int wire_close(struct wire *w) MUST_USE;
void wire_once(struct wire *w);            /* the packet that was closed may never be heard: it is sent once */
void wire_byte(struct wire *w, uint8_t c); /* 0x03 */
void wire_nudge(struct wire *w);           /* a + that nobody waits for; means nothing to a stub */
void wire_still_due(struct wire *w, uint64_t now); /* the last packet heard is no answer to ours, which may have been lost */
bool wire_idle(const struct wire *w);      /* everything has gone */
bool wire_midway(const struct wire *w);    /* of the packet a part has gone, and not all */
bool wire_heard(const struct wire *w);     /* and the stub has it, as far as it says so */

int wire_push(struct wire *w, uint64_t now) MUST_USE; /* 1 all gone, 0 nothing to do or not now, -errno */

/* 1: a packet, in *body, until the next call; or bytes that make none yet, *body is NULL. 0: nothing now. -errno. */
int wire_pull(struct wire *w, struct buf **body, uint64_t now) MUST_USE;
void wire_wait(const struct wire *w, struct wait *wt);

#endif
