/* guest_test.c - the machine: both architectures boot, trap, step, watch, fault, stop and end. Needs ptrace. */
#include "tests/sim/kdtarget/command.h"
#include "tests/sim/kdtarget/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, TF = 0x100, DR7_EXECUTE_0 = 0x401, DR7_WRITE_4_0 = 0xd0401 };
#define BREAKPOINT 0x80000003
#define STEP 0x80000004

struct machine {
	enum guest_arch arch;
	unsigned processors;
	uint64_t base, driver_base;
	struct guest *g;
	char text[4096]; /* printed so far */
};

static const struct machine kinds[] = {
	{ .arch = GUEST_AMD64, .processors = 2 },
	{ .arch = GUEST_I386, .processors = 2 },
	{ .arch = GUEST_AMD64, .processors = 1, .base = UINT64_C(0x6f0012340000), .driver_base = UINT64_C(0x6f0023450000) },
	{ .arch = GUEST_I386, .processors = 1, .base = UINT64_C(0xa1230000), .driver_base = UINT64_C(0xb4560000) },
};

static const char *image(char *room, size_t n, enum guest_arch arch, const char *name)
{
	char self[512] = "";
	ssize_t got = readlink("/proc/self/exe", self, sizeof self - 1);

	assert_true(got > 0);
	snprintf(room, n, "%s/%s/%s", dirname(self), arch == GUEST_AMD64 ? "amd64" : "i386", name);
	return room;
}

static int begin(void **state)
{
	struct machine *m = *state;
	char kernel[600], driver[600];
	struct guest_setup setup = { m->arch, kernel, driver, m->processors, m->base, m->driver_base };

	image(kernel, sizeof kernel, m->arch, "ntoskrnl.exe");
	image(driver, sizeof driver, m->arch, "kddriver.sys");
	m->text[0] = 0;
	m->g = guest_boot(&setup);
	return m->g ? 0 : -1;
}

static int end(void **state)
{
	struct machine *m = *state;

	guest_destroy(m->g);
	m->g = NULL;
	return 0;
}

/* --- what a test does */

static struct guest_event next(struct machine *m)
{
	struct pollfd p = { .fd = guest_fd(m->g), .events = POLLIN };
	struct guest_event e = { 0 };
	int rc;

	while ((rc = guest_poll(m->g, &e)) == 0)
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(rc, 1);
	assert_false(guest_runs(m->g));
	return e;
}

static struct guest_regs regs_of(struct machine *m, unsigned cpu)
{
	struct guest_regs r;

	assert_int_equal(guest_regs(m->g, cpu, &r), 0);
	return r;
}

static void set_regs(struct machine *m, unsigned cpu, const struct guest_regs *r)
{
	assert_int_equal(guest_set_regs(m->g, cpu, r), 0);
}

static uint64_t symbol(struct machine *m, const char *name)
{
	uint64_t at = guest_symbol(m->g, name);

	assert_true(at != 0);
	return at;
}

static uint64_t word_at(struct machine *m, uint64_t at, size_t n)
{
	uint64_t v = 0;

	assert_int_equal(guest_read(m->g, at, &v, n), n);
	return v;
}

static uint32_t variable(struct machine *m, const char *name)
{
	return (uint32_t)word_at(m, symbol(m, name), 4);
}

static void set_variable(struct machine *m, const char *name, uint32_t v)
{
	assert_int_equal(guest_write(m->g, symbol(m, name), &v, 4), 4);
}

static uint64_t argument(const struct machine *m, const struct guest_regs *r, unsigned n)
{
	const uint64_t wide[] = { r->rcx, r->rdx, r->r[0], r->r[1] }, narrow[] = { r->rcx, r->rdx, r->rbx, r->rdi };

	return m->arch == GUEST_AMD64 ? wide[n] : narrow[n];
}

/* Serves as a debugger would; prints are kept. */
static uint32_t serve(struct machine *m, unsigned cpu)
{
	struct guest_regs r = regs_of(m, cpu);
	uint32_t service = (uint32_t)r.rax;
	size_t had = strlen(m->text), n = argument(m, &r, 1);

	if (service == KDSIM_SERVICE_PRINT && had + n < sizeof m->text) {
		assert_int_equal(guest_read(m->g, argument(m, &r, 0), m->text + had, n), n);
		m->text[had + n] = 0;
	}
	r.rax = 0;
	if (service == KDSIM_SERVICE_PROMPT)
		r.rax = guest_write(m->g, argument(m, &r, 2), "sesame", 6);
	assert_int_equal(word_at(m, r.rip - 2, 3), 0xcc2dcd);
	r.rip++;
	set_regs(m, cpu, &r);
	return service;
}

