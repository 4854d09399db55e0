/* session_step.c - what a session does in a turn: read, take one thing, write. See session.h. */
#include "proxy/session.h"

#include "backends/link/link.h"

#include <errno.h>
#include <string.h>

static int leave(struct session *s, const char *why, uint64_t now)
{
	session_audit(s, (struct audit_event){ .what = AUDIT_MALFORMED, .text = why });
	session_leave(s, why, now);
	return SESSION_MOVED;
}

static int answer_byte(struct session *s, uint8_t c)
{
	return s->no_ack || buf_put_u8(&s->out, c) == 0 ? SESSION_MOVED : -ENOBUFS;
}

static int on_packet(struct session *s, uint64_t now)
{
	int rc = answer_byte(s, '+'); /* before the target is asked: else the client sends it again */

	s->greeted = true;
	s->packets++;
	return rc < 0 ? rc : session_take_packet(s, now);
}

/* Framed well, and still no packet of this protocol: it is answered, and changes nothing. */
static int on_malformed(struct session *s, uint64_t now, const char *what)
{
	int rc = answer_byte(s, '+');

	if (++s->malformed > SESSION_MALFORMED)
		return leave(s, "it sends only malformed packets", now);
	s->cmd = (struct rsp_cmd){ 0 };
	session_audit(s, (struct audit_event){ .what = AUDIT_MALFORMED, .text = what });
	session_error(s, what);
	return rc;
}

/* A second request for the last reply is gdb's way to say that it waits; over a stream nothing was lost. */
static int on_badsum(struct session *s, uint64_t now)
{
	if (s->no_ack || ++s->malformed > SESSION_MALFORMED)
		return leave(s, "its packets have wrong checksums", now);
	return answer_byte(s, '-');
}

static int on_noise(struct session *s, uint64_t now)
{
	return ++s->noise > SESSION_NOISE ? leave(s, "it does not speak the GDB remote protocol", now) : SESSION_MOVED;
}

static int stop_waiting(struct session *s)
{
	session_stop_waiting(s);
	return SESSION_MOVED;
}

void session_stop_waiting(struct session *s)
{
	struct rsp_stop stop = { .code = 2, .has_thread = s->stopped.tid != 0, .thread = s->stopped };

	session_tell(s, SESSION_STOP, &(struct session_news){ .stop = &stop });
}

static int break_in(struct session *s)
{
	session_used(s, RSP_EFF_RUN);
	return SESSION_BREAK;
}

/* One's own command may always be cut short; the running target only by the controller. */
static int on_break(struct session *s)
{
	switch (s->state) {
	case SESSION_QUEUED:
		session_refuse(s, "interrupted");
		return SESSION_MOVED;
	case SESSION_RUNNING:
		return s->role == SESSION_CONTROLLER ? break_in(s) : stop_waiting(s);
	case SESSION_ASKED:
		return SESSION_BREAK;
	case SESSION_IDLE: /* a stub that kept it would stop at once after the next resume */
	case SESSION_RESUMING:
	case SESSION_DRAINING:
	case SESSION_DEAD:
	case SESSION_STATES:
		break;
	}
	return SESSION_MOVED;
}

static int on_event(struct session *s, enum rsp_event ev, uint64_t now)
{
	switch (ev) {
	case RSP_PACKET:
		return on_packet(s, now);
	case RSP_BREAK:
		return on_break(s);
	case RSP_BADSUM:
		return on_badsum(s, now);
	case RSP_TOOBIG:
		return on_malformed(s, now, "the packet is too long");
	case RSP_MALFORMED:
		return on_malformed(s, now, "the packet is malformed");
	case RSP_BROKEN:
		return leave(s, "its packets are broken", now);
	case RSP_NOISE:
		return on_noise(s, now);
	case RSP_NONE:
	case RSP_NOTIFY:
	case RSP_ACK:
	case RSP_NAK: /* gdb sends it at every time-out, in no-ack mode too; a stream has lost nothing */
	case RSP_EVENTS:
		break;
	}
	return SESSION_MOVED;
}

/* What may not be taken now stays unread, and that is how a client is made to wait. */
static bool may_take(const struct session *s, uint8_t c)
{
	bool ack = c == '+' || c == '-', brk = c == 0x03;

	if (buf_room(&s->out) < s->out.cap / 2)
		return false;
	if (rsp_framer_midway(&s->framer))
		return s->state == SESSION_IDLE;
	return s->state == SESSION_IDLE || ack || (brk && s->state != SESSION_RESUMING);
}

