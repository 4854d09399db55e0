/* record_test.c - a recording read byte by byte: the TCP in it is right, and carries exactly what passed. */
#include "backends/link/recording.h"

#include "backends/link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BIG = 100000, FILE_MAX = 1 << 20, HEAD = 24, RECORD = 16, IP = 20, NOW = 5000, SKEW = 1700000000 };

static char dir[64], file[128], why[512];
static struct recording *r;
static struct buf out, in;

static int begin(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/kdgate-record-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/r.pcap", dir);
	assert_int_equal(recording_open(&r, file, (int64_t)SKEW * 1000, why, sizeof why), 0);
	return buf_init(&out, 2 * BIG) || buf_init(&in, 4000);
}

static int finish(void **state)
{
	(void)state;
	recording_close(r);
	r = NULL;
	unlink(file);
	rmdir(dir);
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

/* A recorded link and the far end of it. */
static struct link *stack(struct link **far_end, size_t step, enum fault fault, enum recording_side side, uint64_t number)
{
	struct link *lk = link_pair_new(far_end, step);

	assert_non_null(lk);
	if (fault != FAULT_NONE)
		lk = link_fault_new(lk, fault, 1);
	assert_non_null(lk);
	lk = link_record_new(lk, r, side, number);
	assert_non_null(lk);
	return lk;
}

static int say(struct link *lk, const char *text, uint64_t now)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(lk, &out, now);
}

static void hear(struct link *lk, uint64_t now)
{
	while (link_recv(lk, &in, now) == 1)
		;
}

/* What a reader sees. */
static uint8_t bytes[FILE_MAX];
static size_t bytes_n;

static struct packet {
	uint32_t from, to, seq, ack;
	unsigned from_port, to_port, flags;
	double time;
	size_t len;
	const uint8_t *data;
} packets[2000];
static size_t packets_n;

static uint32_t be(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t checksum(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void read_one(const uint8_t *rec, const uint8_t *ip, size_t len, struct packet *k)
{
	const uint8_t *tcp = ip + IP;
	size_t head = (size_t)(tcp[12] >> 4) * 4;

	assert_int_equal(ip[0], 0x45);
	assert_int_equal(be(ip + 2, 2), len);
	assert_int_equal(ip[9], 6);
	assert_int_equal(checksum(ip, IP, 0), 0xffff);
	assert_int_equal(checksum(tcp, len - IP, checksum(ip + 12, 8, 6 + (uint32_t)(len - IP))), 0xffff);
	*k = (struct packet){
		.from = be(ip + 12, 4), .to = be(ip + 16, 4), .from_port = be(tcp, 2), .to_port = be(tcp + 2, 2), .seq = be(tcp + 4, 4),
		.ack = be(tcp + 8, 4), .flags = tcp[13], .time = le32(rec) + le32(rec + 4) / 1e6, .len = len - IP - head, .data = tcp + head,
	};
	assert_true(k->len <= RECORDING_SEGMENT);
}

/* Fails at a packet that is not whole. */
static void read_back(void)
{
	FILE *f = fopen(file, "rb");

	assert_non_null(f);
	bytes_n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	packets_n = 0;
	assert_true(bytes_n >= HEAD && bytes_n < sizeof bytes);
	assert_int_equal(le32(bytes), 0xa1b2c3d4);
	assert_int_equal(le32(bytes + 20), 101); /* raw IP */
	for (size_t at = HEAD; at < bytes_n;) {
		size_t len;

		assert_true(bytes_n - at >= RECORD && packets_n < sizeof packets / sizeof *packets);
		len = le32(bytes + at + 8);
		assert_int_equal(len, le32(bytes + at + 12));
		assert_true(len <= bytes_n - at - RECORD && len >= 40);
		read_one(bytes + at, bytes + at + RECORD, len, &packets[packets_n++]);
		at += RECORD + len;
	}
}

/* "S SA A <5 >3 FA": flags and lengths; < is what comes from RECORDING_PORT. */
static const char *shape(void)
{
	static char text[4000];
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < packets_n && at < sizeof text - 40; i++) {
		const struct packet *k = &packets[i];

		at += (size_t)snprintf(text + at, sizeof text - at, "%s%c%s%s%s%s", i ? " " : "", k->from_port == RECORDING_PORT ? '<' : '>',
		                       k->flags & RECORDING_SYN ? "S" : "", k->flags & RECORDING_FIN ? "F" : "", k->flags & RECORDING_RST ? "R" : "",
		                       k->flags & RECORDING_ACK && !k->len ? "A" : "");
		if (k->len)
			at += (size_t)snprintf(text + at, sizeof text - at, "%zu", k->len);
	}
	return text;
}

/* The bytes of one side, whose sequence numbers must have no gap. */
static size_t stream(uint32_t from, uint32_t to, unsigned from_port, uint8_t *to_bytes)
{
	uint32_t next = 0;
	bool known = false;
	size_t n = 0;

	for (size_t i = 0; i < packets_n; i++) {
		const struct packet *k = &packets[i];

		if (k->from != from || k->to != to || (from_port && k->from_port != from_port))
			continue;
		if (known)
			assert_int_equal(k->seq, next);
		known = true;
		next = k->seq + (uint32_t)k->len + (k->flags & (RECORDING_SYN | RECORDING_FIN) ? 1 : 0);
		memcpy(to_bytes + n, k->data, k->len);
		n += k->len;
	}
	return n;
}

static void assert_stream(uint32_t from, uint32_t to, const char *text)
{
	static uint8_t got[FILE_MAX];
	size_t n = stream(from, to, 0, got);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, n);
}

