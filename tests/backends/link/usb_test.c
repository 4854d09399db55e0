/* usb_test.c - a USB device as a stream, where what becomes of each transfer is the test's to say: usb_find, libusb, and what opens
 * and allocates are wrapped, see tests/tests.mk. */
#include "backends/link/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/allocs.h"
#define must(ok) assert_true(ok)
#include "tests/backends/link/usb_fake.h"

enum { FLYING_INS = 16, PIECE = 4096 };
enum { OUT_BY = 5000, REST = 25, BREAK = 250 };

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);

static struct link *lk;
static struct buf out, in;

int __wrap_epoll_create1(int flags)
{
	errno = fake_fails("epoll");
	return errno ? -1 : __real_epoll_create1(flags);
}

/* --- the device */

static struct {
	uint8_t bytes[65536];
	size_t n;
} wire; /* what the device took */

static void did(const char *what)
{
	assert_string_equal(fake.calls, what);
	fake.calls[0] = 0;
}

static struct libusb_transfer *oldest(uint8_t endpoint)
{
	struct libusb_transfer *t = fake_oldest(endpoint);

	if (!t)
		fail_msg("no transfer of %02x is under way", endpoint);
	return t;
}

static unsigned under_way(uint8_t endpoint)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake.n_flying; i++)
		n += fake.flying[i]->endpoint == endpoint;
	return n;
}

static void in_ends(enum libusb_transfer_status status, const void *bytes, size_t n)
{
	struct libusb_transfer *t = oldest(IN);

	assert_in_range(n, 0, (size_t)t->length);
	if (n)
		memcpy(t->buffer, bytes, n);
	fake_befalls(t, status, n);
	link_ready(lk);
}

static void says(const char *text)
{
	in_ends(LIBUSB_TRANSFER_COMPLETED, text, strlen(text));
}

/* n: so many it took; -1: all. */
static void out_ends(enum libusb_transfer_status status, int n)
{
	struct libusb_transfer *t = oldest(OUT);
	size_t took = n < 0 ? (size_t)t->length : (size_t)n;

	memcpy(wire.bytes + wire.n, t->buffer, took);
	wire.n += took;
	fake_befalls(t, status, took);
	link_ready(lk);
}

static void took(const void *bytes, size_t n)
{
	assert_int_equal(wire.n, n);
	assert_memory_equal(wire.bytes, bytes, n);
}

/* --- the stage */

static struct usb_place place = { .mode = { 115200, 8, 'n', 1, false } };

static int setup(void **state)
{
	(void)state;
	fake_begin();
	wire.n = 0;
	allocs.left = 0;
	place.mode = (struct serial_mode){ 115200, 8, 'n', 1, false };
	lk = NULL;
	return pipe2(fake.event, O_CLOEXEC | O_NONBLOCK) || buf_init(&out, 65536) < 0 || buf_init(&in, 4096) < 0 ? -1 : 0;
}

static void hang_up(void)
{
	link_destroy_stack(lk);
	lk = NULL;
}

static int teardown(void **state)
{
	(void)state;
	hang_up();
	fake_nothing_is_left();
	close(fake.event[0]);
	close(fake.event[1]);
	buf_fini(&out);
	buf_fini(&in);
	return 0;
}

static void dial_kind(enum usb_kind kind)
{
	fake.found.choice.kind = kind;
	assert_int_equal(link_usb_dial(&lk, &place), 0);
	assert_non_null(lk);
	assert_int_equal(under_way(IN), FLYING_INS);
	fake.calls[0] = 0;
}

static void dial(void)
{
	dial_kind(USB_PLAIN);
}

static int hears(uint64_t now, const char *text)
{
	int rc = link_recv(lk, &in, now);

	if (*text || rc >= 0) {
		assert_int_equal(rc, *text != 0);
		assert_int_equal(in.len, strlen(text));
		assert_memory_equal(buf_data(&in), text, in.len);
	}
	return rc;
}

static int send_text(const char *text, uint64_t now)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(lk, &out, now);
}

static uint64_t awaited(void)
{
	struct wait w = wait_none();

	link_wait(lk, &w);
	assert_true(w.read && w.fd >= 0);
	return w.until;
}

static int lowest_fd(void)
{
	int fd = dup(fake.event[0]);

	close(fd);
	return fd;
}

/* --- dialling */

static void a_device_is_opened_and_given_back(void **state)
{
	int fd = lowest_fd();

	(void)state;
	assert_int_equal(link_usb_dial(&lk, &place), 0);
	assert_string_equal(fake.path, "/dev/bus/usb/003/017");
	assert_string_equal(lk->ops->name, "usb");
	did("claim 1;");
	hang_up();
	did("release 1;");
	fake_nothing_is_left();
	assert_int_equal(lowest_fd(), fd);
}

