/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sinks of this version: `print` (rows that window.list and the CLI show) and `callback`
 * (in-process tests and benches). Both run on the batcher's lcore after a successful call of the
 * function. At least once: after a restart a window may be delivered again.
 */
#ifndef BATCHER_SINK_SINK_H
#define BATCHER_SINK_SINK_H

#include "batcher/batcher.h"
#include "batcher/worker/worker_task.h"

/*
 * Text of up to BATCHER_PRINT_ROWS_MAX outputs into row->print_rows: "key value", unprintable bytes
 * as '.', cut at the row's size. Returns how many outputs did not fit.
 */
uint64_t sink_print(const struct worker_task *task, struct window_row *row);
/* Calls fn for each output, in order. */
void sink_call(const struct worker_task *task, job_sink_fn fn, void *user_data);

#endif
