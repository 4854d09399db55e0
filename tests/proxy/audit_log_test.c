/* audit_log_test.c - lines on files, FIFOs, full disks: whole, in order, never blocking, and nothing lost in silence. */
#include "proxy/audit_log.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { CONTENT_MAX = 1 << 20 };

static char dir[] = "/tmp/kdgate-audit-XXXXXX", path[64], other[64], why[512], content[CONTENT_MAX];
static struct audit_log a;

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/log", dir);
	snprintf(other, sizeof other, "%s/old", dir);
	log_setup((enum log_level)0); /* the failures here are meant */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int cleanup(void **state)
{
	(void)state;
	audit_log_close(&a);
	unlink(path);
	unlink(other);
	return 0;
}

static void opened(void)
{
	assert_int_equal(audit_log_open(&a, path, why, sizeof why), 0);
}

static void note(int n)
{
	char text[32];

	snprintf(text, sizeof text, "number %06d.", n);
	audit_log_write(&a, &(struct audit_event){ .what = AUDIT_OTHER, .text = text });
}

static size_t read_all(const char *from)
{
	int fd = open(from, O_RDONLY);
	ssize_t n = read(fd, content, sizeof content - 1);

	close(fd);
	content[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

/* How many whole lines of content are notes, from first on, each one more than the one before. */
static int notes_from(int first)
{
	int n = 0;

	for (char *line = strtok(content, "\n"); line; line = strtok(NULL, "\n")) {
		char want[32];

		snprintf(want, sizeof want, "number %06d.", first + n);
		if (line[0] == '{' && line[strlen(line) - 1] == '}' && strstr(line, want))
			n++;
	}
	return n;
}

static struct wait waits(void)
{
	struct wait w = wait_none();

	audit_log_wait(&a, &w);
	return w;
}

static void no_audit(void **state)
{
	(void)state;
	assert_int_equal(audit_log_open(&a, "", why, sizeof why), 0);
	note(1);
	audit_log_flush(&a);
	audit_log_reopen(&a);
	assert_false(audit_log_failed(&a));
	assert_true(waits().fd == -1 && !waits().write);
	audit_log_close(&a);
	audit_log_close(&a);
}

static void a_file(void **state)
{
	struct stat st;
	mode_t before = umask(0);

	(void)state;
	opened();
	umask(before);
	note(1);
	note(2);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(a.fd, F_GETFD) & FD_CLOEXEC);
	audit_log_close(&a);
	opened(); /* appends */
	note(3);
	read_all(path);
	assert_non_null(strstr(content, "\"20")); /* the year */
	assert_int_equal(notes_from(1), 3);
	assert_false(audit_log_failed(&a));
}

static void rotation(void **state)
{
	(void)state;
	opened();
	note(1);
	assert_int_equal(rename(path, other), 0);
	note(2);
	audit_log_reopen(&a);
	note(3);
	read_all(other);
	assert_int_equal(notes_from(1), 2);
	read_all(path);
	assert_int_equal(notes_from(3), 1);
}

/* What cannot be opened anew is no reason to stop writing. */
static void rotation_that_fails(void **state)
{
	(void)state;
	opened();
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	audit_log_reopen(&a);
	note(1);
	assert_int_equal(rmdir(path), 0);
	read_all(other);
	assert_int_equal(notes_from(1), 1);
	assert_false(audit_log_failed(&a));
}

static void refuses(const char *file, int error, const char *words)
{
	assert_int_equal(audit_log_open(&a, file, why, sizeof why), error);
	assert_non_null(strstr(why, words));
	assert_non_null(strstr(why, file));
	audit_log_close(&a);
}

static void what_is_refused(void **state)
{
	char missing[80], long_name[400];

	(void)state;
	snprintf(missing, sizeof missing, "%s/no/log", dir);
	refuses(missing, -ENOENT, "make it first");
	refuses(dir, -EISDIR, "directory");
	assert_int_equal(symlink("/dev/null", path), 0);
	refuses(path, -ELOOP, "symbolic link");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuses(path, -ENXIO, "start its reader");
	memset(long_name, 'x', sizeof long_name);
	long_name[sizeof long_name - 1] = 0;
	assert_int_equal(audit_log_open(&a, long_name, why, sizeof why), -ENAMETOOLONG);
}

/* Full, and kept; then read, and nothing is missing. */
static void a_fifo_that_is_slow(void **state)
{
	int reader, n = 0;
	size_t got = 0;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	opened();
	while (a.kept.len < 30000)
		note(n++);
	assert_false(audit_log_failed(&a)); /* nothing is lost yet */
	assert_true(waits().fd == a.fd && waits().write);
	for (ssize_t k; a.kept.len || got == 0; audit_log_flush(&a))
		while ((k = read(reader, content + got, sizeof content - 1 - got)) > 0)
			got += (size_t)k;
	got += (size_t)read(reader, content + got, sizeof content - 1 - got);
	content[got] = 0;
	assert_false(waits().write);
	assert_int_equal(notes_from(0), n);
	close(reader);
}

/* Full beyond what is kept: lines are lost, which is said at once, and in the log when it is read again. */
static void a_fifo_nobody_reads(void **state)
{
	int reader, n = 0, kept;
	size_t got = 0;
	ssize_t k;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	opened();
	while (!audit_log_failed(&a))
		note(n++);
	kept = n - 1;
	assert_in_range(a.kept.len, AUDIT_KEPT - AUDIT_LINE, AUDIT_KEPT);
	note(n++);
	note(n++);
	for (int i = 0; i < 100 && a.kept.len; i++) {
		while ((k = read(reader, content + got, sizeof content - 1 - got)) > 0)
			got += (size_t)k;
		audit_log_flush(&a);
	}
	while ((k = read(reader, content + got, sizeof content - 1 - got)) > 0)
		got += (size_t)k;
	content[got] = 0;
	assert_non_null(strstr(content, "3 lines of this log were lost"));
	assert_int_equal(notes_from(0), kept);
	assert_true(audit_log_failed(&a)); /* one was lost: for ever */
	close(reader);
}

static void a_reader_that_left(void **state)
{
	int reader;
	ssize_t n;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	opened();
	close(reader);
	note(0); /* no signal */
	note(1);
	assert_true(audit_log_failed(&a));
	assert_false(waits().write); /* it would be awake for ever */
	reader = open(path, O_RDONLY | O_NONBLOCK);
	note(2);
	n = read(reader, content, sizeof content - 1);
	content[n > 0 ? n : 0] = 0;
	assert_int_equal(notes_from(0), 3);
	assert_false(audit_log_failed(&a)); /* nothing was lost */
	close(reader);
}

static void dev_full(void **state)
{
	(void)state;
	assert_int_equal(audit_log_open(&a, "/dev/full", why, sizeof why), 0);
	assert_false(audit_log_failed(&a));
	for (int i = 0; i < 2000; i++)
		note(i);
	assert_true(audit_log_failed(&a));
	assert_true(waits().fd == -1 && a.kept.len <= AUDIT_KEPT && a.lost > 0);
	audit_log_close(&a);
}

static bool tiny_disk(void)
{
	static bool there;

	if (!there)
		there = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return there && mount("none", dir, "tmpfs", 0, "size=64k,mode=0700") == 0;
}

static void fill_disk(const char *with, size_t leave)
{
	int fd = open(with, O_WRONLY | O_CREAT, 0600);
	struct stat st;
	char page[4096];

	memset(page, 'x', sizeof page);
	while (write(fd, page, sizeof page) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - (off_t)leave), 0);
	close(fd);
}

