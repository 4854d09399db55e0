/* loop.c - the only file that knows libev. Every watcher's callback is the same: a turn of its target. */
#include "proxy/loop.h"

#include "backends/link/link.h"
#include "base/clock.h"
#include "base/log.h"
#include "proxy/identity.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

enum { ACCEPT_PAUSE_MS = 1000, /* when there are no descriptors left */ ACCEPT_BURST = 64 };

#define owner_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

struct conn {
	struct conn *prev, *next;
	struct session *s;        /* or */
	struct console_reader *r; /* at the console */
	struct post *post;
	ev_io io;
};

struct door {
	struct post *post;
	size_t listener;
	ev_io io;
};

/* A target and what is watched for it. */
struct post {
	struct loop *loop;
	struct gate_target *gt;
	struct conn *conns;
	struct door doors[CONFIG_LISTENERS];
	bool stdio_left; /* its client on standard input has gone */
	ev_io io;
	ev_timer timer;
};

struct loop {
	struct ev_loop *ev;
	struct gate *gate;
	struct post *posts;
	bool failed; /* it ends because it must, not because it was told to */
	ev_io audit;
	ev_timer timer;
	ev_prepare reaper;
	ev_signal term, intr, hup;
};

/* What is waited for changes with every turn; the kernel hears of it only when it is different. */
static void watch(struct loop *lp, ev_io *io, struct wait w)
{
	int want = w.fd < 0 ? 0 : (w.read ? EV_READ : 0) | (w.write ? EV_WRITE : 0);
	int have = ev_is_active(io) ? io->events & (EV_READ | EV_WRITE) : 0;

	if (want == have && (!want || io->fd == w.fd))
		return;
	ev_io_stop(lp->ev, io);
	ev_io_set(io, w.fd, want);
	if (want)
		ev_io_start(lp->ev, io);
}

static void wake_at(struct loop *lp, ev_timer *timer, uint64_t until, uint64_t now)
{
	ev_timer_stop(lp->ev, timer);
	if (until == NEVER)
		return;
	ev_now_update(lp->ev);
	ev_timer_set(timer, until > now ? (double)(until - now) / 1000 : 0, 0);
	ev_timer_start(lp->ev, timer);
}

/* Nobody comes in any more; every target has its turn at being left. */
static void end(struct loop *lp, const char *why)
{
	if (lp->gate->closing)
		return;
	for (size_t i = 0; i < lp->gate->targets_n; i++)
		for (size_t k = 0; k < CONFIG_LISTENERS; k++)
			ev_io_stop(lp->ev, &lp->posts[i].doors[k].io);
	gate_close(lp->gate, why, clock_ms());
	ev_feed_event(lp->ev, &lp->timer, EV_TIMER);
}

static void audit_health(struct loop *lp)
{
	struct gate *g = lp->gate;
	struct wait w = wait_none();

	audit_log_wait(&g->audit, &w);
	watch(lp, &lp->audit, w);
	if (!audit_log_failed(&g->audit) || config_audit_failure(g->config) != AUDIT_FAILURE_STOP)
		return;
	lp->failed = true;
	end(lp, "the audit log cannot be written (audit_failure = stop)");
}

static void turn(struct post *p)
{
	struct loop *lp = p->loop;
	uint64_t now = clock_ms(), until = target_run(p->gt->t, now) ? now : NEVER;
	struct wait w = target_wait(p->gt->t);

	gate_record(lp->gate, now, &w);
	wait_until(&w, until);
	watch(lp, &p->io, w);
	until = w.until;
	for (struct conn *c = p->conns; c; c = c->next) {
		w = c->s ? session_wait(c->s) : console_reader_wait(&p->gt->console, c->r);
		watch(lp, &c->io, w);
		until = w.until < until ? w.until : until;
	}
	wake_at(lp, &p->timer, until, now);
	audit_health(lp);
}

