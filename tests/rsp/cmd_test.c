/* cmd_test.c - client packets: every row of the table, every way to be wrong, and back to bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rsp/cmd.h"
#include "tests/guard.h"
#include "tests/rsp/cmd_same.h"
#include "tests/rsp/cmd_vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 70000 };

static struct rsp_cmd first, second; /* too large for the stack to be tidy */
static struct buf out, again;

static int setup(void **state)
{
	(void)state;
	return buf_init(&out, ROOM) || buf_init(&again, ROOM);
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&out);
	buf_fini(&again);
	return 0;
}

/* A value that has nothing of the one before in it can not be right by chance. */
static int parse(const void *bytes, size_t n, struct rsp_cmd *cmd)
{
	memset(cmd, 0xa5, sizeof *cmd);
	return rsp_cmd_parse(guard_copy(bytes, n), n, cmd);
}

static int parse_text(const char *text)
{
	return parse(text, strlen(text), &first);
}

static struct span encoded(const struct rsp_cmd *cmd, struct buf *b)
{
	buf_reset(b, 0);
	assert_int_equal(rsp_cmd_encode(b, cmd), 0);
	return buf_span(b);
}

static void is_printable(const char *s)
{
	for (; *s; s++)
		assert_true(*s >= 0x20 && *s < 0x7f);
}

static void shows(const struct rsp_cmd *cmd)
{
	char line[64];

	for (size_t size = 1; size <= sizeof line; size++) {
		memset(line, 'z', sizeof line);
		assert_ptr_equal(rsp_cmd_show(cmd, line, size), line);
		assert_true(strlen(line) < size);
		is_printable(line);
	}
}

/* Whatever is taken has one form, which says the same. */
static void round_trips(const struct rsp_cmd *cmd)
{
	static uint8_t copy[ROOM];
	struct span canon = encoded(cmd, &out);

	shows(cmd);
	memcpy(copy, canon.p, canon.len);
	memset(&second, 0x5a, sizeof second);
	assert_int_equal(rsp_cmd_parse(copy, canon.len, &second), 0);
	if (!same_cmd(cmd, &second))
		fail_msg("%.*s: does not say the same", (int)canon.len, (const char *)canon.p);
	assert_true(same_span(canon, encoded(&second, &again)));
}

static void refused_cleanly(const struct rsp_cmd *cmd)
{
	assert_non_null(cmd->spec);
	assert_int_equal(cmd->op, RSP_OP_UNKNOWN);
	assert_int_equal(cmd->effects, RSP_EFF_OPAQUE);
	assert_int_equal(cmd->data.len + cmd->text.len + cmd->annex.len + cmd->actions_n + cmd->ranges_n, 0);
	assert_false(cmd->has_addr || cmd->has_len || cmd->has_thread);
	buf_reset(&out, 0);
	assert_int_equal(rsp_cmd_encode(&out, cmd), -EINVAL);
	assert_int_equal(out.len, 0);
}

static void unknown_cleanly(const struct rsp_cmd *cmd, size_t n)
{
	assert_null(cmd->spec);
	assert_int_equal(cmd->op, RSP_OP_UNKNOWN);
	assert_int_equal(cmd->effects, RSP_EFF_OPAQUE);
	assert_int_equal(cmd->text.len, n);
	buf_reset(&out, 0);
	assert_int_equal(rsp_cmd_encode(&out, cmd), -EINVAL);
	assert_int_equal(out.len, 0);
	shows(cmd);
}

static void sane(const void *bytes, size_t n)
{
	int rc = parse(bytes, n, &first);

	if (rc) {
		assert_int_equal(rc, -EBADMSG);
		refused_cleanly(&first);
	} else if (first.op == RSP_OP_UNKNOWN) {
		unknown_cleanly(&first, n);
	} else {
		round_trips(&first);
	}
}

/* --- the table --- */

