/* context_test.c - registers in and out of CONTEXT and the special registers: each at its place and nowhere else. */
#include "backends/kd/context.h"
#include "tests/backends/kd/regs.h"

#include "base/hex.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static struct kd_regs regs;

/* Every byte says where it is, everything was read and captured. */
static void pattern(enum kd_machine machine)
{
	const struct kd_layout *l = kd_layout(machine);
	size_t flags_at = machine == KD_AMD64 ? 0x30 : 0;

	memset(&regs, 0, sizeof regs);
	regs.machine = machine;
	regs.context_n = l->context_n;
	regs.special_n = l->special_n;
	regs.msr_known = (1U << KD_MSRS) - 1;
	for (size_t i = 0; i < sizeof regs.context; i++)
		regs.context[i] = (uint8_t)(i * 7 + i / 256 + 3);
	for (size_t i = 0; i < sizeof regs.special; i++)
		regs.special[i] = (uint8_t)(i * 5 + 1);
	for (size_t i = 0; i < KD_MSRS; i++)
		regs.msr[i] = 0x1122334455667700 + i;
	for (size_t i = 0; i < 4; i++)
		regs.context[flags_at + i] = (uint8_t)(l->context_flags >> 8 * i);
}

static uint64_t number(const char *name)
{
	uint8_t out[KD_REG_MAX];
	int n = kd_reg_get(&regs, (unsigned)num_of(regs.machine, name), out);
	struct cursor c = cursor_of((struct span){ out, n < 0 || n > 8 ? 0 : (size_t)n });

	if (n < 0 || n > 8)
		fail_msg("%s: %d", name, n);
	return cursor_le(&c, (size_t)n);
}

static int set(const char *name, uint64_t v)
{
	uint8_t val[8];
	unsigned num = (unsigned)num_of(regs.machine, name);

	for (size_t i = 0; i < sizeof val; i++)
		val[i] = (uint8_t)(v >> 8 * i);
	return kd_reg_put(&regs, num, val, kd_reg(regs.machine, num)->bits / 8);
}

/* ---- each register at its place ---- */

static void bytes_of(const struct run *run, unsigned at, uint8_t *to)
{
	if (run->source != KD_NEEDS_MSR)
		memcpy(to, (run->source == KD_NEEDS_CONTEXT ? regs.context : regs.special) + at, run->width);
	for (unsigned i = 0; run->source == KD_NEEDS_MSR && i < 8; i++)
		to[i] = (uint8_t)(regs.msr[at] >> 8 * i);
}

static void is_at(const struct run *run, unsigned at, const char *name)
{
	uint8_t want[KD_REG_MAX] = { 0 }, out[KD_REG_MAX];
	int num = num_of(run->machine, name), n = num < 0 ? -1 : kd_reg_get(&regs, (unsigned)num, out);

	bytes_of(run, at, want);
	if (n < (int)run->width || memcmp(out, want, (size_t)n) || n != (int)kd_reg(run->machine, (unsigned)num)->bits / 8)
		fail_msg("%s of machine %d, number %d: %d", name, run->machine, num, n);
	assert_int_equal(kd_reg_needs(run->machine, (unsigned)num), run->source);
}

/* Every name of a run, with its place. */
static unsigned each(const struct run *run, void (*fn)(const struct run *run, unsigned at, const char *name))
{
	char names[256], *rest = names, *name;
	unsigned n = 0;

	snprintf(names, sizeof names, "%s", run->names);
	for (; (name = strtok_r(rest, " ", &rest)); n++)
		fn(run, run->at + n * run->step, name);
	return n;
}

static void each_register(void (*fn)(const struct run *run, unsigned at, const char *name))
{
	unsigned seen[KD_MACHINES] = { 0 };

	for (const struct run *run = runs; run < runs + RUNS; run++) {
		pattern(run->machine);
		seen[run->machine] += each(run, fn);
	}
	assert_int_equal(seen[KD_AMD64] + 4, kd_reg_count(KD_AMD64)); /* ftag fop gs_base k_gs_base: below */
	assert_int_equal(seen[KD_I386] + 1, kd_reg_count(KD_I386));   /* fop */
	assert_int_equal(seen[KD_ARM64], kd_reg_count(KD_ARM64));
}

