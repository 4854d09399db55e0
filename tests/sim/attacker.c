/* attacker.c - who sits on the way between a KDNET target and its host, or beside it, without the key: passes on, remembers, and adds.
 *
 *	attacker --listen HOST:PORT --to HOST:PORT [--do NAME]... [--at host|target] [--from ADDR:PORT] [--rate N] [--count N] [--seed N]
 *	         [--now]
 *	attacker --attacks
 *
 * The target dials what is listened on. What is added goes to the host, or the other (--at), from where its peer's datagrams come, or from
 * a socket of its own on ADDR:PORT: with the peer's address, another port; with another one of 127/8, another machine. --rate: a second,
 * 0: as fast as it can; --count: in all, 0: without end; --do: which kinds, all when none is named. The seed tells what is sent, as far as
 * what was heard is the same.
 * Lines on standard input: go (--now: at once), stop, hold (nothing is passed on), pass, status, quit. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 256, FIRST = 8, KEPT_MOST = 2048, MOST = 65507, HEAD = 6, BLOCK = 16, LEAST = 38, POKE = 374, BURST = 64, CONTROL = 1 };
enum heard_from { FROM_TARGET, FROM_HOST, SIDES };

struct raw {
	size_t n;
	uint8_t bytes[MOST];
};

struct kept {
	size_t n;
	uint8_t bytes[KEPT_MOST];
};

/* first: the control datagrams that came first, for ever; there the target had no host yet. */
struct memory {
	struct kept last[KEPT], pokes[KEPT], first[FIRST];
	size_t last_n, pokes_n, first_n; /* that were ever put there */
};

struct attacker {
	int front, back, beside; /* to the target; to the host; -1: on the way */
	struct sockaddr_in host, target;
	bool target_known, at_target, going, held, quit, told;
	uint64_t seed, start_ns;
	unsigned long rate, count, sent, added_since, passed, refused;
	struct memory from[SIDES];
	char line[128];
	size_t line_n;
};

