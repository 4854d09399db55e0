/* decode_kdnet.h - datagrams that may be KDNET, opened where there is a key, as lines. For proxy/decode.c alone. */
#ifndef PROXY_DECODE_KDNET_H
#define PROXY_DECODE_KDNET_H

#include "backends/link/kdnet_read.h"
#include "proxy/capture.h"
#include "proxy/decode_out.h"

enum { DECODE_PAIRS = 64 };

/* Two ends that talk. Which of them is the host shows when a datagram is opened, or by the length of a poke. */
struct decode_pair {
	struct decode_voice voice;
	char ends[2][CAPTURE_NAME];
	int host;        /* of ends; -1: not known */
	enum kd_machine machine;
	uint64_t touched;
	uint64_t counts[KDNET_READ_FOUND];
	double time;     /* of the last datagram */
};

struct decode_kdnet {
	struct kdnet_read read;
	struct decode_pair pairs[DECODE_PAIRS];
	uint64_t clock;
};

int decode_kdnet_init(struct decode_kdnet *k, const struct kdnet_key *key) MUST_USE; /* NULL: none. 0, -ENOMEM */
void decode_kdnet_fini(struct decode_kdnet *k);
int decode_kdnet_take(struct decode_kdnet *k, struct decode_out *o, const struct capture_piece *p) MUST_USE; /* 0, -ENOMEM */
void decode_kdnet_end(struct decode_kdnet *k, struct decode_out *o); /* what there was, of each pair */

/* The key is another target's: there were datagrams that only it opens, and it opened none. */
bool decode_kdnet_is_wrong_key(const struct decode_kdnet *k);

#endif
