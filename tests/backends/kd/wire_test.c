/* wire_test.c - the rules of the KD wire, each named after its trap; a simulated target over a line that loses; recordings of real ones. */
#include "backends/kd/wire.h"
#include "base/wait.h"
#include "tests/backends/kd/wire_model.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A conversation, line by line:
 *	<  these frames come        =  these events were, since the last =       >  these frames are due, all of them
 *	s text  a request is sent   S  it is not taken: one is out               t ms  so much later, and a tick
 *	r reset   b break-in   k ask   a answered   n a new connection */
struct stage {
	struct kd_wire w;
	uint64_t now;
	size_t step; /* bytes of the stream that come at once; 0: whole frames */
	char log[512];
};

static void note(struct stage *g, const char *word, const char *more)
{
	size_t n = strlen(g->log);

	(void)snprintf(g->log + n, sizeof g->log - n, "%s%s%s", n ? " " : "", word, more);
}

static void note_event(struct stage *g, int rc, const struct kd_packet *p)
{
	static const char *const words[] = { [KD_WIRE_ACKED] = "acked", [KD_WIRE_RESTARTED] = "restarted", [KD_WIRE_RESET_DONE] = "reset" };
	char text[FRAME_TEXT];

	if (rc == KD_WIRE_DATA) {
		(void)snprintf(text, sizeof text, "%.*s", (int)p->payload.len, (const char *)p->payload.p);
		note(g, "data:", text);
	} else if (rc < 0)
		note(g, rc == -EPROTO ? "proto" : rc == -ETIMEDOUT ? "timeout" : "error", "");
	else if (rc > KD_WIRE_MOVED)
		note(g, words[rc], "");
}

static void take_all(struct stage *g, const uint8_t *bytes, size_t n)
{
	struct buf in = { .base = guard_copy(bytes, n), .cap = n, .len = n };
	struct kd_packet p;
	int rc;

	do {
		bool some = in.len || kd_wire_keeps(&g->w);

		rc = kd_wire_take(&g->w, &in, &p, g->now);
		assert_true(some || rc == KD_WIRE_NONE);
		note_event(g, rc, &p);
	} while (rc != KD_WIRE_NONE);
	assert_int_equal(in.len, 0);
}

static void comes(struct stage *g, const char *words)
{
	char copy[512], *save = NULL;
	uint8_t bytes[FRAME_ROOM];

	(void)snprintf(copy, sizeof copy, "%s", words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t n = frame_of(word, g->w.dialect == KD_WIRE_COM, bytes), step = g->step ? g->step : n;

		for (size_t at = 0; at < n; at += step)
			take_all(g, bytes + at, n - at < step ? n - at : step);
	}
}

