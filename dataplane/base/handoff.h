/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every struct that crosses a ring between stages: direction, meaning, owner before and after, then
 * the struct, then its size. The stages (ingest, logstore, batcher) never include one another; this
 * header is what they share, and so it is the architecture.
 *
 * A `client` of the log is anything that appends or reads: each lane, then the control thread, then
 * the batcher. Client c and log shard s meet in ring arrays [c][s], both SPSC:
 *
 *   lane, control, batcher --append_req--> log shard --append_done--> back
 *   batcher, control       --read_req----> log shard --read_done----> back, extent_release -->
 *   log shard              --commit_note-> batcher
 *   batcher                --window_task-> worker    --window_done--> back
 *   lane                   --control_ask-> control   --control_answer-> back, FENCE notes to all lanes
 *
 * Control's slow commands cross as pointers to structs of the stage that carries them out, which owns
 * them until the same pointer comes back. They concern no other stage, so they stand in its face:
 *
 *   control --log_command *-----> keeper, log shard --> back      logstore/logstore.h
 *   control --batcher_command *-> batcher           --> back      batcher/batcher.h
 *
 * Inside the log a shard and its keeper talk by rings of their own (logstore/keeper_msg.h):
 *
 *   log shard --keeper_msg--> keeper --shard_msg--> log shard
 *
 * Laid down, but nobody sends them in this version: batcher --pressure_note--> lanes, and
 * batcher --hw_release, held_cut--> log shard.
 *
 * Table: every field of an answer, and which struct brings it. "Itself": known to the lane without
 * asking anybody, so it is in no struct here.
 *   ACCEPT     producer id, epoch: control_answer PRODUCER          the rest: itself
 *   CLOSED     to a HELLO: control_answer PRODUCER, error           to a session: itself, or
 *              control_answer FENCE (fenced)
 *   RESOLVED   error, topic index: control_answer RESOLVE
 *              partitions, leader epochs, topic id, limits, version: base/route_table.h by it
 *   ACK        recv_upto, bitmap, echo: itself
 *     entry    received_seq: itself; a stream that opens: append_done STATE
 *              durable_seq, durable_offset: append_done DURABLE (relaxed topics: APPENDED)
 *              error, error_seq: itself (admission, epoch, order), append_done REFUSED or FAILED
 *     credit   packets grow by COPIED, bytes by DURABLE, both by REFUSED; shares: itself, over
 *              what the log publishes in base/log_room.h
 *     busy     itself; disk full: base/log_room.h
 * Those who append or read without a session, by the same structs (control's records, offset.list,
 * windows; a Kafka answer would need no other):
 *   append     base offset: append_done COPIED, offset - (record_count - 1); with DUPLICATE it is
 *              the original's   acked: DURABLE (cumulative by offset)   error: REFUSED, FAILED
 *              append time: append_req.rx_time_ns, as it was asked
 *   read       records, next offset, error: read_done   high watermark, last stable offset, log
 *              start, leader epoch: commit_note
 *   window     result, time it took: window_done
 */
#ifndef BASE_HANDOFF_H
#define BASE_HANDOFF_H

#include <stdint.h>

/* Who meets here, at most. The limits of config.yaml are held against these when it is compiled. */
#define HANDOFF_LANES_MAX   16
#define HANDOFF_SHARDS_MAX  16
#define HANDOFF_WORKERS_MAX 16
#define HANDOFF_CLIENTS_MAX (HANDOFF_LANES_MAX + 2) /* of the log: lanes, control, batcher */

#define HANDOFF_TOPIC_NAME_MAX	  249
#define HANDOFF_PRODUCER_NAME_MAX 64

/* --- append: client -> log shard ------------------------------------------------------------- */

enum append_req_flag {
	APPEND_QUERY = 1, /* batch_len 0: answer STATE for producer_id in this partition */
	APPEND_HELD = 2,  /* owned output: the high watermark waits for hw_release */
	/*
	 * Native protocol: a producer without state in this partition begins with sequence 0, else 45.
	 * So nothing takes the place of a first batch that was refused while others were under way.
	 * Without it any sequence begins, as Kafka's clients need after their state expired.
	 */
	APPEND_FROM_ZERO = 4,
};

