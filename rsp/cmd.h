/* cmd.h - client packets as values. One table says how each packet reads AND what it can do to the target.
 *
 * Source: gdb manual, "Packets", "General Query Packets", "Host I/O Packets", "Tracepoint Packets"; lldb's
 * lldbgdbremote.md. A packet is known by its whole name: nothing is matched by prefix, nothing after the last
 * argument is ignored, every number has a greatest count of digits.
 *
 * Encoding is always from the value: what a client sent never goes anywhere as it was. */
#ifndef RSP_CMD_H
#define RSP_CMD_H

#include "base/buf.h"

/* What a packet may do. A packet has all the effects it may have; it passes only if each is allowed. */
enum rsp_effect {
	RSP_EFF_QUERY = 1 << 0,
	RSP_EFF_MEM_READ = 1 << 1,
	RSP_EFF_MEM_WRITE = 1 << 2,
	RSP_EFF_REG_READ = 1 << 3,
	RSP_EFF_REG_WRITE = 1 << 4,
	RSP_EFF_BREAK = 1 << 5,
	RSP_EFF_RUN = 1 << 6,
	RSP_EFF_SIGNAL = 1 << 7,
	RSP_EFF_PROCESS = 1 << 8,
	RSP_EFF_MONITOR = 1 << 9,
	RSP_EFF_FILE = 1 << 10,
	RSP_EFF_FLASH = 1 << 11,
	RSP_EFF_CONFIG = 1 << 12,
	RSP_EFF_TRACE = 1 << 13,
	RSP_EFF_CONSOLE = 1 << 14,
	RSP_EFF_OPAQUE = 1 << 15,
	RSP_EFF_ALL = (1 << 16) - 1,
};
enum { RSP_EFFECTS = 16 };

const char *rsp_effect_name(enum rsp_effect one);    /* "mem.read"; NULL: not one effect */
unsigned rsp_effect_of(struct span name);            /* 0: no such effect */

/* Only what is treated by name somewhere. Everything else in the table is RSP_OP_PLAIN: judged by its effects
 * and then passed to the target's stub as it was understood, or answered "unsupported". */
enum rsp_op {
	RSP_OP_UNKNOWN, /* not in the table: effect opaque */
	RSP_OP_PLAIN,
	RSP_OP_NOTHING, /* known, and always answered "unsupported" (empty) without asking anybody: vMustReplyEmpty, qP, qL, ... */
	/* the conversation itself */
	RSP_OP_SUPPORTED, RSP_OP_NO_ACK, RSP_OP_EXTENDED, RSP_OP_STATUS, RSP_OP_VCONT_QUERY, RSP_OP_ALLOW, RSP_OP_ECHO,
	RSP_OP_THREAD_SUFFIX, RSP_OP_LIST_THREADS, RSP_OP_ERROR_STRINGS, RSP_OP_HOST_INFO, RSP_OP_PROCESS_INFO,
	RSP_OP_ATTACHED, RSP_OP_SYMBOL,
	/* registers */
	RSP_OP_REGS_READ, RSP_OP_REGS_WRITE, RSP_OP_REG_READ, RSP_OP_REG_WRITE,
	/* memory; BIN: x and X */
	RSP_OP_MEM_READ, RSP_OP_MEM_READ_BIN, RSP_OP_MEM_WRITE, RSP_OP_MEM_WRITE_BIN, RSP_OP_MEM_CRC, RSP_OP_MEM_SEARCH,
	/* breakpoints */
	RSP_OP_BREAK_SET, RSP_OP_BREAK_CLEAR,
	/* run control. RESUME: vCont, c, s, C, S, all as actions. FOLLOW is made of a RESUME by the session, never parsed */
	RSP_OP_RESUME, RSP_OP_REVERSE, RSP_OP_CTRL_C, RSP_OP_FOLLOW,
	/* threads */
	RSP_OP_THREAD_SELECT, RSP_OP_THREAD_ALIVE, RSP_OP_THREAD_CURRENT, RSP_OP_THREADS_FIRST, RSP_OP_THREADS_NEXT, RSP_OP_THREAD_EXTRA,
	/* the rest */
	RSP_OP_OWN, /* a MONITOR that kdgate answers itself; made by the session, never parsed */
	RSP_OP_DETACH, RSP_OP_KILL, RSP_OP_VKILL, RSP_OP_RESTART, RSP_OP_MONITOR, RSP_OP_XFER_READ, RSP_OP_XFER_WRITE, RSP_OP_FILE,
	RSP_OPS,
};

/* What the answer of a stub to it looks like; see reply.h. */
enum rsp_form {
	RSP_FORM_NONE,    /* no answer is expected: k */
	RSP_FORM_OK,      /* OK */
	RSP_FORM_HEX,     /* hex digits: the bytes themselves: m */
	RSP_FORM_REGS,    /* hex digits, or x for what is unavailable: g, p */
	RSP_FORM_BINARY,  /* b and escaped bytes: x */
	RSP_FORM_TEXT,    /* printable text: qCRC, qSearch, ... */
	RSP_FORM_CHUNK,   /* m or l, escaped bytes: qXfer */
	RSP_FORM_THREADS, /* m and ids, or l */
	RSP_FORM_STOP,    /* a stop reply */
	RSP_FORM_MONITOR, /* any number of O, then OK or hex */
	RSP_FORM_FILE,    /* F result[,errno][;bytes] */
};

/* How a "no" must look so that the client neither hangs nor does the same by other means (reference: a client
 * that reads "unsupported" falls back to an older packet). See proxy/ for the words. */
