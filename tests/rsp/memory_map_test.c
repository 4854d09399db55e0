/* memory_map_test.c - memory maps: good ones written anew, wrong ones refused, each cut at every byte. */
#include "rsp/tdesc.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD                                                                                                                  \
	"<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\""                 \
	" \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n<memory-map>\n"
#define RAM "<memory type='ram' start='0x1000' length='4096'/>"
#define RAM_OUT "  <memory type=\"ram\" start=\"0x1000\" length=\"0x1000\"/>\n"

static struct buf out;

static int rewrite(const char *doc, size_t n)
{
	return memory_map_rewrite((struct span){ guard_copy(doc, n), n }, &out);
}

static const struct vector {
	const char *in, *out; /* out NULL: refused */
} vectors[] = {
	{ "<memory-map/>", "" },
	{ "<memory-map>" RAM "</memory-map>", RAM_OUT },
	{ "<?xml version='1.0'?><!DOCTYPE memory-map PUBLIC 'a' 'b'><memory-map version='9'><!-- c -->" RAM "<x><memory/></x></memory-map>", RAM_OUT },
	{ "<memory-map><memory type='flash' start='0' length='0x400'>\n<property name='blocksize'> 0x40 </property>\n</memory></memory-map>",
	  "  <memory type=\"flash\" start=\"0x0\" length=\"0x400\">\n    <property name=\"blocksize\">0x40</property>\n  </memory>\n" },
	{ "<memory-map><memory type='rom' start='0xfffffffffffff000' length='4096'><property name='x'>y</property></memory></memory-map>",
	  "  <memory type=\"rom\" start=\"0xfffffffffffff000\" length=\"0x1000\"/>\n" },
	{ "<memory-map><memory type='ram' start='0' length='0'/>" RAM "</memory-map>", RAM_OUT },
	{ "", NULL },
	{ "<memory-map>", NULL },
	{ "<target/>", NULL },
	{ "<x>" RAM "</x>", NULL },
	{ "<!DOCTYPE memory-map [<!ENTITY a 'b'>]><memory-map>" RAM "</memory-map>", NULL },
	{ "<memory-map><memory type='flash' start='0' length='0x400'/></memory-map>", NULL },
	{ "<memory-map><memory type='flash' start='0' length='1'><property name='blocksize'>0</property></memory></memory-map>", NULL },
	{ "<memory-map><memory type='flash' start='0' length='1'><property name='blocksize'>x</property></memory></memory-map>", NULL },
	{ "<memory-map><memory type='flash' start='0' length='1'><property name='blocksize'>0x100000000</property></memory></memory-map>", NULL },
	{ "<memory-map><memory type='mmio' start='0' length='1'/></memory-map>", NULL },
	{ "<memory-map><memory start='0' length='1'/></memory-map>", NULL },
	{ "<memory-map><memory type='ram' length='1'/></memory-map>", NULL },
	{ "<memory-map><memory type='ram' start='0'/></memory-map>", NULL },
	{ "<memory-map><memory type='ram' start='-1' length='1'/></memory-map>", NULL },
	{ "<memory-map><memory type='ram' start='0xfffffffffffff000' length='4097'/></memory-map>", NULL },
	{ "<memory-map><memory type='ram' start='0' length='0x10000000000000000'/></memory-map>", NULL },
};

/* Two regions, from first to last byte each; the first is where the other is tried at. Length 0: from some byte, and none. */
static const struct pair {
	uint64_t start[2], length[2];
	bool kept;
} pairs[] = {
	{ { 0x1000, 0x2000 }, { 0x1000, 0x1000 }, true }, /* they touch */
	{ { 0x1000, 0x3000 }, { 0x1000, 0x1000 }, true },
	{ { 0x1000, 0x1fff }, { 0x1000, 0x1000 }, false }, /* by one byte */
	{ { 0x1000, 0x1fff }, { 0x1000, 1 }, false },
	{ { 0x1000, 0xfff }, { 0x1000, 1 }, true },
	{ { 0x1000, 0xfff }, { 0x1000, 2 }, false },
	{ { 0x1000, 0x1000 }, { 0x1000, 0x1000 }, false }, /* the same */
	{ { 0x1000, 0x1400 }, { 0x1000, 0x100 }, false },  /* one within the other: its middle, its beginning, its end */
	{ { 0x1000, 0x1000 }, { 0x1000, 1 }, false },
	{ { 0x1000, 0x1f00 }, { 0x1000, 0x100 }, false },
	{ { 0, 0x1000 }, { UINT64_MAX, 1 }, false },       /* all but the last byte */
	{ { 0, UINT64_MAX }, { UINT64_MAX, 1 }, true },
	{ { 0xfffffffffffff000, UINT64_MAX }, { 0x1000, 1 }, false }, /* up to the end of all */
	{ { 0xfffffffffffff000, 0 }, { 0x1000, 0x1000 }, true },
	{ { 0xfffffffffffff000, 0 }, { 0x1000, 0xfffffffffffff000 }, true },
	{ { 0xfffffffffffff000, 0 }, { 0x1000, 0xfffffffffffff001 }, false },
	{ { 0x1000, 0x1800 }, { 0x1000, 0 }, true },       /* nothing is nowhere */
	{ { 0x1000, 0 }, { 0x1000, 0 }, true },
	{ { 0x1000, 0x1000 }, { 0, 0 }, true },
	{ { 0, 0 }, { UINT64_MAX, 0 }, true },
};

