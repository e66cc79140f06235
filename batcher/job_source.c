/* SPDX-License-Identifier: Apache-2.0 */
/* The topics that a job reads, and their partitions. See job.h. */
#include <errno.h>
#include "batcher/job.h"

/* Appends the partitions of one source topic. -ENOENT, -EINVAL listed twice or too many. */
static int
source_add(struct job *job, uint32_t topic_index)
{
	const struct route_table *routes = job->batcher->options.routes;

	if (topic_index >= atomic_load_explicit(&routes->topic_count, memory_order_acquire)) {
		return -ENOENT;
	}
	struct route_topic *topic = &routes->topics[topic_index];

	if (route_state_acquire(&topic->state) != ROUTE_OPEN) {
		return -ENOENT;
	}
	for (uint32_t i = 0; i < topic->partition_count; i++) {
		const struct route_partition *route =
			&routes->partitions[topic->first_partition_index + i];

		if (job->partition_count == BATCHER_JOB_PARTITIONS_MAX) {
			return -EINVAL;
		}
		job->partitions[job->partition_count++] = (struct job_partition){
			.topic = topic->name,
			.partition = i,
			.index = topic->first_partition_index + i,
			.shard = route->shard,
		};
	}
	return 0;
}

int
job_source_add_all(struct job *job)
{
	const struct job_spec *spec = &job->spec;

	for (uint32_t i = 0; i < spec->source_count; i++) {
		for (uint32_t other = 0; other < i; other++) {
			if (spec->source_topics[other] == spec->source_topics[i]) {
				return -EINVAL;
			}
		}
		int rc = source_add(job, spec->source_topics[i]);

		if (rc) {
			return rc;
		}
	}
	return 0;
}

bool
job_source_deleted(struct job *job)
{
	const struct route_table *routes = job->batcher->options.routes;

	for (uint32_t i = 0; i < job->spec.source_count; i++) {
		struct route_topic *topic = &routes->topics[job->spec.source_topics[i]];

		if (unlikely(route_state_acquire(&topic->state) == ROUTE_DELETED)) {
			job_fail(job, -ENOENT,
				"source_deleted: topic \"%s\" was deleted; what the job had of "
				"it and not yet in a fired window is gone. fix: penstock "
				"job delete %s --yes, then create it over topics that exist",
				topic->name, job->spec.name);
			return true;
		}
	}
	return false;
}
