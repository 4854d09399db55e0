/* names.h - users and groups as the system knows them. */
#ifndef PROXY_NAMES_H
#define PROXY_NAMES_H

#include "filters/allow.h"

extern const struct allow_names names_system; /* getpwnam, getgrnam */

/* For people: the name, or the number where it has none. Return out. */
const char *names_of_user(uid_t uid, char *out, size_t size);
const char *names_of_group(gid_t gid, char *out, size_t size);

#endif
