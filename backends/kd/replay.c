/* replay.c - see replay.h. */
#include "backends/kd/replay.h"

#include "backends/kd/api.h"
#include "backends/kd/context.h"
#include "backends/kd/io.h"
#include "backends/kd/le.h"
#include "backends/kd/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { UNION = 16, STATUS = 8, SELECTOR_SHIFT = 32, MSR_SHIFT = 8, FIRST_ROOM = 64 };

void kd_replay_init(struct kd_replay *r)
{
	*r = (struct kd_replay){ .runs = true };
}

void kd_replay_fini(struct kd_replay *r)
{
	free(r->bytes);
	free(r->pieces);
	free(r->stops);
	*r = (struct kd_replay){ 0 };
}

/* --- what grows. A keep answers 0, also at a ceiling, or -ENOMEM. */

/* The array with room for so many; NULL: no memory, and it is as it was. */
static void *grown(void *array, size_t *room, size_t need, size_t size)
{
	size_t more = *room ? *room : FIRST_ROOM;
	void *fresh;

	if (need <= *room)
		return array;
	while (more < need)
		more *= 2;
	fresh = realloc(array, more * size);
	if (fresh)
		*room = more;
	return fresh;
}

static bool fits(struct kd_replay *r, size_t len)
{
	bool fit = r->bytes_n + len <= KD_REPLAY_BYTES && r->pieces_n < KD_REPLAY_PIECES && r->stops_n < KD_REPLAY_STOPS;

	r->full |= !fit;
	return fit;
}

static int keep_bytes(struct kd_replay *r, struct span s, size_t *at)
{
	uint8_t *bytes = grown(r->bytes, &r->bytes_room, r->bytes_n + s.len, 1);

	if (!bytes)
		return -ENOMEM;
	r->bytes = bytes;
	*at = r->bytes_n;
	if (s.len)
		memcpy(r->bytes + r->bytes_n, s.p, s.len);
	r->bytes_n += s.len;
	return 0;
}

static int keep_piece(struct kd_replay *r, enum kd_replay_space space, uint16_t processor, uint64_t addr, struct span s)
{
	struct kd_replay_piece p = { .space = space, .processor = processor, .stop = (uint32_t)r->stops_n, .addr = addr, .len = s.len }, *pieces;

	if (!s.len || !fits(r, s.len))
		return 0;
	pieces = grown(r->pieces, &r->pieces_room, r->pieces_n + 1, sizeof p);
	if (!pieces)
		return -ENOMEM;
	r->pieces = pieces;
	if (keep_bytes(r, s, &p.at) < 0)
		return -ENOMEM;
	r->pieces[r->pieces_n++] = p;
	return 0;
}

static int keep_stop(struct kd_replay *r, const struct kd_packet *p)
{
	struct kd_replay_stop s = { .type = p->type, .len = p->payload.len }, *stops;

	if (!fits(r, p->payload.len))
		return 0;
	stops = grown(r->stops, &r->stops_room, r->stops_n + 1, sizeof s);
	if (!stops)
		return -ENOMEM;
	r->stops = stops;
	if (keep_bytes(r, p->payload, &s.at) < 0)
		return -ENOMEM;
	r->stops[r->stops_n++] = s;
	return 0;
}

/* --- answers that bring something */

static struct span cut(struct span s, uint64_t most)
{
	s.len = s.len < most ? s.len : (size_t)most;
	return s;
}

static bool fails(struct span p)
{
	return !kd_status_ok((uint32_t)le_get(p, STATUS, 4));
}

static uint16_t processor_of(struct span p)
{
	return (uint16_t)le_get(p, 6, 2);
}

static int take_read(struct kd_replay *r, struct span asked, struct span p)
{
	enum kd_replay_space space = le_get(p, 0, 4) == KD_READ_PHYSICAL ? KD_REPLAY_PHYSICAL : KD_REPLAY_VIRTUAL;

	(void)asked;
	return keep_piece(r, space, 0, le_get(p, 16, 8), cut(span_from(p, KD_HEADER), le_get(p, 28, 4)));
}

static int take_write(struct kd_replay *r, struct span asked, struct span p)
{
	enum kd_replay_space space = le_get(p, 0, 4) == KD_WRITE_PHYSICAL ? KD_REPLAY_PHYSICAL : KD_REPLAY_VIRTUAL;

	return keep_piece(r, space, 0, le_get(asked, 16, 8), cut(span_from(asked, KD_HEADER), le_get(p, 28, 4)));
}

