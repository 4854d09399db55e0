/* sock_test.c - a stream socket: ready, full, gone; connecting and not connecting. */
#include "backends/link/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct link *lk;
static int far_fd;
static struct buf out, in;

static int setup(void **state)
{
	int fd[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0 || buf_init(&out, 1000000) < 0 || buf_init(&in, 8) < 0)
		return -1;
	far_fd = fd[1];
	lk = link_sock_new(fd[0]);
	return lk ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	link_destroy_stack(lk);
	close(far_fd);
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

static struct wait waits(void)
{
	struct wait w = wait_none();

	link_wait(lk, &w);
	return w;
}

static void far_says(const char *text)
{
	assert_int_equal(send(far_fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void heard(const char *text)
{
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), text));
}

/* Only the first receive, one after a full buffer, and one after ready go to the kernel. */
static void receives_when_it_is_worth_it(void **state)
{
	(void)state;
	far_says("12345678abc");
	heard("12345678");
	heard("abc");
	far_says("more");
	assert_int_equal(link_recv(lk, &in, 0), 0);
	assert_int_equal(in.len, 0);
	link_ready(lk);
	heard("more");
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	far_says("x");
	assert_int_equal(link_recv(lk, &in, 0), 0);
}

static void the_end_stays_the_end(void **state)
{
	(void)state;
	far_says("bye");
	shutdown(far_fd, SHUT_RDWR);
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, "late"), 0);
	assert_int_equal(link_send(lk, &out, 0), -EPIPE); /* and no signal */
	heard("bye");
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), -EPIPE);
	assert_int_equal(link_recv(lk, &in, 0), -EPIPE);
	assert_int_equal(link_send(lk, &out, 0), -EPIPE);
}

static void full_until_the_next_receive(void **state)
{
	static uint8_t big[900000];
	uint8_t drain[4096];
	size_t total = 0;
	ssize_t n;

	(void)state;
	memset(big, 'q', sizeof big);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	assert_false(waits().write);
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, big, sizeof big), 0);
	assert_int_equal(link_send(lk, &out, 0), -EAGAIN);
	assert_in_range(out.len, 1, sizeof big - 1);
	assert_true(waits().write && waits().fd >= 0);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	assert_false(waits().write);
	while (out.len) {
		while ((n = recv(far_fd, drain, sizeof drain, MSG_DONTWAIT)) > 0)
			total += (size_t)n;
		if (link_send(lk, &out, 0) == 0)
			assert_false(waits().write);
	}
	while ((n = recv(far_fd, drain, sizeof drain, MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	assert_int_equal(total, sizeof big);
	assert_int_equal(lk->sent, 1);
}

static int loopback_listener(struct sockaddr_in *at, int backlog)
{
	socklen_t len = sizeof *at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)at, sizeof *at) == 0);
	assert_true(backlog < 0 || listen(fd, backlog) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS);
	return fd;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, 5000), 1);
}

static void tcp_is_tuned(void **state)
{
	struct sockaddr_in at;
	int listener = loopback_listener(&at, 1), fd = dial(&at), peer = accept(listener, NULL, NULL);
	struct link *tcp = link_sock_new(fd);

	(void)state;
	assert_true(tcp && peer >= 0);
	assert_int_equal(link_recv(tcp, &in, 0), 0);
	assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY));
	assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE));
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	link_destroy_stack(tcp);
	close(peer);
	close(listener);
}

/* Who answers what it hears need not acknowledge at once, and Linux does not: it would go with the answer. */
static void tcp_is_prompt_if_told(void **state)
{
	struct sockaddr_in at;
	int listener = loopback_listener(&at, 1), fd = dial(&at);
	struct link *tcp = link_sock_new(fd);

	(void)state;
	close(far_fd);
	far_fd = accept(listener, NULL, NULL);
	assert_true(tcp && far_fd >= 0);
	for (int i = 0; i < 16; i++) {
		char c;

		if (i == 8)
			link_prompt(tcp);
		far_says("+");
		wait_for(fd, POLLIN);
		link_ready(tcp);
		assert_int_equal(link_recv(tcp, &in, 0), 1);
		if (i == 7 || i == 15)
			assert_int_equal(option(fd, IPPROTO_TCP, TCP_QUICKACK), i == 15);
		assert_int_equal(buf_put_text(&out, "$"), 0);
		assert_int_equal(link_send(tcp, &out, 0), 0);
		wait_for(far_fd, POLLIN);
		assert_int_equal(recv(far_fd, &c, 1, 0), 1);
	}
	link_destroy_stack(tcp);
	close(listener);
}

