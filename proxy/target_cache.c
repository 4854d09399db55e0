/* target_cache.c - what a target that stands has said once is not asked of it again: memory, registers, descriptions of
 * threads. See target.h and cache.h.
 *
 * A read of memory is served from what is known; what is not is asked for in one request. A read of whole lines, as
 * debuggers make them for their own caches, is asked for with something ahead, which grows with what was read right before
 * it; any other is asked for as it is, since it may be of a device. A device that is read once is not read again, and nothing
 * ahead of a read is asked for twice. On a slow line there is less ahead, and none where a read is the first of its kind, unless
 * that is where debuggers begin: at the stack's end, and at what runs next.
 *
 * What is not a read ends all of it: a register, a page table or another address of the same page may decide what is read
 * where. A breakpoint changes no more than the bytes around it. */
#include "proxy/target_parts.h"

#include "base/hex.h"
#include "proxy/cache.h"
#include "rsp/tdesc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	READ_MAX = (SESSION_PACKET - 4) / 2, /* what a client can be told at once, in hex */
	LINE = 64, LINES_MAX = 512, /* of gdb, of lldb */
	AHEAD_MAX = 1024,
	AROUND = 16,                /* of a breakpoint: more than any instruction */
	G_MAX = 1024,               /* a register file is read for the sake of one register up to this size */
	NOTES = 1024, NOTES_ROOM = 131072, FAILURES = 64,
};

/* A read of memory, or of one register, and what was asked of the target for it. */
struct fetch {
	bool on;             /* in flight, and s->cmd is answered from here */
	bool whole_file;     /* g was asked for p */
	uint64_t space, addr;
	size_t len, told;    /* of the client's read; told: of them, to the client */
	struct cache_gap gap;
	size_t at;           /* of gap.n, have come */
};

/* One answer; .at and .len are in .room. */
struct note {
	enum rsp_op op;
	int64_t thread;
	uint64_t num;
	enum rsp_reply_kind kind;
	unsigned code;
	size_t at, len;
};

struct target_cache {
	struct cache *memory;
	struct fetch fetch;
	struct failure {
		uint64_t space, from;
		size_t len;
		unsigned code;
	} failures[FAILURES]; /* reads of which not even the first byte came */
	size_t failures_n;
	struct note notes[NOTES];
	size_t notes_n;
	struct buf room;
	bool physical; /* addresses are of another kind; kept even while the target is away, which may not have forgotten */
	struct target_cache_counts counts;
};

static void destroy(struct target_cache *c)
{
	if (c->memory)
		cache_destroy(c->memory);
	buf_fini(&c->room);
	free(c);
}

int target_cache_init(struct target *t)
{
	struct target_cache *c;

	if (t->cache || t->setup.no_cache)
		return 0;
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->memory = cache_new();
	if (!c->memory || buf_init(&c->room, NOTES_ROOM) < 0) {
		destroy(c);
		return -ENOMEM;
	}
	t->cache = c;
	return 0;
}

void target_cache_fini(struct target *t)
{
	if (t->cache)
		destroy(t->cache);
	t->cache = NULL;
}

struct target_cache_counts target_cache_counts(const struct target *t)
{
	return t->cache ? t->cache->counts : (struct target_cache_counts){ 0 };
}

const char *target_cache_off(const struct target *t)
{
	return !t->cache ? "off" : t->cache->physical ? "off while addresses are physical" : NULL;
}

static void drop_notes(struct target_cache *c)
{
	c->notes_n = 0;
	buf_reset(&c->room, 0);
}

void target_cache_drop(struct target *t)
{
	struct target_cache *c = t->cache;

	if (!c)
		return;
	cache_drop(c->memory);
	drop_notes(c);
	c->failures_n = 0;
	c->fetch.on = false;
}

/* Of exec-file a policy thinks as of a process; it is a read all the same. */
static bool only_reads(const struct rsp_cmd *cmd)
{
	unsigned reads = RSP_EFF_QUERY | RSP_EFF_MEM_READ | RSP_EFF_REG_READ | (cmd->op == RSP_OP_XFER_READ ? RSP_EFF_PROCESS : 0);

	return cmd->effects && !(cmd->effects & ~reads);
}

