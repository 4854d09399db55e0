/* framer.c - see framer.h. One small function per parser state. */
#include "rsp/framer.h"

#include "base/hex.h"

#include <errno.h>
#include <string.h>

enum { RLE_BIAS = 29, RLE_MOST = 126, ESC_XOR = 0x20 };

static const bool special[256] = { ['$'] = true, ['#'] = true, ['}'] = true, ['*'] = true };

int rsp_framer_init(struct rsp_framer *f, enum rsp_framer_mode mode, size_t max_body)
{
	*f = (struct rsp_framer){ .mode = mode, .check = true };
	return buf_init(&f->body, max_body);
}

void rsp_framer_fini(struct rsp_framer *f)
{
	buf_fini(&f->body);
}

void rsp_framer_reset(struct rsp_framer *f)
{
	f->state = RSP_F_IDLE;
	f->check = true;
	buf_reset(&f->body, 0);
}

bool rsp_framer_midway(const struct rsp_framer *f)
{
	return f->state != RSP_F_IDLE;
}

static void body_put(struct rsp_framer *f, const uint8_t *p, size_t n)
{
	if (!f->overflow && buf_put(&f->body, p, n) < 0)
		f->overflow = true;
}

static enum rsp_event start_body(struct rsp_framer *f, bool notify)
{
	buf_reset(&f->body, 0);
	f->sum = 0;
	f->overflow = f->spoiled = false;
	f->notify = notify;
	f->state = RSP_F_BODY;
	return RSP_NONE;
}

static enum rsp_event give_up(struct rsp_framer *f, enum rsp_event ev)
{
	f->state = RSP_F_IDLE;
	return ev;
}

static enum rsp_event on_idle(struct rsp_framer *f, uint8_t c)
{
	switch (c) {
	case '$':
		return start_body(f, false);
	case '%':
		return f->mode == RSP_TOLERANT ? start_body(f, true) : RSP_NOISE;
	case '+':
		return RSP_ACK;
	case '-':
		return RSP_NAK;
	case 0x03:
		return RSP_BREAK;
	default:
		return RSP_NOISE;
	}
}

static enum rsp_event on_body(struct rsp_framer *f, uint8_t c)
{
	if (c == '$')
		return f->mode == RSP_STRICT ? give_up(f, RSP_BROKEN) : start_body(f, false);
	if (c == '#') {
		f->state = RSP_F_SUM1;
		return RSP_NONE;
	}
	f->sum += c;
	if (c == '*') {
		f->state = RSP_F_REPEAT;
		return RSP_NONE;
	}
	body_put(f, &c, 1);
	/* gdb looks for run-length and # before it thinks of escapes; only a strict reader looks further */
	if (c == '}' && f->mode == RSP_STRICT)
		f->state = RSP_F_ESCAPE;
	return RSP_NONE;
}

static enum rsp_event on_escape(struct rsp_framer *f, uint8_t c)
{
	if (c == '$' || c == '#')
		return give_up(f, RSP_BROKEN);
	f->sum += c;
	f->spoiled |= special[c];
	body_put(f, &c, 1);
	f->state = RSP_F_BODY;
	return RSP_NONE;
}

static enum rsp_event on_repeat(struct rsp_framer *f, uint8_t c)
{
	uint8_t run[RLE_MOST - RLE_BIAS];

	if (f->mode == RSP_STRICT && (c == '$' || c == '#'))
		return give_up(f, RSP_BROKEN);
	f->sum += c;
	f->state = RSP_F_BODY;
	if (f->mode == RSP_STRICT || c <= RLE_BIAS + 2 || c > RLE_MOST || c == '$' || c == '#' || !f->body.len) {
		f->spoiled = true;
		return RSP_NONE;
	}
	memset(run, buf_data(&f->body)[f->body.len - 1], sizeof run);
	body_put(f, run, (size_t)(c - RLE_BIAS));
	return RSP_NONE;
}

static enum rsp_event on_sum1(struct rsp_framer *f, uint8_t c)
{
	int v = hex_value(c);

	if (v < 0)
		return give_up(f, f->mode == RSP_STRICT ? RSP_BROKEN : RSP_BADSUM);
	f->want = (uint8_t)(v << 4);
	f->state = RSP_F_SUM2;
	return RSP_NONE;
}

static enum rsp_event on_sum2(struct rsp_framer *f, uint8_t c)
{
	int v = hex_value(c);

