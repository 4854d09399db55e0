/* sandbox_test.c - what a configuration needs, what a lesser kernel leads to, and what each part of the sandbox leaves. What
 * confines is entered in children; what an intruder then tries is in tests/e2e/test_sandbox.py. */
#include "proxy/sandbox_parts.h"

#include "backends/link/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { UNEXPECTED = 99 };

static char dir[] = "/tmp/kdgate-sandbox-XXXXXX", path[128], said[8192], why[CONFIG_WHY];
static struct config conf;
static const struct sandbox_kernel newest = { .seccomp = true, .landlock = 7 };

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	config_fini(&conf);
	return rmdir(dir);
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static void touch(const char *name, mode_t mode)
{
	int fd = open(in_dir(name), O_CREAT | O_WRONLY, mode);

	assert_true(fd >= 0);
	close(fd);
}

/* A target, a listener, who is let in. */
static void configure(const char *target, const char *listener, const char *allow)
{
	struct config_target *t;
	struct config_listener *l;

	config_fini(&conf);
	assert_int_equal(config_prepare(&conf), 0);
	t = &conf.targets[conf.targets_n++];
	config_target_init(t);
	assert_int_equal(config_target_text(t, target, why, sizeof why), 0);
	l = &t->listeners[t->listeners_n++];
	config_listener_init(l, &conf);
	assert_int_equal(config_addr_text(&l->addr, listener, why, sizeof why), 0);
	if (allow)
		assert_int_equal(config_allow_text(&conf, l, allow, why, sizeof why), 0);
}

