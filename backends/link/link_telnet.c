/* link_telnet.c - telnet, and a serial port behind it. See link.h.
 *
 * Source: RFC 854 (commands, CR NUL), 855, 856 (BINARY), 858 (SGA), 1143 (how to agree on options without a loop), 2217 (the port);
 * what ser2net and QEMU's telnet=on do. Nothing is ever asked for a second time, and nothing that was agreed on is taken back: so of
 * RFC 1143's states four are enough, and of its queue nothing. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SE = 240, BRK = 243, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255,
	OPT_BINARY = 0, OPT_SGA = 3, OPT_COM_PORT = 44,
	COM_BAUD = 1, COM_BITS = 2, COM_PARITY = 3, COM_STOPS = 4, COM_CONTROL = 5, COM_SUSPEND = 8, COM_RESUME = 9, COM_PURGE = 12,
	COM_FROM_PORT = 100, /* what a port says is its code and so much */
	CONTROL_NO_FLOW = 1, CONTROL_RTSCTS = 3, CONTROL_BREAK = 5, CONTROL_BREAK_OFF = 6, PURGE_BOTH = 3,
};
enum {
	AGREE_MS = 3000, BREAK_MS = 250,
	OUT_MAX = 1024, ANSWERS_MAX = 1000, /* in one connection: who asks for more asks without end */
	SB_KEPT = 16, SB_MAX = 4096,        /* what is kept of a subnegotiation; what it may have */
	CHUNK = 512, HEADROOM_MOST = 64, TURNS_MAX = 64,
};

enum state { T_DATA, T_CR, T_IAC, T_OPTION, T_SB, T_SB_IAC, T_STATES };
enum agreed { NO, ASKED, YES };
enum side { US, THEM, SIDES };

/* What the port is asked to be. */
struct ask {
	uint8_t code, bytes;
	uint32_t value;
	bool done;
};
enum { ASKS = 5 };

struct link_telnet {
	struct link base; /* first: a struct link * of this kind is a struct link_telnet * */
	int dead;         /* the -errno it ended with; every later call says the same */
	enum state state;
	uint8_t verb;                  /* of the option that is coming */
	uint8_t agreed[SIDES][256];    /* of enum agreed */
	uint8_t refused[SIDES][256];   /* it was told so, and has not changed its mind since */
	unsigned answers;
	uint8_t sb[SB_KEPT];
	size_t sb_len;                 /* may be more than was kept */
	uint8_t room[OUT_MAX];
	struct buf out;                /* commands that have not gone; a view of room */
	bool port;                     /* a mode was given */
	struct ask asks[ASKS];
	bool set;                      /* all of them were answered */
	bool suspended;                /* the port takes nothing now */
	uint64_t agree_by;             /* NEVER: it has not been asked yet, or is done */
	uint64_t break_until;          /* 0: no break is on */
	uint64_t again;                /* there may be more below; NEVER */
};

static int end(struct link_telnet *t, int rc, const char *why)
{
	if (!t->dead) {
		t->dead = rc;
		t->base.why = why;
	}
	return t->dead;
}

/* Commands wait in .out; whoever makes the other end wait for its answers gets none. */
static void put(struct link_telnet *t, const void *bytes, size_t n)
{
	buf_pack(&t->out);
	if (buf_put(&t->out, bytes, n) < 0)
		end(t, -EPROTO, "it asks for options, and does not read the answers");
}

static void put_option(struct link_telnet *t, uint8_t verb, uint8_t option)
{
	put(t, (uint8_t[]){ IAC, verb, option }, 3);
}

static void put_port(struct link_telnet *t, uint8_t code, uint32_t value, size_t bytes)
{
	put(t, (uint8_t[]){ IAC, SB, OPT_COM_PORT, code }, 4);
	while (bytes-- > 0) {
		uint8_t c = (uint8_t)(value >> (8 * bytes));

		put(t, (uint8_t[]){ c, IAC }, c == IAC ? 2 : 1);
	}
	put(t, (uint8_t[]){ IAC, SE }, 2);
}

static bool binary(const struct link_telnet *t, enum side side)
{
	return t->agreed[side][OPT_BINARY] == YES;
}

/* How many of n bytes went; -errno. */
static int send_below(struct link_telnet *t, const uint8_t *bytes, size_t n, uint64_t now)
{
	uint8_t room[HEADROOM_MOST + OUT_MAX];
	struct buf b = { .base = room, .cap = sizeof room };
	int rc;

	buf_reset(&b, link_headroom(t->base.below));
	rc = buf_put(&b, bytes, n);
	if (!rc)
		rc = link_send(t->base.below, &b, now);
	return rc && rc != -EAGAIN ? rc : (int)(n - b.len);
}

