/* session.c - a client's states as a table, and what is said to it. See session.h. */
#include "proxy/session.h"

#include "backends/link/link.h"
#include "proxy/audit_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int session_init(struct session *s, const struct session_who *who, struct link *client, uint64_t now)
{
	*s = (struct session){ .who = *who, .born = now, .framed = NEVER };
	if (rsp_framer_init(&s->framer, RSP_STRICT, SESSION_PACKET) < 0 || buf_init(&s->in, SESSION_PACKET) < 0 ||
	    buf_init(&s->ahead, SESSION_AHEAD) < 0 || buf_init(&s->out, SESSION_OUT) < 0 || buf_init(&s->held, SESSION_HELD) < 0) {
		session_fini(s);
		return -ENOMEM;
	}
	s->client = client;
	return 0;
}

void session_fini(struct session *s)
{
	link_destroy_stack(s->client);
	s->client = NULL;
	rsp_framer_fini(&s->framer);
	buf_fini(&s->in);
	buf_fini(&s->ahead);
	buf_fini(&s->out);
	buf_fini(&s->held);
}

bool session_lives(const struct session *s)
{
	return s->state < SESSION_DRAINING;
}

bool session_is_due_a_stop(const struct session *s)
{
	return s->state == SESSION_RUNNING && s->cmd.op == RSP_OP_STATUS && s->role == SESSION_CONTROLLER;
}

static int say_part(struct session *s, const struct session_news *news)
{
	return rsp_part_put(&s->out, &s->cmd, news->reply->bytes, &s->part);
}

/* Whatever ends a read of which a part has gone, it is a short read. */
static int end_part(struct session *s, struct span bytes)
{
	int rc = rsp_part_put(&s->out, &s->cmd, bytes, &s->part);

	return rc ? rc : rsp_part_end(&s->out, &s->part);
}

static int say_no(struct session *s, const struct session_news *news)
{
	return s->part.open ? end_part(s, (struct span){ 0 }) : session_say_refusal(s, news);
}

/* What a transition does. k and R have no answer in gdb's view; lldb's k waits for an end. */
static int say(struct session *s, const struct session_news *news)
{
	if (s->cmd.spec && s->cmd.spec->form == RSP_FORM_NONE)
		return s->dialect.lldb ? rsp_say_text(&s->out, "X09") : 0;
	if (s->part.open)
		return end_part(s, news->reply->kind == RSP_REPLY_BYTES ? news->reply->bytes : (struct span){ 0 });
	return rsp_say_reply(&s->out, &s->dialect, &s->cmd, news->reply);
}

/* The registers that come with a stop are a read like any other. */
static int say_stop(struct session *s, const struct session_news *news)
{
	struct rsp_stop stop = *news->stop;

	s->met = true;
	s->stopped = stop.has_thread ? stop.thread : (struct rsp_thread){ 0 };
	s->general = s->stopped;
	stop.regs_n = policy_grants(s->who.policy, RSP_EFF_REG_READ) ? stop.regs_n : 0;
	session_used(s, stop.regs_n ? RSP_EFF_REG_READ : 0);
	return rsp_say_stop(&s->out, &s->dialect, &stop, news->threads, news->threads_n);
}

static int say_text(struct session *s, const struct session_news *news)
{
	if (2 * news->text.len + 8 <= buf_room(&s->out) / 2)
		return rsp_say_output(&s->out, news->text);
	s->text_lost += news->text.len; /* a client that does not read loses text, not replies */
	return 0;
}

/* RSP has no place for console text but between a resume and its stop, or within a monitor command. */
static int hold_text(struct session *s, const struct session_news *news)
{
	size_t room = buf_room(&s->held), n = news->text.len < room ? news->text.len : room;

	s->text_lost += news->text.len - n;
	return buf_put(&s->held, news->text.p, n);
}

static int say_held(struct session *s, const struct session_news *news)
{
	int rc = s->held.len ? say_text(s, &(struct session_news){ .text = buf_span(&s->held) }) : 0;

	(void)news;
	buf_reset(&s->held, 0);
	return rc;
}

static int say_or_hold(struct session *s, const struct session_news *news)
{
	bool asks = s->cmd.op == RSP_OP_MONITOR || s->cmd.op == RSP_OP_OWN;

	return asks ? say_text(s, news) : hold_text(s, news);
}

/* gdb takes text for the answer to its question how the target stopped, and asks on. */
static int say_to_follower(struct session *s, const struct session_news *news)
{
	return s->cmd.op == RSP_OP_STATUS ? hold_text(s, news) : say_text(s, news);
}

static int say_held_to_follower(struct session *s, const struct session_news *news)
{
	return s->cmd.op == RSP_OP_STATUS ? 0 : say_held(s, news);
}

