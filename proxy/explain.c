/* explain.c - see explain.h. */
#include "proxy/explain.h"

#include "base/hex.h"
#include "base/text.h"
#include "proxy/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* What may follow after a $ and before the checksum. */
static struct span unframed(struct span text)
{
	if (!span_starts(text, "$"))
		return text;
	text = span_from(text, 1);
	if (text.len >= 3 && text.p[text.len - 3] == '#' && hex_value(text.p[text.len - 2]) >= 0 && hex_value(text.p[text.len - 1]) >= 0)
		text.len -= 3;
	return text;
}

/* Framed, by another sum than the one that stands there: the right one; else -1. */
static int wrong_sum(struct span text)
{
	struct span body = unframed(text);
	uint8_t sum = 0;

	for (size_t i = 0; i < body.len; i++)
		sum = (uint8_t)(sum + body.p[i]);
	if (text.len != body.len + 4)
		return -1;
	return hex_value(text.p[text.len - 2]) << 4 == (sum & 0xf0) && hex_value(text.p[text.len - 1]) == (sum & 15) ? -1 : sum;
}

static int put_monitor(struct buf *out, struct span text)
{
	int rc = buf_put_text(out, "qRcmd,");

	return rc ? rc : hex_put(out, text);
}

/* The body of the packet that the text means. */
static int put_body(struct buf *out, const char *text)
{
	static const char monitor[] = "monitor ";
	struct span s = span_of(text);

	if (span_starts(s, monitor))
		return put_monitor(out, span_from(s, sizeof monitor - 1));
	if (!strcasecmp(text, "ctrl-c") || !strcmp(text, "\x03"))
		return buf_put_text(out, "vCtrlC");
	return buf_put_span(out, unframed(s));
}

static void print_access(const struct rsp_cmd *cmd, FILE *to)
{
	uint64_t len = cmd->len ? cmd->len : cmd->data.len;

	if (cmd->has_addr && len)
		fprintf(to, "  it accesses 0x%" PRIx64 "-0x%" PRIx64 "\n", cmd->addr, cmd->addr + len - 1);
	else if (cmd->has_addr)
		fprintf(to, "  it is about 0x%" PRIx64 "\n", cmd->addr);
	for (size_t i = 0; i < cmd->ranges_n; i++)
		fprintf(to, "  it accesses 0x%" PRIx64 ", %" PRIu64 " bytes\n", cmd->ranges[i].addr, cmd->ranges[i].len);
}

static bool has_place(const struct rsp_cmd *cmd)
{
	return cmd->has_addr || cmd->ranges_n;
}

/* Why a rule that speaks of the effect decides. */
static const char *why_it_fits(const struct policy_rule *rule, const struct rsp_cmd *cmd)
{
	bool denies = rule->verdict == VERDICT_DENY;

	if (rule->matches_n)
		return "the text fits it";
	if (!rule->ranges_n)
		return "it is about every such access";
	if (!has_place(cmd))
		return "the packet names no address, so it may reach a denied one";
	return denies ? "the access touches a denied range" : "the access lies wholly inside an allowed range";
}

static bool begins_another(struct span text)
{
	return text.len && (memchr(text.p, ';', text.len) || memchr(text.p, '[', text.len));
}

static const char *why_it_does_not(const struct policy_rule *rule, const struct rsp_cmd *cmd)
{
	if (rule->matches_n && rule->verdict == VERDICT_ALLOW && begins_another(cmd->data))
		return "the text does not fit it: in a permission no wildcard stands for ; or [";
	if (rule->matches_n)
		return "the text does not fit it";
	if (!has_place(cmd))
		return "the packet names no address";
	return rule->verdict == VERDICT_DENY ? "the access touches none of its ranges" : "the access does not lie wholly inside one of its ranges";
}

/* The rules before number end, from 1, that speak of the effect and were passed over. */
static size_t print_passed(const struct policy *p, unsigned effect, size_t end, const struct rsp_cmd *cmd, FILE *to)
{
	size_t passed = 0;

	for (size_t i = 0; i + 1 < end; i++) {
		const struct policy_rule *rule = &p->rules[i];

		if (!(rule->effects & effect))
			continue;
		fprintf(to, "    not rule %zu, \"%s\": %s\n", i + 1, rule->text, why_it_does_not(rule, cmd));
		passed++;
	}
	return passed;
}

