/* dial.c - see dial.h. */
#include "proxy/dial.h"

#include "backends/backend.h"
#include "backends/kd/replay.h"
#include "backends/link/console.h"
#include "backends/link_replay.h"

#include <errno.h>

static int dial_tcp(struct link **lk, const struct addr *a)
{
	return link_tcp_dial(lk, a->host, a->port);
}

static int dial_unix(struct link **lk, const struct addr *a)
{
	return link_unix_dial(lk, a->path);
}

static int dial_serial(struct link **lk, const struct addr *a)
{
	return link_serial_dial(lk, a->path, &a->mode);
}

static int dial_udp(struct link **lk, const struct addr *a)
{
	return link_udp_dial(lk, a->host, a->port);
}

static int dial_usb(struct link **lk, const struct addr *a)
{
	return link_usb_dial(lk, &a->usb);
}

static int dial_telnet(struct link **lk, const struct addr *a)
{
	struct link *tcp;
	int rc = link_tcp_dial(&tcp, a->host, a->port);

	if (rc)
		return rc;
	*lk = link_telnet_new(tcp, a->kind == ADDR_RFC2217 ? &a->mode : NULL);
	if (*lk)
		return 0;
	link_destroy_stack(tcp);
	return -ENOMEM;
}

static int dial_kdnet(struct link **lk, const struct config_target *t)
{
	return t->key ? link_kdnet_open(lk, t->addr.host, t->addr.port, t->key) : -EINVAL;
}

static int dial_nothing(struct link **lk, const struct addr *a)
{
	(void)lk, (void)a;
	return -EINVAL;
}

static int dial_addr(struct link **lk, const struct addr *a)
{
	static int (*const dials[])(struct link **lk, const struct addr *a) = {
		[ADDR_TCP] = dial_tcp,       [ADDR_UNIX] = dial_unix, [ADDR_STDIO] = dial_nothing,  [ADDR_SERIAL] = dial_serial,
		[ADDR_UDP] = dial_udp,       [ADDR_TELNET] = dial_telnet, [ADDR_RFC2217] = dial_telnet, [ADDR_USB] = dial_usb,
		[ADDR_KDNET] = dial_nothing, /* needs a key, too */
		[ADDR_REPLAY] = dial_nothing, /* and that a recording */
	};

	return dials[a->kind](lk, a);
}

static int dial_replay(struct link **lk, const struct config_target *t)
{
	*lk = link_replay_new(t->replay, kd_replay_first(t->replay));
	return *lk ? 0 : -ENOMEM;
}

static int dial_target(struct link **lk, const struct config_target *t)
{
	if (t->addr.kind == ADDR_KDNET)
		return dial_kdnet(lk, t);
	return t->addr.kind == ADDR_REPLAY ? dial_replay(lk, t) : dial_addr(lk, &t->addr);
}

bool dial_is_slow(const struct config_target *t)
{
	return t->proto == PROTO_KGDB || t->addr.kind == ADDR_SERIAL || t->addr.kind == ADDR_TELNET || t->addr.kind == ADDR_RFC2217;
}

bool dial_is_unnoticed(const struct config_target *t)
{
	return t->proto == PROTO_RSP && t->addr.kind == ADDR_USB;
}

/* Takes the line, if it is 0. */
static int dial_beside(struct link **console, struct link *line, const struct config_target *t)
{
	struct link *other;
	int rc = dial_addr(&other, &t->console_line);

	if (rc < 0)
		return rc;
	*console = link_console_apart_new(line, other);
	if (*console)
		return 0;
	link_destroy_stack(other);
	return -ENOMEM;
}

/* The same. */
static int join_console(struct link **console, struct link *line, const struct config_target *t)
{
	if (t->has_console_line)
		return dial_beside(console, line, t);
	*console = link_console_new(line);
	return *console ? 0 : -ENOMEM;
}

int dial_line(struct link **stack, struct link **console, const struct config_target *t, const struct addr **at)
{
	struct link *line;
	int rc = dial_target(&line, t);

	*console = NULL;
	*at = &t->addr;
	if (rc < 0)
		return rc;
	if (t->proto == PROTO_KGDB) {
		rc = join_console(console, line, t);
		*at = t->has_console_line ? &t->console_line : *at;
	}
	if (rc < 0) {
		link_destroy_stack(line);
		return rc;
	}
	*stack = *console ? *console : line;
	if (dial_is_slow(t))
		link_prompt(*stack);
	return 0;
}

