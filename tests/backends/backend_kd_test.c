/* backend_kd_test.c - the KD backend alone with a kernel in memory: how it is met and left, each command, what goes over the line when,
 * which stops are for a client. */
#include "filters/guard_doc.h"
#include "tests/backends/kd_drive.h"

static void given_up(uint64_t ms, int error, const char *why)
{
	assert_int_equal(within(ms), error);
	has(be->ops->why(be), why);
}

/* ---- met ---- */

static void meets_one_that_runs(void **state)
{
	const struct backend_info *info;

	(void)state;
	assert_int_equal(within(10000), BACKEND_STOPPED);
	info = be->ops->info(be);
	assert_true(info->was_running);
	assert_string_equal(info->tdesc->arch, "i386:x86-64");
	assert_true(info->can & RSP_CAN_LIBRARIES);
	assert_int_equal(news.stop.code, 5);
	assert_string_equal(asked(), "^ version gc0");
	assert_int_equal(next(), BACKEND_NONE);
	assert_int_equal(due(), NEVER);
}

static void plugs_again(size_t step)
{
	be->ops->destroy(be);
	link_destroy_stack(peer.link);
	drive_plug(step);
}

static void meets_one_that_stands(void **state)
{
	(void)state;
	kd_peer_trap(&peer, 1, 0x40);
	peer.queued = 0; /* a dead debugger has acknowledged it */
	peer.sent = false;
	plugs_again(DRIVE_STEP);
	stops(5, RSP_WHY_NONE, 1);
	assert_false(be->ops->info(be)->was_running);
	assert_string_equal(asked(), "RESET version gc1");
}

/* Nobody has acknowledged it: it comes by itself. */
static void meets_one_that_says_so(void **state)
{
	(void)state;
	kd_peer_trap(&peer, 0, 0x40);
	assert_int_equal(within(3000), BACKEND_STOPPED);
	assert_false(be->ops->info(be)->was_running);
}

static void silence(void **state)
{
	(void)state;
	peer.silent = true;
	assert_int_equal(within(5000), BACKEND_NONE);
	given_up(20000, -EPROTO, "nothing that is KD came");
}

static void deaf(void **state)
{
	(void)state;
	peer.deaf = true;
	kd_peer_print(&peer, "hello\n");
	given_up(20000, -EPROTO, "does not stop");
	assert_string_equal(printed(), "hello\n");
}

static void no_version(void **state)
{
	(void)state;
	peer.refuse = 0x3146;
	given_up(10000, -EPROTO, "does not tell its version");
}

static void no_answer_to_version(void **state)
{
	(void)state;
	peer.mute = true;
	given_up(60000, -ETIMEDOUT, "does not answer any more");
}

static void an_unknown_machine(void **state)
{
	(void)state;
	peer.machine = 0x200;
	given_up(10000, -EPROTO, "processor is one that kdgate does not know");
}

static void busy_until_met(void **state)
{
	(void)state;
	assert_int_equal(submit("g"), -EBUSY);
	meets();
	assert_int_equal(submit("vFile:open:2f,0,0"), -EOPNOTSUPP);
	assert_int_equal(submit("g"), 0);
	assert_int_equal(submit("g"), -EBUSY);
}

/* ---- registers ---- */

static void registers(void **state)
{
	(void)state;
	meets();
	replies("g");
	assert_int_equal(news.reply.kind, RSP_REPLY_REGS);
	assert_memory_equal(news.reply.bytes.p, "78797a7b7c7d7e7f", 16); /* rax */
	assert_string_equal(asked(), "rs0");
	replies("g");
	assert_string_equal(asked(), ""); /* known, as long as it stands */
	replies("p10;thread:2;");
	assert_memory_equal(news.reply.bytes.p, "0130000000f8ffff", 16);
	assert_string_equal(asked(), "gc1");
	refuses("p10;thread:9;", "there is no such register");
	refuses("g;thread:9;", "there is no such processor");
	refuses("pffff", "there is no such register");
}

static void registers_that_are_refused(void **state)
{
	(void)state;
	meets();
	peer.refuse = 0x3137;
	replies("g");
	has(asked(), "no3137");
	assert_non_null(memchr(news.reply.bytes.p, 'x', news.reply.bytes.len)); /* special ones are unavailable */
	replies("g");
	assert_string_equal(asked(), "");
	peer.refuse = 0x3132;
	refuses("g;thread:2;", "the target did not tell that processor's registers");
}

static void writes_a_register(void **state)
{
	(void)state;
	meets();
	says_ok("P10=4000000000f8ffff");
	assert_int_equal(pc_of(0), 0x40);
	assert_string_equal(asked(), "sc0");
	says_ok("P0=1111111111111111;thread:2;");
	assert_string_equal(asked(), "gc1 sc1");
	assert_int_equal(kd_peer_get(peer.cpu[1].context + 0x78, 8), 0x1111111111111111ULL);
	peer.refuse = 0x3133;
	refuses("P0=2222222222222222", "the target refused the registers");
	peer.refuse = 0;
	replies("p0");
	assert_memory_equal(news.reply.bytes.p, "78797a7b7c7d7e7f", 16); /* asked for again: it has not changed */
	refuses("P0=22", "the register does not hold that value");
}

static void writes_all_registers(void **state)
{
	(void)state;
	meets();
	says_ok("G2222222222222222"); /* fewer than there are */
	assert_string_equal(asked(), "rs0 sc0");
	assert_int_equal(kd_peer_get(peer.cpu[0].context + 0x78, 8), 0x2222222222222222ULL);
}

/* ---- memory ---- */

static void reads(void **state)
{
	const char *at = "mfffff80000000800,10";

	(void)state;
	meets();
	replies(at);
	assert_int_equal(news.reply.bytes.len, 16);
	assert_memory_equal(news.reply.bytes.p, peer.mem + 0x800, 16);
	assert_string_equal(asked(), "r800+10");
	replies("mfffff80000000000,2800"); /* more than a packet holds */
	assert_int_equal(news.reply.bytes.len, 0x2800);
	assert_memory_equal(news.reply.bytes.p, peer.mem, 0x2800);
	assert_string_equal(asked(), "r0+f68 rf68+f68 r1ed0+930");
	replies("mfffff80000000800,0");
	assert_int_equal(news.reply.bytes.len, 0);
	assert_string_equal(asked(), "");
}

static void reads_up_to_a_hole(void **state)
{
	(void)state;
	meets();
	peer.hole[1] = true;
	replies("mfffff80000000ff0,20");
	assert_int_equal(news.reply.bytes.len, 16);
	assert_memory_equal(news.reply.bytes.p, peer.mem + 0xff0, 16);
	refuses("mfffff80000001ff0,20", "the target cannot read there");
	refuses("mfffff80000001800,1", "the target cannot read there");
}

static void short_packets(void **state)
{
	(void)state;
	meets();
	peer.read_max = 1096;
	replies("mfffff80000000000,1000");
	assert_int_equal(news.reply.bytes.len, 0x1000);
	assert_memory_equal(news.reply.bytes.p, peer.mem, 0x1000);
}

