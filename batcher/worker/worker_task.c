/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a window function may ask of its task and what it emits. Worker lcore, inside process() (the
 * job's name and parameters also in open()). Emitted records are copied into the task's own buffer;
 * the batcher gives them to the sinks only if the call succeeds.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "batcher/worker/worker_task.h"

#define OUTPUT_BYTES_FIRST 32   /* of the first struct penstock_output */
#define OUTPUT_BYTES_MAX   4096 /* more is no struct: we look at all of it */

_Static_assert(sizeof(struct penstock_output) >= OUTPUT_BYTES_FIRST, "outputs only grow");

void
worker_task_fill(void *ret_struct, size_t caller_bytes, const void *source, size_t source_bytes)
{
	uint32_t filled = (uint32_t)(caller_bytes < source_bytes ? caller_bytes : source_bytes);

	memset(ret_struct, 0, caller_bytes);
	memcpy(ret_struct, source, filled);
	if (caller_bytes >= sizeof(filled)) {
		memcpy(ret_struct, &filled, sizeof(filled));
	}
}

void
penstock_task_info_sized(
	const struct penstock_task *task, struct penstock_task_info *ret_info, size_t info_bytes)
{
	worker_task_fill(ret_info, info_bytes, &task->inner.info, sizeof(task->inner.info));
}

const char *
penstock_job_name(const struct penstock_job *job)
{
	return job->name;
}

const char *
penstock_job_param(const struct penstock_job *job, const char *name)
{
	for (uint32_t i = 0; i < job->param_count; i++) {
		if (strcmp(job->params[2 * i], name) == 0) {
			return job->params[2 * i + 1];
		}
	}
	return NULL;
}

uint32_t
penstock_slice_count(const struct penstock_task *task)
{
	return task->inner.slice_count;
}

int
penstock_slice_get_sized(const struct penstock_task *task, uint32_t index,
	struct penstock_slice *ret_slice, size_t slice_bytes)
{
	const struct worker_task *t = &task->inner;

	if (index >= t->slice_count) {
		return -EINVAL;
	}
	const struct task_slice *slice = &t->slices[index];
	uint32_t extent_count = 0;

	for (uint32_t i = 0; i < t->extent_count; i++) {
		extent_count += t->extents[i].slice == index;
	}
	const struct penstock_slice filled = {
		.topic = slice->topic,
		.partition = slice->partition,
		.extent_count = extent_count,
		.from = slice->from,
		.until = slice->until,
	};

	worker_task_fill(ret_slice, slice_bytes, &filled, sizeof(filled));
	return 0;
}

static int32_t
output_present(int32_t len)
{
	return len < 0 ? 0 : len;
}

/* Room for one record's head and key; the value may use *ret_room bytes behind it. NULL: full. */
static uint8_t *
output_begin(struct worker_task *t, const void *key, int32_t key_len, uint64_t *ret_room)
{
	uint64_t left = t->output_bytes_max - t->output_bytes;
	uint64_t head = sizeof(struct task_output) + (uint64_t)output_present(key_len);

	if (left < head) {
		return NULL;
	}
	uint8_t *at = t->output + t->output_bytes;

	if (key_len > 0) {
		memcpy(at + sizeof(struct task_output), key, (size_t)key_len);
	}
	*ret_room = left - head;
	return at + head;
}

static void
output_end(struct worker_task *t, int32_t key_len, int32_t value_len)
{
	struct task_output head = {.key_len = key_len, .value_len = value_len};

	memcpy(t->output + t->output_bytes, &head, sizeof(head));
	t->output_bytes += sizeof(head) + (uint64_t)output_present(key_len) +
			   (uint64_t)output_present(value_len);
	t->output_records++;
}

/*
 * The caller's output in our length: what an older plug-in lacks is not given; what a newer one gives
 * and we do not know is refused. False: refused.
 */
static bool
output_fit(const struct penstock_output *theirs, struct penstock_output *ret_ours)
{
	const uint8_t *bytes = (const uint8_t *)theirs;
	uint32_t known = theirs->struct_bytes;

	for (; known > sizeof(*ret_ours); known--) {
		if (bytes[known - 1] != 0) {
			return false;
		}
	}
	*ret_ours = (struct penstock_output){0};
	memcpy(ret_ours, theirs, known);
	return ret_ours->reserved == 0;
}

int
penstock_emit(struct penstock_task *task, uint32_t sink, const struct penstock_output *output)
{
	struct worker_task *t = &task->inner;
	struct penstock_output o;
	uint64_t room;

	if (sink != PENSTOCK_SINKS_ALL || output->struct_bytes < OUTPUT_BYTES_FIRST ||
		output->struct_bytes > OUTPUT_BYTES_MAX) {
		return -EINVAL;
	}
	if (!output_fit(output, &o)) {
		return -ENOTSUP;
	}
	if (o.key_len < -1 || o.value_len < -1 || (o.key_len > 0 && !o.key) ||
		(o.value_len > 0 && !o.value)) {
		return -EINVAL;
	}
	uint8_t *at = output_begin(t, o.key, o.key_len, &room);

	if (!at || room < (uint64_t)output_present(o.value_len)) {
		return -ENOBUFS;
	}
	if (o.value_len > 0) {
		memcpy(at, o.value, (size_t)o.value_len);
	}
	output_end(t, o.key_len, o.value_len);
	return 0;
}

int
penstock_emit_text(struct penstock_task *task, const char *key, const char *format, ...)
{
	struct worker_task *t = &task->inner;
	int32_t key_len = key ? (int32_t)strlen(key) : -1;
	uint64_t room;
	uint8_t *at = output_begin(t, key, key_len, &room);
	va_list args;

	if (!at) {
		return -ENOBUFS;
	}
	va_start(args, format);
	int n = vsnprintf((char *)at, room, format, args);
	va_end(args);
	if (n < 0) {
		return -EINVAL;
	}
	if ((uint64_t)n >= room) { /* the NUL was part of it */
		return -ENOBUFS;
	}
	output_end(t, key_len, n);
	return 0;
}

bool
worker_task_output(const struct worker_task *task, uint64_t *position,
	struct task_output *ret_output, const uint8_t **ret_key, const uint8_t **ret_value)
{
	if (*position >= task->output_bytes) {
		return false;
	}
	const uint8_t *at = task->output + *position;

	memcpy(ret_output, at, sizeof(*ret_output));
	at += sizeof(*ret_output);
	*ret_key = ret_output->key_len < 0 ? NULL : at;
	at += output_present(ret_output->key_len);
	*ret_value = ret_output->value_len < 0 ? NULL : at;
	at += output_present(ret_output->value_len);
	*position = (uint64_t)(at - task->output);
	return true;
}
