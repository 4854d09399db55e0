/* allow_test.c - who may connect: entries read and refused, peers let in and kept out, against brute force too. */
#include "filters/allow.h"
#include "tests/guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct allow list;
static char why[256];

static int uid_of(const char *user, uid_t *uid)
{
	*uid = 1000;
	return strcmp(user, "alice") ? -ENOENT : 0;
}

static int gid_of(const char *group, gid_t *gid)
{
	*gid = 50;
	return strcmp(group, "lab") ? -ENOENT : 0;
}

static const struct allow_names names = { uid_of, gid_of };

/* The text ends where the page ends. */
static int add(const char *entry)
{
	why[0] = 0;
	return allow_add(&list, (const char *)guard_copy(entry, strlen(entry) + 1), -1, &names, why, sizeof why);
}

static void only(const char *entry)
{
	list.count = 0;
	if (add(entry))
		fail_msg("%s: %s", entry, why);
}

static struct peer from(const char *address)
{
	struct peer peer = { .family = strchr(address, ':') ? AF_INET6 : AF_INET, .port = 4711 };
	char mapped[64];

	snprintf(mapped, sizeof mapped, "%s%s", peer.family == AF_INET ? "::ffff:" : "", address);
	assert_int_equal(inet_pton(AF_INET6, mapped, &peer.addr), 1);
	return peer;
}

static struct peer local(uid_t uid, gid_t group)
{
	return (struct peer){ .family = AF_UNIX, .has_uid = true, .uid = uid, .groups = { group }, .groups_n = 1 };
}

static bool lets_in(struct peer peer)
{
	return allow_find(&list, &peer) != NULL;
}

static const struct good {
	const char *text;
	enum allow_kind kind;
	const char *addr;
	unsigned prefix, id;
} goods[] = {
	{ "192.0.2.0/24", ALLOW_ADDRESS, "::ffff:192.0.2.0", 120, 0 },
	{ "192.0.2.1", ALLOW_ADDRESS, "::ffff:192.0.2.1", 128, 0 },
	{ "192.0.2.1/32", ALLOW_ADDRESS, "::ffff:192.0.2.1", 128, 0 },
	{ "0.0.0.0/0", ALLOW_ADDRESS, "::ffff:0.0.0.0", 96, 0 },
	{ "128.0.0.0/1", ALLOW_ADDRESS, "::ffff:128.0.0.0", 97, 0 },
	{ "::/0", ALLOW_ADDRESS, "::", 0, 0 },
	{ "::", ALLOW_ADDRESS, "::", 128, 0 },
	{ "2001:db8::/32", ALLOW_ADDRESS, "2001:db8::", 32, 0 },
	{ "2001:DB8::1/128", ALLOW_ADDRESS, "2001:db8::1", 128, 0 },
	{ "fe80::/10", ALLOW_ADDRESS, "fe80::", 10, 0 },
	{ "::ffff:192.0.2.0/120", ALLOW_ADDRESS, "::ffff:192.0.2.0", 120, 0 },
	{ "::ffff:0:0/96", ALLOW_ADDRESS, "::ffff:0.0.0.0", 96, 0 },
	{ "user=alice", ALLOW_USER, "::", 0, 1000 },
	{ "user=0", ALLOW_USER, "::", 0, 0 },
	{ "user=4294967294", ALLOW_USER, "::", 0, 4294967294 },
	{ "group=lab", ALLOW_GROUP, "::", 0, 50 },
	{ "group=27", ALLOW_GROUP, "::", 0, 27 },
	{ "any", ALLOW_ANYONE, "::", 0, 0 },
};

static void entries_are_read(void **state)
{
	(void)state;
	list.count = 0;
	for (size_t i = 0; i < COUNT(goods); i++)
		if (allow_add(&list, goods[i].text, (int)i - 1, &names, why, sizeof why))
			fail_msg("%s: %s", goods[i].text, why);
	assert_int_equal(list.count, COUNT(goods));
	for (size_t i = 0; i < COUNT(goods); i++) {
		const struct allow_entry *e = &list.entries[i];
		struct in6_addr addr;

		assert_int_equal(inet_pton(AF_INET6, goods[i].addr, &addr), 1);
		assert_string_equal(e->text, goods[i].text);
		assert_int_equal(e->kind, goods[i].kind);
		assert_memory_equal(&e->addr, &addr, sizeof addr);
		assert_int_equal(e->prefix, goods[i].prefix);
		assert_int_equal(e->kind == ALLOW_GROUP ? e->gid : e->uid, goods[i].id);
		assert_int_equal(e->policy, (int)i - 1);
	}
}

