/* capture_flow.h - TCP segments put together to conversations, in bounded memory. For proxy/capture.c alone. */
#ifndef PROXY_CAPTURE_FLOW_H
#define PROXY_CAPTURE_FLOW_H

#include "proxy/capture.h"
#include "proxy/capture_packet.h"

enum { CAPTURE_HELD = 64, CAPTURE_HELD_BYTES = 16 << 20 }; /* what waits for bytes before it: segments of a direction; bytes of all */

struct capture_flows;

struct capture_flows *capture_flows_new(void); /* NULL: out of memory */
void capture_flows_destroy(struct capture_flows *t);

/* One segment; before it, take everything that comes of the one before. 0, -ENOMEM. */
int capture_flows_put(struct capture_flows *t, const struct capture_packet *p, double time) MUST_USE;
bool capture_flows_take(struct capture_flows *t, struct capture_piece *piece); /* false: nothing now */
void capture_flows_finish(struct capture_flows *t); /* nothing more comes: what still waits is told */
void capture_end_show(char out[CAPTURE_NAME], const struct capture_end *e); /* "127.0.0.1:1234" "[::1]:1234" */
uint64_t capture_flows_seen(const struct capture_flows *t); /* conversations, so far */

#endif
