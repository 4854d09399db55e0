/* kdnet_test.c - a KDNET session: vectors, cuts and flips, which pokes are answered, replays, rollovers, what is lost; a real recording. */
#include "backends/link/kdnet.h"

#include "base/hex.h"
#include "base/wait.h"
#include "tests/backends/link/kdnet_target.h"
#include "tests/backends/link/kdnet_vectors.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define KEY "3w5e11264sgsf.kdhost.1.zzzz"
#define CAPTURE "../shared/captures/windbg-bootdbg.pcapng.gz"
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct kdnet_end home = { .ip = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 10 }, .port = 50000 };
static const struct kdnet_end moved = { .ip = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 10 }, .port = 50001 };
static const struct kdnet_end other = { .ip = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 11 }, .port = 50000 };

static struct kdnet k;
static struct kt t;
static struct buf body, out;
static uint64_t now;

static int setup(void **state)
{
	(void)state;
	now = 100000;
	kt_init(&t, KEY, 5);
	return buf_init(&body, KDNET_BODY_MAX) || buf_init(&out, KDNET_DATAGRAM_MAX) || kdnet_init(&k, &t.key, 0);
}

static int teardown(void **state)
{
	(void)state;
	kt_fini(&t);
	kdnet_fini(&k);
	buf_fini(&body);
	buf_fini(&out);
	return 0;
}

static enum kdnet_event take(const struct kdnet_end *from, struct span d)
{
	return kdnet_take(&k, from, (struct span){ guard_copy(d.p, d.len), d.len }, &body, now);
}

static struct span reply_due(const struct kdnet_end *to)
{
	struct kdnet_end where;
	struct span d;

	assert_true(kdnet_reply(&k, &d, &where));
	assert_memory_equal(where.ip, to->ip, 16);
	assert_int_equal(where.port, to->port);
	return d;
}

static bool silent(void)
{
	struct kdnet_end where;
	struct span d;

	return !kdnet_reply(&k, &d, &where);
}

/* It counts once more there, and nowhere else. */
static void counted(enum kdnet_count what, const uint64_t before[KDNET_COUNTS])
{
	for (size_t i = 0; i < KDNET_COUNTS; i++)
		assert_int_equal(k.counts[i], before[i] + (i == what));
}

static void takes(enum kdnet_event ev, enum kdnet_count what, const struct kdnet_end *from, struct span d)
{
	uint64_t before[KDNET_COUNTS];

	memcpy(before, k.counts, sizeof before);
	assert_int_equal(take(from, d), ev);
	counted(what, before);
}

static void answered(const struct kdnet_end *from)
{
	takes(KDNET_NOTHING, KDNET_N_ANSWERED, from, kt_poke(&t));
	assert_true(kt_accept(&t, reply_due(from)));
	assert_true(silent());
}

static void attached(void)
{
	answered(&home);
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	assert_int_equal(body.len, 0);
}

static void says(const char *text)
{
	struct kdnet_end to;

	assert_int_equal(kdnet_seal(&k, span_of(text), &out, &to), 0);
	assert_true(kt_hear(&t, buf_span(&out)));
	assert_int_equal(t.got_len, strlen(text));
	assert_memory_equal(t.got, text, t.got_len);
}

static void hears(const char *text)
{
	takes(KDNET_BODY, KDNET_N_BODIES, &home, kt_data(&t, span_of(text)));
	assert_true(span_is(buf_span(&body), text));
}

/* A copy, for later. */
static struct span keep(uint8_t to[512], struct span d)
{
	assert_in_range(d.len, 1, 512);
	memcpy(to, d.p, d.len);
	return (struct span){ to, d.len };
}

/* --- vectors */

static size_t bytes(uint8_t *to, size_t cap, const char *hex)
{
	struct buf b = { .base = to, .cap = cap };

	assert_int_equal(hex_take(&b, span_of(hex)), 0);
	return b.len;
}

/* A session as it is in the vectors: its only channel is that data key. */
static void as_in_vectors(const char *key, const char *data_key)
{
	uint8_t raw[KDNET_KEY];
	const char *why;

	kdnet_fini(&k);
	kt_must(kdnet_key_parse(&t.key, span_of(key), &why));
	kt_must(kdnet_init(&k, &t.key, 0));
	assert_int_equal(bytes(raw, sizeof raw, data_key), KDNET_KEY);
	kt_must(kdnet_cipher_key(&k.channels[0].cipher, raw));
	k.channels[0].made = k.made = 1;
	k.channels[0].end = home;
	k.channels[0].version = 5;
	k.up = 0;
}

