/* SPDX-License-Identifier: Apache-2.0 */
/* Each bound of a job's specification: the last value that passes, the first that does not. */
#include "rig.h"

static char text[256];

static struct job_spec
good_spec(void)
{
	return rig_event_spec(plugin_builtin("count"), 1000);
}

#define REFUSED(change, word)                                                                      \
	do {                                                                                       \
		struct job_spec spec = good_spec();                                                \
		change;                                                                            \
		assert_non_null(job_spec_check(&spec, text, sizeof(text)));                        \
		assert_non_null(strstr(text, word));                                               \
	} while (0)
#define ACCEPTED(change)                                                                           \
	do {                                                                                       \
		struct job_spec spec = good_spec();                                                \
		change;                                                                            \
		assert_null(job_spec_check(&spec, text, sizeof(text)));                            \
	} while (0)

static void
bounds_are_checked_and_named(void **state)
{
	ACCEPTED((void)0);
	ACCEPTED(spec.batch_interval_ns = 100 * NS_PER_US);
	REFUSED(spec.batch_interval_ns = 100 * NS_PER_US - 1, "batch interval (ns) is 99999");
	ACCEPTED(spec.batch_interval_ns = 3600 * NS_PER_S);
	REFUSED(spec.batch_interval_ns = 3600 * NS_PER_S + 1, "batch interval");
	REFUSED(spec.source_count = 0, "sources");
	REFUSED(spec.source_count = BATCHER_SOURCES_MAX + 1, "sources");
	REFUSED(spec.window_size_ms = 0, "window size");
	ACCEPTED(spec.window_offset_ms = 999);
	REFUSED(spec.window_offset_ms = 1000, "window offset");
	ACCEPTED(spec.window_offset_ms = -999);
	REFUSED(spec.window_offset_ms = -1000, "window offset");
	REFUSED(spec.window_offset_ms = INT64_MIN, "window offset");
	REFUSED(spec.out_of_orderness_ms = UINT64_MAX, "out_of_orderness");
	REFUSED(spec.idle_timeout_ms = UINT64_MAX, "idle_timeout");
	REFUSED(spec.idle_close_ms = UINT64_MAX, "idle_close");
	REFUSED(spec.max_future_ms = UINT64_MAX, "max_future");
	REFUSED(spec.task_attempts = 0, "task_attempts");
	REFUSED(spec.open_windows_max = 0, "open_windows_max");
	REFUSED(spec.output_bytes_max = 4095, "output_bytes_max");
	REFUSED(spec.cut_bytes_max = 65535, "cut_bytes_max");
	REFUSED(spec.function = NULL, "no function");
	REFUSED(spec.window = JOB_WINDOW_KIND_COUNT, "unknown window kind");
}

static void
names_are_lower_case_letters_digits_and_dashes(void **state)
{
	static const char *const bad[] = {"", "Job", "a b", "a_b", "a/b", "\xc3\xa4"};

	for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
		REFUSED(strcpy(spec.name, bad[i]), "job name");
	}
	ACCEPTED(strcpy(spec.name, "a-0"));
	ACCEPTED((memset(spec.name, 'x', 64), spec.name[64] = '\0'));
	REFUSED(memset(spec.name, 'x', 65), "job name");
}

static void
ingest_windows_are_multiples_of_the_interval(void **state)
{
	ACCEPTED((spec.time = JOB_TIME_INGEST, spec.window_size_ms = 3000));
	REFUSED((spec.time = JOB_TIME_INGEST, spec.window_size_ms = 2500), "multiples");
	REFUSED((spec.time = JOB_TIME_INGEST, spec.window_size_ms = 3000,
			spec.window_offset_ms = -500),
		"multiples");
	ACCEPTED(spec.window_size_ms = 2500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_checked_and_named),
		cmocka_unit_test(names_are_lower_case_letters_digits_and_dashes),
		cmocka_unit_test(ingest_windows_are_multiples_of_the_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
