/* config_test.c - the pieces of a configuration, and what only the whole can tell. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proxy/config.h"
#include "proxy/names.h"
#include "tests/guard.h"

#include <errno.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
	const char *text;
	int kind; /* -1: refused */
	const char *host, *port, *path_or_why;
} targets[] = {
	{ "rsp+tcp:127.0.0.1:1234", ADDR_TCP, "127.0.0.1", "1234", "" },
	{ "rsp+tcp:[::1]:1234", ADDR_TCP, "::1", "1234", "" },
	{ "rsp+tcp:[fe80::1%eth0]:65535", ADDR_TCP, "fe80::1%eth0", "65535", "" },
	{ "rsp+tcp:board-7.lab.example:1", ADDR_TCP, "board-7.lab.example", "1", "" },
	{ "rsp+tcp:localhost:01234", ADDR_TCP, "localhost", "1234", "" },
	{ "rsp+unix:/run/vm/gdb.sock", ADDR_UNIX, "", "", "/run/vm/gdb.sock" },
	{ "rsp+unix:gdb:1.sock", ADDR_UNIX, "", "", "gdb:1.sock" },
	{ "rsp+unix:/with blank", ADDR_UNIX, "", "", "/with blank" },
	{ "kgdb+serial:/dev/ttyUSB0@115200", ADDR_SERIAL, "", "", "/dev/ttyUSB0" },
	{ "kgdb+serial:/dev/serial/by-id/usb-a@b-if00@9600,7e1,rtscts", ADDR_SERIAL, "", "", "/dev/serial/by-id/usb-a@b-if00" },
	{ "rsp+serial:/dev/pts/3", ADDR_SERIAL, "", "", "/dev/pts/3" },
	{ "kgdb+unix:/vm/ttyS0", ADDR_UNIX, "", "", "/vm/ttyS0" },
	{ "rsp+udp:10.0.0.2:6443", ADDR_UDP, "10.0.0.2", "6443", "" },
	{ "kgdb+telnet:[::1]:4000", ADDR_TELNET, "::1", "4000", "" },
	{ "kgdb+rfc2217:lab:4000@57600", ADDR_RFC2217, "lab", "4000", "" },
	{ "kgdb+serial:", -1, NULL, NULL, "kgdb+serial: names no device; expected serial:/dev/ttyUSB0@115200 (kdgate ls shows those that are here)" },
	{ "kgdb+serial:ttyUSB0", -1, NULL, NULL, "kgdb+serial:ttyUSB0 names no device; expected serial:/dev/ttyUSB0@115200 (kdgate ls shows those that are here)" },
	{ "kgdb+serial:/dev/x@", -1, NULL, NULL, "kgdb+serial:/dev/x@ has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts" },
	{ "kgdb+serial:/dev/x@fast", -1, NULL, NULL, "kgdb+serial:/dev/x@fast has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts" },
	{ "kgdb+serial:/dev/x@9600,9n1", -1, NULL, NULL, "kgdb+serial:/dev/x@9600,9n1 has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts" },
	{ "kgdb+serial:/dev/x@9600,8n1,xonxoff", -1, NULL, NULL, "kgdb+serial:/dev/x@9600,8n1,xonxoff has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts" },
	{ "kgdb+serial:/dev/x@12000001", -1, NULL, NULL, "kgdb+serial:/dev/x@12000001 has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts" },
	{ "", -1, NULL, NULL, "the address is empty; expected something like tcp:127.0.0.1:1234" },
	{ "rsp", -1, NULL, NULL, "rsp is not PROTOCOL+LINK:ADDRESS; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "127.0.0.1:1234", -1, NULL, NULL, "127.0.0.1:1234 is not PROTOCOL+LINK:ADDRESS; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "tcp:127.0.0.1:1234", -1, NULL, NULL, "tcp:127.0.0.1:1234 is not PROTOCOL+LINK:ADDRESS; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rsp:127.0.0.1:1", -1, NULL, NULL, "rsp:127.0.0.1:1 is not PROTOCOL+LINK:ADDRESS; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rs+tcp:a:1", -1, NULL, NULL, "rs+tcp:a:1: unknown protocol \"rs\"; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rsp+", -1, NULL, NULL, "rsp+: unknown kind of link \"\"; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rsp+tc:a:1", -1, NULL, NULL, "rsp+tc:a:1: unknown kind of link \"tc\"; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rsp+stdio", -1, NULL, NULL, "rsp+stdio: unknown kind of link \"stdio\"; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "kdnet:0.0.0.0:50000", ADDR_KDNET, "0.0.0.0", "50000", "" },
	{ "kdnet:[::]:50039", ADDR_KDNET, "::", "50039", "" },
	{ "kdnet:lab:50000", -1, NULL, NULL, "kdnet:lab:50000: the target dials us; expected an address of this machine, as in kdnet:0.0.0.0:50000" },
	{ "kdnet:0.0.0.0:0", -1, NULL, NULL, "kdnet:0.0.0.0:0: nothing can be reached at port 0; expected a number from 1 to 65535" },
	{ "kdnet:0.0.0.0", -1, NULL, NULL, "kdnet:0.0.0.0 has no port; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "kdnet+udp:0.0.0.0:50000", -1, NULL, NULL, "kdnet+udp:0.0.0.0:50000 is not PROTOCOL+LINK:ADDRESS; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "kd+kdnet:0.0.0.0:50000", -1, NULL, NULL, "kd+kdnet:0.0.0.0:50000: kdnet is protocol and link; expected kdnet:ADDRESS:PORT" },
	{ "rsp+kdnet:0.0.0.0:50000", -1, NULL, NULL, "rsp+kdnet:0.0.0.0:50000: kdnet is protocol and link; expected kdnet:ADDRESS:PORT" },
	{ "local", -1, NULL, NULL, "local: this version does not have the protocol local yet; expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT" },
	{ "rsp+tcp:127.0.0.1", -1, NULL, NULL, "rsp+tcp:127.0.0.1 has no port; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp", -1, NULL, NULL, "rsp+tcp has no port; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:[::1]", -1, NULL, NULL, "rsp+tcp:[::1] has no port; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:a:", -1, NULL, NULL, "rsp+tcp:a: has no usable port; expected a number from 0 to 65535" },
	{ "rsp+tcp:a:65536", -1, NULL, NULL, "rsp+tcp:a:65536 has no usable port; expected a number from 0 to 65535" },
	{ "rsp+tcp:a:-1", -1, NULL, NULL, "rsp+tcp:a:-1 has no usable port; expected a number from 0 to 65535" },
	{ "rsp+tcp:a:123456", -1, NULL, NULL, "rsp+tcp:a:123456 has no usable port; expected a number from 0 to 65535" },
	{ "rsp+tcp:a:1x", -1, NULL, NULL, "rsp+tcp:a:1x has no usable port; expected a number from 0 to 65535" },
	{ "rsp+tcp:a:0", -1, NULL, NULL, "rsp+tcp:a:0: nothing can be reached at port 0; expected a number from 1 to 65535" },
	{ "rsp+tcp:::1:1234", -1, NULL, NULL, "an IPv6 address stands in brackets; expected tcp:[::1]:1234, not rsp+tcp:::1:1234" },
	{ "rsp+tcp::1234", -1, NULL, NULL, "rsp+tcp::1234 has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:[]:1", -1, NULL, NULL, "rsp+tcp:[]:1 has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:[a]:1", -1, NULL, NULL, "rsp+tcp:[a]:1 has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:127.1:1", -1, NULL, NULL, "rsp+tcp:127.1:1 has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:1.2.3.256:1", -1, NULL, NULL, "rsp+tcp:1.2.3.256:1 has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+tcp:a b:1", -1, NULL, NULL, "rsp+tcp:a b:1 has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234" },
	{ "rsp+unix:", -1, NULL, NULL, "rsp+unix: names no file; expected unix:PATH, such as unix:/run/kdgate/dut1.sock" },
	{ "rsp+unix:@abstract", -1, NULL, NULL, "rsp+unix:@abstract names no file; expected unix:PATH, such as unix:/run/kdgate/dut1.sock" },
	{ "rsp+unix:/a\nb", -1, NULL, NULL, "an address holds a control character; expected none" },
};

static void test_modes(void **state)
{
	static const struct {
		const char *text;
		struct serial_mode mode;
	} vectors[] = {
		{ "kgdb+serial:/dev/x", { 115200, 8, 'n', 1, false } },
		{ "kgdb+serial:/dev/x@9600,7e1,rtscts", { 9600, 7, 'e', 1, true } },
		{ "kgdb+serial:/dev/x@921600,rtscts,8o2", { 921600, 8, 'o', 2, true } },
		{ "kgdb+rfc2217:h:1@300", { 300, 8, 'n', 1, false } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct serial_mode *want = &vectors[i].mode;
		struct config_target t = { 0 };
		char why[CONFIG_WHY] = "";

		assert_int_equal(config_target_text(&t, vectors[i].text, why, sizeof why), 0);
		assert_int_equal(t.addr.mode.baud, want->baud);
		assert_int_equal(t.addr.mode.bits, want->bits);
		assert_int_equal(t.addr.mode.parity, want->parity);
		assert_int_equal(t.addr.mode.stops, want->stops);
		assert_int_equal(t.addr.mode.rtscts, want->rtscts);
	}
}

static void test_usb(void **state)
{
	static const struct {
		const char *text;
		struct usb_place place;
	} vectors[] = {
		{ "rsp+usb:debug", { .debug = true, .protocol = USB_DEBUG_GNU, .interface = -1 } },
		{ "kd+usb:debug", { .debug = true, .protocol = USB_DEBUG_VENDOR, .interface = -1 } },
		{ "rsp+usb:1d6b:0010", { .vid = 0x1d6b, .pid = 0x10, .protocol = USB_DEBUG_GNU, .interface = -1 } },
		{ "kgdb+usb:403:6001/A50285BI:0@9600", { .vid = 0x403, .pid = 0x6001, .serial = "A50285BI", .protocol = USB_DEBUG_GNU } },
		{ "rsp+usb:1d6b:10/a/b:2", { .vid = 0x1d6b, .pid = 0x10, .serial = "a/b", .protocol = USB_DEBUG_GNU, .interface = 2 } },
		{ "rsp+usb:1d6b:10:3", { .vid = 0x1d6b, .pid = 0x10, .protocol = USB_DEBUG_GNU, .interface = 3 } },
	};
	static const char *const bad[] = { "rsp+usb:", "rsp+usb:1d6b", "rsp+usb:1d6b:", "rsp+usb:1d6b:10000", "rsp+usb:1d6b:10/", "rsp+usb:-1:10",
		"rsp+usb:1d6b:10:256", "rsp+usb:1d6b:10:", "rsp+usb:1d6b:10x", "rsp+usb:1d6b:10/a:b", "rsp+usb:debug:1", "rsp+usb:1d6b:10@fast",
		"rsp+usb:1d6b:10/0123456789012345678901234567890123456789012345678901234567890123" };

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct usb_place *want = &vectors[i].place;
		struct config_target t = { 0 };
		char why[CONFIG_WHY] = "";

		assert_int_equal(config_target_text(&t, vectors[i].text, why, sizeof why), 0);
		assert_int_equal(t.addr.kind, ADDR_USB);
		assert_int_equal(t.addr.usb.debug, want->debug);
		assert_int_equal(t.addr.usb.protocol, want->protocol);
		assert_int_equal(t.addr.usb.vid, want->vid);
		assert_int_equal(t.addr.usb.pid, want->pid);
		assert_string_equal(t.addr.usb.serial, want->serial);
		assert_int_equal(t.addr.usb.interface, want->interface);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config_target t = { 0 };
		char why[CONFIG_WHY] = "";

		assert_int_equal(config_target_text(&t, bad[i], why, sizeof why), -EINVAL);
		assert_true(*why);
	}
}

static void test_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		struct config_target t = { .max_clients = 7 }, before = t;
		char why[CONFIG_WHY] = "";
		int rc = config_target_text(&t, (const char *)guard_copy(targets[i].text, strlen(targets[i].text) + 1), why, sizeof why);

		if (targets[i].kind < 0) {
			assert_string_equal(why, targets[i].path_or_why);
			assert_int_equal(rc, -EINVAL);
			assert_memory_equal(&t, &before, sizeof t);
			continue;
		}
		assert_string_equal(why, "");
		assert_int_equal(rc, 0);
		assert_int_equal(t.addr.kind, targets[i].kind);
		assert_string_equal(t.addr.host, targets[i].host);
		assert_string_equal(t.addr.port, targets[i].port);
		assert_string_equal(t.addr.path, targets[i].path_or_why);
		assert_string_equal(t.addr.text, targets[i].text);
	}
}

