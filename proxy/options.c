/* options.c - see options.h.
 *
 * Two passes: the first notes what was given, so that the second can look policies up in the file that -c names,
 * wherever -c stands. */
#include "proxy/options.h"

#include "proxy/options_help.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { GIVEN_MAX = 256, FOUND_WHAT = 384 };
enum { REPLAY = 1 << OPTIONS_REPLAY, RUN = 1 << OPTIONS_RUN | REPLAY, SERVE = 1 << OPTIONS_SERVE, CHECK = 1 << OPTIONS_CHECK, EXPLAIN = 1 << OPTIONS_EXPLAIN,
       LEARNED = 1 << OPTIONS_LEARNED, DECODE = 1 << OPTIONS_DECODE, LS = 1 << OPTIONS_LS, KEYGEN = 1 << OPTIONS_KEYGEN,
       ALL = RUN | SERVE | CHECK | EXPLAIN | LEARNED | DECODE | LS | KEYGEN };

struct given {
	const struct option_row *row;
	const char *arg;
};

struct parse {
	struct options *o;
	struct given given[GIVEN_MAX];
	size_t given_n;
	bool help, version;
	const char *recording; /* NULL: not given */
	struct config_target *target;
	struct config_listener usual, *last; /* what a listener begins with; the one that options are for now */
	char *why;
	size_t why_size;
	char what[FOUND_WHAT];
};

/* take: in the second pass, with p->what for errors. */
struct option_row {
	const char *name;
	char letter; /* 0: none */
	bool has_arg;
	unsigned modes;
	int (*take)(struct parse *p, const char *arg);
};

static int take_listen(struct parse *p, const char *arg)
{
	struct config_target *t = p->target;
	struct config_listener *l = &t->listeners[t->listeners_n];
	int rc;

	if (t->listeners_n == CONFIG_LISTENERS)
		return config_refuse(p->what, sizeof p->what, "too many listeners; expected at most %d", CONFIG_LISTENERS);
	*l = p->usual;
	rc = config_addr_text(&l->addr, arg, p->what, sizeof p->what);
	if (rc)
		return rc;
	if (l->addr.kind != ADDR_UNIX) {
		l->has_group = false;
		l->mode = 0600;
	}
	t->listeners_n++;
	p->last = l;
	return 0;
}

static int take_console(struct parse *p, const char *arg)
{
	int rc = take_listen(p, arg);

	if (!rc)
		p->last->console = true;
	return rc;
}

static bool has_debug_listener(const struct config_target *t)
{
	size_t i = 0;

	while (i < t->listeners_n && t->listeners[i].console)
		i++;
	return i < t->listeners_n;
}

static int take_console_log(struct parse *p, const char *arg)
{
	return config_console_log_text(p->target, arg, p->what, sizeof p->what);
}

static int take_console_to_debugger(struct parse *p, const char *arg)
{
	(void)arg;
	p->target->console_to_debugger = true;
	return 0;
}

static int take_break_in(struct parse *p, const char *arg)
{
	return config_break_in_text(p->target, arg, p->what, sizeof p->what);
}

static int take_console_line(struct parse *p, const char *arg)
{
	return config_console_line_text(p->target, arg, p->what, sizeof p->what);
}

static int take_key_file(struct parse *p, const char *arg)
{
	return config_key_file_text(p->target, arg, p->what, sizeof p->what);
}

/* Everybody may read the command lines of all programs. */
static int take_key(struct parse *p, const char *arg)
{
	if (p->o->mode == OPTIONS_RUN)
		return config_refuse(p->what, sizeof p->what,
				     "a key on a command line can be seen by everybody on this machine, with ps; expected --key-file FILE");
	p->o->key = arg;
	return 0;
}

static int take_json(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->json = true;
	return 0;
}

static int take_policy(struct parse *p, const char *arg)
{
	p->o->policy = arg;
	return config_policy_text(&p->o->config, &p->last->policy, arg, p->what, sizeof p->what);
}

static int take_allow(struct parse *p, const char *arg)
{
	return config_allow_text(&p->o->config, p->last, arg, p->what, sizeof p->what);
}

