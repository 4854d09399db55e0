/* peer.c - see peer.h. One row for each packet it understands; anything else gets the empty answer. */
#include "tests/peer.h"

#include "base/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FRAME = 4, NO_MEMORY = 0x0e, NO_ROOM = 0x1c, NO_SUCH = 0x01, GOT_MAX = 65536, BODY_MAX = 32768, REGS_N = 3, PC_AT = 8, PATTERN = 256 };

static const struct peer_kind kinds[] = {
	{ .name = "gdbserver", .packet_size = 0x90, .no_ack = true, .vcont = true, .described = true, .swbreak = true },
	{ .name = "qemu", .packet_size = 0x90, .vcont = true, .described = true, .unasked = true },
	{ .name = "trap", .packet_size = 0x90, .vcont = true, .described = true, .overshoots = true },
	{ .name = "kgdb", .plain_stops = true, .empty_end = true, .no_detach = true },
	{ .name = "narrow", .packet_size = 0x90, .no_ack = true, .vcont = true, .described = true, .swbreak = true, .narrow = true },
	{ .name = "lister", .packet_size = 0x100, .no_ack = true, .vcont = true, .described = true, .swbreak = true, .lists = true },
};

static const char description[] =
	"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
	"<target><architecture>i386:x86-64</architecture><feature name=\"org.gnu.gdb.i386.core\">"
	"<reg name=\"rax\" bitsize=\"64\" type=\"int64\"/><reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/>"
	"<reg name=\"eflags\" bitsize=\"32\" type=\"int32\"/></feature></target>";

static const char narrow_description[] =
	"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
	"<target><architecture>i386</architecture><feature name=\"org.gnu.gdb.i386.core\">"
	"<reg name=\"eax\" bitsize=\"64\" type=\"int64\"/><reg name=\"eip\" bitsize=\"32\" type=\"code_ptr\"/>"
	"<reg name=\"ecs\" bitsize=\"32\" type=\"int32\"/><reg name=\"eflags\" bitsize=\"32\" type=\"int32\"/></feature></target>";

static const char libraries[] =
	"<library-list><library name=\"/lib/modules/6.1/../../../etc/ext4.ko\" evil=\"1\"><section address=\"0xffffffffc0000000\"/></library>"
	"<library name=\"|rm -rf\"><section address=\"4096\"/></library></library-list>";

static const char libraries_svr4[] =
	"<library-list-svr4 version=\"1.0\" main-lm=\"0x1\"><library name=\"/lib/x86_64/libc.so.6\" lm=\"0x2\" l_addr=\"0x3\" l_ld=\"0x4\"/>"
	"</library-list-svr4>";

static const char thread_list[] = "<threads><thread id=\"1\" core=\"0\">idle</thread><thread id=\"2\"/></threads>";

static const struct {
	size_t at, len;
} regs[REGS_N] = { { 0, 8 }, { PC_AT, 8 }, { 16, 4 } };

static void rude(struct peer_stub *p, const char *what)
{
	p->rude = p->rude ? p->rude : what;
}

static void must(struct peer_stub *p, int rc)
{
	if (rc < 0)
		rude(p, "it was made to say more than it can hold");
}

void peer_say(struct peer_stub *p, const char *body)
{
	if (p->kind->packet_size && strlen(body) + FRAME > p->kind->packet_size)
		rude(p, "it was asked for more than fits its packets");
	must(p, rsp_frame(&p->out, span_of(body)));
	p->asks += p->running && body[0] == 'F';
	p->unacked += !p->no_ack;
}

static void say_error(struct peer_stub *p, unsigned code)
{
	char text[8];

	snprintf(text, sizeof text, "E%02x", code);
	peer_say(p, text);
}

static void say_hex(struct peer_stub *p, const char *head, const void *bytes, size_t n)
{
	uint8_t room[2 * BODY_MAX + 64];
	struct buf b = { .base = room, .cap = sizeof room - 1 };

	must(p, buf_put_text(&b, head));
	must(p, hex_put(&b, (struct span){ bytes, n }));
	room[b.len] = 0;
	peer_say(p, (char *)room);
}

static void say_stop(struct peer_stub *p, unsigned sig, bool swbreak)
{
	char text[64];

	if (p->kind->plain_stops)
		snprintf(text, sizeof text, "S%02x", sig);
	else
		snprintf(text, sizeof text, "T%02xthread:%02x;%s", sig, p->thread, swbreak ? "swbreak:;" : "");
	peer_say(p, text);
}

