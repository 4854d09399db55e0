/* slots.c - see slots.h. */
#include "backends/kd/slots.h"

static bool same(const struct kd_hw *a, const struct kd_hw *b)
{
	return a->addr == b->addr && a->len == b->len && a->type == b->type;
}

struct kd_slot *kd_slots_find(struct kd_slots *s, unsigned kind, const struct kd_hw *hw)
{
	for (size_t i = 0; i < KD_SLOTS; i++)
		if (s->slot[i].wanted && s->slot[i].kind == kind && s->slot[i].hw.addr == hw->addr && s->slot[i].hw.len == hw->len)
			return &s->slot[i];
	return NULL;
}

/* One that was there before, first: then nothing need be written. */
static struct kd_slot *free_slot(struct kd_slots *s, enum kd_machine machine, const struct kd_hw *hw)
{
	struct kd_slot *found = NULL;

	for (unsigned i = 0; i < kd_hw_slots(machine) && i < KD_SLOTS; i++) {
		struct kd_slot *slot = &s->slot[i];
		bool stays = slot->live && same(&slot->was, hw);

		if (!slot->wanted && kd_hw_fits(machine, i, hw->type) && (!found || stays))
			found = slot;
	}
	return found;
}

struct kd_slot *kd_slots_want(struct kd_slots *s, enum kd_machine machine, unsigned kind, const struct kd_hw *hw)
{
	struct kd_slot *slot = free_slot(s, machine, hw);

	if (!slot)
		return NULL;
	slot->hw = *hw;
	slot->kind = kind;
	slot->wanted = true;
	return slot;
}

const struct kd_slot *kd_slots_hit(const struct kd_slots *s, unsigned slot)
{
	return slot < KD_SLOTS && s->slot[slot].wanted ? &s->slot[slot] : NULL;
}

void kd_slots_unwant(struct kd_slots *s)
{
	for (size_t i = 0; i < KD_SLOTS; i++)
		s->slot[i].wanted = false;
}

void kd_slots_doubt(struct kd_slots *s)
{
	for (size_t i = 0; i < KD_SLOTS; i++)
		s->slot[i].live = s->slot[i].live && !s->slot[i].wanted;
}

static bool differs(const struct kd_slot *slot)
{
	return slot->wanted != slot->live || (slot->wanted && !same(&slot->hw, &slot->was));
}

bool kd_slots_differ(const struct kd_slots *s)
{
	for (size_t i = 0; i < KD_SLOTS; i++)
		if (differs(&s->slot[i]))
			return true;
	return false;
}

unsigned kd_slots_edit(const struct kd_slots *s, struct kd_regs *r)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < KD_SLOTS; i++) {
		int rc = 0;

		if (differs(&s->slot[i]))
			rc = s->slot[i].wanted ? kd_hw_set(r, i, &s->slot[i].hw) : kd_hw_clear(r, i);
		failed += rc < 0;
	}
	return failed;
}

void kd_slots_settle(struct kd_slots *s)
{
	for (size_t i = 0; i < KD_SLOTS; i++) {
		s->slot[i].was = s->slot[i].hw;
		s->slot[i].live = s->slot[i].wanted;
	}
}
