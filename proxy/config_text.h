/* config_text.h - the text of a configuration file, made fit for libconfuse.
 *
 * That library (3.3) ends the process when it reads a directory, takes what an unclosed section, text or comment holds
 * for the whole, counts lines wrong after a comment, drops characters it does not know, cuts texts at NUL, and looks for
 * the end of ${ as far as the file goes. What could bring it there is refused here, and comments are blanked. */
#ifndef PROXY_CONFIG_TEXT_H
#define PROXY_CONFIG_TEXT_H

#include "base/buf.h"

enum { CONFIG_TEXT_BYTES = 1 << 20, CONFIG_TEXT_WORD = 4096, CONFIG_TEXT_WORDS = 20000, CONFIG_TEXT_DEPTH = 8 };

/* A regular file of at most CONFIG_TEXT_BYTES, into *text, which is the caller's to free. 0; -errno with *cause. */
int config_text_load(char **text, size_t *len, const char *file, const char **cause) MUST_USE;

/* Blanks comments where they stand. *words counts names and values on, over all files together: at most CONFIG_TEXT_WORDS.
 * 0; -EINVAL with *line, and why: "what is wrong; expected ...". */
int config_text_clean(char *text, size_t len, size_t *words, unsigned *line, char *why, size_t why_size) MUST_USE;

#endif
