/* usb_find_test.c - devices found in a made-up sysfs. */
#include "backends/link/usb.h"

#include "tests/backends/link/usb_descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH = 512, MOST = 8 };

static char sys[64];

static void put(const char *device, const char *name, const void *bytes, size_t n)
{
	char path[PATH];
	FILE *f;

	snprintf(path, sizeof path, "%s/bus/usb/devices/%s", sys, device);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	snprintf(path, sizeof path, "%s/bus/usb/devices/%s/%s", sys, device, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void text(const char *device, const char *name, const char *value)
{
	put(device, name, value, strlen(value));
}

static void plug(const char *device, const uint8_t *descriptors, size_t n, const char *bus, const char *number, const char *serial)
{
	char id[8];

	put(device, "descriptors", descriptors, n);
	snprintf(id, sizeof id, "%04x\n", descriptors[8] | descriptors[9] << 8);
	text(device, "idVendor", id);
	snprintf(id, sizeof id, "%04x\n", descriptors[10] | descriptors[11] << 8);
	text(device, "idProduct", id);
	text(device, "busnum", bus);
	text(device, "devnum", number);
	text(device, "bConfigurationValue", "1\n");
	if (serial)
		text(device, "serial", serial);
}

static int setup(void **state)
{
	char path[PATH];

	(void)state;
	strcpy(sys, "/tmp/kdgate-usb-XXXXXX");
	if (!mkdtemp(sys))
		return -1;
	snprintf(path, sizeof path, "mkdir -p %s/bus/usb/devices", sys);
	return system(path);
}

static int teardown(void **state)
{
	char command[PATH];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", sys);
	return system(command);
}

static const struct usb_place gnu = { .debug = true, .protocol = USB_DEBUG_GNU, .interface = -1 };

static void nothing_is_there(void **state)
{
	struct usb_found f;

	(void)state;
	assert_int_equal(usb_find(sys, &gnu, &f), -ENODEV);
	assert_int_equal(usb_find("/nonexistent", &gnu, &f), -ENODEV);
	assert_int_equal(usb_list("/nonexistent", &f, 1), 0);
}

static void the_one_of_that_serial_number(void **state)
{
	struct usb_place p = gnu;
	struct usb_found f;

	(void)state;
	plug("1-1", usb_ftdi, sizeof usb_ftdi, "1\n", "4\n", "A50285BI\n");
	plug("1-2", usb_dbc, sizeof usb_dbc, "1\n", "5\n", "0001\n");
	plug("2-1.4", usb_dbc, sizeof usb_dbc, "2\n", "17\n", "0002\n");
	text("1-2", "product", "Linux USB \033[2J Debug Target\n");
	assert_int_equal(usb_find(sys, &p, &f), 0);
	assert_int_equal(f.number, 5);
	assert_string_equal(f.product, "Linux USB \\x1b[2J Debug Target");
	strcpy(p.serial, "0002");
	assert_int_equal(usb_find(sys, &p, &f), 0);
	assert_int_equal(f.bus, 2);
	assert_int_equal(f.number, 17);
	strcpy(p.serial, "0003");
	assert_int_equal(usb_find(sys, &p, &f), -ENODEV);
}

static void a_device_without_that_interface(void **state)
{
	struct usb_place p = { .vid = 0x0403, .pid = 0x6001, .interface = 7 };
	struct usb_found f;

	(void)state;
	plug("1-1", usb_ftdi, sizeof usb_ftdi, "1\n", "4\n", NULL);
	assert_int_equal(usb_find(sys, &p, &f), -EADDRNOTAVAIL);
	p.interface = -1;
	assert_int_equal(usb_find(sys, &p, &f), 0);
	assert_int_equal(f.choice.kind, USB_FTDI);
	assert_string_equal(f.driver, "");
}

static void who_has_it(void **state)
{
	struct usb_place p = { .vid = 0x0403, .pid = 0x6001, .interface = -1 };
	char path[PATH];
	struct usb_found f;

	(void)state;
	plug("1-1", usb_ftdi, sizeof usb_ftdi, "1\n", "4\n", NULL);
	snprintf(path, sizeof path, "%s/bus/usb/devices/1-1/1-1:1.0", sys);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/bus/usb/devices/1-1/1-1:1.0/driver", sys);
	assert_int_equal(symlink("../../../../bus/usb/drivers/ftdi_sio", path), 0);
	assert_int_equal(usb_find(sys, &p, &f), 0);
	assert_string_equal(f.driver, "ftdi_sio");
}

static void what_is_of_use(void **state)
{
	static const uint8_t hub[] = { USB_DEVICE(0x1d6b, 2), USB_CONFIG(1), USB_IFACE(0, 0, 9, 0, 0), USB_INTERRUPT(0x81) };
	struct usb_found f[MOST];

	(void)state;
	plug("usb1", hub, sizeof hub, "1\n", "1\n", NULL);
	plug("1-1", usb_ftdi, sizeof usb_ftdi, "1\n", "4\n", NULL);
	plug("1-2", usb_kd, sizeof usb_kd, "1\n", "5\n", NULL);
	plug("1-10", usb_acm, sizeof usb_acm, "1\n", "6\n", NULL);
	plug("1-11", (const uint8_t[]){ USB_DEVICE(1, 2) }, 18, "1\n", "7\n", NULL);
	assert_int_equal(usb_list(sys, f, MOST), 3);
	assert_int_equal(f[0].vid, 0x0403);
	assert_true(f[1].choice.is_debug);
	assert_int_equal(f[1].choice.protocol, USB_DEBUG_VENDOR);
	assert_int_equal(f[2].choice.kind, USB_ACM);
	assert_int_equal(usb_list(sys, f, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(the_one_of_that_serial_number, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device_without_that_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(who_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_of_use, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
