/* replay.h - kdgate replay FILE: a recording read as what a KD target knew (backends/kd/replay.h). */
#ifndef PROXY_REPLAY_H
#define PROXY_REPLAY_H

#include <stddef.h>

struct kd_replay;
struct kdnet_key;

/* The first KD conversation of the file, over KDNET or a stream; *r is made. key: of KDNET; NULL: none. 0; -errno with why. */
int replay_load(struct kd_replay **r, const char *file, const struct kdnet_key *key, char *why, size_t why_size);
void replay_drop(struct kd_replay *r); /* NULL is fine */

#endif
