/* stop.c - see reply.h. Stop replies of a stub: a table of the keys that are kept. */
#include "rsp/reply.h"

#include "base/hex.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static int take_thread(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	struct cursor c = cursor_of(value);

	(void)why;
	if (rsp_thread_take(&c, &s->thread) < 0 || !cursor_done(&c))
		return -EBADMSG;
	if (s->thread.tid == RSP_THREAD_ALL || s->thread.pid == RSP_THREAD_ALL)
		return -EBADMSG;
	s->has_thread = s->thread.tid != 0; /* 0 is any: a stub without threads */
	return 0;
}

static int take_number(struct span value, uint64_t *to)
{
	struct cursor c = cursor_of(value);

	*to = hex_number(&c, 16);
	return cursor_done(&c) ? 0 : -EBADMSG;
}

static int take_core(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	(void)why;
	s->has_core = true;
	return take_number(value, &s->core);
}

/* A stub may name several reasons, and several watched addresses: the first counts. */
static bool first_reason(struct rsp_stop *s, enum rsp_stop_why why)
{
	if (s->why != RSP_WHY_NONE)
		return false;
	s->why = why;
	return true;
}

static int take_watch(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	uint64_t addr = 0;
	int rc = take_number(value, &addr);

	if (!rc && first_reason(s, why))
		s->addr = addr;
	return rc;
}

static int take_flag(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	first_reason(s, why);
	return value.len ? -EBADMSG : 0;
}

/* Its value means nothing. */
static int take_library(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	(void)value;
	first_reason(s, why);
	return 0;
}

static int take_replaylog(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	bool begin = span_is(value, "begin");

	first_reason(s, begin ? why : RSP_WHY_REPLAY_END);
	return begin || span_is(value, "end") ? 0 : -EBADMSG;
}

static int take_odd(struct span value, struct rsp_stop *s, enum rsp_stop_why why)
{
	(void)value, (void)why;
	s->odd = true;
	return 0;
}

static const struct key {
	const char *name;
	int (*take)(struct span value, struct rsp_stop *s, enum rsp_stop_why why);
	enum rsp_stop_why why;
} keys[] = {
	{ "thread", take_thread, RSP_WHY_NONE },
	{ "core", take_core, RSP_WHY_NONE },
	{ "watch", take_watch, RSP_WHY_WATCH },
	{ "rwatch", take_watch, RSP_WHY_RWATCH },
	{ "awatch", take_watch, RSP_WHY_AWATCH },
	{ "swbreak", take_flag, RSP_WHY_SWBREAK },
	{ "hwbreak", take_flag, RSP_WHY_HWBREAK },
	{ "library", take_library, RSP_WHY_LIBRARY },
	{ "replaylog", take_replaylog, RSP_WHY_REPLAY_BEGIN },
	{ "fork", take_odd, RSP_WHY_NONE },
	{ "vfork", take_odd, RSP_WHY_NONE },
	{ "vforkdone", take_odd, RSP_WHY_NONE },
	{ "clone", take_odd, RSP_WHY_NONE },
	{ "exec", take_odd, RSP_WHY_NONE },
	{ "create", take_odd, RSP_WHY_NONE },
	{ "syscall_entry", take_odd, RSP_WHY_NONE },
	{ "syscall_return", take_odd, RSP_WHY_NONE },
};

static bool all_hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (hex_value(s.p[i]) < 0)
			return false;
	return s.len > 0;
}

static bool all_x(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != 'x')
			return false;
	return s.len > 0;
}

