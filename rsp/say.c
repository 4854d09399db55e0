/* say.c - see reply.h. Replies to a client: whole packets, from values alone. */
#include "rsp/reply.h"

#include "base/hex.h"
#include "base/text.h"
#include "rsp/framer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { LIST_MAX = 4088, SUM_LEN = 3, SIGNAL_TRAP = 5 };

static int finish(struct buf *out, struct rsp_mark at, int rc)
{
	return rc ? rsp_undo(out, at, rc) : rsp_close(out, at);
}

int rsp_say_text(struct buf *out, const char *text)
{
	return rsp_frame(out, span_of(text));
}

int rsp_say_ok(struct buf *out)
{
	return rsp_say_text(out, "OK");
}

int rsp_say_empty(struct buf *out)
{
	return rsp_say_text(out, "");
}

/* Printable, and nothing that gdb and lldb would read differently. */
static struct span plain_words(char *to, size_t size, struct span words)
{
	text_ascii(to, size, words);
	for (char *p = to; (p = strpbrk(p, "$#}*")); p++)
		*p = '_';
	return span_of(to);
}

int rsp_say_error(struct buf *out, const struct rsp_dialect *d, unsigned code, struct span words)
{
	char room[RSP_ERROR_TEXT + 1];
	struct span text = plain_words(room, sizeof room, words);
	struct rsp_mark at = rsp_open(out);
	int rc;

	code = code && code <= 0xff ? code : 1;
	if (text.len && !d->lldb && d->error_text) {
		rc = buf_put_text(out, "E.");
		return finish(out, at, rc ? rc : buf_put_span(out, text));
	}
	rc = buf_printf(out, "E%02x", code);
	if (text.len && d->lldb && d->error_strings) {
		rc = rc ? rc : buf_put_u8(out, ';');
		rc = rc ? rc : hex_put(out, text);
	}
	return finish(out, at, rc);
}

static int say_hex(struct buf *out, const char *head, struct span bytes)
{
	struct rsp_mark at = rsp_open(out);
	int rc = buf_put_text(out, head);

	return finish(out, at, rc ? rc : hex_put(out, bytes));
}

static int say_binary(struct buf *out, const char *head, struct span bytes)
{
	struct rsp_mark at = rsp_open(out);
	int rc = buf_put_text(out, head);

	return finish(out, at, rc ? rc : rsp_put_escaped(out, bytes));
}

int rsp_say_output(struct buf *out, struct span text)
{
	return say_hex(out, "O", text);
}

/* Ids with commas between, in at most that many bytes. Where not all fit: -ENOBUFS, or fewer of them if cut. */
static int put_ids(struct buf *out, const struct rsp_thread *ids, size_t n, size_t most, bool cut)
{
	size_t start = out->len, good = start;
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		rc = i ? buf_put_u8(out, ',') : 0;
		rc = rc ? rc : rsp_thread_put(out, ids[i]);
		if (!rc && out->len - start > most)
			rc = -ENOBUFS;
		good = rc ? good : out->len;
	}
	if (!rc || !cut || good == start)
		return rc;
	buf_cut(out, good);
	return 0;
}

static const struct {
	const char *gdb, *lldb;
} reasons[] = {
	[RSP_WHY_WATCH] = { "watch:", "reason:watchpoint;" },
	[RSP_WHY_RWATCH] = { "rwatch:", "reason:watchpoint;" },
	[RSP_WHY_AWATCH] = { "awatch:", "reason:watchpoint;" },
	[RSP_WHY_SWBREAK] = { "swbreak:;", "reason:breakpoint;" },
	[RSP_WHY_HWBREAK] = { "hwbreak:;", "reason:breakpoint;" },
	[RSP_WHY_REPLAY_BEGIN] = { "replaylog:begin;", NULL },
	[RSP_WHY_REPLAY_END] = { "replaylog:end;", NULL },
	[RSP_WHY_LIBRARY] = { "library:;", NULL }, /* gdb reads the list, sets pending breakpoints, and goes on by itself; lldb reads it */
};

/* gdb gives up on a stop whose reason it did not announce. */
static bool understands(const struct rsp_dialect *d, enum rsp_stop_why why)
{
	if (why == RSP_WHY_SWBREAK)
		return d->swbreak;
	if (why == RSP_WHY_HWBREAK)
		return d->hwbreak;
	return true;
}

static bool is_watch(enum rsp_stop_why why)
{
	return why == RSP_WHY_WATCH || why == RSP_WHY_RWATCH || why == RSP_WHY_AWATCH;
}

static int put_reason(struct buf *out, const struct rsp_dialect *d, const struct rsp_stop *s)
{
	const char *text = reasons[s->why].gdb;
	int rc = text && understands(d, s->why) ? buf_put_text(out, text) : 0;

	if (!rc && is_watch(s->why))
		rc = buf_printf(out, "%" PRIx64 ";", s->addr);
	return rc;
}

