/* identity_test.c - real sockets, real users: whoever is at the other end, and nobody else. */
#include "proxy/identity.h"
#include "proxy/sock_owner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { NOBODY = 65534, SOME_GROUP = 4711, NOT_ROOT_GROUP = 4712 };

static struct peer peer;

/* "127.0.0.1", "::1", "::" (dual-stack), or a path */
static int listen_at(const char *where, struct sockaddr_storage *at, socklen_t *len)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *ai;
	int fd, off = 0;

	assert_int_equal(getaddrinfo(where, "0", &hints, &ai), 0);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ai->ai_family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
	assert_int_equal(bind(fd, ai->ai_addr, ai->ai_addrlen), 0);
	assert_int_equal(listen(fd, 8), 0);
	freeaddrinfo(ai);
	*len = sizeof *at;
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, len), 0);
	return fd;
}

static uint16_t port_of(const struct sockaddr_storage *at)
{
	struct sockaddr_in in;

	memcpy(&in, at, sizeof in);
	return ntohs(in.sin_port);
}

static void connect_to(int fd, const char *address, uint16_t port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *ai;
	char service[8];

	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(address, service, &hints, &ai) != 0 || connect(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		_exit(9);
	freeaddrinfo(ai);
}

/* The client's family, the address it dials, where the server listens. */
static const struct way {
	const char *name, *listen, *dial;
	int family, seen_as;
} ways[] = {
	{ "IPv4", "127.0.0.1", "127.0.0.1", AF_INET, AF_INET },
	{ "IPv6", "::1", "::1", AF_INET6, AF_INET6 },
	{ "IPv4 on a dual-stack listener", "::", "127.0.0.1", AF_INET, AF_INET },
	{ "IPv6 on a dual-stack listener", "::", "::1", AF_INET6, AF_INET6 },
	{ "mapped, from an IPv6 socket", "127.0.0.1", "::ffff:127.0.0.1", AF_INET6, AF_INET },
	{ "mapped at both ends", "::", "::ffff:127.0.0.1", AF_INET6, AF_INET },
	{ "another loopback address", "::", "127.1.2.3", AF_INET, AF_INET },
};
enum { WAYS = sizeof ways / sizeof *ways };

/* As uid, until the parent closes its end; in a process of its own. */
static pid_t client_of(uid_t uid, const struct way *w, uint16_t port)
{
	pid_t pid = fork();
	char c;
	int fd;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	if (uid != getuid() && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(uid) < 0))
		_exit(8);
	fd = socket(w->family, SOCK_STREAM, 0);
	connect_to(fd, w->dial, port);
	_exit(recv(fd, &c, 1, 0) == 0 ? 0 : 7);
}

static void end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void tcp_as(uid_t uid)
{
	for (size_t i = 0; i < WAYS; i++) {
		struct sockaddr_storage at;
		socklen_t len;
		int listener = listen_at(ways[i].listen, &at, &len);
		pid_t pid = client_of(uid, &ways[i], port_of(&at));
		int fd = accept(listener, NULL, NULL);

		print_message("%s\n", ways[i].name);
		assert_true(fd >= 0);
		assert_int_equal(identity_of(fd, &peer), 0);
		assert_int_equal(peer.family, ways[i].seen_as);
		assert_true(peer.has_uid);
		assert_int_equal(peer.uid, uid);
		assert_true(peer_is_loopback(&peer) && peer.port);
		assert_string_equal(peer.user, getpwuid(uid) ? getpwuid(uid)->pw_name : "");
		assert_true(!getpwuid(uid) || peer.groups_n > 0);
		close(fd);
		close(listener);
		end_of(pid);
	}
}

static void tcp_of_ours(void **state)
{
	(void)state;
	tcp_as(getuid());
}

static void tcp_of_somebody_else(void **state)
{
	(void)state;
	if (getuid() == 0)
		tcp_as(NOBODY);
	else
		print_message("skipped: becoming another user needs root\n");
}

