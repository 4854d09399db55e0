/* config_file.c - a configuration file, read by libconfuse, turned into a config. See config.h.
 *
 * The library keeps every value with its place; what they mean is seen afterwards, when every policy is known. */
#include "proxy/config.h"

#include "proxy/config_text.h"

#include <confuse.h>
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { READING_WHAT = 384, READING_FILES = 64 };

struct place {
	const char *file;
	unsigned line;
};

struct value {
	struct place at;
	char text[];
};

struct reading {
	struct config *c;
	struct config_target *target;     /* whose section is read */
	struct config_listener *listener; /* the same */
	const char *file;                 /* whose text the library reads */
	cfg_t *in;                        /* the section it is in */
	struct place lost;                /* of a value that a later one replaces */
	char *files[READING_FILES];       /* owned: the names of those included */
	size_t files_n, words;
	bool alone; /* include is refused */
	int rc;     /* of the first mistake, which is in why */
	char *why;
	size_t why_size;
	char what[READING_WHAT]; /* what a piece says, without file and line */
};

/* The library has globals itself, and hands none of ours to what it calls. NULL: it is not reading. */
static struct reading *reading;

/* rc, and where it came from if it is an error. */
static int tell(struct reading *r, struct place at, int rc)
{
	if (rc < 0 && !r->rc) {
		snprintf(r->why, r->why_size, "%s:%u: %s", at.file, at.line, r->what);
		r->rc = rc;
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

static struct place here(const struct reading *r, const cfg_t *cfg)
{
	return (struct place){ r->file, cfg->line > 0 ? (unsigned)cfg->line : 1 };
}

/* Where a section begins: its first option holds the line. */
static struct place start_of(cfg_t *section)
{
	return (struct place){ section->filename, (unsigned)(uintptr_t)cfg_opt_getnptr(section->opts, 0) };
}

/* The library takes "policy=student|rules" for a name. */
static bool is_own(cfg_t *cfg, const cfg_opt_t *opt)
{
	return opt >= cfg->opts && opt < cfg->opts + cfg_num(cfg);
}

static int refuse_foreign(struct reading *r, struct place at, const cfg_opt_t *opt)
{
	return refuse(r, at, "%s is written from outside its section; expected it inside", opt->name);
}

/* What the library calls. The default of a section's first option, whose name no file can write, is read when it begins. */
static int section_begins(cfg_t *section, cfg_opt_t *opt, const char *text, void *result)
{
	(void)opt;
	(void)text;
	reading->in = section;
	*(void **)result = (void *)(uintptr_t)section->line;
	return 0;
}

static int section_ends(cfg_t *outer, cfg_opt_t *opt)
{
	reading->in = outer;
	return is_own(outer, opt) ? 0 : refuse_foreign(reading, here(reading, outer), opt);
}

static int keep_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct reading *r = reading;
	struct place at = here(r, cfg);
	size_t len = strlen(text);
	struct value *v;

	if (!is_own(cfg, opt))
		return refuse_foreign(r, at, opt);
	if (r->lost.line)
		return refuse(r, at, "%s is set a second time, first at %s:%u; expected it once", opt->name, r->lost.file, r->lost.line);
	v = malloc(sizeof *v + len + 1);
	if (!v)
		return -ENOMEM;
	v->at = at;
	memcpy(v->text, text, len + 1);
	*(void **)result = v;
	return 0;
}

static void drop_value(void *p)
{
	struct value *v = p;

	if (reading && !reading->lost.line)
		reading->lost = v->at;
	free(v);
}

static int include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);

static char at_begin[] = "begin";

#define BEGIN CFG_PTR_CB("", at_begin, CFGF_NONE, section_begins, NULL)
#define VALUE(name) CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, keep_value, drop_value)
#define LIST(name) CFG_PTR_LIST_CB(name, NULL, CFGF_NODEFAULT, keep_value, drop_value)
#define SECTION(name, opts) CFG_SEC(name, opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)
#define INCLUDE CFG_FUNC("include", include)

