/* backend_kd_stop.c - a KD target has stopped: why, whether that is for a client, and with what words. */
#include "backends/backend_kd_parts.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum verdict { PASS, TELL, RUN_ON }; /* PASS: the next rule */

/* The number of a processor is a place in a table. */
static int parse(const struct backend_kd *b, struct span payload, uint16_t type, struct kd_state *st)
{
	int rc = type == KD_TYPE_STATE_CHANGE32 ? kd_state32_parse(payload, st) : kd_state_parse(payload, b->version.machine, st);

	return rc == 0 && st->processor >= BACKEND_KD_CPUS ? -EBADMSG : rc;
}

int backend_kd_reparse(struct backend_kd *b)
{
	struct kd_state st;
	int rc = parse(b, buf_span(&b->stop.report), b->stop.report_type, &st);

	if (rc == 0)
		b->st = st;
	return rc;
}

static unsigned shown(const struct kd_state *st)
{
	return st->processors < BACKEND_KD_CPUS ? st->processors : BACKEND_KD_CPUS;
}

/* Looked at before it is kept: one that is refused leaves the last one whole, which is parsed again when more is known. */
static int take_report(struct backend_kd *b, const struct kd_packet *p)
{
	struct kd_state st;

	if (p->payload.len > b->stop.report.cap || parse(b, p->payload, p->type, &st) < 0) {
		guard_note(&b->guard, GUARD_STOP, "a state change that makes no sense");
		return -EBADMSG;
	}
	buf_reset(&b->stop.report, 0);
	b->stop.report_type = p->type;
	if (buf_put_span(&b->stop.report, p->payload) < 0 || backend_kd_reparse(b) < 0)
		return -EBADMSG;
	if (b->st.processors > BACKEND_KD_CPUS)
		guard_note(&b->guard, GUARD_STOP, "it says that it has %u processors: %u are shown", b->st.processors, (unsigned)BACKEND_KD_CPUS);
	if (shown(&b->st) > b->processors)
		b->processors = shown(&b->st);
	if (kd_prints_end(&b->said.prints) & KD_NOTICE_BUGCHECK)
		b->said.bugcheck = true;
	return 0;
}

int backend_kd_hear_knocking(struct backend_kd *b, const struct kd_packet *p)
{
	if (take_report(b, p) < 0)
		return BACKEND_MOVED;
	b->offer.info.was_running = b->st.kind != KD_EXCEPTION || (b->meet.knocks && b->meet.knocks % 2 == 0);
	backend_kd_begin(b, BACKEND_KD_LEARN, backend_kd_task_learn);
	return BACKEND_MOVED;
}

/* What it sent before comes again after a RESET. */
static bool says_again(const struct backend_kd *b, const struct kd_packet *p)
{
	struct kd_state again;

	return parse(b, p->payload, p->type, &again) == 0 && again.pc == b->st.pc && again.processor == b->st.processor &&
	       again.kind == b->st.kind;
}

/* While it stands. What clients know of a target that was reset then is of another one, and nobody could tell them. */
static int hear_again(struct backend_kd *b, const struct kd_packet *p)
{
	if (says_again(b, p))
		return BACKEND_MOVED;
	if (b->restarted)
		return backend_kd_fails(b, "it began anew while it stood (it was reset?)");
	guard_note(&b->guard, GUARD_UNASKED, "a state change of a target that stands");
	return BACKEND_MOVED;
}

/* What a request waited for has come, by other ways than a reply. */
static int request_done(struct backend_kd *b)
{
	backend_kd_settle(&b->req, (struct kd_reply){ .status = KD_SUCCESS });
	kd_wire_answered(&b->line.wire);
	return BACKEND_MOVED;
}

/* A stop may be here before the ACK of the resume, or before the task has seen that. */
int backend_kd_hear_state(struct backend_kd *b, const struct kd_packet *p)
{
	bool reports = backend_kd_is_asking(b) && b->req.by_report;

	if (b->state != BACKEND_KD_RUN && !b->req.going && !reports)
		return hear_again(b, p);
	if ((b->req.going && b->req.state == BACKEND_KD_UNSENT && says_again(b, p)) || take_report(b, p) < 0)
		return BACKEND_MOVED;
	if (b->state == BACKEND_KD_RUN) {
		backend_kd_begin(b, BACKEND_KD_LOOK, backend_kd_task_look);
		return BACKEND_MOVED;
	}
	b->stop.early = b->req.going;
	if (b->stop.early && b->req.state == BACKEND_KD_UNSENT)
		b->req.state = BACKEND_KD_ANSWERED;
	return backend_kd_is_asking(b) ? request_done(b) : BACKEND_MOVED;
}

