/* flood.c - a client that means harm: packets of every name with good, bad and absurd arguments, in good and bad frames.
 *
 *	flood --to unix:/path|tcp:127.0.0.1:PORT [--packets N] [--seed S] [--workers N] [--patience MS]
 *
 * What is sent follows from the seed alone; how it is cut into pieces, from the seed and the other end's answers. It
 * does not judge: whoever reads the stub's record does. Prints one line of JSON. */
#include "tests/sim/catalogue.h"
#include "tests/sim/wire.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BODY_MAX = 32768, BURST_MAX = 1 << 18, ITEMS_MAX = 12 };

struct rng {
	uint64_t s;
};

struct text {
	size_t n;
	uint8_t p[BODY_MAX];
};

struct counts {
	unsigned long packets, bytes, connections, replies, broken, bad_sums, breaks, resumes, closed, stuck, refused;
};

struct worker {
	const char *to;
	struct rng words, ways; /* what is said; how */
	struct counts *count;
	unsigned long packets;
	int patience;
	struct wire wire;
	bool no_ack;
	size_t expected, heard;    /* answers, of this burst */
	size_t burst_n;
	uint8_t burst[BURST_MAX];
};

/* --- chance */

static uint32_t next(struct rng *r)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return (uint32_t)(r->s >> 20);
}

static size_t below(struct rng *r, size_t n)
{
	return n ? next(r) % n : 0;
}

static bool one_in(struct rng *r, size_t n)
{
	return below(r, n) == 0;
}

/* --- words */

