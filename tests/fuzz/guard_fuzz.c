/* guard_fuzz.c - any bytes from a target: as an answer, as a stop, as console text, as reasons to tell something. The first byte
 * chooses. What passes is within bounds, holds nothing but what may be shown, and reads the same once it was written for a client.
 * Nothing is allocated for an input. */
#include "base/text.h"
#include "filters/guard.h"
#include "rsp/framer.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

const char *__asan_default_options(void);

enum { ROOM = 640, WIRE = 8 * ROOM, IDS = 32, PAGE = 0x1000, DESCRIPTIONS = 3, BYTEWISE = 64, PART = 7 };

static struct rsp_cmd cmd;
static struct rsp_stop stop, stop_again;
static struct tdesc descriptions[DESCRIPTIONS];
static struct rsp_framer framer;
static uint8_t wire[WIRE], wire_again[WIRE];

/* ---- what they are told by ---- */

static void describe(struct tdesc *t, const char *xml)
{
	must(tdesc_init(t) == 0);
	must(tdesc_add(t, "target.xml", span_of(xml)) == 0 && tdesc_build(t) == 0);
}

static void prepare(void)
{
	static const char small[] = "<target><feature name=\"a\"><reg name=\"a\" bitsize=\"64\"/><reg name=\"b\" bitsize=\"32\"/></feature></target>";
	static const char wide[] = "<target><architecture>i386:x86-64</architecture><feature name=\"a\"><vector id=\"v\" type=\"uint8\" count=\"64\"/>"
				   "<reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/><reg name=\"one\" bitsize=\"1\"/><reg name=\"st\" bitsize=\"80\"/>"
				   "<reg name=\"z\" bitsize=\"512\" type=\"v\" regnum=\"16\"/><reg name=\"w\" bitsize=\"1024\" regnum=\"18\"/></feature></target>";

	must(rsp_framer_init(&framer, RSP_STRICT, WIRE) == 0);
	describe(&descriptions[1], small);
	describe(&descriptions[2], wide);
}

static const struct tdesc *description(unsigned i)
{
	return i % DESCRIPTIONS ? &descriptions[i % DESCRIPTIONS] : NULL;
}

static struct rsp_dialect dialect(unsigned bits)
{
	return (struct rsp_dialect){ .lldb = bits & 1, .swbreak = bits & 2, .hwbreak = bits & 4, .error_text = bits & 8, .error_strings = bits & 8,
				     .list_threads = bits & 2 };
}

/* ---- what may be written ---- */

static void plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		must(s.p[i] >= 0x20 && s.p[i] <= 0x7e);
}

/* One packet, as the strictest reader takes it; its body. */
static struct span one_packet(const struct buf *out)
{
	enum rsp_event ev;

	rsp_framer_reset(&framer);
	must(rsp_framer_feed(&framer, buf_span(out), &ev) == out->len && ev == RSP_PACKET);
	return buf_span(&framer.body);
}

static struct buf empty(uint8_t *room)
{
	return (struct buf){ .base = room, .cap = WIRE };
}

/* ---- stops ---- */

static bool same_threads(const struct rsp_thread *a, const struct rsp_thread *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i].tid == b[i].tid && a[i].pid == b[i].pid)
		i++;
	return i == n;
}

static bool same_regs(const struct rsp_stop *a, const struct rsp_stop *b)
{
	size_t i = 0;

	while (i < a->regs_n && a->regs[i].num == b->regs[i].num && a->regs[i].len == b->regs[i].len &&
	       !memcmp(a->regs[i].value, b->regs[i].value, a->regs[i].len))
		i++;
	return a->regs_n == b->regs_n && i == a->regs_n;
}

