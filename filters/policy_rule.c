/* policy_rule.c - rules from their text, and the built-in policies. See policy.h. */
#include "filters/policy.h"

#include "base/hex.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 48 };

struct reader {
	struct cursor c;
	char *why;
	size_t why_size;
};

static int wrong(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->why_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int no_memory(struct reader *r)
{
	snprintf(r->why, r->why_size, "out of memory");
	return -ENOMEM;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct reader *r)
{
	while (is_blank(cursor_peek(&r->c)))
		cursor_u8(&r->c);
}

/* The next word, not yet taken; empty at the end. */
static struct span peek_word(struct reader *r)
{
	struct span s;

	skip_blanks(r);
	s = (struct span){ r->c.p, 0 };
	while (s.p + s.len < r->c.end && !is_blank(s.p[s.len]))
		s.len++;
	return s;
}

static bool take_word(struct reader *r, const char *want)
{
	struct span word = peek_word(r);

	if (!span_is(word, want))
		return false;
	cursor_take(&r->c, word.len);
	return true;
}

static bool ends_list(struct span word)
{
	return !word.len || span_is(word, "range") || span_is(word, "match");
}

static int unknown_effect(struct reader *r, struct span word)
{
	char shown[SHOWN], list[256] = "";
	size_t at = 0;

	for (unsigned i = 0; i < RSP_EFFECTS; i++)
		at += (size_t)snprintf(list + at, sizeof list - at, "%s, ", rsp_effect_name((enum rsp_effect)(1u << i)));
	return wrong(r, "unknown effect \"%s\"; expected one of %sall", text_ascii(shown, sizeof shown, word), list);
}

static int read_verdict(struct reader *r, struct policy_rule *rule)
{
	char shown[SHOWN];

	rule->verdict = VERDICT_ALLOW;
	if (take_word(r, "allow"))
		return 0;
	rule->verdict = VERDICT_DENY;
	if (take_word(r, "deny"))
		return 0;
	if (!peek_word(r).len)
		return wrong(r, "the rule is empty; expected allow or deny, and effects");
	return wrong(r, "a rule begins with allow or deny, not \"%s\"", text_ascii(shown, sizeof shown, peek_word(r)));
}

static int read_effects(struct reader *r, struct policy_rule *rule)
{
	struct span word;

	while (!ends_list(word = peek_word(r))) {
		unsigned effect = span_is(word, "all") ? RSP_EFF_ALL : rsp_effect_of(word);

		if (!effect)
			return unknown_effect(r, word);
		rule->effects |= effect;
		cursor_take(&r->c, word.len);
	}
	return rule->effects ? 0 : wrong(r, "the rule names no effect; expected allow or deny, and then effects, such as mem.read");
}

static uint64_t read_address(struct cursor *c)
{
	c->bad |= !cursor_skip(c, '0') || !cursor_skip(c, 'x');
	return hex_number(c, 16);
}

static int read_range(struct reader *r, struct policy_rule *rule, struct span word)
{
	struct cursor c = cursor_of(word);
	struct policy_range range;
	char shown[SHOWN];

	text_ascii(shown, sizeof shown, word);
	range.first = read_address(&c);
	c.bad |= !cursor_skip(&c, '-');
	range.last = read_address(&c);
	if (!cursor_done(&c))
		return wrong(r, "\"%s\" is not a range; expected 0xFIRST-0xLAST, at most 16 hex digits each", shown);
	if (range.first > range.last)
		return wrong(r, "range \"%s\" ends before it begins; the last address may not be below the first", shown);
	if (rule->ranges_n == POLICY_RULE_RANGES)
		return wrong(r, "more than %d ranges in a rule; write another rule for the rest", POLICY_RULE_RANGES);
	rule->ranges[rule->ranges_n++] = range;
	return 0;
}

static int read_ranges(struct reader *r, struct policy_rule *rule)
{
	struct span word;
	int rc = 0;

	if (!take_word(r, "range"))
		return 0;
	if (!(rule->effects & POLICY_PLACED))
		return wrong(r, "range goes with an effect that has an address: mem.read, mem.write, break, flash, ...");
	while (!rc && !ends_list(word = peek_word(r))) {
		rc = read_range(r, rule, word);
		cursor_take(&r->c, word.len);
	}
	return rc || rule->ranges_n ? rc : wrong(r, "nothing after range; expected 0xFIRST-0xLAST");
}

static int pattern_check(struct reader *r, struct span pattern)
{
	char shown[SHOWN];
	size_t slashes = 0;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.p[i] < 0x20 || pattern.p[i] > 0x7e)
			return wrong(r, "match '%s' can fit nothing: monitor text is printable ASCII",
				     text_ascii(shown, sizeof shown, pattern));
		slashes = pattern.p[i] == '\\' ? slashes + 1 : 0;
	}
	if (!pattern.len)
		return wrong(r, "match '' is empty; expected a monitor command, or * for any");
	return slashes % 2 ? wrong(r, "match '%s' ends in a single backslash", text_ascii(shown, sizeof shown, pattern)) : 0;
}

