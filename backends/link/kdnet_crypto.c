/* kdnet_crypto.c - see kdnet_crypto.h. */
#include "backends/link/kdnet_crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

static EVP_CIPHER_CTX *cipher_ctx(int seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, NULL, NULL, seal) == 1 && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

int kdnet_cipher_init(struct kdnet_cipher *c)
{
	*c = (struct kdnet_cipher){ .open = cipher_ctx(0), .seal = cipher_ctx(1) };
	if (c->open && c->seal)
		return 0;
	kdnet_cipher_fini(c);
	return -ENOMEM;
}

void kdnet_cipher_fini(struct kdnet_cipher *c)
{
	EVP_CIPHER_CTX_free(c->open);
	EVP_CIPHER_CTX_free(c->seal);
	*c = (struct kdnet_cipher){ 0 };
}

int kdnet_cipher_key(struct kdnet_cipher *c, const uint8_t key[KDNET_KEY])
{
	return EVP_CipherInit_ex(c->open, NULL, NULL, key, NULL, 0) == 1 && EVP_CipherInit_ex(c->seal, NULL, NULL, key, NULL, 1) == 1 ? 0 : -EIO;
}

static int run(EVP_CIPHER_CTX *ctx, int seal, const uint8_t *iv, const uint8_t *in, size_t n, uint8_t *out)
{
	int done = 0;

	if (n % KDNET_BLOCK || n > INT_MAX || EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, seal) != 1)
		return -EIO;
	return EVP_CipherUpdate(ctx, out, &done, in, (int)n) == 1 && (size_t)done == n ? 0 : -EIO;
}

int kdnet_cipher_open(struct kdnet_cipher *c, const uint8_t iv[KDNET_BLOCK], const uint8_t *in, size_t n, uint8_t *out)
{
	return run(c->open, 0, iv, in, n, out);
}

int kdnet_cipher_seal(struct kdnet_cipher *c, const uint8_t iv[KDNET_BLOCK], const uint8_t *in, size_t n, uint8_t *out)
{
	return run(c->seal, 1, iv, in, n, out);
}

int kdnet_mac_init(struct kdnet_mac *m, const uint8_t key[KDNET_KEY])
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	m->ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac);
	if (m->ctx && EVP_MAC_init(m->ctx, key, KDNET_KEY, params) == 1)
		return 0;
	kdnet_mac_fini(m);
	return -ENOMEM;
}

void kdnet_mac_fini(struct kdnet_mac *m)
{
	EVP_MAC_CTX_free(m->ctx);
	*m = (struct kdnet_mac){ 0 };
}

int kdnet_mac_tag(struct kdnet_mac *m, struct span head, struct span text, uint8_t tag[KDNET_TAG])
{
	uint8_t whole[KDNET_HASH];
	size_t n = 0;

	if (EVP_MAC_init(m->ctx, NULL, 0, NULL) != 1 || EVP_MAC_update(m->ctx, head.p, head.len) != 1 ||
	    EVP_MAC_update(m->ctx, text.p, text.len) != 1 || EVP_MAC_final(m->ctx, whole, &n, sizeof whole) != 1)
		return -EIO;
	for (size_t i = 0; i < KDNET_TAG; i++)
		tag[i] = whole[i];
	return 0;
}

int kdnet_hash(uint8_t out[KDNET_HASH], struct span a, struct span b)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(ctx, a.p, a.len) == 1 &&
	         EVP_DigestUpdate(ctx, b.p, b.len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int kdnet_random(void *to, size_t n)
{
	return n <= INT_MAX && RAND_priv_bytes(to, (int)n) == 1 ? 0 : -EIO;
}

bool kdnet_same(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void kdnet_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

int kdnet_crypto_prime(void)
{
	uint8_t bytes[KDNET_KEY] = { 0 }, hash[KDNET_HASH];
	struct kdnet_cipher c = { 0 };
	struct kdnet_mac m = { 0 };
	int rc = kdnet_random(bytes, sizeof bytes);

	rc = rc ? rc : kdnet_cipher_init(&c);
	rc = rc ? rc : kdnet_mac_init(&m, bytes);
	rc = rc ? rc : kdnet_hash(hash, (struct span){ bytes, sizeof bytes }, (struct span){ 0 });
	kdnet_cipher_fini(&c);
	kdnet_mac_fini(&m);
	return rc;
}