/* Who does not know the reason is not told it; the others and lldb are told more, or in other words. */
static void reads_as(const struct rsp_stop *a, const struct rsp_stop *b, const struct rsp_dialect *d)
{
	bool gone = d->lldb && a->kind == RSP_STOP_NONE_LEFT;

	must(gone ? b->kind == RSP_STOP_EXITED : b->kind == a->kind);
	must(gone || (a->code == b->code && same_regs(a, b)));
	must(a->has_thread == b->has_thread && same_threads(&a->thread, &b->thread, a->has_thread));
	must(a->has_core == b->has_core && (!a->has_core || a->core == b->core) && !b->odd);
	must(b->why == RSP_WHY_NONE || (b->why == a->why && a->addr == b->addr));
}

static void stop_holds(const struct tdesc *t)
{
	must(stop.regs_n <= RSP_STOP_REGS && (!stop.has_thread || rsp_thread_names_one(stop.thread)));
	(void)guard_stop(&stop, t);
	must(t || !stop.regs_n);
	for (size_t i = 0; i < stop.regs_n; i++)
		must(tdesc_reg(t, stop.regs[i].num) && stop.regs[i].len == (tdesc_reg(t, stop.regs[i].num)->bits + 7) / 8);
	must(guard_stop(&stop, t) == 0);
}

static void stop_goes_on(const struct tdesc *t, unsigned bits)
{
	struct rsp_dialect d = dialect(bits);
	struct buf out = empty(wire);
	struct span body;

	stop_holds(t);
	must(rsp_say_stop(&out, &d, &stop, &stop.thread, stop.has_thread) == 0);
	body = one_packet(&out);
	plain(body);
	must(rsp_stop_parse(body, &stop_again) == 0);
	reads_as(&stop, &stop_again, &d);
}

static void a_stop(struct cursor *c)
{
	uint8_t how = cursor_u8(c);

	if (rsp_stop_parse(cursor_rest(c), &stop) == 0)
		stop_goes_on(description(how & 3), how >> 2);
}

/* ---- answers ---- */

static bool of_form(enum rsp_reply_kind kind, enum rsp_form form)
{
	static const unsigned kinds[] = {
		[RSP_FORM_OK] = 1 << RSP_REPLY_OK,         [RSP_FORM_HEX] = 1 << RSP_REPLY_BYTES,      [RSP_FORM_REGS] = 1 << RSP_REPLY_REGS,
		[RSP_FORM_BINARY] = 1 << RSP_REPLY_BYTES,  [RSP_FORM_TEXT] = 1 << RSP_REPLY_TEXT,      [RSP_FORM_CHUNK] = 1 << RSP_REPLY_CHUNK,
		[RSP_FORM_FILE] = 1 << RSP_REPLY_FILE,     [RSP_FORM_THREADS] = 1 << RSP_REPLY_THREADS,
		[RSP_FORM_STOP] = 1 << RSP_REPLY_STOP | 1 << RSP_REPLY_OUTPUT,
		[RSP_FORM_MONITOR] = 1 << RSP_REPLY_OK | 1 << RSP_REPLY_BYTES | 1 << RSP_REPLY_OUTPUT,
	};

	return kind == RSP_REPLY_ERROR || (kind == RSP_REPLY_UNSUPPORTED && form != RSP_FORM_STOP) || kinds[form] >> kind & 1;
}

static bool is_digit(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static void whole_registers(struct span hex, const struct tdesc *t, size_t g_len)
{
	const struct tdesc_reg *reg = t && cmd.op == RSP_OP_REG_READ ? tdesc_reg(t, (unsigned)cmd.num[0]) : NULL;
	size_t n = hex.len / 2, at = 0;

	must(hex.len % 2 == 0 && (!reg || n == (reg->bits + 7) / 8));
	for (size_t i = 0; i < hex.len; i += 2)
		must(hex.p[i] == 'x' ? hex.p[i + 1] == 'x' : is_digit(hex.p[i]) && is_digit(hex.p[i + 1]));
	if (cmd.op != RSP_OP_REGS_READ)
		return;
	must(n && (!g_len || n == g_len));
	for (size_t i = 0; t && i < t->regs_n && at < n; i++)
		at += (t->regs[i].bits + 7) / 8;
	must(!t || at == n);
}

/* A number as lldb reads one: hex digits to the end, and no more of them than fit. */
static bool lldb_number(struct span s, uint64_t *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i] >= 'A' ? s.p[i] | 0x20 : s.p[i];

		if (!is_digit(c) || sum >> 60)
			return false;
		sum = sum << 4 | (c <= '9' ? c - '0' : c - 'a' + 10u);
	}
	*v = s.len ? sum : *v;
	return s.len > 0;
}

