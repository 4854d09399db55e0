/* guest_regs.c - registers of a processor that stands. */
#include "tests/sim/kdtarget/guest_inner.h"

#include <asm/ldt.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

/* Linux's selectors for programs, and the first of the three descriptors a thread has to itself. */
enum { CODE64 = 0x33, CODE32 = 0x23, DATA = 0x2b, OWN_ENTRY = 12, OWN = OWN_ENTRY << 3 | 3 };
enum { EFLAGS_FIRST = 0x202, DR6 = 6, DR7 = 7 };
#define MASK32 UINT64_C(0xffffffff)

_Static_assert(sizeof(struct user_fpregs_struct) == GUEST_FX, "FXSAVE");

static int rc_of(long result)
{
	return result < 0 ? -errno : 0;
}

static unsigned long dr_at(unsigned n)
{
	return offsetof(struct user, u_debugreg) + n * sizeof(((struct user *)0)->u_debugreg[0]);
}

int cpu_user(const struct cpu *c, struct user_regs_struct *regs)
{
	return rc_of(ptrace(PTRACE_GETREGS, c->tid, NULL, regs));
}

int cpu_set_user(const struct cpu *c, const struct user_regs_struct *regs)
{
	return rc_of(ptrace(PTRACE_SETREGS, c->tid, NULL, regs));
}

static int may(const struct guest *g, unsigned cpu)
{
	if (g->gone)
		return -ESRCH;
	if (cpu >= g->processors)
		return -EINVAL;
	return g->cpu[cpu].runs ? -EBUSY : 0;
}

struct pair {
	uint16_t ours, theirs; /* 64 bits each, in struct guest_regs and Linux' */
};

#define PAIR(ours, theirs) { offsetof(struct guest_regs, ours), offsetof(struct user_regs_struct, theirs) }
#define SAME(name) PAIR(name, name)

static const struct pair general[] = {
	SAME(rax),       SAME(rbx),       SAME(rcx),       SAME(rdx),       SAME(rsi),       SAME(rdi),
	SAME(rbp),       SAME(rsp),       SAME(rip),       PAIR(r[0], r8),  PAIR(r[1], r9),  PAIR(r[2], r10),
	PAIR(r[3], r11), PAIR(r[4], r12), PAIR(r[5], r13), PAIR(r[6], r14), PAIR(r[7], r15), SAME(eflags),
};
static const struct pair bases[] = { SAME(fs_base), SAME(gs_base) };

static void copy_in(struct guest_regs *to, const struct user_regs_struct *u, const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		memcpy((char *)to + pairs[i].ours, (const char *)u + pairs[i].theirs, sizeof(uint64_t));
}

static void copy_out(struct user_regs_struct *u, const struct guest_regs *from, const struct pair *pairs, size_t n, uint64_t mask)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v;

		memcpy(&v, (const char *)from + pairs[i].ours, sizeof v);
		v &= mask;
		memcpy((char *)u + pairs[i].theirs, &v, sizeof v);
	}
}

static void from_user(struct guest_regs *to, const struct user_regs_struct *u)
{
	copy_in(to, u, general, sizeof general / sizeof *general);
	copy_in(to, u, bases, sizeof bases / sizeof *bases);
	to->cs = (uint16_t)u->cs, to->ds = (uint16_t)u->ds, to->es = (uint16_t)u->es;
	to->fs = (uint16_t)u->fs, to->gs = (uint16_t)u->gs, to->ss = (uint16_t)u->ss;
}

/* Selectors stay: this machine has no others. So do i386's bases, which belong to selectors. */
static void to_user(struct user_regs_struct *u, const struct guest_regs *from, uint64_t mask)
{
	copy_out(u, from, general, sizeof general / sizeof *general, mask);
	if (mask != MASK32)
		copy_out(u, from, bases, sizeof bases / sizeof *bases, mask);
}

/* --- debug registers */

static int dr_poke(struct cpu *c, unsigned n, uint64_t v)
{
	int rc = rc_of(ptrace(PTRACE_POKEUSER, c->tid, dr_at(n), v));

	if (!rc)
		c->dr[n] = v;
	return rc;
}

static void dr_read(struct cpu *c, uint64_t dr[8])
{
	errno = 0;
	c->dr[DR6] = (uint64_t)ptrace(PTRACE_PEEKUSER, c->tid, dr_at(DR6), NULL);
	memcpy(dr, c->dr, sizeof c->dr);
}

