/* backend_kd_monitor.c - what a debugger's monitor command can ask of a KD target. */
#include "backends/backend_kd_parts.h"

#include "backends/kd/names.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 4, WORD_MAX = 32, DUMP_MAX = 1024 };

struct words {
	char word[WORDS_MAX][WORD_MAX];
	size_t n;
	bool bad; /* too many, or too long a one */
};

static struct words split(struct span text)
{
	struct words w = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < text.len && !w.bad; i++) {
		bool blank = text.p[i] == ' ';

		if (!blank && ((len == 0 && ++w.n > WORDS_MAX) || len + 1 == WORD_MAX))
			w.bad = true;
		else if (!blank)
			w.word[w.n - 1][len++] = (char)text.p[i];
		len = blank ? 0 : len;
	}
	return w;
}

/* Decimal, or with 0x. */
static bool number(const char *word, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(word, &end, 0);
	return *word >= '0' && *word <= '9' && !*end && !errno;
}

/* Once for the text, once to say that it was all. */
static int finish(struct backend_kd *b, struct backend_news *news)
{
	b->monitor.told = true;
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = buf_span(&b->doc) };
	return (int)BACKEND_PRINT;
}

#define SAY(b, ...) ((void)!buf_printf(&(b)->doc, __VA_ARGS__))

static int help(struct backend_kd *b, const struct words *w);

static int version(struct backend_kd *b, const struct words *w)
{
	static const char *const machines[KD_MACHINES] = { "unknown", "i386", "amd64", "arm64" };
	const struct kd_version *v = &b->version;

	(void)w;
	SAY(b, "%s, build %u%s, %s, %u processor%s, kernel at 0x%llx\n", kd_version_kind(v), v->minor, v->checked ? " (checked)" : "",
	    machines[v->machine], b->processors, b->processors == 1 ? "" : "s", (unsigned long long)v->kern_base);
	SAY(b, "line: %llu damaged packets, %llu came twice, %llu sent again, %llu bytes of noise\n", (unsigned long long)b->line.wire.bad,
	    (unsigned long long)b->line.wire.duplicates, (unsigned long long)b->line.wire.resent, (unsigned long long)b->line.wire.framer.noise);
	return 1;
}

static int modules(struct backend_kd *b, const struct words *w)
{
	int rc = backend_kd_images(b);

	(void)w;
	if (rc <= 0)
		return rc;
	buf_reset(&b->doc, 0);
	for (size_t i = 0; i < b->images.n; i++)
		SAY(b, "0x%016llx 0x%08x %s\n", (unsigned long long)b->images.image[i].base, b->images.image[i].size, b->images.image[i].name);
	if (!b->images.n)
		SAY(b, "none known (too early in its boot, or its list cannot be read)\n");
	return 1;
}

static int processors(struct backend_kd *b, const struct words *w)
{
	(void)w;
	for (unsigned i = 0; i < b->processors; i++) {
		int rc = backend_kd_need(b, i, KD_NEEDS_CONTEXT);

		if (rc <= 0)
			return rc;
	}
	buf_reset(&b->doc, 0);
	for (unsigned i = 0; i < b->processors; i++)
		SAY(b, "%c%u pc 0x%llx sp 0x%llx\n", i == b->st.processor ? '*' : ' ', i, (unsigned long long)kd_regs_pc(&b->cpus[i].regs),
		    (unsigned long long)kd_regs_sp(&b->cpus[i].regs));
	return 1;
}

static int msr(struct backend_kd *b, const struct words *w)
{
	uint64_t num, value = 0;
	struct kd_request r;

	if (w->n < 2 || w->n > 3 || !number(w->word[1], &num) || num > UINT32_MAX || (w->n == 3 && !number(w->word[2], &value)))
		return -EINVAL;
	if (!b->task.step++) {
		r = w->n == 3 ? kd_write_msr(backend_kd_here(b), (uint32_t)num, value) : kd_read_msr(backend_kd_here(b), (uint32_t)num);
		return backend_kd_ask(b, &r);
	}
	if (!backend_kd_answer(b) || !backend_kd_good(b))
		SAY(b, "the target refused MSR 0x%llx\n", (unsigned long long)num);
	else if (w->n == 2)
		SAY(b, "0x%llx: 0x%llx\n", (unsigned long long)num, (unsigned long long)b->req.reply.value);
	return 1;
}

static void dump(struct backend_kd *b, uint64_t addr, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (i % 16 == 0)
			SAY(b, "%s0x%llx: %02x", i ? "\n" : "", (unsigned long long)(addr + i), bytes.p[i]);
		else
			SAY(b, " %02x", bytes.p[i]);
	SAY(b, bytes.len ? "\n" : "the target cannot read physical memory there\n");
}

/* No more than is asked for: it may be a device. */
static int phys(struct backend_kd *b, const struct words *w)
{
	uint64_t addr, n = 16;
	int rc;

	if (w->n < 2 || w->n > 3 || !number(w->word[1], &addr) || (w->n == 3 && !number(w->word[2], &n)) || n == 0 || n > DUMP_MAX)
		return -EINVAL;
	rc = backend_kd_fetch_some(b, addr, (size_t)n, true);
	if (rc <= 0)
		return rc;
	dump(b, addr, buf_span(&b->fetch.bytes));
	kd_fetch_forget(&b->fetch);
	return 1;
}

