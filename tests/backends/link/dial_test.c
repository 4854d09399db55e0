/* dial_test.c - dialling TCP and Unix sockets: numbers, names, several addresses, and what can go wrong. */
#include "backends/link/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static struct buf out, in;
static char dir[] = "/tmp/kdgate-dial-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(dir) || buf_init(&out, 100) < 0 || buf_init(&in, 100) < 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	buf_fini(&in);
	return rmdir(dir);
}

/* Bound on a port of the kernel's choice, and listening if asked. */
static int bound(const char *address, bool listening, char port[8])
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM }, *ai;
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	int fd;

	assert_int_equal(getaddrinfo(address, *port ? port : "0", &hints, &ai), 0);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) == 0);
	assert_true(fd < 0 || !listening || listen(fd, 4) == 0);
	freeaddrinfo(ai);
	if (fd < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	getnameinfo((struct sockaddr *)&at, len, NULL, 0, port, 8, NI_NUMERICSERV);
	return fd;
}

/* Turns until the send goes through, or the link is dead. */
static int send_hello(struct link *lk)
{
	int rc = -EAGAIN;

	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, "hello"), 0);
	for (int i = 0; i < 50 && rc == -EAGAIN; i++) {
		struct wait w = wait_none();
		struct pollfd p;

		rc = link_recv(lk, &in, 0);
		if (rc == 0)
			rc = link_send(lk, &out, 0);
		link_wait(lk, &w);
		p = (struct pollfd){ .fd = w.fd, .events = (short)(POLLIN | (w.write ? POLLOUT : 0)) };
		if (rc == -EAGAIN && poll(&p, 1, 200) > 0)
			link_ready(lk);
	}
	return rc;
}

static void is_heard(int listener)
{
	char text[8] = "";
	int fd = accept(listener, NULL, NULL);

	assert_true(fd >= 0);
	assert_int_equal(recv(fd, text, 5, MSG_WAITALL), 5);
	assert_string_equal(text, "hello");
	close(fd);
}

static void numbers(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "::1" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char port[8] = "";
		int listener = bound(addresses[i], true, port);
		struct link *lk;

		assert_true(listener >= 0);
		assert_int_equal(link_tcp_dial(&lk, addresses[i], port), 0);
		assert_int_equal(send_hello(lk), 0);
		is_heard(listener);
		link_ready(lk);
		assert_true(link_recv(lk, &in, 0) < 0);
		link_destroy_stack(lk);
		close(listener);
	}
}

static void nobody_listens(void **state)
{
	char port[8] = "";
	int fd = bound("127.0.0.1", false, port);
	struct link *lk;
	int rc = link_tcp_dial(&lk, "127.0.0.1", port);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(rc ? rc : send_hello(lk), -ECONNREFUSED);
	link_destroy_stack(lk);
	close(fd);
}

/* A machine without /etc/hosts has no such name. */
static void need_localhost(void)
{
	struct addrinfo *ai;

	if (getaddrinfo("localhost", NULL, NULL, &ai) != 0) {
		print_message("skipped: localhost is unknown on this machine\n");
		skip();
	}
	freeaddrinfo(ai);
}

/* Whichever of its addresses the stub listens on. */
static void localhost_is_several(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "::1" };

	(void)state;
	need_localhost();
	for (size_t i = 0; i < 2; i++) {
		char port[8] = "";
		int listener = bound(addresses[i], true, port);
		struct link *lk;
		int rc = link_tcp_dial(&lk, "localhost", port);

		if (rc == 0)
			rc = send_hello(lk);
		if (i == 1 && rc == -ECONNREFUSED) { /* here localhost is 127.0.0.1 alone */
			print_message("skipped: localhost is not ::1 on this machine\n");
		} else {
			assert_int_equal(rc, 0);
			is_heard(listener);
		}
		link_destroy_stack(lk);
		close(listener);
	}
}

