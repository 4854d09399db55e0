/* sandbox_calls.c - seccomp: the system calls that serving needs, and no others. The only door to libseccomp.
 *
 * A call without conditions is the cheapest: the kernel remembers that it is allowed, and runs no filter for it. So what a
 * round trip is made of stands in the plain list, as far as it can.
 * What is on no list fails with ENOSYS, as on an older kernel: a C library that is newer than this list has another way
 * then. Only what nothing but an intruder would call ends the process. */
#include "proxy/sandbox_parts.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/usbdevice_fs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define CALL(name) SCMP_SYS(name)

/* Of an int: the kernel does not look at the upper half either. */
#define INT 0xffffffffULL
#define IS(arg, value) { arg, SCMP_CMP_MASKED_EQ, INT, (value) & INT }
#define BITS(arg, mask, value) { arg, SCMP_CMP_MASKED_EQ, mask, value }

/* MSG_FASTOPEN connects, past Landlock. */
#define NO_FASTOPEN(arg) BITS(arg, MSG_FASTOPEN, 0)

enum { OPEN_FOR = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, AUDIT_FLAGS = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW,
       OPEN_LINE = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | O_NOCTTY | O_NONBLOCK | (O_TMPFILE & ~O_DIRECTORY),
       LINE_FLAGS = O_RDWR | O_NOCTTY | O_NONBLOCK, OPEN_READ = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), TYPE = ~(SOCK_CLOEXEC | SOCK_NONBLOCK) };

struct rule {
	int call;
	unsigned n;
	struct scmp_arg_cmp args[3];
};

static const int plain[] = {
	/* a round trip */
	CALL(epoll_wait), CALL(epoll_pwait), CALL(recvfrom), CALL(read), CALL(write), CALL(writev), CALL(epoll_ctl), CALL(poll),
	CALL(ppoll), CALL(clock_gettime),
	/* files */
	CALL(close), CALL(fstat), CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(lseek), CALL(readv), CALL(pread64),
	CALL(access), CALL(faccessat), CALL(faccessat2), CALL(readlink), CALL(readlinkat), CALL(getdents64), CALL(fsync), CALL(fdatasync),
	/* the loop */
	CALL(epoll_create1), CALL(eventfd2), CALL(pipe2), CALL(select), CALL(pselect6), CALL(restart_syscall),
	/* sockets that are there already */
	CALL(accept4), CALL(connect), CALL(getsockname), CALL(getpeername), CALL(getsockopt), CALL(shutdown),
	/* memory */
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise),
	/* itself */
	CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getgroups), CALL(getrlimit),
	CALL(getrandom), CALL(getcwd), CALL(uname), CALL(sysinfo), CALL(getrusage), CALL(times), CALL(time), CALL(gettimeofday),
	CALL(clock_nanosleep), CALL(nanosleep), CALL(futex), CALL(sched_yield), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigreturn), CALL(sigaltstack), CALL(exit), CALL(exit_group),
};

static const int deadly[] = {
	/* other programs and processes */
	CALL(execve), CALL(execveat), CALL(fork), CALL(vfork), CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp),
	CALL(process_madvise), CALL(pidfd_getfd), CALL(pidfd_send_signal), CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo),
	/* who it is */
	CALL(setuid), CALL(setgid), CALL(setreuid), CALL(setregid), CALL(setresuid), CALL(setresgid), CALL(setfsuid), CALL(setfsgid),
	CALL(setgroups), CALL(capset), CALL(unshare), CALL(setns), CALL(chroot), CALL(pivot_root), CALL(personality),
	/* the file system */
	CALL(mount), CALL(umount2), CALL(move_mount), CALL(open_tree), CALL(fsopen), CALL(fsconfig), CALL(fsmount), CALL(fspick),
	CALL(mount_setattr), CALL(mknod), CALL(mknodat), CALL(open_by_handle_at), CALL(fanotify_init),
	CALL(swapon), CALL(swapoff), CALL(quotactl), CALL(acct),
	/* the kernel */
	CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(kexec_load), CALL(kexec_file_load), CALL(bpf), CALL(reboot),
	CALL(perf_event_open), CALL(userfaultfd),
	CALL(keyctl), CALL(add_key), CALL(request_key), CALL(iopl), CALL(ioperm), CALL(modify_ldt), CALL(syslog), CALL(settimeofday),
	CALL(clock_settime), CALL(clock_adjtime), CALL(adjtimex), CALL(sethostname), CALL(setdomainname), CALL(vhangup),
};

