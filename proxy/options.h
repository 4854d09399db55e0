/* options.h - what the command line asks for. */
#ifndef PROXY_OPTIONS_H
#define PROXY_OPTIONS_H

#include "base/log.h"
#include "proxy/config.h"

#define OPTIONS_VERSION "0.1.0"
#define OPTIONS_CONFIG_FILE "/etc/kdgate/kdgate.conf"

enum options_mode {
	OPTIONS_RUN,     /* .config: one target, checked */
	OPTIONS_SERVE,   /* .file: for config_load and config_check */
	OPTIONS_CHECK,   /* the same */
	OPTIONS_EXPLAIN, /* .config has the policies; .policy, .packets */
	OPTIONS_LEARNED, /* explain --recording FILE: .file */
	OPTIONS_DECODE,  /* .file, .key, .json; .config has a target for its key file */
	OPTIONS_REPLAY,  /* .file, .key; .config: one target, checked, without its recording */
	OPTIONS_LS,
	OPTIONS_KEYGEN,
	OPTIONS_HELP,    /* .text goes to standard output */
	OPTIONS_VERSION_TEXT, /* the same */
	OPTIONS_MODES,
};

struct options {
	enum options_mode mode;
	struct config config;  /* owned */
	const char *file;      /* -c; NULL: none. SERVE, CHECK: always one. DECODE, LEARNED: the capture */
	const char *policy;    /* of EXPLAIN */
	const char *key;       /* --key; NULL: not given */
	bool json;             /* --json */
	char **packets;        /* of argv */
	size_t packets_n;
	const char *text;      /* static */
	bool trace, secure;    /* --trace, --secure */
	enum sandbox_mode sandbox;   /* --sandbox; DEFAULT: not given */
	const char *record, *learn;  /* --record, --learn; NULL: not given */
	enum log_level level;
};

/* argv's order is changed; *o borrows from argv, and is released by options_fini whatever the result.
 * 0; -EINVAL: the command line is wrong (exit 2); other -errno: a configuration file is (exit 1). Both with why. */
int options_parse(struct options *o, int argc, char **argv, char *why, size_t why_size) MUST_USE;

/* What was said of the whole program (--trace, --secure, --sandbox, --record, --learn), on top of what a file says: RUN has
 * it in .config already, SERVE needs it after config_load and before config_check. */
void options_add(const struct options *o, struct config *c);
void options_fini(struct options *o);

#endif
