/* io.h - what a KD target says and asks by itself: prints, prompts, files, traces (KD 5, 6). */
#ifndef BACKENDS_KD_IO_H
#define BACKENDS_KD_IO_H

#include "backends/kd/prints.h"
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

/* One of the letters that the prompt offers in parentheses, as in "(boipt)?": to stop there, o or b; to go on, i or c; the other two
 * if there is none of these. 0: it offers nothing of that kind, and an empty answer is right. A prompt that offers letters comes
 * again without end when it is answered with none; count prompts all the same. */
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

#endif
