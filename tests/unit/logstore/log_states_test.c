/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments, groups and partitions go from state to state along the edges listed here and along no other: every other pair
 * aborts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "logstore/group.h"
#include "logstore/partition.h"
#include "logstore/segment.h"
#include "support/state_edges.h"

static void
put_segment(void *object, int state)
{
	((struct segment *)object)->state = (enum segment_state)state;
}

static void
set_segment(void *object, int state)
{
	segment_set_state(object, (enum segment_state)state);
}

static int
get_segment(const void *object)
{
	return (int)((const struct segment *)object)->state;
}

static void
a_segment_is_closed_before_it_is_sealed(void **state)
{
	static struct segment segment;
	const struct state_machine machine = {&segment, put_segment, set_segment, get_segment, SEGMENT_STATE_COUNT};
	const struct state_edge edges[] = {
		{SEGMENT_FREE, SEGMENT_ACTIVE},
		{SEGMENT_ACTIVE, SEGMENT_CLOSED},
		{SEGMENT_ACTIVE, SEGMENT_FREE},
		{SEGMENT_CLOSED, SEGMENT_SEALING},
		{SEGMENT_CLOSED, SEGMENT_FREE},
		{SEGMENT_SEALING, SEGMENT_FREE},
	};

	assert_int_equal(state_edges_wrong(&machine, edges, ARRAY_COUNT(edges)), 0);
}

static void
put_group(void *object, int state)
{
	((struct group *)object)->state = (enum group_state)state;
}

static void
set_group(void *object, int state)
{
	group_set_state(object, (enum group_state)state);
}

static int
get_group(const void *object)
{
	return (int)((const struct group *)object)->state;
}

static void
a_group_is_flushed_only_when_written(void **state)
{
	static struct group group;
	const struct state_machine machine = {&group, put_group, set_group, get_group, GROUP_STATE_COUNT};
	const struct state_edge edges[] = {
		{GROUP_FREE, GROUP_OPEN},
		{GROUP_FREE, GROUP_WRITING},
		{GROUP_OPEN, GROUP_WRITING},
		{GROUP_OPEN, GROUP_FREE},
		{GROUP_WRITING, GROUP_WRITTEN},
		{GROUP_WRITING, GROUP_DURABLE},
		{GROUP_WRITING, GROUP_FREE},
		{GROUP_WRITTEN, GROUP_FLUSHING},
		{GROUP_WRITTEN, GROUP_FREE},
		{GROUP_FLUSHING, GROUP_DURABLE},
		{GROUP_FLUSHING, GROUP_FREE},
		{GROUP_DURABLE, GROUP_FREE},
	};

	assert_int_equal(state_edges_wrong(&machine, edges, ARRAY_COUNT(edges)), 0);
}

static void
put_partition(void *object, int state)
{
	((struct partition *)object)->state = (enum log_partition_state)state;
}

static void
set_partition(void *object, int state)
{
	partition_set_state(object, (enum log_partition_state)state);
}

static int
get_partition(const void *object)
{
	return (int)((const struct partition *)object)->state;
}

static void
a_partition_in_trouble_is_deleted_or_repaired(void **state)
{
	static struct partition partition;
	const struct state_machine machine = {&partition, put_partition, set_partition, get_partition, LOG_PARTITION_STATE_COUNT};
	const struct state_edge edges[] = {
		{LOG_PARTITION_ABSENT, LOG_PARTITION_SERVING},
		{LOG_PARTITION_SERVING, LOG_PARTITION_POISONED},
		{LOG_PARTITION_SERVING, LOG_PARTITION_QUARANTINED},
		{LOG_PARTITION_SERVING, LOG_PARTITION_OFFLINE},
		{LOG_PARTITION_SERVING, LOG_PARTITION_DELETED},
		{LOG_PARTITION_POISONED, LOG_PARTITION_DELETED},
		{LOG_PARTITION_QUARANTINED, LOG_PARTITION_SERVING},
		{LOG_PARTITION_QUARANTINED, LOG_PARTITION_DELETED},
		{LOG_PARTITION_OFFLINE, LOG_PARTITION_DELETED},
	};

	assert_int_equal(state_edges_wrong(&machine, edges, ARRAY_COUNT(edges)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_closed_before_it_is_sealed),
		cmocka_unit_test(a_group_is_flushed_only_when_written),
		cmocka_unit_test(a_partition_in_trouble_is_deleted_or_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
