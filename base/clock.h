/* clock.h - the two clocks. Read by proxy/ only: everything below is given the time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_ms(void); /* monotonic */
int64_t clock_skew(void); /* the wall clock minus that, in ms */

/* The wall clock as "2026-01-31T23:59:59.123Z". out holds CLOCK_STAMP bytes. Returns out. */
enum { CLOCK_STAMP = 32 };
const char *clock_stamp(char out[CLOCK_STAMP]);

#endif
