/* guard.h - judgement of what comes from a target: what an answer may look like, which stops and which text go on, and
 * what was wrong, as lines for the audit. Pure: time is an argument. Documents: guard_doc.h.
 *
 * One guard for each connection to a target. Source: gdb manual, "Packets", "Stop Reply Packets", "File-I/O Remote
 * Protocol Extension"; what stock debuggers do with a bad answer was tried. */
#ifndef FILTERS_GUARD_H
#define FILTERS_GUARD_H

#include "rsp/cmd.h"
#include "rsp/reply.h"
#include "rsp/tdesc.h"

enum guard_what {
	GUARD_REPLY,    /* not the form, or not the length, that its request implies */
	GUARD_STOP,     /* a stop reply with what it cannot have */
	GUARD_UNASKED,  /* a packet that nobody asked for */
	GUARD_NOISE,    /* bytes that are no packet; a packet that does not end */
	GUARD_FILE,     /* the target asked the host for a file, or to run a program */
	GUARD_TEXT,     /* control characters in console text */
	GUARD_FLOOD,    /* more text than is passed on */
	GUARD_DOCUMENT, /* a document that was refused or changed */
	GUARD_THREADS,  /* a thread list with what it cannot have */
	GUARD_LOST,     /* given up: it is not to be believed any more */
	GUARD_WHATS,
};

enum {
	GUARD_WORDS = 160,
	GUARD_KEPT = 8,           /* incidents that wait to be told */
	GUARD_BURST = 16,         /* of one kind, at once */
	GUARD_EVERY_MS = 1000,    /* of one kind, after that */
	GUARD_TEXT_BURST = 262144, /* bytes of console text at once, */
	GUARD_TEXT_RATE = 262,     /* and for each ms */
	GUARD_TEXT_COST = 64,      /* of a piece of text, beside its bytes */
	GUARD_PIECE = 4096,        /* of text, made visible */
};

struct guard_incident {
	enum guard_what what;
	uint64_t more; /* of its kind, before it, that were not told one by one */
	char words[GUARD_WORDS]; /* anything: not yet made visible */
};

struct guard {
	struct guard_kind {
		uint64_t at, left, more; /* left of the burst, at that time */
	} kinds[GUARD_WHATS];
	struct guard_incident kept[GUARD_KEPT]; /* the oldest first */
	size_t kept_n;
	uint64_t text_at, text_left, text_lost;
};

void guard_init(struct guard *g, uint64_t now);
const char *guard_what_name(enum guard_what what); /* "reply" */

/* Something was wrong. Kept to be told; what is too much, or too often, is only counted. */
void guard_note(struct guard *g, uint64_t now, enum guard_what what, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool guard_next(struct guard *g, struct guard_incident *in); /* takes the oldest; false: there is none */

/* Console text, appended to out as it may be shown: control characters visible, too much left out with a word about it.
 * At most GUARD_PIECE bytes of it are appended. */
void guard_console(struct guard *g, struct span text, struct buf *out, uint64_t now);

/* What may come back for cmd, of which asked bytes are wanted now (reads). tdesc: NULL, not known. g_len: what g had
 * before, in bytes; 0, not known. */
void guard_expect(const struct rsp_cmd *cmd, const struct tdesc *tdesc, size_t g_len, size_t asked, struct rsp_expect *want);

/* A stop as it may go on: registers that the description does not have in that size are dropped, a thread that cannot be
 * one makes it -EBADMSG. >= 0: how many things were dropped. */
int guard_stop(struct rsp_stop *stop, const struct tdesc *tdesc) MUST_USE;

/* A thread list: ids that cannot be, and those that are there already, are dropped. How many. */
size_t guard_threads(struct rsp_thread *ids, size_t *n);

#endif