static void a_client_that_leaves(void **state)
{
	struct link *far_end, *lk = stack(&far_end, 0, FAULT_NONE, RECORDING_CLIENT, 0x1234);

	(void)state;
	assert_int_equal(say(far_end, "+$?#3f", NOW), 0);
	hear(lk, NOW);
	assert_int_equal(say(lk, "+$T05#b9", NOW + 1500), 0);
	link_destroy_stack(far_end);
	hear(lk, NOW + 1600);
	hear(lk, NOW + 1700);
	link_destroy_stack(lk);
	recording_flush(r, NEVER);
	read_back();
	assert_string_equal(shape(), ">S <SA >A >6 <8 >FA <FA >A");
	assert_stream(0x7f011234, 0x7f010000, "+$?#3f");
	assert_stream(0x7f010000, 0x7f011234, "+$T05#b9");
	assert_int_equal(packets[0].from_port, RECORDING_NEAR_PORT);
	assert_int_equal(packets[0].to_port, RECORDING_PORT);
	assert_true(packets[3].time > SKEW + 4.9999 && packets[3].time < SKEW + 5.0001);
	assert_true(packets[4].time > SKEW + 6.4999 && packets[4].time < SKEW + 6.5001);
	assert_int_equal(packets[4].ack, packets[3].seq + 6);
	assert_int_equal(packets[7].ack, packets[6].seq + 1);
}

static void a_target_that_kdgate_leaves(void **state)
{
	struct link *far_end, *lk = stack(&far_end, 0, FAULT_NONE, RECORDING_TARGET, 0x7fff0001);

	(void)state;
	assert_int_equal(say(lk, "$g#67", NOW), 0);
	assert_int_equal(say(far_end, "+$00#60", NOW), 0);
	hear(lk, NOW);
	link_destroy_stack(lk);
	link_destroy_stack(far_end);
	recording_flush(r, NEVER);
	read_back();
	assert_string_equal(shape(), ">S <SA >A >5 <7 >FA <FA >A");
	assert_stream(0x7f020001, 0x7f020000, "$g#67");
	assert_stream(0x7f020000, 0x7f020001, "+$00#60");
	assert_int_equal(packets[0].from_port, RECORDING_NEAR_PORT + 0x3fff);
}

/* A link that does what a test wants: takes so many bytes of each frame, or says what its end is. */
struct puppet {
	struct link base;
	size_t takes;
	int sends, receives; /* 0, or -errno */
};

static int puppet_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct puppet *p = (struct puppet *)lk;

	(void)now;
	if (p->sends || frame->len <= p->takes) {
		buf_cut(frame, p->sends ? frame->len : 0);
		return p->sends;
	}
	return buf_pull(frame, p->takes) ? -EIO : -EAGAIN;
}

static int puppet_recv(struct link *lk, struct buf *to, uint64_t now)
{
	(void)to, (void)now;
	return ((struct puppet *)lk)->receives;
}

static void puppet_destroy(struct link *lk)
{
	(void)lk;
}

static const struct link_ops puppet_ops = { .name = "puppet", .send = puppet_send, .recv = puppet_recv, .destroy = puppet_destroy };

static void a_goodbye_leaves_the_other_way_open(void **state)
{
	struct puppet p = { .base = { .ops = &puppet_ops }, .takes = 100 };
	struct link *lk = link_record_new(&p.base, r, RECORDING_CLIENT, 1);

	(void)state;
	assert_non_null(lk);
	assert_int_equal(say(lk, "$OK#9a", NOW), 0);
	p.receives = -EPIPE;
	hear(lk, NOW);
	hear(lk, NOW);
	assert_int_equal(say(lk, "+", NOW), 0);
	link_destroy_stack(lk);
	recording_flush(r, NEVER);
	read_back();
	assert_string_equal(shape(), ">S <SA >A <6 >FA <1 <FA >A");
	assert_int_equal(packets[5].ack, packets[4].seq + 1);
}

