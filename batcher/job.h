/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to batcher/: the batcher's and a job's state. A job is made and freed by the control
 * thread; in between it belongs to the batcher's lcore alone. One micro-batch of a job is in flight
 * at a time:
 *
 *   OPEN -> IDLE -tick-> SCAN -> FIRE -> FILL -> RUN -> FIRE ... -> IDLE
 *   RUN -> FILL: the next chapter of the window; RUN -> RETRY -> FILL: the next attempt
 *   any but OPEN -> STOP -> CLOSE -> END   once reads and the task are back and all pins are given
 *   up; a job whose function was never opened has nothing to close: STOP -> END
 *
 * To people it is in a state (batcher.h):
 *
 *   STARTING -> RUNNING -> DRAINING -> DRAINED;  RUNNING, DRAINING -> FAILED;  any -> DELETED
 *
 * microbatch.c: IDLE, SCAN. firing.c: FIRE, FILL, RUN, RETRY. job.c: the rest; job_source.c and
 * job_memory.c: what it reads and what it takes.
 */
#ifndef BATCHER_JOB_H
#define BATCHER_JOB_H

#include "batcher/batch_clock.h"
#include "batcher/batcher.h"
#include "batcher/event_watermark.h"
#include "batcher/history.h"
#include "batcher/window_set.h"
#include "batcher/worker/worker_task.h"
#include "base/bytes.h" /* behind DPDK's headers: both say NS_PER_S */

#define JOB_SCAN_READS_MAX    4 /* in flight, each of another partition */
#define JOB_SCAN_READ_BYTES   (256u * 1024)
#define JOB_CHAPTER_BYTES     (4u * 1024 * 1024)
#define JOB_READ_BYTES        (512u * 1024) /* of a chapter */
#define JOB_EXCLUSIONS_MAX    16384
#define JOB_RANGES_MAX        (64u * 1024 * 1024) /* open_windows_max x partitions, 16 bytes each */
#define JOB_RETRY_NS          (10 * 1000000ull)
#define JOB_LAG_NS            (100 * 1000000ull)
#define WORKER_NONE           UINT32_MAX

/* Milliseconds beyond this in either direction are no time: keeps all arithmetic from overflow. */
#define JOB_TIME_LIMIT_MS (INT64_C(1) << 60)

enum job_phase {
	JOB_PHASE_OPEN,  /* as made; its worker opens the function */
	JOB_PHASE_IDLE,  /* waits for the batch clock */
	JOB_PHASE_SCAN,  /* reads the cut and sorts its records into windows */
	JOB_PHASE_FIRE,  /* chooses the next window that fires */
	JOB_PHASE_FILL,  /* pins the records of a chapter */
	JOB_PHASE_RUN,   /* its worker calls the function */
	JOB_PHASE_RETRY, /* waits for the next attempt */
	JOB_PHASE_STOP,  /* waits for what is out; the order of these three matters: >= STOP has ended */
	JOB_PHASE_CLOSE, /* its worker closes the function */
	JOB_PHASE_END,   /* holds nothing; waits to be deleted */
	JOB_PHASE_COUNT,
};

struct job_partition {
	const char *topic;
	uint32_t partition;
	uint32_t index; /* of the route table */
	uint16_t shard;
	int64_t next;        /* first offset not yet cut */
	int64_t drain_until; /* while draining: where to stop */
	/* The cut in progress. */
	int64_t at;    /* next offset to scan */
	int64_t until; /* visible when the cut began */
	uint64_t bytes_left;
	int64_t max_ms;
	int64_t window_start_ms; /* of the window below */
	uint32_t window;         /* last one a record went to, WINDOW_NONE at first */
	bool reading;
	bool was_idle;
	bool boundary_future; /* a future record in a window that has begun */
	bool records;
};

struct job_exclusion {
	int64_t window_start_ms;
	uint32_t partition;
	struct task_exclusion span;
};

