/* sandbox.h - what this process may still do once it serves: no new privileges, no capabilities, a list of system calls
 * (seccomp), and only the files, ports and sockets that the configuration names (Landlock).
 *
 * What is left to whoever takes the process over:
 *   the descriptors that are open, and new connections to the targets' TCP ports (of any host) - or, if a target is a Unix
 *   socket or names come from a service like sssd or mDNS, to any Unix socket that this user may use: no Landlock up to ABI 7
 *   can tell those apart; UDP, if a target's host is a name;
 *   datagrams to anywhere, if a target is reached over UDP; and UDP ports, if one dials (KDNET);
 *   if a target is a serial line: that device, and because what is plugged in again is another file, of pseudo-terminals all in
 *   their directory and of USB devices all in /dev that this user may open. Root may open all that is there, so root keeps the
 *   one file, and has to be started anew after an unplugging; and the audit log may be written elsewhere than at its end;
 *   reading what look-ups of users and hosts read, all of /etc if this user is not root;
 *   the directory of the audit log, since SIGHUP opens the log anew there: as far as nothing but plain files is in it. If
 *   programs, directories or hidden files are, the log alone may be written, and that is logged;
 *   removing files in the directories of listeners that are Unix sockets: they are removed at the end. */
#ifndef PROXY_SANDBOX_H
#define PROXY_SANDBOX_H

#include "proxy/config.h"

struct sandbox {
	bool no_new_privs, no_capabilities, seccomp;
	int landlock; /* the kernel's ABI, of what is enforced; 0: none */
};

/* After everything that is named was opened, before the first target is. By config_sandbox: OFF does nothing; TRY does what
 * this kernel can and logs in a line what it cannot; MUST refuses then: without seccomp, without Landlock, and for TCP targets
 * without Landlock's ports (Linux 6.7). No word about it is OFF in a sanitizer's build, whose work needs more.
 * 0; -errno with why: the cause and the remedy. The process is to end then: it may be half confined. */
int sandbox_enter(struct sandbox *s, const struct config *c, char *why, size_t why_size) MUST_USE;

/* "seccomp, Landlock (files, ports, signals), no capabilities, no new privileges", for people. Returns out. */
const char *sandbox_show(const struct sandbox *s, char *out, size_t size);

#endif
