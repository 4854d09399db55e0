/* job_test.c - which requests one command becomes, and what reply comes of the answers. */
#include "backends/rsp/job.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct job j;
static struct stub s;
static struct buf out;

static int begin(void **state)
{
	(void)state;
	assert_int_equal(job_init(&j), 0);
	assert_int_equal(stub_init(&s), 0);
	return buf_init(&out, 40960);
}

static int end(void **state)
{
	(void)state;
	job_fini(&j);
	stub_fini(&s);
	buf_fini(&out);
	return 0;
}

/* 30 bytes to read, 16 to write. */
static int begin_small(void **state)
{
	int rc = begin(state);

	s.packet_max = 0x40;
	return rc;
}

static int start(const char *packet)
{
	static uint8_t room[RSP_DATA_MAX * 2];
	static struct rsp_cmd cmd;
	size_t n = strlen(packet);
	int rc;

	memcpy(room, packet, n);
	assert_int_equal(rsp_cmd_parse(room, n, &cmd), 0);
	rc = job_start(&j, &s, &cmd);
	memset(room, 0xa5, sizeof room); /* the client may be gone */
	return rc;
}

static int answer(const char *text, struct rsp_reply *reply)
{
	static uint8_t room[40960];
	struct buf body = { .base = room, .cap = sizeof room };

	assert_int_equal(buf_put_text(&body, text), 0);
	return job_answer(&j, &s, &body, reply);
}

static void requests(const char *want)
{
	buf_reset(&out, 0);
	assert_int_equal(job_request(&j, &s, &out), 0);
	if (!span_is(buf_span(&out), want))
		print_error("want %s\n got %.*s\n", want, (int)out.len, (const char *)buf_data(&out));
	assert_true(span_is(buf_span(&out), want));
}

static uint8_t gathered[256]; /* the parts of a read */
static size_t gathered_n;

static void gather(const struct rsp_reply *reply)
{
	assert_int_equal(reply->kind, RSP_REPLY_BYTES);
	assert_true(gathered_n + reply->bytes.len <= sizeof gathered);
	if (reply->bytes.len)
		memcpy(gathered + gathered_n, reply->bytes.p, reply->bytes.len);
	gathered_n += reply->bytes.len;
}

/* The command, then request and answer in turn; the last answer ends it. The bytes of a read are all its parts'. */
static struct rsp_reply does(const char *const *lines)
{
	struct rsp_reply reply = { 0 };
	int rc = 0;

	gathered_n = 0;
	assert_int_equal(start(*lines++), 0);
	while (lines[0]) {
		assert_true(rc == 0 || rc == JOB_PART);
		requests(lines[0]);
		if (!lines[1])
			return reply; /* a resume: it goes */
		rc = answer(lines[1], &reply);
		if (rc == JOB_PART)
			gather(&reply);
		lines += 2;
	}
	assert_int_equal(rc, 1);
	if (gathered_n) {
		gather(&reply);
		reply.bytes = (struct span){ gathered, gathered_n };
	}
	return reply;
}

#define DOES(...) does((const char *const[]){ __VA_ARGS__, NULL })

