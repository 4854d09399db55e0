/* link_replay.h - a link at whose other end is a recording: KDCOM packets, answered as the recorded target did (backends/kd/replay.h).
 *
 * It stands at one stop. Let run, it prints what was printed then, and stands at the next whose registers were read; behind the last
 * one it says that the recording ends, and stands where it stood. It loses nothing and is in no hurry, so ACKs and RESENDs say nothing to it. */
#ifndef BACKENDS_LINK_REPLAY_H
#define BACKENDS_LINK_REPLAY_H

#include "backends/link/link.h"

struct kd_replay;

/* r is borrowed, and may be of several links. stop: the first to be shown, from 1. NULL: no memory. */
struct link *link_replay_new(const struct kd_replay *r, size_t stop);

#endif
