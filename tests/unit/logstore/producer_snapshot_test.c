/* SPDX-License-Identifier: Apache-2.0 */
/* Producer state files: Kafka's bytes, ours, and what a damaged or foreign file gives. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/rand.h"
#include "logstore/producer_snapshot.h"
#include "support/vector.h"

static int
setup(void **state)
{
	*state = calloc(1, sizeof(struct vector));
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static const struct producer_entry with_batches = {
	.producer_id = 4001, .epoch = 3, .batch_count = 2, .coordinator_epoch = -1,
	.txn_first_offset = -1, .last_timestamp_ms = 1700000000123,
	.batches = {
		{.last_sequence = 31, .offset_delta = 9, .last_offset = 1031,
			.timestamp_ms = 1700000000100},
		{.last_sequence = 41, .offset_delta = 9, .last_offset = 1041,
			.timestamp_ms = 1700000000123},
	},
};
static const struct producer_entry without_batch = {
	.producer_id = 4002, .coordinator_epoch = 7, .txn_first_offset = 1500,
	.last_timestamp_ms = 1700000000456,
};

static struct producer_snapshot_identity
identity(void)
{
	struct producer_snapshot_identity id = {.partition = 3, .offset = 1042};
	uint8_t i;

	for (i = 0; i < 16; i++) {
		id.topic_id[i] = i;
	}
	return id;
}

static void
kafkas_snapshot_has_kafkas_bytes(void **state)
{
	struct vector *golden = *state;
	struct producer_snapshot_writer pw;
	uint8_t bytes[256];

	producer_snapshot_begin(&pw, PRODUCER_SNAPSHOT_KAFKA, NULL, bytes, sizeof(bytes));
	producer_snapshot_add(&pw, &with_batches);
	producer_snapshot_add(&pw, &without_batch);
	vector_load(golden, "log/snapshot_v1.hex");
	assert_int_equal(producer_snapshot_finish(&pw), golden->len);
	assert_memory_equal(bytes, golden->bytes, golden->len);
	producer_snapshot_begin(&pw, PRODUCER_SNAPSHOT_KAFKA, NULL, bytes, sizeof(bytes));
	vector_load(golden, "log/snapshot_v1_empty.hex");
	assert_int_equal(producer_snapshot_finish(&pw), golden->len);
	assert_memory_equal(bytes, golden->bytes, golden->len);
}

static void
kafkas_snapshot_is_read_back(void **state)
{
	struct vector *golden = *state;
	struct producer_snapshot_reader pr;
	struct producer_entry e;

	vector_load(golden, "log/snapshot_v1.hex");
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_KAFKA, NULL, golden->bytes,
		golden->len), 0);
	assert_int_equal(pr.count, 2);
	assert_int_equal(producer_snapshot_next(&pr, &e), 1);
	assert_int_equal(e.batch_count, 1);
	assert_memory_equal(&e.batches[0], &with_batches.batches[1], sizeof(e.batches[0]));
	assert_int_equal(e.producer_id, 4001);
	assert_int_equal(e.epoch, 3);
	assert_int_equal(producer_snapshot_next(&pr, &e), 1);
	assert_memory_equal(&e, &without_batch, sizeof(e));
	assert_int_equal(producer_snapshot_next(&pr, &e), 0);
}

static void
our_file_has_the_golden_bytes_and_keeps_all_batches(void **state)
{
	struct vector *golden = *state;
	struct producer_snapshot_identity id = identity();
	struct producer_snapshot_writer pw;
	struct producer_snapshot_reader pr;
	struct producer_entry e;
	uint8_t bytes[256];

	producer_snapshot_begin(&pw, PRODUCER_SNAPSHOT_OWN, &id, bytes, sizeof(bytes));
	producer_snapshot_add(&pw, &with_batches);
	vector_load(golden, "log/producers.hex");
	assert_int_equal(producer_snapshot_finish(&pw), golden->len);
	assert_memory_equal(bytes, golden->bytes, golden->len);
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_OWN, &id, bytes,
		golden->len), 0);
	assert_int_equal(producer_snapshot_next(&pr, &e), 1);
	assert_memory_equal(&e, &with_batches, sizeof(e));
	assert_int_equal(producer_snapshot_next(&pr, &e), 0);
}

static void
somebody_elses_state_is_stale(void **state)
{
	struct vector *golden = *state;
	struct producer_snapshot_identity id = identity();
	struct producer_snapshot_reader pr;

	vector_load(golden, "log/producers.hex");
	id.offset++;
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_OWN, &id, golden->bytes,
		golden->len), -ESTALE);
	id = identity();
	id.topic_id[15] ^= 1;
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_OWN, &id, golden->bytes,
		golden->len), -ESTALE);
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_OWN, NULL, golden->bytes,
		golden->len), 0);
}

static void
damage_is_seen(struct vector *golden, const char *path, enum producer_snapshot_format format)
{
	struct producer_snapshot_reader pr;
	size_t bit;

	vector_load(golden, path);
	for (bit = 0; bit < golden->len * 8; bit++) {
		golden->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(producer_snapshot_open(&pr, format, NULL, golden->bytes,
			golden->len), -EBADMSG);
		golden->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (bit = 0; bit < golden->len; bit++) {
		assert_int_equal(producer_snapshot_open(&pr, format, NULL, golden->bytes, bit),
			-EBADMSG);
	}
}

static void
any_flipped_bit_or_missing_byte_is_seen(void **state)
{
	damage_is_seen(*state, "log/snapshot_v1.hex", PRODUCER_SNAPSHOT_KAFKA);
	damage_is_seen(*state, "log/producers.hex", PRODUCER_SNAPSHOT_OWN);
}

static void
a_well_summed_file_with_impossible_fields_is_refused(void **state)
{
	struct vector *golden = *state;
	struct producer_snapshot_reader pr;
	struct producer_entry e;

	vector_load(golden, "log/producers.hex");
	golden->bytes[48 + 10] = 6; /* batch count */
	store_le32(golden->bytes + 8, crc32c_update(0, golden->bytes + 12, golden->len - 12));
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_OWN, NULL, golden->bytes,
		golden->len), 0);
	assert_int_equal(producer_snapshot_next(&pr, &e), -EBADMSG);
	vector_load(golden, "log/snapshot_v1.hex");
	store_be32(golden->bytes + 6, 0x7fffffff);
	store_be32(golden->bytes + 2, crc32c_update(0, golden->bytes + 6, golden->len - 6));
	assert_int_equal(producer_snapshot_open(&pr, PRODUCER_SNAPSHOT_KAFKA, NULL, golden->bytes,
		golden->len), -EBADMSG);
}

static void
what_does_not_fit_is_refused(void **state)
{
	struct producer_snapshot_writer pw;
	uint8_t bytes[64];

	producer_snapshot_begin(&pw, PRODUCER_SNAPSHOT_KAFKA, NULL, bytes, sizeof(bytes));
	producer_snapshot_add(&pw, &with_batches);
	assert_int_equal(producer_snapshot_finish(&pw), 56);
	producer_snapshot_begin(&pw, PRODUCER_SNAPSHOT_KAFKA, NULL, bytes, sizeof(bytes));
	producer_snapshot_add(&pw, &with_batches);
	producer_snapshot_add(&pw, &with_batches);
	assert_int_equal(producer_snapshot_finish(&pw), -ENOBUFS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kafkas_snapshot_has_kafkas_bytes),
		cmocka_unit_test(kafkas_snapshot_is_read_back),
		cmocka_unit_test(our_file_has_the_golden_bytes_and_keeps_all_batches),
		cmocka_unit_test(somebody_elses_state_is_stale),
		cmocka_unit_test(any_flipped_bit_or_missing_byte_is_seen),
		cmocka_unit_test(a_well_summed_file_with_impossible_fields_is_refused),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