static void turn_all(struct loop *lp)
{
	for (size_t i = 0; i < lp->gate->targets_n; i++)
		turn(&lp->posts[i]);
}

static void conn_free(struct conn *c)
{
	struct post *p = c->post;

	ev_io_stop(p->loop->ev, &c->io);
	p->stdio_left |= c->s && c->s->who.from_stdio;
	DL_DELETE(p->conns, c);
	if (c->s)
		gate_part(p->gt, c->s);
	else
		gate_part_console(p->gt, c->r);
	free(c);
}

/* Who reads the console does so to the last. */
static bool is_left(const struct post *p)
{
	return p->gt->t->state == TARGET_CLOSED;
}

static void reap(struct post *p)
{
	struct conn *c, *next;

	target_reap(p->gt->t);
	DL_FOREACH_SAFE(p->conns, c, next)
		if (c->s ? c->s->state == SESSION_DEAD : c->r->dead || is_left(p))
			conn_free(c);
}

static bool over(const struct loop *lp)
{
	for (size_t i = 0; i < lp->gate->targets_n; i++)
		if (lp->posts[i].conns)
			return false;
	return gate_closed(lp->gate);
}

/* Before the loop sleeps, with no callback on the stack and no watcher left on what goes. */
static void on_reap(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *lp = owner_of(w, struct loop, reaper);

	(void)revents;
	for (size_t i = 0; i < lp->gate->targets_n; i++) {
		reap(&lp->posts[i]);
		if (lp->posts[i].stdio_left)
			end(lp, "the client on standard input has left");
	}
	if (over(lp))
		ev_break(ev, EVBREAK_ALL);
}

static void on_target(struct ev_loop *ev, ev_io *w, int revents)
{
	struct post *p = owner_of(w, struct post, io);

	(void)ev, (void)revents;
	target_ready(p->gt->t);
	turn(p);
}

static void on_client(struct ev_loop *ev, ev_io *w, int revents)
{
	struct conn *c = owner_of(w, struct conn, io);

	(void)ev, (void)revents;
	link_ready(c->s ? c->s->client : c->r->link);
	turn(c->post);
}

static void on_due(struct ev_loop *ev, ev_timer *w, int revents)
{
	(void)ev, (void)revents;
	turn(owner_of(w, struct post, timer));
}

static void on_audit(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop *lp = owner_of(w, struct loop, audit);

	(void)ev, (void)revents;
	audit_log_flush(&lp->gate->audit);
	audit_health(lp);
}

static void conn_add(struct post *p, size_t listener, int fd, const struct peer *peer)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->post = p;
	if (p->gt->config->listeners[listener].console)
		c->r = gate_admit_console(p->gt, listener, fd, peer);
	else
		c->s = gate_admit(p->gt, listener, fd, peer, clock_ms());
	if (!c->s && !c->r) {
		free(c);
		return;
	}
	ev_init(&c->io, on_client);
	DL_APPEND(p->conns, c);
}

static void watch_door(struct door *d, bool on)
{
	struct loop *lp = d->post->loop;
	int fd = d->post->gt->listeners[d->listener].fd;

	watch(lp, &d->io, (struct wait){ .fd = fd, .read = on && fd >= 0 });
}

static void watch_doors(struct loop *lp, bool on)
{
	for (size_t i = 0; i < lp->gate->targets_n; i++)
		for (size_t k = 0; k < lp->posts[i].gt->config->listeners_n; k++)
			watch_door(&lp->posts[i].doors[k], on);
}

/* A listener that is ready and cannot be served would keep the loop awake. */
static void pause_accepting(struct loop *lp)
{
	uint64_t now = clock_ms();

	log_line(LOG_LEVEL_ERROR, "no file descriptors are left: no client is let in for a second (raise LimitNOFILE or ulimit -n)");
	watch_doors(lp, false);
	wake_at(lp, &lp->timer, now + ACCEPT_PAUSE_MS, now);
}

