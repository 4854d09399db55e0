/* target.c - the turn. Its states: target_states.c. What it does for its clients: target_serve.c. */
#include "proxy/target.h"

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

struct session *target_leader(const struct target *t)
{
	for (unsigned i = 0; i < t->slots_n; i++) {
		struct session *s = t->slots[i];

		if (s && s->role == SESSION_CONTROLLER && session_lives(s))
			return s;
	}
	return NULL;
}

static void lead(struct target *t, struct session *s)
{
	s->role = SESSION_CONTROLLER;
	t->release = false;
	log_line(LOG_LEVEL_INFO, "%s: client %llu (%s) controls the target", t->setup.name, (unsigned long long)s->who.id, s->who.peer);
}

int target_join(struct target *t, struct session *s)
{
	unsigned count = 0, free_slot = TARGET_SLOTS;

	for (unsigned i = TARGET_SLOTS; i-- > 0;) {
		count += t->slots[i] != NULL;
		free_slot = t->slots[i] ? free_slot : i;
	}
	if (count >= t->setup.max_clients || free_slot == TARGET_SLOTS)
		return -EUSERS;
	t->slots[free_slot] = s;
	t->slots_n = free_slot < t->slots_n ? t->slots_n : free_slot + 1;
	if (!target_leader(t) && policy_grants(s->who.policy, RSP_EFF_RUN))
		lead(t, s);
	return 0;
}

/* The oldest that may. */
static void next_leader(struct target *t)
{
	struct session *best = NULL;

	for (unsigned i = 0; i < t->slots_n; i++) {
		struct session *s = t->slots[i];

		if (s && session_lives(s) && policy_grants(s->who.policy, RSP_EFF_RUN) && (!best || s->who.id < best->who.id))
			best = s;
	}
	if (best)
		lead(t, best);
	else
		t->release = t->setup.run_on_disconnect;
}

void target_part(struct target *t, const struct session *s)
{
	for (unsigned i = 0; i < t->slots_n; i++)
		if (t->slots[i] == s) {
			breaks_leave(&t->breaks, i);
			t->slots[i] = NULL;
		}
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

	snprintf(t->why, sizeof t->why, "%s", words ? words : rc == -EPIPE ? "it closed the connection" : strerror(-rc));
}

static int target_to_clients(struct target *t, uint64_t now)
{
	static const enum target_event said[BACKEND_EVENTS] = {
		[BACKEND_REPLY] = TARGET_SAYS_REPLY, [BACKEND_RUNS] = TARGET_SAYS_RUNS,
		[BACKEND_STOPPED] = TARGET_SAYS_STOPPED, [BACKEND_PRINT] = TARGET_SAYS_TEXT,
	};
	int rc;

	if (!t->be)
		return now < t->deadline || t->grave || t->closing ? 0 : heard(t, TARGET_DUE, now);
	rc = t->be->ops->poll(t->be, &t->news, now);
	if (rc == BACKEND_NONE || rc == BACKEND_MOVED)
		return rc;
	if (rc < 0)
		note_why(t, rc);
	return heard(t, rc < 0 ? TARGET_GONE : said[rc], now);
}

/* A client that leaves takes its breakpoints and, if it had it, the control with it. */
static void let_go(struct target *t, struct session *s, unsigned slot)
{
	breaks_leave(&t->breaks, slot);
	if (s->role != SESSION_CONTROLLER)
		return;
	s->role = SESSION_OBSERVER;
	next_leader(t);
}

static int client_to_target(struct target *t, unsigned slot, uint64_t now)
{
	struct session *s = t->slots[slot];
	int rc = s ? session_step(s, now) : 0;

	if (rc == SESSION_BREAK && t->be) {
		session_audit(s, (struct audit_event){ .what = AUDIT_BREAK_IN });
		t->be->ops->interrupt(t->be);
	}
	if (s && !session_lives(s))
		let_go(t, s, slot);
	return rc != 0;
}

bool target_run(struct target *t, uint64_t now)
{
	int moved = 1;

	for (int i = 0; moved && i < TURN_MAX; i++) {
		moved = target_to_clients(t, now);
		for (unsigned slot = 0; slot < t->slots_n; slot++)
			moved |= client_to_target(t, slot, now);
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
	return w;
}