static void a_read_is_cut(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("mfffff80000000000,4000"), 0);
	assert_int_equal(be->ops->poll(be, &news, now), BACKEND_MOVED);
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_REPLY);
	assert_int_equal(news.reply.bytes.len, 0xf68);
	assert_string_equal(asked(), "r0+f68");
	replies("mfffff80000000000,4000"); /* goes on where it was */
	assert_int_equal(news.reply.bytes.len, 0x4000);
	assert_memory_equal(news.reply.bytes.p, peer.mem, 0x4000);
	assert_string_equal(asked(), "rf68+f68 r1ed0+f68 r2e38+f68 r3da0+260");
	assert_int_equal(within(3000), BACKEND_NONE); /* and nobody breaks in for it */
	assert_string_equal(asked(), "");
}

static void writes(void **state)
{
	(void)state;
	meets();
	says_ok("Mfffff80000000ffe,4:01020304");
	assert_memory_equal(peer.mem + 0xffe, "\1\2\3\4", 4);
	assert_string_equal(asked(), "wffe+2 w1000+2");
	peer.hole[2] = true;
	refuses("Mfffff80000001ffe,4:01020304", "the target wrote only a part of that");
	refuses("Mfffff80000002000,1:01", "the target cannot write there");
	says_ok("Mfffff80000002000,0:");
	replies("mfffff80000000ffe,4");
	assert_memory_equal(news.reply.bytes.p, "\1\2\3\4", 4);
	says_ok("Mfffff80000000ffe,1:01");
	replies("mfffff80000000ffe,0"); /* nothing, whatever was read there before */
	assert_int_equal(news.reply.bytes.len, 0);
}

/* ---- breakpoints ---- */

static void breakpoints_are_lazy(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	assert_string_equal(asked(), "r800+1 +800"); /* at once: to hear if it cannot be */
	assert_int_equal(peer.mem[0x800], 0xcc);
	says_ok("z0,fffff80000000800,1");
	says_ok("Z0,fffff80000000800,1");
	says_ok("z0,fffff80000000800,1");
	says_ok("Z0,fffff80000000800,1");
	assert_string_equal(asked(), "");
	runs("vCont;c");
	has(asked(), "sc0 go"); /* past the hard-coded trap of the break-in */
	kd_peer_trap(&peer, 1, 0x800);
	stops(5, RSP_WHY_SWBREAK, 1);
	assert_string_equal(asked(), "gc1");
	says_ok("z0,fffff80000000800,1");
	runs("vCont;s:2");
	assert_string_equal(asked(), "step"); /* the report took it out */
	kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x801);
	stops(5, RSP_WHY_NONE, 1);
	(void)asked();
	says_ok("Z0,fffff80000000800,1");
	says_ok("Z0,fffff80000000900,1");
	assert_string_equal(asked(), "r800+1 +800 r900+1 +900");
	says_ok("z0,fffff80000000900,1");
	assert_int_equal(peer.mem[0x900], 0xcc);
	runs("vCont;c");
	assert_string_equal(asked(), "-900 go");
	assert_int_equal(peer.mem[0x900], (uint8_t)(0x900 * 7));
}

/* What the report deleted goes in again before it runs. */
static void deleted_by_the_report(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	says_ok("Z0,fffff80000000808,1");
	says_ok("Z0,fffff80000000810,1");
	says_ok("Z0,fffff800000007ff,1");
	runs("vCont;c");
	kd_peer_trap(&peer, 0, 0x800);
	stops(5, RSP_WHY_SWBREAK, 0);
	assert_int_equal(peer.mem[0x808], (uint8_t)(0x808 * 7));
	(void)asked();
	says_ok("z0,fffff80000000800,1");
	runs("vCont;c");
	assert_string_equal(asked(), "+808 go");
}

static void reads_hide_breakpoints(void **state)
{
	(void)state;
	peer.shows = true;
	meets();
	says_ok("Z0,fffff80000000800,1");
	replies("mfffff800000007fe,4");
	assert_memory_equal(news.reply.bytes.p, "\xf2\xf9\x00\x07", 4);
	assert_int_equal(peer.mem[0x800], 0xcc);
}

/* It is taken out first, and is there again when the target runs, over the new byte. */
static void a_write_over_a_breakpoint(void **state)
{
	(void)state;
	peer.shows = true;
	meets();
	says_ok("Z0,fffff80000000800,1");
	(void)asked();
	says_ok("Mfffff800000007ff,2:4142");
	assert_string_equal(asked(), "-800 w7ff+2");
	replies("mfffff800000007ff,2");
	assert_memory_equal(news.reply.bytes.p, "AB", 2);
	runs("vCont;c");
	has(asked(), "+800 go");
	assert_int_equal(peer.mem[0x800], 0xcc);
	kd_peer_trap(&peer, 0, 0x900);
	stops(5, RSP_WHY_NONE, 0);
	replies("mfffff800000007ff,2");
	assert_memory_equal(news.reply.bytes.p, "AB", 2);
	says_ok("z0,fffff80000000800,1");
	runs("vCont;c");
	assert_int_equal(peer.mem[0x800], 'B');
}

static void where_none_can_be(void **state)
{
	(void)state;
	meets();
	peer.hole[2] = true;
	refuses("Z0,fffff80000002800,1", "there is no memory at that address");
	peer.refuse = 0x3134;
	refuses("Z0,fffff80000000800,1", "the target refused the breakpoint");
	peer.refuse = 0;
	says_ok("Z0,fffff80000000800,1"); /* and nothing is left of that */
}

/* An instruction of arm64 has four bytes, whatever number of them a client names: elsewhere a trap would write over two. */
static void none_within_an_instruction(void **state)
{
	(void)state;
	peer.machine = 0xaa64;
	meets();
	(void)asked();
	refuses("Z0,fffff80000000ffd,1", "an instruction begins at a multiple of 4");
	refuses("Z0,fffff80000000802,4", "an instruction begins at a multiple of 4");
	assert_string_equal(asked(), "");
}

static void full(const char *verb, unsigned n)
{
	char text[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%s0,fffff8000000%04x,1", verb, 0x800 + 32 * i);
		says_ok(text);
	}
}

static void the_table_is_full(void **state)
{
	(void)state;
	meets();
	full("Z", 32);
	refuses("Z0,fffff80000002c00,1", "the target has room for 32 breakpoints");
	says_ok("z0,fffff80000000800,1");
	says_ok("Z0,fffff80000002c00,1"); /* what is not wanted any more makes room */
	assert_int_equal(peer.mem[0x800], 0);
	assert_int_equal(peer.mem[0x2c00], 0xcc);
	refuses("Z0,fffff80000000800,1", "the target has room for 32 breakpoints");
}

/* In one stop, more of them than are ever in it at a time. */
static void many_in_one_stop(void **state)
{
	char text[64];

	(void)state;
	meets();
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "Z0,fffff8000000%04x,1", 0x800 + 16 * i);
		says_ok(text);
		text[0] = 'z';
		says_ok(text);
	}
	runs("vCont;c");
	for (unsigned i = 0; i < PEER_TABLE; i++)
		assert_false(peer.table[i].used);
}

