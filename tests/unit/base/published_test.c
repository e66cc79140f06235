/* SPDX-License-Identifier: Apache-2.0 */
/* Published structs, under a reader that never rests too (run it under TSan as well). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "base/published.h"

#define PUBLICATIONS 300000

struct row {
	uint64_t multiples[40];
	uint8_t tail[8]; /* not of words, but part of a whole number of them */
};

struct slot {
	_Atomic uint64_t version;
	_Atomic uint64_t words[PUBLISHED_WORDS(struct row)];
};

static void
row_fill(struct row *row, uint64_t n)
{
	for (uint32_t i = 0; i < 40; i++) {
		row->multiples[i] = n * (i + 1);
	}
	memset(row->tail, (int)(n & 0xff), sizeof(row->tail));
}

static void
nothing_published_leaves_the_target_alone(void **state)
{
	struct slot slot = {0};
	struct row row;

	row_fill(&row, 7);
	assert_int_equal(published_load(&slot.version, slot.words, &row, PUBLISHED_WORDS(row)), 0);
	assert_int_equal(row.multiples[39], 7 * 40);
}

static void
a_reader_gets_the_last_publication_whole(void **state)
{
	struct slot slot = {0};
	struct row row, seen;
	uint64_t first, second;

	row_fill(&row, 1);
	published_store(&slot.version, slot.words, &row, PUBLISHED_WORDS(row));
	first = published_load(&slot.version, slot.words, &seen, PUBLISHED_WORDS(seen));
	assert_memory_equal(&seen, &row, sizeof(row));
	row_fill(&row, 2);
	published_store(&slot.version, slot.words, &row, PUBLISHED_WORDS(row));
	second = published_load(&slot.version, slot.words, &seen, PUBLISHED_WORDS(seen));
	assert_memory_equal(&seen, &row, sizeof(row));
	assert_true(second > first);
}

/* As a lane's histograms: many of one version, of which a reader copies one. */
static void
a_part_may_be_read_alone(void **state)
{
	struct slot slot = {0};
	struct row row;
	uint64_t seen[2];

	row_fill(&row, 3);
	published_store(&slot.version, slot.words, &row, PUBLISHED_WORDS(row));
	assert_true(published_load(&slot.version, &slot.words[4], seen, 2) > 0);
	assert_int_equal(seen[0], 15);
	assert_int_equal(seen[1], 18);
}

static void *
publish_often(void *user_data)
{
	struct slot *slot = user_data;
	struct row row;

	for (uint64_t n = 1; n <= PUBLICATIONS; n++) {
		row_fill(&row, n);
		published_store(&slot->version, slot->words, &row, PUBLISHED_WORDS(row));
	}
	return NULL;
}

static void
copies_are_never_torn(void **state)
{
	static struct slot slot;
	struct row seen, whole;
	uint64_t last = 0;
	pthread_t owner;

	assert_int_equal(pthread_create(&owner, NULL, publish_often, &slot), 0);
	while (last < PUBLICATIONS) {
		if (published_load(&slot.version, slot.words, &seen, PUBLISHED_WORDS(seen)) > 0) {
			assert_true(seen.multiples[0] >= last);
			last = seen.multiples[0];
			row_fill(&whole, last);
			assert_memory_equal(&seen, &whole, sizeof(seen));
		}
	}
	pthread_join(owner, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_published_leaves_the_target_alone),
		cmocka_unit_test(a_reader_gets_the_last_publication_whole),
		cmocka_unit_test(a_part_may_be_read_alone),
		cmocka_unit_test(copies_are_never_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
