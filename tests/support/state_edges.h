/* SPDX-License-Identifier: Apache-2.0 */
/* Every pair of states of a state machine against the list of those that are edges. */
#ifndef SUPPORT_STATE_EDGES_H
#define SUPPORT_STATE_EDGES_H

#include <stdint.h>
#include "support/death.h"

#define STATE_EDGES_STATES_MAX 16

struct state_edge {
	int from;
	int to;
};

/* A state machine under test: `object` is put into a state, then its x_set_state() is asked for another. */
struct state_machine {
	void *object;
	void (*put)(void *object, int state);
	void (*set)(void *object, int state);
	int (*get)(const void *object);
	int state_count;
};

struct state_try {
	const struct state_machine *machine;
	struct state_edge edge;
};

static inline void
state_try_edge(void *user_data)
{
	const struct state_try *t = user_data;

	t->machine->put(t->machine->object, t->edge.from);
	t->machine->set(t->machine->object, t->edge.to);
}

/* Pairs that abort though they are listed, or lead anywhere but to an abort though they are not. */
static inline uint32_t
state_edges_wrong(const struct state_machine *machine, const struct state_edge *edges, uint32_t edge_count)
{
	uint32_t wrong = machine->state_count > STATE_EDGES_STATES_MAX;
	bool listed[STATE_EDGES_STATES_MAX][STATE_EDGES_STATES_MAX] = {{false}};

	for (uint32_t i = 0; i < edge_count; i++) {
		listed[edges[i].from][edges[i].to] = true;
	}
	for (int from = 0; from < machine->state_count && wrong == 0; from++) {
		for (int to = 0; to < machine->state_count; to++) {
			struct state_try t = {machine, {from, to}};

			if (death_aborts(state_try_edge, &t) == listed[from][to]) {
				wrong++;
			} else if (listed[from][to]) {
				state_try_edge(&t);
				wrong += machine->get(machine->object) != to;
			}
		}
	}
	return wrong;
}

#endif
