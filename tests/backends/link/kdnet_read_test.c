/* kdnet_read_test.c - KDNET by a listener: vectors of both directions, keys that are missing or wrong, sessions one behind the other. */
#include "backends/link/kdnet_read.h"

#include "base/hex.h"
#include "tests/backends/link/kdnet_target.h"
#include "tests/backends/link/kdnet_vectors.h"
#include "tests/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct kdnet_read r;
static struct kdnet_seen seen;
static uint8_t room[2][KDNET_DATAGRAM_MAX];

static struct span of_hex(const char *hex, uint8_t *to)
{
	struct buf b = { .base = to, .cap = KDNET_DATAGRAM_MAX };

	assert_int_equal(hex_take(&b, span_of(hex)), 0);
	return buf_span(&b);
}

static void open_with(const char *text)
{
	struct kdnet_key key;
	const char *why;

	kdnet_read_fini(&r);
	assert_int_equal(text ? kdnet_key_parse(&key, span_of(text), &why) : 0, 0);
	assert_int_equal(kdnet_read_init(&r, text ? &key : NULL), 0);
}

static int end(void **state)
{
	(void)state;
	kdnet_read_fini(&r);
	return 0;
}

static enum kdnet_read_found look(struct span d)
{
	kdnet_read_look(&r, d, &seen);
	return seen.found;
}

static void is_vector(size_t i)
{
	struct span raw = of_hex(kdnet_vectors[i].raw, room[0]), plain = of_hex(kdnet_vectors[i].plain, room[1]);

	assert_int_equal(look(raw), KDNET_READ_OPENED);
	assert_int_equal(seen.control, kdnet_vectors[i].channel);
	assert_int_equal(seen.version, 5);
	assert_int_equal(seen.from_host, kdnet_vectors[i].from_host);
	assert_int_equal(seen.sequence, kdnet_vectors[i].sequence);
	assert_int_equal(seen.pad, kdnet_vectors[i].pad);
	assert_int_equal(seen.sealed, plain.len);
	assert_int_equal(seen.body.len, plain.len - 8 - kdnet_vectors[i].pad);
	assert_memory_equal(seen.body.p, plain.p + 8, seen.body.len);
	assert_int_equal(seen.data_key, kdnet_vectors[i].channel ? 0 : 1);
}

static void vectors(void **state)
{
	(void)state;
	open_with(KDNET_VECTORS_KEY);
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++) {
		is_vector(i);
		assert_int_equal(seen.makes_key, !strcmp(kdnet_vectors[i].name, "response"));
	}
	assert_int_equal(r.data_keys, 1);
	is_vector(1); /* the response, captured twice */
	assert_false(seen.makes_key);
	assert_int_equal(r.data_keys, 1);
}

static void data_before_its_response(void **state)
{
	(void)state;
	open_with(KDNET_VECTORS_KEY);
	assert_int_equal(look(of_hex(kdnet_vectors[3].raw, room[0])), KDNET_READ_SEALED);
	is_vector(1);
	is_vector(3);
	assert_true(r.counts[0][KDNET_READ_SEALED] == 1 && r.counts[0][KDNET_READ_OPENED] == 1 && r.counts[1][KDNET_READ_OPENED] == 1);
}

static void without_a_key(void **state)
{
	(void)state;
	open_with(NULL);
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++) {
		assert_int_equal(look(of_hex(kdnet_vectors[i].raw, room[0])), KDNET_READ_SEALED);
		assert_true(seen.version == 5 && seen.control == (kdnet_vectors[i].channel == 1) && !seen.body.len && !seen.sequence);
	}
}

static void under_a_wrong_key(void **state)
{
	(void)state;
	open_with("3w5e11264sgsf.kdhost.1.zzzy");
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++) {
		assert_int_equal(look(of_hex(kdnet_vectors[i].raw, room[0])), kdnet_vectors[i].channel ? KDNET_READ_WRONG : KDNET_READ_SEALED);
		assert_true(!seen.body.len && !seen.sequence);
	}
	assert_int_equal(r.data_keys, 0);
}