static struct span up_to(struct span *rest, uint8_t end)
{
	struct span s = { rest->p, 0 };

	while (s.len < rest->len && s.p[s.len] != end)
		s.len++;
	*rest = span_from(*rest, s.len + 1);
	return s;
}

/* lldb asks on at the end of what it was told: that must lie behind what it asked for. */
static void lldb_comes_to_an_end(struct span text)
{
	uint64_t start = 0, size = 0;
	bool sized = false;

	while (text.len) {
		struct span key = up_to(&text, ':'), value = up_to(&text, ';');

		if (span_is(key, "start"))
			must(lldb_number(value, &start));
		if (span_is(key, "size"))
			must(sized = lldb_number(value, &size));
	}
	must(!sized || (start <= cmd.addr && start + size > cmd.addr));
}

static void text_holds(struct span text)
{
	plain(text);
	for (size_t i = 0; i < text.len; i++)
		must(!strchr("$#}*", text.p[i]));
	if (!strcmp(cmd.spec->name, "qMemoryRegionInfo"))
		lldb_comes_to_an_end(text);
}

/* What guard_threads leaves is what was there, once. */
static void threads_hold(struct rsp_reply *r, struct rsp_thread *ids)
{
	size_t n = r->threads_n, had = n;

	must(n <= IDS && r->threads == ids);
	for (size_t i = 0; i < n; i++)
		must(ids[i].tid != RSP_THREAD_ALL && ids[i].pid != RSP_THREAD_ALL);
	must(guard_threads(ids, &n) == had - n);
	for (size_t i = 0; i < n; i++) {
		must(rsp_thread_names_one(ids[i]));
		for (size_t k = 0; k < i; k++)
			must(!same_threads(&ids[i], &ids[k], 1));
	}
	must(guard_threads(ids, &n) == 0);
	r->threads_n = n;
}

static void holds(struct rsp_reply *r, const struct rsp_expect *want, const struct tdesc *t, size_t asked, size_t g_len)
{
	bool read = cmd.op == RSP_OP_MEM_READ || cmd.op == RSP_OP_MEM_READ_BIN;

	must(of_form(r->kind, want->form));
	must(!read || r->kind != RSP_REPLY_BYTES || r->bytes.len <= asked);
	must(r->kind == RSP_REPLY_OUTPUT || want->form == RSP_FORM_MONITOR || r->kind == RSP_REPLY_ERROR || r->kind == RSP_REPLY_REGS ||
	     r->bytes.len <= want->most);
	must(r->kind != RSP_REPLY_ERROR || (r->code <= 0xff && r->bytes.len <= RSP_ERROR_TEXT));
	if (r->kind == RSP_REPLY_REGS)
		whole_registers(r->bytes, t, g_len);
	if (r->kind == RSP_REPLY_TEXT)
		text_holds(r->bytes);
	if (r->kind == RSP_REPLY_ERROR)
		plain(r->bytes);
	if (r->kind == RSP_REPLY_THREADS)
		threads_hold(r, want->threads);
	must(r->kind != RSP_REPLY_FILE || !r->bytes.p || (int64_t)r->bytes.len == r->result);
}

static bool is_binary(const struct rsp_reply *r)
{
	return r->kind == RSP_REPLY_CHUNK || r->kind == RSP_REPLY_FILE || (r->kind == RSP_REPLY_BYTES && cmd.op == RSP_OP_MEM_READ_BIN);
}

/* An error is told in few words, or none; what gdb would take for text, for a file of its own, or wait on, as something else; and so
 * is what lldb would take for a number. */