static const struct row {
	enum session_state state;
	enum session_event ev;
	int (*action)(struct session *s, const struct session_news *news);
	enum session_state next;
} rows[] = {
	{ SESSION_IDLE,     SESSION_ASK,     NULL,        SESSION_QUEUED },
	{ SESSION_IDLE,     SESSION_REPLY,   say,         SESSION_IDLE }, /* answered on the spot */
	{ SESSION_IDLE,     SESSION_REFUSE,  session_say_refusal, SESSION_IDLE },
	{ SESSION_QUEUED,   SESSION_REPLY,   say,         SESSION_IDLE },
	{ SESSION_QUEUED,   SESSION_REFUSE,  session_say_refusal, SESSION_IDLE },
	{ SESSION_QUEUED,   SESSION_STATUS,  say_stop,    SESSION_IDLE },
	{ SESSION_QUEUED,   SESSION_TAKEN,   NULL,        SESSION_ASKED },
	{ SESSION_QUEUED,   SESSION_RESUMED, NULL,        SESSION_RESUMING },
	{ SESSION_QUEUED,   SESSION_FOLLOWS, say_held_to_follower, SESSION_RUNNING },
	{ SESSION_QUEUED,   SESSION_PRINT,   say_or_hold, SESSION_QUEUED },
	{ SESSION_ASKED,    SESSION_REPLY,   say,         SESSION_IDLE },
	{ SESSION_ASKED,    SESSION_PART,    say_part,    SESSION_ASKED },
	{ SESSION_ASKED,    SESSION_REFUSE,  say_no,      SESSION_IDLE },
	{ SESSION_ASKED,    SESSION_PRINT,   say_or_hold, SESSION_ASKED },
	{ SESSION_RESUMING, SESSION_REPLY,   say,         SESSION_IDLE },
	{ SESSION_RESUMING, SESSION_REFUSE,  session_say_refusal, SESSION_IDLE },
	{ SESSION_RESUMING, SESSION_FOLLOWS, say_held,    SESSION_RUNNING },
	{ SESSION_RUNNING,  SESSION_STOP,    say_stop,    SESSION_IDLE },
	{ SESSION_RUNNING,  SESSION_REPLY,   say,         SESSION_IDLE }, /* there will be no stop */
	{ SESSION_RUNNING,  SESSION_PRINT,   say_to_follower, SESSION_RUNNING },
	{ SESSION_DRAINING, SESSION_PRINT,   NULL,        SESSION_ANY },
	{ SESSION_DRAINING, SESSION_REPLY,   NULL,        SESSION_ANY }, /* it left while it was asked */
	{ SESSION_DRAINING, SESSION_PART,    NULL,        SESSION_ANY },
	{ SESSION_DRAINING, SESSION_REFUSE,  NULL,        SESSION_ANY },
	{ SESSION_DRAINING, SESSION_STATUS,  NULL,        SESSION_ANY },
	{ SESSION_DEAD,     SESSION_LEAVE,   NULL,        SESSION_ANY },
	{ SESSION_DEAD,     SESSION_PRINT,   NULL,        SESSION_ANY },
	{ SESSION_ANY,      SESSION_PRINT,   hold_text,   SESSION_ANY },
	{ SESSION_ANY,      SESSION_STOP,    NULL,        SESSION_ANY },
	{ SESSION_ANY,      SESSION_LEAVE,   NULL,        SESSION_DRAINING },
	{ SESSION_ANY,      SESSION_LOST,    NULL,        SESSION_DEAD },
};

/* The last row is also for what the table does not have. */
static const struct row *find(enum session_state state, enum session_event ev)
{
	const struct row *r = rows, *last = rows + sizeof rows / sizeof *rows - 1;

	while (r < last && !(r->ev == ev && (r->state == state || r->state == SESSION_ANY)))
		r++;
	return r;
}

static void set_state(struct session *s, enum session_state next)
{
	s->state = next == SESSION_ANY ? s->state : next;
	if (s->state == SESSION_DEAD && !s->why)
		s->why = "out of step";
}

void session_tell(struct session *s, enum session_event ev, const struct session_news *news)
{
	static const struct session_news nothing;
	const struct row *r = find(s->state, ev);
	int rc = r->action ? r->action(s, news ? news : &nothing) : 0;

	if (rc < 0)
		s->why = rc == -ENOBUFS ? "it does not read what it is sent" : strerror(-rc);
	set_state(s, rc < 0 ? SESSION_DEAD : r->next);
}

void session_leave(struct session *s, const char *why, uint64_t now)
{
	s->why = s->why ? s->why : why;
	s->drained = now + SESSION_DRAIN_MS;
	session_tell(s, SESSION_LEAVE, NULL);
}

static void reply(struct session *s, struct rsp_reply r)
{
	session_tell(s, SESSION_REPLY, &(struct session_news){ .reply = &r });
}

void session_ok(struct session *s)
{
	reply(s, (struct rsp_reply){ .kind = RSP_REPLY_OK });
}

void session_unsupported(struct session *s)
{
	reply(s, (struct rsp_reply){ .kind = RSP_REPLY_UNSUPPORTED });
}

void session_error(struct session *s, const char *words)
{
	reply(s, (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = 1, .bytes = span_of(words) });
}

void session_text(struct session *s, struct span text)
{
	reply(s, (struct rsp_reply){ .kind = RSP_REPLY_TEXT, .bytes = text });
}

void session_refuse(struct session *s, const char *words)
{
	session_tell(s, SESSION_REFUSE, &(struct session_news){ .words = words });
}

void session_used(const struct session *s, unsigned effects)
{
	if (s->who.learn)
		learn_use(s->who.learn, effects);
}

void session_audit(const struct session *s, struct audit_event ev)
{
	ev.target = s->who.target;
	ev.client = s->who.id;
	ev.who = s->who.peer;
	ev.policy = s->who.policy->name;
	audit_log_write(s->who.audit, &ev);
}