/* 0: no command is left; -EAGAIN. */
static int flush(struct link_telnet *t, uint64_t now)
{
	int n = t->out.len ? send_below(t, buf_data(&t->out), t->out.len, now) : 0;

	if (n < 0)
		return n;
	if (buf_pull(&t->out, (size_t)n) < 0)
		return end(t, -EPROTO, NULL);
	if (t->out.len)
		return -EAGAIN;
	if (t->port && !t->set && t->agree_by == NEVER)
		t->agree_by = now + AGREE_MS;
	return 0;
}

/* The port. */
static void ask_port(struct link_telnet *t)
{
	for (size_t i = 0; i < ASKS; i++)
		put_port(t, t->asks[i].code, t->asks[i].value, t->asks[i].bytes);
	put_port(t, COM_PURGE, PURGE_BOTH, 1);
}

static void refused_port(struct link_telnet *t)
{
	end(t, -EPROTONOSUPPORT, "it refuses the COM-PORT option: this is no RFC 2217 port");
}

static bool all_done(const struct link_telnet *t)
{
	size_t i = 0;

	while (i < ASKS && t->asks[i].done)
		i++;
	return i == ASKS;
}

static void take_asked(struct link_telnet *t, struct ask *a, struct cursor value)
{
	static const char *const words[] = {
		[COM_BAUD] = "the port does not take that speed", [COM_BITS] = "the port does not take that number of data bits",
		[COM_PARITY] = "the port does not take that parity", [COM_STOPS] = "the port does not take that number of stop bits",
		[COM_CONTROL] = "the port does not take that flow control",
	};
	uint32_t is = 0;

	for (size_t i = 0; i < a->bytes; i++)
		is = is << 8 | cursor_u8(&value);
	if (!cursor_done(&value) || a->done)
		return;
	a->done = is == a->value;
	if (!a->done)
		end(t, -EPROTONOSUPPORT, words[a->code]);
	t->set = all_done(t);
	if (t->set)
		t->agree_by = NEVER;
}

static void take_port(struct link_telnet *t, struct cursor c)
{
	uint8_t code = cursor_u8(&c);

	if (code == COM_SUSPEND + COM_FROM_PORT || code == COM_RESUME + COM_FROM_PORT)
		t->suspended = code == COM_SUSPEND + COM_FROM_PORT;
	for (size_t i = 0; i < ASKS; i++)
		if (code == t->asks[i].code + COM_FROM_PORT)
			take_asked(t, &t->asks[i], c);
}

/* Options. */
static bool wanted(const struct link_telnet *t, uint8_t option)
{
	return option == OPT_BINARY || option == OPT_SGA || (option == OPT_COM_PORT && t->port);
}

static void answer(struct link_telnet *t, enum side side, bool yes, uint8_t option)
{
	static const uint8_t verbs[SIDES][2] = { { WONT, WILL }, { DONT, DO } };

	if (++t->answers > ANSWERS_MAX)
		end(t, -EPROTO, "it negotiates options without end");
	else
		put_option(t, verbs[side][yes], option);
}

static void refuse(struct link_telnet *t, enum side side, uint8_t option)
{
	if (!t->refused[side][option])
		answer(t, side, false, option);
	t->refused[side][option] = true;
}

static void agree(struct link_telnet *t, enum side side, uint8_t option)
{
	if (t->agreed[side][option] == NO)
		answer(t, side, true, option);
	t->agreed[side][option] = YES;
}

static void begin_option(struct link_telnet *t, enum side side, uint8_t option)
{
	bool news = t->agreed[side][option] != YES;

	if (!wanted(t, option)) {
		refuse(t, side, option);
		return;
	}
	agree(t, side, option);
	if (news && side == US && option == OPT_COM_PORT)
		ask_port(t);
}

static void end_option(struct link_telnet *t, enum side side, uint8_t option)
{
	if (t->agreed[side][option] == YES)
		answer(t, side, false, option);
	t->agreed[side][option] = NO;
	t->refused[side][option] = false;
	if (t->port && side == US && option == OPT_COM_PORT)
		refused_port(t);
}

/* One step for each byte: is it data? */
static bool on_iac(struct link_telnet *t)
{
	t->state = T_IAC;
	return false;
}

static bool on_data(struct link_telnet *t, uint8_t c)
{
	if (c == IAC)
		return on_iac(t);
	t->state = c == '\r' && !binary(t, THEM) ? T_CR : T_DATA;
	return true;
}

static bool on_cr(struct link_telnet *t, uint8_t c)
{
	if (c)
		return on_data(t, c);
	t->state = T_DATA;
	return false;
}