static struct guest_event next_trap(struct machine *m)
{
	for (;;) {
		struct guest_event e;

		guest_run(m->g);
		e = next(m);
		if (e.what != GUEST_SERVICE)
			return e;
		serve(m, e.cpu);
	}
}

static void run_to(struct machine *m, uint32_t service)
{
	for (;;) {
		struct guest_event e;

		guest_run(m->g);
		e = next(m);
		assert_int_equal(e.what, GUEST_SERVICE);
		if (serve(m, e.cpu) == service)
			return;
	}
}

static void command(struct machine *m, uint32_t what, uint32_t with)
{
	set_variable(m, "KdSimArgument", with);
	set_variable(m, "KdSimCommand", what);
}

static uint8_t plant(struct machine *m, uint64_t at)
{
	uint8_t saved = (uint8_t)word_at(m, at, 1);

	assert_int_equal(guest_write(m->g, at, "\xcc", 1), 1);
	return saved;
}

static void unplant(struct machine *m, uint64_t at, uint8_t saved)
{
	assert_int_equal(guest_write(m->g, at, &saved, 1), 1);
}

/* Boots until the driver has said that it is there. */
static void boot(struct machine *m)
{
	while (!strstr(m->text, "kddriver: entry"))
		run_to(m, KDSIM_SERVICE_PRINT);
}

static void expect_exception(const struct guest_event *e, uint32_t code)
{
	assert_int_equal(e->what, GUEST_EXCEPTION);
	assert_int_equal(e->code, code);
}

/* Met at an int3 planted there, and put back on it. */
static unsigned meet(struct machine *m, uint64_t at)
{
	uint8_t saved = plant(m, at);
	struct guest_event e = next_trap(m);
	struct guest_regs r = regs_of(m, e.cpu);

	expect_exception(&e, BREAKPOINT);
	assert_int_equal(r.rip, at + 1);
	unplant(m, at, saved);
	r.rip = at;
	set_regs(m, e.cpu, &r);
	return e.cpu;
}

/* --- tests */

static void boots_and_tells(void **state)
{
	struct machine *m = *state;
	struct guest_regs r = regs_of(m, 0);
	uint32_t size;

	assert_true(guest_image(m->g, true, &size) != 0);
	assert_true(m->driver_base == 0 || guest_image(m->g, true, NULL) == m->driver_base);
	assert_true(m->base == 0 || guest_image(m->g, false, NULL) == m->base);
	assert_true(r.rip > guest_image(m->g, false, &size) && r.rip < guest_image(m->g, false, NULL) + size);
	run_to(m, KDSIM_SERVICE_LOAD);
	run_to(m, KDSIM_SERVICE_LOAD);
	boot(m);
	assert_non_null(strstr(m->text, m->arch == GUEST_AMD64 ? "9600.kdsim.amd64.fre" : "9600.kdsim.i386.fre"));
}

/* The list, the block and the processors' own structures. */
static void is_known_by_its_structures(void **state)
{
	struct machine *m = *state;
	size_t n = m->arch == GUEST_AMD64 ? 8 : 4;
	uint64_t list = symbol(m, "PsLoadedModuleList"), block, entry;
	struct guest_regs r;

	boot(m);
	entry = word_at(m, list, n);
	assert_int_equal(word_at(m, entry + 6 * n, n), guest_image(m->g, false, NULL));
	entry = word_at(m, entry, n);
	assert_int_equal(word_at(m, entry + 6 * n, n), guest_image(m->g, true, NULL));
	assert_int_equal(word_at(m, entry, n), list);
	block = word_at(m, symbol(m, "KdpDebuggerDataListHead"), n);
	assert_int_equal(word_at(m, block + 0x10, 8), UINT64_C(0x36000000000) | 0x4742444b);
	assert_int_equal(word_at(m, block + 0x18, 8), guest_image(m->g, false, NULL));
	r = regs_of(m, 0);
	assert_int_equal(word_at(m, (n == 8 ? r.gs_base : r.fs_base) + 0x20, n), word_at(m, symbol(m, "KiProcessorBlock"), n));
}

