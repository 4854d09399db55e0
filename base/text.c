/* text.c - see text.h. */
#include "base/text.h"

#include <stdio.h>

/* Length of the printable UTF-8 character at p, of at most n bytes; 0: there is none. */
static size_t printable(const uint8_t *p, size_t n)
{
	static const struct { uint8_t mask, lead, len; uint32_t least; } shapes[] = {
		{ 0x80, 0x00, 1, 0x20 }, { 0xe0, 0xc0, 2, 0xa0 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 },
	};

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		uint32_t c = p[0] & (uint8_t)~shapes[i].mask;

		if ((p[0] & shapes[i].mask) != shapes[i].lead)
			continue;
		if (n < shapes[i].len)
			return 0;
		for (size_t k = 1; k < shapes[i].len; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[k] & 0x3f);
		}
		/* overlong, DEL, surrogates, direction overrides and beyond Unicode are not text */
		if (c < shapes[i].least || c == 0x7f || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff ||
		    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
		    c == 0xfeff)
			return 0;
		return shapes[i].len;
	}
	return 0;
}

void text_visible(struct buf *out, struct span s, size_t max, bool lines)
{
	static const char digits[] = "0123456789abcdef";
	size_t limit = out->len + max;

	for (size_t i = 0; i < s.len;) {
		bool kept = lines && (s.p[i] == '\n' || s.p[i] == '\t');
		size_t n = kept ? 1 : printable(s.p + i, s.len - i);
		const char code[] = { '\\', 'x', digits[s.p[i] >> 4], digits[s.p[i] & 15] };

		if (out->len + (n ? n : sizeof code) > limit)
			return;
		if ((n ? buf_put(out, s.p + i, n) : buf_put(out, code, sizeof code)) < 0)
			return;
		i += n ? n : 1;
	}
}

const char *text_ascii(char *out, size_t size, struct span s)
{
	size_t at = 0;

	for (size_t i = 0; i < s.len && at + 5 < size; i++) {
		if (s.p[i] >= 0x20 && s.p[i] < 0x7f)
			out[at++] = (char)s.p[i];
		else
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", s.p[i]);
	}
	out[at] = 0;
	return out;
}
