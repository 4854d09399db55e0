/* job.c - see job.h. */
#include "backends/rsp/job.h"

#include "backends/rsp/kgdb.h"
#include "base/hex.h"
#include "filters/guard.h"
#include "filters/guard_doc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REG_MAX = 64, ANSWER_MS = 5000, SLOW_MS = 60000, CHUNKS_MAX = 8192, CHUNK_HEAD = 8 };

int job_init(struct job *j)
{
	*j = (struct job){ 0 };
	j->threads = calloc(RSP_THREADS_MAX, sizeof *j->threads);
	if (j->threads && buf_init(&j->data, RSP_DATA_MAX) == 0 && buf_init(&j->doc, GUARD_DOC_MAX) == 0)
		return 0;
	job_fini(j);
	return -ENOMEM;
}

void job_fini(struct job *j)
{
	free(j->threads);
	buf_fini(&j->data);
	buf_fini(&j->doc);
	*j = (struct job){ 0 };
}

/* How each command is treated; what is not here is passed on as one request. */
enum kind { KIND_WHOLE, KIND_READ, KIND_WRITE, KIND_RESUME, KIND_LIST, KIND_DOC, KIND_NEVER };

static const struct trait {
	enum kind kind;
	bool general; /* Hg decides whose registers, whose address space */
} traits[RSP_OPS] = {
	[RSP_OP_MEM_READ] = { KIND_READ, true },       [RSP_OP_MEM_READ_BIN] = { KIND_READ, true },
	[RSP_OP_MEM_WRITE] = { KIND_WRITE, true },     [RSP_OP_MEM_WRITE_BIN] = { KIND_WRITE, true },
	[RSP_OP_MEM_CRC] = { KIND_WHOLE, true },       [RSP_OP_MEM_SEARCH] = { KIND_WHOLE, true },
	[RSP_OP_REGS_READ] = { KIND_WHOLE, true },     [RSP_OP_REGS_WRITE] = { KIND_WHOLE, true },
	[RSP_OP_REG_READ] = { KIND_WHOLE, true },      [RSP_OP_REG_WRITE] = { KIND_WHOLE, true },
	[RSP_OP_RESUME] = { KIND_RESUME, false },      [RSP_OP_REVERSE] = { KIND_RESUME, false },
	[RSP_OP_THREADS_FIRST] = { KIND_LIST, false }, [RSP_OP_XFER_READ] = { KIND_DOC, true },
	[RSP_OP_XFER_WRITE] = { KIND_NEVER, false },   [RSP_OP_FILE] = { KIND_NEVER, false },
	[RSP_OP_UNKNOWN] = { KIND_NEVER, false },      [RSP_OP_NOTHING] = { KIND_NEVER, false },
	[RSP_OP_SUPPORTED] = { KIND_NEVER, false },    [RSP_OP_NO_ACK] = { KIND_NEVER, false },
	[RSP_OP_STATUS] = { KIND_NEVER, false },       [RSP_OP_FOLLOW] = { KIND_NEVER, false },
};

static const struct trait *trait(const struct job *j)
{
	return &traits[j->cmd.op];
}

static bool vcont(const struct job *j, const struct stub *s)
{
	return j->cmd.op == RSP_OP_RESUME && s->vcont_c && s->vcont_s && !j->cmd.has_addr;
}

static const struct rsp_action *first_action(const struct job *j)
{
	return &j->cmd.actions[0];
}

static bool select_general(const struct job *j, const struct stub *s)
{
	return trait(j)->general && rsp_thread_names_one(j->cmd.thread) && j->cmd.thread.tid != s->general.tid;
}

static struct rsp_thread resume_thread(const struct job *j)
{
	const struct rsp_action *a = first_action(j);

	return j->cmd.op == RSP_OP_RESUME && a->has_thread && rsp_thread_names_one(a->thread) ? a->thread : (struct rsp_thread){ 0, RSP_THREAD_ALL };
}

static bool select_resume(const struct job *j, const struct stub *s)
{
	return trait(j)->kind == KIND_RESUME && !s->kgdb && !vcont(j, s) && /* KGDB resumes the thread that stopped, or none */
	       resume_thread(j).tid != s->resume.tid;
}