/* What the micro-batch in progress adds; counted at its end, so that published ledgers add up. */
struct job_cut {
	uint64_t read;
	uint64_t accepted;
	uint64_t late;
	uint64_t late_after_idle;
	uint64_t future;
	uint64_t no_timestamp;
	uint64_t discard_digest;
};

struct job {
	struct batcher *batcher;
	uint32_t index;
	uint64_t id;
	struct job_spec spec;
	enum job_state state;
	enum job_phase phase;
	int error;
	char reason[384];
	enum penstock_close_reason stop_reason; /* once phase >= STOP */
	bool opened;
	bool dirty;     /* status to be published */
	bool lag_moved; /* so is its lag, once it is JOB_LAG_NS old */
	uint64_t published_ns;
	struct batcher_command *create_command;
	struct batcher_command *delete_command;

	struct batch_clock clock;
	int64_t batch_sequence;
	uint64_t batch_time_ns;
	int64_t now_ms;        /* processing time; never falls, even if the wall clock does */
	int64_t late_bound_ms; /* W before this micro-batch: judges late */
	int64_t future_ms;     /* event times above are too far ahead */
	bool final;            /* the drain's last micro-batch: all windows fire */
	struct job_cut cut;
	uint32_t reads_in_flight;
	uint64_t pin_bytes; /* its share of the batcher's */
	uint32_t partition_count;
	struct job_partition *partitions;
	struct event_watermark watermark;
	struct window_set windows;
	uint32_t exclusion_count;
	struct job_exclusion *exclusions;

	/* Tumbling windows that end at or before it fired, or were skipped and counted. */
	int64_t passed_ms;
	uint64_t fired_on_time; /* of the micro-batch in progress */

	/* The firing in progress. */
	uint32_t firing_window;
	struct task_place fill;
	uint64_t chapter_bytes;
	bool task_out; /* with the worker */
	bool task_due; /* to be dispatched */
	uint64_t retry_ns;
	uint64_t busy_ns;
	struct penstock_task task;
	uint32_t *slice_of; /* [partition] */
	struct window_row row;

	uint64_t window_sequence;
	uint64_t window_digest;
	uint64_t discard_digest;
	uint64_t counters[JOB_COUNTER_COUNT];
};

/* Pins that found their ring full. Bounded by all pins that can be out at once. */
#define BATCHER_RETURNS_MAX (BATCHER_JOBS_MAX * (TASK_EXTENTS_MAX + JOB_SCAN_READS_MAX))

struct batcher {
	struct batcher_options options;
	uint32_t partitions_max;
	struct commit_note *notes; /* [partition index], the latest */
	struct job *jobs[BATCHER_JOBS_MAX];
	uint32_t worker_jobs[HANDOFF_WORKERS_MAX];
	uint64_t pin_bytes; /* log memory that pins hold, or may hold once a read is back */
	uint64_t now_ns;
	uint64_t wall_ns;
	uint64_t wall_read_ns;
	uint64_t deadline_ns;
	uint32_t return_count;
	struct extent_release returns[BATCHER_RETURNS_MAX];
	struct ring commands;      /* of struct batcher_command *: control -> batcher */
	struct ring answers;       /* back */
	struct history *histories; /* [BATCHER_JOBS_MAX] */
	_Atomic bool stop;         /* control -> batcher */
	_Atomic bool stopped;      /* back */

	/* Control thread only. */
	struct job *built[BATCHER_JOBS_MAX];
	uint32_t commands_out;
	uint64_t jobs_made; /* the newest job's id */
	uint32_t refused_count;
	struct batcher_command *refused[BATCHER_JOBS_MAX];
};

/* --- job.c --------------------------------------------------------------------------------------
 */

/* Control thread. -ENOMEM, -ENOENT a source topic. */
int job_create(struct batcher *batcher, const struct job_spec *spec, uint32_t index,
	struct job **ret_job) MUST_CHECK;
