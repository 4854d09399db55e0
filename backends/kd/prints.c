/* prints.c - see prints.h. */
#include "backends/kd/prints.h"

#include "base/hex.h"
#include "base/text.h"

#include <string.h>

static void skip_spaces(struct cursor *c)
{
	while (cursor_skip(c, ' '))
		;
}

/* With 0x or without. */
static uint64_t take_hex(struct cursor *c)
{
	struct cursor prefix = *c;

	skip_spaces(&prefix);
	*c = prefix;
	if (cursor_skip(&prefix, '0') && (cursor_skip(&prefix, 'x') || cursor_skip(&prefix, 'X')))
		*c = prefix;
	return hex_number(c, 16);
}

static unsigned on_refresh(struct kd_prints *p, struct cursor *c)
{
	(void)p;
	(void)c;
	return KD_NOTICE_REFRESH;
}

static unsigned on_fatal(struct kd_prints *p, struct cursor *c)
{
	uint64_t code = take_hex(c);

	if (c->bad || code > UINT32_MAX)
		return 0;
	p->fatal = true;
	p->code = (uint32_t)code;
	p->params_n = 0;
	p->driver[0] = 0;
	return KD_NOTICE_BUGCHECK;
}

/* Four in parentheses, on the line after that of the code. */
static unsigned on_parameters(struct kd_prints *p, struct cursor *c)
{
	static const char after[] = ",,,)";
	uint64_t params[4];
	bool good = p->fatal;

	for (size_t i = 0; i < 4; i++) {
		params[i] = take_hex(c);
		good = good && cursor_skip(c, (uint8_t)after[i]);
	}
	if (!good || c->bad)
		return 0;
	memcpy(p->params, params, sizeof params);
	p->params_n = 4;
	p->fatal = false;
	return KD_NOTICE_PARAMETERS;
}

static unsigned on_driver(struct kd_prints *p, struct cursor *c)
{
	struct span name;

	skip_spaces(c);
	name = cursor_rest(c);
	while (name.len && (name.p[name.len - 1] == '.' || name.p[name.len - 1] == ' '))
		name.len--;
	if (!name.len)
		return 0;
	text_ascii(p->driver, sizeof p->driver, name);
	return KD_NOTICE_DRIVER;
}

/* The second form of the fatal line is winload's. */
static const struct beginning {
	const char *text;
	unsigned (*on)(struct kd_prints *p, struct cursor *c);
} beginnings[] = {
	{ "KDTARGET: Refreshing KD connection", on_refresh },
	{ "*** Fatal System Error:", on_fatal },
	{ "*** Fatal Error", on_fatal },
	{ "Driver at fault:", on_driver },
	{ "(", on_parameters },
};
enum { BEGINNINGS = sizeof beginnings / sizeof *beginnings };

static unsigned end_line(struct kd_prints *p)
{
	struct span line = { (const uint8_t *)p->line, p->len };
	struct cursor c;

	p->len = 0;
	while (line.len && *line.p == ' ')
		line = span_from(line, 1);
	for (size_t i = 0; i < BEGINNINGS; i++)
		if (span_starts(line, beginnings[i].text)) {
			c = cursor_of(span_from(line, strlen(beginnings[i].text)));
			return beginnings[i].on(p, &c);
		}
	return 0;
}

unsigned kd_prints_feed(struct kd_prints *p, struct span text)
{
	unsigned noticed = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\n' || text.p[i] == '\r')
			noticed |= end_line(p);
		else if (p->len < KD_LINE_MAX)
			p->line[p->len++] = (char)text.p[i];
	}
	return noticed;
}

unsigned kd_prints_end(struct kd_prints *p)
{
	return end_line(p);
}
