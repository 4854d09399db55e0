/* backend_kd_fuzz.c - a whole KD backend on a line in memory, with a clock of its own: the input is a script of what its client, a kernel
 * and the time do, or the bytes of a target with commands between them. Whatever that is, the backend comes to rest, says only packets
 * that a kernel understands, tells what the table of the target's states knows, answers each command in its form, and is lost only with
 * a reason. */
#include "tests/backends/kd_peer.h"
#include "tests/fuzz/backend_walk.h"
#include "tests/reuse.h"

enum { DESCRIBED = 8 };

static bool script; /* there is a kernel; else the input is what one said */
static struct kd_peer peer;
static struct kd_framer framer;
static struct buf rx;

/* ---- what the backend says ---- */

/* A request has its header, and is one of those that kernels have. */
static void request_holds(struct span s)
{
	uint64_t api = s.len >= PEER_HEADER ? kd_peer_get(s.p, 4) : 0;

	must(api >= 0x3130 && api <= 0x3162);
}

static void packet_holds(const struct kd_packet *p)
{
	must(p->control ? p->type == KD_TYPE_ACKNOWLEDGE || p->type == KD_TYPE_RESEND || p->type == KD_TYPE_RESET :
	                  p->type == KD_TYPE_MANIPULATE || p->type == KD_TYPE_DEBUG_IO || p->type == KD_TYPE_FILE_IO);
	if (!p->control && p->type == KD_TYPE_MANIPULATE)
		request_holds(p->payload);
}

/* Of the target's own line: nothing is on it but packets and break-ins. */
static void hears(struct span s)
{
	struct cursor c = cursor_of(s);
	struct kd_packet p;

	while (!cursor_done(&c)) {
		bool between = !kd_framer_midway(&framer);
		enum kd_frame_event ev;

		if (between && cursor_peek(&c) == KD_BREAK_IN) {
			cursor_u8(&c);
			continue;
		}
		ev = kd_framer_next(&framer, &c, &p);
		must(ev != KD_FRAME_BAD);
		if (ev == KD_FRAME_PACKET)
			packet_holds(&p);
	}
	must(framer.noise == 0);
}

/* The kernel hears the same; between the two lines everything is looked at. */
static struct link *ear;

static bool carry(void)
{
	bool moved = false;

	peer.now = w.now;
	while (ear && link_recv(ear, &rx, w.now) == 1) {
		moved = true;
		hears(buf_span(&rx));
		for (size_t i = 0; i < rx.len && script && !peer.silent; i++)
			kd_peer_hear(&peer, buf_data(&rx)[i]);
	}
	return moved;
}

static bool kernel(void)
{
	bool moved = carry();

	return (script && kd_peer_step(&peer, w.now)) || moved;
}

/* ---- what the backend tells ---- */

static void stop_holds(const struct rsp_stop *s)
{
	const struct tdesc *t = w.be->ops->info(w.be)->tdesc;

	must(s->kind == RSP_STOP_SIGNAL && s->regs_n <= RSP_STOP_REGS && !s->words && t);
	must(s->has_thread && s->thread.tid >= 1 && s->thread.tid <= 256);
	for (size_t i = 0; i < s->regs_n; i++)
		must(has_register(t, &s->regs[i]));
}

static void threads_hold(const struct rsp_reply *r)
{
	must(r->threads_n <= 256);
	for (size_t i = 0; i < r->threads_n; i++)
		must(r->threads[i].tid >= 1 && r->threads[i].tid <= 256);
}

static void told_reply(void)
{
	const struct rsp_reply *r = &news.reply;

	must(w.op == RSP_OP_THREAD_CURRENT ? r->kind == RSP_REPLY_THREADS : of_form(r->kind));
	must(!is_resume() || r->kind == RSP_REPLY_ERROR);
	reply_holds(r);
	if (r->kind == RSP_REPLY_THREADS)
		threads_hold(r);
}

static void told_runs(void)
{
	must(w.op == RSP_OP_RESUME);
}

static void told_stop(void)
{
	stop_holds(&news.stop);
}

static const struct row rows[] = {
	{ OPENING, BACKEND_STOPPED, told_stop, STOPPED }, { ASKED, BACKEND_REPLY, told_reply, STOPPED }, { ASKED, BACKEND_RUNS, told_runs, RUNNING },
	{ RUNNING, BACKEND_STOPPED, told_stop, STOPPED },
};