static void rows_are_in_order_and_reachable(void **state)
{
	const struct rsp_spec *spec, *before = NULL;
	size_t i = 0;

	(void)state;
	for (; (spec = rsp_spec_at(i)); i++) {
		if (before && strcmp(before->name, spec->name) >= 0)
			fail_msg("%s is not before %s", before->name, spec->name);
		rsp_cmd_make(&first, spec->name);
		assert_ptr_equal(first.spec, spec);
		assert_int_equal(first.op, spec->op);
		before = spec;
	}
	assert_true(i > 200);
	assert_null(rsp_spec_at(i + 1));
}

static void rows_are_well_formed(void **state)
{
	const struct rsp_spec *spec;

	(void)state;
	for (size_t i = 0; (spec = rsp_spec_at(i)); i++) {
		size_t numbers = 0;

		for (const char *k = spec->schema; *k; k++) {
			assert_non_null(strchr("alrnwf1286stPThHxqbBoOuvjAR?,;:=", *k));
			numbers += strchr("rnwf1286", *k) != NULL;
			if (strchr("bBvj", *k))
				assert_int_equal(k[1], 0); /* they take all that is left */
		}
		if (spec->op == RSP_OP_BREAK_SET || spec->op == RSP_OP_BREAK_CLEAR || spec->op == RSP_OP_DETACH)
			assert_int_equal(numbers, 0); /* num[0] is what the name says */
		assert_true(numbers <= 3);
		assert_true(*spec->name && spec->effects && !(spec->effects & ~(unsigned)RSP_EFF_ALL));
		assert_true(spec->op > RSP_OP_UNKNOWN && spec->op < RSP_OPS);
		assert_int_equal(spec->stops, spec->form == RSP_FORM_STOP);
	}
}

static void every_row_has_a_vector(void **state)
{
	const struct rsp_spec *spec;

	(void)state;
	for (size_t i = 0; (spec = rsp_spec_at(i)); i++) {
		bool seen = false;

		for (size_t v = 0; !seen && v < CMD_GOOD; v++)
			seen = parse(cmd_good[v].in, cmd_good[v].n, &first) == 0 && first.spec == spec;
		if (!seen)
			fail_msg("no vector for %s", spec->name);
	}
}

static const struct rsp_spec *row(const char *name)
{
	rsp_cmd_make(&first, name);
	return first.spec;
}

static void only_these_may_be_answered_by_a_stop(void **state)
{
	static const char *const stops[] = {
		"?", "C", "S", "bc", "bs", "c", "s", "vAttach;", "vAttachName;", "vAttachOrWait;", "vAttachWait;", "vCont", "vRun;",
	};
	const struct rsp_spec *spec;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; (spec = rsp_spec_at(i)); i++)
		n += spec->stops;
	assert_int_equal(n, sizeof stops / sizeof *stops);
	for (size_t i = 0; i < n; i++)
		assert_true(row(stops[i])->stops);
}

