/* cmd_encode.c - a value as its one canonical packet, or as a line for people; see cmd.h, and cmd_table.c for the letters. */
#include "rsp/cmd_table.h"
#include "rsp/framer.h"

#include "base/hex.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct writer {
	struct buf *out;
	const struct rsp_cmd *cmd;
	const char *schema; /* what follows the argument that is being written */
	unsigned nums;
	bool show;          /* for people: data by its length, long text cut */
};

/* No zeros in front beyond least digits. */
static int put_number(struct buf *out, uint64_t v, unsigned least, unsigned most)
{
	char text[16];
	unsigned n = 0;

	do {
		text[15 - n++] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v || n < least);
	return n > most ? -EINVAL : buf_put(out, text + 16 - n, n);
}

static int put_letter_number(struct writer *w, uint64_t v)
{
	char k = w->schema[-1];
	unsigned most = rsp_schema_digits(k);

	return put_number(w->out, v, rsp_schema_fixed(k) ? most : 1, most);
}

static int put_addr(struct writer *w)
{
	return rsp_range_fits(w->cmd->addr, w->cmd->len) ? put_letter_number(w, w->cmd->addr) : -EINVAL;
}

static int put_len(struct writer *w)
{
	return put_letter_number(w, w->cmd->len);
}

static int put_num(struct writer *w)
{
	return put_letter_number(w, w->cmd->num[w->nums++]);
}

static int put_flag(struct writer *w)
{
	return w->cmd->num[w->nums] > 1 ? -EINVAL : put_num(w);
}

static int put_signal(struct writer *w)
{
	return put_letter_number(w, w->cmd->actions[0].sig);
}

static int put_thread(struct writer *w)
{
	return rsp_thread_put(w->out, w->cmd->thread);
}

static int put_pid(struct writer *w)
{
	return w->cmd->thread.pid < 0 ? -EINVAL : put_letter_number(w, (uint64_t)w->cmd->thread.pid);
}

static int put_suffix(struct writer *w)
{
	int rc;

	if (!w->cmd->has_thread)
		return 0;
	rc = buf_put_text(w->out, ";thread:");
	rc = rc ? rc : put_thread(w);
	return rc ? rc : buf_put_u8(w->out, ';');
}

static int put_size(struct writer *w)
{
	return buf_printf(w->out, "<%zu bytes>", w->cmd->data.len);
}

static int put_hex(struct writer *w)
{
	return w->show ? put_size(w) : hex_put(w->out, w->cmd->data);
}

static int put_hex_some(struct writer *w)
{
	return w->cmd->data.len ? put_hex(w) : -EINVAL;
}

static int put_hex_exact(struct writer *w)
{
	return w->cmd->data.len == w->cmd->len ? put_hex(w) : -EINVAL;
}

static int put_text_of(struct writer *w, struct span s)
{
	size_t room = buf_room(w->out);

	if (w->show && s.len > room)
		s.len = room;
	return buf_put_span(w->out, s);
}

static int put_hex_text(struct writer *w)
{
	if (!rsp_schema_printable(w->cmd->data))
		return -EINVAL;
	return w->show ? put_text_of(w, w->cmd->data) : hex_put(w->out, w->cmd->data);
}

static int put_binary(struct writer *w)
{
	return w->show ? put_size(w) : rsp_put_escaped(w->out, w->cmd->data);
}

static int put_binary_exact(struct writer *w)
{
	return w->cmd->data.len == w->cmd->len ? put_binary(w) : -EINVAL;
}

static int put_text(struct writer *w)
{
	return rsp_schema_text(w->cmd->text) ? put_text_of(w, w->cmd->text) : -EINVAL;
}

static int put_text_some(struct writer *w)
{
	return w->cmd->text.len ? put_text(w) : -EINVAL;
}

static int put_annex(struct writer *w)
{
	return rsp_schema_text(w->cmd->annex) ? put_text_of(w, w->cmd->annex) : -EINVAL;
}

static int put_json(struct writer *w)
{
	if (!rsp_schema_printable(w->cmd->text))
		return -EINVAL;
	return w->show ? put_text_of(w, w->cmd->text) : rsp_put_escaped(w->out, w->cmd->text);
}

static int put_pair(struct writer *w, uint64_t a, uint64_t b, unsigned b_digits)
{
	int rc = put_number(w->out, a, 1, 16);

	rc = rc ? rc : buf_put_u8(w->out, ',');
	return rc ? rc : put_number(w->out, b, 1, b_digits);
}