/* No more than templates: cfg_init copies them. */
static cfg_opt_t policy_opts[] = { BEGIN, LIST("rules"), INCLUDE, CFG_END() };
static cfg_opt_t listen_opts[] = { BEGIN,          VALUE("policy"), LIST("allow"), VALUE("mode"),
				   VALUE("group"), VALUE("plain"),  INCLUDE,       CFG_END() };
static cfg_opt_t target_opts[] = { BEGIN,   VALUE("connect"), VALUE("on_disconnect"), VALUE("max_clients"), SECTION("listen", listen_opts),
				   INCLUDE, CFG_END() };
static cfg_opt_t root_opts[] = { VALUE("audit"), VALUE("audit_failure"), VALUE("trace"), SECTION("policy", policy_opts),
				 SECTION("target", target_opts), INCLUDE, CFG_END() };
static const char *const with_ends[] = { "policy", "target", "target|listen" };

/* The library's own findings. */
static int unknown_key(struct reading *r, cfg_t *cfg, const char *name)
{
	static const char *const later[] = { "secure", "console", "control", "learn" };
	char known[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < COUNT(later); i++)
		if (!strcmp(name, later[i]))
			return refuse(r, here(r, cfg), "this version does not have %s yet; expected it to be left out", name);
	for (const cfg_opt_t *o = cfg->opts; o->name && at < sizeof known; o++)
		if (*o->name)
			at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", o->name);
	return refuse(r, here(r, cfg), "unknown name %.40s in %s; expected one of %s", name, cfg->title ? cfg->name : "the file", known);
}

/* It does not say of which section the title is. */
static int second_title(struct reading *r, cfg_t *cfg, const char *title)
{
	cfg_t *first = NULL, *found;
	struct place at;
	size_t n = 0;

	for (cfg_opt_t *o = cfg->opts; o->name; o++)
		if (o->type == CFGT_SEC && (found = cfg_opt_gettsec(o, title)) != NULL) {
			first = found;
			n++;
		}
	if (n != 1)
		return refuse(r, here(r, cfg), "%.80s is defined a second time; expected another title", title);
	at = start_of(first);
	return refuse(r, here(r, cfg), "%s %.80s is defined a second time, first at %s:%u; expected another title", first->name, title, at.file,
		      at.line);
}

static const struct remedy {
	const char *finding, *expected;
} remedies[] = {
	{ "missing title", "NAME \"TITLE\" { ... }" },
	{ "missing opening brace", "NAME \"TITLE\" { ... }" },
	{ "missing equal sign", "NAME = VALUE" },
	{ "missing parenthesis", "include(\"FILE\")" },
	{ "unexpected token", "a name, a value, or }; a list has commas" },
	{ "premature end", "the value, list or section that was begun" },
	{ "", "what kdgate.conf(5) describes" },
};

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

__attribute__((format(printf, 2, 0))) static void library_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	const struct remedy *m = remedies;
	char finding[128];

	if (starts(fmt, "no such option")) {
		(void)unknown_key(reading, cfg, va_arg(ap, const char *));
	} else if (starts(fmt, "found duplicate title")) {
		(void)second_title(reading, cfg, va_arg(ap, const char *));
	} else {
		while (!starts(fmt, m->finding))
			m++;
		vsnprintf(finding, sizeof finding, fmt, ap);
		(void)refuse(reading, here(reading, cfg), "%s; expected %s", finding, m->expected);
	}
}

/* Reading. The library says nothing about a name that is "", or when memory runs out. */
static int parse(struct reading *r, cfg_t *cfg, char *text, size_t len)
{
	FILE *fp = fmemopen(text, len, "r");
	int rc = fp ? cfg_parse_fp(cfg, fp) : CFG_PARSE_ERROR;

	if (rc && !r->rc)
		(void)refuse(r, here(r, r->in), "this cannot be read: an empty name, or out of memory; expected a name");
	if (fp)
		fclose(fp);
	return rc;
}

