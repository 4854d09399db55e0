/* guest_trap.c - signals as Windows' exceptions. */
#include "tests/sim/kdtarget/guest_inner.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>

enum { INSTRUCTION = 15 };
enum { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE = 8 };

static const uint8_t int3[] = { 0xcc }, service[] = { 0xcd, 0x2d };

static void fill(struct trap *t, uint32_t code)
{
	t->event.what = GUEST_EXCEPTION;
	t->event.code = code;
}

/* --- which way an access went: Linux does not tell, so the instruction is looked at */

/* 0x66, segments, lock, rep; REX where there is one. */
static bool is_prefix(uint8_t b, bool wide)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };

	return memchr(prefixes, b, sizeof prefixes) || (wide && (b & 0xf0) == 0x40);
}

struct store {
	uint8_t from, to;
	uint8_t kinds; /* a bit for each value of the ModRM byte's middle that writes */
};

static const struct store stores[] = {
	{ 0x00, 0x01, 0xff }, { 0x08, 0x09, 0xff }, { 0x10, 0x11, 0xff }, { 0x18, 0x19, 0xff }, { 0x20, 0x21, 0xff },
	{ 0x28, 0x29, 0xff }, { 0x30, 0x31, 0xff }, { 0x50, 0x57, 0xff }, { 0x68, 0x68, 0xff }, { 0x6a, 0x6a, 0xff },
	{ 0x80, 0x83, 0x7f }, { 0x86, 0x89, 0xff }, { 0xa2, 0xa3, 0xff }, { 0xaa, 0xab, 0xff }, { 0xc0, 0xc1, 0xff },
	{ 0xc6, 0xc7, 0xff }, { 0xd0, 0xd3, 0xff }, { 0xe8, 0xe8, 0xff }, { 0xf6, 0xf7, 0x0c }, { 0xfe, 0xff, 0x03 },
};
static const struct store stores_0f[] = {
	{ 0x11, 0x11, 0xff }, { 0x13, 0x13, 0xff }, { 0x17, 0x17, 0xff }, { 0x29, 0x29, 0xff }, { 0x2b, 0x2b, 0xff }, { 0x7e, 0x7f, 0xff },
	{ 0x90, 0x9f, 0xff }, { 0xb0, 0xb1, 0xff }, { 0xc0, 0xc1, 0xff }, { 0xc7, 0xc7, 0xff }, { 0xd6, 0xd6, 0xff }, { 0xe7, 0xe7, 0xff },
};

static bool is_store(const struct store *table, size_t n, const uint8_t *opcode)
{
	for (size_t i = 0; i < n; i++)
		if (opcode[0] >= table[i].from && opcode[0] <= table[i].to)
			return table[i].kinds >> (opcode[1] >> 3 & 7) & 1;
	return false;
}

static bool writes(const uint8_t *code, size_t n, bool wide)
{
	size_t i = 0;

	while (i + 2 < n && is_prefix(code[i], wide))
		i++;
	if (i + 2 >= n)
		return false;
	if (code[i] == 0x0f)
		return is_store(stores_0f, sizeof stores_0f / sizeof *stores_0f, code + i + 1);
	return is_store(stores, sizeof stores / sizeof *stores, code + i);
}

static uint64_t access_of(struct guest *g, uint64_t pc, uint64_t addr)
{
	uint8_t code[INSTRUCTION] = { 0 };
	size_t n = guest_read(g, pc, code, sizeof code);

	if (addr >= pc + n && addr < pc + INSTRUCTION)
		return ACCESS_EXECUTE;
	return writes(code, n, g->arch == GUEST_AMD64) ? ACCESS_WRITE : ACCESS_READ;
}

/* --- a signal each */

/* An int3 says SI_KERNEL, the debug exception what it was: both leave PC behind. */
static void read_trap(struct guest *g, struct trap *t, const siginfo_t *si)
{
	(void)g;
	if (si->si_code != SI_KERNEL) {
		fill(t, 0x80000004);
		return;
	}
	fill(t, 0x80000003);
	t->kept = t->told - sizeof int3;
	memcpy(t->opcode, int3, t->n = sizeof int3);
}

