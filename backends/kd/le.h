/* le.h - little-endian numbers at offsets: KD's layouts are not those of this host's compiler. */
#ifndef BACKENDS_KD_LE_H
#define BACKENDS_KD_LE_H

#include "base/buf.h"

/* 1 to 8 bytes. What does not lie in s wholly reads as 0. */
static inline uint64_t le_get(struct span s, size_t at, size_t bytes)
{
	struct cursor c = cursor_of(span_from(s, at));

	return cursor_le(&c, bytes);
}

/* Of bytes that are there, 1 to 8. */
static inline uint64_t le_at(const uint8_t *from, size_t bytes)
{
	return le_get((struct span){ from, bytes }, 0, bytes);
}

static inline void le_put(uint8_t *to, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

#endif
