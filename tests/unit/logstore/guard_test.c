/* SPDX-License-Identifier: Apache-2.0 */
/* Guard records: bytes against the golden record, every check of the parser, and the ring's verdicts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/rand.h"
#include "logstore/guard.h"
#include "logstore/range_crc.h"
#include "support/records.h"
#include "support/vector.h"

#define B	    4096
#define RING_BLOCKS 64

struct ring {
	uint8_t bytes[RING_BLOCKS * B];
	struct guard_found found[RING_BLOCKS];
	struct guard_scan scan;
	struct guard_image image;
	uint64_t at; /* next block */
	uint64_t seq;
	uint64_t start_id;
	uint32_t chain_crc;
};

static int
setup(void **state)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	ring->image = (struct guard_image){
		.bytes = ring->bytes, .len = sizeof(ring->bytes), .block_bytes = B, .shard = 2};
	memset(ring->image.directory_id, 0x77, 16);
	ring->scan.found = ring->found;
	ring->scan.found_max = RING_BLOCKS;
	ring->start_id = 1;
	*state = ring;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static struct guard_entry
some_entry(void)
{
	struct guard_entry e = {
		.partition = 3,
		.leader_epoch = 7,
		.segment_base = 1000,
		.file_id = 0x1122334455667788,
		.start_pos = 4000,
		.end_pos = B + 5,
		.first_offset = 1010,
		.end_offset = 1020,
		.range_crc = 0xdeadbeef,
		.batch_count = 2,
		.flags = GUARD_ROLL,
		.aux = 8192,
		.index_entries = 11,
		.time_index_entries = 12,
		.producers_offset = 990,
		.log_start_offset = 500,
	};
	uint8_t i;

	for (i = 0; i < 16; i++) {
		e.topic_id[i] = i;
	}
	return e;
}

/* Appends a record that acknowledges up to durable_seq; returns its seq. */
static uint64_t
append(struct ring *ring, enum guard_kind kind, uint64_t durable_seq)
{
	struct guard_builder b;
	struct guard_entry entry = some_entry();
	struct guard_header h = {
		.shard = 2,
		.kind = (uint8_t)kind,
		.start_id = ring->start_id,
		.seq = ++ring->seq,
		.durable_seq = durable_seq,
		.chain_crc = ring->chain_crc,
		.block_number = (uint32_t)ring->at,
	};
	uint8_t tail[B] = {1};

	memcpy(h.directory_id, ring->image.directory_id, 16);
	assert_int_equal(guard_builder_init(&b, ring->bytes + ring->at * B, 2 * B, B,
		kind != GUARD_MARK), 0);
	if (kind != GUARD_MARK) {
		assert_int_equal(guard_builder_add(&b, &entry, tail), 0);
	}
	ring->at += guard_builder_finish(&b, &h) / B;
	ring->chain_crc = h.crc;
	return h.seq;
}

static void
scan(struct ring *ring)
{
	assert_int_equal(guard_scan(&ring->image, &ring->scan), 0);
}

static void
a_record_has_the_golden_bytes(void **state)
{
	struct vector *golden = calloc(1, sizeof(*golden));
	struct guard_builder b;
	struct guard_entry e = some_entry();
	static uint8_t buffer[B];
	struct guard_header h = {
		.shard = 2, .kind = GUARD_GROUP, .start_id = 9, .seq = 77, .durable_seq = 76,
		.chain_crc = 0x01020304, .block_number = 5, .wall_ms = 1700000000000,
	};
	uint8_t i;

	for (i = 0; i < 16; i++) {
		h.directory_id[i] = (uint8_t)(0x80 + i);
	}
	memset(buffer, 0xee, sizeof(buffer));
	assert_int_equal(guard_builder_init(&b, buffer, B, B, 1), 0);
	assert_int_equal(guard_builder_add(&b, &e, "tail!"), 0);
	assert_int_equal(guard_builder_finish(&b, &h), B);
	vector_load(golden, "log/guard_record.hex");
	assert_int_equal(h.record_len, golden->len);
	assert_memory_equal(buffer, golden->bytes, golden->len);
	assert_int_equal(buffer[golden->len], 0);
	assert_int_equal(buffer[B - 1], 0);
	free(golden);
}

