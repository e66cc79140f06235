/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One partition directory at start: names, chain of sealed segments, unsealed segments in order,
 * producer state, leader epochs, verdict. See recovery.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/recovery.h"
#include "logstore/repair.h"

#define SEALS_READ 3 /* the newest; older ones are checked when they are read */

/* --- sealed segments --------------------------------------------------------------------------- */

/* As far as names and seals tell. */
static int64_t
known_end(struct recovery_context *c)
{
	int64_t end = 0;

	for (uint32_t i = c->base_count; i > 0; i--) {
		const struct recovery_base *b = &c->bases[i - 1];
		struct seal seal;

		if (b->has_log || b->has_seal) {
			end = b->base + 1 > end ? b->base + 1 : end;
		}
		if (b->has_seal) {
			if (recovery_names_read_seal(c, b->base, &seal) == 0 && seal.end_offset > end) {
				end = seal.end_offset;
			}
			break;
		}
	}
	return end;
}

/* One sealed segment: its row, or quarantine. */
static int
take_sealed(struct recovery_context *c, uint32_t i, uint32_t sealed_count)
{
	struct recovery_base *b = &c->bases[i];
	struct segment_row row = {.base = b->base, .sealed = true};
	char path[FILE_PATH_MAX];
	struct io_stat stat;

	file_util_segment_path(path, c->p->dir, b->base, ".log");
	int rc = c->io->ops->stat(c->io, path, &stat);

	if (rc == -ENOENT || b->base != c->end) {
		recovery_doubtful_mark_rest(c, b->base, c->end < b->base ? c->end : b->base,
			known_end(c), rc == -ENOENT ? "segment file is missing" : "gap between sealed segments");
		return 0;
	}
	if (rc < 0) {
		return rc;
	}
	row.log_bytes = stat.size_bytes;
	if (i + SEALS_READ >= sealed_count) {
		struct seal seal;

		rc = recovery_names_read_seal(c, b->base, &seal);
		if (rc == -EBADMSG || rc == -EIO || (rc == 0 && seal.log_bytes != stat.size_bytes)) {
			recovery_doubtful_mark_rest(c, b->base, b->base, known_end(c), "seal and log disagree");
			return 0;
		}
		if (rc < 0) {
			return rc;
		}
		row.end_offset = seal.end_offset;
		row.gaps = (seal.flags & SEAL_COMPACTED) != 0;
	} else {
		row.end_offset = c->bases[i + 1].base;
	}
	c->end = row.end_offset;
	c->p->last_end_pos = (uint32_t)row.log_bytes;
	c->p->size_bytes += row.log_bytes;
	c->p->segment_count++;
	return partition_row_add(c->p, &row);
}

/* --- unsealed segments ------------------------------------------------------------------------- */

static int
open_segment(struct recovery_context *c, struct recovery_base *b, struct recovery_segment *rs)
{
	char path[FILE_PATH_MAX];
	struct io_stat stat;
	struct segment *s = rs->s;

	file_util_segment_path(path, c->p->dir, b->base, ".log");
	if (b->prep_id != 0) {
		int rc = recovery_names_finish(c, b->base, b->prep_id);

		if (rc < 0) {
			return rc;
		}
		b->prep_id = 0;
	}
	s->fd = -EWOULDBLOCK;
	for (uint32_t i = 0; i < RECOVERY_LOCK_TRIES && s->fd == -EWOULDBLOCK; i++) {
		if (i > 0) {
			clock_sleep_ns(c->r->store->options.clock, RECOVERY_LOCK_NS);
		}
		s->fd = c->io->ops->open(c->io, path, IO_OPEN_DIRECT | IO_OPEN_LOCK);
	}
	if (s->fd < 0) {
		int rc = s->fd;

		s->fd = -1;
		return rc;
	}
	int rc = c->io->ops->stat(c->io, path, &stat);

	rs->file_bytes = stat.size_bytes;
	rs->fd = rc < 0 ? rc : c->io->ops->open(c->io, path, 0);
	s->alloc_bytes = (uint32_t)stat.size_bytes;
	return rs->fd < 0 ? rs->fd : 0;
}

/* Entries of one segment are not adjacent when groups alternate: copied together. */
static struct recovery_entry *
entries_of(struct recovery_context *c, int64_t base, uint32_t *ret_count)
{
	struct recovery_entry *e = calloc(c->entry_count + 1, sizeof(*e));

	*ret_count = 0;
	for (uint32_t i = 0; e && i < c->entry_count; i++) {
		if (c->entries[i].entry.segment_base == base &&
			!(c->entries[i].entry.flags & GUARD_POISON)) {
			e[(*ret_count)++] = c->entries[i];
		}
	}
	return e;
}

