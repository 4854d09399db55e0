/* decode_kd_test.c - KDNET, KD over streams, recordings of lines and packed files, in words and as JSON. */
#include "proxy/decode.h"

#include "backends/kd/frame.h"
#include "backends/link/kdnet_key.h"
#include "base/hex.h"
#include "tests/backends/link/kdnet_vectors.h"
#include "tests/proxy/capture_build.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <zlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct build b;
static uint32_t seq[2];
static char *out, why[512];
static size_t out_n;
static struct kdnet_key key;
static struct decode_how how;

static int begin(void **state)
{
	(void)state;
	how = (struct decode_how){ 0 };
	build_begin(&b, BUILD_ETHERNET);
	seq[0] = seq[1] = 1;
	return 0;
}

static int tidy(void **state)
{
	(void)state;
	free(out);
	out = NULL;
	return 0;
}

static int decoded_bytes(void *bytes, size_t n)
{
	FILE *in = fmemopen(bytes, n, "rb");
	int rc;

	free(out);
	out = NULL;
	how.to = open_memstream(&out, &out_n);
	assert_true(in && how.to);
	why[0] = 0;
	rc = decode_stream(in, "some.pcap", &how, why, sizeof why);
	assert_int_equal(fclose(how.to), 0);
	return rc;
}

static int decoded(void)
{
	return decoded_bytes(b.bytes, b.n);
}

static void has(const char *part)
{
	if (!strstr(out, part))
		fail_msg("\"%s\" is not in:\n%s", part, out);
}

static void has_not(const char *part)
{
	if (strstr(out, part))
		fail_msg("\"%s\" is in:\n%s", part, out);
}

/* --- KDNET */

static void with_key(const char *text)
{
	const char *words;

	assert_int_equal(kdnet_key_parse(&key, span_of(text), &words), 0);
	how.key = &key;
}

static void datagram(size_t i)
{
	uint8_t room[512];
	struct buf raw = { .base = room, .cap = sizeof room };
	bool host = kdnet_vectors[i].from_host;

	assert_int_equal(hex_take(&raw, span_of(kdnet_vectors[i].raw)), 0);
	build_udp(&b, (struct tcp){ .from = host ? 0xc0000201 : 0xc000020a, .to = host ? 0xc000020a : 0xc0000201, .from_port = 50000, .to_port = 50000,
	                            .data = room, .len = raw.len });
}

static void all_datagrams(void)
{
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++)
		datagram(i);
}

#define NONCE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void kdnet_with_its_key(void **state)
{
	(void)state;
	all_datagrams();
	with_key(KDNET_VECTORS_KEY);
	assert_int_equal(decoded(), 0);
	assert_string_equal(out,
		"   0.000000 #1 = begins: 192.0.2.10:50000 - 192.0.2.1:50000, KDNET\n"
		"   0.000000 #1 < control version=5 verified=yes sequence=3 pad=0 poke nonce=" NONCE " target=192.0.2.10:50000 host=192.0.2.1:50000 connected_to=0.0.0.0:0\n"
		"   1.000000 #1 > control version=5 verified=yes sequence=3 pad=6 makes_data_key=1 response nonce=" NONCE
		" random=e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n"
		"   2.000000 #1 < data version=5 verified=yes sequence=1 pad=12 data_key=1 connection check host=192.0.2.1\n"
		"   3.000000 #1 > data version=5 verified=yes sequence=1 pad=7 data_key=1 BREAK-IN\n"
		"   4.000000 #1 > data version=5 verified=yes sequence=2 pad=8 data_key=1 RESET id=0x80000000\n"
		"   5.000000 #1 > data version=5 verified=yes sequence=3 pad=0 data_key=1 MANIPULATE id=0x80000000 GetVersion level=0 processor=0\n"
		"   6.000000 #1 > control version=5 verified=yes sequence=9 pad=8 plea\n"
		"   6.000000 #1 = 7 datagrams: 7 verified, 0 do not verify, 0 sealed\n");
}

/* Who is who shows by the length of a poke. */
static void kdnet_without_a_key(void **state)
{
	(void)state;
	all_datagrams();
	assert_int_equal(decoded(), 0);
	has(" #1 < control version=5 poke verified=no sealed_bytes=352 why=\"no key was given\"\n");
	has(" #1 > control version=5 response verified=no sealed_bytes=336 why=\"no key was given\"\n");
	has(" #1 < data version=5 verified=no sealed_bytes=32 why=\"no key was given\"\n");
	has(" = 7 datagrams: 0 verified, 0 do not verify, 7 sealed\n");
	build_begin(&b, BUILD_ETHERNET);
	datagram(3);
	assert_int_equal(decoded(), 0);
	has(" #1 ? data version=5 verified=no sealed_bytes=16");
}

