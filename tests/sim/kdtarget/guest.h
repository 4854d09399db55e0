/* guest.h - the machine that executes: a PE image mapped into a child process and run by the processor itself, under ptrace;
 * a thread for a processor. It knows nothing of KD. Linux on x86-64 only. One at a time in a process, whose SIGCHLD it takes, and
 * called by the thread that booted it alone.
 * What a program under Linux cannot have, it has not: addresses are below 2^47 (i386's anywhere in 2^32); selectors are Linux' own and
 * stay; no control registers, descriptor tables or MSRs but the bases of fs and gs; no interrupts; flags IF and IOPL stay.
 * It gives its processor away by nanosleep for KiIdleTime (an export), and ends by exit_group; any other system call is an illegal
 * instruction. It has no files, and dies with its parent. */
#ifndef SIM_KDTARGET_GUEST_H
#define SIM_KDTARGET_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest;

enum guest_arch { GUEST_AMD64, GUEST_I386 };
enum { GUEST_PROCESSORS = 8, GUEST_FX = 512 };

struct guest_setup {
	enum guest_arch arch;
	const char *kernel, *driver; /* PE files; borrowed while guest_boot runs */
	unsigned processors;
	uint64_t base, driver_base;  /* where they are mapped, relocated; 0: where they want to be */
};

/* Registers of one processor, amd64's names for i386 too. dr[4] and dr[5] are not used. i386's KPCR is at fs_base, amd64's at gs_base. */
struct guest_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r[8], rip, eflags;
	uint16_t cs, ds, es, fs, gs, ss;
	uint64_t fs_base, gs_base;
	uint64_t dr[8];
	uint8_t fx[GUEST_FX]; /* as FXSAVE writes it */
};

enum guest_what {
	/* code, info: of Windows. PC as the trap left it: behind an int3, behind the instruction of a step (TF still set, DR6 tells), on an
	 * instruction that faults. On one that a debug register names too, with RF set: run, and it is executed. */
	GUEST_EXCEPTION,
	GUEST_SERVICE, /* int 0x2d was executed: PC behind it, on the int3 to skip. regs tell the service and its arguments (command.h) */
	GUEST_GONE,    /* it ended, or ran off; words. Told once; everything is -ESRCH or nothing from then on */
};

struct guest_event {
	enum guest_what what;
	unsigned cpu;
	uint32_t code;
	unsigned params;
	uint64_t info[2];
	const char *words;
};

/* NULL, and words on standard error. Nothing runs yet; every processor stands at its first instruction. */
struct guest *guest_boot(const struct guest_setup *setup);
void guest_destroy(struct guest *g); /* the child is ended and reaped */

int guest_fd(const struct guest *g); /* readable when guest_poll has something to tell */
/* 1 an event: every processor stands now; 0 nothing, and nothing more until it is run again. Who else trapped is told after that, in
 * order, without anybody running in between; its PC is on its int3 meanwhile. It is forgotten if the int3 has gone, or its PC is written. */
int guest_poll(struct guest *g, struct guest_event *event);
void guest_run(struct guest *g); /* every processor runs as its registers say: TF in eflags is a step */
int guest_stop(struct guest *g); /* every processor stands; 0. What trapped meanwhile is told by the next poll, first */
bool guest_runs(const struct guest *g);

int guest_regs(struct guest *g, unsigned cpu, struct guest_regs *regs); /* 0; -errno; only while it stands */
/* All but selectors, debug registers too: -EINVAL and nothing is written where Linux does not take those (length, alignment, address). */
int guest_set_regs(struct guest *g, unsigned cpu, const struct guest_regs *regs);
/* How many bytes were there, whatever the page allows. i386: addr's upper half is of no account. */
size_t guest_read(struct guest *g, uint64_t addr, void *to, size_t n);
size_t guest_write(struct guest *g, uint64_t addr, const void *from, size_t n);

uint64_t guest_symbol(const struct guest *g, const char *name); /* an export of the kernel image, where it is mapped; 0: none */
uint64_t guest_image(const struct guest *g, bool driver, uint32_t *size); /* where it is mapped, and SizeOfImage */

/* What the KD side looks for in the kernel image, by name; it does without what is not there. Services and commands: command.h.
 *	PsLoadedModuleList       the list's head
 *	KdDebuggerDataBlock      the KDBG block; KdpDebuggerDataListHead: the head whose Flink is the block
 *	KiClockInterrupt         a break-in enters here: PC and flags are on the stack
 *	KiExceptionHandler       where the fault of a command goes on, and KiUnhandledException where one goes that nobody handled
 *	KdSimCommand             0 when it takes a command; KdSimArgument, KdSimProcessor
 * KPCR is where gs_base (amd64) or fs_base (i386) points: KPRCB's address is at 20h of it, KTHREAD's at 8 (4) of KPRCB. */

#endif
