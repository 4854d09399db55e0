/* learn_fuzz.c - packets from any bytes, each ended by a newline: those before an empty line are a session, the others are
 * tried against its policy. The policy is one that can be read; it allows the session again, and of the others those that
 * the model of learn_model.h allows, unless something was joined. */
#include "filters/learn.h"
#include "tests/filters/learn_model.h"
#include "tests/fuzz/fuzz.h"

enum { PACKET = 20000, ROOM = 1 << 20 };

static struct model model;
static struct rsp_cmd cmd;
static uint8_t copy[PACKET], kept[ROOM];
static size_t kept_n;

static bool parse(struct span packet)
{
	if (packet.len > sizeof copy)
		return false;
	if (packet.len)
		memcpy(copy, packet.p, packet.len);
	return rsp_cmd_parse(copy, packet.len, &cmd) == 0;
}

/* The model borrows texts, so they are kept. */
static void note(struct learn *l)
{
	learn_note(l, &cmd);
	if (cmd.op == RSP_OP_MONITOR) {
		memcpy(kept + kept_n, cmd.data.p, cmd.data.len);
		cmd.data.p = kept + kept_n;
		kept_n += cmd.data.len;
	}
	model_note(&model, &cmd);
}

static struct span take_line(struct span *in)
{
	const uint8_t *end = in->len ? memchr(in->p, '\n', in->len) : NULL;
	struct span line = { in->p, end ? (size_t)(end - in->p) : in->len };

	*in = span_from(*in, line.len + 1);
	return line;
}

static void build(const struct learn *l, struct policy *p)
{
	char text[POLICY_TEXT], why[256];
	struct buf rule = { .base = (uint8_t *)text, .cap = sizeof text - 1 };

	for (size_t i = 0; learn_rule(l, i, &rule); i++) {
		text[rule.len] = 0;
		must(policy_add(p, text, why, sizeof why) == 0);
		buf_reset(&rule, 0);
	}
	must(learn_empty(l) == (p->count == 0));
}

static bool joined(const struct learn *l)
{
	static struct buf out;
	bool any;

	if (!out.base)
		must(buf_init(&out, LEARN_SECTION) == 0);
	buf_reset(&out, 0);
	must(learn_put(l, "fuzz", &out) == 0);
	any = memmem(buf_data(&out), out.len, "joined", 6) || memmem(buf_data(&out), out.len, "too long", 8);
	for (size_t i = 0; i < out.len; i++)
		must(buf_data(&out)[i] == '\n' || buf_data(&out)[i] == '\t' || (buf_data(&out)[i] >= 0x20 && buf_data(&out)[i] < 0x7f));
	return any;
}

static void agree(const struct policy *p, bool wider)
{
	bool allowed = policy_judge(p, &cmd).verdict == VERDICT_ALLOW, meant = model_allows(&model, &cmd);

	must(allowed == meant || (allowed && wider));
}

static void around(const struct policy *p, bool wider)
{
	agree(p, wider);
	cmd.addr--;
	agree(p, wider);
	cmd.addr++;
	cmd.len++;
	agree(p, wider);
	cmd.addr++;
	agree(p, wider);
}

static void try(const struct learn *l, struct span again, struct span others)
{
	struct policy p;
	bool wider = joined(l);

	must(policy_init(&p, "fuzz") == 0);
	build(l, &p);
	while (again.len) {
		struct span line = take_line(&again);

		if (line.len && parse(line)) {
			must(policy_judge(&p, &cmd).verdict == VERDICT_ALLOW);
			around(&p, wider);
		}
	}
	while (others.len)
		if (parse(take_line(&others)))
			around(&p, wider);
	policy_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct learn *l = learn_new();
	struct span in = { data, size }, all, line;

	must(l != NULL);
	if (size > ROOM / 2)
		in.len = ROOM / 2;
	kept_n = model.accesses_n = model.texts_n = model.everywhere = model.no_text = 0;
	all = in;
	for (unsigned n = 0; n < 900 && (line = take_line(&in)).len; n++)
		if (parse(line))
			note(l);
	all.len -= in.len;
	try(l, all, in);
	learn_destroy(l);
	return 0;
}