static enum job_step next_step(const struct job *j, const struct stub *s)
{
	return select_general(j, s) ? JOB_GENERAL : select_resume(j, s) ? JOB_RESUME_THREAD : JOB_DO;
}

/* Exactly a whole register, exactly a whole register file: a stub fills in the rest from what it read before. */
static bool lengths_fit(const struct stub *s, const struct rsp_cmd *cmd)
{
	const struct tdesc_reg *reg = s->described ? tdesc_reg(&s->tdesc, (unsigned)cmd->num[0]) : NULL;

	switch ((int)cmd->op) {
	case RSP_OP_REGS_WRITE:
		return s->g_len && cmd->data.len == s->g_len;
	case RSP_OP_REG_READ:
		return !s->described || reg;
	case RSP_OP_REG_WRITE:
		return reg ? cmd->data.len == (reg->bits + 7) / 8 : !s->described && cmd->data.len <= REG_MAX;
	default:
		return true;
	}
}

/* Does it fit the stub's buffer? G is as long as its g was. */
static bool packet_fits(const struct stub *s, const struct rsp_cmd *cmd)
{
	static const size_t doc_head = sizeof "qXfer::read::ffffff,ffff" - 1;
	uint8_t room[2 * STUB_READ_MAX];
	struct buf out = { .base = room, .cap = sizeof room };

	if (traits[cmd->op].kind == KIND_DOC)
		return doc_head + cmd->text.len + cmd->annex.len + STUB_FRAME <= s->packet_max;
	if (traits[cmd->op].kind != KIND_WHOLE || cmd->op == RSP_OP_REGS_WRITE)
		return true;
	return rsp_cmd_encode(&out, cmd) == 0 && out.len + STUB_FRAME <= s->packet_max;
}

static bool actions_fit(const struct stub *s, const struct rsp_cmd *cmd)
{
	for (size_t i = 0; i < cmd->actions_n; i++) {
		char verb = cmd->actions[i].verb;

		if (verb == 't' || (verb == 'r' && !s->vcont_r))
			return false; /* t is non-stop's; neither was offered */
	}
	return cmd->op != RSP_OP_RESUME || cmd->actions_n > 0;
}

static void copy_cmd(struct rsp_cmd *to, const struct rsp_cmd *from)
{
	memcpy(to, from, offsetof(struct rsp_cmd, actions));
	memcpy(to->actions, from->actions, from->actions_n * sizeof *from->actions);
	memcpy(to->ranges, from->ranges, from->ranges_n * sizeof *from->ranges);
	to->thread.pid = 0; /* one target is one process: ids are spoken without it */
	to->has_thread = from->has_thread && !traits[from->op].general; /* lldb's suffix: said by Hg */
	for (size_t i = 0; i < to->actions_n; i++)
		to->actions[i].thread.pid = 0;
}

/* The spans of a command borrow from its client; they come to live in .data. */
static int keep(struct job *j, struct span *s)
{
	struct span kept = { buf_data(&j->data) + j->data.len, s->len };

	if (buf_put_span(&j->data, *s) < 0)
		return -EINVAL;
	*s = kept;
	return 0;
}

