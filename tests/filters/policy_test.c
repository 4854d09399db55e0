/* policy_test.c - who may do what: every rule kind, both verdicts, every edge of a range, and against brute force. */
#include "filters/policy.h"
#include "tests/guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TOP UINT64_MAX

static struct policy p;
static struct rsp_cmd cmd;

/* Rules are separated by newlines. */
static void rules(const char *text)
{
	char line[POLICY_TEXT], why[512];

	policy_fini(&p);
	assert_int_equal(policy_init(&p, "test"), 0);
	while (*text) {
		size_t n = strcspn(text, "\n");

		assert_true(n < sizeof line);
		memcpy(line, text, n);
		line[n] = 0;
		if (policy_add(&p, line, why, sizeof why))
			fail_msg("%s: %s", line, why);
		text += n + (text[n] != 0);
	}
}

static void expect(enum verdict verdict, unsigned effect, int rule)
{
	struct judgement j = policy_judge(&p, &cmd);

	if (j.verdict != verdict || (unsigned)j.effect != effect || j.rule != rule)
		fail_msg("verdict %d effect %x rule %d; expected %d %x %d", j.verdict, j.effect, j.rule, verdict, effect, rule);
}

static void plain(unsigned effects)
{
	memset(&cmd, 0, sizeof cmd);
	cmd.op = RSP_OP_PLAIN;
	cmd.effects = effects;
}

static void placed(unsigned effects, uint64_t addr, uint64_t len)
{
	plain(effects);
	cmd.has_addr = cmd.has_len = true;
	cmd.addr = addr;
	cmd.len = len;
}

static void read_is(enum verdict verdict, int rule, uint64_t addr, uint64_t len)
{
	placed(RSP_EFF_MEM_READ, addr, len);
	expect(verdict, RSP_EFF_MEM_READ, rule);
}

static void monitor(const void *text, size_t len)
{
	plain(RSP_EFF_MONITOR);
	cmd.op = RSP_OP_MONITOR;
	cmd.data = (struct span){ text, len };
}

static void breakpoint(unsigned type, uint64_t addr, uint64_t kind)
{
	placed(RSP_EFF_BREAK, addr, kind);
	cmd.op = RSP_OP_BREAK_SET;
	cmd.num[0] = type;
}

static void no_rule_denies_everything(void **state)
{
	(void)state;
	rules("");
	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		plain(1u << i);
		expect(VERDICT_DENY, 1u << i, 0);
		assert_false(policy_grants(&p, (enum rsp_effect)(1u << i)));
	}
	plain(RSP_EFF_ALL);
	expect(VERDICT_DENY, RSP_EFF_QUERY, 0);
	assert_int_equal(policy_readable(&p, 0, TOP), 0);
}

/* A rule speaks for the effects it names, and for no other. */
static void each_effect_is_its_own(void **state)
{
	char text[64];

	(void)state;
	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		snprintf(text, sizeof text, "allow %s", rsp_effect_name((enum rsp_effect)(1u << i)));
		rules(text);
		for (unsigned k = 0; k < RSP_EFFECTS; k++) {
			plain(1u << k);
			expect(k == i ? VERDICT_ALLOW : VERDICT_DENY, 1u << k, k == i);
			assert_int_equal(policy_grants(&p, (enum rsp_effect)(1u << k)), k == i);
		}
	}
}

/* A command with two effects needs both, whichever of them is refused. */
static void every_effect_must_be_allowed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		char text[64];

		snprintf(text, sizeof text, "deny %s\nallow all", rsp_effect_name((enum rsp_effect)(1u << i)));
		rules(text);
		for (unsigned k = 0; k < RSP_EFFECTS; k++) {
			plain(1u << k | 1u << i);
			expect(VERDICT_DENY, 1u << i, 1);
		}
		plain(RSP_EFF_ALL);
		expect(VERDICT_DENY, 1u << i, 1);
		plain(RSP_EFF_ALL & ~(1u << i));
		expect(VERDICT_ALLOW, i == 15 ? 1u << 14 : 1u << 15, 2);
	}
}

static void first_match_decides(void **state)
{
	(void)state;
	rules("allow query run\ndeny run\nallow mem.read\ndeny query mem.read\nallow run");
	plain(RSP_EFF_RUN);
	expect(VERDICT_ALLOW, RSP_EFF_RUN, 1);
	plain(RSP_EFF_MEM_READ);
	expect(VERDICT_ALLOW, RSP_EFF_MEM_READ, 3);
	rules("deny run\nallow run query");
	plain(RSP_EFF_RUN);
	expect(VERDICT_DENY, RSP_EFF_RUN, 1);
	plain(RSP_EFF_QUERY | RSP_EFF_RUN);
	expect(VERDICT_DENY, RSP_EFF_RUN, 1);
	plain(RSP_EFF_QUERY);
	expect(VERDICT_ALLOW, RSP_EFF_QUERY, 2);
}

/* Of several denied effects the first is named, of several allowed ones the last. */
static void the_judgement_says_what_decided(void **state)
{
	(void)state;
	rules("allow query\ndeny reg.write\nallow run signal");
	plain(RSP_EFF_QUERY | RSP_EFF_REG_WRITE | RSP_EFF_PROCESS);
	expect(VERDICT_DENY, RSP_EFF_REG_WRITE, 2);
	plain(RSP_EFF_QUERY | RSP_EFF_PROCESS);
	expect(VERDICT_DENY, RSP_EFF_PROCESS, 0);
	plain(RSP_EFF_QUERY | RSP_EFF_RUN | RSP_EFF_SIGNAL);
	expect(VERDICT_ALLOW, RSP_EFF_SIGNAL, 3);
}

