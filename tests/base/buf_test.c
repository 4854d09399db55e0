/* buf_test.c - the ceiling, the headroom, the reader that cannot overrun. */
#include "base/buf.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void ceiling(void **state)
{
	struct buf b;

	(void)state;
	assert_int_equal(buf_init(&b, 8), 0);
	assert_int_equal(buf_put(&b, "12345678", 8), 0);
	assert_int_equal(buf_put_u8(&b, '9'), -ENOBUFS);
	assert_int_equal(b.len, 8);
	assert_int_equal(buf_pull(&b, 3), 0);
	assert_int_equal(buf_room(&b), 0); /* until it is packed */
	buf_pack(&b);
	assert_int_equal(buf_room(&b), 3);
	assert_memory_equal(buf_data(&b), "45678", 5);
	assert_int_equal(buf_pull(&b, 6), -EBADMSG);
	assert_int_equal(buf_printf(&b, "%s", "abcd"), -ENOBUFS);
	assert_int_equal(b.len, 5);
	assert_int_equal(buf_printf(&b, "%d", 123), 0);
	buf_cut(&b, 100);
	assert_int_equal(b.len, 8);
	buf_cut(&b, 1);
	assert_true(span_is(buf_span(&b), "4"));
	buf_fini(&b);
}

static void headroom(void **state)
{
	struct buf b;

	(void)state;
	assert_int_equal(buf_init(&b, 8), 0);
	buf_reset(&b, 3);
	assert_int_equal(buf_put_text(&b, "body"), 0);
	assert_null(buf_push(&b, 4));
	memcpy(buf_push(&b, 3), "hd:", 3);
	assert_true(span_is(buf_span(&b), "hd:body"));
	assert_null(buf_push(&b, 1));
	buf_reset(&b, 9);
	assert_int_equal(buf_room(&b), 0);
	buf_fini(&b);
}

static void cursor(void **state)
{
	static const uint8_t raw[] = { 1, 2, 3, 4, 5 };
	struct cursor c = cursor_of((struct span){ guard_copy(raw, sizeof raw), sizeof raw });

	(void)state;
	assert_int_equal(cursor_le(&c, 2), 0x0201);
	assert_int_equal(cursor_peek(&c), 3);
	assert_false(cursor_skip(&c, 9));
	assert_true(cursor_skip(&c, 3));
	assert_int_equal(cursor_le(&c, 4), 0); /* sticky, and nothing was eaten */
	assert_true(c.bad);
	assert_int_equal(cursor_u8(&c), 4);
	assert_int_equal(cursor_rest(&c).len, 1);
	assert_int_equal(cursor_peek(&c), -1);
	assert_int_equal(cursor_u8(&c), 0);
	assert_false(cursor_done(&c));
}

static void spans(void **state)
{
	(void)state;
	assert_true(span_starts(span_of("qSupported"), "qS"));
	assert_false(span_starts(span_of("q"), "qS"));
	assert_false(span_is(span_of("qC"), "qCRC"));
	assert_true(span_is(span_from(span_of("abc"), 1), "bc"));
	assert_int_equal(span_from(span_of("abc"), 9).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ceiling), cmocka_unit_test(headroom), cmocka_unit_test(cursor), cmocka_unit_test(spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
