/* kd_peer.h - the far end of a KD target's line: a kernel in memory that has registers, memory and breakpoints, written from the target's
 * rules (KD 1.3 to 1.6, 2, 3, 7). It runs nothing but, if it is told to, a path of one-byte instructions.
 *
 * What it is asked it writes down in .log: a word for each request, addresses from PEER_BASE on. A fault may happen to one frame. */
#ifndef TESTS_BACKENDS_KD_PEER_H
#define TESTS_BACKENDS_KD_PEER_H

#include "backends/kd/frame.h"
#include "backends/link/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PEER_BASE 0xfffff80000000000ULL
enum { PEER_PAGES = 8, PEER_PAGE = 4096, PEER_SIZE = PEER_PAGES * PEER_PAGE, PEER_CPUS = 3, PEER_TABLE = 32, PEER_QUEUE = 16, PEER_AGAIN_MS = 1000,
       PEER_CONTEXT = 1232, PEER_SPECIAL = 0xe0, PEER_LOG = 8192, PEER_LINE = 65536, PEER_HEADER = 56, PEER_BREAK_PC = 0x100, PEER_LIST = 0x2000,
       PEER_KDBG = 0x1800, PEER_PATH = 0x3000, PEER_LIES = 4 };

enum peer_fault { PEER_WHOLE, PEER_LOST, PEER_TWICE, PEER_DAMAGED, PEER_LATE, PEER_CUT, PEER_NOISE, PEER_FAULTS };
enum peer_way { PEER_TO_HOST, PEER_TO_TARGET, PEER_WAYS };

struct kd_peer_frame {
	uint8_t bytes[KD_FRAME_MAX];
	size_t n;
};

struct kd_peer {
	struct link *link;
	struct buf rx, out;
	char log[PEER_LOG];
	/* What it is like. */
	uint16_t machine;
	unsigned cpus;
	uint64_t kern_base, module_list, data_list;
	bool silent;             /* hears nothing */
	bool mute;               /* takes requests, and never answers */
	bool forgetful;          /* writes nothing down */
	bool fussy;              /* asks for every packet again, and takes none */
	unsigned mute_api;       /* to this one alone it says nothing */
	bool deaf;               /* does not stop for a break-in */
	bool executes;           /* walks along PEER_PATH */
	bool shows;              /* its breakpoints are seen in reads of memory */
	unsigned refuse;         /* this API */
	size_t read_max;         /* bytes that a read brings */
	bool hole[PEER_PAGES];
	bool keeps_word;         /* a processor that was switched to does not give the word back */
	/* How it is. */
	bool running;
	unsigned at;             /* the processor that stopped */
	uint8_t mem[PEER_SIZE];
	struct { uint8_t context[PEER_CONTEXT], special[PEER_SPECIAL]; } cpu[PEER_CPUS];
	struct { bool used; uint64_t addr; uint8_t saved; } table[PEER_TABLE];
	uint64_t msr;
	uint8_t state[1024];     /* the last state change */
	size_t state_n;
	unsigned continues;
	bool break_pending, waits, switched;
	unsigned first;          /* the processor that was switched away from */
	/* Its wire. */
	uint32_t send_id, expect_id;
	struct { unsigned type; size_t n; uint8_t payload[KD_PAYLOAD_MAX]; } queue[PEER_QUEUE];
	size_t queued;           /* the first of them is out */
	bool sent;
	uint64_t again_at, now;
	struct kd_peer_frame got; /* is being received */
	unsigned bad_ids;        /* requests with an id that it did not expect */
	/* What it says next is other than it should be: bytes, or its length. */
	struct { uint16_t at; uint8_t to; } lies[PEER_LIES];
	size_t lies_n, lie_length; /* lie_length: 0, it is what it should be */
	/* What happens to the frame of that number. */
	enum peer_fault fault;
	enum peer_way way;
	unsigned number, frames[PEER_WAYS];
	struct kd_peer_frame late;
	uint64_t late_at;
};

