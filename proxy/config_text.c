/* config_text.c - the pieces of a configuration, each from its text. See config.h. */
#include "proxy/config.h"

#include "proxy/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS_MOST = 256 };

/* One of the words, which a NULL ends; the index goes to *out. */
static int take_choice(int *out, const char *text, const char *const words[], char *why, size_t why_size)
{
	char known[64] = "";
	size_t at = 0;

	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i])) {
			*out = i;
			return 0;
		}
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	return config_refuse(why, why_size, "unknown word \"%.40s\"; expected %s", text, known);
}

int config_on_disconnect_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	static const char *const words[] = { [ON_DISCONNECT_RUN] = "run", [ON_DISCONNECT_STAY] = "stay", NULL };
	int choice = 0, rc = take_choice(&choice, text, words, why, why_size);

	if (!rc)
		t->on_disconnect = (enum on_disconnect)choice;
	return rc;
}

int config_audit_failure_text(struct config *c, const char *text, char *why, size_t why_size)
{
	static const char *const words[] = { [AUDIT_FAILURE_CONTINUE] = "continue", [AUDIT_FAILURE_STOP] = "stop", NULL };
	int choice = 0, rc = take_choice(&choice, text, words, why, why_size);

	if (rc)
		return rc;
	c->audit_failure = (enum audit_failure)choice;
	c->audit_failure_given = true;
	return 0;
}

int config_sandbox_text(struct config *c, const char *text, char *why, size_t why_size)
{
	static const char *const words[] = { "try", "must", "off", NULL };
	static const enum sandbox_mode modes[] = { SANDBOX_TRY, SANDBOX_MUST, SANDBOX_OFF };
	int choice = 0, rc = take_choice(&choice, text, words, why, why_size);

	if (!rc)
		c->sandbox = modes[choice];
	return rc;
}

enum audit_failure config_audit_failure(const struct config *c)
{
	return c->secure && !c->audit_failure_given ? AUDIT_FAILURE_STOP : c->audit_failure;
}

enum sandbox_mode config_sandbox(const struct config *c)
{
	if (c->sandbox != SANDBOX_DEFAULT)
		return c->sandbox;
	return c->secure ? SANDBOX_MUST : SANDBOX_TRY;
}

int config_max_clients_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	int clients = config_number(text, CLIENTS_MOST);

	if (clients < 1)
		return config_refuse(why, why_size, "\"%.40s\" is no number of clients; expected 1 to %d", text, CLIENTS_MOST);
	t->max_clients = (unsigned)clients;
	return 0;
}

/* what: "audit file". */
static int take_file(char to[static CONFIG_ADDRESS], const char *what, const char *or, const char *text, char *why, size_t why_size)
{
	if (!*text)
		return config_refuse(why, why_size, "the %s has no name; expected a path%s", what, or);
	if (strlen(text) >= CONFIG_ADDRESS)
		return config_refuse(why, why_size, "the path of the %s is too long; expected at most %d characters", what, CONFIG_ADDRESS - 1);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

int config_console_log_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	if (!*text || strlen(text) >= sizeof t->console_log)
		return config_refuse(why, why_size, "no usable file name; expected one of 1 to %zu characters", sizeof t->console_log - 1);
	memcpy(t->console_log, text, strlen(text) + 1);
	return 0;
}

/* A line for a shell, ended as the return key does. */
int config_break_in_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	size_t n = strlen(text);

	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return config_refuse(why, why_size, "it holds more than printable characters; expected a line such as: echo g > /proc/sysrq-trigger");
	if (!n || n + 2 > sizeof t->break_in)
		return config_refuse(why, why_size, "no usable line; expected 1 to %zu characters, such as: echo g > /proc/sysrq-trigger", sizeof t->break_in - 2);
	memcpy(t->break_in, text, n);
	memcpy(t->break_in + n, "\r", 2);
	return 0;
}

int config_audit_text(struct config *c, const char *text, char *why, size_t why_size)
{
	return take_file(c->audit, "audit file", ", or - for standard output", text, why, why_size);
}

