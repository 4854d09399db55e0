/* tdesc_xml.c - see tdesc.h. Fetched documents become one: a table of the format's elements, a function for what each means.
 *
 * What gdb refuses is refused here too; beyond that, the sizes of types are added up as gdb does it. */
#include "rsp/tdesc.h"

#include "rsp/tdesc_types.h"
#include "rsp/xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTRS_MAX = 6, VECTOR_MAX = 65536, SCALAR_BITS = 64 };

/* Where an element may stand, and what may stand in it. */
enum place { AT_TOP = 1, IN_TARGET = 2, IN_FEATURE = 4, IN_FIELDS = 8, IN_ENUM = 16, IN_NOTHING = 32 };

enum attr_form { TEXT = 0, NUMBER = 1, MUST = 2 };

struct val {
	bool set;
	const char *text;
	uint64_t num;
};

struct flat;

struct element {
	const char *name;
	unsigned at;
	enum place inside;
	struct attr {
		const char *name;
		unsigned form;
	} attrs[ATTRS_MAX];
	int (*begin)(struct xml *x, struct flat *f);
	int (*end)(struct xml *x, struct flat *f, const char *text);
	bool text; /* its content is text; it has no attributes then */
};

enum doc_state { DOC_UNUSED, DOC_OPEN, DOC_DONE };

/* One building of the flat document. */
struct flat {
	struct tdesc *t;
	bool seen_target;
	enum doc_state docs[TDESC_DOCS];
	size_t includes;                          /* how deep */
	const struct element *open[TDESC_DEPTH];
	size_t depth;
	struct val vals[ATTRS_MAX];               /* of the element that begins */
	uint64_t next_num;
	struct made {                             /* the union, struct, flags or enum that is open */
		char id[TDESC_NAME];
		bool is_union, is_flags;
		uint64_t size, bits;              /* as said; of the fields so far */
	} made;
	char made_up[TDESC_NAME];                 /* the type of the register that begins, where it is not the target's */
	struct tdesc_types types;
};

static const struct element *current(const struct flat *f)
{
	return f->depth ? f->open[f->depth - 1] : NULL;
}

/* ---- attributes ---- */

static const char *find_attr(const char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (!strcmp(attrs[0], name))
			return attrs[1];
	return NULL;
}

static int take_attr(struct xml *x, const struct attr *a, const char **attrs, struct val *v)
{
	*v = (struct val){ .text = find_attr(attrs, a->name) };
	v->set = v->text != NULL;
	if (!v->set)
		return a->form & MUST ? xml_refuse(x, -EBADMSG, "an attribute is missing") : 0;
	if (a->form & NUMBER)
		return xml_number(v->text, &v->num) ? 0 : xml_refuse(x, -EBADMSG, "an attribute that is no number");
	return xml_plain(v->text, TDESC_NAME - 1) ? 0 : xml_refuse(x, -EBADMSG, "an attribute that is too long, or not printable");
}

static int take_attrs(struct xml *x, struct flat *f, const struct element *e, const char **attrs)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < ATTRS_MAX && e->attrs[i].name; i++)
		rc = take_attr(x, &e->attrs[i], attrs, &f->vals[i]);
	return rc;
}

static int put_attrs(struct buf *out, const struct element *e, const struct val *vals)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < ATTRS_MAX && e->attrs[i].name; i++) {
		if (!vals[i].set)
			continue;
		if (e->attrs[i].form & NUMBER)
			rc = buf_printf(out, " %s=\"%" PRIu64 "\"", e->attrs[i].name, vals[i].num);
		else
			rc = xml_put_attr(out, e->attrs[i].name, vals[i].text);
	}
	return rc;
}

/* ---- types ---- */

static int add_type(struct xml *x, struct flat *f, const char *id, uint64_t bits)
{
	int rc = tdesc_type_add(&f->types, id, bits);

	return rc ? xml_refuse(x, rc, rc == -E2BIG ? "too many types" : "a type without size, or too large") : 0;
}

static int begin_vector(struct xml *x, struct flat *f)
{
	const char *id = f->vals[0].text;
	uint64_t bits = tdesc_type_bits(&f->types, f->vals[1].text), count = f->vals[2].num;

	if (!bits)
		return xml_refuse(x, -EBADMSG, "a vector of an unknown type");
	if (!count || count > VECTOR_MAX)
		return xml_refuse(x, -EBADMSG, "a vector of too many elements, or none");
	return add_type(x, f, id, bits * count);
}

