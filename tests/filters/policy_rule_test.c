/* policy_rule_test.c - rules as text: what is read, what is refused and in which words, and the built-in policies. */
#include "filters/policy.h"
#include "tests/guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static char why[512];

static const struct good {
	const char *text;
	enum verdict verdict;
	unsigned effects;
	struct policy_range ranges[3];
	const char *matches[3];
} goods[] = {
	{ "allow query", VERDICT_ALLOW, RSP_EFF_QUERY, { { 0 } }, { 0 } },
	{ "deny query", VERDICT_DENY, RSP_EFF_QUERY, { { 0 } }, { 0 } },
	{ "allow all", VERDICT_ALLOW, RSP_EFF_ALL, { { 0 } }, { 0 } },
	{ "deny all", VERDICT_DENY, RSP_EFF_ALL, { { 0 } }, { 0 } },
	{ "allow query query all", VERDICT_ALLOW, RSP_EFF_ALL, { { 0 } }, { 0 } },
	{ "allow query reg.read run break", VERDICT_ALLOW, RSP_EFF_QUERY | RSP_EFF_REG_READ | RSP_EFF_RUN | RSP_EFF_BREAK, { { 0 } }, { 0 } },
	{ " \tdeny \t mem.read  ", VERDICT_DENY, RSP_EFF_MEM_READ, { { 0 } }, { 0 } },
	{ "deny  mem.read range 0xfffff78000000000-0xfffff78000000fff", VERDICT_DENY, RSP_EFF_MEM_READ,
	  { { 0xfffff78000000000, 0xfffff78000000fff } }, { 0 } },
	{ "allow mem.read mem.write range 0x0-0x0 0xABcd-0xfFfF\t0x0-0xffffffffffffffff", VERDICT_ALLOW, RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE,
	  { { 0, 0 }, { 0xabcd, 0xffff }, { 0, UINT64_MAX } }, { 0 } },
	{ "allow break range 0x0000000000001000-0x1000", VERDICT_ALLOW, RSP_EFF_BREAK, { { 0x1000, 0x1000 } }, { 0 } },
	{ "deny all range 0x1-0x2", VERDICT_DENY, RSP_EFF_ALL, { { 1, 2 } }, { 0 } },
	{ "deny monitor mem.read range 0x1-0x2", VERDICT_DENY, RSP_EFF_MONITOR | RSP_EFF_MEM_READ, { { 1, 2 } }, { 0 } },
	{ "allow monitor match 'modules' 'version' 'help *'", VERDICT_ALLOW, RSP_EFF_MONITOR, { { 0 } }, { "modules", "version", "help *" } },
	{ "deny monitor match 'range'  'match' \t'a \"b\" [x-z]?\\\\'", VERDICT_DENY, RSP_EFF_MONITOR, { { 0 } }, { "range", "match", "a \"b\" [x-z]?\\\\" } },
	{ "allow monitor match ' '", VERDICT_ALLOW, RSP_EFF_MONITOR, { { 0 } }, { " " } },
};

static void is_same(const struct policy_rule *rule, const struct good *g)
{
	size_t ranges = 0, matches = 0;

	assert_string_equal(rule->text, g->text);
	assert_int_equal(rule->verdict, g->verdict);
	assert_int_equal(rule->effects, g->effects);
	while (ranges < COUNT(g->ranges) && (g->ranges[ranges].first || g->ranges[ranges].last || ranges < rule->ranges_n))
		ranges++;
	assert_int_equal(rule->ranges_n, ranges);
	for (size_t i = 0; i < ranges; i++)
		assert_memory_equal(&rule->ranges[i], &g->ranges[i], sizeof g->ranges[i]);
	while (matches < COUNT(g->matches) && g->matches[matches])
		matches++;
	assert_int_equal(rule->matches_n, matches);
	for (size_t i = 0; i < matches; i++)
		assert_string_equal(rule->matches[i], g->matches[i]);
}

/* The text ends where the page ends. */
static int add(struct policy *p, const char *text)
{
	why[0] = 0;
	return policy_add(p, (const char *)guard_copy(text, strlen(text) + 1), why, sizeof why);
}

static void rules_are_read(void **state)
{
	struct policy p;

	(void)state;
	assert_int_equal(policy_init(&p, "student"), 0);
	assert_string_equal(p.name, "student");
	for (size_t i = 0; i < COUNT(goods); i++) {
		if (add(&p, goods[i].text))
			fail_msg("%s: %s", goods[i].text, why);
		assert_int_equal(p.count, i + 1);
		assert_string_equal(why, "");
	}
	for (size_t i = 0; i < COUNT(goods); i++)
		is_same(&p.rules[i], &goods[i]);
	policy_fini(&p);
	assert_null(p.rules);
}