static int take_mode(struct parse *p, const char *arg)
{
	return config_mode_text(p->last, arg, p->what, sizeof p->what);
}

static int take_group(struct parse *p, const char *arg)
{
	return config_group_text(p->last, arg, p->what, sizeof p->what);
}

static int take_plain(struct parse *p, const char *arg)
{
	(void)arg;
	p->last->plain_accepted = true;
	return 0;
}

static int take_audit(struct parse *p, const char *arg)
{
	return config_audit_text(&p->o->config, arg, p->what, sizeof p->what);
}

static int take_audit_failure(struct parse *p, const char *arg)
{
	return config_audit_failure_text(&p->o->config, arg, p->what, sizeof p->what);
}

static int take_on_disconnect(struct parse *p, const char *arg)
{
	return config_on_disconnect_text(p->target, arg, p->what, sizeof p->what);
}

static int take_max_clients(struct parse *p, const char *arg)
{
	return config_max_clients_text(p->target, arg, p->what, sizeof p->what);
}

static int take_no_cache(struct parse *p, const char *arg)
{
	(void)arg;
	p->target->cache = false;
	return 0;
}

static int take_unconfirmed(struct parse *p, const char *arg)
{
	(void)arg;
	p->target->unconfirmed = true;
	return 0;
}

static int take_trace(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->trace = true;
	return 0;
}

static int take_secure(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->secure = true;
	return 0;
}

static int take_sandbox(struct parse *p, const char *arg)
{
	int rc = config_sandbox_text(&p->o->config, arg, p->what, sizeof p->what);

	p->o->sandbox = p->o->config.sandbox;
	return rc;
}

static int take_record(struct parse *p, const char *arg)
{
	p->o->record = arg;
	return config_record_text(&p->o->config, arg, p->what, sizeof p->what);
}

static int take_learn(struct parse *p, const char *arg)
{
	p->o->learn = arg;
	return config_learn_text(&p->o->config, arg, p->what, sizeof p->what);
}

static int take_verbose(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->level = LOG_LEVEL_DEBUG;
	return 0;
}

static int take_quiet(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->level = p->o->level > LOG_LEVEL_WARNING ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR;
	return 0;
}

/* --config, --recording, --help and --version are known after the first pass. */
static int take_nothing(struct parse *p, const char *arg)
{
	(void)p;
	(void)arg;
	return 0;
}

static const struct option_row rows[] = {
	{ "listen", 0, true, RUN, take_listen },
	{ "console", 0, true, RUN, take_console },
	{ "console-log", 0, true, RUN, take_console_log },
	{ "console-to-debugger", 0, false, RUN, take_console_to_debugger },
	{ "console-line", 0, true, RUN, take_console_line },
	{ "break-in", 0, true, RUN, take_break_in },
	{ "policy", 0, true, RUN | EXPLAIN, take_policy },
	{ "allow", 0, true, RUN, take_allow },
	{ "socket-mode", 0, true, RUN, take_mode },
	{ "socket-group", 0, true, RUN, take_group },
	{ "accept-plain-risk", 0, false, RUN, take_plain },
	{ "audit", 0, true, RUN, take_audit },
	{ "audit-failure", 0, true, RUN, take_audit_failure },
	{ "on-disconnect", 0, true, RUN, take_on_disconnect },
	{ "max-clients", 0, true, RUN, take_max_clients },
	{ "no-cache", 0, false, RUN, take_no_cache },
	{ "unconfirmed", 0, false, RUN, take_unconfirmed },
	{ "config", 'c', true, RUN | SERVE | CHECK | EXPLAIN, take_nothing },
	{ "secure", 0, false, RUN | SERVE, take_secure },
	{ "sandbox", 0, true, RUN | SERVE, take_sandbox },
	{ "record", 0, true, RUN | SERVE, take_record },
	{ "learn", 0, true, RUN | SERVE, take_learn },
	{ "recording", 0, true, LEARNED, take_nothing },
	{ "json", 0, false, DECODE, take_json },
	{ "trace", 0, false, RUN | SERVE, take_trace },
	{ "verbose", 'v', false, ALL, take_verbose },
	{ "quiet", 'q', false, ALL, take_quiet },
	{ "help", 'h', false, ALL, take_nothing },
	{ "version", 'V', false, ALL, take_nothing },
	{ "key-file", 0, true, RUN | DECODE, take_key_file },
	{ "key", 0, true, RUN | DECODE, take_key },
};