static void vectors_open(void **state)
{
	uint8_t raw[512], plain[512];

	(void)state;
	as_in_vectors(KDNET_VECTORS_KEY, KDNET_VECTORS_DATA_KEY);
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++) {
		size_t n = bytes(raw, sizeof raw, kdnet_vectors[i].raw), m = bytes(plain, sizeof plain, kdnet_vectors[i].plain);

		assert_true(kdnet_knows(&k, &home, (struct span){ guard_copy(raw, n), n }));
		assert_memory_equal(k.plain, plain, m);
		now++;
		if (kdnet_vectors[i].from_host)
			takes(KDNET_NOTHING, KDNET_N_WRONG_WAY, &home, (struct span){ raw, n });
	}
}

/* The host's own are made byte for byte. */
static void vectors_are_made(void **state)
{
	uint8_t raw[512], plain[512];
	struct kdnet_end to;

	(void)state;
	as_in_vectors(KDNET_VECTORS_KEY, KDNET_VECTORS_DATA_KEY);
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++) {
		size_t n = bytes(raw, sizeof raw, kdnet_vectors[i].raw), m = bytes(plain, sizeof plain, kdnet_vectors[i].plain);

		if (!kdnet_vectors[i].from_host || kdnet_vectors[i].channel)
			continue;
		k.sequence = kdnet_vectors[i].sequence - 1;
		assert_int_equal(kdnet_seal(&k, (struct span){ plain + 8, m - 8 - kdnet_vectors[i].pad }, &out, &to), 0);
		assert_int_equal(out.len, n);
		assert_memory_equal(out.base, raw, n);
	}
}

/* A response that is lost, and a plea: the vectors' sequences and key. */
static void the_plea_is_the_vectors(void **state)
{
	uint8_t raw[512];
	size_t n = 0;
	struct span d;

	(void)state;
	for (size_t i = 0; i < COUNT(kdnet_vectors); i++)
		if (!strcmp(kdnet_vectors[i].name, "empty_control")) {
			n = bytes(raw, sizeof raw, kdnet_vectors[i].raw);
			k.sequence = kdnet_vectors[i].sequence - 1;
		}
	assert_int_equal(take(&home, kt_data(&t, span_of("anything"))), KDNET_NOTHING);
	d = reply_due(&home);
	assert_int_equal(d.len, n);
	assert_memory_equal(d.p, raw, n);
}

static void refused_and_unchanged(const struct kdnet_end *from, struct span d)
{
	static struct kdnet before;

	memcpy(&before, &k, sizeof before);
	assert_int_equal(take(from, d), KDNET_NOTHING);
	assert_int_equal(body.len, 0);
	memcpy(before.counts, k.counts, sizeof before.counts);
	memcpy(before.plain, k.plain, sizeof before.plain);
	assert_memory_equal(&before, &k, sizeof before);
}

/* Whole it is taken; cut, longer, or with any bit wrong it is nothing, and nothing comes of it. */
static void cut_and_flipped(struct span d)
{
	static uint8_t copy[KT_MAX];

	assert_true(d.len + 32 < sizeof copy);
	memcpy(copy, d.p, d.len);
	for (size_t n = 0; n < d.len + 32; n++)
		if (n != d.len)
			refused_and_unchanged(&home, (struct span){ copy, n });
	for (size_t i = 0; i < d.len; i++) {
		copy[i] ^= (uint8_t)(1U << i % 8);
		refused_and_unchanged(&home, (struct span){ copy, d.len });
		copy[i] ^= (uint8_t)(1U << i % 8);
	}
}

static void bits_of_a_poke(void **state)
{
	(void)state;
	cut_and_flipped(kt_poke(&t));
	takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, (struct span){ t.d, t.len });
}

static void bits_of_data(void **state)
{
	(void)state;
	attached();
	cut_and_flipped(kt_data(&t, span_of("a KD packet, say; of more than one block")));
	takes(KDNET_BODY, KDNET_N_BODIES, &home, (struct span){ t.d, t.len });
}