/* The disk is full within a line; when there is room again the log goes on, on a new line, with that same one. */
static void a_full_disk(void **state)
{
	int n = 0;
	char *torn;

	(void)state;
	if (!tiny_disk()) {
		print_message("skipped: a small file system needs root\n");
		return;
	}
	opened();
	fill_disk(other, 8192);
	while (!audit_log_failed(&a))
		note(n++);
	assert_int_equal(read_all(path), 8192);
	assert_true(a.torn && content[8191] != '\n');
	note(n++);
	assert_int_equal(unlink(other), 0);
	note(n++);
	assert_false(audit_log_failed(&a));
	read_all(path);
	torn = content + 8190;
	assert_int_equal(torn[2], '\n');
	assert_int_equal(notes_from(0), n); /* and the torn one is no whole line */
	audit_log_close(&a);
	assert_int_equal(umount(dir), 0);
}

/* Two attempts on a full disk tear one line once, and a restart after that begins on a new line. */
static void torn_and_restarted(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_int_equal(write(fd, "{\"half", 6), 6);
	close(fd);
	opened();
	note(0);
	note(1);
	read_all(path);
	assert_int_equal(strncmp(content, "{\"half\n{", 8), 0);
	assert_null(strstr(content, "\n\n"));
	assert_int_equal(notes_from(0), 2);
}

