/* cmd_thread.c - thread ids, as in "Packets" of the gdb manual: [p PID .] TID, each -1, 0 or hex; see cmd.h.
 *
 * KGDB names its shadow threads fffffffe and lower; gdb keeps a thread id in an int and asks for -2, lldb for
 * fffffffe. Both are read as -2. Written is fffffffe, which gdb, lldb and KGDB all read; of -2 gdb reads nothing. */
#include "rsp/cmd.h"

#include "base/hex.h"

#include <errno.h>
#include <inttypes.h>

static int id_put(struct buf *out, int64_t id)
{
	if (id < INT32_MIN)
		return -EINVAL;
	if (id == RSP_THREAD_ALL)
		return buf_put_text(out, "-1");
	return id < 0 ? buf_printf(out, "%" PRIx32, (uint32_t)id) : buf_printf(out, "%" PRIx64, (uint64_t)id);
}

int rsp_thread_put(struct buf *out, struct rsp_thread t)
{
	int rc;

	if (!t.pid)
		return id_put(out, t.tid);
	if (t.pid < RSP_THREAD_ALL || (t.pid == RSP_THREAD_ALL && t.tid != RSP_THREAD_ALL))
		return -EINVAL;
	rc = buf_put_u8(out, 'p');
	rc = rc ? rc : id_put(out, t.pid);
	rc = rc ? rc : buf_put_u8(out, '.');
	return rc ? rc : id_put(out, t.tid);
}

static int64_t take_negative(struct cursor *c)
{
	uint64_t v = hex_number(c, 8);

	c->bad |= v == 0 || v > (uint64_t)INT32_MAX + 1;
	return c->bad ? 0 : -(int64_t)v;
}

static int64_t take_positive(struct cursor *c)
{
	uint64_t v = hex_number(c, 16);

	c->bad |= v > INT64_MAX;
	return c->bad ? 0 : (int64_t)v;
}

static int64_t take_tid(struct cursor *c)
{
	int64_t v;

	if (cursor_skip(c, '-'))
		return take_negative(c);
	v = take_positive(c);
	return v > INT32_MAX && v < UINT32_MAX ? v - UINT32_MAX - 1 : v;
}

static int64_t take_pid(struct cursor *c)
{
	int64_t v;

	if (!cursor_skip(c, '-'))
		return take_positive(c);
	v = take_negative(c);
	c->bad |= v != RSP_THREAD_ALL;
	return v;
}

int rsp_thread_take(struct cursor *c, struct rsp_thread *t)
{
	*t = (struct rsp_thread){ 0 };
	if (cursor_skip(c, 'p')) {
		t->pid = take_pid(c);
		t->tid = cursor_skip(c, '.') ? take_tid(c) : RSP_THREAD_ALL;
		c->bad |= t->pid == RSP_THREAD_ALL && t->tid != RSP_THREAD_ALL;
	} else {
		t->tid = take_tid(c);
	}
	return c->bad ? -EBADMSG : 0;
}
