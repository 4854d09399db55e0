/* session_test.c - one client's conversation without a target: its states, its deadlines, its ceilings. What it looks like
 * with a target is told in tests/golden. */
#include "proxy/session.h"

#include "backends/link/link.h"
#include "proxy/audit_log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct session s;
static struct link *far;
static struct audit_log audit;
static struct rsp_framer framer;
static struct buf rx;
static char text[SESSION_OUT];
static uint64_t now;

static int begin(void **state)
{
	struct session_who who = { .id = 1, .target = "dut", .policy = policy_builtin(*state ? *state : "full"), .audit = &audit };
	struct link *near = link_pair_new(&far, 4096);

	now = 1000;
	assert_non_null(near);
	assert_int_equal(session_init(&s, &who, near, now), 0);
	s.role = SESSION_CONTROLLER;
	assert_int_equal(rsp_framer_init(&framer, RSP_TOLERANT, SESSION_OUT), 0);
	return buf_init(&rx, SESSION_OUT);
}

static int end(void **state)
{
	(void)state;
	session_fini(&s);
	link_destroy_stack(far);
	rsp_framer_fini(&framer);
	buf_fini(&rx);
	return 0;
}

static void send_raw(const char *bytes)
{
	struct buf b = { .base = (uint8_t[300]){ 0 }, .cap = 300 };

	assert_int_equal(buf_put_text(&b, bytes), 0);
	assert_int_equal(link_send(far, &b, now), 0);
}

static void send_packet(const char *body)
{
	static uint8_t room[40000];
	struct buf b = { .base = room, .cap = sizeof room };

	assert_int_equal(rsp_frame(&b, span_of(body)), 0);
	assert_int_equal(link_send(far, &b, now), 0);
}

/* Until nothing moves: the last thing a step said of itself. */
static int settle(void)
{
	int rc, last = 0;

	for (int i = 0; (rc = session_step(&s, now)) != 0 && i < 10000; i++) {
		last = rc;
		if (rc < 0)
			break;
	}
	return last;
}

/* All that it was told since the last call, packet by packet, with a blank between; acknowledgements as + and -. */
static const char *heard(void)
{
	struct buf out = { .base = (uint8_t *)text, .cap = sizeof text - 1 };
	enum rsp_event ev;

	while (link_recv(far, &rx, now) == 1)
		while (rx.len) {
			assert_int_equal(buf_pull(&rx, rsp_framer_feed(&framer, buf_span(&rx), &ev)), 0);
			if (ev == RSP_ACK || ev == RSP_NAK)
				assert_int_equal(buf_put_u8(&out, ev == RSP_ACK ? '+' : '-'), 0);
			if (ev != RSP_PACKET && ev != RSP_NOTIFY)
				continue;
			assert_int_equal(buf_put_text(&out, ev == RSP_NOTIFY ? " %" : " "), 0);
			assert_int_equal(buf_put_span(&out, buf_span(&framer.body)), 0);
		}
	text[out.len] = 0;
	return text;
}

static void says(const char *packet, enum session_state then, const char *answer)
{
	send_packet(packet);
	settle();
	assert_int_equal(s.state, then);
	assert_string_equal(heard(), answer);
}

static void stops(unsigned sig)
{
	struct rsp_stop stop = { .code = (uint8_t)sig, .has_thread = true, .thread = { 0, 2 } };

	session_tell(&s, SESSION_STOP, &(struct session_news){ .stop = &stop });
	settle();
}

static void prints(const char *words)
{
	session_tell(&s, SESSION_PRINT, &(struct session_news){ .text = span_of(words) });
	settle();
}