static void put(struct text *t, const void *p, size_t n)
{
	if (t->n + n > sizeof t->p)
		n = sizeof t->p - t->n;
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

static void put_text(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static void put_num(struct text *t, int width, uint64_t v)
{
	char s[40];

	put(t, s, (size_t)snprintf(s, sizeof s, "%0*llx", width, (unsigned long long)v));
}

static void put_address(struct rng *r, struct text *t, size_t len)
{
	static const uint64_t edges[] = { 0, 1, 0xfff, 0x1000, 0x100000, 0xffffff, 0x1000000, 0x7fffffff, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
					  0xffffffff81000000, 0xffff888000000000, 0xfffffffffffffff0, 0xffffffffffffffff };
	static const char *const before[] = { "-", "0x", " ", "+", "00000000000000000", "1" };

	(void)len;
	if (one_in(r, 20))
		put_text(t, before[below(r, sizeof before / sizeof *before)]);
	put_num(t, one_in(r, 8) ? 16 : 1, one_in(r, 4) ? edges[below(r, sizeof edges / sizeof *edges)] : next(r) & 0xffffff);
}

static void put_any_length(struct rng *r, struct text *t, size_t len)
{
	static const uint64_t edges[] = { 0, 0x1ff, 0x200, 0x7fe, 0x7ff, 0x800, 0xffb, 0x1000, 0x4000, 0x10000, 0x131071, 0x7fffffff, 0xffffffff, 0x100000004 };

	(void)len;
	put_num(t, 1, one_in(r, 6) ? edges[below(r, sizeof edges / sizeof *edges)] : 1 + below(r, 96));
}

static void put_this_length(struct rng *r, struct text *t, size_t len)
{
	put_num(t, one_in(r, 5) ? 4 : 1, one_in(r, 20) ? len + 1 : len);
}

static void put_hex(struct rng *r, struct text *t, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_num(t, 2, next(r) & 0xff);
}

static void put_byte(struct text *t, uint8_t c)
{
	bool framing = memchr("$#}*", c, 4);

	if (framing)
		put_text(t, "}");
	c = framing ? c ^ 0x20 : c;
	put(t, &c, 1);
}

static void put_binary(struct rng *r, struct text *t, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_byte(t, one_in(r, 4) ? (uint8_t)"$#}*\3\0+-"[below(r, 8)] : (uint8_t)next(r));
}

static void put_small(struct rng *r, struct text *t, size_t len)
{
	(void)len;
	put_num(t, 1, one_in(r, 10) ? next(r) : below(r, 40));
}

static void put_signal(struct rng *r, struct text *t, size_t len)
{
	(void)len;
	put_num(t, 2, below(r, 32));
}

static void put_command(struct rng *r, struct text *t, size_t len)
{
	(void)len;
	for (const char *s = commands[below(r, commands_n)]; *s; s++)
		put_num(t, 2, (uint8_t)*s);
}

static void put_thread(struct rng *r, struct text *t, size_t len)
{
	static const char *const ids[] = { "0", "1", "2", "-1", "p1.1", "p0.0", "p1.-1", "p-1.-1", "p01.01", "01", "fffffffe", "-2", "p-1.5", "p1", "7fffffffffffffff" };

	(void)len;
	put_text(t, ids[below(r, one_in(r, 5) ? sizeof ids / sizeof *ids : 6)]);
}

static void put_word(struct rng *r, struct text *t, size_t len)
{
	static const char *const words[] = { "a", "zlib-deflate", "target.xml", "/etc/shadow", "0x7f", "localhost", "LD_PRELOAD", "%n%s", "..", "x86_64" };

	(void)len;
	put_text(t, words[below(r, sizeof words / sizeof *words)]);
}

/* n of the words, with ; between them. */
static void put_list(struct rng *r, struct text *t, const char *const *words, size_t words_n, size_t n)
{
	for (; n; n--) {
		put_text(t, words[below(r, words_n)]);
		if (n > 1)
			put_text(t, ";");
	}
}

static void put_features(struct rng *r, struct text *t, size_t len)
{
	static const char *const some[] = { "multiprocess+", "swbreak+", "hwbreak+", "vContSupported+", "error-message+", "xmlRegisters=i386", "QThreadEvents+",
					    "no-resumed+", "memory-tagging?", "binary-upload-", "PacketSize=ffffffff", "", "=", "multiprocess" };

	(void)len;
	put_list(r, t, some, sizeof some / sizeof *some, 1 + below(r, one_in(r, 20) ? 90 : 6));
}

static void put_actions(struct rng *r, struct text *t, size_t len)
{
	static const char *const some[] = { "c", "s", "c:p1.-1", "s:1", "C05:1", "S0b:p1.1", "t", "r1000,1010:1", "c:-1", "x", "C", "c:p-1.5", "" };

	(void)len;
	put_list(r, t, some, one_in(r, 3) ? sizeof some / sizeof *some : 6, 1 + below(r, one_in(r, 20) ? 90 : 4));
}

static const struct hole {
	char letter;
	void (*fill)(struct rng *r, struct text *t, size_t len);
} holes[] = {
	{ 'a', put_address }, { 'n', put_any_length }, { 'l', put_this_length }, { 'h', put_hex },      { 'b', put_binary },   { 'd', put_small },
	{ 's', put_signal },  { 't', put_thread },     { 'x', put_command },     { 'w', put_word },     { 'f', put_features }, { 'v', put_actions },
};

static void fill_hole(struct rng *r, struct text *t, char letter, size_t len)
{
	for (const struct hole *h = holes; h < holes + sizeof holes / sizeof *holes; h++)
		if (h->letter == letter)
			h->fill(r, t, len);
}

static void put_template(struct rng *r, struct text *t, const char *from)
{
	size_t len = one_in(r, 40) ? below(r, 3000) : below(r, 40);

	for (; *from; from++) {
		if (*from == '@')
			fill_hole(r, t, *++from, len);
		else
			put(t, from, 1);
	}
}

/* --- damage: what a filter and a stub could read differently */

static const char odd[] = "0123456789abcdefFgGmMXZzcsvqQ:;,.=-+ ?!\t\n\r\x7f\xff\x80x_{"; /* and NUL */

static void insert(struct text *t, size_t at, const void *s, size_t n)
{
	static struct text rest;

	rest.n = 0;
	put(&rest, t->p + at, t->n - at);
	t->n = at;
	put(t, s, n);
	put(t, rest.p, rest.n);
}

static void add_tail(struct rng *r, struct text *t, size_t at)
{
	static const char *const tails[] = { ";junk", " ", ",", ":", ";", "0", "zz", ";thread:1;", ";X1,00", "\n", "}]" };

	(void)at;
	put_text(t, tails[below(r, sizeof tails / sizeof *tails)]);
}

static void cut(struct rng *r, struct text *t, size_t at)
{
	(void)r;
	t->n = at;
}

static void add_byte(struct rng *r, struct text *t, size_t at)
{
	insert(t, at, &odd[below(r, sizeof odd)], 1);
}

static void change_byte(struct rng *r, struct text *t, size_t at)
{
	if (at < t->n)
		t->p[at] = (uint8_t)odd[below(r, sizeof odd)];
}

static void repeat_head(struct rng *r, struct text *t, size_t at)
{
	static struct text head;

	(void)r;
	head.n = 0;
	put(&head, t->p, at);
	insert(t, 0, head.p, head.n);
}

static void add_packet_text(struct rng *r, struct text *t, size_t at)
{
	(void)at;
	put_template(r, t, catalogue[below(r, catalogue_n)]);
}

static void change_case(struct rng *r, struct text *t, size_t at)
{
	(void)r, (void)at;
	if (t->n)
		t->p[0] ^= 0x20;
}

static void damage(struct rng *r, struct text *t)
{
	static void (*const ways[])(struct rng *, struct text *, size_t) = { add_tail, cut, add_byte, change_byte, repeat_head, add_packet_text, change_case };

	ways[below(r, sizeof ways / sizeof *ways)](r, t, below(r, t->n + 1));
}

/* These end the conversation when the other end is strict. */
static void break_frame(struct rng *r, struct text *t)
{
	static const char *const bad[] = { "$", "*", "* ", "*!", "}", "}a", "}$", "%", "#", "$m1000,4#8e", "}M" };
	const char *what = bad[below(r, sizeof bad / sizeof *bad)];
	size_t at = below(r, t->n + 1);

	if (t->n && one_in(r, 4)) { /* the first letter, escaped: QEMU reads it as if it were not */
		t->p[0] ^= 0x20;
		at = 0;
		what = "}";
	}
	insert(t, at, what, strlen(what));
}

/* --- frames */

static void burst_put(struct worker *w, const void *p, size_t n)
{
	if (w->burst_n + n > sizeof w->burst)
		abort();
	memcpy(w->burst + w->burst_n, p, n);
	w->burst_n += n;
}

static uint8_t sum_of(const struct text *t)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < t->n; i++)
		sum = (uint8_t)(sum + t->p[i]);
	return sum;
}

