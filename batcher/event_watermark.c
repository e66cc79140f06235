/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the event watermark. Batcher's lcore. Why per partition: one global maximum would make
 * every record of a slower partition late. A partition that was never seen joins at W itself, so it
 * takes no part in the minimum; one that returns from idleness rejoins at max(own W_p, W), which is
 * what clamping the minimum at W gives.
 */
#include "batcher/event_watermark.h"
#include "base/bytes.h"

void
event_watermark_start(struct event_watermark *w, uint64_t now_ns)
{
	w->value_ms = EVENT_WATERMARK_NONE;
	w->max_ms = EVENT_WATERMARK_NONE;
	w->arrival_ns = now_ns;
	for (uint32_t i = 0; i < w->partition_count; i++) {
		w->partitions[i] = (struct event_partition){
			.max_ms = EVENT_WATERMARK_NONE, .arrival_ns = now_ns};
	}
}

void
event_watermark_see(
	struct event_watermark *w, uint32_t partition, const struct event_cut *cut, uint64_t now_ns)
{
	struct event_partition *p = &w->partitions[partition];

	if (cut->records || cut->uncut) {
		p->arrival_ns = now_ns;
		w->arrival_ns = now_ns;
		p->idle = false;
	} else if (w->idle_timeout_ns > 0 && now_ns - p->arrival_ns >= w->idle_timeout_ns) {
		p->idle = true;
	}
	if (cut->max_ms > p->max_ms) {
		p->max_ms = cut->max_ms;
	}
	if (cut->max_ms > w->max_ms) {
		w->max_ms = cut->max_ms;
	}
}

int64_t
event_watermark_advance(struct event_watermark *w, uint64_t now_ns)
{
	int64_t least_ms = INT64_MAX;
	bool active = false;

	for (uint32_t i = 0; i < w->partition_count; i++) {
		const struct event_partition *p = &w->partitions[i];

		if (p->max_ms == EVENT_WATERMARK_NONE || p->idle) {
			continue;
		}
		active = true;
		if (p->max_ms - w->out_of_orderness_ms < least_ms) {
			least_ms = p->max_ms - w->out_of_orderness_ms;
		}
	}
	if (!active) {
		uint64_t silent_ns = now_ns - w->arrival_ns;

		if (w->max_ms == EVENT_WATERMARK_NONE || w->idle_close_ns == 0 ||
			silent_ns < w->idle_close_ns) {
			return w->value_ms;
		}
		least_ms = w->max_ms - w->out_of_orderness_ms + (int64_t)(silent_ns / NS_PER_MS);
	}
	if (least_ms > w->value_ms) {
		w->value_ms = least_ms;
	}
	return w->value_ms;
}
