/* state.h - state changes: what a KD target says when it stops (KD 2). */
#ifndef BACKENDS_KD_STATE_H
#define BACKENDS_KD_STATE_H

#include "backends/kd/machine.h"
#include "backends/kd/names.h"
#include "base/buf.h"

enum kd_kind { KD_EXCEPTION, KD_LOAD_SYMBOLS, KD_COMMAND_STRING, KD_STATE_UNKNOWN /* treat it as a stop */ };

enum { KD_STATE_LEAST = 32, KD_STATE_BYTES = 240, KD_PROCESSORS_MAX = 2048, KD_PARAMETERS_MAX = 15, KD_STREAM_MAX = 16 };

struct kd_exception {
	uint32_t code, flags;
	uint64_t address; /* use the state's pc: the boot debugger's address is one less, ReactOS's one more */
	unsigned params;  /* of info; clamped */
	uint64_t info[KD_PARAMETERS_MAX];
	bool first_chance;
};

struct kd_load {
	uint64_t base, process;
	uint32_t size, checksum;
	bool unload;
	bool everything;  /* all images are gone: winload hands over, a bugcheck, a reboot */
	struct span path; /* 8-bit text as it came, any bytes, without its NUL; into the payload. Empty: none */
};

/* Registers that come with every report, so need not be asked for (KD 2.5). What the machine has no such field for is 0. */
struct kd_report {
	bool have; /* false: the machine is not known, or the payload ends before it */
	uint64_t dr6, dr7;
	uint32_t eflags; /* ARM64's report has none */
	uint16_t cs, ds, es, fs;
	unsigned stream_n; /* the target has deleted its breakpoints in [pc, pc + stream_n), before it reported */
	uint8_t stream[KD_STREAM_MAX];
};

/* Addresses are narrowed. What the payload is too short for is 0. */
struct kd_state {
	enum kd_kind kind;
	uint32_t code;       /* NewState as it came */
	uint16_t level;
	uint16_t processor;  /* < processors */
	unsigned processors; /* 1 to KD_PROCESSORS_MAX: as many as the target knows now, it grows while it boots */
	uint64_t thread, pc; /* thread 0: the boot debugger */
	struct kd_exception exception; /* of KD_EXCEPTION; zeros otherwise */
	struct kd_load load;           /* of KD_LOAD_SYMBOLS; zeros otherwise */
	struct kd_report report;
};

static inline bool kd_state_is(const struct kd_state *s, uint32_t exception)
{
	return s->kind == KD_EXCEPTION && s->exception.code == exception;
}

/* A stop that a debugger brings about: no exception that the kernel would have to deal with. */
static inline bool kd_state_is_debuggers(const struct kd_state *s)
{
	return kd_state_is(s, KD_BREAKPOINT) || kd_state_is(s, KD_SINGLE_STEP) || kd_state_is(s, KD_WAKE_DEBUGGER);
}

/* The payload of a packet of type 7. m may be KD_MACHINE_NONE (the first stop comes before the version is known): then nothing is
 * narrowed and there is no report; keep the payload, and parse it again. What follows the report is ignored, but for a path at its
 * end. A command string is not read at all. 0; -EBADMSG shorter than KD_STATE_LEAST, or a processor that cannot be. */
int kd_state_parse(struct span payload, enum kd_machine m, struct kd_state *out) MUST_USE;

/* The payload of a packet of type 1, of NT4's time (KD 2.6): 32-bit fields, no report. */
int kd_state32_parse(struct span payload, struct kd_state *out) MUST_USE;

#endif
