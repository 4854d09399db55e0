/* decode.c - see decode.h. */
#include "proxy/decode.h"

#include "proxy/capture.h"
#include "proxy/decode_kd.h"
#include "proxy/decode_kdnet.h"
#include "proxy/decode_words.h"
#include "rsp/framer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STUB, CLIENT, SIDES };

enum kind { NONE, UNDECIDED, RSP, KD };

/* A conversation. Until a packet shows what it is, it is read as both. */
struct talk {
	enum kind kind;
	bool of_target; /* kdgate's own */
	struct decode_voice voice; /* as RSP */
	struct rsp_framer framer[SIDES];
	struct decode_asked asked;
	struct decode_kd kd;
};

struct decode {
	struct capture *capture;
	struct decode_out out;
	struct decode_kdnet kdnet;
	size_t used;     /* talks behind these were never */
	struct talk talks[CAPTURE_FLOWS];
};

static void talk_fini(struct talk *k)
{
	if (k->kind != NONE) {
		rsp_framer_fini(&k->framer[STUB]);
		rsp_framer_fini(&k->framer[CLIENT]);
		decode_voice_fini(&k->voice);
		decode_kd_fini(&k->kd);
	}
	k->kind = NONE;
}

static void put_opening(char words[DECODE_OPENING], const struct capture_piece *o)
{
	size_t at = (size_t)snprintf(words, DECODE_OPENING, "begins: %s -> %s", o->from, o->to);

	if (o->of_client || o->of_target)
		at += (size_t)snprintf(words + at, DECODE_OPENING - at,
		                       o->of_client ? ", client %" PRIu64 " of kdgate" : ", call %" PRIu64 " of kdgate to a target", o->id);
	if (o->midway)
		snprintf(words + at, DECODE_OPENING - at, "; it had begun before the capture did");
}

static int talk_init(struct talk *k, const struct capture_piece *o)
{
	char opening[DECODE_OPENING];
	int rc;

	talk_fini(k);
	*k = (struct talk){ .kind = UNDECIDED, .of_target = o->of_target };
	put_opening(opening, o);
	rc = rsp_framer_init(&k->framer[STUB], RSP_TOLERANT, DECODE_BODY);
	rc = rc ? rc : rsp_framer_init(&k->framer[CLIENT], RSP_STRICT, DECODE_BODY);
	rc = rc ? rc : decode_voice_init(&k->voice, "rsp", opening, o->time);
	rc = rc ? rc : decode_kd_init(&k->kd, opening, o->time);
	if (rc)
		talk_fini(k);
	return rc;
}

static void line(struct decode *d, struct talk *k, double time, enum decode_way way, const char *words)
{
	decode_out_words(&d->out, &k->voice, time, way, words);
}

static void decide(struct decode *d, struct talk *k)
{
	if (k->kind != UNDECIDED)
		return;
	k->kind = RSP;
	decode_out_found(&d->out, &k->voice);
}

/* A frame of text whose sum is right does not come by itself. */
static bool proves_rsp(struct span body)
{
	for (size_t i = 0; i < body.len; i++)
		if (body.p[i] < 0x20 || body.p[i] > 0x7e)
			return false;
	return true;
}

static void on_packet(char words[DECODE_WORDS], struct talk *k, int who)
{
	struct buf *body = &k->framer[who].body;

	(who == CLIENT ? decode_command : decode_reply)(words, buf_data(body), body->len, &k->asked);
}

static void on_notify(char words[DECODE_WORDS], struct talk *k, int who)
{
	struct buf *body = &k->framer[who].body;

	decode_notification(words, buf_data(body), body->len);
}

static void with_body(char words[DECODE_WORDS], struct talk *k, int who, const char *what)
{
	size_t at;

	decode_raw(words, buf_span(&k->framer[who].body));
	at = strlen(words);
	snprintf(words + at, DECODE_WORDS - at, "  (%s)", what);
}

static void on_badsum(char words[DECODE_WORDS], struct talk *k, int who)
{
	with_body(words, k, who, "bad checksum");
}

static void on_toobig(char words[DECODE_WORDS], struct talk *k, int who)
{
	with_body(words, k, who, "and more: a packet that is too long");
}