static void both_ways_of_asking(void **state)
{
	(void)state;
	for (size_t i = 0; i < WAYS; i++) {
		struct sockaddr_storage at;
		socklen_t len;
		int listener = listen_at(ways[i].listen, &at, &len);
		uid_t want = getuid() == 0 ? NOBODY : getuid(), uid = 1;
		pid_t pid = client_of(want, &ways[i], port_of(&at));
		int fd = accept(listener, NULL, NULL);
		struct sock_pair p = { .far_port = port_of(&at) };

		assert_int_equal(identity_of(fd, &peer), 0);
		p.near = p.far = peer.addr;
		p.near_port = peer.port;
		if (strcmp(ways[i].dial, "127.1.2.3") == 0) /* our end has that address, the client's the usual one */
			p.far.s6_addr[13] = 1, p.far.s6_addr[14] = 2, p.far.s6_addr[15] = 3;
		assert_int_equal(sock_owner_by_diag(&p, &uid), 0);
		assert_int_equal(uid, want);
		uid = 1;
		assert_int_equal(sock_owner_by_proc(&p, &uid), 0);
		assert_int_equal(uid, want);
		p.near_port ^= 1;
		assert_int_equal(sock_owner_by_diag(&p, &uid), -ENOENT);
		assert_int_equal(sock_owner_by_proc(&p, &uid), -ENOENT);
		p.near_port ^= 1;
		p.far_port ^= 1;
		assert_int_equal(sock_owner_by_diag(&p, &uid), -ENOENT);
		assert_int_equal(sock_owner_by_proc(&p, &uid), -ENOENT);
		p.far_port ^= 1;
		p.near.s6_addr[15] ^= 4;
		assert_int_equal(sock_owner_by_diag(&p, &uid), -ENOENT);
		assert_int_equal(sock_owner_by_proc(&p, &uid), -ENOENT);
		close(fd);
		close(listener);
		end_of(pid);
	}
}

/* It connected, and left before anybody asked: then whoever listens on its port now is not it. */
static void who_vanished_is_nobody(void **state)
{
	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		struct sockaddr_storage at, own;
		socklen_t len, own_len = sizeof own;
		int listener = listen_at("127.0.0.1", &at, &len), one = 1;
		int client = socket(AF_INET, SOCK_STREAM, 0), fd, squatter = socket(AF_INET, SOCK_STREAM, 0);
		struct linger now = { reset, 0 };

		assert_int_equal(setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
		assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
		connect_to(client, "127.0.0.1", port_of(&at));
		fd = accept(listener, NULL, NULL);
		assert_int_equal(getsockname(client, (struct sockaddr *)&own, &own_len), 0);
		close(client);
		assert_int_equal(setsockopt(squatter, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
		if (bind(squatter, (struct sockaddr *)&own, own_len) == 0)
			assert_int_equal(listen(squatter, 1), 0);
		assert_true(identity_of(fd, &peer) < 0 || !peer.has_uid);
		close(squatter);
		close(fd);
		close(listener);
	}
}

/* It has said its last word: the connection is not what may be relied on any more. */
static void half_closed_is_nobody(void **state)
{
	struct sockaddr_storage at;
	socklen_t len;
	int listener = listen_at("127.0.0.1", &at, &len), client = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct sock_pair p = { .far_port = port_of(&at) };
	uid_t uid;

	(void)state;
	connect_to(client, "127.0.0.1", port_of(&at));
	fd = accept(listener, NULL, NULL);
	assert_int_equal(identity_of(fd, &peer), 0);
	assert_true(peer.has_uid);
	p.near = p.far = peer.addr;
	p.near_port = peer.port;
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	assert_int_equal(sock_owner_by_diag(&p, &uid), -ENOENT);
	assert_int_equal(sock_owner_by_proc(&p, &uid), -ENOENT);
	assert_int_equal(identity_of(fd, &peer), 0);
	assert_false(peer.has_uid);
	close(client);
	close(fd);
	close(listener);
}

/* A socket nobody has accepted is established and has no user: the kernel says 0 of it, or of its listener. */
static void not_accepted_is_nobody(void **state)
{
	struct sockaddr_storage at, own;
	socklen_t len, own_len = sizeof own;
	int listener = listen_at("127.0.0.1", &at, &len), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sock_pair p;
	uid_t uid;

	(void)state;
	connect_to(client, "127.0.0.1", port_of(&at));
	assert_int_equal(getsockname(client, (struct sockaddr *)&own, &own_len), 0);
	p = (struct sock_pair){ .near_port = port_of(&at), .far_port = port_of(&own) };
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &p.near);
	p.far = p.near;
	assert_int_equal(sock_owner_by_diag(&p, &uid), -ENOENT);
	assert_int_equal(sock_owner_by_proc(&p, &uid), -ENOENT);
	close(client);
	close(listener);
}

static int unix_pair(uid_t uid, pid_t *pid)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "@kdgate-identity-test" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	char c;

	snprintf(at.sun_path + 21, 32, "%d", (int)getpid());
	at.sun_path[0] = 0;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener, 1), 0);
	*pid = fork();
	if (*pid == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (uid != getuid() && (setgroups(1, (gid_t[]){ SOME_GROUP }) < 0 || setgid(NOT_ROOT_GROUP) < 0 || setuid(uid) < 0))
			_exit(8);
		if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
			_exit(9);
		_exit(recv(fd, &c, 1, 0) == 0 ? 0 : 7);
	}
	fd = accept(listener, NULL, NULL);
	close(listener);
	return fd;
}

