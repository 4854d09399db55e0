/* loop.h - serve until a signal ends it. The only part that knows libev. */
#ifndef PROXY_LOOP_H
#define PROXY_LOOP_H

#include "proxy/gate.h"

/* From now until loop_serve listens for them, the signals below wait. */
void loop_hold_signals(void);

/* SIGTERM and SIGINT end it well, a second one at once; SIGHUP opens the audit log anew, or, where the gate is a terminal's,
 * ends it well. 0; -ENOMEM; -EIO: it had to end, and has logged why. */
int loop_serve(struct gate *g) MUST_USE;

#endif
