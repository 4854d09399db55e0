/* log.c - see log.h. */
#include "base/log.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1024 };

static enum log_level most_shown = LOG_LEVEL_INFO;

void log_setup(enum log_level most)
{
	most_shown = most;
}

/* The journal reads the priority from the line itself; a person does not want to. */
static int prefix(char *to, size_t room, enum log_level level)
{
	return getenv("JOURNAL_STREAM") ? snprintf(to, room, "<%d>", (int)level) : snprintf(to, room, "kdgate: ");
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char raw[LINE], line[2 * LINE];
	struct buf out = { .base = (uint8_t *)line, .cap = sizeof line - 1 };
	va_list ap;

	if (level > most_shown)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	out.len = (size_t)prefix(line, sizeof line, level);
	text_visible(&out, span_of(raw), sizeof line - 64, false);
	line[out.len] = '\n';
	if (write(STDERR_FILENO, line, out.len + 1) < 0)
		return; /* nobody is left to tell */
}