static int take_context(struct kd_replay *r, struct span asked, struct span p)
{
	(void)asked;
	return fails(p) ? 0 : keep_piece(r, KD_REPLAY_CONTEXT, processor_of(p), 0, span_from(p, KD_HEADER));
}

static int take_context_part(struct kd_replay *r, struct span asked, struct span p)
{
	(void)asked;
	return keep_piece(r, KD_REPLAY_CONTEXT, processor_of(p), le_get(p, 16, 4), cut(span_from(p, KD_HEADER), le_get(p, 24, 4)));
}

/* On i386 control space is one row of bytes, elsewhere a row for each selector (KD 4.4). */
static uint64_t control_at(enum kd_machine m, uint64_t selector)
{
	return m == KD_I386 ? selector : selector << SELECTOR_SHIFT;
}

static int take_control(struct kd_replay *r, struct span asked, struct span p)
{
	struct span data = cut(span_from(p, KD_HEADER), le_get(p, 28, 4));

	(void)asked;
	return keep_piece(r, KD_REPLAY_CONTROL, processor_of(p), control_at(r->machine, le_get(p, 16, 8)), data);
}

static int take_msr(struct kd_replay *r, struct span asked, struct span p)
{
	(void)asked;
	return fails(p) ? 0 : keep_piece(r, KD_REPLAY_MSR, processor_of(p), le_get(p, 16, 4) << MSR_SHIFT, cut(span_from(p, 20), 8));
}

static int take_version(struct kd_replay *r, struct span asked, struct span p)
{
	enum kd_machine m = kd_machine_of((uint16_t)le_get(p, 24, 2));

	(void)asked;
	if (fails(p) || m == KD_MACHINE_NONE || r->has_version)
		return 0;
	r->has_version = true;
	r->machine = m;
	memcpy(r->version, p.p + UNION, sizeof r->version);
	return 0;
}

static int take_reply(struct kd_replay *r, struct span p)
{
	static const struct {
		enum kd_api api;
		int (*take)(struct kd_replay *r, struct span asked, struct span p);
	} takes[] = {
		{ KD_READ_VIRTUAL, take_read },         { KD_READ_PHYSICAL, take_read },     { KD_WRITE_VIRTUAL, take_write },
		{ KD_WRITE_PHYSICAL, take_write },      { KD_GET_CONTEXT, take_context },    { KD_GET_CONTEXT_EX, take_context_part },
		{ KD_READ_CONTROL_SPACE, take_control }, { KD_READ_MSR, take_msr },          { KD_GET_VERSION, take_version },
	};
	struct span asked = { r->asked, r->asked_n };
	uint64_t api = le_get(p, 0, 4);

	if (p.len < KD_HEADER || le_get(asked, 0, 4) != api || asked.len < KD_HEADER)
		return 0;
	for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
		if (takes[i].api == api)
			return takes[i].take(r, asked, p);
	return 0;
}

static int take_request(struct kd_replay *r, struct span p)
{
	uint64_t api = le_get(p, 0, 4);

	r->asked_n = p.len < sizeof r->asked ? p.len : sizeof r->asked;
	if (r->asked_n)
		memcpy(r->asked, p.p, r->asked_n);
	r->runs |= api == KD_CONTINUE || api == KD_CONTINUE2 || api == KD_REBOOT || api == KD_CAUSE_BUGCHECK;
	return 0;
}

/* What is said again, and that of another processor, is no stop of its own; nor is what makes no sense. */
static int take_state(struct kd_replay *r, const struct kd_packet *p)
{
	struct kd_state st;
	int rc = p->type == KD_TYPE_STATE_CHANGE32 ? kd_state32_parse(p->payload, &st) : kd_state_parse(p->payload, KD_MACHINE_NONE, &st);

	if (!r->runs || rc < 0)
		return 0;
	r->runs = false;
	r->asked_n = 0;
	return keep_stop(r, p);
}

static int take_print(struct kd_replay *r, struct span p)
{
	struct kd_io io;

	return kd_io_parse(p, &io) < 0 || io.prompt ? 0 : keep_piece(r, KD_REPLAY_PRINT, 0, 0, p);
}

int kd_replay_put(struct kd_replay *r, const struct kd_packet *p, bool from_host)
{
	if (p->control)
		return 0;
	if (p->type == KD_TYPE_MANIPULATE)
		return from_host ? take_request(r, p->payload) : take_reply(r, p->payload);
	if (from_host)
		return 0;
	if (p->type == KD_TYPE_STATE_CHANGE64 || p->type == KD_TYPE_STATE_CHANGE32)
		return take_state(r, p);
	return p->type == KD_TYPE_DEBUG_IO ? take_print(r, p->payload) : 0;
}

