/* SPDX-License-Identifier: Apache-2.0 */
/* A sleeper is woken once armed, and costs no system call while awake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdbool.h>
#include "base/waker.h"

static bool
readable(const struct waker *waker)
{
	struct pollfd poll_fd = {.fd = waker->fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void
test_wake_only_while_asleep(void **state)
{
	struct waker waker;

	assert_int_equal(waker_open(&waker), 0);
	waker_wake(&waker);
	assert_false(readable(&waker));
	waker_arm(&waker);
	assert_false(readable(&waker));
	waker_wake(&waker);
	waker_wake(&waker);
	assert_true(readable(&waker));
	waker_awake(&waker);
	assert_false(readable(&waker));
	waker_wake(&waker);
	assert_false(readable(&waker));
	waker_close(&waker);
	assert_int_equal(waker.fd, -1);
}

static void
test_a_waker_without_descriptor_is_inert(void **state)
{
	struct waker waker = {.fd = -1};

	waker_arm(&waker);
	assert_int_equal(waker.asleep, 1);
	waker_wake(&waker);
	waker_awake(&waker);
	assert_int_equal(waker.asleep, 0);
	waker_close(&waker);
	assert_int_equal(waker.fd, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wake_only_while_asleep),
		cmocka_unit_test(test_a_waker_without_descriptor_is_inert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
