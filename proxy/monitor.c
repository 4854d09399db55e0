/* monitor.c - see monitor.h. */
#include "proxy/monitor.h"

#include "base/text.h"
#include "proxy/options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 640, SHOWN = 80, MORE = 64 /* kept for the end of a list */ };

static const struct row {
	const char *words;
	enum monitor_verb verb;
	const char *about; /* NULL: another spelling of the row before it */
} rows[] = {
	{ "help", MONITOR_HELP, "this list, then the target's own help where policy lets it pass" },
	{ "kdgate", MONITOR_LIST, "this list" },
	{ "kdgate help", MONITOR_LIST, NULL },
	{ "kdgate status", MONITOR_STATUS, "the target: where it is, its state, what it can, who uses it" },
	{ "kdgate policy", MONITOR_POLICY, "what this client may do, rule by rule" },
	{ "kdgate who", MONITOR_WHO, "the clients of this target" },
	{ "kdgate secure", MONITOR_SECURE, "secure mode, and what kdgate itself may do; 'monitor secure' is the same" },
	{ "secure", MONITOR_SECURE, NULL },
	{ "kdgate version", MONITOR_VERSION, "which kdgate this is" },
};

static bool is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

/* Without the blanks around it; empty at the end. */
static struct span next_word(struct cursor *c)
{
	struct span word;

	while (cursor_skip(c, ' '))
		;
	word.p = c->p;
	while (cursor_peek(c) > ' ')
		cursor_u8(c);
	word.len = (size_t)(c->p - word.p);
	return word;
}

static bool same_words(struct span text, const char *words)
{
	struct cursor a = cursor_of(text), b = cursor_of(span_of(words));
	struct span x, y;

	do {
		x = next_word(&a);
		y = next_word(&b);
		if (x.len != y.len || (x.len && memcmp(x.p, y.p, x.len)))
			return false;
	} while (x.len);
	return true;
}

enum monitor_verb monitor_verb_of(struct span text)
{
	struct cursor c = cursor_of(text);

	if (!is_plain(text))
		return MONITOR_NOT_OWN;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (same_words(text, rows[i].words))
			return rows[i].verb;
	return span_is(next_word(&c), "kdgate") ? MONITOR_UNKNOWN : MONITOR_NOT_OWN;
}

void monitor_take(struct rsp_cmd *cmd)
{
	if (cmd->op != RSP_OP_MONITOR || monitor_verb_of(cmd->data) == MONITOR_NOT_OWN)
		return;
	cmd->op = RSP_OP_OWN;
	cmd->effects = RSP_EFF_QUERY;
}

void monitor_give(struct rsp_cmd *cmd)
{
	if (cmd->op != RSP_OP_OWN)
		return;
	cmd->op = cmd->spec->op;
	cmd->effects = cmd->spec->effects;
}

/* All but keep bytes of the room may be used. */
static bool __attribute__((format(printf, 3, 0))) put_line(struct buf *out, size_t keep, const char *fmt, va_list args)
{
	char line[LINE], shown[4 * LINE + 8];
	size_t before = out->len;

	vsnprintf(line, sizeof line, fmt, args);
	text_ascii(shown, sizeof shown, span_of(line));
	if (strlen(shown) + 1 + keep > buf_room(out))
		return false;
	if (!buf_put_text(out, shown) && !buf_put_u8(out, '\n'))
		return true;
	buf_cut(out, before);
	return false;
}

void monitor_put(struct buf *out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(out, 0, fmt, args);
	va_end(args);
}

/* After one that did not fit none is put: what is told is the beginning. */
void monitor_list_put(struct monitor_list *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (l->more || !put_line(l->out, MORE, fmt, args))
		l->more++;
	va_end(args);
}

void monitor_list_end(const struct monitor_list *l, const char *what)
{
	if (l->more)
		monitor_put(l->out, "... and %zu more %s", l->more, what);
}

