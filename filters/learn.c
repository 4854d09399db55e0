/* learn.c - see learn.h. What is noted follows policy_judge: for each effect what a rule is held against. */
#include "filters/learn.h"

#include "filters/policy.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	RULE = POLICY_TEXT - 1,
	TEXT = RULE - (sizeof "allow monitor match ''" - 1), /* a pattern that has a rule to itself */
	/* What a rule about everything is worth a comment for. */
	WIDE = RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE | RSP_EFF_BREAK | RSP_EFF_FLASH,
	PLACED_EFFECTS = 7,
};

#define LONGEST_RANGE " 0x0123456789abcdef-0x0123456789abcdef"
#define RANGES_AT_LEAST ((RULE - (sizeof "allow mem.write range" - 1)) / (sizeof LONGEST_RANGE - 1))

static_assert(1 + LEARN_RANGES / RANGES_AT_LEAST + PLACED_EFFECTS + LEARN_MONITOR_RULES <= POLICY_RULES, "one policy has room for it");
static_assert(__builtin_popcount(POLICY_PLACED) <= PLACED_EFFECTS, "each may begin a rule");

struct place {
	unsigned effect;
	uint64_t first, last; /* both inside */
};

struct text {
	char text[TEXT + 1];
	bool more; /* and whatever follows */
};

struct learn {
	unsigned plain;                    /* effects that are allowed everywhere */
	const char *unplaced[RSP_EFFECTS]; /* a packet that made it so */
	unsigned joined, empty;            /* effects: over a gap; of no bytes */
	uint64_t filled;                   /* bytes in such gaps; UINT64_MAX: or more */
	bool texts_joined, texts_cut, no_text, more_commands;
	size_t places_n, texts_n;
	struct place places[LEARN_RANGES + 1]; /* by effect, then address; apart from each other */
	struct text texts[LEARN_MONITOR + 1];  /* by text; none allows what another does */
};

struct learn *learn_new(void)
{
	return calloc(1, sizeof(struct learn));
}

void learn_destroy(struct learn *l)
{
	free(l);
}

bool learn_empty(const struct learn *l)
{
	return !l->plain && !l->places_n && !l->texts_n;
}

/* Ranges. */
static void drop_places(struct learn *l, size_t at, size_t n)
{
	memmove(&l->places[at], &l->places[at + n], (l->places_n - at - n) * sizeof *l->places);
	l->places_n -= n;
}

static bool is_before(const struct place *a, const struct place *b)
{
	if (a->effect != b->effect)
		return a->effect < b->effect;
	return a->last < b->first && b->first - a->last > 1;
}

/* The first that p touches, or that comes after it. */
static size_t find_place(const struct learn *l, const struct place *p)
{
	size_t low = 0, high = l->places_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before(&l->places[middle], p))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert_place(struct learn *l, size_t at, struct place p)
{
	memmove(&l->places[at + 1], &l->places[at], (l->places_n - at) * sizeof *l->places);
	l->places[at] = p;
	l->places_n++;
}

/* In the place of those that it touches. */
static void add_place(struct learn *l, struct place p)
{
	size_t at = find_place(l, &p), n = 0;

	for (; at + n < l->places_n && !is_before(&p, &l->places[at + n]); n++) {
		const struct place *old = &l->places[at + n];

		p.first = old->first < p.first ? old->first : p.first;
		p.last = old->last > p.last ? old->last : p.last;
	}
	if (!n) {
		insert_place(l, at, p);
		return;
	}
	l->places[at] = p;
	drop_places(l, at + 1, n - 1);
}

static uint64_t gap_behind(const struct learn *l, size_t i)
{
	const struct place *a = &l->places[i], *b = a + 1;

	return a->effect == b->effect ? b->first - a->last - 1 : UINT64_MAX;
}

/* There is one: more ranges than effects. */
static void join_places(struct learn *l)
{
	size_t best = 0;
	uint64_t gap;

	for (size_t i = 1; i + 1 < l->places_n; i++)
		if (gap_behind(l, i) < gap_behind(l, best))
			best = i;
	gap = gap_behind(l, best);
	l->joined |= l->places[best].effect;
	l->filled = gap > UINT64_MAX - l->filled ? UINT64_MAX : l->filled + gap;
	l->places[best].last = l->places[best + 1].last;
	drop_places(l, best + 1, 1);
}