static const struct {
	const char *text;
	int kind;
	const char *host, *port, *path_or_why;
} addrs[] = {
	{ "tcp:127.0.0.1:0", ADDR_TCP, "127.0.0.1", "0", "" },
	{ "tcp:[::]:1234", ADDR_TCP, "::", "1234", "" },
	{ "tcp:localhost:5", ADDR_TCP, "127.0.0.1", "5", "" },
	{ "unix:/run/a.sock", ADDR_UNIX, "", "", "/run/a.sock" },
	{ "stdio", ADDR_STDIO, "", "", "" },
	{ "stdio:", -1, NULL, NULL, "stdio: has something after stdio; expected stdio" },
	{ "tcp:example.org:5", -1, NULL, NULL, "tcp:example.org:5: a name may mean any address; expected the address to listen at, as in tcp:127.0.0.1:1234" },
	{ "tls:0.0.0.0:1235", -1, NULL, NULL, "tls:0.0.0.0:1235: this version does not have tls yet; expected tcp:ADDRESS:PORT, unix:PATH or stdio" },
	{ "serial:/dev/ttyS0", -1, NULL, NULL, "serial:/dev/ttyS0: unknown kind of listening address \"serial\"; expected tcp:ADDRESS:PORT, unix:PATH or stdio" },
	{ "1234", -1, NULL, NULL, "1234: unknown kind of listening address \"1234\"; expected tcp:ADDRESS:PORT, unix:PATH or stdio" },
	{ ":1234", -1, NULL, NULL, ":1234: unknown kind of listening address \"\"; expected tcp:ADDRESS:PORT, unix:PATH or stdio" },
	{ "rsp+tcp:127.0.0.1:1", -1, NULL, NULL, "rsp+tcp:127.0.0.1:1: unknown kind of listening address \"rsp+tcp\"; expected tcp:ADDRESS:PORT, unix:PATH or stdio" },
};

