/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated disk behind seam base/io.h: the main tool of crash tests. Single thread, virtual time,
 * one seed. Several `struct io` views (one per shard, one for the keeper) share one `struct sim_disk`.
 *
 * What it keeps apart: per 4 KiB block the durable bytes, and every later version that no flush has
 * covered; writes in flight; per file the unsynced sizes and the extents whose conversion no sync of
 * that file has covered; names that no directory sync has covered. Rules:
 *   hot write        completes at a random virtual time; then readable, not durable
 *   flush            covers the direct writes completed before it was submitted: of all files, or
 *                    (option) of its own file only; converts extents and syncs size of its own file
 *   DSYNC write      durable when it completes
 *   housekeeping pwrite through a file without IO_OPEN_DIRECT: page cache, covered by fsync,
 *                    fdatasync of that file or sync_fs only; with it: as a completed hot write
 *   rename           atomic; durable after a sync of either directory (journaling file systems)
 * Its own checks (a violation calls options.violation, or prints and aborts): in-flight writes never
 * overlap; a buffer hashes the same at submit and at completion; B-alignment of buffer, position and
 * length; no hot write outside size and allocated extents; hot buffers inside the registered pool.
 *
 * Housekeeping operations take no virtual time.
 */
#ifndef LOGSTORE_IO_IO_SIM_H
#define LOGSTORE_IO_IO_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/compiler.h"
#include "base/io.h"
#include "logstore/io/io_fault.h"

struct sim_disk;

typedef void (*sim_violation_fn)(void *user_data, const char *text);

struct sim_options {
	uint64_t seed;
	struct clock *clock;	   /* fake; the tests advance it */
	uint64_t capacity_bytes;   /* ENOSPC beyond */
	uint32_t queue_depth;	   /* requests queued or in flight a view; more: -EBUSY */
	uint64_t write_ns_min, write_ns_max; /* uniform latencies */
	uint64_t flush_ns_min, flush_ns_max;
	uint64_t read_ns_min, read_ns_max;
	uint32_t slow_flush_ppm;   /* chance that a flush takes ten times as long */
	bool flush_covers_device;
	bool no_journal;           /* for the probe */
	bool write_cache;	   /* for the probe; false also makes completed writes durable */
	uint32_t trace_max;	   /* events kept (the newest) */
	sim_violation_fn violation; /* NULL: print and abort */
	void *violation_user_data;
};

/* 1 GiB, depth 256, 10-200 us, flush 80-400 us, 2 % slow, device scope, write cache, 65,536 events. */
void sim_options_init(struct sim_options *options, uint64_t seed, struct clock *clock);
int sim_disk_create(const struct sim_options *options, struct sim_disk **ret_sim) MUST_CHECK;
/* All views must be gone (ops->destroy). */
void sim_disk_destroy(struct sim_disk *sim);

/* A new view; ops->destroy gives it back. Its descriptors are those of the disk. */
int sim_disk_view(struct sim_disk *sim, uint32_t slots_max, struct io **ret_io) MUST_CHECK;
/* Earliest virtual time at which a request completes, UINT64_MAX: nothing is in flight. */
uint64_t sim_disk_next_ns(const struct sim_disk *sim);

/* --- the end of a process -------------------------------------------------------------------- */

/*
 * What a block with uncovered versions reads as after a power cut. Versions are numbered from the
 * durable one (0) to the newest, in-flight ones last.
 */
enum sim_block_fate {
	SIM_BLOCK_VERSION,  /* exactly version `version` */
	SIM_BLOCK_SECTORS,  /* per 512-byte sector, bit i of `mask`: version `version`, else 0 */
	SIM_BLOCK_MIXED,    /* random mix of bytes of both */
	SIM_BLOCK_ZEROS,
	SIM_BLOCK_GARBAGE,  /* random bytes */
	SIM_BLOCK_EIO,	    /* unreadable until written again */
};

struct sim_block_choice {
	enum sim_block_fate fate;
	uint32_t version;
	uint8_t mask;
};

/* Asked once per block with uncovered versions, in a fixed order. */
typedef struct sim_block_choice (*sim_choose_fn)(void *user_data, const char *path,
	uint64_t block, uint32_t version_count);

enum sim_crash_mode {
	SIM_CRASH_ANY,	    /* everything by seed: the full A3 model */
	SIM_CRASH_LOSE_ALL, /* nothing uncovered survives: names, sizes and blocks as last synced */
	SIM_CRASH_KEEP_ALL, /* everything completed survives; in-flight writes do not */
	SIM_CRASH_CHOOSE,   /* blocks by `choose`, names and sizes as they are now */
};

struct sim_crash_options {
	enum sim_crash_mode mode;
	uint64_t seed; /* of ANY and of garbage */
	sim_choose_fn choose;
	void *user_data;
};

