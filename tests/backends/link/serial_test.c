/* serial_test.c - a serial line: bytes, ends, locks, BREAK, modes. The lines are pseudo-terminals; where a device is wanted one of
 * them is passed off as it: ioctl, fstat, open and libserialport's door are wrapped, see tests/tests.mk. */
#include "backends/link/link.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

int __real_ioctl(int fd, unsigned long what, ...);
int __wrap_ioctl(int fd, unsigned long what, ...);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
enum sp_return __real_sp_get_port_by_name(const char *name, struct sp_port **port);
enum sp_return __wrap_sp_get_port_by_name(const char *name, struct sp_port **port);
enum sp_return __wrap_sp_open(struct sp_port *port, enum sp_mode flags);
enum sp_return __wrap_sp_set_config(struct sp_port *port, const struct sp_port_config *config);
enum sp_return __wrap_sp_close(struct sp_port *port);
void __wrap_sp_free_port(struct sp_port *port);

static const struct serial_mode usual = { 115200, 8, 'n', 1, false };
static char dir[] = "/tmp/kdgate-serial-XXXXXX";
static char name[PATH_MAX], locks[PATH_MAX];
static int far_fd = -1;
static struct link *lk;
static struct buf out, in;

/* --- what stands in for a device */

static struct fake {
	bool on;              /* the pseudo-terminal is a device */
	bool library;         /* and one that libserialport knows */
	int exclusive;        /* somebody else's TIOCEXCL */
	int modem;            /* lines that are up */
	int queued;           /* bytes of output the kernel has */
	int break_error;
	unsigned speed_given; /* 0: the one asked for */
	tcflag_t never;       /* what the device cannot do */
	enum sp_return open_rc, config_rc;
	/* what was done to it */
	char calls[128];
	struct termios2 mode;
	bool has_mode;
	struct sp_port_config *seen;
	int open_ports;
} fake;

static void note(const char *what)
{
	size_t len = strlen(fake.calls);

	snprintf(fake.calls + len, sizeof fake.calls - len, "%s%s", len ? " " : "", what);
}

static void did(const char *what)
{
	assert_string_equal(fake.calls, what);
	fake.calls[0] = 0;
}

static int set_mode(int fd, struct termios2 *t)
{
	int rc = __real_ioctl(fd, TCSETS2, t);

	fake.mode = *t;
	fake.mode.c_cflag &= ~fake.never;
	fake.mode.c_ospeed = fake.speed_given ? fake.speed_given : t->c_ospeed;
	fake.has_mode = true;
	return rc;
}

static int start_break(void)
{
	if (!fake.break_error)
		note("break");
	errno = fake.break_error;
	return errno ? -1 : 0;
}

static int device_ioctl(int fd, unsigned long what, void *arg)
{
	switch (what) {
	case TCSETS2: return set_mode(fd, arg);
	case TIOCSBRK: return start_break();
	case TIOCCBRK: note("end"); return 0;
	case TIOCEXCL: note("excl"); return 0;
	case TIOCNXCL: note("nxcl"); return 0;
	case TIOCGEXCL: *(int *)arg = fake.exclusive; return 0;
	case TIOCMGET: *(int *)arg = fake.modem; return 0;
	case TIOCOUTQ: *(int *)arg = fake.queued; return 0;
	case TCFLSH: note((uintptr_t)arg == TCIFLUSH ? "flush-in" : "flush-out"); break;
	default: break;
	}
	if (what == TCGETS2 && fake.has_mode) {
		*(struct termios2 *)arg = fake.mode;
		return 0;
	}
	return __real_ioctl(fd, what, arg);
}

int __wrap_ioctl(int fd, unsigned long what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	return fake.on ? device_ioctl(fd, what, arg) : __real_ioctl(fd, what, arg);
}

int __wrap_fstat(int fd, struct stat *st)
{
	int rc = __real_fstat(fd, st);

	if (fake.on && rc == 0)
		st->st_rdev = makedev(188, 0);
	return rc;
}

int __wrap_open(const char *path, int flags, ...)
{
	char moved[PATH_MAX + 64];

	if (strncmp(path, "/run/lock/", 10) != 0)
		return __real_open(path, flags);
	snprintf(moved, sizeof moved, "%s/%s", locks, path + 10);
	return __real_open(moved, flags);
}

