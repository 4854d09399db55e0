/* transport.c - see transport.h. */
#include "tests/sim/kdtarget/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static void start(struct transport *t, int listener, int fd)
{
	t->listener = listener;
	t->fd = fd;
	t->head = t->tail = 0;
}

int transport_unix(struct transport *t, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%.100s", path);
	snprintf(t->name, sizeof t->name, "unix:%.100s", path);
	unlink(path);
	start(t, fd, -1);
	return fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4) < 0 ? -1 : 0;
}

int transport_address(const char *where, struct sockaddr_in *a)
{
	const char *colon = strrchr(where, ':');
	char host[64];

	if (!colon || (size_t)(colon - where) >= sizeof host)
		return -1;
	snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)) };
	return inet_pton(AF_INET, host, &a->sin_addr) == 1 ? 0 : -1;
}

int transport_tcp(struct transport *t, const char *where)
{
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char host[INET_ADDRSTRLEN];

	start(t, fd, -1);
	if (fd < 0 || transport_address(where, &a) < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 4) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return -1;
	inet_ntop(AF_INET, &a.sin_addr, host, sizeof host);
	snprintf(t->name, sizeof t->name, "tcp:%s:%u", host, (unsigned)ntohs(a.sin_port));
	return 0;
}

/* The slave is closed again: from now on the master tells whether anybody holds it. */
int transport_pty(struct transport *t)
{
	struct termios raw;
	char path[128];
	int master, slave;

	if (openpty(&master, &slave, path, NULL, NULL) < 0)
		return -1;
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	close(slave);
	fcntl(master, F_SETFL, O_NONBLOCK);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	snprintf(t->name, sizeof t->name, "pty:%s", path);
	start(t, -1, master);
	t->pty = true;
	return 0;
}

void transport_close(struct transport *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->listener >= 0)
		close(t->listener);
	if (strncmp(t->name, "unix:", 5) == 0)
		unlink(t->name + 5);
}

bool transport_joined(const struct transport *t)
{
	struct pollfd fd = { .fd = t->fd };

	return t->fd >= 0 && !(t->pty && poll(&fd, 1, 0) > 0 && fd.revents & POLLHUP);
}

int transport_watch(const struct transport *t)
{
	bool full = t->head == 0 && t->tail == sizeof t->in;

	return t->fd < 0 ? t->listener : transport_joined(t) && !full ? t->fd : -1;
}

static void meet(struct transport *t)
{
	t->fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	t->head = t->tail = 0;
}

static void part(struct transport *t)
{
	if (t->pty)
		return;
	close(t->fd);
	t->fd = -1;
}

void transport_fill(struct transport *t)
{
	ssize_t n;

	if (t->fd < 0) {
		meet(t);
		return;
	}
	memmove(t->in, t->in + t->head, t->tail - t->head);
	t->tail -= t->head;
	t->head = 0;
	n = read(t->fd, t->in + t->tail, sizeof t->in - t->tail);
	if (n > 0)
		t->tail += (size_t)n;
	else if ((n == 0 && t->tail < sizeof t->in) || (n < 0 && errno != EAGAIN && errno != EINTR))
		part(t);
}

int transport_take(struct transport *t)
{
	return t->head < t->tail ? t->in[t->head++] : -1;
}

void transport_write(struct transport *t, const void *bytes, size_t n)
{
	struct pollfd room = { .fd = t->fd, .events = POLLOUT };
	size_t done = 0;

	while (done < n && transport_joined(t)) {
		ssize_t sent = write(t->fd, (const char *)bytes + done, n - done);

		if (sent > 0)
			done += (size_t)sent;
		else if ((errno != EAGAIN && errno != EINTR) || poll(&room, 1, 1000) <= 0)
			return;
	}
}
