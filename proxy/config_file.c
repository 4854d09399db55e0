/* config_file.c - a configuration file, read by libconfig, turned into a config. See config.h. */
#include "proxy/config.h"

#include "proxy/config_vet.h"

#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define WHAT(r) (r)->what, sizeof (r)->what

enum { READING_WHAT = 384 };

struct place {
	const char *included; /* a name beside the first file; NULL: that file */
	unsigned line;
};

struct reading {
	struct config *c;
	struct config_target *target;     /* whose group is read */
	struct config_listener *listener; /* the same */
	const char *file, *dir; /* what is included is in dir; NULL: nothing is */
	char *why;
	size_t why_size;
	char what[READING_WHAT]; /* what a piece says, without file and line */
};

static void put_place(const struct reading *r, struct place at, char *out, size_t size)
{
	const char *dir = at.included ? r->dir : "", *slash = at.included ? "/" : "";

	snprintf(out, size, "%s%s%s:%u", dir, slash, at.included ? at.included : r->file, at.line);
}

static int tell(struct reading *r, struct place at, int rc)
{
	char place[PATH_MAX];

	if (rc < 0) {
		put_place(r, at, place, sizeof place);
		snprintf(r->why, r->why_size, "%s: %s", place, r->what);
	}
	return rc;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct reading *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->what, sizeof r->what, fmt, ap);
	va_end(ap);
	return tell(r, at, -EINVAL);
}

/* Settings. */
enum kind { TEXT, TEXTS, NUMBER, YES_NO, GROUP, GROUPS };

#define TYPE(name) (1u << CONFIG_TYPE_##name)

static const struct {
	unsigned types;
	const char *form;
} kinds[] = {
	[TEXT] = { TYPE(STRING), " = \"...\"" },
	[TEXTS] = { TYPE(STRING) | TYPE(ARRAY), " = [ \"...\", ... ]" },
	[NUMBER] = { TYPE(INT), " = NUMBER" },
	[YES_NO] = { TYPE(BOOL), " = true or false" },
	[GROUP] = { TYPE(GROUP), ": { ... }" },
	[GROUPS] = { TYPE(GROUP) | TYPE(LIST), ": ( { ... }, ... )" },
};

/* Its value goes to text, as text, one after another if there are more; or, a group, to group. */
struct key {
	const char *name;
	enum kind kind;
	int (*text)(struct reading *r, const char *text);
	int (*group)(struct reading *r, config_setting_t *s);
	bool needed;
};

static struct place place_of(const config_setting_t *s)
{
	return (struct place){ config_setting_source_file(s), config_setting_source_line(s) };
}

/* An element of a list goes by the name of the list. */
static const char *name_of(const config_setting_t *s)
{
	if (config_setting_is_root(s))
		return "the file";
	return config_setting_name(s) ? config_setting_name(s) : config_setting_name(config_setting_parent(s));
}

static int check_kind(struct reading *r, const config_setting_t *s, enum kind kind)
{
	if (kinds[kind].types & 1u << config_setting_type(s))
		return 0;
	return refuse(r, place_of(s), "%s is of another kind; expected %s%s", name_of(s), name_of(s), kinds[kind].form);
}

/* libconfig knows the line of an element only when it has read what follows, so the list's line is told, and which it is. */
static int take_element(struct reading *r, const struct key *k, config_setting_t *list, int i)
{
	const char *text = config_setting_get_string_elem(list, i);
	char what[READING_WHAT];
	int rc;

	if (!text)
		return refuse(r, place_of(list), "number %d of %s is no text; expected %s%s", i + 1, k->name, k->name, kinds[k->kind].form);
	rc = k->text(r, text);
	if (!rc)
		return 0;
	memcpy(what, r->what, sizeof what);
	snprintf(r->what, sizeof r->what, "number %d of %s: %.340s", i + 1, k->name, what);
	return tell(r, place_of(list), rc);
}

static int take_text(struct reading *r, const struct key *k, config_setting_t *s)
{
	char number[16];
	int rc = 0;

	if (config_setting_type(s) == CONFIG_TYPE_ARRAY) {
		for (int i = 0; !rc && i < config_setting_length(s); i++)
			rc = take_element(r, k, s, i);
		return rc;
	}
	if (k->kind == YES_NO)
		return tell(r, place_of(s), k->text(r, config_setting_get_bool(s) ? "yes" : "no"));
	snprintf(number, sizeof number, "%d", config_setting_get_int(s));
	return tell(r, place_of(s), k->text(r, k->kind == NUMBER ? number : config_setting_get_string(s)));
}

static int take_groups(struct reading *r, config_setting_t *s, int (*take)(struct reading *r, config_setting_t *s))
{
	int rc = 0;

	for (int i = 0; !rc && i < config_setting_length(s); i++) {
		rc = check_kind(r, config_setting_get_elem(s, (unsigned)i), GROUP);
		if (!rc)
			rc = take(r, config_setting_get_elem(s, (unsigned)i));
	}
	return rc;
}

