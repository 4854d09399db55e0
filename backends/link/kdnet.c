/* kdnet.c - see kdnet.h. */
#include "backends/link/kdnet.h"

#include "base/wait.h"

#include <errno.h>
#include <string.h>

enum { DATA, CONTROL };
enum { AT_VERSION = 4, AT_CHANNEL = 5, FROM_HOST = 0x80, PAD = 0x7f };
enum { NONCE = 32, NONCE_COUNTER = 8, POKE_NONCE = 2, POKE_PORT = 86 };
enum { RESPONSE = 322, RESPONSE_RANDOM = 34, RANDOM = 32, CHECK = 12, CHECK_ZEROS = 8 };
enum { KIND_0 = 1, KIND_POKE = 1, KIND_RESPONSE = 2 };

static const uint8_t magic[4] = { 'M', 'D', 'B', 'G' };

/* What a datagram says once it has been verified. */
struct opened {
	uint8_t version;
	uint64_t sequence;
	bool from_host;
	struct span body;
};

struct poke {
	uint64_t counter; /* of the nonce: a target's next poke has the next one */
	const uint8_t *nonce, *boot;
	bool connected;   /* it has a data channel, with whomever */
};

int kdnet_init(struct kdnet *k, const struct kdnet_key *key, uint64_t sequence)
{
	uint8_t not_key[KDNET_KEY];
	int rc;

	*k = (struct kdnet){ .key = *key, .sequence = sequence, .up = -1 };
	for (size_t i = 0; i < KDNET_KEY; i++)
		not_key[i] = (uint8_t)~key->bytes[i];
	rc = kdnet_mac_init(&k->mac, not_key);
	rc = rc ? rc : kdnet_cipher_init(&k->control);
	rc = rc ? rc : kdnet_cipher_key(&k->control, key->bytes);
	for (size_t i = 0; !rc && i < KDNET_CHANNELS; i++)
		rc = kdnet_cipher_init(&k->channels[i].cipher);
	kdnet_wipe(not_key, sizeof not_key);
	if (rc)
		kdnet_fini(k);
	return rc ? -ENOMEM : 0;
}

void kdnet_fini(struct kdnet *k)
{
	for (size_t i = 0; i < KDNET_CHANNELS; i++)
		kdnet_cipher_fini(&k->channels[i].cipher);
	kdnet_cipher_fini(&k->control);
	kdnet_mac_fini(&k->mac);
	kdnet_wipe(k, sizeof *k);
}

static enum kdnet_event count(struct kdnet *k, enum kdnet_count what)
{
	k->counts[what]++;
	return KDNET_NOTHING;
}

static bool same_ip(const struct kdnet_end *a, const struct kdnet_end *b)
{
	return !memcmp(a->ip, b->ip, sizeof a->ip) && a->scope == b->scope;
}

static bool same_end(const struct kdnet_end *a, const struct kdnet_end *b)
{
	return same_ip(a, b) && a->port == b->port;
}

/* --- a datagram (KDNET 3) */

static bool well_formed(struct span d)
{
	enum { AROUND = KDNET_HEADER + KDNET_TAG };

	return d.len >= AROUND + KDNET_BLOCK && d.len <= KDNET_DATAGRAM_MAX && (d.len - AROUND) % KDNET_BLOCK == 0 &&
	       !memcmp(d.p, magic, sizeof magic) && d.p[AT_CHANNEL] <= CONTROL;
}

/* The tag is over what it has to be deciphered for, and is the cipher's first block. */
static bool verify(struct kdnet *k, struct kdnet_cipher *c, struct span d)
{
	size_t n = d.len - KDNET_HEADER - KDNET_TAG;
	const uint8_t *tag = d.p + d.len - KDNET_TAG;
	uint8_t own[KDNET_TAG];

	return kdnet_cipher_open(c, tag, d.p + KDNET_HEADER, n, k->plain) == 0 &&
	       kdnet_mac_tag(&k->mac, (struct span){ d.p, KDNET_HEADER }, (struct span){ k->plain, n }, own) == 0 &&
	       kdnet_same(own, tag, sizeof own);
}

