/* stub.h - what is known of the stub at the far end, and the requests that it understands. No I/O, no clock. */
#ifndef BACKENDS_RSP_STUB_H
#define BACKENDS_RSP_STUB_H

#include "rsp/cmd.h"
#include "rsp/features.h"
#include "rsp/reply.h"
#include "rsp/tdesc.h"

enum { STUB_FRAME = 4, /* $ and #xx */ STUB_TRAPS = 1024, STUB_HARDWARE = 16, STUB_MAP_MAX = 65536, STUB_READ_MAX = 8190 };

struct stub {
	bool kgdb;                 /* Linux: it says nothing of itself; see kgdb.h */
	struct rsp_features features;
	size_t packet_max;         /* bytes of a packet it takes and gives, $ and #xx included */
	bool vcont_c, vcont_s, vcont_r;
	struct tdesc tdesc;
	bool described;            /* tdesc is built */
	struct buf map;
	struct rsp_thread general, resume; /* its last Hg and Hc; tid 0: not known */
	size_t g_len;              /* bytes in its g reply; 0: not seen */
	uint64_t traps[STUB_TRAPS]; /* software breakpoints that are set */
	size_t traps_n;
	struct stub_hardware { uint64_t type, addr, kind; } hardware[STUB_HARDWARE]; /* breakpoints and watchpoints that are set */
	size_t hardware_n;
};

int stub_init(struct stub *s) MUST_USE;
void stub_fini(struct stub *s);

size_t stub_read_max(const struct stub *s);  /* bytes of one m */
size_t stub_write_max(const struct stub *s); /* bytes of one M */
bool stub_has_trap(const struct stub *s, uint64_t addr);
void stub_note_trap(struct stub *s, const struct rsp_cmd *cmd, bool set); /* a Z or z that was answered OK */

/* The stub reports the address behind the trap where a client expects the trap's own: x86 without swbreak. */
bool stub_pc_overshoots(const struct stub *s);

#endif
