/* gate.c - see gate.h. */
#include "proxy/gate.h"

#include "backends/link/link.h"
#include "backends/link/recording.h"
#include "base/clock.h"
#include "base/log.h"
#include "proxy/dial.h"
#include "proxy/identity.h"
#include "proxy/latch_page.h"
#include "proxy/learned.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct link *traced(struct link *lk, bool trace)
{
	struct link *top = trace ? link_trace_new(lk, stderr) : lk;

	return top ? top : lk;
}

/* NULL: no memory, and lk is as it was. A conversation that was to be recorded is not had without. */
static struct link *watched(struct gate *g, struct link *lk, enum recording_side side, uint64_t number)
{
	struct link *top = g->recording ? link_record_new(lk, g->recording, side, number) : lk;

	return top ? traced(top, g->config->trace) : NULL;
}

static const char *words_of(const struct addr *at, int rc)
{
	const char *words = dial_words(at, rc);

	return words ? words : strerror(-rc);
}

/* The way to a target. */
static int dial(void *arg, struct backend **be)
{
	struct gate_target *gt = arg;
	const struct addr *at;
	struct link *lk, *top, *console;
	int rc = dial_line(&lk, &console, gt->config, &at);

	*gt->dial_words = 0;
	if (rc < 0 && at == &gt->config->console_line)
		snprintf(gt->dial_words, sizeof gt->dial_words, "the console's line %s: %s", at->text, words_of(at, rc));
	if (rc < 0)
		return rc;
	top = watched(gt->gate, lk, RECORDING_TARGET, ++gt->gate->calls);
	*be = top ? dial_backend(top, console, gt->config) : NULL;
	if (*be)
		return 0;
	link_destroy_stack(top ? top : lk);
	return -ENOMEM;
}

static const char *words_of_dial(const void *arg, int rc)
{
	const struct gate_target *gt = arg;

	return *gt->dial_words ? gt->dial_words : dial_words(&gt->config->addr, rc);
}

static void target_setup(struct gate *g, struct gate_target *gt)
{
	target_init(gt->t, &(struct target_setup){
		.name = gt->config->name,
		.address = gt->config->addr.text,
		.console_line = gt->config->has_console_line ? gt->config->console_line.text : NULL,
		.dial = dial,
		.words = words_of_dial,
		.arg = gt,
		.run_on_disconnect = gt->config->on_disconnect == ON_DISCONNECT_RUN,
		.max_clients = gt->config->max_clients,
		.no_cache = !gt->config->cache,
		.slow_line = dial_is_slow(gt->config),
		.unnoticed = dial_is_unnoticed(gt->config),
		.audit = &g->audit,
		.sandbox = g->sandbox,
		.console = gt->config->proto != PROTO_RSP ? &gt->console : NULL,
		.console_to_debugger = gt->config->console_to_debugger,
	});
}

static int open_listeners(struct gate_target *gt, char *why, size_t why_size)
{
	for (size_t i = 0; i < gt->config->listeners_n; i++) {
		const struct config_listener *l = &gt->config->listeners[i];
		int rc = l->addr.kind == ADDR_STDIO ? 0 : listener_open(&gt->listeners[i], l, why, why_size);

		if (rc < 0)
			return rc;
		log_line(LOG_LEVEL_NOTICE, "%s: listening on %s, policy %s", gt->config->name, l->addr.text,
		         gt->gate->config->policies[l->policy].name);
	}
	return 0;
}

static int target_open(struct gate *g, struct gate_target *gt, const struct config_target *c, char *why, size_t why_size)
{
	*gt = (struct gate_target){ .gate = g, .config = c, .t = malloc(sizeof *gt->t) };
	for (size_t i = 0; i < CONFIG_LISTENERS; i++)
		gt->listeners[i].fd = -1;
	if (!gt->t) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	target_setup(g, gt);
	if (c->proto != PROTO_RSP && console_init(&gt->console, c->console_log, why, why_size) < 0)
		return -EIO;
	return open_listeners(gt, why, why_size);
}

/* Before the first target, and before anybody can connect. */
static int set_latch(struct gate *g, char *why, size_t why_size)
{
	g->latch = latch_page(g->config->secure);
	if (g->latch)
		return 0;
	snprintf(why, why_size, "the page that keeps secure mode cannot be had from this kernel (memory, ulimit -v)");
	return -ENOMEM;
}

static void audit_start(struct gate *g)
{
	static const char words[] = "secure mode is on, until kdgate ends";

	audit_log_write(&g->audit, &(struct audit_event){ .what = AUDIT_START });
	if (!g->latch->secure)
		return;
	audit_log_write(&g->audit, &(struct audit_event){ .what = AUDIT_LATCH, .text = words });
	log_line(LOG_LEVEL_NOTICE, "%s", words);
}

static int open_recording(struct gate *g, char *why, size_t why_size)
{
	int rc;

	if (!*g->config->record)
		return 0;
	rc = recording_open(&g->recording, g->config->record, clock_skew(), why, why_size);
	if (!rc)
		log_line(LOG_LEVEL_NOTICE, "recording every conversation in %s", g->config->record);
	return rc;
}

