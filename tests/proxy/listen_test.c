/* listen_test.c - what is opened, what is refused and in which words, what is left behind. */
#include "proxy/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/kdgate-listen-XXXXXX", path[64], why[CONFIG_WHY];
static struct config_listener conf; /* its allowlist is large */
static struct listener l;
static struct peer peer;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/s", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int open_tcp(const char *host, const char *port)
{
	memset(&conf, 0, sizeof conf);
	conf.addr.kind = ADDR_TCP;
	snprintf(conf.addr.host, sizeof conf.addr.host, "%s", host);
	snprintf(conf.addr.port, sizeof conf.addr.port, "%s", port);
	snprintf(conf.addr.text, sizeof conf.addr.text, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
	*why = 0;
	return listener_open(&l, &conf, why, sizeof why);
}

static int open_unix(unsigned mode)
{
	memset(&conf, 0, sizeof conf);
	conf.addr.kind = ADDR_UNIX;
	conf.mode = mode;
	snprintf(conf.addr.path, sizeof conf.addr.path, "%s", path);
	snprintf(conf.addr.text, sizeof conf.addr.text, "unix:%s", path);
	*why = 0;
	return listener_open(&l, &conf, why, sizeof why);
}

static const char *port_of(int fd)
{
	static char port[8];
	struct sockaddr_in at;
	socklen_t len = sizeof at;

	getsockname(fd, (struct sockaddr *)&at, &len);
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	return port;
}

static int dial_unix(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial_tcp(int listener)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	int fd;

	getsockname(listener, (struct sockaddr *)&at, &len);
	fd = socket(at.ss_family, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
	return fd;
}

static void says(const char *text)
{
	if (!strstr(why, text))
		print_error("\"%s\" is not in \"%s\"\n", text, why);
	assert_non_null(strstr(why, text));
}

static void tcp_is_accepted(void **state)
{
	static const struct { const char *host; int family; } hosts[] = { { "127.0.0.1", AF_INET }, { "::1", AF_INET6 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int client, fd;

		assert_int_equal(open_tcp(hosts[i].host, "0"), 0);
		assert_true(fcntl(l.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(listener_accept(&l, &peer), -EAGAIN);
		client = dial_tcp(l.fd);
		fd = listener_accept(&l, &peer);
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(peer.family == hosts[i].family && peer.has_uid && peer.uid == getuid());
		close(client);
		close(fd);
		listener_close(&l);
		assert_int_equal(l.fd, -1);
		listener_close(&l);
	}
}

static void tcp_in_use(void **state)
{
	struct listener first;
	char port[8], command[64];

	(void)state;
	assert_int_equal(open_tcp("127.0.0.1", "0"), 0);
	first = l;
	snprintf(port, sizeof port, "%s", port_of(l.fd));
	assert_int_equal(open_tcp("127.0.0.1", port), -EADDRINUSE);
	assert_int_equal(l.fd, -1);
	snprintf(command, sizeof command, "ss -ltnp 'sport = :%s'", port);
	says(command);
	says(conf.addr.text);
	assert_int_equal(open_tcp("0.0.0.0", port), -EADDRINUSE);
	listener_close(&first);
	assert_int_equal(open_tcp("127.0.0.1", port), 0);
	listener_close(&l);
}

/* What was connected may linger after a restart: that is no reason to refuse the address. */
static void tcp_again_at_once(void **state)
{
	char port[8];
	int client, fd;

	(void)state;
	assert_int_equal(open_tcp("127.0.0.1", "0"), 0);
	snprintf(port, sizeof port, "%s", port_of(l.fd));
	client = dial_tcp(l.fd);
	fd = listener_accept(&l, &peer);
	close(fd);
	close(client);
	listener_close(&l);
	assert_int_equal(open_tcp("127.0.0.1", port), 0);
	listener_close(&l);
}

/* [::] is IPv6 only: 0.0.0.0 is another listener, with another allowlist. */
static void both_families_beside_each_other(void **state)
{
	struct listener six;
	char port[8];

	(void)state;
	assert_int_equal(open_tcp("::", "0"), 0);
	six = l;
	snprintf(port, sizeof port, "%s", port_of(l.fd));
	assert_int_equal(open_tcp("0.0.0.0", port), 0);
	listener_close(&l);
	listener_close(&six);
}

static void tcp_words(void **state)
{
	(void)state;
	assert_int_equal(open_tcp("192.0.2.1", "4711"), -EADDRNOTAVAIL);
	says("tcp:192.0.2.1:4711: Cannot assign requested address");
	says("ip address");
	assert_int_equal(open_tcp("somewhere", "4711"), -EINVAL);
}

/* The rest of the words are another user's, so they are checked in another process. */
static void run_as_nobody(void (*check)(void))
{
	int status;
	pid_t pid;

	if (getuid() != 0) {
		print_message("skipped: becoming another user needs root\n");
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(9);
		check();
		_exit(*why ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void low_port(void)
{
	if (open_tcp("127.0.0.1", "7") != -EACCES || !strstr(why, "below 1024"))
		_exit(2);
}

static void foreign_directory(void)
{
	if (open_unix(0600) != -EACCES || !strstr(why, "directory"))
		_exit(2);
}

static void words_for_others(void **state)
{
	(void)state;
	run_as_nobody(foreign_directory);
	if (access("/proc/sys/net/ipv4/ip_unprivileged_port_start", R_OK) == 0) {
		FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
		int first = 0;

		if (f && fscanf(f, "%d", &first) == 1 && first > 7)
			run_as_nobody(low_port);
		if (f)
			fclose(f);
	}
}

static void unix_is_accepted(void **state)
{
	struct stat st;
	int client, fd;
	mode_t before = umask(0);

	(void)state;
	assert_int_equal(open_unix(0660), 0);
	assert_int_equal(umask(before), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(listener_accept(&l, &peer), -EAGAIN);
	client = dial_unix();
	fd = listener_accept(&l, &peer);
	assert_true(fd >= 0 && client >= 0);
	assert_true(peer.family == AF_UNIX && peer.has_uid && peer.pid == getpid());
	close(client);
	close(fd);
	listener_close(&l);
	assert_int_equal(lstat(path, &st), -1);
}

static void unix_group(void **state)
{
	struct stat st;

	(void)state;
	if (getuid() != 0) {
		print_message("skipped: giving a file to a group needs root\n");
		return;
	}
	memset(&conf, 0, sizeof conf);
	conf = (struct config_listener){ .addr.kind = ADDR_UNIX, .mode = 0660, .has_group = true, .group = 4711 };
	snprintf(conf.addr.path, sizeof conf.addr.path, "%s", path);
	assert_int_equal(listener_open(&l, &conf, why, sizeof why), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_gid, 4711);
	assert_int_equal(st.st_mode & 07777, 0660);
	listener_close(&l);
}

static void somebody_listens(void **state)
{
	struct listener first;
	int client;

	(void)state;
	assert_int_equal(open_unix(0600), 0);
	first = l;
	assert_int_equal(open_unix(0600), -EADDRINUSE);
	says("another program listens there");
	client = dial_unix();
	assert_true(client >= 0); /* the first is as it was */
	close(client);
	listener_close(&l);
	listener_close(&first);
}

static void a_stale_socket_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(open_unix(0600), 0);
	close(l.fd); /* as after kill -9 */
	assert_int_equal(dial_unix(), -1);
	assert_int_equal(open_unix(0600), 0);
	listener_close(&l);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_is_no_socket_stays(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(open_unix(0600), -EEXIST);
	says("not a socket");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_equal(open_unix(0600), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(open_unix(0600), -EEXIST);
	assert_int_equal(rmdir(path), 0);
}

static void anothers_datagram_socket_stays(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(open_unix(0600), -EADDRINUSE);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
	unlink(path);
}

/* Somebody put another file there meanwhile: it is theirs. */
static void only_our_own_is_removed(void **state)
{
	struct listener first;

	(void)state;
	assert_int_equal(open_unix(0600), 0);
	first = l;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(open_unix(0600), 0);
	listener_close(&first);
	assert_int_equal(access(path, F_OK), 0);
	listener_close(&l);
	assert_int_equal(access(path, F_OK), -1);
}

static void unix_words(void **state)
{
	char good[64];

	(void)state;
	strcpy(good, path);
	snprintf(path, sizeof path, "%s/no/s", dir);
	assert_int_equal(open_unix(0600), -ENOENT);
	says("make it first");
	strcpy(path, good);
	conf.addr.kind = ADDR_STDIO;
	assert_int_equal(listener_open(&l, &conf, why, sizeof why), -EINVAL);
}

static void no_descriptors_left(void **state)
{
	struct rlimit before, none;
	int client, lowest, rc;

	(void)state;
	assert_int_equal(open_unix(0600), 0);
	client = dial_unix();
	getrlimit(RLIMIT_NOFILE, &before);
	lowest = dup(0);
	close(lowest);
	none = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	rc = listener_accept(&l, &peer);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(rc, -EMFILE);
	rc = listener_accept(&l, &peer); /* it waited */
	assert_true(rc >= 0);
	close(rc);
	close(client);
	listener_close(&l);
}

/* Who left before being asked is let go, and the next is served. */
static void who_vanished(void **state)
{
	struct linger now = { 1, 0 };
	int client, rc;

	(void)state;
	assert_int_equal(open_tcp("127.0.0.1", "0"), 0);
	client = dial_tcp(l.fd);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(client);
	rc = listener_accept(&l, &peer);
	assert_int_equal(rc, -ECONNABORTED);
	client = dial_tcp(l.fd);
	rc = listener_accept(&l, &peer);
	assert_true(rc >= 0 && peer.has_uid);
	close(rc);
	close(client);
	listener_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_accepted), cmocka_unit_test(tcp_in_use), cmocka_unit_test(tcp_again_at_once),
		cmocka_unit_test(both_families_beside_each_other), cmocka_unit_test(tcp_words), cmocka_unit_test(words_for_others),
		cmocka_unit_test(unix_is_accepted), cmocka_unit_test(unix_group), cmocka_unit_test(somebody_listens),
		cmocka_unit_test(a_stale_socket_is_replaced), cmocka_unit_test(what_is_no_socket_stays),
		cmocka_unit_test(anothers_datagram_socket_stays), cmocka_unit_test(only_our_own_is_removed), cmocka_unit_test(unix_words),
		cmocka_unit_test(no_descriptors_left), cmocka_unit_test(who_vanished),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
