/* SPDX-License-Identifier: Apache-2.0 */
/* The whole path from a commit note to a sink, on small hand-made inputs. One thread, virtual time.
 */
#include <unistd.h>
#include "rig.h"
#include <limits.h>
#include "batcher/record_digest.h"

struct caught {
	uint32_t count;
	char text[64][64];
};

/* Callback sink: "start-end reason value". */
static void catch (void *user_data, const struct penstock_task_info *info, const void *key,
	int32_t key_len, const void *value, int32_t value_len)
{
	struct caught *caught = user_data;

	assert_true(caught->count < 64);
	(void)snprintf(caught->text[caught->count++], 64, "%lld-%lld %u %.*s",
		(long long)info->window_start_ms, (long long)info->window_end_ms, info->reason,
		(int)value_len, (const char *)value);
}

static struct job_spec
catching_spec(struct caught *caught, uint64_t size_ms)
{
	struct job_spec spec = rig_event_spec(plugin_builtin("count"), size_ms);

	spec.sink_callback = catch;
	spec.sink_user_data = caught;
	spec.sink_print = true;
	memset(caught, 0, sizeof(*caught));
	return spec;
}

static void
event_windows_fire_when_the_event_watermark_passes(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 2, .shards = 2});
	struct job_spec spec = catching_spec(&caught, 100);

	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 1000, 1010, 1099, 1100);
	RIG_APPEND(&rig, 1, 1005, 1050);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 0); /* W = 1050: partition 1 holds it back */
	assert_int_equal(rig_status(&rig, job).event_watermark_ms, 1050);
	assert_int_equal(rig_status(&rig, job).counters[JOB_open_records], 6);
	RIG_APPEND(&rig, 1, 1120);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 1);
	assert_string_equal(caught.text[0], "1000-1100 1 5");
	RIG_APPEND(&rig, 0, 1099, 1101); /* late, in time */
	rig_advance_ms(&rig, 1000);
	struct job_status status = rig_status(&rig, job);

	assert_int_equal(status.counters[JOB_late_records], 1);
	assert_int_equal(status.counters[JOB_window_records], 5);
	assert_int_equal(status.counters[JOB_open_records], 3);
	assert_int_equal(status.discard_digest, record_digest("k", 1, "v1099", 5));
	assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
	rig_settle(&rig);
	assert_int_equal(rig_status(&rig, job).state, JOB_DRAINED);
	assert_int_equal(caught.count, 2);
	assert_string_equal(caught.text[1], "1100-1200 4 3");
	rig_check_ledger(&rig, job);

	struct window_row rows[4];

	assert_int_equal(batcher_windows(rig.batcher, job, 0, rows, 4), 2);
	assert_int_equal(rows[0].record_count, 5);
	assert_int_equal(rows[0].sequence, 1);
	assert_int_equal(rows[0].print_count, 1);
	assert_string_equal(rows[0].print_rows[0], "count 5");
	assert_int_equal(rows[1].reason, PENSTOCK_FIRE_FINAL);
	assert_int_equal(rows[1].digest, record_digest("k", 1, "v1100", 5) +
						 record_digest("k", 1, "v1120", 5) +
						 record_digest("k", 1, "v1101", 5));
	assert_int_equal(batcher_windows(rig.batcher, job, 1, rows, 4), 1);
	assert_int_equal(rows[0].sequence, 2);
	assert_int_equal(rig_change(&rig, job, BATCHER_DELETE), 0);
	assert_int_equal(batcher_job_status(rig.batcher, job, &status), -ENOENT);
	rig_free(&rig);
}