/* All other commands are for terminals. */
static bool on_command(struct link_telnet *t, uint8_t c)
{
	t->state = c == SB ? T_SB : c >= WILL && c <= DONT ? T_OPTION : T_DATA;
	t->verb = c;
	t->sb_len = 0;
	return c == IAC;
}

static bool on_option(struct link_telnet *t, uint8_t c)
{
	static const struct { enum side side; void (*take)(struct link_telnet *t, enum side side, uint8_t option); } verbs[] = {
		[WILL - WILL] = { THEM, begin_option }, [WONT - WILL] = { THEM, end_option },
		[DO - WILL] = { US, begin_option },     [DONT - WILL] = { US, end_option },
	};

	t->state = T_DATA;
	verbs[t->verb - WILL].take(t, verbs[t->verb - WILL].side, c);
	return false;
}

static void keep(struct link_telnet *t, uint8_t c)
{
	if (t->sb_len < SB_KEPT)
		t->sb[t->sb_len] = c;
	if (++t->sb_len > SB_MAX)
		end(t, -EPROTO, "a telnet subnegotiation without end");
}

static bool on_sb(struct link_telnet *t, uint8_t c)
{
	if (c == IAC)
		t->state = T_SB_IAC;
	else
		keep(t, c);
	return false;
}

static void take_sb(struct link_telnet *t)
{
	struct cursor c = cursor_of((struct span){ t->sb, t->sb_len });

	t->state = T_DATA;
	if (t->sb_len > SB_KEPT)
		t->base.dropped++;
	else if (t->port && cursor_skip(&c, OPT_COM_PORT))
		take_port(t, c);
}

/* Any other command ends a subnegotiation that has lost its end. */
static bool on_sb_iac(struct link_telnet *t, uint8_t c)
{
	if (c == SE) {
		take_sb(t);
		return false;
	}
	if (c == IAC) {
		t->state = T_SB;
		keep(t, c);
		return false;
	}
	t->base.dropped++;
	return on_command(t, c);
}

/* What is left of what came is data; it never grows. */
static void decode(struct link_telnet *t, struct buf *in)
{
	static bool (*const steps[T_STATES])(struct link_telnet *t, uint8_t c) = {
		[T_DATA] = on_data, [T_CR] = on_cr, [T_IAC] = on_command, [T_OPTION] = on_option, [T_SB] = on_sb, [T_SB_IAC] = on_sb_iac,
	};
	uint8_t *p = buf_data(in);
	size_t n = 0;

	for (size_t i = 0; i < in->len && !t->dead; i++)
		if (steps[t->state](t, p[i]))
			p[n++] = p[i];
	buf_cut(in, n);
}

static void meet_deadlines(struct link_telnet *t, uint64_t now)
{
	bool heard = t->agreed[US][OPT_COM_PORT] == YES;

	if (t->break_until && now >= t->break_until) {
		t->break_until = 0;
		put_port(t, COM_CONTROL, CONTROL_BREAK_OFF, 1);
	}
	if (now >= t->agree_by && t->agree_by != NEVER)
		end(t, -EPROTONOSUPPORT, heard ? "the port does not tell whether it took its mode" : "it does not answer the COM-PORT option: this is no RFC 2217 port");
}

static int telnet_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_telnet *t = (struct link_telnet *)lk;
	int rc = 1;

	buf_reset(in, 0);
	t->again = NEVER;
	for (int turn = 0; turn < TURNS_MAX && rc == 1 && !t->dead && !in->len; turn++) {
		rc = link_recv(lk->below, in, now);
		if (rc == 1)
			decode(t, in);
	}
	meet_deadlines(t, now);
	if (t->dead) {
		buf_reset(in, 0);
		return t->dead;
	}
	if (rc == 1 && !in->len)
		t->again = now;
	if (flush(t, now) < 0 && t->dead) /* an end that came from below is told by its receive, after all that was sent */
		return t->dead;
	return rc == 1 ? in->len > 0 : rc;
}

/* The second byte of what c becomes on the wire; -1: there is none. */
static int second(const struct link_telnet *t, uint8_t c)
{
	if (c == IAC)
		return IAC;
	return c == '\r' && !binary(t, US) ? 0 : -1;
}

/* As much of what is to be sent as fits; how long that is. */
static size_t encode(const struct link_telnet *t, struct span from, uint8_t to[CHUNK])
{
	size_t n = 0;

	for (size_t i = 0; i < from.len && n + 2 <= CHUNK; i++) {
		int more = second(t, from.p[i]);

		to[n++] = from.p[i];
		if (more >= 0)
			to[n++] = (uint8_t)more;
	}
	return n;
}

