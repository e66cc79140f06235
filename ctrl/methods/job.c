/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.create, job.list, job.describe, job.drain, job.delete. A command to the batcher takes a few of
 * its turns: it waits in `pending` and its call is answered from method_job_poll. A record and its plug-in
 * live until the batcher has confirmed the deletion.
 */
#include "ctrl/methods/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "ctrl/methods/worker_watch.h"
#include "ctrl/schema/value.h"

#define GUARANTEE "at least once: after a crash a window may be processed again"
#define GUARANTEE_NONDURABLE                                                                       \
	"; of what is durable: records that were acknowledged may be lost before "                 \
	"(nondurable_sources)"

#define NO_PLACE "all places for jobs are taken; delete one"

static const char *const state_names[] = {"starting", "running", "draining", "drained", "failed",
	"deleted"};
/* No state of the batcher's: judged by who asks, because the batcher may be held up by the function. */
#define STATE_STUCK "stuck"

struct job_pending {
	struct batcher_command command;
	struct rpc_call *call; /* NULL: gone; the batcher's answer finds nobody */
	char name[BATCHER_JOB_NAME_MAX + 1];
	struct job_record *record; /* of a create; ours until it succeeds */
	uint64_t deadline_ns;	   /* of a drain */
	bool sent;
	struct job_pending *next;
};

void
job_record_free(struct job_record *job)
{
	if (!job) {
		return;
	}
	if (job->plugin.handle) {
		plugin_unload(&job->plugin);
	}
	for (uint32_t i = 0; i < 2 * JOB_PARAMS_MAX; i++) {
		free(job->params[i]);
	}
	free(job);
}

void
job_destroy_all(struct methods *methods)
{
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		job_record_free(methods->jobs[i]);
	}
	while (methods->pending) {
		struct job_pending *pending = methods->pending;

		methods->pending = pending->next;
		job_record_free(pending->record);
		free(pending);
	}
}

static bool
job_exists(struct methods *methods, uint32_t job, struct job_status *ret_status)
{
	const struct job_record *record = methods->jobs[job];

	return record && batcher_job_status(methods->engine->batcher, job, ret_status) == 0 &&
	       ret_status->job_id == record->id;
}

int
job_find(struct rpc_call *call, const char *name, uint32_t *ret_job)
{
	struct methods *methods = body_methods(call);
	struct value_nearest nearest;

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		const struct job_record *record = methods->jobs[i];

		if (!record) {
			continue;
		}
		if (strcmp(record->spec.name, name) == 0) {
			*ret_job = i;
			return 0;
		}
		value_nearest_offer(&nearest, record->spec.name);
	}
	rpc_call_error(call, ERROR_NOT_FOUND,
		json_pack("{s:s,s:[s*],s:[s]}", "what", "job", "nearest",
			nearest.count ? nearest.names[0] : NULL, "fix", "penstock job list"),
		"no job \"%s\"%s%s", name, nearest.count ? "; nearest: " : "",
		nearest.count ? nearest.names[0] : "");
	return -ENOENT;
}

static json_t *
places_data(void)
{
	return json_pack("{s:s,s:i,s:n}", "limit", "jobs", "value", BATCHER_JOBS_MAX, "config_key");
}

static const char *
window_words(const struct job_spec *spec, char *text, size_t room)
{
	char size[32];

	if (spec->window == JOB_WINDOW_NONE) {
		return "none";
	}
	value_format_duration(spec->window_size_ms * NS_PER_MS, size, sizeof(size));
	snprintf(text, room, "tumbling %s, %s time", size,
		spec->time == JOB_TIME_EVENT ? "event" : "ingest");
	return text;
}

static json_t *
watermark_json(int64_t ms)
{
	return ms == INT64_MIN ? json_null() : json_integer(ms);
}

/* The state's name; `stuck` also gives the reason. */
static const char *
job_state_name(const struct engine *engine, struct job_status *status)
{
	char text[WORKER_WATCH_TEXT];
	struct worker_watch watch;

	if (!worker_watch_job(engine, status, clock_now_ns(engine->clock), &watch)) {
		return state_names[status->state];
	}
	snprintf(status->reason, sizeof(status->reason), "%s",
		worker_watch_words(engine, &watch, text, sizeof(text)));
	return STATE_STUCK;
}

