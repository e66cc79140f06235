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

/* Every lane hears of the answer's epoch, before anybody is answered with it. */
static void
control_fence(struct model_control *c, const struct control_answer *answer, uint64_t now_ns)
{
	for (uint16_t lane = 0; lane < c->lane_count; lane++) {
		c->waiting[c->waiting_count++] = (struct model_control_waiting){
			.at_ns = now_ns,
			.lane = lane,
			.answer = {
				.kind = CONTROL_FENCE,
				.producer_id = answer->producer_id,
				.producer_epoch = answer->producer_epoch,
			},
		};
	}
}

/* An answer of an epoch that was raised while it waited would open a session behind its FENCE. */
static void
control_judge_again(const struct model_control *c, struct control_answer *answer)
{
	int64_t at = answer->producer_id - CONTROL_PRODUCER_FIRST;

	if (answer->kind == CONTROL_PRODUCER && answer->error == 0 &&
		c->producers[at].epoch > answer->producer_epoch) {
		answer->error = KAFKA_INVALID_PRODUCER_EPOCH;
	}
}

/* An answer goes only when every lane has been told of its epoch. */
static bool
control_may_give(const struct model_control *c, const struct model_control_waiting *w,
	uint64_t now_ns)
{
	if (w->at_ns > now_ns) {
		return false;
	}
	for (uint32_t i = 0; w->answer.kind == CONTROL_PRODUCER && i < c->waiting_count; i++) {
		const struct control_answer *other = &c->waiting[i].answer;

		if (other->kind == CONTROL_FENCE && other->producer_id == w->answer.producer_id) {
			return false;
		}
	}
	return true;
}

void
model_control_take(struct model_control *c, uint16_t lane, struct ring *ask, uint64_t now_ns)
{
	struct control_ask question;

	while (c->waiting_count + c->lane_count < MODEL_CONTROL_WAITING &&
		ring_take(ask, &question, 1) == 1) {
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
			if (answer.error == 0 && !(question.flags & CONTROL_JOIN)) {
				control_fence(c, &answer, now_ns);
			}
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
			continue;
		}
		control_judge_again(c, &w->answer);
		if (control_may_give(c, w, now_ns) && ring_offer(answer, &w->answer, 1) == 1) {
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
