/* link_kdnet.c - KDNET: a UDP port that targets dial, and the link to the one that has our key. See link.h.
 *
 * Several targets may share a port: one socket, a link for each, and who reads the socket hands the others what verifies under their keys.
 * So a link waits for two descriptors, the socket and a bell: an epoll descriptor is both. */
#include "backends/link/link.h"

#include "backends/link/kdnet.h"
#include "backends/link/lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 32 /* datagrams that one receive passes over */, QUEUE = 16, RETRY_MS = 2 };

struct datagram {
	struct kdnet_end from;
	size_t len;
	uint8_t bytes[KDNET_DATAGRAM_MAX + 1]; /* longer ones are known by that byte */
};

struct link_kdnet {
	struct link base;       /* first: a struct link * of this kind is a struct link_kdnet * */
	struct kdnet session;   /* is kept out of swap and core dumps */
	struct link_kdnet *next;
	struct port *port;
	int epoll, bell;
	int dead;               /* the -errno it ended with; every later call says the same */
	bool ready;             /* there may be something to read */
	uint64_t retry_at;      /* a send was refused; NEVER: none was */
	struct buf held;        /* came with the beginning of a session, and goes up after it */
	struct buf out;
	struct datagram *queue; /* QUEUE of them, handed over by other links */
	size_t first, queued;
};

struct port {
	struct port *next;
	struct link_kdnet *links;
	int fd;
	struct sockaddr_storage at;
	socklen_t at_len;
	struct datagram rx;
	struct buf nobody;
};

static struct port *ports;
static uint64_t sequence; /* of whatever was sent last, by links that are gone */

static int end(struct link_kdnet *l, int error)
{
	l->dead = -error;
	return l->dead;
}

static bool waits(int error)
{
	return error == EWOULDBLOCK || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

/* --- addresses */

static struct kdnet_end end_of(const struct sockaddr_storage *sa)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
	struct kdnet_end e = { .ip = { [10] = 0xff, [11] = 0xff } };

	if (sa->ss_family == AF_INET) {
		memcpy(e.ip + 12, &v4->sin_addr, sizeof v4->sin_addr);
		e.port = ntohs(v4->sin_port);
		return e;
	}
	memcpy(e.ip, &v6->sin6_addr, sizeof e.ip);
	e.scope = v6->sin6_scope_id;
	e.port = ntohs(v6->sin6_port);
	return e;
}

static socklen_t sockaddr_of(struct sockaddr_storage *sa, const struct kdnet_end *e, int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(e->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(e->port), .sin6_scope_id = e->scope };

	if (family == AF_INET) {
		memcpy(&v4.sin_addr, e->ip + 12, sizeof v4.sin_addr);
		memcpy(sa, &v4, sizeof v4);
		return sizeof v4;
	}
	memcpy(&v6.sin6_addr, e->ip, sizeof e->ip);
	memcpy(sa, &v6, sizeof v6);
	return sizeof v6;
}

/* --- sending */

/* 0; -EAGAIN. What the network has no way for is lost on it, as ever. */
static int put(struct link_kdnet *l, struct span d, const struct kdnet_end *to, uint64_t now)
{
	struct sockaddr_storage sa;
	socklen_t len = sockaddr_of(&sa, to, l->port->at.ss_family);
	ssize_t n = sendto(l->port->fd, d.p, d.len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&sa, len);

	if (n >= 0)
		return 0;
	if (waits(errno)) {
		l->retry_at = now + RETRY_MS;
		return -EAGAIN;
	}
	l->base.dropped++;
	return 0;
}

static int kdnet_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_kdnet *l = (struct link_kdnet *)lk;
	struct kdnet_end to;
	int rc = l->dead ? l->dead : kdnet_seal(&l->session, buf_span(frame), &l->out, &to);

	if (rc)
		return rc == -ENOTCONN ? -EAGAIN : rc;
	rc = put(l, buf_span(&l->out), &to, now);
	return rc ? rc : buf_pull(frame, frame->len);
}

/* --- receiving */

/* What it calls for goes at once; what the network refuses now is asked for again in three seconds. */
static enum kdnet_event take(struct link_kdnet *l, const struct datagram *d, struct buf *in, uint64_t now)
{
	enum kdnet_event ev = kdnet_take(&l->session, &d->from, (struct span){ d->bytes, d->len }, in, now);
	struct kdnet_end to;
	struct span reply;

	if (kdnet_reply(&l->session, &reply, &to) && put(l, reply, &to, now) < 0)
		l->base.dropped++;
	l->base.dropped += ev == KDNET_NOTHING;
	l->base.why = kdnet_words(&l->session);
	return ev;
}