/* Before the first breakpoint of ours, and once. */
static void a_dead_debuggers_breakpoints(void **state)
{
	(void)state;
	peer.table[4].used = true;
	peer.table[4].addr = PEER_BASE + 0x800;
	peer.table[4].saved = 0x77;
	peer.mem[0x800] = 0xcc;
	meets();
	says_ok("Z0,fffff80000000800,1");
	assert_string_equal(asked(), "-800 r800+1 +800");
	runs("vCont;c");
	has_not(asked(), "-");
}

/* What was read before they went is no byte of the kernel's: kept for one, it would be stepped over as a trap of its own. */
static void a_dead_debuggers_breakpoint_that_was_seen(void **state)
{
	(void)state;
	peer.shows = true;
	peer.table[4].used = true;
	peer.table[4].addr = PEER_BASE + 0x800;
	peer.table[4].saved = 0x77;
	peer.mem[0x800] = 0xcc;
	meets();
	replies("mfffff80000000800,1");
	assert_int_equal(news.reply.bytes.p[0], 0xcc);
	says_ok("Z0,fffff80000000800,1");
	replies("mfffff80000000800,1");
	assert_int_equal(news.reply.bytes.p[0], 0x77);
}

static void watchpoints(void **state)
{
	(void)state;
	meets();
	says_ok("Z2,fffff80000001000,8");
	says_ok("Z2,fffff80000001000,8");
	says_ok("Z4,fffff80000001008,4");
	says_ok("Z1,fffff80000000800,1");
	assert_string_equal(asked(), "");
	refuses("Z2,fffff80000001001,8", "a hardware breakpoint holds");
	refuses("Z2,fffff80000001000,10", "a hardware breakpoint holds");
	says_ok("Z3,fffff80000001010,2");
	refuses("Z1,fffff80000000900,1", "the processor's debug registers are all in use");
	runs("vCont;c");
	assert_string_equal(asked(), "r100+1 sc0 rs0 ws0 rs1 ws1 go");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(kd_peer_get(peer.cpu[i].special + 0x20, 8), PEER_BASE + 0x1000);
		assert_int_equal(kd_peer_get(peer.cpu[i].special + 0x48, 8) & 0xff, 0xaa);
	}
	kd_peer_set(peer.cpu[1].special + 0x40, 8, 1);
	kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x920);
	stops(5, RSP_WHY_WATCH, 1);
	assert_int_equal(news.stop.addr, PEER_BASE + 0x1000);
	(void)asked();
	runs("vCont;c");
	assert_string_equal(asked(), "rs1 ws1 go"); /* DR6 is forgotten */
	assert_int_equal(kd_peer_get(peer.cpu[1].special + 0x40, 8) & 15, 0);
}

/* It stops before the instruction: the resume flag, or it would stop there for ever. */
static void hardware_breakpoints(void **state)
{
	(void)state;
	meets();
	says_ok("Z1,fffff80000000800,1");
	runs("vCont;c");
	kd_peer_set(peer.cpu[0].special + 0x40, 8, 1);
	kd_peer_stop(&peer, 0, 0x80000004U, PEER_BASE + 0x800);
	stops(5, RSP_WHY_HWBREAK, 0);
	runs("vCont;c");
	assert_true(kd_peer_get(peer.cpu[0].context + 0x44, 4) & 0x10000);
}

static void a_hit_of_one_that_is_gone(void **state)
{
	(void)state;
	meets();
	says_ok("Z2,fffff80000001000,8");
	runs("vCont;c");
	kd_peer_trap(&peer, 0, 0x900);
	stops(5, RSP_WHY_NONE, 0);
	says_ok("z2,fffff80000001000,8");
	(void)asked();
	runs("vCont;c");
	assert_string_equal(asked(), "rs0 ws0 rs1 ws1 go");
	kd_peer_set(peer.cpu[1].special + 0x40, 8, 1);
	kd_peer_set(peer.cpu[1].special + 0x48, 8, 2);
	kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x920);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	assert_int_equal(kd_peer_get(peer.cpu[1].special + 0x40, 8) & 15, 0);
}

/* ---- it runs ---- */

static void a_hard_coded_trap(void **state)
{
	(void)state;
	peer.mem[0xa00] = 0xcc;
	meets();
	runs("vCont;c");
	(void)asked();
	now += 5000;
	kd_peer_trap(&peer, 0, 0xa00);
	stops(5, RSP_WHY_NONE, 0);
	runs("vCont;c");
	assert_int_equal(pc_of(0), 0xa01);
	kd_peer_trap(&peer, 1, 0xa00);
	stops(5, RSP_WHY_NONE, 1);
	says_ok("P10=4000000000f8ffff"); /* the client goes elsewhere */
	runs("vCont;c");
	assert_int_equal(pc_of(1), 0x40);
	kd_peer_trap(&peer, 0, 0xa00);
	stops(5, RSP_WHY_NONE, 0);
	(void)asked();
	runs("vCont;s:1"); /* steps over it, and nothing runs */
	stops(5, RSP_WHY_NONE, 0);
	assert_int_equal(pc_of(0), 0xa01);
	assert_string_equal(asked(), "ra00+1 sc0");
	assert_false(peer.running);
	runs("vCont;c");
	assert_int_equal(pc_of(0), 0xa01);
	kd_peer_trap(&peer, 0, 0xa00);
	stops(5, RSP_WHY_NONE, 0);
	peer.mem[0xa00] = 0x90; /* the target has changed it: no trap any more */
	runs("vCont;c");
	assert_int_equal(pc_of(0), 0xa00);
}

static void steps(void **state)
{
	(void)state;
	peer.executes = true;
	meets();
	says_ok("P10=0030000000f8ffff");
	runs("vCont;s:1");
	stops(5, RSP_WHY_NONE, 0);
	assert_int_equal(pc_of(0), PEER_PATH + 1);
	refuses("vCont;s:7", "there is no such processor");
	says_ok("Z0,fffff80000003008,1");
	runs("vCont;c");
	stops(5, RSP_WHY_SWBREAK, 0);
	assert_int_equal(pc_of(0), PEER_PATH + 8);
}

static void another_processor_steps(void **state)
{
	(void)state;
	meets();
	says_ok("P10=4000000000f8ffff");
	(void)asked();
	runs("vCont;s:2");
	has(asked(), "sw1 step go");
	kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x41);
	stops(5, RSP_WHY_NONE, 1);
}

/* It is asked once, not for ever. */
static void another_processor_keeps_the_word(void **state)
{
	(void)state;
	peer.executes = true;
	meets();
	says_ok("P10=4000000000f8ffff");
	(void)asked();
	peer.keeps_word = true;
	refuses("vCont;s:2", "the target refused what must be done before it runs");
	has(asked(), "sw1 step");
}

static void signals(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	kd_peer_stop(&peer, 0, 0xc0000005U, PEER_BASE + 0x40);
	stops(11, RSP_WHY_NONE, 0);
	has(printed(), "first chance");
	(void)asked();
	runs("vCont;C0b:1;c");
	assert_string_equal(asked(), "go!"); /* not handled: the kernel's */
	kd_peer_stop(&peer, 0, 0xc0000005U, PEER_BASE + 0x40);
	stops(11, RSP_WHY_NONE, 0);
	(void)asked();
	runs("vCont;c");
	assert_string_equal(asked(), "go");
}

