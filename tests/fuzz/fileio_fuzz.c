/* fileio_fuzz.c - any bytes as a stub's request for a file, and as the memory it wants written: nothing is ever done but reading what
 * it prints, and no more of it than was asked for; what is said to it is plain, and makes sense. The first byte is how long the
 * request is. */
#include "backends/rsp/fileio.h"
#include "rsp/framer.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096, AGAIN = 3 * FILEIO_BURST };

static struct buf empty(void)
{
	static uint8_t room[ROOM];

	return (struct buf){ .base = room, .cap = sizeof room };
}

/* A read of memory, as any debugger makes one. */
static void asks_memory(const struct fileio *f)
{
	static struct rsp_cmd cmd;
	struct buf out = empty();

	must(fileio_request(f, &out) == 0);
	must(rsp_cmd_parse(buf_data(&out), out.len, &cmd) == 0 && cmd.op == RSP_OP_MEM_READ);
	must(cmd.addr == f->ptr && cmd.len == f->len && f->len > 0 && f->len <= FILEIO_TEXT);
}

/* "F" and how much was written, or F-1 and why not. */
static void says(const struct fileio *f)
{
	struct buf out = empty();
	char text[32];

	must(fileio_answer(f, &out) == 0 && out.len < sizeof text);
	memcpy(text, buf_data(&out), out.len);
	text[out.len] = 0;
	must(f->result >= 0 ? strtoll(text + 1, NULL, 16) == f->result : !strcmp(text, "F-1,1") || !strcmp(text, "F-1,e"));
	must(text[0] == 'F' && (f->result < 0 || (size_t)f->result <= f->len));
}

static void prints(struct fileio *f, struct span memory)
{
	static uint8_t room[ROOM];
	struct buf body = { .base = room, .cap = sizeof room };
	struct span text;

	if (buf_put_span(&body, memory) < 0)
		return;
	asks_memory(f);
	if (fileio_text(f, &body, &text) < 0) {
		must(f->text && !text.len);
		return;
	}
	must(!f->text && text.len <= f->len && (f->result < 0 ? !text.len : text.len == (size_t)f->result));
	says(f);
}

/* However often it is asked, in no time. */
static void has_an_end(struct span request)
{
	struct fileio f = { .text = false };
	int rc = 0, n = 0;

	while (n < AGAIN && rc == 0) {
		rc = fileio_take(&f, request, 1);
		n += !f.text;
		if (f.text)
			return;
	}
	must(n == FILEIO_BURST + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = { .p = data, .end = data + size };
	uint8_t n = cursor_u8(&c);
	struct span request = cursor_take(&c, n);
	struct fileio f = { .text = false };

	if (c.bad || fileio_take(&f, request, 1) < 0)
		return 0;
	if (f.text)
		prints(&f, cursor_rest(&c));
	else
		says(&f);
	has_an_end(request);
	return 0;
}
