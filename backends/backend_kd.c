/* backend_kd.c - a Windows kernel over KD as a backend: its states, its turn, what it offers. See backend_kd_parts.h.
 *
 * A conversation with a stopped target is one request at a time; a task is what asks several for one command, and is called again
 * after each answer. */
#include "backends/backend_kd_parts.h"

#include <stddef.h>
#include <stdlib.h>

static int hear_nothing(struct backend_kd *b, const struct kd_packet *p)
{
	guard_note(&b->guard, GUARD_UNASKED, "a packet of type %u", p->type);
	return BACKEND_MOVED;
}

static int hear_manipulate(struct backend_kd *b, const struct kd_packet *p)
{
	return backend_kd_hear_reply(b, p->payload);
}

static int hear_state(struct backend_kd *b, const struct kd_packet *p)
{
	if (backend_kd_syncs(b))
		return BACKEND_MOVED;
	return b->state == BACKEND_KD_KNOCK ? backend_kd_hear_knocking(b, p) : backend_kd_hear_state(b, p);
}

static int hear_data(struct backend_kd *b, const struct kd_packet *p)
{
	static int (*const hears[KD_TYPES])(struct backend_kd *b, const struct kd_packet *p) = {
		[KD_TYPE_STATE_CHANGE32] = hear_state, [KD_TYPE_STATE_CHANGE64] = hear_state, [KD_TYPE_MANIPULATE] = hear_manipulate,
		[KD_TYPE_DEBUG_IO] = backend_kd_hear_io, [KD_TYPE_FILE_IO] = backend_kd_hear_file,
	};

	b->meet.heard = true;
	return (p->type < KD_TYPES && hears[p->type] ? hears[p->type] : hear_nothing)(b, p);
}

static int hear_acked(struct backend_kd *b)
{
	if (backend_kd_is_asking(b) && b->req.unreplied)
		backend_kd_settle(&b->req, (struct kd_reply){ .status = KD_SUCCESS });
	return BACKEND_MOVED;
}

/* It booted, or it had given us up; which of both is seen when it stands next. */
static int hear_restarted(struct backend_kd *b)
{
	if (backend_kd_is_asking(b))
		guard_note(&b->guard, GUARD_UNASKED, "it began anew in the middle of a request");
	b->restarted = true;
	backend_kd_void_request(b);
	return BACKEND_MOVED;
}

/* What is out may have been taken before: its next try may be dropped. The RESET was counted when it went. */
static int hear_reset_done(struct backend_kd *b)
{
	b->req.asks -= backend_kd_is_asking(b) && b->req.asks;
	backend_kd_void_request(b);
	return BACKEND_MOVED;
}

static int hear_packet(struct backend_kd *b, int ev, const struct kd_packet *p)
{
	switch ((enum kd_wire_event)ev) {
	case KD_WIRE_DATA:
		return hear_data(b, p);
	case KD_WIRE_ACKED:
		return hear_acked(b);
	case KD_WIRE_RESTARTED:
		return hear_restarted(b);
	case KD_WIRE_RESET_DONE:
		return hear_reset_done(b);
	case KD_WIRE_NONE:
	case KD_WIRE_MOVED:
		break;
	}
	return BACKEND_MOVED;
}

static void note_noise(struct backend_kd *b)
{
	if (b->line.wire.framer.noise - b->line.noise_told < BACKEND_KD_NOISE_BYTES)
		return;
	b->line.noise_told = b->line.wire.framer.noise;
	guard_note(&b->guard, GUARD_NOISE, "%llu bytes so far that are no KD packet", (unsigned long long)b->line.noise_told);
}

/* The ACK goes before any work on what it is for: a target waits for it. A request does not: what it is for may just change. */
static int listen(struct backend_kd *b, uint64_t now)
{
	struct kd_packet p;
	bool told;
	int ev, rc;

	if (!b->line.in.len && !kd_wire_keeps(&b->line.wire)) {
		rc = link_recv(b->line.link, &b->line.in, now);
		told = backend_kd_remark(b);
		if (rc <= 0)
			return rc < 0 || !told ? rc : BACKEND_MOVED;
		if (!b->line.in.len)
			return backend_kd_join(b, now);
	}
	ev = kd_wire_take(&b->line.wire, &b->line.in, &p, now);
	note_noise(b);
	if (ev < 0) {
		b->why = b->line.wire.why;
		return ev;
	}
	rc = backend_kd_send(&b->line, now);
	return rc < 0 ? rc : hear_packet(b, ev, &p);
}

