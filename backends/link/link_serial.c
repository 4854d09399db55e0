/* link_serial.c - a serial line: a device that libserialport configures, or a pseudo-terminal. See link.h.
 *
 * The descriptor is our own, and locked before the line is touched: sp_open changes a line's mode, and would do so under the
 * program that has it. libserialport opens the line a second time, gives it its mode and is gone. What it has no word for is
 * done with termios2; so is everything where it refuses, as it does pseudo-terminals and whatever sysfs does not show.
 *
 * TIOCEXCL keeps out what knows no locks. Not on pseudo-terminals: there it outlives who set it for as long as the other side
 * is open, so that one kdgate that was killed would keep out the next.
 * HUPCL is off: DTR, once up, stays up. It is wired to the reset of many a board, which would start anew with every dialling. */
#include "backends/link/link.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* KGDB hears a BREAK of any length; a terminal server may want a quarter of a second. What follows a BREAK without a rest has
 * no start bit that could be seen. */
enum { BREAK_MS = 250, REST_MS = 10, DRAIN_MS = 5, US = 1000 };
enum { PTY_FIRST = 128, PTY_LAST = 143, OLD_PTY = 3 }; /* majors: Documentation/admin-guide/devices.txt */
enum { BAUD_OFF = 32 };                                /* a thirty-second: more than that and bytes are lost */

/* Only a line that is free is sent on. */
enum line { LINE_FREE, LINE_DRAINS, LINE_BREAK, LINE_RESTS };

struct link_serial {
	struct link base; /* first: a struct link * of this kind is a struct link_serial * */
	int fd;
	int dead;         /* the -errno it ended with; every later call says the same */
	bool pty, rtscts;
	bool ready;       /* there may be something to read */
	bool full;        /* a send was refused since the last receive */
	enum line line;
	uint64_t until;   /* when the line comes to its next state */
	uint64_t idle_us; /* when all that was written will have left, at the line's speed */
	unsigned byte_us;
};

static int end(struct link_serial *s, int error)
{
	s->dead = -error;
	s->line = LINE_FREE;
	s->until = NEVER;
	return s->dead;
}

/* 0: read's word for a line that was hung up. */
static int cause(const struct link_serial *s, int error)
{
	if (error != 0 && error != EIO && error != ENXIO)
		return error;
	return s->pty ? EPIPE : ENODEV;
}

/* --- BREAK */

static void advance(struct link_serial *s, uint64_t now)
{
	if (s->line == LINE_FREE || now < s->until)
		return;
	if (s->line == LINE_BREAK) {
		(void)ioctl(s->fd, TIOCCBRK, 0); /* it was there a moment ago: if not, reading tells */
		s->line = LINE_RESTS;
		s->until = now + REST_MS;
	} else {
		s->line = LINE_FREE;
		s->until = NEVER;
	}
}

/* Nobody takes what we send, and it would be waited for. */
static void drop_stuck_output(const struct link_serial *s)
{
	int lines = TIOCM_CTS;

	if (s->rtscts && ioctl(s->fd, TIOCMGET, &lines) == 0 && !(lines & TIOCM_CTS))
		(void)ioctl(s->fd, TCFLSH, TCOFLUSH);
}

/* now: it has left. TIOCOUTQ does not count what is in the UART itself, or in the adapter. */
static uint64_t drained_at(const struct link_serial *s, uint64_t now)
{
	int queued = 0;

	if (s->idle_us > now * US)
		return s->idle_us / US + 1;
	if (ioctl(s->fd, TIOCOUTQ, &queued) < 0)
		return now;
	return queued > 0 ? now + DRAIN_MS : now;
}

