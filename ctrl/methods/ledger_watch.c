/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/methods/ledger_watch.h"

#include <stdio.h>
#include "ctrl/schema/events_gen.h"

uint32_t
ledger_watch_snapshot(const struct engine *engine, uint32_t lane, uint64_t *ret_values,
	struct ledger_equation *ret_equations)
{
	struct nic *nic = engine->nics[lane];
	struct nic_stats stats;
	struct nic_caps caps;

	lane_counters(engine->lanes[lane], ret_values);
	nic->ops->stats(nic, &stats);
	nic->ops->caps(nic, &caps);
	return ledger_equations(ret_values, &stats, &caps, ret_equations);
}

void
ledger_watch_log_snapshot(const struct engine *engine, struct ledger_equation *ret_equations)
{
	struct ledger_log log = {0};
	uint64_t values[COUNTER_SLOTS_MAX];

	for (uint32_t shard = 0; shard < engine->shard_count; shard++) {
		logstore_counters(engine->store, shard, values);
		for (uint32_t i = 0; i < LEDGER_LOG_EQUATIONS; i++) {
			log.appended[i] += values[SHARD_append_batches + i];
		}
	}
	for (uint32_t lane = 0; lane < engine->lane_count; lane++) {
		lane_counters(engine->lanes[lane], values);
		for (uint32_t i = 0; i < LEDGER_LOG_EQUATIONS; i++) {
			log.stored[i] += values[LANE_stored + i];
		}
	}
	broker_stored(engine->broker, log.control);
	ledger_log_equations(&log, ret_equations);
}
_Static_assert(SHARD_append_bytes == SHARD_append_batches + 2, "a triple in order");

static uint64_t
watch_sum(const struct ledger_equation *e)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < e->term_count; i++) {
		sum += e->terms[i].visible ? e->terms[i].value : 0;
	}
	return sum;
}

static uint64_t
watch_size(int64_t difference)
{
	return difference < 0 ? 0 - (uint64_t)difference : (uint64_t)difference;
}

/* The remainder of the last look is there again: of the same sign, and not smaller. */
static bool
watch_again(const struct ledger_watch_row *row, const struct ledger_equation *e)
{
	return row->looks > 0 && (e->difference < 0) == (row->difference < 0) &&
	       watch_size(e->difference) >= watch_size(row->difference);
}

/* One look at one equation. True if it became broken, or whole again, by this look. */
static bool
watch_judge(struct ledger_watch_row *row, const struct ledger_equation *e)
{
	uint64_t sum = watch_sum(e);
	bool still = sum == row->sum || e->moving_max == 0 || watch_size(e->difference) > e->moving_max;
	bool was = row->broken;

	if (!e->visible || e->difference == 0) {
		row->looks = 0;
		row->broken = false;
	} else if (!still) {
		row->looks = 0; /* nothing is known of a moving one: a broken one stays so */
	} else {
		row->looks = watch_again(row, e) ? row->looks + 1 : 1;
		row->broken = row->broken || row->looks >= LEDGER_WATCH_LOOKS;
	}
	row->name = e->name;
	row->difference = e->visible ? e->difference : 0;
	row->sum = sum;
	return was != row->broken;
}

/* A row's look, and its event; `where` names what the equation is of. */
static void
watch_row(struct ledger_watch_row *row, const struct ledger_equation *e, const char *where)
{
	if (!watch_judge(row, e)) {
		return;
	}
	if (row->broken) {
		event_ledger_broken("%s, %s: off by %lld. %s fix: %s", where, row->name,
			(long long)row->difference, EVENT_LEDGER_BROKEN_CAUSE, EVENT_LEDGER_BROKEN_FIX);
	} else {
		event_ledger_mended("%s, %s", where, row->name);
	}
}