static void an_alternate_setting_is_set(void **state)
{
	(void)state;
	fake.found.choice.alternate = 2;
	assert_int_equal(link_usb_dial(&lk, &place), 0);
	did("claim 1;alternate 2 of 1;");
}

static void an_adapter_has_two_interfaces(void **state)
{
	(void)state;
	fake.found.choice.control = 0;
	assert_int_equal(link_usb_dial(&lk, &place), 0);
	did("claim 1;claim 0;");
	hang_up();
	did("release 1;release 0;");
}

static void refused(int error)
{
	int fd = lowest_fd();

	lk = (struct link *)1;
	assert_int_equal(link_usb_dial(&lk, &place), error);
	assert_null(lk);
	fake_nothing_is_left();
	assert_int_equal(lowest_fd(), fd);
	assert_null(fake.failing);
}

static void a_speed_an_ftdi_has_not_got(void **state)
{
	(void)state;
	fake.found.choice.kind = USB_FTDI;
	place.mode.baud = 184;
	dial_kind(USB_FTDI);
	hang_up();
	place.mode.baud = 183;
	refused(-EOPNOTSUPP);
}

static void whatever_fails_nothing_is_kept(void **state)
{
	static const struct {
		const char *call;
		int rc;
		unsigned after;
		int error;
	} rows[] = {
		{ "epoll", EMFILE, 0, -EMFILE },
		{ "init", LIBUSB_ERROR_OTHER, 0, -EIO },
		{ "open", ENOENT, 0, -ENODEV },
		{ "open", EPERM, 0, -EACCES },
		{ "open", EACCES, 0, -EACCES },
		{ "open", ENODEV, 0, -ENODEV },
		{ "wrap", LIBUSB_ERROR_NO_MEM, 0, -ENOMEM },
		{ "wrap", LIBUSB_ERROR_IO, 0, -EIO },
		{ "claim", LIBUSB_ERROR_BUSY, 0, -EBUSY },
		{ "claim", LIBUSB_ERROR_BUSY, 1, -EBUSY },
		{ "claim", LIBUSB_ERROR_NOT_FOUND, 0, -ENODEV },
		{ "claim", LIBUSB_ERROR_ACCESS, 0, -EACCES },
		{ "alternate", LIBUSB_ERROR_NO_DEVICE, 0, -ENODEV },
		{ "control", LIBUSB_ERROR_PIPE, 0, -EPROTO },
		{ "control", LIBUSB_ERROR_TIMEOUT, 1, -ETIMEDOUT },
		{ "submit in", LIBUSB_ERROR_NO_DEVICE, 0, -ENODEV },
		{ "submit in", LIBUSB_ERROR_NO_MEM, FLYING_INS - 1, -ENOMEM },
	};

	(void)state;
	fake.found.choice.kind = USB_ACM;
	fake.found.choice.control = 0;
	fake.found.choice.alternate = 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fake.failing = rows[i].call;
		fake.rc = rows[i].rc;
		fake.after = rows[i].after;
		fake.calls[0] = 0;
		assert_int_equal(link_usb_dial(&lk, &place), rows[i].error);
		assert_int_equal(fake.after, UINT_MAX);
		fake.failing = NULL;
		assert_null(lk);
		fake_nothing_is_left();
	}
}

static void each_request_of_an_ftdi_is_needed(void **state)
{
	(void)state;
	fake.found.choice.kind = USB_FTDI;
	fake.failing = "control";
	fake.rc = LIBUSB_ERROR_IO;
	for (unsigned i = 0; i < 5; i++) {
		fake.after = i;
		assert_int_equal(link_usb_dial(&lk, &place), -EIO);
		fake_nothing_is_left();
	}
	fake.after = 5;
	assert_int_equal(link_usb_dial(&lk, &place), 0);
}

static void what_is_not_found_is_not_opened(void **state)
{
	(void)state;
	fake.find_rc = -ENODEV;
	refused(-ENODEV);
	fake.find_rc = -EADDRNOTAVAIL;
	refused(-EADDRNOTAVAIL);
	assert_string_equal(fake.path, "");
}

static void each_allocation_may_fail(void **state)
{
	unsigned n = 1;

	(void)state;
	for (int rc = -ENOMEM; rc; n++) {
		allocs.left = n;
		rc = link_usb_dial(&lk, &place);
		assert_true(rc == 0 || rc == -ENOMEM);
		if (rc)
			fake_nothing_is_left();
	}
	assert_in_range(n, 2 * FLYING_INS, 100);
}

