/* SPDX-License-Identifier: Apache-2.0 */
/* Real-time signals look taken while queues are made, and are as before afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include "nic/rt_signals.h"

static void
handler(int number)
{
	(void)number;
}

static int
count_default(void)
{
	struct sigaction now;
	int count = 0;

	for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
		assert_int_equal(sigaction(number, NULL, &now), 0);
		count += now.sa_handler == SIG_DFL;
	}
	return count;
}

static void
all_look_taken_and_are_given_back(void **state)
{
	struct rt_signals signals;
	struct sigaction now;
	int before;

	(void)state;
	assert_true(signal(SIGRTMIN + 3, handler) != SIG_ERR);
	before = count_default();
	assert_true(before > 8);
	rt_signals_take(&signals);
	assert_int_equal(count_default(), 0);
	assert_int_equal(sigaction(SIGRTMIN + 3, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, handler);
	rt_signals_give_back(&signals);
	assert_int_equal(count_default(), before);
	assert_int_equal(sigaction(SIGRTMIN + 3, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, handler);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_look_taken_and_are_given_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
