/* kd_context_fuzz.c - any bytes as a target's CONTEXT and special registers: every register is there or not, goes back as it came, and
 * what is written is read again. The first bytes are the machine, how much came, and a watch to set. */
#include "backends/kd/context.h"
#include "backends/kd/hw.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

/* The bytes again and again, as many as there is to be. */
static size_t fill(uint8_t *to, size_t room, struct span bytes, size_t want)
{
	size_t n = !bytes.len ? 0 : want < room ? want : room;

	for (size_t i = 0; i < n; i++)
		to[i] = bytes.p[i % bytes.len];
	return n;
}

/* The same value changes nothing; another one is refused, or is there. */
static void register_goes(const struct kd_regs *whole, unsigned num, const uint8_t *val)
{
	const struct kd_reg *reg = kd_reg(whole->machine, num);
	uint8_t out[KD_REG_MAX], again[KD_REG_MAX];
	struct kd_regs r = *whole;
	int n = kd_reg_get(&r, num, out), rc;

	must(n == -ENODATA || (n > 0 && (unsigned)n == reg->bits / 8));
	if (n < 0)
		must(kd_reg_put(&r, num, val, reg->bits / 8) == n);
	else
		must(kd_reg_put(&r, num, out, (size_t)n) == 0);
	must(!memcmp(&r, whole, sizeof r));
	rc = n < 0 ? n : kd_reg_put(&r, num, val, (size_t)n);
	if (rc)
		must(!memcmp(&r, whole, sizeof r));
	else if (reg->kind != KD_REG_TAGS)
		must(kd_reg_get(&r, num, again) == n && !memcmp(again, val, (size_t)n));
}

/* What is set is found; what is cleared is not. */
static void watch_goes(const struct kd_regs *whole, const struct kd_hw *hw, unsigned slot)
{
	struct kd_regs r = *whole;
	int rc = kd_hw_set(&r, slot, hw);

	(void)kd_hw_find(whole, hw->type, hw->addr);
	must(rc == 0 || rc == -EINVAL || rc == -ENODATA);
	if (rc) {
		must(!memcmp(&r, whole, sizeof r));
		return;
	}
	must(kd_hw_check(r.machine, hw) == 0 && kd_hw_used(&r, slot) && kd_hw_find(&r, hw->type, hw->addr) >= 0);
	must(kd_hw_clear(&r, slot) == 0 && !kd_hw_used(&r, slot));
	kd_hw_forget(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of((struct span){ data, size });
	struct kd_regs r = { .machine = cursor_u8(&c) % KD_MACHINES, .msr_known = cursor_u8(&c) % (1U << KD_MSRS) };
	size_t context = (size_t)cursor_le(&c, 2), special = cursor_u8(&c);
	struct kd_hw hw = { .type = cursor_u8(&c) % 3, .len = cursor_u8(&c), .addr = cursor_le(&c, 8) };
	unsigned slot = cursor_u8(&c);
	struct span bytes = cursor_rest(&c);
	uint8_t val[KD_REG_MAX] = { 0 };

	(void)fill(val, sizeof val, bytes, sizeof val);
	r.special_n = fill(r.special, sizeof r.special, span_from(bytes, 1), special);
	r.context_n = fill(r.context, sizeof r.context, span_from(bytes, 2), context);
	for (unsigned num = 0; num < kd_reg_count(r.machine); num++)
		register_goes(&r, num, val);
	watch_goes(&r, &hw, slot);
	return 0;
}
