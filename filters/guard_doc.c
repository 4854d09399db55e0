/* guard_doc.c - see guard_doc.h. Which documents there are, and those that are no XML. */
#include "filters/guard_doc.h"

#include <errno.h>

enum { AUXV_PAIRS = 64, AUXV_MAX = 8192, SIGINFO_MAX = 128, EXEC_FILE_MAX = 4096 };

static int refuse(struct guard_doc_news *news, int rc, const char *why)
{
	news->why = why;
	return rc;
}

static int exec_file(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out, struct guard_doc_news *news)
{
	char name[GUARD_NAME];

	(void)obj;
	if (!doc.len)
		return 0;
	for (size_t i = 0; i < doc.len; i++)
		if (doc.p[i] < 0x20 || doc.p[i] == 0x7f)
			return refuse(news, -EBADMSG, "control characters in a name");
	news->changed += guard_name(name, sizeof name, doc, how->paths);
	return buf_put_text(out, name);
}

/* AT_NULL is 0 in either byte order, and nothing else is looked at. */
static bool is_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i])
			return false;
	return true;
}

static int put_end(struct buf *out, size_t pair)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < pair; i++)
		rc = buf_put_u8(out, 0);
	return rc;
}

static int auxv(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out, struct guard_doc_news *news)
{
	size_t word = how->word_bytes, pair = 2 * word, n = 0;
	int rc;

	(void)obj;
	if (word != 4 && word != 8)
		return refuse(news, -EBADMSG, "words of an unknown size");
	if (doc.len % pair)
		return refuse(news, -EBADMSG, "not whole pairs of words");
	if (!doc.len)
		return 0;
	while (n < doc.len && !is_zero((struct span){ doc.p + n, word }))
		n += pair;
	if (n > (AUXV_PAIRS - 1) * pair)
		return refuse(news, -E2BIG, "too many entries");
	news->changed += n + pair != doc.len || !is_zero(span_from(doc, n));
	rc = buf_put(out, doc.p, n);
	return rc ? rc : put_end(out, pair);
}

static int siginfo(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out, struct guard_doc_news *news)
{
	(void)obj, (void)how, (void)news;
	return buf_put_span(out, doc);
}

static const struct object {
	const char *name;
	size_t most; /* bytes */
	int (*rewrite)(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out, struct guard_doc_news *news);
} objects[GUARD_OBJECTS] = {
	[GUARD_LIBRARIES] = { "libraries", GUARD_DOC_MAX, guard_list_rewrite },
	[GUARD_LIBRARIES_SVR4] = { "libraries-svr4", GUARD_DOC_MAX, guard_list_rewrite },
	[GUARD_THREAD_LIST] = { "threads", GUARD_DOC_MAX, guard_list_rewrite },
	[GUARD_EXEC_FILE] = { "exec-file", EXEC_FILE_MAX, exec_file },
	[GUARD_AUXV] = { "auxv", AUXV_MAX, auxv },
	[GUARD_SIGINFO] = { "siginfo", SIGINFO_MAX, siginfo },
};

int guard_object_of(struct span name)
{
	for (int i = 0; i < GUARD_OBJECTS; i++)
		if (span_is(name, objects[i].name))
			return i;
	return -1;
}

const char *guard_object_name(enum guard_object obj)
{
	return objects[obj].name;
}

int guard_doc_rewrite(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out, struct guard_doc_news *news)
{
	int rc;

	*news = (struct guard_doc_news){ 0 };
	if (doc.len > objects[obj].most)
		return refuse(news, -E2BIG, "too long");
	rc = objects[obj].rewrite(obj, doc, how, out, news);
	if (rc < 0)
		buf_cut(out, 0);
	if (rc < 0 && !news->why)
		news->why = "too long when written anew";
	return rc;
}