/* --- a session */

static void attaches(void **state)
{
	struct kdnet_end to;

	(void)state;
	assert_int_equal(kdnet_seal(&k, span_of("too early"), &out, &to), -ENOTCONN);
	assert_non_null(strstr(kdnet_words(&k), "no datagram"));
	attached();
	assert_null(kdnet_words(&k));
	assert_true(kdnet_is_at(&k, &home));
	assert_false(kdnet_is_at(&k, &moved));
	says("b");
	hears("a packet");
	says("an answer of more than sixteen bytes");
	assert_int_equal(k.sequence, 2);
	for (int i = 0; i < 10; i++)
		takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
	hears("and on");
}

static void versions(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		kdnet_fini(&k);
		kt_must(kdnet_init(&k, &t.key, 0));
		t.version = (uint8_t)v;
		kt_boot(&t, v);
		attached();
		says("hello");
		if (v >= 2 && v <= 5)
			assert_null(kdnet_words(&k));
		else
			assert_non_null(strstr(kdnet_words(&k), "a version"));
	}
}

/* The first that verifies may be no check: that was lost. It is not lost itself. */
static void the_check_was_lost(void **state)
{
	(void)state;
	answered(&home);
	now += 7;
	(void)kt_check(&t);
	takes(KDNET_BEGAN, KDNET_N_BODIES, &home, kt_data(&t, span_of("a packet")));
	assert_int_equal(k.trip, 7);
	assert_true(span_is(buf_span(&body), "a packet"));
}

static void sizes(void **state)
{
	static uint8_t big[KDNET_BODY_MAX + 64];
	struct kdnet_end to;

	(void)state;
	attached();
	memset(big, 'x', sizeof big);
	for (size_t n = 0; n <= KDNET_BODY_MAX; n += n < 64 ? 1 : 97) {
		assert_int_equal(kdnet_seal(&k, (struct span){ big, n }, &out, &to), 0);
		assert_int_equal(out.len, 22 + (8 + n + 15) / 16 * 16);
		assert_true(kt_hear(&t, buf_span(&out)));
		assert_int_equal(t.got_len, n);
		assert_int_equal(take(&home, kt_data(&t, (struct span){ big, n })), n ? KDNET_BODY : KDNET_NOTHING);
		assert_int_equal(body.len, n);
	}
	assert_int_equal(kdnet_seal(&k, (struct span){ big, KDNET_BODY_MAX + 1 }, &out, &to), -EMSGSIZE);
	takes(KDNET_NOTHING, KDNET_N_STRANGE, &home, kt_data(&t, (struct span){ big, KDNET_DATAGRAM_MAX }));
	t.pad_more = 16;
	takes(KDNET_NOTHING, KDNET_N_MALFORMED, &home, kt_data(&t, span_of("12345678")));
	t.pad_more = 9;
	takes(KDNET_NOTHING, KDNET_N_MALFORMED, &home, kt_data(&t, (struct span){ 0 }));
}

/* --- which pokes are answered: a test a row */

static void no_session_any_poke(void **state)
{
	(void)state;
	t.connected = true;
	answered(&home);
	answered(&other); /* nothing has verified yet: the one that asks now is the one */
	answered(&home);
}

static void session_and_connected(void **state)
{
	(void)state;
	attached();
	takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
	assert_true(silent());
}

static void session_and_rebooted(void **state)
{
	(void)state;
	attached();
	says("before");
	kt_boot(&t, 7);
	answered(&home);
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	says("after");
	hears("after");
}

static void session_and_another_address(void **state)
{
	(void)state;
	attached();
	t.connected = false;
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &other, kt_poke(&t));
	assert_true(silent());
	takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, (struct span){ t.d, t.len }); /* its nonce is not used up */
}

static void session_and_another_address_long_after(void **state)
{
	(void)state;
	attached();
	now += KDNET_SILENT_MS;
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &other, kt_poke(&t));
	now++;
	answered(&other);
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &other, kt_check(&t));
	assert_true(kdnet_is_at(&k, &other));
}

