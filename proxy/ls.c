/* ls.c - see ls.h. What udev and sysfs say of a port; a device's own words are somebody else's. */
#include "proxy/ls.h"

#include "base/text.h"
#include "proxy/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEVELS = 6, WORD = 96, PATH = PATH_MAX + 288 }; /* a USB function is at most so deep in its device; a name behind a path */

static bool is_plain(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!isgraph((unsigned char)*p))
			return false;
	return true;
}

/* The first line of a file, fit to be shown. false: none. */
static bool read_word(const char *dir, const char *file, char *out, size_t size)
{
	char path[PATH], line[WORD];
	FILE *f;
	bool had;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	f = fopen(path, "re");
	had = f && fgets(line, sizeof line, f);
	if (f)
		fclose(f);
	if (!had)
		return false;
	line[strcspn(line, "\n")] = 0;
	text_ascii(out, size, span_of(line));
	return *out;
}

/* "FTDI FT232R USB UART": what a device above says of itself; a UART of the machine says nothing. */
static void describe(const char *tty, const char *name, char *out, size_t size)
{
	char path[PATH], at[PATH_MAX], maker[WORD], product[WORD], *slash;

	snprintf(out, size, "UART");
	snprintf(path, sizeof path, "%s/%s/device", tty, name);
	if (!realpath(path, at))
		return;
	for (int i = 0; i < LEVELS && (slash = strrchr(at, '/')) && slash != at; i++) {
		if (read_word(at, "product", product, sizeof product)) {
			bool made = read_word(at, "manufacturer", maker, sizeof maker);

			snprintf(out, size, "%s%s%s", made ? maker : "", made ? " " : "", product);
			return;
		}
		*slash = 0;
	}
}

/* Consoles and pseudo-terminals have no device; a UART of type 0 is a number nothing answers to. */
static bool is_port(const char *tty, const char *name)
{
	char path[PATH], dir[PATH], type[WORD];

	snprintf(path, sizeof path, "%s/%s/device", tty, name);
	snprintf(dir, sizeof dir, "%s/%s", tty, name);
	return name[0] != '.' && is_plain(name) && access(path, F_OK) == 0 && !(read_word(dir, "type", type, sizeof type) && strcmp(type, "0") == 0);
}

static bool leads_to(const char *dir, const char *name, const char *device)
{
	char path[PATH], real[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return strlen(path) < sizeof ((struct addr *)NULL)->path && is_plain(path) && realpath(path, real) && strcmp(real, device) == 0;
}

/* By-id if there is one; else as it is called. */
static void name_of(const struct ls_places *places, const char *device, char *out, size_t size)
{
	struct dirent **list = NULL;
	char real[PATH_MAX];
	bool found = false;
	int n = realpath(device, real) ? scandir(places->by_id, &list, NULL, alphasort) : 0;

	snprintf(out, size, "%s", device);
	for (int i = 0; i < n; i++) {
		if (!found && leads_to(places->by_id, list[i]->d_name, real)) {
			snprintf(out, size, "%s/%s", places->by_id, list[i]->d_name);
			found = true;
		}
		free(list[i]);
	}
	free(list);
}

/* "": nothing. */
static void hindrance(const char *device, char *out, size_t size)
{
	const struct group *group;
	struct stat st;

	*out = 0;
	if (faccessat(AT_FDCWD, device, R_OK | W_OK, AT_EACCESS) == 0)
		return;
	snprintf(out, size, ": %s", strerror(errno));
	if (errno != EACCES || stat(device, &st) < 0 || !(st.st_mode & S_IRGRP))
		return;
	group = getgrgid(st.st_gid);
	if (group)
		snprintf(out, size, ": %s (is this user in group %s?)", strerror(EACCES), group->gr_name);
}

static void print_port(const struct ls_places *places, const char *name, FILE *to)
{
	char device[PATH], path[PATH], what[2 * WORD + 2], but[WORD + 64];

	snprintf(device, sizeof device, "%s/%s", places->dev, name);
	name_of(places, device, path, sizeof path);
	describe(places->tty, name, what, sizeof what);
	hindrance(device, but, sizeof but);
	fprintf(to, "kgdb+serial:%s@115200  %s (%s)%s\n", path, what, name, but);
}

static void usb_hindrance(const struct ls_places *places, const struct usb_found *f, char *out, size_t size)
{
	char device[PATH];

	snprintf(device, sizeof device, "%s/bus/usb/%03u/%03u", places->dev, f->bus, f->number);
	*out = 0;
	if (faccessat(AT_FDCWD, device, R_OK | W_OK, AT_EACCESS) < 0)
		snprintf(out, size, ": %s (the udev rule scripts/70-kdgate.rules cures that)", strerror(errno));
}

/* By its numbers, and its serial number if a target may have that. */
static void print_usb(const struct ls_places *places, const struct usb_found *f, FILE *to)
{
	bool kd = f->choice.is_debug && f->choice.protocol == USB_DEBUG_VENDOR, serial = *f->serial && is_plain(f->serial);
	char but[PATH];

	usb_hindrance(places, f, but, sizeof but);
	fprintf(to, "%s+usb:%04x:%04x%s%s%s%s  %s (%s)%s\n", f->choice.is_debug ? kd ? "kd" : "rsp" : "kgdb", f->vid, f->pid, serial ? "/" : "",
	        serial ? f->serial : "", f->choice.is_debug ? "" : "@115200", kd ? " --unconfirmed" : "", *f->product ? f->product : "no name",
	        f->choice.is_debug ? "USB debug device" : "adapter", but);
}

static int print_usbs(const struct ls_places *places, FILE *to)
{
	enum { MOST = 32 };
	static struct usb_found found[MOST];
	size_t n = usb_list(places->sys, found, MOST);
	int printed = 0;

	for (size_t i = 0; i < n; i++) {
		if (*found[i].driver && !found[i].choice.is_debug)
			continue; /* a serial port, and told as that */
		print_usb(places, &found[i], to);
		printed++;
	}
	return printed;
}

static int print_ports(const struct ls_places *places, FILE *to)
{
	struct dirent **list = NULL;
	int n = scandir(places->tty, &list, NULL, versionsort), ports = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (is_port(places->tty, list[i]->d_name)) {
			print_port(places, list[i]->d_name, to);
			ports++;
		}
		free(list[i]);
	}
	free(list);
	return ports;
}

int ls_print_of(const struct ls_places *places, FILE *to)
{
	int ports = print_ports(places, to);

	return ports < 0 ? ports : ports + print_usbs(places, to);
}

int ls_print(FILE *to)
{
	return ls_print_of(&(struct ls_places){ "/dev", "/dev/serial/by-id", "/sys/class/tty", "/sys" }, to);
}
