/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log itself as the model's log: logstore on a simulated disk, shards and keeper stepped like
 * everything else. A crash is a power cut or a SIGKILL, by seed; recovery is logstore's own. A trace
 * judges what each shard writes and flushes, and every DURABLE note on its way to the lanes (through
 * a ring of ours). Client index lane_count is the reader that looks at the end, the next one the batcher. Small buffers and segments, so that wraps,
 * rolls and pool pressure are usual.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/io/io_sim.h"
#include "logstore/io/io_trace.h"
#include "logstore/logstore.h"
#include "batcher/record_digest.h"
#include "model_log.h"
#include "model_windows.h"
#include "wire/record_batch.h"

#define STORE_STALL_NS	  (400 * NS_PER_MS)
#define STORE_REST_NS	  (2 * STORE_STALL_NS)
#define STORE_KEEPER_NS	  (5 * NS_PER_MS)
#define STORE_READ_SLOTS  16
#define STORE_TURNS_MAX	  200000
#define STORE_PARTITIONS  16
#define STORE_DONE_SLOTS  256

struct store_reader {
	struct ring append_req, append_done; /* never used */
	struct ring read_req, read_done, extent_release, notes;
};

struct log_store {
	struct model_log log;
	struct model_log_options options;
	struct sim_disk *disk;
	struct logstore *store; /* NULL while down */
	struct io *keeper_io;
	struct io *shard_io[MODEL_SHARDS_MAX];
	struct io_trace *traces[MODEL_SHARDS_MAX];
	uint64_t notes_judged;
	uint32_t crashes;
	struct rand rand;
	struct ring *append_req[MODEL_LANES_MAX][MODEL_SHARDS_MAX];
	struct ring *append_done[MODEL_LANES_MAX][MODEL_SHARDS_MAX];
	struct ring judged[MODEL_LANES_MAX][MODEL_SHARDS_MAX]; /* shard -> here -> append_done */
	struct store_reader readers[MODEL_SHARDS_MAX];
	struct store_reader window_rings[MODEL_SHARDS_MAX];
	struct model_windows *windows; /* NULL while down */
	uint64_t logged_records, logged_digest; /* as visited */
	uint32_t indexes[STORE_PARTITIONS]; /* of partition p */
	uint8_t topic_id[16];
	uint64_t segment_bytes;
	uint64_t rest_ns; /* when the drain begins; 0: not yet asked */
	bool made; /* partitions were created once */
	char broken[256];
};

static struct log_store *
store_of(struct model_log *log)
{
	return CONTAINER_OF(log, struct log_store, log);
}

static void
store_violation(void *user_data, const char *text)
{
	struct log_store *s = user_data;

	if (s->broken[0] == '\0') {
		snprintf(s->broken, sizeof(s->broken), "simulated disk: %s", text);
	}
}

static void
store_disorder(void *user_data, const char *text)
{
	struct log_store *s = user_data;

	if (s->broken[0] == '\0') {
		snprintf(s->broken, sizeof(s->broken), "trace of the I/O seam: %s", text);
	}
}

static void
store_attach(struct model_log *log, uint32_t lane, uint32_t shard, struct ring *append_req,
	struct ring *append_done)
{
	struct log_store *s = store_of(log);

	s->append_req[lane][shard] = append_req;
	s->append_done[lane][shard] = append_done;
}

/* --- start ------------------------------------------------------------------------------------- */

static void
store_found(void *user_data, uint32_t partition_index, const char *topic, uint32_t partition,
	const uint8_t topic_id[16], const struct log_recovery_report *report)
{
	struct log_store *s = user_data;

	ensure(strcmp(topic, MODEL_TOPIC) == 0);
	ensure(partition < s->options.partition_count);
	s->indexes[partition] = partition_index;
	if (report->quarantined && s->broken[0] == '\0') {
		snprintf(s->broken, sizeof(s->broken), "partition %u quarantined: %s", partition,
			report->reason);
	}
}