	f->state = RSP_F_IDLE;
	if (v < 0)
		return f->mode == RSP_STRICT ? RSP_BROKEN : RSP_BADSUM;
	if (f->check && (f->want | v) != f->sum)
		return RSP_BADSUM;
	if (f->overflow)
		return RSP_TOOBIG;
	if (f->spoiled)
		return RSP_MALFORMED;
	return f->notify ? RSP_NOTIFY : RSP_PACKET;
}

static enum rsp_event (*const on_byte[RSP_F_STATES])(struct rsp_framer *, uint8_t) = {
	[RSP_F_IDLE] = on_idle,     [RSP_F_BODY] = on_body, [RSP_F_ESCAPE] = on_escape,
	[RSP_F_REPEAT] = on_repeat, [RSP_F_SUM1] = on_sum1, [RSP_F_SUM2] = on_sum2,
};

uint8_t rsp_sum(struct span wire)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < wire.len; i++)
		sum += wire.p[i];
	return sum;
}

/* How many bytes from p on are only themselves. By blocks: most bodies have nothing else, up to their #. */
static size_t plain_run(const uint8_t *p, size_t n)
{
	enum { BLOCK = 64 };
	size_t at = 0;

	for (; at + BLOCK <= n; at += BLOCK) {
		uint8_t found = 0;

		for (size_t i = 0; i < BLOCK; i++) {
			uint8_t c = p[at + i];

			found |= (c == '$') | (c == '#') | (c == '}') | (c == '*');
		}
		if (found)
			break;
	}
	while (at < n && !special[p[at]])
		at++;
	return at;
}

/* The bytes of a body that are only themselves, all at once. */
static size_t take_plain(struct rsp_framer *f, const uint8_t *p, size_t n)
{
	size_t len = plain_run(p, n);

	f->sum += rsp_sum((struct span){ p, len });
	body_put(f, p, len);
	return len;
}

size_t rsp_framer_feed(struct rsp_framer *f, struct span in, enum rsp_event *ev)
{
	*ev = RSP_NONE;
	for (size_t i = 0; i < in.len;) {
		if (f->state == RSP_F_BODY)
			i += take_plain(f, in.p + i, in.len - i);
		if (i == in.len)
			break;
		*ev = on_byte[f->state](f, in.p[i++]);
		if (*ev != RSP_NONE)
			return i;
	}
	return in.len;
}

long rsp_unescape_in_place(uint8_t *body, size_t len)
{
	uint8_t *first = len ? memchr(body, '}', len) : NULL;
	size_t to = first ? (size_t)(first - body) : len;

	for (size_t i = to; i < len; i++) {
		if (body[i] != '}') {
			body[to++] = body[i];
			continue;
		}
		if (++i == len)
			return -EBADMSG;
		body[to++] = body[i] ^ ESC_XOR;
	}
	return (long)to;
}

struct rsp_mark rsp_open(struct buf *out)
{
	struct rsp_mark at = { .len = out->len };

	at.bad = buf_put_u8(out, '$') < 0;
	return at;
}

int rsp_undo(struct buf *out, struct rsp_mark at, int rc)
{
	buf_cut(out, at.len);
	return rc;
}

int rsp_close(struct buf *out, struct rsp_mark at)
{
	uint8_t sum;
	int rc;

	if (at.bad)
		return rsp_undo(out, at, -ENOBUFS);
	sum = rsp_sum(span_from(buf_span(out), at.len + 1));
	rc = buf_put_u8(out, '#');
	if (!rc)
		rc = hex_put(out, (struct span){ &sum, 1 });
	return rc ? rsp_undo(out, at, rc) : 0;
}

int rsp_put_escaped(struct buf *out, struct span bytes)
{
	size_t before = out->len;

	for (size_t i = 0; i < bytes.len;) {
		size_t n = 0;
		int rc;

		while (i + n < bytes.len && !special[bytes.p[i + n]])
			n++;
		rc = buf_put(out, bytes.p + i, n);
		i += n;
		if (!rc && i < bytes.len)
			rc = buf_put(out, (uint8_t[]){ '}', bytes.p[i++] ^ ESC_XOR }, 2);
		if (rc) {
			buf_cut(out, before);
			return rc;
		}
	}
	return 0;
}

int rsp_frame(struct buf *out, struct span body)
{
	struct rsp_mark at = rsp_open(out);
	int rc = rsp_put_escaped(out, body);

	return rc ? rsp_undo(out, at, rc) : rsp_close(out, at);
}
