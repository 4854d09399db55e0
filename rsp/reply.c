/* reply.c - see reply.h. One small function per form of answer. */
#include "rsp/reply.h"

#include "base/hex.h"
#include "rsp/framer.h"

#include <errno.h>
#include <string.h>

/* What a plain text packet may hold: gdb reads } as it stands, lldb undoes it as an escape. */
static bool is_text(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '$' && c != '#' && c != '}' && c != '*';
}

static int take_nothing(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	(void)body, (void)len, (void)want, (void)r;
	return -EBADMSG;
}

static int take_ok(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	(void)want;
	r->kind = RSP_REPLY_OK;
	return len == 2 && !memcmp(body, "OK", 2) ? 0 : -EBADMSG;
}

/* The bytes of a reply, if there are not too many, and not too few where the request named the number. */
static int keep(struct rsp_reply *r, enum rsp_reply_kind kind, const uint8_t *p, long n, const struct rsp_expect *want,
		bool exact)
{
	if (n < 0 || (size_t)n > want->most || (exact && (size_t)n != want->most))
		return -EBADMSG;
	r->kind = kind;
	r->bytes = (struct span){ p, (size_t)n };
	return 0;
}

static int take_hex(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	if (len / 2 > want->most)
		return -EBADMSG;
	return keep(r, RSP_REPLY_BYTES, body, hex_decode_in_place(body, len), want, want->exact);
}

/* Both digits or neither: gdb looks at the first alone. */
static bool lower_pair(uint8_t *two)
{
	if (two[0] == 'x' && two[1] == 'x')
		return true;
	if (hex_value(two[0]) < 0 || hex_value(two[1]) < 0)
		return false;
	two[0] |= 0x20; /* leaves digits as they are */
	two[1] |= 0x20;
	return true;
}

static int take_regs(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	int rc = len % 2 ? -EBADMSG : keep(r, RSP_REPLY_REGS, body, (long)(len / 2), want, want->exact);

	for (size_t i = 0; !rc && i < len; i += 2)
		rc = lower_pair(body + i) ? 0 : -EBADMSG;
	r->bytes.len = len;
	return rc;
}

static int take_binary(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	if (*body != 'b')
		return -EBADMSG;
	return keep(r, RSP_REPLY_BYTES, body + 1, rsp_unescape_in_place(body + 1, len - 1), want, false);
}

static int take_text(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	for (size_t i = 0; i < len; i++)
		if (!is_text(body[i]))
			return -EBADMSG;
	return keep(r, RSP_REPLY_TEXT, body, (long)len, want, false);
}

/* An m without bytes would make its reader ask for the same place for ever. */
static int take_chunk(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	r->last = *body == 'l';
	if ((*body != 'm' && *body != 'l') || (*body == 'm' && len == 1))
		return -EBADMSG;
	return keep(r, RSP_REPLY_CHUNK, body + 1, rsp_unescape_in_place(body + 1, len - 1), want, false);
}

/* Ids beyond threads_max are read and not kept. */
static int take_ids(struct cursor *c, const struct rsp_expect *want, struct rsp_reply *r)
{
	struct rsp_thread id;

	do {
		if (rsp_thread_take(c, &id) < 0 || id.tid == RSP_THREAD_ALL || id.pid == RSP_THREAD_ALL)
			return -EBADMSG;
		if (r->threads_n < want->threads_max)
			want->threads[r->threads_n++] = id;
	} while (cursor_skip(c, ','));
	return cursor_done(c) ? 0 : -EBADMSG;
}

static int take_threads(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	struct cursor c = { .p = body + 1, .end = body + len };

	r->kind = RSP_REPLY_THREADS;
	r->threads = want->threads;
	r->last = *body == 'l';
	if (*body == 'l')
		return len == 1 ? 0 : -EBADMSG;
	if (*body == 'Q' && cursor_skip(&c, 'C')) { /* to qC: one alone */
		r->last = true;
		return memchr(body, ',', len) ? -EBADMSG : take_ids(&c, want, r);
	}
	return *body == 'm' ? take_ids(&c, want, r) : -EBADMSG;
}

static int take_output(uint8_t *body, size_t len, struct rsp_reply *r)
{
	long n = hex_decode_in_place(body + 1, len - 1);

	r->kind = RSP_REPLY_OUTPUT;
	r->bytes = (struct span){ body + 1, n < 0 ? 0 : (size_t)n };
	return n < 0 ? -EBADMSG : 0;
}

static int take_monitor(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	long n;

	if (!take_ok(body, len, want, r))
		return 0;
	n = hex_decode_in_place(body, len);
	r->kind = RSP_REPLY_BYTES;
	r->bytes = (struct span){ body, n < 0 ? 0 : (size_t)n };
	return n < 0 ? -EBADMSG : 0;
}

