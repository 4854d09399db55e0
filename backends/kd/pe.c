/* pe.c - see pe.h. */
#include "backends/kd/pe.h"

#include "backends/kd/le.h"

#include <errno.h>

/* Offsets in the DOS header; from the PE signature, as the PE format has them; in a section's header. */
enum { DOS_BYTES = 0x40, DOS_PE_AT = 0x3c, DOS_MAGIC = 0x5a4d, PE_SIGNATURE = 0x4550 };
enum { AT_MACHINE = 4, AT_SECTIONS = 6, AT_TIMESTAMP = 8, AT_OPTIONAL_SIZE = 20, AT_FLAGS = 22, AT_OPTIONAL = 24, AT_ENTRY = 40, AT_BASE64 = 48,
       AT_BASE32 = 52, AT_SIZE = 80, AT_CHECKSUM = 88, PE_BYTES = 92 };
enum { MAGIC32 = 0x10b, MAGIC64 = 0x20b, SECTION_BYTES = 40, SECTION_AT = 12, FLAG_DLL = 0x2000, NO_SECTIONS = 0x1000 };

static int need(struct span s, uint64_t bytes, struct kd_pe *out)
{
	if (bytes > KD_PE_MOST)
		return -EBADMSG;
	out->need = (size_t)bytes;
	return s.len < bytes ? -EAGAIN : 0;
}

static void take_pe(struct span pe, struct kd_pe *out)
{
	bool wide = le_get(pe, AT_OPTIONAL, 2) == MAGIC64;

	out->machine = kd_machine_of((uint16_t)le_get(pe, AT_MACHINE, 2));
	out->sections = (uint16_t)le_get(pe, AT_SECTIONS, 2);
	out->timestamp = (uint32_t)le_get(pe, AT_TIMESTAMP, 4);
	out->dll = le_get(pe, AT_FLAGS, 2) & FLAG_DLL;
	out->entry = (uint32_t)le_get(pe, AT_ENTRY, 4);
	out->image_base = wide ? le_get(pe, AT_BASE64, 8) : le_get(pe, AT_BASE32, 4);
	out->size = (uint32_t)le_get(pe, AT_SIZE, 4);
	out->checksum = (uint32_t)le_get(pe, AT_CHECKSUM, 4);
}

static bool is_pe(struct span pe)
{
	uint64_t magic = le_get(pe, AT_OPTIONAL, 2);

	return le_get(pe, 0, 4) == PE_SIGNATURE && (magic == MAGIC32 || magic == MAGIC64);
}

int kd_pe_parse(struct span headers, struct kd_pe *out)
{
	uint64_t at = le_get(headers, DOS_PE_AT, 4), table;
	struct span pe = span_from(headers, (size_t)at);
	int rc;

	*out = (struct kd_pe){ .text = NO_SECTIONS };
	if ((rc = need(headers, DOS_BYTES, out)))
		return rc;
	if (le_get(headers, 0, 2) != DOS_MAGIC)
		return -EBADMSG;
	if ((rc = need(headers, at + PE_BYTES, out)))
		return rc;
	if (!is_pe(pe))
		return -EBADMSG;
	take_pe(pe, out);
	table = at + AT_OPTIONAL + le_get(pe, AT_OPTIONAL_SIZE, 2);
	if (out->sections && (rc = need(headers, table + SECTION_BYTES, out)))
		return rc;
	if (out->sections)
		out->text = (uint32_t)le_get(headers, (size_t)table + SECTION_AT, 4);
	return out->text && out->text < out->size ? 0 : -EBADMSG;
}