static void any_other_error_is_a_reset(void **state)
{
	struct puppet p[2] = { { .base = { .ops = &puppet_ops }, .takes = 100 }, { .base = { .ops = &puppet_ops }, .takes = 100 } };
	struct link *a = link_record_new(&p[0].base, r, RECORDING_CLIENT, 1), *b = link_record_new(&p[1].base, r, RECORDING_TARGET, 1);

	(void)state;
	assert_true(a && b);
	assert_int_equal(say(a, "$OK#9a", NOW), 0);
	p[0].receives = -ECONNRESET;
	assert_int_equal(link_recv(a, &in, NOW), -ECONNRESET);
	assert_int_equal(link_recv(a, &in, NOW), -ECONNRESET);
	assert_int_equal(say(a, "+", NOW), 0);
	assert_int_equal(say(b, "$g#67", NOW), 0);
	p[1].sends = -ETIMEDOUT;
	assert_int_equal(say(b, "$g#67", NOW), -ETIMEDOUT);
	link_destroy_stack(a);
	link_destroy_stack(b);
	recording_flush(r, NEVER);
	read_back();
	assert_string_equal(shape(), ">S <SA >A <6 >RA >S <SA >A >5 <RA");
}

static void a_conversation_without_a_byte(void **state)
{
	struct link *far_end, *lk = stack(&far_end, 0, FAULT_NONE, RECORDING_CLIENT, 1);

	(void)state;
	hear(lk, NOW);
	link_destroy_stack(far_end);
	hear(lk, NOW);
	link_destroy_stack(lk);
	recording_flush(r, NEVER);
	read_back();
	assert_int_equal(packets_n, 0);
}

/* Of a refused frame what went, when it went. */
static void a_refused_frame(void **state)
{
	struct link *far_end, *lk = stack(&far_end, 0, FAULT_REFUSE, RECORDING_CLIENT, 1);

	(void)state;
	assert_int_equal(say(lk, "abc", NOW), -EAGAIN);
	assert_int_equal(link_send(lk, &out, NOW), 0);
	link_destroy_stack(lk);
	link_destroy_stack(far_end);
	recording_flush(r, NEVER);
	read_back();
	assert_string_equal(shape(), ">S <SA >A <3 <FA >FA <A");
}

static void fill(char *big, size_t n)
{
	for (size_t i = 0; i < n; i++)
		big[i] = (char)('a' + i % 23);
	big[n] = 0;
}

static void a_large_frame_in_parts(void **state)
{
	static char big[BIG + 1];
	struct link *far_end, *lk = stack(&far_end, 1000, FAULT_NONE, RECORDING_CLIENT, 1);
	int rc;

	(void)state;
	fill(big, BIG);
	for (rc = say(lk, big, NOW); rc == -EAGAIN; rc = link_send(lk, &out, NOW))
		hear(far_end, NOW);
	assert_int_equal(rc, 0);
	link_destroy_stack(lk);
	link_destroy_stack(far_end);
	recording_flush(r, NEVER);
	read_back();
	assert_true(packets_n >= 3 + 3 + BIG / RECORDING_SEGMENT);
	assert_stream(0x7f010000, 0x7f010001, big);
}

static void every_cut(void **state)
{
	static const char text[] = "$qSupported:multiprocess+;swbreak+#c6";
	uint8_t got[sizeof text];

	(void)state;
	for (size_t takes = 1; takes < sizeof text; takes++) {
		struct puppet p = { .base = { .ops = &puppet_ops }, .takes = takes };
		struct link *lk = link_record_new(&p.base, r, RECORDING_TARGET, takes);
		int rc;

		assert_non_null(lk);
		for (rc = say(lk, text, NOW); rc == -EAGAIN; rc = link_send(lk, &out, NOW))
			;
		assert_int_equal(rc, 0);
		link_destroy_stack(lk);
	}
	recording_flush(r, NEVER);
	read_back();
	for (uint32_t takes = 1; takes < sizeof text; takes++) {
		assert_int_equal(stream(0x7f020000 + takes, 0x7f020000, 0, got), sizeof text - 1);
		assert_memory_equal(got, text, sizeof text - 1);
	}
}

static void it_is_written_when_it_is_time(void **state)
{
	struct link *far_end, *lk = stack(&far_end, 0, FAULT_NONE, RECORDING_CLIENT, 1);
	struct wait w = wait_none();

	(void)state;
	recording_wait(r, &w);
	assert_true(w.until == NEVER);
	assert_int_equal(say(lk, "$OK#9a", NOW), 0);
	assert_int_equal(say(lk, "$OK#9a", NOW + 20), 0);
	recording_wait(r, &w);
	assert_int_equal(w.until, NOW + RECORDING_FLUSH_MS);
	recording_flush(r, NOW + RECORDING_FLUSH_MS - 1);
	read_back();
	assert_int_equal(packets_n, 0);
	recording_flush(r, NOW + RECORDING_FLUSH_MS);
	read_back();
	assert_int_equal(packets_n, 5);
	w = wait_none();
	recording_wait(r, &w);
	assert_true(w.until == NEVER);
	link_destroy_stack(lk);
	link_destroy_stack(far_end);
}