static void
store_options(struct log_store *s, struct log_options *o)
{
	log_options_init(o);
	o->clock = s->options.clock;
	o->rand = &s->rand;
	o->keeper_io = s->keeper_io;
	memcpy(o->shard_io, s->shard_io, sizeof(s->shard_io));
	o->shard_count = s->options.shard_count;
	o->client_count = s->options.lane_count + 2;
	o->partitions_max = STORE_PARTITIONS;
	o->buffer_bytes = MIB;
	o->cache_bytes = MIB;
	o->guard_bytes = 512 * KIB;
	o->group_max_bytes = 256 * KIB;
	o->spare_bytes = 256 * KIB;
	o->producers_max = 64;
	o->free_low_bytes = MIB;
	strcpy(o->cluster_id, "AAAAAAAAAAAAAAAAAAAAAA");
}

static void
store_attach_all(struct log_store *s)
{
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		struct store_reader *readers[] = {&s->readers[shard], &s->window_rings[shard]};

		for (uint32_t lane = 0; lane < s->options.lane_count; lane++) {
			logstore_attach(s->store, lane, shard,
				&(struct log_client_rings){
					.append_req = s->append_req[lane][shard],
					.append_done = &s->judged[lane][shard],
				});
		}
		for (uint32_t i = 0; i < ARRAY_COUNT(readers); i++) {
			logstore_attach(s->store, s->options.lane_count + i, shard,
				&(struct log_client_rings){
					.append_req = &readers[i]->append_req,
					.append_done = &readers[i]->append_done,
					.read_req = &readers[i]->read_req,
					.read_done = &readers[i]->read_done,
					.extent_release = &readers[i]->extent_release,
				});
		}
		logstore_attach_notes(s->store, shard, &s->window_rings[shard].notes);
	}
}

static uint32_t
store_partition_of(const struct log_store *s, uint32_t partition_index)
{
	for (uint32_t p = 0; p < s->options.partition_count; p++) {
		if (s->indexes[p] == partition_index) {
			return p;
		}
	}
	ensure(!"an answer for a partition nobody made");
	return 0;
}

/* Answers go on to the lane; what they call durable must be so by what the disk was given. */
static uint32_t
store_judge(struct log_store *s, uint32_t lane, uint32_t shard)
{
	struct ring *out = s->append_done[lane][shard];
	struct append_done done;
	uint32_t count = 0;

	while (ring_free(out) > 0 && ring_take(&s->judged[lane][shard], &done, 1) == 1) {
		if (done.kind == APPEND_DURABLE) {
			io_trace_note(s->traces[shard], s->topic_id,
				store_partition_of(s, done.partition_index), done.offset);
			s->notes_judged++;
		}
		ensure(ring_offer(out, &done, 1) == 1);
		count++;
	}
	return count;
}

static uint32_t
store_turn(struct log_store *s, uint64_t now_ns)
{
	uint32_t work = 0;

	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		work += log_shard_poll(logstore_shard(s->store, shard), now_ns);
		for (uint32_t lane = 0; lane < s->options.lane_count; lane++) {
			work += store_judge(s, lane, shard);
		}
	}
	if (s->windows) {
		work += model_windows_poll(s->windows, now_ns);
	}
	return work + log_keeper_poll(logstore_keeper(s->store), now_ns);
}

static uint64_t
store_deadline(struct log_store *s, uint64_t now_ns)
{
	uint64_t deadline_ns = sim_disk_next_ns(s->disk);

	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		uint64_t at_ns = log_shard_deadline_ns(logstore_shard(s->store, shard));

		deadline_ns = at_ns < deadline_ns ? at_ns : deadline_ns;
	}
	if (s->windows) {
		uint64_t at_ns = model_windows_deadline_ns(s->windows);

		/* One that has passed waits for the log, not for time. */
		deadline_ns = at_ns > now_ns && at_ns < deadline_ns ? at_ns : deadline_ns;
	}
	return deadline_ns < now_ns + STORE_KEEPER_NS ? deadline_ns : now_ns + STORE_KEEPER_NS;
}

/* Alone: a turn, then time moves on to the next event. */
static void
store_step(struct log_store *s)
{
	uint64_t now_ns = clock_now_ns(s->options.clock);

	if (store_turn(s, now_ns) == 0) {
		uint64_t next_ns = store_deadline(s, now_ns);

		s->options.advance(s->options.advance_data,
			next_ns > now_ns ? next_ns - now_ns : 10 * NS_PER_US);
	}
}

