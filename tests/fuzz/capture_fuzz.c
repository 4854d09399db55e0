/* capture_fuzz.c - what begins like a capture (packed, or lines, too) is read as one, twice alike, and decoded to printable lines. Any other bytes
 * are a conversation and how it is mangled on its way: cut, repeated, overlapped, disordered; it must come out whole. */
#include "proxy/capture.h"
#include "proxy/decode.h"
#include "backends/link/kdnet_key.h"
#include "tests/backends/link/kdnet_vectors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/proxy/capture_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct capture *open_bytes(const uint8_t *data, size_t size)
{
	struct capture *c = NULL;
	char why[512] = "";
	FILE *f = fmemopen((void *)(uintptr_t)data, size, "rb");
	int rc;

	must(f != NULL);
	rc = capture_open_stream(&c, f, "fuzz", why, sizeof why);
	must((rc == 0) == (c != NULL) && (rc == 0) == !why[0]);
	return c;
}

/* A hash of all that was told; the rules of pieces are looked at on the way. */
static uint64_t read_all(const uint8_t *data, size_t size)
{
	static bool open[CAPTURE_FLOWS];
	struct capture *c = open_bytes(data, size);
	struct capture_piece p;
	uint64_t h = 0;
	int rc;

	if (!c)
		return 1;
	memset(open, 0, sizeof open);
	while ((rc = capture_next(c, &p)) == 1) {
		must(p.flow < CAPTURE_FLOWS && p.number && p.number <= capture_counts(c).conversations);
		must(open[p.flow] == !p.begins && !(p.begins && p.ends));
		must((p.begins || p.ends) == !p.bytes.len);
		must(strlen(p.from) < CAPTURE_NAME && (p.line ? p.from[0] && p.to[0] : strchr(p.from, ':') && strchr(p.to, ':')));
		open[p.flow] = !p.ends;
		h = mix(mix(h, &p.number, sizeof p.number), p.bytes.p, p.bytes.len);
		h += (uint64_t)p.gap + 2 * (uint64_t)p.from_client;
	}
	must(rc == 0 || capture_why(c)[0]);
	must(capture_next(c, &p) == rc);
	capture_close(c);
	return h;
}

static void decode(const uint8_t *data, size_t size)
{
	FILE *in = fmemopen((void *)(uintptr_t)data, size, "rb"), *to;
	static struct kdnet_key key;
	const char *words;
	struct decode_how how = { .json = size % 2, .key = size & 2 ? &key : NULL };
	char why[512] = "", *text = NULL;
	size_t n = 0;
	int rc;

	must(kdnet_key_parse(&key, span_of(KDNET_VECTORS_KEY), &words) == 0);
	to = open_memstream(&text, &n);
	must(in && to);
	how.to = to;
	rc = decode_stream(in, "fuzz", &how, why, sizeof why);
	must(fclose(to) == 0);
	must((rc == 0) == !why[0]);
	for (size_t i = 0; i < n; i++)
		must(text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f));
	must(!n || text[n - 1] == '\n');
	free(text);
}

/* One direction of a conversation, in a file, as data says. */
static void mangle(struct build *b, const uint8_t *data, size_t size)
{
	struct tcp t = { .from = 1, .to = 2, .from_port = 40000, .to_port = 1234, .flags = SYN, .seq = size > 4 ? (uint32_t)data[4] << 24 : 0 };
	uint32_t first = t.seq + 1;
	size_t done = 0;

	build_begin(b, BUILD_RAW);
	build_tcp(b, t);
	t.flags = PSH;
	for (size_t i = 0; i + 1 < size && i < 60; i += 2) { /* anywhere, any length, but no more than what may wait */
		size_t at = data[i] * size / 256, len = data[i + 1] % (size - at) + 1;

		t.seq = first + (uint32_t)at;
		t.data = data + at;
		t.len = len;
		build_tcp(b, t);
	}
	while (done < size) { /* and then all of it in order, so that nothing is missing */
		size_t len = data[done] % 64 + 1;

		t.seq = first + (uint32_t)done;
		t.data = data + done;
		t.len = len < size - done ? len : size - done;
		build_tcp(b, t);
		done += t.len;
	}
}

static void comes_out_whole(const uint8_t *data, size_t size)
{
	static struct build b;
	struct capture_piece p;
	struct capture *c;
	size_t at = 0;

	mangle(&b, data, size);
	c = open_bytes(b.bytes, b.n);
	must(c && capture_next(c, &p) == 1 && p.begins && !p.midway);
	while (capture_next(c, &p) == 1) {
		must(p.from_client && !p.gap && p.bytes.len && p.bytes.len <= size - at);
		must(!memcmp(p.bytes.p, data + at, p.bytes.len));
		at += p.bytes.len;
	}
	must(at == size);
	capture_close(c);
}

static int is_capture(const uint8_t *data, size_t size)
{
	static const uint8_t magics[][4] = { { 0xd4, 0xc3, 0xb2, 0xa1 }, { 0xa1, 0xb2, 0xc3, 0xd4 }, { 0x4d, 0x3c, 0xb2, 0xa1 }, { 0x0a, 0x0d, 0x0d, 0x0a } };

	if (size && ((data[0] >= '0' && data[0] <= '9') || data[0] == 0x1f))
		return 1;
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
		if (size >= 4 && !memcmp(data, magics[i], 4))
			return 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (is_capture(data, size)) {
		must(read_all(data, size) == read_all(data, size));
		decode(data, size);
	} else if (size && size <= 4096) {
		comes_out_whole(data, size);
	}
	return 0;
}