void monitor_put_list(struct buf *out)
{
	monitor_put(out, "kdgate's own monitor commands:");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].about)
			monitor_put(out, "  %-15s %s", rows[i].words, rows[i].about);
	monitor_put(out, "Every other text is the target's own, and reaches it only if a rule of policy allows that.");
}

void monitor_put_unknown(struct buf *out, struct span text)
{
	char shown[SHOWN];

	monitor_put(out, "kdgate: there is no '%s'", text_ascii(shown, sizeof shown, text));
	monitor_put_list(out);
}

/* Of what is granted: what holds it to some places or texts, if anything does. A rule without those decides on all the
 * rest; only one of the other verdict before it makes a part of the whole. */
static const char *in_part(const struct policy *p, enum rsp_effect effect)
{
	const char *part[] = { [VERDICT_DENY] = "", [VERDICT_ALLOW] = "" };

	for (size_t i = 0; i < p->count; i++) {
		const struct policy_rule *rule = &p->rules[i];

		if (!(rule->effects & effect))
			continue;
		if (!rule->ranges_n && !rule->matches_n)
			return part[rule->verdict == VERDICT_ALLOW ? VERDICT_DENY : VERDICT_ALLOW];
		part[rule->verdict] = rule->matches_n ? " (some texts)" : " (some ranges)";
	}
	return part[VERDICT_ALLOW];
}

static void put_grants(struct buf *out, const struct policy *p)
{
	char room[LINE] = "";
	size_t n = 0;

	for (unsigned effect = 1; effect <= RSP_EFF_ALL; effect <<= 1) {
		if (!policy_grants(p, (enum rsp_effect)effect))
			continue;
		n += (size_t)snprintf(room + n, sizeof room - n, "%s%s%s", n ? ", " : "", rsp_effect_name((enum rsp_effect)effect),
				      in_part(p, (enum rsp_effect)effect));
	}
	monitor_put(out, "it grants %s", n ? room : "nothing");
}

void monitor_put_policy(struct buf *out, const struct policy *p)
{
	struct monitor_list list = { .out = out };

	monitor_put(out, "policy %s; of its rules the first that fits decides, and what none allows is denied", p->name);
	put_grants(out, p);
	if (p->paths)
		monitor_put(out, "names of files that the target tells keep their directories, unless secure mode is on");
	for (size_t i = 0; i < p->count; i++)
		monitor_list_put(&list, "  rule %zu: %s", i + 1, p->rules[i].text);
	monitor_list_end(&list, "rules");
}

void monitor_put_secure(struct buf *out, const struct latch *latch, const char *sandbox)
{
	if (latch && latch->secure) {
		monitor_put(out, "secure mode: on, and it stays on while this kdgate runs");
		monitor_put(out, "Whatever the policy says, nothing passes that can touch a host: no files, no programs, no tracepoints, no paths");
		monitor_put(out, "that the target names, no monitor command but by a rule that names it; nothing is learned, everything is audited.");
	} else {
		monitor_put(out, "secure mode: off; policy alone decides. It is turned on when kdgate is started, and not later.");
	}
	monitor_put(out, "sandbox of kdgate itself: %s", sandbox && *sandbox ? sandbox : "none");
}

void monitor_put_version(struct buf *out)
{
	monitor_put(out, "kdgate " OPTIONS_VERSION);
}

const char *monitor_age(char out[MONITOR_AGE], uint64_t ms)
{
	static const struct {
		uint64_t whole, part;
		const char *name, *part_name;
	} units[] = { { 86400, 3600, "d", "h" }, { 3600, 60, "h", "min" }, { 60, 1, "min", "s" } };
	uint64_t s = ms / 1000;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (s < units[i].whole)
			continue;
		snprintf(out, MONITOR_AGE, "%" PRIu64 " %s %" PRIu64 " %s", s / units[i].whole, units[i].name,
			 s % units[i].whole / units[i].part, units[i].part_name);
		return out;
	}
	snprintf(out, MONITOR_AGE, "%" PRIu64 " s", s);
	return out;
}
