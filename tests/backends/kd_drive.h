/* kd_drive.h - the KD backend with a peer at the other end of its line, and a clock: what its tests say and hear. */
#ifndef TESTS_BACKENDS_KD_DRIVE_H
#define TESTS_BACKENDS_KD_DRIVE_H

#include "backends/backend.h"
#include "filters/guard.h"
#include "rsp/features.h"
#include "rsp/tdesc.h"
#include "tests/backends/kd_peer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DRIVE_STEP = 4096, DRIVE_TEXT = 32768 };

static struct kd_peer peer;
static struct backend *be;
static struct backend_news news;
static uint64_t now;
static char said[DRIVE_TEXT];    /* what it printed, since it was looked at */
static size_t said_n;

static inline void drive_plug(size_t step)
{
	struct link *near = link_pair_new(&peer.link, step);

	assert_non_null(near);
	be = backend_kd_new(near);
	assert_non_null(be);
}

static inline int begin(void **state)
{
	(void)state;
	now = 1000;
	said_n = 0;
	said[0] = 0;
	assert_int_equal(kd_peer_init(&peer), 0);
	drive_plug(DRIVE_STEP);
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	be->ops->destroy(be);
	kd_peer_fini(&peer);
	return 0;
}

static inline void drive_hear(void)
{
	size_t n = news.reply.bytes.len < sizeof said - 1 - said_n ? news.reply.bytes.len : sizeof said - 1 - said_n;

	memcpy(said + said_n, news.reply.bytes.p, n);
	said_n += n;
	said[said_n] = 0;
}

/* Until something is to be told but text, or nothing moves. */
static inline int next(void)
{
	int rc = 0, idle = 0, rounds = 0;

	while (idle < 3) {
		bool moved = kd_peer_step(&peer, now);

		assert_true(++rounds < 50000);
		rc = be->ops->poll(be, &news, now);
		if (rc == BACKEND_PRINT)
			drive_hear();
		if (rc < 0 || rc == BACKEND_REPLY || rc == BACKEND_PART || rc == BACKEND_RUNS || rc == BACKEND_STOPPED)
			break;
		idle = rc == BACKEND_NONE && !moved ? idle + 1 : 0;
	}
	(void)!kd_peer_step(&peer, now);
	return rc;
}

static inline uint64_t due(void)
{
	struct wait w = wait_none();

	be->ops->wait(be, &w);
	assert_true(w.read);
	return w.until;
}

/* The same, and the clock goes on; but not for longer than that. */
static inline int within(uint64_t ms)
{
	uint64_t end_at = now + ms;

	for (;;) {
		uint64_t until, theirs;
		int rc = next();

		until = due();
		theirs = kd_peer_due(&peer);
		until = until < theirs ? until : theirs;
		if (rc != BACKEND_NONE)
			return rc;
		if (until >= end_at) {
			now = end_at;
			return next();
		}
		now = until > now ? until : now + 1;
	}
}

/* which: whose debugger asks for a document, 'g' or 'l'; 0: nobody's. */
static inline int submit_for(const char *packet, char which)
{
	static struct rsp_cmd cmd;
	static uint8_t room[DRIVE_TEXT + 1];
	size_t n = strlen(packet);
	int rc;

	assert_true(n < sizeof room);
	memcpy(room, packet, n);
	assert_int_equal(rsp_cmd_parse(room, n, &cmd), 0);
	cmd.which = which ? which : cmd.which;
	rc = be->ops->submit(be, &cmd);
	memset(room, 0xee, sizeof room); /* the client may be gone */
	return rc;
}

static inline int submit(const char *packet)
{
	return submit_for(packet, 0);
}

/* What the target was asked since the last look, but for the empty entries of its table. */
static inline const char *asked(void)
{
	static char text[PEER_LOG];

	memcpy(text, peer.log, sizeof text);
	peer.log[0] = 0;
	return text;
}

static inline const char *printed(void)
{
	static char text[DRIVE_TEXT];

	memcpy(text, said, sizeof text);
	said_n = 0;
	said[0] = 0;
	return text;
}

static inline void replies(const char *packet)
{
	assert_int_equal(submit(packet), 0);
	assert_int_equal(next(), BACKEND_REPLY);
}

static inline void says_ok(const char *packet)
{
	replies(packet);
	assert_int_equal(news.reply.kind, RSP_REPLY_OK);
}

static inline void refuses(const char *packet, const char *words)
{
	replies(packet);
	assert_int_equal(news.reply.kind, RSP_REPLY_ERROR);
	assert_true(span_starts(news.reply.bytes, words));
}

static inline void stops(int signal, enum rsp_stop_why why, unsigned cpu)
{
	assert_int_equal(next(), BACKEND_STOPPED);
	assert_int_equal(news.stop.code, signal);
	assert_int_equal(news.stop.why, why);
	assert_int_equal(news.stop.thread.tid, cpu + 1);
}

/* From a kernel that runs: it is broken into. */
static inline void meets(void)
{
	assert_int_equal(within(10000), BACKEND_STOPPED);
	(void)asked();
}

static inline void runs(const char *packet)
{
	assert_int_equal(submit(packet), 0);
	assert_int_equal(next(), BACKEND_RUNS);
}

static inline uint64_t pc_of(unsigned cpu)
{
	return kd_peer_get(peer.cpu[cpu].context + 0xf8, 8) - PEER_BASE;
}

static inline const char *incident(void)
{
	static char text[GUARD_WORDS + 32];
	struct guard_incident in;

	if (!guard_next(be->ops->guard(be), &in, now))
		return "nothing";
	snprintf(text, sizeof text, "%s: %s", guard_what_name(in.what), in.words);
	return text;
}

static inline void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in \"%s\"", part, text);
}

#endif
