/* kdbg.c - see kdbg.h. */
#include "backends/kd/kdbg.h"

#include "backends/kd/le.h"
#include "backends/kd/state.h"
#include "backends/kd/version.h"

#include <errno.h>

enum { TAG = 0x4742444b, TAG_AT = 16, SIZE_AT = 20, BASE_AT = 24 };

bool kd_kdbg_begin(struct kd_kdbg_walk *w, const struct kd_version *v)
{
	*w = (struct kd_kdbg_walk){ .machine = v->machine, .kern_base = v->kern_base, .head = v->data_list, .at = v->data_list };
	return w->at != 0;
}

/* ReactOS's i386 kernel says its base sign-extended in one place and not in the other. */
static bool found(struct kd_kdbg_walk *w, struct span bytes)
{
	uint64_t size = le_get(bytes, SIZE_AT, 4), base = kd_narrow(w->machine, le_get(bytes, BASE_AT, 8));

	if (bytes.len < KD_KDBG_HEAD || le_get(bytes, TAG_AT, 4) != TAG || size < KD_KDBG_LEAST || size > KD_KDBG_MOST)
		return false;
	w->size = (uint32_t)size;
	return base == kd_narrow(w->machine, w->kern_base);
}

int kd_kdbg_step(struct kd_kdbg_walk *w, struct span bytes)
{
	uint64_t next = kd_narrow(w->machine, le_get(bytes, 0, kd_pointer_size(w->machine)));

	if (found(w, bytes))
		return 1;
	if (!next || next == w->head)
		return -ENOENT;
	w->at = next;
	return ++w->links > KD_KDBG_LINKS ? -ELOOP : 0;
}

static const struct field {
	uint16_t at, bytes;
} fields[KD_KDBG_FIELDS] = {
	[KD_KDBG_KERN_BASE] = { 0x18, 8 },
	[KD_KDBG_BREAKPOINT_WITH_STATUS] = { 0x20, 8 },
	[KD_KDBG_MODULE_LIST] = { 0x48, 8 },
	[KD_KDBG_BUGCHECK_DATA] = { 0x88, 8 },
	[KD_KDBG_PAGE_SIZE] = { 0x138, 8 },
	[KD_KDBG_BUILD_LAB] = { 0x208, 8 },
	[KD_KDBG_PROCESSOR_BLOCK] = { 0x218, 8 },
	[KD_KDBG_PROCESS_DIRECTORY] = { 0x2ae, 2 },
	[KD_KDBG_PRCB_SIZE] = { 0x2b0, 2 },
	[KD_KDBG_PRCB_THREAD] = { 0x2b4, 2 },
	[KD_KDBG_PRCB_CONTEXT] = { 0x2bc, 2 },
	[KD_KDBG_PRCB_NUMBER] = { 0x2be, 2 },
	[KD_KDBG_PRCB_SPECIAL] = { 0x2f2, 2 },
	[KD_KDBG_PCR_SIZE] = { 0x2e0, 2 },
	[KD_KDBG_PCR_SELF] = { 0x2e2, 2 },
	[KD_KDBG_PCR_PRCB] = { 0x2e4, 2 },
	[KD_KDBG_PCR_CONTAINED] = { 0x2e6, 2 },
	[KD_KDBG_BREAKPOINTS_MAX] = { 0x33a, 2 },
	[KD_KDBG_WATCHPOINTS_MAX] = { 0x33c, 2 },
};

bool kd_kdbg_get(struct span block, enum kd_machine m, enum kd_kdbg_field field, uint64_t *value)
{
	const struct field *f = &fields[field];

	*value = le_get(block, f->at, f->bytes);
	if (f->bytes == 8)
		*value = kd_narrow(m, *value);
	return block.len >= (size_t)f->at + f->bytes;
}

uint64_t kd_prcb_slot(enum kd_machine m, uint64_t processor_block, unsigned n)
{
	return processor_block && n < KD_PROCESSORS_MAX ? kd_narrow(m, processor_block + n * kd_pointer_size(m)) : 0;
}

unsigned kd_prcb_thread(struct span block, enum kd_machine m)
{
	static const unsigned always[KD_MACHINES] = { [KD_I386] = 4, [KD_AMD64] = 8 };
	uint64_t at;

	return kd_kdbg_get(block, m, KD_KDBG_PRCB_THREAD, &at) && at ? (unsigned)at : always[m];
}