/* Where all is allowed, ranges say nothing. */
static void use_anywhere(struct learn *l, unsigned effect, const char *packet)
{
	size_t kept = 0;

	if (l->plain & effect)
		return;
	l->plain |= effect;
	l->unplaced[__builtin_ctz(effect)] = packet;
	for (size_t i = 0; i < l->places_n; i++)
		if (l->places[i].effect != effect)
			l->places[kept++] = l->places[i];
	l->places_n = kept;
	if (effect == RSP_EFF_MONITOR)
		l->texts_n = 0;
}

static const char *name_of(const struct rsp_cmd *cmd)
{
	return cmd->spec ? cmd->spec->name : "an unknown packet";
}

/* No range holds what wraps around. */
static void use_range(struct learn *l, unsigned effect, const struct rsp_cmd *cmd, struct rsp_range r)
{
	uint64_t last = r.addr + (r.len ? r.len - 1 : 0);

	if (last < r.addr)
		use_anywhere(l, effect, name_of(cmd));
	if (l->plain & effect)
		return;
	l->empty |= r.len ? 0 : effect;
	add_place(l, (struct place){ effect, r.addr, last });
	if (l->places_n > LEARN_RANGES)
		join_places(l);
}

static void use_places(struct learn *l, unsigned effect, const struct rsp_cmd *cmd)
{
	bool placed = cmd->has_addr || cmd->ranges_n;

	if (!placed || !(effect & POLICY_PLACED)) {
		use_anywhere(l, effect, name_of(cmd));
		return;
	}
	if (cmd->has_addr)
		use_range(l, effect, cmd, (struct rsp_range){ cmd->addr, cmd->len });
	for (size_t i = 0; i < cmd->ranges_n; i++)
		use_range(l, effect, cmd, cmd->ranges[i]);
}

/* Monitor text. A character as a pattern that fits nothing else; no pattern may hold a ' as it is, so that one is
 * whatever else is not printable. */
static const char *pattern_of(char c, char room[3])
{
	size_t n = 0;

	if (c == '\'')
		return "[! -&(-~]";
	if (strchr("*?[\\", c))
		room[n++] = '\\';
	room[n++] = c;
	room[n] = 0;
	return room;
}

/* How many characters have a pattern of at most most. */
static size_t fitting(struct span text, size_t most)
{
	char room[3];
	size_t n = 0, used = 0;

	while (n < text.len && (used += strlen(pattern_of((char)text.p[n], room))) <= most)
		n++;
	return n;
}

/* Cut where no rule has room for it. No pattern is for no text alone. */
static struct text text_of(struct learn *l, struct span s)
{
	struct text t = { .more = !s.len };
	size_t n = fitting(s, TEXT);

	if (n < s.len) {
		n = fitting(s, TEXT - 1);
		t.more = l->texts_cut = true;
	}
	l->no_text |= !s.len;
	l->more_commands |= s.len && (memchr(s.p, ';', s.len) || memchr(s.p, '[', s.len));
	if (n)
		memcpy(t.text, s.p, n);
	return t;
}

static bool text_covers(const struct text *t, const struct text *other)
{
	if (!t->more)
		return !other->more && !strcmp(t->text, other->text);
	return !strncmp(t->text, other->text, strlen(t->text));
}

static void insert_text(struct learn *l, const struct text *t)
{
	size_t kept = 0, at = 0;

	for (size_t i = 0; i < l->texts_n; i++)
		if (!text_covers(t, &l->texts[i]))
			l->texts[kept++] = l->texts[i];
	while (at < kept && strcmp(l->texts[at].text, t->text) < 0)
		at++;
	memmove(&l->texts[at + 1], &l->texts[at], (kept - at) * sizeof *l->texts);
	l->texts[at] = *t;
	l->texts_n = kept + 1;
}