/* Into cfg, which may be in the midst of another file. */
static int read_text(struct reading *r, cfg_t *cfg, const char *file, char *text, size_t len)
{
	const char *outer = r->file;
	char *outer_name = cfg->filename;
	struct place at = { .file = file };
	int outer_line = cfg->line;
	int rc = config_text_clean(text, len, &r->words, &at.line, r->what, sizeof r->what);

	if (rc)
		return tell(r, at, rc);
	r->file = file;
	cfg->filename = strdup(file);
	rc = len ? parse(r, cfg, text, len) : 0;
	free(cfg->filename);
	cfg->filename = outer_name;
	cfg->line = outer_line;
	r->file = outer;
	return rc;
}

static int include_file(struct reading *r, cfg_t *cfg, const char *path)
{
	struct place at = here(r, cfg);
	const char *cause;
	char *text, *file;
	size_t len;
	int rc;

	if (r->files_n == READING_FILES)
		return refuse(r, at, "too many files are included (does %s include itself?); expected at most %d", path, READING_FILES);
	rc = config_text_load(&text, &len, path, &cause);
	snprintf(r->what, sizeof r->what, "cannot include %s: %s", path, rc ? cause : "");
	if (rc)
		return tell(r, at, rc);
	file = r->files[r->files_n] = strdup(path);
	if (file) {
		r->files_n++;
		rc = read_text(r, cfg, file, text, len);
	}
	free(text);
	return file ? rc : refuse(r, at, "out of memory");
}

static int include_matches(struct reading *r, cfg_t *cfg, const char *pattern)
{
	glob_t found;
	int rc = glob(pattern, 0, NULL, &found);

	if (rc == GLOB_NOMATCH)
		return 0;
	if (rc)
		return refuse(r, here(r, cfg), "cannot search for %s: %s", pattern,
			      rc == GLOB_NOSPACE ? "out of memory" : "a directory cannot be read");
	for (size_t i = 0; !rc && i < found.gl_pathc; i++)
		rc = include_file(r, cfg, found.gl_pathv[i]);
	globfree(&found);
	return rc;
}

/* The name of an included file, as seen from the file that names it; the library's own include knows no such thing. */
static char *beside(const char *file, const char *name)
{
	const char *slash = *name == '/' ? NULL : strrchr(file, '/');
	char *path = NULL;

	return asprintf(&path, "%.*s%s", slash ? (int)(slash - file) + 1 : 0, file, name) < 0 ? NULL : path;
}

static int include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct reading *r = reading;
	char *path;
	int rc;

	if (r->alone || argc != 1)
		return refuse(r, here(r, cfg), "%s is not possible here; expected everything in one text", opt->name);
	path = beside(r->file, argv[0]);
	if (!path)
		return refuse(r, here(r, cfg), "out of memory");
	rc = strpbrk(path + strlen(path) - strlen(argv[0]), "*?[") ? include_matches(r, cfg, path) : include_file(r, cfg, path);
	free(path);
	return rc;
}

/* Meaning. */
struct key {
	const char *name;
	int (*take)(struct reading *r, const struct value *v);
};

static int take_values(struct reading *r, cfg_t *section, const struct key *keys)
{
	int rc = 0;

	for (const struct key *k = keys; !rc && k->name; k++) {
		cfg_opt_t *opt = cfg_getopt(section, k->name);

		for (unsigned i = 0; !rc && i < cfg_opt_size(opt); i++)
			rc = k->take(r, cfg_opt_getnptr(opt, i));
	}
	return rc;
}

/* Also when it is an empty list. */
static bool is_given(cfg_t *section, const char *name)
{
	return cfg_getopt(section, name)->flags & CFGF_MODIFIED;
}

/* Policies. */
static int take_rule(struct reading *r, const struct value *v)
{
	return tell(r, v->at, policy_add(&r->c->policies[r->c->policies_n - 1], v->text, r->what, sizeof r->what));
}

static const struct key policy_keys[] = {
	{ "rules", take_rule },
	{ 0 },
};

