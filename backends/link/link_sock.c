/* link_sock.c - a stream socket, connected or on its way: the bottom of most stacks. See link.h. */
#include "backends/link/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link_sock {
	struct link base; /* first: a struct link * of this kind is a struct link_sock * */
	int fd;
	int dead;        /* the -errno it ended with; every later call says the same */
	bool connecting; /* or not looked at yet */
	bool ready;      /* there may be something to read: the loop said so, or the buffer was too small for all of it */
	bool full;       /* a send was refused since the last receive */
	bool prompt;     /* what comes is acknowledged at once */
};

static int end(struct link_sock *s, int error)
{
	s->dead = -error;
	return s->dead;
}

/* A socket that is still dialling has nothing to say to poll; one whose dialling failed, and whose error somebody
 * has fetched already, hangs up. */
static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* A port of our own machine that nobody listens on can be met by a connection that picks it as its own: the socket is
 * then joined to itself, and would hear what it says. */
static bool is_itself(int fd, const struct sockaddr_storage *peer, socklen_t peer_len)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	return peer->ss_family != AF_UNIX && getsockname(fd, (struct sockaddr *)&own, &len) == 0 && len == peer_len &&
	       !memcmp(&own, peer, len);
}

/* 0: connected; -EAGAIN: not yet; other: it will not be. */
static int finish_connect(struct link_sock *s)
{
	struct sockaddr_storage peer;
	socklen_t error_len = sizeof(int), peer_len = sizeof peer;
	int error = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		error = errno;
	if (error)
		return end(s, error);
	if (getpeername(s->fd, (struct sockaddr *)&peer, &peer_len) < 0)
		return errno == ENOTCONN && !hung_up(s->fd) ? -EAGAIN : end(s, errno);
	if (is_itself(s->fd, &peer, peer_len))
		return end(s, ECONNREFUSED);
	s->connecting = false;
	return 0;
}

/* Is it of use? 0, or as finish_connect. */
static int check(struct link_sock *s)
{
	if (s->dead)
		return s->dead;
	return s->connecting ? finish_connect(s) : 0;
}

static int sock_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_sock *s = (struct link_sock *)lk;
	int rc = check(s);
	ssize_t n;

	(void)now;
	if (rc)
		return rc;
	n = send(s->fd, buf_data(frame), frame->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno == EPIPE)
		return -EPIPE; /* but what the other end said before it left can still be read */
	if (n < 0 && errno != EWOULDBLOCK && errno != EINTR)
		return end(s, errno);
	if (n > 0 && buf_pull(frame, (size_t)n) < 0)
		return end(s, EPROTO);
	s->full = frame->len > 0;
	return s->full ? -EAGAIN : 0;
}

/* Linux forgets it when something is sent. */
static void acknowledge(struct link_sock *s)
{
	static const int on = 1;

	s->prompt = setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on) == 0;
}

/* A short read has emptied the socket; what comes later, the end included, wakes the loop. */
static int sock_read(struct link_sock *s, struct buf *in)
{
	ssize_t n = recv(s->fd, in->base, in->cap, MSG_DONTWAIT);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno != EWOULDBLOCK)
		return end(s, errno);
	if (n == 0)
		return end(s, EPIPE);
	s->ready = n == (ssize_t)in->cap;
	in->len = n < 0 ? 0 : (size_t)n;
	if (n > 0 && s->prompt)
		acknowledge(s);
	return n > 0;
}

static int sock_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_sock *s = (struct link_sock *)lk;
	int rc = check(s);

	(void)now;
	s->full = false;
	buf_reset(in, 0);
	if (rc)
		return rc == -EAGAIN ? 0 : rc;
	return s->ready && in->cap ? sock_read(s, in) : 0;
}

static void sock_ready(struct link *lk)
{
	((struct link_sock *)lk)->ready = true;
}

static void sock_prompt(struct link *lk)
{
	((struct link_sock *)lk)->prompt = true;
}

static void sock_wait(const struct link *lk, struct wait *w)
{
	const struct link_sock *s = (const struct link_sock *)lk;

	w->fd = s->fd;
	w->write |= s->full || s->connecting;
}

static void sock_destroy(struct link *lk)
{
	close(((struct link_sock *)lk)->fd);
	free(lk);
}

static const struct link_ops sock_ops = {
	.name = "sock", .send = sock_send, .recv = sock_recv, .ready = sock_ready, .prompt = sock_prompt, .wait = sock_wait, .destroy = sock_destroy,
};

/* Small packets at once, and a peer whose machine is gone is noticed within a minute. A Unix socket refuses all of
 * this but SO_KEEPALIVE, which does nothing there. */
static void tune(int fd)
{
	static const struct { int level, name, value; } options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },    { SOL_SOCKET, SO_KEEPALIVE, 1 },  { IPPROTO_TCP, TCP_KEEPIDLE, 30 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 }, { IPPROTO_TCP, TCP_KEEPCNT, 3 },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value) < 0)
			continue;
}

struct link *link_sock_new(int fd)
{
	struct link_sock *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	*s = (struct link_sock){ .base = { .ops = &sock_ops }, .fd = fd, .connecting = true, .ready = true };
	tune(fd);
	return &s->base;
}