static uint64_t next(struct attacker *a)
{
	a->seed ^= a->seed >> 12;
	a->seed ^= a->seed << 25;
	a->seed ^= a->seed >> 27;
	return a->seed * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static size_t below(struct attacker *a, size_t n)
{
	return (size_t)(next(a) % n);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- what was heard */

static void keep(struct kept *in, size_t room, size_t *n, const struct raw *d)
{
	struct kept *k = &in[(*n)++ % room];

	k->n = d->n;
	memcpy(k->bytes, d->bytes, d->n);
}

static void remember(struct memory *m, const struct raw *d)
{
	bool control = d->n > HEAD && d->bytes[5] == CONTROL;

	if (d->n > KEPT_MOST)
		return;
	keep(m->last, KEPT, &m->last_n, d);
	if (control)
		keep(m->pokes, KEPT, &m->pokes_n, d);
	if (control && m->first_n < FIRST)
		keep(m->first, FIRST, &m->first_n, d);
}

static bool recall(struct attacker *a, const struct kept *in, size_t room, size_t n, struct raw *to)
{
	const struct kept *k;

	if (!n)
		return false;
	k = &in[below(a, n < room ? n : room)];
	to->n = k->n;
	memcpy(to->bytes, k->bytes, k->n);
	return true;
}

static const struct memory *of_peer(const struct attacker *a)
{
	return &a->from[a->at_target ? FROM_HOST : FROM_TARGET];
}

static const struct memory *of_victim(const struct attacker *a)
{
	return &a->from[a->at_target ? FROM_TARGET : FROM_HOST];
}

static bool recall_last(struct attacker *a, const struct memory *of, struct raw *to)
{
	return recall(a, of->last, KEPT, of->last_n, to);
}

/* --- kinds of attack: false: nothing was heard yet to do it with */

static void scatter(struct attacker *a, struct raw *to, size_t from)
{
	for (size_t i = from; i < to->n; i++)
		to->bytes[i] = (uint8_t)next(a);
}

static bool noise(struct attacker *a, struct raw *to)
{
	to->n = below(a, 1500);
	scatter(a, to, 0);
	return true;
}

static void look_right(struct attacker *a, struct raw *to)
{
	scatter(a, to, HEAD);
	memcpy(to->bytes, "MDBG\5", 5);
	to->bytes[5] = (uint8_t)below(a, 2);
}

static bool forge(struct attacker *a, struct raw *to)
{
	to->n = LEAST + BLOCK * below(a, 90);
	look_right(a, to);
	return true;
}

static bool forge_poke(struct attacker *a, struct raw *to)
{
	to->n = POKE;
	look_right(a, to);
	to->bytes[5] = CONTROL;
	return true;
}

static bool jumbo(struct attacker *a, struct raw *to)
{
	to->n = LEAST + BLOCK * (512 + below(a, 3500));
	look_right(a, to);
	return true;
}

static bool stub(struct attacker *a, struct raw *to)
{
	to->n = below(a, LEAST);
	scatter(a, to, 0);
	memcpy(to->bytes, "MDBG\5\1", to->n < HEAD ? to->n : HEAD);
	return true;
}

static bool replay(struct attacker *a, struct raw *to)
{
	return recall_last(a, of_peer(a), to);
}

static bool replay_poke(struct attacker *a, struct raw *to)
{
	return recall(a, of_peer(a)->pokes, KEPT, of_peer(a)->pokes_n, to);
}

static bool replay_first(struct attacker *a, struct raw *to)
{
	return recall(a, of_peer(a)->first, FIRST, of_peer(a)->first_n, to);
}

static bool reflect(struct attacker *a, struct raw *to)
{
	return recall_last(a, of_victim(a), to);
}

static bool truncate_one(struct attacker *a, struct raw *to)
{
	if (!recall_last(a, of_peer(a), to) || !to->n)
		return false;
	to->n = below(a, to->n);
	return true;
}

static bool extend(struct attacker *a, struct raw *to)
{
	size_t n;

	if (!recall_last(a, of_peer(a), to))
		return false;
	n = to->n;
	to->n += 1 + below(a, 4 * BLOCK);
	scatter(a, to, n);
	return true;
}

static bool flip(struct attacker *a, struct raw *to)
{
	if (!recall_last(a, of_peer(a), to) || !to->n)
		return false;
	to->bytes[below(a, to->n)] ^= (uint8_t)(1 << below(a, 8));
	return true;
}

static bool other_channel(struct attacker *a, struct raw *to)
{
	if (!recall_last(a, of_peer(a), to) || to->n < LEAST)
		return false;
	to->bytes[5] ^= 1;
	return true;
}

static bool other_version(struct attacker *a, struct raw *to)
{
	if (!recall_last(a, of_peer(a), to) || to->n < LEAST)
		return false;
	to->bytes[4] ^= (uint8_t)(1 + below(a, 7));
	return true;
}

/* The blocks of one, the tag of another. */
static bool splice(struct attacker *a, struct raw *to)
{
	static struct raw other;

	if (!recall_last(a, of_peer(a), to) || !recall_last(a, of_peer(a), &other) || to->n < LEAST || other.n < LEAST)
		return false;
	memcpy(to->bytes + to->n - BLOCK, other.bytes + other.n - BLOCK, BLOCK);
	to->bytes[to->n - 1] ^= to->n == other.n; /* never a good one by chance */
	return true;
}

static struct attack {
	const char *name, *words;
	bool (*make)(struct attacker *a, struct raw *to);
	bool wanted;
	unsigned long sent;
} attacks[] = {
	{ "noise", "random bytes", noise, false, 0 },
	{ "forge", "random bytes that look like a datagram", forge, false, 0 },
	{ "forge-poke", "random bytes that look like a poke", forge_poke, false, 0 },
	{ "jumbo", "more than any datagram of KDNET has", jumbo, false, 0 },
	{ "stub", "less than any has", stub, false, 0 },
	{ "replay", "what its peer said to it, again", replay, false, 0 },
	{ "replay-poke", "what its peer said on the control channel, again", replay_poke, false, 0 },
	{ "replay-first", "the first of that: pokes that say that there is no host yet", replay_first, false, 0 },
	{ "reflect", "what it said itself", reflect, false, 0 },
	{ "truncate", "what its peer said, cut", truncate_one, false, 0 },
	{ "extend", "what its peer said, and more", extend, false, 0 },
	{ "flip", "what its peer said with a wrong bit", flip, false, 0 },
	{ "channel", "what its peer said as of the other channel", other_channel, false, 0 },
	{ "version", "what its peer said as of another version", other_version, false, 0 },
	{ "splice", "the blocks of one, the tag of another", splice, false, 0 },
};
enum { ATTACKS = sizeof attacks / sizeof *attacks };

/* --- sending */

static void send_to(struct attacker *a, int fd, const struct raw *d, const struct sockaddr_in *who)
{
	if (sendto(fd, d->bytes, d->n, 0, (const struct sockaddr *)who, sizeof *who) < 0)
		a->refused++;
}

static struct attack *pick(struct attacker *a)
{
	struct attack *one;

	do
		one = &attacks[below(a, ATTACKS)];
	while (!one->wanted);
	return one;
}

static void add_one(struct attacker *a)
{
	static struct raw d;
	struct attack *one = pick(a);

	a->added_since++; /* what cannot be done takes its time too */
	if ((a->at_target && !a->target_known) || !one->make(a, &d))
		return;
	send_to(a, a->beside >= 0 ? a->beside : a->at_target ? a->front : a->back, &d, a->at_target ? &a->target : &a->host);
	one->sent++;
	a->sent++;
}

static uint64_t due_ns(const struct attacker *a)
{
	return a->rate ? a->start_ns + a->added_since * (UINT64_C(1000000000) / a->rate) : 0;
}

static bool more(const struct attacker *a)
{
	return a->going && (!a->count || a->sent < a->count);
}

static void tell(const struct attacker *a, const char *word)
{
	printf("attacker: %s sent=%lu passed=%lu refused=%lu", word, a->sent, a->passed, a->refused);
	for (size_t i = 0; i < ATTACKS; i++)
		if (attacks[i].sent)
			printf(" %s=%lu", attacks[i].name, attacks[i].sent);
	printf("\n");
	fflush(stdout);
}

static void add(struct attacker *a)
{
	for (int i = 0; i < BURST && more(a) && now_ns() >= due_ns(a); i++)
		add_one(a);
	if (a->going && !a->told && !more(a)) {
		a->told = true;
		tell(a, "done");
	}
}

/* --- passing on */

static void pass(struct attacker *a, enum heard_from side)
{
	static struct raw d;
	struct sockaddr_in who;
	socklen_t len = sizeof who;
	int fd = side == FROM_TARGET ? a->front : a->back;
	ssize_t n = recvfrom(fd, d.bytes, sizeof d.bytes, MSG_DONTWAIT, (struct sockaddr *)&who, &len);

	if (n < 0)
		return;
	d.n = (size_t)n;
	remember(&a->from[side], &d);
	if (side == FROM_TARGET) {
		a->target = who;
		a->target_known = true;
	}
	if (a->held || !a->target_known)
		return;
	a->passed++;
	send_to(a, side == FROM_TARGET ? a->back : a->front, &d, side == FROM_TARGET ? &a->host : &a->target);
}

static void go(struct attacker *a, bool going)
{
	a->going = going;
	a->told = false;
	a->start_ns = now_ns();
	a->added_since = 0;
}

static void on_line(struct attacker *a, const char *line)
{
	if (strcmp(line, "go") == 0 || strcmp(line, "stop") == 0)
		go(a, *line == 'g');
	else if (strcmp(line, "hold") == 0 || strcmp(line, "pass") == 0)
		a->held = *line == 'h';
	else if (strcmp(line, "quit") == 0)
		a->quit = true;
	if (!a->quit)
		tell(a, line);
}

static void take_input(struct attacker *a)
{
	char text[128];
	ssize_t n = read(STDIN_FILENO, text, sizeof text);

	a->quit |= n <= 0;
	for (ssize_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			a->line[a->line_n] = '\0';
			a->line_n = 0;
			on_line(a, a->line);
		} else if (a->line_n < sizeof a->line - 1) {
			a->line[a->line_n++] = text[i];
		}
	}
}

static void turn(struct attacker *a)
{
	struct pollfd fds[] = { { a->front, POLLIN, 0 }, { a->back, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	uint64_t now = now_ns(), due = due_ns(a), ns = !more(a) ? 1000000000 : due > now ? due - now : 0;
	struct timespec wait = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	if (ppoll(fds, 3, &wait, NULL) > 0) {
		if (fds[0].revents)
			pass(a, FROM_TARGET);
		if (fds[1].revents)
			pass(a, FROM_HOST);
		if (fds[2].revents)
			take_input(a);
	}
	add(a);
}

/* --- beginning */

static int address(const char *where, struct sockaddr_in *to)
{
	const char *colon = strrchr(where, ':');
	char host[64];

	snprintf(host, sizeof host, "%.*s", colon && colon - where < (int)sizeof host ? (int)(colon - where) : (int)sizeof host - 1, where);
	*to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 0)) };
	return inet_pton(AF_INET, host, &to->sin_addr) == 1 ? 0 : -1;
}

