/* log.h - lines on standard error for whoever runs the program. Never through a client's connection.
 *
 * Under systemd (JOURNAL_STREAM is set) each line begins with its priority, "<4>", as sd-daemon(3) has it. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_setup(enum log_level most); /* lines above most are left out; the start value is INFO */

/* One line; a newline is added, control characters are made visible, over-long lines are cut. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
