/* telnet_talk.c - the telnet link alone with a real server: standard input and output are its line, SIGUSR1 is the break.
 *
 *	telnet-talk PORT [BAUD BITS PARITY STOPS]    PORT of 127.0.0.1; with a mode, an RFC 2217 port
 *
 * Ends with the line, and says why. */
#include "backends/link/link.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t wanted;

static void on_signal(int number)
{
	(void)number;
	wanted = 1;
}

static int fails(const struct link *lk, int rc)
{
	fprintf(stderr, "%s\n", link_why(lk) ? link_why(lk) : strerror(-rc));
	return 1;
}

static int all_out(const struct buf *in)
{
	return write(STDOUT_FILENO, buf_data(in), in->len) == (ssize_t)in->len ? 0 : -EPIPE;
}

/* One turn: what has come, then what is to go. 0, or -errno. */
static int turn(struct link *lk, struct buf *in, struct buf *out)
{
	int rc;

	while ((rc = link_recv(lk, in, clock_ms())) == 1)
		if (all_out(in) < 0)
			return -EPIPE;
	if (!rc && wanted) {
		rc = link_attention(lk, clock_ms());
		wanted = rc == -EAGAIN;
	}
	if ((!rc || rc == -EAGAIN) && out->len)
		rc = link_send(lk, out, clock_ms());
	return rc == -EAGAIN ? 0 : rc;
}

static int patience(uint64_t until)
{
	uint64_t now = clock_ms();

	return until == NEVER || until > now + 100 ? 100 : until <= now ? 0 : (int)(until - now);
}

/* False: there is nothing more to say. */
static bool listen_to(struct link *lk, struct buf *out)
{
	struct wait w = wait_none();
	struct pollfd p[2];
	ssize_t n = 1;

	link_wait(lk, &w);
	p[0] = (struct pollfd){ .fd = w.fd, .events = (short)(POLLIN | (w.write ? POLLOUT : 0)) };
	p[1] = (struct pollfd){ .fd = out->len ? -1 : STDIN_FILENO, .events = POLLIN };
	if (poll(p, 2, patience(w.until)) > 0 && p[0].revents)
		link_ready(lk);
	else if (p[1].revents) {
		buf_reset(out, 0);
		n = read(STDIN_FILENO, out->base, out->cap);
		out->len = n > 0 ? (size_t)n : 0;
	}
	return n > 0;
}

int main(int argc, char **argv)
{
	struct serial_mode mode = { 0 };
	struct buf in, out;
	struct link *lk, *tcp;
	int rc = argc == 2 || argc == 6 ? link_tcp_dial(&tcp, "127.0.0.1", argv[1]) : -EINVAL;

	if (rc || buf_init(&in, 4096) < 0 || buf_init(&out, 4096) < 0)
		return 2;
	if (argc == 6)
		mode = (struct serial_mode){ (unsigned)atoi(argv[2]), (uint8_t)atoi(argv[3]), argv[4][0], (uint8_t)atoi(argv[5]), false };
	lk = link_telnet_new(tcp, argc == 6 ? &mode : NULL);
	signal(SIGUSR1, on_signal);
	do
		rc = turn(lk, &in, &out);
	while (!rc && listen_to(lk, &out));
	rc = rc ? fails(lk, rc) : 0;
	link_destroy_stack(lk);
	buf_fini(&in);
	buf_fini(&out);
	return rc;
}
