/* kd_parse_fuzz.c - any bytes as any payload of a KD target: what is accepted lies within it, and within what was asked for.
 * The first byte says which parser, the second which machine. */
#include "backends/kd/api.h"
#include "backends/kd/io.h"
#include "backends/kd/state.h"
#include "backends/kd/version.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

static bool within(struct span inner, struct span outer)
{
	return inner.p >= outer.p && inner.p + inner.len <= outer.p + outer.len;
}

static void state(struct span in, enum kd_machine m)
{
	struct kd_state s;

	if (kd_state_parse(in, m, &s) == 0) {
		must(s.processor < s.processors && s.processors <= KD_PROCESSORS_MAX && s.exception.params <= KD_PARAMETERS_MAX);
		must(s.report.stream_n <= KD_STREAM_MAX && within(s.load.path, in));
		must(m != KD_I386 || s.pc <= UINT32_MAX);
	}
	if (kd_state32_parse(in, &s) == 0)
		must(s.processor < s.processors && within(s.load.path, in) && s.pc <= UINT32_MAX);
}

/* To a request of the API it says itself, for at most so many bytes. */
static void reply(struct span in, enum kd_machine m)
{
	struct cursor c = cursor_of(in);
	struct kd_request asked = { .count = cursor_u8(&c), .cpu = { m, 0 } };
	struct span p;
	struct kd_reply r;
	int rc;

	p = cursor_rest(&c);
	c = cursor_of(p);
	asked.api = (enum kd_api)cursor_le(&c, 4);
	rc = kd_reply_parse(p, &asked, &r);
	must(rc == 0 || rc == -EBADMSG || rc == -EPROTO);
	must(within(r.data, p) && within(r.version, p) && r.actual <= asked.count);
	must(rc || (kd_api_info(asked.api)->has_reply && (p.len >= KD_HEADER || !kd_status_ok(r.status))));
}

static void io(struct span in, enum kd_machine m)
{
	uint8_t room[256];
	struct buf out = { .base = room, .cap = sizeof room };
	struct kd_trace trace;
	struct kd_io said;
	char letter;

	(void)m;
	if (kd_trace_parse(in, &trace) == 0)
		must(within(trace.data, in));
	if (kd_io_parse(in, &said) < 0)
		return;
	letter = kd_prompt_letter(said.text, true);
	must(within(said.text, in) && (!letter || strchr("obic", letter)));
	must(kd_io_answer(&out, &said, span_of("yes")) == 0 && out.len <= 16 + (said.most < 3 ? said.most : 3U));
}

static void file(struct span in, enum kd_machine m)
{
	uint8_t room[KD_FILE_HEADER];
	struct buf out = { .base = room, .cap = sizeof room };
	struct kd_file f;

	(void)m;
	if (kd_file_parse(in, &f) < 0)
		return;
	must(within(f.path, in) && within(f.header, in) && f.path.len % 2 == 0);
	must(kd_file_refuse(&out, &f) == 0 && out.len == KD_FILE_HEADER && room[7] == 0xc0);
}

/* Whole, and byte by byte: it comes to the same. */
static void prints(struct span in, enum kd_machine m)
{
	static struct kd_prints a, b;
	unsigned whole, parts = 0;

	(void)m;
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	whole = kd_prints_feed(&a, in);
	for (size_t i = 0; i < in.len; i++)
		parts |= kd_prints_feed(&b, (struct span){ in.p + i, 1 });
	must(whole == parts && !memcmp(&a, &b, sizeof a));
	must(kd_prints_end(&a) == kd_prints_end(&b) && memchr(a.driver, 0, sizeof a.driver));
}

static void version(struct span in, enum kd_machine m)
{
	struct kd_kdbg_walk w;
	struct kd_version v;
	uint64_t value;

	if (kd_version_parse(in, &v) == 0)
		must(*kd_version_kind(&v) != 0);
	v.machine = m;
	if (kd_kdbg_begin(&w, &v) && kd_kdbg_step(&w, span_from(in, 40)) == 1)
		must(w.size >= KD_KDBG_LEAST && w.size <= KD_KDBG_MOST);
	for (int f = 0; f < KD_KDBG_FIELDS; f++)
		if (!kd_kdbg_get(in, m, (enum kd_kdbg_field)f, &value))
			must(value == 0);
	(void)kd_prcb_thread(in, m);
}

static void module(struct span in, enum kd_machine m)
{
	struct kd_module mod;

	if (kd_module_parse(in, m, &mod) < 0)
		return;
	must(mod.size && mod.base && mod.base + (mod.size - 1) >= mod.base);
	must(mod.name.bytes <= KD_NAME_BYTES && mod.name.bytes % 2 == 0 && mod.path.bytes <= KD_NAME_BYTES && mod.path.bytes % 2 == 0);
}

/* A list of links, one byte each: however they go, the walk ends. */
static void links(struct span in, enum kd_machine m)
{
	struct kd_module_walk w;
	unsigned n = 0;
	int rc = kd_modules_begin(&w, 256, in.len ? in.p[0] : 0);

	(void)m;
	while (rc == 1) {
		must(++n <= KD_MODULES_MAX);
		rc = kd_modules_step(&w, w.at < in.len ? in.p[w.at] : 0);
	}
	must(rc == 0 || rc == -ELOOP);
}

static void text(struct span in, enum kd_machine m)
{
	char small[24], large[8192];
	struct span base = kd_base_name(in);

	(void)m;
	kd_utf16_text(small, sizeof small, in);
	kd_utf16_text(large, sizeof large, in);
	must(!memcmp(small, large, strlen(small)) && within(base, in));
	for (const char *p = kd_utf16_base(large, sizeof large, in); *p; p++)
		must((uint8_t)*p >= 0x20 && *p != 0x7f && *p != '/');
}

static void pe(struct span in, enum kd_machine m)
{
	struct kd_pe image;
	int rc = kd_pe_parse(in, &image);

	(void)m;
	must(rc == 0 || rc == -EAGAIN || rc == -EBADMSG);
	must(rc != -EAGAIN || (image.need > in.len && image.need <= KD_PE_MOST));
	must(rc || (image.text && image.text < image.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct span in, enum kd_machine m) = { state, reply, io, file, prints, version, module, links, text, pe };

	if (size < 2)
		return 0;
	parsers[data[0] % (sizeof parsers / sizeof *parsers)]((struct span){ data + 2, size - 2 }, (enum kd_machine)(data[1] % KD_MACHINES));
	return 0;
}
