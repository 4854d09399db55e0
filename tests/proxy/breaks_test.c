/* breaks_test.c - owners come and go; a model that is slow and plain says the same. */
#include "proxy/breaks.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct breaks b;

static int fresh(void **state)
{
	(void)state;
	memset(&b, 0, sizeof b);
	return 0;
}

static struct breakpoint at(uint64_t addr)
{
	return (struct breakpoint){ 0, addr, 1 };
}

static void owners_come_and_go(void **state)
{
	struct breakpoint bp;

	(void)state;
	assert_int_equal(breaks_own(&b, at(0x10), 1), 1);
	assert_int_equal(breaks_own(&b, at(0x10), 200), 0);
	assert_int_equal(breaks_own(&b, at(0x10), 200), 0);
	assert_int_equal(breaks_disown(&b, at(0x10), 2), -ENOENT);
	assert_int_equal(breaks_disown(&b, at(0x20), 1), -ENOENT);
	assert_int_equal(breaks_disown(&b, at(0x10), 1), 0);
	assert_int_equal(breaks_disown(&b, at(0x10), 1), -ENOENT);
	assert_false(breaks_orphan(&b, &bp));
	assert_int_equal(breaks_disown(&b, at(0x10), 200), 1);
	assert_true(breaks_orphan(&b, &bp) && bp.addr == 0x10);
	assert_int_equal(breaks_count(&b), 1);
	breaks_gone(&b, at(0x10));
	assert_false(breaks_orphan(&b, &bp));
	assert_int_equal(breaks_count(&b), 0);
	breaks_gone(&b, at(0x10));
	assert_int_equal(breaks_count(&b), 0);
}

static void an_orphan_is_adopted(void **state)
{
	struct breakpoint bp;

	(void)state;
	assert_int_equal(breaks_own(&b, at(0x10), 0), 1);
	breaks_leave(&b, 0);
	assert_true(breaks_orphan(&b, &bp));
	assert_int_equal(breaks_own(&b, at(0x10), 255), 0);
	assert_false(breaks_orphan(&b, &bp));
	assert_true(breaks_owns(&b, at(0x10), 255) && !breaks_owns(&b, at(0x10), 0) && !breaks_owns(&b, at(0x11), 255));
}

static void never_set_while_owned(void **state)
{
	struct breakpoint bp;

	(void)state;
	assert_int_equal(breaks_own(&b, at(0x10), 3), 1);
	breaks_gone(&b, at(0x10)); /* the target would not have it */
	assert_int_equal(breaks_of(&b, 3), 0);
	assert_false(breaks_orphan(&b, &bp));
	assert_int_equal(breaks_own(&b, at(0x10), 3), 1);
}

static void what_makes_the_key(void **state)
{
	static const struct breakpoint keys[] = { { 0, 0x10, 1 }, { 1, 0x10, 1 }, { 4, 0x10, 4 }, { 0, 0x11, 1 }, { 4, 0x10, 1 } };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(breaks_own(&b, keys[i], 7), 1);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(breaks_own(&b, keys[i], 7), 0);
	assert_int_equal(breaks_of(&b, 7), 5);
	assert_int_equal(breaks_own(&b, (struct breakpoint){ 5, 0x10, 1 }, 7), -EINVAL);
	assert_int_equal(breaks_own(&b, at(1), BREAKS_SLOTS), -EINVAL);
	assert_int_equal(breaks_disown(&b, at(0x10), BREAKS_SLOTS), -ENOENT);
	breaks_leave(&b, BREAKS_SLOTS + 7);
	assert_int_equal(breaks_of(&b, 7), 5);
}

static void kinds_of_one_breakpoint(void **state)
{
	static const struct breakpoint first = { 0, 0x10, 2 }, second = { 0, 0x10, 4 }, hard = { 1, 0x10, 1 }, harder = { 1, 0x10, 4 };

	(void)state;
	assert_int_equal(breaks_own(&b, first, 7), 1);
	assert_int_equal(breaks_own(&b, second, 8), 0);
	assert_int_equal(breaks_own(&b, hard, 7), 1);
	assert_int_equal(breaks_disown(&b, harder, 8), -ENOENT);
	assert_int_equal(breaks_disown(&b, first, 7), 0);
	assert_true(breaks_owns(&b, first, 8));
	assert_int_equal(breaks_as_set(&b, second).kind, 2);
	assert_int_equal(breaks_as_set(&b, harder).kind, 1);
	assert_int_equal(breaks_as_set(&b, (struct breakpoint){ 2, 0x10, 8 }).kind, 8);
	assert_int_equal(breaks_disown(&b, second, 8), 1);
	breaks_gone(&b, second);
	assert_int_equal(breaks_count(&b), 1);
}

