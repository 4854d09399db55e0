/* kdnet_crypto.h - the ciphers that KDNET is made of (KDNET 3), by libcrypto, whose only door beside TLS's this is.
 *
 * Contexts are made once: per datagram there are only their calls. -ENOMEM and -EIO are libcrypto's own failures; what is put out is
 * nothing then. Contexts wipe the keys in them when they end. */
#ifndef BACKENDS_LINK_KDNET_CRYPTO_H
#define BACKENDS_LINK_KDNET_CRYPTO_H

#include "base/buf.h"

enum { KDNET_KEY = 32, KDNET_TAG = 16, KDNET_BLOCK = 16, KDNET_HASH = 32 };

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

/* AES-256-CBC without padding, under one key. */
struct kdnet_cipher {
	struct evp_cipher_ctx_st *open, *seal;
};

int kdnet_cipher_init(struct kdnet_cipher *c) MUST_USE; /* 0, -ENOMEM; no key yet */
void kdnet_cipher_fini(struct kdnet_cipher *c);         /* all zero is fine */
int kdnet_cipher_key(struct kdnet_cipher *c, const uint8_t key[KDNET_KEY]) MUST_USE; /* the one before is gone */

/* n is a multiple of KDNET_BLOCK; out may be in. 0, -EIO. */
int kdnet_cipher_open(struct kdnet_cipher *c, const uint8_t iv[KDNET_BLOCK], const uint8_t *in, size_t n, uint8_t *out) MUST_USE;
int kdnet_cipher_seal(struct kdnet_cipher *c, const uint8_t iv[KDNET_BLOCK], const uint8_t *in, size_t n, uint8_t *out) MUST_USE;

/* HMAC-SHA-256, of which KDNET takes the first half. */
struct kdnet_mac {
	struct evp_mac_ctx_st *ctx;
};

int kdnet_mac_init(struct kdnet_mac *m, const uint8_t key[KDNET_KEY]) MUST_USE; /* 0, -ENOMEM */
void kdnet_mac_fini(struct kdnet_mac *m);                                       /* all zero is fine */
/* Of both, one behind the other. 0, -EIO. */
int kdnet_mac_tag(struct kdnet_mac *m, struct span head, struct span text, uint8_t tag[KDNET_TAG]) MUST_USE;

int kdnet_crypto_prime(void) MUST_USE; /* libcrypto loads what it loads at its first use, as long as files may be read; 0, -errno */
int kdnet_hash(uint8_t out[KDNET_HASH], struct span a, struct span b) MUST_USE; /* SHA-256 of both; 0, -EIO */
int kdnet_random(void *to, size_t n) MUST_USE;                                  /* for keys; 0, -EIO */
bool kdnet_same(const void *a, const void *b, size_t n) MUST_USE;               /* takes as long whatever they are */
void kdnet_wipe(void *p, size_t n);

#endif
