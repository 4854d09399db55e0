/* backend_kgdb.c - what only Linux's KGDB does: it is made to stand through its console, on the same line or one of its own, where it is
 * overheard. See backend.h, link/console.h and rsp/kgdb.h. */
#include "backends/backend_rsp_parts.h"

#include "backends/link/console.h"
#include "backends/link/link.h"
#include "backends/rsp/kgdb.h"

#include <string.h>

static const char no_break[] =
	"kdgate: the console's line cannot carry a BREAK, and nothing else is set that would stop the kernel (--break-in, break_in = ...)\n";
static const char booted[] = "kdgate: the kernel seems to have booted again: breakpoints in it are gone\n";
static const char confused[] = "kdgate: KGDB knows a hardware breakpoint by its address alone, and there is another one at that address\n";
static const char doubtful[] = "kdgate: KGDB takes hardware breakpoints, but on some machines, virtual ones above all, it never reports them\n";

static bool is_apart(const struct backend_rsp *b)
{
	return b->kgdb.console && link_console_is_apart(b->kgdb.console);
}

const char *backend_kgdb_absent(const struct backend_rsp *b)
{
	if (b->kgdb.unbroken)
		return "no KGDB answers, and the console's line cannot carry a BREAK that would stop a kernel that runs: set what to type there "
		       "(--break-in 'echo g > /proc/sysrq-trigger', break_in = ...)";
	if (is_apart(b))
		return "no KGDB answers (is the kernel up, kgdboc= at this line and its console at the console line, the speeds right, sysrq allowed?)";
	return "no KGDB answers (is the kernel up, this its console, the speed right, sysrq allowed?)";
}

static int type_break(struct backend_rsp *b, const char *text)
{
	size_t n = strlen(text);

	if (!b->kgdb.console)
		return 0;
	b->kgdb.typed = b->kgdb.typed < n ? b->kgdb.typed : 0;
	b->kgdb.typed += link_console_type(b->kgdb.console, span_of(text + b->kgdb.typed));
	if (b->kgdb.typed < n)
		return 0;
	b->kgdb.typed = 0;
	return 1;
}

/* 1: said; 0: not now; -EOPNOTSUPP: there is no way. */
static int break_in(struct backend_rsp *b, uint64_t now)
{
	int rc = link_attention(b->wire.link, now);

	if (rc == 0)
		return type_break(b, "g");
	if (rc == -EOPNOTSUPP && b->kgdb.to_break)
		return type_break(b, b->kgdb.to_break);
	return rc == -EAGAIN ? 0 : rc;
}

static int ask_hello(struct backend_rsp *b)
{
	if (b->kgdb.console)
		link_console_runs(b->kgdb.console, false);
	return backend_rsp_enter(b, BACKEND_RSP_HELLO_ASK, BACKEND_MOVED);
}

/* Once: where nobody hears it now, it waits in the line, and KGDB reads it when it is entered. */
static int put_question(struct backend_rsp *b)
{
	int rc = backend_rsp_put(b, buf_put_text(wire_open(&b->wire), "?"));

	if (is_apart(b))
		wire_once(&b->wire);
	return rc;
}

/* A BREAK that is sent to a kernel that stands waits in its console, and stops it anew when it goes on. */
int backend_kgdb_say_look(struct backend_rsp *b, uint64_t now)
{
	int rc = put_question(b);

	b->deadline = now + BACKEND_RSP_LOOK_MS;
	return rc ? rc : backend_rsp_enter(b, BACKEND_RSP_LOOKING, BACKEND_NONE);
}

/* From when it has gone: a port may have to be set first. */
int backend_kgdb_say_looking(struct backend_rsp *b, uint64_t now)
{
	if (!wire_idle(&b->wire))
		b->deadline = now + BACKEND_RSP_LOOK_MS;
	if (now < b->deadline)
		return 0;
	b->deadline = 0;
	return backend_rsp_enter(b, BACKEND_RSP_KNOCK, BACKEND_MOVED);
}

int backend_kgdb_say_knock(struct backend_rsp *b, uint64_t now)
{
	int rc = break_in(b, now);

	if (!b->deadline)
		b->deadline = now + BACKEND_RSP_KNOCK_BY_MS;
	b->kgdb.unbroken = rc == -EOPNOTSUPP;
	b->kgdb.knocked = rc > 0;
	if (rc == -EOPNOTSUPP || (rc == 0 && now >= b->deadline))
		return ask_hello(b); /* it may stand */
	if (rc <= 0)
		return rc;
	b->deadline = now + BACKEND_RSP_KNOCK_MS;
	return backend_rsp_enter(b, BACKEND_RSP_KNOCKING, BACKEND_NONE);
}