/* Of .plain, after it was verified: 0, -EBADMSG. */
static int read_meta(const struct kdnet *k, struct span d, struct opened *o)
{
	size_t n = d.len - KDNET_HEADER - KDNET_TAG - KDNET_META, pad = k->plain[KDNET_META - 1] & PAD;

	*o = (struct opened){ .version = d.p[AT_VERSION], .from_host = k->plain[KDNET_META - 1] & FROM_HOST };
	for (size_t i = 0; i < KDNET_META - 1; i++)
		o->sequence = o->sequence << 8 | k->plain[i];
	if (pad >= KDNET_BLOCK || pad > n)
		return -EBADMSG;
	o->body = (struct span){ k->plain + KDNET_META, n - pad };
	return 0;
}

static void put_meta(uint8_t *to, uint64_t sequence, size_t pad)
{
	for (size_t i = 0; i < KDNET_META - 1; i++)
		to[i] = (uint8_t)(sequence >> (8 * (KDNET_META - 2 - i)));
	to[KDNET_META - 1] = (uint8_t)(FROM_HOST | pad);
}

/* to has room for KDNET_DATAGRAM_MAX, or for what the body makes. The length, or -errno. */
static int seal(struct kdnet *k, struct kdnet_cipher *c, const uint8_t head[2], uint64_t sequence, struct span body, uint8_t *to)
{
	size_t n = (KDNET_META + body.len + KDNET_BLOCK - 1) / KDNET_BLOCK * KDNET_BLOCK, pad = n - KDNET_META - body.len;
	uint8_t *text = to + KDNET_HEADER, *tag = text + n;
	int rc;

	memcpy(to, magic, sizeof magic);
	memcpy(to + AT_VERSION, head, 2);
	put_meta(text, sequence, pad);
	if (body.len)
		memcpy(text + KDNET_META, body.p, body.len);
	memset(text + n - pad, 0, pad);
	rc = kdnet_mac_tag(&k->mac, (struct span){ to, KDNET_HEADER }, (struct span){ text, n }, tag);
	rc = rc ? rc : kdnet_cipher_seal(c, tag, text, n, text);
	return rc ? rc : (int)(KDNET_HEADER + n + KDNET_TAG);
}

static void reply(struct kdnet *k, const struct kdnet_end *to, uint8_t version, uint64_t sequence, struct span body)
{
	int n = seal(k, &k->control, (const uint8_t[]){ version, CONTROL }, sequence, body, k->reply.bytes);

	k->reply.due = n > 0;
	k->reply.len = n > 0 ? (size_t)n : 0;
	k->reply.to = *to;
}

static void hear(struct kdnet *k, uint64_t now)
{
	k->heard_at = now;
	k->silent = false;
}

/* --- data keys */

static bool is_up(const struct kdnet *k)
{
	return k->up >= 0;
}

/* Its place: a free one, or that of the oldest that is not in use. */
static struct kdnet_channel *place(struct kdnet *k)
{
	struct kdnet_channel *best = NULL;

	for (int i = 0; i < KDNET_CHANNELS; i++)
		if (i != k->up && (!best || k->channels[i].made < best->made))
			best = &k->channels[i];
	return best;
}

/* Is there an answer to a poke of that boot which nothing has verified under yet, and it is newer than what is in use? */
static bool awaits(const struct kdnet *k, const uint8_t *boot)
{
	for (size_t i = 0; i < KDNET_CHANNELS; i++) {
		const struct kdnet_channel *c = &k->channels[i];

		if (c->made && (!is_up(k) || c->made > k->channels[k->up].made) && !memcmp(c->boot, boot, sizeof c->boot))
			return true;
	}
	return false;
}

static void adopt(struct kdnet *k, struct kdnet_channel *c)
{
	for (size_t i = 0; i < KDNET_CHANNELS; i++)
		if (k->channels[i].made < c->made)
			k->channels[i].made = 0;
	k->up = (int)(c - k->channels);
	k->elsewhere = false;
	k->trip = k->heard_at - c->made_at;
}

/* The newest but those that are as new as before; NULL: no more. */
static struct kdnet_channel *next_newest(struct kdnet *k, uint64_t before)
{
	struct kdnet_channel *best = NULL;

