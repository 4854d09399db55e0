/* policy.c - see policy.h. Judgement; policy_rule.c reads the rules. */
#include "filters/policy.h"

#include <fnmatch.h>
#include <string.h>

/* Effects that may be on any address when the command names none. */
enum { ANYWHERE = RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE | RSP_EFF_OPAQUE };

/* What a rule is held against. */
struct access {
	unsigned effect; /* one */
	bool placed, wraps;
	uint64_t first, last;
	const char *text; /* of a monitor command; NULL: none, or not known */
};

static struct access access_at(unsigned effect, uint64_t addr, uint64_t len)
{
	uint64_t last = addr + (len ? len - 1 : 0);

	return (struct access){ .effect = effect, .placed = true, .wraps = last < addr, .first = addr, .last = last };
}

static bool range_touched(const struct policy_range *r, const struct access *a)
{
	return a->wraps || (a->first <= r->last && a->last >= r->first);
}

static bool range_holds(const struct policy_range *r, const struct access *a)
{
	return !a->wraps && a->first >= r->first && a->last <= r->last;
}

static bool ranges_match(const struct policy_rule *rule, const struct access *a)
{
	bool denies = rule->verdict == VERDICT_DENY;

	if (!rule->ranges_n)
		return true;
	if (!a->placed)
		return denies && (a->effect & ANYWHERE);
	for (size_t i = 0; i < rule->ranges_n; i++)
		if (denies ? range_touched(&rule->ranges[i], a) : range_holds(&rule->ranges[i], a))
			return true;
	return false;
}

static size_t in_text(const char *text, char c)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

/* How many of that character a pattern stands for itself. Not behind a [: what a set names it need not fit, and [!;] does not. */
static size_t in_pattern(const char *pattern, char c)
{
	size_t n = 0;

	for (; *pattern && *pattern != '['; pattern++) {
		pattern += *pattern == '\\' && pattern[1];
		n += *pattern == c;
	}
	return n;
}

/* OpenOCD's monitor is Tcl, where these begin another command, which may be a program of its host. */
static bool begins_another(const char *pattern, const char *text)
{
	static const char begins[] = ";[";

	for (const char *c = begins; *c && strcmp(pattern, "*") != 0; c++)
		if (in_text(text, *c) > in_pattern(pattern, *c))
			return true;
	return false;
}

static bool text_fits(const char *pattern, const char *text, enum verdict verdict)
{
	return fnmatch(pattern, text, 0) == 0 && (verdict == VERDICT_DENY || !begins_another(pattern, text));
}

static bool text_matches(const struct policy_rule *rule, const struct access *a)
{
	if (!rule->matches_n)
		return true;
	if (!a->text)
		return rule->verdict == VERDICT_DENY && a->effect == RSP_EFF_MONITOR;
	for (size_t i = 0; i < rule->matches_n; i++)
		if (text_fits(rule->matches[i], a->text, rule->verdict))
			return true;
	return false;
}

static bool rule_matches(const struct policy_rule *rule, const struct access *a)
{
	return (rule->effects & a->effect) && ranges_match(rule, a) && text_matches(rule, a);
}

static struct judgement judgement_of(const struct policy *p, unsigned effect, size_t rule)
{
	enum verdict verdict = rule ? p->rules[rule - 1].verdict : VERDICT_DENY;

	return (struct judgement){ .verdict = verdict, .effect = (enum rsp_effect)effect, .rule = (int)rule };
}

static struct judgement judge_access(const struct policy *p, const struct access *a)
{
	for (size_t i = 0; i < p->count; i++)
		if (rule_matches(&p->rules[i], a))
			return judgement_of(p, a->effect, i + 1);
	return judgement_of(p, a->effect, 0);
}

static struct access access_of(const struct rsp_cmd *cmd, unsigned effect)
{
	if (!cmd->has_addr)
		return (struct access){ .effect = effect };
	return access_at(effect, cmd->addr, cmd->len);
}

/* A list stands instead of an address, or beside one. */
static struct judgement judge_places(const struct policy *p, unsigned effect, const struct rsp_cmd *cmd)
{
	struct access a = access_of(cmd, effect);
	struct judgement j = judgement_of(p, effect, 0);

