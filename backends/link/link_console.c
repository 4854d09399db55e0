/* link_console.c - takes console text and the debugger's packets apart. See console.h. One small function per state. */
#include "backends/link/console.h"

#include "backends/link/console_keys.h"
#include "backends/link/console_text.h"
#include "backends/link/link.h"
#include "base/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	RAW_MAX = CONSOLE_HEARD,
	HELD_MAX = CONSOLE_PACKET + 5, /* + $ body # and two digits */
	UP_MAX = RAW_MAX + HELD_MAX,
	ROUNDS = 16,  /* receives in a turn */
	OWED = 2,     /* one that let the kernel go, and the question that followed */
	SURE = 4,     /* characters that were all right: hardly text */
};

/* Of what is heard. SIGN: + or - that may be an acknowledgement; from BODY on: what began like a packet. */
enum state { TEXT, SIGN, BODY, SUM1, SUM2, STATES };

/* Of what is sent. */
enum sending { SENT_ALL, SENT_BODY, SENT_SUM, SENT_SUM2 };

/* How sure it is that a packet, not text, may come; see console.h. */
enum level { LEVEL_RUNS, LEVEL_ASKED, LEVEL_STANDS };

/* Bodies. h: a hex digit; v: that, or the x of what is unavailable; i: of a list of threads; *: printable. */
static const struct shape {
	const char *head;
	char rest;      /* of all that follows the head; 0: nothing does */
	bool pairs;     /* ... in pairs */
	enum level from;
} shapes[] = {
	{ "Thh", '*', false, LEVEL_RUNS },   { "Shh", 0, false, LEVEL_RUNS },     { "Whh", '*', false, LEVEL_RUNS },
	{ "Xhh", '*', false, LEVEL_RUNS },   { "Ohh", 'h', true, LEVEL_RUNS },    { "OK", 0, false, LEVEL_RUNS },
	{ "Ehh", 0, false, LEVEL_RUNS },     { "E.", '*', false, LEVEL_ASKED },   { "vv", 'v', true, LEVEL_ASKED },
	{ "Ch", 'h', false, LEVEL_ASKED },   { "QC", 'i', false, LEVEL_ASKED },   { "mi", 'i', false, LEVEL_ASKED },
	{ "l", 0, false, LEVEL_ASKED },      { "F", '*', false, LEVEL_ASKED },    { "", 0, false, LEVEL_ASKED },
	{ "", '*', false, LEVEL_STANDS },
};

enum { SHAPES = sizeof shapes / sizeof *shapes };
#define ECHO (1u << SHAPES)

struct link_console {
	struct link base; /* first: a struct link * of this kind is a struct link_console * */
	enum state state;
	uint8_t held[HELD_MAX]; /* heard, and not known yet what it is; empty in TEXT */
	size_t held_len;
	size_t dollar;          /* where in held the packet begins: 1 behind a + */
	size_t body_len;
	size_t mark;            /* of held, heard before our packet went out; 0: nothing, or all of it */
	bool past;              /* what is read again was heard before that */
	unsigned alive;         /* the shapes it can still have, by number; ECHO: our own packet */
	uint8_t sum, want;
	uint64_t heard;         /* when the last of held was */

	bool stands;            /* the kernel */
	bool settled;           /* a packet of it was heard, and nothing that a running one says */
	unsigned owed;          /* acknowledgements, of packets of ours that went out; at most OWED */
	bool bare;              /* since then, or since a packet, nothing was heard */
	bool awaited;           /* an answer to it */
	bool asked;             /* to break in; what comes of it is not known yet */
	uint64_t asked_until;
	bool leaving;           /* it will go on when it has our + */
	bool again;             /* there may be more to receive */

	enum sending sending;
	uint8_t sent[CONSOLE_PACKET]; /* body of our last packet, or of the one that is going out */
	size_t sent_len;
	bool sent_long;         /* more than that */
	bool sent_signed;       /* right behind a + */
	uint8_t sent_last;      /* byte */

	struct console_text text;
	struct console_keys keys;
	struct buf raw, up;
};

/* --- what is heard as text --- */

