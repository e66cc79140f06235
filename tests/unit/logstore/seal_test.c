/* SPDX-License-Identifier: Apache-2.0 */
/* Seal files: golden bytes, run gathering, and that no damaged or inconsistent seal parses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "logstore/seal.h"
#include "support/vector.h"

#define LOG_BYTES 1048700

struct fixture {
	struct vector golden;
	struct seal_run runs[4];
	struct seal_runs gather;
	struct seal seal;
};

/* The log of the golden seal: one batch of 1,048,600 bytes 'a', one of 100 bytes 'b'. */
static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint8_t *log = malloc(LOG_BYTES);
	uint8_t i;

	memset(log, 'a', 1048600);
	memset(log + 1048600, 'b', 100);
	vector_load(&f->golden, "log/seal.hex");
	seal_runs_init(&f->gather, f->runs, 4);
	seal_runs_add(&f->gather, crc32c_update(0, log, 600), 600, 20);
	seal_runs_add(&f->gather, crc32c_update(0, log, 1048000), 1048000, 40);
	seal_runs_add(&f->gather, crc32c_update(0, log + 1048600, 100), 100, 50);
	seal_runs_finish(&f->gather);
	f->seal = (struct seal){
		.partition = 3, .file_id = 42, .base_offset = 100, .end_offset = 150,
		.log_bytes = f->gather.whole.len, .batch_count = 5, .record_count = 50,
		.max_timestamp_ms = 1700000000999, .max_timestamp_offset = 149,
		.first_timestamp_ms = 1700000000000, .log_crc = f->gather.whole.crc,
		.index_crc = 1, .time_index_crc = 2, .txn_index_crc = 3,
		.run_count = f->gather.run_count,
	};
	for (i = 0; i < 16; i++) {
		f->seal.topic_id[i] = i;
	}
	free(log);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static void
a_gathered_seal_has_the_golden_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[SEAL_HEADER_BYTES + 4 * SEAL_RUN_BYTES];

	assert_int_equal(f->gather.run_count, 2);
	assert_int_equal(seal_encode(&f->seal, f->runs, bytes, sizeof(bytes)), f->golden.len);
	assert_memory_equal(bytes, f->golden.bytes, f->golden.len);
	assert_int_equal(seal_encode(&f->seal, f->runs, bytes, f->golden.len - 1), -ENOBUFS);
}

static void
a_parsed_seal_gives_back_every_field(void **state)
{
	struct fixture *f = *state;
	struct seal seal = {0};
	struct seal_run run;

	assert_int_equal(seal_parse(f->golden.bytes, f->golden.len, &seal), 0);
	assert_memory_equal(&seal, &f->seal, sizeof(seal));
	seal_run_get(f->golden.bytes, 1, &run);
	assert_memory_equal(&run, &f->runs[1], sizeof(run));
}

static void
any_flipped_bit_or_missing_byte_is_seen(void **state)
{
	struct fixture *f = *state;
	struct seal seal;
	size_t bit;

	for (bit = 0; bit < f->golden.len * 8; bit++) {
		f->golden.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(seal_parse(f->golden.bytes, f->golden.len, &seal), -EBADMSG);
		f->golden.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (bit = 0; bit < f->golden.len; bit++) {
		assert_int_equal(seal_parse(f->golden.bytes, bit, &seal), -EBADMSG);
	}
}

static int
parse_changed(struct fixture *f, size_t at, uint32_t value)
{
	uint8_t bytes[512];
	struct seal seal;

	memcpy(bytes, f->golden.bytes, f->golden.len);
	store_le32(bytes + at, value);
	store_le32(bytes + 8, crc32c_update(0, bytes + 12, f->golden.len - 12));
	return seal_parse(bytes, f->golden.len, &seal);
}

static void
a_well_summed_seal_that_contradicts_itself_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse_changed(f, 112, 99), 0);	       /* index crc: no second source */
	assert_int_equal(parse_changed(f, 52, 151), -EBADMSG); /* end offset against the runs */
	assert_int_equal(parse_changed(f, 52, 99), -EBADMSG);  /* end below base */
	assert_int_equal(parse_changed(f, 60, 1048701), -EBADMSG);
	assert_int_equal(parse_changed(f, 108, 0), -EBADMSG);  /* log crc against the runs' */
	assert_int_equal(parse_changed(f, 124, 1), -EBADMSG);
	assert_int_equal(parse_changed(f, 124, 0xffffffff), -EBADMSG);
	assert_int_equal(parse_changed(f, 128, 1000), -EBADMSG); /* a run below 1 MiB that is not last */
	assert_int_equal(parse_changed(f, 12, 2), -EBADMSG);	 /* version */
}

static void
a_compacted_seal_may_end_above_its_last_batch(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[512];
	struct seal seal;
	int len;

	f->seal.end_offset = 500;
	len = seal_encode(&f->seal, f->runs, bytes, sizeof(bytes));
	assert_int_equal(seal_parse(bytes, (size_t)len, &seal), -EBADMSG);
	f->seal.flags = SEAL_COMPACTED;
	len = seal_encode(&f->seal, f->runs, bytes, sizeof(bytes));
	assert_int_equal(seal_parse(bytes, (size_t)len, &seal), 0);
}

static void
an_empty_segment_has_a_seal_without_runs(void **state)
{
	struct seal seal = {.base_offset = 7, .end_offset = 7};
	struct seal parsed;
	uint8_t bytes[SEAL_HEADER_BYTES];

	assert_int_equal(seal_encode(&seal, NULL, bytes, sizeof(bytes)), SEAL_HEADER_BYTES);
	assert_int_equal(seal_parse(bytes, sizeof(bytes), &parsed), 0);
	assert_int_equal(parsed.end_offset, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gathered_seal_has_the_golden_bytes),
		cmocka_unit_test(a_parsed_seal_gives_back_every_field),
		cmocka_unit_test(any_flipped_bit_or_missing_byte_is_seen),
		cmocka_unit_test(a_well_summed_seal_that_contradicts_itself_is_refused),
		cmocka_unit_test(a_compacted_seal_may_end_above_its_last_batch),
		cmocka_unit_test(an_empty_segment_has_a_seal_without_runs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
