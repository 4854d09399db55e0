/* audit_test.c - the audit line: its keys, and that it is one line of JSON whatever the strings hold. */
#include "filters/audit.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static uint8_t room[2 * AUDIT_LINE];
static struct buf out;

static const struct audit_event deny = {
	.what = AUDIT_DENY,
	.target = "dut1",
	.client = 3,
	.who = "alice (uid 1000) at 127.0.0.1:4711",
	.policy = "student",
	.rule = 2,
	.effect = "mem.read",
	.packet = "m fffff78000000000,40",
	.has_range = true,
	.addr = 0xfffff78000000000,
	.len = 64,
	.text = "denied",
};

static void fresh(size_t cap)
{
	memset(room, '~', sizeof room);
	out = (struct buf){ .base = room, .cap = cap };
}

/* One whole line of JSON, of bytes that do no harm to whoever looks at them. */
static json_t *line_of(const struct audit_event *ev)
{
	json_t *line;

	fresh(sizeof room);
	assert_int_equal(audit_line(&out, "2026-01-31T23:59:59.123Z", ev), 0);
	assert_in_range(out.len, 2, AUDIT_LINE);
	assert_int_equal(room[out.len - 1], '\n');
	for (size_t i = 0; i < out.len - 1; i++)
		assert_true(room[i] >= 0x20 && room[i] != 0x7f);
	line = json_loadb((const char *)room, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	return line;
}

static void is_line(const struct audit_event *ev, const char *want)
{
	json_decref(line_of(ev));
	room[out.len] = 0;
	assert_string_equal((const char *)room, want);
}

static const char *text_of(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static void every_key_in_its_place(void **state)
{
	(void)state;
	is_line(&deny, "{\"v\":1,\"time\":\"2026-01-31T23:59:59.123Z\",\"event\":\"deny\",\"target\":\"dut1\",\"client\":3,"
		       "\"who\":\"alice (uid 1000) at 127.0.0.1:4711\",\"policy\":\"student\",\"rule\":2,\"effect\":\"mem.read\","
		       "\"packet\":\"m fffff78000000000,40\",\"addr\":\"0xfffff78000000000\",\"len\":64,\"text\":\"denied\"}\n");
}

static void what_is_not_there_is_left_out(void **state)
{
	struct audit_event ev = { .what = AUDIT_START };

	(void)state;
	is_line(&ev, "{\"v\":1,\"time\":\"2026-01-31T23:59:59.123Z\",\"event\":\"start\"}\n");
	ev.rule = 7; /* of no effect */
	ev.addr = ev.len = 9;
	is_line(&ev, "{\"v\":1,\"time\":\"2026-01-31T23:59:59.123Z\",\"event\":\"start\"}\n");
	ev.effect = "run";
	ev.rule = 0;
	is_line(&ev, "{\"v\":1,\"time\":\"2026-01-31T23:59:59.123Z\",\"event\":\"start\",\"rule\":0,\"effect\":\"run\"}\n");
	ev = (struct audit_event){ .what = AUDIT_WRITE, .has_range = true, .target = "" };
	is_line(&ev, "{\"v\":1,\"time\":\"2026-01-31T23:59:59.123Z\",\"event\":\"write\",\"target\":\"\",\"addr\":\"0x0\",\"len\":0}\n");
	fresh(sizeof room);
	assert_int_equal(audit_line(&out, NULL, &(struct audit_event){ .what = AUDIT_END }), 0);
	assert_int_equal(out.len, strlen("{\"v\":1,\"event\":\"end\"}\n"));
	assert_memory_equal(room, "{\"v\":1,\"event\":\"end\"}\n", out.len);
}

static void each_event_has_its_name(void **state)
{
	(void)state;
	for (int i = 0; i < AUDIT_WHATS; i++) {
		const char *name = audit_what_name((enum audit_what)i);
		json_t *line = line_of(&(struct audit_event){ .what = (enum audit_what)i });

		assert_non_null(name);
		assert_string_equal(text_of(line, "event"), name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(name, audit_what_name((enum audit_what)k));
		json_decref(line);
	}
	assert_string_equal(audit_what_name(AUDIT_CONNECT), "connect");
	assert_string_equal(audit_what_name(AUDIT_BREAK_IN), "break-in");
	assert_string_equal(audit_what_name(AUDIT_TARGET_LOST), "target-lost");
	assert_string_equal(audit_what_name(AUDIT_WHATS), "other");
	assert_string_equal(audit_what_name((enum audit_what)-1), "other");
}

/* A reader with signed integers is not told a negative length. */
static void numbers_at_their_ends(void **state)
{
	struct audit_event ev = deny;
	json_t *line;

	(void)state;
	ev.addr = ev.len = ev.client = UINT64_MAX;
	ev.rule = INT_MAX;
	line = line_of(&ev);
	assert_string_equal(text_of(line, "addr"), "0xffffffffffffffff");
	assert_int_equal(json_integer_value(json_object_get(line, "len")), INT64_MAX);
	assert_int_equal(json_integer_value(json_object_get(line, "client")), INT64_MAX);
	assert_int_equal(json_integer_value(json_object_get(line, "rule")), INT_MAX);
	json_decref(line);
}

static void hostile_strings_are_shown(void **state)
{
	static const struct {
		const char *text, *shown;
	} v[] = {
		{ "a\"b", "a\"b" },
		{ "\",\"v\":2,\"x\":\"", "\",\"v\":2,\"x\":\"" },
		{ "back\\slash", "back\\slash" },
		{ "line\nline\r\ttab", "line\\x0aline\\x0d\\x09tab" },
		{ "\x1b[2J\x07", "\\x1b[2J\\x07" },
		{ "\x7f", "\\x7f" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\xff\xfe\x80", "\\xff\\xfe\\x80" },
		{ "\xc2\x85", "\\xc2\\x85" },
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xc0\x80", "\\xc0\\x80" },
		{ "</script>", "</script>" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *t = v[i].text;
		struct audit_event ev = { .target = t, .who = t, .policy = t, .effect = t, .packet = t, .text = t };
		json_t *line = line_of(&ev);

		assert_string_equal(text_of(line, "target"), v[i].shown);
		assert_string_equal(text_of(line, "who"), v[i].shown);
		assert_string_equal(text_of(line, "policy"), v[i].shown);
		assert_string_equal(text_of(line, "packet"), v[i].shown);
		assert_string_equal(text_of(line, "text"), v[i].shown);
		assert_int_equal(json_integer_value(json_object_get(line, "v")), 1);
		assert_int_equal(json_object_size(line), 10);
		json_decref(line);
	}
}

/* The longest everything, of each byte, and of characters that a cut might split. */
static void over_long_strings_are_cut(void **state)
{
	static char text[5000];

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		struct audit_event ev = { .what = AUDIT_TARGET_LOST, .target = text, .client = UINT64_MAX, .who = text, .policy = text, .rule = INT_MIN,
					  .effect = text, .packet = text, .has_range = true, .addr = UINT64_MAX, .len = UINT64_MAX, .text = text };
		json_t *line;

		memset(text, (int)c, sizeof text - 1);
		for (size_t i = 0; c >= 0xc2 && c < 0xe0 && i + 1 < sizeof text - 1; i += 2)
			text[i + 1] = (char)0xa9;
		line = line_of(&ev);
		assert_int_equal(json_object_size(line), 13);
		assert_true(strlen(text_of(line, "text")) >= 300);
		assert_true(strlen(text_of(line, "target")) > 56);
		json_decref(line);
		fresh(sizeof room);
		assert_int_equal(audit_line(&out, text, &ev), 0); /* a stamp of somebody's, too */
		assert_in_range(out.len, 1000, AUDIT_LINE);
	}
}

static void what_fits_is_not_cut(void **state)
{
	char who[161], packet[241], text[313];
	struct audit_event ev = deny;
	json_t *line;

	(void)state;
	memset(who, 'w', sizeof who);
	memset(packet, 'p', sizeof packet);
	memset(text, 't', sizeof text);
	who[160] = packet[240] = text[312] = 0;
	ev.who = who;
	ev.packet = packet;
	ev.text = text;
	line = line_of(&ev);
	assert_string_equal(text_of(line, "who"), who);
	assert_string_equal(text_of(line, "packet"), packet);
	assert_string_equal(text_of(line, "text"), text);
	json_decref(line);
}

/* All of it or nothing. */
static void no_room(void **state)
{
	size_t whole;

	(void)state;
	fresh(sizeof room);
	assert_int_equal(audit_line(&out, "now", &deny), 0);
	whole = out.len;
	for (size_t cap = 0; cap < whole; cap++) {
		fresh(cap);
		assert_int_equal(audit_line(&out, "now", &deny), -ENOBUFS);
		assert_int_equal(out.len, 0);
		assert_int_equal(room[0], '~');
	}
	fresh(whole);
	assert_int_equal(audit_line(&out, "now", &deny), 0);
	fresh(2 * whole);
	assert_int_equal(audit_line(&out, "now", &deny), 0);
	assert_int_equal(audit_line(&out, "now", &deny), 0); /* appended: the first is still there */
	assert_int_equal(out.len, 2 * whole);
	assert_memory_equal(room, room + whole, whole);
	assert_int_equal(audit_line(&out, "now", &deny), -ENOBUFS);
	assert_int_equal(out.len, 2 * whole);
}

static int allocations_left;

static void *scarce_malloc(size_t n)
{
	return allocations_left-- > 0 ? malloc(n) : NULL;
}

static void no_memory(void **state)
{
	int n = 0, rc;

	(void)state;
	json_set_alloc_funcs(scarce_malloc, free);
	do {
		fresh(sizeof room);
		allocations_left = n++;
		rc = audit_line(&out, "now", &deny);
		assert_true(rc == 0 || (rc == -ENOMEM && out.len == 0));
	} while (rc && n < 1000);
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(rc, 0);
	assert_true(n > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_in_its_place),
		cmocka_unit_test(what_is_not_there_is_left_out),
		cmocka_unit_test(each_event_has_its_name),
		cmocka_unit_test(numbers_at_their_ends),
		cmocka_unit_test(hostile_strings_are_shown),
		cmocka_unit_test(over_long_strings_are_cut),
		cmocka_unit_test(what_fits_is_not_cut),
		cmocka_unit_test(no_room),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