static bool is_empty(int rc)
{
	return (rc == BACKEND_PRINT || rc == BACKEND_CONSOLE) && !news.reply.bytes.len;
}

/* As a turn of the loop does: until nothing moves, nothing is due and nothing was refused. A kernel that answers may keep it busy for as
 * long as the longest task has requests, and a line may bring their answers byte by byte. */
static void settle(void)
{
	size_t most = 4 * w.fed + 600000, restless = 0;
	bool again = true;

	while (again) {
		int rc = look((struct rows){ rows, sizeof rows / sizeof *rows });
		bool empty = is_empty(rc), moved = kernel();

		must(most-- > 0 && !empty);
		restless = rc != BACKEND_NONE || moved ? 0 : restless + 1;
		must(restless < RESTLESS);
		again = w.state != LOST && (rc != BACKEND_NONE || moved || !rests());
	}
	w.fed = 0;
	tell_guard();
}

/* ---- the script ---- */

static const char *const commands[] = {
	"mfffff80000001000,40", "mfffff80000000f00,3000", "m0,10", "mfffff80000001000,0", "g", "p10", "p0", "p39", "p3a", "p10;thread:2;", "g;thread:3;",
	"P10=0030000000f8ffff", "P11=46000000", "G00", "Mfffff80000001000,4:01020304", "Mfffff80000003008,1:41", "Z0,fffff80000003008,1",
	"z0,fffff80000003008,1", "Z0,fffff80000003010,1", "z0,fffff80000003010,1", "Z0,fffff80000000100,1", "Z1,fffff80000003004,1", "z1,fffff80000003004,1",
	"Z2,fffff80000001000,8", "z2,fffff80000001000,8", "Z4,fffff80000001008,4", "vCont;c", "vCont;s:1", "vCont;s:2", "vCont;C0b:1;c", "vCont;s:3;c", "c", "s",
	"C0b", "qfThreadInfo", "qsThreadInfo", "qC", "T2", "qThreadExtraInfo,1", "qOffsets", "qXfer:libraries:read::0,fff", "qXfer:auxv:read::0,fff",
	"qRcmd,68656c70", "qRcmd,76657273696f6e", "qRcmd,6d6f64756c6573", "qRcmd,70726f636573736f7273", "qRcmd,62756763", "qRcmd,627567636865636b",
	"qRcmd,627265616b706f696e7473", "qRcmd,7068797320302078", "qRcmd,706879732030", "qRcmd,6d73722032372031", "qRcmd,6d7372203237", "qRcmd,7265626f6f74", "k", "D",
	"xfffff80000001000,20",
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void do_command(struct cursor *c)
{
	submit_packet(span_of(commands[cursor_u8(c) % COMMANDS]));
}

/* Its place on the path, or among all addresses. */
static uint64_t some_address(struct cursor *c)
{
	uint8_t n = cursor_u8(c);

	return n == 0xff ? cursor_le(c, 8) : n == 0xfe ? PEER_BASE + PEER_BREAK_PC : PEER_BASE + PEER_PATH + n;
}

static void do_stop(struct cursor *c)
{
	static const uint32_t codes[] = { 0x80000003, 0x80000004, 0xc0000005, 0x80000007, 0xc000001d };
	uint8_t what = cursor_u8(c);
	unsigned cpu = what >> 4;

	if (what & 8)
		kd_peer_set(peer.cpu[cpu % PEER_CPUS].special + 0x40, 8, cursor_u8(c) & 15);
	kd_peer_stop(&peer, cpu, codes[(what & 7) % (sizeof codes / sizeof *codes)], some_address(c));
}

static void do_report(struct cursor *c)
{
	uint8_t what = cursor_u8(c);

	if (what < 0x40) {
		kd_peer_begin_state(&peer, 0x3032 + (what & 3), what >> 4);
		kd_peer_report(&peer);
	} else {
		kd_peer_load(&peer, what & 1 ? "\\SystemRoot\\a.sys" : NULL, what & 2 ? UINT64_MAX : PEER_BASE, what & 4);
	}
}

static void do_print(struct cursor *c)
{
	static const char *const texts[] = {
		"hello\n", "\n*** Fatal System Error: 0x000000d1\n", "   (0xFFFF8000DEADBEEF,0x0000000000000002,0x0000000000000000,0xFFFFF80000000800)\n",
		"Driver at fault: \n***   a.sys - Address 0\n", "KDTARGET: Refreshing KD connection\n", "\033]0;x\007",
	};
	uint8_t what = cursor_u8(c);
	const char *text = texts[what % (sizeof texts / sizeof *texts)];

	if (what & 0x80)
		kd_peer_prompt(&peer, what & 0x40 ? "(boipt)? " : text, what & 15);
	else if (what & 0x40)
		kd_peer_file(&peer, (char)what);
	else
		kd_peer_print(&peer, text);
}

static void do_anew(struct cursor *c)
{
	kd_peer_anew(&peer);
	peer.kern_base += cursor_u8(c) & 1 ? 0x10000 : 0;
}

/* With the right id and sum. */
static void do_packet(struct cursor *c)
{
	unsigned type = cursor_u8(c);
	struct span payload = cursor_take(c, cursor_u8(c) * 4u);

	if (!c->bad)
		kd_peer_say(&peer, type, payload.p, payload.len);
}

static void do_lie(struct cursor *c)
{
	uint8_t n = cursor_u8(c);

	for (; n & 3 && peer.lies_n < PEER_LIES; n--) {
		peer.lies[peer.lies_n].at = (uint16_t)(cursor_u8(c) * (n & 0x40 ? 16 : 1));
		peer.lies[peer.lies_n++].to = cursor_u8(c);
	}
	if (n & 0x80)
		peer.lie_length = cursor_u8(c) * (n & 0x20 ? 16u : 1u);
}

static void put(struct span s)
{
	put_on(peer.link, s);
}

static void do_bytes(struct cursor *c)
{
	put(cursor_take(c, cursor_u8(c)));
}

static void do_fault(struct cursor *c)
{
	uint8_t n = cursor_u8(c);

	if (peer.late_at != NEVER)
		return; /* there is one */
	peer.fault = (enum peer_fault)(n % PEER_FAULTS);
	peer.way = n & 0x80 ? PEER_TO_HOST : PEER_TO_TARGET;
	peer.number = peer.frames[peer.way] + 1 + (n >> 4 & 7);
}

static void do_habit(struct cursor *c)
{
	static bool *const flags[] = { &peer.silent, &peer.mute, &peer.deaf, &peer.executes, &peer.shows, &peer.hole[0], &peer.hole[1], &peer.hole[2], &peer.hole[3] };
	uint8_t what = cursor_u8(c);

	*flags[what % (sizeof flags / sizeof *flags)] = what & 0x80;
}

static void do_refuse(struct cursor *c)
{
	static const unsigned apis[] = { 0, 0x3130, 0x3131, 0x3132, 0x3133, 0x3134, 0x3135, 0x3137, 0x3138, 0x3146, 0x3152 };
	uint8_t what = cursor_u8(c);

	*(what & 0x80 ? &peer.refuse : &peer.mute_api) = apis[what % (sizeof apis / sizeof *apis)];
}

static void do_be(struct cursor *c)
{
	static const uint16_t machines[] = { 0x8664, 0x14c, 0xaa64, 0x200 };
	uint8_t what = cursor_u8(c);

	peer.machine = machines[what & 3];
	peer.cpus = what & 4 ? what * 16u : 1 + (what >> 4);
	peer.read_max = what & 8 ? what * 16u : KD_PAYLOAD_MAX - PEER_HEADER;
}

/* Its lists: what they hold, and where they go on. */
static void do_list(struct cursor *c)
{
	uint8_t what = cursor_u8(c);
	uint64_t at = (uint64_t)(what & 0x7f) * 8;

	peer.module_list = PEER_BASE + PEER_LIST;
	peer.data_list = PEER_BASE + PEER_KDBG;
	kd_peer_set(peer.mem + (what & 0x80 ? PEER_LIST : PEER_KDBG) + at, 8, PEER_BASE + PEER_LIST + cursor_u8(c) * 8u);
}

static void do_time(struct cursor *c)
{
	static const unsigned ms[] = { 1, 10, 100, 249, 250, 700, 1000, 2000, 5000, 20000, 60000 };

	w.now += ms[cursor_u8(c) % (sizeof ms / sizeof *ms)];
}

static void hang_up(void)
{
	link_destroy_stack(peer.link);
	peer.link = ear = NULL;
	w.hung_up = true;
}

static void do_hang_up(struct cursor *c)
{
	if (cursor_u8(c) % 8 == 0)
		hang_up();
}

static void (*const steps[])(struct cursor *c) = {
	do_command, do_command, do_command, do_command, do_command, do_any_command, do_stop, do_stop, do_report, do_print,
	do_anew,    do_packet,  do_lie,     do_lie,     do_bytes,   do_fault,       do_habit, do_refuse, do_be,   do_list,
	do_time,    do_deadline, do_interrupt, do_leave, do_hang_up,
};

/* What a target once said, in pieces, whatever is asked of it. */
static void replay(struct cursor *c)
{
	unsigned n = cursor_u8(c), piece = 1 + cursor_u8(c) * 4u;

	while (w.state != LOST && cursor_peek(c) >= 0) {
		size_t left = (size_t)(c->end - c->p);

		put(cursor_take(c, left < piece ? left : piece));
		settle();
		submit_packet(span_of(commands[n++ % COMMANDS]));
		if (n % 64 == 0)
			do_deadline(NULL);
		settle();
	}
}

static void prepare(void)
{
	must(kd_framer_init(&framer) == 0 && buf_init(&rx, ROOM) == 0 && buf_init(&tx, ROOM) == 0);
}

static void begin(uint8_t kind, uint8_t line)
{
	static const enum fault faults[] = { FAULT_NONE, FAULT_NONE, FAULT_REFUSE, FAULT_SPLIT, FAULT_STALL };
	enum fault fault = faults[line % (sizeof faults / sizeof *faults)];
	struct link *near;

	must(kd_peer_init(&peer) == 0);
	near = link_pair_new(&peer.link, PIECE);
	must(near != NULL);
	near = fault == FAULT_NONE ? near : link_fault_new(near, fault, 1 + line / 64);
	must(near != NULL);
	ear = peer.link;
	w = (struct walk){ .now = 1000, .unable = -EOPNOTSUPP };
	script = kind & 1;
	peer.executes = kind & 2;
	peer.forgetful = true;
	w.be = backend_kd_new(near);
	must(w.be != NULL);
	kd_framer_reset(&framer);
	framer.noise = 0;
}

/* How its registers are described is as good as constant, and an XML parser reads it: once of each is enough. */
int __real_tdesc_build(struct tdesc *t);
int __wrap_tdesc_build(struct tdesc *t);

static void copy_built(struct tdesc *to, const struct tdesc *from)
{
	must(buf_put_span(&to->xml, buf_span(&from->xml)) == 0);
	memcpy(to->regs, from->regs, from->regs_n * sizeof *from->regs);
	memcpy(to->arch, from->arch, sizeof from->arch);
	memcpy(to->osabi, from->osabi, sizeof from->osabi);
	to->regs_n = from->regs_n;
	to->g_bytes = from->g_bytes;
}

int __wrap_tdesc_build(struct tdesc *t)
{
	static struct described { struct buf doc; struct tdesc built; } all[DESCRIBED];
	struct span doc = buf_span(&t->docs[0].bytes);
	struct described *d = all;

	while (d->doc.base && (d->doc.len != doc.len || memcmp(buf_data(&d->doc), doc.p, doc.len)))
		must(++d < all + DESCRIBED);
	if (d->doc.base) {
		copy_built(t, &d->built);
		return 0;
	}
	must(__real_tdesc_build(t) == 0 && buf_init(&d->doc, doc.len) == 0 && buf_put_span(&d->doc, doc) == 0);
	must(tdesc_init(&d->built) == 0);
	copy_built(&d->built, t);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = { .p = data, .end = data + size };
	uint8_t kind = cursor_u8(&c), line = cursor_u8(&c);

	if (!rx.base)
		prepare();
	reuse_begin();
	begin(kind, line);
	settle();
	if (script)
		play(&c, (struct steps){ steps, sizeof steps / sizeof *steps }, settle);
	else
		replay(&c);
	script = false;
	finish(settle);
	w.be->ops->destroy(w.be);
	kd_peer_fini(&peer);
	return 0;
}
