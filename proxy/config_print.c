/* config_print.c - what a configuration means, in words, for kdgate check. See config.h. */
#include "proxy/config.h"

#include "filters/latch.h"
#include "proxy/names.h"

#include <string.h>
#include <unistd.h>

static const char *policy_name(const struct config *c, int policy)
{
	return policy >= 0 && (size_t)policy < c->policies_n ? c->policies[policy].name : "?";
}

static void print_audit(const struct config *c, FILE *to)
{
	bool stop = config_audit_failure(c) == AUDIT_FAILURE_STOP;

	if (!*c->audit)
		fprintf(to, "audit: none\n");
	else
		fprintf(to, "audit: to %s; if that fails, %s\n", strcmp(c->audit, "-") ? c->audit : "standard output",
			stop ? "kdgate stops" : "kdgate goes on without it");
	if (c->trace)
		fprintf(to, "trace: every frame, on standard error\n");
}

static void print_secure(const struct config *c, FILE *to)
{
	if (!c->secure)
		return;
	fprintf(to, "secure mode: on, until kdgate ends; whatever a policy allows, these do not pass:\n"
		    "  files and programs of the stub's host, attaching, tracepoints, packets that are not known,\n"
		    "  monitor commands that no rule names, directories in names that the target tells\n");
}

static void print_sandbox(const struct config *c, FILE *to)
{
	static const char *const what[] = {
		[SANDBOX_TRY] = "as much of one as this kernel has",
		[SANDBOX_MUST] = "all of it, or kdgate does not start",
		[SANDBOX_OFF] = "none",
	};

	fprintf(to, "sandbox: %s\n", what[config_sandbox(c)]);
}

static void print_record(const struct config *c, FILE *to)
{
	if (*c->record)
		fprintf(to, "recording: every conversation, to %s\n", c->record);
}

static void print_who(const struct config *c, const struct config_listener *l, FILE *to)
{
	char own[64];

	if (!l->allow_given) {
		fprintf(to, "    only user root and the user kdgate runs as (%s now): policy %s\n", names_of_user(geteuid(), own, sizeof own),
			policy_name(c, l->policy));
		return;
	}
	for (size_t i = 0; i < l->allow.count; i++) {
		const struct allow_entry *e = &l->allow.entries[i];

		fprintf(to, "    %s: policy %s\n", e->text, policy_name(c, e->policy < 0 ? l->policy : e->policy));
	}
	fprintf(to, "    nobody else\n");
}

static void print_listener(const struct config *c, const struct config_listener *l, FILE *to)
{
	char group[64];

	fprintf(to, "  %s at %s", l->console ? "has its console" : "listens", l->addr.text);
	if (l->addr.kind == ADDR_UNIX)
		fprintf(to, ", mode %04o", l->mode);
	if (l->has_group)
		fprintf(to, ", group %s", names_of_group(l->group, group, sizeof group));
	if (!addr_is_local(&l->addr))
		fprintf(to, ", PLAIN TEXT BEYOND LOOPBACK");
	fprintf(to, "; it lets in:\n");
	print_who(c, l, to);
}

static void print_target(const struct config *c, const struct config_target *t, FILE *to)
{
	fprintf(to, "\ntarget %s\n", t->name);
	fprintf(to, t->addr.kind == ADDR_KDNET ? "  dials %s\n" : "  is at %s\n", t->addr.text);
	if (t->has_console_line)
		fprintf(to, "  has its console on a line of its own, %s\n", t->console_line.text);
	if (t->addr.kind == ADDR_KDNET)
		fprintf(to, "  has its key from %s\n", *t->key_file ? t->key_file : "credential:kdnet-key");
	fprintf(to, "  takes at most %u client%s; when whoever controls it vanishes, it %s\n", t->max_clients, t->max_clients == 1 ? "" : "s",
		t->on_disconnect == ON_DISCONNECT_RUN ? "runs on" : "stays as it is");
	if (!t->cache)
		fprintf(to, "  is asked again for what it has said already\n");
	for (size_t i = 0; i < t->listeners_n; i++)
		print_listener(c, &t->listeners[i], to);
}

static bool is_used(const struct config *c, int policy)
{
	for (size_t t = 0; t < c->targets_n; t++) {
		for (size_t i = 0; i < c->targets[t].listeners_n; i++) {
			const struct config_listener *l = &c->targets[t].listeners[i];

			for (size_t e = 0; e < l->allow.count; e++)
				if ((l->allow.entries[e].policy < 0 ? l->policy : l->allow.entries[e].policy) == policy)
					return true;
		}
	}
	return false;
}

/* Secure mode lets monitor commands pass by name only. */
static bool is_blanket(const struct config *c, const struct policy_rule *rule)
{
	return c->secure && rule->verdict == VERDICT_ALLOW && rule->effects & RSP_EFF_MONITOR && !latch_names(rule);
}

static void print_policy(const struct config *c, int policy, FILE *to)
{
	const struct policy *p = &c->policies[policy];

	fprintf(to, "\npolicy %s%s%s\n", p->name, config_policy_is_builtin(c, policy) ? ", built in" : "", is_used(c, policy) || !c->targets_n ? "" : ", not used");
	for (size_t i = 0; i < p->count; i++)
		fprintf(to, "  %3zu  %s%s\n", i + 1, p->rules[i].text, is_blanket(c, &p->rules[i]) ? "  (in secure mode: no monitor)" : "");
	fprintf(to, "  else deny\n");
	if (p->paths)
		fprintf(to, "  names of files that the target tells keep their directories\n");
}

void config_print(const struct config *c, FILE *to)
{
	print_secure(c, to);
	print_audit(c, to);
	print_sandbox(c, to);
	print_record(c, to);
	if (!c->targets_n)
		fprintf(to, "target: none; what is here is for kdgate TARGET -c FILE\n");
	for (size_t i = 0; i < c->targets_n; i++)
		print_target(c, &c->targets[i], to);
	for (size_t i = 0; i < c->policies_n; i++)
		print_policy(c, (int)i, to);
}
