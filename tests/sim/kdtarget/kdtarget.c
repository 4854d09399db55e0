/* kdtarget.c - a Windows machine to debug: a kernel image that this processor runs, and in front of it KD as Windows or ReactOS speak it.
 *
 *	kdtarget --listen-unix PATH | --listen-tcp HOST:PORT | --pty | --kdnet HOST:PORT --key KEY  [--arch amd64|i386] [--processors N]
 *	         [--image DIR] [--base ADDR] [--profile windows|reactos] [--quirk NAME]... [--without NAME]... [--boot] [--timeout-ms N] [--retries N]
 *	         [--log FILE] [--log-hex] [--play RECORDING]      kdtarget --quirks
 *	with --kdnet: [--own-addr A] [--own-port N] [--kdnet-version N] [--poke-ms N] [--loss PERCENT] [--dup PERCENT] [--reorder PERCENT]
 *	[--seed N]
 *
 * Without --boot it has booted without a debugger, and runs. With it, it waits for a host, then tells all from its first instruction on.
 * Lines on standard input: print [TEXT], prints N, prompt [TEXT], int3, fault av|write|div|ill [unhandled], load, unload, command, spin [N],
 * bugcheck [CODE], reboot; processor N: who does the next ones. At once, even while it stands: reset, status, count, symbol NAME, quit;
 * with --kdnet: net (counts), rebind (another source port). */
#include "tests/sim/kdtarget/line.h"
#include "tests/sim/kdtarget/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OTHER_BASE = 0x2000000 };

struct options {
	const char *image, *play, *log;
	uint64_t base;
	char kernel[PATH_MAX], driver[PATH_MAX], beside[PATH_MAX];
};

static struct target target;

static void on_signal(int sig)
{
	(void)sig;
	target.quit = true;
}

/* --- running */

/* An interrupt, by the way the image has for it; or a report of where the processor just is. */
static void interrupt(struct target *k)
{
	uint64_t entry = is(k, QUIRK_BREAKIN_IN_PLACE) ? 0 : guest_symbol(k->guest, "KiClockInterrupt");
	size_t w = wide(k) ? 8 : 4;
	uint8_t frame[16];
	struct guest_regs r;

	if (!entry || guest_regs(k->guest, 0, &r) < 0) {
		stop_in_place(k, 0);
		return;
	}
	put(frame, w, r.eflags);
	put(frame + w, w, r.rip);
	r.rsp -= 2 * w;
	r.rip = entry;
	r.eflags &= ~(uint64_t)KD_TF;
	if (guest_write(k->guest, r.rsp, frame, 2 * w) != 2 * w || guest_set_regs(k->guest, 0, &r) < 0)
		note(k, "no stack to break in on");
}

static void on_event(struct target *k, const struct guest_event *e)
{
	if (e->what == GUEST_EXCEPTION)
		stop_exception(k, e);
	else if (e->what == GUEST_SERVICE)
		service_call(k, e);
	else {
		say("the machine is gone: %s", e->words ? e->words : "");
		k->reboot = true;
	}
	if (!over(k))
		guest_run(k->guest);
}

static void break_in(struct target *k)
{
	struct guest_event e;

	if (guest_stop(k->guest) < 0)
		return;
	if (guest_poll(k->guest, &e) > 0) { /* something else stopped it: the break-in is still to come */
		k->pending = true;
		on_event(k, &e);
		return;
	}
	k->pending = is(k, QUIRK_STALE_BREAKIN) && !k->stale;
	k->stale = k->pending;
	interrupt(k);
	if (!over(k))
		guest_run(k->guest);
}

static void tick(struct target *k)
{
	struct guest_event e;

	if (line_broken(k)) {
		break_in(k);
		return;
	}
	if (!k->lines_n || guest_stop(k->guest) < 0)
		return;
	if (guest_poll(k->guest, &e) > 0) {
		on_event(k, &e);
		return;
	}
	control_next(k);
	if (!over(k))
		guest_run(k->guest);
}

static void run(struct target *k)
{
	uint64_t next = now_ms() + KD_TICK_MS;
	struct guest_event e;

	while (!over(k)) {
		uint64_t now = now_ms();

		if (guest_poll(k->guest, &e) > 0) {
			on_event(k, &e);
		} else if (now >= next) {
			next = now + KD_TICK_MS;
			tick(k);
		} else {
			wait_for(k, (int)(next - now));
		}
	}
}

/* --- booting */

static int boot(struct target *k, uint64_t base)
{
	static const char refreshing[] = "KDTARGET: Refreshing KD connection\n";

	k->setup.base = base;
	k->guest = guest_boot(&k->setup);
	if (!k->guest)
		return -1;
	k->boots++;
	memset(k->breaks, 0, sizeof k->breaks);
	k->driver_told = k->stepped = k->pending = false;
	context_boot(k);
	say("booted at %llx", (unsigned long long)guest_image(k->guest, false, NULL));
	k->present = k->boot || k->boots > 1;
	if (k->boots > 1)
		io_print(k, 0, refreshing, sizeof refreshing - 1);
	if (!over(k))
		guest_run(k->guest);
	return 0;
}

