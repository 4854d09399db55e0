/* kdbg.h - KDDEBUGGER_DATA64: where a kernel tells its debugger what lies where; processors by it (KD 8). */
#ifndef BACKENDS_KD_KDBG_H
#define BACKENDS_KD_KDBG_H

#include "backends/kd/machine.h"
#include "base/buf.h"

struct kd_version;

/* Finding KDDEBUGGER_DATA64: DebuggerDataList is it, or the head of a list it is in. Read KD_KDBG_HEAD bytes at .at, step, until it is
 * found. A head is shorter: what could not be read may be missing. */
enum { KD_KDBG_HEAD = 32, KD_KDBG_LEAST = 0x20, KD_KDBG_MOST = 0x4000, KD_KDBG_LINKS = 64 };
struct kd_kdbg_walk {
	enum kd_machine machine;
	uint64_t kern_base, head, at;
	unsigned links;
	uint32_t size; /* when found */
};
bool kd_kdbg_begin(struct kd_kdbg_walk *w, const struct kd_version *v); /* false: the target has none */
int kd_kdbg_step(struct kd_kdbg_walk *w, struct span bytes) MUST_USE;   /* 1 found: .at, .size; 0 read there next; -ENOENT, -ELOOP */

/* Fields of the block (KD 8.2). Pointers are narrowed. Those named for a structure are offsets in it, or its size. */
enum kd_kdbg_field {
	KD_KDBG_KERN_BASE,
	KD_KDBG_BREAKPOINT_WITH_STATUS, /* the pc of break-ins */
	KD_KDBG_MODULE_LIST,  /* PsLoadedModuleList */
	KD_KDBG_BUGCHECK_DATA, /* KiBugcheckData: a code and 4 parameters, each a pointer wide */
	KD_KDBG_PAGE_SIZE,
	KD_KDBG_BUILD_LAB,       /* NtBuildLab: address of text */
	KD_KDBG_PROCESSOR_BLOCK, /* KiProcessorBlock: array of pointers to KPRCBs */
	KD_KDBG_PROCESS_DIRECTORY, /* DirectoryTableBase */
	KD_KDBG_PRCB_SIZE,
	KD_KDBG_PRCB_THREAD,  /* CurrentThread */
	KD_KDBG_PRCB_CONTEXT, /* ProcessorState's CONTEXT */
	KD_KDBG_PRCB_SPECIAL, /* ProcessorState's special registers */
	KD_KDBG_PRCB_NUMBER,
	KD_KDBG_PCR_SIZE,
	KD_KDBG_PCR_SELF,
	KD_KDBG_PCR_PRCB,     /* CurrentPrcb */
	KD_KDBG_PCR_CONTAINED,
	KD_KDBG_BREAKPOINTS_MAX,
	KD_KDBG_WATCHPOINTS_MAX,
	KD_KDBG_FIELDS
};
/* Of the block that was read, whole or its beginning. false, and 0: it ends before that field. */
bool kd_kdbg_get(struct span block, enum kd_machine m, enum kd_kdbg_field field, uint64_t *value);

/* Where the pointer to processor n's KPRCB lies, and where in a KPRCB its thread: by the block, or where that is empty, as in all that
 * were ever made for that machine; 0: not known (KD 8.4). */
uint64_t kd_prcb_slot(enum kd_machine m, uint64_t processor_block, unsigned n);
unsigned kd_prcb_thread(struct span block, enum kd_machine m);

#endif