static void test_addrs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addrs); i++) {
		struct addr a = { .port = "9" };
		char why[CONFIG_WHY] = "";
		int rc = config_addr_text(&a, (const char *)guard_copy(addrs[i].text, strlen(addrs[i].text) + 1), why, sizeof why);

		assert_int_equal(rc, addrs[i].kind < 0 ? -EINVAL : 0);
		assert_string_equal(addrs[i].kind < 0 ? why : a.path, addrs[i].path_or_why);
		assert_string_equal(a.port, addrs[i].kind < 0 ? "9" : addrs[i].port);
		if (rc)
			continue;
		assert_string_equal(a.host, addrs[i].host);
		assert_int_equal(a.kind, addrs[i].kind);
	}
}

/* A shorter text is never the longer one. */
static void test_cut(void **state)
{
	static const char whole[] = "rsp+tcp:[2001:db8::17]:12345";
	char why[CONFIG_WHY], part[sizeof whole];

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		struct config_target t;

		memcpy(part, whole, n);
		part[n] = 0;
		if (!config_target_text(&t, (const char *)guard_copy(part, n + 1), why, sizeof why))
			assert_string_not_equal(t.addr.port, "12345");
	}
}

static void test_lengths(void **state)
{
	char text[CONFIG_ADDRESS + 64], why[CONFIG_WHY];
	struct addr a;

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "unix:", 5);
	text[5 + 107] = 0;
	assert_int_equal(config_addr_text(&a, text, why, sizeof why), 0);
	text[5 + 107] = 'a';
	text[5 + 108] = 0;
	assert_int_equal(config_addr_text(&a, text, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "expected at most 107 characters"));
	text[5 + 108] = 'a';
	text[sizeof text - 1] = 0;
	assert_int_equal(config_addr_text(&a, text, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "expected at most 255 characters"));
	memcpy(text, "rsp+tcp:", 8);
	memcpy(text + 8 + 128, ":1", 3);
	assert_int_equal(config_target_text(&(struct config_target){ 0 }, text, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "expected at most 127 characters"));
}

