/* learn_test.c - a session's policy allows the session again, and of everything else nothing. */
#include "filters/learn.h"
#include "tests/filters/learn_model.h"
#include "tests/rsp/cmd_vectors.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TOP UINT64_MAX

static struct learn *l;
static struct policy p;
static struct model model;
static struct rsp_cmd cmd;
static struct buf out;

static int start(void **state)
{
	(void)state;
	l = learn_new();
	memset(&model, 0, sizeof model);
	return l && buf_init(&out, LEARN_SECTION) == 0 && policy_init(&p, "learned") == 0 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	learn_destroy(l);
	policy_fini(&p);
	buf_fini(&out);
	return 0;
}

static void note(const struct rsp_cmd *c)
{
	learn_note(l, c);
	model_note(&model, c);
}

/* policy_add takes each rule, and all together. */
static void build(void)
{
	char why[256], text[POLICY_TEXT];

	policy_fini(&p);
	assert_int_equal(policy_init(&p, "learned"), 0);
	for (size_t i = 0;; i++) {
		buf_reset(&out, 0);
		if (!learn_rule(l, i, &out))
			break;
		assert_true(out.len < sizeof text);
		memcpy(text, buf_data(&out), out.len);
		text[out.len] = 0;
		if (policy_add(&p, text, why, sizeof why))
			fail_msg("rule %zu, %s: %s", i + 1, text, why);
	}
}

/* As lines. */
static const char *rules(void)
{
	static char text[POLICY_RULES * POLICY_TEXT];
	size_t n = 0;

	build();
	for (size_t i = 0; i < p.count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "\n" : "", p.rules[i].text);
	text[n] = 0;
	return text;
}

static const char *section(void)
{
	buf_reset(&out, 0);
	assert_int_equal(learn_put(l, "learned", &out), 0);
	assert_int_equal(buf_put_u8(&out, 0), 0);
	return (const char *)buf_data(&out);
}

static bool allows(const struct rsp_cmd *c)
{
	return policy_judge(&p, c).verdict == VERDICT_ALLOW;
}

static void agree(const struct rsp_cmd *c)
{
	char line[200];

	if (allows(c) != model_allows(&model, c))
		fail_msg("%s: %s; the rules are\n%s", rsp_cmd_show(c, line, sizeof line), allows(c) ? "allowed" : "denied", rules());
}

static struct rsp_cmd *parsed(const char *packet, size_t n)
{
	static uint8_t bodies[MODEL_COMMANDS][512];
	static size_t next;
	uint8_t *body = bodies[next++ % MODEL_COMMANDS];

	assert_true(n <= sizeof bodies[0]);
	memcpy(body, packet, n);
	assert_int_equal(rsp_cmd_parse(body, n, &cmd), 0);
	return &cmd;
}

static struct rsp_cmd *packet(const char *text)
{
	return parsed(text, strlen(text));
}

static struct rsp_cmd *made(const char *name, uint64_t addr, uint64_t len)
{
	rsp_cmd_make(&cmd, name);
	cmd.has_addr = cmd.has_len = true;
	cmd.addr = addr;
	cmd.len = len;
	return &cmd;
}

static struct rsp_cmd *monitor(const void *text, size_t n)
{
	rsp_cmd_make(&cmd, "qRcmd,");
	cmd.data = (struct span){ text, n };
	return &cmd;
}

static void nothing_was_used(void **state)
{
	(void)state;
	assert_true(learn_empty(l));
	assert_string_equal(rules(), "");
	assert_string_equal(section(), "# nothing was used, so nothing is allowed\npolicy: {\n\tlearned: {\n\t\trules = [\n\t\t]\n\t}\n}\n");
}

/* Notes packets, separated by blanks. */
static void session(const char *packets)
{
	while (*packets) {
		size_t n = strcspn(packets, " ");

		note(parsed(packets, n));
		packets += n + (packets[n] == ' ');
	}
}

