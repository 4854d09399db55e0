/* hello.c - see hello.h. One row a step: whether it is needed, what is asked, what is made of the answer. */
#include "backends/rsp/hello.h"

#include "backends/rsp/kgdb.h"
#include "base/hex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REGS_MOST = 8192, STRAYS_MAX = 4, FEATURES_LEN = 4096, PACKET_LEAST = 64, PACKET_MOST = 1 << 24, CHUNK_HEAD = 8, SIGINT_ = 2 };

int hello_init(struct hello *h)
{
	*h = (struct hello){ 0 };
	return buf_init(&h->doc, TDESC_DOC_MAX);
}

void hello_fini(struct hello *h)
{
	buf_fini(&h->doc);
}

static int fails(struct hello *h, const char *why)
{
	h->why = why;
	return -EPROTO;
}

static bool always(const struct hello *h, const struct stub *s)
{
	(void)h, (void)s;
	return true;
}

static bool can_no_ack(const struct hello *h, const struct stub *s)
{
	(void)h;
	return s->features.can & RSP_CAN_NO_ACK;
}

static bool can_tdesc(const struct hello *h, const struct stub *s)
{
	(void)h;
	return s->features.can & RSP_CAN_TDESC;
}

static bool can_map(const struct hello *h, const struct stub *s)
{
	(void)h;
	return s->features.can & RSP_CAN_MEMORY_MAP;
}

static bool thread_unknown(const struct hello *h, const struct stub *s)
{
	(void)s;
	return !h->stop.has_thread;
}

static bool regs_unknown(const struct hello *h, const struct stub *s)
{
	(void)h;
	return s->kgdb && !s->described;
}

static bool not_kgdb(const struct hello *h, const struct stub *s)
{
	(void)h;
	return !s->kgdb;
}

/* swbreak is announced so that the stub reports the trap's own address: lldb cannot correct it, gdb need not. */
static int ask_supported(struct hello *h, const struct stub *s, struct buf *out)
{
	(void)h, (void)s;
	return buf_put_text(out, "qSupported:swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386,arm,mips");
}

static int ask_no_ack(struct hello *h, const struct stub *s, struct buf *out)
{
	(void)h, (void)s;
	return buf_put_text(out, "QStartNoAckMode");
}

static int ask_vcont(struct hello *h, const struct stub *s, struct buf *out)
{
	(void)h, (void)s;
	return buf_put_text(out, "vCont?");
}

/* Half a packet: every byte of a chunk may be escaped. */
static size_t chunk(const struct stub *s)
{
	return (s->packet_max - CHUNK_HEAD) / 2;
}

static int ask_tdesc(struct hello *h, const struct stub *s, struct buf *out)
{
	if (!*h->name)
		snprintf(h->name, sizeof h->name, "target.xml");
	return buf_printf(out, "qXfer:features:read:%s:%zx,%zx", h->name, h->doc.len, chunk(s));
}

static int ask_map(struct hello *h, const struct stub *s, struct buf *out)
{
	return buf_printf(out, "qXfer:memory-map:read::%zx,%zx", h->doc.len, chunk(s));
}

static int ask_status(struct hello *h, const struct stub *s, struct buf *out)
{
	(void)h, (void)s;
	return buf_put_text(out, "?");
}

static int ask_thread(struct hello *h, const struct stub *s, struct buf *out)
{
	(void)h, (void)s;
	return buf_put_text(out, "qC");
}

static int ask_regs(struct hello *h, const struct stub *s, struct buf *out)
{
	(void)h, (void)s;
	return buf_put_text(out, "g");
}

static int next(struct hello *h)
{
	h->step++;
	buf_reset(&h->doc, 0);
	h->name[0] = 0;
	return 1;
}

static int take_supported(struct hello *h, struct stub *s, struct buf *body)
{
	if (rsp_features_parse(buf_span(body), &s->features) < 0)
		return fails(h, "its answer to qSupported makes no sense");
	if (body->len > FEATURES_LEN || (s->features.packet_size && (s->features.packet_size < PACKET_LEAST || s->features.packet_size > PACKET_MOST)))
		h->note = "its answer to qSupported is out of bounds";
	if (s->features.packet_size >= PACKET_LEAST)
		s->packet_max = s->features.packet_size < 2 * STUB_READ_MAX ? s->features.packet_size : 2 * STUB_READ_MAX;
	return next(h);
}

