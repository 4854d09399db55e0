/* kdnet_target.h - the target's end of KDNET, for tests: pokes, takes responses, seals and opens data. It checks nothing that the host is
 * to check, and lies when a test sets its fields so. */
#ifndef TESTS_BACKENDS_LINK_KDNET_TARGET_H
#define TESTS_BACKENDS_LINK_KDNET_TARGET_H

#include "backends/link/kdnet.h"

#include <stdlib.h>
#include <string.h>

enum { KT_MAX = 8192 };

struct kt {
	struct kdnet_key key;
	struct kdnet_cipher control, data;
	struct kdnet_mac mac;
	uint8_t version, nonce[32], host_bit; /* host_bit: 0x80 reflects */
	uint64_t control_seq, data_seq, heard_seq;
	bool connected;
	unsigned pad_more;        /* added to the pad that is told */
	uint8_t d[KT_MAX];        /* the last datagram it made */
	size_t len;
	uint8_t got[KT_MAX];      /* the last body it opened */
	size_t got_len;
};

static inline void kt_must(int rc)
{
	if (rc)
		abort();
}

static inline void kt_boot(struct kt *t, unsigned n)
{
	memset(t->nonce, (int)n, sizeof t->nonce);
	memset(t->nonce + 1, 0, 7);
	t->control_seq = t->data_seq = t->heard_seq = 0;
	t->connected = false;
}

static inline void kt_init(struct kt *t, const char *key, uint8_t version)
{
	uint8_t not_key[KDNET_KEY];
	const char *why;

	*t = (struct kt){ .version = version };
	kt_must(kdnet_key_parse(&t->key, span_of(key), &why));
	for (size_t i = 0; i < sizeof not_key; i++)
		not_key[i] = (uint8_t)~t->key.bytes[i];
	kt_must(kdnet_cipher_init(&t->control));
	kt_must(kdnet_cipher_init(&t->data));
	kt_must(kdnet_cipher_key(&t->control, t->key.bytes));
	kt_must(kdnet_cipher_key(&t->data, not_key)); /* of a session with a debugger that is gone */
	kt_must(kdnet_mac_init(&t->mac, not_key));
	kt_boot(t, 1);
}

static inline void kt_fini(struct kt *t)
{
	kdnet_cipher_fini(&t->control);
	kdnet_cipher_fini(&t->data);
	kdnet_mac_fini(&t->mac);
}

static inline struct span kt_seal(struct kt *t, unsigned channel, uint64_t seq, struct span body)
{
	size_t n = (8 + body.len + 15) / 16 * 16;
	uint8_t *text = t->d + 6;

	memcpy(t->d, "MDBG", 4);
	t->d[4] = t->version;
	t->d[5] = (uint8_t)channel;
	memset(text, 0, n);
	for (unsigned i = 0; i < 7; i++)
		text[i] = (uint8_t)(seq >> (48 - 8 * i));
	text[7] = (uint8_t)(t->host_bit | ((n - 8 - body.len + t->pad_more) & 0x7f));
	if (body.len)
		memcpy(text + 8, body.p, body.len);
	kt_must(kdnet_mac_tag(&t->mac, (struct span){ t->d, 6 }, (struct span){ text, n }, text + n));
	kt_must(kdnet_cipher_seal(channel ? &t->control : &t->data, text + n, text, n, text));
	t->len = 6 + n + 16;
	return (struct span){ t->d, t->len };
}

static inline struct span kt_data(struct kt *t, struct span body)
{
	return kt_seal(t, 0, ++t->data_seq, body);
}

/* The next poke; endpoint 3 says whether it is connected. */
static inline struct span kt_poke(struct kt *t)
{
	uint8_t body[344] = { 1, 1 };

	for (unsigned i = 0; i < 32 && !++t->nonce[i]; i++)
		continue;
	memcpy(body + 2, t->nonce, 32);
	body[86] = t->connected ? 0xc3 : 0;
	body[87] = t->connected ? 0x50 : 0;
	return kt_seal(t, 1, t->control_seq += 3, (struct span){ body, sizeof body });
}

/* Opens what the host sent: is it of that channel's key, and ours? */
static inline bool kt_open(struct kt *t, struct span d, uint64_t *seq)
{
	size_t n = d.len - 22;
	uint8_t tag[16];

	if (d.len < 38 || n % 16 || d.len > KT_MAX)
		return false;
	kt_must(kdnet_cipher_open(d.p[5] ? &t->control : &t->data, d.p + 6 + n, d.p + 6, n, t->got));
	kt_must(kdnet_mac_tag(&t->mac, (struct span){ d.p, 6 }, (struct span){ t->got, n }, tag));
	*seq = 0;
	for (unsigned i = 0; i < 7; i++)
		*seq = *seq << 8 | t->got[i];
	if (memcmp(tag, d.p + 6 + n, 16) || !(t->got[7] & 0x80) || d.p[4] != t->version)
		return false;
	t->got_len = n - 8 - (t->got[7] & 0x7f);
	memmove(t->got, t->got + 8, t->got_len);
	return true;
}

/* A response to a recent poke: from now on that is the data key. */
static inline bool kt_accept(struct kt *t, struct span d)
{
	uint8_t key[32];
	uint64_t seq;

	if (d.p[5] != 1 || !kt_open(t, d, &seq) || t->got_len != 322 || t->got[0] != 1 || t->got[1] != 2 || seq != t->control_seq ||
	    memcmp(t->got + 2, t->nonce, 32) != 0)
		return false;
	kt_must(kdnet_hash(key, (struct span){ t->key.bytes, 32 }, (struct span){ t->got, 322 }));
	kt_must(kdnet_cipher_key(&t->data, key));
	t->data_seq = t->heard_seq = 0;
	t->connected = true;
	return true;
}

static inline struct span kt_check(struct kt *t)
{
	return kt_data(t, (struct span){ (const uint8_t[]){ 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 127 }, 12 });
}

/* Data of the host: a sequence above all before it. */
static inline bool kt_hear(struct kt *t, struct span d)
{
	uint64_t seq;

	if (d.p[5] || !kt_open(t, d, &seq) || seq <= t->heard_seq)
		return false;
	t->heard_seq = seq;
	return true;
}

#endif
