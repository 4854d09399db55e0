/* session.h - one client's conversation: bytes to judged commands, replies to bytes. Knows no target. */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "base/wait.h"
#include "filters/allow.h"
#include "filters/audit.h"
#include "filters/latch.h"
#include "filters/learn.h"
#include "filters/policy.h"
#include "rsp/features.h"
#include "rsp/framer.h"
#include "rsp/reply.h"

struct link;
struct audit_log;

enum {
	SESSION_PEER = 192,
	SESSION_AHEAD = 2048,
	SESSION_PACKET = 16384, /* what a client may send, and is told */
	SESSION_OUT = 131072,
	SESSION_HELD = 16384,   /* console text that waits */
	SESSION_FIRST_MS = 10000, /* from the connection to the first whole packet */
	SESSION_FRAME_MS = 5000,  /* from a $ to its last digit */
	SESSION_DRAIN_MS = 2000,
	SESSION_WAIT_MS = 3500, /* for a target that is away: clients give up after 5 s */
	SESSION_STOP_MS = 12000, /* longer than any backend tries */
	SESSION_BEAT_MS = 1000,
	SESSION_NOISE = 32,     /* bytes that are nothing */
	SESSION_MALFORMED = 64, /* whole packets that are wrong, in a row */
};

enum session_state {
	SESSION_IDLE,
	SESSION_QUEUED,   /* .cmd is allowed and waits for the target to be free */
	SESSION_ASKED,    /* the target works on it */
	SESSION_RESUMING, /* the same, and it is a resume: a break waits, unread, until it is done */
	SESSION_RUNNING,  /* waits for a stop: it resumed the target, or follows */
	SESSION_DRAINING, /* leaves: no more commands, what is written still goes */
	SESSION_DEAD,     /* to be reaped */
	SESSION_STATES,
	SESSION_ANY = SESSION_STATES, /* in the table of states: any; as the next one: no change */
};

/* What is said to a session. */
enum session_event {
	SESSION_ASK,     /* .cmd is to be served */
	SESSION_TAKEN,   /* the target works on it */
	SESSION_RESUMED, /* the same, and the target will run */
	SESSION_FOLLOWS, /* the next stop is the answer */
	SESSION_REPLY,   /* .reply, the answer to .cmd */
	SESSION_PART,    /* .reply: bytes of the answer to a read, more follow */
	SESSION_REFUSE,  /* .words: why .cmd is not done */
	SESSION_STATUS,  /* .stop, the answer to ? */
	SESSION_STOP,    /* .stop: the target stopped */
	SESSION_PRINT,   /* .text of the target's console */
	SESSION_LEAVE,
	SESSION_LOST,
	SESSION_EVENTS,
};

struct session_news {
	const struct rsp_reply *reply;
	const struct rsp_stop *stop;
	const struct rsp_thread *threads; /* with a stop: all there are, if that is known */
	size_t threads_n;
	struct span text;
	const char *words; /* of a refusal */
};

/* What a step answers, besides 0 and -errno. */
enum session_step_news { SESSION_MOVED = 1, SESSION_BREAK };

/* What becomes of the target when its controller has left. */
enum session_after { SESSION_AFTER_AS_CONFIGURED, SESSION_AFTER_RUN, SESSION_AFTER_STAY };

enum session_role { SESSION_OBSERVER, SESSION_CONTROLLER };

/* Whose connection it is, and what comes with it. */
struct session_who {
	uint64_t id;              /* from 1 */
	char peer[SESSION_PEER];  /* peer_show */
	const char *target;       /* its name; borrowed */
	const struct policy *policy; /* borrowed */
	struct audit_log *audit;  /* borrowed */
	const struct latch *latch; /* borrowed; NULL: not secure */
	struct learn *learn;       /* borrowed; NULL: nothing is learned */
	bool from_stdio;          /* when it goes, the program goes */
};

struct session {
	enum session_state state;
	enum session_role role;
	struct session_who who;
	struct link *client;
	struct rsp_framer framer;
	struct rsp_dialect dialect;
	unsigned can;             /* of enum rsp_feature: what the client announced */
	bool no_ack, greeted;     /* greeted: its first packet has come */
	bool turned_away;         /* it came while the target was away; lldb must be told within a session */
	bool met;                 /* it has been told a stop: it knows where the target stands */
	bool unheard;             /* the stop that it was told is none: the target does not answer the break-in */
	struct rsp_cmd cmd;       /* borrows framer.body while QUEUED */
	struct rsp_part part;     /* of its answer */
	struct rsp_thread general, resume; /* the client's Hg and Hc */
	struct rsp_thread stopped; /* of the last stop it was told */
	uint64_t born, asked, framed, beat, drained; /* when; framed: NEVER outside a packet */
	struct buf in, ahead;     /* ahead: on its way to the end of in, which may not be taken yet */
	struct buf out, held;     /* held: console text that must wait until the client runs */
	enum session_after after; /* it said so: a detach lets the target run, lldb's detach -s does not */
	const char *why;          /* it left */
	unsigned noise, malformed;
	unsigned long packets, denied, text_lost; /* text_lost: bytes of console text that it was not told */
};

int session_init(struct session *s, const struct session_who *who, struct link *client, uint64_t now) MUST_USE; /* takes client, if 0 */
void session_fini(struct session *s);

/* Moves one thing: writes, reads, or takes one packet. 0, enum session_step_news, -errno (it is DEAD then). */
int session_step(struct session *s, uint64_t now) MUST_USE;
void session_tell(struct session *s, enum session_event ev, const struct session_news *news);
void session_leave(struct session *s, const char *why, uint64_t now); /* why is borrowed for ever */
struct wait session_wait(const struct session *s);
void session_stop_waiting(struct session *s); /* RUNNING: it is told that it was interrupted, and the target is left alone */
bool session_lives(const struct session *s); /* it may still give commands */
bool session_is_due_a_stop(const struct session *s); /* the target is made to stop for it: within SESSION_STOP_MS */

/* Short forms of session_tell(REPLY). */
void session_ok(struct session *s);
void session_unsupported(struct session *s);
void session_error(struct session *s, const char *words);
void session_text(struct session *s, struct span text);
void session_used(const struct session *s, unsigned effects); /* what no command asked for, and its policy granted: it is learned */
void session_refuse(struct session *s, const char *words); /* of the command's own form: a resume is refused otherwise than a read */

/* One line of audit about this session; fields of ev that are the session's own are filled in. */
void session_audit(const struct session *s, struct audit_event ev);

/* Between session's own files. */
int session_take_packet(struct session *s, uint64_t now) MUST_USE; /* session_packet.c: parse, judge, act */
int session_say_refusal(struct session *s, const struct session_news *news) MUST_USE; /* session_refuse.c */

#endif
