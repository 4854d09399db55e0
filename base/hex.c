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

/* Both digits at once: what costs in a proxy of hex is hex. */
static void put_digits(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned hi = from[i] >> 4, lo = from[i] & 15;

		to[2 * i] = (uint8_t)(hi + '0' + (hi > 9) * ('a' - '9' - 1));
		to[2 * i + 1] = (uint8_t)(lo + '0' + (lo > 9) * ('a' - '9' - 1));
	}
}

int hex_put(struct buf *out, struct span bytes)
{
	if (buf_room(out) / 2 < bytes.len)
		return -ENOBUFS;
	put_digits(buf_data(out) + out->len, bytes.p, bytes.len);
	out->len += 2 * bytes.len;
	return 0;
}

/* Reckoned, not looked up, so that the compiler can do many at once. What is no digit makes *bad other than 0. */
static void values(uint8_t *v, const uint8_t *text, size_t n, uint8_t *bad)
{
	uint8_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t digit = (uint8_t)(text[i] - '0'), letter = (uint8_t)((text[i] | 0x20) - 'a');
		uint8_t is_digit = digit < 10, is_letter = letter < 6;

		wrong |= !(is_digit | is_letter);
		v[i] = is_digit ? digit : (uint8_t)(letter + 10);
	}
	*bad |= wrong;
}

/* to may be from: a block is read before it is written, and the write never overtakes the read. */
static long decode(uint8_t *to, const uint8_t *from, size_t len)
{
	enum { BLOCK = 64 };
	uint8_t v[BLOCK], bad = len % 2;

	for (size_t at = 0; at + 1 < len; at += BLOCK) {
		size_t n = len - at < BLOCK ? (len - at) & ~(size_t)1 : BLOCK;

		values(v, from + at, n, &bad);
		for (size_t i = 0; i < n / 2; i++)
			to[at / 2 + i] = (uint8_t)(v[2 * i] << 4 | v[2 * i + 1]);
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