static uint8_t *registers(struct peer_stub *p)
{
	unsigned t = p->general ? p->general : p->thread;

	return p->regs[t <= PEER_THREADS ? t : 0];
}

static void set_pc(struct peer_stub *p, uint64_t pc)
{
	for (int i = 0; i < 8; i++)
		p->regs[p->thread][PC_AT + i] = (uint8_t)(pc >> (8 * i));
}

static const char lists[] =
	";qXfer:libraries:read+;qXfer:libraries-svr4:read+;qXfer:threads:read+;qXfer:exec-file:read+;qXfer:siginfo:read+;qXfer:auxv:read+";

/* What each packet does; the cursor stands behind its name. */
static void on_supported(struct peer_stub *p, struct cursor *c)
{
	char text[256];

	(void)c;
	snprintf(text, sizeof text, "PacketSize=%zx%s%s%s%s%s", p->kind->packet_size, p->kind->no_ack ? ";QStartNoAckMode+" : "",
	         p->kind->vcont ? ";vContSupported+" : "", p->kind->described ? ";qXfer:features:read+" : "",
	         p->kind->swbreak ? ";swbreak+" : "", p->kind->lists ? lists : "");
	peer_say(p, p->kind->packet_size ? text : "");
}

static void on_no_ack(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	peer_say(p, p->kind->no_ack ? "OK" : "");
	p->no_ack = p->kind->no_ack;
}

static void on_vcont_query(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	peer_say(p, p->kind->vcont ? "vCont;c;C;s;S" : "");
}

static void say_piece(struct peer_stub *p, struct cursor *c, const char *doc)
{
	size_t at = (size_t)hex_number(c, 8), n = (cursor_skip(c, ','), (size_t)hex_number(c, 8)), len = strlen(doc);
	char text[BODY_MAX];

	at = at < len ? at : len;
	n = n < len - at ? n : len - at;
	snprintf(text, sizeof text, "%c%.*s", at + n == len ? 'l' : 'm', (int)n, doc + at);
	peer_say(p, text);
}

static void on_description(struct peer_stub *p, struct cursor *c)
{
	if (p->kind->described)
		say_piece(p, c, p->kind->narrow ? narrow_description : description);
	else
		peer_say(p, "");
}

static void on_libraries(struct peer_stub *p, struct cursor *c)
{
	if (p->kind->lists)
		say_piece(p, c, libraries);
	else
		peer_say(p, "");
}

static void on_libraries_svr4(struct peer_stub *p, struct cursor *c)
{
	if (p->kind->lists)
		say_piece(p, c, libraries_svr4);
	else
		peer_say(p, "");
}

static void on_thread_list(struct peer_stub *p, struct cursor *c)
{
	if (p->kind->lists)
		say_piece(p, c, thread_list);
	else
		peer_say(p, "");
}

static void on_siginfo(struct peer_stub *p, struct cursor *c)
{
	char text[32];

	snprintf(text, sizeof text, "of thread %u", p->general ? p->general : p->thread);
	if (p->kind->lists)
		say_piece(p, c, text);
	else
		peer_say(p, "");
}

static void on_exec_file(struct peer_stub *p, struct cursor *c)
{
	if (p->kind->lists)
		say_piece(p, c, "/home/user/.profile");
	else
		peer_say(p, "");
}

static void on_status(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	say_stop(p, 5, false);
}

static void on_current(struct peer_stub *p, struct cursor *c)
{
	char text[16];

	(void)c;
	snprintf(text, sizeof text, "QC%x", p->thread);
	peer_say(p, text);
}

static void on_threads(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	peer_say(p, "m01,02,03");
}

static void on_threads_end(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	peer_say(p, p->kind->empty_end ? "" : "l");
}

static void on_select(struct peer_stub *p, struct cursor *c)
{
	bool general = cursor_u8(c) == 'g', all = cursor_skip(c, '-');
	unsigned t = (unsigned)hex_number(c, 8);

	if (t > PEER_THREADS) {
		say_error(p, NO_SUCH);
		return;
	}
	if (general && !all)
		p->general = t;
	peer_say(p, "OK");
}

static void on_alive(struct peer_stub *p, struct cursor *c)
{
	uint64_t t = hex_number(c, 8);

	peer_say(p, t && t <= PEER_THREADS ? "OK" : "E01");
}

static void on_regs(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	say_hex(p, "", registers(p), PEER_REGS);
}