/*
 * One record batch to append. `batch` is one contiguous piece that stays as it is until COPIED or
 * REFUSED comes back; the log shard reads it in between and never frees it. The fields from
 * producer_id on repeat the batch header, so that the shard opens the batch only to copy it.
 */
struct append_req {
	const uint8_t *batch;
	uint32_t batch_len;
	uint32_t partition_index;
	uint64_t owner; /* opaque to the shard; comes back once, on COPIED or REFUSED */
	uint32_t session_index; /* opaque to the shard (native_session_handle); comes back */
	uint16_t client; /* lane index, or the control's or the batcher's client index */
	uint16_t flags;
	int64_t producer_id; /* -1 none */
	int32_t base_sequence;
	int16_t producer_epoch;
	uint16_t reserved;
	uint64_t rx_time_ns; /* monotonic; the append time of LogAppendTime topics follows from it */
	uint32_t record_count;
	uint32_t crc;
};
_Static_assert(sizeof(struct append_req) == 64, "append_req is one cache line");

/* --- append done: log shard -> the client that asked ------------------------------------------ */

enum append_done_kind {
	APPEND_COPIED = 1,   /* offset assigned, owner free */
	APPEND_APPENDED = 2, /* relaxed topics only: their ack point; cumulative */
	APPEND_DURABLE = 3,  /* cumulative per (session, partition): all up to sequence_last, offset */
	APPEND_REFUSED = 4,  /* nothing appended, owner free, error is a Kafka code */
	/*
	 * Answers QUERY: last sequence and offset of the producer, -1 none. If there is one, DURABLE (and
	 * APPENDED) for it follows as if the asker had appended it: nobody else may be left to ask.
	 */
	APPEND_STATE = 5,
	/*
	 * COPIED before, but its write or flush failed: never durable. Cumulative like DURABLE, error is
	 * 56, owner 0. Rare: the partition takes no more appends until restart.
	 */
	APPEND_FAILED = 6,
};

enum append_done_flag {
	APPEND_DUPLICATE = 1, /* with COPIED: nothing appended; offset is the original's last */
};

struct append_done {
	uint8_t kind;
	uint8_t flags;
	int16_t error; /* Kafka error code; STATE: 47 if the producer's known epoch is newer */
	uint32_t partition_index;
	uint32_t session_index;
	int32_t sequence_last; /* last sequence of the batch; REFUSED: the batch's base_sequence */
	int64_t offset;	       /* last offset of the batch */
	uint64_t owner;	       /* COPIED, REFUSED; else 0 */
};
_Static_assert(sizeof(struct append_done) == 32, "append_done is half a cache line");

/* --- commit note: log shard -> batcher -------------------------------------------------------- */

/* One per partition and group, after the group became durable, or when only a field moved. */
struct commit_note {
	uint32_t partition_index;
	int32_t leader_epoch;
	int64_t log_start_offset;
	int64_t high_watermark;
	int64_t last_stable_offset;
	int64_t durable_offset;
	int64_t max_timestamp_ms; /* greatest record timestamp now visible, -1 none */
	uint32_t bytes;		  /* newly visible by this note */
	uint32_t records;
	uint64_t reserved;
};
_Static_assert(sizeof(struct commit_note) == 64, "commit_note is one cache line");

/* --- read: batcher, control <-> log shard ----------------------------------------------------- */

/*
 * Asks for record batches from the one that holds `from` up to before `until`, at most bytes_max
 * (the first batch even if larger). One read_done answers; the asker asks again for the rest.
 */
struct read_req {
	uint32_t partition_index;
	uint32_t bytes_max;
	int64_t from;
	int64_t until; /* exclusive; never above the high watermark */
	uint64_t token; /* comes back */
	uint16_t client;
	uint16_t reserved[3];
};
_Static_assert(sizeof(struct read_req) == 40, "read_req");

/*
 * A pin keeps more of the log's memory in use than the batches it was asked for: all of the extent
 * in which they lie. At most this, or what one record batch takes if that is more.
 */
#define READ_HOLD_BYTES_MAX (544u * 1024)

/*
 * A pinned run of whole, verified record batches in the log's memory, read only. The asker owns one
 * pin and gives it back by extent_release from the same lcore. On error: no pin, data NULL; nor is
 * there one without data and without error. Then next_offset tells: as asked, the log had no room for
 * the read, ask again; beyond it, there is no record up to there any more (a repair accepted the loss).
 */
