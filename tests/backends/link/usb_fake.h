/* usb_fake.h - what stands in for usb_find, libusb and the device's node, which are wrapped (tests/tests.mk): what becomes of each transfer
 * is the test's to say. One program includes it once, and says before what must(ok) does where link_usb.c uses libusb as it must not. */
#ifndef TESTS_BACKENDS_LINK_USB_FAKE_H
#define TESTS_BACKENDS_LINK_USB_FAKE_H

#include "backends/link/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <libusb-1.0/libusb.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_MOST = 32, IN = 0x81, OUT = 0x02, PACKET = 64 };

int __wrap_usb_find(const char *sysfs, const struct usb_place *p, struct usb_found *out);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_libusb_set_option(libusb_context *c, enum libusb_option option, ...);
int __wrap_libusb_init(libusb_context **c);
void __wrap_libusb_exit(libusb_context *c);
const struct libusb_pollfd **__wrap_libusb_get_pollfds(libusb_context *c);
void __wrap_libusb_free_pollfds(const struct libusb_pollfd **fds);
void __wrap_libusb_set_pollfd_notifiers(libusb_context *c, libusb_pollfd_added_cb added, libusb_pollfd_removed_cb removed, void *arg);
int __wrap_libusb_wrap_sys_device(libusb_context *c, intptr_t fd, libusb_device_handle **h);
void __wrap_libusb_close(libusb_device_handle *h);
libusb_device *__wrap_libusb_get_device(libusb_device_handle *h);
int __wrap_libusb_get_device_descriptor(libusb_device *d, struct libusb_device_descriptor *out);
int __wrap_libusb_set_auto_detach_kernel_driver(libusb_device_handle *h, int on);
int __wrap_libusb_claim_interface(libusb_device_handle *h, int i);
int __wrap_libusb_release_interface(libusb_device_handle *h, int i);
int __wrap_libusb_set_interface_alt_setting(libusb_device_handle *h, int i, int alternate);
int __wrap_libusb_clear_halt(libusb_device_handle *h, unsigned char endpoint);
int __wrap_libusb_control_transfer(libusb_device_handle *h, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
				   unsigned char *data, uint16_t n, unsigned timeout);
struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets);
void __wrap_libusb_free_transfer(struct libusb_transfer *t);
int __wrap_libusb_submit_transfer(struct libusb_transfer *t);
int __wrap_libusb_cancel_transfer(struct libusb_transfer *t);
int __wrap_libusb_handle_events_timeout_completed(libusb_context *c, struct timeval *tv, int *completed);

static struct usb_fake {
	struct usb_found found;
	uint16_t release;
	int find_rc;
	const char *failing;   /* the call that fails with .rc, after so many that did not */
	int rc;
	unsigned after;
	unsigned cancel_after; /* turns of events until what was cancelled is done; UINT_MAX: it never is */
	int event[2];          /* a pipe, whose reading end libusb has watched; -1: none */
	bool halted;           /* set by whoever has a send fail: the device takes none behind it. Until that one is seen, and the next begun */
	/* what was done to it */
	char calls[512], path[64];
	int contexts, handles, transfers, claims;
	unsigned zero_packets, cancelled;
	struct libusb_transfer *flying[FAKE_MOST], *done[FAKE_MOST], *called_back[FAKE_MOST];
	unsigned n_flying, n_done, n_called_back;
	libusb_pollfd_added_cb added;
	libusb_pollfd_removed_cb removed;
	void *arg;
} fake;

static void fake_begin(void)
{
	fake = (struct usb_fake){ .event = { -1, -1 }, .found = { .bus = 3, .number = 17 } };
	fake.found.choice = (struct usb_choice){ .interface = 1, .control = 1, .in = IN, .out = OUT, .in_packet = PACKET, .out_packet = PACKET };
}

static void fake_nothing_is_left(void)
{
	must(fake.transfers == 0);
	must(fake.claims == 0);
	must(fake.handles == 0);
	must(fake.contexts == 0);
	must(fake.n_flying == 0);
}

/* --- transfers */

static bool fake_drop(struct libusb_transfer **list, unsigned *n, const struct libusb_transfer *t)
{
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == t) {
			memmove(&list[i], &list[i + 1], (--*n - i) * sizeof *list);
			return true;
		}
	return false;
}

