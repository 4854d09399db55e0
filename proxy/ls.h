/* ls.h - kdgate ls: the serial ports and USB debug devices that are here, as TARGET strings. */
#ifndef PROXY_LS_H
#define PROXY_LS_H

#include "base/buf.h"

#include <stdio.h>

/* Where to look. */
struct ls_places {
	const char *dev;   /* /dev */
	const char *by_id; /* /dev/serial/by-id: names that stay with a device; need not be there */
	const char *tty;   /* /sys/class/tty */
	const char *sys;   /* /sys */
};

/* A line each: "kgdb+serial:/dev/serial/by-id/NAME@115200  what it is (ttyUSB0)", and what keeps this user from opening it. By-id
 * names where there are any that a target may have. No port is opened: that raises DTR, which resets many a board. USB devices with
 * a debug interface, and adapters that no driver of the kernel has. How many there are; -errno. */
int ls_print(FILE *to) MUST_USE;
int ls_print_of(const struct ls_places *places, FILE *to) MUST_USE;

#endif