/* In a child, whose standard error is said afterwards: how it ended. */
static int in_child(int (*fn)(const void *), const void *arg)
{
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		_exit(fn(arg));
	}
	close(ends[1]);
	while ((got = read(ends[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- what is needed */

static void needs_follow_the_configuration(void **state)
{
	static const struct { const char *target, *listener; struct sandbox_needs n; } cases[] = {
		{ "rsp+tcp:127.0.0.1:1234", "tcp:127.0.0.1:1", { .ipv4 = true, .diag = true } },
		{ "rsp+tcp:[::1]:1234", "unix:/run/k/s", { .ipv6 = true, .socket_files = true } },
		{ "rsp+tcp:lab.example:1234", "stdio", { .ipv4 = true, .ipv6 = true, .names = true } },
		{ "rsp+unix:/run/vm", "stdio", { .unix_sockets = true } },
		{ "kgdb+serial:/dev/ttyUSB0@115200", "stdio", { .serial = true } },
		{ "rsp+udp:127.0.0.1:1234", "stdio", { .datagrams = true } },
		{ "rsp+udp:[::1]:1234", "stdio", { .datagrams = true } },
		{ "rsp+udp:lab.example:1234", "stdio", { .datagrams = true, .ipv4 = true, .ipv6 = true, .names = true } },
		{ "kgdb+rfc2217:127.0.0.1:1234", "stdio", { .ipv4 = true } },
		{ "kgdb+telnet:[::1]:1234", "stdio", { .ipv6 = true } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sandbox_needs n;

		configure(cases[i].target, cases[i].listener, NULL);
		n = sandbox_needs_of(&conf);
		assert_int_equal(n.ipv4, cases[i].n.ipv4);
		assert_int_equal(n.ipv6, cases[i].n.ipv6);
		assert_int_equal(n.names, cases[i].n.names);
		assert_int_equal(n.unix_sockets, cases[i].n.unix_sockets || (n.names && sandbox_names_of_hosts_ask()));
		assert_int_equal(n.diag, cases[i].n.diag);
		assert_int_equal(n.serial, cases[i].n.serial);
		assert_int_equal(n.datagrams, cases[i].n.datagrams);
		assert_int_equal(n.socket_files, cases[i].n.socket_files);
		assert_false(n.groups);
		assert_null(n.audit);
	}
}

static void a_console_line_is_needed_as_well(void **state)
{
	struct sandbox_needs n;

	(void)state;
	configure("kgdb+serial:/dev/ttyUSB0@115200", "stdio", NULL);
	assert_int_equal(config_console_line_text(&conf.targets[0], "telnet:127.0.0.1:4001", why, sizeof why), 0);
	n = sandbox_needs_of(&conf);
	assert_true(n.serial && n.ipv4 && !n.ipv6 && !n.unix_sockets && !n.datagrams);
	configure("kgdb+tcp:[::1]:4000", "stdio", NULL);
	assert_int_equal(config_console_line_text(&conf.targets[0], "unix:/run/vm/com1", why, sizeof why), 0);
	n = sandbox_needs_of(&conf);
	assert_true(n.ipv6 && n.unix_sockets && !n.ipv4 && !n.serial);
}

static void groups_are_needed_on_loopback_only(void **state)
{
	(void)state;
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", "group=root");
	assert_true(sandbox_needs_of(&conf).groups);
	assert_int_equal(sandbox_needs_of(&conf).unix_sockets, sandbox_names_of_groups_ask());
	configure("rsp+tcp:127.0.0.1:1", "unix:/run/k/s", "group=root");
	assert_false(sandbox_needs_of(&conf).groups);
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", "user=root");
	assert_false(sandbox_needs_of(&conf).groups);
}

static void an_audit_file_is_needed_and_standard_output_is_not(void **state)
{
	(void)state;
	configure("rsp+tcp:127.0.0.1:1", "stdio", NULL);
	strcpy(conf.audit, "-");
	assert_null(sandbox_needs_of(&conf).audit);
	strcpy(conf.audit, "/var/log/k/a");
	assert_string_equal(sandbox_needs_of(&conf).audit, "/var/log/k/a");
}

static void nsswitch_is_read(void **state)
{
	static const char *const sources[] = { "files", "dns", NULL };
	static const struct { const char *text; bool asks; } cases[] = {
		{ "hosts: files dns\n", false },
		{ "hosts:\tfiles mdns4_minimal [NOTFOUND=return] dns\n", true },
		{ "hosts: files [NOTFOUND=return UNAVAIL = continue] dns\n", false },
		{ "hosts: files [ NOTFOUND=return ] sss\n", true },
		{ "# hosts: sss\nhosts: files # sss\n", false },
		{ "passwd: sss\nhosts: files\n", false },
		{ "hostsx: sss\n", false },
		{ "  hosts : sss\n", true },
		{ "hosts\n", false },
		{ "hosts:", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		FILE *f = fmemopen((void *)(uintptr_t)cases[i].text, strlen(cases[i].text) + 1, "r");

		assert_non_null(f);
		assert_int_equal(sandbox_names_ask(f, "hosts", sources), cases[i].asks);
		fclose(f);
	}
}

static void a_directory_of_logs(void **state)
{
	static const struct { const char *name; mode_t mode; bool logs; } cases[] = {
		{ "audit.jsonl.1", 0600, true }, { ".bashrc", 0600, false }, { "program", 0711, false }, { "d", S_IFDIR | 0700, false },
	};

	(void)state;
	assert_true(sandbox_files_is_log_dir(dir));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (S_ISDIR(cases[i].mode))
			assert_int_equal(mkdir(in_dir(cases[i].name), cases[i].mode & 0777), 0);
		else
			touch(cases[i].name, cases[i].mode);
		assert_int_equal(sandbox_files_is_log_dir(dir), cases[i].logs);
		assert_int_equal(remove(in_dir(cases[i].name)), 0);
	}
	assert_false(sandbox_files_is_log_dir(in_dir("not-there")));
}

static void it_is_shown(void **state)
{
	static const struct { struct sandbox s; const char *text; } cases[] = {
		{ { 0 }, "nothing" },
		{ { true, true, true, 7 }, "seccomp, Landlock (files, ports, signals), no capabilities, no new privileges" },
		{ { true, false, false, 4 }, "Landlock (files, ports), no new privileges" },
		{ { true, true, false, 1 }, "Landlock (files), no capabilities, no new privileges" },
		{ { true, true, true, 0 }, "seccomp, no capabilities, no new privileges" },
	};
	char out[128];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_string_equal(sandbox_show(&cases[i].s, out, sizeof out), cases[i].text);
		for (size_t size = 1; size < sizeof out; size++) {
			size_t len = strlen(sandbox_show(&cases[i].s, out, size));

			assert_true(len < size);
			assert_memory_equal(out, cases[i].text, len);
		}
	}
}

/* --- a kernel that has not got it all */

struct entry {
	struct sandbox_kernel kernel;
	enum sandbox_mode mode;
	bool secure;
};

/* 0 or the errno; why on standard error. */
static int enter(const void *arg)
{
	const struct entry *e = arg;
	struct sandbox s;
	char text[128];
	int rc;

	conf.sandbox = e->mode;
	conf.secure = e->secure;
	rc = sandbox_enter_on(&e->kernel, &s, &conf, why, sizeof why);
	dprintf(STDERR_FILENO, "%s\n", rc ? why : sandbox_show(&s, text, sizeof text));
	return -rc;
}

static int entered(struct sandbox_kernel k, enum sandbox_mode mode, bool secure)
{
	return in_child(enter, &(struct entry){ k, mode, secure });
}

static void what_is_missing_is_logged_in_one_line(void **state)
{
	static const struct { struct sandbox_kernel k; const char *text; } cases[] = {
		{ { .seccomp = true, .landlock_error = ENOSYS }, "kdgate: sandbox: files and ports are not confined: this kernel has no Landlock\n" },
		{ { .seccomp = true, .landlock_error = EOPNOTSUPP }, "files and ports are not confined: this kernel was started without Landlock (add it to lsm=" },
		{ { .landlock = 7 }, "kdgate: sandbox: system calls are not filtered: this kernel has no seccomp\n" },
		{ { .landlock_error = ENOSYS }, "has no seccomp; files and ports are not confined: this kernel has no Landlock\n" },
		{ { .seccomp = true, .landlock = 3 }, "TCP ports are not confined: this kernel's Landlock cannot, Linux 6.7's can\n" },
	};

	(void)state;
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *at;

		assert_int_equal(entered(cases[i].k, SANDBOX_TRY, true), 0);
		at = strstr(said, "confined:");
		at = at ? at : strstr(said, "not filtered:");
		assert_non_null(strstr(said, cases[i].text));
		assert_null(strstr(strchr(at, '\n'), "this kernel"));
	}
}

static void must_refuses_and_names_the_remedy(void **state)
{
	static const struct sandbox_kernel lesser[] = {
		{ .seccomp = true, .landlock_error = ENOSYS }, { .landlock = 7 }, { .landlock_error = EOPNOTSUPP }, { .seccomp = true, .landlock = 3 },
	};

	(void)state;
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", NULL);
	for (size_t i = 0; i < sizeof lesser / sizeof *lesser; i++) {
		assert_int_equal(entered(lesser[i], SANDBOX_MUST, false), EOPNOTSUPP);
		assert_int_equal(strncmp(said, "sandbox: ", 9), 0);
		assert_non_null(strstr(said, "this kernel"));
		assert_non_null(strstr(said, "(sandbox = \"try\" does without)"));
	}
}

/* No TCP socket can be opened then, to any port. */
static void an_older_landlock_is_enough_for_unix_targets(void **state)
{
	(void)state;
	configure("rsp+unix:/run/vm", "tcp:127.0.0.1:1", NULL);
	assert_int_equal(entered((struct sandbox_kernel){ .seccomp = true, .landlock = 2 }, SANDBOX_MUST, true), 0);
	assert_non_null(strstr(said, "seccomp, Landlock (files), no capabilities"));
}

static void off_confines_nothing(void **state)
{
	(void)state;
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", NULL);
	assert_int_equal(entered(newest, SANDBOX_OFF, false), 0);
	assert_string_equal(said, "nothing\n");
	assert_int_equal(entered(newest, SANDBOX_DEFAULT, false), 0); /* this is a sanitizer's build */
	assert_string_equal(said, "nothing\n");
}

/* A kernel that says it can, and then does not: no descriptor is left for the rules. */
static int enter_without_descriptors(const void *arg)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 3, 3 });
	return enter(arg);
}

