/* api.c - see api.h. */
#include "backends/kd/api.h"

#include "backends/kd/le.h"

#include <errno.h>

static const struct kd_api_info infos[] = {
	{ KD_READ_VIRTUAL, "ReadVirtualMemory", true, true },
	{ KD_WRITE_VIRTUAL, "WriteVirtualMemory", true, true },
	{ KD_GET_CONTEXT, "GetContext", true, true },
	{ KD_SET_CONTEXT, "SetContext", true, true },
	{ KD_WRITE_BREAKPOINT, "WriteBreakPoint", true, false },
	{ KD_RESTORE_BREAKPOINT, "RestoreBreakPoint", true, true },
	{ KD_CONTINUE, "Continue", false, false },
	{ KD_READ_CONTROL_SPACE, "ReadControlSpace", true, true },
	{ KD_WRITE_CONTROL_SPACE, "WriteControlSpace", true, true },
	{ KD_READ_IO_SPACE, "ReadIoSpace", true, false },
	{ KD_WRITE_IO_SPACE, "WriteIoSpace", true, false },
	{ KD_REBOOT, "Reboot", false, false },
	{ KD_CONTINUE2, "Continue2", false, false },
	{ KD_READ_PHYSICAL, "ReadPhysicalMemory", true, true },
	{ KD_WRITE_PHYSICAL, "WritePhysicalMemory", true, false },
	{ KD_QUERY_SPECIAL_CALLS, "QuerySpecialCalls", true, true },
	{ KD_SET_SPECIAL_CALL, "SetSpecialCall", true, false },
	{ KD_CLEAR_SPECIAL_CALLS, "ClearSpecialCalls", true, true },
	{ KD_SET_INTERNAL_BREAKPOINT, "SetInternalBreakPoint", true, false },
	{ KD_GET_INTERNAL_BREAKPOINT, "GetInternalBreakPoint", true, true },
	{ KD_READ_IO_SPACE_EX, "ReadIoSpaceExtended", true, false },
	{ KD_WRITE_IO_SPACE_EX, "WriteIoSpaceExtended", true, false },
	{ KD_GET_VERSION, "GetVersion", true, true },
	{ KD_WRITE_BREAKPOINT_EX, "WriteBreakPointEx", true, false },
	{ KD_RESTORE_BREAKPOINT_EX, "RestoreBreakPointEx", true, true },
	{ KD_CAUSE_BUGCHECK, "CauseBugCheck", false, false },
	{ KD_SWITCH_PROCESSOR, "SwitchProcessor", false, false },
	{ KD_PAGE_IN, "PageIn", true, false },
	{ KD_READ_MSR, "ReadMachineSpecificRegister", true, true },
	{ KD_WRITE_MSR, "WriteMachineSpecificRegister", true, false },
	{ KD_SEARCH_MEMORY, "SearchMemory", true, true },
	{ KD_GET_BUS_DATA, "GetBusData", true, false },
	{ KD_SET_BUS_DATA, "SetBusData", true, false },
	{ KD_CHECK_LOW_MEMORY, "CheckLowMemory", true, true },
	{ KD_CLEAR_ALL_INTERNAL_BREAKPOINTS, "ClearAllInternalBreakpoints", false, true },
	{ KD_FILL_MEMORY, "FillMemory", true, false },
	{ KD_QUERY_MEMORY, "QueryMemory", true, true },
	{ KD_SWITCH_PARTITION, "SwitchPartition", true, false },
	{ KD_WRITE_CUSTOM_BREAKPOINT, "WriteCustomBreakpoint", true, false },
	{ KD_GET_CONTEXT_EX, "GetContextEx", true, true },
	{ KD_SET_CONTEXT_EX, "SetContextEx", true, true },
};
enum { INFOS = sizeof infos / sizeof *infos };

