/* guard.c - see guard.h. What is told and how often, console text, stops and thread lists. */
#include "filters/guard.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_IN = GUARD_PIECE / 8, LOST_NOTE = 96 };

void guard_init(struct guard *g)
{
	memset(g, 0, sizeof *g);
}

const char *guard_what_name(enum guard_what what)
{
	static const char *const names[GUARD_WHATS] = {
		[GUARD_REPLY] = "reply", [GUARD_STOP] = "stop",   [GUARD_UNASKED] = "unasked",   [GUARD_NOISE] = "noise",     [GUARD_FILE] = "file",
		[GUARD_TEXT] = "text",   [GUARD_FLOOD] = "flood", [GUARD_DOCUMENT] = "document", [GUARD_THREADS] = "threads", [GUARD_SILENT] = "silent",
		[GUARD_LOST] = "lost",
	};

	return (unsigned)what < GUARD_WHATS ? names[what] : "other";
}

bool guard_spend(struct guard_bucket *b, uint64_t n, uint64_t most, uint64_t gain, uint64_t now)
{
	uint64_t room = most - b->left, passed = now > b->at ? now - b->at : 0;

	if (!b->at || passed > room / gain)
		b->left = most;
	else
		b->left += passed * gain;
	b->at = now > b->at ? now : b->at;
	if (b->left < n)
		return false;
	b->left -= n;
	return true;
}

void guard_note(struct guard *g, enum guard_what what, const char *fmt, ...)
{
	struct guard_incident *in = &g->kept[g->kept_n];
	va_list ap;

	g->kinds[what].seen++;
	if (g->kept_n == GUARD_KEPT) {
		g->kinds[what].more++;
		return;
	}
	g->kept_n++;
	in->what = what;
	va_start(ap, fmt);
	vsnprintf(in->words, sizeof in->words, fmt, ap);
	va_end(ap);
}

/* Once the burst is over, one for each GUARD_EVERY_MS. */
static bool may_tell(struct guard_kind *kind, uint64_t now)
{
	return guard_spend(&kind->told, GUARD_EVERY_MS, (uint64_t)GUARD_BURST * GUARD_EVERY_MS, 1, now);
}

bool guard_next(struct guard *g, struct guard_incident *in, uint64_t now)
{
	while (g->kept_n) {
		struct guard_kind *kind;

		*in = g->kept[0];
		memmove(g->kept, g->kept + 1, --g->kept_n * sizeof *g->kept);
		kind = &g->kinds[in->what];
		if (may_tell(kind, now)) {
			in->more = kind->more;
			kind->more = 0;
			return true;
		}
		kind->more++;
	}
	return false;
}

/* Not within a character of several bytes, and not between \r and \n. */
static size_t piece_len(struct span text)
{
	size_t n = PIECE_IN;

	if (text.len <= n)
		return text.len;
	while (n > PIECE_IN - 3 && (text.p[n] & 0xc0) == 0x80)
		n--;
	if ((text.p[n] & 0xc0) == 0x80) /* no character is that long */
		n = PIECE_IN;
	return text.p[n - 1] == '\r' && text.p[n] == '\n' ? n + 1 : n;
}

/* Kernels end their lines with \r\n. */
static size_t without_returns(uint8_t *to, struct span from)
{
	size_t n = 0;

	for (size_t i = 0; i < from.len; i++)
		if (from.p[i] != '\r' || (i + 1 < from.len && from.p[i + 1] != '\n' && from.p[i + 1] != '\r'))
			to[n++] = from.p[i];
	return n;
}

static void tell_lost(struct guard *g, struct buf *out)
{
	if (!g->text_lost)
		return;
	if (buf_printf(out, "[kdgate: %llu bytes of the target's text were left out]\n", (unsigned long long)g->text_lost) < 0)
		return;
	g->text_lost = 0;
}

static void show(struct guard *g, struct span piece, struct buf *out)
{
	uint8_t plain[PIECE_IN + 4];
	size_t n = without_returns(plain, piece), before = out->len;

	text_visible(out, (struct span){ plain, n }, GUARD_PIECE - LOST_NOTE, true);
	if (out->len - before != n)
		guard_note(g, GUARD_TEXT, "control characters in console text");
}

void guard_console(struct guard *g, struct span *text, struct buf *out, uint64_t now)
{
	struct span piece = { text->p, piece_len(*text) };

	*text = span_from(*text, piece.len);
	buf_reset(out, 0);
	if (guard_spend(&g->text, piece.len + GUARD_TEXT_COST, GUARD_TEXT_BURST, GUARD_TEXT_RATE, now)) {
		tell_lost(g, out);
		show(g, piece, out);
		return;
	}
	g->text_lost += piece.len;
	g->text_lost_ever += piece.len;
	guard_note(g, GUARD_FLOOD, "more console text than is passed on");
}

size_t guard_stop(struct rsp_stop *stop, const struct tdesc *tdesc)
{
	size_t kept = 0, had = stop->regs_n;

	for (size_t i = 0; i < had; i++) {
		const struct tdesc_reg *reg = tdesc ? tdesc_reg(tdesc, stop->regs[i].num) : NULL;

		if (reg && stop->regs[i].len == (reg->bits + 7) / 8)
			stop->regs[kept++] = stop->regs[i];
	}
	stop->regs_n = kept;
	return tdesc ? had - kept : 0;
}

static bool has(const struct rsp_thread *ids, size_t n, struct rsp_thread id)
{
	size_t i = 0;

	while (i < n && (ids[i].tid != id.tid || ids[i].pid != id.pid))
		i++;
	return i < n;
}

size_t guard_threads(struct rsp_thread *ids, size_t *n)
{
	size_t kept = 0, had = *n;

	for (size_t i = 0; i < had; i++)
		if (rsp_thread_names_one(ids[i]) && !has(ids, kept, ids[i]))
			ids[kept++] = ids[i];
	*n = kept;
	return had - kept;
}