static void print_judgement(const struct policy *p, const struct judgement *j, const struct rsp_cmd *cmd, FILE *to)
{
	const char *effect = rsp_effect_name(j->effect);
	const struct policy_rule *rule = j->rule ? &p->rules[j->rule - 1] : NULL;

	fprintf(to, "  %s: %s", effect, j->verdict == VERDICT_ALLOW ? "allowed" : "denied");
	if (rule) {
		fprintf(to, " by rule %d, \"%s\": %s\n", j->rule, rule->text, why_it_fits(rule, cmd));
		print_passed(p, j->effect, (size_t)j->rule, cmd, to);
		return;
	}
	fprintf(to, ": no rule allows it, and what no rule allows is denied\n");
	if (!print_passed(p, j->effect, p->count + 1, cmd, to))
		fprintf(to, "    policy %s has no rule about %s\n", p->name, effect);
}

/* One effect alone. A breakpoint's bytes are looked at with the whole. */
static struct judgement judge_one(const struct policy *p, const struct rsp_cmd *cmd, unsigned effect)
{
	struct rsp_cmd one = *cmd;

	one.effects = effect;
	if (cmd->op == RSP_OP_BREAK_SET || cmd->op == RSP_OP_BREAK_CLEAR)
		one.op = RSP_OP_PLAIN;
	return policy_judge(p, &one);
}

static bool explain_cmd(const struct policy *p, const struct rsp_cmd *cmd, FILE *to)
{
	struct judgement whole = policy_judge(p, cmd);

	print_access(cmd, to);
	for (unsigned effect = 1; effect < 1u << RSP_EFFECTS; effect <<= 1) {
		if (cmd->effects & effect) {
			struct judgement j = judge_one(p, cmd, effect);

			print_judgement(p, &j, cmd, to);
		}
	}
	if (!(cmd->effects & whole.effect)) {
		fprintf(to, "  its bytes in memory are judged too:\n");
		print_judgement(p, &whole, cmd, to);
	}
	if (cmd->op == RSP_OP_OWN && monitor_verb_of(cmd->data) == MONITOR_HELP)
		fprintf(to, "  kdgate answers it itself; the target's own help follows if it may have effect monitor too\n");
	else if (cmd->op == RSP_OP_OWN)
		fprintf(to, "  kdgate answers it itself; the target never sees it\n");
	if (cmd->op == RSP_OP_NOTHING)
		fprintf(to, "  kdgate answers it itself, with \"unsupported\"; the target never sees it\n");
	return whole.verdict == VERDICT_ALLOW;
}

static bool explain_packet(const struct policy *p, const struct latch *latch, struct buf *body, FILE *to)
{
	static struct rsp_cmd cmd; /* large */
	char shown[256];
	const char *refused;
	struct judgement j;
	bool allowed;

	text_ascii(shown, sizeof shown, buf_span(body)); /* parsing uses it up */
	if (rsp_cmd_parse(buf_data(body), body->len, &cmd) < 0) {
		fprintf(to, "%s: denied\n  its arguments are malformed: it is answered with an error, and the target never sees it\n", shown);
		return false;
	}
	monitor_take(&cmd);
	j = policy_judge(p, &cmd);
	allowed = j.verdict == VERDICT_ALLOW;
	refused = allowed ? latch_refuses(latch, p, &cmd, j) : NULL;
	fprintf(to, "%s: %s by policy %s\n", rsp_cmd_show(&cmd, shown, sizeof shown), allowed && !refused ? "allowed" : "denied", p->name);
	if (refused)
		fprintf(to, "  policy would allow it, but: %s\n", refused);
	if (cmd.op == RSP_OP_UNKNOWN)
		fprintf(to, "  it is not a packet that kdgate knows\n");
	return explain_cmd(p, &cmd, to) && !refused;
}

static bool explain_text(const struct policy *p, const struct latch *latch, const char *text, struct buf *body, FILE *to)
{
	int sum = wrong_sum(span_of(text));

	if (sum >= 0)
		fprintf(to, "%.40s: denied\n  its checksum is wrong, expected #%02x: kdgate asks for it again, and the target never sees it\n", text, (unsigned)sum);
	else if (put_body(body, text) < 0)
		fprintf(to, "%.40s...: denied\n  it is too long to be a packet\n", text);
	else
		return explain_packet(p, latch, body, to);
	return false;
}

/* A shell has taken gdb's command apart. */
static void print_hint(char *const *packets, size_t n, FILE *to)
{
	if (n > 1 && !strcmp(packets[0], "monitor"))
		fprintf(to, "  for gdb's command of that name one word is expected, in quotes: \"monitor %.40s\"\n", packets[1]);
}

int explain_packets(const struct policy *p, const struct latch *latch, char *const *packets, size_t n, FILE *to)
{
	struct buf body;
	int denied = 0;

	if (buf_init(&body, EXPLAIN_PACKET) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		buf_reset(&body, 0);
		if (!explain_text(p, latch, packets[i], &body, to))
			denied = 1;
		print_hint(packets + i, n - i, to);
	}
	buf_fini(&body);
	return denied;
}
