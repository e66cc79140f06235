/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's sums at start: what its tables take, whether the credit floors
 * of all its sessions can be kept, whether its done rings hold all answers. Shown, or refused with the
 * key that mends it. Set-up only.
 */
#include <stdio.h>
#include "ingest/lane.h"

#define UNDURABLE_MIN 4096 /* entries for batches copied and not yet durable */

uint32_t
lane_done_slots(uint32_t append_slots, const struct nic_caps *caps)
{
	return append_slots + caps->pool_count;
}

/* A kernel socket has no descriptors, but a buffer of its own that holds about a quarter pool. */
uint32_t
lane_descriptors(const struct nic_caps *caps)
{
	return caps->kernel_stack && caps->rx_descriptors < caps->pool_count / 4
		       ? caps->pool_count / 4
		       : caps->rx_descriptors;
}

static uint32_t
hash_buckets(uint32_t count)
{
	uint32_t buckets = 1;

	while (buckets < count) {
		buckets *= 2;
	}
	return buckets;
}

void
lane_table_sums(const struct lane_options *o, const struct nic_caps *caps, struct lane_tables *ret_tables)
{
	uint64_t streams = (uint64_t)o->sessions_max * o->streams_per_session_max;
	uint64_t extra = caps->pool_count * 4ull > UNDURABLE_MIN ? caps->pool_count * 4ull : UNDURABLE_MIN;
	struct lane_tables t = {.sessions = o->sessions_max,
		.streams = streams < LANE_STREAMS_MAX ? (uint32_t)streams : LANE_STREAMS_MAX,
		.batches = (uint32_t)(caps->pool_count + extra)};

	/* Two hash chains for sessions, one for streams; a row is what other threads read. */
	t.session_bytes = (uint64_t)t.sessions * (sizeof(struct native_session) + sizeof(struct lane_row)) +
			  2ull * hash_buckets(t.sessions) * sizeof(uint32_t);
	t.stream_bytes = (uint64_t)t.streams * sizeof(struct native_stream) +
			 (uint64_t)hash_buckets(t.streams) * sizeof(uint32_t);
	t.batch_bytes = (uint64_t)t.batches * sizeof(struct batch);
	t.partition_bytes = (uint64_t)o->routes->partitions_max * sizeof(struct lane_partition);
	t.total_bytes = sizeof(struct lane) + t.session_bytes + t.stream_bytes + t.batch_bytes + t.partition_bytes;
	*ret_tables = t;
}

/* The floor of every session at once, with as many sessions as there may be. */
static int
lane_check_floors(const struct lane_options *o, const struct nic_caps *caps, char *text, uint32_t text_bytes)
{
	struct admission_floors floors;
	uint32_t descriptors = lane_descriptors(caps);
	uint32_t spare = caps->pool_count - caps->pool_count / LANE_RESERVE_PART;
	uint64_t log_bytes = 0, at_once, round_ns;

	admission_floors(o->sessions_max, descriptors, o->max_datagram, &floors);
	at_once = (o->sessions_max + floors.groups - 1) / floors.groups;
	round_ns = floors.groups * LANE_GROUP_PERIOD_NS;
	for (uint32_t shard = 0; shard < o->shard_count; shard++) {
		log_bytes += log_room_buffer_free(o->log_room, shard);
	}
	log_bytes /= o->lane_count;
	if (at_once * floors.pkts > spare) {
		return lane_refuse(text, text_bytes,
			"credit floors: %llu sessions at once x %llu packets are more than the %u of %u rx buffers that "
			"are not held back\n  fix   native.sessions_max below %u",
			(unsigned long long)at_once, (unsigned long long)floors.pkts, spare, caps->pool_count, spare);
	}
	if (at_once * floors.bytes > log_bytes) {
		return lane_refuse(text, text_bytes,
			"credit floors: %llu sessions at once x %llu B are %llu KiB, a lane's share of the append "
			"buffers is %llu KiB\n  fix   log.buffer.bytes of %llu KiB, or native.sessions_max %llu",
			(unsigned long long)at_once, (unsigned long long)floors.bytes,
			(unsigned long long)(at_once * floors.bytes / KIB), (unsigned long long)(log_bytes / KIB),
			(unsigned long long)(at_once * floors.bytes * o->lane_count / o->shard_count / KIB + 1),
			(unsigned long long)(log_bytes / floors.bytes));
	}
	if (round_ns > o->idle_timeout_ns) {
		return lane_refuse(text, text_bytes,
			"credit floors: %u sessions on %u descriptors take turns in %u groups of 50 ms, longer than the "
			"idle timeout of %llu ms\n  fix   native.idle_timeout above %llu ms, or native.sessions_max %llu",
			o->sessions_max, descriptors, floors.groups,
			(unsigned long long)(o->idle_timeout_ns / NS_PER_MS),
			(unsigned long long)(round_ns / NS_PER_MS),
			(unsigned long long)(o->idle_timeout_ns / LANE_GROUP_PERIOD_NS * descriptors));
	}
	return snprintf(text, text_bytes,
		"credit floors of %u sessions: %llu at once x %llu packet(s) <= %u buffers, x %llu B <= %llu KiB of "
		"append buffers, %u group(s) of 50 ms",
		o->sessions_max, (unsigned long long)at_once, (unsigned long long)floors.pkts, spare,
		(unsigned long long)floors.bytes, (unsigned long long)(log_bytes / KIB), floors.groups);
}

