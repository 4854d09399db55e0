/* target_parts.h - between target's own files, and for no other: who sits at it (target_seats.c), its states
 * (target_states.c), what it does by itself (target_own.c), what is done for its clients (target_serve.c, target_lift.c),
 * what is told of it (target_tell.c), again (target_cache.c), by monitor commands too (target_monitor.c), and of its absence
 * (target_away.c). */
#ifndef PROXY_TARGET_PARTS_H
#define PROXY_TARGET_PARTS_H

#include "proxy/target.h"

enum target_event {
	TARGET_DUE, TARGET_TAKES, TARGET_SAYS_RUNS, TARGET_SAYS_STOPPED, TARGET_SAYS_REPLY, TARGET_SAYS_PART, TARGET_SAYS_TEXT, TARGET_SAYS_CONSOLE,
	TARGET_GONE, TARGET_LEAVES, TARGET_SHUTS, TARGET_EVENTS,
};

void target_event(struct target *t, enum target_event ev, uint64_t now);
int target_serve(struct target *t, uint64_t now) MUST_USE; /* 1 moved, 0 nothing to do */
struct session *target_leader(const struct target *t);     /* NULL: nobody may run it */
void target_let_go(struct target *t, struct session *s, unsigned slot); /* it leaves: its breakpoints and its lead end */

void target_tell_stop(struct target *t);                   /* .stop, to whoever waits for one */
void target_takes(struct target *t, const struct rsp_cmd *cmd, bool internal, uint64_t now); /* the backend has it */
int target_submit(struct target *t, const struct rsp_cmd *cmd, uint64_t now) MUST_USE; /* one of its own; 0, -1 */
int target_own_affairs(struct target *t, uint64_t now) MUST_USE; /* 1 moved, 0 nothing to do */

/* Before a resume is handed over. true: something is to be done first, and it has begun. */
bool target_lift(struct target *t, unsigned slot, uint64_t now) MUST_USE;
int target_lift_on(struct target *t, uint64_t now) MUST_USE; /* its next phase: 1 moved, 0 nothing now */

/* Of a Z or z. */
static inline struct breakpoint target_breakpoint_of(const struct rsp_cmd *cmd)
{
	return (struct breakpoint){ .type = (unsigned)cmd->num[0], .addr = cmd->addr, .kind = cmd->len };
}

static inline bool target_lifting(const struct target *t)
{
	return t->lift != LIFT_NONE && t->lift != LIFT_DONE;
}

/* While there is no target; both answer 1. turn_away is for who has just come: gdb is let go, lldb is given a session in
 * which it is told. */
int target_turn_away(struct target *t, struct session *s, uint64_t now) MUST_USE;
int target_refuse_away(struct target *t, struct session *s) MUST_USE;
const char *target_why_away(const struct target *t); /* in words; "": that is not known */

/* The stop that s asks for does not come. It is told one that is none: gdb then asks for registers, and shows why it gets none. */
extern const char target_unheard[];
int target_tell_unheard(struct target *t, struct session *s) MUST_USE; /* 1 */

/* Documents that are fetched from the target; target_docs.c. tell: from what was fetched, false: it must be fetched. wants: it
 * will be, for s; false: it is no such document. take: it has come; s is NULL when its client has gone. */
int target_docs_init(struct target *t) MUST_USE; /* again: nothing. 0, -ENOMEM */
void target_docs_fini(struct target *t);
bool target_tell_doc(struct target *t, struct session *s) MUST_USE;
bool target_wants_doc(struct target *t, const struct session *s) MUST_USE;
void target_take_doc(struct target *t, struct session *s);
bool target_keeps_paths(const struct session *s); /* may it be told where the target's files are? Else it is told of no program */
void target_say_piece(struct session *s, struct span doc);

/* What it said in this stop; target_cache.c. Without a cache all of these do nothing, and what answers bool says false. */
int target_cache_init(struct target *t) MUST_USE; /* again: nothing. 0, -ENOMEM */
void target_cache_fini(struct target *t);
void target_cache_drop(struct target *t);         /* it ran, or is lost */
void target_cache_takes(struct target *t, const struct rsp_cmd *cmd);         /* the backend has cmd: what that makes of what is known */
void target_cache_keep(struct target *t, const struct rsp_reply *reply);      /* of registers, or a thread's description, to t->cmd */
bool target_tell_known(struct target *t, struct session *s) MUST_USE;         /* to .cmd, a read, if all of it is known */
void target_cache_expedite(const struct target *t, struct rsp_stop *stop);    /* adds the registers that are looked at first */

/* true: *cmd is to be asked in place of s->cmd. asked: it was, and s waits. part, answered: t->news has come; false and NOT: it is
 * to be told as it is. ON: something more has been asked, and the target is not free yet. s is NULL when its client has gone. */
enum target_cache_step { TARGET_CACHE_NOT, TARGET_CACHE_DONE, TARGET_CACHE_ON };
bool target_cache_asks(struct target *t, const struct session *s, struct rsp_cmd *cmd) MUST_USE;
void target_cache_asked(struct target *t, struct session *s);
bool target_cache_part(struct target *t, struct session *s) MUST_USE;
enum target_cache_step target_cache_answered(struct target *t, struct session *s) MUST_USE;

struct target_cache_counts {
	uint64_t told, read; /* bytes of memory: to clients without the target being asked; from the target */
	uint64_t answers;    /* of other kinds, without the target being asked */
};
struct target_cache_counts target_cache_counts(const struct target *t);
const char *target_cache_off(const struct target *t); /* in words; NULL: it is in use */

/* What was wrong with what the target sent: to the log and the audit. */
void target_tell_guard(struct target *t, uint64_t now);

/* One of kdgate's own monitor commands, in any state of the target. false: it is the target's "help" now, and what is
 * kdgate's has been said. */
bool target_monitor(struct target *t, struct session *s, uint64_t now) MUST_USE;

/* Answers what can be told without asking the target. false: it must be asked. */
bool target_tell(struct target *t, struct session *s) MUST_USE;

#endif
