/* learned_test.c - what a session and its recording teach, and that the policy is one that a configuration file takes. */
#include "proxy/learned.h"

#include "backends/link/recording.h"
#include "proxy/config.h"
#include "tests/stage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEAD = 24, RECORD = 16, FILE_MAX = 1 << 20, TEXT_MAX = 1 << 18 };

static char dir[64], file[128], why[CONFIG_WHY];
static struct recording *r;
static uint64_t number;
static struct learn *l;
static struct stage g;
static const struct stage_fault good = { .kind = FAULT_NONE };

static int begin(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/kdgate-learned-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/r.pcap", dir);
	number = 0;
	l = learn_new();
	return l && recording_open(&r, file, 0, why, sizeof why) == 0 && stage_init(&g, good) == 0 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	stage_fini(&g);
	learn_destroy(l);
	recording_close(r);
	r = NULL;
	unlink(file);
	rmdir(dir);
	return 0;
}

/* A conversation: lines that begin with > are a client's packets, with < a stub's; others are bytes of a client. */
static void put_line(struct buf *out, const char *line)
{
	buf_reset(out, 0);
	if (*line == '>' || *line == '<')
		assert_int_equal(rsp_frame(out, span_of(line + 1)), 0);
	else
		assert_int_equal(buf_put_text(out, line), 0);
}

static void record(enum recording_side side, const char *const *lines)
{
	struct link *far, *near = link_pair_new(&far, 16384);
	struct buf out, in;

	near = near ? link_record_new(near, r, side, ++number) : NULL;
	assert_non_null(near);
	assert_int_equal(buf_init(&out, 16384) || buf_init(&in, 16384), 0);
	for (; *lines; lines++) {
		bool answers = (**lines == '<') == (side == RECORDING_CLIENT); /* kdgate's end says it */

		put_line(&out, *lines);
		assert_int_equal(link_send(answers ? near : far, &out, 1000), 0);
		while (link_recv(answers ? far : near, &in, 1000) == 1)
			;
	}
	link_destroy_stack(near);
	link_destroy_stack(far);
	buf_fini(&out);
	buf_fini(&in);
}

#define SAY(side, ...) record(RECORDING_##side, (const char *const[]){ __VA_ARGS__, NULL })

static int policy_of_file(char *text)
{
	FILE *to = fmemopen(text, TEXT_MAX, "w");
	int rc;

	assert_non_null(to);
	rc = learned_from_file(file, to, why, sizeof why);
	fclose(to);
	return rc;
}

/* The rules as a configuration file has them, one in a line. */
static const char *loaded(const char *text)
{
	static char rules[POLICY_RULES * POLICY_TEXT];
	struct config c = { 0 };
	size_t n = 0;

	*rules = 0;
	if (config_load_text(&c, "learned", span_of(text), why, sizeof why))
		fail_msg("%s in\n%s", why, text);
	assert_int_equal(config_policy_find(&c, LEARNED_NAME), (int)c.policies_n - 1);
	for (size_t i = 0; i < c.policies[c.policies_n - 1].count; i++)
		n += (size_t)snprintf(rules + n, sizeof rules - n, "%s%s", i ? "\n" : "", c.policies[c.policies_n - 1].rules[i].text);
	config_fini(&c);
	return rules;
}

static const char *recorded(void)
{
	static char text[TEXT_MAX];

	recording_flush(r, NEVER);
	memset(text, 0, sizeof text);
	if (policy_of_file(text))
		fail_msg("%s", why);
	return loaded(text);
}

static void a_recorded_session(void **state)
{
	(void)state;
	SAY(CLIENT, "+", ">qSupported:swbreak+", "<PacketSize=4000", "+", ">?", "<T05thread:1;", ">m1000,40", "<00", ">m1040,8", "<00", ">Z0,1200,1", "<OK",
	    ">vCont;c", "<T05thread:1;", ">qRcmd,696e666f", "<OK", ">D", "<OK");
	assert_string_equal(recorded(), "allow query run\nallow mem.read range 0x1000-0x1047\nallow break range 0x1200-0x1200\nallow monitor match 'info'");
}

static void conversations_with_the_target_are_no_matter(void **state)
{
	(void)state;
	SAY(TARGET, ">qSupported", ">vCont;c", ">M1000,1:00");
	SAY(CLIENT, ">g");
	SAY(TARGET, ">m2000,1");
	SAY(CLIENT, ">m1000,1");
	assert_string_equal(recorded(), "allow reg.read\nallow mem.read range 0x1000-0x1000");
}

