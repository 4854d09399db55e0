/* usb_link_fuzz.c - a USB device as a stream, whatever becomes of its transfers: what comes out is what went in, in order and all of it,
 * unless the link ended; nothing is kept. The device is here: usb_find and libusb are wrapped, see tests/tests.mk. */
#include "backends/link/usb.h"
#include "tests/fuzz/fuzz.h"
#include "tests/backends/link/usb_fake.h"
#include "tests/reuse.h"

#include <errno.h>
#include <string.h>

enum { DRAIN_TURNS = 2000 };

/* Bytes each way are counted through. */
static struct {
	struct link *lk;
	struct buf in, out;
	uint64_t now;
	uint8_t said, heard, sent, took;
	int dead;
} stage;

/* --- the script */

static const enum libusb_transfer_status failures[] = {
	LIBUSB_TRANSFER_ERROR, LIBUSB_TRANSFER_STALL,     LIBUSB_TRANSFER_TIMED_OUT, LIBUSB_TRANSFER_OVERFLOW,
	LIBUSB_TRANSFER_ERROR, LIBUSB_TRANSFER_CANCELLED, LIBUSB_TRANSFER_STALL,     LIBUSB_TRANSFER_NO_DEVICE,
};

static void device_says(uint8_t n)
{
	struct libusb_transfer *t = fake_oldest(IN);
	size_t status = fake.found.choice.kind == USB_FTDI ? 2 : 0, len = n % (PACKET + 1);

	for (size_t i = status; t && i < len; i++)
		t->buffer[i] = stage.said++;
	if (t)
		fake_befalls(t, LIBUSB_TRANSFER_COMPLETED, len);
}

static void device_fails(uint8_t n)
{
	struct libusb_transfer *t = fake_oldest(IN);

	if (t)
		fake_befalls(t, failures[n & 7], 0);
}

static void take(enum libusb_transfer_status status, size_t n)
{
	struct libusb_transfer *t = fake_oldest(OUT);

	if (!t || fake.halted)
		return;
	n = n < (size_t)t->length ? n : (size_t)t->length;
	for (size_t i = 0; i < n; i++)
		must(t->buffer[i] == stage.took++);
	fake.halted = status != LIBUSB_TRANSFER_COMPLETED;
	fake_befalls(t, status, n);
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
	must(!stage.dead || rc == stage.dead);
	if (rc < 0 && rc != -EAGAIN)
		stage.dead = rc;
}

static void send_some(uint8_t n)
{
	if (!stage.out.len) {
		static uint8_t bytes[UINT8_MAX * 40];

		for (unsigned i = 0; i < n * 40U; i++)
			bytes[i] = stage.sent++;
		buf_reset(&stage.out, 0);
		must(buf_put(&stage.out, bytes, n * 40U) == 0);
	}
	end(link_send(stage.lk, &stage.out, stage.now));
}

/* Its callback is called when the link looks. */
static bool pending(void)
{
	return fake.n_done || fake.n_called_back;
}

static void receive(uint8_t n)
{
	int rc;

	(void)n;
	if (pending())
		link_ready(stage.lk);
	rc = link_recv(stage.lk, &stage.in, stage.now);
	for (size_t i = 0; rc == 1 && i < stage.in.len; i++)
		must(buf_data(&stage.in)[i] == stage.heard++);
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
		if (!pending() && fake_oldest(OUT))
			take(LIBUSB_TRANSFER_COMPLETED, SIZE_MAX);
		if (!pending() && w.until == NEVER)
			break;
		if (!pending() && w.until > stage.now)
			stage.now = w.until;
		receive(0);
	}
	must(stage.dead || stage.heard == stage.said);
	must(stage.dead || (uint8_t)(stage.sent - stage.out.len) == stage.took);
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
	reuse_begin();
	fake_begin();
	memset(&stage, 0, sizeof stage);
	fake.found.choice.kind = (enum usb_kind)(data[0] % 3);
	must(buf_init(&stage.in, 4096) == 0 && buf_init(&stage.out, 16384) == 0);
	must(link_usb_dial(&stage.lk, &place) == 0);
	run(data + 1, size - 1);
	link_destroy_stack(stage.lk);
	fake_nothing_is_left();
	buf_fini(&stage.in);
	buf_fini(&stage.out);
	return 0;
}
