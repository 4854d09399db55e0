/* stdio_test.c - two descriptors as one stream, given back as they were. */
#include "backends/link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int to_us[2], from_us[2]; /* pipes: [0] is read */
static struct link *lk;
static struct buf out, in;

static int setup(void **state)
{
	(void)state;
	if (pipe2(to_us, O_CLOEXEC) < 0 || pipe2(from_us, O_CLOEXEC) < 0 || buf_init(&out, 1000000) < 0 || buf_init(&in, 8) < 0)
		return -1;
	lk = link_stdio_new(to_us[0], from_us[1]);
	return lk ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	link_destroy_stack(lk);
	for (int i = 0; i < 2; i++) {
		close(to_us[i]);
		close(from_us[i]);
	}
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

static void client_says(const char *text)
{
	assert_int_equal(write(to_us[1], text, strlen(text)), strlen(text));
}

static void heard(const char *text, uint64_t now)
{
	assert_int_equal(link_recv(lk, &in, now), 1);
	assert_true(span_is(buf_span(&in), text));
}

static void fill(size_t n)
{
	buf_reset(&out, 0);
	assert_true(n <= out.cap);
	memset(out.base, 'q', n);
	out.len = n;
}

static void both_ways(void **state)
{
	char got[8] = "";

	(void)state;
	client_says("12345678abc");
	heard("12345678", 0);
	heard("abc", 0);
	client_says("x");
	assert_int_equal(link_recv(lk, &in, 0), 0);
	link_ready(lk);
	heard("x", 0);
	fill(3);
	assert_int_equal(link_send(lk, &out, 0), 0);
	assert_int_equal(read(from_us[0], got, 8), 3);
	assert_int_equal(waits().fd, to_us[0]);
	assert_false(waits().write);
	close(to_us[1]);
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), -EPIPE);
	assert_int_equal(link_recv(lk, &in, 0), -EPIPE);
	to_us[1] = dup(0);
}

/* While output is full that is what is watched; input is looked at every now and then. */
static void full(void **state)
{
	(void)state;
	assert_int_equal(link_recv(lk, &in, 1000), 0);
	fill(900000);
	assert_int_equal(link_send(lk, &out, 1000), -EAGAIN);
	assert_true(waits().fd == from_us[1] && waits().write && waits().until == 1100);
	client_says("\3");
	assert_int_equal(link_recv(lk, &in, 1050), 0);
	assert_true(waits().fd == to_us[0] && !waits().write && waits().until == NEVER);
	assert_int_equal(link_send(lk, &out, 1050), -EAGAIN);
	heard("\3", 1150);
}

static void one_socket_is_watched_whole(void **state)
{
	int fd[2], second;
	struct link *one;
	struct wait w = wait_none();

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	second = dup(fd[0]);
	one = link_stdio_new(fd[0], second);
	fill(900000);
	assert_int_equal(link_send(one, &out, 5), -EAGAIN);
	link_wait(one, &w);
	assert_true(w.fd == fd[0] && w.write && w.until == NEVER);
	link_destroy_stack(one);
	assert_false(fcntl(fd[0], F_GETFL) & O_NONBLOCK); /* both ends share the flag */
	close(fd[0]);
	close(fd[1]);
	close(second);
}

static void a_reader_that_left(void **state)
{
	(void)state;
	close(from_us[0]);
	fill(3);
	client_says("last");
	assert_int_equal(link_send(lk, &out, 0), -EPIPE);
	heard("last", 0);
	from_us[0] = dup(0);
}

static void given_back(void **state)
{
	(void)state;
	assert_true(fcntl(to_us[0], F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(from_us[1], F_GETFL) & O_NONBLOCK);
	link_destroy_stack(lk);
	assert_false(fcntl(to_us[0], F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(from_us[1], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(to_us[0], F_SETFL, O_NONBLOCK), 0);
	lk = link_stdio_new(to_us[0], from_us[1]);
	link_destroy_stack(lk);
	assert_true(fcntl(to_us[0], F_GETFL) & O_NONBLOCK); /* it was so before */
	lk = link_stdio_new(to_us[0], from_us[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways, setup, teardown), cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(one_socket_is_watched_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_that_left, setup, teardown),
		cmocka_unit_test_setup_teardown(given_back, setup, teardown),
	};

	signal(SIGPIPE, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
