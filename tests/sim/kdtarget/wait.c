/* wait.c - all waiting: for the host's bytes, for somebody to connect, for lines on standard input, for the guest. */
#include "tests/sim/kdtarget/target.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static void take_line(struct target *k)
{
	k->partial[k->partial_n] = '\0';
	k->partial_n = 0;
	control_urgent(k, k->partial);
}

static void take_input(struct target *k)
{
	char text[256];
	ssize_t n = read(STDIN_FILENO, text, sizeof text);

	k->input_ended |= n <= 0;
	for (ssize_t i = 0; i < n; i++) {
		if (text[i] == '\n')
			take_line(k);
		else if (k->partial_n < sizeof k->partial - 1)
			k->partial[k->partial_n++] = text[i];
	}
}

bool host_joined(const struct target *k)
{
	return k->net.on ? k->net.joined : transport_joined(&k->link);
}

/* --- the host's line */

static int watch(const struct target *k)
{
	return k->net.on ? k->net.fd : transport_watch(&k->link);
}

/* Nothing tells that a pseudo-terminal was opened; and a target on KDNET pokes in time, whatever it waits for. */
static int at_most(const struct target *k, int ms)
{
	int most = k->net.on ? net_due_in(&k->net, now_ms()) : watch(k) < 0 ? KD_TICK_MS : ms;

	return ms < 0 || most < ms ? most : ms;
}

static void fill(struct target *k)
{
	if (k->net.on)
		net_fill(&k->net, now_ms());
	else
		transport_fill(&k->link);
}

static void look(struct target *k, int ms)
{
	struct pollfd fds[] = {
		{ .fd = k->input_ended ? -1 : STDIN_FILENO, .events = POLLIN },
		{ .fd = watch(k), .events = POLLIN },
		{ .fd = k->guest && guest_runs(k->guest) ? guest_fd(k->guest) : -1, .events = POLLIN },
	};

	if (poll(fds, 3, at_most(k, ms)) <= 0)
		return;
	if (fds[0].revents)
		take_input(k);
	if (fds[1].revents)
		fill(k);
}

/* The guest is looked at only where it runs: who stopped it waits for the host. */
void wait_for(struct target *k, int ms)
{
	bool joined = host_joined(k);
	unsigned long sessions = k->net.sessions;

	look(k, ms);
	if (k->net.on)
		net_tick(&k->net, now_ms());
	if (joined != host_joined(k) || sessions != k->net.sessions)
		note(k, host_joined(k) ? "a host came" : "the host left");
}

int wait_byte(struct target *k, unsigned ms)
{
	uint64_t end = now_ms() + ms, now;
	int c;

	while ((c = transport_take(&k->link)) < 0 && !over(k) && (now = now_ms()) < end)
		wait_for(k, (int)(end - now));
	return over(k) ? -1 : c;
}

void wait_quietly(struct target *k, unsigned ms)
{
	uint64_t end = now_ms() + ms, now;

	while ((now = now_ms()) < end && !k->quit) {
		wait_for(k, (int)(end - now));
		while (k->net.on ? net_take(&k->net) != NULL : transport_take(&k->link) >= 0)
			;
	}
}
