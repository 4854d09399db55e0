/* target_states.c - what each event means in each state, and the one place where the state changes. */
#include "proxy/target_parts.h"

#include "base/log.h"
#include "base/text.h"
#include "proxy/audit_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void tell_all(struct target *t, enum session_event ev, const struct session_news *news)
{
	for (unsigned i = 0; i < t->slots_n; i++)
		if (t->slots[i])
			session_tell(t->slots[i], ev, news);
}

static void note(const struct target *t, enum audit_what what, const char *text)
{
	audit_log_write(t->setup.audit, &(struct audit_event){ .what = what, .target = t->setup.name, .text = text });
}

/* Whoever waits for the command in flight: nobody, if it was ours or its client has gone. */
static struct session *asker(struct target *t)
{
	for (unsigned i = 0; !t->internal && i < t->slots_n; i++) {
		struct session *s = t->slots[i];

		if (s && (s->state == SESSION_ASKED || s->state == SESSION_RESUMING))
			return s;
	}
	return NULL;
}

/* That it cannot be used, for the reason that the audit has: it is tried again and again. */
static bool is_old_news(const struct target *t, const struct guard_incident *in)
{
	size_t head = strlen("given up: "), n = strlen(in->words);

	return in->what == GUARD_LOST && t->state == TARGET_OPENING && *t->not_met && n > head &&
	       !strncmp(in->words + head, t->not_met, n - head); /* they may be cut */
}

void target_tell_guard(struct target *t, uint64_t now)
{
	struct guard_incident in;
	char words[GUARD_WORDS + 64];

	while (guard_next(t->be->ops->guard(t->be), &in, now)) {
		int n = snprintf(words, sizeof words, "%s: %s", guard_what_name(in.what), in.words);

		if (is_old_news(t, &in))
			continue;
		if (in.more && n > 0 && (size_t)n < sizeof words)
			snprintf(words + n, sizeof words - (size_t)n, " (and %llu more like it before)", (unsigned long long)in.more);
		log_line(LOG_LEVEL_WARNING, "%s: guard: %s", t->setup.name, words);
		note(t, AUDIT_GUARD, words);
	}
}

static void redial_later(struct target *t, uint64_t now)
{
	t->deadline = now + t->dial_ms;
	t->dial_ms = t->dial_ms * 2 < TARGET_DIAL_MOST_MS ? t->dial_ms * 2 : TARGET_DIAL_MOST_MS;
}

/* What a transition does. Not 0: it does not happen. */
static int dial(struct target *t, uint64_t now)
{
	int rc = target_docs_init(t);
	const char *words;

	rc = rc ? rc : target_cache_init(t);
	rc = rc ? rc : t->setup.dial(t->setup.arg, &t->be);
	if (rc == 0) {
		*t->be->ops->guard(t->be) = t->guard;
		if (t->ran && t->setup.unnoticed)
			t->be->ops->interrupt(t->be);
		return 0;
	}
	words = t->setup.words ? t->setup.words(t->setup.arg, rc) : NULL;
	words = words ? words : strerror(-rc);
	if (strcmp(t->why, words))
		log_line(LOG_LEVEL_WARNING, "%s: cannot reach the target at %s: %s; trying again", t->setup.name, t->setup.address, words);
	snprintf(t->why, sizeof t->why, "%s", words);
	redial_later(t, now);
	return rc;
}

void target_tell_stop(struct target *t)
{
	tell_all(t, SESSION_STOP, &(struct session_news){ .stop = &t->stop });
}

static int stopped(struct target *t, uint64_t now)
{
	(void)now;
	t->stop = t->news.stop;
	t->threads_known = t->doc.known = false;
	target_cache_drop(t);
	/* nobody leads it: what is left in it comes out, and it goes on; or it was a step of our own */
	if (!t->release && !target_lifting(t))
		target_tell_stop(t);
	return 0;
}

static int met(struct target *t, uint64_t now)
{
	const struct backend_info *info = t->be->ops->info(t->be);

	log_line(LOG_LEVEL_NOTICE, "%s: target found, %s", t->setup.name,
	         info->was_running ? "it was running and is stopped now" : "stopped");
	note(t, AUDIT_TARGET_FOUND, t->setup.address);
	t->dial_ms = TARGET_DIAL_LEAST_MS;
	t->why[0] = t->not_met[0] = 0;
	t->ran = false;
	t->release = info->was_running && !target_leader(t);
	return stopped(t, now);
}

static int resumed(struct target *t, uint64_t now)
{
	struct session *s = asker(t);

	(void)now;
	if (s)
		session_tell(s, SESSION_FOLLOWS, NULL);
	return 0;
}

/* What a monitor command prints is its client's alone. */
static void tell_text(struct target *t, struct span text)
{
	bool monitor = t->state == TARGET_ASKED && t->cmd.op == RSP_OP_MONITOR;
	struct session *s = monitor ? asker(t) : NULL;
	struct session_news news = { .text = text };

	if (s)
		session_tell(s, SESSION_PRINT, &news);
	else if (!monitor)
		tell_all(t, SESSION_PRINT, &news);
}

