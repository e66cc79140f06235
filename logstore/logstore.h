/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of the log: append requests -> durable, ordered, readable partitions. The only header of
 * logstore/ that the running daemon's control side includes, but for ctrl/daemon, which makes the ios of
 * logstore/io/. The CLI, which reads a data directory offline, includes the codecs of its files. What
 * the log promises is told in logstore/README.md.
 *
 * Threads. One `struct log_shard` a log lcore: log_shard_poll() never blocks. One `struct log_keeper`
 * for the data directory: log_keeper_poll() blocks in file system calls and runs on a housekeeping
 * thread (in the model: stepped like anything else). Everything else here is start-up or says so.
 *
 * Life: logstore_create -> logstore_attach (rings) -> logstore_recover (keeper thread; reports the
 * partitions found) -> shards and keeper polled -> logstore_stop_begin, polled until
 * logstore_stopped -> logstore_destroy.
 */
#ifndef LOGSTORE_LOGSTORE_H
#define LOGSTORE_LOGSTORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/counter.h"
#include "base/handoff.h"
#include "base/histogram.h"
#include "base/io.h"
#include "base/log_room.h"
#include "base/rand.h"
#include "base/ring.h"


struct logstore;
struct log_shard;
struct log_keeper;

enum log_durable_method {
	LOG_DURABLE_AUTO,
	LOG_DURABLE_DSYNC,
	LOG_DURABLE_FLUSH,
};

enum log_flush_scope {
	LOG_FLUSH_AUTO,
	LOG_FLUSH_DEVICE,
	LOG_FLUSH_FILE,
};

/*
 * Called on the log lcore with each DURABLE note that a client is given: all of the partition up to
 * `offset` (inclusive) is durable. For tests and dev mode, which judge it by the trace of the I/O seam.
 */
typedef void (*log_durable_fn)(void *user_data, uint32_t shard, const uint8_t topic_id[16],
	uint32_t partition, int64_t offset);

struct log_options {
	struct clock *clock;
	struct rand *rand;	/* file ids, directory id; seeded in models */
	struct io *keeper_io;	/* housekeeping half; also used by recovery */
	struct io *shard_io[HANDOFF_SHARDS_MAX]; /* hot half, one a shard */
	uint32_t shard_count;
	uint32_t client_count;
	uint32_t partitions_max;
	uint64_t buffer_bytes;	/* log.buffer.bytes, a shard */
	uint64_t cache_bytes;	/* log.cache.bytes, a shard */
	uint64_t guard_bytes;	/* log.guard.bytes, a shard */
	uint64_t group_max_bytes;
	uint64_t recovery_max_bytes;
	uint64_t free_low_bytes;
	uint64_t mark_idle_ns;
	uint64_t group_linger_ns;
	uint32_t producers_max; /* a partition */
	uint64_t spare_bytes;	/* allocated length of a prepared segment, unless segment.bytes is less */
	uint64_t prep_rate;     /* most bytes a second that spares are written with; 0: no limit */
	uint32_t spares_min;	/* prepared segments that wait, a shard */
	enum log_durable_method durable_method;
	enum log_flush_scope flush_scope;
	char cluster_id[23];	/* 22-char base64url + NUL, into meta.properties when the dir is new;
				   empty: a random one */
	uint32_t node_id;
	log_durable_fn durable; /* NULL: nobody asks */
	void *durable_user_data;
};

/* Fills in every default; clock, rand, io stay NULL. */
void log_options_init(struct log_options *options);
/* Slots that each shard's io must have for so many partitions: segments, spares, guard and flush file. */
uint32_t logstore_slots(uint32_t partitions_max);

/* Settings of one topic that the log itself needs; Kafka's names in topic configs. */
struct log_topic_config {
	uint64_t segment_bytes;
	int64_t segment_ms;
	int64_t segment_jitter_ms; /* each segment rolls earlier by a part of this, drawn by its
				      file id */
	uint32_t index_interval_bytes;
	uint32_t index_bytes_max;
	uint32_t max_message_bytes;
	uint8_t ack_risk;	 /* 0 none, 1 power, 2 crash */
	bool log_append_time;
	uint32_t flush_ms;
};