static int take_no_ack(struct hello *h, struct stub *s, struct buf *body)
{
	if (!span_is(buf_span(body), "OK"))
		s->features.can &= ~(unsigned)RSP_CAN_NO_ACK;
	return next(h);
}

/* "vCont;c;C;s;S": each item is one letter, and lldb-server's may have more behind it. */
static int take_vcont(struct hello *h, struct stub *s, struct buf *body)
{
	struct span list = buf_span(body);

	if (list.len && !span_starts(list, "vCont;") && !span_starts(list, "E"))
		h->note = "its answer to vCont? is none";
	if (span_starts(list, "vCont;"))
		for (size_t i = 0; i + 1 < list.len; i++) {
			s->vcont_c |= list.p[i] == ';' && list.p[i + 1] == 'c';
			s->vcont_s |= list.p[i] == ';' && list.p[i + 1] == 's';
			s->vcont_r |= list.p[i] == ';' && list.p[i + 1] == 'r';
		}
	return next(h);
}

/* One more piece of h->doc. 1: that was the last; 0: there is more; -errno. */
static int take_chunk(struct hello *h, struct stub *s, struct buf *body)
{
	struct rsp_expect want = { .form = RSP_FORM_CHUNK, .most = chunk(s) };
	struct rsp_reply reply;

	if (rsp_reply_parse(buf_data(body), body->len, &want, &reply, NULL) < 0)
		return -EBADMSG;
	if (reply.kind != RSP_REPLY_CHUNK)
		return -ENOENT;
	if (!reply.last && !reply.bytes.len)
		return -EBADMSG; /* it would never end */
	if (buf_put_span(&h->doc, reply.bytes) < 0)
		return -E2BIG;
	return reply.last;
}

static const char *bad_chunk(int rc)
{
	return rc == -E2BIG ? "a document is too long" : rc == -ENOENT ? NULL : "a piece of a document makes no sense";
}

/* A target without a description can be debugged: the client is told its architecture by its user. */
static int undescribed(struct hello *h, struct stub *s, const char *why)
{
	h->note = why;
	s->features.can &= ~(unsigned)RSP_CAN_TDESC;
	s->described = false;
	return next(h);
}

static int take_tdesc(struct hello *h, struct stub *s, struct buf *body)
{
	int rc = take_chunk(h, s, body);
	const char *more;

	if (rc == 0)
		return 1;
	if (rc < 0)
		return undescribed(h, s, rc == -ENOENT && strcmp(h->name, "target.xml") ? "an included document is not there" : bad_chunk(rc));
	if (tdesc_add(&s->tdesc, h->name, buf_span(&h->doc)) < 0)
		return undescribed(h, s, s->tdesc.why);
	more = tdesc_missing(&s->tdesc);
	if (more) {
		buf_reset(&h->doc, 0);
		snprintf(h->name, sizeof h->name, "%s", more);
		return 1;
	}
	if (tdesc_build(&s->tdesc) < 0)
		return undescribed(h, s, s->tdesc.why);
	s->described = true;
	h->note = s->tdesc.odd;
	return next(h);
}

static int take_map(struct hello *h, struct stub *s, struct buf *body)
{
	int rc = take_chunk(h, s, body);

	if (rc == 0)
		return 1;
	if (rc < 0 || memory_map_rewrite(buf_span(&h->doc), &s->map) < 0) {
		h->note = rc < 0 ? bad_chunk(rc) : "the memory map is not as it should be";
		s->features.can &= ~(unsigned)RSP_CAN_MEMORY_MAP;
		buf_reset(&s->map, 0);
	}
	return next(h);
}

static int take_status(struct hello *h, struct stub *s, struct buf *body)
{
	(void)s;
	if (rsp_stop_parse(buf_span(body), &h->stop) < 0)
		return fails(h, "its answer to ? is no stop reply");
	if (h->stop.kind != RSP_STOP_SIGNAL)
		return fails(h, "its program has ended");
	return next(h);
}

