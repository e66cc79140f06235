/* SPDX-License-Identifier: Apache-2.0 */
/* The log on a simulated disk. See log_bench.h. */
#include "support/log_bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "support/records.h"
#include "wire/record_batch.h"

#define PRODUCER_BASE 1000
#define RING_COUNT    256
#define BATCH_ROOM (4u << 20)
#define DRAIN_MAX_NS  (60 * NS_PER_S)

static uint32_t
shard_of(const struct log_bench *b, const struct log_bench_partition *p)
{
	return logstore_shard_of(p->topic_id, p->partition, b->options.shard_count);
}

void
log_bench_options_init(struct log_bench_options *options, uint64_t seed)
{
	*options = (struct log_bench_options){.seed = seed,
		.shard_count = 1,
		.spare_bytes = 256 << 10,
		.guard_bytes = 512 << 10,
		.buffer_bytes = 1 << 20,
		.cache_bytes = 1 << 20,
		.group_max_bytes = 256 << 10};
}

void
log_bench_init(struct log_bench *b, const struct log_bench_options *options)
{
	memset(b, 0, sizeof(*b));
	b->options = *options;
	clock_fake_init(&b->clock, NS_PER_S, 1700000000 * NS_PER_S);
	rand_init(&b->rand, options->seed);
	rand_init(&b->store_rand, options->seed ^ 0x5eed);
	b->partitions = calloc(LOG_BENCH_PARTITIONS_MAX, sizeof(b->partitions[0]));
	ensure(b->partitions);
	for (uint32_t i = 0; i < options->shard_count; i++) {
		ensure(ring_create(&b->append_req[i], RING_COUNT, sizeof(struct append_req), NULL) == 0);
		ensure(ring_create(&b->append_done[i], RING_COUNT, sizeof(struct append_done), NULL) == 0);
		ensure(ring_create(&b->read_req[i], 16, sizeof(struct read_req), NULL) == 0);
		ensure(ring_create(&b->read_done[i], 16, sizeof(struct read_done), NULL) == 0);
		ensure(ring_create(&b->extent_release[i], 64, sizeof(struct extent_release), NULL) == 0);
		ensure(ring_create(&b->notes[i], 64, sizeof(struct commit_note), NULL) == 0);
	}
	if (!options->make_io) {
		struct sim_options sim;

		sim_options_init(&sim, options->seed, &b->clock.clock);
		sim.no_journal = options->no_journal;
		ensure(sim_disk_create(&sim, &b->disk) == 0);
	}
}

static void
empty_rings(struct log_bench *b)
{
	uint8_t item[128];

	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		struct ring *rings[] = {&b->append_req[i], &b->append_done[i], &b->read_req[i],
			&b->read_done[i], &b->extent_release[i], &b->notes[i]};

		for (uint32_t k = 0; k < ARRAY_COUNT(rings); k++) {
			while (ring_take(rings[k], item, 1) == 1) {
			}
		}
	}
}

void
log_bench_free(struct log_bench *b)
{
	if (b->store) {
		log_bench_drop(b);
	}
	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		ring_destroy(&b->append_req[i]);
		ring_destroy(&b->append_done[i]);
		ring_destroy(&b->read_req[i]);
		ring_destroy(&b->read_done[i]);
		ring_destroy(&b->extent_release[i]);
		ring_destroy(&b->notes[i]);
	}
	for (uint32_t i = 0; i < b->partition_count; i++) {
		for (uint32_t k = 0; k < LOG_BENCH_BATCHES_MAX; k++) {
			free(b->partitions[i].batches[k].bytes);
		}
	}
	free(b->partitions);
	if (b->disk) {
		sim_disk_destroy(b->disk);
	}
}

struct log_bench *
log_bench_start(const struct log_bench_options *options)
{
	struct log_bench *b = malloc(sizeof(*b));
	struct log_bench_options usual;

	ensure(b);
	log_bench_options_init(&usual, 1);
	log_bench_init(b, options ? options : &usual);
	log_bench_open(b);
	return b;
}

int
log_bench_set_up(void **state)
{
	*state = log_bench_start(NULL);
	return 0;
}