static int take_key(struct reading *r, const struct key *k, config_setting_t *s)
{
	int rc = check_kind(r, s, k->kind);

	if (rc)
		return rc;
	return k->group ? k->group(r, s) : take_text(r, k, s);
}

static int check_known(struct reading *r, const config_setting_t *in, const config_setting_t *s, const struct key *keys)
{
	static const char *const later[] = { "control" };
	char known[160] = "";
	size_t at = 0;

	for (size_t i = 0; i < COUNT(later); i++)
		if (!strcmp(config_setting_name(s), later[i]))
			return refuse(r, place_of(s), "this version does not have %s yet; expected it to be left out", later[i]);
	if (!strcmp(config_setting_name(s), "learn"))
		return refuse(r, place_of(s), "learn is for one session; expected --learn FILE on the command line");
	for (const struct key *k = keys; k->name; k++) {
		if (!strcmp(config_setting_name(s), k->name))
			return 0;
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", k->name);
	}
	return refuse(r, place_of(s), "unknown name %.40s in %.64s; expected one of %s", config_setting_name(s), name_of(in), known);
}

static int take_keys(struct reading *r, config_setting_t *group, const struct key *keys)
{
	int rc = 0;

	for (int i = 0; !rc && i < config_setting_length(group); i++)
		rc = check_known(r, group, config_setting_get_elem(group, (unsigned)i), keys);
	for (const struct key *k = keys; !rc && k->name; k++) {
		config_setting_t *s = config_setting_get_member(group, k->name);

		if (s)
			rc = take_key(r, k, s);
		else if (k->needed)
			rc = refuse(r, place_of(group), "%.64s has no %s; expected %s%s", name_of(group), k->name, k->name, kinds[k->kind].form);
	}
	return rc;
}

/* So that the line at fault is told. The audit may be the command line's. */
static int check_settings(struct reading *r)
{
	return *r->c->audit ? config_check_settings(r->c, WHAT(r)) : 0;
}

/* Policies. */
static int text_rule(struct reading *r, const char *text)
{
	return policy_add(&r->c->policies[r->c->policies_n - 1], text, WHAT(r));
}

static int text_paths(struct reading *r, const char *text)
{
	r->c->policies[r->c->policies_n - 1].paths = !strcmp(text, "yes");
	return check_settings(r);
}

static const struct key policy_keys[] = {
	{ "rules", TEXTS, .text = text_rule, .needed = true },
	{ "paths", YES_NO, .text = text_paths },
	{ 0 },
};

static int take_policy(struct reading *r, config_setting_t *s)
{
	const char *name = config_setting_name(s);
	struct config *c = r->c;
	int rc = tell(r, place_of(s), config_name_check(name, WHAT(r)));

	if (rc)
		return rc;
	if (config_policy_find(c, name) >= 0)
		return refuse(r, place_of(s), "policy %s is built in and cannot be defined; expected another name", name);
	if (c->policies_n == CONFIG_POLICIES)
		return refuse(r, place_of(s), "too many policies; expected at most %d, built-in ones included", CONFIG_POLICIES);
	if (policy_init(&c->policies[c->policies_n], name) < 0)
		return refuse(r, place_of(s), "out of memory");
	c->policies_n++;
	return take_keys(r, s, policy_keys);
}

/* Listeners. A daemon has no directory of its own. */
static int check_absolute(struct reading *r, const struct addr *a)
{
	if (a->kind != ADDR_UNIX || *a->path == '/')
		return 0;
	return config_refuse(WHAT(r), "%s is relative; expected a path that begins with /", a->text);
}

static int text_address(struct reading *r, const char *text)
{
	int rc = config_addr_text(&r->listener->addr, text, WHAT(r));

	return rc ? rc : check_absolute(r, &r->listener->addr);
}

static int text_policy(struct reading *r, const char *text)
{
	return config_policy_text(r->c, &r->listener->policy, text, WHAT(r));
}

static int text_allow(struct reading *r, const char *text)
{
	return config_allow_text(r->c, r->listener, text, WHAT(r));
}

static int text_mode(struct reading *r, const char *text)
{
	return config_mode_text(r->listener, text, WHAT(r));
}

static int text_group(struct reading *r, const char *text)
{
	return config_group_text(r->listener, text, WHAT(r));
}

static int text_plain(struct reading *r, const char *text)
{
	r->listener->plain_accepted = !strcmp(text, "accept-the-risk");
	return r->listener->plain_accepted ? 0 : config_refuse(WHAT(r), "unknown word \"%.40s\"; expected accept-the-risk", text);
}

