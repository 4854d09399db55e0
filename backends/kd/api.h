/* api.h - requests to a stopped KD target, and its replies (KD 3). */
#ifndef BACKENDS_KD_API_H
#define BACKENDS_KD_API_H

#include "backends/kd/machine.h"
#include "base/buf.h"

enum kd_api {
	KD_READ_VIRTUAL = 0x3130,
	KD_WRITE_VIRTUAL,
	KD_GET_CONTEXT,
	KD_SET_CONTEXT,
	KD_WRITE_BREAKPOINT,
	KD_RESTORE_BREAKPOINT,
	KD_CONTINUE,
	KD_READ_CONTROL_SPACE,
	KD_WRITE_CONTROL_SPACE,
	KD_READ_IO_SPACE,
	KD_WRITE_IO_SPACE,
	KD_REBOOT,
	KD_CONTINUE2,
	KD_READ_PHYSICAL,
	KD_WRITE_PHYSICAL,
	KD_QUERY_SPECIAL_CALLS,
	KD_SET_SPECIAL_CALL,
	KD_CLEAR_SPECIAL_CALLS,
	KD_SET_INTERNAL_BREAKPOINT,
	KD_GET_INTERNAL_BREAKPOINT,
	KD_READ_IO_SPACE_EX,
	KD_WRITE_IO_SPACE_EX,
	KD_GET_VERSION,
	KD_WRITE_BREAKPOINT_EX,
	KD_RESTORE_BREAKPOINT_EX,
	KD_CAUSE_BUGCHECK,
	KD_SWITCH_PROCESSOR = 0x3150,
	KD_PAGE_IN,
	KD_READ_MSR,
	KD_WRITE_MSR,
	KD_SEARCH_MEMORY = 0x3156,
	KD_GET_BUS_DATA,
	KD_SET_BUS_DATA,
	KD_CHECK_LOW_MEMORY,
	KD_CLEAR_ALL_INTERNAL_BREAKPOINTS,
	KD_FILL_MEMORY,
	KD_QUERY_MEMORY,
	KD_SWITCH_PARTITION,
	KD_WRITE_CUSTOM_BREAKPOINT,
	KD_GET_CONTEXT_EX,
	KD_SET_CONTEXT_EX,
};

/* A packet holds KD_DATA_MAX bytes behind the header; over KDNET a memory read brings at most KD_NET_READ_MAX (KD 3.2). */
enum { KD_HEADER = 56, KD_REPLY_LEAST = 12, KD_DATA_MAX = 4000 - KD_HEADER, KD_NET_READ_MAX = 1096, KD_BREAKPOINTS = 32,
       KD_VERSION_BYTES = 40 };

/* Statuses. */
#define KD_SUCCESS 0U
#define KD_UNSUCCESSFUL 0xc0000001U /* whatever failed, and what the target does not know */
#define KD_DBG_CONTINUE 0x00010002U
#define KD_DBG_HANDLED 0x00010001U
#define KD_DBG_NOT_HANDLED 0x80010001U /* the target takes the exception; it ignores trace and dr7 then (KD 3.3) */
bool kd_status_ok(uint32_t status);    /* success or information */

/* Selectors of control space on amd64 and arm64 (KD 4.4); on i386 it is a byte offset into KPROCESSOR_STATE. */
enum kd_control { KD_CONTROL_KPCR, KD_CONTROL_KPRCB, KD_CONTROL_SPECIAL, KD_CONTROL_THREAD };
enum { KD_I386_SPECIAL = 0x2cc };

enum kd_caching { KD_CACHING_DEFAULT, KD_CACHED, KD_UNCACHED, KD_WRITE_COMBINED };

/* What is known about an API. */
struct kd_api_info {
	enum kd_api api;
	const char *name;
	bool has_reply;  /* false: an ACK is all that comes; of SwitchProcessor, a state change */
	bool idempotent; /* when its reply is lost it may be asked again */
};
const struct kd_api_info *kd_api_info(unsigned api); /* NULL: there is none */

/* Whose register file is meant. Memory is served by the processor that stopped, whatever this says (KD 7.3). */
struct kd_cpu {
	enum kd_machine machine;
	uint16_t index;
};

