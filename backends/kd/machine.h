/* machine.h - the kinds of processor a KD target may have, and the width of their addresses. */
#ifndef BACKENDS_KD_MACHINE_H
#define BACKENDS_KD_MACHINE_H

#include <stddef.h>
#include <stdint.h>

enum kd_machine { KD_MACHINE_NONE, KD_I386, KD_AMD64, KD_ARM64, KD_MACHINES };

/* From the version block's MachineType (KD 4.1); KD_MACHINE_NONE: none we know. */
static inline enum kd_machine kd_machine_of(uint16_t machine_type)
{
	switch (machine_type) {
	case 0x014c:
		return KD_I386;
	case 0x8664:
		return KD_AMD64;
	case 0xaa64:
		return KD_ARM64;
	default:
		return KD_MACHINE_NONE;
	}
}

/* In bytes. A machine we do not know is taken for one of 64 bits: nothing is cut off its addresses. */
static inline size_t kd_pointer_size(enum kd_machine machine)
{
	return machine == KD_I386 ? 4 : 8;
}

enum { KD_PAGE = 4096 }; /* in bytes, of every machine */

/* From addr to the end of its page. */
static inline size_t kd_page_left(uint64_t addr)
{
	return KD_PAGE - (size_t)(addr % KD_PAGE);
}

/* As it goes on the wire: a 32-bit target's addresses are sign-extended there (KD 2.1). */
static inline uint64_t kd_extend(enum kd_machine machine, uint64_t addr)
{
	return machine == KD_I386 ? (uint64_t)(int64_t)(int32_t)(uint32_t)addr : addr;
}

/* As the target itself sees it. */
static inline uint64_t kd_narrow(enum kd_machine machine, uint64_t addr)
{
	return machine == KD_I386 ? (uint32_t)addr : addr;
}

#endif