static void reset_by_the_peer(void **state)
{
	struct linger now = { 1, 0 };
	struct sockaddr_in at;
	int listener = loopback_listener(&at, 1), fd = dial(&at), peer = accept(listener, NULL, NULL);
	struct link *tcp = link_sock_new(fd);

	(void)state;
	assert_true(tcp && peer >= 0);
	assert_int_equal(link_recv(tcp, &in, 0), 0);
	assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	close(peer);
	wait_for(fd, POLLIN);
	link_ready(tcp);
	assert_int_equal(link_recv(tcp, &in, 0), -ECONNRESET);
	assert_int_equal(link_recv(tcp, &in, 0), -ECONNRESET);
	assert_int_equal(link_send(tcp, &out, 0), -ECONNRESET);
	link_destroy_stack(tcp);
	close(listener);
}

enum { CROWD = 8 };

static bool is_writable(int fd, int patience)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, patience) > 0;
}

/* A listener whose queue is full leaves a dialled socket without an answer: the last of the crowd. */
static int dial_in_vain(const struct sockaddr_in *to, int crowd[CROWD])
{
	int n = 0;

	for (; n < CROWD; n++) {
		crowd[n] = dial(to);
		if (!is_writable(crowd[n], 50))
			break;
	}
	assert_in_range(n, 1, CROWD - 1);
	return n;
}

/* Its SYN is sent again after a second. */
static void let_in(int listener, int fd)
{
	int accepted[CROWD], n = 0;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 100 && n < CROWD && !is_writable(fd, 100); i++) {
		accepted[n] = accept(listener, NULL, NULL);
		n += accepted[n] >= 0;
	}
	assert_true(is_writable(fd, 0));
	while (n > 0)
		close(accepted[--n]);
}

static void connecting_is_not_now(void **state)
{
	struct sockaddr_in at;
	int listener = loopback_listener(&at, 0), crowd[CROWD], last = dial_in_vain(&at, crowd);
	struct link *tcp = link_sock_new(crowd[last]);
	struct wait w = wait_none();

	(void)state;
	assert_non_null(tcp);
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, "hello"), 0);
	assert_int_equal(link_recv(tcp, &in, 0), 0);
	assert_int_equal(link_send(tcp, &out, 0), -EAGAIN);
	assert_int_equal(out.len, 5);
	assert_int_equal(link_recv(tcp, &in, 0), 0);
	link_wait(tcp, &w);
	assert_true(w.fd == crowd[last] && w.write);
	let_in(listener, crowd[last]);
	assert_int_equal(link_send(tcp, &out, 0), 0);
	w = wait_none();
	link_wait(tcp, &w);
	assert_false(w.write);
	link_destroy_stack(tcp);
	while (last > 0)
		close(crowd[--last]);
	close(listener);
}

static void refused_is_said(void **state)
{
	struct sockaddr_in at;
	int nobody = loopback_listener(&at, -1), fd = dial(&at);
	struct link *tcp = link_sock_new(fd);

	(void)state;
	wait_for(fd, POLLOUT);
	assert_int_equal(link_send(tcp, &out, 0), -ECONNREFUSED);
	assert_int_equal(link_recv(tcp, &in, 0), -ECONNREFUSED);
	link_destroy_stack(tcp);
	close(nobody);
}

/* Somebody else fetched the error: the socket is not "still connecting" for ever. */
static void refused_and_fetched(void **state)
{
	struct sockaddr_in at;
	int nobody = loopback_listener(&at, -1), fd = dial(&at);
	struct link *tcp = link_sock_new(fd);

	(void)state;
	wait_for(fd, POLLOUT);
	assert_int_equal(option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	assert_int_equal(link_recv(tcp, &in, 0), -ENOTCONN);
	link_destroy_stack(tcp);
	close(nobody);
}

static void joined_to_itself(void **state)
{
	struct sockaddr_in at;
	int fd = loopback_listener(&at, -1);
	struct link *tcp;

	(void)state;
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	tcp = link_sock_new(fd);
	assert_int_equal(link_recv(tcp, &in, 0), -ECONNREFUSED);
	assert_int_equal(link_send(tcp, &out, 0), -ECONNREFUSED);
	link_destroy_stack(tcp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(receives_when_it_is_worth_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_stays_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(full_until_the_next_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(tcp_is_tuned, setup, teardown),
		cmocka_unit_test_setup_teardown(tcp_is_prompt_if_told, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_the_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(connecting_is_not_now, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_and_fetched, setup, teardown),
		cmocka_unit_test_setup_teardown(joined_to_itself, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
