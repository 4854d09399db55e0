/* link.h - one layer of a way to somewhere; layers stack: trace -> fault -> tcp.
 *
 * Control only ever flows down: a layer calls .below and returns; nothing here calls up.
 * send: 0 all taken; -EAGAIN not now: what is left in the frame is still to be sent (a packet
 *       link leaves all of it, a stream the part the kernel refused); other -errno: dead.
 *       Whoever refuses knows what will end that, and says so in wait until the next recv.
 * recv: 1 something in *in, which is replaced; 0 nothing now; -errno dead. It is also where a
 *       layer does what its deadline asks. A layer drops bad frames itself.
 * The other end's goodbye is -EPIPE, or what the kernel calls it (-ECONNRESET ...); it comes after everything that was
 * sent has been received, and every later call says it again. */
#ifndef BACKENDS_LINK_LINK_H
#define BACKENDS_LINK_LINK_H

#include "base/buf.h"
#include "base/wait.h"

#include <stdio.h>

struct link;
struct console_ops;

struct link_ops {
	const char *name;
	size_t headroom; /* bytes this layer puts in front of a frame */
	int (*send)(struct link *lk, struct buf *frame, uint64_t now);
	int (*recv)(struct link *lk, struct buf *in, uint64_t now);
	int (*attention)(struct link *lk, uint64_t now);     /* break in by other means than bytes; NULL: the layer below knows how */
	void (*ready)(struct link *lk);                      /* its descriptor woke the program: a receive is worth a system call */
	void (*prompt)(struct link *lk);                     /* see link_prompt */
	void (*wait)(const struct link *lk, struct wait *w); /* add what this layer waits for to what those below do; may be NULL */
	void (*destroy)(struct link *lk);                    /* this layer only, never .below */
	const struct console_ops *console;                   /* of a layer that has a kernel's console: console.h; else NULL */
};

struct link {
	const struct link_ops *ops;
	struct link *below;
	uint64_t sent, received, dropped;
	uint64_t trip;   /* ms, of KDNET: how long a round trip took when the session began */
	const char *why; /* after an error that errno's words do not tell; of KDNET also before one */
};

int link_send(struct link *lk, struct buf *frame, uint64_t now) MUST_USE;
int link_recv(struct link *lk, struct buf *in, uint64_t now) MUST_USE;
int link_attention(struct link *lk, uint64_t now) MUST_USE; /* as send, with nothing to keep; -EOPNOTSUPP: no layer can */
size_t link_headroom(const struct link *lk);                /* of the whole stack */
void link_ready(struct link *lk);                           /* of the whole stack */
void link_wait(const struct link *lk, struct wait *w);      /* of the whole stack */
void link_prompt(struct link *lk);                          /* of the whole stack: what comes is acknowledged at once from now on. Who sends
							     * byte by byte may hold the next until then (RFC 896); else that is 40 ms */
uint64_t link_trip(const struct link *lk);                  /* of the whole stack */
const char *link_why(const struct link *lk);                /* of the whole stack; NULL: errno tells it all */
void link_destroy_stack(struct link *top);                  /* NULL is fine */

/* Every constructor answers NULL when out of memory; then below (or fd) is still the caller's. */

/* A connected, or connecting, stream socket, non-blocking. Takes fd. Until it is connected send says -EAGAIN, and wait
 * asks for write. Receives only after link_ready, at the start, and while what it read filled the buffer. */
struct link *link_sock_new(int fd);

/* Two descriptors as one stream: standard input and output. Takes neither: they stay open, and are blocking again after
 * destroy if they were before. Ignores SIGPIPE in the whole program, unless it has a handler. */
struct link *link_stdio_new(int in_fd, int out_fd);

/* Dials. -errno where that fails at once; a connection that is still being made is a link whose send says -EAGAIN.
 * tcp: host a name or address, port a number; a name's addresses are tried in turn. Only a name is looked up, and that
 * may block for as long as the resolver's timeouts; -ENXIO: there is no such name. */
