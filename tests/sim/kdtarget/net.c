/* net.c - see net.h. */
#include "tests/sim/kdtarget/net.h"

#include "tests/sim/kdtarget/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POKE = 344, NONCE_AT = 2, OWN_AT = 34, HOST_AT = 52, PEER_AT = 70, CHECK = 12, CHECK_ADDRESS = 8, POKE_STEP = 3, AT_ONCE = 64 };

/* --- the socket */

/* The own address, where none is told, is the one that the way to the host begins at. */
static int find_own(struct net *n)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;
	int fd, rc;

	n->own.sin_family = AF_INET;
	if (n->own.sin_addr.s_addr)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rc = fd < 0 || connect(fd, (struct sockaddr *)&n->host, sizeof n->host) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0 ? -1 : 0;
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		n->own.sin_addr = a.sin_addr;
	return rc;
}

static int bind_to(struct net *n, in_port_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = n->own.sin_addr, .sin_port = port };
	socklen_t len = sizeof a;

	n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0 || bind(n->fd, (struct sockaddr *)&a, len) < 0 || getsockname(n->fd, (struct sockaddr *)&a, &len) < 0)
		return -1;
	if (!n->own.sin_port)
		n->own.sin_port = a.sin_port;
	return 0;
}

int net_open(struct net *n)
{
	n->in.seed = n->seed * 2 + 1;
	n->out.seed = n->seed * 2 + 2;
	return find_own(n) < 0 || bind_to(n, n->own.sin_port) < 0 ? -1 : 0;
}

void net_close(struct net *n)
{
	if (n->on)
		close(n->fd);
}

int net_rebind(struct net *n)
{
	close(n->fd);
	return bind_to(n, 0);
}

static void put_out(void *to, const struct datagram *d)
{
	const struct net *n = to;

	if (sendto(n->fd, d->bytes, d->n, 0, (const struct sockaddr *)&d->who, sizeof d->who) < 0 && errno != EAGAIN && errno != ECONNREFUSED)
		perror("kdtarget: sendto");
}

static void send_sealed(struct net *n, enum seal_channel channel, uint64_t sequence, const void *body, size_t len, uint64_t now)
{
	struct seal_meta m = { n->version, (uint8_t)channel, false, sequence };
	struct passage out = { put_out, n };
	struct datagram d = { .who = channel == SEAL_CONTROL ? n->host : n->peer };

	d.n = seal_close(&n->keys, &m, body, len, d.bytes);
	faults_pass(&n->out, &d, now, &out);
}

/* --- pokes */

static void put_endpoint(uint8_t *to, const struct sockaddr_in *a)
{
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &a->sin_addr, 4);
	memcpy(to + 16, &a->sin_port, 2);
}

/* A number of 256 bits, little-endian. */
static void next_nonce(struct net *n)
{
	memmove(n->recent[1], n->recent[0], sizeof n->recent - sizeof n->recent[0]);
	for (size_t i = 0; i < NET_NONCE && ++n->nonce[i] == 0; i++)
		;
	memcpy(n->recent[0], n->nonce, NET_NONCE);
}

static void poke(struct net *n, uint64_t now)
{
	static const struct sockaddr_in nobody;
	uint8_t body[POKE] = { 1, 1 };

	next_nonce(n);
	memcpy(body + NONCE_AT, n->nonce, NET_NONCE);
	put_endpoint(body + OWN_AT, &n->own);
	put_endpoint(body + HOST_AT, &n->host);
	put_endpoint(body + PEER_AT, n->joined ? &n->peer : &nobody);
	n->poke_sequence += POKE_STEP;
	n->next_poke = now + n->poke_ms;
	n->pokes++;
	send_sealed(n, SEAL_CONTROL, n->poke_sequence, body, sizeof body, now);
}

