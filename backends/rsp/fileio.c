/* fileio.c - see fileio.h. */
#include "backends/rsp/fileio.h"

#include "base/hex.h"

#include <errno.h>
#include <inttypes.h>

enum { FILEIO_EPERM = 1, FILEIO_EFAULT = 14, FD_OUT = 1, FD_ERR = 2 }; /* errno as the protocol numbers it */

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 'a' || s.p[i] > 'z')
			return false;
	return s.len > 0;
}

/* "Fwrite,1,ptr,count" */
static bool take_write(struct fileio *f, struct cursor *c)
{
	uint64_t fd = hex_number(c, 8), len;

	c->bad |= !cursor_skip(c, ',');
	f->ptr = hex_number(c, 16);
	c->bad |= !cursor_skip(c, ',');
	len = hex_number(c, 16);
	len = len < FILEIO_TEXT ? len : FILEIO_TEXT;
	f->len = (size_t)(len < UINT64_MAX - f->ptr ? len : UINT64_MAX - f->ptr); /* memory has an end */
	return cursor_done(c) && (fd == FD_OUT || fd == FD_ERR);
}

int fileio_take(struct fileio *f, struct span body, uint64_t now)
{
	struct cursor c = cursor_of(body);
	struct span name;

	if (!cursor_skip(&c, 'F'))
		return -EBADMSG;
	name = (struct span){ c.p, 0 };
	while (cursor_peek(&c) >= 0 && cursor_peek(&c) != ',') {
		(void)cursor_u8(&c);
		name.len++;
	}
	if (!is_name(name) || !cursor_skip(&c, ','))
		return -EBADMSG;
	f->text = span_is(name, "write") && take_write(f, &c);
	f->result = f->text ? 0 : -1;
	f->code = f->text ? 0 : FILEIO_EPERM;
	if (f->text && f->len)
		return 0;
	f->text = false;
	return guard_spend(&f->denied, FILEIO_EACH_MS, (uint64_t)FILEIO_BURST * FILEIO_EACH_MS, 1, now) ? 0 : -EPROTO;
}

int fileio_request(const struct fileio *f, struct buf *out)
{
	return buf_printf(out, "m%" PRIx64 ",%zx", f->ptr, f->len);
}

int fileio_text(struct fileio *f, struct buf *body, struct span *text)
{
	struct rsp_expect want = { .form = RSP_FORM_HEX, .most = f->len };
	struct rsp_reply reply;

	*text = (struct span){ 0 };
	if (rsp_reply_parse(buf_data(body), body->len, &want, &reply, NULL) < 0)
		return -EBADMSG;
	f->text = false;
	f->result = reply.kind == RSP_REPLY_BYTES && reply.bytes.len ? (int64_t)reply.bytes.len : -1;
	f->code = f->result < 0 ? FILEIO_EFAULT : 0;
	if (f->result > 0)
		*text = reply.bytes;
	return 0;
}

int fileio_answer(const struct fileio *f, struct buf *out)
{
	if (f->result < 0)
		return buf_printf(out, "F-1,%x", f->code);
	return buf_printf(out, "F%" PRIx64, (uint64_t)f->result);
}
