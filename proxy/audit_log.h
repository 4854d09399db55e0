/* audit_log.h - where audit lines go: a file, a FIFO, standard output. Never blocks; what cannot be written is kept for a
 * while, and that it could not is remembered. What follows from that (audit_failure) is the loop's to do. */
#ifndef PROXY_AUDIT_LOG_H
#define PROXY_AUDIT_LOG_H

#include "base/wait.h"
#include "filters/audit.h"

enum { AUDIT_KEPT = 65536, AUDIT_PATH = 256 };

struct audit_log {
	bool on;          /* false: no audit; every call is fine and does nothing */
	int fd;
	int flags;        /* of a standard output that had to be made non-blocking; -1: nothing to give back */
	char path[AUDIT_PATH];
	struct buf kept;  /* whole lines, the oldest first */
	size_t done;      /* of the first of them: written already */
	bool torn;        /* the file ends within a line: the next one begins with a newline */
	bool full;        /* a FIFO's reader is behind */
	int error;        /* since the last time all was written; 0: none */
	uint64_t lost;    /* lines, since then */
	bool incomplete;  /* a line was lost, ever */
};

/* file "": no audit; "-": standard output. Ignores SIGPIPE in the whole program, unless it has a handler.
 * 0; -errno with why: the file, the cause, the remedy; then there is nothing to close. */
int audit_log_open(struct audit_log *a, const char *file, char *why, size_t why_size) MUST_USE;
void audit_log_close(struct audit_log *a); /* with one last try; again: nothing */

/* With the time of the wall clock. */
void audit_log_write(struct audit_log *a, const struct audit_event *ev);

void audit_log_flush(struct audit_log *a); /* when .fd can be written */
void audit_log_wait(const struct audit_log *a, struct wait *w); /* of its own: fill in a wait_none */
bool audit_log_failed(const struct audit_log *a); /* lines wait for a disk or a reader that comes back; or one was lost, ever */

/* The file of that name, which may be another one now. If it cannot be opened the old one stays. The descriptor is a
 * new number: ask for wait again before sleeping. */
void audit_log_reopen(struct audit_log *a);

#endif
