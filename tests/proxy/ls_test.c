/* ls_test.c - a made-up /dev and /sys, and what is said of the ports in it. */
#include "proxy/ls.h"

#include "proxy/config.h"

#include "tests/backends/link/usb_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[32], dev[64], by_id[64], tty[64], sys[64], *said;
static struct ls_places places;

static const char *in_dir(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* Every directory above it is made. */
static void put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s", in_dir(name));
	for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = 0;
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void join(const char *name, const char *to)
{
	assert_int_equal(symlink(to, in_dir(name)), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/kdgate-ls-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	snprintf(dev, sizeof dev, "%s/dev", dir);
	snprintf(by_id, sizeof by_id, "%s/dev/serial/by-id", dir);
	snprintf(tty, sizeof tty, "%s/sys/class/tty", dir);
	snprintf(sys, sizeof sys, "%s/sys", dir);
	places = (struct ls_places){ dev, by_id, tty, sys };
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	free(said);
	said = NULL;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static int list(void)
{
	size_t size;
	FILE *to;
	int n;

	free(said);
	to = open_memstream(&said, &size);
	assert_non_null(to);
	n = ls_print_of(&places, to);
	fclose(to);
	return n;
}

static void says(int n, const char *text)
{
	char want[2048] = "", *at;
	size_t len = 0;

	assert_int_equal(list(), n);
	for (; (at = strchr(text, '%')); text = at + 1)
		len += (size_t)snprintf(want + len, sizeof want - len, "%.*s%s", (int)(at - text), text, dir);
	snprintf(want + len, sizeof want - len, "%s", text);
	assert_string_equal(said, want);
}

static void add_uart(const char *name, const char *type)
{
	char path[128];

	snprintf(path, sizeof path, "sys/class/tty/%s/type", name);
	put(path, type);
	snprintf(path, sizeof path, "sys/class/tty/%s/device", name);
	put("sys/devices/pnp0/00:03/id", "PNP0501\n");
	join(path, "../../../devices/pnp0/00:03");
	snprintf(path, sizeof path, "dev/%s", name);
	put(path, "");
}

static void add_usb(const char *name, const char *maker, const char *product)
{
	char path[128], to[128];

	snprintf(path, sizeof path, "sys/devices/usb1/1-%s/1-1:1.0/%s/x", name, name);
	put(path, "");
	snprintf(path, sizeof path, "sys/devices/usb1/1-%s/product", name);
	put(path, product);
	snprintf(path, sizeof path, "sys/devices/usb1/1-%s/manufacturer", name);
	if (maker)
		put(path, maker);
	put("sys/devices/usb1/product", "xHCI Host Controller\n");
	snprintf(path, sizeof path, "sys/class/tty/%s/dev", name);
	put(path, "188:0\n");
	snprintf(path, sizeof path, "sys/class/tty/%s/device", name);
	snprintf(to, sizeof to, "../../../devices/usb1/1-%s/1-1:1.0/%s", name, name);
	join(path, to);
	snprintf(path, sizeof path, "dev/%s", name);
	put(path, "");
}

static void make_by_id(void)
{
	assert_true(mkdir(in_dir("dev/serial"), 0755) == 0 && mkdir(in_dir("dev/serial/by-id"), 0755) == 0);
}

static void link_id(const char *id, const char *to)
{
	char path[400], up[64];

	snprintf(path, sizeof path, "dev/serial/by-id/%s", id);
	snprintf(up, sizeof up, "../../%s", to);
	join(path, up);
}

static void nothing_there(void **state)
{
	(void)state;
	says(0, "");
	put("sys/class/tty/tty0/dev", "4:0\n");
	put("sys/class/tty/ptmx/dev", "5:2\n");
	says(0, "");
}

static void uarts_that_are_there(void **state)
{
	(void)state;
	add_uart("ttyS0", "4\n");
	add_uart("ttyS10", "4\n");
	add_uart("ttyS2", "4\n");
	add_uart("ttyS3", "0\n");
	says(3, "kgdb+serial:%/dev/ttyS0@115200  UART (ttyS0)\nkgdb+serial:%/dev/ttyS2@115200  UART (ttyS2)\n"
		"kgdb+serial:%/dev/ttyS10@115200  UART (ttyS10)\n");
}

static void put_bytes(const char *name, const uint8_t *bytes, size_t n)
{
	FILE *f;

	put(name, "");
	f = fopen(in_dir(name), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void plug(const char *name, const uint8_t *descriptors, size_t n, const char *vid, const char *pid, const char *number)
{
	static const char *const files[] = { "idVendor", "idProduct", "devnum", "busnum", "bConfigurationValue" };
	const char *const values[] = { vid, pid, number, "1", "1" };
	char path[128];

	snprintf(path, sizeof path, "sys/bus/usb/devices/%s/descriptors", name);
	put_bytes(path, descriptors, n);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "sys/bus/usb/devices/%s/%s", name, files[i]);
		put(path, values[i]);
	}
	snprintf(path, sizeof path, "dev/bus/usb/001/%03d", atoi(number));
	put(path, "");
}

static void usb_debug_devices_and_adapters_without_a_driver(void **state)
{
	(void)state;
	plug("1-1", usb_dbc, sizeof usb_dbc, "1d6b", "0010", "4");
	put("sys/bus/usb/devices/1-1/product", "Linux USB Debug Target\n");
	put("sys/bus/usb/devices/1-1/serial", "0001\n");
	plug("1-2", usb_kd, sizeof usb_kd, "3495", "00e0", "5");
	plug("1-3", usb_ftdi, sizeof usb_ftdi, "0403", "6001", "6");
	plug("1-4", usb_ftdi, sizeof usb_ftdi, "0403", "6001", "7");
	put("sys/bus/usb/devices/1-4/1-4:1.0/x", "");
	join("sys/bus/usb/devices/1-4/1-4:1.0/driver", "../../../drivers/ftdi_sio");
	unlink(in_dir("dev/bus/usb/001/005"));
	says(3, "rsp+usb:1d6b:0010/0001  Linux USB Debug Target (USB debug device)\n"
		"kd+usb:3495:00e0 --unconfirmed  no name (USB debug device): No such file or directory (the udev rule scripts/70-kdgate.rules cures that)\n"
		"kgdb+usb:0403:6001@115200  no name (adapter)\n");
}

static void usb_by_names_that_stay(void **state)
{
	(void)state;
	add_usb("ttyUSB0", "FTDI\n", "FT232R USB UART\n");
	add_usb("ttyACM0", NULL, "Probe");
	make_by_id();
	link_id("usb-FTDI_FT232R_A50285BI-if00-port0", "ttyUSB0");
	link_id("usb-gone", "ttyUSB7");
	says(2, "kgdb+serial:%/dev/ttyACM0@115200  Probe (ttyACM0)\n"
		"kgdb+serial:%/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0@115200  FTDI FT232R USB UART (ttyUSB0)\n");
}

/* What is printed is a target that the configuration takes, however odd the names. */
static void names_that_no_target_has_are_passed_over(void **state)
{
	char longest[200], why[CONFIG_WHY];
	struct config_target t;

	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	add_usb("ttyUSB0", NULL, "p\n");
	make_by_id();
	link_id(longest, "ttyUSB0");
	link_id("a b", "ttyUSB0");
	link_id("a\x1b[31m", "ttyUSB0");
	says(1, "kgdb+serial:%/dev/ttyUSB0@115200  p (ttyUSB0)\n");
	link_id("z@9600", "ttyUSB0");
	says(1, "kgdb+serial:%/dev/serial/by-id/z@9600@115200  p (ttyUSB0)\n");
	said[strcspn(said, " ")] = 0;
	config_target_init(&t);
	assert_int_equal(config_target_text(&t, said, why, sizeof why), 0);
	assert_int_equal(t.addr.kind, ADDR_SERIAL);
	assert_non_null(strstr(t.addr.path, "/z@9600"));
	assert_int_equal(t.addr.mode.baud, 115200);
}

static void words_of_a_device_are_made_visible(void **state)
{
	char big[4096];

	(void)state;
	memset(big, 'A', sizeof big - 1);
	big[sizeof big - 1] = 0;
	add_usb("ttyUSB0", "\x1b]0;x\x07", "\xff\n\x1b[2J");
	add_usb("ttyUSB1", big, big);
	assert_int_equal(list(), 2);
	for (const char *p = said; *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p < 0x7f));
	assert_non_null(strstr(said, "  \\x1b]0;x\\x07 \\xff (ttyUSB0)\n"));
	assert_true(strlen(said) < 600);
}

/* Not even where root may all. */
static void who_may_not_open_it_is_told(void **state)
{
	char want[256];
	const struct group *g = getgrgid(getegid());
	bool root = geteuid() == 0;

	(void)state;
	add_uart("ttyS0", "4\n");
	assert_int_equal(chmod(in_dir("dev/ttyS0"), root ? 0640 : 0040), 0);
	if (root)
		assert_int_equal(setegid(65534) | seteuid(65534), 0);
	assert_int_equal(list(), 1);
	if (root)
		assert_int_equal(seteuid(0) | setegid(0), 0);
	snprintf(want, sizeof want, "(ttyS0): Permission denied (is this user in group %s?)\n", g ? g->gr_name : "");
	assert_non_null(strstr(said, want));
	assert_int_equal(unlink(in_dir("dev/ttyS0")), 0);
	says(1, "kgdb+serial:%/dev/ttyS0@115200  UART (ttyS0): No such file or directory\n");
}

static void links_that_go_in_circles(void **state)
{
	(void)state;
	add_uart("ttyS0", "4\n");
	make_by_id();
	assert_int_equal(unlink(in_dir("dev/ttyS0")), 0);
	join("dev/ttyS0", "ttyS0");
	join("sys/class/tty/ttyS1", "ttyS1");
	join("dev/serial/by-id/a", "a");
	says(1, "kgdb+serial:%/dev/ttyS0@115200  UART (ttyS0): Too many levels of symbolic links\n");
}

/* Whatever this machine has: a count, and a line each. */
static void this_machine(void **state)
{
	size_t size, lines = 0;
	FILE *to = open_memstream(&said, &size);
	int n;

	(void)state;
	assert_non_null(to);
	n = ls_print(to);
	fclose(to);
	for (const char *p = said; (p = strchr(p, '\n')); p++)
		lines++;
	assert_true(n >= 0);
	assert_int_equal(lines, n);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(nothing_there), T(uarts_that_are_there), T(usb_by_names_that_stay), T(usb_debug_devices_and_adapters_without_a_driver),
		T(names_that_no_target_has_are_passed_over),
		T(words_of_a_device_are_made_visible), T(who_may_not_open_it_is_told), T(links_that_go_in_circles), T(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
