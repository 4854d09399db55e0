/* gadget.c - a USB debug device whose target is a stub behind a socket: FunctionFS's user space, for a guest that is its own host.
 *
 *     gadget FFS-DIRECTORY PROTOCOL TARGET
 *
 * One interface DC/02/PROTOCOL with a bulk endpoint each way (USB Debug Class 1.0). TARGET: a TCP port of this machine, or the path of
 * a Unix socket, and dialled again when it hangs up. The socket is kept while the cable is out: the target notices nothing, and what it
 * says then is lost. Standard input has a command a line:
 *
 *     stall in, stall out    the endpoint halts at the next transfer
 *     piece N                what the target says leaves in transfers of N bytes, without the empty packet that would end them; 0: as it comes
 *     empty N                N empty packets before each transfer to the host
 *     slow MS                before each transfer to the host
 *     deaf N                 1: what the host sends is not taken, but for the transfer that is awaited already; 0: it is */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/functionfs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CLASS_DEBUG = 0xdc, SUBCLASS_DBC = 2, FULL_PACKET = 64, HIGH_PACKET = 512, SUPER_PACKET = 1024, SIZE = 16384, TRY_MS = 20 };

struct endpoints {
	struct usb_interface_descriptor interface;
	struct usb_endpoint_descriptor_no_audio out, in;
} __attribute__((packed));

struct super_endpoints {
	struct usb_interface_descriptor interface;
	struct usb_endpoint_descriptor_no_audio out;
	struct usb_ss_ep_comp_descriptor out_more;
	struct usb_endpoint_descriptor_no_audio in;
	struct usb_ss_ep_comp_descriptor in_more;
} __attribute__((packed));

struct descriptors {
	struct usb_functionfs_descs_head_v2 head;
	__le32 full_count, high_count, super_count;
	struct endpoints full, high;
	struct super_endpoints super;
} __attribute__((packed));

static const char name[] = "Debug";

struct strings {
	struct usb_functionfs_strings_head head;
	__le16 language;
	char text[sizeof name];
} __attribute__((packed));

static struct gadget {
	int control, out, in, target;
	atomic_bool stall_in, stall_out;
	atomic_int piece, empty, slow, deaf;
} g;

