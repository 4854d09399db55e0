/* config_text.c - see config_text.h. */
#include "proxy/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scan {
	char *p, *end;
	unsigned line;
	unsigned opened[CONFIG_TEXT_DEPTH]; /* the lines of each { not closed so far */
	size_t depth;
	size_t *words;
	char *why;
	size_t why_size;
};

/* NULL: it can be read. */
static const char *unfit(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return "a directory; expected a file";
	if (!S_ISREG(st->st_mode))
		return "not a regular file; expected one"; /* a pipe could keep a running program waiting */
	return st->st_size > CONFIG_TEXT_BYTES ? "larger than a configuration can be; expected at most 1 MiB" : NULL;
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
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	*cause = unfit(&st);
	if (*cause)
		return -EINVAL;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	rc = read_all(fd, *text, (size_t)st.st_size, len);
	if (rc)
		free(*text);
	return rc;
}

int config_text_load(char **text, size_t *len, const char *file, const char **cause)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	*cause = NULL;
	rc = fd < 0 ? -errno : load(fd, text, len, cause);
	if (fd >= 0)
		close(fd);
	if (rc && !*cause)
		*cause = strerror(-rc);
	return rc;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct scan *s, unsigned line, const char *fmt, ...)
{
	va_list ap;

	s->line = line;
	va_start(ap, fmt);
	vsnprintf(s->why, s->why_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* -1: the end. */
static int peek(const struct scan *s, size_t ahead)
{
	return (size_t)(s->end - s->p) > ahead ? (unsigned char)s->p[ahead] : -1;
}

static bool is_control(int c)
{
	return c < ' ' || c == 0x7f;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool in_word(int c)
{
	return c > ' ' && c != 0x7f && !strchr("#\"'={}()+,*;[]\\|", c);
}

static int take_one(struct scan *s)
{
	s->line += *s->p++ == '\n';
	return 0;
}

static void blank(struct scan *s)
{
	if (*s->p == '\n')
		s->line++;
	else
		*s->p = ' ';
	s->p++;
}

static int blank_line(struct scan *s)
{
	while (peek(s, 0) >= 0 && peek(s, 0) != '\n')
		blank(s);
	return 0;
}

static int blank_comment(struct scan *s)
{
	unsigned line = s->line;

	blank(s);
	blank(s);
	while (peek(s, 0) != '*' || peek(s, 1) != '/') {
		if (peek(s, 0) < 0)
			return refuse(s, line, "a comment begins here and never ends; expected */");
		blank(s);
	}
	blank(s);
	blank(s);
	return 0;
}

static int count_word(struct scan *s, const char *start)
{
	if (s->p - start > CONFIG_TEXT_WORD)
		return refuse(s, s->line, "a name or value is too long; expected at most %d bytes", CONFIG_TEXT_WORD);
	if (++*s->words > CONFIG_TEXT_WORDS)
		return refuse(s, s->line, "too much in here; expected at most %d names and values", CONFIG_TEXT_WORDS);
	return 0;
}

static bool at_variable(const struct scan *s)
{
	return peek(s, 0) == '$' && peek(s, 1) == '{';
}

static int refuse_variable(struct scan *s)
{
	return refuse(s, s->line, "${ is out of place, nothing is taken from the environment; expected single quotes around it");
}

static int take_word(struct scan *s)
{
	const char *start = s->p;

	while (in_word(peek(s, 0))) {
		if (at_variable(s))
			return refuse_variable(s);
		s->p++;
	}
	return count_word(s, start);
}

/* One character of a quoted text, or one escape. */
static int take_quoted_char(struct scan *s, int quote)
{
	int c = peek(s, 0), next = peek(s, 1);
	bool escape = c == '\\' && (next == '\\' || next == quote);

	if (is_control(c))
		return refuse(s, s->line, "quoted text is not closed on its line, or holds a control character; expected %c", quote);
	if (quote == '"' && at_variable(s))
		return refuse_variable(s);
	if (quote == '"' && c == '\\' && !escape)
		return refuse(s, s->line, "unknown escape in quoted text; expected \\\" or \\\\, or single quotes around it");
	s->p += escape ? 2 : 1;
	return 0;
}

static int take_quoted(struct scan *s)
{
	const char *start = s->p;
	int quote = *s->p++, rc = 0;

	while (!rc && peek(s, 0) != quote)
		rc = take_quoted_char(s, quote);
	if (rc)
		return rc;
	s->p++;
	return count_word(s, start);
}

static int take_slash(struct scan *s)
{
	if (peek(s, 1) == '*')
		return blank_comment(s);
	return peek(s, 1) == '/' ? blank_line(s) : take_word(s);
}

static int take_open(struct scan *s)
{
	if (s->depth == CONFIG_TEXT_DEPTH)
		return refuse(s, s->line, "{ is nested too deeply; expected at most %d", CONFIG_TEXT_DEPTH);
	s->opened[s->depth++] = s->line;
	return take_one(s);
}

static int take_close(struct scan *s)
{
	if (!s->depth)
		return refuse(s, s->line, "} closes nothing; expected a name, or the end of the file");
	s->depth--;
	return take_one(s);
}

static void skip_blanks(struct scan *s)
{
	while (is_blank(peek(s, 0)))
		(void)take_one(s);
}

/* Arguments that it cannot read to their end the library never frees. */
static int take_call(struct scan *s)
{
	unsigned line = s->line;
	int rc;

	(void)take_one(s);
	skip_blanks(s);
	if (peek(s, 0) != '"' && peek(s, 0) != '\'')
		return refuse(s, line, "( is not followed by a text in quotes; expected include(\"FILE\")");
	rc = take_quoted(s);
	skip_blanks(s);
	if (!rc && peek(s, 0) != ')')
		return refuse(s, line, "( is not closed after one text in quotes; expected include(\"FILE\")");
	return rc ? rc : take_one(s);
}

static int refuse_char(struct scan *s)
{
	int c = peek(s, 0);

	if (c == '[' || c == ']')
		return refuse(s, s->line, "'%c' is out of place; expected { } around a list, and quotes around text that holds it", c);
	if (c == ';')
		return refuse(s, s->line, "';' is out of place; expected a blank or a new line after a value, and quotes around text that holds it");
	return refuse(s, s->line, "'%c' is out of place; expected quotes around text that holds it", c);
}

static const struct token {
	const char *first;
	int (*take)(struct scan *s);
} tokens[] = {
	{ " \t\r\n=,)", take_one },
	{ "#", blank_line },
	{ "/", take_slash },
	{ "\"'", take_quoted },
	{ "{", take_open },
	{ "}", take_close },
	{ "(", take_call },
	{ "+*;[]\\|", refuse_char },
	{ "", take_word },
};

static int take_token(struct scan *s)
{
	const struct token *t = tokens;
	int c = peek(s, 0);

	if (is_control(c) && !is_blank(c))
		return refuse(s, s->line, "a control character (0x%02x) is out of place; expected text", c);
	while (*t->first && !strchr(t->first, c))
		t++;
	return t->take(s);
}

int config_text_clean(char *text, size_t len, size_t *words, unsigned *line, char *why, size_t why_size)
{
	struct scan s = { .p = text, .end = text + len, .line = 1, .words = words, .why = why, .why_size = why_size };
	int rc = 0;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		memset(text, ' ', 3);
	while (!rc && s.p < s.end)
		rc = take_token(&s);
	if (!rc && s.depth)
		rc = refuse(&s, s.opened[s.depth - 1], "{ begins here and never ends; expected }");
	*line = s.line;
	return rc;
}
