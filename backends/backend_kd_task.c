/* backend_kd_task.c - what every task of the KD bridge ends with: an event, an answer, words. */
#include "backends/backend_kd_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void backend_kd_print(struct backend_kd *b, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (buf_room(&b->words) > strlen(line))
		(void)!buf_put_text(&b->words, line);
}

void backend_kd_begin(struct backend_kd *b, enum backend_kd_state state, int (*task)(struct backend_kd *b, struct backend_news *news))
{
	b->state = state;
	b->task.run = task;
	b->task.step = 0;
	b->task.at = 0;
	b->breaks.flush = (struct backend_kd_flush){ 0 };
	b->task.cut = false;
	backend_kd_drop_answer(b);
}

int backend_kd_done(struct backend_kd *b, enum backend_kd_state state, enum backend_event ev)
{
	b->state = state;
	b->task.run = NULL;
	return (int)ev;
}

int backend_kd_stages(struct backend_kd *b, int (*const *stages)(struct backend_kd *b), size_t n)
{
	int rc = 1;

	while (b->task.step < n && (rc = stages[b->task.step](b)) > 0) {
		b->task.step++;
		backend_kd_drop_answer(b);
	}
	return rc;
}

int backend_kd_say(struct backend_kd *b, struct backend_news *news, struct rsp_reply reply)
{
	news->reply = reply;
	return backend_kd_done(b, BACKEND_KD_IDLE, BACKEND_REPLY);
}

int backend_kd_say_doc(struct backend_kd *b, struct backend_news *news, enum rsp_reply_kind kind)
{
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = kind, .bytes = buf_span(&b->doc), .last = true });
}

int backend_kd_say_ok(struct backend_kd *b, struct backend_news *news)
{
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_OK });
}

int backend_kd_say_error(struct backend_kd *b, struct backend_news *news, unsigned code, const char *words)
{
	return backend_kd_say(b, news, (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = code, .bytes = span_of(words) });
}

const char *backend_kd_words(const struct backend_kd_words *lines, size_t n, int rc)
{
	size_t i = 0;

	while (i + 1 < n && lines[i].rc != rc)
		i++;
	return lines[i].words;
}
