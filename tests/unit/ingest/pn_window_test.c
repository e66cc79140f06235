/* SPDX-License-Identifier: Apache-2.0 */
/* Packet numbers: what is seen, what an ACK says of it, how settling moves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/rand.h"
#include "ingest/pn_window.h"

static void
in_order_packets_move_upto(void **state)
{
	struct pn_window w;

	pn_window_init(&w);
	for (uint64_t pn = 1; pn <= 3000; pn++) {
		assert_false(pn_window_seen(&w, pn));
		assert_false(pn_window_receive(&w, pn));
		assert_int_equal(w.upto, pn);
		assert_true(pn_window_seen(&w, pn));
	}
}

static void
a_gap_shows_in_the_bitmap_until_it_closes(void **state)
{
	struct pn_window w;
	uint64_t words[PN_WINDOW_WORDS];

	pn_window_init(&w);
	assert_false(pn_window_receive(&w, 1));
	assert_true(pn_window_receive(&w, 4));
	assert_int_equal(w.upto, 1);
	assert_int_equal(pn_window_bitmap(&w, words), 1);
	assert_int_equal(words[0], 1ull << 2);
	assert_true(pn_window_receive(&w, 2));
	assert_true(pn_window_receive(&w, 3));
	assert_int_equal(w.upto, 4);
	assert_int_equal(pn_window_bitmap(&w, words), 0);
}

static void
the_farthest_pn_is_the_last_bit_of_sixteen_words(void **state)
{
	struct pn_window w;
	uint64_t words[PN_WINDOW_WORDS];

	pn_window_init(&w);
	pn_window_settle(&w, 38);
	assert_int_equal(w.upto, 37);
	assert_true(pn_window_receive(&w, 37 + 1024));
	assert_true(pn_window_receive(&w, 37 + 65));
	assert_int_equal(pn_window_bitmap(&w, words), 16);
	assert_true(words[15] == 1ull << 63);
	assert_int_equal(words[1], 1);
	for (uint32_t i = 2; i < 15; i++) {
		assert_int_equal(words[i], 0);
	}
}

/* Against a plain array, with random arrivals and settling. */
static void
agrees_with_a_plain_array(void **state)
{
	static bool seen[40000];
	struct pn_window w;
	struct rand rand;
	uint64_t low = 1;

	rand_init(&rand, 5);
	pn_window_init(&w);
	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < 20000; i++) {
		low += rand_below(&rand, 100) == 0 ? rand_below(&rand, 200) : 0;
		uint64_t pn = low + rand_below(&rand, 1024);

		if (pn >= 40000) {
			break;
		}
		pn_window_settle(&w, low);
		assert_int_equal(pn_window_seen(&w, pn), seen[pn] || pn <= w.upto);
		if (!pn_window_seen(&w, pn)) {
			(void)pn_window_receive(&w, pn);
			seen[pn] = true;
		}
		uint64_t words[PN_WINDOW_WORDS];
		uint32_t n = pn_window_bitmap(&w, words);

		assert_true(w.upto + 1 >= low);
		for (uint32_t bit = 0; bit < n * 64; bit++) {
			uint64_t at = w.upto + 1 + bit;
			bool set = words[bit / 64] >> bit % 64 & 1;

			assert_int_equal(set, at < 40000 && seen[at]);
		}
	}
}

static void
settling_far_ahead_clears_all(void **state)
{
	struct pn_window w;
	uint64_t words[PN_WINDOW_WORDS];

	pn_window_init(&w);
	(void)pn_window_receive(&w, 5);
	pn_window_settle(&w, 1000000);
	assert_int_equal(w.upto, 999999);
	assert_int_equal(pn_window_bitmap(&w, words), 0);
	assert_true(pn_window_seen(&w, 999999));
	pn_window_settle(&w, 10);
	assert_int_equal(w.upto, 999999);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_packets_move_upto),
		cmocka_unit_test(a_gap_shows_in_the_bitmap_until_it_closes),
		cmocka_unit_test(the_farthest_pn_is_the_last_bit_of_sixteen_words),
		cmocka_unit_test(agrees_with_a_plain_array),
		cmocka_unit_test(settling_far_ahead_clears_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
