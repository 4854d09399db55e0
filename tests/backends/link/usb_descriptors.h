/* usb_descriptors.h - descriptors of devices, for tests. */
#ifndef TESTS_USB_DESCRIPTORS_H
#define TESTS_USB_DESCRIPTORS_H

#include <stdint.h>

#define USB_DEVICE(vid, pid) 18, 1, 0, 2, 0, 0, 0, 64, (vid) & 255, (vid) >> 8, (pid) & 255, (pid) >> 8, 16, 0, 1, 2, 3, 1
#define USB_CONFIG(value) 9, 2, 0, 0, 1, value, 0, 0x80, 50
#define USB_IFACE(number, alt, class, subclass, protocol) 9, 4, number, alt, 2, class, subclass, protocol, 0
#define USB_BULK(address, packet) 7, 5, address, 2, (packet) & 255, (packet) >> 8, 0
#define USB_INTERRUPT(address) 7, 5, address, 3, 8, 0, 16

/* As the kernel's debug capability shows itself, and as one of a vendor's does. */
static const uint8_t usb_dbc[] = { USB_DEVICE(0x1d6b, 0x0010), USB_CONFIG(1), USB_IFACE(0, 0, 0xdc, 2, 1), USB_BULK(0x01, 1024), USB_BULK(0x81, 1024) };
static const uint8_t usb_kd[] = { USB_DEVICE(0x3495, 0x00e0), USB_CONFIG(1), USB_IFACE(0, 0, 0xdc, 2, 0), USB_BULK(0x81, 1024), USB_BULK(0x01, 1024) };
static const uint8_t usb_ftdi[] = { USB_DEVICE(0x0403, 0x6001), USB_CONFIG(1), USB_IFACE(0, 0, 0xff, 0xff, 0xff), USB_BULK(0x81, 64), USB_BULK(0x02, 64) };
static const uint8_t usb_acm[] = { USB_DEVICE(0x1d6b, 0x0104), USB_CONFIG(1), USB_IFACE(2, 0, 2, 2, 1), 5, 0x24, 0, 0x10, 1, USB_INTERRUPT(0x83),
	                           USB_IFACE(3, 0, 10, 0, 0), USB_BULK(0x82, 512), USB_BULK(0x02, 512) };
/* A keyboard beside two debug interfaces, the first without a way out, in a second configuration. */
static const uint8_t usb_many[] = { USB_DEVICE(0x1234, 0x5678), USB_CONFIG(1), USB_IFACE(0, 0, 3, 1, 1), USB_INTERRUPT(0x81),
	                            USB_CONFIG(2), USB_IFACE(0, 0, 3, 1, 1), USB_INTERRUPT(0x81), USB_IFACE(1, 0, 0xdc, 2, 1), USB_BULK(0x82, 64),
	                            USB_IFACE(2, 0, 0xdc, 2, 1), USB_IFACE(2, 1, 0xdc, 2, 1), USB_BULK(0x83, 64), USB_BULK(0x04, 32) };

#endif
