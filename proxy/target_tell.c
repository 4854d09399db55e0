/* target_tell.c - what a client is told of the target without the target being asked. See target.h. */
#include "proxy/target_parts.h"

#include "base/hex.h"
#include "rsp/tdesc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void tell_reply(struct session *s, struct rsp_reply reply)
{
	session_tell(s, SESSION_REPLY, &(struct session_news){ .reply = &reply });
}

/* What is offered only to whom policy grants it. */
static const struct {
	enum rsp_effect effect;
	unsigned can;
} granted[] = {
	{ RSP_EFF_RUN, RSP_CAN_REVERSE_STEP | RSP_CAN_REVERSE_CONTINUE },
	{ RSP_EFF_PROCESS, RSP_CAN_EXEC_FILE },
	{ RSP_EFF_MEM_READ, RSP_CAN_AUXV | RSP_CAN_SIGINFO | RSP_CAN_BINARY_UPLOAD },
	{ RSP_EFF_QUERY, RSP_CAN_LIBRARIES | RSP_CAN_LIBRARIES_SVR4 | RSP_CAN_THREADS },
};

/* What the target can, the client understands and its policy grants. */
static unsigned offered(const struct target *t, const struct session *s)
{
	unsigned can = RSP_CAN_NO_ACK | RSP_CAN_BINARY_UPLOAD | RSP_CAN_ERROR_TEXT | t->be->ops->info(t->be)->can;

	for (size_t i = 0; i < sizeof granted / sizeof *granted; i++)
		if (!policy_grants(s->who.policy, granted[i].effect))
			can &= ~granted[i].can;
	if (!target_keeps_paths(s))
		can &= ~(unsigned)RSP_CAN_EXEC_FILE;
	if (s->dialect.lldb)
		can &= ~(unsigned)RSP_CAN_BINARY_UPLOAD;
	return s->dialect.error_text ? can : can & ~(unsigned)RSP_CAN_ERROR_TEXT;
}

static bool on_supported(struct target *t, struct session *s)
{
	struct rsp_features f = { .can = offered(t, s), .packet_size = SESSION_PACKET };
	uint8_t room[512];
	struct buf out = { .base = room, .cap = sizeof room };

	if (rsp_features_put(&out, &f) < 0)
		buf_reset(&out, 0);
	session_text(s, buf_span(&out));
	return true;
}

static struct span document(const struct backend_info *info, const struct rsp_cmd *cmd)
{
	if (span_is(cmd->text, "features") && info->tdesc && span_is(cmd->annex, "target.xml"))
		return buf_span(&info->tdesc->xml);
	if (span_is(cmd->text, "memory-map") && !cmd->annex.len)
		return info->memory_map;
	return (struct span){ 0 };
}

static bool on_xfer(struct target *t, struct session *s)
{
	struct span doc = document(t->be->ops->info(t->be), &s->cmd);

	if (!doc.len)
		return target_tell_doc(t, s);
	target_say_piece(s, doc);
	return true;
}

/* What lldb calls the processor. It is asked for so that lldb waits longer for an answer than it would. */
static const char *lldb_cpu(const struct backend_info *info)
{
	static const struct {
		const char *arch, *cpu;
	} known[] = {
		{ "i386:x86-64", "x86_64" }, { "i386", "i386" },          { "aarch64", "aarch64" },
		{ "arm", "arm" },            { "riscv:rv64", "riscv64" }, { "powerpc:common64", "powerpc64" },
	};

	for (size_t i = 0; info->tdesc && i < sizeof known / sizeof *known; i++)
		if (!strcmp(known[i].arch, info->tdesc->arch))
			return known[i].cpu;
	return NULL;
}

/* Of an unknown system lldb searches the memory for a kernel of Darwin's; of Windows it takes libraries for PE files, and a list of
 * them takes long over a serial line. */