static void a_denial_leads_to_no_detour(void **state)
{
	static const struct { const char *name; enum rsp_denial denial; } want[] = {
		{ "m", RSP_DENY_ERROR },      { "x", RSP_DENY_ERROR },      { "X", RSP_DENY_ERROR },     { "M", RSP_DENY_ERROR },
		{ "G", RSP_DENY_ERROR },      { "P", RSP_DENY_ERROR },      { "Z0,", RSP_DENY_ERROR },   { "Z1,", RSP_DENY_ERROR },
		{ "Z2,", RSP_DENY_ERROR },    { "z0,", RSP_DENY_ERROR },    { "vCont", RSP_DENY_RESUME }, { "c", RSP_DENY_RESUME },
		{ "s", RSP_DENY_RESUME },     { "C", RSP_DENY_RESUME },     { "S", RSP_DENY_RESUME },    { "bs", RSP_DENY_RESUME },
		{ "vKill;", RSP_DENY_LOCAL }, { "k", RSP_DENY_LOCAL },      { "D", RSP_DENY_LOCAL },     { "qRcmd,", RSP_DENY_MONITOR },
		{ "vFile:open:", RSP_DENY_FILE }, { "vFile:setfs:", RSP_DENY_FILE }, { "Hg", RSP_DENY_ERROR }, { "qSymbol::", RSP_DENY_EMPTY },
		{ "vRun;", RSP_DENY_ERROR },  { "vMustReplyEmpty", RSP_DENY_EMPTY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		if (row(want[i].name)->denial != want[i].denial)
			fail_msg("%s is denied otherwise", want[i].name);
}

/* An answer that the client would wait for in vain, or that it does not read, is none. */
static void forms_fit(void **state)
{
	static const struct { const char *name; enum rsp_form form; } want[] = {
		{ "m", RSP_FORM_HEX }, { "x", RSP_FORM_BINARY }, { "g", RSP_FORM_REGS }, { "p", RSP_FORM_REGS }, { "k", RSP_FORM_NONE },
		{ "R", RSP_FORM_NONE }, { "M", RSP_FORM_OK }, { "Z0,", RSP_FORM_OK }, { "qXfer:features:read:", RSP_FORM_CHUNK },
		{ "qfThreadInfo", RSP_FORM_THREADS }, { "qsThreadInfo", RSP_FORM_THREADS }, { "qRcmd,", RSP_FORM_MONITOR },
		{ "vFile:open:", RSP_FORM_FILE }, { "vCont", RSP_FORM_STOP }, { "qThreadExtraInfo,", RSP_FORM_HEX }, { "D", RSP_FORM_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		if (row(want[i].name)->form != want[i].form)
			fail_msg("%s is answered otherwise", want[i].name);
}

/* --- vectors --- */

/* Those that say the same as a part of them: no list, p1 for p1.-1, R0 for R00. */
static bool is_said_shorter(const struct cmd_good *v)
{
	return !strcmp(v->in, "qSupported:") || !strcmp(v->in, "R00") || strstr(v->in, ".-1");
}

static unsigned effects_of(const char *names)
{
	char copy[64], *save = NULL;
	unsigned all = 0;

	snprintf(copy, sizeof copy, "%s", names);
	for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		assert_int_not_equal(rsp_effect_of(span_of(name)), 0);
		all |= rsp_effect_of(span_of(name));
	}
	return all;
}

static void good_packets_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMD_GOOD; i++) {
		const struct cmd_good *v = &cmd_good[i];
		int rc = parse(v->in, v->n, &first);

		if (rc || first.op == RSP_OP_UNKNOWN)
			fail_msg("%s: not taken", v->in);
		if (first.effects != effects_of(v->effects))
			fail_msg("%s: effects %x", v->in, first.effects);
		if (!same_span(encoded(&first, &out), (struct span){ (const uint8_t *)v->out, v->out_n }))
			fail_msg("%s: became %.*s", v->in, (int)out.len, (const char *)buf_data(&out));
		round_trips(&first);
	}
}

static void a_part_is_not_the_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMD_GOOD; i++) {
		const struct cmd_good *v = &cmd_good[i];

		for (size_t n = 0; n < v->n; n++) {
			sane(v->in, n);
			if (parse(v->in, n, &first) || first.op == RSP_OP_UNKNOWN || is_said_shorter(v))
				continue;
			if (same_span(encoded(&first, &out), (struct span){ (const uint8_t *)v->out, v->out_n }))
				fail_msg("%s: %zu bytes of it are taken for it", v->in, n);
		}
	}
}

static void bad_packets_are_not_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMD_BAD; i++) {
		const struct cmd_bad *v = &cmd_bad[i];
		int rc = parse(v->in, v->n, &first);

		if (rc != (v->unknown ? 0 : -EBADMSG) || first.op != RSP_OP_UNKNOWN)
			fail_msg("%s (%s): rc %d, op %d", v->in, v->why, rc, first.op);
		if (v->unknown)
			unknown_cleanly(&first, v->n);
		else
			refused_cleanly(&first);
		for (size_t n = 0; n < v->n; n++)
			sane(v->in, n);
	}
}