static const struct {
	const char *packets, *rules;
} vectors[] = {
	{ "qSupported", "allow query" },
	{ "qSupported:swbreak+ g vCont?", "allow query reg.read" },
	{ "m1000,40", "allow mem.read range 0x1000-0x103f" },
	{ "m1000,40 m1000,40 m1010,8", "allow mem.read range 0x1000-0x103f" },
	{ "m1000,40 m1040,40", "allow mem.read range 0x1000-0x107f" },
	{ "m1040,40 m1000,40", "allow mem.read range 0x1000-0x107f" },
	{ "m1000,40 m1041,40", "allow mem.read range 0x1000-0x103f 0x1041-0x1080" },
	{ "m1000,10 m1020,10 m1008,20", "allow mem.read range 0x1000-0x102f" },
	{ "m1000,10 m1020,10 m1010,10", "allow mem.read range 0x1000-0x102f" },
	{ "m1000,0", "allow mem.read range 0x1000-0x1000" },
	{ "m0,1", "allow mem.read range 0x0-0x0" },
	{ "mfffffffffffffff8,7", "allow mem.read range 0xfffffffffffffff8-0xfffffffffffffffe" },
	{ "m0,1 mfffffffffffffff8,7", "allow mem.read range 0x0-0x0 0xfffffffffffffff8-0xfffffffffffffffe" },
	{ "x1000,40 m1020,8", "allow mem.read range 0x1000-0x103f" },
	{ "M1000,2:0000", "allow mem.write range 0x1000-0x1001" },
	{ "X1000,0:", "allow mem.write range 0x1000-0x1000" },
	{ "Z0,1000,1", "allow break range 0x1000-0x1000" },
	{ "Z0,1000,4 z0,1000,4", "allow break range 0x1000-0x1003" },
	{ "Z2,1000,8 m1000,8", "allow mem.read range 0x1000-0x1007\nallow break range 0x1000-0x1007" },
	{ "c", "allow run" },
	{ "c1000", "allow reg.write range 0x1000-0x1000\nallow run range 0x1000-0x1000" },
	{ "c1000 c", "allow run\nallow reg.write range 0x1000-0x1000" },
	{ "P1=00000000 c1000", "allow reg.write\nallow run range 0x1000-0x1000" },
	{ "C05", "allow run signal" },
	{ "vCont;C05:1;c", "allow run signal" },
	{ "m1000,40 qXfer:auxv:read::0,10", "allow mem.read" },
	{ "qXfer:auxv:read::0,10 m1000,40", "allow mem.read" },
	{ "vFlashErase:1000,100 vFlashWrite:1100:abc", "allow flash range 0x1000-0x1102" },
	{ "vFlashErase:1000,100 vFlashDone", "allow flash" },
	{ "MultiMemRead:ranges:1000,4,2000,8;", "allow mem.read range 0x1000-0x1003 0x2000-0x2007" },
	{ "qMemoryRegionInfo:1000", "allow query range 0x1000-0x1000" },
	{ "qRcmd,68656c70", "allow monitor match 'help'" },
	{ "qRcmd,68656c70 qRcmd,68656c70 qRcmd,61", "allow monitor match 'a' 'help'" },
	{ "qRcmd,", "allow monitor match '*'" },
	{ "qRcmd,61 qRcmd, qRcmd,62", "allow monitor match '*'" },
	{ "whatever", "allow opaque" },
	{ "k", "allow process" },
	{ "vFile:open:2f,0,0", "allow file" },
};

static void sessions_and_their_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		learn_destroy(l);
		l = learn_new();
		session(vectors[i].packets);
		if (strcmp(rules(), vectors[i].rules))
			fail_msg("%s:\n%s\nexpected\n%s", vectors[i].packets, rules(), vectors[i].rules);
	}
}

static void it_says_where_it_is_wider(void **state)
{
	(void)state;
	session("qSupported m1000,40 Z0,2000,1");
	assert_null(strchr(section(), '#'));
	session("qXfer:auxv:read::0,10 X3000,0:");
	assert_non_null(strstr(section(), "# wider than what was used: mem.read at every address, because of qXfer:auxv:read:, which no range is about\n"));
	assert_non_null(strstr(section(), "# an access of no bytes counts as one of the byte at its address: mem.write\n"));
	assert_null(strstr(section(), "monitor"));
	session("qRcmd,");
	assert_non_null(strstr(section(), "# wider than what was used: every monitor command, because one without text was given\n"));
}

static void effects_without_a_command(void **state)
{
	(void)state;
	learn_use(l, RSP_EFF_RUN | RSP_EFF_REG_READ);
	assert_false(learn_empty(l));
	assert_string_equal(rules(), "allow reg.read run");
	session("c1000");
	assert_string_equal(rules(), "allow reg.read run\nallow reg.write range 0x1000-0x1000");
}

