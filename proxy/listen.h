/* listen.h - a listening socket, TCP or Unix, and who knocks at it. */
#ifndef PROXY_LISTEN_H
#define PROXY_LISTEN_H

#include "filters/allow.h"
#include "proxy/config.h"

struct listener {
	int fd;         /* -1: closed */
	char path[108]; /* of a Unix socket; "" */
	dev_t dev;      /* the socket's file, as we made it */
	ino_t ino;
};

/* Opens what l->addr asks for; not for standard input. A Unix socket that nobody listens on is replaced, anything else of
 * that name is not; mode and group are set before anybody can connect. 0; -errno with why: the address, the cause, the
 * remedy. Whatever the result, listener_close may follow. */
int listener_open(struct listener *l, const struct config_listener *c, char *why, size_t why_size) MUST_USE;

/* Removes a Unix socket's file, if it is still ours. Again: nothing. */
void listener_close(struct listener *l);

/* A connection, non-blocking and close-on-exec, and who made it. -EAGAIN: nobody is there; -EMFILE, -ENFILE, -ENOBUFS,
 * -ENOMEM: not until something is freed, and the listener stays readable; other -errno: this one came to nothing. */
int listener_accept(struct listener *l, struct peer *peer) MUST_USE;

#endif