/* A line that went to the old file in part goes to the new one as a whole. */
static void rotation_within_a_line(void **state)
{
	(void)state;
	if (!tiny_disk()) {
		print_message("skipped: a small file system needs root\n");
		return;
	}
	opened();
	fill_disk(other, 4096);
	for (int n = 0; !audit_log_failed(&a); n++)
		note(n);
	assert_true(a.torn);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(rename(path, other), 0);
	audit_log_reopen(&a);
	assert_false(audit_log_failed(&a));
	read_all(path);
	assert_int_equal(content[0], '{');
	assert_null(strstr(content, "\n\n"));
	audit_log_close(&a);
	assert_int_equal(umount(dir), 0);
}

/* Standard output: its own description if it is a file or pipe, else shared and given back. */
static void standard_output(void **state)
{
	int saved = dup(STDOUT_FILENO), fd[2];
	ssize_t n;

	(void)state;
	for (int socket = 0; socket < 2; socket++) {
		fflush(stdout);
		assert_int_equal(socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd), 0);
		dup2(fd[1], STDOUT_FILENO);
		n = audit_log_open(&a, "-", why, sizeof why);
		note(0);
		audit_log_reopen(&a);
		note(1);
		if (n == 0 && !socket)
			n = fcntl(fd[1], F_GETFL) & O_NONBLOCK;
		audit_log_close(&a);
		if (n == 0)
			n = fcntl(fd[1], F_GETFL) & O_NONBLOCK;
		dup2(saved, STDOUT_FILENO);
		assert_int_equal(n, 0);
		n = read(fd[0], content, sizeof content - 1);
		content[n > 0 ? n : 0] = 0;
		assert_int_equal(notes_from(0), 2);
		close(fd[0]);
		close(fd[1]);
	}
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(no_audit, cleanup), cmocka_unit_test_teardown(a_file, cleanup),
		cmocka_unit_test_teardown(rotation, cleanup), cmocka_unit_test_teardown(rotation_that_fails, cleanup),
		cmocka_unit_test_teardown(what_is_refused, cleanup), cmocka_unit_test_teardown(a_fifo_that_is_slow, cleanup),
		cmocka_unit_test_teardown(a_fifo_nobody_reads, cleanup), cmocka_unit_test_teardown(a_reader_that_left, cleanup),
		cmocka_unit_test_teardown(dev_full, cleanup), cmocka_unit_test_teardown(torn_and_restarted, cleanup),
		cmocka_unit_test_teardown(a_full_disk, cleanup), cmocka_unit_test_teardown(rotation_within_a_line, cleanup),
		cmocka_unit_test_teardown(standard_output, cleanup),
	};

	signal(SIGPIPE, SIG_DFL);
	return cmocka_run_group_tests(tests, setup, teardown);
}