static void
windows_of_ingest_time_are_whole_micro_batches_and_fire_empty(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	struct job_spec spec = catching_spec(&caught, 2000);

	spec.time = JOB_TIME_INGEST;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 7, -1, 99); /* no timestamp is no matter here */
	rig_advance_ms(&rig, 1000);     /* tick 1 of (0, 2] */
	RIG_APPEND(&rig, 0, 8);
	rig_advance_ms(&rig, 999);
	assert_int_equal(caught.count, 0);
	rig_advance_ms(&rig, 1); /* tick 2 closes it */
	assert_int_equal(caught.count, 1);
	assert_string_equal(caught.text[0], "1700000000000-1700000002000 1 4");
	rig_advance_ms(&rig, 1000);
	rig_advance_ms(&rig, 1000); /* nothing came: fires all the same */
	assert_int_equal(caught.count, 2);
	assert_string_equal(caught.text[1], "1700000002000-1700000004000 1 0");
	assert_int_equal(rig_status(&rig, job).counters[JOB_microbatches_empty], 2);
	RIG_APPEND(&rig, 0, 9);
	rig_advance_ms(&rig, 1000);
	rig_advance_ms(&rig, 3000); /* two ticks missed: one micro-batch at the latest */
	assert_int_equal(rig_status(&rig, job).counters[JOB_ticks_coalesced], 2);
	assert_string_equal(caught.text[2], "1700000004000-1700000006000 1 1");
	assert_string_equal(caught.text[3], "1700000006000-1700000008000 1 0");
	assert_int_equal(caught.count, 4);
	rig_check_ledger(&rig, job);
	rig_free(&rig);
}

static void
kind_none_calls_once_per_micro_batch_even_if_empty(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 2});
	struct job_spec spec = catching_spec(&caught, 1);

	spec.time = JOB_TIME_INGEST;
	spec.window = JOB_WINDOW_NONE;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 1, 2);
	RIG_APPEND(&rig, 1, 3);
	rig_advance_ms(&rig, 1000);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 2);
	assert_string_equal(caught.text[0], "1700000000000-1700000001000 0 3");
	assert_string_equal(caught.text[1], "1700000001000-1700000002000 0 0");
	rig_free(&rig);
}

static void
start_latest_and_durable_bound_what_is_read(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	struct job_spec spec = catching_spec(&caught, 100);

	spec.start = JOB_START_LATEST;
	RIG_APPEND(
		&rig, 0, 1, 2, 3); /* noted before the job, though not yet taken by the batcher */
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig.log.partitions[0].durable = 4;
	RIG_APPEND(&rig, 0, 10);
	RIG_APPEND(&rig, 0, 20);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(rig_status(&rig, job).counters[JOB_read_records], 1);
	rig.log.partitions[0].durable = -1;
	assert_true(fake_log_note(&rig.log, 0));
	rig_advance_ms(&rig, 1000);
	assert_int_equal(rig_status(&rig, job).counters[JOB_read_records], 2);
	rig_free(&rig);
}

static void
idle_partitions_leave_and_come_back_late(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 2});
	struct job_spec spec = catching_spec(&caught, 100);

	spec.idle_timeout_ms = 3000;
	spec.idle_close_ms = 0;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 10);
	RIG_APPEND(&rig, 1, 20);
	rig_advance_ms(&rig, 1000);
	for (int64_t t = 100; t < 400; t += 100) {
		RIG_APPEND(&rig, 0, t);
		rig_advance_ms(&rig, 1000);
	}
	/* Partition 1 was silent for 3 s: out of the minimum. */
	assert_int_equal(rig_status(&rig, job).event_watermark_ms, 300);
	assert_int_equal(caught.count, 3);
	RIG_APPEND(&rig, 1, 30, 350);
	rig_advance_ms(&rig, 1000);
	struct job_status status = rig_status(&rig, job);

	assert_int_equal(status.counters[JOB_late_records], 1);
	assert_int_equal(status.counters[JOB_late_after_idle], 1);
	assert_int_equal(status.event_watermark_ms, 300);
	RIG_APPEND(&rig, 1, 31);
	rig_advance_ms(&rig, 1000);
	status = rig_status(&rig, job);
	assert_int_equal(status.counters[JOB_late_records], 2);
	assert_int_equal(status.counters[JOB_late_after_idle], 1);
	rig_free(&rig);
}

