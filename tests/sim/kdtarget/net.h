/* net.h - KDNET's half of a target: it dials in by poking, takes an answer for a session, and has a channel of sealed bodies (KDNET 3, 4).
 *
 * It is as trusting as the kernel's own: any answer to one of its last pokes is a new data key, and it forgets which sequences it heard. */
#ifndef SIM_KDTARGET_NET_H
#define SIM_KDTARGET_NET_H

#include "tests/sim/kdtarget/net_faults.h"

enum { NET_VERSION = 5, NET_POKE_MS = 3000, NET_RETRY_MS = 500, NET_NONCE = 32, NET_RECENT = 4, NET_BODY = 4016, NET_QUEUE = 64 };
enum net_drop { NET_BAD_SHAPE, NET_BAD_TAG, NET_BAD_VERSION, NET_NOT_OF_HOST, NET_OLD, NET_NO_ANSWER, NET_TOO_MANY, NET_DROPS };

struct net_body {
	size_t n;
	uint8_t bytes[NET_BODY];
};

struct net {
	bool on;
	struct sockaddr_in host, own, peer; /* as configured; as it believes to be; of the data channel */
	uint8_t version;
	unsigned poke_ms;
	uint64_t seed; /* of the bad network and of what is random; 0: nothing is repeated */
	struct faults in, out;
	struct seal_keys keys;

	int fd;
	bool joined, renewed; /* renewed: it stays until somebody clears it */
	uint8_t nonce[NET_NONCE], recent[NET_RECENT][NET_NONCE];
	uint64_t poke_sequence, sent_sequence, heard_sequence, next_poke;
	unsigned long pokes, sessions, asked, heard, drops[NET_DROPS];
	struct net_body queue[NET_QUEUE];
	size_t head, waiting;
};

int net_open(struct net *n);                  /* 0; -1 and errno */
void net_close(struct net *n);
void net_boot(struct net *n, uint64_t now);   /* nothing is left of what was before */
int net_rebind(struct net *n);                /* as if a NAT had forgotten it: another source port. 0; -1 and errno */
int net_due_in(const struct net *n, uint64_t now);         /* ms until net_tick has something to do */
void net_tick(struct net *n, uint64_t now);
void net_fill(struct net *n, uint64_t now);                /* takes in what came */
const struct net_body *net_take(struct net *n);            /* the next body of the data channel, good until the next net_fill; NULL: none */
void net_send(struct net *n, const void *body, size_t len, uint64_t now); /* lost when there is no session */
void net_tell(const struct net *n, char *text, size_t room);              /* its counts, in words */

#endif