/* What a crash did: so that a test can count real hits. */
struct sim_crash_report {
	uint64_t blocks_at_risk;
	uint64_t blocks_old, blocks_new, blocks_mixed, blocks_zero, blocks_garbage, blocks_eio;
	uint64_t names_reverted, sizes_reverted;
	uint64_t writes_in_flight;
};

/*
 * Power cut. Existing views are dead: every op of theirs gives -ESHUTDOWN, reap 0, close nothing;
 * destroy them and open new ones. ret_report may be NULL.
 */
void sim_crash(struct sim_disk *sim, const struct sim_crash_options *options,
	struct sim_crash_report *ret_report);
/*
 * As sim_crash, but on a copy of the disk: `sim` goes on untouched. For enumerating outcomes of one
 * instant. The copy has no views and its own (empty) trace.
 */
int sim_crash_copy(const struct sim_disk *sim, const struct sim_crash_options *options,
	struct sim_disk **ret_copy, struct sim_crash_report *ret_report) MUST_CHECK;
/*
 * SIGKILL: nothing is lost. Writes in flight still land at their time and hold the file's flock
 * until then (as the kernel does). Views are dead as after a crash.
 */
void sim_sigkill(struct sim_disk *sim);

/* --- faults ---------------------------------------------------------------------------------- */

/* Counts from now. -ENOSPC: more than IO_FAULT_RULES_MAX armed. A spent one-shot rule is dropped. */
int sim_fault_arm(struct sim_disk *sim, const struct io_fault_rule *rule) MUST_CHECK;
void sim_fault_clear(struct sim_disk *sim);
/* Operations of that kind so far: for n-th fault loops. */
uint64_t sim_op_count(const struct sim_disk *sim, enum io_fault_op op);
/* Rules that fired so far. */
uint64_t sim_fault_count(const struct sim_disk *sim);
/* Every flush submitted from now on takes this long; 0: by latency again. */
void sim_set_flush_delay(struct sim_disk *sim, uint64_t delay_ns);
/* Every write to a file so named that is submitted from now on takes this long, if no fault hits
 * it; 0: by latency again. */
void sim_set_write_delay(struct sim_disk *sim, const char *path_contains, uint64_t delay_ns);
void sim_set_capacity(struct sim_disk *sim, uint64_t capacity_bytes);
/* Decay at rest, durable and read alike. -ENOENT, -ERANGE. */
int sim_flip_bit(struct sim_disk *sim, const char *path, uint64_t position, uint32_t bit)
	MUST_CHECK;
/* Marks a block unreadable until it is written again. */
int sim_break_block(struct sim_disk *sim, const char *path, uint64_t position) MUST_CHECK;

/* --- what the oracle asks -------------------------------------------------------------------- */

/* Descriptors that are open: 0 after whoever opened them has gone in order. */
uint32_t sim_open_fds(const struct sim_disk *sim);

/*
 * True if the bytes a read would give now are durable: some flush has covered them at this place,
 * extents, size and a name of the file are durable. A rewrite in flight with the same bytes does not
 * change that (what it may tear is the guard's business: see sim_at_risk).
 */
bool sim_covered(const struct sim_disk *sim, const char *path, uint64_t position, uint64_t len);
/* True if an in-flight or uncovered write touches a block of that range: a crash may tear it. */
bool sim_at_risk(const struct sim_disk *sim, const char *path, uint64_t position, uint64_t len);
/* The durable bytes (zeros beyond). Bytes copied out, or -ENOENT. */
int64_t sim_durable_read(const struct sim_disk *sim, const char *path, uint64_t position,
	void *bytes, uint64_t len);

enum sim_event_kind {
	SIM_EVENT_SUBMIT,
	SIM_EVENT_COMPLETE,
	SIM_EVENT_HOUSEKEEPING, /* done and returned */
	SIM_EVENT_CRASH,
	SIM_EVENT_SIGKILL,
};

struct sim_event {
	uint64_t time_ns;
	uint64_t position;
	uint64_t len;
	uint64_t token;
	int64_t result;	  /* SUBMIT: 0 */
	const char *path; /* name of the file when opened or renamed last; lives as long as the disk */
	uint32_t file;	  /* inode number */
	uint8_t kind;	  /* enum sim_event_kind */
	uint8_t op;	  /* enum io_fault_op */
	uint8_t flags;	  /* enum io_write_flag */
};

/* Events recorded so far; the newest trace_max of them can be read. */
uint64_t sim_trace_count(const struct sim_disk *sim);
/* NULL: dropped or not yet there. Valid until the next operation on the disk. */
const struct sim_event *sim_trace_get(const struct sim_disk *sim, uint64_t index);

#endif
