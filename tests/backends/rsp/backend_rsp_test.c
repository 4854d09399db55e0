/* backend_rsp_test.c - the backend alone with a stub in memory: its states one by one, and what it waits for. What it looks
 * like with clients is told in tests/golden. */
#include "backends/backend.h"

#include "backends/rsp/fileio.h"
#include "filters/guard.h"
#include "rsp/features.h"
#include "rsp/tdesc.h"
#include "tests/peer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

/* Nothing but a break-in is heard while it runs: that comes before any question. */
static void it_is_stopped_first(void **state)
{
	(void)state;
	peer.running = true;
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(strncmp(got(), "^C qSupported:", 14), 0);
	assert_true(be->ops->info(be)->was_running);
}

/* One that stands says nothing to it, and is waited for no longer than that. */
static void it_stood_after_all(void **state)
{
	(void)state;
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "^C");
	assert_in_range(due(), now + 1, now + 1000);
	now = due();
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_false(be->ops->info(be)->was_running);
	be->ops->interrupt(be); /* it stands, and is known */
	assert_int_equal(next(), BACKEND_NONE);
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

/* The next thing that was wrong; "nothing". */
static const char *incident(void)
{
	static char text[GUARD_WORDS + 32];
	struct guard_incident in;

	if (!guard_next(be->ops->guard(be), &in, now))
		return "nothing";
	snprintf(text, sizeof text, "%s: %s", guard_what_name(in.what), in.words);
	return text;
}

static void tells(const char *want)
{
	assert_string_equal(incident(), want);
	assert_string_equal(incident(), "nothing");
}

static int times_out(struct link *lk, struct buf *bytes, uint64_t t)
{
	(void)lk, (void)bytes, (void)t;
	return -ETIMEDOUT;
}

static void leaves_nothing(struct link *lk)
{
	(void)lk;
}

/* Its machine is gone: no fault of the stub's, and nothing to say but what errno does. */
static void the_line_times_out(void **state)
{
	static const struct link_ops ops = { .name = "gone", .send = times_out, .recv = times_out, .destroy = leaves_nothing };
	static struct link gone = { .ops = &ops };

	end(state);
	be = backend_rsp_new(&gone);
	assert_non_null(be);
	assert_int_equal(be->ops->poll(be, &news, now), -ETIMEDOUT);
	assert_null(be->ops->why(be));
	tells("nothing");
	be->ops->destroy(be);
	begin(state);
}

/* Asked, and not heard: what comes back is said by the test. */
static void asks(const char *packet)
{
	peer.silent = true;
	assert_int_equal(submit(packet), 0);
	assert_int_equal(next(), BACKEND_NONE);
	(void)got();
}

static int says(const char *body)
{
	peer_say(&peer, body);
	return next();
}

static void is_refused(const char *words)
{
	assert_int_equal(news.reply.kind, RSP_REPLY_ERROR);
	assert_true(span_is(news.reply.bytes, words));
}

/* What is no answer is an earlier one: the right one may be behind it, for a moment. */
static void waits_for_the_right_one(void **state)
{
	(void)state;
	meets();
	asks("m1000,2");
	assert_int_equal(says("OK"), BACKEND_NONE);
	tells("reply: an answer that makes no sense to m1000,2");
	assert_int_equal(due(), now + 250);
	now += 100;
	assert_int_equal(says("000102"), BACKEND_NONE);
	tells("reply: an answer that makes no sense to m1000,2");
	assert_int_equal(due(), now + 150); /* no longer than that, whatever comes */
	now += 149;
	assert_int_equal(says("abcd"), BACKEND_REPLY);
	assert_memory_equal(news.reply.bytes.p, "\xab\xcd", 2);
	tells("nothing");
	asks("m1000,2"); /* and it is not remembered */
	assert_int_equal(due(), now + 5000);
	assert_int_equal(says("0001"), BACKEND_REPLY);
}

static void no_right_one_comes(void **state)
{
	(void)state;
	meets();
	asks("g");
	assert_int_equal(says("zz"), BACKEND_NONE);
	now += 249;
	assert_int_equal(next(), BACKEND_NONE);
	now++;
	assert_int_equal(next(), BACKEND_REPLY);
	is_refused("the target's answer makes no sense");
	tells("reply: an answer that makes no sense to g");
	assert_int_equal(says("00"), BACKEND_NONE); /* too late */
	tells("unasked: a packet that nobody asked for: 00");
	peer.silent = false;
	assert_int_equal(submit("m1000,2"), 0);
	assert_int_equal(next(), BACKEND_REPLY);
	assert_int_equal(news.reply.kind, RSP_REPLY_BYTES);
}

