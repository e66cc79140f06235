/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where every partition lives. Written by the control thread only, read by every lane, the batcher
 * and the CLI's methods: entries are filled first and then published by a release store of `state`;
 * readers load it with acquire. What a topic's settings may alter afterwards is _Atomic, each field
 * for itself (relaxed): a batch that comes during an alteration is judged by the one or the other.
 * metadata_version is raised last (release): who sees it (acquire) sees what it stands for.
 * Everything else never changes again. An entry is never reused within one boot, so a native stream
 * handle is simply partition_index + 1 (never 0). Sized at start.
 */
#ifndef BASE_ROUTE_TABLE_H
#define BASE_ROUTE_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/handoff.h"

enum route_state {
	ROUTE_EMPTY,	/* never used in this boot */
	ROUTE_CREATING, /* known, not yet writable */
	ROUTE_OPEN,
	ROUTE_DELETED,
	ROUTE_STATE_COUNT,
};

enum route_flag {
	ROUTE_WRITABLE = 1,   /* as RESOLVED's entry flags */
	ROUTE_RISK_SHIFT = 1, /* bits 1-2: penstock.ack.risk, 0 none, 1 power, 2 crash */
	ROUTE_INTERNAL = 16,  /* internal or owned topic: foreign Produce is refused (17) */
};

struct route_topic {
	_Atomic uint32_t state; /* enum route_state */
	uint32_t partition_count;
	uint32_t first_partition_index; /* its partitions are dense from here */
	_Atomic uint32_t max_message_bytes;
	_Atomic uint32_t metadata_version;
	_Atomic uint32_t flags; /* enum route_flag */
	_Atomic int64_t timestamp_before_max_ms;
	_Atomic int64_t timestamp_after_max_ms;
	uint8_t topic_id[16];
	_Atomic uint8_t log_append_time; /* message.timestamp.type */
	uint8_t reserved[6];
	uint8_t name_len;
	char name[HANDOFF_TOPIC_NAME_MAX + 1];
};

struct route_partition {
	_Atomic uint32_t state; /* enum route_state */
	uint32_t topic_index;
	uint32_t partition; /* number within its topic */
	int32_t leader_epoch;
	uint16_t shard; /* log shard that owns it */
	uint16_t lane;	/* lane that clients are told */
	_Atomic uint32_t flags; /* enum route_flag */
};

struct route_table {
	struct route_topic *topics;
	struct route_partition *partitions;
	uint32_t topics_max;
	uint32_t partitions_max;
	_Atomic uint32_t topic_count; /* used so far, deleted ones included */
	_Atomic uint32_t partition_count;
};

static inline uint32_t
route_state_acquire(_Atomic uint32_t *state)
{
	return atomic_load_explicit(state, memory_order_acquire);
}

/* A field that may be altered, as it is now. Any thread. */
#define ROUTE_READ(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* The partition's entry if a stream handle names an open or creating one, else NULL. Any thread. */
static inline struct route_partition *
route_table_stream(const struct route_table *table, uint32_t stream)
{
	if (stream == 0 || stream > table->partitions_max) {
		return NULL;
	}
	struct route_partition *p = &table->partitions[stream - 1];

	return route_state_acquire(&p->state) == ROUTE_EMPTY ? NULL : p;
}

#endif