/* Each boot is at another place than the one before. */
static int live(struct target *k, uint64_t base)
{
	while (!k->quit) {
		k->reboot = false;
		if (boot(k, base) < 0)
			return 1;
		base = guest_image(k->guest, false, NULL) + (k->boots % 2 ? OTHER_BASE : -(uint64_t)OTHER_BASE);
		run(k);
		guest_destroy(k->guest);
		k->guest = NULL;
		line_restart(k);
		k->stopped = false;
	}
	return 0;
}

static void wait_for_a_host(struct target *k)
{
	while (k->boot && !k->quit && !host_joined(k))
		wait_for(k, 100);
}

/* --- options */

static int usage(void)
{
	fprintf(stderr, "usage: kdtarget --listen-unix PATH | --listen-tcp HOST:PORT | --pty | --kdnet HOST:PORT --key KEY\n"
			"                [--arch amd64|i386] [--processors N] [--image DIR] [--base ADDR] [--profile windows|reactos] [--quirk NAME]...\n"
			"                [--without NAME]... [--boot] [--timeout-ms N] [--retries N] [--log FILE] [--log-hex] [--play RECORDING]\n"
			"                with --kdnet: [--own-addr A] [--own-port N] [--kdnet-version N] [--poke-ms N] [--loss PERCENT]\n"
			"                [--dup PERCENT] [--reorder PERCENT] [--seed N]\n"
			"       kdtarget --quirks\n");
	return 2;
}

static int set_quirk(struct target *k, const char *name, bool on)
{
	int q = quirk_find(name);

	if (q < 0)
		return -1;
	k->quirks = on ? k->quirks | UINT64_C(1) << q : k->quirks & ~(UINT64_C(1) << q);
	return 0;
}

static int set_profile(struct target *k, const char *name)
{
	k->profile = profile_find(name);
	if (!k->profile)
		return -1;
	k->quirks = k->profile->quirks;
	k->timeout_ms = k->profile->timeout_ms;
	k->retries = k->profile->retries;
	return 0;
}

static int set_arch(struct target *k, const char *name)
{
	k->setup.arch = strcmp(name, "i386") == 0 ? GUEST_I386 : GUEST_AMD64;
	return strcmp(name, "i386") == 0 || strcmp(name, "amd64") == 0 ? 0 : -1;
}

static int set_kdnet(struct target *k, const char *where)
{
	k->net.on = true;
	k->way = &line_kdnet;
	k->quirks |= UINT64_C(1) << QUIRK_READ_CAP;
	k->timeout_ms = NET_RETRY_MS;
	snprintf(k->link.name, sizeof k->link.name, "kdnet:%.100s", where);
	return transport_address(where, &k->net.host);
}

static int set_percent(unsigned *percent, uint64_t number)
{
	*percent = (unsigned)number;
	return number <= 100 ? 0 : -1;
}

static int take_net_option(struct net *n, int c, uint64_t number)
{
	switch (c) {
	case 'k': return seal_key(&n->keys, optarg);
	case 'A': return inet_pton(AF_INET, optarg, &n->own.sin_addr) == 1 ? 0 : -1;
	case 'o': n->own.sin_port = htons((uint16_t)number); return number <= UINT16_MAX ? 0 : -1;
	case 'v': n->version = (uint8_t)number; return number <= UINT8_MAX ? 0 : -1;
	case 'm': n->poke_ms = (unsigned)number; return number > 0 && number <= NET_POKE_MS * 10 ? 0 : -1;
	case 's': n->seed = number; return 0;
	case 'L': return set_percent(&n->in.loss, number) | set_percent(&n->out.loss, number);
	case 'D': return set_percent(&n->in.dup, number) | set_percent(&n->out.dup, number);
	case 'O': return set_percent(&n->in.reorder, number) | set_percent(&n->out.reorder, number);
	}
	return -1;
}

static int take_option(struct target *k, struct options *o, int c)
{
	static const char letters[] = "phRbovmsLDO";
	uint64_t number = strchr(letters, c) && optarg ? strtoull(optarg, NULL, 0) : 0;

	switch (c) {
	case 'u': return transport_unix(&k->link, optarg);
	case 't': return transport_tcp(&k->link, optarg);
	case 'y': return transport_pty(&k->link);
	case 'a': return set_arch(k, optarg);
	case 'q': return set_quirk(k, optarg, true);
	case 'w': return set_quirk(k, optarg, false);
	case 'f': return set_profile(k, optarg);
	case 'i': o->image = optarg; return 0;
	case 'l': o->log = optarg; return 0;
	case 'Y': o->play = optarg; return 0;
	case 'B': k->boot = true; return 0;
	case 'x': k->log_hex = true; return 0;
	case 'p': k->setup.processors = (unsigned)number; return number >= 1 && number <= GUEST_PROCESSORS ? 0 : -1;
	case 'h': k->timeout_ms = (unsigned)number; return 0;
	case 'R': k->retries = (unsigned)number; return 0;
	case 'b': o->base = number; return 0;
	case 'K': return set_kdnet(k, optarg);
	}
	return take_net_option(&k->net, c, number);
}