/* What was followed was no run. */
static void a_follow_is_a_query(void **state)
{
	(void)state;
	rsp_cmd_make(&cmd, "c");
	cmd.op = RSP_OP_FOLLOW;
	cmd.effects = RSP_EFF_QUERY;
	note(&cmd);
	assert_string_equal(rules(), "allow query");
}

static void what_wraps_is_allowed_everywhere(void **state)
{
	(void)state;
	note(made("m", TOP, 2));
	assert_string_equal(rules(), "allow mem.read");
	agree(made("m", TOP, 2));
}

static void nothing_known_is_opaque(void **state)
{
	(void)state;
	memset(&cmd, 0, sizeof cmd);
	learn_note(l, &cmd);
	assert_string_equal(rules(), "allow opaque");
	assert_true(allows(&cmd));
}

/* Each alone: it again is allowed, and of all others just those that the model allows. */
static void every_vector_and_every_other(void **state)
{
	unsigned allowed = 0, denied = 0;

	(void)state;
	for (size_t i = 0; i < CMD_GOOD; i++) {
		learn_destroy(l);
		l = learn_new();
		memset(&model, 0, sizeof model);
		if (cmd_good[i].n > 512)
			continue;
		note(parsed(cmd_good[i].in, cmd_good[i].n));
		build();
		assert_true(allows(parsed(cmd_good[i].in, cmd_good[i].n)));
		for (size_t k = 0; k < CMD_GOOD; k++) {
			if (cmd_good[k].n > 512)
				continue;
			agree(parsed(cmd_good[k].in, cmd_good[k].n));
			*(allows(&cmd) ? &allowed : &denied) += 1;
		}
	}
	assert_true(allowed > CMD_GOOD && denied > 10 * CMD_GOOD);
}

static const char *const placed[] = { "m", "x", "M", "X", "Z0,", "z0,", "Z1,", "Z2,", "Z3,", "vFlashErase:", "qCRC:", "MultiMemRead:ranges:" };

static uint64_t some(uint64_t below)
{
	return (uint64_t)rand() % below;
}

static uint64_t address(void)
{
	static const uint64_t near[] = { 0, 0x1000, 0x7ffffffff000, 0xffffffff81000000, TOP - 0x200 };

	return near[some(COUNT(near))] + some(0x200);
}

static struct rsp_cmd *any_placed(void)
{
	const char *name = placed[some(COUNT(placed))];

	made(name, address(), some(20));
	if (*name != 'M' || name[1] != 'u')
		return &cmd;
	cmd.has_addr = cmd.has_len = false;
	cmd.ranges_n = 1 + some(4);
	for (size_t i = 0; i < cmd.ranges_n; i++)
		cmd.ranges[i] = (struct rsp_range){ address(), some(20) };
	return &cmd;
}

/* The access, and one byte to each side of it. */
static void around(const struct rsp_cmd *c)
{
	static struct rsp_cmd near;

	for (int from = -1; from <= 1; from++) {
		for (int more = -1; more <= 1; more++) {
			near = *c;
			near.addr += (uint64_t)(int64_t)from;
			near.len += (uint64_t)(int64_t)more;
			for (size_t i = 0; i < near.ranges_n; i++)
				near.ranges[i].addr += (uint64_t)(int64_t)from;
			if (c->len || more >= 0)
				agree(&near);
		}
	}
}

static void random_sessions(void **state)
{
	static struct rsp_cmd noted[200];

	(void)state;
	srand(3);
	for (unsigned round = 0; round < 300; round++) {
		size_t n = 1 + some(round < 200 ? 12 : COUNT(noted));

		learn_destroy(l);
		l = learn_new();
		memset(&model, 0, sizeof model);
		for (size_t i = 0; i < n; i++) {
			noted[i] = *any_placed();
			note(&noted[i]);
		}
		build();
		for (size_t i = 0; i < n; i++) {
			assert_true(allows(&noted[i]));
			around(&noted[i]);
		}
		for (size_t i = 0; i < 40; i++)
			agree(any_placed());
	}
}

/* Characters that mean something to a pattern, to a rule, or to the file. */
static const char *const texts[] = {
	"help", "Help", "help ", " help", "help*", "help?", "[a-z]", "a", "z", "[", "]", "[!a]", "b", "[]", "\\", "\\\\", "\\*", "*", "**", "?", "a\\", "a\\\\",
	"'", "''", "it's", "it\"s", "it`s", "it(s", "it&s", "\"", "\" ]", "# no", "' 'b", "allow all", "~", "!", "a-b", "{a,b}", "$(x)", "/etc/.x", ".x", "@include",
	"[[:alpha:]]", "+(a)", "\\x41", "%s",
};

