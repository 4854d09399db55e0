/* console_apart_test.c - a kernel's console and its debugger on two lines: each hears what is meant for it, and either one's end is the end. */
#include "backends/link/console.h"

#include "backends/link/link.h"
#include "tests/allocs.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { WIDE = 1 << 18, WHOLE = 4096, ROUNDS = 64 };

/* A layer that counts BREAKs, or cannot. */
struct breaks {
	struct link base;
	unsigned n;
	int rc;
};

static struct breaks on_line, on_console;
static struct link *lk, *far_line, *far_console;
static struct buf up, text, at_line, at_console, in, out;
static uint64_t now;

static int breaks_send(struct link *l, struct buf *frame, uint64_t t)
{
	return link_send(l->below, frame, t);
}

static int breaks_recv(struct link *l, struct buf *to, uint64_t t)
{
	return link_recv(l->below, to, t);
}

static int breaks_attention(struct link *l, uint64_t t)
{
	struct breaks *b = (struct breaks *)l;

	(void)t;
	b->n += b->rc == 0;
	return b->rc;
}

static void breaks_destroy(struct link *l)
{
	(void)l;
}

static const struct link_ops breaks_ops = {
	.name = "breaks", .send = breaks_send, .recv = breaks_recv, .attention = breaks_attention, .destroy = breaks_destroy,
};

static struct link *breaking(struct breaks *b, struct link *below)
{
	*b = (struct breaks){ .base = { .ops = &breaks_ops, .below = below } };
	return &b->base;
}

static struct buf *const bufs[] = { &up, &text, &at_line, &at_console, &in, &out };

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		if (buf_init(bufs[i], WIDE) < 0)
			return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		buf_fini(bufs[i]);
	return 0;
}

static struct link *faulty(struct link *below, enum fault fault, unsigned long every)
{
	struct link *top = fault == FAULT_NONE ? below : link_fault_new(below, fault, every);

	assert_non_null(top);
	return top;
}

/* Both lines in pieces of at most step bytes; a fault at every so many frames of each. */
static void begin_with(size_t step, enum fault fault, unsigned long every)
{
	struct link *line = link_pair_new(&far_line, step), *console = link_pair_new(&far_console, step);

	assert_true(line && console);
	now = 1000;
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		buf_reset(bufs[i], 0);
	lk = link_console_apart_new(breaking(&on_line, faulty(line, fault, every)), breaking(&on_console, faulty(console, fault, every)));
	assert_non_null(lk);
}

static void begin(size_t step)
{
	begin_with(step, FAULT_NONE, 1);
}

static void end(void)
{
	link_destroy_stack(lk);
	if (far_line)
		link_destroy_stack(far_line);
	if (far_console)
		link_destroy_stack(far_console);
}

static void says(struct link *far, const char *s)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, s), 0);
	assert_int_equal(link_send(far, &out, now), 0);
}

static void listens(struct link *far, struct buf *to)
{
	while (far && link_recv(far, &in, now) == 1)
		assert_int_equal(buf_put_span(to, buf_span(&in)), 0);
}

/* All that is there, of both, at both ends. The last result. */
static int hear(void)
{
	int rc = 0;

	for (int i = 0; i < ROUNDS * ROUNDS && rc >= 0; i++) {
		rc = link_recv(lk, &in, now);
		if (rc == 1)
			assert_int_equal(buf_put_span(&up, buf_span(&in)), 0);
		assert_int_equal(buf_put_span(&text, link_console_text(lk)), 0);
	}
	listens(far_line, &at_line);
	listens(far_console, &at_console);
	return rc;
}

static void sends(const char *s)
{
	int rc;

	buf_reset(&out, link_headroom(lk));
	assert_int_equal(buf_put_text(&out, s), 0);
	rc = link_send(lk, &out, now);
	for (int i = 0; i < ROUNDS && rc == -EAGAIN; i++)
		rc = link_send(lk, &out, now);
	assert_int_equal(rc, 0);
}

static void type(const char *s)
{
	assert_int_equal(link_console_type(lk, span_of(s)), strlen(s));
}