/* The oldest that is under way; NULL: none is. */
static struct libusb_transfer *fake_oldest(uint8_t endpoint)
{
	for (unsigned i = 0; i < fake.n_flying; i++)
		if (fake.flying[i]->endpoint == endpoint)
			return fake.flying[i];
	return NULL;
}

/* One that is under way ends. Its callback is called with the next events. */
static void fake_befalls(struct libusb_transfer *t, enum libusb_transfer_status status, size_t n)
{
	must(fake_drop(fake.flying, &fake.n_flying, t));
	t->status = status;
	t->actual_length = (int)n;
	fake.done[fake.n_done++] = t;
}

static void fake_cancel(struct libusb_transfer *t)
{
	for (unsigned i = 0; i < fake.n_flying; i++)
		if (fake.flying[i] == t)
			fake_befalls(t, LIBUSB_TRANSFER_CANCELLED, 0);
}

static void fake_cancel_due(void)
{
	if (fake.n_called_back && fake.cancel_after) {
		fake.cancel_after -= fake.cancel_after != UINT_MAX;
		return;
	}
	for (unsigned i = 0; i < fake.n_called_back; i++)
		fake_cancel(fake.called_back[i]);
	fake.n_called_back = 0;
}

static void fake_events(void)
{
	fake_cancel_due();
	while (fake.n_done) {
		struct libusb_transfer *t = fake.done[0];

		fake_drop(fake.done, &fake.n_done, t);
		t->callback(t);
	}
}

static bool fake_out_unseen(void)
{
	bool any = fake_oldest(OUT);

	for (unsigned i = 0; i < fake.n_done; i++)
		any |= fake.done[i]->endpoint == OUT;
	return any;
}

/* --- the calls */

static void fake_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void fake_note(const char *fmt, ...)
{
	size_t len = strlen(fake.calls);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fake.calls + len, sizeof fake.calls - len, fmt, ap);
	va_end(ap);
}

static int fake_fails(const char *call)
{
	return fake.failing && strcmp(fake.failing, call) == 0 && fake.after-- == 0 ? fake.rc : 0;
}

static void fake_is(const void *p)
{
	must(p == &fake);
}

int __wrap_usb_find(const char *sysfs, const struct usb_place *p, struct usb_found *found)
{
	must(strcmp(sysfs, "/sys") == 0 && p);
	*found = fake.found;
	return fake.find_rc;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strncmp(path, "/dev/bus/usb/", 13) != 0)
		return __real_open(path, flags);
	snprintf(fake.path, sizeof fake.path, "%s", path);
	errno = fake_fails("open");
	return errno ? -1 : __real_open("/dev/null", flags);
}

