/* console.h - a target's console: what it prints goes to those who read it and to a log; what those who may type goes to it.
 *
 * A reader that does not read loses text, and is told how much; nobody else waits for it. */
#ifndef PROXY_CONSOLE_H
#define PROXY_CONSOLE_H

#include "base/buf.h"
#include "base/wait.h"
#include "proxy/session.h"

#include <stdio.h>

struct link;

enum {
	CONSOLE_READERS = 32,
	CONSOLE_OUT = 65536,    /* that one reader has not taken yet */
	CONSOLE_PAST = 16384,   /* what a reader who comes is shown of what was before */
	CONSOLE_TYPING = 1024,  /* typed, and not taken by the target yet */
	CONSOLE_LOG_LINE = 4096,
	CONSOLE_PAUSE_MS = 1000, CONSOLE_BURST_MS = 10000, /* a burst of typing ends with a pause, or has gone on for so long */
};

/* Somebody at the console. */
struct console_reader {
	struct session_who who;
	struct link *link;       /* owned */
	bool may_type, dead, told; /* told: that it may not type */
	struct buf out, in;
	uint64_t lost;           /* bytes, since it was last told */
	int rule;                /* of its policy, about typing; as in struct judgement */
	struct console_burst {
		uint64_t since, last; /* ms */
		size_t bytes;         /* 0: none */
	} burst;                 /* of typing, which the audit does not have yet */
	const char *why;         /* it left */
};

struct console {
	struct console_reader *readers[CONSOLE_READERS];
	struct buf past, typing;
	FILE *log;               /* owned; NULL: none */
	const char *log_name;    /* borrowed */
	bool line_open;          /* of the log: its time stamp has been written */
	int log_error;           /* since when nothing is written any more; 0: none */
};

int console_init(struct console *c, const char *log, char *why, size_t why_size) MUST_USE; /* log "": none. 0; -errno with why */
void console_fini(struct console *c);                                                      /* readers are the caller's */

/* What the target printed: raw bytes go to readers as they are (it is a terminal they look at), to the log with control
 * characters visible, each line behind its time of the wall clock. */
void console_put(struct console *c, struct span text);

int console_join(struct console *c, struct console_reader *r) MUST_USE; /* 0; -EUSERS */
void console_part(struct console *c, struct console_reader *r);         /* before it is freed; the last of its typing is audited */

struct console_reader *console_reader_new(const struct session_who *who, struct link *link, bool may_type); /* takes link, if not NULL */
void console_reader_free(struct console_reader *r);

/* Reads and writes what can be. 1 moved, 0 nothing now. One that fails is .dead, with .why. Each burst of typing is a line of the
 * audit: how many bytes, never which, since passwords are typed here. That it may not type is one, too, the first time. */
int console_step(struct console *c, struct console_reader *r, uint64_t now) MUST_USE;
struct wait console_reader_wait(const struct console *c, const struct console_reader *r);

/* What is typed and waits: take away what was taken. */
struct span console_typed(const struct console *c);
void console_typed_taken(struct console *c, size_t n);

#endif