static const struct key listen_keys[] = {
	{ "address", TEXT, .text = text_address, .needed = true },
	{ "policy", TEXT, .text = text_policy },
	{ "allow", TEXTS, .text = text_allow },
	{ "mode", TEXT, .text = text_mode },
	{ "group", TEXT, .text = text_group },
	{ "plain", TEXT, .text = text_plain },
	{ 0 },
};

/* Beside all listeners before it, so that the later one of two is at fault. */
static int take_listener(struct reading *r, config_setting_t *s)
{
	struct config_target *t = r->target;
	const config_setting_t *allow = config_setting_get_member(s, "allow");
	int rc;

	if (t->listeners_n == CONFIG_LISTENERS)
		return refuse(r, place_of(s), "too many listeners of one target; expected at most %d", CONFIG_LISTENERS);
	r->listener = &t->listeners[t->listeners_n++];
	config_listener_init(r->listener, r->c);
	rc = take_keys(r, s, listen_keys);
	if (!rc && allow && !r->listener->allow_given)
		rc = refuse(r, place_of(allow), "allow is empty, so nobody could connect; expected who may, such as \"user=alice\"");
	return rc ? rc : tell(r, place_of(s), config_check_listener(r->c, r->c->targets_n - 1, t->listeners_n - 1, WHAT(r)));
}

static int take_listen(struct reading *r, config_setting_t *s)
{
	if (config_setting_is_group(s))
		return take_listener(r, s);
	if (!config_setting_length(s))
		return refuse(r, place_of(s), "listen is empty; expected listen: ( { address = \"...\" } )");
	return take_groups(r, s, take_listener);
}

static int take_console_listener(struct reading *r, config_setting_t *s)
{
	int rc = take_listener(r, s);

	r->target->listeners[r->target->listeners_n - 1].console = true;
	return rc;
}

static int take_console(struct reading *r, config_setting_t *s)
{
	return config_setting_is_group(s) ? take_console_listener(r, s) : take_groups(r, s, take_console_listener);
}

/* Targets. */
static int text_connect(struct reading *r, const char *text)
{
	int rc = config_target_text(r->target, text, WHAT(r));

	return rc ? rc : check_absolute(r, &r->target->addr);
}

static int text_on_disconnect(struct reading *r, const char *text)
{
	return config_on_disconnect_text(r->target, text, WHAT(r));
}

static int text_max_clients(struct reading *r, const char *text)
{
	return config_max_clients_text(r->target, text, WHAT(r));
}

static int text_cache(struct reading *r, const char *text)
{
	r->target->cache = !strcmp(text, "yes");
	return 0;
}

static int text_unconfirmed(struct reading *r, const char *text)
{
	r->target->unconfirmed = !strcmp(text, "yes");
	return 0;
}

static int text_console_log(struct reading *r, const char *text)
{
	return config_console_log_text(r->target, text, WHAT(r));
}

static int text_console_to_debugger(struct reading *r, const char *text)
{
	r->target->console_to_debugger = !strcmp(text, "yes");
	return 0;
}

static int text_break_in(struct reading *r, const char *text)
{
	return config_break_in_text(r->target, text, WHAT(r));
}

static int text_console_line(struct reading *r, const char *text)
{
	int rc = config_console_line_text(r->target, text, WHAT(r));

	return rc ? rc : check_absolute(r, &r->target->console_line);
}

static int text_key_file(struct reading *r, const char *text)
{
	return config_key_file_text(r->target, text, WHAT(r));
}

static const struct key target_keys[] = {
	{ "connect", TEXT, .text = text_connect, .needed = true },
	{ "on_disconnect", TEXT, .text = text_on_disconnect },
	{ "max_clients", NUMBER, .text = text_max_clients },
	{ "cache", YES_NO, .text = text_cache },
	{ "unconfirmed", YES_NO, .text = text_unconfirmed },
	{ "console_line", TEXT, .text = text_console_line },
	{ "break_in", TEXT, .text = text_break_in },
	{ "key_file", TEXT, .text = text_key_file },
	{ "console_log", TEXT, .text = text_console_log },
	{ "console_to_debugger", YES_NO, .text = text_console_to_debugger },
	{ "listen", GROUPS, .group = take_listen, .needed = true },
	{ "console", GROUPS, .group = take_console },
	{ 0 },
};

static int take_target(struct reading *r, config_setting_t *s)
{
	const char *name = config_setting_name(s);
	struct config *c = r->c;
	int rc = tell(r, place_of(s), config_name_check(name, WHAT(r)));

	if (rc)
		return rc;
	if (c->targets_n == CONFIG_TARGETS)
		return refuse(r, place_of(s), "too many targets; expected at most %d", CONFIG_TARGETS);
	r->target = &c->targets[c->targets_n++];
	config_target_init(r->target);
	memcpy(r->target->name, name, strlen(name) + 1);
	put_place(r, place_of(s), r->target->place, sizeof r->target->place);
	rc = take_keys(r, s, target_keys);
	return rc ? rc : tell(r, place_of(s), config_check_target(c, c->targets_n - 1, WHAT(r)));
}