/* A row of the table each: from a state, by what is said, to a state. */
static void states_and_events(void **state)
{
	static const struct {
		enum session_state from;
		enum session_event ev;
		enum session_state to;
	} rows[] = {
		{ SESSION_IDLE, SESSION_ASK, SESSION_QUEUED },          { SESSION_QUEUED, SESSION_TAKEN, SESSION_ASKED },
		{ SESSION_QUEUED, SESSION_RESUMED, SESSION_RESUMING },  { SESSION_QUEUED, SESSION_FOLLOWS, SESSION_RUNNING },
		{ SESSION_QUEUED, SESSION_REFUSE, SESSION_IDLE },       { SESSION_ASKED, SESSION_REFUSE, SESSION_IDLE },
		{ SESSION_RESUMING, SESSION_FOLLOWS, SESSION_RUNNING }, { SESSION_RESUMING, SESSION_REFUSE, SESSION_IDLE },
		{ SESSION_RUNNING, SESSION_STOP, SESSION_IDLE },        { SESSION_RUNNING, SESSION_PRINT, SESSION_RUNNING },
		{ SESSION_IDLE, SESSION_STOP, SESSION_IDLE },           { SESSION_ASKED, SESSION_STOP, SESSION_ASKED },
		{ SESSION_IDLE, SESSION_PRINT, SESSION_IDLE },          { SESSION_ASKED, SESSION_PRINT, SESSION_ASKED },
		{ SESSION_DRAINING, SESSION_REPLY, SESSION_DRAINING },  { SESSION_DRAINING, SESSION_REFUSE, SESSION_DRAINING },
		{ SESSION_DRAINING, SESSION_STOP, SESSION_DRAINING },   { SESSION_DRAINING, SESSION_PRINT, SESSION_DRAINING },
		{ SESSION_DRAINING, SESSION_STATUS, SESSION_DRAINING }, { SESSION_DEAD, SESSION_LEAVE, SESSION_DEAD },
		{ SESSION_DEAD, SESSION_PRINT, SESSION_DEAD },          { SESSION_DEAD, SESSION_STOP, SESSION_DEAD },
		{ SESSION_IDLE, SESSION_LEAVE, SESSION_DRAINING },      { SESSION_RUNNING, SESSION_LEAVE, SESSION_DRAINING },
		{ SESSION_ASKED, SESSION_LOST, SESSION_DEAD },          { SESSION_IDLE, SESSION_TAKEN, SESSION_DEAD }, /* out of step */
		{ SESSION_IDLE, SESSION_FOLLOWS, SESSION_DEAD },        { SESSION_RUNNING, SESSION_ASK, SESSION_DEAD },
		{ SESSION_ASKED, SESSION_STATUS, SESSION_DEAD },        { SESSION_RUNNING, SESSION_TAKEN, SESSION_DEAD },
	};
	struct rsp_stop stop = { .code = 5 };
	struct rsp_reply ok = { .kind = RSP_REPLY_OK };
	struct session_news news = { .stop = &stop, .reply = &ok, .words = "no", .text = span_of("hello") };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		s.state = rows[i].from;
		s.why = NULL;
		session_tell(&s, rows[i].ev, &news);
		if (s.state != rows[i].to)
			print_error("row %zu\n", i);
		assert_int_equal(s.state, rows[i].to);
		assert_true(s.state != SESSION_DEAD || rows[i].from == SESSION_DEAD || s.why);
	}
}

static void a_command_and_its_answer(void **state)
{
	(void)state;
	says("m1000,4", SESSION_QUEUED, "+");
	session_tell(&s, SESSION_TAKEN, NULL);
	send_packet("g"); /* stays unread */
	settle();
	assert_int_equal(s.state, SESSION_ASKED);
	session_tell(&s, SESSION_REPLY,
	             &(struct session_news){ .reply = &(struct rsp_reply){ .kind = RSP_REPLY_BYTES, .bytes = span_of("abc") } });
	settle();
	assert_string_equal(heard(), " 616263+");
	assert_int_equal(s.state, SESSION_QUEUED);
}

/* Acknowledged still, and nothing after it; a NAK is not answered by a resend, which nothing could have lost. */
static void acknowledgements(void **state)
{
	(void)state;
	send_raw("+");
	says("QStartNoAckMode", SESSION_IDLE, "+ OK");
	says("vMustReplyEmpty", SESSION_IDLE, " ");
	send_raw("-");
	settle();
	assert_string_equal(heard(), "");
	send_raw("$g#00");
	settle();
	assert_int_equal(s.state, SESSION_DEAD);
}

static void wrong_checksums_in_ack_mode(void **state)
{
	(void)state;
	for (int i = 0; i < SESSION_MALFORMED; i++) {
		send_raw("$g#00");
		settle();
		assert_string_equal(heard(), "-");
	}
	send_raw("$g#00");
	settle();
	assert_false(session_lives(&s));
}