static void places(void **state)
{
	(void)state;
	each_register(is_at);
}

/* ---- put ---- */

static bool within(size_t i, unsigned at, unsigned width)
{
	return i >= at && i < at + width;
}

/* Only its own bytes, and where CONTEXT keeps them twice those. */
static void only_there(const struct run *run, unsigned at, const struct kd_reg *reg, const struct kd_regs *before)
{
	for (size_t i = 0; i < sizeof regs.context; i++)
		if (regs.context[i] != before->context[i])
			assert_true(run->source == KD_NEEDS_CONTEXT && (within(i, at, run->width) || within(i, reg->also, run->width)));
	for (size_t i = 0; i < sizeof regs.special; i++)
		if (regs.special[i] != before->special[i])
			assert_true(run->source == KD_NEEDS_SPECIAL && within(i, at, run->width));
	for (size_t i = 0; i < KD_MSRS; i++)
		if (regs.msr[i] != before->msr[i])
			assert_true(run->source == KD_NEEDS_MSR && i == at && regs.msr_dirty == 1U << i);
}

static void stays_fixed(unsigned num, const uint8_t *val, size_t n)
{
	struct kd_regs before = regs;

	assert_int_equal(kd_reg_put(&regs, num, val, n), -EPERM);
	assert_memory_equal(&regs, &before, sizeof regs);
}

static void changes(const struct run *run, unsigned at, unsigned num, const uint8_t *val, size_t n)
{
	struct kd_regs before = regs;
	uint8_t got[KD_REG_MAX];

	assert_int_equal(kd_reg_put(&regs, num, val, n), 0);
	assert_int_equal(kd_reg_get(&regs, num, got), n);
	assert_memory_equal(got, val, n);
	assert_int_equal(regs.dirty, run->source);
	only_there(run, at, kd_reg(run->machine, num), &before);
}

static void goes_round(const struct run *run, unsigned at, const char *name)
{
	unsigned num = (unsigned)num_of(run->machine, name);
	uint8_t val[KD_REG_MAX];
	int n = kd_reg_get(&regs, num, val);

	assert_true(n > 0);
	regs.dirty = regs.msr_dirty = 0;
	assert_int_equal(kd_reg_put(&regs, num, val, (size_t)n), 0);
	assert_int_equal(regs.dirty, 0);
	assert_int_equal(kd_reg_put(&regs, num, val, (size_t)n - 1), kd_reg(run->machine, num)->fixed ? -EPERM : -EINVAL);
	for (unsigned i = 0; i < run->width; i++)
		val[i] ^= 0xff;
	if (kd_reg(run->machine, num)->fixed)
		stays_fixed(num, val, (size_t)n);
	else
		changes(run, at, num, val, (size_t)n);
}

static void round_trips(void **state)
{
	(void)state;
	each_register(goes_round);
}

static void twice_in_context(void **state)
{
	(void)state;
	pattern(KD_AMD64);
	assert_int_equal(set("mxcsr", 0x1f80), 0);
	assert_memory_equal(regs.context + 0x34, "\x80\x1f\0\0", 4);
	assert_memory_equal(regs.context + 0x118, "\x80\x1f\0\0", 4);
	pattern(KD_I386);
	assert_int_equal(set("fctrl", 0x27f), 0);
	assert_memory_equal(regs.context + 0xcc, "\x7f\x02", 2);
	assert_int_equal(set("fooff", 0x12345678), 0);
	assert_memory_equal(regs.context + 0xdc, "\x78\x56\x34\x12", 4);
}

static void narrow(void **state)
{
	(void)state;
	pattern(KD_AMD64);
	assert_int_equal(set("cs", 0x10010), -EINVAL);
	assert_int_equal(set("fop", 0x800), -EINVAL);
	assert_int_equal(set("ftag", 0x10000), -EINVAL);
	assert_int_equal(regs.dirty, 0);
	assert_int_equal(set("cs", 0x10), 0);
	assert_int_equal(number("cs"), 0x10);
}

/* ---- what is not as it looks ---- */

