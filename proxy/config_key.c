/* config_key.c - the keys of KDNET targets, from their files. See config.h.
 *
 * Whoever has a key has the target's kernel, and all that was ever recorded of its debugging. So a file that others could read is refused,
 * as ssh does; words never hold what is in it. */
#include "proxy/config.h"

#include "backends/link/kdnet_key.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREDENTIAL "credential:"
#define USUAL CREDENTIAL "kdnet-key"

enum { KEY_FILE_MAX = 512 };

int config_key_file_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	bool credential = !strncmp(text, CREDENTIAL, strlen(CREDENTIAL));
	const char *name = credential ? text + strlen(CREDENTIAL) : text;

	if (!*name || strlen(text) >= sizeof t->key_file || (credential && (strchr(name, '/') || name[0] == '.')))
		return config_refuse(why, why_size, "no usable name of a file; expected a path, or " CREDENTIAL "NAME of systemd's LoadCredential=");
	memcpy(t->key_file, text, strlen(text) + 1);
	return 0;
}

/* The file behind the name; NULL: a credential, and systemd has given none. */
static const char *path_of(const char *key_file, char *out, size_t size)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (strncmp(key_file, CREDENTIAL, strlen(CREDENTIAL)) != 0)
		return key_file;
	if (!dir || (size_t)snprintf(out, size, "%s/%s", dir, key_file + strlen(CREDENTIAL)) >= size)
		return NULL;
	return out;
}

/* systemd lets a service's user in by an access list, whose mask looks like the rights of a group. NULL: it is fit. */
static const char *unfit(const struct stat *st, bool credential)
{
	if (!S_ISREG(st->st_mode))
		return "it is no regular file; expected one with the key in it";
	if (st->st_mode & (credential ? 07 : 077))
		return "others may read or write it; expected chmod 600";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "it belongs to another user; expected this one or root";
	return st->st_size >= KEY_FILE_MAX ? "it is too large for a key; expected one line" : NULL;
}

static struct span trimmed(const char *text, size_t n)
{
	static const char blank[] = " \t\r\n";

	while (n && strchr(blank, text[n - 1]) && text[n - 1])
		n--;
	while (n && strchr(blank, *text) && *text) {
		text++;
		n--;
	}
	return (struct span){ (const uint8_t *)text, n };
}

/* 0; -EINVAL with words. */
static int read_key(struct kdnet_key *key, int fd, bool credential, const char **words)
{
	char text[KEY_FILE_MAX];
	struct stat st;
	ssize_t n;
	int rc;

	*words = fstat(fd, &st) < 0 ? strerror(errno) : unfit(&st, credential);
	if (*words)
		return -EINVAL;
	n = read(fd, text, sizeof text);
	*words = strerror(n < 0 ? errno : 0);
	rc = n < 0 ? -EINVAL : kdnet_key_parse(key, trimmed(text, (size_t)n), words);
	kdnet_wipe(text, sizeof text);
	return rc;
}

static void warn_of_weakness(const struct config_target *t)
{
	char words[128];

	if (kdnet_key_weakness(t->key, words, sizeof words))
		log_line(LOG_LEVEL_WARNING, "%s: the key is weak, %s (kdgate keygen makes a strong one)", *t->name ? t->name : t->place, words);
}

static int refuse_key(const struct config_target *t, const char *file, const char *words, char *why, size_t why_size)
{
	return config_refuse(why, why_size, "%s%s%sthe key in %s cannot be used: %s", *t->name ? "target " : "", t->name, *t->name ? ": " : "", file, words);
}

static int load_key(struct config_target *t, char *why, size_t why_size)
{
	const char *name = *t->key_file ? t->key_file : USUAL, *words;
	char room[PATH_MAX];
	const char *path = path_of(name, room, sizeof room);
	struct kdnet_key key;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1, rc;

	if (fd < 0 && !*t->key_file)
		return config_refuse(why, why_size, "target %s has no key; expected --key-file FILE, key_file = \"FILE\" or systemd's credential kdnet-key "
				     "(kdgate keygen makes a key)", t->name);
	if (fd < 0)
		return refuse_key(t, name, path ? strerror(errno) : "systemd has given no credentials", why, why_size);
	rc = read_key(&key, fd, name != path, &words);
	close(fd);
	if (rc)
		return refuse_key(t, name, words, why, why_size);
	t->key = kdnet_key_keep(&key);
	kdnet_wipe(&key, sizeof key);
	if (!t->key)
		return config_refuse(why, why_size, "out of memory");
	warn_of_weakness(t);
	return 0;
}

int config_key_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	struct kdnet_key key;
	const char *words;

	if (kdnet_crypto_prime() < 0 || kdnet_key_parse(&key, span_of(text), &words) < 0)
		return config_refuse(why, why_size, "--key: %s", words);
	t->key = kdnet_key_keep(&key);
	kdnet_wipe(&key, sizeof key);
	return t->key ? 0 : config_refuse(why, why_size, "out of memory");
}

/* Whose the datagrams are is told by the key alone. */
static int check_same(const struct config *c, const struct config_target *t, char *why, size_t why_size)
{
	for (const struct config_target *o = c->targets; o < t; o++)
		if (o->key && !strcmp(o->addr.port, t->addr.port) && kdnet_same(o->key, t->key, sizeof *t->key))
			return config_refuse(why, why_size, "targets %s and %s have the same port and the same key; expected another key or another port",
					     o->name, t->name);
	return 0;
}

int config_keys(struct config *c, char *why, size_t why_size)
{
	int rc = 0;

	for (struct config_target *t = c->targets; !rc && t < c->targets + c->targets_n; t++) {
		if (t->addr.kind != ADDR_KDNET)
			continue;
		rc = kdnet_crypto_prime() < 0 ? config_refuse(why, why_size, "libcrypto cannot do what KDNET needs (AES-256-CBC, HMAC-SHA-256)") : 0;
		rc = rc ? rc : load_key(t, why, why_size);
		rc = rc ? rc : check_same(c, t, why, why_size);
		rc = config_at(t->place, rc, why, why_size);
	}
	return rc;
}

void config_keys_drop(struct config *c)
{
	for (size_t i = 0; c->targets && i < CONFIG_TARGETS; i++) {
		kdnet_key_drop(c->targets[i].key);
		c->targets[i].key = NULL;
	}
}
