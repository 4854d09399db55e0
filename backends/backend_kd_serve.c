/* backend_kd_serve.c - what clients ask of a stopped KD target: registers, memory, processors. */
#include "backends/backend_kd_parts.h"

#include "base/hex.h"

#include <stdio.h>
#include <string.h>

enum { NO_MEMORY = 14, REFUSED = 1 };

/* Processor n is thread n + 1; no thread, or any, is the processor that stopped. -1: there is none. */
static int cpu_of(const struct backend_kd *b, const struct rsp_cmd *cmd)
{
	int64_t tid = cmd->thread.tid;

	if (!rsp_thread_names_one(cmd->thread))
		return (int)b->stop.front;
	return tid > 0 && tid <= b->processors ? (int)(tid - 1) : -1;
}

/* A register's. There is none of UINT16_MAX. */
static unsigned number_of(const struct rsp_cmd *cmd)
{
	return cmd->num[0] < UINT16_MAX ? (unsigned)cmd->num[0] : UINT16_MAX;
}

static int no_thread(struct backend_kd *b, struct backend_news *news)
{
	return backend_kd_say_error(b, news, REFUSED, "there is no such processor");
}

static int put_register(const struct kd_regs *r, unsigned num, struct buf *out)
{
	uint8_t value[KD_REG_MAX];
	int n = kd_reg_get(r, num, value);

	if (n >= 0)
		return hex_put(out, (struct span){ value, (size_t)n });
	for (unsigned i = 0; i < kd_reg(r->machine, num)->bits / 4; i++)
		if (buf_put_u8(out, 'x') < 0)
			return -ENOBUFS;
	return 0;
}

static int read_registers(struct backend_kd *b, struct backend_news *news)
{
	int cpu = cpu_of(b, &b->task.cmd), rc;

	if (cpu < 0)
		return no_thread(b, news);
	rc = backend_kd_need(b, (unsigned)cpu, KD_NEEDS_CONTEXT | KD_NEEDS_SPECIAL);
	if (rc <= 0)
		return rc;
	if (!b->cpus[cpu].regs.context_n)
		return backend_kd_say_error(b, news, REFUSED, "the target did not tell that processor's registers");
	buf_reset(&b->doc, 0);
	for (unsigned i = 0; i < kd_reg_cheap(b->version.machine); i++)
		if (put_register(&b->cpus[cpu].regs, i, &b->doc) < 0)
			return -ENOBUFS;
	return backend_kd_say_doc(b, news, RSP_REPLY_REGS);
}

static int read_register(struct backend_kd *b, struct backend_news *news)
{
	unsigned num = number_of(&b->task.cmd);
	int cpu = cpu_of(b, &b->task.cmd), rc;

	if (cpu < 0 || !kd_reg(b->version.machine, num))
		return backend_kd_say_error(b, news, REFUSED, "there is no such register");
	rc = backend_kd_need(b, (unsigned)cpu, kd_reg_needs(b->version.machine, num));
	if (rc <= 0)
		return rc;
	buf_reset(&b->doc, 0);
	return put_register(&b->cpus[cpu].regs, num, &b->doc) < 0 ? -ENOBUFS : backend_kd_say_doc(b, news, RSP_REPLY_REGS);
}

/* 0; what the target would not take is the client's error. */
static int change_all(struct backend_kd *b, struct kd_regs *r)
{
	size_t at = 0;

	for (unsigned i = 0; i < kd_reg_cheap(b->version.machine); i++) {
		size_t n = kd_reg(b->version.machine, i)->bits / 8;
		int rc;

		if (n > b->task.cmd.data.len - at)
			return 0; /* gdb may send fewer */
		rc = kd_reg_put(r, i, b->task.cmd.data.p + at, n);
		if (rc < 0 && rc != -ENODATA)
			return rc;
		at += n;
	}
	return 0;
}

static int refuse_change(struct backend_kd *b, struct backend_news *news, int rc)
{
	static const struct backend_kd_words lines[] = {
		{ -EPERM, "that register cannot be changed through KD" },
		{ -EINVAL, "the register does not hold that value" },
		{ -ENODATA, "the target did not tell that register" },
		{ -EIO, "the target refused the registers" },
		{ -ENOENT, "there is no such register" },
	};

	return backend_kd_say_error(b, news, REFUSED, backend_kd_words(lines, sizeof lines / sizeof *lines, rc));
}

static int change(struct backend_kd *b, struct kd_regs *r, unsigned num)
{
	backend_kd_drop_answer(b);
	return b->task.cmd.op == RSP_OP_REGS_WRITE ? change_all(b, r) : kd_reg_put(r, num, b->task.cmd.data.p, b->task.cmd.data.len);
}

