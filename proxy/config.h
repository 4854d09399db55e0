/* config.h - what to do: targets, listeners, who may use them, policies. From a file (libucl) or the command line.
 * Everything is checked here: a config that was read can be served. */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include "filters/allow.h"
#include "filters/policy.h"

#include <stdio.h>

enum { CONFIG_TARGETS = 64, CONFIG_LISTENERS = 8, CONFIG_POLICIES = 64, CONFIG_NAME = 64, CONFIG_ADDRESS = 256, CONFIG_WHY = 512 };

enum addr_kind { ADDR_TCP, ADDR_UNIX, ADDR_STDIO };

struct addr {
	enum addr_kind kind;
	char host[128], port[16]; /* TCP; host without brackets */
	char path[108];           /* UNIX */
	char text[CONFIG_ADDRESS]; /* as it was written */
};

enum proto_kind { PROTO_RSP }; /* later: kgdb kd kdnet local */

struct config_listener {
	struct addr addr;
	int policy;             /* index of config.policies */
	struct allow allow;     /* entries' policy: the same index, or -1 */
	bool allow_given;       /* else allow is the default: own user and root */
	unsigned mode;          /* of a Unix socket; 0600 */
	bool has_group;
	gid_t group;            /* of a Unix socket */
	bool plain_accepted;    /* plain = accept-the-risk */
};

enum on_disconnect { ON_DISCONNECT_RUN, ON_DISCONNECT_STAY };
enum audit_failure { AUDIT_FAILURE_CONTINUE, AUDIT_FAILURE_STOP };

struct config_target {
	char name[CONFIG_NAME];
	enum proto_kind proto;
	struct addr addr;       /* where the target is: the link and its address */
	enum on_disconnect on_disconnect;
	unsigned max_clients;   /* 1 to 256; 32 */
	struct config_listener listeners[CONFIG_LISTENERS];
	size_t listeners_n;
};

struct config {
	struct config_target *targets; /* owned, CONFIG_TARGETS of them */
	size_t targets_n;
	struct policy *policies;       /* owned; the built-ins stand first: full debug observe none */
	size_t policies_n;
	char audit[CONFIG_ADDRESS];    /* file; "-": standard output; "": no audit */
	enum audit_failure audit_failure;
	bool trace;                    /* every frame of every link on standard error */
};

int config_init(struct config *c) MUST_USE; /* with the built-in policies */
void config_fini(struct config *c);

/* Reads a file. 0; -EINVAL, -ENOENT ... with why: "FILE:LINE: what is wrong; what was expected". */
int config_read(struct config *c, const char *file, char *why, size_t why_size) MUST_USE;

/* The pieces, also used by the command line. All: 0, or -EINVAL with why. */
int config_target_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE; /* "rsp+tcp:127.0.0.1:1234" */
int config_addr_text(struct addr *a, const char *text, char *why, size_t why_size) MUST_USE;            /* "tcp:[::1]:1234" "unix:/path" "stdio" */
int config_policy_find(const struct config *c, const char *name);                                       /* index; -1: none */
int config_allow_add(struct config *c, struct config_listener *l, const char *who, const char *policy, char *why, size_t why_size) MUST_USE; /* policy NULL: the listener's */
int config_check(const struct config *c, char *why, size_t why_size) MUST_USE; /* what only the whole can tell: plain listeners, duplicates, nothing to listen on */

/* What it means, in words, for kdgate check. */
void config_print(const struct config *c, FILE *to);

#endif