METHOD_BODY(job_list)
{
	struct methods *methods = body_methods(call);
	json_t *jobs = json_array();
	struct job_status status;
	char words[80];

	(void)params;
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		if (!job_exists(methods, i, &status)) {
			continue;
		}
		json_array_append_new(jobs, json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o}", "job",
			status.name, "state", job_state_name(methods->engine, &status), "window",
			window_words(&methods->jobs[i]->spec, words, sizeof(words)), "records",
			(json_int_t)status.counters[JOB_window_records], "windows",
			(json_int_t)status.counters[JOB_fired], "late",
			(json_int_t)status.counters[JOB_late_records], "lag_records",
			(json_int_t)status.lag_records, "event_watermark_ms",
			watermark_json(status.event_watermark_ms)));
	}
	rpc_call_result(call, json_pack("{s:o}", "jobs", jobs));
}

static json_t *
counters_json(const struct job_status *status)
{
	json_t *counters = json_object();

	for (uint32_t i = 0; i < JOB_COUNTER_COUNT; i++) {
		json_object_set_new(counters, job_counter_rows[i].name,
			json_integer((json_int_t)status->counters[i]));
	}
	return counters;
}

static json_t *
digest_json(uint64_t digest)
{
	char text[20];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)digest);
	return json_string(text);
}

/* The topics whose records are acknowledged before they are durable, as their settings are now. */
static json_t *
nondurable_sources(const struct engine *engine, const struct job_record *record)
{
	json_t *topics = json_array();

	for (uint32_t i = 0; i < record->spec.source_count; i++) {
		if (body_ack_risk(&engine->routes->topics[record->spec.source_topics[i]])) {
			json_array_append_new(topics, json_string(record->topics[i]));
		}
	}
	return topics;
}

static const char *
guarantee_words(const struct engine *engine, const struct job_record *record)
{
	json_t *nondurable = nondurable_sources(engine, record);
	bool some = json_array_size(nondurable) > 0;

	json_decref(nondurable);
	return some ? GUARANTEE GUARANTEE_NONDURABLE : GUARANTEE;
}

METHOD_BODY(job_describe)
{
	struct methods *methods = body_methods(call);
	struct job_status s;
	const char *state;
	json_t *sources;
	json_t *result;
	uint32_t job;

	if (job_find(call, params->job, &job) != 0) {
		return;
	}
	const struct job_record *record = methods->jobs[job];
	const struct job_spec *spec = &record->spec;

	if (!job_exists(methods, job, &s)) {
		rpc_call_error(call, ERROR_BUSY, json_pack("{s:s}", "operation", "job.delete"), "job \"%s\" is being made or deleted", params->job);
		return;
	}
	state = job_state_name(methods->engine, &s);
	sources = json_array();
	for (uint32_t i = 0; i < spec->source_count; i++) {
		json_array_append_new(sources, json_string(record->topics[i]));
	}
	result = json_pack("{s:s,s:s,s:i,s:s,s:o,s:{s:s,s:s,s:I,s:I},s:I,s:o,s:i,s:I,s:o,s:s,s:s}",
		"job", s.name, "state", state, "error", s.error, "reason", s.reason, "sources",
		sources, "window", "kind", spec->window == JOB_WINDOW_NONE ? "none" : "tumbling",
		"time", spec->time == JOB_TIME_EVENT ? "event" : "ingest", "size_ms",
		(json_int_t)spec->window_size_ms, "offset_ms", (json_int_t)spec->window_offset_ms,
		"batch_sequence", (json_int_t)s.batch_sequence, "event_watermark_ms",
		watermark_json(s.event_watermark_ms), "open_windows", (int)s.open_windows,
		"lag_records", (json_int_t)s.lag_records, "counters", counters_json(&s),
		"guarantee", guarantee_words(methods->engine, record), "function",
		record->builtin[0] ? record->builtin : record->plugin_path);
	json_object_set_new(
		result, "nondurable_sources", nondurable_sources(methods->engine, record));
	json_object_set_new(result, "window_digest", digest_json(s.window_digest));
	json_object_set_new(result, "discard_digest", digest_json(s.discard_digest));
	rpc_call_result(call, result);
}

static void
pending_drop(void *state)
{
	struct job_pending *pending = state;

	pending->call = NULL;
}