static void is(struct buf *b, const char *what, const char *want)
{
	if (!span_is(buf_span(b), want))
		fail_msg("%s: \"%.*s\", not \"%s\"", what, (int)b->len, (const char *)buf_data(b), want);
	buf_reset(b, 0);
}

static void went(const char *line, const char *console)
{
	hear();
	is(&at_line, "the debugger's line", line);
	is(&at_console, "the console's", console);
}

static void came(const char *packets, const char *words)
{
	hear();
	is(&up, "up", packets);
	is(&text, "text", words);
}

static uint64_t wakes(void)
{
	struct wait w = wait_none();

	link_wait(lk, &w);
	return w.until;
}

/* A kernel that stands, and has answered; then what happened is forgotten. */
static void stand(void)
{
	sends("$?#3f");
	says(far_line, "+$S05#b8");
	hear();
	sends("+");
	hear();
	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		buf_reset(bufs[i], 0);
}

/* --- who hears what */

static const struct talk {
	const char *line, *console; /* say so */
	const char *up;
} talks[] = {
	{ "$T05thread:01;#07", "[    1.0] $T05thread:01;#07+-$S05#b8", "$T05thread:01;#07" },
	{ "Entering kdb\r\n$T05thread:01;#07", "login: ", "$T05thread:01;#07" },
	{ "board login: ", "/ # ", "" },
	{ "$O41#b4$O42#b5", "", "$O41#b4$O42#b5" },
	{ "", "beat 1\r\nbeat 2\r\n", "" },
};

static void each_line_has_its_own(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 5, WHOLE };

	(void)state;
	for (size_t t = 0; t < sizeof talks / sizeof *talks; t++) {
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
			begin(steps[i]);
			says(far_line, talks[t].line);
			says(far_console, talks[t].console);
			came(talks[t].up, talks[t].console);
			end();
		}
	}
}

/* Cut anywhere, with something of the other line between. */
static void cut_at_every_byte(void **state)
{
	static const char packet[] = "+$T05thread:01;#07";

	(void)state;
	for (size_t at = 0; at <= strlen(packet); at++) {
		char head[sizeof packet] = "";

		begin(WHOLE);
		sends("$c#63");
		memcpy(head, packet, at);
		says(far_line, head);
		says(far_console, "$S05#");
		hear();
		says(far_console, "b8+");
		says(far_line, packet + at);
		came(packet, "$S05#b8+");
		end();
	}
}

/* A login on the debugger's line, where the kernel runs. */
static void an_echo_is_no_packet(void **state)
{
	(void)state;
	begin(WHOLE);
	sends("$?#3f");
	went("$?#3f", "");
	says(far_line, "$?#3f\r\nPassword: ");
	came("", "");
	end();
}

static void a_conversation(void **state)
{
	(void)state;
	begin(WHOLE);
	stand();
	sends("$g#67");
	went("$g#67", "");
	says(far_line, "+$00112233#8c");
	says(far_console, "not now\r\n");
	came("+$00112233#8c", "not now\r\n");
	sends("+");
	went("+", "");
	end();
}

/* --- typing */

static void typed_while_it_runs(void **state)
{
	(void)state;
	begin(WHOLE);
	type("ls\r");
	assert_int_equal(wakes(), 0);
	went("", "ls\r");
	assert_int_equal(wakes(), NEVER);
	sends("$?#3f");
	type("pwd\r");
	went("$?#3f", "pwd\r"); /* on another line it does no harm */
	end();
}

static void typed_waits_while_it_stands(void **state)
{
	(void)state;
	begin(WHOLE);
	stand();
	type("later\r");
	went("", "");
	assert_int_equal(wakes(), NEVER);
	sends("$c#63");
	assert_int_equal(wakes(), 0);
	went("$c#63", "later\r");
	says(far_line, "+$T05thread:01;#07");
	hear();
	type("at last\r");
	went("", "");
	sends("+$D#44");
	says(far_line, "+$OK#9a");
	went("+$D#44", "");
	sends("+");
	went("+", "at last\r");
	end();
}

