/* SPDX-License-Identifier: Apache-2.0 */
/* Producer state of one partition at start: the newest file, then the batches behind it. See recovery.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "logstore/recovery.h"

/* A file of producer state: ours, or Kafka's, which keeps the newest batch of each. */
struct candidate {
	int64_t offset;
	enum producer_snapshot_format format;
};

static int
load_producers(struct recovery_context *c, const struct candidate *file_of)
{
	struct producer_snapshot_identity identity = {
		.partition = c->p->partition, .offset = file_of->offset};
	struct producer_snapshot_reader reader;
	struct producer_entry entry;
	struct file_bytes file;
	char name[FILE_PATH_MAX];

	memcpy(identity.topic_id, c->p->topic_id, 16);
	file_util_segment_path(name, NULL, file_of->offset,
		file_of->format == PRODUCER_SNAPSHOT_OWN ? ".producers" : ".snapshot");
	int rc = file_util_read(c->io, c->p->dir, name, &file);

	rc = rc < 0 ? rc
		    : producer_snapshot_open(&reader, file_of->format, &identity, file.bytes, file.len);
	producer_list_clear(c->pool, c->producers);
	while (rc >= 0 && (rc = producer_snapshot_next(&reader, &entry)) == 1) {
		producer_restore(c->pool, c->producers, &entry,
			clock_now_ns(c->r->store->options.clock));
	}
	free(file.bytes);
	if (rc < 0) {
		producer_list_clear(c->pool, c->producers);
	}
	return rc;
}

/* Replays a sealed segment's batches from `from` on. */
static int
replay_sealed(struct recovery_context *c, const struct segment_row *row, int64_t from)
{
	struct file_bytes file;
	struct record_batch_iterator it;
	char name[FILE_PATH_MAX];

	file_util_segment_path(name, NULL, row->base, ".log");
	int rc = file_util_read(c->io, c->p->dir, name, &file);

	if (rc < 0) {
		return rc;
	}
	record_batch_iterator_init(&it, file.bytes, file.len);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		if (it.batch.producer_id >= 0 && it.batch.base_offset >= from) {
			producer_note(c->pool, c->producers, &it.batch,
				record_batch_last_offset(&it.batch),
				clock_now_ns(c->r->store->options.clock));
		}
	}
	c->report->scanned_bytes += file.len;
	free(file.bytes);
	return rc < 0 ? -EBADMSG : 0;
}

/* The newest file below `below`, ours before Kafka's of the same offset. False: there is none. */
static bool
next_candidate(const struct recovery_context *c, const struct candidate *below,
	struct candidate *ret_next)
{
	bool found = false;

	for (uint32_t i = 0; i < c->names.count; i++) {
		const char *name = c->names.names[i].name;
		char *end = NULL;
		struct candidate it = {.offset = strtoll(name, &end, 10), .format = PRODUCER_SNAPSHOT_OWN};

		if (end != name + 20 || (strcmp(end, ".producers") != 0 && strcmp(end, ".snapshot") != 0)) {
			continue;
		}
		if (strcmp(end, ".snapshot") == 0) {
			it.format = PRODUCER_SNAPSHOT_KAFKA;
		}
		bool lower = it.offset < below->offset ||
			(it.offset == below->offset && it.format < below->format);
		bool better = !found || it.offset > ret_next->offset ||
			(it.offset == ret_next->offset && it.format > ret_next->format);

		if (lower && better) {
			*ret_next = it;
			found = true;
		}
	}
	return found;
}

int
recovery_producers_restore(struct recovery_context *c, int64_t offset)
{
	struct candidate at = {.offset = offset + 1, .format = PRODUCER_SNAPSHOT_KAFKA};
	int rc = -ENOENT;

	struct candidate next;

	while (rc < 0 && next_candidate(c, &at, &next)) {
		at = next;
		rc = load_producers(c, &at);
		if (rc < 0) {
			log_warning("logstore", "%s: producer state at offset %" PRId64 " cannot be used: errno=%d",
				c->p->dir, at.offset, -rc);
		}
	}
	c->producers_at = rc < 0 ? c->p->log_start_offset : at.offset;
	for (uint32_t i = 0; i < c->p->row_count; i++) {
		const struct segment_row *row = &c->p->rows[i];

		if (row->end_offset <= c->producers_at || row->base >= offset) {
			continue;
		}
		rc = replay_sealed(c, row, c->producers_at);
		if (rc == -EBADMSG || rc == -EIO) {
			recovery_doubtful_mark(c, row->base, row->base, row->end_offset,
				"damaged when producers were restored");
			return 0;
		}
		if (rc < 0) {
			return rc;
		}
	}
	return 0;
}
