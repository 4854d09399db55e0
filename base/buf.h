/* buf.h - bytes with a hard ceiling, room in front for headers; borrowed bytes; a checked reader. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

/* Owned by whoever holds the struct; allocated once by buf_init, never grows. */
struct buf {
	uint8_t *base;
	size_t cap, off, len;
};

/* Borrowed: valid until the next call on its owner. */
struct span {
	const uint8_t *p;
	size_t len;
};

int buf_init(struct buf *b, size_t cap) MUST_USE; /* 0, -ENOMEM */
void buf_fini(struct buf *b);
void buf_reset(struct buf *b, size_t headroom);
int buf_put(struct buf *b, const void *p, size_t n) MUST_USE; /* 0, -ENOBUFS and nothing changed; so are all puts */
int buf_put_u8(struct buf *b, uint8_t c) MUST_USE;
int buf_put_text(struct buf *b, const char *text) MUST_USE;
int buf_put_span(struct buf *b, struct span s) MUST_USE;
int buf_printf(struct buf *b, const char *fmt, ...) MUST_USE __attribute__((format(printf, 2, 3)));
uint8_t *buf_push(struct buf *b, size_t n) MUST_USE; /* open n bytes in front; NULL: no headroom */
int buf_pull(struct buf *b, size_t n) MUST_USE;      /* drop n bytes from the front; 0, -EBADMSG */
void buf_cut(struct buf *b, size_t len);             /* shorten to len; longer than it is: nothing */
void buf_pack(struct buf *b);                        /* move what is left to the start */
uint8_t *buf_data(const struct buf *b);
size_t buf_room(const struct buf *b);
struct span buf_span(const struct buf *b);

struct span span_of(const char *text); /* without the final NUL */
bool span_is(struct span s, const char *text);
bool span_starts(struct span s, const char *text);
struct span span_from(struct span s, size_t at); /* what follows the first at bytes; empty when there is none */

/* Reads past the end set .bad and give 0; check .bad once, after the last field. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

struct cursor cursor_of(struct span s);
bool cursor_done(const struct cursor *c); /* all read, nothing bad */
int cursor_peek(const struct cursor *c);  /* the next byte; -1 at the end */
uint8_t cursor_u8(struct cursor *c);
uint64_t cursor_le(struct cursor *c, size_t bytes); /* little-endian, at most 8 */
struct span cursor_take(struct cursor *c, size_t n);
struct span cursor_rest(struct cursor *c);
bool cursor_skip(struct cursor *c, uint8_t want); /* eats want if it is next; false, and nothing bad, if not */

#endif