static inline void kd_peer_note(struct kd_peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void kd_peer_note(struct kd_peer *p, const char *fmt, ...)
{
	size_t n = p->forgetful ? 0 : strlen(p->log);
	va_list ap;

	if (p->forgetful)
		return;
	va_start(ap, fmt);
	if (n && n + 1 < sizeof p->log)
		p->log[n++] = ' ';
	(void)vsnprintf(p->log + n, sizeof p->log - n, fmt, ap);
	va_end(ap);
}

static inline uint64_t kd_peer_get(const uint8_t *at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i--;)
		v = v << 8 | at[i];
	return v;
}

static inline void kd_peer_set(uint8_t *at, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		at[i] = (uint8_t)v;
}

/* ---- its wire ---- */

/* What is late keeps back what comes after it. */
static inline bool kd_peer_holds(const struct kd_peer *p, enum peer_way way)
{
	return p->way == way && p->late_at != UINT64_MAX;
}

static inline void kd_peer_bytes(struct kd_peer *p, const uint8_t *bytes, size_t n)
{
	if (buf_put(&p->out, bytes, n) < 0)
		buf_reset(&p->out, 0);
	if (p->link && !kd_peer_holds(p, PEER_TO_HOST))
		(void)!link_send(p->link, &p->out, p->now);
}

static inline bool kd_peer_faulty(struct kd_peer *p, enum peer_way way)
{
	return ++p->frames[way] == p->number && p->way == way && p->fault != PEER_WHOLE;
}

static inline void kd_peer_emit(struct kd_peer *p, struct kd_peer_frame *f)
{
	enum peer_fault fault = kd_peer_faulty(p, PEER_TO_HOST) ? p->fault : PEER_WHOLE;

	if (fault == PEER_LATE)
		p->late_at = p->now + 2500;
	if (fault == PEER_LOST)
		return;
	if (fault == PEER_TWICE)
		kd_peer_bytes(p, f->bytes, f->n);
	if (fault == PEER_DAMAGED)
		f->bytes[f->n > 20 ? 18 : 2] ^= 0x10;
	if (fault == PEER_NOISE)
		kd_peer_bytes(p, (const uint8_t *)"000ii\xaa" "00", 8);
	kd_peer_bytes(p, f->bytes, fault == PEER_CUT ? f->n / 2 : f->n);
}

static inline void kd_peer_frame(struct kd_peer *p, bool control, unsigned type, uint32_t id, struct span payload)
{
	struct kd_peer_frame f;
	struct buf out = { .base = f.bytes, .cap = sizeof f.bytes };
	struct kd_packet packet = { .control = control, .type = (uint16_t)type, .id = id, .payload = payload };

	(void)!kd_packet_put(&out, &packet, true);
	f.n = out.len;
	kd_peer_emit(p, &f);
}

static inline void kd_peer_control(struct kd_peer *p, unsigned type, uint32_t id)
{
	kd_peer_frame(p, true, type, id, (struct span){ 0 });
}

static inline void kd_peer_transmit(struct kd_peer *p)
{
	if (!p->queued)
		return;
	kd_peer_frame(p, false, p->queue[0].type, p->send_id, (struct span){ p->queue[0].payload, p->queue[0].n });
	p->sent = true;
	p->again_at = p->now + PEER_AGAIN_MS;
}

static inline void kd_peer_taken(struct kd_peer *p)
{
	p->send_id = (p->send_id ^ 1) & ~0x800U;
	memmove(p->queue, p->queue + 1, --p->queued * sizeof p->queue[0]);
	p->sent = false;
	kd_peer_transmit(p);
}

static inline void kd_peer_lie(struct kd_peer *p, uint8_t *payload, size_t *n)
{
	for (size_t i = 0; i < p->lies_n; i++)
		payload[p->lies[i].at % KD_PAYLOAD_MAX] = p->lies[i].to;
	if (p->lie_length)
		*n = p->lie_length % (KD_PAYLOAD_MAX + 1);
	p->lies_n = p->lie_length = 0;
}

