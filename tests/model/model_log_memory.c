/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log shards in memory (model_log.h): the contract of base/handoff.h in its plainest form. Requests are
 * taken in random portions, become durable after a while, and DURABLE notes are merged at random.
 */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/handoff.h"
#include "model_log.h"
#include "support/native_server_log.h"
#include "wire/record_batch.h"

#define MEMORY_OUTBOX_MAX  8192
#define MEMORY_WAITERS_MAX 8192
#define MEMORY_RECENT	   5 /* batches of a producer that are known again, as Kafka's */
#define MEMORY_BUFFER	   (1 * MIB)

struct memory_waiter {
	uint32_t lane, session_index, partition_index;
	int32_t sequence_last;
	int64_t offset;
};

struct memory_port {
	struct ring *append_req, *append_done;
	struct append_done outbox[MEMORY_OUTBOX_MAX];
	uint32_t outbox_count;
};

struct log_memory {
	struct model_log log;
	struct model_log_options options;
	struct server_log store;
	struct log_room room;
	struct memory_port ports[MODEL_LANES_MAX][MODEL_SHARDS_MAX];
	struct memory_waiter waiters[MEMORY_WAITERS_MAX];
	uint32_t waiter_count;
};

static struct log_memory *
memory_of(struct model_log *log)
{
	return CONTAINER_OF(log, struct log_memory, log);
}

static void
memory_attach(struct model_log *log, uint32_t lane, uint32_t shard, struct ring *append_req,
	struct ring *append_done)
{
	struct memory_port *port = &memory_of(log)->ports[lane][shard];

	port->append_req = append_req;
	port->append_done = append_done;
	port->outbox_count = 0;
}

/* As a shard does at its turn's end. */
static void
memory_publish(struct log_memory *m)
{
	for (uint32_t shard = 0; shard < m->options.shard_count; shard++) {
		uint64_t held_bytes = 0;

		for (uint32_t p = shard; p < m->options.partition_count; p += m->options.shard_count) {
			const struct server_partition *partition = &m->store.partitions[p];

			for (uint32_t i = partition->durable_count; i < partition->count; i++) {
				held_bytes += partition->entries[i].len;
			}
		}
		log_room_set_buffer_free(&m->room, shard, held_bytes < MEMORY_BUFFER ? MEMORY_BUFFER - held_bytes : 0);
	}
}

static void
memory_start(struct model_log *log, uint64_t now_ns)
{
	memory_publish(memory_of(log));
}

static uint32_t
memory_partition_index(struct model_log *log, uint32_t partition)
{
	return partition;
}

static uint32_t
memory_shard_of(struct model_log *log, uint32_t partition)
{
	return partition % memory_of(log)->options.shard_count;
}

static void
memory_answer(struct memory_port *port, const struct append_done *done)
{
	ensure(port->outbox_count < MEMORY_OUTBOX_MAX);
	port->outbox[port->outbox_count++] = *done;
}

/* The producer's batch with exactly these sequences among its last five. */
static const struct server_entry *
memory_known(struct log_memory *m, const struct append_req *req)
{
	const struct server_partition *partition = &m->store.partitions[req->partition_index];
	uint32_t seen = 0;

	for (uint32_t i = partition->count; i-- > 0 && seen < MEMORY_RECENT;) {
		struct record_batch batch;

		ensure(record_batch_decode(partition->entries[i].bytes, partition->entries[i].len,
			       &batch) == 0);
		if (batch.producer_id != req->producer_id ||
			batch.producer_epoch != req->producer_epoch) {
			continue;
		}
		seen++;
		if (batch.base_sequence == req->base_sequence &&
			batch.record_count == (int32_t)req->record_count) {
			return &partition->entries[i];
		}
	}
	return NULL;
}

static void
memory_wait(struct log_memory *m, uint32_t lane, const struct append_req *req,
	const struct append_done *copied)
{
	ensure(m->waiter_count < MEMORY_WAITERS_MAX);
	m->waiters[m->waiter_count++] = (struct memory_waiter){
		.lane = lane,
		.session_index = req->session_index,
		.partition_index = req->partition_index,
		.sequence_last = copied->sequence_last,
		.offset = copied->offset,
	};
}

static void
memory_query(struct log_memory *m, uint32_t lane, struct memory_port *port,
	const struct append_req *req)
{
	struct server_state *state =
		server_log_state(&m->store, req->partition_index, req->producer_id);
	struct append_done done = {
		.kind = APPEND_STATE,
		.partition_index = req->partition_index,
		.session_index = req->session_index,
		.sequence_last = -1,
		.offset = -1,
	};

	if (state && state->epoch > req->producer_epoch) {
		done.error = KAFKA_INVALID_PRODUCER_EPOCH;
	} else if (state && state->epoch == req->producer_epoch) {
		done.sequence_last = state->last_seq;
		done.offset = state->last_offset;
	}
	memory_answer(port, &done);
	if (done.sequence_last >= 0) {
		memory_wait(m, lane, req, &done);
	}
}

static void
memory_append(struct log_memory *m, uint32_t lane, struct memory_port *port,
	const struct append_req *req, uint64_t now_ns)
{
	struct server_partition *partition = &m->store.partitions[req->partition_index];
	struct append_done done = {
		.kind = APPEND_REFUSED,
		.partition_index = req->partition_index,
		.session_index = req->session_index,
		.sequence_last = req->base_sequence,
		.offset = -1,
		.owner = req->owner,
	};
	const struct server_entry *known;
	struct record_batch batch;

	ensure(record_batch_decode(req->batch, req->batch_len, &batch) == 0);
	if (record_batch_crc(req->batch, req->batch_len) != batch.crc) {
		done.error = KAFKA_CORRUPT_MESSAGE;
	} else if ((known = memory_known(m, req)) != NULL) {
		done.kind = APPEND_COPIED;
		done.flags = APPEND_DUPLICATE;
		done.offset = known->offset + req->record_count - 1;
	} else {
		done.error = server_log_append(&m->store, req->partition_index, req->batch,
			req->batch_len, now_ns);
		if (done.error == 0) {
			done.kind = APPEND_COPIED;
			done.offset = partition->end_offset - 1;
		}
	}
	if (done.kind == APPEND_COPIED) {
		done.sequence_last = record_batch_last_sequence(&batch);
		memory_wait(m, lane, req, &done);
	}
	memory_answer(port, &done);
}