static void done_without_descriptors_to_watch(void **state)
{
	(void)state;
	fake.failing = "pollfds";
	fake.rc = 1;
	dial();
}

static bool woken(void)
{
	struct wait w = wait_none();
	struct pollfd p = { .events = POLLIN };

	link_wait(lk, &w);
	p.fd = w.fd;
	return poll(&p, 1, 0) == 1;
}

static void its_descriptors_wake(void **state)
{
	(void)state;
	dial();
	assert_false(woken());
	assert_int_equal(write(fake.event[1], "x", 1), 1);
	assert_true(woken());
	fake.removed(fake.event[0], fake.arg);
	assert_false(woken());
	fake.added(fake.event[0], POLLIN, fake.arg);
	assert_true(woken());
	fake.added(fake.event[0], POLLOUT, fake.arg);
	assert_false(woken());
}

/* --- what comes */

static void bytes_come_in_order(void **state)
{
	(void)state;
	dial();
	hears(0, "");
	for (const char *c = "abcdefghijklmnopqrstuvwxyz"; *c; c += 2) {
		says((char[]){ c[0], 0 });
		says((char[]){ c[1], 0 });
		hears(0, (char[]){ c[0], c[1], 0 });
	}
	assert_int_equal(under_way(IN), FLYING_INS);
	hears(0, "");
}

static void what_is_ahead_waits_for_its_turn(void **state)
{
	struct libusb_transfer *t;

	(void)state;
	dial();
	t = fake.flying[1];
	memcpy(t->buffer, "second", 6);
	fake_befalls(t, LIBUSB_TRANSFER_COMPLETED, 6);
	link_ready(lk);
	hears(0, "");
	assert_true(awaited() == NEVER);
	says("first ");
	hears(0, "first second");
}

static void looked_at_when_it_is_worth_it(void **state)
{
	(void)state;
	dial();
	hears(0, "");
	fake_befalls(oldest(IN), LIBUSB_TRANSFER_COMPLETED, 0);
	hears(0, "");
	assert_int_equal(fake.n_done, 1);
	link_ready(lk);
	hears(0, "");
	assert_int_equal(fake.n_done, 0);
}

static void full_packets_and_empty_ones(void **state)
{
	char full[PACKET + 1], all[2 * PACKET + 3];

	(void)state;
	memset(full, 'f', PACKET);
	full[PACKET] = 0;
	snprintf(all, sizeof all, "%s%sz", full, full);
	dial();
	says(full);
	says("");
	says(full);
	says("z");
	hears(0, all);
	says("");
	hears(0, "");
	assert_int_equal(under_way(IN), FLYING_INS);
	assert_int_equal(lk->dropped, 0);
}

static void more_than_there_is_room_for(void **state)
{
	struct buf small;

	(void)state;
	assert_int_equal(buf_init(&small, PACKET + 8), 0);
	dial();
	says("123456789");
	says("abc");
	assert_int_equal(link_recv(lk, &small, 0), 1);
	assert_int_equal(small.len, 9);
	assert_true(awaited() == 0);
	assert_int_equal(link_recv(lk, &small, 0), 1);
	assert_memory_equal(buf_data(&small), "abc", 3);
	assert_true(awaited() == NEVER);
	buf_fini(&small);
}

static void status_of_an_ftdi_is_no_data(void **state)
{
	(void)state;
	dial_kind(USB_FTDI);
	for (size_t n = 0; n <= PACKET; n++) {
		char packet[PACKET + 1], want[PACKET + 1] = "";

		for (size_t i = 0; i < n; i++)
			packet[i] = (char)(i < 2 ? '!' : 'A' + i % 50);
		if (n > 2)
			memcpy(want, packet + 2, n - 2);
		in_ends(LIBUSB_TRANSFER_COMPLETED, packet, n);
		hears(0, want);
	}
	in_ends(LIBUSB_TRANSFER_COMPLETED, "\1\2one", 5);
	in_ends(LIBUSB_TRANSFER_COMPLETED, "\1\2", 2);
	in_ends(LIBUSB_TRANSFER_COMPLETED, "\1\2two", 5);
	hears(0, "onetwo");
}

