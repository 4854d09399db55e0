/* kdnet_key_test.c - keys from text and back, limits, and how weak one is. */
#include "backends/link/kdnet_key.h"
#include "base/hex.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char *why;

static int parse(struct kdnet_key *k, const char *text)
{
	size_t n = strlen(text);

	return kdnet_key_parse(k, (struct span){ guard_copy(text, n), n }, &why);
}

static void to_bytes_and_back(void **state)
{
	static const struct { const char *text, *hex, *again; } keys[] = {
		{ "8.8.8.8", "0800000000000000080000000000000008000000000000000800000000000000", NULL },
		{ "1.2.3.4", "0100000000000000020000000000000003000000000000000400000000000000", NULL },
		{ "3w5e11264sgsf.kdhost.1.zzzz", "ffffffffffffffffcd946e49000000000100000000000000ffa0190000000000", NULL },
		{ "1m770ts6ru0p.3671pemyie4i.2b8djy3wt5et.1p99ir125v4q", "b9569fcc7cf9f30202b242b33852cb05a5ac940b08223904da42f63667b01b03", NULL },
		{ "3W5E11264SGSF.KDHOST.0001.zZzZ", "ffffffffffffffffcd946e49000000000100000000000000ffa0190000000000", "3w5e11264sgsf.kdhost.1.zzzz" },
		{ "0.0.0.00", "0000000000000000000000000000000000000000000000000000000000000000", "0.0.0.0" },
	};
	char text[KDNET_KEY_TEXT];
	struct kdnet_key k;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		uint8_t hex[64];
		struct buf b = { .base = hex, .cap = sizeof hex };

		assert_int_equal(parse(&k, keys[i].text), 0);
		assert_int_equal(hex_put(&b, (struct span){ k.bytes, sizeof k.bytes }), 0);
		assert_true(span_is(buf_span(&b), keys[i].hex));
		assert_string_equal(kdnet_key_text(&k, text), keys[i].again ? keys[i].again : keys[i].text);
	}
}

static void refused(void **state)
{
	static const struct { const char *text, *words; } keys[] = {
		{ "", "no key" }, { "1.2.3", "fewer than four" }, { "1.2.3.", "no key" }, { ".1.2.3", "no key" }, { "1.2.3.4.", "behind" },
		{ "1.2.3.4.5", "behind" }, { "1.2.3.4 ", "behind" }, { "1 2.3.4", "fewer" }, { "1.2.3w5e11264sgsg.4", "too large" },
		{ "1.2.3.zzzzzzzzzzzzz", "too large" }, { "1.2.3.00000000000001", "too large" }, { "1.2.3.4\n", "behind" }, { "1.-2.3.4", "no key" },
		{ "1.2\xc3.3.4", "fewer" },
	};
	struct kdnet_key k, before;

	(void)state;
	memset(&k, 0x55, sizeof k);
	before = k;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		assert_int_equal(parse(&k, keys[i].text), -EINVAL);
		assert_non_null(strstr(why, keys[i].words));
		assert_memory_equal(&k, &before, sizeof k);
	}
	assert_int_equal(kdnet_key_parse(&k, (struct span){ guard_copy("1.2.3.4\0", 8), 8 }, &why), -EINVAL);
}

static void cut_anywhere(void **state)
{
	static const char text[] = "1m770ts6ru0p.3671pemyie4i.2b8djy3wt5et.1p99ir125v4q";
	size_t last = (size_t)(strrchr(text, '.') - text);
	struct kdnet_key k;

	(void)state;
	for (size_t n = 0; n <= strlen(text); n++)
		assert_int_equal(kdnet_key_parse(&k, (struct span){ guard_copy(text, n), n }, &why), n > last + 1 ? 0 : -EINVAL);
}

static void made_ones_are_strong(void **state)
{
	char text[KDNET_KEY_TEXT], words[128];
	struct kdnet_key k, again;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(kdnet_key_new(&k), 0);
		assert_int_equal(parse(&again, kdnet_key_text(&k, text)), 0);
		assert_memory_equal(&k, &again, sizeof k);
		assert_in_range(kdnet_key_bits(&k), 200, 256);
		assert_null(kdnet_key_weakness(&k, words, sizeof words));
	}
}

static void weak_ones(void **state)
{
	static const struct { const char *text, *words; unsigned bits; } keys[] = {
		{ "1.2.3.4", "about 20 bits: one processor finds it in at most 1 seconds", 20 },
		{ "8.8.8.8", "about 5 bits", 5 },
		{ "10.2.3.4", "about 25 bits: one processor finds it in at most 32 seconds", 25 },
		{ "aaaa.bbbb.cccc.dddd", "years", 80 },
		{ "abcdef.1.1.1", "about 36 bits: one processor finds it in at most 18 hours", 36 },
		{ "3w5e11264sgsf.1.1.1", "about 69 bits", 69 },
		{ "aaaaaa.bbbbbb.cccccc.dddddd", NULL, 124 },
	};
	char words[128];
	struct kdnet_key k;

	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		assert_int_equal(parse(&k, keys[i].text), 0);
		assert_int_equal(kdnet_key_bits(&k), keys[i].bits);
		if (keys[i].words)
			assert_non_null(strstr(kdnet_key_weakness(&k, words, sizeof words), keys[i].words));
		else
			assert_null(kdnet_key_weakness(&k, words, sizeof words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_bytes_and_back), cmocka_unit_test(refused), cmocka_unit_test(cut_anywhere), cmocka_unit_test(made_ones_are_strong),
		cmocka_unit_test(weak_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