static inline void kd_peer_say(struct kd_peer *p, unsigned type, const void *bytes, size_t n)
{
	if (p->queued == PEER_QUEUE)
		return;
	p->queue[p->queued].type = type;
	memcpy(p->queue[p->queued].payload, bytes, n);
	kd_peer_lie(p, p->queue[p->queued].payload, &n);
	p->queue[p->queued++].n = n;
	if (!p->sent)
		kd_peer_transmit(p);
}

/* ---- what it tells by itself ---- */

static inline void kd_peer_print(struct kd_peer *p, const char *text)
{
	uint8_t payload[1024] = { 0x30, 0x32 };
	size_t n = strlen(text);

	kd_peer_set(payload + 8, 4, n);
	memcpy(payload + 16, text, n);
	kd_peer_say(p, KD_TYPE_DEBUG_IO, payload, 16 + n);
}

static inline void kd_peer_prompt(struct kd_peer *p, const char *text, unsigned most)
{
	uint8_t payload[1024] = { 0x31, 0x32 };
	size_t n = strlen(text);

	kd_peer_set(payload + 8, 4, n);
	kd_peer_set(payload + 12, 4, most);
	memcpy(payload + 16, text, n);
	p->waits = true;
	kd_peer_say(p, KD_TYPE_DEBUG_IO, payload, 16 + n);
}

static inline void kd_peer_file(struct kd_peer *p, char name)
{
	uint8_t payload[66] = { 0x30, 0x34, [64] = (uint8_t)name };

	p->waits = true;
	kd_peer_say(p, KD_TYPE_FILE_IO, payload, sizeof payload);
}

static inline void kd_peer_begin_state(struct kd_peer *p, unsigned code, unsigned cpu)
{
	memset(p->state, 0, sizeof p->state);
	kd_peer_set(p->state, 4, code);
	kd_peer_set(p->state + 6, 2, cpu);
	kd_peer_set(p->state + 8, 4, p->cpus);
	kd_peer_set(p->state + 16, 8, 0xffffe00000001000ULL + cpu);
	p->at = cpu < PEER_CPUS ? cpu : 0;
	kd_peer_set(p->state + 24, 8, kd_peer_get(p->cpu[p->at].context + 0xf8, 8));
	p->state_n = 240;
	p->running = false;
}

/* Every report deletes breakpoints near the PC. */
static inline void kd_peer_report(struct kd_peer *p)
{
	uint64_t pc = kd_peer_get(p->state + 24, 8);

	for (size_t i = 0; i < PEER_TABLE; i++)
		if (p->table[i].used && p->table[i].addr - pc < 16) {
			p->mem[p->table[i].addr - PEER_BASE] = p->table[i].saved;
			p->table[i].used = false;
		}
	kd_peer_set(p->state + 192, 8, kd_peer_get(p->cpu[p->at].special + 0x40, 8));
	kd_peer_set(p->state + 200, 8, kd_peer_get(p->cpu[p->at].special + 0x48, 8));
	kd_peer_set(p->state + 208, 4, kd_peer_get(p->cpu[p->at].context + 0x44, 4));
	kd_peer_set(p->state + 212, 2, 16);
	if (pc - PEER_BASE < PEER_SIZE - 16)
		memcpy(p->state + 216, p->mem + (pc - PEER_BASE), 16);
	kd_peer_say(p, KD_TYPE_STATE_CHANGE64, p->state, p->state_n);
}

static inline void kd_peer_pc(struct kd_peer *p, unsigned cpu, uint64_t pc)
{
	kd_peer_set(p->cpu[cpu].context + 0xf8, 8, pc);
}

static inline void kd_peer_stop(struct kd_peer *p, unsigned cpu, uint32_t code, uint64_t pc)
{
	kd_peer_pc(p, cpu < PEER_CPUS ? cpu : 0, pc);
	kd_peer_begin_state(p, 0x3030, cpu);
	kd_peer_set(p->state + 32, 4, code);
	kd_peer_set(p->state + 48, 8, pc);
	kd_peer_set(p->state + 184, 4, 1);
	kd_peer_report(p);
}

static inline void kd_peer_trap(struct kd_peer *p, unsigned cpu, uint64_t off)
{
	kd_peer_stop(p, cpu, 0x80000003U, PEER_BASE + off);
}

