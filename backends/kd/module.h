/* module.h - a kernel's list of its images and their names (KD 8.3). */
#ifndef BACKENDS_KD_MODULE_H
#define BACKENDS_KD_MODULE_H

#include "backends/kd/machine.h"
#include "base/buf.h"

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
	uint32_t timestamp; /* only of 64-bit kernels since Windows 8: older ones have something else there. The image's own is surer */
	struct kd_string path, name;
};
size_t kd_module_bytes(enum kd_machine m); /* how much of an entry to read; less will do down to the names */
int kd_module_parse(struct span entry, enum kd_machine m, struct kd_module *out) MUST_USE; /* 0; -EBADMSG too short (next is 0), or an image that cannot be: go on to the next */

/* The list: read an entry at .at, parse, step with its next. */
enum { KD_MODULES_MAX = 4096 };
struct kd_module_walk {
	uint64_t head, at, mark;
	unsigned n;
};
/* first is the Flink of the head. */
int kd_modules_begin(struct kd_module_walk *w, uint64_t head, uint64_t first) MUST_USE; /* as the step */
int kd_modules_step(struct kd_module_walk *w, uint64_t next) MUST_USE; /* 1 an entry is at .at; 0 that was all; -ELOOP it has no end */

/* Text out of a target made safe: printable UTF-8 in size bytes, ended by NUL, what is not printable as \xNN. Returns out. */
const char *kd_utf16_text(char *out, size_t size, struct span utf16);
struct span kd_base_name(struct span path); /* behind the last \ or / */
const char *kd_utf16_base(char *out, size_t size, struct span utf16); /* the text of the base name of a path */

#endif
