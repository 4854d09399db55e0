/* backend_rsp_test.c - the backend alone with a stub in memory: its states one by one, and what it waits for. What it looks
 * like with clients is told in tests/golden. */
#include "backends/backend.h"

#include "rsp/features.h"
#include "rsp/tdesc.h"
#include "tests/peer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct peer_stub peer;
static struct backend *be;
static struct backend_news news;
static uint64_t now;

static int begin(void **state)
{
	struct link *far, *near = link_pair_new(&far, 4096);

	now = 1000;
	assert_non_null(near);
	assert_int_equal(peer_init(&peer), 0);
	if (*state)
		assert_true(peer_be(&peer, *state));
	peer_plug(&peer, far);
	be = backend_rsp_new(near);
	assert_non_null(be);
	return 0;
}

static int end(void **state)
{
	(void)state;
	be->ops->destroy(be);
	peer_fini(&peer);
	return 0;
}

/* Until something is to be told, or nothing moves. */
static int next(void)
{
	int rc = 0, idle = 0;

	while (idle < 3) {
		bool moved = peer_step(&peer, now);

		rc = be->ops->poll(be, &news, now);
		if (rc != BACKEND_NONE && rc != BACKEND_MOVED)
			break;
		idle = rc == BACKEND_NONE && !moved ? idle + 1 : 0;
	}
	(void)!peer_step(&peer, now);
	return rc;
}

static int submit(const char *packet)
{
	static struct rsp_cmd cmd;
	uint8_t room[256];
	size_t n = strlen(packet);

	memcpy(room, packet, n);
	assert_int_equal(rsp_cmd_parse(room, n, &cmd), 0);
	return be->ops->submit(be, &cmd);
}

static uint64_t due(void)
{
	struct wait w = wait_none();

	be->ops->wait(be, &w);
	assert_true(w.read);
	return w.until;
}

static const char *got(void)
{
	static char text[4096];

	snprintf(text, sizeof text, "%.*s", (int)peer.got.len, (const char *)buf_data(&peer.got));
	buf_reset(&peer.got, 0);
	return *text ? text + 1 : "nothing";
}

static void meets(void)
{
	assert_int_equal(next(), BACKEND_STOPPED);
	(void)got();
}

static void runs(void)
{
	assert_int_equal(submit("vCont;c"), 0);
	assert_int_equal(next(), BACKEND_RUNS);
	assert_string_equal(got(), "vCont;c");
}

static void what_it_learns(void **state)
{
	const struct backend_info *info;

	(void)state;
	meets();
	info = be->ops->info(be);
	assert_int_equal(info->can, RSP_CAN_VCONT | RSP_CAN_TDESC | RSP_CAN_SWBREAK);
	assert_string_equal(info->tdesc->arch, "i386:x86-64");
	assert_false(info->was_running);
	assert_int_equal(news.stop.code, 5);
	assert_int_equal(news.stop.thread.tid, 1);
	assert_int_equal(due(), NEVER);
	assert_string_equal(got(), "nothing");
}

static void one_command_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(submit("g"), -EBUSY); /* not met yet */
	meets();
	assert_int_equal(submit("vFile:open:2f,0,0"), -EOPNOTSUPP);
	assert_int_equal(submit("P0=00"), -EINVAL);
	assert_int_equal(submit("m1000,2"), 0);
	assert_int_equal(submit("g"), -EBUSY);
	assert_int_equal(next(), BACKEND_REPLY);
	assert_memory_equal(news.reply.bytes.p, "\0\1", 2);
	assert_string_equal(got(), "m1000,2");
	runs();
	assert_int_equal(submit("g"), -EBUSY);
}

static void no_answer(void **state)
{
	(void)state;
	meets();
	peer.silent = true;
	assert_int_equal(submit("g"), 0);
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(due(), now + 5000);
	now += 4999;
	assert_int_equal(next(), BACKEND_NONE);
	now++;
	assert_int_equal(next(), -ETIMEDOUT);
	assert_string_equal(be->ops->why(be), "it does not answer");
}

static void no_hello(void **state)
{
	(void)state;
	peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	assert_in_range(due(), now + 1000, now + 1999); /* asked again: it may have been lost */
	now += 5000;
	assert_int_equal(next(), -ETIMEDOUT);
}

static void break_in(void **state)
{
	(void)state;
	meets();
	runs();
	assert_int_equal(due(), NEVER);
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(news.stop.code, 2);
	assert_string_equal(got(), "^C");
	be->ops->interrupt(be); /* stands, and nothing is under way */
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "nothing");
}

