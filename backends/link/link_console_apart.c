/* link_console_apart.c - a kernel's console on a line of its own, beside the debugger's. See console.h.
 *
 * Below is the debugger's line; the console's stack stands beside it. So two descriptors are waited for: an epoll descriptor is both. */
#include "backends/link/console.h"

#include "backends/link/console_keys.h"
#include "backends/link/console_text.h"
#include "backends/link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ROUNDS = CONSOLE_TEXT / CONSOLE_HEARD, WORDS = 160 }; /* receives in a turn: what they bring is kept */

struct link_apart {
	struct link base;     /* first: a struct link * of this kind is a struct link_apart *; below is a link_console */
	struct link *console; /* owned */
	struct console_text text;
	struct console_keys keys;
	struct buf raw;
	uint64_t held_until;  /* after a BREAK: nothing more is typed until its outcome is known; 0: it is */
	bool again;           /* there may be more to hear on the console */
	int epoll;
	char why[WORDS];
};

/* Which line it was. */
static int end(struct link_apart *a, const char *whose, const struct link *stack, int rc)
{
	const char *words = link_why(stack) ? link_why(stack) : rc == -EPIPE ? "it was closed" : strerror(-rc);

	snprintf(a->why, sizeof a->why, "the %s's line: %s", whose, words);
	a->base.why = a->why;
	return rc;
}

static bool is_end(int rc)
{
	return rc < 0 && rc != -EAGAIN && rc != -EOPNOTSUPP;
}

static int apart_send(struct link *lk, struct buf *frame, uint64_t now)
{
	int rc = link_send(lk->below, frame, now);

	return is_end(rc) ? end((struct link_apart *)lk, "debugger", lk->below, rc) : rc;
}

/* kdb, too, reads the debugger's line alone. */
static bool may_type(const struct link_apart *a)
{
	const struct link *line = a->base.below;

	return a->keys.typed.len && !a->held_until && !link_console_stands(line) && link_console_mode(line) != CONSOLE_MODE_KDB;
}

/* What is dead says so when it is heard out. */
static void push(struct link_apart *a, uint64_t now)
{
	int rc = 0;

	if (now >= a->held_until) {
		a->held_until = 0;
		a->keys.key_next = false;
	}
	if (a->keys.key.len)
		rc = console_keys_push(&a->keys, &a->keys.key, a->console, now);
	if (!rc && may_type(a))
		rc = console_keys_push(&a->keys, &a->keys.typed, a->console, now);
	a->keys.refused = rc != 0;
}

/* Its end comes after what it said last. */
static int hear(struct link_apart *a, uint64_t now)
{
	bool any = false;
	int got = 1;

	for (size_t i = 0; i < ROUNDS && got == 1; i++) {
		got = link_recv(a->console, &a->raw, now);
		if (got == 1)
			(void)console_text_hear(&a->text, buf_span(&a->raw)); /* kdb is heard on the debugger's line, too */
		any |= got == 1;
	}
	a->again = got == 1 || (got < 0 && any);
	return got < 0 && !any ? got : 0;
}

static int apart_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_apart *a = (struct link_apart *)lk;
	int rc;

	buf_reset(in, 0);
	console_text_forget(&a->text);
	push(a, now);
	rc = hear(a, now);
	if (rc < 0)
		return end(a, "console", a->console, rc);
	rc = link_recv(lk->below, in, now);
	if (link_console_stands(lk->below))
		a->held_until = 0;
	return rc < 0 ? end(a, "debugger", lk->below, rc) : rc;
}

static int apart_attention(struct link *lk, uint64_t now)
{
	struct link_apart *a = (struct link_apart *)lk;
	int rc = link_attention(a->console, now);

	if (rc == 0) {
		console_keys_await(&a->keys);
		a->held_until = now + CONSOLE_ASKED_MS;
	}
	return is_end(rc) ? end(a, "console", a->console, rc) : rc;
}

