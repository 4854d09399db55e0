/* lookup.h - host and port, as addresses; shared by what dials. */
#ifndef BACKENDS_LINK_LOOKUP_H
#define BACKENDS_LINK_LOOKUP_H

#include "base/buf.h"

struct addrinfo;

/* type: SOCK_STREAM or SOCK_DGRAM. The list is the caller's, for freeaddrinfo. -EINVAL: no host or port at all; -ENXIO: no such name.
 * A number is never asked of the network; a name is, and that may take as long as the resolver's timeouts. */
int link_look_up(const char *host, const char *port, int type, struct addrinfo **list) MUST_USE;

#endif
