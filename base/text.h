/* text.h - bytes from somebody else, made safe to show on a terminal, in a log, in a reply. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

/* Appends at most max bytes of s. Printable UTF-8 stays; newline and tab stay if lines is true; every other
 * control character (C0, DEL, C1 also as UTF-8), and every byte that is no UTF-8, becomes \xNN. What does not
 * fit is left out. The result is valid UTF-8. */
void text_visible(struct buf *out, struct span s, size_t max, bool lines);

/* The same into an array of size bytes, ended by NUL; printable ASCII only. Returns out. */
const char *text_ascii(char *out, size_t size, struct span s);

#endif
