/* backend_kd_parts.h - between the files of the KD bridge, and for no other: its table of states and its turn (backend_kd.c), how a task
 * ends (backend_kd_task.c), how a target is met (backend_kd_meet.c), requests (backend_kd_ask.c), what is known from their answers
 * (backend_kd_known.c), what clients ask (backend_kd_serve.c), breakpoints (backend_kd_breaks.c), how it is let run, or left
 * (backend_kd_run.c), why it stopped (backend_kd_stop.c), what it says by itself (backend_kd_heard.c), KDNET (backend_kd_net.c), its images
 * (backend_kd_modules.c), monitor commands (backend_kd_monitor.c). What has no need of a target at all is in backends/kd/. */
#ifndef BACKENDS_BACKEND_KD_PARTS_H
#define BACKENDS_BACKEND_KD_PARTS_H

#include "backends/backend.h"
#include "backends/kd/api.h"
#include "backends/kd/break_in.h"
#include "backends/kd/context.h"
#include "backends/kd/fetch.h"
#include "backends/kd/images.h"
#include "backends/kd/io.h"
#include "backends/kd/kdbg.h"
#include "backends/kd/sites.h"
#include "backends/kd/slots.h"
#include "backends/kd/state.h"
#include "backends/kd/version.h"
#include "backends/kd/wire.h"
#include "backends/link/link.h"
#include "filters/guard.h"
#include "rsp/features.h"
#include "rsp/tdesc.h"

#include <errno.h>

enum backend_kd_state {
	BACKEND_KD_KNOCK,  /* nothing has been heard yet; is told to stop, or to say that it stands */
	BACKEND_KD_LEARN,  /* stands for the first time; a task asks what it is */
	BACKEND_KD_IDLE,
	BACKEND_KD_BUSY,   /* a task works for a client */
	BACKEND_KD_RUN,
	BACKEND_KD_LOOK,   /* has stopped; a task finds out why, or lets it run on */
	BACKEND_KD_LEAVE,  /* a task takes everything out and lets it run */
	BACKEND_KD_GONE,
	BACKEND_KD_STATES,
};

enum {
	BACKEND_KD_CPUS = 256,
	BACKEND_KD_WORDS = 2048,
	BACKEND_KD_KNOCK_MS = 700,      /* between a RESET and a break-in, while nothing is heard */
	BACKEND_KD_ANSWER_MS = 5000,    /* a request's answer */
	BACKEND_KD_GO_MS = 2000,        /* the ACK of a resume */
	BACKEND_KD_GO_NET_MS = 1000,    /* the same of a datagram that has gone several times by then */
	BACKEND_KD_BREAK_MS = 1000,     /* between break-ins: they are lost now and then */
	BACKEND_KD_NOISE_MS = 2000,     /* after a resume, what an earlier break-in may still do */
	BACKEND_KD_NOISE_MAX = 64,
	BACKEND_KD_ASKS = 3,            /* how often a request is made whose answer does not come */
	BACKEND_KD_STORM = 1024,        /* so often at once may it stop, prompt or ask for files, by itself: a boot does so hundreds of times */
	BACKEND_KD_STORM_MS = 20,       /* for each, after that */
	BACKEND_KD_NOISE_BYTES = 4096,  /* which are no packets, and are not told of */
	BACKEND_KD_SIGINT = 2, BACKEND_KD_SIGTRAP = 5, BACKEND_KD_SIGABRT = 6, BACKEND_KD_SIGPWR = 32,
};

struct backend_kd;

/* Breakpoints, and how far a flush of them is: what differs goes out and in before the target runs. backend_kd_breaks.c. */
struct backend_kd_breaks {
	struct kd_sites sites;
	struct kd_slots slots;
	struct backend_kd_flush {
		unsigned site;          /* the one that it is at */
		bool planting;          /* that one is asked for */
		unsigned cpu, edited;   /* the processor that it is at; so many have been edited */
	} flush;
};

struct backend_kd_cpu {
	struct kd_regs regs;
	unsigned tried;                 /* of enum kd_source: was asked in this stop */
};

/* Where the kernel keeps what a debugger may want to know (kdbg.h): it is looked for once, unless that failed. */
struct backend_kd_block {
	enum { BACKEND_KD_BLOCK_UNKNOWN, BACKEND_KD_BLOCK_SEARCHED, BACKEND_KD_BLOCK_FOUND, BACKEND_KD_BLOCK_KNOWN } state;
	struct kd_kdbg_walk walk;
	struct buf bytes;
};

