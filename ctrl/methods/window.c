/* SPDX-License-Identifier: Apache-2.0 */
/* window.list: the batcher's published history of one job. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/body.h"
#include "ctrl/methods/job.h"

#define WINDOWS_MAX 256

static const char *const reason_names[] = {"microbatch", "on_time", "late", "early", "final"};

/* `payload`: the asker may see what the function made of records' keys and values. */
static json_t *
window_json(const struct window_row *w, bool payload)
{
	json_t *rows = json_array();
	char digest[20];

	for (uint32_t i = 0; payload && i < w->print_count; i++) {
		json_array_append_new(rows, problem_string(w->print_rows[i]));
	}
	snprintf(digest, sizeof(digest), "%016" PRIx64, w->digest);
	return json_pack("{s:I,s:I,s:I,s:I,s:i,s:s,s:I,s:I,s:I,s:s,s:o}", "sequence",
		(json_int_t)w->sequence, "start_ms", (json_int_t)w->start_ms, "end_ms",
		(json_int_t)w->end_ms, "records", (json_int_t)w->record_count, "firing", (int)w->firing,
		"reason", w->reason < 5 ? reason_names[w->reason] : "other", "batch_sequence",
		(json_int_t)w->batch_sequence, "fired_ms", (json_int_t)w->fired_wall_ms, "busy_us",
		(json_int_t)(w->busy_ns / NS_PER_US), "digest", digest, "rows", rows);
}

METHOD_BODY(window_list)
{
	const struct engine *engine = body_engine(call);
	bool payload = rpc_call_role(call) >= RPC_ROLE_OPERATOR;
	struct window_row *rows;
	json_t *windows;
	uint32_t count;
	uint32_t job;

	if (job_find(call, params->job, &job) != 0) {
		return;
	}
	rows = calloc(WINDOWS_MAX, sizeof(*rows));
	if (!rows) {
		rpc_call_no_memory(call, "window.list");
		return;
	}
	windows = json_array();
	count = batcher_windows(engine->batcher, job, params->since, rows, params->limit);
	for (uint32_t i = 0; i < count; i++) {
		json_array_append_new(windows, window_json(&rows[i], payload));
	}
	free(rows);
	rpc_call_result(call, json_pack("{s:o,s:b}", "windows", windows, "rows_hidden", !payload));
}
