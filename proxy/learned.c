/* learned.c - see learned.h. */
#include "proxy/learned.h"

#include "proxy/capture.h"
#include "proxy/monitor.h"
#include "rsp/framer.h"
#include "rsp/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	ASKED = 2 * RSP_DATA_MAX + 64, /* the longest packet that is understood */
	ANSWERED = 16384,              /* of answers only stops are looked at */
	NOISE = 32,                    /* bytes that are nothing, and it is another protocol */
};

/* One side of a conversation. */
struct side {
	struct rsp_framer framer;
	bool lost; /* where packets begin is not known */
	unsigned noise;
};

struct talk {
	struct side client, stub;
	bool lldb;
	uint64_t packets;
};

struct reading {
	struct learn *learn;
	struct talk *talks[CAPTURE_FLOWS]; /* owned; NULL: there is none, or it is no matter */
	uint64_t packets;
	struct rsp_cmd cmd;
};

static void talk_destroy(struct talk *t)
{
	if (!t)
		return;
	rsp_framer_fini(&t->client.framer);
	rsp_framer_fini(&t->stub.framer);
	free(t);
}

static struct talk *talk_new(bool midway)
{
	struct talk *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->client.lost = t->stub.lost = midway;
	if (rsp_framer_init(&t->client.framer, RSP_STRICT, ASKED) == 0 && rsp_framer_init(&t->stub.framer, RSP_TOLERANT, ANSWERED) == 0)
		return t;
	talk_destroy(t);
	return NULL;
}

static void forget(struct reading *r, unsigned flow)
{
	talk_destroy(r->talks[flow]);
	r->talks[flow] = NULL;
}

/* lldb asks with x whether x is understood, which the gate answers without a judgement: as session_packet.c has it. */
static bool is_lldb_probe(struct talk *t, const struct rsp_cmd *cmd)
{
	t->lldb |= cmd->op == RSP_OP_THREAD_SUFFIX || cmd->op == RSP_OP_LIST_THREADS || cmd->op == RSP_OP_ERROR_STRINGS;
	t->lldb |= cmd->op == RSP_OP_NO_ACK && t->packets == 1;
	return t->lldb && cmd->op == RSP_OP_MEM_READ_BIN;
}

/* Of kdgate's own monitor commands the target sees help alone. */
static void note(struct reading *r)
{
	enum monitor_verb verb = r->cmd.op == RSP_OP_MONITOR ? monitor_verb_of(r->cmd.data) : MONITOR_NOT_OWN;

	if (verb == MONITOR_HELP || verb == MONITOR_NOT_OWN)
		learn_note(r->learn, &r->cmd);
	monitor_take(&r->cmd);
	if (verb != MONITOR_NOT_OWN)
		learn_note(r->learn, &r->cmd);
}

/* One that is malformed is never judged. */
static void on_asked(struct reading *r, struct talk *t)
{
	r->packets++;
	t->packets++;
	if (rsp_cmd_parse(buf_data(&t->client.framer.body), t->client.framer.body.len, &r->cmd) < 0)
		return;
	if (!is_lldb_probe(t, &r->cmd))
		note(r);
}

static void on_answered(struct reading *r, struct talk *t)
{
	struct rsp_stop stop = { 0 };
	struct span body = buf_span(&t->stub.framer.body);

	if (span_starts(body, "T") && rsp_stop_parse(body, &stop) == 0 && stop.regs_n)
		learn_use(r->learn, RSP_EFF_REG_READ);
}

/* false: this is no conversation of a debugger, or not any more. */
static bool client_says(struct reading *r, struct talk *t, enum rsp_event ev)
{
	if (ev == RSP_PACKET)
		on_asked(r, t);
	else if (ev == RSP_BREAK && t->packets)
		learn_use(r->learn, RSP_EFF_RUN);
	t->client.noise += ev == RSP_NOISE;
	return ev != RSP_BROKEN && t->client.noise <= NOISE;
}

static bool stub_says(struct reading *r, struct talk *t, enum rsp_event ev)
{
	if (ev == RSP_PACKET)
		on_answered(r, t);
	return true;
}

/* No $ stands inside a packet, so the next one begins one. */
static struct span find_packet(struct side *side, struct span in)
{
	const uint8_t *at = in.len ? memchr(in.p, '$', in.len) : NULL;

	side->lost = !at;
	return span_from(in, at ? (size_t)(at - in.p) : in.len);
}