static void
the_last_window_closes_when_all_is_idle(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	struct job_spec spec = catching_spec(&caught, 5000);

	spec.idle_timeout_ms = 2000;
	spec.idle_close_ms = 4000;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 100);
	for (int i = 0; i < 5; i++) {
		rig_advance_ms(&rig, 1000);
	}
	assert_int_equal(rig_status(&rig, job).event_watermark_ms, 4100); /* 100 + 4 s of silence */
	assert_int_equal(caught.count, 0);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 1);
	assert_string_equal(caught.text[0], "0-5000 1 1");
	rig_free(&rig);
}

static void
future_and_missing_timestamps_do_not_move_the_event_watermark(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	struct job_spec spec = catching_spec(&caught, 1000);

	spec.max_future_ms = 300;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	/* The cut's time is wall + 1,000: the limit falls into the window of 1,000. */
	RIG_APPEND(&rig, 0, RIG_WALL_MS + 1100, RIG_WALL_MS + 1301, -1, RIG_WALL_MS + 1300);
	rig_advance_ms(&rig, 1000);
	struct job_status status = rig_status(&rig, job);

	assert_int_equal(status.event_watermark_ms, RIG_WALL_MS + 1300);
	assert_int_equal(status.counters[JOB_future_records], 1);
	assert_int_equal(status.counters[JOB_no_timestamp_records], 1);
	RIG_APPEND(&rig, 0, RIG_WALL_MS + 1301, RIG_WALL_MS + 2000); /* in time by now */
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 1);
	assert_string_equal(caught.text[0], "1700000001000-1700000002000 1 3");
	rig_check_ledger(&rig, job);
	rig_free(&rig);
}

static void
a_wall_clock_that_steps_back_stops_the_ticks(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	struct job_spec spec = catching_spec(&caught, 1);

	spec.window = JOB_WINDOW_NONE;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 1);
	clock_fake_set_wall(&rig.clock, (uint64_t)(RIG_WALL_MS - 5000) * NS_PER_MS);
	for (int i = 0; i < 6; i++) {
		rig_advance_ms(&rig, 1000);
		assert_int_equal(caught.count, 1);
	}
	rig_advance_ms(&rig, 1000); /* caught up */
	assert_int_equal(caught.count, 2);
	assert_int_equal(rig_status(&rig, job).counters[JOB_clock_backward], 1);
	rig_free(&rig);
}

/* --- failures ------------------------------------------------------------------------------------
 */

struct fault {
	int results[8]; /* what the next calls return, then 0 */
	uint32_t calls;
	uint32_t attempts[8];
	int64_t now_ns;
	int open_result;
	uint32_t closed; /* close reason */
	bool read_all;
};

static int
fault_open(const struct penstock_job *job, void **ret_user)
{
	struct fault *fault;

	assert_string_equal(penstock_job_name(job), "job");
	assert_null(penstock_job_param(job, "nothing"));
	assert_int_equal(sscanf(penstock_job_param(job, "fault"), "%p", (void **)&fault), 1);
	*ret_user = fault;
	return fault->open_result;
}

static int
fault_process(void *user, struct penstock_task *task)
{
	struct fault *fault = user;
	struct penstock_task_info info;
	uint32_t call = fault->calls++;

	penstock_task_info(task, &info);
	assert_true(call < 8);
	fault->attempts[call] = info.attempt;
	assert_true(fault->now_ns == 0 || fault->now_ns == info.now_ns); /* the same in a retry */
	fault->now_ns = info.now_ns;
	if (fault->read_all) {
		struct penstock_record record;
		struct penstock_cursor cursor;
		int rc;

		penstock_cursor_open(&cursor, task);
		while ((rc = penstock_cursor_next(&cursor, &record)) == 1) {
		}
		if (rc) {
			return rc;
		}
	}
	assert_int_equal(penstock_emit_text(task, NULL, "call %u", call), 0);
	return fault->results[call];
}