static void kdnet_under_a_wrong_key(void **state)
{
	(void)state;
	all_datagrams();
	with_key("1.2.3.4");
	assert_int_equal(decoded(), -EKEYREJECTED);
	assert_string_equal(why, "some.pcap: none of its KDNET datagrams verifies: it is the key of another target");
	has("why=\"it does not verify: of another key, or damaged\"\n");
	has("why=\"the beginning of its session is not in this file, or was not opened\"\n");
}

static void kdnet_from_the_middle(void **state)
{
	(void)state;
	datagram(3);
	datagram(0);
	with_key(KDNET_VECTORS_KEY);
	assert_int_equal(decoded(), 0);
	has("data version=5 verified=no sealed_bytes=16 why=\"the beginning of its session is not in this file, or was not opened\"\n");
	has(" 2 datagrams: 1 verified, 0 do not verify, 1 sealed\n");
}

static void datagrams_of_others(void **state)
{
	(void)state;
	build_udp(&b, (struct tcp){ .from = 1, .to = 2, .from_port = 53, .to_port = 5000, .data = "not KDNET, but as long as it", .len = 28 });
	assert_int_equal(decoded(), -ENODATA);
	assert_string_equal(why, "some.pcap: no RSP, KD or KDNET: 1 packets, 0 of them TCP (0 conversations), 1 UDP, 0 other");
	build_begin(&b, BUILD_ETHERNET);
	datagram(0);
	b.n -= 3; /* the capture was told to keep less of each */
	build_le32(b.bytes + b.last + 8, (uint32_t)(b.n - b.last - 16));
	assert_int_equal(decoded(), -ENODATA);
}

/* --- JSON */

static json_t *line_of(size_t n)
{
	const char *s = out;
	json_error_t error;
	json_t *j;

	for (; n; n--)
		s = strchr(s, '\n') + 1;
	j = json_loadb(s, (size_t)(strchr(s, '\n') - s), JSON_REJECT_DUPLICATES, &error);
	if (!j)
		fail_msg("%s: %s", error.text, s);
	return j;
}

static void is_string(json_t *j, const char *name, const char *value)
{
	assert_string_equal(json_string_value(json_object_get(j, name)), value);
}

static void kdnet_as_json(void **state)
{
	json_t *j;

	(void)state;
	all_datagrams();
	with_key(KDNET_VECTORS_KEY);
	how.json = true;
	assert_int_equal(decoded(), 0);
	j = line_of(0);
	is_string(j, "event", "begins: 192.0.2.10:50000 - 192.0.2.1:50000, KDNET");
	json_decref(j);
	j = line_of(6);
	is_string(j, "protocol", "kdnet");
	is_string(j, "from", "client");
	is_string(j, "channel", "data");
	is_string(j, "packet", "MANIPULATE");
	is_string(j, "api", "GetVersion");
	is_string(j, "id", "0x80000000");
	assert_true(json_is_true(json_object_get(j, "verified")));
	assert_int_equal(json_integer_value(json_object_get(j, "sequence")), 3);
	assert_true(json_real_value(json_object_get(j, "time")) == 5 && json_real_value(json_object_get(j, "epoch")) == 1005);
	json_decref(j);
}

/* --- streams */

static void says(bool host, const void *p, size_t n)
{
	build_tcp(&b, (struct tcp){ .from = host ? 1 : 2, .to = host ? 2 : 1, .from_port = host ? 40000 : 5000, .to_port = host ? 5000 : 40000, .flags = PSH,
	                            .seq = seq[host], .data = p, .len = n });
	seq[host] += (uint32_t)n;
}

static void packet(bool host, uint16_t type, bool control, const char *payload, size_t n, bool trailer)
{
	uint8_t room[512];
	struct buf f = { .base = room, .cap = sizeof room };

	assert_int_equal(kd_packet_put(&f, &(struct kd_packet){ .control = control, .type = type, .id = 0x80800000, .payload = { (const uint8_t *)payload, n } },
	                               trailer), 0);
	says(host, room, f.len);
}

static const char print[] = "\x30\x32\0\0\0\0\0\0\x05\0\0\0\0\0\0\0h\"\x1b[\n";

static void kd_over_tcp(void **state)
{
	(void)state;
	says(false, "Booting\nSec", 11);
	says(false, "ond\n", 4);
	says(true, "b", 1);
	packet(false, KD_TYPE_DEBUG_IO, false, print, sizeof print - 1, true);
	packet(true, KD_TYPE_ACKNOWLEDGE, true, "", 0, true);
	says(false, "tail", 4);
	assert_int_equal(decoded(), 0);
	assert_string_equal(out, "   0.000000 #1 = begins: 0.0.0.1:40000 -> 0.0.0.2:5000; it had begun before the capture did\n"
	                         "   0.000000 #1 < Booting\\x0a  (no packet)\n"
	                         "   0.000000 #1 < Second\\x0a  (no packet)\n"
	                         "   2.000000 #1 > BREAK-IN\n"
	                         "   3.000000 #1 < DEBUG_IO id=0x80800000 PrintString level=0 processor=0 text=\"h\\x22\\x1b[\\x0a\"\n"
	                         "   4.000000 #1 > ACKNOWLEDGE id=0x80800000\n"
	                         "   5.000000 #1 < tail  (no packet)\n");
}