static void begin_made(struct flat *f, uint64_t size)
{
	memset(&f->made, 0, sizeof f->made);
	memcpy(f->made.id, f->vals[0].text, strlen(f->vals[0].text) + 1);
	f->made.size = size;
}

static int begin_union(struct xml *x, struct flat *f)
{
	(void)x;
	begin_made(f, 0);
	f->made.is_union = true;
	return 0;
}

static int begin_struct(struct xml *x, struct flat *f)
{
	struct val *size = &f->vals[1];

	if (size->num > TDESC_BITS_MAX / 8)
		return xml_refuse(x, -EBADMSG, "a struct too large");
	size->set = size->num > 0;
	begin_made(f, size->num);
	return 0;
}

/* flags, enum */
static int begin_sized(struct xml *x, struct flat *f)
{
	if (!f->vals[1].num || f->vals[1].num > SCALAR_BITS / 8)
		return xml_refuse(x, -EBADMSG, "flags or an enum of a strange size");
	begin_made(f, f->vals[1].num);
	return 0;
}

static int begin_flags(struct xml *x, struct flat *f)
{
	int rc = begin_sized(x, f);

	f->made.is_flags = true;
	return rc;
}

/* A type is known from its end on: it cannot hold itself. */
static int end_made(struct xml *x, struct flat *f, const char *text)
{
	(void)text;
	return add_type(x, f, f->made.id, f->made.size ? f->made.size * 8 : f->made.bits);
}

enum { FIELD_NAME, FIELD_TYPE, FIELD_START, FIELD_END };

static int begin_bit_field(struct xml *x, struct flat *f, uint64_t type)
{
	struct val *start = &f->vals[FIELD_START], *end = &f->vals[FIELD_END];

	if (!end->set)
		*end = (struct val){ .set = true, .num = start->num };
	if (start->num > end->num || end->num >= SCALAR_BITS || end->num >= f->made.size * 8)
		return xml_refuse(x, -EBADMSG, "a bit field that is not within its type");
	if (f->vals[FIELD_TYPE].set && (!type || type > SCALAR_BITS))
		return xml_refuse(x, -EBADMSG, "a bit field of an unknown or large type");
	return 0;
}

static int begin_field(struct xml *x, struct flat *f)
{
	uint64_t type = f->vals[FIELD_TYPE].set ? tdesc_type_bits(&f->types, f->vals[FIELD_TYPE].text) : 0;

	if (f->vals[FIELD_START].set)
		return begin_bit_field(x, f, type);
	if (f->vals[FIELD_END].set || f->made.is_flags || f->made.size)
		return xml_refuse(x, -EBADMSG, "a field without its place");
	if (!type)
		return xml_refuse(x, -EBADMSG, "a field of no type, or of an unknown one");
	f->made.bits = !f->made.is_union ? f->made.bits + type : f->made.bits > type ? f->made.bits : type;
	return 0; /* a sum of at most TDESC_DOC_MAX fields: checked at the end */
}

static int begin_evalue(struct xml *x, struct flat *f)
{
	return f->vals[1].num <= INT32_MAX ? 0 : xml_refuse(x, -EBADMSG, "an enum value too large");
}

/* ---- registers ---- */

enum { REG_NAME, REG_BITS, REG_NUM, REG_SAVE, REG_TYPE, REG_GROUP };

static int put_indent(struct buf *out, size_t depth)
{
	return buf_printf(out, "%*s", (int)(2 * depth), "");
}

/* A type of so many bytes, made up where there is none: gdb takes a register to be as large as its type, whatever bitsize
 * says, and lets longer values run over. id must hold TDESC_NAME. */
static int bytes_type(struct xml *x, struct flat *f, unsigned bytes, char *id)
{
	struct buf *out = &f->t->xml;
	int rc;

	if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16) {
		snprintf(id, TDESC_NAME, "uint%u", bytes * 8);
		return 0;
	}
	snprintf(id, TDESC_NAME, "raw%u", bytes);
	if (tdesc_type_bits(&f->types, id) == bytes * 8)
		return 0;
	rc = put_indent(out, f->depth);
	rc = rc ? rc : buf_printf(out, "<vector id=\"%s\" type=\"uint8\" count=\"%u\"/>\n", id, bytes);
	return rc ? rc : add_type(x, f, id, bytes * 8);
}

