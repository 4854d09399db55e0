/* sandbox.c - see sandbox.h. What is needed, what this kernel has, and then step by step into confinement. */
#include "proxy/sandbox_parts.h"

#include "base/log.h"

#include <errno.h>
#include <arpa/inet.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PORTS_SINCE = 4, SIGNALS_SINCE = 6, CAPABILITIES = 64 };

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* A sanitizer's own work at the end, and when it has found something, is not on the list of system calls. */
static enum sandbox_mode mode_of(const struct config *c)
{
	return SANITIZED && c->sandbox == SANDBOX_DEFAULT ? SANDBOX_OFF : config_sandbox(c);
}

/* --- what is needed */

static void need_target(struct sandbox_needs *n, const struct addr *a)
{
	struct in6_addr number;

	if (a->kind == ADDR_REPLAY)
		return;
	n->datagrams |= a->kind == ADDR_UDP || a->kind == ADDR_KDNET;
	n->kdnet |= a->kind == ADDR_KDNET;
	if (a->kind == ADDR_UNIX) {
		n->unix_sockets = true;
	} else if (a->kind == ADDR_SERIAL) {
		n->serial = true;
	} else if (a->kind == ADDR_USB) {
		n->usb = true;
	} else if ((a->kind == ADDR_UDP || a->kind == ADDR_KDNET) && (inet_pton(AF_INET, a->host, &number) == 1 || strchr(a->host, ':'))) {
		return;
	} else if (inet_pton(AF_INET, a->host, &number) == 1) {
		n->ipv4 = true;
	} else if (strchr(a->host, ':')) {
		n->ipv6 = true;
	} else {
		n->ipv4 = n->ipv6 = n->names = true;
	}
}

static bool has_group(const struct allow *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entries[i].kind == ALLOW_GROUP)
			return true;
	return false;
}

/* A Unix socket tells its client's groups itself. */
static void need_listener(struct sandbox_needs *n, const struct config_listener *l)
{
	n->socket_files |= l->addr.kind == ADDR_UNIX;
	n->diag |= l->addr.kind == ADDR_TCP;
	n->groups |= l->addr.kind == ADDR_TCP && has_group(&l->allow);
}

struct sandbox_needs sandbox_needs_of(const struct config *c)
{
	struct sandbox_needs n = { .audit = *c->audit && strcmp(c->audit, "-") != 0 ? c->audit : NULL };

	for (size_t i = 0; i < c->targets_n; i++) {
		for (size_t k = 0; config_line(&c->targets[i], k); k++)
			need_target(&n, config_line(&c->targets[i], k));
		for (size_t k = 0; k < c->targets[i].listeners_n; k++)
			need_listener(&n, &c->targets[i].listeners[k]);
	}
	n.unix_sockets |= (n.groups && sandbox_names_of_groups_ask()) || (n.names && sandbox_names_of_hosts_ask());
	return n;
}

/* --- what there is */

struct sandbox_kernel sandbox_kernel_here(void)
{
	int abi = sandbox_files_abi();

	return (struct sandbox_kernel){ .seccomp = sandbox_calls_known(), .landlock = abi < 0 ? 0 : abi, .landlock_error = abi < 0 ? -abi : 0 };
}

static const char *without_landlock(const struct sandbox_kernel *k)
{
	return k->landlock_error == EOPNOTSUPP
		? "files and ports are not confined: this kernel was started without Landlock (add it to lsm= on its command line)"
		: "files and ports are not confined: this kernel has no Landlock";
}

/* Nothing: all that the configuration calls for can be had. An older Landlock's other gaps are closed by seccomp. */
static bool missing(const struct sandbox_kernel *k, const struct sandbox_needs *n, char *out, size_t size)
{
	const char *calls = k->seccomp ? NULL : "system calls are not filtered: this kernel has no seccomp";
	const char *files = k->landlock ? NULL : without_landlock(k);

	if (!files && k->landlock < PORTS_SINCE && (n->ipv4 || n->ipv6))
		files = "TCP ports are not confined: this kernel's Landlock cannot, Linux 6.7's can";
	snprintf(out, size, "%s%s%s", calls ? calls : "", calls && files ? "; " : "", files ? files : "");
	return *out;
}

/* --- the steps */

struct way {
	const struct sandbox_kernel *kernel;
	const struct config *config;
	struct sandbox_needs needs;
};

static int no_new_privs(const struct way *w, struct sandbox *s)
{
	(void)w;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	s->no_new_privs = true;
	return 0;
}