typedef int piece(void *to, const char *text, char *why, size_t why_size);

static int on_disconnect(void *to, const char *text, char *why, size_t n) { return config_on_disconnect_text(to, text, why, n); }
static int max_clients(void *to, const char *text, char *why, size_t n) { return config_max_clients_text(to, text, why, n); }
static int audit_failure(void *to, const char *text, char *why, size_t n) { return config_audit_failure_text(to, text, why, n); }
static int audit(void *to, const char *text, char *why, size_t n) { return config_audit_text(to, text, why, n); }
static int sandbox(void *to, const char *text, char *why, size_t n) { return config_sandbox_text(to, text, why, n); }
static int record(void *to, const char *text, char *why, size_t n) { return config_record_text(to, text, why, n); }
static int learn(void *to, const char *text, char *why, size_t n) { return config_learn_text(to, text, why, n); }
static int mode(void *to, const char *text, char *why, size_t n) { return config_mode_text(to, text, why, n); }
static int group(void *to, const char *text, char *why, size_t n) { return config_group_text(to, text, why, n); }

static const struct {
	piece *piece;
	const char *text, *why; /* why NULL: fine */
} words[] = {
	{ on_disconnect, "run", NULL },
	{ on_disconnect, "stay", NULL },
	{ on_disconnect, "Run", "unknown word \"Run\"; expected run or stay" },
	{ audit_failure, "stop", NULL },
	{ audit_failure, "continue", NULL },
	{ audit_failure, "", "unknown word \"\"; expected continue or stop" },
	{ max_clients, "1", NULL },
	{ max_clients, "256", NULL },
	{ max_clients, "0", "\"0\" is no number of clients; expected 1 to 256" },
	{ max_clients, "257", "\"257\" is no number of clients; expected 1 to 256" },
	{ max_clients, "-1", "\"-1\" is no number of clients; expected 1 to 256" },
	{ max_clients, "16k", "\"16k\" is no number of clients; expected 1 to 256" },
	{ max_clients, "4294967297", "\"4294967297\" is no number of clients; expected 1 to 256" },
	{ max_clients, "", "\"\" is no number of clients; expected 1 to 256" },
	{ audit, "-", NULL },
	{ audit, "/var/log/a b", NULL },
	{ audit, "", "the audit file has no name; expected a path, or - for standard output" },
	{ sandbox, "try", NULL },
	{ sandbox, "must", NULL },
	{ sandbox, "off", NULL },
	{ sandbox, "Off", "unknown word \"Off\"; expected try, must or off" },
	{ sandbox, "", "unknown word \"\"; expected try, must or off" },
	{ record, "/r", NULL },
	{ record, "", "the recording has no name; expected a path" },
	{ record, "-", "a recording does not go to standard output; expected a path" },
	{ learn, "-", NULL },
	{ learn, "", "the file for what is learned has no name; expected a path, or - for standard output" },
	{ mode, "0660", NULL },
	{ mode, "777", NULL },
	{ mode, "66", "\"66\" is no mode of a socket; expected octal digits, such as 0660" },
	{ mode, "0888", "\"0888\" is no mode of a socket; expected octal digits, such as 0660" },
	{ mode, "1777", "\"1777\" is no mode of a socket; expected octal digits, such as 0660" },
	{ mode, "00660", "\"00660\" is no mode of a socket; expected octal digits, such as 0660" },
	{ mode, "rw-rw----", "\"rw-rw----\" is no mode of a socket; expected octal digits, such as 0660" },
	{ group, "root", NULL },
	{ group, "4711", NULL },
	{ group, "no-such-group", "this system has no group \"no-such-group\"; expected the name or number of one" },
	{ group, "4294967295", "this system has no group \"4294967295\"; expected the name or number of one" },
	{ group, "99999999999999999999", "this system has no group \"99999999999999999999\"; expected the name or number of one" },
	{ group, "", "this system has no group \"\"; expected the name or number of one" },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		static union {
			struct config config;
			struct config_target target;
			struct config_listener listener;
		} to, none;
		char why[CONFIG_WHY] = "";
		int rc;

		memset(&to, 0, sizeof to);
		rc = words[i].piece(&to, words[i].text, why, sizeof why);
		assert_string_equal(why, words[i].why ? words[i].why : "");
		assert_int_equal(rc, words[i].why ? -EINVAL : 0);
		if (rc)
			assert_memory_equal(&to, &none, sizeof to);
	}
}

static void test_values(void **state)
{
	struct config_target t = { 0 };
	struct config_listener l = { 0 };
	struct config c = { 0 };
	char why[CONFIG_WHY];

	(void)state;
	assert_int_equal(config_on_disconnect_text(&t, "stay", why, sizeof why), 0);
	assert_int_equal(t.on_disconnect, ON_DISCONNECT_STAY);
	assert_int_equal(config_on_disconnect_text(&t, "run", why, sizeof why), 0);
	assert_int_equal(t.on_disconnect, ON_DISCONNECT_RUN);
	assert_int_equal(config_max_clients_text(&t, "16", why, sizeof why), 0);
	assert_int_equal(t.max_clients, 16);
	assert_int_equal(config_audit_failure_text(&c, "stop", why, sizeof why), 0);
	assert_int_equal(c.audit_failure, AUDIT_FAILURE_STOP);
	assert_true(c.audit_failure_given);
	assert_int_equal(config_mode_text(&l, "0640", why, sizeof why), 0);
	assert_int_equal(l.mode, 0640);
	assert_int_equal(config_group_text(&l, "4711", why, sizeof why), 0);
	assert_int_equal(l.group, 4711);
	assert_true(l.has_group);
	assert_int_equal(config_name_check("dut-1.a_B", why, sizeof why), 0);
	assert_int_equal(config_name_check("", why, sizeof why), -EINVAL);
	assert_int_equal(config_name_check("a b", why, sizeof why), -EINVAL);
	assert_int_equal(config_name_check("0123456789012345678901234567890123456789012345678901234567890123", why, sizeof why), -EINVAL);
}