/* As a carrier of whole packets is recorded. */
static void kd_without_trailers(void **state)
{
	(void)state;
	packet(false, KD_TYPE_DEBUG_IO, false, print, sizeof print - 1, false);
	packet(true, KD_TYPE_ACKNOWLEDGE, true, "", 0, false);
	packet(false, KD_TYPE_DEBUG_IO, false, print, sizeof print - 1, false);
	assert_int_equal(decoded(), 0);
	has("   2.000000 #1 < DEBUG_IO id=0x80800000 PrintString");
	has_not("damaged");
}

static void damaged_packets(void **state)
{
	(void)state;
	packet(false, KD_TYPE_DEBUG_IO, false, print, sizeof print - 1, true);
	packet(false, KD_TYPE_DEBUG_IO, false, print, sizeof print - 1, true);
	b.bytes[b.n - 3] ^= 1;
	seq[0] += 7;
	packet(false, KD_TYPE_DEBUG_IO, false, print, sizeof print - 1, true);
	assert_int_equal(decoded(), 0);
	has("   1.000000 #1 < a damaged packet of type 3, id 0x80800000: its checksum or its end is wrong\n");
	has("   2.000000 #1 < (bytes are missing here)\n   2.000000 #1 < DEBUG_IO");
}

/* --- lines, packed files */

static void lines(void **state)
{
	static char text[] = "0.5 T 303030300300150000008080\n0.6 T 990200003032000000000000050000000000000068691b5b\n0.7 T 0aaa\n0.8 H 69696969040000000000808000000000\n0.9 H 62\n";

	(void)state;
	assert_int_equal(decoded_bytes(text, sizeof text - 1), 0);
	has("#1 = begins: host -> target\n");
	has("#1 > ACKNOWLEDGE id=0x80800000\n");
	has("   0.400000 #1 > BREAK-IN\n");
	has("#1 = ends\n");
	assert_int_equal(decoded_bytes(text, sizeof text - 2), -EBADMSG);
	has("ACKNOWLEDGE");
	assert_non_null(strstr(why, "some.pcap: behind line 5: "));
	text[3] = 'x';
	assert_int_equal(decoded_bytes(text, sizeof text - 1), -EBADMSG);
}

static size_t pack(uint8_t *to, size_t room, const void *p, size_t n)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = to, .avail_out = (uInt)room };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

static void packed(void **state)
{
	static uint8_t room[65536];
	char plain[8192];
	size_t n, half;

	(void)state;
	all_datagrams();
	with_key(KDNET_VECTORS_KEY);
	assert_int_equal(decoded(), 0);
	snprintf(plain, sizeof plain, "%s", out);
	n = pack(room, sizeof room, b.bytes, b.n);
	assert_int_equal(decoded_bytes(room, n), 0);
	assert_string_equal(out, plain);
	for (size_t cut = 1; cut < n; cut += 7) /* at any place, that is damage */
		assert_true(decoded_bytes(room, n - cut) < 0);
	room[n / 2] ^= 0x55;
	assert_true(decoded_bytes(room, n) < 0);
	half = pack(room, sizeof room, b.bytes, b.n / 2); /* two files one behind the other */
	n = half + pack(room + half, sizeof room - half, b.bytes + b.n / 2, b.n - b.n / 2);
	assert_int_equal(decoded_bytes(room, n), 0);
	assert_string_equal(out, plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kdnet_with_its_key, begin, tidy),      cmocka_unit_test_setup_teardown(kdnet_without_a_key, begin, tidy),
		cmocka_unit_test_setup_teardown(kdnet_under_a_wrong_key, begin, tidy), cmocka_unit_test_setup_teardown(kdnet_from_the_middle, begin, tidy),
		cmocka_unit_test_setup_teardown(datagrams_of_others, begin, tidy),     cmocka_unit_test_setup_teardown(kdnet_as_json, begin, tidy),
		cmocka_unit_test_setup_teardown(kd_over_tcp, begin, tidy),             cmocka_unit_test_setup_teardown(kd_without_trailers, begin, tidy),
		cmocka_unit_test_setup_teardown(damaged_packets, begin, tidy),         cmocka_unit_test_setup_teardown(lines, begin, tidy),
		cmocka_unit_test_setup_teardown(packed, begin, tidy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