/* A kernel that prints and owes nothing runs; one that was resumed acknowledges before it prints, or never. */
static void hear_text(struct link_console *c, const uint8_t *p, size_t n)
{
	if (!n)
		return;
	if (console_text_hear(&c->text, (struct span){ p, n }))
		c->stands = c->settled = false;
	c->bare = false;
	if (c->stands || c->past)
		return;
	c->settled = false;
	c->owed = c->awaited ? c->owed : 0;
}

/* --- what may be a packet --- */

static bool is_of(char kind, uint8_t b)
{
	switch (kind) {
	case 'h':
		return hex_value(b) >= 0;
	case 'v':
		return hex_value(b) >= 0 || b == 'x';
	case 'i':
		return hex_value(b) >= 0 || (b && strchr(",.-p", b));
	case '*':
		return b >= ' ' && b <= '~';
	default:
		return kind == (char)b;
	}
}

static bool shape_takes(const struct shape *s, size_t at, uint8_t b)
{
	size_t head = strlen(s->head);

	return at < head ? is_of(s->head[at], b) : s->rest && is_of(s->rest, b);
}

static bool shape_ends(const struct shape *s, size_t len)
{
	size_t head = strlen(s->head);

	return len >= head && !(s->pairs && (len - head) % 2);
}

static enum level level(const struct link_console *c)
{
	if (c->stands && c->settled)
		return LEVEL_STANDS;
	return c->stands || c->awaited ? LEVEL_ASKED : LEVEL_RUNS;
}

static unsigned shapes_of(enum level l)
{
	unsigned set = 0;

	for (size_t i = 0; i < SHAPES; i++)
		set |= shapes[i].from <= l ? 1u << i : 0;
	return set;
}

/* Nothing of ours is echoed by a stub that has taken it. */
static bool may_echo(const struct link_console *c)
{
	return c->sent_len && !c->sent_long && c->sending == SENT_ALL && (c->owed || !c->settled || !c->stands);
}

static unsigned that_take(const struct link_console *c, uint8_t b)
{
	size_t at = c->body_len;
	unsigned set = c->alive & ECHO && at < c->sent_len && c->sent[at] == b ? ECHO : 0;

	for (size_t i = 0; i < SHAPES; i++)
		if (c->alive & 1u << i && shape_takes(&shapes[i], at, b))
			set |= 1u << i;
	return set;
}

static bool may_end(const struct link_console *c)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (c->alive & 1u << i && shape_ends(&shapes[i], c->body_len))
			return true;
	return false;
}

static bool is_echo(const struct link_console *c)
{
	return c->alive & ECHO && c->sending == SENT_ALL && c->body_len == c->sent_len;
}

/* --- one byte, by state --- */

static void (*const on_byte[STATES])(struct link_console *c, uint8_t b);

static void drop_held(struct link_console *c)
{
	c->held_len = c->mark = 0;
	c->state = TEXT;
}

/* Our packet is out: from here on what is heard may be an answer to it. */
static void mark(struct link_console *c)
{
	c->bare = true;
	c->past = false;
	c->mark = c->held_len;
}

static bool nothing_since(const struct link_console *c)
{
	return c->mark && c->mark == c->held_len;
}

static void hold(struct link_console *c, uint8_t b)
{
	c->held[c->held_len++] = b;
}

static void begin(struct link_console *c)
{
	c->dollar = c->held_len;
	c->body_len = 0;
	c->alive = shapes_of(c->dollar ? LEVEL_STANDS : level(c)) | (may_echo(c) ? ECHO : 0);
	c->sum = 0;
	c->state = BODY;
	hold(c, '$');
}

/* It is text, up to its $. What follows is read again: there may be an owed + at its end. It holds no other $, so
 * this does not come back to itself; what is held anew is never longer than what was read. */
static void fail(struct link_console *c)
{
	size_t n = c->held_len, from = c->state == SIGN ? 1 : c->dollar + 1;
	bool past = nothing_since(c);

	drop_held(c);
	c->past |= past;
	hear_text(c, c->held, from);
	for (size_t i = from; i < n; i++)
		on_byte[c->state](c, c->held[i]);
	if (past)
		mark(c);
}