/* Whatever stands before a cut is read as what it is, or refused; it never has more than the whole had. */
static void cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(goods); i++) {
		for (size_t n = 0; n < strlen(goods[i].text); n++) {
			char text[POLICY_TEXT] = "";
			struct policy p;
			int rc;

			memcpy(text, goods[i].text, n);
			assert_int_equal(policy_init(&p, "x"), 0);
			rc = add(&p, text);
			assert_true(rc == 0 || rc == -EINVAL);
			assert_int_equal(p.count, rc == 0);
			assert_int_equal(!rc, !*why);
			if (!rc) {
				assert_string_equal(p.rules[0].text, text);
				assert_int_equal(p.rules[0].effects & ~goods[i].effects, 0);
				assert_int_equal(p.rules[0].verdict, goods[i].verdict);
			}
			policy_fini(&p);
		}
	}
}

#define R16 "0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1 0x1-0x1"
#define M16 "'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a' 'a'"

static void rules_are_refused_in_words(void **state)
{
	static const struct {
		const char *text, *why;
	} v[] = {
		{ "", "the rule is empty" },
		{ " \t ", "the rule is empty" },
		{ "permit query", "begins with allow or deny, not \"permit\"" },
		{ "Allow query", "not \"Allow\"" },
		{ "allowquery", "not \"allowquery\"" },
		{ "query", "not \"query\"" },
		{ "allow", "names no effect" },
		{ "deny ", "names no effect" },
		{ "allow range 0x0-0x1", "names no effect" },
		{ "allow match 'x'", "names no effect" },
		{ "allow mem.reed", "unknown effect \"mem.reed\"; expected one of query, mem.read, mem.write, reg.read, reg.write, break, "
				    "run, signal, process, monitor, file, flash, config, trace, console, opaque, all" },
		{ "allow mem", "unknown effect \"mem\"" },
		{ "allow mem.", "unknown effect" },
		{ "allow mem.read,", "unknown effect" },
		{ "allow mem.readx", "unknown effect" },
		{ "allow query,run", "unknown effect" },
		{ "allow query deny run", "unknown effect \"deny\"" },
		{ "allow query\nrun", "unknown effect \"query\\x0arun\"" },
		{ "allow query\r", "unknown effect" },
		{ "allow \x1b[2J", "unknown effect \"\\x1b[2J\"" },
		{ "allow query 0x1-0x2", "unknown effect \"0x1-0x2\"" },
		{ "allow ALL", "unknown effect" },
		{ "allow none", "unknown effect" },
		{ "allow mem.read range", "nothing after range" },
		{ "allow mem.read range match 'x'", "nothing after range" },
		{ "allow mem.read range 1000-1fff", "\"1000-1fff\" is not a range; expected 0xFIRST-0xLAST" },
		{ "allow mem.read range 0x1000", "is not a range" },
		{ "allow mem.read range 0x1000-", "is not a range" },
		{ "allow mem.read range -0x1000", "is not a range" },
		{ "allow mem.read range 0x-0x1", "is not a range" },
		{ "allow mem.read range 0x1-0x", "is not a range" },
		{ "allow mem.read range 0x1-1", "is not a range" },
		{ "allow mem.read range 0x1000 - 0x1fff", "is not a range" },
		{ "allow mem.read range 0x1000-0x1fff,0x2000-0x2fff", "is not a range" },
		{ "allow mem.read range 0x1000-0x1ffg", "is not a range" },
		{ "allow mem.read range 0X1000-0X1fff", "is not a range" },
		{ "allow mem.read range 0x1-0x2-0x3", "is not a range" },
		{ "allow mem.read range 0x1:0x2", "is not a range" },
		{ "allow mem.read range 0x10000000000000000-0x1", "is not a range" },
		{ "allow mem.read range 0x1-0x00000000000000001", "is not a range" },
		{ "allow mem.read range 0x1-0x2 run", "\"run\" is not a range" },
		{ "allow mem.read range 0x2-0x1", "ends before it begins" },
		{ "allow mem.read range 0xffffffffffffffff-0x0", "ends before it begins" },
		{ "allow mem.read range 0x1-0x2 range 0x1-0x2", "\"range\" comes a second time" },
		{ "allow mem.read range " R16 " 0x1-0x1", "more than 16 ranges" },
		{ "deny monitor range 0x1-0x2", "an effect that has an address" },
		{ "deny file range 0x1-0x2", "an effect that has an address" },
		{ "deny reg.read signal process config trace console opaque range 0x1-0x2", "an effect that has an address" },
		{ "allow monitor match", "nothing after match" },
		{ "allow monitor match ", "nothing after match" },
		{ "allow monitor match range", "nothing after match" },
		{ "allow monitor match modules", "\"modules\" is not quoted" },
		{ "allow monitor match \"modules\"", "is not quoted" },
		{ "allow monitor match 'a' b", "\"b\" is not quoted" },
		{ "allow monitor match 'a", "without its second" },
		{ "allow monitor match '", "without its second" },
		{ "allow monitor match 'a' '", "without its second" },
		{ "allow monitor match ''", "is empty" },
		{ "allow monitor match 'a''b'", "expected a blank after 'a'" },
		{ "allow monitor match 'a'b", "expected a blank" },
		{ "allow monitor match 'a\\'", "single backslash" },
		{ "allow monitor match 'a\\\\\\'", "single backslash" },
		{ "allow monitor match 'a\tb'", "can fit nothing" },
		{ "allow monitor match 'a\x7f'", "can fit nothing" },
		{ "allow monitor match 'caf\xc3\xa9'", "can fit nothing" },
		{ "allow monitor match " M16 " 'a'", "more than 16 texts" },
		{ "allow monitor match 'a' match 'b'", "\"match\" comes a second time" },
		{ "allow monitor match 'a' range 0x1-0x2", "\"range\" comes a second time, or in the wrong place" },
		{ "allow monitor query match 'a'", "match goes with monitor and no other effect" },
		{ "allow mem.read match 'a'", "match goes with monitor" },
		{ "allow all match 'a'", "match goes with monitor" },
		{ "allow mem.read monitor range 0x1-0x2 match 'a'", "match goes with monitor" },
	};
	struct policy p;

	(void)state;
	assert_int_equal(policy_init(&p, "x"), 0);
	assert_int_equal(add(&p, "allow query"), 0);
	for (size_t i = 0; i < COUNT(v); i++) {
		assert_int_equal(add(&p, v[i].text), -EINVAL);
		if (!strstr(why, v[i].why))
			fail_msg("%s: \"%s\", not \"%s\"", v[i].text, why, v[i].why);
		for (const char *c = why; *c; c++)
			assert_in_range(*c, 0x20, 0x7e);
		assert_int_equal(p.count, 1);
		assert_string_equal(p.rules[0].text, "allow query");
	}
	assert_int_equal(add(&p, "allow mem.read range " R16), 0);
	assert_int_equal(p.rules[1].ranges_n, POLICY_RULE_RANGES);
	assert_int_equal(add(&p, "allow monitor match " M16), 0);
	assert_int_equal(p.rules[2].matches_n, POLICY_RULE_MATCHES);
	policy_fini(&p);
}