static void
watch_sign_event(enum ledger_watch_sign_kind kind, uint32_t lane, uint64_t more, uint64_t count)
{
	unsigned long long n = more, all = count;

	switch (kind) {
	case WATCH_ADDRESS_CONFLICT:
		event_address_conflict("lane %u: %llu packets more, %llu since the start. %s fix: %s", lane, n,
			all, EVENT_ADDRESS_CONFLICT_CAUSE, EVENT_ADDRESS_CONFLICT_FIX);
		break;
	case WATCH_ADDRESS_DUPLICATE:
		event_address_duplicate("lane %u: %llu packets more, %llu since the start. %s fix: %s", lane, n,
			all, EVENT_ADDRESS_DUPLICATE_CAUSE, EVENT_ADDRESS_DUPLICATE_FIX);
		break;
	case WATCH_IP_FRAGMENTS:
		event_ip_fragments("lane %u: %llu more, %llu since the start. %s fix: %s", lane, n, all,
			EVENT_IP_FRAGMENTS_CAUSE, EVENT_IP_FRAGMENTS_FIX);
		break;
	case WATCH_SIGNS:
		break;
	}
}

/* Each is told when it grows, at most once a minute. */
static void
watch_signs(struct ledger_watch *w, uint32_t lane, const uint64_t *values, uint64_t now_ns)
{
	const uint64_t counts[WATCH_SIGNS] = {
		[WATCH_ADDRESS_CONFLICT] = values[LANE_arp_conflict] + values[LANE_ndp_conflict],
		[WATCH_ADDRESS_DUPLICATE] = values[LANE_ndp_duplicate],
		[WATCH_IP_FRAGMENTS] = values[LANE_ip_fragment],
	};

	for (uint32_t i = 0; i < WATCH_SIGNS; i++) {
		struct ledger_watch_sign *sign = &w->signs[lane][i];

		if (counts[i] > sign->count) {
			sign->grown_ns = now_ns;
		}
		sign->count = counts[i];
		if (sign->count > sign->told_count &&
			(sign->told_ns == 0 || now_ns - sign->told_ns >= LEDGER_WATCH_LOSS_TELL_NS)) {
			watch_sign_event((enum ledger_watch_sign_kind)i, lane, sign->count - sign->told_count,
				sign->count);
			sign->told_count = sign->count;
			sign->told_ns = now_ns;
		}
	}
}

static void
watch_lane(struct ledger_watch *w, const struct engine *engine, uint32_t lane, uint64_t now_ns)
{
	uint64_t values[COUNTER_SLOTS_MAX];
	uint32_t count = ledger_watch_snapshot(engine, lane, values, w->equations);
	char where[16];

	snprintf(where, sizeof(where), "lane %u", lane);
	for (uint32_t i = 0; i < count; i++) {
		watch_row(&w->rows[lane][i], &w->equations[i], where);
	}
	watch_signs(w, lane, values, now_ns);
}

static void
watch_log(struct ledger_watch *w, const struct engine *engine)
{
	ledger_watch_log_snapshot(engine, w->equations);
	for (uint32_t i = 0; i < LEDGER_LOG_EQUATIONS; i++) {
		watch_row(&w->log[i], &w->equations[i], "log");
	}
}

/* Losses before the queue are told when they grow, at most once a minute. */
static void
watch_port(struct ledger_watch *w, const struct engine *engine, uint32_t lane, uint64_t now_ns)
{
	struct ledger_watch_port *port = &w->ports[lane];
	struct nic *nic = engine->nics[lane];
	struct nic_stats stats;
	struct nic_caps caps;

	nic->ops->caps(nic, &caps);
	nic->ops->stats(nic, &stats);
	if (caps.queue > 0 || !caps.counts_losses || stats.imissed == UINT64_MAX) {
		return; /* numbers of a port stand with its first queue */
	}
	if (stats.imissed > port->missed) {
		port->grown_ns = now_ns;
	}
	port->driver = caps.driver;
	port->missed = stats.imissed;
	if (port->missed > port->told_missed &&
		(port->told_ns == 0 || now_ns - port->told_ns >= LEDGER_WATCH_LOSS_TELL_NS)) {
		event_port_missed("lane %u (%s): %llu more, %llu since the start. %s fix: %s", lane, caps.driver,
			(unsigned long long)(port->missed - port->told_missed), (unsigned long long)port->missed,
			EVENT_PORT_MISSED_CAUSE, EVENT_PORT_MISSED_FIX);
		port->told_missed = port->missed;
		port->told_ns = now_ns;
	}
}

