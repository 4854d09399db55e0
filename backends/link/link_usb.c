/* link_usb.c - a USB device's pair of bulk endpoints as a stream, by libusb's asynchronous transfers. See usb.h.
 *
 * libusb is given the one device that usb_find.c found, and looks for none itself. Its descriptors are kept in one epoll descriptor.
 * A transfer that is done is marked by its callback, and dealt with in the next receive. */
#include "backends/link/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <libusb-1.0/libusb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A transfer from the device is of one packet: a device that ends on a full packet, and sends no empty one behind it, would be waited for in
 * a longer one. So many that what answers a long read is under way at once. */
enum { INS = 16, OUTS = 2, OUT_SIZE = 4096, ERRORS_MAX = 40, REST_MS = 25, OUT_MS = 5000, CONTROL_MS = 1000, BREAK_MS = 250, CLOSE_MS = 100, CLOSE_TURNS = 20 };

struct slot {
	struct libusb_transfer *transfer;
	uint8_t *bytes;
	bool flying, done;
};

struct link_usb {
	struct link base; /* first: a struct link * of this kind is a struct link_usb * */
	libusb_context *context;
	libusb_device_handle *handle;
	int fd, epoll;
	struct usb_choice choice;
	struct serial_mode mode;
	bool claimed, control_claimed;
	struct slot in[INS], out[OUTS];
	unsigned head;        /* of in: what comes next */
	unsigned oldest;      /* of out: .outs of them are in use, sent in this order */
	unsigned outs;
	unsigned errors;      /* in a row */
	uint64_t rest_until;  /* nothing is taken up: when a plug is pulled, transfers fail before the kernel knows of it. NEVER: no rest */
	bool ready;
	int dead;             /* the -errno it ended with */
	uint64_t out_by;      /* a send must be done by then; NEVER: none is out */
	uint64_t break_until; /* NEVER: no BREAK lasts */
};

static int end(struct link_usb *u, int error)
{
	static const struct {
		int error;
		const char *words;
	} rows[] = { { -EPROTO, "the device refuses transfer after transfer" }, { -ETIMEDOUT, "the device does not take what it is sent" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].error == error)
			u->base.why = rows[i].words;
	u->dead = error;
	return error;
}

static int errno_of(int rc)
{
	static const struct {
		int usb, error;
	} rows[] = {
		{ LIBUSB_ERROR_ACCESS, -EACCES }, { LIBUSB_ERROR_NO_DEVICE, -ENODEV }, { LIBUSB_ERROR_NOT_FOUND, -ENODEV },
		{ LIBUSB_ERROR_BUSY, -EBUSY },    { LIBUSB_ERROR_NO_MEM, -ENOMEM },    { LIBUSB_ERROR_TIMEOUT, -ETIMEDOUT },
		{ LIBUSB_ERROR_PIPE, -EPROTO },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].usb == rc)
			return rows[i].error;
	return rc < 0 ? -EIO : rc;
}

static void LIBUSB_CALL on_done(struct libusb_transfer *t)
{
	struct slot *s = t->user_data;

	s->flying = false;
	s->done = true;
}

static int submit(struct slot *s)
{
	int rc = errno_of(libusb_submit_transfer(s->transfer));

	s->done = false;
	s->flying = rc == 0;
	return rc;
}

static void handle_events(struct link_usb *u)
{
	struct timeval none = { 0 };

	if (u->ready)
		(void)libusb_handle_events_timeout_completed(u->context, &none, NULL);
	u->ready = false;
}

/* What has befallen one may have befallen others, which were under way with it: that is one failure. */
static void settle_alike(struct link_usb *u, const struct slot *s)
{
	enum libusb_transfer_status status = s->transfer->status;

	u->ready = true;
	handle_events(u);
	for (unsigned i = 0; i < INS && s->transfer->endpoint == u->choice.in; i++)
		if (u->in[i].done && u->in[i].transfer->status == status)
			u->in[i].transfer->status = LIBUSB_TRANSFER_COMPLETED;
}

static bool is_gone(const struct slot *s)
{
	return s->transfer->status == LIBUSB_TRANSFER_NO_DEVICE || s->transfer->status == LIBUSB_TRANSFER_CANCELLED;
}

/* A transfer that failed: 0 it may be tried again; -errno. */
static int judge(struct link_usb *u, const struct slot *s, uint64_t now)
{
	bool halted = s->transfer->status == LIBUSB_TRANSFER_STALL;

	if (is_gone(s))
		return end(u, -ENODEV);
	settle_alike(u, s);
	if (halted && libusb_clear_halt(u->handle, s->transfer->endpoint) == LIBUSB_ERROR_NO_DEVICE)
		return end(u, -ENODEV);
	u->base.dropped++;
	u->rest_until = halted ? NEVER : now + REST_MS;
	return ++u->errors > ERRORS_MAX ? end(u, -EPROTO) : 0;
}

