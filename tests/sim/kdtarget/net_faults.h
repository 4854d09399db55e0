/* net_faults.h - a bad network, one way: loses, doubles and swaps datagrams, by a seed, and never so many that nothing gets through. */
#ifndef SIM_KDTARGET_NET_FAULTS_H
#define SIM_KDTARGET_NET_FAULTS_H

#include "tests/sim/kdtarget/net_seal.h"

#include <netinet/in.h>

enum { FAULTS_LOST_ON_END = 3, FAULTS_LATE_MS = 20 };

struct datagram {
	struct sockaddr_in who; /* it comes from, or goes to */
	size_t n;
	uint8_t bytes[SEAL_DATAGRAM];
};

struct faults {
	unsigned loss, dup, reorder; /* percent */
	uint64_t seed;
	unsigned lost_on_end;
	unsigned long lost, doubled, late;
	struct datagram held; /* n: 0: none */
	uint64_t held_until;
};

/* A way on, and who takes it. */
struct passage {
	void (*pass)(void *to, const struct datagram *d);
	void *to;
};

void faults_pass(struct faults *f, const struct datagram *d, uint64_t now, const struct passage *on);
void faults_tick(struct faults *f, uint64_t now, const struct passage *on); /* what was held up goes on after FAULTS_LATE_MS */

#endif