/* A packet that did not parse has no effects; a bit without a name is not to be trusted. */
static void nothing_known_is_opaque(void **state)
{
	(void)state;
	rules("allow query mem.read mem.write reg.read reg.write break run signal process monitor file flash config trace console");
	plain(0);
	expect(VERDICT_DENY, RSP_EFF_OPAQUE, 0);
	plain(RSP_EFF_QUERY | 1u << RSP_EFFECTS);
	expect(VERDICT_DENY, RSP_EFF_OPAQUE, 0);
	plain(1u << 31);
	expect(VERDICT_DENY, RSP_EFF_OPAQUE, 0);
	rules("allow all");
	plain(0);
	expect(VERDICT_ALLOW, RSP_EFF_OPAQUE, 1);
}

static const struct {
	uint64_t addr, len;
	bool touches, inside; /* of 0x1000-0x1fff */
} edges[] = {
	{ 0x0000, 0x1000, false, false },
	{ 0x0000, 0x1001, true, false },
	{ 0x0fff, 0, false, false },
	{ 0x0fff, 1, false, false },
	{ 0x0fff, 2, true, false },
	{ 0x0fff, 0x1001, true, false },
	{ 0x0fff, 0x1002, true, false },
	{ 0x1000, 0, true, true },
	{ 0x1000, 1, true, true },
	{ 0x1000, 0xfff, true, true },
	{ 0x1000, 0x1000, true, true },
	{ 0x1000, 0x1001, true, false },
	{ 0x1800, 8, true, true },
	{ 0x1fff, 0, true, true },
	{ 0x1fff, 1, true, true },
	{ 0x1fff, 2, true, false },
	{ 0x2000, 0, false, false },
	{ 0x2000, 1, false, false },
	{ 0x2000, 0x10, false, false },
	{ 0, TOP, true, false },
	{ 0, 0, false, false },
	{ 1, TOP, true, false },                  /* ends at the last byte */
	{ 2, TOP, true, false },                  /* wraps to 0 */
	{ 0x1001, TOP, true, false },             /* wraps, and back to just below itself */
	{ TOP, 1, false, false },
	{ TOP, 0, false, false },
	{ TOP, 2, true, false },                  /* wraps: touches even what it does not */
	{ 0xfffffffffffffff0, 0x10, false, false },
	{ 0xfffffffffffffff0, 0x11, true, false },
	{ 0xfffffffffffffff0, 0x1010, true, false },
	{ 0xfffffffffffff000, 0x2000, true, false },
	{ 0x100001000, 1, false, false },         /* not by the low half alone */
	{ 0xffffffff00001000, 1, false, false },
	{ 0x1000, 0x100000001, true, false },
};

static void ranges_have_edges(void **state)
{
	static const unsigned effects[] = { RSP_EFF_MEM_READ, RSP_EFF_MEM_WRITE, RSP_EFF_BREAK, RSP_EFF_RUN, RSP_EFF_FLASH, RSP_EFF_QUERY };

	(void)state;
	for (size_t i = 0; i < COUNT(edges); i++) {
		for (size_t k = 0; k < COUNT(effects); k++) {
			rules("deny all range 0x1000-0x1fff\nallow all");
			placed(effects[k], edges[i].addr, edges[i].len);
			expect(edges[i].touches ? VERDICT_DENY : VERDICT_ALLOW, effects[k], edges[i].touches ? 1 : 2);
			rules("allow all range 0x1000-0x1fff");
			expect(edges[i].inside ? VERDICT_ALLOW : VERDICT_DENY, effects[k], edges[i].inside);
			rules("allow all range 0x1000-0x1fff\nallow all range 0x1000-0x1fff\ndeny all");
			expect(edges[i].inside ? VERDICT_ALLOW : VERDICT_DENY, effects[k], edges[i].inside ? 1 : 3);
		}
	}
}

static void ranges_at_the_ends_of_memory(void **state)
{
	(void)state;
	rules("allow mem.read range 0x0-0xffffffffffffffff");
	read_is(VERDICT_ALLOW, 1, 0, TOP);
	read_is(VERDICT_ALLOW, 1, TOP, 0);
	read_is(VERDICT_DENY, 0, TOP, 2);
	rules("deny mem.read range 0xffffffffffffffff-0xffffffffffffffff 0x0-0x0\nallow mem.read");
	read_is(VERDICT_DENY, 1, 0, 0);
	read_is(VERDICT_ALLOW, 2, 1, TOP - 1);
	read_is(VERDICT_DENY, 1, 1, TOP);
	read_is(VERDICT_DENY, 1, TOP, 1);
}

/* Two ranges side by side are two: an access over both is inside neither. Any of several is enough to deny. */
static void ranges_are_not_joined(void **state)
{
	(void)state;
	rules("allow mem.read range 0x1000-0x1fff 0x2000-0x2fff\nallow mem.read range 0x3000-0x3fff");
	read_is(VERDICT_ALLOW, 1, 0x1ff8, 8);
	read_is(VERDICT_ALLOW, 1, 0x2000, 0x1000);
	read_is(VERDICT_DENY, 0, 0x1fff, 2);
	read_is(VERDICT_DENY, 0, 0x2fff, 2);
	read_is(VERDICT_ALLOW, 2, 0x3000, 2);
	rules("deny mem.read range 0x1000-0x1000 0x3000-0x3000 0x2000-0x2000\nallow mem.read");
	read_is(VERDICT_DENY, 1, 0x1f00, 0x200);
	read_is(VERDICT_ALLOW, 2, 0x2001, 0xfff);
}

/* A read runs into an exception that stands before or behind what allows it. */
static void order_of_ranges(void **state)
{
	(void)state;
	rules("allow mem.read range 0x1800-0x18ff\ndeny mem.read range 0x1000-0x1fff\nallow mem.read");
	read_is(VERDICT_ALLOW, 1, 0x1800, 0x100);
	read_is(VERDICT_DENY, 2, 0x1800, 0x101);
	read_is(VERDICT_ALLOW, 3, 0x2000, 1);
	rules("deny mem.read range 0x1000-0x1fff\nallow mem.read range 0x1800-0x18ff\nallow mem.read");
	read_is(VERDICT_DENY, 1, 0x1800, 1);
}

