/* console_keys.h - what is to be typed on a kernel's console, and has not gone. Between the layers of console.h, which know when it may. */
#ifndef BACKENDS_LINK_CONSOLE_KEYS_H
#define BACKENDS_LINK_CONSOLE_KEYS_H

#include "base/buf.h"

struct link;

struct console_keys {
	struct buf key, typed; /* what belongs to a BREAK; all else */
	struct buf tx;
	bool key_next; /* what is typed next belongs to a BREAK that was sent */
	bool refused;  /* the last push */
};

int console_keys_init(struct console_keys *k, const struct link *to) MUST_USE;
void console_keys_fini(struct console_keys *k);
void console_keys_await(struct console_keys *k); /* a BREAK has been sent: the key of one before is none any more */
size_t console_keys_put(struct console_keys *k, struct span bytes); /* how many were taken */

/* from: key or typed. 0: all of it; -EAGAIN; other -errno. */
int console_keys_push(struct console_keys *k, struct buf *from, struct link *to, uint64_t now) MUST_USE;

/* Of a frame whose send had this result, how much has gone. */
size_t console_keys_gone(int rc, size_t before, size_t left);

#endif