static const struct command {
	const char *name;
	enum options_mode mode;
	bool built;
} commands[] = {
	{ "serve", OPTIONS_SERVE, true },
	{ "check", OPTIONS_CHECK, true },
	{ "explain", OPTIONS_EXPLAIN, true },
	{ "ls", OPTIONS_LS, true },
	{ "connect", OPTIONS_RUN, false },
	{ "ctl", OPTIONS_RUN, false },
	{ "decode", OPTIONS_DECODE, true },
	{ "replay", OPTIONS_REPLAY, true },
	{ "keygen", OPTIONS_KEYGEN, true },
};

/* The first pass. getopt_long answers a row's index, counted from where no letter can be. */
enum { ROW = 256 };

static const struct option_row *row_of(int answer)
{
	for (size_t i = 0; answer < ROW && i < COUNT(rows); i++)
		if (rows[i].letter == answer)
			return &rows[i];
	return &rows[answer - ROW];
}

static void make_tables(struct option longs[static COUNT(rows) + 1], char letters[static 3 * COUNT(rows) + 2])
{
	size_t at = 0;

	letters[at++] = ':'; /* a missing argument is told from an unknown option */
	for (size_t i = 0; i < COUNT(rows); i++) {
		longs[i] = (struct option){ rows[i].name, rows[i].has_arg ? required_argument : no_argument, NULL, ROW + (int)i };
		if (!rows[i].letter)
			continue;
		letters[at++] = rows[i].letter;
		if (rows[i].has_arg)
			letters[at++] = ':';
	}
	letters[at] = 0;
	longs[COUNT(rows)] = (struct option){ 0 };
}

static int refuse_option(struct parse *p, int answer, char **argv)
{
	const char *word = argv[optind - 1];

	if (answer == ':')
		return config_refuse(p->why, p->why_size, "%s needs a value after it; see kdgate --help", word);
	if (optopt && optopt < ROW)
		return config_refuse(p->why, p->why_size, "unknown option -%c; see kdgate --help", optopt);
	if (optopt)
		return config_refuse(p->why, p->why_size, "%.60s takes no value; see kdgate --help", word);
	return config_refuse(p->why, p->why_size, "unknown or ambiguous option %.60s; see kdgate --help", word);
}

/* What is given once, and known before anything is taken. */
static int note_file(struct parse *p, const char **file, const char *name, const char *arg)
{
	if (*file)
		return config_refuse(p->why, p->why_size, "--%s is given a second time; expected one file", name);
	*file = arg;
	return 0;
}

static int note(struct parse *p, const struct option_row *row, const char *arg)
{
	if (p->given_n == GIVEN_MAX)
		return config_refuse(p->why, p->why_size, "too many options; expected at most %d", GIVEN_MAX);
	p->given[p->given_n++] = (struct given){ row, arg };
	p->help |= row->letter == 'h';
	p->version |= row->letter == 'V';
	if (row->letter == 'c')
		return note_file(p, &p->o->file, row->name, arg);
	return row->modes == LEARNED ? note_file(p, &p->recording, row->name, arg) : 0;
}

static int collect(struct parse *p, int argc, char **argv)
{
	struct option longs[COUNT(rows) + 1];
	char letters[3 * COUNT(rows) + 2];
	int answer, rc = 0;

	make_tables(longs, letters);
	optind = 0; /* begins anew, also after another call */
	opterr = 0;
	while (!rc && (answer = getopt_long(argc, argv, letters, longs, NULL)) != -1)
		rc = answer == '?' || answer == ':' ? refuse_option(p, answer, argv) : note(p, row_of(answer), optarg);
	return rc;
}

