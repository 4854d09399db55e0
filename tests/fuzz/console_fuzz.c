/* console_fuzz.c - any bytes, cut anywhere, with packets sent in between: the same comes out of it; every byte comes out once; up comes
 * nothing but whole packets and acknowledgements. */
#include "backends/link/console.h"

#include "backends/link/link.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 16384, ECHO_LEAST = 5, ECHO_MOST = 6 }; /* $?#3f, or a + in front */

static struct span heard; /* not yet */
static size_t step;
static struct link below;
static struct link *console;
static uint64_t now;

static struct result {
	uint8_t up[2 * MOST], text[2 * MOST];
	size_t up_len, text_len, fed;
	uint64_t dropped;
} results[2];

static int line_send(struct link *lk, struct buf *frame, uint64_t t)
{
	(void)lk, (void)t;
	return buf_pull(frame, frame->len);
}

static int line_recv(struct link *lk, struct buf *in, uint64_t t)
{
	size_t n = heard.len < step ? heard.len : step;

	(void)lk, (void)t;
	buf_reset(in, 0);
	n = n < in->cap ? n : in->cap;
	if (buf_put(in, heard.p, n) < 0)
		abort();
	heard = span_from(heard, n);
	return n > 0;
}

static int line_attention(struct link *lk, uint64_t t)
{
	(void)lk, (void)t;
	return 0;
}

static void line_destroy(struct link *lk)
{
	(void)lk;
}

static const struct link_ops ops = {
	.name = "line", .send = line_send, .recv = line_recv, .attention = line_attention, .destroy = line_destroy,
};

static void add(uint8_t *to, size_t *len, struct span s)
{
	if (s.len > 2 * MOST - *len)
		abort();
	if (s.len)
		memcpy(to + *len, s.p, s.len);
	*len += s.len;
}

static void hear(struct result *r)
{
	static uint8_t room[MOST];
	struct buf in = { .base = room, .cap = sizeof room };
	int rc;

	do {
		rc = link_recv(console, &in, now);
		if (rc < 0)
			abort();
		add(r->up, &r->up_len, buf_span(&in));
		add(r->text, &r->text_len, link_console_text(console));
	} while (rc == 1 || heard.len);
}

static void send(const char *s)
{
	static uint8_t room[64];
	struct buf out = { .base = room, .cap = sizeof room };

	if (buf_put_text(&out, s) < 0 || link_send(console, &out, now) < 0)
		abort();
}

static void ask(struct result *r)
{
	(void)r;
	send("$?#3f");
}

static void ask_signed(struct result *r)
{
	(void)r;
	send("+$?#3f");
}

static void resume(struct result *r)
{
	(void)r;
	send("$c#63");
}

static void stands(struct result *r)
{
	(void)r;
	link_console_runs(console, false);
}

static void runs(struct result *r)
{
	(void)r;
	link_console_runs(console, true);
}

static void waits(struct result *r)
{
	now += CONSOLE_STALL_MS;
	hear(r);
}

static void breaks_in(struct result *r)
{
	(void)r;
	if (link_attention(console, now) < 0 || !link_console_type(console, span_of("g")))
		abort();
}

static void types(struct result *r)
{
	(void)r;
	(void)link_console_type(console, span_of("ls\n"));
}

static void (*const acts[])(struct result *r) = { ask, ask_signed, resume, stands, runs, waits, breaks_in, types };

/* 0x80 to 0x87 do something; all else is heard. */
static void run(struct result *r, struct span in, size_t most)
{
	*r = (struct result){ 0 };
	below = (struct link){ .ops = &ops };
	console = link_console_new(&below);
	if (!console)
		abort();
	heard = span_of("");
	step = most;
	now = 0;
	for (size_t i = 0, n; i < in.len; i += n) {
		for (n = 0; i + n < in.len && (in.p[i + n] & 0xf8) != 0x80; n++)
			;
		heard = (struct span){ in.p + i, n };
		r->fed += n;
		hear(r);
		if (i + n < in.len)
			acts[in.p[i + n++] & 7](r);
	}
	for (size_t i = 0; i < 3; i++) {
		now += CONSOLE_PATIENCE_MS;
		hear(r);
	}
	r->dropped = console->dropped;
	if (link_console_lost(console))
		abort();
	link_destroy_stack(console);
}

static size_t packet_len(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i + 2 < n; i++) {
		if (p[i] == '$' || (p[i] != '#' && (p[i] < ' ' || p[i] > '~')))
			abort();
		if (p[i] == '#')
			return i + 3;
	}
	abort();
}

static void only_packets(const struct result *r)
{
	for (size_t i = 0; i < r->up_len;) {
		if (r->up[i] == '$')
			i += packet_len(r->up + i, r->up_len - i);
		else if (r->up[i] == '+' || r->up[i] == '-')
			i++;
		else
			abort();
	}
}

static void every_byte_once(const struct result *r)
{
	size_t out = r->up_len + r->text_len;

	if (out > r->fed || r->fed - out < r->dropped * ECHO_LEAST || r->fed - out > r->dropped * ECHO_MOST)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result *whole = &results[0], *cut = &results[1];

	if (size > MOST)
		return 0;
	run(whole, (struct span){ data, size }, MOST);
	only_packets(whole);
	every_byte_once(whole);
	run(cut, (struct span){ data, size }, size % 2 ? 1 : 3);
	if (cut->up_len != whole->up_len || cut->text_len != whole->text_len || memcmp(cut->up, whole->up, cut->up_len) ||
	    memcmp(cut->text, whole->text, cut->text_len))
		abort();
	return 0;
}
