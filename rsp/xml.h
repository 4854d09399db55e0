/* xml.h - a target's XML read under bounds, and pieces of XML written anew. Used by tdesc, memory_map, filters/guard_list.
 *
 * A bare <!DOCTYPE name SYSTEM "..."> is dropped and nothing is ever loaded by it; an internal subset, an entity other
 * than the five of XML itself, nesting beyond XML_DEPTH are refused. Comments and processing instructions are dropped. */
#ifndef RSP_XML_H
#define RSP_XML_H

#include "base/buf.h"

enum { XML_DEPTH = 16, XML_TEXT = 64, XML_DOC_MAX = 1 << 20 };

struct xml;

struct xml_ops {
	/* An element begins; attrs is name, value, ..., NULL. 1: taken; 0: dropped with all it holds; -errno: give up. */
	int (*open)(struct xml *x, const char *name, const char **attrs);
	/* A taken element ends. text: what stood in it after its last child, blanks at both ends removed; NULL: longer
	 * than XML_TEXT - 1, or not printable ASCII. 0, -errno. */
	int (*close)(struct xml *x, const char *name, const char *text);
	/* NULL, or for whoever wants text of any length: a piece of what stands in a taken element, as it came, UTF-8. */
	void (*text)(struct xml *x, const char *piece, size_t n);
};

/* Fill in ops and arg; the rest is of the reader. After an error words says what was wrong, and line where. */
struct xml {
	const struct xml_ops *ops;
	void *arg;
	const char *words;
	unsigned long line;

	void *parser;
	unsigned depth, dropped; /* dropped: depth within an element that is */
	int rc;
	bool bad_text;
	size_t text_n, text_end; /* text_end: behind the last byte that is not blank */
	char text[XML_TEXT];
};

int xml_read(struct xml *x, struct span doc) MUST_USE; /* 0, -EBADMSG, -E2BIG, -ENOMEM, what a handler gave */
int xml_refuse(struct xml *x, int rc, const char *words); /* for handlers: keeps the words (they must be static), answers rc */

bool xml_plain(const char *text, size_t max);              /* printable ASCII, at most max bytes */
bool xml_number(const char *text, uint64_t *v);            /* decimal, or hex with 0x; no more than 64 bits */
int xml_put_attr(struct buf *out, const char *name, const char *value) MUST_USE; /* ' name="value"', escaped */
int xml_put_text(struct buf *out, const char *text) MUST_USE;                    /* escaped */

#endif