static void print(struct target *t, struct span text, uint64_t now)
{
	uint8_t room[GUARD_PIECE];
	struct buf piece = { .base = room, .cap = sizeof room };

	while (text.len) {
		guard_console(t->be->ops->guard(t->be), &text, &piece, now);
		if (piece.len)
			tell_text(t, buf_span(&piece));
	}
}

static int printed(struct target *t, uint64_t now)
{
	print(t, t->news.reply.bytes, now);
	return 0;
}

static int heard_console(struct target *t, uint64_t now)
{
	if (t->setup.console)
		console_put(t->setup.console, t->news.reply.bytes);
	return t->setup.console_to_debugger ? printed(t, now) : 0;
}

static void keep_threads(struct target *t)
{
	t->threads_n = t->news.reply.threads_n < RSP_THREADS_MAX ? t->news.reply.threads_n : RSP_THREADS_MAX;
	memcpy(t->threads, t->news.reply.threads, t->threads_n * sizeof *t->threads);
	t->threads_known = true;
}

static void settle_breakpoint(struct target *t, bool ok)
{
	if ((t->cmd.op == RSP_OP_BREAK_CLEAR && !target_lifting(t)) || (t->cmd.op == RSP_OP_BREAK_SET && !ok))
		breaks_gone(&t->breaks, target_breakpoint_of(&t->cmd));
	if (t->cmd.op == RSP_OP_BREAK_CLEAR && t->internal && !ok)
		log_line(LOG_LEVEL_WARNING, "%s: the target did not remove the breakpoint at 0x%llx that a client left", t->setup.name,
		         (unsigned long long)t->cmd.addr);
}

static void say_reply(struct session *s, const struct rsp_reply *reply)
{
	if (s) /* else it was ours, or its client has gone */
		session_tell(s, SESSION_REPLY, &(struct session_news){ .reply = reply });
}

/* Text in an answer is shown as other text is. */
static void say_text(struct target *t, struct session *s, uint64_t now)
{
	struct span text = t->news.reply.bytes;
	const uint8_t *end = text.len ? memchr(text.p, 0, text.len) : NULL;
	char shown[RSP_ERROR_TEXT];

	if (end && t->cmd.op == RSP_OP_THREAD_EXTRA) /* KGDB sends the whole array */
		text.len = (size_t)(end - text.p);
	if (t->cmd.op == RSP_OP_MONITOR) {
		print(t, text, now);
		say_reply(s, &(struct rsp_reply){ .kind = RSP_REPLY_OK });
		return;
	}
	if (strlen(text_ascii(shown, sizeof shown, text)) != text.len)
		guard_note(t->be->ops->guard(t->be), GUARD_TEXT, "control characters in a thread's description, or too long a one");
	target_cache_keep(t, &(struct rsp_reply){ .kind = RSP_REPLY_BYTES, .bytes = span_of(shown) });
	say_reply(s, &(struct rsp_reply){ .kind = RSP_REPLY_BYTES, .bytes = span_of(shown) });
}

/* 1: no: more has been asked for the same client. */
static int answered(struct target *t, uint64_t now)
{
	const struct rsp_reply *reply = &t->news.reply;
	struct session *s = asker(t);
	enum target_cache_step step = target_cache_answered(t, s);

	if (step != TARGET_CACHE_NOT)
		return step == TARGET_CACHE_ON;

	settle_breakpoint(t, reply->kind == RSP_REPLY_OK);
	if (reply->kind == RSP_REPLY_THREADS)
		keep_threads(t);
	if (reply->kind == RSP_REPLY_CHUNK)
		target_take_doc(t, s);
	else if (reply->kind == RSP_REPLY_BYTES && (t->cmd.op == RSP_OP_MONITOR || t->cmd.op == RSP_OP_THREAD_EXTRA))
		say_text(t, s, now);
	else
		say_reply(s, reply);
	return 0;
}

static int parted(struct target *t, uint64_t now)
{
	struct session *s = asker(t);

	(void)now;
	if (!target_cache_part(t, s) && s)
		session_tell(s, SESSION_PART, &(struct session_news){ .reply = &t->news.reply });
	return 0;
}

static int bury(struct target *t, uint64_t now)
{
	t->guard = *t->be->ops->guard(t->be);
	t->guard.kept_n = 0;
	t->grave = t->be;
	t->be = NULL;
	redial_later(t, now);
	return 0;
}

/* The audit has it once for each reason, and so has the log, unless it is to say more: it is tried again and again. */
static int not_met(struct target *t, uint64_t now)
{
	bool is_news = strcmp(t->why, t->not_met) != 0;

	if (is_news)
		note(t, AUDIT_TARGET_LOST, t->why);
	snprintf(t->not_met, sizeof t->not_met, "%s", t->why);
	log_line(is_news ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "%s: the target at %s cannot be used: %s; trying again", t->setup.name,
	         t->setup.address, t->why);
	return bury(t, now);
}

