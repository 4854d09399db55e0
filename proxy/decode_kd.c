/* decode_kd.c - see decode_kd.h. */
#include "proxy/decode_kd.h"

#include "proxy/decode_words.h"

#include <string.h>

enum { TARGET, HOST };

int decode_kd_init(struct decode_kd *k, const char *opening, double time)
{
	int rc = decode_voice_init(&k->voice, "kd", opening, time);

	rc = rc ? rc : kd_framer_init(&k->sides[TARGET].framer);
	return rc ? rc : kd_framer_init(&k->sides[HOST].framer);
}

void decode_kd_fini(struct decode_kd *k)
{
	kd_framer_fini(&k->sides[TARGET].framer);
	kd_framer_fini(&k->sides[HOST].framer);
	decode_voice_fini(&k->voice);
}

static enum decode_way way_of(bool from_host)
{
	return from_host ? DECODE_CLIENT : DECODE_TARGET;
}

/* --- what is no packet */

static bool is_breaks(struct span s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] == KD_BREAK_IN)
		n++;
	return n == s.len;
}

static void tell_noise(struct decode_kd *k, struct decode_out *o, bool from_host)
{
	struct decode_kd_side *side = &k->sides[from_host];
	struct span s = { side->noise, side->noise_n };
	char words[DECODE_WORDS];
	size_t at;

	if (!s.len)
		return;
	side->noise_n = 0;
	if (from_host && is_breaks(s)) {
		snprintf(words, sizeof words, "BREAK-IN%s", s.len > 1 ? " (several)" : "");
	} else {
		decode_raw(words, s);
		at = strlen(words);
		snprintf(words + at, sizeof words - at, "  (no packet)");
	}
	decode_out_words(o, &k->voice, side->noise_time, way_of(from_host), words);
}

void decode_kd_flush(struct decode_kd *k, struct decode_out *o)
{
	tell_noise(k, o, false);
	tell_noise(k, o, true);
}

static void add_noise(struct decode_kd *k, struct decode_out *o, const struct capture_piece *from, uint8_t byte)
{
	struct decode_kd_side *side = &k->sides[from->from_client];

	if (!side->noise_n)
		side->noise_time = from->time;
	side->noise[side->noise_n++] = byte;
	if (byte == '\n' || side->noise_n == sizeof side->noise || (from->from_client && byte == KD_BREAK_IN))
		tell_noise(k, o, from->from_client);
}

/* Noise are the first of those bytes that might have begun a header. */
static enum kd_frame_event step_header(struct decode_kd *k, struct decode_out *o, const struct capture_piece *from, struct cursor *c,
	struct kd_packet *p)
{
	struct kd_framer *f = &k->sides[from->from_client].framer;
	struct cursor one = { .p = c->p, .end = c->p + 1 };
	uint8_t before[KD_FRAME_HEADER + 1];
	size_t have = f->have;
	uint64_t noise = f->noise;
	enum kd_frame_event ev;

	memcpy(before, f->head, have);
	before[have] = *c->p;
	ev = kd_framer_next(f, &one, p);
	c->p = one.p;
	noise = f->noise - noise;
	for (size_t i = 0; i < noise && i <= have; i++)
		add_noise(k, o, from, before[i]);
	return ev;
}

/* --- packets */

void decode_kd_packet(struct kd_facts *f, const struct kd_packet *p, bool from_host, enum kd_machine *machine)
{
	enum kd_machine said = kd_look_machine(p, from_host);

	if (said != KD_MACHINE_NONE)
		*machine = said;
	kd_look(f, p, from_host, *machine);
}

/* A control packet is short: of any but three types it came by chance. */
static bool proves(const struct kd_packet *p)
{
	return !p->control || (p->type >= KD_TYPE_ACKNOWLEDGE && p->type <= KD_TYPE_RESET);
}

static void tell_packet(struct decode_kd *k, struct decode_out *o, const struct capture_piece *from, const struct kd_packet *p)
{
	struct kd_facts f = { .n = 0 };

	decode_kd_flush(k, o);
	if (!k->voice.number && proves(p))
		decode_out_found(o, &k->voice);
	if (!k->voice.number)
		return;
	decode_kd_packet(&f, p, from->from_client, &k->machine);
	decode_out_facts(o, &k->voice, from->time, way_of(from->from_client), &f);
}

static void tell_bad(struct decode_kd *k, struct decode_out *o, const struct capture_piece *from, const struct kd_packet *p)
{
	char words[128];

	decode_kd_flush(k, o);
	snprintf(words, sizeof words, "a damaged packet of type %u, id 0x%x: its checksum or its end is wrong", p->type, (unsigned)p->id);
	decode_out_words(o, &k->voice, from->time, way_of(from->from_client), words);
}

/* A carrier of datagrams has no trailer. */
static bool is_whole(const struct decode_kd *k, bool from_host, struct span s, struct kd_packet *p)
{
	return !kd_framer_midway(&k->sides[from_host].framer) && kd_packet_parse(s, p) == KD_FRAME_PACKET && proves(p);
}

static enum kd_frame_event next(struct decode_kd *k, struct decode_out *o, const struct capture_piece *from, struct cursor *c,
	struct kd_packet *p)
{
	struct kd_framer *f = &k->sides[from->from_client].framer;
	enum kd_frame_event ev = KD_FRAME_NONE;

	if (is_whole(k, from->from_client, (struct span){ c->p, (size_t)(c->end - c->p) }, p)) {
		c->p = c->end;
		return KD_FRAME_PACKET;
	}
	while (ev == KD_FRAME_NONE && c->p < c->end)
		ev = f->state == KD_FRAMER_HEADER ? step_header(k, o, from, c, p) : kd_framer_next(f, c, p);
	return ev;
}

void decode_kd_feed(struct decode_kd *k, struct decode_out *o, const struct capture_piece *piece)
{
	struct cursor c = cursor_of(piece->bytes);
	struct kd_packet p;

	while (c.p < c.end) {
		enum kd_frame_event ev = next(k, o, piece, &c, &p);

		if (ev == KD_FRAME_PACKET)
			tell_packet(k, o, piece, &p);
		if (ev == KD_FRAME_BAD)
			tell_bad(k, o, piece, &p);
	}
}

void decode_kd_gap(struct decode_kd *k, struct decode_out *o, const struct capture_piece *piece)
{
	decode_kd_flush(k, o);
	kd_framer_reset(&k->sides[piece->from_client].framer);
	decode_out_words(o, &k->voice, piece->time, way_of(piece->from_client), "(bytes are missing here)");
}

bool decode_kd_midway(const struct decode_kd *k)
{
	return kd_framer_midway(&k->sides[TARGET].framer) || kd_framer_midway(&k->sides[HOST].framer);
}
