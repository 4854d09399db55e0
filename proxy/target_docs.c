/* target_docs.c - documents of the target that are not its description: fetched whole, judged, and served in pieces. See target.h. */
#include "proxy/target_parts.h"

#include "base/log.h"
#include "rsp/tdesc.h"

#include <errno.h>
#include <string.h>

int target_docs_init(struct target *t)
{
	return t->doc.bytes.base ? 0 : buf_init(&t->doc.bytes, GUARD_DOC_MAX);
}

void target_docs_fini(struct target *t)
{
	buf_fini(&t->doc.bytes);
}

bool target_keeps_paths(const struct session *s)
{
	return s->who.latch ? latch_paths(s->who.latch, s->who.policy) : s->who.policy->paths;
}

static void answer(struct session *s, struct rsp_reply reply)
{
	session_tell(s, SESSION_REPLY, &(struct session_news){ .reply = &reply });
}

/* num[0] is the offset, len what is wanted at most. Half a packet, since all of it may be escaped. */
void target_say_piece(struct session *s, struct span doc)
{
	struct span rest = span_from(doc, s->cmd.num[0]);
	size_t most = s->cmd.len < SESSION_PACKET / 2 ? s->cmd.len : SESSION_PACKET / 2;

	answer(s, (struct rsp_reply){ .kind = RSP_REPLY_CHUNK, .last = rest.len <= most,
	                              .bytes = { rest.p, rest.len < most ? rest.len : most } });
}

/* Only of a signal each thread has its own. */
static int64_t thread_of(const struct session *s, int obj)
{
	return obj == GUARD_SIGINFO ? s->cmd.thread.tid : 0;
}

static bool is_known(const struct target *t, const struct session *s, int obj)
{
	return t->doc.known && t->doc.obj == obj && t->doc.tid == thread_of(s, obj) && t->doc.paths == target_keeps_paths(s) &&
	       t->doc.lldb == s->dialect.lldb && span_is(s->cmd.annex, t->doc.annex);
}

bool target_tell_doc(struct target *t, struct session *s)
{
	int obj = guard_object_of(s->cmd.text);

	if (obj < 0 || (obj == GUARD_EXEC_FILE && !target_keeps_paths(s))) {
		session_unsupported(s);
		return true;
	}
	if (!is_known(t, s, obj))
		return false;
	target_say_piece(s, buf_span(&t->doc.bytes));
	return true;
}

bool target_wants_doc(struct target *t, const struct session *s)
{
	struct span annex = s->cmd.annex;

	if (annex.len >= sizeof t->doc.annex)
		return false;
	t->doc.known = false;
	t->doc.obj = guard_object_of(s->cmd.text);
	t->doc.tid = thread_of(s, t->doc.obj);
	t->doc.paths = target_keeps_paths(s);
	t->doc.lldb = s->dialect.lldb;
	memcpy(t->doc.annex, annex.p, annex.len);
	t->doc.annex[annex.len] = 0;
	return t->doc.obj >= 0;
}

void target_take_doc(struct target *t, struct session *s)
{
	struct guard_doc_how how = { .paths = t->doc.paths, .word_bytes = tdesc_word_bytes(t->be->ops->info(t->be)->tdesc) };
	struct guard_doc_news news = { 0 };
	struct guard *g = t->be->ops->guard(t->be);
	const char *name = guard_object_name((enum guard_object)t->doc.obj);

	buf_reset(&t->doc.bytes, 0);
	if (guard_doc_rewrite((enum guard_object)t->doc.obj, t->news.reply.bytes, &how, &t->doc.bytes, &news) < 0) {
		guard_note(g, GUARD_DOCUMENT, "%s is refused: %s", name, news.why);
		if (s)
			session_error(s, "kdgate: the target's document is not as it should be");
		return;
	}
	if (news.changed)
		guard_note(g, GUARD_DOCUMENT, "%s: %u things in it were left out or changed", name, news.changed);
	t->doc.known = true;
	if (s)
		target_say_piece(s, buf_span(&t->doc.bytes));
}
