/* dial.h - the way to a target, from what the configuration says of it. */
#ifndef PROXY_DIAL_H
#define PROXY_DIAL_H

#include "proxy/config.h"

struct backend;

/* The line, or both; *console is the layer that has a kernel's console, or NULL. What is put upon the stack sees the debugger's
 * half alone. 0; -errno: not now, and *at is where. */
int dial_line(struct link **stack, struct link **console, const struct config_target *t, const struct addr **at) MUST_USE;

/* A serial line, wherever its near end is: what goes over it does so byte by byte. */
bool dial_is_slow(const struct config_target *t);

/* A stub that does not notice that the line is gone, nor that it is back: it runs on. */
bool dial_is_unnoticed(const struct config_target *t);

/* What a failure of that means, where errno's own words do not tell what to do; NULL: they do. */
const char *dial_words(const struct addr *at, int rc);

/* A backend of the target's protocol, which takes the stack. NULL: no memory. */
struct backend *dial_backend(struct link *stack, struct link *console, const struct config_target *t);

#endif
