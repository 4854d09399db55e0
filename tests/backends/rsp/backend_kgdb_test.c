/* backend_kgdb_test.c - KGDB's backend on a line in memory that it shares with the console, and on one that it does not. */
#include "backends/backend.h"

#include "backends/link/console.h"
#include "backends/link/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { POLLS = 20, LOOKS_MS = 500, KNOCKS_MS = 1000, KNOCK_BY_MS = 60000 };

static struct link *far, *far_console;
static struct backend *be;
static uint64_t now;
static char heard[4096], said[8192], lost[256];

static int begin(void **state)
{
	struct link *near = link_pair_new(&far, 4096), *console = near ? link_console_new(near) : NULL;

	(void)state;
	now = 1000;
	far_console = NULL;
	*heard = 0;
	be = console ? backend_kgdb_new(console, console, NULL) : NULL;
	return be ? 0 : -1;
}

/* Neither line can carry a BREAK, so that what stops it is seen. */
static int begin_apart(void **state)
{
	struct link *near = link_pair_new(&far, 4096), *beside = link_pair_new(&far_console, 4096);
	struct link *both = near && beside ? link_console_apart_new(near, beside) : NULL;

	(void)state;
	now = 1000;
	*heard = 0;
	be = both ? backend_kgdb_new(both, both, "stop\r") : NULL;
	return be ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	be->ops->destroy(be);
	link_destroy_stack(far);
	link_destroy_stack(far_console);
	return 0;
}

static void says_on(struct link *lk, const char *text)
{
	uint8_t room[256];
	struct buf b = { .base = room, .cap = sizeof room };

	assert_int_equal(buf_put_text(&b, text), 0);
	assert_int_equal(link_send(lk, &b, now), 0);
}

static void says(const char *text)
{
	says_on(far, text);
}

/* Until nothing moves, once: the program would sleep then. Or until its line is lost. */
static int polls(void)
{
	struct backend_news news;
	int rc = BACKEND_MOVED;

	be->ops->ready(be);
	for (int i = 0; i < POLLS && rc > BACKEND_NONE; i++) {
		rc = be->ops->poll(be, &news, now);
		if (rc == BACKEND_CONSOLE || rc == BACKEND_PRINT)
			strncat(heard, (const char *)news.reply.bytes.p, news.reply.bytes.len < sizeof heard - 1 - strlen(heard) ? news.reply.bytes.len : 0);
	}
	return rc;
}

static const char *hears(void)
{
	assert_int_equal(polls(), BACKEND_NONE);
	return heard;
}

static const char *went_to(struct link *lk)
{
	struct buf b = { .base = (uint8_t *)said, .cap = sizeof said - 1 };
	size_t n = 0;

	(void)hears();
	while (link_recv(lk, &b, now) == 1) {
		n += b.len;
		b.base += b.len;
		b.cap -= b.len;
	}
	said[n] = 0;
	return said;
}

static void passes(uint64_t ms)
{
	now += ms;
	(void)hears();
}

static void test_text_is_told_before_it_sleeps(void **state)
{
	(void)state;
	hears();
	says("login: ");
	assert_string_equal(hears(), "login: ");
	says("root\r\n");
	assert_string_equal(hears(), "login: root\r\n");
}

/* It stands: its console is left alone, where a request to stop would wait until it goes on. */
static void test_a_kernel_that_stands_is_asked(void **state)
{
	(void)state;
	assert_string_equal(went_to(far), "$?#3f");
	assert_string_equal(went_to(far_console), "");
	says("+$S05#b8");
	assert_string_equal(went_to(far), "+$?#3f");
	passes(LOOKS_MS + KNOCKS_MS);
	assert_string_equal(went_to(far_console), "");
}

/* It runs: it is asked once, and that may wait on the line. */
static void test_a_kernel_that_runs_is_asked_once(void **state)
{
	(void)state;
	assert_string_equal(went_to(far), "$?#3f");
	passes(LOOKS_MS - 1);
	assert_string_equal(went_to(far_console), "");
	passes(1);
	assert_string_equal(went_to(far_console), "stop\r");
	passes(KNOCKS_MS - 1);
	assert_string_equal(went_to(far), "");
	says_on(far_console, "sysrq: DEBUG\r\n");
	says("+$S05#b8");
	assert_string_equal(went_to(far), "+$?#3f");
	assert_string_equal(hears(), "sysrq: DEBUG\r\n");
}

/* That it ran is said on the other line: a while is waited for it. */
static void test_a_console_that_lags(void **state)
{
	(void)state;
	passes(0);
	passes(LOOKS_MS);
	assert_string_equal(went_to(far), "$?#3f");
	says("+$T05thread:01;#07");
	assert_string_equal(went_to(far), "+");
	passes(KNOCKS_MS / 2);
	assert_string_equal(went_to(far), "");
	says_on(far_console, "sysrq: ");
	assert_string_equal(went_to(far), "$?#3f");
}