static const char no_host[] = "no address is known for that host (is the name right, does DNS answer?)";
static const char no_stub[] = "Connection refused (nothing listens there: does the target run, with its port open?)";
static const char no_server[] = "Connection refused (nothing listens there: does the terminal server run, with that port open?)";
static const char hung_up[] = "it closed the connection (does another have the line? ser2net lets in one at a time)";
static const struct {
	enum addr_kind kind;
	int rc;
	const char *words;
} lines[] = {
	{ ADDR_TCP, -ENXIO, no_host },
	{ ADDR_UDP, -ENXIO, no_host },
	{ ADDR_TELNET, -ENXIO, no_host },
	{ ADDR_RFC2217, -ENXIO, no_host },
	{ ADDR_TCP, -ECONNREFUSED, no_stub },
	{ ADDR_TELNET, -ECONNREFUSED, no_server },
	{ ADDR_RFC2217, -ECONNREFUSED, no_server },
	{ ADDR_TELNET, -EPIPE, hung_up },
	{ ADDR_RFC2217, -EPIPE, hung_up },
	{ ADDR_RFC2217, -EPROTONOSUPPORT, "it is no RFC 2217 port, or does not take that speed and mode" },
	{ ADDR_UNIX, -ENOENT, "no such socket (does the virtual machine run?)" },
	{ ADDR_UNIX, -ECONNREFUSED, "Connection refused (nothing listens there: does the virtual machine run?)" },
	{ ADDR_UNIX, -EACCES, "permission denied (this user may not connect there: run kdgate as the socket's owner)" },
	{ ADDR_UNIX, -EAGAIN, "another program has it, and others wait (another debugger, another kdgate?)" },
	{ ADDR_SERIAL, -EACCES, "permission denied (is this user in group dialout? A port that was plugged in anew needs a restart if this is root)" },
	{ ADDR_SERIAL, -EPERM, "permission denied (is this user in group dialout?)" },
	{ ADDR_SERIAL, -EBUSY, "another program has the line (minicom, screen, a getty?)" },
	{ ADDR_SERIAL, -EOPNOTSUPP, "the device cannot be set to that speed and mode" },
	{ ADDR_SERIAL, -ENOTTY, "it is no serial line" },
	{ ADDR_SERIAL, -ENOENT, "no such device (is it plugged in? kdgate ls shows what is here)" },
	{ ADDR_SERIAL, -ENODEV, "the device is unplugged" },
	{ ADDR_SERIAL, -EPIPE, "the other side of the pseudo-terminal is gone" },
	{ ADDR_USB, -EACCES, "permission denied (the udev rule scripts/70-kdgate.rules lets users in group plugdev have debug devices)" },
	{ ADDR_USB, -ENODEV, "no such device (is it plugged in? kdgate ls shows what is here)" },
	{ ADDR_USB, -EADDRNOTAVAIL, "the device has no such interface with a bulk endpoint each way" },
	{ ADDR_USB, -EBUSY, "another program has the device" },
	{ ADDR_USB, -ETIMEDOUT, "the device does not take what it is sent" },
	{ ADDR_USB, -EPROTO, "the device refuses transfer after transfer" },
	{ ADDR_KDNET, -EADDRINUSE, "the UDP port is taken (by WinDbg, another kdgate, or a target of ours whose address covers this one?)" },
	{ ADDR_KDNET, -EADDRNOTAVAIL, "that address is none of this machine (0.0.0.0 is all of them)" },
	{ ADDR_KDNET, -EACCES, "permission denied (ports below 1024 are root's; KDNET's are 50000 and on)" },
	{ ADDR_KDNET, -EEXIST, "another target of ours has that port and that key" },
};

const char *dial_words(const struct addr *at, int rc)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (lines[i].kind == at->kind && lines[i].rc == rc)
			return lines[i].words;
	return NULL;
}

struct backend *dial_backend(struct link *stack, struct link *console, const struct config_target *t)
{
	switch (t->proto) {
	case PROTO_KGDB:
		return backend_kgdb_new(stack, console, *t->break_in ? t->break_in : NULL);
	case PROTO_KD:
		return t->addr.kind == ADDR_KDNET ? backend_kdnet_new(stack) : backend_kd_new(stack);
	case PROTO_RSP:
		break;
	}
	return backend_rsp_new(stack);
}