/* Whose is it? NULL: nobody's. */
static struct link_kdnet *owner(const struct port *p, const struct datagram *d)
{
	struct span bytes = { d->bytes, d->len };

	for (int near = 1; near >= 0; near--)
		for (struct link_kdnet *l = p->links; l; l = l->next)
			if (kdnet_is_at(&l->session, &d->from) == (near == 1) && kdnet_knows(&l->session, &d->from, bytes))
				return l;
	return NULL;
}

static void hand_over(struct link_kdnet *l, const struct datagram *d)
{
	struct datagram *to = &l->queue[(l->first + l->queued) % QUEUE];

	if (l->queued == QUEUE) {
		l->base.dropped++;
		return;
	}
	to->from = d->from;
	to->len = d->len;
	memcpy(to->bytes, d->bytes, d->len);
	l->queued++;
	if (eventfd_write(l->bell, 1) < 0)
		l->base.dropped++;
}

/* Nobody can verify it: each learns that something came. */
static void for_nobody(struct port *p, const struct datagram *d, uint64_t now)
{
	for (struct link_kdnet *l = p->links; l; l = l->next)
		(void)take(l, d, &p->nobody, now);
}

static enum kdnet_event sort(struct link_kdnet *l, const struct datagram *d, struct buf *in, uint64_t now)
{
	bool alone = !l->port->links->next;
	struct link_kdnet *whose = alone ? l : owner(l->port, d);

	if (whose == l)
		return take(l, d, in, now);
	if (whose)
		hand_over(whose, d);
	else
		for_nobody(l->port, d, now);
	return KDNET_NOTHING;
}

/* 0 there is one; -EAGAIN; other -errno dead. */
static int read_one(struct link_kdnet *l, struct datagram *d)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof sa;
	ssize_t n = recvfrom(l->port->fd, d->bytes, sizeof d->bytes, MSG_DONTWAIT, (struct sockaddr *)&sa, &len);

	if (n < 0 && !waits(errno))
		return end(l, errno);
	if (n < 0) {
		l->ready = false;
		return -EAGAIN;
	}
	d->from = end_of(&sa);
	d->len = (size_t)n;
	return 0;
}

static const struct datagram *take_queued(struct link_kdnet *l)
{
	const struct datagram *d = &l->queue[l->first];
	eventfd_t rung;

	l->first = (l->first + 1) % QUEUE;
	if (--l->queued == 0 && eventfd_read(l->bell, &rung) < 0)
		l->base.dropped++;
	return d;
}

/* An event, or -errno; -EAGAIN: there is no more. */
static int next(struct link_kdnet *l, struct buf *in, uint64_t now)
{
	int rc;

	if (l->queued)
		return (int)take(l, take_queued(l), in, now);
	if (!l->ready)
		return -EAGAIN;
	rc = read_one(l, &l->port->rx);
	return rc ? rc : (int)sort(l, &l->port->rx, in, now);
}

/* What came with it goes up with the next receive. */
static int begin(struct link_kdnet *l, struct buf *in)
{
	l->base.trip = l->session.trip;
	buf_reset(&l->held, 0);
	if (buf_put_span(&l->held, buf_span(in)) < 0)
		l->base.dropped++;
	buf_reset(in, 0);
	return 1;
}

static int take_held(struct link_kdnet *l, struct buf *in)
{
	int rc = buf_put_span(in, buf_span(&l->held));

	buf_reset(&l->held, 0);
	return rc ? 0 : 1;
}

static int kdnet_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_kdnet *l = (struct link_kdnet *)lk;
	int rc = l->dead ? l->dead : (int)KDNET_NOTHING;

	l->retry_at = NEVER;
	(void)kdnet_watch(&l->session, now);
	l->base.why = kdnet_words(&l->session);
	buf_reset(in, 0);
	if (l->held.len)
		return take_held(l, in);
	for (int turn = 0; turn < TURNS_MAX && rc == (int)KDNET_NOTHING; turn++)
		rc = next(l, in, now);
	if (rc == (int)KDNET_BEGAN)
		return begin(l, in);
	return rc == -EAGAIN ? 0 : rc; /* KDNET_BODY is 1 */
}

static void kdnet_ready(struct link *lk)
{
	((struct link_kdnet *)lk)->ready = true;
}

static void kdnet_wait(const struct link *lk, struct wait *w)
{
	const struct link_kdnet *l = (const struct link_kdnet *)lk;

	w->fd = l->epoll;
	wait_until(w, l->retry_at);
	wait_until(w, kdnet_until(&l->session));
	if (l->held.len)
		wait_until(w, 0);
}

/* --- its life */