static void
fault_close(void *user, enum penstock_close_reason reason)
{
	((struct fault *)user)->closed = reason;
}

static const struct penstock_worker fault_function = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "fault",
	.open = fault_open,
	.process = fault_process,
	.close = fault_close,
};

struct fault_rig {
	struct rig rig;
	struct fault fault;
	struct caught caught;
	struct job_spec spec;
	uint32_t job;
	char pointer[32];
	const char *params[2];
};

static void
fault_init(struct fault_rig *f, struct rig_options options)
{
	memset(f, 0, sizeof(*f));
	rig_init(&f->rig, options);
	f->spec = catching_spec(&f->caught, 100);
	f->spec.function = &fault_function;
	(void)snprintf(f->pointer, sizeof(f->pointer), "%p", (void *)&f->fault);
	f->params[0] = "fault";
	f->params[1] = f->pointer;
	f->spec.params = f->params;
	f->spec.param_count = 1;
}

static void
failed_attempts_are_repeated_with_the_same_ranges_then_the_job_fails(void **state)
{
	struct fault_rig f;

	fault_init(&f, (struct rig_options){.partitions = 1});
	memcpy(f.fault.results, (int[8]){-EIO, -EAGAIN, -EINVAL, 0, -EIO, 5, -EIO, -EPERM}, 32);
	f.spec.task_attempts = 4;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
	RIG_APPEND(&f.rig, 0, 1, 100);
	rig_advance_ms(&f.rig, 1000);
	for (int i = 0; i < 10; i++) {
		rig_advance_ms(&f.rig, 10);
	}
	assert_int_equal(f.fault.calls, 4);
	assert_memory_equal(f.fault.attempts, ((uint32_t[4]){1, 2, 2, 3}), 16); /* EAGAIN is free */
	assert_int_equal(f.caught.count, 1);
	assert_string_equal(
		f.caught.text[0], "0-100 1 call 3"); /* the failed ones' output is gone */
	f.fault.now_ns = 0;
	RIG_APPEND(&f.rig, 0, 200);
	rig_advance_ms(&f.rig, 900);
	for (int i = 0; i < 10; i++) {
		rig_advance_ms(&f.rig, 10);
	}
	struct job_status status = rig_status(&f.rig, f.job);

	assert_int_equal(status.state, JOB_FAILED);
	assert_int_equal(status.error, -EPERM);
	assert_non_null(strstr(status.reason, "failed 4 times on window [100, 200)"));
	assert_int_equal(status.counters[JOB_task_failures], 6);
	assert_int_equal(status.counters[JOB_task_retries], 1);
	assert_int_equal(f.fault.closed, PENSTOCK_CLOSE_FAILED);
	assert_int_equal(f.rig.log.pins, 0);
	assert_int_equal(rig_change(&f.rig, f.job, BATCHER_DRAIN), -EPERM);
	assert_int_equal(rig_change(&f.rig, f.job, BATCHER_DELETE), 0);
	rig_free(&f.rig);
}

static void
a_result_that_is_no_errno_is_a_broken_contract(void **state)
{
	static const int results[] = {7, -99999, INT_MIN};

	for (uint32_t i = 0; i < 3; i++) {
		struct fault_rig f;

		fault_init(&f, (struct rig_options){.partitions = 1});
		f.fault.results[0] = results[i];
		f.spec.task_attempts = 1;
		assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
		RIG_APPEND(&f.rig, 0, 1, 100);
		rig_advance_ms(&f.rig, 1000);
		assert_int_equal(rig_status(&f.rig, f.job).error, -EPROTO);
		assert_non_null(strstr(rig_status(&f.rig, f.job).reason, "EPROTO"));
		rig_free(&f.rig);
	}
}