/* in, out, hlt, cli, sti */
static bool is_privileged(uint8_t opcode)
{
	static const uint8_t privileged[] = { 0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0xf4, 0xfa, 0xfb };

	return memchr(privileged, opcode, sizeof privileged);
}

/* What is no page fault has no address: Windows then says "read of all ones". */
static void read_protection(struct guest *g, struct trap *t)
{
	uint8_t code[2] = { 0 };

	guest_read(g, t->told, code, sizeof code);
	if (!memcmp(code, service, sizeof service)) {
		t->event.what = GUEST_SERVICE;
		t->told += sizeof service;
		memcpy(t->opcode, service, t->n = sizeof service);
		return;
	}
	fill(t, is_privileged(code[0]) ? 0xc0000096 : 0xc0000005);
	t->event.params = is_privileged(code[0]) ? 0 : 2;
	t->event.info[1] = UINT64_MAX;
}

static void read_segv(struct guest *g, struct trap *t, const siginfo_t *si)
{
	if (si->si_code == SI_KERNEL) {
		read_protection(g, t);
		return;
	}
	fill(t, 0xc0000005);
	t->event.params = 2;
	t->event.info[1] = (uintptr_t)si->si_addr;
	t->event.info[0] = access_of(g, t->told, t->event.info[1]);
}

static void read_ill(struct guest *g, struct trap *t, const siginfo_t *si)
{
	(void)g, (void)si;
	fill(t, 0xc000001d);
}

static void read_fpe(struct guest *g, struct trap *t, const siginfo_t *si)
{
	(void)g;
	fill(t, si->si_code == FPE_INTDIV ? 0xc0000094 : 0xc000008e);
}

static void read_bus(struct guest *g, struct trap *t, const siginfo_t *si)
{
	(void)g;
	fill(t, 0x80000002);
	t->event.info[1] = (uintptr_t)si->si_addr;
}

static const struct {
	int sig;
	void (*read)(struct guest *g, struct trap *t, const siginfo_t *si);
} signals[] = {
	{ SIGTRAP, read_trap }, { SIGSEGV, read_segv }, { SIGILL, read_ill }, { SIGFPE, read_fpe }, { SIGBUS, read_bus }, { SIGSYS, read_ill },
};

bool trap_read(struct guest *g, unsigned cpu, int sig)
{
	struct cpu *c = &g->cpu[cpu];
	struct user_regs_struct u;
	siginfo_t si;
	size_t i = 0;

	while (i < sizeof signals / sizeof *signals && signals[i].sig != sig)
		i++;
	if (i == sizeof signals / sizeof *signals || ptrace(PTRACE_GETSIGINFO, c->tid, NULL, &si) < 0 || si.si_code <= 0 || cpu_user(c, &u))
		return false;
	c->trap = (struct trap){ .pending = true, .order = ++g->traps, .kept = u.rip, .told = u.rip, .event.cpu = cpu };
	signals[i].read(g, &c->trap, &si);
	u.rip = c->trap.kept;
	return cpu_set_user(c, &u) == 0;
}

bool trap_holds(struct guest *g, unsigned cpu)
{
	struct trap *t = &g->cpu[cpu].trap;
	struct user_regs_struct u;
	uint8_t now[sizeof t->opcode];

	t->pending = t->pending && cpu_user(&g->cpu[cpu], &u) == 0 && u.rip == t->kept && guest_read(g, t->kept, now, t->n) == t->n &&
	             !memcmp(now, t->opcode, t->n);
	return t->pending;
}

int trap_tell(struct guest *g, unsigned cpu, struct guest_event *event)
{
	struct cpu *c = &g->cpu[cpu];
	struct user_regs_struct u;
	int rc = cpu_user(c, &u);

	*event = c->trap.event;
	c->trap.pending = false;
	u.rip = c->trap.told;
	return rc ? rc : cpu_set_user(c, &u);
}