/* FTDI puts two bytes of status in front of each packet. */
static int take_bytes(struct link_usb *u, const struct slot *s, struct buf *in)
{
	enum { STATUS = 2 };
	struct span got = { s->bytes, (size_t)s->transfer->actual_length };

	return buf_put_span(in, u->choice.kind == USB_FTDI ? span_from(got, STATUS) : got);
}

/* 1 it was looked at; 0 nothing has come; -errno. */
static int take_next(struct link_usb *u, struct buf *in, uint64_t now)
{
	struct slot *s = &u->in[u->head];
	bool good = s->done && s->transfer->status == LIBUSB_TRANSFER_COMPLETED;
	int rc;

	if (!s->done)
		return s->flying ? 0 : end(u, -ENODEV);
	rc = good ? take_bytes(u, s, in) : judge(u, s, now);
	if (good && s->transfer->actual_length)
		u->errors = 0;
	if (rc == 0)
		rc = submit(s);
	u->head = (u->head + 1) % INS;
	return rc < 0 ? end(u, rc) : 1;
}

static struct slot *out_at(struct link_usb *u, unsigned i)
{
	return &u->out[(u->oldest + i) % OUTS];
}

static bool out_flying(const struct link_usb *u)
{
	bool any = false;

	for (unsigned i = 0; i < OUTS; i++)
		any |= u->out[i].flying;
	return any;
}

/* What was sent behind one that failed would overtake it. Whether any of it is still under way. */
static bool call_back(struct link_usb *u)
{
	for (unsigned i = 0; i < OUTS; i++)
		if (u->out[i].flying)
			(void)libusb_cancel_transfer(u->out[i].transfer);
	return out_flying(u);
}

/* What of it has not gone goes again. */
static int resend(struct slot *s)
{
	int sent = s->transfer->actual_length;

	memmove(s->bytes, s->bytes + sent, (size_t)(s->transfer->length - sent));
	s->transfer->length -= sent;
	return submit(s);
}

static int retry(struct link_usb *u, uint64_t now)
{
	int rc = judge(u, out_at(u, 0), now);

	for (unsigned i = 0; i < u->outs && rc == 0; i++)
		if (out_at(u, i)->transfer->status != LIBUSB_TRANSFER_COMPLETED)
			rc = resend(out_at(u, i));
	return rc < 0 ? end(u, rc) : 0;
}

/* The oldest that is out is done: 1 it has gone; 0 not yet; -errno. */
static int settle_oldest(struct link_usb *u, uint64_t now)
{
	struct slot *s = out_at(u, 0);

	if (s->transfer->status != LIBUSB_TRANSFER_COMPLETED)
		return !is_gone(s) && call_back(u) ? 0 : retry(u, now);
	s->done = false;
	u->oldest = (u->oldest + 1) % OUTS;
	u->outs--;
	return 1;
}

static int settle_out(struct link_usb *u, uint64_t now)
{
	int rc = 1;

	u->ready |= now >= u->out_by;
	handle_events(u);
	while (rc > 0 && u->outs && u->rest_until == NEVER && out_at(u, 0)->done)
		rc = settle_oldest(u, now);
	if (rc < 0)
		return rc;
	if (!u->outs)
		u->out_by = NEVER;
	return now >= u->out_by ? end(u, -ETIMEDOUT) : 0;
}

/* A transfer that fills its last packet is ended by an empty one: else the far end waits for more. */
static int send_some(struct link_usb *u, struct slot *s, struct buf *frame, uint64_t now)
{
	size_t n = frame->len < OUT_SIZE ? frame->len : OUT_SIZE;
	int rc;

	memcpy(s->bytes, buf_data(frame), n);
	s->transfer->length = (int)n;
	s->transfer->flags = n % u->choice.out_packet == 0 ? LIBUSB_TRANSFER_ADD_ZERO_PACKET : 0;
	rc = submit(s);
	if (rc < 0)
		return end(u, rc);
	u->outs++;
	u->out_by = now + OUT_MS;
	return buf_pull(frame, n);
}

static int usb_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_usb *u = (struct link_usb *)lk;
	int rc = u->dead ? u->dead : settle_out(u, now);

	while (rc == 0 && frame->len && u->break_until == NEVER && u->rest_until == NEVER && u->outs < OUTS)
		rc = send_some(u, out_at(u, u->outs), frame, now);
	return rc == 0 && frame->len ? -EAGAIN : rc;
}

