/* config_doc.c - see config_doc.h. */
#include "proxy/config_doc.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct config_block {
	struct config_block *next;
	max_align_t bytes[];
};

/* Where the reading is. Includes and sections nest, and share one count of how deep. */
struct reader {
	struct config_doc *doc;
	const char *file;
	struct cursor at;
	unsigned line, depth;
	char *why;
	size_t why_size;
};

static int read_file(const struct reader *from, struct config_node *into, const char *file, unsigned line);

const char *config_kind_name(enum config_kind kind)
{
	static const char *const names[] = { "a value", "a list [ ... ]", "a section { ... }" };

	return names[kind];
}

/* Zeroed, and the doc's. */
static void *take_memory(struct config_doc *d, size_t n)
{
	struct config_block *b = calloc(1, sizeof *b + n);

	if (!b)
		return NULL;
	b->next = d->blocks;
	d->blocks = b;
	return b->bytes;
}

static char *take_text(struct config_doc *d, struct span s)
{
	char *text = take_memory(d, s.len + 1);

	if (text && s.len)
		memcpy(text, s.p, s.len);
	return text;
}

__attribute__((format(printf, 3, 4))) static int refuse(const struct reader *r, unsigned line, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(r->why, r->why_size, "%s:%u: ", r->file, line);

	if (n < 0 || (size_t)n >= r->why_size)
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(r->why + n, r->why_size - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int out_of_memory(const struct reader *r)
{
	snprintf(r->why, r->why_size, "%s: out of memory", r->file);
	return -ENOMEM;
}

/* What stands where something else was expected, for people. */
static const char *show_next(const struct reader *r, char out[32])
{
	struct span rest = { r->at.p, (size_t)(r->at.end - r->at.p) };
	char seen[24];

	if (!rest.len)
		return "the end of the file";
	rest.len = 1;
	snprintf(out, 32, "'%s'", *rest.p == '\n' ? "\\n" : text_ascii(seen, sizeof seen, rest));
	return *rest.p == '\n' ? "the end of the line" : out;
}

static int expected(const struct reader *r, const char *what)
{
	char seen[32];

	return refuse(r, r->line, "%s is out of place; expected %s", show_next(r, seen), what);
}

static void step(struct reader *r)
{
	if (cursor_u8(&r->at) == '\n')
		r->line++;
}

static void skip_line(struct reader *r)
{
	while (cursor_peek(&r->at) >= 0 && cursor_peek(&r->at) != '\n')
		step(r);
}

static bool starts(const struct reader *r, const char *text)
{
	return span_starts((struct span){ r->at.p, (size_t)(r->at.end - r->at.p) }, text);
}

static int skip_comment(struct reader *r)
{
	unsigned line = r->line;

	while (!starts(r, "*/")) {
		if (cursor_peek(&r->at) < 0)
			return refuse(r, line, "a comment begins here and never ends; expected */");
		step(r);
	}
	step(r);
	step(r);
	return 0;
}

/* Blanks, newlines and comments. */
static int skip_space(struct reader *r)
{
	int rc = 0;

	for (int c = cursor_peek(&r->at); !rc && c >= 0; c = cursor_peek(&r->at)) {
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			step(r);
		else if (c == '#')
			skip_line(r);
		else if (starts(r, "/*"))
			rc = skip_comment(r);
		else
			break;
	}
	return rc;
}

static bool in_name(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool in_word(int c)
{
	return c > ' ' && c != 0x7f && !strchr("{}[];,=\"'#\\", c);
}

static struct span take_while(struct reader *r, bool (*in)(int c))
{
	const uint8_t *start = r->at.p;

	while (in(cursor_peek(&r->at)))
		step(r);
	return (struct span){ start, (size_t)(r->at.p - start) };
}

/* One character of a quoted text, into *out. Only "..." has escapes. */
static int take_quoted_char(struct reader *r, char quote, char *out)
{
	int c = cursor_peek(&r->at);

	if (c < ' ' || c == 0x7f)
		return refuse(r, r->line, "quoted text is not closed on its line, or holds a control character; expected %c", quote);
	step(r);
	*out = (char)c;
	if (c != '\\' || quote == '\'')
		return 0;
	c = cursor_peek(&r->at);
	if (c != '"' && c != '\\')
		return refuse(r, r->line, "unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it");
	step(r);
	*out = (char)c;
	return 0;
}

/* No more than what lies up to the closing quote, escapes and all. */
static size_t quoted_most(struct cursor c, char quote)
{
	size_t n = 0;

	for (int at = cursor_u8(&c); !c.bad && at >= ' ' && at != quote; at = cursor_u8(&c), n++)
		if (at == '\\' && quote == '"')
			(void)cursor_u8(&c);
	return n;
}

static int take_quoted(struct reader *r, char **out)
{
	char quote = (char)cursor_u8(&r->at);
	size_t n = 0;
	int rc = 0;

	*out = take_memory(r->doc, quoted_most(r->at, quote) + 1);
	if (!*out)
		return out_of_memory(r);
	while (!rc && cursor_peek(&r->at) != quote)
		rc = take_quoted_char(r, quote, *out + n++);
	if (!rc)
		step(r);
	return rc;
}

static int take_value(struct reader *r, char **out)
{
	int c = cursor_peek(&r->at);

	if (c == '"' || c == '\'')
		return take_quoted(r, out);
	if (!in_word(c))
		return expected(r, "a value: a word, or text in quotes");
	*out = take_text(r->doc, take_while(r, in_word));
	return *out ? 0 : out_of_memory(r);
}

static struct config_node *add_node(struct reader *r, struct config_node *into, const char *name, unsigned line)
{
	struct config_node *n = ++r->doc->nodes > CONFIG_DOC_NODES ? NULL : take_memory(r->doc, sizeof *n);

	if (!n)
		return NULL;
	*n = (struct config_node){ .name = name, .file = r->file, .line = line };
	if (into->last)
		into->last->next = n;
	else
		into->first = n;
	into->last = n;
	return n;
}

static int too_much(const struct reader *r)
{
	return r->doc->nodes > CONFIG_DOC_NODES ? refuse(r, r->line, "too much in here; expected at most %d names and values", CONFIG_DOC_NODES)
						: out_of_memory(r);
}

/* One value of a list, and the comma behind it. */
static int take_element(struct reader *r, struct config_node *list)
{
	struct config_node *n = add_node(r, list, NULL, r->line);
	char *value = NULL;
	int rc = n ? take_value(r, &value) : too_much(r);

	if (rc)
		return rc;
	n->value = value;
	rc = skip_space(r);
	if (rc || cursor_peek(&r->at) == ']')
		return rc;
	return cursor_skip(&r->at, ',') ? skip_space(r) : expected(r, ", or ] in a list");
}

static int take_list(struct reader *r, struct config_node *n)
{
	int rc;

	n->kind = CONFIG_LIST;
	step(r);
	for (rc = skip_space(r); !rc && cursor_peek(&r->at) != ']';)
		rc = take_element(r, n);
	if (!rc)
		step(r);
	return rc;
}

/* Whatever follows a value on its line must not be taken for a part of it. */
static int take_end(struct reader *r)
{
	unsigned line = r->line;
	int rc = skip_space(r);
	int c = cursor_peek(&r->at);

	if (rc || c < 0 || c == '}')
		return rc;
	if (cursor_skip(&r->at, ';') || cursor_skip(&r->at, ','))
		return 0;
	return r->line == line ? expected(r, "; or a new line after a value") : 0;
}

static int take_items(struct reader *r, struct config_node *into);

static int take_section(struct reader *r, struct config_node *n)
{
	int rc;

	n->kind = CONFIG_SECTION;
	if (r->depth >= CONFIG_DOC_DEPTH)
		return refuse(r, n->line, "sections or includes are nested too deeply; expected at most %d", CONFIG_DOC_DEPTH);
	step(r);
	r->depth++;
	rc = take_items(r, n);
	r->depth--;
	if (!rc && cursor_peek(&r->at) != '}')
		return refuse(r, n->line, "section %s begins here and never ends; expected }", n->name);
	if (rc)
		return rc;
	step(r);
	rc = skip_space(r);
	if (!rc && !cursor_skip(&r->at, ';'))
		(void)cursor_skip(&r->at, ',');
	return rc;
}

/* What follows  name =  */
static int take_assigned(struct reader *r, struct config_node *n)
{
	char *value = NULL;
	int rc = skip_space(r);

	if (rc)
		return rc;
	if (cursor_peek(&r->at) == '{')
		return take_section(r, n);
	rc = cursor_peek(&r->at) == '[' ? take_list(r, n) : take_value(r, &value);
	n->value = value;
	return rc ? rc : take_end(r);
}

/* What follows a name without = : a value, a list, a section, or a title and a section. */
static int take_plain(struct reader *r, struct config_node *n)
{
	struct reader before;
	char *value = NULL;
	int rc;

	if (cursor_peek(&r->at) == '{' || cursor_peek(&r->at) == '[')
		return take_assigned(r, n);
	rc = take_value(r, &value);
	before = *r;
	if (!rc)
		rc = skip_space(r);
	if (rc)
		return rc;
	if (cursor_peek(&r->at) == '{') {
		n->title = value;
		return take_section(r, n);
	}
	n->value = value;
	*r = before;
	return take_end(r);
}

static int take_item(struct reader *r, struct config_node *into)
{
	unsigned line = r->line;
	struct span name = take_while(r, in_name);
	char *text = name.len ? take_text(r->doc, name) : NULL;
	struct config_node *n;
	int rc;

	if (!name.len)
		return expected(r, "a name");
	if (!text)
		return out_of_memory(r);
	n = add_node(r, into, text, line);
	rc = n ? skip_space(r) : too_much(r);
	if (rc)
		return rc;
	return cursor_skip(&r->at, '=') || cursor_skip(&r->at, ':') ? take_assigned(r, n) : take_plain(r, n);
}

/* The name of an included file, as seen from the file that names it. */
static char *beside(struct reader *r, const char *name)
{
	const char *slash = strrchr(r->file, '/');
	size_t dir = slash && *name != '/' ? (size_t)(slash - r->file) + 1 : 0;
	size_t len = strlen(name);
	char *path = take_memory(r->doc, dir + len + 1);

	if (!path)
		return NULL;
	if (dir)
		memcpy(path, r->file, dir);
	memcpy(path + dir, name, len);
	return path;
}

static int include_matches(struct reader *r, struct config_node *into, const char *pattern, unsigned line)
{
	glob_t found;
	int rc = glob(pattern, 0, NULL, &found);

	if (rc == GLOB_NOMATCH)
		return 0;
	if (rc)
		return refuse(r, line, "cannot search for %s: %s", pattern, rc == GLOB_NOSPACE ? "out of memory" : "a directory cannot be read");
	for (size_t i = 0; !rc && i < found.gl_pathc; i++) {
		const char *path = take_text(r->doc, span_of(found.gl_pathv[i]));

		rc = path ? read_file(r, into, path, line) : out_of_memory(r);
	}
	globfree(&found);
	return rc;
}

static int take_include(struct reader *r, struct config_node *into)
{
	unsigned line = r->line;
	char *name = NULL, *path;
	int rc;

	step(r);
	if (!span_is(take_while(r, in_name), "include"))
		return refuse(r, line, "unknown directive; expected .include \"FILE\"");
	rc = cursor_peek(&r->at) == '(' ? expected(r, ".include \"FILE\"") : skip_space(r);
	if (!rc)
		rc = take_value(r, &name);
	if (!rc)
		rc = take_end(r);
	if (rc)
		return rc;
	if (r->doc->alone)
		return refuse(r, line, ".include is not possible here; expected everything in one text");
	path = beside(r, name);
	if (!path)
		return out_of_memory(r);
	return strpbrk(name, "*?[") ? include_matches(r, into, path, line) : read_file(r, into, path, line);
}

/* Up to the end of the file, or to the } of this section, which is left for the caller. */
static int take_items(struct reader *r, struct config_node *into)
{
	int rc = skip_space(r);

	while (!rc && cursor_peek(&r->at) >= 0 && cursor_peek(&r->at) != '}') {
		rc = cursor_peek(&r->at) == '.' ? take_include(r, into) : take_item(r, into);
		if (!rc)
			rc = skip_space(r);
	}
	return rc;
}

static int take_file(struct reader *r, struct config_node *into, struct span text)
{
	int rc;

	r->line = 1;
	r->at = cursor_of(text);
	if (span_starts(text, "\xef\xbb\xbf"))
		(void)cursor_take(&r->at, 3);
	rc = take_items(r, into);
	return rc || cursor_done(&r->at) ? rc : refuse(r, r->line, "} closes nothing; expected a name, or the end of the file");
}

/* A regular file: a pipe could keep a running program waiting at a reload. */
static int load(struct reader *r, struct span *text, const char **cause)
{
	int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	uint8_t *bytes;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CONFIG_DOC_BYTES) {
		int err = fd < 0 ? errno : EINVAL;

		*cause = fd < 0 ? strerror(err) : S_ISREG(st.st_mode) ? "larger than a configuration can be" : "not a regular file";
		if (fd >= 0)
			close(fd);
		return -err;
	}
	bytes = take_memory(r->doc, (size_t)st.st_size + 1);
	*cause = bytes ? NULL : "out of memory";
	*text = (struct span){ bytes, 0 };
	while (bytes && text->len < (size_t)st.st_size && (n = read(fd, bytes + text->len, (size_t)st.st_size - text->len)) > 0)
		text->len += (size_t)n;
	if (n < 0)
		*cause = strerror(errno);
	close(fd);
	return *cause ? -EIO : 0;
}

/* from is where the name of the file stands; line 0: nowhere, it is the first. */
static int read_file(const struct reader *from, struct config_node *into, const char *file, unsigned line)
{
	struct reader r = *from;
	struct span text = { 0 };
	const char *cause = NULL;
	int rc;

	if (++r.depth > CONFIG_DOC_DEPTH + 1 || ++r.doc->files > CONFIG_DOC_FILES)
		return refuse(from, line, "too many files include each other (does %s include itself?)", file);
	r.file = file;
	rc = load(&r, &text, &cause);
	if (rc && line)
		(void)refuse(from, line, "cannot include %s: %s", file, cause);
	else if (rc)
		snprintf(r.why, r.why_size, "%s: %s", file, cause);
	return rc ? rc : take_file(&r, into, text);
}

int config_doc_read(struct config_doc *d, const char *file, char *why, size_t why_size)
{
	struct reader r = { .doc = d, .why = why, .why_size = why_size };

	*d = (struct config_doc){ .root = { .kind = CONFIG_SECTION, .line = 1 } };
	r.file = d->root.file = take_text(d, span_of(file));
	if (!r.file) {
		snprintf(why, why_size, "%s: out of memory", file);
		return -ENOMEM;
	}
	return read_file(&r, &d->root, r.file, 0);
}

int config_doc_parse(struct config_doc *d, const char *name, struct span text, char *why, size_t why_size)
{
	struct reader r = { .doc = d, .file = name, .why = why, .why_size = why_size };

	*d = (struct config_doc){ .root = { .kind = CONFIG_SECTION, .file = name, .line = 1 }, .alone = true };
	return take_file(&r, &d->root, text);
}

void config_doc_fini(struct config_doc *d)
{
	while (d->blocks) {
		struct config_block *b = d->blocks;

		d->blocks = b->next;
		free(b);
	}
	*d = (struct config_doc){ 0 };
}