/* All x is a register whose value the stub cannot tell: not kept, like those for which there is no room. */
static int take_reg(struct span key, struct span value, struct rsp_stop *s)
{
	struct rsp_stop_reg *reg;
	struct cursor num = cursor_of(key);
	struct buf to;

	if (value.len % 2 || (!all_hex(value) && !all_x(value)))
		return -EBADMSG;
	if (all_x(value) || s->regs_n == RSP_STOP_REGS)
		return 0;
	reg = &s->regs[s->regs_n];
	to = (struct buf){ .base = reg->value, .cap = sizeof reg->value };
	reg->num = (unsigned)hex_number(&num, 8);
	if (!cursor_done(&num) || hex_take(&to, value) < 0)
		return -EBADMSG;
	reg->len = (unsigned)to.len;
	s->regs_n++;
	return 0;
}

/* A key of hex digits alone is a register, as gdb reads it; no key of the table is one. */
static int take_pair(struct span key, struct span value, struct rsp_stop *s)
{
	if (all_hex(key))
		return take_reg(key, value, s);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (span_is(key, keys[i].name))
			return keys[i].take(value, s, keys[i].why);
	return key.len ? 0 : -EBADMSG;
}

static struct span take_until(struct cursor *c, uint8_t end)
{
	const uint8_t *at = c->p < c->end ? memchr(c->p, end, (size_t)(c->end - c->p)) : NULL;
	struct span s = cursor_take(c, at ? (size_t)(at - c->p) : 0);

	c->bad |= !cursor_skip(c, end);
	return s;
}

static int take_pairs(struct cursor *c, struct rsp_stop *s)
{
	while (!cursor_done(c)) {
		struct span key = take_until(c, ':'), value = take_until(c, ';');

		if (c->bad || take_pair(key, value, s) < 0)
			return -EBADMSG;
	}
	return 0;
}

static uint8_t take_byte(struct cursor *c)
{
	int hi = hex_value(cursor_u8(c)), lo = hex_value(cursor_u8(c));

	c->bad |= hi < 0 || lo < 0;
	return c->bad ? 0 : (uint8_t)(hi << 4 | lo);
}

static int take_signal(struct cursor *c, struct rsp_stop *s)
{
	s->code = take_byte(c);
	return cursor_done(c) ? 0 : -EBADMSG;
}

static int take_signal_and_pairs(struct cursor *c, struct rsp_stop *s)
{
	s->code = take_byte(c);
	return c->bad ? -EBADMSG : take_pairs(c, s);
}

/* W and X: one digit or two, and the process, of which there is only one here. */
static int take_end(struct cursor *c, struct rsp_stop *s)
{
	struct span rest;

	s->code = (uint8_t)hex_number(c, 2);
	if (c->bad || cursor_done(c))
		return c->bad ? -EBADMSG : 0;
	rest = cursor_rest(c);
	if (!span_starts(rest, ";process:") || rest.len > strlen(";process:") + 16)
		return -EBADMSG;
	return all_hex(span_from(rest, strlen(";process:"))) ? 0 : -EBADMSG;
}

static int take_none(struct cursor *c, struct rsp_stop *s)
{
	(void)s;
	return cursor_done(c) ? 0 : -EBADMSG;
}

static const struct stop_form {
	uint8_t letter;
	enum rsp_stop_kind kind;
	int (*take)(struct cursor *c, struct rsp_stop *s);
} forms[] = {
	{ 'S', RSP_STOP_SIGNAL, take_signal },  { 'T', RSP_STOP_SIGNAL, take_signal_and_pairs },
	{ 'W', RSP_STOP_EXITED, take_end },     { 'X', RSP_STOP_KILLED, take_end },
	{ 'N', RSP_STOP_NONE_LEFT, take_none },
};

int rsp_stop_parse(struct span body, struct rsp_stop *stop)
{
	struct cursor c = cursor_of(body);
	uint8_t letter = cursor_u8(&c);

	memset(stop, 0, offsetof(struct rsp_stop, regs)); /* every answer is tried as a stop */
	for (size_t i = 0; !c.bad && i < sizeof forms / sizeof *forms; i++)
		if (forms[i].letter == letter) {
			stop->kind = forms[i].kind;
			return forms[i].take(&c, stop);
		}
	return -EBADMSG;
}