static void opcode(void **state)
{
	(void)state;
	pattern(KD_AMD64);
	memcpy(regs.context + 0x106, "\xff\xff", 2);
	assert_int_equal(number("fop"), 0x7ff);
	assert_int_equal(set("fop", 0x123), 0);
	assert_int_equal(number("fop"), 0x123);
	pattern(KD_I386);
	memcpy(regs.context + 0x2e, "\xdb\xfa", 2);
	assert_int_equal(number("fop"), 0x2db);
}

/* TOP is 6: ST0 is register 6, ST1 is 7, ST2 is 0, ST3 is 1. Tags are of registers; 3 empty, 2 special, 1 zero, 0 valid. */
static void tags(void **state)
{
	static const uint8_t pi[10] = { 0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40 };
	static const uint8_t infinity[10] = { [7] = 0x80, [8] = 0xff, [9] = 0x7f }, denormal[10] = { 1 };

	(void)state;
	pattern(KD_AMD64);
	memcpy(regs.context + 0x102, "\x00\x30", 2);
	regs.context[0x104] = 0xc3;
	memcpy(regs.context + 0x120, pi, 10);
	memset(regs.context + 0x130, 0, 10);
	memcpy(regs.context + 0x140, infinity, 10);
	memcpy(regs.context + 0x150, denormal, 10);
	assert_int_equal(number("ftag"), 0x4ffa);
	assert_int_equal(set("ftag", 0xfffc), 0);
	assert_int_equal(regs.context[0x104], 0x01);
	assert_int_equal(regs.dirty, KD_NEEDS_CONTEXT);
}

static void bases_swap(void **state)
{
	(void)state;
	pattern(KD_AMD64);
	memcpy(regs.special + 0xa8, "\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", 16);
	assert_int_equal(set("cs", 0x10), 0);
	assert_int_equal(number("gs_base"), 1);
	assert_int_equal(number("k_gs_base"), 2);
	assert_false(kd_regs_user(&regs));
	assert_int_equal(set("cs", 0x33), 0);
	assert_int_equal(number("gs_base"), 2);
	assert_int_equal(number("k_gs_base"), 1);
	assert_true(kd_regs_user(&regs));
	assert_int_equal(set("gs_base", 5), 0);
	assert_int_equal(regs.special[0xb0], 5);
	assert_int_equal(kd_reg_needs(KD_AMD64, (unsigned)num_of(KD_AMD64, "gs_base")), KD_NEEDS_CONTEXT | KD_NEEDS_SPECIAL);
	regs.context_n = 0;
	assert_int_equal(set("gs_base", 6), -ENODATA);
}

/* ---- what is not there ---- */

static void cut_at(const struct run *run, unsigned at, const char *name)
{
	size_t *n = run->source == KD_NEEDS_CONTEXT ? &regs.context_n : &regs.special_n, whole = *n;
	unsigned num = (unsigned)num_of(run->machine, name), end = at + run->width;
	uint8_t out[KD_REG_MAX];

	regs.msr_known = run->source == KD_NEEDS_MSR ? ~(1U << at) : regs.msr_known;
	for (*n = 0; *n <= whole && run->source != KD_NEEDS_MSR; ++*n)
		assert_int_equal(kd_reg_get(&regs, num, out) > 0, *n >= end);
	*n = whole;
	if (run->source == KD_NEEDS_MSR)
		assert_int_equal(kd_reg_get(&regs, num, out), -ENODATA);
	regs.msr_known = (1U << KD_MSRS) - 1;
}

static void cut(void **state)
{
	(void)state;
	each_register(cut_at);
}

/* Captured without the coprocessor: the boot debugger's flags but for one. */
static void not_captured(void **state)
{
	uint8_t out[KD_REG_MAX] = { 0 };

	(void)state;
	pattern(KD_AMD64);
	regs.context[0x30] = 0x17;
	assert_int_equal(kd_reg_get(&regs, (unsigned)num_of(KD_AMD64, "st0"), out), -ENODATA);
	assert_int_equal(kd_reg_get(&regs, (unsigned)num_of(KD_AMD64, "xmm15"), out), -ENODATA);
	assert_int_equal(kd_reg_get(&regs, (unsigned)num_of(KD_AMD64, "rax"), out), 8);
	pattern(KD_I386);
	regs.context[0] = 0x1f;
	assert_int_equal(kd_reg_get(&regs, (unsigned)num_of(KD_I386, "xmm0"), out), -ENODATA);
	assert_int_equal(kd_reg_get(&regs, (unsigned)num_of(KD_I386, "st0"), out), 10);
	assert_int_equal(kd_reg_put(&regs, (unsigned)num_of(KD_I386, "xmm0"), out, 16), -ENODATA);
}

