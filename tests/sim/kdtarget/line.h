/* line.h - what the ways of a KD conversation share: a serial line (kd_line.c) and KDNET (kd_net.c). */
#ifndef SIM_KDTARGET_LINE_H
#define SIM_KDTARGET_LINE_H

#include "tests/sim/kdtarget/target.h"

enum { LINE_HEAD = 16, LINE_DATA = '0', LINE_CONTROL = 'i', LINE_BREAKIN = 'b' };

struct line_way {
	void (*restart)(struct target *k); /* a boot */
	void (*give_up)(struct target *k); /* nobody acknowledges */
	void (*write)(struct target *k, uint8_t *packet, size_t n); /* a data packet has room for a byte more */
	enum line (*receive)(struct target *k, unsigned type);
	bool (*broken)(struct target *k); /* a break-in came while it ran; takes in what else came */
};

extern const struct line_way line_serial, line_kdnet;

void line_control(struct target *k, unsigned type, uint32_t id);
bool line_sound(const struct packet *p, uint32_t sum); /* as long as its type has to be, and unharmed */
bool line_refuses(struct target *k);                   /* a good packet, for nothing */

#endif
