/* answers.c - what the stub says to each packet. See stub.h. */
#include "tests/sim/record.h"
#include "tests/sim/stub.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct args {
	const char *p, *end;
};

/* --- writing */

void say(struct stub *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	s->reply_n += (size_t)vsnprintf((char *)s->reply + s->reply_n, sizeof s->reply - s->reply_n, fmt, ap);
	va_end(ap);
	if (s->reply_n >= sizeof s->reply)
		abort();
}

static void say_hex(struct stub *s, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;

	if (s->reply_n + 2 * n > sizeof s->reply)
		abort();
	for (size_t i = 0; i < n; i++) {
		s->reply[s->reply_n++] = (uint8_t)digits[p[i] >> 4];
		s->reply[s->reply_n++] = (uint8_t)digits[p[i] & 15];
	}
}

static void say_escaped(struct stub *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool framing = memchr("$#}*", p[i], 4);

		say(s, framing ? "}%c" : "%c", framing ? p[i] ^ 0x20 : p[i]);
	}
}

static void say_id(struct stub *s, size_t thread)
{
	say(s, "%s%0*zx", s->multi ? s->profile->id_multi : "", s->profile->id_digits, thread);
}

static void say_reg(struct stub *s, unsigned reg)
{
	say_hex(s, s->m.regs[s->m.current - 1] + reg_offset(reg), reg_size(reg));
}

void say_stop(struct stub *s, unsigned sig, const struct breakpoint *at)
{
	say(s, "T%02x", sig);
	if (at && s->swbreak) /* who knows the one knows the other */
		say(s, at->type == 0 ? "swbreak:;" : "hwbreak:;");
	for (unsigned reg = MACHINE_RBP; s->profile->expedites && reg <= MACHINE_RIP; reg = reg == MACHINE_RSP ? MACHINE_RIP : reg + 1) {
		say(s, "%02x:", reg);
		say_reg(s, reg);
		say(s, ";");
	}
	say(s, "thread:");
	say_id(s, s->m.current);
	say(s, ";");
}

static bool fail(struct stub *s, unsigned code)
{
	s->reply_n = 0;
	say(s, "E%02x", code);
	return true;
}

static bool ok(struct stub *s)
{
	say(s, "OK");
	return true;
}

/* --- reading */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool take_num(struct args *a, uint64_t *v)
{
	const char *from = a->p;

	for (*v = 0; a->p < a->end && digit(*a->p) >= 0; a->p++)
		*v = *v * 16 + (unsigned)digit(*a->p);
	return a->p > from && a->p - from <= 16;
}

static bool take_char(struct args *a, char c)
{
	if (a->p == a->end || *a->p != c)
		return false;
	a->p++;
	return true;
}

static bool take_range(struct args *a, uint64_t *addr, uint64_t *len)
{
	return take_num(a, addr) && take_char(a, ',') && take_num(a, len);
}

