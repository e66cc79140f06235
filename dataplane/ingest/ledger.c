/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drop ledger: equations over one published snapshot of a lane's counters (and the port's
 * numbers) that must hold at every turn's end, loss-free or not. The drop terms come from the
 * counter table by class and place, so a new reason cannot be forgotten. Any thread; no state.
 *
 * E1 and E2 are the wire's and the queue's, E3 net, E4 native, E5 batches, E6 records and bytes, E8
 * owners, E9 tx. There is no E7 in this version: fragments are not offered.
 */
#include "base/ensure.h"
#include "dataplane.h"

/* Read by a thread that may be put to sleep between two numbers. */
#define PACKETS_MOVING_MAX (1u << 20)

#define NET_DROPS_FIRST    LANE_eth_short
#define NET_DROPS_LAST     LANE_udp_port
#define NATIVE_DROPS_FIRST LANE_frame_short
#define NATIVE_DROPS_LAST  LANE_closed
_Static_assert(NET_DROPS_LAST - NET_DROPS_FIRST + 8 <= 80, "E3 fits its terms");
_Static_assert(NATIVE_DROPS_LAST - NATIVE_DROPS_FIRST + 10 <= 80, "E4 fits its terms");
_Static_assert(LANE_refused_other - LANE_batch_header + 2 <= 80, "refusals fit their terms");
_Static_assert(NET_DROPS_LAST < NATIVE_DROPS_FIRST, "net drops stand before native ones");

static void
ledger_begin(struct ledger_equation *e, const char *name)
{
	*e = (struct ledger_equation){.name = name, .visible = true};
}

static void
ledger_term(struct ledger_equation *e, const char *name, uint64_t value, int8_t sign)
{
	ensure(e->term_count < ARRAY_COUNT(e->terms));
	e->terms[e->term_count++] = (struct ledger_term){
		.name = name, .value = value, .visible = value != UINT64_MAX, .sign = sign};
}

static void
ledger_counter(struct ledger_equation *e, const uint64_t *values, enum lane_counter c, int8_t sign)
{
	ledger_term(e, lane_counter_rows[c].name, values[c], sign);
}

/* All counters of class DROP from first to last, on the right side. */
static void
ledger_drops(struct ledger_equation *e, const uint64_t *values, uint32_t first, uint32_t last)
{
	for (uint32_t c = first; c <= last; c++) {
		if (lane_counter_rows[c].class == COUNTER_DROP) {
			ledger_counter(e, values, (enum lane_counter)c, -1);
		}
	}
}

static void
ledger_end(struct ledger_equation *e)
{
	for (uint32_t i = 0; i < e->term_count; i++) {
		const struct ledger_term *term = &e->terms[i];

		e->visible = e->visible && (term->visible || term->sign == 0);
		if (term->visible) {
			e->difference += term->sign * (int64_t)term->value;
		}
	}
	if (!e->visible) {
		e->difference = 0;
	}
}

/* What the wire brought is known to the peer only, so E1 lists and does not balance. */
static void
ledger_wire(struct ledger_equation *e, const struct nic_stats *stats, const struct nic_caps *caps)
{
	ledger_begin(e, "E1 wire");
	ledger_term(e, "ipackets", stats->ipackets, 1);
	ledger_term(e, "imissed", caps->counts_losses ? stats->imissed : UINT64_MAX, 1);
	ledger_term(e, "ierrors", stats->ierrors, 1);
	ledger_term(e, "rx_nombuf", stats->rx_nombuf, 0); /* beside it: it may be no loss */
	e->visible = false;
	ledger_end(e);
}

/*
 * The driver counts before us and concurrently, so its number may run ahead by what is in flight; a
 * snapshot of a quiet lane balances. With fault injection the decorator's terms are between.
 */
