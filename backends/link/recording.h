/* recording.h - every conversation as a capture file (pcap) that Wireshark opens, and the link that fills it.
 *
 * Each conversation is written as a TCP connection over IPv4 that never was: sequence numbers and checksums are right, so
 * that reassembly and "follow stream" work; the far end's port is RECORDING_PORT, IANA's gdbremote. Client conversations
 * are 127.1.x.y -> 127.1.0.0, kdgate's own with targets 127.2.x.y -> 127.2.0.0; x.y is the number. */
#ifndef BACKENDS_LINK_RECORDING_H
#define BACKENDS_LINK_RECORDING_H

#include "base/buf.h"

struct link;
struct recording;

enum { RECORDING_PORT = 2159 };
enum recording_side { RECORDING_CLIENT, RECORDING_TARGET };

/* Creates the file, 0600; one that is there is not written over: -EEXIST. skew: wall clock minus the clock that links are
 * given, in ms. 0; -errno with why: the file, the cause, the remedy. */
int recording_open(struct recording **r, const char *file, int64_t skew, char *why, size_t why_size) MUST_USE;
void recording_close(struct recording *r); /* NULL is fine; every link that writes to it is gone */

/* After a failed write nothing more is written; 0: all went well. */
int recording_error(const struct recording *r);

/* Shows what passes; r is borrowed. who: for people, said in the first record's neighbourhood or not at all. NULL: no memory. */
struct link *link_record_new(struct link *below, struct recording *r, enum recording_side side, uint64_t number);

#endif