/* Every packet with each byte changed, left out, or one put in. */
static void near_misses_are_sane(void **state)
{
	static const char odd[] = "\x03 #$*+,-.0:;=?Xfpt}~\x80\xff"; /* and its NUL */
	char body[256];

	(void)state;
	for (size_t i = 0; i < CMD_GOOD; i++) {
		const struct cmd_good *v = &cmd_good[i];

		for (size_t at = 0; at < v->n; at++) {
			memcpy(body, v->in, at);
			memcpy(body + at, v->in + at + 1, v->n - at - 1);
			sane(body, v->n - 1);
			for (size_t k = 0; k < sizeof odd; k++) {
				memcpy(body, v->in, v->n);
				body[at] = odd[k];
				sane(body, v->n);
				memcpy(body + at + 1, v->in + at, v->n - at);
				sane(body, v->n + 1);
			}
		}
	}
}

/* --- fields --- */

static void memory_fields(void **state)
{
	(void)state;
	assert_int_equal(parse_text("mffffffff81000000,40"), 0);
	assert_int_equal(first.op, RSP_OP_MEM_READ);
	assert_true(first.has_addr && first.has_len && first.addr == 0xffffffff81000000 && first.len == 0x40);
	assert_int_equal(parse_text("M1000,4:11a2B3fF"), 0);
	assert_int_equal(first.op, RSP_OP_MEM_WRITE);
	assert_true(same_span(first.data, (struct span){ (const uint8_t *)"\x11\xa2\xb3\xff", 4 }) && first.len == 4);
	assert_int_equal(parse_text("X1000,2:a}]"), 0);
	assert_int_equal(first.op, RSP_OP_MEM_WRITE_BIN);
	assert_true(span_is(first.data, "a}") && first.addr == 0x1000 && first.len == 2);
	assert_int_equal(parse_text("vFlashWrite:1000:abc"), 0);
	assert_true(span_is(first.data, "abc") && first.has_len && first.len == 3 && first.addr == 0x1000);
	assert_int_equal(parse_text("qSearch:memory:1000;20;ab"), 0);
	assert_true(span_is(first.data, "ab") && first.addr == 0x1000 && first.len == 0x20);
	assert_int_equal(parse_text("MultiMemRead:ranges:1000,4,2000,8;"), 0);
	assert_int_equal(first.ranges_n, 2);
	assert_true(first.ranges[1].addr == 0x2000 && first.ranges[1].len == 8 && first.ranges[0].len == 4);
}

static void register_fields(void **state)
{
	(void)state;
	assert_int_equal(parse_text("P1f=0102;thread:7;"), 0);
	assert_int_equal(first.op, RSP_OP_REG_WRITE);
	assert_true(first.num[0] == 0x1f && first.data.len == 2 && first.has_thread && first.thread.tid == 7 && first.thread.pid == 0);
	assert_int_equal(parse_text("p10"), 0);
	assert_true(first.op == RSP_OP_REG_READ && first.num[0] == 0x10 && !first.has_thread);
	assert_int_equal(parse_text("g;thread:p2.3;"), 0);
	assert_true(first.op == RSP_OP_REGS_READ && first.has_thread && first.thread.pid == 2 && first.thread.tid == 3);
}

static void break_fields(void **state)
{
	(void)state;
	assert_int_equal(parse_text("z3,1000,8"), 0);
	assert_true(first.op == RSP_OP_BREAK_CLEAR && first.num[0] == 3 && first.addr == 0x1000 && first.len == 8);
	assert_int_equal(parse_text("Z0,1000,1"), 0);
	assert_true(first.op == RSP_OP_BREAK_SET && first.num[0] == 0);
}

