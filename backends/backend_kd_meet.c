/* backend_kd_meet.c - a KD target is met: made to stop or to say that it stands, and asked what it is. */
#include "backends/backend_kd_parts.h"

#include "backends/kd/describe.h"

#include <string.h>

enum { KNOCKS_MAX = 16 };

/* A RESET makes one that stands say so again; one that runs does not hear it. A break-in is for one that runs. */
int backend_kd_knock(struct backend_kd *b, uint64_t now)
{
	static const char silent[] = "nothing that is KD came (is the target up, with debugging on for this port? bcdedit /debug on; bcdedit /dbgsettings "
	                             "serial debugport:1 baudrate:115200; the right port and speed?)";
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

static int put_map(struct backend_kd *b)
{
	static const char head[] = "<memory-map>", tail[] = "</memory-map>", wide[] =
		"<memory type=\"ram\" start=\"0x0\" length=\"0x800000000000\"/>"
		"<memory type=\"ram\" start=\"0xffff800000000000\" length=\"0x7ffffffff000\"/>",
		narrow[] = "<memory type=\"ram\" start=\"0x0\" length=\"0xfffff000\"/>";

	buf_reset(&b->offer.map, 0);
	if (buf_put_text(&b->offer.map, head) < 0 || buf_put_text(&b->offer.map, b->version.machine == KD_I386 ? narrow : wide) < 0)
		return -ENOBUFS;
	return buf_put_text(&b->offer.map, tail);
}

static int describe(struct backend_kd *b)
{
	buf_reset(&b->doc, 0);
	tdesc_clear(&b->offer.tdesc);
	if (kd_describe(b->version.machine, &b->doc) < 0)
		return -EPROTO;
	return tdesc_add(&b->offer.tdesc, "target.xml", buf_span(&b->doc)) == 0 && tdesc_build(&b->offer.tdesc) == 0 ? 0 : -EPROTO;
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
	if (describe(b) < 0 || put_map(b) < 0)
		return backend_kd_fails(b, "its registers cannot be described");
	b->offer.info.can = RSP_CAN_VCONT | RSP_CAN_TDESC | RSP_CAN_MEMORY_MAP | RSP_CAN_SWBREAK | RSP_CAN_HWBREAK | RSP_CAN_LIBRARIES;
	b->offer.info.tdesc = &b->offer.tdesc;
	b->offer.info.memory_map = buf_span(&b->offer.map);
	b->offer.info.read_max = backend_kd_is_net(b) ? KD_NET_READ_MAX : KD_DATA_MAX;
	b->offer.info.one_memory = b->offer.info.windows = true;
	b->offer.info.exceptions = true;
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
	b->stop.told = (struct rsp_stop){ .kind = RSP_STOP_SIGNAL, .code = b->st.kind == KD_EXCEPTION && b->st.exception.code != KD_BREAKPOINT ?
		(uint8_t)kd_exception_signal(b->st.exception.code) : BACKEND_KD_SIGTRAP };
	if (b->st.kind == KD_EXCEPTION && b->st.exception.code == KD_BREAKPOINT && b->offer.info.was_running)
		kd_break_in_seen(&b->break_in, b->st.pc);
	return backend_kd_tell_stop(b, news);
}