/* "1", "p1.1", "-1", "0": -1 all, 0 any. */
static bool take_thread(struct args *a, int64_t *id)
{
	uint64_t v;
	bool minus;

	if (take_char(a, 'p')) {
		minus = take_char(a, '-');
		if (!take_num(a, &v) || v > 1 || !take_char(a, '.'))
			return false;
	}
	minus = take_char(a, '-');
	if (!take_num(a, &v) || v > INT32_MAX)
		return false;
	*id = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

static size_t take_hex(struct args *a, uint8_t *to, size_t max)
{
	size_t n = 0;

	for (; n < max && a->end - a->p >= 2 && digit(a->p[0]) >= 0 && digit(a->p[1]) >= 0; a->p += 2)
		to[n++] = (uint8_t)(digit(a->p[0]) * 16 + digit(a->p[1]));
	return n;
}

static size_t take_binary(struct args *a, uint8_t *to, size_t max)
{
	size_t n = 0;

	for (; n < max && a->p < a->end; a->p++)
		to[n++] = *a->p == '}' && a->p + 1 < a->end ? (uint8_t)(*++a->p ^ 0x20) : (uint8_t)*a->p;
	return n;
}

static bool whole(const struct args *a)
{
	return a->p == a->end;
}

static bool exists(const struct stub *s, int64_t id)
{
	return id >= 1 && (uint64_t)id <= s->m.threads;
}

/* --- the conversation */

static bool on_supported(struct stub *s, struct args *a)
{
	s->multi = memmem(a->p, (size_t)(a->end - a->p), "multiprocess+", 13) && strstr(s->profile->features, "multiprocess+");
	s->swbreak = memmem(a->p, (size_t)(a->end - a->p), "swbreak+", 8) && s->profile->swbreak;
	say(s, "%s", s->profile->features);
	return true;
}

static bool on_no_ack(struct stub *s, struct args *a)
{
	(void)a;
	return ok(s); /* the mode changes when this has been said: see stub.c */
}

static bool on_status(struct stub *s, struct args *a)
{
	(void)a;
	if (s->profile->status_clears && s->m.breaks_n) {
		record_text("note", "? removed %zu breakpoints", s->m.breaks_n);
		s->m.breaks_n = 0;
	}
	if (s->profile->stops_dropped)
		say(s, "S05");
	else
		say_stop(s, 5, NULL);
	return true;
}

static bool on_attached(struct stub *s, struct args *a)
{
	(void)a;
	say(s, "1");
	return true;
}

static bool on_vcont_query(struct stub *s, struct args *a)
{
	(void)a;
	say(s, "%s", s->profile->vcont);
	return true;
}

/* --- registers */

static uint8_t *regs_of(struct stub *s)
{
	return s->m.regs[s->thread - 1];
}

static bool on_regs_read(struct stub *s, struct args *a)
{
	(void)a;
	say_hex(s, regs_of(s), s->profile->regs_bytes);
	return true;
}

static bool on_regs_write(struct stub *s, struct args *a)
{
	uint8_t value[MACHINE_BYTES];
	size_t n = take_hex(a, value, sizeof value);

	if (n != s->profile->regs_bytes || !whole(a)) {
		violation(s, "G of another length", a->p, (size_t)(a->end - a->p));
		return fail(s, 0x22);
	}
	memcpy(regs_of(s), value, n);
	return ok(s);
}

static bool has_reg(const struct stub *s, uint64_t reg)
{
	return reg < s->profile->regs || (reg == MACHINE_ORIG_RAX && s->profile->orig_rax);
}

static bool on_reg_read(struct stub *s, struct args *a)
{
	uint64_t reg;

	if (!take_num(a, &reg) || !whole(a) || !has_reg(s, reg))
		return fail(s, 0x14);
	say_hex(s, regs_of(s) + reg_offset((unsigned)reg), reg_size((unsigned)reg));
	return true;
}

static bool on_reg_write(struct stub *s, struct args *a)
{
	uint8_t value[16];
	uint64_t reg;

	if (!take_num(a, &reg) || !take_char(a, '=') || !has_reg(s, reg))
		return fail(s, 0x14);
	if (take_hex(a, value, sizeof value) != reg_size((unsigned)reg) || !whole(a))
		return fail(s, 0x22);
	memcpy(regs_of(s) + reg_offset((unsigned)reg), value, reg_size((unsigned)reg));
	return ok(s);
}

/* --- memory */

static bool on_read(struct stub *s, struct args *a)
{
	uint64_t addr, len, there;

	if (!take_range(a, &addr, &len) || !whole(a))
		return fail(s, 0x22);
	if (len > s->profile->read_most) {
		record_text("OVERRUN", "%zu bytes asked, %zu fit", (size_t)len, (size_t)s->profile->read_most);
		return fail(s, 0x22);
	}
	there = machine_readable(&s->m, addr, len);
	if ((there < len && !s->profile->short_reads) || (len && !there))
		return fail(s, 0x14);
	say_hex(s, s->m.memory + (there ? addr : 0), there);
	return true;
}

static bool store(struct stub *s, struct args *a, size_t (*take)(struct args *, uint8_t *, size_t))
{
	static uint8_t bytes[REPLY_MAX];
	uint64_t addr, len;

	if (!take_range(a, &addr, &len) || !take_char(a, ':'))
		return fail(s, 0x22);
	if (take(a, bytes, sizeof bytes) != len || !whole(a)) {
		violation(s, "length and data differ", a->p, (size_t)(a->end - a->p));
		return fail(s, 0x22);
	}
	if (machine_readable(&s->m, addr, len) < len)
		return fail(s, 0x14);
	memcpy(s->m.memory + addr, bytes, len);
	return ok(s);
}

static bool on_write(struct stub *s, struct args *a)
{
	return store(s, a, take_hex);
}

static bool on_write_binary(struct stub *s, struct args *a)
{
	return store(s, a, take_binary);
}

static bool on_crc(struct stub *s, struct args *a)
{
	uint64_t addr, len;
	uint32_t crc = UINT32_MAX;

	if (!take_range(a, &addr, &len) || !whole(a) || machine_readable(&s->m, addr, len) < len)
		return fail(s, 0x01);
	for (uint64_t i = 0; i < len; i++) {
		crc ^= (uint32_t)s->m.memory[addr + i] << 24;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
	}
	say(s, "C%x", crc);
	return true;
}

static bool on_search(struct stub *s, struct args *a)
{
	uint8_t pattern[1024];
	const uint8_t *found;
	uint64_t addr, len;
	size_t n;

	if (!take_num(a, &addr) || !take_char(a, ';') || !take_num(a, &len) || !take_char(a, ';'))
		return fail(s, 0x01);
	n = take_binary(a, pattern, sizeof pattern);
	if (!n || !whole(a) || !machine_readable(&s->m, addr, len))
		return fail(s, 0x01);
	found = memmem(s->m.memory + addr, machine_readable(&s->m, addr, len), pattern, n);
	if (found)
		say(s, "1,%zx", (size_t)(found - s->m.memory));
	else
		say(s, "0");
	return true;
}

/* --- breakpoints and running */

static bool take_break(struct args *a, struct breakpoint *b)
{
	uint64_t type;

	if (!take_num(a, &type) || type > 4 || !take_char(a, ',') || !take_range(a, &b->addr, &b->kind) || !whole(a))
		return false;
	b->type = (unsigned)type;
	return true;
}

static bool on_break_set(struct stub *s, struct args *a)
{
	struct breakpoint b;

	if (!take_break(a, &b) || machine_full(&s->m) || !machine_readable(&s->m, b.addr, 1))
		return fail(s, 0x22);
	if (!machine_break_set(&s->m, b))
		record_text("note", "set twice");
	return ok(s);
}

static bool on_break_clear(struct stub *s, struct args *a)
{
	struct breakpoint b;

	if (!take_break(a, &b))
		return fail(s, 0x22);
	if (!machine_break_clear(&s->m, b)) {
		record_text("note", "cleared, but was not set");
		return fail(s, 0x22);
	}
	return ok(s);
}

static bool go(struct stub *s)
{
	s->m.running = true;
	s->end = machine_ahead(&s->m, s->m.current);
	s->ends = s->end ? s->due + s->stops_after : 0; /* due: the time of this packet */
	return false;
}

static bool step(struct stub *s)
{
	machine_set_reg(&s->m, s->m.current, MACHINE_RIP, machine_reg(&s->m, s->m.current, MACHINE_RIP) + 1);
	say_stop(s, 5, NULL);
	return true;
}

/* [signal][;][pc] */
static bool resume(struct stub *s, struct args *a, bool signal, bool (*way)(struct stub *))
{
	uint64_t sig, pc;

	if (signal && (!take_num(a, &sig) || (!whole(a) && !take_char(a, ';'))))
		return fail(s, 0x22);
	if (whole(a))
		return way(s);
	if (!take_num(a, &pc) || !whole(a))
		return fail(s, 0x22);
	machine_set_reg(&s->m, s->m.current, MACHINE_RIP, pc);
	return way(s);
}

static bool on_continue(struct stub *s, struct args *a)
{
	return resume(s, a, false, go);
}

static bool on_continue_signal(struct stub *s, struct args *a)
{
	if (s->profile->c_destroys)
		record("DESTROYED", a->p - 1, (size_t)(a->end - a->p) + 1);
	return resume(s, a, true, go);
}

static bool on_step(struct stub *s, struct args *a)
{
	return resume(s, a, false, step);
}

static bool on_step_signal(struct stub *s, struct args *a)
{
	return resume(s, a, true, step);
}

/* The first action decides: there is one processor's worth of running here. */
static bool on_vcont(struct stub *s, struct args *a)
{
	int64_t id = 0;
	char verb = a->p < a->end ? *a->p++ : 0;
	uint64_t v;

	if (!strchr("cCsSr", verb) || !verb)
		return fail(s, 0x01);
	if (strchr("CS", verb) && !take_num(a, &v))
		return fail(s, 0x01);
	if (verb == 'r' && !take_range(a, &v, &v))
		return fail(s, 0x01);
	if (take_char(a, ':') && !take_thread(a, &id))
		return fail(s, 0x01);
	if (exists(s, id))
		s->m.current = (size_t)id;
	return strchr("cC", verb) ? go(s) : step(s);
}

static bool on_detach(struct stub *s, struct args *a)
{
	(void)a;
	if (s->m.breaks_n)
		record_text("note", "detached with %zu breakpoints", s->m.breaks_n);
	s->m.breaks_n = 0;
	s->m.running = true;
	s->ends = 0;
	return ok(s);
}

static bool on_destroy(struct stub *s, struct args *a)
{
	record("DESTROYED", a->p, (size_t)(a->end - a->p));
	s->hang_up = true;
	return false;
}

/* --- threads */

static bool on_thread_select(struct stub *s, struct args *a)
{
	char which = a->p < a->end ? *a->p++ : 0;
	int64_t id;

	if (!which || !strchr("gcs", which) || !take_thread(a, &id) || !whole(a) || (id > 0 && !exists(s, id)))
		return fail(s, 0x22);
	if (which == 'g')
		s->thread = id > 0 ? (size_t)id : s->m.current;
	else if (id > 0)
		s->m.current = (size_t)id;
	return ok(s);
}

static bool on_thread_alive(struct stub *s, struct args *a)
{
	int64_t id;

	return take_thread(a, &id) && whole(a) && exists(s, id) ? ok(s) : fail(s, 0x22);
}

static bool on_current(struct stub *s, struct args *a)
{
	(void)a;
	say(s, "QC");
	say_id(s, s->m.current);
	return true;
}

static bool on_threads_next(struct stub *s, struct args *a)
{
	(void)a;
	if (s->listed == s->m.threads) {
		say(s, "%s", s->profile->list_end);
		return true;
	}
	say(s, "m");
	do {
		say_id(s, ++s->listed);
		if (s->listed < s->m.threads && !s->profile->one_by_one)
			say(s, ",");
	} while (s->listed < s->m.threads && !s->profile->one_by_one);
	return true;
}

static bool on_threads_first(struct stub *s, struct args *a)
{
	s->listed = 0;
	return on_threads_next(s, a);
}

static bool on_thread_extra(struct stub *s, struct args *a)
{
	char text[32];
	int64_t id;

	if (!take_thread(a, &id) || !whole(a) || !exists(s, id))
		return fail(s, 0x22);
	say_hex(s, text, (size_t)snprintf(text, sizeof text, "CPU#%d [halted ]", (int)id - 1));
	return true;
}

/* --- the rest */

static const char outer[] = "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
			    "<architecture>i386:x86-64</architecture><xi:include href=\"i386-64bit.xml\"/></target>";

static void put_reg(char **at, const char *name, const char *bits, const char *type)
{
	*at += sprintf(*at, "<reg name=\"%s\" bitsize=\"%s\" type=\"%s\"/>\n", name, bits, type);
}

static const char *inner(void)
{
	static const char *const wide[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	static const char *const narrow[] = { "cs", "ss", "ds", "es", "fs", "gs" };
	static const char *const fpu[] = { "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop" };
	static char text[8192];
	char *at = text, name[8];

	at += sprintf(at, "<?xml version=\"1.0\"?>\n<!DOCTYPE feature SYSTEM \"gdb-target.dtd\">\n<feature name=\"org.gnu.gdb.i386.core\">\n");
	for (size_t i = 0; i < 16; i++)
		put_reg(&at, wide[i], "64", i == 6 || i == 7 ? "data_ptr" : "int64");
	put_reg(&at, "rip", "64", "code_ptr");
	put_reg(&at, "eflags", "32", "int32");
	for (size_t i = 0; i < 6; i++)
		put_reg(&at, narrow[i], "32", "int32");
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "st%d", i);
		put_reg(&at, name, "80", "i387_ext");
	}
	for (size_t i = 0; i < 8; i++)
		put_reg(&at, fpu[i], "32", "int");
	sprintf(at, "</feature>\n");
	return text;
}

