/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of the event watermark as rows of micro-batches: two partitions, time in ms. */
#include "rig.h"
#include "batcher/event_watermark.h"

#define NONE      EVENT_WATERMARK_NONE
#define STEPS_MAX 8

struct step {
	uint64_t now_ms;
	struct {
		bool records;
		int64_t max_ms;
		bool uncut;
	} p[2];
	int64_t w; /* afterwards */
};

struct row {
	const char *name;
	int64_t out_of_orderness_ms;
	uint64_t idle_timeout_ms;
	uint64_t idle_close_ms;
	uint32_t step_count;
	struct step steps[STEPS_MAX];
};

static const struct row rows[] = {
	{"least of the partitions", 0, 0, 0, 2,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 50}, {2, {{0, NONE, 0}, {1, 70, 0}}, 70}}},
	{"out of orderness is taken off", 30, 0, 0, 1, {{1, {{1, 100, 0}, {1, 90, 0}}, 60}}},
	{"negative times", 5, 0, 0, 1, {{1, {{1, -100, 0}, {1, -90, 0}}, -105}}},
	{"never moves back", 0, 0, 0, 2,
		{{1, {{1, 100, 0}, {1, 80, 0}}, 80}, {2, {{1, 10, 0}, {1, 20, 0}}, 80}}},
	{"a partition never seen does not hold it back", 0, 0, 0, 2,
		{{1, {{1, 100, 0}, {0, NONE, 0}}, 100}, {2, {{1, 110, 0}, {1, 50, 0}}, 100}}},
	{"records without a usable time do not count", 0, 0, 0, 1,
		{{1, {{1, NONE, 0}, {1, 60, 0}}, 60}}},
	{"nothing seen, nothing known", 0, 10, 10, 1, {{100, {{0, NONE, 0}, {0, NONE, 0}}, NONE}}},
	{"idle leaves the minimum at the timeout", 0, 10, 0, 3,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 50}, {10, {{1, 120, 0}, {0, NONE, 0}}, 50},
			{11, {{1, 130, 0}, {0, NONE, 0}}, 130}}},
	{"uncut records are not idleness", 0, 10, 0, 2,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 50}, {20, {{1, 120, 0}, {0, NONE, 1}}, 50}}},
	{"timeout 0 is never idle", 0, 0, 0, 2,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 50}, {99999, {{1, 120, 0}, {0, NONE, 0}}, 50}}},
	{"returns at W and then counts again", 0, 10, 0, 4,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 50}, {11, {{1, 130, 0}, {0, NONE, 0}}, 130},
			{12, {{1, 200, 0}, {1, 60, 0}}, 130},
			{13, {{1, 210, 0}, {1, 140, 0}}, 140}}},
	{"all idle: stands still without idle_close", 0, 10, 0, 2,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 50}, {500, {{0, NONE, 0}, {0, NONE, 0}}, 50}}},
	{"all idle: goes on from the greatest time after idle_close", 5, 10, 30, 3,
		{{1, {{1, 100, 0}, {1, 50, 0}}, 45}, {30, {{0, NONE, 0}, {0, NONE, 0}}, 45},
			{31, {{0, NONE, 0}, {0, NONE, 0}}, 125}}},
};

static void
each_rule_holds(void **state)
{
	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct event_partition partitions[2];
		struct event_watermark w = {
			.out_of_orderness_ms = row->out_of_orderness_ms,
			.idle_timeout_ns = row->idle_timeout_ms * NS_PER_MS,
			.idle_close_ns = row->idle_close_ms * NS_PER_MS,
			.partition_count = 2,
			.partitions = partitions,
		};

		event_watermark_start(&w, 0);
		for (uint32_t s = 0; s < row->step_count; s++) {
			const struct step *step = &row->steps[s];

			for (uint32_t p = 0; p < 2; p++) {
				event_watermark_see(&w, p,
					&(struct event_cut){.max_ms = step->p[p].max_ms,
						.records = step->p[p].records,
						.uncut = step->p[p].uncut},
					step->now_ms * NS_PER_MS);
			}
			int64_t value = event_watermark_advance(&w, step->now_ms * NS_PER_MS);

			if (value != step->w) {
				fail_msg("%s, step %u: W is %lld, not %lld", row->name, s,
					(long long)value, (long long)step->w);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_rule_holds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