/* Nothing else was offered; and a client that thinks that it stops, or steps, is not to hear that it runs. */
static void other_actions(void **state)
{
	static const char *const packets[] = { "vCont;t", "vCont;rfffff80000000040,fffff80000000050:1", "vCont;s:1;t", "cfffff80000000040", "sfffff80000000040" };

	(void)state;
	meets();
	(void)asked();
	for (size_t i = 0; i < sizeof packets / sizeof *packets; i++)
		refuses(packets[i], "it goes on from where it stands, by c, C, s or S");
	assert_string_equal(asked(), "");
	runs("vCont;c");
}

static void a_refused_step(void **state)
{
	(void)state;
	meets();
	peer.refuse = 0x3133; /* cannot be set past its trap */
	refuses("vCont;c", "the target refused what must be done before it runs");
	peer.refuse = 0;
	assert_int_equal(submit("vCont;c"), 0);
	assert_int_equal(next(), BACKEND_RUNS);
}

/* ---- break-ins ---- */

static void break_in(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	(void)asked();
	assert_int_equal(due(), NEVER);
	be->ops->interrupt(be);
	be->ops->interrupt(be);
	stops(2, RSP_WHY_NONE, 0);
	assert_string_equal(asked(), "^ gc0");
	be->ops->interrupt(be);
	assert_int_equal(within(5000), BACKEND_NONE);
	assert_string_equal(asked(), "");
}

static void break_in_at_once(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("vCont;c"), 0);
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_RUNS);
	stops(2, RSP_WHY_NONE, 0);
}

static void break_in_again(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	(void)asked();
	peer.deaf = true;
	be->ops->interrupt(be);
	assert_int_equal(within(9500), BACKEND_NONE);
	assert_string_equal(asked(), "^ ^ ^ ^ ^ ^ ^ ^ ^ ^");
	assert_string_equal(printed(), "");
	assert_int_equal(within(5000), BACKEND_NONE);
	has(printed(), "does not answer the break-in");
	assert_int_equal(within(5000), BACKEND_NONE);
	assert_string_equal(printed(), "");
	peer.deaf = false;
	assert_int_equal(within(2000), BACKEND_STOPPED);
	assert_int_equal(news.stop.code, 2);
}

/* ---- stops that are noise ---- */

static void a_break_in_that_was_pending(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	(void)asked();
	now += 500;
	kd_peer_trap(&peer, 0, PEER_BREAK_PC);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	assert_string_equal(asked(), "r100+1 gc0 sc0 go");
	assert_int_equal(pc_of(0), PEER_BREAK_PC + 1);
	now += 5000; /* late: somebody has asked on the target's side */
	kd_peer_trap(&peer, 0, PEER_BREAK_PC);
	stops(5, RSP_WHY_NONE, 0);
}

/* In the midst of a step: the step is not forgotten, and not taken in the break-in's own code. */
static void a_pending_break_in_during_a_step(void **state)
{
	(void)state;
	meets();
	says_ok("P10=0030000000f8ffff");
	runs("vCont;s:1");
	(void)asked();
	kd_peer_trap(&peer, 0, PEER_BREAK_PC);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	assert_string_equal(asked(), "r100+1 gc0 sc0 go");
	kd_peer_stop(&peer, 0, 0x80000004U, PEER_BASE + PEER_PATH + 1);
	stops(5, RSP_WHY_NONE, 0);
	runs("vCont;s:1");
	has(asked(), "step");
}

static void a_break_in_beside_a_hit(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	runs("vCont;c");
	be->ops->interrupt(be);
	peer.deaf = true;
	assert_int_equal(next(), BACKEND_NONE);
	kd_peer_trap(&peer, 1, 0x800);
	stops(5, RSP_WHY_SWBREAK, 1);
	says_ok("z0,fffff80000000800,1");
	runs("vCont;c");
	now += 10000; /* the break-in that was not heard then is heard now */
	kd_peer_trap(&peer, 0, PEER_BREAK_PC);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	now += 10000;
	kd_peer_trap(&peer, 0, PEER_BREAK_PC); /* but only once */
	stops(5, RSP_WHY_NONE, 0);
}

/* Another processor had trapped there already. */
static void a_trap_of_a_breakpoint_that_is_gone(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	says_ok("z0,fffff80000000800,1");
	runs("vCont;c");
	kd_peer_trap(&peer, 1, 0x800);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	assert_int_equal(pc_of(1), 0x800);
	now += 5000;
	kd_peer_trap(&peer, 1, 0x800);
	stops(5, RSP_WHY_NONE, 1);
}

static void a_step_that_nobody_asked_for(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x800);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	be->ops->interrupt(be);
	stops(2, RSP_WHY_NONE, 1);
}

/* Not for ever: a target that does nothing else is to be looked at. */
static void noise_without_end(void **state)
{
	int rc = BACKEND_NONE;

	(void)state;
	meets();
	runs("vCont;c");
	for (int i = 0; i < 100 && rc == BACKEND_NONE; i++) {
		kd_peer_stop(&peer, 1, 0x80000004U, PEER_BASE + 0x800);
		rc = next();
	}
	assert_int_equal(rc, BACKEND_STOPPED);
}

static void the_others_run_while_one_steps(void **state)
{
	(void)state;
	meets();
	says_ok("P10=0030000000f8ffff");
	runs("vCont;s:1");
	kd_peer_stop(&peer, 1, 0xc0000005U, PEER_BASE + 0x40);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	kd_peer_stop(&peer, 0, 0x80000004U, PEER_BASE + PEER_PATH + 1);
	stops(5, RSP_WHY_NONE, 0);
}

/* ---- what a target says ---- */

static void loads(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	kd_peer_load(&peer, "\\SystemRoot\\drivers\\a\033.sys", PEER_BASE + 0x9000, false);
	stops(5, RSP_WHY_LIBRARY, 0);
	has(printed(), "is loaded at 0xfffff80000009000");
	runs("vCont;c");
	kd_peer_load(&peer, NULL, UINT64_MAX, true);
	stops(5, RSP_WHY_LIBRARY, 0);
	has(printed(), "all its images go");
}

static void a_command_string(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	kd_peer_begin_state(&peer, 0x3032, 0);
	memcpy(peer.state + 240, "name\0.shell rm", 15);
	peer.state_n = 255;
	kd_peer_report(&peer);
	assert_int_equal(next(), BACKEND_NONE);
	assert_true(peer.running);
	has(incident(), "a debugger command");
	assert_string_equal(printed(), "");
}

static void prints(void **state)
{
	(void)state;
	meets();
	kd_peer_print(&peer, "while it stands\n");
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(printed(), "while it stands\n");
	runs("vCont;c");
	for (int i = 0; i < 10; i++)
		kd_peer_print(&peer, "x");
	assert_int_equal(within(100), BACKEND_NONE);
	assert_string_equal(printed(), "xxxxxxxxxx");
	assert_int_equal(peer.queued, 0);
}