/* What has come of a read stays; the rest does not come. */
static void a_read_that_goes_wrong(void **state)
{
	char piece[2 * 0x46 + 1];

	(void)state;
	memset(piece, '7', sizeof piece);
	piece[sizeof piece - 1] = 0;
	meets();
	asks("m1000,80");
	assert_int_equal(says(piece), BACKEND_PART);
	assert_int_equal(says("OK"), BACKEND_NONE);
	now += 250;
	assert_int_equal(next(), BACKEND_REPLY);
	is_refused("the target's answer makes no sense");
	tells("reply: an answer that makes no sense to m1000,80");
}

static void lies(int n)
{
	for (int i = 0; i < n; i++) {
		asks("m1000,2");
		assert_int_equal(says("OK"), BACKEND_NONE);
		now += 250;
		assert_int_equal(next(), BACKEND_REPLY);
		assert_int_equal(news.reply.kind, RSP_REPLY_ERROR);
		assert_string_equal(incident(), "reply: an answer that makes no sense to m1000,2");
	}
}

/* So many in a row: over several commands, or to one. */
static void too_many_lies(void **state)
{
	(void)state;
	meets();
	lies(8);
	asks("m1000,2");
	assert_int_equal(says("0001"), BACKEND_REPLY); /* the truth in between */
	lies(8);
	asks("g");
	assert_int_equal(says("OK"), -EPROTO);
	assert_string_equal(be->ops->why(be), "its answers make no sense");
	now += 5000;
	assert_string_equal(incident(), "reply: an answer that makes no sense to g");
	tells("lost: given up: its answers make no sense");
}

static void too_many_lies_at_once(void **state)
{
	(void)state;
	meets();
	asks("m1000,2");
	for (int i = 0; i < 8; i++)
		assert_int_equal(says("OK"), BACKEND_NONE);
	assert_int_equal(says("OK"), -EPROTO);
}

/* The backend's own requests may be answered with nonsense, too: its client is told the stop all the same. */
static void a_pc_that_is_none(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("Z0,4000,1"), 0);
	assert_int_equal(next(), BACKEND_REPLY);
	(void)got();
	runs();
	peer_hit(&peer, 0x4000, 2);
	peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(says("zz"), BACKEND_NONE);
	now += 250;
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(news.stop.thread.tid, 2);
}

static void a_stop_in_the_place_of_an_answer(void **state)
{
	(void)state;
	meets();
	asks("m1000,2");
	assert_int_equal(says("T0bthread:2;"), BACKEND_NONE);
	tells("unasked: a stop in the place of an answer, with signal 11");
	assert_int_equal(due(), now + 5000);
	assert_int_equal(says("0001"), BACKEND_REPLY);
}

/* It stands, and is asked nothing. */
static void unasked(void **state)
{
	static const char *const v[][2] = {
		{ "OK", "unasked: a packet that nobody asked for: OK" }, { "m1\033[2J", "unasked: a packet that nobody asked for: m1\\x1b[2J" },
		{ "Fopen,1/2,0,0", "unasked: a packet that nobody asked for: Fopen,1/2,0,0" }, { "O41", "unasked: a packet that nobody asked for: O41" },
		{ "T05thread:1;", "stop: a stop that is none now: T05thread:1;" }, { "S05", "stop: a stop that is none now: S05" },
		{ "", "unasked: a packet that nobody asked for: " },
	};

	(void)state;
	meets();
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		assert_int_equal(says(v[i][0]), BACKEND_NONE);
		tells(v[i][1]);
	}
	assert_string_equal(got(), "nothing");
	for (size_t i = sizeof v / sizeof *v; i < 16; i++)
		assert_int_equal(says("OK"), BACKEND_NONE);
	assert_int_equal(submit("m1000,2"), 0);
	assert_int_equal(next(), BACKEND_REPLY); /* an answer in between, and it is counted anew */
	for (int i = 0; i < 16; i++)
		assert_int_equal(says("OK"), BACKEND_NONE);
	assert_int_equal(says("OK"), -EPROTO);
	assert_string_equal(be->ops->why(be), "it sends packets that nobody asked for");
}