static void stop_is(struct rsp_stop *s, unsigned signal, enum rsp_stop_why why)
{
	s->code = (uint8_t)signal;
	s->why = why;
}

static const char *path_of(const struct kd_state *st, char *out, size_t size)
{
	return text_ascii(out, size, kd_base_name(st->load.path));
}

static enum verdict judge_load(struct backend_kd *b)
{
	char name[KD_IMAGE_NAME];

	if (b->st.kind != KD_LOAD_SYMBOLS)
		return PASS;
	b->images.known = false;
	stop_is(&b->stop.told, BACKEND_KD_SIGTRAP, RSP_WHY_LIBRARY);
	if (b->st.load.everything)
		backend_kd_print(b, "kdgate: the target says that all its images go (it reboots, or hands over to the kernel)\n");
	else
		backend_kd_print(b, "kdgate: %s %s at 0x%llx\n", path_of(&b->st, name, sizeof name), b->st.load.unload ? "goes" : "is loaded",
		                 (unsigned long long)b->st.load.base);
	return TELL;
}

/* What the target wants its debugger to do is not done. */
static enum verdict judge_command(struct backend_kd *b)
{
	if (b->st.kind != KD_COMMAND_STRING)
		return PASS;
	guard_note(&b->guard, GUARD_FILE, "it wants a debugger command to be run: passed over");
	return b->break_in.wanted ? PASS : RUN_ON;
}

static enum verdict judge_bugcheck(struct backend_kd *b)
{
	const char *name = kd_bugcheck_name(b->said.prints.code), *driver = b->said.prints.driver;
	const uint64_t *p = b->said.prints.params;

	if (!b->said.bugcheck)
		return PASS;
	b->said.bugcheck = false;
	stop_is(&b->stop.told, BACKEND_KD_SIGABRT, RSP_WHY_NONE);
	backend_kd_print(b, "kdgate: bugcheck 0x%x%s%s", b->said.prints.code, name ? " " : "", name ? name : "");
	if (b->said.prints.params_n)
		backend_kd_print(b, " (0x%llx, 0x%llx, 0x%llx, 0x%llx)", (unsigned long long)p[0], (unsigned long long)p[1], (unsigned long long)p[2],
		                 (unsigned long long)p[3]);
	backend_kd_print(b, "%s%s; going on writes the dump and reboots\n", *driver ? ", driver at fault: " : "", driver);
	return TELL;
}

static enum verdict judge_hardware(struct backend_kd *b)
{
	static const enum rsp_stop_why whys[] = { [1] = RSP_WHY_HWBREAK, [2] = RSP_WHY_WATCH, [3] = RSP_WHY_RWATCH, [4] = RSP_WHY_AWATCH };
	int n = kd_state_is(&b->st, KD_SINGLE_STEP) && b->st.report.have ? kd_hw_hit(b->st.report.dr6, b->st.report.dr7) : -1;
	const struct kd_slot *slot = n < 0 ? NULL : kd_slots_hit(&b->breaks.slots, (unsigned)n);

	if (n < 0)
		return PASS;
	b->run.hit = true;
	if (!slot)
		return b->break_in.wanted ? PASS : RUN_ON; /* a processor had hit it before it was taken out; or a dead debugger's */
	stop_is(&b->stop.told, BACKEND_KD_SIGTRAP, whys[slot->kind]);
	b->stop.told.addr = slot->hw.addr;
	return TELL;
}

static enum verdict judge_step(struct backend_kd *b)
{
	if (!kd_state_is(&b->st, KD_SINGLE_STEP) || b->run.action.verb != 's' || b->st.processor != b->run.stepping)
		return PASS;
	stop_is(&b->stop.told, BACKEND_KD_SIGTRAP, RSP_WHY_NONE);
	return TELL;
}

