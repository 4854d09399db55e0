/* io.h - what a KD target says and asks by itself: prints, prompts, files, traces (KD 5, 6). */
#ifndef BACKENDS_KD_IO_H
#define BACKENDS_KD_IO_H

#include "base/buf.h"

enum { KD_PRINT_STRING = 0x3230, KD_GET_STRING = 0x3231, KD_PRINT_TRACE = 0x3330 };

/* Packets of type 3. Text is any bytes, into the payload, cut to what came. Some stubs send a 12-byte header. */
struct kd_io {
	bool prompt; /* the target does nothing until kd_io_answer has gone */
	uint16_t level, processor;
	uint32_t most; /* bytes an answer may have; of a print 0 */
	struct span text;
};
int kd_io_parse(struct span payload, struct kd_io *out) MUST_USE; /* 0, -EBADMSG too short, or another API */

/* The answer to a prompt, a payload of type 3; cut to what may be answered. 0, -ENOBUFS. */
int kd_io_answer(struct buf *out, const struct kd_io *prompt, struct span answer) MUST_USE;

/* One of the letters the prompt offers in its last parentheses, "(boipt)?": to stop there, o or b; to go on, i or c; the other
 * pair if there is none of these. 0: it offers nothing of that kind, and an empty answer is right. An empty answer to one that offers
 * letters is asked for again without end; so count the prompts all the same. */
char kd_prompt_letter(struct span text, bool stop);

/* Packets of type 11: a target that asks for a driver from the host. All must be answered, or it waits for ever. */
enum kd_file_api { KD_FILE_CREATE = 0x3430, KD_FILE_READ, KD_FILE_WRITE, KD_FILE_CLOSE };
struct kd_file {
	uint32_t api;       /* not always one of the above */
	uint64_t handle;    /* of read, write, close */
	uint64_t offset;
	uint32_t length;    /* of read, write; as asked, unchecked */
	struct span path;   /* of create: UTF-16LE, into the payload, an even number of bytes, without its NUL */
	struct span header; /* into the payload: up to KD_FILE_HEADER bytes */
};
enum { KD_FILE_HEADER = 64 };
int kd_file_parse(struct span payload, struct kd_file *out) MUST_USE; /* 0, -EBADMSG shorter than the API and status */

/* The answer, a payload of type 11: the request's header, and that status. 0, -ENOBUFS. */
int kd_file_refuse(struct buf *out, const struct kd_file *file) MUST_USE;

/* Packets of type 9. */
struct kd_trace {
	uint16_t level, processor;
	struct span data; /* into the payload, cut to what came */
};
int kd_trace_parse(struct span payload, struct kd_trace *out) MUST_USE; /* 0, -EBADMSG */

/* Notices in what is printed, packet after packet, the lines by which a kernel tells about itself. Plain data, no pointers: copy it, zero it. */
enum kd_notice { KD_NOTICE_REFRESH = 1 /* the kernel looks for a debugger: it boots, or a bugcheck begins */,
		 KD_NOTICE_BUGCHECK = 2 /* the next state change is its stop */, KD_NOTICE_PARAMETERS = 4, KD_NOTICE_DRIVER = 8 };
enum { KD_LINE_MAX = 512, KD_DRIVER_MAX = 64 };
struct kd_prints {
	char line[KD_LINE_MAX]; /* that has not ended; what is longer is not read */
	size_t len;
	bool fatal;             /* the parameters of a bugcheck may come yet */
	uint32_t code;          /* of the last bugcheck */
	unsigned params_n;      /* 0 or 4 */
	uint64_t params[4];
	char driver[KD_DRIVER_MAX]; /* printable ASCII; "" not said */
};
unsigned kd_prints_feed(struct kd_prints *p, struct span text); /* of enum kd_notice: what has come with this text */
unsigned kd_prints_end(struct kd_prints *p);                    /* a state change has come: the line that was begun is all there is */

#endif