static bool on_xfer(struct stub *s, struct args *a)
{
	const char *colon = memchr(a->p, ':', (size_t)(a->end - a->p));
	const char *text = colon && strncmp(a->p, "target.xml:", 11) == 0 ? outer : colon && strncmp(a->p, "i386-64bit.xml:", 15) == 0 ? inner() : NULL;
	uint64_t off, len;
	size_t all;

	a->p = colon ? colon + 1 : a->end;
	if (!text || !take_range(a, &off, &len) || !whole(a))
		return fail(s, 0x00);
	all = strlen(text);
	if (len > s->profile->packet_most - 8) /* QEMU: (MAX_PACKET_LENGTH - 5) / 2, and less is no harm */
		len = s->profile->packet_most - 8;
	len /= 2;
	if (off > all)
		return fail(s, 0x00);
	say(s, "%c", len < all - off ? 'm' : 'l');
	say_escaped(s, text + off, len < all - off ? len : all - off);
	return true;
}

static bool on_monitor(struct stub *s, struct args *a)
{
	static const char text[] = "unknown command\n";

	(void)a;
	say(s, "O");
	say_hex(s, text, strlen(text));
	s->unacked += !s->no_ack;
	wire_send(&s->w, s->reply, s->reply_n, s->profile->run_length);
	s->reply_n = 0;
	return ok(s);
}

