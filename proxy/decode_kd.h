/* decode_kd.h - a stream that may be KD: packets and what is between them, as lines. For proxy/decode.c alone. */
#ifndef PROXY_DECODE_KD_H
#define PROXY_DECODE_KD_H

#include "proxy/capture.h"
#include "proxy/decode_out.h"

enum { DECODE_KD_NOISE = 128 };

/* Bytes of one side that are no packet, told together: up to the end of a line, or until there is a packet. */
struct decode_kd_side {
	struct kd_framer framer;
	uint8_t noise[DECODE_KD_NOISE];
	size_t noise_n;
	double noise_time;
};

struct decode_kd {
	struct decode_voice voice;
	struct decode_kd_side sides[2]; /* the target's, the host's */
	enum kd_machine machine;        /* as far as it has said */
};

int decode_kd_init(struct decode_kd *k, const char *opening, double time) MUST_USE; /* 0, -ENOMEM */
void decode_kd_fini(struct decode_kd *k);         /* all zero is fine */

/* The first packet whose sum is right shows that it is KD: .voice is found then. */
void decode_kd_feed(struct decode_kd *k, struct decode_out *o, const struct capture_piece *piece);
void decode_kd_gap(struct decode_kd *k, struct decode_out *o, const struct capture_piece *piece); /* bytes are missing before it */
bool decode_kd_midway(const struct decode_kd *k);
void decode_kd_flush(struct decode_kd *k, struct decode_out *o); /* what waits for the end of a line */

/* One packet, its fields behind those that are there. machine: is learnt. */
void decode_kd_packet(struct kd_facts *f, const struct kd_packet *p, bool from_host, enum kd_machine *machine);

#endif