static void test_paths_too_long(void **state)
{
	static int (*const pieces[])(struct config *, const char *, char *, size_t) = { config_audit_text, config_record_text, config_learn_text };
	char text[CONFIG_ADDRESS + 1], why[CONFIG_WHY];
	struct config c = { 0 };

	(void)state;
	memset(text, 'a', sizeof text);
	text[CONFIG_ADDRESS] = 0;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		assert_int_equal(pieces[i](&c, text, why, sizeof why), -EINVAL);
		assert_non_null(strstr(why, "is too long; expected at most 255 characters"));
		assert_int_equal(pieces[i](&c, text + 1, why, sizeof why), 0);
	}
	assert_string_equal(c.audit, text + 1);
	assert_string_equal(c.record, text + 1);
	assert_string_equal(c.learn, text + 1);
}

/* Without a word, secure mode decides; a word is what was said, and config_check judges it. */
static void test_what_holds(void **state)
{
	static const struct {
		bool secure;
		const char *sandbox, *failure;
		enum sandbox_mode is;
		enum audit_failure on_failure;
	} cases[] = {
		{ false, NULL, NULL, SANDBOX_TRY, AUDIT_FAILURE_CONTINUE },   { false, "must", "stop", SANDBOX_MUST, AUDIT_FAILURE_STOP },
		{ false, "off", "continue", SANDBOX_OFF, AUDIT_FAILURE_CONTINUE }, { true, NULL, NULL, SANDBOX_MUST, AUDIT_FAILURE_STOP },
		{ true, "try", "stop", SANDBOX_TRY, AUDIT_FAILURE_STOP },     { true, "off", "continue", SANDBOX_OFF, AUDIT_FAILURE_CONTINUE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config c = { .secure = cases[i].secure };
		char why[CONFIG_WHY];

		if (cases[i].sandbox)
			assert_int_equal(config_sandbox_text(&c, cases[i].sandbox, why, sizeof why), 0);
		if (cases[i].failure)
			assert_int_equal(config_audit_failure_text(&c, cases[i].failure, why, sizeof why), 0);
		assert_int_equal(config_sandbox(&c), cases[i].is);
		assert_int_equal(config_audit_failure(&c), cases[i].on_failure);
	}
}

/* What is built in is there, first, and the same as what the filters have. */
static void test_builtins(void **state)
{
	static const char *const names[] = { "full", "debug", "observe", "none" };
	struct config c;
	char why[CONFIG_WHY];
	int policy = 77;

	(void)state;
	assert_int_equal(config_prepare(&c), 0);
	assert_int_equal(c.policies_n, COUNT(names));
	for (int i = 0; i < (int)COUNT(names); i++) {
		const struct policy *own = policy_builtin(names[i]);

		assert_int_equal(config_policy_find(&c, names[i]), i);
		assert_true(config_policy_is_builtin(&c, i));
		assert_int_equal(c.policies[i].count, own->count);
		for (size_t r = 0; r < own->count; r++) {
			assert_int_equal(c.policies[i].rules[r].effects, own->rules[r].effects);
			assert_int_equal(c.policies[i].rules[r].verdict, own->rules[r].verdict);
		}
	}
	assert_false(config_policy_is_builtin(&c, -1));
	assert_false(config_policy_is_builtin(&c, 4));
	assert_int_equal(config_policy_find(&c, "debu"), -1);
	assert_int_equal(config_policy_text(&c, &policy, "debu", why, sizeof why), -EINVAL);
	assert_string_equal(why, "there is no policy \"debu\"; expected one of full, debug, observe, none");
	assert_int_equal(policy, 77);
	config_fini(&c);
	config_fini(&c);
}

static void test_allow(void **state)
{
	struct config c;
	struct config_listener l;
	char why[CONFIG_WHY] = "";
	struct peer root = { .family = AF_UNIX, .has_uid = true }, other = { .family = AF_UNIX, .has_uid = true, .uid = 4242 };

	(void)state;
	assert_int_equal(config_prepare(&c), 0);
	config_listener_init(&l, &c);
	assert_int_equal(l.policy, config_policy_find(&c, "debug"));
	assert_int_equal(l.mode, 0600);
	assert_false(l.allow_given);
	assert_non_null(allow_find(&l.allow, &root));
	assert_null(allow_find(&l.allow, &other));

	assert_int_equal(config_allow_text(&c, &l, "user=no-such-user", why, sizeof why), -ENOENT);
	assert_false(l.allow_given);
	assert_int_equal(config_allow_text(&c, &l, "user=4242", why, sizeof why), 0);
	assert_true(l.allow_given);
	assert_null(allow_find(&l.allow, &root)); /* what is given replaces the default */
	assert_int_equal(allow_find(&l.allow, &other)->policy, -1);
	assert_int_equal(config_allow_text(&c, &l, "user=root,policy=none", why, sizeof why), 0);
	assert_int_equal(allow_find(&l.allow, &root)->policy, config_policy_find(&c, "none"));
	assert_string_equal(allow_find(&l.allow, &root)->text, "user=root");
	assert_int_equal(config_allow_text(&c, &l, "2001:db8::/32,\tpolicy=observe", why, sizeof why), 0);
	assert_int_equal(config_allow_text(&c, &l, "group=root policy=full", why, sizeof why), 0);
	assert_int_equal(l.allow.count, 4);

	assert_int_equal(config_allow_text(&c, &l, "user=root,policy=nix", why, sizeof why), -EINVAL);
	assert_string_equal(why, "there is no policy \"nix\"; expected one of full, debug, observe, none");
	assert_int_equal(config_allow_text(&c, &l, "user=root polcy=full", why, sizeof why), -EINVAL);
	assert_string_equal(why, "\"polcy=full\" after user=root is not understood; expected policy=NAME, or nothing");
	assert_int_equal(config_allow_text(&c, &l, "user=root,policy=full,x", why, sizeof why), -EINVAL);
	assert_int_equal(config_allow_text(&c, &l, "user=root,", why, sizeof why), -EINVAL);
	assert_true(config_allow_text(&c, &l, "", why, sizeof why) < 0);
	assert_int_equal(l.allow.count, 4);
	config_fini(&c);
}

static void test_allow_ceiling(void **state)
{
	struct config c;
	struct config_listener l;
	char why[CONFIG_WHY] = "", long_who[ALLOW_TEXT + 8];

	(void)state;
	assert_int_equal(config_prepare(&c), 0);
	config_listener_init(&l, &c);
	for (int i = 0; i < ALLOW_ENTRIES; i++)
		assert_int_equal(config_allow_add(&c, &l, "192.0.2.1", NULL, why, sizeof why), 0);
	assert_true(config_allow_add(&c, &l, "192.0.2.1", NULL, why, sizeof why) < 0);
	memset(long_who, 'u', sizeof long_who - 1);
	long_who[sizeof long_who - 1] = 0;
	assert_true(config_allow_text(&c, &l, long_who, why, sizeof why) < 0);
	config_fini(&c);
}

/* Whole configurations: "TARGET LISTENER[ WHO...][ plain][ 0660] ; ..." */
static void add_listener(struct config *c, struct config_target *t, char *text)
{
	struct config_listener *l = &t->listeners[t->listeners_n++];
	char why[CONFIG_WHY], *save = NULL;

	config_listener_init(l, c);
	assert_int_equal(config_addr_text(&l->addr, strtok_r(text, " ", &save), why, sizeof why), 0);
	for (char *word = strtok_r(NULL, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (!strcmp(word, "plain"))
			l->plain_accepted = true;
		else if (*word == '0' && !strchr(word, '.'))
			assert_int_equal(config_mode_text(l, word, why, sizeof why), 0);
		else
			assert_int_equal(config_allow_text(c, l, word, why, sizeof why), 0);
	}
}

static void add_target(struct config *c, const char *text)
{
	struct config_target *t = &c->targets[c->targets_n++];
	char copy[256], why[CONFIG_WHY], *save = NULL;

	snprintf(copy, sizeof copy, "%s", text);
	config_target_init(t);
	snprintf(t->name, sizeof t->name, "t%zu", c->targets_n);
	assert_int_equal(config_target_text(t, strtok_r(copy, ";", &save), why, sizeof why), 0);
	for (char *rest = strtok_r(NULL, ";", &save); rest; rest = strtok_r(NULL, ";", &save))
		add_listener(c, t, rest);
}

#define TARGET "rsp+tcp:127.0.0.1:1234;"

static const struct {
	const char *targets[2], *audit, *why; /* why: a part of it; NULL: fine */
} wholes[] = {
	{ { NULL }, "", "there is no target" },
	{ { "rsp+tcp:127.0.0.1:1" }, "", "target t1 has nothing to listen at" },
	{ { TARGET "tcp:127.0.0.1:1235" }, "", NULL },
	{ { TARGET "tcp:127.9.9.9:1234" }, "", NULL },
	{ { TARGET "tcp:[::1]:1235;unix:/x;stdio" }, "", NULL },
	{ { TARGET "tcp:[::1]:1235", TARGET "tcp:[::1]:1236" }, "", NULL },
	{ { "kgdb+serial:/dev/x;tcp:127.0.0.1:2", "kd+serial:/dev/x@9600;tcp:127.0.0.1:3" }, "", "target t2: the line kd+serial:/dev/x@9600 is that of target t1" },
	{ { "rsp+serial:/dev/null;tcp:127.0.0.1:2", "rsp+serial:/dev/../dev/null;tcp:127.0.0.1:3" }, "", "is that of target t1" },
	{ { "kgdb+serial:/dev/x;tcp:127.0.0.1:2", "kgdb+serial:/dev/y;tcp:127.0.0.1:3" }, "", NULL },
	{ { TARGET "tcp:127.0.0.1:1234" }, "", "where the target itself is" },
	{ { "rsp+tcp:localhost:1234;tcp:127.0.0.1:1234" }, "", "where the target itself is" },
	{ { TARGET "tcp:0.0.0.0:1234 192.0.2.1 plain" }, "", "where the target itself is" },
	{ { TARGET "tcp:[::]:1234 192.0.2.1 plain" }, "", "where the target itself is" },
	{ { TARGET "tcp:[::ffff:127.0.0.1]:1234" }, "", "where the target itself is" },
	{ { "rsp+unix:/x;unix:/x" }, "", "where the target itself is" },
	{ { "rsp+unix:/x;unix:/y" }, "", NULL },
	{ { TARGET "tcp:127.0.0.1:2;tcp:127.0.0.1:2" }, "", "is taken by listener tcp:127.0.0.1:2 of target t1" },
	{ { TARGET "tcp:127.0.0.1:2;tcp:localhost:2" }, "", "is taken by listener tcp:127.0.0.1:2 of target t1" },
	{ { TARGET "tcp:127.0.0.1:0;tcp:127.0.0.1:0" }, "", NULL },
	{ { TARGET "tcp:127.0.0.1:2;tcp:0.0.0.0:2 192.0.2.1 plain" }, "", "is taken by" },
	{ { TARGET "tcp:127.0.0.1:2", "rsp+unix:/a;tcp:127.0.0.1:2" }, "", "is taken by listener tcp:127.0.0.1:2 of target t1" },
	{ { TARGET "stdio", "rsp+unix:/a;stdio" }, "", "stdio is taken by" },
	{ { TARGET "unix:/s", "rsp+unix:/a;unix:/s" }, "", "unix:/s is taken by" },
	{ { TARGET "stdio" }, "-", "standard output" },
	{ { TARGET "unix:/s" }, "-", NULL },
	{ { TARGET "unix:/s 0660" }, "", NULL },
	{ { TARGET "tcp:127.0.0.1:2 0660" }, "", "has no mode and no group" },
	{ { TARGET "tcp:192.0.2.7:2" }, "", "its allowlist names no addresses; expected a Unix socket" },
	{ { TARGET "tcp:192.0.2.7:2 plain" }, "", "its allowlist names no addresses" },
	{ { TARGET "tcp:192.0.2.7:2 user=root plain" }, "", "its allowlist names no addresses" },
	{ { TARGET "tcp:192.0.2.7:2 any plain" }, "", "its allowlist lets everybody in" },
	{ { TARGET "tcp:192.0.2.7:2 192.0.2.0/24 any plain" }, "", "its allowlist lets everybody in" },
	{ { TARGET "tcp:192.0.2.7:2 0.0.0.0/0 plain" }, "", "its allowlist lets everybody in" },
	{ { TARGET "tcp:192.0.2.7:2 ::/0 plain" }, "", "its allowlist lets everybody in" },
	{ { TARGET "tcp:192.0.2.7:2 192.0.2.0/24" }, "", "nobody has accepted that" },
	{ { TARGET "tcp:192.0.2.7:2 192.0.2.0/24 plain" }, "", NULL },
	{ { TARGET "tcp:[2001:db8::1]:2 2001:db8::/32 plain" }, "", NULL },
	{ { TARGET "tcp:[::]:2" }, "", "beyond loopback" },
	{ { TARGET "tcp:0.0.0.0:2" }, "", "beyond loopback" },
	{ { TARGET "tcp:[::ffff:127.0.0.1]:2" }, "", NULL },
	{ { TARGET "tcp:128.0.0.1:2" }, "", "beyond loopback" },
	{ { TARGET "tcp:127.0.0.1:2 any" }, "", NULL },
};

static void test_wholes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wholes); i++) {
		struct config c;
		char why[CONFIG_WHY] = "";
		int rc;

		assert_int_equal(config_prepare(&c), 0);
		snprintf(c.audit, sizeof c.audit, "%s", wholes[i].audit);
		for (size_t t = 0; t < 2 && wholes[i].targets[t]; t++)
			add_target(&c, wholes[i].targets[t]);
		rc = config_check(&c, why, sizeof why);
		if (!wholes[i].why)
			assert_string_equal(why, "");
		else if (!strstr(why, wholes[i].why))
			fail_msg("\"%s\" is not in \"%s\"", wholes[i].why, why);
		assert_int_equal(rc, wholes[i].why ? -EINVAL : 0);
		config_fini(&c);
	}
}

