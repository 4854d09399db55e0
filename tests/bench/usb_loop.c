/* usb_loop.c - reads memory of a stub behind a USB debug device by libusb's plain calls, and times it: what kdgate is measured against.
 *
 *     usb_loop ADDRESS LENGTH COUNT
 *
 * Prints the median of what a read took: "2500 us". */
#include <libusb-1.0/libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VENDOR = 0x1d6b, PRODUCT = 0x0010, MS = 2000, SIZE = 16384, SUM = 3 };

static libusb_device_handle *device;
static unsigned char in, out;

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

static int by_value(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;

	return (x > y) - (x < y);
}

static int find_endpoints(void)
{
	struct libusb_config_descriptor *c;
	int rc = libusb_get_active_config_descriptor(libusb_get_device(device), &c);

	for (int i = 0; rc == 0 && i < c->interface->altsetting->bNumEndpoints; i++)
		*(c->interface->altsetting->endpoint[i].bEndpointAddress & LIBUSB_ENDPOINT_IN ? &in : &out) =
			c->interface->altsetting->endpoint[i].bEndpointAddress;
	if (rc == 0)
		libusb_free_config_descriptor(c);
	return rc;
}

static void say(const char *text)
{
	unsigned char bytes[64];
	int n = snprintf((char *)bytes, sizeof bytes, "%s", text), sent, rc = libusb_bulk_transfer(device, out, bytes, n, &sent, MS);

	if (rc < 0)
		die("send", rc);
}

/* Until a packet's checksum has come. */
static int hear(unsigned char *bytes)
{
	int got = 0, n, rc;
	unsigned char *hash = NULL;

	while (!hash || bytes + got < hash + SUM) {
		rc = libusb_bulk_transfer(device, in, bytes + got, SIZE - got, &n, MS);
		if (rc < 0)
			die("receive", rc);
		got += n;
		hash = memchr(bytes, '#', (size_t)got);
	}
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
	unsigned long long *took, began;
	int count = argc == 4 ? atoi(argv[3]) : 0, rc = libusb_init(NULL);

	if (count <= 0 || rc < 0)
		die("usage: usb_loop ADDRESS LENGTH COUNT", rc);
	device = libusb_open_device_with_vid_pid(NULL, VENDOR, PRODUCT);
	rc = device ? libusb_claim_interface(device, 0) : LIBUSB_ERROR_NO_DEVICE;
	rc = rc < 0 ? rc : find_endpoints();
	if (rc < 0)
		die("device", rc);
	ask("QStartNoAckMode", answer);
	say("+");
	snprintf(packet, sizeof packet, "m%s,%s", argv[1], argv[2]);
	took = calloc((size_t)count, sizeof *took);
	for (int i = 0; took && i < count; i++) {
		began = now_ns();
		ask(packet, answer);
		took[i] = now_ns() - began;
	}
	if (!took)
		die("memory", LIBUSB_ERROR_NO_MEM);
	qsort(took, (size_t)count, sizeof *took, by_value);
	printf("%llu us\n", took[count / 2] / 1000);
	free(took);
	libusb_close(device);
	libusb_exit(NULL);
	return 0;
}