/* Of what runs: a stop is one, whatever it says behind its signal; the rest is passed over. */
static void stops_that_make_no_sense(void **state)
{
	static const struct {
		const char *body;
		int code; /* -1: it runs on */
		int64_t tid;
		const char *tells;
	} v[] = {
		{ "T05thread:2;", 5, 2, "nothing" },
		{ "S0b", 11, 0, "nothing" },
		{ "T05thread:zz;", 5, 0, "stop: a stop that makes no sense but for its signal: T05thread:zz;" },
		{ "T0bthread:-1;", 11, 0, "stop: a stop that makes no sense but for its signal: T0bthread:-1;" },
		{ "T05fee:1;", 5, 0, "stop: a stop that makes no sense but for its signal: T05fee:1;" },
		{ "T05thread:2", 5, 0, "stop: a stop that makes no sense but for its signal: T05thread:2" },
		{ "T05\033[2J", 5, 0, "stop: a stop that makes no sense but for its signal: T05\\x1b[2J" },
		{ "T050", 5, 0, "stop: a stop that makes no sense but for its signal: T050" },
		{ "S05thread:2;", 5, 0, "stop: a stop that makes no sense but for its signal: S05thread:2;" },
		{ "T05fork:p2.2;thread:2;", 5, 2, "stop: a stop with what was not agreed on: T05fork:p2.2;thread:2;" },
		{ "T05exec:2f62;thread:2;", 5, 2, "stop: a stop with what was not agreed on: T05exec:2f62;thread:2;" },
		{ "T0577:00;thread:2;", 5, 2, "stop: a stop with registers that the target's description does not have" },
		{ "T0500:00;thread:2;", 5, 2, "stop: a stop with registers that the target's description does not have" },
		{ "T5", -1, 0, "stop: a stop that is none now: T5" },
		{ "Tzzthread:1;", -1, 0, "stop: a stop that is none now: Tzzthread:1;" },
		{ "S5;", -1, 0, "stop: a stop that is none now: S5;" },
		{ "t05", -1, 0, "unasked: a packet that nobody asked for: t05" },
		{ "OK", -1, 0, "unasked: a packet that nobody asked for: OK" },
		{ "Oxx", -1, 0, "unasked: a packet that nobody asked for: Oxx" },
		{ "F5", -1, 0, "unasked: a packet that nobody asked for: F5" },
	};

	(void)state;
	meets();
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		runs();
		peer.running = false; /* it says so */
		assert_int_equal(says(v[i].body), v[i].code < 0 ? BACKEND_NONE : BACKEND_STOPPED);
		if (v[i].code >= 0) {
			assert_int_equal(news.stop.kind, RSP_STOP_SIGNAL);
			assert_int_equal(news.stop.code, v[i].code);
			assert_int_equal(news.stop.has_thread, v[i].tid != 0);
			assert_int_equal(news.stop.thread.tid, v[i].tid);
			assert_int_equal(news.stop.regs_n, 0);
		}
		tells(v[i].tells);
		if (v[i].code < 0)
			assert_int_equal(says("T05thread:1;"), BACKEND_STOPPED);
		now += 2000; /* so that each is told */
	}
}

static void ends_of_its_program(void **state)
{
	static const char *const ends[] = { "W00", "X09", "N", "W7;process:1" };

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		end(NULL);
		begin(&(void *){ NULL });
		meets();
		runs();
		assert_int_equal(says(ends[i]), -EPROTO);
		assert_string_equal(be->ops->why(be), "its program has ended");
		tells("lost: given up: its program has ended");
	}
}

/* Pieces of so many bytes until the target is given up. */
static size_t prints(size_t len)
{
	char piece[4096 + 2] = "O";
	size_t n = 0;
	int rc;

	memset(piece + 1, '6', 2 * len);
	piece[1 + 2 * len] = 0;
	do
		rc = says(piece);
	while (rc == BACKEND_PRINT && ++n < 200000);
	assert_int_equal(rc, -EPROTO);
	return n;
}

/* All of one command together; and a piece costs beside its bytes, so that none of nothing come for ever. */
static void a_monitor_command_without_an_end(void **state)
{
	static const size_t lens[] = { 2000, 80, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		end(NULL);
		begin(&(void *){ NULL });
		meets();
		asks("qRcmd,68");
		for (int k = 0; k < 4; k++)
			assert_int_equal(says("O68"), BACKEND_PRINT);
		assert_int_equal(says("OK"), BACKEND_REPLY);
		asks("qRcmd,68"); /* another one has as much again */
		assert_int_equal(prints(lens[i]), (4 << 20) / (lens[i] + 64));
		assert_string_equal(be->ops->why(be), "its monitor command prints without end");
		tells("lost: given up: its monitor command prints without end");
	}
}

static void words_of_errors(void **state)
{
	(void)state;
	meets();
	asks("m1000,2");
	assert_int_equal(says("E.no\033[2J"), BACKEND_REPLY);
	is_refused("no_[2J");
	tells("text: control characters in the words of an error, or too many words");
	asks("m1000,2");
	assert_int_equal(says("E.no such memory"), BACKEND_REPLY);
	tells("nothing");
}