static size_t in_common(const struct learn *l, size_t i)
{
	const char *a = l->texts[i].text, *b = l->texts[i + 1].text;
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static struct text beginning(const char *text, size_t n)
{
	struct text t = { .more = true };
	size_t fits = fitting((struct span){ (const uint8_t *)text, n }, TEXT - 1);

	memcpy(t.text, text, fits);
	return t;
}

static void join_texts(struct learn *l)
{
	struct text t;
	size_t best = 0;

	for (size_t i = 1; i + 1 < l->texts_n; i++)
		if (in_common(l, i) > in_common(l, best))
			best = i;
	t = beginning(l->texts[best].text, in_common(l, best));
	insert_text(l, &t);
	l->texts_joined = true;
}

/* Rules as text. All that is left of a kind goes on to the next rule when one is full. */
struct walk {
	const struct learn *l;
	bool begun;
	size_t place, text;
};

static int put_plain(struct walk *w, struct buf *out)
{
	int rc = buf_put_text(out, "allow");

	for (unsigned i = 0; !rc && i < RSP_EFFECTS; i++)
		if (w->l->plain & 1u << i)
			rc = buf_printf(out, " %s", rsp_effect_name((enum rsp_effect)(1u << i)));
	return rc;
}

static int put_ranges(struct walk *w, struct buf *out)
{
	const struct place *p = &w->l->places[w->place], *end = w->l->places + w->l->places_n;
	unsigned effect = p->effect, n = 0;
	int rc = buf_printf(out, "allow %s range", rsp_effect_name((enum rsp_effect)effect));

	if (rc)
		return rc;
	for (; p < end && p->effect == effect && n < POLICY_RULE_RANGES; p++, n++)
		if (buf_printf(out, " 0x%" PRIx64 "-0x%" PRIx64, p->first, p->last))
			break;
	w->place += n;
	return n ? 0 : -ENOBUFS;
}

/* 0; -ENOBUFS and nothing changed. */
static int put_text(const struct text *t, struct buf *out)
{
	size_t before = out->len;
	char room[3];
	int rc = buf_put_text(out, " '");

	for (const char *p = t->text; !rc && *p; p++)
		rc = buf_put_text(out, pattern_of(*p, room));
	if (!rc)
		rc = buf_put_text(out, t->more ? "*'" : "'");
	if (rc)
		buf_cut(out, before);
	return rc;
}

static int put_texts(struct walk *w, struct buf *out)
{
	unsigned n = 0;
	int rc = buf_put_text(out, "allow monitor match");

	while (!rc && n < POLICY_RULE_MATCHES && w->text < w->l->texts_n && !put_text(&w->l->texts[w->text], out)) {
		w->text++;
		n++;
	}
	return n ? rc : -ENOBUFS;
}

/* Into out, which has room for just one rule. */
static bool next_rule(struct walk *w, struct buf *out)
{
	bool first = !w->begun;

	buf_reset(out, 0);
	w->begun = true;
	if (first && w->l->plain)
		return put_plain(w, out) == 0;
	if (w->place < w->l->places_n)
		return put_ranges(w, out) == 0;
	return w->text < w->l->texts_n && put_texts(w, out) == 0;
}

static unsigned text_rules(const struct learn *l)
{
	struct walk w = { .l = l, .begun = true, .place = l->places_n };
	uint8_t room[RULE];
	struct buf rule = { .base = room, .cap = sizeof room };
	unsigned n = 0;

	while (next_rule(&w, &rule))
		n++;
	return n;
}

static void use_text(struct learn *l, struct span s)
{
	struct text t;

	if (!policy_text_is_plain(s) || (l->plain & RSP_EFF_MONITOR))
		return; /* no policy allows what is not plain */
	t = text_of(l, s);
	for (size_t i = 0; i < l->texts_n; i++)
		if (text_covers(&l->texts[i], &t))
			return;
	insert_text(l, &t);
	while (l->texts_n > LEARN_MONITOR || text_rules(l) > LEARN_MONITOR_RULES)
		join_texts(l);
}

void learn_note(struct learn *l, const struct rsp_cmd *cmd)
{
	unsigned effects = policy_effects(cmd);

	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		if (!(effects & 1u << i))
			continue;
		if (1u << i == RSP_EFF_MONITOR && cmd->op == RSP_OP_MONITOR)
			use_text(l, cmd->data);
		else
			use_places(l, 1u << i, cmd);
	}
}

void learn_use(struct learn *l, unsigned effects)
{
	for (unsigned i = 0; i < RSP_EFFECTS; i++)
		if (effects & 1u << i)
			use_anywhere(l, 1u << i, "what was used with it");
}

bool learn_rule(const struct learn *l, size_t i, struct buf *out)
{
	struct walk w = { .l = l };
	uint8_t room[RULE];
	struct buf rule = { .base = room, .cap = sizeof room };

	do {
		if (!next_rule(&w, &rule))
			return false;
	} while (i--);
	return buf_put_span(out, buf_span(&rule)) == 0;
}

