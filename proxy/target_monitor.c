/* target_monitor.c - kdgate's own monitor commands, answered in whatever state the target is. See target.h and monitor.h. */
#include "proxy/target_parts.h"

#include "proxy/audit_log.h"
#include "proxy/monitor.h"
#include "rsp/tdesc.h"

#include <stdio.h>
#include <string.h>

static const char *plural(unsigned long n)
{
	return n == 1 ? "" : "s";
}

static void put_target(const struct target *t, struct buf *out)
{
	const char *line = t->setup.console_line;

	monitor_put(out, "target %s, at %s%s%s%s%s", t->setup.name, t->setup.address, line ? ", its console at " : "", line ? line : "",
	            t->be ? "; spoken to by backend " : "", t->be ? t->be->ops->name : "");
}

/* What is known of the last stop, or of why there is no target. */
static const char *details(const struct target *t, char *out, size_t size)
{
	bool stands = t->state == TARGET_STOPPED || t->state == TARGET_ASKED;

	*out = 0;
	if (!target_there(t) && *target_why_away(t))
		snprintf(out, size, " (%s)", target_why_away(t));
	else if (stands && t->stop.kind != RSP_STOP_SIGNAL)
		snprintf(out, size, ", since its program has ended");
	else if (stands && t->stop.has_thread)
		snprintf(out, size, " by signal %u in thread %lld", t->stop.code, (long long)t->stop.thread.tid);
	else if (stands)
		snprintf(out, size, " by signal %u", t->stop.code);
	return out;
}

static void put_state(const struct target *t, uint64_t now, struct buf *out)
{
	static const char *const words[TARGET_STATES] = {
		[TARGET_AWAY] = "away",       [TARGET_OPENING] = "away", [TARGET_STOPPED] = "stopped",    [TARGET_ASKED] = "stopped",
		[TARGET_RUNNING] = "running", [TARGET_LOST] = "lost",    [TARGET_LEAVING] = "being left", [TARGET_CLOSED] = "left",
	};
	static const char *const activity[TARGET_STATES] = {
		[TARGET_AWAY] = "; it is called again and again", [TARGET_LOST] = "; it is called again and again",
		[TARGET_OPENING] = "; it is being met",           [TARGET_ASKED] = "; busy with a command",
	};
	char age[MONITOR_AGE], more[TARGET_WHY + 3];
	bool known = t->since;

	monitor_put(out, "state: %s%s%s%s%s", words[t->state], details(t, more, sizeof more), known ? ", for " : "",
	            known ? monitor_age(age, now - t->since) : "", activity[t->state] ? activity[t->state] : "");
}

static void put_abilities(const struct target *t, struct buf *out)
{
	static const struct {
		enum rsp_feature can;
		const char *words;
	} all[] = {
		{ RSP_CAN_VCONT, "thread control" }, { RSP_CAN_TDESC, "register description" }, { RSP_CAN_MEMORY_MAP, "memory map" },
		{ RSP_CAN_SWBREAK, "swbreak" }, { RSP_CAN_HWBREAK, "hwbreak" }, { RSP_CAN_REVERSE_STEP, "reverse step" },
		{ RSP_CAN_REVERSE_CONTINUE, "reverse continue" },
	};
	const struct backend_info *info = target_there(t) ? t->be->ops->info(t->be) : NULL;
	char list[160] = "";
	size_t n = 0;

	for (size_t i = 0; info && i < sizeof all / sizeof *all; i++)
		if (info->can & all[i].can)
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", all[i].words);
	if (info)
		monitor_put(out, "it can: %s", n ? list : "nothing special");
	if (info && info->tdesc && *info->tdesc->arch)
		monitor_put(out, "architecture: %s, %zu registers", info->tdesc->arch, info->tdesc->regs_n);
}

static void put_clients(const struct target *t, const struct session *s, struct buf *out)
{
	const struct session *leader = target_leader(t);
	unsigned long n = 0;

	for (unsigned i = 0; i < t->slots_n; i++)
		n += t->slots[i] && session_lives(t->slots[i]);
	if (leader)
		monitor_put(out, "clients: %lu; number %llu%s controls", n, (unsigned long long)leader->who.id, leader == s ? ", you," : "");
	else
		monitor_put(out, "clients: %lu; nobody controls", n);
}

static void put_audit(const struct audit_log *a, struct buf *out)
{
	if (!a || !a->on)
		monitor_put(out, "audit: none");
	else if (a->error || a->lost)
		monitor_put(out, "audit: cannot be written (%s); %llu line%s lost", a->error ? strerror(a->error) : "its reader is behind",
		            (unsigned long long)a->lost, plural(a->lost));
	else
		monitor_put(out, "audit: on%s", a->incomplete ? ", but lines were lost before" : "");
}

static void put_cache(const struct target *t, struct buf *out)
{
	struct target_cache_counts n = target_cache_counts(t);

	if (target_cache_off(t))
		monitor_put(out, "cache: %s", target_cache_off(t));
	else
		monitor_put(out, "cache: of memory, %llu byte%s told without asking the target, %llu read from it; %llu other answer%s told again",
		            (unsigned long long)n.told, plural(n.told), (unsigned long long)n.read, (unsigned long long)n.answers, plural(n.answers));
}