static void fail_at(struct link_console *c, uint8_t b)
{
	fail(c);
	on_byte[c->state](c, b);
}

static void rise(struct link_console *c, const uint8_t *p, size_t n)
{
	if (buf_put(&c->up, p, n) < 0)
		c->base.dropped++; /* not reached: it holds whatever one receive can make */
}

static void acknowledge(struct link_console *c, uint8_t b)
{
	c->owed--;
	c->settled = c->settled && (c->stands || b == '-');
	rise(c, &b, 1);
}

static void on_text(struct link_console *c, uint8_t b)
{
	bool sign = c->owed && (b == '+' || b == '-');

	if (b == '$') {
		begin(c);
	} else if (sign && c->settled && c->bare) {
		acknowledge(c, b);
	} else if (sign && (b == '+' || c->bare)) {
		c->state = SIGN;
		hold(c, b);
	} else {
		hear_text(c, &b, 1);
	}
}

static void on_sign(struct link_console *c, uint8_t b)
{
	if (c->held[0] == '+' && b == '$')
		begin(c);
	else
		fail_at(c, b);
}

/* A stub does not listen while it sends: what it acknowledges ends whatever was before. */
static bool cuts_off(const struct link_console *c, uint8_t b)
{
	return (b == '+' || b == '-') && c->owed && c->settled && nothing_since(c);
}

static void on_body(struct link_console *c, uint8_t b)
{
	unsigned still = b == '$' || b == '#' || cuts_off(c, b) ? 0 : that_take(c, b);

	if (b == '#') {
		c->state = SUM1;
		hold(c, b);
	} else if (!still || c->body_len == CONSOLE_PACKET) {
		fail_at(c, b);
	} else {
		c->alive = still;
		c->body_len++;
		c->sum += b;
		hold(c, b);
	}
}

static void on_sum1(struct link_console *c, uint8_t b)
{
	int v = hex_value(b);

	if (v < 0) {
		fail_at(c, b);
		return;
	}
	c->want = (uint8_t)(v << 4);
	c->state = SUM2;
	hold(c, b);
}

/* Console output does not say that the kernel stands: it may come while it runs. A packet that nobody asked for does only if
 * it is a stop: others are what a stub repeats that has let the kernel go. */
static void meet(struct link_console *c, const uint8_t *body, size_t len)
{
	bool output = body[0] == 'O' && !(len == 2 && body[1] == 'K');

	c->bare = true;
	c->leaving = c->awaited && c->sent_len && strchr("DR", c->sent[0]) && len == 2 && !memcmp(body, "OK", 2);
	if (output || !(c->awaited || c->stands || (len && strchr("TSWX", body[0]))))
		return;
	c->stands = c->settled = true;
	c->awaited = c->asked = c->keys.key_next = false;
	c->text.mode = CONSOLE_MODE_KGDB;
}

static void rise_packet(struct link_console *c, bool good)
{
	if (c->dollar)
		c->owed = 0;
	rise(c, c->held, c->held_len);
	if (good)
		meet(c, c->held + c->dollar + 1, c->body_len);
	drop_held(c);
}

/* A terminal sent it, so the kernel runs, whatever was thought. A + in front is of the echo only if we sent one. */
static void drop_echo(struct link_console *c)
{
	c->base.dropped++;
	if (c->dollar && !c->sent_signed)
		hear_text(c, c->held, 1);
	drop_held(c);
	c->settled = c->bare = false;
}

static void on_sum2(struct link_console *c, uint8_t b)
{
	int v = hex_value(b);
	bool right = v >= 0 && (c->want | v) == c->sum;

	if (v < 0) {
		fail_at(c, b);
		return;
	}
	hold(c, b);
	if (right && is_echo(c))
		drop_echo(c);
	else if (right ? may_end(c) : c->stands && c->settled && c->awaited)
		rise_packet(c, right);
	else
		fail(c);
}

static void (*const on_byte[STATES])(struct link_console *c, uint8_t b) = {
	[TEXT] = on_text, [SIGN] = on_sign, [BODY] = on_body, [SUM1] = on_sum1, [SUM2] = on_sum2,
};

