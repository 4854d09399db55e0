/* config_addr.c - where a target is, and where to listen, each from its text. See config.h. */
#include "proxy/config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define EXPECT_TARGET "expected rsp+tcp:HOST:PORT, rsp+unix:PATH, kgdb+serial:DEVICE@BAUD, kd+unix:PATH or kdnet:ADDRESS:PORT"
#define EXPECT_LINE "expected serial:DEVICE@BAUD, rfc2217:HOST:PORT, telnet:HOST:PORT, tcp:HOST:PORT, unix:PATH or udp:HOST:PORT"
#define EXPECT_LISTEN "expected tcp:ADDRESS:PORT, unix:PATH or stdio"

enum { MODE_LEN = 64, BAUD_LEAST = 50, BAUD_MOST = 12000000 };

/* Addresses. take fills *a from what follows the name and its colon; NULL: not in this version. */
static int take_tcp(struct addr *a, const char *rest, char *why, size_t why_size);
static int take_unix(struct addr *a, const char *rest, char *why, size_t why_size);
static int take_stdio(struct addr *a, const char *rest, char *why, size_t why_size);
static int take_serial(struct addr *a, const char *rest, char *why, size_t why_size);
static int take_rfc2217(struct addr *a, const char *rest, char *why, size_t why_size);
static int take_kdnet(struct addr *a, const char *rest, char *why, size_t why_size);
static int take_usb(struct addr *a, const char *rest, char *why, size_t why_size);

static const struct link_row {
	const char *name;
	bool target, listener;
	enum addr_kind kind;
	int (*take)(struct addr *a, const char *rest, char *why, size_t why_size);
} links[] = {
	{ "tcp", true, true, ADDR_TCP, take_tcp },
	{ "unix", true, true, ADDR_UNIX, take_unix },
	{ "stdio", false, true, ADDR_STDIO, take_stdio },
	{ "tls", false, true, ADDR_TCP, NULL },
	{ "serial", true, false, ADDR_SERIAL, take_serial },
	{ "udp", true, false, ADDR_UDP, take_tcp },
	{ "telnet", true, false, ADDR_TELNET, take_tcp },
	{ "rfc2217", true, false, ADDR_RFC2217, take_rfc2217 },
	{ "usb", true, false, ADDR_USB, take_usb },
	{ "kdnet", true, false, ADDR_KDNET, take_kdnet },
};

static const struct proto_row {
	const char *name;
	bool built;
	enum proto_kind kind;
	bool link; /* and a link by the same name, with which it stands alone */
} protos[] = {
	{ "rsp", true, PROTO_RSP, false },
	{ "kgdb", true, PROTO_KGDB, false },
	{ "kd", true, PROTO_KD, false },
	{ "kdnet", true, PROTO_KD, true },
	{ "local", false, PROTO_RSP, false },
};

static bool is_ipv6(const char *host)
{
	struct in6_addr in6;
	char plain[INET6_ADDRSTRLEN];
	size_t n = strcspn(host, "%");

	if (n >= sizeof plain)
		return false;
	memcpy(plain, host, n);
	plain[n] = 0;
	return inet_pton(AF_INET6, plain, &in6) == 1;
}

static bool is_ipv4(const char *host)
{
	struct in_addr in;

	return inet_pton(AF_INET, host, &in) == 1;
}

/* What only has digits and dots and is no address would be taken for another one by inet_aton. */
static bool is_name(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

	return *host && *host != '-' && strspn(host, letters) == strlen(host) && strspn(host, "0123456789.") != strlen(host);
}

/* [v6], v4 or a name, without its port. */
static int take_host(struct addr *a, const char *host, size_t len, char *why, size_t why_size)
{
	bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';

	if (len >= sizeof a->host)
		return config_refuse(why, why_size, "the host in %s is too long; expected at most %zu characters", a->text, sizeof a->host - 1);
	memcpy(a->host, host + brackets, len - 2 * brackets);
	a->host[len - 2 * brackets] = 0;
	if (!brackets && strchr(a->host, ':'))
		return config_refuse(why, why_size, "an IPv6 address stands in brackets; expected tcp:[::1]:1234, not %s", a->text);
	if (brackets ? is_ipv6(a->host) : is_ipv4(a->host) || is_name(a->host))
		return 0;
	return config_refuse(why, why_size, "%s has no usable host; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234", a->text);
}

