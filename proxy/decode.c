/* decode.c - see decode.h. */
#include "proxy/decode.h"

#include "proxy/capture.h"
#include "proxy/decode_words.h"
#include "rsp/framer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STUB, CLIENT, SIDES };
enum { PENDING = 4096, LINE = DECODE_WORDS + 64 };

enum kind { NONE, UNDECIDED, RSP };

/* A conversation. Until a packet shows that it is RSP, its lines wait. */
struct talk {
	enum kind kind;
	uint64_t number; /* of those that are RSP */
	struct capture_piece opening;
	struct rsp_framer framer[SIDES];
	struct decode_asked asked;
	struct buf pending;
	bool left_out;   /* some of what was pending */
};

struct decode {
	struct capture *capture;
	FILE *to;
	bool timed;
	double start;
	uint64_t found;
	size_t used;     /* talks behind these were never */
	struct talk talks[CAPTURE_FLOWS];
};

static void talk_fini(struct talk *k)
{
	if (k->kind == UNDECIDED || k->kind == RSP) {
		rsp_framer_fini(&k->framer[STUB]);
		rsp_framer_fini(&k->framer[CLIENT]);
		buf_fini(&k->pending);
	}
	k->kind = NONE;
}

static int talk_init(struct talk *k, const struct capture_piece *opening)
{
	int rc;

	talk_fini(k);
	*k = (struct talk){ .kind = UNDECIDED, .opening = *opening };
	rc = rsp_framer_init(&k->framer[STUB], RSP_TOLERANT, DECODE_BODY);
	rc = rc ? rc : rsp_framer_init(&k->framer[CLIENT], RSP_STRICT, DECODE_BODY);
	rc = rc ? rc : buf_init(&k->pending, PENDING);
	if (rc)
		talk_fini(k);
	return rc;
}

static void line(struct decode *d, struct talk *k, double time, char way, const char *words)
{
	char text[LINE];
	int n = snprintf(text, sizeof text, "%c %s\n", way, words);

	if (k->kind == RSP) {
		fprintf(d->to, "%11.6f #%" PRIu64 " %s", time - d->start, k->number, text);
		return;
	}
	if (buf_room(&k->pending) < (size_t)n + sizeof time) {
		buf_reset(&k->pending, 0);
		k->left_out = true;
	}
	(void)!buf_put(&k->pending, &time, sizeof time);
	(void)!buf_put(&k->pending, text, (size_t)n);
}

static void print_opening(struct decode *d, struct talk *k)
{
	const struct capture_piece *o = &k->opening;
	char words[3 * CAPTURE_NAME + 100];
	size_t at = (size_t)snprintf(words, sizeof words, "begins: %s -> %s", o->from, o->to);

	if (o->of_client || o->of_target)
		at += (size_t)snprintf(words + at, sizeof words - at, o->of_client ? ", client %" PRIu64 " of kdgate" : ", call %" PRIu64 " of kdgate to a target", o->id);
	if (o->midway)
		at += (size_t)snprintf(words + at, sizeof words - at, "; it had begun before the capture did");
	if (k->left_out)
		snprintf(words + at, sizeof words - at, "; much that is no packet is left out");
	line(d, k, o->time, '=', words);
}

static void print_pending(struct decode *d, struct talk *k)
{
	struct cursor c = cursor_of(buf_span(&k->pending));

	while (!cursor_done(&c)) {
		struct span stamp = cursor_take(&c, sizeof(double));
		const uint8_t *end = memchr(c.p, '\n', (size_t)(c.end - c.p));
		double time;

		if (c.bad || !end)
			break;
		memcpy(&time, stamp.p, sizeof time);
		fprintf(d->to, "%11.6f #%" PRIu64 " %.*s\n", time - d->start, k->number, (int)(end - c.p), (const char *)c.p);
		c.p = end + 1;
	}
	buf_reset(&k->pending, 0);
}