/* gdb steps a processor alone to get it off a breakpoint, and falls over the stop of another one. What another meets meanwhile it
 * meets again when it runs on: its breakpoint is put back, its fault is not handled. */
static enum verdict judge_other(struct backend_kd *b)
{
	if (!b->run.alone || b->st.kind != KD_EXCEPTION || b->st.processor == b->run.stepping || b->break_in.wanted)
		return PASS;
	return ++b->run.noise > BACKEND_KD_NOISE_MAX ? PASS : RUN_ON;
}

static enum verdict judge_site(struct backend_kd *b)
{
	const struct kd_site *s = kd_state_is(&b->st, KD_BREAKPOINT) ? kd_sites_at(&b->breaks.sites, b->st.pc) : NULL;

	if (!s || !s->wanted)
		return PASS;
	stop_is(&b->stop.told, BACKEND_KD_SIGTRAP, RSP_WHY_SWBREAK);
	return TELL;
}

static enum verdict judge_break_in(struct backend_kd *b)
{
	if (!b->break_in.wanted || !(kd_state_is(&b->st, KD_BREAKPOINT) || kd_state_is(&b->st, KD_WAKE_DEBUGGER)))
		return PASS;
	kd_break_in_seen(&b->break_in, b->st.pc);
	b->break_in.sent = false; /* this is what came of it */
	stop_is(&b->stop.told, BACKEND_KD_SIGINT, RSP_WHY_NONE);
	return TELL;
}

/* Stops that are noise: an earlier break-in that was still pending; a processor that had trapped at a breakpoint which is gone. */
static enum verdict judge_noise(struct backend_kd *b)
{
	bool soon = b->now - b->run.since < BACKEND_KD_NOISE_MS, known = kd_break_in_knows(&b->break_in, b->st.pc);

	if (!kd_state_is(&b->st, KD_BREAKPOINT) || b->break_in.wanted || ++b->run.noise > BACKEND_KD_NOISE_MAX)
		return PASS;
	if ((soon && (known || (b->st.pc == b->run.pc && !backend_kd_may_be_trap(b)))) || (b->break_in.stale && known)) {
		b->break_in.stale = false;
		return RUN_ON;
	}
	return soon && kd_sites_dropped(&b->breaks.sites, b->st.pc) ? RUN_ON : PASS;
}

/* Of a step that nobody asked for, or that was for another time. */
static enum verdict judge_leak(struct backend_kd *b)
{
	b->run.leaked = kd_state_is(&b->st, KD_SINGLE_STEP) && !b->break_in.wanted && ++b->run.noise <= BACKEND_KD_NOISE_MAX;
	return b->run.leaked ? RUN_ON : PASS;
}

static enum verdict judge_exception(struct backend_kd *b)
{
	const struct kd_exception *e = &b->st.exception;
	const char *name = kd_exception_name(e->code);

	if (b->st.kind != KD_EXCEPTION) {
		stop_is(&b->stop.told, BACKEND_KD_SIGTRAP, RSP_WHY_NONE);
		return TELL;
	}
	stop_is(&b->stop.told, kd_exception_signal(e->code), RSP_WHY_NONE);
	if (kd_state_is_debuggers(&b->st))
		return TELL;
	backend_kd_print(b, "kdgate: %s (0x%08x), %s chance, at 0x%llx", name ? name : "exception", e->code, e->first_chance ? "first" : "second",
	                 (unsigned long long)e->address);
	if (e->code == 0xc0000005U && e->params > 1)
		backend_kd_print(b, ": %s 0x%llx", e->info[0] == 0 ? "reads" : e->info[0] == 1 ? "writes" : "runs", (unsigned long long)e->info[1]);
	backend_kd_print(b, "\n");
	return TELL;
}

static enum verdict judge(struct backend_kd *b)
{
	static enum verdict (*const rules[])(struct backend_kd *b) = {
		judge_bugcheck, judge_load, judge_command, judge_other, judge_hardware, judge_site, judge_step, judge_break_in, judge_noise,
		judge_leak, judge_exception,
	};
	enum verdict v = PASS;

	b->stop.told = (struct rsp_stop){ .kind = RSP_STOP_SIGNAL };
	for (size_t i = 0; i < sizeof rules / sizeof *rules && v == PASS; i++)
		v = rules[i](b);
	return v;
}

