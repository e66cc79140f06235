/* SPDX-License-Identifier: Apache-2.0 */
/* The watch over the drop ledger: what it tells, what it waits for, what it never tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "ctrl/methods/ledger_watch.h"

#define PARTITIONS 3

struct lane {
	uint64_t values[COUNTER_SLOTS_MAX];
	uint64_t partitions[PARTITIONS][LANE_FATE_COUNT];
};

void
lane_counters(struct lane *lane, uint64_t *ret_values)
{
	memcpy(ret_values, lane->values, sizeof(lane->values));
}

void
lane_partition_records(
	const struct lane *lane, uint32_t partition_index, uint64_t ret_records[LANE_FATE_COUNT])
{
	memcpy(ret_records, lane->partitions[partition_index], sizeof(lane->partitions[0]));
}

struct logstore {
	uint64_t values[COUNTER_SLOTS_MAX];
	struct log_partition_status partitions[PARTITIONS];
	bool gone;
};

int
logstore_status(struct logstore *store, uint32_t partition_index, struct log_partition_status *ret_status)
{
	*ret_status = store->partitions[partition_index];
	return store->gone ? -ENOENT : 0;
}

void
logstore_counters(struct logstore *store, uint32_t shard, uint64_t *ret_values)
{
	memcpy(ret_values, store->values, sizeof(store->values));
}

struct broker {
	uint64_t stored[3];
};

void
broker_stored(const struct broker *broker, uint64_t ret_stored[3])
{
	memcpy(ret_stored, broker->stored, sizeof(broker->stored));
}

struct port {
	struct nic nic;
	struct nic_stats stats;
	struct nic_caps caps;
};

static void
port_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	*ret_stats = CONTAINER_OF(nic, struct port, nic)->stats;
}

static void
port_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	*ret_caps = CONTAINER_OF(nic, struct port, nic)->caps;
}

static const struct nic_ops port_ops = {.stats = port_stats, .caps = port_caps};

struct fixture {
	struct engine engine;
	struct ledger_watch watch;
	struct lane lanes[2];
	struct port ports[2];
	struct logstore store;
	struct broker broker;
	struct route_table routes;
	struct route_topic topic;
	struct route_partition partitions[PARTITIONS];
	uint64_t now_ns;
	char log[4096];
	json_t *reasons;
};

static void
log_keep(void *user_data, enum log_level level, const char *line)
{
	struct fixture *f = user_data;
	size_t len = strlen(f->log);

	assert_true(len + strlen(line) + 2 < sizeof(f->log));
	memcpy(f->log + len, line, strlen(line) + 1);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->now_ns = 1000 * NS_PER_S;
	f->engine.lane_count = 2;
	f->engine.shard_count = 1;
	f->engine.store = &f->store;
	f->engine.broker = &f->broker;
	for (uint32_t i = 0; i < 2; i++) {
		f->ports[i].nic.ops = &port_ops;
		f->ports[i].caps = (struct nic_caps){.driver = "fake", .queues = 1, .counts_losses = true};
		f->engine.lanes[i] = &f->lanes[i];
		f->engine.nics[i] = &f->ports[i].nic;
	}
	f->reasons = json_array();
	log_set_sink(log_keep, f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	log_set_sink(NULL, NULL);
	ledger_watch_fini(&f->watch);
	json_decref(f->reasons);
	free(f);
	return 0;
}

/* A second later; returns how many reasons there are. */
static size_t
look(struct fixture *f)
{
	f->now_ns += NS_PER_S;
	ledger_watch_poll(&f->watch, &f->engine, f->now_ns);
	json_array_clear(f->reasons);
	ledger_watch_reasons(&f->watch, f->now_ns, f->reasons);
	return json_array_size(f->reasons);
}

static bool
reason_has(const struct fixture *f, size_t which, const char *text)
{
	return strstr(json_string_value(json_array_get(f->reasons, which)), text) != NULL;
}