enum sp_return __wrap_sp_get_port_by_name(const char *device, struct sp_port **port)
{
	if (!fake.library)
		return __real_sp_get_port_by_name(device, port);
	*port = (struct sp_port *)&fake;
	return SP_OK;
}

enum sp_return __wrap_sp_open(struct sp_port *port, enum sp_mode flags)
{
	assert_ptr_equal(port, &fake);
	assert_int_equal(flags, SP_MODE_READ_WRITE);
	fake.open_ports += fake.open_rc == SP_OK;
	return fake.open_rc;
}

/* The library's own values, put where the driver would have them; flow control, as in 0.1.1, nowhere. */
enum sp_return __wrap_sp_set_config(struct sp_port *port, const struct sp_port_config *c)
{
	int baud, bits, stops;
	enum sp_parity parity;

	assert_ptr_equal(port, &fake);
	if (fake.config_rc != SP_OK)
		return fake.config_rc;
	assert_int_equal(sp_get_config_baudrate(c, &baud), SP_OK);
	assert_int_equal(sp_get_config_bits(c, &bits), SP_OK);
	assert_int_equal(sp_get_config_stopbits(c, &stops), SP_OK);
	assert_int_equal(sp_get_config_parity(c, &parity), SP_OK);
	fake.mode = (struct termios2){ .c_ospeed = (speed_t)baud, .c_ispeed = (speed_t)baud };
	fake.mode.c_cflag = (bits == 7 ? CS7 : CS8) | (stops == 2 ? CSTOPB : 0) | (parity == SP_PARITY_NONE ? 0 : PARENB) |
			    (parity == SP_PARITY_ODD ? PARODD : 0) | HUPCL;
	fake.has_mode = true;
	note("library");
	return SP_OK;
}

enum sp_return __wrap_sp_close(struct sp_port *port)
{
	assert_ptr_equal(port, &fake);
	fake.open_ports--;
	return SP_OK;
}

void __wrap_sp_free_port(struct sp_port *port)
{
	assert_ptr_equal(port, &fake);
}

/* --- the stage */

static void open_pty(void)
{
	far_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	assert_true(far_fd >= 0);
	assert_int_equal(grantpt(far_fd), 0);
	assert_int_equal(unlockpt(far_fd), 0);
	assert_int_equal(ptsname_r(far_fd, name, sizeof name), 0);
}

static int setup(void **state)
{
	(void)state;
	fake = (struct fake){ 0 };
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir) || buf_init(&out, 200000) < 0 || buf_init(&in, 4096) < 0)
		return -1;
	snprintf(locks, sizeof locks, "%s/lock", dir);
	open_pty();
	return mkdir(locks, 0700);
}

static void hang_up(void)
{
	if (far_fd >= 0)
		close(far_fd);
	far_fd = -1;
}

static int teardown(void **state)
{
	(void)state;
	link_destroy_stack(lk);
	lk = NULL;
	hang_up();
	buf_fini(&out);
	buf_fini(&in);
	rmdir(locks);
	return rmdir(dir);
}

static const char *in_dir(const char *what)
{
	static char path[PATH_MAX + 32];

	snprintf(path, sizeof path, "%s/%s", dir, what);
	return path;
}

static int dial_as(const struct serial_mode *m)
{
	link_destroy_stack(lk);
	lk = (struct link *)1;
	return link_serial_dial(&lk, name, m);
}

static void dial(void)
{
	assert_int_equal(dial_as(&usual), 0);
	assert_non_null(lk);
}

static void dial_device(void)
{
	fake.on = true;
	dial();
	fake.calls[0] = 0;
}

static void refused(int rc)
{
	assert_int_equal(dial_as(&usual), rc);
	assert_null(lk);
}

static struct wait waits(void)
{
	struct wait w = wait_none();

	link_wait(lk, &w);
	return w;
}

static int say(const char *text, uint64_t now)
{
	buf_reset(&out, 0);
	assert_int_equal(buf_put_text(&out, text), 0);
	return link_send(lk, &out, now);
}

static void settle(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, 10000), 1);
}

static void far_says(const void *bytes, size_t n)
{
	assert_int_equal(write(far_fd, bytes, n), n);
	settle(waits().fd, POLLIN);
}

static void far_hears(const void *bytes, size_t n)
{
	uint8_t got[512];
	size_t have = 0;

	while (have < n) {
		ssize_t more;

		settle(far_fd, POLLIN);
		more = read(far_fd, got + have, sizeof got - have);
		assert_true(more > 0);
		have += (size_t)more;
	}
	assert_int_equal(have, n);
	assert_memory_equal(got, bytes, n);
}

