/* tdesc.c - see tdesc.h. Documents as they are fetched, and questions about registers; the rest is in tdesc_xml.c. */
#include "rsp/tdesc.h"

#include "rsp/xml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tdesc_init(struct tdesc *t)
{
	memset(t, 0, sizeof *t);
	t->regs = calloc(TDESC_REGS, sizeof *t->regs);
	if (t->regs && buf_init(&t->xml, TDESC_XML_MAX) == 0)
		return 0;
	tdesc_fini(t);
	return -ENOMEM;
}

void tdesc_clear(struct tdesc *t)
{
	for (size_t i = 0; i < t->docs_n; i++)
		buf_fini(&t->docs[i].bytes);
	buf_reset(&t->xml, 0);
	t->docs_n = t->regs_n = t->g_bytes = 0;
	t->arch[0] = t->osabi[0] = t->why[0] = 0;
	t->odd = NULL;
}

void tdesc_fini(struct tdesc *t)
{
	tdesc_clear(t);
	buf_fini(&t->xml);
	free(t->regs);
	t->regs = NULL;
}

/* A name goes back to the stub in a request, and nowhere else. */
static bool good_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+/";
	size_t n = strspn(name, allowed);

	return n && n < TDESC_NAME && !name[n];
}

static struct tdesc_doc *find(struct tdesc *t, const char *name)
{
	for (size_t i = 0; i < t->docs_n; i++)
		if (!strcmp(t->docs[i].name, name))
			return &t->docs[i];
	return NULL;
}

static int note(struct tdesc *t, const char *name)
{
	if (find(t, name))
		return 0;
	if (t->docs_n == TDESC_DOCS)
		return -E2BIG;
	memset(&t->docs[t->docs_n], 0, sizeof *t->docs);
	memcpy(t->docs[t->docs_n++].name, name, strlen(name) + 1);
	return 0;
}

/* Notes every document that an include names, wherever it stands. */
static int scan_open(struct xml *x, const char *name, const char **attrs)
{
	int rc = 1;

	if (strcmp(name, "xi:include"))
		return 1;
	for (; attrs[0] && rc == 1; attrs += 2) {
		if (strcmp(attrs[0], "href"))
			continue;
		if (!good_name(attrs[1]))
			return xml_refuse(x, -EBADMSG, "the name of an included document");
		if (note(x->arg, attrs[1]) < 0)
			return xml_refuse(x, -E2BIG, "too many documents");
	}
	return rc;
}

static int scan_close(struct xml *x, const char *name, const char *text)
{
	(void)x, (void)name, (void)text;
	return 0;
}

static int refuse(struct tdesc *t, int rc, const char *name, const char *words)
{
	snprintf(t->why, sizeof t->why, "%s: %s", name, words);
	return rc;
}

static int scan(struct tdesc *t, const char *name, struct span doc)
{
	static const struct xml_ops ops = { .open = scan_open, .close = scan_close };
	struct xml x = { .ops = &ops, .arg = t };
	int rc = xml_read(&x, doc);

	if (rc < 0)
		snprintf(t->why, sizeof t->why, "%s, line %lu: %s", name, x.line, x.words);
	return rc;
}

static int keep(struct tdesc *t, const char *name, struct span doc)
{
	struct buf *to = &find(t, name)->bytes;

	if (buf_init(to, doc.len) < 0)
		return refuse(t, -ENOMEM, name, "out of memory");
	return buf_put_span(to, doc);
}

int tdesc_add(struct tdesc *t, const char *name, struct span doc)
{
	size_t before = t->docs_n;
	const struct tdesc_doc *known = find(t, name);
	int rc;

	t->why[0] = 0;
	if (!good_name(name))
		return refuse(t, -EBADMSG, "a document", "its name");
	if (known && known->bytes.base)
		return refuse(t, -EBADMSG, name, "given twice");
	if (doc.len > TDESC_DOC_MAX)
		return refuse(t, -E2BIG, name, "too long");
	if (note(t, name) < 0)
		return refuse(t, -E2BIG, name, "too many documents");
	rc = scan(t, name, doc);
	rc = rc ? rc : keep(t, name, doc);
	if (rc)
		t->docs_n = before; /* what was noted since has no bytes yet */
	return rc;
}

const char *tdesc_missing(const struct tdesc *t)
{
	for (size_t i = 0; i < t->docs_n; i++)
		if (!t->docs[i].bytes.base)
			return t->docs[i].name;
	return NULL;
}

static int by_number(const void *key, const void *reg)
{
	unsigned a = *(const unsigned *)key, b = ((const struct tdesc_reg *)reg)->num;

	return a < b ? -1 : a > b;
}

const struct tdesc_reg *tdesc_reg(const struct tdesc *t, unsigned num)
{
	return bsearch(&num, t->regs, t->regs_n, sizeof *t->regs, by_number);
}

const struct tdesc_reg *tdesc_pc(const struct tdesc *t)
{
	for (size_t i = 0; i < t->regs_n; i++)
		if (t->regs[i].pc)
			return &t->regs[i];
	return NULL;
}

long tdesc_g_offset(const struct tdesc *t, unsigned num)
{
	const struct tdesc_reg *reg = tdesc_reg(t, num);

	return reg ? (long)reg->at : -1;
}

unsigned tdesc_word_bytes(const struct tdesc *t)
{
	const struct tdesc_reg *pc = t ? tdesc_pc(t) : NULL;

	return pc && pc->bits <= 32 ? 4 : 8;
}
