/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole log on a simulated disk, single-stepped: store, shards, keeper, one client, virtual time,
 * one seed. Keeps what was appended and acknowledged, and after every start checks the log against
 * it (contract L5): a prefix of what was appended, all that was acknowledged, byte for byte.
 */
#ifndef SUPPORT_LOG_BENCH_H
#define SUPPORT_LOG_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"
#include "logstore/io/io_sim.h"
#include "logstore/io/io_trace.h"
#include "logstore/logstore.h"
#include "support/clock_fake.h"

#define LOG_BENCH_PARTITIONS_MAX 16
#define LOG_BENCH_BATCHES_MAX	 4096
#define LOG_BENCH_SHARDS_MAX	 4

struct log_bench_options {
	uint64_t seed;
	uint32_t shard_count;
	uint32_t spare_bytes;
	uint64_t guard_bytes;
	uint64_t buffer_bytes;
	uint64_t cache_bytes;
	uint64_t group_max_bytes;
	uint64_t recovery_max_bytes; /* 0: the log's default */
	enum log_durable_method method;
	enum log_flush_scope scope;
	bool no_journal; /* the file system's */
	uint64_t prep_rate;
	/* NULL: simulated disk. Else this io is the disk (real backends): keeper and one shard. */
	struct io *(*make_io)(void *user_data, bool keeper);
	void *user_data;
};

/* One batch of the one producer of a partition. */
struct log_bench_batch {
	uint8_t *bytes;
	uint32_t len;
	int32_t base_sequence;
	int32_t record_count;
	int64_t base_offset; /* -1: not yet answered */
};

struct log_bench_partition {
	uint32_t index;
	uint32_t partition;
	char topic[64];
	uint8_t topic_id[16];
	struct log_topic_config config;
	struct log_bench_batch batches[LOG_BENCH_BATCHES_MAX];
	uint32_t offered; /* batches sent */
	uint32_t answered; /* of them, COPIED */
	int64_t durable; /* everything below was acknowledged durable */
	int64_t appended; /* ... acknowledged at the relaxed ack point */
	int64_t end;	 /* offset after the last COPIED batch */
	int32_t next_sequence;
	int16_t epoch;
	uint32_t refused, failed, duplicates;
	int16_t last_error;
};

struct log_bench {
	struct log_bench_options options;
	struct clock_fake clock;
	struct rand rand;
	struct rand store_rand;
	struct sim_disk *disk;
	struct logstore *store;
	struct io *keeper_io;
	struct io *shard_io[LOG_BENCH_SHARDS_MAX];
	struct io_trace *traces[LOG_BENCH_SHARDS_MAX]; /* judge every write, flush and DURABLE note */
	uint64_t trace_proven; /* groups, of all starts that ended */
	struct ring append_req[LOG_BENCH_SHARDS_MAX], append_done[LOG_BENCH_SHARDS_MAX];
	struct ring read_req[LOG_BENCH_SHARDS_MAX], read_done[LOG_BENCH_SHARDS_MAX];
	struct ring extent_release[LOG_BENCH_SHARDS_MAX], notes[LOG_BENCH_SHARDS_MAX];
	struct log_bench_partition *partitions;
	uint32_t partition_count;
	/* What the last start reported. */
	struct log_recovery_report reports[LOG_BENCH_PARTITIONS_MAX];
	/* Newest of each kind. */
	struct append_done last_state;
	bool has_state;
	struct commit_note last_note;
	uint64_t note_count;
	bool stalled; /* virtual time ran out */
	bool keeper_sleeps; /* a turn leaves it out */
	uint16_t request_flags; /* enum append_req_flag, on every batch sent */
};

/* Small sizes, so that wraps, rolls and pool pressure are usual. */
void log_bench_options_init(struct log_bench_options *options, uint64_t seed);
void log_bench_init(struct log_bench *b, const struct log_bench_options *options);
void log_bench_free(struct log_bench *b);
/* A fresh bench, opened; `options` NULL: the small sizes with seed 1. Ended by log_bench_tear_down. */
struct log_bench *log_bench_start(const struct log_bench_options *options);
/* For cmocka: *state is a bench as log_bench_start(NULL) gives it. */
int log_bench_set_up(void **state);
int log_bench_tear_down(void **state);
/* Opens the store on the disk as it is. Aborts unless 0 comes back; log_bench_try_open gives rc. */
void log_bench_open(struct log_bench *b);
int log_bench_try_open(struct log_bench *b);
/* A partition; runs until it is answered. Returns its number in b->partitions. */
uint32_t log_bench_create(struct log_bench *b, const char *topic, uint32_t partition,
	const struct log_topic_config *config);
/* Runs a command to its answer; returns the Kafka code. */
int16_t log_bench_command(struct log_bench *b, struct log_command *command);
/* Sends the partition's next batch. False: the ring is full. */
bool log_bench_append(struct log_bench *b, uint32_t partition, int32_t records,
	uint32_t value_bytes);
/* Sends batch k again as it was. */
void log_bench_resend(struct log_bench *b, uint32_t partition, uint32_t k);
/* Sends any request; what comes back is in the counters of the partition. */
void log_bench_send(struct log_bench *b, const struct append_req *req);
/* Fills a request for batch k. */
struct append_req log_bench_request(struct log_bench *b, uint32_t partition, uint32_t k);
/* One poll of everything. Returns work done. */
uint32_t log_bench_turn(struct log_bench *b);
/* Polls, and moves time to the next event, until that much virtual time has passed. */
void log_bench_run_ns(struct log_bench *b, uint64_t duration_ns);
/* Until every batch sent is durable, refused or failed. */
void log_bench_drain(struct log_bench *b);
/* Power cut; the store is gone. Open again afterwards. */
void log_bench_crash(struct log_bench *b, enum sim_crash_mode mode, uint64_t seed);
void log_bench_sigkill(struct log_bench *b);
/* Clean stop; the store is gone. False: it did not stop in 60 s of virtual time. */
bool log_bench_stop(struct log_bench *b);
/* Frees the store without stopping it; views are destroyed, the disk stays. */
void log_bench_drop(struct log_bench *b);
/* One read; data is checked against the model by log_bench_check, or looked at by the test. */
struct read_done log_bench_read(struct log_bench *b, uint32_t partition, int64_t from, int64_t until,
	uint32_t bytes_max);
void log_bench_release(struct log_bench *b, uint32_t partition, const struct read_done *done);
/*
 * Reads everything and compares. On a mismatch prints what and returns false. After a start (`cut`)
 * the model forgets batches that were never acknowledged and are not in the log.
 */
bool log_bench_check(struct log_bench *b, bool cut);
/* Status of a partition. */
struct log_partition_status log_bench_status(struct log_bench *b, uint32_t partition);
uint64_t log_bench_counter(struct log_bench *b, enum shard_counter counter);

#endif
