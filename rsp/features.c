/* features.c - see features.h. */
#include "rsp/features.h"

#include "base/hex.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { ITEMS_MAX = 64 };

/* What is said with + or -; value: what is said with = instead. */
static const struct row {
	const char *name, *value;
	enum rsp_feature can;
} rows[] = {
	{ "QStartNoAckMode", NULL, RSP_CAN_NO_ACK },
	{ "vContSupported", NULL, RSP_CAN_VCONT },
	{ "qXfer:features:read", NULL, RSP_CAN_TDESC },
	{ "qXfer:memory-map:read", NULL, RSP_CAN_MEMORY_MAP },
	{ "qXfer:libraries:read", NULL, RSP_CAN_LIBRARIES },
	{ "qXfer:libraries-svr4:read", NULL, RSP_CAN_LIBRARIES_SVR4 },
	{ "qXfer:threads:read", NULL, RSP_CAN_THREADS },
	{ "qXfer:exec-file:read", NULL, RSP_CAN_EXEC_FILE },
	{ "qXfer:auxv:read", NULL, RSP_CAN_AUXV },
	{ "qXfer:siginfo:read", NULL, RSP_CAN_SIGINFO },
	{ "swbreak", NULL, RSP_CAN_SWBREAK },
	{ "hwbreak", NULL, RSP_CAN_HWBREAK },
	{ "ReverseStep", NULL, RSP_CAN_REVERSE_STEP },
	{ "ReverseContinue", NULL, RSP_CAN_REVERSE_CONTINUE },
	{ "error-message", NULL, RSP_CAN_ERROR_TEXT },
	{ "binary-upload", NULL, RSP_CAN_BINARY_UPLOAD },
	{ "multiprocess", NULL, RSP_CAN_MULTIPROCESS },
	{ "xmlRegisters", "i386,arm,mips,arc", RSP_CAN_XML_REGISTERS }, /* stubs look for their own name in it */
};
enum { ROWS = sizeof rows / sizeof *rows };

static const struct row *row_of(struct span name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (span_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

static int take_size(struct span value, struct rsp_features *f)
{
	struct cursor c = cursor_of(value);
	uint64_t size = hex_number(&c, 16);

	f->packet_size = size < UINT32_MAX ? size : UINT32_MAX;
	return cursor_done(&c) ? 0 : -EBADMSG;
}

static int take_valued(struct span name, struct span value, struct rsp_features *f)
{
	const struct row *row = row_of(name);

	if (span_is(name, "PacketSize"))
		return take_size(value, f);
	if (row && row->value)
		f->can |= row->can;
	return 0;
}

/* The last sign counts, as gdb reads it; ? is "ask me". */
static void take_signed(struct span name, uint8_t sign, struct rsp_features *f)
{
	const struct row *row = row_of(name);

	if (!row || row->value || (sign != '+' && sign != '-'))
		return;
	f->can = sign == '+' ? f->can | row->can : f->can & ~(unsigned)row->can;
}

static int take_item(struct span item, struct rsp_features *f)
{
	const uint8_t *eq = item.len ? memchr(item.p, '=', item.len) : NULL;
	size_t at = eq ? (size_t)(eq - item.p) : 0;

	if (eq)
		return take_valued((struct span){ item.p, at }, span_from(item, at + 1), f);
	if (item.len)
		take_signed((struct span){ item.p, item.len - 1 }, item.p[item.len - 1], f);
	return 0;
}

static bool printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return true;
}

int rsp_features_parse(struct span list, struct rsp_features *f)
{
	int rc = printable(list) ? 0 : -EBADMSG;

	*f = (struct rsp_features){ 0 };
	for (size_t i = 0; !rc && list.len && i < ITEMS_MAX; i++) {
		const uint8_t *end = memchr(list.p, ';', list.len);
		struct span item = { list.p, end ? (size_t)(end - list.p) : list.len };

		rc = take_item(item, f);
		list = span_from(list, item.len + 1);
	}
	return rc;
}

static int put_row(struct buf *out, const struct row *row, const char *sep)
{
	if (row->value)
		return buf_printf(out, "%s%s=%s", sep, row->name, row->value);
	return buf_printf(out, "%s%s+", sep, row->name);
}

int rsp_features_put(struct buf *out, const struct rsp_features *f)
{
	size_t before = out->len;
	int rc = f->packet_size ? buf_printf(out, "PacketSize=%" PRIx64, f->packet_size) : 0;

	for (size_t i = 0; !rc && i < ROWS; i++)
		if (f->can & rows[i].can)
			rc = put_row(out, &rows[i], out->len > before ? ";" : "");
	if (rc)
		buf_cut(out, before);
	return rc;
}
