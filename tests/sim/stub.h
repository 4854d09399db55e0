/* stub.h - a GDB stub to test against: what it is like, and its state. */
#ifndef TESTS_SIM_STUB_H
#define TESTS_SIM_STUB_H

#include "tests/sim/machine.h"
#include "tests/sim/wire.h"

enum { NEED_NO_ACK = 1, NEED_VCONT = 2, NEED_XML = 4, NEED_BINARY = 8, NEED_SEARCH = 16, NEED_MONITOR = 32, NEED_ATTACHED = 64 };

/* How one kind of stub behaves. */
struct profile {
	const char *name;
	const char *features;   /* the answer to qSupported */
	const char *vcont;      /* the answer to vCont? */
	const char *id_multi;   /* stands before a thread once multiprocess was announced */
	int id_digits;
	const char *list_end;   /* of the thread list */
	unsigned has;           /* of NEED_... */
	unsigned regs;          /* p and P */
	size_t regs_bytes;      /* g and G */
	size_t packet_most;     /* a whole packet, with $ and checksum */
	uint64_t read_most;
	bool one_by_one;        /* one thread in each answer */
	bool run_length;
	bool short_reads;       /* answers what is there; else all or nothing */
	bool past_trap;         /* pc is behind a Z0, unless the client said swbreak+ to one that knows it */
	bool swbreak;
	bool status_clears;     /* ? removes breakpoints */
	bool expedites;         /* stop replies carry registers */
	bool stops_dropped;     /* ? is answered by S05 */
	bool orig_rax;
	bool c_destroys;        /* C with a signal is the end of the kernel */
};

enum { REPLY_MAX = 1 << 16 };

struct stub {
	const struct profile *profile;
	uint64_t delay, stops_after; /* ms */
	struct machine m;
	struct wire w;
	bool connected;
	bool no_ack, multi, swbreak;  /* what this client negotiated */
	size_t unacked;
	size_t thread;                /* Hg */
	size_t listed;                /* of the thread list */
	bool pending;                 /* an answer is due */
	uint64_t due, ends;           /* ms; ends: of the run, 0: it does not */
	const struct breakpoint *end; /* where */
	bool hang_up;
	unsigned long packets, violations;
	size_t reply_n;
	uint8_t reply[REPLY_MAX];
};

const struct profile *profile_find(const char *name);

void violation(struct stub *s, const char *what, const void *bytes, size_t n);

void say(struct stub *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_stop(struct stub *s, unsigned sig, const struct breakpoint *at); /* at: or NULL */

/* Does what a packet asks. true: reply holds the answer; false: none is due now. */
bool answer(struct stub *s, const char *body, size_t n);

#endif
