/* state.c - see state.h. */
#include "backends/kd/state.h"

#include "backends/kd/le.h"

#include <errno.h>
#include <string.h>

enum { STATE_CODE = 0x3030, STATE_ALTERNATE = 0x10000 };

/* Offsets in a payload. tail: where at the earliest a path may begin. */
static const struct places {
	size_t word, least, thread, pc;
	size_t code, flags, address, params, info, chance;
	size_t path_n, base, process, checksum, size, unload, tail;
} places64 = { 8, KD_STATE_LEAST, 16, 24, 32, 36, 48, 56, 64, 184, 32, 40, 48, 56, 60, 64, 192 },
  places32 = { 4, 20, 12, 16, 20, 24, 32, 36, 40, 100, 20, 24, 28, 32, 36, 40, 41 };

/* Control reports; dr_n and count_n in bytes, 0: it has no such fields. */
static const struct report_places {
	enum kd_machine machine;
	uint16_t dr6, dr7, dr_n, eflags, eflags_n, count, count_n, stream, segments, segment_n, end;
} reports[] = {
	{ KD_AMD64, 192, 200, 8, 208, 4, 212, 2, 216, 232, 2, 240 },
	{ KD_I386, 192, 196, 4, 228, 4, 200, 2, 204, 220, 2, 232 },
	{ KD_ARM64, 0, 0, 0, 0, 0, 208, 4, 212, 0, 0, 228 },
};
enum { REPORTS = sizeof reports / sizeof *reports };

static void take_report(struct span p, const struct report_places *at, struct kd_report *out)
{
	uint64_t n = le_get(p, at->count, at->count_n);

	if (p.len < at->end)
		return;
	out->have = true;
	out->dr6 = le_get(p, at->dr6, at->dr_n);
	out->dr7 = le_get(p, at->dr7, at->dr_n);
	out->eflags = (uint32_t)le_get(p, at->eflags, at->eflags_n);
	out->cs = (uint16_t)le_get(p, at->segments, at->segment_n);
	out->ds = (uint16_t)le_get(p, at->segments + 2U, at->segment_n);
	out->es = (uint16_t)le_get(p, at->segments + 4U, at->segment_n);
	out->fs = (uint16_t)le_get(p, at->segments + 6U, at->segment_n);
	out->stream_n = n < KD_STREAM_MAX ? (unsigned)n : KD_STREAM_MAX;
	memcpy(out->stream, p.p + at->stream, out->stream_n);
}

static void take_exception(struct span p, enum kd_machine m, const struct places *at, struct kd_exception *out)
{
	uint64_t n = le_get(p, at->params, 4);

	out->code = (uint32_t)le_get(p, at->code, 4);
	out->flags = (uint32_t)le_get(p, at->flags, 4);
	out->address = kd_narrow(m, le_get(p, at->address, at->word));
	out->params = n < KD_PARAMETERS_MAX ? (unsigned)n : KD_PARAMETERS_MAX;
	for (unsigned i = 0; i < out->params; i++)
		out->info[i] = kd_narrow(m, le_get(p, at->info + i * at->word, at->word));
	out->first_chance = le_get(p, at->chance, 4) != 0;
}

/* From the end: a report may be shorter than that of amd64, and the path follows it. */
static struct span take_path(struct span p, const struct places *at)
{
	uint64_t n = le_get(p, at->path_n, 4);
	struct span path = { p.p, 0 };
	const void *nul;

	if (p.len < at->tail || n > p.len - at->tail || !n)
		return path;
	path = span_from(p, p.len - (size_t)n);
	nul = memchr(path.p, 0, path.len);
	if (nul)
		path.len = (size_t)((const uint8_t *)nul - path.p);
	return path;
}

static void take_load(struct span p, enum kd_machine m, const struct places *at, struct kd_load *out)
{
	out->base = kd_narrow(m, le_get(p, at->base, at->word));
	out->process = kd_narrow(m, le_get(p, at->process, at->word));
	out->checksum = (uint32_t)le_get(p, at->checksum, 4);
	out->size = (uint32_t)le_get(p, at->size, 4);
	out->unload = le_get(p, at->unload, 1) != 0;
	out->everything = out->unload && out->base == kd_narrow(m, UINT64_MAX);
	out->path = take_path(p, at);
}

static enum kd_kind kind_of(uint32_t code)
{
	uint32_t n = (code & ~(uint32_t)STATE_ALTERNATE) - STATE_CODE;

	return n < KD_STATE_UNKNOWN ? (enum kd_kind)n : KD_STATE_UNKNOWN;
}

/* Of no processors at all there is at least the one that says so. */
static int take_processors(struct span p, struct kd_state *out)
{
	uint64_t n = le_get(p, 8, 4);

	out->level = (uint16_t)le_get(p, 4, 2);
	out->processor = (uint16_t)le_get(p, 6, 2);
	out->processors = n ? n < KD_PROCESSORS_MAX ? (unsigned)n : KD_PROCESSORS_MAX : out->processor + 1U;
	return out->processor < out->processors && out->processors <= KD_PROCESSORS_MAX ? 0 : -EBADMSG;
}

static int take_state(struct span p, enum kd_machine m, const struct places *at, struct kd_state *out)
{
	*out = (struct kd_state){ .code = (uint32_t)le_get(p, 0, 4) };
	out->load.path.p = p.p;
	if (p.len < at->least || take_processors(p, out) < 0)
		return -EBADMSG;
	out->kind = kind_of(out->code);
	out->thread = kd_narrow(m, le_get(p, at->thread, at->word));
	out->pc = kd_narrow(m, le_get(p, at->pc, at->word));
	if (out->kind == KD_EXCEPTION)
		take_exception(p, m, at, &out->exception);
	if (out->kind == KD_LOAD_SYMBOLS)
		take_load(p, m, at, &out->load);
	return 0;
}

int kd_state_parse(struct span payload, enum kd_machine m, struct kd_state *out)
{
	int rc = take_state(payload, m, &places64, out);

	for (size_t i = 0; !rc && i < REPORTS; i++)
		if (reports[i].machine == m)
			take_report(payload, &reports[i], &out->report);
	return rc;
}

int kd_state32_parse(struct span payload, struct kd_state *out)
{
	return take_state(payload, KD_I386, &places32, out);
}