/* The type to write: the target's, if it is as large as the register. Not set: gdb's default, an integer. */
static int fit_type(struct xml *x, struct flat *f, unsigned bits, struct val *type)
{
	bool of_c = bits == 8 || bits == 16 || bits == 32 || bits == 64;
	uint64_t have = type->set ? tdesc_type_bits(&f->types, type->text) : 0;

	if (have == bits)
		return 0;
	if (of_c && (!type->set || !strcmp(type->text, "int")))
		return 0;
	if (type->set && !strcmp(type->text, "float") && (bits == 32 || bits == 64)) {
		type->text = bits == 32 ? "ieee_single" : "ieee_double";
		return 0;
	}
	*type = (struct val){ .set = true, .text = f->made_up };
	return bytes_type(x, f, bits / 8, f->made_up);
}

static bool is_pc(const char *name)
{
	return !strcmp(name, "pc") || !strcmp(name, "rip") || !strcmp(name, "eip");
}

static int add_reg(struct xml *x, struct flat *f, unsigned num, unsigned bits)
{
	struct tdesc *t = f->t;
	struct tdesc_reg *reg = &t->regs[t->regs_n];

	if (t->regs_n == TDESC_REGS)
		return xml_refuse(x, -E2BIG, "too many registers");
	memset(reg, 0, sizeof *reg);
	memcpy(reg->name, f->vals[REG_NAME].text, strlen(f->vals[REG_NAME].text) + 1);
	reg->num = num;
	reg->bits = bits;
	reg->pc = is_pc(reg->name);
	t->regs_n++;
	return 0;
}

/* Its number: as said, or one more than the register's before, across features. */
static int take_num(struct xml *x, struct flat *f)
{
	struct val *num = &f->vals[REG_NUM];

	if (!num->set)
		*num = (struct val){ .set = true, .num = f->next_num };
	f->next_num = num->num + 1;
	return num->num <= TDESC_NUM_MAX ? 0 : xml_refuse(x, -EBADMSG, "a register number too large");
}

static int begin_reg(struct xml *x, struct flat *f)
{
	struct val *bits = &f->vals[REG_BITS], *save = &f->vals[REG_SAVE];
	int rc = take_num(x, f);

	if (rc)
		return rc;
	if (!bits->num || bits->num > TDESC_BITS_MAX)
		return xml_refuse(x, -EBADMSG, "a register without size, or too large");
	bits->num = (bits->num + 7) / 8 * 8;
	save->set = save->set && (!strcmp(save->text, "yes") || !strcmp(save->text, "no"));
	rc = fit_type(x, f, (unsigned)bits->num, &f->vals[REG_TYPE]);
	return rc ? rc : add_reg(x, f, (unsigned)f->vals[REG_NUM].num, (unsigned)bits->num);
}

/* ---- the rest of the format ---- */

