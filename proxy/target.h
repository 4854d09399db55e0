/* target.h - one backend and the sessions that share it. Whatever wakes the program, target_run follows. */
#ifndef PROXY_TARGET_H
#define PROXY_TARGET_H

#include "backends/backend.h"
#include "filters/guard.h"
#include "filters/guard_doc.h"
#include "proxy/breaks.h"
#include "proxy/console.h"
#include "proxy/session.h"

enum {
	TARGET_SLOTS = BREAKS_SLOTS,
	TARGET_DIAL_LEAST_MS = 250, /* between two tries, doubled each time */
	TARGET_DIAL_MOST_MS = 5000,
	TARGET_WHY = 224,           /* the words of a reason; with a name before them they fit RSP_ERROR_TEXT */
	TARGET_CLOSE_MS = 5000,     /* to take the breakpoints out and leave */
};

enum target_state {
	TARGET_AWAY,    /* never met, or met and left in peace */
	TARGET_OPENING,
	TARGET_STOPPED, /* and free for the next command */
	TARGET_ASKED,   /* stopped, with a command in flight */
	TARGET_RUNNING,
	TARGET_LOST,    /* was there, and its clients know it is not */
	TARGET_LEAVING, /* told to run on without us */
	TARGET_CLOSED,  /* the program ends */
	TARGET_STATES,
	TARGET_ANY = TARGET_STATES, /* in the table of states: any; as the next one: no change */
};

/* How far it is with stepping off another client's breakpoint; target_lift.c. */
enum target_lift_phase { LIFT_NONE, LIFT_PC, LIFT_OUT, LIFT_STEP, LIFT_BACK, LIFT_DONE, LIFT_PHASES };

/* How a target is reached, and what it is to be like. */
struct target_setup {
	const char *name;                        /* borrowed, as are the rest */
	const char *address;                     /* for people */
	const char *console_line;                /* the same, of its console's line; NULL: it has none of its own */
	int (*dial)(void *arg, struct backend **be); /* 0, or -errno: not now */
	const char *(*words)(const void *arg, int rc); /* what such a failure of dial means, for people; NULL: what errno says */
	void *arg;
	bool run_on_disconnect;
	unsigned max_clients;                    /* at most TARGET_SLOTS */
	struct audit_log *audit;
	struct console *console;                 /* NULL: none */
	bool console_to_debugger;
	const char *sandbox;                     /* for people: what this process may still do; NULL: nothing was taken from it */
	bool no_cache;                           /* every read is the target's to answer */
	bool slow_line;                          /* a byte that was read for nothing costs more than another request */
	bool unnoticed;                          /* lost while it runs, it runs on, and hears nothing but a break-in */
};

struct target {
	enum target_state state;
	struct target_setup setup;
	struct backend *be, *grave;         /* grave: finished with, destroyed by target_reap */
	struct session *slots[TARGET_SLOTS];
	unsigned slots_n;                   /* none is used from here on */
	unsigned turn;                      /* the slot that is asked first */
	struct rsp_cmd cmd;                 /* in flight; its spans are not to be read */
	bool internal;                      /* it is the target's own */
	struct breaks breaks;
	struct backend_news news;           /* of this event */
	struct rsp_stop stop;               /* the last one */
	struct rsp_thread threads[RSP_THREADS_MAX]; /* of this stop */
	size_t threads_n;
	bool threads_known;
	struct target_cache *cache;         /* of this stop; NULL: none. Made when it is first dialled */
	struct target_doc {
		bool known;                 /* of this stop, and of the rest, which say what it is */
		int obj;                    /* enum guard_object */
		int64_t tid;                /* where each thread has its own; else 0 */
		bool paths, lldb;           /* with directories; as lldb reads it */
		char annex[128];
		struct buf bytes;           /* as it is served */
	} doc;
	struct guard guard;                 /* of the connections before: what too often comes is not told more often for a new one */
	enum target_lift_phase lift;
	unsigned lift_slot;                 /* whose resume waits for it */
	struct breakpoint lifted;
	uint64_t lift_by;                   /* the step is to have ended */
	bool ran;                           /* when it was lost */
	bool release;                       /* nobody leads it: it is to run */
	bool closing;
	uint64_t since;                     /* it is there, or not; stands, or runs; 0: for ever */
	uint64_t deadline, dial_ms;         /* of the next dial, and how long after it the one after; of closing */
	char why[TARGET_WHY];               /* it was lost, or cannot be reached */
	char not_met[TARGET_WHY];           /* the audit has that it answered, and could not be used, for this reason */
};

void target_init(struct target *t, const struct target_setup *setup);
void target_fini(struct target *t); /* sessions are the caller's */

/* Controller: the first that may run the target; the others observe. -EUSERS: no room. */
int target_join(struct target *t, struct session *s) MUST_USE;
void target_part(struct target *t, struct session *s); /* only before s is freed, not in a turn */

/* The program ends: breakpoints out, the target left running, TARGET_CLOSED. Clients are let go. */
void target_close(struct target *t, uint64_t now);

/* One turn: target to clients, clients to target, until nothing moves. true: it stopped before that,
 * to let others live; run it again soon. */
bool target_run(struct target *t, uint64_t now) MUST_USE;
bool target_there(const struct target *t);       /* met, and not lost */
void target_ready(struct target *t);             /* the backend's descriptor woke the program */
struct wait target_wait(const struct target *t); /* without its sessions' */
void target_reap(struct target *t);              /* nothing of the target may be on the stack */

#endif