int __wrap_libusb_set_option(libusb_context *c, enum libusb_option option, ...)
{
	must(!c && option == LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
	return 0;
}

int __wrap_libusb_init(libusb_context **c)
{
	int rc = fake_fails("init");

	*c = (libusb_context *)&fake;
	fake.contexts += rc == 0;
	return rc;
}

void __wrap_libusb_exit(libusb_context *c)
{
	fake_is(c);
	must(fake.handles == 0);
	if (fake.removed && fake.event[0] >= 0)
		fake.removed(fake.event[0], fake.arg);
	fake.contexts--;
}

const struct libusb_pollfd **__wrap_libusb_get_pollfds(libusb_context *c)
{
	static struct libusb_pollfd one;
	static const struct libusb_pollfd *fds[] = { &one, NULL };

	fake_is(c);
	one = (struct libusb_pollfd){ fake.event[0], POLLIN };
	return fake.event[0] < 0 || fake_fails("pollfds") ? NULL : fds;
}

void __wrap_libusb_free_pollfds(const struct libusb_pollfd **fds)
{
	(void)fds;
}

void __wrap_libusb_set_pollfd_notifiers(libusb_context *c, libusb_pollfd_added_cb added, libusb_pollfd_removed_cb removed, void *arg)
{
	fake_is(c);
	must(added && removed && arg);
	fake.added = added;
	fake.removed = removed;
	fake.arg = arg;
}

int __wrap_libusb_wrap_sys_device(libusb_context *c, intptr_t fd, libusb_device_handle **h)
{
	int rc = fake_fails("wrap");

	fake_is(c);
	must(fd >= 0);
	*h = (libusb_device_handle *)&fake;
	fake.handles += rc == 0;
	return rc;
}

void __wrap_libusb_close(libusb_device_handle *h)
{
	fake_is(h);
	must(!fake.n_flying || fake.cancel_after == UINT_MAX);
	fake.handles--;
}

libusb_device *__wrap_libusb_get_device(libusb_device_handle *h)
{
	fake_is(h);
	return (libusb_device *)&fake;
}

int __wrap_libusb_get_device_descriptor(libusb_device *d, struct libusb_device_descriptor *out)
{
	fake_is(d);
	out->bcdDevice = fake.release;
	return 0;
}

int __wrap_libusb_set_auto_detach_kernel_driver(libusb_device_handle *h, int on)
{
	fake_is(h);
	must(on == 1);
	return 0;
}

static void fake_is_ours(const libusb_device_handle *h, int interface)
{
	fake_is(h);
	must(interface == fake.found.choice.interface || interface == fake.found.choice.control);
}

int __wrap_libusb_claim_interface(libusb_device_handle *h, int i)
{
	int rc = fake_fails("claim");

	fake_is_ours(h, i);
	fake_note("claim %d;", i);
	fake.claims += rc == 0;
	return rc;
}

int __wrap_libusb_release_interface(libusb_device_handle *h, int i)
{
	fake_is_ours(h, i);
	fake_note("release %d;", i);
	fake.claims--;
	return 0;
}

int __wrap_libusb_set_interface_alt_setting(libusb_device_handle *h, int i, int alternate)
{
	fake_is_ours(h, i);
	must(alternate);
	fake_note("alternate %d of %d;", alternate, i);
	return fake_fails("alternate");
}

int __wrap_libusb_clear_halt(libusb_device_handle *h, unsigned char endpoint)
{
	fake_is(h);
	must(endpoint == IN || endpoint == OUT);
	fake_note("clear %02x;", endpoint);
	return fake_fails("clear");
}

/* As the library's own: it waits by handling what else has happened. */
int __wrap_libusb_control_transfer(libusb_device_handle *h, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
				   unsigned char *data, uint16_t n, unsigned timeout)
{
	int rc = fake_fails("control");

	fake_is(h);
	must(timeout > 0 && (data || !n));
	fake_note("%02x %02x %04x %04x", type, request, value, index);
	for (unsigned i = 0; i < n; i++)
		fake_note("%s%02x", i ? "" : " ", data[i]);
	fake_note(";");
	fake_events();
	return rc ? rc : n;
}

struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets)
{
	struct libusb_transfer *t = calloc(1, sizeof *t);

	must(packets == 0);
	fake.transfers += t != NULL;
	return t;
}

void __wrap_libusb_free_transfer(struct libusb_transfer *t)
{
	must(!fake_drop(fake.flying, &fake.n_flying, t));
	fake.transfers--;
	free(t);
}

int __wrap_libusb_submit_transfer(struct libusb_transfer *t)
{
	int rc = fake_fails(t->endpoint == IN ? "submit in" : "submit out");

	must(t->timeout == 0);
	if (rc)
		return rc;
	must(fake.n_flying < FAKE_MOST);
	fake.halted &= t->endpoint != OUT || fake_out_unseen();
	fake.flying[fake.n_flying++] = t;
	fake.zero_packets += t->endpoint == OUT && t->flags & LIBUSB_TRANSFER_ADD_ZERO_PACKET;
	return 0;
}

int __wrap_libusb_cancel_transfer(struct libusb_transfer *t)
{
	fake.cancelled++;
	fake_drop(fake.called_back, &fake.n_called_back, t);
	fake.called_back[fake.n_called_back++] = t;
	return 0;
}

int __wrap_libusb_handle_events_timeout_completed(libusb_context *c, struct timeval *tv, int *completed)
{
	fake_is(c);
	must(tv->tv_sec == 0 && !completed);
	fake_events();
	return 0;
}

#endif
