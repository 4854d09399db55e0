/* decode.h - kdgate decode FILE: a capture, packet by packet, in words or as JSON.
 *
 *	   0.001500 #1 > m1000,40  (mem.read)               seconds since the first packet of the file; which conversation it is;
 *	   0.002250 #1 < 0011223344556677...  (64 bytes)    > the debugger says, < the target, = about the conversation
 *	   0.005260 #2 > data version=4 verified=yes sequence=5 pad=0 data_key=1 MANIPULATE id=0x80000002 ReadVirtualMemory ... */
#ifndef PROXY_DECODE_H
#define PROXY_DECODE_H

#include <stdbool.h>
#include <stdio.h>

struct kdnet_key;

struct decode_how {
	FILE *to;
	bool json;                   /* an object a line, with all of every field */
	const struct kdnet_key *key; /* of KDNET; NULL: none */
};

/* 0; -errno with why: what was read until then is printed. -ENODATA: nothing in it is RSP, KD or KDNET; -EKEYREJECTED: the key is
 * another target's. */
int decode_file(const char *file, const struct decode_how *how, char *why, size_t why_size);
int decode_stream(FILE *f, const char *name, const struct decode_how *how, char *why, size_t why_size); /* the same; takes f in any case */

#endif
