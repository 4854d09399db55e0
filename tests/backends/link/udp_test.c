/* udp_test.c - datagrams: one at a time, who is not there, what is too long. */
#include "backends/link/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { CEILING = 64 };

static struct link *lk;
static int far_fd;
static struct buf out, in;
static struct sockaddr_in at, peer;
static char port[8];

/* A far end on a port of the kernel's choice. */
static int far_end(struct sockaddr_in *where)
{
	socklen_t len = sizeof *where;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)where, sizeof *where) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)where, &len), 0);
	return fd;
}

static int setup(void **state)
{
	(void)state;
	at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	far_fd = far_end(&at);
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	return buf_init(&out, 100000) || buf_init(&in, CEILING) || link_udp_dial(&lk, "127.0.0.1", port);
}

static int teardown(void **state)
{
	(void)state;
	link_destroy_stack(lk);
	if (far_fd >= 0)
		close(far_fd);
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

static int says(const char *text)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(lk, &out, 0);
}

/* Something has come to our end: a datagram, or an error. */
static void comes(void)
{
	struct wait w = wait_none();
	struct pollfd p;

	link_wait(lk, &w);
	p = (struct pollfd){ .fd = w.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	link_ready(lk);
}

static void far_says(const char *bytes, size_t n)
{
	assert_int_equal(sendto(far_fd, bytes, n, 0, (const struct sockaddr *)&peer, sizeof peer), n);
}

static void far_heard(const char *text)
{
	char got[100000];
	socklen_t len = sizeof peer;
	ssize_t n = recvfrom(far_fd, got, sizeof got, 0, (struct sockaddr *)&peer, &len);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void heard(const char *text)
{
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), text));
}

static void one_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(link_recv(lk, &in, 0), 0);
	assert_int_equal(says("$?#3f"), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(says("+"), 0);
	far_heard("$?#3f");
	far_heard("+");
	far_says("+", 1);
	far_says("$T05#b9", 7);
	comes();
	heard("+");
	heard("$T05#b9");
	assert_int_equal(link_recv(lk, &in, 0), 0);
	far_says("x", 1);
	assert_int_equal(link_recv(lk, &in, 0), 0); /* nobody said that there is something */
	comes();
	heard("x");
	assert_int_equal(lk->dropped, 0);
	assert_int_equal(lk->sent, 2);
	assert_int_equal(lk->received, 3);
}

static void too_long_and_empty(void **state)
{
	char much[CEILING + 1];

	(void)state;
	memset(much, 'x', sizeof much);
	assert_int_equal(says("hello"), 0);
	far_heard("hello");
	far_says(much, CEILING + 1);
	far_says("", 0);
	far_says(much, CEILING);
	comes();
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_int_equal(in.len, CEILING);
	assert_int_equal(lk->dropped, 2);
	buf_reset(&out, 0);
	for (int i = 0; i < 70000; i++)
		assert_int_equal(buf_put_u8(&out, 'x'), 0);
	assert_int_equal(link_send(lk, &out, 0), -EMSGSIZE);
	assert_int_equal(says("and on"), 0);
	far_heard("and on");
}

/* Nobody is there, then somebody is: what is said meanwhile is lost, and nothing else. */
static void who_is_not_there(void **state)
{
	(void)state;
	close(far_fd);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(says("hello?"), 0);
		comes();
		if (i % 2)
			assert_int_equal(link_recv(lk, &in, 0), 0);
	}
	assert_in_range(lk->dropped, 4, 10);
	assert_int_equal(says("hello?"), 0);
	comes();
	far_fd = far_end(&at);
	assert_int_equal(says("hello!"), 0); /* the error was about the one before */
	far_heard("hello!");
	far_says("yes", 3);
	comes();
	heard("yes");
}

static void strangers_are_not_heard(void **state)
{
	struct sockaddr_in other = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = far_end(&other);

	(void)state;
	assert_int_equal(says("hello"), 0);
	far_heard("hello");
	assert_int_equal(sendto(fd, "spy", 3, 0, (const struct sockaddr *)&peer, sizeof peer) >= 0 || errno == ECONNREFUSED, 1);
	far_says("me", 2);
	comes();
	heard("me");
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	close(fd);
}

/* A flood of what is passed over does not keep the program. */
static void many_that_are_nothing(void **state)
{
	int turns = 0;

	(void)state;
	assert_int_equal(says("hello"), 0);
	far_heard("hello");
	for (int i = 0; i < 100; i++)
		far_says("", 0);
	far_says("a", 1);
	comes();
	while (link_recv(lk, &in, 0) == 0 && turns < 100)
		turns++;
	assert_in_range(turns, 2, 50);
	assert_true(span_is(buf_span(&in), "a"));
}

static void addresses(void **state)
{
	struct link *other;

	(void)state;
	assert_int_equal(link_udp_dial(&other, "", port), -EINVAL);
	assert_int_equal(link_udp_dial(&other, "127.0.0.1", "0"), -EINVAL);
	assert_int_equal(link_udp_dial(&other, "127.0.0.1", "70000"), -EINVAL);
	assert_int_equal(link_udp_dial(&other, "no.such.name.invalid", "1"), -ENXIO);
	assert_null(other);
	if (link_udp_dial(&other, "localhost", port) == 0) { /* the IPv4 one, also where ::1 is told first */
		buf_reset(&out, 0);
		assert_int_equal(buf_put_text(&out, "by name"), 0);
		assert_int_equal(link_send(other, &out, 0), 0);
		far_heard("by name");
		link_destroy_stack(other);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_at_a_time), CASE(too_long_and_empty), CASE(who_is_not_there), CASE(strangers_are_not_heard), CASE(many_that_are_nothing),
		CASE(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
