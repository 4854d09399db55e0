/* version.c - see version.h. */
#include "backends/kd/version.h"

#include "backends/kd/le.h"

#include <errno.h>

enum { VERSION_BYTES = 40, FLAG_DATA = 2, LOW_CHECKED = 0x0c, MAJOR_BOOT = 4 };

int kd_version_parse(struct span block, struct kd_version *out)
{
	*out = (struct kd_version){ .major = (uint16_t)le_get(block, 0, 2), .minor = (uint16_t)le_get(block, 2, 2) };
	if (block.len < VERSION_BYTES)
		return -EBADMSG;
	out->protocol = (uint8_t)le_get(block, 4, 1);
	out->secondary = (uint8_t)le_get(block, 5, 1);
	out->flags = (uint16_t)le_get(block, 6, 2);
	out->type = (uint16_t)le_get(block, 8, 2);
	out->machine = kd_machine_of(out->type);
	out->checked = (out->major & 0xff) == LOW_CHECKED;
	out->boot = out->major >> 8 == MAJOR_BOOT;
	out->kern_base = kd_narrow(out->machine, le_get(block, 16, 8));
	out->module_list = kd_narrow(out->machine, le_get(block, 24, 8));
	if (out->flags & FLAG_DATA)
		out->data_list = kd_narrow(out->machine, le_get(block, 32, 8));
	return 0;
}

const char *kd_version_kind(const struct kd_version *v)
{
	static const char *const kinds[] = { "Windows", "Xbox", "BIG", "EXDI", "boot debugger", "EFI", "TNT", "Singularity", "hypervisor",
					     "Midori" };
	unsigned n = v->major >> 8;

	return n < sizeof kinds / sizeof *kinds ? kinds[n] : "unknown";
}
