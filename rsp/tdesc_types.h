/* tdesc_types.h - how large the types of a target description are, as gdb reckons it. Only tdesc_xml uses it. */
#ifndef RSP_TDESC_TYPES_H
#define RSP_TDESC_TYPES_H

#include "rsp/tdesc.h"

enum { TDESC_TYPES = 512 };

struct tdesc_types {
	unsigned word;    /* bits of a pointer; 0: not known, and then neither are pointer types */
	unsigned feature; /* a type is known within its own feature only; count up for the next */
	size_t n;
	struct tdesc_type {
		char id[TDESC_NAME];
		unsigned feature;
		uint64_t bits;
	} list[TDESC_TYPES];
};

unsigned tdesc_word_bits(const char *arch); /* of a known architecture; else 0 */

uint64_t tdesc_type_bits(const struct tdesc_types *t, const char *id); /* 0: not known */
/* id is shorter than TDESC_NAME. 0; -EBADMSG no size, or beyond TDESC_BITS_MAX; -E2BIG */
int tdesc_type_add(struct tdesc_types *t, const char *id, uint64_t bits) MUST_USE;

#endif