static int start_break(struct link_serial *s, uint64_t now)
{
	if (ioctl(s->fd, TIOCSBRK, 0) == 0) {
		s->line = LINE_BREAK;
		s->until = now + BREAK_MS;
		return 0;
	}
	if (errno == EINTR || errno == EAGAIN) {
		s->line = LINE_DRAINS;
		s->until = now + DRAIN_MS;
		return -EAGAIN;
	}
	return errno == ENOTTY || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ? -EOPNOTSUPP : end(s, cause(s, errno));
}

/* The kernel lets all output leave before a BREAK, and sleeps until it has: so we wait first. */
static int serial_attention(struct link *lk, uint64_t now)
{
	struct link_serial *s = (struct link_serial *)lk;
	uint64_t drained;

	if (s->dead)
		return s->dead;
	if (s->pty)
		return -EOPNOTSUPP; /* the kernel would say 0, and do nothing */
	advance(s, now);
	if (s->line != LINE_FREE)
		return -EAGAIN;
	drop_stuck_output(s);
	drained = drained_at(s, now);
	if (drained <= now)
		return start_break(s, now);
	s->line = LINE_DRAINS;
	s->until = drained;
	return -EAGAIN;
}

/* --- bytes */

static void count_written(struct link_serial *s, size_t n, uint64_t now)
{
	uint64_t from = s->idle_us > now * US ? s->idle_us : now * US;

	s->idle_us = from + n * s->byte_us;
}

static int serial_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_serial *s = (struct link_serial *)lk;
	ssize_t n;

	if (s->dead)
		return s->dead;
	advance(s, now);
	if (s->line != LINE_FREE)
		return -EAGAIN;
	n = write(s->fd, buf_data(frame), frame->len);
	if (n < 0 && errno != EWOULDBLOCK && errno != EINTR) {
		s->ready = true; /* what came before the end can still be read */
		return -cause(s, errno);
	}
	if (n > 0 && buf_pull(frame, (size_t)n) < 0)
		return end(s, EPROTO);
	count_written(s, n > 0 ? (size_t)n : 0, now);
	s->full = frame->len > 0;
	return s->full ? -EAGAIN : 0;
}

static int serial_read(struct link_serial *s, struct buf *in)
{
	ssize_t n = read(s->fd, in->base, in->cap);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0 && errno == EWOULDBLOCK)
		n = 0;
	else if (n <= 0)
		return end(s, cause(s, n < 0 ? errno : 0));
	s->ready = n == (ssize_t)in->cap;
	in->len = (size_t)n;
	return n > 0;
}

static int serial_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_serial *s = (struct link_serial *)lk;

	s->full = false;
	buf_reset(in, 0);
	if (s->dead)
		return s->dead;
	advance(s, now);
	return s->ready && in->cap ? serial_read(s, in) : 0;
}

static void serial_ready(struct link *lk)
{
	((struct link_serial *)lk)->ready = true;
}

static void serial_wait(const struct link *lk, struct wait *w)
{
	const struct link_serial *s = (const struct link_serial *)lk;

	w->fd = s->fd;
	w->write |= s->full && s->line == LINE_FREE;
	wait_until(w, s->until);
}

/* The kernel sleeps in close until all output has left. */
static void serial_destroy(struct link *lk)
{
	struct link_serial *s = (struct link_serial *)lk;

	if (s->line == LINE_BREAK)
		(void)ioctl(s->fd, TIOCCBRK, 0);
	drop_stuck_output(s);
	if (!s->pty)
		(void)ioctl(s->fd, TIOCNXCL, 0);
	close(s->fd);
	free(s);
}

static const struct link_ops serial_ops = {
	.name = "serial", .send = serial_send, .recv = serial_recv, .attention = serial_attention,
	.ready = serial_ready, .wait = serial_wait, .destroy = serial_destroy,
};

/* --- is it anybody else's? */

