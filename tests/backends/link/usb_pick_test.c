/* usb_pick_test.c - which interface is meant, out of good descriptors, cut ones and bad ones. */
#include "backends/link/usb.h"

#include "tests/backends/link/usb_descriptors.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ALL(bytes) ((struct span){ bytes, sizeof bytes })

static const struct usb_place gnu = { .debug = true, .protocol = USB_DEBUG_GNU, .interface = -1 };
static const struct usb_place vendor = { .debug = true, .protocol = USB_DEBUG_VENDOR, .interface = -1 };

static struct usb_place device(uint16_t vid, uint16_t pid)
{
	return (struct usb_place){ .vid = vid, .pid = pid, .interface = -1 };
}

static void debug_interfaces_by_their_protocol(void **state)
{
	struct usb_choice c;

	(void)state;
	assert_int_equal(usb_pick(ALL(usb_dbc), 1, &gnu, &c), 0);
	assert_int_equal(c.in, 0x81);
	assert_int_equal(c.out, 0x01);
	assert_int_equal(c.in_packet, 1024);
	assert_int_equal(c.kind, USB_PLAIN);
	assert_true(c.is_debug);
	assert_int_equal(usb_pick(ALL(usb_dbc), 1, &vendor, &c), -ENOENT);
	assert_int_equal(usb_pick(ALL(usb_kd), 1, &gnu, &c), -ENOENT);
	assert_int_equal(usb_pick(ALL(usb_kd), 1, &vendor, &c), 0);
	assert_int_equal(usb_pick(ALL(usb_ftdi), 1, &gnu, &c), -ENOENT);
}

static void adapters_by_their_numbers(void **state)
{
	struct usb_place p = device(0x0403, 0x6001);
	struct usb_choice c;

	(void)state;
	assert_int_equal(usb_pick(ALL(usb_ftdi), 1, &p, &c), 0);
	assert_int_equal(c.kind, USB_FTDI);
	assert_int_equal(c.out, 0x02);
	p = device(0x1d6b, 0x0104);
	assert_int_equal(usb_pick(ALL(usb_acm), 1, &p, &c), 0);
	assert_int_equal(c.kind, USB_ACM);
	assert_int_equal(c.interface, 3);
	assert_int_equal(c.control, 2);
	assert_int_equal(c.in, 0x82);
	p.interface = 2;
	assert_int_equal(usb_pick(ALL(usb_acm), 1, &p, &c), -ENODEV);
	p = device(0x0403, 0x6002);
	assert_int_equal(usb_pick(ALL(usb_ftdi), 1, &p, &c), -ENOENT);
}

static void the_configuration_that_is_active(void **state)
{
	struct usb_choice c;
	struct usb_place p = device(0x1234, 0x5678);

	(void)state;
	assert_int_equal(usb_pick(ALL(usb_many), 1, &gnu, &c), -ENOENT);
	assert_int_equal(usb_pick(ALL(usb_many), 1, &p, &c), -ENODEV);
	assert_int_equal(usb_pick(ALL(usb_many), 2, &gnu, &c), 0);
	assert_int_equal(c.interface, 2);
	assert_int_equal(c.alternate, 1);
	assert_int_equal(c.in, 0x83);
	assert_int_equal(c.out_packet, 32);
	p.interface = 1;
	assert_int_equal(usb_pick(ALL(usb_many), 2, &p, &c), -ENODEV);
}

/* Cut anywhere: what is whole counts, nothing behind the end is read. */
static void cut_descriptors(void **state)
{
	struct usb_choice c;

	(void)state;
	for (size_t n = 0; n < sizeof usb_dbc; n++) {
		int rc = usb_pick((struct span){ guard_copy(usb_dbc, n), n }, 1, &gnu, &c);

		assert_int_equal(rc, n < 18 ? -EBADMSG : -ENOENT);
	}
	assert_int_equal(usb_pick((struct span){ guard_copy(usb_dbc, sizeof usb_dbc), sizeof usb_dbc }, 1, &gnu, &c), 0);
}

static void lengths_that_lie(void **state)
{
	static const uint8_t none[] = { USB_DEVICE(1, 2), 0, 4, 0 }, over[] = { USB_DEVICE(1, 2), USB_CONFIG(1), 200, 4 };
	static const uint8_t small[] = { USB_DEVICE(1, 2), USB_CONFIG(1), 3, 4, 0, 3, 5, 0x81 };
	static const uint8_t no_packet[] = { USB_DEVICE(1, 2), USB_CONFIG(1), USB_IFACE(0, 0, 0xdc, 2, 1), USB_BULK(0x81, 0), USB_BULK(1, 64) };
	struct usb_choice c;

	(void)state;
	assert_int_equal(usb_pick(ALL(none), 1, &gnu, &c), -ENOENT);
	assert_int_equal(usb_pick(ALL(over), 1, &gnu, &c), -ENOENT);
	assert_int_equal(usb_pick(ALL(small), 1, &gnu, &c), -ENOENT);
	assert_int_equal(usb_pick(ALL(no_packet), 1, &gnu, &c), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_interfaces_by_their_protocol), cmocka_unit_test(adapters_by_their_numbers),
		cmocka_unit_test(the_configuration_that_is_active),   cmocka_unit_test(cut_descriptors),
		cmocka_unit_test(lengths_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
