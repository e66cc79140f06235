/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions in doubt at start: marked, read as they are, their proofs kept. Nothing here writes to a
 * segment. See recovery.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include "base/log.h"
#include "logstore/recovery.h"

/* Offsets that guard entries name are in doubt with what comes before them: they may be acknowledged. */
static int64_t
entries_end(const struct recovery_context *c, int64_t end)
{
	for (uint32_t i = 0; i < c->entry_count; i++) {
		const struct guard_entry *e = &c->entries[i].entry;

		end = !(e->flags & GUARD_POISON) && e->end_offset > end ? e->end_offset : end;
	}
	return end;
}

void
recovery_doubtful_mark(struct recovery_context *c, int64_t base, int64_t first, int64_t end,
	const char *reason)
{
	if (c->p->has_doubtful) {
		return;
	}
	c->mark_rc = quarantine_mark(c->io, c->p,
		&(struct quarantine_cause){.segment_base = base,
			.first_offset = first,
			.end_offset = end,
			.reason = reason});
	if (!c->p->lent) { /* else the state is the log lcore's: quarantined still, or deleted meanwhile */
		partition_set_state(c->p, LOG_PARTITION_QUARANTINED);
	}
	c->report->quarantined = true;
	(void)snprintf(c->report->reason, sizeof(c->report->reason), "%s at segment %" PRId64, reason,
		base);
}

void
recovery_doubtful_mark_rest(struct recovery_context *c, int64_t base, int64_t first, int64_t end,
	const char *reason)
{
	recovery_doubtful_mark(c, base, first, entries_end(c, end), reason);
}

int64_t
recovery_doubtful_start(const struct recovery_context *c)
{
	int64_t start = recovery_offset(&c->r->log_starts, c->p);

	start = start < 0 ? 0 : start;
	for (uint32_t i = 0; i < c->entry_count; i++) {
		const struct guard_entry *e = &c->entries[i].entry;

		start = !(e->flags & GUARD_POISON) && e->log_start_offset > start ? e->log_start_offset : start;
	}
	return start;
}

int
recovery_doubtful_take(struct recovery_context *c)
{
	struct partition *p = c->p;
	int rc = 0;

	p->log_start_offset = c->base_count > 0 ? c->bases[0].base : recovery_doubtful_start(c);
	int64_t first = p->doubtful.first_offset;

	if (p->doubtful.end_offset <= first && first < recovery_doubtful_start(c)) {
		first = recovery_doubtful_start(c); /* nobody knows what is in doubt */
	}
	if (first < p->log_start_offset) {
		p->log_start_offset = first; /* the first segments are what is missing */
	}
	c->end = entries_end(c, p->doubtful.end_offset);
	for (uint32_t i = 0; rc == 0 && i < c->base_count; i++) {
		const struct recovery_base *b = &c->bases[i];
		struct segment_row row = {
			.base = b->base, .end_offset = INT64_MAX, .sealed = b->has_seal};
		char path[FILE_PATH_MAX];
		struct io_stat stat;
		struct seal seal;

		file_util_segment_path(path, p->dir, b->base, ".log");
		if (b->prep_id != 0 || c->io->ops->stat(c->io, path, &stat) < 0) {
			continue;
		}
		row.log_bytes = stat.size_bytes;
		if (b->has_seal && recovery_names_read_seal(c, b->base, &seal) == 0) {
			row.end_offset = seal.end_offset;
			row.gaps = (seal.flags & SEAL_COMPACTED) != 0;
			c->end = seal.end_offset > c->end ? seal.end_offset : c->end;
		}
		p->size_bytes += stat.size_bytes;
		p->segment_count++;
		rc = partition_row_add(p, &row);
	}
	return rc;
}

int
recovery_doubtful_keep(struct recovery_context *c)
{
	bool kept = true;

	for (uint32_t i = 0; i < c->entry_count; i++) {
		kept &= c->entries[i].kept;
	}
	c->end = entries_end(c, c->end);
	if (kept) {
		return 0;
	}
	int rc = proofs_write(c->r->store, c->p->dir, c->r->start_id, c->entries, c->entry_count);

	if (rc < 0) {
		log_error("logstore",
			"%s: the proofs of what was acknowledged cannot be kept: errno=%d; the start ends, because "
			"they would be lost. Make room on the disk, or mend the directory",
			c->p->dir, -rc);
	}
	return rc;
}

void
recovery_doubtful_remember(struct recovery_context *c, const struct doubtful_range *known)
{
	c->p->has_doubtful = true;
	c->p->doubtful_written = true;
	c->p->doubtful = *known;
	partition_set_state(c->p, LOG_PARTITION_QUARANTINED);
	c->report->quarantined = true;
	(void)snprintf(c->report->reason, sizeof(c->report->reason), "quarantine.json");
}
