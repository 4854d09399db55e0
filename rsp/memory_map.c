/* memory_map.c - see tdesc.h. A target's memory map, read and written anew.
 *
 * Source: gdb manual, "Memory Map Format". gdb drops a whole map for one wrong region: so a wrong one is refused here. */
#include "rsp/tdesc.h"

#include "rsp/xml.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { REGIONS_MAX = 512 };
enum kind { RAM, ROM, FLASH, KINDS };

struct map {
	struct buf *out;
	bool in_map, blocksize; /* blocksize: the property that is open */
	enum kind kind;
	uint64_t start, length, block;
	size_t regions_n;
	struct region {
		uint64_t first, last;
	} regions[REGIONS_MAX];
};

static const char *const kinds[KINDS] = { "ram", "rom", "flash" };

static const char *attr(const char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (!strcmp(attrs[0], name))
			return attrs[1];
	return "";
}

static int open_map(struct xml *x, const char **attrs)
{
	struct map *m = x->arg;

	(void)attrs;
	m->in_map = true;
	return buf_put_text(m->out, "<?xml version=\"1.0\"?>\n"
				    "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\""
				    " \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
				    "<memory-map>\n");
}

/* gdb drops a map whose regions overlap. */
static int keep_region(struct xml *x, struct map *m)
{
	struct region r = { m->start, m->start + (m->length - 1) };

	if (!m->length)
		return 0;
	if (m->regions_n == REGIONS_MAX)
		return xml_refuse(x, -E2BIG, "too many regions");
	for (size_t i = 0; i < m->regions_n; i++)
		if (r.first <= m->regions[i].last && m->regions[i].first <= r.last)
			return xml_refuse(x, -EBADMSG, "regions that overlap");
	m->regions[m->regions_n++] = r;
	return 0;
}

static int open_memory(struct xml *x, const char **attrs)
{
	struct map *m = x->arg;

	m->block = 0;
	for (m->kind = 0; m->kind < KINDS && strcmp(kinds[m->kind], attr(attrs, "type")); m->kind++)
		;
	if (m->kind == KINDS)
		return xml_refuse(x, -EBADMSG, "memory of an unknown type");
	if (!xml_number(attr(attrs, "start"), &m->start) || !xml_number(attr(attrs, "length"), &m->length))
		return xml_refuse(x, -EBADMSG, "memory without start or length");
	if (m->length && m->start + (m->length - 1) < m->start)
		return xml_refuse(x, -EBADMSG, "memory beyond the end of all");
	return keep_region(x, m);
}

static int open_property(struct xml *x, const char **attrs)
{
	((struct map *)x->arg)->blocksize = !strcmp(attr(attrs, "name"), "blocksize");
	return 0;
}

static int close_property(struct xml *x, const char *text)
{
	struct map *m = x->arg;
	bool wanted = m->blocksize;

	m->blocksize = false;
	if (!wanted || (text && xml_number(text, &m->block) && m->block && m->block <= UINT32_MAX))
		return 0;
	return xml_refuse(x, -EBADMSG, "a block size that is none");
}

/* Flash without blocks could not be erased; memory of no length is everything, to gdb. */
static int close_memory(struct xml *x, const char *text)
{
	struct map *m = x->arg;
	int rc;

	(void)text;
	if (!m->length)
		return 0;
	if (m->kind == FLASH && !m->block)
		return xml_refuse(x, -EBADMSG, "flash without block size");
	rc = buf_printf(m->out, "  <memory type=\"%s\" start=\"0x%" PRIx64 "\" length=\"0x%" PRIx64 "\"", kinds[m->kind], m->start,
			m->length);
	if (!rc && m->block)
		rc = buf_printf(m->out, ">\n    <property name=\"blocksize\">0x%" PRIx64 "</property>\n  </memory>\n", m->block);
	else if (!rc)
		rc = buf_put_text(m->out, "/>\n");
	return rc;
}

static int close_map(struct xml *x, const char *text)
{
	(void)text;
	return buf_put_text(((struct map *)x->arg)->out, "</memory-map>\n");
}

static const struct element {
	const char *name;
	unsigned depth; /* as the reader counts: the outermost is 1 */
	int (*open)(struct xml *x, const char **attrs);
	int (*close)(struct xml *x, const char *text);
} elements[] = {
	{ "memory-map", 1, open_map, close_map },
	{ "memory", 2, open_memory, close_memory },
	{ "property", 3, open_property, close_property },
};

static int on_open(struct xml *x, const char *name, const char **attrs)
{
	size_t i = x->depth - 1;
	int rc;

	if (i >= sizeof elements / sizeof *elements || strcmp(elements[i].name, name))
		return 0;
	rc = elements[i].open(x, attrs);
	return rc ? rc : 1;
}

static int on_close(struct xml *x, const char *name, const char *text)
{
	(void)name;
	return elements[x->depth].close(x, text); /* the reader has left it already */
}

int memory_map_rewrite(struct span doc, struct buf *out)
{
	static const struct xml_ops ops = { .open = on_open, .close = on_close };
	struct map m = { .out = out };
	struct xml x = { .ops = &ops, .arg = &m };
	int rc;

	buf_reset(out, 0);
	rc = doc.len > TDESC_DOC_MAX ? -E2BIG : xml_read(&x, doc);
	if (!rc && !m.in_map)
		rc = -EBADMSG;
	if (rc)
		buf_reset(out, 0);
	return rc;
}