static int open_at(int *fd, const char *where)
{
	struct sockaddr_in at;

	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *fd < 0 || address(where, &at) < 0 || bind(*fd, (struct sockaddr *)&at, sizeof at) < 0 ? -1 : 0;
}

static int want(const char *name)
{
	for (size_t i = 0; i < ATTACKS; i++) {
		attacks[i].wanted |= !name || strcmp(attacks[i].name, name) == 0;
		if (name && strcmp(attacks[i].name, name) == 0)
			return 0;
	}
	return name ? -1 : 0;
}

static int take_option(struct attacker *a, int c)
{
	switch (c) {
	case 'l': return open_at(&a->front, optarg);
	case 't': return address(optarg, &a->host);
	case 'd': return want(optarg);
	case 'f': return open_at(&a->beside, optarg);
	case 'a': a->at_target = strcmp(optarg, "target") == 0; return a->at_target || strcmp(optarg, "host") == 0 ? 0 : -1;
	case 'r': a->rate = strtoul(optarg, NULL, 10); return 0;
	case 'c': a->count = strtoul(optarg, NULL, 10); return 0;
	case 's': a->seed = strtoull(optarg, NULL, 10) * 2 + 1; return 0;
	case 'n': a->going = true; return 0;
	}
	return -1;
}

static bool named_any(void)
{
	bool any = false;

	for (size_t i = 0; i < ATTACKS; i++)
		any |= attacks[i].wanted;
	return any;
}