/* A hosts file of our own, seen by this program alone: "several" has three addresses. */
static bool mount_hosts(void)
{
	char path[64];
	FILE *f;
	bool done;

	snprintf(path, sizeof path, "%s/hosts", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("127.0.0.1 localhost several\n127.0.0.2 several\n127.0.0.3 several\n", f);
	fclose(f);
	done = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
	unlink(path);
	return done;
}

static bool has_several(void)
{
	static bool tried, done;

	if (!tried)
		done = mount_hosts();
	tried = true;
	if (!done)
		print_message("skipped: a private /etc/hosts needs root\n");
	return done;
}

/* The first that refuses is followed by the next; the loop sees another descriptor, and never the same number again. */
static void the_next_address(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };
	struct wait first = wait_none(), last = wait_none();
	size_t tried = 0;

	(void)state;
	if (!has_several())
		return;
	for (size_t i = 0; i < 3; i++) {
		char port[8] = "";
		int listener = bound(addresses[i], true, port);
		struct link *lk;

		assert_int_equal(link_tcp_dial(&lk, "several", port), 0);
		link_wait(lk, &first);
		assert_int_equal(send_hello(lk), 0);
		link_wait(lk, &last);
		tried += first.fd != last.fd;
		is_heard(listener);
		link_ready(lk);
		assert_int_equal(link_recv(lk, &in, 0), -EPIPE); /* an answer: no other address is tried */
		assert_int_equal(link_recv(lk, &in, 0), -EPIPE);
		link_destroy_stack(lk);
		close(listener);
	}
	assert_int_equal(tried, 2);
}

/* Who answers and hangs up before a word was said was there all the same. */
static void hangs_up_at_once(void **state)
{
	char port[8] = "";
	int listener = bound("127.0.0.1", true, port), rc = 0;
	struct link *lk;

	(void)state;
	if (!has_several()) {
		close(listener);
		return;
	}
	assert_int_equal(link_tcp_dial(&lk, "several", port), 0);
	for (int i = 0; i < 50 && rc == 0; i++) {
		struct wait w = wait_none();
		struct pollfd p;

		link_wait(lk, &w);
		p = (struct pollfd){ .fd = w.fd, .events = POLLIN };
		if (poll(&p, 1, 20) > 0)
			link_ready(lk);
		rc = link_recv(lk, &in, 0);
		if (i == 5)
			close(accept(listener, NULL, NULL));
	}
	assert_int_equal(rc, -EPIPE);
	assert_int_equal(link_recv(lk, &in, 0), -EPIPE);
	link_destroy_stack(lk);
	close(listener);
}

static void localhost_refuses(void **state)
{
	char port[8] = "";
	int fd, rc;
	struct link *lk;

	(void)state;
	need_localhost();
	fd = bound("127.0.0.1", false, port);
	rc = link_tcp_dial(&lk, "localhost", port);
	if (rc == 0)
		rc = send_hello(lk);
	assert_int_equal(rc, -ECONNREFUSED);
	assert_true(!lk || link_recv(lk, &in, 0) == -ECONNREFUSED);
	link_destroy_stack(lk);
	close(fd);
}

static void no_such_thing(void **state)
{
	static const struct { const char *host, *port; } wrong[] = {
		{ "", "1" }, { "127.0.0.1", "" }, { "127.0.0.1", "0" }, { "127.0.0.1", "65536" }, { "127.0.0.1", "http" },
		{ "127.0.0.1", "12x" }, { "127.0.0.1", " 12" }, { "127.0.0.1", "-1" }, { "127.0.0.1", "4294967297" },
	};
	struct link *lk;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(link_tcp_dial(&lk, wrong[i].host, wrong[i].port), -EINVAL);
	assert_int_equal(link_tcp_dial(&lk, "no.such.name.invalid", "1"), -ENXIO);
	assert_null(lk);
}

static void unix_sockets(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char long_path[200] = { 0 };
	struct link *lk;

	(void)state;
	snprintf(at.sun_path, sizeof at.sun_path, "%s/s", dir);
	assert_int_equal(link_unix_dial(&lk, at.sun_path), -ENOENT);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(link_unix_dial(&lk, at.sun_path), -ECONNREFUSED);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(link_unix_dial(&lk, at.sun_path), 0);
	assert_int_equal(send_hello(lk), 0);
	is_heard(listener);
	link_destroy_stack(lk);
	close(listener);
	unlink(at.sun_path);
	memset(long_path, 'x', sizeof long_path - 1);
	assert_int_equal(link_unix_dial(&lk, long_path), -ENAMETOOLONG);
	assert_int_equal(link_unix_dial(&lk, ""), -EINVAL);
	assert_null(lk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(nobody_listens), cmocka_unit_test(localhost_is_several),
		cmocka_unit_test(the_next_address), cmocka_unit_test(hangs_up_at_once),
		cmocka_unit_test(localhost_refuses), cmocka_unit_test(no_such_thing), cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