static void test_a_console_that_says_nothing(void **state)
{
	(void)state;
	passes(0);
	passes(LOOKS_MS);
	says("+$T05thread:01;#07");
	(void)hears();
	assert_string_equal(went_to(far), "$?#3f+");
	passes(KNOCKS_MS);
	assert_string_equal(went_to(far), "$?#3f");
}

/* Stop after stop, each another one: there is an end. */
static void test_stops_without_end(void **state)
{
	char stop[] = "$T05thread:11;#08";
	int rc = BACKEND_NONE;

	(void)state;
	passes(0);
	passes(LOOKS_MS);
	for (int i = 0; i < 2 * POLLS && rc >= 0; i++) {
		stop[11] = (char)('1' + i % 2);
		stop[16] = (char)('8' + i % 2);
		says(stop);
		rc = polls();
	}
	assert_int_equal(rc, -EPROTO);
	assert_string_equal(be->ops->why(be), "it sends packets that nobody asked for");
}

/* What comes of it: an event. */
static int answers(const char *packet)
{
	struct backend_news news;
	int rc = BACKEND_MOVED;

	says("+");
	says(packet);
	be->ops->ready(be);
	while (rc == BACKEND_MOVED)
		rc = be->ops->poll(be, &news, now);
	(void)went_to(far);
	return rc;
}

static int submits(const char *packet)
{
	static struct rsp_cmd cmd;
	uint8_t room[32];

	memcpy(room, packet, strlen(packet));
	assert_int_equal(rsp_cmd_parse(room, strlen(packet), &cmd), 0);
	return be->ops->submit(be, &cmd);
}

static void asks(const char *packet, int rc)
{
	assert_int_equal(submits(packet), 0);
	(void)went_to(far);
	assert_int_equal(answers("$OK#9a"), rc);
}

static bool meets_one_that_ran(void)
{
	assert_int_equal(answers("$T05thread:01;#07"), BACKEND_NONE);
	assert_int_equal(answers("$E22#a9"), BACKEND_STOPPED);
	return be->ops->info(be)->was_running;
}

/* It is heard late that another had stopped it. */
static void test_a_kernel_that_stood_did_not_run(void **state)
{
	(void)state;
	assert_string_equal(went_to(far), "$?#3f");
	assert_int_equal(answers("$T05thread:01;#07"), BACKEND_NONE);
	says_on(far_console, "sysrq: DEBUG\r\n");
	assert_string_equal(hears(), "sysrq: DEBUG\r\n");
	assert_false(meets_one_that_ran());
}

static void test_a_kernel_that_was_stopped_ran(void **state)
{
	(void)state;
	passes(0);
	passes(LOOKS_MS);
	says_on(far_console, "sysrq: DEBUG\r\n");
	assert_int_equal(answers("$T05thread:01;#07"), BACKEND_CONSOLE);
	(void)hears();
	assert_true(meets_one_that_ran());
}

static int busy_rc;    /* of a BREAK */
static bool busy_full; /* it takes nothing */

static int busy_send(struct link *lk, struct buf *frame, uint64_t t)
{
	return busy_full ? -EAGAIN : link_send(lk->below, frame, t);
}

static int busy_recv(struct link *lk, struct buf *in, uint64_t t)
{
	return link_recv(lk->below, in, t);
}

static int busy_attention(struct link *lk, uint64_t t)
{
	(void)lk, (void)t;
	return busy_rc;
}

static void busy_destroy(struct link *lk)
{
	(void)lk;
}

static void begin_busy(int rc, bool full)
{
	static const struct link_ops ops = {
		.name = "busy", .send = busy_send, .recv = busy_recv, .attention = busy_attention, .destroy = busy_destroy,
	};
	static struct link busy;
	struct link *near = link_pair_new(&far, 4096), *both;

	busy = (struct link){ .ops = &ops, .below = link_pair_new(&far_console, 4096) };
	busy_rc = rc;
	busy_full = full;
	both = link_console_apart_new(near, &busy);
	be = both ? backend_kgdb_new(both, both, rc == -EOPNOTSUPP ? "stop\r" : NULL) : NULL;
	assert_non_null(be);
	now = 1000;
	assert_string_equal(went_to(far), "$?#3f");
}

/* A kernel that does not answer, and cannot be told to stop: not for ever. */
static void test_a_line_that_can_never_break(void **state)
{
	struct wait w = wait_none();

	(void)state;
	begin_busy(-EAGAIN, false);
	passes(LOOKS_MS);
	be->ops->wait(be, &w);
	assert_int_equal(w.until, now + KNOCK_BY_MS);
	passes(KNOCK_BY_MS - 1);
	assert_string_equal(went_to(far), "");
	passes(1);
	assert_string_equal(went_to(far), "$?#3f");
	end(NULL);
}