/* fork, as C libraries make it, is a clone that is no thread. A thread is refused like any other call. */
static const struct rule deadly_if[] = {
	{ CALL(clone), 1, { BITS(0, CLONE_THREAD, 0) } },
};

static const struct rule conditional[] = {
	{ CALL(sendto), 1, { NO_FASTOPEN(3) } },
	{ CALL(mmap), 1, { BITS(2, PROT_EXEC, 0) } },
	{ CALL(mprotect), 1, { BITS(2, PROT_EXEC, 0) } },
	{ CALL(open), 1, { BITS(1, OPEN_READ, O_RDONLY) } },
	{ CALL(openat), 1, { BITS(2, OPEN_READ, O_RDONLY) } },
	{ CALL(prlimit64), 2, { IS(0, 0), { 2, SCMP_CMP_EQ, 0, 0 } } },
	/* with F_SETOWN a process sends signals to others */
	{ CALL(fcntl), 1, { IS(1, F_GETFL) } },
	{ CALL(fcntl), 1, { IS(1, F_SETFL) } },
	{ CALL(fcntl), 1, { IS(1, F_GETFD) } },
	{ CALL(fcntl), 1, { IS(1, F_SETFD) } },
	{ CALL(fcntl), 1, { IS(1, F_DUPFD_CLOEXEC) } },
	{ CALL(ioctl), 1, { IS(1, TCGETS) } },
	{ CALL(ioctl), 1, { IS(1, FIONREAD) } },
	{ CALL(setsockopt), 2, { IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE) } },
	{ CALL(setsockopt), 2, { IS(1, SOL_SOCKET), IS(2, SO_RCVTIMEO) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_QUICKACK) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_KEEPIDLE) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_KEEPINTVL) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_KEEPCNT) } },
};

/* Said in words of their own, because people meet them: a library that would be loaded now. */
static const struct rule executable[] = {
	{ CALL(mmap), 1, { BITS(2, PROT_EXEC, PROT_EXEC) } },
	{ CALL(mprotect), 1, { BITS(2, PROT_EXEC, PROT_EXEC) } },
};