static void
ledger_queue(struct ledger_equation *e, const uint64_t *values, const struct nic_stats *stats)
{
	ledger_begin(e, "E2 queue");
	e->moving_max = PACKETS_MOVING_MAX;
	ledger_counter(e, values, LANE_rx_packets, 1);
	if (stats->fault_lost != UINT64_MAX) {
		ledger_term(e, "fault_lost", stats->fault_lost, 1);
	}
	ledger_term(e, "q_ipackets", stats->queue_ipackets, -1);
	if (stats->fault_duplicated != UINT64_MAX) {
		ledger_term(e, "fault_duplicated", stats->fault_duplicated, -1);
	}
	if (stats->fault_reordered != UINT64_MAX) {
		/* Held back and handed out later: shown, part of neither side. */
		ledger_term(e, "fault_reordered", stats->fault_reordered, 0);
	}
	ledger_end(e);
}

static void
ledger_net(struct ledger_equation *e, const uint64_t *values)
{
	static const enum lane_counter used[] = {LANE_arp, LANE_ndp, LANE_icmp, LANE_native};

	ledger_begin(e, "E3 net");
	ledger_counter(e, values, LANE_rx_packets, 1);
	for (uint32_t i = 0; i < ARRAY_COUNT(used); i++) {
		ledger_counter(e, values, used[i], -1);
	}
	ledger_drops(e, values, NET_DROPS_FIRST, NET_DROPS_LAST);
	ledger_end(e);
}

static void
ledger_native(struct ledger_equation *e, const uint64_t *values)
{
	static const enum lane_counter used[] = {LANE_hello, LANE_ping, LANE_resolve, LANE_probe,
		LANE_close, LANE_data, LANE_pn_duplicate};

	ledger_begin(e, "E4 native");
	ledger_counter(e, values, LANE_native, 1);
	for (uint32_t i = 0; i < ARRAY_COUNT(used); i++) {
		ledger_counter(e, values, used[i], -1);
	}
	ledger_drops(e, values, NATIVE_DROPS_FIRST, NATIVE_DROPS_LAST);
	ledger_end(e);
}

/* plus 0: batches, 1: records, 2: bytes (the counters stand in triples). */
static void
ledger_batches(struct ledger_equation *e, const uint64_t *values, uint32_t plus)
{
	static const enum lane_counter fates[] = {LANE_stored, LANE_refused,
		LANE_sequence_duplicate, LANE_discarded_rewind, LANE_discarded_close, LANE_hold};

	ledger_counter(e, values, (enum lane_counter)(LANE_data + plus), 1);
	for (uint32_t i = 0; i < ARRAY_COUNT(fates); i++) {
		ledger_counter(e, values, (enum lane_counter)(fates[i] + plus), -1);
	}
	ledger_end(e);
}

static void
ledger_refused(struct ledger_equation *e, const uint64_t *values)
{
	ledger_begin(e, "E5 refused");
	ledger_counter(e, values, LANE_refused, 1);
	for (uint32_t c = LANE_batch_header; c <= LANE_refused_other; c++) {
		ledger_counter(e, values, (enum lane_counter)c, -1);
	}
	ledger_end(e);
}

static void
ledger_owners(struct ledger_equation *e, const uint64_t *values)
{
	ledger_begin(e, "E8 owners");
	ledger_counter(e, values, LANE_owners_taken, 1);
	ledger_counter(e, values, LANE_owners_released, -1);
	ledger_counter(e, values, LANE_owners_held, -1);
	ledger_end(e);
}

static void
ledger_tx(struct ledger_equation *e, const uint64_t *values)
{
	ledger_begin(e, "E9 tx");
	ledger_counter(e, values, LANE_tx_offered, 1);
	ledger_counter(e, values, LANE_tx_sent, -1);
	ledger_counter(e, values, LANE_tx_full, -1);
	ledger_end(e);
}

/*
 * What the driver took is what it sent: it counts at once, the lane publishes at its turn's end. Its
 * errors are packets that it took and lost, or only what it refused, which is offered again.
 */
