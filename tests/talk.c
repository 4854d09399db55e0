/* talk.c - plays a .talk file on a stage. A to F are clients, T is the target's stub.
 *
 *   A joins POLICY [as gdb13|gdb16|lldb]   as: the handshake of that debugger; each packet is answered, the words left out
 *   A leaves | A is gone | A leads | A observes      leaves: without a word; gone: its connection was closed
 *   A> packet | A> ^C | A>> bytes | A< packet | A< nothing    in bytes, \xNN is one
 *   T is like KIND | T was running | T is away | T is back    before anybody has dialled: peer.h has the kinds
 *   T is met                                         and what it was asked for that is passed over
 *   T prints text | T stops 05 2 | T hits 4000 2 | T says packet | T thinks | T answers
 *   T falls silent | T boots | T drops the line | T is left
 *   T has 4000 1:4100 | T has nothing                its breakpoints, type first where it is not 0
 *   T got packet packet | T got nothing              what it was asked since the last such line
 *   T runs | T stands
 *   P NAME: rule                                     a rule for a policy of that name
 *   kdgate lets it run|stand | kdgate ends | kdgate has ended
 *   kdgate keeps nothing | kdgate reads sparingly    before anybody has dialled
 *   wait 5s | wait 250ms */
#include "tests/stage.h"

#include "base/hex.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINE = 40000 };

struct talk {
	struct stage *g;
	const char *path;
	int number;
	bool rough;
};

#define complain(t, ...) (print_error("%s:%d: ", (t)->path, (t)->number), print_error(__VA_ARGS__), print_error("\n"), fail())

static void check(struct talk *t, bool ok, const char *what)
{
	if (!ok && !t->rough)
		complain(t, "%s", what);
}

static void settle(struct talk *t)
{
	if (!stage_settle(t->g))
		complain(t, "it never comes to rest");
}

static void same(struct talk *t, const char *want, const char *got)
{
	if (!strcmp(want, got))
		return;
	if (!t->rough)
		complain(t, "\n  want %s\n   got %s", want, got);
	if (getenv("TALK"))
		print_message("%s:%d: got %s\n", t->path, t->number, got);
}

static void hears(struct talk *t, int who, const char *want)
{
	const char *got = stage_hear(t->g, who);

	settle(t);
	same(t, want, got ? got : "nothing");
}

/* What each debugger says first; it is not looked at here what it is told. */
static const char *const gdb13[] = {
	"qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
	"QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386",
	"vMustReplyEmpty", "QStartNoAckMode", "Hgp0.0", "qXfer:features:read:target.xml:0,ffb", "qTStatus", "?", "qfThreadInfo",
	"qsThreadInfo", "qAttached:1", "Hc-1", "qOffsets", "g", NULL,
};
static const char *const gdb16[] = {
	"qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
	"QThreadEvents+;QThreadOptions+;no-resumed+;memory-tagging+;error-message+;binary-upload+;xmlRegisters=i386",
	"vCont?", "vMustReplyEmpty", "QStartNoAckMode", "Hgp0.0", "qXfer:features:read:target.xml:0,ffb", "qTStatus", "?",
	"qfThreadInfo", "qsThreadInfo", "qAttached:1", "Hc-1", "qOffsets", "g", NULL,
};
static const char *const lldb[] = {
	"QStartNoAckMode", "qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+",
	"QThreadSuffixSupported", "QListThreadsInStopReply", "qHostInfo", "vCont?", "qVAttachOrWaitSupported",
	"QEnableErrorStrings", "qProcessInfo", "qC", "qfThreadInfo", "qsThreadInfo", "?", "qProcessInfo",
	"qXfer:features:read:target.xml:0,fff", NULL,
};
static const struct {
	const char *name;
	const char *const *says;
} debuggers[] = { { "gdb13", gdb13 }, { "gdb16", gdb16 }, { "lldb", lldb } };

static void greet(struct talk *t, int who, const char *const *says)
{
	for (; *says; says++) {
		stage_say(t->g, who, *says);
		if (!stage_hear(t->g, who) && !t->rough)
			complain(t, "no answer to %s", *says);
		settle(t);
	}
	check(t, !stage_hear(t->g, who), "more than one answer in the handshake");
}

static void joins(struct talk *t, int who, const char *words)
{
	char policy[64], as[16] = "";
	const struct policy *p = sscanf(words, "%63s as %15s", policy, as) >= 1 ? stage_policy(t->g, policy) : NULL;

	check(t, p && stage_join(t->g, who, p) == 0, "it cannot join");
	if (!*as)
		return;
	for (size_t i = 0; i < sizeof debuggers / sizeof *debuggers; i++)
		if (!strcmp(as, debuggers[i].name)) {
			greet(t, who, debuggers[i].says);
			return;
		}
	complain(t, "no such debugger");
}

