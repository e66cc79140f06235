/* SPDX-License-Identifier: Apache-2.0 */
/* Every case of queues, isolation and rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "nic/port_steering.h"

static void
the_verdict_of_each_case(void **state)
{
	static const struct {
		struct port_steering_in in;
		enum port_steering verdict;
	} cases[] = {
		{{.queues = 1, .isolate = false, .rules = false}, PORT_STEERING_ONE_QUEUE},
		{{.queues = 1, .isolate = false, .rules = true}, PORT_STEERING_RULES},
		{{.queues = 1, .isolate = true, .rules = false}, PORT_STEERING_DEAF},
		{{.queues = 1, .isolate = true, .rules = true}, PORT_STEERING_RULES},
		{{.queues = 2, .isolate = false, .rules = false}, PORT_STEERING_PEER},
		{{.queues = 2, .isolate = false, .rules = true}, PORT_STEERING_RULES},
		{{.queues = 2, .isolate = true, .rules = false}, PORT_STEERING_DEAF},
		{{.queues = 2, .isolate = true, .rules = true}, PORT_STEERING_RULES},
		{{.queues = 16, .isolate = false, .rules = false}, PORT_STEERING_PEER},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(port_steering(&cases[i].in), cases[i].verdict);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_of_each_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
