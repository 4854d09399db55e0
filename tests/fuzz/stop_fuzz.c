/* stop_fuzz.c - any bytes as a stop reply: what is accepted reads the same when written again for gdb. */
#include "rsp/framer.h"
#include "rsp/reply.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static int same_regs(const struct rsp_stop *a, const struct rsp_stop *b)
{
	for (size_t i = 0; i < a->regs_n; i++)
		if (a->regs[i].num != b->regs[i].num || a->regs[i].len != b->regs[i].len ||
		    memcmp(a->regs[i].value, b->regs[i].value, a->regs[i].len))
			return 0;
	return a->regs_n == b->regs_n;
}

static int same(const struct rsp_stop *a, const struct rsp_stop *b)
{
	return a->kind == b->kind && a->code == b->code && a->has_thread == b->has_thread && a->has_core == b->has_core &&
	       (!a->has_thread || (a->thread.pid == b->thread.pid && a->thread.tid == b->thread.tid)) && a->core == b->core &&
	       (a->why == b->why || a->why == RSP_WHY_LIBRARY) && a->addr == b->addr && same_regs(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rsp_dialect gdb = { .swbreak = true, .hwbreak = true }, lldb = { .lldb = true, .list_threads = true };
	static struct rsp_stop a, b;
	struct buf out;

	if (rsp_stop_parse((struct span){ data, size }, &a) < 0)
		return 0;
	must(buf_init(&out, 65536) == 0);
	must(rsp_say_stop(&out, &gdb, &a, NULL, 0) == 0);
	must(rsp_stop_parse((struct span){ buf_data(&out) + 1, out.len - 4 }, &b) == 0 && same(&a, &b));
	buf_reset(&out, 0);
	must(rsp_say_stop(&out, &lldb, &a, &a.thread, 1) == 0);
	must(rsp_stop_parse((struct span){ buf_data(&out) + 1, out.len - 4 }, &b) == 0);
	must(a.kind == RSP_STOP_NONE_LEFT || same_regs(&a, &b));
	buf_fini(&out);
	return 0;
}