int
log_bench_tear_down(void **state)
{
	log_bench_free(*state);
	free(*state);
	return 0;
}

/* --- open and end ------------------------------------------------------------------------------ */

static void
found(void *user_data, uint32_t partition_index, const char *topic, uint32_t partition,
	const uint8_t topic_id[16], const struct log_recovery_report *report)
{
	struct log_bench *b = user_data;

	(void)topic_id;
	for (uint32_t i = 0; i < b->partition_count; i++) {
		struct log_bench_partition *p = &b->partitions[i];

		if (strcmp(p->topic, topic) == 0 && p->partition == partition) {
			p->index = partition_index;
			b->reports[i] = *report;
		}
	}
}

static void
make_ios(struct log_bench *b)
{
	if (b->options.make_io) {
		b->keeper_io = b->options.make_io(b->options.user_data, true);
	} else {
		ensure(sim_disk_view(b->disk, 0, &b->keeper_io) == 0);
	}
	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		if (b->options.make_io) {
			b->shard_io[i] = b->options.make_io(b->options.user_data, false);
		} else {
			ensure(sim_disk_view(b->disk, logstore_slots(LOG_BENCH_PARTITIONS_MAX), &b->shard_io[i]) == 0);
		}
		ensure(b->shard_io[i]);
		ensure(io_trace_attach(b->shard_io[i], NULL, NULL, &b->traces[i]) == 0);
	}
}

static void
destroy_ios(struct log_bench *b)
{
	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		struct io_trace_counts counts;

		io_trace_counts(b->traces[i], &counts);
		b->trace_proven += counts.proven;
		b->shard_io[i]->ops->destroy(b->shard_io[i]);
		b->shard_io[i] = NULL;
	}
	b->keeper_io->ops->destroy(b->keeper_io);
	b->keeper_io = NULL;
}

int
log_bench_try_open(struct log_bench *b)
{
	struct log_options o;

	make_ios(b);
	log_options_init(&o);
	o.clock = b->options.make_io ? clock_system() : &b->clock.clock;
	o.rand = &b->store_rand;
	o.keeper_io = b->keeper_io;
	memcpy(o.shard_io, b->shard_io, sizeof(b->shard_io));
	o.shard_count = b->options.shard_count;
	o.partitions_max = LOG_BENCH_PARTITIONS_MAX;
	o.buffer_bytes = b->options.buffer_bytes;
	o.cache_bytes = b->options.cache_bytes;
	o.guard_bytes = b->options.guard_bytes;
	if (b->options.recovery_max_bytes > 0) {
		o.recovery_max_bytes = b->options.recovery_max_bytes;
	}
	o.group_max_bytes = b->options.group_max_bytes;
	o.spare_bytes = b->options.spare_bytes;
	o.prep_rate = b->options.prep_rate;
	o.producers_max = 64;
	o.free_low_bytes = 1 << 20;
	o.durable_method = b->options.method;
	o.flush_scope = b->options.scope;
	(void)snprintf(o.cluster_id, sizeof(o.cluster_id), "%s", "AAAAAAAAAAAAAAAAAAAAAA");
	memset(b->reports, 0, sizeof(b->reports));
	int rc = logstore_create(&o, &b->store, NULL);

	if (rc < 0) {
		destroy_ios(b);
		b->store = NULL;
		return rc;
	}
	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		logstore_attach(b->store, 0, i,
			&(struct log_client_rings){.append_req = &b->append_req[i],
				.append_done = &b->append_done[i],
				.read_req = &b->read_req[i],
				.read_done = &b->read_done[i],
				.extent_release = &b->extent_release[i]});
		logstore_attach_notes(b->store, i, &b->notes[i]);
	}
	rc = logstore_recover(b->store, found, NULL, b);
	for (uint32_t i = 0; rc == 0 && i < b->options.shard_count; i++) {
		rc = log_shard_start(logstore_shard(b->store, i));
	}
	if (rc < 0) {
		log_bench_drop(b);
	}
	return rc;
}

