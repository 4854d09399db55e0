/* replay.h - a recording of a KD line as packets, and the questions it can answer. */
#ifndef SIM_KDTARGET_REPLAY_H
#define SIM_KDTARGET_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum replay_kind { REPLAY_DATA, REPLAY_CONTROL, REPLAY_RAW };

struct replay_item {
	char way; /* T or H */
	enum replay_kind kind;
	unsigned type;
	uint32_t id;
	unsigned stop; /* how many state changes came before */
	size_t n;
	uint8_t *body;
	size_t answer; /* of a request: the item that answers it; 0: none */
	bool again;    /* the same was said just before */
};

struct replay {
	struct replay_item *items;
	size_t n;
};

/* All of a file of lines "seconds T|H hex", gzipped. What was only sent again is left out. 0; -1: not readable. */
int replay_load(struct replay *r, const char *file);

bool replay_same(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n); /* both ask the same */
bool replay_goes_on(const uint8_t *body);                                      /* Continue, Continue2 */

/* The answer to a request that does not come where the recording has it, into to[4000]: from this stop, or from all where they agree. Its
 * length; 0: the recording does not tell. */
size_t replay_answer(const struct replay *r, unsigned stop, const uint8_t *request, size_t n, uint8_t *to);

#endif