static void malformed_without_an_end(void **state)
{
	(void)state;
	for (int i = 0; i < SESSION_MALFORMED; i++)
		says("mzz", SESSION_IDLE, "+ E01");
	says("vMustReplyEmpty", SESSION_IDLE, "+ "); /* a good one pays for all */
	for (int i = 0; i < SESSION_MALFORMED; i++)
		says("mzz", SESSION_IDLE, "+ E01");
	assert_true(session_lives(&s));
}

static void packets_of_every_length(void **state)
{
	static char body[SESSION_PACKET + 3] = "vMustReplyEmpty";

	(void)state;
	memset(body + strlen(body), 'A', SESSION_PACKET - strlen(body));
	says(body, SESSION_IDLE, "+ ");
	body[SESSION_PACKET] = 'A';
	send_packet(body);
	settle();
	assert_string_equal(heard(), "+ E01");
	assert_int_equal(s.state, SESSION_IDLE);
}

static void break_while_running(void **state)
{
	(void)state;
	says("c", SESSION_QUEUED, "+");
	session_tell(&s, SESSION_RESUMED, NULL);
	send_raw("\003");
	assert_int_equal(settle(), 0); /* unread until it runs */
	session_tell(&s, SESSION_FOLLOWS, NULL);
	assert_int_equal(session_step(&s, now), SESSION_BREAK);
	assert_int_equal(s.state, SESSION_RUNNING);
	stops(2);
	assert_string_equal(heard(), " T02thread:2;");
}

static void break_of_an_observer(void **state)
{
	(void)state;
	s.role = SESSION_OBSERVER;
	says("c", SESSION_QUEUED, "+");
	assert_int_equal(s.cmd.op, RSP_OP_FOLLOW);
	session_tell(&s, SESSION_FOLLOWS, NULL);
	send_raw("\003");
	assert_int_equal(settle(), SESSION_MOVED);
	assert_string_equal(heard(), " T02");
	assert_int_equal(s.state, SESSION_IDLE);
}

static void break_while_nothing_is_under_way(void **state)
{
	(void)state;
	send_raw("\003\003\003");
	settle();
	says("c", SESSION_QUEUED, "+");
	session_tell(&s, SESSION_RESUMED, NULL);
	session_tell(&s, SESSION_FOLLOWS, NULL);
	assert_int_equal(settle(), 0);
	assert_int_equal(s.state, SESSION_RUNNING);
}

static void text_waits_for_a_run(void **state)
{
	(void)state;
	prints("early ");
	prints("bird\n");
	assert_string_equal(heard(), "");
	says("c", SESSION_QUEUED, "+");
	session_tell(&s, SESSION_RESUMED, NULL);
	session_tell(&s, SESSION_FOLLOWS, NULL);
	settle();
	assert_string_equal(heard(), " O6561726c7920626972640a");
	prints("now");
	assert_string_equal(heard(), " O6e6f77");
}

/* A client that does not run never hears it; what is held has an end, and what was first is kept. */
static void text_that_waits_is_bounded(void **state)
{
	static char line[1001];

	(void)state;
	memset(line, 'x', sizeof line - 1);
	for (int i = 0; i < 200; i++)
		prints(line);
	assert_int_equal(s.state, SESSION_IDLE);
	assert_int_equal(s.held.len, SESSION_HELD);
}

/* A client that does not read loses text, never replies. */
static void text_for_the_deaf(void **state)
{
	static char line[8001];
	struct rsp_stop stop = { .code = 5 };

	(void)state;
	memset(line, 'x', sizeof line - 1);
	says("c", SESSION_QUEUED, "+");
	session_tell(&s, SESSION_RESUMED, NULL);
	session_tell(&s, SESSION_FOLLOWS, NULL);
	for (int i = 0; i < 1000; i++)
		session_tell(&s, SESSION_PRINT, &(struct session_news){ .text = span_of(line) });
	assert_int_equal(s.state, SESSION_RUNNING);
	assert_true(buf_room(&s.out) >= SESSION_PACKET + 64);
	session_tell(&s, SESSION_STOP, &(struct session_news){ .stop = &stop });
	assert_int_equal(s.state, SESSION_IDLE);
}

