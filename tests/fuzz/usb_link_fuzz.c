/* usb_link_fuzz.c - a USB device as a stream, whatever becomes of its transfers: what comes out is what went in, in order and all of it,
 * unless the link ended; nothing is kept. The device is here: usb_find and libusb are wrapped, see tests/tests.mk. */
#include "backends/link/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <libusb-1.0/libusb.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32, IN = 0x81, OUT = 0x02, PACKET = 64, DRAIN_TURNS = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
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

static struct device {
	enum usb_kind kind;
	struct libusb_transfer *flying[MOST], *done[MOST];
	unsigned n_flying, n_done;
	bool halted; /* one that is sent failed: those behind it stay where they are, until it is seen and sent again */
	int transfers;
} device;

/* Bytes each way are counted through. */
static struct {
	struct link *lk;
	struct buf in, out;
	uint64_t now;
	uint8_t said, heard, sent, took;
	int dead;
} stage;

static void check(bool good)
{
	if (!good)
		abort();
}

/* --- libusb */

int __wrap_usb_find(const char *sysfs, const struct usb_place *p, struct usb_found *found)
{
	(void)sysfs;
	(void)p;
	*found = (struct usb_found){ .choice = { .kind = device.kind, .in = IN, .out = OUT, .in_packet = PACKET, .out_packet = PACKET } };
	return 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	return __real_open(strncmp(path, "/dev/bus/usb/", 13) ? path : "/dev/null", flags);
}

int __wrap_libusb_set_option(libusb_context *c, enum libusb_option option, ...)
{
	(void)c;
	check(option == LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
	return 0;
}

int __wrap_libusb_init(libusb_context **c)
{
	*c = (libusb_context *)&device;
	return 0;
}

void __wrap_libusb_exit(libusb_context *c)
{
	(void)c;
}

const struct libusb_pollfd **__wrap_libusb_get_pollfds(libusb_context *c)
{
	(void)c;
	return NULL;
}

void __wrap_libusb_free_pollfds(const struct libusb_pollfd **fds)
{
	(void)fds;
}

void __wrap_libusb_set_pollfd_notifiers(libusb_context *c, libusb_pollfd_added_cb added, libusb_pollfd_removed_cb removed, void *arg)
{
	check(c && added && removed && arg);
}

int __wrap_libusb_wrap_sys_device(libusb_context *c, intptr_t fd, libusb_device_handle **h)
{
	check(c && fd >= 0);
	*h = (libusb_device_handle *)&device;
	return 0;
}

void __wrap_libusb_close(libusb_device_handle *h)
{
	check(h && !device.n_flying);
}

libusb_device *__wrap_libusb_get_device(libusb_device_handle *h)
{
	return (libusb_device *)h;
}

int __wrap_libusb_get_device_descriptor(libusb_device *d, struct libusb_device_descriptor *out)
{
	check(d && out);
	return 0;
}

int __wrap_libusb_set_auto_detach_kernel_driver(libusb_device_handle *h, int on)
{
	return h && on ? 0 : LIBUSB_ERROR_OTHER;
}

int __wrap_libusb_claim_interface(libusb_device_handle *h, int i)
{
	return h && i == 0 ? 0 : LIBUSB_ERROR_OTHER;
}

int __wrap_libusb_release_interface(libusb_device_handle *h, int i)
{
	return h && i == 0 ? 0 : LIBUSB_ERROR_OTHER;
}

int __wrap_libusb_set_interface_alt_setting(libusb_device_handle *h, int i, int alternate)
{
	return h && i == 0 && alternate ? 0 : LIBUSB_ERROR_OTHER;
}

int __wrap_libusb_clear_halt(libusb_device_handle *h, unsigned char endpoint)
{
	check(h && (endpoint == IN || endpoint == OUT));
	return 0;
}

static void events(void)
{
	unsigned n = device.n_done;

	device.n_done = 0;
	for (unsigned i = 0; i < n; i++)
		device.done[i]->callback(device.done[i]);
}

/* As the library's own: it waits by handling what else has happened. */
int __wrap_libusb_control_transfer(libusb_device_handle *h, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
				   unsigned char *data, uint16_t n, unsigned timeout)
{
	(void)type, (void)request, (void)value, (void)index;
	check(h && timeout && (data || !n));
	events();
	return n;
}

struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets)
{
	device.transfers++;
	return packets ? NULL : calloc(1, sizeof(struct libusb_transfer));
}

void __wrap_libusb_free_transfer(struct libusb_transfer *t)
{
	device.transfers--;
	free(t);
}

static struct libusb_transfer *oldest(uint8_t endpoint)
{
	for (unsigned i = 0; i < device.n_flying; i++)
		if (device.flying[i]->endpoint == endpoint)
			return device.flying[i];
	return NULL;
}

static bool out_unseen(void)
{
	bool any = oldest(OUT);

	for (unsigned i = 0; i < device.n_done; i++)
		any |= device.done[i]->endpoint == OUT;
	return any;
}

int __wrap_libusb_submit_transfer(struct libusb_transfer *t)
{
	check(device.n_flying < MOST);
	if (t->endpoint == OUT && !out_unseen())
		device.halted = false;
	device.flying[device.n_flying++] = t;
	return 0;
}