/* Its way here has changed (a NAT forgot it): known when the old way is silent. Or another machine behind that NAT has its key. */
static void session_and_another_port(void **state)
{
	(void)state;
	attached();
	now += KDNET_SILENT_MS / 2;
	takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
	now += KDNET_SILENT_MS;
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &moved, kt_poke(&t));
	assert_true(silent());
	now++;
	answered(&moved);
	takes(KDNET_NOTHING, KDNET_N_WRONG_TAG, &home, kt_check(&t));
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &moved, kt_check(&t));
	assert_true(kdnet_is_at(&k, &moved));
}

static void session_and_rebooted_at_another_port(void **state)
{
	(void)state;
	attached();
	kt_boot(&t, 8);
	answered(&moved);
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &moved, kt_check(&t));
	assert_true(kdnet_is_at(&k, &moved));
}

static void no_poke_at_all(void **state)
{
	uint8_t odd[344] = { 1, 1 };

	(void)state;
	takes(KDNET_NOTHING, KDNET_N_MALFORMED, &home, kt_seal(&t, 1, 3, (struct span){ 0 }));
	takes(KDNET_NOTHING, KDNET_N_MALFORMED, &home, kt_seal(&t, 1, 3, (struct span){ odd, 321 }));
	odd[1] = 2;
	takes(KDNET_NOTHING, KDNET_N_MALFORMED, &home, kt_seal(&t, 1, 3, (struct span){ odd, sizeof odd }));
	t.host_bit = 0x80;
	takes(KDNET_NOTHING, KDNET_N_WRONG_WAY, &home, kt_poke(&t));
	assert_true(silent());
}

/* --- replays, and what is lost */

static void replayed_pokes(void **state)
{
	static uint8_t room[3][512];
	struct span old[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		old[i] = keep(room[i], kt_poke(&t));
		takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, old[i]);
	}
	assert_true(kt_accept(&t, reply_due(&home)));
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	for (unsigned i = 0; i < 3; i++) {
		takes(KDNET_NOTHING, KDNET_N_REPLAYED, &home, old[i]);
		assert_true(silent());
	}
	hears("still there");
	says("still here");
}

/* A poke of an earlier boot, of which nothing is remembered: answered, and the session that is there does not mind. */
static void a_replayed_boot(void **state)
{
	static struct kt then;

	(void)state;
	attached();
	kt_init(&then, KEY, 5);
	kt_boot(&then, 99);
	for (int i = 0; i < 20; i++) {
		takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, kt_poke(&then));
		hears("still there");
		says("still here");
		takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
		assert_true(silent());
	}
	kt_fini(&then);
}

static void replayed_data(void **state)
{
	static uint8_t room[512];
	struct span old;

	(void)state;
	attached();
	hears("once");
	old = keep(room, (struct span){ t.d, t.len });
	takes(KDNET_NOTHING, KDNET_N_REPLAYED, &home, old);
	hears("twice");
	takes(KDNET_NOTHING, KDNET_N_REPLAYED, &home, old);
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &other, kt_data(&t, span_of("elsewhere")));
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &moved, (struct span){ t.d, t.len });
	t.host_bit = 0x80;
	takes(KDNET_NOTHING, KDNET_N_WRONG_WAY, &home, kt_data(&t, span_of("mirror")));
	t.host_bit = 0;
	t.data_seq += KDNET_LEAP_MAX;
	takes(KDNET_NOTHING, KDNET_N_LEAPT, &home, kt_data(&t, span_of("far")));
	t.data_seq -= KDNET_LEAP_MAX;
	hears("near");
	t.data_seq += KDNET_LEAP_MAX - 1;
	hears("as far as may be");
}

/* The response is lost: the next poke is answered, too. */
static void a_lost_response(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, kt_poke(&t));
		(void)reply_due(&home);
	}
	attached();
	for (int i = 0; i < 10; i++)
		takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
}

/* Two are answered, and the target took the first: whichever verifies is the key. */
static void the_first_of_two_answers(void **state)
{
	(void)state;
	answered(&home);
	t.connected = false;
	takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, kt_poke(&t));
	(void)reply_due(&home);
	t.connected = true;
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	says("hello");
	answered(&home); /* it may have taken the second after all: asked again until that is clear */
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
}

/* Rebooted, answered, and its check is lost. It says nothing by itself; its pokes are answered until something verifies. */
static void a_lost_check_of_a_rollover(void **state)
{
	(void)state;
	attached();
	kt_boot(&t, 9);
	answered(&home);
	(void)kt_check(&t);
	answered(&home);
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	says("hello");
	takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
}