/* Two lines that are one, as far as can be told. */
static void test_console_lines(void **state)
{
	static const struct {
		const char *target, *line;
		bool fine;
	} lines[] = {
		{ "kgdb+serial:/dev/ttyUSB0@115200", "serial:/dev/ttyUSB1@115200", true },
		{ "kgdb+serial:/dev/ttyUSB0@115200", "serial:/dev/ttyUSB0@9600", false },
		{ "kgdb+serial:/dev/null", "serial:/dev/../dev/null", false }, /* by another name */
		{ "kgdb+serial:/dev/null", "serial:/dev/zero", true },
		{ "kgdb+serial:/dev/x", "unix:/dev/x", true },
		{ "kgdb+unix:/a", "unix:/a", false },
		{ "kgdb+tcp:127.0.0.1:1", "tcp:localhost:1", false },
		{ "kgdb+tcp:127.0.0.1:1", "telnet:127.0.0.1:1", false },
		{ "kgdb+rfc2217:lab:1", "telnet:lab:1", false },
		{ "kgdb+rfc2217:lab:1", "rfc2217:lab:2", true },
		{ "kgdb+rfc2217:lab:1", "rfc2217:bench:1", true },
		{ "kgdb+udp:127.0.0.1:1", "tcp:127.0.0.1:1", true },
		{ "kgdb+udp:127.0.0.1:1", "udp:127.0.0.1:1", false },
		{ "kgdb+usb:403:6001/A:0", "usb:403:6001/B:0", true },
		{ "kgdb+usb:403:6011/A:0", "usb:403:6011/A:1", true },
		{ "kgdb+usb:403:6001/A:0", "usb:403:6001/A:0@9600", false },
		{ "kgdb+usb:debug", "serial:/dev/x", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct config c;
		char why[CONFIG_WHY] = "", target[128];

		assert_int_equal(config_prepare(&c), 0);
		snprintf(target, sizeof target, "%s;stdio", lines[i].target);
		add_target(&c, target);
		assert_int_equal(config_console_line_text(&c.targets[0], lines[i].line, why, sizeof why), 0);
		assert_ptr_equal(config_line(&c.targets[0], 1), &c.targets[0].console_line);
		assert_null(config_line(&c.targets[0], 2));
		if ((config_check(&c, why, sizeof why) == 0) != lines[i].fine)
			fail_msg("%s and %s: %s", lines[i].target, lines[i].line, why);
		assert_true(lines[i].fine || strstr(why, "is the debugger's line"));
		config_fini(&c);
	}
}

/* Whatever is refused, or cut short, leaves the target as it was. */
static void test_console_line_text(void **state)
{
	static const char *const bad[] = { "", "serial", "serial:", "serial:/dev/x@", "stdio", "tls:h:1", "kdnet:127.0.0.1:1", "kgdb+serial:/dev/x", "tcp:h", "tcp:h:0",
		"telnet::1", "udp:h:99999", "usb:1", "unix:", "unix:\n", "replay:/x" };
	char why[CONFIG_WHY];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config_target t = { .max_clients = 7 }, before = t;

		*why = 0;
		assert_int_equal(config_console_line_text(&t, (const char *)guard_copy(bad[i], strlen(bad[i]) + 1), why, sizeof why), -EINVAL);
		assert_true(*why);
		assert_memory_equal(&t, &before, sizeof t);
	}
	assert_null(config_line(&(struct config_target){ .max_clients = 7 }, 1));
}

