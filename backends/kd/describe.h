/* describe.h - the target description (target.xml) of a KD target's processors, made of the registers in context.h.
 *
 * A g may end after kd_reg_cheap() registers: gdb then asks for the others one by one, when they are wanted. What is unavailable is
 * x in g and in p alike, which gdb shows as such; an error to p ends its "info registers", while lldb wants just that. */
#ifndef BACKENDS_KD_DESCRIBE_H
#define BACKENDS_KD_DESCRIBE_H

#include "backends/kd/context.h"

enum { KD_DESCRIBE_MAX = 16384 }; /* in bytes: any of them */

int kd_describe(enum kd_machine machine, struct buf *out) MUST_USE; /* 0; -ENOTSUP a machine we do not know; -ENOBUFS */

#endif
