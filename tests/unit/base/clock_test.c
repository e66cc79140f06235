/* SPDX-License-Identifier: Apache-2.0 */
/* The real clock moves forward; the fake one only when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "support/clock_fake.h"

static void
test_system_clock_is_monotonic(void **state)
{
	struct clock *clock = clock_system();
	uint64_t last = clock_now_ns(clock);

	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_now_ns(clock);

		assert_true(now >= last);
		last = now;
	}
	/* 2020-01-01: the wall clock counts from 1970, the monotonic one from boot. */
	assert_true(clock_wall_ns(clock) > 1577836800ull * NS_PER_S);
}

static void
test_system_clock_sleeps(void **state)
{
	uint64_t before = clock_now_ns(clock_system());

	clock_sleep_ns(clock_system(), NS_PER_MS);
	assert_true(clock_now_ns(clock_system()) - before >= NS_PER_MS);
}

static void
test_fake_clock_moves_when_told(void **state)
{
	struct clock_fake fake;

	clock_fake_init(&fake, 100, 5000);
	assert_int_equal(clock_now_ns(&fake.clock), 100);
	clock_fake_advance(&fake, 7);
	assert_int_equal(clock_now_ns(&fake.clock), 107);
	assert_int_equal(clock_wall_ns(&fake.clock), 5007);
	clock_sleep_ns(&fake.clock, 3);
	assert_int_equal(clock_now_ns(&fake.clock), 110);
	assert_int_equal(fake.slept_ns, 3);
	clock_fake_set_wall(&fake, 40);
	assert_int_equal(clock_wall_ns(&fake.clock), 40);
	assert_int_equal(clock_now_ns(&fake.clock), 110);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_clock_is_monotonic),
		cmocka_unit_test(test_system_clock_sleeps),
		cmocka_unit_test(test_fake_clock_moves_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
