/* target_serve.c - who is next, and what is done with a command. See target.h. */
#include "proxy/target.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

bool target_there(const struct target *t)
{
	return t->state == TARGET_STOPPED || t->state == TARGET_ASKED || t->state == TARGET_RUNNING;
}

static struct breakpoint breakpoint_of(const struct rsp_cmd *cmd)
{
	return (struct breakpoint){ .type = (unsigned)cmd->num[0], .addr = cmd->addr, .kind = cmd->len };
}

static void take(struct target *t, const struct rsp_cmd *cmd, bool internal, uint64_t now)
{
	t->cmd.op = cmd->op;
	t->cmd.addr = cmd->addr;
	t->cmd.len = cmd->len;
	t->cmd.num[0] = cmd->num[0];
	t->internal = internal;
	target_event(t, TARGET_TAKES, now);
}

static int hand_over(struct target *t, struct session *s, uint64_t now)
{
	bool resumes = s->cmd.op == RSP_OP_RESUME || s->cmd.op == RSP_OP_REVERSE;
	int rc = t->be->ops->submit(t->be, &s->cmd);

	if (rc && s->cmd.op == RSP_OP_BREAK_SET)
		breaks_gone(&t->breaks, breakpoint_of(&s->cmd));
	if (rc == -EOPNOTSUPP)
		session_unsupported(s);
	else if (rc)
		session_refuse(s, "kdgate: the target cannot be asked that");
	if (rc)
		return 1;
	take(t, &s->cmd, false, now);
	session_tell(s, resumes ? SESSION_RESUMED : SESSION_TAKEN, NULL);
	return 1;
}

static int break_set(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	int rc = breaks_own(&t->breaks, breakpoint_of(&s->cmd), slot);

	if (rc > 0)
		return hand_over(t, s, now);
	if (rc < 0)
		session_error(s, "kdgate: too many breakpoints");
	else
		session_ok(s);
	return 1;
}

/* One that is not this client's is not there for it: removing it is done already, and another's stays. */
static int break_clear(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	if (breaks_disown(&t->breaks, breakpoint_of(&s->cmd), slot) > 0)
		return hand_over(t, s, now);
	session_ok(s);
	return 1;
}

/* gdb asks whether X is understood by writing nothing. */
static int nothing_to_write(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	(void)slot;
	if (s->cmd.len)
		return hand_over(t, s, now);
	session_ok(s);
	return 1;
}

static int plain(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	(void)slot;
	return hand_over(t, s, now);
}

static int resume(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	return target_lift(t, slot, now) ? 1 : hand_over(t, s, now);
}

static int act(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	static int (*const acts[RSP_OPS])(struct target *, struct session *, unsigned, uint64_t) = {
		[RSP_OP_BREAK_SET] = break_set,
		[RSP_OP_BREAK_CLEAR] = break_clear,
		[RSP_OP_RESUME] = resume,
		[RSP_OP_MEM_WRITE] = nothing_to_write,
		[RSP_OP_MEM_WRITE_BIN] = nothing_to_write,
	};

	return (acts[s->cmd.op] ? acts[s->cmd.op] : plain)(t, s, slot, now);
}

/* A resume of what runs, or a question how it stopped, is answered by the next stop. To follow where nobody can
 * lead would be to wait for ever. */
static bool follows(const struct target *t, const struct session *s)
{
	bool runs = t->state == TARGET_RUNNING;

	if (s->cmd.op == RSP_OP_FOLLOW)
		return target_there(t) && (runs || target_leader(t));
	return runs && (s->cmd.op == RSP_OP_RESUME || s->cmd.op == RSP_OP_REVERSE || s->cmd.op == RSP_OP_STATUS);
}

/* lldb does not wait for a first stop; it is given one that is none, and reads nothing until it follows to the next. */
static int pretend_stop(struct target *t, struct session *s)
{
	struct rsp_stop stop = { .code = 5, .has_thread = t->stop.has_thread, .thread = t->stop.thread,
	                         .words = "kdgate: the target is running; continue follows it to its next stop" };

	session_tell(s, SESSION_STATUS, &(struct session_news){ .stop = &stop });
	return 1;
}

static int follow(struct target *t, struct session *s)
{
	if (s->cmd.op == RSP_OP_STATUS && s->role != SESSION_CONTROLLER && s->dialect.lldb)
		return pretend_stop(t, s);
	if (s->cmd.op == RSP_OP_STATUS && s->role == SESSION_CONTROLLER)
		t->be->ops->interrupt(t->be);
	session_tell(s, SESSION_FOLLOWS, NULL);
	return 1;
}

/* Whoever may run the target and has just come thinks that it stands; so it is made to. lldb asks for threads
 * before it asks whether the target stands. */
static bool stop_for(struct target *t, const struct session *s)
{
	if (t->state != TARGET_RUNNING || s->role != SESSION_CONTROLLER || s->met)
		return false;
	t->be->ops->interrupt(t->be);
	return true;
}

