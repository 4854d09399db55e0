/* replay.h - a recorded KD conversation as a target that stands still: what a debugger learnt at each stop is told again.
 *
 * A value that grows while a recording is put into it, up to ceilings, and then is only read. What nobody read then is not known now, and
 * nothing can be written. Registers are those that were read first at a stop. Memory is what was read first at that stop; else what was
 * last seen before it; else what was seen first behind it. */
#ifndef BACKENDS_KD_REPLAY_H
#define BACKENDS_KD_REPLAY_H

#include "backends/kd/frame.h"
#include "backends/kd/machine.h"

enum { KD_REPLAY_STOPS = 65536, KD_REPLAY_PIECES = 1 << 20, KD_REPLAY_BYTES = 256 << 20 };

/* What a piece is of. Each is bytes at addresses; registers are each processor's own. */
enum kd_replay_space { KD_REPLAY_VIRTUAL, KD_REPLAY_PHYSICAL, KD_REPLAY_CONTEXT, KD_REPLAY_CONTROL, KD_REPLAY_MSR, KD_REPLAY_PRINT };

struct kd_replay_piece {
	enum kd_replay_space space;
	uint16_t processor;
	uint32_t stop;  /* at which it was seen, from 1; 0: before the first. Of a print: of the stop before it */
	uint64_t addr;
	size_t at, len; /* in .bytes */
};

struct kd_replay_stop {
	uint16_t type;  /* of packet */
	size_t at, len; /* its payload in .bytes */
};

struct kd_replay {
	enum kd_machine machine;
	uint8_t *bytes; /* owned, as all arrays here */
	size_t bytes_n, bytes_room;
	struct kd_replay_piece *pieces;
	size_t pieces_n, pieces_room;
	struct kd_replay_stop *stops;
	size_t stops_n, stops_room;
	bool has_version, runs, full; /* runs: since the last stop; full: something was left out at a ceiling */
	uint8_t version[40];
	uint8_t asked[KD_PAYLOAD_MAX]; /* the request that is out */
	size_t asked_n;
};

void kd_replay_init(struct kd_replay *r);
void kd_replay_fini(struct kd_replay *r);

/* Every packet of the recording, in order; then end. 0, -ENOMEM; end: -ENODATA there is no stop, or no answer to GetVersion. */
int kd_replay_put(struct kd_replay *r, const struct kd_packet *p, bool from_host) MUST_USE;
int kd_replay_end(struct kd_replay *r) MUST_USE;

bool kd_replay_shows(const struct kd_replay *r, size_t stop); /* its registers are known, of some processor */
size_t kd_replay_last(const struct kd_replay *r);             /* that shows; 0: none does */
size_t kd_replay_first(const struct kd_replay *r);            /* the stop to begin with: an exception that shows, if there is one */
struct span kd_replay_report(const struct kd_replay *r, size_t stop, uint16_t *type);

/* What was printed behind that stop, print by print: payloads. *next begins at 0; empty: there are no more. */
struct span kd_replay_print(const struct kd_replay *r, size_t stop, size_t *next);

/* A byte, as it was at a stop. processor: of registers; of memory 0. */
struct kd_replay_place {
	size_t stop;
	enum kd_replay_space space;
	uint16_t processor;
	uint64_t addr;
};

/* How many of n bytes from there on are known; they are copied to out. */
size_t kd_replay_read(const struct kd_replay *r, struct kd_replay_place from, size_t n, uint8_t *out);

/* The reply to a request, as a payload, behind what is in out. 1; 0 there is none to this request; -ENOBUFS. */
int kd_replay_answer(const struct kd_replay *r, size_t stop, struct span request, struct buf *out) MUST_USE;

#endif
