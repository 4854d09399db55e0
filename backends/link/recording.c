/* recording.c - see recording.h. The only door to libpcap's writer. */
#include "backends/link/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LEN = 24, RECORD_LEN = 16 }; /* what a pcap file puts in front of all packets, and of each */
enum { IP_LEN = 20, TCP_LEN = 20, SYN_OPTIONS = 8, PACKET_MAX = IP_LEN + TCP_LEN + SYN_OPTIONS + RECORDING_SEGMENT };
enum { PENDING_MAX = 262144, FILE_FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };

struct recording {
	pcap_t *dead;
	pcap_dumper_t *dumper;
	FILE *file;       /* the dumper's */
	int error;
	int64_t skew;
	off_t whole;      /* where the last whole packet ends that the file has */
	uint64_t due;     /* when what is pending is to go; NEVER: nothing is */
	size_t pending_n;
	uint8_t packet[PACKET_MAX];
	char pending[PENDING_MAX];
};

static const char *remedy_of(int error)
{
	static const struct { int error; const char *text; } remedies[] = {
		{ EEXIST, "a recording is not written over: move it away, or choose another name" },
		{ ELOOP, "symbolic links are not followed: name the file itself" },
		{ ENOENT, "its directory is not there: make it first" },
		{ ENOTDIR, "its directory is not one" },
		{ EACCES, "this user may not write there" },
		{ ENOSPC, "the disk is full" },
	};

	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			return remedies[i].text;
	return "choose another file with --record";
}