/* The line: backend_kd.c, backend_kd_ask.c. */
struct backend_kd_line {
	struct link *link;
	struct kd_wire wire;
	struct buf in, out;             /* received, not taken; made, not sent */
	uint64_t noise_told;            /* bytes */
};

/* What clients are told of it when they come: backend_kd_meet.c. */
struct backend_kd_offer {
	struct backend_info info;
	struct tdesc tdesc;
	struct buf map;
};

/* How it is met: backend_kd_meet.c, backend_kd_net.c. */
struct backend_kd_meet {
	unsigned knocks;
	bool heard;                     /* anything that is KD */
	bool joined, unsynced;          /* KDNET: a session has begun; and has brought no state change yet */
	const char *remark;             /* KDNET: what was told of the session last; NULL: nothing */
};

/* What it says by itself: backend_kd_heard.c. */
struct backend_kd_said {
	struct buf text;                /* the last that it printed */
	bool console, print;            /* that is still to be told: to the console, to debuggers */
	struct kd_prints prints;
	bool bugcheck;                  /* was printed: the next stop is its stop */
	struct buf promise;             /* an answer that the target waits for: of a prompt, of a file */
	enum kd_type promise_type;
	struct guard_bucket storm;
	uint64_t calm_at;               /* a target that storms waits until then */
};

enum backend_kd_request_state {
	BACKEND_KD_NO_REQUEST,
	BACKEND_KD_UNSENT,   /* it waits for the wire */
	BACKEND_KD_ASKING,   /* for its answer */
	BACKEND_KD_ANSWERED, /* .reply has not been looked at */
};

/* The request that is out, or was: backend_kd_ask.c. */
struct backend_kd_request {
	enum backend_kd_request_state state;
	struct kd_request asked;
	struct buf payload;             /* of it */
	unsigned asks;
	uint64_t answer_by;
	struct kd_reply reply;
	struct buf data;                /* what .reply.data points into */
	bool unreplied;                 /* it has no answer: its ACK is all */
	bool by_report;                 /* its answer is a state change */
	bool going;                     /* it lets the target run */
};

/* The task: backend_kd_task.c. */
struct backend_kd_task {
	int (*run)(struct backend_kd *b, struct backend_news *news); /* NULL: there is none */
	struct rsp_cmd cmd;
	struct buf arg;                 /* what .cmd.data points into */
	bool cut;                       /* its client has interrupted it */
	unsigned step;
	size_t at;                      /* so much of .cmd.data is done */
};

struct backend_kd_words { /* what is said of an error */
	int rc;
	const char *words;
};

struct backend_kd_monitor {
	bool started, told;             /* told: the command's text has gone */
};

/* The last stop: backend_kd_stop.c. */
struct backend_kd_stop {
	struct buf report;              /* the payload it came in, .st points into that */
	uint16_t report_type;
	bool early;                     /* it came before the ACK of its resume */
	bool judged;                    /* .told says why it stopped */
	bool booted;                    /* since it was let run */
	unsigned front;                 /* the processor that clients were told of as the one that stopped */
	struct rsp_stop told;
};

/* How it is let run: backend_kd_run.c. */
struct backend_kd_run {
	struct rsp_action action;       /* c or s */
	unsigned stepping;              /* the processor of a step */
	bool alone;                     /* the others were not to run while that one steps, and do */
	unsigned owner;                 /* the one that stopped, while another is made to step */
	bool started, over;             /* of a resume: it was looked at; it steps over a trap, without running */
	bool aside;                     /* it goes on from a trap that is noise: what steps is what that interrupted */
	bool leaked;                    /* a trace flag that was no step's stopped it: that is taken out */
	bool hit;                       /* a debug register stopped it: that is to be forgotten, and passed */
	uint32_t status;                /* of the next Continue2 */
	uint64_t since, pc;             /* when it was let run, and where */
	unsigned noise;                 /* stops since then that nobody was told of */
};

struct backend_kd {
	struct backend base;
	enum backend_kd_state state;
	uint64_t now, deadline;
	const char *why;
	struct guard guard;
	struct backend_kd_line line;
	struct backend_kd_offer offer;
	struct backend_kd_meet meet;
	struct backend_kd_said said;
	struct backend_kd_request req;
	struct backend_kd_task task;
	struct backend_kd_monitor monitor;
	struct buf doc, words;          /* an answer of several parts; text of our own, to be printed */