/* What may become of a transfer, and what that does. */
static const struct fate {
	enum libusb_transfer_status status;
	int error;
	uint64_t rest;
	bool cleared;
} fates[] = {
	{ LIBUSB_TRANSFER_ERROR, 0, REST, false },         { LIBUSB_TRANSFER_TIMED_OUT, 0, REST, false },
	{ LIBUSB_TRANSFER_OVERFLOW, 0, REST, false },      { LIBUSB_TRANSFER_STALL, 0, 0, true },
	{ LIBUSB_TRANSFER_CANCELLED, -ENODEV, 0, false },  { LIBUSB_TRANSFER_NO_DEVICE, -ENODEV, 0, false },
};
enum { FATES = sizeof fates / sizeof *fates };

static void gone_for_good(int error)
{
	for (uint64_t now = 0; now < 3; now++) {
		assert_int_equal(hears(now, ""), error);
		assert_int_equal(send_text("x", now), error);
		assert_int_equal(link_attention(lk, now), error);
	}
}

/* The failing one is the at-th of those that came. */
static void receive_fails(const struct fate *f, unsigned at)
{
	char before[FLYING_INS + 2] = "";

	dial();
	for (unsigned i = 0; i < at; i++) {
		says((char[]){ (char)('a' + i), 0 });
		before[i] = (char)('a' + i);
	}
	in_ends(f->status, "bad", 3);
	says("z");
	if (!f->error && !f->rest)
		before[at] = 'z';
	if (*before)
		hears(100, before);
	if (f->error) {
		gone_for_good(f->error);
		return;
	}
	hears(100, "");
	assert_int_equal(lk->dropped, 1);
	if (f->rest) {
		assert_true(awaited() == 100 + REST);
		hears(100 + REST - 1, "");
		hears(100 + REST, "z");
	}
	assert_true(awaited() == NEVER);
	did(f->cleared ? "clear 81;" : "");
	says("on");
	hears(200, "on");
	assert_int_equal(under_way(IN), FLYING_INS);
}

static void every_end_of_a_receive(void **state)
{
	(void)state;
	for (unsigned at = 0; at < FLYING_INS - 1; at++)
		for (unsigned i = 0; i < FATES; i++) {
			receive_fails(&fates[i], at);
			hang_up();
			fake_nothing_is_left();
			fake.calls[0] = 0;
		}
}

static void those_that_fail_together_are_one_failure(void **state)
{
	(void)state;
	dial();
	for (unsigned i = 0; i < FLYING_INS; i++)
		in_ends(LIBUSB_TRANSFER_ERROR, "", 0);
	hears(0, "");
	hears(REST, "");
	assert_int_equal(lk->dropped, 1);
	assert_int_equal(under_way(IN), FLYING_INS);
	says("x");
	hears(REST, "x");
}

static void fail_in_a_row(enum libusb_transfer_status status, unsigned times, uint64_t *now)
{
	for (unsigned i = 0; i < times; i++, *now += REST) {
		in_ends(status, "", 0);
		hears(*now, "");
	}
}

static void failures_have_a_limit(void **state)
{
	uint64_t now = 0;

	(void)state;
	dial();
	fail_in_a_row(LIBUSB_TRANSFER_ERROR, 40, &now);
	in_ends(LIBUSB_TRANSFER_OVERFLOW, "", 0);
	assert_int_equal(link_recv(lk, &in, now), -EPROTO);
	assert_string_equal(link_why(lk), "the device refuses transfer after transfer");
	gone_for_good(-EPROTO);
}

static void stalls_have_a_limit(void **state)
{
	(void)state;
	dial();
	for (unsigned i = 0; i < 40; i++) {
		in_ends(LIBUSB_TRANSFER_STALL, "", 0);
		hears(0, "");
		did("clear 81;");
	}
	in_ends(LIBUSB_TRANSFER_STALL, "", 0);
	assert_int_equal(link_recv(lk, &in, 0), -EPROTO);
}

static void a_byte_makes_up_for_failures(void **state)
{
	uint64_t now = 0;

	(void)state;
	dial();
	fail_in_a_row(LIBUSB_TRANSFER_ERROR, 40, &now);
	says("x");
	hears(now, "x");
	fail_in_a_row(LIBUSB_TRANSFER_ERROR, 40, &now);
	says("");
	hears(now, "");
	in_ends(LIBUSB_TRANSFER_ERROR, "", 0);
	assert_int_equal(link_recv(lk, &in, now), -EPROTO);
}

static void what_came_is_heard_before_the_end(void **state)
{
	(void)state;
	dial();
	says("last");
	in_ends(LIBUSB_TRANSFER_NO_DEVICE, "", 0);
	hears(0, "last");
	assert_true(awaited() == 0);
	gone_for_good(-ENODEV);
}