/* What was asked for, by the first word that is not an option. */
static int find_mode(struct parse *p, const char *word)
{
	p->o->mode = OPTIONS_RUN;
	for (size_t i = 0; word && i < COUNT(commands); i++) {
		if (strcmp(commands[i].name, word))
			continue;
		if (!commands[i].built)
			return config_refuse(p->why, p->why_size, "this version does not have kdgate %s yet; see kdgate --help", word);
		p->o->mode = commands[i].mode;
	}
	if (p->o->mode == OPTIONS_EXPLAIN && p->recording)
		p->o->mode = OPTIONS_LEARNED;
	return 0;
}

static int check_modes(struct parse *p)
{
	static const struct {
		const char *name, *help;
	} modes[] = {
		[OPTIONS_RUN] = { "kdgate TARGET", "kdgate" },
		[OPTIONS_SERVE] = { "kdgate serve", "kdgate serve" },
		[OPTIONS_CHECK] = { "kdgate check", "kdgate check" },
		[OPTIONS_EXPLAIN] = { "kdgate explain", "kdgate explain" },
		[OPTIONS_LEARNED] = { "kdgate explain --recording", "kdgate explain" },
		[OPTIONS_DECODE] = { "kdgate decode", "kdgate decode" },
		[OPTIONS_REPLAY] = { "kdgate replay", "kdgate replay" },
		[OPTIONS_LS] = { "kdgate ls", "kdgate ls" },
		[OPTIONS_KEYGEN] = { "kdgate keygen", "kdgate keygen" },
	};

	for (size_t i = 0; i < p->given_n; i++)
		if (!(p->given[i].row->modes & 1u << p->o->mode))
			return config_refuse(p->why, p->why_size, "--%s is not an option of %s; see %s --help", p->given[i].row->name,
					     modes[p->o->mode].name, modes[p->o->mode].help);
	return 0;
}

/* How many words may follow, and what is said of one too many. */
static int check_most(struct parse *p, int words, char **word)
{
	static const struct {
		int most;
		const char *expected;
	} modes[] = {
		[OPTIONS_RUN] = { 1, "one target (for several: kdgate serve)" },
		[OPTIONS_SERVE] = { 1, "options only, such as -c FILE" },
		[OPTIONS_CHECK] = { 1, "options only, such as -c FILE" },
		[OPTIONS_EXPLAIN] = { INT_MAX, NULL },
		[OPTIONS_LEARNED] = { 1, "no packets beside a recording" },
		[OPTIONS_DECODE] = { 2, "one capture" },
		[OPTIONS_REPLAY] = { 2, "one recording" },
		[OPTIONS_LS] = { 1, "options only" },
		[OPTIONS_KEYGEN] = { 1, "options only" },
	};
	int most = modes[p->o->mode].most;

	if (words <= most)
		return 0;
	return config_refuse(p->why, p->why_size, "\"%.60s\" is one word too many; expected %s", word[most], modes[p->o->mode].expected);
}

static int check_words(struct parse *p, int words, char **word)
{
	if (p->o->mode == OPTIONS_RUN && !words)
		return config_refuse(p->why, p->why_size, "no target; expected kdgate TARGET, such as rsp+tcp:127.0.0.1:1234; see kdgate --help");
	if (p->o->mode == OPTIONS_RUN && !strpbrk(word[0], "+:"))
		return config_refuse(p->why, p->why_size,
				     "\"%.60s\" is neither a command nor a target; expected serve, check, explain, decode, replay, ls, keygen, or PROTOCOL+LINK:ADDRESS, "
				     "such as rsp+tcp:127.0.0.1:1234; see kdgate --help",
				     word[0]);
	if (p->o->mode == OPTIONS_EXPLAIN && words < 2)
		return config_refuse(p->why, p->why_size, "no packet; expected kdgate explain --policy NAME PACKET..., such as m1000,40");
	if (p->o->mode == OPTIONS_DECODE && words < 2)
		return config_refuse(p->why, p->why_size, "no capture; expected kdgate decode FILE, such as a file of --record");
	if (p->o->mode == OPTIONS_REPLAY && words < 2)
		return config_refuse(p->why, p->why_size, "no recording; expected kdgate replay FILE, such as a capture of KDNET");
	return check_most(p, words, word);
}

