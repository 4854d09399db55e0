/* guard_doc.h - a target's qXfer documents, read whole, checked, and written anew. Target descriptions and memory maps are
 * rsp/tdesc.h's; these are the others that go on. Pure.
 *
 * Source: gdb manual, "Library List Format", "Library List Format for SVR4 Targets", "Thread List Format", "qXfer ... read".
 * Only elements and attributes that the manual knows are kept, numbers are written anew, ids as rsp_thread_put writes them. */
#ifndef FILTERS_GUARD_DOC_H
#define FILTERS_GUARD_DOC_H

#include "base/buf.h"

enum guard_object {
	GUARD_LIBRARIES, GUARD_LIBRARIES_SVR4, GUARD_THREAD_LIST,
	GUARD_EXEC_FILE, /* a name, no XML */
	GUARD_AUXV,      /* pairs of words, ended by AT_NULL */
	GUARD_SIGINFO,   /* opaque bytes, at most 128 */
	GUARD_OBJECTS,
};

enum { GUARD_DOC_MAX = 1 << 20, GUARD_ITEMS = 4096, GUARD_NAME = 256 };

struct guard_doc_how {
	bool paths;          /* names of files keep their directories; else only the last part stays, and is nowhere */
	unsigned word_bytes; /* of the target, 4 or 8: auxv */
};

struct guard_doc_news {
	const char *why;  /* static, when it was refused */
	unsigned changed; /* names that were changed, elements and attributes that were dropped, ids that were */
};

int guard_object_of(struct span name);               /* "libraries": enum guard_object; -1: none of them */
const char *guard_object_name(enum guard_object obj);

/* Appends the document to out (which is empty, room for GUARD_DOC_MAX). 0; -EBADMSG, -E2BIG, -ENOBUFS, -ENOMEM with
 * news->why; then out is empty. */
int guard_doc_rewrite(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out,
		      struct guard_doc_news *news) MUST_USE;

/* Where nothing is: a name alone is opened where the debugger was started. */
#define GUARD_NOWHERE "/nonexistent/"

/* A file's name as a debugger may be told it, NUL-terminated. Without paths: GUARD_NOWHERE and what stands behind the last / or
 * \, of A-Z a-z 0-9 . _ + - @ = alone, others become _; never empty, never starting with - or . . With paths: absolute (/x,
 * or C:\x), printable ASCII, no .. as a part; parts that are empty or . are left out. What is not so, or does not fit, is
 * reduced as without. size: at least 16. true: it was changed. */
bool guard_name(char *out, size_t size, struct span name, bool paths);

/* Between guard_doc's own files. guard_list.c: the documents that are XML; as guard_doc_rewrite, but out may hold a part. */
int guard_list_rewrite(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out,
		       struct guard_doc_news *news) MUST_USE;

#endif