/* They were read, though nobody asked for them. */
static void registers_that_come_with_a_stop(void **state)
{
	(void)state;
	SAY(CLIENT, ">?", "<T05thread:1;0:0000000000000000;10:0010000000000000;");
	assert_string_equal(recorded(), "allow query reg.read");
}

static void a_break_is_a_run(void **state)
{
	(void)state;
	SAY(CLIENT, ">?", "\x03", "<T02thread:1;");
	assert_string_equal(recorded(), "allow query run");
}

static void lldb_probes_for_free(void **state)
{
	(void)state;
	SAY(CLIENT, ">QStartNoAckMode", ">x0,0", ">qHostInfo");
	assert_string_equal(recorded(), "allow query");
	SAY(CLIENT, ">qSupported", ">x10,0");
	assert_string_equal(recorded(), "allow query\nallow mem.read range 0x10-0x10");
}

static void monitor_commands_of_the_gate(void **state)
{
	(void)state;
	SAY(CLIENT, ">qRcmd,6b646761746520737461747573"); /* kdgate status */
	assert_string_equal(recorded(), "allow query");
	SAY(CLIENT, ">qRcmd,68656c70");
	assert_string_equal(recorded(), "allow query\nallow monitor match 'help'");
}

static void malformed_packets_teach_nothing(void **state)
{
	(void)state;
	SAY(CLIENT, ">g", ">mzz,1", "$m5000,1#00", ">M1000,2:00", "$m6000,1$m#");
	assert_string_equal(recorded(), "allow reg.read");
}

static void another_protocol(void **state)
{
	(void)state;
	SAY(CLIENT, "GET / HTTP/1.1\r\nHost: localhost:1234\r\n\r\n", ">M1000,1:00");
	recording_flush(r, NEVER);
	assert_int_equal(policy_of_file((char[TEXT_MAX]){ 0 }), -ENODATA);
	assert_non_null(strstr(why, "no debugger says anything in it"));
	SAY(CLIENT, ">g");
	assert_string_equal(recorded(), "allow reg.read");
}

static void no_file(void **state)
{
	char text[TEXT_MAX];

	(void)state;
	snprintf(file, sizeof file, "%s/none", dir);
	assert_int_equal(policy_of_file(text), -ENOENT);
	assert_non_null(strstr(why, file));
	snprintf(file, sizeof file, "%s/r.pcap", dir);
}

static void a_full_disk(void **state)
{
	FILE *to = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(to);
	SAY(CLIENT, ">g");
	recording_flush(r, NEVER);
	assert_int_equal(learned_from_file(file, to, why, sizeof why), -ENOSPC);
	assert_non_null(strstr(why, "cannot be written"));
	fclose(to);
}

/* Cut at any byte, or without one of its packets, a file teaches no more than the whole. */
static size_t read_back(uint8_t *bytes)
{
	FILE *f = fopen(file, "re");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, FILE_MAX, f);
	fclose(f);
	return n;
}

static void write_again(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n)
{
	FILE *f = fopen(file, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(a, 1, a_n, f) + fwrite(b, 1, b_n, f), a_n + b_n);
	fclose(f);
}

static const char whole[] = "allow query reg.read run\nallow mem.read range 0x1000-0x103f 0x2000-0x200f\nallow break range 0x1200-0x1200";

static bool no_more_than_the_whole(const char *rules)
{
	static const char *const all[] = { "", " query", " reg.read", " run", " range", " mem.read", " break", " 0x1000-0x103f", " 0x2000-0x200f", " 0x1200-0x1200" };
	char words[512], *rest = words;

	snprintf(words, sizeof words, "%s", rules);
	for (char *w; (w = strsep(&rest, " \n"));) {
		bool known = !strcmp(w, "allow") || !*w;

		for (size_t i = 1; i < sizeof all / sizeof *all; i++)
			known |= !strcmp(w, all[i] + 1);
		if (!known)
			return false;
	}
	return strlen(rules) <= strlen(whole);
}