static bool lives(long pid)
{
	return pid > 0 && pid <= INT_MAX && pid != getpid() && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* A number in text; uucps of old wrote the number itself. */
static long pid_in(const char *text, size_t len)
{
	int raw;

	if (len != sizeof raw || strspn(text, " 0123456789\n") == len)
		return strtol(text, NULL, 10);
	memcpy(&raw, text, sizeof raw);
	return raw;
}

/* The directory is everybody's: what stands there is no link, and no pipe that would be waited at. */
static bool is_lock_held(const char *name)
{
	char file[PATH_MAX] = "/run/lock/LCK..", text[32] = "";
	size_t prefix = strlen(file);
	ssize_t n;
	int fd;

	if (strlen(name) >= sizeof file - prefix)
		return false;
	strcpy(file + prefix, name);
	for (char *p = file + prefix; *p; p++)
		*p = *p == '/' ? '_' : *p;
	fd = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 && lives(pid_in(text, (size_t)n));
}

/* uucp names its locks after the last part of the device's name, minicom after all of it that is behind /dev/. */
static bool is_held_by_file(const char *device)
{
	const char *slash = strrchr(device, '/');
	const char *last = slash ? slash + 1 : device;
	const char *whole = strncmp(device, "/dev/", 5) == 0 ? device + 5 : last;

	return is_lock_held(last) || (whole != last && is_lock_held(whole));
}

/* Root may open what TIOCEXCL keeps to another. */
static int hold(int fd)
{
	int exclusive = 0;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return ioctl(fd, TIOCGEXCL, &exclusive) == 0 && exclusive ? -EBUSY : 0;
}

/* --- the mode */

static bool is_mode(const struct serial_mode *m)
{
	return m->baud > 0 && m->baud <= INT_MAX && (m->bits == 7 || m->bits == 8) && (m->stops == 1 || m->stops == 2) &&
	       m->parity && strchr("neo", m->parity);
}

static enum sp_parity library_parity(char parity)
{
	return parity == 'e' ? SP_PARITY_EVEN : parity == 'o' ? SP_PARITY_ODD : SP_PARITY_NONE;
}

/* RTS and DTR go up at open, as they do for every program. */
static bool fill(struct sp_port_config *c, const struct serial_mode *m)
{
	return sp_set_config_baudrate(c, (int)m->baud) == SP_OK && sp_set_config_bits(c, m->bits) == SP_OK &&
	       sp_set_config_parity(c, library_parity(m->parity)) == SP_OK && sp_set_config_stopbits(c, m->stops) == SP_OK &&
	       sp_set_config_flowcontrol(c, m->rtscts ? SP_FLOWCONTROL_RTSCTS : SP_FLOWCONTROL_NONE) == SP_OK;
}

static bool configure(struct sp_port *port, const struct serial_mode *m)
{
	struct sp_port_config *c = NULL;
	bool done = sp_new_config(&c) == SP_OK && fill(c, m) && sp_set_config(port, c) == SP_OK;

	sp_free_config(c);
	return done;
}

static bool set_by_library(const char *device, const struct serial_mode *m)
{
	struct sp_port *port = NULL;
	bool done = false;

	if (sp_get_port_by_name(device, &port) != SP_OK)
		return false;
	if (sp_open(port, SP_MODE_READ_WRITE) == SP_OK) {
		done = configure(port, m);
		sp_close(port);
	}
	sp_free_port(port);
	return done;
}

enum { SHAPE = CSIZE | PARENB | PARODD | CSTOPB | CMSPAR };
#define FLOW ((tcflag_t)CRTSCTS)

static tcflag_t shape(const struct serial_mode *m)
{
	return (m->bits == 7 ? CS7 : CS8) | (m->parity == 'n' ? 0 : PARENB) | (m->parity == 'o' ? PARODD : 0) | (m->stops == 2 ? CSTOPB : 0);
}

static tcflag_t flow(const struct serial_mode *m)
{
	return m->rtscts ? FLOW : 0;
}

/* Any speed by its number. */
static void put_mode(struct termios2 *t, const struct serial_mode *m)
{
	t->c_cflag = (t->c_cflag & ~(tcflag_t)(SHAPE | CBAUD | (CBAUD << IBSHIFT))) | shape(m) | BOTHER;
	t->c_ispeed = t->c_ospeed = m->baud;
}

/* Every byte as it is, none for a BREAK, none that came with a parity error; a read of nothing says that the line is gone.
 * RTS and CTS because libserialport 0.1.1 says that it has seen to them, and does not. */
static void put_rest(struct termios2 *t, const struct serial_mode *m)
{
	t->c_iflag = IGNBRK | (m->parity == 'n' ? 0 : INPCK | IGNPAR);
	t->c_oflag = 0;
	t->c_lflag = 0;
	t->c_cflag = (t->c_cflag & ~((tcflag_t)HUPCL | FLOW)) | flow(m) | CREAD | CLOCAL;
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
}

/* A driver takes from a mode what its device cannot do, and says nothing. */
static bool is_set(const struct termios2 *t, const struct serial_mode *m)
{
	unsigned off = t->c_ospeed > m->baud ? t->c_ospeed - m->baud : m->baud - t->c_ospeed;

	return off <= m->baud / BAUD_OFF && (t->c_cflag & ((tcflag_t)SHAPE | FLOW)) == (shape(m) | flow(m));
}

static int set_mode(int fd, const char *device, const struct serial_mode *m, bool pty)
{
	bool by_library = !pty && set_by_library(device, m);
	struct termios2 t;

	if (ioctl(fd, TCGETS2, &t) < 0)
		return -errno;
	if (!by_library)
		put_mode(&t, m);
	put_rest(&t, m);
	if (ioctl(fd, TCSETS2, &t) < 0 || ioctl(fd, TCGETS2, &t) < 0)
		return -errno;
	return pty || is_set(&t, m) ? 0 : -EOPNOTSUPP;
}

/* --- dialling */

static bool is_pty(dev_t device)
{
	unsigned major_number = major(device);

	return major_number == OLD_PTY || (major_number >= PTY_FIRST && major_number <= PTY_LAST);
}

static int set_up(struct link_serial *s, const char *device, const struct serial_mode *m)
{
	struct termios2 t;
	struct stat st;
	int rc;

	if (fstat(s->fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || ioctl(s->fd, TCGETS2, &t) < 0)
		return -ENOTTY;
	s->pty = is_pty(st.st_rdev);
	rc = hold(s->fd);
	if (!rc)
		rc = set_mode(s->fd, device, m, s->pty);
	if (!rc && !s->pty && ioctl(s->fd, TIOCEXCL, 0) < 0)
		rc = -errno;
	if (!rc && ioctl(s->fd, TCFLSH, TCIFLUSH) < 0)
		rc = -errno;
	return rc;
}

static unsigned byte_us(const struct serial_mode *m)
{
	unsigned bits = 1U + m->bits + (m->parity != 'n') + m->stops;

	return bits * US * US / m->baud + 1;
}

static int open_line(struct link **lk, const char *device, const struct serial_mode *m)
{
	struct link_serial *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return -ENOMEM;
	*s = (struct link_serial){ .base = { .ops = &serial_ops }, .rtscts = m->rtscts, .ready = true, .until = NEVER, .byte_us = byte_us(m) };
	s->fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	rc = s->fd < 0 ? -errno : set_up(s, device, m);
	if (!rc) {
		*lk = &s->base;
		return 0;
	}
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	return rc == -EAGAIN ? -EBUSY : rc;
}

int link_serial_dial(struct link **lk, const char *path, const struct serial_mode *mode)
{
	char device[PATH_MAX];

	*lk = NULL;
	if (!is_mode(mode))
		return -EINVAL;
	if (!realpath(path, device))
		return -errno;
	if (is_held_by_file(device) || (strcmp(path, device) != 0 && is_held_by_file(path)))
		return -EBUSY;
	return open_line(lk, device, mode);
}
