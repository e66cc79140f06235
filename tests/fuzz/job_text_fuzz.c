/* SPDX-License-Identifier: Apache-2.0 */
/* A job's YAML: what is refused says why; what is taken keeps its ranges and can be judged. */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "ctrl/methods/job.h"
#include "fuzz/fuzz.h"

static int
no_function(void *user, struct penstock_task *task)
{
	return 0;
}

static void
fuzz_taken(struct job_record *job)
{
	static const struct penstock_worker function = {.process = no_function};
	struct job_spec *spec = &job->spec;
	char text[512];
	const char *wrong;

	ensure((job->plugin_path[0] != '\0') != (job->builtin[0] != '\0'));
	ensure(spec->source_count <= BATCHER_SOURCES_MAX);
	ensure(spec->param_count <= JOB_PARAMS_MAX);
	for (uint32_t i = 0; i < 2 * spec->param_count; i++) {
		ensure(job->params[i] != NULL);
	}
	ensure(strnlen(spec->name, sizeof(spec->name)) < sizeof(spec->name));
	for (uint32_t i = 0; i < spec->source_count; i++) {
		ensure(strnlen(job->topics[i], sizeof(job->topics[i])) < sizeof(job->topics[i]));
	}
	spec->function = &function;
	wrong = job_spec_check(spec, text, sizeof(text));
	ensure(!wrong || wrong[0] != '\0');
	if (!wrong && spec->window == JOB_WINDOW_TUMBLING) {
		ensure(spec->window_size_ms > 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct config *config = calloc(1, sizeof(*config));
	struct job_record *job = calloc(1, sizeof(*job));
	char *text = calloc(1, len + 1);
	char report[1024] = "";

	ensure(config != NULL);
	ensure(job != NULL);
	ensure(text != NULL);
	memcpy(text, bytes, len);
	config->batcher_interval_ns = NS_PER_S;
	if (job_text_parse(text, config, job, report, sizeof(report)) != 0) {
		ensure(report[0] != '\0');
	} else {
		fuzz_taken(job);
	}
	job_record_free(job);
	free(text);
	free(config);
	return 0;
}