/* What is switched on is checked when DR7 is written, so the addresses go first. */
static int dr_write(struct cpu *c, const uint64_t dr[8], uint64_t mask)
{
	static const uint8_t order[] = { 0, 1, 2, 3, DR6, DR7 };
	int rc = 0;

	if (memcmp(dr, c->dr, 4 * sizeof *dr) && c->dr[DR7])
		rc = dr_poke(c, DR7, 0);
	for (unsigned i = 0; !rc && i < sizeof order; i++)
		if ((dr[order[i]] & mask) != c->dr[order[i]])
			rc = dr_poke(c, order[i], dr[order[i]] & mask);
	return rc;
}

/* --- all of it */

int guest_regs(struct guest *g, unsigned cpu, struct guest_regs *regs)
{
	struct user_regs_struct u;
	int rc = may(g, cpu);

	if (!rc)
		rc = cpu_user(&g->cpu[cpu], &u);
	if (rc)
		return rc;
	from_user(regs, &u);
	dr_read(&g->cpu[cpu], regs->dr);
	return rc_of(ptrace(PTRACE_GETFPREGS, g->cpu[cpu].tid, NULL, regs->fx));
}

static int fx_write(const struct cpu *c, const uint8_t *fx)
{
	uint8_t had[GUEST_FX];

	if (ptrace(PTRACE_GETFPREGS, c->tid, NULL, had) == 0 && !memcmp(had, fx, sizeof had))
		return 0;
	return rc_of(ptrace(PTRACE_SETFPREGS, c->tid, NULL, fx));
}

int guest_set_regs(struct guest *g, unsigned cpu, const struct guest_regs *regs)
{
	uint64_t mask = g->arch == GUEST_I386 ? MASK32 : UINT64_MAX;
	struct user_regs_struct u;
	int rc = may(g, cpu);

	if (!rc)
		rc = cpu_user(&g->cpu[cpu], &u);
	if (!rc)
		rc = dr_write(&g->cpu[cpu], regs->dr, mask);
	if (!rc)
		rc = fx_write(&g->cpu[cpu], regs->fx);
	if (rc)
		return rc;
	to_user(&u, regs, mask);
	return cpu_set_user(&g->cpu[cpu], &u);
}

/* --- the beginning */

static int own_segment(const struct cpu *c, uint64_t base)
{
	struct user_desc d = { .entry_number = OWN_ENTRY, .base_addr = (unsigned)base, .limit = 0xfffff };

	d.seg_32bit = d.limit_in_pages = d.useable = 1;
	return rc_of(ptrace(PTRACE_SET_THREAD_AREA, c->tid, OWN_ENTRY, &d));
}

static int first_i386(struct guest *g, struct user_regs_struct *u, unsigned cpu, uint64_t pcr)
{
	uint32_t number = cpu;

	u->rsp -= sizeof number;
	if (child_write(g, u->rsp + sizeof number, &number, sizeof number))
		return -EFAULT;
	u->cs = CODE32;
	u->fs = OWN;
	u->fs_base = pcr;
	return own_segment(&g->cpu[cpu], pcr);
}

static int first_amd64(struct guest *g, struct user_regs_struct *u, unsigned cpu, uint64_t pcr)
{
	(void)g;
	u->rcx = cpu;
	u->cs = CODE64;
	u->gs_base = pcr;
	return 0;
}

/* Both find a return address of 0 and their processor's number. amd64's is one word off a multiple of 16, as behind a call. */
int cpu_first_regs(struct guest *g, unsigned cpu, uint64_t stack)
{
	size_t n = g->arch == GUEST_I386 ? 4 : 8;
	struct user_regs_struct u = { .rip = pe_entry(&g->kernel), .rsp = stack - 0x28, .eflags = EFLAGS_FIRST };
	uint64_t table = guest_symbol(g, "KiPcrTable"), pcr = 0;
	int rc;

	if (!table || guest_read(g, table + cpu * n, &pcr, n) != n)
		return -ENOENT;
	u.ss = u.ds = u.es = DATA;
	u.orig_rax = UINT64_MAX;
	rc = (g->arch == GUEST_I386 ? first_i386 : first_amd64)(g, &u, cpu, pcr);
	return rc ? rc : cpu_set_user(&g->cpu[cpu], &u);
}