static int control(struct link_usb *u, uint8_t type, uint8_t request, unsigned value, unsigned index, uint8_t *data, size_t n)
{
	int rc = libusb_control_transfer(u->handle, type, request, (uint16_t)value, (uint16_t)index, data, (uint16_t)n, CONTROL_MS);

	return rc < 0 ? errno_of(rc) : 0;
}

static void end_break(struct link_usb *u, uint64_t now);

static int usb_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_usb *u = (struct link_usb *)lk;
	int rc = u->dead;

	buf_reset(in, 0);
	if (rc)
		return rc;
	handle_events(u);
	end_break(u, now);
	if (now >= u->rest_until)
		u->rest_until = NEVER;
	rc = settle_out(u, now);
	for (unsigned i = 0; i < INS && rc >= 0 && u->rest_until == NEVER && buf_room(in) >= u->choice.in_packet; i++) {
		rc = take_next(u, in, now);
		if (rc == 0)
			break;
	}
	return rc < 0 && in->len == 0 ? rc : in->len > 0;
}

/* --- adapters */

enum { OUT_CLASS = 0x21, OUT_VENDOR = 0x40 };

static int acm_set(struct link_usb *u)
{
	enum { LINE_CODING = 0x20, CONTROL_STATE = 0x22, DTR_RTS = 3, BYTES = 7 };
	const struct serial_mode *m = &u->mode;
	uint8_t coding[BYTES] = { (uint8_t)m->baud, (uint8_t)(m->baud >> 8), (uint8_t)(m->baud >> 16), (uint8_t)(m->baud >> 24),
		                  m->stops == 2 ? 2 : 0, m->parity == 'o' ? 1 : m->parity == 'e' ? 2 : 0, m->bits };
	int rc = control(u, OUT_CLASS, LINE_CODING, 0, u->choice.control, coding, sizeof coding);

	return rc ? rc : control(u, OUT_CLASS, CONTROL_STATE, DTR_RTS, u->choice.control, NULL, 0);
}

static int acm_break(struct link_usb *u, bool on)
{
	enum { SEND_BREAK = 0x23, FOR_EVER = 0xffff };

	return control(u, OUT_CLASS, SEND_BREAK, on ? FOR_EVER : 0, u->choice.control, NULL, 0);
}

enum { FTDI_RESET = 0, FTDI_MODEM = 1, FTDI_FLOW = 2, FTDI_BAUD = 3, FTDI_DATA = 4 };

static unsigned ftdi_port(const struct link_usb *u)
{
	return u->choice.interface + 1U;
}

/* AM, BM and R have one port, and the last bit of the divisor where others have the number of the port. */
static unsigned ftdi_baud_index(struct link_usb *u, unsigned bit)
{
	struct libusb_device_descriptor d = { 0 };
	bool old;

	(void)libusb_get_device_descriptor(libusb_get_device(u->handle), &d);
	old = d.bcdDevice == 0x0200 || d.bcdDevice == 0x0400 || d.bcdDevice == 0x0600;
	return old ? bit : bit << 8 | ftdi_port(u);
}

/* 3 MHz by an integer and eighths, whose code is not their number. Below two there are but 1 and 1.5, with numbers of their own. */
static int ftdi_baud(struct link_usb *u)
{
	enum { DIVISOR_MAX = 0x3fff };
	static const uint8_t codes[] = { 0, 3, 2, 4, 1, 5, 6, 7 };
	unsigned eighths = (24000000U + u->mode.baud / 2) / u->mode.baud, code = codes[eighths & 7];
	unsigned divisor = eighths >> 3;

	if (divisor > DIVISOR_MAX)
		return -EOPNOTSUPP;
	if (eighths < 16) {
		divisor = eighths > 8;
		code = 0;
	}
	return control(u, OUT_VENDOR, FTDI_BAUD, divisor | (code & 3) << 14, ftdi_baud_index(u, code >> 2), NULL, 0);
}

static int ftdi_data(struct link_usb *u, bool breaks)
{
	const struct serial_mode *m = &u->mode;
	unsigned parity = m->parity == 'o' ? 1 : m->parity == 'e' ? 2 : 0;

	return control(u, OUT_VENDOR, FTDI_DATA, m->bits | parity << 8 | (m->stops == 2 ? 2U : 0U) << 11 | (unsigned)breaks << 14, ftdi_port(u), NULL, 0);
}

