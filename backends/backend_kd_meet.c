/* backend_kd_meet.c - a KD target is met: made to stop or to say that it stands, and asked what it is. */
#include "backends/backend_kd_parts.h"

#include "backends/kd/describe.h"

enum { KNOCKS_MAX = 16 };

/* A RESET makes one that stands say so again; one that runs does not hear it. A break-in is for one that runs. */
int backend_kd_knock(struct backend_kd *b, uint64_t now)
{
	static const char silent[] = "nothing that is KD came (is the target up, with debugging on for this port? bcdedit /debug on; "
	                             "bcdedit /dbgsettings serial debugport:1 baudrate:115200; the right port and speed?)";
	static const char deaf[] = "it talks KD, but does not stop (its interrupts are off, or it hangs?)";

	if (now < b->deadline)
		return 0;
	if (backend_kd_is_net(b) && !b->meet.joined)
		return backend_kd_await(b, now);
	if (b->meet.knocks >= KNOCKS_MAX)
		return backend_kd_fails(b, b->meet.heard ? deaf : silent);
	if (b->meet.knocks++ % 2 == 0)
		kd_wire_reset(&b->line.wire);
	else
		kd_wire_break_in(&b->line.wire);
	b->deadline = now + BACKEND_KD_KNOCK_MS;
	return 1;
}

static int put_map(struct buf *map, enum kd_machine machine)
{
	static const char head[] = "<memory-map>", tail[] = "</memory-map>", wide[] =
		"<memory type=\"ram\" start=\"0x0\" length=\"0x800000000000\"/>"
		"<memory type=\"ram\" start=\"0xffff800000000000\" length=\"0x7ffffffff000\"/>",
		narrow[] = "<memory type=\"ram\" start=\"0x0\" length=\"0xfffff000\"/>";

	buf_reset(map, 0);
	if (buf_put_text(map, head) < 0 || buf_put_text(map, machine == KD_I386 ? narrow : wide) < 0)
		return -ENOBUFS;
	return buf_put_text(map, tail);
}

static int put_registers(struct tdesc *t, enum kd_machine machine, struct buf *room)
{
	buf_reset(room, 0);
	tdesc_clear(t);
	if (kd_describe(machine, room) < 0)
		return -EPROTO;
	return tdesc_add(t, "target.xml", buf_span(room)) == 0 && tdesc_build(t) == 0 ? 0 : -EPROTO;
}

/* 0, -errno. */
static int make_offer(struct backend_kd_offer *o, enum kd_machine machine, bool net, struct buf *room)
{
	if (put_registers(&o->tdesc, machine, room) < 0 || put_map(&o->map, machine) < 0)
		return -EPROTO;
	o->info.can = RSP_CAN_VCONT | RSP_CAN_TDESC | RSP_CAN_MEMORY_MAP | RSP_CAN_SWBREAK | RSP_CAN_HWBREAK | RSP_CAN_LIBRARIES;
	o->info.tdesc = &o->tdesc;
	o->info.memory_map = buf_span(&o->map);
	o->info.read_max = net ? KD_NET_READ_MAX : KD_DATA_MAX;
	o->info.one_memory = o->info.windows = true;
	o->info.exceptions = true;
	return 0;
}

/* From the version block: 0, -EPROTO. */
static int take_version(struct backend_kd *b)
{
	enum kd_machine before = b->version.machine;

	if (!backend_kd_good(b) || kd_version_parse(b->req.reply.version, &b->version) < 0)
		return backend_kd_fails(b, "it does not tell its version");
	if (b->version.machine == KD_MACHINE_NONE)
		return backend_kd_fails(b, "its processor is one that kdgate does not know (amd64, i386 and arm64 are known)");
	if (before != KD_MACHINE_NONE && before != b->version.machine)
		return backend_kd_fails(b, "it has another processor than before");
	if (before == b->version.machine)
		return 0;
	if (make_offer(&b->offer, b->version.machine, backend_kd_is_net(b), &b->doc) < 0)
		return backend_kd_fails(b, "its registers cannot be described");
	return 0;
}

int backend_kd_learn(struct backend_kd *b)
{
	struct kd_request r = kd_get_version((struct kd_cpu){ b->version.machine, b->st.processor });
	int rc;

	if (!backend_kd_answer(b))
		return backend_kd_ask(b, &r);
	rc = take_version(b);
	return rc < 0 ? rc : 1;
}

static unsigned first_signal(const struct kd_state *st)
{
	return st->kind == KD_EXCEPTION && st->exception.code != KD_BREAKPOINT ? kd_exception_signal(st->exception.code) : BACKEND_KD_SIGTRAP;
}

int backend_kd_task_learn(struct backend_kd *b, struct backend_news *news)
{
	int rc = b->version.machine ? 1 : backend_kd_learn(b);

	if (rc <= 0)
		return rc;
	b->restarted = false; /* the first packet says so always */
	if (!b->stop.judged && backend_kd_reparse(b) < 0)
		return backend_kd_fails(b, "its state change makes no sense");
	if (!b->stop.judged)
		backend_kd_forget(b);
	b->stop.judged = true;
	b->stop.front = b->st.processor;
	b->stop.told = (struct rsp_stop){ .kind = RSP_STOP_SIGNAL, .code = (uint8_t)first_signal(&b->st) };
	if (kd_state_is(&b->st, KD_BREAKPOINT) && b->offer.info.was_running)
		kd_break_in_seen(&b->break_in, b->st.pc);
	return backend_kd_tell_stop(b, news);
}
