/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real batcher, workers and cursors, single-stepped in virtual time under seeded disorder,
 * silence, bursts, clock steps, empty and half-done micro-batches, failing calls and full rings,
 * against the naive model of naive.h. Environment: BATCHER_MODEL_SEED=n runs one seed,
 * BATCHER_MODEL_SEEDS=n that many.
 */
#include "rig.h"
#include "naive.h"
#include "base/rand.h"
#include "batcher/job.h"

#define MODEL_SEEDS 500
#define MODEL_STEPS 48

struct model {
	struct rig rig;
	struct naive naive;
	struct rand rand;
	struct job *job;
	uint32_t index;
	int64_t visible[NAIVE_PARTITIONS]; /* by the last note */
	int64_t begin_visible[NAIVE_PARTITIONS];
	int64_t drain_until[NAIVE_PARTITIONS];
	bool draining;
	int64_t sequence; /* last micro-batch seen to begin */
	int64_t wall_ms;  /* when it began */
	uint64_t microbatches;
	uint64_t last_batch_ns;
	int64_t base_ms; /* where event time is */
	uint32_t fail_ppm;
	uint32_t value_max;
	uint32_t fired;
	int64_t last_start;
	char params[2][32];
	const char *param_list[2];
};

/* --- the function under the model's eyes --------------------------------------------------------
 */

static int
watch_open(const struct penstock_job *job, void **ret_user)
{
	return sscanf(penstock_job_param(job, "model"), "%p", ret_user) == 1 ? 0 : -EINVAL;
}

static void
watch_record(struct model *m, const struct penstock_task_info *info,
	const struct penstock_record *r, const struct penstock_record *last)
{
	assert_string_equal(r->topic, "fake");
	assert_true(r->partition < m->naive.partitions);
	assert_true(r->offset >= 0 && r->offset < m->naive.cut[r->partition]);
	const struct naive_record *n = &m->naive.records[r->partition][r->offset];

	assert_false(n->control);
	assert_int_equal(n->window, info->window_start_ms);
	assert_int_equal(n->ts, r->timestamp_ms);
	assert_int_equal(n->digest, record_digest(r->key, r->key_len, r->value, r->value_len));
	if (last) {
		assert_true(last->partition < r->partition ||
			    (last->partition == r->partition && last->offset < r->offset));
	}
}

/* One pass over the window in steps of up to step records; returns the cursor's last answer. */
static int
watch_pass(struct model *m, struct penstock_task *task, uint32_t step, uint64_t *ret_count)
{
	struct penstock_task_info info;
	struct penstock_cursor cursor;
	struct penstock_record records[32];
	struct penstock_record last;
	int n;

	*ret_count = 0;
	penstock_task_info(task, &info);
	penstock_cursor_open(&cursor, task);
	while ((n = penstock_cursor_next_many(&cursor, records, step)) > 0) {
		for (int i = 0; i < n; i++) {
			watch_record(m, &info, &records[i], *ret_count > 0 ? &last : NULL);
			last = records[i];
			++*ret_count;
		}
	}
	return n;
}

/* Two cursors that overtake one another: each makes the other's chapter go away. */
static int
watch_two(struct penstock_task *task, uint64_t *ret_count)
{
	struct penstock_cursor a;
	struct penstock_cursor b;
	struct penstock_record r;
	uint64_t b_count = 0;
	int rc;

	*ret_count = 0;
	penstock_cursor_open(&a, task);
	penstock_cursor_open(&b, task);
	while ((rc = penstock_cursor_next(&a, &r)) == 1) {
		++*ret_count;
		if (*ret_count % 7 == 0 && penstock_cursor_next(&b, &r) == 1) {
			b_count++;
		}
	}
	assert_true(b_count <= *ret_count);
	return rc;
}

static void
watch_fired(struct model *m, const struct penstock_task_info *info, uint64_t count)
{
	const struct naive *n = &m->naive;
	const struct naive_window *w = NULL;
	uint64_t expected = 0;

	for (uint32_t i = 0; i < n->window_count; i++) {
		if (n->windows[i].start == info->window_start_ms) {
			w = &n->windows[i];
		}
	}
	assert_non_null(w);
	assert_true(w->fired);
	assert_int_equal(w->end, info->window_end_ms);
	assert_int_equal(w->reason, info->reason);
	for (uint32_t p = 0; p < n->partitions; p++) {
		for (int64_t o = 0; o < n->cut[p]; o++) {
			expected +=
				!n->records[p][o].control && n->records[p][o].window == w->start;
		}
	}
	assert_int_equal(expected, count);
	assert_int_equal(expected, info->record_count);
	assert_int_equal(info->event_watermark_ms, n->w);
	assert_int_equal(info->batch_sequence, m->sequence);
	assert_int_equal(info->now_ns, n->now_ms * 1000000);
}

