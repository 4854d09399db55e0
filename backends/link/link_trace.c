/* link_trace.c - shows every frame that passes, both ways; sits anywhere in a stack. See link.h.
 *
 *   12.345 #7 > $m10,4#2e     seconds, descriptor, direction (> sent), what went; a part of a frame if only that went
 *   12.346 #7 x Broken pipe   the end of the link */
#include "backends/link/link.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256, CHUNK_SHOWN = 4 * CHUNK + 8 };

struct link_trace {
	struct link base; /* first: a struct link * of this kind is a struct link_trace * */
	FILE *to;         /* borrowed: must outlive the stack */
	bool ended;       /* its end was shown */
};

static void open_line(const struct link *lk, char way, uint64_t now)
{
	struct wait w = wait_none();

	link_wait(lk->below, &w);
	fprintf(((const struct link_trace *)lk)->to, "%" PRIu64 ".%03u #%d %c ", now / 1000, (unsigned)(now % 1000), w.fd, way);
}

static void show(const struct link *lk, char way, struct span s, uint64_t now)
{
	FILE *to = ((const struct link_trace *)lk)->to;
	char text[CHUNK_SHOWN];

	open_line(lk, way, now);
	for (; s.len; s = span_from(s, CHUNK))
		fputs(text_ascii(text, sizeof text, (struct span){ s.p, s.len < CHUNK ? s.len : CHUNK }), to);
	fputc('\n', to);
	fflush(to);
}

static void show_end(struct link *lk, int rc, uint64_t now)
{
	struct link_trace *t = (struct link_trace *)lk;

	if (t->ended)
		return;
	t->ended = true;
	open_line(lk, 'x', now);
	fprintf(t->to, "%s\n", strerror(-rc));
	fflush(t->to);
}

/* Shown afterwards, when it is known how much was taken: layers below do not change what they are given. */
static int trace_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct span all = buf_span(frame);
	int rc = link_send(lk->below, frame, now);

	if (rc < 0 && rc != -EAGAIN) {
		show_end(lk, rc, now);
		return rc;
	}
	all.len = rc == 0 || frame->len > all.len ? all.len : all.len - frame->len;
	if (all.len)
		show(lk, '>', all, now);
	return rc;
}

static int trace_recv(struct link *lk, struct buf *in, uint64_t now)
{
	int rc = link_recv(lk->below, in, now);

	if (rc == 1)
		show(lk, '<', buf_span(in), now);
	if (rc < 0)
		show_end(lk, rc, now);
	return rc;
}

static void trace_destroy(struct link *lk)
{
	free(lk);
}

static const struct link_ops trace_ops = {
	.name = "trace", .send = trace_send, .recv = trace_recv, .destroy = trace_destroy,
};

struct link *link_trace_new(struct link *below, FILE *to)
{
	struct link_trace *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	*t = (struct link_trace){ .base = { .ops = &trace_ops, .below = below }, .to = to };
	return &t->base;
}
