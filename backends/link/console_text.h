/* console_text.h - what a kernel's console said: kept until somebody fetches it, and listened to for who is there. Between the layers of
 * console.h. */
#ifndef BACKENDS_LINK_CONSOLE_TEXT_H
#define BACKENDS_LINK_CONSOLE_TEXT_H

#include "backends/link/console.h"

enum { CONSOLE_SAYINGS = 7, CONSOLE_HEARD = 16384 /* at once, at most */ };

struct console_text {
	struct buf kept;
	size_t given;  /* of it, lent out */
	uint64_t lost; /* of what was heard; ever */
	enum console_mode mode;
	size_t said[CONSOLE_SAYINGS]; /* of each saying, how much was heard */
};

int console_text_init(struct console_text *t) MUST_USE;
void console_text_fini(struct console_text *t);

/* heard: at most CONSOLE_HEARD. True: it held the kernel debugger's own words. */
bool console_text_hear(struct console_text *t, struct span heard);

struct span console_text_lend(struct console_text *t); /* until it is forgotten, or the next one is */
void console_text_forget(struct console_text *t);      /* what was lent */

#endif
