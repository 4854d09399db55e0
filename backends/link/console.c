/* console.c - see console.h: whichever layer it is, it is asked here. */
#include "backends/link/console.h"

#include "backends/link/link.h"

struct span link_console_text(struct link *console)
{
	return console->ops->console->text(console);
}

uint64_t link_console_lost(const struct link *console)
{
	return console->ops->console->lost(console);
}

size_t link_console_type(struct link *console, struct span bytes)
{
	return console->ops->console->type(console, bytes);
}

void link_console_runs(struct link *console, bool runs)
{
	console->ops->console->runs(console, runs);
}

bool link_console_stands(const struct link *console)
{
	return console->ops->console->stands(console);
}

bool link_console_is_apart(const struct link *console)
{
	return console->ops->console->apart;
}

enum console_mode link_console_mode(const struct link *console)
{
	return console->ops->console->mode(console);
}