static int write_registers(struct backend_kd *b, struct backend_news *news)
{
	unsigned num = number_of(&b->task.cmd), needs = KD_NEEDS_CONTEXT | KD_NEEDS_SPECIAL;
	int cpu = cpu_of(b, &b->task.cmd), rc;

	if (cpu < 0)
		return no_thread(b, news);
	if (b->task.cmd.op == RSP_OP_REG_WRITE)
		needs = kd_reg_needs(b->version.machine, num);
	rc = b->task.step ? 1 : backend_kd_need(b, (unsigned)cpu, needs);
	if (rc <= 0)
		return rc;
	rc = b->task.step++ ? 0 : change(b, &b->cpus[cpu].regs, num);
	if (rc >= 0)
		rc = backend_kd_put_back(b, (unsigned)cpu);
	if (rc == 0)
		return 0;
	if (rc < 0)
		b->cpus[cpu].tried = 0; /* what it has now is to be asked again */
	return rc < 0 ? refuse_change(b, news, rc) : backend_kd_say_ok(b, news);
}

/* The bytes at its PC came with its report: a debugger reads them after each step. */
static struct span reported(const struct backend_kd *b, size_t n)
{
	const struct kd_report *r = &b->st.report;
	uint64_t at = b->task.cmd.addr - b->st.pc;

	return r->have && at < r->stream_n && n <= r->stream_n - at ? (struct span){ r->stream + at, n } : (struct span){ 0 };
}

static int read_memory(struct backend_kd *b, struct backend_news *news)
{
	size_t n = b->task.cmd.len < RSP_DATA_MAX ? b->task.cmd.len : RSP_DATA_MAX;
	struct span got = reported(b, n);
	int rc = got.len ? 1 : backend_kd_fetch_some(b, b->task.cmd.addr, n, false);

	if (rc <= 0)
		return rc;
	if (!got.len)
		got = buf_span(&b->fetch.bytes);
	if (n && !got.len)
		return backend_kd_say_error(b, news, NO_MEMORY, "the target cannot read there (paged out, or not mapped)");
	buf_reset(&b->doc, 0);
	if (buf_put_span(&b->doc, got) < 0)
		return -ENOBUFS;
	kd_sites_mask(&b->breaks.sites, b->version.machine, b->task.cmd.addr, buf_data(&b->doc), b->doc.len);
	return backend_kd_say_doc(b, news, RSP_REPLY_BYTES);
}

/* Page by page: a write that fails in the middle has not happened beyond a page. */
static struct span to_write(const struct backend_kd *b, uint64_t addr)
{
	enum { MOST = 2048, NET_MOST = 1024 /* within an Ethernet frame */ };
	struct span left = span_from(b->task.cmd.data, b->task.at);
	size_t page = kd_page_left(addr), most = backend_kd_is_net(b) ? NET_MOST : MOST;

	most = most < page ? most : page;
	return (struct span){ left.p, left.len < most ? left.len : most };
}

static bool take_written(struct backend_kd *b)
{
	struct span written = { b->task.cmd.data.p + b->task.at, b->req.reply.actual };

	kd_sites_written(&b->breaks.sites, b->version.machine, b->task.cmd.addr + b->task.at, written);
	b->task.at += written.len;
	return backend_kd_good(b) && written.len;
}

static int write_memory(struct backend_kd *b, struct backend_news *news)
{
	int rc = b->task.step ? 1 : backend_kd_lift(b, b->task.cmd.addr, b->task.cmd.data.len);
	struct kd_request r;
	uint64_t addr;

	if (rc <= 0)
		return rc;
	if (!b->task.step++)
		backend_kd_drop_answer(b);
	kd_fetch_forget(&b->fetch);
	b->st.report.stream_n = 0; /* as it was */
	if (backend_kd_answer(b) && !take_written(b))
		return backend_kd_say_error(b, news, NO_MEMORY, b->task.at ? "the target wrote only a part of that" : "the target cannot write there");
	if (b->task.at >= b->task.cmd.data.len)
		return backend_kd_say_ok(b, news);
	addr = b->task.cmd.addr + b->task.at;
	r = kd_write_virtual(backend_kd_here(b), addr, to_write(b, addr));
	return backend_kd_ask(b, &r);
}

static int list_threads(struct backend_kd *b, struct backend_news *news)
{
	size_t n = 0;

	b->threads[n++] = (struct rsp_thread){ .tid = b->stop.front + 1 }; /* first: some clients take it for the one that stopped */
	for (unsigned i = 0; i < b->processors; i++)
		if (i != b->stop.front)
			b->threads[n++] = (struct rsp_thread){ .tid = i + 1 };
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .threads = b->threads, .threads_n = n, .last = true });
}

static int no_more_threads(struct backend_kd *b, struct backend_news *news)
{
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .last = true });
}

