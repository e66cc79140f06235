/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a control connection, and what it may do: SO_PEERCRED and
 * SO_PEERGROUPS as of connect, so that a passed-on descriptor keeps the connector's role.
 */
#ifndef CTRL_PEER_ROLE_H
#define CTRL_PEER_ROLE_H

#include <stdbool.h>
#include <sys/types.h>
#include "ctrl/rpc/registry.h"

#define PEER_GROUPS_MAX 256

/* Names resolved once at start; (gid_t)-1 and (uid_t)-1: no such group or user here. */
struct peer_rules {
	gid_t viewer_gid;   /* penstock */
	gid_t operator_gid; /* penstock-ops */
	gid_t admin_gid;    /* penstock-admin */
	uid_t admin_uid;    /* user penstock; in dev mode the daemon's own */
};

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t groups[PEER_GROUPS_MAX];
	uint32_t group_count;
};

/* Start-up only: reads the user and group databases. */
void peer_rules_resolve(struct peer_rules *rules, bool dev);
/* Negative errno if the kernel does not tell. */
int peer_of_socket(int fd, struct peer *ret_peer);
/*
 * The highest role that the rules give. Uid 65534 (nobody) is a viewer at most, unless the daemon
 * itself runs as nobody in dev mode.
 */
enum rpc_role peer_role(const struct peer_rules *rules, const struct peer *peer);

#endif