/* The same, in secure mode: what is about a listener. */
static const struct {
	const char *target, *audit, *why;
} secures[] = {
	{ TARGET "tcp:127.0.0.1:2", "/a", NULL },
	{ TARGET "tcp:[::1]:2 any", "/a", NULL },
	{ TARGET "unix:/s;stdio", "/a", NULL },
	{ TARGET "unix:/s", "-", NULL },
	{ TARGET "unix:/s", "", "secure mode needs an audit" },
	{ TARGET "tcp:192.0.2.7:2 192.0.2.0/24 plain", "/a", "secure mode has no such listener" },
	{ TARGET "tcp:127.0.0.1:2;tcp:192.0.2.7:2 192.0.2.0/24 plain", "/a", "secure mode has no such listener" },
	{ TARGET "tcp:0.0.0.0:2 192.0.2.0/24 plain", "/a", "secure mode has no such listener" },
	{ TARGET "tcp:[::]:2 2001:db8::/32 plain", "/a", "secure mode has no such listener" },
	{ TARGET "tcp:192.0.2.7:2", "/a", "secure mode has no such listener" },
};

static void test_secure(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(secures); i++) {
		struct config c;
		char why[CONFIG_WHY] = "";
		int rc;

		assert_int_equal(config_prepare(&c), 0);
		c.secure = true;
		snprintf(c.audit, sizeof c.audit, "%s", secures[i].audit);
		add_target(&c, secures[i].target);
		rc = config_check(&c, why, sizeof why);
		if (secures[i].why ? !strstr(why, secures[i].why) : rc)
			fail_msg("%s: %s", secures[i].target, why);
		assert_int_equal(rc, secures[i].why ? -EINVAL : 0);
		config_fini(&c);
	}
}

