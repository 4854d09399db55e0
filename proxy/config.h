/* config.h - what to do: targets, listeners, who may use them, policies. From a file or the command line.
 * Everything is checked here: a config that was read, and passed config_check, can be served. */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include "backends/link/usb.h"
#include "filters/allow.h"
#include "filters/policy.h"

#include <stdio.h>

enum { CONFIG_TARGETS = 64, CONFIG_LISTENERS = 8, CONFIG_POLICIES = 64, CONFIG_NAME = 64, CONFIG_ADDRESS = 256, CONFIG_WHY = 512, CONFIG_BREAK = 128 };

enum addr_kind { ADDR_TCP, ADDR_UNIX, ADDR_STDIO, ADDR_SERIAL, ADDR_UDP, ADDR_TELNET, ADDR_RFC2217, ADDR_KDNET, ADDR_USB, ADDR_REPLAY };

struct addr {
	enum addr_kind kind;
	char host[128], port[16]; /* TCP UDP TELNET RFC2217 KDNET; host without brackets */
	char path[108];           /* UNIX SERIAL */
	struct serial_mode mode;  /* SERIAL RFC2217 */
	struct usb_place usb;     /* USB */
	char text[CONFIG_ADDRESS]; /* as it was written */
};

enum proto_kind { PROTO_RSP, PROTO_KGDB, PROTO_KD }; /* later: local */

struct config_listener {
	struct addr addr;
	int policy;             /* index of config.policies */
	struct allow allow;     /* entries' policy: the same index, or -1 */
	bool allow_given;       /* else allow is the default: own user and root */
	unsigned mode;          /* of a Unix socket; 0600 */
	bool has_group;
	gid_t group;            /* of a Unix socket */
	bool plain_accepted;    /* plain = accept-the-risk */
	bool console;           /* who connects here sees the target's console, and types there if policy grants that */
};

enum on_disconnect { ON_DISCONNECT_RUN, ON_DISCONNECT_STAY };
enum sandbox_mode { SANDBOX_DEFAULT, SANDBOX_TRY, SANDBOX_MUST, SANDBOX_OFF }; /* DEFAULT: TRY, MUST in secure mode */
enum audit_failure { AUDIT_FAILURE_CONTINUE, AUDIT_FAILURE_STOP };

struct kdnet_key;

struct config_target {
	char name[CONFIG_NAME];     /* "": it is no target, but what has a key as one has */
	char place[CONFIG_ADDRESS]; /* what errors begin with: "FILE:LINE", a recording's name; "": nothing */
	enum proto_kind proto;
	struct addr addr;       /* where the target is: the link and its address */
	struct addr console_line; /* KGDB: where its console is, if that is another line */
	bool has_console_line;
	enum on_disconnect on_disconnect;
	unsigned max_clients;   /* 1 to 256; 32 */
	bool cache;             /* what a target that stands has said is told again; true */
	bool unconfirmed;       /* a way of speaking may be tried that was never seen on a real target; false */
	char console_log[CONFIG_ADDRESS]; /* a file; "": none */
	bool console_to_debugger; /* debuggers are shown what the console says, too */
	char break_in[CONFIG_BREAK]; /* KGDB: typed on the console to stop the kernel where no BREAK can be sent; "": nothing */
	char key_file[CONFIG_ADDRESS]; /* KDNET: a file, or credential:NAME; "": the credential kdnet-key */
	struct kdnet_key *key;  /* owned; config_keys reads it. NULL: none */
	const struct kd_replay *replay; /* REPLAY: borrowed */
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
	bool audit_failure_given;      /* else secure mode makes it STOP */
	bool secure;                   /* the latch: config_check sees to what goes with it */
	enum sandbox_mode sandbox;
	char record[CONFIG_ADDRESS];   /* a capture file; "": none */
	char learn[CONFIG_ADDRESS];    /* where the smallest policy goes at the end; "-": standard output; "": not asked for */
	bool trace;                    /* every frame of every link on standard error */
};

int config_prepare(struct config *c) MUST_USE; /* with the built-in policies; config_init and config_read are libconfig's names */
void config_fini(struct config *c);

/* Reads a file. *c is all zero or was initialised: it is replaced when all went well, and is as before when not.
 * 0; -EINVAL, -ENOENT ... with why: "FILE:LINE: what is wrong; expected what". A file without targets is fine here, its
 * policies may be meant for a target of the command line; config_check says what to serve needs. */
int config_load(struct config *c, const char *file, char *why, size_t why_size) MUST_USE;

/* The same from memory; name stands for the file in why. include is refused. */
int config_load_text(struct config *c, const char *name, struct span text, char *why, size_t why_size) MUST_USE;

