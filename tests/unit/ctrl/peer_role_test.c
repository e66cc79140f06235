/* SPDX-License-Identifier: Apache-2.0 */
/* The role that a peer's credentials give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ctrl/rpc/peer_role.h"

static void
roles_follow_groups_and_nobody_is_a_viewer_at_most(void **state)
{
	static const struct peer_rules rules = {.viewer_gid = 10, .operator_gid = 11, .admin_gid = 12,
		.admin_uid = 500};
	static const struct peer_rules absent = {(gid_t)-1, (gid_t)-1, (gid_t)-1, (uid_t)-1};
	static const struct peer_rules nobodys = {(gid_t)-1, (gid_t)-1, (gid_t)-1, 65534};
	struct peer peer = {.uid = 1000, .gid = 1000};

	(void)state;
	assert_int_equal(peer_role(&rules, &peer), RPC_ROLE_NONE);
	peer.gid = 10;
	assert_int_equal(peer_role(&rules, &peer), RPC_ROLE_VIEWER);
	peer.groups[peer.group_count++] = 11;
	assert_int_equal(peer_role(&rules, &peer), RPC_ROLE_OPERATOR);
	peer.groups[peer.group_count++] = 12;
	assert_int_equal(peer_role(&rules, &peer), RPC_ROLE_ADMIN);
	peer.uid = 65534;
	assert_int_equal(peer_role(&rules, &peer), RPC_ROLE_VIEWER);
	assert_int_equal(peer_role(&nobodys, &peer), RPC_ROLE_ADMIN);
	peer = (struct peer){.uid = 500, .gid = 7};
	assert_int_equal(peer_role(&rules, &peer), RPC_ROLE_ADMIN);
	peer = (struct peer){.uid = 1000, .gid = (gid_t)-1};
	assert_int_equal(peer_role(&absent, &peer), RPC_ROLE_NONE);
	peer.uid = 0;
	assert_int_equal(peer_role(&absent, &peer), RPC_ROLE_ADMIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_follow_groups_and_nobody_is_a_viewer_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