void
log_bench_open(struct log_bench *b)
{
	int rc = log_bench_try_open(b);

	if (rc < 0) {
		(void)fprintf(stderr, "seed %" PRIu64 ": open failed: %d\n", b->options.seed, rc);
	}
	ensure(rc == 0);
}

void
log_bench_drop(struct log_bench *b)
{
	logstore_destroy(b->store);
	b->store = NULL;
	destroy_ios(b);
	empty_rings(b);
	for (uint32_t i = 0; i < b->partition_count; i++) {
		b->partitions[i].offered = b->partitions[i].answered;
	}
}

void
log_bench_crash(struct log_bench *b, enum sim_crash_mode mode, uint64_t seed)
{
	sim_crash(b->disk, &(struct sim_crash_options){.mode = mode, .seed = seed}, NULL);
	log_bench_drop(b);
}

void
log_bench_sigkill(struct log_bench *b)
{
	sim_sigkill(b->disk);
	log_bench_drop(b);
}

bool
log_bench_stop(struct log_bench *b)
{
	logstore_stop_begin(b->store);
	uint64_t end = clock_now_ns(&b->clock.clock) + DRAIN_MAX_NS;

	while (!logstore_stopped(b->store) && clock_now_ns(&b->clock.clock) < end) {
		log_bench_run_ns(b, NS_PER_MS);
	}
	bool stopped = logstore_stopped(b->store);

	log_bench_turn(b);
	log_bench_drop(b);
	ensure(!stopped || !b->disk || sim_open_fds(b->disk) == 0);
	return stopped;
}

/* --- one client -------------------------------------------------------------------------------- */

static struct log_bench_partition *
by_index(struct log_bench *b, uint32_t index)
{
	for (uint32_t i = 0; i < b->partition_count; i++) {
		if (b->partitions[i].index == index) {
			return &b->partitions[i];
		}
	}
	return NULL;
}

static void
note_copied(struct log_bench_partition *p, const struct append_done *done)
{
	if (done->flags & APPEND_DUPLICATE) {
		p->duplicates++;
		return;
	}
	/* In order: the answer belongs to the oldest batch not yet answered. */
	struct log_bench_batch *batch = &p->batches[p->answered++];

	ensure(p->answered <= p->offered);
	ensure(done->sequence_last == batch->base_sequence + batch->record_count - 1);
	batch->base_offset = done->offset - batch->record_count + 1;
	ensure(batch->base_offset == p->end);
	p->end = done->offset + 1;
}

static void
take_done(struct log_bench *b, const struct append_done *done)
{
	struct log_bench_partition *p = by_index(b, done->partition_index);

	if (!p) {
		return;
	}
	switch ((enum append_done_kind)done->kind) {
	case APPEND_COPIED:
		note_copied(p, done);
		break;
	case APPEND_APPENDED:
		p->appended = done->offset + 1 > p->appended ? done->offset + 1 : p->appended;
		break;
	case APPEND_DURABLE:
		ensure(done->offset < p->end);
		io_trace_note(b->traces[shard_of(b, p)], p->topic_id, p->partition, done->offset);
		p->durable = done->offset + 1 > p->durable ? done->offset + 1 : p->durable;
		break;
	case APPEND_REFUSED:
		p->refused++;
		p->last_error = done->error;
		break;
	case APPEND_STATE:
		b->last_state = *done;
		b->has_state = true;
		break;
	case APPEND_FAILED:
		p->failed++;
		p->last_error = done->error;
		break;
	default:
		ensure(false);
	}
}

static uint32_t
take_answers(struct log_bench *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		struct append_done done;

		while (ring_take(&b->append_done[i], &done, 1) == 1) {
			take_done(b, &done);
			n++;
		}
		while (ring_take(&b->notes[i], &b->last_note, 1) == 1) {
			b->note_count++;
			n++;
		}
	}
	return n;
}

