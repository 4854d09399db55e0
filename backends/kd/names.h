/* names.h - words and signals for what stops a KD target: exceptions and bugchecks. */
#ifndef BACKENDS_KD_NAMES_H
#define BACKENDS_KD_NAMES_H

#include <stdint.h>

/* The codes that mean something to a debugger itself (KD 2.2). The rest are in the table behind kd_exception_name. */
#define KD_BREAKPOINT 0x80000003U
#define KD_SINGLE_STEP 0x80000004U /* also hardware breakpoints: see dr6 */
#define KD_WAKE_DEBUGGER 0x80000007U /* a processor reports after SwitchProcessor */

const char *kd_exception_name(uint32_t code); /* "access violation"; NULL: not known */
unsigned kd_exception_signal(uint32_t code);  /* gdb's number of it; what is not known is SIGTRAP */
const char *kd_bugcheck_name(uint32_t code);  /* "IRQL_NOT_LESS_OR_EQUAL"; NULL: not known */

#endif