/* A report brings the code where it stands; how it lies there only the version tells, which comes later. */
int kd_replay_end(struct kd_replay *r)
{
	size_t stops = r->stops_n;
	int rc = 0;

	if (!stops || !r->has_version)
		return -ENODATA;
	for (size_t i = 1; !rc && i <= stops; i++) {
		const struct kd_replay_stop *s = &r->stops[i - 1];
		struct kd_state st;

		if (s->type != KD_TYPE_STATE_CHANGE64 || kd_state_parse((struct span){ r->bytes + s->at, s->len }, r->machine, &st) < 0)
			continue;
		r->stops_n = i;
		rc = keep_piece(r, KD_REPLAY_VIRTUAL, 0, kd_extend(r->machine, st.pc), (struct span){ st.report.stream, st.report.stream_n });
	}
	r->stops_n = stops;
	return rc;
}

/* --- asked again */

struct span kd_replay_report(const struct kd_replay *r, size_t stop, uint16_t *type)
{
	const struct kd_replay_stop *s = &r->stops[stop - 1];

	*type = s->type;
	return (struct span){ r->bytes + s->at, s->len };
}

bool kd_replay_shows(const struct kd_replay *r, size_t stop)
{
	for (size_t i = 0; i < r->pieces_n; i++)
		if (r->pieces[i].stop == stop && r->pieces[i].space == KD_REPLAY_CONTEXT)
			return true;
	return false;
}

size_t kd_replay_last(const struct kd_replay *r)
{
	size_t last = r->stops_n;

	while (last && !kd_replay_shows(r, last))
		last--;
	return last;
}

size_t kd_replay_first(const struct kd_replay *r)
{
	size_t first = 0;

	for (size_t i = 1; i <= r->stops_n; i++) {
		struct kd_state st;
		uint16_t type;

		if (kd_state_parse(kd_replay_report(r, i, &type), r->machine, &st) < 0 || st.kind != KD_EXCEPTION)
			continue;
		if (kd_replay_shows(r, i))
			return i;
		first = first ? first : i;
	}
	return first ? first : 1;
}

struct span kd_replay_print(const struct kd_replay *r, size_t stop, size_t *next)
{
	while (*next < r->pieces_n) {
		const struct kd_replay_piece *p = &r->pieces[(*next)++];

		if (p->space == KD_REPLAY_PRINT && p->stop == stop)
			return (struct span){ r->bytes + p->at, p->len };
	}
	return (struct span){ r->bytes, 0 };
}

static bool is_memory(enum kd_replay_space space)
{
	return space == KD_REPLAY_VIRTUAL || space == KD_REPLAY_PHYSICAL;
}

/* Lower is nearer. In the same stop the first is best, and comes first; before it the last; behind it the first. */
static uint64_t distance(const struct kd_replay_piece *p, size_t index, size_t stop)
{
	enum { BEFORE = 1, BEHIND = 2, RANK = 60 };

	if (p->stop == stop)
		return index;
	return p->stop < stop ? ((uint64_t)BEFORE << RANK) + (KD_REPLAY_PIECES - index) : ((uint64_t)BEHIND << RANK) + index;
}

static bool is_of(const struct kd_replay_piece *p, const struct kd_replay_place *at)
{
	return p->space == at->space && p->processor == at->processor && (is_memory(at->space) || p->stop == at->stop);
}

/* The piece that knows the byte; *until is how far from there no better one begins. */
static const struct kd_replay_piece *best(const struct kd_replay *r, const struct kd_replay_place *at, uint64_t *until)
{
	const struct kd_replay_piece *found = NULL;
	uint64_t nearest = UINT64_MAX;

	*until = UINT64_MAX;
	for (size_t i = 0; i < r->pieces_n; i++) {
		const struct kd_replay_piece *p = &r->pieces[i];

		if (!is_of(p, at))
			continue;
		if (p->addr > at->addr && p->addr - at->addr < *until)
			*until = p->addr - at->addr;
		if (at->addr - p->addr < p->len && distance(p, i, at->stop) < nearest) {
			nearest = distance(p, i, at->stop);
			found = p;
		}
	}
	return found;
}