static void
the_function_may_stop_the_job(void **state)
{
	struct fault_rig f;

	fault_init(&f, (struct rig_options){.partitions = 1});
	f.fault.results[0] = -ECANCELED;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
	RIG_APPEND(&f.rig, 0, 1, 100);
	rig_advance_ms(&f.rig, 1000);
	assert_int_equal(rig_status(&f.rig, f.job).state, JOB_FAILED);
	assert_int_equal(rig_status(&f.rig, f.job).error, -ECANCELED);
	rig_check_ledger(&f.rig, f.job);
	rig_free(&f.rig);
}

static void
a_failing_open_answers_the_create(void **state)
{
	struct fault_rig f;

	fault_init(&f, (struct rig_options){.partitions = 1});
	f.fault.open_result = -ENXIO;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), -ENXIO);
	f.fault.open_result = 0;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
	assert_int_equal(f.fault.closed, 0);
	rig_free(&f.rig);
	assert_int_equal(f.fault.closed, PENSTOCK_CLOSE_SHUTDOWN);
}

/* Many record batches of one window, more than one chapter of the smallest budget holds. */
static void
append_much(struct rig *rig, uint32_t batches)
{
	static const char filler[8000];
	uint8_t room[9000];

	for (uint32_t i = 0; i < batches; i++) {
		struct record_builder builder;

		record_builder_init(&builder, room, sizeof(room));
		ensure(!record_builder_add(&builder, 1, NULL, -1, filler, sizeof(filler)));
		fake_log_append(&rig->log, 0, room, record_builder_finish(&builder, -1, -1, -1));
	}
	ensure(fake_log_note(&rig->log, 0));
}

/* Polls until the function waits on its fiber for another chapter. */
static void
poll_until_suspended(struct fault_rig *f)
{
	append_much(&f->rig, 100);
	RIG_APPEND(&f->rig, 0, 100);
	clock_fake_advance(&f->rig.clock, NS_PER_S);
	while (f->fault.calls == 0) {
		(void)rig_poll(&f->rig);
	}
	assert_int_equal(f->caught.count, 0);
}

static void
a_job_is_deleted_while_its_function_waits_for_more(void **state)
{
	struct fault_rig f;
	struct job_status status;

	fault_init(&f, (struct rig_options){.partitions = 1, .pin_bytes_max = 1});
	f.fault.read_all = true;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
	poll_until_suspended(&f);
	assert_int_equal(rig_change(&f.rig, f.job, BATCHER_DELETE), 0);
	assert_int_equal(f.fault.closed, PENSTOCK_CLOSE_DELETED);
	assert_int_equal(batcher_job_status(f.rig.batcher, f.job, &status), -ENOENT);
	assert_int_equal(rig_change(&f.rig, f.job, BATCHER_DELETE), -ENOENT);
	rig_free(&f.rig);
}

static void
a_read_error_fails_the_job_even_in_the_middle_of_a_call(void **state)
{
	struct fault_rig f;

	fault_init(&f, (struct rig_options){.partitions = 1, .pin_bytes_max = 1});
	f.fault.read_all = true;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
	poll_until_suspended(&f);
	f.rig.log.fail_error = 56;
	rig_settle(&f.rig);
	struct job_status status = rig_status(&f.rig, f.job);

	assert_int_equal(status.state, JOB_FAILED);
	assert_int_equal(status.error, -EIO);
	assert_non_null(strstr(status.reason, "fake-0"));
	assert_non_null(strstr(status.reason, "Kafka error 56"));
	assert_int_equal(f.fault.closed, PENSTOCK_CLOSE_FAILED);
	assert_int_equal(f.rig.log.pins, 0);
	rig_check_ledger(&f.rig, f.job);
	rig_free(&f.rig);
}

