/* session_refuse.c - how each kind of command is told "no", so that gdb and lldb neither hang nor try by other means. */
#include "proxy/session.h"

#include <errno.h>

static int refuse_error(struct session *s, const char *words)
{
	struct rsp_reply error = { .kind = RSP_REPLY_ERROR, .code = EPERM, .bytes = span_of(words) };

	return rsp_say_reply(&s->out, &s->dialect, &s->cmd, &error);
}

/* gdb stays where it is after an error to a resume; lldb ends its session, unless it hears of a stop, and it shows
 * the words as the reason of that. */
static int refuse_resume(struct session *s, const char *words)
{
	struct rsp_stop stop = { .code = 5, .has_thread = s->stopped.tid != 0, .thread = s->stopped, .words = words };

	return s->dialect.lldb ? rsp_say_stop(&s->out, &s->dialect, &stop, NULL, 0) : refuse_error(s, words);
}

/* An error without words would be "Protocol error"; so the words go first, as output. */
static int refuse_monitor(struct session *s, const char *words)
{
	int rc;

	if (s->dialect.error_text)
		return refuse_error(s, words);
	rc = rsp_say_output(&s->out, span_of(words));
	if (!rc)
		rc = rsp_say_output(&s->out, span_of("\n"));
	return rc ? rc : rsp_say_ok(&s->out);
}

static int refuse_empty(struct session *s, const char *words)
{
	(void)words;
	return rsp_say_empty(&s->out);
}

/* An empty answer would make gdb open the same path on its own host. */
static int refuse_file(struct session *s, const char *words)
{
	(void)words;
	return rsp_say_text(&s->out, "F-1,1");
}

/* What has no answer when it is done has none when it is not: R would take one for the next command's. */
static int refuse_silently(struct session *s, const char *words)
{
	(void)s, (void)words;
	return 0;
}

int session_say_refusal(struct session *s, const struct session_news *news)
{
	static int (*const how[])(struct session *, const char *) = {
		[RSP_DENY_ERROR] = refuse_error,     [RSP_DENY_EMPTY] = refuse_empty, [RSP_DENY_RESUME] = refuse_resume,
		[RSP_DENY_MONITOR] = refuse_monitor, [RSP_DENY_FILE] = refuse_file,   [RSP_DENY_LOCAL] = refuse_silently,
	};
	enum rsp_denial denial = s->cmd.spec ? s->cmd.spec->denial : RSP_DENY_EMPTY;

	return how[denial](s, news->words);
}