static void nobody_types_at_kdb(void **state)
{
	(void)state;
	begin(WHOLE);
	says(far_line, "\r\nEntering kdb (current=0x0, pid 0) on processor 0 due to Keyboard Entry\r\n[0]kdb> ");
	says(far_console, "\r\nEntering kdb (current=0x0, pid 0) on processor 0 due to Keyboard Entry\r\n[0]kdb> ");
	hear();
	assert_int_equal(link_console_mode(lk), CONSOLE_MODE_KDB);
	type("x");
	went("", "");
	link_console_runs(lk, true);
	went("", "x");
	end();
}

static void the_break_goes_to_the_console(void **state)
{
	(void)state;
	begin(WHOLE);
	assert_int_equal(link_attention(lk, now), 0);
	assert_int_equal(on_console.n, 1);
	assert_int_equal(on_line.n, 0);
	type("g");
	type("not yet");
	assert_int_equal(wakes(), 0);
	went("", "g");
	assert_int_equal(wakes(), now + CONSOLE_ASKED_MS);
	says(far_line, "$T05thread:01;#07");
	came("$T05thread:01;#07", "");
	sends("+");
	went("+", "");
	sends("$c#63");
	went("$c#63", "not yet");
	end();
}

static void nobody_tells_what_became_of_it(void **state)
{
	(void)state;
	begin(WHOLE);
	assert_int_equal(link_attention(lk, now), 0);
	type("g");
	type("x");
	went("", "g");
	now += CONSOLE_ASKED_MS - 1;
	went("", "");
	now++;
	went("", "x");
	assert_int_equal(link_attention(lk, now), 0); /* once more, and it was not heard */
	type("g");
	type("y");
	link_console_runs(lk, true);
	went("", "gy");
	end();
}

static void no_break(void **state)
{
	(void)state;
	begin(WHOLE);
	on_console.rc = -EOPNOTSUPP;
	assert_int_equal(link_attention(lk, now), -EOPNOTSUPP);
	on_console.rc = -EAGAIN;
	assert_int_equal(link_attention(lk, now), -EAGAIN);
	assert_null(link_why(lk));
	type("x");
	went("", "x");
	on_console.rc = -ENODEV;
	assert_int_equal(link_attention(lk, now), -ENODEV);
	assert_string_equal(link_why(lk), "the console's line: No such device");
	assert_true(link_console_is_apart(lk));
	assert_false(link_console_is_apart(lk->below));
	end();
}

/* --- who listens there */

static void told_by_the_console(void **state)
{
	static const struct {
		const char *text;
		enum console_mode mode;
	} says_it[] = {
		{ "KGDB: Entering KGDB\r\n", CONSOLE_MODE_KGDB },
		{ "sysrq: This sysrq operation is disabled.\r\n", CONSOLE_MODE_MASKED },
		{ "sysrq: HELP : loglevel(0-9) reboot(b)", CONSOLE_MODE_NO_KEY },
		{ "Entering kdb (", CONSOLE_MODE_KDB },
		{ "nothing of this", CONSOLE_MODE_RUNS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof says_it / sizeof *says_it; i++) {
		for (size_t step = 1; step <= WHOLE; step *= WHOLE) {
			begin(step);
			says(far_console, says_it[i].text);
			came("", says_it[i].text);
			assert_int_equal(link_console_mode(lk), says_it[i].mode);
			link_console_runs(lk, true);
			assert_int_equal(link_console_mode(lk), CONSOLE_MODE_RUNS);
			end();
		}
	}
}

static void told_by_the_debuggers_line(void **state)
{
	(void)state;
	begin(WHOLE);
	assert_false(link_console_stands(lk));
	stand();
	assert_true(link_console_stands(lk));
	assert_int_equal(link_console_mode(lk), CONSOLE_MODE_KGDB);
	link_console_runs(lk, true);
	assert_false(link_console_stands(lk));
	link_console_runs(lk, false);
	assert_true(link_console_stands(lk));
	end();
}

/* --- floods, faults, ends */

/* What is not fetched is left out, the oldest first, and counted; one receive brings no more than is kept. */
static void a_flood_is_bounded(void **state)
{
	static char chunk[WHOLE + 1];
	size_t said = 0;

	(void)state;
	begin(WHOLE);
	memset(chunk, 'x', WHOLE);
	for (; said + WHOLE < CONSOLE_TEXT; said += WHOLE)
		says(far_console, chunk);
	assert_int_equal(link_recv(lk, &in, now), 0);
	assert_int_equal(wakes(), 0); /* there may be more */
	hear();
	assert_int_equal(text.len, said);
	assert_int_equal(link_console_lost(lk), 0);
	assert_int_equal(wakes(), NEVER);
	for (size_t n = 0; n < 2 * CONSOLE_TEXT; n += WHOLE) {
		says(far_console, chunk);
		assert_int_equal(link_recv(lk, &in, now), 0);
	}
	assert_int_equal(link_console_lost(lk), CONSOLE_TEXT);
	end();
}

static void too_much_typed_is_not_taken(void **state)
{
	static uint8_t much[CONSOLE_TYPED + 1];

	(void)state;
	begin(WHOLE);
	stand();
	assert_int_equal(link_console_type(lk, (struct span){ much, sizeof much }), CONSOLE_TYPED);
	assert_int_equal(link_console_type(lk, (struct span){ much, 1 }), 0);
	end();
}

/* The same, whatever befalls the lines that loses nothing. */
static void faults(void **state)
{
	static const enum fault kinds[] = { FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL };

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		for (unsigned long every = 1; every <= 5; every++) {
			begin_with(WHOLE, kinds[i], every);
			type("uname\r");
			says(far_console, "Linux\r\n/ # ");
			came("", "Linux\r\n/ # ");
			went("", "uname\r");
			assert_int_equal(link_attention(lk, now), 0);
			type("g");
			says(far_line, "$T05thread:01;#07");
			came("$T05thread:01;#07", "");
			went("", "g");
			sends("+");
			sends("$g#67");
			went("+$g#67", "");
			end();
		}
	}
}