static void is_due(struct stage *g, const char *words)
{
	uint8_t room[KD_FRAME_MAX];
	char got[512] = "", word[FRAME_ROOM + 32];
	struct buf frame = { .base = room, .cap = sizeof room };

	while (kd_wire_next(&g->w, &frame, g->now) == 1) {
		frame_word(room, frame.len, g->w.dialect == KD_WIRE_COM, word, sizeof word);
		(void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", *got ? " " : "", word);
		buf_reset(&frame, 0);
	}
	assert_string_equal(got, words);
}

static void later(struct stage *g, uint64_t ms)
{
	int rc;

	g->now += ms;
	rc = kd_wire_tick(&g->w, g->now);
	note_event(g, rc, NULL);
	assert_true(rc || kd_wire_until(&g->w) > g->now);
}

static void act(struct stage *g, const char *line)
{
	const char *rest = line[1] ? line + 2 : "";

	switch (*line) {
	case '<':
		return comes(g, rest);
	case '=':
		assert_string_equal(g->log, rest);
		g->log[0] = '\0';
		return;
	case '>':
		return is_due(g, rest);
	case 's':
		assert_true(kd_wire_idle(&g->w));
		assert_int_equal(kd_wire_send(&g->w, KD_TYPE_MANIPULATE, (struct span){ (const uint8_t *)rest, 1 }, span_of(rest + 1)), 0);
		return;
	case 'S':
		assert_false(kd_wire_idle(&g->w));
		assert_int_equal(kd_wire_send(&g->w, KD_TYPE_MANIPULATE, span_of("x"), span_of("")), -EBUSY);
		return;
	case 't':
		return later(g, strtoul(rest, NULL, 10));
	case 'r':
		return kd_wire_reset(&g->w);
	case 'b':
		return kd_wire_break_in(&g->w);
	case 'k':
		return kd_wire_ask(&g->w);
	case 'a':
		return kd_wire_answered(&g->w);
	case 'n':
		return kd_wire_restart(&g->w);
	default:
		fail_msg("no such line: %s", line);
	}
}

static void play_once(enum kd_dialect d, const char *const *lines, size_t step)
{
	struct stage g = { .step = step, .now = 5000 };

	assert_int_equal(kd_wire_init(&g.w, d), 0);
	for (; *lines; lines++) {
		act(&g, *lines);
		if (g.log[0] && (lines[1] ? lines[1][0] == '>' : true))
			fail_msg("%s: events nobody expects: %s", *lines, g.log);
	}
	kd_wire_fini(&g.w);
}

static void play(enum kd_dialect d, const char *const *lines)
{
	static const size_t steps[] = { 0, 1, 2, 5, 17 };

	for (size_t i = 0; i < (d == KD_WIRE_COM ? sizeof steps / sizeof *steps : 1); i++)
		play_once(d, lines, steps[i]);
}

#define SCRIPT(name, dialect, ...)                              \
	static void name(void **state)                          \
	{                                                       \
		static const char *const l[] = { __VA_ARGS__, 0 }; \
		(void)state;                                    \
		play(dialect, l);                               \
	}

/* clang-format off */
SCRIPT(com_request_and_answer, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "> A80800000",
	"s version", "> D2.80800000.version", "S", "< A80800000 D2.80800001.9600", "= acked data:9600", "> A80800001",
	"s read", "> D2.80800001.read", "< A80800001 D2.80800000.bytes", "= acked data:bytes", "> A80800000")

SCRIPT(com_ack_is_without_sync, KD_WIRE_COM, "< D3.80800801.hello", "= data:hello", "> A80800001")

SCRIPT(com_first_packet_of_a_stranger_may_have_any_id, KD_WIRE_COM,
	"< D7.80800001.stop", "= data:stop", "> A80800001", "< D3.80800000.text", "= data:text", "> A80800000")

SCRIPT(com_a_copy_is_acknowledged_and_dropped, KD_WIRE_COM,
	"< D3.80800800.one", "= data:one", "> A80800000", "< D3.80800001.two", "= data:two", "> A80800001",
	"< D3.80800001.two", "=", "> A80800001", "< D3.80800001.two D3.80800001.two", "=", "> A80800001",
	"< D3.80800000.three", "= data:three", "> A80800000")

SCRIPT(com_copies_of_the_first_packet_are_no_restart, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "< D7.80800800.stop", "=", "> A80800000", "s go", "> D2.80800000.go",
	"< D7.80800800.stop", "=", "> A80800000", "< A80800000", "= acked")

SCRIPT(com_a_restart_takes_our_id_back_too, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "> A80800000", "s go", "> D2.80800000.go", "< A80800000", "= acked",
	"< D3.80800800.boot", "= restarted data:boot", "> A80800000", "s version", "> D2.80800000.version")

SCRIPT(com_acks_of_before_do_not_outlive_a_restart, KD_WIRE_COM,
	"< D7.80800001.stop D3.80800800.boot", "= data:stop restarted data:boot", "> A80800000")

SCRIPT(com_a_restart_with_the_same_words, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "> A80800000", "s go", "> D2.80800000.go", "< A80800000", "= acked",
	"< D7.80800800.stop", "= restarted data:stop", "> A80800000", "s go", "> D2.80800000.go")

SCRIPT(com_a_restart_drops_our_packet, KD_WIRE_COM,
	"< D7.80800001.stop", "= data:stop", "> A80800001", "s go", "> D2.80800000.go",
	"< D3.80800800.boot", "= restarted data:boot", "> A80800000", "s on", "> D2.80800000.on", "< A80800000", "= acked")

SCRIPT(com_a_restart_is_told_though_we_only_spoke, KD_WIRE_COM,
	"s hello", "> D2.80800000.hello", "< D3.80800800.boot", "= restarted data:boot", "> A80800000", "s on", "> D2.80800000.on")

SCRIPT(com_stubs_that_count_as_they_like, KD_WIRE_COM,
	"< D7.80800000.stop", "= data:stop", "> A80800000", "< D2.80800000.other", "= data:other", "> A80800000",
	"< D2.80800000.other", "=", "> A80800000", "< D2.80800001.next", "= data:next", "> A80800001",
	"< D2.80800004.odd", "=", "> A80800004")

SCRIPT(com_sums_alike_are_not_texts_alike, KD_WIRE_COM,
	"< D3.80800000.tick67", "= data:tick67", "> A80800000", "< D3.80800000.tick76", "= data:tick76", "> A80800000")

SCRIPT(data_while_an_ack_is_awaited, KD_WIRE_COM,
	"< D7.80800000.stop", "= data:stop", "> A80800000", "s find", "> D2.80800000.find",
	"< D3.80800001.print", "= data:print", "> A80800001", "S", "< A80800000", "= acked", ">")

SCRIPT(the_answer_came_and_its_ack_did_not, KD_WIRE_COM,
	"< D7.80800000.stop", "= data:stop", "> A80800000", "s read", "> D2.80800000.read",
	"< D2.80800001.bytes", "= data:bytes", "S", "a", "> A80800001", "s more", "> D2.80800001.more",
	"< A80800000", "=", "S", "< A80800001", "= acked", "t 5000", "=", ">")

SCRIPT(answered_takes_nothing_that_has_not_gone, KD_WIRE_COM, "s read", "a", "S", "> D2.80800000.read", "a", "s more", "> D2.80800001.more")

SCRIPT(ack_of_another_packet, KD_WIRE_COM,
	"s read", "< A80800000", "=", "> D2.80800000.read", "< A80800001 A80800800 A0", "=", "S", "< A80800000", "= acked")

SCRIPT(no_ack_so_again_with_the_same_id, KD_WIRE_COM,
	"s read", "t 60000", "=", "> D2.80800000.read", "t 1007", "=", ">", "t 1", "=", "> D2.80800000.read",
	"t 1008", "=", "> D2.80800000.read", "< A80800000 A80800000", "= acked", "t 5000", "=", ">")

SCRIPT(not_for_ever, KD_WIRE_COM,
	"s read", "> D2.80800000.read", "t 2000", "> D2.80800000.read", "t 2000", "> D2.80800000.read", "t 2000", "> D2.80800000.read",
	"t 2000", "> D2.80800000.read", "t 2000", "= timeout", ">", "s more", "> D2.80800001.more")

SCRIPT(resend_is_the_same_packet, KD_WIRE_COM,
	"s read", "> D2.80800000.read", "< N", "=", "> D2.80800000.read", "< A80800000", "= acked", "< N", "=", ">")

SCRIPT(many_resends_at_once_are_one, KD_WIRE_COM,
	"s read", "< N", "> D2.80800000.read", "< N N N N N N N N N N N N", "=", "> D2.80800000.read", ">")

SCRIPT(com_resend_without_end, KD_WIRE_COM,
	"s read", "> D2.80800000.read", "< N", "> D2.80800000.read", "< N", "> D2.80800000.read", "< N", "> D2.80800000.read",
	"< N", "> D2.80800000.read", "< N", ">", "t 1500", "> D2.80800000.read", "< N", "= proto", ">", "s more", "> D2.80800001.more")

/* An ACK was lost: the target takes the header for it, and what stands in the payload for packets. */
SCRIPT(what_a_target_picks_out_of_a_payload_ends_when_the_line_is_silent, KD_WIRE_COM,
	"< D7.80800000.stop", "= data:stop", "> A80800000", "s 0000iiii", "> D2.80800000.0000iiii", "< N", "> D2.80800000.0000iiii", "< N",
	"> D2.80800000.0000iiii", "< N", "> D2.80800000.0000iiii", "< N", "> D2.80800000.0000iiii", "< N N", "t 1000", "< N N N", "=", ">", "t 499", ">", "t 1", "=",
	"> D2.80800000.0000iiii", "< A80800000", "= acked", "t 5000", "=", ">", "s read", "> D2.80800001.read", "< N", "> D2.80800001.read")

SCRIPT(damaged_so_resend, KD_WIRE_COM,
	"< !D3.80800800.text", "=", "> N", "< D3.80800800.text", "= data:text", "> A80800000", "< !D3.80800001.a !D3.80800001.b",
	"=", "> N")

SCRIPT(a_byte_was_lost, KD_WIRE_COM,
	"< ~303030300300030000008080260100006162aa", "=", ">", "< D3.80800000.abc", "= data:abc", "> A80800000 N")

SCRIPT(half_a_packet_does_not_stand_for_ever, KD_WIRE_COM,
	"< ~303030300300a00f0000808026010000616263", "t 1005", "=", ">", "t 1", "=", "> N", "< D3.80800000.abc", "= data:abc",
	"> A80800000",
	"< ~3030", "t 1000", "=", ">", "< D3.80800001.def", "= data:def", "> A80800001")

SCRIPT(what_is_just_coming_may_be_the_ack, KD_WIRE_COM,
	"s read", "> D2.80800000.read", "t 1007", "< ~696969690400000000008080", "t 500", "=", ">", "< ~00000000", "= acked")

SCRIPT(half_a_packet_is_no_ack, KD_WIRE_COM,
	"s read", "> D2.80800000.read", "t 1007", "< ~69696969", "t 1001", "=", "> D2.80800000.read")

SCRIPT(com_our_reset, KD_WIRE_COM,
	"< D7.80800001.stop", "= data:stop", "> A80800001", "s go", "> D2.80800000.go", "r", "> R0",
	"< R0", "= reset", ">", "< D7.80800000.stop", "= data:stop", "> A80800000", "s version", "> D2.80800000.version")

SCRIPT(com_our_reset_crossed_the_first_packet, KD_WIRE_COM,
	"r", "> R0", "< D7.80800800.stop", "= data:stop", "> A80800000", "s version", "> D2.80800000.version",
	"< R0 D7.80800000.stop A80800000", "= data:stop acked", "> A80800000", "< D2.80800001.answer", "= data:answer", "> A80800001",
	"s next", "> D2.80800001.next")

SCRIPT(com_the_answer_to_our_reset_was_lost, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "> A80800000", "s read", "> D2.80800000.read", "< A80800000", "= acked", "r", "> R0",
	"t 90", "< D7.80800000.stop", "= reset data:stop", "> A80800000", "< D3.80800001.a", "= data:a", "> A80800001",
	"< D3.80800000.b", "= data:b", "> A80800000", "s version", "> D2.80800000.version")

SCRIPT(com_a_reset_nobody_hears_changes_nothing, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "> A80800000", "s go", "> D2.80800000.go", "< A80800000", "= acked", "r", "> R0", "t 100",
	"< D3.80800001.text", "= data:text", "> A80800001", "t 1900", "< D3.80800000.late", "= data:late", "> A80800000", "s go",
	"> D2.80800001.go")

SCRIPT(com_a_reset_that_has_not_gone_has_no_answer, KD_WIRE_COM,
	"r", "> R0", "< R0", "= reset", "r", "< D3.80800000.text", "= data:text", "> A80800000 R0")

SCRIPT(an_answer_is_enough_for_two_resets, KD_WIRE_COM, "r", "> R0", "r", "< R0", "= reset", ">")

SCRIPT(com_a_restart_after_our_reset, KD_WIRE_COM,
	"< D7.80800800.stop", "= data:stop", "r", "> A80800000 R0", "< R0", "= reset", "< D7.80800800.stop",
	"= restarted data:stop", "> A80800000")

SCRIPT(com_reset_unasked, KD_WIRE_COM,
	"< D7.80800001.stop", "= data:stop", "> A80800001", "s go", "> D2.80800000.go", "< A80800000", "= acked", "s on",
	"> D2.80800001.on",
	"< R0", "= restarted", "> R0", "< D7.80800000.stop", "= data:stop", "> A80800000", "s version", "> D2.80800000.version")

SCRIPT(com_old_acks_do_not_outlive_a_reset, KD_WIRE_COM,
	"< D7.80800800.stop R0", "= data:stop restarted", "> R0", "< D7.80800000.stop", "= data:stop", "> A80800000")

SCRIPT(resets_do_not_go_to_and_fro, KD_WIRE_COM,
	"< R0", "= restarted", "> R0", "< R0", "= reset", ">", "< D7.80800000.a R0", "= data:a reset", ">", "r", "r", "> R0",
	"< R0 R0", "= reset reset", ">",
	"t 2000", "< R0 R0", "= restarted restarted", "> R0")

SCRIPT(acks_first_then_the_rest, KD_WIRE_COM,
	"s read", "b", "b", "r", "s on", "k", "< D3.80800000.a D3.80800001.b", "= data:a data:b",
	"> A80800000 A80800001 N R0 b D2.80800000.on", ">")

SCRIPT(a_new_connection_forgets_the_old, KD_WIRE_COM,
	"< D7.80800001.stop", "= data:stop", "s go", "> A80800001 D2.80800000.go", "< A80800000", "= acked", "s on", "b", "k",
	"< D3.80800000.x ~30303030", "= data:x",
	"n", ">", "t 9000", "=", "< D7.80800000.stop", "= data:stop", "s version", "> A80800000 D2.80800000.version")

SCRIPT(unknown_control_is_nothing, KD_WIRE_COM,
	"s read", "> D2.80800000.read", "< C9.0 C77.80800000 C3.0", "=", ">", "< A80800000", "= acked")

SCRIPT(net_request_and_answer, KD_WIRE_NET,
	"k", "> N", "< D3.0.hello", "= data:hello", "> A0", "< D7.2.stop", "= data:stop", "> A2",
	"s version", "> D2.80000000.version", "< A80000000", "= acked", "< D2.4.9600", "= data:9600", "> A4",
	"s read", "> D2.80000002.read", "< A80000002", "= acked", "< D2.6.bytes", "= data:bytes", "> A6")

SCRIPT(net_no_bit_is_sync, KD_WIRE_NET,
	"< D3.7fe.a", "= data:a", "> A7fe", "< D3.800.b", "= data:b", "> A800", "s read", "> D2.80000000.read", "< D3.802.c",
	"= data:c", "> A802",
	"< A80000800", "=", "S", "< A80000000", "= acked", "s more", "> D2.80000002.more")

SCRIPT(net_the_first_id_may_be_any, KD_WIRE_NET,
	"< D7.926.stop", "= data:stop", "> A926", "< D7.926.stop", "=", "> A926", "< D7.924.old", "=", "> A924")

SCRIPT(net_ids_go_round, KD_WIRE_NET,
	"< D3.fffffffe.a", "= data:a", "> Afffffffe", "< D3.0.b", "= data:b", "> A0", "< D3.fffffffe.a", "=", "> Afffffffe",
	"< D3.2.c", "= data:c", "> A2")

SCRIPT(net_the_same_words_with_a_new_id, KD_WIRE_NET, "< D3.0.tick", "= data:tick", "< D3.2.tick", "= data:tick", "> A0 A2")

SCRIPT(net_reset_says_our_next_id, KD_WIRE_NET,
	"< D7.60.stop", "= data:stop", "s read", "> A60 D2.80000000.read", "< N", "> D2.80000000.read", "< A80000000", "= acked",
	"r", "> R80000002", "< R62", "= reset", "< D2.62.bytes", "= data:bytes", "> A62", "s on", "> D2.80000002.on",
	"< A80000002", "= acked")

SCRIPT(net_what_a_reset_drops_may_have_been_taken, KD_WIRE_NET,
	"s read", "> D2.80000000.read", "r", "> R80000002", "s on", "r", "s in", "> R80000002 D2.80000002.in")

SCRIPT(net_after_a_reset_the_target_repeats_itself, KD_WIRE_NET,
	"< D7.60.stop", "= data:stop", "r", "> A60 R80000000", "< R60", "= reset", "< D7.60.stop", "= data:stop", "> A60",
	"< D7.60.stop", "=", "> A60")

SCRIPT(net_a_target_that_counts_anew, KD_WIRE_NET,
	"< D7.926.stop", "= data:stop", "r", "> A926 R80000000", "< R2", "= reset", "< D7.2.stop", "= data:stop", "> A2")

SCRIPT(net_reset_unasked, KD_WIRE_NET,
	"s read", "> D2.80000000.read", "< R4", "= restarted", "> R80000002", "< R4", "= reset", ">", "s on", "> D2.80000002.on")

SCRIPT(net_no_packet_at_all, KD_WIRE_NET, "s read", "> D2.80000000.read", "< ~000000000000000000000000 ~62 ~30303030", "=", ">")

SCRIPT(net_damaged_so_resend, KD_WIRE_NET, "< !D3.0.text", "=", "> N", "< D3.0.text", "= data:text", "> A0")

SCRIPT(net_again_as_soon_as_the_way_is_long, KD_WIRE_NET,
       "s a", "> D2.80000000.a", "t 20", "< A80000000", "= acked",
       "s b", "> D2.80000002.b", "t 79", "=", ">", "t 1", "=", "> D2.80000002.b", "t 159", ">", "t 1", "> D2.80000002.b", /* twice as long each time */
       "< A80000002", "= acked", /* of which one is not known */
       "s c", "> D2.80000004.c", "t 79", ">", "t 1", "> D2.80000004.c")

SCRIPT(net_never_sooner_than_a_busy_target_answers, KD_WIRE_NET,
       "s a", "> D2.80000000.a", "t 1", "< A80000000", "= acked", "s b", "> D2.80000002.b", "t 49", "=", ">", "t 1", "> D2.80000002.b",
       "t 100", "> D2.80000002.b", "t 200", "> D2.80000002.b", "t 400", "> D2.80000002.b", "t 500", "> D2.80000002.b", "t 500", "> D2.80000002.b",
       "t 499", "=", "t 1", "= timeout")

SCRIPT(net_again_sooner, KD_WIRE_NET, "s read", "> D2.80000000.read", "t 499", "=", ">", "t 1", "=", "> D2.80000000.read")

SCRIPT(more_packets_than_acks_find_place, KD_WIRE_NET,
	"< D3.0.a D3.2.b D3.4.c D3.6.d D3.8.e D3.a.f D3.c.g D3.e.h D3.10.i",
	"= data:a data:b data:c data:d data:e data:f data:g data:h data:i",
	"> A0 A2 A4 A6 A8 Aa Ac Ae", "< D3.10.i", "=", "> A10")
/* clang-format on */

static void net_resend_is_borne_longer(void **state)
{
	struct stage g = { .step = 0 };

	(void)state;
	assert_int_equal(kd_wire_init(&g.w, KD_WIRE_NET), 0);
	act(&g, "s read");
	for (unsigned i = 0; i <= g.w.rounds; i++) {
		act(&g, "> D2.80000000.read");
		act(&g, "=");
		act(&g, "< N");
	}
	act(&g, "= proto");
	assert_non_null(g.w.why);
	kd_wire_fini(&g.w);
}

static void damaged_without_end(void **state)
{
	struct stage g = { .step = 0 };

	(void)state;
	assert_int_equal(kd_wire_init(&g.w, KD_WIRE_COM), 0);
	for (unsigned i = 0; i < KD_WIRE_BADS; i++)
		act(&g, "< !D3.80800000.x");
	act(&g, "< D3.80800000.x");
	act(&g, "= data:x");
	for (unsigned i = 0; i < KD_WIRE_BADS; i++)
		act(&g, i % 2 ? "< !D3.80800001.x" : "< !D3.80800001.x C4.80800001"); /* an ACK of nothing is no progress */
	act(&g, "=");
	act(&g, "< !D3.80800001.x");
	act(&g, "= proto");
	assert_non_null(g.w.why);
	kd_wire_fini(&g.w);
}

/* What is copied is damaged each time, and brings a packet along that seems to be in order: without a rest that would have no end. */
static void damaged_copies_are_asked_for_so_often(void **state)
{
	struct stage g = { .step = 0 };

	(void)state;
	assert_int_equal(kd_wire_init(&g.w, KD_WIRE_COM), 0);
	act(&g, "< D3.80800000.x");
	act(&g, "= data:x");
	act(&g, "> A80800000");
	for (unsigned i = 0; i < 4 * KD_WIRE_BADS; i++) {
		if (i == KD_WIRE_ASKS || i == 3 * KD_WIRE_ASKS)
			act(&g, "t 1500");
		act(&g, "< D3.80800000.x !D3.80800001.y");
		act(&g, i < 2 * KD_WIRE_ASKS || (i >= 3 * KD_WIRE_ASKS && i < 4 * KD_WIRE_ASKS) ? "> A80800000 N" : "> A80800000");
	}
	act(&g, "=");
	kd_wire_fini(&g.w);
}

static void reset_without_end(void **state)
{
	struct stage g = { .step = 0 };

	(void)state;
	assert_int_equal(kd_wire_init(&g.w, KD_WIRE_COM), 0);
	for (unsigned i = 0; i < KD_WIRE_RESETS; i++)
		act(&g, "< R0");
	act(&g, "< D3.80800000.x");
	for (unsigned i = 0; i < KD_WIRE_RESETS; i++) {
		g.log[0] = 0;
		act(&g, "< R0");
	}
	assert_null(g.w.why);
	act(&g, "< R0");
	assert_non_null(g.w.why);
	kd_wire_fini(&g.w);
}

/* On a slow line 4000 bytes are still going when a short packet would be late. */
static void a_long_packet_has_more_time(void **state)
{
	static uint8_t bytes[KD_PAYLOAD_MAX + 1], room[KD_FRAME_MAX];
	struct buf frame = { .base = room, .cap = sizeof room };
	struct kd_wire w;

	(void)state;
	assert_int_equal(kd_wire_init(&w, KD_WIRE_COM), 0);
	assert_int_equal(kd_wire_until(&w), NEVER);
	assert_int_equal(kd_wire_send(&w, KD_TYPE_MANIPULATE, (struct span){ bytes, 56 }, (struct span){ bytes, KD_PAYLOAD_MAX - 55 }), -EMSGSIZE);
	assert_true(kd_wire_idle(&w));
	assert_int_equal(kd_wire_send(&w, KD_TYPE_MANIPULATE, (struct span){ bytes, 56 }, (struct span){ bytes, KD_PAYLOAD_MAX - 56 }), 0);
	assert_int_equal(kd_wire_next(&w, &frame, 100), 1);
	assert_int_equal(frame.len, KD_FRAME_MAX);
	assert_int_equal(kd_wire_until(&w), 100 + w.retry_ms + KD_PAYLOAD_MAX * KD_WIRE_BYTE_MS);
	assert_int_equal(kd_wire_tick(&w, kd_wire_until(&w) - 1), 0);
	assert_int_equal(kd_wire_tick(&w, kd_wire_until(&w)), 1);
	kd_wire_fini(&w);
}

/* What finds no room stays due. */
static void no_room_now(void **state)
{
	uint8_t room[KD_FRAME_MAX];
	struct stage g = { .step = 0 };

	(void)state;
	assert_int_equal(kd_wire_init(&g.w, KD_WIRE_COM), 0);
	act(&g, "< D3.80800000.x !D3.80800001.y");
	act(&g, "= data:x");
	act(&g, "r");
	act(&g, "b");
	act(&g, "s abc");
	for (const char *const *word = (const char *const[]){ "A80800000", "N", "R0", "b", "D2.80800000.abc", NULL }; *word; word++) {
		char got[FRAME_ROOM + 32];
		size_t need = frame_of(*word, true, room);
		struct buf small = { .base = room, .cap = **word == 'b' ? 0 : need - 1 }, fits = { .base = room, .cap = sizeof room };

		assert_int_equal(kd_wire_next(&g.w, &small, 0), -ENOBUFS);
		assert_int_equal(small.len, 0);
		assert_int_equal(kd_wire_next(&g.w, &fits, 0), 1);
		frame_word(room, fits.len, true, got, sizeof got);
		assert_string_equal(got, *word);
	}
	kd_wire_fini(&g.w);
}

/* For the words to whoever asks why it is slow. */
static void all_is_counted(void **state)
{
	static const char *const lines[] = {
		"< ~787878 D3.80800800.a D3.80800800.a !D3.80800001.b A80800001 C9.0", "= data:a", "s x", "> A80800000 N D2.80800000.x",
		"< N", "> D2.80800000.x", "< A80800000", "= acked", "< D3.80800800.c", "= restarted data:c",
	};
	struct stage g = { .step = 1 };

	(void)state;
	assert_int_equal(kd_wire_init(&g.w, KD_WIRE_COM), 0);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		act(&g, lines[i]);
	kd_wire_restart(&g.w);
	assert_int_equal(g.w.framer.noise, 3);
	assert_int_equal(g.w.duplicates, 1);
	assert_int_equal(g.w.bad, 1);
	assert_int_equal(g.w.strays, 2);
	assert_int_equal(g.w.asked, 1);
	assert_int_equal(g.w.resent, 1);
	assert_int_equal(g.w.restarts, 1);
	kd_wire_fini(&g.w);
}

enum { HOST_ASKS = 60, SETTLE_MS = 20000, PATIENCE_MS = 8000 };

/* The host above the wire: a request when the target has stopped or answered, and nothing is out. */
struct host {
	struct kd_wire w;
	struct model_line to_target;
	char said[MODEL_SAID], heard[MODEL_SAID];
	unsigned said_n;
	uint64_t asked_at;
	bool may_ask, believes; /* an answer is as good as an ACK */
};

static void host_hears(struct host *h, const struct kd_packet *p)
{
	char text[FRAME_TEXT];

	(void)snprintf(text, sizeof text, "%.*s", (int)p->payload.len, (const char *)p->payload.p);
	model_note(h->heard, text);
	h->may_ask |= text[0] != 'p';
	if (text[0] == 'a' && h->believes)
		kd_wire_answered(&h->w);
}

static void host_takes(struct host *h, struct buf *in, uint64_t now)
{
	struct kd_packet p;
	int rc;

	do {
		rc = kd_wire_take(&h->w, in, &p, now);
		assert_true(rc >= 0 && rc != KD_WIRE_RESET_DONE && rc != KD_WIRE_RESTARTED);
		if (rc == KD_WIRE_DATA)
			host_hears(h, &p);
	} while (rc != KD_WIRE_NONE);
}

static void host_asks(struct host *h, uint64_t now)
{
	char text[32];

	if (!(h->may_ask || now - h->asked_at > PATIENCE_MS) || !kd_wire_idle(&h->w) || h->said_n == HOST_ASKS)
		return;
	(void)snprintf(text, sizeof text, "%s%u", model_random(&h->to_target, 3) ? "read" : "go", h->said_n++);
	model_note(h->said, text);
	assert_int_equal(kd_wire_send(&h->w, KD_TYPE_MANIPULATE, span_of(""), span_of(text)), 0);
	h->may_ask = false;
	h->asked_at = now;
}

static void host_speaks(struct host *h, struct model *m, uint64_t now)
{
	uint8_t room[KD_FRAME_MAX];
	struct buf frame = { .base = room, .cap = sizeof room };
	struct model_line *l = &h->to_target;

	assert_true(kd_wire_tick(&h->w, now) >= 0);
	host_asks(h, now);
	for (l->n = l->frames = 0; kd_wire_next(&h->w, &frame, now) == 1; buf_reset(&frame, 0))
		model_send(l, room, frame.len, false);
	for (size_t i = 0, at = 0; i < l->frames; at = l->ends[i++])
		model_hear(m, l->bytes + at, l->ends[i] - at);
}

/* A stream comes in any pieces; a datagram is one. */
static size_t piece_end(struct model *m, size_t at)
{
	struct model_line *l = &m->to_host;
	size_t end = at + 1 + model_random(l, 40);

	for (size_t i = 0; !m->stream && i < l->frames; i++)
		if (l->ends[i] > at)
			return l->ends[i];
	return end < l->n ? end : l->n;
}

static void target_speaks(struct model *m, struct host *h, uint64_t now)
{
	struct model_line *l = &m->to_host;

	model_tick(m, now);
	for (size_t at = 0, end; at < l->n; at = end) {
		end = piece_end(m, at);
		host_takes(h, &(struct buf){ .base = l->bytes + at, .cap = end - at, .len = end - at }, now);
	}
	l->n = l->frames = 0;
}

static void converse(struct model *m, struct host *h, enum kd_dialect d, struct model_line line)
{
	bool stream = d == KD_WIRE_COM;

	*m = (struct model){ .stream = stream, .send_id = stream ? 0x80800800 : 0, .expect_id = stream ? 0x80800000 : 0x80000000 };
	m->to_host = line;
	*h = (struct host){ .to_target = line, .believes = line.seed % 2 };
	h->to_target.seed = ~line.seed;
	assert_int_equal(kd_wire_init(&h->w, d), 0);
	h->w.retry_ms = 3000; /* a target's copies are through before: it would take ours for their ACK */
	for (uint64_t now = 0, end = SETTLE_MS; now < end; now += 10) {
		target_speaks(m, h, now);
		host_speaks(h, m, now);
		end = h->said_n < HOST_ASKS && now < HOST_ASKS * SETTLE_MS ? now + SETTLE_MS : end;
	}
	kd_wire_fini(&h->w);
	assert_int_equal(h->said_n, HOST_ASKS);
}

static struct model model;
static struct host host;

/* Faults far between: all is mended. */
static void once_each_and_in_order(void **state)
{
	unsigned passing = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++)
		for (enum kd_dialect d = KD_WIRE_COM; d < KD_WIRE_DIALECTS; d++) {
			converse(&model, &host, d, (struct model_line){ .seed = seed, .percent = 30, .rest = 8, .passing = &passing });
			if (strcmp(host.heard, model.said) || strcmp(model.heard, host.said))
				print_message("dialect %d, seed %u\n", (int)d, (unsigned)seed);
			assert_string_equal(host.heard, model.said);
			assert_string_equal(model.heard, host.said);
		}
}