	/* The target, and what is known of it until it runs. */
	struct kd_version version;
	bool restarted;                 /* its stream began anew: it may have booted */
	unsigned processors;
	struct kd_state st;             /* of the last stop */
	struct backend_kd_cpu *cpus;    /* BACKEND_KD_CPUS */
	struct rsp_thread threads[BACKEND_KD_CPUS];
	struct kd_fetch fetch;
	struct kd_images images;
	struct backend_kd_block block;

	struct backend_kd_stop stop;
	struct backend_kd_run run;
	struct kd_break_in break_in;
	struct backend_kd_breaks breaks;
};

static inline int backend_kd_fails(struct backend_kd *b, const char *why)
{
	b->why = why;
	return -EPROTO;
}

static inline bool backend_kd_good(const struct backend_kd *b) /* the answer that came is no error */
{
	return kd_status_ok(b->req.reply.status);
}

static inline bool backend_kd_is_asking(const struct backend_kd *b) /* something is out */
{
	return b->req.state == BACKEND_KD_ASKING;
}

static inline struct kd_cpu backend_kd_cpu(const struct backend_kd *b, unsigned n)
{
	return (struct kd_cpu){ b->version.machine, (uint16_t)n };
}

static inline struct kd_cpu backend_kd_here(const struct backend_kd *b)
{
	return backend_kd_cpu(b, b->st.processor);
}

static inline struct kd_regs *backend_kd_regs(struct backend_kd *b)
{
	return &b->cpus[b->st.processor].regs;
}

/* backend_kd_task.c. A task answers 0: it waits; an event: it is done; -errno: the target is lost. What it calls answers 1: there; 0: it
 * waits, call again when the task is called; -errno: it cannot be had. */
