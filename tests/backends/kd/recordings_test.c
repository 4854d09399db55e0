/* recordings_test.c - what a real kernel said over KDCOM: all of it parses, and each reply answers the request before it and no other. */
#include "backends/kd/api.h"
#include "backends/kd/frame.h"
#include "backends/kd/io.h"
#include "backends/kd/le.h"
#include "backends/kd/state.h"
#include "backends/kd/version.h"
#include "base/hex.h"
#include "tests/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What went by. asked: the request that is out. */
static struct seen {
	struct kd_framer from[2];
	struct kd_request asked;
	unsigned replies, exceptions, loads, prints, prompts, versions, unknown, notices;
	struct kd_prints noticed;
} seen;

static struct kd_cpu cpu_of(struct span p)
{
	return (struct kd_cpu){ KD_AMD64, (uint16_t)le_get(p, 6, 2) };
}

/* The request that these bytes are. */
static struct kd_request request_of(struct span p)
{
	struct span data = span_from(p, KD_HEADER);
	struct kd_cpu cpu = cpu_of(p);
	uint64_t addr = le_get(p, 16, 8);
	size_t count = (size_t)le_get(p, 24, 4);

	switch (le_get(p, 0, 4)) {
	case KD_READ_VIRTUAL:
		return kd_read_virtual(cpu, addr, count);
	case KD_WRITE_VIRTUAL:
		return kd_write_virtual(cpu, addr, data);
	case KD_READ_PHYSICAL:
		return kd_read_physical(cpu, addr, count, KD_CACHING_DEFAULT);
	case KD_READ_CONTROL_SPACE:
		return kd_read_control(cpu, addr, count);
	case KD_READ_IO_SPACE:
		return kd_read_io(cpu, addr, (unsigned)count);
	case KD_READ_MSR:
		return kd_read_msr(cpu, (uint32_t)addr);
	case KD_WRITE_BREAKPOINT:
		return kd_write_breakpoint(cpu, addr);
	case KD_RESTORE_BREAKPOINT:
		return kd_restore_breakpoint(cpu, (uint32_t)addr);
	case KD_SEARCH_MEMORY:
		return kd_search_memory(cpu, addr, count, data);
	case KD_QUERY_MEMORY:
		return kd_query_memory(cpu, addr);
	case KD_GET_CONTEXT_EX:
		return kd_get_context_ex(cpu, (uint32_t)addr, addr >> 32);
	default:
		return (struct kd_request){ .api = (enum kd_api)le_get(p, 0, 4), .cpu = cpu, .data = data };
	}
}

static void on_version(struct span block)
{
	struct kd_version v;

	assert_int_equal(kd_version_parse(block, &v), 0);
	assert_int_equal(v.minor, 3790);
	assert_int_equal(v.machine, KD_AMD64);
	assert_int_equal(v.kern_base, 0xfffff80000400000);
	seen.versions++;
}

static void on_reply(struct span p)
{
	struct kd_request other = kd_read_msr(cpu_of(p), 0x12345);
	struct kd_reply r;
	int rc = kd_reply_parse(p, &seen.asked, &r);

	if (!kd_api_info(seen.asked.api)) {
		assert_int_equal(rc, -EBADMSG);
		seen.unknown++;
		return;
	}
	if (rc)
		fail_msg("%s: %d", kd_api_info(seen.asked.api)->name, rc);
	assert_int_equal(kd_reply_parse(p, &other, &r), -EBADMSG);
	assert_int_equal(kd_reply_parse(p, &seen.asked, &r), 0);
	seen.replies++;
	if (r.version.len)
		on_version(r.version);
}

static void on_state(struct span p)
{
	struct kd_state s;

	assert_int_equal(kd_state_parse(p, KD_AMD64, &s), 0);
	assert_true(s.kind == KD_EXCEPTION || s.kind == KD_LOAD_SYMBOLS);
	assert_true(s.report.have && s.processors == 1);
	assert_true(s.kind != KD_EXCEPTION || kd_exception_name(s.exception.code));
	assert_true(s.kind != KD_LOAD_SYMBOLS || s.load.path.len || s.load.everything);
	seen.exceptions += s.kind == KD_EXCEPTION;
	seen.loads += s.kind == KD_LOAD_SYMBOLS;
}