/* --- bytes */

static void every_byte_passes_both_ways(void **state)
{
	uint8_t all[256];
	size_t have = 0;

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	dial();
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, all, sizeof all), 0);
	assert_int_equal(link_send(lk, &out, 0), 0);
	far_hears(all, sizeof all);
	far_says(all, sizeof all);
	while (have < sizeof all) {
		settle(waits().fd, POLLIN);
		link_ready(lk);
		assert_int_equal(link_recv(lk, &in, 0), 1);
		assert_memory_equal(buf_data(&in), all + have, in.len);
		have += in.len;
	}
}

static void what_was_said_before_is_not_heard(void **state)
{
	(void)state;
	dial();
	assert_int_equal(write(far_fd, "stale", 5), 5);
	settle(waits().fd, POLLIN);
	dial();
	assert_int_equal(link_recv(lk, &in, 0), 0);
	far_says("new", 3);
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), "new"));
}

static void receives_when_it_is_worth_it(void **state)
{
	(void)state;
	dial();
	in.cap = 4;
	assert_int_equal(link_recv(lk, &in, 0), 0);
	far_says("123456", 6);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), "1234"));
	assert_int_equal(link_recv(lk, &in, 0), 1);
	assert_true(span_is(buf_span(&in), "56"));
	far_says("7", 1);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	assert_int_equal(in.len, 0);
	in.cap = 4096;
}

static void full_until_the_next_receive(void **state)
{
	static uint8_t big[150000], got[sizeof big];
	size_t have = 0;
	ssize_t n;
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	dial();
	buf_reset(&out, 0);
	assert_int_equal(buf_put(&out, big, sizeof big), 0);
	assert_int_equal(link_send(lk, &out, 0), -EAGAIN);
	assert_in_range(out.len, 1, sizeof big - 1);
	assert_true(waits().write);
	assert_int_equal(link_recv(lk, &in, 0), 0);
	assert_false(waits().write);
	while (have < sizeof big) {
		rc = link_send(lk, &out, 0);
		assert_true(rc == 0 || rc == -EAGAIN);
		settle(far_fd, POLLIN);
		while ((n = read(far_fd, got + have, sizeof got - have)) > 0)
			have += (size_t)n;
	}
	assert_int_equal(out.len, 0);
	assert_memory_equal(got, big, sizeof big);
}

/* --- ends */

static void ends_with(int rc)
{
	settle(waits().fd, POLLIN);
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 0), rc);
	assert_int_equal(link_recv(lk, &in, 0), rc);
	assert_int_equal(say("x", 0), rc);
	assert_int_equal(link_attention(lk, 0), rc);
	assert_true(waits().until == NEVER);
}

static void a_far_end_that_closes_is_gone_for_good(void **state)
{
	(void)state;
	dial();
	hang_up();
	ends_with(-EPIPE);
}

static void an_unplugged_device_is_gone_for_good(void **state)
{
	(void)state;
	dial_device();
	hang_up();
	ends_with(-ENODEV);
}

static void a_send_finds_the_end_too(void **state)
{
	static const struct { bool device; int rc; } cases[] = { { false, -EPIPE }, { true, -ENODEV } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		hang_up();
		open_pty();
		fake.on = cases[i].device;
		dial();
		assert_int_equal(link_recv(lk, &in, 0), 0);
		hang_up();
		settle(waits().fd, POLLOUT);
		assert_int_equal(say("x", 0), cases[i].rc);
		assert_int_equal(link_recv(lk, &in, 0), cases[i].rc); /* without being told that it is ready */
	}
}

static void unplugged_in_a_break(void **state)
{
	(void)state;
	dial_device();
	assert_int_equal(link_attention(lk, 0), 0);
	hang_up();
	link_ready(lk);
	settle(waits().fd, POLLIN);
	assert_int_equal(link_recv(lk, &in, 1), -ENODEV);
	assert_true(waits().until == NEVER);
}