static int take_thread(struct hello *h, struct stub *s, struct buf *body)
{
	struct span answer = buf_span(body);
	struct cursor c = cursor_of(span_from(answer, 2));
	struct rsp_thread id;

	(void)s;
	h->stop.has_thread = span_starts(answer, "QC") && rsp_thread_take(&c, &id) == 0 && cursor_done(&c) && rsp_thread_names_one(id);
	if (h->stop.has_thread)
		h->stop.thread = id;
	return next(h);
}

/* What has another length is another machine's: its user tells the debugger which. */
static int take_regs(struct hello *h, struct stub *s, struct buf *body)
{
	struct rsp_expect want = { .form = RSP_FORM_REGS, .most = REGS_MOST };
	struct rsp_reply reply;

	if (rsp_reply_parse(buf_data(body), body->len, &want, &reply, NULL) == 0 && reply.kind == RSP_REPLY_REGS)
		s->described = kgdb_describe(&s->tdesc, reply.bytes.len / 2) == 0;
	return next(h);
}

static const struct row {
	bool (*needed)(const struct hello *h, const struct stub *s);
	int (*ask)(struct hello *h, const struct stub *s, struct buf *out);
	int (*take)(struct hello *h, struct stub *s, struct buf *body);
} rows[HELLO_DONE] = {
	[HELLO_SUPPORTED] = { not_kgdb, ask_supported, take_supported },
	[HELLO_NO_ACK] = { can_no_ack, ask_no_ack, take_no_ack },
	[HELLO_VCONT] = { not_kgdb, ask_vcont, take_vcont },
	[HELLO_STATUS] = { always, ask_status, take_status },
	[HELLO_THREAD] = { thread_unknown, ask_thread, take_thread },
	[HELLO_TDESC] = { can_tdesc, ask_tdesc, take_tdesc },
	[HELLO_MAP] = { can_map, ask_map, take_map },
	[HELLO_REGS] = { regs_unknown, ask_regs, take_regs },
};

bool hello_over(struct hello *h, const struct stub *s)
{
	while (h->step < HELLO_DONE && !rows[h->step].needed(h, s))
		h->step++;
	return h->step == HELLO_DONE;
}

int hello_request(struct hello *h, struct stub *s, struct buf *out)
{
	if (hello_over(h, s))
		return 0;
	return rows[h->step].ask(h, s, out) < 0 ? -ENOBUFS : 1;
}

static bool is_stray_stop(const struct hello *h, struct span body, struct rsp_stop *stop)
{
	return h->step != HELLO_STATUS && rsp_stop_parse(body, stop) == 0;
}

/* QEMU stops a running machine when somebody connects, and says so unasked. GRUB says unasked what it has stood for all along. */
void hello_stray(struct hello *h, const struct rsp_stop *stop)
{
	h->strays++;
	h->ran |= stop->code == SIGINT_;
}

/* "Fopen,..." or "O4142": it wants a file, or prints. Both may come at any time. */
bool hello_is_chatter(struct span body)
{
	bool file = span_starts(body, "F"), text = span_starts(body, "O") && body.len % 2;
	size_t i = 1;

	while (file && i < body.len && body.p[i] >= 'a' && body.p[i] <= 'z')
		i++;
	while (text && i < body.len && hex_value(body.p[i]) >= 0)
		i++;
	return (file && i > 1 && i < body.len && body.p[i] == ',') || (text && i == body.len);
}

/* Until the first answer it may run, and print as much as it likes. */
int hello_answer(struct hello *h, struct stub *s, struct buf *body)
{
	struct rsp_stop stray;
	bool stop = is_stray_stop(h, buf_span(body), &stray);

	if (!stop && !hello_is_chatter(buf_span(body)))
		return rows[h->step].take(h, s, body);
	if (stop)
		hello_stray(h, &stray);
	h->chatter += !stop && h->step != HELLO_SUPPORTED;
	if (h->strays + h->chatter <= STRAYS_MAX)
		return 0;
	return fails(h, stop ? "it reports stops that nobody asked for" : "it sends packets that nobody asked for");
}