/* The list to its end. */
static int lists(const char *body)
{
	asks("qfThreadInfo");
	assert_int_equal(says(body), BACKEND_NONE);
	return says("l");
}

static void thread_lists(void **state)
{
	static const struct {
		const char *body;
		size_t n;
		int64_t last;
		const char *tells;
	} v[] = {
		{ "m1,2,3", 3, 3, "nothing" },
		{ "m2,1,2,1,2", 2, 1, "threads: a thread list with the same thread twice, or with none" },
		{ "m1,0", 1, 1, "threads: a thread list with the same thread twice, or with none" },
		{ "m2,3", 3, 1, "threads: a thread list without the thread that stopped" },
		{ "m7", 2, 1, "threads: a thread list without the thread that stopped" },
	};

	(void)state;
	meets();
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		assert_int_equal(lists(v[i].body), BACKEND_REPLY);
		assert_int_equal(news.reply.kind, RSP_REPLY_THREADS);
		assert_int_equal(news.reply.threads_n, v[i].n);
		assert_int_equal(news.reply.threads[v[i].n - 1].tid, v[i].last);
		tells(v[i].tells);
	}
}

static void a_thread_list_without_an_end(void **state)
{
	char body[4096] = "m1";
	size_t n = 2;
	int rc;

	(void)state;
	meets();
	asks("qfThreadInfo");
	for (unsigned i = 2; i <= 600; i++)
		n += (size_t)snprintf(body + n, sizeof body - n, ",%x", i);
	for (int i = 0; i < 7; i++) {
		rc = says(body);
		if (rc == BACKEND_REPLY)
			break;
		assert_int_equal(rc, BACKEND_NONE);
	}
	assert_int_equal(rc, BACKEND_REPLY);
	assert_string_equal(incident(), "threads: a thread list without end: 4096 are kept");
	tells("threads: a thread list with the same thread twice, or with none");
	assert_int_equal(news.reply.threads_n, 600);
}

/* ---- it asks its host for files ---- */

static void all_gone(const char *packets)
{
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), packets);
	assert_true(peer.running);
	assert_int_equal(peer.asks, 0);
	assert_int_equal(due(), NEVER); /* nothing is waited for: it runs */
}

static void file_requests(void **state)
{
	static const struct {
		const char *asks, *got, *tells;
		int text; /* bytes of it that are shown */
	} v[] = {
		{ "Fwrite,1,1000,4", "m1000,4 F4", "nothing", 4 },
		{ "Fwrite,2,1010,1", "m1010,1 F1", "nothing", 1 },
		{ "Fwrite,1,ffffffff,4", "mffffffff,4 F-1,e", "nothing", 0 },
		{ "Fwrite,3,1000,4", "F-1,1", "file: the target asked the host for a file or a program: Fwrite,3,1000,4", 0 },
		{ "Fwrite,1,1000,0", "F0", "file: the target asked the host for a file or a program: Fwrite,1,1000,0", 0 },
		{ "Fwrite,0,1000,4", "F-1,1", "file: the target asked the host for a file or a program: Fwrite,0,1000,4", 0 },
		{ "Fopen,1000/5,601,1b6", "F-1,1", "file: the target asked the host for a file or a program: Fopen,1000/5,601,1b6", 0 },
		{ "Fsystem,1000/5", "F-1,1", "file: the target asked the host for a file or a program: Fsystem,1000/5", 0 },
		{ "Funheard,\033[2J", "F-1,1", "file: the target asked the host for a file or a program: Funheard,\\x1b[2J", 0 },
	};

	(void)state;
	meets();
	runs();
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		peer_say(&peer, v[i].asks);
		if (v[i].text) {
			assert_int_equal(next(), BACKEND_PRINT);
			assert_int_equal(news.reply.bytes.len, v[i].text);
			assert_memory_equal(news.reply.bytes.p, peer.memory + 0x1000 + (i ? 0x10 : 0), (size_t)v[i].text);
		}
		all_gone(v[i].got);
		tells(v[i].tells);
	}
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_null(peer.rude);
}

/* The longest piece that is shown, whatever it wants to write. */
static void a_long_write(void **state)
{
	(void)state;
	meets();
	runs();
	peer.slow = true;
	peer_say(&peer, "Fwrite,1,1000,ffffffffffffffff");
	assert_int_equal(next(), BACKEND_NONE);
	peer.silent = true;
	peer.slow = false;
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "m1000,200");
}