static void unplugged_where_a_stall_is_cleared(void **state)
{
	(void)state;
	dial();
	fake.failing = "clear";
	fake.rc = LIBUSB_ERROR_NO_DEVICE;
	in_ends(LIBUSB_TRANSFER_STALL, "", 0);
	assert_int_equal(link_recv(lk, &in, 0), -ENODEV);
}

static void a_stall_that_is_not_cleared_is_borne(void **state)
{
	(void)state;
	dial();
	fake.failing = "clear";
	fake.rc = LIBUSB_ERROR_OTHER;
	in_ends(LIBUSB_TRANSFER_STALL, "", 0);
	hears(0, "");
	says("x");
	hears(0, "x");
}

static void a_receive_that_cannot_be_begun_again(void **state)
{
	(void)state;
	dial();
	fake.failing = "submit in";
	fake.rc = LIBUSB_ERROR_IO;
	says("x");
	hears(0, "x");
	gone_for_good(-EIO);
}

/* --- what is sent */

static void bytes_go_in_order(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("one", 0), 0);
	assert_int_equal(send_text("two", 0), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(send_text("three", 0), -EAGAIN);
	assert_int_equal(out.len, 5);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(1, "");
	assert_int_equal(link_send(lk, &out, 1), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(2, "");
	took("onetwothree", 11);
	assert_int_equal(under_way(OUT), 0);
	assert_true(awaited() == NEVER);
	assert_int_equal(lk->sent, 3);
}

static void a_long_send_is_split_and_gone_on_with(void **state)
{
	enum { LEN = 3 * PIECE + 100 };
	static uint8_t all[LEN];
	int rc;

	(void)state;
	for (size_t i = 0; i < LEN; i++)
		all[i] = (uint8_t)(i * 7 + i / 251);
	dial();
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, all, LEN), 0);
	assert_int_equal(link_send(lk, &out, 0), -EAGAIN);
	assert_int_equal(out.len, LEN - 2 * PIECE);
	for (rc = -EAGAIN; under_way(OUT); rc = rc ? link_send(lk, &out, 0) : 0) {
		out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
		hears(0, "");
	}
	assert_int_equal(rc, 0);
	took(all, LEN);
}

static void what_fills_its_last_packet_is_ended_by_an_empty_one(void **state)
{
	static const unsigned lengths[] = { 1, PACKET - 1, PACKET, PACKET + 1, 5 * PACKET, PIECE };
	char text[PIECE + 1];

	(void)state;
	dial();
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		memset(text, 'x', lengths[i]);
		text[lengths[i]] = 0;
		fake.zero_packets = 0;
		assert_int_equal(send_text(text, 0), 0);
		assert_int_equal(fake.zero_packets, lengths[i] % PACKET == 0);
		out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
		hears(0, "");
	}
}

/* The at-th of two fails when some of it is taken. */
static void send_fails(const struct fate *f, unsigned at, int some)
{
	wire.n = 0;
	dial();
	assert_int_equal(send_text("one", 0), 0);
	assert_int_equal(send_text("two", 0), 0);
	for (unsigned i = 0; i < at; i++)
		out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	out_ends(f->status, some);
	for (unsigned i = 0; i < 3 && !f->error; i++) {
		link_ready(lk);
		hears(100, "");
	}
	if (f->error) {
		gone_for_good(f->error);
		return;
	}
	assert_int_equal(lk->dropped, 1);
	did(f->cleared ? "clear 02;" : "");
	while (under_way(OUT))
		out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	if (f->rest)
		assert_true(awaited() == 100 + REST);
	hears(100 + REST, "");
	took("onetwo", 6);
	assert_true(awaited() == NEVER);
	assert_int_equal(send_text("on", 200), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(200, "");
	took("onetwoon", 8);
}

static void every_end_of_a_send(void **state)
{
	(void)state;
	for (unsigned at = 0; at < 2; at++)
		for (int some = 0; some <= 3; some++)
			for (unsigned i = 0; i < FATES; i++) {
				fake.calls[0] = 0;
				send_fails(&fates[i], at, some);
				hang_up();
				fake_nothing_is_left();
			}
}

static void two_sends_that_fail_are_one_failure(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("one", 0), 0);
	assert_int_equal(send_text("two", 0), 0);
	out_ends(LIBUSB_TRANSFER_ERROR, 1);
	out_ends(LIBUSB_TRANSFER_ERROR, 0);
	hears(0, "");
	assert_int_equal(lk->dropped, 1);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(REST, "");
	took("onetwo", 6);
}

