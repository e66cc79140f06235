/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies against the golden bytes, and everything that must make one invalid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>
#include "support/vector.h"
#include "wire/native/cookie.h"

#define MADE_S 1700000000u

struct fixture {
	struct cookie_secrets secrets;
	struct cookie_claim claim;
	uint8_t cookie[COOKIE_BYTES];
};

static void
fixture_init(struct fixture *f)
{
	uint8_t secret[COOKIE_SECRET_BYTES];
	uint8_t other[COOKIE_SECRET_BYTES] = {0xee};

	for (uint8_t i = 0; i < 16; i++) {
		secret[i] = i;
		f->claim.client_nonce[i] = 0x10 + i;
	}
	/* The golden cookies carry index 1. */
	f->secrets = (struct cookie_secrets){.index = 1, .has_previous = true};
	memcpy(f->secrets.secrets[0], other, sizeof(other));
	memcpy(f->secrets.secrets[1], secret, sizeof(secret));
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", f->claim.address), 1);
	f->claim.port = 40000;
	cookie_make(&f->secrets, &f->claim, MADE_S, f->cookie);
}

static void
test_golden(void **state)
{
	static struct vector vector;
	struct fixture f;

	fixture_init(&f);
	vector_load(&vector, "native/cookie_ipv4.hex");
	assert_int_equal(vector.len, COOKIE_BYTES);
	assert_memory_equal(f.cookie, vector.bytes, COOKIE_BYTES);
	assert_true(cookie_check(&f.secrets, &f.claim, MADE_S, vector.bytes));

	assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", f.claim.address), 1);
	cookie_make(&f.secrets, &f.claim, MADE_S, f.cookie);
	vector_load(&vector, "native/cookie_ipv6.hex");
	assert_memory_equal(f.cookie, vector.bytes, COOKIE_BYTES);
}

static void
test_age(void **state)
{
	struct fixture f;

	fixture_init(&f);
	assert_true(cookie_check(&f.secrets, &f.claim, MADE_S + COOKIE_VALID_S, f.cookie));
	assert_false(cookie_check(&f.secrets, &f.claim, MADE_S + COOKIE_VALID_S + 1, f.cookie));
	assert_true(cookie_check(&f.secrets, &f.claim, MADE_S - 1, f.cookie));
	assert_false(cookie_check(&f.secrets, &f.claim, MADE_S - 2, f.cookie));
	/* Over the wrap of the seconds. */
	cookie_make(&f.secrets, &f.claim, UINT32_MAX - 2, f.cookie);
	assert_true(cookie_check(&f.secrets, &f.claim, 5, f.cookie));
	assert_false(cookie_check(&f.secrets, &f.claim, 9, f.cookie));
}

static void
test_every_bit_counts(void **state)
{
	struct fixture f;

	fixture_init(&f);
	for (int bit = 0; bit < COOKIE_BYTES * 8; bit++) {
		f.cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(cookie_check(&f.secrets, &f.claim, MADE_S, f.cookie));
		f.cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(cookie_check(&f.secrets, &f.claim, MADE_S, f.cookie));
}

static void
test_bound_to_the_claim(void **state)
{
	struct fixture f;
	struct cookie_claim other;

	fixture_init(&f);
	other = f.claim;
	other.port++;
	assert_false(cookie_check(&f.secrets, &other, MADE_S, f.cookie));
	other = f.claim;
	other.address[15] ^= 1;
	assert_false(cookie_check(&f.secrets, &other, MADE_S, f.cookie));
	other = f.claim;
	other.client_nonce[0] ^= 1;
	assert_false(cookie_check(&f.secrets, &other, MADE_S, f.cookie));
}

static void
test_one_generation_back_is_valid(void **state)
{
	struct fixture f;

	fixture_init(&f);
	f.secrets.index = 2;
	assert_true(cookie_check(&f.secrets, &f.claim, MADE_S, f.cookie));
	/* Its key is still there, but its time is over. */
	f.secrets.index = 3;
	assert_false(cookie_check(&f.secrets, &f.claim, MADE_S, f.cookie));
}

static void
test_no_previous_before_the_first_rotation(void **state)
{
	struct cookie_secrets forged;
	struct fixture f;

	fixture_init(&f);
	f.secrets = (struct cookie_secrets){.secrets = {{7}}};
	/* What an attacker could compute: the never-set other generation is all zeros. */
	memset(&forged, 0, sizeof(forged));
	forged.index = 255;
	cookie_make(&forged, &f.claim, MADE_S, f.cookie);
	assert_false(cookie_check(&f.secrets, &f.claim, MADE_S, f.cookie));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_bound_to_the_claim),
		cmocka_unit_test(test_one_generation_back_is_valid),
		cmocka_unit_test(test_no_previous_before_the_first_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
