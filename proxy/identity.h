/* identity.h - who is at the other end of a connection, as the kernel tells it. */
#ifndef PROXY_IDENTITY_H
#define PROXY_IDENTITY_H

#include "filters/allow.h"

/* fd: a connected socket. A Unix socket's peer is known by user, process and the groups it had when it connected; a
 * loopback TCP peer by the user that owns the other end, with the groups the system's user database gives that user.
 * A peer whose owner is not found has has_uid false. Port in host order.
 * 0; -errno: not a connected socket (any more), or of another family. May ask the user database, and block for it. */
int identity_of(int fd, struct peer *peer) MUST_USE;

/* Standard input: whoever runs this program. */
void identity_of_stdio(struct peer *peer);

#endif