static int read_options(struct attacker *a, int argc, char **argv)
{
	static const struct option all[] = {
		{ "listen", required_argument, NULL, 'l' }, { "to", required_argument, NULL, 't' }, { "do", required_argument, NULL, 'd' },
		{ "from", required_argument, NULL, 'f' }, { "at", required_argument, NULL, 'a' }, { "rate", required_argument, NULL, 'r' },
		{ "count", required_argument, NULL, 'c' }, { "seed", required_argument, NULL, 's' }, { "now", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
		if (take_option(a, c) < 0)
			return -1;
	if (!named_any() && want(NULL) < 0)
		return -1;
	return a->front >= 0 && a->host.sin_port && optind == argc ? open_at(&a->back, "0.0.0.0:0") : -1;
}

static int list(void)
{
	for (size_t i = 0; i < ATTACKS; i++)
		printf("%-14s %s\n", attacks[i].name, attacks[i].words);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: attacker --listen HOST:PORT --to HOST:PORT [--do NAME]... [--at host|target] [--from ADDR:PORT] [--rate N]\n"
			"                [--count N] [--seed N] [--now]\n"
			"       attacker --attacks\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct attacker a = { .front = -1, .back = -1, .beside = -1, .seed = 1 };
	struct sockaddr_in at = { 0 };
	socklen_t len = sizeof at;

	if (argc == 2 && strcmp(argv[1], "--attacks") == 0)
		return list();
	if (read_options(&a, argc, argv) < 0 || getsockname(a.front, (struct sockaddr *)&at, &len) < 0)
		return usage();
	printf("attacker: listening on port %u\n", (unsigned)ntohs(at.sin_port));
	fflush(stdout);
	if (a.going)
		go(&a, true);
	while (!a.quit)
		turn(&a);
	tell(&a, "ends");
	return 0;
}