static void found_again_under_its_name(void **state)
{
	char at[PATH_MAX];

	(void)state;
	assert_int_equal(symlink(name, in_dir("line")), 0);
	snprintf(at, sizeof at, "%s", in_dir("line"));
	assert_int_equal(link_serial_dial(&lk, at, &usual), 0);
	hang_up();
	ends_with(-EPIPE);
	assert_int_equal(unlink(at), 0);
	link_destroy_stack(lk);
	assert_int_equal(link_serial_dial(&lk, at, &usual), -ENOENT);
	assert_null(lk);
	open_pty();
	assert_int_equal(symlink(name, at), 0);
	assert_int_equal(link_serial_dial(&lk, at, &usual), 0);
	assert_int_equal(say("again", 0), 0);
	far_hears("again", 5);
	assert_int_equal(unlink(at), 0);
}

/* --- what is no line */

static void what_is_no_line_is_refused(void **state)
{
	static const struct { const char *path; int rc; } cases[] = {
		{ "/dev/kdgate-is-not-there", -ENOENT }, { "", -ENOENT },         { "/etc", -EISDIR },
		{ "/etc/passwd/x", -ENOTDIR },           { "/dev/null", -ENOTTY }, { "/", -EISDIR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(name, sizeof name, "%s", cases[i].path);
		refused(cases[i].rc);
	}
}

static void a_file_is_not_written(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	snprintf(name, sizeof name, "%s", in_dir("file"));
	fd = __real_open(name, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && write(fd, "kept", 4) == 4);
	close(fd);
	refused(-ENOTTY);
	assert_true(stat(name, &st) == 0 && st.st_size == 4);
	assert_int_equal(unlink(name), 0);
}

static void links_and_pipes(void **state)
{
	static const struct { const char *to; int rc; } links[] = { { "loop", -ELOOP }, { "nothing", -ENOENT }, { "/etc", -EISDIR } };

	(void)state;
	snprintf(name, sizeof name, "%s", in_dir("loop"));
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		assert_int_equal(symlink(links[i].to, name), 0);
		refused(links[i].rc);
		assert_int_equal(unlink(name), 0);
	}
	assert_int_equal(mkfifo(name, 0600), 0);
	refused(-ENOTTY);
	assert_int_equal(unlink(name), 0);
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	refused(-ENAMETOOLONG);
}

/* --- whose it is */

static void one_at_a_time(void **state)
{
	struct link *other;

	(void)state;
	dial();
	assert_int_equal(link_serial_dial(&other, name, &usual), -EBUSY);
	assert_null(other);
	link_destroy_stack(lk);
	lk = NULL;
	assert_int_equal(link_serial_dial(&other, name, &usual), 0);
	link_destroy_stack(other);
}

/* Also when the one who had it was killed: a pseudo-terminal's TIOCEXCL would stay. */
static void another_process_has_it_until_it_dies(void **state)
{
	int ends[2], exclusive = 1, fd;
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		c = link_serial_dial(&lk, name, &usual) == 0;
		if (write(ends[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	assert_true(read(ends[0], &c, 1) == 1 && c);
	refused(-EBUSY);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fd = __real_open(name, O_RDWR | O_NOCTTY);
	assert_int_equal(__real_ioctl(fd, TIOCGEXCL, &exclusive), 0);
	assert_false(exclusive);
	close(fd);
	dial();
	close(ends[0]);
	close(ends[1]);
}

static void a_device_is_kept_from_those_who_know_no_locks(void **state)
{
	(void)state;
	fake.on = true;
	fake.exclusive = 1;
	refused(-EBUSY);
	assert_false(fake.has_mode);
	fake.exclusive = 0;
	dial();
	did("excl flush-in");
	link_destroy_stack(lk);
	lk = NULL;
	did("nxcl");
}

/* Somebody else's line keeps its mode. */
static void who_is_refused_has_changed_nothing(void **state)
{
	struct termios2 before, after;
	int fd = __real_open(name, O_RDWR | O_NOCTTY);

	(void)state;
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(__real_ioctl(fd, TCGETS2, &before), 0);
	refused(-EBUSY);
	assert_int_equal(__real_ioctl(fd, TCGETS2, &after), 0);
	assert_memory_equal(&before, &after, sizeof before);
	close(fd);
}

static long dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void put_lock(const char *lock, const void *content, size_t n)
{
	char path[PATH_MAX + 32];
	int fd;

	snprintf(path, sizeof path, "%s/%s", locks, lock);
	fd = __real_open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_true(fd >= 0 && write(fd, content, n) == (ssize_t)n);
	close(fd);
}

static void drop_lock(const char *lock)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof path, "%s/%s", locks, lock);
	assert_int_equal(remove(path), 0);
}

static void locks_of_the_living_are_kept(void **state)
{
	static const struct { const char *before, *after; } forms[] = { { "      ", "\n" }, { "", "" }, { "", " minicom root\n" } };
	const struct { long pid; int rc; } owners[] = {
		{ getppid(), -EBUSY }, { dead_pid(), 0 }, { getpid(), 0 }, { 0, 0 }, { -1, 0 }, { 1L << 40, 0 },
	};
	char lock[64], text[64];

	(void)state;
	snprintf(lock, sizeof lock, "LCK..pts_%s", strrchr(name, '/') + 1);
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
		int raw = (int)owners[i].pid;

		for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
			snprintf(text, sizeof text, "%s%ld%s", forms[k].before, owners[i].pid, forms[k].after);
			put_lock(lock, text, strlen(text));
			assert_int_equal(dial_as(&usual), owners[i].rc);
		}
		put_lock(lock, &raw, sizeof raw);
		assert_int_equal(dial_as(&usual), owners[i].rc);
	}
	drop_lock(lock);
}