static void
store_create_partitions(struct log_store *s)
{
	for (uint32_t p = 0; p < s->options.partition_count; p++) {
		struct log_command command = {
			.kind = LOG_COMMAND_CREATE,
			.partition = p,
			.topic = MODEL_TOPIC,
		};
		struct log_command *answer = NULL;

		memcpy(command.topic_id, s->topic_id, sizeof(command.topic_id));
		log_topic_config_init(&command.config);
		command.config.segment_bytes = s->segment_bytes;
		ensure(logstore_command(s->store, &command) == 0);
		for (uint32_t i = 0; !answer && i < STORE_TURNS_MAX; i++) {
			store_step(s);
			answer = logstore_command_poll(s->store);
		}
		ensure(answer == &command);
		ensure(command.error == 0);
		s->indexes[p] = command.partition_index;
	}
	s->made = true;
}

static void
store_start_windows(struct log_store *s)
{
	struct model_windows_options options = {
		.clock = s->options.clock,
		.rand = &s->rand,
		.client = s->options.lane_count + 1,
		.shard_count = s->options.shard_count,
		.partition_count = s->options.partition_count,
	};

	for (uint32_t p = 0; p < s->options.partition_count; p++) {
		options.indexes[p] = s->indexes[p];
		options.shards[p] =
			logstore_shard_of(s->topic_id, p, s->options.shard_count);
	}
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		struct store_reader *rings = &s->window_rings[shard];

		options.commit_notes[shard] = &rings->notes;
		options.read_req[shard] = &rings->read_req;
		options.read_done[shard] = &rings->read_done;
		options.extent_release[shard] = &rings->extent_release;
	}
	s->windows = model_windows_create(&options);
}

static void
store_start(struct model_log *log, uint64_t now_ns)
{
	struct log_store *s = store_of(log);
	struct log_options options;

	ensure(sim_disk_view(s->disk, 0, &s->keeper_io) == 0);
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		ensure(sim_disk_view(s->disk, logstore_slots(STORE_PARTITIONS), &s->shard_io[shard]) == 0);
		ensure(io_trace_attach(s->shard_io[shard], store_disorder, s,
			       &s->traces[shard]) == 0);
	}
	store_options(s, &options);
	ensure(logstore_create(&options, &s->store, NULL) == 0);
	store_attach_all(s);
	ensure(logstore_recover(s->store, store_found, NULL, s) == 0);
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		ensure(log_shard_start(logstore_shard(s->store, shard)) == 0);
	}
	if (!s->made) {
		store_create_partitions(s);
	}
	store_start_windows(s);
}

/* --- running ----------------------------------------------------------------------------------- */

static uint32_t
store_partition_index(struct model_log *log, uint32_t partition)
{
	return store_of(log)->indexes[partition];
}

static uint32_t
store_shard_of(struct model_log *log, uint32_t partition)
{
	struct log_store *s = store_of(log);

	return logstore_shard_of(s->topic_id, partition, s->options.shard_count);
}

static uint64_t
store_poll(struct model_log *log, uint64_t now_ns, uint32_t *work)
{
	struct log_store *s = store_of(log);

	*work += store_turn(s, now_ns);
	return store_deadline(s, now_ns);
}

static void
store_drop(struct log_store *s)
{
	uint8_t item[64];

	if (model_windows_broken(s->windows) && s->broken[0] == '\0') {
		snprintf(s->broken, sizeof(s->broken), "%s", model_windows_broken(s->windows));
	}
	model_windows_destroy(s->windows);
	s->windows = NULL;
	logstore_destroy(s->store);
	s->store = NULL;
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		struct store_reader *reader = &s->readers[shard], *batcher = &s->window_rings[shard];
		struct ring *rings[] = {&reader->read_req, &reader->read_done,
			&reader->extent_release, &batcher->read_req, &batcher->read_done,
			&batcher->extent_release, &batcher->notes};

		s->shard_io[shard]->ops->destroy(s->shard_io[shard]);
		for (uint32_t i = 0; i < ARRAY_COUNT(rings); i++) {
			while (ring_take(rings[i], item, 1) == 1) {
			}
		}
		for (uint32_t lane = 0; lane < s->options.lane_count; lane++) {
			while (ring_take(&s->judged[lane][shard], item, 1) == 1) {
			}
		}
	}
	s->keeper_io->ops->destroy(s->keeper_io);
}