/*
 * An append lcore must find room for the answer to each batch that it may hold: what waits in the append
 * ring, and what a rx buffer is out for. What comes after COPIED is merged and waits with the shard.
 */
static int
lane_check_rings(const struct lane_options *o, const struct nic_caps *caps, char *text, uint32_t text_bytes)
{
	uint32_t room = 0, want = 0;

	for (uint32_t shard = 0; shard < o->shard_count; shard++) {
		const struct ring *req = o->append_req[shard], *done = o->append_done[shard];

		if (!req || !done || req->item_bytes != sizeof(struct append_req) ||
			done->item_bytes != sizeof(struct append_done)) {
			return lane_refuse(text, text_bytes, "rings of shard %u are missing", shard);
		}
		room = ring_used(done) + ring_free(done);
		want = lane_done_slots(ring_used(req) + ring_free(req), caps);
		if (room < want) {
			return lane_refuse(text, text_bytes,
				"shard %u: done ring of %u is smaller than %u: append ring of %u and %u rx buffers",
				shard, room, want, want - caps->pool_count, caps->pool_count);
		}
	}
	return snprintf(text, text_bytes, "done ring of a shard %u >= %u append slots + %u batches out", room,
		want - caps->pool_count, caps->pool_count);
}

static int
lane_check_tables(const struct lane_options *o, const struct nic_caps *caps, char *text, uint32_t text_bytes)
{
	struct lane_tables t;

	lane_table_sums(o, caps, &t);
	if (o->memory_max_bytes > 0 && t.total_bytes > o->memory_max_bytes) {
		return lane_refuse(text, text_bytes,
			"%u sessions x %zu B, %u streams x %zu B, %u batches x %zu B and %u partitions x %zu B are %.1f MiB, "
			"%.1f MiB are left for a lane\n  fix   a lower native.sessions_max or native.streams_max",
			t.sessions, sizeof(struct native_session) + sizeof(struct lane_row), t.streams,
			sizeof(struct native_stream), t.batches, sizeof(struct batch), o->routes->partitions_max,
			sizeof(struct lane_partition), (double)t.total_bytes / MIB, (double)o->memory_max_bytes / MIB);
	}
	return snprintf(text, text_bytes,
		"tables: %u sessions x %zu B + %u streams x %zu B + %u batches x %zu B + %u partitions x %zu B + hashes = "
		"%.1f MiB",
		t.sessions, sizeof(struct native_session) + sizeof(struct lane_row), t.streams,
		sizeof(struct native_stream), t.batches, sizeof(struct batch), o->routes->partitions_max,
		sizeof(struct lane_partition), (double)t.total_bytes / MIB);
}

int
lane_arithmetic(const struct lane_options *o, const struct nic_caps *caps, char *text, uint32_t text_bytes)
{
	static int (*const checks[])(const struct lane_options *o, const struct nic_caps *caps, char *text,
		uint32_t text_bytes) = {lane_check_rings, lane_check_floors, lane_check_tables};
	uint32_t used = 0;

	for (uint32_t i = 0; i < ARRAY_COUNT(checks); i++) {
		char line[LANE_TEXT_BYTES / 3];
		int rc = checks[i](o, caps, line, sizeof(line));

		if (rc < 0) {
			(void)snprintf(text, text_bytes, "%s", line);
			return rc;
		}
		used += (uint32_t)snprintf(text + used, text_bytes - used, "%s%s", i > 0 ? "\n" : "", line);
		used = used < text_bytes ? used : text_bytes - 1;
	}
	return 0;
}