/* How often a text stands in the log; what was there is forgotten. */
static uint32_t
logged(struct fixture *f, const char *text)
{
	uint32_t count = 0;

	for (const char *at = f->log; (at = strstr(at, text)) != NULL; at += strlen(text)) {
		count++;
	}
	f->log[0] = 0;
	return count;
}

static void
a_difference_that_stays_is_told_once_with_cause_and_fix(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(look(f), 0);
	f->lanes[1].values[LANE_native] = 5;
	f->lanes[1].values[LANE_data] = 2;
	f->lanes[1].values[LANE_rx_packets] = 5;
	f->ports[1].stats.queue_ipackets = 5;
	f->lanes[1].values[LANE_stored] = 2;
	f->store.values[SHARD_append_batches] = 2;
	assert_int_equal(look(f), 0);
	assert_int_equal(look(f), 0);
	assert_int_equal(look(f), 1);
	assert_true(reason_has(f, 0, "lane 1, E4 native is off by 3."));
	assert_true(reason_has(f, 0, "fix: penstock ledger"));
	assert_int_equal(look(f), 1);
	assert_int_equal(logged(f, "event=PEN-3001"), 1);
}

static void
a_difference_that_grows_counts_and_one_that_shrinks_or_turns_does_not(void **state)
{
	struct fixture *f = *state;
	static const uint64_t shrinks[] = {9, 8, 7, 6, 5, 4};

	for (uint32_t i = 0; i < ARRAY_COUNT(shrinks); i++) {
		f->lanes[0].values[LANE_tx_full] = shrinks[i];
		assert_int_equal(look(f), 0);
	}
	for (uint32_t i = 0; i < 6; i++) {
		f->lanes[0].values[LANE_tx_full] = 100;
		f->lanes[0].values[LANE_tx_offered] = 100 + (i % 2 ? 3 + i : 0) - (i % 2 ? 0 : 3 + i);
		assert_int_equal(look(f), 0);
	}
	for (uint32_t i = 0; i < 3; i++) {
		f->lanes[0].values[LANE_tx_full] = 200 + i;
		assert_int_equal(look(f), i == 2);
	}
	assert_true(reason_has(f, 0, "E9 tx"));
}

static void
what_is_counted_after_all_ends_the_alarm(void **state)
{
	struct fixture *f = *state;

	f->lanes[0].values[LANE_owners_taken] = 1;
	for (uint32_t i = 0; i < 3; i++) {
		(void)look(f);
	}
	assert_int_equal(look(f), 1);
	f->lanes[0].values[LANE_owners_released] = 1;
	assert_int_equal(look(f), 0);
	assert_int_equal(logged(f, "event=PEN-3002"), 1);
}

/* E2: the driver counts before the lane does. */
static void
numbers_of_two_threads_are_compared_while_they_stand_still(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 8; i++) {
		f->ports[0].stats.queue_ipackets = 1000 * i + 40 + i;
		f->lanes[0].values[LANE_rx_packets] = f->lanes[0].values[LANE_native] = 1000 * i;
		f->lanes[0].values[LANE_ping] = 1000 * i;
		assert_int_equal(look(f), 0);
	}
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(look(f), i == 2);
	}
	assert_true(reason_has(f, 0, "lane 0, E2 queue is off by -47"));
	/* Told once, it stays until the numbers agree. */
	f->ports[0].stats.queue_ipackets += 10;
	assert_int_equal(look(f), 1);
	f->ports[0].stats.queue_ipackets = f->lanes[0].values[LANE_rx_packets];
	assert_int_equal(look(f), 0);
}

static void
more_than_can_be_under_way_counts_while_they_move(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 3; i++) {
		f->ports[0].stats.queue_ipackets = (2ull << 20) + 1000 * i;
		assert_int_equal(look(f), i == 2);
	}
}

