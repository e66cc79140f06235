/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credits (docs/protocols/native.md): credit = resolved + share, absolute, for packets and bytes apart.
 * Resolved packets grow at COPIED, REFUSED or discard, resolved bytes at DURABLE, REFUSED or
 * discard; so a slow disk stops bytes, clients stop, and nothing is dropped.
 *
 * Each millisecond the lane's budget is measured (free rx buffers, free log buffer) and turned into
 * a floor for everybody and an equal rest for sessions with data in the last 100 ms. A session's
 * share is computed when an ACK is built for it, so the cost does not grow with idle sessions. The
 * cap, "twice the recent use per round trip", takes 100 ms for the round trip, which a server
 * cannot measure: too generous for near clients, never too tight for far ones.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

#define FIRST_SHARE_PKTS  128
#define FIRST_SHARE_BYTES (256 * KIB)

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void
admission_measure(struct lane *lane, struct lane_admission *a)
{
	uint32_t buffers = lane->nic->ops->buffers_free(lane->nic);
	const struct lane_options *options = &lane->options;
	uint64_t log_bytes = 0;

	for (uint32_t shard = 0; shard < options->shard_count; shard++) {
		log_bytes += log_room_buffer_free(options->log_room, shard);
	}
	a->budget_pkts = least(above(buffers, a->reserve_pkts), lane->descriptors);
	a->budget_bytes = log_bytes / options->lane_count;
	a->buffers_low = buffers <= a->reserve_pkts;
	a->disk_full = log_room_disk_full(options->log_room);
}

void
admission_floors(uint64_t sessions, uint64_t descriptors, uint32_t max_datagram,
	struct admission_floors *ret_floors)
{
	ret_floors->pkts = sessions * 2 <= descriptors ? 2 : 1;
	ret_floors->bytes = ret_floors->pkts * max_datagram;
	ret_floors->groups =
		sessions <= descriptors ? 1 : (uint32_t)((sessions + descriptors - 1) / descriptors);
}

/* Floors first; with more sessions than descriptors they go round in groups. */
static void
admission_divide(struct lane *lane, struct lane_admission *a)
{
	uint64_t sessions = lane->sessions.open_count;
	uint64_t active = a->active_now > a->active_before ? a->active_now : a->active_before;
	struct admission_floors floors;

	admission_floors(sessions, lane->descriptors, lane->options.max_datagram, &floors);
	a->floor_pkts = floors.pkts;
	a->floor_bytes = floors.bytes;
	a->groups = floors.groups;
	if (active == 0) {
		active = 1;
	}
	a->rest_pkts = above(a->budget_pkts, sessions * a->floor_pkts / a->groups) / active;
	a->rest_bytes = above(a->budget_bytes, sessions * a->floor_bytes / a->groups) / active;
	a->log_low = a->budget_bytes <= sessions * a->floor_bytes;
}

/* The next group of floors; its members have to hear of it, for they may wait for nothing else. */
static void
admission_rotate(struct lane *lane, struct lane_admission *a)
{
	if (a->groups <= 1 || lane->now_ns < a->group_end_ns) {
		return;
	}
	a->group = (a->group + 1) % a->groups;
	a->group_end_ns = lane->now_ns + LANE_GROUP_PERIOD_NS;
	for (uint32_t i = a->group; i < lane->sessions.count; i += a->groups) {
		if (native_session_live(&lane->sessions.sessions[i])) {
			ack_due(lane, i);
		}
	}
}

void
admission_tick(struct lane *lane)
{
	struct lane_admission *a = &lane->admission;

	if (lane->now_ns < a->next_ns) {
		return;
	}
	a->next_ns = lane->now_ns + LANE_ADMISSION_PERIOD_NS;
	a->wall_minus_now_ns = (int64_t)clock_wall_ns(lane->options.clock) - (int64_t)lane->now_ns;
	if (lane->now_ns >= a->period_end_ns) {
		bool next = lane->now_ns < a->period_end_ns + LANE_ACTIVITY_PERIOD_NS;

		a->period += next ? 1 : 2;
		a->active_before = next ? a->active_now : 0;
		a->active_now = 0;
		a->period_end_ns = lane->now_ns + LANE_ACTIVITY_PERIOD_NS;
	}
	admission_measure(lane, a);
	admission_divide(lane, a);
	admission_rotate(lane, a);
}

