/* module.c - see module.h. */
#include "backends/kd/module.h"

#include "backends/kd/le.h"
#include "base/text.h"

#include <errno.h>

/* Of the entries of 64-bit and 32-bit kernels. least: what is before it must have come. */
static const struct places {
	size_t word, base, entry, size, path, name, flags, checksum, timestamp, least, all;
} places64 = { 8, 0x30, 0x38, 0x40, 0x48, 0x58, 0x68, 0x78, 0x9c, 0x68, 0xa0 },
  places32 = { 4, 0x18, 0x1c, 0x20, 0x24, 0x2c, 0x34, 0x40, 0, 0x34, 0x44 };

static const struct places *places_of(enum kd_machine m)
{
	return kd_pointer_size(m) == 8 ? &places64 : &places32;
}

size_t kd_module_bytes(enum kd_machine m)
{
	return places_of(m)->all;
}

static struct kd_string take_string(struct span s, size_t at, size_t word)
{
	uint64_t n = le_get(s, at, 2) & ~1ULL;

	return (struct kd_string){ le_get(s, at + word, word), n < KD_NAME_BYTES ? (uint16_t)n : KD_NAME_BYTES };
}

/* It does not lie at 0, and not around the end of all addresses. */
static bool can_be(const struct kd_module *m, size_t word)
{
	uint64_t last = word == 8 ? UINT64_MAX : UINT32_MAX;

	return m->base && m->size && m->size - 1 <= last - m->base;
}

int kd_module_parse(struct span entry, enum kd_machine m, struct kd_module *out)
{
	const struct places *at = places_of(m);

	*out = (struct kd_module){ .next = 0 };
	if (entry.len < at->least)
		return -EBADMSG;
	out->next = le_get(entry, 0, at->word);
	out->base = le_get(entry, at->base, at->word);
	out->entry = le_get(entry, at->entry, at->word);
	out->size = (uint32_t)le_get(entry, at->size, 4);
	out->path = take_string(entry, at->path, at->word);
	out->name = take_string(entry, at->name, at->word);
	out->flags = (uint32_t)le_get(entry, at->flags, 4);
	out->checksum = (uint32_t)le_get(entry, at->checksum, 4);
	out->timestamp = at->timestamp ? (uint32_t)le_get(entry, at->timestamp, 4) : 0;
	return can_be(out, at->word) ? 0 : -EBADMSG;
}

int kd_modules_begin(struct kd_module_walk *w, uint64_t head, uint64_t first)
{
	*w = (struct kd_module_walk){ .head = head };
	return kd_modules_step(w, first);
}

/* The mark moves on to where the walk is at its 1st, 2nd, 4th, 8th.. entry: it is met again if the list bites its tail. */
int kd_modules_step(struct kd_module_walk *w, uint64_t next)
{
	if (!next || next == w->head)
		return 0;
	if (next == w->mark || ++w->n > KD_MODULES_MAX)
		return -ELOOP;
	w->at = next;
	if (!(w->n & (w->n - 1)))
		w->mark = next;
	return 1;
}

/* The next character; one half of a pair alone is none. */
static uint32_t take_char(struct cursor *c)
{
	uint32_t high = (uint32_t)cursor_le(c, 2);
	struct cursor ahead = *c;
	uint32_t low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	low = (uint32_t)cursor_le(&ahead, 2);
	if (high > 0xdbff || ahead.bad || low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*c = ahead;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static struct span utf8_of(uint32_t c, uint8_t *room)
{
	size_t more = (c >= 0x80) + (c >= 0x800) + (size_t)(c >= 0x10000);
	static const uint8_t leads[] = { 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = more; i; i--, c >>= 6)
		room[i] = (uint8_t)(0x80 | (c & 0x3f));
	room[0] = (uint8_t)(leads[more] | c);
	return (struct span){ room, more + 1 };
}

/* A character goes in whole, or it and all after it do not. */
static int put_char(struct buf *out, uint32_t c)
{
	uint8_t utf8[4], shown[4 * sizeof utf8];
	struct buf b = { .base = shown, .cap = sizeof shown };

	text_visible(&b, utf8_of(c, utf8), sizeof shown, false);
	return buf_put_span(out, buf_span(&b));
}

const char *kd_utf16_text(char *out, size_t size, struct span utf16)
{
	struct buf b = { .base = (uint8_t *)out, .cap = size - 1 };
	struct cursor c = cursor_of((struct span){ utf16.p, utf16.len & ~(size_t)1 });

	while (!cursor_done(&c) && put_char(&b, take_char(&c)) == 0)
		;
	out[b.len] = 0;
	return out;
}

/* Behind the last separator among units of that many bytes. */
static struct span base_of(struct span path, size_t unit)
{
	size_t from = 0;

	for (size_t i = 0; i + unit <= path.len; i += unit)
		if (le_get(path, i, unit) == '\\' || le_get(path, i, unit) == '/')
			from = i + unit;
	return span_from(path, from);
}

struct span kd_base_name(struct span path)
{
	return base_of(path, 1);
}

const char *kd_utf16_base(char *out, size_t size, struct span utf16)
{
	return kd_utf16_text(out, size, base_of(utf16, 2));
}
