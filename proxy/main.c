/* main.c - kdgate: options, then one of its commands. */
#include "base/log.h"
#include "proxy/decode.h"
#include "proxy/explain.h"
#include "proxy/keygen.h"
#include "proxy/learned.h"
#include "proxy/loop.h"
#include "proxy/ls.h"
#include "proxy/options.h"
#include "proxy/replay.h"
#include "proxy/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static int fail(const char *why)
{
	fprintf(stderr, "kdgate: %s\n", why);
	return EXIT_FAILURE;
}

/* What was said on standard output must have got there. */
static int said(int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "kdgate: standard output: %s\n", errno ? strerror(errno) : "not all was written");
	return EXIT_FAILURE;
}

/* What was started in a terminal ends with it, as gdbserver does. A daemon has none, and nohup leaves the signal ignored. */
static bool is_of_terminal(void)
{
	struct sigaction hup;
	int fd;

	if (sigaction(SIGHUP, NULL, &hup) < 0 || hup.sa_handler == SIG_IGN)
		return false;
	fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int serve(struct config *c, bool of_terminal)
{
	char why[CONFIG_WHY];
	struct sandbox s;
	struct gate g;
	int rc, ended;

	loop_hold_signals();
	if (gate_init(&g, c, why, sizeof why) < 0)
		return fail(why);
	if (sandbox_enter(&s, c, why, sizeof why) < 0) {
		gate_fini(&g);
		return fail(why);
	}
	sandbox_show(&s, g.sandbox, sizeof g.sandbox);
	g.of_terminal = of_terminal;
	rc = loop_serve(&g);
	ended = gate_fini(&g);
	if (rc == -ENOMEM)
		return fail("out of memory");
	return rc < 0 || ended < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int load_file(struct options *o, char *why, size_t why_size)
{
	int rc = config_load(&o->config, o->file, why, why_size);

	if (rc == -ENOENT && !strcmp(o->file, OPTIONS_CONFIG_FILE))
		config_refuse(why, why_size, "%s: %s; expected it there, or another with -c FILE (kdgate.conf.example, in the sources' scripts and in "
			      "share/doc/kdgate, is one to begin with)", o->file, strerror(ENOENT));
	if (!rc)
		options_add(o, &o->config);
	return rc;
}

/* What is at fault is the file, or a target of it, which then knows its place. */
static int check_file(struct options *o, char *why, size_t why_size)
{
	struct config *c = &o->config;
	int rc = c->targets_n ? config_check_settings(c, why, why_size) : config_check(c, why, why_size);

	rc = config_at(o->file, rc, why, why_size);
	rc = rc ? rc : config_check(c, why, why_size);
	return rc ? rc : config_keys(c, why, why_size);
}

static int read_file(struct options *o, char *why, size_t why_size)
{
	int rc = load_file(o, why, why_size);

	return rc ? rc : check_file(o, why, why_size);
}

static int on_run(struct options *o)
{
	return serve(&o->config, is_of_terminal());
}

static int on_serve(struct options *o)
{
	char why[CONFIG_WHY];

	if (read_file(o, why, sizeof why) < 0)
		return fail(why);
	return serve(&o->config, false);
}

/* Policies alone are checked when they are read; their audit and their target may be of a command line. */
static int on_check(struct options *o)
{
	char why[CONFIG_WHY];
	int rc = load_file(o, why, sizeof why);

	if (!rc && !config_is_policies(&o->config))
		rc = check_file(o, why, sizeof why);
	if (rc < 0)
		return fail(why);
	config_print(&o->config, stdout);
	return said(EXIT_SUCCESS);
}

static int on_explain(struct options *o)
{
	struct latch latch = { .secure = o->config.secure };
	int at = config_policy_find(&o->config, o->policy);
	int rc = at < 0 ? -ENOENT : explain_packets(&o->config.policies[at], &latch, o->packets, o->packets_n, stdout);

	return rc < 0 ? fail(rc == -ENOENT ? "no such policy" : "out of memory") : said(rc);
}

static int on_learned(struct options *o)
{
	char why[CONFIG_WHY];

	return learned_from_file(o->file, stdout, why, sizeof why) < 0 ? fail(why) : EXIT_SUCCESS;
}

/* The key to a recording, if one is given: 0, -EINVAL with why. */
static int load_key(struct options *o, char *why, size_t why_size)
{
	if (!o->key)
		return config_keys(&o->config, why, why_size);
	log_line(LOG_LEVEL_WARNING, "--key: a key on a command line can be seen by everybody on this machine, with ps, and stays in the shell's history; "
		 "better is --key-file FILE");
	return config_key_text(o->config.targets, o->key, why, why_size);
}

static int on_decode(struct options *o)
{
	struct decode_how how = { .to = stdout, .json = o->json };
	char why[CONFIG_WHY];

	if (load_key(o, why, sizeof why) < 0)
		return fail(why);
	how.key = o->config.targets[0].key;
	return decode_file(o->file, &how, why, sizeof why) < 0 ? fail(why) : EXIT_SUCCESS;
}

/* The recording is read before the program shuts itself in. */
static int on_replay(struct options *o)
{
	struct config_target *t = o->config.targets;
	struct kd_replay *replay = NULL;
	char why[CONFIG_WHY];
	int rc;

	t->addr.kind = *t->key_file ? ADDR_KDNET : ADDR_REPLAY;
	rc = load_key(o, why, sizeof why);
	t->addr.kind = ADDR_REPLAY;
	if (rc < 0 || replay_load(&replay, o->file, t->key, why, sizeof why) < 0)
		return fail(why);
	config_keys_drop(&o->config);
	t->replay = replay;
	rc = serve(&o->config, is_of_terminal());
	replay_drop(replay);
	return rc;
}

static int on_text(struct options *o)
{
	fputs(o->text, stdout);
	return said(EXIT_SUCCESS);
}

static int on_ls(struct options *o)
{
	int n = ls_print(stdout);

	(void)o;
	if (n < 0)
		return fail(strerror(-n));
	if (!n)
		fputs("kdgate: no serial ports and no USB debug devices are here\n", stderr);
	return said(EXIT_SUCCESS);
}

static int on_keygen(struct options *o)
{
	int rc = keygen_print(stdout, o->level < LOG_LEVEL_INFO ? NULL : stderr);

	if (rc < 0)
		fprintf(stderr, "kdgate: no key could be made, or written: %s\n", strerror(-rc));
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static int (*const commands[OPTIONS_MODES])(struct options *) = {
		[OPTIONS_RUN] = on_run,         [OPTIONS_SERVE] = on_serve, [OPTIONS_CHECK] = on_check,
		[OPTIONS_EXPLAIN] = on_explain, [OPTIONS_HELP] = on_text,   [OPTIONS_VERSION_TEXT] = on_text,
		[OPTIONS_LEARNED] = on_learned, [OPTIONS_DECODE] = on_decode, [OPTIONS_REPLAY] = on_replay,
		[OPTIONS_LS] = on_ls, [OPTIONS_KEYGEN] = on_keygen,
	};
	char why[CONFIG_WHY];
	struct options o;
	int rc = options_parse(&o, argc, argv, why, sizeof why);

	if (rc == 0) {
		log_setup(o.level);
		rc = commands[o.mode](&o);
	} else {
		rc = rc == -EINVAL ? (fail(why), EXIT_USAGE) : fail(why);
	}
	options_fini(&o);
	return rc;
}
