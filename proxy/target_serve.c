/* target_serve.c - who is next, and what is done with a command. See target.h. */
#include "proxy/target_parts.h"

#include "rsp/tdesc.h"

#include <errno.h>

static int refuse(struct session *s, const char *words)
{
	session_refuse(s, words);
	return 1;
}

/* cmd: the client's own, or what is asked in its place. 0: it was; else its client has been told why not. */
static int submit(struct target *t, struct session *s, const struct rsp_cmd *cmd, uint64_t now)
{
	bool resumes = s->cmd.op == RSP_OP_RESUME || s->cmd.op == RSP_OP_REVERSE;
	int rc = t->be->ops->submit(t->be, cmd);

	if (rc && s->cmd.op == RSP_OP_BREAK_SET)
		breaks_gone(&t->breaks, target_breakpoint_of(&s->cmd));
	if (rc == -EOPNOTSUPP)
		session_unsupported(s);
	else if (rc)
		session_refuse(s, "kdgate: the target cannot be asked that");
	if (rc)
		return rc;
	target_takes(t, cmd, false, now);
	session_tell(s, resumes ? SESSION_RESUMED : SESSION_TAKEN, NULL);
	return 0;
}

static int hand_over(struct target *t, struct session *s, uint64_t now)
{
	(void)submit(t, s, &s->cmd, now);
	return 1;
}

static int break_set(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	int rc = breaks_own(&t->breaks, target_breakpoint_of(&s->cmd), slot);

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
	struct breakpoint bp = breaks_as_set(&t->breaks, target_breakpoint_of(&s->cmd));

	s->cmd.len = bp.kind;
	if (breaks_disown(&t->breaks, bp, slot) > 0)
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

static int fetch(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	(void)slot;
	s->cmd.which = s->dialect.lldb ? 'l' : 'g';
	if (target_wants_doc(t, s))
		return hand_over(t, s, now);
	session_unsupported(s);
	return 1;
}

static int read_through(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	struct rsp_cmd cmd;

	(void)slot;
	if (!target_cache_asks(t, s, &cmd))
		return hand_over(t, s, now);
	if (submit(t, s, &cmd, now) == 0)
		target_cache_asked(t, s);
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

/* A target of 32 bits takes the low half of a longer address for the whole, and goes on at 0 behind its last byte: what ranges deny would have
 * other names. Of a read, what is there is left. */
static bool has_address(const struct target *t, struct rsp_cmd *cmd)
{
	bool reads = cmd->op == RSP_OP_MEM_READ || cmd->op == RSP_OP_MEM_READ_BIN;
	uint64_t room = (uint64_t)UINT32_MAX + 1 - cmd->addr;

	if (!cmd->has_addr || cmd->effects == RSP_EFF_QUERY || tdesc_word_bytes(t->be->ops->info(t->be)->tdesc) > 4)
		return true;
	if (cmd->addr > UINT32_MAX || (cmd->len > room && !reads))
		return false;
	cmd->len = cmd->len < room ? cmd->len : room;
	return true;
}

static int act(struct target *t, struct session *s, unsigned slot, uint64_t now)
{
	static int (*const acts[RSP_OPS])(struct target *, struct session *, unsigned, uint64_t) = {
		[RSP_OP_BREAK_SET] = break_set,
		[RSP_OP_BREAK_CLEAR] = break_clear,
		[RSP_OP_RESUME] = resume,
		[RSP_OP_XFER_READ] = fetch,
		[RSP_OP_MEM_READ] = read_through,
		[RSP_OP_MEM_READ_BIN] = read_through,
		[RSP_OP_REG_READ] = read_through,
		[RSP_OP_MEM_WRITE] = nothing_to_write,
		[RSP_OP_MEM_WRITE_BIN] = nothing_to_write,
	};

	if (!has_address(t, &s->cmd))
		return refuse(s, "kdgate: the target has no such address");
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

static void break_in(struct target *t, const struct session *s)
{
	session_used(s, RSP_EFF_RUN);
	t->be->ops->interrupt(t->be);
}

static int follow(struct target *t, struct session *s)
{
	if (s->cmd.op == RSP_OP_STATUS && s->role != SESSION_CONTROLLER && s->dialect.lldb)
		return pretend_stop(t, s);
	if (s->cmd.op == RSP_OP_STATUS && s->role == SESSION_CONTROLLER)
		break_in(t, s);
	session_tell(s, SESSION_FOLLOWS, NULL);
	return 1;
}

/* Whoever may run the target and has just come thinks that it stands; so it is made to. lldb asks for threads
 * before it asks whether the target stands. */
static bool stop_for(struct target *t, const struct session *s)
{
	if (t->state != TARGET_RUNNING || s->role != SESSION_CONTROLLER || s->met)
		return false;
	break_in(t, s);
	return true;
}

static bool waits_in_vain(const struct session *s, uint64_t now)
{
	return session_is_due_a_stop(s) && now >= s->asked + SESSION_STOP_MS;
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
	bool late = now >= s->asked + SESSION_WAIT_MS;

	if (target_there(t))
		return late ? refuse(s, "kdgate: the target is busy") : 0;
	if (!s->met)
		return late ? target_turn_away(t, s, now) : hurry(t, now);
	return t->state == TARGET_OPENING && !late ? 0 : target_refuse_away(t, s);
}

/* Of its own accord, and it stands no more, though that may take some targets a while: who comes now finds one that runs. */
static bool goes_on(const struct target *t)
{
	return t->state == TARGET_ASKED && t->internal && t->cmd.op == RSP_OP_RESUME;
}

static int serve(struct target *t, unsigned slot, uint64_t now)
{
	struct session *s = t->slots[slot];

	if (s && waits_in_vain(s, now))
		return target_tell_unheard(t, s);
	if (!s || s->state != SESSION_QUEUED)
		return 0;
	if (s->cmd.op == RSP_OP_OWN && target_monitor(t, s, now))
		return 1;
	if (s->turned_away)
		return target_turn_away(t, s, now);
	if (target_lifting(t) || goes_on(t))
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
		return refuse(s, s->unheard ? target_unheard : "kdgate: the target is running");
	return wait_or_refuse(t, s, now);
}

/* A step of its own is gone through with first, unless the program can wait no longer. */
static bool busy_with_itself(const struct target *t, uint64_t now)
{
	return target_lifting(t) && !(t->closing && now >= t->deadline);
}

/* Round and round: whoever was served is asked last. */
int target_serve(struct target *t, uint64_t now)
{
	int moved = busy_with_itself(t, now) ? target_lift_on(t, now) : target_own_affairs(t, now);
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
