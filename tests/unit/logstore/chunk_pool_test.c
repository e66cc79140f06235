/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of chunks: what is held stays, and who asks in vain takes nothing away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "logstore/chunk_pool.h"

#define CHUNKS 8

static uint32_t forgotten;

static void
forget(struct extent *extent)
{
	extent->partition = NULL;
	forgotten++;
}

static int
set_up(void **state)
{
	struct chunk_pool *pool = malloc(sizeof(*pool));
	void *memory = aligned_alloc(4096, CHUNKS * CHUNK_BYTES);

	assert_non_null(pool);
	assert_non_null(memory);
	assert_int_equal(chunk_pool_init(pool, memory, CHUNKS, CHUNKS, forget), 0);
	forgotten = 0;
	*state = pool;
	return 0;
}

static int
tear_down(void **state)
{
	struct chunk_pool *pool = *state;

	free(pool->memory);
	chunk_pool_close(pool);
	free(pool);
	return 0;
}

static struct extent *
take_owned(struct chunk_pool *pool, uint32_t chunks)
{
	struct extent *extent = chunk_pool_take(pool, chunks * CHUNK_BYTES);

	assert_non_null(extent);
	extent->partition = (struct partition *)pool; /* anybody's: its owner is told when it goes */
	return extent;
}

static void
the_oldest_goes_first(void **state)
{
	struct chunk_pool *pool = *state;
	struct extent *first = take_owned(pool, 3);

	(void)take_owned(pool, 5);
	struct extent *third = take_owned(pool, 2);

	assert_ptr_equal(third->memory, first->memory);
	assert_int_equal(forgotten, 1);
}

static void
a_vain_take_takes_nothing_away(void **state)
{
	struct chunk_pool *pool = *state;
	struct extent *extents[CHUNKS];

	for (uint32_t i = 0; i < CHUNKS; i++) {
		extents[i] = take_owned(pool, 1);
	}
	/* Every third is pinned: nowhere are three in a row. */
	for (uint32_t i = 2; i < CHUNKS; i += 3) {
		chunk_pool_pin(pool, extents[i]);
	}
	assert_null(chunk_pool_take(pool, 3 * CHUNK_BYTES));
	assert_int_equal(forgotten, 0);
	for (uint32_t i = 0; i < CHUNKS; i++) {
		assert_int_equal(extents[i]->chunk_count, 1);
	}
	assert_non_null(chunk_pool_take(pool, 2 * CHUNK_BYTES));
	assert_int_equal(forgotten, 2);
	for (uint32_t i = 2; i < CHUNKS; i += 3) {
		chunk_pool_unpin(pool, extents[i]);
	}
}

static void
an_extent_grows_only_into_what_is_free_of_holds(void **state)
{
	struct chunk_pool *pool = *state;
	struct extent *held = take_owned(pool, 1);
	struct extent *rest = take_owned(pool, 7);

	chunk_pool_hold(pool, held);
	chunk_pool_give(pool, rest);
	struct extent *growing = take_owned(pool, 6); /* behind it one free chunk, then the ring's end */

	assert_true(chunk_pool_extend(pool, growing, CHUNK_BYTES));
	assert_false(chunk_pool_extend(pool, growing, CHUNK_BYTES));
	assert_int_equal(growing->chunk_count, 7);
	assert_null(chunk_pool_take(pool, 8 * CHUNK_BYTES));
	assert_int_equal(growing->chunk_count, 7);
	chunk_pool_unhold(pool, held);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(the_oldest_goes_first),
		CASE(a_vain_take_takes_nothing_away),
		CASE(an_extent_grows_only_into_what_is_free_of_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
