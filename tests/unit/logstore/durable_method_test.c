/* SPDX-License-Identifier: Apache-2.0 */
/* Which durable method a device gets: a table of devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "logstore/store.h"

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
		assert_int_equal(store_prefers_dsync(&devices[i].probe), devices[i].dsync);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_device_gets_its_method)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
