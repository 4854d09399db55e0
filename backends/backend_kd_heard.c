/* backend_kd_heard.c - what a KD target says by itself: text, prompts, requests for files. */
#include "backends/backend_kd_parts.h"

#include "base/text.h"

bool backend_kd_storms(struct backend_kd *b)
{
	enum { MOST = BACKEND_KD_STORM * BACKEND_KD_STORM_MS };

	if (b->now < b->said.calm_at)
		return true;
	if (guard_spend(&b->said.storm, BACKEND_KD_STORM_MS, MOST, 1, b->now))
		return false;
	guard_note(&b->guard, GUARD_FLOOD, "it stops, prompts or asks for files without end: it is slowed down");
	b->said.calm_at = b->now + BACKEND_KD_STORM_MS;
	return true;
}

static void show(struct backend_kd_said *s, struct span text)
{
	buf_reset(&s->text, 0);
	if (buf_put_span(&s->text, text) < 0)
		return;
	s->console = s->print = s->text.len > 0;
}

static void answer_prompt(struct backend_kd *b, const struct kd_io *io)
{
	char letter = kd_prompt_letter(io->text, true);
	struct span answer = { (const uint8_t *)&letter, letter != 0 };

	buf_reset(&b->said.promise, 0);
	if (kd_io_answer(&b->said.promise, io, answer) < 0)
		return;
	b->said.promise_type = KD_TYPE_DEBUG_IO;
	if (letter)
		backend_kd_print(b, "kdgate: the prompt is answered with \"%c\"\n", letter);
	else
		backend_kd_print(b, "kdgate: the prompt is answered with an empty line\n");
}

int backend_kd_hear_io(struct backend_kd *b, const struct kd_packet *p)
{
	struct kd_io io;

	if (kd_io_parse(p->payload, &io) < 0) {
		guard_note(&b->guard, GUARD_REPLY, "a print that makes no sense");
		return BACKEND_MOVED;
	}
	if (kd_prints_feed(&b->said.prints, io.text) & KD_NOTICE_BUGCHECK)
		b->said.bugcheck = true;
	show(&b->said, io.text);
	if (io.prompt)
		answer_prompt(b, &io);
	return BACKEND_MOVED;
}

/* A target that is given a file puts it over its own: refused, always. */
int backend_kd_hear_file(struct backend_kd *b, const struct kd_packet *p)
{
	char name[KD_IMAGE_NAME];
	struct kd_file file;

	if (kd_file_parse(p->payload, &file) < 0) {
		guard_note(&b->guard, GUARD_FILE, "a file request that makes no sense");
		return BACKEND_MOVED;
	}
	guard_note(&b->guard, GUARD_FILE, "it asks the host for the file %s: refused",
	           file.path.len ? kd_utf16_base(name, sizeof name, file.path) : "(no name)");
	buf_reset(&b->said.promise, 0);
	if (kd_file_refuse(&b->said.promise, &file) == 0)
		b->said.promise_type = KD_TYPE_FILE_IO;
	return BACKEND_MOVED;
}

/* The target's text goes to the console and to the debuggers, one event each; then words of our own. */
int backend_kd_overheard(struct backend_kd *b, struct backend_news *news)
{
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = buf_span(&b->said.text) };
	if (b->said.console) {
		b->said.console = false;
		return (int)BACKEND_CONSOLE;
	}
	if (b->said.print) {
		b->said.print = false;
		return (int)BACKEND_PRINT;
	}
	if (!b->words.len)
		return 0;
	news->reply.bytes = buf_span(&b->words);
	buf_reset(&b->words, 0); /* the bytes stay until the next print */
	return (int)BACKEND_PRINT;
}
