/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/rpc/peer_role.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define UID_NOBODY 65534

static gid_t
group_id(const char *name)
{
	const struct group *group = getgrnam(name);

	return group ? group->gr_gid : (gid_t)-1;
}

void
peer_rules_resolve(struct peer_rules *rules, bool dev)
{
	const struct passwd *user = getpwnam("penstock");

	rules->viewer_gid = group_id("penstock");
	rules->operator_gid = group_id("penstock-ops");
	rules->admin_gid = group_id("penstock-admin");
	rules->admin_uid = dev ? geteuid() : user ? user->pw_uid : (uid_t)-1;
}

int
peer_of_socket(int fd, struct peer *ret_peer)
{
	struct ucred credentials;
	socklen_t len = sizeof(credentials);

	memset(ret_peer, 0, sizeof(*ret_peer));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0) {
		return -errno;
	}
	ret_peer->uid = credentials.uid;
	ret_peer->gid = credentials.gid;
	ret_peer->pid = credentials.pid;
	len = sizeof(ret_peer->groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret_peer->groups, &len) == 0) {
		ret_peer->group_count = (uint32_t)(len / sizeof(gid_t));
	}
	return 0; /* more groups than we keep: only the primary one counts */
}

static bool
in_group(const struct peer *peer, gid_t gid)
{
	if (gid == (gid_t)-1) {
		return false;
	}
	for (uint32_t i = 0; i < peer->group_count; i++) {
		if (peer->groups[i] == gid) {
			return true;
		}
	}
	return peer->gid == gid;
}

enum rpc_role
peer_role(const struct peer_rules *rules, const struct peer *peer)
{
	enum rpc_role role = RPC_ROLE_NONE;

	if (peer->uid == 0 || (rules->admin_uid != (uid_t)-1 && peer->uid == rules->admin_uid) ||
		in_group(peer, rules->admin_gid)) {
		role = RPC_ROLE_ADMIN;
	} else if (in_group(peer, rules->operator_gid)) {
		role = RPC_ROLE_OPERATOR;
	} else if (in_group(peer, rules->viewer_gid)) {
		role = RPC_ROLE_VIEWER;
	}
	/* Nobody is whoever the kernel cannot name, unless this daemon is nobody's own (dev mode). */
	if (peer->uid == UID_NOBODY && rules->admin_uid != UID_NOBODY && role > RPC_ROLE_VIEWER) {
		return RPC_ROLE_VIEWER;
	}
	return role;
}