static void
lost_ranges_compressed_and_damaged_batches_fail_the_job(void **state)
{
	static const struct {
		uint32_t at; /* byte of the stored batch */
		uint8_t value;
		const char *reason;
	} cases[] = {
		{22, 2, "compressed"},
		{60, 9, "damaged"},   /* nine records announced, one there */
		{11, 255, "damaged"}, /* length beyond the extent */
		{0, 0, "source_range_lost"},
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct fault_rig f;

		fault_init(&f, (struct rig_options){.partitions = 1});
		assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
		RIG_APPEND(&f.rig, 0, 1);
		f.rig.log.partitions[0].bytes[cases[i].at] = cases[i].value;
		if (cases[i].at == 0) {
			f.rig.log.partitions[0].start = 1;
			assert_true(fake_log_note(&f.rig.log, 0));
		}
		rig_advance_ms(&f.rig, 1000);
		assert_int_equal(rig_status(&f.rig, f.job).state, JOB_FAILED);
		assert_non_null(strstr(rig_status(&f.rig, f.job).reason, cases[i].reason));
		rig_free(&f.rig);
	}
}

static void
too_many_open_windows_fail_the_job_and_evict_nothing(void **state)
{
	struct fault_rig f;

	fault_init(&f, (struct rig_options){.partitions = 1});
	f.spec.open_windows_max = 3;
	assert_int_equal(rig_create(&f.rig, &f.spec, &f.job), 0);
	RIG_APPEND(&f.rig, 0, 350, 250, 150);
	f.spec.out_of_orderness_ms = 1000;
	rig_advance_ms(&f.rig, 1000);
	assert_int_equal(rig_status(&f.rig, f.job).state, JOB_RUNNING);
	RIG_APPEND(&f.rig, 0, 1000, 1100, 1200);
	rig_advance_ms(&f.rig, 1000);
	assert_int_equal(rig_status(&f.rig, f.job).state, JOB_FAILED);
	assert_int_equal(rig_status(&f.rig, f.job).error, -ENOSPC);
	assert_non_null(strstr(rig_status(&f.rig, f.job).reason, "limit_open_windows"));
	rig_free(&f.rig);
}

static int
flood_process(void *user, struct penstock_task *task)
{
	static const char value[1000];
	int n = 0;

	while (penstock_emit_bytes(task, "key\n", 4, value, n == 0 ? 0 : sizeof(value)) == 0) {
		n++;
	}
	assert_int_equal(n, 65); /* 64 KiB of 1,012 bytes each but for the first */
	assert_int_equal(penstock_emit_text(task, NULL, "%*d", 2000, 1), -ENOBUFS);
	assert_int_equal(penstock_emit_bytes(task, NULL, -2, NULL, -1), -EINVAL);
	return 0;
}

/* An output of another version's length, and what this one cannot do. */
static int
outputs_process(void *user, struct penstock_task *task)
{
	struct {
		struct penstock_output known;
		uint64_t later;
	} output = {.known = {.struct_bytes = sizeof(output), .key_len = 1, .value_len = 5}};

	output.known.key = "k";
	output.known.value = "value";
	assert_int_equal(penstock_emit(task, PENSTOCK_SINKS_ALL, &output.known), 0);
	output.later = 1;
	assert_int_equal(penstock_emit(task, PENSTOCK_SINKS_ALL, &output.known), -ENOTSUP);
	output.later = 0;
	output.known.reserved = 1;
	assert_int_equal(penstock_emit(task, PENSTOCK_SINKS_ALL, &output.known), -ENOTSUP);
	output.known.reserved = 0;
	assert_int_equal(penstock_emit(task, 1, &output.known), -EINVAL);
	output.known.key = NULL;
	assert_int_equal(penstock_emit(task, PENSTOCK_SINKS_ALL, &output.known), -EINVAL);
	output.known.struct_bytes = 0;
	assert_int_equal(penstock_emit(task, PENSTOCK_SINKS_ALL, &output.known), -EINVAL);
	output.known.struct_bytes = UINT32_MAX;
	assert_int_equal(penstock_emit(task, PENSTOCK_SINKS_ALL, &output.known), -EINVAL);
	return 0;
}