static void on_malformed(char words[DECODE_WORDS], struct talk *k, int who)
{
	with_body(words, k, who, "malformed: run-length or an escape where there may be none");
}

static void on_broken(char words[DECODE_WORDS], struct talk *k, int who)
{
	with_body(words, k, who, "broken off: a $ within it, or no checksum behind its #");
}

static void on_ack(char words[DECODE_WORDS], struct talk *k, int who)
{
	(void)k, (void)who;
	snprintf(words, DECODE_WORDS, "+  (acknowledged)");
}

static void on_nak(char words[DECODE_WORDS], struct talk *k, int who)
{
	if (who == STUB)
		decode_again(&k->asked);
	snprintf(words, DECODE_WORDS, "-  (to be sent again)");
}

static void on_break(char words[DECODE_WORDS], struct talk *k, int who)
{
	(void)k, (void)who;
	snprintf(words, DECODE_WORDS, "\\x03  (break-in)");
}

static void on_event(struct decode *d, struct talk *k, int who, enum rsp_event ev, double time)
{
	static void (*const on[RSP_EVENTS])(char *, struct talk *, int) = {
		[RSP_PACKET] = on_packet, [RSP_NOTIFY] = on_notify, [RSP_ACK] = on_ack,           [RSP_NAK] = on_nak,
		[RSP_BREAK] = on_break,   [RSP_BADSUM] = on_badsum, [RSP_TOOBIG] = on_toobig,     [RSP_MALFORMED] = on_malformed,
		[RSP_BROKEN] = on_broken,
	};
	char words[DECODE_WORDS] = "";

	if (!on[ev])
		return;
	if (ev == RSP_PACKET && proves_rsp(buf_span(&k->framer[who].body)))
		decide(d, k);
	on[ev](words, k, who);
	line(d, k, time, who == CLIENT ? DECODE_CLIENT : DECODE_TARGET, words);
}

static void on_noise(struct decode *d, struct talk *k, int who, struct span noise, double time)
{
	char words[DECODE_WORDS];
	size_t at;

	if (!noise.len)
		return;
	decode_raw(words, noise);
	at = strlen(words);
	snprintf(words + at, sizeof words - at, "  (no packet)");
	line(d, k, time, who == CLIENT ? DECODE_CLIENT : DECODE_TARGET, words);
}

/* Bytes that are nothing come one by one; they are told together. */
static void feed(struct decode *d, struct talk *k, int who, struct span s, double time)
{
	struct span noise = { s.p, 0 };

	while (s.len) {
		enum rsp_event ev;
		size_t n = rsp_framer_feed(&k->framer[who], s, &ev);

		if (ev == RSP_NOISE) {
			noise.len += n;
		} else {
			on_noise(d, k, who, noise, time);
			on_event(d, k, who, ev, time);
			noise = (struct span){ s.p + n, 0 };
		}
		s = span_from(s, n);
	}
	on_noise(d, k, who, noise, time);
}

static void on_rsp(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	int who = piece->from_client ? CLIENT : STUB;

	if (piece->gap) {
		rsp_framer_reset(&k->framer[who]);
		k->asked.n = 0;
		line(d, k, piece->time, piece->from_client ? DECODE_CLIENT : DECODE_TARGET, "(bytes are missing here)");
	}
	feed(d, k, who, piece->bytes, piece->time);
}

static void on_kd(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	if (piece->gap)
		decode_kd_gap(&k->kd, &d->out, piece);
	decode_kd_feed(&k->kd, &d->out, piece);
}

static void on_undecided(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	on_kd(d, k, piece);
	if (k->kd.voice.number)
		k->kind = KD;
	else
		on_rsp(d, k, piece);
}

static void on_bytes(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	static void (*const on[])(struct decode *, struct talk *, const struct capture_piece *) = {
		[UNDECIDED] = on_undecided, [RSP] = on_rsp, [KD] = on_kd,
	};

	on[k->kind](d, k, piece);
}

/* What no packet showed to be anything is shown all the same if it is kdgate's own. */
static void settle(struct decode *d, struct talk *k)
{
	if (k->kind == UNDECIDED && k->of_target)
		decide(d, k);
	if (k->kind == KD)
		decode_kd_flush(&k->kd, &d->out);
}

