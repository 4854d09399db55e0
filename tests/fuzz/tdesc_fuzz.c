/* tdesc_fuzz.c - any documents as a target description and as a memory map: what was built reads back as itself.
 * The input is cut at NUL bytes: target.xml, then a, b, ... */
#include "rsp/tdesc.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void fresh(struct tdesc *t)
{
	if (t->regs)
		tdesc_clear(t);
	else
		must(tdesc_init(t) == 0);
}

static void add_all(struct tdesc *t, struct span in)
{
	char name[] = "target.xml";

	for (char next = 'a'; in.len && next < 'g'; next++) {
		const uint8_t *end = memchr(in.p, 0, in.len);
		struct span doc = { in.p, end ? (size_t)(end - in.p) : in.len };
		int rc = tdesc_add(t, name, doc);

		must(rc == 0 || t->why[0]);
		name[0] = next;
		name[1] = 0;
		in.p += doc.len + (end != NULL);
		in.len -= doc.len + (end != NULL);
	}
}

static void laid_out(const struct tdesc *t)
{
	size_t at = 0;

	for (size_t i = 0; i < t->regs_n; i++) {
		must(t->regs[i].bits && t->regs[i].bits % 8 == 0 && t->regs[i].bits <= TDESC_BITS_MAX);
		must(tdesc_reg(t, t->regs[i].num) == &t->regs[i] && tdesc_g_offset(t, t->regs[i].num) == (long)at);
		at += t->regs[i].bits / 8;
	}
	must(at == t->g_bytes && at <= TDESC_G_MAX);
}

static void again(const struct tdesc *a)
{
	static struct tdesc b;

	fresh(&b);
	if (a->xml.len > TDESC_DOC_MAX)
		return;
	must(tdesc_add(&b, "target.xml", buf_span(&a->xml)) == 0 && !tdesc_missing(&b) && tdesc_build(&b) == 0);
	must(b.xml.len == a->xml.len && !memcmp(buf_data(&b.xml), buf_data(&a->xml), a->xml.len));
	must(b.regs_n == a->regs_n && b.g_bytes == a->g_bytes && !strcmp(a->arch, b.arch));
}

static void map(struct span in)
{
	struct buf a, b;

	must(buf_init(&a, 16384) == 0 && buf_init(&b, 16384) == 0);
	if (memory_map_rewrite(in, &a) == 0) {
		must(memory_map_rewrite(buf_span(&a), &b) == 0);
		must(a.len == b.len && !memcmp(buf_data(&a), buf_data(&b), a.len));
	}
	buf_fini(&a);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tdesc t;
	struct span in = { data, size };

	map(in);
	fresh(&t);
	add_all(&t, in);
	if (tdesc_build(&t) == 0) {
		laid_out(&t);
		again(&t);
	} else {
		must(t.why[0] && !t.xml.len && !t.regs_n);
	}
	return 0;
}