static void client_does(struct talk *t, int who, const char *verb)
{
	struct client *c = &t->g->clients[who];

	if (!strncmp(verb, "joins ", 6)) {
		joins(t, who, verb + 6);
		return;
	}
	settle(t);
	if (!strcmp(verb, "leaves"))
		stage_leave(t->g, who);
	else if (!strcmp(verb, "is gone"))
		check(t, stage_gone(t->g, who), "it is not gone");
	else if (!strcmp(verb, "leads") || !strcmp(verb, "observes"))
		check(t, c->joined && (c->s.role == SESSION_CONTROLLER) == (*verb == 'l'), "it has the other role");
	else
		complain(t, "no such word");
}

static void client_sends(struct talk *t, int who, const char *text)
{
	uint8_t raw[LINE];
	size_t n = 0;

	for (const char *p = text; *p; n++) {
		bool coded = p[0] == '\\' && p[1] == 'x';
		int hi = coded ? hex_value((uint8_t)p[2]) : 0, lo = coded ? hex_value((uint8_t)p[3]) : 0;

		raw[n] = coded ? (uint8_t)(hi << 4 | lo) : (uint8_t)*p;
		p += coded ? 4 : 1;
	}
	stage_send(t->g, who, (struct span){ raw, n });
}

static void client_line(struct talk *t, int who, const char *line)
{
	if (!strncmp(line, ">> ", 3))
		client_sends(t, who, line + 3);
	else if (!strncmp(line, "> ", 2))
		stage_say(t->g, who, line + 2);
	else if (!strncmp(line, "<", 1))
		hears(t, who, line[1] == ' ' ? line + 2 : line + 1);
	else
		client_does(t, who, line + 1);
}

static void has(struct talk *t, const char *list)
{
	char got[256] = "";
	size_t n = 0;

	settle(t);
	for (const struct peer_break *b = t->g->peer.breaks; b < t->g->peer.breaks + PEER_BREAKS; b++) {
		if (!b->set)
			continue;
		if (b->type)
			n += (size_t)snprintf(got + n, sizeof got - n, " %u:%" PRIx64, b->type, b->addr);
		else
			n += (size_t)snprintf(got + n, sizeof got - n, " %" PRIx64, b->addr);
	}
	same(t, list, n ? got + 1 : "nothing");
}

static void got(struct talk *t, const char *list)
{
	struct buf *b = &t->g->peer.got;
	char text[LINE];

	settle(t);
	snprintf(text, sizeof text, "%.*s", (int)b->len, (const char *)buf_data(b));
	buf_reset(b, 0);
	same(t, list, *text ? text + 1 : "nothing");
}

static void met(struct talk *t)
{
	settle(t);
	buf_reset(&t->g->peer.got, 0);
	check(t, target_there(&t->g->t), "the target was not met");
}

static void stops(struct talk *t, const char *words)
{
	unsigned sig, thread;

	check(t, sscanf(words, "%x %u", &sig, &thread) == 2 && t->g->peer.running, "nothing to stop");
	peer_stop(&t->g->peer, sig, thread);
}

static void hits(struct talk *t, const char *words)
{
	unsigned addr, thread;

	check(t, sscanf(words, "%x %u", &addr, &thread) == 2 && t->g->peer.running, "it does not run");
	peer_hit(&t->g->peer, addr, thread);
}

static void prints(struct talk *t, const char *words)
{
	peer_print(&t->g->peer, words);
}

static void says(struct talk *t, const char *words)
{
	peer_say(&t->g->peer, words);
}

static void be_like(struct talk *t, const char *words)
{
	check(t, peer_be(&t->g->peer, words), "no such kind");
}

/* Words of the target without an argument. */
static void was_running(struct talk *t)
{
	t->g->peer.running = true;
}

static void is_deaf(struct talk *t)
{
	t->g->peer.deaf = true;
}

static void is_away(struct talk *t)
{
	t->g->away = true;
}

static void is_back(struct talk *t)
{
	t->g->away = false;
}

static void falls_silent(struct talk *t)
{
	t->g->peer.silent = true;
}

static void thinks(struct talk *t)
{
	t->g->peer.slow = true;
}

static void answers(struct talk *t)
{
	t->g->peer.slow = false;
}

static void boots(struct talk *t)
{
	peer_boot(&t->g->peer);
}

static void drops(struct talk *t)
{
	peer_drop(&t->g->peer);
}