static inline void kd_peer_load(struct kd_peer *p, const char *path, uint64_t base, bool unload)
{
	size_t n = path ? strlen(path) + 1 : 0;

	kd_peer_begin_state(p, 0x3031, p->at);
	kd_peer_set(p->state + 32, 4, n);
	kd_peer_set(p->state + 40, 8, base);
	kd_peer_set(p->state + 60, 4, 0x5000);
	p->state[64] = unload;
	if (n)
		memcpy(p->state + 240, path, n);
	p->state_n = 240 + n;
	kd_peer_report(p);
}

/* The stream begins anew: it has booted, or given its debugger up. */
static inline void kd_peer_anew(struct kd_peer *p)
{
	p->send_id = 0x80800800U;
	p->expect_id = 0x80800000U;
	p->queued = 0;
	p->sent = false;
}

/* ---- requests ---- */

static inline bool kd_peer_there(const struct kd_peer *p, uint64_t addr)
{
	return addr - PEER_BASE < PEER_SIZE && !p->hole[(addr - PEER_BASE) / PEER_PAGE];
}

static inline uint8_t kd_peer_byte(const struct kd_peer *p, uint64_t addr)
{
	for (size_t i = 0; i < PEER_TABLE && !p->shows; i++)
		if (p->table[i].used && p->table[i].addr == addr)
			return p->table[i].saved;
	return p->mem[addr - PEER_BASE];
}

/* Each answers how many bytes follow the header; the status is in it already: good. */
static inline void kd_peer_fail(uint8_t *h)
{
	kd_peer_set(h + 8, 4, 0xc0000001U);
}

static inline size_t kd_peer_read(struct kd_peer *p, uint8_t *h, size_t n)
{
	uint64_t addr = kd_peer_get(h + 16, 8);
	size_t want = (size_t)kd_peer_get(h + 24, 4), have = 0;

	(void)n;
	kd_peer_note(p, "r%llx+%zx", (unsigned long long)(addr - PEER_BASE), want);
	want = want < p->read_max ? want : p->read_max;
	for (; have < want && kd_peer_there(p, addr + have); have++)
		h[PEER_HEADER + have] = kd_peer_byte(p, addr + have);
	kd_peer_set(h + 28, 4, have);
	if (!have || have < want)
		kd_peer_fail(h);
	return have;
}

static inline size_t kd_peer_write(struct kd_peer *p, uint8_t *h, size_t n)
{
	uint64_t addr = kd_peer_get(h + 16, 8);
	size_t have = 0;

	kd_peer_note(p, "w%llx+%zx", (unsigned long long)(addr - PEER_BASE), n);
	for (; have < n && kd_peer_there(p, addr + have); have++)
		p->mem[addr + have - PEER_BASE] = h[PEER_HEADER + have];
	kd_peer_set(h + 28, 4, have);
	if (have < n)
		kd_peer_fail(h);
	return 0;
}

static inline unsigned kd_peer_cpu(const uint8_t *h)
{
	return (unsigned)kd_peer_get(h + 6, 2);
}

static inline size_t kd_peer_get_context(struct kd_peer *p, uint8_t *h, size_t n)
{
	(void)n;
	kd_peer_note(p, "gc%u", kd_peer_cpu(h));
	if (kd_peer_cpu(h) >= p->cpus || kd_peer_cpu(h) >= PEER_CPUS) {
		kd_peer_fail(h);
		return 0;
	}
	memcpy(h + PEER_HEADER, p->cpu[kd_peer_cpu(h)].context, PEER_CONTEXT);
	return PEER_CONTEXT;
}

static inline size_t kd_peer_set_context(struct kd_peer *p, uint8_t *h, size_t n)
{
	kd_peer_note(p, "sc%u", kd_peer_cpu(h));
	if (kd_peer_cpu(h) >= PEER_CPUS || n != PEER_CONTEXT)
		kd_peer_fail(h);
	else
		memcpy(p->cpu[kd_peer_cpu(h)].context, h + PEER_HEADER, n);
	return 0;
}

