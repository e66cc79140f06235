/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log lcore's state. Everything in it is the lcore's own but what says otherwise; the keeper
 * talks to it through two rings. Included by the files that are this lcore's work (README.md has their
 * list), and by logstore.c and recovery before the lcore starts.
 */
#ifndef LOGSTORE_LOG_SHARD_H
#define LOGSTORE_LOG_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/counter.h"
#include "base/histogram.h"
#include "base/io.h"
#include "base/ring.h"
#include "logstore/chunk_pool.h"
#include "logstore/group.h"
#include "logstore/append_queue.h"
#include "logstore/keeper_msg.h"
#include "logstore/logstore.h"
#include "logstore/note.h"
#include "logstore/partition.h"
#include "logstore/producer_state.h"
#include "logstore/snapshot_arena.h"

#define SHARD_OPS_MAX	 256
#define SHARD_WRITE_MAX	 (512u << 10)
#define SHARD_INBOX	 32
#define SHARD_APPENDS_MAX 4096
#define SHARD_PART_BYTES_MAX (2u << 20) /* of one partition in a group, while others wait */
#define SHARD_SPARES_MAX 64
#define SHARD_SPARES_INTERNAL 1 /* kept for "__..." topics: their records let a full disk be emptied */
#define SHARD_READS_MAX	 32
#define SHARD_PINS_MAX	 4096
#define SHARD_RETRIES_MAX 3

struct logstore;

enum shard_op_kind {
	SHARD_OP_FREE,
	SHARD_OP_DATA,
	SHARD_OP_GUARD,
	SHARD_OP_FLUSH,
};

/* One request at the device: what is needed to judge and to repeat it. */
struct shard_op {
	enum shard_op_kind kind;
	uint8_t group;
	uint16_t part;
	uint32_t slot;
	uint32_t len;
	uint32_t flags;
	uint32_t retries;
	uint32_t next_free;
	const void *buffer;
	uint64_t position;
	uint64_t queued_ns;
	bool queued; /* false: waits to be queued again */
};

struct shard_spare {
	uint64_t file_id;
	int fd;
	uint32_t slot;
	uint32_t bytes;
};

struct shard_inbox {
	struct append_req reqs[SHARD_INBOX];
	uint32_t count;
	uint32_t at;
};

struct shard_pin {
	struct extent *extent;
	uint32_t generation;
	uint32_t next_free;
};

/* The guard ring. */
struct shard_guard {
	int fd;
	uint32_t slot;
	uint32_t blocks; /* in the ring; even */
	uint32_t at;	 /* next free block */
	uint32_t anchored_half; /* the half whose anchor is durable and newest */
	uint64_t seq;	 /* of the newest record built */
	uint64_t acked_seq; /* greatest acknowledged */
	uint64_t proven_seq; /* durable_seq of the newest durable record */
	uint64_t data_seq;	 /* newest acknowledged record that has entries */
	uint32_t chain_crc;
	uint64_t start_id;
	uint64_t anchor_ns;
	bool anchor_due;  /* checkpoints moved */
	uint8_t *anchor_buffer;
	uint32_t anchor_room;
	uint32_t group_room;
};

