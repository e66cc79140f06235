/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a group. See group.h. */
#include "logstore/group.h"

#include "base/ensure.h"

/* Every state may become FREE: writing was turned off, and nothing is acknowledged any more. */
static const bool group_edges[GROUP_STATE_COUNT][GROUP_STATE_COUNT] = {
	[GROUP_FREE] = {[GROUP_OPEN] = true, [GROUP_WRITING] = true},
	[GROUP_OPEN] = {[GROUP_WRITING] = true, [GROUP_FREE] = true},
	[GROUP_WRITING] = {[GROUP_WRITTEN] = true, [GROUP_DURABLE] = true, [GROUP_FREE] = true},
	[GROUP_WRITTEN] = {[GROUP_FLUSHING] = true, [GROUP_FREE] = true},
	[GROUP_FLUSHING] = {[GROUP_DURABLE] = true, [GROUP_FREE] = true},
	[GROUP_DURABLE] = {[GROUP_FREE] = true},
};

void
group_set_state(struct group *g, enum group_state state)
{
	ensure(group_edges[g->state][state]);
	g->state = state;
}