static inline size_t kd_peer_read_control(struct kd_peer *p, uint8_t *h, size_t n)
{
	size_t want = (size_t)kd_peer_get(h + 24, 4);

	(void)n;
	kd_peer_note(p, "rs%u", kd_peer_cpu(h));
	want = want < PEER_SPECIAL ? want : PEER_SPECIAL;
	if (kd_peer_cpu(h) >= PEER_CPUS || kd_peer_get(h + 16, 8) != 2) {
		kd_peer_fail(h);
		return 0;
	}
	kd_peer_set(h + 28, 4, want);
	memcpy(h + PEER_HEADER, p->cpu[kd_peer_cpu(h)].special, want);
	return want;
}

static inline size_t kd_peer_write_control(struct kd_peer *p, uint8_t *h, size_t n)
{
	kd_peer_note(p, "ws%u", kd_peer_cpu(h));
	if (kd_peer_cpu(h) >= PEER_CPUS || n > PEER_SPECIAL)
		kd_peer_fail(h);
	else
		memcpy(p->cpu[kd_peer_cpu(h)].special, h + PEER_HEADER, n);
	kd_peer_set(h + 28, 4, n);
	return 0;
}

static inline size_t kd_peer_plant(struct kd_peer *p, uint8_t *h, size_t n)
{
	uint64_t addr = kd_peer_get(h + 16, 8);
	size_t free_at = PEER_TABLE;

	(void)n;
	kd_peer_note(p, "+%llx", (unsigned long long)(addr - PEER_BASE));
	for (size_t i = PEER_TABLE; i--;) {
		if (!p->table[i].used)
			free_at = i;
		if (p->table[i].used && p->table[i].addr == addr) {
			kd_peer_fail(h);
			return 0;
		}
	}
	if (free_at == PEER_TABLE || !kd_peer_there(p, addr)) {
		kd_peer_fail(h);
		return 0;
	}
	p->table[free_at].used = true;
	p->table[free_at].addr = addr;
	p->table[free_at].saved = p->mem[addr - PEER_BASE];
	p->mem[addr - PEER_BASE] = 0xcc;
	kd_peer_set(h + 24, 4, free_at + 1);
	return 0;
}

/* Of an entry that is free nothing is written down. */
static inline size_t kd_peer_restore(struct kd_peer *p, uint8_t *h, size_t n)
{
	size_t i = (size_t)kd_peer_get(h + 16, 4) - 1;

	(void)n;
	if (i >= PEER_TABLE || !p->table[i].used) {
		kd_peer_fail(h);
		return 0;
	}
	kd_peer_note(p, "-%llx", (unsigned long long)(p->table[i].addr - PEER_BASE));
	p->mem[p->table[i].addr - PEER_BASE] = p->table[i].saved;
	p->table[i].used = false;
	return 0;
}

static inline size_t kd_peer_version(struct kd_peer *p, uint8_t *h, size_t n)
{
	(void)n;
	kd_peer_note(p, "version");
	kd_peer_set(h + 16, 2, 0xf);
	kd_peer_set(h + 18, 2, 19041);
	h[20] = 6;
	h[21] = 2;
	kd_peer_set(h + 22, 2, 7);
	kd_peer_set(h + 24, 2, p->machine);
	kd_peer_set(h + 32, 8, p->kern_base);
	kd_peer_set(h + 40, 8, p->module_list);
	kd_peer_set(h + 48, 8, p->data_list);
	return 0;
}

static inline size_t kd_peer_physical(struct kd_peer *p, uint8_t *h, size_t n)
{
	size_t want = (size_t)kd_peer_get(h + 24, 4);

	(void)n;
	kd_peer_note(p, "p%llx+%zx", (unsigned long long)kd_peer_get(h + 16, 8), want);
	memset(h + PEER_HEADER, 0x5a, want);
	kd_peer_set(h + 28, 4, want);
	return want;
}

static inline size_t kd_peer_read_msr(struct kd_peer *p, uint8_t *h, size_t n)
{
	(void)n;
	kd_peer_note(p, "rm%llx", (unsigned long long)kd_peer_get(h + 16, 4));
	kd_peer_set(h + 20, 8, p->msr);
	return 0;
}