static void meets_an_int3_and_steps(void **state)
{
	struct machine *m = *state;
	unsigned cpu;

	boot(m);
	cpu = meet(m, symbol(m, "IopReadDisk"));
	for (unsigned i = 0; i < 5; i++) {
		struct guest_regs r = regs_of(m, cpu), after;
		struct guest_event e;

		r.eflags |= TF;
		set_regs(m, cpu, &r);
		e = next_trap(m);
		expect_exception(&e, STEP);
		assert_int_equal(e.cpu, cpu);
		after = regs_of(m, cpu);
		assert_true(after.rip != r.rip && after.rip - r.rip < 16);
		assert_true(after.dr[6] & 0x4000);
	}
}

static void watches_by_debug_registers(void **state)
{
	struct machine *m = *state;
	struct guest_regs r;
	struct guest_event e;
	uint32_t before;

	boot(m);
	for (unsigned i = 0; i < m->processors; i++) {
		r = regs_of(m, i);
		r.dr[0] = symbol(m, "IopReadCount");
		r.dr[7] = DR7_WRITE_4_0;
		set_regs(m, i, &r);
	}
	before = variable(m, "IopReadCount");
	e = next_trap(m);
	expect_exception(&e, STEP);
	assert_true(variable(m, "IopReadCount") > before);
	r = regs_of(m, e.cpu);
	assert_int_equal(r.dr[6] & 15, 1);
}

static void breaks_by_debug_registers(void **state)
{
	struct machine *m = *state;
	struct guest_regs r;
	struct guest_event e;

	boot(m);
	r = regs_of(m, 0);
	r.dr[0] = symbol(m, "NtReadFile");
	r.dr[7] = DR7_EXECUTE_0;
	set_regs(m, 0, &r);
	for (unsigned i = 0; i < 3; i++) {
		e = next_trap(m);
		expect_exception(&e, STEP);
		assert_int_equal(e.cpu, 0);
		assert_int_equal(regs_of(m, 0).rip, symbol(m, "NtReadFile"));
	}
}

struct fault {
	uint32_t command, code, params;
	uint64_t info[2];
};

static void expect_fault(struct machine *m, const struct fault *f)
{
	struct guest_event e;
	struct guest_regs r;
	uint64_t caught;

	command(m, f->command, 0);
	e = next_trap(m);
	expect_exception(&e, f->code);
	assert_int_equal(e.params, f->params);
	assert_memory_equal(e.info, f->info, sizeof e.info);
	caught = word_at(m, symbol(m, "KiExceptionHandler"), m->arch == GUEST_AMD64 ? 8 : 4);
	r = regs_of(m, e.cpu);
	assert_true(caught > r.rip && caught - r.rip < 8);
	r.rip = caught;
	set_regs(m, e.cpu, &r);
}

static void faults(void **state)
{
	static const struct fault all[] = {
		{ KDSIM_READ, 0xc0000005, 2, { 0, 0x10 } },
		{ KDSIM_WRITE, 0xc0000005, 2, { 1, 0x20 } },
		{ KDSIM_DIVIDE, 0xc0000094, 0, { 0 } },
		{ KDSIM_ILLEGAL, 0xc000001d, 0, { 0 } },
	};
	struct machine *m = *state;

	boot(m);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		expect_fault(m, &all[i]);
}

static void jumps_nowhere(void **state)
{
	struct machine *m = *state;
	struct guest_event e;
	struct guest_regs r;

	boot(m);
	r = regs_of(m, 0);
	r.rip = 0x4560;
	set_regs(m, 0, &r);
	e = next_trap(m);
	expect_exception(&e, 0xc0000005);
	assert_int_equal(e.info[0], 8);
	assert_int_equal(e.info[1], 0x4560);
}

/* It may neither open nor write anything: a system call beyond the four is an illegal instruction. */
static void is_confined(void **state)
{
	struct machine *m = *state;
	struct guest_event e;
	struct guest_regs r;

	boot(m);
	r = regs_of(m, 0);
	r.rip = symbol(m, "KiIdle");
	while (word_at(m, r.rip, 2) != (m->arch == GUEST_AMD64 ? 0x050f : 0x80cd))
		r.rip++;
	r.rax = m->arch == GUEST_AMD64 ? 39 : 20; /* getpid */
	set_regs(m, 0, &r);
	e = next_trap(m);
	expect_exception(&e, 0xc000001d);
}

static void is_asked_and_told(void **state)
{
	struct machine *m = *state;

	boot(m);
	command(m, KDSIM_PROMPT, 0);
	run_to(m, KDSIM_SERVICE_PROMPT);
	run_to(m, KDSIM_SERVICE_PRINT);
	assert_non_null(strstr(m->text, "kdsim: hello, sesame\n"));
	command(m, KDSIM_COMMAND, 0);
	run_to(m, KDSIM_SERVICE_COMMAND);
	command(m, KDSIM_PRINT, 3);
	while (!strstr(m->text, "kdsim: print 3\n"))
		run_to(m, KDSIM_SERVICE_PRINT);
}

