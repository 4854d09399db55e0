/* console_test.c - who sits at a target's console: what they see, what they type, and what the audit has of it. */
#include "proxy/console.h"

#include "backends/link/link.h"
#include "base/log.h"
#include "proxy/audit_log.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 4096, LINES_MAX = 64, SEEN_MAX = 2 * CONSOLE_OUT };

static struct console console;
static struct console_reader *reader;
static struct link *far;
static struct audit_log audit;
static struct policy none_to_type;
static uint64_t now;
static char dir[] = "/tmp/kdgate-console-XXXXXX", path[64], why[256];
static json_t *lines[LINES_MAX];
static char seen[SEEN_MAX];

static void sits_down(const struct policy *policy)
{
	struct session_who who = { .id = 7, .peer = "uid 1000", .target = "dut", .policy = policy, .audit = &audit };
	struct link *near = link_pair_new(&far, PIECE);

	assert_non_null(near);
	reader = console_reader_new(&who, near, policy_grants(policy, RSP_EFF_CONSOLE));
	assert_non_null(reader);
	assert_int_equal(console_join(&console, reader), 0);
}

static int begin(void **state)
{
	(void)state;
	log_setup((enum log_level)0);
	now = 1000;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/audit", dir);
	assert_int_equal(audit_log_open(&audit, path, why, sizeof why), 0);
	assert_int_equal(console_init(&console, "", why, sizeof why), 0);
	assert_int_equal(policy_init(&none_to_type, "reads"), 0);
	assert_int_equal(policy_add(&none_to_type, "allow query", why, sizeof why), 0);
	assert_int_equal(policy_add(&none_to_type, "deny console", why, sizeof why), 0);
	return 0;
}

static void leaves(void)
{
	if (!reader)
		return;
	console_part(&console, reader);
	console_reader_free(reader);
	reader = NULL;
}

static int end(void **state)
{
	(void)state;
	leaves();
	link_destroy_stack(far);
	far = NULL;
	for (size_t i = 0; i < LINES_MAX; i++)
		json_decref(lines[i]);
	memset(lines, 0, sizeof lines);
	policy_fini(&none_to_type);
	console_fini(&console);
	audit_log_close(&audit);
	unlink(path);
	rmdir(dir);
	strcpy(dir + sizeof dir - sizeof "XXXXXX", "XXXXXX");
	return 0;
}

static void turns(void)
{
	while (console_step(&console, reader, now))
		continue;
}

static void types(const char *text)
{
	uint8_t room[PIECE];
	struct buf b = { .base = room, .cap = sizeof room };

	assert_int_equal(buf_put_text(&b, text), 0);
	assert_int_equal(link_send(far, &b, now), 0);
	turns();
	console_typed_taken(&console, console_typed(&console).len);
}

/* Everything until now, as the loop would go through it. */
static void waits(uint64_t ms)
{
	uint64_t to = now + ms, due;

	while ((due = console_reader_wait(&console, reader).until) <= to) {
		assert_true(due >= now);
		now = due;
		turns();
	}
	now = to;
	turns();
}

static size_t audited(void)
{
	FILE *f = fopen(path, "r");
	char line[AUDIT_LINE + 1];
	size_t n = 0;

	assert_non_null(f);
	while (n < LINES_MAX && fgets(line, sizeof line, f)) {
		assert_null(strstr(line, "secret"));
		json_decref(lines[n]);
		lines[n] = json_loads(line, 0, NULL);
		assert_non_null(lines[n++]);
	}
	fclose(f);
	return n;
}

static const char *field(size_t line, const char *key)
{
	const char *text = json_string_value(json_object_get(lines[line], key));

	return text ? text : "nothing";
}

static const char *sees(void)
{
	uint8_t room[PIECE];
	struct buf b = { .base = room, .cap = sizeof room };
	size_t n = 0;

	for (turns(); link_recv(far, &b, now) == 1; turns()) {
		assert_true(n + b.len < sizeof seen);
		memcpy(seen + n, buf_data(&b), b.len);
		n += b.len;
		buf_reset(&b, 0);
	}
	seen[n] = 0;
	return seen;
}

static void a_burst_of_typing_is_one_line_without_its_text(void **state)
{
	(void)state;
	sits_down(policy_builtin("full"));
	for (const char *p = "secret\r"; *p; p++) {
		types((char[]){ *p, 0 });
		waits(CONSOLE_PAUSE_MS - 1);
	}
	assert_int_equal(audited(), 0);
	waits(1);
	assert_int_equal(audited(), 1);
	assert_string_equal(field(0, "event"), "type");
	assert_string_equal(field(0, "target"), "dut");
	assert_string_equal(field(0, "who"), "uid 1000");
	assert_string_equal(field(0, "policy"), "full");
	assert_string_equal(field(0, "effect"), "console");
	assert_string_equal(field(0, "text"), "7 bytes");
	assert_int_equal(json_integer_value(json_object_get(lines[0], "client")), 7);
	assert_true(json_integer_value(json_object_get(lines[0], "rule")) > 0);
	waits(10 * CONSOLE_BURST_MS);
	assert_int_equal(audited(), 1);
	types("secret");
	waits(CONSOLE_PAUSE_MS);
	assert_int_equal(audited(), 2);
	assert_string_equal(field(1, "text"), "6 bytes");
}