/* VIRTUAL: addr is one of the target's own. ECHO: the reply says addr again, or 0 (some stubs). REGISTERS: one processor's.
 * LONGER: ReactOS answers with more than was asked for. FOUND: the reply's value is an address, in addr's place. DATA, WHOLE, VERSION:
 * the reply brings .actual bytes, all there is, the block. */
enum trait { VIRTUAL = 1, ECHO = 2, REGISTERS = 4, LONGER = 8, FOUND = 16, DATA = 32, WHOLE = 64, VERSION = 128 };

/* Where a field lies; bytes 0: there is none. */
struct place {
	uint8_t at, bytes;
};

/* addr, count and value of a request; actual, value and handle of its reply (KD 3.2). */
static const struct shape {
	enum kd_api api;
	unsigned traits;
	struct place addr, count, value, actual, got, handle;
} shapes[] = {
	{ KD_READ_VIRTUAL, VIRTUAL | ECHO | DATA, .addr = { 16, 8 }, .count = { 24, 4 }, .actual = { 28, 4 } },
	{ KD_WRITE_VIRTUAL, VIRTUAL | ECHO, .addr = { 16, 8 }, .count = { 24, 4 }, .actual = { 28, 4 } },
	{ KD_GET_CONTEXT, REGISTERS | WHOLE, .value = { 16, 4 } },
	{ KD_SET_CONTEXT, REGISTERS, .value = { 16, 4 } },
	{ KD_WRITE_BREAKPOINT, VIRTUAL | ECHO, .addr = { 16, 8 }, .handle = { 24, 4 } },
	{ KD_RESTORE_BREAKPOINT, ECHO, .addr = { 16, 4 } },
	{ KD_CONTINUE, 0, .addr = { 16, 4 } },
	{ KD_CONTINUE2, 0, .addr = { 16, 4 } },
	{ KD_READ_CONTROL_SPACE, REGISTERS | ECHO | DATA | LONGER, .addr = { 16, 8 }, .count = { 24, 4 }, .actual = { 28, 4 } },
	{ KD_WRITE_CONTROL_SPACE, REGISTERS | ECHO | LONGER, .addr = { 16, 8 }, .count = { 24, 4 }, .actual = { 28, 4 } },
	{ KD_READ_IO_SPACE, ECHO, .addr = { 16, 8 }, .count = { 24, 4 }, .got = { 28, 4 } },
	{ KD_WRITE_IO_SPACE, ECHO, .addr = { 16, 8 }, .count = { 24, 4 }, .value = { 28, 4 } },
	{ KD_READ_MSR, REGISTERS | ECHO, .addr = { 16, 4 }, .got = { 20, 8 } },
	{ KD_WRITE_MSR, REGISTERS | ECHO, .addr = { 16, 4 }, .value = { 20, 8 } },
	{ KD_READ_PHYSICAL, ECHO | DATA, .addr = { 16, 8 }, .count = { 24, 4 }, .value = { 28, 4 }, .actual = { 28, 4 } },
	{ KD_WRITE_PHYSICAL, ECHO, .addr = { 16, 8 }, .count = { 24, 4 }, .value = { 28, 4 }, .actual = { 28, 4 } },
	{ KD_GET_CONTEXT_EX, REGISTERS | ECHO | DATA, .addr = { 16, 4 }, .count = { 20, 4 }, .actual = { 24, 4 } },
	{ KD_SET_CONTEXT_EX, REGISTERS | ECHO, .addr = { 16, 4 }, .count = { 20, 4 }, .value = { 24, 4 }, .actual = { 24, 4 } },
	{ KD_QUERY_MEMORY, VIRTUAL | ECHO, .addr = { 16, 8 }, .got = { 32, 8 } },
	{ KD_SEARCH_MEMORY, VIRTUAL | FOUND, .addr = { 16, 8 }, .count = { 24, 8 }, .value = { 32, 4 }, .got = { 16, 8 } },
	{ KD_GET_VERSION, VERSION, .addr = { 0, 0 } },
	{ KD_REBOOT, 0, .addr = { 0, 0 } },
	{ KD_CAUSE_BUGCHECK, 0, .addr = { 0, 0 } },
	{ KD_SWITCH_PROCESSOR, 0, .addr = { 0, 0 } },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Continue2's control set, packed (KD 3.3). A symbol range of 1 to 0 is none. arm64 has neither; DR7 is not its. */
static const struct go {
	enum kd_machine machine;
	struct place dr7, range;
} goes[] = {
	{ KD_AMD64, { 24, 8 }, { 32, 8 } },
	{ KD_I386, { 24, 4 }, { 28, 4 } },
	{ KD_ARM64, { 0, 0 }, { 0, 0 } },
};
enum { GOES = sizeof goes / sizeof *goes, TRACE_AT = 20 };

bool kd_status_ok(uint32_t status)
{
	return status < 0x80000000U;
}

const struct kd_api_info *kd_api_info(unsigned api)
{
	for (size_t i = 0; i < INFOS; i++)
		if (infos[i].api == api)
			return &infos[i];
	return NULL;
}

static const struct shape *shape_of(enum kd_api api)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (shapes[i].api == api)
			return &shapes[i];
	return NULL;
}

