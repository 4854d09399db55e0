/* reply_fuzz.c - any bytes as an answer to any request: what is accepted is within bounds, and reads the same when
 * written again. The first two bytes choose the request. */
#include "rsp/framer.h"
#include "rsp/reply.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 65536, IDS = 16 };

static const enum rsp_op ops[] = {
	[RSP_FORM_BINARY] = RSP_OP_MEM_READ_BIN, [RSP_FORM_THREADS] = RSP_OP_THREADS_FIRST, [RSP_FORM_FILE] = RSP_OP_FILE,
};

static int same(const struct rsp_reply *a, const struct rsp_reply *b)
{
	if (a->kind != b->kind || a->code != b->code || a->result != b->result || a->bytes.len != b->bytes.len || a->threads_n != b->threads_n)
		return 0;
	for (size_t i = 0; i < a->threads_n; i++)
		if (a->threads[i].pid != b->threads[i].pid || a->threads[i].tid != b->threads[i].tid)
			return 0;
	return !a->bytes.len || !memcmp(a->bytes.p, b->bytes.p, a->bytes.len);
}

static void bounded(const struct rsp_reply *r, const struct rsp_expect *want)
{
	size_t n = r->kind == RSP_REPLY_REGS ? r->bytes.len / 2 : r->bytes.len;

	must(r->threads_n <= want->threads_max);
	if (r->kind == RSP_REPLY_ERROR)
		must(n <= RSP_ERROR_TEXT);
	else if (r->kind != RSP_REPLY_OUTPUT && want->form != RSP_FORM_MONITOR)
		must(n <= want->most);
}

/* Errors change in writing: words are for those who can read them. */
static void again(const struct rsp_reply *r, const struct rsp_expect *want)
{
	static const struct rsp_dialect d = { .lldb = false };
	struct rsp_cmd cmd = { .op = want->form < sizeof ops / sizeof *ops ? ops[want->form] : RSP_OP_PLAIN };
	struct rsp_thread ids[IDS];
	struct rsp_expect more = *want;
	struct rsp_reply b;
	struct buf out;

	more.threads = ids;
	must(buf_init(&out, ROOM) == 0);
	must(rsp_say_reply(&out, &d, &cmd, r) == 0);
	must(out.len >= 4 && !memchr(buf_data(&out) + 1, '$', out.len - 1));
	must(memchr(buf_data(&out), '#', out.len) == buf_data(&out) + out.len - 3);
	if (r->kind != RSP_REPLY_ERROR)
		must(rsp_reply_parse(buf_data(&out) + 1, out.len - 4, &more, &b, NULL) == 0 && same(r, &b));
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rsp_stop stop;
	struct rsp_thread ids[IDS];
	struct rsp_expect want = { .threads = ids, .threads_max = IDS };
	struct rsp_reply r;
	uint8_t *body;

	if (size < 2 || size > ROOM / 8)
		return 0;
	want.form = (enum rsp_form)(data[0] % (RSP_FORM_FILE + 1));
	want.exact = data[0] >= 128;
	want.most = data[1];
	body = malloc(size - 2 ? size - 2 : 1);
	must(body != NULL);
	memcpy(body, data + 2, size - 2);
	if (rsp_reply_parse(body, size - 2, &want, &r, &stop) == 0 && r.kind != RSP_REPLY_STOP) {
		bounded(&r, &want);
		again(&r, &want);
	}
	free(body);
	return 0;
}