void
ledger_watch_poll(struct ledger_watch *w, const struct engine *engine, uint64_t now_ns)
{
	if (w->looked_ns != 0 && now_ns - w->looked_ns < LEDGER_WATCH_EVERY_NS) {
		return;
	}
	w->looked_ns = now_ns;
	for (uint32_t lane = 0; lane < engine->lane_count; lane++) {
		watch_lane(w, engine, lane, now_ns);
		watch_port(w, engine, lane, now_ns);
	}
	watch_log(w, engine);
	partition_watch_look(&w->partitions, engine);
}

void
ledger_watch_fini(struct ledger_watch *w)
{
	partition_watch_fini(&w->partitions);
}

static void
reason_broken(const struct ledger_watch_row *row, const char *where, json_t *reasons)
{
	char text[320];

	if (row->broken) {
		snprintf(text, sizeof(text), "ledger: %s, %s is off by %lld. %s fix: %s", where, row->name,
			(long long)row->difference, EVENT_LEDGER_BROKEN_CAUSE, EVENT_LEDGER_BROKEN_FIX);
		json_array_append_new(reasons, json_string(text));
	}
}

static void
reason_losses(const struct ledger_watch_port *port, uint32_t lane, uint64_t now_ns, json_t *reasons)
{
	char text[640];

	if (port->grown_ns != 0 && now_ns - port->grown_ns < LEDGER_WATCH_LOSS_SHOWN_NS) {
		snprintf(text, sizeof(text),
			"losses: the port of lane %u (%s) lost %llu packets since the start, the last %llu s ago. %s "
			"fix: %s",
			lane, port->driver, (unsigned long long)port->missed,
			(unsigned long long)((now_ns - port->grown_ns) / NS_PER_S), EVENT_PORT_MISSED_CAUSE,
			EVENT_PORT_MISSED_FIX);
		json_array_append_new(reasons, json_string(text));
	}
}

static void
reason_addresses(
	const struct ledger_watch_sign signs[WATCH_SIGNS], uint32_t lane, uint64_t now_ns, json_t *reasons)
{
	const struct ledger_watch_sign *conflict = &signs[WATCH_ADDRESS_CONFLICT];
	char text[640];

	if (signs[WATCH_ADDRESS_DUPLICATE].count > 0) {
		snprintf(text, sizeof(text),
			"address: an IPv6 address of the port of lane %u is in use by another host. %s fix: %s", lane,
			EVENT_ADDRESS_DUPLICATE_CAUSE, EVENT_ADDRESS_DUPLICATE_FIX);
		json_array_append_new(reasons, json_string(text));
	}
	if (conflict->grown_ns != 0 && now_ns - conflict->grown_ns < LEDGER_WATCH_LOSS_SHOWN_NS) {
		snprintf(text, sizeof(text),
			"address: another host claims an address of the port of lane %u, the last time %llu s ago. "
			"%s fix: %s",
			lane, (unsigned long long)((now_ns - conflict->grown_ns) / NS_PER_S),
			EVENT_ADDRESS_CONFLICT_CAUSE, EVENT_ADDRESS_CONFLICT_FIX);
		json_array_append_new(reasons, json_string(text));
	}
}

void
ledger_watch_reasons(const struct ledger_watch *w, uint64_t now_ns, json_t *reasons)
{
	char where[16];

	for (uint32_t lane = 0; lane < HANDOFF_LANES_MAX; lane++) {
		snprintf(where, sizeof(where), "lane %u", lane);
		for (uint32_t i = 0; i < LEDGER_EQUATIONS_MAX; i++) {
			reason_broken(&w->rows[lane][i], where, reasons);
		}
		reason_losses(&w->ports[lane], lane, now_ns, reasons);
		reason_addresses(w->signs[lane], lane, now_ns, reasons);
	}
	for (uint32_t i = 0; i < LEDGER_LOG_EQUATIONS; i++) {
		reason_broken(&w->log[i], "log", reasons);
	}
	partition_watch_reasons(&w->partitions, reasons);
}
