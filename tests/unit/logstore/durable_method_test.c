/* SPDX-License-Identifier: Apache-2.0 */
/* Which durable method a device gets: a table of devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "logstore/durable_method.h"

static const struct {
	const char *device;
	struct io_probe probe;
	bool dsync;
} devices[] = {
	{"write through: DSYNC costs nothing", {.write_cache = false}, true},
	{"write back without FUA: DSYNC is a flush for every write",
		{.write_cache = true, .dsync_16_ns = 1, .write_16_flush_ns = 2}, false},
	{"FUA that queues well",
		{.write_cache = true, .fua = true, .dsync_16_ns = 90, .write_16_flush_ns = 200}, true},
	{"FUA that wins alone and loses in parallel, as many consumer drives do",
		{.write_cache = true, .fua = true, .dsync_write_ns = 50, .write_flush_ns = 100,
			.dsync_16_ns = 480, .write_16_flush_ns = 200}, false},
};

static void
each_device_gets_its_method(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_COUNT(devices); i++) {
		print_message("%s\n", devices[i].device);
		assert_int_equal(durable_method_prefers_dsync(&devices[i].probe), devices[i].dsync);
	}
}

static const struct {
	const char *what;
	struct io_probe probe;
	enum log_durable_method method;
	enum log_flush_scope scope;
	bool dsync, device;
	const char *warning; /* NULL: none */
} choices[] = {
	{"auto of both", {.flush_covers_device = true}, LOG_DURABLE_AUTO, LOG_FLUSH_AUTO, true,
		true, NULL},
	{"what the probe says too", {.write_cache = true}, LOG_DURABLE_FLUSH, LOG_FLUSH_FILE, false,
		false, NULL},
	{"flush where DSYNC costs nothing", {.device = "/dev/sdx"}, LOG_DURABLE_FLUSH,
		LOG_FLUSH_AUTO, false, false, "log.durable.method is flush"},
	{"DSYNC where it is a flush each", {.write_cache = true}, LOG_DURABLE_DSYNC, LOG_FLUSH_AUTO,
		true, false, "log.durable.method is dsync"},
	{"one flush for files that it may not cover", {.write_cache = true}, LOG_DURABLE_AUTO,
		LOG_FLUSH_DEVICE, false, true, "lost at a power cut"},
	{"a flush of each file is never less", {.write_cache = true, .flush_covers_device = true},
		LOG_DURABLE_AUTO, LOG_FLUSH_FILE, false, false, NULL},
	{"ext4 without a journal", {.write_cache = true, .no_journal = true, .fs_type = "ext4"},
		LOG_DURABLE_AUTO, LOG_FLUSH_AUTO, false, false, "has no journal"},
};

static void
settings_win_over_the_probe_with_a_warning(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_COUNT(choices); i++) {
		struct durable_method m;

		print_message("%s\n", choices[i].what);
		durable_method_choose(&choices[i].probe, choices[i].method, choices[i].scope, &m);
		assert_int_equal(m.dsync, choices[i].dsync);
		assert_int_equal(m.flush_device, choices[i].device);
		assert_int_equal(m.warning_count, choices[i].warning != NULL);
		if (choices[i].warning) {
			assert_non_null(strstr(m.warnings[0], choices[i].warning));
		}
	}
}

/* All at once fit, whole. */
static void
no_warning_is_cut(void **state)
{
	struct io_probe probe = {.write_cache = true,
		.no_journal = true,
		.dsync_16_ns = UINT64_MAX,
		.write_16_flush_ns = UINT64_MAX};
	struct durable_method m;

	(void)state;
	memset(probe.device, 'd', sizeof(probe.device) - 1);
	memset(probe.fs_type, 'f', sizeof(probe.fs_type) - 1);
	durable_method_choose(&probe, LOG_DURABLE_DSYNC, LOG_FLUSH_DEVICE, &m);
	assert_int_equal(m.warning_count, LOG_WARNINGS_MAX);
	for (uint32_t i = 0; i < m.warning_count; i++) {
		assert_true(strlen(m.warnings[i]) < DURABLE_WARNING_MAX - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_device_gets_its_method),
		cmocka_unit_test(settings_win_over_the_probe_with_a_warning),
		cmocka_unit_test(no_warning_is_cut)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