/* The file itself. */
static int text_audit(struct reading *r, const char *text)
{
	return config_audit_text(r->c, text, WHAT(r));
}

static int text_audit_failure(struct reading *r, const char *text)
{
	int rc = config_audit_failure_text(r->c, text, WHAT(r));

	return rc ? rc : check_settings(r);
}

static int text_secure(struct reading *r, const char *text)
{
	r->c->secure = !strcmp(text, "yes");
	return check_settings(r);
}

static int text_sandbox(struct reading *r, const char *text)
{
	int rc = config_sandbox_text(r->c, text, WHAT(r));

	return rc ? rc : check_settings(r);
}

static int text_record(struct reading *r, const char *text)
{
	return config_record_text(r->c, text, WHAT(r));
}

static int text_trace(struct reading *r, const char *text)
{
	r->c->trace = !strcmp(text, "yes");
	return 0;
}

static int take_policies(struct reading *r, config_setting_t *s)
{
	return take_groups(r, s, take_policy);
}

static int take_targets(struct reading *r, config_setting_t *s)
{
	return take_groups(r, s, take_target);
}

/* In this order: a target uses policies, wherever they stand. */
static const struct key root_keys[] = {
	{ "audit", TEXT, .text = text_audit },
	{ "secure", YES_NO, .text = text_secure },
	{ "audit_failure", TEXT, .text = text_audit_failure },
	{ "sandbox", TEXT, .text = text_sandbox },
	{ "record", TEXT, .text = text_record },
	{ "trace", YES_NO, .text = text_trace },
	{ "policy", GROUP, .group = take_policies },
	{ "target", GROUP, .group = take_targets },
	{ 0 },
};

static int refuse_syntax(struct reading *r, const config_t *lib)
{
	static const char *const expected[][2] = {
		{ "duplicate setting name", "each name once" },
		{ "mismatched element type in array", "texts only" },
		{ "include file nesting too deep", "at most 10 levels" },
	};
	const char *remedy = "name = value, name: { ... } or ( ... )";
	struct place at = { config_error_file(lib), (unsigned)config_error_line(lib) };

	for (size_t i = 0; i < COUNT(expected); i++)
		if (!strcmp(config_error_text(lib), expected[i][0]))
			remedy = expected[i][1];
	return refuse(r, at, "%s; expected %s", config_error_text(lib), remedy);
}

static int read_text(struct reading *r, const char *text)
{
	config_t lib;
	int rc;

	config_init(&lib);
	if (r->dir)
		config_set_include_dir(&lib, r->dir);
	if (config_read_string(&lib, text))
		rc = take_keys(r, config_root_setting(&lib), root_keys);
	else
		rc = refuse_syntax(r, &lib);
	config_destroy(&lib);
	return rc;
}

/* Changes nothing unless all went well. A NUL stands behind text. */
static int replace(struct config *c, const char *file, const char *dir, struct span text, char *why, size_t why_size)
{
	struct config fresh = { 0 };
	struct reading r = { .c = &fresh, .file = file, .dir = dir, .why = why, .why_size = why_size };
	int rc = config_vet(file, dir, text, why, why_size);

	if (rc)
		return rc;
	rc = config_prepare(&fresh);
	rc = rc ? refuse(&r, (struct place){ NULL, 1 }, "out of memory") : read_text(&r, (const char *)text.p);
	if (rc) {
		config_fini(&fresh);
		return rc;
	}
	config_fini(c);
	*c = fresh;
	return 0;
}

int config_load(struct config *c, const char *file, char *why, size_t why_size)
{
	const char *slash = strrchr(file, '/'), *cause = "out of memory";
	char *dir = slash ? strndup(file, (size_t)(slash - file)) : strdup("."), *text = NULL;
	size_t len = 0;
	int rc = dir ? config_vet_load(&text, &len, file, &cause) : -ENOMEM;

	if (rc)
		snprintf(why, why_size, "%s: %s", file, cause);
	else
		rc = replace(c, file, dir, (struct span){ (const uint8_t *)text, len }, why, why_size);
	free(dir);
	free(text);
	return rc;
}

int config_load_text(struct config *c, const char *name, struct span text, char *why, size_t why_size)
{
	uint8_t *copy = calloc(text.len + 1, 1);
	int rc;

	if (!copy) {
		snprintf(why, why_size, "%s: out of memory", name);
		return -ENOMEM;
	}
	if (text.len)
		memcpy(copy, text.p, text.len);
	rc = replace(c, name, NULL, (struct span){ copy, text.len }, why, why_size);
	free(copy);
	return rc;
}