static void file_requests_without_an_end(void **state)
{
	(void)state;
	meets();
	runs();
	for (int i = 0; i < FILEIO_BURST; i++) {
		peer_say(&peer, "Fopen,1000/5,0,0");
		all_gone("F-1,1");
	}
	now += FILEIO_EACH_MS;
	peer_say(&peer, "Fopen,1000/5,0,0");
	all_gone("F-1,1");
	assert_int_equal(says("Fopen,1000/5,0,0"), -EPROTO);
	assert_string_equal(be->ops->why(be), "it asks its host for files without end");
}

/* While one is open, in one breath with it: a second one, a stop, text, and what is none of them. */
static void beside_a_file_request(void **state)
{
	static const char *const opens[] = { "Fwrite,1,1000,2", "Fopen,1000/5,0,0" };
	static const struct {
		const char *body;
		int event; /* of it; NONE: the request goes on */
	} v[] = {
		{ "Fopen,2000/5,0,0", BACKEND_NONE }, { "T05thread:2;", BACKEND_STOPPED }, { "T05thread:zz;", BACKEND_STOPPED }, { "O41", BACKEND_PRINT },
		{ "OK", BACKEND_NONE }, { "E01", BACKEND_NONE }, { "", BACKEND_NONE }, { "W00", -EPROTO }, { "F5", BACKEND_NONE }, { "T5", BACKEND_NONE },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof v / sizeof *v; i++) {
		const char *open = opens[i % 2];
		int rc;

		end(NULL);
		begin(&(void *){ NULL });
		meets();
		runs();
		peer_say(&peer, open);
		peer_say(&peer, v[i / 2].body);
		rc = next();
		if (rc == BACKEND_PRINT && v[i / 2].event == BACKEND_PRINT) {
			assert_true(span_is(news.reply.bytes, "A"));
			rc = next();
		}
		if (v[i / 2].event == BACKEND_STOPPED || v[i / 2].event < 0) {
			assert_int_equal(rc, v[i / 2].event);
			continue;
		}
		if (rc == BACKEND_PRINT) /* the text of the first */
			rc = next();
		assert_int_equal(rc, BACKEND_NONE);
		assert_int_equal(next(), BACKEND_NONE);
		assert_null(strstr(got(), "^C")); /* nobody wanted it to stop */
		assert_int_equal(due(), NEVER);
		assert_int_equal(submit("g"), -EBUSY);
		peer.asks = 0;
		be->ops->interrupt(be);
		assert_int_equal(next(), BACKEND_STOPPED);
		assert_string_equal(got(), "^C");
	}
}

/* Its bytes have been asked for, and do not come. */
static void begin_write(void)
{
	meets();
	runs();
	peer.silent = true;
	assert_int_equal(says("Fwrite,1,1000,2"), BACKEND_NONE);
	assert_string_equal(got(), "m1000,2");
}

static void a_write_whose_bytes_do_not_come(void **state)
{
	static const struct {
		const char *body;
		int event;
		const char *got, *tells;
	} v[] = {
		{ "4142", BACKEND_PRINT, "F2", "nothing" },
		{ "41", BACKEND_PRINT, "F1", "nothing" },
		{ "E0e", BACKEND_NONE, "F-1,e", "nothing" },
		{ "", BACKEND_NONE, "F-1,e", "nothing" },
		{ "414243", BACKEND_NONE, "nothing", "unasked: a packet that nobody asked for: 414243" },
		{ "OK", BACKEND_NONE, "nothing", "unasked: a packet that nobody asked for: OK" },
		{ "Fopen,1/2,0,0", BACKEND_NONE, "nothing", "unasked: a packet that nobody asked for: Fopen,1/2,0,0" },
		{ "T0bthread:2;", BACKEND_STOPPED, "nothing", "nothing" },
		{ "S05;", BACKEND_STOPPED, "nothing", "stop: a stop that makes no sense but for its signal: S05;" },
		{ "X09", -EPROTO, "nothing", "lost: given up: its program has ended" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		end(NULL);
		begin(&(void *){ NULL });
		begin_write();
		assert_int_equal(says(v[i].body), v[i].event);
		if (v[i].event == BACKEND_PRINT)
			assert_int_equal(next(), BACKEND_NONE);
		assert_string_equal(got(), v[i].got);
		tells(v[i].tells);
	}
}

static void a_write_that_hangs(void **state)
{
	(void)state;
	begin_write();
	assert_int_equal(due(), now + 5000);
	now += 4999;
	assert_int_equal(next(), BACKEND_NONE);
	now++;
	assert_int_equal(next(), -ETIMEDOUT);
	tells("lost: given up: it does not answer");
}

/* It is said when the request is done with: before that, the stub hears nothing. */
static void a_break_while_it_writes(void **state)
{
	(void)state;
	begin_write();
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "nothing");
	peer.silent = false;
	assert_int_equal(says("4142"), BACKEND_PRINT);
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_string_equal(got(), "F2 ^C");
	runs(); /* and once is enough */
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "nothing");
}