static bool
admission_in_group(const struct lane *lane, const struct native_session *session)
{
	const struct lane_admission *a = &lane->admission;

	return a->groups <= 1 ||
	       (uint32_t)(session - lane->sessions.sessions) % a->groups == a->group;
}

static uint64_t
admission_cap(const uint64_t use[2], uint64_t first)
{
	uint64_t recent = use[0] > use[1] ? use[0] : use[1];

	return 2 * recent > first ? 2 * recent : first;
}

static void
admission_raise(struct session_credit *credit, uint64_t share_pkts, uint64_t share_bytes)
{
	if (credit->resolved_pkts + share_pkts > credit->credit_pkts) {
		credit->credit_pkts = credit->resolved_pkts + share_pkts;
	}
	if (credit->resolved_bytes + share_bytes > credit->credit_bytes) {
		credit->credit_bytes = credit->resolved_bytes + share_bytes;
	}
}

void
admission_renew(struct lane *lane, struct native_session *session)
{
	const struct lane_admission *a = &lane->admission;
	struct session_credit *credit = &session->credit;
	bool floor = admission_in_group(lane, session);
	bool active = a->period - credit->active_period <= 1;
	uint64_t pkts = floor ? a->floor_pkts : 0;
	uint64_t bytes = floor ? a->floor_bytes : 0;

	if (active) {
		pkts += least(a->rest_pkts, admission_cap(credit->use_pkts, FIRST_SHARE_PKTS));
		bytes += least(a->rest_bytes, admission_cap(credit->use_bytes, FIRST_SHARE_BYTES));
	}
	admission_raise(credit, pkts, bytes);
}

void
admission_open(struct lane *lane, struct native_session *session)
{
	const struct lane_admission *a = &lane->admission;

	admission_raise(&session->credit, a->floor_pkts + least(a->rest_pkts, FIRST_SHARE_PKTS),
		a->floor_bytes + least(a->rest_bytes, FIRST_SHARE_BYTES));
	session->first_credit_pkts = session->credit.credit_pkts;
	session->first_credit_bytes = session->credit.credit_bytes;
}

bool
admission_allows(struct lane *lane, const struct native_session *session, uint32_t bytes)
{
	const struct session_credit *c = &session->credit;

	if (lane->admission.buffers_low && session->held_count >= lane->admission.floor_pkts) {
		return false;
	}
	return c->accepted_pkts + 1 <= c->credit_pkts + c->slack_pkts &&
	       c->accepted_bytes + bytes <= c->credit_bytes + c->slack_bytes;
}

void
admission_charge(struct lane *lane, struct native_session *session, uint32_t bytes)
{
	struct lane_admission *a = &lane->admission;
	struct session_credit *c = &session->credit;

	if (c->active_period != a->period) {
		bool next = a->period - c->active_period == 1;

		c->use_pkts[1] = next ? c->use_pkts[0] : 0;
		c->use_bytes[1] = next ? c->use_bytes[0] : 0;
		c->use_pkts[0] = 0;
		c->use_bytes[0] = 0;
		c->active_period = a->period;
		a->active_now++;
	}
	c->use_pkts[0]++;
	c->use_bytes[0] += bytes;
	c->accepted_pkts++;
	c->accepted_bytes += bytes;
}

uint16_t
admission_busy(const struct lane *lane)
{
	if (lane->draining) {
		return SESSION_MSG_BUSY_DRAINING;
	}
	if (lane->admission.disk_full) {
		return SESSION_MSG_BUSY_DISK_FULL;
	}
	if (lane->admission.buffers_low) {
		return SESSION_MSG_BUSY_MBUFS_LOW;
	}
	return lane->admission.log_low ? SESSION_MSG_BUSY_LOG_BUFFER : SESSION_MSG_BUSY_NONE;
}
