/* capture.c - see capture.h. */
#include "proxy/capture.h"

#include "proxy/capture_flow.h"
#include "proxy/capture_gzip.h"
#include "proxy/capture_line.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

enum { WHY = 512 };

/* A serial line's text, instead of packets. */
struct lines {
	FILE *file;
	char *line;
	struct buf bytes;
	uint64_t number;
	bool begun, holds; /* holds: the first line, while the beginning is told */
	struct capture_line last;
};

struct capture {
	pcap_t *file;
	struct lines lines;
	enum capture_layer layer;
	bool datagrams;
	bool has_datagram;       /* to be given */
	struct capture_piece datagram;
	struct capture_flows *flows;
	struct capture_counts counts;
	bool over; /* nothing more is read */
	int rc;    /* how that ended */
	char name[256], why[WHY];
};

static const struct link_type {
	int type;
	enum capture_layer layer;
} link_types[] = {
	{ DLT_RAW, CAPTURE_IP },         { DLT_IPV4, CAPTURE_IP },         { DLT_IPV6, CAPTURE_IP },       { DLT_EN10MB, CAPTURE_ETHERNET },
	{ DLT_LINUX_SLL, CAPTURE_SLL },  { DLT_LINUX_SLL2, CAPTURE_SLL2 }, { DLT_NULL, CAPTURE_LOOPBACK }, { DLT_LOOP, CAPTURE_LOOPBACK },
};

static int find_layer(struct capture *c, char *why, size_t why_size)
{
	int type = pcap_datalink(c->file);
	const char *name = pcap_datalink_val_to_name(type);

	for (size_t i = 0; i < sizeof link_types / sizeof *link_types; i++) {
		if (link_types[i].type != type)
			continue;
		c->layer = link_types[i].layer;
		return 0;
	}
	snprintf(why, why_size, "%s: a capture of link type %s (%d), which cannot be read; expected Ethernet, Linux cooked, loopback or raw IP",
	         c->name, name ? name : "unknown", type);
	return -EPROTONOSUPPORT;
}

/* pcap_close closes the stream; a failure to open leaves it open. */
static int open_pcap(struct capture *c, FILE *f, char *why, size_t why_size)
{
	char words[PCAP_ERRBUF_SIZE] = "";

	c->file = pcap_fopen_offline(f, words);
	if (c->file)
		return find_layer(c, why, why_size);
	snprintf(why, why_size, "%s: not a capture (pcap, pcapng, or lines of a serial line): %s", c->name, words);
	fclose(f);
	return -EBADMSG;
}

static int open_lines(struct capture *c, FILE *f, char *why, size_t why_size)
{
	c->lines.file = f;
	c->lines.line = malloc(CAPTURE_LINE);
	if (c->lines.line && buf_init(&c->lines.bytes, CAPTURE_LINE_BYTES) == 0)
		return 0;
	snprintf(why, why_size, "out of memory");
	return -ENOMEM;
}

static int first_of(FILE *f)
{
	int first = getc(f);

	return first == EOF ? EOF : ungetc(first, f);
}

/* By the first byte: a digit begins a line, and no capture. */
static int open_file(struct capture *c, FILE *f, char *why, size_t why_size)
{
	int first = first_of(f);

	if (first == CAPTURE_GZIP_FIRST && capture_gzip_open(&f, f) < 0) {
		snprintf(why, why_size, "out of memory");
		fclose(f);
		return -ENOMEM;
	}
	if (first == CAPTURE_GZIP_FIRST)
		first = first_of(f);
	return first >= '0' && first <= '9' ? open_lines(c, f, why, why_size) : open_pcap(c, f, why, why_size);
}

int capture_open_stream(struct capture **out, FILE *f, const char *name, char *why, size_t why_size)
{
	struct capture *c = calloc(1, sizeof *c);
	int rc;

	if (c)
		c->flows = capture_flows_new();
	if (!c || !c->flows) {
		snprintf(why, why_size, "out of memory");
		fclose(f);
		free(c);
		return -ENOMEM;
	}
	snprintf(c->name, sizeof c->name, "%s", name);
	rc = open_file(c, f, why, why_size);
	if (rc)
		capture_close(c);
	else
		*out = c;
	return rc;
}

int capture_open(struct capture **c, const char *file, char *why, size_t why_size)
{
	FILE *f = strcmp(file, "-") ? fopen(file, "rbe") : stdin;
	int rc = f ? 0 : -errno;

	if (!rc)
		return capture_open_stream(c, f, file, why, why_size);
	snprintf(why, why_size, "%s: %s", file, strerror(-rc));
	return rc;
}

void capture_with_datagrams(struct capture *c)
{
	c->datagrams = true;
}

const char *capture_why(const struct capture *c)
{
	return c->why;
}

struct capture_counts capture_counts(const struct capture *c)
{
	struct capture_counts counts = c->counts;

	counts.conversations = capture_flows_seen(c->flows) + c->lines.begun;
	return counts;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->file)
		pcap_close(c->file);
	if (c->lines.file)
		fclose(c->lines.file);
	free(c->lines.line);
	buf_fini(&c->lines.bytes);
	capture_flows_destroy(c->flows);
	free(c);
}