	for (size_t i = 0; i < KDNET_CHANNELS; i++) {
		struct kdnet_channel *c = &k->channels[i];

		if (c->made && c->made < before && (!best || c->made > best->made))
			best = c;
	}
	return best;
}

/* --- pokes (KDNET 4.4, KD on modern Windows 1.3) */

/* Within a boot pokes count upwards: what is not above the last is a recording. 0; -EALREADY. */
static int remember(struct kdnet *k, const struct poke *p)
{
	size_t oldest = 0, at;

	for (at = 0; at < KDNET_BOOTS; at++) {
		if (k->boots[at].used && !memcmp(k->boots[at].id, p->boot, sizeof k->boots[at].id))
			break;
		oldest = k->boots[at].used < k->boots[oldest].used ? at : oldest;
	}
	if (at < KDNET_BOOTS && p->counter <= k->boots[at].last)
		return -EALREADY;
	at = at < KDNET_BOOTS ? at : oldest;
	memcpy(k->boots[at].id, p->boot, sizeof k->boots[at].id);
	k->boots[at].last = p->counter;
	k->boots[at].used = ++k->boots_used;
	return 0;
}

/* From elsewhere than the session's end: as long as that is heard, it is another machine, with the same key. One that is nobody's, at the
 * same address, may be ours after a boot, with another port. */
static enum kdnet_count judge_other(const struct kdnet *k, const struct poke *p, const struct kdnet_end *from, uint64_t now)
{
	bool ours = !p->connected && same_ip(&k->channels[k->up].end, from);

	return ours || now - k->heard_at > KDNET_SILENT_MS ? KDNET_N_ANSWERED : KDNET_N_OTHER_END;
}

/* Answering a target that is connected gives it another key: only where it has none, or where what it has cannot be ours. */
static enum kdnet_count judge(const struct kdnet *k, const struct poke *p, const struct kdnet_end *from, uint64_t now)
{
	if (!is_up(k))
		return KDNET_N_ANSWERED;
	if (!same_end(&k->channels[k->up].end, from))
		return judge_other(k, p, from, now);
	return !p->connected || awaits(k, p->boot) ? KDNET_N_ANSWERED : KDNET_N_KEEPALIVES;
}

/* The key is a hash of our key and all of the response. 0; -EIO, and nothing is answered. */
static int make_channel(struct kdnet *k, const struct poke *p, const struct kdnet_end *from, uint8_t version, struct span response, uint64_t now)
{
	struct kdnet_channel *c = place(k);
	uint8_t key[KDNET_HASH];
	int rc = kdnet_hash(key, (struct span){ k->key.bytes, sizeof k->key.bytes }, response);

	c->made = 0;
	rc = rc ? rc : kdnet_cipher_key(&c->cipher, key);
	kdnet_wipe(key, sizeof key);
	if (rc)
		return rc;
	c->end = *from;
	c->version = version;
	c->seen = 0;
	c->made_at = now;
	memcpy(c->boot, p->boot, sizeof c->boot);
	c->made = ++k->made;
	return 0;
}

static void answer(struct kdnet *k, const struct opened *o, const struct poke *p, const struct kdnet_end *from, uint64_t now)
{
	uint8_t body[RESPONSE] = { KIND_0, KIND_RESPONSE };
	struct span response = { body, sizeof body };

	memcpy(body + POKE_NONCE, p->nonce, NONCE);
	if (kdnet_random(body + RESPONSE_RANDOM, RANDOM) == 0 && make_channel(k, p, from, o->version, response, now) == 0)
		reply(k, from, o->version, o->sequence, response);
	kdnet_wipe(body, sizeof body);
}

/* One that is shorter than its response would make us say more than we were told. */
static bool is_poke(struct span body, struct poke *p)
{
	struct cursor c = cursor_of(span_from(body, POKE_NONCE)), port = cursor_of(span_from(body, POKE_PORT));

	if (body.len < RESPONSE || body.p[0] != KIND_0 || body.p[1] != KIND_POKE)
		return false;
	*p = (struct poke){ .nonce = c.p, .boot = c.p + NONCE_COUNTER, .connected = cursor_le(&port, 2) != 0 };
	p->counter = cursor_le(&c, NONCE_COUNTER);
	return true;
}

