/* kdnet_fuzz.c - a KDNET session before anything that may come: without the key nothing moves it, with the key it keeps its promises. */
#include "backends/link/kdnet.h"
#include "tests/backends/link/kdnet_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "3w5e11264sgsf.kdhost.1.zzzz";

static struct kdnet k;
static struct kt t;
static struct buf body, out;
static uint64_t now, sequence;

/* Contexts are made once: they are what takes long. */
static void begin(void)
{
	static bool made;

	if (made)
		kdnet_fini(&k);
	else {
		kt_init(&t, key, 5);
		if (buf_init(&body, KDNET_BODY_MAX) < 0 || buf_init(&out, KDNET_DATAGRAM_MAX) < 0)
			abort();
	}
	made = true;
	kt_must(kdnet_init(&k, &t.key, 0));
	kt_boot(&t, 1);
	t.host_bit = 0;
	t.version = 5;
	t.pad_more = 0;
	now = sequence = 0;
}

static struct kdnet_end end_of(uint8_t n)
{
	return (struct kdnet_end){ .ip = { [15] = n & 1 }, .port = n & 2 };
}

static enum kdnet_event take(struct span d, uint8_t from)
{
	struct kdnet_end at = end_of(from), to;
	enum kdnet_event ev;
	struct span reply;
	uint64_t seq;

	ev = kdnet_take(&k, &at, d, &body, now);
	if ((ev == KDNET_NOTHING && body.len) || (ev == KDNET_BODY && !body.len))
		abort();
	if (kdnet_reply(&k, &reply, &to)) {
		if (reply.len > 358 || (reply.len > d.len && d.len >= 38) || to.port != at.port || memcmp(to.ip, at.ip, 16) != 0)
			abort();
		t.version = reply.p[4];
		if (!kt_open(&t, reply, &seq))
			abort();
		(void)kt_accept(&t, reply);
	}
	return ev;
}

/* What is not sealed under our key is nothing, whatever state the session is in; and a plea is all that is said to it. */
static void strange(struct cursor *c)
{
	struct span d = cursor_take(c, cursor_u8(c) * 2U);
	static uint8_t copy[KDNET_DATAGRAM_MAX];
	int up = k.up;

	memcpy(copy, d.p, d.len);
	if (d.len > 6 && cursor_u8(c) & 1)
		memcpy(copy, "MDBG\5", 5);
	if (take((struct span){ copy, d.len }, cursor_u8(c)) != KDNET_NOTHING || k.up != up)
		abort();
}

/* Of what the target has made, a bit is turned. */
static void damaged(struct cursor *c)
{
	size_t at = (cursor_u8(c) | (size_t)cursor_u8(c) << 8);

	if (!t.len)
		return;
	t.d[at % t.len] ^= (uint8_t)(1 << (cursor_u8(c) & 7));
	if (take((struct span){ t.d, t.len }, cursor_u8(c)) != KDNET_NOTHING)
		abort();
	t.len = 0;
}

static void poke(struct cursor *c)
{
	uint8_t how = cursor_u8(c);

	if (how & 1)
		kt_boot(&t, how >> 4);
	t.connected = how & 2;
	(void)take(kt_poke(&t), how >> 2);
}

static void data_comes(struct cursor *c)
{
	uint8_t how = cursor_u8(c);
	struct span s = cursor_take(c, cursor_u8(c));

	t.data_seq += how & 0x40 ? (uint64_t)cursor_u8(c) << 28 : 0;
	(void)take(kt_data(&t, s), how);
}

/* Any control datagram of the key's holder. */
static void control(struct cursor *c)
{
	uint8_t how = cursor_u8(c);

	(void)take(kt_seal(&t, 1, cursor_u8(c), cursor_take(c, cursor_u8(c) * 2U)), how);
}

static void lie(struct cursor *c)
{
	uint8_t how = cursor_u8(c);

	t.host_bit = how & 0x80;
	t.version = how & 0xf;
	t.pad_more = how & 0x40 ? cursor_u8(c) : 0;
}

static void host_speaks(struct cursor *c)
{
	struct kdnet_end to;

	if (kdnet_seal(&k, cursor_take(c, cursor_u8(c)), &out, &to) == 0) {
		if (k.sequence <= sequence)
			abort();
		sequence = k.sequence;
	}
}

static void time_goes(struct cursor *c)
{
	now += cursor_u8(c) * 100U;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const acts[])(struct cursor *) = { strange, damaged, poke, data_comes, control, lie, host_speaks, time_goes };
	struct cursor c = cursor_of((struct span){ data, size });

	begin();
	while (c.p < c.end && !c.bad) {
		acts[cursor_u8(&c) % (sizeof acts / sizeof *acts)](&c);
		if (!kdnet_words(&k) && k.up < 0)
			abort();
	}
	return 0;
}
