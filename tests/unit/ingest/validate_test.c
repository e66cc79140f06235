/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a lane looks into batches (native.validate): by default at the header, with `records` at each
 * record of uncompressed ones. Each case is one batch of three records with something wrong behind the
 * header, and a right CRC unless it says otherwise.
 */
#include "lane_rig.h"
#include "support/records.h"

#define RECORDS	   3
#define VALUE	   8
#define RECORD_MS  1700000000000ll
#define BEFORE_MS  60000
#define FIRST	   RECORD_BATCH_HEADER_BYTES /* of the first record: length, attributes, timestamp delta */

struct spoiled {
	const char *what;
	int16_t header_error; /* with native.validate: header */
	int16_t records_error;
	uint32_t at;
	uint8_t byte;
	bool damaged; /* the CRC is left as it was */
};

static const struct spoiled cases[] = {
	{"nothing", 0, 0, 0, 0, false},
	{"length of the first record", 0, KAFKA_INVALID_RECORD, FIRST, 4, false},
	{"length beyond the batch", 0, KAFKA_INVALID_RECORD, FIRST, 0x7e, false},
	{"negative length", 0, KAFKA_INVALID_RECORD, FIRST, 1, false},
	{"offsetDelta 1 in the first record", 0, KAFKA_INVALID_RECORD, FIRST + 3, 2, false},
	{"a timestamp older than the topic takes", 0, KAFKA_INVALID_TIMESTAMP, 0, 0, false},
	{"maxTimestamp that no record has", 0, KAFKA_INVALID_TIMESTAMP, 35 + 7, 0x55, false},
	{"a damaged record: refused for that, not for what it seems", 0, KAFKA_CORRUPT_MESSAGE,
		FIRST + 3, 2, true},
	{"compressed: nothing is said of what cannot be seen", 0, 0, 22, 4, false},
};

#define CASE_OLD 5 /* the first record is as old as its timestamp delta says */

static size_t
batch_of(uint32_t which, uint8_t *bytes, size_t room)
{
	const struct spoiled *spoiled = &cases[which];
	struct records_spec spec = {.producer_id = client.accept.producer_id,
		.producer_epoch = client.accept.producer_epoch,
		.count = RECORDS,
		.value_bytes = VALUE,
		.timestamp_ms = RECORD_MS - (which == CASE_OLD ? 2 * BEFORE_MS : 0),
		.step_ms = which == CASE_OLD ? BEFORE_MS : 0};
	size_t len = records_batch(&spec, bytes, room);

	if (spoiled->at > 0) {
		bytes[spoiled->at] = spoiled->byte;
	}
	if (!spoiled->damaged) {
		store_be32(bytes + 17, record_batch_crc(bytes, len));
	}
	return len;
}

/* 0: the log gets it; else what the stream's entry says. */
static int16_t
outcome(uint32_t which, bool records)
{
	struct lane_harness *h = &harness;
	struct frame frame = {.type = FRAME_DATA, .stream = 1, .flags = FRAME_ACK_NOW};
	struct session_msg_ack ack;
	struct append_req request;
	uint8_t bytes[1024];
	int16_t error = 0;

	lane_harness_init(h);
	h->options.validate_records = records;
	h->topics[0].timestamp_before_max_ms = BEFORE_MS;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_client_send(&client, h, &frame, bytes, batch_of(which, bytes, sizeof(bytes)));
	(void)lane_harness_turn(h);
	lane_harness_state(h, -1);
	(void)lane_harness_turn(h);
	if (lane_harness_request(h, &request)) {
		lane_harness_done(h, &request, APPEND_COPIED, 0);
		(void)lane_harness_turn(h);
	} else {
		lane_harness_last_ack(h, &ack);
		error = ack.entry[0].error;
	}
	lane_harness_fini(h);
	return error;
}

static void
the_header_alone_is_looked_at_by_default(void **state)
{
	struct lane_options options;

	(void)state;
	lane_options_init(&options);
	assert_false(options.validate_records);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int16_t error = outcome(i, false);

		if (error != cases[i].header_error) {
			fail_msg("%s: %d", cases[i].what, error);
		}
	}
}

static void
each_record_is_looked_at_when_asked_for(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int16_t error = outcome(i, true);

		if (error != cases[i].records_error) {
			fail_msg("%s: %d", cases[i].what, error);
		}
	}
}

/* A topic that stamps its own time has no use for the client's. */
static void
times_of_records_do_not_matter_where_the_log_sets_them(void **state)
{
	struct lane_harness *h = &harness;
	struct frame frame = {.type = FRAME_DATA, .stream = 1};
	struct append_req request;
	uint8_t bytes[1024];

	(void)state;
	lane_harness_init(h);
	h->options.validate_records = true;
	h->topics[0].timestamp_before_max_ms = BEFORE_MS;
	h->topics[0].log_append_time = true;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_client_send(&client, h, &frame, bytes, batch_of(CASE_OLD, bytes, sizeof(bytes)));
	(void)lane_harness_turn(h);
	lane_harness_state(h, -1);
	(void)lane_harness_turn(h);
	lane_harness_expect_batch(h, 0, &request);
	lane_harness_done(h, &request, APPEND_COPIED, 0);
	(void)lane_harness_turn(h);
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_alone_is_looked_at_by_default),
		cmocka_unit_test(each_record_is_looked_at_when_asked_for),
		cmocka_unit_test(times_of_records_do_not_matter_where_the_log_sets_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
