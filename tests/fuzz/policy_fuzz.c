/* policy_fuzz.c - rules and a packet from any bytes: lines of rules, an empty line, the packet.
 *
 * A rule that was read is read again from its text as the same. A denied effect denies the command; no policy lets a
 * readable prefix end where a judged read says otherwise. */
#include "filters/policy.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

static void same_rule(const struct policy_rule *a, const struct policy_rule *b)
{
	must(a->verdict == b->verdict && a->effects == b->effects && !strcmp(a->text, b->text));
	must(a->ranges_n == b->ranges_n && a->matches_n == b->matches_n);
	must(!memcmp(a->ranges, b->ranges, a->ranges_n * sizeof *a->ranges));
	for (size_t i = 0; i < a->matches_n; i++)
		must(!strcmp(a->matches[i], b->matches[i]));
	for (size_t i = 0; i < a->ranges_n; i++)
		must(a->ranges[i].first <= a->ranges[i].last);
	must(a->effects && !(a->effects & ~(unsigned)RSP_EFF_ALL) && (!a->matches_n || a->effects == RSP_EFF_MONITOR));
}

static void read_again(const struct policy *p)
{
	const struct policy_rule *last = &p->rules[p->count - 1];
	struct policy again;
	char why[64];

	must(policy_init(&again, "again") == 0);
	must(policy_add(&again, last->text, why, sizeof why) == 0);
	same_rule(last, again.rules);
	policy_fini(&again);
}

/* Takes lines up to an empty one; what is left is the packet. */
static struct span add_rules(struct policy *p, struct span in)
{
	char line[POLICY_TEXT + 8], why[128];

	while (in.len && *in.p != '\n') {
		const uint8_t *end = memchr(in.p, '\n', in.len);
		size_t n = end ? (size_t)(end - in.p) : in.len, count = p->count;

		snprintf(line, sizeof line, "%.*s", (int)n, (const char *)in.p);
		if (policy_add(p, line, why, sizeof why) == 0)
			read_again(p);
		else
			must(*why && p->count == count);
		in = span_from(in, n + 1);
	}
	return span_from(in, 1);
}

static void each_effect_counts(const struct policy *p, struct rsp_cmd *cmd)
{
	struct judgement all = policy_judge(p, cmd), one;
	unsigned effects = cmd->effects, denied = 0;

	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		if (!(effects & 1u << i))
			continue;
		cmd->effects = 1u << i;
		one = policy_judge(p, cmd);
		denied |= one.verdict == VERDICT_DENY;
		must(one.verdict == VERDICT_DENY || policy_grants(p, (enum rsp_effect)(1u << i)));
		must(one.rule == 0 || p->rules[one.rule - 1].verdict == one.verdict);
	}
	cmd->effects = effects;
	must((all.verdict == VERDICT_DENY) == (effects ? denied : all.verdict == VERDICT_DENY));
	must(all.verdict == VERDICT_DENY || all.rule);
}

static void readable_is_judged(const struct policy *p, uint64_t addr, uint64_t len)
{
	uint64_t may = policy_readable(p, addr, len);
	struct rsp_cmd cmd;

	rsp_cmd_make(&cmd, "x");
	cmd.has_addr = cmd.has_len = true;
	cmd.addr = addr;
	cmd.len = may;
	must(may <= len);
	must(!may || policy_judge(p, &cmd).verdict == VERDICT_ALLOW);
	cmd.len = may + 1;
	must(may == len || policy_judge(p, &cmd).verdict == VERDICT_DENY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t body[4096];
	static struct rsp_cmd cmd;
	struct policy p;
	struct span packet;

	must(policy_init(&p, "fuzz") == 0);
	packet = add_rules(&p, (struct span){ data, size });
	packet.len = packet.len < sizeof body ? packet.len : sizeof body;
	if (packet.len)
		memcpy(body, packet.p, packet.len);
	if (rsp_cmd_parse(body, packet.len, &cmd) == 0) {
		each_effect_counts(&p, &cmd);
		readable_is_judged(&p, cmd.addr, cmd.len);
		readable_is_judged(&p, cmd.addr - cmd.len, UINT64_MAX - cmd.len); /* wraps, where it can */
	}
	policy_fini(&p);
	return 0;
}
