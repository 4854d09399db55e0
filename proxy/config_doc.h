/* config_doc.h - the text of a configuration file as a tree whose nodes know their file and line. No meaning here.
 *
 *	name = value             a word, or "quoted" (\" and \\), or 'quoted'; also  name: value  and  name value
 *	name = [ a, "b", ]
 *	name title { ... }       the title may be left out
 *	.include "other.conf"    relative to the file it stands in; a shell pattern includes what fits, in order
 *	# comment, and C comments
 *
 * A value ends at a newline, ; or , . All of it is also the Universal Configuration Language (libucl), but values are text
 * only, and nothing reaches outside except .include of local files. Debian does not package that library (its libucl is
 * a compressor), and its objects do not know their lines. */
#ifndef PROXY_CONFIG_DOC_H
#define PROXY_CONFIG_DOC_H

#include "base/buf.h"

enum { CONFIG_DOC_BYTES = 1 << 20, CONFIG_DOC_NODES = 20000, CONFIG_DOC_FILES = 64, CONFIG_DOC_DEPTH = 8 };

enum config_kind { CONFIG_VALUE, CONFIG_LIST, CONFIG_SECTION };

struct config_node {
	enum config_kind kind;
	const char *name;  /* NULL inside a list */
	const char *title; /* of a section; NULL: none */
	const char *value; /* of a VALUE */
	const char *file;
	unsigned line;
	struct config_node *first, *last, *next; /* a LIST's or SECTION's; the next one beside it */
};

struct config_block;

struct config_doc {
	struct config_node root;     /* a SECTION */
	struct config_block *blocks; /* all that is owned */
	size_t nodes, files;
	bool alone;                  /* .include is refused */
};

/* Both fill a fresh doc, to be released by config_doc_fini also after an error. 0; -errno with why: "FILE:LINE: what; expected ..." */
int config_doc_read(struct config_doc *d, const char *file, char *why, size_t why_size) MUST_USE;
int config_doc_parse(struct config_doc *d, const char *name, struct span text, char *why, size_t why_size) MUST_USE; /* alone */
void config_doc_fini(struct config_doc *d);

const char *config_kind_name(enum config_kind kind); /* "a value" */

#endif
