/* guard_list.c - see guard_doc.h. Lists in XML: a table of the formats' elements, a function for what an attribute may be.
 *
 * gdb throws a whole list away for one entry that it cannot use. Here that entry alone goes. */
#include "filters/guard_doc.h"

#include "base/hex.h"
#include "base/text.h"
#include "rsp/cmd.h"
#include "rsp/xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ATTRS = 5, LEVELS = 3, SLOTS = 2 * GUARD_ITEMS, HANDLE_MAX = 128, SHOWN_MAX = GUARD_NAME - 5 };

struct element;

struct list {
	enum guard_object obj;
	const struct guard_doc_how *how;
	struct buf *out;
	struct guard_doc_news *news;
	const struct element *open[LEVELS];
	bool is_one;                    /* the outermost element was the right one */
	size_t items, began;            /* libraries or threads, kept or not; where in out the last one begins */
	const struct element *base;     /* what the open library is placed by: segments or sections; NULL: nothing yet */
	char text[GUARD_NAME];          /* of the thread that is open; */
	size_t text_n, text_end;        /* text_end: behind the last byte that is not blank */
	struct rsp_thread seen[SLOTS];  /* by hash; tid 0: free */
};

/* ---- what an attribute may be: text to out, of GUARD_NAME; false: not that ---- */

static bool take_version(struct list *l, const char *text, char *out)
{
	(void)l;
	strcpy(out, "1.0");
	return !strcmp(text, "1.0");
}

static bool take_file(struct list *l, const char *text, char *out)
{
	if (!*text)
		return false;
	l->news->changed += guard_name(out, GUARD_NAME, span_of(text), l->how->paths);
	return true;
}

static bool take_address(struct list *l, const char *text, char *out)
{
	uint64_t v;

	(void)l;
	if (!xml_number(text, &v))
		return false;
	snprintf(out, GUARD_NAME, "0x%" PRIx64, v);
	return true;
}

static bool take_core(struct list *l, const char *text, char *out)
{
	uint64_t v;

	(void)l;
	if (!xml_number(text, &v) || v > INT32_MAX)
		return false;
	snprintf(out, GUARD_NAME, "%" PRIu64, v);
	return true;
}

/* A target chooses its ids, but never more than half as many as there are slots. */
static bool is_new(struct list *l, struct rsp_thread t)
{
	uint64_t hash = ((uint64_t)t.pid * 31 + (uint64_t)t.tid) * 0x9e3779b97f4a7c15;
	size_t at = hash >> 32;

	for (;; at++) {
		struct rsp_thread *slot = &l->seen[at % SLOTS];

		if (!slot->tid) {
			*slot = t;
			return true;
		}
		if (slot->tid == t.tid && slot->pid == t.pid)
			return false;
	}
}

static bool take_thread(struct list *l, const char *text, char *out)
{
	struct buf b = { .base = (uint8_t *)out, .cap = GUARD_NAME - 1 };
	struct cursor c = cursor_of(span_of(text));
	struct rsp_thread t;

	if (rsp_thread_take(&c, &t) < 0 || !cursor_done(&c) || !rsp_thread_names_one(t) || rsp_thread_put(&b, t) < 0)
		return false;
	out[b.len] = 0;
	return is_new(l, t);
}

/* Cut so that it is not cut again when it comes back. */
static bool take_text_of(struct list *l, struct span text, char *out)
{
	text_ascii(out, GUARD_NAME, text);
	out[SHOWN_MAX] = 0;
	l->news->changed += !span_is(text, out);
	return true;
}

static bool take_text(struct list *l, const char *text, char *out)
{
	return take_text_of(l, span_of(text), out);
}

static bool take_handle(struct list *l, const char *text, char *out)
{
	size_t n = 0;

	(void)l;
	for (; n < HANDLE_MAX && text[n] && hex_value((uint8_t)text[n]) >= 0; n++)
		out[n] = "0123456789abcdef"[hex_value((uint8_t)text[n])];
	out[n] = 0;
	return n && n % 2 == 0 && !text[n];
}