static void on_accept(struct ev_loop *ev, ev_io *w, int revents)
{
	struct door *d = owner_of(w, struct door, io);
	struct post *p = d->post;
	struct peer peer;
	int fd = 0;

	(void)ev, (void)revents;
	for (int i = 0; i < ACCEPT_BURST && fd >= 0; i++) {
		fd = listener_accept(&p->gt->listeners[d->listener], &peer);
		if (fd >= 0)
			conn_add(p, d->listener, fd, &peer);
	}
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
		pause_accepting(p->loop);
	turn(p);
}

static void on_again(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop *lp = owner_of(w, struct loop, timer);

	(void)ev, (void)revents;
	if (!lp->gate->closing)
		watch_doors(lp, true);
	turn_all(lp);
}

static void on_end(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop *lp = ev_userdata(ev);

	(void)revents;
	if (lp->gate->closing)
		ev_break(ev, EVBREAK_ALL);
	else
		end(lp, w->signum == SIGINT ? "interrupted" : "told to end");
}

/* The kernel and the shell both tell that a terminal was closed: the second is no impatience. */
static void on_hup(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop *lp = ev_userdata(ev);

	(void)w, (void)revents;
	if (lp->gate->of_terminal) {
		end(lp, "its terminal was closed");
		return;
	}
	audit_log_reopen(&lp->gate->audit);
	audit_health(lp);
}

static void mask_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

void loop_hold_signals(void)
{
	mask_signals(SIG_BLOCK);
}

static void start_signal(struct loop *lp, ev_signal *w, void (*cb)(struct ev_loop *, ev_signal *, int), int signum)
{
	ev_signal_init(w, cb, signum);
	ev_signal_start(lp->ev, w);
}

static void post_start(struct loop *lp, struct post *p, struct gate_target *gt)
{
	*p = (struct post){ .loop = lp, .gt = gt };
	ev_init(&p->io, on_target);
	ev_init(&p->timer, on_due);
	for (size_t k = 0; k < gt->config->listeners_n; k++) {
		p->doors[k] = (struct door){ .post = p, .listener = k };
		ev_init(&p->doors[k].io, on_accept);
		watch_door(&p->doors[k], true);
	}
}

static void admit_stdio(struct post *p)
{
	struct peer peer;

	for (size_t k = 0; k < p->gt->config->listeners_n; k++) {
		if (p->gt->config->listeners[k].addr.kind != ADDR_STDIO)
			continue;
		identity_of_stdio(&peer);
		conn_add(p, k, -1, &peer);
	}
}

static void start(struct loop *lp)
{
	ev_set_userdata(lp->ev, lp);
	ev_init(&lp->timer, on_again);
	ev_init(&lp->audit, on_audit);
	ev_prepare_init(&lp->reaper, on_reap);
	ev_prepare_start(lp->ev, &lp->reaper);
	start_signal(lp, &lp->term, on_end, SIGTERM);
	start_signal(lp, &lp->intr, on_end, SIGINT);
	start_signal(lp, &lp->hup, on_hup, SIGHUP);
	mask_signals(SIG_UNBLOCK);
	for (size_t i = 0; i < lp->gate->targets_n; i++)
		post_start(lp, &lp->posts[i], &lp->gate->targets[i]);
	for (size_t i = 0; i < lp->gate->targets_n; i++)
		admit_stdio(&lp->posts[i]);
	turn_all(lp);
}

int loop_serve(struct gate *g)
{
	struct loop lp = { .ev = ev_default_loop(0), .gate = g, .posts = calloc(g->targets_n, sizeof *lp.posts) };

	if (!lp.ev || !lp.posts) {
		free(lp.posts);
		return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	start(&lp);
	ev_run(lp.ev, 0);
	for (size_t i = 0; i < g->targets_n; i++)
		while (lp.posts[i].conns)
			conn_free(lp.posts[i].conns);
	ev_loop_destroy(lp.ev);
	free(lp.posts);
	return lp.failed ? -EIO : 0;
}