static void leave_port(struct link_kdnet *l)
{
	struct link_kdnet **at = &l->port->links;
	struct port **p = &ports;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (l->port->links)
		return;
	while (*p != l->port)
		p = &(*p)->next;
	*p = l->port->next;
	close(l->port->fd);
	buf_fini(&l->port->nobody);
	free(l->port);
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void kdnet_destroy(struct link *lk)
{
	struct link_kdnet *l = (struct link_kdnet *)lk;

	sequence = l->session.sequence > sequence ? l->session.sequence : sequence;
	if (l->port)
		leave_port(l);
	close_if(l->epoll);
	close_if(l->bell);
	kdnet_fini(&l->session);
	buf_fini(&l->held);
	buf_fini(&l->out);
	free(l->queue);
	munmap(l, sizeof *l);
}

static const struct link_ops kdnet_ops = {
	.name = "kdnet", .send = kdnet_send, .recv = kdnet_recv, .ready = kdnet_ready, .wait = kdnet_wait, .destroy = kdnet_destroy,
};

/* Pages of its own: those that are locked. A limit on locked memory is no reason to do without the target. */
static struct link_kdnet *allocate(void)
{
	struct link_kdnet *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (l == MAP_FAILED)
		return NULL;
	if (mlock(l, sizeof *l) < 0 || madvise(l, sizeof *l, MADV_DONTDUMP) < 0)
		errno = 0;
	*l = (struct link_kdnet){ .base = { .ops = &kdnet_ops }, .epoll = -1, .bell = -1, .ready = true, .retry_at = NEVER };
	return l;
}

static int watch(struct link_kdnet *l)
{
	struct epoll_event want = { .events = EPOLLIN };

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll < 0 || l->bell < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->bell, &want) < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->port->fd, &want) < 0)
		return -errno;
	return 0;
}

static int furnish(struct link_kdnet *l)
{
	l->queue = calloc(QUEUE, sizeof *l->queue);
	if (!l->queue || buf_init(&l->held, KDNET_DATAGRAM_MAX) < 0 || buf_init(&l->out, KDNET_DATAGRAM_MAX) < 0)
		return -ENOMEM;
	l->base.why = kdnet_words(&l->session);
	return watch(l);
}

/* Nobody else may have it: two hosts at one port would each get half of a conversation. */
static int bind_port(struct port *p)
{
	int off = 0;

	p->fd = socket(p->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	if (p->at.ss_family == AF_INET6 && setsockopt(p->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
		return -errno;
	return bind(p->fd, (const struct sockaddr *)&p->at, p->at_len) < 0 ? -errno : 0;
}

static int open_port(struct port **to, const struct addrinfo *a)
{
	struct port *p = calloc(1, sizeof *p);
	int rc;

	if (!p)
		return -ENOMEM;
	memcpy(&p->at, a->ai_addr, a->ai_addrlen);
	p->at_len = a->ai_addrlen;
	rc = bind_port(p);
	rc = rc ? rc : buf_init(&p->nobody, KDNET_DATAGRAM_MAX);
	if (rc) {
		close_if(p->fd);
		free(p);
		return rc;
	}
	p->next = ports;
	*to = ports = p;
	return 0;
}

static struct port *find_port(const struct addrinfo *a)
{
	struct port *p = ports;

	while (p && (p->at_len != a->ai_addrlen || memcmp(&p->at, a->ai_addr, a->ai_addrlen) != 0))
		p = p->next;
	return p;
}

static bool has_key(const struct port *p, const struct kdnet_key *key)
{
	for (const struct link_kdnet *l = p->links; l; l = l->next)
		if (kdnet_same(&l->session.key, key, sizeof *key))
			return true;
	return false;
}

static int join(struct link_kdnet *l, const struct addrinfo *a, const struct kdnet_key *key)
{
	struct port *p = find_port(a);
	int rc = !p ? open_port(&p, a) : has_key(p, key) ? -EEXIST : 0;

	if (rc)
		return rc;
	l->port = p;
	l->next = p->links;
	p->links = l;
	return furnish(l);
}

int link_kdnet_open(struct link **lk, const char *host, const char *port, const struct kdnet_key *key)
{
	struct addrinfo *list = NULL;
	struct link_kdnet *l;
	int rc = link_look_up(host, port, SOCK_DGRAM, &list);

	*lk = NULL;
	if (rc)
		return rc;
	l = allocate();
	rc = l ? kdnet_init(&l->session, key, sequence) : -ENOMEM;
	rc = rc ? rc : join(l, list, key);
	freeaddrinfo(list);
	if (!rc)
		*lk = &l->base;
	else if (l)
		kdnet_destroy(&l->base);
	return rc;
}