static void apart_ready(struct link *lk)
{
	link_ready(((struct link_apart *)lk)->console);
}

static void apart_prompt(struct link *lk)
{
	link_prompt(((struct link_apart *)lk)->console);
}

/* A descriptor that was closed has left, and another may have its number: so nothing is remembered of it. True: what has none wants
 * to write. */
static bool watch(const struct link_apart *a, const struct wait *w)
{
	struct epoll_event e = { .events = EPOLLIN | (w->write ? EPOLLOUT : 0U) };

	if (w->fd < 0)
		return w->write;
	if (epoll_ctl(a->epoll, EPOLL_CTL_MOD, w->fd, &e) < 0)
		(void)!epoll_ctl(a->epoll, EPOLL_CTL_ADD, w->fd, &e);
	return false;
}

static void apart_wait(const struct link *lk, struct wait *w)
{
	const struct link_apart *a = (const struct link_apart *)lk;
	struct wait beside = wait_none();
	bool write;

	link_wait(a->console, &beside);
	write = watch(a, w);
	w->write = watch(a, &beside) || write;
	w->fd = a->epoll;
	wait_until(w, beside.until);
	if (a->held_until && a->keys.typed.len)
		wait_until(w, a->held_until);
	if (a->again || (!a->keys.refused && (a->keys.key.len || may_type(a))))
		wait_until(w, 0);
}

static void apart_destroy(struct link *lk)
{
	struct link_apart *a = (struct link_apart *)lk;

	link_destroy_stack(a->console);
	if (a->epoll >= 0)
		close(a->epoll);
	console_text_fini(&a->text);
	console_keys_fini(&a->keys);
	buf_fini(&a->raw);
	free(a);
}

static struct span apart_text(struct link *lk)
{
	return console_text_lend(&((struct link_apart *)lk)->text);
}

static uint64_t apart_lost(const struct link *lk)
{
	return ((const struct link_apart *)lk)->text.lost;
}

static size_t apart_type(struct link *lk, struct span bytes)
{
	return console_keys_put(&((struct link_apart *)lk)->keys, bytes);
}

static void apart_runs(struct link *lk, bool runs)
{
	struct link_apart *a = (struct link_apart *)lk;

	link_console_runs(lk->below, runs);
	if (!runs)
		return;
	a->text.mode = CONSOLE_MODE_RUNS;
	a->held_until = 0;
	a->keys.key_next = false;
}

static bool apart_stands(const struct link *lk)
{
	return link_console_stands(lk->below);
}

static enum console_mode apart_mode(const struct link *lk)
{
	const struct link_apart *a = (const struct link_apart *)lk;

	return a->text.mode != CONSOLE_MODE_RUNS ? a->text.mode : link_console_mode(lk->below);
}

static const struct console_ops apart_console_ops = {
	.text = apart_text, .lost = apart_lost, .type = apart_type, .runs = apart_runs, .stands = apart_stands, .mode = apart_mode, .apart = true,
};

static const struct link_ops apart_ops = {
	.name = "apart", .send = apart_send, .recv = apart_recv, .attention = apart_attention, .ready = apart_ready, .prompt = apart_prompt,
	.wait = apart_wait, .destroy = apart_destroy, .console = &apart_console_ops,
};

/* What is taken is taken last. */
static int set_up(struct link_apart *a, struct link *line, const struct link *console)
{
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll < 0 || console_text_init(&a->text) < 0 || console_keys_init(&a->keys, console) < 0 || buf_init(&a->raw, CONSOLE_HEARD) < 0)
		return -ENOMEM;
	a->base.below = link_console_new(line);
	return a->base.below ? 0 : -ENOMEM;
}

struct link *link_console_apart_new(struct link *line, struct link *console)
{
	struct link_apart *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->base.ops = &apart_ops;
	if (set_up(a, line, console) < 0) {
		apart_destroy(&a->base);
		return NULL;
	}
	a->console = console;
	return &a->base;
}