/* The break has been said, and crosses a request: it is answered, and the break said again. */
static void a_write_while_it_is_stopped(void **state)
{
	(void)state;
	meets();
	runs();
	peer.silent = true;
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "^C");
	peer_say(&peer, "Fopen,1000/5,0,0");
	peer_say(&peer, "Fopen,1000/5,0,0"); /* in one breath: the break is not forgotten over it */
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "F-1,1 ^C");
	assert_int_equal(due(), now + 2000);
}

static void the_line_is_cut_while_it_writes(void **state)
{
	(void)state;
	begin_write();
	peer_drop(&peer);
	assert_int_equal(next(), -EPIPE);
	tells("nothing");
	end(NULL);
	begin(&(void *){ NULL });
	meets();
	runs();
	peer_say(&peer, "Fwrite,1,1000,2");
	assert_int_equal(peer_step(&peer, now), 1);
	peer_drop(&peer);
	assert_true(next() < 0);
}

/* ---- the hello ---- */

/* A stub whose answers are said by the test, up to the last but one. */
static void hello(const char *features, const char *vcont)
{
	peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(says(features), BACKEND_NONE);
	assert_int_equal(says(vcont), BACKEND_NONE);
}

static void a_strange_hello(void **state)
{
	(void)state;
	hello("PacketSize=1", "c;s");
	assert_string_equal(incident(), "document: its answer to qSupported is out of bounds");
	tells("document: its answer to vCont? is none");
	assert_int_equal(says("O1b5b"), BACKEND_NONE);
	assert_int_equal(says("Fopen,1/2,0,0"), BACKEND_NONE);
	assert_string_equal(incident(), "unasked: a packet that nobody asked for: O1b5b");
	tells("unasked: a packet that nobody asked for: Fopen,1/2,0,0");
	assert_int_equal(says("T05thread:1;"), BACKEND_STOPPED);
	assert_false(be->ops->info(be)->was_running);
	tells("nothing");
}

static void a_stop_within_the_hello(void **state)
{
	(void)state;
	peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(says(""), BACKEND_NONE);
	assert_int_equal(says("T02thread:1;"), BACKEND_NONE);
	assert_int_equal(says(""), BACKEND_NONE);
	assert_int_equal(says("T05thread:1;"), BACKEND_STOPPED);
	assert_true(be->ops->info(be)->was_running);
	tells("nothing");
}

/* GRUB: it says what it stands for until that is acknowledged, and takes nothing else meanwhile. */
static void a_question_that_was_not_taken(void **state)
{
	(void)state;
	peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(says("T05thread:1;"), BACKEND_NONE);
	assert_int_equal(due(), now + 1000);
	now += 1000;
	assert_int_equal(says(""), BACKEND_NONE);
	assert_int_equal(says(""), BACKEND_NONE);
	assert_int_equal(says("T05thread:1;"), BACKEND_STOPPED);
	assert_false(be->ops->info(be)->was_running);
}

/* ---- one that runs already ---- */

#define FEATURES "PacketSize=90;QStartNoAckMode+;vContSupported+;qXfer:features:read+;swbreak+"
enum { HELLO = 5000, HALT = 200, HALT_ALL = HALT + 800 * 5, HALT_LONGEST = 20000, QUIET = 500 };

/* It runs, and has not heard the first question, nor when that was said again. */
static void is_not_answered(void)
{
	peer.running = peer.silent = true;
	for (uint64_t end = now + HELLO; now < end; now = due()) {
		assert_int_equal(next(), BACKEND_NONE);
		assert_null(strstr(got(), "^C"));
	}
}

/* It is told to stop, and does not, for now. */
static void is_told_to_stop(void)
{
	is_not_answered();
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "^C");
	assert_int_equal(due(), now + HALT);
}

/* Nothing is asked before what was said before can be no answer any more. */
static void settles(uint64_t ms)
{
	for (uint64_t end = now + ms; now < end; now = due()) {
		assert_int_equal(next(), BACKEND_NONE);
		assert_string_equal(got(), "nothing");
		assert_true(due() <= end);
	}
	peer.silent = peer.running = false;
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(strncmp(got(), "qSupported:", 11), 0);
	assert_null(peer.rude);
}

static bool ran(void)
{
	return be->ops->info(be)->was_running;
}

