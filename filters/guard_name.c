/* guard_name.c - see guard_doc.h. A file's name from a target, made one that harms nobody who opens it.
 *
 * gdb opens what it is told: on a Windows host with \ for a separator too, with //server/share going out to the network,
 * and with a: or x:y as something else than a file. So what any host would read as more than a name does not pass. */
#include "filters/guard_doc.h"

#include <string.h>

static bool is_letter(uint8_t c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool stays(uint8_t c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || (c && strchr("._+-@=", c));
}

/* In a directory that is nowhere: a bare name gdb would open where its user stands. */
static void last_part(char *out, size_t size, struct span name)
{
	size_t from = name.len, n = 0, room = size - sizeof GUARD_NOWHERE;

	memcpy(out, GUARD_NOWHERE, sizeof GUARD_NOWHERE - 1);
	out += sizeof GUARD_NOWHERE - 1;
	while (from && name.p[from - 1] != '/' && name.p[from - 1] != '\\')
		from--;
	for (; from < name.len && n < room; from++)
		out[n++] = stays(name.p[from]) ? (char)name.p[from] : '_';
	if (!n || out[0] == '-' || out[0] == '.')
		out[0] = '_';
	out[n ? n : 1] = 0;
}

/* What stands before the first separator: nothing, or a drive and its colon. -1: it is not absolute. */
static int root_of(struct span name)
{
	if (name.len && name.p[0] == '/')
		return 0;
	return name.len > 2 && is_letter(name.p[0]) && name.p[1] == ':' && (name.p[2] == '/' || name.p[2] == '\\') ? 2 : -1;
}

static bool is_clean(struct span name, int root)
{
	for (size_t i = (size_t)root; i < name.len; i++)
		if (name.p[i] < 0x20 || name.p[i] > 0x7e || (root ? name.p[i] == ':' : name.p[i] == '\\'))
			return false;
	return true;
}

/* Windows cuts dots and blanks off the end of a part, so ".. ." is .. to it. */
static bool climbs(struct span part)
{
	for (size_t i = 0; i < part.len; i++)
		if (part.p[i] != '.' && part.p[i] != ' ')
			return false;
	return true;
}

static struct span take_part(struct span *rest)
{
	struct span part = { rest->p, 0 };

	while (part.len < rest->len && part.p[part.len] != '/' && part.p[part.len] != '\\')
		part.len++;
	*rest = span_from(*rest, part.len + 1);
	return part;
}

static int put_parts(struct buf *out, struct span rest, uint8_t separator)
{
	int rc = 0;

	while (!rc && rest.len) {
		struct span part = take_part(&rest);

		if (!part.len || span_is(part, "."))
			continue;
		if (climbs(part))
			return -1;
		rc = buf_put_u8(out, separator);
		rc = rc ? rc : buf_put_span(out, part);
	}
	return rc;
}

static bool whole_path(char *out, size_t size, struct span name)
{
	struct buf b = { .base = (uint8_t *)out, .cap = size - 1 };
	int root = root_of(name);

	if (root < 0 || !is_clean(name, root) || buf_put(&b, name.p, (size_t)root) < 0)
		return false;
	if (put_parts(&b, span_from(name, (size_t)root), name.p[root]) < 0 || b.len == (size_t)root)
		return false;
	out[b.len] = 0;
	return true;
}

bool guard_name(char *out, size_t size, struct span name, bool paths)
{
	if (!paths || !whole_path(out, size, name))
		last_part(out, size, name);
	return !span_is(name, out);
}
