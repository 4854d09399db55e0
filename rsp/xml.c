/* xml.c - see xml.h. Expat with everything off that loads, defines or expands. */
#include "rsp/xml.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

int xml_refuse(struct xml *x, int rc, const char *words)
{
	x->words = words;
	return rc;
}

/* Expat may call a handler or two more after it was told to stop: they see rc. */
static void give_up(struct xml *x, int rc)
{
	x->rc = rc;
	x->line = (unsigned long)XML_GetCurrentLineNumber(x->parser);
	XML_StopParser(x->parser, XML_FALSE);
}

static void forget_text(struct xml *x)
{
	x->text_n = x->text_end = 0;
	x->bad_text = false;
}

static void on_open(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct xml *x = arg;
	int rc = 0;

	if (x->rc)
		return;
	forget_text(x);
	if (++x->depth > XML_DEPTH) {
		give_up(x, xml_refuse(x, -EBADMSG, "elements nested too deep"));
		return;
	}
	if (!x->dropped)
		rc = x->ops->open(x, name, attrs);
	if (rc < 0)
		give_up(x, rc);
	else if (!rc)
		x->dropped++;
}

static void on_close(void *arg, const XML_Char *name)
{
	struct xml *x = arg;
	int rc = 0;

	if (x->rc)
		return;
	x->depth--;
	x->text[x->text_end] = 0;
	if (x->dropped)
		x->dropped--;
	else
		rc = x->ops->close(x, name, x->bad_text ? NULL : x->text);
	forget_text(x);
	if (rc < 0)
		give_up(x, rc);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_text(struct xml *x, char c)
{
	bool blank = is_blank(c), full = x->text_n == XML_TEXT - 1;

	x->bad_text |= !blank && (full || c < 0x20 || c > 0x7e);
	if (x->bad_text || (blank && (full || !x->text_n)))
		return;
	x->text[x->text_n++] = blank ? ' ' : c;
	x->text_end = blank ? x->text_end : x->text_n;
}

static void on_text(void *arg, const XML_Char *s, int len)
{
	struct xml *x = arg;

	if (x->ops->text && !x->dropped && !x->rc)
		x->ops->text(x, s, (size_t)len);
	for (int i = 0; i < len && !x->bad_text; i++)
		add_text(x, s[i]);
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has_internal_subset)
{
	struct xml *x = arg;

	(void)name, (void)sysid, (void)pubid;
	if (!x->rc && has_internal_subset)
		give_up(x, xml_refuse(x, -EBADMSG, "a DTD of its own"));
}

static void refuse_entity(struct xml *x)
{
	if (!x->rc)
		give_up(x, xml_refuse(x, -EBADMSG, "an entity"));
}

static void on_entity(void *arg, const XML_Char *name, int is_parameter, const XML_Char *value, int len, const XML_Char *base,
		      const XML_Char *sysid, const XML_Char *pubid, const XML_Char *notation)
{
	(void)name, (void)is_parameter, (void)value, (void)len, (void)base, (void)sysid, (void)pubid, (void)notation;
	refuse_entity(arg);
}

/* With an external DTD that is not read, expat takes unknown entities for defined there. */
static void on_skipped(void *arg, const XML_Char *name, int is_parameter)
{
	(void)name, (void)is_parameter;
	refuse_entity(arg);
}

static int parse(struct xml *x, struct span doc)
{
	XML_Parser p = x->parser;

	XML_SetUserData(p, x);
	XML_SetElementHandler(p, on_open, on_close);
	XML_SetCharacterDataHandler(p, on_text);
	XML_SetStartDoctypeDeclHandler(p, on_doctype);
	XML_SetEntityDeclHandler(p, on_entity);
	XML_SetSkippedEntityHandler(p, on_skipped);
	XML_SetParamEntityParsing(p, XML_PARAM_ENTITY_PARSING_NEVER);
	if (XML_Parse(p, (const char *)doc.p, (int)doc.len, 1) == XML_STATUS_OK)
		return x->rc;
	if (x->rc)
		return x->rc;
	x->line = (unsigned long)XML_GetCurrentLineNumber(p);
	x->words = XML_ErrorString(XML_GetErrorCode(p));
	return XML_GetErrorCode(p) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
}

int xml_read(struct xml *x, struct span doc)
{
	int rc;

	*x = (struct xml){ .ops = x->ops, .arg = x->arg };
	if (doc.len > XML_DOC_MAX)
		return xml_refuse(x, -E2BIG, "too long");
	x->parser = XML_ParserCreate(NULL);
	if (!x->parser)
		return xml_refuse(x, -ENOMEM, "out of memory");
	rc = parse(x, doc);
	XML_ParserFree(x->parser);
	x->parser = NULL;
	return rc;
}

bool xml_plain(const char *text, size_t max)
{
	size_t n = 0;

	for (; text[n]; n++)
		if (n == max || text[n] < 0x20 || text[n] > 0x7e)
			return false;
	return true;
}

/* As gdb reads them, but for octal, which nobody means. */
bool xml_number(const char *text, uint64_t *v)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (!*digits || digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return false;
	errno = 0;
	*v = strtoull(digits, &end, hex ? 16 : 10);
	return errno == 0 && !*end;
}

int xml_put_text(struct buf *out, const char *text)
{
	static const struct {
		char c;
		const char *name;
	} escapes[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" } };
	int rc = 0;

	for (; !rc && *text; text++) {
		const char *name = NULL;

		for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
			if (*text == escapes[i].c)
				name = escapes[i].name;
		rc = name ? buf_put_text(out, name) : buf_put_u8(out, (uint8_t)*text);
	}
	return rc;
}

int xml_put_attr(struct buf *out, const char *name, const char *value)
{
	int rc = buf_printf(out, " %s=\"", name);

	rc = rc ? rc : xml_put_text(out, value);
	return rc ? rc : buf_put_text(out, "\"");
}
