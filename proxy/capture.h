/* capture.h - a capture file read as conversations: kdgate's own recordings, and what tcpdump took (pcap, pcapng) of RSP or KD over TCP
 * and of KDNET; recordings of a serial line as text (capture_line.h); each also packed by gzip. The file is as hostile as a wire. The
 * only door to libpcap for reading. */
#ifndef PROXY_CAPTURE_H
#define PROXY_CAPTURE_H

#include "base/buf.h"

#include <stdio.h>

enum { CAPTURE_FLOWS = 1024, CAPTURE_NAME = 64 };

struct capture;

/* Bytes of one direction of one conversation, in order; what was captured twice is given once. Borrowed until the next
 * call. Where a conversation begins or ends there is a piece without bytes that says so; begins comes before everything
 * else, nothing comes after ends. A conversation whose end is not in the file has none. Of more than CAPTURE_FLOWS at
 * once, the one that was silent for longest is ended. */
struct capture_piece {
	unsigned flow;      /* below CAPTURE_FLOWS; what has ended leaves its place to another */
	uint64_t number;    /* of the conversation, from 1 */
	bool from_client;   /* from whoever called; where that is not in the file: from the port that is not the stub's */
	bool gap;           /* bytes are missing before these */
	bool begins, ends;
	bool midway;        /* with begins: it had begun before the file did */
	bool of_client;     /* a recording's: one of kdgate's clients' */
	bool of_target;     /* a recording's: kdgate's own conversation with a target */
	uint64_t id;        /* of these two: the recording's number */
	double time;        /* seconds since 1970 */
	/* "127.0.0.1:1234" "[::1]:1234", of a line "host" "target"; of begins and ends: the client and the stub. */
	char from[CAPTURE_NAME], to[CAPTURE_NAME];
	bool line;          /* of a serial line */
	bool datagram;      /* UDP's: a piece alone, of no conversation: flow and number say nothing */
	struct span bytes;
};

/* What the file has, as far as it was read. other: fragments, other protocols, and what is no packet at all. */
struct capture_counts {
	uint64_t packets, tcp, udp, other, conversations;
};

/* 0; -errno with why: the file, the place, the cause. "-": standard input. */
int capture_open(struct capture **c, const char *file, char *why, size_t why_size) MUST_USE;
int capture_open_stream(struct capture **c, FILE *f, const char *name, char *why, size_t why_size) MUST_USE; /* takes f in any case */
void capture_with_datagrams(struct capture *c); /* else UDP is only counted */
int capture_next(struct capture *c, struct capture_piece *piece) MUST_USE; /* 1; 0 the end; -errno, capture_why */
const char *capture_why(const struct capture *c);
struct capture_counts capture_counts(const struct capture *c);
void capture_close(struct capture *c); /* NULL is fine */

#endif
