/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a job to what the batcher takes: its topics are there, its function is loaded,
 * its numbers fit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/job.h"

/* False after having answered: records of the topic are acknowledged before they are durable, and
 * the job's text does not allow it. */
static bool
source_durable(struct rpc_call *call, const struct job_record *job, const struct route_topic *topic)
{
	const char *risk = body_ack_risk(topic);
	char alter[HANDOFF_TOPIC_NAME_MAX + 80];

	if (!risk || job->allow_nondurable_source) {
		return true;
	}
	snprintf(alter, sizeof(alter), "penstock topic alter %s --config penstock.ack.risk=none",
		topic->name);
	rpc_call_error(call, ERROR_PRECONDITION_FAILED,
		json_pack("{s:s,s:[s,s]}", "cause",
			"Windows only have what is durable: what producers were told is there may "
			"be lost before.",
			"fix", "allow_nondurable_source: true", alter),
		"job \"%s\": topic \"%s\" acknowledges records before they are durable "
		"(penstock.ack.risk=%s)",
		job->spec.name, topic->name, risk);
	return false;
}

/* Topics by name -> route indexes; -ENOENT after having answered. */
static int
resolve_topics(struct rpc_call *call, struct job_record *job)
{
	for (uint32_t i = 0; i < job->spec.source_count; i++) {
		const struct route_topic *topic =
			body_open_topic(call, job->topics[i], &job->spec.source_topics[i]);

		if (!topic || !source_durable(call, job, topic)) {
			return -ENOENT;
		}
	}
	return 0;
}

static int
resolve_function(struct rpc_call *call, struct job_record *job)
{
	const struct config *config = body_engine(call)->config;
	const char *dirs[9];
	struct plugin_rules rules = {.dirs = dirs, .user_may_own = config->mode == CONFIG_MODE_DEV};
	char dir[512];
	char text[512] = "";
	char *slash;
	int err;

	if (job->builtin[0]) {
		job->spec.function = plugin_builtin(job->builtin);
		if (!job->spec.function) {
			rpc_call_error(call, ERROR_NOT_FOUND,
				json_pack("{s:s,s:[s,s],s:s,s:[s,s]}", "what", "builtin", "nearest",
					"count", "digest", "cause",
					"Built in are count and digest.", "fix",
					"function: {builtin: count}",
					"function: {plugin: /PATH/NAME.so}"),
				"no builtin function \"%s\"", job->builtin);
		}
		return job->spec.function ? 0 : -ENOENT;
	}
	for (uint32_t i = 0; i < config->batcher_plugin_dirs_count; i++) {
		dirs[rules.dir_count++] = config->batcher_plugin_dirs[i];
	}
	snprintf(dir, sizeof(dir), "%s", job->plugin_path);
	slash = strrchr(dir, '/');
	if (rules.user_may_own && slash && slash != dir) {
		*slash = '\0';
		dirs[rules.dir_count++] =
			dir; /* dev mode: the user's own files, wherever they lie */
	}
	err = plugin_load(job->plugin_path, &rules, text, sizeof(text), &job->plugin);
	if (err) {
		rpc_call_error(call, ERROR_PLUGIN_REFUSED,
			json_pack("{s:s,s:o,s:[s,s]}", "path", job->plugin_path, "cause",
				problem_string(text), "fix",
				"name a plug-in that is there: function: {plugin: /PATH/NAME.so}",
				"penstock config get batcher.plugin_dirs tells where it may lie"),
			"job \"%s\": plug-in refused", job->spec.name);
		return err;
	}
	job->spec.function = &job->plugin.function;
	return 0;
}

static void
invalid_text(struct rpc_call *call, const char *report)
{
	char first[256];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(report, "\n"), report);
	rpc_call_error(call, ERROR_INVALID_TEXT,
		json_pack("{s:o}", "report", problem_string(report)), "%s", first);
}

bool
job_prepare(struct rpc_call *call, const char *text, struct job_record *job)
{
	char report[1024] = "";
	char why[512];
	const char *wrong;

	if (job_text_parse(text, body_engine(call)->config, job, report, sizeof(report)) != 0) {
		invalid_text(call, report);
		return false;
	}
	if (resolve_topics(call, job) != 0 || resolve_function(call, job) != 0) {
		return false;
	}
	wrong = job_spec_check(&job->spec, why, sizeof(why));
	if (wrong) {
		invalid_text(call, wrong);
		return false;
	}
	return true;
}
