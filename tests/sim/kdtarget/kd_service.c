/* kd_service.c - what the kernel asks of its debugger by int 0x2d (command.h). */
#include "tests/sim/kdtarget/command.h"
#include "tests/sim/kdtarget/target.h"

#include <string.h>

enum { TEXT = 512, ARGUMENTS = 4 };

struct call {
	unsigned cpu, service;
	uint64_t arg[ARGUMENTS], result;
};

static struct call call_of(const struct target *k, unsigned cpu, const struct guest_regs *r)
{
	if (wide(k))
		return (struct call){ cpu, (uint32_t)r->rax, { r->rcx, r->rdx, r->r[0], r->r[1] }, 0 };
	return (struct call){ cpu, (uint32_t)r->rax, { (uint32_t)r->rcx, (uint32_t)r->rdx, (uint32_t)r->rbx, (uint32_t)r->rdi }, 0 };
}

static size_t read_text(struct target *k, uint64_t addr, uint64_t n, uint8_t to[TEXT])
{
	return guest_read(k->guest, addr, to, n < TEXT ? n : TEXT);
}

static size_t read_string(struct target *k, uint64_t addr, uint8_t to[TEXT])
{
	uint8_t head[16] = { 0 };
	size_t n = wide(k) ? 16 : 8;

	if (!addr || guest_read(k->guest, addr, head, n) != n)
		return 0;
	return read_text(k, get(head + n / 2, n / 2), get16(head), to);
}

static void print(struct target *k, struct call *c)
{
	uint8_t text[TEXT];
	size_t n = read_text(k, c->arg[0], c->arg[1], text);

	io_print(k, c->cpu, text, n);
}

static void prompt(struct target *k, struct call *c)
{
	uint8_t text[TEXT], answer[TEXT];
	size_t n = read_text(k, c->arg[0], c->arg[1], text), got;

	got = io_prompt(k, c->cpu, text, n, answer, c->arg[3] < TEXT ? c->arg[3] : TEXT);
	c->result = guest_write(k->guest, c->arg[2], answer, got);
}

static bool is_kernel(struct target *k, const struct stop *s)
{
	return s->base == guest_image(k->guest, false, NULL);
}

/* Base, process (pointers), checksum, size. */
static bool read_symbols(struct target *k, uint64_t addr, struct stop *s)
{
	uint8_t info[24] = { 0 };
	size_t w = wide(k) ? 8 : 4;

	if (guest_read(k->guest, addr, info, 2 * w + 8) != 2 * w + 8)
		return false;
	s->base = get(info, w);
	s->process = get(info + w, w);
	s->checksum = get32(info + 2 * w);
	s->size = get32(info + 2 * w + 4);
	return true;
}

static void name_symbols(struct target *k, uint64_t path, struct stop *s)
{
	s->extra_n = read_string(k, path, s->extra);
	if (is_kernel(k, s) && s->extra_n) {
		s->extra_n = strlen(k->profile->kernel_path);
		memcpy(s->extra, k->profile->kernel_path, s->extra_n);
	}
	if (s->extra_n)
		s->extra[s->extra_n++] = '\0';
}

/* One driver comes at boot; what comes or goes later is the silent kind. */
static bool is_silent(struct target *k, const struct stop *s)
{
	bool silent = is(k, QUIRK_SILENT_LOADS) && k->driver_told && s->extra_n;

	k->driver_told |= !is_kernel(k, s);
	return silent;
}

static void symbols(struct target *k, struct call *c)
{
	struct stop s = { .state = KD_LOAD_SYMBOLS, .cpu = c->cpu, .unload = c->service == KDSIM_SERVICE_UNLOAD };

	if (!read_symbols(k, c->arg[1], &s))
		return;
	name_symbols(k, c->arg[0], &s);
	if (is(k, QUIRK_FILE_IO) && !s.unload && !is_kernel(k, &s))
		io_ask_file(k, (const char *)s.extra);
	if (!is_silent(k, &s) && !over(k))
		stop_end(k, stop_tell(k, &s));
}

static void command_string(struct target *k, struct call *c)
{
	struct stop s = { .state = KD_COMMAND_STRING, .cpu = c->cpu };
	uint8_t command[TEXT];
	size_t n = read_string(k, c->arg[1], command);

	s.extra_n = read_string(k, c->arg[0], s.extra);
	if (s.extra_n > 127)
		s.extra_n = 127;
	s.extra[s.extra_n++] = '\0';
	if (n > sizeof s.extra - s.extra_n - 1)
		n = sizeof s.extra - s.extra_n - 1;
	memcpy(s.extra + s.extra_n, command, n);
	s.extra_n += n;
	s.extra[s.extra_n++] = '\0';
	stop_end(k, stop_tell(k, &s));
}

static void (*const services[])(struct target *k, struct call *c) = {
	[KDSIM_SERVICE_PRINT] = print, [KDSIM_SERVICE_PROMPT] = prompt, [KDSIM_SERVICE_LOAD] = symbols, [KDSIM_SERVICE_UNLOAD] = symbols,
	[KDSIM_SERVICE_COMMAND] = command_string,
};

/* The kernel goes on behind the int3 that follows, unless the host sent it elsewhere. */
static void go_on(struct target *k, const struct call *c, uint64_t pc)
{
	struct guest_regs r;

	if (guest_regs(k->guest, c->cpu, &r) < 0)
		return;
	r.rip += r.rip == pc;
	r.rax = c->result;
	if (guest_set_regs(k->guest, c->cpu, &r) < 0)
		note(k, "processor %u does not take its registers", c->cpu);
}

void service_call(struct target *k, const struct guest_event *e)
{
	struct guest_regs r = { 0 };
	struct call c;

	if (guest_regs(k->guest, e->cpu, &r) < 0)
		return;
	c = call_of(k, e->cpu, &r);
	if (c.service >= sizeof services / sizeof *services || !services[c.service])
		note(k, "service %u is unknown", c.service);
	else if (k->present)
		services[c.service](k, &c);
	if (!over(k))
		go_on(k, &c, r.rip);
}