static void put_frame(struct worker *w, const struct text *t, uint8_t sum)
{
	char tail[4];

	snprintf(tail, sizeof tail, one_in(&w->words, 10) ? "#%02X" : "#%02x", (unsigned)sum);
	burst_put(w, "$", 1);
	burst_put(w, t->p, t->n);
	burst_put(w, tail, 3);
	w->count->packets++;
}

static bool resumes(const struct text *t)
{
	return t->n && (strchr("cCsSbi", t->p[0]) || (t->n > 5 && memcmp(t->p, "vCont;", 6) == 0));
}

static void make_body(struct rng *r, struct text *t)
{
	t->n = 0;
	if (one_in(r, 8))
		put_text(t, vectors[below(r, vectors_n)]);
	else
		put_template(r, t, catalogue[below(r, catalogue_n)]);
	for (size_t n = one_in(r, 3) ? 1 + below(r, 3) : 0; n; n--)
		damage(r, t);
}

static void add_packet(struct worker *w)
{
	static struct text t;
	struct rng *r = &w->words;
	bool bad;

	do
		make_body(r, &t);
	while (resumes(&t) && !one_in(r, 3)); /* each costs a while */
	if (one_in(r, 50) && ++w->count->broken)
		break_frame(r, &t);
	bad = one_in(r, 40);
	if (bad) {
		w->count->bad_sums++;
		put_frame(w, &t, (uint8_t)(sum_of(&t) + 1 + below(r, 255)));
	}
	if (!bad || !one_in(r, 4)) {
		put_frame(w, &t, sum_of(&t));
		w->expected++;
		w->count->resumes += resumes(&t);
	}
	if (resumes(&t) && one_in(r, 2))
		burst_put(w, "\3", 1);
}