/* One that reads or writes, nobody knows where, touches every denied range; any other is no matter of ranges. */
static void commands_without_an_address(void **state)
{
	enum { ANYWHERE = RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE | RSP_EFF_OPAQUE };

	(void)state;
	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		unsigned effect = 1u << i;
		bool anywhere = effect & ANYWHERE;

		plain(effect);
		rules("allow all range 0x0-0xffffffffffffffff");
		expect(VERDICT_DENY, effect, 0);
		rules("deny all range 0x1000-0x1fff\nallow all");
		expect(anywhere ? VERDICT_DENY : VERDICT_ALLOW, effect, anywhere ? 1 : 2);
		rules("allow all\ndeny all range 0x0-0xffffffffffffffff");
		expect(VERDICT_ALLOW, effect, 1);
		cmd.addr = 0x5000; /* has_addr is not set: this is not an address */
		cmd.len = 4;
		rules("deny all range 0x1000-0x1fff\nallow all");
		expect(anywhere ? VERDICT_DENY : VERDICT_ALLOW, effect, anywhere ? 1 : 2);
		rules("allow all range 0x5000-0x5fff");
		expect(VERDICT_DENY, effect, 0);
	}
	rules("deny mem.write range 0x1000-0x1fff\nallow mem.read mem.write");
	plain(RSP_EFF_MEM_READ);
	expect(VERDICT_ALLOW, RSP_EFF_MEM_READ, 2);
	plain(RSP_EFF_MEM_READ | RSP_EFF_MEM_WRITE);
	expect(VERDICT_DENY, RSP_EFF_MEM_WRITE, 1);
}

static void list(size_t n, const struct rsp_range *ranges)
{
	plain(RSP_EFF_MEM_READ);
	cmd.ranges_n = n;
	memcpy(cmd.ranges, ranges, n * sizeof *ranges);
}

static void every_range_of_a_list_is_judged(void **state)
{
	static const struct rsp_range good[] = { { 0x1000, 4 }, { 0x1ffc, 4 }, { 0x1800, 0 } };
	struct rsp_range many[RSP_RANGES_MAX];

	(void)state;
	rules("allow mem.read range 0x1000-0x1fff");
	list(3, good);
	expect(VERDICT_ALLOW, RSP_EFF_MEM_READ, 1);
	for (size_t bad = 0; bad < RSP_RANGES_MAX; bad++) {
		for (size_t i = 0; i < RSP_RANGES_MAX; i++)
			many[i] = (struct rsp_range){ 0x1000 + 4 * i, 4 };
		rules("allow mem.read range 0x1000-0x1fff");
		list(RSP_RANGES_MAX, many);
		expect(VERDICT_ALLOW, RSP_EFF_MEM_READ, 1);
		cmd.ranges[bad] = (struct rsp_range){ 0x1ffd, 4 };
		expect(VERDICT_DENY, RSP_EFF_MEM_READ, 0);
		cmd.ranges[bad] = (struct rsp_range){ TOP, 2 };
		expect(VERDICT_DENY, RSP_EFF_MEM_READ, 0);
		rules("deny mem.read range 0x1ffd-0x1ffd\nallow mem.read");
		expect(VERDICT_DENY, RSP_EFF_MEM_READ, 1);
		cmd.ranges[bad] = (struct rsp_range){ 0x1ffe, 4 };
		expect(VERDICT_ALLOW, RSP_EFF_MEM_READ, 2);
	}
	rules("allow mem.read range 0x1000-0x1fff");
	list(3, good);
	cmd.has_addr = true; /* beside a list, an address counts as well */
	cmd.addr = 0x2000;
	expect(VERDICT_DENY, RSP_EFF_MEM_READ, 0);
	cmd.addr = 0x1000;
	expect(VERDICT_ALLOW, RSP_EFF_MEM_READ, 1);
	rules("allow mem.write");
	expect(VERDICT_DENY, RSP_EFF_MEM_READ, 0);
}