static int ftdi_set(struct link_usb *u)
{
	enum { DTR_RTS = 0x0303, RTS_CTS = 0x0100 };
	int rc = control(u, OUT_VENDOR, FTDI_RESET, 0, ftdi_port(u), NULL, 0);

	rc = rc ? rc : ftdi_baud(u);
	rc = rc ? rc : ftdi_data(u, false);
	rc = rc ? rc : control(u, OUT_VENDOR, FTDI_FLOW, 0, (u->mode.rtscts ? RTS_CTS : 0) | ftdi_port(u), NULL, 0);
	return rc ? rc : control(u, OUT_VENDOR, FTDI_MODEM, DTR_RTS, ftdi_port(u), NULL, 0);
}

static const struct {
	int (*set)(struct link_usb *u);
	int (*brk)(struct link_usb *u, bool on);
} adapters[] = {
	[USB_PLAIN] = { NULL, NULL }, [USB_ACM] = { acm_set, acm_break }, [USB_FTDI] = { ftdi_set, ftdi_data },
};

static void end_break(struct link_usb *u, uint64_t now)
{
	if (now < u->break_until)
		return;
	u->break_until = NEVER;
	if (adapters[u->choice.kind].brk(u, false) < 0)
		u->base.why = "the adapter did not end the BREAK";
}

static int usb_attention(struct link *lk, uint64_t now)
{
	struct link_usb *u = (struct link_usb *)lk;
	int rc;

	if (u->dead)
		return u->dead;
	if (!adapters[u->choice.kind].brk)
		return -EOPNOTSUPP;
	if (u->break_until != NEVER)
		return -EAGAIN;
	rc = adapters[u->choice.kind].brk(u, true);
	if (rc == 0)
		u->break_until = now + BREAK_MS;
	return rc == -EPROTO ? -EOPNOTSUPP : rc;
}

static void usb_ready(struct link *lk)
{
	((struct link_usb *)lk)->ready = true;
}

/* A control transfer, and who looks into a failure, hears of others that are done; nothing tells of those again, nor of an end that
 * came behind bytes. */
static bool anything_done(const struct link_usb *u)
{
	return u->in[u->head].done || (u->outs && !out_flying(u));
}

static void usb_wait(const struct link *lk, struct wait *w)
{
	const struct link_usb *u = (const struct link_usb *)lk;

	w->fd = u->epoll;
	w->read = true; /* what was sent is told there as well */
	wait_until(w, u->out_by);
	wait_until(w, u->break_until);
	wait_until(w, u->rest_until);
	if (u->dead || (u->rest_until == NEVER && anything_done(u)))
		wait_until(w, 0);
}

/* --- opening and closing */

static bool any_flying(const struct link_usb *u)
{
	bool any = out_flying(u);

	for (unsigned i = 0; i < INS; i++)
		any |= u->in[i].flying;
	return any;
}

static void cancel_all(struct link_usb *u)
{
	struct timeval soon = { .tv_usec = CLOSE_MS * 1000 };

	for (unsigned i = 0; i < INS + OUTS; i++) {
		struct slot *s = i < INS ? &u->in[i] : &u->out[i - INS];

		if (s->flying)
			(void)libusb_cancel_transfer(s->transfer);
	}
	for (unsigned i = 0; i < CLOSE_TURNS && any_flying(u); i++)
		(void)libusb_handle_events_timeout_completed(u->context, &soon, NULL);
}

static void free_slot(struct slot *s)
{
	if (s->transfer)
		libusb_free_transfer(s->transfer);
	free(s->bytes);
}

static void close_handle(struct link_usb *u)
{
	cancel_all(u);
	if (u->claimed)
		(void)libusb_release_interface(u->handle, u->choice.interface);
	if (u->control_claimed)
		(void)libusb_release_interface(u->handle, u->choice.control);
	libusb_close(u->handle);
}

/* A transfer that would not be cancelled keeps its memory, for it may be written to yet. */
static void usb_destroy(struct link *lk)
{
	struct link_usb *u = (struct link_usb *)lk;

	if (u->handle)
		close_handle(u);
	if (u->fd >= 0)
		close(u->fd);
	if (any_flying(u))
		return;
	for (unsigned i = 0; i < INS; i++)
		free_slot(&u->in[i]);
	for (unsigned i = 0; i < OUTS; i++)
		free_slot(&u->out[i]);
	if (u->context)
		libusb_exit(u->context);
	if (u->epoll >= 0)
		close(u->epoll);
	free(u);
}

