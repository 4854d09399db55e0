/* control.c - lines on standard input: what the machine is to do. */
#include "tests/sim/kdtarget/command.h"
#include "tests/sim/kdtarget/target.h"

#include <stdlib.h>
#include <string.h>

/* A word of the image's (command.h), with a fixed argument or, where it is ANY, the one that was given. */
static const struct word {
	const char *name;
	uint32_t command, argument;
} words[] = {
	{ "fault av unhandled", KDSIM_READ, 1 }, { "fault write unhandled", KDSIM_WRITE, 1 }, { "fault div unhandled", KDSIM_DIVIDE, 1 },
	{ "fault ill unhandled", KDSIM_ILLEGAL, 1 }, { "fault av", KDSIM_READ, 0 }, { "fault write", KDSIM_WRITE, 0 }, { "fault div", KDSIM_DIVIDE, 0 },
	{ "fault ill", KDSIM_ILLEGAL, 0 }, { "int3", KDSIM_BREAK, 0 }, { "load", KDSIM_LOAD, 0 }, { "unload", KDSIM_UNLOAD, 0 },
	{ "reboot", KDSIM_REBOOT, 0 }, { "command", KDSIM_COMMAND, 0 }, { "print", KDSIM_PRINT, 0 }, { "prompt", KDSIM_PROMPT, 0 },
};
/* With a number behind. */
static const struct word numbered[] = {
	{ "prints ", KDSIM_PRINT, 0 }, { "bugcheck", KDSIM_BUGCHECK, 0 }, { "spin", KDSIM_SPIN, 0 },
};

static void status(struct target *k)
{
	unsigned breaks = 0;
	unsigned long requests = 0;

	for (size_t i = 0; i < KD_BREAKPOINTS; i++)
		breaks += k->breaks[i].used;
	for (size_t i = 0; i < sizeof k->asked / sizeof *k->asked; i++)
		requests += k->asked[i];
	say("status stopped=%d processor=%u present=%d pending=%d joined=%d breakpoints=%u boots=%u base=%llx sent=%lu requests=%lu waiting=%zu", k->stopped,
	    k->serving, k->present, k->pending, host_joined(k), breaks, k->boots,
	    (unsigned long long)(k->guest ? guest_image(k->guest, false, NULL) : 0), k->sent, requests, k->lines_n);
}

/* Those are whole lines: "count 3130=4 3146=1". */
static void counts(struct target *k)
{
	char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof k->asked / sizeof *k->asked; i++)
		if (k->asked[i])
			n += (size_t)snprintf(text + n, sizeof text - n, " %zx=%lu", 0x3130 + i, k->asked[i]);
	say("count%s", text);
}

/* What lies where, for those who have no symbols. */
static void symbol(struct target *k, const char *name)
{
	say("symbol %s %llx", name, (unsigned long long)(k->guest ? guest_symbol(k->guest, name) : 0));
}

static void net_line(struct target *k, const char *line)
{
	char text[512];

	if (strcmp(line, "rebind") == 0 && net_rebind(&k->net) < 0)
		say("no other port");
	net_tell(&k->net, text, sizeof text);
	say("%s", text);
}

void control_urgent(struct target *k, const char *line)
{
	if (strcmp(line, "quit") == 0)
		k->quit = true;
	else if (strcmp(line, "reset") == 0)
		k->reboot = true;
	else if (strcmp(line, "status") == 0)
		status(k);
	else if (strcmp(line, "count") == 0)
		counts(k);
	else if (k->net.on && (strcmp(line, "net") == 0 || strcmp(line, "rebind") == 0))
		net_line(k, line);
	else if (strncmp(line, "symbol ", 7) == 0)
		symbol(k, line + 7);
	else if (k->lines_n == KD_LINES)
		say("too many lines wait");
	else
		strcpy(k->lines[k->lines_n++], line);
}

/* --- what runs in the machine */

static bool poke(struct target *k, const char *name, uint32_t value)
{
	uint64_t at = guest_symbol(k->guest, name);
	uint8_t bytes[4];

	put(bytes, sizeof bytes, value);
	return at && guest_write(k->guest, at, bytes, sizeof bytes) == sizeof bytes;
}

/* The image writes 0 when it took one. */
static bool takes_commands(struct target *k)
{
	uint64_t at = guest_symbol(k->guest, "KdSimCommand");
	uint8_t bytes[4];

	return !at || (guest_read(k->guest, at, bytes, sizeof bytes) == sizeof bytes && get32(bytes) == 0);
}

static const struct word *find(const struct word *from, size_t n, const char *line, bool prefix)
{
	for (size_t i = 0; i < n; i++)
		if (prefix ? strncmp(line, from[i].name, strlen(from[i].name)) == 0 : strcmp(line, from[i].name) == 0)
			return &from[i];
	return NULL;
}

static void to_image(struct target *k, const char *line)
{
	const struct word *w = find(words, sizeof words / sizeof *words, line, false);
	uint32_t argument = w ? w->argument : 0;

	if (!w && (w = find(numbered, sizeof numbered / sizeof *numbered, line, true)))
		argument = (uint32_t)strtoul(line + strlen(w->name), NULL, 0);
	if (!w)
		say("what is \"%s\"?", line);
	else if (!poke(k, "KdSimArgument", argument) || !poke(k, "KdSimCommand", w->command))
		say("the image has no \"%s\"", line);
}

static void do_line(struct target *k, const char *line)
{
	char answer[64];

	note(k, "does: %s", line);
	if (strncmp(line, "print ", 6) == 0)
		io_print(k, 0, line + 6, strlen(line + 6));
	else if (strncmp(line, "prompt ", 7) == 0)
		say("answer %.*s", (int)io_prompt(k, 0, line + 7, strlen(line + 7), answer, sizeof answer), answer);
	else if (strncmp(line, "processor ", 10) == 0)
		poke(k, "KdSimProcessor", (uint32_t)strtoul(line + 10, NULL, 0));
	else
		to_image(k, line);
}

void control_next(struct target *k)
{
	char line[KD_LINE];

	if (!k->lines_n || !takes_commands(k))
		return;
	memcpy(line, k->lines[0], sizeof line);
	memmove(k->lines[0], k->lines[1], --k->lines_n * sizeof *k->lines);
	do_line(k, line);
}