static int put_action(struct writer *w, const struct rsp_action *act)
{
	int rc = !act->verb || !strchr("csCStr", act->verb) ? -EINVAL : buf_put_u8(w->out, (uint8_t)act->verb);

	if (!rc && (act->verb == 'C' || act->verb == 'S'))
		rc = put_number(w->out, act->sig, 2, 2);
	if (!rc && act->verb == 'r')
		rc = act->from > act->to ? -EINVAL : put_pair(w, act->from, act->to, 16);
	if (!rc && act->has_thread)
		rc = buf_put_u8(w->out, ':');
	return !rc && act->has_thread ? rsp_thread_put(w->out, act->thread) : rc;
}

static int put_actions(struct writer *w)
{
	size_t n = w->cmd->actions_n;
	int rc = n && n <= RSP_ACTIONS_MAX ? 0 : -EINVAL;

	for (size_t i = 0; !rc && i < n; i++) {
		rc = i ? buf_put_u8(w->out, ';') : 0;
		rc = rc ? rc : put_action(w, &w->cmd->actions[i]);
	}
	return rc;
}

static int put_range(struct writer *w, const struct rsp_range *range)
{
	return rsp_range_fits(range->addr, range->len) ? put_pair(w, range->addr, range->len, 8) : -EINVAL;
}

static int put_ranges(struct writer *w)
{
	size_t n = w->cmd->ranges_n;
	int rc = n && n <= RSP_RANGES_MAX ? 0 : -EINVAL;

	for (size_t i = 0; !rc && i < n; i++) {
		rc = i ? buf_put_u8(w->out, ',') : 0;
		rc = rc ? rc : put_range(w, &w->cmd->ranges[i]);
	}
	return rc;
}

static int (*const put[128])(struct writer *) = {
	['a'] = put_addr,     ['l'] = put_len,       ['r'] = put_num,      ['n'] = put_num,    ['w'] = put_num,
	['f'] = put_flag,     ['1'] = put_num,       ['2'] = put_num,      ['8'] = put_num,    ['6'] = put_num,
	['s'] = put_signal,   ['t'] = put_thread,    ['P'] = put_pid,      ['T'] = put_suffix, ['h'] = put_hex,
	['H'] = put_hex_some, ['x'] = put_hex_exact, ['q'] = put_hex_text, ['b'] = put_binary, ['B'] = put_binary_exact,
	['o'] = put_text,     ['O'] = put_text_some, ['u'] = put_annex,    ['v'] = put_text,   ['j'] = put_json,
	['A'] = put_actions,  ['R'] = put_ranges,
};

/* What an optional rest is about: its first argument. */
static bool is_there(const struct rsp_cmd *cmd, const char *schema)
{
	while (rsp_schema_literal(*schema))
		schema++;
	switch (*schema) {
	case 'a':
		return cmd->has_addr;
	case 'l':
		return cmd->has_len;
	case 'P':
		return cmd->has_thread;
	default:
		return cmd->text.len > 0;
	}
}

/* What policy judged and what is sent must be one: what the name says was not to be changed. */
static bool name_agrees(const struct rsp_cmd *cmd)
{
	const char *name = cmd->spec->name;

	if (cmd->op == RSP_OP_BREAK_SET || cmd->op == RSP_OP_BREAK_CLEAR)
		return cmd->num[0] == (uint64_t)(name[1] - '0');
	if (cmd->op == RSP_OP_THREAD_SELECT)
		return cmd->which == name[1];
	if (cmd->op == RSP_OP_DETACH)
		return cmd->num[0] == (name[1] == '1');
	if (cmd->op == RSP_OP_RESUME && !name[1])
		return cmd->actions_n == 1 && cmd->actions[0].verb == name[0];
	return true;
}

static int put_all(struct writer *w)
{
	const char *name = w->cmd->spec->name;
	int rc = name_agrees(w->cmd) ? buf_put_text(w->out, name) : -EINVAL;

	w->schema = w->cmd->spec->schema;
	while (!rc && *w->schema) {
		char k = *w->schema++;

		if (k == '?') {
			if (!is_there(w->cmd, w->schema))
				return 0;
			continue;
		}
		rc = put[k & 127] ? put[k & 127](w) : buf_put_u8(w->out, (uint8_t)k);
	}
	return rc;
}

int rsp_cmd_encode(struct buf *out, const struct rsp_cmd *cmd)
{
	struct writer w = { .out = out, .cmd = cmd };

	return cmd->spec && cmd->op != RSP_OP_UNKNOWN ? put_all(&w) : -EINVAL;
}

const char *rsp_cmd_show(const struct rsp_cmd *cmd, char *out, size_t size)
{
	struct buf b = { .base = (uint8_t *)out, .cap = size ? size - 1 : 0 };
	struct writer w = { .out = &b, .cmd = cmd, .show = true };

	if (!size)
		return out;
	if (!cmd->spec || cmd->op == RSP_OP_UNKNOWN)
		return text_ascii(out, size, cmd->text);
	if (put_all(&w) < 0 && buf_room(&b) >= 3)
		(void)!buf_put_text(&b, "...");
	out[b.len] = 0;
	return out;
}
