/* SPDX-License-Identifier: Apache-2.0 */
/* Producer state of one partition at start: the newest file, then the batches behind it. See recovery.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "logstore/recovery.h"

static int
load_producers(struct recovery_context *c, int64_t offset)
{
	struct log_shard *shard = c->r->store->shards[c->p->shard];
	struct producer_snapshot_identity identity = {.partition = c->p->partition, .offset = offset};
	struct producer_snapshot_reader reader;
	struct producer_entry entry;
	struct file_bytes file;
	char name[FILE_PATH_MAX];

	memcpy(identity.topic_id, c->p->topic_id, 16);
	file_util_segment_path(name, NULL, offset, ".producers");
	int rc = file_util_read(c->io, c->p->dir, name, &file);

	rc = rc < 0 ? rc
		    : producer_snapshot_open(&reader, PRODUCER_SNAPSHOT_OWN, &identity, file.bytes,
			      file.len);
	producer_list_clear(&shard->producers, &c->p->producers);
	while (rc >= 0 && (rc = producer_snapshot_next(&reader, &entry)) == 1) {
		producer_restore(&shard->producers, &c->p->producers, &entry,
			clock_now_ns(c->r->store->options.clock));
	}
	free(file.bytes);
	if (rc < 0) {
		producer_list_clear(&shard->producers, &c->p->producers);
	}
	return rc;
}

/* Replays a sealed segment's batches from `from` on. */
static int
replay_sealed(struct recovery_context *c, const struct segment_row *row, int64_t from)
{
	struct log_shard *shard = c->r->store->shards[c->p->shard];
	struct file_bytes file;
	char name[FILE_PATH_MAX];
	size_t at = 0;

	file_util_segment_path(name, NULL, row->base, ".log");
	int rc = file_util_read(c->io, c->p->dir, name, &file);

	while (rc == 0 && at < file.len) {
		struct record_batch batch;

		if (record_batch_decode(file.bytes + at, file.len - at, &batch) < 0 ||
			batch.batch_length < RECORD_BATCH_LENGTH_MIN ||
			record_batch_total_bytes(&batch) > file.len - at) {
			rc = -EBADMSG;
			break;
		}
		if (batch.producer_id >= 0 && batch.base_offset >= from) {
			producer_note(&shard->producers, &c->p->producers, &batch,
				record_batch_last_offset(&batch),
				clock_now_ns(c->r->store->options.clock));
		}
		at += record_batch_total_bytes(&batch);
	}
	c->report->scanned_bytes += file.len;
	free(file.bytes);
	return rc;
}

int
recovery_producers_restore(struct recovery_context *c, int64_t offset)
{
	int64_t best = -1;
	int rc = -ENOENT;

	for (int64_t limit = offset; rc < 0 && limit >= 0; limit = best - 1) {
		best = -1;
		for (uint32_t i = 0; i < c->names.count; i++) {
			const char *name = c->names.names[i].name;
			char *end = NULL;
			int64_t at = strtoll(name, &end, 10);

			if (end == name + 20 && strcmp(end, ".producers") == 0 && at <= limit && at > best) {
				best = at;
			}
		}
		if (best < 0) {
			break;
		}
		rc = load_producers(c, best);
	}
	c->producers_at = rc < 0 ? c->p->log_start_offset : best;
	for (uint32_t i = 0; i < c->p->row_count; i++) {
		const struct segment_row *row = &c->p->rows[i];

		if (row->end_offset <= c->producers_at || row->base >= offset) {
			continue;
		}
		rc = replay_sealed(c, row, c->producers_at);
		if (rc < 0) {
			return rc == -EBADMSG ? 0 : rc;
		}
	}
	if (c->p->row_count > 0 || c->producers_at > 0) {
		c->producers_at = c->producers_at > c->end ? c->producers_at : c->producers_at;
	}
	return 0;
}