/* Every word of some is in all, in the same order. */
static bool is_part(const char *some, const char *all)
{
	for (size_t n; *some; some += n + 1) {
		n = strcspn(some, ";");
		while (*all && (strcspn(all, ";") != n || strncmp(all, some, n) != 0))
			all += strcspn(all, ";") + 1;
		if (!*all)
			return false;
		all += n + 1;
	}
	return true;
}

/* Faults upon faults: the protocol itself loses some then, but nothing is heard twice or in another order. */
static void never_twice(void **state)
{
	unsigned passing = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++)
		for (enum kd_dialect d = KD_WIRE_COM; d < KD_WIRE_DIALECTS; d++) {
			converse(&model, &host, d, (struct model_line){ .seed = seed, .percent = 10, .passing = &passing });
			if (!is_part(host.heard, model.said) || !is_part(model.heard, host.said))
				fail_msg("dialect %d, seed %u: %s %s", (int)d, (unsigned)seed, host.heard, model.said);
		}
}

/* A recording: what the target sent goes in; what the host of then sent, our side is to send too, byte by byte the same. */
struct replay {
	struct kd_wire w;
	struct kd_framer host;
	uint32_t acks[4096], want_acks[4096];
	size_t acks_n, want_acks_n, data, requests;
	uint64_t now;
};