/* Asked for before the resume has gone. */
static void break_in_at_once(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("vCont;c"), 0);
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_RUNS);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_string_equal(got(), "vCont;c ^C");
	runs(); /* and it is not remembered */
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "nothing");
}

static void break_in_again_and_again(void **state)
{
	(void)state;
	meets();
	runs();
	peer.silent = true;
	be->ops->interrupt(be);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(next(), BACKEND_NONE);
		assert_string_equal(got(), "^C");
		assert_int_equal(due(), now + 2000);
		be->ops->interrupt(be); /* said once is enough */
		now += 2000;
	}
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "^C");
	now += 2000;
	assert_int_equal(next(), BACKEND_PRINT); /* told once, and waited for */
	assert_true(span_starts(news.reply.bytes, "kdgate: the target does not answer the break-in"));
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "nothing");
	assert_int_equal(due(), NEVER);
	peer_stop(&peer, 2, 1);
	assert_int_equal(next(), BACKEND_STOPPED);
	peer.silent = false;
	runs();
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_STOPPED);
}

static void console_text(void **state)
{
	(void)state;
	meets();
	runs();
	peer_print(&peer, "hello");
	assert_int_equal(next(), BACKEND_PRINT);
	assert_true(span_is(news.reply.bytes, "hello"));
	peer_stop(&peer, 5, 1);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(submit("qRcmd,68656c70"), 0);
	assert_int_equal(next(), BACKEND_PRINT);
	assert_true(span_is(news.reply.bytes, "it hears: help\n"));
	assert_int_equal(next(), BACKEND_REPLY);
	assert_int_equal(news.reply.kind, RSP_REPLY_OK);
}

/* D, and a second for its answer. */
static void leaves(void **state)
{
	(void)state;
	meets();
	be->ops->leave(be);
	assert_int_equal(next(), -ESHUTDOWN);
	assert_string_equal(got(), "D");
	assert_true(peer.gone && peer.running);
}

static void leaves_the_silent(void **state)
{
	(void)state;
	meets();
	peer.silent = true;
	be->ops->leave(be);
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(due(), now + 1000);
	now += 1000;
	assert_int_equal(next(), -ESHUTDOWN);
}

static void leaves_who_cannot_detach(void **state)
{
	(void)state;
	meets();
	be->ops->leave(be);
	assert_int_equal(next(), -ESHUTDOWN);
	(void)!peer_step(&peer, now);
	assert_string_equal(got(), "D c");
	assert_true(peer.running);
}

static void no_answer_is_expected(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("k"), 0);
	assert_int_equal(next(), BACKEND_REPLY);
	assert_int_equal(news.reply.kind, RSP_REPLY_OK);
}

/* Its registers are read and put right by requests of the backend's own; a client sees one stop. */
static void pc_after_a_trap(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("Z0,4000,1"), 0);
	assert_int_equal(next(), BACKEND_REPLY);
	(void)got();
	runs();
	peer_hit(&peer, 0x4000, 2);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(news.stop.thread.tid, 2);
	assert_string_equal(got(), "p1 P1=0040000000000000");
	assert_int_equal(peer.regs[2][8], 0);
	assert_int_equal(peer.regs[2][9], 0x40);
}

static void it_was_running(void **state)
{
	struct link *far, *near = link_pair_new(&far, 4096);

	(void)state;
	assert_non_null(near);
	be->ops->destroy(be);
	peer.running = true;
	peer_plug(&peer, far);
	(void)!peer_step(&peer, now);
	be = backend_rsp_new(near);
	assert_non_null(be);
	meets();
	assert_true(be->ops->info(be)->was_running);
}

static void the_line_is_cut(void **state)
{
	(void)state;
	meets();
	runs();
	peer_drop(&peer);
	assert_int_equal(next(), -EPIPE);
	assert_null(be->ops->why(be));
}

static char qemu[] = "qemu", trap[] = "trap", kgdb[] = "kgdb";

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)
#define CASE_OF(f, kind) cmocka_unit_test_prestate_setup_teardown(f, begin, end, kind)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_it_learns), CASE(one_command_at_a_time), CASE(no_answer), CASE(no_hello), CASE(break_in),
		CASE(break_in_at_once), CASE(break_in_again_and_again), CASE(console_text), CASE(leaves), CASE(leaves_the_silent),
		CASE_OF(leaves_who_cannot_detach, kgdb), CASE(no_answer_is_expected), CASE_OF(pc_after_a_trap, trap),
		CASE_OF(it_was_running, qemu), CASE(the_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
