/* config_vet.c - see config_vet.h. */
#include "proxy/config_vet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct vet {
	const char *dir;
	size_t files; /* included so far */
	char *why;
	size_t why_size;
};

struct place {
	const char *file, *text, *p;
};

/* NULL: it can be read. */
static const char *unfit(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return "a directory; expected a file";
	if (!S_ISREG(st->st_mode))
		return "not a regular file; expected one"; /* a pipe would keep the program waiting */
	return st->st_size > CONFIG_VET_BYTES ? "larger than a configuration can be; expected at most 1 MiB" : NULL;
}

static int read_all(int fd, char *to, size_t size, size_t *len)
{
	ssize_t n;

	for (*len = 0; *len < size; *len += (size_t)n) {
		n = read(fd, to + *len, size - *len);
		if (n <= 0)
			return n < 0 ? -errno : 0;
	}
	return 0;
}

static int load(int fd, char **text, size_t *len, const char **cause)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*cause = unfit(&st);
	if (*cause)
		return -EINVAL;
	*text = calloc((size_t)st.st_size + 1, 1);
	return *text ? read_all(fd, *text, (size_t)st.st_size, len) : -ENOMEM;
}

int config_vet_load(char **text, size_t *len, const char *file, const char **cause)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	*text = NULL;
	*cause = NULL;
	rc = fd < 0 ? -errno : load(fd, text, len, cause);
	if (fd >= 0)
		close(fd);
	if (rc && !*cause)
		*cause = strerror(-rc);
	return rc;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct vet *v, const struct place *at, const char *fmt, ...)
{
	char what[384];
	unsigned line = 1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	for (const char *p = at->text; p < at->p; p++)
		line += *p == '\n';
	snprintf(v->why, v->why_size, "%s:%u: %s", at->file, line, what);
	return -EINVAL;
}

static const struct stretch {
	const char *opens, *closes, *what, *expected;
} stretches[] = {
	{ "#", "\n", "comment", "a new line" },
	{ "//", "\n", "comment", "a new line" },
	{ "/*", "*/", "comment", "*/" },
	{ "\"", "\"", "text in quotes", "\"" },
};

static const struct stretch *stretch_at(const char *p)
{
	for (const struct stretch *s = stretches; s < stretches + sizeof stretches / sizeof *stretches; s++)
		if (!strncmp(p, s->opens, strlen(s->opens)))
			return s;
	return NULL;
}

/* Behind a comment, a text in quotes, or else one character. NULL: it has no end. */
static const char *skip(const char *p)
{
	const struct stretch *s = stretch_at(p);
	const char *end;

	if (!s)
		return p + 1;
	for (end = p + strlen(s->opens); *end && strncmp(end, s->closes, strlen(s->closes)) != 0; end++)
		end += *end == '\\' && *s->opens == '"' && end[1];
	return *end ? end + strlen(s->closes) : NULL;
}

static int vet(struct vet *v, const char *file, const char *text, size_t len);

static int vet_file(struct vet *v, const struct place *at, const char *file)
{
	const char *cause;
	char *text;
	size_t len = 0;
	int rc;

	if (v->files++ == CONFIG_VET_FILES)
		return refuse(v, at, "too many files are included (does %s include itself?); expected at most %d", file, CONFIG_VET_FILES);
	rc = config_vet_load(&text, &len, file, &cause);
	rc = rc ? refuse(v, at, "cannot include %s: %s", file, cause) : vet(v, file, text, len);
	free(text);
	return rc;
}

/* name: behind the word. If it is no text in quotes, libconfig says what is wrong. */
static int vet_include(struct vet *v, const struct place *at, const char *name)
{
	const char *end = *name == '"' ? skip(name) : NULL;
	char *file;
	int rc;

	if (!end)
		return 0;
	if (!v->dir)
		return refuse(v, at, "@include is not possible here; expected everything in one text");
	if (name[1] == '/' || memchr(name, '\\', (size_t)(end - name)))
		return refuse(v, at, "the name of an included file begins with / or holds \\; expected a file in %s", *v->dir ? v->dir : "/");
	if (asprintf(&file, "%s/%.*s", v->dir, (int)(end - name) - 2, name + 1) < 0)
		return refuse(v, at, "out of memory");
	rc = vet_file(v, at, file);
	free(file);
	return rc;
}

static int vet(struct vet *v, const char *file, const char *text, size_t len)
{
	static const char word[] = "@include";
	struct place at = { file, text, memchr(text, 0, len) };
	const char *next;
	int rc = 0;

	if (at.p)
		return refuse(v, &at, "a NUL byte is out of place; expected text");
	for (at.p = text; !rc && *at.p; at.p = next) {
		next = skip(at.p);
		if (!next)
			rc = refuse(v, &at, "a %s begins here and never ends; expected %s", stretch_at(at.p)->what, stretch_at(at.p)->expected);
		else if (!strncmp(at.p, word, sizeof word - 1))
			rc = vet_include(v, &at, at.p + sizeof word - 1 + strspn(at.p + sizeof word - 1, " \t"));
	}
	return rc;
}

int config_vet(const char *file, const char *dir, struct span text, char *why, size_t why_size)
{
	struct vet v = { .dir = dir, .why = why, .why_size = why_size };

	return vet(&v, file, (const char *)text.p, text.len);
}