static void nothing_read(void **state)
{
	struct kd_regs none = { .machine = KD_AMD64 }, unknown = { .machine = KD_MACHINE_NONE, .context_n = KD_CONTEXT_MAX };
	uint8_t out[KD_REG_MAX] = { 0 };

	(void)state;
	assert_int_equal(kd_regs_pc(&none), 0);
	assert_int_equal(kd_regs_set_pc(&none, 1), -ENODATA);
	assert_int_equal(kd_regs_set_trap(&none, true), -ENODATA);
	assert_false(kd_regs_user(&none));
	assert_int_equal(kd_reg_get(&none, kd_reg_count(KD_AMD64), out), -ENOENT);
	assert_int_equal(kd_reg_put(&none, kd_reg_count(KD_AMD64), out, 8), -ENOENT);
	assert_int_equal(kd_reg_get(&unknown, 0, out), -ENOENT);
	assert_int_equal(kd_regs_pc(&unknown), 0);
	assert_int_equal(kd_regs_set_sp(&unknown, 1), -ENODATA);
	assert_false(kd_regs_user(&unknown));
	assert_int_equal(kd_reg_needs(KD_MACHINE_NONE, 0), 0);
}

/* ---- by what they are for ---- */

static const struct {
	enum kd_machine machine;
	uint64_t addr;
	const char *names[KD_ROLES]; /* NULL: it has none */
} roles[] = {
	{ KD_AMD64, 0xfffff80000587d12, { "rip", "rsp", "rbp", NULL, "eflags", "cs", "dr7" } },
	{ KD_I386, 0x80587d12, { "eip", "esp", "ebp", NULL, "eflags", "cs", "dr7" } },
	{ KD_ARM64, 0xfffff80000587d10, { "pc", "sp", "x29", "x30", "cpsr", "cpsr", NULL } },
};

static void by_role(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		for (unsigned role = 0; role < KD_ROLES; role++) {
			const char *name = roles[i].names[role];
			int num = kd_reg_of(roles[i].machine, (enum kd_role)role), none = name ? 0 : -ENOENT;
			uint64_t value = 0;

			pattern(roles[i].machine);
			assert_int_equal(num, name ? num_of(roles[i].machine, name) : -ENOENT);
			assert_int_equal(kd_role_get(&regs, (enum kd_role)role, &value), none);
			assert_true(value == (name ? number(name) : 0));
			regs.context_n = regs.special_n = 0;
			assert_int_equal(kd_role_get(&regs, (enum kd_role)role, &value), name ? -ENODATA : none);
		}
}

static void pc_and_sp(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		pattern(roles[i].machine);
		assert_int_equal(kd_regs_set_pc(&regs, roles[i].addr), 0);
		assert_int_equal(kd_regs_set_sp(&regs, roles[i].addr + 16), 0);
		assert_true(kd_regs_pc(&regs) == roles[i].addr && number(roles[i].names[KD_ROLE_PC]) == roles[i].addr);
		assert_true(kd_regs_sp(&regs) == roles[i].addr + 16 && number(roles[i].names[KD_ROLE_SP]) == roles[i].addr + 16);
		assert_int_equal(regs.dirty, KD_NEEDS_CONTEXT);
	}
}

static void flags(void **state)
{
	(void)state;
	pattern(KD_AMD64);
	assert_int_equal(set("eflags", 0x246), 0);
	assert_int_equal(kd_regs_set_trap(&regs, true), 0);
	assert_int_equal(number("eflags"), 0x346);
	assert_true(kd_regs_trap(&regs));
	assert_int_equal(kd_regs_set_resume(&regs, true), 0);
	assert_int_equal(number("eflags"), 0x10346);
	assert_int_equal(kd_regs_set_trap(&regs, false), 0);
	assert_int_equal(kd_regs_set_resume(&regs, false), 0);
	assert_int_equal(number("eflags"), 0x246);
	pattern(KD_ARM64);
	assert_int_equal(kd_regs_set_trap(&regs, true), 0);
	assert_int_equal(regs.dirty, 0);
	assert_false(kd_regs_trap(&regs));
}