static int keep_spans(struct job *j)
{
	int rc;

	buf_reset(&j->data, 0);
	rc = keep(j, &j->cmd.data);
	if (!rc)
		rc = keep(j, &j->cmd.text);
	return rc ? rc : keep(j, &j->cmd.annex);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Documents that have a form which can be checked, and that this stub said it has. */
static bool has_document(const struct stub *s, const struct rsp_cmd *cmd)
{
	static const unsigned can[GUARD_OBJECTS] = {
		[GUARD_LIBRARIES] = RSP_CAN_LIBRARIES, [GUARD_LIBRARIES_SVR4] = RSP_CAN_LIBRARIES_SVR4, [GUARD_THREAD_LIST] = RSP_CAN_THREADS,
		[GUARD_EXEC_FILE] = RSP_CAN_EXEC_FILE, [GUARD_AUXV] = RSP_CAN_AUXV,                     [GUARD_SIGINFO] = RSP_CAN_SIGINFO,
	};
	int obj = guard_object_of(cmd->text);

	return obj >= 0 && (s->features.can & can[obj]);
}

/* A stub is not asked for another program than the one it has: vRun, vAttach. */
static bool speakable(const struct stub *s, const struct rsp_cmd *cmd)
{
	enum kind kind = traits[cmd->op].kind;

	if (s->kgdb && !kgdb_understands(cmd))
		return false;
	if (kind == KIND_DOC)
		return has_document(s, cmd);
	return kind != KIND_NEVER && cmd->spec && (kind == KIND_RESUME || cmd->spec->form != RSP_FORM_STOP);
}

/* The most that one command reads, without a last request for a few bytes more: its client can ask on from there. */
static size_t whole_reads(const struct stub *s)
{
	return STUB_READ_MAX / stub_read_max(s) * stub_read_max(s);
}

int job_start(struct job *j, const struct stub *s, const struct rsp_cmd *cmd)
{
	if (!speakable(s, cmd) || !actions_fit(s, cmd))
		return -EOPNOTSUPP;
	if (!lengths_fit(s, cmd) || !packet_fits(s, cmd) || (s->kgdb && kgdb_confuses(s, cmd)))
		return -EINVAL;
	copy_cmd(&j->cmd, cmd);
	j->at = j->asked = 0;
	j->cut = false;
	j->end = trait(j)->kind == KIND_READ ? least(cmd->len, whole_reads(s)) : cmd->data.len;
	j->threads_n = 0;
	j->listing = false;
	j->chunks = 0;
	buf_reset(&j->doc, 0);
	if (keep_spans(j) < 0)
		return -EINVAL;
	j->step = next_step(j, s);
	return 0;
}

static int put_thread_select(struct buf *out, char which, struct rsp_thread t)
{
	int rc = buf_printf(out, "H%c", which);

	return rc ? rc : rsp_thread_put(out, t);
}

static int put_read(struct job *j, const struct stub *s, struct buf *out)
{
	j->asked = least(j->end - j->at, stub_read_max(s));
	return buf_printf(out, "m%" PRIx64 ",%zx", j->cmd.addr + j->at, j->asked);
}

static int put_write(struct job *j, const struct stub *s, struct buf *out)
{
	int rc;

	j->asked = least(j->end - j->at, stub_write_max(s));
	rc = buf_printf(out, "M%" PRIx64 ",%zx:", j->cmd.addr + j->at, j->asked);
	return rc ? rc : hex_put(out, (struct span){ j->cmd.data.p + j->at, j->asked });
}

/* c, s, Csig, Ssig; the address where it is given. KGDB goes to where a signal's number says. */
static int put_plain_resume(const struct job *j, const struct stub *s, struct buf *out)
{
	const struct rsp_action *a = first_action(j);
	bool sig = (a->verb == 'C' || a->verb == 'S') && !s->kgdb;
	char verb = a->verb == 'r' ? 's' : a->verb;
	int rc = buf_printf(out, "%c", s->kgdb ? verb | 0x20 : verb);

	if (!rc && sig)
		rc = buf_printf(out, "%02x", a->sig);
	if (!rc && j->cmd.has_addr)
		rc = buf_printf(out, sig ? ";%llx" : "%llx", (unsigned long long)a->from);
	return rc;
}

static int put_action(const struct rsp_action *a, struct buf *out)
{
	int rc = buf_printf(out, ";%c", a->verb);

	if (!rc && (a->verb == 'C' || a->verb == 'S'))
		rc = buf_printf(out, "%02x", a->sig);
	if (!rc && a->verb == 'r')
		rc = buf_printf(out, "%llx,%llx", (unsigned long long)a->from, (unsigned long long)a->to);
	if (!rc && a->has_thread && a->thread.tid != RSP_THREAD_ALL) {
		rc = buf_put_u8(out, ':');
		rc = rc ? rc : rsp_thread_put(out, a->thread);
	}
	return rc;
}

static int put_resume(struct job *j, const struct stub *s, struct buf *out)
{
	int rc;

	if (j->cmd.op == RSP_OP_REVERSE)
		return rsp_cmd_encode(out, &j->cmd);
	if (!vcont(j, s))
		return put_plain_resume(j, s, out);
	rc = buf_put_text(out, "vCont");
	for (size_t i = 0; !rc && i < j->cmd.actions_n; i++)
		rc = put_action(&j->cmd.actions[i], out);
	return rc;
}

static int put_list(struct job *j, const struct stub *s, struct buf *out)
{
	(void)s;
	return buf_put_text(out, j->listing ? "qsThreadInfo" : "qfThreadInfo");
}

/* Half a packet: every byte of a chunk may be escaped. */
static size_t chunk(const struct stub *s)
{
	return (s->packet_max - CHUNK_HEAD) / 2;
}

static int put_doc(struct job *j, const struct stub *s, struct buf *out)
{
	j->asked = chunk(s);
	j->cmd.num[0] = j->doc.len;
	j->cmd.len = j->asked;
	return rsp_cmd_encode(out, &j->cmd);
}

static int put_whole(struct job *j, const struct stub *s, struct buf *out)
{
	(void)s;
	return rsp_cmd_encode(out, &j->cmd);
}

static int put_nothing(struct job *j, const struct stub *s, struct buf *out)
{
	(void)j, (void)s, (void)out;
	return -EINVAL;
}

int job_request(struct job *j, const struct stub *s, struct buf *out)
{
	static int (*const puts[])(struct job *, const struct stub *, struct buf *) = {
		[KIND_WHOLE] = put_whole,   [KIND_READ] = put_read, [KIND_WRITE] = put_write,
		[KIND_RESUME] = put_resume, [KIND_LIST] = put_list, [KIND_DOC] = put_doc, [KIND_NEVER] = put_nothing,
	};
	int rc;

	if (j->step == JOB_GENERAL)
		rc = put_thread_select(out, 'g', j->cmd.thread);
	else if (j->step == JOB_RESUME_THREAD)
		rc = put_thread_select(out, 'c', resume_thread(j));
	else
		rc = puts[trait(j)->kind](j, s, out);
	return rc ? -ENOBUFS : 0;
}

bool job_resumes(const struct job *j)
{
	return j->step == JOB_DO && trait(j)->kind == KIND_RESUME;
}

bool job_unanswered(const struct job *j)
{
	return j->step == JOB_DO && j->cmd.spec && j->cmd.spec->form == RSP_FORM_NONE;
}

unsigned job_patience(const struct job *j)
{
	return j->cmd.effects & (RSP_EFF_FLASH | RSP_EFF_MONITOR | RSP_EFF_PROCESS) ? SLOW_MS : ANSWER_MS;
}

static const struct tdesc *description(const struct stub *s)
{
	return s->described ? &s->tdesc : NULL;
}

/* What may come back for the request that is out. */
static struct rsp_expect expectation(const struct job *j, const struct stub *s)
{
	struct rsp_expect want;

	if (j->step != JOB_DO || trait(j)->kind == KIND_WRITE)
		return (struct rsp_expect){ .form = RSP_FORM_OK };
	if (trait(j)->kind == KIND_DOC)
		return (struct rsp_expect){ .form = RSP_FORM_CHUNK, .most = j->asked };
	want = guard_expect(&j->cmd, description(s), j->asked);
	if (trait(j)->kind == KIND_LIST) {
		want.threads = j->threads + j->threads_n;
		want.threads_max = RSP_THREADS_MAX - j->threads_n;
	}
	return want;
}

/* Whoever selected the thread is told what came of it; then the rest is as if it had not been needed. */
static int after_select(struct job *j, struct stub *s, const struct rsp_reply *reply)
{
	struct rsp_thread *now = j->step == JOB_GENERAL ? &s->general : &s->resume;
	struct rsp_thread want = j->step == JOB_GENERAL ? j->cmd.thread : resume_thread(j);

	if (reply->kind == RSP_REPLY_ERROR) {
		*now = (struct rsp_thread){ 0 };
		return 1;
	}
	*now = want; /* "unsupported" too: a stub of one thread */
	j->step = next_step(j, s);
	return 0;
}

/* What was read before an error counts: a client can use a short read. */
static int after_read(struct job *j, struct rsp_reply *reply)
{
	size_t got = reply->kind == RSP_REPLY_BYTES ? reply->bytes.len : 0;

	if (!got && j->at)
		*reply = (struct rsp_reply){ .kind = RSP_REPLY_BYTES };
	else if (!got && reply->kind == RSP_REPLY_BYTES)
		*reply = (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = EFAULT };
	j->at += got;
	return got < j->asked || j->at == j->end || j->cut ? 1 : JOB_PART;
}

/* Never cut: half a write is worse than a late answer. */
static int after_write(struct job *j, const struct rsp_reply *reply)
{
	j->at += j->asked;
	return reply->kind != RSP_REPLY_OK || j->at == j->end;
}

static size_t parsed_threads(const struct job *j, const struct rsp_reply *reply)
{
	size_t room = RSP_THREADS_MAX - j->threads_n;

	return reply->kind == RSP_REPLY_THREADS ? least(reply->threads_n, room) : 0;
}

/* KGDB ends its list with an empty packet, others with l. */
static int after_list(struct job *j, struct rsp_reply *reply)
{
	size_t n = parsed_threads(j, reply);
	bool first = !j->listing, more = n && !reply->last && j->threads_n + n < RSP_THREADS_MAX;

	if (first && reply->kind != RSP_REPLY_THREADS)
		return 1;
	j->threads_n += n;
	j->listing = true;
	*reply = (struct rsp_reply){ .kind = RSP_REPLY_THREADS, .threads = j->threads, .threads_n = j->threads_n };
	return !more;
}

static int after_doc(struct job *j, struct rsp_reply *reply)
{
	bool last = reply->last;

	if (reply->kind != RSP_REPLY_CHUNK)
		return 1;
	if (++j->chunks > CHUNKS_MAX || buf_put_span(&j->doc, reply->bytes) < 0) {
		*reply = (struct rsp_reply){ .kind = RSP_REPLY_ERROR, .code = EFBIG, .bytes = span_of("the target's document is too long") };
		return 1;
	}
	*reply = (struct rsp_reply){ .kind = RSP_REPLY_CHUNK, .last = true, .bytes = buf_span(&j->doc) };
	return last;
}

static int after_whole(struct job *j, struct stub *s, const struct rsp_reply *reply)
{
	if (j->cmd.op == RSP_OP_REGS_READ && reply->kind == RSP_REPLY_REGS)
		s->g_len = reply->bytes.len / 2;
	if ((j->cmd.op == RSP_OP_BREAK_SET || j->cmd.op == RSP_OP_BREAK_CLEAR) && reply->kind == RSP_REPLY_OK)
		stub_note_trap(s, &j->cmd, j->cmd.op == RSP_OP_BREAK_SET);
	return 1;
}

int job_answer(struct job *j, struct stub *s, struct buf *body, struct rsp_reply *reply)
{
	struct rsp_expect want = expectation(j, s);

	*reply = (struct rsp_reply){ .kind = RSP_REPLY_UNSUPPORTED };
	if (rsp_reply_parse(buf_data(body), body->len, &want, reply, NULL) < 0)
		return -EBADMSG;
	if (j->step == JOB_DO && !guard_reply_fits(&j->cmd, reply, description(s), s->g_len))
		return -EBADMSG;
	if (j->step != JOB_DO)
		return after_select(j, s, reply);
	switch (trait(j)->kind) {
	case KIND_READ:
		return after_read(j, reply);
	case KIND_WRITE:
		return after_write(j, reply);
	case KIND_LIST:
		return after_list(j, reply);
	case KIND_DOC:
		return after_doc(j, reply);
	case KIND_WHOLE:
	case KIND_RESUME:
	case KIND_NEVER:
		break;
	}
	return after_whole(j, s, reply);
}

void job_cut(struct job *j)
{
	j->cut = true;
}
