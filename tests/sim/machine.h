/* machine.h - what a stub debugs: memory, threads with x86-64 registers, breakpoints, and whether it runs. */
#ifndef TESTS_SIM_MACHINE_H
#define TESTS_SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 rip: 8 bytes. eflags cs ss ds es fs gs: 4. st0..st7: 10.
 * fctrl fstat ftag fiseg fioff foseg fooff fop: 4. gdb refuses a description of this machine without the last two.
 * KGDB has orig_rax too, which gdb writes after a breakpoint. */
enum { MACHINE_RBX = 1, MACHINE_RBP = 6, MACHINE_RSP = 7, MACHINE_RIP = 16, MACHINE_REGS_CORE = 24, MACHINE_REGS = 40, MACHINE_ORIG_RAX = 57 };
enum { MACHINE_BYTES_KGDB = 156, MACHINE_BYTES_CORE = 164, MACHINE_BYTES = 276, MACHINE_BYTES_ALL = 284 };
enum { MACHINE_THREADS = 64, MACHINE_BREAKS = 1024 };

struct breakpoint {
	unsigned type;
	uint64_t addr, kind;
};

struct machine {
	uint8_t *memory; /* addresses 0 to size */
	uint64_t size;
	size_t threads;  /* numbered from 1 */
	size_t current;  /* the one that stopped */
	uint8_t regs[MACHINE_THREADS][MACHINE_BYTES_ALL];
	struct breakpoint breaks[MACHINE_BREAKS];
	size_t breaks_n;
	bool running;
};

int machine_init(struct machine *m, uint64_t size, size_t threads);
void machine_fini(struct machine *m);

size_t reg_size(unsigned reg); /* 0: there is none */
size_t reg_offset(unsigned reg);
uint64_t machine_reg(const struct machine *m, size_t thread, unsigned reg);
void machine_set_reg(struct machine *m, size_t thread, unsigned reg, uint64_t value);

uint64_t machine_readable(const struct machine *m, uint64_t addr, uint64_t len); /* how many bytes of len are there */

bool machine_break_set(struct machine *m, struct breakpoint b);   /* false: it was there */
bool machine_break_clear(struct machine *m, struct breakpoint b); /* false: it was not */
bool machine_full(const struct machine *m);

/* The lowest execution breakpoint above pc: where a run will end. NULL: it will not. */
const struct breakpoint *machine_ahead(const struct machine *m, size_t thread);

#endif
