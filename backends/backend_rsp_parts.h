/* backend_rsp_parts.h - between the files of this one backend, and for no other: its table of states and its turn (backend_rsp.c),
 * how a stub is met and left (backend_rsp_meet.c), what it is asked (backend_rsp_ask.c), that it runs (backend_rsp_run.c), that it
 * stops (backend_rsp_stop.c), and what only Linux's KGDB does (backend_kgdb.c). */
#ifndef BACKENDS_BACKEND_RSP_PARTS_H
#define BACKENDS_BACKEND_RSP_PARTS_H

#include "backends/backend.h"
#include "backends/rsp/fileio.h"
#include "backends/rsp/hello.h"
#include "backends/rsp/job.h"
#include "backends/rsp/wire.h"
#include "filters/guard.h"

#include <errno.h>

enum backend_rsp_state {
	BACKEND_RSP_LOOK, /* KGDB, with its console on another line: does it stand? Asked while it runs, it hears nothing */
	BACKEND_RSP_LOOKING,
	BACKEND_RSP_KNOCK, /* KGDB: whether it runs or stands is not known; it is made to stand */
	BACKEND_RSP_KNOCKING,
	BACKEND_RSP_HALT, /* the same of a stub that hears nothing but 0x03 while its target runs */
	BACKEND_RSP_HALTING,
	BACKEND_RSP_SETTLING, /* it answered that, or only now what was asked before: nothing more of either may come */
	BACKEND_RSP_HELLO_ASK,
	BACKEND_RSP_HELLO_WAIT,
	BACKEND_RSP_IDLE,
	BACKEND_RSP_ASK,  /* the job's next request has not been made yet */
	BACKEND_RSP_WAIT, /* it has; the answer has not come */
	BACKEND_RSP_GOING, /* a resume is on its way out */
	BACKEND_RSP_RUN,
	BACKEND_RSP_BREAK,    /* runs, and must be told to stop */
	BACKEND_RSP_STOPPING, /* was told; is told again at the deadline */
	BACKEND_RSP_FILE_ASK, /* runs, and writes to what it thinks is its host's console: the bytes must be read */
	BACKEND_RSP_FILE_WAIT,
	BACKEND_RSP_FILE_SAY, /* is told what came of its request for a file */
	BACKEND_RSP_FILE_GOING,
	BACKEND_RSP_LEAVE_ASK,
	BACKEND_RSP_LEAVE_WAIT,
	BACKEND_RSP_GONE,
	BACKEND_RSP_STATES,
};

/* Whose job it is. */
enum backend_rsp_purpose { BACKEND_RSP_CLIENTS, BACKEND_RSP_READS_PC, BACKEND_RSP_WRITES_PC };

enum {
	BACKEND_RSP_BREAK_AGAIN_MS = 2000, /* a break-in may be lost in a stub that is just stopping */
	BACKEND_RSP_KNOCK_MS = 1000,       /* a kernel that stands for the first time says nothing */
	BACKEND_RSP_KNOCK_BY_MS = 60000,   /* for a line that does not take the break-in: it may be slow to dial */
	BACKEND_RSP_LOOK_MS = 500,         /* one that stands answers at once */
	BACKEND_RSP_STRAYS_MAX = 16,       /* packets nobody asked for, in a row */
	BACKEND_RSP_SIGTRAP = 5,
};

struct backend_rsp {
	struct backend base;
	enum backend_rsp_state state;
	enum backend_rsp_purpose purpose;
	uint64_t deadline; /* of the answer, or of the next break-in */
	uint64_t hello_by; /* it must be known, or stand, by then; 0: not asked anything yet */
	bool deaf;         /* its first question had no answer, so that it may run */
	uint64_t received; /* how often something had come, when that was last looked at */
	struct wire wire;
	struct stub stub;
	struct hello hello;
	struct job job;
	struct backend_info info;
	struct rsp_stop stop; /* the last one */
	bool continued;       /* it runs by c, not by s */
	bool break_wanted;    /* while the resume, or a file request, was on its way */
	bool garbled;         /* since the last packet what came was none */
	bool doubted;         /* an answer has come that was none: the right one may be behind it */
	struct fileio file;
	struct guard guard;
	unsigned tries, strays, lies;
	size_t output;        /* of the monitor command in flight */
	const char *words;    /* to be printed for whoever is there */
	bool unheard;         /* the break-in has had no answer, and that was said */
	const char *why;
	struct backend_kgdb {
		struct link *console; /* a layer of the wire's link; NULL: the wire is the stub's alone */
		const char *to_break; /* typed there, where the line cannot carry a BREAK */
		size_t boots, heeds;  /* of what a booting kernel says first, of what one says that heeds sysrq */
		size_t typed;         /* bytes of a break-in that were taken to be typed; the rest of it is next */
		bool warned;          /* of hardware breakpoints */
		bool knocked;         /* it was told to stop, to be met */
		bool answered;        /* the look, or the knock */
		bool unbroken;        /* there was no way to knock */
		bool probed;          /* since the last break-in: whether it stands, without a word */
	} kgdb;
};

