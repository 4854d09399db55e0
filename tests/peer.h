/* peer.h - the far end of a target's line: a GDB stub in memory, with registers, memory and breakpoints, that runs nothing.
 *
 * It is strict where stubs are: a packet while it runs, a missing acknowledgement, a request or an answer beyond its
 * packet size, a breakpoint set twice, all that makes .rude. */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include "backends/link/link.h"
#include "rsp/framer.h"

enum { PEER_BREAKS = 8, PEER_MEMORY = 0x10000, PEER_THREADS = 3, PEER_REGS = 20, PEER_OUT = 65536 };

/* What a stub can, and what it is known for. */
struct peer_kind {
	const char *name;
	size_t packet_size; /* 0: it has not heard of qSupported, and then there is no bound */
	bool no_ack, vcont, described, swbreak;
	bool plain_stops;   /* S05: nothing of threads */
	bool empty_end;     /* its thread list ends with an empty packet */
	bool overshoots;    /* after a trap the pc stands behind it */
	bool unasked;       /* a running machine is stopped when somebody connects, and that is told at once */
	bool no_detach;     /* D is not understood */
	bool narrow;        /* addresses have 32 bits: what is above them is not looked at */
	bool lists;         /* it tells its program, its libraries, its threads; and of signals, another thing for each thread */
};

struct peer_stub {
	const struct peer_kind *kind;
	struct link *link;  /* owned; NULL: nobody has called */
	bool running;
	bool silent;        /* hears, and does nothing */
	bool slow;          /* hears nothing for now */
	bool deaf;          /* while it runs it hears nothing but a break-in, and it runs on whoever calls */
	unsigned asks;      /* file requests of its own that are open: memory may be read and written */
	bool no_ack, gone;  /* gone: it was detached from, or killed */
	unsigned thread, general; /* of the last stop; of Hg */
	unsigned unacked;
	const char *rude;   /* what it was asked that it must not be */
	uint8_t memory[PEER_MEMORY];
	uint8_t regs[PEER_THREADS + 1][PEER_REGS]; /* by thread, from 1: rax 8, rip 8, eflags 4 bytes */
	struct peer_break {
		bool set;
		unsigned type;
		uint64_t addr;
	} breaks[PEER_BREAKS];
	struct rsp_framer framer;
	struct buf rx, out;
	struct buf got;     /* the packets it was asked, with a blank before each */
	char printing[128]; /* waits for it to run */
};

int peer_init(struct peer_stub *p) MUST_USE;
void peer_fini(struct peer_stub *p);
bool peer_be(struct peer_stub *p, const char *kind) MUST_USE; /* gdbserver (at the start), qemu, trap, kgdb, lister, narrow */
void peer_plug(struct peer_stub *p, struct link *link);     /* takes link; the one before is destroyed */
void peer_drop(struct peer_stub *p);                        /* the line, without a word */
void peer_boot(struct peer_stub *p);                        /* stopped, awake, no breakpoints */
void peer_print(struct peer_stub *p, const char *text);     /* at once while it runs; else when it runs next */
void peer_stop(struct peer_stub *p, unsigned sig, unsigned thread);
void peer_hit(struct peer_stub *p, uint64_t addr, unsigned thread); /* a breakpoint there */
void peer_say(struct peer_stub *p, const char *body);       /* a packet, whatever it says */
int peer_step(struct peer_stub *p, uint64_t now) MUST_USE;  /* 1 moved, 0 nothing now */

#endif