static enum kdnet_event take_control(struct kdnet *k, const struct kdnet_end *from, struct span d, uint64_t now)
{
	enum kdnet_count verdict;
	struct opened o;
	struct poke p;

	if (!verify(k, &k->control, d))
		return count(k, KDNET_N_WRONG_TAG);
	if (read_meta(k, d, &o) < 0 || (!o.from_host && !is_poke(o.body, &p)))
		return count(k, KDNET_N_MALFORMED);
	if (o.from_host)
		return count(k, KDNET_N_WRONG_WAY);
	verdict = judge(k, &p, from, now);
	k->elsewhere |= verdict == KDNET_N_OTHER_END;
	if (verdict != KDNET_N_OTHER_END && remember(k, &p) < 0)
		return count(k, KDNET_N_REPLAYED);
	if (is_up(k) && same_end(from, &k->channels[k->up].end))
		hear(k, now);
	if (verdict == KDNET_N_ANSWERED)
		answer(k, &o, &p, from, now);
	return count(k, verdict);
}

/* --- data */

static bool is_check(struct span body)
{
	static const uint8_t zeros[CHECK_ZEROS];

	return body.len == CHECK && !memcmp(body.p, zeros, sizeof zeros);
}

static void give(struct kdnet *k, struct span bytes, struct buf *body)
{
	if (is_check(bytes))
		count(k, KDNET_N_CHECKS);
	else if (bytes.len && buf_put_span(body, bytes) == 0)
		count(k, KDNET_N_BODIES);
	else
		count(k, KDNET_N_MALFORMED);
}

static enum kdnet_event take_verified(struct kdnet *k, struct kdnet_channel *c, struct span d, struct buf *body, uint64_t now)
{
	bool fresh = k->up != (int)(c - k->channels);
	struct opened o;

	if (read_meta(k, d, &o) < 0)
		return count(k, KDNET_N_MALFORMED);
	if (o.from_host)
		return count(k, KDNET_N_WRONG_WAY);
	if (o.sequence <= c->seen)
		return count(k, KDNET_N_REPLAYED);
	if (o.sequence - c->seen > KDNET_LEAP_MAX)
		return count(k, KDNET_N_LEAPT);
	c->seen = o.sequence;
	hear(k, now);
	if (fresh)
		adopt(k, c);
	give(k, o.body, body);
	return fresh ? KDNET_BEGAN : body->len ? KDNET_BODY : KDNET_NOTHING;
}

static bool is_under(struct kdnet *k, struct kdnet_channel *c, const struct kdnet_end *from, struct span d, bool *met)
{
	if (!same_end(&c->end, from))
		return false;
	*met = true;
	return verify(k, &c->cipher, d);
}

/* Under which key is it, of those that an answer to this end made? met: there is one, whether or not it is this. */
static struct kdnet_channel *find_channel(struct kdnet *k, const struct kdnet_end *from, struct span d, bool *met)
{
	struct kdnet_channel *up = is_up(k) ? &k->channels[k->up] : NULL, *c;

	*met = false;
	if (up && is_under(k, up, from, d, met))
		return up;
	for (c = next_newest(k, UINT64_MAX); c; c = next_newest(k, c->made))
		if (c != up && is_under(k, c, from, d, met))
			return c;
	return NULL;
}

/* It talks to a debugger that is gone, and would poke within three seconds; so it does at once. */
static void plead(struct kdnet *k, const struct kdnet_end *to, uint8_t version, uint64_t now)
{
	if (now < k->plea_at)
		return;
	k->plea_at = now + KDNET_PLEA_MS;
	reply(k, to, version, ++k->sequence, (struct span){ 0 });
	count(k, KDNET_N_PLEAS);
}

static enum kdnet_event take_data(struct kdnet *k, const struct kdnet_end *from, struct span d, struct buf *body, uint64_t now)
{
	bool met;
	struct kdnet_channel *c = find_channel(k, from, d, &met);