int config_learn_text(struct config *c, const char *text, char *why, size_t why_size)
{
	return take_file(c->learn, "file for what is learned", ", or - for standard output", text, why, why_size);
}

int config_record_text(struct config *c, const char *text, char *why, size_t why_size)
{
	if (!strcmp(text, "-"))
		return config_refuse(why, why_size, "a recording does not go to standard output; expected a path");
	return take_file(c->record, "recording", "", text, why, why_size);
}

int config_mode_text(struct config_listener *l, const char *text, char *why, size_t why_size)
{
	size_t n = strspn(text, "01234567");
	unsigned long mode = n >= 3 && n <= 4 && !text[n] ? strtoul(text, NULL, 8) : 01000;

	if (mode > 0777)
		return config_refuse(why, why_size, "\"%.40s\" is no mode of a socket; expected octal digits, such as 0660", text);
	l->mode = (unsigned)mode;
	return 0;
}

static int group_number(const char *text, gid_t *gid)
{
	size_t n = strlen(text);
	unsigned long v = n <= 10 ? strtoul(text, NULL, 10) : UINT32_MAX;

	*gid = (gid_t)v;
	return v < UINT32_MAX ? 0 : -ENOENT; /* the last one means "no change" to chown */
}

int config_group_text(struct config_listener *l, const char *text, char *why, size_t why_size)
{
	bool number = *text && strspn(text, "0123456789") == strlen(text);
	gid_t gid;

	if (number ? group_number(text, &gid) < 0 : names_system.gid_of(text, &gid) < 0)
		return config_refuse(why, why_size, "this system has no group \"%.40s\"; expected the name or number of one", text);
	l->group = gid;
	l->has_group = true;
	return 0;
}

int config_name_check(const char *name, char *why, size_t why_size)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (*name && strspn(name, letters) == strlen(name) && strlen(name) < CONFIG_NAME)
		return 0;
	return config_refuse(why, why_size, "\"%.40s\" is not a name; expected 1 to %d letters, digits, . _ -", name, CONFIG_NAME - 1);
}

int config_policy_text(const struct config *c, int *policy, const char *name, char *why, size_t why_size)
{
	char known[256] = "";
	size_t at = 0;
	int found = config_policy_find(c, name);

	for (size_t i = 0; i < c->policies_n && at < sizeof known; i++)
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", c->policies[i].name);
	if (found < 0)
		return config_refuse(why, why_size, "there is no policy \"%.40s\"; expected one of %s", name, known);
	*policy = found;
	return 0;
}

int config_allow_add(struct config *c, struct config_listener *l, const char *who, const char *policy, char *why, size_t why_size)
{
	int index = -1;
	int rc = policy ? config_policy_text(c, &index, policy, why, why_size) : 0;
	struct allow fresh = { 0 };

	if (rc)
		return rc;
	if (l->allow_given)
		return allow_add(&l->allow, who, index, &names_system, why, why_size);
	rc = allow_add(&fresh, who, index, &names_system, why, why_size);
	if (rc)
		return rc;
	l->allow = fresh;
	l->allow_given = true;
	return 0;
}

int config_allow_text(struct config *c, struct config_listener *l, const char *text, char *why, size_t why_size)
{
	static const char word[] = "policy=";
	size_t n = strcspn(text, ", \t");
	const char *policy = text + n + strspn(text + n, ", \t");
	char who[ALLOW_TEXT];

	if (n >= sizeof who)
		return config_refuse(why, why_size, "%.40s... is too long; expected at most %zu characters", text, sizeof who - 1);
	memcpy(who, text, n);
	who[n] = 0;
	if (!text[n])
		return config_allow_add(c, l, who, NULL, why, why_size);
	if (strncmp(policy, word, sizeof word - 1))
		return config_refuse(why, why_size, "\"%.40s\" after %.40s is not understood; expected policy=NAME, or nothing", policy, who);
	return config_allow_add(c, l, who, policy + sizeof word - 1, why, why_size);
}
