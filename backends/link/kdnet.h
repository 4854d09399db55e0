/* kdnet.h - a host's session with one KDNET target: datagrams opened and sealed, pokes judged and answered, data keys (KDNET 3, 4).
 * A value: no socket, time is an argument (ms).
 *
 * Turn: take every datagram that comes; what kdnet_reply then has goes out at once. What cannot be verified changes nothing but counters,
 * and is answered only by the plea below.
 *
 * A response may be lost, or its poke a recording. So its data key is a candidate, beside the one in use and candidates before it, until
 * a datagram verifies under one: that one is in use from then on, and what is older is gone. */
#ifndef BACKENDS_LINK_KDNET_H
#define BACKENDS_LINK_KDNET_H

#include "backends/link/kdnet_key.h"

enum {
	KDNET_DATAGRAM_MAX = 4096, /* a KD packet is at most 4016 bytes */
	KDNET_HEADER = 6, KDNET_META = 8,
	KDNET_BODY_MAX = KDNET_DATAGRAM_MAX - KDNET_HEADER - KDNET_META - KDNET_TAG - KDNET_BLOCK,
	KDNET_CHANNELS = 4,        /* data keys: in use, and candidates */
	KDNET_BOOTS = 8,           /* of which pokes are remembered */
	KDNET_SILENT_MS = 10000,   /* a target pokes every three seconds, whatever it does */
	KDNET_PLEA_MS = 1000,      /* between pleas, at least */
	KDNET_VERSION_LEAST = 2, KDNET_VERSION_MOST = 5, /* others are tried as if they were the same */
};

#define KDNET_LEAP_MAX (1ULL << 32) /* a sequence that leaps farther would freeze the window */

/* Whoever sends. IPv4 as ::ffff:a.b.c.d. */
struct kdnet_end {
	uint8_t ip[16];
	uint32_t scope; /* of a link-local address; else 0 */
	uint16_t port;
};

enum kdnet_event {
	KDNET_NOTHING,
	KDNET_BODY,  /* the body of a data datagram */
	KDNET_BEGAN, /* the first that verifies under a new key: a session, or another in the place of the last. Its body may be empty */
};

/* What came, by what became of it. */
enum kdnet_count {
	KDNET_N_BODIES,     /* given up */
	KDNET_N_CHECKS,     /* connection checks */
	KDNET_N_ANSWERED,   /* pokes */
	KDNET_N_KEEPALIVES, /* pokes that call for no answer */
	KDNET_N_PLEAS,      /* sent */
	KDNET_N_STRANGE,    /* no KDNET: magic, length, channel */
	KDNET_N_WRONG_TAG,  /* of another key, or damaged */
	KDNET_N_UNKEYED,    /* data, and there is no session */
	KDNET_N_OTHER_END,  /* from another address than the session's */
	KDNET_N_WRONG_WAY,  /* our own, reflected */
	KDNET_N_REPLAYED,
	KDNET_N_LEAPT,
	KDNET_N_MALFORMED,  /* verified, and yet not as it should be */
	KDNET_COUNTS,
};

struct kdnet_channel {
	uint64_t made;       /* 0: free; else the greater the newer */
	struct kdnet_cipher cipher;
	struct kdnet_end end;
	uint8_t version;
	uint8_t boot[24];    /* of the poke that was answered */
	uint64_t seen;       /* the greatest sequence that was taken */
	uint64_t made_at;
};

struct kdnet {
	uint64_t counts[KDNET_COUNTS];
	uint64_t sequence; /* of what was sent last, in either channel: it only ever grows */
	uint64_t trip;     /* of the session in use: so long, at most, takes a round trip */

	/* Its own. */
	struct kdnet_key key;
	struct kdnet_cipher control;
	struct kdnet_mac mac;
	struct kdnet_channel channels[KDNET_CHANNELS];
	int up;            /* of channels; -1: no session */
	uint64_t made, heard_at, plea_at;
	bool silent, elsewhere; /* elsewhere: a poke came from there, and was refused */
	struct { uint8_t id[24]; uint64_t last, used; } boots[KDNET_BOOTS];
	uint64_t boots_used;
	uint8_t plain[KDNET_DATAGRAM_MAX];
	struct { bool due; struct kdnet_end to; size_t len; uint8_t bytes[512]; } reply;
};

/* sequence: where the last session of this process with that key ended; 0: there was none. 0, -ENOMEM. */
int kdnet_init(struct kdnet *k, const struct kdnet_key *key, uint64_t sequence) MUST_USE;
void kdnet_fini(struct kdnet *k); /* wiped */

/* body is replaced; it has room for KDNET_BODY_MAX, or loses what is longer. */
enum kdnet_event kdnet_take(struct kdnet *k, const struct kdnet_end *from, struct span datagram, struct buf *body, uint64_t now) MUST_USE;

/* Is it of this key? Changes nothing. For several targets at one port. */
bool kdnet_knows(struct kdnet *k, const struct kdnet_end *from, struct span datagram) MUST_USE;
bool kdnet_is_at(const struct kdnet *k, const struct kdnet_end *from) MUST_USE; /* the session in use is with that end */

/* What is due after a take: a response, or a plea: the empty control datagram that makes a target which talks to a debugger that is gone
 * poke at once. true once; borrowed until the next take. */
bool kdnet_reply(struct kdnet *k, struct span *datagram, struct kdnet_end *to) MUST_USE;

/* Seals a body for the session in use into *out, which is replaced and has room for KDNET_DATAGRAM_MAX. 0; -ENOTCONN there is none;
 * -EMSGSIZE; -EIO libcrypto's. Each call is a datagram of its own: what the network refused is sealed anew. */
int kdnet_seal(struct kdnet *k, struct span body, struct buf *out, struct kdnet_end *to) MUST_USE;

/* Nothing of the session's target has been heard for KDNET_SILENT_MS, neither a poke nor data: it is silent, until it is heard. That is
 * seen here. When to call; NEVER: there is no session, or that is known. */
uint64_t kdnet_watch(struct kdnet *k, uint64_t now);
uint64_t kdnet_until(const struct kdnet *k);

/* Why there is no session, from what came and what did not; or what is unusual about the one there is; NULL: nothing. Static. */
const char *kdnet_words(const struct kdnet *k);

#endif