/* ---- the formats ---- */

enum holds { NOTHING, TEXT, ELEMENTS };
enum { MUST = 1, SILENT = 2 }; /* MUST: without it there is no element. SILENT: not written */

static const struct element {
	enum guard_object obj;
	unsigned depth; /* as the reader counts: the outermost is 1 */
	const char *name;
	enum holds holds;
	bool placed, places; /* a library that must be placed; what places it */
	struct attr {
		const char *name;
		bool (*take)(struct list *l, const char *text, char *out);
		unsigned how;
		const char *absent; /* what it is when it is not there */
	} attrs[ATTRS];
} elements[] = {
	{ GUARD_LIBRARIES, 1, "library-list", ELEMENTS, .attrs = { { "version", take_version, MUST, "1.0" } } },
	{ GUARD_LIBRARIES, 2, "library", ELEMENTS, .placed = true, .attrs = { { "name", take_file, MUST, NULL } } },
	{ GUARD_LIBRARIES, 3, "segment", NOTHING, .places = true, .attrs = { { "address", take_address, MUST, NULL } } },
	{ GUARD_LIBRARIES, 3, "section", NOTHING, .places = true, .attrs = { { "address", take_address, MUST, NULL } } },
	{ GUARD_LIBRARIES_SVR4, 1, "library-list-svr4", ELEMENTS,
	  .attrs = { { "version", take_version, MUST, "1.0" }, { "main-lm", take_address, 0, NULL } } },
	{ GUARD_LIBRARIES_SVR4, 2, "library", NOTHING,
	  .attrs = { { "name", take_file, MUST, NULL }, { "lm", take_address, MUST, NULL }, { "l_addr", take_address, MUST, NULL },
		     { "l_ld", take_address, MUST, NULL }, { "lmid", take_address, 0, NULL } } },
	{ GUARD_THREAD_LIST, 1, "threads", ELEMENTS, .attrs = { { "version", take_version, MUST | SILENT, "1.0" } } },
	{ GUARD_THREAD_LIST, 2, "thread", TEXT,
	  .attrs = { { "id", take_thread, MUST, NULL }, { "core", take_core, 0, NULL }, { "name", take_text, 0, NULL },
		     { "handle", take_handle, 0, NULL }, { "id_str", take_text, 0, NULL } } },
};

static const struct element *find(enum guard_object obj, unsigned depth, const char *name)
{
	for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
		if (elements[i].obj == obj && elements[i].depth == depth && !strcmp(elements[i].name, name))
			return &elements[i];
	return NULL;
}

/* ---- reading ---- */

struct value {
	bool set;
	char text[GUARD_NAME];
};

static const char *given(const char **attrs, const char *name)
{
	for (; attrs[0]; attrs += 2)
		if (!strcmp(attrs[0], name))
			return attrs[1];
	return NULL;
}

static unsigned count(const char **attrs)
{
	unsigned n = 0;

	for (; attrs[2 * n]; n++)
		;
	return n;
}

static bool take_attrs(struct list *l, const struct element *e, const char **attrs, struct value *vals)
{
	unsigned unused = count(attrs);

	for (const struct attr *a = e->attrs; a < e->attrs + ATTRS && a->name; a++) {
		const char *text = given(attrs, a->name);
		struct value *v = &vals[a - e->attrs];

		v->set = (text || a->absent) && a->take(l, text ? text : a->absent, v->text);
		if (!v->set && a->how & MUST)
			return false;
		unused -= text && v->set;
	}
	l->news->changed += unused;
	return true;
}

static int put_open(struct list *l, const struct element *e, const struct value *vals)
{
	int rc = buf_printf(l->out, "%*s<%s", (int)(2 * (e->depth - 1)), "", e->name);

	for (size_t i = 0; !rc && i < ATTRS && e->attrs[i].name; i++)
		if (vals[i].set && !(e->attrs[i].how & SILENT))
			rc = xml_put_attr(l->out, e->attrs[i].name, vals[i].text);
	return !rc && e->holds == ELEMENTS ? buf_put_text(l->out, ">\n") : rc;
}