static void set(uint8_t *header, struct place p, uint64_t value)
{
	le_put(header + p.at, p.bytes, value);
}

static uint64_t get(struct span s, struct place p)
{
	return le_get(s, p.at, p.bytes);
}

static int set_go(uint8_t *header, const struct kd_request *r)
{
	for (size_t i = 0; i < GOES; i++) {
		if (goes[i].machine != r->cpu.machine)
			continue;
		le_put(header + TRACE_AT, 4, r->trace);
		set(header, goes[i].dr7, r->dr7);
		set(header, goes[i].range, 1);
		return 0;
	}
	return -EINVAL;
}

int kd_request_put(struct buf *out, const struct kd_request *r)
{
	const struct shape *shape = shape_of(r->api);
	uint8_t header[KD_HEADER] = { 0 };

	if (!shape || r->data.len > KD_DATA_MAX)
		return -EINVAL;
	le_put(header, 4, r->api);
	le_put(header + 6, 2, r->cpu.index);
	set(header, shape->addr, shape->traits & VIRTUAL ? kd_extend(r->cpu.machine, r->addr) : r->addr);
	set(header, shape->count, r->count);
	set(header, shape->value, r->value);
	if (r->api == KD_CONTINUE2 && set_go(header, r) < 0)
		return -EINVAL;
	if (buf_room(out) < sizeof header + r->data.len)
		return -ENOBUFS;
	return buf_put(out, header, sizeof header) < 0 || buf_put_span(out, r->data) < 0 ? -ENOBUFS : 0;
}

struct kd_request kd_get_version(struct kd_cpu cpu)
{
	return (struct kd_request){ .api = KD_GET_VERSION, .cpu = cpu };
}

struct kd_request kd_read_virtual(struct kd_cpu cpu, uint64_t addr, size_t count)
{
	return (struct kd_request){ .api = KD_READ_VIRTUAL, .cpu = cpu, .addr = addr, .count = count };
}

struct kd_request kd_write_virtual(struct kd_cpu cpu, uint64_t addr, struct span data)
{
	return (struct kd_request){ .api = KD_WRITE_VIRTUAL, .cpu = cpu, .addr = addr, .count = data.len, .data = data };
}

struct kd_request kd_read_physical(struct kd_cpu cpu, uint64_t addr, size_t count, enum kd_caching how)
{
	return (struct kd_request){ .api = KD_READ_PHYSICAL, .cpu = cpu, .addr = addr, .count = count, .value = how };
}

struct kd_request kd_write_physical(struct kd_cpu cpu, uint64_t addr, struct span data, enum kd_caching how)
{
	return (struct kd_request){ .api = KD_WRITE_PHYSICAL, .cpu = cpu, .addr = addr, .count = data.len, .value = how, .data = data };
}

