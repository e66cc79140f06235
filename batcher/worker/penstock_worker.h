/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Window functions for Penstock: the plug-in interface, C11 and C++, libc types only.
 *
 * A plug-in is a shared object with one exported function, penstock_worker_entry, that returns a
 * table. The daemon calls open once per job shard, then process once per window (or micro-batch),
 * on a pinned worker lcore, then close; all three on the same thread. Nothing here blocks.
 *
 * A window may be larger than the memory that may be pinned for it. It then passes in pieces:
 * inside a cursor call process may be set aside and resumed on the same thread, on a stack of its
 * own of PENSTOCK_STACK_BYTES. So: the views of a cursor call (key, value) are valid until the next
 * cursor call on the task or until process returns; copy what must live longer. Any number of
 * cursors and passes is fine.
 *
 * ABI rule: `abi` number, `struct_bytes` first, new members only at the end.
 *
 * This version delivers at least once: after a crash a window may be processed again.
 */
#ifndef PENSTOCK_WORKER_H
#define PENSTOCK_WORKER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_WORKER_ABI  1
#define PENSTOCK_STACK_BYTES (1024 * 1024) /* at least; keep arrays on the stack well below */

struct penstock_task; /* one window or micro-batch, opaque */
struct penstock_job;  /* opaque */
struct penstock_cursor {
	uint64_t opaque[24];
};

enum penstock_worker_flags {
	PENSTOCK_STATELESS = 1,
	PENSTOCK_SIDE_EFFECTS = 2,
	PENSTOCK_ORDERED = 4,
};

enum penstock_close_reason {
	PENSTOCK_CLOSE_DRAINED = 1,
	PENSTOCK_CLOSE_DELETED = 2,
	PENSTOCK_CLOSE_FAILED = 3,
	PENSTOCK_CLOSE_SHUTDOWN = 4,
};

enum penstock_fire_reason {
	PENSTOCK_FIRE_MICROBATCH = 0, /* window kind none: once per batch interval */
	PENSTOCK_FIRE_ON_TIME = 1,
	PENSTOCK_FIRE_LATE = 2,
	PENSTOCK_FIRE_EARLY = 3,
	PENSTOCK_FIRE_FINAL = 4, /* on drain */
};

struct penstock_worker {
	uint32_t struct_bytes; /* sizeof(struct penstock_worker) */
	uint32_t abi;          /* PENSTOCK_WORKER_ABI */
	const char *name;
	const char *version;
	uint32_t flags; /* enum penstock_worker_flags */
	/* Once per job shard; may allocate; 0 or a negative errno. May be NULL. */
	int (*open)(const struct penstock_job *job, void **ret_user);
	/*
	 * Once per window firing or micro-batch. 0 done; -EAGAIN retry later; -ECANCELED stop the
	 * job; another negative errno a failed attempt (retried, then the job fails); positive is
	 * a bug and counts as failed.
	 */
	int (*process)(void *user, struct penstock_task *task);
	/* May be NULL. */
	void (*close)(void *user, enum penstock_close_reason reason);
};

/* What a plug-in exports. NULL if it cannot work with this host. */
typedef const struct penstock_worker *(*penstock_worker_entry_fn)(uint32_t host_abi);

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* The plug-in's own; declared here so that it is exported with the right type. */
const struct penstock_worker *penstock_worker_entry(uint32_t host_abi);

struct penstock_task_info {
	uint32_t struct_bytes;
	uint32_t attempt; /* 1 = first */
	const char *job;
	int64_t batch_sequence;
	int64_t batch_time_ns;
	int64_t window_start_ms; /* window kind none: the batch interval */
	int64_t window_end_ms;
	int64_t event_watermark_ms; /* after this micro-batch's cut; INT64_MIN before any record */
	int64_t now_ns;             /* processing time, wall clock, the same in a retry */
	uint64_t record_count;      /* records in the window, late ones not counted */
	uint32_t firing;            /* 0 for a window's first */
	uint32_t reason;            /* enum penstock_fire_reason */
};

struct penstock_slice {
	const char *topic;
	uint32_t partition;
	uint32_t extent_count;
	int64_t from; /* offsets [from, until) */
	int64_t until;
};

struct penstock_record {
	const char *topic;
	uint32_t partition;
	int32_t key_len; /* -1: null */
	int32_t value_len;
	int32_t header_count;
	int64_t offset;
	int64_t timestamp_ms;
	const void *key;
	const void *value;
};

void penstock_task_info(const struct penstock_task *task, struct penstock_task_info *ret_info);
const char *penstock_job_name(const struct penstock_job *job);
/* A parameter from the job's `params`, or NULL. */
const char *penstock_job_param(const struct penstock_job *job, const char *name);

uint32_t penstock_slice_count(const struct penstock_task *task);
int penstock_slice_get(
	const struct penstock_task *task, uint32_t index, struct penstock_slice *ret_slice);

/* Iterates the window's records, partition by partition in offset order. */
void penstock_cursor_open(struct penstock_cursor *cursor, const struct penstock_task *task);
/*
 * 1 with a record, 0 at the end, negative errno: -EBADMSG damage, -ENOTSUP a compressed record
 * batch, -EIO the log could not give the rest, -ECANCELED the job is being stopped. Return it from
 * process.
 */
int penstock_cursor_next(struct penstock_cursor *cursor, struct penstock_record *ret_record);
/* Up to max records at once; the count, 0 at the end, negative errno. The fast way. */
int penstock_cursor_next_many(
	struct penstock_cursor *cursor, struct penstock_record *ret_records, uint32_t max);

/* Emits one output record to the job's sinks. Copies. -ENOBUFS at the job's output limit. */
int penstock_emit(struct penstock_task *task, const void *key, int32_t key_len, const void *value,
	int32_t value_len);
/* The same with printf for the value. */
int penstock_emit_text(struct penstock_task *task, const char *key, const char *format, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 3, 4)))
#endif
	;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