static void prompts(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	(void)asked();
	kd_peer_prompt(&peer, "Break repeatedly, break Once, Ignore, terminate Process, or terminate Thread (boipt)? ", 2);
	assert_int_equal(next(), BACKEND_NONE);
	assert_false(peer.waits);
	has(asked(), "io:o");
	has(printed(), "is answered with \"o\"");
	kd_peer_prompt(&peer, "name: ", 20);
	assert_int_equal(next(), BACKEND_NONE);
	assert_false(peer.waits);
	has(printed(), "an empty line");
	kd_peer_prompt(&peer, "(boipt)? ", 0);
	assert_int_equal(next(), BACKEND_NONE);
	assert_false(peer.waits);
}

/* A prompt in the midst of a command: both are served. */
static void a_prompt_beside_a_request(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("mfffff80000000800,4"), 0);
	kd_peer_prompt(&peer, "name: ", 20);
	assert_int_equal(within(3000), BACKEND_REPLY);
	assert_int_equal(news.reply.bytes.len, 4);
	assert_int_equal(within(3000), BACKEND_NONE);
	assert_false(peer.waits);
}

static void files(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	(void)asked();
	kd_peer_file(&peer, 'a');
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(asked(), "file:c000000f");
	has(incident(), "asks the host for the file");
	kd_peer_say(&peer, KD_TYPE_FILE_IO, "012", 3);
	assert_int_equal(next(), BACKEND_NONE);
	has(incident(), "makes no sense");
}

static void a_bugcheck(void **state)
{
	const char *text = "\n*** Fatal System Error: 0x000000d1\n                       (0xFFFF8000DEADBEEF,0x0000000000000002,0x0000000000000000,0xFFFFF80000000800)\n\n";
	char piece[2] = "";

	(void)state;
	meets();
	runs("vCont;c");
	for (const char *c = text; *c; c++) { /* however it is cut */
		piece[0] = *c;
		kd_peer_print(&peer, piece);
		assert_int_equal(next(), BACKEND_NONE);
	}
	(void)printed();
	kd_peer_trap(&peer, 0, PEER_BREAK_PC);
	stops(6, RSP_WHY_NONE, 0);
	has(printed(), "bugcheck 0xd1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0xffff8000deadbeef, 0x2, 0x0, 0xfffff80000000800)");
}

static void nobodys_packets(void **state)
{
	(void)state;
	meets();
	kd_peer_say(&peer, KD_TYPE_TRACE_IO, "0123456789abcdef", 16);
	assert_int_equal(next(), BACKEND_NONE);
	has(incident(), "a packet of type 9");
	kd_peer_say(&peer, 0x77, "0123456789abcdef", 16);
	assert_int_equal(next(), BACKEND_NONE);
	kd_peer_say(&peer, KD_TYPE_STATE_CHANGE64, "0123456789abcdef", 16);
	assert_int_equal(next(), BACKEND_NONE);
	kd_peer_say(&peer, KD_TYPE_DEBUG_IO, "0123", 4);
	assert_int_equal(next(), BACKEND_NONE);
	kd_peer_say(&peer, KD_TYPE_MANIPULATE, "0123", 4);
	assert_int_equal(next(), BACKEND_NONE);
	replies("g");
	assert_int_equal(news.reply.kind, RSP_REPLY_REGS);
	runs("vCont;c");
	kd_peer_say(&peer, KD_TYPE_STATE_CHANGE64, "0123456789abcdef", 16);
	assert_int_equal(next(), BACKEND_NONE);
	be->ops->interrupt(be);
	stops(2, RSP_WHY_NONE, 0);
}

static void hostile_processors(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	peer.cpus = 2000;
	kd_peer_stop(&peer, 300, 0x80000003U, PEER_BASE + 0x800);
	assert_int_equal(next(), BACKEND_NONE);
	has(incident(), "a state change that makes no sense");
	peer.cpus = 0xffffffff;
	kd_peer_stop(&peer, 1, 0xc0000005U, PEER_BASE + 0x800);
	stops(11, RSP_WHY_NONE, 1);
	replies("qfThreadInfo");
	assert_int_equal(news.reply.threads_n, 256);
	assert_int_equal(news.reply.threads[0].tid, 2);
	refuses("g;thread:100;", "the target did not tell that processor's registers");
	says_ok("Z2,fffff80000001000,8");
	assert_int_equal(submit("vCont;c"), 0);
	assert_int_equal(next(), BACKEND_RUNS);
	has(printed(), "processor 3 did not take the hardware breakpoints");
}

/* The report of a step, which is here before the step is known to be on its way. */
static void hostile_processor_of_a_step(void **state)
{
	(void)state;
	meets();
	peer.executes = true;
	runs("vCont;s:1");
	stops(5, RSP_WHY_NONE, 0);
	peer.lies[0].at = 7;
	peer.lies[0].to = 0x65;
	peer.lies_n = 1;
	runs("vCont;s:1");
	has(incident(), "a state change that makes no sense");
	be->ops->interrupt(be);
	stops(5, RSP_WHY_NONE, 0); /* it says again what it said */
}

/* ---- answers that do not come ---- */

static void an_answer_is_lost(void **state)
{
	(void)state;
	meets();
	peer.mute = true;
	assert_int_equal(submit("mfffff80000000800,4"), 0);
	assert_int_equal(next(), BACKEND_NONE);
	assert_string_equal(asked(), "mute3130");
	assert_in_range(due(), now + 4900, now + 5000);
	peer.mute = false;
	assert_int_equal(within(6000), BACKEND_REPLY); /* a RESET, and asked again */
	assert_int_equal(news.reply.bytes.len, 4);
	assert_string_equal(asked(), "RESET r800+4");
	has(incident(), "no answer to ReadVirtualMemory");
}

static void no_answer_comes(void **state)
{
	(void)state;
	meets();
	peer.mute = true;
	assert_int_equal(submit("mfffff80000000800,4"), 0);
	given_up(60000, -ETIMEDOUT, "does not answer any more");
}

/* What may have been done is not asked for twice. */
static void an_answer_that_must_not_be_asked_for_again(void **state)
{
	(void)state;
	meets();
	peer.mute_api = 0x3134;
	assert_int_equal(submit("Z0,fffff80000000800,1"), 0);
	assert_int_equal(within(20000), BACKEND_REPLY);
	assert_int_equal(news.reply.kind, RSP_REPLY_ERROR);
	assert_string_equal(asked(), "r800+1 mute3134 RESET");
	peer.mute_api = 0;
	says_ok("Z0,fffff80000000800,1");
}

/* It is in all the same, with a handle that nobody was told of. */
static void a_handle_is_lost(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000c00,1");
	(void)asked();
	peer.mute_api = 0x3134;
	peer.table[7].used = true;
	peer.table[7].addr = PEER_BASE + 0x800;
	peer.table[7].saved = peer.mem[0x800];
	assert_int_equal(submit("Z0,fffff80000000800,1"), 0);
	assert_int_equal(within(20000), BACKEND_REPLY);
	assert_int_equal(news.reply.kind, RSP_REPLY_ERROR);
	assert_string_equal(asked(), "r800+1 mute3134 RESET -c00 -800"); /* what else there was goes in again when it runs */
	peer.mute_api = 0;
	says_ok("Z0,fffff80000000800,1");
	runs("vCont;c");
	has(asked(), "+c00");
}