void gate_record(struct gate *g, uint64_t now, struct wait *w)
{
	int error;

	if (!g->recording)
		return;
	recording_flush(g->recording, now);
	recording_wait(g->recording, w);
	error = recording_error(g->recording);
	if (error && !g->recording_told)
		log_line(LOG_LEVEL_ERROR, "recording %s: %s: it ends here, and sessions go on without", g->config->record, strerror(error));
	g->recording_told = error;
}

static void close_recording(struct gate *g)
{
	struct wait w = wait_none();

	gate_record(g, NEVER, &w);
	recording_close(g->recording);
}

/* What is learned allows nothing yet: each client's policy is what it is. */
static int open_learned(struct gate *g, char *why, size_t why_size)
{
	int rc;

	if (!*g->config->learn)
		return 0;
	g->learn = learn_new();
	if (!g->learn) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	rc = learned_open(&g->learn_to, g->config->learn, why, why_size);
	if (!rc)
		log_line(LOG_LEVEL_NOTICE, "learning: what is used goes to %s as a policy when kdgate ends; the policy in effect is the listener's",
		         g->config->learn);
	return rc;
}

static int close_learned(struct gate *g)
{
	int rc = g->learn_to ? learned_write(g->learn, g->learn_to) : 0;

	if (rc < 0)
		log_line(LOG_LEVEL_ERROR, "%s: the policy that was learned cannot be written: %s", g->config->learn, strerror(-rc));
	else if (g->learn_to)
		log_line(LOG_LEVEL_NOTICE, "the policy that was learned is in %s", g->config->learn);
	learned_close(g->learn_to);
	learn_destroy(g->learn);
	return rc;
}

int gate_init(struct gate *g, const struct config *c, char *why, size_t why_size)
{
	int rc;

	*g = (struct gate){ .config = c, .targets = calloc(c->targets_n, sizeof *g->targets) };
	rc = audit_log_open(&g->audit, c->audit, why, why_size);
	rc = rc ? rc : set_latch(g, why, why_size);
	for (size_t i = 0; !rc && i < c->targets_n; i++) {
		g->targets_n = i + 1;
		rc = target_open(g, &g->targets[i], &c->targets[i], why, why_size);
	}
	rc = rc ? rc : open_learned(g, why, why_size);
	rc = rc ? rc : open_recording(g, why, why_size); /* last: the file is not to be there after a start that failed */
	if (rc)
		gate_fini(g);
	else
		audit_start(g);
	return rc;
}

int gate_fini(struct gate *g)
{
	int rc;

	for (size_t i = 0; i < g->targets_n; i++) {
		struct gate_target *gt = &g->targets[i];

		for (size_t k = 0; k < CONFIG_LISTENERS; k++)
			listener_close(&gt->listeners[k]);
		if (gt->t)
			target_fini(gt->t);
		free(gt->t);
		console_fini(&gt->console);
	}
	free(g->targets);
	close_recording(g);
	rc = close_learned(g);
	audit_log_close(&g->audit);
	*g = (struct gate){ 0 };
	return rc;
}

static void turned_away(struct gate_target *gt, const struct peer *peer, const char *why)
{
	char who[SESSION_PEER];

	peer_show(peer, who, sizeof who);
	log_line(LOG_LEVEL_NOTICE, "%s: %s is turned away: %s", gt->config->name, who, why);
	audit_log_write(&gt->gate->audit,
	                &(struct audit_event){ .what = AUDIT_REFUSE, .target = gt->config->name, .who = who, .text = why });
}

static void let_in(struct gate_target *gt, const struct session *s, const char *by)
{
	log_line(LOG_LEVEL_INFO, "%s: client %llu is %s, policy %s, by %s; it %s", gt->config->name, (unsigned long long)s->who.id,
	         s->who.peer, s->who.policy->name, by, s->role == SESSION_CONTROLLER ? "controls" : "observes");
	session_audit(s, (struct audit_event){ .what = AUDIT_CONNECT, .text = by });
}

/* The session takes the link, and the link the fd; until then each is ours to undo. */
static struct session *start(struct gate_target *gt, int fd, const struct session_who *who, uint64_t now)
{
	struct link *client = fd < 0 ? link_stdio_new(STDIN_FILENO, STDOUT_FILENO) : link_sock_new(fd);
	struct link *top = client ? watched(gt->gate, client, RECORDING_CLIENT, who->id) : NULL;
	struct session *s = top ? malloc(sizeof *s) : NULL;

	if (!client && fd >= 0)
		close(fd);
	if (s && session_init(s, who, top, now) == 0)
		return s;
	free(s);
	link_destroy_stack(top ? top : client);
	return NULL;
}

static struct session *seat(struct gate_target *gt, int fd, const struct peer *peer, const struct session_who *who, uint64_t now)
{
	struct session *s = start(gt, fd, who, now);