static const struct penstock_worker outputs = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "outputs",
	.process = outputs_process,
};

static void
an_output_says_its_length_and_what_is_unknown_is_refused(void **state)
{
	struct job_spec spec = rig_spec(&outputs);
	struct window_row row;
	struct rig rig;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	spec.sink_print = true;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 1);
	assert_int_equal(row.print_count, 1);
	assert_string_equal(row.print_rows[0], "k value");
	rig_free(&rig);
}

static const struct penstock_worker flood = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "flood",
	.process = flood_process,
};

static void
output_is_bounded_and_print_shows_ten_rows(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(&flood);
	struct window_row row;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	spec.sink_print = true;
	spec.output_bytes_max = 64 * KIB;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 1);
	assert_int_equal(row.print_count, BATCHER_PRINT_ROWS_MAX);
	assert_string_equal(row.print_rows[0], "key. ");
	assert_int_equal(strlen(row.print_rows[1]), BATCHER_PRINT_ROW_BYTES - 1);
	assert_int_equal(rig_status(&rig, job).counters[JOB_output_dropped_rows], 55);
	assert_int_equal(rig_status(&rig, job).counters[JOB_output_records], 65);
	rig_free(&rig);
}

static void
history_keeps_the_last_256_windows(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	static struct window_row rows[300];
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	spec.output_bytes_max = 4096;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	for (int i = 0; i < 300; i++) {
		rig_advance_ms(&rig, 1000);
	}
	assert_int_equal(batcher_windows(rig.batcher, job, 0, rows, 300), 256);
	assert_int_equal(rows[0].sequence, 45);
	assert_int_equal(rows[255].sequence, 300);
	assert_int_equal(rig_status(&rig, job).counters[JOB_window_rows_overrun], 44);
	assert_int_equal(batcher_windows(rig.batcher, job, 298, rows, 300), 2);
	assert_int_equal(batcher_windows(rig.batcher, job, 300, rows, 300), 0);
	assert_int_equal(batcher_windows(rig.batcher, BATCHER_JOBS_MAX, 0, rows, 300), 0);
	rig_free(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_windows_fire_when_the_event_watermark_passes),
		cmocka_unit_test(windows_of_ingest_time_are_whole_micro_batches_and_fire_empty),
		cmocka_unit_test(kind_none_calls_once_per_micro_batch_even_if_empty),
		cmocka_unit_test(start_latest_and_durable_bound_what_is_read),
		cmocka_unit_test(idle_partitions_leave_and_come_back_late),
		cmocka_unit_test(the_last_window_closes_when_all_is_idle),
		cmocka_unit_test(future_and_missing_timestamps_do_not_move_the_event_watermark),
		cmocka_unit_test(a_wall_clock_that_steps_back_stops_the_ticks),
		cmocka_unit_test(
			failed_attempts_are_repeated_with_the_same_ranges_then_the_job_fails),
		cmocka_unit_test(a_result_that_is_no_errno_is_a_broken_contract),
		cmocka_unit_test(the_function_may_stop_the_job),
		cmocka_unit_test(a_failing_open_answers_the_create),
		cmocka_unit_test(a_job_is_deleted_while_its_function_waits_for_more),
		cmocka_unit_test(a_read_error_fails_the_job_even_in_the_middle_of_a_call),
		cmocka_unit_test(lost_ranges_compressed_and_damaged_batches_fail_the_job),
		cmocka_unit_test(too_many_open_windows_fail_the_job_and_evict_nothing),
		cmocka_unit_test(an_output_says_its_length_and_what_is_unknown_is_refused),
		cmocka_unit_test(output_is_bounded_and_print_shows_ten_rows),
		cmocka_unit_test(history_keeps_the_last_256_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
