/* config_file.c - a configuration file's tree, turned into a config. See config.h; config_doc.h has the format. */
#include "proxy/config.h"

#include "proxy/config_doc.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { FOUND_WHAT = 384 };

struct reading {
	struct config *c;
	struct config_target *target;     /* whose section is read */
	struct config_listener *listener; /* the same */
	char *why;
	size_t why_size;
	char what[FOUND_WHAT]; /* what a piece says, without file and line */
};

/* One name a section may hold. take NULL: later, or read by another pass. */
struct key {
	const char *name;
	enum config_kind kind;
	bool list_too, titled; /* a VALUE of which there may be several; a SECTION that needs its title */
	int (*take)(struct reading *r, const struct config_node *n);
};

/* rc, and where it came from if it is an error. */
static int tell(struct reading *r, const struct config_node *n, int rc)
{
	if (rc < 0)
		snprintf(r->why, r->why_size, "%s:%u: %s", n->file, n->line, r->what);
	return rc;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct reading *r, const struct config_node *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->what, sizeof r->what, fmt, ap);
	va_end(ap);
	return tell(r, n, -EINVAL);
}

static int unknown_key(struct reading *r, const struct config_node *section, const struct config_node *n, const struct key *keys)
{
	static const char *const later[] = { "secure", "console", "control", "learn" };
	char known[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < COUNT(later); i++)
		if (!strcmp(n->name, later[i]))
			return refuse(r, n, "this version does not have %s yet; expected it to be left out", n->name);
	for (const struct key *k = keys; k->name && at < sizeof known; k++)
		at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", k == keys ? "" : ", ", k->name);
	return refuse(r, n, "unknown name %.40s in %s; expected one of %s", n->name, section->name ? section->name : "the file", known);
}

static const struct config_node *same_before(const struct config_node *section, const struct config_node *n)
{
	const struct config_node *before = section->first;

	while (before != n && strcmp(before->name, n->name))
		before = before->next;
	return before == n ? NULL : before;
}

static int check_shape(struct reading *r, const struct config_node *section, const struct config_node *n, const struct key *k)
{
	const struct config_node *before = k->titled ? NULL : same_before(section, n);

	if (n->kind != k->kind && !(k->list_too && n->kind == CONFIG_VALUE))
		return refuse(r, n, "%s is %s here; expected %s%s", n->name, config_kind_name(n->kind), config_kind_name(k->kind),
			      k->titled ? " with a title: NAME \"TITLE\" { ... }" : "");
	if (k->titled && !n->title)
		return refuse(r, n, "this %s has no title; expected %s \"TITLE\" { ... }", n->name, n->name);
	if (before)
		return refuse(r, n, "%s is set a second time, first at %s:%u; expected it once", n->name, before->file, before->line);
	return 0;
}

static int take_section(struct reading *r, const struct config_node *section, const struct key *keys)
{
	int rc = 0;

	for (const struct config_node *n = section->first; !rc && n; n = n->next) {
		const struct key *k = keys;

		while (k->name && strcmp(k->name, n->name))
			k++;
		if (!k->name)
			return unknown_key(r, section, n, keys);
		rc = check_shape(r, section, n, k);
		if (!rc && k->take)
			rc = k->take(r, n);
	}
	return rc;
}

static const struct config_node *find(const struct config_node *section, const char *name)
{
	const struct config_node *n = section->first;

	while (n && strcmp(n->name, name))
		n = n->next;
	return n;
}

/* Another section of that name and title, before this one. */
static const struct config_node *twin_before(const struct config_node *among, const struct config_node *n)
{
	const struct config_node *before = among->first;

	while (before != n && !(before->kind == n->kind && before->title && !strcmp(before->name, n->name) && !strcmp(before->title, n->title)))
		before = before->next;
	return before == n ? NULL : before;
}

/* Policies. */
static int take_rule(struct reading *r, struct policy *p, const struct config_node *n)
{
	return tell(r, n, policy_add(p, n->value, r->what, sizeof r->what));
}

static int take_rules(struct reading *r, const struct config_node *n)
{
	struct policy *p = &r->c->policies[r->c->policies_n - 1];
	int rc = 0;

	if (n->kind == CONFIG_VALUE)
		return take_rule(r, p, n);
	for (const struct config_node *rule = n->first; !rc && rule; rule = rule->next)
		rc = take_rule(r, p, rule);
	return rc;
}

