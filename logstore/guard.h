/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the guard file `penstock-guard-<shard>`: a ring of blocks in which the log lcore notes
 * what each group committed, with a copy of every tail block (a rewrite in flight may tear it).
 * Sans-I/O: builds a record in a given buffer, parses one, and sorts out a whole ring image. Wrapping
 * and the two-halves rule belong to guard_writer, files to recovery_guard. Any thread; no state but the
 * caller's.
 *
 * A record starts on a block boundary, never spans the ring's end, and is zero-padded to a block.
 * Little-endian. Header of 80 bytes:
 *   0 magic `PSGUARD1`   8 crc32c of 12..record_len   12 record_len   16 directory id
 *   32 shard u16, kind u8, version u8 = 1   36 entry count   40 start id   48 seq   56 durable_seq
 *   64 crc of record seq - 1   68 own block number   72 wall clock ms
 * then entries of 128 bytes:
 *   0 topic id   16 partition, leader epoch   24 segment base   32 file id   40 start_pos, end_pos
 *   48 first offset, end offset   64 range_crc   68 batches   72 tail_off, tail_len   80 flags, aux
 *   88 index, time index entries   96 producers offset   104 log start offset   112 zeros
 * then the tail copies, back to back.
 */
#ifndef LOGSTORE_GUARD_H
#define LOGSTORE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

#define GUARD_HEADER_BYTES 80
#define GUARD_ENTRY_BYTES  128

enum guard_kind {
	GUARD_GROUP = 1,  /* one per group commit: what it wrote */
	GUARD_ANCHOR = 2, /* state of every partition of the shard; nothing older is needed */
	GUARD_MARK = 3,	  /* no entries: proves the group before it */
};

enum guard_flag {
	GUARD_ROLL = 1,	    /* the previous segment ended at position aux */
	GUARD_TRUNCATE = 2, /* the log was cut to end_pos */
	GUARD_POISON = 4,   /* the range of seq aux (low 32 bits) was never acknowledged */
	GUARD_RELAXED = 8,  /* relaxed ack: readers may have seen more, so the epoch rises at start */
};

struct guard_header {
	uint8_t directory_id[16];
	uint16_t shard;
	uint8_t kind;	      /* enum guard_kind */
	uint32_t entry_count; /* out of the builder; in of the parser */
	uint64_t start_id;    /* +1 durably at each daemon start */
	uint64_t seq;	      /* +1 per record, never reset in one file */
	uint64_t durable_seq; /* greatest acknowledged seq when built; < seq */
	uint32_t chain_crc;   /* crc of record seq - 1 */
	uint32_t block_number;
	uint64_t wall_ms;
	uint32_t crc;	     /* set by finish and parse */
	uint32_t record_len; /* bytes without padding; set by finish and parse */
};

struct guard_entry {
	uint8_t topic_id[16];
	uint32_t partition;
	int32_t leader_epoch;
	int64_t segment_base;
	uint64_t file_id;
	uint32_t start_pos; /* [start_pos, end_pos) of the segment file */
	uint32_t end_pos;
	int64_t first_offset; /* [first_offset, end_offset) */
	int64_t end_offset;
	uint32_t range_crc; /* range_crc.h */
	uint32_t batch_count;
	uint32_t tail_off; /* of the copy, in this record; set by add and entry_get */
	uint32_t tail_len; /* bytes of [floor(end_pos / B) x B, end_pos); set by add */
	uint32_t flags;	   /* enum guard_flag */
	uint32_t aux;
	uint32_t index_entries; /* anchors: entries of .index durable up to start_pos */
	uint32_t time_index_entries;
	int64_t producers_offset; /* anchors: name of the .producers file valid at start_pos */
	int64_t log_start_offset;
};

/* Upper bound of a record with that many entries, padded; block_bytes is a power of two. */
uint64_t guard_record_bytes_max(uint32_t entry_count, uint32_t block_bytes);

/* --- building -------------------------------------------------------------------------------- */

struct guard_builder {
	uint8_t *buffer;
	uint32_t room_bytes;
	uint32_t block_bytes;
	uint32_t entry_count; /* announced */
	uint32_t added_count;
	uint32_t len; /* used so far: header, all entries, tails so far */
};

/*
 * Starts a record of exactly entry_count entries in buffer. -ENOBUFS: header and entries alone do
 * not fit. The caller owns buffer; room_bytes is a multiple of block_bytes.
 */
int guard_builder_init(struct guard_builder *b, void *buffer, uint32_t room_bytes,
	uint32_t block_bytes, uint32_t entry_count) MUST_CHECK;
/*
 * Adds the next entry; `tail` points at the end_pos mod B bytes of its tail block (ignored if there
 * are none). -ENOBUFS: the copy does not fit; the record is unusable then.
 */
int guard_builder_add(struct guard_builder *b, const struct guard_entry *entry, const void *tail)
	MUST_CHECK;
/*
 * Writes the header, zeroes the padding, computes the crc into header->crc and ->record_len. All
 * announced entries must have been added. Returns the padded length: what is to be written.
 */
uint32_t guard_builder_finish(struct guard_builder *b, struct guard_header *header);

/* --- parsing --------------------------------------------------------------------------------- */

/*
 * Parses and checks the record at `bytes`, `len` = bytes up to the end of the ring. -ENOENT: no
 * magic. -EBADMSG: bad crc, version, kind, lengths or entries. No identity is judged here.
 */
int guard_record_parse(const uint8_t *bytes, size_t len, uint32_t block_bytes,
	struct guard_header *ret_header) MUST_CHECK;
/*
 * Entry `index` < entry_count of a record that parsed; its tail copy is at bytes + tail_off. Returns
 * the copy (never NULL; tail_len says how much of it).
 */
const uint8_t *guard_record_entry(const uint8_t *bytes, uint32_t index,
	struct guard_entry *ret_entry);

/* --- a whole ring ---------------------------------------------------------------------------- */

/* One valid record of a ring, as recovery walks them. */
struct guard_found {
	struct guard_header header;
	uint64_t position; /* in the image */
	bool usable;	   /* the newest anchor, or chained to it, or after proven damage */
};

/* Caller's memory for records; filled by guard_scan. */
struct guard_scan {
	struct guard_found *found; /* by (start id, seq), oldest first */
	uint32_t found_max;
	uint32_t found_count;
	int64_t anchor_index;	  /* newest anchor, -1 none */
	uint64_t durable_seq;	  /* greatest durable_seq of any valid record: proven up to here */
	uint64_t seq_max;	  /* greatest seq seen, 0 none */
	uint64_t start_id_max;
	uint64_t missing_seq;	  /* the record after the chain's end */
	bool damaged;		  /* a later record proves that missing_seq was durable */
	uint64_t next_block;	  /* first block after the newest valid record */
};

/*
 * Finds the valid records of a ring image: crc, directory id, shard, own block number. Bytes inside
 * a valid record are never taken for another one. Then the newest anchor (greatest start id, then
 * seq), the chain seq + 1 with matching chain_crc behind it, and the verdict on the first missing
 * record. -ENOBUFS: more than found_max records.
 */
struct guard_image {
	const uint8_t *bytes; /* unreadable blocks as zeros */
	uint64_t len;
	uint32_t block_bytes;
	uint16_t shard;
	uint8_t directory_id[16];
};
int guard_scan(const struct guard_image *image, struct guard_scan *scan) MUST_CHECK;

/* True if the group of that seq was acknowledged beyond doubt. */
static inline bool
guard_scan_proven(const struct guard_scan *scan, uint64_t seq)
{
	return seq <= scan->durable_seq;
}

#endif