struct kd_request kd_get_context(struct kd_cpu cpu, uint32_t flags)
{
	return (struct kd_request){ .api = KD_GET_CONTEXT, .cpu = cpu, .value = flags };
}

struct kd_request kd_set_context(struct kd_cpu cpu, uint32_t flags, struct span context)
{
	return (struct kd_request){ .api = KD_SET_CONTEXT, .cpu = cpu, .value = flags, .data = context };
}

struct kd_request kd_get_context_ex(struct kd_cpu cpu, size_t offset, size_t count)
{
	return (struct kd_request){ .api = KD_GET_CONTEXT_EX, .cpu = cpu, .addr = offset, .count = count };
}

struct kd_request kd_set_context_ex(struct kd_cpu cpu, size_t offset, size_t total, struct span data)
{
	return (struct kd_request){ .api = KD_SET_CONTEXT_EX, .cpu = cpu, .addr = offset, .count = data.len, .value = total, .data = data };
}

struct kd_request kd_write_breakpoint(struct kd_cpu cpu, uint64_t addr)
{
	return (struct kd_request){ .api = KD_WRITE_BREAKPOINT, .cpu = cpu, .addr = addr };
}

struct kd_request kd_restore_breakpoint(struct kd_cpu cpu, uint32_t handle)
{
	return (struct kd_request){ .api = KD_RESTORE_BREAKPOINT, .cpu = cpu, .addr = handle };
}

struct kd_request kd_continue(struct kd_cpu cpu, uint32_t status)
{
	return (struct kd_request){ .api = KD_CONTINUE, .cpu = cpu, .addr = status };
}

struct kd_request kd_continue2(struct kd_cpu cpu, uint32_t status, bool trace, uint64_t dr7)
{
	return (struct kd_request){ .api = KD_CONTINUE2, .cpu = cpu, .addr = status, .trace = trace, .dr7 = dr7 };
}

struct kd_request kd_read_control(struct kd_cpu cpu, uint64_t selector, size_t count)
{
	return (struct kd_request){ .api = KD_READ_CONTROL_SPACE, .cpu = cpu, .addr = selector, .count = count };
}

struct kd_request kd_write_control(struct kd_cpu cpu, uint64_t selector, struct span data)
{
	return (struct kd_request){ .api = KD_WRITE_CONTROL_SPACE, .cpu = cpu, .addr = selector, .count = data.len, .data = data };
}

struct kd_request kd_read_io(struct kd_cpu cpu, uint64_t port, unsigned size)
{
	return (struct kd_request){ .api = KD_READ_IO_SPACE, .cpu = cpu, .addr = port, .count = size };
}

struct kd_request kd_write_io(struct kd_cpu cpu, uint64_t port, unsigned size, uint32_t value)
{
	return (struct kd_request){ .api = KD_WRITE_IO_SPACE, .cpu = cpu, .addr = port, .count = size, .value = value };
}

struct kd_request kd_read_msr(struct kd_cpu cpu, uint32_t msr)
{
	return (struct kd_request){ .api = KD_READ_MSR, .cpu = cpu, .addr = msr };
}

struct kd_request kd_write_msr(struct kd_cpu cpu, uint32_t msr, uint64_t value)
{
	return (struct kd_request){ .api = KD_WRITE_MSR, .cpu = cpu, .addr = msr, .value = value };
}

struct kd_request kd_reboot(struct kd_cpu cpu)
{
	return (struct kd_request){ .api = KD_REBOOT, .cpu = cpu };
}

struct kd_request kd_cause_bugcheck(struct kd_cpu cpu)
{
	return (struct kd_request){ .api = KD_CAUSE_BUGCHECK, .cpu = cpu };
}

struct kd_request kd_switch_processor(struct kd_cpu to)
{
	return (struct kd_request){ .api = KD_SWITCH_PROCESSOR, .cpu = to };
}

