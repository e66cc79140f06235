/* SPDX-License-Identifier: Apache-2.0 */
/* partition.repair: the choice is checked, written to the log with who made it, and carried out by the log. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errcode.h"
#include "ctrl/methods/body.h"
#include "ctrl/methods/broker_refusal.h"
#include "ctrl/schema/events_gen.h"

struct repair {
	struct rpc_call *call; /* NULL: gone; the log's answer finds nobody */
	uint32_t lcore;
	uint32_t partition;
	uint32_t partition_index;
	uint32_t uid;
	int32_t pid;
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
};

#define CHOICE_BYTES 64

static const char *
choice_of(const struct log_repair *repair, char ret_text[CHOICE_BYTES])
{
	snprintf(ret_text, CHOICE_BYTES, "restore");
	if (repair->accept_loss) {
		snprintf(ret_text, CHOICE_BYTES, "accept_loss [%" PRId64 ", %" PRId64 ")", repair->from,
			repair->until);
	}
	return ret_text;
}

static const char *
outcome_of(int16_t error, const struct log_repair *repair)
{
	static const char *const outcomes[] = {[LOG_REPAIR_DONE] = "not carried out",
		[LOG_REPAIR_NOT_QUARANTINED] = "refused, it is not quarantined",
		[LOG_REPAIR_LOSS] = "refused, another loss than that",
		[LOG_REPAIR_NOTHING_LOST] = "refused, nothing is lost",
		[LOG_REPAIR_FAILED] = "failed"};

	return error == KAFKA_NONE ? "done" : outcomes[repair->verdict];
}

/* --- refusals ---------------------------------------------------------------------------------- */

static void
answer_loss(struct repair *r, const struct log_repair *repair)
{
	char put_back[HANDOFF_TOPIC_NAME_MAX + 128];
	char give_up[HANDOFF_TOPIC_NAME_MAX + 128];

	snprintf(put_back, sizeof(put_back), "put the file back from a copy, then: penstock partition repair %s %u --action restore --yes", r->topic,
		r->partition);
	snprintf(give_up, sizeof(give_up),
		"penstock partition repair %s %u --action accept_loss --from %" PRId64 " --until %" PRId64 " --yes",
		r->topic, r->partition, repair->loss_from, repair->loss_until);
	rpc_call_error(r->call, ERROR_DATA_LOSS_REFUSED,
		json_pack("{s:{s:I,s:I,s:I,s:i},s:{s:s,s:I,s:I},s:[s,s]}", "lost", "from",
			(json_int_t)repair->loss_from, "until", (json_int_t)repair->loss_until, "offsets",
			(json_int_t)repair->lost_offsets, "pieces", (int)repair->hole_count, "accept", "action",
			"accept_loss", "from", (json_int_t)repair->loss_from, "until",
			(json_int_t)repair->loss_until, "fix", put_back, give_up),
		"partition %s-%u: %" PRIu64 " offsets in [%" PRId64 ", %" PRId64
		") cannot be read; they are there again once the file is put back, or lost once that is accepted",
		r->topic, r->partition, repair->lost_offsets, repair->loss_from, repair->loss_until);
}

static void
answer_nothing_lost(struct repair *r)
{
	char fix[HANDOFF_TOPIC_NAME_MAX + 96];

	snprintf(fix, sizeof(fix), "penstock partition repair %s %u --action restore --yes", r->topic,
		r->partition);
	rpc_call_error(r->call, ERROR_PRECONDITION_FAILED,
		json_pack("{s:s,s:[s]}", "cause", "every offset can be read", "fix", fix),
		"partition %s-%u: nothing is lost, so there is no loss to accept", r->topic, r->partition);
}

static void
answer_not_quarantined(struct repair *r)
{
	struct engine *engine = body_engine(r->call);
	json_t *row = body_partition_row(engine,
		&engine->routes->topics[engine->routes->partitions[r->partition_index].topic_index],
		r->partition_index);
	const char *state = row ? json_string_value(json_object_get(row, "state")) : "absent";

	rpc_call_error(r->call, ERROR_INVALID_STATE,
		json_pack("{s:s,s:[s],s:s,s:[s]}", "state", state, "needs", "quarantined", "next",
			"penstock partition list", "fix", "penstock partition list"),
		"partition %s-%u is %s, not quarantined: there is nothing to repair", r->topic, r->partition,
		state);
	json_decref(row);
}

static void
answer_failed(struct repair *r, const struct log_repair *repair)
{
	struct engine *engine = body_engine(r->call);
	const char *cause = repair->error == -EROFS ? "writing is off in the data directory until a restart"
						    : strerror(-repair->error);
	struct log_store_info info;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s-%u", engine->data_dir, r->topic, r->partition);
	if (repair->error == -ENOSPC || repair->error == -EDQUOT) {
		logstore_info(engine->store, &info);
		rpc_call_error(r->call, ERROR_NO_SPACE,
			json_pack("{s:o,s:I,s:I}", "path", problem_string(engine->data_dir), "free_bytes",
				(json_int_t)info.disk_free_bytes, "needs_bytes",
				(json_int_t)info.disk_needs_bytes),
			"partition %s-%u: no room to write its segments anew; nothing was changed", r->topic,
			r->partition);
		return;
	}
	rpc_call_error(r->call, ERROR_IO_ERROR,
		json_pack("{s:i,s:o,s:s}", "errno", -repair->error, "path", problem_string(path), "cause", cause),
		"partition %s-%u was not repaired: %s", r->topic, r->partition, cause);
}