static void levels(void **state)
{
	(void)state;
	pattern(KD_ARM64);
	assert_int_equal(set("cpsr", 0x600002c5), 0);
	assert_false(kd_regs_user(&regs));
	assert_int_equal(set("cpsr", 0x60000000), 0);
	assert_true(kd_regs_user(&regs));
	pattern(KD_I386);
	assert_int_equal(set("cs", 0x1b), 0);
	assert_true(kd_regs_user(&regs));
	assert_int_equal(set("cs", 8), 0);
	assert_false(kd_regs_user(&regs));
}

static void widths(void **state)
{
	(void)state;
	assert_int_equal(kd_machine_of(0x14c), KD_I386);
	assert_int_equal(kd_machine_of(0x8664), KD_AMD64);
	assert_int_equal(kd_machine_of(0xaa64), KD_ARM64);
	assert_int_equal(kd_machine_of(0x1c4), KD_MACHINE_NONE);
	assert_true(kd_extend(KD_I386, 0x80587d12) == 0xffffffff80587d12 && kd_extend(KD_I386, 0x7fff0000) == 0x7fff0000);
	assert_true(kd_narrow(KD_I386, 0xffffffff80587d12) == 0x80587d12);
	assert_true(kd_extend(KD_AMD64, 0x80587d12) == 0x80587d12 && kd_narrow(KD_ARM64, 0xfffff80000587d12) == 0xfffff80000587d12);
	assert_int_equal(kd_pointer_size(KD_I386), 4);
	assert_int_equal(kd_pointer_size(KD_AMD64), 8);
}

/* ---- real ones ---- */

enum { TYPE_MANIPULATE = 2, TYPE_STATE = 7, API_GET_CONTEXT = 0x3132, API_READ_CONTROL = 0x3137 };

struct seen {
	uint64_t pc;
	unsigned contexts, specials, users;
};

static uint64_t le_at(struct span s, size_t at, size_t bytes)
{
	struct cursor c = cursor_of(span_from(s, at));

	return cursor_le(&c, bytes);
}

static void real_context(struct span bytes, struct seen *seen)
{
	assert_int_equal(bytes.len, kd_layout(KD_AMD64)->context_n);
	memcpy(regs.context, bytes.p, bytes.len);
	regs.context_n = bytes.len;
	assert_true(kd_regs_pc(&regs) == seen->pc);
	assert_true(number("eflags") & 2);
	assert_int_equal(number("rsp") & 7, 0);
	assert_int_equal(kd_regs_user(&regs), !(seen->pc >> 63) && number("cs") == 0x33);
	seen->contexts++;
	seen->users += kd_regs_user(&regs);
}

/* Long mode: paging and protection are on, pages are of four levels. */
static void real_special(struct span bytes, struct seen *seen)
{
	memcpy(regs.special, bytes.p, bytes.len < KD_SPECIAL_MAX ? bytes.len : KD_SPECIAL_MAX);
	regs.special_n = bytes.len;
	assert_int_equal(number("cr0") & 0x80000001, 0x80000001);
	assert_true(number("cr4") & 0x20);
	assert_true(number("gdtr") && number("gdtl") && number("idtl"));
	seen->specials++;
}

/* A packet's payload, from the target. */
static void payload(unsigned type, struct span p, struct seen *seen)
{
	uint32_t api = (uint32_t)le_at(p, 0, 4);
	struct span rest = span_from(p, 56);

	if (type == TYPE_STATE)
		seen->pc = le_at(p, 24, 8);
	if (type != TYPE_MANIPULATE || le_at(p, 8, 4))
		return;
	if (api == API_GET_CONTEXT)
		real_context(rest, seen);
	if (api == API_READ_CONTROL && rest.len >= 0xa8 && le_at(p, 16, 8) == kd_layout(KD_AMD64)->special)
		real_special(rest, seen);
}