static void resume_fields(void **state)
{
	(void)state;
	assert_int_equal(parse_text("vCont;s:1;c;C0b:p2.-1;t:-2;r10,20:4"), 0);
	assert_true(first.op == RSP_OP_RESUME && first.actions_n == 5 && !first.has_addr);
	assert_true(first.actions[0].verb == 's' && first.actions[0].has_thread && first.actions[0].thread.tid == 1);
	assert_true(first.actions[1].verb == 'c' && !first.actions[1].has_thread);
	assert_true(first.actions[2].verb == 'C' && first.actions[2].sig == 0xb && first.actions[2].thread.pid == 2);
	assert_int_equal(first.actions[2].thread.tid, RSP_THREAD_ALL);
	assert_int_equal(first.actions[3].thread.tid, -2);
	assert_true(first.actions[4].verb == 'r' && first.actions[4].from == 0x10 && first.actions[4].to == 0x20);
	assert_int_equal(parse_text("c"), 0);
	assert_true(first.op == RSP_OP_RESUME && first.actions_n == 1 && first.actions[0].verb == 'c' && !first.has_addr);
	assert_int_equal(parse_text("S0b;1000"), 0);
	assert_true(first.actions_n == 1 && first.actions[0].verb == 'S' && first.actions[0].sig == 0xb);
	assert_true(first.has_addr && first.addr == 0x1000 && first.actions[0].from == 0x1000 && !first.actions[0].has_thread);
}

static void other_fields(void **state)
{
	(void)state;
	assert_int_equal(parse_text("Hgp1.2"), 0);
	assert_true(first.op == RSP_OP_THREAD_SELECT && first.which == 'g' && first.has_thread);
	assert_true(first.thread.pid == 1 && first.thread.tid == 2);
	assert_int_equal(parse_text("qXfer:features:read:target.xml:10,ffb"), 0);
	assert_true(first.op == RSP_OP_XFER_READ && span_is(first.text, "features") && span_is(first.annex, "target.xml"));
	assert_true(first.num[0] == 0x10 && first.len == 0xffb && !first.has_addr);
	assert_int_equal(parse_text("qRcmd,68656c70"), 0);
	assert_true(first.op == RSP_OP_MONITOR && span_is(first.data, "help"));
	assert_int_equal(parse_text("vFile:open:2f61,200,1b6"), 0);
	assert_true(first.op == RSP_OP_FILE && span_is(first.data, "/a") && first.num[0] == 0x200 && first.num[1] == 0x1b6);
	assert_int_equal(parse_text("D1;4"), 0);
	assert_true(first.op == RSP_OP_DETACH && first.num[0] == 1 && first.has_thread && first.thread.pid == 4);
	assert_int_equal(parse_text("D"), 0);
	assert_true(first.op == RSP_OP_DETACH && first.num[0] == 0 && !first.has_thread);
	assert_int_equal(parse_text("jThreadExtendedInfo:{\"thread\":1}]"), 0);
	assert_true(span_is(first.text, "{\"thread\":1}"));
	assert_int_equal(parse_text("qSupported:a+;b-"), 0);
	assert_true(first.op == RSP_OP_SUPPORTED && span_is(first.text, "a+;b-"));
	assert_int_equal(parse_text("nonsense"), 0);
	assert_true(first.op == RSP_OP_UNKNOWN && span_is(first.text, "nonsense"));
}

/* --- limits --- */

static char *repeated(char *to, const char *head, const char *item, const char *between, size_t n, const char *tail)
{
	char *at = stpcpy(to, head);

	for (size_t i = 0; i < n; i++)
		at = stpcpy(stpcpy(at, i ? between : ""), item);
	strcpy(at, tail);
	return to;
}

static void lists_end(void **state)
{
	static char body[ROOM];

	(void)state;
	sane(body, strlen(repeated(body, "vCont", ";s:1", "", RSP_ACTIONS_MAX, "")));
	assert_int_equal(first.actions_n, RSP_ACTIONS_MAX);
	assert_int_equal(parse_text(repeated(body, "vCont", ";s:1", "", RSP_ACTIONS_MAX + 1, "")), -EBADMSG);
	sane(body, strlen(repeated(body, "MultiMemRead:ranges:", "1000,4", ",", RSP_RANGES_MAX, ";")));
	assert_int_equal(first.ranges_n, RSP_RANGES_MAX);
	assert_int_equal(parse_text(repeated(body, "MultiMemRead:ranges:", "1000,4", ",", RSP_RANGES_MAX + 1, ";")), -EBADMSG);
	assert_int_equal(parse_text(repeated(body, "QCatchSyscalls:1", ";1", "", 1023, "")), 0);
	assert_int_equal(parse_text(repeated(body, "QCatchSyscalls:1", ";1", "", 1024, "")), -EBADMSG);
}

