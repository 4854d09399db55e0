/* kd_requests.c - the manipulate requests of a stop, and what is answered (KD 3 and 4). */
#include "tests/sim/kdtarget/target.h"

#include <string.h>

enum { API_FIRST = 0x3130, MOST = KD_PACKET - KD_HEADER, CAP = 1096, MACHINE_AMD64 = 0x8664, MACHINE_I386 = 0x014c, EFER = 0xd01 };

/* A handler finds the request in p, and makes the answer of it: its status, and p->n. */
struct api {
	const char *name;
	uint32_t (*serve)(struct target *k, struct packet *p);
	enum outcome outcome; /* not NONE: no answer */
};

static uint8_t *data_of(struct packet *p)
{
	return p->body + KD_HEADER;
}

static size_t data_n(const struct packet *p)
{
	return p->n - KD_HEADER;
}

static unsigned cpu_of(const struct packet *p)
{
	return get16(p->body + 6);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- memory */

static uint32_t read_at(struct target *k, struct packet *p, uint64_t addr)
{
	size_t wanted = least(get32(p->body + 24), is(k, QUIRK_READ_CAP) ? CAP : MOST), got = memory_read(k, addr, data_of(p), wanted);

	if (got < wanted && !is(k, QUIRK_PARTIAL_READS))
		got = 0;
	put(p->body + 28, 4, got);
	p->n = KD_HEADER + got;
	return got < wanted || !wanted ? KD_UNSUCCESSFUL : KD_SUCCESS;
}

static uint32_t write_at(struct target *k, struct packet *p, uint64_t addr)
{
	size_t wanted = data_n(p), done = memory_write(k, addr, data_of(p), wanted);

	put(p->body + 28, 4, done);
	p->n = KD_HEADER;
	return done < wanted ? KD_UNSUCCESSFUL : KD_SUCCESS;
}

static uint32_t read_virtual(struct target *k, struct packet *p)
{
	return read_at(k, p, addr_in(k, get64(p->body + 16)));
}

static uint32_t write_virtual(struct target *k, struct packet *p)
{
	return write_at(k, p, addr_in(k, get64(p->body + 16)));
}

/* Physical addresses are the virtual ones of the two images, and nothing else is there. */
static bool in_an_image(struct target *k, uint64_t addr)
{
	for (int driver = 0; driver < 2; driver++) {
		uint32_t size = 0;
		uint64_t base = guest_image(k->guest, driver, &size);

		if (base && addr >= base && addr - base < size)
			return true;
	}
	return false;
}

static uint32_t nothing_there(struct packet *p)
{
	put(p->body + 28, 4, 0);
	p->n = KD_HEADER;
	return KD_UNSUCCESSFUL;
}

static uint32_t read_physical(struct target *k, struct packet *p)
{
	uint64_t addr = get64(p->body + 16);

	return in_an_image(k, addr) ? read_at(k, p, addr) : nothing_there(p);
}

static uint32_t write_physical(struct target *k, struct packet *p)
{
	uint64_t addr = get64(p->body + 16);

	return in_an_image(k, addr) ? write_at(k, p, addr) : nothing_there(p);
}

/* It says of everything that it is the kernel's, and may be read, written and executed (KD 3.2). */
static uint32_t query_memory(struct target *k, struct packet *p)
{
	(void)k;
	put(p->body + 32, 4, 2);
	put(p->body + 36, 4, 7);
	p->n = KD_HEADER;
	return KD_SUCCESS;
}

/* --- registers */

static uint32_t get_context(struct target *k, struct packet *p)
{
	if (cpu_of(p) >= k->setup.processors)
		return KD_UNSUCCESSFUL;
	context_get(k, cpu_of(p), data_of(p));
	p->n = KD_HEADER + context_size(k);
	k->context_given = true;
	return KD_SUCCESS;
}

static bool may_set(const struct target *k, const struct packet *p)
{
	return cpu_of(p) < k->setup.processors && (k->context_given || is(k, QUIRK_SET_CONTEXT_ALWAYS));
}

static uint32_t set_context(struct target *k, struct packet *p)
{
	bool good = may_set(k, p) && data_n(p) >= context_size(k) && context_set(k, cpu_of(p), data_of(p)) == 0;

	if (is(k, QUIRK_SLOW_CONTEXT))
		wait_for(k, 100);
	p->n = KD_HEADER;
	return good ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

static bool part_of(size_t all, const struct packet *p)
{
	return get32(p->body + 16) <= all && get32(p->body + 20) <= all - get32(p->body + 16);
}

static uint32_t get_context_ex(struct target *k, struct packet *p)
{
	uint8_t all[KD_CONTEXT];
	size_t count = get32(p->body + 20);

	if (is(k, QUIRK_NO_CONTEXT_EX) || cpu_of(p) >= k->setup.processors || !part_of(context_size(k), p))
		return KD_UNSUCCESSFUL;
	context_get(k, cpu_of(p), all);
	memcpy(data_of(p), all + get32(p->body + 16), count);
	put(p->body + 24, 4, count);
	p->n = KD_HEADER + count;
	k->context_given = true;
	return KD_SUCCESS;
}

/* Gathered, until a piece ends where the whole does; or each by itself (KD 3.2). */
static uint32_t set_context_ex(struct target *k, struct packet *p)
{
	uint32_t offset = get32(p->body + 16), count = get32(p->body + 20), total = get32(p->body + 24);
	bool good = !is(k, QUIRK_NO_CONTEXT_EX) && may_set(k, p) && part_of(context_size(k), p) && data_n(p) >= count;

	if (good && is(k, QUIRK_CHUNKS_AT_ONCE))
		context_get(k, cpu_of(p), k->staged);
	if (good)
		memcpy(k->staged + offset, data_of(p), count);
	if (good && (is(k, QUIRK_CHUNKS_AT_ONCE) || offset + count == total))
		good = context_set(k, cpu_of(p), k->staged) == 0;
	put(p->body + 24, 4, good ? count : 0);
	p->n = KD_HEADER;
	return good ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

/* --- control space */

/* What the numbers of amd64, or the offsets of i386, mean. How many bytes; 0: nothing. */
static size_t space_amd64(struct target *k, unsigned cpu, uint64_t at, uint8_t *to)
{
	static uint64_t (*const pointers[])(struct target *k, unsigned cpu) = { context_pcr, context_prcb, NULL, context_thread };

	if (at > 3)
		return 0;
	if (at == 2)
		special_get(k, cpu, to);
	else
		put(to, 8, pointers[at](k, cpu));
	return at == 2 ? special_size(k) : 8;
}

static size_t space_i386(struct target *k, unsigned cpu, uint64_t at, uint8_t *to)
{
	uint8_t all[KD_CONTEXT];
	size_t size = context_size(k) + special_size(k);

	context_get(k, cpu, all);
	special_get(k, cpu, all + context_size(k));
	if (at >= size)
		return 0;
	memcpy(to, all + at, size - at);
	return size - at;
}

static uint32_t read_control_space(struct target *k, struct packet *p)
{
	uint64_t at = get64(p->body + 16);
	size_t wanted = get32(p->body + 24), there = 0;

	if (cpu_of(p) < k->setup.processors)
		there = wide(k) ? space_amd64(k, cpu_of(p), at, data_of(p)) : space_i386(k, cpu_of(p), at, data_of(p));
	if (!is(k, QUIRK_LONG_CONTROL_SPACE))
		there = least(there, wanted);
	put(p->body + 28, 4, there);
	p->n = KD_HEADER + there;
	return there ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

static bool write_amd64(struct target *k, unsigned cpu, uint64_t at, const uint8_t *from, size_t n)
{
	uint8_t all[KD_SPECIAL];

	if (at != 2)
		return false;
	special_get(k, cpu, all);
	memcpy(all, from, least(n, sizeof all));
	return special_set(k, cpu, all) == 0;
}

static bool write_i386(struct target *k, unsigned cpu, uint64_t at, const uint8_t *from, size_t n)
{
	uint8_t all[KD_CONTEXT];
	size_t context = context_size(k), size = context + special_size(k);

	if (at > size || n > size - at)
		return false;
	context_get(k, cpu, all);
	special_get(k, cpu, all + context);
	memcpy(all + at, from, n);
	return (at >= context || context_set(k, cpu, all) == 0) && (at + n <= context || special_set(k, cpu, all + context) == 0);
}

static uint32_t write_control_space(struct target *k, struct packet *p)
{
	uint64_t at = get64(p->body + 16);
	size_t n = data_n(p);
	bool good = cpu_of(p) < k->setup.processors && (wide(k) ? write_amd64 : write_i386)(k, cpu_of(p), at, data_of(p), n);

	put(p->body + 28, 4, good ? n : 0);
	p->n = KD_HEADER;
	return good ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

/* --- machine-specific registers */

static uint64_t *base_of(struct guest_regs *r, uint32_t msr)
{
	return msr == 0xc0000100 ? &r->fs_base : msr == 0xc0000101 ? &r->gs_base : NULL;
}

static uint32_t read_msr(struct target *k, struct packet *p)
{
	uint32_t msr = get32(p->body + 16);
	struct guest_regs r;
	uint64_t value = EFER, *base = base_of(&r, msr);

	p->n = KD_HEADER;
	if (cpu_of(p) >= k->setup.processors || (!base && msr != 0xc0000080 && msr != 0xc0000102) || guest_regs(k->guest, cpu_of(p), &r) < 0)
		return KD_UNSUCCESSFUL;
	if (base || msr == 0xc0000102)
		value = base ? *base : get64(k->cpu[cpu_of(p)].special + 0xb0);
	put(p->body + 20, 4, value);
	put(p->body + 24, 4, value >> 32);
	return KD_SUCCESS;
}

static uint32_t write_msr(struct target *k, struct packet *p)
{
	uint64_t value = get32(p->body + 20) | (uint64_t)get32(p->body + 24) << 32;
	struct guest_regs r;
	uint64_t *base = base_of(&r, get32(p->body + 16));

	p->n = KD_HEADER;
	if (cpu_of(p) >= k->setup.processors || !base || guest_regs(k->guest, cpu_of(p), &r) < 0)
		return KD_UNSUCCESSFUL;
	*base = value;
	return guest_set_regs(k->guest, cpu_of(p), &r) == 0 ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

/* --- breakpoints */

static uint32_t write_breakpoint(struct target *k, struct packet *p)
{
	unsigned handle = break_add(k, addr_in(k, get64(p->body + 16)));

	put(p->body + 24, 4, handle);
	p->n = KD_HEADER;
	return handle ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

static uint32_t restore_breakpoint(struct target *k, struct packet *p)
{
	p->n = KD_HEADER;
	return break_remove(k, get32(p->body + 16)) ? KD_SUCCESS : KD_UNSUCCESSFUL;
}

/* --- what machine it is */

/* On i386 the image gives the block its base without a sign. */
static void sign_block(struct target *k, uint64_t base)
{
	uint64_t block = guest_symbol(k->guest, "KdDebuggerDataBlock");
	uint8_t value[8];

	put(value, sizeof value, is(k, QUIRK_KDBG_ZERO_EXTENDED) ? base : addr_out(k, base));
	if (block && guest_write(k->guest, block + 0x18, value, sizeof value) != sizeof value)
		note(k, "the KDBG block cannot be written");
}

static uint32_t get_version(struct target *k, struct packet *p)
{
	static const uint8_t rest[] = { 0x0c, 0x03, 0x31, 0, 0, 0 };
	uint64_t base = guest_image(k->guest, false, NULL);
	bool boot = is(k, QUIRK_BOOT_DEBUGGER);
	uint8_t *b = p->body;

	sign_block(k, base);
	put(b + 16, 2, boot ? 0x040f : k->profile->major);
	put(b + 18, 2, k->profile->minor);
	put(b + 20, 2, 0x0206); /* protocol 6, secondary version 2 */
	put(b + 22, 2, boot ? 2 : k->profile->flags | (k->setup.processors > 1 ? 1 : 0) | (wide(k) ? 4 : 0));
	put(b + 24, 2, wide(k) ? MACHINE_AMD64 : MACHINE_I386);
	memcpy(b + 26, rest, sizeof rest);
	put(b + 32, 8, addr_out(k, base));
	put(b + 40, 8, addr_out(k, guest_symbol(k->guest, "PsLoadedModuleList")));
	put(b + 48, 8, boot ? 0 : addr_out(k, guest_symbol(k->guest, "KdpDebuggerDataListHead")));
	p->n = KD_HEADER;
	return KD_SUCCESS;
}

/* --- going on */

static enum outcome continued(const struct packet *p)
{
	return get32(p->body + 16) & 0x80000000u ? OUTCOME_NOT_HANDLED : OUTCOME_HANDLED;
}

static void trace(struct target *k, uint32_t flag)
{
	bool leak = is(k, QUIRK_TF_LEAKS) && k->stepped;

	k->stepped = false;
	if (context_flags(k, k->serving, flag || leak ? 0 : KD_TF, flag ? KD_TF : 0) < 0)
		note(k, "no trace flag");
}

static void load_dr7(struct target *k, uint64_t dr7)
{
	for (unsigned n = 0; n < k->setup.processors; n++) {
		if (n != k->serving && !is(k, QUIRK_DR7_EVERYWHERE))
			continue;
		if (is(k, QUIRK_DR7_EVERYWHERE))
			k->cpu[n].dr6 = 0;
		if (context_dr7(k, n, dr7) < 0)
			note(k, "processor %u does not take Dr7", n);
	}
}

static uint32_t continue2(struct target *k, struct packet *p)
{
	if (continued(p) == OUTCOME_NOT_HANDLED)
		return KD_SUCCESS; /* the control set is ignored */
	trace(k, get32(p->body + 20));
	load_dr7(k, wide(k) ? get64(p->body + 24) : get32(p->body + 24));
	return KD_SUCCESS;
}

static uint32_t switch_processor(struct target *k, struct packet *p)
{
	k->switch_to = cpu_of(p);
	return KD_SUCCESS;
}

static uint32_t nothing(struct target *k, struct packet *p)
{
	(void)k;
	(void)p;
	return KD_SUCCESS;
}

static uint32_t refuse(struct target *k, struct packet *p)
{
	static const char words[] = "kdtarget: unhandled API\n";

	if (is(k, QUIRK_PRINTS_FIRST))
		io_print(k, k->serving, words, sizeof words - 1);
	p->n = is(k, QUIRK_SHORT_REFUSALS) ? 16 : KD_HEADER;
	return KD_UNSUCCESSFUL;
}

static const struct api apis[] = {
	[0x3130 - API_FIRST] = { "ReadVirtualMemory", read_virtual, OUTCOME_NONE },
	[0x3131 - API_FIRST] = { "WriteVirtualMemory", write_virtual, OUTCOME_NONE },
	[0x3132 - API_FIRST] = { "GetContext", get_context, OUTCOME_NONE },
	[0x3133 - API_FIRST] = { "SetContext", set_context, OUTCOME_NONE },
	[0x3134 - API_FIRST] = { "WriteBreakPoint", write_breakpoint, OUTCOME_NONE },
	[0x3135 - API_FIRST] = { "RestoreBreakPoint", restore_breakpoint, OUTCOME_NONE },
	[0x3136 - API_FIRST] = { "Continue", nothing, OUTCOME_HANDLED },
	[0x3137 - API_FIRST] = { "ReadControlSpace", read_control_space, OUTCOME_NONE },
	[0x3138 - API_FIRST] = { "WriteControlSpace", write_control_space, OUTCOME_NONE },
	[0x313b - API_FIRST] = { "Reboot", nothing, OUTCOME_REBOOT },
	[0x313c - API_FIRST] = { "Continue2", continue2, OUTCOME_HANDLED },
	[0x313d - API_FIRST] = { "ReadPhysicalMemory", read_physical, OUTCOME_NONE },
	[0x313e - API_FIRST] = { "WritePhysicalMemory", write_physical, OUTCOME_NONE },
	[0x3146 - API_FIRST] = { "GetVersion", get_version, OUTCOME_NONE },
	[0x3149 - API_FIRST] = { "CauseBugCheck", nothing, OUTCOME_CRASH },
	[0x3150 - API_FIRST] = { "SwitchProcessor", switch_processor, OUTCOME_SWITCH },
	[0x3152 - API_FIRST] = { "ReadMsr", read_msr, OUTCOME_NONE },
	[0x3153 - API_FIRST] = { "WriteMsr", write_msr, OUTCOME_NONE },
	[0x315c - API_FIRST] = { "QueryMemory", query_memory, OUTCOME_NONE },
	[0x315f - API_FIRST] = { "GetContextEx", get_context_ex, OUTCOME_NONE },
	[0x3160 - API_FIRST] = { "SetContextEx", set_context_ex, OUTCOME_NONE },
};

static const struct api *find(struct target *k, uint32_t number)
{
	static const struct api unknown = { "unknown", refuse, OUTCOME_NONE };
	size_t at = number - API_FIRST;

	if (at < sizeof k->asked / sizeof *k->asked)
		k->asked[at]++;
	return at < sizeof apis / sizeof *apis && apis[at].serve ? &apis[at] : &unknown;
}

static enum outcome answer(struct target *k, struct packet *p, uint32_t status)
{
	static unsigned long answers;
	static const char words[] = "kdtarget: a word between\n";

	put(p->body + 8, 4, status);
	if (is(k, QUIRK_PRINTS_BETWEEN) && ++answers % 5 == 0)
		io_print(k, k->serving, words, sizeof words - 1);
	return line_send(k, KD_MANIPULATE, p->body, p->n) == LINE_OVER ? OUTCOME_OVER : OUTCOME_NONE;
}

enum outcome request_serve(struct target *k, struct packet *p)
{
	const struct api *api = find(k, get32(p->body));
	uint32_t status = api->serve(k, p);

	note(k, "%s: %08x", api->name, (unsigned)status);
	if (api->outcome == OUTCOME_HANDLED)
		return continued(p);
	return api->outcome != OUTCOME_NONE ? api->outcome : answer(k, p, status);
}
