/* quirks.h - what may be wrong, or only different, in a KD target; a profile is a set of them. */
#ifndef SIM_KDTARGET_QUIRKS_H
#define SIM_KDTARGET_QUIRKS_H

#include <stdbool.h>
#include <stdint.h>

enum quirk {
	QUIRK_HIDE_INT3,
	QUIRK_PARTIAL_READS,
	QUIRK_EXTRA_BYTES,
	QUIRK_KDBG_ZERO_EXTENDED,
	QUIRK_PRINTS_FIRST,
	QUIRK_PRINTS_BETWEEN,
	QUIRK_UNPROVOKED_RESEND,
	QUIRK_LOSSY_BREAKIN,
	QUIRK_STALE_BREAKIN,
	QUIRK_BREAKIN_IN_PLACE,
	QUIRK_ADDRESS_AFTER,
	QUIRK_PC_AFTER,
	QUIRK_NO_CONTEXT_EX,
	QUIRK_CHUNKS_AT_ONCE,
	QUIRK_SET_CONTEXT_ALWAYS,
	QUIRK_SLOW_CONTEXT,
	QUIRK_DR7_EVERYWHERE,
	QUIRK_STICKY_DR6,
	QUIRK_TF_LEAKS,
	QUIRK_SWITCH_RUNS,
	QUIRK_TWICE,
	QUIRK_LOSES_ACKS,
	QUIRK_LOSES_PACKETS,
	QUIRK_CORRUPTS,
	QUIRK_READ_CAP,
	QUIRK_SHORT_REFUSALS,
	QUIRK_LONG_CONTROL_SPACE,
	QUIRK_RESTORE_KEEPS,
	QUIRK_FILE_IO,
	QUIRK_SHORT_PRINTS,
	QUIRK_BOOT_DEBUGGER,
	QUIRK_SILENT_LOADS,
	QUIRK_ALTERNATE,
	QUIRK_OLD_DATA_ACKS,
	QUIRK_COUNT
};

struct profile {
	const char *name;
	uint64_t quirks;         /* bits */
	unsigned timeout_ms, retries;
	uint16_t major, minor, flags; /* of the version block, without PTR64 and MP */
	const char *kernel_path; /* as load symbols tell it */
};

const struct profile *profile_find(const char *name); /* NULL: none */
int quirk_find(const char *name);                     /* -1: none */
void quirks_print(void);

#endif
