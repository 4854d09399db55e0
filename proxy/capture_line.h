/* capture_line.h - one line of a recording of a serial line as text: seconds, T from the target or H from the host, the bytes in hex,
 * a blank between each. Pure; for proxy/capture.c alone. */
#ifndef PROXY_CAPTURE_LINE_H
#define PROXY_CAPTURE_LINE_H

#include "base/buf.h"

enum { CAPTURE_LINE_BYTES = 16384, CAPTURE_LINE = 2 * CAPTURE_LINE_BYTES + 64 };

struct capture_line {
	double time;
	bool from_host;
};

/* line: without its end. bytes is replaced. 0; -EBADMSG it is no such line; -ENOBUFS more bytes than fit. */
int capture_line_parse(struct span line, struct capture_line *out, struct buf *bytes) MUST_USE;

#endif
