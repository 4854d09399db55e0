/* backend_kd_fault_test.c - a short session with a KD target, and one frame of it lost, repeated, damaged, late, cut or amid noise: for
 * every frame of both ways. It goes on and ends as if nothing had happened. */
#include "tests/backends/kd_drive.h"

enum { SECONDS = 40, SITE = PEER_PATH + 8 };

static const char *const faults[PEER_FAULTS] = { "whole", "lost", "twice", "damaged", "late", "cut", "noise" };
static const char *const ways[PEER_WAYS] = { "to the host", "to the target" };
static const char *missed; /* the first thing that was not as it should be */

static bool is(bool good, const char *what)
{
	if (!good && !missed)
		missed = what;
	return good;
}

#define must(what) is(what, #what)

/* The next event; text does not count. */
static int event(void)
{
	int rc = missed ? -1 : within((uint64_t)SECONDS * 1000);

	return rc;
}

static bool ask(const char *packet)
{
	return !missed && submit(packet) == 0 && event() == BACKEND_REPLY && news.reply.kind != RSP_REPLY_ERROR;
}

static bool go(const char *packet, int signal, uint64_t pc)
{
	return !missed && submit(packet) == 0 && event() == BACKEND_RUNS && event() == BACKEND_STOPPED && news.stop.code == signal && pc_of(0) == pc;
}

static void reads_and_writes(void)
{
	must(ask("g"));
	must(ask("mfffff80000000800,20") && news.reply.bytes.len == 0x20 && !memcmp(news.reply.bytes.p, peer.mem + 0x800, 0x20));
	must(ask("Mfffff80000000900,4:01020304"));
	must(ask("P10=0030000000f8ffff") && pc_of(0) == PEER_PATH);
	must(ask("p10;thread:2;"));
}

static void runs_and_stops(void)
{
	must(ask("Z0,fffff80000003008,1"));
	must(go("vCont;c", 5, SITE) && news.stop.why == RSP_WHY_SWBREAK);
	must(ask("z0,fffff80000003008,1"));
	must(go("vCont;s:1", 5, SITE + 1) && news.stop.why == RSP_WHY_NONE);
	must(ask("Z0,fffff80000003008,1"));
	must(ask("z0,fffff80000003008,1"));
	must(!missed && submit("vCont;c") == 0 && event() == BACKEND_RUNS);
	if (!missed)
		be->ops->interrupt(be);
	must(event() == BACKEND_STOPPED && news.stop.code == 2 && pc_of(0) == PEER_BREAK_PC);
}

static void is_left(void)
{
	if (missed)
		return;
	be->ops->leave(be);
	must(event() == -ESHUTDOWN);
	for (int i = 0; i < 8; i++)
		(void)!kd_peer_step(&peer, now += PEER_AGAIN_MS);
	must(peer.running);
	must(peer.mem[SITE] == 0x90);
	must(!memcmp(peer.mem + 0x900, "\1\2\3\4", 4));
}

static void a_session(void)
{
	reads_and_writes();
	runs_and_stops();
}

/* What a kernel does by itself, and what takes several requests for one command. */
static void another_session(void)
{
	peer.executes = false;
	must(ask("Z2,fffff80000001000,8"));
	must(!missed && submit("vCont;c") == 0 && event() == BACKEND_RUNS);
	kd_peer_print(&peer, "hello\n");
	kd_peer_prompt(&peer, "(boipt)? ", 2);
	must(event() == BACKEND_NONE && !peer.waits && strstr(said, "hello\n") && !strstr(strstr(said, "hello\n") + 1, "hello\n"));
	kd_peer_file(&peer, 'a');
	must(event() == BACKEND_NONE && !peer.waits);
	kd_peer_load(&peer, "a.sys", PEER_BASE + 0x9000, false);
	must(event() == BACKEND_STOPPED && news.stop.why == RSP_WHY_LIBRARY);
	must(ask("qXfer:libraries:read::0,4000"));
	must(!missed && submit("vCont;c") == 0 && event() == BACKEND_RUNS);
	kd_peer_set(peer.cpu[1].special + 0x40, 8, 1);
	kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x920);
	must(event() == BACKEND_STOPPED && news.stop.why == RSP_WHY_WATCH && news.stop.thread.tid == 2);
	must(ask("z2,fffff80000001000,8"));
	must(!missed && submit("vCont;s:1") == 0 && event() == BACKEND_RUNS);
	kd_peer_stop(&peer, 0, 0x80000004U, PEER_BASE + PEER_PATH + 1);
	must(event() == BACKEND_STOPPED && news.stop.thread.tid == 1 && kd_peer_get(peer.cpu[1].special + 0x40, 8) == 0);
	must(ask("Mfffff80000000900,4:01020304"));
}

static void (*const sessions[])(void) = { a_session, another_session };
enum { SESSIONS = sizeof sessions / sizeof *sessions };

/* How many frames went each way; the fault may be behind them all. */
static void session(void (*plays)(void), enum peer_fault fault, enum peer_way way, unsigned number, bool runs_at_first, unsigned frames[PEER_WAYS])
{
	now = 1000;
	said_n = 0;
	missed = NULL;
	assert_int_equal(kd_peer_init(&peer), 0);
	peer.executes = true;
	peer.fault = fault;
	peer.way = way;
	peer.number = number;
	drive_plug(DRIVE_STEP);
	if (!runs_at_first)
		kd_peer_trap(&peer, 0, PEER_BREAK_PC);
	must(event() == BACKEND_STOPPED);
	plays();
	is_left();
	memcpy(frames, peer.frames, sizeof peer.frames);
	be->ops->destroy(be);
	kd_peer_fini(&peer);
}

static void one_fault(void (*plays)(void), enum peer_fault fault, enum peer_way way, bool runs_at_first)
{
	unsigned frames[PEER_WAYS], whole[PEER_WAYS], bad = 0;

	session(plays, PEER_WHOLE, way, 0, runs_at_first, whole);
	if (missed)
		fail_msg("without a fault: not so: %s", missed);
	for (unsigned i = 1; i <= whole[way]; i++) {
		session(plays, fault, way, i, runs_at_first, frames);
		if (missed)
			print_message("frame %u of %u %s %s: not so after %llu ms: %s\n", i, whole[way], ways[way], faults[fault], (unsigned long long)now, missed);
		bad += missed != NULL;
	}
	assert_int_equal(bad, 0);
}

static void every_fault(enum peer_fault fault)
{
	for (int i = 0; i < PEER_WAYS * SESSIONS; i++) {
		one_fault(sessions[i / PEER_WAYS], fault, (enum peer_way)(i % PEER_WAYS), true);
		one_fault(sessions[i / PEER_WAYS], fault, (enum peer_way)(i % PEER_WAYS), false);
	}
}

static void lost(void **state)
{
	(void)state;
	every_fault(PEER_LOST);
}

static void twice(void **state)
{
	(void)state;
	every_fault(PEER_TWICE);
}

static void damaged(void **state)
{
	(void)state;
	every_fault(PEER_DAMAGED);
}

static void late(void **state)
{
	(void)state;
	every_fault(PEER_LATE);
}

static void cut(void **state)
{
	(void)state;
	every_fault(PEER_CUT);
}

static void noise(void **state)
{
	(void)state;
	every_fault(PEER_NOISE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost), cmocka_unit_test(twice), cmocka_unit_test(damaged), cmocka_unit_test(late), cmocka_unit_test(cut),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("backend_kd_fault", tests, NULL, NULL);
}
