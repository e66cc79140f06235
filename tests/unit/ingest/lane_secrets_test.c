/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets that lanes share: who rotates them, and how long a cookie made with them holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/compiler.h"
#include "ingest/lane.h"
#include "wire/native/cookie.h"

#define NOW_S	 1700000000u
#define START_NS (5 * NS_PER_S)

struct fixture {
	struct rand rand;
	struct lane_secrets secrets;
	struct cookie_claim claim;
	uint8_t cookie[COOKIE_BYTES];
};

static void
fixture_init(struct fixture *f)
{
	struct cookie_secrets now;

	memset(f, 0, sizeof(*f));
	rand_init(&f->rand, 1);
	memset(f->secrets.reset_key, 0x5a, sizeof(f->secrets.reset_key));
	lane_secrets_init(&f->secrets, &f->rand, START_NS);
	now = lane_secrets_cookie(&f->secrets);
	cookie_make(&now, &f->claim, NOW_S, f->cookie);
}

static bool
cookie_holds(const struct fixture *f)
{
	struct cookie_secrets now;

	now = lane_secrets_cookie(&f->secrets);
	return cookie_check(&now, &f->claim, NOW_S, f->cookie);
}

static void
a_cookie_holds_over_one_rotation_and_no_more(void **state)
{
	struct fixture f;

	fixture_init(&f);
	assert_true(cookie_holds(&f));
	lane_secrets_rotate(&f.secrets, START_NS + LANE_SECRETS_ROTATE_NS);
	assert_true(cookie_holds(&f));
	lane_secrets_rotate(&f.secrets, START_NS + 2 * LANE_SECRETS_ROTATE_NS);
	assert_false(cookie_holds(&f));
}

static void
nothing_rotates_before_its_time(void **state)
{
	struct cookie_secrets before, after;
	struct fixture f;

	fixture_init(&f);
	before = lane_secrets_cookie(&f.secrets);
	lane_secrets_rotate(&f.secrets, START_NS + LANE_SECRETS_ROTATE_NS - 1);
	after = lane_secrets_cookie(&f.secrets);
	assert_int_equal(after.index, before.index);
	assert_memory_equal(after.secrets, before.secrets, sizeof(before.secrets));
}

static void
a_rotation_replaces_the_older_key_only(void **state)
{
	struct cookie_secrets before, after;
	struct fixture f;

	fixture_init(&f);
	before = lane_secrets_cookie(&f.secrets);
	assert_false(before.has_previous);
	lane_secrets_rotate(&f.secrets, START_NS + LANE_SECRETS_ROTATE_NS);
	after = lane_secrets_cookie(&f.secrets);
	assert_int_equal(after.index, before.index + 1);
	assert_true(after.has_previous);
	assert_memory_equal(after.secrets[0], before.secrets[0], COOKIE_SECRET_BYTES);
	assert_memory_not_equal(after.secrets[1], before.secrets[1], COOKIE_SECRET_BYTES);
}

static void
a_start_makes_keys_and_boot_id_and_leaves_the_reset_key(void **state)
{
	struct cookie_secrets now;
	struct fixture f;
	uint8_t zeros[COOKIE_SECRET_BYTES] = {0};

	fixture_init(&f);
	now = lane_secrets_cookie(&f.secrets);
	assert_memory_not_equal(now.secrets[0], zeros, sizeof(zeros));
	assert_memory_not_equal(now.secrets[1], zeros, sizeof(zeros));
	assert_memory_not_equal(now.secrets[0], now.secrets[1], COOKIE_SECRET_BYTES);
	assert_int_not_equal(f.secrets.boot_id, 0);
	assert_int_equal(f.secrets.reset_key[31], 0x5a);
}

static void
without_a_seed_every_start_differs(void **state)
{
	struct lane_secrets a = {0}, b = {0};
	struct cookie_secrets of_a, of_b;

	lane_secrets_init(&a, NULL, START_NS);
	lane_secrets_init(&b, NULL, START_NS);
	of_a = lane_secrets_cookie(&a);
	of_b = lane_secrets_cookie(&b);
	assert_memory_not_equal(of_a.secrets[0], of_b.secrets[0], COOKIE_SECRET_BYTES);
	assert_true(a.boot_id != b.boot_id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_holds_over_one_rotation_and_no_more),
		cmocka_unit_test(nothing_rotates_before_its_time),
		cmocka_unit_test(a_rotation_replaces_the_older_key_only),
		cmocka_unit_test(a_start_makes_keys_and_boot_id_and_leaves_the_reset_key),
		cmocka_unit_test(without_a_seed_every_start_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
