/* monitor.h - kdgate's own monitor commands: which texts are its own, and those words that need no target.
 *
 * Its own are "help", "secure", and whatever begins with the word "kdgate": that never reaches a target, known or not. All
 * other text is the target's. Text with anything but printable ASCII in it is never its own, and every policy denies it. */
#ifndef PROXY_MONITOR_H
#define PROXY_MONITOR_H

#include "filters/latch.h"
#include "filters/policy.h"

enum monitor_verb {
	MONITOR_NOT_OWN,
	MONITOR_HELP,    /* the list, and the target's own help after it */
	MONITOR_LIST,
	MONITOR_STATUS,
	MONITOR_POLICY,
	MONITOR_WHO,
	MONITOR_SECURE,
	MONITOR_VERSION,
	MONITOR_UNKNOWN, /* "kdgate" and something that there is not */
	MONITOR_VERBS,
};

enum { MONITOR_TEXT = 8192 }; /* what an answer fits in; a longer one is cut, and says so */

enum monitor_verb monitor_verb_of(struct span text);

void monitor_take(struct rsp_cmd *cmd); /* a MONITOR with a text of kdgate's own becomes an OWN, which is a query; others stay */
void monitor_give(struct rsp_cmd *cmd); /* an OWN is a MONITOR again, with its effects */

/* One line, made visible: printable ASCII only, newline added; what does not fit is left out whole. */
void monitor_put(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines of which as many are put as fit; _end tells how many more there are, if there are: "... and 3 more clients". */
struct monitor_list {
	struct buf *out;
	size_t more;
};

void monitor_list_put(struct monitor_list *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void monitor_list_end(const struct monitor_list *l, const char *what);

/* The answers, as lines appended to out. */
void monitor_put_list(struct buf *out);
void monitor_put_unknown(struct buf *out, struct span text);
void monitor_put_policy(struct buf *out, const struct policy *p);
void monitor_put_secure(struct buf *out, const struct latch *latch, const char *sandbox); /* each may be NULL: there is none */
void monitor_put_version(struct buf *out);

/* "59 s" "2 min 5 s" "3 h 1 min" "4 d 2 h". Returns out, of at least MONITOR_AGE bytes. */
enum { MONITOR_AGE = 40 };
const char *monitor_age(char out[MONITOR_AGE], uint64_t ms);

#endif