static bool gave(const char *want)
{
	struct span s = buf_span(&out);
	size_t n = strlen(want);

	return span_starts(s, HEAD) && span_starts(span_from(s, strlen(HEAD)), want) &&
	       span_is(span_from(s, strlen(HEAD) + n), "</memory-map>\n");
}

static void vectors_whole_and_cut(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v < vectors + sizeof vectors / sizeof *vectors; v++) {
		int rc = rewrite(v->in, strlen(v->in));

		if (v->out ? rc || !gave(v->out) : rc != -EBADMSG || out.len)
			fail_msg("%s: %d %.*s", v->in, rc, (int)out.len, (const char *)buf_data(&out));
		for (size_t n = 0; n < strlen(v->in); n++)
			assert_int_equal(rewrite(v->in, n), -EBADMSG);
	}
}

static void written_again(void **state)
{
	const struct vector *v = &vectors[3];
	char first[1024];

	(void)state;
	assert_int_equal(rewrite(v->in, strlen(v->in)), 0);
	snprintf(first, sizeof first, "%.*s", (int)out.len, (const char *)buf_data(&out));
	assert_int_equal(rewrite(first, strlen(first)), 0);
	assert_true(span_is(buf_span(&out), first));
}

static size_t put_region(char *to, const char *type, uint64_t start, uint64_t length)
{
	return (size_t)sprintf(to, "<memory type='%s' start='0x%llx' length='%llu'><property name='blocksize'>16</property></memory>", type,
			       (unsigned long long)start, (unsigned long long)length);
}

/* In either order, and of whatever kind: a region that is not RAM overlaps as well. */
static void two_regions(void **state)
{
	static const char *const types[] = { "ram", "rom", "flash" };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof pairs / sizeof *pairs; i++)
		for (size_t k = 0; k < 9; k++) {
			const struct pair *p = &pairs[i / 2];
			char doc[512] = "<memory-map>";
			size_t n = strlen(doc), first = i % 2;
			int rc;

			n += put_region(doc + n, types[k / 3], p->start[first], p->length[first]);
			n += put_region(doc + n, types[k % 3], p->start[!first], p->length[!first]);
			n += (size_t)sprintf(doc + n, "</memory-map>");
			rc = rewrite(doc, n);
			if (rc != (p->kept ? 0 : -EBADMSG) || (rc && out.len))
				fail_msg("%s: %d", doc, rc);
		}
}

/* So many that touch, from the last to the first; then one more, which touches nothing, overlaps, or is none at all. */
static int many(size_t n, uint64_t start, uint64_t length)
{
	static char doc[TDESC_DOC_MAX];
	size_t len = (size_t)sprintf(doc, "<memory-map>");

	for (size_t i = n; i-- > 0;)
		len += (size_t)sprintf(doc + len, "<memory type='ram' start='%zu' length='16'/>", i * 16);
	len += (size_t)sprintf(doc + len, "<memory type='ram' start='%llu' length='%llu'/></memory-map>", (unsigned long long)start,
			       (unsigned long long)length);
	return memory_map_rewrite((struct span){ (const uint8_t *)doc, len }, &out);
}

static void so_many_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(many(511, 1 << 20, 1), 0);
	assert_int_equal(many(512, 1 << 20, 0), 0);
	assert_int_equal(many(512, 1 << 20, 1), -E2BIG);
	assert_int_equal(out.len, 0);
	assert_int_equal(many(600, 1 << 20, 1), -E2BIG);
	for (uint64_t at = 0; at < 511; at++)
		assert_int_equal(many(511, at * 16 + 15, 1), -EBADMSG);
}

static void too_long(void **state)
{
	static char doc[TDESC_DOC_MAX + 1];
	struct buf small;

	(void)state;
	memset(doc, ' ', sizeof doc);
	assert_int_equal(rewrite(doc, sizeof doc), -E2BIG);
	for (size_t cap = 1; cap < strlen(HEAD RAM_OUT "</memory-map>\n"); cap++) {
		assert_int_equal(buf_init(&small, cap), 0);
		assert_int_equal(memory_map_rewrite(span_of(vectors[1].in), &small), -ENOBUFS);
		assert_int_equal(small.len, 0);
		buf_fini(&small);
	}
}

static int set_up(void **state)
{
	(void)state;
	return buf_init(&out, 65536);
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_whole_and_cut),
		cmocka_unit_test(written_again),
		cmocka_unit_test(two_regions),
		cmocka_unit_test(so_many_and_no_more),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