static void on_reg(struct peer_stub *p, struct cursor *c)
{
	uint64_t n = hex_number(c, 8);

	if (n < REGS_N)
		say_hex(p, "", registers(p) + regs[n].at, regs[n].len);
	else
		say_error(p, NO_SUCH);
}

static void write_regs(struct peer_stub *p, struct cursor *c, size_t at, size_t len)
{
	uint8_t room[PEER_REGS];
	struct buf b = { .base = room, .cap = sizeof room };

	if (hex_take(&b, cursor_rest(c)) < 0 || b.len != len) {
		rude(p, "registers that are not of their size");
		return;
	}
	memcpy(registers(p) + at, room, len);
	peer_say(p, "OK");
}

static void on_regs_write(struct peer_stub *p, struct cursor *c)
{
	write_regs(p, c, 0, PEER_REGS);
}

static void on_reg_write(struct peer_stub *p, struct cursor *c)
{
	uint64_t n = hex_number(c, 8);

	cursor_skip(c, '=');
	if (n < REGS_N)
		write_regs(p, c, regs[n].at, regs[n].len);
	else
		say_error(p, NO_SUCH);
}

static uint64_t address(const struct peer_stub *p, struct cursor *c)
{
	uint64_t addr = hex_number(c, 16);

	return p->kind->narrow ? (uint32_t)addr : addr;
}

/* What is beyond the end of its memory is left out. */
static void on_read(struct peer_stub *p, struct cursor *c)
{
	uint64_t addr = address(p, c), n = (cursor_skip(c, ','), hex_number(c, 8));

	if (addr >= PEER_MEMORY)
		say_error(p, NO_MEMORY);
	else
		say_hex(p, "", p->memory + addr, (size_t)(n < PEER_MEMORY - addr ? n : PEER_MEMORY - addr));
}

static void on_write(struct peer_stub *p, struct cursor *c)
{
	uint64_t addr = address(p, c), n = (cursor_skip(c, ','), hex_number(c, 8));
	struct buf to = { .base = p->memory, .cap = PEER_MEMORY, .off = addr < PEER_MEMORY ? (size_t)addr : PEER_MEMORY };
	bool ok = cursor_skip(c, ':') && hex_take(&to, cursor_rest(c)) == 0 && to.len == n;

	if (ok)
		peer_say(p, "OK");
	else
		say_error(p, NO_MEMORY);
}

static struct peer_break *place(struct peer_stub *p, unsigned type, uint64_t addr)
{
	for (struct peer_break *b = p->breaks; b < p->breaks + PEER_BREAKS; b++)
		if (b->set && b->type == type && b->addr == addr)
			return b;
	return NULL;
}

static struct peer_break *free_place(struct peer_stub *p)
{
	struct peer_break *b = p->breaks;

	while (b < p->breaks + PEER_BREAKS && b->set)
		b++;
	return b < p->breaks + PEER_BREAKS ? b : NULL;
}

static void on_set(struct peer_stub *p, struct cursor *c)
{
	unsigned type = (unsigned)(cursor_u8(c) - '0');
	uint64_t addr = (cursor_skip(c, ','), address(p, c));
	struct peer_break *b = free_place(p);

	if (place(p, type, addr))
		rude(p, "the same breakpoint twice");
	if (b)
		*b = (struct peer_break){ true, type, addr };
	peer_say(p, b ? "OK" : "E1c");
}

static void on_clear(struct peer_stub *p, struct cursor *c)
{
	unsigned type = (unsigned)(cursor_u8(c) - '0');
	uint64_t addr = (cursor_skip(c, ','), address(p, c));
	struct peer_break *b = place(p, type, addr);

	if (b)
		b->set = false;
	peer_say(p, b ? "OK" : "E01");
}

static void goes(struct peer_stub *p, bool steps, unsigned thread)
{
	p->running = true;
	p->general = 0;
	if (*p->printing)
		peer_print(p, p->printing);
	p->printing[0] = 0;
	if (steps)
		peer_stop(p, 5, thread ? thread : p->thread);
}

static void on_vcont(struct peer_stub *p, struct cursor *c)
{
	struct span all = cursor_rest(c);
	bool steps = memchr(all.p, 's', all.len) || memchr(all.p, 'S', all.len);
	const uint8_t *colon = memchr(all.p, ':', all.len);
	struct cursor id = cursor_of(colon ? span_from(all, (size_t)(colon + 1 - all.p)) : (struct span){ 0 });

	if (p->kind->vcont)
		goes(p, steps, steps && colon ? (unsigned)hex_number(&id, 8) : 0);
	else
		peer_say(p, "");
}