static bool reads_otherwise(const struct rsp_reply *a, const struct rsp_reply *b)
{
	if (a->kind == RSP_REPLY_ERROR)
		return b->kind == (cmd.op == RSP_OP_THREAD_EXTRA ? RSP_REPLY_UNSUPPORTED : RSP_REPLY_ERROR);
	if (a->kind == RSP_REPLY_REGS && cmd.op == RSP_OP_REG_READ && a->bytes.len && a->bytes.p[0] == 'x')
		return b->kind == RSP_REPLY_ERROR; /* to lldb */
	if (a->kind != RSP_REPLY_UNSUPPORTED)
		return false;
	if (cmd.op == RSP_OP_REGS_READ)
		return b->kind == RSP_REPLY_ERROR;
	return !strcmp(cmd.spec->name, "vFile:open:") && b->kind == RSP_REPLY_FILE && b->result == -1;
}

static bool same(const struct rsp_reply *a, const struct rsp_reply *b)
{
	bool bytes = a->bytes.len == b->bytes.len && (!a->bytes.len || !memcmp(a->bytes.p, b->bytes.p, a->bytes.len));

	if (a->kind == RSP_REPLY_CHUNK && a->last != b->last)
		return false;
	return a->kind == b->kind && a->code == b->code && a->result == b->result && bytes && a->threads_n == b->threads_n &&
	       same_threads(a->threads, b->threads, a->threads_n);
}

static void reads_again(const struct rsp_reply *r, const struct rsp_expect *want, const struct buf *out)
{
	struct rsp_thread ids[IDS];
	struct rsp_expect more = *want;
	struct rsp_reply b;
	struct span body = one_packet(out);

	if (!is_binary(r))
		plain(body);
	more.threads = ids;
	more.form = cmd.op == RSP_OP_MEM_READ_BIN ? RSP_FORM_BINARY : more.form;
	must(rsp_reply_parse(buf_data(&framer.body), body.len, &more, &b, &stop_again) == 0);
	must(same(r, &b) || reads_otherwise(r, &b));
}

/* In pieces as in one. */
static void in_parts(const struct rsp_reply *r, const struct buf *whole)
{
	struct buf out = empty(wire_again);
	struct rsp_part part = { 0 };
	struct span rest = r->bytes;

	if (r->kind != RSP_REPLY_BYTES || (cmd.op != RSP_OP_MEM_READ && cmd.op != RSP_OP_MEM_READ_BIN))
		return;
	do {
		struct span piece = { rest.p, rest.len < PART ? rest.len : PART };

		must(rsp_part_put(&out, &cmd, piece, &part) == 0);
		rest = span_from(rest, PART);
	} while (rest.len);
	must(rsp_part_end(&out, &part) == 0 && out.len == whole->len && !memcmp(buf_data(&out), buf_data(whole), out.len));
}

static void reply_goes_on(const struct rsp_reply *r, const struct rsp_expect *want, unsigned bits)
{
	struct rsp_dialect d = dialect(bits);
	struct buf out = empty(wire);

	must(rsp_say_reply(&out, &d, &cmd, r) == 0);
	reads_again(r, want, &out);
	in_parts(r, &out);
}

static uint64_t page_number(uint8_t c)
{
	return (uint64_t)(int64_t)(int8_t)c * PAGE; /* from the start, or from the end */
}

/* A row of the table, or a packet; false: no target is asked it. */
static bool take_command(struct cursor *c, size_t *asked)
{
	static uint8_t room[256];
	uint8_t row = cursor_u8(c), n = cursor_u8(c);
	struct span packet;

	if (rsp_spec_at(row)) {
		rsp_cmd_make(&cmd, rsp_spec_at(row)->name);
		cmd.addr = page_number(cursor_u8(c));
		cmd.len = n;
		if (cmd.op == RSP_OP_REG_READ)
			cmd.num[0] = n % 32;
	} else {
		packet = cursor_take(c, n);
		if (packet.len)
			memcpy(room, packet.p, packet.len);
		if (c->bad || rsp_cmd_parse(room, packet.len, &cmd) < 0)
			return false;
	}
	*asked = cmd.len < ROOM ? (size_t)cmd.len : ROOM;
	return cmd.op != RSP_OP_UNKNOWN && cmd.op != RSP_OP_NOTHING;
}