/* Both lanes and the broker write, two shards append the same. */
static void
what_is_stored_is_held_against_what_the_log_appended(void **state)
{
	struct fixture *f = *state;

	f->engine.shard_count = 2;
	for (uint32_t i = 0; i < 3; i++) {
		f->lanes[0].values[LANE_stored + i] = f->lanes[0].values[LANE_data + i] = 10 + i;
		f->lanes[1].values[LANE_stored + i] = f->lanes[1].values[LANE_data + i] = 5;
		f->broker.stored[i] = 3;
		f->store.values[SHARD_append_batches + i] = (18 + i) / 2 + (i == 1);
	}
	for (uint32_t i = 0; i < 2; i++) {
		f->lanes[i].values[LANE_native] = f->lanes[i].values[LANE_rx_packets] =
			f->ports[i].stats.queue_ipackets = f->lanes[i].values[LANE_data];
	}
	for (uint32_t i = 0; i < 5; i++) {
		(void)look(f);
	}
	assert_int_equal(json_array_size(f->reasons), 1);
	assert_true(reason_has(f, 0, "ledger: log, E6 log records is off by -1"));
}

/* Topic "orders" of three partitions, whose logs had 100 records at the start. */
static void
add_partitions(struct fixture *f)
{
	f->topic = (struct route_topic){.partition_count = PARTITIONS, .name_len = 6, .name = "orders"};
	f->routes = (struct route_table){.topics = &f->topic,
		.partitions = f->partitions,
		.topics_max = 1,
		.partitions_max = PARTITIONS,
		.topic_count = 1,
		.partition_count = PARTITIONS};
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		f->partitions[i].partition = i;
		f->store.partitions[i].opened_offset = f->store.partitions[i].log_end_offset = 100;
	}
	f->engine.routes = &f->routes;
}

/* So many records come to a lane for a partition, meet a fate, and its log grows. */
static void
partition_takes(struct fixture *f, uint32_t lane, uint32_t partition, enum lane_fate fate, uint32_t records)
{
	f->lanes[lane].partitions[partition][LANE_FATE_CAME] += records;
	f->lanes[lane].partitions[partition][fate] += records;
	if (fate == LANE_FATE_STORED) {
		f->store.partitions[partition].log_end_offset += records;
	}
}

static void
what_is_counted_for_one_partition_and_stored_in_another_is_told(void **state)
{
	struct fixture *f = *state;

	add_partitions(f);
	for (uint32_t fate = LANE_FATE_STORED; fate < LANE_FATE_COUNT; fate++) {
		partition_takes(f, fate % 2, fate % PARTITIONS, (enum lane_fate)fate, 10 * fate);
	}
	partition_takes(f, 0, 1, LANE_FATE_STORED, 7);
	partition_takes(f, 1, 1, LANE_FATE_STORED, 8);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(look(f), 0);
	}
	/* The sum over all partitions is as it was. */
	f->store.partitions[1].log_end_offset -= 3;
	f->store.partitions[2].log_end_offset += 3;
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(look(f), i == 3);
	}
	assert_true(reason_has(f, 0, "E6 of 2 partitions, the first is orders-1: off by 3"));
	assert_int_equal(look(f), 1);
	assert_int_equal(logged(f, "event=PEN-3001"), 1);
	f->store.partitions[1].log_end_offset += 3;
	f->store.partitions[2].log_end_offset -= 3;
	assert_int_equal(look(f), 0);
	assert_int_equal(logged(f, "event=PEN-3002"), 1);
}

static void
a_lane_that_forgets_a_batch_of_a_partition_is_told_though_the_log_has_all(void **state)
{
	struct fixture *f = *state;

	add_partitions(f);
	partition_takes(f, 1, 0, LANE_FATE_STORED, 20);
	f->lanes[1].partitions[0][LANE_FATE_HELD] = 1;
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(look(f), i == 3);
	}
	assert_true(reason_has(f, 0, "the first is orders-0: off by 1"));
}