/* A listener with what it has when nothing is said: policy debug, mode 0600, own user and root only. No address yet. */
void config_listener_init(struct config_listener *l, const struct config *c);
void config_target_init(struct config_target *t);

/* The pieces, also used by the command line. All: 0, or -EINVAL (-ENOENT, -ENOSPC, -ENOMEM) with why, and nothing changed. */
int config_target_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE; /* "rsp+tcp:127.0.0.1:1234"; proto and addr */
int config_console_line_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE;   /* "serial:/dev/ttyUSB1@115200" */
int config_addr_text(struct addr *a, const char *text, char *why, size_t why_size) MUST_USE;            /* to listen at: "tcp:[::1]:1234" "unix:/path" "stdio" */
int config_on_disconnect_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE; /* "run" "stay" */
int config_max_clients_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE;   /* "32" */
int config_console_log_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE;    /* a file */
int config_break_in_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE;       /* "echo g > /proc/sysrq-trigger" */
int config_key_file_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE;       /* a file, or "credential:NAME" */
int config_key_text(struct config_target *t, const char *text, char *why, size_t why_size) MUST_USE;            /* the key itself: a recording's */
int config_audit_text(struct config *c, const char *text, char *why, size_t why_size) MUST_USE;                /* a file, or "-" */
int config_audit_failure_text(struct config *c, const char *text, char *why, size_t why_size) MUST_USE;        /* "stop" "continue" */
int config_sandbox_text(struct config *c, const char *text, char *why, size_t why_size) MUST_USE;              /* "try" "must" "off" */
int config_record_text(struct config *c, const char *text, char *why, size_t why_size) MUST_USE;               /* a file */
int config_learn_text(struct config *c, const char *text, char *why, size_t why_size) MUST_USE;                /* a file, or "-" */
int config_mode_text(struct config_listener *l, const char *text, char *why, size_t why_size) MUST_USE;        /* "0660" */
int config_group_text(struct config_listener *l, const char *text, char *why, size_t why_size) MUST_USE;       /* "lab" "1000" */
int config_name_check(const char *name, char *why, size_t why_size) MUST_USE;                                  /* of a target or a policy */

int config_policy_find(const struct config *c, const char *name); /* index; -1: none */
int config_policy_text(const struct config *c, int *policy, const char *name, char *why, size_t why_size) MUST_USE; /* the same, or why not */
bool config_policy_is_builtin(const struct config *c, int policy);
int config_allow_add(struct config *c, struct config_listener *l, const char *who, const char *policy, char *why, size_t why_size) MUST_USE; /* policy NULL: the listener's */
int config_allow_text(struct config *c, struct config_listener *l, const char *text, char *why, size_t why_size) MUST_USE; /* "WHO" "WHO,policy=NAME" "WHO policy=NAME" */

/* What only the whole can tell: plain listeners, duplicates, nothing to listen on, what secure mode does not go with. */
int config_check(const struct config *c, char *why, size_t why_size) MUST_USE;
int config_check_settings(const struct config *c, char *why, size_t why_size) MUST_USE; /* what of that is about no listener */
int config_check_target(const struct config *c, size_t target, char *why, size_t why_size) MUST_USE; /* beside those before it; not its listeners */
int config_check_listener(const struct config *c, size_t target, size_t listener, char *why, size_t why_size) MUST_USE; /* beside those before it */

/* Reads the keys of KDNET targets: what serves needs them; they are in no words. After config_check; 0, -EINVAL with why. */
int config_keys(struct config *c, char *why, size_t why_size) MUST_USE;
void config_keys_drop(struct config *c); /* config_fini does */

/* What holds: as it was said, or what stands for no word. In secure mode: STOP, MUST. */
enum audit_failure config_audit_failure(const struct config *c);
enum sandbox_mode config_sandbox(const struct config *c);

/* The lines that a target is reached by, one by one; NULL: no more. */
const struct addr *config_line(const struct config_target *t, size_t i);

/* A decimal number and nothing else, of at most that; -1: it is none. */
int config_number(const char *text, int most);

/* Loopback, or not on a network at all. */
bool addr_is_local(const struct addr *a);

/* -EINVAL; why in words. */
int config_refuse(char *why, size_t why_size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* rc; if it is an error and place is not empty, that stands in front of why. */
int config_at(const char *place, int rc, char *why, size_t why_size) MUST_USE;

/* Policies and no target: a file for kdgate TARGET -c FILE, as --learn writes it. */
bool config_is_policies(const struct config *c);

/* What it means, in words, for kdgate check. */
void config_print(const struct config *c, FILE *to);

#endif
