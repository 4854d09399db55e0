/* wire_frames.h - KD frames as words and back, for the tests of the wire; shares nothing with what it tests.
 *
 * D3.80800000.text  data: type, id (hex), payload     A80800000  ACK     N  RESEND     R80000060  RESET     C77.0  control of any type
 * b  the break-in byte     !D3.80800000.text  damaged     ~3030ff  these bytes */
#ifndef TESTS_BACKENDS_KD_WIRE_FRAMES_H
#define TESTS_BACKENDS_KD_WIRE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_TEXT = 256, FRAME_ROOM = 16 + FRAME_TEXT + 1 };

struct frame {
	bool control;
	unsigned type;
	uint32_t id;
	char text[FRAME_TEXT];
};

static inline void frame_le(uint8_t *to, uint32_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(v >> (8 * i));
}

static inline uint32_t frame_get(const uint8_t *from, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | from[n];
	return v;
}

static inline uint32_t frame_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	while (n--)
		sum += *p++;
	return sum;
}

static inline size_t frame_bytes(const struct frame *f, bool stream, uint8_t *to)
{
	size_t len = f->control ? 0 : strlen(f->text);

	memset(to, f->control ? 'i' : '0', 4);
	frame_le(to + 4, f->type, 2);
	frame_le(to + 6, (uint32_t)len, 2);
	frame_le(to + 8, f->id, 4);
	memcpy(to + 16, f->text, len);
	frame_le(to + 12, frame_sum(to + 16, len), 4);
	to[16 + len] = 0xaa;
	return 16 + len + (stream && !f->control);
}

/* All of one frame; false: it is damaged. */
static inline bool frame_read(const uint8_t *p, size_t n, bool stream, struct frame *f)
{
	size_t len = n < 16 ? FRAME_TEXT : frame_get(p + 6, 2);

	if (len >= FRAME_TEXT || p[0] != p[3] || (p[0] != 'i' && p[0] != '0'))
		return false;
	*f = (struct frame){ .control = p[0] == 'i', .type = frame_get(p + 4, 2), .id = frame_get(p + 8, 4) };
	if (n != 16 + len + (stream && !f->control) || frame_get(p + 12, 4) != frame_sum(p + 16, len))
		return false;
	memcpy(f->text, p + 16, len);
	return !stream || f->control || p[n - 1] == 0xaa;
}

static inline void frame_word(const uint8_t *p, size_t n, bool stream, char *to, size_t room)
{
	struct frame f;

	if (n == 1)
		(void)snprintf(to, room, "%c", *p);
	else if (!frame_read(p, n, stream, &f))
		(void)snprintf(to, room, "?");
	else if (!f.control)
		(void)snprintf(to, room, "D%u.%x.%s", f.type, (unsigned)f.id, f.text);
	else if (f.type == 5 && !f.id)
		(void)snprintf(to, room, "N");
	else
		(void)snprintf(to, room, "%c%x", f.type == 4 ? 'A' : f.type == 6 ? 'R' : '?', (unsigned)f.id);
}

static inline size_t frame_raw(const char *hex, uint8_t *to)
{
	size_t n = 0;

	for (unsigned v; sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
		to[n] = (uint8_t)v;
	return n;
}

static inline size_t frame_of(const char *word, bool stream, uint8_t *to)
{
	static const unsigned types[] = { ['A'] = 4, ['N'] = 5, ['R'] = 6 };
	struct frame f = { .control = *word != 'D' };
	char *rest;

	if (*word == 'b')
		return frame_raw("62", to);
	if (*word == '~')
		return frame_raw(word + 1, to);
	if (*word == '!') {
		size_t n = frame_of(word + 1, stream, to);

		to[16] ^= 0x10;
		return n;
	}
	if (*word == 'D' || *word == 'C') {
		f.type = (unsigned)strtoul(word + 1, &rest, 10);
		f.id = (uint32_t)strtoul(rest + 1, &rest, 16);
		if (*word == 'D')
			(void)snprintf(f.text, sizeof f.text, "%s", rest + 1);
	} else {
		f.type = types[(unsigned char)*word];
		f.id = (uint32_t)strtoul(word + 1, NULL, 16);
	}
	return frame_bytes(&f, stream, to);
}

#endif