static bool
any_proven(const struct recovery_entry *entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (entries[i].proven) {
			return true;
		}
	}
	return false;
}

static void
drop_segment(struct recovery_context *c, struct recovery_base *b)
{
	static const char *const suffixes[] = {".log", ".index", ".timeindex"};
	char name[FILE_PATH_MAX];

	for (uint32_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
		file_util_segment_path(name, NULL, b->base, suffixes[i]);
		(void)file_util_remove(c->io, c->p->dir, name);
	}
	if (b->prep_id != 0) {
		file_util_spare_path(name, b->prep_id, "prep");
		(void)file_util_remove(c->io, NULL, name);
	}
	(void)c->io->ops->fsync_dir(c->io, c->p->dir);
}

/* The segment takes no more: its seal is finished here. */
static int
seal_now(struct recovery_context *c, struct recovery_segment *rs)
{
	struct log_shard *shard = c->r->store->shards[c->p->shard];
	struct segment *s = rs->s;
	struct snapshot_slot *snapshot =
		snapshot_arena_encode(&shard->snapshots, c->p, rs->end_offset);

	ensure(snapshot);
	s->has_last_time_entry = segment_index_close(&s->index, &s->last_time_entry);
	s->seal_checkpoint = s->checkpoint;
	s->crc_from = 1; /* the seal takes nothing on trust: the file is read again */
	int rc = keeper_segment_seal(c->r->store->keeper, c->p, s, snapshot);

	snapshot_arena_give(&shard->snapshots, snapshot);
	if (rc == 0 && c->p->has_doubtful) {
		partition_set_state(c->p, LOG_PARTITION_QUARANTINED);
		c->report->quarantined = true;
		(void)snprintf(c->report->reason, sizeof(c->report->reason),
			"damaged before its checkpoint: segment %" PRId64, s->base);
	}
	if (rc == 0) {
		c->io->ops->close(c->io, s->fd);
		s->fd = -1;
		segment_set_state(s, SEGMENT_FREE);
		c->p->last_end_pos = rs->end_pos;
	}
	return rc;
}

static void
report_segment(struct recovery_context *c, struct recovery_segment *rs)
{
	struct log_shard *shard = c->r->store->shards[c->p->shard];

	if (rs->repaired && !rs->corrupt) {
		c->report->tail_repaired++;
		shard->counters.live[SHARD_tail_repairs]++;
	}
	if (rs->cut && rs->written_end > rs->end_pos) {
		c->report->unproven_cut_bytes += rs->written_end - rs->end_pos;
		shard->counters.live[SHARD_unproven_cut_bytes] += rs->written_end - rs->end_pos;
		log_warning("logstore", "%s: %u unproven bytes cut at offset %" PRId64, c->p->dir,
			rs->written_end - rs->end_pos, rs->end_offset);
	}
	c->cut |= rs->cut;
}

/* Goes on with a judged segment: apply, then seal it or keep it as the active one. */
static int
finish_segment(struct recovery_context *c, struct recovery_segment *rs, bool last)
{
	struct log_shard *shard = c->r->store->shards[c->p->shard];
	struct segment *s = rs->s;

	int rc = recovery_segment_apply(rs);

	if (rc < 0) {
		return rc;
	}
	rc = partition_row_add(c->p,
		&(struct segment_row){.base = s->base, .end_offset = INT64_MAX});
	c->end = rs->end_offset;
	c->producers_at = rs->end_offset;
	c->p->size_bytes += rs->end_pos;
	c->p->segment_count++;
	/* Truncated for its seal already, or followed by another: it cannot go on. */
	bool whole = rs->file_bytes % c->r->store->block_bytes == 0 && rs->file_bytes > rs->end_pos;

	if (rc == 0 && (!last || !whole)) {
		return seal_now(c, rs);
	}
	c->p->active = s;
	shard->uncheckpointed_bytes += s->durable_pos - s->checkpoint.pos;
	return rc;
}

static int
offline(struct recovery_context *c, int rc)
{
	partition_set_state(c->p, LOG_PARTITION_OFFLINE);
	(void)snprintf(c->report->reason, sizeof(c->report->reason),
		rc == -EWOULDBLOCK ? "segment is locked by another process"
				   : "segment cannot be opened: errno %d",
		-rc);
	return 0;
}

