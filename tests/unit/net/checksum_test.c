/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum against the example of RFC 1071 and against a plain loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/bytes.h"
#include "base/rand.h"
#include "net/checksum.h"

/* Word by word in network order, as the RFC writes it. */
static uint16_t
plain(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static void
the_example_of_rfc_1071(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint16_t stored = checksum_finish(checksum_add(0, bytes, sizeof(bytes)));

	assert_int_equal(load_be16(&stored), 0x220d);
}

static void
any_length_at_any_address(void **state)
{
	static uint8_t bytes[4200];
	struct rand rand;

	rand_init(&rand, 7);
	rand_fill(&rand, bytes, sizeof(bytes));
	for (size_t offset = 0; offset < 5; offset++) {
		for (size_t len = 0; len < 200; len++) {
			uint16_t stored = checksum_finish(checksum_add(0, bytes + offset, len));

			assert_int_equal(load_be16(&stored), plain(bytes + offset, len));
		}
		for (size_t len = 1400; len < 4190; len += 93) {
			uint16_t stored = checksum_finish(checksum_add(0, bytes + offset, len));

			assert_int_equal(load_be16(&stored), plain(bytes + offset, len));
		}
	}
}

static void
carries_survive(void **state)
{
	static uint8_t ones[9000];
	uint16_t stored;

	memset(ones, 0xff, sizeof(ones));
	stored = checksum_finish(checksum_add(0, ones, sizeof(ones)));
	assert_int_equal(stored, 0);
	stored = checksum_finish(checksum_add(UINT64_MAX >> 8, ones, sizeof(ones)));
	assert_int_equal(stored, checksum_finish(UINT64_MAX >> 8));
}

static void
pieces_add_up(void **state)
{
	uint8_t bytes[64];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)(i * 37);
	}
	assert_int_equal(checksum_finish(checksum_add(checksum_add(0, bytes, 20), bytes + 20, 43)),
		checksum_finish(checksum_add(0, bytes, 63)));
}

static void
pseudo_headers_are_those_of_the_rfcs(void **state)
{
	static const uint8_t v4[] = {192, 0, 2, 1, 192, 0, 2, 2, 0, 17, 0, 30};
	uint8_t v6[40] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1, [16] = 0x20, 0x01, 0x0d, 0xb8, [31] = 2,
		[32] = 0, 1, 0x11, 0x70, [39] = 17};

	assert_int_equal(checksum_finish(checksum_pseudo4(v4, v4 + 4, 17, 30)),
		checksum_finish(checksum_add(0, v4, sizeof(v4))));
	assert_int_equal(checksum_finish(checksum_pseudo6(v6, v6 + 16, 17, 0x11170)),
		checksum_finish(checksum_add(0, v6, sizeof(v6))));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_1071),
		cmocka_unit_test(any_length_at_any_address),
		cmocka_unit_test(carries_survive),
		cmocka_unit_test(pieces_add_up),
		cmocka_unit_test(pseudo_headers_are_those_of_the_rfcs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