/* By the name that was given, and by the one it leads to; as uucp writes them and as minicom does. */
static void locks_by_every_name(void **state)
{
	char pid[16], lock[64], at[PATH_MAX], number[16];
	const struct { const char *before, *with; } cases[] = { { "", "kdgate-line" }, { "", number }, { "pts_", number } };

	(void)state;
	snprintf(number, sizeof number, "%s", strrchr(name, '/') + 1);
	snprintf(pid, sizeof pid, "%10d\n", getppid());
	snprintf(at, sizeof at, "%s", in_dir("kdgate-line"));
	assert_int_equal(symlink(name, at), 0);
	snprintf(name, sizeof name, "%s", at);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(lock, sizeof lock, "LCK..%s%s", cases[i].before, cases[i].with);
		dial();
		put_lock(lock, pid, strlen(pid));
		refused(-EBUSY);
		drop_lock(lock);
	}
	assert_int_equal(unlink(at), 0);
}

static void locks_that_are_none(void **state)
{
	static const char *const contents[] = { "", "\n", "x", "-5", "99999999999999999999999", "pid 1", "0x1" };
	char lock[64], path[PATH_MAX + 80];

	(void)state;
	snprintf(lock, sizeof lock, "LCK..%s", strrchr(name, '/') + 1);
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
		put_lock(lock, contents[i], strlen(contents[i]));
		dial();
	}
	drop_lock(lock);
	snprintf(path, sizeof path, "%s/%s", locks, lock);
	assert_int_equal(mkdir(path, 0700), 0);
	dial();
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	dial();
	assert_int_equal(unlink(path), 0);
	put_lock("other", "1\n", 2);
	assert_int_equal(symlink("other", path), 0);
	dial();
	assert_int_equal(unlink(path), 0);
	drop_lock("other");
}

/* --- BREAK */

static void a_break_takes_its_time_and_nothing_is_sent_in_it(void **state)
{
	(void)state;
	dial_device();
	assert_int_equal(link_attention(lk, 1000), 0);
	did("break");
	assert_int_equal(waits().until, 1250);
	assert_int_equal(say("g", 1000), -EAGAIN);
	assert_false(waits().write);
	assert_int_equal(out.len, 1);
	assert_int_equal(link_attention(lk, 1249), -EAGAIN);
	assert_int_equal(link_recv(lk, &in, 1249), 0);
	did("");
	assert_int_equal(link_recv(lk, &in, 1250), 0);
	did("end");
	assert_int_equal(waits().until, 1260);
	assert_int_equal(say("g", 1259), -EAGAIN);
	assert_int_equal(say("g", 1260), 0);
	assert_true(waits().until == NEVER);
	far_hears("g", 1);
	did("");
}

static void bytes_are_heard_in_a_break(void **state)
{
	(void)state;
	dial_device();
	assert_int_equal(link_attention(lk, 0), 0);
	far_says("KGDB", 4);
	link_ready(lk);
	assert_int_equal(link_recv(lk, &in, 1), 1);
	assert_true(span_is(buf_span(&in), "KGDB"));
	did("break");
}

static void a_loop_that_is_late_ends_it_late(void **state)
{
	(void)state;
	dial_device();
	assert_int_equal(link_attention(lk, 0), 0);
	assert_int_equal(say("g", 90000), -EAGAIN);
	did("break end");
	assert_int_equal(waits().until, 90010);
	assert_int_equal(say("g", 90010), 0);
}