static inline int backend_rsp_fails(struct backend_rsp *b, const char *why)
{
	b->why = why;
	return -EPROTO;
}

static inline int backend_rsp_enter(struct backend_rsp *b, enum backend_rsp_state next, enum backend_event ev)
{
	b->state = next;
	return (int)ev;
}

static inline bool backend_rsp_is_file(enum backend_rsp_state state)
{
	return state >= BACKEND_RSP_FILE_ASK && state <= BACKEND_RSP_FILE_GOING;
}

/* Ends the packet whose body was put, which had rc. 0, -EPROTO. */
int backend_rsp_put(struct backend_rsp *b, int rc) MUST_USE;

/* A packet as it may be shown: parsing uses it up. */
struct backend_rsp_shown {
	char text[GUARD_WORDS];
};
struct backend_rsp_shown backend_rsp_show(struct span packet);
void backend_rsp_note(struct backend_rsp *b, enum guard_what what, const char *words, struct span packet);

/* What nobody asked for: an event, or -EPROTO when there is no end of it. pass_over: and nothing more is to be said of it. */
int backend_rsp_pass_over(struct backend_rsp *b) MUST_USE;
int backend_rsp_stray(struct backend_rsp *b, struct span packet) MUST_USE;
int backend_rsp_shown_stray(struct backend_rsp *b, struct backend_rsp_shown shown) MUST_USE;

/* A state says: 0, or an event, or -errno. late: nothing, and in time there must be an answer. */
int backend_rsp_late(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_halt(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_halting(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_settling(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_hello(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_hello_wait(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_request(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_wait(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_going(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_break(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_stopping(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_file_ask(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_file(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_file_going(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_leave(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_leave_wait(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_rsp_say_gone(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_kgdb_say_look(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_kgdb_say_looking(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_kgdb_say_knock(struct backend_rsp *b, uint64_t now) MUST_USE;
int backend_kgdb_say_knocking(struct backend_rsp *b, uint64_t now) MUST_USE;

/* What it makes of a packet: an event, or -errno. */
int backend_rsp_hear_halting(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_settling(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_early(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_hello(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_answer(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_run(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_file(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_rsp_hear_leave(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;
int backend_kgdb_hear_knocking(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now) MUST_USE;

/* The command in flight, while it waits: it has no answer, and is done when it has gone (BACKEND_NONE: not yet); or there is none to
 * be had. */
int backend_rsp_unanswered(struct backend_rsp *b, struct backend_news *news) MUST_USE;
int backend_rsp_give_up(struct backend_rsp *b, struct backend_news *news) MUST_USE;

/* The target stands; all of these: an event, or -errno. is_stop: does the packet say so? stopped: it does, and this is the stop.
 * read_pc: the register that was read for it has come. tell: to the clients. */
bool backend_rsp_is_stop(struct backend_rsp *b, struct span body, struct rsp_stop *stop) MUST_USE;
int backend_rsp_stopped(struct backend_rsp *b, const struct rsp_stop *stop, struct backend_news *news) MUST_USE;
int backend_rsp_read_pc(struct backend_rsp *b, struct backend_news *news) MUST_USE;
int backend_rsp_tell_stop(struct backend_rsp *b, struct backend_news *news) MUST_USE;

/* KGDB's; backend_kgdb.c. Where there is no console nothing is overheard, and nobody stands in silence. */
const char *backend_kgdb_absent(const struct backend_rsp *b);        /* why it was not met */
int backend_kgdb_break(struct backend_rsp *b, uint64_t now) MUST_USE; /* 1: said; 0: not now; -EOPNOTSUPP: there is no way; -errno */
const char *backend_kgdb_unheard(struct backend_rsp *b);              /* why it had no answer, in words; only with a console */
bool backend_kgdb_may_stand(const struct backend_rsp *b) MUST_USE;    /* without a word; then it may be asked */
int backend_kgdb_ask(struct backend_rsp *b, uint64_t now) MUST_USE;
struct span backend_kgdb_overhear(struct backend_rsp *b) MUST_USE;    /* its console; borrowed as link_console_text */
size_t backend_kgdb_type(struct backend *be, struct span bytes) MUST_USE;
void backend_kgdb_refused(struct backend_rsp *b, const struct rsp_cmd *cmd); /* why it was not asked that */
void backend_kgdb_warn(struct backend_rsp *b, const struct rsp_reply *reply); /* of what the command that is done may not do */

#endif
