/* guard.h - judgement of what comes from a target: what an answer may look like, which stops and which text go on, and
 * what was wrong, as lines for the audit. Pure: time is an argument. Documents: guard_doc.h.
 *
 * One guard for each connection to a target; what it has told already counts on in the next one's. Source: gdb manual, "Packets", "Stop Reply Packets", "File-I/O Remote
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
	GUARD_SILENT,   /* it is there, and is not heard; or another one is */
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

/* So much at once, and so much more with the time: what is spent comes back. */
struct guard_bucket {
	uint64_t at, left;
};

struct guard {
	struct guard_kind {
		struct guard_bucket told;
		uint64_t seen, more; /* ever; since the last that was told */
	} kinds[GUARD_WHATS];
	struct guard_incident kept[GUARD_KEPT]; /* the oldest first */
	size_t kept_n;
	struct guard_bucket text;
	uint64_t text_lost, text_lost_ever; /* bytes */
};

void guard_init(struct guard *g);
const char *guard_what_name(enum guard_what what); /* "reply" */

/* Takes n out of a bucket that holds most and gains gain every ms; false: it has not that much. All zero: full. */
bool guard_spend(struct guard_bucket *b, uint64_t n, uint64_t most, uint64_t gain, uint64_t now);

/* Something was wrong. Kept until it is told; where too many wait, only counted. */
void guard_note(struct guard *g, enum guard_what what, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Takes the oldest that may be told now: what comes too often of one kind is only counted. false: there is none. */
bool guard_next(struct guard *g, struct guard_incident *in, uint64_t now);

/* The first piece of console text, taken from *text and written to out as it may be shown: control characters visible, too
 * much left out, with a word about it. out has room for GUARD_PIECE and is replaced; it may be empty then. */
void guard_console(struct guard *g, struct span *text, struct buf *out, uint64_t now);

/* What may come back for cmd, when asked bytes are wanted of a read. tdesc NULL: the target did not describe itself. */
struct rsp_expect guard_expect(const struct rsp_cmd *cmd, const struct tdesc *tdesc, size_t asked);

/* What the form alone does not tell of a good answer: a register file that ends within a register, or is not as long as
 * the last one (g_len bytes; 0: none yet); text that the packet is not answered with. */
bool guard_reply_fits(const struct rsp_cmd *cmd, const struct rsp_reply *reply, const struct tdesc *tdesc, size_t g_len);

/* Registers of a stop that the description does not have, or not in that size, are dropped; gdb would throw the whole
 * stop away. How many. */
size_t guard_stop(struct rsp_stop *stop, const struct tdesc *tdesc);

/* Ids that name no thread (0 is any), or are in the list already, are dropped. How many. */
size_t guard_threads(struct rsp_thread *ids, size_t *n);

#endif
