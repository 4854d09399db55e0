/* stage.h - a target, its stub, some clients and a clock, all in memory; and the reader of .talk files. */
#ifndef TESTS_STAGE_H
#define TESTS_STAGE_H

#include "backends/link/link.h"
#include "proxy/audit_log.h"
#include "proxy/target.h"
#include "tests/peer.h"

enum { STAGE_CLIENTS = 6, STAGE_POLICIES = 4 };

/* A fault may be on every link, on the target's side only, or on the clients' only. CLOSE strikes the first line to the
 * target, and is over with the second: else nothing would ever be met again. */
enum stage_where { STAGE_EVERYWHERE, STAGE_TARGET, STAGE_CLIENT };

struct stage_fault {
	enum fault kind;
	unsigned long every;
	enum stage_where where;
};

struct stage {
	struct target t;
	struct peer_stub peer;
	struct policy policies[STAGE_POLICIES]; /* made by a .talk file */
	struct audit_log audit; /* off */
	uint64_t now, ids;
	struct stage_fault fault;
	unsigned dials;
	bool away;  /* a dial is refused */
	bool tame;  /* the clients that join are on good lines */
	struct client {
		struct session s;
		bool joined;       /* s is there, and not reaped yet */
		bool no_ack;
		struct link *far;  /* what a debugger would hold; NULL: it has left, or never came */
		struct rsp_framer framer;
		struct buf rx, unread;
		char said[40000];  /* its last packet, to be read */
	} clients[STAGE_CLIENTS];
};

int stage_init(struct stage *g, struct stage_fault fault) MUST_USE;
void stage_fini(struct stage *g);
int stage_join(struct stage *g, int who, const struct policy *p) MUST_USE;
void stage_leave(struct stage *g, int who);                   /* without a word */
void stage_say(struct stage *g, int who, const char *packet); /* framed here; "^C" is a break, "+" an acknowledgement */
void stage_send(struct stage *g, int who, struct span raw);
const struct policy *stage_policy(struct stage *g, const char *name); /* a built-in, or made here: empty at first */

bool stage_turn(struct stage *g);                 /* once around; true: something moved */
uint64_t stage_due(const struct stage *g);        /* when something wants to be done next */
bool stage_settle(struct stage *g) MUST_USE;      /* until nothing moves and nothing is due; false: that never comes */
bool stage_wait(struct stage *g, uint64_t ms) MUST_USE; /* the same, and the clock goes on */

/* The next packet, as text: O packets as O:text, notifications as %text, what is not printable as \xNN. NULL: none. */
const char *stage_hear(struct stage *g, int who);
bool stage_gone(const struct stage *g, int who);  /* closed by kdgate, and reaped */

/* Plays a file; fails the test at the first line that is not as written. With rough, on lines that break, nothing is
 * expected of the clients and the target; only that everything settles. */
void stage_play(struct stage *g, const char *path, bool rough);

#endif
