/* cmd.c - reading a packet by its row of the table; see cmd.h, and cmd_table.c for the letters. */
#include "rsp/cmd_table.h"
#include "rsp/framer.h"

#include "base/hex.h"

#include <errno.h>
#include <string.h>

enum { LIST_MAX = 1024 };

/* What goes wrong is told by c.bad alone, and looked at between arguments. */
struct reader {
	struct cursor c;
	uint8_t *body;
	const uint8_t *start; /* where c began: the same bytes as body */
	const char *schema;   /* what follows the argument that is being read */
	struct rsp_cmd *cmd;
	unsigned nums;
};

struct field {
	uint8_t *p;
	size_t len;
};

static struct span span_at(struct field f)
{
	return (struct span){ f.p, f.len };
}

static struct field take_bytes(struct reader *r, size_t n)
{
	uint8_t *p = r->body + (r->c.p - r->start);

	return (struct field){ p, cursor_take(&r->c, n).len };
}

static struct field take_rest(struct reader *r)
{
	return take_bytes(r, (size_t)(r->c.end - r->c.p));
}

static struct field take_field(struct reader *r)
{
	size_t left = (size_t)(r->c.end - r->c.p);
	char stop = *r->schema == 'T' ? ';' : *r->schema;
	const uint8_t *end = stop && left ? memchr(r->c.p, stop, left) : NULL;

	return take_bytes(r, end ? (size_t)(end - r->c.p) : left);
}

static void keep_data(struct reader *r, uint8_t *p, long n)
{
	r->c.bad |= n < 0 || n > RSP_DATA_MAX;
	if (!r->c.bad)
		r->cmd->data = (struct span){ p, (size_t)n };
}

static void take_addr(struct reader *r)
{
	r->cmd->addr = hex_number(&r->c, rsp_schema_digits('a'));
	r->cmd->has_addr = true;
}

static void take_len(struct reader *r)
{
	r->cmd->len = hex_number(&r->c, rsp_schema_digits('l'));
	r->cmd->has_len = true;
}

static void take_num(struct reader *r)
{
	r->cmd->num[r->nums++] = hex_number(&r->c, rsp_schema_digits(r->schema[-1]));
}

static void take_flag(struct reader *r)
{
	take_num(r);
	r->c.bad |= r->cmd->num[r->nums - 1] > 1;
}

static void take_fixed(struct reader *r)
{
	unsigned digits = rsp_schema_digits(r->schema[-1]);
	struct cursor own = cursor_of(cursor_take(&r->c, digits));

	r->cmd->num[r->nums++] = hex_number(&own, digits);
	r->c.bad |= !cursor_done(&own);
}

static uint8_t signal_number(struct cursor *c)
{
	return (uint8_t)hex_number(c, 2);
}

static void take_signal(struct reader *r)
{
	r->cmd->actions[0].sig = signal_number(&r->c);
}

static void take_thread(struct reader *r)
{
	r->cmd->has_thread = rsp_thread_take(&r->c, &r->cmd->thread) == 0;
}

static void take_pid(struct reader *r)
{
	uint64_t pid = hex_number(&r->c, rsp_schema_digits('P'));

	r->c.bad |= pid > INT64_MAX;
	r->cmd->thread.pid = (int64_t)pid;
	r->cmd->has_thread = true;
}

static void take_suffix(struct reader *r)
{
	static const char head[] = ";thread:";

	if (r->c.p == r->c.end)
		return;
	r->c.bad |= !span_is(cursor_take(&r->c, strlen(head)), head);
	take_thread(r);
	r->c.bad |= !cursor_skip(&r->c, ';');
}

static void take_hex(struct reader *r)
{
	struct field f = take_field(r);

	keep_data(r, f.p, hex_decode_in_place(f.p, f.len));
}

static void take_hex_some(struct reader *r)
{
	take_hex(r);
	r->c.bad |= r->cmd->data.len == 0;
}

static void take_hex_exact(struct reader *r)
{
	take_hex(r);
	r->c.bad |= r->cmd->data.len != r->cmd->len;
}

static void take_hex_text(struct reader *r)
{
	take_hex(r);
	r->c.bad |= !rsp_schema_printable(r->cmd->data);
}

/* Where the packet has no length of its own, what is written is as long as its bytes. */
static void take_binary(struct reader *r)
{
	struct field f = take_rest(r);

	keep_data(r, f.p, rsp_unescape_in_place(f.p, f.len));
	if (r->cmd->has_addr && !r->cmd->has_len) {
		r->cmd->len = r->cmd->data.len;
		r->cmd->has_len = true;
	}
}

static void take_binary_exact(struct reader *r)
{
	take_binary(r);
	r->c.bad |= r->cmd->data.len != r->cmd->len;
}

static void take_text(struct reader *r)
{
	r->cmd->text = span_at(take_field(r));
	r->c.bad |= !rsp_schema_text(r->cmd->text);
}

static void take_text_some(struct reader *r)
{
	take_text(r);
	r->c.bad |= r->cmd->text.len == 0;
}

static void take_annex(struct reader *r)
{
	r->cmd->annex = span_at(take_field(r));
	r->c.bad |= !rsp_schema_text(r->cmd->annex);
}

static void take_json(struct reader *r)
{
	struct field f = take_rest(r);
	long n = rsp_unescape_in_place(f.p, f.len);

	r->c.bad |= n < 0 || n > RSP_DATA_MAX;
	if (r->c.bad)
		return;
	r->cmd->text = (struct span){ f.p, (size_t)n };
	r->c.bad |= !rsp_schema_printable(r->cmd->text);
}