static bool is_physical_mode(const struct rsp_cmd *cmd)
{
	return cmd->spec && !strcmp(cmd->spec->name, "Qqemu.PhyMemMode:");
}

void target_cache_takes(struct target *t, const struct rsp_cmd *cmd)
{
	struct target_cache *c = t->cache;

	if (!c)
		return;
	c->fetch.on = false;
	c->physical |= is_physical_mode(cmd) && cmd->num[0];
	if (cmd->op == RSP_OP_BREAK_SET || cmd->op == RSP_OP_BREAK_CLEAR)
		cache_forget(c->memory, cmd->addr & ~(uint64_t)(AROUND - 1), cmd->len + 2 * AROUND);
	else if (!only_reads(cmd))
		target_cache_drop(t);
}

/* Notes. */
static const struct note *find(const struct target_cache *c, enum rsp_op op, int64_t thread, uint64_t num)
{
	for (const struct note *n = c->notes; n < c->notes + c->notes_n; n++)
		if (n->op == op && n->thread == thread && n->num == num)
			return n;
	return NULL;
}

static void put_note(struct target_cache *c, struct note n, struct span bytes)
{
	if (find(c, n.op, n.thread, n.num))
		return;
	if (c->notes_n == NOTES || buf_room(&c->room) < bytes.len)
		drop_notes(c);
	n.at = c->room.len;
	n.len = bytes.len;
	if (buf_put_span(&c->room, bytes) == 0)
		c->notes[c->notes_n++] = n;
}

/* An error with words may be no answer of the target's, but what is said where there was none: the next try may do. */
static bool is_final(const struct rsp_reply *reply)
{
	return reply->kind != RSP_REPLY_ERROR || !reply->bytes.len;
}

void target_cache_keep(struct target *t, const struct rsp_reply *reply)
{
	enum rsp_op op = t->cmd.op;
	bool one = op == RSP_OP_REG_READ, said = reply->kind != RSP_REPLY_ERROR && reply->kind != RSP_REPLY_UNSUPPORTED;

	if (!t->cache || !is_final(reply) || (!one && op != RSP_OP_REGS_READ && op != RSP_OP_THREAD_EXTRA))
		return;
	put_note(t->cache, (struct note){ .op = op, .thread = t->cmd.thread.tid, .num = one ? t->cmd.num[0] : 0, .kind = reply->kind,
	                                  .code = reply->code }, said ? reply->bytes : (struct span){ 0 });
}

static struct span bytes_of(const struct target_cache *c, const struct note *n)
{
	return (struct span){ buf_data(&c->room) + n->at, n->len };
}

static const struct tdesc *description(const struct target *t)
{
	return t->be->ops->info(t->be)->tdesc;
}

/* Digits of one register in those of the whole file; empty: they are not there, or not known. */
static struct span digits_of(const struct target_cache *c, const struct note *g, const struct tdesc_reg *reg)
{
	size_t n = reg ? (reg->bits + 7) / 8 * 2 : 0;
	struct span digits = { 0 };

	if (g && reg && g->kind == RSP_REPLY_REGS && reg->at * 2 + n <= g->len)
		digits = (struct span){ bytes_of(c, g).p + reg->at * 2, n };
	return digits.len && !memchr(digits.p, 'x', digits.len) ? digits : (struct span){ 0 };
}

static const struct tdesc_reg *reg_of(const struct target *t, uint64_t num)
{
	const struct tdesc *d = description(t);

	return d && num <= TDESC_NUM_MAX ? tdesc_reg(d, (unsigned)num) : NULL;
}

static void tell(struct session *s, const struct rsp_reply *reply)
{
	session_tell(s, SESSION_REPLY, &(struct session_news){ .reply = reply });
}

static bool tell_note(struct target_cache *c, struct session *s, const struct note *n)
{
	struct rsp_reply reply = { .kind = n->kind, .code = n->code, .bytes = bytes_of(c, n) };

	c->counts.answers++;
	tell(s, &reply);
	return true;
}

static bool tell_register(struct target *t, struct session *s)
{
	struct target_cache *c = t->cache;
	const struct note *n = find(c, RSP_OP_REG_READ, s->cmd.thread.tid, s->cmd.num[0]);
	struct rsp_reply reply = { .kind = RSP_REPLY_REGS };

	if (n)
		return tell_note(c, s, n);
	reply.bytes = digits_of(c, find(c, RSP_OP_REGS_READ, s->cmd.thread.tid, 0), reg_of(t, s->cmd.num[0]));
	if (!reply.bytes.len)
		return false;
	c->counts.answers++;
	tell(s, &reply);
	return true;
}