struct append_req
log_bench_request(struct log_bench *b, uint32_t partition, uint32_t k)
{
	struct log_bench_partition *p = &b->partitions[partition];
	struct log_bench_batch *batch = &p->batches[k];

	return (struct append_req){.batch = batch->bytes,
		.batch_len = batch->len,
		.partition_index = p->index,
		.owner = k,
		.session_index = partition,
		.flags = b->request_flags,
		.producer_id = PRODUCER_BASE + partition,
		.base_sequence = batch->base_sequence,
		.producer_epoch = p->epoch,
		.rx_time_ns = clock_now_ns(&b->clock.clock),
		.record_count = (uint32_t)batch->record_count,
		.crc = load_be32(batch->bytes + 17)};
}

void
log_bench_send(struct log_bench *b, const struct append_req *req)
{
	struct log_bench_partition *p = by_index(b, req->partition_index);
	uint32_t shard = p ? shard_of(b, p) : 0;

	ensure(ring_offer(&b->append_req[shard], req, 1) == 1);
}

bool
log_bench_append(struct log_bench *b, uint32_t partition, int32_t records, uint32_t value_bytes)
{
	struct log_bench_partition *p = &b->partitions[partition];
	static uint8_t room[BATCH_ROOM];

	if (p->offered == LOG_BENCH_BATCHES_MAX || ring_free(&b->append_req[shard_of(b, p)]) == 0) {
		return false;
	}
	struct records_spec spec = {.producer_id = PRODUCER_BASE + partition,
		.producer_epoch = p->epoch,
		.base_sequence = p->next_sequence,
		.count = records,
		.value_bytes = value_bytes,
		.timestamp_ms = (int64_t)(clock_wall_ns(&b->clock.clock) / NS_PER_MS)};
	struct log_bench_batch *batch = &p->batches[p->offered];

	free(batch->bytes);
	*batch = (struct log_bench_batch){.base_sequence = p->next_sequence,
		.record_count = records,
		.base_offset = -1};
	batch->len = (uint32_t)records_batch(&spec, room, sizeof(room));
	batch->bytes = malloc(batch->len);
	ensure(batch->bytes);
	memcpy(batch->bytes, room, batch->len);
	struct append_req req = log_bench_request(b, partition, p->offered);

	p->offered++;
	p->next_sequence += records;
	log_bench_send(b, &req);
	return true;
}

void
log_bench_resend(struct log_bench *b, uint32_t partition, uint32_t k)
{
	struct append_req req = log_bench_request(b, partition, k);

	log_bench_send(b, &req);
}

/* --- time -------------------------------------------------------------------------------------- */

uint32_t
log_bench_turn(struct log_bench *b)
{
	uint32_t work = 0;
	uint64_t now = b->options.make_io ? clock_now_ns(clock_system())
					  : clock_now_ns(&b->clock.clock);

	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		work += log_shard_poll(logstore_shard(b->store, i), now);
	}
	if (!b->keeper_sleeps) {
		work += log_keeper_poll(logstore_keeper(b->store), now);
	}
	return work + take_answers(b);
}

static void
step_time(struct log_bench *b, uint64_t limit_ns)
{
	uint64_t now = clock_now_ns(&b->clock.clock);
	uint64_t next = b->disk ? sim_disk_next_ns(b->disk) : now + 10 * NS_PER_US;

	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		uint64_t deadline = log_shard_deadline_ns(logstore_shard(b->store, i));

		next = deadline < next ? deadline : next;
	}
	next = next > now ? next : now + 10 * NS_PER_US;
	next = next < limit_ns ? next : limit_ns;
	clock_fake_advance(&b->clock, next - now);
}

void
log_bench_run_ns(struct log_bench *b, uint64_t duration_ns)
{
	uint64_t end = clock_now_ns(&b->clock.clock) + duration_ns;

	for (;;) {
		while (log_bench_turn(b) > 0) {
		}
		if (clock_now_ns(&b->clock.clock) >= end) {
			return;
		}
		step_time(b, end);
	}
}

static bool
drained(struct log_bench *b)
{
	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		if (ring_used(&b->append_req[i]) > 0) {
			return false;
		}
	}
	for (uint32_t i = 0; i < b->partition_count; i++) {
		const struct log_bench_partition *p = &b->partitions[i];

		if (p->refused + p->failed == 0 && (p->answered < p->offered || p->durable < p->end)) {
			return false;
		}
	}
	return true;
}

