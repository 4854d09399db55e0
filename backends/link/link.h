/* link.h - one layer of a way to somewhere; layers stack: trace -> fault -> tcp.
 *
 * Control only ever flows down: a layer calls .below and returns; nothing here calls up.
 * send: 0 all taken; -EAGAIN not now: what is left in the frame is still to be sent (a packet
 *       link leaves all of it, a stream the part the kernel refused); other -errno: dead.
 *       Whoever refuses knows what will end that, and says so in wait until the next recv.
 * recv: 1 something in *in, which is replaced; 0 nothing now; -errno dead. It is also where a
 *       layer does what its deadline asks. A layer drops bad frames itself. */
#ifndef BACKENDS_LINK_LINK_H
#define BACKENDS_LINK_LINK_H

#include "base/buf.h"
#include "base/wait.h"

#include <stdio.h>

struct link;

struct link_ops {
	const char *name;
	size_t headroom; /* bytes this layer puts in front of a frame */
	int (*send)(struct link *lk, struct buf *frame, uint64_t now);
	int (*recv)(struct link *lk, struct buf *in, uint64_t now);
	int (*attention)(struct link *lk, uint64_t now);     /* break in by other means than bytes; NULL: the layer below knows how */
	void (*ready)(struct link *lk);                      /* its descriptor woke the program: a receive is worth a system call */
	void (*wait)(const struct link *lk, struct wait *w); /* add what this layer waits for; may be NULL */
	void (*destroy)(struct link *lk);                    /* this layer only, never .below */
};

struct link {
	const struct link_ops *ops;
	struct link *below;
	uint64_t sent, received, dropped;
};

int link_send(struct link *lk, struct buf *frame, uint64_t now) MUST_USE;
int link_recv(struct link *lk, struct buf *in, uint64_t now) MUST_USE;
int link_attention(struct link *lk, uint64_t now) MUST_USE; /* as send, with nothing to keep; -EOPNOTSUPP: no layer can */
size_t link_headroom(const struct link *lk);                /* of the whole stack */
void link_ready(struct link *lk);                           /* of the whole stack */
void link_wait(const struct link *lk, struct wait *w);      /* of the whole stack */
void link_destroy_stack(struct link *top);                  /* NULL is fine */

/* Every constructor answers NULL when out of memory; then below (or fd) is still the caller's. */

/* A connected, or connecting, stream socket, non-blocking. Takes fd. */
struct link *link_sock_new(int fd);

/* Two descriptors as one stream: standard input and output. Takes neither: they stay open. */
struct link *link_stdio_new(int in_fd, int out_fd);

/* Dials. -errno where that fails at once; a connection that is still being made is a link whose send says -EAGAIN.
 * tcp: host a name or address, port a number; looked up without asking the network for a numeric one. */
int link_tcp_dial(struct link **lk, const char *host, const char *port) MUST_USE;
int link_unix_dial(struct link **lk, const char *path) MUST_USE;

struct link *link_trace_new(struct link *below, FILE *to); /* to is borrowed: must outlive the stack */

/* In memory, for tests: what one end sends the other receives; a packet link, or a stream in pieces of step bytes. */
struct link *link_pair_new(struct link **other, size_t step);

/* Something unkind at every n-th send or receive. SPLIT: receives come one byte at a time. STALL: the n-th receive
 * finds nothing. CLOSE: the n-th step kills the link. FLIP and DROP corrupt and lose bytes, for lines that do. */
enum fault { FAULT_NONE, FAULT_DROP, FAULT_TWICE, FAULT_FLIP, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL, FAULT_CLOSE };
struct link *link_fault_new(struct link *below, enum fault kind, unsigned long every);

#endif
