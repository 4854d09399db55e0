/* capture_line.c - see capture_line.h. */
#include "proxy/capture_line.h"

#include "base/hex.h"

#include <errno.h>

enum { DIGITS = 12 };

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* At most DIGITS of them: no number gets too large. */
static unsigned take_digits(struct cursor *c, uint64_t *number)
{
	unsigned n;

	for (n = 0; n < DIGITS && is_digit(cursor_peek(c)); n++)
		*number = *number * 10 + (cursor_u8(c) - '0');
	return n;
}

static bool take_time(struct cursor *c, double *time)
{
	uint64_t whole = 0, part = 0;
	double scale = 1;

	if (!take_digits(c, &whole))
		return false;
	if (cursor_skip(c, '.'))
		for (unsigned n = take_digits(c, &part); n; n--)
			scale *= 10;
	*time = (double)whole + (double)part / scale;
	return cursor_skip(c, ' ');
}

int capture_line_parse(struct span line, struct capture_line *out, struct buf *bytes)
{
	struct cursor c = cursor_of(line);

	*out = (struct capture_line){ 0 };
	buf_reset(bytes, 0);
	if (!take_time(&c, &out->time))
		return -EBADMSG;
	out->from_host = cursor_skip(&c, 'H');
	if ((!out->from_host && !cursor_skip(&c, 'T')) || !cursor_skip(&c, ' '))
		return -EBADMSG;
	return hex_take(bytes, cursor_rest(&c));
}