static void on_end(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	bool torn;

	settle(d, k);
	torn = k->kind == KD ? decode_kd_midway(&k->kd) : rsp_framer_midway(&k->framer[CLIENT]) || rsp_framer_midway(&k->framer[STUB]);
	if (k->kind == RSP || k->kind == KD)
		decode_out_words(&d->out, k->kind == KD ? &k->kd.voice : &k->voice, piece->time, DECODE_NOBODY, torn ? "ends, within a packet" : "ends");
	talk_fini(k);
}

static int on_begin(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	int rc = talk_init(k, piece);

	if (!rc && piece->of_client)
		decide(d, k);
	return rc;
}

static int on_piece(struct decode *d, const struct capture_piece *piece)
{
	struct talk *k = &d->talks[piece->flow];

	decode_out_time(&d->out, piece->time);
	if (piece->datagram)
		return decode_kdnet_take(&d->kdnet, &d->out, piece);
	if (d->used <= piece->flow)
		d->used = piece->flow + 1;
	if (piece->begins)
		return on_begin(d, k, piece);
	if (k->kind == NONE)
		return 0;
	if (piece->ends)
		on_end(d, k, piece);
	else
		on_bytes(d, k, piece);
	return 0;
}

static int decode_all(struct decode *d, char *why, size_t why_size)
{
	struct capture_piece piece;
	int rc = 1;

	while (rc == 1 && !ferror(d->out.to)) {
		rc = capture_next(d->capture, &piece);
		if (rc == 1 && on_piece(d, &piece) < 0) {
			snprintf(why, why_size, "out of memory");
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < d->used; i++)
		settle(d, &d->talks[i]);
	decode_kdnet_end(&d->kdnet, &d->out);
	if (rc < 0)
		snprintf(why, why_size, "%s", capture_why(d->capture));
	return rc < 0 ? rc : 0;
}

static int print_end(const struct decode *d, const char *name, char *why, size_t why_size)
{
	struct capture_counts n = capture_counts(d->capture);

	if (fflush(d->out.to) || ferror(d->out.to)) {
		snprintf(why, why_size, "standard output: %s", strerror(errno));
		return -EIO;
	}
	if (decode_kdnet_is_wrong_key(&d->kdnet)) {
		snprintf(why, why_size, "%s: none of its KDNET datagrams verifies: it is the key of another target", name);
		return -EKEYREJECTED;
	}
	if (d->out.found)
		return 0;
	snprintf(why, why_size, "%s: no RSP, KD or KDNET: %" PRIu64 " packets, %" PRIu64 " of them TCP (%" PRIu64 " conversations), "
	         "%" PRIu64 " UDP, %" PRIu64 " other", name, n.packets, n.tcp, n.conversations, n.udp, n.other);
	return -ENODATA;
}

static void decode_destroy(struct decode *d)
{
	for (size_t i = 0; i < d->used; i++)
		talk_fini(&d->talks[i]);
	decode_kdnet_fini(&d->kdnet);
	free(d);
}

static int decode_capture(struct capture *c, const char *name, const struct decode_how *how, char *why, size_t why_size)
{
	struct decode *d = calloc(1, sizeof *d);
	int rc;

	if (!d || decode_kdnet_init(&d->kdnet, how->key) < 0) {
		free(d);
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	capture_with_datagrams(c);
	d->capture = c;
	d->out = (struct decode_out){ .to = how->to, .json = how->json };
	rc = decode_all(d, why, why_size);
	if (!rc)
		rc = print_end(d, name, why, why_size);
	else
		fflush(how->to);
	decode_destroy(d);
	return rc;
}

int decode_stream(FILE *f, const char *name, const struct decode_how *how, char *why, size_t why_size)
{
	struct capture *c = NULL;
	int rc = capture_open_stream(&c, f, name, why, why_size);

	if (rc)
		return rc;
	rc = decode_capture(c, name, how, why, why_size);
	capture_close(c);
	return rc;
}

int decode_file(const char *file, const struct decode_how *how, char *why, size_t why_size)
{
	struct capture *c = NULL;
	int rc = capture_open(&c, file, why, why_size);

	if (rc)
		return rc;
	rc = decode_capture(c, file, how, why, why_size);
	capture_close(c);
	return rc;
}