/* Whether the file begins with anything but zeros. What cannot be read counts as data. */
static bool
holds_data(struct recovery_context *c, const struct recovery_base *b)
{
	char path[FILE_PATH_MAX];
	uint8_t header[RECORD_BATCH_HEADER_BYTES];
	struct io_stat stat;
	bool data = false;

	file_util_segment_path(path, c->p->dir, b->base, ".log");
	if (c->io->ops->stat(c->io, path, &stat) < 0 || stat.size_bytes < sizeof(header)) {
		return false;
	}
	int fd = c->io->ops->open(c->io, path, IO_OPEN_READ_ONLY);
	int rc = fd < 0 ? fd : c->io->ops->pread(c->io, fd, header, sizeof(header), 0);

	for (uint32_t i = 0; rc >= 0 && i < sizeof(header); i++) {
		data |= header[i] != 0;
	}
	if (fd >= 0) {
		c->io->ops->close(c->io, fd);
	}
	return data || rc < 0;
}

/*
 * A segment that does not join: never acknowledged, and dropped, unless the guard proves it, or was lost
 * and may have proven it. 1: later ones may follow; 0: the log ends here.
 */
static int
drop_or_doubt(struct recovery_context *c, struct recovery_base *b, bool proven)
{
	if (proven || (b->has_log && recovery_guard_lost(c->r) && holds_data(c, b))) {
		recovery_doubtful_mark_rest(c, b->base, c->end, b->base + 1,
			b->has_log ? "gap before the segment" : "segment file is missing");
		return 0;
	}
	if (b->has_log) {
		drop_segment(c, b);
		c->cut = true;
	}
	return 1;
}

