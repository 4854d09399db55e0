/* decode_out.h - the lines of kdgate decode, as text or as JSON. For proxy/decode*.c alone. */
#ifndef PROXY_DECODE_OUT_H
#define PROXY_DECODE_OUT_H

#include "backends/kd/look.h"

#include <stdio.h>

enum { DECODE_PENDING = 4096, DECODE_OPENING = 320 };

/* Who says something. */
enum decode_way { DECODE_CLIENT = '>', DECODE_TARGET = '<', DECODE_NOBODY = '=', DECODE_EITHER = '?' };

struct decode_out {
	FILE *to;
	bool json;
	bool timed;
	double start; /* of the first piece */
	uint64_t found; /* conversations that are shown */
};

/* One conversation as one protocol. Until it is known to be that, its words wait; when they are too many, those so far are lost. */
struct decode_voice {
	const char *protocol; /* static: "rsp" */
	uint64_t number;      /* 0: not known yet */
	char opening[DECODE_OPENING];
	double opened;
	struct buf pending;
	bool left_out;        /* some of what was pending */
};

int decode_voice_init(struct decode_voice *v, const char *protocol, const char *opening, double time) MUST_USE; /* 0, -ENOMEM */
void decode_voice_fini(struct decode_voice *v); /* all zero is fine */

void decode_out_time(struct decode_out *o, double time); /* of every piece */
void decode_out_found(struct decode_out *o, struct decode_voice *v); /* it is that protocol: it gets a number, and what waited is printed */
void decode_out_words(struct decode_out *o, struct decode_voice *v, double time, enum decode_way way, const char *words);
void decode_out_facts(struct decode_out *o, const struct decode_voice *v, double time, enum decode_way way, const struct kd_facts *f);

#endif
