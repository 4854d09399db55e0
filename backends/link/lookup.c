/* lookup.c - see lookup.h. */
#include "backends/link/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

static bool is_port(const char *port)
{
	char *end;
	unsigned long n = strtoul(port, &end, 10);

	return port[0] >= '0' && port[0] <= '9' && !*end && n && n <= 65535;
}

static int lookup_error(int rc)
{
	if (rc == EAI_MEMORY)
		return -ENOMEM;
	return rc == EAI_SYSTEM && errno ? -errno : -ENXIO;
}

int link_look_up(const char *host, const char *port, int type, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	int rc;

	if (!*host || !is_port(port))
		return -EINVAL;
	rc = getaddrinfo(host, port, &hints, list);
	if (rc == EAI_NONAME) {
		hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
		rc = getaddrinfo(host, port, &hints, list);
	}
	return rc ? lookup_error(rc) : 0;
}