static uint32_t
memory_take(struct log_memory *m, uint32_t lane, uint32_t shard, uint64_t now_ns)
{
	struct memory_port *port = &m->ports[lane][shard];
	uint32_t portion = 1 + (uint32_t)rand_below(m->options.rand, 32), taken = 0;
	struct append_req req;

	while (taken < portion && port->outbox_count < MEMORY_OUTBOX_MAX / 2 &&
		m->waiter_count < MEMORY_WAITERS_MAX && ring_take(port->append_req, &req, 1) == 1) {
		taken++;
		ensure(memory_shard_of(&m->log, req.partition_index) == shard);
		if (req.flags & APPEND_QUERY) {
			memory_query(m, lane, port, &req);
		} else {
			memory_append(m, lane, port, &req, now_ns);
		}
	}
	return taken;
}

/* DURABLE notes for what the disk has; a later note of the same stream may stand for earlier ones. */
static uint32_t
memory_notes(struct log_memory *m)
{
	uint32_t kept = 0, work = 0;

	for (uint32_t i = 0; i < m->waiter_count; i++) {
		const struct memory_waiter w = m->waiters[i];
		const struct server_partition *partition = &m->store.partitions[w.partition_index];
		int64_t durable = partition->durable_count == partition->count
					  ? partition->end_offset
					  : partition->entries[partition->durable_count].offset;

		if (w.offset >= durable) {
			m->waiters[kept++] = w;
			continue;
		}
		memory_answer(&m->ports[w.lane][memory_shard_of(&m->log, w.partition_index)],
			&(struct append_done){
				.kind = APPEND_DURABLE,
				.partition_index = w.partition_index,
				.session_index = w.session_index,
				.sequence_last = w.sequence_last,
				.offset = w.offset,
			});
		work++;
	}
	m->waiter_count = kept;
	return work;
}

static uint64_t
memory_poll(struct model_log *log, uint64_t now_ns, uint32_t *work)
{
	struct log_memory *m = memory_of(log);
	uint64_t deadline_ns = server_log_poll(&m->store, now_ns);

	for (uint32_t lane = 0; lane < m->options.lane_count; lane++) {
		for (uint32_t shard = 0; shard < m->options.shard_count; shard++) {
			*work += memory_take(m, lane, shard, now_ns);
		}
	}
	*work += memory_notes(m);
	for (uint32_t lane = 0; lane < m->options.lane_count; lane++) {
		for (uint32_t shard = 0; shard < m->options.shard_count; shard++) {
			struct memory_port *port = &m->ports[lane][shard];
			uint32_t n = ring_offer(port->append_done, port->outbox, port->outbox_count);

			port->outbox_count -= n;
			memmove(port->outbox, port->outbox + n,
				port->outbox_count * sizeof(port->outbox[0]));
			*work += n;
		}
	}
	uint64_t at_ns = server_log_poll(&m->store, now_ns);

	memory_publish(m);
	return at_ns < deadline_ns ? at_ns : deadline_ns;
}

static void
memory_crash(struct model_log *log, uint64_t now_ns)
{
	struct log_memory *m = memory_of(log);

	m->waiter_count = 0;
	server_log_crash(&m->store, m->options.rand);
}

static void
memory_disk(struct model_log *log, bool running)
{
	memory_of(log)->store.running = running;
}

static bool
memory_quiet(struct model_log *log)
{
	struct log_memory *m = memory_of(log);

	for (uint32_t lane = 0; lane < m->options.lane_count; lane++) {
		for (uint32_t shard = 0; shard < m->options.shard_count; shard++) {
			if (m->ports[lane][shard].outbox_count > 0) {
				return false;
			}
		}
	}
	return m->waiter_count == 0;
}

static const struct log_room *
memory_room(struct model_log *log)
{
	return &memory_of(log)->room;
}

static void
memory_visit(struct model_log *log, uint32_t partition, model_visit_fn fn, void *user_data)
{
	const struct server_partition *p = &memory_of(log)->store.partitions[partition];

	for (uint32_t i = 0; i < p->count; i++) {
		fn(user_data, p->entries[i].bytes, p->entries[i].len);
	}
}

static const char *
memory_broken(struct model_log *log)
{
	return NULL;
}

static void
memory_destroy(struct model_log *log)
{
	struct log_memory *m = memory_of(log);

	server_log_free(&m->store);
	free(m);
}

static const struct model_log_ops memory_ops = {
	.attach = memory_attach,
	.start = memory_start,
	.partition_index = memory_partition_index,
	.shard_of = memory_shard_of,
	.poll = memory_poll,
	.crash = memory_crash,
	.disk = memory_disk,
	.quiet = memory_quiet,
	.room = memory_room,
	.visit = memory_visit,
	.broken = memory_broken,
	.destroy = memory_destroy,
};

struct model_log *
model_log_memory(const struct model_log_options *options)
{
	struct log_memory *m = calloc(1, sizeof(*m));

	ensure(m);
	m->log.ops = &memory_ops;
	m->options = *options;
	m->store.disk_ns = options->disk_ns;
	m->store.running = true;
	server_log_add(&m->store, options->partition_count);
	return &m->log;
}
