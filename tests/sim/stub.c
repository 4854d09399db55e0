/* stub.c - a GDB stub to test against: one thread, one client at a time, and a record of all it was sent.
 *
 *	stub --listen unix:/path|tcp:127.0.0.1:PORT [--record FILE] [--profile plain|qemu|gdbserver|kgdb] [--threads N]
 *	     [--memory BYTES] [--delay-ms N] [--run-stops-after MS] [--once]
 *
 * It is strict where real stubs are not: a request before the answer, anything but 0x03 while it runs, a packet longer
 * than it said it can take are VIOLATIONs in the record. SIGUSR1 writes its state there. SIGTERM ends it. */
#include "tests/sim/record.h"
#include "tests/sim/stub.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t quit, dump;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		dump = 1;
	else
		quit = 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void violation(struct stub *s, const char *what, const void *bytes, size_t n)
{
	char text[400];
	size_t len = (size_t)snprintf(text, sizeof text, "%s: ", what), more = n < 256 ? n : 256;

	memcpy(text + len, bytes, more);
	record("VIOLATION", text, len + more);
	s->violations++;
}

static void dump_state(const struct stub *s)
{
	for (size_t i = 0; i < s->m.breaks_n; i++)
		record_text("BREAKPOINT", "%u,%llx,%llx", s->m.breaks[i].type, (unsigned long long)s->m.breaks[i].addr, (unsigned long long)s->m.breaks[i].kind);
	record_text("STATE", "breakpoints=%zu running=%d connected=%d packets=%lu violations=%lu", s->m.breaks_n, s->m.running, s->connected, s->packets,
		    s->violations);
}

/* --- answering */

static void transmit(struct stub *s)
{
	uint8_t peek[64];
	bool early = memchr(s->w.in + s->w.head, '$', s->w.tail - s->w.head);

	if (record_on() && !early) {
		ssize_t n = recv(s->w.fd, peek, sizeof peek, MSG_PEEK | MSG_DONTWAIT);

		early = n > 0 && memchr(peek, '$', (size_t)n);
	}
	if (early)
		violation(s, "a request before the answer", s->w.in + s->w.head, s->w.tail - s->w.head);
	s->pending = false;
	s->unacked += !s->no_ack;
	if (wire_send(&s->w, s->reply, s->reply_n, s->profile->run_length) < 0)
		s->hang_up = true;
}

static void stop(struct stub *s, unsigned sig, const struct breakpoint *at)
{
	s->m.running = false;
	s->ends = 0;
	s->thread = s->m.current;
	if (at)
		machine_set_reg(&s->m, s->m.current, MACHINE_RIP, at->addr + (at->type == 0 && s->profile->past_trap && !s->swbreak));
	s->reply_n = 0;
	say_stop(s, sig, at);
	transmit(s);
}

static void on_packet(struct stub *s, const char *body, size_t n)
{
	record("packet", body, n);
	s->packets++;
	if (n + 4 > s->profile->packet_most)
		violation(s, "longer than PacketSize", body, n);
	if (s->pending) {
		violation(s, "a request before the answer", body, n);
		return;
	}
	if (s->unacked)
		violation(s, "a request before the acknowledgement", body, n);
	s->unacked = 0;
	if (!s->no_ack && wire_send_bytes(&s->w, "+", 1) < 0)
		s->hang_up = true;
	s->due = now_ms();
	if (!answer(s, body, n))
		return;
	s->due += s->delay;
	s->pending = true;
	if (!s->delay)
		transmit(s);
	if (n == 15 && memcmp(body, "QStartNoAckMode", n) == 0 && s->reply_n == 2) {
		s->no_ack = true;
		s->unacked = 0;
	}
}

static void on_badsum(struct stub *s)
{
	record("badsum", s->w.at, s->w.n);
	if (!s->no_ack && wire_send_bytes(&s->w, "-", 1) < 0)
		s->hang_up = true;
}

static void on_ack(struct stub *s)
{
	record("ack", "", 0);
	s->unacked -= s->unacked > 0;
}

static void on_nak(struct stub *s)
{
	record("nak", "", 0);
	if (!s->no_ack && s->w.sent && !s->pending && wire_send_again(&s->w) < 0)
		s->hang_up = true;
}

static bool step_stopped(struct stub *s)
{
	enum wire_item item = wire_next(&s->w);

	switch (item) {
	case WIRE_NOTHING:
		return false;
	case WIRE_PACKET:
		on_packet(s, (const char *)s->w.at, s->w.n);
		break;
	case WIRE_BADSUM:
		on_badsum(s);
		break;
	case WIRE_ACK:
		on_ack(s);
		break;
	case WIRE_NAK:
		on_nak(s);
		break;
	case WIRE_BREAK:
		record_text("break", "while stopped");
		break;
	case WIRE_NOISE:
		record("noise", s->w.at, s->w.n);
		break;
	case WIRE_TOOLONG:
		violation(s, "a packet without end", s->w.at, s->w.n);
		break;
	}
	return true;
}

