/* kdnet_key.c - see kdnet_key.h. */
#include "backends/link/kdnet_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { BASE = 36, GROUP = KDNET_KEY / KDNET_KEY_GROUPS };

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static int value_of(int c)
{
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	at = c > 0 ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

static int refuse(const char **why, const char *words)
{
	*why = words;
	return -EINVAL;
}

static int parse_group(struct cursor *c, uint64_t *group, const char **why)
{
	unsigned n;
	int v;

	*group = 0;
	for (n = 0; (v = value_of(cursor_peek(c))) >= 0; n++) {
		if (n == KDNET_KEY_DIGITS || *group > (UINT64_MAX - (unsigned)v) / BASE)
			return refuse(why, "a group of the key is too large; expected at most 3w5e11264sgsf, which is 64 bits");
		*group = *group * BASE + (unsigned)v;
		(void)cursor_u8(c);
	}
	return n ? 0 : refuse(why, "no key; expected four groups of 0-9 and a-z with dots between, as kdgate keygen and kdnet.exe print");
}

static void put_group(uint8_t *to, uint64_t group)
{
	for (size_t i = 0; i < GROUP; i++)
		to[i] = (uint8_t)(group >> (8 * i));
}

static uint64_t group_of(const struct kdnet_key *k, size_t i)
{
	struct cursor c = cursor_of((struct span){ k->bytes + i * GROUP, GROUP });

	return cursor_le(&c, GROUP);
}

int kdnet_key_parse(struct kdnet_key *k, struct span text, const char **why)
{
	struct cursor c = cursor_of(text);
	struct kdnet_key fresh = { 0 };
	uint64_t group;
	int rc = 0;

	for (size_t i = 0; !rc && i < KDNET_KEY_GROUPS; i++) {
		rc = parse_group(&c, &group, why);
		put_group(fresh.bytes + i * GROUP, group);
		if (!rc && i + 1 < KDNET_KEY_GROUPS && !cursor_skip(&c, '.'))
			rc = refuse(why, "the key has fewer than four groups, or a character that is no digit; expected 0-9 and a-z, and dots between");
	}
	if (!rc && !cursor_done(&c))
		rc = refuse(why, "something stands behind the key's four groups; expected nothing");
	if (!rc)
		*k = fresh;
	kdnet_wipe(&fresh, sizeof fresh);
	kdnet_wipe(&group, sizeof group);
	return rc;
}

static unsigned digits_of(uint64_t group)
{
	unsigned n = 1;

	while ((group /= BASE))
		n++;
	return n;
}

const char *kdnet_key_text(const struct kdnet_key *k, char out[KDNET_KEY_TEXT])
{
	char *at = out;

	for (size_t i = 0; i < KDNET_KEY_GROUPS; i++) {
		uint64_t group = group_of(k, i);
		unsigned n = digits_of(group);

		for (unsigned d = n; d-- > 0; group /= BASE)
			at[d] = digits[group % BASE];
		at += n;
		*at++ = i + 1 < KDNET_KEY_GROUPS ? '.' : 0;
	}
	return out;
}

/* A page of its own. A limit on locked memory is no reason to do without. */
struct kdnet_key *kdnet_key_keep(const struct kdnet_key *k)
{
	struct kdnet_key *kept = mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (kept == MAP_FAILED)
		return NULL;
	if (mlock(kept, sizeof *kept) < 0 || madvise(kept, sizeof *kept, MADV_DONTDUMP) < 0)
		errno = 0;
	*kept = *k;
	return kept;
}

void kdnet_key_drop(struct kdnet_key *k)
{
	if (!k)
		return;
	kdnet_wipe(k, sizeof *k);
	munmap(k, sizeof *k);
}

int kdnet_key_new(struct kdnet_key *k)
{
	return kdnet_random(k->bytes, sizeof k->bytes);
}

static bool came_before(const struct kdnet_key *k, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (group_of(k, j) == group_of(k, i))
			return true;
	return false;
}

unsigned kdnet_key_bits(const struct kdnet_key *k)
{
	enum { MILLIBITS = 5170 }; /* log2(36), a thousand times */
	unsigned n = 0;

	for (size_t i = 0; i < KDNET_KEY_GROUPS; i++) {
		unsigned here = digits_of(group_of(k, i)) * MILLIBITS / 1000;

		if (!came_before(k, i))
			n += here < 8 * GROUP ? here : 8 * GROUP;
	}
	return n;
}

/* A try is one AES and one HMAC of a short text: a million a second, about. */
const char *kdnet_key_weakness(const struct kdnet_key *k, char *out, size_t size)
{
	enum { TRIES_BITS = 20 };
	static const struct { uint64_t seconds; const char *name; } units[] = {
		{ 365ULL * 86400, "years" }, { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" }, { 1, "seconds" },
	};
	unsigned bits = kdnet_key_bits(k), over = bits > TRIES_BITS ? bits - TRIES_BITS : 0, u = 0;
	uint64_t seconds = 1ULL << (over < 63 ? over : 63);

	if (bits >= KDNET_KEY_STRONG)
		return NULL;
	while (seconds < 2 * units[u].seconds && units[u].seconds > 1)
		u++;
	snprintf(out, size, "about %u bits: one processor finds it in at most %llu %s, from one recorded datagram", bits,
	         (unsigned long long)(seconds / units[u].seconds), units[u].name);
	return out;
}