enum { BUGCHECK_VALUES = 5 };

/* Its code, and parameters. 1; 0; -errno: they cannot be had. */
static int read_bugcheck(struct backend_kd *b, uint64_t *values)
{
	size_t size = kd_pointer_size(b->version.machine);
	uint64_t at = 0;
	struct cursor c;
	struct span got;
	int rc = backend_kd_data_block(b);

	if (rc > 0 && !(kd_kdbg_get(buf_span(&b->block.bytes), b->version.machine, KD_KDBG_BUGCHECK_DATA, &at) && at))
		return -ENOENT;
	if (rc > 0)
		rc = backend_kd_fetch(b, at, BUGCHECK_VALUES * size, &got);
	if (rc <= 0)
		return rc;
	c = cursor_of(got);
	for (size_t i = 0; i < BUGCHECK_VALUES; i++)
		values[i] = cursor_le(&c, size);
	return 1;
}

static int bugcheck(struct backend_kd *b, const struct words *w)
{
	uint64_t value[BUGCHECK_VALUES];
	int rc = read_bugcheck(b, value);
	const char *name = rc > 0 ? kd_bugcheck_name((uint32_t)value[0]) : NULL;

	(void)w;
	if (rc == 0)
		return 0;
	if (rc < 0)
		SAY(b, "the target's bugcheck data cannot be read\n");
	else if (!value[0])
		SAY(b, "no bugcheck\n");
	else
		SAY(b, "bugcheck 0x%llx %s (0x%llx, 0x%llx, 0x%llx, 0x%llx)\n", (unsigned long long)value[0], name ? name : "",
		    (unsigned long long)value[1], (unsigned long long)value[2], (unsigned long long)value[3], (unsigned long long)value[4]);
	return 1;
}

static int reboot(struct backend_kd *b, const struct words *w)
{
	struct kd_request r = kd_reboot(backend_kd_here(b));

	(void)w;
	if (!b->task.step++)
		return backend_kd_ask(b, &r);
	return backend_kd_fails(b, "it was told to reboot");
}

static int breakpoints(struct backend_kd *b, const struct words *w)
{
	unsigned n = 0;

	(void)w;
	for (const struct kd_site *s = b->breaks.sites.site; s < b->breaks.sites.site + KD_SITES; s++)
		if (s->used && (s->wanted || s->handle)) {
			n++;
			SAY(b, "software 0x%llx%s\n", (unsigned long long)s->addr, s->wanted ? "" : " (goes when the target runs)");
		}
	for (const struct kd_slot *s = b->breaks.slots.slot; s < b->breaks.slots.slot + KD_SLOTS; s++)
		if (s->wanted) {
			n++;
			SAY(b, "hardware 0x%llx, %u bytes\n", (unsigned long long)s->hw.addr, s->hw.len);
		}
	SAY(b, "%u; the target's own table has room for %d\n", n, KD_BREAKPOINTS);
	return 1;
}

static const struct {
	const char *name, *help;
	int (*say)(struct backend_kd *b, const struct words *w); /* as a helper of a task: 1, 0, -errno; -EINVAL: say how it is used */
} commands[] = {
	{ "help", "this", help },
	{ "version", "what the target is, and how its line does", version },
	{ "modules", "its images: base, size, name", modules },
	{ "processors", "where each stands", processors },
	{ "msr", "msr NUMBER [VALUE]: a model-specific register", msr },
	{ "phys", "phys ADDRESS [BYTES]: physical memory, at most 1024 bytes", phys },
	{ "bugcheck", "the last one", bugcheck },
	{ "breakpoints", "what is set, and how much room is left", breakpoints },
	{ "reboot", "restart the target at once", reboot },
};

static int help(struct backend_kd *b, const struct words *w)
{
	(void)w;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		SAY(b, "%-12s %s\n", commands[i].name, commands[i].help);
	return 1;
}

static int command(struct backend_kd *b)
{
	struct words w = split(b->task.cmd.data);

	for (size_t i = 0; i < sizeof commands / sizeof *commands && !w.bad && w.n; i++)
		if (strcmp(commands[i].name, w.word[0]) == 0) {
			int rc = commands[i].say(b, &w);

			if (rc == -EINVAL)
				SAY(b, "%s\n", commands[i].help);
			return rc == -EINVAL ? 1 : rc;
		}
	SAY(b, "the target has no such command; monitor help lists them\n");
	return 1;
}

int backend_kd_task_monitor(struct backend_kd *b, struct backend_news *news)
{
	int rc;

	if (b->monitor.told) {
		b->monitor.told = false;
		return backend_kd_say_ok(b, news);
	}
	if (!b->monitor.started) {
		b->monitor.started = true;
		buf_reset(&b->doc, 0);
	}
	rc = command(b);
	if (rc == 0)
		return 0;
	b->monitor.started = false;
	if (rc > 0 && !b->doc.len)
		return backend_kd_say_ok(b, news);
	return rc < 0 ? rc : finish(b, news);
}
