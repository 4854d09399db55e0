/* guest_child.c - the process that is the machine. A program of one page, system call and int3, is executed; whatever else it needs it
 * is made to call for. In the end it has the images, a stack for each thread, no file, and four system calls. */
#include "tests/sim/kdtarget/guest_inner.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAD = 0x10000, PAD_INT3 = 2, PAGE = 0x1000, STACK = 0x10000 };
enum { I386_NANOSLEEP = 162, I386_EXIT_GROUP = 252 };
#define VSYSCALL UINT64_C(0xffffffffff600000)

static const uint8_t pad_code[] = { 0x0f, 0x05, 0xcc }; /* syscall; int3 */

struct pad {
	Elf64_Ehdr header;
	Elf64_Phdr text, stack;
	uint8_t code[sizeof pad_code];
};

static int fail(const char *words)
{
	perror(words);
	return -1;
}

/* --- the program */

static int pad_file(void)
{
	struct pad pad = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		            .e_type = ET_EXEC,
		            .e_machine = EM_X86_64,
		            .e_version = EV_CURRENT,
		            .e_entry = PAD + offsetof(struct pad, code) + PAD_INT3,
		            .e_phoff = offsetof(struct pad, text),
		            .e_ehsize = sizeof(Elf64_Ehdr),
		            .e_phentsize = sizeof(Elf64_Phdr),
		            .e_phnum = 2 },
		.text = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = PAD, .p_filesz = sizeof pad, .p_memsz = sizeof pad, .p_align = PAGE },
		.stack = { .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
	};
	int fd = memfd_create("kdsim", MFD_CLOEXEC);

	memcpy(pad.code, pad_code, sizeof pad_code);
	if (fd < 0 || write(fd, &pad, sizeof pad) != sizeof pad)
		return fail("kdsim: memfd");
	return fd;
}

/* Waits until it is traced. In between only what may be done in a fork of a process with threads. */
__attribute__((noreturn)) static void pad_run(int program, int go)
{
	static const struct rlimit no_core = { 0, 0 };
	char *const none[] = { NULL };
	sigset_t all;
	char byte;

	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (read(go, &byte, 1) == 1 && syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		fexecve(program, none, none);
	_exit(127);
}

static int await(pid_t tid, int event)
{
	int status;

	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
		return -1;
	return status >> 8 == (SIGTRAP | event << 8) ? 0 : -1;
}

static int pad_trace(pid_t pid, int go)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE) < 0)
		return fail("kdsim: ptrace");
	if (write(go, "g", 1) != 1 || await(pid, PTRACE_EVENT_EXEC) || ptrace(PTRACE_CONT, pid, NULL, NULL) < 0 || await(pid, 0))
		return fail("kdsim: exec");
	return 0;
}

static int pad_start(struct guest *g)
{
	int go[2], program = pad_file(), rc = -1;

	if (program < 0 || pipe2(go, O_CLOEXEC) < 0)
		return -1;
	g->cpu[0].tid = fork();
	if (g->cpu[0].tid == 0)
		pad_run(program, go[0]);
	if (g->cpu[0].tid > 0)
		rc = pad_trace(g->cpu[0].tid, go[1]);
	close(go[0]);
	close(go[1]);
	close(program);
	return rc;
}

/* --- system calls it is made to do */

struct call {
	long number;
	uint64_t a[6];
};

static int call_end(struct guest *g, struct user_regs_struct *u)
{
	pid_t tid = g->cpu[0].tid;

	ptrace(PTRACE_CONT, tid, NULL, NULL);
	return await(tid, 0) || cpu_user(&g->cpu[0], u) ? -1 : 0;
}

static int call_begin(struct guest *g, const struct call *call)
{
	struct user_regs_struct u;

	if (cpu_user(&g->cpu[0], &u))
		return -1;
	u.rip = PAD + offsetof(struct pad, code);
	u.orig_rax = UINT64_MAX;
	u.rax = (uint64_t)call->number;
	u.rdi = call->a[0], u.rsi = call->a[1], u.rdx = call->a[2], u.r10 = call->a[3], u.r8 = call->a[4], u.r9 = call->a[5];
	return cpu_set_user(&g->cpu[0], &u);
}

static int64_t call_do(struct guest *g, struct call call)
{
	struct user_regs_struct u;

	if (call_begin(g, &call) || call_end(g, &u))
		return -EIO;
	return (int64_t)u.rax;
}

static int call_thread(struct guest *g, unsigned cpu)
{
	struct call call = { SYS_clone, { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM } };
	struct user_regs_struct u;
	unsigned long tid = 0;

	if (call_begin(g, &call) || ptrace(PTRACE_CONT, g->cpu[0].tid, NULL, NULL) < 0 || await(g->cpu[0].tid, PTRACE_EVENT_CLONE) ||
	    ptrace(PTRACE_GETEVENTMSG, g->cpu[0].tid, NULL, &tid) < 0)
		return -1;
	g->cpu[cpu].tid = (pid_t)tid;
	g->processors = cpu + 1;
	return await((pid_t)tid, PTRACE_EVENT_STOP) || call_end(g, &u) ? -1 : 0;
}

