/* reply.h - what a stub answers, as values: parsed and checked, then written anew for each client.
 *
 * Source: gdb manual, "Stop Reply Packets", "Packets"; lldb's lldbgdbremote.md. A value never holds more than the
 * request asked for: the parser is given the request's form and limit. */
#ifndef RSP_REPLY_H
#define RSP_REPLY_H

#include "rsp/cmd.h"

enum rsp_reply_kind {
	RSP_REPLY_OK,
	RSP_REPLY_UNSUPPORTED, /* the empty packet */
	RSP_REPLY_ERROR,       /* .code, and .bytes: words, if there are any */
	RSP_REPLY_BYTES,       /* .bytes */
	RSP_REPLY_REGS,        /* .bytes: lower-case hex digits and x, two for each byte */
	RSP_REPLY_TEXT,        /* .bytes: printable, without $ # } * */
	RSP_REPLY_CHUNK,       /* .bytes, .last */
	RSP_REPLY_THREADS,     /* .threads; .last: it was an l (parsed: no ids then) */
	RSP_REPLY_OUTPUT,      /* .bytes: an O packet's text; more will come */
	RSP_REPLY_FILE,        /* .result .code .bytes */
	RSP_REPLY_STOP,        /* .stop */
};

enum { RSP_STOP_REGS = 64, RSP_STOP_REG_BYTES = 64, RSP_THREADS_MAX = 4096, RSP_ERROR_TEXT = 320 };

enum rsp_stop_kind { RSP_STOP_SIGNAL, RSP_STOP_EXITED, RSP_STOP_KILLED, RSP_STOP_NONE_LEFT };
enum rsp_stop_why { RSP_WHY_NONE, RSP_WHY_WATCH, RSP_WHY_RWATCH, RSP_WHY_AWATCH, RSP_WHY_SWBREAK, RSP_WHY_HWBREAK, RSP_WHY_REPLAY_BEGIN, RSP_WHY_REPLAY_END, RSP_WHY_LIBRARY };

struct rsp_stop {
	enum rsp_stop_kind kind;
	uint8_t code;             /* gdb's signal number, or the exit status */
	bool has_thread, has_core;
	struct rsp_thread thread;
	uint64_t core;
	bool odd;                 /* it had what no client had asked for: a process that forked, a call that was caught */
	enum rsp_stop_why why;
	uint64_t addr;            /* of a watch */
	const char *words;        /* what lldb shows as the reason; NULL: follows from the rest. Never parsed */
	bool libraries;           /* lldb is to read the list of libraries, as with RSP_WHY_LIBRARY. Never parsed */
	size_t regs_n;            /* expedited registers; beyond them nothing is set */
	struct rsp_stop_reg {
		unsigned num, len;
		uint8_t value[RSP_STOP_REG_BYTES];
	} regs[RSP_STOP_REGS];
};

struct rsp_reply {
	enum rsp_reply_kind kind;
	unsigned code;
	int64_t result;
	bool last;
	bool cleaned;      /* ERROR: bytes of the words were replaced, or left out */
	struct span bytes; /* borrowed from the body that was parsed */
	const struct rsp_thread *threads; /* borrowed */
	size_t threads_n;
};

/* What bounds an answer. */
struct rsp_expect {
	enum rsp_form form;
	size_t most;                /* decoded bytes: HEX BINARY CHUNK REGS TEXT FILE */
	bool exact;                 /* HEX, REGS: no fewer either */
	struct rsp_thread *threads; /* THREADS: where ids go, threads_max of them; those beyond are read and not kept */
	size_t threads_max;
};

/* Parses the body of one packet, as TOLERANT framing delivered it (run-length gone, escapes not). The body is used up.
 * 0; -EBADMSG: not what such a request can be answered with. Errors (E01, E.text, E01;hex) and the empty packet are
 * accepted for every form but STOP, where the empty packet is not. STOP fills *stop, which others leave alone. An O packet
 * is OUTPUT for MONITOR and STOP; THREADS takes QC and one id as well. .bytes of FILE has a NULL .p where nothing was attached. */
int rsp_reply_parse(uint8_t *body, size_t len, const struct rsp_expect *want, struct rsp_reply *reply, struct rsp_stop *stop) MUST_USE;

/* A stop reply alone. Known keys only are kept; a key that is none is dropped, a known one with a bad value is -EBADMSG.
 * The first reason counts, and the first watched address. Whether there is a register of that number is not asked here. */
int rsp_stop_parse(struct span body, struct rsp_stop *stop) MUST_USE;

/* A little-endian register of a REGS reply as a number; false: unavailable, or wider than that. */
bool rsp_reg_value(struct span hex, uint64_t *value);

/* How one client wants things written. */
struct rsp_dialect {
	bool lldb;          /* else gdb */
	bool swbreak, hwbreak; /* the client said it understands these reasons */
	bool error_text;    /* gdb: error-message+ : E.text anywhere */
	bool error_strings; /* lldb: QEnableErrorStrings : E01;hex */
	bool list_threads;  /* lldb: QListThreadsInStopReply */
};

/* Writers of whole packets, framed. All: 0; -ENOBUFS and nothing written. */
int rsp_say_ok(struct buf *out) MUST_USE;
int rsp_say_empty(struct buf *out) MUST_USE;
int rsp_say_text(struct buf *out, const char *text) MUST_USE;     /* the body is text; escaped where it must be */
int rsp_say_error(struct buf *out, const struct rsp_dialect *d, unsigned code, struct span words) MUST_USE; /* words only if the client can take them; made printable; $ # } * replaced */
int rsp_say_output(struct buf *out, struct span text) MUST_USE;   /* one O packet */
int rsp_say_stop(struct buf *out, const struct rsp_dialect *d, const struct rsp_stop *stop, const struct rsp_thread *threads, size_t n) MUST_USE; /* threads: for list_threads; may be NULL */

/* The bytes of a read, in pieces: one packet, whose checksum is kept in between. Nothing else may be written until its
 * end. put opens it. All zero: not open. */
struct rsp_part {
	bool open;
	uint8_t sum;
};

int rsp_part_put(struct buf *out, const struct rsp_cmd *cmd, struct span bytes, struct rsp_part *part) MUST_USE;
int rsp_part_end(struct buf *out, struct rsp_part *part) MUST_USE;

/* Any reply to the command it answers: hex for m, b and bytes for x, QC, chunks... STOP is not for this: -EINVAL.
 * A thread list that does not fit is cut to what fits, at most 4 KiB. */
int rsp_say_reply(struct buf *out, const struct rsp_dialect *d, const struct rsp_cmd *cmd, const struct rsp_reply *reply) MUST_USE;

#endif
