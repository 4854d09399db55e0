/* compromised.c - what an intruder would try: linked in place of the loop, so it runs when kdgate would begin to serve.
 *
 * KDGATE_TRY is "WORD [ARGUMENT]". Prints "did", or "failed: " and the error; or is killed before it can. */
#include "proxy/loop.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MPTCP = 262, PAGE = 4096 };

int __wrap_loop_serve(struct gate *g);

static int result(long rc)
{
	return rc < 0 ? -errno : 0;
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

/* --- files */

static int try_read(const char *path)
{
	return result(open(path, O_RDONLY));
}

static int try_write(const char *path)
{
	return result(open(path, O_WRONLY));
}

static int try_append(const char *path)
{
	return result(open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600));
}

static int try_create(const char *path)
{
	return result(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static int try_truncate(const char *path)
{
	return result(truncate(path, 0));
}

static int try_remove(const char *path)
{
	return result(unlink(path));
}

static int try_rename(const char *path)
{
	char to[512];

	snprintf(to, sizeof to, "%s.moved", path);
	return result(rename(path, to));
}

static int try_link(const char *path)
{
	return result(symlink("/", path));
}

static int try_directory(const char *path)
{
	return result(mkdir(path, 0700));
}

static int try_mode(const char *path)
{
	return result(chmod(path, 0777));
}

static int try_list(const char *path)
{
	return opendir(path) ? 0 : -errno;
}

/* --- sockets */

static int connect_port(int fd, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return fd < 0 ? -errno : result(connect(fd, (struct sockaddr *)&to, sizeof to));
}

static int try_tcp(const char *port)
{
	return connect_port(socket(AF_INET, SOCK_STREAM, 0), port);
}

static int try_mptcp(const char *port)
{
	return connect_port(socket(AF_INET, SOCK_STREAM, MPTCP), port);
}

static int try_fastopen(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return result(sendto(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof to));
}

static int try_listen(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return result(bind(fd, (struct sockaddr *)&at, sizeof at)) ? -errno : result(listen(fd, 1));
}

static int connect_unix(const char *name, bool abstract)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path + abstract, sizeof to.sun_path - abstract, "%s", name);
	return fd < 0 ? -errno : result(connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(name))));
}

static int try_unix(const char *path)
{
	return connect_unix(path, false);
}

static int try_abstract(const char *name)
{
	return connect_unix(name, true);
}

static int try_udp(const char *none)
{
	(void)none;
	return result(socket(AF_INET, SOCK_DGRAM, 0));
}

static int try_raw(const char *none)
{
	(void)none;
	return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int try_netlink(const char *protocol)
{
	return result(socket(AF_NETLINK, SOCK_RAW, number(protocol)));
}

/* --- processes */

static int try_exec(const char *program)
{
	return result(execl(program, program, "did", (char *)NULL));
}

static int forked(long pid)
{
	if (pid == 0)
		_exit(0);
	return pid < 0 ? -errno : result(waitpid((pid_t)pid, NULL, 0));
}

static int try_fork(const char *none)
{
	(void)none;
	return forked(fork());
}

static int try_clone(const char *none)
{
	(void)none;
	return forked(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static int try_clone3(const char *none)
{
	uint64_t args[11] = { [4] = SIGCHLD };

	(void)none;
	return forked(syscall(SYS_clone3, args, sizeof args));
}

static int try_ptrace(const char *pid)
{
	return result(ptrace(PTRACE_ATTACH, number(pid), NULL, NULL));
}

static int try_memory(const char *pid)
{
	struct iovec none = { 0 };

	return result(process_vm_readv(number(pid), &none, 1, &none, 1, 0));
}

static int try_kill(const char *pid)
{
	return result(kill(number(pid), SIGUSR1));
}

static int try_sigio(const char *pid)
{
	return result(fcntl(STDIN_FILENO, F_SETOWN, number(pid)));
}

static int try_abort(const char *none)
{
	(void)none;
	abort();
}

/* --- memory that can be executed */

static int try_map(const char *none)
{
	(void)none;
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -errno : 0;
}

static int try_protect(const char *none)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)none;
	return result(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
}

static int try_memfd(const char *none)
{
	(void)none;
	return result(memfd_create("x", 0));
}

/* --- more rights */

static int try_setuid(const char *uid)
{
	return result(setuid((uid_t)number(uid)));
}

static int try_userns(const char *none)
{
	(void)none;
	return result(unshare(CLONE_NEWUSER));
}

static int try_chroot(const char *path)
{
	return result(chroot(path));
}

/* Those that no kernel would do as they are asked for here; they only reach it. */
static int try_mount(const char *none)
{
	(void)none;
	return result(mount("none", "/nowhere", "nosuchfs", 0, NULL));
}

static int try_module(const char *none)
{
	(void)none;
	return result(syscall(SYS_finit_module, -1, "", 0));
}

static int try_bpf(const char *none)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY };

	(void)none;
	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
}

static int try_perf(const char *none)
{
	(void)none;
	return result(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int try_ring(const char *none)
{
	(void)none;
	return result(syscall(SYS_io_uring_setup, 1, NULL));
}

/* --- what must go on */

static int try_nothing(const char *none)
{
	(void)none;
	return 0;
}

static int try_user(const char *name)
{
	return getpwnam(name) ? 0 : -ENOENT;
}

static const struct { const char *word; int (*fn)(const char *arg); } tries[] = {
	{ "read", try_read }, { "write", try_write }, { "append", try_append }, { "create", try_create }, { "truncate", try_truncate },
	{ "remove", try_remove }, { "rename", try_rename }, { "link", try_link }, { "directory", try_directory }, { "mode", try_mode },
	{ "list", try_list }, { "tcp", try_tcp }, { "mptcp", try_mptcp }, { "fastopen", try_fastopen }, { "listen", try_listen },
	{ "unix", try_unix }, { "abstract", try_abstract }, { "udp", try_udp }, { "raw", try_raw }, { "netlink", try_netlink },
	{ "exec", try_exec }, { "fork", try_fork }, { "clone", try_clone }, { "clone3", try_clone3 }, { "ptrace", try_ptrace },
	{ "memory", try_memory }, { "kill", try_kill }, { "sigio", try_sigio }, { "abort", try_abort }, { "map", try_map },
	{ "protect", try_protect }, { "memfd", try_memfd }, { "setuid", try_setuid }, { "userns", try_userns }, { "chroot", try_chroot },
	{ "mount", try_mount }, { "module", try_module }, { "bpf", try_bpf }, { "perf", try_perf }, { "ring", try_ring },
	{ "nothing", try_nothing }, { "user", try_user },
};

static int try(const char *word, const char *arg)
{
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		if (strcmp(tries[i].word, word) == 0)
			return tries[i].fn(arg);
	fprintf(stderr, "compromised: %s: no such word\n", word);
	exit(2);
}

int __wrap_loop_serve(struct gate *g)
{
	const char *what = getenv("KDGATE_TRY");
	char word[32] = "", arg[256] = "";
	int rc;

	(void)g;
	if (!what || sscanf(what, "%31s %255[^\n]", word, arg) < 1)
		exit(2);
	rc = try(word, arg);
	if (rc)
		printf("failed: %s\n", strerrorname_np(-rc));
	else
		printf("did\n");
	fflush(stdout);
	return 0;
}