void
log_bench_drain(struct log_bench *b)
{
	uint64_t end = clock_now_ns(&b->clock.clock) + DRAIN_MAX_NS;

	while (!drained(b)) {
		if (clock_now_ns(&b->clock.clock) >= end) {
			b->stalled = true;
			(void)fprintf(stderr, "seed %" PRIu64 ": no progress\n", b->options.seed);
			return;
		}
		while (log_bench_turn(b) > 0) {
		}
		if (!drained(b)) {
			step_time(b, end);
		}
	}
}

/* --- commands ---------------------------------------------------------------------------------- */

int16_t
log_bench_command(struct log_bench *b, struct log_command *command)
{
	ensure(logstore_command(b->store, command) == 0);
	for (uint32_t i = 0; i < 100000; i++) {
		struct log_command *answer = logstore_command_poll(b->store);

		if (answer) {
			ensure(answer == command);
			return answer->error;
		}
		log_bench_turn(b);
		step_time(b, UINT64_MAX);
	}
	ensure(false);
	return -1;
}

uint32_t
log_bench_create(struct log_bench *b, const char *topic, uint32_t partition,
	const struct log_topic_config *config)
{
	uint32_t i = b->partition_count++;
	struct log_bench_partition *p = &b->partitions[i];
	struct log_command command = {.kind = LOG_COMMAND_CREATE, .partition = partition};

	ensure(i < LOG_BENCH_PARTITIONS_MAX);
	*p = (struct log_bench_partition){.partition = partition, .index = UINT32_MAX};
	(void)snprintf(p->topic, sizeof(p->topic), "%s", topic);
	(void)snprintf(command.topic, sizeof(command.topic), "%s", topic);
	memset(p->topic_id, (int)topic[0], sizeof(p->topic_id));
	memcpy(command.topic_id, p->topic_id, sizeof(command.topic_id));
	if (config) {
		p->config = *config;
	} else {
		log_topic_config_init(&p->config);
	}
	command.config = p->config;
	int16_t error = log_bench_command(b, &command);

	ensure(error == 0);
	p->index = command.partition_index;
	return i;
}

/* --- reading and checking ---------------------------------------------------------------------- */

struct read_done
log_bench_read(struct log_bench *b, uint32_t partition, int64_t from, int64_t until,
	uint32_t bytes_max)
{
	struct log_bench_partition *p = &b->partitions[partition];
	uint32_t shard = shard_of(b, p);
	struct read_req req = {
		.partition_index = p->index, .bytes_max = bytes_max, .from = from, .until = until, .token = 7};
	struct read_done done;

	ensure(ring_offer(&b->read_req[shard], &req, 1) == 1);
	for (uint32_t i = 0; i < 100000; i++) {
		log_bench_turn(b);
		if (ring_take(&b->read_done[shard], &done, 1) == 1) {
			ensure(done.token == 7);
			return done;
		}
		step_time(b, UINT64_MAX);
	}
	ensure(false);
	return done;
}

void
log_bench_release(struct log_bench *b, uint32_t partition, const struct read_done *done)
{
	struct log_bench_partition *p = &b->partitions[partition];
	struct extent_release release = {.pin = done->pin, .partition_index = p->index};

	ensure(ring_offer(&b->extent_release[shard_of(b, p)], &release, 1) == 1);
	log_bench_turn(b);
}

struct log_partition_status
log_bench_status(struct log_bench *b, uint32_t partition)
{
	struct log_partition_status status;

	ensure(logstore_status(b->store, b->partitions[partition].index, &status) == 0);
	return status;
}

uint64_t
log_bench_counter(struct log_bench *b, enum shard_counter counter)
{
	uint64_t values[SHARD_COUNTER_COUNT];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < b->options.shard_count; i++) {
		logstore_counters(b->store, i, values);
		sum += values[counter];
	}
	return sum;
}

static bool
complain(const struct log_bench *b, const struct log_bench_partition *p, const char *what, int64_t at)
{
	(void)fprintf(stderr, "seed %" PRIu64 " %s-%u: %s at %" PRId64 " (durable %" PRId64 ", end %" PRId64
			      ")\n",
		b->options.seed, p->topic, p->partition, what, at, p->durable, p->end);
	return false;
}

