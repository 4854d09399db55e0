/* kd_io.c - what the target says and asks by itself: prints, prompts, files (KD 5 and 6). */
#include "tests/sim/kdtarget/target.h"

#include <string.h>

enum { IO_HEAD = 16, FILE_HEAD = 64, CHUNK = 512, PRINT = 0x3230, GET_STRING = 0x3231, CREATE = 0x3430, READ = 0x3431, CLOSE = 0x3433 };

static size_t put_head(struct target *k, uint8_t *to, uint32_t api, unsigned cpu, size_t n)
{
	put(to, 4, api);
	put(to + 4, 2, wide(k) ? 15 : 6);
	put(to + 6, 2, cpu);
	put(to + 8, 4, n);
	put(to + 12, 4, 0xfffff800); /* no length of an answer: stale */
	return api == PRINT && is(k, QUIRK_SHORT_PRINTS) ? 12 : IO_HEAD;
}

static void print_chunk(struct target *k, unsigned cpu, const uint8_t *text, size_t n)
{
	uint8_t all[IO_HEAD + CHUNK];
	size_t len = put_head(k, all, PRINT, cpu, n);

	memcpy(all + len, text, n);
	line_send(k, KD_DEBUG_IO, all, len + n);
}

void io_print(struct target *k, unsigned cpu, const void *text, size_t n)
{
	for (size_t at = 0, part; at < n && !over(k); at += part) {
		part = n - at < CHUNK ? n - at : CHUNK;
		print_chunk(k, cpu, (const uint8_t *)text + at, part);
	}
}

/* The machine stands still until it is answered. */
static void ask(struct target *k, unsigned type, const uint8_t *body, size_t n)
{
	enum line got = line_send(k, type, body, n);

	while (got != LINE_OVER && got != LINE_GONE) {
		got = line_receive(k, type);
		if (got == LINE_OK)
			return;
		if (got == LINE_AGAIN)
			got = line_send(k, type, body, n);
	}
	k->in.n = 0;
}

size_t io_prompt(struct target *k, unsigned cpu, const void *text, size_t n, void *answer, size_t room)
{
	uint8_t all[IO_HEAD + CHUNK];
	size_t len = put_head(k, all, GET_STRING, cpu, n < CHUNK ? n : CHUNK), got;

	put(all + 12, 4, room);
	memcpy(all + len, text, n < CHUNK ? n : CHUNK);
	ask(k, KD_DEBUG_IO, all, len + (n < CHUNK ? n : CHUNK));
	if (k->in.n < IO_HEAD)
		return 0;
	got = get32(k->in.body + 12);
	if (got > k->in.n - IO_HEAD)
		got = k->in.n - IO_HEAD;
	if (got > room)
		got = room;
	memcpy(answer, k->in.body + IO_HEAD, got);
	note(k, "answered %zu characters", got);
	return got;
}

static void ask_about(struct target *k, uint32_t api, uint64_t handle, size_t n)
{
	uint8_t all[FILE_HEAD] = { 0 };

	put(all, 4, api);
	put(all + 8, 8, handle);
	put(all + 24, 4, n);
	ask(k, KD_FILE_IO, all, sizeof all);
}

void io_ask_file(struct target *k, const char *path)
{
	uint8_t all[FILE_HEAD + CHUNK] = { 0 };
	size_t n = strlen(path);
	uint64_t handle;

	put(all, 4, CREATE);
	put(all + 4, 4, 0x103);
	put(all + 8, 4, 0x80100000u);  /* to read */
	put(all + 12, 4, 0x80);
	put(all + 16, 4, 1);
	put(all + 20, 4, 1);           /* it must exist */
	for (size_t i = 0; i < n && 2 * i + 1 < CHUNK; i++)
		all[FILE_HEAD + 2 * i] = (uint8_t)path[i];
	ask(k, KD_FILE_IO, all, FILE_HEAD + (2 * n < CHUNK ? 2 * n : CHUNK));
	if (k->in.n < FILE_HEAD || get32(k->in.body + 4) & 0x80000000u) {
		note(k, "the file is refused");
		return;
	}
	handle = get64(k->in.body + 32);
	ask_about(k, READ, handle, KD_PACKET - FILE_HEAD);
	ask_about(k, CLOSE, handle, 0);
}