static void a_step_that_fails_is_told(void **state)
{
	static const struct entry must = { { true, 7, 0 }, SANDBOX_MUST, false }, may = { { true, 7, 0 }, SANDBOX_TRY, false };

	(void)state;
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", NULL);
	assert_int_equal(in_child(enter_without_descriptors, &must), EMFILE);
	assert_non_null(strstr(said, "sandbox: files and ports (Landlock): Too many open files (sandbox = \"try\""));
	assert_int_equal(in_child(enter_without_descriptors, &may), 0);
	assert_non_null(strstr(said, "kdgate: sandbox: files and ports (Landlock): Too many open files\n"));
	assert_non_null(strstr(said, "\nseccomp, no capabilities"));
}

/* --- Landlock, of every age */

static int connect_here(unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to) < 0 ? errno : 0;
}

/* 0: as that age has it. Port 1 is the target's, port 2 is not; nobody listens on either. */
static int confine_files(const void *arg)
{
	const int *abi = arg;
	struct sandbox_needs n = sandbox_needs_of(&conf);

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox_files_enter(*abi, &conf, &n) != 0)
		return UNEXPECTED;
	if (open("/bin/true", O_RDONLY) >= 0 || errno != EACCES || open(in_dir("x"), O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES)
		return 1;
	if (open("/etc/passwd", O_RDONLY) < 0 || open("/proc/net/tcp", O_RDONLY) < 0)
		return 2;
	if (connect_here(1) != ECONNREFUSED || connect_here(2) != (*abi < 4 ? ECONNREFUSED : EACCES))
		return 3;
	return kill(getppid(), 0) == 0 ? *abi < 6 ? 0 : 4 : *abi < 6 ? 5 : 0;
}