static int read_policies(struct parse *p)
{
	struct config *c = &p->o->config;
	int rc;

	if (!p->o->file)
		return 0;
	rc = config_load(c, p->o->file, p->why, p->why_size);
	if (rc)
		return rc == -EINVAL ? -EBADMSG : rc;
	c->targets_n = 0;
	return 0;
}

static int apply(struct parse *p)
{
	int rc = 0;

	config_listener_init(&p->usual, &p->o->config);
	if (p->o->mode == OPTIONS_REPLAY)
		p->usual.policy = config_policy_find(&p->o->config, "observe");
	p->last = &p->usual;
	for (size_t i = 0; !rc && i < p->given_n; i++) {
		const struct given *g = &p->given[i];

		rc = g->row->take(p, g->arg);
		if (rc)
			snprintf(p->why, p->why_size, "--%s: %s", g->row->name, p->what);
	}
	return rc ? -EINVAL : 0;
}

/* What is said of all Unix sockets is said in vain where there is none. */
static int check_sockets(struct parse *p)
{
	if (!p->usual.has_group && p->usual.mode == 0600)
		return 0;
	for (size_t i = 0; i < p->target->listeners_n; i++)
		if (p->target->listeners[i].addr.kind == ADDR_UNIX)
			return 0;
	return config_refuse(p->why, p->why_size, "--socket-mode and --socket-group are for Unix sockets; expected --listen unix:PATH");
}

/* gdb's habit, 1234, is often where the target's own stub listens. */
static const char *usual_listener(const struct config_target *t)
{
	return t->addr.kind == ADDR_TCP && addr_is_local(&t->addr) && !strcmp(t->addr.port, "1234") ?
		       "tcp:127.0.0.1:2345" : "tcp:127.0.0.1:1234";
}

/* A recording of KD instead of a target; its key is read as a target's is, when it is loaded. */
static int take_target(struct parse *p, const char *text)
{
	struct config_target *t = p->target;

	if (p->o->mode != OPTIONS_REPLAY)
		return config_target_text(t, text, p->why, p->why_size);
	p->o->file = text;
	t->proto = PROTO_KD;
	t->addr.kind = ADDR_REPLAY;
	snprintf(t->addr.text, sizeof t->addr.text, "%.*s", (int)sizeof t->addr.text - 1, text);
	return 0;
}

/* What a listener may not be begins with its address; of two that have it, the later one is at fault. */
static const char *option_at_fault(const struct config_target *t, const char *what)
{
	for (size_t i = t->listeners_n; i-- > 0;) {
		const char *address = t->listeners[i].addr.text;
		size_t n = strlen(address);

		if (!strncmp(what, address, n) && (what[n] == ' ' || what[n] == ':'))
			return t->listeners[i].console ? "--console " : "--listen ";
	}
	return "";
}

static int finish_run(struct parse *p, const char *text)
{
	struct config_target *t = p->target;
	int rc = take_target(p, text);

	if (rc)
		return rc;
	snprintf(t->name, sizeof t->name, "%.*s", (int)sizeof t->name - 1, text);
	if (!has_debug_listener(t) && take_listen(p, usual_listener(t)) < 0)
		return config_refuse(p->why, p->why_size, "%s", p->what);
	rc = check_sockets(p);
	if (rc)
		return rc;
	p->o->config.targets_n = 1;
	options_add(p->o, &p->o->config);
	rc = config_check_settings(&p->o->config, p->why, p->why_size);
	if (rc)
		return rc;
	rc = config_check(&p->o->config, p->what, sizeof p->what);
	if (rc)
		return config_refuse(p->why, p->why_size, "%s%s", option_at_fault(t, p->what), p->what);
	return config_keys(&p->o->config, p->why, p->why_size);
}

static int parse_run(struct parse *p, int words, char **word)
{
	int rc = read_policies(p);

	p->target = p->o->config.targets;
	config_target_init(p->target);
	if (!rc)
		rc = apply(p);
	return rc ? rc : finish_run(p, word[words - 1]);
}

