/* kdnet_read.c - see kdnet_read.h. */
#include "backends/link/kdnet_read.h"

#include <errno.h>
#include <string.h>

enum { AROUND = KDNET_HEADER + KDNET_TAG, AT_VERSION = 4, AT_CHANNEL = 5, CONTROL = 1, FROM_HOST = 0x80, PAD = 0x7f };
enum { NONCE = 32, END = 18, POKE_LEAST = 88, RESPONSE = 322, RANDOM = 32, CHECK = 12, CHECK_ZEROS = 8 };

static const uint8_t magic[4] = { 'M', 'D', 'B', 'G' };

static int take_key(struct kdnet_read *r, const struct kdnet_key *key)
{
	uint8_t not_key[KDNET_KEY];
	int rc;

	r->keyed = true;
	r->key = *key;
	for (size_t i = 0; i < KDNET_KEY; i++)
		not_key[i] = (uint8_t)~key->bytes[i];
	rc = kdnet_mac_init(&r->mac, not_key);
	kdnet_wipe(not_key, sizeof not_key);
	rc = rc ? rc : kdnet_cipher_init(&r->control);
	rc = rc ? rc : kdnet_cipher_key(&r->control, key->bytes);
	for (size_t i = 0; !rc && i < KDNET_READ_KEYS; i++)
		rc = kdnet_cipher_init(&r->keys[i].cipher);
	return rc;
}

int kdnet_read_init(struct kdnet_read *r, const struct kdnet_key *key)
{
	int rc;

	*r = (struct kdnet_read){ 0 };
	rc = key ? take_key(r, key) : 0;
	if (rc)
		kdnet_read_fini(r);
	return rc ? -ENOMEM : 0;
}

void kdnet_read_fini(struct kdnet_read *r)
{
	for (size_t i = 0; i < KDNET_READ_KEYS; i++)
		kdnet_cipher_fini(&r->keys[i].cipher);
	kdnet_cipher_fini(&r->control);
	kdnet_mac_fini(&r->mac);
	kdnet_wipe(r, sizeof *r);
}

static bool well_formed(struct span d)
{
	return d.len >= AROUND + KDNET_BLOCK && d.len <= KDNET_DATAGRAM_MAX && (d.len - AROUND) % KDNET_BLOCK == 0 &&
	       !memcmp(d.p, magic, sizeof magic) && d.p[AT_CHANNEL] <= CONTROL;
}

static bool verifies(struct kdnet_read *r, struct kdnet_cipher *c, struct span d)
{
	struct span head = { d.p, KDNET_HEADER }, text = { r->plain, d.len - AROUND };
	const uint8_t *tag = d.p + d.len - KDNET_TAG;
	uint8_t own[KDNET_TAG];

	return kdnet_cipher_open(c, tag, d.p + KDNET_HEADER, text.len, r->plain) == 0 && kdnet_mac_tag(&r->mac, head, text, own) == 0 &&
	       kdnet_same(own, tag, sizeof own);
}

static size_t place_of(uint64_t number)
{
	return (size_t)(number % KDNET_READ_KEYS);
}

static enum kdnet_read_found open_data(struct kdnet_read *r, struct span d, uint64_t *number)
{
	for (uint64_t n = r->data_keys; n && r->data_keys - n < KDNET_READ_KEYS; n--)
		if (verifies(r, &r->keys[place_of(n)].cipher, d)) {
			*number = n;
			return KDNET_READ_OPENED;
		}
	return r->data_keys ? KDNET_READ_WRONG : KDNET_READ_SEALED;
}

/* Also what is padded as nobody pads has been verified: it is shown. */
static void read_meta(const struct kdnet_read *r, size_t text, struct kdnet_seen *out)
{
	const uint8_t *meta = r->plain;

	out->from_host = meta[KDNET_META - 1] & FROM_HOST;
	out->pad = meta[KDNET_META - 1] & PAD;
	for (size_t i = 0; i < KDNET_META - 1; i++)
		out->sequence = out->sequence << 8 | meta[i];
	text -= KDNET_META;
	out->body = (struct span){ meta + KDNET_META, out->pad < text ? text - out->pad : 0 };
}

/* A response that was captured twice makes no second key. */
static bool has_key(const struct kdnet_read *r, const uint8_t key[KDNET_HASH])
{
	for (uint64_t n = r->data_keys; n && r->data_keys - n < KDNET_READ_KEYS; n--)
		if (kdnet_same(r->keys[place_of(n)].key, key, KDNET_HASH))
			return true;
	return false;
}

static bool add_key(struct kdnet_read *r, struct span response)
{
	uint8_t key[KDNET_HASH];
	size_t at = place_of(r->data_keys + 1);
	bool fresh = kdnet_hash(key, (struct span){ r->key.bytes, sizeof r->key.bytes }, response) == 0 && !has_key(r, key) &&
	             kdnet_cipher_key(&r->keys[at].cipher, key) == 0;

	if (fresh) {
		memcpy(r->keys[at].key, key, sizeof key);
		r->keys[at].number = ++r->data_keys;
	}
	kdnet_wipe(key, sizeof key);
	return fresh;
}

static void open_datagram(struct kdnet_read *r, struct span d, struct kdnet_seen *out)
{
	struct kdnet_offer offer;

	out->found = !r->keyed ? KDNET_READ_SEALED : !out->control ? open_data(r, d, &out->data_key) :
	             verifies(r, &r->control, d) ? KDNET_READ_OPENED : KDNET_READ_WRONG;
	if (out->found != KDNET_READ_OPENED)
		return;
	read_meta(r, out->sealed, out);
	if (out->control && out->from_host && kdnet_offer_parse(out->body, &offer) == 0 && offer.response)
		out->makes_key = add_key(r, out->body);
}

void kdnet_read_look(struct kdnet_read *r, struct span d, struct kdnet_seen *out)
{
	*out = (struct kdnet_seen){ .found = KDNET_READ_STRANGE, .body = { r->plain, 0 } };
	if (!well_formed(d))
		return;
	out->control = d.p[AT_CHANNEL] == CONTROL;
	out->version = d.p[AT_VERSION];
	out->sealed = d.len - AROUND;
	open_datagram(r, d, out);
	r->counts[out->control][out->found]++;
}

int kdnet_offer_parse(struct span body, struct kdnet_offer *out)
{
	struct cursor c = cursor_of(body);
	unsigned kind = cursor_u8(&c) << 8;

	*out = (struct kdnet_offer){ 0 };
	kind |= cursor_u8(&c);
	out->response = kind == 0x0102;
	out->nonce = cursor_take(&c, NONCE);
	if (kind == 0x0101 && body.len >= POKE_LEAST) {
		for (size_t i = 0; i < sizeof out->ends / sizeof *out->ends; i++)
			out->ends[i] = cursor_take(&c, END);
		return 0;
	}
	if (!out->response || body.len != RESPONSE)
		return -EBADMSG;
	out->random = cursor_take(&c, RANDOM);
	return 0;
}

bool kdnet_is_check(struct span body, uint8_t ip[4])
{
	static const uint8_t zeros[CHECK_ZEROS];

	if (body.len != CHECK || memcmp(body.p, zeros, sizeof zeros))
		return false;
	for (size_t i = 0; i < 4; i++)
		ip[i] = body.p[CHECK - 1 - i];
	return true;
}