/* Until the new key has shown itself the old one is good; then it is not. */
static void old_and_new_key(void **state)
{
	static uint8_t room[512];
	struct span old;

	(void)state;
	attached();
	hears("before");
	t.connected = false;
	takes(KDNET_NOTHING, KDNET_N_ANSWERED, &home, kt_poke(&t));
	hears("still the old one");
	old = keep(room, kt_data(&t, span_of("too late")));
	answered(&home);
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	takes(KDNET_NOTHING, KDNET_N_WRONG_TAG, &home, old);
}

static void many_rollovers(void **state)
{
	(void)state;
	attached();
	for (unsigned i = 0; i < 50; i++) {
		uint64_t sent = k.sequence;

		kt_boot(&t, i + 20);
		answered(&home);
		takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
		says("hello");
		assert_true(k.sequence > sent);
	}
}

/* --- words, and pleas */

static void pleas_are_bounded(void **state)
{
	uint64_t seq;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		now += 10;
		(void)take(&home, kt_data(&t, span_of("hello?")));
	}
	assert_int_equal(k.counts[KDNET_N_UNKEYED], 1000);
	assert_int_equal(k.counts[KDNET_N_PLEAS], 10);
	now += KDNET_PLEA_MS;
	(void)take(&home, kt_data(&t, span_of("hello?")));
	assert_true(kt_open(&t, reply_due(&home), &seq));
	assert_int_equal(t.got_len, 0);
	attached();
	t.data_seq++;
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &other, kt_data(&t, span_of("hello?")));
	assert_true(silent());
}

static void words(void **state)
{
	static struct kt wrong;

	(void)state;
	assert_non_null(strstr(kdnet_words(&k), "no datagram"));
	(void)take(&home, span_of("hello"));
	assert_non_null(strstr(kdnet_words(&k), "not KDNET"));
	(void)take(&home, kt_data(&t, span_of("hello")));
	assert_non_null(strstr(kdnet_words(&k), "debugger that is gone"));
	kt_init(&wrong, "1.2.3.4", 5);
	takes(KDNET_NOTHING, KDNET_N_WRONG_TAG, &home, kt_poke(&wrong));
	assert_non_null(strstr(kdnet_words(&k), "not of this key"));
	answered(&home);
	assert_non_null(strstr(kdnet_words(&k), "is answered"));
	takes(KDNET_BEGAN, KDNET_N_CHECKS, &home, kt_check(&t));
	assert_null(kdnet_words(&k));
	kt_fini(&wrong);
}

static void silence(void **state)
{
	(void)state;
	assert_true(kdnet_watch(&k, now) == NEVER); /* whose? */
	attached();
	assert_int_equal(kdnet_watch(&k, now), now + KDNET_SILENT_MS);
	now += KDNET_SILENT_MS - 1;
	(void)kdnet_watch(&k, now);
	assert_null(kdnet_words(&k));
	now++;
	assert_true(kdnet_watch(&k, now) == NEVER);
	assert_non_null(strstr(kdnet_words(&k), "silent for ten seconds"));
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &moved, kt_data(&t, span_of("a packet")));
	assert_non_null(kdnet_words(&k));
	takes(KDNET_NOTHING, KDNET_N_KEEPALIVES, &home, kt_poke(&t));
	assert_null(kdnet_words(&k));
	assert_int_equal(kdnet_watch(&k, now), now + KDNET_SILENT_MS);
	now += KDNET_SILENT_MS;
	(void)kdnet_watch(&k, now);
	hears("a packet");
	assert_null(kdnet_words(&k));
}

static void another_machine_with_the_key(void **state)
{
	static struct kt twin;

	(void)state;
	attached();
	kt_init(&twin, KEY, 5);
	takes(KDNET_NOTHING, KDNET_N_OTHER_END, &other, kt_poke(&twin));
	assert_non_null(strstr(kdnet_words(&k), "from another address"));
	kt_boot(&t, 9);
	attached();
	assert_null(kdnet_words(&k));
	kt_fini(&twin);
}

