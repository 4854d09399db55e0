/* capture.c - see capture.h. */
#include "proxy/capture.h"

#include "proxy/capture_flow.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

enum { WHY = 512 };

struct capture {
	pcap_t *file;
	enum capture_layer layer;
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
	snprintf(why, why_size, "%s: not a capture (pcap, pcapng): %s; one that is compressed must be unpacked first", c->name, words);
	fclose(f);
	return -EBADMSG;
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
	rc = open_pcap(c, f, why, why_size);
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

const char *capture_why(const struct capture *c)
{
	return c->why;
}

struct capture_counts capture_counts(const struct capture *c)
{
	struct capture_counts counts = c->counts;

	counts.conversations = capture_flows_seen(c->flows);
	return counts;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	if (c->file)
		pcap_close(c->file);
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

static void take_packet(struct capture *c, const struct pcap_pkthdr *h, const uint8_t *bytes)
{
	struct capture_packet p;
	enum capture_found found = capture_packet_parse(&p, c->layer, (struct span){ bytes, h->caplen });

	c->counts.tcp += found == CAPTURE_TCP;
	c->counts.udp += found == CAPTURE_UDP;
	c->counts.other += found == CAPTURE_OTHER;
	c->counts.packets++;
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

/* What was read is given, also where the file is damaged behind it. */
int capture_next(struct capture *c, struct capture_piece *piece)
{
	for (;;) {
		if (capture_flows_take(c->flows, piece))
			return 1;
		if (c->over)
			return c->rc;
		read_packet(c);
	}
}