static void texts_match_only_themselves(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		learn_destroy(l);
		l = learn_new();
		memset(&model, 0, sizeof model);
		note(monitor(texts[i], strlen(texts[i])));
		build();
		for (size_t k = 0; k < COUNT(texts); k++) {
			agree(monitor(texts[k], strlen(texts[k])));
			assert_int_equal(allows(&cmd), i == k);
		}
		for (int c = 0; c < 256; c++) {
			char other[64];

			snprintf(other, sizeof other, "%s", texts[i]);
			for (size_t at = 0; texts[i][at]; at++) {
				other[at] = (char)c;
				monitor(other, strlen(texts[i]));
				assert_int_equal(allows(&cmd), (char)c == texts[i][at]);
				other[at] = texts[i][at];
			}
		}
	}
}

static void all_texts_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i += 2)
		note(monitor(texts[i], strlen(texts[i])));
	build();
	for (size_t i = 0; i < COUNT(texts); i++) {
		agree(monitor(texts[i], strlen(texts[i])));
		assert_int_equal(allows(&cmd), i % 2 == 0);
	}
	assert_null(strchr(rules(), '\n') ? NULL : "one rule only");
}

/* What no policy allows adds nothing, least of all a line to a file. */
static void text_that_is_not_plain_is_not_learned(void **state)
{
	static const char bad[][8] = { "a\nb", "\x1b[2J", "a\x7f", "\xc3\xa9", "a\rb" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		note(monitor(bad[i], strlen(bad[i])));
	note(monitor("a\0b", 3));
	assert_true(learn_empty(l));
	assert_string_equal(rules(), "");
}

/* As long as a rule can be; longer; and much longer by what must be escaped. */
static void long_texts(void **state)
{
	static const struct {
		char c;
		size_t n;
		bool exact;
	} v[] = { { 'a', 232, true }, { 'a', 233, true }, { 'a', 234, false }, { 'a', 16384, false }, { '*', 116, true }, { '*', 117, false },
		  { '\'', 25, true }, { '\'', 26, false }, { '\\', 5000, false } };
	static char text[16400];

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		learn_destroy(l);
		l = learn_new();
		memset(text, v[i].c, sizeof text);
		learn_note(l, monitor(text, v[i].n));
		build();
		assert_true(allows(monitor(text, v[i].n)));
		assert_int_equal(allows(monitor(text, v[i].n < 16384 ? v[i].n + 1 : 16383)), !v[i].exact);
		assert_false(allows(monitor(text, 10)));
		assert_int_equal(strstr(section(), "too long for a rule") != NULL, !v[i].exact);
		text[5] = 'x';
		assert_false(allows(monitor(text, v[i].n)));
	}
}

/* Behind a beginning there is no second command. */
static void a_long_text_of_two_commands(void **state)
{
	static const char *const begins[] = { "; reset", "[reset]", " reset" };
	char text[600];

	(void)state;
	for (size_t i = 0; i < COUNT(begins); i++) {
		learn_destroy(l);
		l = learn_new();
		memset(text, 'a', sizeof text);
		learn_note(l, monitor(text, 500));
		snprintf(text + 500, sizeof text - 500, "%s", begins[i]);
		learn_note(l, monitor(text, strlen(text)));
		build();
		assert_true(allows(monitor(text, 500)));
		assert_int_equal(allows(monitor(text, strlen(text))), i == 2);
		assert_int_equal(strstr(section(), "narrower than what was used") != NULL, i != 2);
	}
}

static void too_many_texts(void **state)
{
	char text[256];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof text, "%s %04d", i % 3 ? "show register" : "set something rather long, with words in it", i);
		learn_note(l, monitor(text, strlen(text)));
	}
	build();
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof text, "%s %04d", i % 3 ? "show register" : "set something rather long, with words in it", i);
		assert_true(allows(monitor(text, strlen(text))));
	}
	assert_false(allows(monitor("show", 4)));
	assert_false(allows(monitor("set x", 5)));
	assert_true(p.count <= LEARN_MONITOR_RULES);
	assert_non_null(strstr(section(), "were joined, there were too many"));
}