static int begin_target(struct xml *x, struct flat *f)
{
	if (f->vals[0].set && strcmp(f->vals[0].text, "1.0"))
		return xml_refuse(x, -EBADMSG, "a target of another version");
	f->seen_target = true;
	f->vals[0] = (struct val){ .set = true, .text = "1.0" };
	return buf_put_text(&f->t->xml, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n");
}

static int begin_feature(struct xml *x, struct flat *f)
{
	(void)x;
	f->types.feature++;
	return 0;
}

/* At most one of each. */
static int keep_text(struct xml *x, char *to, const char *text)
{
	if (!text || !*text || *to)
		return xml_refuse(x, -EBADMSG, "an architecture or OS that is empty, too long, not printable or said twice");
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

/* "i386:x86-64" */
static bool is_architecture(const char *text)
{
	return text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._+-")] == 0;
}

static int end_architecture(struct xml *x, struct flat *f, const char *text)
{
	int rc = is_architecture(text) ? keep_text(x, f->t->arch, text) : xml_refuse(x, -EBADMSG, "an architecture that is none");

	f->types.word = rc ? 0 : tdesc_word_bits(f->t->arch);
	return rc;
}

static int end_osabi(struct xml *x, struct flat *f, const char *text)
{
	return keep_text(x, f->t->osabi, text);
}

static int end_compatible(struct xml *x, struct flat *f, const char *text)
{
	char some[XML_TEXT] = "";

	(void)f;
	return keep_text(x, some, text);
}

_Static_assert((int)XML_TEXT <= (int)TDESC_NAME, "a text fits a name");

static const struct element elements[] = {
	{ .name = "target", .at = AT_TOP, .inside = IN_TARGET, .begin = begin_target,
	  .attrs = { { "version", TEXT } } },
	{ .name = "architecture", .at = IN_TARGET, .inside = IN_NOTHING, .end = end_architecture, .text = true },
	{ .name = "osabi", .at = IN_TARGET, .inside = IN_NOTHING, .end = end_osabi, .text = true },
	{ .name = "compatible", .at = IN_TARGET, .inside = IN_NOTHING, .end = end_compatible, .text = true },
	{ .name = "feature", .at = IN_TARGET, .inside = IN_FEATURE, .begin = begin_feature,
	  .attrs = { { "name", TEXT | MUST } } },
	{ .name = "vector", .at = IN_FEATURE, .inside = IN_NOTHING, .begin = begin_vector,
	  .attrs = { { "id", TEXT | MUST }, { "type", TEXT | MUST }, { "count", NUMBER | MUST } } },
	{ .name = "union", .at = IN_FEATURE, .inside = IN_FIELDS, .begin = begin_union, .end = end_made,
	  .attrs = { { "id", TEXT | MUST } } },
	{ .name = "struct", .at = IN_FEATURE, .inside = IN_FIELDS, .begin = begin_struct, .end = end_made,
	  .attrs = { { "id", TEXT | MUST }, { "size", NUMBER } } },
	{ .name = "flags", .at = IN_FEATURE, .inside = IN_FIELDS, .begin = begin_flags, .end = end_made,
	  .attrs = { { "id", TEXT | MUST }, { "size", NUMBER | MUST } } },
	{ .name = "enum", .at = IN_FEATURE, .inside = IN_ENUM, .begin = begin_sized, .end = end_made,
	  .attrs = { { "id", TEXT | MUST }, { "size", NUMBER | MUST } } },
	{ .name = "field", .at = IN_FIELDS, .inside = IN_NOTHING, .begin = begin_field,
	  .attrs = { { "name", TEXT | MUST }, { "type", TEXT }, { "start", NUMBER }, { "end", NUMBER } } },
	{ .name = "evalue", .at = IN_ENUM, .inside = IN_NOTHING, .begin = begin_evalue,
	  .attrs = { { "name", TEXT | MUST }, { "value", NUMBER | MUST } } },
	{ .name = "reg", .at = IN_FEATURE, .inside = IN_NOTHING, .begin = begin_reg,
	  .attrs = { { "name", TEXT | MUST }, { "bitsize", NUMBER | MUST }, { "regnum", NUMBER }, { "save-restore", TEXT },
		     { "type", TEXT }, { "group", TEXT } } },
};

/* ---- reading and writing ---- */

static const struct element *element_of(const struct flat *f, const char *name)
{
	const struct element *in = current(f);
	unsigned place = in ? in->inside : AT_TOP;

	for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
		if (elements[i].at & place && !strcmp(elements[i].name, name))
			return &elements[i];
	return NULL;
}

static int put_open(struct flat *f, const struct element *e)
{
	struct buf *out = &f->t->xml;
	int rc = put_indent(out, f->depth);

	rc = rc ? rc : buf_printf(out, "<%s", e->name);
	rc = rc ? rc : put_attrs(out, e, f->vals);
	return rc ? rc : buf_put_text(out, e->inside == IN_NOTHING ? "/>\n" : ">\n");
}

static int put_close(struct flat *f, const struct element *e, const char *text)
{
	struct buf *out = &f->t->xml;
	int rc = 0;

	if (e->inside == IN_NOTHING && !e->text)
		return 0;
	rc = put_indent(out, f->depth);
	if (!rc && e->text) {
		rc = buf_printf(out, "<%s>", e->name);
		rc = rc ? rc : xml_put_text(out, text);
	}
	return rc ? rc : buf_printf(out, "</%s>\n", e->name);
}

/* The output's ceiling, in words. */
static int fits(struct xml *x, int rc)
{
	return rc == -ENOBUFS ? xml_refuse(x, -E2BIG, "the whole is too long") : rc;
}

static int include(struct xml *x, struct flat *f, const char *href);

static bool may_include(const struct flat *f)
{
	const struct element *in = current(f);

	return in && (in->inside == IN_TARGET || in->inside == IN_FEATURE);
}

static int on_open(struct xml *x, const char *name, const char **attrs)
{
	struct flat *f = x->arg;
	const struct element *e = element_of(f, name);
	int rc;

	if (!strcmp(name, "xi:include") && may_include(f))
		return include(x, f, find_attr(attrs, "href"));
	if (!e)
		return 0;
	rc = take_attrs(x, f, e, attrs);
	if (!rc && e->begin)
		rc = e->begin(x, f);
	if (!rc && !e->text)
		rc = put_open(f, e);
	if (rc)
		return fits(x, rc);
	f->open[f->depth++] = e;
	return 1;
}

static int on_close(struct xml *x, const char *name, const char *text)
{
	struct flat *f = x->arg;
	const struct element *e = f->open[--f->depth];
	int rc = e->end ? e->end(x, f, text) : 0;

	(void)name;
	return fits(x, rc ? rc : put_close(f, e, text));
}

static int flatten(struct flat *f, size_t i)
{
	static const struct xml_ops ops = { .open = on_open, .close = on_close };
	struct xml x = { .ops = &ops, .arg = f };
	struct tdesc *t = f->t;
	int rc;

	f->docs[i] = DOC_OPEN;
	rc = xml_read(&x, buf_span(&t->docs[i].bytes));
	f->docs[i] = DOC_DONE;
	if (rc && !t->why[0]) /* the innermost knows best */
		snprintf(t->why, sizeof t->why, "%s, line %lu: %s", t->docs[i].name, x.line, x.words);
	return rc;
}

/* In place of the include. Once each: a document included again would only say the same registers twice. */
static int include(struct xml *x, struct flat *f, const char *href)
{
	size_t i = 0;
	int rc;

	while (href && i < f->t->docs_n && strcmp(f->t->docs[i].name, href))
		i++;
	if (!href || i == f->t->docs_n || !f->t->docs[i].bytes.base)
		return xml_refuse(x, -EBADMSG, "an included document is missing");
	if (f->docs[i] != DOC_UNUSED)
		return xml_refuse(x, -EBADMSG, f->docs[i] == DOC_OPEN ? "a document that includes itself" : "a document included twice");
	if (f->includes == TDESC_DEPTH)
		return xml_refuse(x, -EBADMSG, "includes nested too deep");
	f->includes++;
	rc = flatten(f, i);
	f->includes--;
	return rc;
}

static int by_number(const void *a, const void *b)
{
	const struct tdesc_reg *ra = a, *rb = b;

	return ra->num < rb->num ? -1 : ra->num > rb->num;
}

static int say(struct tdesc *t, int rc, const char *what, const char *name)
{
	snprintf(t->why, sizeof t->why, "%s%s", what, name);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same_names(const struct tdesc *t)
{
	const char *names[TDESC_REGS] = { 0 };
	bool same = false;

	for (size_t i = 0; i < t->regs_n; i++)
		names[i] = t->regs[i].name;
	qsort(names, t->regs_n, sizeof *names, by_name);
	for (size_t i = 1; i < t->regs_n; i++)
		same |= !strcmp(names[i], names[i - 1]);
	return same;
}

/* Sorts the registers, lays them out, and finds those that share a number. */
static int lay_out(struct tdesc *t)
{
	qsort(t->regs, t->regs_n, sizeof *t->regs, by_number);
	for (size_t i = 0; i < t->regs_n; i++) {
		if (i && t->regs[i].num == t->regs[i - 1].num)
			return say(t, -EBADMSG, "a register number given twice, to ", t->regs[i].name);
		t->regs[i].at = t->g_bytes;
		t->g_bytes += t->regs[i].bits / 8;
	}
	t->odd = same_names(t) ? "two registers of one name in the description" : NULL;
	return t->g_bytes <= TDESC_G_MAX ? 0 : say(t, -E2BIG, "the registers together are too large", "");
}

static void unbuilt(struct tdesc *t)
{
	buf_reset(&t->xml, 0);
	t->regs_n = t->g_bytes = 0;
	t->arch[0] = t->osabi[0] = 0;
	t->odd = NULL;
}

static int build(struct flat *f)
{
	struct tdesc *t = f->t;
	int rc;

	if (!t->docs_n || !t->docs[0].bytes.base)
		return say(t, -EBADMSG, "no target.xml", "");
	rc = flatten(f, 0);
	if (!rc && !f->seen_target)
		rc = say(t, -EBADMSG, "no target in ", t->docs[0].name);
	return rc ? rc : lay_out(t);
}

int tdesc_build(struct tdesc *t)
{
	struct flat *f = calloc(1, sizeof *f);
	int rc;

	unbuilt(t);
	t->why[0] = 0;
	if (!f)
		return say(t, -ENOMEM, "out of memory", "");
	f->t = t;
	rc = build(f);
	free(f);
	if (rc)
		unbuilt(t);
	return rc;
}
