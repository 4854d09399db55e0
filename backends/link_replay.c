/* link_replay.c - see link_replay.h. */
#include "backends/link_replay.h"

#include "backends/kd/api.h"
#include "backends/kd/io.h"
#include "backends/kd/le.h"
#include "backends/kd/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OUT = 4 * KD_FRAME_MAX, IO_HEADER = 16 };

#define FIRST_ID 0x80800000U
#define SYNC 0x800U

enum replay_state { REPLAY_STANDS, REPLAY_RUNS /* to the next stop: prints first */ };

struct link_replay {
	struct link base; /* first: a struct link * of this kind is a struct link_replay * */
	const struct kd_replay *replay;
	enum replay_state state;
	size_t stop;        /* it stands there, or stood; from 1 */
	size_t at, print;   /* while it runs: behind that stop, the next print there */
	struct kd_framer framer;
	struct buf out, payload;
	uint32_t id;
};

/* There is room: nothing is taken while there may be none. */
static void put(struct link_replay *l, const struct kd_packet *p)
{
	if (kd_packet_put(&l->out, p, true) < 0)
		l->base.dropped++;
}

static void put_control(struct link_replay *l, enum kd_type type, uint32_t id)
{
	put(l, &(struct kd_packet){ .control = true, .type = (uint16_t)type, .id = id });
}

static void put_data(struct link_replay *l, uint16_t type, struct span payload)
{
	put(l, &(struct kd_packet){ .type = type, .id = l->id, .payload = payload });
	l->id = (l->id & ~SYNC) ^ 1;
}

static void report(struct link_replay *l)
{
	uint16_t type;
	struct span payload = kd_replay_report(l->replay, l->stop, &type);

	put_data(l, type, payload);
}

static void say(struct link_replay *l, const char *text)
{
	uint8_t header[IO_HEADER] = { 0 };

	le_put(header, 4, KD_PRINT_STRING);
	le_put(header + 8, 4, strlen(text));
	buf_reset(&l->payload, 0);
	if (buf_put(&l->payload, header, sizeof header) == 0 && buf_put_text(&l->payload, text) == 0)
		put_data(l, KD_TYPE_DEBUG_IO, buf_span(&l->payload));
}

/* --- what the debugger says */

static bool resumes(uint64_t api)
{
	return api == KD_CONTINUE || api == KD_CONTINUE2;
}

/* A processor that is switched to reports as the one that stopped did. */
static void switch_to(struct link_replay *l, struct span request)
{
	uint8_t processor[2];
	uint16_t type;

	buf_reset(&l->payload, 0);
	if (buf_put_span(&l->payload, kd_replay_report(l->replay, l->stop, &type)) < 0 || l->payload.len < 8)
		return;
	memcpy(processor, request.p + 6, sizeof processor);
	memcpy(buf_data(&l->payload) + 6, processor, sizeof processor);
	put_data(l, type, buf_span(&l->payload));
}

static void go(struct link_replay *l)
{
	l->state = REPLAY_RUNS;
	l->at = l->stop;
	l->print = 0;
}

static void hear_request(struct link_replay *l, struct span request)
{
	uint64_t api = le_get(request, 0, 4);

	buf_reset(&l->payload, 0);
	if (resumes(api))
		go(l);
	else if (api == KD_SWITCH_PROCESSOR && request.len >= KD_HEADER)
		switch_to(l, request);
	else if (kd_replay_answer(l->replay, l->stop, request, &l->payload) == 1)
		put_data(l, KD_TYPE_MANIPULATE, buf_span(&l->payload));
}

static void hear_reset(struct link_replay *l)
{
	put_control(l, KD_TYPE_RESET, 0);
	l->id = FIRST_ID;
	if (l->state == REPLAY_STANDS)
		report(l);
}

static void hear(struct link_replay *l, const struct kd_packet *p)
{
	if (p->control && p->type == KD_TYPE_RESET)
		hear_reset(l);
	if (p->control)
		return;
	put_control(l, KD_TYPE_ACKNOWLEDGE, p->id & ~SYNC);
	if (p->type == KD_TYPE_MANIPULATE && l->state == REPLAY_STANDS)
		hear_request(l, p->payload);
}

/* --- a link */

static bool is_full(const struct link_replay *l)
{
	return buf_room(&l->out) < 2 * KD_FRAME_MAX;
}

static int replay_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_replay *l = (struct link_replay *)lk;
	int rc = 0;

	(void)now;
	while (!rc && frame->len && !is_full(l)) {
		struct cursor c = cursor_of(buf_span(frame));
		struct kd_packet p;

		if (kd_framer_next(&l->framer, &c, &p) == KD_FRAME_PACKET)
			hear(l, &p);
		rc = buf_pull(frame, (size_t)(c.p - buf_data(frame)));
	}
	return rc || !frame->len ? rc : -EAGAIN;
}

static void stand(struct link_replay *l)
{
	l->state = REPLAY_STANDS;
	report(l);
}

/* Prints one by one, then the next stop. */
static void run(struct link_replay *l)
{
	struct span print = kd_replay_print(l->replay, l->at, &l->print);

	if (print.len) {
		put_data(l, KD_TYPE_DEBUG_IO, print);
		return;
	}
	if (l->at >= kd_replay_last(l->replay)) {
		say(l, "kdgate: the recording ends here\n");
		stand(l);
		return;
	}
	l->at++;
	l->print = 0;
	if (!kd_replay_shows(l->replay, l->at))
		return;
	l->stop = l->at;
	stand(l);
}

static int replay_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_replay *l = (struct link_replay *)lk;
	struct span s;

	(void)now;
	while (l->state == REPLAY_RUNS && !l->out.len)
		run(l);
	buf_reset(in, 0);
	s = buf_span(&l->out);
	if (s.len > buf_room(in))
		s.len = buf_room(in);
	if (!s.len || buf_put_span(in, s) < 0 || buf_pull(&l->out, s.len) < 0)
		return 0;
	buf_pack(&l->out);
	return 1;
}

static void replay_wait(const struct link *lk, struct wait *w)
{
	const struct link_replay *l = (const struct link_replay *)lk;

	if (l->out.len || l->state == REPLAY_RUNS)
		wait_until(w, 0);
}

static void replay_destroy(struct link *lk)
{
	struct link_replay *l = (struct link_replay *)lk;

	kd_framer_fini(&l->framer);
	buf_fini(&l->out);
	buf_fini(&l->payload);
	free(l);
}

static const struct link_ops replay_ops = {
	.name = "replay", .send = replay_send, .recv = replay_recv, .wait = replay_wait, .destroy = replay_destroy,
};

struct link *link_replay_new(const struct kd_replay *r, size_t stop)
{
	struct link_replay *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	*l = (struct link_replay){ .base = { .ops = &replay_ops }, .replay = r, .stop = stop, .id = FIRST_ID | SYNC };
	if (kd_framer_init(&l->framer) == 0 && buf_init(&l->out, OUT) == 0 && buf_init(&l->payload, KD_PAYLOAD_MAX) == 0)
		return &l->base;
	replay_destroy(&l->base);
	return NULL;
}