static void output_leaves_before_a_break(void **state)
{
	(void)state;
	dial_device();
	assert_int_equal(say("0123456789012345678901234567890123456789", 50), 0); /* 40 bytes of 87 us */
	assert_int_equal(link_attention(lk, 50), -EAGAIN);
	did("");
	assert_int_equal(waits().until, 54);
	assert_int_equal(say("x", 51), -EAGAIN);
	fake.queued = 1;
	assert_int_equal(link_attention(lk, 54), -EAGAIN);
	assert_int_equal(waits().until, 59);
	fake.queued = 0;
	assert_int_equal(link_attention(lk, 59), 0);
	did("break");
}

/* A far end that holds the line back with CTS is broken into all the same, and does not make close wait. */
static void output_that_nobody_takes_is_dropped(void **state)
{
	static const struct serial_mode flow = { 115200, 8, 'n', 1, true };

	(void)state;
	fake.on = true;
	fake.modem = TIOCM_CTS;
	assert_int_equal(dial_as(&flow), 0);
	fake.calls[0] = 0;
	assert_int_equal(link_attention(lk, 0), 0);
	did("break");
	assert_int_equal(link_recv(lk, &in, 250), 0);
	assert_int_equal(link_recv(lk, &in, 260), 0);
	fake.modem = 0;
	fake.calls[0] = 0;
	assert_int_equal(link_attention(lk, 300), 0);
	did("flush-out break");
	link_destroy_stack(lk);
	lk = NULL;
	did("end flush-out nxcl");
}

static void where_there_is_no_break(void **state)
{
	static const struct { int error, rc; } cases[] = {
		{ ENOTTY, -EOPNOTSUPP }, { EINVAL, -EOPNOTSUPP }, { EOPNOTSUPP, -EOPNOTSUPP }, { EINTR, -EAGAIN }, { EIO, -ENODEV }, { ENODEV, -ENODEV },
	};

	(void)state;
	dial();
	assert_int_equal(link_attention(lk, 0), -EOPNOTSUPP);
	assert_int_equal(say("x", 0), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		dial_device();
		fake.break_error = cases[i].error;
		assert_int_equal(link_attention(lk, 0), cases[i].rc);
		fake.break_error = 0;
		assert_int_equal(link_attention(lk, 1000), cases[i].rc == -ENODEV ? -ENODEV : 0);
		fake.calls[0] = 0;
	}
}

/* --- modes */

static void modes_are_set_by_us_and_by_the_library(void **state)
{
	static const struct { struct serial_mode m; tcflag_t flags; } cases[] = {
		{ { 115200, 8, 'n', 1, false }, CS8 },          { { 9600, 7, 'e', 1, true }, CS7 | PARENB | CRTSCTS },
		{ { 300, 7, 'o', 2, false }, CS7 | PARENB | PARODD | CSTOPB }, { { 921600, 8, 'n', 2, true }, CS8 | CSTOPB | CRTSCTS },
		{ { 74880, 8, 'n', 1, false }, CS8 },           { { 1500000, 8, 'n', 1, false }, CS8 },
		{ { 12000000, 8, 'e', 1, false }, CS8 | PARENB }, { { 1, 8, 'n', 1, false }, CS8 },
	};
	const tcflag_t all = CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS | CMSPAR;

	(void)state;
	fake.on = true;
	for (size_t i = 0; i < sizeof cases / sizeof *cases * 2; i++) {
		const struct serial_mode *m = &cases[i / 2].m;

		fake.library = i % 2;
		assert_int_equal(dial_as(m), 0);
		assert_int_equal(strstr(fake.calls, "library") != NULL, i % 2);
		assert_int_equal(fake.open_ports, 0);
		assert_int_equal(fake.mode.c_ospeed, m->baud);
		assert_int_equal(fake.mode.c_ispeed, m->baud);
		assert_int_equal(fake.mode.c_cflag & all, cases[i / 2].flags);
		assert_int_equal(fake.mode.c_cflag & (HUPCL | CLOCAL | CREAD), CLOCAL | CREAD);
		assert_int_equal(fake.mode.c_iflag, IGNBRK | (m->parity == 'n' ? 0 : INPCK | IGNPAR));
		assert_int_equal(fake.mode.c_oflag | fake.mode.c_lflag | fake.mode.c_cc[VTIME], 0);
		assert_int_equal(fake.mode.c_cc[VMIN], 1);
		fake.has_mode = false;
		fake.calls[0] = 0;
	}
}