static int say_nothing(struct backend_kd *b, uint64_t now)
{
	(void)b, (void)now;
	return 0;
}

static int say_gone(struct backend_kd *b, uint64_t now)
{
	(void)now;
	return kd_wire_idle(&b->line.wire) && !b->line.out.len ? -ESHUTDOWN : 0;
}

static const struct {
	int (*say)(struct backend_kd *b, uint64_t now);
	bool timed; /* .deadline counts */
} states[BACKEND_KD_STATES] = {
	[BACKEND_KD_KNOCK] = { backend_kd_knock, true },
	[BACKEND_KD_LEARN] = { say_nothing, false },
	[BACKEND_KD_IDLE] = { say_nothing, false },
	[BACKEND_KD_BUSY] = { say_nothing, false },
	[BACKEND_KD_RUN] = { backend_kd_breaks_in, true },
	[BACKEND_KD_LOOK] = { say_nothing, false },
	[BACKEND_KD_LEAVE] = { say_nothing, false },
	[BACKEND_KD_GONE] = { say_gone, false },
};

static int work(struct backend_kd *b, struct backend_news *news)
{
	return b->task.run && !backend_kd_is_asking(b) && b->req.state != BACKEND_KD_UNSENT ? b->task.run(b, news) : 0;
}

/* Nobody acknowledges an answer to a prompt any more when it was heard, and that was lost: the target runs on. */
static int tick(struct backend_kd *b, uint64_t now)
{
	int rc = kd_wire_tick(&b->line.wire, now);

	if (rc == -ETIMEDOUT && !backend_kd_is_asking(b))
		return 0;
	if (rc < 0)
		b->why = b->line.wire.why;
	return rc;
}

static int speak(struct backend_kd *b, struct backend_news *news, uint64_t now)
{
	int rc = tick(b, now), done;

	if (rc >= 0)
		rc = states[b->state].say(b, now);
	if (rc < 0)
		return rc;
	rc = backend_kd_late(b, now);
	if (rc < 0)
		return rc;
	done = work(b, news);
	if (done < 0)
		return done;
	rc = backend_kd_push(b, now);
	if (rc < 0)
		return rc;
	return done ? done : rc ? BACKEND_MOVED : BACKEND_NONE;
}

static int kd_poll(struct backend *be, struct backend_news *news, uint64_t now)
{
	struct backend_kd *b = (struct backend_kd *)be;
	int rc = backend_kd_overheard(b, news);

	b->now = now;
	if (!rc)
		rc = listen(b, now);
	return rc ? rc : speak(b, news, now);
}

static int copy_command(struct backend_kd_task *t, const struct rsp_cmd *cmd)
{
	buf_reset(&t->arg, 0);
	if (buf_put_span(&t->arg, cmd->data) < 0)
		return -EINVAL;
	t->cmd = *cmd;
	t->cmd.data = buf_span(&t->arg);
	t->cmd.text = t->cmd.annex = (struct span){ 0 };
	return 0;
}

static int kd_submit(struct backend *be, const struct rsp_cmd *cmd)
{
	struct backend_kd *b = (struct backend_kd *)be;
	int (*task)(struct backend_kd *b, struct backend_news *news) = backend_kd_task_of(cmd);
	int rc;

	if (!task)
		return -EOPNOTSUPP;
	rc = b->state == BACKEND_KD_IDLE ? copy_command(&b->task, cmd) : -EBUSY;
	if (rc)
		return rc;
	b->break_in.wanted = false;
	backend_kd_begin(b, BACKEND_KD_BUSY, task);
	return 0;
}

static void kd_interrupt(struct backend *be)
{
	struct backend_kd *b = (struct backend_kd *)be;

	b->task.cut = true;
	if (kd_break_in_want(&b->break_in))
		b->deadline = 0; /* whoever asked for it may be the last of this turn */
}

static void kd_leave(struct backend *be)
{
	struct backend_kd *b = (struct backend_kd *)be;

	if (b->state == BACKEND_KD_IDLE)
		backend_kd_begin(b, BACKEND_KD_LEAVE, backend_kd_task_leave);
}

static const struct backend_info *kd_info(const struct backend *be)
{
	return &((const struct backend_kd *)be)->offer.info;
}