static const struct key policy_keys[] = {
	{ "rules", CONFIG_LIST, true, false, take_rules },
	{ 0 },
};

static int take_policy(struct reading *r, const struct config_node *n)
{
	struct config *c = r->c;
	int rc = tell(r, n, config_name_check(n->title, r->what, sizeof r->what));

	if (rc)
		return rc;
	if (config_policy_is_builtin(c, config_policy_find(c, n->title)))
		return refuse(r, n, "policy %s is built in and cannot be defined; expected another name", n->title);
	if (config_policy_find(c, n->title) >= 0)
		return refuse(r, n, "policy %s is defined a second time; expected another name", n->title);
	if (c->policies_n == CONFIG_POLICIES)
		return refuse(r, n, "too many policies; expected at most %d, built-in ones included", CONFIG_POLICIES);
	snprintf(r->what, sizeof r->what, "out of memory");
	rc = tell(r, n, policy_init(&c->policies[c->policies_n], n->title));
	if (rc)
		return rc;
	c->policies_n++;
	rc = take_section(r, n, policy_keys);
	return rc || find(n, "rules") ? rc : refuse(r, n, "policy %s has no rules; expected rules = [ ... ]", n->title);
}

/* Listeners. */
static int take_listener_policy(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_policy_text(r->c, &r->listener->policy, n->value, r->what, sizeof r->what));
}

static int take_allow(struct reading *r, const struct config_node *n)
{
	int rc = 0;

	if (n->kind == CONFIG_VALUE)
		return tell(r, n, config_allow_text(r->c, r->listener, n->value, r->what, sizeof r->what));
	if (!n->first)
		return refuse(r, n, "allow is empty, so nobody could connect; expected who may, such as \"user=alice\"");
	for (const struct config_node *who = n->first; !rc && who; who = who->next)
		rc = tell(r, who, config_allow_text(r->c, r->listener, who->value, r->what, sizeof r->what));
	return rc;
}

static int take_mode(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_mode_text(r->listener, n->value, r->what, sizeof r->what));
}

static int take_group(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_group_text(r->listener, n->value, r->what, sizeof r->what));
}

static int take_plain(struct reading *r, const struct config_node *n)
{
	if (strcmp(n->value, "accept-the-risk"))
		return refuse(r, n, "unknown word \"%.40s\"; expected accept-the-risk", n->value);
	r->listener->plain_accepted = true;
	return 0;
}

static const struct key listen_keys[] = {
	{ "policy", CONFIG_VALUE, false, false, take_listener_policy },
	{ "allow", CONFIG_LIST, true, false, take_allow },
	{ "mode", CONFIG_VALUE, false, false, take_mode },
	{ "group", CONFIG_VALUE, false, false, take_group },
	{ "plain", CONFIG_VALUE, false, false, take_plain },
	{ 0 },
};

/* A daemon has no directory of its own. */
static int check_absolute(struct reading *r, const struct config_node *n, const struct addr *a)
{
	return a->kind == ADDR_UNIX && *a->path != '/' ? refuse(r, n, "%s is relative; expected a path that begins with /", a->text) : 0;
}

static int take_listen(struct reading *r, const struct config_node *n)
{
	struct config_target *t = r->target;
	int rc;

	if (t->listeners_n == CONFIG_LISTENERS)
		return refuse(r, n, "too many listeners of one target; expected at most %d", CONFIG_LISTENERS);
	r->listener = &t->listeners[t->listeners_n];
	config_listener_init(r->listener, r->c);
	rc = tell(r, n, config_addr_text(&r->listener->addr, n->title, r->what, sizeof r->what));
	if (!rc)
		rc = check_absolute(r, n, &r->listener->addr);
	if (!rc)
		rc = take_section(r, n, listen_keys);
	if (!rc)
		t->listeners_n++;
	return rc;
}

/* Targets. */
static int take_connect(struct reading *r, const struct config_node *n)
{
	int rc = tell(r, n, config_target_text(r->target, n->value, r->what, sizeof r->what));

	return rc ? rc : check_absolute(r, n, &r->target->addr);
}

static int take_on_disconnect(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_on_disconnect_text(r->target, n->value, r->what, sizeof r->what));
}

static int take_max_clients(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_max_clients_text(r->target, n->value, r->what, sizeof r->what));
}

