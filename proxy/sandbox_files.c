/* sandbox_files.c - Landlock: which files, TCP ports and other processes are within reach. The system calls are made
 * directly, with constants of our own where Linux 6.1's headers have none.
 *
 * A rule holds for the file that has the name now, and for all that is in a directory. So what is replaced by a new file
 * while we run, as an audit log by logrotate or passwd by useradd, needs its directory. What no rule can name are Unix
 * sockets: those are seccomp's to refuse. */
#include "proxy/sandbox_parts.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { ABI_MOST = 7, RULE_PORT = 2, DNS_PORT = 53, DIR_ENTRIES = 1024 };
enum { SCOPE_ABSTRACT_UNIX = 1 << 0, SCOPE_SIGNAL = 1 << 1 };
enum { PORT_BIND = 1 << 0, PORT_CONNECT = 1 << 1 };

#define FILE_READ    ((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE)
#define FILE_WRITE   ((uint64_t)LANDLOCK_ACCESS_FS_WRITE_FILE)
#define DIR_MAKE     ((uint64_t)LANDLOCK_ACCESS_FS_MAKE_REG)
#define DIR_REMOVE   ((uint64_t)LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define FILE_TRUNCATE (1ULL << 14)
#define FILE_IOCTL    (1ULL << 15)

/* The kernel's struct landlock_ruleset_attr: an older one has less of it. */
struct ruleset {
	uint64_t files, ports, scopes;
};

struct port_rule {
	uint64_t allowed, port;
};

/* What each ABI can forbid; all of it is forbidden. */
static const struct { int abi; struct ruleset forbids; } since[] = {
	{ 1, { .files = (1ULL << 13) - 1 } },
	{ 2, { .files = LANDLOCK_ACCESS_FS_REFER } },
	{ 3, { .files = FILE_TRUNCATE } },
	{ 4, { .ports = PORT_BIND | PORT_CONNECT } },
	{ 5, { .files = FILE_IOCTL } },
	{ 6, { .scopes = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL } },
};

static struct ruleset all_of(int abi)
{
	struct ruleset all = { 0 };

	for (size_t i = 0; i < sizeof since / sizeof *since; i++) {
		if (since[i].abi > abi)
			continue;
		all.files |= since[i].forbids.files;
		all.ports |= since[i].forbids.ports;
		all.scopes |= since[i].forbids.scopes;
	}
	return all;
}

int sandbox_files_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : abi > ABI_MOST ? ABI_MOST : (int)abi;
}

static int create(const struct ruleset *all)
{
	size_t size = all->scopes ? sizeof *all : all->ports ? offsetof(struct ruleset, scopes) : offsetof(struct ruleset, ports);
	long fd = syscall(SYS_landlock_create_ruleset, all, size, 0);

	return fd < 0 ? -errno : (int)fd;
}

/* What is not there needs no rule. */
static int allow_path(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = open(path, O_PATH | O_CLOEXEC) };
	int rc;

	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
	close(rule.parent_fd);
	return rc;
}

static int allow_dir_of(int ruleset, const char *path, uint64_t rights)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	return allow_path(ruleset, dirname(copy), rights);
}

static int allow_port(int ruleset, uint64_t port)
{
	struct port_rule rule = { PORT_CONNECT, port };

	return syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0) < 0 ? -errno : 0;
}

static bool is_over_tcp(enum addr_kind kind)
{
	return kind == ADDR_TCP || kind == ADDR_TELNET || kind == ADDR_RFC2217;
}

static int allow_ports(int ruleset, const struct config *c, const struct sandbox_needs *n)
{
	int rc = n->names ? allow_port(ruleset, DNS_PORT) : 0;
	const struct addr *a;

	for (size_t i = 0; i < c->targets_n; i++)
		for (size_t k = 0; !rc && (a = config_line(&c->targets[i], k)) != NULL; k++)
			if (is_over_tcp(a->kind))
				rc = allow_port(ruleset, strtoul(a->port, NULL, 10));
	return rc;
}

/* Files of /etc are replaced, not rewritten, when users, networks or name servers change. Its secrets are not for other
 * users; for root they are, so root sees the whole of it only where a look-up must not go wrong. */
static int allow_etc(int ruleset, const struct sandbox_needs *n)
{
	static const char *const files[] = { "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime" };
	int rc = 0;

	if (geteuid() != 0 || n->groups || n->names)
		return allow_path(ruleset, "/etc", FILE_READ);
	for (size_t i = 0; !rc && i < sizeof files / sizeof *files; i++)
		rc = allow_path(ruleset, files[i], FILE_READ);
	return rc;
}

/* Often a link into /run, to a file that is replaced whenever the network changes. */
static int allow_resolver(int ruleset)
{
	char path[PATH_MAX];

	return realpath("/etc/resolv.conf", path) ? allow_dir_of(ruleset, path, FILE_READ) : 0;
}

/* A process's own tables of connections stand in its own directory, which may be read as a whole: what is in it, the
 * process knows. sssd's tables are where its names come from without a question. */
static int allow_system(int ruleset, const struct sandbox_needs *n)
{
	static const char *const more[] = { "/dev/urandom", "/var/lib/sss/mc" };
	int rc = allow_etc(ruleset, n);

	for (size_t i = 0; !rc && i < sizeof more / sizeof *more; i++)
		rc = allow_path(ruleset, more[i], FILE_READ);
	if (!rc && n->diag)
		rc = allow_path(ruleset, "/proc/self", FILE_READ);
	return rc || !n->names ? rc : allow_resolver(ruleset);
}

