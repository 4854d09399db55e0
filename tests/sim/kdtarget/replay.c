/* replay.c - a recording played as a target: it says what the recorded one said, and waits where that one waited for its host. */
#include "tests/sim/kdtarget/replay.h"

#include "tests/sim/kdtarget/target.h"

#include <string.h>

struct play {
	struct target *k;
	struct replay r;
	size_t at;
	bool owed;                 /* an answer, which comes next in the recording */
	unsigned stop;             /* where it is */
	const struct replay_item *last; /* that was said */
	unsigned long same, other, unknown, skipped;
};

static void tell(const struct play *p)
{
	say("played %zu of %zu: %lu requests as recorded, %lu out of turn, %lu not in the recording, %lu left out", p->at, p->r.n, p->same, p->other, p->unknown,
	    p->skipped);
}

static enum line say_again(struct play *p)
{
	return p->last ? line_send(p->k, p->last->type, p->last->body, p->last->n) : LINE_OK;
}

static void on_target(struct play *p, const struct replay_item *item)
{
	if (item->kind != REPLAY_DATA || (item->type == KD_MANIPULATE && !p->owed))
		return;
	if (item->type == KD_MANIPULATE)
		p->owed = false;
	p->stop = item->stop;
	if (item->type == KD_STATE_CHANGE)
		p->last = item;
	line_send(p->k, item->type, item->body, item->n);
}

/* Up to where the recorded host let the machine go on. */
static void skip_to_continue(struct play *p)
{
	while (p->at < p->r.n) {
		const struct replay_item *item = &p->r.items[p->at++];

		if (item->way == 'H' && item->kind == REPLAY_DATA && item->type == KD_MANIPULATE && replay_goes_on(item->body))
			return;
		p->skipped += item->way == 'H' && item->kind == REPLAY_DATA;
	}
}

static void answer_from_elsewhere(struct play *p)
{
	uint8_t answer[KD_PACKET];
	struct target *k = p->k;
	size_t n = replay_answer(&p->r, p->stop, k->in.body, k->in.n, answer);

	p->other += n > 0;
	p->unknown += n == 0;
	note(k, n ? "answered from elsewhere in the recording" : "the recording has no answer");
	if (!n) {
		n = KD_HEADER;
		memcpy(answer, k->in.body, n);
		put(answer + 8, 4, KD_UNSUCCESSFUL);
	}
	line_send(k, KD_MANIPULATE, answer, n);
}

/* What a host asked while the recorded one asked for item; NULL: the recording is at its end. */
static void on_request(struct play *p, const struct replay_item *item)
{
	const struct packet *in = &p->k->in;

	if (item && in->type != KD_MANIPULATE) {
		p->at++;
	} else if (item && replay_same(in->body, in->n, item->body, item->n)) {
		p->same++;
		p->at++;
		p->owed = item->answer != 0;
	} else if (replay_goes_on(in->body)) {
		skip_to_continue(p);
	} else {
		answer_from_elsewhere(p);
	}
}

static void on_host(struct play *p, const struct replay_item *item)
{
	enum line got = line_receive(p->k, item ? item->type : KD_MANIPULATE);

	if (got == LINE_AGAIN)
		got = say_again(p);
	else if (got == LINE_OK)
		on_request(p, item);
}

/* Whether the recorded machine ran here, and stopped because of this byte. */
static bool breaks_in(const struct play *p)
{
	for (size_t i = p->at; i < p->r.n; i++) {
		const struct replay_item *item = &p->r.items[i];

		if (item->kind == REPLAY_DATA && (item->way == 'H' || item->type == KD_STATE_CHANGE))
			return item->way == 'T';
	}
	return false;
}

static void on_break(struct play *p)
{
	p->at++;
	if (!breaks_in(p) || (p->at > 1 && p->r.items[p->at - 2].kind == REPLAY_RAW))
		return;
	while (!over(p->k) && !line_broken(p->k))
		wait_for(p->k, KD_TICK_MS);
}

static void step(struct play *p)
{
	const struct replay_item *item = &p->r.items[p->at];

	if (item->way == 'T') {
		p->at++;
		on_target(p, item);
	} else if (item->kind == REPLAY_DATA) {
		on_host(p, item);
	} else if (item->kind == REPLAY_RAW) {
		on_break(p);
	} else {
		p->at++;
	}
}

int replay_run(struct target *k, const char *file)
{
	struct play p = { .k = k };

	if (replay_load(&p.r, file) < 0) {
		say("no recording: %s", file);
		return 1;
	}
	while (!over(k) && !host_joined(k))
		wait_for(k, 100);
	while (!over(k) && p.at < p.r.n)
		step(&p);
	tell(&p);
	while (!over(k))
		on_host(&p, NULL);
	return 0;
}
