/* features.h - qSupported in both directions, as a set of bits. Source: gdb manual, "General Query Packets". */
#ifndef RSP_FEATURES_H
#define RSP_FEATURES_H

#include "base/buf.h"

enum rsp_feature {
	RSP_CAN_NO_ACK = 1 << 0,         /* QStartNoAckMode+ */
	RSP_CAN_VCONT = 1 << 1,          /* vContSupported+ */
	RSP_CAN_TDESC = 1 << 2,          /* qXfer:features:read+ */
	RSP_CAN_MEMORY_MAP = 1 << 3,     /* qXfer:memory-map:read+ */
	RSP_CAN_SWBREAK = 1 << 4,
	RSP_CAN_HWBREAK = 1 << 5,
	RSP_CAN_REVERSE_STEP = 1 << 6,
	RSP_CAN_REVERSE_CONTINUE = 1 << 7,
	RSP_CAN_ERROR_TEXT = 1 << 8,     /* error-message+ */
	RSP_CAN_BINARY_UPLOAD = 1 << 9,  /* binary-upload+ */
	RSP_CAN_MULTIPROCESS = 1 << 10,
	RSP_CAN_CTRL_C = 1 << 11,        /* vContSupported with vCtrlC; set by hand */
	RSP_CAN_XML_REGISTERS = 1 << 12, /* xmlRegisters=... : a client that reads target.xml */
	RSP_CAN_LIBRARIES = 1 << 13,     /* qXfer:libraries:read+, and so on */
	RSP_CAN_LIBRARIES_SVR4 = 1 << 14,
	RSP_CAN_THREADS = 1 << 15,
	RSP_CAN_EXEC_FILE = 1 << 16,
	RSP_CAN_AUXV = 1 << 17,
	RSP_CAN_SIGINFO = 1 << 18,
};

struct rsp_features {
	unsigned can;        /* of enum rsp_feature; from "name+" only */
	uint64_t packet_size; /* 0: not said. Of a stub; not clamped here */
};

/* Both directions: "a+;b-;c?;d=v". At most 64 items are read, unknown ones are skipped. 0, -EBADMSG. */
int rsp_features_parse(struct span list, struct rsp_features *f) MUST_USE;
int rsp_features_put(struct buf *out, const struct rsp_features *f) MUST_USE; /* "PacketSize=4000;a+;b+" */

#endif