static void resume(struct peer_stub *p, struct cursor *c, bool steps)
{
	if (cursor_peek(c) >= 0)
		set_pc(p, hex_number(c, 16));
	goes(p, steps, 0);
}

static void on_continue(struct peer_stub *p, struct cursor *c)
{
	resume(p, c, false);
}

static void on_step(struct peer_stub *p, struct cursor *c)
{
	resume(p, c, true);
}

static void on_continue_signal(struct peer_stub *p, struct cursor *c)
{
	(void)hex_number(c, 2), cursor_skip(c, ';');
	resume(p, c, false);
}

static void on_step_signal(struct peer_stub *p, struct cursor *c)
{
	(void)hex_number(c, 2), cursor_skip(c, ';');
	resume(p, c, true);
}

static void on_monitor(struct peer_stub *p, struct cursor *c)
{
	uint8_t room[BODY_MAX] = "it hears: ";
	struct buf b = { .base = room, .cap = sizeof room, .len = strlen((char *)room) };

	if (hex_take(&b, cursor_rest(c)) < 0 || buf_put_text(&b, "\n") < 0) {
		say_error(p, NO_SUCH);
		return;
	}
	say_hex(p, "O", room, b.len);
	peer_say(p, "OK");
}

static void on_crc(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	peer_say(p, "C1234abcd");
}

static void on_extra(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	say_hex(p, "", "cpu", 3);
}

static void on_detach(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	p->gone = !p->kind->no_detach;
	p->running |= p->gone;
	peer_say(p, p->gone ? "OK" : "");
}

static void on_kill(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	p->gone = true;
}

/* The answer to a file request of its own. */
static void on_file(struct peer_stub *p, struct cursor *c)
{
	(void)c;
	p->asks -= p->asks > 0;
}

static const struct row {
	const char *name;
	void (*does)(struct peer_stub *p, struct cursor *c);
} rows[] = {
	{ "qSupported", on_supported }, { "QStartNoAckMode", on_no_ack }, { "vCont?", on_vcont_query },
	{ "qXfer:features:read:target.xml:", on_description }, { "qXfer:libraries:read::", on_libraries },
	{ "qXfer:libraries-svr4:read::", on_libraries_svr4 }, { "qXfer:threads:read::", on_thread_list }, { "qXfer:siginfo:read::", on_siginfo },
	{ "qXfer:exec-file:read:1:", on_exec_file }, { "?", on_status }, { "qC", on_current },
	{ "qfThreadInfo", on_threads }, { "qsThreadInfo", on_threads_end }, { "H", on_select }, { "T", on_alive },
	{ "g", on_regs }, { "G", on_regs_write }, { "p", on_reg }, { "P", on_reg_write }, { "m", on_read }, { "M", on_write },
	{ "Z", on_set }, { "z", on_clear }, { "vCont;", on_vcont }, { "c", on_continue }, { "s", on_step },
	{ "C", on_continue_signal }, { "S", on_step_signal }, { "qRcmd,", on_monitor }, { "qCRC:", on_crc },
	{ "qThreadExtraInfo,", on_extra }, { "D", on_detach }, { "k", on_kill },
	{ "F", on_file },
};

/* The longest name that fits: qC is no qCRC. */
static const struct row *row_of(struct span body)
{
	const struct row *best = NULL;

	for (const struct row *r = rows; r < rows + sizeof rows / sizeof *rows; r++)
		if (span_starts(body, r->name) && (!best || strlen(r->name) > strlen(best->name)))
			best = r;
	return best;
}

static void record(struct peer_stub *p, struct span body)
{
	must(p, buf_put_u8(&p->got, ' '));
	must(p, buf_put_span(&p->got, body));
}

static void on_packet(struct peer_stub *p)
{
	struct span body = buf_span(&p->framer.body);
	const struct row *r = row_of(body);
	struct cursor c = cursor_of(span_from(body, r ? strlen(r->name) : 0));

	record(p, body);
	if (p->silent || (p->deaf && p->running && !p->asks))
		return;
	if (!p->no_ack)
		must(p, buf_put_u8(&p->out, '+'));
	if (p->running && !p->asks && !span_starts(body, "F"))
		rude(p, "a packet while it runs");
	if (p->unacked)
		rude(p, "a packet before its answer was acknowledged");
	if (p->kind->packet_size && body.len + FRAME > p->kind->packet_size)
		rude(p, "a request longer than its packets");
	if (r)
		r->does(p, &c);
	else
		peer_say(p, "");
}

