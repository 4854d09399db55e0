/* kdnet_crypto_test.c - the ciphers, by vectors that others published, and their failures. */
#include "backends/link/kdnet_crypto.h"
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static size_t bytes(uint8_t *to, size_t cap, const char *hex)
{
	struct buf b = { .base = to, .cap = cap };

	assert_int_equal(hex_take(&b, span_of(hex)), 0);
	return b.len;
}

/* NIST SP 800-38A, F.2.5 and F.2.6. */
static void aes_256_cbc(void **state)
{
	uint8_t key[32], iv[16], text[64], sealed[64], out[64];
	struct kdnet_cipher c;

	(void)state;
	bytes(key, sizeof key, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
	bytes(iv, sizeof iv, "000102030405060708090a0b0c0d0e0f");
	bytes(text, sizeof text, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
	                         "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
	bytes(sealed, sizeof sealed, "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	                             "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
	assert_int_equal(kdnet_cipher_init(&c), 0);
	assert_int_equal(kdnet_cipher_key(&c, key), 0);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(kdnet_cipher_seal(&c, iv, text, sizeof text, out), 0);
		assert_memory_equal(out, sealed, sizeof out);
		assert_int_equal(kdnet_cipher_open(&c, iv, out, sizeof out, out), 0);
		assert_memory_equal(out, text, sizeof out);
	}
	assert_int_equal(kdnet_cipher_open(&c, iv, sealed, 15, out), -5);
	key[0] ^= 1;
	assert_int_equal(kdnet_cipher_key(&c, key), 0);
	assert_int_equal(kdnet_cipher_open(&c, iv, sealed, sizeof sealed, out), 0);
	assert_memory_not_equal(out, text, sizeof out);
	kdnet_cipher_fini(&c);
	kdnet_cipher_fini(&c);
}

/* By RFC 2104 from its definition: the inner and the outer hash. */
static void hmac_sha_256(void **state)
{
	uint8_t key[32], inner[64 + 5], outer[64 + 32], want[32], tag[KDNET_TAG];
	struct kdnet_mac m;

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i < 64; i++) {
		inner[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x36);
		outer[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x5c);
	}
	memcpy(inner + 64, "hello", 5);
	assert_int_equal(kdnet_hash(outer + 64, (struct span){ inner, 69 }, (struct span){ 0 }), 0);
	assert_int_equal(kdnet_hash(want, (struct span){ outer, 40 }, (struct span){ outer + 40, 56 }), 0);
	assert_int_equal(kdnet_mac_init(&m, key), 0);
	for (int again = 0; again < 3; again++) {
		assert_int_equal(kdnet_mac_tag(&m, span_of("he"), span_of("llo"), tag), 0);
		assert_memory_equal(tag, want, KDNET_TAG);
	}
	kdnet_mac_fini(&m);
	kdnet_mac_fini(&m);
}

/* FIPS 180-4's example. */
static void sha_256(void **state)
{
	uint8_t want[32], out[32];

	(void)state;
	bytes(want, sizeof want, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(kdnet_hash(out, span_of("a"), span_of("bc")), 0);
	assert_memory_equal(out, want, 32);
}

static void the_rest(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_true(kdnet_same(a, b, 32));
	b[31] = 1;
	assert_false(kdnet_same(a, b, 32));
	assert_true(kdnet_same(a, b, 31));
	assert_int_equal(kdnet_random(a, 32), 0);
	assert_int_equal(kdnet_random(b, 32), 0);
	assert_false(kdnet_same(a, b, 32));
	kdnet_wipe(a, 32);
	memset(b, 0, 32);
	assert_memory_equal(a, b, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes_256_cbc),
		cmocka_unit_test(hmac_sha_256),
		cmocka_unit_test(sha_256),
		cmocka_unit_test(the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
