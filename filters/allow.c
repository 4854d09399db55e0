/* allow.c - see allow.h. */
#include "filters/allow.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { V4_BITS = 96, ALL_BITS = 128, SHOWN = 48 };

struct reader {
	const char *text;
	const struct allow_names *names;
	char *why;
	size_t why_size;
};

static int wrong(struct reader *r, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int wrong(struct reader *r, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->why_size, fmt, ap);
	va_end(ap);
	return rc;
}

/* Decimal without sign, blanks or leading zeros, at most most. */
static bool read_decimal(const char *text, uint64_t most, uint64_t *v)
{
	*v = 0;
	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		*v = *v * 10 + (unsigned)(*text - '0');
		if (*v > most)
			return false;
	}
	return !*text;
}

static bool is_v4(const struct in6_addr *a)
{
	return IN6_IS_ADDR_V4MAPPED(a);
}

static void mask(struct in6_addr *a, unsigned prefix)
{
	for (unsigned i = 0; i < sizeof a->s6_addr; i++) {
		unsigned kept = prefix > i * 8 ? prefix - i * 8 : 0;

		if (kept < 8)
			a->s6_addr[i] &= (uint8_t)(0xff00 >> kept);
	}
}

static bool same(const struct in6_addr *a, const struct in6_addr *b)
{
	return !memcmp(a, b, sizeof *a);
}

/* IPv4 as it is read by people. */
static const char *address_show(const struct in6_addr *a, bool v4, char out[INET6_ADDRSTRLEN])
{
	return v4 ? inet_ntop(AF_INET, &a->s6_addr[12], out, INET6_ADDRSTRLEN) : inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
}

static bool read_address(const char *text, struct in6_addr *a, bool *v4)
{
	*v4 = inet_pton(AF_INET, text, &a->s6_addr[12]) == 1;
	if (!*v4)
		return inet_pton(AF_INET6, text, a) == 1;
	memset(a->s6_addr, 0, 10);
	memset(a->s6_addr + 10, 0xff, 2);
	return true;
}

static int read_prefix(struct reader *r, const char *text, bool v4, struct allow_entry *e)
{
	unsigned most = v4 ? ALL_BITS - V4_BITS : ALL_BITS;
	char shown[SHOWN];
	uint64_t bits;

	if (!text)
		bits = most;
	else if (!read_decimal(text, most, &bits))
		return wrong(r, -EINVAL, "\"%s\" does not end in a prefix length of 0 to %u",
			     text_ascii(shown, sizeof shown, span_of(r->text)), most);
	e->prefix = (unsigned)bits + (v4 ? V4_BITS : 0);
	return 0;
}

/* A network written with the bits of a host is mostly a host whose prefix length was copied along. */
static int check_host_bits(struct reader *r, const struct allow_entry *e, bool v4)
{
	char net_text[INET6_ADDRSTRLEN], host_text[INET6_ADDRSTRLEN], shown[SHOWN];
	struct in6_addr net = e->addr;
	unsigned all = v4 ? ALL_BITS - V4_BITS : ALL_BITS, bits = v4 ? e->prefix - V4_BITS : e->prefix;

	mask(&net, e->prefix);
	if (same(&net, &e->addr))
		return 0;
	address_show(&net, v4, net_text);
	address_show(&e->addr, v4, host_text);
	return wrong(r, -EINVAL, "\"%s\" has bits set beyond its prefix; expected %s/%u for the network, or %s/%u for the one address",
		     text_ascii(shown, sizeof shown, span_of(r->text)), net_text, bits, host_text, all);
}