/* One that asks for a register asks for the next one too: lldb does, one by one. */
static bool asks_whole_file(struct target *t, const struct session *s, struct rsp_cmd *cmd)
{
	const struct tdesc *d = description(t);

	if (!reg_of(t, s->cmd.num[0]) || d->g_bytes > G_MAX || find(t->cache, RSP_OP_REGS_READ, s->cmd.thread.tid, 0))
		return false;
	rsp_cmd_make(cmd, "g");
	cmd->thread = s->cmd.thread;
	t->cache->fetch = (struct fetch){ .whole_file = true };
	return true;
}

/* Memory. */
static uint64_t space_of(const struct target *t, const struct rsp_cmd *cmd)
{
	bool one = t->be->ops->info(t->be)->one_memory || !rsp_thread_names_one(cmd->thread);

	return one ? 0 : (uint64_t)cmd->thread.tid;
}

/* false: what cannot be served from here: nothing at all, or what wraps. */
static bool begin(const struct target *t, const struct session *s, struct fetch *f)
{
	const struct rsp_cmd *cmd = &s->cmd;

	*f = (struct fetch){ .space = space_of(t, cmd), .addr = cmd->addr, .len = cmd->len < READ_MAX ? (size_t)cmd->len : READ_MAX };
	return f->len && f->addr + (f->len - 1) >= f->addr;
}

/* What debuggers look at first of a thread that stopped. */
static bool is_looked_at(const struct tdesc_reg *reg)
{
	static const char *const names[] = { "rsp", "rbp", "eflags", "esp", "ebp", "sp", "x29", "fp", "cpsr" };
	bool is = reg->pc;

	for (size_t i = 0; !is && i < sizeof names / sizeof *names; i++)
		is = !strcmp(reg->name, names[i]);
	return is;
}

/* Where whoever looks at this thread begins. */
static bool is_beginning(const struct target *t, const struct session *s, const struct fetch *f)
{
	const struct note *g = find(t->cache, RSP_OP_REGS_READ, s->cmd.thread.tid, 0);
	const struct tdesc *d = description(t);
	bool is = false;
	uint64_t at;

	for (size_t i = 0; g && d && !is && i < d->regs_n; i++)
		is = is_looked_at(&d->regs[i]) && rsp_reg_value(digits_of(t->cache, g, &d->regs[i]), &at) && at - f->addr < f->len;
	return is;
}

/* A quarter of what was read so far is little to lose. */
static uint64_t ahead(const struct target *t, const struct session *s, const struct fetch *f)
{
	size_t before;

	if (!t->setup.slow_line)
		return AHEAD_MAX;
	before = cache_before(t->cache->memory, f->space, f->addr);
	if (before < LINE)
		return is_beginning(t, s, f) ? LINE : 0;
	return before / 4 < LINE ? LINE : before / 4 - before / 4 % LINE;
}

/* How many bytes from its address on may be asked for on its behalf. */
static uint64_t readable(const struct target *t, const struct session *s, const struct fetch *f)
{
	bool lines = f->len >= LINE && f->len <= LINES_MAX && f->len % LINE == 0 && f->addr % LINE == 0;
	uint64_t room = UINT64_MAX - f->addr, most = f->len + ahead(t, s, f);

	return lines ? policy_readable(s->who.policy, f->addr, most < room ? most : room) : f->len;
}

static size_t most_ahead(const struct target *t)
{
	size_t one = t->be->ops->info(t->be)->read_max;

	return one && one < AHEAD_MAX ? one : AHEAD_MAX;
}

/* It is asked for just that, and not even its first byte can be read. NULL: that is not known. */
static const struct failure *fails(const struct target_cache *c, const struct fetch *f)
{
	for (const struct failure *x = c->failures; x < c->failures + c->failures_n; x++)
		if (x->space == f->space && x->from == f->gap.from && x->len == f->gap.need)
			return x;
	return NULL;
}