struct read_done {
	const uint8_t *data;
	uint32_t data_len;
	uint32_t partition_index;
	int64_t first_offset; /* base offset of the first batch: may be below `from` */
	int64_t next_offset;  /* where to go on: last offset + 1 */
	uint64_t token;
	uint64_t pin;
	uint64_t held; /* names the memory that the pin keeps: pins of a partition with the same
			  keep the same */
	uint32_t held_bytes; /* of it, with what it may still grow by */
	int16_t error;       /* Kafka code: 1 below log start or above the end, 2 corrupt, 56 */
	uint16_t reserved;
};
_Static_assert(sizeof(struct read_done) == 64, "read_done is one cache line");

struct extent_release {
	uint64_t pin;
	uint32_t partition_index;
	uint16_t client;
	uint16_t reserved;
};
_Static_assert(sizeof(struct extent_release) == 16, "extent_release");

/* --- owned output: batcher -> log shard (exactly-once sinks; no taker in this version) --------- */

struct hw_release {
	uint32_t partition_index;
	uint32_t reserved;
	int64_t offset; /* the high watermark may pass up to here */
};
_Static_assert(sizeof(struct hw_release) == 16, "hw_release");

struct held_cut {
	uint32_t partition_index;
	uint32_t reserved;
	int64_t offset; /* held records from here on are taken back */
};
_Static_assert(sizeof(struct held_cut) == 16, "held_cut");

/* --- windows: batcher <-> worker -------------------------------------------------------------- */

struct worker_task; /* batcher/worker/worker_task.h; owned by the worker between task and done */

struct window_task {
	struct worker_task *task;
	uint64_t dispatch_time_ns;
};
_Static_assert(sizeof(struct window_task) == 16, "window_task");

struct window_done {
	struct worker_task *task;
	int32_t result; /* what process() returned */
	uint32_t reserved;
	uint64_t busy_ns;
};
_Static_assert(sizeof(struct window_done) == 24, "window_done");

/* --- back-pressure: batcher -> lanes ---------------------------------------------------------- */

struct pressure_note {
	uint32_t topic_index;
	uint32_t level; /* 0 none .. 1000 stop */
	uint64_t lag_bytes;
	uint64_t expires_ns;
};
_Static_assert(sizeof(struct pressure_note) == 24, "pressure_note");

/* --- slow questions: lane <-> control thread --------------------------------------------------- */

enum control_ask_kind {
	CONTROL_PRODUCER = 1, /* HELLO: a producer id and epoch, durable in metadata before the answer */
	CONTROL_RESOLVE = 2,  /* RESOLVE: topic name -> topic index, perhaps auto-created */
	CONTROL_CLOSED = 3,   /* a session ended; no answer */
	/*
	 * No question: control tells every lane that a producer has a newer epoch, once it is durable and
	 * before anybody is answered with it. What comes behind it in a lane's ring is never an answer
	 * that opens a session of an older one.
	 */
	CONTROL_FENCE = 4,
};

enum control_ask_flag {
	CONTROL_JOIN = 1,	 /* as HELLO's hello_flags */
	CONTROL_BUMP = 2,
	CONTROL_AUTO_CREATE = 4, /* RESOLVE flag bit 0 */
};

struct control_ask {
	uint8_t kind;
	uint8_t flags;
	uint16_t lane;
	uint32_t session_index;
	uint64_t token; /* opaque to control; comes back */
	int64_t producer_id;
	int16_t producer_epoch;
	uint8_t name_len;
	uint8_t name[HANDOFF_TOPIC_NAME_MAX + 4];
};
_Static_assert(sizeof(struct control_ask) == 280, "control_ask");

struct control_answer {
	uint8_t kind;
	uint8_t reserved0;
	int16_t error; /* Kafka code: 0, 3 (also: being created, ask again), 17, 29, 47 fenced, 56, 89 */
	uint32_t session_index;
	uint64_t token;
	int64_t producer_id;
	int16_t producer_epoch;
	uint16_t reserved1;
	uint32_t topic_index; /* of base/route_table.h */
};
_Static_assert(sizeof(struct control_answer) == 32, "control_answer");

#endif