/* Copied and not yet heard of by the lane: each second by other numbers. */
static void
records_between_lane_and_log_are_not_astray(void **state)
{
	struct fixture *f = *state;

	add_partitions(f);
	for (uint32_t i = 0; i < 8; i++) {
		f->store.partitions[1].log_end_offset = 100 + 1000 * i + 40;
		f->lanes[0].partitions[1][LANE_FATE_CAME] = f->lanes[0].partitions[1][LANE_FATE_STORED] = 1000 * i;
		assert_int_equal(look(f), 0);
	}
}

static void
what_the_broker_wrote_or_what_is_gone_is_not_held_against_lanes(void **state)
{
	struct fixture *f = *state;

	add_partitions(f);
	f->partitions[2].flags = ROUTE_INTERNAL;
	f->store.partitions[2].log_end_offset += 12;
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(look(f), 0);
	}
	partition_takes(f, 0, 0, LANE_FATE_STORED, 5);
	f->store.gone = true;
	f->store.partitions[0].log_end_offset = 0;
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(look(f), 0);
	}
}

static void
an_equation_names_the_first_partitions_that_are_off(void **state)
{
	struct fixture *f = *state;
	struct partition_watch_names names;
	struct ledger_equation e;

	add_partitions(f);
	partition_watch_equation(&f->engine, &names, &e);
	assert_true(e.visible);
	assert_int_equal(e.difference, 0);
	assert_int_equal(e.terms[0].value, PARTITIONS);
	f->store.partitions[0].log_end_offset += 4;
	f->lanes[1].partitions[2][LANE_FATE_REFUSED] = 6;
	partition_watch_equation(&f->engine, &names, &e);
	assert_int_equal(e.difference, 2);
	assert_int_equal(e.term_count, 4);
	assert_string_equal(e.terms[2].name, "orders-0");
	assert_int_equal(e.terms[2].value, 4);
	assert_string_equal(e.terms[3].name, "orders-2");
	assert_int_equal(e.terms[3].value, 6);
}

static void
losses_are_told_once_a_minute_and_shown_for_ten(void **state)
{
	struct fixture *f = *state;

	f->ports[1].caps.driver = "net_af_xdp";
	assert_int_equal(look(f), 0);
	f->ports[1].stats.imissed = 3;
	assert_int_equal(look(f), 1);
	assert_true(reason_has(f, 0, "lane 1 (net_af_xdp) lost 3 packets"));
	assert_true(reason_has(f, 0, "fix: Give the lane a CPU of its own"));
	for (uint32_t i = 0; i < 59; i++) {
		f->ports[1].stats.imissed++;
		assert_int_equal(look(f), 1);
	}
	assert_int_equal(logged(f, "event=PEN-3003"), 1);
	f->ports[1].stats.imissed++;
	(void)look(f);
	assert_true(strstr(f->log, "60 more, 63 since the start") != NULL);
	assert_int_equal(logged(f, "event=PEN-3003"), 1);
	for (uint32_t i = 0; i < 599; i++) {
		assert_int_equal(look(f), 1);
	}
	assert_int_equal(look(f), 0);
	assert_int_equal(logged(f, "event=PEN-3003"), 0);
}

static void
losses_of_a_port_are_told_by_its_first_queue_and_only_where_the_driver_sees_them(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 2; i++) {
		f->ports[i].caps.queues = 2;
		f->ports[i].caps.queue = (uint16_t)i;
		f->ports[i].stats.imissed = 7;
	}
	assert_int_equal(look(f), 1);
	f->ports[0].caps.counts_losses = false;
	memset(&f->watch, 0, sizeof(f->watch));
	assert_int_equal(look(f), 0);
}