static void
store_crash(struct model_log *log, uint64_t now_ns)
{
	struct log_store *s = store_of(log);
	struct sim_crash_options options = {
		.mode = rand_below(s->options.rand, 4) == 0 ? SIM_CRASH_LOSE_ALL : SIM_CRASH_ANY,
		.seed = rand_u64(s->options.rand),
	};

	if (rand_below(s->options.rand, 2) == 0) {
		sim_sigkill(s->disk);
	} else {
		sim_crash(s->disk, &options, NULL);
	}
	s->crashes++;
	store_drop(s);
}

static void
store_disk(struct model_log *log, bool running)
{
	sim_set_flush_delay(store_of(log)->disk, running ? 0 : STORE_STALL_NS);
}

static bool
store_quiet(struct model_log *log)
{
	struct log_store *s = store_of(log);
	uint64_t now_ns = clock_now_ns(s->options.clock);

	/* What clients gave up on may still be on its way to the disk: a drain takes what is durable. */
	if (s->rest_ns == 0) {
		s->rest_ns = now_ns + STORE_REST_NS;
	}
	return now_ns >= s->rest_ns && model_windows_drained(s->windows);
}

static const struct log_room *
store_room(struct model_log *log)
{
	return logstore_room(store_of(log)->store);
}

static const char *
store_broken(struct model_log *log)
{
	struct log_store *s = store_of(log);

	if (s->broken[0] != '\0') {
		return s->broken;
	}
	return s->windows ? model_windows_broken(s->windows) : NULL;
}

/* --- reading at the end ------------------------------------------------------------------------ */

static bool
store_read(struct log_store *s, uint32_t shard, const struct read_req *req,
	struct read_done *ret_done)
{
	struct store_reader *reader = &s->readers[shard];

	ensure(ring_offer(&reader->read_req, req, 1) == 1);
	for (uint32_t i = 0; i < STORE_TURNS_MAX; i++) {
		if (ring_take(&reader->read_done, ret_done, 1) == 1) {
			return true;
		}
		store_step(s);
	}
	snprintf(s->broken, sizeof(s->broken), "a read is never answered");
	return false;
}

static void
store_sum(struct log_store *s, const uint8_t *bytes, uint32_t len)
{
	struct record_iterator it;
	struct record_view view;

	if (record_iterator_init(&it, bytes, len) == 0) {
		while (record_iterator_next(&it, &view) == 1) {
			s->logged_records++;
			s->logged_digest += record_digest(
				view.key, view.key_len, view.value, view.value_len);
		}
	}
}

static void
store_visit(struct model_log *log, uint32_t partition, model_visit_fn fn, void *user_data)
{
	struct log_store *s = store_of(log);
	uint32_t index = s->indexes[partition], shard = store_shard_of(log, partition);
	struct log_partition_status status;

	ensure(logstore_status(s->store, index, &status) == 0);
	/* A crash may take the note and leave the records. */
	if (status.high_watermark > 0 && s->notes_judged == 0 && s->crashes == 0 && s->broken[0] == '\0') {
		snprintf(s->broken, sizeof(s->broken), "records, and no DURABLE note was judged");
	}
	for (int64_t at = 0; at < status.high_watermark;) {
		struct read_req req = {
			.partition_index = index,
			.bytes_max = 64 * KIB,
			.from = at,
			.until = status.high_watermark,
			.client = (uint16_t)s->options.lane_count,
		};
		struct read_done done;

		if (!store_read(s, shard, &req, &done)) {
			return;
		}
		if (done.error != 0 || done.data_len == 0) {
			snprintf(s->broken, sizeof(s->broken), "partition %u: read at %lld says %d",
				partition, (long long)at, done.error);
			return;
		}
		struct record_batch_iterator it;
		int rc;

		record_batch_iterator_init(&it, done.data, done.data_len);
		while ((rc = record_batch_iterator_next(&it)) == 1) {
			fn(user_data, it.bytes, (uint32_t)it.len);
			store_sum(s, it.bytes, (uint32_t)it.len);
		}
		if (rc < 0) {
			snprintf(s->broken, sizeof(s->broken), "partition %u: no whole batches at %lld",
				partition, (long long)at);
			return;
		}
		at = done.next_offset;
		struct extent_release release = {.pin = done.pin, .partition_index = index,
			.client = (uint16_t)s->options.lane_count};

		ensure(ring_offer(&s->readers[shard].extent_release, &release, 1) == 1);
		store_step(s);
	}
	if (partition + 1 == s->options.partition_count) {
		model_windows_check(s->windows, s->logged_records, s->logged_digest);
	}
}

