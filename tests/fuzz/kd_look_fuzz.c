/* kd_look_fuzz.c - packets of both sides, whatever they are: looked at field by field, and put together as a recording that answers
 * requests. Every fact has a name and lies in its packet; every answer is one to its request, brings no more than was asked for, and the
 * same each time. The input: a byte of type and side, two of length, that many bytes; again and again. */
#include "backends/kd/api.h"
#include "backends/kd/le.h"
#include "backends/kd/look.h"
#include "backends/kd/replay.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool lies_in(struct span part, struct span whole)
{
	return !part.len || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void look(const struct kd_packet *p, bool host, enum kd_machine m)
{
	struct kd_facts f = { .n = 0 };

	kd_look(&f, p, host, m);
	must(f.n >= 2 && f.n <= KD_FACTS);
	for (size_t i = 0; i < f.n; i++) {
		must(f.facts[i].name && (f.facts[i].form != KD_FACT_WORD || f.facts[i].word));
		must(lies_in(f.facts[i].bytes, p->payload));
		must(f.facts[i].form != KD_FACT_YES || f.facts[i].number <= 1);
	}
	for (size_t i = 0; i < f.n; i++) /* or a name would hide another in JSON */
		for (size_t j = 0; j < i; j++)
			must(strcmp(f.facts[i].name, f.facts[j].name) != 0);
}

static void ask(const struct kd_replay *r, size_t stop, struct span request)
{
	static uint8_t room[2][KD_PAYLOAD_MAX];
	struct buf out[2] = { { .base = room[0], .cap = KD_PAYLOAD_MAX }, { .base = room[1], .cap = KD_PAYLOAD_MAX } };
	int rc = kd_replay_answer(r, stop, request, &out[0]);

	must(rc == kd_replay_answer(r, stop, request, &out[1]) && (rc == 0 || rc == 1) && (rc == 1) == (out[0].len >= KD_HEADER));
	must(out[0].len == out[1].len && !memcmp(room[0], room[1], out[0].len));
	must(!rc || le_get(buf_span(&out[0]), 0, 4) == le_get(request, 0, 4));
}

static bool take(struct cursor *c, struct kd_packet *p, bool *host)
{
	uint8_t kind = cursor_u8(c);
	size_t n = (size_t)cursor_le(c, 2) % (KD_PAYLOAD_MAX + 1), left = (size_t)(c->end - c->p);

	*host = kind & 0x80;
	*p = (struct kd_packet){ .control = kind & 0x40, .type = kind & 15, .id = kind };
	p->payload = cursor_take(c, n < left ? n : left);
	if (p->control)
		p->payload.len = 0;
	return !c->bad;
}

static void each(struct kd_replay *r, const uint8_t *data, size_t size, bool ended)
{
	struct cursor c = cursor_of((struct span){ data, size });
	struct kd_packet p;
	bool host;

	while (c.p < c.end && take(&c, &p, &host)) {
		if (!ended) {
			look(&p, host, (enum kd_machine)(p.id % KD_MACHINES));
			must(kd_replay_put(r, &p, host) == 0);
			continue;
		}
		for (size_t stop = 1; stop <= r->stops_n && stop < 4; stop++)
			ask(r, stop, p.payload);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_replay r;

	kd_replay_init(&r);
	each(&r, data, size, false);
	if (kd_replay_end(&r) == 0) {
		size_t first = kd_replay_first(&r), next = 0;

		must(first && first <= r.stops_n && kd_replay_last(&r) <= r.stops_n);
		while (kd_replay_print(&r, first, &next).len)
			continue;
		each(&r, data, size, true);
	}
	kd_replay_fini(&r);
	return 0;
}