/* What is to stop it has no place behind what was typed: it is said whole, and once. */
static void test_a_break_in_behind_much_that_was_typed(void **state)
{
	static char typed[CONSOLE_TYPED - 2], went[sizeof typed + 64];

	(void)state;
	begin_busy(-EOPNOTSUPP, true);
	memset(typed, 'a', sizeof typed);
	assert_int_equal(be->ops->type(be, (struct span){ (uint8_t *)typed, sizeof typed }), sizeof typed);
	passes(LOOKS_MS);
	passes(100);
	busy_full = false;
	*went = 0;
	for (int i = 0; i < 40; i++) {
		strncat(went, went_to(far_console), sizeof went - 1 - strlen(went));
		passes(1);
	}
	assert_memory_equal(went, typed, sizeof typed);
	assert_string_equal(went + sizeof typed, "stop\r");
	end(NULL);
}

/* It is tried again and again, but not without a rest. */
static void test_a_line_that_cannot_break_now(void **state)
{
	struct wait w = wait_none();

	(void)state;
	begin_busy(-EAGAIN, false);
	assert_int_equal(answers("$T05thread:01;#07"), BACKEND_NONE);
	assert_false(meets_one_that_ran());
	assert_int_equal(submits("c"), 0);
	assert_string_equal(went_to(far), "$c#63");
	be->ops->interrupt(be);
	(void)hears();
	be->ops->wait(be, &w);
	assert_true(w.until > now);
	end(NULL);
}

/* Its hardware breakpoints went with the kernel that had them: none stands in the way of another kind. */
static void test_a_kernel_that_boots_has_no_breakpoints(void **state)
{
	(void)state;
	assert_string_equal(went_to(far), "$?#3f");
	assert_int_equal(answers("$T05thread:01;#07"), BACKEND_NONE);
	assert_int_equal(answers("$T05thread:01;#07"), BACKEND_NONE);
	assert_int_equal(answers("$E22#a9"), BACKEND_STOPPED);
	asks("Z1,1000,1", BACKEND_REPLY);
	assert_int_equal(submits("Z2,1000,4"), -EINVAL);
	assert_non_null(strstr(hears(), "there is another one at that address\n"));
	says_on(far_console, "[    0.000000] Linux version 6.1.0\r\n");
	(void)hears();
	asks("Z2,1000,4", BACKEND_REPLY);
}

static void loses(struct link **end_of, const char *why)
{
	(void)hears();
	link_destroy_stack(*end_of);
	*end_of = NULL;
	assert_int_equal(polls(), -EPIPE);
	snprintf(lost, sizeof lost, "%s", be->ops->why(be));
	assert_string_equal(lost, why);
}

static void test_the_consoles_end(void **state)
{
	(void)state;
	loses(&far_console, "the console's line: it was closed");
}

static void test_the_debuggers_end(void **state)
{
	(void)state;
	loses(&far, "the debugger's line: it was closed");
}

/* Found in time. */
static const char *why_nobody(void)
{
	int rc = BACKEND_NONE;

	for (int i = 0; i < POLLS && rc >= 0; i++) {
		rc = polls();
		now += LOOKS_MS;
	}
	assert_int_equal(rc, -ETIMEDOUT);
	return be->ops->why(be);
}

/* No KGDB is there: that is told in words that fit two lines. */
static void test_nobody_is_there(void **state)
{
	(void)state;
	assert_non_null(strstr(why_nobody(), "kgdboc= at this line and its console at the console line"));
}

static void test_nobody_can_be_stopped(void **state)
{
	(void)state;
	assert_non_null(strstr(why_nobody(), "no KGDB answers, and the console's line cannot carry a BREAK"));
	assert_non_null(strstr(be->ops->why(be), "--break-in"));
}

#define APART(test) cmocka_unit_test_setup_teardown(test, begin_apart, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text_is_told_before_it_sleeps, begin, end),
		APART(test_a_kernel_that_stands_is_asked),
		APART(test_a_kernel_that_runs_is_asked_once),
		APART(test_a_console_that_lags),
		APART(test_a_console_that_says_nothing),
		APART(test_stops_without_end),
		APART(test_a_kernel_that_stood_did_not_run),
		APART(test_a_kernel_that_was_stopped_ran),
		APART(test_a_kernel_that_boots_has_no_breakpoints),
		cmocka_unit_test(test_a_line_that_cannot_break_now),
		cmocka_unit_test(test_a_line_that_can_never_break),
		cmocka_unit_test(test_a_break_in_behind_much_that_was_typed),
		APART(test_the_consoles_end),
		APART(test_the_debuggers_end),
		APART(test_nobody_is_there),
		cmocka_unit_test_setup_teardown(test_nobody_can_be_stopped, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
