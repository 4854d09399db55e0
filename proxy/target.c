/* target.c - the turn. Its states: target_states.c. What it does for its clients: target_serve.c. */
#include "proxy/target_parts.h"

#include "base/log.h"
#include "proxy/audit_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TURN_MAX = 256 };

void target_init(struct target *t, const struct target_setup *setup)
{
	memset(t, 0, sizeof *t);
	t->setup = *setup;
	t->dial_ms = TARGET_DIAL_LEAST_MS;
}

void target_fini(struct target *t)
{
	target_reap(t);
	if (t->be)
		t->be->ops->destroy(t->be);
	t->be = NULL;
	target_docs_fini(t);
	target_cache_fini(t);
}

void target_reap(struct target *t)
{
	if (t->grave)
		t->grave->ops->destroy(t->grave);
	t->grave = NULL;
}

void target_ready(struct target *t)
{
	if (t->be)
		t->be->ops->ready(t->be);
}

void target_close(struct target *t, uint64_t now)
{
	if (t->closing)
		return;
	t->closing = true;
	t->deadline = now + TARGET_CLOSE_MS;
	for (unsigned i = 0; i < t->slots_n; i++) {
		if (!t->slots[i])
			continue;
		breaks_leave(&t->breaks, i);
		session_leave(t->slots[i], "kdgate ends", now);
	}
}

static int heard(struct target *t, enum target_event ev, uint64_t now)
{
	target_event(t, ev, now);
	return 1;
}

static void note_why(struct target *t, int rc)
{
	const char *words = t->be ? t->be->ops->why(t->be) : NULL;

	if (!words && t->setup.words)
		words = t->setup.words(t->setup.arg, rc);
	snprintf(t->why, sizeof t->why, "%s", words ? words : rc == -EPIPE ? "it closed the connection" : strerror(-rc));
}

static int target_to_clients(struct target *t, uint64_t now)
{
	static const enum target_event said[BACKEND_EVENTS] = {
		[BACKEND_REPLY] = TARGET_SAYS_REPLY, [BACKEND_PART] = TARGET_SAYS_PART, [BACKEND_RUNS] = TARGET_SAYS_RUNS,
		[BACKEND_STOPPED] = TARGET_SAYS_STOPPED, [BACKEND_PRINT] = TARGET_SAYS_TEXT, [BACKEND_CONSOLE] = TARGET_SAYS_CONSOLE,
	};
	int rc;

	if (!t->be)
		return now < t->deadline || t->grave || t->closing ? 0 : heard(t, TARGET_DUE, now);
	rc = t->be->ops->poll(t->be, &t->news, now);
	target_tell_guard(t, now);
	if (rc == BACKEND_NONE || rc == BACKEND_MOVED)
		return rc;
	if (rc < 0)
		note_why(t, rc);
	return heard(t, rc < 0 ? TARGET_GONE : said[rc], now);
}

/* Of a target that is away there will be no stop: who waits for one gets its prompt back. */
static void break_in(struct target *t, struct session *s)
{
	session_audit(s, (struct audit_event){ .what = AUDIT_BREAK_IN });
	if (target_there(t))
		t->be->ops->interrupt(t->be);
	else
		session_stop_waiting(s);
}

static int client_to_target(struct target *t, unsigned slot, uint64_t now)
{
	struct session *s = t->slots[slot];
	int rc = s ? session_step(s, now) : 0;

	if (rc == SESSION_BREAK)
		break_in(t, s);
	if (s && !session_lives(s))
		target_let_go(t, s, slot);
	return rc != 0;
}

/* Who sits at the console, and what they type. */
static int console_turn(struct target *t, uint64_t now)
{
	struct console *c = t->setup.console;
	int moved = 0;
	size_t n;

	for (size_t i = 0; c && i < CONSOLE_READERS; i++)
		if (c->readers[i])
			moved |= console_step(c, c->readers[i], now);
	if (!c || !t->be || !t->be->ops->type || !console_typed(c).len)
		return moved;
	n = t->be->ops->type(t->be, console_typed(c));
	console_typed_taken(c, n);
	return moved || n;
}

bool target_run(struct target *t, uint64_t now)
{
	int moved = 1;

	for (int i = 0; moved && i < TURN_MAX; i++) {
		moved = target_to_clients(t, now);
		for (unsigned slot = 0; slot < t->slots_n; slot++)
			moved |= client_to_target(t, slot, now);
		moved |= console_turn(t, now);
		moved |= target_serve(t, now);
	}
	return moved;
}

struct wait target_wait(const struct target *t)
{
	struct wait w = wait_none();

	if (t->be)
		t->be->ops->wait(t->be, &w);
	if ((!t->be && !t->closing) || (t->closing && t->state != TARGET_CLOSED))
		wait_until(&w, t->deadline);
	if (t->lift == LIFT_STEP)
		wait_until(&w, t->lift_by);
	return w;
}
