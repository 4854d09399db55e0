/* names.c - see names.h. */
#include "proxy/names.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

enum { ENTRY = 65536 }; /* a group's entry lists its members */

static int uid_of(const char *user, uid_t *uid)
{
	static char room[ENTRY];
	struct passwd pw, *found = NULL;

	if (getpwnam_r(user, &pw, room, sizeof room, &found) || !found)
		return -ENOENT;
	*uid = pw.pw_uid;
	return 0;
}

static int gid_of(const char *group, gid_t *gid)
{
	static char room[ENTRY];
	struct group gr, *found = NULL;

	if (getgrnam_r(group, &gr, room, sizeof room, &found) || !found)
		return -ENOENT;
	*gid = gr.gr_gid;
	return 0;
}

const struct allow_names names_system = { uid_of, gid_of };

const char *names_of_user(uid_t uid, char *out, size_t size)
{
	static char room[ENTRY];
	struct passwd pw, *found = NULL;

	if (!getpwuid_r(uid, &pw, room, sizeof room, &found) && found)
		snprintf(out, size, "%s", pw.pw_name);
	else
		snprintf(out, size, "%lu", (unsigned long)uid);
	return out;
}

const char *names_of_group(gid_t gid, char *out, size_t size)
{
	static char room[ENTRY];
	struct group gr, *found = NULL;

	if (!getgrgid_r(gid, &gr, room, sizeof room, &found) && found)
		snprintf(out, size, "%s", gr.gr_name);
	else
		snprintf(out, size, "%lu", (unsigned long)gid);
	return out;
}