static void data_ends(void **state)
{
	static char body[ROOM];

	(void)state;
	sane(body, strlen(repeated(body, "M1000,4000:", "ab", "", RSP_DATA_MAX, "")));
	assert_int_equal(first.data.len, RSP_DATA_MAX);
	assert_int_equal(parse_text(repeated(body, "M1000,4001:", "ab", "", RSP_DATA_MAX + 1, "")), -EBADMSG);
	sane(body, strlen(repeated(body, "X1000,4000:", "}]", "", RSP_DATA_MAX, "")));
	assert_int_equal(first.data.len, RSP_DATA_MAX);
	assert_int_equal(parse_text(repeated(body, "X1000,4001:", "}]", "", RSP_DATA_MAX + 1, "")), -EBADMSG);
	assert_int_equal(parse_text(repeated(body, "G", "ab", "", RSP_DATA_MAX + 1, "")), -EBADMSG);
	assert_int_equal(parse_text(repeated(body, "jThreadExtendedInfo:", "a", "", RSP_DATA_MAX + 1, "")), -EBADMSG);
}

/* --- building --- */

static void built_packets_are_as_meant(void **state)
{
	(void)state;
	rsp_cmd_make(&first, "m");
	first.addr = 0xffffffff81000000;
	first.len = 0x40;
	assert_true(span_is(encoded(&first, &out), "mffffffff81000000,40"));
	rsp_cmd_make(&first, "X");
	first.addr = 0x1000;
	first.data = span_of("a}b#");
	first.len = 4;
	assert_true(span_is(encoded(&first, &out), "X1000,4:a}]b}\x03"));
	rsp_cmd_make(&first, "Z1,");
	first.addr = 0x1000;
	first.len = 1;
	assert_true(first.num[0] == 1 && span_is(encoded(&first, &out), "Z1,1000,1"));
	rsp_cmd_make(&first, "Hc");
	first.thread.tid = RSP_THREAD_ALL;
	assert_true(span_is(encoded(&first, &out), "Hc-1"));
	rsp_cmd_make(&first, "vCont;");
	first.actions_n = 1;
	first.actions[0] = (struct rsp_action){ .verb = 's', .has_thread = true, .thread = { 1, 2 } };
	assert_true(span_is(encoded(&first, &out), "vCont;s:p1.2"));
	rsp_cmd_make(&first, "C");
	first.actions[0].sig = 5;
	assert_true(span_is(encoded(&first, &out), "C05"));
	rsp_cmd_make(&first, "c");
	assert_true(span_is(encoded(&first, &out), "c"));
	rsp_cmd_make(&first, "qXfer:features:read:");
	first.annex = span_of("target.xml");
	first.len = 0xffb;
	assert_true(span_is(encoded(&first, &out), "qXfer:features:read:target.xml:0,ffb"));
	rsp_cmd_make(&first, "qSupported:");
	first.text = span_of("swbreak+");
	assert_true(span_is(encoded(&first, &out), "qSupported:swbreak+"));
	rsp_cmd_make(&first, "qRcmd,");
	first.data = span_of("help");
	assert_true(span_is(encoded(&first, &out), "qRcmd,68656c70"));
}

static void does_not_encode(void)
{
	buf_reset(&out, 0);
	assert_int_equal(rsp_cmd_encode(&out, &first), -EINVAL);
}

