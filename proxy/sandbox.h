/* sandbox.h - what this process may still do once it serves: no new privileges, no capabilities, a list of system calls
 * (seccomp), and only the files, ports and sockets that the configuration names (Landlock). */
#ifndef PROXY_SANDBOX_H
#define PROXY_SANDBOX_H

#include "proxy/config.h"

struct sandbox {
	bool no_new_privs, no_capabilities, seccomp;
	int landlock; /* the kernel's ABI, of what is enforced; 0: none */
};

/* After everything that is named was opened, before the first target is. By c->sandbox: OFF does nothing; TRY does what
 * this kernel can and logs what it cannot; MUST refuses then. Secure mode without a word about it is MUST.
 * 0; -errno with why, and the process is to end: it may be half confined. */
int sandbox_enter(struct sandbox *s, const struct config *c, char *why, size_t why_size) MUST_USE;

/* "seccomp, Landlock (files, ports, signals), no capabilities", for people. Returns out. */
const char *sandbox_show(const struct sandbox *s, char *out, size_t size);

#endif