static int begin_item(struct xml *x, struct list *l)
{
	l->began = l->out->len;
	l->base = NULL;
	l->text_n = l->text_end = 0;
	return ++l->items > GUARD_ITEMS ? xml_refuse(x, -E2BIG, "too many entries") : 0;
}

static int begin(struct xml *x, struct list *l, const struct element *e)
{
	l->is_one = true;
	l->open[e->depth - 1] = e;
	if (e->places)
		l->base = e;
	return e->depth == 2 ? begin_item(x, l) : 0;
}

/* gdb takes segments or sections, not both. */
static bool fits(const struct list *l, const struct element *e)
{
	return !e->places || !l->base || l->base == e;
}

static int on_open(struct xml *x, const char *name, const char **attrs)
{
	struct list *l = x->arg;
	const struct element *e = find(l->obj, x->depth, name);
	struct value vals[ATTRS];
	int rc;

	if (!e || !fits(l, e) || !take_attrs(l, e, attrs, vals)) {
		l->news->changed++;
		return 0;
	}
	rc = begin(x, l, e);
	rc = rc ? rc : put_open(l, e, vals);
	return rc ? rc : 1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_text(struct list *l, char c)
{
	bool blank = is_blank(c);

	if (l->text_n < sizeof l->text && (l->text_n || !blank))
		l->text[l->text_n++] = blank ? ' ' : c;
	if (!blank)
		l->text_end = l->text_n;
}

/* Text where none belongs is not kept: it counts once for each piece. */
static void on_text(struct xml *x, const char *piece, size_t n)
{
	struct list *l = x->arg;
	bool stray = false;

	for (size_t i = 0; i < n; i++)
		if (l->open[x->depth - 1]->holds == TEXT)
			add_text(l, piece[i]);
		else
			stray |= !is_blank(piece[i]);
	l->news->changed += stray;
}

/* ---- ends ---- */

static int close_nothing(struct list *l, const struct element *e)
{
	(void)e;
	return buf_put_text(l->out, "/>\n");
}

static int close_text(struct list *l, const struct element *e)
{
	char shown[GUARD_NAME];
	size_t n;
	int rc;

	if (!l->text_end)
		return close_nothing(l, e);
	take_text_of(l, (struct span){ (const uint8_t *)l->text, l->text_end }, shown);
	for (n = strlen(shown); is_blank(shown[n - 1]); n--)
		;
	shown[n] = 0;
	rc = buf_put_u8(l->out, '>');
	rc = rc ? rc : xml_put_text(l->out, shown);
	return rc ? rc : buf_printf(l->out, "</%s>\n", e->name);
}

static int close_elements(struct list *l, const struct element *e)
{
	if (e->placed && !l->base) {
		l->news->changed++;
		buf_cut(l->out, l->began);
		return 0;
	}
	return buf_printf(l->out, "%*s</%s>\n", (int)(2 * (e->depth - 1)), "", e->name);
}

static int on_close(struct xml *x, const char *name, const char *text)
{
	static int (*const closers[])(struct list *l, const struct element *e) = {
		[NOTHING] = close_nothing, [TEXT] = close_text, [ELEMENTS] = close_elements,
	};
	struct list *l = x->arg;
	const struct element *e = l->open[x->depth]; /* the reader has left it already */

	(void)name, (void)text;
	return closers[e->holds](l, e);
}

int guard_list_rewrite(enum guard_object obj, struct span doc, const struct guard_doc_how *how, struct buf *out, struct guard_doc_news *news)
{
	static const struct xml_ops ops = { .open = on_open, .close = on_close, .text = on_text };
	struct list l = { .obj = obj, .how = how, .out = out, .news = news };
	struct xml x = { .ops = &ops, .arg = &l };
	int rc = buf_put_text(out, "<?xml version=\"1.0\"?>\n");

	rc = rc ? rc : xml_read(&x, doc);
	if (!rc && !l.is_one)
		rc = xml_refuse(&x, -EBADMSG, "another kind of document");
	news->why = x.words;
	return rc;
}
