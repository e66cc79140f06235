/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's life: checks of its arithmetic, memory, drain, and what other threads read. The turn
 * itself is rx_lcore.c. All memory is taken here at start; a turn takes none.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/ensure.h"
#include "ingest/lane.h"

#define STREAMS_PER_SESSION_HARD_MAX 4096

_Static_assert(HANDOFF_LANES_MAX <= 1u << FRAME_SESSION_LANE_BITS, "a session id names its lane");

void
lane_options_init(struct lane_options *options)
{
	*options = (struct lane_options){
		.lane_count = 1,
		.shard_count = 1,
		.native_port_base = 9292,
		.sessions_max = 4096,
		.streams_per_session_max = 256,
		.burst = 32,
		.idle_timeout_ns = 15 * NS_PER_S,
		.max_datagram = 1472,
	};
}

int
lane_refuse(char *text, uint32_t text_bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, text_bytes, format, args);
	va_end(args);
	return -EINVAL;
}

static int
lane_check_numbers(const struct lane_options *o, char *text, uint32_t text_bytes)
{
	if (!o->clock || !o->rand || !o->nic || !o->routes || !o->secrets || !o->log_room ||
		!o->control_ask || !o->control_answer) {
		return lane_refuse(text, text_bytes, "lane: a seam or ring is missing");
	}
	if (o->lane_count == 0 || o->lane_count > HANDOFF_LANES_MAX || o->lane >= o->lane_count) {
		return lane_refuse(text, text_bytes, "lane %u of %u: at most %u lanes", o->lane,
			o->lane_count, HANDOFF_LANES_MAX);
	}
	if (o->shard_count == 0 || o->shard_count > HANDOFF_SHARDS_MAX) {
		return lane_refuse(
			text, text_bytes, "%u shards: 1 to %u", o->shard_count, HANDOFF_SHARDS_MAX);
	}
	if (o->burst == 0 || o->burst > NIC_BURST_MAX) {
		return lane_refuse(text, text_bytes, "burst %u: 1 to %u", o->burst, NIC_BURST_MAX);
	}
	if (o->sessions_max == 0 || o->sessions_max > 1u << FRAME_SESSION_SLOT_BITS) {
		return lane_refuse(text, text_bytes, "sessions_max %u: 1 to %u", o->sessions_max,
			1u << FRAME_SESSION_SLOT_BITS);
	}
	if (o->streams_per_session_max == 0 ||
		o->streams_per_session_max > STREAMS_PER_SESSION_HARD_MAX) {
		return lane_refuse(text, text_bytes, "streams_per_session_max %u: 1 to %u",
			o->streams_per_session_max, STREAMS_PER_SESSION_HARD_MAX);
	}
	if (o->idle_timeout_ns < NS_PER_MS * LANE_SWEEP_PARTS) {
		return lane_refuse(text, text_bytes, "idle timeout %llu ns: at least %llu",
			(unsigned long long)o->idle_timeout_ns,
			(unsigned long long)(NS_PER_MS * LANE_SWEEP_PARTS));
	}
	return 0;
}

static int
lane_check_queue(
	const struct lane_options *o, const struct nic_caps *caps, char *text, uint32_t text_bytes)
{
	if (o->max_datagram < SESSION_MSG_DATAGRAM_MIN ||
		o->max_datagram + NIC_IP4_UDP_BYTES > caps->mtu) {
		return lane_refuse(text, text_bytes,
			"max_datagram %u: at least %u and at most MTU %u - %u", o->max_datagram,
			SESSION_MSG_DATAGRAM_MIN, caps->mtu, NIC_IP4_UDP_BYTES);
	}
	if (caps->rx_descriptors == 0 || caps->pool_count < caps->rx_descriptors) {
		return lane_refuse(text, text_bytes,
			"pool of %u rx buffers is smaller than the queue's %u descriptors",
			caps->pool_count, caps->rx_descriptors);
	}
	return 0;
}