static int take_tcp(struct addr *a, const char *rest, char *why, size_t why_size)
{
	const char *colon = strrchr(rest, ':');

	if (!colon || (strchr(rest, ']') && colon < strchr(rest, ']')))
		return config_refuse(why, why_size, "%s has no port; expected tcp:HOST:PORT, such as tcp:127.0.0.1:1234", a->text);
	if (config_number(colon + 1, 65535) < 0)
		return config_refuse(why, why_size, "%s has no usable port; expected a number from 0 to 65535", a->text);
	snprintf(a->port, sizeof a->port, "%d", config_number(colon + 1, 65535));
	return take_host(a, rest, (size_t)(colon - rest), why, why_size);
}

static int take_unix(struct addr *a, const char *rest, char *why, size_t why_size)
{
	if (!*rest || *rest == '@')
		return config_refuse(why, why_size, "%s names no file; expected unix:PATH, such as unix:/run/kdgate/dut1.sock", a->text);
	if (strlen(rest) >= sizeof a->path)
		return config_refuse(why, why_size, "the path in %s is too long for a socket; expected at most %zu characters", a->text,
				     sizeof a->path - 1);
	memcpy(a->path, rest, strlen(rest) + 1);
	return 0;
}

static int take_stdio(struct addr *a, const char *rest, char *why, size_t why_size)
{
	(void)rest;
	return strcmp(a->text, "stdio") ? config_refuse(why, why_size, "%s has something after stdio; expected stdio", a->text) : 0;
}

/* "115200", "9600,7e1,rtscts" */
static int take_mode(struct addr *a, const char *text, char *why, size_t why_size)
{
	struct serial_mode m = { .bits = 8, .parity = 'n', .stops = 1 };
	char copy[MODE_LEN], *rest = NULL, *word;
	size_t len = strlen(text);
	bool good = len < sizeof copy && !strchr(text, ' ');

	memcpy(copy, text, len < sizeof copy ? len + 1 : 0);
	copy[sizeof copy - 1] = 0;
	word = strtok_r(copy, ",", &rest);
	good = good && word && config_number(word, BAUD_MOST) >= BAUD_LEAST;
	m.baud = good ? (unsigned)config_number(word, BAUD_MOST) : 0;
	while (good && (word = strtok_r(NULL, ",", &rest))) {
		if (strlen(word) == 3 && strchr("78", word[0]) && strchr("neo", word[1]) && strchr("12", word[2])) {
			m.bits = (uint8_t)(word[0] - '0');
			m.parity = word[1];
			m.stops = (uint8_t)(word[2] - '0');
		} else {
			good = !strcmp(word, "rtscts");
			m.rtscts = true;
		}
	}
	a->mode = m;
	return good ? 0 : config_refuse(why, why_size, "%s has no usable line speed; expected @BAUD, such as @115200 or @9600,7e1,rtscts", a->text);
}

/* What stands before the last @, and the mode behind it; without one it is 115200 8n1. */
static int split_mode(struct addr *a, const char *rest, char *before, size_t size, char *why, size_t why_size)
{
	const char *at = strrchr(rest, '@');
	size_t len = at ? (size_t)(at - rest) : strlen(rest);

	if (len >= size)
		return config_refuse(why, why_size, "%s is too long; expected at most %zu characters", a->text, size - 1);
	memcpy(before, rest, len);
	before[len] = 0;
	return take_mode(a, at ? at + 1 : "115200", why, why_size);
}