static void monitor_text_is_matched_whole(void **state)
{
	static const struct {
		const char *rules, *text;
		enum verdict verdict;
		int rule;
	} v[] = {
		{ "allow monitor match 'modules' 'help *'", "modules", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'modules' 'help *'", "help me", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'modules' 'help *'", "help ", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'modules' 'help *'", "help", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", "modules ", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", " modules", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", "modulesx", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", "xmodules", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", "module", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", "Modules", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules' 'help *'", "", VERDICT_DENY, 0 },
		{ "allow monitor match 'modules'\nallow monitor match 'version'", "version", VERDICT_ALLOW, 2 },
		{ "allow monitor match 'md[0-9] ?'", "md4 x", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'md[0-9] ?'", "mdx x", VERDICT_DENY, 0 },
		{ "allow monitor match 'md[0-9] ?'", "md4 ", VERDICT_DENY, 0 },
		{ "allow monitor match 'md[0-9] ?'", "md4 xy", VERDICT_DENY, 0 },
		{ "allow monitor match 'a\\*'", "a*", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'a\\*'", "ab", VERDICT_DENY, 0 },
		{ "allow monitor match 'show *'", "show /etc/.hidden", VERDICT_ALLOW, 1 }, /* no path, no hidden files: text */
		{ "allow monitor match 'show'", "show/etc", VERDICT_DENY, 0 },
		{ "allow monitor match '*'", "", VERDICT_ALLOW, 1 },
		{ "allow monitor match '*'", "anything; at all", VERDICT_ALLOW, 1 },
		{ "allow monitor match '*'", "anything [at all]", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'reg *'", "reg pc", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'reg *'", "reg {pc} $x \"]\" | &", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'reg *'", "reg [exec id]", VERDICT_DENY, 0 }, /* another command: to a Tcl, as OpenOCD's is */
		{ "allow monitor match 'reg *'", "reg pc; exec id", VERDICT_DENY, 0 },
		{ "allow monitor match 'reg ?'", "reg ;", VERDICT_DENY, 0 },
		{ "allow monitor match 'reg [!-~]*'", "reg [exec id]", VERDICT_DENY, 0 },
		{ "allow monitor match '**'", "exec id;", VERDICT_DENY, 0 },
		{ "allow monitor match 'halt; reg *'", "halt; reg pc", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'halt; reg *'", "halt; reg pc; exec id", VERDICT_DENY, 0 },
		{ "allow monitor match 'echo \\[reg *\\]'", "echo [reg pc]", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'echo \\[reg *\\]'", "echo [reg pc [exec id]]", VERDICT_DENY, 0 },
		{ "allow monitor match 'reg [!;]*'", "reg pc; exec id", VERDICT_DENY, 0 }, /* what a set names, it need not fit */
		{ "allow monitor match 'reg [!;]*'", "reg pc", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'reg [![:space:];]*'", "reg pc; exec id", VERDICT_DENY, 0 },
		{ "allow monitor match 'reg []!\\[a]*'", "reg a[exec id]", VERDICT_DENY, 0 },
		{ "allow monitor match 'halt; reg [a-z]*'", "halt; reg pc", VERDICT_ALLOW, 1 },
		{ "allow monitor match 'halt; reg [a-z;]*'", "halt; reg pc; exec id", VERDICT_DENY, 0 },
		{ "allow monitor match 'reg *' '*'", "reg [exec id]", VERDICT_ALLOW, 1 },
		{ "deny monitor match 'exec*' '*[[]*'\nallow monitor", "reg [exec id]", VERDICT_DENY, 1 },
		{ "deny monitor match 'reg *'\nallow monitor", "reg pc; exec id", VERDICT_DENY, 1 },
		{ "allow monitor", "", VERDICT_ALLOW, 1 },
		{ "allow monitor", "anything", VERDICT_ALLOW, 1 },
		{ "allow all", "anything", VERDICT_ALLOW, 1 },
		{ "deny monitor match 'quit' 'migrate*'\nallow monitor", "quit", VERDICT_DENY, 1 },
		{ "deny monitor match 'quit' 'migrate*'\nallow monitor", "migrate x", VERDICT_DENY, 1 },
		{ "deny monitor match 'quit' 'migrate*'\nallow monitor", "info", VERDICT_ALLOW, 2 },
		{ "deny monitor match 'help secret'\nallow monitor match 'help *'", "help secret", VERDICT_DENY, 1 },
		{ "deny monitor match 'help secret'\nallow monitor match 'help *'", "help other", VERDICT_ALLOW, 2 },
		{ "deny monitor\nallow monitor match '*'", "help", VERDICT_DENY, 1 },
		{ "allow query mem.read mem.write run process", "help", VERDICT_DENY, 0 },
		{ "allow all range 0x0-0xffffffffffffffff", "help", VERDICT_DENY, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		rules(v[i].rules);
		monitor(v[i].text, strlen(v[i].text));
		expect(v[i].verdict, RSP_EFF_MONITOR, v[i].rule);
	}
}

/* One byte that is not printable ASCII, anywhere, and no policy lets the text pass. */
static void monitor_text_is_plain(void **state)
{
	static const char *const policies[] = {
		"allow all", "allow monitor", "allow monitor match '*'", "allow monitor match 'help*' '*'",
		"deny monitor match 'x'\nallow monitor",
	};
	char text[8];

	(void)state;
	for (size_t i = 0; i < COUNT(policies); i++) {
		rules(policies[i]);
		for (unsigned c = 0; c < 256; c++) {
			for (size_t at = 0; at < sizeof text; at++) {
				bool good = c >= 0x20 && c < 0x7f;
				struct judgement j;

				memcpy(text, "help me!", sizeof text);
				text[at] = (char)c;
				monitor(text, sizeof text);
				j = policy_judge(&p, &cmd);
				assert_int_equal(j.verdict, good ? VERDICT_ALLOW : VERDICT_DENY);
				assert_int_equal(j.effect, RSP_EFF_MONITOR);
				assert_int_equal(j.rule != 0, good);
			}
		}
	}
	rules("allow monitor match 'help'");
	monitor("help\0quit", 9);
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 0);
	monitor("help\0", 5);
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 0);
	monitor("help\n", 5);
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 0);
}

static void monitor_text_has_a_ceiling(void **state)
{
	static char text[RSP_DATA_MAX + 1];
	clock_t start = clock();

	(void)state;
	memset(text, 'a', sizeof text);
	rules("allow monitor");
	monitor(text, RSP_DATA_MAX);
	expect(VERDICT_ALLOW, RSP_EFF_MONITOR, 1);
	monitor(text, RSP_DATA_MAX + 1);
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 0);
	rules("allow monitor match '*a*a*a*a*a*a*a*a*b'"); /* no pattern makes a long text slow */
	monitor(text, RSP_DATA_MAX);
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 0);
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
}

/* The effect without its packet: no text is known. Other effects have nothing to do with texts. */
static void monitor_effect_without_text(void **state)
{
	(void)state;
	plain(RSP_EFF_MONITOR);
	rules("allow monitor match '*'");
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 0);
	rules("deny monitor match 'quit'\nallow monitor");
	expect(VERDICT_DENY, RSP_EFF_MONITOR, 1);
	rules("allow monitor");
	expect(VERDICT_ALLOW, RSP_EFF_MONITOR, 1);
	monitor("help", 4);
	cmd.effects |= RSP_EFF_RUN;
	rules("allow monitor match 'help'");
	expect(VERDICT_DENY, RSP_EFF_RUN, 0);
	rules("deny monitor match '*'\nallow run");
	plain(RSP_EFF_RUN);
	expect(VERDICT_ALLOW, RSP_EFF_RUN, 2);
}

#define WRITES_BELOW "deny mem.write range 0x1000-0x1fff\nallow break"

static const struct {
	const char *rules;
	unsigned type;
	uint64_t addr, kind;
	enum verdict verdict;
	unsigned effect;
	int rule;
} breakpoints[] = {
	{ "allow mem.write mem.read", 0, 0x1000, 1, VERDICT_DENY, RSP_EFF_BREAK, 0 },
	{ "allow break", 0, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 1 },
	{ "allow break", 4, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 1 },
	{ "deny mem.write\nallow break", 0, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 2 }, /* it names no ranges */
	{ "deny mem.read\nallow break", 2, 0x1000, 8, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	/* the rules for break have ranges of their own */
	{ "allow break range 0x1000-0x1fff", 0, 0x1fff, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 1 },
	{ "allow break range 0x1000-0x1fff", 0, 0x1fff, 0, VERDICT_ALLOW, RSP_EFF_BREAK, 1 },
	{ "allow break range 0x1000-0x1fff", 0, 0x1fff, 2, VERDICT_DENY, RSP_EFF_BREAK, 0 },
	{ "allow break range 0x1000-0x1fff", 1, 0x2000, 1, VERDICT_DENY, RSP_EFF_BREAK, 0 },
	{ "deny break range 0x1000-0x1fff\nallow break", 0, 0xffd, 3, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ "deny break range 0x1000-0x1fff\nallow break", 0, 0xffd, 4, VERDICT_DENY, RSP_EFF_BREAK, 1 },
	{ "deny break range 0x1000-0x1fff\nallow break", 0, TOP, 2, VERDICT_DENY, RSP_EFF_BREAK, 1 },
	/* software: what may not be written may not be trapped */
	{ WRITES_BELOW, 0, 0xfff, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ WRITES_BELOW, 0, 0xfff, 2, VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
	{ WRITES_BELOW, 0, 0x1000, 0, VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
	{ WRITES_BELOW, 0, 0x1fff, 4, VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
	{ WRITES_BELOW, 0, 0x2000, 4, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ WRITES_BELOW, 0, TOP, 4, VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
	{ WRITES_BELOW, 1, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ WRITES_BELOW, 2, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ WRITES_BELOW, 3, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ WRITES_BELOW, 4, 0x1000, 1, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ WRITES_BELOW, 5, 0x1000, 1, VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 }, /* no such type: the strictest */
	{ "allow break\nallow mem.write range 0x1800-0x18ff\ndeny mem.write range 0x1000-0x1fff", 0, 0x18ff, 1, VERDICT_ALLOW, RSP_EFF_MEM_WRITE, 2 },
	{ "allow break\nallow mem.write range 0x1800-0x18ff\ndeny mem.write range 0x1000-0x1fff", 0, 0x18ff, 2, VERDICT_DENY, RSP_EFF_MEM_WRITE, 3 },
	{ "allow break\nallow mem.write range 0x1800-0x18ff\ndeny mem.write range 0x1000-0x1fff", 0, 0x3000, 2, VERDICT_ALLOW, RSP_EFF_BREAK, 1 },
	{ "allow mem.write break\ndeny mem.write range 0x1000-0x1fff", 0, 0x1000, 1, VERDICT_DENY, RSP_EFF_MEM_WRITE, 2 },
	/* watchpoints: what may not be read may not be watched */
	{ "deny mem.read range 0x1000-0x1fff\nallow break", 2, 0xff8, 8, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ "deny mem.read range 0x1000-0x1fff\nallow break", 2, 0xff9, 8, VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
	{ "deny mem.read range 0x1000-0x1fff\nallow break", 3, 0xff9, 8, VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
	{ "deny mem.read range 0x1000-0x1fff\nallow break", 4, 0xff9, 8, VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
	{ "deny mem.read range 0x1000-0x1fff\nallow break", 0, 0x1000, 8, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ "deny mem.read range 0x1000-0x1fff\nallow break", 1, 0x1000, 8, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ "allow mem.read range 0x1000-0x1fff\nallow break", 2, 0x2000, 8, VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
	{ "allow mem.read range 0x1000-0x1fff\nallow break", 2, 0x1000, 8, VERDICT_ALLOW, RSP_EFF_MEM_READ, 1 },
};

/* Setting and clearing are judged alike, so nobody is left with a breakpoint that cannot be taken out. */
static void breakpoints_are_judged_by_what_they_touch(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(breakpoints); i++) {
		rules(breakpoints[i].rules);
		breakpoint(breakpoints[i].type, breakpoints[i].addr, breakpoints[i].kind);
		expect(breakpoints[i].verdict, breakpoints[i].effect, breakpoints[i].rule);
		cmd.op = RSP_OP_BREAK_CLEAR;
		expect(breakpoints[i].verdict, breakpoints[i].effect, breakpoints[i].rule);
	}
	rules(WRITES_BELOW);
	breakpoint(0, 0x1000, 1);
	cmd.op = RSP_OP_PLAIN; /* only a breakpoint's bytes are looked at so */
	expect(VERDICT_ALLOW, RSP_EFF_BREAK, 2);
}

static void grants(void **state)
{
	static const struct {
		const char *rules;
		unsigned effect;
		bool may;
	} v[] = {
		{ "allow run", RSP_EFF_RUN, true },
		{ "allow run", RSP_EFF_BREAK, false },
		{ "deny run\nallow run", RSP_EFF_RUN, false },
		{ "deny all\nallow run", RSP_EFF_RUN, false },
		{ "deny break\nallow run", RSP_EFF_RUN, true },
		{ "allow run\ndeny run", RSP_EFF_RUN, true },
		{ "deny mem.read range 0x0-0xfff\nallow mem.read", RSP_EFF_MEM_READ, true },
		{ "deny mem.read range 0x0-0xfff", RSP_EFF_MEM_READ, false },
		{ "deny mem.read range 0x0-0xfff\ndeny mem.read\nallow mem.read", RSP_EFF_MEM_READ, false },
		{ "allow mem.read range 0x0-0xfff", RSP_EFF_MEM_READ, true },
		{ "allow mem.read range 0x0-0xfff\ndeny mem.read", RSP_EFF_MEM_READ, true },
		{ "deny mem.read\nallow mem.read range 0x0-0xfff", RSP_EFF_MEM_READ, false },
		{ "allow monitor match 'help'", RSP_EFF_MONITOR, true },
		{ "deny monitor match 'quit'\nallow monitor", RSP_EFF_MONITOR, true },
		{ "deny monitor match 'quit'", RSP_EFF_MONITOR, false },
		{ "deny monitor\nallow monitor match 'help'", RSP_EFF_MONITOR, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		rules(v[i].rules);
		if (policy_grants(&p, (enum rsp_effect)v[i].effect) != v[i].may)
			fail_msg("%s: grants %x is not %d", v[i].rules, v[i].effect, v[i].may);
	}
}

static void readable(void **state)
{
	static const struct {
		const char *rules;
		uint64_t addr, len, may;
	} v[] = {
		{ "", 0x1000, 64, 0 },
		{ "allow mem.read", 0x1000, 64, 64 },
		{ "allow mem.read", 0x1000, 0, 0 },
		{ "allow mem.read", 0, TOP, TOP },
		{ "allow mem.write", 0x1000, 64, 0 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x1000, 64, 32 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x1000, 32, 32 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x1000, 33, 32 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x101f, TOP, 1 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x1020, 1, 0 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x10ff, 1, 0 },
		{ "deny mem.read range 0x1020-0x10ff\nallow mem.read", 0x1100, 64, 64 },
		{ "deny mem.write range 0x1020-0x10ff\nallow mem.read", 0x1000, 64, 64 },
		{ "allow mem.read range 0x1000-0x1fff", 0x1ff0, 64, 16 },
		{ "allow mem.read range 0x1000-0x1fff", 0xfff, 64, 0 },
		{ "allow mem.read range 0x1000-0x1fff", 0x1000, TOP, 0x1000 },
		{ "allow mem.read range 0x1000-0x1fff 0x2000-0x2fff", 0x1ff0, 64, 16 },
		{ "allow mem.read range 0x1800-0x1fff\nallow mem.read range 0x1000-0x2fff", 0x1ff0, 64, 64 },
		{ "deny mem.read range 0x1810-0x181f\nallow mem.read range 0x1000-0x1fff", 0x1800, 64, 16 },
		{ "allow mem.read range 0xfffffffffffff000-0xffffffffffffffff", 0xfffffffffffffff0, 64, 16 },
		{ "deny mem.read range 0x10-0x1f\nallow mem.read", 0xfffffffffffffff0, 64, 16 },
		{ "deny mem.read range 0x0-0xffffffffffffffff\nallow mem.read", 0x1000, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		rules(v[i].rules);
		if (policy_readable(&p, v[i].addr, v[i].len) != v[i].may)
			fail_msg("%s: row %zu", v[i].rules, i);
	}
}

/* The same by brute force: an access is a set of bytes, a rule is asked byte by byte. */
static uint64_t seed;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

static bool byte_in(const struct policy_range *r, uint64_t at)
{
	return at >= r->first && at <= r->last;
}

static bool slow_range(const struct policy_range *r, enum verdict verdict, uint64_t addr, uint64_t len)
{
	bool some = false, all = true, wraps = false;

	len = len ? len : 1;
	for (uint64_t i = 0; i < len; i++) {
		some |= byte_in(r, addr + i);
		all &= byte_in(r, addr + i);
		wraps |= addr + i < addr;
	}
	return verdict == VERDICT_DENY ? some || wraps : all && !wraps;
}

static struct judgement slow_judge(unsigned effect, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < p.count; i++) {
		const struct policy_rule *rule = &p.rules[i];
		bool fits = !rule->ranges_n;

		if (!(rule->effects & effect))
			continue;
		for (size_t k = 0; k < rule->ranges_n; k++)
			fits |= slow_range(&rule->ranges[k], rule->verdict, addr, len);
		if (fits)
			return (struct judgement){ rule->verdict, (enum rsp_effect)effect, (int)i + 1 };
	}
	return (struct judgement){ VERDICT_DENY, (enum rsp_effect)effect, 0 };
}

/* Where the little memory of 32 bytes lies: its first byte. */
static void random_rules(uint64_t base)
{
	static const char *const effects[] = { "mem.read", "mem.write", "mem.read mem.write", "all", "run" };
	char text[4 * POLICY_TEXT] = "";
	size_t at = 0;

	for (unsigned i = dice(6); i > 0; i--) {
		at += (size_t)snprintf(text + at, sizeof text - at, "%s %s", dice(2) ? "allow" : "deny", effects[dice(4)]);
		for (unsigned k = dice(4), n = k; k > 0; k--) {
			unsigned first = dice(32), last = first + dice(32 - first);

			at += (size_t)snprintf(text + at, sizeof text - at, "%s 0x%llx-0x%llx", k == n ? " range" : "",
					       (unsigned long long)(base + first), (unsigned long long)(base + last));
		}
		at += (size_t)snprintf(text + at, sizeof text - at, "\n");
	}
	rules(text);
}

static void compare(uint64_t addr, uint64_t len)
{
	struct judgement slow = slow_judge(RSP_EFF_MEM_READ, addr, len);
	uint64_t may = 0;

	placed(RSP_EFF_MEM_READ, addr, len);
	expect(slow.verdict, slow.effect, slow.rule);
	for (uint64_t n = 1; n <= len; n++)
		if (slow_judge(RSP_EFF_MEM_READ, addr, n).verdict == VERDICT_ALLOW)
			may = n;
	assert_int_equal(policy_readable(&p, addr, len), may);
	for (uint64_t n = 1; n <= len; n++)
		assert_int_equal(slow_judge(RSP_EFF_MEM_READ, addr, n).verdict, n <= may ? VERDICT_ALLOW : VERDICT_DENY);
}

static void judgement_is_that_of_brute_force(void **state)
{
	static const uint64_t bases[] = { 0, 0x7ffffffffffffff0, TOP - 31 };

	(void)state;
	seed = 0x9e3779b97f4a7c15;
	for (unsigned turn = 0; turn < 1200; turn++) {
		uint64_t base = bases[turn % COUNT(bases)];

		random_rules(base);
		for (unsigned i = 0; i < 24; i++)
			compare(base + dice(36) - 2, dice(24));
	}
}

static void built_in_policies(void **state)
{
	enum { HOST = RSP_EFF_FILE | RSP_EFF_OPAQUE };
	enum { DEBUG = RSP_EFF_ALL & ~(HOST | RSP_EFF_PROCESS | RSP_EFF_FLASH | RSP_EFF_CONFIG | RSP_EFF_MONITOR | RSP_EFF_TRACE) };
	static const struct {
		const char *name;
		unsigned effects;
	} v[] = {
		{ "full", RSP_EFF_ALL & ~HOST },
		{ "debug", DEBUG },
		{ "observe", RSP_EFF_QUERY | RSP_EFF_MEM_READ | RSP_EFF_REG_READ },
		{ "none", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		const struct policy *built = policy_builtin(v[i].name);

		assert_non_null(built);
		assert_string_equal(built->name, v[i].name);
		for (unsigned k = 0; k < RSP_EFFECTS; k++) {
			bool may = v[i].effects & 1u << k;

			placed(1u << k, 0x1000, 4);
			assert_int_equal(policy_judge(built, &cmd).verdict, may ? VERDICT_ALLOW : VERDICT_DENY);
			plain(1u << k);
			assert_int_equal(policy_judge(built, &cmd).verdict, may ? VERDICT_ALLOW : VERDICT_DENY);
			assert_int_equal(policy_grants(built, (enum rsp_effect)(1u << k)), may);
		}
	}
	breakpoint(0, 0x1000, 1);
	assert_int_equal(policy_judge(policy_builtin("debug"), &cmd).verdict, VERDICT_ALLOW);
	assert_int_equal(policy_judge(policy_builtin("observe"), &cmd).verdict, VERDICT_DENY);
	assert_int_equal(policy_readable(policy_builtin("observe"), 0x1000, 64), 64);
	assert_int_equal(policy_readable(policy_builtin("none"), 0x1000, 64), 0);
}

#define SECRET "deny mem.read mem.write flash range 0x1000-0x1fff\n"

/* From the packet to the verdict: what the parser fills in is what is judged. */
static void packets_are_judged_as_they_were_parsed(void **state)
{
	static const struct {
		const char *rules, *packet;
		enum verdict verdict;
		unsigned effect;
		int rule;
	} v[] = {
		{ SECRET "allow all", "mfff,1", VERDICT_ALLOW, RSP_EFF_MEM_READ, 2 },
		{ SECRET "allow all", "mfff,2", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "m1fff,0", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "m2000,40", VERDICT_ALLOW, RSP_EFF_MEM_READ, 2 },
		{ SECRET "allow all", "xfff,2", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "x1000,0", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "Mfff,1:00", VERDICT_ALLOW, RSP_EFF_MEM_WRITE, 2 },
		{ SECRET "allow all", "Mfff,2:0000", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "Xfff,2:ab", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "X1000,0:", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 }, /* gdb's probe, before it writes there */
		{ SECRET "allow all", "Xfff,0:", VERDICT_ALLOW, RSP_EFF_MEM_WRITE, 2 },
		{ SECRET "allow all", "qCRC:0,ffffffff", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "qSearch:memory:0;1000;abc", VERDICT_ALLOW, RSP_EFF_MEM_READ, 2 },
		{ SECRET "allow all", "qSearch:memory:0;1001;abc", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "qMemTags:ff0,20:1", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "QMemTags:ff0,20:1:0102", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "qIsAddressTagged:1000", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "qGetTLSAddr:1,2000,2000", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "qGetTIBAddr:1", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "jThreadsInfo", VERDICT_ALLOW, RSP_EFF_QUERY, 2 },
		{ SECRET "allow all", "qThreadStopInfo1", VERDICT_ALLOW, RSP_EFF_QUERY, 2 },
		{ SECRET "allow all", "qXfer:auxv:read::0,100", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "_M1000,rw", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "_m1800", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "MultiMemRead:ranges:0,4,2000,4;", VERDICT_ALLOW, RSP_EFF_MEM_READ, 2 },
		{ SECRET "allow all", "MultiMemRead:ranges:0,4,1ffc,4,3000,4;", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "vFlashErase:0,1000", VERDICT_ALLOW, RSP_EFF_FLASH, 2 },
		{ SECRET "allow all", "vFlashErase:0,2000", VERDICT_DENY, RSP_EFF_FLASH, 1 },
		{ SECRET "allow all", "vFlashWrite:ff0:0123456789abcdef", VERDICT_ALLOW, RSP_EFF_FLASH, 2 },
		{ SECRET "allow all", "vFlashWrite:ff1:0123456789abcdef", VERDICT_DENY, RSP_EFF_FLASH, 1 },
		{ SECRET "allow all", "vFlashDone", VERDICT_ALLOW, RSP_EFF_FLASH, 2 },
		{ SECRET "allow all", "Z0,fff,1", VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
		{ SECRET "allow all", "Z0,fff,2", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "z0,fff,2", VERDICT_DENY, RSP_EFF_MEM_WRITE, 1 },
		{ SECRET "allow all", "Z1,1000,1", VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
		{ SECRET "allow all", "Z2,ff9,8", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "z4,1ff8,8", VERDICT_DENY, RSP_EFF_MEM_READ, 1 },
		{ SECRET "allow all", "Z3,2000,8", VERDICT_ALLOW, RSP_EFF_BREAK, 2 },
		{ SECRET "allow all", "g", VERDICT_ALLOW, RSP_EFF_REG_READ, 2 },
		{ SECRET "allow all", "no such packet", VERDICT_ALLOW, RSP_EFF_OPAQUE, 2 },
		{ "allow run", "vCont;c", VERDICT_ALLOW, RSP_EFF_RUN, 1 },
		{ "allow run", "vCont;s:1;c", VERDICT_ALLOW, RSP_EFF_RUN, 1 },
		{ "allow run", "vCont;s:1;C05:2;c", VERDICT_DENY, RSP_EFF_SIGNAL, 0 },
		{ "allow run", "c", VERDICT_ALLOW, RSP_EFF_RUN, 1 },
		{ "allow run", "c1000", VERDICT_DENY, RSP_EFF_REG_WRITE, 0 },
		{ "allow run signal", "S05;1000", VERDICT_DENY, RSP_EFF_REG_WRITE, 0 },
		{ "allow run signal reg.write range 0x1000-0x1fff", "S05;1000", VERDICT_ALLOW, RSP_EFF_SIGNAL, 1 },
		{ "allow run signal reg.write range 0x1000-0x1fff", "c2000", VERDICT_DENY, RSP_EFF_REG_WRITE, 0 },
		{ "allow run signal reg.write range 0x1000-0x1fff", "c", VERDICT_DENY, RSP_EFF_RUN, 0 },
		{ "allow signal", "C05", VERDICT_DENY, RSP_EFF_RUN, 0 },
		{ "allow query", "g", VERDICT_DENY, RSP_EFF_REG_READ, 0 },
		{ "allow query reg.read", "G00", VERDICT_DENY, RSP_EFF_REG_WRITE, 0 },
		{ "allow query", "vRun;", VERDICT_DENY, RSP_EFF_PROCESS, 0 },
		{ "allow query", "vFile:open:61,0,0", VERDICT_DENY, RSP_EFF_FILE, 0 },
		{ "allow trace", "QTSave:61", VERDICT_DENY, RSP_EFF_FILE, 0 },
		{ "allow query", "Qqemu.PhyMemMode:1", VERDICT_DENY, RSP_EFF_CONFIG, 0 },
		{ "allow monitor match 'help *'", "qRcmd,68656c70206d65", VERDICT_ALLOW, RSP_EFF_MONITOR, 1 },
		{ "allow monitor match 'help *'", "qRcmd,68656c70", VERDICT_DENY, RSP_EFF_MONITOR, 0 },
		{ "allow monitor match 'help *'", "qRcmd,", VERDICT_DENY, RSP_EFF_MONITOR, 0 },
		{ "allow monitor", "qRcmd,", VERDICT_ALLOW, RSP_EFF_MONITOR, 1 },
		{ "allow query mem.read mem.write reg.read reg.write break run signal process monitor file flash config trace console",
		  "qCxyz", VERDICT_DENY, RSP_EFF_OPAQUE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		struct judgement j;
		size_t n = strlen(v[i].packet);

		rules(v[i].rules);
		assert_int_equal(rsp_cmd_parse(guard_copy(v[i].packet, n), n, &cmd), 0);
		j = policy_judge(&p, &cmd);
		if (j.verdict != v[i].verdict || (unsigned)j.effect != v[i].effect || j.rule != v[i].rule)
			fail_msg("%s by %s: verdict %d effect %x rule %d", v[i].packet, v[i].rules, j.verdict, j.effect, j.rule);
	}
}

static void packets_that_do_not_parse_are_opaque(void **state)
{
	static const char *const packets[] = { "m1000", "mfffffffffffffff0,20", "M1000,4:00", "Z0,1000", "vCont;x", "qRcmd,6", "qRcmd,0a" };

	(void)state;
	rules("allow query mem.read mem.write reg.read reg.write break run signal process monitor file flash config trace console");
	for (size_t i = 0; i < COUNT(packets); i++) {
		size_t n = strlen(packets[i]);

		assert_true(rsp_cmd_parse(guard_copy(packets[i], n), n, &cmd) < 0);
		expect(VERDICT_DENY, RSP_EFF_OPAQUE, 0);
	}
}

/* Every row of the command table, of which nothing is known but its effects: one denied effect is enough. */
static void no_packet_slips_through(void **state)
{
	const struct rsp_spec *spec;

	(void)state;
	for (size_t i = 0; (spec = rsp_spec_at(i)); i++) {
		for (unsigned k = 0; k < RSP_EFFECTS; k++) {
			char text[64];

			rsp_cmd_make(&cmd, spec->name);
			snprintf(text, sizeof text, "deny %s\nallow all", rsp_effect_name((enum rsp_effect)(1u << k)));
			rules(text);
			if ((policy_judge(&p, &cmd).verdict == VERDICT_DENY) != !!(spec->effects & 1u << k))
				fail_msg("%s: %s", spec->name, text);
		}
		rules("");
		assert_int_equal(policy_judge(&p, &cmd).verdict, VERDICT_DENY);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rule_denies_everything),
		cmocka_unit_test(each_effect_is_its_own),
		cmocka_unit_test(every_effect_must_be_allowed),
		cmocka_unit_test(first_match_decides),
		cmocka_unit_test(the_judgement_says_what_decided),
		cmocka_unit_test(nothing_known_is_opaque),
		cmocka_unit_test(ranges_have_edges),
		cmocka_unit_test(ranges_at_the_ends_of_memory),
		cmocka_unit_test(ranges_are_not_joined),
		cmocka_unit_test(order_of_ranges),
		cmocka_unit_test(commands_without_an_address),
		cmocka_unit_test(every_range_of_a_list_is_judged),
		cmocka_unit_test(monitor_text_is_matched_whole),
		cmocka_unit_test(monitor_text_is_plain),
		cmocka_unit_test(monitor_text_has_a_ceiling),
		cmocka_unit_test(monitor_effect_without_text),
		cmocka_unit_test(breakpoints_are_judged_by_what_they_touch),
		cmocka_unit_test(grants),
		cmocka_unit_test(readable),
		cmocka_unit_test(judgement_is_that_of_brute_force),
		cmocka_unit_test(built_in_policies),
		cmocka_unit_test(packets_are_judged_as_they_were_parsed),
		cmocka_unit_test(packets_that_do_not_parse_are_opaque),
		cmocka_unit_test(no_packet_slips_through),
	};
	int failed = cmocka_run_group_tests_name("policy", tests, NULL, NULL);

	policy_fini(&p);
	return failed;
}
