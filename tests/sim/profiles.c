/* profiles.c - the kinds of stub, as they were seen on the wire. See stub.h. */
#include "tests/sim/stub.h"

#include <string.h>

static const struct profile profiles[] = {
	{
		.name = "plain", .features = "PacketSize=4000;QStartNoAckMode+;vContSupported+", .vcont = "vCont;c;C;s;S",
		.id_digits = 1, .id_multi = "", .list_end = "l", .has = NEED_NO_ACK | NEED_VCONT | NEED_BINARY | NEED_MONITOR | NEED_ATTACHED,
		.regs = MACHINE_REGS_CORE, .regs_bytes = MACHINE_BYTES_CORE, .packet_most = 0x4000, .read_most = 0x2000,
	},
	{
		.name = "qemu", .features = "PacketSize=1000;qXfer:features:read+;vContSupported+;multiprocess+", .vcont = "vCont;c;C;s;S",
		.id_digits = 2, .id_multi = "p01.", .list_end = "l", .has = NEED_VCONT | NEED_XML | NEED_MONITOR | NEED_ATTACHED,
		.regs = MACHINE_REGS, .regs_bytes = MACHINE_BYTES, .packet_most = 0x1000, .read_most = 0x800, .one_by_one = true, .status_clears = true,
	},
	{
		.name = "gdbserver", .features = "PacketSize=47ff;QStartNoAckMode+;qXfer:features:read+;multiprocess+;swbreak+;hwbreak+;vContSupported+",
		.vcont = "vCont;c;C;t;s;S;r", .id_digits = 1, .id_multi = "p1.", .list_end = "l",
		.has = NEED_NO_ACK | NEED_VCONT | NEED_XML | NEED_BINARY | NEED_SEARCH | NEED_MONITOR | NEED_ATTACHED,
		.regs = MACHINE_REGS, .regs_bytes = MACHINE_BYTES, .packet_most = 0x47ff, .read_most = 0x2300, .run_length = true, .short_reads = true,
		.past_trap = true, .swbreak = true, .expedites = true,
	},
	{
		.name = "kgdb", .features = "", .vcont = "", .id_digits = 2, .id_multi = "", .list_end = "", .has = NEED_MONITOR,
		.regs = MACHINE_REGS_CORE, .regs_bytes = MACHINE_BYTES_KGDB, .packet_most = 1024, .read_most = 0x1ff, .past_trap = true,
		.status_clears = true, .stops_dropped = true, .orig_rax = true, .c_destroys = true,
	},
};

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}