static void try_rest(void)
{
	static char text[TEXT_MAX];
	int rc;

	memset(text, 0, sizeof text);
	rc = policy_of_file(text);
	if (rc)
		assert_true(*why && !*text);
	else if (!no_more_than_the_whole(loaded(text)))
		fail_msg("%s", loaded(text));
}

static size_t after(const uint8_t *bytes, size_t at)
{
	uint32_t n;

	memcpy(&n, bytes + at + 8, sizeof n);
	return at + RECORD + n;
}

static void a_file_in_pieces(void **state)
{
	static uint8_t bytes[FILE_MAX];
	unsigned records = 0;
	size_t n;

	(void)state;
	SAY(CLIENT, ">qSupported", ">?", "<T05thread:1;", ">m1000,40", "<00", ">Z0,1200,1", "<OK", ">vCont;c", "<T05thread:1;");
	SAY(CLIENT, ">g", "<0000", ">m2000,10", "<00");
	assert_string_equal(recorded(), whole);
	n = read_back(bytes);
	for (size_t cut = 0; cut < n; cut++) {
		write_again(bytes, cut, bytes, 0);
		try_rest();
	}
	for (size_t at = HEAD; at < n; at = after(bytes, at), records++) {
		write_again(bytes, at, bytes + after(bytes, at), n - after(bytes, at));
		try_rest();
		write_again(bytes, HEAD, bytes + at, n - at);
		try_rest();
	}
	assert_true(records > 15);
	write_again(bytes, n, bytes, 0);
}

/* The record that carries text. */
static size_t record_of(const uint8_t *bytes, size_t n, const char *text)
{
	size_t at = HEAD;

	while (at < n && !memmem(bytes + at, after(bytes, at) - at, text, strlen(text)))
		at = after(bytes, at);
	assert_true(at < n);
	return at;
}

/* Half a packet is none, and the next is one. */
static void what_is_missing(void **state)
{
	static uint8_t bytes[FILE_MAX];
	size_t n, at;

	(void)state;
	SAY(CLIENT, ">qSupported", "$qRcmd,61", "616161616161616161616161616161616161616161616161616161616161616161616161616161#3b", ">g");
	assert_string_equal(recorded(), "allow query reg.read\nallow monitor match 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'");
	n = read_back(bytes);
	for (unsigned half = 0; half < 2; half++) {
		at = record_of(bytes, n, half ? "#3b" : "$qRcmd");
		write_again(bytes, at, bytes + after(bytes, at), n - after(bytes, at));
		assert_string_equal(recorded(), "allow query reg.read");
	}
	write_again(bytes, n, bytes, 0);
}

/* While it serves. */
static const char *ask(int who, const char *packet)
{
	const char *said;

	stage_say(&g, who, packet);
	said = stage_hear(&g, who);
	return said ? said : "nothing";
}

static void join(int who, const char *policy)
{
	assert_int_equal(stage_join(&g, who, policy_builtin(policy)), 0);
	g.clients[who].s.who.learn = l;
	assert_true(stage_wait(&g, 2000));
}

static const char *learned(void)
{
	char name[128];
	static char text[TEXT_MAX];
	FILE *to;

	snprintf(name, sizeof name, "%s/policy", dir);
	assert_int_equal(learned_open(&to, name, why, sizeof why), 0);
	assert_int_equal(learned_write(l, to), 0);
	learned_close(to);
	to = fopen(name, "re");
	assert_non_null(to);
	text[fread(text, 1, sizeof text - 1, to)] = 0;
	fclose(to);
	unlink(name);
	return loaded(text);
}

static void a_session_that_is_served(void **state)
{
	(void)state;
	join(0, "full");
	assert_string_equal(learned(), "");
	assert_string_equal(ask(0, "?"), "T05thread:1;");
	assert_string_equal(ask(0, "Z0,4000,1"), "OK");
	assert_string_equal(ask(0, "M1000,2:0102"), "OK");
	assert_int_equal(strlen(ask(0, "m1000,8")), 16);
	assert_string_equal(learned(), "allow query\nallow mem.read range 0x1000-0x1007\nallow mem.write range 0x1000-0x1001\nallow break range 0x4000-0x4000");
	stage_say(&g, 0, "c");
	peer_hit(&g.peer, 0x4000, 1);
	assert_true(stage_wait(&g, 100));
	assert_memory_equal(learned(), "allow query run", strlen("allow query run"));
}

