/* decode_kdnet.c - see decode_kdnet.h. */
#include "proxy/decode_kdnet.h"

#include "proxy/decode_kd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Ciphertexts of control datagrams, by which they are known without a key (KDNET 4). */
enum { POKE_SEALED = 352, RESPONSE_SEALED = 336, PLEA_SEALED = 16, ADDRESS = 64 };

int decode_kdnet_init(struct decode_kdnet *k, const struct kdnet_key *key)
{
	*k = (struct decode_kdnet){ 0 };
	return kdnet_read_init(&k->read, key);
}

void decode_kdnet_fini(struct decode_kdnet *k)
{
	for (size_t i = 0; i < DECODE_PAIRS; i++)
		decode_voice_fini(&k->pairs[i].voice);
	kdnet_read_fini(&k->read);
}

/* --- pairs of ends */

static bool is_between(const struct decode_pair *pair, const struct capture_piece *p)
{
	bool first = !strcmp(pair->ends[0], p->from);

	return first ? !strcmp(pair->ends[1], p->to) : !strcmp(pair->ends[1], p->from) && !strcmp(pair->ends[0], p->to);
}

static void say_counts(struct decode_pair *pair, struct decode_out *o)
{
	uint64_t all = pair->counts[KDNET_READ_OPENED] + pair->counts[KDNET_READ_WRONG] + pair->counts[KDNET_READ_SEALED];
	char words[256];

	snprintf(words, sizeof words, "%" PRIu64 " datagrams: %" PRIu64 " verified, %" PRIu64 " do not verify, %" PRIu64 " sealed", all,
	         pair->counts[KDNET_READ_OPENED], pair->counts[KDNET_READ_WRONG], pair->counts[KDNET_READ_SEALED]);
	decode_out_words(o, &pair->voice, pair->time, DECODE_NOBODY, words);
}

static int begin_pair(struct decode_pair *pair, struct decode_out *o, const struct capture_piece *p)
{
	char words[DECODE_OPENING];

	if (pair->touched)
		say_counts(pair, o);
	decode_voice_fini(&pair->voice);
	*pair = (struct decode_pair){ .host = -1 };
	snprintf(pair->ends[0], sizeof pair->ends[0], "%s", p->from);
	snprintf(pair->ends[1], sizeof pair->ends[1], "%s", p->to);
	snprintf(words, sizeof words, "begins: %s - %s, KDNET", p->from, p->to);
	if (decode_voice_init(&pair->voice, "kdnet", words, p->time) < 0)
		return -1;
	decode_out_found(o, &pair->voice);
	return 0;
}

/* Of more than there is room for, the one that was silent for longest is ended. */
static struct decode_pair *pair_of(struct decode_kdnet *k, struct decode_out *o, const struct capture_piece *p)
{
	struct decode_pair *oldest = &k->pairs[0], *found = NULL;

	for (size_t i = 0; i < DECODE_PAIRS && !found; i++) {
		if (k->pairs[i].touched && is_between(&k->pairs[i], p))
			found = &k->pairs[i];
		if (k->pairs[i].touched < oldest->touched)
			oldest = &k->pairs[i];
	}
	if (!found && begin_pair(oldest, o, p) < 0)
		return NULL;
	found = found ? found : oldest;
	found->touched = ++k->clock;
	found->time = p->time;
	return found;
}

/* --- who says it */

static const char *kind_of_sealed(const struct kdnet_seen *s)
{
	if (!s->control)
		return NULL;
	return s->sealed == POKE_SEALED ? "poke" : s->sealed == RESPONSE_SEALED ? "response" : s->sealed == PLEA_SEALED ? "plea" : NULL;
}

static void note_host(struct decode_pair *pair, const struct kdnet_seen *s, const struct capture_piece *p)
{
	bool is_first = !strcmp(pair->ends[0], p->from);
	const char *kind = kind_of_sealed(s);

	if (s->found == KDNET_READ_OPENED)
		pair->host = s->from_host == is_first ? 0 : 1;
	else if (kind && pair->host < 0)
		pair->host = (strcmp(kind, "poke") != 0) == is_first ? 0 : 1;
}

static enum decode_way way_of(const struct decode_pair *pair, const struct capture_piece *p)
{
	if (pair->host < 0)
		return DECODE_EITHER;
	return !strcmp(pair->ends[pair->host], p->from) ? DECODE_CLIENT : DECODE_TARGET;
}

/* --- what it says */

static void put_end(struct kd_facts *f, const char *name, struct span end, char text[ADDRESS])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char ip[INET6_ADDRSTRLEN] = "";
	bool v4 = !memcmp(end.p, mapped, sizeof mapped);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? end.p + sizeof mapped : end.p, ip, sizeof ip);
	snprintf(text, ADDRESS, v4 ? "%s:%u" : "[%s]:%u", ip, (unsigned)end.p[16] << 8 | end.p[17]);
	kd_facts_word(f, name, text);
}

