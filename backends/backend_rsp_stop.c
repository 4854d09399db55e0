/* backend_rsp_stop.c - the target stands: what its stop says, and where it stands if the stub tells that wrong. */
#include "backends/backend_rsp_parts.h"

#include "rsp/tdesc.h"

/* It stands, whatever else it says: were that passed over, its clients would wait for ever. */
bool backend_rsp_is_stop(struct backend_rsp *b, struct span body, struct rsp_stop *stop)
{
	enum { SIGNAL_LEN = 3 };
	struct span signal = { body.p, SIGNAL_LEN };

	if (rsp_stop_parse(body, stop) == 0) {
		if (stop->odd)
			backend_rsp_note(b, GUARD_STOP, "a stop with what was not agreed on", body);
		return true;
	}
	if (body.len <= SIGNAL_LEN || (body.p[0] != 'T' && body.p[0] != 'S') || rsp_stop_parse(signal, stop) < 0)
		return false;
	backend_rsp_note(b, GUARD_STOP, "a stop that makes no sense but for its signal", body);
	return true;
}

static void start_pc_job(struct backend_rsp *b, enum backend_rsp_purpose purpose, struct rsp_cmd *cmd)
{
	b->purpose = purpose;
	cmd->num[0] = tdesc_pc(&b->stub.tdesc)->num;
	cmd->thread = b->stop.has_thread ? b->stop.thread : (struct rsp_thread){ 0 };
	b->state = job_start(&b->job, &b->stub, cmd) == 0 ? BACKEND_RSP_ASK : BACKEND_RSP_IDLE;
}

static bool may_overshoot(const struct backend_rsp *b)
{
	return b->continued && b->stub.traps_n && b->stop.code == BACKEND_RSP_SIGTRAP && b->stop.why == RSP_WHY_NONE &&
	       stub_pc_overshoots(&b->stub);
}

int backend_rsp_tell_stop(struct backend_rsp *b, struct backend_news *news)
{
	b->purpose = BACKEND_RSP_CLIENTS;
	news->stop = b->stop;
	return backend_rsp_enter(b, BACKEND_RSP_IDLE, BACKEND_STOPPED);
}

int backend_rsp_stopped(struct backend_rsp *b, const struct rsp_stop *stop, struct backend_news *news)
{
	struct rsp_cmd read;

	if (stop->kind != RSP_STOP_SIGNAL)
		return backend_rsp_fails(b, "its program has ended");
	b->stop = *stop;
	b->strays = 0;
	b->break_wanted = b->kgdb.probed = b->unheard = false;
	b->stub.general = stop->has_thread ? stop->thread : (struct rsp_thread){ 0 };
	if (guard_stop(&b->stop, b->stub.described ? &b->stub.tdesc : NULL))
		guard_note(&b->guard, GUARD_STOP, "a stop with registers that the target's description does not have");
	if (!may_overshoot(b))
		return backend_rsp_tell_stop(b, news);
	rsp_cmd_make(&read, "p");
	start_pc_job(b, BACKEND_RSP_READS_PC, &read);
	return b->state == BACKEND_RSP_ASK ? BACKEND_MOVED : backend_rsp_tell_stop(b, news);
}

int backend_rsp_read_pc(struct backend_rsp *b, struct backend_news *news)
{
	struct rsp_cmd write;
	uint64_t pc;
	uint8_t raw[8];
	size_t n = (tdesc_pc(&b->stub.tdesc)->bits + 7) / 8;

	if (news->reply.kind != RSP_REPLY_REGS || n > sizeof raw || !rsp_reg_value(news->reply.bytes, &pc) ||
	    stub_has_trap(&b->stub, pc) || !stub_has_trap(&b->stub, pc - 1))
		return backend_rsp_tell_stop(b, news);
	for (size_t i = 0; i < n; i++)
		raw[i] = (uint8_t)((pc - 1) >> (8 * i));
	rsp_cmd_make(&write, "P");
	write.data = (struct span){ raw, n };
	b->stop.regs_n = 0; /* they were read before */
	start_pc_job(b, BACKEND_RSP_WRITES_PC, &write);
	return b->state == BACKEND_RSP_ASK ? BACKEND_MOVED : backend_rsp_tell_stop(b, news);
}