static void what_would_not_parse_is_not_written(void **state)
{
	(void)state;
	rsp_cmd_make(&first, "m");
	first.len = 0x100000000;
	does_not_encode();
	first.addr = UINT64_MAX;
	first.len = 1;
	does_not_encode();
	rsp_cmd_make(&first, "M");
	first.len = 3;
	first.data = span_of("ab");
	does_not_encode();
	rsp_cmd_make(&first, "X");
	first.data = span_of("ab");
	does_not_encode();
	rsp_cmd_make(&first, "p");
	first.num[0] = 0x10000;
	does_not_encode();
	rsp_cmd_make(&first, "P");
	does_not_encode();
	rsp_cmd_make(&first, "qSupported");
	first.text = span_of("a}b");
	does_not_encode();
	first.text = span_of("a\nb");
	does_not_encode();
	rsp_cmd_make(&first, "qXfer:features:read:");
	first.annex = span_of("a#b");
	does_not_encode();
	rsp_cmd_make(&first, "jThreadExtendedInfo:");
	first.text = span_of("\x1b");
	does_not_encode();
	rsp_cmd_make(&first, "qRcmd,");
	first.data = span_of("a\nb");
	does_not_encode();
	rsp_cmd_make(&first, "QNonStop:");
	first.num[0] = 2;
	does_not_encode();
}

static void what_a_name_says_is_not_changed(void **state)
{
	(void)state;
	rsp_cmd_make(&first, "Z0,");
	first.num[0] = 1;
	does_not_encode();
	rsp_cmd_make(&first, "Hg");
	first.which = 'c';
	does_not_encode();
	rsp_cmd_make(&first, "D");
	first.num[0] = 1;
	does_not_encode();
	rsp_cmd_make(&first, "c");
	first.actions[0].verb = 's';
	does_not_encode();
	rsp_cmd_make(&first, "vCont");
	does_not_encode();
	first.actions_n = RSP_ACTIONS_MAX + 1;
	does_not_encode();
	first.actions_n = 1;
	first.actions[0] = (struct rsp_action){ .verb = 'x' };
	does_not_encode();
	first.actions[0] = (struct rsp_action){ .verb = 'r', .from = 2, .to = 1 };
	does_not_encode();
	first.actions[0] = (struct rsp_action){ .verb = 'c', .has_thread = true, .thread = { RSP_THREAD_ALL, 5 } };
	does_not_encode();
	rsp_cmd_make(&first, "MultiMemRead:ranges:");
	does_not_encode();
}

static void no_room_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMD_GOOD; i++) {
		struct buf small = { 0 };

		assert_int_equal(parse(cmd_good[i].in, cmd_good[i].n, &first), 0);
		for (size_t cap = 0; cap < cmd_good[i].out_n; cap++) {
			assert_int_equal(buf_init(&small, cap + !cap), 0);
			small.cap = cap;
			assert_int_equal(rsp_cmd_encode(&small, &first), -ENOBUFS);
			buf_fini(&small);
		}
	}
}

/* --- the small ones --- */

static void effects_have_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RSP_EFFECTS; i++) {
		const char *name = rsp_effect_name((enum rsp_effect)(1u << i));

		assert_non_null(name);
		assert_int_equal(rsp_effect_of(span_of(name)), 1u << i);
	}
	assert_string_equal(rsp_effect_name(RSP_EFF_MEM_WRITE), "mem.write");
	assert_string_equal(rsp_effect_name(RSP_EFF_OPAQUE), "opaque");
	assert_null(rsp_effect_name((enum rsp_effect)0));
	assert_null(rsp_effect_name((enum rsp_effect)3));
	assert_int_equal(rsp_effect_of(span_of("mem")), 0);
	assert_int_equal(rsp_effect_of(span_of("mem.reader")), 0);
	assert_int_equal(rsp_effect_of(span_of("")), 0);
}

