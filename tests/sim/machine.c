/* machine.c - see machine.h. */
#include "tests/sim/machine.h"

#include <stdlib.h>
#include <string.h>

int machine_init(struct machine *m, uint64_t size, size_t threads)
{
	memset(m, 0, sizeof *m);
	m->memory = malloc(size);
	m->size = size;
	m->threads = threads;
	m->current = 1;
	if (!m->memory || threads < 1 || threads > MACHINE_THREADS)
		return -1;
	for (uint64_t i = 0; i < size; i++) /* no two words alike, and no long runs */
		m->memory[i] = (uint8_t)((i * 2654435761u) >> 11);
	for (size_t t = 1; t <= threads; t++) {
		machine_set_reg(m, t, MACHINE_RBX, t);
		machine_set_reg(m, t, MACHINE_RSP, size / 2);
		machine_set_reg(m, t, MACHINE_RBP, size / 2 + 64);
		machine_set_reg(m, t, MACHINE_RIP, 0x1000 * t);
	}
	return 0;
}

void machine_fini(struct machine *m)
{
	free(m->memory);
}

static const struct span_of_regs {
	unsigned first;
	size_t size, offset;
} spans[] = { { 0, 8, 0 }, { 17, 4, 136 }, { 24, 10, 164 }, { 32, 4, 244 }, { MACHINE_REGS, 0, 0 }, { MACHINE_ORIG_RAX, 8, 276 }, { MACHINE_ORIG_RAX + 1, 0, 0 } };

static const struct span_of_regs *span_of_reg(unsigned reg)
{
	const struct span_of_regs *s = spans + sizeof spans / sizeof *spans - 1;

	while (reg < s->first)
		s--;
	return s;
}

size_t reg_size(unsigned reg)
{
	return span_of_reg(reg)->size;
}

size_t reg_offset(unsigned reg)
{
	const struct span_of_regs *s = span_of_reg(reg);

	return s->offset + (reg - s->first) * s->size;
}

uint64_t machine_reg(const struct machine *m, size_t thread, unsigned reg)
{
	uint64_t value = 0;

	memcpy(&value, m->regs[thread - 1] + reg_offset(reg), reg_size(reg) < 8 ? reg_size(reg) : 8);
	return value;
}

void machine_set_reg(struct machine *m, size_t thread, unsigned reg, uint64_t value)
{
	memcpy(m->regs[thread - 1] + reg_offset(reg), &value, reg_size(reg) < 8 ? reg_size(reg) : 8);
}

uint64_t machine_readable(const struct machine *m, uint64_t addr, uint64_t len)
{
	if (addr >= m->size)
		return 0;
	return len < m->size - addr ? len : m->size - addr;
}

static size_t find(const struct machine *m, struct breakpoint b)
{
	size_t i = 0;

	while (i < m->breaks_n && (m->breaks[i].type != b.type || m->breaks[i].addr != b.addr || m->breaks[i].kind != b.kind))
		i++;
	return i;
}

bool machine_break_set(struct machine *m, struct breakpoint b)
{
	if (find(m, b) < m->breaks_n)
		return false;
	m->breaks[m->breaks_n++] = b;
	return true;
}

bool machine_break_clear(struct machine *m, struct breakpoint b)
{
	size_t i = find(m, b);

	if (i == m->breaks_n)
		return false;
	m->breaks[i] = m->breaks[--m->breaks_n];
	return true;
}

bool machine_full(const struct machine *m)
{
	return m->breaks_n == MACHINE_BREAKS;
}

const struct breakpoint *machine_ahead(const struct machine *m, size_t thread)
{
	const struct breakpoint *best = NULL;
	uint64_t pc = machine_reg(m, thread, MACHINE_RIP);

	for (const struct breakpoint *b = m->breaks; b < m->breaks + m->breaks_n; b++)
		if (b->type <= 1 && b->addr > pc && (!best || b->addr < best->addr))
			best = b;
	return best;
}
