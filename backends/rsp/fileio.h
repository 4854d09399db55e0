/* fileio.h - a stub asks its debugger's host to open, read, write files, or to run a program: answered here, and never done.
 * Text for descriptors 1 and 2 becomes the target's console; everything else is an error. A value: no I/O, no clock.
 *
 * Source: gdb manual, "File-I/O Remote Protocol Extension". */
#ifndef BACKENDS_RSP_FILEIO_H
#define BACKENDS_RSP_FILEIO_H

#include "filters/guard.h"

enum { FILEIO_TEXT = 512, /* of one write; the stub is told that no more was taken */ FILEIO_BURST = 64, FILEIO_EACH_MS = 50 };

struct fileio {
	bool text;            /* a write to 1 or 2: its bytes are to be read */
	uint64_t ptr;
	size_t len;
	int64_t result;       /* what the stub is told */
	unsigned code;        /* gdb's errno; 0: none */
	struct guard_bucket denied;
};

/* Takes "Fname,args". 0; -EBADMSG: it is none; -EPROTO: more of them than anybody needs. */
int fileio_take(struct fileio *f, struct span body, uint64_t now) MUST_USE;

int fileio_request(const struct fileio *f, struct buf *out) MUST_USE; /* .text: the read of its bytes. 0, -ENOBUFS */

/* The answer to that, which is used up. 0, and *text may be empty; -EBADMSG: no answer. */
int fileio_text(struct fileio *f, struct buf *body, struct span *text) MUST_USE;

int fileio_answer(const struct fileio *f, struct buf *out) MUST_USE; /* "F-1,1". 0, -ENOBUFS */

#endif