static void away_words(const struct target *t, char *words, size_t size)
{
	snprintf(words, size, "kdgate: target %s is away%s%s", t->setup.name, *t->why ? ": " : "", t->why);
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
static int turn_away(struct target *t, struct session *s, uint64_t now)
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

static int refuse(struct session *s, const char *words)
{
	session_refuse(s, words);
	return 1;
}

/* Somebody waits, and not for long: the back-off is for when nobody does. */
static int hurry(struct target *t, uint64_t now)
{
	enum { HURRY_MS = 500 };

	if (!t->be && t->deadline > now + HURRY_MS)
		t->deadline = now + HURRY_MS;
	return 0;
}

/* In the other states a command may wait, for as long as its client will. */
static int wait_or_refuse(struct target *t, struct session *s, uint64_t now)
{
	char words[RSP_ERROR_TEXT];
	bool late = now >= s->asked + SESSION_WAIT_MS;

	away_words(t, words, sizeof words);
	if (target_there(t) && late)
		return refuse(s, "kdgate: the target is busy");
	if (target_there(t))
		return 0;
	if (!s->met)
		return late ? turn_away(t, s, now) : hurry(t, now);
	return t->state == TARGET_OPENING && !late ? 0 : refuse(s, words);
}

static int serve(struct target *t, unsigned slot, uint64_t now)
{
	struct session *s = t->slots[slot];

	if (!s || s->state != SESSION_QUEUED)
		return 0;
	if (s->turned_away)
		return turn_away(t, s, now);
	if (target_lifting(t))
		return now < s->asked + SESSION_WAIT_MS ? 0 : refuse(s, "kdgate: the target is busy");
	if (follows(t, s))
		return follow(t, s);
	if (target_there(t) && target_tell(t, s))
		return 1;
	if (s->cmd.op == RSP_OP_FOLLOW && target_there(t))
		return refuse(s, "kdgate: the target stands, and nobody is connected who may run it");
	if (t->state == TARGET_STOPPED)
		return act(t, s, slot, now);
	if (t->state == TARGET_RUNNING && !stop_for(t, s))
		return refuse(s, "kdgate: the target is running");
	return wait_or_refuse(t, s, now);
}

int target_submit(struct target *t, const struct rsp_cmd *cmd, uint64_t now)
{
	if (t->be->ops->submit(t->be, cmd) < 0)
		return -1;
	take(t, cmd, true, now);
	return 0;
}

/* Before anybody's next command: what an owner left behind. */
static int remove_orphan(struct target *t, uint64_t now)
{
	static const char *const names[BREAKS_TYPES] = { "z0,", "z1,", "z2,", "z3,", "z4," };
	struct breakpoint bp;
	struct rsp_cmd clear;

	if (t->state != TARGET_STOPPED || !breaks_orphan(&t->breaks, &bp))
		return 0;
	rsp_cmd_make(&clear, names[bp.type]);
	clear.num[0] = bp.type;
	clear.addr = bp.addr;
	clear.len = bp.kind;
	if (target_submit(t, &clear, now) < 0)
		breaks_gone(&t->breaks, bp);
	return 1;
}

/* Nobody leads the target any more, and it is not to stand until somebody does. */
static int release(struct target *t, uint64_t now)
{
	struct rsp_cmd go;

	if (t->state != TARGET_STOPPED || !t->release || t->closing)
		return 0;
	rsp_cmd_make(&go, "vCont");
	go.actions_n = 1;
	go.actions[0] = (struct rsp_action){ .verb = 'c' };
	if (target_submit(t, &go, now) == 0)
		return 1;
	t->release = false;
	return 0;
}

/* Towards TARGET_CLOSED: stop it if there is something to take out, take it out, leave. */
static int close_down(struct target *t, uint64_t now)
{
	bool late = now >= t->deadline, nothing_left = !breaks_count(&t->breaks);

	if (!t->closing || t->state == TARGET_CLOSED)
		return 0;
	if (late || !t->be || (t->state == TARGET_RUNNING && nothing_left)) {
		target_event(t, TARGET_SHUTS, now);
		return 1;
	}
	if (t->state == TARGET_RUNNING)
		t->be->ops->interrupt(t->be);
	if (t->state != TARGET_STOPPED)
		return 0;
	target_event(t, TARGET_LEAVES, now);
	return 1;
}

static int own_affairs(struct target *t, uint64_t now)
{
	if (target_lifting(t) && !(t->closing && now >= t->deadline))
		return target_lift_on(t, now);
	return remove_orphan(t, now) || close_down(t, now) || release(t, now);
}

/* Round and round: whoever was served is asked last. */
int target_serve(struct target *t, uint64_t now)
{
	int moved = own_affairs(t, now);
	unsigned first = t->turn;

	for (unsigned i = 0; i < t->slots_n; i++) {
		unsigned slot = (first + i) % t->slots_n;

		if (!serve(t, slot, now))
			continue;
		t->turn = (slot + 1) % t->slots_n;
		moved = 1;
	}
	return moved;
}