static void forget_boot(struct backend_kd *b, uint64_t kern_base)
{
	backend_kd_breaks_void(&b->breaks);
	b->processors = shown(&b->st);
	b->stop.booted = true;
	b->said.bugcheck = false;
	kd_break_in_moved(&b->break_in, b->version.kern_base - kern_base);
	backend_kd_print(b, "kdgate: the target has booted again; breakpoints and addresses of before are void\n");
}

/* What it is must be asked again when its stream began anew: it booted, or had only given its debugger up. */
static int learn_again(struct backend_kd *b)
{
	uint64_t before = b->version.kern_base;
	int rc = backend_kd_learn(b);

	if (rc <= 0)
		return rc;
	b->restarted = false;
	if (backend_kd_reparse(b) < 0)
		return backend_kd_fails(b, "its state change makes no sense");
	b->images.known = false;
	b->block.state = BACKEND_KD_BLOCK_UNKNOWN;
	if (before == b->version.kern_base)
		backend_kd_breaks_doubt(&b->breaks);
	else
		forget_boot(b, before);
	return 1;
}

static int decide(struct backend_kd *b)
{
	enum verdict v;

	backend_kd_forget(b);
	backend_kd_sites_reported(b);
	v = judge(b);
	if (v == RUN_ON && !b->stop.booted)
		return backend_kd_run_on(b);
	if (b->stop.booted) /* no step's end, nor of a library: gdb would go on, with its breakpoints where they were */
		stop_is(&b->stop.told, BACKEND_KD_SIGPWR, RSP_WHY_NONE);
	kd_break_in_over(&b->break_in, b->stop.booted);
	b->stop.booted = false;
	b->stop.front = b->run.alone && b->run.stepping < b->processors ? b->run.stepping : b->st.processor;
	b->run.alone = false;
	b->stop.judged = true;
	return 1;
}

int backend_kd_task_look(struct backend_kd *b, struct backend_news *news)
{
	int rc = b->restarted ? learn_again(b) : 1;

	if (rc > 0 && !b->stop.judged && b->st.kind == KD_LOAD_SYMBOLS && backend_kd_storms(b))
		return 0;
	if (rc <= 0)
		return rc;
	rc = b->stop.judged ? 1 : decide(b);
	return b->stop.judged ? backend_kd_tell_stop(b, news) : rc;
}

int backend_kd_task_over(struct backend_kd *b, struct backend_news *news)
{
	if (!b->stop.judged) {
		b->stop.told = (struct rsp_stop){ .kind = RSP_STOP_SIGNAL };
		stop_is(&b->stop.told, BACKEND_KD_SIGTRAP, RSP_WHY_NONE);
		b->stop.judged = true;
	}
	return backend_kd_tell_stop(b, news);
}

static void add_register(struct backend_kd *b, enum kd_role role)
{
	struct rsp_stop_reg *reg = &b->stop.told.regs[b->stop.told.regs_n];
	int num = kd_reg_of(b->version.machine, role), n = num < 0 ? num : kd_reg_get(&b->cpus[b->stop.front].regs, (unsigned)num, reg->value);

	if (n <= 0)
		return;
	reg->num = (unsigned)num;
	reg->len = (unsigned)n;
	b->stop.told.regs_n++;
}

/* Where it stands and on which stack: what every client asks for next. */
static void add_registers(struct backend_kd *b)
{
	static const enum kd_role told[] = { KD_ROLE_FP, KD_ROLE_LINK, KD_ROLE_SP, KD_ROLE_PC };

	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		add_register(b, told[i]);
}

int backend_kd_tell_stop(struct backend_kd *b, struct backend_news *news)
{
	int rc = backend_kd_need(b, b->stop.front, KD_NEEDS_CONTEXT);

	if (rc <= 0)
		return rc;
	b->stop.judged = false;
	b->stop.told.has_thread = true;
	b->stop.told.thread = (struct rsp_thread){ .tid = b->stop.front + 1 };
	b->stop.told.regs_n = 0;
	add_registers(b);
	news->stop = b->stop.told;
	return backend_kd_done(b, BACKEND_KD_IDLE, BACKEND_STOPPED);
}
