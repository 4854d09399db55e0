/* wire_model.h - a KD target's half of the wire, written from the target's rules (KD 1.3, KDNET 5), behind a line that loses, repeats and
 * damages.
 *
 * The target prints, stops, answers requests, runs on. As real ones do it resends early, takes a packet that comes while it waits for an
 * ACK as that ACK, asks for it again, and drops after an ACK what has another id than it expects. */
#ifndef TESTS_BACKENDS_KD_WIRE_MODEL_H
#define TESTS_BACKENDS_KD_WIRE_MODEL_H

#include "tests/backends/kd/wire_frames.h"

enum { MODEL_COPY_MS = 50, MODEL_SAID = 8192, MODEL_LINE = 65536 };

struct model_line {
	uint64_t seed;
	unsigned percent;  /* of frames that something happens to */
	unsigned rest;     /* frames, of both ways, that pass after one that something happened to */
	unsigned *passing; /* as many pass now; shared with the other way */
	uint8_t bytes[MODEL_LINE];
	size_t n;
	size_t ends[512]; /* of frames, for carriers of datagrams */
	size_t frames;
};

struct model {
	bool stream, sync;
	uint32_t send_id, expect_id;
	unsigned said_n;      /* packets it has begun to say */
	unsigned prints;      /* before the next that is none */
	enum { MODEL_RUNS, MODEL_ANSWERS, MODEL_WAITS } state;
	struct frame out;
	bool busy;            /* out has no ACK yet */
	uint64_t copy_at;
	char said[MODEL_SAID], heard[MODEL_SAID];
	struct model_line to_host;
};

static inline unsigned model_random(struct model_line *l, unsigned below)
{
	l->seed = l->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(l->seed >> 33) % below;
}

static inline void model_note(char *list, const char *text)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, MODEL_SAID - n, "%s;", text);
}

/* A byte that is no id or type: those nothing guards. */
static inline void model_damage(struct model_line *l, uint8_t *frame, size_t n)
{
	static const uint8_t guarded[] = { 0, 1, 2, 3, 6, 7, 12, 13, 14, 15 };
	unsigned which = model_random(l, (unsigned)(sizeof guarded + n - 16));

	frame[which < sizeof guarded ? guarded[which] : 16 + which - sizeof guarded] ^= (uint8_t)(1U << model_random(l, 8));
}

static inline void model_carry(struct model_line *l, const uint8_t *frame, size_t n)
{
	memcpy(l->bytes + l->n, frame, n);
	l->n += n;
	l->ends[l->frames++] = l->n;
}

static inline bool model_happens(struct model_line *l)
{
	bool now = model_random(l, 100) < l->percent && !*l->passing;

	*l->passing = now ? l->rest : *l->passing - (*l->passing > 0);
	return now;
}

/* Of a stream also a byte may be lost, or come of itself. */
static inline void model_send(struct model_line *l, uint8_t *frame, size_t n, bool stream)
{
	static const uint8_t noise[] = { '0', 'i', 0xaa, 0 };
	unsigned what = model_happens(l) ? 1 + model_random(l, stream ? 5 : 3) : 0;
	size_t at = what ? model_random(l, (unsigned)n) : 0;

	if (what == 1)
		return;
	if (what == 2)
		model_carry(l, frame, n);
	if (what == 3)
		model_damage(l, frame, n);
	if (what == 4)
		memmove(frame + at, frame + at + 1, --n - at);
	if (what == 5)
		l->bytes[l->n++] = noise[model_random(l, sizeof noise)];
	model_carry(l, frame, n);
}

static inline void model_say(struct model *m, const struct frame *f)
{
	uint8_t bytes[FRAME_ROOM];

	model_send(&m->to_host, bytes, frame_bytes(f, m->stream, bytes), m->stream);
}

static inline void model_control(struct model *m, unsigned type, uint32_t id)
{
	model_say(m, &(struct frame){ .control = true, .type = type, .id = id });
}

static inline void model_begin(struct model *m, unsigned type, const char *what, uint64_t now)
{
	m->out = (struct frame){ .type = type, .id = m->send_id };
	(void)snprintf(m->out.text, sizeof m->out.text, "%s%u", what, m->said_n++);
	model_note(m->said, m->out.text);
	m->busy = true;
	m->copy_at = now + MODEL_COPY_MS;
	model_say(m, &m->out);
}

static inline void model_taken(struct model *m)
{
	m->busy = false;
	m->send_id = m->stream ? (m->send_id ^ 1) & ~0x800U : m->send_id + 2;
}

static inline void model_on_control(struct model *m, const struct frame *f)
{
	uint32_t want = m->stream ? m->send_id & ~0x800U : m->send_id;

	if (f->type == 4 && m->busy && f->id == want)
		model_taken(m);
	if (f->type == 5 && m->busy)
		model_say(m, &m->out);
}

/* Words that begin with g let it run; to others it has an answer. */
static inline void model_on_data(struct model *m, const struct frame *f)
{
	if (m->busy) {
		model_control(m, 5, 0);
		model_taken(m);
		return;
	}
	model_control(m, 4, f->id);
	if (f->id != m->expect_id)
		return;
	m->expect_id = m->stream ? m->expect_id ^ 1 : m->expect_id + 2;
	model_note(m->heard, f->text);
	m->state = f->text[0] == 'g' ? MODEL_RUNS : MODEL_ANSWERS;
	m->prints = model_random(&m->to_host, 3);
}

static inline void model_hear(struct model *m, const uint8_t *bytes, size_t n)
{
	struct frame f;

	if (!frame_read(bytes, n, m->stream, &f))
		model_control(m, 5, 0);
	else if (f.control)
		model_on_control(m, &f);
	else
		model_on_data(m, &f);
}

static inline void model_speak(struct model *m, uint64_t now)
{
	if (m->prints) {
		m->prints--;
		model_begin(m, 3, "print", now);
	} else {
		model_begin(m, m->state == MODEL_RUNS ? 7 : 2, m->state == MODEL_RUNS ? "stop" : "answer", now);
		m->state = MODEL_WAITS;
	}
}

static inline void model_tick(struct model *m, uint64_t now)
{
	if (!m->busy && m->state != MODEL_WAITS)
		model_speak(m, now);
	if (!m->busy || now < m->copy_at)
		return;
	m->copy_at = now + MODEL_COPY_MS;
	model_say(m, &m->out);
}

#endif
