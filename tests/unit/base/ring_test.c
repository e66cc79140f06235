/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings without EAL: bounds, order, and two threads that hand structs over with sleeps on both sides
 * of the waker. Meant to run under ThreadSanitizer too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include "base/ring.h"

#define HANDED_OVER 200000

struct item {
	uint64_t number;
	uint64_t square;
	uint64_t padding[2];
};

static void
test_all_slots_usable(void **state)
{
	static const uint32_t counts[] = {1, 2, 3, 64, 100};
	static const uint32_t usable[] = {1, 2, 4, 64, 128};
	struct item items[130] = {0};
	struct ring ring;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(ring_create(&ring, counts[i], sizeof(struct item), NULL), 0);
		assert_int_equal(ring_free(&ring), usable[i]);
		assert_int_equal(ring_offer(&ring, items, 130), usable[i]);
		assert_int_equal(ring_offer(&ring, items, 1), 0);
		assert_int_equal(ring_used(&ring), usable[i]);
		assert_int_equal(ring_take(&ring, items, 130), usable[i]);
		assert_int_equal(ring_take(&ring, items, 1), 0);
		ring_destroy(&ring);
	}
}

static void
test_order_over_the_wrap(void **state)
{
	uint64_t in = 0, out = 0;
	struct ring ring;

	assert_int_equal(ring_create(&ring, 8, sizeof(struct item), NULL), 0);
	while (out < 1000) {
		struct item items[5] = {{.number = in}, {.number = in + 1}, {.number = in + 2}};

		in += ring_offer(&ring, items, 3);
		uint32_t n = ring_take(&ring, items, 5);

		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(items[i].number, out++);
		}
	}
	ring_destroy(&ring);
}

static void
test_bad_sizes_are_refused(void **state)
{
	struct ring ring;

	assert_int_equal(ring_create(&ring, 8, 6, NULL), -EINVAL);
	assert_int_equal(ring_create(&ring, 8, 0, NULL), -EINVAL);
	assert_int_equal(ring_create(&ring, 0, 8, NULL), -EINVAL);
	assert_int_equal(ring_create(&ring, UINT32_MAX, 8, NULL), -EINVAL);
}

static void *
offer_all(void *user_data)
{
	struct ring *ring = user_data;
	uint64_t next = 0;

	while (next < HANDED_OVER) {
		struct item items[32];
		uint32_t n = 0;

		for (; n < 1 + next % 32 && next + n < HANDED_OVER; n++) {
			items[n] = (struct item){.number = next + n,
				.square = (next + n) * (next + n)};
		}
		uint32_t fitted = ring_offer(ring, items, n);

		next += fitted;
		if (fitted < n) {
			sched_yield();
		}
	}
	return NULL;
}

/* The taking side as the lcore loop does it: arm, look once more, block, awake. */
static uint32_t
take_or_sleep(struct ring *ring, struct waker *waker, struct item *items, uint32_t max)
{
	uint32_t n = ring_take(ring, items, max);

	if (n > 0) {
		return n;
	}
	waker_arm(waker);
	n = ring_take(ring, items, max);
	if (n == 0) {
		struct pollfd poll_fd = {.fd = waker->fd, .events = POLLIN};

		/* A lost wake-up would hang for ever: fail instead. */
		assert_int_equal(poll(&poll_fd, 1, 20000), 1);
	}
	waker_awake(waker);
	return n;
}

static void
test_two_threads_lose_nothing(void **state)
{
	struct waker waker;
	struct ring ring;
	pthread_t offering;
	uint64_t seen = 0;

	assert_int_equal(waker_open(&waker), 0);
	assert_int_equal(ring_create(&ring, 64, sizeof(struct item), &waker), 0);
	assert_int_equal(pthread_create(&offering, NULL, offer_all, &ring), 0);
	while (seen < HANDED_OVER) {
		struct item items[16];
		uint32_t n = take_or_sleep(&ring, &waker, items, 16);

		for (uint32_t i = 0; i < n; i++, seen++) {
			assert_int_equal(items[i].number, seen);
			assert_int_equal(items[i].square, seen * seen);
		}
	}
	pthread_join(offering, NULL);
	assert_int_equal(ring_used(&ring), 0);
	ring_destroy(&ring);
	waker_close(&waker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_slots_usable),
		cmocka_unit_test(test_order_over_the_wrap),
		cmocka_unit_test(test_bad_sizes_are_refused),
		cmocka_unit_test(test_two_threads_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
