/* guest.c - the machine: begun, run, stopped, and what happens in it told. See guest.h. */
#include "tests/sim/kdtarget/guest_inner.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ERESTART_FIRST = 512, ERESTART_LAST = 516 }; /* what Linux writes where an interrupted system call will be done again */

/* --- beginning and end */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int load(struct guest *g, const struct guest_setup *setup)
{
	if (setup->processors < 1 || setup->processors > GUEST_PROCESSORS || pe_load(&g->kernel, setup->kernel, setup->arch, setup->base))
		return -1;
	if (!setup->driver)
		return 0;
	return pe_load(&g->driver, setup->driver, setup->arch, setup->driver_base) || pe_import(&g->driver, &g->kernel) ? -1 : 0;
}

struct guest *guest_boot(const struct guest_setup *setup)
{
	struct guest *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->arch = setup->arch;
	g->processors = setup->processors;
	g->mem = -1;
	g->fd = open_signals();
	if (load(g, setup) == 0 && child_start(g) == 0)
		return g;
	guest_destroy(g);
	return NULL;
}

/* The first thread ends last. */
static void reap(struct guest *g)
{
	if (g->cpu[0].tid <= 0)
		return;
	kill(g->cpu[0].tid, SIGKILL);
	for (unsigned i = g->processors; i-- > 0;)
		while (g->cpu[i].tid > 0 && waitpid(g->cpu[i].tid, &(int){ 0 }, __WALL) > 0)
			;
}

void guest_destroy(struct guest *g)
{
	if (!g)
		return;
	reap(g);
	close(g->mem);
	close(g->fd);
	pe_free(&g->kernel);
	pe_free(&g->driver);
	free(g);
}

/* --- one processor */

/* A system call that was cut short just ends; else Linux would move PC, whoever wrote it since. */
static void end_call(const struct cpu *c)
{
	struct user_regs_struct u;

	if (cpu_user(c, &u) || (int64_t)u.orig_rax < 0)
		return;
	if ((int64_t)u.rax >= -ERESTART_LAST && (int64_t)u.rax <= -ERESTART_FIRST)
		u.rax = (uint64_t)-EINTR;
	u.orig_rax = UINT64_MAX;
	if (cpu_set_user(c, &u))
		return;
}

static void cpu_ended(struct guest *g, int status)
{
	g->gone = true;
	if (WIFSIGNALED(status))
		snprintf(g->words, sizeof g->words, "ended by signal %d", WTERMSIG(status));
	else
		snprintf(g->words, sizeof g->words, WEXITSTATUS(status) ? "ended with %d" : "reset", WEXITSTATUS(status));
}

/* One that is ending already refuses; that it ended is waited for like anything else. */
static void cpu_run(struct cpu *c)
{
	ptrace(PTRACE_CONT, c->tid, NULL, NULL);
	c->runs = true;
}

/* It stands, or is gone. True: it did something. */
static bool cpu_stands(struct guest *g, unsigned cpu, int status)
{
	g->cpu[cpu].runs = false;
	if (!WIFSTOPPED(status)) {
		cpu_ended(g, status);
		return true;
	}
	end_call(&g->cpu[cpu]);
	return status >> 16 == 0 && trap_read(g, cpu, WSTOPSIG(status));
}

static bool cpu_poll(struct guest *g, unsigned cpu)
{
	int status;

	if (!g->cpu[cpu].runs || waitpid(g->cpu[cpu].tid, &status, __WALL | WNOHANG) <= 0)
		return false;
	if (cpu_stands(g, cpu, status))
		return true;
	cpu_run(&g->cpu[cpu]);
	return false;
}

static bool has_signal(pid_t tid)
{
	struct __ptrace_peeksiginfo_args first = { .nr = 1 };
	siginfo_t si;

	return ptrace(PTRACE_PEEKSIGINFO, tid, &first, &si) > 0;
}

/* A trap may just have been taken when Linux heeds the interruption first: it is let through, before anybody looks at PC. */
static bool interrupt(pid_t tid, int *status)
{
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	while (waitpid(tid, status, __WALL) > 0) {
		if (*status >> 16 != PTRACE_EVENT_STOP || !has_signal(tid))
			return true;
		ptrace(PTRACE_CONT, tid, NULL, NULL);
	}
	return false;
}