static void note_failure(struct target_cache *c, const struct fetch *f, unsigned code)
{
	if (c->failures_n == FAILURES)
		c->failures_n = 0;
	c->failures[c->failures_n++] = (struct failure){ f->space, f->gap.from, f->gap.need, code };
}

/* What follows on what the client has been told, as far as it is known. */
static void say_known(struct target_cache *c, struct fetch *f, struct session *s)
{
	struct span known;

	while (f->told < f->len && (known = cache_get(c->memory, f->space, f->addr + f->told, f->len - f->told)).len) {
		struct rsp_reply part = { .kind = RSP_REPLY_BYTES, .bytes = known };

		f->told += known.len;
		session_tell(s, SESSION_PART, &(struct session_news){ .reply = &part });
	}
}

/* Its end, or where it cannot go on. */
static void say_end(const struct fetch *f, struct session *s, const struct rsp_reply *error)
{
	static const struct rsp_reply end = { .kind = RSP_REPLY_BYTES };

	tell(s, f->told ? &end : error);
}

static bool tell_memory(struct target *t, struct session *s)
{
	struct target_cache *c = t->cache;
	struct rsp_reply error = { .kind = RSP_REPLY_ERROR };
	const struct failure *failure;
	struct fetch f;

	if (c->physical || !begin(t, s, &f))
		return false;
	if (cache_want(c->memory, f.space, f.addr, f.len, f.len, f.len, &f.gap)) {
		failure = fails(c, &f);
		if (!failure)
			return false;
		error.code = failure->code;
	}
	session_tell(s, SESSION_TAKEN, NULL);
	say_known(c, &f, s);
	say_end(&f, s, &error);
	c->counts.told += f.told;
	return true;
}

static void make_read(struct rsp_cmd *cmd, const struct rsp_cmd *asked, uint64_t addr, size_t len)
{
	rsp_cmd_make(cmd, "m");
	cmd->thread = asked->thread;
	cmd->has_addr = true;
	cmd->addr = addr;
	cmd->len = len;
}

static bool asks_memory(struct target *t, const struct session *s, struct rsp_cmd *cmd)
{
	struct fetch *f = &t->cache->fetch;

	if (t->cache->physical || !begin(t, s, f))
		return false;
	if (!cache_want(t->cache->memory, f->space, f->addr, f->len, readable(t, s, f), most_ahead(t), &f->gap))
		return false;
	make_read(cmd, &s->cmd, f->gap.from, f->gap.n);
	return true;
}

bool target_tell_known(struct target *t, struct session *s)
{
	struct target_cache *c = t->cache;
	const struct note *n;

	if (!c || (t->state != TARGET_STOPPED && t->state != TARGET_ASKED))
		return false;
	if (s->cmd.op == RSP_OP_MEM_READ || s->cmd.op == RSP_OP_MEM_READ_BIN)
		return tell_memory(t, s);
	if (s->cmd.op == RSP_OP_REG_READ)
		return tell_register(t, s);
	n = find(c, s->cmd.op, s->cmd.thread.tid, 0);
	return n && tell_note(c, s, n);
}

bool target_cache_asks(struct target *t, const struct session *s, struct rsp_cmd *cmd)
{
	if (!t->cache)
		return false;
	return s->cmd.op == RSP_OP_REG_READ ? asks_whole_file(t, s, cmd) : asks_memory(t, s, cmd);
}

void target_cache_asked(struct target *t, struct session *s)
{
	struct fetch *f = &t->cache->fetch;

	f->on = true;
	if (f->whole_file)
		return;
	say_known(t->cache, f, s);
	t->cache->counts.told += f->told;
}

static void take_bytes(struct target_cache *c, struct session *s, struct span bytes)
{
	struct fetch *f = &c->fetch;

	cache_put(c->memory, f->space, f->gap.from + f->at, bytes);
	c->counts.read += bytes.len;
	f->at += bytes.len;
	if (s)
		say_known(c, f, s);
}

bool target_cache_part(struct target *t, struct session *s)
{
	bool ours = t->cache && t->cache->fetch.on;

	if (ours)
		take_bytes(t->cache, s, t->news.reply.bytes);
	return ours;
}