static void far_ends(struct link **far)
{
	link_destroy_stack(*far);
	*far = NULL;
}

static void the_consoles_end(void **state)
{
	(void)state;
	begin(WHOLE);
	says(far_console, "Kernel panic - not syncing\r\n");
	far_ends(&far_console);
	assert_int_equal(hear(), -EPIPE);
	assert_string_equal(link_why(lk), "the console's line: it was closed");
	is(&text, "text", "Kernel panic - not syncing\r\n");
	assert_int_equal(hear(), -EPIPE); /* and again */
	end();
}

static void the_debuggers_end(void **state)
{
	(void)state;
	begin(WHOLE);
	says(far_line, "$W00#b7");
	says(far_console, "last words\r\n");
	far_ends(&far_line);
	assert_int_equal(hear(), -EPIPE);
	assert_string_equal(link_why(lk), "the debugger's line: it was closed");
	is(&text, "text", "last words\r\n");
	is(&up, "up", "$W00#b7");
	end();
}

static void an_end_that_is_met_by_sending(void **state)
{
	(void)state;
	begin(WHOLE);
	far_ends(&far_line);
	assert_int_equal(buf_put_text(&out, "$g#67"), 0);
	assert_int_equal(link_send(lk, &out, now), -EPIPE);
	assert_string_equal(link_why(lk), "the debugger's line: it was closed");
	end();
	begin(WHOLE);
	far_ends(&far_console);
	type("x");
	assert_int_equal(link_recv(lk, &in, now), -EPIPE);
	assert_string_equal(link_why(lk), "the console's line: it was closed");
	end();
}

/* Whichever frame it is with which a line dies: one is named, and nothing is made up. */
static void dies_at_every_frame(void **state)
{
	(void)state;
	for (unsigned long n = 1; n <= 12; n++) {
		int rc = 0;

		begin_with(1, FAULT_CLOSE, n);
		says(far_line, "$T05thread:01;#07");
		says(far_console, "text");
		rc = hear();
		assert_true(rc < 0);
		assert_non_null(strstr(link_why(lk), "'s line: "));
		assert_true(text.len <= strlen("text"));
		assert_memory_equal(buf_data(&text), "text", text.len);
		end();
	}
}

/* --- descriptors: one is waited for, and it is both */