static void nothing_overtakes_what_is_called_back_late(void **state)
{
	(void)state;
	dial();
	fake.cancel_after = 4;
	assert_int_equal(send_text("one", 0), 0);
	assert_int_equal(send_text("two", 0), 0);
	out_ends(LIBUSB_TRANSFER_STALL, 1);
	for (unsigned i = 0; i < 4; i++) {
		link_ready(lk);
		hears(0, "");
		assert_int_equal(send_text("three", 0), -EAGAIN);
		assert_true(awaited() == OUT_BY);
	}
	did("");
	for (unsigned i = 0; i < 2; i++) {
		link_ready(lk);
		hears(0, "");
	}
	did("clear 02;");
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(0, "");
	assert_int_equal(link_send(lk, &out, 0), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(0, "");
	took("onetwothree", 11);
}

/* A send that failed is not seen to before the rest is over. */
static void nothing_is_sent_in_a_rest(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("one", 0), 0);
	in_ends(LIBUSB_TRANSFER_ERROR, "", 0);
	hears(0, "");
	out_ends(LIBUSB_TRANSFER_ERROR, 1);
	assert_int_equal(send_text("two", 1), -EAGAIN);
	hears(REST, "");
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(2 * REST, "");
	assert_int_equal(link_send(lk, &out, 2 * REST), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	took("onetwo", 6);
}

static void sends_that_fail_have_a_limit(void **state)
{
	uint64_t now = 0;

	(void)state;
	dial();
	assert_int_equal(send_text("x", now), 0);
	for (unsigned i = 0; i < 40; i++, now += REST) {
		out_ends(LIBUSB_TRANSFER_ERROR, 0);
		hears(now, "");
	}
	out_ends(LIBUSB_TRANSFER_ERROR, 0);
	assert_int_equal(link_recv(lk, &in, now), -EPROTO);
	gone_for_good(-EPROTO);
}

static void a_send_that_is_never_taken(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("x", 7), 0);
	assert_true(awaited() == 7 + OUT_BY);
	hears(7 + OUT_BY - 1, "");
	assert_int_equal(link_recv(lk, &in, 7 + OUT_BY), -ETIMEDOUT);
	assert_string_equal(link_why(lk), "the device does not take what it is sent");
	gone_for_good(-ETIMEDOUT);
}

