/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a job, strict YAML:
 *   name: delays
 *   topics: [flights]
 *   start: earliest                        # or latest
 *   batch_interval: 100ms
 *   time: event                            # or ingest
 *   window: {kind: tumbling, size: 1d, offset: 0s}
 *   out_of_orderness: 1h
 *   idle_timeout: 10s
 *   function: {plugin: /path/delays.so}    # or {builtin: count}
 *   params: {top: "5"}
 *   sinks: [print]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/job.h"
#include "ctrl/schema/value.h"
#include "ctrl/schema/yaml_doc.h"

static const char *const words[] = {"name", "topics", "start", "batch_interval", "time", "window",
	"out_of_orderness", "idle_timeout", "idle_close", "max_future", "task_timeout", "task_attempts",
	"function", "params", "sinks", "window.kind", "window.size", "window.offset",
	"function.plugin", "function.builtin"};

struct job_parser {
	struct yaml_doc doc;
	struct job_record *job;
};

static int
parse_word(struct job_parser *p, struct fy_node *node, const char *const *values, int *ret_index)
{
	char text[64];
	int err = yaml_doc_scalar(&p->doc, node, text, sizeof(text));

	if (err) {
		return err;
	}
	for (int i = 0; values[i]; i++) {
		if (strcmp(values[i], text) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return yaml_doc_complain(&p->doc, node, "\"%s\": want %s or %s", text, values[0], values[1]);
}

static int
parse_duration(struct job_parser *p, struct fy_node *node, uint64_t *ret_ns)
{
	char text[64];
	int err = yaml_doc_scalar(&p->doc, node, text, sizeof(text));

	if (err == 0 && value_parse_duration(text, ret_ns) != 0) {
		err = yaml_doc_complain(&p->doc, node, "\"%s\": want a duration like 50ms, 10s, 1h, 7d", text);
	}
	return err;
}

static int
parse_duration_ms(struct job_parser *p, struct fy_node *node, uint64_t *ret_ms)
{
	uint64_t ns = 0;
	int err = parse_duration(p, node, &ns);

	if (err == 0 && ns % NS_PER_MS != 0) {
		err = yaml_doc_complain(&p->doc, node, "want whole milliseconds");
	}
	*ret_ms = ns / NS_PER_MS;
	return err;
}

static int
parse_topics(struct job_parser *p, struct fy_node *node)
{
	struct job_record *job = p->job;
	struct fy_node *item;
	void *at = NULL;
	int err = 0;

	if (!fy_node_is_sequence(node)) {
		return yaml_doc_complain(&p->doc, node, "topics: want a list");
	}
	while (err == 0 && (item = fy_node_sequence_iterate(node, &at)) != NULL) {
		if (job->spec.source_count == BATCHER_SOURCES_MAX) {
			return yaml_doc_complain(&p->doc, item, "topics: at most %d", BATCHER_SOURCES_MAX);
		}
		err = yaml_doc_scalar(&p->doc, item, job->topics[job->spec.source_count++],
			sizeof(job->topics[0]));
	}
	return err;
}

static int
parse_params(struct job_parser *p, struct fy_node *node)
{
	struct job_record *job = p->job;
	struct fy_node_pair *pair;
	char text[JOB_TEXT_BYTES];
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
parse_sinks(struct job_parser *p, struct fy_node *node)
{
	static const char *const sinks[] = {"print", "print", NULL};
	struct fy_node *item;
	void *at = NULL;
	int ignored;
	int err = 0;

	if (!fy_node_is_sequence(node)) {
		return yaml_doc_complain(&p->doc, node, "sinks: want a list; this version has print");
	}
	while (err == 0 && (item = fy_node_sequence_iterate(node, &at)) != NULL) {
		err = parse_word(p, item, sinks, &ignored);
		p->job->spec.sink_print = true;
	}
	return err;
}

static int
parse_u32(struct job_parser *p, struct fy_node *node, uint32_t *ret_value)
{
	char text[32];
	uint64_t value = 0;
	int err = yaml_doc_scalar(&p->doc, node, text, sizeof(text));

	if (err == 0 && (value_parse_u64(text, &value) != 0 || value > UINT32_MAX)) {
		err = yaml_doc_complain(&p->doc, node, "\"%s\": want a number", text);
	}
	*ret_value = (uint32_t)value;
	return err;
}

static int
parse_offset(struct job_parser *p, struct fy_node *node, int64_t *ret_ms)
{
	uint64_t ms = 0;
	int err = parse_duration_ms(p, node, &ms);

	*ret_ms = (int64_t)ms;
	return err;
}

static int
walk_words(struct job_parser *p, struct fy_node *mapping, const char *prefix);

/* One key; which: index into words. */
static int
parse_key(struct job_parser *p, const char *word, struct fy_node *node)
{
	static const char *const starts[] = {"latest", "earliest", NULL};
	static const char *const times[] = {"ingest", "event", NULL};
	static const char *const kinds[] = {"none", "tumbling", NULL};
	struct job_record *job = p->job;
	struct job_spec *spec = &job->spec;
	int index = 0;
	int err;

	if (strcmp(word, "name") == 0) {
		return yaml_doc_scalar(&p->doc, node, spec->name, sizeof(spec->name));
	} else if (strcmp(word, "topics") == 0) {
		return parse_topics(p, node);
	} else if (strcmp(word, "start") == 0) {
		err = parse_word(p, node, starts, &index);
		spec->start = index ? JOB_START_EARLIEST : JOB_START_LATEST;
		return err;
	} else if (strcmp(word, "time") == 0) {
		err = parse_word(p, node, times, &index);
		spec->time = index ? JOB_TIME_EVENT : JOB_TIME_INGEST;
		return err;
	} else if (strcmp(word, "window.kind") == 0) {
		err = parse_word(p, node, kinds, &index);
		spec->window = index ? JOB_WINDOW_TUMBLING : JOB_WINDOW_NONE;
		return err;
	} else if (strcmp(word, "batch_interval") == 0) {
		return parse_duration(p, node, &spec->batch_interval_ns);
	} else if (strcmp(word, "window.size") == 0) {
		return parse_duration_ms(p, node, &spec->window_size_ms);
	} else if (strcmp(word, "window.offset") == 0) {
		return parse_offset(p, node, &spec->window_offset_ms);
	} else if (strcmp(word, "out_of_orderness") == 0) {
		return parse_duration_ms(p, node, &spec->out_of_orderness_ms);
	} else if (strcmp(word, "idle_timeout") == 0) {
		return parse_duration_ms(p, node, &spec->idle_timeout_ms);
	} else if (strcmp(word, "idle_close") == 0) {
		return parse_duration_ms(p, node, &spec->idle_close_ms);
	} else if (strcmp(word, "max_future") == 0) {
		return parse_duration_ms(p, node, &spec->max_future_ms);
	} else if (strcmp(word, "task_timeout") == 0) {
		return parse_duration(p, node, &spec->task_timeout_ns);
	} else if (strcmp(word, "task_attempts") == 0) {
		return parse_u32(p, node, &spec->task_attempts);
	} else if (strcmp(word, "function.plugin") == 0) {
		return yaml_doc_scalar(&p->doc, node, job->plugin_path, sizeof(job->plugin_path));
	} else if (strcmp(word, "function.builtin") == 0) {
		return yaml_doc_scalar(&p->doc, node, job->builtin, sizeof(job->builtin));
	} else if (strcmp(word, "params") == 0) {
		return parse_params(p, node);
	} else if (strcmp(word, "sinks") == 0) {
		return parse_sinks(p, node);
	}
	if (!fy_node_is_mapping(node)) {
		return yaml_doc_complain(&p->doc, node, "%s: want a mapping", word);
	}
	return walk_words(p, node, word);
}

static int
parse_pair(struct job_parser *p, struct fy_node_pair *pair, const char *prefix)
{
	struct value_nearest nearest;
	char word[64];
	char full[128];
	int err = yaml_doc_scalar(&p->doc, fy_node_pair_key(pair), word, sizeof(word));

	if (err) {
		return err;
	}
	snprintf(full, sizeof(full), "%s%s%s", prefix, *prefix ? "." : "", word);
	value_nearest_init(&nearest, full);
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if (strcmp(words[i], full) == 0) {
			if (!fy_node_pair_value(pair)) {
				return yaml_doc_complain(&p->doc, fy_node_pair_key(pair), "%s: no value", full);
			}
			return parse_key(p, full, fy_node_pair_value(pair));
		}
		value_nearest_offer(&nearest, words[i]);
	}
	return yaml_doc_complain(&p->doc, fy_node_pair_key(pair), "unknown key \"%s\"%s%s", full,
		nearest.count ? "; nearest: " : "", nearest.count ? nearest.names[0] : "");
}

static int
walk_words(struct job_parser *p, struct fy_node *mapping, const char *prefix)
{
	struct fy_node_pair *pair;
	void *at = NULL;
	int err = 0;

	while (err == 0 && (pair = fy_node_mapping_iterate(mapping, &at)) != NULL) {
		err = parse_pair(p, pair, prefix);
	}
	return err;
}

int
job_text_parse(const char *text, const struct config *config, struct job_record *job,
	char *ret_report, size_t report_bytes)
{
	struct job_parser parser = {.job = job};
	struct fy_node *root;
	int err;

	job_spec_init(&job->spec);
	job->spec.batch_interval_ns = config->batcher_interval_ns;
	if (config->batcher_task_timeout_ns) {
		job->spec.task_timeout_ns = config->batcher_task_timeout_ns;
	}
	err = yaml_doc_open(&parser.doc, "job", text, ret_report, report_bytes);
	if (err) {
		return err;
	}
	root = yaml_doc_root(&parser.doc);
	if (!root || !fy_node_is_mapping(root)) {
		err = yaml_doc_complain(&parser.doc, root, "want a mapping: name, topics, function ...");
	} else {
		err = walk_words(&parser, root, "");
	}
	if (err == 0 && (job->plugin_path[0] != '\0') == (job->builtin[0] != '\0')) {
		err = yaml_doc_complain(&parser.doc, root,
			"function: want either {plugin: PATH} or {builtin: NAME}");
	}
	job->spec.params = (const char *const *)job->params;
	yaml_doc_close(&parser.doc);
	return err;
}
