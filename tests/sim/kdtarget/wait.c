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

/* The guest is looked at only where it runs: who stopped it waits for the host. */
void wait_for(struct target *k, int ms)
{
	struct pollfd fds[] = {
		{ .fd = k->input_ended ? -1 : STDIN_FILENO, .events = POLLIN },
		{ .fd = transport_watch(&k->link), .events = POLLIN },
		{ .fd = k->guest && guest_runs(k->guest) ? guest_fd(k->guest) : -1, .events = POLLIN },
	};
	bool joined = transport_joined(&k->link);

	if (fds[1].fd < 0 && (ms < 0 || ms > KD_TICK_MS)) /* nothing tells that a pseudo-terminal was opened */
		ms = KD_TICK_MS;
	if (poll(fds, 3, ms) <= 0)
		return;
	if (fds[0].revents)
		take_input(k);
	if (fds[1].revents)
		transport_fill(&k->link);
	if (joined != transport_joined(&k->link))
		note(k, joined ? "the host left" : "a host came");
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
		while (transport_take(&k->link) >= 0)
			;
	}
}
