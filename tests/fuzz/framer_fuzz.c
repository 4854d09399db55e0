/* framer_fuzz.c - any bytes, cut anywhere: the same events and bodies; what was framed comes back as it was. */
#include "rsp/framer.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static uint64_t run(enum rsp_framer_mode mode, struct span in, size_t step)
{
	struct rsp_framer f;
	uint64_t hash = 1469598103934665603ULL;
	enum rsp_event ev;

	if (rsp_framer_init(&f, mode, 64) < 0)
		abort();
	for (size_t at = 0; at < in.len;) {
		size_t n = in.len - at < step ? in.len - at : step;

		at += rsp_framer_feed(&f, (struct span){ in.p + at, n }, &ev);
		if (ev == RSP_NONE)
			continue;
		hash = mix(hash, &ev, sizeof ev);
		if (ev == RSP_PACKET || ev == RSP_NOTIFY)
			hash = mix(hash, buf_data(&f.body), f.body.len);
	}
	rsp_framer_fini(&f);
	return hash;
}

static void there_and_back(struct span in)
{
	static uint8_t room[2 * 4096 + 8];
	struct buf wire = { .base = room, .cap = sizeof room };
	struct rsp_framer f;
	enum rsp_event ev;
	long n;

	if (in.len > 4096)
		return;
	if (rsp_frame(&wire, in) < 0 || rsp_framer_init(&f, RSP_STRICT, sizeof room) < 0)
		abort();
	if (rsp_framer_feed(&f, buf_span(&wire), &ev) != wire.len || ev != RSP_PACKET)
		abort();
	n = rsp_unescape_in_place(buf_data(&f.body), f.body.len);
	if (n != (long)in.len || (n && memcmp(buf_data(&f.body), in.p, in.len)))
		abort();
	rsp_framer_fini(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { data, size };

	for (enum rsp_framer_mode mode = RSP_STRICT; mode <= RSP_TOLERANT; mode++) {
		uint64_t whole = run(mode, in, size + 1);

		if (run(mode, in, 1) != whole || run(mode, in, 3) != whole)
			abort();
	}
	there_and_back(in);
	return 0;
}
