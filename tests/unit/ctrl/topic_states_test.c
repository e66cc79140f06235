/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics go from state to state along the edges listed here and along no other: every other pair
 * aborts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "ctrl/broker/topics_state.h"
#include "support/state_edges.h"

static void
put_topic(void *object, int state)
{
	((struct topic *)object)->state = (enum topic_state)state;
}

static void
set_topic(void *object, int state)
{
	topics_set_state(object, (enum topic_state)state);
}

static int
get_topic(const void *object)
{
	return (int)((const struct topic *)object)->state;
}

static void
a_topic_opens_only_when_it_is_recorded_as_ready(void **state)
{
	static struct topic topic;
	const struct state_machine machine = {&topic, put_topic, set_topic, get_topic, TOPIC_STATE_COUNT};
	const struct state_edge edges[] = {
		{TOPIC_RECORDING, TOPIC_CREATING},
		{TOPIC_RECORDING, TOPIC_CONFIGURING},
		{TOPIC_RECORDING, TOPIC_OPEN},
		{TOPIC_RECORDING, TOPIC_DELETED},
		{TOPIC_RECORDING, TOPIC_DAMAGED},
		{TOPIC_CREATING, TOPIC_READYING},
		{TOPIC_CREATING, TOPIC_UNDOING},
		{TOPIC_READYING, TOPIC_OPEN},
		{TOPIC_READYING, TOPIC_UNDOING},
		{TOPIC_CONFIGURING, TOPIC_OPEN},
		{TOPIC_OPEN, TOPIC_DELETE_RECORDING},
		{TOPIC_DELETE_RECORDING, TOPIC_OPEN},
		{TOPIC_DELETE_RECORDING, TOPIC_DELETING},
		{TOPIC_DELETE_RECORDING, TOPIC_DELETED},
		{TOPIC_DELETE_RECORDING, TOPIC_DAMAGED},
		{TOPIC_DELETE_RECORDING, TOPIC_FAILED},
		{TOPIC_DELETING, TOPIC_DELETED},
		{TOPIC_UNDOING, TOPIC_UNDO_RECORDING},
		{TOPIC_UNDO_RECORDING, TOPIC_DELETED},
		{TOPIC_UNDO_RECORDING, TOPIC_FAILED},
		{TOPIC_DAMAGED, TOPIC_DELETE_RECORDING},
		{TOPIC_FAILED, TOPIC_DELETE_RECORDING},
		{TOPIC_FAILED, TOPIC_DELETED},
	};

	assert_int_equal(state_edges_wrong(&machine, edges, ARRAY_COUNT(edges)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_topic_opens_only_when_it_is_recorded_as_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
