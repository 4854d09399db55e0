/* link_unix.c - dials a Unix socket. See link.h.
 *
 * Connecting is immediate here. A listener whose queue is full says -EAGAIN: dial again later. */
#include "backends/link/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int dial(int fd, const struct sockaddr_un *to)
{
	return connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS ? -errno : 0;
}

int link_unix_dial(struct link **lk, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, rc;

	*lk = NULL;
	if (!*path || strlen(path) >= sizeof to.sun_path)
		return *path ? -ENAMETOOLONG : -EINVAL;
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = dial(fd, &to);
	if (!rc && !(*lk = link_sock_new(fd)))
		rc = -ENOMEM;
	if (rc)
		close(fd);
	return rc;
}