/* Refused, or an entry of its own with the text that was given: never the whole one. */
static void cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(goods); i++) {
		for (size_t n = 0; n < strlen(goods[i].text); n++) {
			char text[ALLOW_TEXT] = "";
			int rc;

			memcpy(text, goods[i].text, n);
			list.count = 0;
			rc = add(text);
			assert_true(rc == 0 || rc == -EINVAL || rc == -ENOENT);
			assert_int_equal(!rc, !*why);
			assert_int_equal(list.count, !rc);
			if (!rc)
				assert_string_equal(list.entries[0].text, text);
		}
	}
}

static void entries_are_refused_in_words(void **state)
{
	static const struct {
		const char *text, *why;
		int rc;
	} v[] = {
		{ "", "is not an address; expected 192.0.2.0/24, 2001:db8::/32, user=NAME, group=NAME or any", -EINVAL },
		{ "localhost", "\"localhost\" is not an address", -EINVAL },
		{ "anyone", "\"anyone\" is not an address", -EINVAL },
		{ "any/0", "is not an address", -EINVAL },
		{ "Any", "is not an address", -EINVAL },
		{ "any ", "is not an address", -EINVAL },
		{ " any", "is not an address", -EINVAL },
		{ "*", "is not an address", -EINVAL },
		{ "/24", "is not an address", -EINVAL },
		{ "192.0.2", "is not an address", -EINVAL },
		{ "192.0.2.256", "is not an address", -EINVAL },
		{ "192.0.2.1.1", "is not an address", -EINVAL },
		{ "192.0.2.01/32", "is not an address", -EINVAL },
		{ "0xc0000201", "is not an address", -EINVAL },
		{ "3221225985", "is not an address", -EINVAL },
		{ "192.0.2.1:80", "is not an address", -EINVAL },
		{ "[::1]", "is not an address", -EINVAL },
		{ "fe80::1%eth0", "is not an address", -EINVAL },
		{ "2001:db8::1::", "is not an address", -EINVAL },
		{ "192.0.2.0 /24", "is not an address", -EINVAL },
		{ "\x1b[2J", "\"\\x1b[2J\" is not an address", -EINVAL },
		{ "192.0.2.0/", "prefix length of 0 to 32", -EINVAL },
		{ "192.0.2.0/33", "prefix length of 0 to 32", -EINVAL },
		{ "192.0.2.0/128", "prefix length of 0 to 32", -EINVAL },
		{ "192.0.2.0/-1", "prefix length", -EINVAL },
		{ "192.0.2.0/+24", "prefix length", -EINVAL },
		{ "192.0.2.0/024", "prefix length", -EINVAL },
		{ "192.0.2.0/ 24", "prefix length", -EINVAL },
		{ "192.0.2.0/24 ", "prefix length", -EINVAL },
		{ "192.0.2.0/24/24", "prefix length", -EINVAL },
		{ "192.0.2.0/255.255.255.0", "prefix length", -EINVAL },
		{ "192.0.2.0/4294967320", "prefix length", -EINVAL },
		{ "192.0.2.0/18446744073709551640", "prefix length", -EINVAL },
		{ "::/129", "prefix length of 0 to 128", -EINVAL },
		{ "192.0.2.1/24", "has bits set beyond its prefix; expected 192.0.2.0/24 for the network, or 192.0.2.1/32 for the one address", -EINVAL },
		{ "192.0.2.1/0", "expected 0.0.0.0/0 for", -EINVAL },
		{ "192.0.2.1/31", "expected 192.0.2.0/31 for", -EINVAL },
		{ "2001:db8::1/32", "expected 2001:db8::/32 for the network, or 2001:db8::1/128", -EINVAL },
		{ "2001:db8::8000:0:0:0/64", "expected 2001:db8::/64 for", -EINVAL },
		{ "::ffff:0:0/90", "bits set beyond", -EINVAL },
		{ "::1/0", "expected ::/0 for", -EINVAL },
		{ "user=", "no name after user=", -EINVAL },
		{ "group=", "no name after group=", -EINVAL },
		{ "user=bob", "there is no user \"bob\"", -ENOENT },
		{ "user=lab", "there is no user", -ENOENT },
		{ "group=alice", "there is no group \"alice\"", -ENOENT },
		{ "user=alice ", "there is no user", -ENOENT },
		{ "user=-1", "there is no user", -ENOENT },
		{ "user=0x0", "there is no user", -ENOENT },
		{ "user=4294967295", "is not the number of a user", -EINVAL },
		{ "user=4294967296", "is not the number of a user", -EINVAL },
		{ "user=18446744073709551616", "is not the number of a user", -EINVAL },
		{ "user=00", "is not the number of a user", -EINVAL },
		{ "group=99999999999", "is not the number of a group", -EINVAL },
		{ "USER=alice", "is not an address", -EINVAL },
		{ "cert=CN", "is not an address", -EINVAL },
	};

	(void)state;
	list.count = 0;
	for (size_t i = 0; i < COUNT(v); i++) {
		if (add(v[i].text) != v[i].rc || !strstr(why, v[i].why))
			fail_msg("%s: \"%s\", not \"%s\"", v[i].text, why, v[i].why);
		for (const char *c = why; *c; c++)
			assert_in_range(*c, 0x20, 0x7e);
		assert_int_equal(list.count, 0);
	}
	assert_int_equal(allow_add(&list, "user=alice", 0, NULL, why, sizeof why), -ENOENT);
	assert_int_equal(allow_add(&list, "group=lab", 0, &(struct allow_names){ 0 }, why, sizeof why), -ENOENT);
	assert_int_equal(allow_add(&list, "nobody", 0, NULL, NULL, 0), -EINVAL);
	assert_int_equal(list.count, 0);
}