static inline size_t kd_peer_write_msr(struct kd_peer *p, uint8_t *h, size_t n)
{
	(void)n;
	kd_peer_note(p, "wm%llx", (unsigned long long)kd_peer_get(h + 16, 4));
	p->msr = kd_peer_get(h + 20, 8);
	return 0;
}

static const struct kd_peer_api {
	unsigned api;
	size_t (*serve)(struct kd_peer *p, uint8_t *header, size_t n);
} kd_peer_apis[] = {
	{ 0x3130, kd_peer_read }, { 0x3131, kd_peer_write }, { 0x3132, kd_peer_get_context }, { 0x3133, kd_peer_set_context },
	{ 0x3134, kd_peer_plant }, { 0x3135, kd_peer_restore }, { 0x3137, kd_peer_read_control }, { 0x3138, kd_peer_write_control },
	{ 0x313d, kd_peer_physical }, { 0x3146, kd_peer_version }, { 0x3152, kd_peer_read_msr }, { 0x3153, kd_peer_write_msr },
};

/* ---- running ---- */

/* Along the path there is one instruction in each byte, and the way back at its end. */
static inline void kd_peer_execute(struct kd_peer *p, bool step)
{
	uint64_t pc = kd_peer_get(p->cpu[p->at].context + 0xf8, 8), from = PEER_BASE + PEER_PATH;

	for (unsigned i = 0; i < 256 && pc - PEER_BASE < PEER_SIZE; i++) {
		if (p->mem[pc - PEER_BASE] == 0xcc) {
			kd_peer_stop(p, p->at, 0x80000003U, pc);
			return;
		}
		pc = pc - from < 63 ? pc + 1 : from;
		if (step) {
			kd_peer_stop(p, p->at, 0x80000004U, pc);
			return;
		}
	}
	kd_peer_pc(p, p->at, pc);
}

static inline void kd_peer_break(struct kd_peer *p)
{
	kd_peer_note(p, "^");
	if (p->deaf)
		return;
	if (p->running)
		kd_peer_trap(p, p->at, PEER_BREAK_PC);
	else if (!p->queued)
		kd_peer_say(p, KD_TYPE_STATE_CHANGE64, p->state, p->state_n);
}

static inline void kd_peer_go(struct kd_peer *p, const uint8_t *h)
{
	bool good = kd_peer_get(h + 16, 4) < 0x80000000U, step = good && kd_peer_get(h + 20, 4);

	p->continues++;
	kd_peer_note(p, "%s%s", step ? "step" : "go", good ? "" : "!");
	if (p->switched && !p->keeps_word) { /* the word goes back to the first */
		p->switched = false;
		kd_peer_begin_state(p, 0x3030, p->first);
		kd_peer_set(p->state + 32, 4, 0x80000003U);
		kd_peer_report(p);
		return;
	}
	if (good)
		kd_peer_set(p->cpu[p->at].special + 0x48, 8, kd_peer_get(h + 24, 8));
	p->running = true;
	if (p->executes)
		kd_peer_execute(p, step);
}

static inline void kd_peer_switch(struct kd_peer *p, const uint8_t *h)
{
	unsigned to = kd_peer_cpu(h);

	kd_peer_note(p, "sw%u", to);
	p->first = p->at;
	p->switched = to != p->at;
	kd_peer_stop(p, to, 0x80000007U, kd_peer_get(p->cpu[to % PEER_CPUS].context + 0xf8, 8));
}

static inline void kd_peer_serve(struct kd_peer *p, struct span s)
{
	static uint8_t room[KD_PAYLOAD_MAX + PEER_HEADER];
	unsigned api = (unsigned)kd_peer_get(s.p, 4);
	size_t n = 0;

	memset(room, 0, sizeof room);
	memcpy(room, s.p, s.len);
	kd_peer_set(room + 8, 4, 0);
	if (api == 0x313c) {
		kd_peer_go(p, s.p);
	} else if (api == 0x3150) {
		kd_peer_switch(p, s.p);
	} else if (api == 0x313b) {
		kd_peer_note(p, "reboot");
	} else if (!p->mute && p->mute_api != api) {
		const struct kd_peer_api *a = kd_peer_apis, *end = a + sizeof kd_peer_apis / sizeof *a;

		while (a < end && a->api != api)
			a++;
		if (a == end || p->refuse == api) {
			kd_peer_note(p, "no%x", api);
			kd_peer_fail(room);
		} else {
			n = a->serve(p, room, s.len - PEER_HEADER);
		}
		kd_peer_say(p, KD_TYPE_MANIPULATE, room, PEER_HEADER + n);
	} else {
		kd_peer_note(p, "mute%x", api);
	}
}

