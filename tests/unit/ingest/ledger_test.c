/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: balances on whole snapshots, and shows a difference where there is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "dataplane.h"

static struct ledger_equation equations[LEDGER_EQUATIONS_MAX];

static uint32_t
equations_of(const uint64_t *values, const struct nic_caps *caps, const struct nic_stats *stats)
{
	memset(equations, 0, sizeof(equations));
	return ledger_equations(values, stats, caps, equations);
}

static const struct ledger_equation *
named(const char *name)
{
	for (uint32_t i = 0; i < LEDGER_EQUATIONS_MAX; i++) {
		if (equations[i].name && strcmp(equations[i].name, name) == 0) {
			return &equations[i];
		}
	}
	fail();
	return NULL;
}

static void
a_lost_packet_of_any_counter_shows(void **state)
{
	static const struct {
		enum lane_counter counter;
		const char *equation;
	} rows[] = {
		{LANE_udp_port, "E3 net"},
		{LANE_frame_crc, "E4 native"},
		{LANE_credit_exceeded, "E4 native"},
		{LANE_frag_unsupported, "E4 native"},
		{LANE_pn_duplicate, "E4 native"},
		{LANE_stored, "E5 batches"},
		{LANE_refused_records, "E6 records"},
		{LANE_hold_bytes, "E6 bytes"},
		{LANE_owners_held, "E8 owners"},
		{LANE_tx_full, "E9 tx"},
		{LANE_batch_header, "E5 refused"},
		{LANE_batch_crc, "E5 refused"},
		{LANE_refused_45, "E5 refused"},
		{LANE_refused_other, "E5 refused"},
		{LANE_tx_queued, "E9 port"},
	};
	struct nic_caps caps = {.queues = 1, .counts_losses = true};
	struct nic_stats stats = {0};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t values[LANE_COUNTER_COUNT] = {0};
		uint32_t n;

		values[rows[i].counter] = 1;
		n = equations_of(values, &caps, &stats);
		assert_int_equal(n, LEDGER_EQUATIONS_MAX);
		assert_int_equal(named(rows[i].equation)->difference, -1);
	}
}

static void
every_drop_reason_is_in_one_equation(void **state)
{
	struct nic_caps caps = {.queues = 1};
	struct nic_stats stats = {0};
	uint64_t values[LANE_COUNTER_COUNT] = {0};

	(void)equations_of(values, &caps, &stats);
	for (uint32_t c = 0; c < LANE_COUNTER_COUNT; c++) {
		uint32_t found = 0;

		if (lane_counter_rows[c].class != COUNTER_DROP) {
			continue;
		}
		for (uint32_t e = 0; e < LEDGER_EQUATIONS_MAX; e++) {
			for (uint32_t t = 0; t < equations[e].term_count; t++) {
				found += strcmp(equations[e].terms[t].name,
						 lane_counter_rows[c].name) == 0;
			}
		}
		assert_int_equal(found, 1);
	}
}

static void
what_a_driver_cannot_see_is_not_judged(void **state)
{
	struct nic_caps caps = {.queues = 1, .counts_losses = false};
	struct nic_stats stats = {.queue_ipackets = UINT64_MAX, .queue_opackets = UINT64_MAX};
	uint64_t values[LANE_COUNTER_COUNT] = {[LANE_rx_packets] = 5, [LANE_native] = 5};

	(void)equations_of(values, &caps, &stats);
	assert_false(named("E2 queue")->visible);
	assert_int_equal(named("E2 queue")->difference, 0);
	assert_false(named("E1 wire")->terms[1].visible);
	assert_false(named("E9 port")->visible);
	assert_true(named("E3 net")->visible);
	assert_int_equal(named("E3 net")->difference, 0);
}

/* Each queue of a port is held against its own numbers. */
static void
queues_of_one_port_are_told_apart(void **state)
{
	struct nic_caps caps = {.queue = 1, .queues = 2, .counts_losses = true};
	struct nic_stats stats = {.ipackets = 100, .queue_ipackets = 40, .opackets = 90, .queue_opackets = 30};
	uint64_t values[LANE_COUNTER_COUNT] = {[LANE_rx_packets] = 40, [LANE_native] = 40, [LANE_tx_offered] = 33,
		[LANE_tx_sent] = 33, [LANE_tx_queued] = 2};

	(void)equations_of(values, &caps, &stats);
	assert_true(named("E2 queue")->visible);
	assert_int_equal(named("E2 queue")->difference, 0);
	assert_true(named("E9 port")->visible);
	assert_int_equal(named("E9 port")->difference, 1);
	stats.queue_ipackets = 41;
	(void)equations_of(values, &caps, &stats);
	assert_int_equal(named("E2 queue")->difference, -1);
}

static void
errors_of_sending_are_a_term_where_tx_took_the_packet(void **state)
{
	struct nic_caps caps = {.queues = 1, .oerrors_taken = true};
	struct nic_stats stats = {.opackets = 7, .queue_opackets = 7, .oerrors = 2};
	uint64_t values[LANE_COUNTER_COUNT] = {[LANE_tx_offered] = 9, [LANE_tx_sent] = 9};

	(void)equations_of(values, &caps, &stats);
	assert_int_equal(named("E9 port")->difference, 0);
	caps.oerrors_taken = false;
	(void)equations_of(values, &caps, &stats);
	assert_int_equal(named("E9 port")->difference, 2);
}

/* Running out of buffers is shown beside E1: packets wait, they are not lost. */
static void
shown_numbers_hide_nothing_by_being_invisible(void **state)
{
	struct nic_caps caps = {.queues = 1};
	struct nic_stats stats = {.rx_nombuf = 5, .oerrors = UINT64_MAX};
	uint64_t values[LANE_COUNTER_COUNT] = {0};

	(void)equations_of(values, &caps, &stats);
	assert_int_equal(named("E1 wire")->terms[3].value, 5);
	assert_int_equal(named("E1 wire")->terms[3].sign, 0);
	assert_true(named("E9 port")->visible);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_packet_of_any_counter_shows),
		cmocka_unit_test(every_drop_reason_is_in_one_equation),
		cmocka_unit_test(what_a_driver_cannot_see_is_not_judged),
		cmocka_unit_test(queues_of_one_port_are_told_apart),
		cmocka_unit_test(errors_of_sending_are_a_term_where_tx_took_the_packet),
		cmocka_unit_test(shown_numbers_hide_nothing_by_being_invisible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