static const struct key target_keys[] = {
	{ "connect", CONFIG_VALUE, false, false, take_connect },
	{ "on_disconnect", CONFIG_VALUE, false, false, take_on_disconnect },
	{ "max_clients", CONFIG_VALUE, false, false, take_max_clients },
	{ "listen", CONFIG_SECTION, false, true, take_listen },
	{ 0 },
};

/* Each listener beside all before it, so that the later one of two is at fault. */
static int check_listeners(struct reading *r, const struct config_node *target)
{
	size_t t = r->c->targets_n - 1, i = 0;
	int rc = 0;

	for (const struct config_node *n = target->first; !rc && n; n = n->next)
		if (!strcmp(n->name, "listen"))
			rc = tell(r, n, config_check_listener(r->c, t, i++, r->what, sizeof r->what));
	return rc;
}

static int take_target(struct reading *r, const struct config_node *root, const struct config_node *n)
{
	struct config *c = r->c;
	const struct config_node *twin = twin_before(root, n);
	int rc = tell(r, n, config_name_check(n->title, r->what, sizeof r->what));

	if (rc)
		return rc;
	if (twin)
		return refuse(r, n, "target %s is defined a second time, first at %s:%u; expected another name", n->title, twin->file, twin->line);
	if (c->targets_n == CONFIG_TARGETS)
		return refuse(r, n, "too many targets; expected at most %d", CONFIG_TARGETS);
	r->target = &c->targets[c->targets_n];
	config_target_init(r->target);
	memcpy(r->target->name, n->title, strlen(n->title) + 1);
	rc = take_section(r, n, target_keys);
	if (rc)
		return rc;
	if (!find(n, "connect"))
		return refuse(r, n, "target %s is nowhere; expected connect = \"rsp+tcp:HOST:PORT\" or the like", n->title);
	if (!r->target->listeners_n)
		return refuse(r, n, "target %s has nothing to listen at; expected listen \"ADDRESS\" { ... }", n->title);
	c->targets_n++;
	return check_listeners(r, n);
}

/* The file itself. Targets wait until every policy is known. */
static int take_audit(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_audit_text(r->c, n->value, r->what, sizeof r->what));
}

static int take_audit_failure(struct reading *r, const struct config_node *n)
{
	return tell(r, n, config_audit_failure_text(r->c, n->value, r->what, sizeof r->what));
}

static int take_trace(struct reading *r, const struct config_node *n)
{
	r->c->trace = !strcmp(n->value, "yes");
	return r->c->trace || !strcmp(n->value, "no") ? 0 : refuse(r, n, "unknown word \"%.40s\"; expected yes or no", n->value);
}

static const struct key root_keys[] = {
	{ "audit", CONFIG_VALUE, false, false, take_audit },
	{ "audit_failure", CONFIG_VALUE, false, false, take_audit_failure },
	{ "trace", CONFIG_VALUE, false, false, take_trace },
	{ "policy", CONFIG_SECTION, false, true, take_policy },
	{ "target", CONFIG_SECTION, false, true, NULL },
	{ 0 },
};

static int take_root(struct reading *r, const struct config_node *root)
{
	int rc = take_section(r, root, root_keys);

	for (const struct config_node *n = root->first; !rc && n; n = n->next)
		if (!strcmp(n->name, "target"))
			rc = take_target(r, root, n);
	return rc;
}

/* rc tells how the doc was read. Takes its contents. */
static int finish(struct config *c, struct config_doc *doc, int rc, char *why, size_t why_size)
{
	struct config fresh = { 0 };
	struct reading r = { .c = &fresh, .why = why, .why_size = why_size };

	if (!rc && (rc = config_init(&fresh)) < 0)
		snprintf(why, why_size, "out of memory");
	if (!rc)
		rc = take_root(&r, &doc->root);
	config_doc_fini(doc);
	if (rc) {
		config_fini(&fresh);
		return rc;
	}
	config_fini(c);
	*c = fresh;
	return 0;
}

int config_read(struct config *c, const char *file, char *why, size_t why_size)
{
	struct config_doc doc;
	int rc = config_doc_read(&doc, file, why, why_size);

	return finish(c, &doc, rc, why, why_size);
}

int config_read_text(struct config *c, const char *name, struct span text, char *why, size_t why_size)
{
	struct config_doc doc;
	int rc = config_doc_parse(&doc, name, text, why, why_size);

	return finish(c, &doc, rc, why, why_size);
}