static int read_network(struct reader *r, const char *text, struct allow_entry *e)
{
	char address[ALLOW_TEXT], shown[SHOWN];
	char *slash;
	bool v4;
	int rc;

	strcpy(address, text); /* allow_add has looked at the length */
	slash = strchr(address, '/');
	if (slash)
		*slash = 0;
	e->kind = ALLOW_ADDRESS;
	if (!read_address(address, &e->addr, &v4))
		return wrong(r, -EINVAL, "\"%s\" is not an address; expected 192.0.2.0/24, 2001:db8::/32, user=NAME, group=NAME or any",
			     text_ascii(shown, sizeof shown, span_of(text)));
	rc = read_prefix(r, slash ? slash + 1 : NULL, v4, e);
	return rc ? rc : check_host_bits(r, e, v4);
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* (uid_t)-1 means "no change" to the kernel, and is nobody. */
static int read_id(struct reader *r, const char *what, const char *text, int (*id_of)(const char *, unsigned *), unsigned *id)
{
	char shown[SHOWN];
	uint64_t n;

	text_ascii(shown, sizeof shown, span_of(text));
	if (!*text)
		return wrong(r, -EINVAL, "no name after %s=", what);
	if (!is_number(text))
		return id_of && !id_of(text, id) ? 0 : wrong(r, -ENOENT, "there is no %s \"%s\" on this system", what, shown);
	if (!read_decimal(text, UINT32_MAX - 1, &n))
		return wrong(r, -EINVAL, "\"%s\" is not the number of a %s", shown, what);
	*id = (unsigned)n;
	return 0;
}

static int read_user(struct reader *r, const char *text, struct allow_entry *e)
{
	e->kind = ALLOW_USER;
	return read_id(r, "user", text, r->names ? r->names->uid_of : NULL, &e->uid);
}

static int read_group(struct reader *r, const char *text, struct allow_entry *e)
{
	e->kind = ALLOW_GROUP;
	return read_id(r, "group", text, r->names ? r->names->gid_of : NULL, &e->gid);
}

static int read_anyone(struct reader *r, const char *text, struct allow_entry *e)
{
	e->kind = ALLOW_ANYONE;
	return *text ? read_network(r, r->text, e) : 0;
}

static const struct {
	const char *begin;
	int (*read)(struct reader *, const char *rest, struct allow_entry *);
} forms[] = {
	{ "user=", read_user }, { "group=", read_group }, { "any", read_anyone }, { "", read_network },
};

static int read_entry(struct reader *r, struct allow_entry *e)
{
	size_t i = 0;

	while (!span_starts(span_of(r->text), forms[i].begin))
		i++;
	return forms[i].read(r, r->text + strlen(forms[i].begin), e);
}

int allow_add(struct allow *a, const char *entry, int policy, const struct allow_names *names, char *why, size_t why_size)
{
	struct reader r = { entry, names, why, why_size };
	struct allow_entry e = { .policy = policy };
	int rc;

	if (strlen(entry) >= sizeof e.text)
		return wrong(&r, -EINVAL, "the entry is longer than %d characters", ALLOW_TEXT - 1);
	if (a->count == ALLOW_ENTRIES)
		return wrong(&r, -ENOSPC, "more than %d entries in an allowlist", ALLOW_ENTRIES);
	strcpy(e.text, entry);
	rc = read_entry(&r, &e);
	if (!rc)
		a->entries[a->count++] = e;
	return rc;
}

static void add_user(struct allow *a, uid_t uid)
{
	struct allow_entry *e = &a->entries[a->count++];

	*e = (struct allow_entry){ .kind = ALLOW_USER, .uid = uid, .policy = -1 };
	snprintf(e->text, sizeof e->text, "user=%u", uid);
}

void allow_default(struct allow *a, uid_t own)
{
	*a = (struct allow){ 0 };
	add_user(a, own);
	if (own)
		add_user(a, 0);
}

static bool is_network_peer(const struct peer *peer)
{
	return peer->family == AF_INET || peer->family == AF_INET6;
}

static bool fits_address(const struct allow_entry *e, const struct peer *peer)
{
	bool v4 = is_v4(&e->addr); /* then its prefix is 96 at least: the ones before would be bits beyond it */
	struct in6_addr net = peer->addr;

	mask(&net, e->prefix);
	return is_network_peer(peer) && v4 == is_v4(&peer->addr) && same(&net, &e->addr);
}

static bool fits_user(const struct allow_entry *e, const struct peer *peer)
{
	return peer->has_uid && peer->uid == e->uid;
}

static bool fits_group(const struct allow_entry *e, const struct peer *peer)
{
	if (!peer->has_uid)
		return false;
	for (size_t i = 0; i < peer->groups_n && i < ALLOW_GROUPS; i++)
		if (peer->groups[i] == e->gid)
			return true;
	return false;
}

static bool fits_anyone(const struct allow_entry *e, const struct peer *peer)
{
	(void)e, (void)peer;
	return true;
}

const struct allow_entry *allow_find(const struct allow *a, const struct peer *peer)
{
	static bool (*const fits[])(const struct allow_entry *, const struct peer *) = {
		[ALLOW_ADDRESS] = fits_address, [ALLOW_USER] = fits_user, [ALLOW_GROUP] = fits_group, [ALLOW_ANYONE] = fits_anyone,
	};

	for (size_t i = 0; i < a->count; i++)
		if (fits[a->entries[i].kind](&a->entries[i], peer))
			return &a->entries[i];
	return NULL;
}

enum { WHO = 160, WHERE = 80 };

static const char *who_show(const struct peer *peer, char out[WHO])
{
	char user[80], pid[32] = "";
	size_t n = strnlen(peer->user, sizeof peer->user);

	text_ascii(user, sizeof user, (struct span){ (const uint8_t *)peer->user, n });
	if (peer->pid)
		snprintf(pid, sizeof pid, ", pid %d", peer->pid);
	if (!peer->has_uid)
		*out = 0;
	else if (*user)
		snprintf(out, WHO, "%s (uid %u%s) at ", user, peer->uid, pid);
	else
		snprintf(out, WHO, "uid %u%s at ", peer->uid, pid);
	return out;
}

static const char *where_show(const struct peer *peer, char out[WHERE])
{
	char address[INET6_ADDRSTRLEN];
	bool v4 = is_v4(&peer->addr);

	if (is_network_peer(peer))
		snprintf(out, WHERE, v4 ? "%s:%u" : "[%s]:%u", address_show(&peer->addr, v4, address), peer->port);
	else
		snprintf(out, WHERE, "%s", peer->family == AF_UNIX ? "a Unix socket" : peer->family ? "nowhere known" : "standard input");
	return out;
}

const char *peer_show(const struct peer *peer, char *out, size_t size)
{
	char who[WHO], where[WHERE];

	snprintf(out, size, "%s%s", who_show(peer, who), where_show(peer, where));
	return out;
}

bool peer_is_loopback(const struct peer *peer)
{
	static const struct in6_addr one = IN6ADDR_LOOPBACK_INIT;

	if (!is_network_peer(peer))
		return peer->family == AF_UNIX || peer->family == 0;
	return is_v4(&peer->addr) ? peer->addr.s6_addr[12] == 127 : same(&peer->addr, &one);
}