static void die(const char *what)
{
	fprintf(stderr, "gadget: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* --- what it is */

static struct usb_interface_descriptor interface_of(int protocol)
{
	return (struct usb_interface_descriptor){ .bLength = USB_DT_INTERFACE_SIZE, .bDescriptorType = USB_DT_INTERFACE, .bNumEndpoints = 2,
	                                          .bInterfaceClass = CLASS_DEBUG, .bInterfaceSubClass = SUBCLASS_DBC,
	                                          .bInterfaceProtocol = (__u8)protocol, .iInterface = 1 };
}

static struct usb_endpoint_descriptor_no_audio endpoint(int address, int packet)
{
	return (struct usb_endpoint_descriptor_no_audio){ .bLength = USB_DT_ENDPOINT_SIZE, .bDescriptorType = USB_DT_ENDPOINT,
	                                                  .bEndpointAddress = (__u8)address, .bmAttributes = USB_ENDPOINT_XFER_BULK,
	                                                  .wMaxPacketSize = (__le16)packet };
}

static struct endpoints endpoints(int protocol, int packet)
{
	return (struct endpoints){ interface_of(protocol), endpoint(1 | USB_DIR_OUT, packet), endpoint(2 | USB_DIR_IN, packet) };
}

static struct super_endpoints super_endpoints(int protocol)
{
	struct usb_ss_ep_comp_descriptor more = { .bLength = USB_DT_SS_EP_COMP_SIZE, .bDescriptorType = USB_DT_SS_ENDPOINT_COMP };

	return (struct super_endpoints){ interface_of(protocol), endpoint(1 | USB_DIR_OUT, SUPER_PACKET), more,
	                                 endpoint(2 | USB_DIR_IN, SUPER_PACKET), more };
}

static void describe(int protocol)
{
	enum { FULL_COUNT = 3, SUPER_COUNT = 5, LANGUAGE = 0x409 };
	struct descriptors d = {
		.head = { FUNCTIONFS_DESCRIPTORS_MAGIC_V2, sizeof d, FUNCTIONFS_HAS_FS_DESC | FUNCTIONFS_HAS_HS_DESC | FUNCTIONFS_HAS_SS_DESC },
		.full_count = FULL_COUNT, .high_count = FULL_COUNT, .super_count = SUPER_COUNT,
		.full = endpoints(protocol, FULL_PACKET), .high = endpoints(protocol, HIGH_PACKET), .super = super_endpoints(protocol),
	};
	struct strings s = { .head = { FUNCTIONFS_STRINGS_MAGIC, sizeof s, 1, 1 }, .language = LANGUAGE };

	memcpy(s.text, name, sizeof name);
	if (write(g.control, &d, sizeof d) < 0 || write(g.control, &s, sizeof s) < 0)
		die("descriptors");
}

static int open_in(const char *directory, const char *file)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/%s", directory, file);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

/* --- its target */

static int try_path(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(a.sun_path, path, sizeof a.sun_path - 1);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

static int try_port(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial(const char *target)
{
	int fd;

	while ((fd = *target == '/' ? try_path(target) : try_port(target)) < 0)
		sleep_ms(TRY_MS);
	return fd;
}

/* --- bytes. The cable is out: reading sleeps until it is in, writing fails. */

static void to_target(const char *bytes, ssize_t n)
{
	for (ssize_t done = 0, k; done < n; done += k)
		if ((k = send(g.target, bytes + done, (size_t)(n - done), MSG_NOSIGNAL)) < 0)
			return;
}

/* What I/O the wrong way does (Documentation/usb/functionfs.rst), which fails with EBADMSG. */
static void halted(ssize_t rc)
{
	printf("gadget: %s\n", rc < 0 && errno == EBADMSG ? "halted" : "does not halt");
	fflush(stdout);
}

static void *from_host(void *none)
{
	static char bytes[SIZE];
	ssize_t n;

	for (;;) {
		while (atomic_load(&g.deaf))
			sleep_ms(1);
		n = read(g.out, bytes, sizeof bytes);
		if (n > 0)
			to_target(bytes, n);
		else if (n < 0)
			sleep_ms(1);
		if (atomic_exchange(&g.stall_out, false))
			halted(write(g.out, bytes, 1));
	}
	return none;
}

static void to_host(const char *bytes, ssize_t n)
{
	int piece = atomic_load(&g.piece);
	char unused;

	if (atomic_load(&g.slow))
		sleep_ms(atomic_load(&g.slow));
	if (atomic_exchange(&g.stall_in, false))
		halted(read(g.in, &unused, 1));
	for (int i = 0; i < atomic_load(&g.empty); i++)
		(void)!write(g.in, bytes, 0);
	for (ssize_t done = 0, k; done < n; done += k) {
		k = piece && piece < n - done ? piece : n - done;
		if (write(g.in, bytes + done, (size_t)k) < 0)
			return;
	}
}

/* The descriptor's number stays: the other thread has it. */
static void *from_target(void *name_of_target)
{
	static char bytes[SIZE];
	ssize_t n;
	int fd;

	for (;;) {
		while ((n = read(g.target, bytes, sizeof bytes)) > 0)
			to_host(bytes, n);
		fd = dial(name_of_target);
		if (dup3(fd, g.target, O_CLOEXEC) < 0)
			die("target");
		close(fd);
	}
	return name_of_target;
}

/* --- requests, and commands */

/* None is known: I/O the wrong way refuses it. */
static void refuse(const struct usb_ctrlrequest *r)
{
	char byte;

	if (r->bRequestType & USB_DIR_IN)
		(void)!read(g.control, &byte, 0);
	else
		(void)!write(g.control, &byte, 0);
}

static void *from_control(void *none)
{
	struct usb_functionfs_event e;

	while (read(g.control, &e, sizeof e) == sizeof e)
		if (e.type == FUNCTIONFS_SETUP)
			refuse(&e.u.setup);
	die("control endpoint");
	return none;
}

static void obey(const char *line)
{
	int n;

	if (!strcmp(line, "stall in\n"))
		atomic_store(&g.stall_in, true);
	else if (!strcmp(line, "stall out\n"))
		atomic_store(&g.stall_out, true);
	else if (sscanf(line, "piece %d", &n) == 1)
		atomic_store(&g.piece, n);
	else if (sscanf(line, "empty %d", &n) == 1)
		atomic_store(&g.empty, n);
	else if (sscanf(line, "slow %d", &n) == 1)
		atomic_store(&g.slow, n);
	else if (sscanf(line, "deaf %d", &n) == 1)
		atomic_store(&g.deaf, n);
	else
		fprintf(stderr, "gadget: unknown command %s", line);
}

int main(int argc, char **argv)
{
	static void *(*const threads[])(void *) = { from_control, from_host, from_target };
	pthread_t thread;
	char line[64];

	if (argc != 4) {
		fprintf(stderr, "usage: gadget FFS-DIRECTORY PROTOCOL TARGET\n");
		return 2;
	}
	g.control = open_in(argv[1], "ep0");
	describe(atoi(argv[2]));
	g.out = open_in(argv[1], "ep1");
	g.in = open_in(argv[1], "ep2");
	puts("gadget: ready");
	fflush(stdout);
	g.target = dial(argv[3]);
	for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
		if (pthread_create(&thread, NULL, threads[i], argv[3]))
			die("thread");
	while (fgets(line, sizeof line, stdin))
		obey(line);
	for (;;)
		pause();
}