static int take_serial(struct addr *a, const char *rest, char *why, size_t why_size)
{
	int rc = split_mode(a, rest, a->path, sizeof a->path, why, why_size);

	if (!rc && a->path[0] != '/')
		rc = config_refuse(why, why_size, "%s names no device; expected serial:/dev/ttyUSB0@115200 (kdgate ls shows those that are here)", a->text);
	return rc;
}

static int take_rfc2217(struct addr *a, const char *rest, char *why, size_t why_size)
{
	char place[sizeof a->text];
	int rc = split_mode(a, rest, place, sizeof place, why, why_size);

	return rc ? rc : take_tcp(a, place, why, why_size);
}

/* Where to be dialled: an address of this machine. */
static int take_kdnet(struct addr *a, const char *rest, char *why, size_t why_size)
{
	int rc = take_tcp(a, rest, why, why_size);

	if (rc || is_ipv4(a->host) || is_ipv6(a->host))
		return rc;
	return config_refuse(why, why_size, "%s: the target dials us; expected an address of this machine, as in kdnet:0.0.0.0:50000", a->text);
}

/* Four hex digits, and what ends them. */
static bool take_id(const char **at, char end, uint16_t *id)
{
	char *rest;
	unsigned long value = strtoul(*at, &rest, 16);

	if (rest == *at || rest - *at > 4 || **at == '-' || **at == '+' || (end && *rest != end))
		return false;
	*at = rest + (end != 0);
	*id = (uint16_t)value;
	return true;
}

/* VID:PID[/SERIAL][:INTERFACE] */
static bool take_device(struct usb_place *p, const char *text)
{
	const char *colon;
	size_t n;

	if (!take_id(&text, ':', &p->vid) || !take_id(&text, 0, &p->pid))
		return false;
	colon = strrchr(text, ':');
	n = colon ? (size_t)(colon - text) : strlen(text);
	if (*text == '/' && n > 1 && n <= sizeof p->serial)
		memcpy(p->serial, text + 1, n - 1);
	else if (n)
		return false;
	if (colon)
		p->interface = config_number(colon + 1, 255);
	return !colon || p->interface >= 0;
}

static int take_usb(struct addr *a, const char *rest, char *why, size_t why_size)
{
	char device[sizeof a->text];
	int rc = split_mode(a, rest, device, sizeof device, why, why_size);

	if (rc)
		return rc;
	a->usb = (struct usb_place){ .debug = !strcmp(device, "debug"), .interface = -1, .mode = a->mode };
	if (a->usb.debug || take_device(&a->usb, device))
		return 0;
	return config_refuse(why, why_size, "%s names no USB device; expected usb:debug or usb:VID:PID, such as usb:1d6b:0010, "
	                     "usb:0403:6001/A50285BI:0@115200 (kdgate ls shows those that are here)", a->text);
}

/* It will stand in errors, logs and the audit. */
static int text_check(const char *text, size_t most, char *why, size_t why_size)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return config_refuse(why, why_size, "an address holds a control character; expected none");
	if (strlen(text) > most)
		return config_refuse(why, why_size, "%.40s... is too long; expected at most %zu characters", text, most);
	return *text ? 0 : config_refuse(why, why_size, "the address is empty; expected something like tcp:127.0.0.1:1234");
}

/* What an address is for. */
struct use {
	bool target;
	const char *kind, *expect;
};

static const struct use for_target = { true, "link", EXPECT_TARGET };
static const struct use for_line = { true, "link", EXPECT_LINE };
static const struct use for_listener = { false, "listening address", EXPECT_LISTEN };

static bool is_row(const struct link_row *row, const char *name, size_t n, const struct use *use)
{
	return strlen(row->name) == n && !memcmp(row->name, name, n) && (use->target ? row->target : row->listener);
}

