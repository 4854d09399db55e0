/* session_packet.c - one packet of a client: parsed, judged, and then answered here or queued for the target. */
#include "proxy/session.h"

#include "proxy/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What needs no target. Each answers the packet and returns an enum session_step_news. */
static int ask(struct session *s, uint64_t now)
{
	s->asked = now;
	s->beat = now + SESSION_BEAT_MS;
	session_tell(s, SESSION_ASK, NULL);
	return SESSION_MOVED;
}

static int on_ok(struct session *s, uint64_t now)
{
	(void)now;
	session_ok(s);
	return SESSION_MOVED;
}

static int on_nothing(struct session *s, uint64_t now)
{
	(void)now;
	session_unsupported(s);
	return SESSION_MOVED;
}

/* Asked before anything else, it is lldb's. */
static int on_no_ack(struct session *s, uint64_t now)
{
	s->dialect.lldb |= s->packets == 1;
	(void)on_ok(s, now);
	s->no_ack = true;
	return SESSION_MOVED;
}

static int on_supported(struct session *s, uint64_t now)
{
	struct rsp_features f = { 0 };

	if (rsp_features_parse(s->cmd.text, &f) < 0)
		f.can = 0;
	s->can = f.can;
	s->dialect.swbreak = f.can & RSP_CAN_SWBREAK;
	s->dialect.hwbreak = f.can & RSP_CAN_HWBREAK;
	s->dialect.error_text = f.can & RSP_CAN_ERROR_TEXT;
	return ask(s, now);
}

static int on_thread_suffix(struct session *s, uint64_t now)
{
	s->dialect.lldb = true;
	return on_ok(s, now);
}

static int on_list_threads(struct session *s, uint64_t now)
{
	s->dialect.lldb = s->dialect.list_threads = true;
	return on_ok(s, now);
}

static int on_error_strings(struct session *s, uint64_t now)
{
	s->dialect.lldb = s->dialect.error_strings = true;
	return on_ok(s, now);
}

static int on_vcont_query(struct session *s, uint64_t now)
{
	(void)now;
	session_text(s, span_of("vCont;c;C;s;S"));
	return SESSION_MOVED;
}

/* 1: gdb detaches when it quits; with 0 it would kill. */
static int on_attached(struct session *s, uint64_t now)
{
	(void)now;
	session_text(s, span_of("1"));
	return SESSION_MOVED;
}

static int on_echo(struct session *s, uint64_t now)
{
	char text[128];

	(void)now;
	snprintf(text, sizeof text, "qEcho:%.*s", (int)(s->cmd.text.len < 100 ? s->cmd.text.len : 100), (const char *)s->cmd.text.p);
	session_text(s, span_of(text));
	return SESSION_MOVED;
}

static int on_thread_select(struct session *s, uint64_t now)
{
	if (s->cmd.which == 'c')
		s->resume = s->cmd.thread;
	else
		s->general = s->cmd.thread;
	return on_ok(s, now);
}

static int on_detach(struct session *s, uint64_t now)
{
	session_audit(s, (struct audit_event){ .what = AUDIT_DETACH });
	s->after = s->cmd.num[0] ? SESSION_AFTER_STAY : SESSION_AFTER_RUN; /* D1 */
	session_ok(s);
	session_leave(s, "it detached", now);
	return SESSION_MOVED;
}

/* k and vKill of whoever may not end the target, and of every observer: they end this connection. */
static int on_local_kill(struct session *s, uint64_t now)
{
	int rc = 0;

	session_audit(s, (struct audit_event){ .what = AUDIT_DETACH, .text = "kill, taken as a detach" });
	if (s->cmd.op == RSP_OP_VKILL)
		session_ok(s);
	else if (s->dialect.lldb)
		rc = rsp_say_text(&s->out, "X09");
	session_leave(s, "it asked to kill, which is a detach for it", now);
	return rc < 0 ? rc : SESSION_MOVED;
}

static int (*const acts[RSP_OPS])(struct session *, uint64_t) = {
	[RSP_OP_NOTHING] = on_nothing,
	[RSP_OP_SUPPORTED] = on_supported,
	[RSP_OP_NO_ACK] = on_no_ack,
	[RSP_OP_EXTENDED] = on_ok,
	[RSP_OP_VCONT_QUERY] = on_vcont_query,
	[RSP_OP_ALLOW] = on_ok,
	[RSP_OP_ECHO] = on_echo,
	[RSP_OP_THREAD_SUFFIX] = on_thread_suffix,
	[RSP_OP_LIST_THREADS] = on_list_threads,
	[RSP_OP_ERROR_STRINGS] = on_error_strings,
	[RSP_OP_ATTACHED] = on_attached,
	[RSP_OP_SYMBOL] = on_ok,
	[RSP_OP_THREAD_SELECT] = on_thread_select,
	[RSP_OP_DETACH] = on_detach,
};

/* The same packet means less from an observer, and policy judges what it means. */
static void as_role(struct session *s)
{
	if (s->role == SESSION_CONTROLLER || (s->cmd.op != RSP_OP_RESUME && s->cmd.op != RSP_OP_REVERSE))
		return;
	s->cmd.op = RSP_OP_FOLLOW;
	s->cmd.effects = RSP_EFF_QUERY;
}

/* c and s are of the thread that Hc named; a step of none in particular is of the one that stopped. vCont says all
 * there is to say itself. */
static void fill_action(struct session *s)
{
	struct rsp_action *a = &s->cmd.actions[0];
	bool steps = a->verb == 's' || a->verb == 'S';

	if (!strcmp(s->cmd.spec->name, "vCont"))
		return;
	a->thread = rsp_thread_names_one(s->resume) || !steps ? s->resume : s->stopped;
	a->has_thread = a->thread.tid != 0;
}

