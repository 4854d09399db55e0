/* net_seal.h - KDNET's datagrams closed and opened, as a target does it (KDNET 2 and 3). Written apart from the bridge; libcrypto below. */
#ifndef SIM_KDTARGET_NET_SEAL_H
#define SIM_KDTARGET_NET_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_HEAD = 6, SEAL_META = 8, SEAL_BLOCK = 16, SEAL_KEY = 32, SEAL_LEAST = SEAL_HEAD + 2 * SEAL_BLOCK, SEAL_RESPONSE = 322 };
enum { SEAL_DATAGRAM = 8192, SEAL_BODY = SEAL_DATAGRAM - SEAL_LEAST };
enum seal_channel { SEAL_DATA, SEAL_CONTROL };
enum { SEAL_SHAPE = -1, SEAL_TAG = -2 }; /* what seal_open refuses */

struct seal_keys {
	uint8_t control[SEAL_KEY], mac[SEAL_KEY], data[SEAL_KEY];
};

/* What stands in front of a body. */
struct seal_meta {
	uint8_t version, channel;
	bool from_host;
	uint64_t sequence;
};

int seal_key(struct seal_keys *k, const char *text);           /* four groups of base 36; 0, or -1: that is no key */
void seal_agree(struct seal_keys *k, const uint8_t *response); /* SEAL_RESPONSE bytes: the data key */
size_t seal_close(const struct seal_keys *k, const struct seal_meta *m, const void *body, size_t n, uint8_t *to); /* its length */
int seal_open(const struct seal_keys *k, const uint8_t *d, size_t n, struct seal_meta *m, uint8_t *body); /* length of the body; SEAL_... */

#endif
