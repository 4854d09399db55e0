/* kdnet_link_test.c - KDNET over loopback: targets that dial a port, two on one, what has no session, who else has the port. */
#include "backends/link/link.h"

#include "tests/backends/link/kdnet_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* A machine: its socket, the link that waits for it. */
static struct machine {
	struct kt t;
	int fd;
	struct link *lk;
	struct buf in;
} a, b;

static char port[8];
static struct sockaddr_in at;
static struct buf out;

/* A port of the kernel's choice, free a moment ago. */
static void choose_port(void)
{
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
}

static void boot(struct machine *m, const char *key)
{
	kt_init(&m->t, key, 5);
	m->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(m->fd >= 0 && connect(m->fd, (const struct sockaddr *)&at, sizeof at) == 0);
	assert_int_equal(buf_init(&m->in, KDNET_DATAGRAM_MAX), 0);
	assert_int_equal(link_kdnet_open(&m->lk, "127.0.0.1", port, &m->t.key), 0);
}

static int setup(void **state)
{
	(void)state;
	choose_port();
	boot(&a, "8.8.8.8");
	boot(&b, "1.2.3.4");
	return buf_init(&out, KDNET_DATAGRAM_MAX);
}

static void halt(struct machine *m)
{
	link_destroy_stack(m->lk);
	m->lk = NULL;
	kt_fini(&m->t);
	close(m->fd);
	buf_fini(&m->in);
}

static int teardown(void **state)
{
	(void)state;
	halt(&a);
	halt(&b);
	buf_fini(&out);
	return 0;
}

static void tells(struct machine *m, struct span d)
{
	assert_int_equal(send(m->fd, d.p, d.len, 0), d.len);
}

/* As the loop does: until the link's descriptor wakes. */
static void wakes(struct machine *m)
{
	struct wait w = wait_none();
	struct pollfd p;

	link_wait(m->lk, &w);
	p = (struct pollfd){ .fd = w.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	link_ready(m->lk);
}

static int receives(struct machine *m)
{
	wakes(m);
	return link_recv(m->lk, &m->in, 0);
}

static struct span datagram(struct machine *m)
{
	static uint8_t room[KT_MAX];
	struct pollfd p = { .fd = m->fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&p, 1, 5000), 1);
	n = recv(m->fd, room, sizeof room, 0);
	assert_true(n > 0);
	return (struct span){ room, (size_t)n };
}

static int says(struct machine *m, const char *text)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(m->lk, &out, 0);
}

static void attaches(struct machine *m)
{
	tells(m, kt_poke(&m->t));
	assert_int_equal(receives(m), 0);
	assert_true(kt_accept(&m->t, datagram(m)));
	tells(m, kt_check(&m->t));
	assert_int_equal(receives(m), 1);
	assert_int_equal(m->in.len, 0);
}

static void heard(struct machine *m, const char *text)
{
	assert_int_equal(receives(m), 1);
	assert_true(span_is(buf_span(&m->in), text));
}

static void talks(struct machine *m)
{
	assert_int_equal(says(m, "a packet"), 0);
	assert_int_equal(out.len, 0);
	assert_true(kt_hear(&m->t, datagram(m)));
	assert_int_equal(m->t.got_len, 8);
	tells(m, kt_data(&m->t, span_of("an answer")));
	heard(m, "an answer");
}

static void one_target(void **state)
{
	(void)state;
	link_destroy_stack(b.lk);
	b.lk = NULL;
	assert_int_equal(says(&a, "too early"), -EAGAIN);
	assert_int_equal(out.len, 9);
	assert_non_null(strstr(link_why(a.lk), "no datagram"));
	attaches(&a);
	assert_null(link_why(a.lk));
	talks(&a);
	kt_boot(&a.t, 5);
	attaches(&a);
	talks(&a);
	assert_int_equal(link_recv(a.lk, &a.in, 0), 0);
}

/* Whichever is woken, each gets its own, in order. */
static void two_on_a_port(void **state)
{
	(void)state;
	attaches(&a);
	attaches(&b);
	for (int i = 0; i < 5; i++) {
		talks(&a);
		talks(&b);
	}
	for (int i = 0; i < 10; i++)
		tells(&b, kt_data(&b.t, span_of("one of many")));
	tells(&a, kt_data(&a.t, span_of("for a")));
	heard(&a, "for a");
	for (int i = 0; i < 10; i++)
		heard(&b, "one of many");
	link_ready(a.lk);
	assert_int_equal(link_recv(a.lk, &a.in, 0) + link_recv(b.lk, &b.in, 0), 0);
}

/* What one link has handed to another wakes it, though the socket is empty. */
static void the_bell(void **state)
{
	struct wait w = wait_none();
	struct pollfd p;

	(void)state;
	attaches(&a);
	attaches(&b);
	tells(&b, kt_data(&b.t, span_of("for b")));
	assert_int_equal(receives(&a), 0);
	heard(&b, "for b");
	link_wait(b.lk, &w);
	p = (struct pollfd){ .fd = w.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 0), 0);
}