static void there_is_a_ceiling(void **state)
{
	struct breakpoint bp;
	size_t removed = 0;

	(void)state;
	for (uint64_t i = 0; i < BREAKS_MAX; i++)
		assert_int_equal(breaks_own(&b, at(i), (unsigned)(i % 256)), 1);
	assert_int_equal(breaks_own(&b, at(0x10000), 1), -ENOSPC);
	assert_int_equal(breaks_own(&b, at(0), 1), 0);
	for (unsigned slot = 0; slot < BREAKS_SLOTS; slot++)
		breaks_leave(&b, slot);
	for (; breaks_orphan(&b, &bp); removed++)
		breaks_gone(&b, bp);
	assert_int_equal(removed, BREAKS_MAX);
	assert_int_equal(breaks_own(&b, at(0x10000), 1), 1);
	breaks_forget_all(&b);
	assert_int_equal(breaks_count(&b), 0);
	assert_int_equal(breaks_own(&b, at(0x10000), 1), 1);
}

/* The same by other means: there[k], owner[k][slot]. */
enum { KEYS = 12, SLOTS = 5 };
static struct {
	bool there[KEYS], owner[KEYS][SLOTS];
} model;

static unsigned slot_number(int slot)
{
	return (unsigned)slot * 63; /* 0 63 126 189 252: every word, and both its ends */
}

static bool alone(int k)
{
	for (int s = 0; s < SLOTS; s++)
		if (model.owner[k][s])
			return false;
	return model.there[k];
}

static void one_random_step(void)
{
	int k = rand() % KEYS, s = rand() % SLOTS, want;

	switch (rand() % 8) {
	case 0: case 1: case 2:
		assert_int_equal(breaks_own(&b, at((uint64_t)k), slot_number(s)), !model.there[k]);
		model.there[k] = model.owner[k][s] = true;
		break;
	case 3: case 4: case 5:
		want = model.owner[k][s] ? 0 : -ENOENT;
		model.owner[k][s] = false;
		assert_int_equal(breaks_disown(&b, at((uint64_t)k), slot_number(s)), want ? want : alone(k));
		break;
	case 6:
		for (int i = 0; i < KEYS; i++)
			model.owner[i][s] = false;
		breaks_leave(&b, slot_number(s));
		break;
	case 7:
		model.there[k] = false;
		memset(model.owner[k], 0, sizeof model.owner[k]);
		breaks_gone(&b, at((uint64_t)k));
		break;
	}
}

static void same_as_the_model(void)
{
	size_t count = 0, orphans = 0;
	struct breakpoint bp;

	for (int k = 0; k < KEYS; k++) {
		count += model.there[k];
		orphans += alone(k);
	}
	assert_int_equal(breaks_count(&b), count);
	assert_int_equal(breaks_orphan(&b, &bp), orphans > 0);
	assert_true(!orphans || alone((int)bp.addr));
	for (int s = 0; s < SLOTS; s++) {
		size_t n = 0;

		for (int k = 0; k < KEYS; k++)
			n += model.owner[k][s];
		assert_int_equal(breaks_of(&b, slot_number(s)), n);
	}
}

static void as_a_plain_model_has_it(void **state)
{
	(void)state;
	srand(1);
	memset(&model, 0, sizeof model);
	for (int i = 0; i < 50000; i++) {
		one_random_step();
		same_as_the_model();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(owners_come_and_go, fresh),     cmocka_unit_test_setup(an_orphan_is_adopted, fresh),
		cmocka_unit_test_setup(never_set_while_owned, fresh),  cmocka_unit_test_setup(what_makes_the_key, fresh),
		cmocka_unit_test_setup(kinds_of_one_breakpoint, fresh), cmocka_unit_test_setup(there_is_a_ceiling, fresh),
		cmocka_unit_test_setup(as_a_plain_model_has_it, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
