/* stub.c - see stub.h. */
#include "backends/rsp/stub.h"

#include <errno.h>
#include <string.h>

enum { PACKET_DEFAULT = 400, /* what gdb begins with when a stub does not say */
       WRITE_HEAD = 28 };

int stub_init(struct stub *s)
{
	*s = (struct stub){ .packet_max = PACKET_DEFAULT };
	if (tdesc_init(&s->tdesc) < 0)
		return -ENOMEM;
	if (buf_init(&s->map, STUB_MAP_MAX) == 0)
		return 0;
	tdesc_fini(&s->tdesc);
	return -ENOMEM;
}

void stub_fini(struct stub *s)
{
	tdesc_fini(&s->tdesc);
	buf_fini(&s->map);
}

static size_t bounded(size_t n)
{
	return n < 1 ? 1 : n > STUB_READ_MAX ? STUB_READ_MAX : n;
}

size_t stub_read_max(const struct stub *s)
{
	return bounded((s->packet_max - STUB_FRAME) / 2);
}

size_t stub_write_max(const struct stub *s)
{
	return bounded((s->packet_max - STUB_FRAME - WRITE_HEAD) / 2);
}

static size_t trap_at(const struct stub *s, uint64_t addr)
{
	size_t i = 0;

	while (i < s->traps_n && s->traps[i] != addr)
		i++;
	return i;
}

bool stub_has_trap(const struct stub *s, uint64_t addr)
{
	return trap_at(s, addr) < s->traps_n;
}

static void note_software(struct stub *s, const struct rsp_cmd *cmd, bool set)
{
	size_t at = trap_at(s, cmd->addr);

	if (!set && at < s->traps_n)
		s->traps[at] = s->traps[--s->traps_n];
	if (set && at == s->traps_n && s->traps_n < STUB_TRAPS)
		s->traps[s->traps_n++] = cmd->addr;
}

static void note_hardware(struct stub *s, const struct rsp_cmd *cmd, bool set)
{
	struct stub_hardware it = { cmd->num[0], cmd->addr, cmd->len };
	size_t at = 0;

	while (at < s->hardware_n && memcmp(&s->hardware[at], &it, sizeof it))
		at++;
	if (!set && at < s->hardware_n)
		s->hardware[at] = s->hardware[--s->hardware_n];
	if (set && at == s->hardware_n && s->hardware_n < STUB_HARDWARE)
		s->hardware[s->hardware_n++] = it;
}

void stub_note_trap(struct stub *s, const struct rsp_cmd *cmd, bool set)
{
	(cmd->num[0] ? note_hardware : note_software)(s, cmd, set);
}

bool stub_pc_overshoots(const struct stub *s)
{
	return s->described && !(s->features.can & RSP_CAN_SWBREAK) && !strncmp(s->tdesc.arch, "i386", 4) && tdesc_pc(&s->tdesc);
}