static void who_looks_late_finds_it_was_taken(void **state)
{
	(void)state;
	dial();
	hears(0, "");
	assert_int_equal(send_text("x", 0), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	assert_int_equal(send_text("y", 2 * OUT_BY), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(4 * OUT_BY, "");
	took("xy", 2);
}

static void a_send_that_cannot_be_begun(void **state)
{
	static const int rows[][2] = {
		{ LIBUSB_ERROR_NO_DEVICE, -ENODEV }, { LIBUSB_ERROR_NO_MEM, -ENOMEM }, { LIBUSB_ERROR_IO, -EIO }, { LIBUSB_ERROR_BUSY, -EBUSY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fake.failing = NULL;
		hang_up();
		dial();
		fake.failing = "submit out";
		fake.rc = rows[i][0];
		fake.after = 0;
		assert_int_equal(send_text("x", 0), rows[i][1]);
		gone_for_good(rows[i][1]);
	}
}

static void a_send_that_cannot_be_begun_again(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("x", 0), 0);
	fake.failing = "submit out";
	fake.rc = LIBUSB_ERROR_NO_DEVICE;
	out_ends(LIBUSB_TRANSFER_ERROR, 0);
	assert_int_equal(link_recv(lk, &in, 0), -ENODEV);
}

/* Looking into the stall hears of the send; nothing else will tell of it. */
static void what_is_heard_by_the_way_is_not_forgotten(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("one", 0), 0);
	out_ends(LIBUSB_TRANSFER_STALL, 0);
	assert_int_equal(send_text("two", 0), 0);
	says("x");
	assert_int_equal(link_send(lk, &out, 0), 0);
	link_ready(lk);
	assert_int_equal(send_text("three", 0), -EAGAIN);
	assert_true(awaited() == 0);
	hears(0, "x");
}

/* --- adapters */

static void adapters_are_told_their_mode(void **state)
{
	static const struct {
		enum usb_kind kind;
		uint16_t release;
		struct serial_mode mode;
		const char *calls;
	} rows[] = {
		{ USB_ACM, 0, { 115200, 8, 'n', 1, false }, "21 20 0000 0000 00c20100000008;21 22 0003 0000;" },
		{ USB_ACM, 0, { 9600, 7, 'o', 2, false }, "21 20 0000 0000 80250000020107;21 22 0003 0000;" },
		{ USB_ACM, 0, { 921600, 8, 'e', 1, true }, "21 20 0000 0000 00100e00000208;21 22 0003 0000;" },
		{ USB_ACM, 0, { 3000000, 8, 'n', 1, false }, "21 20 0000 0000 c0c62d00000008;21 22 0003 0000;" },
		{ USB_FTDI, 0x0700, { 115200, 8, 'n', 1, false }, "40 00 0000 0002;40 03 001a 0002;40 04 0008 0002;40 02 0000 0002;40 01 0303 0002;" },
		{ USB_FTDI, 0x0700, { 9600, 7, 'o', 2, false }, "40 00 0000 0002;40 03 4138 0002;40 04 1107 0002;40 02 0000 0002;40 01 0303 0002;" },
		{ USB_FTDI, 0x0700, { 921600, 8, 'e', 1, true }, "40 00 0000 0002;40 03 8003 0002;40 04 0208 0002;40 02 0000 0102;40 01 0303 0002;" },
		{ USB_FTDI, 0x0700, { 3000000, 8, 'n', 1, false }, "40 00 0000 0002;40 03 0000 0002;40 04 0008 0002;40 02 0000 0002;40 01 0303 0002;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		hang_up();
		fake.calls[0] = 0;
		fake.release = rows[i].release;
		fake.found.choice.kind = rows[i].kind;
		fake.found.choice.control = rows[i].kind == USB_ACM ? 0 : 1;
		place.mode = rows[i].mode;
		assert_int_equal(link_usb_dial(&lk, &place), 0);
		assert_string_equal(strstr(fake.calls, rows[i].kind == USB_ACM ? "21 20" : "40 00"), rows[i].calls);
	}
}

/* AN232B-05: each eighth, the two below two, and where chips of one port have the last bit. */
static void divisors_of_an_ftdi(void **state)
{
	static const struct {
		unsigned baud;
		const char *other, *old;
	} rows[] = {
		{ 115200, "40 03 001a 0002;", "40 03 001a 0000;" },  { 9600, "40 03 4138 0002;", "40 03 4138 0000;" },
		{ 921600, "40 03 8003 0002;", "40 03 8003 0000;" },  { 3000000, "40 03 0000 0002;", "40 03 0000 0000;" },
		{ 2000000, "40 03 0001 0002;", "40 03 0001 0000;" }, { 1500000, "40 03 0002 0002;", "40 03 0002 0000;" },
		{ 1411765, "40 03 c002 0002;", "40 03 c002 0000;" }, { 1263158, "40 03 0002 0102;", "40 03 0002 0001;" },
		{ 1142857, "40 03 4002 0102;", "40 03 4002 0001;" }, { 1090909, "40 03 8002 0102;", "40 03 8002 0001;" },
		{ 1043478, "40 03 c002 0102;", "40 03 c002 0001;" }, { 300, "40 03 2710 0002;", "40 03 2710 0000;" },
	};
	static const uint16_t releases[] = { 0x0200, 0x0400, 0x0500, 0x0600, 0x0700, 0x0800, 0x0900, 0x1000 };

	(void)state;
	fake.found.choice.kind = USB_FTDI;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t j = 0; j < sizeof releases / sizeof *releases; j++) {
			bool old = j < 2 || j == 3;

			hang_up();
			fake.calls[0] = 0;
			fake.release = releases[j];
			place.mode.baud = rows[i].baud;
			assert_int_equal(link_usb_dial(&lk, &place), 0);
			assert_non_null(strstr(fake.calls, old ? rows[i].old : rows[i].other));
		}
}

/* --- BREAK */

static void a_break(enum usb_kind kind, const char *on, const char *off)
{
	dial_kind(kind);
	assert_int_equal(link_attention(lk, 10), 0);
	did(on);
	assert_int_equal(link_attention(lk, 11), -EAGAIN);
	assert_int_equal(send_text("x", 12), -EAGAIN);
	assert_int_equal(under_way(OUT), 0);
	assert_true(awaited() == 10 + BREAK);
	says("..in it");
	hears(10 + BREAK - 1, kind == USB_FTDI ? "in it" : "..in it");
	did("");
	hears(10 + BREAK, "");
	did(off);
	assert_true(awaited() == NEVER);
	assert_int_equal(link_send(lk, &out, 300), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
	hears(301, "");
	took("x", 1);
}

static void acm_has_a_break(void **state)
{
	(void)state;
	a_break(USB_ACM, "21 23 ffff 0001;", "21 23 0000 0001;");
}

static void ftdi_has_a_break(void **state)
{
	(void)state;
	place.mode = (struct serial_mode){ 9600, 7, 'e', 2, false };
	a_break(USB_FTDI, "40 04 5207 0002;", "40 04 1207 0002;");
}

static void other_devices_have_none(void **state)
{
	(void)state;
	dial();
	assert_int_equal(link_attention(lk, 0), -EOPNOTSUPP);
	assert_int_equal(send_text("x", 0), 0);
	out_ends(LIBUSB_TRANSFER_COMPLETED, -1);
}

static void a_break_that_is_refused(void **state)
{
	static const int rows[][2] = {
		{ LIBUSB_ERROR_PIPE, -EOPNOTSUPP }, { LIBUSB_ERROR_NO_DEVICE, -ENODEV }, { LIBUSB_ERROR_TIMEOUT, -ETIMEDOUT },
	};

	(void)state;
	dial_kind(USB_ACM);
	fake.failing = "control";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fake.after = 0;
		fake.rc = rows[i][0];
		assert_int_equal(link_attention(lk, 0), rows[i][1]);
		assert_true(awaited() == NEVER);
	}
}

static void a_break_that_does_not_end_is_told(void **state)
{
	(void)state;
	dial_kind(USB_ACM);
	assert_int_equal(link_attention(lk, 0), 0);
	assert_null(link_why(lk));
	fake.failing = "control";
	fake.rc = LIBUSB_ERROR_IO;
	hears(BREAK, "");
	assert_string_equal(link_why(lk), "the adapter did not end the BREAK");
}

/* --- closing */

static void what_is_under_way_is_cancelled(void **state)
{
	(void)state;
	dial();
	assert_int_equal(send_text("x", 0), 0);
	hang_up();
	assert_int_equal(fake.cancelled, FLYING_INS + 1);
	fake_nothing_is_left();
}

static void cancelled_late(void **state)
{
	(void)state;
	dial();
	fake.cancel_after = 19;
	hang_up();
	fake_nothing_is_left();
}

/* Its memory may be written to yet; the device is let go of. */
static void never_cancelled(void **state)
{
	static struct libusb_transfer *late;

	(void)state;
	dial();
	fake.cancel_after = UINT_MAX;
	hang_up();
	assert_int_equal(fake.handles, 0);
	assert_int_equal(fake.claims, 0);
	assert_int_equal(fake.transfers, FLYING_INS + 2);
	late = oldest(IN);
	memset(late->buffer, 'l', (size_t)late->length);
	late->callback(late);
	fake.transfers = fake.contexts = 0;
	fake.n_flying = 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_device_is_opened_and_given_back), T(an_alternate_setting_is_set), T(an_adapter_has_two_interfaces), T(a_speed_an_ftdi_has_not_got),
		T(whatever_fails_nothing_is_kept), T(each_request_of_an_ftdi_is_needed), T(what_is_not_found_is_not_opened),
		T(each_allocation_may_fail), T(done_without_descriptors_to_watch), T(its_descriptors_wake), T(bytes_come_in_order),
		T(what_is_ahead_waits_for_its_turn), T(looked_at_when_it_is_worth_it), T(full_packets_and_empty_ones),
		T(more_than_there_is_room_for), T(status_of_an_ftdi_is_no_data), T(every_end_of_a_receive),
		T(those_that_fail_together_are_one_failure), T(failures_have_a_limit), T(stalls_have_a_limit),
		T(a_byte_makes_up_for_failures), T(what_came_is_heard_before_the_end), T(unplugged_where_a_stall_is_cleared),
		T(a_stall_that_is_not_cleared_is_borne), T(a_receive_that_cannot_be_begun_again), T(bytes_go_in_order),
		T(a_long_send_is_split_and_gone_on_with), T(what_fills_its_last_packet_is_ended_by_an_empty_one), T(every_end_of_a_send),
		T(two_sends_that_fail_are_one_failure), T(nothing_overtakes_what_is_called_back_late), T(nothing_is_sent_in_a_rest),
		T(sends_that_fail_have_a_limit),		T(a_send_that_is_never_taken), T(who_looks_late_finds_it_was_taken), T(a_send_that_cannot_be_begun),
		T(a_send_that_cannot_be_begun_again), T(what_is_heard_by_the_way_is_not_forgotten), T(adapters_are_told_their_mode),
		T(divisors_of_an_ftdi), T(acm_has_a_break), T(ftdi_has_a_break), T(other_devices_have_none), T(a_break_that_is_refused),
		T(a_break_that_does_not_end_is_told), T(what_is_under_way_is_cancelled), T(cancelled_late), T(never_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