static const struct link_ops usb_ops = {
	.name = "usb", .send = usb_send, .recv = usb_recv, .attention = usb_attention, .ready = usb_ready, .wait = usb_wait,
	.destroy = usb_destroy,
};

static void LIBUSB_CALL watch(int fd, short events, void *arg)
{
	struct link_usb *u = arg;
	struct epoll_event e = { .events = (events & POLLIN ? EPOLLIN : 0U) | (events & POLLOUT ? EPOLLOUT : 0U), .data.fd = fd };

	if (epoll_ctl(u->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		(void)epoll_ctl(u->epoll, EPOLL_CTL_MOD, fd, &e);
}

static void LIBUSB_CALL unwatch(int fd, void *arg)
{
	(void)epoll_ctl(((struct link_usb *)arg)->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int open_context(struct link_usb *u)
{
	const struct libusb_pollfd **fds;

	u->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (u->epoll < 0)
		return -errno;
	(void)libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
	if (libusb_init(&u->context) < 0) {
		u->context = NULL;
		return -EIO;
	}
	fds = libusb_get_pollfds(u->context);
	for (size_t i = 0; fds && fds[i]; i++)
		watch(fds[i]->fd, fds[i]->events, u);
	libusb_free_pollfds(fds);
	libusb_set_pollfd_notifiers(u->context, watch, unwatch, u);
	return 0;
}

static int open_device(struct link_usb *u, const struct usb_found *f)
{
	char path[64];
	int rc;

	snprintf(path, sizeof path, "/dev/bus/usb/%03u/%03u", f->bus, f->number);
	u->fd = open(path, O_RDWR | O_CLOEXEC);
	if (u->fd < 0)
		return errno == ENOENT ? -ENODEV : errno == EPERM ? -EACCES : -errno;
	rc = libusb_wrap_sys_device(u->context, u->fd, &u->handle);
	if (rc < 0)
		u->handle = NULL;
	return errno_of(rc);
}

static int claim(struct link_usb *u)
{
	int rc;

	(void)libusb_set_auto_detach_kernel_driver(u->handle, 1);
	rc = errno_of(libusb_claim_interface(u->handle, u->choice.interface));
	u->claimed = rc == 0;
	if (rc == 0 && u->choice.control != u->choice.interface) {
		rc = errno_of(libusb_claim_interface(u->handle, u->choice.control));
		u->control_claimed = rc == 0;
	}
	if (rc == 0 && u->choice.alternate)
		rc = errno_of(libusb_set_interface_alt_setting(u->handle, u->choice.interface, u->choice.alternate));
	return rc;
}

static int make_slot(struct link_usb *u, struct slot *s, uint8_t endpoint, int size)
{
	s->transfer = libusb_alloc_transfer(0);
	s->bytes = malloc((size_t)size);
	if (!s->transfer || !s->bytes)
		return -ENOMEM;
	libusb_fill_bulk_transfer(s->transfer, u->handle, endpoint, s->bytes, size, on_done, s, 0);
	return 0;
}

static int start(struct link_usb *u)
{
	int rc = 0;

	for (unsigned i = 0; i < OUTS && rc == 0; i++)
		rc = make_slot(u, &u->out[i], u->choice.out, OUT_SIZE);
	for (unsigned i = 0; i < INS && rc == 0; i++)
		rc = make_slot(u, &u->in[i], u->choice.in, u->choice.in_packet);
	for (unsigned i = 0; i < INS && rc == 0; i++)
		rc = submit(&u->in[i]);
	return rc;
}

static int set_adapter(struct link_usb *u)
{
	return adapters[u->choice.kind].set ? adapters[u->choice.kind].set(u) : 0;
}

int link_usb_dial(struct link **lk, const struct usb_place *place)
{
	struct usb_found found;
	struct link_usb *u;
	int rc = usb_find("/sys", place, &found);

	*lk = NULL;
	if (rc < 0)
		return rc;
	u = calloc(1, sizeof *u);
	if (!u)
		return -ENOMEM;
	*u = (struct link_usb){ .base = { .ops = &usb_ops }, .fd = -1, .epoll = -1, .choice = found.choice, .mode = place->mode,
	                        .ready = true, .out_by = NEVER, .break_until = NEVER, .rest_until = NEVER };
	rc = open_context(u);
	rc = rc ? rc : open_device(u, &found);
	rc = rc ? rc : claim(u);
	rc = rc ? rc : set_adapter(u);
	rc = rc ? rc : start(u);
	if (rc < 0)
		usb_destroy(&u->base);
	else
		*lk = &u->base;
	return rc < 0 ? rc : 0;
}