static void take_list(struct reader *r)
{
	struct field f = take_rest(r);
	unsigned separators = 0;

	for (size_t i = 0; i < f.len; i++) {
		bool separator = f.p[i] == ';' || f.p[i] == ',';

		separators += separator;
		r->c.bad |= !separator && hex_value(f.p[i]) < 0;
		if (f.p[i] >= 'A' && f.p[i] <= 'F')
			f.p[i] += 'a' - 'A';
	}
	r->c.bad |= separators >= LIST_MAX;
	r->cmd->text = span_at(f);
}

static void take_range_step(struct reader *r, struct rsp_action *act)
{
	act->from = hex_number(&r->c, 16);
	r->c.bad |= !cursor_skip(&r->c, ',');
	act->to = hex_number(&r->c, 16);
	r->c.bad |= act->from > act->to;
}

static void take_action(struct reader *r, struct rsp_action *act)
{
	*act = (struct rsp_action){ .verb = (char)cursor_u8(&r->c) };
	r->c.bad |= !act->verb || !strchr("csCStr", act->verb);
	if (act->verb == 'C' || act->verb == 'S') {
		act->sig = signal_number(&r->c);
		r->cmd->effects |= RSP_EFF_SIGNAL;
	}
	if (act->verb == 'r')
		take_range_step(r, act);
	if (cursor_skip(&r->c, ':'))
		act->has_thread = rsp_thread_take(&r->c, &act->thread) == 0;
}

static void take_actions(struct reader *r)
{
	do {
		if (r->cmd->actions_n == RSP_ACTIONS_MAX) {
			r->c.bad = true;
			return;
		}
		take_action(r, &r->cmd->actions[r->cmd->actions_n++]);
	} while (!r->c.bad && cursor_skip(&r->c, ';'));
}

static void take_range(struct reader *r, struct rsp_range *range)
{
	range->addr = hex_number(&r->c, rsp_schema_digits('a'));
	r->c.bad |= !cursor_skip(&r->c, ',');
	range->len = hex_number(&r->c, rsp_schema_digits('l'));
	r->c.bad |= !rsp_range_fits(range->addr, range->len);
}

static void take_ranges(struct reader *r)
{
	do {
		if (r->cmd->ranges_n == RSP_RANGES_MAX) {
			r->c.bad = true;
			return;
		}
		take_range(r, &r->cmd->ranges[r->cmd->ranges_n++]);
	} while (!r->c.bad && cursor_skip(&r->c, ','));
}

static void (*const take[128])(struct reader *) = {
	['a'] = take_addr,   ['l'] = take_len,      ['r'] = take_num,       ['n'] = take_num,       ['w'] = take_num,
	['f'] = take_flag,   ['1'] = take_fixed,    ['2'] = take_fixed,     ['8'] = take_fixed,     ['6'] = take_fixed,
	['s'] = take_signal, ['t'] = take_thread,   ['P'] = take_pid,       ['T'] = take_suffix,    ['h'] = take_hex,
	['H'] = take_hex_some, ['x'] = take_hex_exact, ['q'] = take_hex_text, ['b'] = take_binary,  ['B'] = take_binary_exact,
	['o'] = take_text,   ['O'] = take_text_some, ['u'] = take_annex,    ['v'] = take_list,      ['j'] = take_json,
	['A'] = take_actions, ['R'] = take_ranges,
};

/* A name that ends without a separator ends where its schema says so; "qC" is not the beginning of "qCRC". */
static bool name_ends(const struct rsp_spec *spec, struct span rest)
{
	const char *schema = spec->schema + (*spec->schema == '?');
	char next = *schema == 'T' ? ';' : *schema;

	return !rest.len || (next && (!rsp_schema_literal(next) || rest.p[0] == (uint8_t)next));
}

static void read_args(struct reader *r)
{
	while (*r->schema && !r->c.bad) {
		char k = *r->schema++;

		if (k == '?' && r->c.p == r->c.end)
			return;
		if (take[k & 127])
			take[k & 127](r);
		else if (k != '?')
			r->c.bad |= !cursor_skip(&r->c, (uint8_t)k);
	}
}

static bool makes_sense(const struct rsp_cmd *cmd)
{
	return !cmd->has_addr || rsp_range_fits(cmd->addr, cmd->len);
}

/* c, s, C and S with an address set the PC first. */
static void note_jump(struct rsp_cmd *cmd)
{
	if (cmd->op != RSP_OP_RESUME || !cmd->has_addr)
		return;
	cmd->actions[0].from = cmd->addr;
	cmd->effects |= RSP_EFF_REG_WRITE;
}

static int refuse(struct rsp_cmd *cmd)
{
	const struct rsp_spec *spec = cmd->spec;

	rsp_cmd_start(cmd, NULL);
	cmd->spec = spec;
	return -EBADMSG;
}

static int unknown(struct rsp_cmd *cmd, struct span all)
{
	rsp_cmd_start(cmd, NULL);
	cmd->text = all;
	return 0;
}

int rsp_cmd_parse(uint8_t *body, size_t len, struct rsp_cmd *cmd)
{
	struct span all = { body, len };
	const struct rsp_spec *spec = rsp_spec_find(all);
	struct span rest = span_from(all, spec ? strlen(spec->name) : 0);
	struct reader r = { .c = cursor_of(rest), .body = body + (len - rest.len), .start = rest.p, .cmd = cmd };

	if (!spec || !name_ends(spec, rest))
		return unknown(cmd, all);
	rsp_cmd_start(cmd, spec);
	r.schema = spec->schema;
	read_args(&r);
	if (!cursor_done(&r.c) || !makes_sense(cmd))
		return refuse(cmd);
	note_jump(cmd);
	return 0;
}