static int
lane_init_net(struct lane *lane, char *text, uint32_t text_bytes)
{
	const struct lane_options *o = &lane->options;
	uint16_t port = o->ports[o->lane] != 0 ? o->ports[o->lane]
					       : (uint16_t)(o->native_port_base + o->lane);
	struct net_options net = {
		.queue = nic_packet_queue(o->nic),
		.answer = o->address_count > 0,
		.vlan_id = o->vlan_id,
		.dscp = o->dscp,
		.udp_port_first = port,
		.udp_port_count = 1,
		.address_count = o->address_count,
	};

	memcpy(net.addresses, o->addresses, sizeof(o->addresses));
	if (net_port_init(&lane->net, &net) < 0) {
		return lane_refuse(text, text_bytes,
			"addresses, VLAN %u or UDP port %u are not acceptable", o->vlan_id, port);
	}
	return 0;
}

/* Tables, sized from options and the queue's pool. */
static int
lane_init_tables(struct lane *lane)
{
	const struct lane_options *o = &lane->options;
	struct lane_tables sums;
	uint8_t hash_key[16];
	int rc;

	lane_table_sums(o, &lane->caps, &sums);
	rand_fill(o->rand, hash_key, sizeof(hash_key));
	rc = native_session_table_init(&lane->sessions, sums.sessions, hash_key);
	if (rc < 0) {
		return rc;
	}
	rc = native_stream_table_init(&lane->streams, sums.streams);
	if (rc < 0) {
		return rc;
	}
	rc = batch_table_init(&lane->batches, sums.batches, lane->caps.pool_count);
	if (rc < 0) {
		return rc;
	}
	lane->rows = calloc(sums.sessions, sizeof(*lane->rows));
	lane->partitions = aligned_alloc(CACHE_LINE_BYTES, sums.partition_bytes);
	if (!lane->rows || !lane->partitions) {
		return -ENOMEM;
	}
	memset(lane->partitions, 0, sums.partition_bytes);
	return 0;
}

static void
lane_init_state(struct lane *lane, const struct lane_options *options)
{
	uint32_t pool = lane->caps.pool_count;

	lane->options = *options;
	lane->nic = options->nic;
	lane->idle_timeout_ns = options->idle_timeout_ns;
	lane->counters = lane->counter_set.live;
	lane->due_first = lane->due_last = SESSION_NONE;
	lane->timed_first = lane->timed_last = SESSION_NONE;
	lane->touched_first = lane->ended_first = SESSION_NONE;
	for (uint32_t i = 0; i < HANDOFF_SHARDS_MAX; i++) {
		lane->pending[i].last = BATCH_NONE;
	}
	lane->descriptors = lane_descriptors(&lane->caps);
	/* Half of what the queue does not need itself may wait out of order. */
	lane->parked_max = (pool - lane->descriptors) / 2;
	if (!lane->caps.kernel_stack && lane->parked_max > pool / 4) {
		/* What the start's arithmetic allows for (nic/port_plan.c). */
		lane->parked_max = pool / 4;
	}
	if (lane->parked_max < lane->descriptors / 4) {
		lane->parked_max = lane->descriptors / 4;
	}
	lane->admission.reserve_pkts = pool / LANE_RESERVE_PART;
	lane->admission.period = 2;
	lane->admission.groups = 1;
	counter_set_init(&lane->counter_set);
	for (uint32_t i = 0; i < LANE_LATENCY_COUNT; i++) {
		histogram_init(&lane->latencies[i]);
	}
}

