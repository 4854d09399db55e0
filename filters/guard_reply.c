/* guard_reply.c - what a command may be answered with. See guard.h. */
#include "filters/guard.h"

#include "base/hex.h"

#include <string.h>

enum { TEXT_MAX = 4096, REG_MAX = 64, G_MAX = 8192 };

static size_t reg_bytes(const struct tdesc_reg *reg)
{
	return (reg->bits + 7) / 8;
}

static struct rsp_expect expect_reg(const struct rsp_cmd *cmd, const struct tdesc *tdesc)
{
	const struct tdesc_reg *reg = tdesc ? tdesc_reg(tdesc, (unsigned)cmd->num[0]) : NULL;

	return (struct rsp_expect){ .form = RSP_FORM_REGS, .most = reg ? reg_bytes(reg) : REG_MAX, .exact = reg != NULL };
}

struct rsp_expect guard_expect(const struct rsp_cmd *cmd, const struct tdesc *tdesc, size_t asked)
{
	switch ((int)cmd->op) {
	case RSP_OP_MEM_READ:
	case RSP_OP_MEM_READ_BIN:
		return (struct rsp_expect){ .form = RSP_FORM_HEX, .most = asked };
	case RSP_OP_REG_READ:
		return expect_reg(cmd, tdesc);
	case RSP_OP_REGS_READ:
		return (struct rsp_expect){ .form = RSP_FORM_REGS, .most = tdesc ? tdesc->g_bytes : G_MAX };
	default:
		return (struct rsp_expect){ .form = cmd->spec->form, .most = TEXT_MAX };
	}
}

/* A stub may leave out the registers at the end of a g, whole ones. */
static bool ends_with_register(const struct tdesc *tdesc, size_t len)
{
	bool ends = len == tdesc->g_bytes;

	for (size_t i = 0; !ends && i < tdesc->regs_n; i++)
		ends = tdesc->regs[i].at == len;
	return ends;
}

/* h: 1 to 16 hex digits; d: the same, decimal; H: bytes in hex; P: printable text in hex; the rest: itself. A packet that is not
 * here may be answered with any printable text. */
static const struct shape {
	const char *name, *text;
} shapes[] = {
	{ "qCRC:", "Ch" },
	{ "qSearch:memory:", "0" },
	{ "qSearch:memory:", "1,h" },
	{ "qGetTIBAddr:", "h" },
	{ "qGetTLSAddr:", "h" },
	{ "qFileLoadAddress:", "h" },
	{ "qShlibInfoAddr", "h" },
	{ "qGetPid", "h" },
	{ "qIsAddressTagged:", "h" },
	{ "_M", "h" },
	{ "qMemTags:", "mH" },
	{ "qGetWorkingDir", "P" },
	{ "qUserName:", "P" },
	{ "qGroupName:", "P" },
	{ "QSaveRegisterState", "d" },
	{ "qOffsets", "Text=h;Data=h" },
	{ "qOffsets", "Text=h;Data=h;Bss=h" },
	{ "qOffsets", "TextSeg=h" },
	{ "qOffsets", "TextSeg=h;DataSeg=h" },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static bool take_digits(struct cursor *c, bool decimal)
{
	size_t n = 0;

	while (cursor_peek(c) >= 0 && hex_value((uint8_t)cursor_peek(c)) >= 0 && (!decimal || cursor_peek(c) <= '9')) {
		(void)cursor_u8(c);
		n++;
	}
	return n >= 1 && n <= 16;
}

/* To the end, or to a ; . */
static bool take_hex(struct cursor *c, bool printable)
{
	bool good = true;

	while (good && cursor_peek(c) >= 0 && cursor_peek(c) != ';') {
		int hi = hex_value(cursor_u8(c)), lo = hex_value(cursor_u8(c)), byte = hi * 16 + lo;

		good = !c->bad && hi >= 0 && lo >= 0 && (!printable || (byte >= 0x20 && byte < 0x7f));
	}
	return good;
}

static bool take(struct cursor *c, char want)
{
	switch (want) {
	case 'h':
	case 'd':
		return take_digits(c, want == 'd');
	case 'H':
	case 'P':
		return take_hex(c, want == 'P');
	default:
		return cursor_skip(c, (uint8_t)want);
	}
}

static bool has_shape(struct span text, const char *shape)
{
	struct cursor c = cursor_of(text);

	while (*shape && take(&c, *shape))
		shape++;
	return !*shape && cursor_done(&c);
}

struct region {
	uint64_t start, size;
	bool has_start, has_size;
};

/* Once, and a number to its end: of one that is said twice lldb takes the last, of one that is none it takes nothing. */
static bool take_region_number(struct cursor *c, bool *has, uint64_t *to)
{
	bool again = *has;

	*has = true;
	*to = hex_number(c, 16);
	return !again && !c->bad;
}

/* "start:1000;size:2000;permissions:rx;name:2f62;" */
static bool take_region_value(struct cursor *c, struct span key, struct region *region)
{
	if (span_is(key, "start"))
		return take_region_number(c, &region->has_start, &region->start);
	if (span_is(key, "size"))
		return take_region_number(c, &region->has_size, &region->size);
	if (span_is(key, "name") || span_is(key, "error"))
		return take_hex(c, true);
	while (cursor_peek(c) >= 0 && cursor_peek(c) != ';')
		(void)cursor_u8(c);
	return true;
}

static bool take_region_pair(struct cursor *c, struct region *region)
{
	struct span key = { c->p, 0 };

	while (cursor_peek(c) >= 0 && cursor_peek(c) != ';' && cursor_peek(c) != ':') {
		(void)cursor_u8(c);
		key.len++;
	}
	return cursor_skip(c, ':') && take_region_value(c, key, region) && cursor_skip(c, ';');
}

/* lldb asks on at its end: that lies behind what was asked for, or it would be asked for again and again. The last byte of all
 * belongs to none, as lldb-server has it. */
static bool region_fits(struct span text, uint64_t addr)
{
	struct cursor c = cursor_of(text);
	struct region r = { .size = 0 };

	while (!cursor_done(&c))
		if (!take_region_pair(&c, &r))
			return false;
	return !r.has_size || (r.size && r.size <= UINT64_MAX - r.start && r.start <= addr && addr - r.start < r.size);
}

static bool text_fits(const struct rsp_cmd *cmd, struct span text)
{
	const char *name = cmd->spec->name;
	bool known = false;

	if (!strcmp(name, "qMemoryRegionInfo"))
		return region_fits(text, cmd->addr);
	for (size_t i = 0; i < SHAPES; i++) {
		if (strcmp(shapes[i].name, name))
			continue;
		known = true;
		if (has_shape(text, shapes[i].text))
			return true;
	}
	return !known;
}

bool guard_reply_fits(const struct rsp_cmd *cmd, const struct rsp_reply *reply, const struct tdesc *tdesc, size_t g_len)
{
	size_t len = reply->bytes.len / 2;

	if (reply->kind == RSP_REPLY_TEXT)
		return text_fits(cmd, reply->bytes);
	if (reply->kind != RSP_REPLY_REGS || cmd->op != RSP_OP_REGS_READ)
		return true;
	return len && (!g_len || len == g_len) && (!tdesc || ends_with_register(tdesc, len));
}
