/* kdnet_key.h - the key of a KDNET target, as bcdedit has it: four numbers to the base 36 with dots between (KDNET 2). */
#ifndef BACKENDS_LINK_KDNET_KEY_H
#define BACKENDS_LINK_KDNET_KEY_H

#include "backends/link/kdnet_crypto.h"

enum { KDNET_KEY_GROUPS = 4, KDNET_KEY_DIGITS = 13, KDNET_KEY_TEXT = KDNET_KEY_GROUPS * (KDNET_KEY_DIGITS + 1),
       KDNET_KEY_STRONG = 100 /* bits */ };

/* The groups as 64-bit numbers, little-endian. Whoever holds one wipes it. */
struct kdnet_key {
	uint8_t bytes[KDNET_KEY];
};

/* Capitals are small letters. 0; -EINVAL, nothing changed, and *why in words that never hold the key. */
int kdnet_key_parse(struct kdnet_key *k, struct span text, const char **why) MUST_USE;

const char *kdnet_key_text(const struct kdnet_key *k, char out[KDNET_KEY_TEXT]); /* returns out; wipe that, too */
struct kdnet_key *kdnet_key_keep(const struct kdnet_key *k) MUST_USE; /* a copy, left out of swap and core dumps; NULL: no memory */
void kdnet_key_drop(struct kdnet_key *k);                              /* wiped; NULL is fine */
int kdnet_key_new(struct kdnet_key *k) MUST_USE;                                 /* a strong one; 0, -EIO */

/* So many bits have to be tried by one who knows how long the groups are: each different group has log2(36) for each of its digits. A
 * recorded datagram tells whether a try was right, so a weak key is no key. */
unsigned kdnet_key_bits(const struct kdnet_key *k);

/* "about 20 bits: found in 2 seconds by one processor from one recorded datagram"; NULL: it is strong. Returns out. */
const char *kdnet_key_weakness(const struct kdnet_key *k, char *out, size_t size);

#endif