int
lane_create(
	const struct lane_options *options, struct lane **ret_lane, char *text, uint32_t text_bytes)
{
	struct nic_caps caps;
	struct lane *lane;
	int rc = lane_check_numbers(options, text, text_bytes);

	if (rc < 0) {
		return rc;
	}
	options->nic->ops->caps(options->nic, &caps);
	rc = lane_check_queue(options, &caps, text, text_bytes);
	rc = rc < 0 ? rc : lane_arithmetic(options, &caps, text, text_bytes);
	if (rc < 0) {
		return rc;
	}
	lane = aligned_alloc(CACHE_LINE_BYTES, bytes_ceil(sizeof(*lane), CACHE_LINE_BYTES));
	if (!lane) {
		(void)lane_refuse(text, text_bytes, "no memory");
		return -ENOMEM;
	}
	memset(lane, 0, sizeof(*lane));
	lane->caps = caps;
	lane_init_state(lane, options);
	rc = lane_init_net(lane, text, text_bytes);
	if (rc == 0 && lane_init_tables(lane) < 0) {
		(void)lane_refuse(text, text_bytes, "no memory for the tables");
		rc = -ENOMEM;
	}
	if (rc < 0) {
		lane_destroy(lane);
		return rc;
	}
	lane->now_ns = clock_now_ns(options->clock);
	net_announce(&lane->net, lane->now_ns);
	admission_tick(lane);
	counter_publish(&lane->counter_set, LANE_COUNTER_COUNT);
	*ret_lane = lane;
	return 0;
}

void
lane_destroy(struct lane *lane)
{
	if (!lane) {
		return;
	}
	native_session_table_fini(&lane->sessions);
	native_stream_table_fini(&lane->streams);
	batch_table_fini(&lane->batches);
	free(lane->rows);
	free(lane->partitions);
	free(lane);
}

void
lane_drain_begin(struct lane *lane)
{
	atomic_store_explicit(&lane->drain_asked, true, memory_order_release);
}

void
lane_announce(struct lane *lane)
{
	atomic_store_explicit(&lane->announce_asked, true, memory_order_relaxed);
}

void
lane_distrust_checksums(struct lane *lane)
{
	net_distrust_checksums(&lane->net);
}

uint32_t
lane_groups(const struct lane *lane, uint8_t (*ret_macs)[6], uint32_t max)
{
	return net_port_groups(&lane->net, ret_macs, max);
}

uint32_t
lane_drain_turn(struct lane *lane)
{
	uint32_t told = 0;

	if (!lane->draining) {
		lane->draining = true;
		for (uint32_t i = 0; i < lane->sessions.count; i++) {
			if (lane->sessions.sessions[i].state == SESSION_OPEN) {
				native_session_drain(lane, i);
				told++;
			}
		}
		lane_out_flush(lane);
		lane_out_release_flush(lane);
	}
	atomic_store_explicit(&lane->drained,
		lane->counters[LANE_owners_held] == 0 && lane->pending_count == 0 &&
			lane->parked_count == 0 && lane->due_first == SESSION_NONE &&
			lane->undurable_count == 0,
		memory_order_release);
	return told;
}

bool
lane_drained(const struct lane *lane)
{
	return atomic_load_explicit(&lane->drained, memory_order_acquire);
}

void
lane_counters(struct lane *lane, uint64_t *ret_values)
{
	counter_read(&lane->counter_set, ret_values, LANE_COUNTER_COUNT);
}

void
lane_partition_records(
	const struct lane *lane, uint32_t partition_index, uint64_t ret_records[LANE_FATE_COUNT])
{
	ensure(partition_index < lane->options.routes->partitions_max);
	for (uint32_t fate = 0; fate < LANE_FATE_COUNT; fate++) {
		ret_records[fate] = atomic_load_explicit(
			&lane->partitions[partition_index].records[fate], memory_order_relaxed);
	}
}

bool
lane_rate_allows(struct lane_rate *rate, uint64_t now_ns, uint32_t per_second)
{
	uint64_t second = now_ns / NS_PER_S;

	if (rate->second != second) {
		rate->second = second;
		rate->used = 0;
	}
	return rate->used < per_second ? (rate->used++, true) : false;
}