	if (!s) {
		turned_away(gt, peer, "out of memory");
		return NULL;
	}
	if (target_join(gt->t, s) < 0) {
		turned_away(gt, peer, "the target has as many clients as it may (max_clients)");
		session_fini(s);
		free(s);
		return NULL;
	}
	return s;
}

struct session *gate_admit(struct gate_target *gt, size_t listener, int fd, const struct peer *peer, uint64_t now)
{
	struct gate *g = gt->gate;
	const struct config_listener *l = &gt->config->listeners[listener];
	const struct allow_entry *by = allow_find(&l->allow, peer);
	struct session_who who = { .id = g->last_id + 1, .target = gt->config->name, .audit = &g->audit, .latch = g->latch, .learn = g->learn,
	                           .from_stdio = fd < 0 };
	struct session *s;

	if (!by || g->sessions >= GATE_SESSIONS) {
		turned_away(gt, peer, by ? "too many clients" : "the listener's allowlist does not have them");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	who.policy = &g->config->policies[by->policy < 0 ? l->policy : by->policy];
	peer_show(peer, who.peer, sizeof who.peer);
	s = seat(gt, fd, peer, &who, now);
	if (!s)
		return NULL;
	g->last_id++;
	g->sessions++;
	let_in(gt, s, by->text);
	return s;
}

struct console_reader *gate_admit_console(struct gate_target *gt, size_t listener, int fd, const struct peer *peer)
{
	struct gate *g = gt->gate;
	const struct config_listener *l = &gt->config->listeners[listener];
	const struct allow_entry *by = allow_find(&l->allow, peer);
	struct session_who who = { .id = ++g->last_id, .target = gt->config->name, .audit = &g->audit, .latch = g->latch };
	struct console_reader *r = NULL;
	struct link *link = NULL;

	peer_show(peer, who.peer, sizeof who.peer);
	if (by)
		who.policy = &g->config->policies[by->policy < 0 ? l->policy : by->policy];
	if (by && policy_grants(who.policy, RSP_EFF_QUERY))
		link = link_sock_new(fd);
	if (link)
		r = console_reader_new(&who, link, policy_grants(who.policy, RSP_EFF_CONSOLE));
	if (!r || console_join(&gt->console, r) < 0) {
		turned_away(gt, peer, !by ? "the console's allowlist does not have them" : !link ? "policy grants no query" : "too many at the console");
		if (r)
			console_reader_free(r);
		else if (link)
			link_destroy_stack(link);
		else
			close(fd);
		return NULL;
	}
	log_line(LOG_LEVEL_INFO, "%s: client %llu is %s, at the console, policy %s; it %s", gt->config->name, (unsigned long long)who.id, who.peer,
	         who.policy->name, r->may_type ? "may type" : "only reads");
	audit_log_write(&g->audit, &(struct audit_event){ .what = AUDIT_CONNECT, .target = who.target, .client = who.id, .who = who.peer,
	                                                  .policy = who.policy->name, .text = "console" });
	return r;
}

void gate_part_console(struct gate_target *gt, struct console_reader *r)
{
	const char *why = r->why ? r->why : "kdgate ends";

	console_part(&gt->console, r);
	log_line(LOG_LEVEL_INFO, "%s: client %llu (%s) leaves the console: %s", gt->config->name, (unsigned long long)r->who.id, r->who.peer, why);
	audit_log_write(&gt->gate->audit, &(struct audit_event){ .what = AUDIT_LEAVE, .target = r->who.target, .client = r->who.id, .who = r->who.peer,
	                                                         .policy = r->who.policy->name, .text = why });
	console_reader_free(r);
}

void gate_part(struct gate_target *gt, struct session *s)
{
	const char *why = s->why ? s->why : "kdgate ends";

	log_line(LOG_LEVEL_INFO, "%s: client %llu (%s) leaves: %s; %lu packets, %lu denied", gt->config->name,
	         (unsigned long long)s->who.id, s->who.peer, why, s->packets, s->denied);
	session_audit(s, (struct audit_event){ .what = AUDIT_LEAVE, .text = why });
	target_part(gt->t, s);
	session_fini(s);
	free(s);
	gt->gate->sessions--;
}

void gate_close(struct gate *g, const char *why, uint64_t now)
{
	if (g->closing)
		return;
	g->closing = true;
	log_line(LOG_LEVEL_NOTICE, "ending: %s", why);
	audit_log_write(&g->audit, &(struct audit_event){ .what = AUDIT_END, .text = why });
	for (size_t i = 0; i < g->targets_n; i++) {
		for (size_t k = 0; k < CONFIG_LISTENERS; k++)
			listener_close(&g->targets[i].listeners[k]);
		target_close(g->targets[i].t, now);
	}
}

bool gate_closed(const struct gate *g)
{
	for (size_t i = 0; i < g->targets_n; i++)
		if (g->targets[i].t->state != TARGET_CLOSED)
			return false;
	return g->closing;
}
