/* audit.c - see audit.h. */
#include "filters/audit.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* What is kept of each string. JSON doubles quotes and backslashes: twice their sum, and the rest of the line at its
 * longest, is less than AUDIT_LINE. */
enum { MAX_STAMP = 32, MAX_TARGET = 64, MAX_WHO = 160, MAX_POLICY = 64, MAX_EFFECT = 16, MAX_PACKET = 240, MAX_TEXT = 312 };
enum { MAX_REST = 256 };
_Static_assert(2 * (MAX_STAMP + MAX_TARGET + MAX_WHO + MAX_POLICY + MAX_EFFECT + MAX_PACKET + MAX_TEXT) + MAX_REST <= AUDIT_LINE,
	       "an audit line holds its longest strings");

static const char *const names[AUDIT_WHATS] = {
	[AUDIT_START] = "start",
	[AUDIT_CONNECT] = "connect",
	[AUDIT_REFUSE] = "refuse",
	[AUDIT_DENY] = "deny",
	[AUDIT_WRITE] = "write",
	[AUDIT_RUN] = "run",
	[AUDIT_BREAK] = "break",
	[AUDIT_BREAK_IN] = "break-in",
	[AUDIT_DETACH] = "detach",
	[AUDIT_LEAVE] = "leave",
	[AUDIT_MALFORMED] = "malformed",
	[AUDIT_TARGET_FOUND] = "target-found",
	[AUDIT_TARGET_LOST] = "target-lost",
	[AUDIT_MONITOR] = "monitor",
	[AUDIT_OTHER] = "other",
	[AUDIT_END] = "end",
	[AUDIT_GUARD] = "guard",
	[AUDIT_LATCH] = "latch",
	[AUDIT_TYPE] = "type",
};

const char *audit_what_name(enum audit_what what)
{
	return (unsigned)what < AUDIT_WHATS ? names[what] : names[AUDIT_OTHER];
}

/* All of these: 0, -ENOMEM. */
static int put(json_t *line, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(line, key, value) ? -ENOMEM : 0;
}

static int put_text(json_t *line, const char *key, const char *text, size_t most)
{
	uint8_t room[MAX_TEXT];
	struct buf b = { .base = room, .cap = sizeof room };

	if (!text)
		return 0;
	text_visible(&b, span_of(text), most, false);
	return put(line, key, json_stringn((const char *)room, b.len));
}

/* JSON's integers are signed here. */
static int put_number(json_t *line, const char *key, uint64_t n)
{
	return put(line, key, json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX));
}

static int put_head(json_t *line, const char *stamp, const struct audit_event *ev)
{
	int rc = put_number(line, "v", 1);

	rc = rc ? rc : put_text(line, "time", stamp, MAX_STAMP);
	rc = rc ? rc : put_text(line, "event", audit_what_name(ev->what), MAX_STAMP);
	return rc ? rc : put_text(line, "target", ev->target, MAX_TARGET);
}

static int put_who(json_t *line, const struct audit_event *ev)
{
	int rc = ev->client ? put_number(line, "client", ev->client) : 0;

	rc = rc ? rc : put_text(line, "who", ev->who, MAX_WHO);
	return rc ? rc : put_text(line, "policy", ev->policy, MAX_POLICY);
}

static int put_judgement(json_t *line, const struct audit_event *ev)
{
	int rc = ev->effect ? put(line, "rule", json_integer(ev->rule)) : 0;

	rc = rc ? rc : put_text(line, "effect", ev->effect, MAX_EFFECT);
	return rc ? rc : put_text(line, "packet", ev->packet, MAX_PACKET);
}

static int put_range(json_t *line, const struct audit_event *ev)
{
	char addr[32];
	int rc;

	if (!ev->has_range)
		return 0;
	snprintf(addr, sizeof addr, "0x%" PRIx64, ev->addr);
	rc = put_text(line, "addr", addr, sizeof addr);
	return rc ? rc : put_number(line, "len", ev->len);
}

static int put_all(json_t *line, const char *stamp, const struct audit_event *ev)
{
	int rc = put_head(line, stamp, ev);

	rc = rc ? rc : put_who(line, ev);
	rc = rc ? rc : put_judgement(line, ev);
	rc = rc ? rc : put_range(line, ev);
	return rc ? rc : put_text(line, "text", ev->text, MAX_TEXT);
}

static int dump(struct buf *out, const json_t *line)
{
	char text[AUDIT_LINE];
	size_t n = json_dumpb(line, text, sizeof text, JSON_COMPACT | JSON_PRESERVE_ORDER);

	if (!n)
		return -ENOMEM;
	if (n >= sizeof text)
		return -ENOBUFS;
	text[n] = '\n'; /* a line is put whole or not at all */
	return buf_put(out, text, n + 1);
}

int audit_line(struct buf *out, const char *stamp, const struct audit_event *ev)
{
	json_t *line = json_object();
	int rc = line ? put_all(line, stamp, ev) : -ENOMEM;

	rc = rc ? rc : dump(out, line);
	json_decref(line);
	return rc;
}
