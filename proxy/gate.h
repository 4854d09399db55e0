/* gate.h - the program's parts as the configuration asks for them: targets, their listeners, who is let in. */
#ifndef PROXY_GATE_H
#define PROXY_GATE_H

#include "proxy/audit_log.h"
#include "proxy/config.h"
#include "proxy/console.h"
#include "proxy/listen.h"
#include "proxy/target.h"

struct recording;

enum { GATE_SESSIONS = 512, GATE_SANDBOX = 160 }; /* at once, of all targets */

struct gate_target {
	struct gate *gate;
	struct target *t;                    /* owned */
	const struct config_target *config;
	struct console console;              /* of a kernel that has one, on its wire or beside it */
	char dial_words[CONFIG_WHY];         /* why the console's line cannot be had; "": it is another line's fault */
	struct listener listeners[CONFIG_LISTENERS]; /* those of standard input are not opened */
};

struct gate {
	const struct config *config;         /* borrowed */
	struct audit_log audit;
	const struct latch *latch;           /* borrowed for ever */
	struct recording *recording;         /* owned; NULL: none */
	struct learn *learn;                 /* owned; NULL: nothing is learned */
	FILE *learn_to;                      /* where it goes at the end */
	struct gate_target *targets;         /* owned */
	size_t targets_n;
	size_t sessions;                     /* living */
	uint64_t last_id;
	uint64_t calls;                      /* dialled, of all targets: their numbers in the recording */
	char sandbox[GATE_SANDBOX];          /* how the process is confined, for clients who ask; its owner fills it in */
	bool closing, recording_told;        /* told: that it ended by an error */
	bool of_terminal;                    /* it ends when its terminal is closed; its owner fills it in */
};

/* Opens the audit log and every listener. 0; -errno with why in words. */
int gate_init(struct gate *g, const struct config *c, char *why, size_t why_size) MUST_USE;
int gate_fini(struct gate *g); /* 0; -errno: what was learned could not be written, which was told */

/* After a turn: the recording is written, if it is time, and w is told when that is next. */
void gate_record(struct gate *g, uint64_t now, struct wait *w);

/* A session for whoever stands at a listener: checked against its allowlist, given its policy, joined to its target.
 * Takes fd in any case; -1: standard input and output. NULL: turned away, and that is logged and audited. */
struct session *gate_admit(struct gate_target *gt, size_t listener, int fd, const struct peer *peer, uint64_t now);
void gate_part(struct gate_target *gt, struct session *s); /* frees it */

/* The same for a listener that is the console's. Takes fd in any case. */
struct console_reader *gate_admit_console(struct gate_target *gt, size_t listener, int fd, const struct peer *peer);
void gate_part_console(struct gate_target *gt, struct console_reader *r); /* frees it */

void gate_close(struct gate *g, const char *why, uint64_t now); /* the program ends */
bool gate_closed(const struct gate *g);                         /* every target has been left */

#endif
