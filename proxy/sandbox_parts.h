/* sandbox_parts.h - what sandbox.c, which decides, and its hands agree on: system calls, files, names. */
#ifndef PROXY_SANDBOX_PARTS_H
#define PROXY_SANDBOX_PARTS_H

#include "proxy/sandbox.h"

/* What a configuration does after the start. */
struct sandbox_needs {
	bool ipv4, ipv6;   /* TCP connections to targets */
	bool datagrams;    /* targets over UDP */
	bool kdnet;        /* targets that dial: the port is bound at every dialling */
	bool serial;       /* targets at serial lines */
	bool usb;          /* targets at USB devices */
	bool names;        /* a target's host is a name, which is looked up at every dialling */
	bool unix_sockets; /* to targets, or to a service that knows names */
	bool groups;       /* a loopback client's groups decide whether it comes in */
	bool diag;         /* who owns the other end of a loopback connection */
	bool socket_files; /* they are unlinked at the end */
	const char *audit; /* the file, opened anew at SIGHUP; NULL: none */
};

/* What the kernel has. A value, so that tests can have another kernel. */
struct sandbox_kernel {
	bool seccomp;
	int landlock;       /* ABI; 0: none */
	int landlock_error; /* why it is 0 */
};

struct sandbox_needs sandbox_needs_of(const struct config *c);
struct sandbox_kernel sandbox_kernel_here(void);
int sandbox_enter_on(const struct sandbox_kernel *k, struct sandbox *s, const struct config *c, char *why, size_t why_size) MUST_USE;

/* sandbox_files.c. abi: not 0. All: 0, -errno. */
int sandbox_files_abi(void); /* -errno: none */
int sandbox_files_enter(int abi, const struct config *c, const struct sandbox_needs *n) MUST_USE;

/* A directory that may be written in: no program, no directory and no hidden file is in it. */
bool sandbox_files_is_log_dir(const char *dir);

/* sandbox_calls.c */
bool sandbox_calls_known(void);
int sandbox_calls_enter(const struct sandbox_needs *n) MUST_USE;

/* sandbox_names.c. Loads what the C library loads at the first look-up, and asks nobody outside. */
void sandbox_names_prime(const struct sandbox_needs *n);

/* Does nsswitch.conf (this text of it) send a database to something besides the sources named? NULL ends those. */
bool sandbox_names_ask(FILE *nsswitch, const char *database, const char *const *sources);
bool sandbox_names_of_groups_ask(void); /* on this machine */
bool sandbox_names_of_hosts_ask(void);

#endif