static void decide(struct decode *d, struct talk *k)
{
	if (k->kind != UNDECIDED)
		return;
	k->kind = RSP;
	k->number = ++d->found;
	print_opening(d, k);
	print_pending(d, k);
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
	line(d, k, time, who == CLIENT ? '>' : '<', words);
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
	line(d, k, time, who == CLIENT ? '>' : '<', words);
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

static void on_bytes(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	int who = piece->from_client ? CLIENT : STUB;

	if (piece->gap) {
		rsp_framer_reset(&k->framer[who]);
		k->asked.n = 0;
		line(d, k, piece->time, piece->from_client ? '>' : '<', "(bytes are missing here)");
	}
	feed(d, k, who, piece->bytes, piece->time);
}

static void on_end(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	bool torn = rsp_framer_midway(&k->framer[CLIENT]) || rsp_framer_midway(&k->framer[STUB]);

	if (k->kind == RSP)
		line(d, k, piece->time, '=', torn ? "ends, within a packet" : "ends");
	talk_fini(k);
}

static int on_begin(struct decode *d, struct talk *k, const struct capture_piece *piece)
{
	int rc = talk_init(k, piece);

	if (!rc && (piece->of_client || piece->of_target))
		decide(d, k);
	return rc;
}

static int on_piece(struct decode *d, const struct capture_piece *piece)
{
	struct talk *k = &d->talks[piece->flow];

	if (d->used <= piece->flow)
		d->used = piece->flow + 1;
	if (!d->timed)
		d->start = piece->time;
	d->timed = true;
	if (piece->begins)
		return on_begin(d, k, piece);
	if (piece->ends)
		on_end(d, k, piece);
	else if (k->kind != NONE)
		on_bytes(d, k, piece);
	return 0;
}

static int decode_all(struct decode *d, char *why, size_t why_size)
{
	struct capture_piece piece;
	int rc = 1;

	while (rc == 1 && !ferror(d->to)) {
		rc = capture_next(d->capture, &piece);
		if (rc == 1 && on_piece(d, &piece) < 0) {
			snprintf(why, why_size, "out of memory");
			return -ENOMEM;
		}
	}
	if (rc < 0)
		snprintf(why, why_size, "%s", capture_why(d->capture));
	return rc < 0 ? rc : 0;
}

static int print_end(const struct decode *d, const char *name, char *why, size_t why_size)
{
	struct capture_counts n = capture_counts(d->capture);

	if (fflush(d->to) || ferror(d->to)) {
		snprintf(why, why_size, "standard output: %s", strerror(errno));
		return -EIO;
	}
	if (d->found)
		return 0;
	snprintf(why, why_size, "%s: no RSP conversations: %" PRIu64 " packets, %" PRIu64 " of them TCP (%" PRIu64 " conversations), %" PRIu64 " UDP, %" PRIu64 " other%s",
	         name, n.packets, n.tcp, n.conversations, n.udp, n.other, n.udp ? "; KDNET is UDP, and is not decoded by this version" : "");
	return -ENODATA;
}

static int decode_capture(struct capture *c, const char *name, FILE *to, char *why, size_t why_size)
{
	struct decode *d = calloc(1, sizeof *d);
	int rc;

	if (!d) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	d->capture = c;
	d->to = to;
	rc = decode_all(d, why, why_size);
	if (!rc)
		rc = print_end(d, name, why, why_size);
	else
		fflush(to);
	for (size_t i = 0; i < d->used; i++)
		talk_fini(&d->talks[i]);
	free(d);
	return rc;
}

int decode_stream(FILE *f, const char *name, FILE *to, char *why, size_t why_size)
{
	struct capture *c = NULL;
	int rc = capture_open_stream(&c, f, name, why, why_size);

	if (rc)
		return rc;
	rc = decode_capture(c, name, to, why, why_size);
	capture_close(c);
	return rc;
}

int decode_file(const char *file, FILE *to, char *why, size_t why_size)
{
	struct capture *c = NULL;
	int rc = capture_open(&c, file, why, why_size);

	if (rc)
		return rc;
	rc = decode_capture(c, file, to, why, why_size);
	capture_close(c);
	return rc;
}