static void
a_parsed_record_gives_back_every_field(void **state)
{
	struct vector *golden = calloc(1, sizeof(*golden));
	struct guard_entry e = {0};
	struct guard_entry expected = some_entry();
	struct guard_header h;
	const uint8_t *tail;

	vector_load(golden, "log/guard_record.hex");
	assert_int_equal(guard_record_parse(golden->bytes, golden->len, B, &h), 0);
	assert_int_equal(h.seq, 77);
	assert_int_equal(h.durable_seq, 76);
	assert_int_equal(h.start_id, 9);
	assert_int_equal(h.chain_crc, 0x01020304);
	assert_int_equal(h.block_number, 5);
	assert_int_equal(h.wall_ms, 1700000000000);
	tail = guard_record_entry(golden->bytes, 0, &e);
	expected.tail_off = 208;
	expected.tail_len = 5;
	assert_memory_equal(tail, "tail!", 5);
	assert_memory_equal(&e, &expected, sizeof(e));
	free(golden);
}

static void
any_flipped_bit_is_seen(void **state)
{
	struct vector *golden = calloc(1, sizeof(*golden));
	struct guard_header h;
	size_t bit;

	vector_load(golden, "log/guard_record.hex");
	for (bit = 0; bit < golden->len * 8; bit++) {
		golden->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_true(guard_record_parse(golden->bytes, golden->len, B, &h) < 0);
		golden->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (bit = 0; bit < golden->len; bit++) {
		assert_true(guard_record_parse(golden->bytes, bit, B, &h) < 0);
	}
	free(golden);
}

/* Writes a u32 into the golden record, renews the crc, and parses. */
static int
parse_with(size_t at, uint32_t value)
{
	struct vector *golden = calloc(1, sizeof(*golden));
	struct guard_header h;
	int rc;

	vector_load(golden, "log/guard_record.hex");
	store_le32(golden->bytes + at, value);
	store_le32(golden->bytes + 8, crc32c_update(0, golden->bytes + 12, golden->len - 12));
	rc = guard_record_parse(golden->bytes, golden->len, B, &h);
	free(golden);
	return rc;
}

static void
a_well_summed_record_with_impossible_fields_is_refused(void **state)
{
	assert_int_equal(parse_with(64, 0x01020304), 0);
	assert_int_equal(parse_with(36, 2), -EBADMSG);		/* more entries than bytes */
	assert_int_equal(parse_with(36, 0xffffffff), -EBADMSG);
	assert_int_equal(parse_with(36, 0), -EBADMSG);		/* bytes that no entry explains */
	assert_int_equal(parse_with(56, 77), -EBADMSG);		/* acknowledges itself */
	assert_int_equal(parse_with(32, 0x02010002), -EBADMSG);	/* version 2 */
	assert_int_equal(parse_with(32, 0x01090002), -EBADMSG);	/* kind 9 */
	assert_int_equal(parse_with(80 + 72, 209), -EBADMSG);	/* tail_off */
	assert_int_equal(parse_with(80 + 76, 4), -EBADMSG);	/* tail_len */
	assert_int_equal(parse_with(80 + 40, B + 6), -EBADMSG);	/* start beyond end */
}

static void
what_does_not_fit_is_refused(void **state)
{
	static uint8_t buffer[B];
	struct guard_builder b;
	struct guard_entry e = some_entry();
	static uint8_t tail[B];

	assert_int_equal(guard_builder_init(&b, buffer, B, B, 32), -ENOBUFS);
	assert_int_equal(guard_builder_init(&b, buffer, B, B, 31), 0);
	e.end_pos = 2 * B - 1;
	assert_int_equal(guard_builder_add(&b, &e, tail), -ENOBUFS);
	assert_true(guard_record_bytes_max(1, B) == 2 * B);
	assert_true(guard_record_bytes_max(0, B) == B);
}

static void
an_empty_ring_has_nothing(void **state)
{
	struct ring *ring = *state;

	scan(ring);
	assert_int_equal(ring->scan.found_count, 0);
	assert_int_equal(ring->scan.anchor_index, -1);
	assert_false(ring->scan.damaged);
	assert_int_equal(ring->scan.seq_max, 0);
}

static void
the_chain_from_the_newest_anchor_is_usable(void **state)
{
	struct ring *ring = *state;
	uint32_t i;

	append(ring, GUARD_ANCHOR, 0);
	append(ring, GUARD_GROUP, 1);
	append(ring, GUARD_ANCHOR, 2);
	append(ring, GUARD_GROUP, 3);
	append(ring, GUARD_MARK, 4);
	scan(ring);
	assert_int_equal(ring->scan.found_count, 5);
	assert_int_equal(ring->scan.anchor_index, 2);
	assert_int_equal(ring->scan.missing_seq, 6);
	assert_int_equal(ring->scan.next_block, ring->at);
	assert_false(ring->scan.damaged);
	assert_true(guard_scan_proven(&ring->scan, 4));
	assert_false(guard_scan_proven(&ring->scan, 5));
	for (i = 0; i < 5; i++) {
		assert_int_equal(ring->found[i].usable, i >= 2);
	}
}

static void
a_missing_record_that_nothing_proves_was_never_acknowledged(void **state)
{
	struct ring *ring = *state;
	uint64_t hole;

	append(ring, GUARD_ANCHOR, 0);
	append(ring, GUARD_GROUP, 1);
	hole = ring->at;
	append(ring, GUARD_GROUP, 2);
	append(ring, GUARD_GROUP, 2);
	ring->bytes[hole * B + 100] ^= 1;
	scan(ring);
	assert_int_equal(ring->scan.missing_seq, 3);
	assert_false(ring->scan.damaged);
	assert_int_equal(ring->scan.found_count, 3);
	assert_true(ring->found[1].usable);
	assert_false(ring->found[2].usable);
}

static void
a_missing_record_that_a_later_one_proves_is_damage(void **state)
{
	struct ring *ring = *state;
	uint64_t hole;

	append(ring, GUARD_ANCHOR, 0);
	append(ring, GUARD_GROUP, 1);
	hole = ring->at;
	append(ring, GUARD_GROUP, 2);
	append(ring, GUARD_GROUP, 3);
	ring->bytes[hole * B + 100] ^= 1;
	scan(ring);
	assert_int_equal(ring->scan.missing_seq, 3);
	assert_true(ring->scan.damaged);
	assert_true(ring->found[2].usable);
}

static void
a_record_that_breaks_the_chain_is_not_followed(void **state)
{
	struct ring *ring = *state;

	append(ring, GUARD_ANCHOR, 0);
	ring->chain_crc ^= 1;
	append(ring, GUARD_GROUP, 0);
	scan(ring);
	assert_int_equal(ring->scan.missing_seq, 2);
	assert_false(ring->found[1].usable);
}

static void
records_of_another_place_shard_or_directory_do_not_count(void **state)
{
	struct ring *ring = *state;

	append(ring, GUARD_ANCHOR, 0);
	memcpy(ring->bytes + 10 * B, ring->bytes, B);
	scan(ring);
	assert_int_equal(ring->scan.found_count, 1);
	ring->image.shard = 3;
	scan(ring);
	assert_int_equal(ring->scan.found_count, 0);
	ring->image.shard = 2;
	ring->image.directory_id[0] ^= 1;
	scan(ring);
	assert_int_equal(ring->scan.found_count, 0);
}

static void
the_greatest_start_id_wins_over_leftovers_of_older_starts(void **state)
{
	struct ring *ring = *state;
	uint64_t at;

	append(ring, GUARD_ANCHOR, 0);
	append(ring, GUARD_GROUP, 1);
	append(ring, GUARD_GROUP, 2);
	at = ring->at;
	ring->at = 40; /* left over, never acknowledged */
	append(ring, GUARD_GROUP, 2);
	ring->at = at;
	ring->start_id = 2;
	ring->seq = 9;
	append(ring, GUARD_ANCHOR, 9);
	append(ring, GUARD_GROUP, 10);
	scan(ring);
	assert_int_equal(ring->scan.anchor_index, 4);
	assert_int_equal(ring->scan.start_id_max, 2);
	assert_int_equal(ring->scan.seq_max, 11);
	assert_int_equal(ring->scan.next_block, ring->at);
	assert_false(ring->scan.damaged);
}

static void
a_start_whose_first_anchor_is_gone_is_damage(void **state)
{
	struct ring *ring = *state;
	uint64_t hole;

	append(ring, GUARD_ANCHOR, 0);
	ring->start_id = 2;
	hole = ring->at;
	append(ring, GUARD_ANCHOR, 1);
	append(ring, GUARD_GROUP, 1);
	memset(ring->bytes + hole * B, 0, B);
	scan(ring);
	assert_int_equal(ring->scan.anchor_index, 0);
	assert_true(ring->scan.damaged);
}

static void
bytes_inside_a_valid_record_are_no_record(void **state)
{
	struct ring *ring = *state;
	static uint8_t tail[B];
	struct guard_builder b;
	struct guard_entry entry = some_entry();
	struct guard_header h = {.shard = 2, .kind = GUARD_GROUP, .start_id = 1, .seq = 2,
		.durable_seq = 1, .chain_crc = 0};
	uint32_t i;

	/* A producer who knows everything: a fake record on a block boundary of the tail copy. */
	ring->at = 1;
	ring->seq = 50;
	append(ring, GUARD_ANCHOR, 49);
	memcpy(tail + 0, ring->bytes + B, 400);
	memset(ring->bytes, 0, sizeof(ring->bytes));
	memcpy(h.directory_id, ring->image.directory_id, 16);
	assert_int_equal(guard_builder_init(&b, ring->bytes, 4 * B, B, 31), 0);
	for (i = 0; i < 31; i++) {
		entry.end_pos = i == 0 ? B + (B - 80 - 31 * 128) : i == 1 ? 2 * B - 1 : B;
		assert_int_equal(guard_builder_add(&b, &entry, tail), 0);
	}
	assert_int_equal(guard_builder_finish(&b, &h), 2 * B);
	assert_memory_equal(ring->bytes + B, "PSGUARD1", 8);
	scan(ring);
	assert_int_equal(ring->scan.found_count, 1);
	assert_int_equal(ring->scan.seq_max, 2);
}

static void
a_range_crc_by_combination_equals_the_one_by_bytes(void **state)
{
	static uint8_t log[8192];
	struct range_crc_place place = {.partition = 3, .segment_base = 1000, .start_pos = 77};
	struct range_crc range = {0};
	struct range_crc first = {0};
	uint8_t identity[32] = {0};
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		struct records_spec spec = {.producer_id = 5, .base_sequence = (int32_t)i * 3,
			.count = 3, .value_bytes = 100 + i, .timestamp_ms = 1000};
		size_t bytes = records_batch(&spec, log + len, sizeof(log) - len);
		uint32_t crc;

		record_batch_stamp(log + len, 1000 + i * 3, 9);
		crc = range_crc_of_batch(log + len, (uint32_t)bytes);
		assert_int_equal(crc, crc32c_update(0, log + len, bytes));
		range_crc_append(&range, crc, bytes);
		if (i == 0) {
			first = range;
		}
		len += bytes;
	}
	assert_int_equal(range.crc, crc32c_update(0, log, len));
	store_le32(identity + 16, 3);
	store_le64(identity + 20, 1000);
	store_le32(identity + 28, 77);
	assert_int_equal(range_crc_bind(&place, &range),
		crc32c_update(crc32c_update(0, identity, 32), log, len));
	range_crc_drop_prefix(&range, &first);
	assert_int_equal(range.len, len - first.len);
	assert_int_equal(range.crc, crc32c_update(0, log + first.len, len - first.len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_the_golden_bytes),
		cmocka_unit_test(a_parsed_record_gives_back_every_field),
		cmocka_unit_test(any_flipped_bit_is_seen),
		cmocka_unit_test(a_well_summed_record_with_impossible_fields_is_refused),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test_setup_teardown(an_empty_ring_has_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_chain_from_the_newest_anchor_is_usable, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_missing_record_that_nothing_proves_was_never_acknowledged, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_record_that_a_later_one_proves_is_damage,
			setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_that_breaks_the_chain_is_not_followed,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			records_of_another_place_shard_or_directory_do_not_count, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_greatest_start_id_wins_over_leftovers_of_older_starts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_start_whose_first_anchor_is_gone_is_damage, setup,
			teardown),
		cmocka_unit_test_setup_teardown(bytes_inside_a_valid_record_are_no_record, setup,
			teardown),
		cmocka_unit_test(a_range_crc_by_combination_equals_the_one_by_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
