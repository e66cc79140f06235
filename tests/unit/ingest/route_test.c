/* SPDX-License-Identifier: Apache-2.0 */
/* Requests reach their shard in order, and wait while its ring is full. */
#include "lane_rig.h"

static void
a_full_ring_keeps_requests_in_order(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req, filler = {0};
	uint32_t filled = 0;

	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	turn();
	while (ring_offer(&h->append_req[0], &filler, 1) == 1) {
		filled++;
	}
	for (int32_t i = 0; i < 60; i++) {
		data(2 + i, 1);
	}
	assert_int_equal(COUNT(hold), 60);
	assert_false(lane_drained(h->lane));
	for (uint32_t i = 0; i < filled; i++) {
		assert_true(lane_harness_request(h, &filler));
	}
	for (int32_t i = 0; i < 60; i++) {
		turn();
		lane_harness_expect_batch(h, 2 + i, &req);
		lane_harness_done(h, &req, APPEND_COPIED, 2 + i);
	}
	turn();
	assert_int_equal(COUNT(hold), 0);
	assert_int_equal(COUNT(stored), 61);
	lane_harness_fini(h);
}

static void
partitions_go_to_their_own_shards(void **state)
{
	struct lane_harness *h = &harness;
	struct append_req req;

	lane_harness_init(h);
	h->options.shard_count = 2;
	h->options.append_req[1] = &h->append_req[1];
	h->options.append_done[1] = &h->append_done[1];
	h->partitions[1].shard = 1;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_client_data(&client, h, 2, 0, 1);
	turn();
	assert_false(lane_harness_request(h, &req));
	assert_int_equal(ring_take(&h->append_req[1], &req, 1), 1);
	assert_int_equal(req.partition_index, 1);
	assert_int_equal(req.flags, APPEND_QUERY);
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_ring_keeps_requests_in_order),
		cmocka_unit_test(partitions_go_to_their_own_shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
