/* listen.c - see listen.h. */
#include "proxy/listen.h"

#include "proxy/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

/* Where the words of an error go. */
struct words {
	const char *address;
	char *why;
	size_t size;
};

/* "ADDRESS: cause (remedy)" */
static int fail(const struct words *w, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(const struct words *w, int error, const char *fmt, ...)
{
	char remedy[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(remedy, sizeof remedy, fmt, ap);
	va_end(ap);
	snprintf(w->why, w->size, "%s: %s (%s)", w->address, strerror(error), remedy);
	return -error;
}

static const char *remedy_of(int error)
{
	static const struct { int error; const char *text; } remedies[] = {
		{ EADDRNOTAVAIL, "this machine has no such address: 'ip address' shows those it has" },
		{ EAFNOSUPPORT, "this kernel has no such kind of address" },
		{ EMFILE, "too many open files: raise LimitNOFILE or ulimit -n" },
		{ ENOENT, "its directory is not there: make it first" },
		{ ENOTDIR, "its directory is not one" },
		{ EROFS, "choose a place that can be written, such as /run" },
		{ EBUSY, "somebody exchanged its file: choose a directory where only this user may write" },
		{ EPERM, "this user may not give a file to that group" },
	};

	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			return remedies[i].text;
	return "cannot listen there";
}

static int fail_tcp(const struct words *w, int error, const struct addr *a)
{
	if (error == EADDRINUSE)
		return fail(w, error, "another program listens there: ss -ltnp 'sport = :%s' shows which", a->port);
	if (error == EACCES)
		return fail(w, error, "ports below 1024 are for root: use a higher one, or give the program CAP_NET_BIND_SERVICE");
	return fail(w, error, "%s", remedy_of(error));
}

static int bind_tcp(int fd, const struct addrinfo *ai)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
		return -errno;
	if (ai->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
		return -errno;
	return bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
}

/* Numbers only: the configuration knows no names here, so nothing is looked up. */
static int open_tcp(struct listener *l, const struct addr *a, const struct words *w)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *ai = NULL;
	int found = getaddrinfo(a->host, a->port, &hints, &ai), rc;

	if (found != 0)
		return fail(w, EINVAL, "%s", gai_strerror(found));
	l->fd = socket(ai->ai_family, SOCKET_FLAGS, 0);
	rc = l->fd < 0 ? -errno : bind_tcp(l->fd, ai);
	freeaddrinfo(ai);
	return rc ? fail_tcp(w, -rc, a) : 0;
}

static int fail_unix(const struct words *w, int error)
{
	if (error == EACCES)
		return fail(w, error, "this user may not create a file in that directory");
	return fail(w, error, "%s", remedy_of(error));
}

static int connect_to(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCKET_FLAGS, 0), rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int remove_stale(const struct sockaddr_un *at, const struct words *w)
{
	if (unlink(at->sun_path) < 0 && errno != ENOENT)
		return fail(w, errno, "a socket that nobody listens on is in the way, and this user may not remove it");
	return 0;
}

/* What stands there already: nothing, somebody's, or what a program that was killed left behind. */
static int make_room(const struct sockaddr_un *at, const struct words *w)
{
	struct stat st;
	int rc;

	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail_unix(w, errno);
	if (!S_ISSOCK(st.st_mode))
		return fail(w, EEXIST, "it is not a socket: move it away, or choose another path");
	rc = connect_to(at);
	if (rc == -ECONNREFUSED)
		return remove_stale(at, w);
	if (rc == 0 || rc == -EAGAIN)
		return fail(w, EADDRINUSE, "another program listens there: ss -lxp shows which");
	return rc == -ENOENT ? 0 : fail(w, EADDRINUSE, "it is somebody's socket, which cannot be asked: %s", strerror(-rc));
}

/* The file that bind made, and no other: held open, so a name that was exchanged meanwhile is noticed. */
static int own_file(struct listener *l, const struct config_listener *c)
{
	int file = open(l->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = 0;
	struct stat st = { 0 };

	if (file < 0)
		return -errno;
	if (fstat(file, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		rc = -EBUSY;
	else if (c->has_group && fchownat(file, "", (uid_t)-1, c->group, AT_EMPTY_PATH) < 0)
		rc = -errno;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	close(file);
	return rc;
}

/* The kernel makes the file with what the umask leaves of 0777. */
static int bind_unix(int fd, const struct sockaddr_un *at, unsigned mode)
{
	mode_t before = umask(0777 & ~(mode_t)mode);
	int rc = bind(fd, (const struct sockaddr *)at, sizeof *at) < 0 ? -errno : 0;

	umask(before);
	return rc;
}

static int open_unix(struct listener *l, const struct config_listener *c, const struct words *w)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int rc;

	snprintf(at.sun_path, sizeof at.sun_path, "%s", c->addr.path);
	rc = make_room(&at, w);
	if (rc)
		return rc;
	l->fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
	rc = l->fd < 0 ? -errno : bind_unix(l->fd, &at, c->mode);
	if (rc)
		return fail_unix(w, -rc);
	snprintf(l->path, sizeof l->path, "%s", at.sun_path);
	rc = own_file(l, c);
	if (!rc && listen(l->fd, BACKLOG) < 0)
		rc = -errno;
	return rc ? fail_unix(w, -rc) : 0;
}

int listener_open(struct listener *l, const struct config_listener *c, char *why, size_t why_size)
{
	struct words w = { c->addr.text, why, why_size };
	int rc;

	*l = (struct listener){ .fd = -1 };
	if (c->addr.kind == ADDR_STDIO)
		return fail(&w, EINVAL, "standard input is open already");
	rc = c->addr.kind == ADDR_UNIX ? open_unix(l, c, &w) : open_tcp(l, &c->addr, &w);
	if (rc)
		listener_close(l);
	return rc;
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (l->path[0] && lstat(l->path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	*l = (struct listener){ .fd = -1 };
}

int listener_accept(struct listener *l, struct peer *peer)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (identity_of(fd, peer) < 0) {
		close(fd);
		return -ECONNABORTED;
	}
	return fd;
}
