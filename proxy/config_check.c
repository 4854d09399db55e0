/* config_check.c - what only the whole configuration can tell. See config.h. */
#include "proxy/config.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* IPv4 as ::ffff:a.b.c.d. False: it is a name. */
static bool host_bytes(const char *host, struct in6_addr *out)
{
	char plain[INET6_ADDRSTRLEN] = "";
	struct in_addr in;

	if (!strcmp(host, "localhost"))
		host = "127.0.0.1";
	*out = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	if (inet_pton(AF_INET, host, &in) == 1) {
		memcpy(out->s6_addr + 12, &in, sizeof in);
		return true;
	}
	if (strcspn(host, "%") < sizeof plain)
		memcpy(plain, host, strcspn(host, "%"));
	return inet_pton(AF_INET6, plain, out) == 1;
}

static bool is_any(const struct in6_addr *a)
{
	static const uint8_t v4_any[16] = { [10] = 0xff, [11] = 0xff };

	return IN6_IS_ADDR_UNSPECIFIED(a) || !memcmp(a, v4_any, sizeof v4_any);
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

bool addr_is_local(const struct addr *a)
{
	struct in6_addr bytes;

	return a->kind != ADDR_TCP || (host_bytes(a->host, &bytes) && is_loopback(&bytes));
}

/* Whoever connects to b reaches a listener at a, as far as the text of the two tells. */
static bool hosts_meet(const char *a, const char *b)
{
	struct in6_addr x, y;

	if (!host_bytes(a, &x) || !host_bytes(b, &y))
		return !strcmp(a, b);
	if (!memcmp(&x, &y, sizeof x))
		return strchr(a, '%') && strchr(b, '%') ? !strcmp(a, b) : true;
	return is_any(&x) || is_any(&y);
}

static bool addrs_meet(const struct addr *a, const struct addr *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ADDR_UNIX)
		return !strcmp(a->path, b->path);
	if (a->kind == ADDR_STDIO)
		return true;
	return strcmp(a->port, "0") && !strcmp(a->port, b->port) && hosts_meet(a->host, b->host);
}

/* By whatever names: /dev/serial/by-id/... is a link to /dev/ttyUSB0. */
static bool same_device(const char *a, const char *b)
{
	char x[PATH_MAX], y[PATH_MAX];

	return !strcmp(a, b) || (realpath(a, x) && realpath(b, y) && !strcmp(x, y));
}

static bool same_usb(const struct usb_place *a, const struct usb_place *b)
{
	return a->debug == b->debug && a->vid == b->vid && a->pid == b->pid && !strcmp(a->serial, b->serial) && a->interface == b->interface;
}

static bool is_over_tcp(const struct addr *a)
{
	return a->kind == ADDR_TCP || a->kind == ADDR_TELNET || a->kind == ADDR_RFC2217;
}

/* One line, as far as the texts of the two tell. */
static bool same_line(const struct addr *a, const struct addr *b)
{
	if (is_over_tcp(a) && is_over_tcp(b))
		return !strcmp(a->port, b->port) && hosts_meet(a->host, b->host);
	if (a->kind != b->kind)
		return false;
	if (a->kind == ADDR_SERIAL || a->kind == ADDR_UNIX)
		return same_device(a->path, b->path);
	return a->kind == ADDR_USB ? same_usb(&a->usb, &b->usb) : !strcmp(a->port, b->port) && hosts_meet(a->host, b->host);
}

/* Everybody: any, 0.0.0.0/0, ::/0. */
static bool is_everybody(const struct allow_entry *e)
{
	return e->kind == ALLOW_ANYONE || (e->kind == ALLOW_ADDRESS && (!e->prefix || (e->prefix <= 96 && is_any(&e->addr))));
}

static const char *what_lacks(const struct config_listener *l)
{
	size_t named = 0;

	for (size_t i = 0; l->allow_given && i < l->allow.count; i++) {
		if (is_everybody(&l->allow.entries[i]))
			return "its allowlist lets everybody in";
		named += l->allow.entries[i].kind == ALLOW_ADDRESS;
	}
	if (!named)
		return "its allowlist names no addresses";
	return l->plain_accepted ? NULL : "nobody has accepted that";
}

static int check_plain(const struct config *c, const struct config_listener *l, char *why, size_t why_size)
{
	const char *lacks = addr_is_local(&l->addr) ? NULL : what_lacks(l);

	if (c->secure && !addr_is_local(&l->addr))
		return config_refuse(why, why_size, "%s is beyond loopback and plain, and secure mode has no such listener; expected a Unix socket, or "
				     "loopback reached by ssh -L (TLS in a later version)", l->addr.text);
	if (!lacks)
		return 0;
	return config_refuse(why, why_size,
			     "%s is beyond loopback and plain: whoever is on the way reads and writes the target's memory, and %s; expected a "
			     "Unix socket, or loopback reached by ssh -L (TLS in a later version), or else allow with addresses and plain = "
			     "\"accept-the-risk\" (--accept-plain-risk)",
			     l->addr.text, lacks);
}

