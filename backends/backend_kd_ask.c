/* backend_kd_ask.c - requests to a KD target: made, sent, answered, given up. */
#include "backends/backend_kd_parts.h"

int backend_kd_ask(struct backend_kd *b, const struct kd_request *r)
{
	buf_reset(&b->req.payload, 0);
	if (kd_request_put(&b->req.payload, r) < 0)
		return -EINVAL;
	b->req.asked = *r;
	b->req.asked.data = (struct span){ 0 };
	b->req.state = BACKEND_KD_UNSENT;
	b->req.by_report = b->req.going = false;
	b->req.asks = 0;
	return 0;
}

int backend_kd_ask_report(struct backend_kd *b, const struct kd_request *r)
{
	int rc = backend_kd_ask(b, r);

	b->req.by_report = rc == 0;
	return rc;
}

bool backend_kd_answer(struct backend_kd *b)
{
	bool was = b->req.state == BACKEND_KD_ANSWERED;

	if (was)
		b->req.state = BACKEND_KD_NO_REQUEST;
	return was;
}

void backend_kd_drop_answer(struct backend_kd *b)
{
	(void)!backend_kd_answer(b);
}

void backend_kd_settle(struct backend_kd_request *q, struct kd_reply reply)
{
	q->state = BACKEND_KD_ANSWERED;
	q->unreplied = false;
	q->reply = reply;
}

/* A resume that a RESET had to follow was not heard: a target that runs hears no RESET either. */
void backend_kd_void_request(struct backend_kd *b)
{
	bool again;

	if (!backend_kd_is_asking(b))
		return;
	again = kd_api_info(b->req.asked.api)->idempotent || (b->req.going && !b->restarted);
	if (again && ++b->req.asks < BACKEND_KD_ASKS) {
		b->req.state = BACKEND_KD_UNSENT;
		return;
	}
	backend_kd_settle(&b->req, (struct kd_reply){ .status = KD_UNSUCCESSFUL });
	if (b->req.asked.api == KD_WRITE_BREAKPOINT)
		backend_kd_breaks_doubt(&b->breaks); /* it may be in, with a handle that nobody knows */
}

/* Of a target that was just met nobody knows which id it expects: it drops one first request in two, and a RESET mends that. */
static unsigned patience(const struct backend_kd *b)
{
	bool may_be_dropped = b->state == BACKEND_KD_LEARN && b->req.asks + 1 < BACKEND_KD_ASKS;

	if (b->req.going)
		return backend_kd_is_net(b) ? BACKEND_KD_GO_NET_MS : BACKEND_KD_GO_MS;
	return may_be_dropped ? BACKEND_KD_KNOCK_MS : BACKEND_KD_ANSWER_MS;
}

static bool send_request(struct backend_kd *b, uint64_t now)
{
	const struct kd_api_info *api = kd_api_info(b->req.asked.api);

	if (b->req.state != BACKEND_KD_UNSENT ||
	    kd_wire_send(&b->line.wire, KD_TYPE_MANIPULATE, buf_span(&b->req.payload), (struct span){ 0 }) < 0)
		return false;
	b->req.state = BACKEND_KD_ASKING;
	b->req.unreplied = !api->has_reply && !b->req.by_report;
	b->req.answer_by = now + patience(b);
	return true;
}

static bool send_promise(struct backend_kd *b)
{
	struct span promise = buf_span(&b->said.promise);

	if (!promise.len || backend_kd_storms(b) || kd_wire_send(&b->line.wire, b->said.promise_type, promise, (struct span){ 0 }) < 0)
		return false;
	buf_reset(&b->said.promise, 0);
	return true;
}

static int flush_out(struct backend_kd_line *l, uint64_t now)
{
	size_t before = l->out.len;
	int rc = before ? link_send(l->link, &l->out, now) : 0;

	if (rc < 0 && rc != -EAGAIN)
		return rc;
	if (rc == 0)
		buf_reset(&l->out, 0);
	return l->out.len < before;
}

/* A packet is a datagram. */
static int send_each(struct backend_kd_line *l, uint64_t now)
{
	int moved = 0, rc = flush_out(l, now);

	while (rc >= 0 && !l->out.len && kd_wire_next(&l->wire, &l->out, now) == 1) {
		moved = 1;
		rc = flush_out(l, now);
	}
	return rc < 0 ? rc : moved | rc;
}

static int send_stream(struct backend_kd_line *l, uint64_t now)
{
	int moved = 0, rc;

	if (l->out.off)
		buf_pack(&l->out);
	while (kd_wire_next(&l->wire, &l->out, now) == 1)
		moved = 1;
	rc = flush_out(l, now);
	return rc < 0 ? rc : moved | rc;
}

int backend_kd_send(struct backend_kd_line *l, uint64_t now)
{
	return l->wire.dialect == KD_WIRE_NET ? send_each(l, now) : send_stream(l, now);
}

/* What the target waits for goes before what we want of it. */
int backend_kd_push(struct backend_kd *b, uint64_t now)
{
	bool moved = kd_wire_idle(&b->line.wire) && (send_promise(b) || send_request(b, now));
	int rc = backend_kd_send(&b->line, now);

	return rc < 0 ? rc : moved | rc;
}

/* A machine that runs acknowledges nothing, and hears no RESET: it has been let run, and that was lost. If it stands all the same, a
 * break-in makes it say so. */
static bool goes_surely(struct backend_kd *b)
{
	if (!b->req.going || !b->req.asks)
		return false;
	backend_kd_settle(&b->req, (struct kd_reply){ .status = KD_SUCCESS });
	return true;
}

/* The request may have been dropped without a word: then its stream of ids is not ours, and a RESET mends that. */
int backend_kd_late(struct backend_kd *b, uint64_t now)
{
	if (!backend_kd_is_asking(b) || now < b->req.answer_by)
		return 0;
	if (kd_wire_rests(&b->line.wire)) {
		b->req.answer_by = now + patience(b);
		return 0;
	}
	if (goes_surely(b))
		return 0;
	if (++b->req.asks >= BACKEND_KD_ASKS) {
		b->why = "it does not answer any more, though it takes what is sent (the machine hangs, or another debugger has the line?)";
		return -ETIMEDOUT;
	}
	guard_note(&b->guard, GUARD_REPLY, "no answer to %s", kd_api_info(b->req.asked.api)->name);
	kd_wire_reset(&b->line.wire);
	b->req.answer_by = now + patience(b);
	return 0;
}

/* What comes after that nobody asked for is an answer that came twice, or late. */
int backend_kd_hear_reply(struct backend_kd *b, struct span payload)
{
	struct kd_reply reply;
	int rc = backend_kd_is_asking(b) ? kd_reply_parse(payload, &b->req.asked, &reply) : -EBADMSG;

	if (rc == -EBADMSG) {
		guard_note(&b->guard, GUARD_UNASKED, "an answer that nobody waits for");
		return BACKEND_MOVED;
	}
	if (rc < 0) {
		guard_note(&b->guard, GUARD_REPLY, "an answer to %s whose lengths cannot be", kd_api_info(b->req.asked.api)->name);
		reply = (struct kd_reply){ .status = KD_UNSUCCESSFUL };
	}
	buf_reset(&b->req.data, 0);
	if (buf_put_span(&b->req.data, reply.version.len ? reply.version : reply.data) < 0)
		reply.data.len = 0;
	reply.data = reply.version = buf_span(&b->req.data);
	backend_kd_settle(&b->req, reply);
	kd_wire_answered(&b->line.wire);
	backend_kd_keep(b);
	return BACKEND_MOVED;
}