static int take_policy(struct reading *r, cfg_t *section)
{
	struct place at = start_of(section);
	const char *name = section->title;
	struct config *c = r->c;
	int rc = config_name_check(name, r->what, sizeof r->what);

	if (rc)
		return tell(r, at, rc);
	if (config_policy_find(c, name) >= 0)
		return refuse(r, at, "policy %s is built in and cannot be defined; expected another name", name);
	if (c->policies_n == CONFIG_POLICIES)
		return refuse(r, at, "too many policies; expected at most %d, built-in ones included", CONFIG_POLICIES);
	if (!is_given(section, "rules"))
		return refuse(r, at, "policy %s has no rules; expected rules = { ... }", name);
	snprintf(r->what, sizeof r->what, "out of memory");
	rc = tell(r, at, policy_init(&c->policies[c->policies_n], name));
	if (rc)
		return rc;
	c->policies_n++;
	return take_values(r, section, policy_keys);
}

/* Listeners. */
static int take_listener_policy(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_policy_text(r->c, &r->listener->policy, v->text, r->what, sizeof r->what));
}

static int take_allow(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_allow_text(r->c, r->listener, v->text, r->what, sizeof r->what));
}

static int take_mode(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_mode_text(r->listener, v->text, r->what, sizeof r->what));
}

static int take_group(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_group_text(r->listener, v->text, r->what, sizeof r->what));
}

static int take_plain(struct reading *r, const struct value *v)
{
	if (strcmp(v->text, "accept-the-risk"))
		return refuse(r, v->at, "unknown word \"%.40s\"; expected accept-the-risk", v->text);
	r->listener->plain_accepted = true;
	return 0;
}

static const struct key listen_keys[] = {
	{ "policy", take_listener_policy },
	{ "allow", take_allow },
	{ "mode", take_mode },
	{ "group", take_group },
	{ "plain", take_plain },
	{ 0 },
};

/* A daemon has no directory of its own. */
static int check_absolute(struct reading *r, struct place at, const struct addr *a)
{
	return a->kind == ADDR_UNIX && *a->path != '/' ? refuse(r, at, "%s is relative; expected a path that begins with /", a->text) : 0;
}

/* Each listener beside all before it, so that the later one of two is at fault. */
static int take_listen(struct reading *r, cfg_t *section)
{
	struct place at = start_of(section);
	struct config_target *t = r->target;
	int rc;

	if (t->listeners_n == CONFIG_LISTENERS)
		return refuse(r, at, "too many listeners of one target; expected at most %d", CONFIG_LISTENERS);
	r->listener = &t->listeners[t->listeners_n];
	config_listener_init(r->listener, r->c);
	rc = tell(r, at, config_addr_text(&r->listener->addr, section->title, r->what, sizeof r->what));
	if (!rc)
		rc = check_absolute(r, at, &r->listener->addr);
	if (!rc && is_given(section, "allow") && !cfg_size(section, "allow"))
		rc = refuse(r, at, "allow is empty, so nobody could connect; expected who may, such as \"user=alice\"");
	if (!rc)
		rc = take_values(r, section, listen_keys);
	if (rc)
		return rc;
	t->listeners_n++;
	return tell(r, at, config_check_listener(r->c, r->c->targets_n - 1, t->listeners_n - 1, r->what, sizeof r->what));
}

/* Targets. */
static int take_connect(struct reading *r, const struct value *v)
{
	int rc = tell(r, v->at, config_target_text(r->target, v->text, r->what, sizeof r->what));

	return rc ? rc : check_absolute(r, v->at, &r->target->addr);
}

static int take_on_disconnect(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_on_disconnect_text(r->target, v->text, r->what, sizeof r->what));
}

static int take_max_clients(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_max_clients_text(r->target, v->text, r->what, sizeof r->what));
}

static const struct key target_keys[] = {
	{ "connect", take_connect },
	{ "on_disconnect", take_on_disconnect },
	{ "max_clients", take_max_clients },
	{ 0 },
};

static int take_sections(struct reading *r, cfg_t *outer, const char *name, int (*take)(struct reading *r, cfg_t *section))
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < cfg_size(outer, name); i++)
		rc = take(r, cfg_getnsec(outer, name, i));
	return rc;
}