static void on_break(struct peer_stub *p)
{
	record(p, span_of("^C"));
	if (!p->silent && !p->asks)
		peer_stop(p, 2, p->thread);
}

static void on_event(struct peer_stub *p, enum rsp_event ev)
{
	if (ev == RSP_PACKET)
		on_packet(p);
	else if (ev == RSP_BREAK)
		on_break(p);
	else if (ev == RSP_ACK)
		p->unacked -= p->unacked > 0;
	else if (ev != RSP_NONE)
		rude(p, "bytes that are no packet");
}

static int hear(struct peer_stub *p, uint64_t now)
{
	int rc = p->link && !p->slow ? link_recv(p->link, &p->rx, now) : 0;
	enum rsp_event ev;

	while (rc == 1 && p->rx.len) {
		must(p, buf_pull(&p->rx, rsp_framer_feed(&p->framer, buf_span(&p->rx), &ev)));
		on_event(p, ev);
	}
	return rc;
}

int peer_step(struct peer_stub *p, uint64_t now)
{
	int rc = hear(p, now);
	size_t before = p->out.len;

	if (rc >= 0 && p->link && p->out.len) {
		int sent = link_send(p->link, &p->out, now);

		rc = sent == -EAGAIN || !sent ? rc | (p->out.len < before) : sent;
		buf_pack(&p->out);
	}
	if (rc < 0)
		peer_drop(p);
	return rc != 0;
}

void peer_print(struct peer_stub *p, const char *text)
{
	if (p->running)
		say_hex(p, "O", text, strlen(text));
	else
		snprintf(p->printing, sizeof p->printing, "%s", text);
}

void peer_stop(struct peer_stub *p, unsigned sig, unsigned thread)
{
	if (!p->running)
		return;
	p->running = false;
	p->thread = thread <= PEER_THREADS ? thread : 1;
	p->general = 0;
	say_stop(p, sig, false);
}

void peer_hit(struct peer_stub *p, uint64_t addr, unsigned thread)
{
	if (!p->running)
		return;
	p->running = false;
	p->thread = thread <= PEER_THREADS ? thread : 1;
	p->general = 0;
	set_pc(p, addr + p->kind->overshoots);
	say_stop(p, 5, p->kind->swbreak);
}

void peer_drop(struct peer_stub *p)
{
	link_destroy_stack(p->link);
	p->link = NULL;
}

void peer_plug(struct peer_stub *p, struct link *link)
{
	bool ran = p->running;

	peer_drop(p);
	p->link = link;
	p->no_ack = p->gone = false;
	p->running = ran && p->deaf;
	p->unacked = p->general = p->asks = 0;
	rsp_framer_reset(&p->framer);
	buf_reset(&p->out, 0);
	if (ran && p->kind->unasked)
		say_stop(p, 2, false);
	p->unacked = 0; /* a packet that crosses it on its way is no rudeness */
}

void peer_boot(struct peer_stub *p)
{
	p->running = p->silent = p->slow = false;
	p->thread = 1;
	p->general = 0;
	memset(p->breaks, 0, sizeof p->breaks);
	memset(p->regs, 0, sizeof p->regs);
	for (unsigned t = 1; t <= PEER_THREADS; t++)
		p->regs[t][0] = (uint8_t)t;
}

bool peer_be(struct peer_stub *p, const char *kind)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, kind)) {
			p->kind = &kinds[i];
			return true;
		}
	return false;
}

int peer_init(struct peer_stub *p)
{
	*p = (struct peer_stub){ .kind = &kinds[0] };
	for (size_t i = 0; i < PATTERN; i++)
		p->memory[i] = (uint8_t)i;
	for (size_t i = PATTERN; i < sizeof p->memory; i += PATTERN)
		memcpy(p->memory + i, p->memory, PATTERN);
	peer_boot(p);
	if (rsp_framer_init(&p->framer, RSP_STRICT, BODY_MAX) == 0 && buf_init(&p->rx, 8192) == 0 &&
	    buf_init(&p->out, PEER_OUT) == 0 && buf_init(&p->got, GOT_MAX) == 0)
		return 0;
	peer_fini(p);
	return -ENOMEM;
}

void peer_fini(struct peer_stub *p)
{
	peer_drop(p);
	rsp_framer_fini(&p->framer);
	buf_fini(&p->rx);
	buf_fini(&p->out);
	buf_fini(&p->got);
}
