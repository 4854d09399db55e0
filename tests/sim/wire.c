/* wire.c - see wire.h. */
#include "tests/sim/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void wire_open(struct wire *w, int fd)
{
	w->fd = fd;
	w->head = w->tail = w->n = w->sent = 0;
}

int wire_fill(struct wire *w)
{
	ssize_t got;

	if (w->head) {
		memmove(w->in, w->in + w->head, w->tail - w->head);
		w->tail -= w->head;
		w->head = 0;
	}
	got = recv(w->fd, w->in + w->tail, sizeof w->in - w->tail, MSG_DONTWAIT);
	if (got > 0)
		w->tail += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		return -1;
	return got > 0;
}

static enum wire_item take(struct wire *w, enum wire_item what, size_t skip, size_t n, size_t all)
{
	w->at = w->in + w->head + skip;
	w->n = n;
	w->head += all;
	return what;
}

static int digit(uint8_t c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

static enum wire_item take_frame(struct wire *w)
{
	const uint8_t *from = w->in + w->head, *end = memchr(from, '#', w->tail - w->head);
	size_t n = end ? (size_t)(end - from) : 0;
	uint8_t sum = 0;

	if (!end && w->tail - w->head >= sizeof w->in / 2)
		return take(w, WIRE_TOOLONG, 0, w->tail - w->head, w->tail - w->head);
	if (!end || w->tail - w->head < n + 3)
		return WIRE_NOTHING;
	for (size_t i = 1; i < n; i++)
		sum = (uint8_t)(sum + from[i]);
	if (digit(end[1]) * 16 + digit(end[2]) != sum || digit(end[2]) < 0)
		return take(w, WIRE_BADSUM, 1, n - 1, n + 3);
	return take(w, WIRE_PACKET, 1, n - 1, n + 3);
}

static bool means_something(uint8_t c)
{
	return c == '$' || c == '+' || c == '-' || c == 3;
}

static enum wire_item take_noise(struct wire *w)
{
	size_t n = 0;

	while (w->head + n < w->tail && !means_something(w->in[w->head + n]))
		n++;
	return take(w, WIRE_NOISE, 0, n, n);
}

enum wire_item wire_next(struct wire *w)
{
	if (w->head == w->tail)
		return WIRE_NOTHING;
	switch (w->in[w->head]) {
	case '$':
		return take_frame(w);
	case '+':
		return take(w, WIRE_ACK, 0, 1, 1);
	case '-':
		return take(w, WIRE_NAK, 0, 1, 1);
	case 3:
		return take(w, WIRE_BREAK, 0, 1, 1);
	}
	return take_noise(w);
}

int wire_send_bytes(struct wire *w, const void *bytes, size_t n)
{
	struct pollfd room = { .fd = w->fd, .events = POLLOUT };
	size_t done = 0;

	while (done < n) {
		ssize_t sent = send(w->fd, (const char *)bytes + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (sent < 0)
			poll(&room, 1, 100);
		else
			done += (size_t)sent;
	}
	return 0;
}

/* How many of the same byte, of at most 97 more, may be said by one count: the count must not be a framing character. */
static size_t run_of(const uint8_t *p, size_t n)
{
	size_t same = 1;

	while (same < n && same < 98 && p[same] == p[0])
		same++;
	while (same > 3 && strchr("#$*+-", (int)(same - 1 + 29)))
		same--;
	return same;
}

static size_t put_runs(uint8_t *to, const uint8_t *p, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n;) {
		size_t same = run_of(p + i, n - i);

		to[len++] = p[i];
		if (same > 3) {
			to[len++] = '*';
			to[len++] = (uint8_t)(same - 1 + 29);
		}
		i += same > 3 ? same : 1;
	}
	return len;
}

int wire_send(struct wire *w, const void *body, size_t n, bool run_length)
{
	uint8_t sum = 0;
	char tail[4];
	size_t len = 1;

	if (n > sizeof w->out - 4)
		abort();
	w->out[0] = '$';
	if (run_length)
		len += put_runs(w->out + 1, body, n);
	else
		len += (size_t)((uint8_t *)mempcpy(w->out + 1, body, n) - (w->out + 1));
	for (size_t i = 1; i < len; i++)
		sum = (uint8_t)(sum + w->out[i]);
	snprintf(tail, sizeof tail, "#%02x", (unsigned)sum);
	memcpy(w->out + len, tail, 3);
	w->sent = len + 3;
	return wire_send_bytes(w, w->out, w->sent);
}

int wire_send_again(struct wire *w)
{
	return wire_send_bytes(w, w->out, w->sent);
}

union any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_un un;
};

static socklen_t address_of(const char *text, union any *a)
{
	const char *port = strrchr(text, ':');

	memset(a, 0, sizeof *a);
	if (strncmp(text, "unix:", 5) == 0) {
		a->un.sun_family = AF_UNIX;
		snprintf(a->un.sun_path, sizeof a->un.sun_path, "%.100s", text + 5);
		return sizeof a->un;
	}
	if (strncmp(text, "tcp:127.0.0.1:", 14) != 0)
		return 0;
	a->in.sin_family = AF_INET;
	a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->in.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
	return sizeof a->in;
}

static int open_socket(const union any *a)
{
	int one = 1, fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && a->sa.sa_family == AF_INET) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
	}
	return fd;
}

int wire_listen(char *text, size_t size)
{
	union any a;
	socklen_t n = address_of(text, &a);
	int fd = n ? open_socket(&a) : -1;

	if (fd < 0)
		return -1;
	if (a.sa.sa_family == AF_UNIX)
		unlink(a.un.sun_path);
	if (bind(fd, &a.sa, n) < 0 || listen(fd, 16) < 0)
		return -1;
	if (a.sa.sa_family == AF_INET) {
		getsockname(fd, &a.sa, &n);
		snprintf(text, size, "tcp:127.0.0.1:%u", (unsigned)ntohs(a.in.sin_port));
	}
	return fd;
}

int wire_dial(const char *text)
{
	union any a;
	socklen_t n = address_of(text, &a);
	int fd = n ? open_socket(&a) : -1;

	if (fd >= 0 && connect(fd, &a.sa, n) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}
