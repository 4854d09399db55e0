/* link.c - what every layer shares; see link.h. */
#include "backends/link/link.h"

#include <errno.h>

int link_send(struct link *lk, struct buf *frame, uint64_t now)
{
	int rc = lk->ops->send(lk, frame, now);

	lk->sent += rc == 0;
	return rc;
}

int link_recv(struct link *lk, struct buf *in, uint64_t now)
{
	int rc = lk->ops->recv(lk, in, now);

	lk->received += rc == 1;
	return rc;
}

int link_attention(struct link *lk, uint64_t now)
{
	while (lk && !lk->ops->attention)
		lk = lk->below;
	return lk ? lk->ops->attention(lk, now) : -EOPNOTSUPP;
}

size_t link_headroom(const struct link *lk)
{
	size_t n = 0;

	for (; lk; lk = lk->below)
		n += lk->ops->headroom;
	return n;
}

void link_ready(struct link *lk)
{
	for (; lk; lk = lk->below)
		if (lk->ops->ready)
			lk->ops->ready(lk);
}

void link_prompt(struct link *lk)
{
	for (; lk; lk = lk->below)
		if (lk->ops->prompt)
			lk->ops->prompt(lk);
}

void link_wait(const struct link *lk, struct wait *w)
{
	if (!lk)
		return;
	link_wait(lk->below, w);
	if (lk->ops->wait)
		lk->ops->wait(lk, w);
}

uint64_t link_trip(const struct link *lk)
{
	while (lk->below)
		lk = lk->below;
	return lk->trip;
}

const char *link_why(const struct link *lk)
{
	while (lk && !lk->why)
		lk = lk->below;
	return lk ? lk->why : NULL;
}

void link_destroy_stack(struct link *top)
{
	while (top) {
		struct link *below = top->below;

		top->ops->destroy(top);
		top = below;
	}
}
