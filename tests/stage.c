/* stage.c - see stage.h. */
#include "tests/stage.h"

#include "base/hex.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

enum { TURNS_MAX = 200000, IDLE_TURNS = 3, SPIN_TURNS = 100, PIECE = 4096, UNREAD_MAX = 100000, BODY_MAX = 40000 };

static struct link *faulty(const struct stage *g, enum stage_where where, struct link *lk)
{
	bool here = g->fault.where == STAGE_EVERYWHERE || g->fault.where == where;
	bool spared = where == STAGE_CLIENT ? g->tame : g->fault.kind == FAULT_CLOSE && g->dials > 1;
	struct link *top = link_fault_new(lk, here && !spared ? g->fault.kind : FAULT_NONE, g->fault.every);

	if (!top)
		link_destroy_stack(lk);
	return top;
}

static int dial(void *arg, struct backend **be)
{
	struct stage *g = arg;
	struct link *far, *near;

	if (g->away)
		return -ECONNREFUSED;
	near = link_pair_new(&far, PIECE);
	if (!near)
		return -ENOMEM;
	g->dials++;
	peer_plug(&g->peer, g->fault.kind == FAULT_CLOSE ? far : faulty(g, STAGE_TARGET, far));
	near = faulty(g, STAGE_TARGET, near);
	*be = near ? backend_rsp_new(near) : NULL;
	if (!*be)
		link_destroy_stack(near);
	return *be ? 0 : -ENOMEM;
}

int stage_init(struct stage *g, struct stage_fault fault)
{
	struct target_setup setup = { .name = "dut", .address = "the stage", .dial = dial, .arg = g, .run_on_disconnect = true,
	                              .max_clients = TARGET_SLOTS, .audit = &g->audit };

	log_setup(LOG_LEVEL_ERROR);
	memset(g, 0, offsetof(struct stage, clients));
	for (struct client *c = g->clients; c < g->clients + STAGE_CLIENTS; c++)
		memset(c, 0, offsetof(struct client, said));
	g->now = 1000;
	g->fault = fault;
	target_init(&g->t, &setup);
	return peer_init(&g->peer);
}

static void client_fini(struct client *c)
{
	link_destroy_stack(c->far);
	rsp_framer_fini(&c->framer);
	buf_fini(&c->rx);
	buf_fini(&c->unread);
	memset(c, 0, offsetof(struct client, said));
}

static void reap(struct stage *g, struct client *c)
{
	target_part(&g->t, &c->s);
	session_fini(&c->s);
	c->joined = false;
}

void stage_fini(struct stage *g)
{
	for (struct client *c = g->clients; c < g->clients + STAGE_CLIENTS; c++) {
		if (c->joined)
			reap(g, c);
		client_fini(c);
	}
	target_fini(&g->t);
	peer_fini(&g->peer);
	for (size_t i = 0; i < STAGE_POLICIES; i++)
		policy_fini(&g->policies[i]);
}

const struct policy *stage_policy(struct stage *g, const char *name)
{
	const struct policy *builtin = policy_builtin(name);
	size_t i = 0;

	if (builtin)
		return builtin;
	while (i < STAGE_POLICIES - 1 && *g->policies[i].name && strcmp(g->policies[i].name, name))
		i++;
	return *g->policies[i].name || policy_init(&g->policies[i], name) == 0 ? &g->policies[i] : NULL;
}

static int client_init(struct client *c, struct link **near)
{
	int rc = rsp_framer_init(&c->framer, RSP_TOLERANT, BODY_MAX);

	if (!rc)
		rc = buf_init(&c->rx, 8192);
	if (!rc)
		rc = buf_init(&c->unread, UNREAD_MAX);
	*near = rc ? NULL : link_pair_new(&c->far, PIECE);
	return *near ? 0 : -ENOMEM;
}

static int admit(struct stage *g, struct client *c, const struct policy *p, struct link *near)
{
	struct session_who who = { .id = ++g->ids, .target = "dut", .policy = p, .audit = &g->audit };
	int rc = near ? session_init(&c->s, &who, near, g->now) : -ENOMEM;

	if (rc) {
		link_destroy_stack(near);
		return rc;
	}
	c->joined = true;
	rc = target_join(&g->t, &c->s);
	if (rc)
		reap(g, c);
	return rc;
}

int stage_join(struct stage *g, int who, const struct policy *p)
{
	struct client *c = &g->clients[who];
	struct link *near;
	int rc;

	if (c->joined)
		return -EBUSY;
	client_fini(c);
	rc = client_init(c, &near);
	if (!rc)
		rc = admit(g, c, p, faulty(g, STAGE_CLIENT, near));
	if (rc)
		client_fini(c);
	return rc;
}

void stage_leave(struct stage *g, int who)
{
	link_destroy_stack(g->clients[who].far);
	g->clients[who].far = NULL;
}

void stage_send(struct stage *g, int who, struct span raw)
{
	uint8_t room[65536];
	struct buf b = { .base = room, .cap = sizeof room };

	if (g->clients[who].far && buf_put_span(&b, raw) == 0)
		(void)!link_send(g->clients[who].far, &b, g->now);
}