static int describe_thread(struct backend_kd *b, struct backend_news *news)
{
	int cpu = cpu_of(b, &b->task.cmd);

	if (cpu < 0)
		return no_thread(b, news);
	buf_reset(&b->doc, 0);
	if (buf_printf(&b->doc, "processor %d", cpu) < 0 ||
	    (cpu == b->st.processor && b->st.thread && buf_printf(&b->doc, ", thread 0x%llx", (unsigned long long)b->st.thread) < 0))
		return -ENOBUFS;
	return backend_kd_say_doc(b, news, RSP_REPLY_BYTES);
}

static int is_alive(struct backend_kd *b, struct backend_news *news)
{
	return cpu_of(b, &b->task.cmd) < 0 ? no_thread(b, news) : backend_kd_say_ok(b, news);
}

static int current_thread(struct backend_kd *b, struct backend_news *news)
{
	b->threads[0] = (struct rsp_thread){ .tid = b->stop.front + 1 };
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .threads = b->threads, .threads_n = 1 });
}

static int no_document(struct backend_kd *b, struct backend_news *news)
{
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_UNSUPPORTED });
}

/* A gdb that knows Windows asks for the thread's block when it meets its program, and gives up where that is unsupported. */
static int no_thread_block(struct backend_kd *b, struct backend_news *news)
{
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_TEXT, .bytes = span_of("0") });
}

/* What the memory map says, and what is between its regions: lldb gives what it computes addresses where it believes that nothing is, in a
 * map of its own. In a narrow space it needs to be given such a place. */
static const struct region {
	uint64_t from, to;
	bool there;
} narrow[] = {
	{ 0, 0xff000000, true },
	{ 0xff000000, 0xffc00000, false },
	{ 0xffc00000, 0xfffff000, true },
	{ 0xfffff000, UINT64_MAX, false },
}, wide[] = {
	{ 0, 0x800000000000, true },
	{ 0x800000000000, 0xffff800000000000, false },
	{ 0xffff800000000000, 0xfffffffffffff000, true },
	{ 0xfffffffffffff000, UINT64_MAX, false },
};

static int region(struct backend_kd *b, struct backend_news *news)
{
	const struct region *r = b->version.machine == KD_I386 ? narrow : wide;

	while (b->task.cmd.addr >= r->to && r->to != UINT64_MAX)
		r++;
	buf_reset(&b->doc, 0);
	if (buf_printf(&b->doc, "start:%llx;size:%llx;%s", (unsigned long long)r->from, (unsigned long long)(r->to - r->from),
		       r->there ? "permissions:rwx;" : "") < 0)
		return -ENOBUFS;
	return backend_kd_say_doc(b, news, RSP_REPLY_TEXT);
}

static bool is_named(const struct rsp_cmd *cmd, const char *name)
{
	return cmd->spec && strcmp(cmd->spec->name, name) == 0;
}

int (*backend_kd_task_of(const struct rsp_cmd *cmd))(struct backend_kd *b, struct backend_news *news)
{
	static int (*const tasks[RSP_OPS])(struct backend_kd *b, struct backend_news *news) = {
		[RSP_OP_REGS_READ] = read_registers, [RSP_OP_REG_READ] = read_register,
		[RSP_OP_REGS_WRITE] = write_registers, [RSP_OP_REG_WRITE] = write_registers,
		[RSP_OP_MEM_READ] = read_memory, [RSP_OP_MEM_READ_BIN] = read_memory,
		[RSP_OP_MEM_WRITE] = write_memory, [RSP_OP_MEM_WRITE_BIN] = write_memory,
		[RSP_OP_BREAK_SET] = backend_kd_task_set, [RSP_OP_BREAK_CLEAR] = backend_kd_task_clear,
		[RSP_OP_RESUME] = backend_kd_task_resume, [RSP_OP_THREADS_FIRST] = list_threads, [RSP_OP_THREADS_NEXT] = no_more_threads,
		[RSP_OP_THREAD_EXTRA] = describe_thread, [RSP_OP_THREAD_ALIVE] = is_alive, [RSP_OP_THREAD_CURRENT] = current_thread,
		[RSP_OP_XFER_READ] = no_document, [RSP_OP_MONITOR] = backend_kd_task_monitor,
	};

	static const struct {
		const char *name;
		int (*task)(struct backend_kd *b, struct backend_news *news);
	} named[] = {
		{ "qOffsets", backend_kd_task_offsets }, { "qFileLoadAddress:", backend_kd_task_load_address },
		{ "qGetTIBAddr:", no_thread_block }, { "qMemoryRegionInfo", region },
	};

	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (is_named(cmd, named[i].name))
			return named[i].task;
	if (cmd->op == RSP_OP_XFER_READ && (span_is(cmd->text, "libraries") || span_is(cmd->text, "libraries-svr4")))
		return backend_kd_task_libraries;
	return cmd->op < RSP_OPS ? tasks[cmd->op] : NULL;
}