static int
watch_process(void *user, struct penstock_task *task)
{
	struct model *m = user;
	struct penstock_task_info info;
	uint64_t count;
	int rc;

	penstock_task_info(task, &info);
	if (rand_chance_ppm(&m->rand, m->fail_ppm)) {
		(void)penstock_emit_bytes(task, "thrown away", 11, NULL, -1);
		return rand_below(&m->rand, 2) ? -EAGAIN : -EIO;
	}
	if (rand_below(&m->rand, 4) == 0) {
		rc = watch_two(task, &count);
	} else {
		rc = watch_pass(m, task, 1 + (uint32_t)rand_below(&m->rand, 32), &count);
	}
	if (rc == 0 && rand_below(&m->rand, 4) == 0) {
		rc = watch_pass(m, task, 32, &count);
	}
	assert_int_equal(rc, 0);
	if (rand_chance_ppm(&m->rand, m->fail_ppm)) {
		return -EIO;
	}
	watch_fired(m, &info, count);
	/* Every naive window that is due before this one has fired: in order of start. */
	assert_true(m->fired == 0 || info.window_start_ms > m->last_start ||
		    m->naive.spec.time == JOB_TIME_EVENT);
	m->last_start = info.window_start_ms;
	m->fired++;
	return penstock_emit_bytes(task, NULL, -1, "x", 1);
}

static const struct penstock_worker watch = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "watch",
	.open = watch_open,
	.process = watch_process,
};

/* --- stepping ------------------------------------------------------------------------------------
 */

static void
model_begun(struct model *m)
{
	const struct batcher *b = m->rig.batcher;

	assert_int_equal(m->job->batch_sequence, m->sequence + 1);
	m->sequence = m->job->batch_sequence;
	m->wall_ms = (int64_t)(b->wall_ns / NS_PER_MS);
	assert_int_equal(m->job->batch_time_ns % m->job->spec.batch_interval_ns, 0);
	assert_true(m->job->batch_time_ns > m->last_batch_ns);
	assert_true(m->draining || m->job->batch_time_ns <= b->wall_ns);
	m->last_batch_ns = m->job->batch_time_ns;
	memcpy(m->begin_visible, m->visible, sizeof(m->visible));
}

/* The cut may end where it likes, but on a record batch, not before a byte limit or what is
 * visible. */
static void
model_check_cut(struct model *m, uint32_t partition, int64_t until)
{
	const struct fake_log_partition *p = &m->rig.log.partitions[partition];
	uint64_t bytes = 0;
	bool boundary = until == 0;

	for (uint32_t i = 0; i < p->batch_count; i++) {
		if (p->batches[i].base_offset >= m->naive.cut[partition] &&
			p->batches[i].next_offset <= until) {
			bytes += p->batches[i].len;
		}
		boundary = boundary || p->batches[i].next_offset == until;
	}
	assert_true(boundary);
	assert_true(until >= m->naive.cut[partition]);
	assert_true(until <= m->begin_visible[partition]);
	assert_true(until == m->begin_visible[partition] || bytes >= m->job->spec.cut_bytes_max);
}

static void
model_cut(struct model *m)
{
	int64_t until[NAIVE_PARTITIONS];
	bool final = m->draining;

	for (uint32_t p = 0; p < m->naive.partitions; p++) {
		until[p] = m->job->partitions[p].next;
		model_check_cut(m, p, until[p]);
		final = final && until[p] >= m->drain_until[p];
	}
	naive_microbatch(&m->naive, until, m->visible, (int64_t)m->job->batch_time_ns, m->wall_ms,
		clock_now_ns(&m->rig.clock.clock) / NS_PER_MS, final);
	assert_int_equal(m->job->watermark.value_ms, m->naive.w);
	m->microbatches++;
}

static uint32_t
model_poll(struct model *m)
{
	uint32_t work = rig_poll(&m->rig);

	if (m->job->batch_sequence != m->sequence) {
		model_begun(m);
	}
	if (m->job->counters[JOB_microbatches] != m->microbatches) {
		model_cut(m);
	}
	return work;
}

