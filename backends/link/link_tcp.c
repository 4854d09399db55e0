/* link_tcp.c - dials TCP: the addresses of a name one after the other, until one answers. See link.h.
 *
 * A refusal comes only after the dialling, and "localhost" is often two addresses of which a stub listens on one. So
 * a name with several is a layer of its own, which puts the next address below when one has failed. What failed stays
 * open until the end: the loop may still watch it, and its number must not come back as another socket. */
#include "backends/link/link.h"

#include "backends/link/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES_MAX = 8 };

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

struct link_tcp {
	struct link base; /* first: a struct link * of this kind is a struct link_tcp * */
	struct address to[TRIES_MAX];
	struct link *failed[TRIES_MAX];
	size_t count, next, failed_n;
	bool prompt;
	bool settled; /* bytes went through, or there is no other address: errors are final */
};

static int dial_one(struct link **lk, const struct address *to)
{
	int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)&to->sa, to->len) < 0 && errno != EINPROGRESS ? -errno : 0;
	if (!rc && !(*lk = link_sock_new(fd)))
		rc = -ENOMEM;
	if (rc)
		close(fd);
	return rc;
}

/* The next address that does not fail at once; -errno of the last: none is left. */
static int dial_next(struct link_tcp *t, int rc)
{
	struct link *lk = NULL;

	while (!lk && t->next < t->count)
		rc = dial_one(&lk, &t->to[t->next++]);
	if (!lk) {
		t->settled = true;
		return rc;
	}
	if (t->prompt)
		link_prompt(lk);
	t->failed[t->failed_n] = t->base.below;
	t->failed_n += t->base.below != NULL;
	t->base.below = lk;
	return 0;
}

/* Somebody was there. */
static bool is_answer(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

static int judge(struct link_tcp *t, int rc)
{
	t->settled = t->settled || t->base.below->sent || t->base.below->received || is_answer(-rc);
	if (rc >= 0 || rc == -EAGAIN || t->settled)
		return rc;
	return dial_next(t, rc);
}

static int tcp_send(struct link *lk, struct buf *frame, uint64_t now)
{
	int rc = judge((struct link_tcp *)lk, link_send(lk->below, frame, now));

	return rc == 0 && frame->len ? -EAGAIN : rc;
}

static int tcp_recv(struct link *lk, struct buf *in, uint64_t now)
{
	return judge((struct link_tcp *)lk, link_recv(lk->below, in, now));
}

/* The address that answers may not be the first. */
static void tcp_prompt(struct link *lk)
{
	((struct link_tcp *)lk)->prompt = true;
}

static void tcp_destroy(struct link *lk)
{
	struct link_tcp *t = (struct link_tcp *)lk;

	for (size_t i = 0; i < t->failed_n; i++)
		link_destroy_stack(t->failed[i]);
	free(t);
}

static const struct link_ops tcp_ops = {
	.name = "tcp", .send = tcp_send, .recv = tcp_recv, .prompt = tcp_prompt, .destroy = tcp_destroy,
};

static int dial_all(struct link **lk, const struct address *to, size_t count)
{
	struct link_tcp *t = calloc(1, sizeof *t);
	int rc;

	if (!t)
		return -ENOMEM;
	t->base.ops = &tcp_ops;
	memcpy(t->to, to, count * sizeof *to);
	t->count = count;
	rc = dial_next(t, -ENXIO);
	if (rc)
		free(t);
	else
		*lk = &t->base;
	return rc;
}

int link_tcp_dial(struct link **lk, const char *host, const char *port)
{
	struct address to[TRIES_MAX];
	struct addrinfo *list = NULL;
	size_t count = 0;
	int rc = link_look_up(host, port, SOCK_STREAM, &list);

	*lk = NULL;
	if (rc)
		return rc;
	for (struct addrinfo *ai = list; ai && count < TRIES_MAX; ai = ai->ai_next) {
		to[count].len = ai->ai_addrlen;
		memcpy(&to[count++].sa, ai->ai_addr, ai->ai_addrlen);
	}
	freeaddrinfo(list);
	return count == 1 ? dial_one(lk, &to[0]) : dial_all(lk, to, count);
}
