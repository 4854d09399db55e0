/* features_test.c - qSupported, as real programs say it, whole and cut at every byte. */
#include "rsp/features.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct rsp_features f;

static int parse(const char *text, size_t n)
{
	return rsp_features_parse((struct span){ guard_copy(text, n), n }, &f);
}

static const struct vector {
	const char *in;
	int rc;
	unsigned can;
	uint64_t packet_size;
} vectors[] = {
	{ "", 0, 0, 0 },
	{ "PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+", 0,
	  RSP_CAN_TDESC | RSP_CAN_VCONT | RSP_CAN_MULTIPROCESS, 0x1000 },
	{ "multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vContSupported+;no-resumed+;xmlRegisters=i386;error-message+", 0,
	  RSP_CAN_MULTIPROCESS | RSP_CAN_SWBREAK | RSP_CAN_HWBREAK | RSP_CAN_VCONT | RSP_CAN_XML_REGISTERS | RSP_CAN_ERROR_TEXT, 0 },
	{ "PacketSize=131072;QStartNoAckMode+;QThreadSuffixSupported+;binary-upload+", 0, RSP_CAN_NO_ACK | RSP_CAN_BINARY_UPLOAD, 0x131072 },
	{ "ReverseStep+;ReverseContinue+;qXfer:memory-map:read+", 0,
	  RSP_CAN_REVERSE_STEP | RSP_CAN_REVERSE_CONTINUE | RSP_CAN_MEMORY_MAP, 0 },
	{ "swbreak-;hwbreak?;swbreakk+;swbrea+;swbreak;+;-;=;?", 0, 0, 0 },
	{ "swbreak+;swbreak-;hwbreak-;hwbreak+", 0, RSP_CAN_HWBREAK, 0 },
	{ "swbreak=1;xmlRegisters+;xmlRegistersX=1;=i386", 0, 0, 0 },
	{ ";;swbreak+;;", 0, RSP_CAN_SWBREAK, 0 },
	{ "PacketSize=7fffffff", 0, 0, 0x7fffffff },
	{ "PacketSize=ffffffffffffffff", 0, 0, 0xffffffff },
	{ "PacketSize=11111111111111111", -EBADMSG, 0, 0 },
	{ "PacketSize=", -EBADMSG, 0, 0 },
	{ "PacketSize=-1", -EBADMSG, 0, 0 },
	{ "PacketSize=10 ", -EBADMSG, 0, 0 },
	{ "PacketSize+", 0, 0, 0 },
	{ "swbreak+;\x1b[2J", -EBADMSG, 0, 0 },
	{ "swbreak+;\xff", -EBADMSG, 0, 0 },
};

static void vectors_whole(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v < vectors + sizeof vectors / sizeof *vectors; v++) {
		int rc = parse(v->in, strlen(v->in));

		if (rc != v->rc || (!rc && (f.can != v->can || f.packet_size != v->packet_size)))
			fail_msg("%s: %d %x", v->in, rc, f.can);
	}
}

/* Each shorter list says the same, or less. */
static void vectors_cut(void **state)
{
	(void)state;
	for (const struct vector *v = vectors; v < vectors + sizeof vectors / sizeof *vectors; v++)
		for (size_t n = 0; n < strlen(v->in); n++)
			if (parse(v->in, n) == 0 && !v->rc && !strchr(v->in, '-') && f.can & ~v->can)
				fail_msg("%s, cut at %zu", v->in, n);
}

static void beyond_64_items(void **state)
{
	char list[600] = "";
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 64; i++)
		n += (size_t)snprintf(list + n, sizeof list - n, "%s", i == 63 ? "hwbreak+;" : "x+;");
	snprintf(list + n, sizeof list - n, "swbreak+");
	assert_int_equal(parse(list, strlen(list)), 0);
	assert_int_equal(f.can, RSP_CAN_HWBREAK);
}

static void there_and_back(void **state)
{
	const unsigned all = (RSP_CAN_XML_REGISTERS << 1) - 1 - RSP_CAN_CTRL_C;
	struct buf out;

	(void)state;
	assert_int_equal(buf_init(&out, 512), 0);
	for (unsigned can = 0; can <= all; can++) {
		struct rsp_features said = { can & all, can };

		buf_reset(&out, 0);
		assert_int_equal(rsp_features_put(&out, &said), 0);
		assert_int_equal(rsp_features_parse(buf_span(&out), &f), 0);
		assert_int_equal(f.can, said.can);
		assert_int_equal(f.packet_size, said.packet_size);
	}
	buf_fini(&out);
}

static void written(void **state)
{
	struct rsp_features said = { RSP_CAN_NO_ACK | RSP_CAN_VCONT | RSP_CAN_CTRL_C, 0x4000 };
	struct buf out;

	(void)state;
	for (size_t cap = 1; cap <= 48; cap++) {
		assert_int_equal(buf_init(&out, cap), 0);
		assert_int_equal(rsp_features_put(&out, &said), cap < 48 ? -ENOBUFS : 0);
		assert_true(span_is(buf_span(&out), cap < 48 ? "" : "PacketSize=4000;QStartNoAckMode+;vContSupported+"));
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_whole),
		cmocka_unit_test(vectors_cut),
		cmocka_unit_test(beyond_64_items),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
