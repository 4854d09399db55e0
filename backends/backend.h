/* backend.h - a target's protocol, as proxy/target.c sees it: submit one command, poll what comes of it.
 *
 * A backend never calls up. It remembers, as its own state, what the link would not take yet, so submit and
 * interrupt cannot be "not now": the target gives it one command at a time. */
#ifndef BACKENDS_BACKEND_H
#define BACKENDS_BACKEND_H

#include "base/wait.h"
#include "rsp/cmd.h"
#include "rsp/reply.h"

struct backend;
struct guard;
struct link;
struct tdesc;

enum backend_event {
	BACKEND_NONE,
	BACKEND_MOVED,   /* something went on inside; poll again */
	BACKEND_REPLY,   /* the command is done; .reply */
	BACKEND_PART,    /* .reply.bytes of a read; the bytes of the next PART, or of the REPLY, follow them. A REPLY that is
	                  * no bytes ends the read where it is */
	BACKEND_RUNS,    /* the target runs: the answer to a resume, or to opening */
	BACKEND_STOPPED, /* .stop; after opening, or while it ran */
	BACKEND_PRINT,   /* .reply.bytes: text of the target's console; comes at any time */
	BACKEND_CONSOLE, /* .reply.bytes: what was heard beside the protocol on its wire, as it came; at any time */
	BACKEND_EVENTS,
};

/* What comes of a poll. Borrows from the backend until the next call on it. */
struct backend_news {
	struct rsp_reply reply;
	struct rsp_stop stop;
};

/* What the target can do: known once it has been met, fixed until the backend is destroyed. */
struct backend_info {
	unsigned can;              /* of enum rsp_feature: what may be offered to a client */
	const struct tdesc *tdesc; /* NULL: the target did not describe itself */
	struct span memory_map;    /* empty: none */
	bool was_running;          /* it ran when it was met, and opening stopped it */
	size_t read_max;           /* bytes of memory that one request brings; 0: not known */
	bool one_memory;           /* every thread sees the same at an address */
	bool windows;              /* its images are PE files, and lldb is told so */
	bool exceptions;           /* a stop's signal is a kernel's exception: a resume with it leaves the exception to the kernel, one without
	                            * says that it is dealt with */
};

struct backend_ops {
	const char *name;
	/* 0 taken, and answered later by REPLY or RUNS; -EOPNOTSUPP the target cannot; other -errno refused; nothing
	 * changed. What it needs of *cmd is copied: the client may be gone before the answer. */
	int (*submit)(struct backend *be, const struct rsp_cmd *cmd);
	/* enum backend_event, or -errno: the target is lost. Also where deadlines are met. */
	int (*poll)(struct backend *be, struct backend_news *news, uint64_t now);
	/* A running target is made to stop; a command in flight is made to end early. Of a stub before the first poll: it may run, and is
	 * made to stop before it is asked anything. */
	void (*interrupt)(struct backend *be);
	/* Leave: the target is told to run without a debugger, if the protocol has words for that. Then poll answers
	 * -ESHUTDOWN when they have gone. Only while stopped and idle. */
	void (*leave)(struct backend *be);
	const struct backend_info *(*info)(const struct backend *be);
	struct guard *(*guard)(struct backend *be);   /* what was wrong with what it sent; the target tells it */
	/* In words: after poll said -errno (NULL: errno tells it all), and why it is not met yet (NULL: that is not known). */
	const char *(*why)(const struct backend *be);
	size_t (*type)(struct backend *be, struct span bytes); /* on the console: how many were taken. NULL: it has none */
	void (*ready)(struct backend *be);            /* as link_ready */
	void (*wait)(const struct backend *be, struct wait *w);
	void (*destroy)(struct backend *be);
};

struct backend {
	const struct backend_ops *ops;
};

/* Both take the stack, if not NULL is returned. console: a layer of it, as backends/link/console.h; to_break is typed there to
 * stop the kernel where the line cannot carry a BREAK, and borrowed; NULL: nothing is. */
struct backend *backend_rsp_new(struct link *stack);
struct backend *backend_kgdb_new(struct link *stack, struct link *console, const char *to_break);
struct backend *backend_kd_new(struct link *stack);    /* Windows, KD over a stream */
struct backend *backend_kdnet_new(struct link *stack); /* the same over link_kdnet_open */

#endif
