/* allow_fuzz.c - an allowlist entry and a peer from any bytes: a peer's address and ids, then the entry.
 *
 * An entry that was read is read again from its text as the same; whether it lets the peer in is asked bit by bit. */
#include "filters/allow.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int id_of(const char *name, unsigned *id)
{
	*id = (unsigned char)name[0];
	return name[0] < 'n' ? 0 : -ENOENT;
}

static const struct allow_names names = { id_of, id_of };

static bool bit(const struct in6_addr *a, unsigned i)
{
	return a->s6_addr[i / 8] >> (7 - i % 8) & 1;
}

static bool is_v4(const struct in6_addr *a)
{
	static const uint8_t head[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	return !memcmp(a, head, sizeof head);
}

static bool slow_address(const struct allow_entry *e, const struct peer *peer)
{
	if ((peer->family != AF_INET && peer->family != AF_INET6) || is_v4(&e->addr) != is_v4(&peer->addr))
		return false;
	for (unsigned i = 0; i < e->prefix; i++)
		if (bit(&e->addr, i) != bit(&peer->addr, i))
			return false;
	return true;
}

static bool slow_fits(const struct allow_entry *e, const struct peer *peer)
{
	bool group = false;

	for (size_t i = 0; i < peer->groups_n; i++)
		group |= peer->groups[i] == e->gid;
	return e->kind == ALLOW_ANYONE || (e->kind == ALLOW_ADDRESS && slow_address(e, peer)) ||
	       (e->kind == ALLOW_USER && peer->has_uid && peer->uid == e->uid) || (e->kind == ALLOW_GROUP && peer->has_uid && group);
}

static void is_well_formed(const struct allow_entry *e)
{
	must(e->prefix <= 128);
	for (unsigned i = e->prefix; i < 128; i++)
		must(!bit(&e->addr, i));
}

static void shows(const struct peer *peer)
{
	char out[192];

	peer_show(peer, out, sizeof out);
	must(strlen(out) < sizeof out - 1 && *out);
	for (const char *c = out; *c; c++)
		must(*c >= 0x20 && *c < 0x7f);
}

static struct span take_peer(struct span in, struct peer *peer)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX, 0 };
	struct cursor c = cursor_of(in);
	struct span addr;

	peer->family = families[cursor_u8(&c) % 4];
	peer->has_uid = cursor_u8(&c) & 1;
	peer->uid = cursor_u8(&c);
	peer->groups_n = cursor_u8(&c) % 3;
	peer->groups[0] = cursor_u8(&c);
	peer->groups[1] = cursor_u8(&c);
	addr = cursor_take(&c, 16);
	if (addr.len)
		memcpy(&peer->addr, addr.p, addr.len);
	if (peer->family == AF_INET)
		memcpy(&peer->addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy(peer->user, &peer->addr, sizeof peer->addr);
	return cursor_rest(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct allow a;
	struct peer peer = { 0 };
	struct span rest = take_peer((struct span){ data, size }, &peer);
	char text[ALLOW_TEXT + 8], why[256] = "";

	shows(&peer);
	snprintf(text, sizeof text, "%.*s", (int)rest.len, (const char *)rest.p);
	a.count = 0;
	if (allow_add(&a, text, 3, &names, why, sizeof why) < 0) {
		must(*why && a.count == 0);
		return 0;
	}
	is_well_formed(a.entries);
	must(a.count == 1 && !strcmp(a.entries[0].text, text));
	must((allow_find(&a, &peer) != NULL) == slow_fits(a.entries, &peer));
	if (a.entries[0].kind == ALLOW_ADDRESS) { /* most peers are elsewhere: one that is inside */
		peer.addr = a.entries[0].addr;
		must((allow_find(&a, &peer) != NULL) == slow_fits(a.entries, &peer));
	}
	must(allow_add(&a, text, 3, &names, why, sizeof why) == 0);
	must(!memcmp(&a.entries[0], &a.entries[1], sizeof a.entries[0]));
	return 0;
}