void log_topic_config_init(struct log_topic_config *config);

enum log_partition_state {
	LOG_PARTITION_ABSENT,
	LOG_PARTITION_SERVING,
	LOG_PARTITION_POISONED,	   /* a write failed: reads go on, appends get 56 */
	LOG_PARTITION_QUARANTINED, /* doubtful bytes: quarantine.h */
	LOG_PARTITION_OFFLINE,	   /* locked by late writes of a dead process, or unreadable */
	LOG_PARTITION_DELETED,
	LOG_PARTITION_STATE_COUNT,
};

/* A consistent-enough copy for people and for ListOffsets; every field is an atomic of the shard. */
struct log_partition_status {
	enum log_partition_state state;
	uint16_t shard;
	int32_t leader_epoch;
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t opened_offset; /* the log end when this process began with it */
	int64_t high_watermark;
	int64_t durable_offset;
	uint64_t durable_position; /* in the active segment: --max-bytes for Kafka's dump tool */
	int64_t active_base_offset;
	uint64_t size_bytes;
	uint32_t segment_count;
};

/* What recovery did to one partition. */
struct log_recovery_report {
	uint64_t scanned_bytes;
	uint32_t tail_repaired;
	uint64_t unproven_cut_bytes;
	bool quarantined;
	char reason[128];
};

/*
 * Called once per partition directory found, during logstore_recover, sorted by topic name and then
 * partition number; partition_index is dense in that order (the route table relies on it).
 */
typedef void (*logstore_found_fn)(void *user_data, uint32_t partition_index, const char *topic,
	uint32_t partition, const uint8_t topic_id[16], const struct log_recovery_report *report);

/*
 * Checks options (the arithmetic goes to the log on failure), locks the data directory, reads or
 * makes meta.properties, probes the device. -EWOULDBLOCK: another process holds .lock; ret_holder_pid
 * names it (0 unknown). The shard ios must not be enabled yet. `found` may be NULL for a new store.
 */
int logstore_create(const struct log_options *options, struct logstore **ret_store,
	int *ret_holder_pid) MUST_CHECK;

/* Rings of one client and one shard. All of [client][shard] before recovery. */
struct log_client_rings {
	struct ring *append_req;  /* client -> shard */
	struct ring *append_done; /* shard -> client */
	struct ring *read_req;	  /* may be NULL: this client never reads */
	struct ring *read_done;
	struct ring *extent_release;
};

void logstore_attach(struct logstore *store, uint32_t client, uint32_t shard,
	const struct log_client_rings *rings);
/* Commit notes of one shard to the batcher; NULL if there is none. */
void logstore_attach_notes(struct logstore *store, uint32_t shard, struct ring *commit_notes);

/*
 * Who may be asleep when the log has something for it: each shard's lcore, the keeper's thread, and
 * the control thread (answers of commands). NULL: it is polled all the time. Before recovery; the
 * wakers outlive the store.
 */
struct log_wakers {
	struct waker *shards[HANDOFF_SHARDS_MAX];
	struct waker *keeper;
	struct waker *control;
};

void logstore_attach_wakers(struct logstore *store, const struct log_wakers *wakers);

/*
 * Blocking. Afterwards the shards may be polled. Progress: done, total partitions; false ends it
 * there with -ECANCELED, and the store may only be destroyed: the next start recovers anew.
 */
int logstore_recover(struct logstore *store, logstore_found_fn found,
	bool (*progress)(void *user_data, uint32_t done, uint32_t total), void *user_data) MUST_CHECK;

struct log_shard *logstore_shard(struct logstore *store, uint32_t shard);
struct log_keeper *logstore_keeper(struct logstore *store);

/* First call on its own lcore, before polls: enables the ring, registers buffers. */
int log_shard_start(struct log_shard *shard) MUST_CHECK;
/* One bounded step; returns work done. Log lcore only. */
uint32_t log_shard_poll(struct log_shard *shard, uint64_t now_ns);
/* Earliest instant at which poll has timed work, UINT64_MAX if none. */
uint64_t log_shard_deadline_ns(const struct log_shard *shard);
/* Pollable descriptor of the shard's io, or -1. */
int log_shard_wait_fd(const struct log_shard *shard);
uint32_t log_keeper_poll(struct log_keeper *keeper, uint64_t now_ns);