static void due(uint64_t at)
{
	assert_int_equal(session_wait(&s).until, at);
	now = at - 1;
	settle();
	assert_true(session_lives(&s));
	now = at;
	settle();
}

static void says_nothing(void **state)
{
	(void)state;
	due(1000 + SESSION_FIRST_MS);
	assert_int_equal(s.state, SESSION_DEAD);
	assert_string_equal(s.why, "it connected and said nothing");
	assert_int_equal(session_wait(&s).until, NEVER);
}

static void half_a_packet(void **state)
{
	(void)state;
	says("vMustReplyEmpty", SESSION_IDLE, "+ ");
	assert_int_equal(session_wait(&s).until, NEVER);
	send_raw("$m10");
	settle();
	due(1000 + SESSION_FRAME_MS);
	assert_int_equal(s.state, SESSION_DEAD);
}

/* Each packet has its own time, though the next begins in the same breath. */
static void packets_that_come_in_halves(void **state)
{
	(void)state;
	send_raw("$vMust");
	for (int i = 0; i < 10; i++) {
		settle();
		now += SESSION_FRAME_MS - 1000;
		send_raw("ReplyEmpty#3a$vMust");
		settle();
		assert_string_equal(heard(), "+ ");
	}
	assert_int_equal(s.state, SESSION_IDLE);
	assert_int_equal(session_wait(&s).until, now + SESSION_FRAME_MS);
}

static void kept_alive(void **state)
{
	(void)state;
	says("g", SESSION_QUEUED, "+");
	due(1000 + SESSION_BEAT_MS);
	assert_string_equal(heard(), " %kdgate:wait");
	due(now + SESSION_BEAT_MS);
	assert_string_equal(heard(), " %kdgate:wait");
}

/* lldb would take it for the answer. */
static void lldb_is_not_kept_alive(void **state)
{
	(void)state;
	says("QStartNoAckMode", SESSION_IDLE, "+ OK");
	assert_true(s.dialect.lldb);
	says("g", SESSION_QUEUED, "");
	assert_int_equal(session_wait(&s).until, 1000 + SESSION_WAIT_MS);
	now += 3000;
	settle();
	assert_string_equal(heard(), "");
}

static void noise(void **state)
{
	char bytes[SESSION_NOISE + 1] = "";

	(void)state;
	memset(bytes, 'x', SESSION_NOISE);
	send_raw(bytes);
	settle();
	assert_true(session_lives(&s));
	send_raw("x");
	settle();
	assert_int_equal(s.state, SESSION_DEAD);
	assert_string_equal(s.why, "it does not speak the GDB remote protocol");
}

/* What is written still goes, for a while. */
static void leaves_when_it_has_read(void **state)
{
	(void)state;
	send_packet("D");
	assert_int_equal(session_step(&s, now), SESSION_MOVED);
	assert_int_equal(s.state, SESSION_DRAINING);
	send_packet("g");
	assert_int_equal(session_wait(&s).until, now + SESSION_DRAIN_MS);
	settle();
	assert_int_equal(s.state, SESSION_DEAD);
	assert_string_equal(heard(), "+ OK");
}

static void closed_by_its_client(void **state)
{
	(void)state;
	send_packet("vMustReplyEmpty");
	link_destroy_stack(far);
	far = NULL;
	assert_int_equal(settle(), -EPIPE);
	assert_int_equal(s.state, SESSION_DEAD);
}

/* Whose next words must wait for a stop is still seen to go, however much it had to say. */
static void gone_while_its_words_wait(void **state)
{
	(void)state;
	says("c", SESSION_QUEUED, "+");
	session_tell(&s, SESSION_RESUMED, NULL);
	session_tell(&s, SESSION_FOLLOWS, NULL);
	for (int i = 0; i < 20; i++) {
		send_packet("m1000,4");
		settle();
		assert_true(session_wait(&s).read);
	}
	assert_int_equal(s.state, SESSION_RUNNING);
	link_destroy_stack(far);
	far = NULL;
	settle();
	assert_int_equal(s.state, SESSION_DEAD);
}

