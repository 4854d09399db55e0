/* console_text.c - see console_text.h. */
#include "backends/link/console_text.h"

static const struct {
	const char *text;
	enum console_mode mode;
} sayings[CONSOLE_SAYINGS] = {
	{ "KGDB: Entering KGDB", CONSOLE_MODE_KGDB },
	{ "Entering please attach debugger", CONSOLE_MODE_KGDB },
	{ "Entering kdb (", CONSOLE_MODE_KDB },
	{ "]kdb> ", CONSOLE_MODE_KDB },
	{ "sysrq operation is disabled", CONSOLE_MODE_MASKED },
	{ "sysrq: HELP :", CONSOLE_MODE_NO_KEY },
	{ "SysRq : HELP :", CONSOLE_MODE_NO_KEY },
};

/* The room is twice what is kept, so that it is packed seldom. */
int console_text_init(struct console_text *t)
{
	*t = (struct console_text){ 0 };
	return buf_init(&t->kept, 2 * CONSOLE_TEXT);
}

void console_text_fini(struct console_text *t)
{
	buf_fini(&t->kept);
}

void console_text_forget(struct console_text *t)
{
	if (buf_pull(&t->kept, t->given) == 0)
		t->given = 0;
}

struct span console_text_lend(struct console_text *t)
{
	console_text_forget(t);
	t->given = t->kept.len;
	return buf_span(&t->kept);
}

static void keep(struct console_text *t, struct span s)
{
	size_t over = t->kept.len + s.len > CONSOLE_TEXT ? t->kept.len + s.len - CONSOLE_TEXT : 0;

	if (over && buf_pull(&t->kept, over) == 0)
		t->lost += over;
	if (buf_room(&t->kept) < s.len)
		buf_pack(&t->kept);
	if (buf_put_span(&t->kept, s) < 0)
		t->lost += s.len;
}

/* No saying begins again within itself, so that a byte that does not fit can only be a first one. */
static bool watch(struct console_text *t, uint8_t b)
{
	bool kdb = false;

	for (size_t i = 0; i < CONSOLE_SAYINGS; i++) {
		const char *text = sayings[i].text;

		if ((uint8_t)text[t->said[i]] != b)
			t->said[i] = 0;
		if ((uint8_t)text[t->said[i]] != b || text[++t->said[i]])
			continue;
		t->said[i] = 0;
		t->mode = sayings[i].mode;
		kdb |= t->mode == CONSOLE_MODE_KDB;
	}
	return kdb;
}

bool console_text_hear(struct console_text *t, struct span heard)
{
	bool kdb = false;

	keep(t, heard);
	for (size_t i = 0; i < heard.len; i++)
		kdb |= watch(t, heard.p[i]);
	return kdb;
}