static void status(const struct target *t, const struct session *s, uint64_t now, struct buf *out)
{
	put_target(t, out);
	put_state(t, now, out);
	put_abilities(t, out);
	put_clients(t, s, out);
	put_cache(t, out);
	monitor_put(out, "console: %lu byte%s of its text left out, since you did not read", s->text_lost, plural(s->text_lost));
	put_audit(t->setup.audit, out);
	monitor_put(out, "secure mode: %s; sandbox: %s", s->who.latch && s->who.latch->secure ? "on" : "off",
	            t->setup.sandbox && *t->setup.sandbox ? t->setup.sandbox : "none");
}

static void put_client(const struct session *s, const struct session *self, uint64_t now, struct monitor_list *list)
{
	char age[MONITOR_AGE];

	monitor_list_put(list, "%c %llu: %s; %s, policy %s, for %s; %lu packet%s, %lu denied", s == self ? '*' : ' ',
	                 (unsigned long long)s->who.id, s->who.peer, s->role == SESSION_CONTROLLER ? "controls" : "observes",
	                 s->who.policy->name, monitor_age(age, now - s->born), s->packets, plural(s->packets), s->denied);
}

/* Whoever asks comes first: they are in the list even if it is cut. */
static void who(const struct target *t, const struct session *self, uint64_t now, struct buf *out)
{
	struct monitor_list list = { .out = out };

	monitor_put(out, "clients of target %s; * is you", t->setup.name);
	put_client(self, self, now, &list);
	for (unsigned i = 0; i < t->slots_n; i++)
		if (t->slots[i] && t->slots[i] != self && session_lives(t->slots[i]))
			put_client(t->slots[i], self, now, &list);
	monitor_list_end(&list, "clients");
}

static void list(const struct target *t, const struct session *s, uint64_t now, struct buf *out)
{
	(void)t, (void)s, (void)now;
	monitor_put_list(out);
}

static void unknown(const struct target *t, const struct session *s, uint64_t now, struct buf *out)
{
	(void)t, (void)now;
	monitor_put_unknown(out, s->cmd.data);
}

static void policy(const struct target *t, const struct session *s, uint64_t now, struct buf *out)
{
	(void)t, (void)now;
	monitor_put_policy(out, s->who.policy);
}

static void secure(const struct target *t, const struct session *s, uint64_t now, struct buf *out)
{
	(void)now;
	monitor_put_secure(out, s->who.latch, t->setup.sandbox);
}

static void version(const struct target *t, const struct session *s, uint64_t now, struct buf *out)
{
	(void)t, (void)s, (void)now;
	monitor_put_version(out);
}

/* A packet for each line, so that none is longer than the shortest buffer of a debugger. */
static void say(struct session *s, struct span text)
{
	while (text.len && session_lives(s)) {
		const uint8_t *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) + 1 : text.len;

		session_tell(s, SESSION_PRINT, &(struct session_news){ .text = { text.p, n } });
		text = span_from(text, n);
	}
}

/* The target's own help, as if the client had asked for that alone: judged and told to the audit. NULL: it passes. */
static const char *refused(struct session *s, char *words, size_t size)
{
	struct rsp_cmd *cmd = &s->cmd;
	struct judgement j;
	const char *why;

	monitor_give(cmd);
	j = policy_judge(s->who.policy, cmd);
	why = j.verdict == VERDICT_ALLOW ? latch_refuses(s->who.latch, s->who.policy, cmd, j) : words;
	if (why == words)
		snprintf(words, size, "kdgate: 'help' of the target's own is not shown: policy %s does not allow it", s->who.policy->name);
	if (why)
		monitor_take(cmd);
	else
		session_audit(s, (struct audit_event){ .what = AUDIT_MONITOR, .rule = j.rule, .effect = rsp_effect_name(j.effect),
		                                       .packet = rsp_cmd_show(cmd, words, size) });
	if (!why && s->who.learn)
		learn_note(s->who.learn, cmd);
	return why;
}

/* true: it is the target's command now, and its answer follows. */
static bool pass_on_help(const struct target *t, struct session *s, struct buf *out)
{
	char words[RSP_ERROR_TEXT];
	const char *why = NULL;

	if (t->state == TARGET_RUNNING)
		why = "kdgate: the target is running, and can tell its own help only when it stands";
	else if (!target_there(t))
		why = "kdgate: the target is away; its own help is not to be had now";
	if (!why)
		why = refused(s, words, sizeof words);
	monitor_put(out, "%s", why ? why : "The target's own help:");
	return !why;
}

bool target_monitor(struct target *t, struct session *s, uint64_t now)
{
	static void (*const answers[MONITOR_VERBS])(const struct target *, const struct session *, uint64_t, struct buf *) = {
		[MONITOR_NOT_OWN] = unknown, [MONITOR_HELP] = list, [MONITOR_LIST] = list, [MONITOR_STATUS] = status,
		[MONITOR_POLICY] = policy, [MONITOR_WHO] = who, [MONITOR_SECURE] = secure, [MONITOR_VERSION] = version,
		[MONITOR_UNKNOWN] = unknown,
	};
	enum monitor_verb verb = monitor_verb_of(s->cmd.data);
	uint8_t room[MONITOR_TEXT];
	struct buf out = { .base = room, .cap = sizeof room };
	bool passes;

	answers[verb](t, s, now, &out);
	passes = verb == MONITOR_HELP && pass_on_help(t, s, &out);
	say(s, buf_span(&out));
	if (!passes)
		session_ok(s);
	return !passes || !session_lives(s);
}
