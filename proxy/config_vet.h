/* config_vet.h - is a configuration's text fit for libconfig?
 *
 * That library (1.5) ends the process when an included file is a directory, takes what a NUL byte cuts off or an unclosed
 * comment holds for nothing, and a comment that ends the file for a syntax error. Those are refused here, and told, in what
 * is included too. */
#ifndef PROXY_CONFIG_VET_H
#define PROXY_CONFIG_VET_H

#include "base/buf.h"

enum { CONFIG_VET_BYTES = 1 << 20, CONFIG_VET_FILES = 64 };

/* A regular file of at most CONFIG_VET_BYTES, a NUL behind it, into *text, which is the caller's to free in any case.
 * 0; -errno with *cause. */
int config_vet_load(char **text, size_t *len, const char *file, const char **cause) MUST_USE;

/* A NUL stands behind text. What it includes is in dir; NULL: include is refused. 0; -EINVAL with why: "FILE:LINE: ...". */
int config_vet(const char *file, const char *dir, struct span text, char *why, size_t why_size) MUST_USE;

#endif