static void
model_settle(struct model *m)
{
	for (uint32_t idle = 0; idle < 3;) {
		idle = model_poll(m) > 0 ? 0 : idle + 1;
	}
}

/* --- inputs -------------------------------------------------------------------------------------
 */

static int64_t
model_time(struct model *m)
{
	int64_t spread = (int64_t)m->naive.spec.window_size_ms * 2 + 10;
	uint64_t dice = rand_below(&m->rand, 40);

	if (dice == 0) {
		return -1;
	}
	if (dice == 1) {
		return m->naive.now_ms + (int64_t)m->naive.spec.max_future_ms + 1 +
		       (int64_t)rand_below(&m->rand, 100);
	}
	if (dice == 2) {
		/* Around the future limit: in time for some micro-batches, too early for others. */
		return m->naive.now_ms + (int64_t)m->naive.spec.max_future_ms - 50 +
		       (int64_t)rand_below(&m->rand, 2000);
	}
	if (dice == 3) {
		return rand_below(&m->rand, 2) ? INT64_C(1) << 61 : -(INT64_C(1) << 61);
	}
	return m->base_ms + (int64_t)rand_below(&m->rand, (uint64_t)spread) - spread / 2;
}

/* Remembers what the batch at the log's end means, offset by offset. */
static void
model_note_records(
	struct model *m, uint32_t partition, const uint8_t *bytes, size_t len, bool control)
{
	struct record_iterator it;
	struct record_view r;

	ensure(!record_iterator_init(&it, bytes, len));
	while (record_iterator_next(&it, &r) == 1) {
		int64_t offset = m->naive.ends[partition]++;

		m->naive.records[partition][offset] = (struct naive_record){
			.ts = r.timestamp_ms,
			.control = control,
			.digest = record_digest(r.key, r.key_len, r.value, r.value_len),
			.window = INT64_MIN,
		};
	}
}

static void
model_append(struct model *m, uint32_t partition)
{
	static const uint8_t filler[4096];
	uint8_t room[64 * 1024];
	struct record_builder builder;
	uint32_t count = 1 + (uint32_t)rand_below(&m->rand, 12);
	uint64_t dice = rand_below(&m->rand, 20);

	if (m->naive.ends[partition] + count > NAIVE_RECORDS) {
		return;
	}
	record_builder_init(&builder, room, sizeof(room));
	for (uint32_t i = 0; i < count; i++) {
		int64_t key = m->naive.ends[partition] + i;
		int32_t value_len = (int32_t)rand_below(&m->rand, m->value_max + 1) - 1;

		ensure(!record_builder_add(&builder, model_time(m), &key, dice == 5 ? -1 : 8,
			value_len < 0 ? NULL : filler, value_len));
	}
	size_t len = record_builder_finish(&builder, -1, -1, -1);

	if (dice < 2) {
		room[22] |= dice == 0 ? RECORD_BATCH_CONTROL : RECORD_BATCH_LOG_APPEND_TIME;
	}
	model_note_records(m, partition, room, len, dice == 0);
	fake_log_append(&m->rig.log, partition, room, len);
}

static void
model_note(struct model *m, uint32_t partition)
{
	while (!fake_log_note(&m->rig.log, partition)) {
		(void)model_poll(m);
	}
	const struct fake_log_partition *p = &m->rig.log.partitions[partition];

	m->visible[partition] = p->durable < 0 ? p->end : p->durable;
}

static void
model_produce(struct model *m)
{
	uint32_t bursts =
		rand_below(&m->rand, 12) == 0 ? 40 : 1 + (uint32_t)rand_below(&m->rand, 4);

	for (uint32_t i = 0; i < bursts; i++) {
		uint32_t partition = (uint32_t)rand_below(&m->rand, m->naive.partitions);
		struct fake_log_partition *p = &m->rig.log.partitions[partition];

		if (partition == 0 && rand_below(&m->rand, 3)) {
			continue; /* the quiet one */
		}
		int64_t before = p->end;

		model_append(m, partition);
		p->durable = rand_below(&m->rand, 4) == 0 ? before : -1;
		if (rand_below(&m->rand, 5)) {
			model_note(m, partition);
		}
	}
}