/* lldb shows the description in place of a reason of its own. */
static int put_words(struct buf *out, const char *words)
{
	char room[RSP_ERROR_TEXT + 1];
	int rc = buf_put_text(out, "reason:exception;description:");

	rc = rc ? rc : hex_put(out, plain_words(room, sizeof room, span_of(words)));
	return rc ? rc : buf_put_u8(out, ';');
}

static int put_lldb_reason(struct buf *out, const struct rsp_stop *s)
{
	const char *text = reasons[s->why].lldb;

	if (s->words)
		return put_words(out, s->words);
	if (!text && s->code)
		text = s->code == SIGNAL_TRAP ? "reason:trap;" : "reason:signal;";
	return text ? buf_put_text(out, text) : 0;
}

static int put_id_list(struct buf *out, const char *key, const struct rsp_thread *ids, size_t n)
{
	int rc = buf_put_text(out, key);

	rc = rc ? rc : put_ids(out, ids, n, SIZE_MAX, false);
	return rc ? rc : buf_put_u8(out, ';');
}

static int put_regs(struct buf *out, const struct rsp_stop *s)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < s->regs_n; i++) {
		rc = buf_printf(out, "%02x:", s->regs[i].num);
		rc = rc ? rc : hex_put(out, (struct span){ s->regs[i].value, s->regs[i].len });
		rc = rc ? rc : buf_put_u8(out, ';');
	}
	return rc;
}

static int put_signal(struct buf *out, const struct rsp_dialect *d, const struct rsp_stop *s, const struct rsp_thread *threads,
		      size_t n)
{
	int rc = buf_printf(out, "T%02x", s->code);

	if (!rc && s->has_thread)
		rc = put_id_list(out, "thread:", &s->thread, 1);
	if (!rc && d->lldb && d->list_threads && threads && n)
		rc = put_id_list(out, "threads:", threads, n);
	if (!rc && s->has_core)
		rc = buf_printf(out, "core:%" PRIx64 ";", s->core);
	rc = rc ? rc : put_reason(out, d, s);
	if (!rc && d->lldb && s->libraries && s->why != RSP_WHY_LIBRARY)
		rc = buf_put_text(out, "library:;");
	if (!rc && d->lldb)
		rc = put_lldb_reason(out, s);
	return rc ? rc : put_regs(out, s);
}

/* lldb has no N: the process is gone as far as it can be told. */
static int put_stop(struct buf *out, const struct rsp_dialect *d, const struct rsp_stop *s, const struct rsp_thread *threads,
		    size_t n)
{
	switch (s->kind) {
	case RSP_STOP_SIGNAL:
		return put_signal(out, d, s, threads, n);
	case RSP_STOP_EXITED:
		return buf_printf(out, "W%02x", s->code);
	case RSP_STOP_KILLED:
		return buf_printf(out, "X%02x", s->code);
	case RSP_STOP_NONE_LEFT:
		return buf_put_text(out, d->lldb ? "W00" : "N");
	}
	return -EINVAL;
}

int rsp_say_stop(struct buf *out, const struct rsp_dialect *d, const struct rsp_stop *stop, const struct rsp_thread *threads,
		 size_t n)
{
	struct rsp_mark at = rsp_open(out);

	return finish(out, at, put_stop(out, d, stop, threads, n));
}

static int say_ids(struct buf *out, const char *head, const struct rsp_thread *ids, size_t n, size_t most, bool cut)
{
	struct rsp_mark at = rsp_open(out);
	int rc = buf_put_text(out, head);
	size_t room = buf_room(out);

	if (!rc && room < SUM_LEN)
		rc = -ENOBUFS;
	most = room - SUM_LEN < most ? room - SUM_LEN : most;
	return finish(out, at, rc ? rc : put_ids(out, ids, n, most, cut));
}

static int say_threads(struct buf *out, const struct rsp_cmd *cmd, const struct rsp_reply *r)
{
	if (cmd->op == RSP_OP_THREAD_CURRENT)
		return r->threads_n ? say_ids(out, "QC", r->threads, 1, SIZE_MAX, false) : rsp_say_empty(out);
	if (!r->threads_n)
		return rsp_say_text(out, "l");
	if (say_ids(out, "m", r->threads, r->threads_n, SIZE_MAX, false) == 0)
		return 0;
	return say_ids(out, "m", r->threads, r->threads_n, LIST_MAX, true);
}

static int say_file(struct buf *out, const struct rsp_reply *r)
{
	struct rsp_mark at = rsp_open(out);
	bool minus = r->result < 0;
	int rc = buf_printf(out, "F%s%" PRIx64, minus ? "-" : "", minus ? -(uint64_t)r->result : (uint64_t)r->result);

	if (!rc && r->code)
		rc = buf_printf(out, ",%x", r->code);
	if (!rc && r->bytes.p) { /* a read of no bytes has an attachment too, an empty one */
		rc = buf_put_u8(out, ';');
		rc = rc ? rc : rsp_put_escaped(out, r->bytes);
	}
	return finish(out, at, rc);
}