/* The section. */
static int put_effects(struct buf *out, unsigned effects)
{
	const char *comma = "";
	int rc = 0;

	for (unsigned i = 0; !rc && i < RSP_EFFECTS; i++) {
		if (!(effects & 1u << i))
			continue;
		rc = buf_printf(out, "%s%s", comma, rsp_effect_name((enum rsp_effect)(1u << i)));
		comma = ", ";
	}
	return rc;
}

static int put_unplaced(const struct learn *l, struct buf *out)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < RSP_EFFECTS; i++)
		if (l->plain & WIDE & 1u << i)
			rc = buf_printf(out, "# wider than what was used: %s at every address, because of %s, which no range is about\n",
					rsp_effect_name((enum rsp_effect)(1u << i)), l->unplaced[i]);
	return rc;
}

static int put_joined(const struct learn *l, struct buf *out)
{
	int rc = 0;

	if (!(l->joined & ~l->plain))
		return 0;
	rc = buf_put_text(out, "# wider than what was used: ranges of ");
	rc = rc ? rc : put_effects(out, l->joined & ~l->plain);
	return rc ? rc : buf_printf(out, " were joined over up to 0x%" PRIx64 " bytes between them, there were more than %d\n", l->filled, LEARN_RANGES);
}

static int put_empty(const struct learn *l, struct buf *out)
{
	unsigned effects = l->empty & WIDE & ~l->plain;
	int rc = 0;

	if (!effects)
		return 0;
	rc = buf_put_text(out, "# an access of no bytes counts as one of the byte at its address: ");
	rc = rc ? rc : put_effects(out, effects);
	return rc ? rc : buf_put_u8(out, '\n');
}

static int put_texts_wider(const struct learn *l, struct buf *out)
{
	const struct {
		bool so;
		const char *words;
	} notes[] = {
		{ l->no_text, "# wider than what was used: every monitor command, because one without text was given\n" },
		{ l->texts_joined, "# wider than what was used: monitor commands with the same beginning were joined, there were too many\n" },
		{ l->texts_cut, "# wider than what was used: only the beginning of a monitor command that is too long for a rule\n" },
		{ l->more_commands && (l->texts_joined || l->texts_cut), "# narrower than what was used: no ; and no [ behind such a beginning\n" },
	};
	int rc = 0;

	for (size_t i = 0; !rc && l->texts_n && i < sizeof notes / sizeof *notes; i++)
		if (notes[i].so)
			rc = buf_put_text(out, notes[i].words);
	return rc;
}

static int put_comments(const struct learn *l, struct buf *out)
{
	static int (*const all[])(const struct learn *, struct buf *) = { put_unplaced, put_joined, put_empty, put_texts_wider };
	int rc = learn_empty(l) ? buf_put_text(out, "# nothing was used, so nothing is allowed\n") : 0;

	for (size_t i = 0; !rc && i < sizeof all / sizeof *all; i++)
		rc = all[i](l, out);
	return rc;
}

/* As a string of a configuration file. */
static int put_quoted(struct buf *out, struct span rule)
{
	int rc = buf_put_u8(out, '"');

	for (size_t i = 0; !rc && i < rule.len; i++) {
		if (rule.p[i] == '"' || rule.p[i] == '\\')
			rc = buf_put_u8(out, '\\');
		if (!rc)
			rc = buf_put_u8(out, rule.p[i]);
	}
	return rc ? rc : buf_put_u8(out, '"');
}

static int put_rules(const struct learn *l, struct buf *out)
{
	struct walk w = { .l = l };
	uint8_t room[RULE];
	struct buf rule = { .base = room, .cap = sizeof room };
	const char *between = "\n\t\t\t";
	int rc = 0;

	while (!rc && next_rule(&w, &rule)) {
		rc = buf_put_text(out, between);
		rc = rc ? rc : put_quoted(out, buf_span(&rule));
		between = ",\n\t\t\t";
	}
	return rc;
}

int learn_put(const struct learn *l, const char *name, struct buf *out)
{
	int rc = put_comments(l, out);

	rc = rc ? rc : buf_printf(out, "policy: {\n\t%s: {\n\t\trules = [", name);
	rc = rc ? rc : put_rules(l, out);
	return rc ? rc : buf_put_text(out, "\n\t\t]\n\t}\n}\n");
}
