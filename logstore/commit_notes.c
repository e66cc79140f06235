/* SPDX-License-Identifier: Apache-2.0 */
#include "logstore/commit_notes.h"

void
commit_notes_add(struct log_shard *shard, struct partition *p, uint32_t bytes, uint32_t records,
	int64_t max_timestamp_ms)
{
	p->note_bytes += bytes;
	p->note_records += records;
	if (max_timestamp_ms > p->note_max_timestamp_ms) {
		p->note_max_timestamp_ms = max_timestamp_ms;
	}
	if (!p->commit_note_pending && shard->commit_notes) {
		p->commit_note_pending = true;
		p->note_next = shard->notes_first;
		shard->notes_first = p;
	}
}

uint32_t
commit_notes_deliver(struct log_shard *shard)
{
	uint32_t count = 0;

	while (shard->notes_first) {
		struct partition *p = shard->notes_first;
		struct commit_note note = {.partition_index = p->index,
			.leader_epoch = p->leader_epoch,
			.log_start_offset = p->log_start_offset,
			.high_watermark = p->high_watermark,
			.last_stable_offset = p->high_watermark,
			.durable_offset = p->durable_offset,
			.max_timestamp_ms = p->note_max_timestamp_ms,
			.bytes = p->note_bytes,
			.records = p->note_records};

		if (ring_offer(shard->commit_notes, &note, 1) == 0) {
			break;
		}
		shard->notes_first = p->note_next;
		p->note_next = NULL;
		p->commit_note_pending = false;
		p->note_bytes = 0;
		p->note_records = 0;
		p->note_max_timestamp_ms = -1;
		count++;
	}
	return count;
}
