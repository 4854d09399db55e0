/* decode_words.h - one RSP packet in words. For proxy/decode.c alone. */
#ifndef PROXY_DECODE_WORDS_H
#define PROXY_DECODE_WORDS_H

#include "rsp/cmd.h"

enum { DECODE_BODY = 65536, DECODE_SHOWN = 200, DECODE_WORDS = 2048, DECODE_ASKED = 16 };

/* What replies are read by: the commands that wait for theirs, the oldest first; NULL: one that is not known. */
struct decode_asked {
	size_t n;
	const struct rsp_spec *specs[DECODE_ASKED];
};

/* Each writes one line's end into out, ended by NUL, and uses the body up. */
void decode_command(char out[DECODE_WORDS], uint8_t *body, size_t len, struct decode_asked *asked);
void decode_reply(char out[DECODE_WORDS], uint8_t *body, size_t len, struct decode_asked *asked);
void decode_again(struct decode_asked *asked); /* the last command will be sent again */
void decode_notification(char out[DECODE_WORDS], uint8_t *body, size_t len);

/* At most DECODE_SHOWN bytes of s, made printable, and how many there are where that is not all. Returns out. */
const char *decode_raw(char out[DECODE_WORDS], struct span s);

#endif
