/* backend_rsp_ask.c - a command's requests to a target that stands, and their answers. See rsp/job.h. */
#include "backends/backend_rsp_parts.h"

enum {
	DOUBT_MS = 250, /* after an answer that was none, for the right one */
	LIES_MAX = 8,   /* answers that are none, in a row */
	OUTPUT_MAX = 4 << 20, OUTPUT_COST = 64, /* bytes of text of one monitor command; and what each piece counts beside its own */
};

int backend_rsp_say_request(struct backend_rsp *b, uint64_t now)
{
	if (job_request(&b->job, &b->stub, wire_open(&b->wire)) < 0 || wire_close(&b->wire) < 0)
		return backend_rsp_fails(b, "a request did not fit");
	b->doubted = false;
	b->deadline = now + job_patience(&b->job);
	return backend_rsp_enter(b, job_resumes(&b->job) ? BACKEND_RSP_GOING : BACKEND_RSP_WAIT, BACKEND_NONE);
}

int backend_rsp_say_wait(struct backend_rsp *b, uint64_t now)
{
	return b->doubted ? 0 : backend_rsp_late(b, now);
}

/* A client looks for the thread that stopped in the list, and does odd things when it is not there. */
static void mend_threads(struct backend_rsp *b, struct rsp_reply *reply)
{
	size_t n = reply->threads_n, i = 0;

	if (reply->kind != RSP_REPLY_THREADS || reply->threads != b->job.threads)
		return;
	if (n == RSP_THREADS_MAX)
		guard_note(&b->guard, GUARD_THREADS, "a thread list without end: %d are kept", RSP_THREADS_MAX);
	if (guard_threads(b->job.threads, &n))
		guard_note(&b->guard, GUARD_THREADS, "a thread list with the same thread twice, or with none");
	while (b->stop.has_thread && i < n && b->job.threads[i].tid != b->stop.thread.tid)
		i++;
	if (b->stop.has_thread && i == n && n < RSP_THREADS_MAX) {
		guard_note(&b->guard, GUARD_THREADS, "a thread list without the thread that stopped");
		b->job.threads[n++] = b->stop.thread;
	}
	reply->threads_n = n;
}

static void note_document(struct backend_rsp *b, const struct rsp_reply *reply)
{
	if (b->job.cmd.op == RSP_OP_XFER_READ && reply->kind == RSP_REPLY_ERROR && reply->code == EFBIG)
		guard_note(&b->guard, GUARD_DOCUMENT, "a document that is too long, or has no end");
}

static int done(struct backend_rsp *b, struct backend_news *news)
{
	if (b->purpose == BACKEND_RSP_READS_PC)
		return backend_rsp_read_pc(b, news);
	if (b->purpose == BACKEND_RSP_WRITES_PC)
		return backend_rsp_tell_stop(b, news);
	mend_threads(b, &news->reply);
	backend_kgdb_warn(b, &news->reply);
	note_document(b, &news->reply);
	return backend_rsp_enter(b, BACKEND_RSP_IDLE, BACKEND_REPLY);
}

int backend_rsp_give_up(struct backend_rsp *b, struct backend_news *news)
{
	static const char words[] = "the target's answer makes no sense";

	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = 1, .bytes = span_of(words) };
	return done(b, news);
}

/* What is no answer at all: an earlier one that came twice, or late. Were it taken for the answer, each that follows would
 * be taken for the next one's. */
static int nonsense(struct backend_rsp *b, uint64_t now)
{
	char shown[GUARD_WORDS];

	guard_note(&b->guard, GUARD_REPLY, "an answer that makes no sense to %s", rsp_cmd_show(&b->job.cmd, shown, sizeof shown));
	if (++b->lies > LIES_MAX)
		return backend_rsp_fails(b, "its answers make no sense");
	if (!b->doubted)
		b->deadline = now + DOUBT_MS;
	b->doubted = true;
	return BACKEND_MOVED;
}

int backend_rsp_hear_answer(struct backend_rsp *b, struct buf *body, struct backend_news *news, uint64_t now)
{
	struct rsp_stop stop;
	bool stops = rsp_stop_parse(buf_span(body), &stop) == 0; /* asked now: the answer is used up */
	int rc = job_answer(&b->job, &b->stub, body, &news->reply);

	if (rc == -EBADMSG && stops) { /* a stop that nobody asked for is passed over */
		guard_note(&b->guard, GUARD_UNASKED, "a stop in the place of an answer, with signal %u", stop.code);
		return backend_rsp_pass_over(b);
	}
	if (rc == -EBADMSG)
		return nonsense(b, now);
	b->lies = b->strays = 0;
	if (rc == 0 || rc == JOB_PART)
		return backend_rsp_enter(b, BACKEND_RSP_ASK, rc ? BACKEND_PART : BACKEND_MOVED);
	if (news->reply.cleaned)
		guard_note(&b->guard, GUARD_TEXT, "control characters in the words of an error, or too many words");
	if (news->reply.kind != RSP_REPLY_OUTPUT)
		return done(b, news);
	b->output += news->reply.bytes.len + OUTPUT_COST;
	return b->output > OUTPUT_MAX ? backend_rsp_fails(b, "its monitor command prints without end") : BACKEND_PRINT;
}

/* A request without an answer is done when it has gone. */
int backend_rsp_unanswered(struct backend_rsp *b, struct backend_news *news)
{
	if (b->state != BACKEND_RSP_WAIT || !job_unanswered(&b->job) || !wire_idle(&b->wire))
		return BACKEND_NONE;
	if (b->stub.kgdb && b->job.cmd.op == RSP_OP_RESTART)
		return backend_rsp_fails(b, "it was told to restart");
	news->reply = (struct rsp_reply){ .kind = RSP_REPLY_OK };
	return done(b, news);
}