/* A file that may not grow any more is an error of write, not the end of the program. A handler that is set stays. */
static void ignore_sigxfsz(void)
{
	struct sigaction sa;

	if (sigaction(SIGXFSZ, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		signal(SIGXFSZ, SIG_IGN);
}

static int open_file(struct recording *r, const char *file)
{
	int fd = open(file, FILE_FLAGS, 0600);

	if (fd < 0)
		return -errno;
	r->file = fdopen(fd, "wb");
	if (r->file && setvbuf(r->file, r->pending, _IOFBF, sizeof r->pending) == 0)
		return 0;
	if (r->file)
		fclose(r->file);
	else
		close(fd);
	unlink(file);
	return -ENOMEM;
}

/* pcap_dump_fopen closes the file when it fails. */
static int open_dumper(struct recording *r, const char *file)
{
	int rc = open_file(r, file);

	if (rc)
		return rc;
	r->dumper = pcap_dump_fopen(r->dead, r->file);
	if (r->dumper && fflush(r->file) == 0) {
		r->whole = FILE_LEN;
		return 0;
	}
	rc = errno ? -errno : -EIO;
	if (r->dumper) {
		__fpurge(r->file);
		pcap_dump_close(r->dumper);
	}
	unlink(file);
	return rc;
}

int recording_open(struct recording **out, const char *file, int64_t skew, char *why, size_t why_size)
{
	struct recording *r = calloc(1, sizeof *r);
	int rc = -ENOMEM;

	ignore_sigxfsz();
	if (r) {
		r->skew = skew;
		r->due = NEVER;
		r->dead = pcap_open_dead(DLT_RAW, 65535);
	}
	if (r && r->dead)
		rc = open_dumper(r, file);
	if (!rc) {
		*out = r;
		return 0;
	}
	snprintf(why, why_size, "recording %s: %s (%s)", file, strerror(-rc), remedy_of(-rc));
	if (r && r->dead)
		pcap_close(r->dead);
	free(r);
	return rc;
}

int recording_error(const struct recording *r)
{
	return r->error;
}

void recording_wait(const struct recording *r, struct wait *w)
{
	wait_until(w, r->due);
}

/* What stdio still holds must not come after the last whole packet; where that cannot be cut off, readers tell a torn end. */
static void give_up(struct recording *r, int error)
{
	r->error = error ? error : EIO;
	__fpurge(r->file);
	if (ftruncate(fileno(r->file), r->whole) < 0)
		return;
}

static void flush(struct recording *r)
{
	errno = 0;
	if (fflush(r->file) == 0)
		r->whole += (off_t)r->pending_n;
	else
		give_up(r, errno);
	r->pending_n = 0;
	r->due = NEVER;
}

void recording_flush(struct recording *r, uint64_t now)
{
	if (r->pending_n && now >= r->due)
		flush(r);
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	recording_flush(r, NEVER);
	pcap_dump_close(r->dumper);
	pcap_close(r->dead);
	free(r);
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

/* RFC 1071: a sum that is not finished, and its end. */
static uint32_t sum_of(uint32_t sum, const uint8_t *p, size_t n)
{
	for (; n > 1; n -= 2, p += 2)
		sum += (uint32_t)(p[0] << 8 | p[1]);
	return n ? sum + ((uint32_t)p[0] << 8) : sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

struct way {
	uint32_t from, to;
	unsigned from_port, to_port;
};

static struct way way_of(const struct recording_segment *s)
{
	uint32_t far_end = RECORDING_NET(s->side), near_end = far_end | (uint32_t)(s->number & 0xffff);
	unsigned port = RECORDING_NEAR_PORT + (unsigned)(s->number >> 16 & (RECORDING_NEAR_PORTS - 1));

	return s->from_far ? (struct way){ far_end, near_end, RECORDING_PORT, port } : (struct way){ near_end, far_end, port, RECORDING_PORT };
}

static void put_ip(uint8_t *ip, size_t len, struct way w)
{
	uint8_t *p = put16(put16(ip, 0x4500), (unsigned)len);

	p = put32(p, 0x4000); /* no id; not to be fragmented */
	p = put16(put16(p, 64 << 8 | IPPROTO_TCP), 0);
	put32(put32(p, w.from), w.to);
	put16(ip + 10, fold(sum_of(0, ip, IP_LEN)));
}

/* With SYN: the largest segment, and that windows are to be scaled by 14, so that no reader ever thinks one full. */
static size_t put_tcp(uint8_t *tcp, const struct recording_segment *s, struct way w)
{
	size_t len = s->flags & RECORDING_SYN ? TCP_LEN + SYN_OPTIONS : TCP_LEN;
	uint8_t *p = put32(put32(put16(put16(tcp, w.from_port), w.to_port), s->seq), s->ack);

	p = put32(put16(put16(p, (unsigned)(len / 4) << 12 | s->flags), 0xffff), 0);
	if (s->flags & RECORDING_SYN)
		put32(put32(p, 0x02040000 | RECORDING_SEGMENT), 0x0103030e);
	if (s->bytes.len)
		memcpy(tcp + len, s->bytes.p, s->bytes.len);
	len += s->bytes.len;
	put16(tcp + 16, fold(sum_of((w.from >> 16) + (w.from & 0xffff) + (w.to >> 16) + (w.to & 0xffff) + IPPROTO_TCP + (uint32_t)len, tcp, len)));
	return len;
}

/* The buffer goes to the file between packets only: so a write that fails, or a program that dies, tears none. */
static void append(struct recording *r, size_t len, uint64_t now)
{
	uint64_t wall = now + (uint64_t)r->skew;
	struct pcap_pkthdr h = { .ts = { (time_t)(wall / 1000), (suseconds_t)(wall % 1000 * 1000) }, .caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len };

	if (r->pending_n + RECORD_LEN + len > sizeof r->pending)
		flush(r);
	if (r->error)
		return;
	if (!r->pending_n)
		r->due = now + RECORDING_FLUSH_MS;
	r->pending_n += RECORD_LEN + len;
	pcap_dump((uint8_t *)r->dumper, &h, r->packet);
}

void recording_put(struct recording *r, const struct recording_segment *s, uint64_t now)
{
	struct way w = way_of(s);
	size_t len;

	if (r->error || s->bytes.len > RECORDING_SEGMENT)
		return;
	len = IP_LEN + put_tcp(r->packet + IP_LEN, s, w);
	put_ip(r->packet, len, w);
	append(r, len, now);
}
