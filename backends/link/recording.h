/* recording.h - every conversation as a capture file (pcap) that Wireshark opens, and the link that fills it.
 *
 * Each conversation is written as a TCP connection over IPv4 that never was: sequence numbers and checksums are right, so
 * that reassembly and "follow stream" work; the far end's port is RECORDING_PORT, IANA's gdbremote. Client conversations
 * are 127.1.x.y -> 127.1.0.0, kdgate's own with targets 127.2.x.y -> 127.2.0.0; x.y is the number, and above it the port,
 * counted from RECORDING_NEAR_PORT. A conversation is there from its first byte on. */
#ifndef BACKENDS_LINK_RECORDING_H
#define BACKENDS_LINK_RECORDING_H

#include "base/buf.h"
#include "base/wait.h"

struct link;
struct recording;

enum { RECORDING_PORT = 2159, RECORDING_NEAR_PORT = 49152, RECORDING_NEAR_PORTS = 16384 };
enum { RECORDING_SEGMENT = 32768, RECORDING_FLUSH_MS = 100 };
enum recording_side { RECORDING_CLIENT, RECORDING_TARGET };
#define RECORDING_NET(side) (0x7f010000u + ((uint32_t)(side) << 16)) /* the far end's address; the near ends' is this and 16 bits */

/* Creates the file, 0600; one that is there is not written over: -EEXIST. skew: wall clock minus the clock that links are
 * given, in ms. Ignores SIGXFSZ in the whole program, unless it has a handler. 0; -errno with why: the file, the cause,
 * the remedy. */
int recording_open(struct recording **r, const char *file, int64_t skew, char *why, size_t why_size) MUST_USE;
void recording_close(struct recording *r); /* NULL is fine; every link that writes to it is gone */

/* What was recorded goes to the file when the time that wait tells has come, or when there is much of it: what a crash can
 * lose is the last RECORDING_FLUSH_MS, never a part of a packet. */
void recording_wait(const struct recording *r, struct wait *w);
void recording_flush(struct recording *r, uint64_t now); /* if it is time; NEVER: in any case */

/* After a failed write nothing more is written. The file ends with the last whole packet that went; with a part of the next
 * one, where this process may not cut files. An errno; 0: all went well. */
int recording_error(const struct recording *r);

/* Records what passes; r is borrowed. NULL: no memory. */
struct link *link_record_new(struct link *below, struct recording *r, enum recording_side side, uint64_t number);

/* For link_record.c: one segment of a conversation as it goes to the file. */
enum { RECORDING_FIN = 0x01, RECORDING_SYN = 0x02, RECORDING_RST = 0x04, RECORDING_PSH = 0x08, RECORDING_ACK = 0x10 };

struct recording_segment {
	enum recording_side side;
	uint64_t number;
	bool from_far; /* from RECORDING_PORT */
	unsigned flags;
	uint32_t seq, ack;
	struct span bytes; /* at most RECORDING_SEGMENT */
};

void recording_put(struct recording *r, const struct recording_segment *s, uint64_t now);

#endif
