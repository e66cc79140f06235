/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seal file `%020d.seal`: identity, exact length and run CRCs of a segment that is never written
 * again. Sans-I/O, any thread. Little-endian:
 *   0 magic `PSSEAL01`   8 crc32c of all that follows   12 version u16 = 1   14 flags u16
 *   16 topic id   32 partition   36 file id   44 base offset   52 end offset   60 log length
 *   68 batches   76 records   84 max timestamp   92 its offset   100 first batch's timestamp
 *   108 crc32c of .log, .index, .timeindex, .txnindex   124 run count   128 runs of 16 bytes:
 *   end_pos u32, end relative offset u32 (exclusive), crc32c u32, zero u32
 */
#ifndef LOGSTORE_SEAL_H
#define LOGSTORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "logstore/range_crc.h"

#define SEAL_HEADER_BYTES 128
#define SEAL_RUN_BYTES	  16
#define SEAL_RUN_MIN	  (1u << 20)			     /* bytes of log in a run, at least */
#define SEAL_RUNS_MAX	  ((1u << 31) / SEAL_RUN_MIN + 1) /* a segment is below 2^31 bytes */

enum seal_flag {
	SEAL_COMPACTED = 1, /* offsets may have gaps */
};

struct seal {
	uint16_t flags;
	uint8_t topic_id[16];
	uint32_t partition;
	uint64_t file_id;
	int64_t base_offset;
	int64_t end_offset; /* = base offset of the next segment */
	uint64_t log_bytes;
	uint64_t batch_count;
	uint64_t record_count;
	int64_t max_timestamp_ms;
	int64_t max_timestamp_offset;
	int64_t first_timestamp_ms;
	uint32_t log_crc;
	uint32_t index_crc;
	uint32_t time_index_crc;
	uint32_t txn_index_crc; /* 0 if there is no such file */
	uint32_t run_count;
};

/* Whole batches, at least SEAL_RUN_MIN bytes but for the last run. */
struct seal_run {
	uint32_t end_pos;
	uint32_t end_relative; /* end offset of the run, exclusive, minus base offset */
	uint32_t crc;
};

/* Gathers runs as the appender goes; lives beside the segment. Caller's memory for runs. */
struct seal_runs {
	struct seal_run *runs;
	uint32_t runs_max;
	uint32_t run_count;
	uint32_t end_relative;
	uint64_t pos;		/* end of the last closed run plus open bytes */
	struct range_crc open;	/* the run being gathered */
	struct range_crc whole; /* the log so far */
};

/* runs_max: segment bytes / SEAL_RUN_MIN + 1 is always enough. */
void seal_runs_init(struct seal_runs *gather, struct seal_run *runs, uint32_t runs_max);
/* One appended batch: CRC of all its bytes, its length, its last offset + 1 - base offset. */
void seal_runs_add(struct seal_runs *gather, uint32_t crc, uint32_t bytes, uint32_t end_relative);
/* Closes the open run. Afterwards gather->whole is the CRC and length of the log. */
void seal_runs_finish(struct seal_runs *gather);

static inline size_t
seal_bytes(uint32_t run_count)
{
	return SEAL_HEADER_BYTES + (size_t)run_count * SEAL_RUN_BYTES;
}

/* Encodes seal and its run_count runs. Returns bytes written, -ENOBUFS if `room` is too small. */
int seal_encode(const struct seal *seal, const struct seal_run *runs, void *bytes, size_t room)
	MUST_CHECK;
/*
 * -EBADMSG: not a whole, consistent seal (magic, crc, version, lengths, run order, run CRCs that do
 * not combine to log_crc). The runs are read by seal_run_get.
 */
int seal_parse(const uint8_t *bytes, size_t len, struct seal *ret_seal) MUST_CHECK;
/* Run `index` < run_count of a seal that parsed. */
void seal_run_get(const uint8_t *bytes, uint32_t index, struct seal_run *ret_run);

#endif