/* Its last byte is the array's, and what is behind that is not to be read. */
static uint8_t *at_the_end(struct span s)
{
	static uint8_t room[ROOM + 1];
	uint8_t *p = room + sizeof room - s.len;

	if (s.len)
		memcpy(p, s.p, s.len);
	return p;
}

static void an_answer(struct cursor *c)
{
	uint8_t how = cursor_u8(c), g_len = cursor_u8(c);
	const struct tdesc *t = description(how & 3);
	struct rsp_thread ids[IDS];
	struct rsp_expect want;
	struct rsp_reply r;
	struct span body;
	size_t asked;

	if (!take_command(c, &asked))
		return;
	body = cursor_rest(c);
	want = guard_expect(&cmd, t, asked);
	want.threads = ids;
	want.threads_max = IDS;
	if (rsp_reply_parse(at_the_end(body), body.len, &want, &r, &stop) < 0 || !guard_reply_fits(&cmd, &r, t, g_len))
		return;
	holds(&r, &want, t, asked, g_len);
	if (r.kind == RSP_REPLY_STOP)
		stop_goes_on(t, how >> 2);
	else
		reply_goes_on(&r, &want, how >> 2);
}

/* ---- console text ---- */

static bool hides(uint32_t c)
{
	return c < 0xa0 || (c >= 0xd800 && c <= 0xdfff) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || c > 0x10ffff;
}

static size_t character(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
	uint32_t c = n == 1 ? p[0] : n ? p[0] & (0xffu >> (n + 1)) : 0;

	must(n && n <= left);
	for (size_t i = 1; i < n; i++) {
		must((p[i] & 0xc0) == 0x80);
		c = c << 6 | (p[i] & 0x3f);
	}
	must(c >= least[n] && (n == 1 ? (c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t' : !hides(c)));
	return n;
}

static void shown(struct span s)
{
	for (size_t i = 0; i < s.len;)
		i += character(s.p + i, s.len - i);
}

/* What a piece costs, if it was let through; the time stands still in it. */
static uint64_t one_piece(struct guard *g, struct span *text, struct buf *out, uint64_t now)
{
	uint64_t lost = g->text_lost_ever, floods = g->kinds[GUARD_FLOOD].seen;
	size_t before = text->len, n;

	guard_console(g, text, out, now);
	n = before - text->len;
	must(n > 0 && out->len <= GUARD_PIECE);
	shown(buf_span(out));
	if (g->kinds[GUARD_FLOOD].seen == floods) {
		must(g->text_lost_ever == lost);
		return n + GUARD_TEXT_COST;
	}
	must(g->text_lost_ever == lost + n && !out->len);
	return 0;
}

/* Never more than there was, and came back with the time. */
static void in_bounds(struct span text, size_t chunk, uint64_t left, unsigned ms)
{
	static uint8_t room[GUARD_PIECE];
	struct buf out = { .base = room, .cap = sizeof room };
	uint64_t now = 1, spent = 0;
	struct guard g;

	guard_init(&g);
	g.text = (struct guard_bucket){ .at = now, .left = left };
	for (; text.len; now += ms) {
		struct span piece = { text.p, text.len < chunk ? text.len : chunk };

		text = span_from(text, piece.len);
		while (piece.len)
			spent += one_piece(&g, &piece, &out, now);
		must(spent <= left + (now - 1) * GUARD_TEXT_RATE);
	}
}

static struct buf all_of(struct span text, size_t chunk)
{
	static uint8_t room[GUARD_PIECE], all[4 * ROOM];
	struct buf out = { .base = room, .cap = sizeof room }, sum = { .base = all, .cap = sizeof all };
	struct guard g;

	guard_init(&g);
	while (text.len) {
		struct span piece = { text.p, text.len < chunk ? text.len : chunk };

		text = span_from(text, piece.len);
		while (piece.len) {
			guard_console(&g, &piece, &out, 1);
			must(buf_put_span(&sum, buf_span(&out)) == 0);
		}
	}
	return sum;
}

/* Where nothing of several bytes is cut, and no line ends, it does not matter how it came. */
static void in_any_pieces(struct span text, uint8_t mask, size_t chunk)
{
	static uint8_t kept[ROOM], seen[4 * ROOM];
	struct buf want = { .base = seen, .cap = sizeof seen }, got;
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] & mask) != '\r')
			kept[n++] = text.p[i] & mask;
	text_visible(&want, (struct span){ kept, n }, sizeof seen, true);
	got = all_of((struct span){ kept, n }, chunk);
	must(got.len == want.len && !memcmp(got.base, want.base, got.len));
}