/* A data packet at the start: how long it is; 0: none, or a broken one. */
static size_t packet(struct span s, struct seen *seen)
{
	size_t n = (size_t)le_at(s, 6, 2), sum = 0;

	if (s.len < 16 || memcmp(s.p, "0000", 4) || n > 4000 || s.len < 16 + n)
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += s.p[16 + i];
	if (sum != le_at(s, 12, 4))
		return 0;
	payload((unsigned)le_at(s, 4, 2), (struct span){ s.p + 16, n }, seen);
	return 16 + n;
}

static void packets(struct span s, struct seen *seen)
{
	for (size_t n; s.len; s = span_from(s, n ? n : 1))
		n = packet(s, seen);
}

static bool is_there(const char *path)
{
	if (access(path, R_OK) == 0)
		return true;
	print_message("skipped: there is no %s\n", path);
	return false;
}

/* "0.123 T 0000..": what the target said, put together. */
static void take_line(char *line, struct buf *said)
{
	char *who = strchr(line, ' '), *hex = who ? strchr(who + 1, ' ') : NULL;

	if (hex && who[1] == 'T')
		assert_int_equal(hex_take(said, (struct span){ (uint8_t *)hex + 1, strcspn(hex + 1, "\n") }), 0);
}

static void on_a_line(void **state)
{
	static char path[256], command[300], line[1 << 16];
	struct seen seen = { 0 };
	struct buf said;
	FILE *f;

	snprintf(path, sizeof path, "../shared/captures/kdcom-%s.tagged.gz", (const char *)*state);
	if (!is_there(path))
		skip();
	pattern(KD_AMD64);
	assert_int_equal(buf_init(&said, 1 << 22), 0);
	snprintf(command, sizeof command, "gzip -dc %s", path);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		take_line(line, &said);
	assert_int_equal(pclose(f), 0);
	packets(buf_span(&said), &seen);
	buf_fini(&said);
	assert_true(seen.contexts > 0);
	assert_true(seen.users > 0 || strcmp(*state, "events") != 0); /* a program's own DbgBreakPoint */
}

static void datagram(const json_t *frame, struct seen *seen)
{
	const char *plain = json_string_value(json_object_get(frame, "plain")), *dir = json_string_value(json_object_get(frame, "dir"));
	struct buf b = { .base = (uint8_t[2048]){ 0 }, .cap = 2048 };

	if (!plain || strcmp(dir, "T>H"))
		return;
	assert_int_equal(hex_take(&b, span_of(plain)), 0);
	if (le_at(span_from(buf_span(&b), 8), 6, 2))
		(void)packet(span_from(buf_span(&b), 8), seen);
}

/* A boot debugger over the network. Its packets end with padding. */
static void in_datagrams(void **state)
{
	static const char path[] = "../shared/captures/kdnet_vectors.json";
	struct seen seen = { 0 };
	json_t *root, *frame;
	const char *key;

	(void)state;
	if (!is_there(path))
		skip();
	root = json_load_file(path, 0, NULL);
	assert_non_null(root);
	pattern(KD_AMD64);
	json_object_foreach (json_object_get(json_object_get(root, "A"), "frames"), key, frame)
		datagram(frame, &seen);
	json_decref(root);
	assert_true(seen.contexts >= 2 && seen.specials >= 1 && !seen.users);
}

static char shortest[] = "short", idle[] = "idle2", steps[] = "bp-step", events[] = "events", bugcheck[] = "bugcheck";

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(twice_in_context),
		cmocka_unit_test(narrow),
		cmocka_unit_test(opcode),
		cmocka_unit_test(tags),
		cmocka_unit_test(bases_swap),
		cmocka_unit_test(cut),
		cmocka_unit_test(not_captured),
		cmocka_unit_test(nothing_read),
		cmocka_unit_test(by_role),
		cmocka_unit_test(pc_and_sp),
		cmocka_unit_test(flags),
		cmocka_unit_test(levels),
		cmocka_unit_test(widths),
		{ "on a line, short", on_a_line, NULL, NULL, shortest },
		{ "on a line, idle", on_a_line, NULL, NULL, idle },
		{ "on a line, steps", on_a_line, NULL, NULL, steps },
		{ "on a line, events", on_a_line, NULL, NULL, events },
		{ "on a line, bugcheck", on_a_line, NULL, NULL, bugcheck },
		cmocka_unit_test(in_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