/* At the end of the list: commands go out in the order in which they were asked for. */
static struct job_pending *
pending_begin(struct rpc_call *call, enum batcher_command_kind kind, const char *name)
{
	struct job_pending **link = &body_methods(call)->pending;
	struct job_pending *pending = calloc(1, sizeof(*pending));

	if (!pending) {
		rpc_call_no_memory(call, rpc_call_method(call)->name);
		return NULL;
	}
	pending->call = call;
	rpc_call_wait(call, NULL, pending_drop, pending);
	snprintf(pending->name, sizeof(pending->name), "%s", name);
	pending->command.kind = kind;
	pending->command.token = (uint64_t)(uintptr_t)pending;
	while (*link) {
		link = &(*link)->next;
	}
	*link = pending;
	return pending;
}

/*
 * A change of the job that has place `job` now. The command may wait for its turn while the job is
 * deleted and another one gets the place: the id keeps the two apart.
 */
static struct job_pending *
pending_change(struct rpc_call *call, enum batcher_command_kind kind, uint32_t job)
{
	const struct job_record *record = body_methods(call)->jobs[job];
	struct job_pending *pending = pending_begin(call, kind, record->spec.name);

	if (pending) {
		pending->command.job = job;
		pending->command.job_id = record->id;
	}
	return pending;
}

/* What a check answers: what the batcher would say of one more job stands in its places. */
static void
answer_check(struct rpc_call *call, const struct job_record *job)
{
	const struct methods *methods = body_methods(call);
	uint32_t taken = 0;

	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		taken += methods->jobs[i] != NULL;
	}
	if (taken == BATCHER_JOBS_MAX) {
		rpc_call_error(call, ERROR_LIMIT, places_data(), "job \"%s\": " NO_PLACE, job->spec.name);
	} else {
		rpc_call_result(call, json_pack("{s:s,s:s}", "job", job->spec.name, "guarantee",
					      guarantee_words(methods->engine, job)));
	}
}

METHOD_BODY(job_create)
{
	struct methods *methods = body_methods(call);
	struct job_record *job = calloc(1, sizeof(*job));
	struct job_pending *pending;

	if (!job) {
		rpc_call_no_memory(call, "job.create");
		return;
	}
	if (!job_prepare(call, params->text, job)) {
		job_record_free(job);
		return;
	}
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		if (methods->jobs[i] && strcmp(methods->jobs[i]->spec.name, job->spec.name) == 0) {
			rpc_call_error(call, ERROR_ALREADY_EXISTS, json_pack("{s:s}", "existing", job->spec.name),
				"job \"%s\" exists already", job->spec.name);
			job_record_free(job);
			return;
		}
	}
	if (params->validate_only) {
		answer_check(call, job);
		job_record_free(job);
		return;
	}
	pending = pending_begin(call, BATCHER_CREATE, job->spec.name);
	if (!pending) {
		job_record_free(job);
		return;
	}
	pending->record = job;
	pending->command.spec = job->spec;
}

METHOD_BODY(job_drain)
{
	struct job_pending *pending;
	struct job_status status;
	uint32_t job;

	if (job_find(call, params->job, &job) != 0) {
		return;
	}
	if (job_exists(body_methods(call), job, &status) && status.state == JOB_FAILED) {
		rpc_call_error(call, ERROR_INVALID_STATE,
			json_pack("{s:s,s:[s],s:s,s:[s]}", "state", "failed", "needs", "running", "next",
				"penstock job delete", "fix", "delete it and make it again: penstock job delete JOB --yes"),
			"job \"%s\" has failed: %s", params->job, status.reason);
		return;
	}
	pending = pending_change(call, BATCHER_DRAIN, job);
	if (pending) {
		pending->deadline_ns = clock_now_ns(body_engine(call)->clock) +
				       params->deadline_ms * NS_PER_MS;
	}
}

METHOD_BODY(job_delete)
{
	uint32_t job;

	if (job_find(call, params->job, &job) == 0) {
		(void)pending_change(call, BATCHER_DELETE, job);
	}
}

struct drain_waiting {
	uint32_t job;
	uint64_t job_id;
	char name[BATCHER_JOB_NAME_MAX + 1];
	uint64_t deadline_ns;
};

