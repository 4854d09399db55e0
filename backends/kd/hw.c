/* hw.c - see hw.h. Encodings: KD 7.2; x86's debug registers; arm64's DBGBCR, DBGBVR, DBGWCR, DBGWVR. */
#include "backends/kd/hw.h"

#include "backends/kd/le.h"

#include <errno.h>

enum { X86_SLOTS = 4, ARM64_BREAKS = 8, ARM64_WATCHES = 2, GRANULE = 8 };
enum { DR7_FIXED = 1 << 10, DR6_HITS = 0xf };
enum { CR_ENABLE = 1, CR_EL0_EL1 = 3 << 1, CR_LOAD = 1 << 3, CR_STORE = 2 << 3, CR_BAS = 5, CR_HMC = 1 << 13, CR_SSC = 3 << 14,
       BCR_BAS = 0xf << CR_BAS };

/* Where the special registers keep them (KD 4.3): a slot's address and control, each of so many bytes. x86 has one control, DR7. */
struct bank {
	unsigned slots, value, value_size, control, control_size;
};

static const struct bank none, x86_32 = { X86_SLOTS, 0x10, 4, 0x24, 4 }, x86_64 = { X86_SLOTS, 0x20, 8, 0x48, 8 },
			 breaks = { ARM64_BREAKS, 0x28, 8, 0x68, 4 }, watches = { ARM64_WATCHES, 0x88, 8, 0x98, 4 };

static const struct {
	const struct bank *any, *watch; /* watch: the slots that come behind */
	unsigned dr6, dr6_context, end; /* end: of all debug registers */
} machines[KD_MACHINES] = {
	[KD_MACHINE_NONE] = { &none, &none, 0, 0, 0 },
	[KD_I386] = { &x86_32, &none, 0x20, 0x14, 0x28 },
	[KD_AMD64] = { &x86_64, &none, 0x40, 0x68, 0x50 },
	[KD_ARM64] = { &breaks, &watches, 0, 0, 0xa0 },
};

/* ---- slots ---- */

unsigned kd_hw_slots(enum kd_machine machine)
{
	return machines[machine].any->slots + machines[machine].watch->slots;
}

bool kd_hw_fits(enum kd_machine machine, unsigned slot, enum kd_hw_type type)
{
	bool watch = slot >= machines[machine].any->slots;

	return slot < kd_hw_slots(machine) && (machine != KD_ARM64 || watch == (type != KD_HW_EXECUTE));
}

/* Its place: in *bank, number *n. Only for a slot that there is. */
static const struct bank *bank_of(enum kd_machine machine, unsigned slot, unsigned *n)
{
	bool behind = slot >= machines[machine].any->slots;

	*n = behind ? slot - machines[machine].any->slots : slot;
	return behind ? machines[machine].watch : machines[machine].any;
}

/* Older targets have fewer special registers, but these. */
static bool was_read(const struct kd_regs *r)
{
	return r->special_n && r->special_n >= machines[r->machine].end;
}

static unsigned value_at(const struct bank *bank, unsigned n)
{
	return bank->value + n * bank->value_size;
}

static unsigned control_at(enum kd_machine machine, const struct bank *bank, unsigned n)
{
	return bank->control + (machine == KD_ARM64 ? n * bank->control_size : 0);
}

/* ---- what a slot's control says ---- */

static int check_x86(enum kd_machine machine, const struct kd_hw *hw)
{
	unsigned most = (unsigned)kd_pointer_size(machine);
	bool good = hw->len == 1 || hw->len == 2 || hw->len == 4 || hw->len == 8;

	return good && hw->len <= most && !(hw->addr & (hw->len - 1)) && kd_narrow(machine, hw->addr) == hw->addr ? 0 : -EINVAL;
}

static int check_arm64(const struct kd_hw *hw)
{
	return hw->len && hw->len <= GRANULE - (hw->addr & (GRANULE - 1)) ? 0 : -EINVAL;
}

/* An instruction begins anywhere on x86, and at every fourth byte on arm64. */
static int check_execute(enum kd_machine machine, const struct kd_hw *hw)
{
	return machine == KD_ARM64 && hw->addr & 3 ? -EINVAL : kd_narrow(machine, hw->addr) == hw->addr ? 0 : -EINVAL;
}

int kd_hw_check(enum kd_machine machine, const struct kd_hw *hw)
{
	if (!kd_hw_slots(machine))
		return -EINVAL;
	if (hw->type == KD_HW_EXECUTE)
		return check_execute(machine, hw);
	return machine == KD_ARM64 ? check_arm64(hw) : check_x86(machine, hw);
}

static uint64_t dr7_mask(unsigned n)
{
	return (uint64_t)3 << 2 * n | (uint64_t)0xf << (16 + 4 * n);
}

