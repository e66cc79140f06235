/* SPDX-License-Identifier: Apache-2.0 */
/* The print and the callback sink. Batcher's lcore; they read the task's output and keep nothing.
 */
#include "batcher/sink/sink.h"

/* Appends printable bytes to a row; always leaves room for the NUL. Returns the new length. */
static uint32_t
sink_print_bytes(char *row, uint32_t len, const uint8_t *bytes, int32_t count)
{
	for (int32_t i = 0; i < count && len < BATCHER_PRINT_ROW_BYTES - 1; i++) {
		/* Bytes from 0x80 on are left alone: most likely UTF-8. */
		row[len++] = bytes[i] < 0x20 || bytes[i] == 0x7f ? '.' : (char)bytes[i];
	}
	return len;
}

uint64_t
sink_print(const struct worker_task *task, struct window_row *row)
{
	struct task_output output;
	const uint8_t *key;
	const uint8_t *value;
	uint64_t position = 0;

	row->print_count = 0;
	while (row->print_count < BATCHER_PRINT_ROWS_MAX &&
		worker_task_output(task, &position, &output, &key, &value)) {
		char *text = row->print_rows[row->print_count++];
		uint32_t len = sink_print_bytes(text, 0, key, output.key_len);

		if (key && value) {
			len = sink_print_bytes(text, len, (const uint8_t *)" ", 1);
		}
		len = sink_print_bytes(text, len, value, output.value_len);
		text[len] = '\0';
	}
	return task->output_records - row->print_count;
}

void
sink_call(const struct worker_task *task, job_sink_fn fn, void *user_data)
{
	struct task_output output;
	const uint8_t *key;
	const uint8_t *value;
	uint64_t position = 0;

	while (worker_task_output(task, &position, &output, &key, &value)) {
		fn(user_data, &task->info, key, output.key_len, value, output.value_len);
	}
}
