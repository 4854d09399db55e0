/* audit.h - one decision that matters, as one line of JSON. Pure: the caller writes it and gives the time. */
#ifndef FILTERS_AUDIT_H
#define FILTERS_AUDIT_H

#include "base/buf.h"

enum audit_what {
	AUDIT_START, AUDIT_CONNECT, AUDIT_REFUSE, AUDIT_DENY, AUDIT_WRITE, AUDIT_RUN, AUDIT_BREAK, AUDIT_BREAK_IN,
	AUDIT_DETACH, AUDIT_LEAVE, AUDIT_MALFORMED, AUDIT_TARGET_FOUND, AUDIT_TARGET_LOST, AUDIT_MONITOR,
	AUDIT_OTHER, AUDIT_END,
	AUDIT_GUARD, /* the target sent what it should not */ AUDIT_LATCH, AUDIT_TYPE, /* on the console */ AUDIT_WHATS,
};

/* Every pointer may be NULL, every number has its own "has": such a field is left out of the line. */
struct audit_event {
	enum audit_what what;
	const char *target;   /* its configured name */
	uint64_t client;      /* a number for each session, from 1; 0: nobody's */
	const char *who;      /* peer_show */
	const char *policy;
	int rule;             /* from 1; 0 with effect: no rule matched; left out when effect is NULL */
	const char *effect;
	const char *packet;   /* rsp_cmd_show */
	bool has_range;
	uint64_t addr, len;
	const char *text;     /* cause, in words */
};

enum { AUDIT_LINE = 2048 };

const char *audit_what_name(enum audit_what what); /* "connect" */

/* Appends one line, newline included. Strings may hold anything: what is not printable is made visible. Over-long
 * strings are cut, the line is always whole JSON. 0; -ENOBUFS or -ENOMEM and nothing appended. */
int audit_line(struct buf *out, const char *stamp, const struct audit_event *ev) MUST_USE;

#endif