static bool has_group(gid_t gid)
{
	for (size_t i = 0; i < peer.groups_n; i++)
		if (peer.groups[i] == gid)
			return true;
	return false;
}

static void unix_sockets(void **state)
{
	pid_t pid;
	int fd = unix_pair(getuid(), &pid);

	(void)state;
	assert_int_equal(identity_of(fd, &peer), 0);
	assert_true(peer.family == AF_UNIX && peer.has_uid && peer.uid == getuid() && peer.pid == pid);
	assert_true(has_group(getgid()));
	close(fd);
	end_of(pid);
}

/* The groups it has, not those of the database. */
static void unix_of_somebody_else(void **state)
{
	pid_t pid;
	int fd;

	(void)state;
	if (getuid() != 0) {
		print_message("skipped: becoming another user needs root\n");
		return;
	}
	fd = unix_pair(NOBODY, &pid);
	assert_int_equal(identity_of(fd, &peer), 0);
	assert_true(peer.has_uid && peer.uid == NOBODY && peer.pid == pid);
	assert_true(has_group(SOME_GROUP) && has_group(NOT_ROOT_GROUP) && !has_group(0) && !has_group(NOBODY));
	assert_int_equal(peer.groups_n, 2);
	close(fd);
	end_of(pid);
}

static void what_is_no_peer(void **state)
{
	int fd[2], alone = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(identity_of(alone, &peer), -ENOTCONN);
	assert_int_equal(identity_of(-1, &peer), -EBADF);
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(identity_of(fd[0], &peer), -ENOTSOCK);
	assert_false(peer.has_uid);
	close(fd[0]);
	close(fd[1]);
	close(alone);
}

static void standard_input(void **state)
{
	(void)state;
	identity_of_stdio(&peer);
	assert_true(peer.family == 0 && peer.has_uid && peer.uid == getuid() && has_group(getgid()) && peer_is_loopback(&peer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_of_ours), cmocka_unit_test(tcp_of_somebody_else), cmocka_unit_test(both_ways_of_asking),
		cmocka_unit_test(who_vanished_is_nobody), cmocka_unit_test(half_closed_is_nobody), cmocka_unit_test(not_accepted_is_nobody),
		cmocka_unit_test(unix_sockets), cmocka_unit_test(unix_of_somebody_else), cmocka_unit_test(what_is_no_peer),
		cmocka_unit_test(standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