void stage_say(struct stage *g, int who, const char *packet)
{
	uint8_t room[65536];
	struct buf b = { .base = room, .cap = sizeof room };
	int rc;

	if (!strcmp(packet, "^C"))
		rc = buf_put_u8(&b, 0x03);
	else if (!strcmp(packet, "+"))
		rc = buf_put_u8(&b, '+');
	else
		rc = rsp_frame(&b, span_of(packet));
	g->clients[who].no_ack |= !strcmp(packet, "QStartNoAckMode");
	if (!rc)
		stage_send(g, who, buf_span(&b));
}

static bool collect(struct client *c, uint64_t now)
{
	if (!c->far || link_recv(c->far, &c->rx, now) != 1)
		return false;
	buf_pack(&c->unread);
	return buf_put(&c->unread, buf_data(&c->rx), c->rx.len) == 0;
}

bool stage_turn(struct stage *g)
{
	bool moved = target_run(&g->t, g->now);

	target_reap(&g->t);
	for (struct client *c = g->clients; c < g->clients + STAGE_CLIENTS; c++)
		if (c->joined && c->s.state == SESSION_DEAD)
			reap(g, c);
	moved |= peer_step(&g->peer, g->now) > 0;
	for (struct client *c = g->clients; c < g->clients + STAGE_CLIENTS; c++)
		moved |= collect(c, g->now);
	return moved;
}

/* A full link has room again at once. */
uint64_t stage_due(const struct stage *g)
{
	struct wait w = target_wait(&g->t), far = wait_none();

	if (g->peer.link && !g->peer.slow)
		link_wait(g->peer.link, &far);
	wait_until(&w, far.until);
	w.write |= far.write;
	for (const struct client *c = g->clients; c < g->clients + STAGE_CLIENTS; c++) {
		struct wait s = c->joined ? session_wait(&c->s) : wait_none();

		wait_until(&w, s.until);
		w.write |= s.write;
	}
	return w.write ? g->now : w.until;
}

bool stage_settle(struct stage *g)
{
	unsigned idle = 0;

	for (unsigned n = 0; n < TURNS_MAX; n++) {
		idle = stage_turn(g) ? 0 : idle + 1;
		if (idle >= IDLE_TURNS && stage_due(g) > g->now)
			return true;
		if (idle >= SPIN_TURNS)
			return false;
	}
	return false;
}

bool stage_wait(struct stage *g, uint64_t ms)
{
	uint64_t end = g->now + ms, due;

	while (stage_settle(g)) {
		due = stage_due(g);
		if (g->now == end)
			return true;
		g->now = due < end ? due : end;
	}
	return false;
}

/* At most four characters. */
static char *put_visible(char *to, uint8_t c)
{
	static const char digits[] = "0123456789abcdef", special[] = "\n\\";
	bool newline = c == special[0];

	if (c >= 0x20 && c <= 0x7e && c != special[1]) {
		*to++ = (char)c;
		return to;
	}
	*to++ = special[1];
	*to++ = newline ? 'n' : 'x';
	if (!newline) {
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	return to;
}

static const char *as_text(struct client *c, const char *head, struct span bytes)
{
	char *to = c->said + snprintf(c->said, sizeof c->said, "%s", head), *end = c->said + sizeof c->said - 8;

	for (size_t i = 0; i < bytes.len && to < end; i++)
		to = put_visible(to, bytes.p[i]);
	*to = 0;
	return c->said;
}

static const char *packet_text(struct client *c)
{
	struct buf *body = &c->framer.body;
	long n;

	if (!body->len || *buf_data(body) != 'O' || body->len % 2 == 0)
		return as_text(c, "", buf_span(body));
	n = hex_decode_in_place(buf_data(body) + 1, body->len - 1);
	return n < 0 ? "an O packet that is not hex" : as_text(c, "O:", (struct span){ buf_data(body) + 1, (size_t)n });
}

static const char *next_packet(struct client *c)
{
	enum rsp_event ev = RSP_NONE;

	while (c->unread.len && ev != RSP_PACKET && ev != RSP_NOTIFY) {
		if (buf_pull(&c->unread, rsp_framer_feed(&c->framer, buf_span(&c->unread), &ev)) < 0)
			return "more than there was";
		if (ev == RSP_NAK)
			return "-";
		if (ev != RSP_PACKET && ev != RSP_NOTIFY && ev != RSP_ACK && ev != RSP_NONE)
			return "bytes that are no packet";
	}
	if (ev == RSP_NOTIFY)
		return as_text(c, "%", buf_span(&c->framer.body));
	return ev == RSP_PACKET ? packet_text(c) : NULL;
}

const char *stage_hear(struct stage *g, int who)
{
	struct client *c = &g->clients[who];
	const char *said = stage_settle(g) ? next_packet(c) : "the stage spins";

	if (said && !c->no_ack && c->joined && *said != '%')
		stage_say(g, who, "+");
	return said;
}

bool stage_gone(const struct stage *g, int who)
{
	return !g->clients[who].joined;
}