static void everything_has_a_bound(void **state)
{
	char text[ALLOW_TEXT + 1], small[] = "1234567";

	(void)state;
	list.count = 0;
	memset(text, 'a', sizeof text);
	text[ALLOW_TEXT] = 0;
	assert_int_equal(add(text), -EINVAL);
	assert_non_null(strstr(why, "longer than 127"));
	text[ALLOW_TEXT - 1] = 0;
	assert_int_equal(add(text), -EINVAL);
	assert_non_null(strstr(why, "is not an address"));
	assert_int_equal(allow_add(&list, "x", 0, NULL, small, 3), -EINVAL);
	assert_string_equal(small, "\"x");
	assert_string_equal(small + 3, "4567");
	for (size_t i = 0; i < ALLOW_ENTRIES; i++)
		assert_int_equal(add("any"), 0);
	assert_int_equal(add("any"), -ENOSPC);
	assert_non_null(strstr(why, "more than 64"));
	assert_int_equal(list.count, ALLOW_ENTRIES);
}

static void addresses(void **state)
{
	static const struct {
		const char *entry, *peer;
		bool in;
	} v[] = {
		{ "192.0.2.0/24", "192.0.2.0", true },
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.1.255", false },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.7", true }, /* a socket of IPv6 that took an IPv4 peer */
		{ "192.0.2.0/24", "::192.0.2.7", false },
		{ "192.0.2.0/24", "2001:db8::c000:207", false },
		{ "192.0.2.0/23", "192.0.3.255", true },
		{ "192.0.2.0/23", "192.0.4.0", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0", false },
		{ "192.0.2.1", "192.0.2.3", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::1", false },
		{ "0.0.0.0/0", "::", false },
		{ "128.0.0.0/1", "128.0.0.0", true },
		{ "128.0.0.0/1", "127.255.255.255", false },
		{ "::/0", "::1", true },
		{ "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "::/0", "192.0.2.1", false },
		{ "::/0", "::ffff:192.0.2.1", false },
		{ "::/64", "192.0.2.1", false },
		{ "::ffff:0:0/96", "192.0.2.1", true },
		{ "::ffff:0:0/96", "::1", false },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.3.9", false },
		{ "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "2001:db8::/32", "2001:db9::", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "fe80::/10", "febf::1", true },
		{ "fe80::/10", "fec0::1", false },
		{ "::1", "::1", true },
		{ "::1", "127.0.0.1", false },
		{ "127.0.0.1", "::1", false },
		{ "::", "::", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		struct peer peer = from(v[i].peer);

		only(v[i].entry);
		if (lets_in(peer) != v[i].in)
			fail_msg("%s of %s", v[i].peer, v[i].entry);
		peer.family = AF_UNIX; /* only what came through the network has an address */
		assert_false(lets_in(peer));
		peer.family = 0;
		assert_false(lets_in(peer));
	}
}

/* Bit by bit, for every length of prefix. */
static void prefixes_bit_by_bit(void **state)
{
	struct peer peer = from("a5a5:5a5a:a5a5:5a5a:a5a5:5a5a:a5a5:5a5a");

	(void)state;
	for (unsigned prefix = 0; prefix <= 128; prefix++) {
		struct in6_addr net = peer.addr;
		char text[ALLOW_TEXT], address[INET6_ADDRSTRLEN];

		for (unsigned bit = prefix; bit < 128; bit++)
			net.s6_addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
		snprintf(text, sizeof text, "%s/%u", inet_ntop(AF_INET6, &net, address, sizeof address), prefix);
		only(text);
		for (unsigned bit = 0; bit < 128; bit++) {
			struct peer other = peer;

			other.addr.s6_addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			assert_int_equal(lets_in(other), bit >= prefix);
		}
		assert_true(lets_in(peer));
	}
}

static void users_and_groups(void **state)
{
	struct peer peer = local(1000, 50);

	(void)state;
	only("user=alice");
	assert_true(lets_in(peer));
	assert_false(lets_in(local(1001, 50)));
	assert_false(lets_in(local(0, 50)));
	peer.has_uid = false;
	assert_false(lets_in(peer));
	only("user=0");
	assert_false(lets_in((struct peer){ .family = AF_UNIX })); /* not known is not root */
	assert_false(lets_in(from("127.0.0.1")));
	assert_true(lets_in(local(0, 0)));
	only("group=lab");
	assert_true(lets_in(local(1001, 50)));
	assert_false(lets_in(local(50, 51)));
	assert_false(lets_in(peer));
	only("group=0");
	assert_false(lets_in((struct peer){ .family = AF_UNIX, .has_uid = true, .uid = 5 }));
	peer = from("127.0.0.1"); /* loopback TCP has a user where the kernel told it */
	peer.has_uid = true;
	peer.uid = 1000;
	only("user=alice");
	assert_true(lets_in(peer));
	peer.has_uid = false;
	assert_false(lets_in(peer));
	only("any");
	assert_true(lets_in(peer));
	assert_true(lets_in(from("2001:db8::1")));
	assert_true(lets_in((struct peer){ 0 }));
}

static void every_group_counts(void **state)
{
	struct peer peer = local(1, 0);

	(void)state;
	only("group=lab");
	for (size_t at = 0; at < ALLOW_GROUPS; at++) {
		for (size_t i = 0; i < ALLOW_GROUPS; i++)
			peer.groups[i] = i == at ? 50 : 7;
		peer.groups_n = at + 1;
		assert_true(lets_in(peer));
		peer.groups_n = at;
		assert_false(lets_in(peer));
	}
	peer.groups[ALLOW_GROUPS - 1] = 7;
	peer.groups_n = ALLOW_GROUPS + 100; /* more than there is room for are not looked at */
	assert_false(lets_in(peer));
}

static void the_first_that_fits(void **state)
{
	struct peer peer = from("192.0.2.1");

	(void)state;
	list.count = 0;
	assert_null(allow_find(&list, &peer));
	assert_int_equal(add("192.0.3.0/24"), 0);
	assert_int_equal(add("192.0.2.0/24"), 0);
	assert_int_equal(add("192.0.2.1"), 0);
	assert_int_equal(add("any"), 0);
	assert_ptr_equal(allow_find(&list, &peer), &list.entries[1]);
	peer = from("192.0.4.1");
	assert_ptr_equal(allow_find(&list, &peer), &list.entries[3]);
	list.count = 3;
	assert_null(allow_find(&list, &peer));
}

static void by_default_oneself_and_root(void **state)
{
	(void)state;
	only("any");
	allow_default(&list, 1000);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.entries[0].text, "user=1000");
	assert_string_equal(list.entries[1].text, "user=0");
	assert_int_equal(list.entries[0].policy, -1);
	assert_int_equal(list.entries[1].policy, -1);
	assert_true(lets_in(local(1000, 9)));
	assert_true(lets_in(local(0, 9)));
	assert_false(lets_in(local(1001, 0)));
	assert_false(lets_in(from("127.0.0.1")));
	assert_false(lets_in((struct peer){ 0 }));
	allow_default(&list, 0);
	assert_int_equal(list.count, 1);
	assert_true(lets_in(local(0, 9)));
	assert_false(lets_in(local(1000, 9)));
}

static void peers_are_shown(void **state)
{
	char out[192], small[8];
	struct peer peer = from("127.0.0.1");

	(void)state;
	assert_string_equal(peer_show(&peer, out, sizeof out), "127.0.0.1:4711");
	peer.has_uid = true;
	peer.uid = 1000;
	assert_string_equal(peer_show(&peer, out, sizeof out), "uid 1000 at 127.0.0.1:4711");
	strcpy(peer.user, "alice");
	assert_string_equal(peer_show(&peer, out, sizeof out), "alice (uid 1000) at 127.0.0.1:4711");
	peer.pid = 42;
	peer.family = AF_UNIX;
	assert_string_equal(peer_show(&peer, out, sizeof out), "alice (uid 1000, pid 42) at a Unix socket");
	peer.family = 0;
	peer.user[0] = 0;
	assert_string_equal(peer_show(&peer, out, sizeof out), "uid 1000, pid 42 at standard input");
	peer = from("2001:db8::1");
	assert_string_equal(peer_show(&peer, out, sizeof out), "[2001:db8::1]:4711");
	peer = from("::ffff:192.0.2.1");
	peer.port = 65535;
	assert_string_equal(peer_show(&peer, out, sizeof out), "192.0.2.1:65535");
	assert_string_equal(peer_show(&peer, small, sizeof small), "192.0.2");
	peer.family = AF_UNSPEC + 99;
	assert_string_equal(peer_show(&peer, out, sizeof out), "nowhere known");
}

/* A name of any bytes, not even ended, fits and is printable. */
static void peers_of_any_name_are_shown(void **state)
{
	struct peer peer = from("1111:2222:3333:4444:5555:6666:7777:8888");
	char out[192];

	(void)state;
	peer.has_uid = true;
	peer.uid = UINT32_MAX;
	peer.pid = INT32_MIN;
	peer.port = 65535;
	for (unsigned c = 1; c < 256; c++) {
		memset(peer.user, (int)c, sizeof peer.user);
		peer_show(&peer, out, sizeof out);
		assert_non_null(strstr(out, " (uid 4294967295, pid -2147483648) at [1111:2222:3333:4444:5555:6666:7777:8888]:65535"));
		for (const char *o = out; *o; o++)
			assert_in_range(*o, 0x20, 0x7e);
	}
}

static void loopback(void **state)
{
	static const struct {
		const char *peer;
		bool is;
	} v[] = {
		{ "127.0.0.1", true },      { "127.255.255.255", true }, { "126.255.255.255", false }, { "128.0.0.0", false },
		{ "0.0.0.0", false },       { "192.0.2.127", false },    { "::1", true },              { "::2", false },
		{ "::", false },            { "::ffff:127.0.0.1", true }, { "::127.0.0.1", false },    { "7f00::1", false },
		{ "fe80::1", false },       { "1::1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++) {
		struct peer peer = from(v[i].peer);

		if (peer_is_loopback(&peer) != v[i].is)
			fail_msg("%s", v[i].peer);
	}
	assert_true(peer_is_loopback(&(struct peer){ .family = AF_UNIX }));
	assert_true(peer_is_loopback(&(struct peer){ .family = 0 }));
	assert_false(peer_is_loopback(&(struct peer){ .family = 99 }));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_read),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(entries_are_refused_in_words),
		cmocka_unit_test(everything_has_a_bound),
		cmocka_unit_test(addresses),
		cmocka_unit_test(prefixes_bit_by_bit),
		cmocka_unit_test(users_and_groups),
		cmocka_unit_test(every_group_counts),
		cmocka_unit_test(the_first_that_fits),
		cmocka_unit_test(by_default_oneself_and_root),
		cmocka_unit_test(peers_are_shown),
		cmocka_unit_test(peers_of_any_name_are_shown),
		cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests_name("allow", tests, NULL, NULL);
}