/* n bytes of what it was made into have gone. Of a pair cut in two the second goes before everything else. */
static int taken(struct link_telnet *t, struct buf *frame, size_t n)
{
	while (n > 0) {
		int more = second(t, *buf_data(frame));

		if (more >= 0 && n == 1)
			put(t, (uint8_t[]){ (uint8_t)more }, 1);
		n -= more >= 0 && n > 1 ? 2 : 1;
		if (buf_pull(frame, 1) < 0)
			return end(t, -EPROTO, NULL);
	}
	return 0;
}

static int send_data(struct link_telnet *t, struct buf *frame, uint64_t now)
{
	uint8_t wire[CHUNK];
	size_t n;
	int rc, went;

	do {
		n = encode(t, buf_span(frame), wire);
		went = send_below(t, wire, n, now);
		rc = went < 0 ? went : taken(t, frame, (size_t)went);
	} while (!rc && frame->len && (size_t)went == n);
	return rc || !frame->len ? rc : -EAGAIN;
}

/* Nothing goes to a port that is not yet what it must be, or takes nothing, or is at its break. */
static bool must_wait(const struct link_telnet *t)
{
	return t->port && (!t->set || t->suspended || t->break_until);
}

static int telnet_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_telnet *t = (struct link_telnet *)lk;
	int rc;

	meet_deadlines(t, now);
	rc = t->dead ? t->dead : flush(t, now);
	if (rc)
		return rc;
	if (!frame->len)
		return 0;
	return must_wait(t) ? -EAGAIN : send_data(t, frame, now);
}

static int telnet_attention(struct link *lk, uint64_t now)
{
	struct link_telnet *t = (struct link_telnet *)lk;
	int rc = t->dead ? t->dead : flush(t, now);

	if (rc || t->break_until)
		return rc;
	if (t->port && !t->set)
		return -EAGAIN;
	if (t->port) {
		put_port(t, COM_CONTROL, CONTROL_BREAK, 1);
		t->break_until = now + BREAK_MS;
	} else {
		put(t, (uint8_t[]){ IAC, BRK }, 2);
	}
	rc = flush(t, now);
	return rc == -EAGAIN ? 0 : rc;
}

static void telnet_wait(const struct link *lk, struct wait *w)
{
	const struct link_telnet *t = (const struct link_telnet *)lk;

	wait_until(w, t->agree_by);
	wait_until(w, t->again);
	if (t->break_until)
		wait_until(w, t->break_until);
}

/* A line is not left at its break. */
static void telnet_destroy(struct link *lk)
{
	struct link_telnet *t = (struct link_telnet *)lk;

	if (t->break_until) {
		put_port(t, COM_CONTROL, CONTROL_BREAK_OFF, 1);
		(void)!flush(t, t->break_until);
	}
	free(t);
}

static const struct link_ops telnet_ops = {
	.name = "telnet", .send = telnet_send, .recv = telnet_recv, .attention = telnet_attention, .wait = telnet_wait, .destroy = telnet_destroy,
};

static void ask_option(struct link_telnet *t, enum side side, uint8_t option)
{
	put_option(t, side == US ? WILL : DO, option);
	t->agreed[side][option] = ASKED;
}

/* Without hardware's flow control nobody need answer what is asked of it: not all ports do. */
static void take_mode(struct link_telnet *t, const struct serial_mode *mode)
{
	uint32_t parity = mode->parity == 'e' ? 3 : mode->parity == 'o' ? 2 : 1;
	const struct ask asks[ASKS] = {
		{ COM_BAUD, 4, mode->baud, false }, { COM_BITS, 1, mode->bits, false }, { COM_PARITY, 1, parity, false },
		{ COM_STOPS, 1, mode->stops, false }, { COM_CONTROL, 1, mode->rtscts ? CONTROL_RTSCTS : CONTROL_NO_FLOW, !mode->rtscts },
	};

	memcpy(t->asks, asks, sizeof asks);
	t->port = true;
	ask_option(t, US, OPT_COM_PORT);
}

struct link *link_telnet_new(struct link *below, const struct serial_mode *mode)
{
	struct link_telnet *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	*t = (struct link_telnet){ .base = { .ops = &telnet_ops, .below = below }, .agree_by = NEVER, .again = NEVER };
	t->out = (struct buf){ .base = t->room, .cap = sizeof t->room };
	for (enum side side = US; side < SIDES; side++) {
		ask_option(t, side, OPT_BINARY);
		ask_option(t, side, OPT_SGA);
	}
	if (mode)
		take_mode(t, mode); /* last: when that is answered, so is what a CR looks like */
	return &t->base;
}
