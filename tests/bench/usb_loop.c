/* usb_loop.c - reads memory of a stub behind a USB debug device by libusb's plain calls, and times it: what kdgate is measured against.
 *
 *     usb_loop ADDRESS LENGTH COUNT
 *
 * Prints "NS ns a read, ROUNDS round trips". */
#include <libusb-1.0/libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VENDOR = 0x1d6b, PRODUCT = 0x0010, OUT = 0x01, IN = 0x82, MS = 2000, SIZE = 16384, SUM = 3 };

static libusb_device_handle *device;
static unsigned long rounds;

static void die(const char *what, int rc)
{
	fprintf(stderr, "usb_loop: %s: %s\n", what, libusb_error_name(rc));
	exit(1);
}

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000000000ULL + (unsigned long long)t.tv_nsec;
}

static void say(const char *text)
{
	unsigned char bytes[64];
	int n = snprintf((char *)bytes, sizeof bytes, "%s", text), sent, rc = libusb_bulk_transfer(device, OUT, bytes, n, &sent, MS);

	if (rc < 0)
		die("send", rc);
}

/* Until a packet's checksum has come. */
static int hear(unsigned char *bytes)
{
	int got = 0, n, rc;
	unsigned char *hash = NULL;

	while (!hash || bytes + got < hash + SUM) {
		rc = libusb_bulk_transfer(device, IN, bytes + got, SIZE - got, &n, MS);
		if (rc < 0)
			die("receive", rc);
		got += n;
		hash = memchr(bytes, '#', (size_t)got);
	}
	rounds++;
	return got;
}

static void ask(const char *packet, unsigned char *answer)
{
	char text[64];
	unsigned sum = 0;

	for (const char *p = packet; *p; p++)
		sum += (unsigned char)*p;
	snprintf(text, sizeof text, "$%s#%02x", packet, sum & 0xff);
	say(text);
	(void)hear(answer);
}

int main(int argc, char **argv)
{
	static unsigned char answer[SIZE];
	char packet[48];
	unsigned long long began;
	int count = argc == 4 ? atoi(argv[3]) : 0, rc = libusb_init(NULL);

	if (count <= 0 || rc < 0)
		die("usage: usb_loop ADDRESS LENGTH COUNT", rc);
	device = libusb_open_device_with_vid_pid(NULL, VENDOR, PRODUCT);
	rc = device ? libusb_claim_interface(device, 0) : LIBUSB_ERROR_NO_DEVICE;
	if (rc < 0)
		die("device", rc);
	ask("QStartNoAckMode", answer);
	say("+");
	snprintf(packet, sizeof packet, "m%s,%s", argv[1], argv[2]);
	rounds = 0;
	began = now_ns();
	for (int i = 0; i < count; i++)
		ask(packet, answer);
	printf("%llu ns a read, %lu round trips\n", (now_ns() - began) / (unsigned long long)count, rounds);
	libusb_close(device);
	libusb_exit(NULL);
	return 0;
}