static void what_the_library_refuses_is_done_without(void **state)
{
	static const struct { enum sp_return open_rc, config_rc; } cases[] = {
		{ SP_ERR_FAIL, SP_OK }, { SP_OK, SP_ERR_SUPP }, { SP_OK, SP_ERR_ARG }, { SP_ERR_MEM, SP_ERR_FAIL },
	};

	(void)state;
	fake.on = fake.library = true;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fake.open_rc = cases[i].open_rc;
		fake.config_rc = cases[i].config_rc;
		dial();
		assert_int_equal(fake.mode.c_ospeed, 115200);
		assert_int_equal(fake.mode.c_cflag & CBAUD, BOTHER);
		assert_int_equal(fake.open_ports, 0);
		assert_null(strstr(fake.calls, "library"));
		fake.calls[0] = 0;
	}
}

/* Drivers say 0 and do what they can. */
static void a_mode_that_was_not_taken_is_told(void **state)
{
	static const struct { struct serial_mode m; unsigned given; tcflag_t never; int rc; } cases[] = {
		{ { 115200, 8, 'n', 1, false }, 114000, 0, 0 },
		{ { 115200, 8, 'n', 1, false }, 118000, 0, 0 },
		{ { 115200, 8, 'n', 1, false }, 110000, 0, -EOPNOTSUPP },
		{ { 115200, 8, 'n', 1, false }, 125000, 0, -EOPNOTSUPP },
		{ { 3000000, 8, 'n', 1, false }, 115200, 0, -EOPNOTSUPP },
		{ { 9600, 8, 'n', 1, true }, 0, CRTSCTS, -EOPNOTSUPP },
		{ { 9600, 8, 'e', 1, false }, 0, PARENB, -EOPNOTSUPP },
		{ { 9600, 8, 'n', 2, false }, 0, CSTOPB, -EOPNOTSUPP },
		{ { 9600, 8, 'n', 1, false }, 0, CSTOPB | PARENB | CRTSCTS, 0 },
	};

	(void)state;
	fake.on = true;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fake.speed_given = cases[i].given;
		fake.never = cases[i].never;
		assert_int_equal(dial_as(&cases[i].m), cases[i].rc);
	}
}

static void pseudo_terminals_have_no_mode(void **state)
{
	static const struct serial_mode odd = { 9601, 7, 'o', 2, true };

	(void)state;
	assert_int_equal(dial_as(&odd), 0);
	assert_int_equal(say("\xff\x80", 0), 0);
	far_hears("\xff\x80", 2);
}

static void what_is_no_mode_is_refused(void **state)
{
	static const struct serial_mode modes[] = {
		{ 0, 8, 'n', 1, false }, { UINT_MAX, 8, 'n', 1, false }, { 9600, 6, 'n', 1, false }, { 9600, 9, 'n', 1, false },
		{ 9600, 8, 'm', 1, false }, { 9600, 8, 0, 1, false },    { 9600, 8, 'n', 0, false }, { 9600, 8, 'n', 3, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(dial_as(&modes[i]), -EINVAL);
		assert_null(lk);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_byte_passes_both_ways), T(what_was_said_before_is_not_heard), T(receives_when_it_is_worth_it),
		T(full_until_the_next_receive), T(a_far_end_that_closes_is_gone_for_good), T(an_unplugged_device_is_gone_for_good),
		T(a_send_finds_the_end_too), T(unplugged_in_a_break), T(found_again_under_its_name), T(what_is_no_line_is_refused),
		T(a_file_is_not_written), T(links_and_pipes), T(one_at_a_time), T(another_process_has_it_until_it_dies),
		T(a_device_is_kept_from_those_who_know_no_locks), T(who_is_refused_has_changed_nothing), T(locks_of_the_living_are_kept),
		T(locks_by_every_name), T(locks_that_are_none), T(a_break_takes_its_time_and_nothing_is_sent_in_it),
		T(bytes_are_heard_in_a_break), T(a_loop_that_is_late_ends_it_late), T(output_leaves_before_a_break),
		T(output_that_nobody_takes_is_dropped), T(where_there_is_no_break), T(modes_are_set_by_us_and_by_the_library),
		T(what_the_library_refuses_is_done_without), T(a_mode_that_was_not_taken_is_told), T(pseudo_terminals_have_no_mode),
		T(what_is_no_mode_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
