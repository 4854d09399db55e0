/* target_seats.c - who sits at a target, and who of them leads. See target.h. */
#include "proxy/target_parts.h"

#include "base/log.h"

#include <errno.h>

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

/* They wait for a stop that nobody is there to bring about. */
static void warn_followers(struct target *t)
{
	static const char words[] = "kdgate: nobody is connected any more who may run the target, and it stands; Ctrl-C ends the wait\n";

	for (unsigned i = 0; i < t->slots_n; i++)
		if (t->slots[i] && t->slots[i]->state == SESSION_RUNNING)
			session_tell(t->slots[i], SESSION_PRINT, &(struct session_news){ .text = span_of(words) });
}

/* The oldest that may; if there is none, the target goes on or stands as the last one wished. */
static void next_leader(struct target *t, enum session_after after)
{
	struct session *best = NULL;

	for (unsigned i = 0; i < t->slots_n; i++) {
		struct session *s = t->slots[i];

		if (s && session_lives(s) && policy_grants(s->who.policy, RSP_EFF_RUN) && (!best || s->who.id < best->who.id))
			best = s;
	}
	if (best) {
		lead(t, best);
		return;
	}
	t->release = after == SESSION_AFTER_RUN || (after == SESSION_AFTER_AS_CONFIGURED && t->setup.run_on_disconnect);
	if (!t->release && t->state != TARGET_RUNNING)
		warn_followers(t);
}

/* A client that leaves takes its breakpoints and, if it had it, the control with it. */
void target_let_go(struct target *t, struct session *s, unsigned slot)
{
	breaks_leave(&t->breaks, slot);
	if (s->role != SESSION_CONTROLLER)
		return;
	s->role = SESSION_OBSERVER;
	next_leader(t, s->after);
}

void target_part(struct target *t, struct session *s)
{
	for (unsigned i = 0; i < t->slots_n; i++) {
		if (t->slots[i] != s)
			continue;
		t->slots[i] = NULL;
		target_let_go(t, s, i);
	}
}