static void on_io(struct span p)
{
	struct kd_io io;

	assert_int_equal(kd_io_parse(p, &io), 0);
	assert_int_equal(p.len - io.text.len, 16);
	seen.prints += !io.prompt;
	seen.prompts += io.prompt;
	seen.notices |= kd_prints_feed(&seen.noticed, io.text);
}

static void on_packet(bool from_target, const struct kd_packet *p)
{
	size_t n = p->payload.len;
	struct span in = { guard_copy(p->payload.p, n), n };

	if (p->control)
		return;
	if (!from_target && p->type == KD_TYPE_MANIPULATE)
		seen.asked = request_of(in);
	else if (from_target && p->type == KD_TYPE_MANIPULATE)
		on_reply(in);
	else if (p->type == KD_TYPE_STATE_CHANGE64)
		on_state(in);
	else if (from_target && p->type == KD_TYPE_DEBUG_IO)
		on_io(in);
}

static void on_chunk(bool from_target, struct span bytes)
{
	struct cursor c = cursor_of(bytes);
	struct kd_packet p;

	while (!cursor_done(&c))
		if (kd_framer_next(&seen.from[from_target], &c, &p) == KD_FRAME_PACKET)
			on_packet(from_target, &p);
}

static void replay(const char *name)
{
	static char line[65536], hex[65536];
	char command[128], who;
	FILE *f;

	snprintf(command, sizeof command, "gzip -dc ../shared/captures/%s.tagged.gz", name);
	if (access(command + 9, R_OK) < 0) {
		print_message("skipped: there is no %s\n", command + 9);
		skip();
	}
	seen = (struct seen){ .replies = 0 };
	assert_true(kd_framer_init(&seen.from[0]) == 0 && kd_framer_init(&seen.from[1]) == 0);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) && sscanf(line, "%*s %c %65535s", &who, hex) == 2) {
		long n = hex_decode_in_place((uint8_t *)hex, strlen(hex));

		assert_true(n > 0);
		on_chunk(who == 'T', (struct span){ (const uint8_t *)hex, (size_t)n });
	}
	assert_int_equal(pclose(f), 0);
	kd_framer_fini(&seen.from[0]);
	kd_framer_fini(&seen.from[1]);
}

static void shortest(void **state)
{
	(void)state;
	replay("kdcom-short");
	assert_true(seen.replies >= 1 && seen.versions >= 1 && seen.exceptions >= 1);
}

/* Boot with every kind of request: 18 modules (KD as ReactOS speaks it, 10), one API that there is not. */
static void every_request(void **state)
{
	(void)state;
	replay("kdcom-idle2");
	assert_true(seen.replies >= 90 && seen.exceptions >= 5 && seen.loads >= 18 && seen.prints > 50);
	assert_int_equal(seen.unknown, 1);
}

static void breakpoints(void **state)
{
	(void)state;
	replay("kdcom-bp-step");
	assert_true(seen.replies >= 7 && seen.exceptions >= 6);
}

static void events(void **state)
{
	(void)state;
	replay("kdcom-events");
	assert_true(seen.prompts > 0 && seen.exceptions > 2);
}

static void bugcheck(void **state)
{
	(void)state;
	replay("kdcom-bugcheck");
	assert_int_equal(seen.notices, KD_NOTICE_BUGCHECK | KD_NOTICE_PARAMETERS);
	assert_int_equal(seen.noticed.code, 0xc000021a);
	assert_int_equal(seen.noticed.params[1], 0xffffffffc0000034);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shortest),
		cmocka_unit_test(every_request),
		cmocka_unit_test(breakpoints),
		cmocka_unit_test(events),
		cmocka_unit_test(bugcheck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
