/* version.h - what a KD target is: version block, KDDEBUGGER_DATA64, its modules and processors (KD 4.1, 8). */
#ifndef BACKENDS_KD_VERSION_H
#define BACKENDS_KD_VERSION_H

#include "backends/kd/machine.h"
#include "base/buf.h"

struct kd_version {
	uint16_t major, minor; /* minor is the build */
	uint8_t protocol, secondary;
	uint16_t flags, type;  /* of the machine, as it came */
	enum kd_machine machine;
	bool checked;
	bool boot;             /* the boot debugger's: no data list, low addresses, no GetContextEx */
	uint64_t kern_base, module_list, data_list; /* narrowed; 0: none, or too early */
};
/* The 40 bytes at 16 of a GetVersion reply. 0, -EBADMSG shorter. */
int kd_version_parse(struct span block, struct kd_version *out) MUST_USE;
const char *kd_version_kind(const struct kd_version *v); /* "Windows", "boot debugger"... */

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

/* Fields of the block (KD 8.2). Pointers are narrowed. Offsets of others' fields are counted from the start of what is named first. */
enum kd_kdbg_field {
	KD_KDBG_KERN_BASE,
	KD_KDBG_BREAKPOINT_WITH_STATUS, /* the pc of break-ins */
	KD_KDBG_SAVED_CONTEXT,
	KD_KDBG_PAE,
	KD_KDBG_MODULE_LIST,  /* PsLoadedModuleList */
	KD_KDBG_PROCESS_HEAD, /* PsActiveProcessHead */
	KD_KDBG_CID_TABLE,
	KD_KDBG_BUGCHECK_DATA, /* KiBugcheckData: a code and 4 parameters, each a pointer wide */
	KD_KDBG_PHYSICAL_PAGES,
	KD_KDBG_PAGE_SIZE,
	KD_KDBG_HIGHEST_USER,
	KD_KDBG_SYSTEM_RANGE,
	KD_KDBG_BUILD_LAB,       /* NtBuildLab: address of text */
	KD_KDBG_PROCESSOR_BLOCK, /* KiProcessorBlock: array of pointers to KPRCBs */
	KD_KDBG_UNLOADED,
	KD_KDBG_LAST_UNLOADED,
	KD_KDBG_CSD_VERSION,
	KD_KDBG_LOADER_BLOCK,
	KD_KDBG_PTE_BASE,
	KD_KDBG_THREAD_TEB,
	KD_KDBG_THREAD_PROCESS,
	KD_KDBG_THREAD_STATE,
	KD_KDBG_PROCESS_SIZE,
	KD_KDBG_PROCESS_PEB,
	KD_KDBG_PROCESS_PARENT,
	KD_KDBG_PROCESS_DIRECTORY, /* DirectoryTableBase */
	KD_KDBG_PRCB_SIZE,
	KD_KDBG_PRCB_THREAD,  /* CurrentThread */
	KD_KDBG_PRCB_MHZ,
	KD_KDBG_PRCB_VENDOR,
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

/* A UNICODE_STRING: where its UTF-16LE bytes are, even, at most KD_NAME_BYTES. */
enum { KD_NAME_BYTES = 1024 };
struct kd_string {
	uint64_t addr;
	uint16_t bytes;
};

/* LDR_DATA_TABLE_ENTRY (KD 8.3). */
struct kd_module {
	uint64_t next; /* Flink */
	uint64_t base, entry;
	uint32_t size, flags, checksum;
	uint32_t timestamp; /* 64-bit kernels since Windows 8 only, 0 elsewhere: older ones have something else there, the image's own is surer */
	struct kd_string path, name;
};
size_t kd_module_bytes(enum kd_machine m); /* how much of an entry to read; less will do down to the names */
int kd_module_parse(struct span entry, enum kd_machine m, struct kd_module *out) MUST_USE; /* 0, -EBADMSG too short; an image that cannot be */

/* The list: read an entry at .at, parse, step with its next. */
enum { KD_MODULES_MAX = 4096 };
struct kd_module_walk {
	uint64_t head, at, mark;
	unsigned n, mark_at;
};
/* first is the Flink of the head. */
int kd_modules_begin(struct kd_module_walk *w, uint64_t head, uint64_t first) MUST_USE; /* as the step */
int kd_modules_step(struct kd_module_walk *w, uint64_t next) MUST_USE; /* 1 an entry is at .at; 0 that was all; -ELOOP it has no end */

/* Text out of a target made safe: printable UTF-8 in size bytes, ended by NUL, what is not printable as \xNN. Returns out. */
const char *kd_utf16_text(char *out, size_t size, struct span utf16);
struct span kd_base_name(struct span path); /* behind the last \ or / */
const char *kd_utf16_base(char *out, size_t size, struct span utf16); /* the text of the base name of a path */

/* PE headers, read from the base of an image. */
enum { KD_PE_MOST = 4096 /* bytes of headers that are looked at */, KD_PE_FIRST = 1024 /* mostly enough */ };
struct kd_pe {
	enum kd_machine machine;
	uint16_t sections;
	uint32_t timestamp, checksum;
	uint32_t size;       /* SizeOfImage */
	uint32_t entry;      /* relative to the base, as is text */
	uint32_t text;       /* the first section; 0x1000 where there are none */
	uint64_t image_base; /* in memory the loader has rewritten it: not where the file wants to be */
	size_t need;         /* after -EAGAIN */
};
/* 0; -EAGAIN read .need bytes, and once more; -EBADMSG that is no PE image. */
int kd_pe_parse(struct span headers, struct kd_pe *out) MUST_USE;

#endif
