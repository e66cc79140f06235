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
 * ABI rule: `abi` number, `struct_bytes` first, new members only at the end. Plug-in and daemon may
 * have been compiled with structs of different length. What the daemon fills in, it fills as far as
 * both know it, zero behind; the calls below hand over the length that the plug-in was compiled with.
 * What the plug-in fills in may be shorter than the daemon's struct: the rest counts as zero; or
 * longer: then the rest must be zero, else the daemon refuses what it would have to ignore.
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
	uint32_t struct_bytes; /* sizeof(struct penstock_worker): at least up to process */
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
	/*
	 * Once, after the last process. Not at all if the daemon ends while a call does not come
	 * back. May be NULL.
	 */
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
	uint32_t struct_bytes; /* how many of them the daemon filled in */
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
	uint32_t struct_bytes; /* how many of them the daemon filled in */
	uint32_t partition;
	const char *topic;
	uint32_t extent_count;
	uint32_t reserved;
	int64_t from; /* offsets [from, until) */
	int64_t until;
};

/* One of an array, so without a length of its own: PENSTOCK_RECORD_BYTES_MIN are always filled in. */
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
	const void *headers; /* encoded, header_count of them: penstock_header_get() reads them */
	uint32_t headers_bytes;
	uint32_t reserved;
};

/* A record header: views as the record's, without a NUL at their end. */
struct penstock_header {
	uint32_t struct_bytes; /* how many of them the daemon filled in */
	int32_t name_len;
	const char *name;
	const void *value; /* NULL: null */
	int32_t value_len; /* -1: null */
	uint32_t reserved;
};

/*
 * What a function emits. Set struct_bytes to its sizeof and all else to 0 first: zero is "not given"
 * in every member that a later version adds.
 */
struct penstock_output {
	uint32_t struct_bytes;
	int32_t key_len;   /* -1: null */
	int32_t value_len; /* -1: null */
	uint32_t reserved;
	const void *key;
	const void *value;
};

#define PENSTOCK_SINKS_ALL 0 /* every sink of the job; this version knows no other */

#define PENSTOCK_RECORD_BYTES_MIN 56 /* up to value */

/* At most info_bytes of *ret_info are written. Normally called as penstock_task_info(). */
void penstock_task_info_sized(
	const struct penstock_task *task, struct penstock_task_info *ret_info, size_t info_bytes);
const char *penstock_job_name(const struct penstock_job *job);
/* A parameter from the job's `params`, or NULL. */
const char *penstock_job_param(const struct penstock_job *job, const char *name);

uint32_t penstock_slice_count(const struct penstock_task *task);
/* -EINVAL: no such slice. Normally called as penstock_slice_get(). */
int penstock_slice_get_sized(const struct penstock_task *task, uint32_t index,
	struct penstock_slice *ret_slice, size_t slice_bytes);

/* Iterates the window's records, partition by partition in offset order. */
void penstock_cursor_open(struct penstock_cursor *cursor, const struct penstock_task *task);
/*
 * Up to max records at once, record_bytes apart; the count, 0 at the end, negative errno: -EBADMSG
 * damage, -ENOTSUP a compressed record batch, -EIO the log could not give the rest, -ECANCELED the
 * job is being stopped, -EINVAL record_bytes below PENSTOCK_RECORD_BYTES_MIN or no multiple of 8.
 * Return it from process. Normally called as penstock_cursor_next() or penstock_cursor_next_many().
 */
int penstock_cursor_next_sized(struct penstock_cursor *cursor, struct penstock_record *ret_records,
	uint32_t max, size_t record_bytes);

/*
 * Header `index` of a record, in the order in which the producer gave them: from 0, so that getting
 * all of them walks the short list again each time. 0, -EINVAL no such header, -EBADMSG damage:
 * return it from process. Normally called as penstock_header_get().
 */
int penstock_header_get_sized(const struct penstock_record *record, int32_t index,
	struct penstock_header *ret_header, size_t header_bytes);

/*
 * Emits one output record to a sink of the job. Copies. -ENOBUFS at the job's output limit, -EINVAL
 * lengths or sink, -ENOTSUP something given that this daemon does not know.
 */
int penstock_emit(
	struct penstock_task *task, uint32_t sink, const struct penstock_output *output);
/* Key and value to all sinks, the value by printf; a NULL key is null. */
int penstock_emit_text(struct penstock_task *task, const char *key, const char *format, ...)
#if defined(__GNUC__)
	__attribute__((format(printf, 3, 4)))
#endif
	;

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

/* --- the calls with the lengths of this header's structs: the caller's, whatever the daemon has --- */

static inline void
penstock_task_info(const struct penstock_task *task, struct penstock_task_info *ret_info)
{
	penstock_task_info_sized(task, ret_info, sizeof(*ret_info));
}

static inline int
penstock_slice_get(
	const struct penstock_task *task, uint32_t index, struct penstock_slice *ret_slice)
{
	return penstock_slice_get_sized(task, index, ret_slice, sizeof(*ret_slice));
}

/* Key and value to all sinks; a length of -1 is null. */
static inline int
penstock_emit_bytes(struct penstock_task *task, const void *key, int32_t key_len,
	const void *value, int32_t value_len)
{
	struct penstock_output output;

	output.struct_bytes = sizeof(output);
	output.key_len = key_len;
	output.value_len = value_len;
	output.reserved = 0;
	output.key = key;
	output.value = value;
	return penstock_emit(task, PENSTOCK_SINKS_ALL, &output);
}

static inline int
penstock_header_get(
	const struct penstock_record *record, int32_t index, struct penstock_header *ret_header)
{
	return penstock_header_get_sized(record, index, ret_header, sizeof(*ret_header));
}

/* 1 with a record, 0 at the end, negative errno as above. */
static inline int
penstock_cursor_next(struct penstock_cursor *cursor, struct penstock_record *ret_record)
{
	return penstock_cursor_next_sized(cursor, ret_record, 1, sizeof(*ret_record));
}

/* Up to max records at once. The fast way. */
static inline int
penstock_cursor_next_many(
	struct penstock_cursor *cursor, struct penstock_record *ret_records, uint32_t max)
{
	return penstock_cursor_next_sized(cursor, ret_records, max, sizeof(*ret_records));
}

#ifdef __cplusplus
}
#endif

#endif
