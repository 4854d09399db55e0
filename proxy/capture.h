/* capture.h - a capture file (pcap, pcapng) read as conversations: kdgate's own recordings, and what tcpdump took of RSP
 * over TCP. The file is as hostile as a wire. The only door to libpcap for reading. */
#ifndef PROXY_CAPTURE_H
#define PROXY_CAPTURE_H

#include "base/buf.h"

enum { CAPTURE_FLOWS = 1024, CAPTURE_NAME = 64 };

struct capture;

/* Bytes of one direction of one conversation, in order; what was captured twice is given once. Borrowed until the next call. */
struct capture_piece {
	unsigned flow;      /* from 0 */
	bool from_client;   /* from whoever talked first, or from the port that is not the stub's */
	bool gap;           /* bytes are missing before these */
	bool begins, ends;  /* the conversation does, with it; bytes may be empty */
	bool of_target;     /* a recording's: kdgate's own conversation with a target */
	double time;        /* seconds since 1970 */
	char from[CAPTURE_NAME], to[CAPTURE_NAME]; /* "127.0.0.1:1234" */
	struct span bytes;
};

int capture_open(struct capture **c, const char *file, char *why, size_t why_size) MUST_USE; /* 0; -errno with why */
int capture_next(struct capture *c, struct capture_piece *piece) MUST_USE;                   /* 1; 0 the end; -errno, capture_why */
const char *capture_why(const struct capture *c);
void capture_close(struct capture *c); /* NULL is fine */

#endif