static bool
drain_look(struct rpc_call *call, void *state, uint64_t now_ns)
{
	struct methods *methods = body_methods(call);
	struct drain_waiting *waiting = state;
	struct job_status status;
	bool known = job_exists(methods, waiting->job, &status) && status.job_id == waiting->job_id;

	if (known && status.state != JOB_DRAINED && status.state != JOB_FAILED &&
		now_ns < waiting->deadline_ns) {
		return false;
	}
	if (!known) {
		rpc_call_error(call, ERROR_CANCELLED, json_pack("{s:s}", "by", "job.delete"),
			"job \"%s\" was deleted while it drained", waiting->name);
	} else if (status.state == JOB_DRAINED) {
		rpc_call_result(call, json_pack("{s:s,s:s,s:o}", "job", status.name, "state", "drained",
			"counters", counters_json(&status)));
	} else if (status.state == JOB_FAILED) {
		rpc_call_error(call, ERROR_INVALID_STATE,
			json_pack("{s:s,s:[],s:s,s:[s]}", "state", "failed", "needs", "next", "penstock job delete", "fix",
				"delete it and make it again: penstock job delete JOB --yes"),
			"job \"%s\" failed while draining: %s", status.name, status.reason);
	} else {
		rpc_call_error(call, ERROR_DEADLINE,
			json_pack("{s:I,s:b}", "elapsed_ms",
				(json_int_t)((now_ns - rpc_call_start_ns(call)) / NS_PER_MS), "still_running", 1),
			"job \"%s\" is still draining; %llu records to go", status.name,
			(unsigned long long)status.lag_records);
	}
	return true;
}

static void
answer_drain(struct job_pending *pending)
{
	struct drain_waiting *waiting = malloc(sizeof(*waiting));
	struct rpc_call *call = pending->call;

	if (!waiting) {
		rpc_call_no_memory(call, "job.drain");
		return;
	}
	waiting->job = pending->command.job;
	waiting->job_id = pending->command.job_id;
	memcpy(waiting->name, pending->name, sizeof(waiting->name));
	waiting->deadline_ns = pending->deadline_ns;
	rpc_call_wait(call, drain_look, free, waiting);
}

/* What a refusal of the batcher means, as far as errno does not say it. */
static const char *
refusal_words(const struct batcher_command *command)
{
	if (command->by_function) {
		return "open() of its function failed";
	}
	switch (command->error) {
	case -ENOSPC:
		return NO_PLACE;
	case -EEXIST:
		return "exists already";
	case -EBUSY:
		return "is being made or deleted";
	case -ETIMEDOUT:
		return "every worker is held by a function that does not come back";
	case -ENOENT:
		return "one of its topics was deleted meanwhile";
	default:
		return strerror(-command->error);
	}
}

/* `later` is what becomes of the command. */
static void
answer_stuck(struct job_pending *pending, const struct worker_watch *watch, const char *later)
{
	const struct engine *engine = body_engine(pending->call);
	char text[WORKER_WATCH_TEXT];

	worker_watch_words(engine, watch, text, sizeof(text));
	rpc_call_error(pending->call, ERROR_WORKER_STUCK,
		json_pack("{s:i,s:s,s:s,s:[s,s]}", "lcore", (int)watch->lcore, "job",
			watch->call.job, "cause", text, "fix", "penstock health get",
			"penstock explain batcher.workers"),
		"job \"%s\": %s; %s", pending->name, text, later);
}

/* A refusal of the batcher as a kind of the socket, with what that promises. */
static json_t *
refusal_data(const struct job_pending *pending, enum error_kind *ret_kind)
{
	int error = pending->command.error;

	if (!pending->command.by_function && error == -ENOSPC) {
		*ret_kind = ERROR_LIMIT;
		return places_data();
	}
	if (!pending->command.by_function && error == -EEXIST) {
		*ret_kind = ERROR_ALREADY_EXISTS;
		return json_pack("{s:s}", "existing", pending->name);
	}
	if (!pending->command.by_function && error == -EBUSY) {
		*ret_kind = ERROR_BUSY;
		return json_pack("{s:s}", "operation", "job.create or job.delete");
	}
	*ret_kind = ERROR_PRECONDITION_FAILED;
	return json_pack("{s:s,s:i}", "cause", strerror(-error), "errno", -error);
}

static void
answer_error(struct job_pending *pending)
{
	const struct engine *engine = body_engine(pending->call);
	int error = pending->command.error;
	struct worker_watch watch;
	enum error_kind kind;
	json_t *data;

	worker_watch(engine, 0, clock_now_ns(engine->clock), &watch);
	if (error == -ETIMEDOUT && !pending->command.by_function && watch.stuck) {
		answer_stuck(pending, &watch, "no worker is left, and nothing was changed");
		return;
	}
	if (error == -ENOENT && pending->command.kind != BATCHER_CREATE) {
		rpc_call_error(pending->call, ERROR_NOT_FOUND,
			json_pack("{s:s,s:[],s:[s]}", "what", "job", "nearest", "fix", "penstock job list"),
			"no job \"%s\" any more: it was deleted meanwhile", pending->name);
		return;
	}
	data = refusal_data(pending, &kind);
	rpc_call_error(pending->call, kind, data, "job \"%s\": %s", pending->name,
		refusal_words(&pending->command));
}