/* --- the answer -------------------------------------------------------------------------------- */

static void
answer(struct repair *r, int16_t error, const struct log_repair *repair, int64_t base_offset)
{
	if (error == KAFKA_NONE) {
		rpc_call_result(r->call,
			json_pack("{s:I,s:I,s:i}", "base_offset", (json_int_t)base_offset, "lost_offsets",
				(json_int_t)repair->lost_offsets, "segments_written",
				(int)repair->segments_written));
		return;
	}
	char object[HANDOFF_TOPIC_NAME_MAX + 32];

	switch (repair->verdict) {
	case LOG_REPAIR_LOSS:
		answer_loss(r, repair);
		return;
	case LOG_REPAIR_NOTHING_LOST:
		answer_nothing_lost(r);
		return;
	case LOG_REPAIR_NOT_QUARANTINED:
		answer_not_quarantined(r);
		return;
	case LOG_REPAIR_FAILED:
		answer_failed(r, repair);
		return;
	case LOG_REPAIR_DONE:
	default:
		snprintf(object, sizeof(object), "partition %s-%u", r->topic, r->partition);
		broker_refusal_answer(r->call,
			&(struct broker_refusal){.error = error, .object = object, .name = r->topic});
	}
}

static void
repair_done(void *user_data, int16_t error, const struct log_repair *repair, int64_t base_offset)
{
	struct repair *r = user_data;
	char choice[CHOICE_BYTES];

	event_partition_repair("%s-%u: uid %u, pid %d, %s: %s, %" PRIu64 " offsets lost", r->topic,
		r->partition, r->uid, r->pid, choice_of(repair, choice), outcome_of(error, repair),
		error == KAFKA_NONE ? repair->lost_offsets : 0);
	if (r->call) {
		answer(r, error, repair, base_offset);
	}
	free(r);
}

static void
repair_drop(void *state)
{
	struct repair *r = state;

	r->call = NULL;
}

static bool
repair_look(struct rpc_call *call, void *state, uint64_t now_ns)
{
	struct repair *r = state;
	char what[HANDOFF_TOPIC_NAME_MAX + 32];

	if (!body_lcore_silent(body_engine(call), r->lcore, rpc_call_start_ns(call), now_ns)) {
		return false;
	}
	snprintf(what, sizeof(what), "partition %s-%u", r->topic, r->partition);
	body_unresponsive(call, r->lcore, what, "it is repaired when it turns again");
	return true;
}

/* --- the question ------------------------------------------------------------------------------ */

static bool
range_is_named(struct rpc_call *call, const struct partition_repair_params *params)
{
	bool from = params->given & PARTITION_REPAIR_GIVEN_FROM;
	bool until = params->given & PARTITION_REPAIR_GIVEN_UNTIL;
	bool accept_loss = params->action == PARTITION_REPAIR_ACTION_ACCEPT_LOSS;
	const char *path = accept_loss ? (from ? "/params/until" : "/params/from")
				       : (from ? "/params/from" : "/params/until");

	if (accept_loss ? from && until && params->from < params->until : !from && !until) {
		return true;
	}
	rpc_call_error(call, ERROR_INVALID_PARAM,
		json_pack("{s:s,s:n,s:s,s:[]}", "path", path, "value", "want",
			accept_loss ? "the loss as a refusal names it: from below until" : "nothing beside restore",
			"nearest"),
		accept_loss ? "partition.repair: accept_loss needs from and until, the first lost offset and the first "
			      "behind the loss; --action restore tells them without changing anything"
			    : "partition.repair: restore takes no from and no until: it accepts no loss");
	return false;
}

METHOD_BODY(partition_repair)
{
	struct engine *engine = body_engine(call);
	struct log_repair asked = {.accept_loss = params->action == PARTITION_REPAIR_ACTION_ACCEPT_LOSS};
	uint32_t index;
	struct repair *r;
	char choice[CHOICE_BYTES];

	if (!range_is_named(call, params) ||
		body_partition(call, params->topic, params->partition, &index) != 0) {
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		rpc_call_no_memory(call, "partition.repair");
		return;
	}
	if (asked.accept_loss) {
		asked.from = params->from;
		asked.until = params->until;
	}
	r->call = call;
	r->partition = params->partition;
	r->partition_index = index;
	r->lcore = engine->shard_lcores[engine->routes->partitions[index].shard];
	snprintf(r->topic, sizeof(r->topic), "%s", params->topic);
	rpc_call_peer(call, &r->uid, &r->pid);
	event_partition_repair("%s-%u: uid %u, pid %d, %s: asked", r->topic, r->partition, r->uid, r->pid,
		choice_of(&asked, choice));
	rpc_call_wait(call, repair_look, repair_drop, r); /* first: it may be answered at once */
	broker_partition_repair(engine->broker, params->topic, params->partition, &asked, repair_done, r);
}