/* More than is kept is lost, and no more than that. */
static void a_full_queue(void **state)
{
	int got = 0;

	(void)state;
	attaches(&a);
	attaches(&b);
	for (int i = 0; i < 40; i++)
		tells(&b, kt_data(&b.t, span_of("much")));
	tells(&a, kt_data(&a.t, span_of("for a")));
	while (receives(&a) == 0)
		continue;
	assert_true(span_is(buf_span(&a.in), "for a"));
	link_ready(b.lk);
	while (link_recv(b.lk, &b.in, 0) == 1)
		got++;
	assert_int_equal(got, 16);
	assert_int_equal(b.lk->dropped, 40 - 16 + 2 /* its poke, and the check */ - 1);
	talks(&b);
}

static void the_first_packet_comes_after_the_beginning(void **state)
{
	(void)state;
	tells(&a, kt_poke(&a.t));
	assert_int_equal(receives(&a), 0);
	assert_true(kt_accept(&a.t, datagram(&a)));
	tells(&a, kt_data(&a.t, span_of("no check before me")));
	assert_int_equal(receives(&a), 1);
	assert_int_equal(a.in.len, 0);
	assert_int_equal(link_recv(a.lk, &a.in, 0), 1);
	assert_true(span_is(buf_span(&a.in), "no check before me"));
	assert_int_equal(link_recv(a.lk, &a.in, 0), 0);
}

static void what_is_nobodys(void **state)
{
	static uint8_t big[6000];
	struct kt stranger;

	(void)state;
	kt_init(&stranger, "a.b.c.d", 5);
	tells(&a, (struct span){ 0 });
	tells(&a, span_of("MDBG"));
	tells(&a, (struct span){ big, sizeof big });
	assert_int_equal(receives(&a), 0);
	assert_non_null(strstr(link_why(a.lk), "not KDNET"));
	assert_non_null(strstr(link_why(b.lk), "not KDNET"));
	tells(&a, kt_poke(&stranger));
	assert_int_equal(receives(&a), 0);
	assert_non_null(strstr(link_why(a.lk), "not of this key"));
	assert_non_null(strstr(link_why(b.lk), "not of this key"));
	attaches(&a);
	assert_non_null(strstr(link_why(b.lk), "not of this key"));
	kt_fini(&stranger);
}

/* A debugger that was here before is gone: the target is asked to poke. */
static void a_plea(void **state)
{
	uint64_t seq;

	(void)state;
	halt(&b);
	tells(&a, kt_data(&a.t, span_of("hello?")));
	assert_int_equal(receives(&a), 0);
	assert_true(kt_open(&a.t, datagram(&a), &seq));
	assert_int_equal(a.t.got_len, 0);
	attaches(&a);
	talks(&a);
	boot(&b, "1.2.3.4");
}

static void opened_again(void **state)
{
	uint64_t before = 0;

	(void)state;
	attaches(&a);
	talks(&a);
	before = a.t.heard_seq;
	link_destroy_stack(a.lk);
	assert_int_equal(link_kdnet_open(&a.lk, "127.0.0.1", port, &a.t.key), 0);
	attaches(&a);
	talks(&a);
	assert_true(a.t.heard_seq > before);
}

static void whose_is_the_port(void **state)
{
	struct kdnet_key third = { .bytes = { 3 } };
	struct link *lk;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(link_kdnet_open(&lk, "127.0.0.1", port, &a.t.key), -EEXIST);
	assert_null(lk);
	assert_int_equal(link_kdnet_open(&lk, "0.0.0.0", port, &third), -EADDRINUSE);
	assert_null(lk);
	assert_int_equal(link_kdnet_open(&lk, "192.0.2.1", port, &third), -EADDRNOTAVAIL);
	assert_int_equal(link_kdnet_open(&lk, "127.0.0.1", "0", &third), -EINVAL);
	assert_int_equal(link_kdnet_open(&lk, "127.0.0.1", port, &third), 0);
	link_destroy_stack(lk);
	halt(&a);
	halt(&b);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	close(fd);
	boot(&a, "8.8.8.8");
	boot(&b, "1.2.3.4");
}

/* An IPv6 port hears IPv4, too. */
static void both_families(void **state)
{
	(void)state;
	link_destroy_stack(a.lk);
	link_destroy_stack(b.lk);
	b.lk = NULL;
	if (link_kdnet_open(&a.lk, "::", port, &a.t.key) < 0) {
		a.lk = NULL;
		print_message("[  SKIPPED ] there is no IPv6 here\n");
		skip();
	}
	attaches(&a);
	talks(&a);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_target), CASE(two_on_a_port), CASE(the_bell), CASE(a_full_queue), CASE(the_first_packet_comes_after_the_beginning),
		CASE(what_is_nobodys), CASE(a_plea), CASE(opened_again), CASE(whose_is_the_port), CASE(both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
