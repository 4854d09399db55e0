/* tdesc.h - a target's description (target.xml) and memory map: read, checked, flattened, written anew.
 *
 * Every register gets its number said, and a type of exactly its size, which is what gdb goes by: where the target's type is
 * unknown or of another size, plain integers or bytes take its place. Each document may be included once.
 * Source: gdb manual, "Target Descriptions" and "Memory Map Format". Only elements and attributes that the manual
 * knows are kept; a DTD's internal subset, an entity, or anything nested deeper than TDESC_DEPTH includes is refused.
 * What is served to clients is one flat document made from what was understood, never the target's bytes. */
#ifndef RSP_TDESC_H
#define RSP_TDESC_H

#include "base/buf.h"

enum { TDESC_DOCS = 32, TDESC_DEPTH = 4, TDESC_DOC_MAX = 131072, TDESC_XML_MAX = 262144, TDESC_REGS = 2048, TDESC_NAME = 64,
       TDESC_NUM_MAX = 65535, TDESC_BITS_MAX = 524288, TDESC_G_MAX = 1 << 20 };

struct tdesc_reg {
	char name[TDESC_NAME];
	unsigned num, bits; /* bits: made up to whole bytes */
	size_t at; /* in a g packet, in bytes */
	bool pc; /* named pc, rip or eip */
};

struct tdesc {
	struct buf xml;          /* the flat document; empty until built */
	struct tdesc_reg *regs;  /* by number, ascending */
	size_t regs_n;
	size_t g_bytes;          /* of a g packet: all registers, ascending, whole bytes each */
	char arch[TDESC_NAME];   /* "i386:x86-64"; empty: not said */
	char osabi[TDESC_NAME];
	struct tdesc_doc {
		char name[TDESC_NAME];
		struct buf bytes; /* base is NULL: included by another, and not fetched yet */
	} docs[TDESC_DOCS];
	size_t docs_n;
	const char *odd;         /* what is strange in it, and was kept; NULL: nothing */
	char why[128];           /* what was wrong with it, in words, after an error */
};

int tdesc_init(struct tdesc *t) MUST_USE;
void tdesc_fini(struct tdesc *t);
void tdesc_clear(struct tdesc *t); /* as after init */

/* Copies one fetched document; the first is target.xml itself. 0; -EBADMSG; -E2BIG; -ENOMEM; with .why, nothing added. */
int tdesc_add(struct tdesc *t, const char *name, struct span doc) MUST_USE;
const char *tdesc_missing(const struct tdesc *t); /* an included document that has not been added; NULL: all there */
int tdesc_build(struct tdesc *t) MUST_USE;        /* 0; -EBADMSG; -E2BIG; -ENOMEM; with .why, nothing built */

const struct tdesc_reg *tdesc_reg(const struct tdesc *t, unsigned num); /* NULL: none of that number */
const struct tdesc_reg *tdesc_pc(const struct tdesc *t);                /* NULL: none */
unsigned tdesc_word_bytes(const struct tdesc *t);                       /* of its addresses, by its pc: 4 or 8; 8, where that is not known, or t is NULL */
long tdesc_g_offset(const struct tdesc *t, unsigned num);               /* in bytes within g; -1: not there */

/* A memory map, from the target's document into ours. 0; -EBADMSG; -ENOBUFS; -E2BIG; -ENOMEM; then out is empty. */
int memory_map_rewrite(struct span doc, struct buf *out) MUST_USE;

#endif
