/* stop_test.c - stop replies, whole and cut at every byte, against a guard page. */
#include "rsp/reply.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct rsp_stop s;

static int parse(const char *text, size_t n)
{
	return rsp_stop_parse((struct span){ guard_copy(text, n), n }, &s);
}

static const struct vector {
	const char *in;
	enum rsp_stop_kind kind;
	uint8_t code;
	int64_t pid, tid; /* tid 0: none */
	int core;         /* -1: none */
	enum rsp_stop_why why;
	uint64_t addr;
	size_t regs_n;
} good[] = {
	{ "S05", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "T00", RSP_STOP_SIGNAL, 0, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05thread:p01.02;", RSP_STOP_SIGNAL, 5, 1, 2, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05thread:01;", RSP_STOP_SIGNAL, 5, 0, 1, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05thread:fffffffe;", RSP_STOP_SIGNAL, 5, 0, -2, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05thread:-2;", RSP_STOP_SIGNAL, 5, 0, -2, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05thread:0;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05core:01;", RSP_STOP_SIGNAL, 5, 0, 0, 1, RSP_WHY_NONE, 0, 0 },
	{ "T0506:00;07:c0e7ff;thread:1;core:3;", RSP_STOP_SIGNAL, 5, 0, 1, 3, RSP_WHY_NONE, 0, 2 },
	{ "T0506:xxxx;07:c0;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_NONE, 0, 1 },
	{ "T05thread:p01.01;watch:00100100;", RSP_STOP_SIGNAL, 5, 1, 1, -1, RSP_WHY_WATCH, 0x100100, 0 },
	{ "T05rwatch:ffffffffffffffff;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_RWATCH, UINT64_MAX, 0 },
	{ "T05awatch:10;watch:20;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_AWATCH, 0x10, 0 },
	{ "T05swbreak:;thread:1;", RSP_STOP_SIGNAL, 5, 0, 1, -1, RSP_WHY_SWBREAK, 0, 0 },
	{ "T05hwbreak:;watch:10;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_HWBREAK, 0, 0 },
	{ "T05library:x;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_LIBRARY, 0, 0 },
	{ "T00replaylog:begin;", RSP_STOP_SIGNAL, 0, 0, 0, -1, RSP_WHY_REPLAY_BEGIN, 0, 0 },
	{ "T00replaylog:end;", RSP_STOP_SIGNAL, 0, 0, 0, -1, RSP_WHY_REPLAY_END, 0, 0 },
	{ "T05fork:p1.1;exec:2f;syscall_entry:1;name:t;thread:2;", RSP_STOP_SIGNAL, 5, 0, 2, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05reason:trap;memory:0x7=00;description:\x1b[2J;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "T05fee:11;", RSP_STOP_SIGNAL, 5, 0, 0, -1, RSP_WHY_NONE, 0, 1 }, /* whether there is such a register is for others to say */
	{ "W00", RSP_STOP_EXITED, 0, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "W7", RSP_STOP_EXITED, 7, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "W2a;process:1", RSP_STOP_EXITED, 0x2a, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "X09;process:4d2", RSP_STOP_KILLED, 9, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
	{ "N", RSP_STOP_NONE_LEFT, 0, 0, 0, -1, RSP_WHY_NONE, 0, 0 },
};

static void check(const struct vector *v)
{
	int rc = parse(v->in, strlen(v->in));

	if (rc || s.kind != v->kind || s.code != v->code || s.has_thread != (v->tid != 0) || s.thread.pid != v->pid ||
	    s.thread.tid != v->tid || s.has_core != (v->core >= 0) || (s.has_core && s.core != (uint64_t)v->core) ||
	    s.why != v->why || s.addr != v->addr || s.regs_n != v->regs_n)
		fail_msg("%s: %d", v->in, rc);
}

static void good_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		check(&good[i]);
}

/* Cut anywhere but behind a pair, a T is not a stop. */
static void cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		for (size_t n = 0; n < strlen(good[i].in); n++) {
			bool whole = good[i].in[0] == 'T' ? n == 3 || (n > 3 && good[i].in[n - 1] == ';') : n > 1;
			int rc = parse(good[i].in, n);

			if (rc == 0 && !whole)
				fail_msg("%s, cut at %zu", good[i].in, n);
		}
}

static void bad_ones(void **state)
{
	static const char *const bad[] = {
		"", "S", "S5", "S055", "Szz", "T", "T5", "T0", "Tzz", "T05thread:zz;", "T05thread:;", "T05thread:-1;", "T05thread:p1.-1;",
		"T05thread:1", "T05thread", "T05thread:1;;", "T05:;", "T05core:;", "T05core:x;", "T05core:11111111111111111;",
		"T05watch:;", "T05watch:0x10;", "T05watch:11111111111111111;", "T05swbreak:1;", "T05hwbreak:0;", "T05replaylog:;",
		"T05replaylog:beg;", "T05fee:1;", "T0506:;", "T0506:zz;", "T0506:0;", "T0506:0x;", "T05123456789:00;", "W", "Wzz", "W100",
		"W00;", "W00;process:", "W00;process:zz", "W00;name:1", "W00;process:11111111111111111", "X", "N0", "w00;1", "OK", "E01",
		"Fopen,1/2,0,0", "%Stop:S05", "Stop:S05", "t05", "T05thread:1 ;",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse(bad[i], strlen(bad[i])) != -EBADMSG)
			fail_msg("%s", bad[i]);
}

/* Reasons that are told only to who asked for them, and nobody did: the stop is one, and they are noticed. */
static void what_was_not_agreed_on(void **state)
{
	static const char *const keys[] = { "fork", "vfork", "vforkdone", "clone", "exec", "create", "syscall_entry", "syscall_return" };
	static const char *const values[] = { "", "p1.2", "2f62696e2f7368", "zz", "\x1b[2J" };
	static const char *const plain[] = { "fork1", "vforks", "Fork", "syscall", "exe", "created", "name", "reason" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
			snprintf(text, sizeof text, "T05%s:%s;thread:2;", keys[i], values[v]);
			assert_int_equal(parse(text, strlen(text)), 0);
			assert_true(s.odd && s.why == RSP_WHY_NONE && s.thread.tid == 2);
			snprintf(text, sizeof text, "T05watch:10;%s:%s;", keys[i], values[v]);
			assert_int_equal(parse(text, strlen(text)), 0);
			assert_true(s.odd && s.why == RSP_WHY_WATCH && s.addr == 0x10);
			assert_int_equal(parse("T05thread:2;", 12), 0); /* the next one is as it is */
			assert_false(s.odd);
			snprintf(text, sizeof text, "T05%s:%s;thread:zz;", keys[i], values[v]);
			assert_int_equal(parse(text, strlen(text)), -EBADMSG);
		}
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		snprintf(text, sizeof text, "T05%s:1;", plain[i]);
		assert_int_equal(parse(text, strlen(text)), 0);
		assert_false(s.odd);
	}
}

static void registers(void **state)
{
	(void)state;
	assert_int_equal(parse("T0506:0102fF;1f:xx;20:00;", 25), 0);
	assert_int_equal(s.regs_n, 2);
	assert_int_equal(s.regs[0].num, 6);
	assert_int_equal(s.regs[0].len, 3);
	assert_memory_equal(s.regs[0].value, "\x01\x02\xff", 3);
	assert_int_equal(s.regs[1].num, 0x20);
}

static void register_too_long(void **state)
{
	char body[8 + 2 * (RSP_STOP_REG_BYTES + 1)] = "T0506:";
	size_t most = 6 + 2 * RSP_STOP_REG_BYTES;

	(void)state;
	memset(body + 6, '7', sizeof body - 6);
	body[most] = ';';
	assert_int_equal(parse(body, most + 1), 0);
	assert_int_equal(s.regs[0].len, RSP_STOP_REG_BYTES);
	body[most] = '7';
	body[most + 2] = ';';
	assert_int_equal(parse(body, most + 3), -EBADMSG);
}

static void registers_beyond_the_room(void **state)
{
	char body[4096] = "T05";
	size_t n = 3;

	(void)state;
	for (unsigned i = 0; i < RSP_STOP_REGS + 9; i++)
		n += (size_t)snprintf(body + n, sizeof body - n, "%02x:00;", i);
	assert_int_equal(parse(body, n), 0);
	assert_int_equal(s.regs_n, RSP_STOP_REGS);
	snprintf(body + n, sizeof body - n, "ff:0;");
	assert_int_equal(parse(body, n + 5), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(bad_ones),
		cmocka_unit_test(what_was_not_agreed_on),
		cmocka_unit_test(registers),
		cmocka_unit_test(register_too_long),
		cmocka_unit_test(registers_beyond_the_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