static int parse_file_mode(struct parse *p, int words, char **word)
{
	(void)words, (void)word;
	if (!p->o->file)
		p->o->file = OPTIONS_CONFIG_FILE;
	return apply(p);
}

static int parse_explain(struct parse *p, int words, char **word)
{
	int rc = read_policies(p);

	if (!rc)
		rc = apply(p);
	if (!rc && !p->o->policy)
		return config_refuse(p->why, p->why_size, "no policy; expected kdgate explain --policy NAME PACKET...");
	p->o->packets = word + 1;
	p->o->packets_n = (size_t)words - 1;
	return rc;
}

/* A target for the key's sake: its file is read as a target's is. */
static int parse_decode(struct parse *p, int words, char **word)
{
	int rc;

	(void)words;
	p->o->file = word[1];
	p->target = p->o->config.targets;
	config_target_init(p->target);
	snprintf(p->target->place, sizeof p->target->place, "%.*s", (int)sizeof p->target->place - 1, word[1]);
	rc = apply(p);
	if (!rc && p->o->key && *p->target->key_file)
		return config_refuse(p->why, p->why_size, "--key and --key-file are both given; expected one of them");
	if (*p->target->key_file)
		p->target->addr.kind = ADDR_KDNET;
	p->o->config.targets_n = 1;
	return rc;
}

static int parse_learned(struct parse *p, int words, char **word)
{
	(void)words, (void)word;
	p->o->file = p->recording;
	return apply(p);
}

static int parse_plain(struct parse *p, int words, char **word)
{
	(void)words, (void)word;
	return apply(p);
}

static int parse_mode(struct parse *p, int words, char **word)
{
	static int (*const modes[])(struct parse *, int, char **) = {
		[OPTIONS_RUN] = parse_run,         [OPTIONS_REPLAY] = parse_run,        [OPTIONS_SERVE] = parse_file_mode,  [OPTIONS_CHECK] = parse_file_mode,
		[OPTIONS_EXPLAIN] = parse_explain, [OPTIONS_LEARNED] = parse_learned, [OPTIONS_DECODE] = parse_decode,
		[OPTIONS_LS] = parse_plain, [OPTIONS_KEYGEN] = parse_plain,
	};
	int rc = check_modes(p);

	if (!rc)
		rc = check_words(p, words, word);
	return rc ? rc : modes[p->o->mode](p, words, word);
}

/* --help and --version win over everything else that is wrong. */
static bool is_asked_for_text(struct parse *p)
{
	struct options *o = p->o;

	if (!p->help && !p->version)
		return false;
	o->text = p->help ? options_help[o->mode] : "kdgate " OPTIONS_VERSION "\n";
	o->mode = p->help ? OPTIONS_HELP : OPTIONS_VERSION_TEXT;
	return true;
}

static int parse_all(struct parse *p, int argc, char **argv)
{
	int rc = collect(p, argc, argv);

	if (!rc)
		rc = find_mode(p, argv[optind]);
	if (rc || is_asked_for_text(p))
		return rc;
	return parse_mode(p, argc - optind, argv + optind);
}

int options_parse(struct options *o, int argc, char **argv, char *why, size_t why_size)
{
	struct parse *p = calloc(1, sizeof *p);
	int rc;

	*o = (struct options){ .level = LOG_LEVEL_INFO };
	rc = p ? config_prepare(&o->config) : -ENOMEM;
	if (rc) {
		snprintf(why, why_size, "out of memory");
	} else {
		p->o = o;
		p->why = why;
		p->why_size = why_size;
		rc = parse_all(p, argc, argv);
	}
	free(p);
	return rc;
}

void options_add(const struct options *o, struct config *c)
{
	c->trace |= o->trace;
	c->secure |= o->secure;
	if (o->sandbox != SANDBOX_DEFAULT)
		c->sandbox = o->sandbox;
	if (o->record)
		snprintf(c->record, sizeof c->record, "%s", o->record);
	if (o->learn)
		snprintf(c->learn, sizeof c->learn, "%s", o->learn);
}

void options_fini(struct options *o)
{
	config_fini(&o->config);
	*o = (struct options){ 0 };
}
