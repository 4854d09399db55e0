/* pe.h - the headers of an image in a target's memory: where its code is, which file it was. */
#ifndef BACKENDS_KD_PE_H
#define BACKENDS_KD_PE_H

#include "backends/kd/machine.h"
#include "base/buf.h"

/* Read from the base of an image. */
enum { KD_PE_MOST = 4096 /* bytes of headers that are looked at */, KD_PE_FIRST = 1024 /* mostly enough */ };
struct kd_pe {
	enum kd_machine machine;
	uint16_t sections;
	bool dll;            /* as its linker marked it: Microsoft's leaves kernels and drivers unmarked, GNU's marks what exports */
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