/* --- memory */

static int unmap_line(struct guest *g, const char *line)
{
	char *rest;
	uint64_t from = strtoull(line, &rest, 16), to = *rest == '-' ? strtoull(rest + 1, NULL, 16) : from;

	if (from == to || from == PAD || from == VSYSCALL)
		return 0;
	return call_do(g, (struct call){ SYS_munmap, { from, to - from } }) ? -1 : 0;
}

/* Stack, vdso and what else exec left. */
static int unmap_rest(struct guest *g)
{
	char path[40], line[512];
	int rc = 0;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)g->cpu[0].tid);
	FILE *maps = fopen(path, "re");

	while (maps && !rc && fgets(line, sizeof line, maps))
		rc = unmap_line(g, line);
	if (maps)
		fclose(maps);
	return maps ? rc : -1;
}

static int map(struct guest *g, uint64_t at, uint64_t n)
{
	struct call call = { SYS_mmap, { at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, UINT64_MAX } };

	if (call_do(g, call) == (int64_t)at)
		return 0;
	fprintf(stderr, "kdsim: %#" PRIx64 ": cannot be mapped\n", at);
	return -1;
}

static uint64_t pages(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static int map_image(struct guest *g, const struct pe *pe)
{
	struct pe_part part;

	if (map(g, pe->base, pages(pe->size)) || child_write(g, pe->base, pe->bytes, pe->size) ||
	    call_do(g, (struct call){ SYS_mprotect, { pe->base, pages(pe->size), PROT_READ } }))
		return -1;
	for (unsigned i = 0; pe_part(pe, i, &part); i++)
		if (call_do(g, (struct call){ SYS_mprotect, { pe->base + part.at, pages(part.size), (unsigned)part.prot } }))
			return -1;
	return 0;
}

int child_write(struct guest *g, uint64_t addr, const void *from, size_t n)
{
	return guest_write(g, addr, from, n) == n ? 0 : -1;
}

/* --- processors */

/* A gap between each two. */
static uint64_t stack_top(const struct guest *g, unsigned cpu)
{
	uint64_t first = g->arch == GUEST_I386 ? UINT64_C(0xc0000000) : UINT64_C(0x200000000);

	return first + UINT64_C(2) * STACK * cpu + STACK;
}

static int confine(struct guest *g)
{
	static const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_nanosleep, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, I386_NANOSLEEP, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, I386_EXIT_GROUP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	uint64_t at = stack_top(g, 0) - STACK, program[] = { sizeof filter / sizeof *filter, at };

	if (child_write(g, at, filter, sizeof filter) || child_write(g, at + PAGE, program, sizeof program) ||
	    call_do(g, (struct call){ SYS_prctl, { PR_SET_NO_NEW_PRIVS, 1 } }) ||
	    call_do(g, (struct call){ SYS_seccomp, { SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, at + PAGE } }))
		return fail("kdsim: seccomp");
	return 0;
}

static int tell_kernel(struct guest *g, unsigned processors)
{
	uint64_t count = guest_symbol(g, "KeNumberProcessors"), driver = guest_symbol(g, "KdSimDriverBase");

	if (!count || !driver || child_write(g, count, &processors, 4) || child_write(g, driver, &g->driver.base, g->arch == GUEST_I386 ? 4 : 8))
		return fail("kdsim: not the kernel that belongs to this machine");
	return 0;
}

static int start_threads(struct guest *g, unsigned processors)
{
	for (unsigned i = 0; i < processors; i++)
		if (map(g, stack_top(g, i) - STACK, STACK) || (i && call_thread(g, i)))
			return -1;
	return confine(g);
}

static int first_regs(struct guest *g)
{
	for (unsigned i = 0; i < g->processors; i++)
		if (cpu_first_regs(g, i, stack_top(g, i))) {
			fprintf(stderr, "kdsim: processor %u cannot begin\n", i);
			return -1;
		}
	return 0;
}

static int open_memory(struct guest *g)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)g->cpu[0].tid);
	g->mem = open(path, O_RDWR | O_CLOEXEC);
	return g->mem < 0 ? fail(path) : 0;
}

int child_start(struct guest *g)
{
	unsigned processors = g->processors;

	g->processors = 1;
	if (pad_start(g) || open_memory(g) || unmap_rest(g) || map_image(g, &g->kernel) || (g->driver.bytes && map_image(g, &g->driver)))
		return -1;
	return start_threads(g, processors) || tell_kernel(g, processors) || first_regs(g) ? -1 : 0;
}