static int lose(struct target *t, uint64_t now)
{
	struct session *s = asker(t);
	char words[RSP_ERROR_TEXT];

	snprintf(words, sizeof words, "kdgate: target %s is lost: %s\n", t->setup.name, t->why);
	log_line(LOG_LEVEL_WARNING, "%s: target lost: %s", t->setup.name, t->why);
	note(t, AUDIT_TARGET_LOST, t->why);
	tell_all(t, SESSION_PRINT, &(struct session_news){ .text = span_of(words) });
	words[strlen(words) - 1] = 0;
	if (s)
		session_refuse(s, words);
	for (unsigned i = 0; i < t->slots_n; i++) /* a stub that comes back may still have them */
		breaks_leave(&t->breaks, i);
	t->internal = t->threads_known = t->doc.known = false;
	target_cache_drop(t);
	t->lift = LIFT_NONE;
	t->ran = t->state == TARGET_RUNNING;
	return bury(t, now);
}

static int leave(struct target *t, uint64_t now)
{
	(void)now;
	t->be->ops->leave(t->be);
	return 0;
}

static const char *how_left(const struct target *t)
{
	if (t->state == TARGET_OPENING)
		return ": it had not been met";
	return breaks_count(&t->breaks) ? ", with breakpoints that could not be removed" : ", running, without breakpoints";
}

static int shut(struct target *t, uint64_t now)
{
	(void)now;
	if (!t->be)
		return 0;
	t->grave = t->be;
	t->be = NULL;
	log_line(LOG_LEVEL_NOTICE, "%s: target left%s", t->setup.name, how_left(t));
	return 0;
}

static const struct row {
	enum target_state state;
	enum target_event ev;
	int (*action)(struct target *t, uint64_t now);
	enum target_state next;
} rows[] = {
	{ TARGET_AWAY,    TARGET_DUE,          dial,     TARGET_OPENING },
	{ TARGET_LOST,    TARGET_DUE,          dial,     TARGET_OPENING },
	{ TARGET_OPENING, TARGET_SAYS_STOPPED, met,      TARGET_STOPPED },
	{ TARGET_OPENING, TARGET_SAYS_RUNS,    NULL,     TARGET_RUNNING },
	{ TARGET_OPENING, TARGET_GONE,         not_met,  TARGET_AWAY },
	{ TARGET_STOPPED, TARGET_TAKES,        NULL,     TARGET_ASKED },
	{ TARGET_STOPPED, TARGET_LEAVES,       leave,    TARGET_LEAVING },
	{ TARGET_ASKED,   TARGET_SAYS_REPLY,   answered, TARGET_STOPPED },
	{ TARGET_ASKED,   TARGET_SAYS_PART,    parted,   TARGET_ASKED },
	{ TARGET_ASKED,   TARGET_SAYS_RUNS,    resumed,  TARGET_RUNNING },
	{ TARGET_RUNNING, TARGET_SAYS_STOPPED, stopped,  TARGET_STOPPED },
	{ TARGET_LEAVING, TARGET_GONE,         shut,     TARGET_CLOSED },
	{ TARGET_CLOSED,  TARGET_GONE,         NULL,     TARGET_CLOSED },
	{ TARGET_ANY,     TARGET_SHUTS,        shut,     TARGET_CLOSED },
	{ TARGET_ANY,     TARGET_SAYS_TEXT,    printed,  TARGET_ANY },
	{ TARGET_ANY,     TARGET_SAYS_CONSOLE, heard_console, TARGET_ANY },
	{ TARGET_ANY,     TARGET_GONE,         lose,     TARGET_LOST },
};

/* The last row is also for what the table does not have: a stop of what does not run, an answer to
 * nothing. Who says such things is not to be believed in the rest. */
static const struct row *find(enum target_state state, enum target_event ev)
{
	const struct row *r = rows, *last = rows + sizeof rows / sizeof *rows - 1;

	while (r < last && !(r->ev == ev && (r->state == state || r->state == TARGET_ANY)))
		r++;
	return r;
}

static void set_state(struct target *t, enum target_state next, uint64_t now)
{
	static const enum { NOT_THERE, STANDS, RUNS, LEAVES } looks[TARGET_STATES] = {
		[TARGET_STOPPED] = STANDS, [TARGET_ASKED] = STANDS, [TARGET_RUNNING] = RUNS, [TARGET_LEAVING] = LEAVES,
		[TARGET_CLOSED] = LEAVES,
	};

	next = next == TARGET_ANY ? t->state : next;
	if (looks[next] != looks[t->state])
		t->since = now;
	t->state = next;
}

void target_event(struct target *t, enum target_event ev, uint64_t now)
{
	const struct row *r = find(t->state, ev);

	if (!r->action || r->action(t, now) == 0)
		set_state(t, r->next, now);
}