static int take_target(struct reading *r, cfg_t *section)
{
	struct place at = start_of(section);
	struct config *c = r->c;
	int rc = tell(r, at, config_name_check(section->title, r->what, sizeof r->what));

	if (rc)
		return rc;
	if (c->targets_n == CONFIG_TARGETS)
		return refuse(r, at, "too many targets; expected at most %d", CONFIG_TARGETS);
	if (!cfg_size(section, "connect"))
		return refuse(r, at, "target %s is nowhere; expected connect = \"rsp+tcp:HOST:PORT\" or the like", section->title);
	if (!cfg_size(section, "listen"))
		return refuse(r, at, "target %s has nothing to listen at; expected listen \"ADDRESS\" { ... }", section->title);
	r->target = &c->targets[c->targets_n++];
	config_target_init(r->target);
	memcpy(r->target->name, section->title, strlen(section->title) + 1);
	rc = take_values(r, section, target_keys);
	return rc ? rc : take_sections(r, section, "listen", take_listen);
}

/* The file itself. */
static int take_audit(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_audit_text(r->c, v->text, r->what, sizeof r->what));
}

static int take_audit_failure(struct reading *r, const struct value *v)
{
	return tell(r, v->at, config_audit_failure_text(r->c, v->text, r->what, sizeof r->what));
}

static int take_trace(struct reading *r, const struct value *v)
{
	r->c->trace = !strcmp(v->text, "yes");
	return r->c->trace || !strcmp(v->text, "no") ? 0 : refuse(r, v->at, "unknown word \"%.40s\"; expected yes or no", v->text);
}

static const struct key root_keys[] = {
	{ "audit", take_audit },
	{ "audit_failure", take_audit_failure },
	{ "trace", take_trace },
	{ 0 },
};

static int take_root(struct reading *r, cfg_t *root)
{
	int rc = take_values(r, root, root_keys);

	if (!rc)
		rc = take_sections(r, root, "policy", take_policy);
	return rc ? rc : take_sections(r, root, "target", take_target);
}

/* An empty list after a full one is seen only now. */
static int read_root(struct reading *r, cfg_t *root, const char *file, char *text, size_t len)
{
	int rc;

	cfg_set_error_function(root, library_error);
	for (size_t i = 0; i < COUNT(with_ends); i++)
		cfg_set_validate_func(root, with_ends[i], section_ends);
	r->in = root;
	reading = r;
	rc = read_text(r, root, file, text, len);
	reading = NULL;
	if (!rc && r->lost.line)
		rc = refuse(r, r->lost, "this is set a second time, to nothing; expected it once");
	return rc;
}

static int read_config(struct reading *r, const char *file, char *text, size_t len)
{
	cfg_t *root = cfg_init(root_opts, CFGF_NONE);
	int rc = root ? read_root(r, root, file, text, len) : -ENOMEM;

	if (!rc)
		rc = config_init(r->c);
	if (!rc)
		rc = take_root(r, root);
	else if (!r->rc)
		snprintf(r->why, r->why_size, "%s: out of memory", file);
	if (root)
		cfg_free(root);
	while (r->files_n)
		free(r->files[--r->files_n]);
	return r->rc ? r->rc : rc;
}

/* Changes nothing unless all went well. */
static int replace(struct config *c, const char *file, char *text, size_t len, bool alone, char *why, size_t why_size)
{
	struct config fresh = { 0 };
	struct reading r = { .c = &fresh, .alone = alone, .why = why, .why_size = why_size };
	int rc = read_config(&r, file, text, len);

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
	const char *cause;
	char *text;
	size_t len;
	int rc = config_text_load(&text, &len, file, &cause);

	if (rc) {
		snprintf(why, why_size, "%s: %s", file, cause);
		return rc;
	}
	rc = replace(c, file, text, len, false, why, why_size);
	free(text);
	return rc;
}

int config_read_text(struct config *c, const char *name, struct span text, char *why, size_t why_size)
{
	char *copy = malloc(text.len + 1);
	int rc = -ENOMEM;

	if (!copy) {
		snprintf(why, why_size, "%s: out of memory", name);
		return rc;
	}
	if (text.len)
		memcpy(copy, text.p, text.len);
	rc = replace(c, name, copy, text.len, true, why, why_size);
	free(copy);
	return rc;
}
