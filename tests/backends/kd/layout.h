/* layout.h - bytes written by hand: hex, blanks between, "@16" goes on at offset 16. What is not said is layout_fill, and zero at first. */
#ifndef TESTS_BACKENDS_KD_LAYOUT_H
#define TESTS_BACKENDS_KD_LAYOUT_H

#include "base/hex.h"
#include "tests/guard.h"

#include <stdlib.h>
#include <string.h>

enum { LAYOUT_MAX = 8192 };

static uint8_t layout_fill;

/* How many bytes; all of room, which has LAYOUT_MAX, is filled. */
static inline size_t layout_take(const char *text, uint8_t *room)
{
	size_t at = 0, n = 0;
	char *end;

	memset(room, layout_fill, LAYOUT_MAX);
	while (*text) {
		if (*text == '@') {
			at = strtoul(text + 1, &end, 0);
			text = end;
		} else if (*text == ' ') {
			text++;
		} else {
			room[at++] = (uint8_t)(hex_value((uint8_t)text[0]) << 4 | hex_value((uint8_t)text[1]));
			text += 2;
		}
		n = at > n ? at : n;
	}
	return n;
}

/* At the guard page. */
static inline struct span layout_span(const char *text)
{
	static uint8_t room[LAYOUT_MAX];
	size_t n = layout_take(text, room);

	return (struct span){ guard_copy(room, n), n };
}

/* The first n bytes of it. */
static inline struct span layout_cut(const char *text, size_t n)
{
	static uint8_t room[LAYOUT_MAX];

	(void)layout_take(text, room);
	return (struct span){ guard_copy(room, n), n };
}

static inline bool layout_within(struct span inner, struct span outer)
{
	return inner.p >= outer.p && inner.p + inner.len <= outer.p + outer.len;
}

#endif
