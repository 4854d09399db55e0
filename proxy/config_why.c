/* config_why.c - what is wrong with a configuration, and where. See config.h. */
#include "proxy/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int config_refuse(char *why, size_t why_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int config_at(const char *place, int rc, char *why, size_t why_size)
{
	char what[CONFIG_WHY];

	if (rc < 0 && *place) {
		snprintf(what, sizeof what, "%s", why);
		snprintf(why, why_size, "%s: %s", place, what);
	}
	return rc;
}

int config_number(const char *text, int most)
{
	size_t n = strspn(text, "0123456789");
	long v = n && n <= 9 && !text[n] ? strtol(text, NULL, 10) : -1;

	return v <= most ? (int)v : -1;
}
