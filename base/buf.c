/* buf.c - see buf.h. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .base = malloc(cap), .cap = cap };
	return b->base ? 0 : -ENOMEM;
}

void buf_fini(struct buf *b)
{
	free(b->base);
	*b = (struct buf){ 0 };
}

void buf_reset(struct buf *b, size_t headroom)
{
	b->off = headroom < b->cap ? headroom : b->cap;
	b->len = 0;
}

int buf_put(struct buf *b, const void *p, size_t n)
{
	if (n > buf_room(b))
		return -ENOBUFS;
	if (n)
		memcpy(b->base + b->off + b->len, p, n);
	b->len += n;
	return 0;
}

int buf_put_u8(struct buf *b, uint8_t c)
{
	return buf_put(b, &c, 1);
}

int buf_put_text(struct buf *b, const char *text)
{
	return buf_put(b, text, strlen(text));
}

int buf_put_span(struct buf *b, struct span s)
{
	return buf_put(b, s.p, s.len);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= sizeof text ? -ENOBUFS : buf_put(b, text, (size_t)n);
}

uint8_t *buf_push(struct buf *b, size_t n)
{
	if (n > b->off)
		return NULL;
	b->off -= n;
	b->len += n;
	return b->base + b->off;
}

int buf_pull(struct buf *b, size_t n)
{
	if (n > b->len)
		return -EBADMSG;
	b->off += n;
	b->len -= n;
	return 0;
}

void buf_cut(struct buf *b, size_t len)
{
	b->len = len < b->len ? len : b->len;
}

void buf_pack(struct buf *b)
{
	if (b->len && b->off)
		memmove(b->base, b->base + b->off, b->len);
	b->off = 0;
}

uint8_t *buf_data(const struct buf *b)
{
	return b->base + b->off;
}

size_t buf_room(const struct buf *b)
{
	return b->cap - b->off - b->len;
}

struct span buf_span(const struct buf *b)
{
	return (struct span){ b->base + b->off, b->len };
}

struct span span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && span_starts(s, text);
}

bool span_starts(struct span s, const char *text)
{
	size_t n = strlen(text);

	return s.len >= n && (!n || !memcmp(s.p, text, n));
}

struct span span_from(struct span s, size_t at)
{
	at = at < s.len ? at : s.len;
	return (struct span){ s.p + at, s.len - at };
}

struct cursor cursor_of(struct span s)
{
	return (struct cursor){ .p = s.p, .end = s.p + s.len };
}

bool cursor_done(const struct cursor *c)
{
	return !c->bad && c->p == c->end;
}

int cursor_peek(const struct cursor *c)
{
	return c->p < c->end ? *c->p : -1;
}

struct span cursor_take(struct cursor *c, size_t n)
{
	struct span s = { c->p, n };

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		return (struct span){ c->p, 0 };
	}
	c->p += n;
	return s;
}

uint8_t cursor_u8(struct cursor *c)
{
	struct span s = cursor_take(c, 1);

	return s.len ? *s.p : 0;
}

uint64_t cursor_le(struct cursor *c, size_t bytes)
{
	struct span s = cursor_take(c, bytes);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v |= (uint64_t)s.p[i] << (8 * i);
	return v;
}

struct span cursor_rest(struct cursor *c)
{
	return cursor_take(c, (size_t)(c->end - c->p));
}

bool cursor_skip(struct cursor *c, uint8_t want)
{
	if (cursor_peek(c) != want)
		return false;
	c->p++;
	return true;
}
