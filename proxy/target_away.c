/* target_away.c - what is said to a client while there is no target, or one that cannot be stopped. See target.h. */
#include "proxy/target_parts.h"

#include "base/log.h"

#include <stdio.h>

bool target_there(const struct target *t)
{
	return t->state == TARGET_STOPPED || t->state == TARGET_ASKED || t->state == TARGET_RUNNING;
}

/* At first nothing has gone wrong yet, and the line may know by now what it waits for. */
const char *target_why_away(const struct target *t)
{
	const char *words = t->be && !*t->why ? t->be->ops->why(t->be) : NULL;

	return words ? words : t->why;
}

static void away_words(const struct target *t, char *words, size_t size)
{
	const char *why = target_why_away(t);

	snprintf(words, size, "kdgate: target %s is away%s%s", t->setup.name, *why ? ": " : "", why);
}

/* lldb shows words only as the reason of a stop. So it is given one, of a target that is not there. */
static int pretend(struct session *s, const char *words)
{
	static const struct rsp_thread one = { 0, 1 };
	struct rsp_stop stop = { .code = 5, .has_thread = true, .thread = one, .words = words };
	struct rsp_reply list = { .kind = RSP_REPLY_THREADS, .threads = &one, .threads_n = 1 };

	if (s->cmd.op == RSP_OP_STATUS)
		session_tell(s, SESSION_STATUS, &(struct session_news){ .stop = &stop });
	else if (s->cmd.op == RSP_OP_THREADS_FIRST || s->cmd.op == RSP_OP_THREAD_CURRENT)
		session_tell(s, SESSION_REPLY, &(struct session_news){ .reply = &list });
	else if (s->cmd.op == RSP_OP_SUPPORTED || s->cmd.op == RSP_OP_XFER_READ || s->cmd.op == RSP_OP_HOST_INFO)
		session_unsupported(s);
	else
		session_refuse(s, words);
	return 1;
}

/* Who comes while the target is away is told, and let go: it would only time out. */
int target_turn_away(struct target *t, struct session *s, uint64_t now)
{
	char words[RSP_ERROR_TEXT];

	away_words(t, words, sizeof words);
	if (!s->turned_away)
		log_line(LOG_LEVEL_NOTICE, "%s: client %llu (%s) is turned away: the target is away", t->setup.name,
		         (unsigned long long)s->who.id, s->who.peer);
	s->turned_away = true;
	if (s->dialect.lldb)
		return pretend(s, words);
	session_error(s, words);
	session_leave(s, "the target is away", now);
	return 1;
}

int target_refuse_away(struct target *t, struct session *s)
{
	char words[RSP_ERROR_TEXT];

	away_words(t, words, sizeof words);
	session_refuse(s, words);
	return 1;
}

const char target_unheard[] = "kdgate: the target is running, and does not answer the break-in";

int target_tell_unheard(struct target *t, struct session *s)
{
	struct rsp_stop stop = { .code = 5, .has_thread = t->stop.has_thread, .thread = t->stop.thread, .words = target_unheard };

	log_line(LOG_LEVEL_NOTICE, "%s: client %llu (%s) is told that the target does not answer the break-in", t->setup.name,
	         (unsigned long long)s->who.id, s->who.peer);
	s->unheard = true;
	session_tell(s, SESSION_STOP, &(struct session_news){ .stop = &stop });
	return 1;
}