/* No message is longer than its room, however little it is. */
static void test_short_why(void **state)
{
	struct config_target t;
	struct addr a;
	char why[80];

	(void)state;
	for (size_t size = 1; size < sizeof why; size++) {
		memset(why, 'x', sizeof why);
		assert_int_equal(config_target_text(&t, "rsp+usb:nothing", why, size), -EINVAL);
		assert_true(strlen(why) < size && why[size] == 'x');
		assert_int_equal(config_addr_text(&a, "tcp:::1:9", why, size), -EINVAL);
		assert_true(strlen(why) < size && why[size] == 'x');
	}
}

static void test_names(void **state)
{
	uid_t uid = 5;
	gid_t gid = 5;
	char out[64];

	(void)state;
	assert_int_equal(names_system.uid_of("root", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(names_system.gid_of("root", &gid), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(names_system.uid_of("no-such-user", &uid), -ENOENT);
	assert_int_equal(names_system.gid_of("no-such-group", &gid), -ENOENT);
	assert_string_equal(names_of_user(0, out, sizeof out), "root");
	assert_string_equal(names_of_group(0, out, sizeof out), "root");
	assert_string_equal(names_of_user(4000000000u, out, sizeof out), "4000000000");
	assert_string_equal(names_of_group(4000000000u, out, sizeof out), "4000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secure), cmocka_unit_test(test_what_holds), cmocka_unit_test(test_paths_too_long),
		cmocka_unit_test(test_usb), cmocka_unit_test(test_modes), cmocka_unit_test(test_targets), cmocka_unit_test(test_addrs),         cmocka_unit_test(test_cut),    cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_words),   cmocka_unit_test(test_values),        cmocka_unit_test(test_builtins), cmocka_unit_test(test_allow),
		cmocka_unit_test(test_allow_ceiling), cmocka_unit_test(test_wholes), cmocka_unit_test(test_console_lines),
		cmocka_unit_test(test_console_line_text), cmocka_unit_test(test_short_why), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