static void stop(struct capture *c, int rc)
{
	c->over = true;
	c->rc = rc;
	capture_flows_finish(c->flows);
}

static void fail(struct capture *c, int rc, const char *cause)
{
	unsigned long long packet = (unsigned long long)c->counts.packets + 1;
	long at = ftell(pcap_file(c->file));

	if (at < 0)
		snprintf(c->why, sizeof c->why, "%s: packet %llu: %s", c->name, packet, cause);
	else
		snprintf(c->why, sizeof c->why, "%s: packet %llu, near byte %ld: %s", c->name, packet, at, cause);
	stop(c, rc);
}

static double time_of(const struct pcap_pkthdr *h)
{
	return (double)h->ts.tv_sec + (double)h->ts.tv_usec / 1e6;
}

static void keep_datagram(struct capture *c, const struct capture_packet *p, double time)
{
	c->has_datagram = true;
	c->datagram = (struct capture_piece){ .datagram = true, .time = time, .bytes = p->bytes };
	capture_end_show(c->datagram.from, &p->from);
	capture_end_show(c->datagram.to, &p->to);
}

static void take_packet(struct capture *c, const struct pcap_pkthdr *h, const uint8_t *bytes)
{
	struct capture_packet p;
	enum capture_found found = capture_packet_parse(&p, c->layer, (struct span){ bytes, h->caplen });

	c->counts.tcp += found == CAPTURE_TCP;
	c->counts.udp += found == CAPTURE_UDP;
	c->counts.other += found == CAPTURE_OTHER;
	c->counts.packets++;
	if (found == CAPTURE_UDP && p.bytes.len && c->datagrams)
		keep_datagram(c, &p, time_of(h));
	if (found == CAPTURE_TCP && capture_flows_put(c->flows, &p, time_of(h)) < 0)
		fail(c, -ENOMEM, "out of memory");
}

static void read_packet(struct capture *c)
{
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int rc = pcap_next_ex(c->file, &h, &bytes);

	if (rc == 1)
		take_packet(c, h, bytes);
	else if (rc == PCAP_ERROR_BREAK)
		stop(c, 0);
	else
		fail(c, -EBADMSG, pcap_geterr(c->file));
}

/* The next line into .bytes: 1; 0 the end; -errno, with why. A last one that was cut is damage. */
static int read_line(struct capture *c, struct capture_line *line)
{
	struct lines *l = &c->lines;
	struct span text = { (const uint8_t *)l->line, 0 };
	int rc;

	if (!fgets(l->line, CAPTURE_LINE, l->file))
		return ferror(l->file) ? -EBADMSG : 0;
	l->number++;
	text.len = strlen(l->line);
	if (!text.len || text.p[text.len - 1] != '\n')
		return -EBADMSG;
	text.len--;
	rc = capture_line_parse(text, line, &l->bytes);
	return rc < 0 ? -EBADMSG : 1;
}

static int fail_line(struct capture *c, int rc)
{
	snprintf(c->why, sizeof c->why, "%s: behind line %llu: damaged, or no recording of a serial line; expected SECONDS T|H HEX", c->name,
	         (unsigned long long)c->lines.number);
	c->over = true;
	c->rc = rc;
	return rc;
}

static int tell_line(const struct lines *l, struct capture_piece *piece)
{
	bool host = l->last.from_host;

	*piece = (struct capture_piece){ .line = true, .number = 1, .from_client = host, .time = l->last.time, .bytes = buf_span(&l->bytes) };
	snprintf(piece->from, sizeof piece->from, "%s", host ? "host" : "target");
	snprintf(piece->to, sizeof piece->to, "%s", host ? "target" : "host");
	return 1;
}

static int tell_end(const struct lines *l, struct capture_piece *piece, bool begins)
{
	*piece = (struct capture_piece){
		.line = true, .number = 1, .begins = begins, .ends = !begins, .time = l->last.time, .from = "host", .to = "target",
	};
	return 1;
}

static int next_line(struct capture *c, struct capture_piece *piece)
{
	struct lines *l = &c->lines;
	int rc;

	if (l->holds) {
		l->holds = false;
		return tell_line(l, piece);
	}
	do
		rc = read_line(c, &l->last);
	while (rc == 1 && !l->bytes.len);
	if (rc < 0)
		return fail_line(c, rc);
	c->over = rc == 0;
	if (c->over)
		return l->begun ? tell_end(l, piece, false) : 0;
	if (l->begun)
		return tell_line(l, piece);
	l->begun = l->holds = true;
	return tell_end(l, piece, true);
}

/* What was read is given, also where the file is damaged behind it. */
int capture_next(struct capture *c, struct capture_piece *piece)
{
	for (;;) {
		if (capture_flows_take(c->flows, piece))
			return 1;
		if (c->has_datagram) {
			*piece = c->datagram;
			c->has_datagram = false;
			return 1;
		}
		if (c->over)
			return c->rc;
		if (c->lines.file)
			return next_line(c, piece);
		read_packet(c);
	}
}
