/* udp_way.c - a way of a known length between a KDNET target and its host, which writes down when what passed it.
 *
 *	udp_way --listen HOST:PORT --to HOST:PORT [--delay-us N] [--trace FILE]
 *
 * The target dials what is listened on. --delay-us: for each datagram, each way. A line of the trace for each: T of the target or H of the
 * host, bytes, when it came (the kernel's stamp) and when it was passed on, in ns. A line on standard input becomes one of the trace, and
 * is repeated on standard output when the trace is written; at the end of input it ends. */
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 2048, QUEUE = 1024, NS = 1000000000 };
enum side { TARGET, HOST, SIDES };

struct passing {
	size_t n;
	uint64_t came;
	uint8_t bytes[ROOM];
};

static struct {
	int fd[SIDES];               /* towards it */
	struct sockaddr_in at[SIDES];
	struct passing queue[SIDES][QUEUE]; /* from it */
	size_t first[SIDES], waiting[SIDES];
	uint64_t delay;
	FILE *trace;
	bool ends;
} way;

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NS + (uint64_t)t->tv_nsec;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return ns_of(&t);
}

static uint64_t stamp_of(struct msghdr *m)
{
	struct timespec t;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof t);
			return ns_of(&t);
		}
	return now_ns();
}

static bool take(enum side from)
{
	struct passing *p = &way.queue[from][(way.first[from] + way.waiting[from]) % QUEUE];
	struct iovec iov = { p->bytes, sizeof p->bytes };
	uint8_t control[64];
	struct msghdr m = { .msg_name = &way.at[from], .msg_namelen = sizeof way.at[from], .msg_iov = &iov, .msg_iovlen = 1,
		            .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = way.waiting[from] < QUEUE ? recvmsg(way.fd[from], &m, MSG_DONTWAIT) : -1;

	if (n < 0)
		return false;
	p->n = (size_t)n;
	p->came = stamp_of(&m);
	way.waiting[from]++;
	return true;
}

static void pass(enum side from)
{
	struct passing *p = &way.queue[from][way.first[from]];
	const struct sockaddr_in *to = &way.at[!from];
	uint64_t passed = now_ns();

	way.first[from] = (way.first[from] + 1) % QUEUE;
	way.waiting[from]--;
	if (!to->sin_port || sendto(way.fd[!from], p->bytes, p->n, 0, (const struct sockaddr *)to, sizeof *to) < 0)
		return;
	if (way.trace)
		fprintf(way.trace, "%c %zu %llu %llu\n", from == TARGET ? 'T' : 'H', p->n, (unsigned long long)p->came, (unsigned long long)passed);
}

/* When the first that waits is due; UINT64_MAX: none does. */
static uint64_t due(enum side from)
{
	return way.waiting[from] ? way.queue[from][way.first[from]].came + way.delay : UINT64_MAX;
}

static void take_line(void)
{
	char line[64];

	way.ends = !fgets(line, sizeof line, stdin);
	if (way.ends || !way.trace)
		return;
	fprintf(way.trace, "%s", line);
	fflush(way.trace);
	printf("%s", line);
	fflush(stdout);
}

static void turn(void)
{
	struct pollfd fds[] = { { way.fd[TARGET], POLLIN, 0 }, { way.fd[HOST], POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	uint64_t first = due(TARGET) < due(HOST) ? due(TARGET) : due(HOST), now = now_ns(), left = first > now ? first - now : 0;
	struct timespec t = { (time_t)(left / NS), (long)(left % NS) };

	if (ppoll(fds, 3, first == UINT64_MAX ? NULL : &t, NULL) > 0 && fds[2].revents)
		take_line();
	for (int side = 0; side < SIDES; side++) {
		while (take((enum side)side))
			;
		while (due((enum side)side) <= now_ns())
			pass((enum side)side);
	}
}

static int address(struct sockaddr_in *a, const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 0)) };
	return colon && inet_pton(AF_INET, host, &a->sin_addr) == 1 ? 0 : -1;
}

static int open_at(enum side side, const char *text)
{
	struct sockaddr_in a;
	int on = 1;

	way.fd[side] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return address(&a, text) < 0 || way.fd[side] < 0 || setsockopt(way.fd[side], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
	       bind(way.fd[side], (struct sockaddr *)&a, sizeof a) < 0 ? -1 : 0;
}

static int take_option(int c)
{
	switch (c) {
	case 'l': return open_at(TARGET, optarg);
	case 't': return address(&way.at[HOST], optarg);
	case 'd': way.delay = strtoull(optarg, NULL, 0) * 1000; return 0;
	case 'w': way.trace = fopen(optarg, "w"); return way.trace ? 0 : -1;
	default: return -1;
	}
}

static int configure(int argc, char **argv)
{
	static const struct option all[] = {
		{ "listen", required_argument, NULL, 'l' }, { "to", required_argument, NULL, 't' }, { "delay-us", required_argument, NULL, 'd' },
		{ "trace", required_argument, NULL, 'w' }, { NULL, 0, NULL, 0 },
	};
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "", all, NULL)) != -1)
		rc = take_option(c);
	return rc == 0 && way.fd[TARGET] && way.at[HOST].sin_port && optind == argc ? open_at(HOST, "127.0.0.1:0") : -1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	if (configure(argc, argv) < 0 || getsockname(way.fd[TARGET], (struct sockaddr *)&a, &len) < 0) {
		fprintf(stderr, "usage: udp_way --listen HOST:PORT --to HOST:PORT [--delay-us N] [--trace FILE]\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	printf("port %u\n", (unsigned)ntohs(a.sin_port));
	fflush(stdout);
	while (!way.ends)
		turn();
	return 0;
}