static int put_host(const struct backend_info *info, struct buf *out)
{
	static const struct {
		const char *system;
		unsigned seconds;
	} hosts[] = { { "-unknown-unknown", 20 }, { "-pc-windows-msvc", 60 } };
	const char *cpu = lldb_cpu(info);
	int rc = cpu ? buf_put_text(out, "triple:") : -ENOENT;

	rc = rc ? rc : hex_put(out, span_of(cpu));
	rc = rc ? rc : hex_put(out, span_of(hosts[info->windows].system));
	return rc ? rc : buf_printf(out, ";default_packet_timeout:%u;", hosts[info->windows].seconds);
}

static bool on_host_info(struct target *t, struct session *s)
{
	uint8_t room[256];
	struct buf out = { .base = room, .cap = sizeof room };

	s->dialect.lldb = true;
	if (put_host(t->be->ops->info(t->be), &out) < 0)
		session_unsupported(s);
	else
		session_text(s, buf_span(&out));
	return true;
}

static bool unsupported(struct target *t, struct session *s)
{
	(void)t;
	session_unsupported(s);
	return true;
}

/* Only non-stop has a use for vCtrlC; what stands is stopped already. */
static bool on_ctrl_c(struct target *t, struct session *s)
{
	if (t->state == TARGET_RUNNING)
		return false;
	session_ok(s);
	return true;
}

static bool on_status(struct target *t, struct session *s)
{
	struct rsp_stop stop = t->stop;
	struct session_news news = { .stop = &stop, .threads = t->threads, .threads_n = t->threads_known ? t->threads_n : 0 };

	if (t->state == TARGET_RUNNING)
		return false;
	stop.libraries = t->be->ops->info(t->be)->windows;
	target_cache_expedite(t, &stop);
	session_tell(s, SESSION_STATUS, &news);
	return true;
}

/* lldb asks for threads before it asks whether the target stands. Where it may not stop it, it is told of the last. */
static bool tells_threads(const struct target *t, const struct session *s)
{
	return t->state != TARGET_RUNNING || (s->role != SESSION_CONTROLLER && !s->met);
}

static bool on_current(struct target *t, struct session *s)
{
	if (!t->stop.has_thread || !tells_threads(t, s))
		return false;
	tell_reply(s, (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .threads = &t->stop.thread, .threads_n = 1 });
	return true;
}

static bool on_threads(struct target *t, struct session *s)
{
	bool last = t->state == TARGET_RUNNING && t->stop.has_thread;

	if (!tells_threads(t, s) || (!last && !t->threads_known))
		return false;
	tell_reply(s, last ? (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .threads = &t->stop.thread, .threads_n = 1 } :
	                     (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .threads = t->threads, .threads_n = t->threads_n });
	return true;
}

/* The whole list was in the first answer. */
static bool on_threads_next(struct target *t, struct session *s)
{
	(void)t;
	tell_reply(s, (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .last = true });
	return true;
}

bool target_tell(struct target *t, struct session *s)
{
	static bool (*const tells[RSP_OPS])(struct target *, struct session *) = {
		[RSP_OP_SUPPORTED] = on_supported,   [RSP_OP_XFER_READ] = on_xfer,     [RSP_OP_XFER_WRITE] = unsupported,
		[RSP_OP_HOST_INFO] = on_host_info,   [RSP_OP_PROCESS_INFO] = unsupported, [RSP_OP_STATUS] = on_status,
		[RSP_OP_CTRL_C] = on_ctrl_c,
		[RSP_OP_MEM_READ] = target_tell_known, [RSP_OP_MEM_READ_BIN] = target_tell_known, [RSP_OP_REGS_READ] = target_tell_known,
		[RSP_OP_REG_READ] = target_tell_known, [RSP_OP_THREAD_EXTRA] = target_tell_known,
		[RSP_OP_THREAD_CURRENT] = on_current, [RSP_OP_THREADS_FIRST] = on_threads, [RSP_OP_THREADS_NEXT] = on_threads_next,
	};

	return tells[s->cmd.op] && tells[s->cmd.op](t, s);
}