static void threads_are_read_and_written(void **state)
{
	static const struct { const char *in, *out; int64_t pid, tid; } ids[] = {
		{ "0", "0", 0, 0 }, { "-1", "-1", 0, -1 }, { "01", "1", 0, 1 }, { "fffffffe", "fffffffe", 0, -2 }, { "-2", "fffffffe", 0, -2 },
		{ "00000000fffffffe", "fffffffe", 0, -2 }, { "ffffffff", "ffffffff", 0, 0xffffffff }, { "80000000", "80000000", 0, INT32_MIN },
		{ "7fffffff", "7fffffff", 0, INT32_MAX }, { "100000000", "100000000", 0, 0x100000000 }, { "p1.1", "p1.1", 1, 1 },
		{ "p01.01", "p1.1", 1, 1 }, { "p1", "p1.-1", 1, -1 }, { "p-1.-1", "p-1.-1", -1, -1 }, { "p0.5", "5", 0, 5 },
		{ "p1.fffffffe", "p1.fffffffe", 1, -2 }, { "p2.0", "p2.0", 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct cursor c = cursor_of(span_of(ids[i].in));
		struct rsp_thread t;

		assert_int_equal(rsp_thread_take(&c, &t), 0);
		assert_true(cursor_done(&c) && t.pid == ids[i].pid && t.tid == ids[i].tid);
		buf_reset(&out, 0);
		assert_int_equal(rsp_thread_put(&out, t), 0);
		assert_true(span_is(buf_span(&out), ids[i].out));
	}
}

static void threads_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", "-", "-0", "--1", "+1", "x", "p", "p.1", "p1.", "p-2.1", "p-1.1", "p-1.0", "pp1.1", ".1", " 1",
		"8000000000000000", "00000000000000001", "-80000001", "-100000000", "p8000000000000000.1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = cursor_of(span_of(bad[i]));
		struct rsp_thread t;

		if (rsp_thread_take(&c, &t) != -EBADMSG || !c.bad)
			fail_msg("%s was taken", bad[i]);
	}
	assert_int_equal(rsp_thread_put(&out, (struct rsp_thread){ -1, 1 }), -EINVAL);
	assert_int_equal(rsp_thread_put(&out, (struct rsp_thread){ -2, 1 }), -EINVAL);
	assert_int_equal(rsp_thread_put(&out, (struct rsp_thread){ 0, INT64_MIN }), -EINVAL);
}

static void is_shown(const char *packet, const char *line)
{
	char room[64];

	assert_int_equal(parse_text(packet), 0);
	assert_string_equal(rsp_cmd_show(&first, room, sizeof room), line);
}

static void lines_for_people(void **state)
{
	char none = 'z';

	(void)state;
	is_shown("m0001000,4", "m1000,4");
	is_shown("M1000,4:11223344", "M1000,4:<4 bytes>");
	is_shown("X1000,2:a}]", "X1000,2:<2 bytes>");
	is_shown("qRcmd,68656c70", "qRcmd,help");
	is_shown("vFile:open:2f61,0,0", "vFile:open:<2 bytes>,0,0");
	is_shown("Z0,1000,1", "Z0,1000,1");
	is_shown("odd\x1b", "odd\\x1b");
	is_shown("qEcho:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 "qEcho:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	assert_ptr_equal(rsp_cmd_show(&first, &none, 0), &none);
	assert_int_equal(none, 'z');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_in_order_and_reachable),
		cmocka_unit_test(rows_are_well_formed),
		cmocka_unit_test(every_row_has_a_vector),
		cmocka_unit_test(only_these_may_be_answered_by_a_stop),
		cmocka_unit_test(a_denial_leads_to_no_detour),
		cmocka_unit_test(forms_fit),
		cmocka_unit_test(good_packets_are_taken),
		cmocka_unit_test(a_part_is_not_the_whole),
		cmocka_unit_test(bad_packets_are_not_taken),
		cmocka_unit_test(near_misses_are_sane),
		cmocka_unit_test(memory_fields),
		cmocka_unit_test(register_fields),
		cmocka_unit_test(break_fields),
		cmocka_unit_test(resume_fields),
		cmocka_unit_test(other_fields),
		cmocka_unit_test(lists_end),
		cmocka_unit_test(data_ends),
		cmocka_unit_test(built_packets_are_as_meant),
		cmocka_unit_test(what_would_not_parse_is_not_written),
		cmocka_unit_test(what_a_name_says_is_not_changed),
		cmocka_unit_test(no_room_is_said),
		cmocka_unit_test(effects_have_names),
		cmocka_unit_test(threads_are_read_and_written),
		cmocka_unit_test(threads_that_are_none),
		cmocka_unit_test(lines_for_people),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