/* In place of what the client asked for, or for a part of it. */
static bool goes_on(struct target *t, const struct rsp_cmd *cmd)
{
	if (t->be->ops->submit(t->be, cmd) < 0)
		return false;
	t->cmd.op = cmd->op;
	t->cmd.addr = cmd->addr;
	t->cmd.len = cmd->len;
	t->cmd.num[0] = cmd->num[0];
	return true;
}

static bool ask_register(struct target *t, struct session *s)
{
	struct rsp_cmd cmd;

	rsp_cmd_make(&cmd, "p");
	cmd.num[0] = s->cmd.num[0];
	cmd.thread = s->cmd.thread;
	if (goes_on(t, &cmd))
		return true;
	session_error(s, "kdgate: the target cannot be asked that");
	return false;
}

/* true: the register itself is asked for. */
static bool after_whole_file(struct target *t, struct session *s)
{
	t->cache->fetch.on = false;
	if (s && !is_final(&t->news.reply))
		tell(s, &t->news.reply);
	else if (s && !tell_register(t, s))
		return ask_register(t, s);
	return false;
}

/* The client's own bytes did not all come, perhaps because of those ahead. */
static bool ask_again(struct target *t, const struct session *s)
{
	struct fetch *f = &t->cache->fetch;
	struct rsp_cmd cmd;

	if (f->gap.n == f->gap.need || f->at >= f->gap.need)
		return false;
	f->gap.from += f->at;
	f->gap.need -= f->at;
	f->gap.n = f->gap.need;
	f->at = 0;
	make_read(&cmd, &s->cmd, f->gap.from, f->gap.need);
	return goes_on(t, &cmd);
}

/* true: the rest is asked for once more. */
static bool after_read(struct target *t, struct session *s)
{
	struct fetch *f = &t->cache->fetch;
	const struct rsp_reply *reply = &t->news.reply;

	if (reply->kind == RSP_REPLY_BYTES)
		take_bytes(t->cache, s, reply->bytes);
	if (s && ask_again(t, s))
		return true;
	f->on = false;
	if (reply->kind == RSP_REPLY_ERROR && is_final(reply) && !f->at && f->gap.n == f->gap.need)
		note_failure(t->cache, f, reply->code);
	if (s)
		say_end(f, s, reply);
	return false;
}

/* A stub that does not know the word has no such mode. */
static void note_mode(struct target_cache *c, const struct rsp_cmd *cmd, enum rsp_reply_kind kind)
{
	if (is_physical_mode(cmd))
		c->physical &= kind == RSP_REPLY_ERROR || (kind == RSP_REPLY_OK && cmd->num[0]);
}

enum target_cache_step target_cache_answered(struct target *t, struct session *s)
{
	bool more;

	if (!t->cache)
		return TARGET_CACHE_NOT;
	if (t->cmd.op == RSP_OP_REGS_READ || t->cmd.op == RSP_OP_REG_READ)
		target_cache_keep(t, &t->news.reply);
	note_mode(t->cache, &t->cmd, t->news.reply.kind);
	if (!t->cache->fetch.on)
		return TARGET_CACHE_NOT;
	more = t->cache->fetch.whole_file ? after_whole_file(t, s) : after_read(t, s);
	return more ? TARGET_CACHE_ON : TARGET_CACHE_DONE;
}

static void add_reg(struct rsp_stop *stop, const struct tdesc_reg *reg, struct span digits)
{
	struct rsp_stop_reg *to = &stop->regs[stop->regs_n];
	struct buf value = { .base = to->value, .cap = sizeof to->value };

	if (!digits.len || stop->regs_n == RSP_STOP_REGS || hex_take(&value, digits) < 0)
		return;
	to->num = reg->num;
	to->len = (unsigned)value.len;
	stop->regs_n++;
}

void target_cache_expedite(const struct target *t, struct rsp_stop *stop)
{
	const struct tdesc *d = description(t);
	const struct note *g;

	if (!t->cache || !d || stop->regs_n || stop->kind != RSP_STOP_SIGNAL || !stop->has_thread)
		return;
	g = find(t->cache, RSP_OP_REGS_READ, stop->thread.tid, 0);
	for (size_t i = 0; g && i < d->regs_n; i++)
		if (is_looked_at(&d->regs[i]))
			add_reg(stop, &d->regs[i], digits_of(t->cache, g, &d->regs[i]));
}
