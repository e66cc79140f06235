/* SPDX-License-Identifier: Apache-2.0 */
/* A job as control keeps it: what its text said, and what must live as long as the batcher runs it. */
#ifndef CTRL_METHODS_JOB_H
#define CTRL_METHODS_JOB_H

#include "batcher/worker/plugin.h"
#include "ctrl/methods/body.h"

#define JOB_PARAMS_MAX 64

struct job_record {
	uint64_t id; /* the batcher's; 0 until it has taken the job */
	struct job_spec spec;
	struct plugin plugin; /* handle NULL: a builtin */
	char plugin_path[512];
	char builtin[64];
	bool allow_nondurable_source;
	char topics[BATCHER_SOURCES_MAX][HANDOFF_TOPIC_NAME_MAX + 1];
	char *params[2 * JOB_PARAMS_MAX]; /* name, value ...; ours */
};

/* job_text.c: the YAML of a job -> names and numbers of the record, not yet topics and function. */
int job_text_parse(const char *text, const struct config *config, struct job_record *job,
	char *ret_report, size_t report_bytes);
/*
 * job_prepare.c: the whole check of a job's text; the record is ready for the batcher. False after
 * having answered what is wrong and what mends it.
 */
bool job_prepare(struct rpc_call *call, const char *text, struct job_record *job);
void job_record_free(struct job_record *job);
/* The batcher's index of a job; -ENOENT after having answered not_found. */
int job_find(struct rpc_call *call, const char *name, uint32_t *ret_job);

#endif