static const char *kd_why(const struct backend *be)
{
	const struct backend_kd *b = (const struct backend_kd *)be;

	return b->why || !backend_kd_is_net(b) || b->meet.joined ? b->why : link_why(b->line.link);
}

static struct guard *kd_guard(struct backend *be)
{
	return &((struct backend_kd *)be)->guard;
}

static void kd_ready(struct backend *be)
{
	link_ready(((struct backend_kd *)be)->line.link);
}

static void kd_wait(const struct backend *be, struct wait *w)
{
	const struct backend_kd *b = (const struct backend_kd *)be;

	link_wait(b->line.link, w);
	w->read = true;
	wait_until(w, kd_wire_until(&b->line.wire));
	if (backend_kd_is_asking(b))
		wait_until(w, b->req.answer_by);
	if (b->said.calm_at > b->now)
		wait_until(w, b->said.calm_at);
	if (states[b->state].timed)
		wait_until(w, b->deadline);
}

enum { LINE = 8192, OUT = 2 * KD_FRAME_MAX, MAP = 1024, DOC = 262144, BLOCK = 1024 };

static const struct {
	size_t at, cap;
} bufs[] = {
	{ offsetof(struct backend_kd, line.in), LINE }, { offsetof(struct backend_kd, line.out), OUT },
	{ offsetof(struct backend_kd, offer.map), MAP }, { offsetof(struct backend_kd, said.text), KD_PAYLOAD_MAX },
	{ offsetof(struct backend_kd, said.promise), KD_PAYLOAD_MAX }, { offsetof(struct backend_kd, req.payload), KD_PAYLOAD_MAX },
	{ offsetof(struct backend_kd, req.data), KD_PAYLOAD_MAX }, { offsetof(struct backend_kd, task.arg), RSP_DATA_MAX },
	{ offsetof(struct backend_kd, doc), DOC }, { offsetof(struct backend_kd, words), BACKEND_KD_WORDS },
	{ offsetof(struct backend_kd, fetch.bytes), RSP_DATA_MAX }, { offsetof(struct backend_kd, block.bytes), BLOCK },
	{ offsetof(struct backend_kd, stop.report), KD_PAYLOAD_MAX },
};
enum { BUFS = sizeof bufs / sizeof *bufs };

static struct buf *buf_of(struct backend_kd *b, size_t i)
{
	return (struct buf *)((uint8_t *)b + bufs[i].at);
}

static void kd_destroy(struct backend *be)
{
	struct backend_kd *b = (struct backend_kd *)be;

	link_destroy_stack(b->line.link);
	kd_wire_fini(&b->line.wire);
	tdesc_fini(&b->offer.tdesc);
	for (size_t i = 0; i < BUFS; i++)
		buf_fini(buf_of(b, i));
	free(b->cpus);
	kd_images_fini(&b->images);
	free(b);
}

static const struct backend_ops kd_ops = {
	.name = "kd", .submit = kd_submit, .poll = kd_poll, .interrupt = kd_interrupt, .leave = kd_leave, .info = kd_info,
	.guard = kd_guard, .why = kd_why, .ready = kd_ready, .wait = kd_wait, .destroy = kd_destroy,
};

static bool allocate(struct backend_kd *b, enum kd_dialect d)
{
	for (size_t i = 0; i < BUFS; i++)
		if (buf_init(buf_of(b, i), bufs[i].cap) < 0)
			return false;
	b->cpus = calloc(BACKEND_KD_CPUS, sizeof *b->cpus);
	return b->cpus && kd_images_init(&b->images) == 0 && kd_wire_init(&b->line.wire, d) == 0 && tdesc_init(&b->offer.tdesc) == 0;
}

static struct backend *new_of(struct link *stack, enum kd_dialect d)
{
	struct backend_kd *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->base.ops = &kd_ops;
	b->state = BACKEND_KD_KNOCK;
	guard_init(&b->guard);
	if (!allocate(b, d)) {
		kd_destroy(&b->base);
		return NULL;
	}
	b->line.link = stack;
	return &b->base;
}

struct backend *backend_kd_new(struct link *stack)
{
	return new_of(stack, KD_WIRE_COM);
}

struct backend *backend_kdnet_new(struct link *stack)
{
	return new_of(stack, KD_WIRE_NET);
}
