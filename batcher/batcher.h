/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of the batcher: committed records -> micro-batches -> windows -> workers -> sinks. With
 * what it includes of worker/ (worker.h, plugin.h and the installed penstock_worker.h) it is all that
 * ctrl/ may see of batcher/. Times and meanings: batcher/README.md. Delivery is at least once, and
 * says so.
 *
 * Threads: batcher_poll() on the batcher's lcore, worker_poll() on each worker lcore; jobs are made
 * and asked about by the control thread through batcher_command; status and fired windows are read
 * from bounded, published copies by any thread.
 */
#ifndef BATCHER_BATCHER_H
#define BATCHER_BATCHER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/counter.h"
#include "base/handoff.h"
#include "base/ring.h"
#include "base/route_table.h"
#include "batcher/worker/penstock_worker.h"
#include "batcher/worker/plugin.h"
#include "batcher/worker/worker.h"

#define BATCHER_JOBS_MAX           16
#define BATCHER_SOURCES_MAX        8
#define BATCHER_JOB_PARTITIONS_MAX 1024
#define BATCHER_JOB_NAME_MAX       64
#define BATCHER_PRINT_ROWS_MAX     10
#define BATCHER_PRINT_ROW_BYTES    160

_Static_assert(BATCHER_JOB_NAME_MAX < WORKER_CALL_JOB_BYTES, "a call names its job");

struct batcher;

enum job_window_kind {
	JOB_WINDOW_NONE,
	JOB_WINDOW_TUMBLING,
	JOB_WINDOW_KIND_COUNT,
};

enum job_time {
	JOB_TIME_INGEST,
	JOB_TIME_EVENT,
};

enum job_start {
	JOB_START_LATEST,
	JOB_START_EARLIEST,
};

enum job_state {
	JOB_STARTING, /* as made; its function is being opened */
	JOB_RUNNING,
	JOB_DRAINING, /* takes no tick's new records; closes what is open */
	JOB_DRAINED, /* all windows fired; stays to be looked at until deleted */
	JOB_FAILED,  /* so does this one; its reason says why */
	JOB_DELETED,
	JOB_STATE_COUNT,
};

/* Called on the batcher's lcore for each output record of a fired window, in order. Callback sink.
 */
typedef void (*job_sink_fn)(void *user_data, const struct penstock_task_info *info, const void *key,
	int32_t key_len, const void *value, int32_t value_len);

struct job_spec {
	char name[BATCHER_JOB_NAME_MAX + 1];
	uint32_t source_count;
	uint32_t source_topics[BATCHER_SOURCES_MAX]; /* route table topic indexes */
	enum job_start start;
	uint64_t batch_interval_ns;
	enum job_time time;
	enum job_window_kind window;
	uint64_t window_size_ms;
	int64_t window_offset_ms;
	uint64_t out_of_orderness_ms;
	uint64_t idle_timeout_ms;
	uint64_t idle_close_ms;
	uint64_t max_future_ms;
	uint64_t task_timeout_ns;
	uint32_t task_attempts;
	uint32_t open_windows_max;
	uint64_t output_bytes_max;
	uint64_t cut_bytes_max; /* a micro-batch takes at most this many bytes of a partition */
	bool sink_print;
	job_sink_fn sink_callback; /* NULL: none; in-process tests and benches */
	void *sink_user_data;
	const struct penstock_worker *function; /* loaded plug-in or builtin */
	uint32_t param_count;
	const char *const *params; /* name, value, name, value ... outlive the job */
};

void job_spec_init(struct job_spec *spec);
/* NULL if it may run, else `text`: what is wrong and how to mend it, with the numbers. */
const char *job_spec_check(const struct job_spec *spec, char *text, uint32_t text_bytes);

struct batcher_options {
	struct clock *clock;
	const struct route_table *routes;
	uint32_t client; /* the batcher's index among the log's clients */
	uint32_t shard_count;
	uint32_t worker_count;
	uint64_t pin_bytes_max;
	struct ring *commit_notes[16]; /* [shard] */
	struct ring *read_req[16];     /* [shard] */
	struct ring *read_done[16];
	struct ring *extent_release[16];
	struct ring *tasks[HANDOFF_WORKERS_MAX]; /* [worker] */
	struct ring *dones[HANDOFF_WORKERS_MAX];
	struct worker *workers[HANDOFF_WORKERS_MAX]; /* only what they publish is looked at */
	struct waker *answered; /* woken when a command is answered; NULL: its asker does not sleep */
};