static void
a_claimed_address_is_told_once_a_minute_and_shown_for_ten(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(look(f), 0);
	f->lanes[1].values[LANE_arp_conflict] = 1;
	assert_int_equal(look(f), 1);
	assert_true(reason_has(f, 0, "another host claims an address of the port of lane 1"));
	assert_true(reason_has(f, 0, "fix: Give one of them another address"));
	for (uint32_t i = 0; i < 59; i++) {
		f->lanes[1].values[LANE_ndp_conflict]++;
		assert_int_equal(look(f), 1);
	}
	assert_int_equal(logged(f, "event=PEN-3004"), 1);
	(void)look(f);
	assert_true(strstr(f->log, "lane 1: 59 packets more, 60 since the start") != NULL);
	assert_int_equal(logged(f, "event=PEN-3004"), 1);
	for (uint32_t i = 0; i < 598; i++) {
		assert_int_equal(look(f), 1);
	}
	assert_int_equal(look(f), 0);
	assert_int_equal(logged(f, "event=PEN-3004"), 0);
}

static void
an_address_that_failed_its_detection_stays_a_reason(void **state)
{
	struct fixture *f = *state;

	f->lanes[0].values[LANE_ndp_duplicate] = 1;
	assert_int_equal(look(f), 1);
	assert_true(reason_has(f, 0, "an IPv6 address of the port of lane 0 is in use by another host"));
	assert_true(reason_has(f, 0, "Duplicate address detection failed"));
	assert_true(reason_has(f, 0, "then start the daemon again: it probes anew."));
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(look(f), 1);
	}
	assert_int_equal(logged(f, "event=PEN-3005"), 1);
}

/* No reason of bad health: anybody on the network can send them. */
static void
fragments_are_warned_of_once_a_minute(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 60; i++) {
		f->lanes[0].values[LANE_rx_packets] = f->ports[0].stats.queue_ipackets =
			f->lanes[0].values[LANE_ip_fragment] += 5;
		assert_int_equal(look(f), 0);
	}
	assert_true(strstr(f->log, "fix: Lower the sender's datagrams") != NULL);
	assert_int_equal(logged(f, "event=PEN-3006"), 1);
	assert_int_equal(look(f), 0);
	assert_true(strstr(f->log, "lane 0: 295 more, 300 since the start") != NULL);
	assert_int_equal(logged(f, "event=PEN-3006"), 1);
}

static void
it_looks_once_a_second(void **state)
{
	struct fixture *f = *state;

	(void)look(f);
	f->ports[0].stats.imissed = 1;
	ledger_watch_poll(&f->watch, &f->engine, f->now_ns + NS_PER_S - 1);
	assert_int_equal(logged(f, "event=PEN-3003"), 0);
	ledger_watch_poll(&f->watch, &f->engine, f->now_ns + NS_PER_S);
	assert_int_equal(logged(f, "event=PEN-3003"), 1);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_difference_that_stays_is_told_once_with_cause_and_fix),
		CASE(a_difference_that_grows_counts_and_one_that_shrinks_or_turns_does_not),
		CASE(what_is_counted_after_all_ends_the_alarm),
		CASE(numbers_of_two_threads_are_compared_while_they_stand_still),
		CASE(more_than_can_be_under_way_counts_while_they_move),
		CASE(what_is_stored_is_held_against_what_the_log_appended),
		CASE(what_is_counted_for_one_partition_and_stored_in_another_is_told),
		CASE(a_lane_that_forgets_a_batch_of_a_partition_is_told_though_the_log_has_all),
		CASE(records_between_lane_and_log_are_not_astray),
		CASE(what_the_broker_wrote_or_what_is_gone_is_not_held_against_lanes),
		CASE(an_equation_names_the_first_partitions_that_are_off),
		CASE(losses_are_told_once_a_minute_and_shown_for_ten),
		CASE(losses_of_a_port_are_told_by_its_first_queue_and_only_where_the_driver_sees_them),
		CASE(a_claimed_address_is_told_once_a_minute_and_shown_for_ten),
		CASE(an_address_that_failed_its_detection_stays_a_reason),
		CASE(fragments_are_warned_of_once_a_minute),
		CASE(it_looks_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