static void it_is_stopped_and_met(void **state)
{
	(void)state;
	is_not_answered();
	peer.silent = false;
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(got(), "^C");
	settles(QUIET);
	assert_true(ran());
	tells("nothing");
}

/* Whoever led it before had agreed with it that nothing is acknowledged. */
static void it_acknowledges_nothing(void **state)
{
	peer.no_ack = true;
	it_is_stopped_and_met(state);
}

/* It stands, and takes its time. */
static void it_answers_just_in_time(void **state)
{
	(void)state;
	peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	(void)got();
	now += 900;
	peer.silent = false;
	peer.no_ack = true; /* it acknowledges what it answers, not what it hears */
	assert_int_equal(says(FEATURES), BACKEND_STOPPED);
	assert_null(strstr(got(), "^C"));
	assert_false(ran());
}

/* To each time that it was asked. */
static void it_answers_late(void **state)
{
	(void)state;
	is_told_to_stop();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(says(FEATURES), BACKEND_NONE);
		assert_int_equal(due(), now + QUIET);
		now += 249;
		assert_int_equal(next(), BACKEND_NONE);
		assert_string_equal(got(), "nothing");
	}
	settles(QUIET - 249);
	assert_false(ran());
	tells("nothing");
}

static void it_stops_and_answers_late(void **state)
{
	(void)state;
	is_told_to_stop();
	assert_int_equal(says("T05thread:1;"), BACKEND_NONE);
	assert_int_equal(says("T05thread:1;"), BACKEND_NONE);
	for (int i = 0; i < 5; i++)
		assert_int_equal(says(FEATURES), BACKEND_NONE);
	settles(QUIET);
	assert_true(ran());
}

static void it_answers_late_and_stops(void **state)
{
	(void)state;
	is_told_to_stop();
	assert_int_equal(says(FEATURES), BACKEND_NONE);
	assert_int_equal(says("T02thread:1;"), BACKEND_NONE);
	settles(QUIET);
	assert_true(ran());
}

/* More of it than a stub that stands may say. */
static void it_prints(void **state)
{
	(void)state;
	peer.running = peer.silent = true;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(says("O41"), BACKEND_NONE);
		now += 10;
	}
	now += HELLO - 1000;
	assert_int_equal(next(), BACKEND_NONE);
	for (int i = 0; i < 100; i++)
		assert_int_equal(says(i % 2 ? "O41" : "Fopen,1/2,0,0"), BACKEND_NONE);
	assert_non_null(strstr(got(), "^C"));
	assert_int_equal(says("T05thread:1;"), BACKEND_NONE);
	settles(QUIET);
	assert_true(ran());
}

/* Faster than it is listened to: nothing can be said then, and that has an end. */
static void it_prints_without_end(void **state)
{
	const uint64_t last = now + HELLO + HALT_LONGEST + 10;
	int rc = BACKEND_NONE;

	(void)state;
	peer.running = peer.silent = true;
	assert_int_equal(next(), BACKEND_NONE);
	for (; now < last && rc >= BACKEND_NONE; now += 5) {
		assert_int_equal(buf_put_text(&peer.out, "$O41#b4"), 0);
		(void)!peer_step(&peer, now);
		rc = be->ops->poll(be, &news, now);
	}
	assert_int_equal(rc, -ETIMEDOUT);
}

/* Until then, gdbserver moves what it did not hear, byte by byte. The break-in is not said again, not even when it is asked for. */
static void it_stops_in_the_end(void **state)
{
	static const struct {
		const char *stop;
		bool ran;
	} v[] = { { "T02thread:1;", true }, { "T05thread:1;", false } }; /* the other one is just switched on, as far as can be known */

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		is_told_to_stop();
		assert_int_equal(buf_put_text(&peer.out, "-"), 0);
		for (uint64_t end = now + HALT_ALL - 1; now < end; now = due() < end ? due() : end) {
			assert_int_equal(next(), BACKEND_NONE);
			assert_string_equal(got(), "nothing");
		}
		assert_int_equal(says(v[i].stop), BACKEND_NONE);
		settles(QUIET);
		assert_int_equal(ran(), v[i].ran);
		end(NULL);
		begin(&(void *){ NULL });
	}
}

static void it_is_not_there(void **state)
{
	(void)state;
	is_told_to_stop();
	for (uint64_t end = now + HALT_ALL; now < end; now = due()) {
		assert_int_equal(next(), BACKEND_NONE);
		assert_string_equal(got(), "nothing");
	}
	assert_int_equal(next(), -ETIMEDOUT);
	assert_true(span_starts(span_of(be->ops->why(be)), "it does not answer, nor stop ("));
	assert_string_equal(got(), "nothing");
}