static void replay_due(struct replay *r)
{
	uint8_t room[KD_FRAME_MAX];
	struct buf frame = { .base = room, .cap = sizeof room };

	for (; kd_wire_next(&r->w, &frame, r->now) == 1; buf_reset(&frame, 0)) {
		assert_true(room[0] == 'i' && room[4] == KD_TYPE_ACKNOWLEDGE && r->acks_n < sizeof r->acks / sizeof *r->acks);
		r->acks[r->acks_n++] = frame_get(room + 8, 4);
	}
}

static void from_target(struct replay *r, struct span bytes)
{
	struct buf in = { .base = guard_copy(bytes.p, bytes.len), .cap = bytes.len, .len = bytes.len };
	struct kd_packet p;
	int rc;

	do {
		rc = kd_wire_take(&r->w, &in, &p, r->now);
		assert_in_range(rc, KD_WIRE_NONE, KD_WIRE_RESTARTED);
		r->data += rc == KD_WIRE_DATA;
		replay_due(r);
	} while (rc != KD_WIRE_NONE);
}

/* A request that is out already: the host sent it again. */
static void host_sent(struct replay *r, const struct kd_packet *p)
{
	uint8_t got[KD_FRAME_MAX], want[KD_FRAME_MAX];
	struct buf frame = { .base = got, .cap = sizeof got }, same = { .base = want, .cap = sizeof want };

	if (!kd_wire_idle(&r->w))
		return assert_int_equal(p->id, r->w.tx);
	r->requests++;
	assert_int_equal(kd_wire_send(&r->w, (enum kd_type)p->type, p->payload, span_of("")), 0);
	assert_int_equal(kd_wire_next(&r->w, &frame, r->now), 1);
	assert_int_equal(kd_packet_put(&same, p, true), 0);
	assert_int_equal(frame.len, same.len);
	assert_memory_equal(got, want, same.len);
}

