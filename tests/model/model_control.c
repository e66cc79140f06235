/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread of the model (model_control.h). */
#include "model_control.h"

#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"

#define CONTROL_PRODUCER_FIRST 1000

static void
control_producer(struct model_control *c, const struct control_ask *ask,
	struct control_answer *answer)
{
	struct model_control_producer *p = NULL;

	if (ask->flags & (CONTROL_JOIN | CONTROL_BUMP)) {
		int64_t at = ask->producer_id - CONTROL_PRODUCER_FIRST;

		if (at < 0 || at >= c->producer_count || c->producers[at].epoch != ask->producer_epoch) {
			answer->error = KAFKA_INVALID_PRODUCER_EPOCH;
			return;
		}
		p = &c->producers[at];
		p->epoch = (int16_t)(p->epoch + (ask->flags & CONTROL_BUMP ? 1 : 0));
	}
	for (uint32_t i = 0; !p && ask->name_len > 0 && i < c->producer_count; i++) {
		if (c->producers[i].name_len == ask->name_len &&
			memcmp(c->producers[i].name, ask->name, ask->name_len) == 0) {
			p = &c->producers[i];
			p->epoch++;
		}
	}
	if (!p) {
		ensure(c->producer_count < MODEL_CONTROL_PRODUCERS);
		p = &c->producers[c->producer_count++];
		*p = (struct model_control_producer){.name_len = ask->name_len};
		memcpy(p->name, ask->name, ask->name_len);
	}
	answer->producer_id = CONTROL_PRODUCER_FIRST + (p - c->producers);
	answer->producer_epoch = p->epoch;
}

void
model_control_take(struct model_control *c, uint16_t lane, struct ring *ask, uint64_t now_ns)
{
	struct control_ask question;

	while (c->waiting_count < MODEL_CONTROL_WAITING && ring_take(ask, &question, 1) == 1) {
		struct control_answer answer = {
			.kind = question.kind,
			.session_index = question.session_index,
			.token = question.token,
			.producer_id = -1,
			.producer_epoch = -1,
		};

		switch (question.kind) {
		case CONTROL_PRODUCER:
			control_producer(c, &question, &answer);
			break;
		case CONTROL_RESOLVE:
			if (question.name_len != strlen(c->topic) ||
				memcmp(question.name, c->topic, question.name_len) != 0) {
				answer.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
			}
			break;
		case CONTROL_CLOSED:
			continue;
		default:
			ensure(!"a question of an unknown kind");
		}
		c->waiting[c->waiting_count++] = (struct model_control_waiting){
			.at_ns = now_ns + rand_below(c->rand, 3 * NS_PER_MS),
			.lane = lane,
			.answer = answer,
		};
	}
}

uint64_t
model_control_give(struct model_control *c, uint16_t lane, struct ring *answer, uint64_t now_ns)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (uint32_t i = 0; i < c->waiting_count;) {
		struct model_control_waiting *w = &c->waiting[i];

		if (w->lane != lane) {
			i++;
		} else if (w->at_ns <= now_ns && ring_offer(answer, &w->answer, 1) == 1) {
			*w = c->waiting[--c->waiting_count];
		} else {
			deadline_ns = w->at_ns < deadline_ns ? w->at_ns : deadline_ns;
			i++;
		}
	}
	return deadline_ns;
}

void
model_control_crash(struct model_control *control)
{
	control->waiting_count = 0;
}