static void
model_move_clock(struct model *m)
{
	uint64_t interval_ms = m->naive.spec.batch_interval_ns / NS_PER_MS;
	uint64_t wall_ns = clock_wall_ns(&m->rig.clock.clock);

	if (rand_below(&m->rand, 16) == 0) {
		int64_t step_ms =
			(int64_t)rand_below(&m->rand, 8 * interval_ms) - 4 * (int64_t)interval_ms;

		clock_fake_set_wall(
			&m->rig.clock, wall_ns + (uint64_t)(step_ms * (int64_t)NS_PER_MS));
	}
	uint64_t silence = rand_below(&m->rand, 10) == 0 ? 15 : 1;

	clock_fake_advance(
		&m->rig.clock, (1 + rand_below(&m->rand, 2 * interval_ms * silence)) * NS_PER_MS);
	m->base_ms += (int64_t)rand_below(&m->rand, m->naive.spec.window_size_ms + 2);
}

static void
model_spec(struct model *m)
{
	static const uint64_t intervals_ms[] = {1, 10, 100};
	struct job_spec spec = rig_spec(&watch);
	uint64_t interval_ms = intervals_ms[rand_below(&m->rand, 3)];
	uint64_t kind = rand_below(&m->rand, 8);

	spec.batch_interval_ns = interval_ms * NS_PER_MS;
	spec.window = kind == 0 ? JOB_WINDOW_NONE : JOB_WINDOW_TUMBLING;
	spec.time = kind <= 1 ? JOB_TIME_INGEST : JOB_TIME_EVENT;
	spec.window_size_ms = kind == 1 ? interval_ms * (1 + rand_below(&m->rand, 5))
					: 1 + rand_below(&m->rand, 500);
	spec.window_offset_ms =
		kind == 1 ? (int64_t)(interval_ms *
				      rand_below(&m->rand, spec.window_size_ms / interval_ms))
			  : (int64_t)rand_below(&m->rand, 2 * spec.window_size_ms - 1) -
				    (int64_t)spec.window_size_ms + 1;
	spec.out_of_orderness_ms = rand_below(&m->rand, 2) * rand_below(&m->rand, 400);
	spec.idle_timeout_ms =
		rand_below(&m->rand, 4) ? 1 + rand_below(&m->rand, 10 * interval_ms) : 0;
	spec.idle_close_ms = rand_below(&m->rand, 2) * rand_below(&m->rand, 30 * interval_ms);
	spec.max_future_ms = rand_below(&m->rand, 2) ? rand_below(&m->rand, 500) : 3600000;
	spec.task_attempts = 1000;
	spec.output_bytes_max = 4096;
	spec.cut_bytes_max = rand_below(&m->rand, 3) ? 64 * KIB : 16 * MIB;
	(void)snprintf(m->params[0], sizeof(m->params[0]), "model");
	(void)snprintf(m->params[1], sizeof(m->params[1]), "%p", (void *)m);
	m->param_list[0] = m->params[0];
	m->param_list[1] = m->params[1];
	spec.param_count = 1;
	spec.params = m->param_list;
	m->naive.spec = spec;
}

/* --- one seed -----------------------------------------------------------------------------------
 */

static void
model_init(struct model *m, uint64_t seed)
{
	static const uint32_t ring_counts[] = {4, 16, 256};

	memset(m, 0, sizeof(*m));
	rand_init(&m->rand, seed);
	m->naive.partitions = 1 + (uint32_t)rand_below(&m->rand, NAIVE_PARTITIONS);
	m->naive.w = INT64_MIN;
	m->value_max = rand_below(&m->rand, 6) ? 40 : 3000;
	m->fail_ppm = rand_below(&m->rand, 3) ? 0 : 150000;
	rig_init(&m->rig, (struct rig_options){
				  .partitions = m->naive.partitions,
				  .shards = 1 + (uint32_t)rand_below(&m->rand, 2),
				  .ring_count = ring_counts[rand_below(&m->rand, 3)],
				  .pin_bytes_max = rand_below(&m->rand, 2) ? 1 : 64 * MIB,
			  });
	model_spec(m);
	/* Where event time is near the wall clock, the future limit bites; near 0, times are
	 * negative. */
	m->base_ms = rand_below(&m->rand, 2) ? RIG_WALL_MS : -300;
	ensure(!rig_create(&m->rig, &m->naive.spec, &m->index));
	m->job = ((struct batcher *)m->rig.batcher)->jobs[m->index];
	for (uint32_t p = 0; p < m->naive.partitions; p++) {
		m->naive.arrival_ms[p] = clock_now_ns(&m->rig.clock.clock) / NS_PER_MS;
	}
}