/* The wire lets it rest before the last copy, for longer than one that was just met has for its first answer: that is no RESET's to mend. */
static void a_request_is_asked_for_again_and_again(void **state)
{
	(void)state;
	peer.fussy = true;
	given_up(10000, -EPROTO, "again and again");
	assert_string_equal(asked(), "^");
}

static void nobody_acknowledges(void **state)
{
	(void)state;
	meets();
	peer.silent = true;
	assert_int_equal(submit("mfffff80000000800,4"), 0);
	assert_int_equal(within(60000), -ETIMEDOUT);
}

/* The n-th frame from now on. */
static void loses(enum peer_way way, unsigned n)
{
	peer.way = way;
	peer.fault = PEER_LOST;
	peer.number = peer.frames[way] + n;
}

/* The ACK of its resume is lost, and a machine that runs never says it again. */
static void the_resume_is_not_acknowledged(void **state)
{
	(void)state;
	meets();
	says_ok("P10=0030000000f8ffff");
	loses(PEER_TO_HOST, 65); /* behind the 32 answers and their ACKs of the table's cleaning */
	assert_int_equal(submit("vCont;c"), 0);
	assert_int_equal(within(15000), BACKEND_RUNS);
	assert_true(peer.running);
	be->ops->interrupt(be);
	assert_int_equal(within(3000), BACKEND_STOPPED);
	assert_int_equal(news.stop.code, 2);
	replies("g");
}

/* The stop is faster than the ACK of what let it run. */
static void an_early_stop(void **state)
{
	(void)state;
	peer.executes = true;
	meets();
	says_ok("P10=0030000000f8ffff");
	runs("vCont;s:1");
	stops(5, RSP_WHY_NONE, 0);
	loses(PEER_TO_HOST, 1); /* that ACK */
	assert_int_equal(submit("vCont;s:1"), 0);
	assert_int_equal(within(3000), BACKEND_RUNS);
	assert_int_equal(within(3000), BACKEND_STOPPED);
	assert_int_equal(pc_of(0), PEER_PATH + 2);
	runs("vCont;s:1");
	stops(5, RSP_WHY_NONE, 0);
	assert_int_equal(pc_of(0), PEER_PATH + 3);
}

/* ---- it begins anew ---- */

static void boots(uint64_t base)
{
	runs("vCont;c");
	kd_peer_anew(&peer);
	peer.kern_base = base;
	memset(peer.table, 0, sizeof peer.table);
	for (size_t i = 0; i < PEER_SIZE; i++)
		peer.mem[i] = (uint8_t)(i * 7);
	peer.mem[PEER_BREAK_PC] = 0xcc;
	(void)asked();
	kd_peer_load(&peer, "ntoskrnl.exe", base, false);
}

static void another_kernel(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	says_ok("Z2,fffff80000001000,8");
	boots(PEER_BASE + 0x10000);
	stops(32, RSP_WHY_NONE, 0); /* no step, nor a library: a debugger would go on, and put its breakpoints where they were */
	has(printed(), "has booted again");
	assert_string_equal(asked(), "version gc0");
	runs("vCont;c");
	assert_string_equal(asked(), "go"); /* what was set is void */
}

/* The same kernel, or one at the same place: what is wanted is there again when it runs. */
static void the_same_kernel(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	boots(PEER_BASE);
	stops(5, RSP_WHY_LIBRARY, 0);
	runs("vCont;c");
	assert_int_equal(peer.mem[0x800], 0xcc);
	kd_peer_trap(&peer, 0, 0x800);
	stops(5, RSP_WHY_SWBREAK, 0);
}

/* Somebody pressed the button while it stood: what clients know of it is of another machine. */
static void it_boots_while_it_stands(void **state)
{
	(void)state;
	meets();
	says_ok("Z0,fffff80000000800,1");
	kd_peer_anew(&peer);
	peer.kern_base = PEER_BASE + 0x10000;
	kd_peer_print(&peer, "KDTARGET: Refreshing KD connection\n");
	kd_peer_load(&peer, "ntoskrnl.exe", PEER_BASE + 0x10000, false);
	given_up(1000, -EPROTO, "began anew");
}

/* Not so if it says the same again. */
static void it_tells_its_stop_again(void **state)
{
	(void)state;
	meets();
	kd_peer_anew(&peer);
	kd_peer_report(&peer);
	assert_int_equal(within(1000), BACKEND_NONE);
	replies("g");
	runs("vCont;c");
}

/* ---- images, monitor ---- */

static void put_pointer(uint64_t off, uint64_t value)
{
	kd_peer_set(peer.mem + off, 8, value);
}

/* n images; the list ends where it began, but for a loop: there it goes on at its second. */
static void lists(unsigned n, bool loop)
{
	peer.module_list = PEER_BASE + PEER_LIST;
	put_pointer(PEER_LIST, PEER_BASE + PEER_LIST + 0x100);
	for (unsigned i = 1; i <= n; i++) {
		size_t at = PEER_LIST + 0x100 * i;

		memset(peer.mem + at, 0, 0x100);
		put_pointer(at, i < n ? PEER_BASE + at + 0x100 : loop ? PEER_BASE + PEER_LIST + 0x200 : peer.module_list);
		put_pointer(at + 0x30, PEER_BASE + 0x100000 * i);
		kd_peer_set(peer.mem + at + 0x40, 4, 0x5000);
		kd_peer_set(peer.mem + at + 0x58, 2, 10);
		put_pointer(at + 0x60, PEER_BASE + at + 0xc0);
		memcpy(peer.mem + at + 0xc0, "a\0<\0\"\0.\0s\0", 10);
		peer.mem[at + 0xc0] = (uint8_t)('a' + i);
	}
}

static void libraries(void **state)
{
	(void)state;
	lists(3, false);
	meets();
	replies("qXfer:libraries:read::0,4000");
	assert_int_equal(news.reply.kind, RSP_REPLY_CHUNK);
	assert_true(span_is(news.reply.bytes, "<library-list><library name=\"" GUARD_NOWHERE "b__.s\"><segment address=\"0xfffff80000101000\"/></library>"
		"<library name=\"" GUARD_NOWHERE "c__.s\"><segment address=\"0xfffff80000201000\"/></library>"
		"<library name=\"" GUARD_NOWHERE "d__.s\"><segment address=\"0xfffff80000301000\"/></library></library-list>"));
	(void)asked();
	replies("qXfer:libraries:read::0,4000");
	assert_string_equal(asked(), "");
	replies("qXfer:auxv:read::0,4000");
	assert_int_equal(news.reply.kind, RSP_REPLY_UNSUPPORTED);
	replies("qOffsets");
	assert_true(span_starts(news.reply.bytes, "Text=fffff7fec0000000;"));
}

static void libraries_without_end(void **state)
{
	(void)state;
	lists(5, true);
	meets();
	replies("qXfer:libraries:read::0,4000");
	assert_int_equal(news.reply.kind, RSP_REPLY_CHUNK);
	assert_true(span_starts(news.reply.bytes, "<library-list><library name=\"" GUARD_NOWHERE "b__.s\">"));
}

