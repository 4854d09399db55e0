/* kgdb.h - the ways of Linux's KGDB stub: what it knows, what it must never be sent, what its registers are.
 *
 * Source: Linux, kernel/debug/gdbstub.c and arch/x86/kernel/kgdb.c; what kernels 6.1 and 6.12 were seen to do. */
#ifndef BACKENDS_RSP_KGDB_H
#define BACKENDS_RSP_KGDB_H

#include "backends/rsp/stub.h"

enum { KGDB_PACKET = 1023 }; /* a longer one is dropped without a word; a longer answer overwrites the kernel */

/* It takes any packet that begins like one it knows for that one (qCRC for qC): others are not sent. Nor is k, after which it
 * says nothing until it is asked. */
bool kgdb_understands(const struct rsp_cmd *cmd);

/* A hardware breakpoint or watchpoint where one is that differs: it sets both, and asked to remove either takes out the first. */
bool kgdb_confuses(const struct stub *s, const struct rsp_cmd *cmd);

/* Its description, which it does not tell: known by the length of its g. 0, and t is built; -ENOENT: not one that is known;
 * other -errno. */
int kgdb_describe(struct tdesc *t, size_t g_len) MUST_USE;

/* Does a kernel boot? Told a console's text, piece by piece; true where the line begins that a kernel says first. at is 0 at
 * the start. dmesg says the same: what follows from it must do no harm. */
bool kgdb_boots(size_t *at, struct span text);

/* The same: does it say that it heeds sysrq, so that it runs, or ran until then? */
bool kgdb_heeds_sysrq(size_t *at, struct span text);

/* Why a break-in had no answer, as far as the console has told. For people, with a newline. */
const char *kgdb_unheard(int mode, bool apart); /* enum console_mode; its console has a line of its own */

#endif
