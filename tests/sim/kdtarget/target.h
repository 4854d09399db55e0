/* target.h - a KD target: its state, and what its parts offer one another.
 *
 * It is written as a kernel's KD is: a call that sends waits for its acknowledgement, a stop serves requests until it is continued. All waiting
 * is done in wait.c, which meanwhile looks after the host's connection and the lines on standard input. */
#ifndef SIM_KDTARGET_TARGET_H
#define SIM_KDTARGET_TARGET_H

#include "tests/sim/kdtarget/bytes.h"
#include "tests/sim/kdtarget/guest.h"
#include "tests/sim/kdtarget/net.h"
#include "tests/sim/kdtarget/quirks.h"
#include "tests/sim/kdtarget/transport.h"

#include <stdio.h>

enum { KD_PACKET = 4000, KD_HEADER = 56, KD_STATE = 240, KD_BREAKPOINTS = 32, KD_SPECIAL = 0xe0, KD_CONTEXT = 1232, KD_LINES = 64, KD_LINE = 512 };
enum { KD_TICK_MS = 15 };

enum kd_type { KD_MANIPULATE = 2, KD_DEBUG_IO = 3, KD_ACK = 4, KD_RESEND = 5, KD_RESET = 6, KD_STATE_CHANGE = 7, KD_FILE_IO = 11 };
enum kd_state { KD_EXCEPTION = 0x3030, KD_LOAD_SYMBOLS = 0x3031, KD_COMMAND_STRING = 0x3032 };
enum kd_status { KD_SUCCESS = 0, KD_UNSUCCESSFUL = 0xc0000001u };
enum kd_code { KD_BREAKPOINT = 0x80000003u, KD_SINGLE_STEP = 0x80000004u, KD_WAKE = 0x80000007u };
enum kd_flag { KD_TF = 0x100, KD_RF = 0x10000 };

struct line_way;

struct packet {
	unsigned type;
	uint32_t id;
	size_t n;
	uint8_t body[KD_PACKET];
};

struct kd_cpu {
	uint8_t special[KD_SPECIAL]; /* what is in no register of the guest */
	uint16_t seg[6];             /* as the host sees them: cs ds es fs gs ss */
	uint64_t thread_dr[8];       /* of CONTEXT; without effect */
	uint64_t dr6, dr7;
	bool stepping;
};

struct kd_break {
	uint64_t addr;
	uint8_t saved;
	bool used;
};

/* One report. */
struct stop {
	enum kd_state state;
	unsigned cpu;
	uint32_t code, first_chance;
	uint64_t address; /* of the exception */
	unsigned params;
	uint64_t info[2];
	uint64_t base, process; /* of symbols */
	uint32_t checksum, size;
	bool unload;
	uint8_t extra[600];
	size_t extra_n;
};

enum outcome { OUTCOME_NONE, OUTCOME_HANDLED, OUTCOME_NOT_HANDLED, OUTCOME_SWITCH, OUTCOME_REBOOT, OUTCOME_CRASH, OUTCOME_OVER };

struct target {
	struct guest_setup setup;
	const struct profile *profile;
	uint64_t quirks;
	unsigned timeout_ms, retries;
	bool boot;
	const struct line_way *way;
	struct transport link;
	struct net net; /* in its place, if it is on */
	struct guest *guest;
	FILE *log;
	bool log_hex;

	uint32_t send_id, expect_id;
	bool present, pending; /* a debugger; a break-in */
	unsigned long sent, received, acks, breakins, asked[0x40]; /* asked: by API, from 0x3130 */
	struct packet in;

	struct kd_cpu cpu[GUEST_PROCESSORS];
	struct kd_break breaks[KD_BREAKPOINTS];
	unsigned owner, serving, switch_to;
	bool stopped, context_given, stepped, driver_told, stale;
	uint8_t staged[KD_CONTEXT];

	char lines[KD_LINES][KD_LINE], partial[KD_LINE]; /* from standard input */
	size_t lines_n, partial_n;
	bool input_ended;
	volatile bool quit, reboot;
	unsigned boots;
};