/* One entry is nonsense: the others are told. */
static void a_bad_library(void **state)
{
	(void)state;
	lists(3, false);
	put_pointer(PEER_LIST + 0x200 + 0x30, 0);
	meets();
	replies("qXfer:libraries:read::0,4000");
	assert_true(span_is(news.reply.bytes, "<library-list><library name=\"" GUARD_NOWHERE "b__.s\"><segment address=\"0xfffff80000101000\"/></library>"
		"<library name=\"" GUARD_NOWHERE "d__.s\"><segment address=\"0xfffff80000301000\"/></library></library-list>"));
}

static void no_libraries(void **state)
{
	(void)state;
	lists(3, false);
	peer.hole[PEER_LIST / PEER_PAGE] = true;
	meets();
	replies("qXfer:libraries:read::0,4000");
	assert_true(span_is(news.reply.bytes, "<library-list></library-list>"));
}

/* One that is marked as a DLL has its base as what lldb calls a section; those that are not, or whose header is not there, are left out. */
static void header(unsigned image, size_t off, uint32_t pe, uint32_t flags)
{
	uint8_t *at = peer.mem + off;

	put_pointer(PEER_LIST + 0x100 * image + 0x30, PEER_BASE + off);
	memset(at, 0, PEER_PAGE);
	memcpy(at, "MZ", 2);
	kd_peer_set(at + 0x3c, 4, pe);
	memcpy(at + pe, "PE", 2);
	kd_peer_set(at + pe + 4, 4, 0x18664);
	kd_peer_set(at + pe + 20, 4, 0xf0 | flags << 16);
	kd_peer_set(at + pe + 24, 2, 0x20b);
	kd_peer_set(at + pe + 80, 4, 0x5000);
	kd_peer_set(at + pe + 24 + 0xf0 + 12, 4, 0x1000);
}

static void lldb_reads_libraries(void **state)
{
	(void)state;
	lists(4, false);
	header(1, 0x5000, 0x80, 0x22);
	header(2, 0x6000, 0x80, 0x2022);
	header(3, 0x7000, 0x400, 0x2022);
	meets();
	assert_true(be->ops->info(be)->windows);
	for (unsigned i = 0; i < 2; i++) {
		(void)asked();
		assert_int_equal(submit_for("qXfer:libraries:read::0,4000", 'l'), 0);
		assert_int_equal(next(), BACKEND_REPLY);
		assert_true(span_is(news.reply.bytes, "<library-list><library name=\"" GUARD_NOWHERE "c__.s\"><section address=\"0xfffff80000006000\"/></library>"
			"<library name=\"" GUARD_NOWHERE "d__.s\"><section address=\"0xfffff80000007000\"/></library></library-list>"));
	}
	assert_string_equal(asked(), "");
	replies("qXfer:libraries:read::0,4000");
	has((const char *)news.reply.bytes.p, "b__.s\"><segment address=\"0xfffff80000006000\"/>");
}

static void lldb_asks_where_its_program_is(void **state)
{
	(void)state;
	lists(3, false);
	meets();
	replies("qFileLoadAddress:2f782f433c222e53"); /* /x/C<".S */
	assert_true(span_is(news.reply.bytes, "fffff80000200000"));
	replies("qFileLoadAddress:632e73"); /* c.s */
	assert_int_equal(news.reply.kind, RSP_REPLY_ERROR);
	assert_int_equal(news.reply.code, 1);
	replies("qGetTIBAddr:1");
	assert_true(span_is(news.reply.bytes, "0"));
}

static void lldb_asks_where_memory_is(void **state)
{
	static const struct {
		const char *packet, *answer;
	} rows[] = {
		{ "qMemoryRegionInfo:7fffffffffff", "start:0;size:800000000000;permissions:rwx;" },
		{ "qMemoryRegionInfo:800000000000", "start:800000000000;size:ffff000000000000;" },
		{ "qMemoryRegionInfo:fffff80000000000", "start:ffff800000000000;size:7ffffffff000;permissions:rwx;" },
		{ "qMemoryRegionInfo:ffffffffffffffff", "start:fffffffffffff000;size:fff;" },
	};

	(void)state;
	meets();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		replies(rows[i].packet);
		assert_true(span_is(news.reply.bytes, rows[i].answer));
	}
}

/* An interrupt ends the walk, and half a list is not kept for the whole. */
static void libraries_are_cut(void **state)
{
	(void)state;
	lists(3, false);
	meets();
	assert_int_equal(submit("qXfer:libraries:read::0,4000"), 0);
	assert_int_equal(be->ops->poll(be, &news, now), BACKEND_MOVED);
	be->ops->interrupt(be);
	assert_int_equal(next(), BACKEND_REPLY);
	replies("qXfer:libraries:read::0,4000");
	has((const char *)news.reply.bytes.p, "d__.s");
}

static const char *monitor(const char *text)
{
	char packet[256] = "qRcmd,";
	size_t n = strlen(packet);

	for (const char *c = text; *c && n < sizeof packet - 3; c++)
		n += (size_t)snprintf(packet + n, sizeof packet - n, "%02x", (unsigned char)*c);
	(void)printed();
	says_ok(packet);
	return printed();
}

static void monitor_commands(void **state)
{
	(void)state;
	lists(2, false);
	meets();
	has(monitor("help"), "breakpoints");
	has(monitor("version"), "Windows, build 19041, amd64, 2 processors, kernel at 0xfffff80000000000");
	assert_string_equal(monitor("modules"), "0xfffff80000100000 0x00005000 b<\".s\n0xfffff80000200000 0x00005000 c<\".s\n");
	assert_string_equal(monitor("processors"), "*0 pc 0xfffff80000000100 sp 0xfffff80000007000\n 1 pc 0xfffff80000003001 sp 0xfffff80000007001\n");
	peer.msr = 0x1234;
	assert_string_equal(monitor("msr 0x1b"), "0x1b: 0x1234\n");
	assert_string_equal(monitor("msr 27 0x99"), "");
	assert_int_equal(peer.msr, 0x99);
	peer.refuse = 0x3152;
	assert_string_equal(monitor("msr 27"), "the target refused MSR 0x1b\n");
	has(monitor("msr"), "msr NUMBER");
	has(monitor("msr -1"), "msr NUMBER");
	has(monitor("msr 0x100000000"), "msr NUMBER");
	assert_string_equal(monitor("phys 0x1000 4"), "0x1000: 5a 5a 5a 5a\n");
	has(monitor("phys 0x1000 1025"), "phys ADDRESS");
	has(monitor("phys 0x1000 0"), "phys ADDRESS");
	has(monitor("nonsense"), "no such command");
	has(monitor(""), "no such command");
	has(monitor("a b c d e"), "no such command");
	has(monitor("0123456789012345678901234567890123456789"), "no such command");
	assert_string_equal(monitor("breakpoints"), "0; the target's own table has room for 32\n");
	says_ok("Z0,fffff80000000800,1");
	says_ok("Z2,fffff80000001000,4");
	assert_string_equal(monitor("breakpoints"), "software 0xfffff80000000800\nhardware 0xfffff80000001000, 4 bytes\n2; the target's own table has room for 32\n");
}

static void monitor_bugcheck(void **state)
{
	(void)state;
	meets();
	has(monitor("bugcheck"), "cannot be read");
	has(monitor("bugcheck"), "cannot be read");
}

