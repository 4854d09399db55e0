/* console.h - a kernel's console and its debugger: on one wire, which link_console takes apart, or each on a line of its own, which
 * link_console_apart joins.
 *
 * On one wire: up comes the debugger's half alone: acknowledgements that are owed, and whole packets. Everything else that is heard is
 * console text, and is fetched with link_console_text; a receive that heard only text answers 0. What is typed on the
 * console goes out between packets, never within one. Nothing is allocated after link_console_new.
 *
 * What is a packet. $, a body of printable characters, #, two hex digits that are its sum, and:
 *   of a kernel that runs     a body that a stop, console output or a refused resume has (T S W X O E);
 *   of one that is asked, or is said to stand    any body that KGDB answers with; so kdb's "use $D#44+ or $3#33" is text;
 *   of one that stands, and has answered since it does, or right behind an owed +    any body.
 * A packet with a wrong sum is text. It comes up, to be answered with -, only while a kernel that has answered owes an answer:
 * then nothing else speaks on the wire. Our own last packet, coming back before it was acknowledged, is a terminal's
 * echo: it is dropped, and counted in .dropped.
 *
 * What is an acknowledgement. + or -, when a packet of ours went out whole and has had none. From a kernel that answered
 * since it stands it is the first byte after that packet, or after a packet. Otherwise text may still be on its way, and + is one
 * only right before a packet, - only as the first byte, and nothing behind it for CONSOLE_STALL_MS.
 *
 * On two lines: up comes what the above makes of the debugger's line, where a kernel debugger's own prompt may be, a login, or an echo; its
 * text is dropped. All that the console's line says is console text. A BREAK and its key go there, and so does what is typed, but not
 * while the kernel stands: nobody would read it, and a line holds a few bytes. Sent to a kernel that stands, a BREAK stops it anew when
 * it goes on: so it is asked first, by the debugger's line, where that does no harm. When either line ends, so does the link; link_why
 * tells which.
 *
 * Source: Linux, kernel/debug/gdbstub.c (get_packet, put_packet), kernel/debug/kdb/kdb_io.c, drivers/tty/serial/serial_core.c
 * (a BREAK is a sysrq on a console alone); what KGDB was seen to do. */
#ifndef BACKENDS_LINK_CONSOLE_H
#define BACKENDS_LINK_CONSOLE_H

#include "base/buf.h"

struct link;

enum {
	CONSOLE_PACKET = 4096,     /* of a body; a longer one is text */
	CONSOLE_TEXT = 65536,      /* of text that was not fetched; what is older is left out, and counted */
	CONSOLE_TYPED = 4096,
	CONSOLE_STALL_MS = 250,    /* what began like a packet and does not go on for so long is text */
	CONSOLE_ASKED_MS = 6000,    /* so long after a BREAK the kernel may take what is typed for a key of it */
	CONSOLE_PATIENCE_MS = 2000, /* the same, where there is little doubt: an answer is owed, or four characters are right */
};

struct link *link_console_new(struct link *below); /* takes it, if not NULL is returned */
struct link *link_console_apart_new(struct link *line, struct link *console); /* the same, of both; line is the debugger's */

/* What was heard since the last call. Borrowed until the next call on the link. Empty: nothing. */
struct span link_console_text(struct link *console);
uint64_t link_console_lost(const struct link *console); /* bytes of text that were left out, ever */

/* To be typed. How many bytes were taken; they go out with the next sends and receives, while the kernel runs and no packet
 * is on its way: a stub would read them. After link_attention the next call's bytes are the key that follows a BREAK: they go
 * first, whatever waits; all else waits until the kernel has stopped and run again, link_console_runs, or CONSOLE_ASKED_MS. */
size_t link_console_type(struct link *console, struct span bytes);

/* The kernel runs, or stands. Packets that stop it, resume it and detach from it are understood without; to be called when it is
 * known by other means: stands, before a stub is asked that may have stopped already; runs, when no answer is awaited any more. */
void link_console_runs(struct link *console, bool runs);
bool link_console_stands(const struct link *console); /* as far as that is known */

/* It has a line of its own: whoever asks the stub of a kernel that runs types nothing on it. */
bool link_console_is_apart(const struct link *console);

/* What the text said last about who listens. A guess: whoever can print can say it. */
enum console_mode {
	CONSOLE_MODE_RUNS,   /* nothing since it runs */
	CONSOLE_MODE_KGDB,   /* the stub has been entered */
	CONSOLE_MODE_KDB,    /* the kernel debugger's own prompt: $?#3f makes it the stub */
	CONSOLE_MODE_MASKED, /* sysrq g is not allowed */
	CONSOLE_MODE_NO_KEY, /* sysrq does not know g: no debugger is built in */
};
enum console_mode link_console_mode(const struct link *console);

/* What a layer is that is one: link_ops.console. */
struct console_ops {
	struct span (*text)(struct link *lk);
	uint64_t (*lost)(const struct link *lk);
	size_t (*type)(struct link *lk, struct span bytes);
	void (*runs)(struct link *lk, bool runs);
	bool (*stands)(const struct link *lk);
	enum console_mode (*mode)(const struct link *lk);
	bool apart;
};

#endif
