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

static void from_user(struct guest_regs *to, const struct user_regs_struct *u)
{
	*to = (struct guest_regs){
		.rax = u->rax, .rbx = u->rbx, .rcx = u->rcx, .rdx = u->rdx, .rsi = u->rsi, .rdi = u->rdi, .rbp = u->rbp, .rsp = u->rsp,
		.r = {u->r8, u->r9, u->r10, u->r11, u->r12, u->r13, u->r14, u->r15},
		.rip = u->rip, .eflags = u->eflags, .fs_base = u->fs_base, .gs_base = u->gs_base,
		.cs = (uint16_t)u->cs, .ds = (uint16_t)u->ds, .es = (uint16_t)u->es, .fs = (uint16_t)u->fs, .gs = (uint16_t)u->gs, .ss = (uint16_t)u->ss,
	};
}

/* Selectors stay: this machine has no others. */
static void to_user(struct user_regs_struct *u, const struct guest_regs *from, uint64_t mask)
{
	u->rax = from->rax & mask, u->rbx = from->rbx & mask, u->rcx = from->rcx & mask, u->rdx = from->rdx & mask;
	u->rsi = from->rsi & mask, u->rdi = from->rdi & mask, u->rbp = from->rbp & mask, u->rsp = from->rsp & mask;
	u->r8 = from->r[0], u->r9 = from->r[1], u->r10 = from->r[2], u->r11 = from->r[3];
	u->r12 = from->r[4], u->r13 = from->r[5], u->r14 = from->r[6], u->r15 = from->r[7];
	u->rip = from->rip & mask, u->eflags = from->eflags;
	if (mask == MASK32)
		return;
	u->fs_base = from->fs_base, u->gs_base = from->gs_base;
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
	static const uint8_t order[] = {0, 1, 2, 3, DR6, DR7};
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
	struct user_desc d = {.entry_number = OWN_ENTRY, .base_addr = (unsigned)base, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};

	return rc_of(ptrace(PTRACE_SET_THREAD_AREA, c->tid, OWN_ENTRY, &d));
}

static int first_i386(struct guest *g, const struct cpu *c, struct user_regs_struct *u, uint64_t number)
{
	u->rsp -= 4;
	if (child_write(g, u->rsp + 4, &number, 4))
		return -EFAULT;
	u->cs = CODE32;
	u->fs = OWN;
	u->fs_base = u->gs_base;
	u->gs_base = 0;
	return own_segment(c, u->fs_base);
}

/* Both find a return address of 0 and their processor's number. amd64's is one word off a multiple of 16, as behind a call. */
int cpu_first_regs(struct guest *g, unsigned cpu, uint64_t stack)
{
	size_t n = g->arch == GUEST_I386 ? 4 : 8;
	struct user_regs_struct u = {.rip = pe_entry(&g->kernel), .rsp = stack - 0x28, .rcx = cpu, .eflags = EFLAGS_FIRST, .cs = CODE64, .ss = DATA,
				     .ds = DATA, .es = DATA, .orig_rax = UINT64_MAX};
	uint64_t table = guest_symbol(g, "KiPcrTable"), pcr = 0;
	int rc = 0;

	if (!table || guest_read(g, table + cpu * n, &pcr, n) != n)
		return -ENOENT;
	u.gs_base = pcr;
	if (g->arch == GUEST_I386)
		rc = first_i386(g, &g->cpu[cpu], &u, cpu);
	return rc ? rc : cpu_set_user(&g->cpu[cpu], &u);
}