/* Whatever is cut off or turned, it is nothing of theirs. */
static void cut_and_flipped(void **state)
{
	struct span raw;

	(void)state;
	open_with(KDNET_VECTORS_KEY);
	is_vector(1);
	raw = of_hex(kdnet_vectors[5].raw, room[0]);
	for (size_t n = 0; n < raw.len; n++)
		assert_int_not_equal(look((struct span){ guard_copy(raw.p, n), n }), KDNET_READ_OPENED);
	for (size_t i = 0; i < 8 * raw.len; i++) {
		room[0][i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(look(raw), KDNET_READ_OPENED);
		room[0][i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(look(raw), KDNET_READ_OPENED);
}

/* A session, and the others behind it: each has its key, and the last few are remembered. */
static void sessions(void **state)
{
	static struct kdnet host;
	static struct kt target;
	static const struct kdnet_end end_of = { .port = 50000 };
	uint8_t kept[12][KT_MAX];
	size_t kept_n[12];
	struct buf body = { .base = room[1], .cap = sizeof room[1] };
	struct kdnet_end to;
	struct span d;

	(void)state;
	open_with("1.2.3.4");
	kt_init(&target, "1.2.3.4", 5);
	assert_int_equal(kdnet_init(&host, &target.key, 0), 0);
	for (unsigned i = 0; i < COUNT(kept); i++) {
		kt_boot(&target, i + 1);
		d = kt_poke(&target);
		assert_int_equal(look(d), KDNET_READ_OPENED);
		(void)!kdnet_take(&host, &end_of, d, &body, i);
		assert_true(kdnet_reply(&host, &d, &to));
		assert_int_equal(look(d), KDNET_READ_OPENED);
		assert_true(seen.makes_key && seen.from_host && kt_accept(&target, d));
		d = kt_check(&target);
		memcpy(kept[i], d.p, kept_n[i] = d.len);
		assert_int_equal(look(d), KDNET_READ_OPENED);
		assert_int_equal(seen.data_key, i + 1);
		assert_false(seen.from_host);
		(void)!kdnet_take(&host, &end_of, d, &body, i);
	}
	for (unsigned i = 0; i < COUNT(kept); i++)
		assert_int_equal(look((struct span){ kept[i], kept_n[i] }), i < COUNT(kept) - KDNET_READ_KEYS ? KDNET_READ_WRONG : KDNET_READ_OPENED);
	kdnet_fini(&host);
	kt_fini(&target);
}

static void offers(void **state)
{
	static const uint8_t host[18] = { [10] = 0xff, 0xff, 192, 0, 2, 1, 0xc3, 0x50 };
	struct kdnet_offer o;
	struct span plain = span_from(of_hex(kdnet_vectors[0].plain, room[0]), 8);

	(void)state;
	assert_int_equal(kdnet_offer_parse(plain, &o), 0);
	assert_false(o.response);
	assert_true(o.nonce.len == 32 && o.nonce.p[0] == 0 && o.nonce.p[31] == 31 && !o.random.len);
	assert_memory_equal(o.ends[1].p, host, sizeof host);
	for (size_t n = 0; n < 88; n++)
		assert_int_not_equal(kdnet_offer_parse((struct span){ guard_copy(plain.p, n), n }, &o), 0);
	plain = span_from(of_hex(kdnet_vectors[1].plain, room[0]), 8);
	plain.len = 322;
	assert_int_equal(kdnet_offer_parse(plain, &o), 0);
	assert_true(o.response && o.random.len == 32 && o.random.p[0] == 0xe0);
	plain.len = 321;
	assert_int_not_equal(kdnet_offer_parse(plain, &o), 0);
}

static void checks(void **state)
{
	uint8_t ip[4];
	struct span plain = span_from(of_hex(kdnet_vectors[2].plain, room[0]), 8);

	(void)state;
	plain.len = 12;
	assert_true(kdnet_is_check(plain, ip));
	assert_true(ip[0] == 192 && ip[1] == 0 && ip[2] == 2 && ip[3] == 1);
	room[0][8] = 1;
	assert_false(kdnet_is_check(plain, ip));
	room[0][8] = 0;
	plain.len = 11;
	assert_false(kdnet_is_check(plain, ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(vectors, end),           cmocka_unit_test_teardown(data_before_its_response, end),
		cmocka_unit_test_teardown(without_a_key, end),     cmocka_unit_test_teardown(under_a_wrong_key, end),
		cmocka_unit_test_teardown(cut_and_flipped, end),   cmocka_unit_test_teardown(sessions, end),
		cmocka_unit_test(offers),                          cmocka_unit_test(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
