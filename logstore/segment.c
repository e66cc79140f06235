/* SPDX-License-Identifier: Apache-2.0 */
/* A segment object's beginning and its states. See segment.h. */
#include "logstore/segment.h"

#include "base/ensure.h"
#include "logstore/logstore.h"

static const bool segment_edges[SEGMENT_STATE_COUNT][SEGMENT_STATE_COUNT] = {
	[SEGMENT_FREE] = {[SEGMENT_ACTIVE] = true},
	[SEGMENT_ACTIVE] = {[SEGMENT_CLOSED] = true, [SEGMENT_FREE] = true},
	[SEGMENT_CLOSED] = {[SEGMENT_SEALING] = true, [SEGMENT_FREE] = true},
	[SEGMENT_SEALING] = {[SEGMENT_FREE] = true},
};

void
segment_set_state(struct segment *s, enum segment_state state)
{
	ensure(segment_edges[s->state][state]);
	s->state = state;
}

void
segment_begin(struct segment *s, int64_t base, const struct log_topic_config *config)
{
	segment_set_state(s, SEGMENT_ACTIVE);
	*s = (struct segment){.state = s->state,
		.partition = s->partition,
		.base = base,
		.end_offset = base,
		.durable_end_offset = base,
		.fd = -1,
		.run_table = s->run_table,
		.run_table_max = s->run_table_max,
		.index_fd = -1,
		.time_index_fd = -1};
	s->checkpoint.offset = base;
	segment_index_init(&s->index, base, config->index_interval_bytes, config->index_bytes_max);
	seal_runs_init(&s->runs, s->run_table, s->run_table_max);
}