/* Steals the result. */
static void
answer_done(struct job_pending *pending, json_t *result)
{
	if (pending->call) {
		rpc_call_result(pending->call, result);
	} else {
		json_decref(result);
	}
}

static void
answer(struct methods *methods, struct job_pending *pending)
{
	struct batcher_command *command = &pending->command;
	struct job_record *old = command->job < BATCHER_JOBS_MAX ? methods->jobs[command->job] : NULL;

	if (command->error) {
		if (pending->call) {
			answer_error(pending);
		}
		job_record_free(pending->record);
		return;
	}
	switch (command->kind) {
	case BATCHER_CREATE:
		ensure(!old);
		pending->record->id = command->job_id;
		methods->jobs[command->job] = pending->record;
		answer_done(pending,
			json_pack("{s:s,s:s}", "job", pending->record->spec.name, "guarantee",
				guarantee_words(methods->engine, pending->record)));
		break;
	case BATCHER_DRAIN:
		if (pending->call) {
			answer_drain(pending);
		}
		break;
	case BATCHER_DELETE:
		ensure(old != NULL);
		ensure(old->id == command->job_id);
		methods->jobs[command->job] = NULL;
		answer_done(pending, json_pack("{s:s}", "job", pending->name));
		job_record_free(old);
		break;
	}
}

/* The batcher has it, and waits for a worker that is stuck. A drain is answered without one. */
static bool
pending_stuck(const struct methods *methods, const struct job_pending *p, uint64_t now_ns,
	struct worker_watch *ret_watch)
{
	const struct batcher_command *command = &p->command;
	struct job_status status;

	return p->sent && command->kind != BATCHER_DRAIN &&
	       batcher_job_status(methods->engine->batcher, command->job, &status) == 0 &&
	       status.job_id == command->job_id &&
	       worker_watch_job(methods->engine, &status, now_ns, ret_watch);
}

/*
 * While the batcher's lcore does not turn, or the job's worker is stuck: says so, and takes back
 * what the batcher has not been given.
 */
static uint32_t
pending_give_up(struct methods *methods, uint64_t now_ns)
{
	const struct engine *engine = methods->engine;
	struct worker_watch watch;
	uint32_t work = 0;
	char what[BATCHER_JOB_NAME_MAX + 16];

	for (struct job_pending **link = &methods->pending; *link;) {
		struct job_pending *p = *link;

		if (p->call &&
			body_lcore_silent(engine, engine->batcher_lcore, rpc_call_start_ns(p->call), now_ns)) {
			snprintf(what, sizeof(what), "job \"%s\"", p->name);
			body_unresponsive(p->call, engine->batcher_lcore, what,
				p->sent ? "it is carried out when it turns again" : "nothing was changed");
			work++;
		} else if (p->call && pending_stuck(methods, p, now_ns, &watch)) {
			answer_stuck(p, &watch,
				p->command.kind == BATCHER_CREATE
					? "the job is made when it does"
					: "the job is deleted when it does");
			work++;
		}
		if (!p->call && !p->sent) { /* the answer has cleared it */
			*link = p->next;
			job_record_free(p->record);
			free(p);
		} else {
			link = &p->next;
		}
	}
	return work;
}

uint32_t
method_job_poll(struct methods *methods)
{
	struct batcher *batcher = methods->engine->batcher;
	struct batcher_command *command;
	uint32_t work = 0;

	if (!batcher) {
		return 0;
	}
	for (struct job_pending *p = methods->pending; p; p = p->next) {
		if (!p->sent && batcher_command(batcher, &p->command) != 0) {
			break; /* -EAGAIN: nobody overtakes */
		}
		work += !p->sent;
		p->sent = true;
	}
	while ((command = batcher_command_poll(batcher)) != NULL) {
		struct job_pending *done = (struct job_pending *)(uintptr_t)command->token;
		struct job_pending **link = &methods->pending;

		while (*link != done) {
			link = &(*link)->next;
		}
		*link = done->next;
		answer(methods, done);
		free(done);
		work++;
	}
	if (methods->pending) {
		work += pending_give_up(methods, clock_now_ns(methods->engine->clock));
	}
	return work;
}