int batcher_create(const struct batcher_options *options, struct batcher **ret_batcher) MUST_CHECK;
/* Once no lcore polls. A function that batcher_stop did not bring to its close is not closed. */
void batcher_destroy(struct batcher *batcher);
/*
 * Stops every job for good: the call under way ends, functions are closed on their workers, pins go
 * back; what is not processed stays in the log. Later commands but DELETE are refused: -ESHUTDOWN.
 * Control thread.
 */
void batcher_stop(struct batcher *batcher);
/* Any thread. True once batcher_stop has been carried out; it never is if a function never returns. */
bool batcher_stopped(const struct batcher *batcher);
/* One bounded step; returns work done. Batcher's lcore. */
uint32_t batcher_poll(struct batcher *batcher, uint64_t now_ns);
uint64_t batcher_deadline_ns(const struct batcher *batcher);

enum batcher_command_kind {
	BATCHER_CREATE, /* spec -> job index; answered when the function's open() returned */
	/*
	 * Process what is in the log now, close the windows; state DRAINED. Answered when accepted:
	 * watch the job's state for the end.
	 */
	BATCHER_DRAIN,
	BATCHER_DELETE, /* answered when the function was closed and all pins are given back */
};

struct batcher_command {
	enum batcher_command_kind kind;
	int error;        /* answer: negative errno */
	bool by_function; /* CREATE: the function's open() returned it */
	uint32_t job;
	/*
	 * CREATE: answer. Else which job is meant: a place is given to another job after a deletion,
	 * but an id never in the life of a batcher. From 1.
	 */
	uint64_t job_id;
	struct job_spec spec;
	uint64_t token;
};

/*
 * Control thread only; the command belongs to the batcher until polled back. -EAGAIN: later. All
 * other refusals come back in command->error: -EINVAL spec (job_spec_check says why), -EEXIST name,
 * -ENOSPC all BATCHER_JOBS_MAX jobs are there (drained and failed ones count until deleted),
 * -ETIMEDOUT every worker is stuck in a call, -ESHUTDOWN the batcher stops, -ENOMEM (also:
 * open_windows_max x partitions above 64 Mi), -ENOENT no such job (any more), -EBUSY it is being
 * deleted, or what the function's open() returned.
 */
int batcher_command(struct batcher *batcher, struct batcher_command *command);
struct batcher_command *batcher_command_poll(struct batcher *batcher);

struct job_status {
	uint64_t job_id;
	char name[BATCHER_JOB_NAME_MAX + 1];
	enum job_state state;
	int error;       /* of JOB_FAILED */
	uint32_t worker; /* index of the one that calls its function */
	char reason[384];
	int64_t batch_sequence;
	int64_t event_watermark_ms;
	uint32_t open_windows;
	uint64_t lag_records; /* visible and not yet cut */
	uint64_t counters[JOB_COUNTER_COUNT];
	/* Sums of record_digest() (batcher/record_digest.h) over the records of all fired windows,
	 * and over those that were discarded as late, future or without a timestamp. */
	uint64_t window_digest;
	uint64_t discard_digest;
};

/* Any thread. -ENOENT. */
int batcher_job_status(struct batcher *batcher, uint32_t job, struct job_status *ret_status);

/* One fired window as window.list shows it. */
struct window_row {
	uint64_t sequence; /* +1 per firing of this job, from 1 */
	int64_t start_ms;
	int64_t end_ms;
	uint64_t record_count;
	uint32_t firing;
	uint32_t reason;
	int64_t batch_sequence;
	int64_t fired_wall_ms;
	uint64_t busy_ns;
	uint64_t digest; /* order-independent content hash of its records, sum of SipHash */
	uint32_t print_count;
	char print_rows[BATCHER_PRINT_ROWS_MAX][BATCHER_PRINT_ROW_BYTES];
};

/* Copies rows with sequence > since, oldest first, of the last 256. Returns the count. Any thread.
 */
uint32_t batcher_windows(struct batcher *batcher, uint32_t job, uint64_t since,
	struct window_row *ret_rows, uint32_t max);

#endif