static int check_kind(const struct config_listener *l, char *why, size_t why_size)
{
	if (l->addr.kind != ADDR_UNIX && (l->has_group || l->mode != 0600))
		return config_refuse(why, why_size, "%s has no mode and no group; expected them with unix:PATH only", l->addr.text);
	return 0;
}

static int check_first(const struct config *c, size_t target, size_t listener, char *why, size_t why_size)
{
	const struct addr *a = &c->targets[target].listeners[listener].addr;

	for (size_t t = 0; t <= target; t++)
		for (size_t i = 0; i < (t == target ? listener : c->targets[t].listeners_n); i++)
			if (addrs_meet(a, &c->targets[t].listeners[i].addr))
				return config_refuse(why, why_size, "%s is taken by listener %s of target %s; expected another address", a->text,
						     c->targets[t].listeners[i].addr.text, c->targets[t].name);
	return 0;
}

int config_check_listener(const struct config *c, size_t target, size_t listener, char *why, size_t why_size)
{
	const struct config_target *t = &c->targets[target];
	const struct config_listener *l = &t->listeners[listener];
	int rc;

	if (addrs_meet(&l->addr, &t->addr) || (t->has_console_line && addrs_meet(&l->addr, &t->console_line)))
		return config_refuse(why, why_size, "%s is where the target itself is; expected another address to listen at, such as %s", l->addr.text,
				     l->addr.kind != ADDR_TCP ? "unix:/run/kdgate/gate.sock" : strcmp(l->addr.port, "2345") ? "tcp:127.0.0.1:2345" : "tcp:127.0.0.1:1234");
	if (l->addr.kind == ADDR_STDIO && !strcmp(c->audit, "-"))
		return config_refuse(why, why_size, "%s needs standard output, and so does the audit; expected a file for the audit", l->addr.text);
	rc = check_kind(l, why, why_size);
	if (!rc)
		rc = check_plain(c, l, why, why_size);
	return rc ? rc : check_first(c, target, listener, why, why_size);
}

static int check_secure_paths(const struct config *c, char *why, size_t why_size)
{
	for (size_t i = 0; i < c->policies_n; i++)
		if (c->policies[i].paths)
			return config_refuse(why, why_size, "policy %s has paths = true, and in secure mode a target's names of files have no directories; "
					     "expected paths = false, or no secure", c->policies[i].name);
	return 0;
}

static int check_secure(const struct config *c, char *why, size_t why_size)
{
	if (!c->secure)
		return 0;
	if (!*c->audit)
		return config_refuse(why, why_size, "secure mode needs an audit; expected audit = \"FILE\" (--audit FILE)");
	if (config_audit_failure(c) == AUDIT_FAILURE_CONTINUE)
		return config_refuse(why, why_size, "secure mode does not go on without its audit; expected audit_failure = \"stop\" "
				     "(--audit-failure stop), or no word about it");
	if (config_sandbox(c) == SANDBOX_OFF)
		return config_refuse(why, why_size, "secure mode has a sandbox; expected sandbox = \"must\" or \"try\" (--sandbox), or no word about it");
	if (*c->learn)
		return config_refuse(why, why_size, "secure mode does not learn; expected --learn in a session without --secure, before");
	return check_secure_paths(c, why, why_size);
}

/* What is printed at the end, in lines of another kind. */
static int check_output(const struct config *c, char *why, size_t why_size)
{
	bool stdio = false;

	if (strcmp(c->learn, "-"))
		return 0;
	for (size_t t = 0; t < c->targets_n; t++)
		for (size_t i = 0; i < c->targets[t].listeners_n; i++)
			stdio |= c->targets[t].listeners[i].addr.kind == ADDR_STDIO;
	if (!stdio && strcmp(c->audit, "-"))
		return 0;
	return config_refuse(why, why_size, "what is learned needs standard output, and so does %s; expected --learn FILE",
			     stdio ? "a listener" : "the audit");
}

int config_check_settings(const struct config *c, char *why, size_t why_size)
{
	int rc = check_secure(c, why, why_size);

	if (!rc && c->audit_failure == AUDIT_FAILURE_STOP && !*c->audit)
		return config_refuse(why, why_size, "there is no audit that could fail; expected audit = \"FILE\" (--audit FILE), or no audit_failure");
	return rc ? rc : check_output(c, why, why_size);
}