static bool is_due(short events)
{
	struct wait w = wait_none();
	struct pollfd p;

	link_wait(lk, &w);
	assert_true(w.fd >= 0);
	assert_false(w.write);
	p = (struct pollfd){ .fd = w.fd, .events = events };
	return poll(&p, 1, 0) == 1;
}

static struct link *socket_link(int *far)
{
	int fds[2];
	struct link *sock;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*far = fds[1];
	sock = link_sock_new(fds[0]);
	assert_non_null(sock);
	return sock;
}

static void sockets_say(int fd, const char *s)
{
	assert_int_equal(write(fd, s, strlen(s)), (ssize_t)strlen(s));
	assert_true(is_due(POLLIN));
	link_ready(lk);
	hear();
}

static void either_wakes(void **state)
{
	int line, console;
	struct link *near = socket_link(&line);

	(void)state;
	far_line = far_console = NULL;
	buf_reset(&up, 0);
	buf_reset(&text, 0);
	lk = link_console_apart_new(near, socket_link(&console));
	assert_non_null(lk);
	hear();
	assert_false(is_due(POLLIN));
	sockets_say(line, "$T05thread:01;#07");
	came("$T05thread:01;#07", "");
	assert_false(is_due(POLLIN));
	sockets_say(console, "login: ");
	came("", "login: ");
	assert_false(is_due(POLLIN));
	close(console);
	assert_true(is_due(POLLIN));
	link_ready(lk);
	assert_int_equal(hear(), -EPIPE);
	assert_string_equal(link_why(lk), "the console's line: it was closed");
	close(line);
	end();
}

/* A console that takes nothing is waited for, and what was not taken goes when it does. */
static void a_full_console_wakes(void **state)
{
	static uint8_t much[CONSOLE_TYPED], room[1 << 16];
	int line, console;
	size_t typed = 0, heard = 0;
	struct link *near = socket_link(&line);
	ssize_t n;

	(void)state;
	far_line = far_console = NULL;
	lk = link_console_apart_new(near, socket_link(&console));
	assert_non_null(lk);
	for (size_t last = 1; last;) {
		last = link_console_type(lk, (struct span){ much, sizeof much });
		typed += last;
		hear();
	}
	assert_false(is_due(POLLIN));
	assert_int_equal(wakes(), NEVER);
	for (int i = 0; i < ROUNDS && heard < typed; i++) {
		while ((n = read(console, room, sizeof room)) > 0)
			heard += (size_t)n;
		(void)is_due(POLLIN);
		hear();
	}
	assert_int_equal(heard, typed);
	close(console);
	close(line);
	end();
}

/* What fails to be made takes nothing. */
static void memory_runs_out(void **state)
{
	size_t n = 0;

	(void)state;
	begin(WHOLE);
	end();
	do {
		struct link *line = link_pair_new(&far_line, WHOLE), *console = link_pair_new(&far_console, WHOLE);

		allocs.left = ++n;
		lk = link_console_apart_new(line, console);
		allocs.left = 0;
		if (!lk) {
			link_destroy_stack(line);
			link_destroy_stack(console);
			link_destroy_stack(far_line);
			link_destroy_stack(far_console);
		}
	} while (!lk);
	assert_true(n > 5);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_has_its_own),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(an_echo_is_no_packet),
		cmocka_unit_test(a_conversation),
		cmocka_unit_test(typed_while_it_runs),
		cmocka_unit_test(typed_waits_while_it_stands),
		cmocka_unit_test(nobody_types_at_kdb),
		cmocka_unit_test(the_break_goes_to_the_console),
		cmocka_unit_test(nobody_tells_what_became_of_it),
		cmocka_unit_test(no_break),
		cmocka_unit_test(told_by_the_console),
		cmocka_unit_test(told_by_the_debuggers_line),
		cmocka_unit_test(a_flood_is_bounded),
		cmocka_unit_test(too_much_typed_is_not_taken),
		cmocka_unit_test(faults),
		cmocka_unit_test(the_consoles_end),
		cmocka_unit_test(the_debuggers_end),
		cmocka_unit_test(an_end_that_is_met_by_sending),
		cmocka_unit_test(dies_at_every_frame),
		cmocka_unit_test(either_wakes),
		cmocka_unit_test(a_full_console_wakes),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