/* How many bytes from p on are only text. */
static size_t plain(const struct link_console *c, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at < n && p[at] != '$' && !(c->owed && (p[at] == '+' || p[at] == '-')))
		at++;
	return at;
}

static void hear(struct link_console *c, struct span in)
{
	for (size_t i = 0; i < in.len;) {
		size_t n = c->state == TEXT ? plain(c, in.p + i, in.len - i) : 0;

		hear_text(c, in.p + i, n);
		i += n;
		if (i < in.len)
			on_byte[c->state](c, in.p[i++]);
	}
}

/* --- silence --- */

static uint64_t patience(const struct link_console *c)
{
	if (c->state == SIGN)
		return CONSOLE_STALL_MS;
	return (c->stands && c->awaited) || c->held_len - c->dollar >= SURE ? CONSOLE_PATIENCE_MS : CONSOLE_STALL_MS;
}

static bool stalled(const struct link_console *c, uint64_t now)
{
	return c->state != TEXT && now >= c->heard + patience(c);
}

/* What is read again may be held again; it has had its time. */
static void give_up(struct link_console *c)
{
	while (c->state != TEXT) {
		if (c->state == SIGN && c->held[0] == '-' && c->owed) {
			drop_held(c);
			acknowledge(c, '-');
		} else {
			fail(c);
		}
	}
}

/* --- what is sent --- */

/* What lets the kernel go, and is answered by the next stop; 3 goes to kdb. */
static bool resumes(const struct link_console *c)
{
	struct span body = { c->sent, c->sent_len };

	return (body.len && strchr("cCsSk3", body.p[0])) || span_starts(body, "vCont;");
}

static void on_sent(struct link_console *c)
{
	mark(c);
	c->owed += c->owed < OWED;
	c->awaited = !resumes(c);
	c->stands = c->stands && c->awaited;
}

/* An acknowledgement is still awaited of the packet that let a kernel go; not of one that was never heard. */
static void goes_on(struct link_console *c)
{
	c->stands = c->awaited = c->asked = c->keys.key_next = c->leaving = false;
	c->owed = c->settled ? c->owed : 0;
	c->settled = c->owed > 0;
	c->text.mode = CONSOLE_MODE_RUNS;
}

static void note_byte(struct link_console *c, uint8_t b)
{
	if (b == '$') {
		c->sent_signed = c->sent_last == '+';
		c->sending = SENT_BODY;
		c->sent_len = 0;
		c->sent_long = false;
	} else if (c->sending == SENT_BODY && b == '#') {
		c->sending = SENT_SUM;
	} else if (c->sending == SENT_BODY) {
		c->sent_long = c->sent_len == CONSOLE_PACKET;
		if (!c->sent_long)
			c->sent[c->sent_len++] = b;
	} else if (c->sending == SENT_SUM) {
		c->sending = SENT_SUM2;
	} else if (c->sending == SENT_SUM2) {
		c->sending = SENT_ALL;
		on_sent(c);
	} else if (b == '+' && c->leaving) {
		goes_on(c);
	}
	c->sent_last = b;
}

static bool may_key(const struct link_console *c)
{
	return c->keys.key.len && c->sending == SENT_ALL;
}

/* A stub would take what is typed for the beginning of a packet, or for a reason to send its last one again. */
static bool may_type(const struct link_console *c)
{
	return c->keys.typed.len && c->sending == SENT_ALL && !c->stands && !c->awaited && !c->asked;
}

static int push_typed(struct link_console *c, uint64_t now)
{
	int rc;

	c->keys.refused = false;
	if (now >= c->asked_until)
		c->asked = c->keys.key_next = false;
	rc = may_key(c) ? console_keys_push(&c->keys, &c->keys.key, c->base.below, now) : 0;
	return !rc && may_type(c) ? console_keys_push(&c->keys, &c->keys.typed, c->base.below, now) : rc;
}

/* --- the link --- */

