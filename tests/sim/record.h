/* record.h - what a stub was sent, a line each: seconds, kind, text. What is not printable is written \xNN. */
#ifndef TESTS_SIM_RECORD_H
#define TESTS_SIM_RECORD_H

#include <stdbool.h>
#include <stddef.h>

int record_open(const char *file); /* NULL: nothing is recorded */
bool record_on(void);
void record(const char *kind, const void *bytes, size_t n);
void record_text(const char *kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
