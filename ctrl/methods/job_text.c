/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a job, strict YAML, by the table of ctrl/schema/job.yaml (docs/reference/jobs.md):
 *   name: delays
 *   topics: [flights]
 *   time: event
 *   window: {kind: tumbling, size: 1d}
 *   function: {plugin: /path/delays.so}
 *   params: {top: "5"}
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/job.h"
#include "ctrl/schema/job_gen.h"
#include "ctrl/schema/value.h"
#include "ctrl/schema/yaml_doc.h"

#define PATH_BYTES  128 /* of a dotted key */
#define PARAM_BYTES 256

_Static_assert(JOB_TEXT_PARAMS_MAX == JOB_PARAMS_MAX, "params: ctrl/schema/job.yaml and job.h");
_Static_assert(
	sizeof(((struct job_text *)0)->name) == sizeof(((struct job_spec *)0)->name), "name");
_Static_assert(sizeof(((struct job_text *)0)->topics) == sizeof(((struct job_record *)0)->topics),
	"topics");
_Static_assert(sizeof(((struct job_text *)0)->function_plugin) ==
		       sizeof(((struct job_record *)0)->plugin_path),
	"function.plugin");
_Static_assert(sizeof(((struct job_text *)0)->function_builtin) ==
		       sizeof(((struct job_record *)0)->builtin),
	"function.builtin");

struct job_parser {
	struct yaml_doc doc;
	struct job_record *job;
	struct job_text values;
	bool seen[JOB_TEXT_KEY_COUNT];
};

static int
parse_params(struct job_parser *p, struct fy_node *node)
{
	struct job_record *job = p->job;
	struct fy_node_pair *pair;
	char text[PARAM_BYTES];
	void *at = NULL;
	int err = 0;

	if (!fy_node_is_mapping(node)) {
		return yaml_doc_complain(&p->doc, node, "params: want names with values");
	}
	while (err == 0 && (pair = fy_node_mapping_iterate(node, &at)) != NULL) {
		uint32_t i = job->spec.param_count;

		if (i == JOB_PARAMS_MAX) {
			return yaml_doc_complain(&p->doc, fy_node_pair_key(pair), "params: at most %d",
				JOB_PARAMS_MAX);
		}
		err = yaml_doc_scalar(&p->doc, fy_node_pair_key(pair), text, sizeof(text));
		job->params[2 * i] = err ? NULL : strdup(text);
		err = err ? err : yaml_doc_scalar(&p->doc, fy_node_pair_value(pair), text, sizeof(text));
		job->params[2 * i + 1] = err ? NULL : strdup(text);
		if (err == 0 && (!job->params[2 * i] || !job->params[2 * i + 1])) {
			err = -ENOMEM;
		}
		job->spec.param_count++;
	}
	return err;
}

static int
parse_scalar(struct job_parser *p, const struct config_key *key, struct fy_node *node)
{
	char text[YAML_SCALAR_BYTES_MAX];
	char why[256];
	int err = yaml_doc_scalar(&p->doc, node, text, sizeof(text));

	if (err == 0 && config_key_parse(key, &p->values, text, why, sizeof(why)) != 0) {
		err = yaml_doc_complain(&p->doc, node, "%s: \"%.64s\": %s", key->name, text, why);
	}
	return err;
}

static int
parse_key(struct job_parser *p, const struct config_key *key, struct fy_node *node)
{
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	p->seen[key - job_text_keys] = true;
	if (key->type == CONFIG_MAP) {
		return parse_params(p, node);
	}
	if (key->list_max == 0) {
		return parse_scalar(p, key, node);
	}
	if (!fy_node_is_sequence(node)) {
		return yaml_doc_complain(&p->doc, node, "%s: want a list", key->name);
	}
	config_key_clear(key, &p->values);
	while (err == 0 && (item = fy_node_sequence_iterate(node, &at)) != NULL) {
		err = parse_scalar(p, key, item);
	}
	return err;
}

struct lookup {
	struct value_nearest nearest;
	bool section; /* keys lie beneath the name */
	char sections[JOB_TEXT_KEY_COUNT][PATH_BYTES];
};

/* The key of this dotted name; NULL: none. */
static const struct config_key *
find_key(const char *name, struct lookup *lookup)
{
	lookup->section = false;
	value_nearest_init(&lookup->nearest, name);
	for (uint32_t i = 0; i < JOB_TEXT_KEY_COUNT; i++) {
		const char *known = job_text_keys[i].name;
		const char *dot = strchr(known, '.');

		if (strcmp(known, name) == 0) {
			return &job_text_keys[i];
		}
		value_nearest_offer(&lookup->nearest, known);
		if (dot) {
			snprintf(
				lookup->sections[i], PATH_BYTES, "%.*s", (int)(dot - known), known);
			lookup->section = lookup->section || strcmp(lookup->sections[i], name) == 0;
			value_nearest_offer(&lookup->nearest, lookup->sections[i]);
		}
	}
	return NULL;
}

static int parse_mapping(struct job_parser *p, struct fy_node *mapping, const char *prefix);