/* Of two lines one may be late: it stands by the debugger's, and whether it ran is said on the console's. */
int backend_kgdb_say_knocking(struct backend_rsp *b, uint64_t now)
{
	enum console_mode mode = b->kgdb.console ? link_console_mode(b->kgdb.console) : CONSOLE_MODE_RUNS;
	bool stands = b->kgdb.answered || mode == CONSOLE_MODE_KDB;

	return now >= b->deadline || (stands && (b->hello.ran || !is_apart(b))) ? ask_hello(b) : 0;
}

/* Stopped by us, or resending the stop that it reported last. */
int backend_kgdb_hear_knocking(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;

	(void)news, (void)now;
	if (rsp_stop_parse(buf_span(body), &stop) < 0)
		return backend_rsp_stray(b, buf_span(body));
	b->kgdb.answered = true;
	return b->state == BACKEND_RSP_KNOCKING && is_apart(b) ? backend_rsp_pass_over(b) : ask_hello(b);
}

int backend_kgdb_break(struct backend_rsp *b, uint64_t now)
{
	int rc;

	if (b->kgdb.console && (b->kgdb.probed || !b->tries)) /* what was said before this break-in says nothing of it */
		link_console_runs(b->kgdb.console, true);
	b->kgdb.probed = false;
	rc = break_in(b, now);
	if (rc == -EOPNOTSUPP)
		b->words = no_break;
	return rc;
}

const char *backend_kgdb_unheard(struct backend_rsp *b)
{
	const char *words = kgdb_unheard((int)link_console_mode(b->kgdb.console), is_apart(b));

	link_console_runs(b->kgdb.console, true);
	return words;
}

/* A kernel that nobody has debugged since it booted stands without a word. Asked while it runs, the question is typed on its
 * console: so it is asked once. With a line of its own it is asked before another BREAK, which might be one too many. */
bool backend_kgdb_may_stand(const struct backend_rsp *b)
{
	if (!b->kgdb.console || b->kgdb.probed)
		return false;
	return is_apart(b) || link_console_mode(b->kgdb.console) == CONSOLE_MODE_KGDB || link_console_mode(b->kgdb.console) == CONSOLE_MODE_KDB;
}

int backend_kgdb_ask(struct backend_rsp *b, uint64_t now)
{
	b->kgdb.probed = true;
	b->deadline = now + BACKEND_RSP_BREAK_AGAIN_MS;
	if (!is_apart(b))
		link_console_runs(b->kgdb.console, false);
	return put_question(b);
}

static bool is_met_by_break(const struct backend_rsp *b)
{
	return b->kgdb.knocked && b->state <= BACKEND_RSP_HELLO_WAIT;
}

struct span backend_kgdb_overhear(struct backend_rsp *b)
{
	struct span text = b->kgdb.console ? link_console_text(b->kgdb.console) : (struct span){ 0 };

	if (kgdb_boots(&b->kgdb.boots, text)) {
		b->words = booted;
		b->stub.hardware_n = 0;
	}
	if (is_met_by_break(b) && kgdb_heeds_sysrq(&b->kgdb.heeds, text))
		b->hello.ran = true;
	return text;
}

size_t backend_kgdb_type(struct backend *be, struct span bytes)
{
	struct backend_rsp *b = (struct backend_rsp *)be;

	return b->kgdb.console ? link_console_type(b->kgdb.console, bytes) : bytes.len; /* nobody reads it */
}

void backend_kgdb_refused(struct backend_rsp *b, const struct rsp_cmd *cmd)
{
	if (b->stub.kgdb && kgdb_confuses(&b->stub, cmd))
		b->words = confused;
}

void backend_kgdb_warn(struct backend_rsp *b, const struct rsp_reply *reply)
{
	if (b->kgdb.warned || !b->stub.kgdb || b->job.cmd.op != RSP_OP_BREAK_SET || !b->job.cmd.num[0] || reply->kind != RSP_REPLY_OK)
		return;
	b->kgdb.warned = true;
	b->words = doubtful;
}

struct backend *backend_kgdb_new(struct link *stack, struct link *console, const char *to_break)
{
	struct backend *be = backend_rsp_new(stack);
	struct backend_rsp *b = (struct backend_rsp *)be;

	if (!be)
		return NULL;
	b->stub.kgdb = true;
	b->stub.packet_max = KGDB_PACKET;
	b->kgdb.console = console;
	b->kgdb.to_break = to_break;
	b->state = is_apart(b) ? BACKEND_RSP_LOOK : BACKEND_RSP_KNOCK;
	return be;
}