/* Only a kernel has a console that comes by its debugger's wire; what a KD target prints goes to debuggers anyway. */
static int check_console(const struct config_target *t, char *why, size_t why_size)
{
	bool console = *t->console_log || t->console_to_debugger, typed = t->console_to_debugger || *t->break_in;

	for (size_t i = 0; i < t->listeners_n; i++) {
		console |= t->listeners[i].console;
		if (t->listeners[i].console && t->listeners[i].addr.kind == ADDR_STDIO)
			return config_refuse(why, why_size, "stdio: standard input and output are for a debugger, not a console; expected tcp:127.0.0.1:5550 or unix:PATH");
	}
	if ((console || typed) && t->proto == PROTO_RSP)
		return config_refuse(why, why_size, "target %s has no console, nor a way to break in by it; expected a target kgdb+LINK:ADDRESS, or for a console a Windows kernel's", t->name);
	if (typed && t->proto != PROTO_KGDB)
		return config_refuse(why, why_size, "target %s needs no --break-in and no --console-to-debugger: KD breaks in by itself, and debuggers are shown what the target prints", t->name);
	return 0;
}

static int check_line(const struct config_target *t, char *why, size_t why_size)
{
	if (!t->has_console_line)
		return 0;
	if (t->proto != PROTO_KGDB)
		return config_refuse(why, why_size, "target %s has no console on a line of its own; expected --console-line, or console_line = ..., "
				     "with a target kgdb+LINK:ADDRESS alone", t->name);
	if (same_line(&t->addr, &t->console_line))
		return config_refuse(why, why_size, "target %s: its console line %s is the debugger's line; expected another one, or no word about it: "
				     "kdgate takes console and debugger apart that share a line", t->name, t->console_line.text);
	return 0;
}

/* A serial line has one program that holds it. What listens may let in several. */
static int check_free(const struct config *c, const struct config_target *t, char *why, size_t why_size)
{
	const struct addr *a, *b;

	for (size_t i = 0; (a = config_line(t, i)) != NULL; i++)
		for (const struct config_target *u = c->targets; a->kind == ADDR_SERIAL && u < t; u++)
			for (size_t k = 0; (b = config_line(u, k)) != NULL; k++)
				if (same_line(a, b))
					return config_refuse(why, why_size, "target %s: the line %s is that of target %s; expected one of its own",
							     t->name, a->text, u->name);
	return 0;
}

static int check_key(const struct config_target *t, char *why, size_t why_size)
{
	if (!*t->key_file || t->addr.kind == ADDR_KDNET || t->addr.kind == ADDR_REPLAY)
		return 0;
	return config_refuse(why, why_size, "target %s needs no key; expected one for kdnet:ADDRESS:PORT alone", t->name);
}

/* No recording of a Windows machine on USB was ever seen: that its KD is a plain stream there is what one would expect. */
static int check_confirmed(const struct config_target *t, char *why, size_t why_size)
{
	if (t->proto != PROTO_KD || t->addr.kind != ADDR_USB || t->unconfirmed)
		return 0;
	return config_refuse(why, why_size, "target %s: how Windows speaks KD over USB is not confirmed, and kdgate would take it for a plain stream; "
	                     "expected --unconfirmed, or unconfirmed = true, to try that", t->name);
}

int config_check_target(const struct config *c, size_t target, char *why, size_t why_size)
{
	const struct config_target *t = &c->targets[target];
	int rc = check_console(t, why, why_size);

	rc = rc ? rc : check_line(t, why, why_size);
	rc = rc ? rc : check_free(c, t, why, why_size);
	rc = rc ? rc : check_key(t, why, why_size);
	return rc ? rc : check_confirmed(t, why, why_size);
}

static int check_all_of(const struct config *c, size_t target, char *why, size_t why_size)
{
	const struct config_target *t = &c->targets[target];
	int rc;

	if (!t->listeners_n)
		return config_refuse(why, why_size, "target %s has nothing to listen at; expected listen: ( { address = ... } )", t->name);
	rc = config_check_target(c, target, why, why_size);
	for (size_t i = 0; !rc && i < t->listeners_n; i++)
		rc = config_check_listener(c, target, i, why, why_size);
	return rc;
}

int config_check(const struct config *c, char *why, size_t why_size)
{
	int rc = config_check_settings(c, why, why_size);

	if (rc)
		return rc;
	if (config_is_policies(c))
		return config_refuse(why, why_size, "there is no target; expected target: { NAME: { connect = ...; listen: ... } }, or for its policies alone "
				     "kdgate TARGET -c FILE --policy %s", c->policies[c->policies_n - 1].name);
	if (!c->targets_n)
		return config_refuse(why, why_size, "there is no target; expected target: { NAME: { connect = ...; listen: ... } }");
	for (size_t t = 0; !rc && t < c->targets_n; t++)
		rc = config_at(c->targets[t].place, check_all_of(c, t, why, why_size), why, why_size);
	return rc;
}