static const struct row {
	const char *name;
	bool exact;     /* nothing follows */
	unsigned need;
	bool (*fn)(struct stub *, struct args *);
} rows[] = {
	{ "?", true, 0, on_status },
	{ "qSupported", false, 0, on_supported },
	{ "QStartNoAckMode", true, NEED_NO_ACK, on_no_ack },
	{ "qAttached", false, NEED_ATTACHED, on_attached },
	{ "vCont?", true, NEED_VCONT, on_vcont_query },
	{ "g", true, 0, on_regs_read },
	{ "G", false, 0, on_regs_write },
	{ "p", false, 0, on_reg_read },
	{ "P", false, 0, on_reg_write },
	{ "m", false, 0, on_read },
	{ "M", false, 0, on_write },
	{ "X", false, NEED_BINARY, on_write_binary },
	{ "qCRC:", false, NEED_SEARCH, on_crc },
	{ "qSearch:memory:", false, NEED_SEARCH, on_search },
	{ "Z", false, 0, on_break_set },
	{ "z", false, 0, on_break_clear },
	{ "c", false, 0, on_continue },
	{ "C", false, 0, on_continue_signal },
	{ "s", false, 0, on_step },
	{ "S", false, 0, on_step_signal },
	{ "vCont;", false, NEED_VCONT, on_vcont },
	{ "D", false, 0, on_detach },
	{ "k", false, 0, on_destroy },
	{ "R", false, 0, on_destroy },
	{ "vKill;", false, 0, on_destroy },
	{ "H", false, 0, on_thread_select },
	{ "T", false, 0, on_thread_alive },
	{ "qC", true, 0, on_current },
	{ "qfThreadInfo", true, 0, on_threads_first },
	{ "qsThreadInfo", true, 0, on_threads_next },
	{ "qThreadExtraInfo,", false, 0, on_thread_extra },
	{ "qXfer:features:read:", false, NEED_XML, on_xfer },
	{ "qRcmd,", false, NEED_MONITOR, on_monitor },
};

static bool fits(const struct row *r, const char *body, size_t n)
{
	size_t len = strlen(r->name);

	return n >= len && memcmp(body, r->name, len) == 0 && (n == len || !r->exact);
}

bool answer(struct stub *s, const char *body, size_t n)
{
	s->reply_n = 0;
	for (const struct row *r = rows; r < rows + sizeof rows / sizeof *rows; r++) {
		struct args a = { body + strlen(r->name), body + n };

		if (fits(r, body, n) && (s->profile->has & r->need) == r->need)
			return r->fn(s, &a);
	}
	return true; /* unknown: the empty packet */
}
