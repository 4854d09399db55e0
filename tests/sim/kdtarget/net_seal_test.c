/* net_seal_test.c - the simulated target's datagrams against vectors: a synthetic set of ours, and a real session's where it is at hand. */
#include "tests/sim/kdtarget/net_seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct set {
	const char *name, *file;
	size_t frames;
} sets[] = {
	{ "S", "tests/sim/kdnet_vectors.json", 7 },
	{ "A", "../shared/captures/kdnet_vectors.json", 39 },
};

static size_t bytes_of(const json_t *from, const char *name, uint8_t *to)
{
	const char *hex = json_string_value(json_object_get(from, name));
	size_t n = hex ? strlen(hex) / 2 : 0;

	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)strtoul((char[]){ hex[2 * i], hex[2 * i + 1], '\0' }, NULL, 16);
	return n;
}

static uint64_t number_of(const json_t *from, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(from, name));
}

/* The key that both agreed on is in the set, so that each frame is tried alone. */
static void keys_of(const json_t *set, struct seal_keys *k)
{
	uint8_t wanted[SEAL_KEY];

	assert_int_equal(seal_key(k, json_string_value(json_object_get(set, "key"))), 0);
	assert_int_equal(bytes_of(set, "control_key", wanted), SEAL_KEY);
	assert_memory_equal(k->control, wanted, SEAL_KEY);
	assert_int_equal(bytes_of(set, "hmac_key", wanted), SEAL_KEY);
	assert_memory_equal(k->mac, wanted, SEAL_KEY);
	assert_int_equal(bytes_of(set, "data_key", k->data), SEAL_KEY);
}

static void check_agreed(const struct seal_keys *k, const uint8_t *body, int n)
{
	struct seal_keys own = *k;

	memset(own.data, 0, sizeof own.data);
	if (n != SEAL_RESPONSE)
		return;
	seal_agree(&own, body);
	assert_memory_equal(own.data, k->data, SEAL_KEY);
}

static void check_frame(const struct seal_keys *k, const json_t *frame)
{
	uint8_t raw[SEAL_DATAGRAM], plain[SEAL_DATAGRAM], body[SEAL_DATAGRAM], again[SEAL_DATAGRAM];
	size_t n = bytes_of(frame, "raw", raw), len = bytes_of(frame, "plain", plain);
	struct seal_meta m;
	int got = seal_open(k, raw, n, &m, body);

	assert_int_equal(got, len - SEAL_META - number_of(frame, "pad"));
	assert_memory_equal(body, plain + SEAL_META, got);
	assert_int_equal(m.sequence, number_of(frame, "seq"));
	assert_int_equal(m.channel, number_of(frame, "chan"));
	assert_int_equal(m.from_host, json_string_value(json_object_get(frame, "dir"))[0] == 'H');
	assert_int_equal(seal_close(k, &m, body, (size_t)got, again), n);
	assert_memory_equal(again, raw, n);
	if (m.channel == SEAL_CONTROL)
		check_agreed(k, body, got);
}

static void test_a_set(void **state)
{
	const struct set *s = *state;
	json_t *all = json_load_file(s->file, 0, NULL), *set = json_object_get(all, s->name), *frame;
	struct seal_keys k;
	const char *name;

	if (!all) {
		print_message("[  SKIPPED ] %s is not there\n", s->file);
		skip();
	}
	assert_true(json_object_size(json_object_get(set, "frames")) >= s->frames);
	keys_of(set, &k);
	json_object_foreach(json_object_get(set, "frames"), name, frame)
		check_frame(&k, frame);
	json_decref(all);
}

static void test_keys(void **state)
{
	static const char *const wrong[] = { "", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", "1..3.4",
		                             "1.2.3.3w5e11264sgsg", "1.2.3.00000000000001", "1.2.3.-", "1,2.3.4" };
	struct seal_keys low, high;

	(void)state;
	assert_int_equal(seal_key(&low, "3w5e11264sgsf.kdhost.1.zzzz"), 0);
	assert_int_equal(seal_key(&high, "3W5E11264SGSF.KDHOST.1.ZZZZ"), 0);
	assert_memory_equal(low.control, high.control, SEAL_KEY);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(seal_key(&low, wrong[i]), -1);
}

/* Every bit and every length but the right one. */
static void test_nothing_else_opens(void **state)
{
	static const uint8_t text[] = "twenty-one bytes here";
	struct seal_meta m = { 5, SEAL_CONTROL, false, 7 }, got;
	uint8_t d[SEAL_DATAGRAM] = { 0 }, body[SEAL_DATAGRAM];
	struct seal_keys k;
	size_t n;

	(void)state;
	assert_int_equal(seal_key(&k, "1.2.3.4"), 0);
	n = seal_close(&k, &m, text, sizeof text, d);
	assert_int_equal(seal_open(&k, d, n, &got, body), sizeof text);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		d[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(seal_open(&k, d, n, &got, body) < 0);
		d[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < n + 64; len++)
		assert_true(len == n || seal_open(&k, d, len, &got, body) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "set S", test_a_set, NULL, NULL, (void *)(uintptr_t)&sets[0] },
		{ "set A", test_a_set, NULL, NULL, (void *)(uintptr_t)&sets[1] },
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_nothing_else_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
