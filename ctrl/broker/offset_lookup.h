/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First offset whose record has a timestamp >= t. Walks batch headers from the log start through the
 * log's own read path, one extent a turn, so that it never blocks: fine for people, and bounded in
 * memory; the time index is for the Kafka listener. Control thread only.
 */
#ifndef CTRL_OFFSET_LOOKUP_H
#define CTRL_OFFSET_LOOKUP_H

#include "ctrl/broker/broker.h"

#define OFFSET_LOOKUPS_MAX 64

struct offset_lookup {
	bool in_use;
	bool reading;
	uint32_t partition_index;
	int64_t timestamp_ms;
	int64_t next;
	int64_t until;
	broker_offset_fn done;
	void *user_data;
};

struct offset_lookups {
	struct offset_lookup slots[OFFSET_LOOKUPS_MAX];
};

/* -EAGAIN: all slots are taken; ask again when one of them has answered. */
int offset_lookup_start(struct offset_lookups *lookups, const struct broker_options *options,
	struct offset_lookup lookup) MUST_CHECK;
/* Answers all that are under way with BROKER_NOT_AVAILABLE. */
void offset_lookups_fini(struct offset_lookups *lookups);
uint32_t offset_lookup_poll(struct offset_lookups *lookups, const struct broker_options *options);
void offset_lookup_read_done(struct offset_lookups *lookups, const struct broker_options *options,
	const struct read_done *done);

#endif