static void from_host(struct replay *r, struct span bytes)
{
	struct cursor c = cursor_of(bytes);
	struct kd_packet p;

	while (kd_framer_next(&r->host, &c, &p) == KD_FRAME_PACKET) {
		if (!p.control)
			host_sent(r, &p);
		else if (p.type == KD_TYPE_ACKNOWLEDGE)
			r->want_acks[r->want_acks_n++ % (sizeof r->want_acks / sizeof *r->want_acks)] = p.id;
	}
}

static void replay_line(struct replay *r, char *line)
{
	static uint8_t bytes[1 << 16];
	char *hex = strrchr(line, ' ');
	struct span s = { bytes, 0 };

	assert_true(hex && hex > line && strlen(hex) / 2 < sizeof bytes);
	s.len = frame_raw(hex + 1, bytes);
	r->now = (uint64_t)(strtod(line, NULL) * 1000);
	assert_true(s.len > 0);
	if (hex[-1] == 'T')
		from_target(r, s);
	else
		from_host(r, s);
}

static FILE *recording(const char *name)
{
	char path[256], command[300];

	(void)snprintf(path, sizeof path, "../shared/captures/kdcom-%s.tagged.gz", name);
	if (access(path, R_OK) < 0) {
		print_message("skipped: there is no %s\n", path);
		skip();
	}
	(void)snprintf(command, sizeof command, "gzip -dc %s", path);
	return popen(command, "r");
}