/* --- life -------------------------------------------------------------------------------------- */

static void
store_reader_init(struct store_reader *reader)
{
	ensure(ring_create(&reader->append_req, STORE_READ_SLOTS,
		       sizeof(struct append_req), NULL) == 0);
	ensure(ring_create(&reader->append_done, STORE_READ_SLOTS,
		       sizeof(struct append_done), NULL) == 0);
	ensure(ring_create(&reader->read_req, STORE_READ_SLOTS, sizeof(struct read_req),
		       NULL) == 0);
	ensure(ring_create(&reader->read_done, STORE_READ_SLOTS, sizeof(struct read_done),
		       NULL) == 0);
	ensure(ring_create(&reader->extent_release, STORE_READ_SLOTS,
		       sizeof(struct extent_release), NULL) == 0);
	ensure(ring_create(&reader->notes, STORE_READ_SLOTS, sizeof(struct commit_note),
		       NULL) == 0);
}

static void
store_reader_fini(struct store_reader *reader)
{
	ring_destroy(&reader->append_req);
	ring_destroy(&reader->append_done);
	ring_destroy(&reader->read_req);
	ring_destroy(&reader->read_done);
	ring_destroy(&reader->extent_release);
	ring_destroy(&reader->notes);
}

static void
store_destroy(struct model_log *log)
{
	struct log_store *s = store_of(log);

	if (s->store) {
		store_drop(s);
	}
	for (uint32_t shard = 0; shard < s->options.shard_count; shard++) {
		store_reader_fini(&s->readers[shard]);
		store_reader_fini(&s->window_rings[shard]);
		for (uint32_t lane = 0; lane < s->options.lane_count; lane++) {
			ring_destroy(&s->judged[lane][shard]);
		}
	}
	sim_disk_destroy(s->disk);
	free(s);
}

static const struct model_log_ops store_ops = {
	.attach = store_attach,
	.start = store_start,
	.partition_index = store_partition_index,
	.shard_of = store_shard_of,
	.poll = store_poll,
	.crash = store_crash,
	.disk = store_disk,
	.quiet = store_quiet,
	.room = store_room,
	.visit = store_visit,
	.broken = store_broken,
	.destroy = store_destroy,
};

struct model_log *
model_log_store(const struct model_log_options *options)
{
	static const uint64_t segments[] = {64 * KIB, 256 * KIB, 16 * MIB};
	struct log_store *s = calloc(1, sizeof(*s));
	struct sim_options sim;

	ensure(s);
	s->log.ops = &store_ops;
	s->options = *options;
	s->topic_id[0] = 7;
	s->segment_bytes = segments[rand_below(options->rand, ARRAY_COUNT(segments))];
	rand_init(&s->rand, rand_u64(options->rand));
	sim_options_init(&sim, rand_u64(options->rand), options->clock);
	sim.trace_max = 256;
	sim.flush_ns_max = sim.flush_ns_min + options->disk_ns;
	sim.violation = store_violation;
	sim.violation_user_data = s;
	ensure(sim_disk_create(&sim, &s->disk) == 0);
	for (uint32_t shard = 0; shard < options->shard_count; shard++) {
		for (uint32_t lane = 0; lane < options->lane_count; lane++) {
			ensure(ring_create(&s->judged[lane][shard], STORE_DONE_SLOTS,
				       sizeof(struct append_done), NULL) == 0);
		}
		store_reader_init(&s->readers[shard]);
		store_reader_init(&s->window_rings[shard]);
	}
	return &s->log;
}