/* Somebody who never pauses: still not unheard of, and still not a line for each key. */
static void typing_without_end_is_a_line_now_and_then(void **state)
{
	enum { STEP_MS = 100, BURSTS = 5 };
	size_t typed = 0, told = 0, n;

	(void)state;
	sits_down(policy_builtin("full"));
	for (uint64_t last = now + BURSTS * CONSOLE_BURST_MS; now < last; waits(STEP_MS), typed++)
		types("x");
	waits(CONSOLE_PAUSE_MS);
	n = audited();
	assert_in_range(n, BURSTS, BURSTS + 1);
	for (size_t i = 0; i < n; i++)
		told += strtoul(field(i, "text"), NULL, 10);
	assert_int_equal(told, typed);
}

static void what_was_typed_last_is_told_when_they_leave(void **state)
{
	(void)state;
	sits_down(policy_builtin("full"));
	types("secret\r");
	leaves();
	assert_int_equal(audited(), 1);
	assert_string_equal(field(0, "text"), "7 bytes");
}

/* What finds no room is not typed yet: it is neither counted, nor does it keep the burst going. */
static void only_what_was_taken_is_counted(void **state)
{
	char much[CONSOLE_TYPING + 100];
	uint8_t room[PIECE];
	struct buf b = { .base = room, .cap = sizeof room };

	(void)state;
	sits_down(policy_builtin("full"));
	memset(much, 'x', sizeof much);
	assert_int_equal(buf_put(&b, much, sizeof much), 0);
	assert_int_equal(link_send(far, &b, now), 0);
	turns();
	assert_int_equal(console_typed(&console).len, CONSOLE_TYPING);
	waits(CONSOLE_PAUSE_MS);
	assert_int_equal(audited(), 1);
	assert_int_equal(strtoul(field(0, "text"), NULL, 10), CONSOLE_TYPING);
	console_typed_taken(&console, CONSOLE_TYPING);
	turns();
	waits(CONSOLE_PAUSE_MS);
	assert_int_equal(audited(), 2);
	assert_int_equal(strtoul(field(1, "text"), NULL, 10), 100);
}

static void who_may_not_type_is_told_and_audited_once(void **state)
{
	(void)state;
	sits_down(&none_to_type);
	types("secret");
	types("secret");
	assert_non_null(strstr(sees(), "the policy does not allow typing here"));
	assert_string_equal(sees(), "");
	assert_int_equal(console_typed(&console).len, 0);
	waits(CONSOLE_BURST_MS);
	assert_int_equal(audited(), 1);
	assert_string_equal(field(0, "event"), "deny");
	assert_string_equal(field(0, "effect"), "console");
	assert_int_equal(json_integer_value(json_object_get(lines[0], "rule")), 2);
}

static void who_comes_is_shown_what_was_before(void **state)
{
	(void)state;
	console_put(&console, span_of("login: "));
	sits_down(policy_builtin("full"));
	assert_string_equal(sees(), "login: ");
	console_put(&console, span_of("root\r\n"));
	assert_string_equal(sees(), "root\r\n");
}

static void who_does_not_read_is_told_how_much_is_missing(void **state)
{
	static uint8_t text[CONSOLE_OUT];

	(void)state;
	sits_down(policy_builtin("full"));
	memset(text, 'x', sizeof text);
	console_put(&console, (struct span){ text, sizeof text });
	console_put(&console, span_of("lost"));
	assert_null(strstr(sees(), "lost"));
	console_put(&console, span_of("later"));
	assert_string_equal(sees(), "\r\n[kdgate: 4 bytes of the console were left out]\r\nlater");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_of_typing_is_one_line_without_its_text, begin, end),
		cmocka_unit_test_setup_teardown(typing_without_end_is_a_line_now_and_then, begin, end),
		cmocka_unit_test_setup_teardown(what_was_typed_last_is_told_when_they_leave, begin, end),
		cmocka_unit_test_setup_teardown(only_what_was_taken_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(who_may_not_type_is_told_and_audited_once, begin, end),
		cmocka_unit_test_setup_teardown(who_comes_is_shown_what_was_before, begin, end),
		cmocka_unit_test_setup_teardown(who_does_not_read_is_told_how_much_is_missing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