	if (!cmd->ranges_n)
		return judge_access(p, &a);
	if (a.placed && (j = judge_access(p, &a)).verdict == VERDICT_DENY)
		return j;
	for (size_t i = 0; i < cmd->ranges_n; i++) {
		a = access_at(effect, cmd->ranges[i].addr, cmd->ranges[i].len);
		j = judge_access(p, &a);
		if (j.verdict == VERDICT_DENY)
			return j;
	}
	return j;
}

/* A newline begins a second command in most monitors, a NUL ends what a pattern sees. */
bool policy_text_is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return text.len <= RSP_DATA_MAX;
}

static struct judgement judge_monitor(const struct policy *p, const struct rsp_cmd *cmd)
{
	char text[RSP_DATA_MAX + 1];
	struct access a = { .effect = RSP_EFF_MONITOR, .text = text };

	if (!policy_text_is_plain(cmd->data))
		return judgement_of(p, RSP_EFF_MONITOR, 0);
	if (cmd->data.len)
		memcpy(text, cmd->data.p, cmd->data.len);
	text[cmd->data.len] = 0;
	return judge_access(p, &a);
}

static struct judgement judge_effect(const struct policy *p, unsigned effect, const struct rsp_cmd *cmd)
{
	if (effect == RSP_EFF_MONITOR && cmd->op == RSP_OP_MONITOR)
		return judge_monitor(p, cmd);
	return judge_places(p, effect, cmd);
}

/* What a breakpoint does to memory though that is not its effect, by its type; 0: nothing. */
static unsigned breakpoint_touch(const struct rsp_cmd *cmd)
{
	static const unsigned touch[] = { RSP_EFF_MEM_WRITE, 0, RSP_EFF_MEM_READ, RSP_EFF_MEM_READ, RSP_EFF_MEM_READ };
	size_t types = sizeof touch / sizeof *touch;

	if (cmd->op != RSP_OP_BREAK_SET && cmd->op != RSP_OP_BREAK_CLEAR)
		return 0;
	return cmd->num[0] < types ? touch[cmd->num[0]] : RSP_EFF_MEM_WRITE;
}

/* Only rules that name ranges speak about a breakpoint's bytes; where none does, the rules for break have spoken. */
static struct judgement judge_breakpoint(const struct policy *p, const struct rsp_cmd *cmd, struct judgement so_far)
{
	struct access a = access_of(cmd, breakpoint_touch(cmd));

	for (size_t i = 0; i < p->count; i++)
		if (p->rules[i].ranges_n && rule_matches(&p->rules[i], &a))
			return judgement_of(p, a.effect, i + 1);
	return so_far;
}

/* A command of which nothing is known, or something that has no name here, may do anything. */
unsigned policy_effects(const struct rsp_cmd *cmd)
{
	bool known = cmd->effects && !(cmd->effects & ~(unsigned)RSP_EFF_ALL);

	return known ? cmd->effects : cmd->effects | RSP_EFF_OPAQUE;
}

struct judgement policy_judge(const struct policy *p, const struct rsp_cmd *cmd)
{
	struct judgement j = judgement_of(p, RSP_EFF_OPAQUE, 0);
	unsigned effects = policy_effects(cmd);

	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		if (!(effects & 1u << i))
			continue;
		j = judge_effect(p, 1u << i, cmd);
		if (j.verdict == VERDICT_DENY)
			return j;
	}
	return judge_breakpoint(p, cmd, j);
}

bool policy_grants(const struct policy *p, enum rsp_effect effect)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct policy_rule *rule = &p->rules[i];

		if (!(rule->effects & effect))
			continue;
		if (rule->verdict == VERDICT_ALLOW)
			return true;
		if (!rule->ranges_n && !rule->matches_n)
			return false;
	}
	return false;
}

static bool may_read(const struct policy *p, uint64_t addr, uint64_t len)
{
	struct access a = access_at(RSP_EFF_MEM_READ, addr, len);

	return judge_access(p, &a).verdict == VERDICT_ALLOW;
}

/* What is allowed to a read is allowed to every shorter one from the same address: fewer denials touch it, and it is
 * inside whatever the longer one was inside. So the end can be found by halving. */
uint64_t policy_readable(const struct policy *p, uint64_t addr, uint64_t len)
{
	uint64_t may = 0, not = len;

	if (may_read(p, addr, len))
		return len;
	while (not - may > 1) {
		uint64_t half = may + (not - may) / 2;

		*(may_read(p, addr, half) ? &may : &not) = half;
	}
	return may;
}