static int files(const struct way *w, struct sandbox *s)
{
	int rc = w->kernel->landlock ? sandbox_files_enter(w->kernel->landlock, w->config, &w->needs) : 0;

	s->landlock = rc ? 0 : w->kernel->landlock;
	return rc;
}

/* The bounding set is for a program that would be executed, and only CAP_SETPCAP may narrow it: who has not got that, or
 * had the right to none of it, loses nothing by what stays there. */
static int no_capabilities(const struct way *w, struct sandbox *s)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	(void)w;
	for (unsigned long cap = 0; cap < CAPABILITIES; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capset, &head, none) < 0)
		return -errno;
	s->no_capabilities = true;
	return 0;
}

static int calls(const struct way *w, struct sandbox *s)
{
	int rc = w->kernel->seccomp ? sandbox_calls_enter(&w->needs) : 0;

	s->seccomp = w->kernel->seccomp && !rc;
	return rc;
}

/* Root is not let into other users' sockets any more, and the target's may be one. */
static void warn_of_targets(const struct config *c)
{
	const struct addr *a;

	for (const struct config_target *t = c->targets; geteuid() == 0 && t < c->targets + c->targets_n; t++)
		for (size_t k = 0; (a = config_line(t, k)) != NULL; k++)
			if (a->kind == ADDR_UNIX && access(a->path, W_OK) < 0 && errno == EACCES)
				log_line(LOG_LEVEL_WARNING, "%s: %s: it belongs to another user, and without capabilities root may not use it "
					 "(run kdgate as that user, or say --sandbox off, sandbox = \"off\")", t->name, a->path);
}

static int go(const struct way *w, bool must, struct sandbox *s, char *why, size_t why_size)
{
	static const struct { const char *what; int (*enter)(const struct way *, struct sandbox *); } steps[] = {
		{ "no new privileges", no_new_privs },
		{ "files and ports (Landlock)", files },
		{ "no capabilities", no_capabilities },
		{ "system calls (seccomp)", calls },
	};
	int rc;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		rc = steps[i].enter(w, s);
		if (!rc)
			continue;
		snprintf(why, why_size, "sandbox: %s: %s%s", steps[i].what, strerror(-rc),
			 must ? " (sandbox = \"try\" does without what cannot be had)" : "");
		if (must)
			return rc;
		log_line(LOG_LEVEL_WARNING, "%s", why);
	}
	return 0;
}

int sandbox_enter_on(const struct sandbox_kernel *k, struct sandbox *s, const struct config *c, char *why, size_t why_size)
{
	enum sandbox_mode mode = mode_of(c);
	struct way w = { k, c, { 0 } };
	char text[CONFIG_WHY];
	int rc;

	*s = (struct sandbox){ 0 };
	if (mode == SANDBOX_OFF)
		return 0;
	w.needs = sandbox_needs_of(c);
	if (missing(k, &w.needs, text, sizeof text)) {
		snprintf(why, why_size, "sandbox: %s (sandbox = \"try\" does without)", text);
		if (mode == SANDBOX_MUST)
			return -EOPNOTSUPP;
		log_line(LOG_LEVEL_WARNING, "sandbox: %s", text);
	}
	sandbox_names_prime(&w.needs);
	rc = go(&w, mode == SANDBOX_MUST, s, why, why_size);
	if (rc)
		return rc;
	warn_of_targets(c);
	log_line(LOG_LEVEL_INFO, "confined by %s", sandbox_show(s, text, sizeof text));
	return 0;
}

int sandbox_enter(struct sandbox *s, const struct config *c, char *why, size_t why_size)
{
	struct sandbox_kernel k = sandbox_kernel_here();

	return sandbox_enter_on(&k, s, c, why, why_size);
}

static const char *landlock_shown(int abi)
{
	if (abi < PORTS_SINCE)
		return "Landlock (files)";
	return abi < SIGNALS_SINCE ? "Landlock (files, ports)" : "Landlock (files, ports, signals)";
}

const char *sandbox_show(const struct sandbox *s, char *out, size_t size)
{
	const char *parts[] = {
		s->seccomp ? "seccomp" : NULL,
		s->landlock ? landlock_shown(s->landlock) : NULL,
		s->no_capabilities ? "no capabilities" : NULL,
		s->no_new_privs ? "no new privileges" : NULL,
	};
	const char *comma = "";
	size_t n = 0;

	snprintf(out, size, "nothing");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!parts[i] || n >= size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s", comma, parts[i]);
		comma = ", ";
	}
	return out;
}