static void
model_drain(struct model *m)
{
	struct batcher_command command = {.kind = BATCHER_DRAIN, .job = m->index,
		.job_id = m->job->id};

	for (uint32_t p = 0; p < m->naive.partitions; p++) {
		m->rig.log.partitions[p].durable = -1;
		model_note(m, p);
	}
	memcpy(m->drain_until, m->visible, sizeof(m->visible));
	m->draining = true;
	ensure(!batcher_command(m->rig.batcher, &command));
	for (uint32_t i = 0; m->job->state != JOB_DRAINED; i++) {
		ensure(i < 100000);
		model_settle(m);
		clock_fake_advance(&m->rig.clock, 11 * NS_PER_MS);
	}
	assert_ptr_equal(batcher_command_poll(m->rig.batcher), &command);
	assert_int_equal(command.error, 0);
}

static void
model_check_end(struct model *m)
{
	struct naive *n = &m->naive;
	struct job_status s = rig_status(&m->rig, m->index);
	uint64_t accepted = 0;
	uint64_t digest = 0;

	for (uint32_t p = 0; p < n->partitions; p++) {
		assert_int_equal(n->cut[p], n->ends[p]);
		for (int64_t o = 0; o < n->ends[p]; o++) {
			const struct naive_record *r = &n->records[p][o];

			accepted += !r->control && r->window != INT64_MIN;
			digest += !r->control && r->window != INT64_MIN ? r->digest : 0;
		}
	}
	assert_int_equal(m->fired, n->window_count); /* each exactly once */
	assert_int_equal(s.counters[JOB_fired], n->window_count);
	assert_int_equal(s.counters[JOB_output_records], n->window_count);
	assert_int_equal(s.counters[JOB_read_records], n->read);
	assert_int_equal(s.counters[JOB_window_records], accepted);
	assert_int_equal(s.counters[JOB_late_records], n->late);
	assert_int_equal(s.counters[JOB_late_after_idle], n->late_after_idle);
	assert_int_equal(s.counters[JOB_future_records], n->future);
	assert_int_equal(s.counters[JOB_no_timestamp_records], n->no_timestamp);
	assert_int_equal(s.counters[JOB_open_records], 0);
	assert_int_equal(s.window_digest, digest);
	assert_int_equal(s.discard_digest, n->discard_digest);
	assert_int_equal(s.lag_records, 0);
	rig_check_ledger(&m->rig, m->index);
}

static void
model_run(struct model *m, uint64_t seed)
{
	model_init(m, seed);
	for (uint32_t step = 0; step < MODEL_STEPS; step++) {
		if (rand_below(&m->rand, 4)) {
			model_produce(m);
		}
		model_move_clock(m);
		if (rand_below(&m->rand, 3)) {
			model_settle(m);
		} else {
			for (uint64_t i = rand_below(&m->rand, 6); i > 0; i--) {
				(void)model_poll(m);
			}
		}
	}
	model_drain(m);
	model_check_end(m);
	rig_free(&m->rig);
}

static void
batcher_equals_the_naive_model(void **state)
{
	const char *one = getenv("BATCHER_MODEL_SEED");
	const char *many = getenv("BATCHER_MODEL_SEEDS");
	uint64_t first = one ? strtoull(one, NULL, 0) : 1;
	uint64_t last = one ? first : many ? strtoull(many, NULL, 0) : MODEL_SEEDS;
	struct model *m = malloc(sizeof(*m));
	uint64_t fired = 0, late = 0, future = 0, after_idle = 0;

	ensure(m);
	for (uint64_t seed = first; seed <= last; seed++) {
		/* The last line printed names the seed that failed. */
		print_message("\rBATCHER_MODEL_SEED=%llu ", (unsigned long long)seed);
		model_run(m, seed);
		fired += m->fired;
		late += m->naive.late;
		future += m->naive.future;
		after_idle += m->naive.late_after_idle;
	}
	print_message("windows %llu late %llu after idle %llu future %llu\n",
		(unsigned long long)fired, (unsigned long long)late, (unsigned long long)after_idle,
		(unsigned long long)future);
	/* The inputs must reach what they are for. */
	assert_true(one || (late > 0 && after_idle > 0 && future > 0));
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batcher_equals_the_naive_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