	if (c)
		return take_verified(k, c, d, body, now);
	if (is_up(k))
		return count(k, met ? KDNET_N_WRONG_TAG : KDNET_N_OTHER_END);
	plead(k, from, d.p[AT_VERSION], now);
	return count(k, KDNET_N_UNKEYED);
}

enum kdnet_event kdnet_take(struct kdnet *k, const struct kdnet_end *from, struct span d, struct buf *body, uint64_t now)
{
	buf_reset(body, 0);
	k->reply.due = false;
	if (!well_formed(d))
		return count(k, KDNET_N_STRANGE);
	return d.p[AT_CHANNEL] == CONTROL ? take_control(k, from, d, now) : take_data(k, from, d, body, now);
}

bool kdnet_knows(struct kdnet *k, const struct kdnet_end *from, struct span d)
{
	bool met;

	if (!well_formed(d))
		return false;
	return d.p[AT_CHANNEL] == CONTROL ? verify(k, &k->control, d) : find_channel(k, from, d, &met) != NULL;
}

bool kdnet_is_at(const struct kdnet *k, const struct kdnet_end *from)
{
	return is_up(k) && same_end(&k->channels[k->up].end, from);
}

bool kdnet_reply(struct kdnet *k, struct span *datagram, struct kdnet_end *to)
{
	bool due = k->reply.due;

	*datagram = (struct span){ k->reply.bytes, k->reply.len };
	*to = k->reply.to;
	k->reply.due = false;
	return due;
}

int kdnet_seal(struct kdnet *k, struct span body, struct buf *out, struct kdnet_end *to)
{
	struct kdnet_channel *c = is_up(k) ? &k->channels[k->up] : NULL;
	int n;

	buf_reset(out, 0);
	if (!c)
		return -ENOTCONN;
	if (body.len > KDNET_BODY_MAX || out->cap < KDNET_DATAGRAM_MAX)
		return -EMSGSIZE;
	n = seal(k, &c->cipher, (const uint8_t[]){ c->version, DATA }, ++k->sequence, body, out->base);
	if (n < 0)
		return n;
	out->len = (size_t)n;
	*to = c->end;
	return 0;
}

uint64_t kdnet_until(const struct kdnet *k)
{
	return is_up(k) && !k->silent ? k->heard_at + KDNET_SILENT_MS : NEVER;
}

uint64_t kdnet_watch(struct kdnet *k, uint64_t now)
{
	k->silent |= now >= kdnet_until(k);
	return kdnet_until(k);
}

const char *kdnet_words(const struct kdnet *k)
{
	static const struct { enum kdnet_count seen; const char *words; } from[] = {
		{ KDNET_N_ANSWERED, "the target asks for a debugger, and is answered, but nothing comes that our answer is the key to (do answers reach "
		                    "it? a firewall, address translation, a second debugger with the same key?)" },
		{ KDNET_N_WRONG_TAG, "KDNET datagrams come, but they are not of this key (bcdedit /dbgsettings shows the key on the target)" },
		{ KDNET_N_UNKEYED, "a target talks to a debugger that is gone, and does not ask for another (is the key its own?)" },
		{ KDNET_N_STRANGE, "what comes to this port is not KDNET (the right port?)" },
	};
	uint8_t version = is_up(k) ? k->channels[k->up].version : KDNET_VERSION_LEAST;

	if (k->silent)
		return "the target has been silent for ten seconds: no data, and no poke (it is off, it boots, it hangs, or the network is cut)";
	if (version < KDNET_VERSION_LEAST || version > KDNET_VERSION_MOST)
		return "its KDNET is of a version that kdgate does not know (2 to 5 are known)";
	for (size_t i = 0; i < sizeof from / sizeof *from && !is_up(k); i++)
		if (k->counts[from[i].seen])
			return from[i].words;
	if (k->elsewhere)
		return "a target asks for a debugger from another address, with the same key: refused as long as this one is heard (a second machine, or a replay)";
	return is_up(k) ? NULL : "no datagram has come (is the target up? bcdedit /debug on; bcdedit /dbgsettings net hostip:OUR-ADDRESS port:PORT "
	                         "key:KEY; does a firewall stop UDP to this port?)";
}