static void shake(struct net *n)
{
	if (!n->seed) {
		if (getrandom(n->nonce, NET_NONCE, 0) != NET_NONCE)
			perror("kdtarget: getrandom");
		return;
	}
	for (size_t i = 0; i < NET_NONCE; i++)
		n->nonce[i] = (uint8_t)(++n->seed * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

void net_boot(struct net *n, uint64_t now)
{
	n->joined = n->renewed = false;
	memset(n->keys.data, 0, sizeof n->keys.data);
	memset(n->recent, 0, sizeof n->recent);
	n->poke_sequence = n->sent_sequence = n->heard_sequence = 0;
	n->waiting = 0;
	shake(n);
	n->next_poke = now;
}

/* --- what a host says */

static bool recent(const struct net *n, const uint8_t *nonce)
{
	for (size_t i = 0; i < NET_RECENT; i++)
		if (memcmp(n->recent[i], nonce, NET_NONCE) == 0)
			return true;
	return false;
}

static void check_connection(struct net *n, uint64_t now)
{
	uint8_t body[CHECK] = { 0 };

	put(body + CHECK_ADDRESS, 4, ntohl(n->peer.sin_addr.s_addr));
	net_send(n, body, sizeof body, now);
}

/* The hazard: it does this for a host that it already has, too, and forgets what it heard. Under the same key it only counts on itself. */
static void accept_answer(struct net *n, const struct datagram *d, const uint8_t *body, uint64_t now)
{
	uint8_t before[SEAL_KEY];

	memcpy(before, n->keys.data, SEAL_KEY);
	seal_agree(&n->keys, body);
	if (memcmp(before, n->keys.data, SEAL_KEY) != 0)
		n->sent_sequence = 0;
	n->heard_sequence = 0;
	n->peer = d->who;
	n->joined = n->renewed = true;
	n->sessions++;
	check_connection(n, now);
}

static void on_control(struct net *n, const struct datagram *d, const uint8_t *body, size_t len, uint64_t now)
{
	if (len == 0) {
		n->asked++;
		poke(n, now);
	} else if (len == SEAL_RESPONSE && body[0] == 1 && body[1] == 2 && recent(n, body + NONCE_AT)) {
		accept_answer(n, d, body, now);
	} else {
		n->drops[NET_NO_ANSWER]++;
	}
}

static void on_data(struct net *n, uint64_t sequence, const uint8_t *body, size_t len)
{
	struct net_body *b = &n->queue[(n->head + n->waiting) % NET_QUEUE];

	if (sequence <= n->heard_sequence) {
		n->drops[NET_OLD]++;
		return;
	}
	n->heard_sequence = sequence;
	if (n->waiting == NET_QUEUE || len > sizeof b->bytes || len == 0) {
		n->drops[NET_TOO_MANY]++;
		return;
	}
	n->heard++;
	n->waiting++;
	b->n = len;
	memcpy(b->bytes, body, len);
}

/* NET_DROPS: it is good. */
static enum net_drop refusal(const struct net *n, const struct seal_meta *m, int len)
{
	if (len == SEAL_SHAPE)
		return NET_BAD_SHAPE;
	if (len == SEAL_TAG || (m->channel == SEAL_DATA && !n->joined))
		return NET_BAD_TAG;
	if (m->version != n->version)
		return NET_BAD_VERSION;
	return m->from_host ? NET_DROPS : NET_NOT_OF_HOST;
}

struct arrival {
	struct net *n;
	uint64_t now;
};

static void take_in(void *to, const struct datagram *d)
{
	const struct arrival *a = to;
	uint8_t body[SEAL_DATAGRAM];
	struct seal_meta m = { 0 };
	int len = seal_open(&a->n->keys, d->bytes, d->n, &m, body);
	enum net_drop why = refusal(a->n, &m, len);

	if (why != NET_DROPS)
		a->n->drops[why]++;
	else if (m.channel == SEAL_CONTROL)
		on_control(a->n, d, body, (size_t)len, a->now);
	else
		on_data(a->n, m.sequence, body, (size_t)len);
}

void net_fill(struct net *n, uint64_t now)
{
	struct arrival a = { n, now };
	struct passage in = { take_in, &a };
	struct datagram d;

	for (int i = 0; i < AT_ONCE; i++) {
		socklen_t len = sizeof d.who;
		ssize_t got = recvfrom(n->fd, d.bytes, sizeof d.bytes, 0, (struct sockaddr *)&d.who, &len);

		if (got < 0)
			return;
		d.n = (size_t)got;
		faults_pass(&n->in, &d, now, &in);
	}
}

const struct net_body *net_take(struct net *n)
{
	const struct net_body *b = &n->queue[n->head];

	if (!n->waiting)
		return NULL;
	n->head = (n->head + 1) % NET_QUEUE;
	n->waiting--;
	return b;
}

void net_send(struct net *n, const void *body, size_t len, uint64_t now)
{
	if (n->joined)
		send_sealed(n, SEAL_DATA, ++n->sent_sequence, body, len, now);
}

/* --- time */

static uint64_t first_due(const struct net *n)
{
	uint64_t due = n->next_poke;

	if (n->in.held.n && n->in.held_until < due)
		due = n->in.held_until;
	return n->out.held.n && n->out.held_until < due ? n->out.held_until : due;
}

int net_due_in(const struct net *n, uint64_t now)
{
	uint64_t due = first_due(n);

	return due > now ? (int)(due - now) : 0;
}

void net_tick(struct net *n, uint64_t now)
{
	struct arrival a = { n, now };

	faults_tick(&n->in, now, &(struct passage){ take_in, &a });
	faults_tick(&n->out, now, &(struct passage){ put_out, n });
	if (now >= n->next_poke)
		poke(n, now);
}

void net_tell(const struct net *n, char *text, size_t room)
{
	static const char *const names[NET_DROPS] = { "shape", "tag", "version", "direction", "old", "answer", "full" };
	int at = snprintf(text, room, "net joined=%d sessions=%lu pokes=%lu asked=%lu heard=%lu sent=%llu port=%u", n->joined, n->sessions,
			  n->pokes, n->asked, n->heard, (unsigned long long)n->sent_sequence, (unsigned)ntohs(n->own.sin_port));

	if (at > 0 && (size_t)at < room)
		at += snprintf(text + at, room - (size_t)at, " lost=%lu doubled=%lu late=%lu", n->in.lost + n->out.lost, n->in.doubled + n->out.doubled,
			       n->in.late + n->out.late);
	for (size_t i = 0; i < NET_DROPS && at > 0 && (size_t)at < room; i++)
		at += snprintf(text + at, room - (size_t)at, " %s=%lu", names[i], n->drops[i]);
}
