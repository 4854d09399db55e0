/* sock_owner.h - which user owns a TCP socket of this machine: the other end of a loopback connection.
 *
 * Source: sock_diag(7), linux/inet_diag.h; proc(5), /proc/net/tcp. */
#ifndef PROXY_SOCK_OWNER_H
#define PROXY_SOCK_OWNER_H

#include "base/buf.h"

#include <netinet/in.h>
#include <sys/types.h>

/* One end and its other end; IPv4 as ::ffff:a.b.c.d, ports in host order. */
struct sock_pair {
	struct in6_addr near, far;
	uint16_t near_port, far_port;
};

/* The user of the socket whose own address is .near: only an established one, open in some process, with exactly these
 * four values, IPv4 or IPv6. 0; -ENOENT: there is none; other -errno: the kernel cannot be asked this way.
 * by_diag takes at most 0.2 s, and usually some microseconds; by_proc reads the whole table. */
int sock_owner_by_diag(const struct sock_pair *p, uid_t *uid) MUST_USE;
int sock_owner_by_proc(const struct sock_pair *p, uid_t *uid) MUST_USE;
int sock_owner(const struct sock_pair *p, uid_t *uid) MUST_USE; /* by the first that works */

#endif