static void many_long_texts(void **state)
{
	char text[230];

	(void)state;
	for (int i = 0; i < 250; i++) {
		memset(text, 'a' + i % 20, sizeof text);
		text[220] = (char)('a' + i / 20);
		learn_note(l, monitor(text, sizeof text));
	}
	build();
	assert_true(p.count <= LEARN_MONITOR_RULES && p.count > LEARN_MONITOR_RULES / 2);
	for (int i = 0; i < 250; i++) {
		memset(text, 'a' + i % 20, sizeof text);
		text[220] = (char)('a' + i / 20);
		assert_true(allows(monitor(text, sizeof text)));
	}
	assert_false(allows(monitor("a", 1)));
}

/* Of every effect at once, at addresses that need all their digits. */
static void too_many_ranges(void **state)
{
	static const char *const names[] = { "m", "M", "Z0,", "vFlashErase:", "qMemoryRegionInfo" };
	enum { EACH = 900 };

	(void)state;
	for (size_t i = 0; i < EACH; i++)
		for (size_t k = 0; k < COUNT(names); k++)
			learn_note(l, made(names[k], 0xffff000000000000 + i * i * 0x100 + k, 4));
	for (size_t i = 0; i < 200; i++) {
		char text[120];

		snprintf(text, sizeof text, "%03zu %0100d", i, 0);
		learn_note(l, monitor(text, strlen(text)));
	}
	learn_note(l, packet("c"));
	build();
	for (size_t i = 0; i < EACH; i++)
		for (size_t k = 0; k < COUNT(names); k++)
			assert_true(allows(made(names[k], 0xffff000000000000 + i * i * 0x100 + k, 4)));
	assert_true(p.count > 150 && p.count <= POLICY_RULES);
	for (size_t k = 0; k < COUNT(names); k++) {
		assert_false(allows(made(names[k], 0xffff000000000000 + k - 1, 1)));
		assert_false(allows(made(names[k], 0xffff000000000000 + (uint64_t)(EACH - 1) * (EACH - 1) * 0x100 + k, 5)));
		assert_false(allows(made(names[k], 0xffff000000000000 + (uint64_t)(EACH - 1) * (EACH - 1) * 0x100 - 0x1000, 1)));
	}
	assert_non_null(strstr(section(), "# wider than what was used: ranges of query, mem.read, mem.write, break, flash were joined"));
}

/* The smallest gap is the one that is given up. */
static void ranges_are_joined_over_the_smallest_gap(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < LEARN_RANGES; i++)
		learn_note(l, made("m", 0x1000 * i, 0x10));
	build();
	assert_false(allows(made("m", 0x10, 1)));
	assert_null(strchr(section(), '#'));
	learn_note(l, made("m", 0x5018, 8));
	build();
	assert_true(allows(made("m", 0x5000, 0x20)));
	assert_false(allows(made("m", 0x5000, 0x21)));
	assert_false(allows(made("m", 0x6010, 1)));
	assert_non_null(strstr(section(), "ranges of mem.read were joined over up to 0x8 bytes"));
}

static void a_section_too_large_for_its_buffer(void **state)
{
	size_t whole;

	(void)state;
	session("qSupported m1000,40 qXfer:auxv:read::0,10 Z0,1,1 X10,0: qRcmd,615c2722");
	whole = strlen(section());
	assert_non_null(strstr(section(), "match 'a\\\\\\\\[! -&(-~]\\\"'\""));
	for (size_t n = 0; n < whole; n++) {
		uint8_t *room = malloc(n + 1);
		struct buf small = { .base = room, .cap = n };

		assert_int_equal(learn_put(l, "learned", &small), -105);
		free(room);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_was_used),
		TEST(sessions_and_their_rules),
		TEST(it_says_where_it_is_wider),
		TEST(effects_without_a_command),
		TEST(a_follow_is_a_query),
		TEST(what_wraps_is_allowed_everywhere),
		TEST(nothing_known_is_opaque),
		TEST(every_vector_and_every_other),
		TEST(random_sessions),
		TEST(texts_match_only_themselves),
		TEST(all_texts_together),
		TEST(text_that_is_not_plain_is_not_learned),
		TEST(long_texts),
		TEST(a_long_text_of_two_commands), TEST(too_many_texts),
		TEST(many_long_texts),
		TEST(too_many_ranges),
		TEST(ranges_are_joined_over_the_smallest_gap),
		TEST(a_section_too_large_for_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