static void sequences_go_on(void **state)
{
	(void)state;
	kdnet_fini(&k);
	kt_must(kdnet_init(&k, &t.key, 4711));
	attached();
	says("hello");
	assert_int_equal(k.sequence, 4712);
}

static void wiped(void **state)
{
	static const struct kdnet nothing;

	(void)state;
	attached();
	kdnet_fini(&k);
	assert_memory_equal(&k, &nothing, sizeof k);
	kt_must(kdnet_init(&k, &t.key, 0));
}

/* --- WinDbg and a boot debugger */

static uint32_t u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t whole_file(uint8_t *to, size_t cap)
{
	FILE *f = popen("gzip -dc " CAPTURE, "r");
	size_t n;

	assert_non_null(f);
	n = fread(to, 1, cap, f);
	assert_int_equal(pclose(f), 0);
	assert_true(n < cap);
	return n;
}

/* The first response: what its data key is made of. */
static void key_of_capture(struct span d)
{
	uint8_t key[KDNET_HASH];

	kt_must(kdnet_cipher_open(&t.control, d.p + d.len - 16, d.p + 6, d.len - 22, t.got));
	kt_must(kdnet_hash(key, (struct span){ t.key.bytes, 32 }, (struct span){ t.got + 8, 322 }));
	kt_must(kdnet_cipher_key(&k.channels[0].cipher, key));
}

/* Frame by frame of a pcapng's packet blocks; Ethernet, IPv4, UDP. */
static size_t play(const uint8_t *p, const uint8_t *file_end)
{
	size_t n = 0;

	for (; p + 12 <= file_end; p += u32(p + 4)) {
		const uint8_t *udp = p + 28 + 14 + 20;
		struct span d = { udp + 8, 0 };

		if (u32(p) != 6)
			continue;
		assert_int_equal(p[28 + 14], 0x45);
		d.len = ((size_t)udp[4] << 8 | udp[5]) - 8;
		assert_in_range(d.len, 38, 1500);
		now += 10;
		(void)take(&home, d);
		if (d.len == 358 && d.p[5] == 1)
			key_of_capture(d);
		n++;
	}
	return n;
}

static void a_recording(void **state)
{
	static uint8_t file[1 << 20];
	size_t n;

	(void)state;
	if (access(CAPTURE, R_OK) < 0) {
		print_message("[  SKIPPED ] there is no %s\n", CAPTURE);
		skip();
	}
	kt_fini(&t);
	kt_init(&t, "8.8.8.8", 4);
	kdnet_fini(&k);
	kt_must(kdnet_init(&k, &t.key, 0));
	n = whole_file(file, sizeof file);
	assert_int_equal(play(file, file + n), 955);
	assert_int_equal(k.counts[KDNET_N_ANSWERED] + k.counts[KDNET_N_KEEPALIVES], 427);
	assert_int_equal(k.counts[KDNET_N_ANSWERED], 1);
	assert_int_equal(k.counts[KDNET_N_WRONG_WAY], 1 + 262);
	assert_int_equal(k.counts[KDNET_N_CHECKS], 1);
	assert_int_equal(k.counts[KDNET_N_BODIES], 264);
	assert_int_equal(k.counts[KDNET_N_WRONG_TAG] + k.counts[KDNET_N_UNKEYED] + k.counts[KDNET_N_REPLAYED] + k.counts[KDNET_N_STRANGE], 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(vectors_open), CASE(vectors_are_made), CASE(the_plea_is_the_vectors), CASE(bits_of_a_poke), CASE(bits_of_data), CASE(attaches),
		CASE(versions), CASE(the_check_was_lost), CASE(sizes), CASE(no_session_any_poke), CASE(session_and_connected),
		CASE(session_and_rebooted), CASE(session_and_another_address), CASE(session_and_another_address_long_after),
		CASE(session_and_another_port), CASE(session_and_rebooted_at_another_port), CASE(no_poke_at_all),
		CASE(replayed_pokes), CASE(a_replayed_boot), CASE(replayed_data),
		CASE(a_lost_response), CASE(the_first_of_two_answers), CASE(a_lost_check_of_a_rollover), CASE(old_and_new_key), CASE(many_rollovers),
		CASE(pleas_are_bounded), CASE(words), CASE(silence), CASE(another_machine_with_the_key), CASE(sequences_go_on), CASE(wiped), CASE(a_recording),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
