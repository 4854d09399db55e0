/* quirks.c - see quirks.h. "KD" is kd-protocol.md, "R" kd-reactos.md, "W" kd-modern-windows.md. */
#include "tests/sim/kdtarget/quirks.h"

#include <stdio.h>
#include <string.h>

#define BIT(q) (UINT64_C(1) << (q))

static const struct {
	const char *name, *words;
} quirks[QUIRK_COUNT] = {
	[QUIRK_HIDE_INT3] = { "hide-int3", "reads show what stood below a breakpoint (KD 7.2)" },
	[QUIRK_PARTIAL_READS] = { "partial-reads", "a read that fails answers the bytes before the hole, with the error (R 11)" },
	[QUIRK_EXTRA_BYTES] = { "extra-bytes", "4 bytes more behind an exception's state change (R 11)" },
	[QUIRK_KDBG_ZERO_EXTENDED] = { "kdbg-zero-extended", "i386: addresses in the KDBG block are zero-extended (R 12)" },
	[QUIRK_PRINTS_FIRST] = { "prints-first", "an unknown API is printed, then refused (R 13)" },
	[QUIRK_PRINTS_BETWEEN] = { "prints-between", "a print comes between every fifth request and its answer (R 13)" },
	[QUIRK_UNPROVOKED_RESEND] = { "unprovoked-resend", "every 16th good packet is answered RESEND, and not taken (R 5)" },
	[QUIRK_LOSSY_BREAKIN] = { "lossy-breakin", "every other break-in is lost (R 7)" },
	[QUIRK_STALE_BREAKIN] = { "stale-breakin", "a break-in leaves another pending (W 5.4)" },
	[QUIRK_BREAKIN_IN_PLACE] = { "breakin-in-place", "a break-in is told where the processor just was: no int3 at PC (R 7)" },
	[QUIRK_ADDRESS_AFTER] = { "address-after", "amd64: ExceptionAddress of an int3 is behind it, PC is on it (R 8)" },
	[QUIRK_PC_AFTER] = { "pc-after", "PC of an int3 is behind it, ExceptionAddress is on it: the boot debugger (KD 2.2)" },
	[QUIRK_NO_CONTEXT_EX] = { "no-context-ex", "GetContextEx and SetContextEx are refused (W 6.1)" },
	[QUIRK_CHUNKS_AT_ONCE] = { "chunks-at-once", "each SetContextEx takes effect by itself (KD 3.2)" },
	[QUIRK_SET_CONTEXT_ALWAYS] = { "set-context-always", "SetContext needs no GetContext first (KD 3.2)" },
	[QUIRK_SLOW_CONTEXT] = { "slow-context", "SetContext takes 100 ms (R 15)" },
	[QUIRK_DR7_EVERYWHERE] = { "dr7-everywhere", "Continue2 writes Dr7 on every processor, and zeroes Dr6 (KD 3.3)" },
	[QUIRK_STICKY_DR6] = { "sticky-dr6", "Dr6 keeps its hits until it is written (W 8)" },
	[QUIRK_TF_LEAKS] = { "tf-leaks", "the first continue after a step keeps the trace flag (W 5.2)" },
	[QUIRK_SWITCH_RUNS] = { "switch-runs", "a continue on a processor switched to runs all: the one that stopped does not report again (KD 7.3)" },
	[QUIRK_TWICE] = { "twice", "every data packet comes twice (R 4)" },
	[QUIRK_LOSES_ACKS] = { "loses-acks", "every fifth ACK is lost on its way to the host (KD 1.3)" },
	[QUIRK_LOSES_PACKETS] = { "loses-packets", "every seventh data packet is lost on its way to the host (KD 1.4)" },
	[QUIRK_CORRUPTS] = { "corrupts", "every ninth data packet arrives with a wrong byte (KD 1.3)" },
	[QUIRK_READ_CAP] = { "read-cap", "a read answers at most 1096 bytes (KD 3.2)" },
	[QUIRK_SHORT_REFUSALS] = { "short-refusals", "what is unknown is answered by a header of 16 bytes: emulators (KD 3.1)" },
	[QUIRK_LONG_CONTROL_SPACE] = { "long-control-space", "control space is answered to its end, whatever was asked (KD 3.2)" },
	[QUIRK_RESTORE_KEEPS] = { "restore-keeps", "RestoreBreakPoint keeps the table's entry: a page that is not there (KD 7.2)" },
	[QUIRK_FILE_IO] = { "file-io", "asks the host for the driver's file before it loads (KD 6)" },
	[QUIRK_SHORT_PRINTS] = { "short-prints", "the header of a print has 12 bytes: old stubs (KD 5.1)" },
	[QUIRK_BOOT_DEBUGGER] = { "boot-debugger", "major type 4, no data list, no PTR64 (KD 4.1)" },
	[QUIRK_SILENT_LOADS] = { "silent-loads", "of a driver that comes or goes after the boot nothing is told (R 10)" },
	[QUIRK_ALTERNATE] = { "alternate", "NewState has the alternate flag 0x10000 (KD 2.1)" },
	[QUIRK_OLD_DATA_ACKS] = { "old-data-acks", "over KDNET: any data packet where an ACK is due is taken for it, an old one too (KD 1.3)" },
};

static const struct profile profiles[] = {
	{ "windows", BIT(QUIRK_HIDE_INT3) | BIT(QUIRK_STICKY_DR6), 1000, 20, 0x000f, 9600, 2, "\\SystemRoot\\system32\\ntoskrnl.exe" },
	{ "reactos",
	  BIT(QUIRK_PARTIAL_READS) | BIT(QUIRK_EXTRA_BYTES) | BIT(QUIRK_KDBG_ZERO_EXTENDED) | BIT(QUIRK_PRINTS_FIRST) | BIT(QUIRK_UNPROVOKED_RESEND) |
		  BIT(QUIRK_LOSSY_BREAKIN) | BIT(QUIRK_ADDRESS_AFTER) | BIT(QUIRK_CHUNKS_AT_ONCE) | BIT(QUIRK_SLOW_CONTEXT) | BIT(QUIRK_DR7_EVERYWHERE) |
		  BIT(QUIRK_LONG_CONTROL_SPACE) | BIT(QUIRK_SILENT_LOADS),
	  50, 20, 0x000c, 3790, 2, "multi(0)disk(0)cdrom(96)\\reactos\\system32\\ntoskrnl.exe" },
};

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

int quirk_find(const char *name)
{
	for (int i = 0; i < QUIRK_COUNT; i++)
		if (strcmp(quirks[i].name, name) == 0)
			return i;
	return -1;
}

void quirks_print(void)
{
	for (int i = 0; i < QUIRK_COUNT; i++) {
		printf("%-20s %s", quirks[i].name, quirks[i].words);
		for (size_t p = 0; p < sizeof profiles / sizeof *profiles; p++)
			if (profiles[p].quirks & BIT(i))
				printf(" [%s]", profiles[p].name);
		putchar('\n');
	}
}