/*
 * The control thread's commands: executed by keeper and shard, answered by logstore_command_poll.
 * The command belongs to the log until it is answered.
 */
enum log_command_kind {
	LOG_COMMAND_CREATE, /* topic, partition, topic_id, config -> partition_index */
	LOG_COMMAND_DELETE,
	LOG_COMMAND_CONFIG, /* new topic config */
	LOG_COMMAND_ROLL,   /* -> offset: new base */
	LOG_COMMAND_REPAIR, /* of a quarantined partition -> repair, offset: new base */
};

enum log_repair_verdict {
	LOG_REPAIR_DONE, /* it serves again */
	LOG_REPAIR_NOT_QUARANTINED,
	LOG_REPAIR_LOSS,	 /* offsets are lost, and that loss was not accepted; nothing was changed */
	LOG_REPAIR_NOTHING_LOST, /* no loss to accept: restore; nothing was changed */
	LOG_REPAIR_FAILED,	 /* an error of the disk, in `error` */
};

struct log_repair {
	/* asked */
	bool accept_loss; /* false: only if nothing is lost any more */
	int64_t from, until; /* accept_loss: the loss, [first lost offset, first one behind it) */
	/* answered */
	enum log_repair_verdict verdict;
	int32_t error; /* negative errno */
	int64_t loss_from, loss_until;
	uint64_t lost_offsets; /* of [loss_from, loss_until), in hole_count pieces */
	uint32_t hole_count;
	uint32_t segments_written;
};

struct log_command {
	enum log_command_kind kind;
	int16_t error; /* answer: Kafka code */
	int os_error;  /* answer: errno behind a STORAGE_ERROR of CREATE, 0: none */
	uint32_t partition_index;
	uint32_t partition;
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	uint8_t topic_id[16];
	struct log_topic_config config;
	struct log_repair repair;
	int64_t offset;
	uint64_t token; /* the asker's */
	void *internal; /* the log's */
};

/* Control thread only. -EAGAIN: ask again later. */
int logstore_command(struct logstore *store, struct log_command *command);
/* Next answered command or NULL. Control thread only. */
struct log_command *logstore_command_poll(struct logstore *store);

/* Any thread. -ENOENT: no such partition. */
int logstore_status(struct logstore *store, uint32_t partition_index,
	struct log_partition_status *ret_status);
/* Which shard a partition belongs to: (first 4 bytes of topic id, LE + partition) % shards. */
uint32_t logstore_shard_of(const uint8_t topic_id[16], uint32_t partition, uint32_t shard_count);

#define LOG_WARNINGS_MAX 3

struct log_store_info {
	const char *io_backend;
	const char *durable_method;
	const char *flush_scope;
	struct io_probe probe;
	/* Settings against the probe, and file systems that want care; they live as long as the
	 * store. */
	const char *warnings[LOG_WARNINGS_MAX];
	uint32_t warning_count;
	uint8_t directory_id[16];
	bool failed;	     /* a flush failed: writes are off until restart */
	char failed_reason[128];
	bool disk_low;
	uint64_t disk_free_bytes;  /* of the data directory's file system, as of the last look (each second); 0: none yet */
	uint64_t disk_needs_bytes; /* free bytes at which records are taken again after disk_low */
	bool in_use; /* the start found partitions, directories that it left alone, or guard entries */
};

/* Any thread. */
void logstore_info(struct logstore *store, struct log_store_info *ret_info);
void logstore_counters(struct logstore *store, uint32_t shard, uint64_t *ret_values);
/* What the log can take at the moment; feeds credits. As long as the store. Any thread. */
const struct log_room *logstore_room(const struct logstore *store);

/* Clean stop: flush, seal every active segment, checkpoints, .kafka_cleanshutdown. */
void logstore_stop_begin(struct logstore *store);
bool logstore_stopped(const struct logstore *store);
void logstore_destroy(struct logstore *store);

#endif