static void reads(void **state)
{
	struct rsp_reply r = DOES("m1000,4", "m1000,4", "00010203");

	(void)state;
	assert_int_equal(r.kind, RSP_REPLY_BYTES);
	assert_int_equal(r.bytes.len, 4);
	r = DOES("x1000,20", "m1000,1e", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d", "m101e,2", "1e1f");
	assert_int_equal(r.bytes.len, 32);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(r.bytes.p[i], i);
}

/* No command ends with a request for a few bytes: its client asks on from where it ended. */
static void whole_reads(void **state)
{
	struct rsp_cmd cmd;

	(void)state;
	s.packet_max = 4096;
	rsp_cmd_make(&cmd, "m");
	cmd.len = 8192;
	assert_int_equal(job_start(&j, &s, &cmd), 0);
	assert_int_equal(j.end, 4 * 2046);
	cmd.len = 8184;
	assert_int_equal(job_start(&j, &s, &cmd), 0);
	assert_int_equal(j.end, 8184);
	cmd.len = 2047;
	assert_int_equal(job_start(&j, &s, &cmd), 0);
	assert_int_equal(j.end, 2047);
	s.packet_max = 2 * STUB_READ_MAX;
	cmd.len = 0x20000;
	assert_int_equal(job_start(&j, &s, &cmd), 0);
	assert_int_equal(j.end, STUB_READ_MAX - 2);
}

/* What came before an error counts; an error at once is the answer, and so is nothing. */
static void short_reads(void **state)
{
	struct rsp_reply r = DOES("m1000,40", "m1000,1e", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d", "m101e,1e", "E0e");

	(void)state;
	assert_int_equal(r.kind, RSP_REPLY_BYTES);
	assert_int_equal(r.bytes.len, 30);
	r = DOES("m1000,40", "m1000,1e", "0001");
	assert_int_equal(r.bytes.len, 2);
	r = DOES("m1000,40", "m1000,1e", "E0e");
	assert_int_equal(r.kind, RSP_REPLY_ERROR);
	assert_int_equal(r.code, 0x0e);
	r = DOES("m1000,40", "m1000,1e", "");
	assert_int_equal(r.kind, RSP_REPLY_UNSUPPORTED);
}

static void reads_that_are_cut(void **state)
{
	struct rsp_reply r;

	(void)state;
	assert_int_equal(start("m1000,40"), 0);
	requests("m1000,1e");
	job_cut(&j);
	assert_int_equal(answer("0001020304", &r), 1);
	assert_int_equal(r.bytes.len, 5);
	assert_int_equal(start("m1000,40"), 0);
	requests("m1000,1e");
	assert_int_equal(answer("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d", &r), JOB_PART);
	assert_int_equal(r.bytes.len, 30);
	requests("m101e,1e");
	job_cut(&j);
	assert_int_equal(answer("00", &r), 1);
	assert_int_equal(r.bytes.len, 1);
}

static void more_than_was_asked(void **state)
{
	struct rsp_reply r;

	(void)state;
	assert_int_equal(start("m1000,2"), 0);
	requests("m1000,2");
	assert_int_equal(answer("000102", &r), -EBADMSG);
	assert_int_equal(answer("0", &r), -EBADMSG);
	assert_int_equal(answer("OK", &r), -EBADMSG);
	assert_int_equal(answer("0001", &r), 1);
}

static void writes(void **state)
{
	struct rsp_reply r = DOES("M1000,2:abcd", "M1000,2:abcd", "OK");

	(void)state;
	assert_int_equal(r.kind, RSP_REPLY_OK);
	r = DOES("X1000,12:0123456789abcdefgh", "M1000,10:30313233343536373839616263646566", "OK", "M1010,2:6768", "OK");
	assert_int_equal(r.kind, RSP_REPLY_OK);
	r = DOES("X1000,12:0123456789abcdefgh", "M1000,10:30313233343536373839616263646566", "E0e");
	assert_int_equal(r.kind, RSP_REPLY_ERROR);
	assert_int_equal(start("X1000,12:0123456789abcdefgh"), 0);
	requests("M1000,10:30313233343536373839616263646566");
	job_cut(&j); /* half a write is worse than a late answer */
	assert_int_equal(answer("OK", &r), 0);
	requests("M1010,2:6768");
}

/* Told once, and again only when the stub may stand elsewhere. lldb's suffix never goes on. */
static void threads(void **state)
{
	struct rsp_reply r;

	(void)state;
	DOES("g;thread:2;", "Hg2", "OK", "g", "00");
	DOES("p0;thread:2;", "p0", "00");
	DOES("P0=0102;thread:p1.3;", "Hg3", "OK", "P0=0102", "OK");
	DOES("G00;thread:2;", "Hg2", "OK", "G00", "OK");
	assert_int_equal(s.general.tid, 2);
	r = DOES("g;thread:9;", "Hg9", "E01");
	assert_int_equal(r.kind, RSP_REPLY_ERROR);
	assert_int_equal(s.general.tid, 0);
	DOES("g;thread:2;", "Hg2", "", "g", "00"); /* a stub of one thread */
	DOES("T2", "T2", "OK");
	DOES("qThreadExtraInfo,2", "qThreadExtraInfo,2", "00");
}

static void resumes_by_vcont(void **state)
{
	(void)state;
	s.vcont_c = s.vcont_s = true;
	DOES("c", "vCont;c");
	assert_true(job_resumes(&j));
	DOES("C05", "vCont;C05");
	DOES("vCont;s:p1.2;c:p1.-1", "vCont;s:2;c");
	DOES("vCont;S05:2;c", "vCont;S05:2;c");
	DOES("c4000", "Hc-1", "OK", "c4000"); /* vCont has no place for an address */
	assert_int_equal(start("vCont;r1000,1010:1"), -EOPNOTSUPP);
	assert_int_equal(start("vCont;t"), -EOPNOTSUPP);
	s.vcont_r = true;
	DOES("vCont;r1000,1010:1", "vCont;r1000,1010:1");
}

static void resumes_without_vcont(void **state)
{
	(void)state;
	DOES("vCont;c", "Hc-1", "OK", "c");
	DOES("vCont;c", "c"); /* is known */
	DOES("vCont;s:2;c", "Hc2", "OK", "s");
	DOES("vCont;S0b:2", "S0b");
	DOES("C05;4000", "Hc-1", "OK", "C05;4000");
	DOES("bc", "bc");
	assert_true(job_resumes(&j));
}

static void thread_lists(void **state)
{
	struct rsp_reply r = DOES("qfThreadInfo", "qfThreadInfo", "m1,2", "qsThreadInfo", "mfffffffe", "qsThreadInfo", "l");

	(void)state;
	assert_int_equal(r.kind, RSP_REPLY_THREADS);
	assert_int_equal(r.threads_n, 3);
	assert_int_equal(r.threads[2].tid, -2);
	r = DOES("qfThreadInfo", "qfThreadInfo", "m1", "qsThreadInfo", ""); /* KGDB */
	assert_int_equal(r.threads_n, 1);
	r = DOES("qfThreadInfo", "qfThreadInfo", "m1", "qsThreadInfo", "E01");
	assert_int_equal(r.threads_n, 1);
	r = DOES("qfThreadInfo", "qfThreadInfo", "");
	assert_int_equal(r.kind, RSP_REPLY_UNSUPPORTED);
	r = DOES("qfThreadInfo", "qfThreadInfo", "l");
	assert_int_equal(r.threads_n, 0);
}

/* A list without an end has one all the same. */
static void a_list_without_an_end(void **state)
{
	struct rsp_reply r;
	int rc = 0, n;

	(void)state;
	assert_int_equal(start("qfThreadInfo"), 0);
	for (n = 0; !rc && n < 2 * RSP_THREADS_MAX; n++) {
		buf_reset(&out, 0);
		assert_int_equal(job_request(&j, &s, &out), 0);
		rc = answer("m1,2,3,4,5,6,7", &r);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(r.threads_n, RSP_THREADS_MAX);
	assert_int_equal(n, RSP_THREADS_MAX / 7 + 1);
}

static void sizes_of_registers(void **state)
{
	static const char xml[] = "<target><architecture>i386:x86-64</architecture><feature name=\"a\"><reg name=\"rax\" bitsize=\"64\"/>"
				  "<reg name=\"rip\" bitsize=\"64\"/></feature></target>";

	(void)state;
	assert_int_equal(start("G0011"), -EINVAL); /* how long g is is not known yet */
	DOES("g", "g", "00112233");
	assert_int_equal(start("G0011"), -EINVAL);
	DOES("G00112233", "G00112233", "OK");
	assert_int_equal(tdesc_add(&s.tdesc, "target.xml", span_of(xml)), 0);
	assert_int_equal(tdesc_build(&s.tdesc), 0);
	s.described = true;
	assert_int_equal(start("P0=00"), -EINVAL);
	assert_int_equal(start("P2=0000000000000000"), -EINVAL);
	assert_int_equal(start("p2"), -EINVAL);
	DOES("P1=0011223344556677", "P1=0011223344556677", "OK");
	DOES("p1", "p1", "0011223344556677");
	assert_int_equal(start("p1"), 0);
	requests("p1");
	assert_int_equal(answer("001122334455667788", &(struct rsp_reply){ 0 }), -EBADMSG);
}

/* Software breakpoints are remembered once the stub said OK. */
static void traps(void **state)
{
	(void)state;
	DOES("Z0,1000,1", "Z0,1000,1", "E01");
	assert_false(stub_has_trap(&s, 0x1000));
	DOES("Z0,1000,1", "Z0,1000,1", "OK");
	DOES("Z0,1000,1", "Z0,1000,1", "OK");
	DOES("Z1,2000,1", "Z1,2000,1", "OK");
	assert_true(stub_has_trap(&s, 0x1000) && !stub_has_trap(&s, 0x2000) && s.traps_n == 1);
	DOES("z0,1000,1", "z0,1000,1", "OK");
	assert_false(stub_has_trap(&s, 0x1000));
}

/* KGDB knows its hardware breakpoints by their address alone. */
static void hardware_of_two_kinds(void **state)
{
	(void)state;
	DOES("Z1,1000,1", "Z1,1000,1", "OK");
	DOES("Z2,1000,4", "Z2,1000,4", "OK");
	DOES("z2,1000,4", "z2,1000,4", "OK");
	s.kgdb = true;
	assert_int_equal(start("Z2,1000,4"), -EINVAL);
	assert_int_equal(start("Z4,1000,1"), -EINVAL);
	DOES("Z1,1000,1", "Z1,1000,1", "E22");
	DOES("Z0,1000,1", "Z0,1000,1", "OK");
	DOES("Z2,2000,4", "Z2,2000,4", "OK");
	assert_int_equal(start("Z2,2000,8"), -EINVAL);
	assert_int_equal(start("Z1,2000,1"), -EINVAL);
	DOES("z1,1000,1", "z1,1000,1", "OK");
	DOES("Z2,1000,4", "Z2,1000,4", "OK");
}

/* None of these may go on to a stub. */
static void never(void **state)
{
	static const char *const packets[] = {
		"qSupported:a+", "QStartNoAckMode", "?", "qXfer:features:read:a:0,1", "vFile:open:2f,0,0", "vSecret", "vMustReplyEmpty", "qL1160000000000000000",
		"qXfer:siginfo:write::0:a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
		assert_int_equal(start(packets[i]), -EOPNOTSUPP);
}

static void the_rest_is_passed_on(void **state)
{
	(void)state;
	DOES("qRcmd,68656c70", "qRcmd,68656c70", "4f4b");
	assert_int_equal(job_patience(&j), 60000);
	DOES("qCRC:1000,20", "qCRC:1000,20", "C1234");
	assert_int_equal(job_patience(&j), 5000);
	DOES("vFlashErase:0,1000", "vFlashErase:0,1000", "OK");
	DOES("qOffsets", "qOffsets", "Text=0;Data=0;Bss=0");
	assert_int_equal(start("k"), 0);
	requests("k");
	assert_true(job_unanswered(&j));
}

/* What a stub's buffer does not hold is not sent to it. */
static void too_long_for_the_stub(void **state)
{
	char monitor[400] = "qRcmd,";

	(void)state;
	memset(monitor + 6, '6', 300);
	assert_int_equal(start(monitor), 0);
	s.packet_max = 256;
	assert_int_equal(start(monitor), -EINVAL);
	assert_int_equal(start("qRcmd,6868"), 0);
}

enum { ALL_DOCUMENTS = RSP_CAN_LIBRARIES | RSP_CAN_LIBRARIES_SVR4 | RSP_CAN_THREADS | RSP_CAN_EXEC_FILE | RSP_CAN_AUXV | RSP_CAN_SIGINFO };

/* 28 bytes of a document at a time. */
static int begin_lister(void **state)
{
	int rc = begin_small(state);

	s.features.can = ALL_DOCUMENTS;
	return rc;
}

static void is_document(struct rsp_reply r, const char *want)
{
	assert_int_equal(r.kind, RSP_REPLY_CHUNK);
	assert_true(r.last);
	assert_true(span_is(r.bytes, want));
}

/* The whole of it, wherever its client wants to begin; each from its own beginning. */
static void documents(void **state)
{
	(void)state;
	is_document(DOES("qXfer:libraries:read::10,8", "qXfer:libraries:read::0,1c", "mabc", "qXfer:libraries:read::3,1c", "m0123456789abcdef0123456789ab",
			 "qXfer:libraries:read::1f,1c", "lxyz"),
		    "abc0123456789abcdef0123456789abxyz");
	is_document(DOES("qXfer:exec-file:read:1:0,ff", "qXfer:exec-file:read:1:0,1c", "l/bin/x"), "/bin/x");
	is_document(DOES("qXfer:exec-file:read::0,ff", "qXfer:exec-file:read::0,1c", "l"), "");
	is_document(DOES("qXfer:threads:read::0,ff", "qXfer:threads:read::0,1c", "ma}]}\003b", "qXfer:threads:read::4,1c", "lz"), "a}#bz");
	is_document(DOES("qXfer:auxv:read::0,ff", "qXfer:auxv:read::0,1c",
			 "m}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]}]", "qXfer:auxv:read::1c,1c", "l"),
		    "}}}}}}}}}}}}}}}}}}}}}}}}}}}}");
}

static void documents_that_cannot_be_had(void **state)
{
	struct rsp_reply r = DOES("qXfer:libraries:read::0,ff", "qXfer:libraries:read::0,1c", "");

	(void)state;
	assert_int_equal(r.kind, RSP_REPLY_UNSUPPORTED);
	r = DOES("qXfer:libraries:read::0,ff", "qXfer:libraries:read::0,1c", "E01");
	assert_int_equal(r.kind, RSP_REPLY_ERROR);
	r = DOES("qXfer:libraries:read::0,ff", "qXfer:libraries:read::0,1c", "mabc", "qXfer:libraries:read::3,1c", "E02");
	assert_int_equal(r.kind, RSP_REPLY_ERROR); /* half a document is none */
	assert_int_equal(r.code, 2);
}

/* What is no piece is not taken for one, and the right one may still come. */
static void pieces_that_are_none(void **state)
{
	static const char *const bad[] = { "m", "x", "OK", "O41", "abc", "ma}", "T05", "mm}", "m0123456789abcdef0123456789abc",
		                           "l0123456789abcdef0123456789abc" };
	struct rsp_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(start("qXfer:libraries:read::0,ff"), 0);
		requests("qXfer:libraries:read::0,1c");
		if (answer(bad[i], &r) != -EBADMSG)
			fail_msg("%s", bad[i]);
		requests("qXfer:libraries:read::0,1c");
		assert_int_equal(answer("mab", &r), 0);
		requests("qXfer:libraries:read::2,1c");
		assert_int_equal(answer(bad[i], &r), -EBADMSG);
		assert_int_equal(answer("lc", &r), 1);
		is_document(r, "abc");
	}
}

/* Only what the stub said it has, and what can be judged; never is anything written. */
static void documents_it_has(void **state)
{
	static const struct {
		const char *packet;
		unsigned can;
	} v[] = {
		{ "qXfer:libraries:read::0,1", RSP_CAN_LIBRARIES }, { "qXfer:libraries-svr4:read::0,1", RSP_CAN_LIBRARIES_SVR4 },
		{ "qXfer:threads:read::0,1", RSP_CAN_THREADS }, { "qXfer:exec-file:read::0,1", RSP_CAN_EXEC_FILE }, { "qXfer:auxv:read::0,1", RSP_CAN_AUXV },
		{ "qXfer:siginfo:read::0,1", RSP_CAN_SIGINFO }, { "qXfer:osdata:read::0,1", 0 }, { "qXfer:features:read:target.xml:0,1", 0 },
		{ "qXfer:memory-map:read::0,1", 0 }, { "qXfer:btrace:read:all:0,1", 0 }, { "qXfer:librarie:read::0,1", 0 }, { "qXfer:Libraries:read::0,1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		s.features.can = UINT_MAX;
		assert_int_equal(start(v[i].packet), v[i].can ? 0 : -EOPNOTSUPP);
		s.features.can = v[i].can;
		assert_int_equal(start(v[i].packet), v[i].can ? 0 : -EOPNOTSUPP);
		s.features.can = ~v[i].can;
		assert_int_equal(start(v[i].packet), -EOPNOTSUPP);
	}
	s.features.can = UINT_MAX;
	assert_int_equal(start("qXfer:siginfo:write::0:a"), -EOPNOTSUPP);
}

/* So many pieces, and the last is 0: more to come; 1: done. How many it took. */
static size_t fetch(const char *piece, size_t last_at, struct rsp_reply *r)
{
	size_t n = 0;
	int rc = 0;

	assert_int_equal(start("qXfer:libraries:read::0,ff"), 0);
	while (!rc) {
		buf_reset(&out, 0);
		assert_int_equal(job_request(&j, &s, &out), 0);
		assert_true(out.len + STUB_FRAME <= s.packet_max);
		rc = answer(++n == last_at ? "l." : piece, r);
	}
	assert_int_equal(rc, 1);
	return n;
}

static void documents_without_an_end(void **state)
{
	static char piece[8188];
	struct rsp_reply r;
	size_t n;

	(void)state;
	n = fetch("m.", 0, &r); /* in bytes */
	assert_int_equal(r.kind, RSP_REPLY_ERROR);
	assert_true(span_is(r.bytes, "the target's document is too long"));
	assert_int_equal(n, 8193);
	assert_int_equal(fetch("m.", 8192, &r), 8192);
	assert_int_equal(r.kind, RSP_REPLY_CHUNK);
	assert_int_equal(r.bytes.len, 8192);
	s.packet_max = 2 * STUB_READ_MAX; /* and in the longest pieces */
	memset(piece, '.', sizeof piece - 1);
	piece[0] = 'm';
	n = fetch(piece, 0, &r);
	assert_int_equal(r.kind, RSP_REPLY_ERROR);
	assert_int_equal(n, (1 << 20) / 8186 + 1);
	is_document(DOES("qXfer:libraries:read::0,ff", "qXfer:libraries:read::0,1ffa", "lab"), "ab"); /* nothing of it is left */
}

/* A request that the stub's buffer does not hold, at whatever offset. */
static void annexes(void **state)
{
	char packet[128];
	size_t longest = 0;

	(void)state;
	for (size_t n = 0; n < 64; n++) {
		snprintf(packet, sizeof packet, "qXfer:exec-file:read:%.*s:0,1", (int)n, "1111111111111111111111111111111111111111111111111111111111111111");
		if (start(packet) == 0)
			longest = n;
		else
			assert_int_equal(start(packet), -EINVAL);
	}
	assert_int_equal(longest, 64 - STUB_FRAME - strlen("qXfer:exec-file:read::ffffff,ffff"));
}

#define SMALL(f) cmocka_unit_test_setup_teardown(f, begin_small, end)
#define LISTER(f) cmocka_unit_test_setup_teardown(f, begin_lister, end)
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL(reads), CASE(whole_reads), SMALL(short_reads), SMALL(reads_that_are_cut), SMALL(more_than_was_asked), SMALL(writes),
		CASE(threads), CASE(too_long_for_the_stub),
		CASE(resumes_by_vcont), CASE(resumes_without_vcont), CASE(thread_lists), CASE(a_list_without_an_end),
		LISTER(documents), LISTER(documents_that_cannot_be_had), LISTER(pieces_that_are_none), LISTER(documents_it_has),
		LISTER(documents_without_an_end), LISTER(annexes),
		CASE(sizes_of_registers), CASE(traps), CASE(hardware_of_two_kinds), CASE(never), CASE(the_rest_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