void backend_kd_begin(struct backend_kd *b, enum backend_kd_state state, int (*task)(struct backend_kd *b, struct backend_news *news));
int backend_kd_done(struct backend_kd *b, enum backend_kd_state state, enum backend_event ev) MUST_USE;
/* One after the other, from .step on, until one waits or fails; what came for a stage's request is of that stage. */
int backend_kd_stages(struct backend_kd *b, int (*const *stages)(struct backend_kd *b), size_t n) MUST_USE;
int backend_kd_say(struct backend_kd *b, struct backend_news *news, struct rsp_reply reply) MUST_USE;
int backend_kd_say_doc(struct backend_kd *b, struct backend_news *news, enum rsp_reply_kind kind) MUST_USE; /* .doc */
int backend_kd_say_ok(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_say_error(struct backend_kd *b, struct backend_news *news, unsigned code, const char *words) MUST_USE;
const char *backend_kd_words(const struct backend_kd_words *lines, size_t n, int rc); /* the last line is for what no other is for */
void backend_kd_print(struct backend_kd *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* backend_kd_ask.c. ask: it is out; 0. answer: what came for a request whose task asked it: true once. */
int backend_kd_ask(struct backend_kd *b, const struct kd_request *r) MUST_USE;
int backend_kd_ask_report(struct backend_kd *b, const struct kd_request *r) MUST_USE; /* answered by a state change, .st */
bool backend_kd_answer(struct backend_kd *b) MUST_USE;
void backend_kd_drop_answer(struct backend_kd *b); /* nobody looks at it */
int backend_kd_send(struct backend_kd_line *l, uint64_t now) MUST_USE; /* what is due on the wire: 1 moved, 0, -errno */
int backend_kd_push(struct backend_kd *b, uint64_t now) MUST_USE; /* the same, and what waits for the wire */
int backend_kd_late(struct backend_kd *b, uint64_t now) MUST_USE; /* no answer has come: 0, -errno */
int backend_kd_hear_reply(struct backend_kd *b, struct span payload) MUST_USE; /* an event */
void backend_kd_settle(struct backend_kd_request *q, struct kd_reply reply); /* what is out is answered, by that */
void backend_kd_void_request(struct backend_kd *b);              /* no answer will come to it: as if refused */

/* backend_kd_known.c */
void backend_kd_keep(struct backend_kd *b);   /* of what was just answered */
int backend_kd_need(struct backend_kd *b, unsigned cpu, unsigned sources) MUST_USE; /* what can be had of them is in .cpus */
int backend_kd_put_back(struct backend_kd *b, unsigned cpu) MUST_USE; /* registers that were changed, to the target */
int backend_kd_fetch(struct backend_kd *b, uint64_t addr, size_t n, struct span *bytes) MUST_USE; /* all of it; -EFAULT: less, *bytes */
int backend_kd_fetch_some(struct backend_kd *b, uint64_t addr, size_t n, bool physical) MUST_USE; /* 1: .fetch.bytes is what there is */
void backend_kd_forget(struct backend_kd *b);

/* backend_kd_breaks.c */
int backend_kd_task_set(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_task_clear(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_lift(struct backend_kd *b, uint64_t addr, size_t n) MUST_USE; /* none is in that memory */
int backend_kd_sweep(struct backend_kd *b) MUST_USE;   /* the target's table has none of a dead debugger's */
int backend_kd_flush(struct backend_kd *b) MUST_USE;   /* what is wanted is in the target, and nothing else */
void backend_kd_breaks_unwant(struct backend_kd_breaks *k);
void backend_kd_sites_reported(struct backend_kd *b);  /* a report has deleted some */
void backend_kd_breaks_void(struct backend_kd_breaks *k);  /* it booted: none is left */
void backend_kd_breaks_doubt(struct backend_kd_breaks *k); /* what is in is not known: that goes out, and what is wanted in again */

/* backend_kd_run.c */
int backend_kd_task_resume(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_task_leave(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_run_on(struct backend_kd *b) MUST_USE; /* an event: a task lets it run, and nobody is told */
bool backend_kd_may_be_trap(const struct backend_kd *b); /* it stands at an int3, its own or one that is out by now */
int backend_kd_breaks_in(struct backend_kd *b, uint64_t now) MUST_USE;

/* backend_kd_stop.c */
int backend_kd_hear_state(struct backend_kd *b, const struct kd_packet *p) MUST_USE;
int backend_kd_reparse(struct backend_kd *b) MUST_USE; /* .report again, now that more is known */
int backend_kd_hear_knocking(struct backend_kd *b, const struct kd_packet *p) MUST_USE;
int backend_kd_task_look(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_task_over(struct backend_kd *b, struct backend_news *news) MUST_USE; /* it has stepped without running */
int backend_kd_tell_stop(struct backend_kd *b, struct backend_news *news) MUST_USE; /* it stands: needs CONTEXT */

/* backend_kd_meet.c */
int backend_kd_knock(struct backend_kd *b, uint64_t now) MUST_USE;
int backend_kd_task_learn(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_learn(struct backend_kd *b) MUST_USE; /* what it is: 1 known */

/* backend_kd_net.c */
bool backend_kd_is_net(const struct backend_kd *b);
int backend_kd_await(struct backend_kd *b, uint64_t now) MUST_USE; /* as knock, before there is a session */
int backend_kd_join(struct backend_kd *b, uint64_t now) MUST_USE;  /* one has begun: an event */
bool backend_kd_remark(struct backend_kd *b);                      /* what is unusual about the session is told, once: true */
int backend_kd_looks_in(struct backend_kd *b, uint64_t now) MUST_USE; /* a session began while it ran, and it has said nothing since */
bool backend_kd_syncs(struct backend_kd *b);                       /* a state change comes again: the first of a session */

/* backend_kd_heard.c */
int backend_kd_hear_io(struct backend_kd *b, const struct kd_packet *p) MUST_USE;
int backend_kd_hear_file(struct backend_kd *b, const struct kd_packet *p) MUST_USE;
int backend_kd_overheard(struct backend_kd *b, struct backend_news *news) MUST_USE; /* 0, or an event with text */
bool backend_kd_storms(struct backend_kd *b); /* false: what it does by itself may go on now, and is counted; true: not before .calm_at */

/* backend_kd_serve.c */
int (*backend_kd_task_of(const struct rsp_cmd *cmd))(struct backend_kd *b, struct backend_news *news);

/* backend_kd_modules.c */
int backend_kd_images(struct backend_kd *b) MUST_USE; /* 1: .images has them; also when some, or all, could not be read */
int backend_kd_data_block(struct backend_kd *b) MUST_USE; /* 1: .block.bytes; -ENOENT */
int backend_kd_task_libraries(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_task_offsets(struct backend_kd *b, struct backend_news *news) MUST_USE;
int backend_kd_task_load_address(struct backend_kd *b, struct backend_news *news) MUST_USE;

/* backend_kd_monitor.c */
int backend_kd_task_monitor(struct backend_kd *b, struct backend_news *news) MUST_USE;

#endif