static void
ledger_tx_port(struct ledger_equation *e, const uint64_t *values, const struct nic_stats *stats,
	const struct nic_caps *caps)
{
	ledger_begin(e, "E9 port");
	e->moving_max = PACKETS_MOVING_MAX;
	ledger_counter(e, values, LANE_tx_sent, 1);
	ledger_counter(e, values, LANE_tx_queued, -1);
	ledger_term(e, "q_opackets", stats->queue_opackets, -1);
	ledger_term(e, "oerrors", stats->oerrors, caps->oerrors_taken && caps->queues == 1 ? -1 : 0);
	if (stats->fault_tx_lost != UINT64_MAX) {
		/* Of the decorator; what it holds back is in tx_queued. */
		ledger_term(e, "fault_tx_lost", stats->fault_tx_lost, -1);
		ledger_term(e, "fault_tx_duplicated", stats->fault_tx_duplicated, 1);
		ledger_term(e, "fault_tx_reordered", stats->fault_tx_reordered, 0);
	}
	ledger_end(e);
}

void
ledger_log_equations(const struct ledger_log *log, struct ledger_equation *ret_equations)
{
	static const struct {
		const char *equation, *stored, *control, *appended;
		uint64_t moving_max; /* in rings, and in the log's hands until the lanes hear of it */
	} rows[LEDGER_LOG_EQUATIONS] = {
		{"E6 log batches", "stored", "control", "append_batches", 1u << 20},
		{"E6 log records", "stored_records", "control_records", "append_records", 1u << 26},
		{"E6 log bytes", "stored_bytes", "control_bytes", "append_bytes", 1ull << 32},
	};

	for (uint32_t i = 0; i < LEDGER_LOG_EQUATIONS; i++) {
		struct ledger_equation *e = &ret_equations[i];

		ledger_begin(e, rows[i].equation);
		e->moving_max = rows[i].moving_max;
		ledger_term(e, rows[i].stored, log->stored[i], 1);
		ledger_term(e, rows[i].control, log->control[i], 1);
		ledger_term(e, rows[i].appended, log->appended[i], -1);
		ledger_end(e);
	}
}

static uint64_t
ledger_distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

uint64_t
ledger_partition_astray(const uint64_t (*lanes)[LANE_FATE_COUNT], uint32_t lane_count, uint64_t grown)
{
	uint64_t stored = 0, astray = 0;

	for (uint32_t lane = 0; lane < lane_count; lane++) {
		uint64_t met = 0;

		for (uint32_t fate = LANE_FATE_CAME + 1; fate < LANE_FATE_COUNT; fate++) {
			met += lanes[lane][fate];
		}
		astray += ledger_distance(lanes[lane][LANE_FATE_CAME], met);
		stored += lanes[lane][LANE_FATE_STORED];
	}
	return astray + ledger_distance(stored, grown);
}

uint32_t
ledger_equations(const uint64_t *lane_values, const struct nic_stats *stats,
	const struct nic_caps *caps, struct ledger_equation *ret_equations)
{
	struct ledger_equation *e = ret_equations;

	ledger_wire(e++, stats, caps);
	ledger_queue(e++, lane_values, stats);
	ledger_net(e++, lane_values);
	ledger_native(e++, lane_values);
	ledger_begin(e, "E5 batches");
	ledger_batches(e++, lane_values, 0);
	ledger_refused(e++, lane_values);
	ledger_begin(e, "E6 records");
	ledger_batches(e++, lane_values, 1);
	ledger_begin(e, "E6 bytes");
	ledger_batches(e++, lane_values, 2);
	ledger_owners(e++, lane_values);
	ledger_tx(e++, lane_values);
	ledger_tx_port(e++, lane_values, stats, caps);
	ensure(e - ret_equations <= LEDGER_EQUATIONS_MAX);
	return (uint32_t)(e - ret_equations);
}