static void add_rubbish(struct worker *w)
{
	static const char *const some[] = { "+", "-", "+++++++", "----", "\3", "\3\3\3", "!", "a\r\n", "\4", "\xff\xf3g", "help\r", "$", "$$$", "$#00", "$m1000,4#zz",
					    "$m1000,4#", "$m10$00,4#8e", "#00", "%Stop:T05#00", "!R#72", "}\3", "\0" };
	static struct text big;
	size_t i = below(&w->words, sizeof some / sizeof *some + 1);

	if (i < sizeof some / sizeof *some) {
		burst_put(w, some[i], some[i][0] ? strlen(some[i]) : 1);
		w->count->breaks += some[i][0] == 3;
	} else if (one_in(&w->words, 20)) { /* larger than anybody takes */
		big.n = 0;
		put_text(&big, "M1000,2800:");
		put_hex(&w->words, &big, 10240);
		put_frame(w, &big, sum_of(&big));
	}
}

static void make_burst(struct worker *w)
{
	w->burst_n = w->expected = w->heard = 0;
	for (size_t n = 1 + below(&w->words, ITEMS_MAX); n; n--) {
		if (one_in(&w->words, 12))
			add_rubbish(w);
		else
			add_packet(w);
	}
}

/* --- talking */

/* In one piece, in a few, or byte by byte. */
static int send_burst(struct worker *w)
{
	struct rng *r = &w->ways;
	size_t piece = one_in(r, 3) ? w->burst_n : one_in(r, 12) && w->burst_n < 400 ? 1 : 1 + below(r, 200);

	w->count->bytes += w->burst_n;
	for (size_t at = 0; at < w->burst_n; at += piece) {
		size_t n = w->burst_n - at < piece ? w->burst_n - at : piece;

		if (wire_send_bytes(&w->wire, w->burst + at, n) < 0)
			return -1;
	}
	return 0;
}

static int acknowledge(struct worker *w)
{
	const char *how = one_in(&w->ways, 50) ? "" : one_in(&w->ways, 50) ? "-" : "+";

	return w->no_ack && !one_in(&w->ways, 50) ? 0 : wire_send_bytes(&w->wire, how, strlen(how));
}

/* 1: something came; 0: nothing; -1: the other end is gone. */
static int listen_once(struct worker *w, int ms)
{
	struct pollfd fd = { .fd = w->wire.fd, .events = POLLIN };
	enum wire_item item;
	int rc;

	if (poll(&fd, 1, ms) <= 0)
		return 0;
	rc = wire_fill(&w->wire);
	while ((item = wire_next(&w->wire)) != WIRE_NOTHING) {
		if (item != WIRE_PACKET)
			continue;
		w->heard += !(w->wire.n > 1 && w->wire.at[0] == 'O' && w->wire.at[1] != 'K'); /* console text comes before an answer */
		w->count->replies++;
		if (acknowledge(w) < 0)
			return -1;
	}
	return rc;
}

/* Until all is answered. -1: the conversation is over. */
static int listen_all(struct worker *w)
{
	for (int quiet = 0; w->heard < w->expected && quiet < 4;) {
		int rc = listen_once(w, quiet ? w->patience * quiet : w->patience / 2);

		if (rc < 0)
			return -1;
		quiet = rc ? 0 : quiet + 1;
		if (!rc && quiet < 3 && wire_send_bytes(&w->wire, "\3", 1) < 0) /* perhaps it follows a run that will not end */
			return -1;
	}
	if (w->heard >= w->expected)
		return 0;
	w->count->stuck++;
	return -1;
}

static bool ask_no_ack(struct worker *w)
{
	static const char ask[] = "$QStartNoAckMode#b0";

	w->expected = 1, w->heard = 0;
	return wire_send_bytes(&w->wire, ask, sizeof ask - 1) == 0 && listen_all(w) == 0;
}