/* As many bytes as the result says. */
static int take_attached(struct cursor *c, const struct rsp_expect *want, struct rsp_reply *r, uint8_t *body)
{
	uint8_t *at = body + (c->p - body);
	long n = rsp_unescape_in_place(at, (size_t)(c->end - c->p));

	if (n < 0 || n != r->result)
		return -EBADMSG;
	return keep(r, RSP_REPLY_FILE, at, n, want, false);
}

static int take_file(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *r)
{
	struct cursor c = { .p = body, .end = body + len };
	bool minus;
	uint64_t v;

	r->kind = RSP_REPLY_FILE;
	c.bad = !cursor_skip(&c, 'F');
	minus = cursor_skip(&c, '-');
	v = hex_number(&c, 16);
	if (cursor_skip(&c, ','))
		r->code = (unsigned)hex_number(&c, 8);
	if (c.bad || v > INT64_MAX)
		return -EBADMSG;
	r->result = minus ? -(int64_t)v : (int64_t)v;
	if (cursor_skip(&c, ';'))
		return take_attached(&c, want, r, body);
	return cursor_done(&c) ? 0 : -EBADMSG;
}

static int (*const take[])(uint8_t *, size_t, const struct rsp_expect *, struct rsp_reply *) = {
	[RSP_FORM_NONE] = take_nothing,    [RSP_FORM_OK] = take_ok,           [RSP_FORM_HEX] = take_hex,
	[RSP_FORM_REGS] = take_regs,       [RSP_FORM_BINARY] = take_binary,   [RSP_FORM_TEXT] = take_text,
	[RSP_FORM_CHUNK] = take_chunk,     [RSP_FORM_THREADS] = take_threads, [RSP_FORM_STOP] = take_nothing,
	[RSP_FORM_MONITOR] = take_monitor, [RSP_FORM_FILE] = take_file,
};

static bool is_error(const uint8_t *body, size_t len)
{
	if (len < 2 || body[0] != 'E')
		return false;
	if (body[1] == '.')
		return true;
	return len >= 3 && hex_value(body[1]) >= 0 && hex_value(body[2]) >= 0 && (len == 3 || body[3] == ';');
}

static int keep_words(uint8_t *words, long n, struct rsp_reply *r)
{
	if (n < 0)
		return -EBADMSG;
	r->cleaned = n > RSP_ERROR_TEXT;
	n = n < RSP_ERROR_TEXT ? n : RSP_ERROR_TEXT;
	for (long i = 0; i < n; i++) {
		r->cleaned |= !is_text(words[i]);
		words[i] = is_text(words[i]) ? words[i] : '_';
	}
	r->bytes = (struct span){ words, (size_t)n };
	return 0;
}

static int take_error(uint8_t *body, size_t len, struct rsp_reply *r)
{
	r->kind = RSP_REPLY_ERROR;
	if (body[1] == '.')
		return keep_words(body + 2, (long)len - 2, r);
	r->code = (unsigned)(hex_value(body[1]) << 4 | hex_value(body[2]));
	return len == 3 ? 0 : keep_words(body + 4, hex_decode_in_place(body + 4, len - 4), r);
}

static bool is_output(const uint8_t *body, size_t len, enum rsp_form form)
{
	return body[0] == 'O' && !(len == 2 && body[1] == 'K') && (form == RSP_FORM_MONITOR || form == RSP_FORM_STOP);
}

int rsp_reply_parse(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *reply, struct rsp_stop *stop)
{
	*reply = (struct rsp_reply){ .kind = RSP_REPLY_UNSUPPORTED };
	if (!len)
		return want->form == RSP_FORM_STOP ? -EBADMSG : 0;
	if (is_error(body, len))
		return take_error(body, len, reply);
	if (is_output(body, len, want->form))
		return take_output(body, len, reply);
	if (want->form != RSP_FORM_STOP)
		return take[want->form](body, len, want, reply);
	reply->kind = RSP_REPLY_STOP;
	return rsp_stop_parse((struct span){ body, len }, stop);
}

bool rsp_reg_value(struct span hex, uint64_t *value)
{
	*value = 0;
	if (hex.len % 2 || hex.len > 16)
		return false;
	for (size_t i = hex.len; i >= 2; i -= 2) {
		int hi = hex_value(hex.p[i - 2]), lo = hex_value(hex.p[i - 1]);

		if (hi < 0 || lo < 0)
			return false;
		*value = *value << 8 | (unsigned)(hi << 4 | lo);
	}
	return hex.len > 0;
}
