/* hello.h - getting to know a stub, one question at a time. A value: no I/O, no clock. */
#ifndef BACKENDS_RSP_HELLO_H
#define BACKENDS_RSP_HELLO_H

#include "backends/rsp/stub.h"

/* In the order of asking. gdbserver 13 aborts when its description is asked for before it was made to choose a thread, as ? does. */
enum hello_step { HELLO_SUPPORTED, HELLO_NO_ACK, HELLO_VCONT, HELLO_STATUS, HELLO_THREAD, HELLO_TDESC, HELLO_MAP, HELLO_REGS, HELLO_DONE };

struct hello {
	enum hello_step step;
	struct buf doc;         /* the document that is being fetched */
	char name[TDESC_NAME];  /* its annex */
	unsigned strays;        /* stop replies that nobody had asked for */
	bool ran;               /* it says that it ran until we came */
	unsigned chatter;       /* console text, requests for files, since the first answer */
	struct rsp_stop stop;   /* the answer to ? */
	const char *note;       /* what was wrong with an answer, and it is done without or as if it were right; cleared by who tells it */
	const char *why;        /* after an error */
};

int hello_init(struct hello *h) MUST_USE;
void hello_fini(struct hello *h);

bool hello_over(struct hello *h, const struct stub *s) MUST_USE; /* nothing more is to be asked */

/* Puts the body of the next request. 1; 0: there is none, the stub is known; -ENOBUFS. */
int hello_request(struct hello *h, struct stub *s, struct buf *out) MUST_USE;

/* A stop reply that nobody asked for. */
void hello_stray(struct hello *h, const struct rsp_stop *stop);

/* Console text, or a request for a file: it may come at any time. */
bool hello_is_chatter(struct span body) MUST_USE;

/* Takes its answer, which is used up. 1: the next request is due; 0: not the answer yet (.strays, .chatter), and left as it was;
 * -errno with .why. */
int hello_answer(struct hello *h, struct stub *s, struct buf *body) MUST_USE;

#endif