static bool meet(struct worker *w)
{
	int fd = wire_dial(w->to);

	w->count->refused += fd < 0;
	if (fd < 0) {
		usleep(20000);
		return false;
	}
	wire_open(&w->wire, fd);
	w->count->connections++;
	w->no_ack = false;
	if (one_in(&w->ways, 2))
		w->no_ack = ask_no_ack(w);
	return true;
}

static void talk(struct worker *w)
{
	size_t bursts = 1 + below(&w->ways, 60);

	for (; bursts && w->count->packets < w->packets; bursts--) {
		make_burst(w);
		if (send_burst(w) < 0 || listen_all(w) < 0) {
			w->count->closed++;
			break;
		}
	}
	close(w->wire.fd);
}

static void work(struct worker *w)
{
	while (w->count->packets < w->packets && w->count->refused < 500)
		if (meet(w))
			talk(w);
}

/* --- all of them */

static void add(struct counts *sum, const struct counts *c)
{
	unsigned long *to = (unsigned long *)sum;
	const unsigned long *from = (const unsigned long *)c;

	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += from[i];
}

static void report(const struct counts *c, unsigned long seed, double seconds)
{
	printf("{\"seed\": %lu, \"packets\": %lu, \"bytes\": %lu, \"connections\": %lu, \"replies\": %lu, \"broken\": %lu, \"bad_sums\": %lu, "
	       "\"breaks\": %lu, \"resumes\": %lu, \"closed\": %lu, \"stuck\": %lu, \"refused\": %lu, \"seconds\": %.1f}\n",
	       seed, c->packets, c->bytes, c->connections, c->replies, c->broken, c->bad_sums, c->breaks, c->resumes, c->closed, c->stuck, c->refused,
	       seconds);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct options {
	const char *to;
	unsigned long packets, seed, workers, patience;
};

static int read_options(struct options *o, int argc, char **argv)
{
	static const struct option all[] = { { "to", required_argument, NULL, 't' }, { "packets", required_argument, NULL, 'n' },
					     { "seed", required_argument, NULL, 's' }, { "workers", required_argument, NULL, 'w' },
					     { "patience", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1) {
		if (c == '?')
			return -1;
		if (c == 't')
			o->to = optarg;
		else
			*(c == 'n' ? &o->packets : c == 's' ? &o->seed : c == 'w' ? &o->workers : &o->patience) = strtoul(optarg, NULL, 0);
	}
	return o->to && o->workers ? 0 : -1;
}

static void start_worker(const struct options *o, struct counts *count, unsigned long i)
{
	static struct worker w;
	uint64_t seed = (o->seed + 1) * 0x9e3779b97f4a7c15u + (i + 1) * 0xbf58476d1ce4e5b9u;

	w.to = o->to;
	w.words = (struct rng){ seed | 1 };
	w.ways = (struct rng){ ~seed | 1 };
	w.count = count;
	w.packets = (o->packets + o->workers - 1) / o->workers;
	w.patience = (int)o->patience;
	work(&w);
}

int main(int argc, char **argv)
{
	struct options o = { .packets = 100000, .seed = 1, .workers = 6, .patience = 40 };
	struct counts *counts, sum = { 0 };
	double start = now();
	int failed = 0, status;

	if (read_options(&o, argc, argv) < 0) {
		fprintf(stderr, "usage: flood --to ADDR [--packets N] [--seed S] [--workers N] [--patience MS]\n");
		return 2;
	}
	counts = mmap(NULL, sizeof *counts * o.workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		return 1;
	for (unsigned long i = 0; i < o.workers; i++)
		if (fork() == 0) {
			start_worker(&o, &counts[i], i);
			_exit(0);
		}
	while (wait(&status) > 0)
		failed |= status != 0;
	for (unsigned long i = 0; i < o.workers; i++)
		add(&sum, &counts[i]);
	report(&sum, o.seed, now() - start);
	return failed;
}
