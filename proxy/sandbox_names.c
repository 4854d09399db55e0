/* sandbox_names.c - look-ups of users, groups and hosts, and what they need: libraries loaded before nothing executable
 * can be mapped any more, and sockets where a service knows the names. */
#include "proxy/sandbox_parts.h"

#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ROOM = 65536, LINE = 1024, GROUPS = 256 };

/* Nobody's: so every source is asked, and loaded. */
static const uid_t nobodys = (uid_t)-3;

/* A label longer than DNS has them: each source is loaded, and none sends a packet. */
static const char no_host[] = "kdgate-kdgate-kdgate-kdgate-kdgate-kdgate-kdgate-kdgate-kdgate-kdgate";

static void prime_users(void)
{
	static char room[ROOM];
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	gid_t groups[GROUPS];
	int n = GROUPS;

	if (getpwuid_r(nobodys, &pw, room, sizeof room, &user) || getgrgid_r(nobodys, &gr, room, sizeof room, &group))
		return; /* a source that is broken now is none of ours */
	getgrouplist("root", 0, groups, &n);
}

static void prime_host(const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV }, *list = NULL;

	if (getaddrinfo(host, "1", &hints, &list) == 0)
		freeaddrinfo(list);
}

void sandbox_names_prime(const struct sandbox_needs *n)
{
	tzset();
	prime_users();
	if (!n->names)
		return;
	prime_host("localhost");
	prime_host(no_host);
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* "files sss [NOTFOUND=return] dns" */
static bool asks(char *text, const char *const *sources)
{
	char *rest = NULL;
	bool action = false;

	for (char *word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
		action = action || word[0] == '[';
		if (!action && !is_one_of(word, sources))
			return true;
		action = action && !strchr(word, ']');
	}
	return false;
}

bool sandbox_names_ask(FILE *nsswitch, const char *database, const char *const *sources)
{
	size_t len = strlen(database);
	char line[LINE], *at;

	while (fgets(line, sizeof line, nsswitch)) {
		line[strcspn(line, "#")] = 0;
		at = line + strspn(line, " \t");
		if (strncmp(at, database, len) != 0)
			continue;
		at += len;
		at += strspn(at, " \t");
		if (*at == ':' && asks(at + 1, sources))
			return true;
	}
	return false;
}

static bool ask_here(const char *database, const char *const *sources)
{
	FILE *f = fopen("/etc/nsswitch.conf", "re");
	bool yes = f && sandbox_names_ask(f, database, sources);

	if (f)
		fclose(f);
	return yes;
}

bool sandbox_names_of_groups_ask(void)
{
	static const char *const sources[] = { "files", "compat", "db", NULL };

	return ask_here("passwd", sources) || ask_here("group", sources) || ask_here("initgroups", sources);
}

bool sandbox_names_of_hosts_ask(void)
{
	static const char *const sources[] = { "files", "dns", "myhostname", "db", NULL };

	return ask_here("hosts", sources);
}