static void cpu_stop(struct guest *g, unsigned cpu)
{
	int status;

	if (!g->cpu[cpu].runs)
		return;
	if (interrupt(g->cpu[cpu].tid, &status))
		cpu_stands(g, cpu, status);
	else
		g->gone = true;
}

/* --- all of them */

static void run_all(struct guest *g)
{
	for (unsigned i = 0; i < g->processors; i++)
		if (!g->cpu[i].runs)
			cpu_run(&g->cpu[i]);
}

static void stop_all(struct guest *g)
{
	for (unsigned i = 0; i < g->processors && !g->gone; i++)
		cpu_stop(g, i);
	g->runs = false;
}

/* The trap that came first, or NULL. */
static struct trap *first_trap(struct guest *g)
{
	struct trap *first = NULL;

	for (unsigned i = 0; i < g->processors; i++)
		if (trap_holds(g, i) && (!first || g->cpu[i].trap.order < first->order))
			first = &g->cpu[i].trap;
	return first;
}

static bool poll_all(struct guest *g)
{
	bool any = false;

	for (unsigned i = 0; i < g->processors && !g->gone; i++)
		any |= g->cpu[i].trap.pending || cpu_poll(g, i);
	return any;
}

static int tell_gone(struct guest *g, struct guest_event *event)
{
	g->runs = false;
	if (g->gone_told)
		return 0;
	g->gone_told = true;
	*event = (struct guest_event){ .what = GUEST_GONE, .words = g->words };
	return 1;
}

/* What somebody did was undone meanwhile: on with it. */
static int tell(struct guest *g, struct guest_event *event, bool go_on)
{
	struct trap *first = first_trap(g);

	if (!first && go_on)
		guest_run(g);
	if (!first || trap_tell(g, first->event.cpu, event))
		return 0;
	g->told = true;
	return 1;
}

int guest_poll(struct guest *g, struct guest_event *event)
{
	struct signalfd_siginfo si[8];
	bool ran = g->runs;

	while (read(g->fd, si, sizeof si) > 0)
		;
	if (g->told || (ran && !poll_all(g) && !g->gone))
		return 0;
	if (ran)
		stop_all(g);
	return g->gone ? tell_gone(g, event) : tell(g, event, ran);
}

/* Whoever waits for guest_fd is to come and poll. */
static void wake(void)
{
	pthread_kill(pthread_self(), SIGCHLD);
}

void guest_run(struct guest *g)
{
	g->told = false;
	g->runs = true;
	if (g->gone || first_trap(g))
		wake();
	else
		run_all(g);
}

int guest_stop(struct guest *g)
{
	if (g->runs)
		stop_all(g);
	if (g->gone || (!g->told && first_trap(g)))
		wake();
	return g->gone ? -ESRCH : 0;
}

bool guest_runs(const struct guest *g)
{
	return g->runs;
}

int guest_fd(const struct guest *g)
{
	return g->fd;
}

/* --- memory and names */

/* Whoever asks may hold an address with the sign of a narrow one. */
static off_t where(const struct guest *g, uint64_t addr)
{
	return (off_t)(g->arch == GUEST_I386 ? addr & UINT32_MAX : addr);
}

size_t guest_read(struct guest *g, uint64_t addr, void *to, size_t n)
{
	ssize_t got = pread(g->mem, to, n, where(g, addr));

	return got < 0 ? 0 : (size_t)got;
}

size_t guest_write(struct guest *g, uint64_t addr, const void *from, size_t n)
{
	ssize_t got = pwrite(g->mem, from, n, where(g, addr));

	return got < 0 ? 0 : (size_t)got;
}

uint64_t guest_symbol(const struct guest *g, const char *name)
{
	return pe_symbol(&g->kernel, name);
}

uint64_t guest_image(const struct guest *g, bool driver, uint32_t *size)
{
	const struct pe *pe = driver ? &g->driver : &g->kernel;

	if (size)
		*size = pe->size;
	return pe->base;
}