/* On a machine that is busy, too. */
static void it_is_not_there_for_long(void **state)
{
	(void)state;
	is_told_to_stop();
	now += HALT_LONGEST - 1;
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(due(), now + 1);
	now++;
	assert_int_equal(next(), -ETIMEDOUT);
}

/* As long as something comes, it is asked nothing; of what comes there is an end. */
static void it_does_not_come_to_rest(void **state)
{
	int rc = BACKEND_NONE;

	(void)state;
	is_told_to_stop();
	for (int i = 0; i < 20 && rc == BACKEND_NONE; i++)
		rc = says(i % 2 ? "OK" : "E01"); /* the same twice would be said twice */
	assert_int_equal(rc, -EPROTO);
	assert_string_equal(be->ops->why(be), "it sends packets that nobody asked for");
	end(NULL);
	begin(&(void *){ NULL });
	is_told_to_stop();
	assert_int_equal(says("T02thread:1;"), BACKEND_NONE);
	for (const char *byte = "$O41#b4"; *byte; byte++, now += 400) {
		assert_int_equal(buf_put_u8(&peer.out, (uint8_t)*byte), 0);
		assert_int_equal(next(), BACKEND_NONE);
		assert_string_equal(got(), "nothing");
	}
	settles(QUIET - 400);
	assert_true(ran());
}

/* It is told to stop once: a second silence is the end. */
static void it_stops_and_is_silent(void **state)
{
	(void)state;
	is_told_to_stop();
	assert_int_equal(says("T02thread:1;"), BACKEND_NONE);
	now += QUIET;
	for (uint64_t end = now + HELLO; now < end; now = due())
		assert_int_equal(next(), BACKEND_NONE);
	assert_null(strstr(got(), "^C"));
	assert_int_equal(next(), -ETIMEDOUT);
}

/* ---- bytes that are no packets ---- */

static void bytes(void **state)
{
	static const char *const v[][2] = {
		{ "boo", "noise: bytes that are no packet" }, { "%Stop:T05#99", "unasked: a notification that nobody asked for" }, { "+-", "nothing" },
	};

	(void)state;
	meets();
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		assert_int_equal(buf_put_text(&peer.out, v[i][0]), 0);
		assert_int_equal(next(), BACKEND_NONE);
		tells(v[i][1]);
	}
	assert_int_equal(buf_put_text(&peer.out, "$O4"), 0);
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(due(), now + 5000 + 4);
	now += 5004;
	assert_int_equal(next(), BACKEND_NONE);
	tells("noise: a packet that did not end in time");
	assert_int_equal(buf_put_text(&peer.out, "$OK#00"), 0);
	assert_int_equal(next(), -EPROTO); /* without acknowledgements nothing is said again */
	assert_string_equal(incident(), "noise: a packet with a wrong checksum");
	tells("lost: given up: its packets have wrong checksums");
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
		CASE_OF(it_was_running, qemu), CASE(it_is_stopped_first), CASE(it_stood_after_all), CASE(the_line_is_cut), CASE(the_line_times_out),
		CASE(waits_for_the_right_one), CASE(no_right_one_comes), CASE(a_read_that_goes_wrong), CASE(too_many_lies), CASE(too_many_lies_at_once),
		CASE_OF(a_pc_that_is_none, trap), CASE(a_stop_in_the_place_of_an_answer), CASE(unasked), CASE(stops_that_make_no_sense),
		CASE(ends_of_its_program), CASE(a_monitor_command_without_an_end), CASE(words_of_errors), CASE(thread_lists),
		CASE(a_thread_list_without_an_end), CASE(file_requests), CASE(a_long_write), CASE(file_requests_without_an_end),
		CASE(beside_a_file_request), CASE(a_write_whose_bytes_do_not_come), CASE(a_write_that_hangs), CASE(a_break_while_it_writes),
		CASE(a_write_while_it_is_stopped), CASE(the_line_is_cut_while_it_writes), CASE(a_strange_hello), CASE(a_stop_within_the_hello),
		CASE(a_question_that_was_not_taken), CASE(it_is_stopped_and_met), CASE_OF(it_is_stopped_and_met, kgdb), CASE(it_acknowledges_nothing),
		CASE(it_answers_just_in_time), CASE(it_answers_late), CASE(it_stops_and_answers_late), CASE(it_answers_late_and_stops),
		CASE(it_prints), CASE(it_prints_without_end), CASE(it_stops_in_the_end), CASE(it_is_not_there), CASE(it_is_not_there_for_long),
		CASE(it_does_not_come_to_rest), CASE(it_stops_and_is_silent), CASE(bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