static bool hear(struct reading *r, struct talk *t, const struct capture_piece *piece)
{
	struct side *side = piece->from_client ? &t->client : &t->stub;
	struct span in = piece->bytes;

	if (piece->gap) {
		rsp_framer_reset(&side->framer);
		side->lost = true;
	}
	if (side->lost)
		in = find_packet(side, in);
	while (in.len) {
		enum rsp_event ev;

		in = span_from(in, rsp_framer_feed(&side->framer, in, &ev));
		if (!(piece->from_client ? client_says : stub_says)(r, t, ev))
			return false;
	}
	return true;
}

static int take(struct reading *r, const struct capture_piece *piece)
{
	struct talk **t = &r->talks[piece->flow];

	if (piece->begins) {
		forget(r, piece->flow);
		*t = piece->of_target ? NULL : talk_new(piece->midway);
		if (!*t && !piece->of_target)
			return -ENOMEM;
	}
	if (*t && !hear(r, *t, piece))
		forget(r, piece->flow);
	if (piece->ends)
		forget(r, piece->flow);
	return 0;
}

static int say(char *why, size_t why_size, int rc, const char *file, const char *cause)
{
	snprintf(why, why_size, "%s: %s", file, cause);
	return rc;
}

static int read_all(struct reading *r, const char *file, char *why, size_t why_size)
{
	struct capture_piece piece;
	struct capture *c;
	int rc = capture_open(&c, file, why, why_size);

	if (rc < 0)
		return rc;
	while ((rc = capture_next(c, &piece)) > 0) {
		rc = take(r, &piece);
		if (rc < 0)
			break;
	}
	if (rc == -ENOMEM)
		say(why, why_size, rc, file, "out of memory");
	else if (rc < 0)
		snprintf(why, why_size, "%s", capture_why(c));
	capture_close(c);
	return rc;
}

static struct reading *reading_new(void)
{
	struct reading *r = calloc(1, sizeof *r);

	if (r)
		r->learn = learn_new();
	if (r && r->learn)
		return r;
	free(r);
	return NULL;
}

static void reading_destroy(struct reading *r)
{
	for (unsigned i = 0; i < CAPTURE_FLOWS; i++)
		forget(r, i);
	learn_destroy(r->learn);
	free(r);
}

int learned_from_file(const char *file, FILE *to, char *why, size_t why_size)
{
	struct reading *r = reading_new();
	int rc;

	if (!r)
		return say(why, why_size, -ENOMEM, file, "out of memory");
	rc = read_all(r, file, why, why_size);
	if (!rc && !r->packets)
		rc = say(why, why_size, -ENODATA, file, "no debugger says anything in it; expected what --record wrote, or RSP over TCP");
	if (!rc) {
		rc = learned_write(r->learn, to);
		if (rc < 0)
			say(why, why_size, rc, "the policy cannot be written", strerror(-rc));
	}
	reading_destroy(r);
	return rc;
}

static const char *remedy_of(int error)
{
	static const struct { int error; const char *text; } remedies[] = {
		{ ENOENT, "its directory is not there: make it first" },
		{ EISDIR, "it is a directory: name a file in it" },
		{ EACCES, "this user may not write there" },
	};

	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			return remedies[i].text;
	return "choose another file with --learn";
}

/* Unbuffered: when it is written, the program may do little else than write. */
int learned_open(FILE **to, const char *file, char *why, size_t why_size)
{
	*to = strcmp(file, "-") ? fopen(file, "we") : stdout;
	if (!*to) {
		int rc = -errno;

		snprintf(why, why_size, "what is learned cannot go to %s: %s (%s)", file, strerror(-rc), remedy_of(-rc));
		return rc;
	}
	if (*to != stdout)
		setvbuf(*to, NULL, _IONBF, 0);
	return 0;
}

void learned_close(FILE *to)
{
	if (to && to != stdout)
		fclose(to);
}

static int write_out(FILE *to, struct span text)
{
	errno = 0;
	if (fwrite(text.p, 1, text.len, to) == text.len && fflush(to) == 0)
		return 0;
	return errno ? -errno : -EIO;
}

int learned_write(const struct learn *l, FILE *to)
{
	static const char head[] = "# The smallest policy for what was used, in a file for kdgate -c. Read it before anybody gets it.\n";
	struct buf out;
	int rc = buf_init(&out, LEARN_SECTION + sizeof head);

	if (rc)
		return rc;
	rc = buf_put_text(&out, head);
	rc = rc ? rc : learn_put(l, LEARNED_NAME, &out);
	rc = rc ? rc : write_out(to, buf_span(&out));
	buf_fini(&out);
	return rc;
}