size_t kd_replay_read(const struct kd_replay *r, struct kd_replay_place from, size_t n, uint8_t *out)
{
	size_t have = 0;

	while (have < n) {
		uint64_t until;
		const struct kd_replay_piece *p = best(r, &from, &until);
		size_t off, take;

		if (!p)
			break;
		off = (size_t)(from.addr - p->addr);
		take = p->len - off < n - have ? p->len - off : n - have;
		take = take < until ? take : (size_t)until;
		memcpy(out + have, r->bytes + p->at + off, take);
		have += take;
		from.addr += take;
	}
	return have;
}

/* --- requests */

static const struct ask {
	enum kd_api api;
	enum kd_replay_space space;
	uint8_t addr, addr_bytes, count, actual; /* where in the header; count 0: all there is */
} asks[] = {
	{ KD_READ_VIRTUAL, KD_REPLAY_VIRTUAL, 16, 8, 24, 28 },
	{ KD_READ_PHYSICAL, KD_REPLAY_PHYSICAL, 16, 8, 24, 28 },
	{ KD_GET_CONTEXT, KD_REPLAY_CONTEXT, 0, 0, 0, 0 },
	{ KD_GET_CONTEXT_EX, KD_REPLAY_CONTEXT, 16, 4, 20, 24 },
	{ KD_READ_CONTROL_SPACE, KD_REPLAY_CONTROL, 16, 8, 24, 28 },
};

static const struct ask *ask_of(uint64_t api)
{
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
		if (asks[i].api == api)
			return &asks[i];
	return NULL;
}

/* header is the request's, and becomes the reply's. */
static size_t answer_bytes(const struct kd_replay *r, size_t stop, const struct ask *ask, uint8_t *header, uint8_t *data)
{
	struct span request = { header, KD_HEADER };
	struct kd_replay_place from = { .stop = stop, .space = ask->space, .addr = le_get(request, ask->addr, ask->addr_bytes) };
	uint64_t want = ask->count ? le_get(request, ask->count, 4) : KD_DATA_MAX;
	size_t n = want < KD_DATA_MAX ? (size_t)want : KD_DATA_MAX, have;

	if (!is_memory(ask->space))
		from.processor = processor_of(request);
	if (ask->space == KD_REPLAY_CONTROL)
		from.addr = control_at(r->machine, from.addr);
	have = kd_replay_read(r, from, n, data);
	if (ask->count)
		le_put(header + ask->actual, 4, have);
	le_put(header + STATUS, 4, have == n || (!ask->count && have) ? KD_SUCCESS : KD_UNSUCCESSFUL);
	return have;
}

static void answer_msr(const struct kd_replay *r, size_t stop, uint8_t *header)
{
	struct span request = { header, KD_HEADER };
	uint64_t addr = le_get(request, 16, 4) << MSR_SHIFT;
	struct kd_replay_place from = { .stop = stop, .space = KD_REPLAY_MSR, .processor = processor_of(request), .addr = addr };

	if (kd_replay_read(r, from, 8, header + 20) == 8)
		le_put(header + STATUS, 4, KD_SUCCESS);
}

static void answer_version(const struct kd_replay *r, uint8_t *header)
{
	memcpy(header + UNION, r->version, sizeof r->version);
	le_put(header + STATUS, 4, KD_SUCCESS);
}

/* Registers are put back before a resume, which goes to the next stop whatever they are. */
static bool is_taken(uint64_t api)
{
	return api == KD_SET_CONTEXT || api == KD_WRITE_CONTROL_SPACE;
}

int kd_replay_answer(const struct kd_replay *r, size_t stop, struct span request, struct buf *out)
{
	uint8_t header[KD_HEADER] = { 0 }, data[KD_DATA_MAX];
	uint64_t api = le_get(request, 0, 4);
	const struct kd_api_info *info = kd_api_info((unsigned)api);
	const struct ask *ask = ask_of(api);
	size_t n = 0;

	if (request.len < KD_HEADER || (info && !info->has_reply))
		return 0;
	memcpy(header, request.p, sizeof header);
	le_put(header + STATUS, 4, is_taken(api) ? KD_SUCCESS : KD_UNSUCCESSFUL);
	if (is_taken(api))
		le_put(header + 28, 4, le_get(request, 24, 4));
	if (ask)
		n = answer_bytes(r, stop, ask, header, data);
	else if (api == KD_READ_MSR)
		answer_msr(r, stop, header);
	else if (api == KD_GET_VERSION)
		answer_version(r, header);
	if (buf_room(out) < sizeof header + n)
		return -ENOBUFS;
	return buf_put(out, header, sizeof header) < 0 || buf_put(out, data, n) < 0 ? -ENOBUFS : 1;
}
