/* usb_find.c - the device that is meant, out of those that sysfs shows. See usb.h. */
#include "backends/link/usb.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 512, WORD = 128 };

/* How many bytes; -1. */
static ssize_t read_file(const char *dir, const char *name, void *to, size_t most)
{
	char path[PATH + 64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, to, most);
	close(fd);
	return n;
}

/* Its device chose the text. */
static void read_text(const char *dir, const char *name, char *out, size_t size)
{
	char raw[WORD];
	ssize_t n = read_file(dir, name, raw, sizeof raw);

	if (n > 0 && raw[n - 1] == '\n')
		n--;
	text_ascii(out, size, (struct span){ (const uint8_t *)raw, n > 0 ? (size_t)n : 0 });
}

static unsigned read_number(const char *dir, const char *name, int base)
{
	char text[WORD];

	read_text(dir, name, text, sizeof text);
	return (unsigned)strtoul(text, NULL, base);
}

static void read_driver(const char *dir, const char *name, struct usb_found *f)
{
	char path[PATH + 128], to[PATH];
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s:%u.%u/driver", dir, name, read_number(dir, "bConfigurationValue", 10), f->choice.interface);
	n = readlink(path, to, sizeof to - 1);
	to[n > 0 ? n : 0] = 0;
	text_ascii(f->driver, sizeof f->driver, span_of(strrchr(to, '/') ? strrchr(to, '/') + 1 : to));
}

/* As usb_pick. */
static int look_at(const char *sysfs, const char *name, const struct usb_place *p, struct usb_found *f)
{
	uint8_t raw[USB_DESCRIPTORS];
	char dir[PATH];
	ssize_t n;
	int rc;

	if (snprintf(dir, sizeof dir, "%s/bus/usb/devices/%s", sysfs, name) >= (int)sizeof dir)
		return -ENOENT;
	n = read_file(dir, "descriptors", raw, sizeof raw);
	if (n <= 0)
		return -ENOENT;
	*f = (struct usb_found){ .bus = read_number(dir, "busnum", 10), .number = read_number(dir, "devnum", 10),
	                         .vid = (uint16_t)read_number(dir, "idVendor", 16), .pid = (uint16_t)read_number(dir, "idProduct", 16) };
	read_text(dir, "serial", f->serial, sizeof f->serial);
	read_text(dir, "product", f->product, sizeof f->product);
	if (*p->serial && strcmp(p->serial, f->serial) != 0)
		return -ENOENT;
	rc = usb_pick((struct span){ raw, (size_t)n }, read_number(dir, "bConfigurationValue", 10), p, &f->choice);
	if (!rc)
		read_driver(dir, name, f);
	return rc;
}

/* Interfaces have a colon in their names. */
static int is_device(const struct dirent *e)
{
	return e->d_name[0] != '.' && !strchr(e->d_name, ':');
}

static int scan(const char *sysfs, struct dirent ***list)
{
	char dir[PATH];

	snprintf(dir, sizeof dir, "%s/bus/usb/devices", sysfs);
	return scandir(dir, list, is_device, versionsort);
}

int usb_find(const char *sysfs, const struct usb_place *p, struct usb_found *out)
{
	struct dirent **list = NULL;
	int n = scan(sysfs, &list), rc = -ENODEV, found = 1;

	for (int i = 0; i < n; i++) {
		if (found)
			found = look_at(sysfs, list[i]->d_name, p, out);
		if (found == -ENODEV)
			rc = -EADDRNOTAVAIL;
		free(list[i]);
	}
	free(list);
	return n > 0 && !found ? 0 : rc;
}

static bool is_of_use(const char *sysfs, const char *name, struct usb_found *f)
{
	struct usb_place p = { .debug = true, .protocol = USB_DEBUG_GNU, .interface = -1 };
	char dir[PATH];

	if (look_at(sysfs, name, &p, f) == 0)
		return true;
	p.protocol = USB_DEBUG_VENDOR;
	if (look_at(sysfs, name, &p, f) == 0)
		return true;
	snprintf(dir, sizeof dir, "%s/bus/usb/devices/%s", sysfs, name);
	p = (struct usb_place){ .vid = (uint16_t)read_number(dir, "idVendor", 16), .pid = (uint16_t)read_number(dir, "idProduct", 16), .interface = -1 };
	return look_at(sysfs, name, &p, f) == 0 && f->choice.kind != USB_PLAIN;
}

size_t usb_list(const char *sysfs, struct usb_found *out, size_t most)
{
	struct dirent **list = NULL;
	int n = scan(sysfs, &list);
	size_t have = 0;

	for (int i = 0; i < n; i++) {
		if (have < most && is_of_use(sysfs, list[i]->d_name, &out[have]))
			have++;
		free(list[i]);
	}
	free(list);
	return have;
}