static void befalls(struct libusb_transfer *t, enum libusb_transfer_status status, size_t n)
{
	unsigned i = 0;

	while (device.flying[i] != t)
		i++;
	memmove(&device.flying[i], &device.flying[i + 1], (--device.n_flying - i) * sizeof *device.flying);
	t->status = status;
	t->actual_length = (int)n;
	device.done[device.n_done++] = t;
}

int __wrap_libusb_cancel_transfer(struct libusb_transfer *t)
{
	for (unsigned i = 0; i < device.n_flying; i++)
		if (device.flying[i] == t) {
			befalls(t, LIBUSB_TRANSFER_CANCELLED, 0);
			return 0;
		}
	return LIBUSB_ERROR_NOT_FOUND;
}

int __wrap_libusb_handle_events_timeout_completed(libusb_context *c, struct timeval *tv, int *completed)
{
	check(c && tv && !completed);
	events();
	return 0;
}

/* --- the script */

static const enum libusb_transfer_status failures[] = {
	LIBUSB_TRANSFER_ERROR, LIBUSB_TRANSFER_STALL,     LIBUSB_TRANSFER_TIMED_OUT, LIBUSB_TRANSFER_OVERFLOW,
	LIBUSB_TRANSFER_ERROR, LIBUSB_TRANSFER_CANCELLED, LIBUSB_TRANSFER_STALL,     LIBUSB_TRANSFER_NO_DEVICE,
};

static void device_says(uint8_t n)
{
	struct libusb_transfer *t = oldest(IN);
	size_t status = device.kind == USB_FTDI ? 2 : 0, len = n % (PACKET + 1);

	for (size_t i = status; t && i < len; i++)
		t->buffer[i] = stage.said++;
	if (t)
		befalls(t, LIBUSB_TRANSFER_COMPLETED, len);
}

static void device_fails(uint8_t n)
{
	struct libusb_transfer *t = oldest(IN);

	if (t)
		befalls(t, failures[n & 7], 0);
}

static void take(enum libusb_transfer_status status, size_t n)
{
	struct libusb_transfer *t = oldest(OUT);

	if (!t || device.halted)
		return;
	n = n < (size_t)t->length ? n : (size_t)t->length;
	for (size_t i = 0; i < n; i++)
		check(t->buffer[i] == stage.took++);
	device.halted = status != LIBUSB_TRANSFER_COMPLETED;
	befalls(t, status, n);
}

static void device_takes(uint8_t n)
{
	(void)n;
	take(LIBUSB_TRANSFER_COMPLETED, SIZE_MAX);
}

static void device_takes_some(uint8_t n)
{
	take(failures[n & 7], n >> 3);
}

static void end(int rc)
{
	check(!stage.dead || rc == stage.dead);
	if (rc < 0 && rc != -EAGAIN)
		stage.dead = rc;
}

static void send_some(uint8_t n)
{
	if (!stage.out.len) {
		buf_reset(&stage.out, 0);
		for (unsigned i = 0; i < n * 40U; i++)
			check(buf_put_u8(&stage.out, stage.sent++) == 0);
	}
	end(link_send(stage.lk, &stage.out, stage.now));
}

static void receive(uint8_t n)
{
	int rc;

	(void)n;
	if (device.n_done)
		link_ready(stage.lk);
	rc = link_recv(stage.lk, &stage.in, stage.now);
	for (size_t i = 0; rc == 1 && i < stage.in.len; i++)
		check(buf_data(&stage.in)[i] == stage.heard++);
	end(rc);
}

static void time_passes(uint8_t n)
{
	stage.now += n;
}

static void attention(uint8_t n)
{
	int rc = link_attention(stage.lk, stage.now);

	(void)n;
	end(rc == -EOPNOTSUPP ? 0 : rc);
}

/* Nothing is done but when something wakes. */
static void drain(void)
{
	for (unsigned i = 0; i < DRAIN_TURNS && !stage.dead; i++) {
		struct wait w = wait_none();

		link_wait(stage.lk, &w);
		if (!device.n_done && oldest(OUT))
			take(LIBUSB_TRANSFER_COMPLETED, SIZE_MAX);
		if (!device.n_done && w.until == NEVER)
			break;
		if (!device.n_done && w.until > stage.now)
			stage.now = w.until;
		receive(0);
	}
	check(stage.dead || stage.heard == stage.said);
	check(stage.dead || (uint8_t)(stage.sent - stage.out.len) == stage.took);
}

static void run(const uint8_t *data, size_t size)
{
	static void (*const steps[])(uint8_t n) = {
		device_says, device_fails, device_takes, device_takes_some, send_some, receive, time_passes, attention,
	};

	for (size_t i = 0; i + 1 < size && !stage.dead; i += 2)
		steps[data[i] & 7](data[i + 1]);
	if (!stage.dead)
		receive(0);
	drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct usb_place place = { .mode = { 115200, 8, 'n', 1, false } };

	if (size < 1)
		return 0;
	memset(&device, 0, sizeof device);
	memset(&stage, 0, sizeof stage);
	device.kind = (enum usb_kind)(data[0] % 3);
	check(buf_init(&stage.in, 4096) == 0 && buf_init(&stage.out, 16384) == 0);
	check(link_usb_dial(&stage.lk, &place) == 0);
	run(data + 1, size - 1);
	link_destroy_stack(stage.lk);
	check(device.transfers == 0);
	buf_fini(&stage.in);
	buf_fini(&stage.out);
	return 0;
}