/* Half a packet may not stand for long. */
static int overdue(struct session *s, uint64_t now)
{
	if (!rsp_framer_midway(&s->framer))
		s->framed = NEVER;
	else if (s->framed == NEVER)
		s->framed = now;
	if (s->framed != NEVER && now >= s->framed + SESSION_FRAME_MS)
		return leave(s, "it began a packet and did not end it", now);
	if (!s->greeted && now >= s->born + SESSION_FIRST_MS)
		return leave(s, "it connected and said nothing", now);
	return 0;
}

/* A stop may be long in coming. Who has said more than may be taken before it is still seen to go. */
static bool may_look_ahead(const struct session *s)
{
	return s->state == SESSION_RUNNING && s->in.len && s->in.cap - s->in.len >= s->ahead.cap;
}

static int look_ahead(struct session *s, uint64_t now)
{
	int rc = may_look_ahead(s) ? link_recv(s->client, &s->ahead, now) : 0;

	if (rc != 1)
		return rc;
	buf_pack(&s->in);
	return buf_put_span(&s->in, buf_span(&s->ahead)) < 0 ? -ENOBUFS : SESSION_MOVED;
}

static int hear(struct session *s, uint64_t now)
{
	int rc = s->in.len ? 1 : link_recv(s->client, &s->in, now);
	enum rsp_event ev;

	if (rc < 0)
		return rc;
	if (rc == 0 || !may_take(s, *buf_data(&s->in)))
		return s->state == SESSION_IDLE ? overdue(s, now) : look_ahead(s, now);
	rc = buf_pull(&s->in, rsp_framer_feed(&s->framer, buf_span(&s->in), &ev));
	if (ev != RSP_NONE)
		s->framed = NEVER;
	if (!rc)
		rc = on_event(s, ev, now);
	return rc;
}

/* gdb takes "no answer" for an answer after a while; any notification makes it wait on. lldb would take it for
 * the answer, and is never sent one. */
static bool wants_beat(const struct session *s)
{
	bool waits = s->state == SESSION_QUEUED || s->state == SESSION_ASKED || (s->state == SESSION_RUNNING && !s->met);

	return waits && !s->dialect.lldb && !s->part.open;
}

static int keep_alive(struct session *s, uint64_t now)
{
	if (!wants_beat(s) || now < s->beat)
		return 0;
	s->beat = now + SESSION_BEAT_MS;
	return buf_put_text(&s->out, "%kdgate:wait#5f");
}

static int speak(struct session *s, uint64_t now)
{
	size_t before = s->out.len;
	int rc = before ? link_send(s->client, &s->out, now) : 0;

	buf_pack(&s->out);
	if (rc && rc != -EAGAIN)
		return rc;
	return s->out.len < before ? SESSION_MOVED : 0;
}

static int converse(struct session *s, uint64_t now)
{
	int rc = hear(s, now);

	if (!rc)
		rc = keep_alive(s, now);
	return rc ? rc : speak(s, now);
}

static int drain(struct session *s, uint64_t now)
{
	int rc = now < s->drained ? link_recv(s->client, &s->in, now) : -ETIMEDOUT;

	if (!rc)
		rc = speak(s, now);
	return rc || s->out.len ? rc : -ESHUTDOWN;
}

static int rest(struct session *s, uint64_t now)
{
	(void)s, (void)now;
	return 0;
}

static int (*const does[SESSION_STATES])(struct session *, uint64_t) = {
	[SESSION_IDLE] = converse,     [SESSION_QUEUED] = converse,  [SESSION_ASKED] = converse,
	[SESSION_RESUMING] = converse, [SESSION_RUNNING] = converse, [SESSION_DRAINING] = drain,
	[SESSION_DEAD] = rest,
};

int session_step(struct session *s, uint64_t now)
{
	int rc = does[s->state](s, now);

	if (rc < 0) {
		s->why = s->why ? s->why : rc == -EPIPE ? "it closed the connection" : strerror(-rc);
		session_tell(s, SESSION_LOST, NULL);
	}
	return rc;
}

struct wait session_wait(const struct session *s)
{
	struct wait w = wait_none();

	if (s->state == SESSION_DEAD)
		return w;
	link_wait(s->client, &w);
	w.read = !s->in.len || may_look_ahead(s) || s->state == SESSION_DRAINING;
	if (s->state == SESSION_DRAINING)
		wait_until(&w, s->drained);
	if (!s->greeted && session_lives(s))
		wait_until(&w, s->born + SESSION_FIRST_MS);
	if (s->framed != NEVER && session_lives(s))
		wait_until(&w, s->framed + SESSION_FRAME_MS);
	if (s->state == SESSION_QUEUED)
		wait_until(&w, s->asked + SESSION_WAIT_MS);
	if (session_is_due_a_stop(s))
		wait_until(&w, s->asked + SESSION_STOP_MS);
	if (wants_beat(s))
		wait_until(&w, s->beat);
	return w;
}
