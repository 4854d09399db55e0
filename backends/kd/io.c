/* io.c - see io.h. */
#include "backends/kd/io.h"

#include "backends/kd/le.h"

#include <errno.h>
#include <string.h>

enum { IO_HEADER = 16, IO_SHORT_HEADER = 12, TRACE_HEADER = 64, LETTERS_MAX = 8 };

#define FILE_NOT_FOUND 0xc000000fU /* what WinDbg says of a file it does not have */
#define ACCESS_DENIED 0xc0000022U
#define BAD_HANDLE 0xc0000008U
#define NOT_DONE 0xc0000001U

static struct span cut(struct span s, uint64_t most)
{
	s.len = s.len < most ? s.len : (size_t)most;
	return s;
}

/* Where the text of a packet begins that says it has n bytes of it. */
static size_t header_of(struct span p, uint64_t n)
{
	bool whole = p.len >= IO_HEADER && n <= p.len - IO_HEADER;

	return !whole && n <= p.len - IO_SHORT_HEADER ? IO_SHORT_HEADER : IO_HEADER;
}

int kd_io_parse(struct span payload, struct kd_io *out)
{
	uint64_t api = le_get(payload, 0, 4), n = le_get(payload, 8, 4);
	size_t header;

	*out = (struct kd_io){ .prompt = api == KD_GET_STRING, .text = { payload.p, 0 } };
	if (payload.len < IO_SHORT_HEADER || (api != KD_PRINT_STRING && api != KD_GET_STRING))
		return -EBADMSG;
	header = header_of(payload, n);
	out->level = (uint16_t)le_get(payload, 4, 2);
	out->processor = (uint16_t)le_get(payload, 6, 2);
	if (out->prompt)
		out->most = header == IO_HEADER ? (uint32_t)le_get(payload, 12, 4) : 1;
	out->text = cut(span_from(payload, header), n);
	return 0;
}

int kd_io_answer(struct buf *out, const struct kd_io *prompt, struct span answer)
{
	struct span text = cut(answer, prompt->most);
	uint8_t header[IO_HEADER] = { 0 };

	le_put(header, 4, KD_GET_STRING);
	le_put(header + 4, 2, prompt->level);
	le_put(header + 6, 2, prompt->processor);
	le_put(header + 12, 4, text.len);
	if (buf_room(out) < sizeof header + text.len)
		return -ENOBUFS;
	return buf_put(out, header, sizeof header) < 0 || buf_put_span(out, text) < 0 ? -ENOBUFS : 0;
}

/* The first letter of wanted that is among those before the parenthesis. */
static char letter_in(struct span s, const char *wanted)
{
	size_t n = 0;

	while (n < s.len && s.p[n] != ')')
		n++;
	for (; n < s.len && *wanted; wanted++)
		for (size_t i = 0; i < n; i++)
			if ((s.p[i] | 0x20) == *wanted)
				return *wanted;
	return 0;
}

char kd_prompt_letter(struct span text, bool stop)
{
	char letter = 0;

	for (size_t i = text.len; i-- && !letter;)
		if (text.p[i] == '(')
			letter = letter_in(cut(span_from(text, i + 1), LETTERS_MAX + 1), stop ? "obic" : "icob");
	return letter;
}

static struct span path_of(struct span p)
{
	struct span path = span_from(p, KD_FILE_HEADER);

	path.len &= ~(size_t)1;
	for (size_t i = 0; i < path.len; i += 2)
		if (!le_get(path, i, 2))
			path.len = i;
	return path;
}

int kd_file_parse(struct span payload, struct kd_file *out)
{
	*out = (struct kd_file){ .path = { payload.p, 0 }, .header = cut(payload, KD_FILE_HEADER) };
	if (payload.len < 8)
		return -EBADMSG;
	out->api = (uint32_t)le_get(payload, 0, 4);
	if (out->api == KD_FILE_CREATE) {
		out->path = path_of(payload);
		return 0;
	}
	out->handle = le_get(payload, 8, 8);
	out->offset = le_get(payload, 16, 8);
	out->length = (uint32_t)le_get(payload, 24, 4);
	return 0;
}

static uint32_t refusal(uint32_t api)
{
	static const uint32_t statuses[] = { FILE_NOT_FOUND, BAD_HANDLE, ACCESS_DENIED, BAD_HANDLE };
	uint32_t n = api - KD_FILE_CREATE;

	return n < sizeof statuses / sizeof *statuses ? statuses[n] : NOT_DONE;
}

int kd_file_refuse(struct buf *out, const struct kd_file *file)
{
	uint8_t header[KD_FILE_HEADER] = { 0 };

	if (file->header.len)
		memcpy(header, file->header.p, file->header.len);
	le_put(header + 4, 4, refusal(file->api));
	return buf_put(out, header, sizeof header);
}

int kd_trace_parse(struct span payload, struct kd_trace *out)
{
	*out = (struct kd_trace){ .data = { payload.p, 0 } };
	if (payload.len < TRACE_HEADER || le_get(payload, 0, 4) != KD_PRINT_TRACE)
		return -EBADMSG;
	out->level = (uint16_t)le_get(payload, 4, 2);
	out->processor = (uint16_t)le_get(payload, 6, 2);
	out->data = cut(span_from(payload, TRACE_HEADER), le_get(payload, 8, 4));
	return 0;
}