/* ---- what comes ---- */

static inline void kd_peer_on_control(struct kd_peer *p, unsigned type, uint32_t id)
{
	if (type == KD_TYPE_ACKNOWLEDGE && p->sent && id == (p->send_id & ~0x800U)) {
		kd_peer_taken(p);
	} else if (type == KD_TYPE_RESEND) {
		kd_peer_transmit(p);
	} else if (type == KD_TYPE_RESET) {
		kd_peer_note(p, "RESET");
		p->send_id = p->expect_id = 0x80800000U;
		kd_peer_control(p, KD_TYPE_RESET, 0);
		if (p->queued)
			kd_peer_transmit(p);
		else
			kd_peer_say(p, KD_TYPE_STATE_CHANGE64, p->state, p->state_n);
	}
}

static inline void kd_peer_on_data(struct kd_peer *p, unsigned type, uint32_t id, struct span s)
{
	if (p->sent || p->fussy) {
		kd_peer_control(p, KD_TYPE_RESEND, 0);
		if (p->sent)
			kd_peer_taken(p);
		return;
	}
	kd_peer_control(p, KD_TYPE_ACKNOWLEDGE, id);
	p->bad_ids += id != p->expect_id;
	if (id != p->expect_id)
		return;
	p->expect_id ^= 1;
	if (type == KD_TYPE_MANIPULATE && s.len >= PEER_HEADER)
		kd_peer_serve(p, s);
	if (type == KD_TYPE_DEBUG_IO) {
		kd_peer_note(p, "io:%.*s", (int)kd_peer_get(s.p + 12, 4), (const char *)s.p + 16);
		p->waits = false;
	}
	if (type == KD_TYPE_FILE_IO) {
		kd_peer_note(p, "file:%llx", (unsigned long long)kd_peer_get(s.p + 4, 4));
		p->waits = false;
	}
}

static inline void kd_peer_on_frame(struct kd_peer *p, const struct kd_peer_frame *f)
{
	bool control = f->bytes[0] == 'i';
	unsigned type = (unsigned)kd_peer_get(f->bytes + 4, 2);
	uint32_t id = (uint32_t)kd_peer_get(f->bytes + 8, 4), sum = 0;
	size_t n = control ? 0 : f->n - 17;

	for (size_t i = 0; i < n; i++)
		sum += f->bytes[16 + i];
	if (control)
		kd_peer_on_control(p, type, id);
	else if (sum != kd_peer_get(f->bytes + 12, 4) || f->bytes[f->n - 1] != 0xaa)
		kd_peer_control(p, KD_TYPE_RESEND, 0);
	else
		kd_peer_on_data(p, type, id, (struct span){ f->bytes + 16, n });
}

static inline void kd_peer_arrives(struct kd_peer *p, struct kd_peer_frame *f)
{
	enum peer_fault fault = kd_peer_faulty(p, PEER_TO_TARGET) ? p->fault : PEER_WHOLE;

	if (fault == PEER_LATE) {
		p->late = *f;
		p->late_at = p->now + 2500;
	}
	if (fault == PEER_LOST || fault == PEER_LATE || (f->bytes[0] == 'i' && (fault == PEER_DAMAGED || fault == PEER_CUT)))
		return;
	if (fault == PEER_DAMAGED || fault == PEER_CUT)
		f->bytes[18] ^= 0x10;
	kd_peer_on_frame(p, f);
	if (fault == PEER_TWICE)
		kd_peer_on_frame(p, f);
}