struct kd_request kd_query_memory(struct kd_cpu cpu, uint64_t addr)
{
	return (struct kd_request){ .api = KD_QUERY_MEMORY, .cpu = cpu, .addr = addr };
}

struct kd_request kd_search_memory(struct kd_cpu cpu, uint64_t addr, uint64_t length, struct span pattern)
{
	return (struct kd_request){ .api = KD_SEARCH_MEMORY, .cpu = cpu, .addr = addr, .count = length, .value = pattern.len, .data = pattern };
}

/* By what a reply repeats of its request. A short error has no address in it. */
static bool answers(struct span p, const struct kd_request *asked, const struct shape *shape)
{
	struct place addr = shape->addr;
	uint64_t said = get(p, addr), want = asked->addr;

	if (p.len < KD_REPLY_LEAST || le_get(p, 0, 4) != asked->api || !kd_api_info(asked->api)->has_reply)
		return false;
	if (shape->traits & REGISTERS && le_get(p, 6, 2) != asked->cpu.index)
		return false;
	if (shape->traits & VIRTUAL) {
		said = kd_narrow(asked->cpu.machine, said);
		want = kd_narrow(asked->cpu.machine, want);
	}
	return !(shape->traits & ECHO) || said == want || !said;
}

/* Of an error, and of what is longer by custom, as much as can be true is taken. */
static int take_actual(struct span data, uint64_t count, const struct shape *shape, struct kd_reply *out, uint64_t actual)
{
	uint64_t most = shape->traits & DATA && data.len < count ? data.len : count;

	if (kd_status_ok(out->status) && shape->traits & DATA && actual > data.len)
		return -EPROTO;
	if (actual > most && kd_status_ok(out->status) && !(shape->traits & LONGER))
		return -EPROTO;
	if (kd_status_ok(out->status) && !actual && count)
		return -EPROTO;
	out->actual = (size_t)(actual < most ? actual : most);
	return 0;
}

static void take_data(struct span data, struct span header, const struct shape *shape, struct kd_reply *out)
{
	bool ok = kd_status_ok(out->status);

	if (shape->traits & DATA)
		out->data = (struct span){ data.p, out->actual };
	if (shape->traits & WHOLE && ok)
		out->data = (struct span){ data.p, data.len < KD_DATA_MAX ? data.len : KD_DATA_MAX };
	if (shape->traits & VERSION && ok)
		out->version = (struct span){ header.p + 16, KD_VERSION_BYTES };
}

static int take_rest(struct span p, const struct kd_request *asked, const struct shape *shape, struct kd_reply *out)
{
	struct span data = span_from(p, KD_HEADER);
	int rc = shape->actual.bytes ? take_actual(data, asked->count, shape, out, get(p, shape->actual)) : 0;

	take_data(data, p, shape, out);
	if (rc || !kd_status_ok(out->status))
		return rc;
	out->value = shape->traits & FOUND ? kd_narrow(asked->cpu.machine, get(p, shape->got)) : get(p, shape->got);
	out->handle = (uint32_t)get(p, shape->handle);
	return (shape->handle.bytes && !out->handle) || (shape->traits & WHOLE && !out->data.len) ? -EPROTO : 0;
}

int kd_reply_parse(struct span payload, const struct kd_request *asked, struct kd_reply *out)
{
	const struct shape *shape = shape_of(asked->api);
	struct span none = { payload.p, 0 };

	*out = (struct kd_reply){ .data = none, .version = none };
	if (!shape || !answers(payload, asked, shape))
		return -EBADMSG;
	out->processor = (uint16_t)le_get(payload, 6, 2);
	out->status = (uint32_t)le_get(payload, 8, 4);
	if (payload.len < KD_HEADER)
		return kd_status_ok(out->status) ? -EPROTO : 0;
	return take_rest(payload, asked, shape, out);
}
