/* usb_fuzz.c - any descriptors: what is picked is there, and lies within what was asked for. */
#include "backends/link/usb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct usb_place *p, const struct usb_choice *c)
{
	if (!(c->in & 0x80) || c->out & 0x80 || !c->out || !c->in_packet || !c->out_packet)
		abort();
	if (p->interface >= 0 && c->interface != p->interface)
		abort();
	if (p->debug && (!c->is_debug || c->protocol != p->protocol))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct usb_place p = { .interface = -1 };
	struct usb_choice c;

	if (size < 4)
		return 0;
	p.debug = data[0] & 1;
	p.protocol = data[0] >> 1 & 1;
	p.interface = data[1] < 0x80 ? data[1] & 3 : -1;
	if (size >= 4 + 12) {
		p.vid = (uint16_t)(data[4 + 8] | data[4 + 9] << 8);
		p.pid = (uint16_t)(data[4 + 10] | data[4 + 11] << 8);
	}
	if (usb_pick((struct span){ data + 4, size - 4 }, data[2] & 3, &p, &c) == 0)
		check(&p, &c);
	return 0;
}
