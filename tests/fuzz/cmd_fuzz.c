/* cmd_fuzz.c - any body: refused cleanly, or taken and then the same after writing and reading it again. */
#include "rsp/cmd.h"
#include "rsp/framer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/guard.h"
#include "tests/rsp/cmd_same.h"

#include <errno.h>

enum { ROOM = 1 << 17 };

static struct rsp_cmd first, second;
static uint8_t copy[ROOM];
static struct buf out, again;

static void is_refused(int rc)
{
	char line[80];

	must(rc == 0 || rc == -EBADMSG);
	must(first.op == RSP_OP_UNKNOWN && first.effects == RSP_EFF_OPAQUE && (rc == 0) == (first.spec == NULL));
	must(rsp_cmd_encode(&out, &first) == -EINVAL && out.len == 0);
	if (!rc)
		must(strlen(rsp_cmd_show(&first, line, sizeof line)) < sizeof line);
}

static void is_taken(void)
{
	char line[80];

	must(first.effects && !(first.effects & RSP_EFF_OPAQUE) == !(first.spec->effects & RSP_EFF_OPAQUE));
	must(!first.has_addr || first.addr <= UINT64_MAX - first.len);
	must(strlen(rsp_cmd_show(&first, line, sizeof line)) < sizeof line);
	must(rsp_cmd_encode(&out, &first) == 0);
	memcpy(copy, buf_data(&out), out.len);
	memset(&second, 0x5a, sizeof second);
	must(rsp_cmd_parse(copy, out.len, &second) == 0 && same_cmd(&first, &second));
	must(rsp_cmd_encode(&again, &second) == 0 && same_span(buf_span(&out), buf_span(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int rc;

	if (size > ROOM / 4)
		return 0;
	if (!out.base)
		must(buf_init(&out, ROOM) == 0 && buf_init(&again, ROOM) == 0);
	buf_reset(&out, 0);
	buf_reset(&again, 0);
	memset(&first, 0xa5, sizeof first);
	rc = rsp_cmd_parse(guard_copy(data, size), size, &first);
	if (rc || first.op == RSP_OP_UNKNOWN)
		is_refused(rc);
	else
		is_taken();
	return 0;
}
