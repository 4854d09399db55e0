/* wire.h - RSP packets on a socket, for test programs only. Written apart from rsp/, so that both are not wrong alike:
 * it looks for whole frames in what has come in, where rsp/ goes byte by byte. */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_item {
	WIRE_NOTHING, /* needs more bytes */
	WIRE_PACKET,  /* at, n: the body, as it came */
	WIRE_BADSUM,  /* at, n: the body */
	WIRE_ACK,
	WIRE_NAK,
	WIRE_BREAK,   /* 0x03 between packets */
	WIRE_NOISE,   /* at, n: bytes between packets that are none of these */
	WIRE_TOOLONG, /* at, n: what filled the buffer without ending */
};

enum { WIRE_IN = 1 << 18, WIRE_OUT = 1 << 18 };

struct wire {
	int fd;
	size_t head, tail;         /* of in: what has not been looked at */
	const uint8_t *at;         /* of the last item; valid until wire_fill */
	size_t n;
	size_t sent;               /* out holds the last packet, for a peer that wants it again */
	uint8_t in[WIRE_IN], out[WIRE_OUT];
};

void wire_open(struct wire *w, int fd);
int wire_fill(struct wire *w); /* 1: bytes came; 0: none now; -1: the peer is gone */
enum wire_item wire_next(struct wire *w);

/* All of it, waiting where the socket is full. 0; -1: the peer is gone. */
int wire_send_bytes(struct wire *w, const void *bytes, size_t n);
int wire_send(struct wire *w, const void *body, size_t n, bool run_length); /* a packet; body is escaped already */
int wire_send_again(struct wire *w);

/* "unix:/path" or "tcp:127.0.0.1:PORT". A descriptor, or -1 with errno. Port 0: text is rewritten with the real one. */
int wire_listen(char *text, size_t size);
int wire_dial(const char *text);

#endif