static inline bool is(const struct target *k, enum quirk q)
{
	return k->quirks >> q & 1;
}

static inline bool wide(const struct target *k)
{
	return k->setup.arch == GUEST_AMD64;
}

/* i386: sign-extended on the wire. */
static inline uint64_t addr_out(const struct target *k, uint64_t addr)
{
	return wide(k) ? addr : (uint64_t)(int64_t)(int32_t)(uint32_t)addr;
}

static inline uint64_t addr_in(const struct target *k, uint64_t addr)
{
	return wide(k) ? addr : (uint32_t)addr;
}

/* note.c - the log, and words on standard output */
uint64_t now_ms(void);
void note(struct target *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note_packet(struct target *k, char way, unsigned type, uint32_t id, const uint8_t *body, size_t n);
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* wait.c */
bool host_joined(const struct target *k);    /* somebody is there */
void wait_for(struct target *k, int ms);     /* for anything, at most that long */
int wait_byte(struct target *k, unsigned ms); /* from the host; -1: none came, or it is over */
void wait_quietly(struct target *k, unsigned ms); /* the host is not heard: what it says is lost */
static inline bool over(const struct target *k)
{
	return k->quit || k->reboot;
}

/* kd_line.c */
enum line { LINE_OK, LINE_TIMEOUT, LINE_AGAIN, LINE_GONE, LINE_OVER };
void line_restart(struct target *k);                                                 /* the machine starts anew */
enum line line_send(struct target *k, unsigned type, const uint8_t *body, size_t n); /* OK; GONE: nobody acknowledged; OVER */
enum line line_receive(struct target *k, unsigned type);                             /* into k->in. AGAIN: the peer wants the last packet again */
bool line_broken(struct target *k);                                                  /* while it runs, once a tick: a break-in came */

/* kd_io.c */
void io_print(struct target *k, unsigned cpu, const void *text, size_t n);
size_t io_prompt(struct target *k, unsigned cpu, const void *text, size_t n, void *answer, size_t room);
void io_ask_file(struct target *k, const char *path);

/* kd_break.c */
unsigned break_add(struct target *k, uint64_t addr);    /* a handle; 0: it is there, or no room, or no memory */
bool break_remove(struct target *k, unsigned handle);
void break_remove_near(struct target *k, uint64_t pc, size_t n);
size_t memory_read(struct target *k, uint64_t addr, uint8_t *to, size_t n);
size_t memory_write(struct target *k, uint64_t addr, const uint8_t *from, size_t n);
uint64_t memory_pointer(struct target *k, uint64_t addr); /* 0: not there */

/* kd_context.c */
void context_boot(struct target *k);
size_t context_size(const struct target *k);
void context_get(struct target *k, unsigned cpu, uint8_t *to);
int context_set(struct target *k, unsigned cpu, const uint8_t *from);
size_t special_size(const struct target *k);
void special_get(struct target *k, unsigned cpu, uint8_t *to);
int special_set(struct target *k, unsigned cpu, const uint8_t *from);
uint64_t context_pcr(struct target *k, unsigned cpu);
uint64_t context_prcb(struct target *k, unsigned cpu);
uint64_t context_thread(struct target *k, unsigned cpu);
int context_dr7(struct target *k, unsigned cpu, uint64_t dr7);
int context_flags(struct target *k, unsigned cpu, uint64_t clear, uint64_t set);

/* kd_requests.c */
enum outcome request_serve(struct target *k, struct packet *p);

/* kd_stop.c */
enum outcome stop_tell(struct target *k, const struct stop *s);      /* reports, and serves until it is continued */
void stop_exception(struct target *k, const struct guest_event *e);  /* and what follows; it runs when this returns, or it is over */
void stop_end(struct target *k, enum outcome o);                     /* what an outcome asks for */
void stop_in_place(struct target *k, unsigned cpu);

/* kd_service.c */
void service_call(struct target *k, const struct guest_event *e);

/* control.c */
void control_urgent(struct target *k, const char *line); /* taken at once; what is not is queued */
void control_next(struct target *k);                     /* while it runs: the first line that waits */

/* replay.c */
int replay_run(struct target *k, const char *file);

#endif