/* Multipath TCP and SMC are TCP in the eyes of a server, and not in Landlock's. */
static const struct rule for_ipv4[] = {
	{ CALL(socket), 3, { IS(0, AF_INET), BITS(1, TYPE & INT, SOCK_STREAM), IS(2, 0) } },
};
static const struct rule for_ipv6[] = {
	{ CALL(socket), 3, { IS(0, AF_INET6), BITS(1, TYPE & INT, SOCK_STREAM), IS(2, 0) } },
};
static const struct rule for_unix_sockets[] = {
	{ CALL(socket), 3, { IS(0, AF_UNIX), BITS(1, TYPE & INT, SOCK_STREAM), IS(2, 0) } },
	{ CALL(sendmsg), 1, { NO_FASTOPEN(2) } },
	{ CALL(recvmsg), 0, { { 0 } } },
};
static const struct rule for_diag[] = {
	{ CALL(socket), 3, { IS(0, AF_NETLINK), BITS(1, TYPE & INT, SOCK_RAW), IS(2, NETLINK_SOCK_DIAG) } },
};
/* glibc's resolver; and the choice between several addresses, which "connects" UDP sockets. */
static const struct rule for_names[] = {
	{ CALL(socket), 3, { IS(0, AF_INET), BITS(1, TYPE & INT, SOCK_DGRAM), IS(2, 0) } },
	{ CALL(socket), 3, { IS(0, AF_INET6), BITS(1, TYPE & INT, SOCK_DGRAM), IS(2, 0) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_IP), IS(2, IP_RECVERR) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_IPV6), IS(2, IPV6_RECVERR) } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_IP), IS(2, IP_MTU_DISCOVER) } },
	{ CALL(sendmmsg), 1, { NO_FASTOPEN(3) } },
};
static const struct rule for_audit[] = {
	{ CALL(open), 1, { BITS(1, OPEN_FOR, AUDIT_FLAGS) } },
	{ CALL(openat), 1, { BITS(2, OPEN_FOR, AUDIT_FLAGS) } },
};
static const struct rule for_datagrams[] = {
	{ CALL(socket), 3, { IS(0, AF_INET), BITS(1, TYPE & INT, SOCK_DGRAM), IS(2, 0) } },
	{ CALL(socket), 3, { IS(0, AF_INET6), BITS(1, TYPE & INT, SOCK_DGRAM), IS(2, 0) } },
};
/* Memory is locked for keys. */
static const struct rule for_kdnet[] = {
	{ CALL(bind), 0, { { 0 } } },
	{ CALL(setsockopt), 2, { IS(1, IPPROTO_IPV6), IS(2, IPV6_V6ONLY) } },
	{ CALL(mlock), 0, { { 0 } } },
	{ CALL(mlock2), 0, { { 0 } } },
};
/* A line that comes back is opened, locked and configured anew, by libserialport with TCSETS and TIOCMBIS. kill with 0 asks
 * whether the owner of a lock lives. Not TIOCSTI, which types for somebody else, nor TIOCSETD, which loads modules. */
static const struct rule for_serial[] = {
	{ CALL(open), 1, { BITS(1, OPEN_LINE, LINE_FLAGS) } },
	{ CALL(openat), 1, { BITS(2, OPEN_LINE, LINE_FLAGS) } },
	{ CALL(flock), 0, { { 0 } } },
	{ CALL(kill), 1, { IS(1, 0) } },
	{ CALL(ioctl), 1, { IS(1, TCSETS) } },
	{ CALL(ioctl), 1, { IS(1, TCGETS2) } },
	{ CALL(ioctl), 1, { IS(1, TCSETS2) } },
	{ CALL(ioctl), 1, { IS(1, TCFLSH) } },
	{ CALL(ioctl), 1, { IS(1, TIOCEXCL) } },
	{ CALL(ioctl), 1, { IS(1, TIOCNXCL) } },
	{ CALL(ioctl), 1, { IS(1, TIOCGEXCL) } },
	{ CALL(ioctl), 1, { IS(1, TIOCSBRK) } },
	{ CALL(ioctl), 1, { IS(1, TIOCCBRK) } },
	{ CALL(ioctl), 1, { IS(1, TIOCOUTQ) } },
	{ CALL(ioctl), 1, { IS(1, TIOCMGET) } },
	{ CALL(ioctl), 1, { IS(1, TIOCMBIS) } },
};
/* What libusb does with the one device it is given. Not USBDEVFS_RESET, which would make it another device. */
static const struct rule for_usb[] = {
	{ CALL(open), 1, { BITS(1, OPEN_READ | O_NOCTTY, O_RDWR) } },
	{ CALL(openat), 1, { BITS(2, OPEN_READ | O_NOCTTY, O_RDWR) } },
	{ CALL(timerfd_create), 0, { { 0 } } },
	{ CALL(timerfd_settime), 0, { { 0 } } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_SUBMITURB) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_REAPURBNDELAY) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_DISCARDURB) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_CLAIMINTERFACE) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_DISCONNECT_CLAIM) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_RELEASEINTERFACE) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_SETINTERFACE) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_CLEAR_HALT) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_CONTROL) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_IOCTL) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_GETDRIVER) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_GET_CAPABILITIES) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_GET_SPEED) } },
	{ CALL(ioctl), 1, { IS(1, USBDEVFS_CONNECTINFO) } },
};
static const struct rule for_socket_files[] = {
	{ CALL(unlink), 0, { { 0 } } },
	{ CALL(unlinkat), 1, { IS(2, 0) } },
};