/* The same packet, judged as what it means; denied without the target. */
static void an_observers_resume_is_a_question(void **state)
{
	(void)state;
	says("c", SESSION_IDLE, "+ E.kdgate: policy observe does not allow run");
	s.role = SESSION_OBSERVER;
	says("c", SESSION_QUEUED, "+");
	session_ok(&s);
	says("bc", SESSION_QUEUED, " OK+");
	session_ok(&s);
	says("vCont;c", SESSION_QUEUED, " OK+");
	session_ok(&s);
	says("M0,1:00", SESSION_IDLE, " OK+ E.kdgate: policy observe does not allow mem.write");
	assert_int_equal(s.denied, 2);
}

/* What no built-in policy allows, too. */
static void may_do_all(struct policy *all)
{
	char why[256];

	assert_int_equal(policy_init(all, "all"), 0);
	assert_int_equal(policy_add(all, "allow all", why, sizeof why), 0);
	s.who.policy = all;
}

static void may_as_before(struct policy *all)
{
	s.who.policy = policy_builtin("full");
	policy_fini(all);
}

/* Refused in each command's own form, and counted; none of it waits for the target. */
static void secure_mode(void **state)
{
	static const struct latch secure = { true };
	static const struct {
		const char *packet, *answer;
	} cases[] = {
		{ "vFile:setfs:0", " F-1,1" },
		{ "vFile:open:6a7573742070726f62696e67,0,1c0", " F-1,1" },
		{ "vFile:unlink:2f", " F-1,1" },
		{ "vRun;2f62696e", " E.kdgate: secure mode: no programs and no processes of the stub's host" },
		{ "vAttach;1", " E.kdgate: secure mode: no programs and no processes of the stub's host" },
		{ "QEnvironmentReset", " E.kdgate: secure mode: no programs and no processes of the stub's host" },
		{ "qRcmd,7265736574", " E.kdgate: secure mode: no rule names this monitor command" },
		{ "qXfer:exec-file:read::0,fff", " " },
		{ "qXfer:osdata:read:processes:0,fff", " " },
		{ "qPlatform_shell:6c73,1", " " },
		{ "QTSave:2f", " " },
		{ "QTDP:1:1:E:0:0", " " },
		{ "vSecret;1", " " },
	};
	struct policy all;

	(void)state;
	may_do_all(&all);
	s.dialect.error_text = true;
	says("QStartNoAckMode", SESSION_IDLE, "+ OK");
	s.dialect.lldb = false;
	(void)heard();
	s.who.latch = &secure;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		says(cases[i].packet, SESSION_IDLE, cases[i].answer);
		assert_int_equal(s.denied, i + 1);
	}
	says("m1000,4", SESSION_QUEUED, "");
	session_ok(&s);
	s.who.latch = NULL;
	says("vFile:unlink:2f", SESSION_QUEUED, " OK");
	session_ok(&s);
	says("vRun;2f62696e", SESSION_QUEUED, " OK");
	may_as_before(&all);
}

/* gdb takes an empty answer for leave to open the path at home. */
static void a_stub_without_files(void **state)
{
	struct policy all;

	(void)state;
	may_do_all(&all);
	says("vFile:open:2f,0,0", SESSION_QUEUED, "+");
	session_unsupported(&s);
	says("vFile:setfs:0", SESSION_QUEUED, " F-1,1+");
	session_unsupported(&s);
	settle();
	assert_string_equal(heard(), " ");
	may_as_before(&all);
}

static char observe[] = "observe";

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(states_and_events), CASE(a_command_and_its_answer), CASE(acknowledgements), CASE(wrong_checksums_in_ack_mode),
		CASE(malformed_without_an_end), CASE(break_while_running), CASE(break_of_an_observer),
		CASE(break_while_nothing_is_under_way), CASE(text_waits_for_a_run), CASE(text_that_waits_is_bounded),
		CASE(text_for_the_deaf), CASE(says_nothing), CASE(half_a_packet), CASE(packets_that_come_in_halves),
		CASE(kept_alive), CASE(lldb_is_not_kept_alive), CASE(noise), CASE(leaves_when_it_has_read),
		CASE(secure_mode), CASE(a_stub_without_files), CASE(closed_by_its_client), CASE(gone_while_its_words_wait),
		cmocka_unit_test_prestate_setup_teardown(packets_of_every_length, begin, end, observe),
		cmocka_unit_test_prestate_setup_teardown(an_observers_resume_is_a_question, begin, end, observe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
