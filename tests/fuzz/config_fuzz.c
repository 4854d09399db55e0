/* config_fuzz.c - configuration texts and their pieces, whatever they hold. */
#include "proxy/config.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* libconfig does not free a text where it expects none, and to suppress that by name takes a symbolizer. config_file_test
 * looks for leaks of our own. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* What is refused is refused in words, on one line of the file. */
static void check_why(int rc, const char *why, const char *prefix)
{
	must(rc <= 0);
	must(!rc || !strncmp(why, prefix, strlen(prefix)));
	must(!rc || strlen(why) > strlen(prefix));
}

static void print(const struct config *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	config_print(c, to);
	fclose(to);
	free(text);
}

/* A config that was read holds what config_check asks of all, except that there may be no target, and that its audit may be still to come. */
static void check_whole(struct span text)
{
	struct config c = { 0 };
	char why[CONFIG_WHY] = "";
	int rc = config_load_text(&c, "f", text, why, sizeof why);

	check_why(rc, why, "f:");
	must(rc || !*c.audit || !config_check_settings(&c, why, sizeof why));
	must(rc || !c.targets_n || config_check_settings(&c, why, sizeof why) || !config_check(&c, why, sizeof why));
	must(!rc || !c.targets);
	if (!rc)
		print(&c);
	config_fini(&c);
}

/* What an address is written as says what it is: read again, it is the same. */
static void check_pieces(const char *text)
{
	static struct config_target t, again;
	struct addr a, b;
	char why[CONFIG_WHY] = "";

	config_target_init(&t);
	config_target_init(&again);
	if (!config_target_text(&t, text, why, sizeof why)) {
		must(!config_target_text(&again, t.addr.text, why, sizeof why));
		must(!memcmp(&t.addr, &again.addr, sizeof t.addr));
	} else {
		must(*why);
	}
	if (!config_addr_text(&a, text, why, sizeof why)) {
		must(!config_addr_text(&b, a.text, why, sizeof why));
		must(!memcmp(&a, &b, sizeof a));
		(void)addr_is_local(&a);
	}
}

static void check_listener(const char *text)
{
	static struct config c; /* large; kept */
	static struct config_listener l;
	static struct config_target t;
	char why[CONFIG_WHY] = "";

	if (!c.targets && config_prepare(&c) < 0)
		return;
	config_listener_init(&l, &c);
	if (!config_allow_text(&c, &l, text, why, sizeof why))
		must(l.allow_given && l.allow.count == 1);
	else
		must(!l.allow_given && *why);
	must(config_mode_text(&l, text, why, sizeof why) || l.mode <= 0777);
	must(config_max_clients_text(&t, text, why, sizeof why) || (t.max_clients >= 1 && t.max_clients <= 256));
	must(config_name_check(text, why, sizeof why) || (*text && strlen(text) < CONFIG_NAME));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	check_whole((struct span){ data, size });
	text = strndup((const char *)data, size < 1024 ? size : 1024);
	if (!text)
		return 0;
	check_pieces(text);
	check_listener(text);
	free(text);
	return 0;
}
