/* sock_owner.c - see sock_owner.h. */
#include "proxy/sock_owner.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_MAX = 8192, ANSWERS = 4, LINES_MAX = 1 << 17 };

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

static int open_diag(void)
{
	struct timeval patience = { .tv_usec = 200000 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
		close(fd);
		return -EIO;
	}
	return fd < 0 ? -errno : fd;
}

static void put_address(__be32 out[4], const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a))
		memcpy(out, &a->s6_addr[12], 4);
	else
		memcpy(out, a, 16);
}

static int ask(int fd, const struct sock_pair *p)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request r = {
		.head = { .nlmsg_len = sizeof r, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 1 },
		.body = {
			.sdiag_family = IN6_IS_ADDR_V4MAPPED(&p->near) ? AF_INET : AF_INET6,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1 << TCP_ESTABLISHED,
			.id = { .idiag_sport = htons(p->near_port), .idiag_dport = htons(p->far_port),
				.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
		},
	};

	put_address(r.body.id.idiag_src, &p->near);
	put_address(r.body.id.idiag_dst, &p->far);
	return sendto(fd, &r, sizeof r, 0, (struct sockaddr *)&kernel, sizeof kernel) == sizeof r ? 0 : -errno;
}

static bool same_address(int family, const __be32 got[4], const struct in6_addr *want)
{
	if (family == AF_INET)
		return IN6_IS_ADDR_V4MAPPED(want) && !memcmp(got, &want->s6_addr[12], 4);
	return family == AF_INET6 && !memcmp(got, want, 16);
}

/* The kernel answers with a listener of that port, or with what is left of a closed connection (and then user 0), when
 * there is nothing better. No inode: no process has it open. */
static bool is_it(const struct inet_diag_msg *m, const struct sock_pair *p)
{
	return m->idiag_state == TCP_ESTABLISHED && m->idiag_inode && m->id.idiag_sport == htons(p->near_port) &&
	       m->id.idiag_dport == htons(p->far_port) && same_address(m->idiag_family, m->id.idiag_src, &p->near) &&
	       same_address(m->idiag_family, m->id.idiag_dst, &p->far);
}

/* After its header; as much of it as there is. */
static size_t body_of(const struct nlmsghdr *h, void *to, size_t size)
{
	size_t len = h->nlmsg_len - NLMSG_HDRLEN, n = len < size ? len : size;

	memcpy(to, (const uint8_t *)h + NLMSG_HDRLEN, n);
	return n;
}

static int read_message(const struct nlmsghdr *h, const struct sock_pair *p, uid_t *uid)
{
	struct inet_diag_msg m;
	int error;

	if (h->nlmsg_seq != 1)
		return -EAGAIN;
	if (h->nlmsg_type == NLMSG_ERROR && body_of(h, &error, sizeof error) == sizeof error)
		return error < 0 ? error : -EPROTO;
	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || body_of(h, &m, sizeof m) != sizeof m)
		return -EPROTO;
	if (!is_it(&m, p))
		return -ENOENT;
	*uid = m.idiag_uid;
	return 0;
}

/* One datagram. -EAGAIN: it was not for us. */
static int read_answer(int fd, const struct sock_pair *p, uid_t *uid)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[ANSWER_MAX];
	const struct nlmsghdr *h = (const struct nlmsghdr *)bytes;
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof from;
	ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_len);

	if (n < 0)
		return errno == EWOULDBLOCK ? -ETIMEDOUT : errno == EINTR ? -EAGAIN : -errno;
	if (from.nl_family != AF_NETLINK || from.nl_pid != 0)
		return -EAGAIN;
	return NLMSG_OK(h, (size_t)n) ? read_message(h, p, uid) : -EPROTO;
}

int sock_owner_by_diag(const struct sock_pair *p, uid_t *uid)
{
	int fd = open_diag(), rc = fd < 0 ? fd : ask(fd, p);

	if (!rc)
		rc = -EAGAIN;
	for (int i = 0; rc == -EAGAIN && i < ANSWERS; i++)
		rc = read_answer(fd, p, uid);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* As the kernel prints it: words of the machine's own byte order, port in hexadecimal. IPv4 stands in tcp, and in tcp6
 * when the socket is an IPv6 one. */
static void show_end(char out[48], const struct in6_addr *a, uint16_t port, bool v4)
{
	uint32_t w[4];

	memcpy(w, a, 16);
	if (v4)
		snprintf(out, 48, "%08X:%04X", w[3], port);
	else
		snprintf(out, 48, "%08X%08X%08X%08X:%04X", w[0], w[1], w[2], w[3], port);
}

static int search(FILE *f, const struct sock_pair *p, bool v4, uid_t *uid)
{
	char near[48], far[48], want_near[48], want_far[48], line[512];
	unsigned state, owner;
	unsigned long inode;

	show_end(want_near, &p->near, p->near_port, v4);
	show_end(want_far, &p->far, p->far_port, v4);
	for (int i = 0; i < LINES_MAX && fgets(line, sizeof line, f); i++) {
		/* the kernel's own lines, whose numbers are in range; NOLINTNEXTLINE(cert-err34-c) */
		if (sscanf(line, "%*s %47s %47s %x %*s %*s %*s %u %*s %lu", near, far, &state, &owner, &inode) != 5 ||
		    state != TCP_ESTABLISHED || !inode || strcmp(near, want_near) != 0 || strcmp(far, want_far) != 0)
			continue;
		*uid = owner;
		return 0;
	}
	return -ENOENT;
}

static int search_file(const char *path, const struct sock_pair *p, bool v4, uid_t *uid)
{
	FILE *f = fopen(path, "re");
	int rc = f ? search(f, p, v4, uid) : -errno;

	if (f)
		fclose(f);
	return rc;
}

int sock_owner_by_proc(const struct sock_pair *p, uid_t *uid)
{
	int rc = -ENOENT;

	if (IN6_IS_ADDR_V4MAPPED(&p->near))
		rc = search_file("/proc/net/tcp", p, true, uid);
	return rc ? search_file("/proc/net/tcp6", p, false, uid) : rc;
}

/* A kernel without the diagnostics for TCP says "no such socket" too. It says so of our own end as well. */
static bool knows_own_end(const struct sock_pair *p)
{
	struct sock_pair own = { .near = p->far, .far = p->near, .near_port = p->far_port, .far_port = p->near_port };
	uid_t uid;

	return sock_owner_by_diag(&own, &uid) == 0;
}

int sock_owner(const struct sock_pair *p, uid_t *uid)
{
	int rc = sock_owner_by_diag(p, uid);

	if (rc == 0 || (rc == -ENOENT && knows_own_end(p)))
		return rc;
	return sock_owner_by_proc(p, uid);
}
