/* identity.c - see identity.h. */
#include "proxy/identity.h"

#include "proxy/sock_owner.h"

#include <errno.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PASSWD_BYTES = 16384 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

static void add_group(struct peer *peer, gid_t gid)
{
	for (size_t i = 0; i < peer->groups_n; i++)
		if (peer->groups[i] == gid)
			return;
	if (peer->groups_n < ALLOW_GROUPS)
		peer->groups[peer->groups_n++] = gid;
}

/* The groups of the database: what a login of this user would have. Of more than there is room for, the first. */
static void groups_of_user(struct peer *peer, const struct passwd *pw)
{
	int n = ALLOW_GROUPS;

	if (getgrouplist(pw->pw_name, pw->pw_gid, peer->groups, &n) < 0)
		n = n < ALLOW_GROUPS ? 0 : ALLOW_GROUPS;
	peer->groups_n = (size_t)n;
}

/* The name for people, and the groups if nobody has told them yet. A user without a name is only a number. */
static void look_up_user(struct peer *peer, bool groups_too)
{
	char bytes[PASSWD_BYTES];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(peer->uid, &pw, bytes, sizeof bytes, &found) != 0 || !found)
		return;
	snprintf(peer->user, sizeof peer->user, "%s", pw.pw_name);
	if (groups_too)
		groups_of_user(peer, &pw);
}

static bool groups_of_socket(int fd, struct peer *peer)
{
	socklen_t len = sizeof peer->groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &len) < 0)
		return false;
	peer->groups_n = len / sizeof *peer->groups;
	return true;
}

static int identity_unix(int fd, struct peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	bool groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (cred.uid == (uid_t)-1)
		return -ENOTCONN;
	peer->has_uid = true;
	peer->uid = cred.uid;
	peer->pid = cred.pid;
	groups = groups_of_socket(fd, peer);
	look_up_user(peer, !groups);
	add_group(peer, cred.gid);
	return 0;
}

static void unmap(const union address *a, struct in6_addr *out, uint16_t *port)
{
	if (a->sa.sa_family == AF_INET6) {
		*out = a->in6.sin6_addr;
		*port = ntohs(a->in6.sin6_port);
		return;
	}
	*out = (struct in6_addr){ .s6_addr = { [10] = 0xff, 0xff } };
	memcpy(&out->s6_addr[12], &a->in.sin_addr, 4);
	*port = ntohs(a->in.sin_port);
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

/* While our end is established nobody else can have the other one. */
static bool still_connected(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

static void find_owner(int fd, const struct sock_pair *other_end, struct peer *peer)
{
	uid_t uid;

	if (sock_owner(other_end, &uid) != 0 || !still_connected(fd))
		return;
	peer->has_uid = true;
	peer->uid = uid;
	look_up_user(peer, true);
}

static int identity_tcp(int fd, const union address *far, struct peer *peer)
{
	union address near = { 0 };
	socklen_t len = sizeof near;
	struct sock_pair other_end;

	if (getsockname(fd, &near.sa, &len) < 0)
		return -errno;
	unmap(far, &peer->addr, &peer->port);
	peer->family = IN6_IS_ADDR_V4MAPPED(&peer->addr) ? AF_INET : AF_INET6;
	other_end = (struct sock_pair){ .near = peer->addr, .near_port = peer->port };
	unmap(&near, &other_end.far, &other_end.far_port);
	if (is_loopback(&other_end.near) && is_loopback(&other_end.far))
		find_owner(fd, &other_end, peer);
	return 0;
}

int identity_of(int fd, struct peer *peer)
{
	union address far = { 0 };
	socklen_t len = sizeof far;

	*peer = (struct peer){ .family = AF_UNIX };
	if (getpeername(fd, &far.sa, &len) < 0)
		return -errno;
	if (far.sa.sa_family == AF_UNIX)
		return identity_unix(fd, peer);
	if (far.sa.sa_family != AF_INET && far.sa.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	return identity_tcp(fd, &far, peer);
}

void identity_of_stdio(struct peer *peer)
{
	int n;

	*peer = (struct peer){ .family = 0, .has_uid = true, .uid = getuid() };
	n = getgroups(ALLOW_GROUPS, peer->groups);
	peer->groups_n = n > 0 ? (size_t)n : 0;
	look_up_user(peer, false);
	add_group(peer, getgid());
}
