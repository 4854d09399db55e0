/* audit_log.c - see audit_log.h. */
#include "proxy/audit_log.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILE_FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC | O_NONBLOCK };

static const char *remedy_of(int error)
{
	static const struct { int error; const char *text; } remedies[] = {
		{ ELOOP, "symbolic links are not followed: name the file itself" },
		{ ENXIO, "nobody reads this FIFO: start its reader first" },
		{ ENOENT, "its directory is not there: make it first" },
		{ EISDIR, "it is a directory: name a file in it" },
		{ EACCES, "this user may not write there" },
		{ EBADF, "standard output is closed" },
	};

	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].error == error)
			return remedies[i].text;
	return "choose another file with --audit";
}

static int open_file(const char *path)
{
	int fd = open(path, FILE_FLAGS, 0600);

	return fd < 0 ? -errno : fd;
}

/* Its own description, so that whoever shares standard output is not made non-blocking too. What cannot be opened
 * anew (a socket, as under systemd) is shared, and given back at the end. */
static int open_stdout(struct audit_log *a)
{
	int fd = open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), flags;

	if (fd >= 0)
		return fd;
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
		a->flags = flags;
	return fd;
}

static int open_any(struct audit_log *a)
{
	return strcmp(a->path, "-") == 0 ? open_stdout(a) : open_file(a->path);
}

