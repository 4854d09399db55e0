/* allow.h - who may connect to a listener, and which policy they get. Pure: names were looked up before. */
#ifndef FILTERS_ALLOW_H
#define FILTERS_ALLOW_H

#include "base/buf.h"

#include <netinet/in.h>
#include <sys/types.h>

enum { ALLOW_ENTRIES = 64, ALLOW_GROUPS = 256, ALLOW_TEXT = 128 };

/* Who is at the other end, as the kernel tells it. */
struct peer {
	int family;              /* AF_INET, AF_INET6, AF_UNIX; 0: standard input */
	struct in6_addr addr;    /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
	bool has_uid;            /* a Unix socket, or loopback TCP whose owner was found */
	uid_t uid;
	pid_t pid;               /* 0: not known */
	gid_t groups[ALLOW_GROUPS];
	size_t groups_n;
	char user[64];           /* name of uid, for people; "" */
};

enum allow_kind { ALLOW_ADDRESS, ALLOW_USER, ALLOW_GROUP, ALLOW_ANYONE };

struct allow_entry {
	enum allow_kind kind;
	struct in6_addr addr;
	unsigned prefix;         /* of 128 */
	uid_t uid;
	gid_t gid;
	int policy;              /* an index of the caller's; -1: the listener's own */
	char text[ALLOW_TEXT];   /* as it was written */
};

struct allow {
	struct allow_entry entries[ALLOW_ENTRIES];
	size_t count;
};

/* How names become numbers; tests have their own. 0, -ENOENT. */
struct allow_names {
	int (*uid_of)(const char *user, uid_t *uid);
	int (*gid_of)(const char *group, gid_t *gid);
};

/* Appends "192.0.2.0/24", "2001:db8::/32", "user=alice", "group=lab", "user=1000", "any". policy as above.
 * IPv6 networks hold no IPv4 peers ("::/0" is all of IPv6), save those inside ::ffff:0:0/96.
 * 0; -EINVAL, -ENOENT, -ENOSPC with why filled in words. */
int allow_add(struct allow *a, const char *entry, int policy, const struct allow_names *names, char *why, size_t why_size) MUST_USE;

/* A fresh list for kdgate's own user and root. */
void allow_default(struct allow *a, uid_t own);

/* The entry that lets this peer in: the first that fits; NULL: none does. A user or group fits only a peer whose uid
 * is known, whatever it came through. */
const struct allow_entry *allow_find(const struct allow *a, const struct peer *peer);

/* "alice (uid 1000) at 127.0.0.1:4711", for people. Printable ASCII; 192 bytes hold any. Cut to size. Returns out. */
const char *peer_show(const struct peer *peer, char *out, size_t size);
bool peer_is_loopback(const struct peer *peer); /* 127.0.0.0/8, ::1, and Unix sockets and standard input */

#endif