static void every_abi_can_be_entered(void **state)
{
	int here = sandbox_files_abi();

	(void)state;
	if (here < 0)
		skip();
	configure("rsp+tcp:127.0.0.1:1", "tcp:127.0.0.1:1", NULL);
	for (int abi = 1; abi <= here; abi++)
		assert_int_equal(in_child(confine_files, &abi), 0);
}

/* --- sockets */

static const struct { int family, type, protocol; } kinds[] = {
	{ AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 }, { AF_INET6, SOCK_STREAM, 0 }, { AF_UNIX, SOCK_STREAM, 0 },
	{ AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG }, { AF_INET, SOCK_DGRAM, 0 }, { AF_INET6, SOCK_DGRAM, 0 },
	/* never */
	{ AF_UNIX, SOCK_DGRAM, 0 }, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, { AF_INET, SOCK_RAW, IPPROTO_ICMP }, { AF_INET, SOCK_STREAM, 262 },
	{ AF_PACKET, SOCK_RAW, 0 },
};

/* The kinds that can be had, as bits. */
static int confine_calls(const void *arg)
{
	const struct sandbox_needs *n = arg;
	int had = 0;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox_calls_enter(n) != 0)
		return UNEXPECTED;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		had |= socket(kinds[i].family, kinds[i].type, kinds[i].protocol) >= 0 ? 1 << i : 0;
	return had;
}