/* x in the answer to p: gdb shows such a register as unavailable, lldb as a number; but lldb does so for an error, and gdb does not. */
static int say_regs(struct buf *out, const struct rsp_dialect *d, const struct rsp_cmd *cmd, struct span hex)
{
	if (d->lldb && cmd->op == RSP_OP_REG_READ && hex.len && hex.p[0] == 'x')
		return rsp_say_error(out, d, 1, span_of("the register is unavailable"));
	return rsp_frame(out, hex);
}

static int say_bytes(struct buf *out, const struct rsp_cmd *cmd, struct span bytes)
{
	return cmd->op == RSP_OP_MEM_READ_BIN ? say_binary(out, "b", bytes) : say_hex(out, "", bytes);
}

static int part_head(struct buf *out, const struct rsp_cmd *cmd)
{
	return buf_put_text(out, cmd->op == RSP_OP_MEM_READ_BIN ? "$b" : "$");
}

int rsp_part_put(struct buf *out, const struct rsp_cmd *cmd, struct span bytes, struct rsp_part *part)
{
	size_t before = out->len, from = before + !part->open; /* the $ is not summed */
	int rc = part->open ? 0 : part_head(out, cmd);

	if (!rc)
		rc = cmd->op == RSP_OP_MEM_READ_BIN ? rsp_put_escaped(out, bytes) : hex_put(out, bytes);
	if (rc) {
		buf_cut(out, before);
		return rc;
	}
	part->sum += rsp_sum((struct span){ buf_data(out) + from, out->len - from });
	part->open = true;
	return 0;
}

int rsp_part_end(struct buf *out, struct rsp_part *part)
{
	int rc = buf_printf(out, "#%02x", part->sum);

	if (!rc)
		*part = (struct rsp_part){ 0 };
	return rc;
}

/* Every gdb reads E.text here; where memory and text are read, those before 16 take it for the data. */
static bool reads_words(enum rsp_op op)
{
	static const bool reads[RSP_OPS] = {
		[RSP_OP_REGS_READ] = true,  [RSP_OP_REGS_WRITE] = true, [RSP_OP_REG_READ] = true,      [RSP_OP_REG_WRITE] = true,
		[RSP_OP_MEM_WRITE] = true,  [RSP_OP_RESUME] = true,     [RSP_OP_MEM_WRITE_BIN] = true, [RSP_OP_REVERSE] = true,
		[RSP_OP_BREAK_SET] = true,  [RSP_OP_FOLLOW] = true,     [RSP_OP_BREAK_CLEAR] = true,   [RSP_OP_SUPPORTED] = true,
	};

	return reads[op];
}

static int say_error(struct buf *out, const struct rsp_dialect *d, const struct rsp_cmd *cmd, const struct rsp_reply *reply)
{
	struct rsp_dialect here = *d;

	if (cmd->op == RSP_OP_THREAD_EXTRA)
		return rsp_say_empty(out); /* gdb would show the error as the text */
	here.error_text |= reads_words(cmd->op);
	return rsp_say_error(out, &here, reply->code, reply->bytes);
}

/* gdb takes a stub without this for one on its own host, and opens the same path there. */
static int say_unsupported(struct buf *out, const struct rsp_cmd *cmd)
{
	bool opens = cmd->spec && !strcmp(cmd->spec->name, "vFile:open:");

	if (cmd->op == RSP_OP_REGS_READ)
		return rsp_say_text(out, "E01"); /* gdb would wait for ever */
	return opens ? rsp_say_text(out, "F-1,1") : rsp_say_empty(out);
}

int rsp_say_reply(struct buf *out, const struct rsp_dialect *d, const struct rsp_cmd *cmd, const struct rsp_reply *reply)
{
	switch (reply->kind) {
	case RSP_REPLY_OK:
		return rsp_say_ok(out);
	case RSP_REPLY_UNSUPPORTED:
		return say_unsupported(out, cmd);
	case RSP_REPLY_ERROR:
		return say_error(out, d, cmd, reply);
	case RSP_REPLY_BYTES:
		return say_bytes(out, cmd, reply->bytes);
	case RSP_REPLY_REGS:
		return say_regs(out, d, cmd, reply->bytes);
	case RSP_REPLY_TEXT:
		return rsp_frame(out, reply->bytes);
	case RSP_REPLY_CHUNK:
		return say_binary(out, reply->last ? "l" : "m", reply->bytes);
	case RSP_REPLY_THREADS:
		return say_threads(out, cmd, reply);
	case RSP_REPLY_OUTPUT:
		return rsp_say_output(out, reply->bytes);
	case RSP_REPLY_FILE:
		return say_file(out, reply);
	case RSP_REPLY_STOP:
		return -EINVAL;
	}
	return -EINVAL;
}