/* --profile, then --kdnet: the others change them. */
static int turn_of(int c)
{
	return c == 'f' ? 0 : c == 'K' ? 1 : 2;
}

/* A key must have been given: it is all zeros before. */
static bool told_enough(const struct target *k)
{
	static const uint8_t none[SEAL_KEY];

	return *k->link.name && (!k->net.on || memcmp(k->net.keys.mac, none, SEAL_KEY) != 0);
}

static int read_options(struct target *k, struct options *o, int argc, char **argv)
{
	static const struct option all[] = {
		{ "listen-unix", required_argument, NULL, 'u' }, { "listen-tcp", required_argument, NULL, 't' }, { "pty", no_argument, NULL, 'y' },
		{ "arch", required_argument, NULL, 'a' }, { "processors", required_argument, NULL, 'p' }, { "image", required_argument, NULL, 'i' },
		{ "base", required_argument, NULL, 'b' }, { "profile", required_argument, NULL, 'f' }, { "quirk", required_argument, NULL, 'q' },
		{ "without", required_argument, NULL, 'w' }, { "boot", no_argument, NULL, 'B' }, { "timeout-ms", required_argument, NULL, 'h' },
		{ "retries", required_argument, NULL, 'R' }, { "log", required_argument, NULL, 'l' }, { "log-hex", no_argument, NULL, 'x' },
		{ "play", required_argument, NULL, 'Y' }, { "kdnet", required_argument, NULL, 'K' }, { "key", required_argument, NULL, 'k' },
		{ "own-addr", required_argument, NULL, 'A' }, { "own-port", required_argument, NULL, 'o' }, { "kdnet-version", required_argument, NULL, 'v' }, { "poke-ms", required_argument, NULL, 'm' },
		{ "loss", required_argument, NULL, 'L' }, { "dup", required_argument, NULL, 'D' }, { "reorder", required_argument, NULL, 'O' },
		{ "seed", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
	};
	int c;

	for (int pass = 0; pass < 3; pass++) {
		optind = 1;
		while ((c = getopt_long(argc, argv, "", all, NULL)) != -1)
			if (c == '?' || (turn_of(c) == pass && take_option(k, o, c) < 0))
				return -1;
	}
	return told_enough(k) && optind == argc ? 0 : -1;
}

static int open_log(struct target *k, const char *file)
{
	if (!file)
		return 0;
	k->log = fopen(file, "w");
	if (k->log)
		setvbuf(k->log, NULL, _IOLBF, 1 << 16);
	return k->log ? 0 : -1;
}

static void find_image(struct target *k, struct options *o)
{
	const char *arch = wide(k) ? "amd64" : "i386";
	ssize_t n = readlink("/proc/self/exe", o->beside, sizeof o->beside - 1);

	if (!o->image && n > 0) {
		o->beside[n] = '\0';
		o->image = dirname(o->beside);
	}
	snprintf(o->kernel, sizeof o->kernel, "%.3000s/%s/ntoskrnl.exe", o->image, arch);
	snprintf(o->driver, sizeof o->driver, "%.3000s/%s/kddriver.sys", o->image, arch);
	k->setup.kernel = o->kernel;
	k->setup.driver = access(o->driver, R_OK) == 0 ? o->driver : NULL;
}

static int start(struct target *k, struct options *o)
{
	line_restart(k);
	if (o->play)
		return replay_run(k, o->play);
	find_image(k, o);
	wait_for_a_host(k);
	return live(k, o->base);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	static struct options o;
	struct target *k = &target;
	int rc;

	k->setup.processors = 1;
	k->way = &line_serial;
	k->net.version = NET_VERSION;
	k->net.poke_ms = NET_POKE_MS;
	k->link.fd = k->link.listener = -1;
	if (argc == 2 && strcmp(argv[1], "--quirks") == 0) {
		quirks_print();
		return 0;
	}
	if (set_profile(k, "windows") < 0 || read_options(k, &o, argc, argv) < 0)
		return usage();
	if (open_log(k, o.log) < 0 || (k->net.on && net_open(&k->net) < 0)) {
		perror("kdtarget");
		return 1;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	say("%s %s", k->net.on ? "dialling" : "listening on", k->link.name);
	rc = start(k, &o);
	transport_close(&k->link);
	net_close(&k->net);
	return rc;
}