static void sockets_are_those_that_are_needed(void **state)
{
	static const struct { struct sandbox_needs n; int had; } cases[] = {
		{ { .ipv4 = true }, 1 }, { { .ipv6 = true }, 2 }, { { .unix_sockets = true }, 4 }, { { .diag = true }, 8 }, { { .datagrams = true }, 16 | 32 },
		{ { .serial = true }, 0 },
		{ { .ipv4 = true, .ipv6 = true, .names = true }, 1 | 2 | 16 | 32 }, { { 0 }, 0 },
		{ { .ipv4 = true, .ipv6 = true, .names = true, .unix_sockets = true, .diag = true, .audit = "a", .socket_files = true }, 63 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(in_child(confine_calls, &cases[i].n), cases[i].had);
}

/* --- serial lines */

static int open_pty(char *name, size_t size)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, size) == 0);
	return fd;
}

static const char *line_path(void)
{
	const struct config_target *t = &conf.targets[0];

	return t->has_console_line ? t->console_line.path : t->addr.path;
}

/* The line of another name stands for the one that comes back: it is a new file. */
static int confine_line(const void *arg)
{
	static const struct serial_mode mode = { 115200, 8, 'n', 1, false };
	const char *again = arg;
	struct sandbox_needs n = sandbox_needs_of(&conf);
	struct link *lk;
	int fd;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox_files_enter(sandbox_files_abi(), &conf, &n) != 0 || sandbox_calls_enter(&n) != 0)
		return UNEXPECTED;
	if (link_serial_dial(&lk, line_path(), &mode) != 0)
		return 1;
	link_destroy_stack(lk);
	if (link_serial_dial(&lk, again, &mode) != 0)
		return 2;
	if (open("/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK) >= 0 || errno != EACCES)
		return 3;
	fd = open(again, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || open(again, O_RDWR | O_NONBLOCK) >= 0 || errno != ENOSYS)
		return 4;
	return ioctl(fd, TIOCSTI, "x") < 0 && errno == ENOSYS && ioctl(fd, TIOCSETD, &(int){ 0 }) < 0 && errno == ENOSYS ? 0 : 5;
}

static void a_line_is_found_again(void **state)
{
	char first[64], again[64], target[160];
	int ends[2] = { open_pty(first, sizeof first), open_pty(again, sizeof again) };

	(void)state;
	if (sandbox_files_abi() < 0)
		skip();
	snprintf(target, sizeof target, "rsp+serial:%s", first);
	configure(target, "stdio", NULL);
	assert_int_equal(in_child(confine_line, again), 0);
	configure("kgdb+unix:/run/vm", "stdio", NULL);
	assert_int_equal(config_console_line_text(&conf.targets[0], strchr(target, '+') + 1, why, sizeof why), 0);
	assert_int_equal(in_child(confine_line, again), 0);
	assert_int_equal(symlink(first, in_dir("line")), 0);
	snprintf(target, sizeof target, "rsp+serial:%s", path);
	configure(target, "stdio", NULL);
	assert_int_equal(in_child(confine_line, again), 0);
	assert_int_equal(unlink(path), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_follow_the_configuration),
		cmocka_unit_test(a_console_line_is_needed_as_well),
		cmocka_unit_test(groups_are_needed_on_loopback_only),
		cmocka_unit_test(an_audit_file_is_needed_and_standard_output_is_not),
		cmocka_unit_test(nsswitch_is_read),
		cmocka_unit_test(a_directory_of_logs),
		cmocka_unit_test(it_is_shown),
		cmocka_unit_test(what_is_missing_is_logged_in_one_line),
		cmocka_unit_test(must_refuses_and_names_the_remedy),
		cmocka_unit_test(an_older_landlock_is_enough_for_unix_targets),
		cmocka_unit_test(off_confines_nothing),
		cmocka_unit_test(a_step_that_fails_is_told),
		cmocka_unit_test(every_abi_can_be_entered),
		cmocka_unit_test(sockets_are_those_that_are_needed),
		cmocka_unit_test(a_line_is_found_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
