/* monitor_fuzz.c - monitor text from any bytes: is it kdgate's own?
 *
 * Asked a second time in another way, by a copy whose blanks are squeezed; which has the same answer. What is own is answered
 * in whole printable lines, and what is taken is given back as it was. */
#include "proxy/monitor.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { MOST = 16384 };

/* One blank between words, none around them. false: a byte that is not printable. */
static bool squeezed(char *to, const uint8_t *data, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (data[i] < ' ' || data[i] > '~')
			return false;
		if (data[i] != ' ' || (n && to[n - 1] != ' '))
			to[n++] = (char)data[i];
	}
	to[n && to[n - 1] == ' ' ? n - 1 : n] = 0;
	return true;
}

static enum monitor_verb slow_verb(const uint8_t *data, size_t size)
{
	static const struct {
		const char *text;
		enum monitor_verb verb;
	} known[] = {
		{ "help", MONITOR_HELP }, { "secure", MONITOR_SECURE }, { "kdgate", MONITOR_LIST }, { "kdgate help", MONITOR_LIST },
		{ "kdgate status", MONITOR_STATUS }, { "kdgate policy", MONITOR_POLICY }, { "kdgate who", MONITOR_WHO },
		{ "kdgate secure", MONITOR_SECURE }, { "kdgate version", MONITOR_VERSION },
	};
	static char text[MOST + 1];

	if (!squeezed(text, data, size))
		return MONITOR_NOT_OWN;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(text, known[i].text))
			return known[i].verb;
	return strncmp(text, "kdgate ", 7) ? MONITOR_NOT_OWN : MONITOR_UNKNOWN;
}

static void words_are_plain(struct span text)
{
	uint8_t room[MONITOR_TEXT];
	struct buf out = { .base = room, .cap = sizeof room };

	monitor_put_unknown(&out, text);
	must(out.len && room[out.len - 1] == '\n');
	for (size_t i = 0; i < out.len; i++)
		must(room[i] == '\n' || (room[i] >= ' ' && room[i] <= '~'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rsp_cmd cmd, before;
	struct span text = { data, size };
	enum monitor_verb verb;

	if (size > MOST)
		return 0;
	verb = monitor_verb_of(text);
	must(verb == slow_verb(data, size));
	rsp_cmd_make(&cmd, "qRcmd,");
	cmd.data = text;
	before = cmd;
	monitor_take(&cmd);
	must((cmd.op == RSP_OP_OWN) == (verb != MONITOR_NOT_OWN));
	monitor_give(&cmd);
	must(!memcmp(&cmd, &before, sizeof cmd));
	words_are_plain(text);
	return 0;
}
