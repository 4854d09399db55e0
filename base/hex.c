/* hex.c - see hex.h. */
#include "base/hex.h"

#include <errno.h>

/* One past the value, so that 0 is "no digit". */
static const uint8_t digits[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int hex_value(uint8_t c)
{
	return digits[c] - 1;
}

int hex_put(struct buf *out, struct span bytes)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t *to = buf_data(out) + out->len;

	if (buf_room(out) / 2 < bytes.len)
		return -ENOBUFS;
	for (size_t i = 0; i < bytes.len; i++) {
		*to++ = (uint8_t)digit[bytes.p[i] >> 4];
		*to++ = (uint8_t)digit[bytes.p[i] & 15];
	}
	out->len += 2 * bytes.len;
	return 0;
}

/* to may be from: the write never overtakes the read. */
static long decode(uint8_t *to, const uint8_t *from, size_t len)
{
	unsigned bad = len % 2;

	for (size_t i = 0; i + 1 < len; i += 2) {
		unsigned hi = digits[from[i]], lo = digits[from[i + 1]];

		bad |= !hi | !lo;
		to[i / 2] = (uint8_t)((hi - 1) << 4 | (lo - 1));
	}
	return bad ? -EBADMSG : (long)(len / 2);
}

int hex_take(struct buf *out, struct span text)
{
	long n;

	if (buf_room(out) < text.len / 2)
		return -ENOBUFS;
	n = decode(buf_data(out) + out->len, text.p, text.len);
	if (n < 0)
		return (int)n;
	out->len += (size_t)n;
	return 0;
}

long hex_decode_in_place(uint8_t *text, size_t len)
{
	return decode(text, text, len);
}

uint64_t hex_number(struct cursor *c, unsigned max_digits)
{
	uint64_t v = 0;
	unsigned n = 0;

	for (; c->p < c->end && hex_value(*c->p) >= 0; c->p++, n++) {
		if (n == max_digits) {
			c->bad = true;
			return 0;
		}
		v = v << 4 | (unsigned)hex_value(*c->p);
	}
	c->bad |= n == 0;
	return v;
}