struct kd_request {
	enum kd_api api;
	struct kd_cpu cpu;
	uint64_t addr;    /* or port, MSR, selector of control space, handle, offset into a CONTEXT, continue status */
	uint64_t count;   /* bytes wanted, or bytes of data; of a search, of the memory to be searched */
	uint64_t value;   /* to be written to a port or MSR; caching; whole size of a CONTEXT; context flags; length of a pattern */
	uint64_t dr7;     /* of Continue2 */
	bool trace;       /* of Continue2 */
	struct span data; /* borrowed: must live until the put, not until the reply */
};

/* One function for each request. Addresses are the target's own, narrow on 32-bit machines. */
struct kd_request kd_get_version(struct kd_cpu cpu);
struct kd_request kd_read_virtual(struct kd_cpu cpu, uint64_t addr, size_t count);
struct kd_request kd_write_virtual(struct kd_cpu cpu, uint64_t addr, struct span data);
struct kd_request kd_read_physical(struct kd_cpu cpu, uint64_t addr, size_t count, enum kd_caching how);
struct kd_request kd_write_physical(struct kd_cpu cpu, uint64_t addr, struct span data, enum kd_caching how);
struct kd_request kd_get_context(struct kd_cpu cpu, uint32_t flags);
struct kd_request kd_set_context(struct kd_cpu cpu, uint32_t flags, struct span context); /* refused unless one was got in this stop */
struct kd_request kd_get_context_ex(struct kd_cpu cpu, size_t offset, size_t count);
/* Chunks in order: Windows takes them all when the last one has come; ReactOS each at once. */
struct kd_request kd_set_context_ex(struct kd_cpu cpu, size_t offset, size_t total, struct span data);
struct kd_request kd_write_breakpoint(struct kd_cpu cpu, uint64_t addr);
struct kd_request kd_restore_breakpoint(struct kd_cpu cpu, uint32_t handle);
struct kd_request kd_continue(struct kd_cpu cpu, uint32_t status);
/* To the processor that reported the stop. trace false clears TF; dr7 is loaded (amd64, i386): 0 kills the hardware breakpoints. */
struct kd_request kd_continue2(struct kd_cpu cpu, uint32_t status, bool trace, uint64_t dr7);
struct kd_request kd_read_control(struct kd_cpu cpu, uint64_t selector, size_t count);
struct kd_request kd_write_control(struct kd_cpu cpu, uint64_t selector, struct span data);
struct kd_request kd_read_io(struct kd_cpu cpu, uint64_t port, unsigned size);
struct kd_request kd_write_io(struct kd_cpu cpu, uint64_t port, unsigned size, uint32_t value);
struct kd_request kd_read_msr(struct kd_cpu cpu, uint32_t msr);
struct kd_request kd_write_msr(struct kd_cpu cpu, uint32_t msr, uint64_t value);
struct kd_request kd_reboot(struct kd_cpu cpu);
struct kd_request kd_cause_bugcheck(struct kd_cpu cpu);
struct kd_request kd_switch_processor(struct kd_cpu to);
struct kd_request kd_query_memory(struct kd_cpu cpu, uint64_t addr);
struct kd_request kd_search_memory(struct kd_cpu cpu, uint64_t addr, uint64_t length, struct span pattern);

/* The payload of a packet of type 2; what is not said is zero. 0; -ENOBUFS; -EINVAL no function above makes such a request, or its
 * data is longer than KD_DATA_MAX. */
int kd_request_put(struct buf *out, const struct kd_request *r) MUST_USE;

struct kd_reply {
	uint32_t status;
	uint16_t processor;
	size_t actual;       /* bytes read or written: at most what was asked; may be some although status is an error */
	uint64_t value;      /* of a port or MSR; where a search found it; space and flags of QueryMemory, flags in the high half */
	uint32_t handle;     /* of WriteBreakPoint: mostly 1 to KD_BREAKPOINTS; 0 only with an error */
	struct span data;    /* into the payload; of reads: actual bytes. GetContext: all there is, 1 to KD_DATA_MAX */
	struct span version; /* of GetVersion: KD_VERSION_BYTES into the payload; empty with an error */
};

/* asked is the request that is out; its data is not looked at.
 * 0: a reply to it, good or with an error status. Errors may come with a shorter header, then the rest is 0.
 * -EBADMSG: no answer to it (another API, processor or address: a reply to something before): drop it, and go on waiting.
 * -EPROTO: an answer, but one that cannot be: more than was asked for or came, or a success that brings nothing. The request has failed. */
int kd_reply_parse(struct span payload, const struct kd_request *asked, struct kd_reply *out) MUST_USE;

#endif
