/* console.c - see console.h. */
#include "proxy/console.h"

#include "backends/link/link.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "proxy/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_AT_ONCE = 1024, NOTE_LEN = 96, COUNT_LEN = 32 };

static int open_log(struct console *c, const char *log, char *why, size_t why_size)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	c->log = fd < 0 ? NULL : fdopen(fd, "a");
	c->log_name = log;
	if (c->log)
		return 0;
	snprintf(why, why_size, "%s: %s: the console cannot be logged there (does its directory exist, and may this user write in it?)", log, strerror(errno));
	return -EIO;
}

int console_init(struct console *c, const char *log, char *why, size_t why_size)
{
	memset(c, 0, sizeof *c);
	if (buf_init(&c->past, CONSOLE_PAST) < 0 || buf_init(&c->typing, CONSOLE_TYPING) < 0) {
		console_fini(c);
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	return *log ? open_log(c, log, why, why_size) : 0;
}

void console_fini(struct console *c)
{
	buf_fini(&c->past);
	buf_fini(&c->typing);
	if (c->log)
		fclose(c->log);
	c->log = NULL;
}

/* The latest stays: what is older makes room. */
static void keep(struct buf *b, struct span text)
{
	if (text.len > b->cap)
		text = span_from(text, text.len - b->cap);
	if (b->len + text.len > b->cap)
		(void)!buf_pull(b, b->len + text.len - b->cap);
	buf_pack(b);
	(void)!buf_put_span(b, text);
}

static void stamp(struct console *c)
{
	char text[CLOCK_STAMP];

	fprintf(c->log, "%s ", clock_stamp(text));
	c->line_open = true;
}

static void log_piece(struct console *c, struct span piece)
{
	uint8_t room[4 * READ_AT_ONCE];
	struct buf shown = { .base = room, .cap = sizeof room };

	if (!c->line_open && piece.len)
		stamp(c);
	text_visible(&shown, piece, sizeof room, true);
	fwrite(buf_data(&shown), 1, shown.len, c->log);
}

/* Up to its newline, without the \r in front of it. */
static struct span take_line(struct span *text, bool *ends)
{
	const uint8_t *nl = memchr(text->p, '\n', text->len);
	size_t n = nl ? (size_t)(nl - text->p) : text->len;
	struct span line = { text->p, n < READ_AT_ONCE ? n : READ_AT_ONCE };

	*ends = nl && line.len == n;
	*text = span_from(*text, line.len + *ends);
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

static void write_log(struct console *c, struct span text)
{
	while (text.len) {
		bool ends;
		struct span line = take_line(&text, &ends);

		log_piece(c, line);
		if (!ends)
			continue;
		if (!c->line_open)
			stamp(c);
		fputc('\n', c->log);
		c->line_open = false;
	}
	if (fflush(c->log) != 0 && !c->log_error) {
		c->log_error = errno;
		log_line(LOG_LEVEL_ERROR, "console log %s: %s: nothing more is written there", c->log_name, strerror(errno));
	}
}

static void tell(struct console_reader *r, struct span text)
{
	char note[NOTE_LEN];

	if (r->lost && buf_room(&r->out) >= text.len + sizeof note) {
		snprintf(note, sizeof note, "\r\n[kdgate: %llu bytes of the console were left out]\r\n", (unsigned long long)r->lost);
		if (buf_put_text(&r->out, note) == 0)
			r->lost = 0;
	}
	if (r->lost || buf_put_span(&r->out, text) < 0)
		r->lost += text.len;
}

void console_put(struct console *c, struct span text)
{
	keep(&c->past, text);
	for (size_t i = 0; i < CONSOLE_READERS; i++)
		if (c->readers[i])
			tell(c->readers[i], text);
	if (c->log && !c->log_error)
		write_log(c, text);
}

int console_join(struct console *c, struct console_reader *r)
{
	for (size_t i = 0; i < CONSOLE_READERS; i++) {
		if (c->readers[i])
			continue;
		c->readers[i] = r;
		tell(r, buf_span(&c->past));
		return 0;
	}
	return -EUSERS;
}

static void audit(const struct console_reader *r, enum audit_what what, const char *text)
{
	audit_log_write(r->who.audit, &(struct audit_event){ .what = what, .target = r->who.target, .client = r->who.id, .who = r->who.peer,
	                                                     .policy = r->who.policy->name, .rule = r->rule,
	                                                     .effect = rsp_effect_name(RSP_EFF_CONSOLE), .text = text });
}

static void end_burst(struct console_reader *r)
{
	char text[COUNT_LEN];

	if (!r->burst.bytes)
		return;
	snprintf(text, sizeof text, "%zu bytes", r->burst.bytes);
	audit(r, AUDIT_TYPE, text);
	r->burst.bytes = 0;
}

static uint64_t burst_end(const struct console_burst *b)
{
	uint64_t pause = b->last + CONSOLE_PAUSE_MS, most = b->since + CONSOLE_BURST_MS;

	return !b->bytes ? NEVER : pause < most ? pause : most;
}

static void note_typing(struct console_burst *b, size_t n, uint64_t now)
{
	if (!b->bytes)
		b->since = now;
	b->last = now;
	b->bytes += n;
}

void console_part(struct console *c, struct console_reader *r)
{
	end_burst(r);
	for (size_t i = 0; i < CONSOLE_READERS; i++)
		if (c->readers[i] == r)
			c->readers[i] = NULL;
}

struct console_reader *console_reader_new(const struct session_who *who, struct link *link, bool may_type)
{
	struct console_reader *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->who = *who;
	r->may_type = may_type;
	r->rule = policy_judge(who->policy, &(struct rsp_cmd){ .effects = RSP_EFF_CONSOLE }).rule;
	if (buf_init(&r->out, CONSOLE_OUT) < 0 || buf_init(&r->in, READ_AT_ONCE) < 0) {
		console_reader_free(r);
		return NULL;
	}
	r->link = link;
	return r;
}

void console_reader_free(struct console_reader *r)
{
	link_destroy_stack(r->link);
	buf_fini(&r->out);
	buf_fini(&r->in);
	free(r);
}

static int write_out(struct console_reader *r, uint64_t now)
{
	size_t before = r->out.len;
	int rc = before ? link_send(r->link, &r->out, now) : 0;

	buf_pack(&r->out);
	if (rc && rc != -EAGAIN)
		return rc;
	return r->out.len < before;
}

static void refuse_typing(struct console_reader *r)
{
	static const char words[] = "\r\n[kdgate: the policy does not allow typing here]\r\n";

	if (!r->told) {
		tell(r, span_of(words));
		audit(r, AUDIT_DENY, "typing on the console");
	}
	r->told = true;
	buf_reset(&r->in, 0);
}

/* What finds no room waits, and its sender with it. */
static int read_in(struct console *c, struct console_reader *r, uint64_t now)
{
	size_t room = buf_room(&c->typing), n;
	int rc = r->in.len ? 1 : link_recv(r->link, &r->in, now);

	if (rc != 1)
		return rc;
	if (!r->may_type) {
		refuse_typing(r);
		return 1;
	}
	n = r->in.len < room ? r->in.len : room;
	if (!n)
		return 0;
	(void)!buf_put(&c->typing, buf_data(&r->in), n);
	note_typing(&r->burst, n, now);
	return buf_pull(&r->in, n) < 0 ? -EINVAL : 1;
}

int console_step(struct console *c, struct console_reader *r, uint64_t now)
{
	int wrote = r->dead ? 0 : write_out(r, now), rc = wrote;

	if (now >= burst_end(&r->burst))
		end_burst(r);
	if (!r->dead && rc >= 0)
		rc = read_in(c, r, now);
	if (rc >= 0)
		return rc || wrote;
	r->dead = true;
	r->why = rc == -EPIPE ? "it closed the connection" : strerror(-rc);
	return 1;
}

struct wait console_reader_wait(const struct console *c, const struct console_reader *r)
{
	struct wait w = wait_none();

	(void)c;
	if (r->dead)
		return w;
	link_wait(r->link, &w);
	wait_until(&w, burst_end(&r->burst));
	w.read = !r->in.len;
	w.write |= r->out.len > 0;
	return w;
}

struct span console_typed(const struct console *c)
{
	return buf_span(&c->typing);
}

void console_typed_taken(struct console *c, size_t n)
{
	(void)!buf_pull(&c->typing, n);
	buf_pack(&c->typing);
}
