/* usb_pick.c - the interface that is meant, out of a device's descriptors. See usb.h. No I/O. */
#include "backends/link/usb.h"

#include <errno.h>
#include <string.h>

enum { DEVICE = 1, CONFIGURATION = 2, INTERFACE = 4, ENDPOINT = 5 };
enum { DEVICE_LEN = 18, CONFIGURATION_LEN = 9, INTERFACE_LEN = 9, ENDPOINT_LEN = 7 };
enum { CLASS_CDC = 0x02, CLASS_DATA = 0x0a, CLASS_DEBUG = 0xdc, SUBCLASS_ACM = 0x02, SUBCLASS_DBC = 0x02, VENDOR_FTDI = 0x0403 };

struct ids {
	uint16_t vid, pid;
};

/* One interface, as it is read. */
struct interface {
	uint8_t number, alternate, class, subclass, protocol;
	struct usb_choice choice;
	bool any;
};

struct reader {
	const struct usb_place *place;
	struct ids ids;
	struct interface now;
	bool right;         /* within the configuration that is active */
	int control;        /* the last ACM control interface; -1 */
	struct usb_choice *out;
	bool found;
};

static bool is_ftdi(const struct ids *ids)
{
	static const uint16_t pids[] = { 0x6001, 0x6010, 0x6011, 0x6014, 0x6015 };

	for (size_t i = 0; i < sizeof pids / sizeof *pids; i++)
		if (ids->vid == VENDOR_FTDI && ids->pid == pids[i])
			return true;
	return false;
}

static bool is_debug(const struct interface *i)
{
	return i->class == CLASS_DEBUG && i->subclass == SUBCLASS_DBC;
}

static enum usb_kind kind_of(const struct reader *r)
{
	if (is_ftdi(&r->ids))
		return USB_FTDI;
	return r->now.class == CLASS_DATA && r->control >= 0 ? USB_ACM : USB_PLAIN;
}

static bool is_meant(const struct reader *r)
{
	const struct interface *i = &r->now;
	const struct usb_place *p = r->place;

	if (!i->any || !i->choice.in || !i->choice.out || !r->right)
		return false;
	if (p->interface >= 0 && i->number != p->interface)
		return false;
	return !p->debug || (is_debug(i) && i->protocol == p->protocol);
}

static void interface_ends(struct reader *r)
{
	if (!r->found && is_meant(r)) {
		*r->out = r->now.choice;
		r->out->kind = kind_of(r);
		r->out->control = r->out->kind == USB_ACM ? (uint8_t)r->control : r->now.number;
		r->out->interface = r->now.number;
		r->out->alternate = r->now.alternate;
		r->out->is_debug = is_debug(&r->now);
		r->out->protocol = r->now.protocol;
		r->found = true;
	}
	r->now.any = false;
}

static void on_configuration(struct reader *r, const uint8_t *d, unsigned configuration)
{
	interface_ends(r);
	r->right = d[5] == configuration;
	r->control = -1;
}

static void on_interface(struct reader *r, const uint8_t *d)
{
	interface_ends(r);
	r->now = (struct interface){ .number = d[2], .alternate = d[3], .class = d[5], .subclass = d[6], .protocol = d[7], .any = true };
	if (r->now.class == CLASS_CDC && r->now.subclass == SUBCLASS_ACM)
		r->control = r->now.number;
}

static void on_endpoint(struct reader *r, const uint8_t *d)
{
	enum { BULK = 2, TYPE = 3, IN = 0x80, PACKET = 0x7ff };
	uint16_t packet = (uint16_t)((d[4] | d[5] << 8) & PACKET);
	bool in = d[2] & IN;

	if (!r->now.any || (d[3] & TYPE) != BULK || packet == 0)
		return;
	if (in && !r->now.choice.in) {
		r->now.choice.in = d[2];
		r->now.choice.in_packet = packet;
	} else if (!in && !r->now.choice.out) {
		r->now.choice.out = d[2];
		r->now.choice.out_packet = packet;
	}
}

static void on_descriptor(struct reader *r, const uint8_t *d, size_t len, unsigned configuration)
{
	if (d[1] == CONFIGURATION && len >= CONFIGURATION_LEN)
		on_configuration(r, d, configuration);
	else if (d[1] == INTERFACE && len >= INTERFACE_LEN)
		on_interface(r, d);
	else if (d[1] == ENDPOINT && len >= ENDPOINT_LEN)
		on_endpoint(r, d);
}

/* What comes before a descriptor that is cut counts. */
static void read_all(struct reader *r, struct span s, unsigned configuration)
{
	while (s.len >= 2 && s.p[0] >= 2 && s.p[0] <= s.len) {
		on_descriptor(r, s.p, s.p[0], configuration);
		s = span_from(s, s.p[0]);
	}
	interface_ends(r);
}

int usb_pick(struct span d, unsigned configuration, const struct usb_place *p, struct usb_choice *out)
{
	struct reader r = { .place = p, .control = -1, .out = out };

	if (d.len < DEVICE_LEN || d.p[0] != DEVICE_LEN || d.p[1] != DEVICE)
		return -EBADMSG;
	r.ids = (struct ids){ (uint16_t)(d.p[8] | d.p[9] << 8), (uint16_t)(d.p[10] | d.p[11] << 8) };
	if (!p->debug && (r.ids.vid != p->vid || r.ids.pid != p->pid))
		return -ENOENT;
	read_all(&r, span_from(d, DEVICE_LEN), configuration);
	return r.found ? 0 : p->debug ? -ENOENT : -ENODEV;
}
