/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded producer states: given back in any order, and one that stays holds up no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/rand.h"
#include "logstore/snapshot_arena.h"

struct fixture {
	struct snapshot_arena arena;
	struct partition *p;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct partition_identity identity = {.topic = "orders"};

	assert_non_null(f);
	assert_int_equal(snapshot_arena_init(&f->arena, 16, 1), 0);
	f->p = partition_make(&identity, 0, 0, 4);
	assert_non_null(f->p);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	snapshot_arena_close(&f->arena);
	partition_free(f->p);
	free(f);
	return 0;
}

static void
one_that_stays_holds_up_no_other(void **state)
{
	struct fixture *f = *state;
	struct snapshot_slot *late = snapshot_arena_encode(&f->arena, f->p, 1);

	assert_non_null(late);
	for (uint32_t i = 0; i < 4 * SNAPSHOT_SLOTS_MIN; i++) {
		struct snapshot_slot *slot = snapshot_arena_encode(&f->arena, f->p, 2 + i);

		assert_non_null(slot);
		assert_int_equal(slot->offset, 2 + i);
		snapshot_arena_give(&f->arena, slot);
	}
	assert_int_equal(late->offset, 1);
	snapshot_arena_give(&f->arena, late);
	assert_int_equal(f->arena.count, 0);
	assert_int_equal(f->arena.used_bytes, 0);
}

/* Any order of takes and gives: no two overlap, none changes under the keeper's hands. */
static void
slots_in_use_never_overlap(void **state)
{
	struct fixture *f = *state;
	struct snapshot_slot *used[SNAPSHOT_SLOTS_MIN];
	uint8_t first[SNAPSHOT_SLOTS_MIN];
	uint32_t count = 0;
	struct rand rand;

	rand_init(&rand, 7);
	for (uint32_t i = 0; i < 20000; i++) {
		struct snapshot_slot *slot =
			rand_below(&rand, 2) ? snapshot_arena_encode(&f->arena, f->p, i) : NULL;

		if (slot) {
			first[count] = (uint8_t)i;
			memset((void *)(uintptr_t)slot->own, (uint8_t)i, slot->own_len);
			used[count++] = slot;
		} else if (count > 0) {
			uint32_t at = (uint32_t)rand_below(&rand, count);

			assert_int_equal(used[at]->own[0], first[at]);
			assert_int_equal(used[at]->own[used[at]->own_len - 1], first[at]);
			snapshot_arena_give(&f->arena, used[at]);
			used[at] = used[--count];
			first[at] = first[count];
		}
		assert_int_equal(f->arena.count, count);
	}
	while (count > 0) {
		snapshot_arena_give(&f->arena, used[--count]);
	}
	assert_int_equal(f->arena.used_bytes, 0);
}

static void
half_of_it_is_for_rolls(void **state)
{
	struct fixture *f = *state;
	uint32_t taken = 0;

	for (; snapshot_arena_roomy(&f->arena); taken++) {
		assert_non_null(snapshot_arena_encode(&f->arena, f->p, taken));
	}
	assert_int_equal(taken, SNAPSHOT_SLOTS_MIN / 2);
	for (; snapshot_arena_encode(&f->arena, f->p, taken); taken++) {
	}
	assert_int_equal(taken, SNAPSHOT_SLOTS_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(one_that_stays_holds_up_no_other),
		CASE(slots_in_use_never_overlap),
		CASE(half_of_it_is_for_rolls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