/* What stands between the quotes, taken with them. */
static int read_quoted(struct reader *r, struct span *text)
{
	char shown[SHOWN];
	struct span word = peek_word(r);
	const uint8_t *end;

	if (!cursor_skip(&r->c, '\''))
		return wrong(r, "\"%s\" is not quoted; expected 'TEXT' after match", text_ascii(shown, sizeof shown, word));
	end = memchr(r->c.p, '\'', (size_t)(r->c.end - r->c.p));
	if (!end)
		return wrong(r, "a ' without its second; expected 'TEXT' after match");
	*text = cursor_take(&r->c, (size_t)(end - r->c.p));
	cursor_u8(&r->c);
	if (cursor_peek(&r->c) >= 0 && !is_blank(cursor_peek(&r->c)))
		return wrong(r, "expected a blank after '%s'", text_ascii(shown, sizeof shown, *text));
	return 0;
}

static int read_match(struct reader *r, struct policy_rule *rule)
{
	struct span text;
	int rc = read_quoted(r, &text);

	if (!rc)
		rc = pattern_check(r, text);
	if (rc)
		return rc;
	if (rule->matches_n == POLICY_RULE_MATCHES)
		return wrong(r, "more than %d texts in a rule; write another rule for the rest", POLICY_RULE_MATCHES);
	rule->matches[rule->matches_n] = strndup((const char *)text.p, text.len);
	if (!rule->matches[rule->matches_n])
		return no_memory(r);
	rule->matches_n++;
	return 0;
}

static int read_matches(struct reader *r, struct policy_rule *rule)
{
	int rc = 0;

	if (!take_word(r, "match"))
		return 0;
	if (rule->effects != RSP_EFF_MONITOR)
		return wrong(r, "match goes with monitor and no other effect; write another rule for the others");
	while (!rc && !ends_list(peek_word(r)))
		rc = read_match(r, rule);
	return rc || rule->matches_n ? rc : wrong(r, "nothing after match; expected 'TEXT'");
}

static int read_end(struct reader *r)
{
	char shown[SHOWN];
	struct span word = peek_word(r);

	if (!word.len)
		return 0;
	return wrong(r, "\"%s\" comes a second time, or in the wrong place; expected EFFECT... [range ...] [match ...]",
		     text_ascii(shown, sizeof shown, word));
}

static int read_rule(struct reader *r, struct policy_rule *rule)
{
	static int (*const parts[])(struct reader *, struct policy_rule *) = { read_verdict, read_effects, read_ranges, read_matches };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof parts / sizeof *parts; i++)
		rc = parts[i](r, rule);
	return rc ? rc : read_end(r);
}

static void rule_fini(struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->matches_n; i++)
		free(rule->matches[i]);
}

static int append(struct policy *p, const struct policy_rule *rule)
{
	struct policy_rule *more = realloc(p->own, (p->count + 1) * sizeof *more);

	if (!more)
		return -ENOMEM;
	more[p->count++] = *rule;
	p->rules = p->own = more;
	return 0;
}

int policy_add(struct policy *p, const char *rule, char *why, size_t why_size)
{
	struct policy_rule made = { 0 };
	struct reader r = { cursor_of(span_of(rule)), why, why_size };
	int rc;

	if (strlen(rule) >= POLICY_TEXT)
		return wrong(&r, "the rule is longer than %d characters; write it as several", POLICY_TEXT - 1);
	if (p->count == POLICY_RULES)
		return wrong(&r, "more than %d rules in a policy", POLICY_RULES);
	if (p->rules != p->own)
		return wrong(&r, "policy %s is built in and takes no rules", p->name);
	memcpy(made.text, rule, strlen(rule) + 1);
	rc = read_rule(&r, &made);
	if (!rc && append(p, &made) < 0)
		rc = no_memory(&r);
	if (rc)
		rule_fini(&made);
	return rc;
}

int policy_init(struct policy *p, const char *name)
{
	size_t n = strlen(name);

	*p = (struct policy){ 0 };
	if (!n || n >= sizeof p->name)
		return -EINVAL;
	memcpy(p->name, name, n + 1);
	return 0;
}

void policy_fini(struct policy *p)
{
	for (size_t i = 0; p->own && i < p->count; i++)
		rule_fini(&p->own[i]);
	free(p->own);
	*p = (struct policy){ 0 };
}

/* The effects of a built-in stand twice: as text for people, as bits to judge by. A test reads the one and compares. */
static const struct policy_rule full[] = { {
	.verdict = VERDICT_ALLOW,
	.effects = RSP_EFF_ALL & ~(RSP_EFF_FILE | RSP_EFF_OPAQUE),
	.text = "allow query mem.read mem.write reg.read reg.write break run signal process monitor flash config trace console",
} };
static const struct policy_rule debug[] = { {
	.verdict = VERDICT_ALLOW,
	.effects = RSP_EFF_QUERY | RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE | RSP_EFF_REG_READ | RSP_EFF_REG_WRITE | RSP_EFF_BREAK |
		   RSP_EFF_RUN | RSP_EFF_SIGNAL | RSP_EFF_CONSOLE,
	.text = "allow query mem.read mem.write reg.read reg.write break run signal console",
} };
static const struct policy_rule observe[] = { {
	.verdict = VERDICT_ALLOW,
	.effects = RSP_EFF_QUERY | RSP_EFF_MEM_READ | RSP_EFF_REG_READ,
	.text = "allow query mem.read reg.read",
} };

static const struct policy builtins[] = {
	{ .name = "full", .rules = full, .count = 1 },
	{ .name = "debug", .rules = debug, .count = 1 },
	{ .name = "observe", .rules = observe, .count = 1 },
	{ .name = "none" },
};

const struct policy *policy_builtin(const char *name)
{
	for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
	return NULL;
}