/* Also before it is time, if it is much; and then, too, by whole packets. */
static void much_is_written_at_once(void **state)
{
	static char big[30001];
	struct link *far_end, *lk = stack(&far_end, 0, FAULT_NONE, RECORDING_CLIENT, 1);
	struct buf sink;

	(void)state;
	assert_int_equal(buf_init(&sink, 40000), 0);
	fill(big, 30000);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(say(lk, big, NOW), 0);
		assert_int_equal(link_recv(far_end, &sink, NOW), 1);
	}
	read_back();
	assert_true(packets_n > 6 && packets_n < 15);
	buf_fini(&sink);
	link_destroy_stack(lk);
	link_destroy_stack(far_end);
}

static void open_refuses(void **state)
{
	struct recording *other = NULL;
	struct stat st;
	char name[200];

	(void)state;
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(recording_open(&other, file, 0, why, sizeof why), -EEXIST);
	assert_non_null(strstr(why, file));
	assert_non_null(strstr(why, "not written over"));
	snprintf(name, sizeof name, "%s/none/r.pcap", dir);
	assert_int_equal(recording_open(&other, name, 0, why, sizeof why), -ENOENT);
	assert_non_null(strstr(why, "make it first"));
	snprintf(name, sizeof name, "%s/dangling", dir);
	assert_int_equal(symlink("elsewhere", name), 0);
	assert_int_equal(recording_open(&other, name, 0, why, sizeof why), -EEXIST);
	unlink(name);
	assert_null(other);
	recording_close(NULL);
}

static void limit(rlim_t bytes_most)
{
	struct rlimit rl;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &rl), 0);
	rl.rlim_cur = bytes_most;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

/* The disk is full at every byte of what is to be written: sessions go on, the file ends with a whole packet. */
static void a_full_disk(void **state)
{
	enum { EACH = RECORD + 40 + 6, ALL = HEAD + 3 * (RECORD + 40) + 16 + 3 * EACH };

	(void)state;
	for (size_t most = HEAD; most < ALL; most++) {
		struct link *far_end, *lk = stack(&far_end, 0, FAULT_NONE, RECORDING_CLIENT, 1);

		limit(most);
		for (uint64_t i = 0; i < 3; i++) {
			assert_int_equal(say(lk, "$OK#9a", NOW + i), 0);
			recording_flush(r, NEVER);
		}
		limit(RLIM_INFINITY);
		assert_int_equal(recording_error(r), EFBIG);
		hear(far_end, NOW);
		assert_int_equal(say(lk, "$OK#9a", NOW), 0);
		link_destroy_stack(lk);
		link_destroy_stack(far_end);
		recording_close(r);
		read_back();
		assert_true(bytes_n <= most && packets_n <= 5);
		unlink(file);
		assert_int_equal(recording_open(&r, file, 0, why, sizeof why), 0);
	}
	assert_int_equal(recording_error(r), 0);
}

static void a_disk_that_is_full_at_once(void **state)
{
	struct recording *other = NULL;
	char name[200];

	(void)state;
	snprintf(name, sizeof name, "%s/other", dir);
	limit(10);
	assert_true(recording_open(&other, name, 0, why, sizeof why) < 0);
	limit(RLIM_INFINITY);
	assert_null(other);
	assert_true(access(name, F_OK) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_that_leaves, begin, finish),
		cmocka_unit_test_setup_teardown(a_target_that_kdgate_leaves, begin, finish),
		cmocka_unit_test_setup_teardown(a_goodbye_leaves_the_other_way_open, begin, finish),
		cmocka_unit_test_setup_teardown(any_other_error_is_a_reset, begin, finish),
		cmocka_unit_test_setup_teardown(a_conversation_without_a_byte, begin, finish),
		cmocka_unit_test_setup_teardown(a_refused_frame, begin, finish),
		cmocka_unit_test_setup_teardown(a_large_frame_in_parts, begin, finish),
		cmocka_unit_test_setup_teardown(every_cut, begin, finish),
		cmocka_unit_test_setup_teardown(it_is_written_when_it_is_time, begin, finish),
		cmocka_unit_test_setup_teardown(much_is_written_at_once, begin, finish),
		cmocka_unit_test_setup_teardown(open_refuses, begin, finish),
		cmocka_unit_test_setup_teardown(a_full_disk, begin, finish),
		cmocka_unit_test_setup_teardown(a_disk_that_is_full_at_once, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