static void runs(struct talk *t)
{
	check(t, t->g->peer.running, "it does not run");
}

static void stands(struct talk *t)
{
	check(t, !t->g->peer.running, "it runs");
}

static void is_left(struct talk *t)
{
	check(t, t->g->peer.gone, "it was not let go");
}

static void target_line(struct talk *t, const char *line)
{
	static const struct {
		const char *words;
		void (*does)(struct talk *t, const char *rest);
	} with[] = { { "has ", has }, { "got ", got }, { "stops ", stops }, { "hits ", hits }, { "prints ", prints },
		     { "says ", says }, { "is like ", be_like } };
	static const struct {
		const char *words;
		void (*does)(struct talk *t);
		bool early; /* nothing has happened yet */
	} alone[] = { { "was running", was_running, true }, { "hears nothing while it runs", is_deaf, true }, { "is away", is_away, true }, { "is back", is_back, false },
		      { "is met", met, false }, { "falls silent", falls_silent, false }, { "thinks", thinks, false },
		      { "answers", answers, false }, { "boots", boots, false }, { "drops the line", drops, false },
		      { "runs", runs, false }, { "stands", stands, false }, { "is left", is_left, false } };

	for (size_t i = 0; i < sizeof with / sizeof *with; i++)
		if (!strncmp(line, with[i].words, strlen(with[i].words))) {
			if (with[i].does != be_like)
				settle(t);
			with[i].does(t, line + strlen(with[i].words));
			return;
		}
	for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
		if (!strcmp(line, alone[i].words)) {
			if (!alone[i].early)
				settle(t);
			alone[i].does(t);
			return;
		}
	complain(t, "no such word");
}

static void gate_line(struct talk *t, const char *line)
{
	if (!strcmp(line, "keeps nothing") || !strcmp(line, "reads sparingly")) {
		t->g->t.setup.no_cache |= *line == 'k';
		t->g->t.setup.slow_line |= *line == 'r';
		return;
	}
	settle(t);
	if (!strcmp(line, "lets it run") || !strcmp(line, "lets it stand"))
		t->g->t.setup.run_on_disconnect = !strcmp(line, "lets it run");
	else if (!strcmp(line, "ends"))
		target_close(&t->g->t, t->g->now);
	else if (!strcmp(line, "has ended"))
		check(t, t->g->t.state == TARGET_CLOSED, "it has not ended");
	else
		complain(t, "no such word");
}

static void rule_line(struct talk *t, char *line)
{
	char *rule = strstr(line, ": "), why[256] = "";
	const struct policy *p;

	check(t, rule, "no rule");
	*rule = 0;
	p = stage_policy(t->g, line);
	for (size_t i = 0; i < STAGE_POLICIES; i++)
		if (p == &t->g->policies[i] && policy_add(&t->g->policies[i], rule + 2, why, sizeof why) < 0)
			complain(t, "%s", why);
}

static void wait_line(struct talk *t, const char *line)
{
	char *unit;
	uint64_t n = strtoull(line, &unit, 10);

	if (!stage_wait(t->g, strcmp(unit, "s") ? n : n * 1000))
		complain(t, "it never comes to rest");
}

static void one_line(struct talk *t, char *line)
{
	if (!*line || *line == '#')
		return;
	if (!strncmp(line, "T ", 2))
		target_line(t, line + 2);
	else if (!strncmp(line, "P ", 2))
		rule_line(t, line + 2);
	else if (!strncmp(line, "kdgate ", 7))
		gate_line(t, line + 7);
	else if (!strncmp(line, "wait ", 5))
		wait_line(t, line + 5);
	else if (*line >= 'A' && *line < 'A' + STAGE_CLIENTS)
		client_line(t, *line - 'A', line + 1);
	else
		complain(t, "no such word");
}

static void well_done(struct talk *t)
{
	for (int who = 0; who < STAGE_CLIENTS; who++) {
		const char *more = t->g->clients[who].far ? stage_hear(t->g, who) : NULL;

		if (more && !t->rough)
			complain(t, "%c was told more than is written: %s", 'A' + who, more);
	}
	if (t->g->peer.rude)
		complain(t, "the stub was asked what it must not be: %s", t->g->peer.rude);
}

void stage_play(struct stage *g, const char *path, bool rough)
{
	struct talk t = { .g = g, .path = path, .rough = rough };
	char line[LINE];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		t.number++;
		line[strcspn(line, "\n")] = 0;
		if (getenv("TALK"))
			print_message("%s:%d: %s\n", path, t.number, line);
		one_line(&t, line);
	}
	fclose(f);
	well_done(&t);
}
