/* net_seal.c - see net_seal.h. */
#include "tests/sim/kdtarget/net_seal.h"

#include "tests/sim/kdtarget/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 4, GROUP_DIGITS = 13, HOST = 0x80, PAD = 0x7f };
static const uint8_t magic[4] = { 'M', 'D', 'B', 'G' };

/* --- keys */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10 : -1;
}

static const char *group(const char *at, uint64_t *value)
{
	size_t n = 0;

	for (*value = 0; digit(*at) >= 0; at++, n++)
		if (n == GROUP_DIGITS || __builtin_mul_overflow(*value, 36, value) || __builtin_add_overflow(*value, (uint64_t)digit(*at), value))
			return NULL;
	return n ? at : NULL;
}

int seal_key(struct seal_keys *k, const char *text)
{
	for (size_t i = 0; i < GROUPS; i++) {
		uint64_t value;

		text = group(text, &value);
		if (!text || *text != (i < GROUPS - 1 ? '.' : '\0'))
			return -1;
		text++;
		put(k->control + 8 * i, 8, value);
	}
	for (size_t i = 0; i < SEAL_KEY; i++)
		k->mac[i] = (uint8_t)~k->control[i];
	return 0;
}

void seal_agree(struct seal_keys *k, const uint8_t *response)
{
	uint8_t all[SEAL_KEY + SEAL_RESPONSE];

	memcpy(all, k->control, SEAL_KEY);
	memcpy(all + SEAL_KEY, response, SEAL_RESPONSE);
	SHA256(all, sizeof all, k->data);
}

/* --- datagrams */

static const uint8_t *key_of(const struct seal_keys *k, unsigned channel)
{
	return channel == SEAL_CONTROL ? k->control : k->data;
}

static void cipher(const uint8_t *key, bool closing, const uint8_t *iv, const uint8_t *from, size_t n, uint8_t *to)
{
	static EVP_CIPHER_CTX *c;
	int len;

	if (!c)
		c = EVP_CIPHER_CTX_new();
	if (!c || EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv, closing) != 1 ||
	    EVP_CIPHER_CTX_set_padding(c, 0) != 1 || EVP_CipherUpdate(c, to, &len, from, (int)n) != 1)
		abort();
}

/* Over the header and what is not yet, or no longer, enciphered: they lie one behind the other. */
static void tag_of(const struct seal_keys *k, const uint8_t *plain, size_t n, uint8_t *tag)
{
	uint8_t whole[SHA256_DIGEST_LENGTH];

	HMAC(EVP_sha256(), k->mac, SEAL_KEY, plain, n, whole, NULL);
	memcpy(tag, whole, SEAL_BLOCK);
}

static void put_sequence(uint8_t *to, uint64_t meta)
{
	for (size_t i = 0; i < SEAL_META; i++)
		to[i] = (uint8_t)(meta >> 8 * (SEAL_META - 1 - i));
}

static uint64_t get_sequence(const uint8_t *from)
{
	uint64_t meta = 0;

	for (size_t i = 0; i < SEAL_META; i++)
		meta = meta << 8 | from[i];
	return meta;
}

size_t seal_close(const struct seal_keys *k, const struct seal_meta *m, const void *body, size_t n, uint8_t *to)
{
	uint8_t plain[SEAL_DATAGRAM] = { 0 };
	size_t pad = (0 - (SEAL_META + n)) % SEAL_BLOCK, len = SEAL_META + n + pad;

	memcpy(plain, magic, sizeof magic);
	plain[4] = m->version;
	plain[5] = m->channel;
	put_sequence(plain + SEAL_HEAD, m->sequence << 8 | (m->from_host ? HOST : 0) | pad);
	if (n)
		memcpy(plain + SEAL_HEAD + SEAL_META, body, n);
	memcpy(to, plain, SEAL_HEAD);
	tag_of(k, plain, SEAL_HEAD + len, to + SEAL_HEAD + len);
	cipher(key_of(k, m->channel), true, to + SEAL_HEAD + len, plain + SEAL_HEAD, len, to + SEAL_HEAD);
	return SEAL_HEAD + len + SEAL_BLOCK;
}

static bool shaped(const uint8_t *d, size_t n)
{
	bool sized = n >= SEAL_LEAST && n <= SEAL_DATAGRAM && (n - SEAL_HEAD) % SEAL_BLOCK == 0;

	return sized && memcmp(d, magic, sizeof magic) == 0 && d[5] <= SEAL_CONTROL;
}

int seal_open(const struct seal_keys *k, const uint8_t *d, size_t n, struct seal_meta *m, uint8_t *body)
{
	uint8_t plain[SEAL_DATAGRAM], tag[SEAL_BLOCK];
	size_t len = n - SEAL_HEAD - SEAL_BLOCK, pad;
	uint64_t meta;

	if (!shaped(d, n))
		return SEAL_SHAPE;
	memcpy(plain, d, SEAL_HEAD);
	cipher(key_of(k, d[5]), false, d + n - SEAL_BLOCK, d + SEAL_HEAD, len, plain + SEAL_HEAD);
	tag_of(k, plain, SEAL_HEAD + len, tag);
	if (CRYPTO_memcmp(tag, d + n - SEAL_BLOCK, SEAL_BLOCK) != 0)
		return SEAL_TAG;
	meta = get_sequence(plain + SEAL_HEAD);
	pad = meta & PAD;
	*m = (struct seal_meta){ d[4], d[5], meta & HOST, meta >> 8 };
	if (pad >= SEAL_BLOCK || SEAL_META + pad > len)
		return SEAL_SHAPE;
	memcpy(body, plain + SEAL_HEAD + SEAL_META, len - SEAL_META - pad);
	return (int)(len - SEAL_META - pad);
}
