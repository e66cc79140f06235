/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread of the model: answers the lanes' slow questions after a while. Producer ids and
 * epochs survive crashes, as the metadata log's do: an epoch may be raised and its answer lost.
 */
#ifndef MODEL_MODEL_CONTROL_H
#define MODEL_MODEL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/handoff.h"
#include "base/rand.h"
#include "base/ring.h"

#define MODEL_CONTROL_PRODUCERS 256
#define MODEL_CONTROL_WAITING	256

struct model_control_producer {
	uint8_t name[HANDOFF_PRODUCER_NAME_MAX];
	uint8_t name_len;
	int16_t epoch;
};

struct model_control_waiting {
	uint64_t at_ns;
	uint16_t lane;
	struct control_answer answer;
};

struct model_control {
	struct rand *rand;
	const char *topic; /* topic index 0 */
	uint16_t lane_count;
	struct model_control_producer producers[MODEL_CONTROL_PRODUCERS];
	uint32_t producer_count;
	struct model_control_waiting waiting[MODEL_CONTROL_WAITING];
	uint32_t waiting_count;
};

/* Takes questions of one lane. */
void model_control_take(struct model_control *control, uint16_t lane, struct ring *ask,
	uint64_t now_ns);
/* Gives answers that are due to that lane; returns when the next is. */
uint64_t model_control_give(struct model_control *control, uint16_t lane, struct ring *answer,
	uint64_t now_ns);
/* Answers not given yet are lost. */
void model_control_crash(struct model_control *control);

#endif