/* Batch k of the model against the log's bytes: all but what the broker owns. */
static bool
same_batch(const struct log_bench_batch *model, const uint8_t *bytes, uint32_t len)
{
	return len >= model->len && (int64_t)load_be64(bytes) == model->base_offset &&
		memcmp(bytes + 8, model->bytes + 8, 4) == 0 &&
		memcmp(bytes + 16, model->bytes + 16, model->len - 16) == 0;
}

static bool
check_partition(struct log_bench *b, uint32_t partition, int64_t end)
{
	struct log_bench_partition *p = &b->partitions[partition];
	uint32_t k = 0;
	int64_t at = 0;

	while (at < end) {
		uint32_t bytes_max = 1u << (9 + rand_below(&b->rand, 10));
		struct read_done done = log_bench_read(b, partition, at, end, bytes_max);
		uint32_t pos = 0;

		if (done.error != 0 || done.data_len == 0) {
			return complain(b, p, "read error", at);
		}
		while (pos < done.data_len) {
			if (k >= p->answered || !same_batch(&p->batches[k], done.data + pos,
							done.data_len - pos)) {
				return complain(b, p, "wrong bytes", at);
			}
			pos += p->batches[k].len;
			at = p->batches[k].base_offset + p->batches[k].record_count;
			k++;
		}
		if (at != done.next_offset) {
			return complain(b, p, "next offset", at);
		}
		log_bench_release(b, partition, &done);
	}
	return true;
}

/* The producer's state must be that of the last batch in the log. */
static bool
check_producer(struct log_bench *b, uint32_t partition)
{
	struct log_bench_partition *p = &b->partitions[partition];
	struct append_req req = {.partition_index = p->index,
		.flags = APPEND_QUERY,
		.producer_id = PRODUCER_BASE + partition,
		.session_index = partition,
		.producer_epoch = p->epoch};

	b->has_state = false;
	log_bench_send(b, &req);
	for (uint32_t i = 0; i < 1000 && !b->has_state; i++) {
		log_bench_turn(b);
	}
	int32_t sequence = -1;
	int64_t offset = -1;

	if (p->answered > 0) {
		const struct log_bench_batch *last = &p->batches[p->answered - 1];

		sequence = last->base_sequence + last->record_count - 1;
		offset = last->base_offset + last->record_count - 1;
	}
	if (!b->has_state || b->last_state.sequence_last != sequence || b->last_state.offset != offset) {
		return complain(b, p, "producer state", b->has_state ? b->last_state.sequence_last : -2);
	}
	return true;
}

bool
log_bench_check(struct log_bench *b, bool cut)
{
	for (uint32_t i = 0; i < b->partition_count; i++) {
		struct log_bench_partition *p = &b->partitions[i];
		struct log_partition_status status = log_bench_status(b, i);

		if (status.state == LOG_PARTITION_DELETED) {
			continue;
		}
		if (cut) {
			if (status.log_end_offset < p->durable) {
				return complain(b, p, "acknowledged batches lost", status.log_end_offset);
			}
			while (p->answered > 0 &&
				p->batches[p->answered - 1].base_offset >= status.log_end_offset) {
				p->answered--;
				p->next_sequence = p->batches[p->answered].base_sequence;
			}
			p->offered = p->answered;
			p->next_sequence = p->answered > 0 ? p->batches[p->answered - 1].base_sequence +
					p->batches[p->answered - 1].record_count
							   : 0;
			p->end = status.log_end_offset;
			p->durable = status.log_end_offset;
			p->refused = 0;
			p->failed = 0;
		}
		int64_t end = p->answered > 0 ? p->batches[p->answered - 1].base_offset +
				p->batches[p->answered - 1].record_count
					      : 0;

		if (status.log_end_offset != end) {
			return complain(b, p, "log end offset", status.log_end_offset);
		}
		if (!check_partition(b, i, status.high_watermark) || !check_producer(b, i)) {
			return false;
		}
	}
	return true;
}
