/* replay_load.c - see replay.h: the recording, and what is in it. */
#include "tests/sim/kdtarget/bytes.h"
#include "tests/sim/kdtarget/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 16, MANIPULATE = 2, STATE_CHANGE = 7, HEADER = 56, MOST = 4000, READ = 0x3130 };

/* One direction's bytes that are not yet a packet. */
struct flow {
	uint8_t bytes[1 << 16];
	size_t n;
};

static void add(struct replay *r, struct replay_item item, const uint8_t *body)
{
	if (r->n % 1024 == 0)
		r->items = realloc(r->items, (r->n + 1024) * sizeof *r->items);
	item.body = malloc(item.n + 1);
	if (!r->items || !item.body)
		abort();
	memcpy(item.body, body, item.n);
	r->items[r->n++] = item;
}

/* How many bytes the first thing in p takes; 0: it is not complete. */
static size_t take_one(struct replay *r, char way, const uint8_t *p, size_t n)
{
	bool leads = p[0] == '0' || p[0] == 'i';
	struct replay_item item = { .way = way, .kind = REPLAY_RAW, .n = 1 };

	if (leads && n < HEAD)
		return 0;
	if (!leads || memcmp(p, p + 1, 3) != 0) {
		add(r, item, p);
		return 1;
	}
	item.kind = p[0] == '0' ? REPLAY_DATA : REPLAY_CONTROL;
	item.type = get16(p + 4);
	item.id = get32(p + 8);
	item.n = p[0] == '0' ? get16(p + 6) : 0;
	if (p[0] == '0' && n < HEAD + item.n + 1)
		return 0;
	add(r, item, p + HEAD);
	return HEAD + item.n + (p[0] == '0');
}

static void take(struct replay *r, char way, struct flow *f)
{
	size_t at = 0, one;

	while (at < f->n && (one = take_one(r, way, f->bytes + at, f->n - at)) > 0)
		at += one;
	memmove(f->bytes, f->bytes + at, f->n - at);
	f->n -= at;
}

static void put_hex(struct flow *f, const char *hex)
{
	unsigned byte;

	for (; f->n < sizeof f->bytes && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		f->bytes[f->n++] = (uint8_t)byte;
}

/* Between a state change and the same one again there is a continue, unless it was only sent again. */
static bool repeats(const struct replay *r, size_t at)
{
	const struct replay_item *item = &r->items[at];
	bool went_on = false;

	for (size_t i = at; i-- > 0;) {
		const struct replay_item *was = &r->items[i];

		went_on |= was->kind == REPLAY_DATA && was->way == 'H' && was->n >= HEADER && replay_goes_on(was->body);
		if (was->kind != REPLAY_DATA || was->way != item->way)
			continue;
		return was->type == item->type && was->n == item->n && memcmp(was->body, item->body, item->n) == 0 &&
		       (was->id == item->id || (item->type == STATE_CHANGE && !went_on));
	}
	return false;
}

static void leave_out_repeats(struct replay *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		r->items[i].again = r->items[i].kind == REPLAY_DATA && repeats(r, i);
	for (size_t i = 0; i < r->n; i++)
		if (!r->items[i].again)
			r->items[n++] = r->items[i];
	r->n = n;
}

static void link_answers(struct replay *r)
{
	unsigned stop = 0;
	size_t asked = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct replay_item *item = &r->items[i];

		stop += item->kind == REPLAY_DATA && item->type == STATE_CHANGE;
		item->stop = stop;
		if (item->kind != REPLAY_DATA || item->type != MANIPULATE || item->n < HEADER)
			continue;
		if (item->way == 'H')
			asked = i;
		else if (r->items[asked].n >= HEADER && get32(r->items[asked].body) == get32(item->body))
			r->items[asked].answer = i;
	}
}

int replay_load(struct replay *r, const char *file)
{
	static char line[1 << 17], hex[1 << 17];
	static struct flow flows[2];
	char command[4200], way;
	FILE *from;

	snprintf(command, sizeof command, "gzip -dc -- '%.4000s'", file);
	from = popen(command, "r");
	if (!from)
		return -1;
	while (fgets(line, sizeof line, from)) {
		if (sscanf(line, "%*s %c %131071s", &way, hex) != 2)
			continue;
		put_hex(&flows[way == 'H'], hex);
		take(r, way, &flows[way == 'H']);
	}
	leave_out_repeats(r);
	link_answers(r);
	return pclose(from) == 0 && r->n ? 0 : -1;
}

