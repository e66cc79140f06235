/* SPDX-License-Identifier: Apache-2.0 */
/* What a job takes of memory, all of it when it is made. See job.h. */
#include <errno.h>
#include <stdlib.h>
#include "batcher/job.h"

int
job_memory_create(struct job *job)
{
	struct worker_task *t = &job->task.inner;
	uint32_t partitions = job->partition_count;
	/* Kinds whose windows follow the batch clock have one window open, two across a boundary.
	 */
	uint32_t windows =
		job->spec.window == JOB_WINDOW_TUMBLING && job->spec.time == JOB_TIME_EVENT
			? job->spec.open_windows_max
			: 2;

	if ((uint64_t)windows * partitions > JOB_RANGES_MAX) {
		return -ENOMEM;
	}
	job->watermark.partitions = calloc(partitions, sizeof(*job->watermark.partitions));
	job->exclusions = calloc(JOB_EXCLUSIONS_MAX, sizeof(*job->exclusions));
	job->slice_of = calloc(partitions, sizeof(*job->slice_of));
	t->slices = calloc(partitions, sizeof(*t->slices));
	t->exclusions = calloc(JOB_EXCLUSIONS_MAX, sizeof(*t->exclusions));
	t->output = malloc(job->spec.output_bytes_max);
	if (!job->watermark.partitions || !job->exclusions || !job->slice_of || !t->slices ||
		!t->exclusions || !t->output || fiber_create(&t->fiber)) {
		return -ENOMEM;
	}
	return window_set_create(&job->windows, windows, partitions);
}

void
job_memory_destroy(struct job *job)
{
	struct worker_task *t = &job->task.inner;

	window_set_destroy(&job->windows);
	fiber_destroy(t->fiber);
	free(t->output);
	free(t->exclusions);
	free(t->slices);
	free(job->slice_of);
	free(job->exclusions);
	free(job->watermark.partitions);
	free(job->partitions);
}
