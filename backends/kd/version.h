/* version.h - what a KD target says it is (KD 4.1); with it, the data that its kernel keeps for debuggers. */
#ifndef BACKENDS_KD_VERSION_H
#define BACKENDS_KD_VERSION_H

#include "backends/kd/kdbg.h"
#include "backends/kd/machine.h"
#include "backends/kd/module.h"
#include "backends/kd/pe.h"
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

#endif