/* --- questions */

/* The bytes of the header that are the question, and whether the data are part of it. An API that is not here: the whole union. */
static const struct question {
	uint32_t api;
	uint8_t from, to;
	bool data;
} questions[] = {
	{ 0x3130, 16, 28, false }, { 0x3131, 16, 24, true },  { 0x3132, 16, 16, false }, { 0x3133, 16, 16, true },  { 0x3134, 16, 24, false },
	{ 0x3135, 16, 20, false }, { 0x3136, 16, 16, false }, { 0x3137, 16, 28, false }, { 0x3138, 16, 24, true },  { 0x313c, 16, 24, false },
	{ 0x313d, 16, 28, false }, { 0x3146, 16, 16, false }, { 0x3150, 16, 16, false }, { 0x3152, 16, 20, false }, { 0x315f, 16, 24, false },
	{ 0x3160, 16, 28, true },
};

static struct question question_of(uint32_t api)
{
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (questions[i].api == api)
			return questions[i];
	return (struct question){ api, 16, HEADER, true };
}

bool replay_same(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n)
{
	struct question q = question_of(get32(a));

	if (a_n < HEADER || b_n < HEADER || get32(a) != get32(b) || get16(a + 6) != get16(b + 6))
		return false;
	if (q.data && (a_n != b_n || memcmp(a + HEADER, b + HEADER, a_n - HEADER) != 0))
		return false;
	return memcmp(a + q.from, b + q.from, q.to - q.from) == 0;
}

bool replay_goes_on(const uint8_t *body)
{
	return get32(body) == 0x3136 || get32(body) == 0x313c;
}

static bool asks_with_answer(const struct replay *r, size_t i, unsigned stop, bool here)
{
	const struct replay_item *item = &r->items[i];

	return item->way == 'H' && item->kind == REPLAY_DATA && item->answer && (item->stop == stop) == here;
}

/* The same question, in this stop or in the others; there all answers have to agree. */
static size_t find_answer(const struct replay *r, unsigned stop, bool here, const uint8_t *request, size_t n, uint8_t *to)
{
	size_t found = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct replay_item *answer = &r->items[r->items[i].answer];

		if (!asks_with_answer(r, i, stop, here) || !replay_same(request, n, r->items[i].body, r->items[i].n))
			continue;
		if (found && !here && (answer->n != found || memcmp(answer->body, to, found) != 0))
			return 0;
		found = answer->n;
		memcpy(to, answer->body, found);
	}
	return found;
}

/* What a read in the recording has of a wanted range. false: it is not the same as what is known already. */
static bool add_bytes(const struct replay_item *answer, uint64_t addr, size_t n, uint8_t *to, bool *known)
{
	uint64_t from = get64(answer->body + 16);
	bool agrees = true;

	for (size_t i = 0; i < answer->n - HEADER; i++) {
		uint64_t at = from + i - addr;

		if (at >= n)
			continue;
		agrees &= !known[at] || to[at] == answer->body[HEADER + i];
		to[at] = answer->body[HEADER + i];
		known[at] = true;
	}
	return agrees;
}

static bool all(const bool *known, size_t n)
{
	return memchr(known, 0, n) == NULL;
}

static bool gather(const struct replay *r, unsigned stop, bool here, uint64_t addr, size_t n, uint8_t *to)
{
	bool known[MOST] = { false }, agrees = true;

	for (size_t i = 0; i < r->n; i++)
		if (asks_with_answer(r, i, stop, here) && get32(r->items[i].body) == READ)
			agrees &= add_bytes(&r->items[r->items[i].answer], addr, n, to, known) || here;
	return agrees && all(known, n);
}

static size_t read_answer(const struct replay *r, unsigned stop, const uint8_t *request, uint8_t *to)
{
	size_t n = get32(request + 24);

	if (get32(request) != READ || !n || n > MOST - HEADER)
		return 0;
	memcpy(to, request, HEADER);
	put(to + 8, 4, 0);
	put(to + 28, 4, n);
	if (!gather(r, stop, true, get64(request + 16), n, to + HEADER) && !gather(r, stop, false, get64(request + 16), n, to + HEADER))
		return 0;
	return HEADER + n;
}

size_t replay_answer(const struct replay *r, unsigned stop, const uint8_t *request, size_t n, uint8_t *to)
{
	size_t found = find_answer(r, stop, true, request, n, to);

	if (!found)
		found = find_answer(r, stop, false, request, n, to);
	return found ? found : read_answer(r, stop, request, to);
}