/* R/W and LEN, and the global enable bit. */
static uint64_t dr7_of(unsigned n, const struct kd_hw *hw)
{
	static const uint8_t access[] = { [KD_HW_EXECUTE] = 0, [KD_HW_WRITE] = 1, [KD_HW_ACCESS] = 3 };
	static const uint8_t length[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
	unsigned len = hw->type == KD_HW_EXECUTE ? 1 : hw->len;

	return (uint64_t)2 << 2 * n | (uint64_t)(access[hw->type] | length[len] << 2) << (16 + 4 * n) | DR7_FIXED;
}

/* In both exception levels. A watch says which of the 8 bytes it is for. */
static uint64_t arm64_control(const struct kd_hw *hw)
{
	uint64_t all = CR_ENABLE | CR_EL0_EL1 | CR_HMC | CR_SSC;
	uint64_t bytes = hw->type == KD_HW_EXECUTE ? 0 : (((uint64_t)1 << hw->len) - 1) << (hw->addr & (GRANULE - 1));

	if (hw->type == KD_HW_EXECUTE)
		return all | BCR_BAS;
	return all | CR_STORE | (hw->type == KD_HW_ACCESS ? (uint64_t)CR_LOAD : 0) | bytes << CR_BAS;
}

/* ---- set, clear, look ---- */

static uint64_t control(const struct kd_regs *r, unsigned slot)
{
	unsigned n;
	const struct bank *bank = bank_of(r->machine, slot, &n);

	return le_at(r->special + control_at(r->machine, bank, n), bank->control_size);
}

static void set_control(struct kd_regs *r, unsigned slot, uint64_t v)
{
	unsigned n;
	const struct bank *bank = bank_of(r->machine, slot, &n);

	le_put(r->special + control_at(r->machine, bank, n), bank->control_size, v);
	r->dirty |= KD_NEEDS_SPECIAL;
}

static void set_value(struct kd_regs *r, unsigned slot, uint64_t v)
{
	unsigned n;
	const struct bank *bank = bank_of(r->machine, slot, &n);

	le_put(r->special + value_at(bank, n), bank->value_size, v);
}

static uint64_t value(const struct kd_regs *r, unsigned slot)
{
	unsigned n;
	const struct bank *bank = bank_of(r->machine, slot, &n);

	return le_at(r->special + value_at(bank, n), bank->value_size);
}

int kd_hw_set(struct kd_regs *r, unsigned slot, const struct kd_hw *hw)
{
	int rc = kd_hw_check(r->machine, hw);

	if (rc || !kd_hw_fits(r->machine, slot, hw->type))
		return -EINVAL;
	if (!was_read(r))
		return -ENODATA;
	if (r->machine == KD_ARM64) {
		set_value(r, slot, hw->type == KD_HW_EXECUTE ? hw->addr : hw->addr & ~(uint64_t)(GRANULE - 1));
		set_control(r, slot, arm64_control(hw));
	} else {
		set_value(r, slot, hw->addr);
		set_control(r, slot, (control(r, slot) & ~dr7_mask(slot)) | dr7_of(slot, hw));
	}
	return 0;
}

int kd_hw_clear(struct kd_regs *r, unsigned slot)
{
	if (slot >= kd_hw_slots(r->machine))
		return -EINVAL;
	if (!was_read(r))
		return -ENODATA;
	set_value(r, slot, 0);
	set_control(r, slot, r->machine == KD_ARM64 ? 0 : control(r, slot) & ~dr7_mask(slot));
	return 0;
}

bool kd_hw_used(const struct kd_regs *r, unsigned slot)
{
	if (slot >= kd_hw_slots(r->machine) || !was_read(r))
		return false;
	return r->machine == KD_ARM64 ? control(r, slot) & CR_ENABLE : control(r, slot) >> 2 * slot & 3;
}

/* ---- what stopped it ---- */

int kd_hw_hit(uint64_t dr6, uint64_t dr7)
{
	for (unsigned n = 0; n < X86_SLOTS; n++)
		if (dr6 >> n & 1 && dr7 >> 2 * n & 3)
			return (int)n;
	return -1;
}

static bool forget(uint8_t *dr6)
{
	bool had = *dr6 & DR6_HITS;

	*dr6 &= (uint8_t)~DR6_HITS;
	return had;
}

void kd_hw_forget(struct kd_regs *r)
{
	unsigned special = machines[r->machine].dr6, context = machines[r->machine].dr6_context;

	if (special && special < r->special_n && forget(&r->special[special]))
		r->dirty |= KD_NEEDS_SPECIAL;
	if (context && context < r->context_n && forget(&r->context[context]))
		r->dirty |= KD_NEEDS_CONTEXT;
}

static enum kd_hw_type x86_type(uint64_t dr7, unsigned n)
{
	unsigned access = dr7 >> (16 + 4 * n) & 3;

	return access == 0 ? KD_HW_EXECUTE : access == 1 ? KD_HW_WRITE : KD_HW_ACCESS;
}

static bool holds_x86(const struct kd_regs *r, unsigned slot, enum kd_hw_type type, uint64_t addr)
{
	static const uint8_t length[] = { 1, 2, 8, 4 };
	uint64_t dr7 = control(r, slot);

	return x86_type(dr7, slot) == type && addr - value(r, slot) < length[dr7 >> (18 + 4 * slot) & 3];
}

static bool holds_arm64(const struct kd_regs *r, unsigned slot, enum kd_hw_type type, uint64_t addr)
{
	uint64_t c = control(r, slot), base = value(r, slot);

	if (!kd_hw_fits(KD_ARM64, slot, type))
		return false;
	if (type == KD_HW_EXECUTE)
		return base == addr;
	return (type == KD_HW_ACCESS) == ((c & CR_LOAD) != 0) && addr - base < GRANULE && c >> (CR_BAS + addr - base) & 1;
}

int kd_hw_find(const struct kd_regs *r, enum kd_hw_type type, uint64_t addr)
{
	for (unsigned slot = 0; slot < kd_hw_slots(r->machine); slot++) {
		if (!kd_hw_used(r, slot))
			continue;
		if (r->machine == KD_ARM64 ? holds_arm64(r, slot, type, addr) : holds_x86(r, slot, type, addr))
			return (int)slot;
	}
	return -1;
}