static int
parse_pair(struct job_parser *p, struct fy_node_pair *pair, const char *prefix)
{
	struct fy_node *name_node = fy_node_pair_key(pair);
	struct fy_node *node = fy_node_pair_value(pair);
	struct lookup lookup;
	char word[PATH_BYTES / 2 - 1];
	char name[PATH_BYTES];
	int err = yaml_doc_scalar(&p->doc, name_node, word, sizeof(word));

	if (err) {
		return err;
	}
	snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", word);
	const struct config_key *key = find_key(name, &lookup);

	if (!key && !lookup.section) {
		return yaml_doc_complain(&p->doc, name_node, "unknown key \"%s\"%s%s", name,
			lookup.nearest.count ? "; nearest: " : "",
			lookup.nearest.count ? lookup.nearest.names[0] : "");
	}
	if (!node || yaml_doc_line(node) == 0) {
		return yaml_doc_complain(&p->doc, name_node, "%s: no value", name);
	}
	if (key) {
		return parse_key(p, key, node);
	}
	if (!fy_node_is_mapping(node)) {
		return yaml_doc_complain(&p->doc, node, "%s: want a mapping", name);
	}
	return parse_mapping(p, node, name);
}

static int
parse_mapping(struct job_parser *p, struct fy_node *mapping, const char *prefix)
{
	struct fy_node_pair *pair;
	void *at = NULL;
	int err = 0;

	while (err == 0 && (pair = fy_node_mapping_iterate(mapping, &at)) != NULL) {
		err = parse_pair(p, pair, prefix);
	}
	return err;
}

static int
parse_document(struct job_parser *p)
{
	struct fy_node *root = yaml_doc_root(&p->doc);
	int err;

	if (!root || !fy_node_is_mapping(root)) {
		return yaml_doc_complain(
			&p->doc, root, "want a mapping: name, topics, function ...");
	}
	err = parse_mapping(p, root, "");
	for (uint32_t i = 0; i < JOB_TEXT_KEY_COUNT && err == 0; i++) {
		if (job_text_required[i] && !p->seen[i]) {
			err = yaml_doc_complain(
				&p->doc, root, "%s is missing", job_text_keys[i].name);
		}
	}
	if (err == 0 &&
		(p->values.function_plugin[0] != '\0') == (p->values.function_builtin[0] != '\0')) {
		err = yaml_doc_complain(
			&p->doc, root, "function: want either {plugin: PATH} or {builtin: NAME}");
	}
	return err;
}

/* What the text said, in the record's and the batcher's words. */
static void
take_values(struct job_record *job, const struct job_text *t, const struct config *config)
{
	struct job_spec *spec = &job->spec;

	memcpy(spec->name, t->name, sizeof(spec->name));
	memcpy(job->topics, t->topics, sizeof(job->topics));
	memcpy(job->plugin_path, t->function_plugin, sizeof(job->plugin_path));
	memcpy(job->builtin, t->function_builtin, sizeof(job->builtin));
	job->allow_nondurable_source = t->allow_nondurable_source;
	spec->source_count = t->topics_count;
	spec->start = t->start == JOB_TEXT_START_EARLIEST ? JOB_START_EARLIEST : JOB_START_LATEST;
	spec->batch_interval_ns =
		t->batch_interval_ns ? t->batch_interval_ns : config->batcher_interval_ns;
	spec->time = t->time == JOB_TEXT_TIME_EVENT ? JOB_TIME_EVENT : JOB_TIME_INGEST;
	spec->window = t->window_kind == JOB_TEXT_WINDOW_KIND_TUMBLING ? JOB_WINDOW_TUMBLING
								       : JOB_WINDOW_NONE;
	spec->window_size_ms = t->window_size_ns / NS_PER_MS;
	spec->window_offset_ms = (int64_t)(t->window_offset_ns / NS_PER_MS);
	spec->out_of_orderness_ms = t->out_of_orderness_ns / NS_PER_MS;
	spec->idle_timeout_ms = t->idle_timeout_ns / NS_PER_MS;
	spec->idle_close_ms = t->idle_close_ns / NS_PER_MS;
	spec->max_future_ms = t->max_future_ns / NS_PER_MS;
	spec->task_timeout_ns =
		t->task_timeout_ns ? t->task_timeout_ns : config->batcher_task_timeout_ns;
	spec->task_attempts = t->task_attempts;
	spec->sink_print = t->sinks_count > 0;
	spec->params = (const char *const *)job->params;
}

int
job_text_parse(const char *text, const struct config *config, struct job_record *job,
	char *ret_report, size_t report_bytes)
{
	struct job_parser parser = {.job = job};
	int err;

	job_spec_init(&job->spec);
	for (uint32_t i = 0; i < JOB_TEXT_KEY_COUNT; i++) {
		if (job_text_keys[i].type != CONFIG_MAP) {
			config_key_default(&job_text_keys[i], &parser.values, false);
		}
	}
	err = yaml_doc_open(&parser.doc, "job", text, ret_report, report_bytes);
	if (err) {
		return err;
	}
	err = parse_document(&parser);
	take_values(job, &parser.values, config);
	yaml_doc_close(&parser.doc);
	return err;
}