struct log_shard {
	struct logstore *store;
	struct io *io;
	uint32_t index;
	uint32_t block_bytes;
	bool started;
	/* clients */
	struct log_client_rings rings[HANDOFF_CLIENTS_MAX];
	struct shard_inbox inbox[HANDOFF_CLIENTS_MAX];
	struct note_list waiting[HANDOFF_CLIENTS_MAX];
	struct append_queue appends; /* of partitions that cannot go on now */
	uint32_t part_bytes_max;     /* a partition's share of a group, while others may wait */
	uint32_t part_bytes_now;     /* that, or more of them: nobody else waits */
	bool part_limit_met;         /* this turn: some partition has had its share */
	struct ring *commit_notes;
	uint32_t next_client;
	/* keeper */
	struct ring to_keeper;
	struct ring from_keeper;
	/* partitions by index; only this shard's are set */
	struct partition **partitions;
	uint32_t partition_count; /* of this shard */
	/* memory */
	void *memory;
	size_t memory_bytes;
	struct chunk_pool pool;
	struct note_pool notes;
	struct producer_pool producers;
	struct snapshot_arena snapshots;
	/* slots */
	uint32_t *free_slots;
	uint32_t free_slot_count;
	struct shard_spare spares[SHARD_SPARES_MAX];
	uint32_t spare_count;
	int flush_fd;
	uint32_t flush_slot;
	/* group commit */
	struct group groups[GROUPS_MAX];
	struct group *queue[GROUPS_MAX]; /* dispatched, oldest first: ring from group_first */
	uint32_t group_first;
	uint32_t group_count;
	uint8_t *group_buffers; /* guard records, one a group */
	bool anchor_wanted;
	struct group *open; /* gathers; NULL: the next append takes a free one */
	uint32_t parts_max; /* a group */
	uint32_t poison_count; /* partitions whose poison no record has told yet */
	struct shard_op ops[SHARD_OPS_MAX];
	uint32_t op_free;
	uint32_t ops_busy;
	uint32_t ops_unqueued;
	bool flush_busy;
	uint32_t flushes_pending;
	bool flush_failed;
	bool flush_scanning; /* scope file: more slots to queue */
	uint32_t flush_group, flush_part;
	uint64_t flush_number;
	uint64_t flush_started_ns;
	struct shard_guard guard;
	bool failed; /* guard or flush failed: nothing is written any more */
	uint64_t quiet_ns; /* since when all is acknowledged */
	struct partition *notes_first; /* commit notes not yet taken */
	/* checkpoints */
	uint64_t uncheckpointed_bytes;
	uint64_t uncheckpointed_told; /* of it, in the store's sum */
	uint64_t checkpoint_scan_ns;
	uint32_t housekeeping_at; /* partitions walked in slices */
	/* reads */
	struct cold_read reads[SHARD_READS_MAX];
	struct shard_pin *pins;
	uint32_t pin_free;
	struct read_req read_held[HANDOFF_CLIENTS_MAX]; /* taken, not yet answered */
	bool read_is_held[HANDOFF_CLIENTS_MAX];
	uint32_t waiting_commands; /* in partitions: wait for room or quiet */
	bool stopping;
	bool stop_told;
	uint64_t now_ns;
	int64_t wall_minus_mono_ns;
	bool prep_missed;
	uint32_t half_full; /* active segments that will roll before long */
	/* published */
	struct counter_set counters;
	struct histogram flush_times;
	struct histogram group_times;
	/*
	 * For the keeper, which makes spares: it must not have to wait for a message to know. Not on a line
	 * with what each group adds to.
	 */
	_Atomic uint32_t spares_wanted CACHE_ALIGNED; /* beside spares_min: one for each half-full segment */
	_Atomic uint32_t spares_taken;	/* since the start; wraps */
};

static inline void
shard_count(struct log_shard *shard, enum shard_counter counter, uint64_t n)
{
	shard->counters.live[counter] += n;
}

/* Dispatched group i, 0 = oldest. */
static inline struct group *
shard_group(const struct log_shard *shard, uint32_t i)
{
	return shard->queue[(shard->group_first + i) % GROUPS_MAX];
}

/* Dispatched groups in a state. */
static inline uint32_t
shard_groups_in(const struct log_shard *shard, enum group_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < shard->group_count; i++) {
		count += shard_group(shard, i)->state == state;
	}
	return count;
}

/* A message to the keeper: always fits (keeper_msg.h). */
void log_shard_tell(struct log_shard *shard, const struct keeper_msg *msg);
/* A guard write or a flush failed: this shard, and with it the store, writes no more. */
void log_shard_fail(struct log_shard *shard, const char *what, int error);
/* Nothing of the partition is under way: no group, checkpoint, seal, index page or repair. */
bool log_shard_partition_is_quiet(const struct partition *p);
/* The keeper found damaged bytes: the partition takes no more. */
void log_shard_quarantine(struct log_shard *shard, struct partition *p);
/* Takes memory and tables. -ENOMEM. Start-up. */
int log_shard_init(struct log_shard *shard, struct logstore *store, uint32_t index);
void log_shard_close(struct log_shard *shard);
/* Unbinds the slot and gives its number back. Log lcore. */
void log_shard_slot_free(struct log_shard *shard, uint32_t slot);
/* Walks this shard's partitions: the next after *at, or NULL. Start with 0. */
struct partition *log_shard_next_partition(const struct log_shard *shard, uint32_t *at);

#endif