static void put_offer(struct kd_facts *f, const struct kdnet_seen *s, char texts[3][ADDRESS])
{
	static const char *const names[] = { "target", "host", "connected_to" };
	struct kdnet_offer offer;

	if (!s->body.len) {
		kd_facts_word(f, "packet", "plea");
		return;
	}
	if (kdnet_offer_parse(s->body, &offer) < 0) {
		kd_facts_word(f, "packet", "unknown");
		kd_facts_bytes(f, "payload", KD_FACT_BYTES, s->body);
		return;
	}
	kd_facts_word(f, "packet", offer.response ? "response" : "poke");
	kd_facts_bytes(f, "nonce", KD_FACT_BYTES, offer.nonce);
	kd_facts_bytes(f, "random", KD_FACT_BYTES, offer.random);
	for (size_t i = 0; i < sizeof names / sizeof *names && !offer.response; i++)
		put_end(f, names[i], offer.ends[i], texts[i]);
}

static void put_check(struct kd_facts *f, const uint8_t ip[4], char text[ADDRESS])
{
	kd_facts_word(f, "packet", "connection check");
	snprintf(text, ADDRESS, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	kd_facts_word(f, "host", text);
}

static void put_data(struct kd_facts *f, const struct kdnet_seen *s, enum kd_machine *machine, char text[ADDRESS])
{
	enum kd_frame_event ev;
	struct kd_packet packet;
	uint8_t ip[4];

	if (s->body.len == 1 && s->body.p[0] == KD_BREAK_IN) {
		kd_facts_word(f, "packet", "BREAK-IN");
		return;
	}
	if (kdnet_is_check(s->body, ip)) {
		put_check(f, ip, text);
		return;
	}
	ev = kd_packet_parse(s->body, &packet);
	if (ev == KD_FRAME_PACKET) {
		decode_kd_packet(f, &packet, s->from_host, machine);
		return;
	}
	kd_facts_word(f, "packet", ev == KD_FRAME_BAD ? "damaged" : "unknown");
	kd_facts_bytes(f, "payload", KD_FACT_BYTES, s->body);
}

static const char *why_sealed(const struct decode_kdnet *k, const struct kdnet_seen *s)
{
	if (s->found == KDNET_READ_WRONG)
		return "it does not verify: of another key, or damaged";
	return k->read.keyed ? "the beginning of its session is not in this file, or was not opened" : "no key was given";
}

static void put_sealed(struct kd_facts *f, const struct decode_kdnet *k, const struct kdnet_seen *s)
{
	kd_facts_word(f, "packet", kind_of_sealed(s));
	kd_facts_yes(f, "verified", false);
	kd_facts_number(f, "sealed_bytes", s->sealed);
	kd_facts_word(f, "why", why_sealed(k, s));
}

static void put_opened(struct kd_facts *f, const struct decode_kdnet *k, enum kd_machine *machine, const struct kdnet_seen *s,
	char texts[3][ADDRESS])
{
	kd_facts_yes(f, "verified", true);
	kd_facts_number(f, "sequence", s->sequence);
	kd_facts_number(f, "pad", s->pad);
	if (s->data_key)
		kd_facts_number(f, "data_key", s->data_key);
	if (s->makes_key)
		kd_facts_number(f, "makes_data_key", k->read.data_keys);
	if (s->control)
		put_offer(f, s, texts);
	else
		put_data(f, s, machine, texts[0]);
}

int decode_kdnet_take(struct decode_kdnet *k, struct decode_out *o, const struct capture_piece *p)
{
	char texts[3][ADDRESS];
	struct kd_facts f = { .n = 0 };
	struct decode_pair *pair;
	struct kdnet_seen s;

	kdnet_read_look(&k->read, p->bytes, &s);
	if (s.found == KDNET_READ_STRANGE)
		return 0;
	pair = pair_of(k, o, p);
	if (!pair)
		return -ENOMEM;
	pair->counts[s.found]++;
	note_host(pair, &s, p);
	kd_facts_word(&f, "channel", s.control ? "control" : "data");
	kd_facts_number(&f, "version", s.version);
	if (s.found == KDNET_READ_OPENED)
		put_opened(&f, k, &pair->machine, &s, texts);
	else
		put_sealed(&f, k, &s);
	decode_out_facts(o, &pair->voice, p->time, way_of(pair, p), &f);
	return 0;
}

void decode_kdnet_end(struct decode_kdnet *k, struct decode_out *o)
{
	for (size_t i = 0; i < DECODE_PAIRS; i++)
		if (k->pairs[i].touched)
			say_counts(&k->pairs[i], o);
}

bool decode_kdnet_is_wrong_key(const struct decode_kdnet *k)
{
	return k->read.keyed && k->read.counts[1][KDNET_READ_WRONG] && !k->read.counts[1][KDNET_READ_OPENED];
}
