/* guest_inner.h - what the machine's parts know of each other. */
#ifndef SIM_KDTARGET_GUEST_INNER_H
#define SIM_KDTARGET_GUEST_INNER_H

#include "tests/sim/kdtarget/guest.h"

#include <sys/types.h>
#include <sys/user.h>

/* An image as it will lie in memory: relocated, its imports resolved. */
struct pe {
	const char *path;
	uint8_t *bytes;
	uint32_t size, headers; /* of the image; where the NT headers begin in it */
	uint64_t base;
	bool wide;
};

struct pe_part {
	uint32_t at, size;
	int prot; /* as for mprotect */
};

/* 0, or -1 and words on standard error. base 0: where it wants to be. */
int pe_load(struct pe *pe, const char *path, enum guest_arch arch, uint64_t base);
int pe_import(struct pe *pe, const struct pe *from); /* whatever it imports is looked for in that one */
uint64_t pe_symbol(const struct pe *pe, const char *name);
uint64_t pe_entry(const struct pe *pe);
bool pe_part(const struct pe *pe, unsigned n, struct pe_part *part); /* the n-th section */
void pe_free(struct pe *pe);

/* A trap that was not told yet. Until it is, PC is back on an int3 or int 0x2d. */
struct trap {
	bool pending;
	uint64_t order, kept, told; /* PC until it is told; PC then */
	uint8_t opcode[2];          /* what must still be there; n bytes */
	unsigned n;
	struct guest_event event;
};

struct cpu {
	pid_t tid;
	bool runs;
	uint64_t dr[8];
	struct trap trap;
};

struct guest {
	enum guest_arch arch;
	struct pe kernel, driver;
	unsigned processors;
	struct cpu cpu[GUEST_PROCESSORS];
	int mem, fd;
	bool runs, told, gone, gone_told;
	uint64_t traps;
	char words[64];
};

/* guest_child.c: the process itself. 0, or -1 and words on standard error. */
int child_start(struct guest *g);
int child_write(struct guest *g, uint64_t addr, const void *from, size_t n);

/* guest_regs.c: the processor's own view. -errno. */
int cpu_user(const struct cpu *c, struct user_regs_struct *regs);
int cpu_set_user(const struct cpu *c, const struct user_regs_struct *regs);
int cpu_first_regs(struct guest *g, unsigned cpu, uint64_t stack);

/* guest_trap.c: what a signal says of a stopped processor. False: nothing. */
bool trap_read(struct guest *g, unsigned cpu, int sig);
bool trap_holds(struct guest *g, unsigned cpu); /* still true of memory and PC; else it is dropped */
int trap_tell(struct guest *g, unsigned cpu, struct guest_event *event);

#endif