/* H is the client's own state; the target hears of it with the command that it is for. */
static void fill_thread(struct session *s)
{
	if (s->cmd.op == RSP_OP_RESUME)
		fill_action(s);
	else if (!s->cmd.has_thread)
		s->cmd.thread = s->general;
}

/* text: NULL, or a cause that is not the policy's. */
static void audit_decision(const struct session *s, enum audit_what what, struct judgement j, const char *text)
{
	char shown[160];

	session_audit(s, (struct audit_event){ .what = what, .rule = j.rule, .effect = rsp_effect_name(j.effect),
	                                       .packet = rsp_cmd_show(&s->cmd, shown, sizeof shown),
	                                       .has_range = s->cmd.has_addr, .addr = s->cmd.addr, .len = s->cmd.len,
	                                       .text = text });
}

/* What of the allowed is worth a line: what changes the target. */
static void audit_allowed(const struct session *s, struct judgement j)
{
	static const struct {
		unsigned effects;
		enum audit_what what;
	} kinds[] = {
		{ RSP_EFF_MONITOR, AUDIT_MONITOR }, { RSP_EFF_RUN, AUDIT_RUN },
		{ RSP_EFF_MEM_WRITE | RSP_EFF_REG_WRITE, AUDIT_WRITE }, { RSP_EFF_BREAK, AUDIT_BREAK },
		{ RSP_EFF_PROCESS | RSP_EFF_FILE | RSP_EFF_FLASH | RSP_EFF_CONFIG | RSP_EFF_TRACE | RSP_EFF_OPAQUE | RSP_EFF_SIGNAL, AUDIT_OTHER },
	};
	size_t i = 0;

	while (i < sizeof kinds / sizeof *kinds && !(s->cmd.effects & kinds[i].effects))
		i++;
	if (i < sizeof kinds / sizeof *kinds && s->cmd.op != RSP_OP_BREAK_CLEAR)
		audit_decision(s, kinds[i].what, j, NULL);
}

static int deny(struct session *s, struct judgement j, uint64_t now)
{
	char words[RSP_ERROR_TEXT];

	s->denied++;
	audit_decision(s, AUDIT_DENY, j, NULL);
	if (j.rule)
		snprintf(words, sizeof words, "kdgate: denied by policy %s, rule %d", s->who.policy->name, j.rule);
	else
		snprintf(words, sizeof words, "kdgate: policy %s does not allow %s", s->who.policy->name, rsp_effect_name(j.effect));
	if (s->cmd.op != RSP_OP_SUPPORTED && s->cmd.op != RSP_OP_STATUS) {
		session_refuse(s, words);
		return SESSION_MOVED;
	}
	session_error(s, words); /* without these gdb asks for ever; so it is told, and let go */
	session_leave(s, "its policy does not even let it ask", now);
	return SESSION_MOVED;
}

/* What no debugger needs to begin with. */
static int deny_in_secure_mode(struct session *s, struct judgement j, const char *words)
{
	s->denied++;
	audit_decision(s, AUDIT_DENY, j, words);
	session_refuse(s, words);
	return SESSION_MOVED;
}

/* Debuggers read whole cache lines: what lies before the first denied byte is still theirs. */
static bool shortened(struct session *s)
{
	uint64_t n;

	if (s->cmd.op != RSP_OP_MEM_READ && s->cmd.op != RSP_OP_MEM_READ_BIN)
		return false;
	n = policy_readable(s->who.policy, s->cmd.addr, s->cmd.len);
	if (!n || n >= s->cmd.len)
		return false;
	s->cmd.len = n;
	return true;
}

static bool is_kill(const struct session *s)
{
	return s->cmd.op == RSP_OP_KILL || s->cmd.op == RSP_OP_VKILL;
}

static int judged(struct session *s, uint64_t now)
{
	struct judgement j = policy_judge(s->who.policy, &s->cmd);
	const char *refused;

	if (is_kill(s) && (s->role != SESSION_CONTROLLER || j.verdict == VERDICT_DENY))
		return on_local_kill(s, now);
	if (j.verdict == VERDICT_DENY && !shortened(s))
		return deny(s, j, now);
	refused = latch_refuses(s->who.latch, s->who.policy, &s->cmd, j);
	if (refused)
		return deny_in_secure_mode(s, j, refused);
	if (s->who.learn)
		learn_note(s->who.learn, &s->cmd);
	audit_allowed(s, j);
	return (acts[s->cmd.op] ? acts[s->cmd.op] : ask)(s, now);
}

/* lldb asks in its own way whether x is understood, and would then read it in its own way. */
static bool is_lldb_probe(const struct session *s)
{
	return s->cmd.op == RSP_OP_MEM_READ_BIN && s->dialect.lldb;
}

int session_take_packet(struct session *s, uint64_t now)
{
	int rc = rsp_cmd_parse(buf_data(&s->framer.body), s->framer.body.len, &s->cmd);

	if (rc < 0) {
		s->malformed++;
		session_audit(s, (struct audit_event){ .what = AUDIT_MALFORMED, .packet = s->cmd.spec ? s->cmd.spec->name : NULL });
		session_error(s, "kdgate: the packet's arguments make no sense");
		return SESSION_MOVED;
	}
	s->malformed = 0;
	if (is_lldb_probe(s))
		return on_nothing(s, now);
	as_role(s);
	fill_thread(s);
	monitor_take(&s->cmd);
	return judged(s, now);
}