/* text from at on is LINK:ADDRESS. */
static int take_link(struct addr *a, const char *text, size_t at, const struct use *use, char *why, size_t why_size)
{
	const char *name = text + at;
	size_t n = strcspn(name, ":");
	struct addr made = { 0 };
	const struct link_row *row = links;
	int rc;

	while (row < links + COUNT(links) && !is_row(row, name, n, use))
		row++;
	if (row == links + COUNT(links))
		return config_refuse(why, why_size, "%s: unknown kind of %s \"%.*s\"; %s", text, use->kind, (int)n, name, use->expect);
	if (!row->take)
		return config_refuse(why, why_size, "%s: this version does not have %s yet; %s", text, row->name, use->expect);
	made.kind = row->kind;
	memcpy(made.text, text, strlen(text) + 1);
	rc = row->take(&made, name[n] ? name + n + 1 : name + n, why, why_size);
	if (!rc)
		*a = made;
	return rc;
}

static const struct proto_row *find_proto(const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT(protos); i++)
		if (strlen(protos[i].name) == n && !memcmp(protos[i].name, name, n))
			return &protos[i];
	return NULL;
}

static int check_port(const struct addr *a, char *why, size_t why_size)
{
	if (!*a->port || strcmp(a->port, "0"))
		return 0;
	return config_refuse(why, why_size, "%s: nothing can be reached at port 0; expected a number from 1 to 65535", a->text);
}

int config_target_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	size_t n = strcspn(text, "+:");
	const struct proto_row *proto = find_proto(text, n);
	struct addr addr;
	int rc = text_check(text, CONFIG_ADDRESS - 1, why, why_size);

	if (rc)
		return rc;
	if (proto && !proto->built)
		return config_refuse(why, why_size, "%s: this version does not have the protocol %s yet; " EXPECT_TARGET, text, proto->name);
	if (!proto && text[n] == '+')
		return config_refuse(why, why_size, "%s: unknown protocol \"%.*s\"; " EXPECT_TARGET, text, (int)n, text);
	if (!proto || text[n] != (proto->link ? ':' : '+'))
		return config_refuse(why, why_size, "%s is not PROTOCOL+LINK:ADDRESS; " EXPECT_TARGET, text);
	rc = take_link(&addr, text, proto->link ? 0 : n + 1, &for_target, why, why_size);
	if (rc)
		return rc;
	if ((addr.kind == ADDR_KDNET) != proto->link)
		return config_refuse(why, why_size, "%s: kdnet is protocol and link; expected kdnet:ADDRESS:PORT", text);
	rc = check_port(&addr, why, why_size);
	if (rc)
		return rc;
	t->proto = proto->kind;
	t->addr = addr;
	t->addr.usb.protocol = proto->kind == PROTO_KD ? USB_DEBUG_VENDOR : USB_DEBUG_GNU;
	return 0;
}

int config_console_line_text(struct config_target *t, const char *text, char *why, size_t why_size)
{
	struct addr addr;
	int rc = text_check(text, CONFIG_ADDRESS - 1, why, why_size);

	if (!rc && find_proto(text, strcspn(text, "+:")))
		return config_refuse(why, why_size, "%s: a console speaks no protocol; " EXPECT_LINE, text);
	rc = rc ? rc : take_link(&addr, text, 0, &for_line, why, why_size);
	rc = rc ? rc : check_port(&addr, why, why_size);
	if (rc)
		return rc;
	t->console_line = addr;
	t->console_line.usb.protocol = USB_DEBUG_GNU;
	t->has_console_line = true;
	return 0;
}

int config_addr_text(struct addr *a, const char *text, char *why, size_t why_size)
{
	struct addr made;
	int rc = text_check(text, CONFIG_ADDRESS - 1, why, why_size);

	if (!rc)
		rc = take_link(&made, text, 0, &for_listener, why, why_size);
	if (rc)
		return rc;
	if (made.kind == ADDR_TCP && !strcmp(made.host, "localhost"))
		strcpy(made.host, "127.0.0.1");
	if (made.kind == ADDR_TCP && !is_ipv4(made.host) && !is_ipv6(made.host))
		return config_refuse(why, why_size, "%s: a name may mean any address; expected the address to listen at, as in tcp:127.0.0.1:1234", text);
	*a = made;
	return 0;
}
