/* usb.h - USB devices a target may be behind: which one is meant, and how it is spoken to. link_usb.c speaks.
 *
 * Found in sysfs, not by libusb: that needs no thread, no udevd, and no right to open what is not meant. Source: USB 2.0, 9.6; USB
 * Debug Class 1.0 (class 0xDC, subclass 0x02: protocol 0x01 GNU remote debug, 0x00 vendor: KD); CDC PSTN 1.2, 6.3; FTDI AN232B-05.
 * That a Windows target says 0x00, and speaks KD there as on a line, is not confirmed: nobody has recorded one (KD 10). */
#ifndef BACKENDS_LINK_USB_H
#define BACKENDS_LINK_USB_H

#include "backends/link/link.h"

enum { USB_TEXT = 64, USB_DESCRIPTORS = 4096, USB_DEBUG_GNU = 1, USB_DEBUG_VENDOR = 0 };

struct usb_place {
	bool debug;              /* the first debug interface of .protocol; else .vid, .pid */
	uint8_t protocol;
	uint16_t vid, pid;
	char serial[USB_TEXT];   /* "": any */
	int interface;           /* -1: the first that fits */
	struct serial_mode mode; /* of an adapter's line */
};

/* ACM and FTDI: an adapter, whose line has a mode and a BREAK. */
enum usb_kind { USB_PLAIN, USB_ACM, USB_FTDI };

struct usb_choice {
	enum usb_kind kind;
	uint8_t interface, alternate;
	uint8_t control;         /* of USB_ACM: the interface its requests are for */
	uint8_t in, out;         /* addresses of the bulk endpoints */
	uint16_t in_packet, out_packet;
	bool is_debug;           /* the interface is of the debug class; .protocol */
	uint8_t protocol;
};

/* Out of a device's descriptors as sysfs has them: the device's own, then those of its configurations. Any bytes. 0; -ENOENT it is not
 * that device; -ENODEV it is, and has no such interface with a bulk endpoint each way; -EBADMSG they make no sense. */
int usb_pick(struct span descriptors, unsigned configuration, const struct usb_place *p, struct usb_choice *out) MUST_USE;

struct usb_found {
	unsigned bus, number;
	uint16_t vid, pid;
	char serial[USB_TEXT], product[USB_TEXT]; /* printable ASCII */
	char driver[USB_TEXT];                    /* the kernel's, that has the interface; "" none */
	struct usb_choice choice;
};

/* sysfs: "/sys". Devices in the order of their names. find: 0; -ENODEV none; -EADDRNOTAVAIL there is that device, without such an
 * interface. list: what has a debug interface or is an adapter, at most most; how many. */
int usb_find(const char *sysfs, const struct usb_place *p, struct usb_found *out) MUST_USE;
size_t usb_list(const char *sysfs, struct usb_found *out, size_t most);

/* A byte stream. Held alone: the interface is claimed, from the kernel's driver too, which gets it back. -ENODEV: not there;
 * -EADDRNOTAVAIL; -EACCES; -EBUSY another program has it; -EOPNOTSUPP an adapter has not got that speed. Unplugged it is -ENODEV, and
 * whoever dials again finds it under the same numbers when it is back. attention is a BREAK where an adapter has one; else
 * -EOPNOTSUPP. */
int link_usb_dial(struct link **lk, const struct usb_place *place) MUST_USE;

#endif