enum rsp_denial {
	RSP_DENY_ERROR,   /* E01 or E.text */
	RSP_DENY_EMPTY,   /* "unsupported" is harmless here */
	RSP_DENY_RESUME,  /* a stop or an error that leaves the client usable */
	RSP_DENY_MONITOR, /* console text, then an end */
	RSP_DENY_FILE,    /* F-1,1: EPERM */
	RSP_DENY_LOCAL,   /* never a "no": it becomes a detach of this client alone (k, vKill) */
};

/* One row of the table. Arguments are written as a schema, read left to right; see cmd_table.c for its letters. */
struct rsp_spec {
	const char *name;   /* the packet's literal beginning, with the separator it cannot be without: "qXfer:features:read:"
	                     * "Z0," "qRcmd," "m"; but "vCont" "qSupported" "qAttached" "D" */
	const char *schema; /* what follows */
	enum rsp_op op;
	unsigned effects;   /* of enum rsp_effect; what an argument adds (c addr writes PC) is added by the parser */
	bool stops;         /* may be answered by a stop reply */
	enum rsp_form form;
	enum rsp_denial denial;
};

/* pid: RSP_THREAD_ALL, 0 none given (or any), or a process. tid: RSP_THREAD_ALL, 0 any, or a thread. KGDB's shadow
 * threads are negative: -2 and lower. */
struct rsp_thread {
	int64_t pid, tid;
};
enum { RSP_THREAD_ALL = -1 };

static inline bool rsp_thread_names_one(struct rsp_thread t)
{
	return t.tid != 0 && t.tid != RSP_THREAD_ALL;
}

struct rsp_action {
	char verb;          /* c s t r, and C S with sig */
	uint8_t sig;
	uint64_t from, to;  /* r */
	bool has_thread;
	struct rsp_thread thread;
};

struct rsp_range {
	uint64_t addr, len;
};

enum { RSP_ACTIONS_MAX = 64, RSP_RANGES_MAX = 64, RSP_DATA_MAX = 16384 };

/* A parsed packet. data, text and annex borrow from the body that was parsed. What a packet has not is 0, but actions and
 * ranges beyond their counts are anything.
 *
 *	c s C S   one action; an address is addr with has_addr, and the action's from
 *	Z z       num[0] is the type, len the kind or the length that is watched
 *	qXfer     text is the object, annex, num[0] the offset, len how much is wanted
 *	vFile     num[] are fd, flags, mode, offset in their order; len of pread; data the path, or pwrite's bytes
 *	D vKill vAttach qAttached   thread.pid with has_thread, where a process was named; D1 (stay stopped) has num[0] 1
 *	vFlashWrite   len is data.len */
struct rsp_cmd {
	const struct rsp_spec *spec; /* NULL: RSP_OP_UNKNOWN */
	enum rsp_op op;
	unsigned effects;
	bool has_thread, has_addr, has_len;
	struct rsp_thread thread; /* H T ... and lldb's ;thread:t; */
	uint64_t addr, len;       /* bytes; len also for M and X, and equal to data.len there */
	uint64_t num[3];          /* register number; breakpoint type; offset; fd; mode; in the order of the schema */
	char which;               /* H: 'g' 'c' 's'; of a qXfer that is handed to a backend: 'g' 'l', who reads it, gdb or lldb */
	struct span data;         /* decoded bytes: of M X G P qRcmd (the text) vFile (the path) ... */
	struct span text;         /* printable text: qXfer object, qSupported features, JSON; of UNKNOWN: the whole packet */
	struct span annex;        /* qXfer */
	size_t actions_n, ranges_n;
	struct rsp_action actions[RSP_ACTIONS_MAX];
	struct rsp_range ranges[RSP_RANGES_MAX];
};

/* Parses the body of one packet, as STRICT framing delivered it. The body is used up: hex and escapes are decoded
 * inside it, and *cmd borrows from it.
 * 0: *cmd is filled, op may be UNKNOWN (effect opaque). -EBADMSG: a packet of the table whose arguments are wrong;
 * then only spec is set (and op UNKNOWN, effect opaque). The size of a register file is not known here: G is not checked
 * against it. */
int rsp_cmd_parse(uint8_t *body, size_t len, struct rsp_cmd *cmd) MUST_USE;

/* The canonical packet of a value, body only, escaped where it is binary: open a frame, call this, close it.
 * -ENOBUFS; -EINVAL for UNKNOWN, which has no canonical form, and for a value that would not parse again: data that is
 * not len bytes, a number too long, text with $ # } *. out may then hold a part. */
int rsp_cmd_encode(struct buf *out, const struct rsp_cmd *cmd) MUST_USE;

/* A value to fill in and encode: spec, op and effects of the named row, and what the name itself says (type of Z and z,
 * which of H, object of qXfer, verb of c s C S): leave that as it is. name must be a row's; the separator that an
 * optional rest begins with may follow ("vCont;"). */
void rsp_cmd_make(struct rsp_cmd *cmd, const char *name);
const struct rsp_spec *rsp_spec_at(size_t i); /* the table, row by row, for tests and documents; NULL at the end */

/* KGDB's fffffffe is read as -2, and so is gdb's -2; -2 is written fffffffe, which everybody reads. */
int rsp_thread_put(struct buf *out, struct rsp_thread t) MUST_USE;    /* "1", "p1.2", "-1"; -ENOBUFS, -EINVAL */
int rsp_thread_take(struct cursor *c, struct rsp_thread *t) MUST_USE; /* 0, -EBADMSG and c->bad */

/* One line for people and logs: printable ASCII, at most size - 1 characters, data shown by its length. Returns out. */
const char *rsp_cmd_show(const struct rsp_cmd *cmd, char *out, size_t size);

#endif
