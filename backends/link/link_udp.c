/* link_udp.c - datagrams to and from one far end: kgdboe, iPXE. See link.h.
 *
 * A connected socket hears that end alone, and what ICMP says of it: an error of whatever call comes next. That a port is closed
 * now says nothing about later, so such errors are passed over. */
#include "backends/link/link.h"

#include "backends/link/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 16 }; /* errors and datagrams too long that one receive passes over */

struct link_udp {
	struct link base; /* first: a struct link * of this kind is a struct link_udp * */
	int fd;
	int dead;   /* the -errno it ended with; every later call says the same */
	bool ready; /* there may be something to read */
	bool full;  /* a send was refused since the last receive */
};

static int end(struct link_udp *u, int error)
{
	u->dead = -error;
	return u->dead;
}

/* What the network says of the way there, and of who is at its end. */
static bool is_icmp(int error)
{
	static const int errors[] = {
		ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, ENOPROTOOPT, EOPNOTSUPP, EPROTO, ENONET, EACCES, ETIMEDOUT,
	};

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i] == error)
			return true;
	return false;
}

/* An error that was waiting is told instead of sending, once; one that comes again is the way there, and the frame is lost. */
static int udp_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_udp *u = (struct link_udp *)lk;
	ssize_t n = -1;

	(void)now;
	if (u->dead)
		return u->dead;
	errno = ECONNREFUSED;
	for (int turn = 0; turn < 2 && n < 0 && is_icmp(errno); turn++) {
		n = send(u->fd, buf_data(frame), frame->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		lk->dropped += n < 0 && is_icmp(errno);
	}
	u->full = n < 0 && (errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS);
	if (u->full)
		return -EAGAIN;
	if (n < 0 && !is_icmp(errno))
		return errno == EMSGSIZE ? -EMSGSIZE : end(u, errno);
	return buf_pull(frame, frame->len);
}

/* 1 a datagram; 0 nothing now; -EAGAIN one that was passed over; other -errno dead. */
static int read_one(struct link_udp *u, struct buf *in)
{
	ssize_t n = recv(u->fd, in->base, in->cap, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
		u->ready = errno == EINTR;
		return 0;
	}
	if (n < 0 && !is_icmp(errno))
		return end(u, errno);
	if (n <= 0 || (size_t)n > in->cap) {
		u->base.dropped++;
		return -EAGAIN;
	}
	in->len = (size_t)n;
	return 1;
}

static int udp_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_udp *u = (struct link_udp *)lk;
	int rc = u->dead ? u->dead : -EAGAIN;

	(void)now;
	u->full = false;
	buf_reset(in, 0);
	for (int turn = 0; turn < TURNS_MAX && rc == -EAGAIN && u->ready && in->cap; turn++)
		rc = read_one(u, in);
	return rc == -EAGAIN ? 0 : rc;
}

static void udp_ready(struct link *lk)
{
	((struct link_udp *)lk)->ready = true;
}

static void udp_wait(const struct link *lk, struct wait *w)
{
	const struct link_udp *u = (const struct link_udp *)lk;

	w->fd = u->fd;
	w->write |= u->full;
}

static void udp_destroy(struct link *lk)
{
	close(((struct link_udp *)lk)->fd);
	free(lk);
}

static const struct link_ops udp_ops = {
	.name = "udp", .send = udp_send, .recv = udp_recv, .ready = udp_ready, .wait = udp_wait, .destroy = udp_destroy,
};

/* A port of our own machine that nobody has can be the one that our own socket is given: it would hear itself. */
static bool is_itself(int fd, const struct addrinfo *to)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	return getsockname(fd, (struct sockaddr *)&own, &len) == 0 && len == to->ai_addrlen && !memcmp(&own, to->ai_addr, len);
}

static int dial(struct link **lk, const struct addrinfo *to)
{
	struct link_udp *u = calloc(1, sizeof *u);
	int rc;

	if (!u)
		return -ENOMEM;
	*u = (struct link_udp){ .base = { .ops = &udp_ops }, .ready = true };
	u->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = u->fd < 0 || connect(u->fd, to->ai_addr, to->ai_addrlen) < 0 ? -errno : is_itself(u->fd, to) ? -ECONNREFUSED : 0;
	if (!rc) {
		*lk = &u->base;
		return 0;
	}
	if (u->fd >= 0)
		close(u->fd);
	free(u);
	return rc;
}

/* There is no refusal that would tell one address from the next: a machine that is debugged so speaks IPv4. */
int link_udp_dial(struct link **lk, const char *host, const char *port)
{
	struct addrinfo *list = NULL, *to;
	int rc = link_look_up(host, port, SOCK_DGRAM, &list);

	*lk = NULL;
	if (rc)
		return rc;
	for (to = list; to && to->ai_family != AF_INET;)
		to = to->ai_next;
	rc = dial(lk, to ? to : list);
	freeaddrinfo(list);
	return rc;
}
