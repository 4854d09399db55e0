/* config.c - a configuration from its beginning to its end, and its policies by name. See config.h. */
#include "proxy/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { CLIENTS_USUAL = 32 };

static const char *const builtin_names[] = { "full", "debug", "observe", "none" };

static int add_builtin(struct config *c, const char *name)
{
	const struct policy *from = policy_builtin(name);
	struct policy *to = &c->policies[c->policies_n];
	char why[CONFIG_WHY];
	int rc = policy_init(to, name);

	c->policies_n++;
	for (size_t i = 0; !rc && i < from->count; i++)
		rc = policy_add(to, from->rules[i].text, why, sizeof why);
	return rc;
}

int config_prepare(struct config *c)
{
	int rc = 0;

	*c = (struct config){
		.targets = calloc(CONFIG_TARGETS, sizeof *c->targets),
		.policies = calloc(CONFIG_POLICIES, sizeof *c->policies),
	};
	if (!c->targets || !c->policies)
		rc = -ENOMEM;
	for (size_t i = 0; !rc && i < COUNT(builtin_names); i++)
		rc = add_builtin(c, builtin_names[i]);
	if (rc)
		config_fini(c);
	return rc;
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < c->policies_n; i++)
		policy_fini(&c->policies[i]);
	config_keys_drop(c);
	free(c->policies);
	free(c->targets);
	*c = (struct config){ 0 };
}

void config_listener_init(struct config_listener *l, const struct config *c)
{
	*l = (struct config_listener){ .policy = config_policy_find(c, "debug"), .mode = 0600 };
	allow_default(&l->allow, geteuid());
}

void config_target_init(struct config_target *t)
{
	*t = (struct config_target){ .on_disconnect = ON_DISCONNECT_RUN, .max_clients = CLIENTS_USUAL, .cache = true };
}

const struct addr *config_line(const struct config_target *t, size_t i)
{
	if (i == 0)
		return &t->addr;
	return i == 1 && t->has_console_line ? &t->console_line : NULL;
}

int config_policy_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->policies_n; i++)
		if (!strcmp(c->policies[i].name, name))
			return (int)i;
	return -1;
}

bool config_policy_is_builtin(const struct config *c, int policy)
{
	return policy >= 0 && (size_t)policy < c->policies_n && (size_t)policy < COUNT(builtin_names);
}

bool config_is_policies(const struct config *c)
{
	return !c->targets_n && c->policies_n > COUNT(builtin_names);
}