static bool is_harmless(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_name[0] == '.')
		return strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return false;
	return !S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH));
}

bool sandbox_files_is_log_dir(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e = NULL;
	int seen = 0;
	bool harmless = d != NULL;

	while (harmless && (e = readdir(d)) != NULL)
		harmless = is_harmless(dirfd(d), e) && ++seen <= DIR_ENTRIES;
	if (d)
		closedir(d);
	return harmless;
}

/* Read as well: whether the last line there is whole is seen at its end. */
static int allow_audit(int ruleset, const char *file)
{
	char copy[PATH_MAX];
	struct stat st;
	const char *dir;

	snprintf(copy, sizeof copy, "%s", file);
	dir = dirname(copy);
	if (lstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return allow_path(ruleset, file, FILE_WRITE);
	if (sandbox_files_is_log_dir(dir))
		return allow_path(ruleset, dir, FILE_READ | FILE_WRITE | DIR_MAKE);
	log_line(LOG_LEVEL_NOTICE, "audit log %s: more than logs is in its directory, so SIGHUP will open no new file there "
		 "(give it a directory of its own, or say --sandbox off, sandbox = \"off\")", file);
	return allow_path(ruleset, file, FILE_READ | FILE_WRITE);
}

static int allow_sockets(int ruleset, const struct config *c)
{
	int rc = 0;

	for (size_t i = 0; i < c->targets_n; i++)
		for (size_t k = 0; !rc && k < c->targets[i].listeners_n; k++)
			if (c->targets[i].listeners[k].addr.kind == ADDR_UNIX)
				rc = allow_dir_of(ruleset, c->targets[i].listeners[k].addr.path, DIR_REMOVE);
	return rc;
}

/* Known to sysfs by its number, whatever its name is. */
static bool is_on_usb(const char *device)
{
	char link[64], place[PATH_MAX];
	struct stat st;

	if (stat(device, &st) < 0 || !S_ISCHR(st.st_mode))
		return false;
	snprintf(link, sizeof link, "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return realpath(link, place) && strstr(place, "/usb");
}

/* The file or directory that a line comes back in. device: a buffer; NULL: as root nothing but the file that is not there, so
 * nothing. A name elsewhere that leads nowhere yet is a link that somebody will make, to a pseudo-terminal. */
static const char *place_of_line(const char *path, char *device)
{
	bool here = realpath(path, device) != NULL;

	if (strncmp(here ? device : path, "/dev/pts/", 9) == 0 || (!here && strncmp(path, "/dev/", 5) != 0))
		return "/dev/pts";
	if (here && !is_on_usb(device))
		return device;
	if (geteuid() != 0)
		return "/dev";
	return here ? device : NULL;
}

static int allow_line(int ruleset, const char *target, const char *path, uint64_t rights)
{
	char device[PATH_MAX];
	const char *place = place_of_line(path, device);

	if (!place || (geteuid() == 0 && place == device && is_on_usb(device)))
		log_line(LOG_LEVEL_WARNING, "%s: %s: as root, kdgate will not find it again after it is plugged in anew "
			 "(run kdgate as a user in the device's group, or say --sandbox off, sandbox = \"off\")", target, path);
	return place ? allow_path(ruleset, place, rights) : 0;
}

/* Of other programs' locks on lines, and the lines. */
static int allow_lines(int ruleset, int abi, const struct config *c)
{
	uint64_t rights = (FILE_READ | FILE_WRITE | FILE_IOCTL) & all_of(abi).files;
	int rc = allow_path(ruleset, "/run/lock", FILE_READ);
	const struct addr *a;

	for (size_t i = 0; i < c->targets_n; i++)
		for (size_t k = 0; !rc && (a = config_line(&c->targets[i], k)) != NULL; k++)
			if (a->kind == ADDR_SERIAL)
				rc = allow_line(ruleset, c->targets[i].name, a->path, rights);
	return rc;
}

/* Which device it is shows when it is plugged in: any that this user may open, in the directory of USB devices. */
static int allow_usb(int ruleset, int abi)
{
	uint64_t rights = (FILE_READ | FILE_WRITE | FILE_IOCTL) & all_of(abi).files;
	int rc = allow_path(ruleset, "/dev/bus/usb", rights);

	rc = rc ? rc : allow_path(ruleset, "/sys/bus/usb/devices", FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR);
	return rc ? rc : allow_path(ruleset, "/sys/devices", FILE_READ);
}

static int allow_all(int ruleset, int abi, const struct config *c, const struct sandbox_needs *n)
{
	int rc = allow_system(ruleset, n);

	if (!rc && n->audit)
		rc = allow_audit(ruleset, n->audit);
	if (!rc && n->socket_files)
		rc = allow_sockets(ruleset, c);
	if (!rc && n->serial)
		rc = allow_lines(ruleset, abi, c);
	if (!rc && n->usb)
		rc = allow_usb(ruleset, abi);
	return rc || !all_of(abi).ports ? rc : allow_ports(ruleset, c, n);
}

int sandbox_files_enter(int abi, const struct config *c, const struct sandbox_needs *n)
{
	struct ruleset all = all_of(abi);
	int ruleset = create(&all), rc;

	if (ruleset < 0)
		return ruleset;
	rc = allow_all(ruleset, abi, c, n);
	if (!rc && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		rc = -errno;
	close(ruleset);
	return rc;
}