/* One unsealed segment. 1: later ones may follow; 0: the log ends here; negative errno. */
static int
take_unsealed(struct recovery_context *c, uint32_t i)
{
	struct recovery_base *b = &c->bases[i];
	struct recovery_segment rs = {.r = c->r,
		.p = c->p,
		.report = c->report,
		.epochs = c->epochs,
		.epoch_count = c->epoch_count,
		.fd = -1};
	struct recovery_entry *entries = entries_of(c, b->base, &rs.entry_count);
	int rc = entries ? 1 : -ENOMEM;
	bool proven = entries && any_proven(entries, rs.entry_count);

	rs.entries = entries;
	if (rc > 0 && (b->base != c->end || !b->has_log)) {
		free(entries);
		return drop_or_doubt(c, b, proven);
	}
	rs.s = rc > 0 ? partition_segment_take(c->p, b->base) : NULL;
	if (rc > 0 && !rs.s) {
		rc = -EMFILE;
	}
	if (rc > 0) {
		rs.s->file_id = rs.entry_count > 0 ? entries[0].entry.file_id : 0;
		rc = open_segment(c, b, &rs);
		if (rc < 0) {
			segment_set_state(rs.s, SEGMENT_FREE);
			rc = rc == -ENOMEM ? rc : offline(c, rc);
		} else {
			rs.producers_from = c->producers_at;
			rc = recovery_segment_judge(&rs);
			rc = rc < 0 ? rc : 1;
		}
	}
	if (rc > 0 && rs.corrupt) {
		recovery_doubtful_mark_rest(c, b->base, rs.end_offset, rs.doubtful_end,
			"proven bytes do not match their checks");
		rc = partition_row_add(c->p,
			&(struct segment_row){.base = b->base, .end_offset = INT64_MAX});
		segment_set_state(rs.s, SEGMENT_FREE);
		c->io->ops->close(c->io, rs.s->fd);
		rs.s->fd = -1;
		c->end = rs.end_offset;
	} else if (rc > 0) {
		bool last = true;

		for (uint32_t k = i + 1; k < c->base_count; k++) {
			last &= !(c->bases[k].base == rs.end_offset && c->bases[k].has_log);
		}
		report_segment(c, &rs);
		rc = finish_segment(c, &rs, last);
		rc = rc < 0 ? rc : 1;
	}
	recovery_segment_free(&rs);
	free(entries);
	return rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

static int
take_segments(struct recovery_context *c)
{
	uint32_t sealed = 0;
	int64_t start = recovery_doubtful_start(c);
	int rc = 0;

	while (sealed < c->base_count && c->bases[sealed].has_seal) {
		sealed++;
	}
	c->p->log_start_offset = c->base_count > 0 ? c->bases[0].base : start;
	c->end = c->p->log_start_offset;
	if (c->end > start) {
		recovery_doubtful_mark(c, start, start, c->end, "segments before the first one are missing");
	}
	for (uint32_t i = 0; rc == 0 && i < sealed && !c->p->has_doubtful; i++) {
		rc = take_sealed(c, i, sealed);
	}
	if (rc < 0 || c->p->has_doubtful) {
		return rc;
	}
	/* From the checkpoint of the first unsealed segment, or the end of the sealed ones. */
	int64_t from = c->end;

	for (uint32_t i = 0; i < c->entry_count; i++) {
		const struct recovery_entry *e = &c->entries[i];

		if (e->anchor && sealed < c->base_count &&
			e->entry.segment_base == c->bases[sealed].base) {
			from = e->entry.producers_offset;
		}
	}
	rc = recovery_producers_restore(c, from);
	rc = rc < 0 ? rc : 1;
	for (uint32_t i = sealed; rc == 1 && i < c->base_count && !c->p->has_doubtful; i++) {
		if (c->bases[i].has_seal) {
			recovery_doubtful_mark_rest(c, c->bases[i].base, c->end, known_end(c),
				"unsealed segment below a sealed one");
			break;
		}
		rc = take_unsealed(c, i);
		if (c->p->state == LOG_PARTITION_OFFLINE) {
			break;
		}
		/* An active segment, and yet another file: never acknowledged, or it would join. */
		if (rc == 1 && c->p->active) {
			for (uint32_t k = i + 1; k < c->base_count; k++) {
				uint32_t count = 0;
				struct recovery_entry *e = entries_of(c, c->bases[k].base, &count);
				bool proven = e && any_proven(e, count);

				free(e);
				if (drop_or_doubt(c, &c->bases[k], proven) == 0) {
					break;
				}
			}
			break;
		}
	}
	return rc < 0 ? rc : 0;
}

static void
set_offsets(struct recovery_context *c)
{
	struct partition *p = c->p;

	p->next_offset = p->has_doubtful ? p->doubtful.end_offset : c->end;
	if (p->next_offset < c->end) {
		p->next_offset = c->end;
	}
	p->durable_offset = p->next_offset;
	p->high_watermark = p->next_offset;
	p->anchored_offset = p->active ? p->active->checkpoint.offset : p->next_offset;
	p->checkpoint_ns = clock_now_ns(c->r->store->options.clock);
	partition_publish_checkpoint(p);
	atomic_store_explicit(&p->status.opened_offset, p->next_offset, memory_order_relaxed);
	partition_publish(p);
}

/* A clean stop says how far the log went; segments lost at its end leave no gap. */
static void
check_end(struct recovery_context *c)
{
	int64_t end = recovery_offset(&c->r->ends, c->p);

	if (c->p->state == LOG_PARTITION_SERVING && c->end < end) {
		recovery_doubtful_mark(c, c->end, c->end, end, "segments behind the last one are missing");
	}
}

int
recovery_partition(struct recovery *r, struct partition *p, struct log_recovery_report *report)
{
	struct recovery_context c = {.r = r,
		.io = r->io,
		.p = p,
		.report = report,
		.pool = &r->store->shards[p->shard]->producers,
		.producers = &p->producers};
	struct doubtful_range known;
	int rc = repair_swap_settle(r->io, p->dir, clock_wall_ns(r->store->options.clock) / NS_PER_MS);
	int marked = rc < 0 ? rc : quarantine_read(r->io, p->dir, &known);

	c.entries = recovery_guard_entries(r, p, &c.entry_count);
	rc = marked < 0 && marked != -ENOENT ? marked : recovery_names_read_epochs(&c);

	p->leader_epoch = c.epoch_count > 0 ? c.epochs[c.epoch_count - 1].epoch : 0;
	rc = rc < 0 ? rc : recovery_names_read(&c);
	if (rc == 0 && marked == 0) {
		recovery_doubtful_remember(&c, &known);
		rc = recovery_doubtful_take(&c);
	} else if (rc == 0) {
		recovery_names_drop_orphans(&c);
		rc = take_segments(&c);
		check_end(&c);
		rc = rc < 0 ? rc : c.mark_rc;
		if (rc == 0 && p->has_doubtful) {
			/* As later starts see it. */
			p->row_count = 0;
			p->size_bytes = 0;
			p->segment_count = 0;
			rc = recovery_doubtful_take(&c);
		}
	}
	if (p->state != LOG_PARTITION_SERVING) {
		/* As of some segment at best; a repair restores them as of the end. */
		producer_list_clear(c.pool, c.producers);
	}
	if (rc == 0 && p->state != LOG_PARTITION_SERVING) {
		rc = recovery_doubtful_keep(&c);
	} else {
		p->proofs_stale = r->proofs_found;
	}
	if (rc == 0 && p->state == LOG_PARTITION_SERVING && (c.cut || (c.relaxed && !r->clean))) {
		rc = recovery_names_raise_epoch(&c, c.end, &p->leader_epoch);
	}
	if (rc == 0) {
		set_offsets(&c);
		r->store->shards[p->shard]->counters.live[SHARD_quarantines] += report->quarantined;
	}
	free(c.epochs);
	free(c.bases);
	free(c.names.names);
	return rc;
}
