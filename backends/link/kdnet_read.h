/* kdnet_read.h - KDNET read by one who only listens: a recording's datagrams, of both directions, opened with the key of the target
 * (KDNET 3, 4). No socket, no clock; nothing is answered.
 *
 * Every response that verifies makes a data key; a datagram of the data channel is tried under each, the newest first. */
#ifndef BACKENDS_LINK_KDNET_READ_H
#define BACKENDS_LINK_KDNET_READ_H

#include "backends/link/kdnet.h"

enum { KDNET_READ_KEYS = 8 }; /* data keys that are remembered: sessions that may overlap in a recording */

enum kdnet_read_found {
	KDNET_READ_STRANGE, /* no KDNET: magic, length, channel */
	KDNET_READ_SEALED,  /* there is no key for it: none was given, or its session's response has not been seen */
	KDNET_READ_WRONG,   /* it verifies under no key that there is */
	KDNET_READ_OPENED,
	KDNET_READ_FOUND,
};

struct kdnet_read {
	uint64_t counts[2][KDNET_READ_FOUND]; /* of the data and the control channel */
	uint64_t data_keys;                   /* so far */

	/* Its own. */
	bool keyed;
	struct kdnet_key key;
	struct kdnet_cipher control;
	struct kdnet_mac mac;
	struct { uint64_t number; struct kdnet_cipher cipher; uint8_t key[KDNET_HASH]; } keys[KDNET_READ_KEYS];
	uint8_t plain[KDNET_DATAGRAM_MAX];
};

struct kdnet_seen {
	enum kdnet_read_found found;
	/* What is clear; not with STRANGE. */
	bool control;
	uint8_t version;
	size_t sealed;        /* bytes of ciphertext */
	/* With OPENED; body is borrowed until the next look. */
	bool from_host;
	uint64_t sequence;
	unsigned pad;
	uint64_t data_key;    /* under which: from 1; 0: the target's own */
	bool makes_key;       /* a response, by which data key .data_keys came to be */
	struct span body;
};

int kdnet_read_init(struct kdnet_read *r, const struct kdnet_key *key) MUST_USE; /* NULL: none. 0, -ENOMEM */
void kdnet_read_fini(struct kdnet_read *r); /* wiped; all zero is fine */
void kdnet_read_look(struct kdnet_read *r, struct span datagram, struct kdnet_seen *out);

/* Pokes and responses (KDNET 4.1, 4.2): the body of an opened control datagram. */
struct kdnet_offer {
	bool response;
	struct span nonce, random; /* random: of a response */
	struct span ends[3];       /* of a poke: the target, its host, the host it has a data channel with; IPv6 address, port big-endian */
};
int kdnet_offer_parse(struct span body, struct kdnet_offer *out) MUST_USE; /* 0, -EBADMSG neither */

/* The first word of a session (KDNET 4.3): which IPv4 address the target believes its host has. false: it is none. */
bool kdnet_is_check(struct span body, uint8_t ip[4]);

#endif
