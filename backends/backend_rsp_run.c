/* backend_rsp_run.c - the target runs: it is made to stop, it prints, it asks its host for files. */
#include "backends/backend_rsp_parts.h"

enum { BREAK_TRIES = 5, FILE_MS = 5000, BUSY_MS = 10 };

static const char unheard[] = "kdgate: the target does not answer the break-in; it is still waited for\n";

/* The resume has gone: from here on only a break-in may be sent. */
int backend_rsp_say_going(struct backend_rsp *b, uint64_t now)
{
	if (!wire_idle(&b->wire))
		return backend_rsp_late(b, now);
	b->stub.general = b->stub.resume = (struct rsp_thread){ 0 };
	b->tries = 0;
	return backend_rsp_enter(b, b->break_wanted ? BACKEND_RSP_BREAK : BACKEND_RSP_RUN, BACKEND_RUNS);
}

/* 1: said; 0: not now; -EOPNOTSUPP: there is no way. */
static int break_in(struct backend_rsp *b, uint64_t now)
{
	if (b->stub.kgdb)
		return backend_kgdb_break(b, now);
	wire_byte(&b->wire, 0x03);
	return 1;
}

int backend_rsp_say_break(struct backend_rsp *b, uint64_t now)
{
	int rc = break_in(b, now);

	if (rc == 0)
		b->deadline = now + BUSY_MS;
	if (rc == 0 || (rc < 0 && rc != -EOPNOTSUPP))
		return rc;
	b->tries = rc < 0 ? BREAK_TRIES : b->tries + 1;
	b->deadline = rc < 0 ? NEVER : now + (b->kgdb.console && b->tries == 1 ? BACKEND_RSP_KNOCK_MS : BACKEND_RSP_BREAK_AGAIN_MS);
	return backend_rsp_enter(b, BACKEND_RSP_STOPPING, BACKEND_NONE);
}

/* The last try may still be heard, so it goes on waiting; but not without a word. */
int backend_rsp_say_stopping(struct backend_rsp *b, uint64_t now)
{
	if (now < b->deadline)
		return 0;
	if (backend_kgdb_may_stand(b))
		return backend_kgdb_ask(b, now);
	if (b->tries < BREAK_TRIES)
		return backend_rsp_say_break(b, now);
	b->deadline = b->kgdb.console ? now + BACKEND_RSP_BREAK_AGAIN_MS : NEVER;
	if (b->unheard)
		return 0;
	b->unheard = true;
	b->words = b->kgdb.console ? backend_kgdb_unheard(b) : unheard;
	return BACKEND_MOVED;
}

int backend_rsp_say_file_ask(struct backend_rsp *b, uint64_t now)
{
	int rc = backend_rsp_put(b, fileio_request(&b->file, wire_open(&b->wire)));

	b->deadline = now + FILE_MS;
	return rc ? rc : backend_rsp_enter(b, BACKEND_RSP_FILE_WAIT, BACKEND_NONE);
}

int backend_rsp_say_file(struct backend_rsp *b, uint64_t now)
{
	int rc = backend_rsp_put(b, fileio_answer(&b->file, wire_open(&b->wire)));

	b->deadline = now + FILE_MS;
	return rc ? rc : backend_rsp_enter(b, BACKEND_RSP_FILE_GOING, BACKEND_NONE);
}

int backend_rsp_say_file_going(struct backend_rsp *b, uint64_t now)
{
	if (!wire_idle(&b->wire))
		return backend_rsp_late(b, now);
	b->tries = 0;
	b->deadline = now;
	return backend_rsp_enter(b, b->break_wanted ? BACKEND_RSP_BREAK : BACKEND_RSP_RUN, BACKEND_MOVED);
}

static int on_file(struct backend_rsp *b, struct span body, uint64_t now)
{
	int rc = fileio_take(&b->file, body, now);

	if (rc == -EBADMSG)
		return backend_rsp_stray(b, body);
	if (rc < 0)
		return backend_rsp_fails(b, "it asks its host for files without end");
	if (!b->file.text)
		backend_rsp_note(b, GUARD_FILE, "the target asked the host for a file or a program", body);
	b->break_wanted |= b->state == BACKEND_RSP_BREAK || b->state == BACKEND_RSP_STOPPING;
	return backend_rsp_enter(b, b->file.text ? BACKEND_RSP_FILE_ASK : BACKEND_RSP_FILE_SAY, BACKEND_MOVED);
}

int backend_rsp_hear_file(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct backend_rsp_shown shown = backend_rsp_show(buf_span(body));
	struct rsp_stop stop;
	struct span text;

	(void)now;
	if (backend_rsp_is_stop(b, buf_span(body), &stop))
		return backend_rsp_stopped(b, &stop, news);
	if (fileio_text(&b->file, body, &text) < 0)
		return backend_rsp_shown_stray(b, shown);
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OUTPUT, .bytes = text };
	return backend_rsp_enter(b, BACKEND_RSP_FILE_SAY, text.len ? BACKEND_PRINT : BACKEND_MOVED);
}

/* A resume that the stub refused: it stands where it stood. */
static int refused(struct backend_rsp *b, struct backend_news *news)
{
	b->stop.code = BACKEND_RSP_SIGTRAP;
	return backend_rsp_tell_stop(b, news);
}

int backend_rsp_hear_run(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_expect want = { .form = RSP_FORM_MONITOR, .most = WIRE_BODY_MAX };
	struct backend_rsp_shown shown = backend_rsp_show(buf_span(body));
	struct rsp_stop stop;

	if (backend_rsp_is_stop(b, buf_span(body), &stop))
		return backend_rsp_stopped(b, &stop, news);
	if (span_starts(buf_span(body), "F"))
		return on_file(b, buf_span(body), now);
	if (!span_starts(buf_span(body), "O") && !span_starts(buf_span(body), "E") && body->len)
		return backend_rsp_shown_stray(b, shown);
	if (rsp_reply_parse(buf_data(body), body->len, &want, &news->reply, NULL) < 0)
		return backend_rsp_shown_stray(b, shown);
	if (news->reply.kind == RSP_REPLY_OUTPUT)
		return BACKEND_PRINT;
	if (backend_rsp_is_file(b->state) || (news->reply.kind != RSP_REPLY_ERROR && news->reply.kind != RSP_REPLY_UNSUPPORTED))
		return backend_rsp_shown_stray(b, shown);
	return refused(b, news);
}