static void the_data_block(void **state)
{
	(void)state;
	peer.data_list = PEER_BASE + PEER_KDBG - 0x10;
	put_pointer(PEER_KDBG - 0x10, PEER_BASE + PEER_KDBG);
	memset(peer.mem + PEER_KDBG, 0, 0x360);
	put_pointer(PEER_KDBG, peer.data_list);
	memcpy(peer.mem + PEER_KDBG + 16, "KDBG\x60\x03", 6);
	put_pointer(PEER_KDBG + 0x18, PEER_BASE);
	put_pointer(PEER_KDBG + 0x88, PEER_BASE + 0x800);
	memset(peer.mem + 0x800, 0, 40);
	meets();
	assert_string_equal(monitor("bugcheck"), "no bugcheck\n");
	says_ok("Mfffff80000000800,1:d1");
	assert_string_equal(monitor("bugcheck"), "bugcheck 0xd1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x0, 0x0, 0x0, 0x0)\n");
}

static void monitor_reboot(void **state)
{
	(void)state;
	meets();
	assert_int_equal(submit("qRcmd,7265626f6f74"), 0);
	assert_int_equal(next(), -EPROTO);
	has(be->ops->why(be), "told to reboot");
	assert_string_equal(asked(), "reboot");
}

static void threads(void **state)
{
	(void)state;
	meets();
	replies("qfThreadInfo");
	assert_int_equal(news.reply.threads_n, 2);
	assert_int_equal(news.reply.threads[0].tid, 1);
	replies("qsThreadInfo");
	assert_int_equal(news.reply.threads_n, 0);
	replies("qC");
	assert_int_equal(news.reply.threads[0].tid, 1);
	says_ok("T2");
	refuses("T3", "there is no such processor");
	replies("qThreadExtraInfo,1");
	assert_true(span_is(news.reply.bytes, "processor 0, thread 0xffffe00000001000"));
	replies("qThreadExtraInfo,2");
	assert_true(span_is(news.reply.bytes, "processor 1"));
}

/* ---- left ---- */

static void leaves(void **state)
{
	(void)state;
	peer.table[4].used = true; /* a dead debugger's goes too */
	peer.table[4].addr = PEER_BASE + 0x1100;
	meets();
	says_ok("Z0,fffff80000000800,1");
	says_ok("Z2,fffff80000001000,8");
	runs("vCont;c");
	kd_peer_trap(&peer, 0, 0x900);
	stops(5, RSP_WHY_NONE, 0);
	be->ops->leave(be);
	assert_int_equal(next(), -ESHUTDOWN);
	assert_true(peer.running);
	for (unsigned i = 0; i < PEER_TABLE; i++)
		assert_false(peer.table[i].used);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(kd_peer_get(peer.cpu[i].special + 0x48, 8) & 0xff, 0);
	assert_int_equal(peer.mem[0x800], 0);
}

/* Another processor stopped than the one it was let run from. */
static void leaves_where_another_stopped(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	kd_peer_trap(&peer, 1, 0x900);
	stops(5, RSP_WHY_NONE, 1);
	(void)asked();
	be->ops->leave(be);
	assert_int_equal(next(), -ESHUTDOWN);
	assert_string_equal(asked(), "go");
}

static void leaves_the_silent(void **state)
{
	(void)state;
	meets();
	peer.silent = true;
	be->ops->leave(be);
	assert_true(within(60000) < 0);
}

static void the_line_is_cut(void **state)
{
	(void)state;
	meets();
	runs("vCont;c");
	link_destroy_stack(peer.link);
	peer.link = NULL;
	assert_int_equal(next(), -EPIPE);
}

/* A byte at a time it is the same. */
static void in_pieces(void **state)
{
	(void)state;
	plugs_again(1);
	meets();
	replies("mfffff80000000000,2800");
	assert_int_equal(news.reply.bytes.len, 0x2800);
	assert_memory_equal(news.reply.bytes.p, peer.mem, 0x2800);
	says_ok("Z0,fffff80000000800,1");
	runs("vCont;c");
	kd_peer_trap(&peer, 1, 0x800);
	stops(5, RSP_WHY_SWBREAK, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(meets_one_that_runs), TEST(meets_one_that_stands), TEST(meets_one_that_says_so), TEST(silence), TEST(deaf), TEST(no_version),
		TEST(no_answer_to_version), TEST(an_unknown_machine), TEST(busy_until_met), TEST(registers), TEST(registers_that_are_refused),
		TEST(writes_a_register), TEST(writes_all_registers), TEST(reads), TEST(reads_up_to_a_hole), TEST(short_packets), TEST(a_read_is_cut),
		TEST(writes), TEST(breakpoints_are_lazy), TEST(deleted_by_the_report), TEST(reads_hide_breakpoints), TEST(a_write_over_a_breakpoint),
		TEST(where_none_can_be), TEST(none_within_an_instruction), TEST(the_table_is_full), TEST(many_in_one_stop), TEST(a_dead_debuggers_breakpoints),
		TEST(a_dead_debuggers_breakpoint_that_was_seen), TEST(watchpoints), TEST(hardware_breakpoints),
		TEST(a_hit_of_one_that_is_gone), TEST(a_hard_coded_trap), TEST(steps), TEST(another_processor_steps),
		TEST(another_processor_keeps_the_word), TEST(signals), TEST(other_actions), TEST(a_refused_step),
		TEST(break_in), TEST(break_in_at_once), TEST(break_in_again), TEST(a_break_in_that_was_pending), TEST(a_pending_break_in_during_a_step),
		TEST(a_break_in_beside_a_hit), TEST(a_trap_of_a_breakpoint_that_is_gone), TEST(a_step_that_nobody_asked_for), TEST(noise_without_end),
		TEST(the_others_run_while_one_steps), TEST(loads), TEST(a_command_string), TEST(prints), TEST(prompts), TEST(a_prompt_beside_a_request),
		TEST(files), TEST(a_bugcheck), TEST(nobodys_packets), TEST(hostile_processors), TEST(hostile_processor_of_a_step),
		TEST(an_answer_is_lost), TEST(a_handle_is_lost), TEST(no_answer_comes),
		TEST(an_answer_that_must_not_be_asked_for_again), TEST(a_request_is_asked_for_again_and_again), TEST(nobody_acknowledges),
		TEST(the_resume_is_not_acknowledged), TEST(an_early_stop), TEST(another_kernel), TEST(the_same_kernel), TEST(it_boots_while_it_stands), TEST(it_tells_its_stop_again), TEST(libraries),
		TEST(libraries_without_end), TEST(a_bad_library), TEST(no_libraries), TEST(libraries_are_cut), TEST(monitor_commands),
		TEST(lldb_reads_libraries), TEST(lldb_asks_where_its_program_is), TEST(lldb_asks_where_memory_is),
		TEST(monitor_bugcheck), TEST(the_data_block), TEST(monitor_reboot), TEST(threads), TEST(leaves), TEST(leaves_where_another_stopped), TEST(leaves_the_silent),
		TEST(the_line_is_cut), TEST(in_pieces),
	};

	return cmocka_run_group_tests_name("backend_kd", tests, NULL, NULL);
}