/* A disk that was full, or a crash, may have left half a line there. */
static bool ends_within_a_line(int fd)
{
	char proc[64], last = '\n';
	struct stat st;
	int again;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return false;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	again = open(proc, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		return false;
	if (pread(again, &last, 1, st.st_size - 1) < 1)
		last = '\n';
	close(again);
	return last != '\n';
}

/* A reader that went away is an error of write, not the end of the program. A handler that is set stays. */
static void ignore_sigpipe(void)
{
	struct sigaction sa;

	if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static int fail_open(struct audit_log *a, int rc, char *why, size_t why_size)
{
	snprintf(why, why_size, "audit log %s: %s (%s)", a->path, strerror(-rc), remedy_of(-rc));
	buf_fini(&a->kept);
	*a = (struct audit_log){ .fd = -1, .flags = -1 };
	return rc;
}

int audit_log_open(struct audit_log *a, const char *file, char *why, size_t why_size)
{
	int rc;

	*a = (struct audit_log){ .fd = -1, .flags = -1 };
	if (!*file)
		return 0;
	if (snprintf(a->path, sizeof a->path, "%s", file) >= (int)sizeof a->path)
		return fail_open(a, -ENAMETOOLONG, why, why_size);
	rc = buf_init(&a->kept, AUDIT_KEPT);
	if (!rc)
		rc = open_any(a);
	if (rc < 0)
		return fail_open(a, rc, why, why_size);
	ignore_sigpipe();
	a->on = true;
	a->fd = rc;
	a->torn = ends_within_a_line(a->fd);
	return 0;
}

/* Once; what else goes wrong until all is well again is the same trouble. */
static void trouble(struct audit_log *a, int error)
{
	if (a->error)
		return;
	a->error = error;
	log_line(LOG_LEVEL_ERROR, "audit log %s: %s: lines are kept, up to %d bytes of them", a->path, strerror(error), AUDIT_KEPT);
}

/* The oldest line, as far as it has not been written, behind the end of a torn one. */
static ssize_t write_line(struct audit_log *a, size_t len)
{
	char newline = '\n';
	struct iovec parts[] = {
		{ &newline, a->torn },
		{ buf_data(&a->kept) + a->done, len - a->done },
	};
	ssize_t n = writev(a->fd, parts, 2);

	if (n <= 0 || !a->torn)
		return n;
	a->torn = false;
	return n - 1;
}

static size_t line_len(const struct buf *kept)
{
	const uint8_t *start = buf_data(kept), *newline = memchr(start, '\n', kept->len);

	return newline ? (size_t)(newline - start) + 1 : kept->len;
}

/* A full FIFO goes on where it stopped. Anything else may never, so the line is written whole again when it does. */
static void not_written(struct audit_log *a, int error)
{
	a->full = error == EWOULDBLOCK;
	if (a->full)
		return;
	a->torn = a->torn || a->done;
	a->done = 0;
	trouble(a, error);
}

static bool flush_line(struct audit_log *a)
{
	size_t len = line_len(&a->kept);
	ssize_t n;

	do
		n = write_line(a, len);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		not_written(a, errno);
		return false;
	}
	a->done += (size_t)n;
	if (a->done < len)
		return true;
	a->done = 0;
	return buf_pull(&a->kept, len) == 0;
}

static bool keep(struct audit_log *a, const struct audit_event *ev)
{
	struct buf line = { .base = (uint8_t[AUDIT_LINE]){ 0 }, .cap = AUDIT_LINE };
	char stamp[CLOCK_STAMP];
	int rc = audit_line(&line, clock_stamp(stamp), ev);

	if (!rc && buf_room(&a->kept) < line.len)
		buf_pack(&a->kept);
	if (!rc)
		rc = buf_put_span(&a->kept, buf_span(&line));
	if (!rc)
		return true;
	a->lost++;
	a->incomplete = true;
	trouble(a, -rc);
	return false;
}

/* All that was kept has gone. The log itself tells what it misses. */
static void all_is_well(struct audit_log *a)
{
	char text[80];
	uint64_t lost = a->lost;

	log_line(LOG_LEVEL_NOTICE, "audit log %s: works again; %" PRIu64 " lines were lost", a->path, lost);
	a->error = 0;
	a->lost = 0;
	snprintf(text, sizeof text, "%" PRIu64 " lines of this log were lost", lost);
	if (lost && !keep(a, &(struct audit_event){ .what = AUDIT_OTHER, .text = text }))
		return; /* then that is told, in time */
}

void audit_log_flush(struct audit_log *a)
{
	if (!a->on)
		return;
	a->full = false;
	while (a->kept.len && flush_line(a))
		if (!a->kept.len && a->error)
			all_is_well(a);
	if (!a->kept.len)
		buf_reset(&a->kept, 0);
}

void audit_log_write(struct audit_log *a, const struct audit_event *ev)
{
	if (!a->on)
		return;
	if (a->kept.len + AUDIT_LINE > AUDIT_KEPT)
		audit_log_flush(a);
	if (keep(a, ev))
		audit_log_flush(a);
}

void audit_log_wait(const struct audit_log *a, struct wait *w)
{
	if (!a->on || !a->full)
		return;
	w->fd = a->fd;
	w->write = true;
}

bool audit_log_failed(const struct audit_log *a)
{
	return a->error || a->incomplete;
}

static void close_fd(struct audit_log *a)
{
	if (a->flags >= 0 && fcntl(a->fd, F_SETFL, a->flags) < 0)
		a->flags = -1;
	close(a->fd);
}

void audit_log_reopen(struct audit_log *a)
{
	int fd;

	if (!a->on || strcmp(a->path, "-") == 0)
		return;
	fd = open_file(a->path);
	if (fd < 0) {
		log_line(LOG_LEVEL_ERROR, "audit log %s: %s (%s); the old file is kept", a->path, strerror(-fd), remedy_of(-fd));
		return;
	}
	close_fd(a);
	a->fd = fd;
	a->done = 0;
	a->torn = ends_within_a_line(fd);
	audit_log_flush(a);
}

void audit_log_close(struct audit_log *a)
{
	if (!a->on)
		return;
	audit_log_flush(a);
	if (a->kept.len)
		log_line(LOG_LEVEL_ERROR, "audit log %s: its last %zu bytes could not be written", a->path, a->kept.len);
	close_fd(a);
	buf_fini(&a->kept);
	*a = (struct audit_log){ .fd = -1, .flags = -1 };
}