static inline size_t kd_peer_frame_size(const struct kd_peer_frame *f)
{
	if (f->n < 16 || f->bytes[0] == 'i')
		return 16;
	return 17 + (size_t)(kd_peer_get(f->bytes + 6, 2) % (KD_PAYLOAD_MAX + 1));
}

/* A machine that runs looks for a break-in, and for nothing else. But the ACK it still waits for. */
static inline void kd_peer_hear(struct kd_peer *p, uint8_t byte)
{
	struct kd_peer_frame *f = &p->got;

	if (f->n < 4 && byte == KD_BREAK_IN) {
		if (!kd_peer_faulty(p, PEER_TO_TARGET) || p->fault == PEER_TWICE || p->fault == PEER_NOISE)
			kd_peer_break(p);
		return;
	}
	if (f->n < 4 && byte != '0' && byte != 'i') {
		f->n = 0;
		return;
	}
	if (f->n && f->n < 4 && byte != f->bytes[0])
		f->n = 0;
	f->bytes[f->n++] = byte;
	if (f->n < 16 || f->n < kd_peer_frame_size(f))
		return;
	if (!p->running || p->sent || p->waits)
		kd_peer_arrives(p, f);
	f->n = 0;
}

/* ---- from outside ---- */

static inline int kd_peer_init(struct kd_peer *p)
{
	*p = (struct kd_peer){ .machine = 0x8664, .cpus = 2, .kern_base = PEER_BASE, .read_max = KD_PAYLOAD_MAX - PEER_HEADER, .late_at = UINT64_MAX };
	kd_peer_anew(p);
	for (size_t i = 0; i < PEER_SIZE; i++)
		p->mem[i] = (uint8_t)(i * 7);
	memset(p->mem + PEER_PATH, 0x90, 64);
	p->mem[PEER_BREAK_PC] = 0xcc;
	for (unsigned i = 0; i < PEER_CPUS; i++) {
		for (size_t k = 0; k < PEER_CONTEXT; k++)
			p->cpu[i].context[k] = (uint8_t)(k + i);
		kd_peer_set(p->cpu[i].context + 0x30, 4, 0x10001f);
		kd_peer_set(p->cpu[i].context + 0x38, 2, 0x10);
		kd_peer_set(p->cpu[i].context + 0x44, 4, 2);
		memset(p->cpu[i].context + 0x48, 0, 0x30); /* the thread's debug registers */
		kd_peer_set(p->cpu[i].context + 0x98, 8, PEER_BASE + 0x7000 + i);
		kd_peer_pc(p, i, PEER_BASE + PEER_PATH + i);
		kd_peer_set(p->cpu[i].special + 0x48, 8, 0x400);
	}
	p->running = true;
	return buf_init(&p->rx, PEER_LINE) < 0 || buf_init(&p->out, PEER_LINE) < 0 ? -1 : 0;
}

static inline void kd_peer_fini(struct kd_peer *p)
{
	link_destroy_stack(p->link);
	buf_fini(&p->rx);
	buf_fini(&p->out);
}

static inline bool kd_peer_step(struct kd_peer *p, uint64_t now)
{
	bool moved = false;

	p->now = now;
	if (p->late_at <= now) {
		p->late_at = UINT64_MAX;
		moved = true;
		if (p->way == PEER_TO_HOST)
			kd_peer_bytes(p, NULL, 0);
		else if (!p->running || p->sent)
			kd_peer_on_frame(p, &p->late);
	}
	while (!kd_peer_holds(p, PEER_TO_TARGET) && p->link && (p->rx.len || link_recv(p->link, &p->rx, now) == 1)) {
		uint8_t byte = *buf_data(&p->rx);

		moved = true;
		if (buf_pull(&p->rx, 1) == 0 && !p->silent)
			kd_peer_hear(p, byte);
	}
	if (p->sent && p->again_at <= now) {
		kd_peer_transmit(p);
		moved = true;
	}
	return moved;
}

static inline uint64_t kd_peer_due(const struct kd_peer *p)
{
	uint64_t again = p->sent ? p->again_at : UINT64_MAX;

	return again < p->late_at ? again : p->late_at;
}

#endif