static void unloads_and_loads(void **state)
{
	struct machine *m = *state;
	size_t n = m->arch == GUEST_AMD64 ? 8 : 4;
	uint64_t list = symbol(m, "PsLoadedModuleList");

	boot(m);
	command(m, KDSIM_UNLOAD, 0);
	run_to(m, KDSIM_SERVICE_UNLOAD);
	assert_non_null(strstr(m->text, "kddriver: unload"));
	assert_int_equal(word_at(m, word_at(m, list + n, n) + 6 * n, n), guest_image(m->g, true, NULL));
	command(m, KDSIM_LOAD, 0);
	run_to(m, KDSIM_SERVICE_LOAD);
	run_to(m, KDSIM_SERVICE_PRINT);
}

static void bugchecks_and_ends(void **state)
{
	struct machine *m = *state;

	boot(m);
	command(m, KDSIM_BUGCHECK, 0x7b);
	for (unsigned i = 0; i < 2; i++) {
		struct guest_event e = next_trap(m);
		struct guest_regs r = regs_of(m, e.cpu);

		expect_exception(&e, BREAKPOINT);
		assert_int_equal(r.rip - 1, symbol(m, "DbgBreakPointWithStatus"));
	}
	assert_non_null(strstr(m->text, "\n*** Fatal System Error: 0x0000007B\n"));
	run_to(m, KDSIM_SERVICE_UNLOAD);
	guest_run(m->g);
	assert_int_equal(next(m).what, GUEST_GONE);
	assert_int_equal(guest_regs(m->g, 0, &(struct guest_regs){ 0 }), -ESRCH);
	assert_int_equal(guest_stop(m->g), -ESRCH);
}

/* As a debugger breaks in: the interrupt comes back to where it was. */
static void is_interrupted(void **state)
{
	struct machine *m = *state;
	size_t n = m->arch == GUEST_AMD64 ? 8 : 4;
	struct guest_regs before, r;
	struct guest_event e;

	boot(m);
	meet(m, symbol(m, "KiSchedule"));
	if (m->processors > 1)
		meet(m, symbol(m, "KiSchedule"));
	r = before = regs_of(m, 0);
	r.rsp -= 2 * n;
	assert_int_equal(guest_write(m->g, r.rsp + n, &r.rip, n), n);
	assert_int_equal(guest_write(m->g, r.rsp, &r.eflags, n), n);
	r.rip = symbol(m, "KiClockInterrupt");
	r.dr[0] = before.rip;
	r.dr[7] = DR7_EXECUTE_0;
	set_regs(m, 0, &r);
	e = next_trap(m);
	expect_exception(&e, BREAKPOINT);
	assert_int_equal(regs_of(m, 0).rip - 1, symbol(m, "DbgBreakPointWithStatus"));
	e = next_trap(m);
	expect_exception(&e, STEP);
	r = regs_of(m, 0);
	assert_memory_equal(&r, &before, offsetof(struct guest_regs, eflags));
	assert_int_equal(r.rsp, before.rsp);
}

/* Whoever met an int3 at the beginning of KiSchedule is sent to KiIdle instead. */
static void divert(struct machine *m, unsigned cpu)
{
	struct guest_regs r = regs_of(m, cpu);

	r.rip = symbol(m, "KiIdle");
	set_regs(m, cpu, &r);
}

/* Every processor meets the same int3; each is told. */
static void tells_every_processor(void **state)
{
	struct machine *m = *state;
	uint64_t at = symbol(m, "KiSchedule");
	unsigned met[GUEST_PROCESSORS] = { 0 }, told = 0;

	boot(m);
	plant(m, at);
	for (unsigned i = 0; i < 1000 && told < m->processors; i++) {
		struct guest_event e = next_trap(m);

		expect_exception(&e, BREAKPOINT);
		divert(m, e.cpu);
		told += met[e.cpu]++ == 0;
	}
	assert_int_equal(told, m->processors);
}

