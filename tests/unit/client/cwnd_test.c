/* SPDX-License-Identifier: Apache-2.0 */
/* The congestion window of a session, round by round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "client/client_cwnd.h"
#include "client/client_loss.h"

#define DATAGRAM  1452
#define INITIAL	  ((uint64_t)CLIENT_CWND_INITIAL_DATAGRAMS * DATAGRAM)
#define QUICK_NS  (100 * NS_PER_US)
#define LATE_NS	  (8 * NS_PER_MS) /* a busy host: far above the smallest, every round */
#define ROUNDS	  40

struct sender {
	struct client_cwnd cwnd;
	struct client_rtt rtt;
	uint64_t pn;
	uint64_t now_ns;
};

static void
start(struct sender *s)
{
	*s = (struct sender){.pn = 1, .now_ns = NS_PER_S};
	client_cwnd_init(&s->cwnd, DATAGRAM);
	client_rtt_sample(&s->rtt, QUICK_NS, s->now_ns);
}

/* Sends until the window is full, then has all of it acknowledged after rtt_ns. */
static void
round_of(struct sender *s, uint64_t rtt_ns)
{
	uint64_t bytes = 0;

	while (client_cwnd_allows(&s->cwnd, DATAGRAM)) {
		client_cwnd_sent(&s->cwnd, DATAGRAM);
		bytes += DATAGRAM;
		s->pn++;
	}
	s->now_ns += rtt_ns;
	client_rtt_sample(&s->rtt, rtt_ns, s->now_ns);
	client_cwnd_settled(&s->cwnd, bytes);
	client_cwnd_acked(&s->cwnd, s->pn - 1, s->pn, bytes, &s->rtt);
}

static void
lose_until(struct sender *s, uint64_t window)
{
	while (s->cwnd.window_bytes > window) {
		client_cwnd_congested(&s->cwnd, s->pn, s->pn + 1);
		s->pn++;
	}
}

static void
slow_start_doubles_while_the_path_is_quick(void **state)
{
	struct sender s;

	(void)state;
	start(&s);
	round_of(&s, QUICK_NS);
	assert_int_equal(s.cwnd.window_bytes, 2 * INITIAL);
	round_of(&s, QUICK_NS);
	assert_int_equal(s.cwnd.window_bytes, 4 * INITIAL);
}

static void
delay_shrinks_the_window_to_the_initial_one_and_no_further(void **state)
{
	struct sender s;

	(void)state;
	start(&s);
	for (uint32_t i = 0; i < 5; i++) {
		round_of(&s, QUICK_NS);
	}
	assert_true(s.cwnd.window_bytes > 4 * INITIAL);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		round_of(&s, LATE_NS);
	}
	assert_int_equal(s.cwnd.window_bytes, INITIAL);
}

/* Where the delay signal never cuts, it must not hold either: two datagrams a round are a stall. */
static void
after_losses_a_late_path_gets_its_initial_window_back(void **state)
{
	struct sender s;

	(void)state;
	start(&s);
	lose_until(&s, 2 * DATAGRAM);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		round_of(&s, LATE_NS);
	}
	assert_int_equal(s.cwnd.window_bytes, INITIAL);
}

static void
after_a_collapse_a_late_path_gets_its_initial_window_back(void **state)
{
	struct sender s;

	(void)state;
	start(&s);
	client_cwnd_collapse(&s.cwnd, s.pn);
	assert_int_equal(s.cwnd.window_bytes, 2 * DATAGRAM);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		round_of(&s, LATE_NS);
	}
	assert_int_equal(s.cwnd.window_bytes, INITIAL);
}

/* An idle sender learns nothing about the path. */
static void
an_unused_window_does_not_grow(void **state)
{
	struct sender s;

	(void)state;
	start(&s);
	lose_until(&s, 2 * DATAGRAM);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		client_cwnd_sent(&s.cwnd, DATAGRAM);
		client_cwnd_settled(&s.cwnd, DATAGRAM);
		s.pn++;
		client_cwnd_acked(&s.cwnd, s.pn - 1, s.pn, DATAGRAM, &s.rtt);
	}
	assert_int_equal(s.cwnd.window_bytes, 2 * DATAGRAM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_start_doubles_while_the_path_is_quick),
		cmocka_unit_test(delay_shrinks_the_window_to_the_initial_one_and_no_further),
		cmocka_unit_test(after_losses_a_late_path_gets_its_initial_window_back),
		cmocka_unit_test(after_a_collapse_a_late_path_gets_its_initial_window_back),
		cmocka_unit_test(an_unused_window_does_not_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
