/* console.h - one wire for a kernel's console and its debugger: link_console takes the two apart.
 *
 * Up comes the debugger's half alone: acknowledgements that are owed, and whole packets whose checksum is right. Everything
 * else that is heard is console text, and is fetched with link_console_text. What is typed on the console goes out between
 * packets, never within one. Source: Linux, kernel/debug/gdbstub.c; what KGDB was seen to do. */
#ifndef BACKENDS_LINK_CONSOLE_H
#define BACKENDS_LINK_CONSOLE_H

#include "base/buf.h"

struct link;

enum {
	CONSOLE_PACKET = 4096,   /* a longer one is text */
	CONSOLE_TEXT = 65536,    /* of text that was not fetched; what is older is left out, and counted */
	CONSOLE_TYPED = 4096,
	CONSOLE_STALL_MS = 250,  /* what began like a packet and does not go on for so long is text */
};

struct link *link_console_new(struct link *below); /* takes it, if not NULL is returned */

/* What was heard since the last call. Borrowed until the next call on the link. Empty: nothing. */
struct span link_console_text(struct link *console);
uint64_t link_console_lost(const struct link *console); /* bytes of text that were left out, ever */

/* To be typed. How many bytes were taken; they go out with the next sends and receives, when no packet is on its way. While an
 * answer is awaited they wait. */
size_t link_console_type(struct link *console, struct span bytes);

/* The kernel runs (all is text but a packet that a stopping kernel sends) or stands (an answer, or a resent packet, may come). */
void link_console_runs(struct link *console, bool runs);

#endif