static void what_is_denied_is_not_learned(void **state)
{
	(void)state;
	join(0, "observe");
	assert_memory_equal(ask(0, "M1000,1:00"), "E", 1);
	assert_memory_equal(ask(0, "Z0,1000,1"), "E", 1);
	assert_memory_equal(ask(0, "vFile:open:2f,0,0"), "F-1", 3);
	assert_string_equal(learned(), "");
	assert_int_equal(strlen(ask(0, "m1000,8")), 16);
	assert_string_equal(learned(), "allow mem.read range 0x1000-0x1007");
}

/* Up to the denied byte. */
static void what_was_answered_short_is_learned_short(void **state)
{
	struct policy p;

	(void)state;
	assert_int_equal(policy_init(&p, "p"), 0);
	assert_int_equal(policy_add(&p, "deny mem.read range 0x2000-0x2fff", why, sizeof why) || policy_add(&p, "allow all", why, sizeof why), 0);
	join(0, "full");
	g.clients[0].s.who.policy = &p;
	assert_int_equal(strlen(ask(0, "m1ff0,20")), 32);
	assert_string_equal(learned(), "allow mem.read range 0x1ff0-0x1fff");
	g.clients[0].s.who.policy = policy_builtin("full");
	policy_fini(&p);
}

static void an_observer_follows(void **state)
{
	(void)state;
	join(1, "full");
	learn_destroy(l);
	l = learn_new();
	join(0, "observe");
	stage_say(&g, 0, "vCont;c");
	assert_true(stage_wait(&g, 100));
	assert_string_equal(learned(), "allow query");
}

/* A kill by who may not is a detach, which needs no permission. */
static void a_kill_that_is_none(void **state)
{
	(void)state;
	join(0, "debug");
	stage_say(&g, 0, "k");
	assert_true(stage_wait(&g, 100));
	assert_true(stage_gone(&g, 0));
	assert_string_equal(learned(), "");
}

/* Who comes to a running target that it may run stops it by that alone, and could not with less. */
static void the_break_in_at_the_start(void **state)
{
	(void)state;
	assert_true(peer_be(&g.peer, "qemu"));
	g.peer.running = true;
	join(1, "observe");
	assert_true(g.peer.running);
	join(0, "full");
	stage_say(&g, 0, "?");
	assert_true(stage_wait(&g, 100));
	assert_false(g.peer.running);
	assert_string_equal(learned(), "allow query run");
}

static void a_break_in_later(void **state)
{
	(void)state;
	join(0, "full");
	stage_say(&g, 0, "c");
	assert_true(stage_wait(&g, 100));
	learn_destroy(l);
	l = g.clients[0].s.who.learn = learn_new();
	stage_say(&g, 0, "^C");
	assert_true(stage_wait(&g, 100));
	assert_string_equal(learned(), "allow run");
}

static void a_policy_that_cannot_be_opened(void **state)
{
	char name[128];
	FILE *to;

	(void)state;
	snprintf(name, sizeof name, "%s/no/policy", dir);
	assert_int_equal(learned_open(&to, name, why, sizeof why), -ENOENT);
	assert_non_null(strstr(why, name));
	assert_non_null(strstr(why, "No such file or directory (its directory is not there: make it first)"));
	assert_int_equal(learned_open(&to, "-", why, sizeof why), 0);
	assert_ptr_equal(to, stdout);
	learned_close(to);
	learned_close(NULL);
	assert_int_equal(learned_open(&to, "/dev/full", why, sizeof why), 0);
	assert_int_equal(learned_write(l, to), -ENOSPC);
	learned_close(to);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_recorded_session),
		TEST(conversations_with_the_target_are_no_matter),
		TEST(registers_that_come_with_a_stop),
		TEST(a_break_is_a_run),
		TEST(lldb_probes_for_free),
		TEST(monitor_commands_of_the_gate),
		TEST(malformed_packets_teach_nothing),
		TEST(another_protocol),
		TEST(no_file),
		TEST(a_full_disk),
		TEST(a_file_in_pieces),
		TEST(what_is_missing),
		TEST(a_session_that_is_served),
		TEST(what_is_denied_is_not_learned),
		TEST(what_was_answered_short_is_learned_short),
		TEST(an_observer_follows),
		TEST(a_kill_that_is_none),
		TEST(the_break_in_at_the_start),
		TEST(a_break_in_later),
		TEST(a_policy_that_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