void job_destroy(struct job *job);
/* Moves it along its life; an edge that does not exist aborts. Batcher's lcore. */
void job_set_state(struct job *job, enum job_state state);
void job_set_phase(struct job *job, enum job_phase phase);
/* Batcher's lcore from here on. Sets the first offsets and asks the worker to open the function. */
void job_start(struct job *job);
uint32_t job_poll(struct job *job);
/* Stops with `error` (negative errno) and a reason; the job ends as FAILED. */
void job_fail(struct job *job, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* The log refused a read, `error` is a Kafka code: stops with what that means here. */
void job_read_failed(
	struct job *job, const char *topic, uint32_t partition, int64_t offset, int16_t error);
/* Stops for good once everything in flight is back. */
void job_stop(struct job *job, enum penstock_close_reason reason);
void job_drain(struct job *job);
void job_task_done(struct job *job, const struct window_done *done);
void job_read_done(struct job *job, const struct read_done *done);
void job_publish(struct job *job);

/* --- job_source.c -------------------------------------------------------------------------------
 */

/* Appends the partitions of all source topics. -ENOENT, -EINVAL listed twice or too many. Control
 * thread. */
int job_source_add_all(struct job *job);
/*
 * Stops a job one of whose topics was deleted; true if so. Its routes are closed before its records
 * go, so this is seen at the latest when a read is refused. A topic made again under the name is
 * another one. Batcher's lcore.
 */
bool job_source_deleted(struct job *job);

/* --- job_memory.c -------------------------------------------------------------------------------
 */

/* For a job that knows its partitions. -ENOMEM; job_memory_destroy gives back what there is. Control
 * thread. */
int job_memory_create(struct job *job);
void job_memory_destroy(struct job *job);

/* --- microbatch.c -------------------------------------------------------------------------------
 */

/* Begins a micro-batch if one is due. */
uint32_t microbatch_poll(struct job *job);
/* Asks for what is still to be scanned; at the end judges the cut as a whole. */
uint32_t microbatch_scan(struct job *job);
void microbatch_read_done(struct job *job, uint32_t partition, const struct read_done *done);

/* --- firing.c -----------------------------------------------------------------------------------
 */

/* Chooses the next window to fire, or ends the micro-batch. */
uint32_t firing_next(struct job *job);
/* Asks for the next piece of the chapter, or sends the task once the chapter is full. */
uint32_t firing_fill(struct job *job);
void firing_read_done(struct job *job, const struct read_done *done);
void firing_task_done(struct job *job, const struct window_done *done);
/* The next attempt, from the window's start. */
void firing_retry(struct job *job);
/* Gives all pins of the chapter back. */
void firing_release(struct job *job);
/* Sends the task to its worker, now or as soon as the ring has room. */
void firing_dispatch(struct job *job, enum task_kind kind);

/* --- batcher.c ----------------------------------------------------------------------------------
 */

#define BATCHER_TOKEN_FIRING UINT32_MAX /* in place of the partition: the read is a firing's */

/*
 * Whether the job may ask for another read: always if it holds nothing, else while the budget has
 * room for it and for others to hold as much as this job.
 */
bool batcher_may_read(const struct job *job);
/* False: the ring is full. Counts what the pin may hold, READ_HOLD_BYTES_MAX. */
bool batcher_read(struct job *job, uint32_t partition, int64_t from, int64_t until, uint64_t bytes);
/* The read is back: counts what its pin does hold, 0 if there is none or another pin of the job
 * does. */
void batcher_read_back(struct job *job, uint64_t held_bytes);
void batcher_release(struct job *job, uint64_t pin, uint32_t partition_index, uint64_t held_bytes);
/* End of what a job may read of a partition now: min(HW, durable, LSO). */
int64_t batcher_visible(const struct batcher *batcher, uint32_t partition_index);
int64_t batcher_log_start(const struct batcher *batcher, uint32_t partition_index);
void batcher_answer(struct batcher *batcher, struct batcher_command *command, int error);

#endif