static void everything_has_a_bound(void **state)
{
	char text[POLICY_TEXT + 2], small[8] = "1234567", name[POLICY_NAME + 1];
	struct policy p;

	(void)state;
	assert_int_equal(policy_init(&p, "x"), 0);
	memset(text, ' ', sizeof text);
	memcpy(text, "allow query", 11);
	text[POLICY_TEXT] = 0;
	assert_int_equal(add(&p, text), -EINVAL);
	assert_non_null(strstr(why, "longer than 255"));
	text[POLICY_TEXT - 1] = 0;
	assert_int_equal(add(&p, text), 0);
	while (p.count < POLICY_RULES)
		assert_int_equal(add(&p, "deny monitor match 'x'"), 0);
	assert_int_equal(add(&p, "allow query"), -EINVAL);
	assert_non_null(strstr(why, "more than 256 rules"));
	assert_int_equal(p.count, POLICY_RULES);
	assert_int_equal(policy_add(&p, "allow query", small, 4), -EINVAL);
	assert_memory_equal(small, "mor\0" "567", 8);
	assert_int_equal(policy_add(&p, "allow query", NULL, 0), -EINVAL);
	policy_fini(&p);
	policy_fini(&p);

	memset(name, 'n', sizeof name);
	name[POLICY_NAME] = 0;
	assert_int_equal(policy_init(&p, name), -EINVAL);
	assert_int_equal(policy_init(&p, ""), -EINVAL);
	name[POLICY_NAME - 1] = 0;
	assert_int_equal(policy_init(&p, name), 0);
	assert_string_equal(p.name, name);
	policy_fini(&p);
}

/* What a built-in judges by is what its text says, and nothing can be added to it or freed of it. */
static void built_in_rules_are_their_text(void **state)
{
	static const char *const names[] = { "full", "debug", "observe", "none" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct policy *built = policy_builtin(names[i]);
		struct policy p, copy = *built;

		assert_ptr_equal(built, policy_builtin(names[i]));
		assert_int_equal(policy_init(&p, names[i]), 0);
		for (size_t k = 0; k < built->count; k++)
			assert_int_equal(add(&p, built->rules[k].text), 0);
		assert_int_equal(p.count, built->count);
		if (built->count)
			assert_memory_equal(p.rules, built->rules, built->count * sizeof *p.rules);
		assert_int_equal(built->count, strcmp(names[i], "none") ? 1 : 0);
		if (built->count) {
			assert_int_equal(add(&copy, "allow all"), -EINVAL);
			assert_non_null(strstr(why, "built in"));
			assert_ptr_equal(copy.rules, built->rules);
		}
		policy_fini(&copy);
		policy_fini(&p);
	}
	assert_null(policy_builtin("Full"));
	assert_null(policy_builtin(""));
	assert_null(policy_builtin("deb"));
	assert_null(policy_builtin("debugger"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_read),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(rules_are_refused_in_words),
		cmocka_unit_test(everything_has_a_bound),
		cmocka_unit_test(built_in_rules_are_their_text),
	};

	return cmocka_run_group_tests_name("policy_rule", tests, NULL, NULL);
}
