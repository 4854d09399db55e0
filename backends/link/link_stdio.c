/* link_stdio.c - two descriptors as one stream: standard input and output, as gdb's "target remote |" has them.
 *
 * gdb gives one socket as both; ssh and shells give two pipes. Of two, one can be watched at a time: while output
 * is full it is that, and input is looked at every GLANCE_MS, so that a Ctrl-C still comes through. */
#include "backends/link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GLANCE_MS = 100 };

struct stdio_end {
	int fd, flags; /* as fcntl had them; -1: not known, so not changed */
};

struct link_stdio {
	struct link base; /* first: a struct link * of this kind is a struct link_stdio * */
	struct stdio_end in, out;
	bool one;       /* both are the same file: watching one is watching both */
	int dead;
	bool ready, full;
	uint64_t glance; /* while full */
};

static int end(struct link_stdio *s, int error)
{
	s->dead = -error;
	return s->dead;
}

static int stdio_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_stdio *s = (struct link_stdio *)lk;
	ssize_t n;

	if (s->dead)
		return s->dead;
	n = frame->len ? write(s->out.fd, buf_data(frame), frame->len) : 0;
	if (n < 0 && errno == EPIPE)
		return -EPIPE; /* but what the other end said before it left can still be read */
	if (n < 0 && errno != EWOULDBLOCK && errno != EINTR)
		return end(s, errno);
	if (n > 0 && buf_pull(frame, (size_t)n) < 0)
		return end(s, EPROTO);
	s->full = frame->len > 0;
	s->glance = now + GLANCE_MS;
	return s->full ? -EAGAIN : 0;
}

static int stdio_read(struct link_stdio *s, struct buf *in)
{
	ssize_t n = read(s->in.fd, in->base, in->cap);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno != EWOULDBLOCK)
		return end(s, errno);
	if (n == 0)
		return end(s, EPIPE);
	s->ready = n == (ssize_t)in->cap;
	in->len = n < 0 ? 0 : (size_t)n;
	return n > 0;
}

static int stdio_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_stdio *s = (struct link_stdio *)lk;
	bool look = s->ready || (s->full && now >= s->glance);

	s->full = false;
	buf_reset(in, 0);
	if (s->dead)
		return s->dead;
	return look && in->cap ? stdio_read(s, in) : 0;
}

static void stdio_ready(struct link *lk)
{
	((struct link_stdio *)lk)->ready = true;
}

static void stdio_wait(const struct link *lk, struct wait *w)
{
	const struct link_stdio *s = (const struct link_stdio *)lk;

	w->fd = s->full && !s->one ? s->out.fd : s->in.fd;
	w->write |= s->full;
	if (s->full && !s->one)
		wait_until(w, s->glance);
}

static void restore(const struct stdio_end *e)
{
	if (e->flags >= 0 && fcntl(e->fd, F_SETFL, e->flags) < 0)
		return; /* it is not ours any more: nothing to give back */
}

static void stdio_destroy(struct link *lk)
{
	struct link_stdio *s = (struct link_stdio *)lk;

	restore(&s->out);
	restore(&s->in);
	free(s);
}

static const struct link_ops stdio_ops = {
	.name = "stdio", .send = stdio_send, .recv = stdio_recv, .ready = stdio_ready, .wait = stdio_wait, .destroy = stdio_destroy,
};

/* The flag lives in what the shell, the terminal's other programs and both of our ends may share: so both ends are
 * read before either is changed, and what was non-blocking already is left alone. */
static void unblock(struct stdio_end *in, struct stdio_end *out)
{
	struct stdio_end *const ends[] = { in, out };

	for (size_t i = 0; i < 2; i++)
		ends[i]->flags = fcntl(ends[i]->fd, F_GETFL);
	for (size_t i = 0; i < 2; i++) {
		int flags = ends[i]->flags;

		if (flags < 0 || (flags & O_NONBLOCK) || fcntl(ends[i]->fd, F_SETFL, flags | O_NONBLOCK) < 0)
			ends[i]->flags = -1;
	}
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* A reader that went away is an error of write, not the end of the program. A handler that is set stays. */
static void ignore_sigpipe(void)
{
	struct sigaction sa;

	if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct link *link_stdio_new(int in_fd, int out_fd)
{
	struct link_stdio *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	*s = (struct link_stdio){ .base = { .ops = &stdio_ops }, .in = { in_fd, -1 }, .out = { out_fd, -1 },
		.one = same_file(in_fd, out_fd), .ready = true };
	unblock(&s->in, &s->out);
	ignore_sigpipe();
	return &s->base;
}