static int console_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_console *c = (struct link_console *)lk;
	struct span all = buf_span(frame);
	int rc = push_typed(c, now);

	if (rc)
		return rc;
	rc = link_send(lk->below, frame, now);
	all.len = console_keys_gone(rc, all.len, frame->len);
	for (size_t i = 0; i < all.len; i++)
		note_byte(c, all.p[i]);
	return rc;
}

static int receive(struct link_console *c, uint64_t now)
{
	int got = 1;

	for (size_t i = 0; i < ROUNDS && !c->up.len && got == 1; i++) {
		got = link_recv(c->base.below, &c->raw, now);
		if (got != 1)
			break;
		hear(c, buf_span(&c->raw));
		c->heard = now;
	}
	c->again = got == 1 && !c->up.len;
	if (got < 0 || (got == 0 && stalled(c, now)))
		give_up(c);
	return got;
}

static int give(struct link_console *c, struct buf *in)
{
	size_t n = c->up.len < in->cap ? c->up.len : in->cap;
	int rc = buf_put(in, buf_data(&c->up), n);

	if (!rc)
		rc = buf_pull(&c->up, n);
	if (!c->up.len)
		buf_reset(&c->up, 0);
	return rc ? rc : n > 0;
}

static int console_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_console *c = (struct link_console *)lk;
	int got = 0;

	buf_reset(in, 0);
	console_text_forget(&c->text);
	if (push_typed(c, now) < 0)
		c->keys.refused = true; /* what is dead says so when it is heard out */
	if (!c->up.len)
		got = receive(c, now);
	return c->up.len ? give(c, in) : got < 0 ? got : 0;
}

static int console_attention(struct link *lk, uint64_t now)
{
	struct link_console *c = (struct link_console *)lk;
	int rc = link_attention(lk->below, now);

	if (rc == 0) {
		console_keys_await(&c->keys);
		c->asked = true;
		c->asked_until = now + CONSOLE_ASKED_MS;
		c->settled = c->settled && c->owed;
	}
	return rc;
}

static void console_wait(const struct link *lk, struct wait *w)
{
	const struct link_console *c = (const struct link_console *)lk;

	if (c->state != TEXT)
		wait_until(w, c->heard + patience(c));
	if (c->asked && c->keys.typed.len)
		wait_until(w, c->asked_until);
	if (c->again || c->up.len || (!c->keys.refused && (may_key(c) || may_type(c))))
		wait_until(w, 0);
}

static void console_destroy(struct link *lk)
{
	struct link_console *c = (struct link_console *)lk;

	buf_fini(&c->raw);
	buf_fini(&c->up);
	console_text_fini(&c->text);
	console_keys_fini(&c->keys);
	free(c);
}

static struct span console_fetch(struct link *lk)
{
	return console_text_lend(&((struct link_console *)lk)->text);
}

static uint64_t console_lost(const struct link *lk)
{
	return ((const struct link_console *)lk)->text.lost;
}

static size_t console_type(struct link *lk, struct span bytes)
{
	return console_keys_put(&((struct link_console *)lk)->keys, bytes);
}

static void console_runs(struct link *lk, bool runs)
{
	struct link_console *c = (struct link_console *)lk;

	c->stands = true;
	if (runs)
		goes_on(c);
}

static enum console_mode console_mode(const struct link *lk)
{
	return ((const struct link_console *)lk)->text.mode;
}

static bool console_stands(const struct link *lk)
{
	return ((const struct link_console *)lk)->stands;
}

static const struct console_ops console_own_ops = {
	.text = console_fetch, .lost = console_lost, .type = console_type, .runs = console_runs, .mode = console_mode, .stands = console_stands,
};

static const struct link_ops console_ops = {
	.name = "console", .send = console_send, .recv = console_recv, .attention = console_attention, .wait = console_wait,
	.destroy = console_destroy, .console = &console_own_ops,
};

struct link *link_console_new(struct link *below)
{
	struct link_console *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->base = (struct link){ .ops = &console_ops, .below = below };
	if (buf_init(&c->raw, RAW_MAX) == 0 && buf_init(&c->up, UP_MAX) == 0 && console_text_init(&c->text) == 0 &&
	    console_keys_init(&c->keys, below) == 0)
		return &c->base;
	console_destroy(&c->base);
	return NULL;
}