int link_tcp_dial(struct link **lk, const char *host, const char *port) MUST_USE;
int link_unix_dial(struct link **lk, const char *path) MUST_USE;

/* How a serial line speaks. */
struct serial_mode {
	unsigned baud;
	uint8_t bits;  /* 7 or 8 */
	char parity;   /* 'n' 'e' 'o' */
	uint8_t stops; /* 1 or 2 */
	bool rtscts;
};

/* A serial line: /dev/ttyUSB0, /dev/serial/by-id/..., and pseudo-terminals, which have no mode. Held alone: a lock, TIOCEXCL but on
 * pseudo-terminals, and /run/lock/LCK..* of uucp and minicom; -EBUSY when another has it. -EOPNOTSUPP: the device has not got that
 * mode. -ENOTTY: it is no line. What came before is dropped. Unplugged it is -ENODEV, a pseudo-terminal whose other side closed
 * -EPIPE; whoever dials again finds it when it is back. attention is a BREAK of a quarter of a second, in which nothing is sent;
 * -EOPNOTSUPP where the device has none (pseudo-terminals, some USB ports). */
int link_serial_dial(struct link **lk, const char *path, const struct serial_mode *mode) MUST_USE;

/* Telnet over below (takes it, if not NULL is returned): bytes 0xff doubled, options answered, attention is BREAK. With a mode
 * the far end is asked to be an RFC 2217 port of that mode (ser2net, labgrid), nothing is sent until it is, and BREAK is that
 * protocol's: nothing is sent while it lasts. -EPROTONOSUPPORT: it is no such port, or not of that mode; link_why tells. */
struct link *link_telnet_new(struct link *below, const struct serial_mode *mode);

/* Datagrams: what is sent at once is one datagram, what comes is taken in order of coming; too long a frame is -EMSGSIZE, what is
 * longer than the receiver's buffer is dropped. Nothing is known of a far end that is not there but what ICMP says, which is passed
 * over, and counted as dropped. Of a name the first IPv4 address is taken, if it has one. */
int link_udp_dial(struct link **lk, const char *host, const char *port) MUST_USE;

/* KDNET: binds the UDP port, alone, and waits for the target that has this key to dial (backends/link/kdnet.h). Packets: each send is one
 * KD packet, or the byte of a break-in, in a datagram of its own; each receive the body of one. 1 with an empty *in: a session has begun,
 * perhaps in the place of another; what was under way is void. Until the first, send says -EAGAIN; link_why tells why there is none, or
 * NULL, at any time. Links at the same address share its socket. -EADDRINUSE: another program has it, or a target of ours at another
 * address that covers it; -EEXIST: a target of ours with the same key. */
struct kdnet_key;
int link_kdnet_open(struct link **lk, const char *host, const char *port, const struct kdnet_key *key) MUST_USE;

/* The speed of a wire, both ways: ten bits a byte. A send is refused while 64 bytes, or two milliseconds' worth, are on their way,
 * and little is read ahead. Between any two calls no more passes than the wire would carry in that time, and a byte. Over a stream. */
struct link *link_pace_new(struct link *below, unsigned baud);

struct link *link_trace_new(struct link *below, FILE *to); /* to is borrowed: must outlive the stack */

/* In memory, for tests: what one end sends the other receives. step 0: a packet link; else a stream, in pieces of at most
 * step bytes. One allocation, freed when both ends are destroyed. */
struct link *link_pair_new(struct link **other, size_t step);

/* Something unkind at every n-th frame. DROP, TWICE and FLIP lose, repeat and corrupt what is sent, for lines that do.
 * REFUSE: a send is refused, once. SPLIT: what is received comes up one byte at a time. STALL: it comes at the next
 * receive. CLOSE: sent or received, it is lost and the link is dead. REFUSE, SPLIT and STALL let everything through
 * even at n = 1. */
enum fault { FAULT_NONE, FAULT_DROP, FAULT_TWICE, FAULT_FLIP, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL, FAULT_CLOSE };
struct link *link_fault_new(struct link *below, enum fault kind, unsigned long every);

#endif