static void real_target(void **state)
{
	static struct replay r;
	FILE *f = recording(*state);
	char *line = NULL;
	size_t room = 0;

	assert_non_null(f);
	r = (struct replay){ .acks_n = 0 };
	assert_int_equal(kd_wire_init(&r.w, KD_WIRE_COM) | kd_framer_init(&r.host), 0);
	while (getline(&line, &room, f) > 0)
		replay_line(&r, line);
	free(line);
	assert_int_equal(pclose(f), 0);
	assert_int_equal(r.acks_n, r.want_acks_n);
	assert_memory_equal(r.acks, r.want_acks, r.acks_n * sizeof *r.acks);
	assert_int_equal(r.w.bad, 0);
	assert_int_equal(r.w.framer.noise, 0);
	assert_true(r.data > 5 && r.requests > 3);
	kd_wire_fini(&r.w);
	kd_framer_fini(&r.host);
}

static char recordings[][9] = { "short", "idle2", "bp-step", "events", "bugcheck" };

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(com_request_and_answer), TEST(com_ack_is_without_sync), TEST(com_first_packet_of_a_stranger_may_have_any_id),
		TEST(com_a_copy_is_acknowledged_and_dropped), TEST(com_copies_of_the_first_packet_are_no_restart),
		TEST(com_a_restart_takes_our_id_back_too), TEST(com_a_restart_with_the_same_words), TEST(com_a_restart_drops_our_packet),
		TEST(com_a_restart_is_told_though_we_only_spoke), TEST(com_stubs_that_count_as_they_like),
		TEST(com_sums_alike_are_not_texts_alike), TEST(data_while_an_ack_is_awaited), TEST(the_answer_came_and_its_ack_did_not),
		TEST(answered_takes_nothing_that_has_not_gone), TEST(ack_of_another_packet), TEST(no_ack_so_again_with_the_same_id),
		TEST(not_for_ever), TEST(resend_is_the_same_packet), TEST(many_resends_at_once_are_one), TEST(com_resend_without_end),
		TEST(what_a_target_picks_out_of_a_payload_ends_when_the_line_is_silent), TEST(damaged_so_resend),
		TEST(a_byte_was_lost), TEST(half_a_packet_does_not_stand_for_ever),
		TEST(what_is_just_coming_may_be_the_ack), TEST(half_a_packet_is_no_ack), TEST(com_our_reset), TEST(com_our_reset_crossed_the_first_packet),
		TEST(reset_without_end),
		TEST(com_the_answer_to_our_reset_was_lost), TEST(com_a_reset_nobody_hears_changes_nothing), TEST(com_reset_unasked),
		TEST(com_a_reset_that_has_not_gone_has_no_answer), TEST(an_answer_is_enough_for_two_resets),
		TEST(com_a_restart_after_our_reset), TEST(com_acks_of_before_do_not_outlive_a_restart),
		TEST(com_old_acks_do_not_outlive_a_reset), TEST(resets_do_not_go_to_and_fro), TEST(acks_first_then_the_rest),
		TEST(a_new_connection_forgets_the_old), TEST(unknown_control_is_nothing), TEST(net_request_and_answer), TEST(net_no_bit_is_sync),
		TEST(net_the_first_id_may_be_any), TEST(net_ids_go_round), TEST(net_the_same_words_with_a_new_id), TEST(net_reset_says_our_next_id),
		TEST(net_what_a_reset_drops_may_have_been_taken), TEST(net_after_a_reset_the_target_repeats_itself),
		TEST(net_a_target_that_counts_anew), TEST(net_reset_unasked), TEST(net_no_packet_at_all), TEST(net_damaged_so_resend),
		TEST(net_again_sooner), TEST(net_again_as_soon_as_the_way_is_long),
		TEST(net_never_sooner_than_a_busy_target_answers), TEST(more_packets_than_acks_find_place), TEST(net_resend_is_borne_longer), TEST(damaged_without_end),
		TEST(damaged_copies_are_asked_for_so_often),
		TEST(a_long_packet_has_more_time), TEST(no_room_now), TEST(all_is_counted), TEST(once_each_and_in_order), TEST(never_twice),
		{ "a real target", real_target, NULL, NULL, recordings[0] }, { "a real target", real_target, NULL, NULL, recordings[1] },
		{ "a real target", real_target, NULL, NULL, recordings[2] }, { "a real target", real_target, NULL, NULL, recordings[3] },
		{ "a real target", real_target, NULL, NULL, recordings[4] },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
