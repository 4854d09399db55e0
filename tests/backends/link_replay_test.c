/* link_replay_test.c - a recording as a target: the KD bridge over it, from stop to stop. */
#include "backends/link_replay.h"

#include "backends/backend.h"
#include "backends/kd/api.h"
#include "backends/kd/le.h"
#include "backends/kd/replay.h"
#include "base/hex.h"
#include "rsp/cmd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { CONTEXT = 1232, RIP = 0xf8, FLAGS = 0x30, CODE = 0x9cf000, ROOM = 16384 };

static struct kd_replay r;
static struct backend *be;
static struct backend_news news;
static char said[ROOM];
static uint8_t p[KD_PAYLOAD_MAX];

/* --- a recording */

static void put(uint16_t type, size_t len, bool from_host)
{
	assert_int_equal(kd_replay_put(&r, &(struct kd_packet){ .type = type, .payload = { p, len } }, from_host), 0);
}

static void reply(unsigned api, uint64_t addr, const void *bytes, size_t n)
{
	memset(p, 0, sizeof p);
	le_put(p, 4, api);
	le_put(p + 16, 8, addr);
	le_put(p + 24, 4, n);
	le_put(p + 28, 4, n);
	put(KD_TYPE_MANIPULATE, KD_HEADER, true);
	memcpy(p + KD_HEADER, bytes, n);
	put(KD_TYPE_MANIPULATE, KD_HEADER + n, false);
}

static void version(void)
{
	memset(p, 0, sizeof p);
	le_put(p, 4, KD_GET_VERSION);
	put(KD_TYPE_MANIPULATE, KD_HEADER, true);
	le_put(p + 16, 2, 0x040f);
	le_put(p + 24, 2, 0x8664);
	put(KD_TYPE_MANIPULATE, KD_HEADER, false);
}

static void stop(uint64_t pc, bool known)
{
	uint8_t context[CONTEXT] = { 0 };

	memset(p, 0, sizeof p);
	le_put(p, 4, 0x3030);
	le_put(p + 8, 4, 1);
	le_put(p + 24, 8, pc);
	le_put(p + 32, 4, 0x80000003);
	le_put(p + 56, 4, 1);
	le_put(p + 184, 4, 1);
	put(KD_TYPE_STATE_CHANGE64, 240, false);
	le_put(context + FLAGS, 4, 0x10001f);
	le_put(context + RIP, 8, pc);
	if (known)
		reply(KD_GET_CONTEXT, 0, context, sizeof context);
}

static void go(const char *text)
{
	memset(p, 0, sizeof p);
	le_put(p, 4, KD_CONTINUE2);
	put(KD_TYPE_MANIPULATE, KD_HEADER, true);
	memset(p, 0, sizeof p);
	le_put(p, 4, 0x3230);
	le_put(p + 8, 4, strlen(text));
	memcpy(p + 16, text, strlen(text));
	put(KD_TYPE_DEBUG_IO, 16 + strlen(text), false);
}

static int begin(void **state)
{
	struct link *lk;

	(void)state;
	kd_replay_init(&r);
	stop(CODE, true);
	version();
	reply(KD_READ_VIRTUAL, CODE, "\xcc\x90\x90\x90", 4);
	go("one\n");
	stop(CODE + 0x10, false);
	go("two\n");
	stop(CODE + 0x20, true);
	go("three\n");
	stop(CODE + 0x30, false);
	assert_int_equal(kd_replay_end(&r), 0);
	lk = link_replay_new(&r, 1);
	assert_non_null(lk);
	be = backend_kd_new(lk);
	assert_non_null(be);
	said[0] = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	be->ops->destroy(be);
	kd_replay_fini(&r);
	return 0;
}

/* --- the bridge */

static int next(void)
{
	int rc = 0;

	for (int i = 0; i < 5000; i++) {
		struct wait w = wait_none();

		rc = be->ops->poll(be, &news, 1000);
		if (rc == BACKEND_PRINT)
			strncat(said, (const char *)news.reply.bytes.p, news.reply.bytes.len);
		else if (rc < 0 || rc == BACKEND_REPLY || rc == BACKEND_RUNS || rc == BACKEND_STOPPED)
			return rc;
		be->ops->wait(be, &w);
		if (rc == BACKEND_NONE && w.until > 1000)
			return rc; /* it rests */
	}
	fail_msg("it never rests");
	return rc;
}

static void ask(const char *packet)
{
	static struct rsp_cmd cmd;
	uint8_t room[256];

	memcpy(room, packet, strlen(packet));
	assert_int_equal(rsp_cmd_parse(room, strlen(packet), &cmd), 0);
	assert_int_equal(be->ops->submit(be, &cmd), 0);
}

static enum rsp_reply_kind replies(const char *packet)
{
	ask(packet);
	assert_int_equal(next(), BACKEND_REPLY);
	return news.reply.kind;
}

static void stands_at(uint64_t pc)
{
	uint8_t room[16];
	struct buf value = { .base = room, .cap = sizeof room };

	assert_int_equal(replies("p10"), RSP_REPLY_REGS);
	assert_int_equal(hex_take(&value, news.reply.bytes), 0);
	assert_int_equal(le_get(buf_span(&value), 0, 8), pc);
}

static void looked_at(void **state)
{
	(void)state;
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(news.stop.code, 5);
	stands_at(CODE);
	assert_int_equal(replies("m9cf000,4"), RSP_REPLY_BYTES);
	assert_true(news.reply.bytes.len == 4 && !memcmp(news.reply.bytes.p, "\xcc\x90\x90\x90", 4));
	assert_int_equal(replies("m9cf004,4"), RSP_REPLY_ERROR);
	assert_int_equal(replies("m9cf002,8"), RSP_REPLY_BYTES);
	assert_int_equal(news.reply.bytes.len, 2);
}

static void nothing_is_written(void **state)
{
	(void)state;
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(replies("M9cf001,1:00"), RSP_REPLY_ERROR);
	assert_int_equal(replies("m9cf000,4"), RSP_REPLY_BYTES);
	assert_true(!memcmp(news.reply.bytes.p, "\xcc\x90\x90\x90", 4));
}

static void runs_to(uint64_t pc, const char *text)
{
	said[0] = 0;
	ask("vCont;c");
	assert_int_equal(next(), BACKEND_RUNS);
	assert_int_equal(next(), BACKEND_STOPPED);
	stands_at(pc);
	assert_string_equal(said, text);
}

/* To those stops whose registers are known; behind the last, it stays. */
static void from_stop_to_stop(void **state)
{
	(void)state;
	assert_int_equal(next(), BACKEND_STOPPED);
	runs_to(CODE + 0x20, "one\ntwo\n");
	runs_to(CODE + 0x20, "three\nkdgate: the recording ends here\n");
	runs_to(CODE + 0x20, "three\nkdgate: the recording ends here\n");
}

static void left(void **state)
{
	(void)state;
	assert_int_equal(next(), BACKEND_STOPPED);
	be->ops->leave(be);
	assert_int_equal(next(), -ESHUTDOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looked_at, begin, end), cmocka_unit_test_setup_teardown(nothing_is_written, begin, end),
		cmocka_unit_test_setup_teardown(from_stop_to_stop, begin, end), cmocka_unit_test_setup_teardown(left, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