static bool step_running(struct stub *s)
{
	const uint8_t *from = s->w.in + s->w.head;
	size_t all = s->w.tail - s->w.head, n = 0;

	if (!all)
		return false;
	if (*from == '+' && s->unacked) { /* of what was said before it ran */
		s->w.head++;
		on_ack(s);
		return true;
	}
	while (n < all && from[n] != 3)
		n++;
	if (n)
		violation(s, "while running", from, n);
	s->w.head += n + (n < all);
	if (n < all) {
		record_text("break", "while running");
		stop(s, 2, NULL);
	}
	return true;
}

static void eat(struct stub *s)
{
	while (!s->hang_up && (s->m.running && !s->pending ? step_running(s) : step_stopped(s)))
		;
}

/* --- clients and time */

static void meet(struct stub *s, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	wire_open(&s->w, fd);
	s->connected = true;
	s->no_ack = s->multi = s->swbreak = s->pending = s->hang_up = false;
	s->unacked = 0;
	s->ends = 0;
	s->thread = s->m.current;
	record_text("connect", "breakpoints=%zu running=%d", s->m.breaks_n, s->m.running);
	s->m.running = false; /* as QEMU does */
}

static void part(struct stub *s)
{
	record_text("leave", "breakpoints=%zu running=%d pending=%d", s->m.breaks_n, s->m.running, s->pending);
	if (s->w.head < s->w.tail)
		record("unread", s->w.in + s->w.head, s->w.tail - s->w.head);
	close(s->w.fd);
	s->connected = false;
	s->pending = false;
}

static void listen_to(struct stub *s)
{
	int rc = wire_fill(&s->w);

	if (rc > 0)
		eat(s);
	if (rc < 0 || s->hang_up)
		part(s);
}

static void keep_time(struct stub *s)
{
	uint64_t now = now_ms();

	if (s->connected && s->pending && now >= s->due)
		transmit(s);
	if (s->connected && s->m.running && s->ends && now >= s->ends)
		stop(s, 5, s->end);
	if (s->connected && s->hang_up)
		part(s);
}

static const struct timespec *timeout(const struct stub *s, struct timespec *ts)
{
	uint64_t at = s->pending ? s->due : s->m.running && s->ends ? s->ends : 0, now = at ? now_ms() : 0;

	if (!at || !s->connected)
		return NULL;
	*ts = at > now ? (struct timespec){ (time_t)((at - now) / 1000), (long)((at - now) % 1000) * 1000000 } : (struct timespec){ 0, 0 };
	return ts;
}

static void serve(struct stub *s, int listener, bool once)
{
	sigset_t none;
	bool met = false;

	sigemptyset(&none);
	while (!quit && !(once && met && !s->connected)) {
		struct pollfd fd = { .fd = s->connected ? s->w.fd : listener, .events = POLLIN };
		struct timespec ts;

		if (ppoll(&fd, 1, timeout(s, &ts), &none) > 0) {
			if (s->connected)
				listen_to(s);
			else
				meet(s, listener);
			met = true;
		}
		keep_time(s);
		if (dump)
			dump_state(s);
		dump = 0;
	}
}

/* --- options */

struct options {
	char listen[128];
	const char *record;
	uint64_t memory, threads;
	bool once;
};

static int usage(void)
{
	fprintf(stderr, "usage: stub --listen unix:/path|tcp:127.0.0.1:PORT [--record FILE] [--profile plain|qemu|gdbserver|kgdb] [--threads N]\n"
			"            [--memory BYTES] [--delay-ms N] [--run-stops-after MS] [--once]\n");
	return 2;
}

static int read_options(struct stub *s, struct options *o, int argc, char **argv)
{
	static const struct option all[] = {
		{ "listen", required_argument, NULL, 'l' }, { "record", required_argument, NULL, 'r' }, { "profile", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 't' }, { "memory", required_argument, NULL, 'm' }, { "delay-ms", required_argument, NULL, 'd' },
		{ "run-stops-after", required_argument, NULL, 'a' }, { "once", no_argument, NULL, 'o' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1) {
		if (c == 'l')
			snprintf(o->listen, sizeof o->listen, "%s", optarg);
		else if (c == 'r')
			o->record = optarg;
		else if (c == 'p')
			s->profile = profile_find(optarg);
		else if (c == 'o')
			o->once = true;
		else if (strchr("tmda", c))
			*(c == 't' ? &o->threads : c == 'm' ? &o->memory : c == 'd' ? &s->delay : &s->stops_after) = strtoull(optarg, NULL, 0);
		else
			return -1;
	}
	return s->profile && *o->listen && optind == argc ? 0 : -1;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigprocmask(SIG_BLOCK, &held, NULL); /* they come in while it waits, only */
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

int main(int argc, char **argv)
{
	static struct stub s = { .stops_after = 5 };
	struct options o = { .memory = 16 << 20, .threads = 1 };
	int listener;

	s.profile = profile_find("plain");
	if (read_options(&s, &o, argc, argv) < 0)
		return usage();
	catch_signals();
	listener = wire_listen(o.listen, sizeof o.listen);
	if (listener < 0 || record_open(o.record) < 0 || machine_init(&s.m, o.memory, o.threads) < 0) {
		perror("stub");
		return 1;
	}
	s.thread = 1;
	printf("stub: listening on %s\n", o.listen);
	fflush(stdout);
	serve(&s, listener, o.once);
	machine_fini(&s.m);
	close(listener);
	return 0;
}
