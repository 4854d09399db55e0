/* guard_doc_fuzz.c - any bytes as each document and as a name: bounded, nothing but what may be shown, and settled: what was
 * written is taken again as it is. */
#include "filters/guard_doc.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool is_text(enum guard_object obj)
{
	return obj != GUARD_AUXV && obj != GUARD_SIGINFO;
}

static void shown(struct span s, bool lines)
{
	for (size_t i = 0; i < s.len; i++)
		must((s.p[i] >= 0x20 && s.p[i] <= 0x7e) || (lines && s.p[i] == '\n'));
}

static void document(enum guard_object obj, struct span in, const struct guard_doc_how *how)
{
	static struct buf a, b;
	struct guard_doc_news news;

	must(a.base || (buf_init(&a, GUARD_DOC_MAX) == 0 && buf_init(&b, GUARD_DOC_MAX) == 0));
	buf_reset(&a, 0);
	buf_reset(&b, 0);
	if (guard_doc_rewrite(obj, in, how, &a, &news) < 0) {
		must(!a.len && news.why && *news.why);
		return;
	}
	must(!news.why);
	if (is_text(obj))
		shown(buf_span(&a), obj != GUARD_EXEC_FILE);
	must(guard_doc_rewrite(obj, buf_span(&a), how, &b, &news) == 0 && !news.changed);
	must(a.len == b.len && !memcmp(buf_data(&a), buf_data(&b), a.len));
}

static bool has_part(const char *name, const char *part)
{
	size_t n = strlen(part);

	for (const char *at = name; *at; at += strcspn(at, "/\\"), at += *at != 0)
		if (strcspn(at, "/\\") == n && !memcmp(at, part, n))
			return true;
	return false;
}

/* A name that is nowhere is one part behind that directory; the rest are absolute. */
static void is_named_well(const char *once, bool paths)
{
	bool nowhere = span_starts(span_of(once), GUARD_NOWHERE);
	const char *last = once + strlen(GUARD_NOWHERE);

	must(paths || (nowhere && *last && *last != '-' && *last != '.' && !strpbrk(last, "/\\:|")));
	must(*once == '/' || (once[1] == ':' && strchr("/\\", once[2])));
	must(!has_part(once, "..") && !has_part(once, "."));
}

static void name(struct span in, size_t size, bool paths)
{
	char once[GUARD_NAME], twice[GUARD_NAME];
	bool changed = guard_name(once, size, in, paths);

	must(*once && strlen(once) < size && changed == !span_is(in, once));
	shown(span_of(once), false);
	is_named_well(once, paths);
	must(!guard_name(twice, size, span_of(once), paths) && !strcmp(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { data, size };

	for (int paths = 0; paths < 2; paths++) {
		struct guard_doc_how how = { .paths = paths, .word_bytes = paths ? 4 : 8 };

		for (int obj = 0; obj < GUARD_OBJECTS; obj++)
			document((enum guard_object)obj, in, &how);
		name(in, GUARD_NAME, paths);
		name(in, 16, paths);
	}
	return 0;
}