/* Wherever a stop comes: nobody stands behind an int3 that was not told. */
static void loses_no_trap(void **state)
{
	struct machine *m = *state;
	uint64_t at = symbol(m, "KiSchedule");

	boot(m);
	plant(m, at);
	for (unsigned i = 0; i < 1000; i++) {
		struct guest_event e;
		bool told;

		guest_run(m->g);
		assert_int_equal(guest_stop(m->g), 0);
		told = guest_poll(m->g, &e) == 1;
		for (unsigned cpu = 0; cpu < m->processors; cpu++)
			assert_int_equal(regs_of(m, cpu).rip == at + 1, told && e.cpu == cpu);
		if (told)
			divert(m, e.cpu);
	}
}

/* An int3 that went before its trap was told: nothing happened. */
static void forgets_what_was_undone(void **state)
{
	struct machine *m = *state;
	uint64_t at = symbol(m, "KiSchedule");
	struct guest_event e;
	uint8_t saved;

	boot(m);
	saved = plant(m, at);
	for (unsigned i = 0; i < 1000; i++) {
		guest_run(m->g);
		poll(NULL, 0, 1);
		assert_int_equal(guest_stop(m->g), 0);
		unplant(m, at, saved);
		assert_int_equal(guest_poll(m->g, &e), 0);
		plant(m, at);
		if (regs_of(m, 0).rip == at)
			return;
	}
	fail_msg("never met");
}

static void stops_a_thousand_times(void **state)
{
	struct machine *m = *state;
	uint32_t before;

	boot(m);
	before = variable(m, "KeTickCount");
	for (unsigned i = 0; i < 1000; i++) {
		struct guest_event e;

		guest_run(m->g);
		assert_true(guest_runs(m->g));
		assert_int_equal(guest_regs(m->g, 0, &(struct guest_regs){ 0 }), -EBUSY);
		assert_int_equal(guest_stop(m->g), 0);
		assert_int_equal(guest_poll(m->g, &e), 0);
	}
	for (unsigned i = 0; i < 1000 && variable(m, "KeTickCount") == before; i++)
		meet(m, symbol(m, i % 2 ? "KiIdle" : "KiSchedule"));
	assert_true(variable(m, "KeTickCount") > before);
}

static void holds_floating_point(void **state)
{
	struct machine *m = *state;
	struct guest_regs r;

	boot(m);
	r = regs_of(m, 0);
	memset(r.fx + 0xa0, 0x5a, 128);
	set_regs(m, 0, &r);
	meet(m, symbol(m, "IopReadDisk"));
	assert_memory_equal(regs_of(m, 0).fx + 0xa0, r.fx + 0xa0, 128);
}

static void refuses_what_is_no_image(void **state)
{
	char kernel[600];
	struct guest_setup setup = { .arch = GUEST_AMD64, .processors = 1, .kernel = image(kernel, sizeof kernel, GUEST_I386, "ntoskrnl.exe") };

	(void)state;
	assert_null(guest_boot(&setup));
	setup.kernel = "/proc/self/exe";
	assert_null(guest_boot(&setup));
}

#define TEST(f) { #f, f }
static const struct {
	const char *name;
	CMUnitTestFunction run;
} tests[] = {
	TEST(boots_and_tells),
	TEST(is_known_by_its_structures),
	TEST(meets_an_int3_and_steps),
	TEST(watches_by_debug_registers),
	TEST(breaks_by_debug_registers),
	TEST(faults),
	TEST(jumps_nowhere),
	TEST(is_confined),
	TEST(is_asked_and_told),
	TEST(unloads_and_loads),
	TEST(bugchecks_and_ends),
	TEST(is_interrupted),
	TEST(tells_every_processor),
	TEST(loses_no_trap),
	TEST(forgets_what_was_undone),
	TEST(stops_a_thousand_times),
	TEST(holds_floating_point),
};

enum { KINDS = sizeof kinds / sizeof *kinds, TESTS = sizeof tests / sizeof *tests };

int main(void)
{
	static const char *const names[KINDS] = { "amd64, two processors", "i386, two processors", "amd64 elsewhere", "i386 elsewhere" };
	static struct machine machines[KINDS];
	static struct CMUnitTest all[TESTS];
	int failed = 0;

	for (size_t kind = 0; kind < KINDS; kind++) {
		machines[kind] = kinds[kind];
		for (size_t i = 0; i < TESTS; i++)
			all[i] = (struct CMUnitTest){ tests[i].name, tests[i].run, begin, end, &machines[kind] };
		failed += _cmocka_run_group_tests(names[kind], all, TESTS, NULL, NULL);
	}
	const struct CMUnitTest refusals[] = { cmocka_unit_test(refuses_what_is_no_image) };

	return failed + cmocka_run_group_tests(refusals, NULL, NULL);
}