static void much_text(struct cursor *c)
{
	uint8_t chunk = cursor_u8(c), left = cursor_u8(c), ms = cursor_u8(c);

	in_bounds(cursor_rest(c), chunk ? chunk : ROOM, left * 16, ms % 8);
}

static void some_text(struct cursor *c)
{
	uint8_t whole = cursor_u8(c);
	struct span text = cursor_rest(c);

	if (whole)
		in_any_pieces(text, 0xff, ROOM);
	else
		in_any_pieces(text, 0x7f, text.len <= BYTEWISE ? 1 : BYTEWISE);
}

/* ---- what is told ---- */

struct tally {
	uint64_t noted, told, counted;
};

static void tell(struct guard *g, struct tally *tallies, uint64_t now)
{
	struct guard_incident in;

	if (!guard_next(g, &in, now))
		return;
	must(in.what < GUARD_WHATS && strnlen(in.words, sizeof in.words) < sizeof in.words);
	tallies[in.what].told++;
	tallies[in.what].counted += in.more;
}

static void settle(const struct guard *g, const struct tally *tallies, uint64_t ms)
{
	uint64_t waiting[GUARD_WHATS] = { 0 };

	must(g->kept_n <= GUARD_KEPT);
	for (size_t i = 0; i < g->kept_n; i++)
		waiting[g->kept[i].what]++;
	for (unsigned i = 0; i < GUARD_WHATS; i++) {
		const struct tally *t = &tallies[i];

		must(g->kinds[i].seen == t->noted && t->noted == t->told + t->counted + waiting[i] + g->kinds[i].more);
		must(t->told <= GUARD_BURST + ms / GUARD_EVERY_MS);
	}
}

/* A byte: something is noted, or the time goes on and something may be told. */
static void some_notes(struct cursor *c)
{
	static const char words[2 * GUARD_WORDS + 1] = { [0 ... 2 * GUARD_WORDS - 1] = '\x1b' };
	enum { NOTES = 160, BEGAN = 1000 };
	struct tally tallies[GUARD_WHATS] = { 0 };
	uint64_t now = BEGAN;
	struct guard g;

	guard_init(&g);
	while (cursor_peek(c) >= 0) {
		uint8_t op = cursor_u8(c);

		if (op < NOTES) {
			guard_note(&g, (enum guard_what)(op % GUARD_WHATS), "%s", words + op);
			tallies[op % GUARD_WHATS].noted++;
		} else {
			now += (op & 7) * 50u;
			tell(&g, tallies, now);
		}
	}
	settle(&g, tallies, now - BEGAN);
}

/* What the fuzzer itself allocates is not to fill the caches. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(struct cursor *c) = { an_answer, a_stop, much_text, some_text, some_notes };
	struct cursor c = { .p = data, .end = data + (size < ROOM ? size : ROOM) };
	uint8_t chosen = cursor_u8(&c);

	if (!framer.body.base)
		prepare();
	what[chosen % (sizeof what / sizeof *what)](&c);
	return 0;
}