static int add(scmp_filter_ctx f, uint32_t action, const struct rule *rules, size_t n)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = seccomp_rule_add_array(f, action, rules[i].call, rules[i].n, rules[i].args);
	return rc;
}

static int add_calls(scmp_filter_ctx f, uint32_t action, const int *calls, size_t n)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = seccomp_rule_add_array(f, action, calls[i], 0, NULL);
	return rc;
}

static int add_always(scmp_filter_ctx f)
{
	int rc = add_calls(f, SCMP_ACT_ALLOW, plain, COUNT(plain));

	if (!rc)
		rc = add_calls(f, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
	if (!rc)
		rc = add(f, SCMP_ACT_KILL_PROCESS, deadly_if, COUNT(deadly_if));
	if (!rc)
		rc = add(f, SCMP_ACT_ERRNO(EACCES), executable, COUNT(executable));
	return rc ? rc : add(f, SCMP_ACT_ALLOW, conditional, COUNT(conditional));
}

/* abort(). */
static int add_signals_to_itself(scmp_filter_ctx f)
{
	const struct rule own[] = {
		{ CALL(kill), 1, { IS(0, (scmp_datum_t)getpid()) } },
		{ CALL(tgkill), 1, { IS(0, (scmp_datum_t)getpid()) } },
	};

	return add(f, SCMP_ACT_ALLOW, own, COUNT(own));
}

static int add_needed(scmp_filter_ctx f, const struct sandbox_needs *n)
{
	const struct { bool needed; const struct rule *rules; size_t n; } groups[] = {
		{ n->ipv4, for_ipv4, COUNT(for_ipv4) },
		{ n->ipv6, for_ipv6, COUNT(for_ipv6) },
		{ n->unix_sockets, for_unix_sockets, COUNT(for_unix_sockets) },
		{ n->datagrams, for_datagrams, COUNT(for_datagrams) },
		{ n->kdnet, for_kdnet, COUNT(for_kdnet) },
		{ n->serial, for_serial, COUNT(for_serial) },
		{ n->usb, for_usb, COUNT(for_usb) },
		{ n->diag, for_diag, COUNT(for_diag) },
		{ n->names, for_names, COUNT(for_names) },
		{ n->audit != NULL, for_audit, COUNT(for_audit) },
		{ n->socket_files, for_socket_files, COUNT(for_socket_files) },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < COUNT(groups); i++)
		if (groups[i].needed)
			rc = add(f, SCMP_ACT_ALLOW, groups[i].rules, groups[i].n);
	return rc;
}

/* The mitigation of speculative store bypass, which older kernels turn on with every filter, guards one part of a process
 * against another: here is one part, and the round trip would pay. */
static int set_up(scmp_filter_ctx f)
{
	static const struct { enum scmp_filter_attr what; uint32_t value; } attributes[] = {
		{ SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS }, { SCMP_FLTATR_CTL_NNP, 0 },
		{ SCMP_FLTATR_CTL_SSB, 1 }, { SCMP_FLTATR_CTL_OPTIMIZE, 2 }, { SCMP_FLTATR_API_SYSRAWRC, 1 },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < COUNT(attributes); i++)
		rc = seccomp_attr_set(f, attributes[i].what, attributes[i].value);
	return rc;
}

bool sandbox_calls_known(void)
{
	return prctl(PR_GET_SECCOMP) >= 0 && seccomp_api_get() >= 3;
}

int sandbox_calls_enter(const struct sandbox_needs *n)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = f ? set_up(f) : -ENOMEM;

	if (!rc)
		rc = add_always(f);
	if (!rc)
		rc = add_signals_to_itself(f);
	if (!rc)
		rc = add_needed(f, n);
	if (!rc)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc;
}
